/* snapshot.c: see snapshot.h. A local row is copied between two looks at its word, a shared one as frame.h says. */
#include "engine/snapshot.h"

static enum snapshot_result look_shared(struct lg_worker *w, word_idx index, void *buffer, struct snapshot *snapshot)
{
	struct share *share = space_share(&w->host->space, w->host->geometry, index);
	uint64_t seen, word = word_load(&w->port, word_ref_shared(index));
	if (!share || (word & (WORD_AWAY | WORD_LOCK)))
		return SNAPSHOT_AGAIN;
	if (word & WORD_ABSENT)
		return SNAPSHOT_ABSENT;
	struct frame_copy copy;
	/* Relaxed: what is found there is checked against the word. */
	pod_off frame = atomic_load_explicit(&share->frame, memory_order_relaxed);
	enum frame_result result = frame_read_head(&w->port, frame, index, word, buffer);
	if (result == FRAME_OK)
		result = frame_read_rest(&w->port, frame, index, word, buffer, &copy, &seen);
	if (result != FRAME_OK)
		return result == FRAME_CORRUPT ? SNAPSHOT_CORRUPT : SNAPSHOT_AGAIN;
	*snapshot = (struct snapshot){word & WORD_VERSION, copy.val, copy.head->val_bytes};
	return SNAPSHOT_OK;
}

enum snapshot_result snapshot_row(struct lg_worker *w, struct row *row, void *buffer, struct snapshot *snapshot)
{
	word_ref ref = word_ref_local(&row->word);
	uint64_t word = word_load(&w->port, ref);
	if (word & WORD_AWAY)
		return word_is_dead(word) ? SNAPSHOT_ABSENT : look_shared(w, word_away_index(word), buffer, snapshot);
	if (word & WORD_LOCK)
		return SNAPSHOT_AGAIN;
	if (word & WORD_ABSENT)
		return SNAPSHOT_ABSENT;
	/* [row.ext] Acquire; pairs with the release in row_install(): the place's capacity is there. */
	const struct row_ext *ext = atomic_load_explicit(&row->ext, memory_order_acquire);
	uint32_t bytes = atomic_load_explicit(&row->val_bytes, memory_order_relaxed); /* relaxed: second look follows */
	if (bytes > (ext ? ext->capacity : row->val_capacity) || bytes > LG_MAX_VALUE_BYTES)
		return SNAPSHOT_AGAIN;
	racy_copy_out(buffer, ext ? ext->data : row_inline_val(row), bytes);
	if (!word_same_version(word_load_again(&w->port, ref), word))
		return SNAPSHOT_AGAIN;
	*snapshot = (struct snapshot){word & WORD_VERSION, buffer, bytes};
	return SNAPSHOT_OK;
}
