/* return.c: a host joins under an id that was used before.
 *
 * Its last holder may not have left in order: then words and extents are still its own, and others may remember rows there:
 * by directory slots, by what their transactions have read, by intents that they hold. So each word is retired as in a
 * move-out: locked by CAS when nobody holds it, then retired and written back. After that no row of the earlier life can
 * be read or validated, and blocks and extents go back to the pod with a floor above all versions that they ever carried;
 * they are claimed anew only when no transaction of this epoch runs any more (extent.h).
 *
 * In a pod that is logged the rows are rebuilt then. Whoever changed one of them has sealed that before its word could be
 * retired, so all changes are of the epoch that is read after the last retirement, or older; when every host has that epoch
 * on disk (stream.h), the logs have them all.
 *
 * Without logs the rows are gone, which is what LG_DURABILITY_NONE says. At LG_DURABILITY_CXL those of a host that died
 * were promised to survive, and cannot be rebuilt: they are kept as they are, and the id is refused. Who has left gave
 * his rows up; what he could not retire is retired here.
 *
 * Crash: the words that are not retired yet are still this id's; whoever joins under it next goes on.
 */
#include <time.h>

#include "cxl/catalog.h"
#include "cxl/crash_point.h"
#include "cxl/extent.h"
#include "engine/service.h"
#include "recovery/adopt.h"
#include "recovery/rebuild.h"
#include "recovery/return.h"
#include "recovery/stream.h"

enum { HELD_TIMEOUT_MS = 10000, LOGS_TIMEOUT_MS = 30000 };

static bool has_leftovers(const struct lg_worker *w, unsigned owner)
{
	return claim_count_owned(&w->port, CLAIM_WORDS, owner) || claim_count_owned(&w->port, CLAIM_EXTENT, owner);
}

/* False: another host has held it for too long. */
static bool retire(struct lg_worker *w, word_idx index)
{
	word_ref ref = word_ref_shared(index);
	uint64_t began = clock_ns();
	for (unsigned turns = 1;; turns++) {
		uint64_t word = word_load(&w->port, ref);
		if (word & WORD_AWAY)
			return true;
		if (!(word & (WORD_LOCK | WORD_INTENT)) && word_try_lock(&w->port, ref, word, w->host_id)) {
			word_retire(&w->port, index, word & WORD_VERSION);
			return true;
		}
		if (turns % 1024 == 0 && clock_ns() - began > HELD_TIMEOUT_MS * UINT64_C(1000000))
			return false;
		__builtin_ia32_pause();
	}
}

static bool retire_block(struct lg_worker *w, uint64_t block)
{
	word_idx first = block_first_word(w->host->geometry, block);
	for (word_idx i = 0; i < WORDS_PER_BLOCK; i++)
		if (!retire(w, first + i))
			return false;
	return true;
}

static void give_all(struct lg_worker *w, unsigned owner, enum claim_kind kind, uint64_t count, uint64_t floor)
{
	for (uint64_t i = 0; i < count; i++)
		if (claim_owner(&w->port, kind, i) == owner)
			claim_give(&w->port, kind, i, floor);
}

int retire_leftovers(struct lg_worker *w, unsigned owner, struct lg_error *err)
{
	const struct pod_geometry *geometry = w->host->geometry;
	struct cxl_port *port = &w->port;
	if (!has_leftovers(w, owner))
		return LG_OK;
	for (uint64_t block = 0; block < geometry->block_count; block++)
		if (claim_owner(port, CLAIM_WORDS, block) == owner && !retire_block(w, block))
			return error_set(err, LG_UNAVAILABLE,
			        "host %u cannot return, nor be replaced: another host has held a row of its earlier "
			        "life for "
			        "more than %d s; try again",
			        owner, HELD_TIMEOUT_MS / 1000);
	/* No version of anything in them is of a later epoch than this one: who makes a version ticks the epoch there. */
	uint64_t floor = version_first_of(epoch_load(port) + 1) - 1;
	give_all(w, owner, CLAIM_WORDS, geometry->block_count, floor);
	give_all(w, owner, CLAIM_EXTENT, geometry->extent_count, floor);
	return LG_OK;
}

/* Whether rows were promised to survive that cannot be rebuilt. */
static int check_promise(const struct lg_worker *w, struct lg_error *err)
{
	/* Rows that nobody else ever read have left nothing in pod memory: who owned partitions of a table may have had some. */
	bool had_rows = has_leftovers(w, w->host_id) || (adopt_owns(&w->port, w->host_id) && catalog_count(&w->port));
	if (!w->port.seals || !w->host->after_death || w->host->geometry->logged || !had_rows)
		return LG_OK;
	return error_set(err, LG_UNAVAILABLE,
	        "host %u died with rows of its own, which this pod has promised to keep, and it has no logs to rebuild "
	        "them from: go on without it, or destroy the pod and create it anew with a data directory",
	        w->host_id);
}

/* Until all logs have what was sealed by now. */
static int await_logs(struct lg_worker *w, struct lg_error *err)
{
	struct cxl_port *port = &w->port;
	uint64_t epoch = epoch_load(port), began = clock_ns();
	member_set_log_word(port, w->host_id, MEMBER_SEALED_EPOCH, epoch); /* the others complete it */
	while (member_pod_durable(port) < epoch) {
		member_publish_oldest(port, w->host_id, epoch_load(port)); /* it holds no reference to anything */
		recovery_of_gone(w);                                       /* one that has died completes nothing */
		if (clock_ns() - began > LOGS_TIMEOUT_MS * UINT64_C(1000000))
			return error_set(err, LG_UNAVAILABLE,
			        "host %u cannot return: another host has not written its log for %d s; look whether "
			        "its disk is "
			        "full or broken, or end it",
			        w->host_id, LOGS_TIMEOUT_MS / 1000);
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	return LG_OK;
}

static int rebuild_own(struct lg_worker *w, struct lg_error *err)
{
	struct stream *s = w->host->stream;
	struct rebuilt own = {.owner = w->host_id};
	int code = rebuild_rows(w, &own, err);
	atomic_store_explicit(&s->rows_rebuilt, own.rows, memory_order_relaxed); /* relaxed, both: for people */
	atomic_store_explicit(&s->rebuild_bytes, own.bytes, memory_order_relaxed);
	/* This is what the others may recycle from now on, as far as this host goes. */
	if (code == LG_OK)
		member_set_log_word(&w->port, w->host_id, MEMBER_CHECKPOINT_EPOCH, own.first_epoch);
	rebuilt_free(w, &own);
	return code;
}

int recovery_return(struct lg_worker *service, struct lg_error *err)
{
	int code = check_promise(service, err);
	if (code == LG_OK)
		code = retire_leftovers(service, service->host_id, err);
	if (code != LG_OK || !service->host->stream)
		return code;
	code = await_logs(service, err);
	if (code == LG_OK)
		code = rebuild_own(service, err);
	CRASH_POINT(REBUILT);
	return code == LG_OK ? stream_joined(service, err) : code;
}

/* Whether it is still the member that it has become: not declared dead by others meanwhile. */
static bool host_is_joining(const struct lg_worker *service)
{
	uint64_t incarnation;
	enum lg_member_state state = member_state(&service->port, service->host_id, &incarnation);
	return incarnation == service->host->incarnation && (state == LG_MEMBER_JOINING || state == LG_MEMBER_LIVE);
}

void recovery_not_returned(struct lg_worker *service)
{
	struct cxl_port *port = &service->port;
	unsigned id = service->host_id;
	uint64_t claim;
	if (service->host->stream && service->host->stream->counted) {
		/* Its log may say that it has joined: who recovers it says that it died. */
		stream_close(service->host);
		recovery_give_up(service);
		return;
	}
	/* As a dead one it may try again, and is known to have something. */
	if (has_leftovers(service, id) && host_is_joining(service) &&
	        member_claim(port, id, member_state_word(port, id), id, &claim))
		member_recovered(port, id, claim);
	else
		member_set_state(port, id, LG_MEMBER_LEFT);
}
