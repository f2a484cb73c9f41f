/* return.c: a host joins under an id whose last holder did not leave in order, and finds words and extents that are still its own.
 *
 * Others may remember rows there: by directory slots, by what their transactions have read, by intents that they hold. So
 * each word is retired as in a move-out: locked by CAS when nobody holds it, then retired and written back. After that no
 * row of the earlier life can be read or validated, and blocks and extents go back to the pod with a floor above all
 * versions that they ever carried; they are claimed anew only when no transaction of this epoch runs any more (extent.h).
 *
 * Crash: the words that are not retired yet are still this id's; whoever joins under it next goes on.
 *
 * The rows themselves are gone: what LG_DURABILITY_NONE says. In a pod that seals commits those of a host that died were
 * promised to survive, and are kept as they are, for a version that can rebuild them from logs: its id is refused. Who has left gave
 * his rows up; what he could not retire is retired here.
 */
#include "cxl/extent.h"
#include "engine/service.h"

enum { HELD_TIMEOUT_MS = 10000 };

static bool has_leftovers(const struct lg_worker *w)
{
	return claim_count_owned(&w->port, CLAIM_WORDS, w->host_id) ||
	       claim_count_owned(&w->port, CLAIM_EXTENT, w->host_id);
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

static void give_all(struct lg_worker *w, enum claim_kind kind, uint64_t count, uint64_t floor)
{
	for (uint64_t i = 0; i < count; i++)
		if (claim_owner(&w->port, kind, i) == w->host_id)
			claim_give(&w->port, kind, i, floor);
}

int recovery_return(struct lg_worker *service, struct lg_error *err)
{
	const struct pod_geometry *geometry = service->host->geometry;
	struct cxl_port *port = &service->port;
	if (!has_leftovers(service))
		return LG_OK;
	if (port->seals && service->host->after_death)
		return error_set(err, LG_UNAVAILABLE,
		        "host %u died with rows of its own, which this pod has promised to keep; this version cannot "
		        "rebuild them: go on without it, or destroy the pod and create it anew",
		        service->host_id);
	for (uint64_t block = 0; block < geometry->block_count; block++)
		if (claim_owner(port, CLAIM_WORDS, block) == service->host_id && !retire_block(service, block))
			return error_set(err, LG_UNAVAILABLE,
			        "host %u cannot return: another host has held a row of its earlier life for more than "
			        "%d s; try again",
			        service->host_id, HELD_TIMEOUT_MS / 1000);
	/* No version of anything in them is of a later epoch than this one: who makes a version ticks the epoch there. */
	uint64_t floor = version_first_of(epoch_load(port) + 1) - 1;
	give_all(service, CLAIM_WORDS, geometry->block_count, floor);
	give_all(service, CLAIM_EXTENT, geometry->extent_count, floor);
	return LG_OK;
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
	/* As a dead one it may try again, and is known to have something. */
	if (has_leftovers(service) && host_is_joining(service) &&
	        member_claim(port, id, member_state_word(port, id), id, &claim))
		member_recovered(port, id, claim);
	else
		member_set_state(port, id, LG_MEMBER_LEFT);
}
