/* mover.c: moving rows in, growing their frames, exporting leaves. Moving out is in clock.c. See mover.h for the order of steps and
 * what a crash after each leaves. */
#include "engine/mover.h"

#include "engine/clock.h"

static struct space_claim claim_of(struct lg_worker *w, uint64_t *floor)
{
	*floor = 0;
	return (struct space_claim){&w->port, w->host_id, member_pod_oldest(&w->port), floor};
}

static enum move_result of_space(enum space_result result)
{
	return result == SPACE_OK ? MOVE_OK : result == SPACE_WAIT ? MOVE_WAIT : MOVE_NOSPACE;
}

/* Frees what can be freed, and has the clock look for more. Returns what to say if that was not enough. */
static enum move_result make_space(struct lg_worker *w, enum move_result shortage)
{
	struct space *space = &w->host->space;
	space->pressure_epochs = CLOCK_PRESSURE_EPOCHS;
	space_reclaim(space, w->host->geometry, member_pod_oldest(&w->port));
	clock_refill(w, CLOCK_BATCH);
	return space->limbo_count ? MOVE_WAIT : shortage;
}

static enum move_result take_word(struct lg_worker *w, word_idx *word)
{
	struct space *space = &w->host->space;
	uint64_t floor;
	struct space_claim claim = claim_of(w, &floor);
	enum space_result result = space_take_word(space, &claim, word);
	if (result != SPACE_OK) {
		enum move_result shortage = make_space(w, of_space(result));
		claim = claim_of(w, &floor);
		if (space_take_word(space, &claim, word) != SPACE_OK)
			return shortage;
	}
	host_raise_floor(w->host, floor);
	return MOVE_OK;
}

static enum move_result take_frame(struct lg_worker *w, uint32_t lines, pod_off *frame, uint16_t *capacity)
{
	struct space *space = &w->host->space;
	uint64_t floor = atomic_load_explicit(&w->host->floor, memory_order_relaxed);
	struct space_claim claim = {&w->port, w->host_id, member_pod_oldest(&w->port), &floor};
	enum space_result result = space_take_frame(space, &claim, lines, frame, capacity);
	if (result != SPACE_OK) {
		enum move_result shortage = make_space(w, of_space(result));
		if (!space_expects_frame(space, lines) && clock_empty_extent(w))
			shortage = MOVE_WAIT;
		claim.pod_oldest = member_pod_oldest(&w->port);
		if (space_take_frame(space, &claim, lines, frame, capacity) != SPACE_OK)
			return shortage;
	}
	return MOVE_OK;
}

/* A version above what the word, the frame and the row ever carried: the row's `own` if that is (0: a fresh one in any case). */
static uint64_t version_for(struct lg_worker *w, uint64_t own, word_idx word, pod_off frame)
{
	uint64_t carried = word_load(&w->port, word_ref_shared(word)) & WORD_VERSION;
	uint64_t frame_floor = frame ? space_frame_floor(&w->host->space, w->host->geometry, frame) : 0;
	if (frame_floor > carried)
		carried = frame_floor;
	if (own > carried)
		return own;
	uint64_t first = version_first_of(epoch_load(&w->port));
	uint64_t version = (carried > first ? carried : first) + 1;
	if (version <= own)
		version = own + 1;
	epoch_reach(&w->port, version_epoch(version));
	return version;
}

/* Lays a row out as a frame does: head, key, value; buffer has room. Returns the lines used. */
static uint32_t lay_out(
        uint8_t *buffer, const struct row *row, const void *val, uint32_t val_bytes, word_idx word, uint16_t capacity)
{
	struct frame_head head = {.word = word,
	        .val_bytes = val_bytes,
	        .key_bytes = row->key_bytes,
	        .partition = row->partition,
	        .line_count = capacity,
	        .table = row->table};
	uint32_t padded = row_key_padded(row->key_bytes);
	memcpy(buffer, &head, sizeof head);
	memcpy(buffer + sizeof head, row->data, padded);
	if (val_bytes)
		memcpy(buffer + sizeof head + padded, val, val_bytes);
	memset(buffer + sizeof head + padded + val_bytes, 0, LINE_PAYLOAD_BYTES); /* the rest of the last line */
	return frame_lines_for(row->key_bytes, val_bytes);
}

static void enter_directory(struct lg_worker *w, struct row *row, struct frame_ref ref)
{
	struct space *space = &w->host->space;
	if (directory_enter(&w->port, &space->directory, directory_hash(row->table, row_key(row)), ref))
		space->directory_entries++;
}

/* Writes the locked local row to its new frame and opens its word. */
static void publish_row(struct lg_worker *w, struct row *row, uint64_t word_seen, struct share *share,
        struct frame_ref ref, uint16_t capacity, struct move_answer *answer)
{
	alignas(64) uint8_t buffer[FRAME_BUFFER_BYTES];
	const struct row_ext *ext = atomic_load_explicit(&row->ext, memory_order_relaxed); /* relaxed: locked by us */
	uint32_t val_bytes = atomic_load_explicit(&row->val_bytes, memory_order_relaxed);
	uint32_t lines = lay_out(buffer, row, ext ? ext->data : row_inline_val(row), val_bytes, ref.word, capacity);
	uint64_t own = word_seen & WORD_VERSION;
	if (word_seen & WORD_ABSENT)
		own = host_above_floor(w->host, own);
	uint64_t version = version_for(w, own, ref.word, ref.frame);
	frame_write(&w->port, ref.frame, version, buffer, lines);
	directory_make_room(w); /* before the share is there: a table that grows enters them all */
	enter_directory(w, row, ref);
	/* The lines before the word that names them; the slot, so that it is not late in a cache when its extent is another's. */
	if (!MUTANT(FENCE_MOVE_IN))
		port_fence(&w->port);
	CRASH_POINT(MID_MOVE_IN);
	share->row = row;
	share->lines = capacity;
	share->kind = SHARE_ROW;
	share->payload_bytes = row->key_bytes + val_bytes;
	atomic_store_explicit(&share->frame, ref.frame, memory_order_relaxed); /* relaxed: published by the away word */
	word_open(&w->port, ref.word, version, word_seen & WORD_ABSENT);
	CRASH_POINT(AFTER_MOVE_IN);
	word_set_away(&row->word, ref.word);
	struct space *space = &w->host->space;
	space->rows++;
	space->payload_bytes += share->payload_bytes;
	w->counts.moved_in++;
	*answer = (struct move_answer){ref, version, version};
}

/* Exchanges a shared row's frame for one with room for min_val_bytes. */
static enum move_result grow_frame(struct lg_worker *w, struct share *share, word_idx index, uint64_t seen,
        uint32_t min_val_bytes, struct move_answer *answer)
{
	word_ref ref = word_ref_shared(index);
	struct row *row = share->row;
	pod_off frame;
	uint16_t capacity;
	enum move_result result = take_frame(w, frame_lines_for(row->key_bytes, min_val_bytes), &frame, &capacity);
	if (result != MOVE_OK)
		return result;
	seen = word_load(&w->port, ref); /* space may have been made: the row may have moved out */
	if ((seen & (WORD_LOCK | WORD_AWAY | WORD_INTENT)) || !word_try_lock(&w->port, ref, seen, w->host_id)) {
		space_untake_frame(&w->host->space, w->host->geometry, frame, capacity);
		return MOVE_BUSY;
	}
	alignas(64) uint8_t old[FRAME_BUFFER_BYTES], buffer[FRAME_BUFFER_BYTES];
	struct frame_copy copy;
	uint64_t kept = seen & WORD_ABSENT;
	if (!mover_read_locked(w, share, index, seen, old, &copy)) {
		word_install(&w->port, ref, seen & WORD_VERSION, kept);
		space_untake_frame(&w->host->space, w->host->geometry, frame, capacity);
		return MOVE_CORRUPT;
	}
	uint32_t lines = lay_out(buffer, row, copy.val, copy.head->val_bytes, index, capacity);
	uint64_t version = version_for(w, 0, index, frame);
	frame_write(&w->port, frame, version, buffer, lines);
	struct space *space = &w->host->space;
	pod_off old_frame = atomic_load_explicit(&share->frame, memory_order_relaxed);
	directory_remove(&w->port, &space->directory, directory_hash(row->table, row_key(row)), index);
	directory_enter(&w->port, &space->directory, directory_hash(row->table, row_key(row)),
	        (struct frame_ref){frame, index});
	if (!MUTANT(FENCE_GROW))
		port_fence(&w->port);
	CRASH_POINT(MID_GROW);
	full_fence(); /* unreachable before the epoch is read: [running.enter] in host.h */
	space_raise_frame_floor(space, w->host->geometry, old_frame, seen & WORD_VERSION);
	space_retire(space, epoch_load(&w->port), 0, old_frame, share->lines);
	atomic_store_explicit(&share->frame, frame, memory_order_relaxed); /* relaxed: readers check the head */
	share->lines = capacity;
	word_install(&w->port, ref, version, kept | WORD_USED);
	/* The loss rule: were the word to fall back, it would name the old frame's version when that is another row's. */
	if (!MUTANT(WRITE_BACK_GROWN))
		word_write_back(&w->port, ref);
	port_fence(&w->port);
	*answer = (struct move_answer){{frame, index}, seen & WORD_VERSION, version};
	return MOVE_OK;
}

/* The row is away: its place, in a frame that is large enough. */
static enum move_result find_shared(
        struct lg_worker *w, struct row *row, uint64_t local, uint32_t min_val_bytes, struct move_answer *answer)
{
	word_idx index = word_away_index(local);
	struct share *share = space_share(&w->host->space, w->host->geometry, index);
	assert(share && share->kind == SHARE_ROW && share->row == row);
	uint64_t seen = word_load(&w->port, word_ref_shared(index));
	*answer = (struct move_answer){{atomic_load_explicit(&share->frame, memory_order_relaxed), index},
	        seen & WORD_VERSION, seen & WORD_VERSION};
	if (frame_lines_for(row->key_bytes, min_val_bytes) <= share->lines)
		return MOVE_OK;
	return grow_frame(w, share, index, seen, min_val_bytes, answer);
}

enum move_result mover_move_in(struct lg_worker *w, struct row *row, uint32_t min_val_bytes, struct move_answer *answer)
{
	word_ref local = word_ref_local(&row->word);
	uint64_t seen = word_load(&w->port, local);
	if (word_is_dead(seen))
		return MOVE_DEAD;
	if (seen & WORD_AWAY)
		return find_shared(w, row, seen, min_val_bytes, answer);
	if (seen & (WORD_LOCK | WORD_INTENT))
		return MOVE_BUSY;
	struct frame_ref ref;
	enum move_result result = take_word(w, &ref.word);
	if (result != MOVE_OK)
		return result;
	uint32_t val_bytes =
	        atomic_load_explicit(&row->val_bytes, memory_order_relaxed); /* checked below, under the lock */
	uint32_t want = val_bytes > min_val_bytes ? val_bytes : min_val_bytes;
	uint16_t capacity = 0;
	result = take_frame(w, frame_lines_for(row->key_bytes, want), &ref.frame, &capacity);
	bool locked = result == MOVE_OK && word_try_lock(&w->port, local, seen, w->host_id);
	if (locked && frame_lines_for(row->key_bytes, atomic_load_explicit(&row->val_bytes, memory_order_relaxed)) >
	                      capacity) {
		word_cancel(&w->port, local);
		locked = false;
	}
	if (!locked) {
		space_untake_word(&w->host->space, ref.word);
		if (result == MOVE_OK)
			space_untake_frame(&w->host->space, w->host->geometry, ref.frame, capacity);
		return result == MOVE_OK ? MOVE_BUSY : result;
	}
	struct share *share = space_share(&w->host->space, w->host->geometry, ref.word);
	publish_row(w, row, seen, share, ref, capacity, answer);
	return MOVE_OK;
}

enum move_result mover_grow_own(
        struct lg_worker *w, struct row *row, uint32_t min_val_bytes, struct move_answer *answer)
{
	spin_take(&w->host->mover_lock);
	enum move_result result = mover_move_in(w, row, min_val_bytes, answer);
	spin_drop(&w->host->mover_lock);
	return result;
}

void mover_tick(struct lg_worker *w)
{
	struct space *space = &w->host->space;
	uint64_t epoch = epoch_load(&w->port);
	if (!spin_try(&w->host->mover_lock))
		return; /* whoever serves makes its own space */
	space_reclaim(space, w->host->geometry, member_pod_oldest(&w->port));
	if (space->pressure_epochs) {
		space->pressure_epochs--;
		clock_refill(w, CLOCK_TICK_BATCH);
	}
	clock_sweep_absent(w);
	if (epoch >= space->trimmed_epoch + CLOCK_TRIM_EPOCHS) {
		space->trimmed_epoch = epoch;
		space->directory_full = false;
		space_trim(space, &w->port, clock_leaving_floor(w));
	}
	spin_drop(&w->host->mover_lock);
}

bool mover_export_leaf(
        struct lg_worker *w, const struct leaf_look *look, struct leaf_mark *mark, enum move_result *result)
{
	word_idx word = btree_leaf_exported(look->leaf);
	*result = MOVE_OK;
	if (!word) {
		*result = take_word(w, &word);
		if (*result != MOVE_OK)
			return false;
		word_open(&w->port, word, version_for(w, 0, word, 0), 0);
		struct share *share = space_share(&w->host->space, w->host->geometry, word);
		share->kind = SHARE_LEAF;
		share->leaf = look->leaf;
		w->host->space.leaves++;
		if (!btree_leaf_export(look, word)) {
			mover_retire_leaf(w, word);
			return false;
		}
	}
	*mark = (struct leaf_mark){.version = word_load(&w->port, word_ref_shared(word)) & WORD_VERSION, .word = word};
	/* The mark was taken after the look; only if the leaf has not changed in between does it stand for it. */
	return btree_look_holds(look);
}
