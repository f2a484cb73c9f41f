/* keeper.c: see keeper.h. */
#include "recovery/keeper.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "cxl/crash_point.h"
#include "cxl/mutant.h"
#include "engine/service.h"
#include "engine/snapshot.h"
#include "recovery/adopt.h"
#include "recovery/stream.h"

enum { CHECKPOINT_NICE = 10, LOOK_MS = 100, PATIENCE_MS = 30000, LOOKS_AT_A_ROW = 1000 };

static int nap(const struct keeper *k, uint64_t ns)
{
	nanosleep(&(struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)}, NULL);
	return atomic_load_explicit(&k->stopping, memory_order_acquire) ? LG_UNAVAILABLE : LG_OK;
}

/* Until no transaction runs that began before `epoch`. */
static int await_older(struct keeper *k, uint64_t epoch, struct lg_error *err)
{
	for (uint64_t began = clock_ns(); member_pod_oldest(&k->w->port) < epoch;) {
		if (clock_ns() - began > PATIENCE_MS * UINT64_C(1000000))
			return error_set(err, LG_UNAVAILABLE,
			        "no checkpoint: a transaction has been running somewhere in the pod for more than %d s",
			        PATIENCE_MS / 1000);
		if (nap(k, 1000000) != LG_OK)
			return error_set(err, LG_UNAVAILABLE, "no checkpoint: the host is closing");
	}
	return LG_OK;
}

/* Until everything through `epoch` is durable in the pod. */
static int await_durable(struct keeper *k, uint64_t epoch, struct lg_error *err)
{
	stream_want(k->host, epoch);
	for (uint64_t began = clock_ns(); lg_durable_epoch(k->host) < epoch;) {
		if (clock_ns() - began > PATIENCE_MS * UINT64_C(1000000))
			return error_set(err, LG_UNAVAILABLE,
			        "no checkpoint: what it holds has not become durable for %d s: a log is not written",
			        PATIENCE_MS / 1000);
		if (nap(k, 1000000) != LG_OK)
			return error_set(err, LG_UNAVAILABLE, "no checkpoint: the host is closing");
	}
	return LG_OK;
}

/* A row's committed value, once it holds still. */
static enum snapshot_result look(struct keeper *k, struct row *row, struct snapshot *snapshot)
{
	enum snapshot_result result = SNAPSHOT_AGAIN;
	for (unsigned looks = 0; result == SNAPSHOT_AGAIN; looks++) {
		result = snapshot_row(k->w, row, k->buffer, snapshot);
		if (result == SNAPSHOT_AGAIN && looks > LOOKS_AT_A_ROW && nap(k, 100000) != LG_OK)
			break;
	}
	return result;
}

static int put_row(struct keeper *k, struct checkpoint_writer *writer, struct row *row, struct lg_error *err)
{
	struct snapshot snapshot;
	switch (look(k, row, &snapshot)) {
	case SNAPSHOT_OK: break;
	case SNAPSHOT_ABSENT: return LG_OK;
	case SNAPSHOT_AGAIN: return error_set(err, LG_UNAVAILABLE, "no checkpoint: the host is closing");
	case SNAPSHOT_CORRUPT:
		return error_set(err, LG_CORRUPT, "no checkpoint: the frame of a row of table %u contradicts its word",
		        row->table);
	}
	uint64_t epoch = version_epoch(snapshot.version);
	k->youngest = epoch > k->youngest ? epoch : k->youngest;
	struct checkpoint_row put = {.table = row->table,
	        .partition = row->partition,
	        .version = snapshot.version,
	        .key = row_key(row),
	        .val = lg_slice(snapshot.val, snapshot.val_bytes)};
	return checkpoint_add_row(writer, &put, err);
}

/* One leaf's rows; *from is then where to go on. */
static int put_leaf(struct keeper *k, struct checkpoint_writer *writer, struct btree *tree, struct leaf_batch *batch,
        struct lg_error *err)
{
	int code = LG_OK;
	worker_enter(k->w);
	btree_batch_forward(tree, lg_slice(batch->bound, batch->bound_bytes), batch);
	for (uint32_t i = 0; i < batch->count && code == LG_OK; i++)
		code = put_row(k, writer, batch->rows[i], err);
	worker_leave(k->w);
	return code;
}

static int put_tree(struct keeper *k, struct checkpoint_writer *writer, struct btree *tree, struct lg_error *err)
{
	struct leaf_batch batch = {0};
	int code;
	do {
		code = put_leaf(k, writer, tree, &batch, err);
		uint64_t pause = checkpoint_pause_ns(writer, clock_ns());
		if (code == LG_OK && nap(k, pause) != LG_OK)
			code = error_set(err, LG_UNAVAILABLE, "no checkpoint: the host is closing");
		if (code == LG_OK && host_fenced(k->host))
			code = error_set(err, LG_FENCED, "no checkpoint: the others have declared this host dead");
	} while (code == LG_OK && !batch.last);
	return code;
}

static int put_table(struct keeper *k, struct checkpoint_writer *writer, struct lg_table *table, struct lg_error *err)
{
	bool replicated = table->def.by == LG_REPLICATED;
	uint64_t body[1 + sizeof(struct log_table_body) / 8 + LG_MAX_PARTITIONS / 64] = {0};
	uint32_t pod_partitions = k->host->geometry->partition_count;
	struct checkpoint_table_body head = {.owned_bytes = (pod_partitions + 63) / 64 * 8};
	struct log_table_body def = {.id = table->def.id, .by = table->def.by, .partitions = table->def.partitions};
	if (replicated && atomic_load_explicit(&table->sealed, memory_order_acquire))
		head.flags = LOG_TABLE_SEALED;
	memcpy(def.name, table->def.name, sizeof def.name);
	memcpy(body, &head, sizeof head);
	memcpy(body + 1, &def, sizeof def);
	uint8_t *owned = (uint8_t *)(body + 1) + sizeof def;
	/* No partition comes or goes meanwhile: it is this thread that adopts. */
	for (uint32_t p = 0; p < pod_partitions; p++)
		if (partition_owner(&k->w->port, p) == k->host->id)
			owned[p / 8] |= (uint8_t)(1u << p % 8);
	int code = checkpoint_add_table(writer, body, (uint32_t)(sizeof head + sizeof def) + head.owned_bytes, err);
	uint32_t count = replicated ? 1 : table->def.partitions;
	for (uint32_t p = 0; p < count && code == LG_OK; p++)
		if (table_tree(table, p))
			code = put_tree(k, writer, table_tree(table, p), err);
	return code;
}

static int put_all(struct keeper *k, struct checkpoint_writer *writer, struct lg_error *err)
{
	int code = LG_OK;
	for (unsigned id = 0; id < LG_MAX_TABLES && code == LG_OK; id++) {
		struct lg_table *table = atomic_load_explicit(&k->host->tables[id], memory_order_acquire);
		if (table)
			code = put_table(k, writer, table, err);
	}
	return code;
}

static int make_checkpoint(struct keeper *k, struct lg_error *err)
{
	struct lg_host *host = k->host;
	struct stream *s = host->stream;
	struct checkpoint_writer *writer;
	struct checkpoint_info info;
	struct log_identity identity = {host->geometry->cookie, host->id, host->incarnation};
	uint64_t first = epoch_load(&k->w->port);
	k->log_bytes = atomic_load_explicit(&s->log_bytes, memory_order_relaxed);
	k->youngest = 0;
	/* Workers that fill the CPUs come first: else one in a hundred transactions waits for this. Nobody waits for it. */
	(void)setpriority(PRIO_PROCESS, 0, CHECKPOINT_NICE); /* of this thread alone, in Linux */
	if (adopt_is_needed(k->w, host->id))
		return error_set(err, LG_UNAVAILABLE,
		        "no checkpoint: the one before has rows of this host's former partitions, and the hosts that "
		        "own "
		        "them now have made none since");
	int code = await_older(k, first, err);
	if (code == LG_OK)
		code = checkpoint_begin(
		        NULL, s->directory, &identity, first, host->config.checkpoint_mb_per_s, &writer, err);
	if (code != LG_OK)
		return code;
	code = put_all(k, writer, err);
	/* No version of anything in it is younger. The pod's epoch may have fallen back with a host that died (epoch.c). */
	uint64_t last = epoch_load(&k->w->port);
	last = k->youngest > last ? k->youngest : last;
	if (code == LG_OK && !MUTANT(CHECKPOINT_LAST))
		code = await_durable(k, last, err);
	if (code != LG_OK) {
		checkpoint_abort(writer);
		return code;
	}
	code = checkpoint_commit(writer, last, &info, err);
	if (code != LG_OK)
		return code;
	member_set_log_word(&k->w->port, host->id, MEMBER_CHECKPOINT_EPOCH, first);
	atomic_fetch_add_explicit(&k->checkpoints, 1, memory_order_relaxed); /* relaxed, both: for people */
	atomic_fetch_add_explicit(&k->checkpoint_bytes, info.counts.raw_bytes, memory_order_relaxed);
	return LG_OK;
}

static bool is_due(const struct keeper *k)
{
	uint64_t every = k->host->config.checkpoint_log_bytes;
	return every && atomic_load_explicit(&k->host->stream->log_bytes, memory_order_relaxed) - k->log_bytes >= every;
}

/* ---- Adoption ---- */

/* The live host with the lowest id. */
static bool is_first_live(const struct keeper *k)
{
	for (unsigned host = 0; host < k->host->id; host++)
		if (member_state(&k->w->port, host, NULL) == LG_MEMBER_LIVE)
			return false;
	return true;
}

/* Whom this host shall replace: asked by `liger pod adopt`, or by its own rule. 1 + its id; 0: nobody. */
static unsigned look_for_dead(struct keeper *k)
{
	struct cxl_port *port = &k->w->port;
	uint64_t patience = (uint64_t)k->host->config.adopt_after_ms * 1000000u, now = clock_ns();
	for (unsigned host = 0; host < k->host->geometry->host_count; host++) {
		if (host == k->host->id)
			continue;
		if (member_log_word(port, host, MEMBER_ADOPTER) == k->host->id + 1u) {
			member_set_log_word(port, host, MEMBER_ADOPTER, 0);
			return host + 1;
		}
		bool dead = member_state(port, host, NULL) == LG_MEMBER_DEAD && adopt_owns(port, host);
		if (!dead || !k->dead_since_ns[host])
			k->dead_since_ns[host] = dead ? now : 0;
		else if (patience && now - k->dead_since_ns[host] >= patience && is_first_live(k)) {
			k->dead_since_ns[host] = now; /* if it fails, it is tried again after as long */
			return host + 1;
		}
	}
	return 0;
}

static void adopt(struct keeper *k, unsigned dead)
{
	struct lg_error why = {0};
	int code = adopt_partitions(k->w, dead, &k->stopping, &why);
	pthread_mutex_lock(&k->lock);
	k->adopt_code = code;
	k->adopt_why = why;
	k->adopt = 0;
	if (code == LG_OK)
		k->wanted++; /* a checkpoint with the new rows in it: adopt.h, 8 */
	pthread_cond_broadcast(&k->answered);
	pthread_mutex_unlock(&k->lock);
}

/* ---- The thread ---- */

static void checkpoint(struct keeper *k, uint64_t request)
{
	struct lg_error why = {0};
	int code = make_checkpoint(k, &why);
	(void)setpriority(PRIO_PROCESS, 0, 0); /* an adoption is waited for; where this is not allowed, it is slower */
	if (code == LG_OK)
		adopt_clean(k->w);
	pthread_mutex_lock(&k->lock);
	k->made = request;
	k->code = code;
	k->why = why;
	pthread_cond_broadcast(&k->answered);
	pthread_mutex_unlock(&k->lock);
}

/* Waits for something to do: until the time of the next look, or until somebody asks. */
static void wait_a_little(struct keeper *k)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += LOOK_MS * 1000000L;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&k->asked, &k->lock, &end);
}

static void *keeper_main(void *argument)
{
	struct keeper *k = argument;
	while (!atomic_load_explicit(&k->stopping, memory_order_acquire)) {
		/* A disk that is slow to sync is no sign of death. */
		if (atomic_load_explicit(&k->host->stream->blocked, memory_order_relaxed) &&
		        host_is_member(k->host, &k->w->port))
			member_beat(&k->w->port, k->host->id);
		unsigned dead = host_fenced(k->host) ? 0 : look_for_dead(k);
		pthread_mutex_lock(&k->lock);
		if (!dead && !k->adopt && k->wanted <= k->made && !is_due(k))
			wait_a_little(k);
		dead = k->adopt ? k->adopt : dead;
		uint64_t request = k->wanted;
		bool due = request > k->made || is_due(k);
		pthread_mutex_unlock(&k->lock);
		if (atomic_load_explicit(&k->stopping, memory_order_acquire))
			break;
		if (dead)
			adopt(k, dead - 1);
		else if (due)
			checkpoint(k, request);
	}
	pthread_mutex_lock(&k->lock);
	k->made = UINT64_MAX;
	k->code = error_set(&k->why, LG_UNAVAILABLE, "the host is closing");
	k->adopt = 0;
	k->adopt_code = error_set(&k->adopt_why, LG_UNAVAILABLE, "the host is closing");
	pthread_cond_broadcast(&k->answered);
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

static void keeper_free(struct keeper *k)
{
	if (k->w)
		worker_slot_close(k->w);
	pthread_cond_destroy(&k->answered);
	pthread_cond_destroy(&k->asked);
	pthread_mutex_destroy(&k->lock);
	free(k->buffer);
	free(k);
}

int recovery_keep(struct lg_host *host, struct lg_error *err)
{
	if (!host->stream)
		return LG_OK;
	struct keeper *k = calloc(1, sizeof *k);
	void *buffer = malloc(FRAME_BUFFER_BYTES);
	if (!k || !buffer) {
		free(k);
		free(buffer);
		return error_set(err, LG_NOSPACE, "no private memory for checkpoints");
	}
	k->host = host;
	k->buffer = buffer;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&k->asked, &monotonic);
	pthread_cond_init(&k->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int code = worker_slot_open(host, KEEPER_SLOT, WORKER_SLOTS, &k->w, err);
	int failed = code == LG_OK ? pthread_create(&k->thread, NULL, keeper_main, k) : 0;
	if (failed)
		code = error_set(err, LG_SYSTEM, "cannot start the thread for checkpoints: %s", strerror(failed));
	if (code == LG_OK)
		host->keeper = k;
	else
		keeper_free(k);
	return code;
}

void recovery_keep_no_more(struct lg_host *host)
{
	struct keeper *k = host->keeper;
	if (!k)
		return;
	/* [keeper.stop] Release; pairs with the acquire in keeper_main(), nap() and give_up(). */
	atomic_store_explicit(&k->stopping, true, memory_order_release);
	pthread_mutex_lock(&k->lock);
	pthread_cond_signal(&k->asked);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	host->keeper = NULL;
	keeper_free(k);
}

int lg_checkpoint(struct lg_host *host, struct lg_error *err)
{
	if (host_forked(host))
		return error_set(err, LG_FORKED, "the host was opened before fork()");
	struct keeper *k = host->keeper;
	if (!k)
		return error_set(
		        err, LG_INVALID, "this pod has no data directory: there is nowhere to put a checkpoint");
	pthread_mutex_lock(&k->lock);
	uint64_t mine = ++k->wanted;
	pthread_cond_signal(&k->asked);
	while (k->made < mine)
		pthread_cond_wait(&k->answered, &k->lock);
	int code = k->code;
	if (code != LG_OK)
		error_set(err, code, "%s", k->why.message);
	pthread_mutex_unlock(&k->lock);
	return code;
}

int lg_adopt(struct lg_host *host, uint32_t dead, struct lg_error *err)
{
	if (host_forked(host))
		return error_set(err, LG_FORKED, "the host was opened before fork()");
	struct keeper *k = host->keeper;
	if (!k)
		return error_set(err, LG_INVALID,
		        "this pod has no data directory: there is nothing to rebuild another host's rows from");
	if (dead >= host->geometry->host_count)
		return error_set(err, LG_INVALID, "host id %u is out of range: this pod has hosts 0..%u", dead,
		        host->geometry->host_count - 1);
	pthread_mutex_lock(&k->lock);
	while (k->adopt && k->made != UINT64_MAX)
		pthread_cond_wait(&k->answered, &k->lock); /* somebody else's */
	if (k->made != UINT64_MAX) {
		k->adopt = dead + 1;
		pthread_cond_signal(&k->asked);
		while (k->adopt == dead + 1)
			pthread_cond_wait(&k->answered, &k->lock);
	}
	int code = k->adopt_code;
	if (code != LG_OK)
		error_set(err, code, "%s", k->adopt_why.message);
	pthread_mutex_unlock(&k->lock);
	return code;
}
