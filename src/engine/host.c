/* host.c: joining and leaving a pod, worker slots, and the sums of the counters. */
#include "engine/host.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/mover.h"
#include "engine/service.h"

enum { LEAVE_TIMEOUT_NS = 1000000000, LEAST_LEASE_MS = 10 };

void lg_host_config_init(struct lg_host_config *config)
{
	*config = (struct lg_host_config){.max_workers = 16,
	        .request_timeout_ms = 1000,
	        .lease_ms = 100,
	        .recover = true,
	        .log_segment_bytes = 64 << 20,
	        .checkpoint_mb_per_s = 100,
	        .checkpoint_log_bytes = UINT64_C(1) << 30};
}

uint64_t host_oldest(struct lg_host *host, const struct cxl_port *port)
{
	/* The global epoch first: a worker that is idle below may begin at once, but in no earlier epoch's world. */
	uint64_t oldest = epoch_load(port);
	full_fence();
	for (unsigned i = 0; i < WORKER_SLOTS; i++) {
		/* Acquire; pairs with the release in worker_slot_open() and with worker_leave(). [running.enter] */
		struct lg_worker *w = atomic_load_explicit(&host->workers[i], memory_order_acquire);
		uint64_t running = w ? atomic_load_explicit(&w->running, memory_order_acquire) : WORKER_IDLE;
		if (running < oldest)
			oldest = running;
	}
	return oldest;
}

bool host_is_member(struct lg_host *host, const struct cxl_port *port)
{
	uint64_t incarnation;
	enum lg_member_state state = member_state(port, host->id, &incarnation);
	if (likely(incarnation == host->incarnation &&
	            (state == LG_MEMBER_LIVE || state == LG_MEMBER_LEAVING || state == LG_MEMBER_JOINING)))
		return true;
	atomic_store_explicit(&host->fenced, true, memory_order_relaxed);
	return false;
}

void worker_epoch_work(struct lg_worker *w, uint64_t epoch)
{
	if (!host_is_member(w->host, &w->port))
		return;
	uint64_t oldest = host_oldest(w->host, &w->port);
	member_publish_oldest(&w->port, w->host_id, oldest);
	w->counts.epoch_publishes++;
	heap_reclaim(&w->local, oldest);
	w->seen_epoch = epoch;
}

int worker_slot_open(
        struct lg_host *host, unsigned first, unsigned end, struct lg_worker **worker, struct lg_error *err)
{
	int code = error_set(err, LG_LIMIT, "%u workers are open already; raise max_workers (at most %d)%s",
	        end - first, LG_MAX_WORKERS, host->geometry->redo_workers ? ", and the pod's redo_workers" : "");
	pthread_mutex_lock(&host->admin);
	for (unsigned slot = first; slot < end; slot++) {
		struct lg_worker *w = atomic_load_explicit(&host->workers[slot], memory_order_relaxed);
		if (w && atomic_load_explicit(&w->open, memory_order_relaxed))
			continue;
		if (!w && (w = aligned_alloc(64, (sizeof *w + 63) & ~(size_t)63))) {
			memset(w, 0, sizeof *w);
			atomic_store_explicit(&w->running, WORKER_IDLE, memory_order_relaxed);
			atomic_store_explicit(&w->sealing, WORKER_IDLE, memory_order_relaxed);
		}
		if (!w || !heap_local_open(&w->local, host->heap)) {
			if (!atomic_load_explicit(&host->workers[slot], memory_order_relaxed))
				free(w);
			code = error_set(err, LG_NOSPACE, "no private memory for a worker");
			break;
		}
		w->host = host;
		w->slot = slot;
		w->host_id = host->id;
		w->random = host->geometry->cookie ^ (host->id * 64 + slot + 1) * UINT64_C(0x9e3779b97f4a7c15);
		port_init(&w->port, host->region.base, host->geometry);
		port_emulate(&w->port, host->emulation.pod);
		atomic_store_explicit(&w->open, true, memory_order_release);
		/* Release; pairs with the acquires in host_oldest() and deliver(). */
		atomic_store_explicit(&host->workers[slot], w, memory_order_release);
		*worker = w;
		code = LG_OK;
		break;
	}
	pthread_mutex_unlock(&host->admin);
	return code;
}

/* Reads counters that their worker is adding to: 8-byte words, of which only sums for people are made. ThreadSanitizer is told so
 * here and nowhere else; the counters themselves are never read to decide anything. */
__attribute__((no_sanitize("thread"))) static void add_counts(struct lg_stats *stats, const struct lg_worker *w)
{
	const struct worker_counts *c = &w->counts;
	stats->commits += c->commits;
	stats->read_only_commits += c->read_only_commits;
	for (unsigned i = 0; i < LG_ABORT_REASON_COUNT; i++)
		stats->aborts[i] += c->aborts[i];
	stats->priorities += c->priorities;
	stats->queued += c->queued;
	stats->let_in += c->let_in;
	stats->requests_sent += c->requests_sent;
	stats->requests_served += c->requests_served;
	stats->moved_in += c->moved_in;
	stats->moved_out += c->moved_out;
	stats->directory_hits += c->directory_hits;
	stats->directory_misses += c->directory_misses;
	stats->remote_reads += c->remote_reads;
	stats->epoch_publishes += c->epoch_publishes;
	stats->recoveries += c->recoveries;
	stats->rows_redone += c->redone;
	stats->words_freed += c->freed_words;
	stats->redo_bytes += c->sealed_bytes;
	stats->ring_waits += c->ring_waits;
	stats->word_writes += w->port.counts.word_writes;
	stats->line_reads += w->port.counts.line_reads;
	stats->line_writes += w->port.counts.line_writes;
	stats->line_flushes += w->port.counts.line_flushes;
	stats->fences += w->port.counts.fences;
}

void worker_slot_close(struct lg_worker *w)
{
	struct lg_host *host = w->host;
	pthread_mutex_lock(&host->admin);
	heap_local_close(&w->local);
	add_counts(&host->closed, w);
	w->counts = (struct worker_counts){0};
	w->port.counts = (struct port_counts){0};
	atomic_store_explicit(&w->open, false, memory_order_release);
	pthread_mutex_unlock(&host->admin);
}

void lg_worker_stats(const struct lg_worker *worker, struct lg_stats *stats)
{
	*stats = (struct lg_stats){0};
	add_counts(stats, worker);
}

void lg_host_stats(const struct lg_host *host, struct lg_stats *stats)
{
	*stats = (struct lg_stats){0};
	if (host_forked(host))
		return;
	struct lg_host *mutable_host = (struct lg_host *)(uintptr_t)host; /* for its locks only */
	pthread_mutex_lock(&mutable_host->admin);
	*stats = host->closed;
	for (unsigned i = 0; i < WORKER_SLOTS; i++) {
		const struct lg_worker *w = atomic_load_explicit(&host->workers[i], memory_order_acquire);
		if (w && atomic_load_explicit(&w->open, memory_order_relaxed))
			add_counts(stats, w);
	}
	pthread_mutex_unlock(&mutable_host->admin);
	spin_take(&mutable_host->mover_lock);
	mover_usage(host, stats);
	spin_drop(&mutable_host->mover_lock);
	recovery_stats(host, stats);
}

static int check_config(const struct lg_host_config *config, const struct pod_geometry *geometry, struct lg_error *err)
{
	if (config->host_id >= geometry->host_count)
		return error_set(err, LG_INVALID, "host id %u is out of range: this pod has hosts 0..%u",
		        config->host_id, geometry->host_count - 1);
	if (config->max_workers < 1)
		return error_set(err, LG_INVALID, "max_workers is 0; it must be 1..%d", LG_MAX_WORKERS);
	if (config->max_workers > LG_MAX_WORKERS)
		return error_set(
		        err, LG_LIMIT, "max_workers is %u; it must be 1..%d", config->max_workers, LG_MAX_WORKERS);
	if (config->request_timeout_ms < 1)
		return error_set(err, LG_INVALID, "request_timeout_ms is 0; it must be at least 1");
	if (config->lease_ms < LEAST_LEASE_MS)
		return error_set(
		        err, LG_INVALID, "lease_ms is %u; it must be at least %d", config->lease_ms, LEAST_LEASE_MS);
	return LG_OK;
}

/* Everything private; the pod has not heard of this host yet. */
static int prepare(struct lg_host *host, struct lg_error *err)
{
	const struct lg_host_config *config = &host->config;
	void *guard =
	        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* lint: private memory */
	if (guard == MAP_FAILED)
		return error_set(err, LG_SYSTEM, "cannot map a page: %m");
	if (madvise(guard, 4096, MADV_WIPEONFORK) != 0) {
		munmap(guard, 4096);
		return error_set(err, LG_SYSTEM, "madvise(MADV_WIPEONFORK): %m (Linux 4.14 or later is needed)");
	}
	atomic_store((_Atomic uint32_t *)guard, 1);
	host->fork_guard = guard;
	host->heap = heap_create(config->dram_bytes);
	if (!host->heap || space_init(&host->space, host->geometry) != LG_OK)
		return error_set(err, LG_NOSPACE, "no private memory for the host's tables");
	return LG_OK;
}

static void release(struct lg_host *host)
{
	for (unsigned i = 0; i < WORKER_SLOTS; i++) {
		struct lg_worker *w = atomic_load_explicit(&host->workers[i], memory_order_relaxed);
		free(w ? atomic_load_explicit(&w->ring, memory_order_relaxed) : NULL);
		free(w);
	}
	if (host->fork_guard)
		munmap((void *)(uintptr_t)host->fork_guard, 4096);
	space_free(&host->space);
	if (host->heap)
		heap_destroy(host->heap);
	emulation_end(&host->emulation, &host->region);
	if (host->region.base)
		region_detach(&host->region);
	pthread_mutex_destroy(&host->admin);
	gate_destroy(&host->gate);
	free(host);
}

/* As a member that is not live yet. */
static int go_live(struct lg_host *host, struct lg_worker *service, struct lg_error *err)
{
	member_publish_oldest(&service->port, host->id, epoch_load(&service->port));
	recovery_of_gone(service);
	int code = recovery_return(service, err);
	if (code != LG_OK)
		return code;
	gate_share(service);
	member_set_state(&service->port, host->id, LG_MEMBER_LIVE);
	code = service_start(service, err);
	if (code == LG_OK && (code = recovery_keep(host, err)) != LG_OK)
		service_stop(service);
	return code;
}

/* Nobody looks at them any more, the log neither. */
static void close_tables(struct lg_host *host, struct lg_worker *service)
{
	for (unsigned i = 0; i < LG_MAX_TABLES; i++) {
		struct lg_table *table = atomic_load_explicit(&host->tables[i], memory_order_acquire);
		if (table)
			table_close(table, &service->local);
	}
}

static int join(struct lg_host *host, struct lg_error *err)
{
	struct lg_worker *service = NULL;
	int code = worker_slot_open(host, SERVICE_SLOT, SERVICE_SLOT + 1, &service, err);
	if (code != LG_OK)
		return code;
	assert(service);
	code = recovery_open(service, err);
	if (code != LG_OK) {
		worker_slot_close(service);
		return code;
	}
	recovery_of_own_id(service);
	code = member_join(&service->port, host->id, emu_pod_identity(host->emulation.pod), &host->incarnation, err);
	if (code == LG_OK) {
		/* What an earlier incarnation left in this host's root stays until the first directory is published over it. */
		host->usage_counter = host->incarnation << 32;
		code = go_live(host, service, err);
		if (code != LG_OK)
			recovery_not_returned(service);
	}
	if (code != LG_OK) {
		recovery_close(host);
		close_tables(host, service); /* what was rebuilt */
		worker_slot_close(service);
	}
	return code;
}

int lg_host_open(const char *uri, const struct lg_host_config *config, struct lg_host **out, struct lg_error *err)
{
	*out = NULL;
	struct lg_host *host = aligned_alloc(64, (sizeof *host + 63) & ~(size_t)63);
	if (!host)
		return error_set(err, LG_NOSPACE, "no private memory for a host");
	memset(host, 0, sizeof *host);
	if (config)
		host->config = *config;
	else
		lg_host_config_init(&host->config);
	host->id = host->config.host_id;
	pthread_mutex_init(&host->admin, NULL);
	gate_init(&host->gate, host->config.max_running);
	int code = recovery_attach(host, uri, err);
	host->geometry = &host->region.geometry;
	if (code == LG_OK)
		code = check_config(&host->config, host->geometry, err);
	if (code == LG_OK)
		code = emulation_begin(
		        &host->emulation, &host->region, emulation_mode(host->config.emulate), host->id, err);
	host->config.emulate = NULL; /* the caller's text */
	if (code == LG_OK)
		code = prepare(host, err);
	if (code == LG_OK)
		code = join(host, err);
	host->config.data = NULL; /* the caller's text; recovery_open() has copied it */
	if (code != LG_OK)
		release(host);
	else
		*out = host;
	return code;
}

/* A port for the calls that may come from any thread: counts are thrown away. */
static struct cxl_port passing_port(const struct lg_host *host)
{
	struct cxl_port port;
	port_init(&port, host->region.base, host->geometry);
	port_emulate(&port, host->emulation.pod);
	return port;
}

int lg_host_close(struct lg_host *host)
{
	if (host_forked(host))
		return LG_FORKED;
	for (unsigned i = 0; i < SERVICE_SLOT; i++) {
		const struct lg_worker *w = atomic_load_explicit(&host->workers[i], memory_order_acquire);
		if (w && atomic_load_explicit(&w->open, memory_order_acquire))
			return LG_INVALID;
	}
	struct lg_worker *service = atomic_load_explicit(&host->workers[SERVICE_SLOT], memory_order_acquire);
	struct cxl_port passing = passing_port(host),
	                *port = &passing; /* the service's own port is in use until it stops */
	/* Leaving: others stop asking; then what they could still find is retired; then the id is free. */
	bool member = member_set_state(port, host->id, LG_MEMBER_LEAVING);
	recovery_keep_no_more(host);
	service_stop(service);
	worker_enter(service);
	if (member)
		mover_close(service, LEAVE_TIMEOUT_NS);
	worker_leave(service);
	int code = LG_OK;
	if (member) {
		code = recovery_leave(service);
		if (code == LG_OK)
			member_set_state(port, host->id, LG_MEMBER_LEFT);
	}
	close_tables(host, service);
	recovery_close(host);
	if (code != LG_OK)
		recovery_give_up(service);
	worker_slot_close(service);
	release(host);
	return code;
}

const char *lg_host_emulation(const struct lg_host *host)
{
	return host->emulation.pod ? emu_pod_name(host->emulation.pod) : "direct";
}

uint32_t lg_host_id(const struct lg_host *host)
{
	return host->id;
}

uint32_t lg_host_count(const struct lg_host *host)
{
	return host->geometry->host_count;
}

enum lg_durability lg_host_durability(const struct lg_host *host)
{
	return (enum lg_durability)host->geometry->durability;
}

uint64_t lg_pod_cookie(const struct lg_host *host)
{
	return host->geometry->cookie;
}

uint64_t lg_epoch(const struct lg_host *host)
{
	struct cxl_port port = passing_port(host);
	return epoch_load(&port);
}

uint32_t lg_partition_owner(const struct lg_host *host, uint32_t partition)
{
	struct cxl_port port = passing_port(host);
	return partition < host->geometry->partition_count ? partition_owner(&port, partition) : UINT32_MAX;
}

int lg_partition_place(struct lg_host *host, uint32_t partition, uint32_t host_id, struct lg_error *err)
{
	if (host_forked(host))
		return error_set(err, LG_FORKED, "the host was opened before fork()");
	struct cxl_port port = passing_port(host);
	if (partition >= host->geometry->partition_count)
		return error_set(err, LG_INVALID, "partition %u is out of range: this pod has partitions 0..%u",
		        partition, host->geometry->partition_count - 1);
	if (host_id >= host->geometry->host_count)
		return error_set(err, LG_INVALID, "host id %u is out of range: this pod has hosts 0..%u", host_id,
		        host->geometry->host_count - 1);
	if (catalog_count(&port) > 0)
		return error_set(err, LG_INVALID, "partitions cannot be placed once the pod has tables");
	partition_place(&port, partition, host_id);
	return LG_OK;
}

int lg_table_create(struct lg_host *host, const struct lg_table_def *def, struct lg_table **table, struct lg_error *err)
{
	*table = NULL;
	if (host_forked(host))
		return error_set(err, LG_FORKED, "the host was opened before fork()");
	struct cxl_port port = passing_port(host);
	uint32_t id;
	int code = catalog_check_def(&port, def, err);
	if (code == LG_OK)
		code = catalog_add(&port, host->id, def, &id, err);
	return code == LG_OK ? table_of_id(host, &port, id, table, err) : code;
}

int lg_table_open(struct lg_host *host, const char *name, struct lg_table **table, struct lg_error *err)
{
	*table = NULL;
	if (host_forked(host))
		return error_set(err, LG_FORKED, "the host was opened before fork()");
	struct cxl_port port = passing_port(host);
	uint32_t id;
	int code = catalog_find(&port, name, &id, err);
	return code == LG_OK ? table_of_id(host, &port, id, table, err) : code;
}

uint32_t lg_table_partition(const struct lg_table *table, struct lg_slice key)
{
	return table_partition_of(table, key);
}

int lg_table_seal(struct lg_table *table)
{
	if (host_forked(table->host))
		return LG_FORKED;
	if (table->def.by != LG_REPLICATED)
		return LG_INVALID;
	atomic_store_explicit(&table->sealed, true, memory_order_release);
	return LG_OK;
}
