/* clock.c: taking rows and leaf words back from pod memory. Steps and crash states: mover.h. */
#include "engine/clock.h"

bool mover_read_locked(struct lg_worker *w, const struct share *share, word_idx index, uint64_t seen, void *buffer,
        struct frame_copy *copy)
{
	struct cxl_port *port = &w->port;
	pod_off frame = atomic_load_explicit(&share->frame, memory_order_relaxed); /* relaxed: mover lock */
	uint64_t version = seen & WORD_VERSION;
	uint8_t *to = buffer;
	const struct frame_head *head = buffer;
	if (!line_read(port, frame, FRAME_FIRST | version, to) || head->word != index ||
	        head->key_bytes != share->row->key_bytes || head->val_bytes > LG_MAX_VALUE_BYTES)
		return false;
	uint32_t lines = frame_lines_for(head->key_bytes, head->val_bytes);
	if (lines > share->lines)
		return false;
	for (uint32_t i = 1; i < lines; i++)
		if (!line_read(port, frame + (pod_off)i * LINE_BYTES, version, to + (size_t)i * LINE_PAYLOAD_BYTES))
			return false;
	const uint8_t *key = to + sizeof *head;
	*copy = (struct frame_copy){head, key, key + row_key_padded(head->key_bytes)};
	return memcmp(key, share->row->data, head->key_bytes) == 0;
}

static void forget_row(struct lg_worker *w, struct share *share, word_idx index)
{
	struct space *space = &w->host->space;
	directory_remove(&w->port, &space->directory, directory_hash(share->row->table, row_key(share->row)), index);
	if (space->directory_entries)
		space->directory_entries--;
	space->rows--;
	space->payload_bytes -= share->payload_bytes;
	w->counts.moved_out++;
}

/* A share's word and frame into limbo; the word is retired. */
static void into_limbo(struct lg_worker *w, struct share *share, word_idx index)
{
	full_fence(); /* unreachable before the epoch is read: [running.enter] in host.h */
	share->kind = SHARE_LIMBO;
	space_retire(&w->host->space, epoch_load(&w->port), index,
	        atomic_load_explicit(&share->frame, memory_order_relaxed), share->lines);
}

void mover_drop_absent(struct lg_worker *w, struct row *row)
{
	word_ref ref = word_ref_local(&row->word);
	uint64_t seen = word_load(&w->port, ref);
	if ((seen & (WORD_LOCK | WORD_INTENT | WORD_AWAY)) || !(seen & WORD_ABSENT) ||
	        !word_try_lock(&w->port, ref, seen, w->host_id))
		return;
	struct lg_table *table = atomic_load_explicit(&w->host->tables[row->table], memory_order_acquire);
	row_remove(w, table_tree(table, row->partition), row, seen & WORD_VERSION);
}

static enum move_result move_row_out(struct lg_worker *w, struct share *share, word_idx index, uint64_t seen)
{
	word_ref ref = word_ref_shared(index);
	struct row *row = share->row;
	if (!word_swap(&w->port, ref, seen, (seen & ~WORD_HOLDER) | WORD_LOCK | word_holder_bits(w->host_id)))
		return MOVE_BUSY;
	alignas(64) uint8_t buffer[FRAME_BUFFER_BYTES];
	struct frame_copy copy;
	struct row_ext *ext = NULL;
	enum move_result result = MOVE_OK;
	if (!mover_read_locked(w, share, index, seen, buffer, &copy))
		result = MOVE_CORRUPT;
	else if (copy.head->val_bytes > row_room(row) && !(ext = row_ext_create(&w->local, copy.head->val_bytes)))
		result = MOVE_NOSPACE;
	if (result != MOVE_OK) {
		word_install(&w->port, ref, seen & WORD_VERSION, seen & (WORD_ABSENT | WORD_USED));
		return result;
	}
	row_install(w, row, copy.val, copy.head->val_bytes, ext);
	CRASH_POINT(MID_MOVE_OUT);
	forget_row(w, share, index);
	space_raise_frame_floor(&w->host->space, w->host->geometry,
	        atomic_load_explicit(&share->frame, memory_order_relaxed), seen & WORD_VERSION);
	word_retire(&w->port, index, seen & WORD_VERSION);
	CRASH_POINT(AFTER_RETIRE);
	word_install(&w->port, word_ref_local(&row->word), seen & WORD_VERSION, seen & WORD_ABSENT);
	into_limbo(w, share, index);
	if (seen & WORD_ABSENT)
		mover_drop_absent(w, row);
	return MOVE_OK;
}

void mover_retire_leaf(struct lg_worker *w, word_idx word)
{
	struct share *share = space_share(&w->host->space, w->host->geometry, word);
	atomic_store_explicit(&share->frame, 0, memory_order_relaxed);
	share->lines = 0;
	w->host->space.leaves--;
	word_retire(&w->port, word, word_load(&w->port, word_ref_shared(word)) & WORD_VERSION);
	into_limbo(w, share, word);
}

enum move_result clock_retire(struct lg_worker *w, struct share *share, word_idx index)
{
	if (share->kind == SHARE_LEAF) {
		btree_leaf_unexport(share->leaf);
		mover_retire_leaf(w, index);
		return MOVE_OK;
	}
	uint64_t seen = word_load(&w->port, word_ref_shared(index));
	if (seen & (WORD_LOCK | WORD_INTENT))
		return MOVE_BUSY;
	return move_row_out(w, share, index, seen);
}

/* The hand's next word among this host's blocks. NULL when it is in no use. */
static struct share *next_share(struct lg_worker *w, size_t *hand, word_idx *index)
{
	const struct space *space = &w->host->space;
	*hand = *hand + 1 < space->own_block_count * WORDS_PER_BLOCK ? *hand + 1 : 0;
	uint64_t block = space->own_blocks[*hand / WORDS_PER_BLOCK];
	*index = block_first_word(w->host->geometry, block) + (word_idx)(*hand % WORDS_PER_BLOCK);
	struct share *share = space_share(space, w->host->geometry, *index);
	return share->kind == SHARE_ROW || share->kind == SHARE_LEAF ? share : NULL;
}

size_t clock_move_out(struct lg_worker *w, size_t wanted)
{
	struct space *space = &w->host->space;
	size_t words = space->own_block_count * WORDS_PER_BLOCK, taken = 0;
	for (size_t looked = 0; looked < 2 * words && taken < wanted; looked++) {
		word_idx index;
		struct share *share = next_share(w, &space->clock_hand, &index);
		if (!share)
			continue;
		word_ref ref = word_ref_shared(index);
		uint64_t seen = word_load(&w->port, ref);
		if (seen & (WORD_LOCK | WORD_INTENT))
			continue;
		if (seen & WORD_USED)
			word_clear_used(&w->port, ref, seen);
		else
			taken += clock_retire(w, share, index) == MOVE_OK;
	}
	return taken;
}

void clock_refill(struct lg_worker *w, size_t most)
{
	struct space *space = &w->host->space;
	size_t words = space->own_block_count * WORDS_PER_BLOCK, wanted = words / 4 + 1;
	size_t have = space->free_words.count + space->limbo_count;
	if (have < wanted)
		clock_move_out(w, wanted - have < most ? wanted - have : most);
	uint64_t now = clock_ns();
	if (space->limbo_count && now - space->pressure_tick_ns > 1000000) {
		space->pressure_tick_ns = now;
		epoch_tick(&w->port, epoch_load(&w->port));
	}
}

bool clock_empty_extent(struct lg_worker *w)
{
	struct space *space = &w->host->space;
	const struct pod_geometry *geometry = w->host->geometry;
	uint64_t victim = UINT64_MAX;
	for (uint64_t i = 0; i < geometry->extent_count; i++) {
		uint32_t frames = space->extent_frames[i];
		bool directory = directory_has_extent(&space->directory, i);
		if (frames && frames != UINT32_MAX && !directory &&
		        (victim == UINT64_MAX || frames < space->extent_frames[victim]))
			victim = i;
	}
	if (victim == UINT64_MAX)
		return false;
	bool any = false;
	for (size_t n = 0; n < space->own_block_count * WORDS_PER_BLOCK; n++) {
		word_idx index;
		struct share *share = next_share(w, &space->clock_hand, &index);
		if (!share || share->kind != SHARE_ROW)
			continue;
		pod_off frame = atomic_load_explicit(&share->frame, memory_order_relaxed);
		if ((frame - geometry->extents_offset) / EXTENT_BYTES == victim)
			any |= clock_retire(w, share, index) == MOVE_OK;
	}
	return any;
}

uint64_t clock_leaving_floor(struct lg_worker *w)
{
	uint64_t last = version_first_of(epoch_load(&w->port) + 1) - 1;
	uint64_t floor = atomic_load_explicit(&w->host->floor, memory_order_acquire);
	return floor > last ? floor : last;
}

/* For leaving: the row's memory goes too, so nothing is copied back. */
static bool retire_in_place(struct lg_worker *w, const struct share *share, word_idx index)
{
	word_ref ref = word_ref_shared(index);
	uint64_t seen = word_load(&w->port, ref);
	if (share->kind == SHARE_ROW) {
		if ((seen & (WORD_LOCK | WORD_INTENT)) ||
		        !word_swap(
		                &w->port, ref, seen, (seen & ~WORD_HOLDER) | WORD_LOCK | word_holder_bits(w->host_id)))
			return false;
	}
	word_retire(&w->port, index, seen & WORD_VERSION);
	return true;
}

void mover_close(struct lg_worker *w, uint64_t timeout_ns)
{
	struct space *space = &w->host->space;
	uint64_t began = clock_ns();
	size_t held = 0;
	spin_take(&w->host->mover_lock);
	for (;;) {
		held = 0;
		for (size_t n = 0; n < space->own_block_count * WORDS_PER_BLOCK; n++) {
			word_idx index;
			struct share *share = next_share(w, &space->clock_hand, &index);
			if (share && retire_in_place(w, share, index))
				share->kind = SHARE_LIMBO;
			else
				held += share != NULL;
		}
		if (!held || clock_ns() - began > timeout_ns)
			break;
		spin_drop(&w->host->mover_lock);
		worker_wait(w, &(struct wait){0});
		spin_take(&w->host->mover_lock);
	}
	/* What another host still holds a lock in stays claimed: recovery's business. */
	uint64_t floor = clock_leaving_floor(w);
	for (size_t i = 0; !held && i < space->own_block_count; i++)
		claim_give(&w->port, CLAIM_WORDS, space->own_blocks[i], floor);
	for (uint64_t i = 0; !held && i < w->host->geometry->extent_count; i++)
		if (space->extent_frames[i] != UINT32_MAX)
			claim_give(&w->port, CLAIM_EXTENT, i, floor);
	spin_drop(&w->host->mover_lock);
}

void mover_usage(const struct lg_host *host, struct lg_stats *stats)
{
	const struct space *space = &host->space;
	uint32_t log2_slots = atomic_load_explicit(&space->directory.log2_slots, memory_order_relaxed);
	stats->hwcc_row_bytes = space->rows * 8;
	stats->hwcc_leaf_bytes = space->leaves * 8;
	stats->hwcc_claimed_bytes = space->own_block_count * WORD_BLOCK_BYTES;
	stats->hwcc_fixed_bytes = host->geometry->words_offset;
	stats->swcc_frame_bytes = space->frame_bytes;
	stats->swcc_directory_bytes = log2_slots ? (UINT64_C(1) << log2_slots) * sizeof(struct directory_slot) : 0;
	stats->swcc_claimed_bytes = space->own_extent_count * EXTENT_BYTES;
	stats->swcc_payload_bytes = space->payload_bytes;
	stats->swcc_fixed_bytes = host->geometry->extents_offset - host->geometry->hwcc_bytes;
	stats->shared_rows = space->rows;
	stats->dram_bytes = heap_used_bytes(host->heap);
}

void clock_sweep_absent(struct lg_worker *w)
{
	struct space *space = &w->host->space;
	size_t words = space->own_block_count * WORDS_PER_BLOCK;
	for (size_t i = 0; i < CLOCK_SWEEP_WORDS && i < words; i++) {
		word_idx index;
		struct share *share = next_share(w, &space->sweep_hand, &index);
		if (!share || share->kind != SHARE_ROW)
			continue;
		uint64_t seen = word_load(&w->port, word_ref_shared(index));
		if ((seen & WORD_ABSENT) && !(seen & (WORD_LOCK | WORD_INTENT)))
			clock_retire(w, share, index);
	}
}
