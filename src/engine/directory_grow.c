/* directory_grow.c: the owner's directory doubles when it is half full.
 *
 * All slots are entered anew into fresh extents, then the root is published. Other hosts that still have the old view find
 * stale slots, or frames where the old table was: all harmless (directory.h), and every reply tells them the new generation.
 * When no extents are to be had the old table stays; rows that find no slot are then found by asking.
 */
#include "engine/mover.h"

enum { FIRST_LOG2_SLOTS = DIRECTORY_SLOTS_LOG2 };

static_assert(1 << FIRST_LOG2_SLOTS == DIRECTORY_SLOTS_PER_EXTENT, "the first table is one extent");

static bool take_extents(struct lg_worker *w, uint32_t *extents, uint32_t count)
{
	struct lg_host *host = w->host;
	uint64_t floor = atomic_load_explicit(&host->floor, memory_order_relaxed);
	struct space_claim claim = {&w->port, w->host_id, member_pod_oldest(&w->port), &floor};
	for (uint32_t i = 0; i < count; i++) {
		uint64_t extent;
		if (space_take_extent(&host->space, &claim, &extent) != SPACE_OK) {
			while (i-- > 0)
				space_retire(&host->space, epoch_load(&w->port), 0, extents[i], 0);
			return false;
		}
		extents[i] = (uint32_t)extent;
		host->space.extent_frames[extent] = 1; /* in use: not an empty one */
		directory_clear_extent(&w->port, extent);
	}
	return true;
}

static void enter_all(struct lg_worker *w, const struct directory_view *view)
{
	struct space *space = &w->host->space;
	space->directory_entries = 0;
	for (size_t b = 0; b < space->own_block_count; b++) {
		/* Millions of rows take longer than others wait for a heart. */
		member_beat(&w->port, w->host_id);
		word_idx first = block_first_word(w->host->geometry, space->own_blocks[b]);
		for (word_idx i = first; i < first + WORDS_PER_BLOCK; i++) {
			const struct share *share = space_share(space, w->host->geometry, i);
			if (share->kind != SHARE_ROW)
				continue;
			struct frame_ref ref = {atomic_load_explicit(&share->frame, memory_order_relaxed), i};
			uint64_t hash = directory_hash(share->row->table, row_key(share->row));
			space->directory_entries += directory_enter(&w->port, view, hash, ref);
		}
	}
}

/* `w` holds the mover lock; the new table is filled through a view of its own and then published. */
static bool grow(struct lg_worker *w, uint32_t log2_slots)
{
	struct space *space = &w->host->space;
	struct directory_view fresh = {.log2_slots = log2_slots};
	uint32_t extents[DIRECTORY_MAX_EXTENTS], count = 1u << (log2_slots - FIRST_LOG2_SLOTS);
	if (count > DIRECTORY_MAX_EXTENTS || !take_extents(w, extents, count))
		return false;
	for (uint32_t i = 0; i < count; i++)
		atomic_store_explicit(&fresh.extents[i], extents[i], memory_order_relaxed);
	enter_all(w, &fresh);
	uint32_t old_log2 = atomic_load_explicit(&space->directory.log2_slots, memory_order_relaxed);
	uint32_t old_count = old_log2 ? 1u << (old_log2 - FIRST_LOG2_SLOTS) : 0;
	uint32_t old[DIRECTORY_MAX_EXTENTS];
	for (uint32_t i = 0; i < old_count; i++)
		old[i] = atomic_load_explicit(&space->directory.extents[i], memory_order_relaxed);
	CRASH_POINT(MID_DIRECTORY);
	directory_publish(&w->port, w->host_id, &space->directory, extents, count, log2_slots);
	full_fence();
	for (uint32_t i = 0; i < old_count; i++)
		space_retire(space, epoch_load(&w->port), 0, old[i], 0);
	return true;
}

bool directory_make_room(struct lg_worker *w)
{
	struct space *space = &w->host->space;
	uint32_t log2_slots = atomic_load_explicit(&space->directory.log2_slots, memory_order_relaxed);
	if (log2_slots && space->directory_entries < (UINT64_C(1) << log2_slots) / 2)
		return true;
	if (!space->directory_full && grow(w, log2_slots ? log2_slots + 1 : FIRST_LOG2_SLOTS))
		return true;
	/* Full, but slots may be free in a key's own lines. Try to grow again when rows have left. */
	space->directory_full = true;
	return log2_slots != 0;
}
