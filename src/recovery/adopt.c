/* adopt.c: see adopt.h. */
#include "recovery/adopt.h"

#include <time.h>

#include "cxl/crash_point.h"
#include "engine/table.h"
#include "recovery/checkpoint_dir.h"
#include "recovery/coverage.h"
#include "recovery/rebuild.h"
#include "recovery/return.h"
#include "recovery/stream.h"

enum { LOGS_TIMEOUT_MS = 30000 };

bool adopt_owns(const struct cxl_port *port, unsigned host)
{
	for (uint32_t p = 0; p < port->geometry->partition_count; p++)
		if (partition_owner(port, p) == host)
			return true;
	return false;
}

/* NULL: it must be carried through. */
static int give_up(const _Atomic bool *stopping, struct lg_error *err)
{
	/* [keeper.stop] Acquire; pairs with recovery_keep_no_more(). */
	if (!stopping || !atomic_load_explicit(stopping, memory_order_acquire))
		return LG_OK;
	return error_set(err, LG_UNAVAILABLE, "the partitions were not adopted: the host is closing");
}

/* Until all logs have everything of this epoch. */
static int await_epoch(struct lg_worker *w, uint64_t epoch, const _Atomic bool *stopping, struct lg_error *err)
{
	stream_want(w->host, epoch);
	for (uint64_t began = clock_ns(); lg_durable_epoch(w->host) < epoch;) {
		if (clock_ns() - began > LOGS_TIMEOUT_MS * UINT64_C(1000000))
			return error_set(err, LG_UNAVAILABLE,
			        "a host has not written its log for %d s; look whether its disk is full or broken, or "
			        "end it",
			        LOGS_TIMEOUT_MS / 1000);
		int code = give_up(stopping, err);
		if (code != LG_OK)
			return code;
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	return LG_OK;
}

static void add_trees(const struct rebuilt *rebuilt, struct lg_table *table)
{
	for (uint32_t p = 0; rebuilt->trees[table->def.id] && p < table->def.partitions; p++)
		if (rebuilt->trees[table->def.id][p]) {
			table_add_tree(table, p, rebuilt->trees[table->def.id][p]);
			rebuilt->trees[table->def.id][p] = NULL;
		}
}

/* Under admin, so that no table is opened by the map that is just changing. */
static int take_over(struct lg_worker *w, struct rebuilt *rebuilt)
{
	struct lg_host *host = w->host;
	int code = LG_OK;
	pthread_mutex_lock(&host->admin);
	/* Tables that were opened after the rebuild began have no rows there: nobody could add one. All trees are made before
	 * the first is seen: a partition has a tree here only if it is going to be this host's. */
	for (unsigned id = 0; id < LG_MAX_TABLES && code == LG_OK; id++) {
		const struct lg_table *table = atomic_load_explicit(&host->tables[id], memory_order_acquire);
		if (table && !rebuilt->trees[id])
			code = rebuilt_make_trees(w, rebuilt, table, NULL);
	}
	for (unsigned id = 0; id < LG_MAX_TABLES && code == LG_OK; id++) {
		struct lg_table *table = atomic_load_explicit(&host->tables[id], memory_order_acquire);
		if (table)
			add_trees(rebuilt, table);
	}
	for (uint32_t p = 0; p < host->geometry->partition_count && code == LG_OK; p++)
		if (partition_owner(&w->port, p) == rebuilt->owner) {
			partition_place(&w->port, p, w->host_id);
			CRASH_POINT(MID_ADOPTION);
		}
	pthread_mutex_unlock(&host->admin);
	return code;
}

static int rebuild_and_take_over(struct lg_worker *w, unsigned dead, const _Atomic bool *stopping, struct lg_error *err)
{
	struct cxl_port *port = &w->port;
	struct rebuilt rebuilt = {.owner = dead};
	int code = rebuild_rows(w, &rebuilt, err);
	if (code == LG_OK)
		code = give_up(stopping, err);
	if (code == LG_OK) {
		uint64_t mine = member_log_word(port, w->host_id, MEMBER_CHECKPOINT_EPOCH);
		if (rebuilt.first_epoch < mine)
			member_set_log_word(port, w->host_id, MEMBER_CHECKPOINT_EPOCH, rebuilt.first_epoch);
		code = take_over(w, &rebuilt);
		if (code != LG_OK)
			error_set(err, code, "no private memory for the trees of host %u's partitions", dead);
	}
	rebuilt_free(w, &rebuilt);
	return code;
}

/* So that a restart of the pod finds the new map behind every old one. A host that is closing does this all the same: the map
 * has changed already. */
static int log_map(struct lg_worker *w, struct lg_error *err)
{
	int code = LG_OK;
	for (unsigned i = 0; i < 2 && code == LG_OK; i++) {
		atomic_store_explicit(&w->host->stream->owners_changed, true, memory_order_release);
		code = await_epoch(w, epoch_load(&w->port), NULL, err);
	}
	return code;
}

int adopt_partitions(struct lg_worker *w, unsigned dead, const _Atomic bool *stopping, struct lg_error *err)
{
	struct cxl_port *port = &w->port;
	if (dead >= w->host->geometry->host_count || dead == w->host_id || !adopt_owns(port, dead))
		return error_set(
		        err, LG_INVALID, "host %u has no partitions that host %u could adopt", dead, w->host_id);
	uint64_t claim, seen = member_state_word(port, dead);
	if (member_state(port, dead, NULL) != LG_MEMBER_DEAD && member_state(port, dead, NULL) != LG_MEMBER_LEFT)
		return error_set(err, LG_INVALID,
		        "host %u is a member of the pod, or was never there: only partitions of a host that died or "
		        "left are "
		        "adopted",
		        dead);
	/* [adopt.claim] Relaxed: before the claim, which releases it, and for recovery_abandoned() acquires it. */
	atomic_store_explicit(&w->host->adopting, dead + 1, memory_order_relaxed);
	if (!member_claim_gone(port, dead, seen, w->host_id, &claim)) {
		atomic_store_explicit(&w->host->adopting, 0, memory_order_relaxed); /* relaxed: nothing was claimed */
		return error_set(err, LG_INUSE, "host %u is coming back, or another host adopts its partitions", dead);
	}
	CRASH_POINT(ADOPTION_CLAIMED);
	int code = retire_leftovers(w, dead, err);
	if (code == LG_OK)
		code = await_epoch(w, epoch_load(port), stopping, err);
	if (code == LG_OK)
		code = rebuild_and_take_over(w, dead, stopping, err);
	CRASH_POINT(ADOPTED);
	if (code == LG_OK)
		code = log_map(w, err);
	member_recovered(port, dead, claim);
	/* [adopt.claim] Release; pairs with recovery_abandoned(): who sees this finds that the claim is over. */
	atomic_store_explicit(&w->host->adopting, 0, memory_order_release);
	return code;
}

static void remove_checkpoint(struct log_io *io, const char *directory, unsigned host)
{
	char path[LOG_PATH_BYTES], file[LOG_PATH_BYTES];
	uint64_t sequence;
	if (log_dir_name(directory, host, path, sizeof path, NULL) != LG_OK)
		return;
	while (checkpoint_find(io, path, UINT64_MAX, &sequence, NULL) == LG_OK && sequence) {
		checkpoint_path(path, sequence, file);
		if (io->ops->remove(io, file) < 0)
			return; /* it is tried again with the next checkpoint */
	}
}

bool adopt_is_needed(const struct lg_worker *w, unsigned host)
{
	struct coverage coverage;
	int code = coverage_read(w->host->stream->directory, host, w->host->geometry->cookie, &coverage, NULL);
	if (code != LG_OK)
		return code != LG_NOTFOUND; /* one that cannot be read is left to people */
	/* An adopter's is lowered to this before the map changes, and raised by its next checkpoint only. */
	for (uint32_t p = 0; p < w->host->geometry->partition_count; p++) {
		unsigned owner = partition_owner(&w->port, p);
		if (coverage_has(&coverage, p) && owner != host &&
		        member_log_word(&w->port, owner, MEMBER_CHECKPOINT_EPOCH) <= coverage.first_epoch)
			return true;
	}
	return false;
}

void adopt_clean(struct lg_worker *w)
{
	struct log_io *io;
	if (log_io_open(LOG_IO_PWRITE, &io, NULL) != LG_OK)
		return;
	for (unsigned host = 0; host < w->host->geometry->host_count; host++) {
		enum lg_member_state state = member_state(&w->port, host, NULL);
		if (host != w->host_id && (state == LG_MEMBER_DEAD || state == LG_MEMBER_LEFT) &&
		        !adopt_owns(&w->port, host) && !adopt_is_needed(w, host))
			remove_checkpoint(io, w->host->stream->directory, host);
	}
	log_io_close(io);
}
