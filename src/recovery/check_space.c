/* check_space.c: who owns which extents and word blocks, and what stands in every word. See check.h. */
#include <inttypes.h>

#include "recovery/check.h"

enum { OWNER_HOST_SHIFT = 56 };
#define OWNER_HOST (UINT64_C(63) << OWNER_HOST_SHIFT)

/* ---- Owner words ---- */

struct owned {
	const char *what;
	pod_off words;
	uint64_t count;
	uint8_t *owner;
	uint64_t *taken, *free, *kept; /* in the report */
};

/* Judges one owner word; the host that may use what it owns, or CHECK_NOBODY. */
static uint8_t check_owner(struct check *check, const struct owned *owned, uint64_t index)
{
	pod_off offset = owned->words + index * 8;
	uint64_t word = port_word_load(&check->port, offset, memory_order_acquire); /* [claim.give] */
	unsigned host = (unsigned)((word & OWNER_HOST) >> OWNER_HOST_SHIFT);
	struct check_place place = {.offset = offset, .seen = word, .host = -1, .table = -1};
	if (!(word & OWNER_TAKEN)) {
		++*owned->free;
		place.rule = "owner.form";
		if (word & ~WORD_VERSION)
			check_find(check, &place,
			        "%s %" PRIu64 " is free, but its owner word %#" PRIx64 " has more than a floor",
			        owned->what, index, word);
		place.rule = "owner.floor";
		if (!check_version_possible(check, word & WORD_VERSION))
			check_find(check, &place,
			        "%s %" PRIu64 " is free with a floor of epoch %" PRIu64
			        ", but the pod is in epoch %" PRIu64,
			        owned->what, index, version_epoch(word & WORD_VERSION), check->epoch);
		return CHECK_NOBODY;
	}
	++*owned->taken;
	place.rule = "owner.form";
	if (host >= check->geometry->host_count || (word & ~(OWNER_TAKEN | OWNER_HOST | WORD_VERSION))) {
		check_find(check, &place,
		        "%s %" PRIu64 " is taken by host %u, in the owner word %#" PRIx64 ": the pod has %u hosts",
		        owned->what, index, host, word, check->geometry->host_count);
		return CHECK_NOBODY;
	}
	place.rule = "owner.orphan";
	place.host = (int)host;
	if (check->hosts[host] == CHECK_AWAY)
		check_find(check, &place,
		        "%s %" PRIu64 " is taken by host %u, which is no member: nobody will give it back", owned->what,
		        index, host);
	*owned->kept += check->hosts[host] == CHECK_GONE;
	return (uint8_t)host;
}

void check_owners(struct check *check)
{
	const struct pod_geometry *geometry = check->geometry;
	struct lg_check_report *report = &check->report;
	const struct owned owned[] = {
	        {"extent", geometry->extent_owners_offset, geometry->extent_count, check->extent_owner,
	                &report->extents_taken, &report->extents_free, &report->extents_of_dead},
	        {"word block", geometry->block_owners_offset, geometry->block_count, check->block_owner,
	                &report->blocks_taken, &report->blocks_free, &report->blocks_of_dead},
	};
	for (unsigned kind = 0; kind < 2; kind++)
		for (uint64_t i = 0; i < owned[kind].count; i++)
			owned[kind].owner[i] = check_owner(check, &owned[kind], i);
}

/* ---- Words ---- */

static struct check_place place_of_word(const struct check *check, word_idx index, uint64_t word)
{
	unsigned owner = check_word_owner(check, index);
	return (struct check_place){.offset = (pod_off)index * 8,
	        .seen = word & ~WORD_USED, /* a reader may set it between two looks */
	        .host = owner == CHECK_NOBODY ? -1 : (int)owner,
	        .table = -1,
	        .word = index};
}

/* Lock or intent: whose, and whether that can be. */
static void check_holder(struct check *check, struct check_place *place, uint64_t word)
{
	const char *what = word & WORD_LOCK ? "lock" : "intent";
	unsigned holder = word_holder(word);
	place->rule = "word.holder";
	if (holder >= check->geometry->host_count) {
		check_find(check, place, "its %s is host %u's, but the pod has %u hosts", what, holder,
		        check->geometry->host_count);
		return;
	}
	if (check->hosts[holder] != CHECK_HERE) {
		check_find(check, place, "its %s is host %u's, which %s", what, holder,
		        check->hosts[holder] == CHECK_GONE ? "has died" : "is no member");
		return;
	}
	place->rule = "word.locked";
	if (word & WORD_LOCK)
		check_find(check, place, "host %u has locked it for longer than a commit takes", holder);
}

/* What no sequence of transitions leaves (word.h). Returns false if the word's other bits mean nothing. */
static bool check_form(struct check *check, struct check_place *place, uint64_t word)
{
	const char *flaw = NULL;
	if ((word & WORD_AWAY) && (word & ~(WORD_AWAY | WORD_VERSION)))
		flaw = "it is retired, and has other marks";
	else if ((word & WORD_LOCK) && (word & WORD_INTENT))
		flaw = "it has lock and intent";
	else if (!(word & (WORD_LOCK | WORD_INTENT)) && (word & WORD_HOLDER))
		flaw = "it has a holder, but neither lock nor intent";
	place->rule = "word.form";
	if (flaw)
		check_find(check, place, "%s: %#" PRIx64, flaw, word);
	place->rule = "word.version";
	if (!check_version_possible(check, word & WORD_VERSION))
		check_find(check, place, "its version is of epoch %" PRIu64 ", but the pod is in epoch %" PRIu64,
		        version_epoch(word & WORD_VERSION), check->epoch);
	return !flaw;
}

static void check_taken_word(struct check *check, word_idx index)
{
	struct lg_check_report *report = &check->report;
	uint64_t word = word_load(&check->port, word_ref_shared(index));
	struct check_place place = place_of_word(check, index, word);
	report->words++;
	if (word == 0) {
		report->words_unused++;
		return;
	}
	bool sound = check_form(check, &place, word);
	if (word & WORD_AWAY) {
		report->words_retired++;
		return;
	}
	report->words_locked += !!(word & WORD_LOCK);
	report->words_intent += !!(word & WORD_INTENT);
	if (sound && (word & (WORD_LOCK | WORD_INTENT)))
		check_holder(check, &place, word);
	const struct check_row *row = check_row_of(check, index, false);
	if (row && row->frame)
		report->words_of_rows++;
	else
		report->words_of_leaves++;
	place.rule = "word.no-frame";
	/* A leaf's word is never absent; so this is a row's. */
	if ((word & WORD_ABSENT) && !(word & WORD_LOCK) && (!row || !(row->frame || row->missed)))
		check_find(check, &place,
		        "it is a deleted row's or a placeholder's, but no frame has it at version %#" PRIx64,
		        word & WORD_VERSION);
}

/* Nobody uses it: whoever remembers it must find it retired, and whoever claims it must stay above its floor. */
static void check_free_word(struct check *check, word_idx index, uint64_t floor)
{
	uint64_t word = word_load(&check->port, word_ref_shared(index));
	struct check_place place = place_of_word(check, index, word);
	if (word == 0)
		return;
	place.rule = "word.open-in-free";
	if (!(word & WORD_AWAY))
		check_find(check, &place, "its block is free, but it is not retired: %#" PRIx64, word);
	place.rule = "word.above-floor";
	if ((word & WORD_AWAY) && (word & WORD_VERSION) > floor)
		check_find(check, &place, "its version %#" PRIx64 " is above the floor %#" PRIx64 " of its free block",
		        word & WORD_VERSION, floor);
}

void check_words(struct check *check)
{
	const struct pod_geometry *geometry = check->geometry;
	for (uint64_t block = 0; block < geometry->block_count; block++) {
		word_idx first = block_first_word(geometry, block);
		if (check->block_owner[block] != CHECK_NOBODY) {
			for (word_idx i = 0; i < WORDS_PER_BLOCK; i++)
				check_taken_word(check, first + i);
			continue;
		}
		/* Acquire: [claim.give], the last owner's words come before its owner word. */
		uint64_t owner =
		        port_word_load(&check->port, geometry->block_owners_offset + block * 8, memory_order_acquire);
		for (word_idx i = 0; i < WORDS_PER_BLOCK && !(owner & OWNER_TAKEN); i++)
			check_free_word(check, first + i, owner & WORD_VERSION);
	}
}
