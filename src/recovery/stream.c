/* stream.c: see stream.h. */
#include "recovery/stream.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cxl/catalog.h"
#include "cxl/crash_point.h"
#include "engine/mover.h"
#include "recovery/record.h"

enum { RETRY_NS = 1000000000, ROOM_NAP_NS = 50000 };

/* ---- Gathering ---- */

static void stream_fail(struct stream *s, int code, const struct lg_error *why)
{
	pthread_mutex_lock(&s->lock);
	s->why = *why;
	atomic_store_explicit(&s->failed, code, memory_order_release);
	pthread_cond_broadcast(&s->grown);
	pthread_mutex_unlock(&s->lock);
	s->retry_ns = clock_ns() + RETRY_NS;
}

static int put_entry(struct stream *s, enum log_entry_type type, unsigned flags, const void *body, uint32_t bytes)
{
	struct lg_error err;
	void *to;
	int code = log_reserve(s->writer, (uint16_t)type, (uint16_t)flags, bytes, &to, &err);
	if (code != LG_OK)
		return code;
	memcpy(to, body, bytes);
	s->fresh = true;
	return LG_OK;
}

static int put_owners(struct stream *s, const struct cxl_port *port)
{
	uint32_t count = port->geometry->partition_count, bytes = (uint32_t)sizeof(struct log_owners_body) + count;
	uint64_t memory[(sizeof(struct log_owners_body) + LG_MAX_PARTITIONS) / 8] = {0};
	struct log_owners_body *body = (void *)memory;
	body->count = count;
	for (uint32_t p = 0; p < count; p++)
		body->owner[p] = (uint8_t)partition_owner(port, p);
	int code = put_entry(s, LOG_ENTRY_OWNERS, 0, body, (bytes + 7) & ~7u);
	s->owners |= code == LG_OK;
	return code;
}

static int put_table(struct stream *s, struct cxl_port *port, uint32_t id, unsigned flags)
{
	struct catalog_table table;
	int code = catalog_read(port, id, &table, NULL);
	if (code != LG_OK)
		return code;
	uint32_t splits = table.by == LG_RANGE ? table.partitions - 1 : 0;
	uint32_t bytes = (uint32_t)(sizeof(struct log_table_body) + splits * sizeof(uint64_t));
	struct log_table_body *body = calloc(1, bytes);
	if (body) {
		*body = (struct log_table_body){
		        .id = id, .by = table.by, .prefix_bytes = table.prefix_bytes, .partitions = table.partitions};
		memcpy(body->name, table.name, sizeof body->name);
		if (splits)
			memcpy(body->splits, table.splits, splits * sizeof(uint64_t));
		code = put_entry(s, LOG_ENTRY_TABLE, flags, body, bytes);
	}
	free(body);
	free(table.splits);
	return body ? code : LG_NOSPACE;
}

static int put_member(struct stream *s, unsigned host, enum log_member_change change, uint64_t incarnation)
{
	struct log_member_body body = {host, change, incarnation};
	return put_entry(s, LOG_ENTRY_MEMBER, 0, &body, sizeof body);
}

/* All tables that are counted now, before any row of them. */
static int drain_catalog(struct stream *s, struct cxl_port *port)
{
	uint32_t count = catalog_count(port);
	/* Acquire: the map that is read comes after the change. */
	if (atomic_exchange_explicit(&s->owners_changed, false, memory_order_acquire))
		s->owners = false;
	int code = count && !s->owners ? put_owners(s, port) : LG_OK;
	while (s->tables < count && code == LG_OK) {
		code = put_table(s, port, s->tables, 0);
		s->tables += code == LG_OK;
	}
	return code;
}

/* Adds an epoch to what this host tells the others that it has sealed: they complete epochs through it. */
static void tell_sealed(struct lg_worker *w, struct stream *s, uint64_t epoch)
{
	if (epoch <= s->told_sealed)
		return;
	s->told_sealed = epoch;
	member_set_log_word(&w->port, w->host_id, MEMBER_SEALED_EPOCH, epoch);
}

static int drain_slot(struct lg_worker *w, struct stream *s, struct redo_ring *ring, uint64_t sealed, unsigned slot)
{
	struct stream_slot *at = &s->slots[slot];
	uint64_t epoch = 0;
	int code = LG_OK;
	while (at->drained < sealed && code == LG_OK) {
		const struct redo_head *head = s->record;
		uint32_t lines = ring_read(&w->port, ring, at->drained, s->record);
		if (!lines) {
			struct lg_error why;
			error_set(&why, LG_CORRUPT,
			        "redo ring %u of this host is damaged at position %llu: what was sealed there cannot "
			        "be "
			        "logged",
			        slot, (unsigned long long)at->drained);
			s->broken = true;
			stream_fail(s, LG_CORRUPT, &why);
			return LG_CORRUPT;
		}
		code = put_entry(s, LOG_ENTRY_REDO, 0, head, head->bytes);
		if (code != LG_OK)
			break;
		at->drained += lines;
		log_note_epoch(s->writer, version_epoch(head->version));
		epoch = version_epoch(head->version) > epoch ? version_epoch(head->version) : epoch;
	}
	tell_sealed(w, s, epoch);
	s->pressed |= at->drained - atomic_load_explicit(&ring->tail, memory_order_relaxed) > ring->lines / 4;
	return code;
}

/* Replicated tables whose load has ended: every loaded row is of this epoch or older. */
static void note_loads(struct lg_worker *w, struct stream *s)
{
	for (unsigned id = 0; id < LG_MAX_TABLES; id++) {
		struct lg_table *table = atomic_load_explicit(&w->host->tables[id], memory_order_acquire);
		if (!table || table->def.by != LG_REPLICATED || s->load_ended[id] ||
		        !atomic_load_explicit(&table->sealed, memory_order_acquire))
			continue;
		s->load_ended[id] = epoch_load(&w->port);
		tell_sealed(
		        w, s, s->load_ended[id]); /* the epoch is completed soon, though nothing else may be sealed */
	}
}

static int drain_loads(struct lg_worker *w, struct stream *s)
{
	int code = LG_OK;
	for (unsigned id = 0; id < s->tables && code == LG_OK; id++)
		if (s->load_ended[id] && s->load_ended[id] <= s->completed && !s->sealed_tables[id]) {
			code = put_table(s, &w->port, id, LOG_TABLE_SEALED);
			s->sealed_tables[id] = code == LG_OK;
		}
	return code;
}

/* Gathers all that the workers have sealed by now. */
static int drain(struct lg_worker *w, struct stream *s)
{
	struct lg_host *host = w->host;
	uint64_t sealed[LG_MAX_WORKERS];
	note_loads(w, s);
	for (unsigned slot = 0; slot < LG_MAX_WORKERS; slot++) {
		struct lg_worker *worker = atomic_load_explicit(&host->workers[slot], memory_order_acquire);
		struct redo_ring *ring = worker ? atomic_load_explicit(&worker->ring, memory_order_acquire) : NULL;
		sealed[slot] = ring ? atomic_load_explicit(&ring->sealed, memory_order_acquire) : 0;
		if (ring && !s->slots[slot].open) {
			uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
			s->slots[slot] = (struct stream_slot){true, tail, tail};
		}
	}
	int code = drain_catalog(s, &w->port);
	s->pressed = false;
	for (unsigned slot = 0; slot < LG_MAX_WORKERS && code == LG_OK; slot++)
		if (sealed[slot])
			code = drain_slot(w, s,
			        atomic_load_explicit(
			                &atomic_load_explicit(&host->workers[slot], memory_order_relaxed)->ring,
			                memory_order_relaxed),
			        sealed[slot], slot);
	if (code == LG_OK)
		code = drain_loads(w, s);
	if (code != LG_OK && code != LG_NOSPACE &&
	        !s->broken) { /* no space: it goes on when the batch in flight has landed */
		struct lg_error why;
		error_set(&why, code, "cannot gather the log of host %u: %s", w->host_id, lg_strerror(code));
		stream_fail(s, code, &why);
	}
	return code;
}

/* ---- Epochs ---- */

/* The last epoch of which no worker of this host can still make a version. */
static uint64_t ended_epoch(const struct lg_worker *w)
{
	uint64_t least = epoch_load(&w->port);
	full_fence(); /* [commit.sealing] */
	for (unsigned slot = 0; slot < LG_MAX_WORKERS; slot++) {
		struct lg_worker *worker = atomic_load_explicit(&w->host->workers[slot], memory_order_acquire);
		/* Acquire; pairs with stream_sealed(). */
		uint64_t sealing = worker ? atomic_load_explicit(&worker->sealing, memory_order_acquire) : WORKER_IDLE;
		least = sealing < least ? sealing : least;
	}
	return least - 1;
}

static void give_notice(struct stream *s, uint64_t durable)
{
	struct notice *due = NULL;
	pthread_mutex_lock(&s->lock);
	for (struct notice **at = &s->notices; *at;) {
		struct notice *notice = *at;
		if (notice->epoch > durable) {
			at = &notice->next;
			continue;
		}
		*at = notice->next;
		notice->next = due;
		due = notice;
	}
	pthread_cond_broadcast(&s->grown);
	pthread_mutex_unlock(&s->lock);
	while (due) {
		struct notice *notice = due;
		due = notice->next;
		notice->durable(notice->argument, LG_OK);
		free(notice);
	}
}

static void look_at_pod(struct lg_worker *w, struct stream *s)
{
	uint64_t durable = s->counted ? member_pod_durable(&w->port) : 0;
	if (durable == UINT64_MAX || durable <= atomic_load_explicit(&s->durable, memory_order_relaxed))
		return;
	/* Release: [stream.durable] */
	atomic_store_explicit(&s->durable, durable, memory_order_release);
	give_notice(s, durable);
}

/* Looks what became of the batch in flight. LG_OK: nothing is in flight now; LG_INUSE; the log's failure. */
static int land(struct lg_worker *w, struct stream *s, bool wait)
{
	struct lg_error err;
	uint64_t durable;
	atomic_store_explicit(
	        &s->blocked, true, memory_order_relaxed); /* also without `wait`: it may begin a segment */
	int code = wait ? log_wait(s->writer, &durable, &err) : log_poll(s->writer, &durable, &err);
	atomic_store_explicit(&s->blocked, false, memory_order_relaxed);
	if (code != LG_OK) {
		if (code != LG_INUSE)
			stream_fail(s, code, &err);
		return code;
	}
	if (!s->flying)
		return LG_OK;
	s->flying = false;
	for (unsigned slot = 0; slot < LG_MAX_WORKERS; slot++) {
		struct lg_worker *worker = atomic_load_explicit(&w->host->workers[slot], memory_order_relaxed);
		if (s->slots[slot].open) /* [ring.tail] */
			atomic_store_explicit(&atomic_load_explicit(&worker->ring, memory_order_relaxed)->tail,
			        s->slots[slot].submitted, memory_order_release);
	}
	if (s->counted && durable > s->told) {
		s->told = durable;
		member_set_log_word(&w->port, w->host_id, MEMBER_LOG_EPOCH, durable);
	}
	struct log_writer_stats stats;
	log_writer_stats(s->writer, &stats);
	atomic_store_explicit(&s->log_batches, stats.batches, memory_order_relaxed); /* relaxed, both: for people */
	atomic_store_explicit(&s->log_bytes, stats.bytes, memory_order_relaxed);
	return LG_OK;
}

/* Has what was gathered written; nothing is in flight. */
static int launch(struct stream *s, uint64_t epoch)
{
	struct lg_error err;
	CRASH_POINT(LOG_SUBMIT);
	atomic_store_explicit(&s->blocked, true, memory_order_relaxed); /* a new segment, or no io_uring */
	int code = log_submit(s->writer, epoch, atomic_load_explicit(&s->durable, memory_order_relaxed), &err);
	atomic_store_explicit(&s->blocked, false, memory_order_relaxed);
	CRASH_POINT(LOG_WRITTEN);
	/* Also if it fails: then the writer keeps it for log_reopen(). */
	for (unsigned slot = 0; slot < LG_MAX_WORKERS; slot++)
		s->slots[slot].submitted = s->slots[slot].drained;
	s->flying = true;
	if (epoch != LOG_EPOCH_NONE) {
		s->completed = epoch;
		s->fresh = false;
	}
	if (code != LG_OK)
		stream_fail(s, code, &err);
	return code;
}

/* A log that has failed begins a new segment; what was not known durable is written anew. */
static void mend(struct stream *s, uint64_t now)
{
	struct lg_error err;
	if (s->broken || now < s->retry_ns)
		return;
	atomic_store_explicit(&s->blocked, true, memory_order_relaxed);
	int code = log_reopen(s->writer, &err);
	atomic_store_explicit(&s->blocked, false, memory_order_relaxed);
	if (code == LG_INVALID) {
		/* The writer is well: it had no memory for the batch, which is still being gathered. */
		s->flying = false;
		s->fresh = true;
		s->recycling = 0; /* what was to be said again before is not durable */
	} else if (code != LG_OK) {
		stream_fail(s, code, &err);
		return;
	} else {
		s->flying = true; /* it writes the batch that was in flight */
	}
	pthread_mutex_lock(&s->lock);
	atomic_store_explicit(&s->failed, LG_OK, memory_order_release);
	pthread_cond_broadcast(&s->grown);
	pthread_mutex_unlock(&s->lock);
}

/* ---- Recycling ---- */

/* From which epoch on some host needs the logs; 0: from the beginning. */
static uint64_t needed_epoch(const struct lg_worker *w)
{
	uint64_t least = UINT64_MAX, owners = 0; /* bit h: host h owns partitions */
	for (uint32_t p = 0; p < w->host->geometry->partition_count; p++)
		owners |= UINT64_C(1) << partition_owner(&w->port, p);
	for (unsigned host = 0; host < w->host->geometry->host_count; host++) {
		uint64_t incarnation;
		enum lg_member_state state = member_state(&w->port, host, &incarnation);
		/* It, or who adopts its partitions, may be reading them, and may have begun before its word was seen. */
		if (state == LG_MEMBER_JOINING || state == LG_MEMBER_RECOVERING)
			return 0;
		/* If its rows were adopted, whoever did says from where on. Copies of replicated tables that it may have are
		 * kept only while it lives: else one that never comes back would keep all logs (rebuild.c: copies_gone). */
		if (!incarnation || (!(owners >> host & 1) && state != LG_MEMBER_LIVE))
			continue;
		uint64_t epoch = member_log_word(&w->port, host, MEMBER_CHECKPOINT_EPOCH);
		least = epoch < least ? epoch : least;
	}
	return least == UINT64_MAX ? 0 : least;
}

/* Which incarnation of a host is gone, and all of it durable; 0: none is. */
static uint64_t gone_incarnation(const struct lg_worker *w, unsigned host)
{
	uint64_t incarnation, again;
	enum lg_member_state state = member_state(&w->port, host, &incarnation);
	bool counted = member_log_word(&w->port, host, MEMBER_LOG_EPOCH) != LOG_EPOCH_UNCOUNTED;
	if (member_state(&w->port, host, &again) != state || again != incarnation || !incarnation)
		return 0;
	if (state == LG_MEMBER_JOINING || state == LG_MEMBER_LIVE)
		return incarnation - 1;
	return counted ? 0 : incarnation;
}

/* What this log alone may know: as put when it happened. */
static int say_again(struct lg_worker *w, struct stream *s)
{
	int code = put_owners(s, &w->port);
	for (uint32_t id = 0; id < s->tables && code == LG_OK; id++)
		code = put_table(s, &w->port, id, s->sealed_tables[id] ? LOG_TABLE_SEALED : 0);
	for (unsigned host = 0; host < w->host->geometry->host_count && code == LG_OK; host++) {
		uint64_t gone = gone_incarnation(w, host);
		if (gone)
			code = put_member(s, host, LOG_MEMBER_DIED, gone);
	}
	return code == LG_OK ? put_member(s, w->host_id, LOG_MEMBER_JOINED, w->host->incarnation) : code;
}

/* Before a batch that completes an epoch. */
static void prepare_recycling(struct lg_worker *w, struct stream *s)
{
	uint64_t epoch = s->recycling ? 0 : needed_epoch(w);
	if (epoch > s->recycled && epoch > s->taken_epoch + 1 && say_again(w, s) == LG_OK)
		s->recycling = epoch;
}

/* When that batch is durable. Nothing is lost if it cannot be done: it is tried again with the next checkpoint. */
static void recycle(struct stream *s)
{
	CRASH_POINT(LOG_RECYCLE);
	atomic_store_explicit(&s->blocked, true, memory_order_relaxed);
	(void)log_recycle(s->writer, s->recycling, NULL, NULL);
	atomic_store_explicit(&s->blocked, false, memory_order_relaxed);
	s->recycled = s->recycling;
	s->recycling = 0;
}

bool stream_round(struct lg_worker *w, uint64_t now)
{
	struct stream *s = w->host->stream;
	if (!s)
		return false;
	if (atomic_load_explicit(&s->failed, memory_order_relaxed))
		mend(s, now);
	bool failed = atomic_load_explicit(&s->failed, memory_order_relaxed) != LG_OK;
	int landed = failed ? LG_INUSE : land(w, s, false);
	uint64_t ended = ended_epoch(w);
	/* A ticket may be anybody's text: no more than what there can be. */
	uint64_t wanted = atomic_load_explicit(&s->wanted, memory_order_acquire), now_epoch = epoch_load(&w->port);
	tell_sealed(w, s, wanted < now_epoch ? wanted : now_epoch);
	bool whole = !s->broken && drain(w, s) == LG_OK; /* else: more than the log's memory takes, it goes on later */
	bool asked = s->fresh || member_pod_sealed(&w->port) > s->completed;
	if (landed == LG_OK && s->recycling)
		recycle(s);
	if (landed == LG_OK && s->counted && whole && asked && ended > s->completed) {
		prepare_recycling(w, s);
		(void)launch(s, ended); /* a failure is noted */
	} else if (landed == LG_OK && (s->pressed || !whole) && log_gathered_bytes(s->writer))
		(void)launch(s, LOG_EPOCH_NONE);
	look_at_pod(w, s);
	return s->flying || atomic_load_explicit(&s->durable, memory_order_relaxed) < s->completed;
}

/* ---- Joining, leaving, and the dead ---- */

/* All that was gathered is durable when it returns. */
static int flush(struct lg_worker *w, struct stream *s, uint64_t epoch)
{
	if (atomic_load_explicit(&s->failed, memory_order_relaxed))
		mend(s, clock_ns());
	int code = atomic_load_explicit(&s->failed, memory_order_relaxed);
	if (code == LG_OK)
		code = land(w, s, true);
	if (code == LG_OK)
		code = launch(s, epoch);
	return code == LG_OK ? land(w, s, true) : code;
}

struct taking {
	struct lg_worker *w;
	struct stream *s;
	unsigned dead;
	uint64_t durable;  /* in the dead host's own log */
	uint64_t youngest; /* of what was taken */
};

static int take_record(const struct redo_head *record, void *argument)
{
	struct taking *taking = argument;
	uint64_t epoch = version_epoch(record->version);
	if (record->host != taking->dead || epoch <= taking->durable || record->version > WORD_VERSION)
		return LG_OK;
	taking->youngest = epoch > taking->youngest ? epoch : taking->youngest;
	log_note_epoch(taking->s->writer, epoch);
	int code = put_entry(taking->s, LOG_ENTRY_REDO, 0, record, record->bytes);
	if (code != LG_NOSPACE)
		return code;
	code = flush(taking->w, taking->s, LOG_EPOCH_NONE); /* more than the log's memory takes at a time */
	return code == LG_OK ? put_entry(taking->s, LOG_ENTRY_REDO, 0, record, record->bytes) : code;
}

int stream_take_dead(struct lg_worker *w, unsigned dead)
{
	struct stream *s = w->host->stream;
	if (!s)
		return LG_OK;
	uint64_t incarnation, durable = member_log_word(&w->port, dead, MEMBER_LOG_EPOCH);
	(void)member_state(&w->port, dead, &incarnation);
	struct taking taking = {w, s, dead, durable == LOG_EPOCH_UNCOUNTED ? 0 : durable, 0};
	s->taken_epoch = epoch_load(&w->port);
	int code = drain_catalog(s, &w->port);
	for (unsigned slot = 0; slot < w->host->geometry->redo_workers && code == LG_OK; slot++) {
		if (w->host_id != dead)
			member_beat(&w->port, w->host_id); /* as in crash.c */
		code = ring_scan(&w->port, dead, slot, take_record, &taking);
	}
	if (code == LG_OK)
		code = put_member(s, dead, LOG_MEMBER_DIED, incarnation);
	if (code == LG_OK)
		code = flush(w, s, LOG_EPOCH_NONE);
	if (code == LG_OK)
		member_set_log_word(&w->port, dead, MEMBER_LOG_EPOCH, LOG_EPOCH_UNCOUNTED);
	tell_sealed(w, s, taking.youngest); /* who waits for one of these epochs may be the last that lives */
	return code;
}

int stream_joined(struct lg_worker *w, struct lg_error *err)
{
	struct stream *s = w->host->stream;
	if (!s)
		return LG_OK;
	/* What was logged before this entry may be of an epoch of the life before: it is said again behind it. */
	s->tables = 0;
	s->owners = false;
	memset(s->sealed_tables, 0, sizeof s->sealed_tables);
	memset(s->load_ended, 0, sizeof s->load_ended);
	/* [member.log] Waited for first, then an epoch that has ended: no D above it was seen by anybody. */
	s->counted = true;
	s->told = 0;
	member_set_log_word(&w->port, w->host_id, MEMBER_LOG_EPOCH, 0);
	full_fence();
	uint64_t ended = epoch_load(&w->port) - 1;
	if (ended <= s->completed) {
		ended = s->completed + 1; /* of an earlier life, a moment ago */
		epoch_reach(&w->port, ended + 1);
	}
	int code = put_member(s, w->host_id, LOG_MEMBER_JOINED, w->host->incarnation);
	if (code == LG_OK)
		code = flush(w, s, ended);
	return code == LG_OK ? LG_OK
	                     : error_set(err, code, "host %u cannot write its log: %.400s", w->host_id, s->why.message);
}

int stream_left(struct lg_worker *w)
{
	struct stream *s = w->host->stream;
	if (!s)
		return LG_OK;
	int code = drain(w, s);
	while (code == LG_NOSPACE && (code = flush(w, s, LOG_EPOCH_NONE)) == LG_OK)
		code = drain(w, s); /* more than the log's memory takes at a time */
	/* No worker is left that could make a version of any epoch. Twice: the end of a load is logged behind its epoch. */
	uint64_t epoch = epoch_load(&w->port);
	if (code == LG_OK)
		code = flush(w, s, epoch > s->completed ? epoch : s->completed + 1);
	if (code == LG_OK)
		code = drain_loads(w, s);
	if (code == LG_OK)
		code = put_member(s, w->host_id, LOG_MEMBER_LEFT, w->host->incarnation);
	if (code == LG_OK)
		code = flush(w, s, s->completed + 1);
	if (code == LG_OK) {
		member_set_log_word(&w->port, w->host_id, MEMBER_LOG_EPOCH, LOG_EPOCH_UNCOUNTED);
		give_notice(s, member_pod_durable(&w->port)); /* nobody else is waited for: all of it is */
	}
	return code;
}

/* ---- Workers ---- */

bool stream_failed(const struct lg_host *host)
{
	return host->stream && atomic_load_explicit(&host->stream->failed, memory_order_relaxed) != LG_OK;
}

void stream_fenced(struct lg_host *host)
{
	struct stream *s = host->stream;
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->grown);
	struct notice *notices = s->notices;
	s->notices = NULL;
	pthread_mutex_unlock(&s->lock);
	for (struct notice *next; notices; notices = next) {
		next = notices->next;
		notices->durable(notices->argument, LG_FENCED);
		free(notices);
	}
}

void stream_want(struct lg_host *host, uint64_t epoch)
{
	uint64_t seen = atomic_load_explicit(&host->stream->wanted, memory_order_relaxed);
	while (seen < epoch && !atomic_compare_exchange_weak_explicit(
	                               &host->stream->wanted, &seen, epoch, memory_order_acq_rel, memory_order_relaxed))
		;
}

int stream_ring_room(struct lg_worker *w, struct redo_ring *ring, uint32_t bytes)
{
	struct stream *s = w->host->stream;
	if (likely(!s || ring_has_room(ring, bytes)))
		return LG_OK;
	w->counts.ring_waits++;
	while (!ring_has_room(ring, bytes)) {
		int failed = atomic_load_explicit(&s->failed, memory_order_acquire);
		if (failed)
			return failed;
		if (!host_is_member(w->host, &w->port))
			return LG_FENCED;
		nanosleep(&(struct timespec){0, ROOM_NAP_NS}, NULL); /* for the service thread, which needs the CPU */
	}
	return LG_OK;
}

/* ---- Opening ---- */

static int check_data(const struct lg_worker *w, const char *data, struct lg_error *err)
{
	if (!w->host->geometry->logged && !data)
		return LG_OK;
	if (!w->host->geometry->logged)
		return error_set(err, LG_INVALID,
		        "this pod keeps no logs: open its hosts without a data directory, or create it with one");
	if (!data)
		return error_set(err, LG_INVALID,
		        "this pod keeps logs: host %u needs its data directory (--data, lg_host_config.data)",
		        w->host_id);
	return LG_OK;
}

static int open_writer(struct lg_worker *w, struct stream *s, struct lg_error *err)
{
	struct log_writer_options options;
	log_writer_options_init(&options);
	options.segment_bytes = w->host->config.log_segment_bytes;
	uint64_t incarnation;
	(void)member_state(&w->port, w->host_id, &incarnation);
	struct log_identity identity = {w->host->geometry->cookie, w->host_id, incarnation + 1};
	int code = log_writer_open(s->directory, &identity, &options, &s->writer, err);
	if (code != LG_OK)
		return code;
	struct log_writer_stats stats;
	log_writer_stats(s->writer, &stats);
	s->completed = stats.durable_epoch;
	s->fresh_log = stats.segments == stats.begun;
	s->taken_epoch = epoch_load(&w->port); /* whatever it has taken earlier is older */
	return LG_OK;
}

/* Epochs of a region from before the pod's last restart are void. */
static int check_life(const struct lg_worker *w, const struct stream *s, struct lg_error *err)
{
	if (s->manifest.life == w->host->geometry->life)
		return LG_OK;
	return error_set(err, LG_MISMATCH,
	        "this region is of the pod's life %llu, its data directory of life %llu: the pod was recovered "
	        "elsewhere "
	        "meanwhile; destroy the region",
	        (unsigned long long)w->host->geometry->life, (unsigned long long)s->manifest.life);
}

static int note_host(const struct lg_worker *w, struct stream *s, struct lg_error *err)
{
	s->returning = s->manifest.hosts >> w->host_id & 1;
	if (s->returning && s->fresh_log)
		return error_set(err, LG_CORRUPT,
		        "%.200s: host %u has joined this pod before, but there was no log of it: its directory was "
		        "removed",
		        s->directory, w->host_id);
	int code = manifest_note_host(s->directory, w->host_id, &s->manifest, err);
	return code == LG_OK ? check_life(w, s, err) : code; /* it was read again */
}

int stream_open(struct lg_worker *w, struct lg_error *err)
{
	const char *data = w->host->config.data;
	int code = check_data(w, data, err);
	if (code != LG_OK || !data)
		return code;
	struct stream *s = calloc(1, sizeof *s);
	void *record = aligned_alloc(8, w->host->geometry->redo_ring_bytes);
	if (!s || !record) {
		free(s);
		free(record);
		return error_set(err, LG_NOSPACE, "no private memory for the log of host %u", w->host_id);
	}
	s->record = record;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->grown, &monotonic);
	pthread_condattr_destroy(&monotonic);
	w->host->stream = s;
	if (strlen(data) >= sizeof s->directory)
		code = error_set(err, LG_LIMIT, "the path of the data directory is too long: %.60s...", data);
	else
		memcpy(s->directory, data, strlen(data) + 1);
	if (code == LG_OK)
		code = open_writer(w, s, err);
	/* Behind the log's lock: nobody recovers the pod from now on. */
	if (code == LG_OK)
		code = manifest_read(data, &s->manifest, err);
	if (code == LG_OK && s->manifest.cookie != w->host->geometry->cookie)
		code = error_set(err, LG_MISMATCH,
		        "the data directory %.200s is that of another pod (%016llx, this one is %016llx)", data,
		        (unsigned long long)s->manifest.cookie, (unsigned long long)w->host->geometry->cookie);
	if (code == LG_OK)
		code = check_life(w, s, err);
	if (code == LG_OK)
		code = note_host(w, s, err);
	if (code != LG_OK)
		stream_close(w->host);
	return code;
}

void stream_close(struct lg_host *host)
{
	struct stream *s = host->stream;
	if (!s)
		return;
	(void)log_writer_close(s->writer, NULL); /* what had to be durable is, or was told not to be */
	int code = atomic_load_explicit(&s->failed, memory_order_relaxed);
	for (struct notice *notice = s->notices, *next; notice; notice = next) {
		next = notice->next;
		bool durable = notice->epoch <= atomic_load_explicit(&s->durable, memory_order_relaxed);
		notice->durable(notice->argument, durable ? LG_OK : code ? code : LG_UNAVAILABLE);
		free(notice);
	}
	pthread_cond_destroy(&s->grown);
	pthread_mutex_destroy(&s->lock);
	free(s->record);
	free(s);
	host->stream = NULL;
}
