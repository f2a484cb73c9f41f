/* rules.c: see rules.h.
 *
 *   word of a row or leaf   its version never falls (src/cxl/word.h)
 *                           who takes intent or lock writes its own name into a word that nobody holds
 *                           a held word is changed by its holder alone, but for `used`; by others only once that host is in recovery
 *                           `used` is set by others only on a word that is not locked
 *   owner of a block        changes from nobody to who takes it and back, by himself or who adopts his partitions; its floor never falls (src/cxl/extent.h)
 *   epoch                   grows by one; in a pod that is logged, where a host's log is ahead of it, by more
 *   member                  its incarnation never falls
 *
 * A crash takes words back to what they were (src/emulation/incoherent.c): that is no change that anybody made.
 */
#include "rules.h"

#include <inttypes.h>
#include <string.h>

#include "cxl/word.h"
#include "os.h"
#include "world.h"

enum { MEMBER_INCARNATION_SHIFT = 24, OWNER_HOST_SHIFT = 56 };

static struct sim_result *told;
static struct pod_header header;
static uint64_t checked;
static bool leaps;

void rules_begin(struct sim_result *result, bool logged)
{
	told = result;
	leaps = logged;
	checked = 0;
	rules_lose_region();
}

void rules_lose_region(void)
{
	memset(&header, 0, sizeof header);
}

uint64_t rules_checked(void)
{
	return checked;
}

uint64_t rules_look(uint64_t offset)
{
	uint64_t value;
	memcpy(&value, sim_region() + offset, sizeof value);
	return value;
}

/* Whether the host has been claimed, by a survivor or its own successor: what it held is others' to free. */
static bool in_recovery(unsigned host)
{
	pod_off state = POD_MEMBERS_OFFSET + host * sizeof(struct pod_member) + offsetof(struct pod_member, state);
	return (rules_look(state) & 0xff) == LG_MEMBER_RECOVERING;
}

static void broken(const char *rule, unsigned actor, uint64_t offset, uint64_t before, uint64_t after)
{
	sim_fail(told, rule,
	        "at step %" PRIu64 " host %u made %#" PRIx64 " of %#" PRIx64 " in the word at offset %#" PRIx64,
	        world.step, actor, after, before, offset);
}

static void check_held(unsigned actor, uint64_t offset, uint64_t before, uint64_t after)
{
	unsigned holder = word_holder(before);
	if (holder == actor || in_recovery(holder))
		return;
	bool only_used = ((before ^ after) & ~WORD_USED) == 0;
	if (!only_used || (before & WORD_LOCK))
		broken("one holder", actor, offset, before, after);
}

static void check_word(unsigned actor, uint64_t offset, uint64_t before, uint64_t after)
{
	const uint64_t held = WORD_LOCK | WORD_INTENT;
	if ((after & WORD_VERSION) < (before & WORD_VERSION))
		broken("versions grow", actor, offset, before, after);
	if (before & held)
		check_held(actor, offset, before, after);
	else if ((after & held) && (word_holder(after) != actor || (before & WORD_AWAY)))
		broken("own name", actor, offset, before, after);
}

static void check_owner(unsigned actor, uint64_t offset, uint64_t before, uint64_t after)
{
	const uint64_t host = UINT64_C(0x7f) << OWNER_HOST_SHIFT;
	bool was = before & OWNER_TAKEN, is = after & OWNER_TAKEN;
	uint64_t named = ((was ? before : after) & host) >> OWNER_HOST_SHIFT;
	if ((was && is && (before & host) != (after & host)) ||
	        ((was || is) && named != actor && !(was && in_recovery((unsigned)named))))
		broken("one owner", actor, offset, before, after);
	if ((after & WORD_VERSION) < (before & WORD_VERSION))
		broken("floors grow", actor, offset, before, after);
}

void rules_check(unsigned actor, uint64_t offset, uint64_t before, uint64_t after)
{
	if (!told || !world.began || world.frozen || before == after || offset < POD_CLOCK_OFFSET)
		return;
	if (header.magic != POD_MAGIC)
		memcpy(&header, sim_region(), sizeof header);
	if (header.magic != POD_MAGIC)
		return; /* it is just being made */
	checked++;
	if (offset >= header.words_offset)
		check_word(actor, offset, before, after);
	else if (offset >= header.extent_owners_offset)
		check_owner(actor, offset, before, after);
	else if (offset == POD_CLOCK_OFFSET + offsetof(struct pod_clock, epoch) &&
	         (leaps ? after <= before : after != before + 1))
		broken("epochs grow", actor, offset, before, after);
	else if (offset >= POD_MEMBERS_OFFSET && offset < POD_DOORBELLS_OFFSET &&
	         (offset - POD_MEMBERS_OFFSET) % sizeof(struct pod_member) == offsetof(struct pod_member, state) &&
	         after >> MEMBER_INCARNATION_SHIFT < before >> MEMBER_INCARNATION_SHIFT)
		broken("incarnations grow", actor, offset, before, after);
}
