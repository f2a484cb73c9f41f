/* access.c: looking at a row and taking its intent, wherever it lives.
 *
 * A local row is copied between two looks at its word (a seqlock); a shared one as frame.h says. If the word shows this
 * host's intent, it may be this transaction's own: only then is the write set searched, so other reads pay nothing for it.
 */
#include "txn/txn.h"

static int read_local(struct lg_txn *txn, struct row *row, struct sight *sight)
{
	struct cxl_port *port = &txn->w->port;
	word_ref ref = word_ref_local(&row->word);
	uint64_t word = word_load(port, ref);
	sight->ref = ref;
	sight->word = word;
	if (unlikely(word & (WORD_LOCK | WORD_AWAY | WORD_INTENT))) {
		if (word & WORD_AWAY)
			return STEP_AGAIN;
		if (word & WORD_LOCK)
			return STEP_LOCKED;
		if (word_holder(word) == txn->w->host_id && (sight->own = txn_find_write(txn, ref)))
			return LG_OK;
	}
	/* [row.ext] Acquire; pairs with the release in row_install(): the place's capacity is there. */
	const struct row_ext *ext = atomic_load_explicit(&row->ext, memory_order_acquire);
	uint32_t bytes = atomic_load_explicit(&row->val_bytes, memory_order_relaxed); /* relaxed: second look follows */
	uint32_t capacity = ext ? ext->capacity : row->val_capacity;
	if (bytes > capacity)
		return STEP_LOCKED; /* a torn look: it is being installed */
	uint8_t *copy = arena_reserve(&txn->arena, bytes + 8);
	if (!copy)
		return LG_NOSPACE;
	racy_copy_out(copy, ext ? ext->data : row_inline_val(row), bytes);
	uint64_t again = MUTANT(SECOND_LOOK_LOCAL) ? word : word_load_again(port, ref);
	if (unlikely(!word_same_version(again, word)))
		return again & WORD_AWAY ? STEP_AGAIN : STEP_LOCKED;
	arena_take(&txn->arena, bytes);
	sight->word = again;
	sight->row = row;
	sight->val = copy;
	sight->val_bytes = bytes;
	return LG_OK;
}

static bool is_row_of(const struct frame_copy *copy, const struct lg_table *table, const struct lg_slice *key)
{
	if (copy->head->table != table->def.id)
		return false;
	return !key || (copy->head->key_bytes == key->bytes && memcmp(copy->key, key->data, key->bytes) == 0);
}

/* Whether line 0 already shows that the frame is another row's. */
static bool head_differs(const void *buffer, const struct lg_table *table, const struct lg_slice *key)
{
	const struct frame_head *head = buffer;
	if (head->table != table->def.id)
		return true;
	if (!key)
		return false;
	size_t shown = LINE_PAYLOAD_BYTES - sizeof *head;
	return head->key_bytes != key->bytes ||
	       memcmp((const uint8_t *)buffer + sizeof *head, key->data, key->bytes < shown ? key->bytes : shown) != 0;
}

static int step_of_frame(enum frame_result result)
{
	return result == FRAME_RETRY ? STEP_LOCKED : result == FRAME_MISS ? STEP_AGAIN : LG_CORRUPT;
}

/* Whether the write that a word has led to is of this key: a stale directory slot may name a word that is another row's
 * by now, and this transaction may be writing that. */
static bool writes_to(const struct write_entry *own, const struct lg_table *table, const struct lg_slice *key)
{
	assert(own->payload);
	const struct frame_head *head = (const void *)own->payload;
	const uint8_t *own_key = own->payload + sizeof *head;
	return own->table == table &&
	       (!key || (head->key_bytes == key->bytes && memcmp(own_key, key->data, key->bytes) == 0));
}

static int read_shared(struct lg_txn *txn, const struct lg_table *table, const struct lg_slice *key,
        const struct frame_ref *place, struct sight *sight)
{
	struct cxl_port *port = &txn->w->port;
	word_ref ref = word_ref_shared(place->word);
	uint64_t word = word_load(port, ref);
	sight->ref = ref;
	sight->word = word;
	if (unlikely(word & (WORD_LOCK | WORD_AWAY | WORD_INTENT))) {
		if (word & WORD_AWAY)
			return STEP_AGAIN;
		if (word & WORD_LOCK)
			return STEP_LOCKED;
		struct write_entry *own = word_holder(word) == txn->w->host_id ? txn_find_write(txn, ref) : NULL;
		if (own && !MUTANT(OWN_WRITE_KEY) && !writes_to(own, table, key))
			return STEP_AGAIN;
		if ((sight->own = own))
			return LG_OK;
	}
	uint8_t *buffer = arena_reserve(&txn->arena, FRAME_BUFFER_BYTES);
	if (!buffer)
		return LG_NOSPACE;
	enum frame_result result = frame_read_head(port, place->frame, place->word, word, buffer);
	if (result == FRAME_OK && head_differs(buffer, table, key))
		result = FRAME_MISS;
	struct frame_copy copy;
	if (result == FRAME_OK)
		result = frame_read_rest(port, place->frame, place->word, word, buffer, &copy, &sight->word);
	if (result != FRAME_OK)
		return step_of_frame(result);
	if (!is_row_of(&copy, table, key))
		return STEP_AGAIN;
	arena_take(&txn->arena, frame_copy_bytes(frame_lines_for(copy.head->key_bytes, copy.head->val_bytes)));
	if (unlikely(!(sight->word & WORD_USED)))
		word_mark_used(port, ref, sight->word);
	txn->w->counts.remote_reads++;
	sight->frame = place->frame;
	sight->payload = buffer;
	sight->val = copy.val;
	sight->val_bytes = copy.head->val_bytes;
	sight->capacity = copy.head->line_count;
	return LG_OK;
}

/* A local row that is away: its frame, as the owner's record of the word says. */
static int follow_away(struct lg_txn *txn, struct place *place)
{
	struct lg_host *host = txn->w->host;
	uint64_t word = word_load(&txn->w->port, word_ref_local(&place->row->word));
	if (!(word & WORD_AWAY))
		return LG_OK; /* it is back */
	if (word_is_dead(word))
		return STEP_AGAIN;
	struct share *share = space_share(&host->space, host->geometry, word_away_index(word));
	assert(share);
	place->ref =
	        (struct frame_ref){atomic_load_explicit(&share->frame, memory_order_relaxed), word_away_index(word)};
	return STEP_AGAIN;
}

int access_read(struct lg_txn *txn, const struct lg_table *table, const struct lg_slice *key, struct place *place,
        struct sight *sight)
{
	*sight = (struct sight){0};
	if (!place->row)
		return read_shared(txn, table, key, &place->ref, sight);
	int code = read_local(txn, place->row, sight);
	if (likely(code != STEP_AGAIN))
		return code;
	place->ref.word = 0;
	code = follow_away(txn, place);
	if (!place->ref.word)
		return code == LG_OK ? STEP_LOCKED : STEP_AGAIN;
	struct lg_slice own_key = row_key(place->row);
	code = read_shared(txn, table, &own_key, &place->ref, sight);
	/* A stale record (the row is just moving) is looked up again, not taken for a wrong frame. */
	return code;
}

int access_look(struct lg_txn *txn, const struct lg_table *table, const struct lg_slice *key, struct place *place,
        struct sight *sight)
{
	if (!place->row)
		return access_read(txn, table, key, place, sight);
	word_ref ref = word_ref_local(&place->row->word);
	*sight = (struct sight){.ref = ref, .row = place->row, .word = word_load(&txn->w->port, ref)};
	if (sight->word & WORD_AWAY)
		return access_read(txn, table, key, place, sight);
	if (sight->word & WORD_LOCK)
		return STEP_LOCKED;
	if ((sight->word & WORD_INTENT) && word_holder(sight->word) == txn->w->host_id)
		sight->own = txn_find_write(txn, ref);
	return LG_OK;
}

struct write_entry *access_take(struct lg_txn *txn, struct lg_table *table, const struct sight *sight, int *code)
{
	struct cxl_port *port = &txn->w->port;
	uint64_t word = word_load(port, sight->ref);
	*code = STEP_AGAIN;
	if ((word & (WORD_LOCK | WORD_AWAY)) || (word & WORD_VERSION) != (sight->word & WORD_VERSION))
		return NULL;
	*code = STEP_INTENT;
	if (word & WORD_INTENT)
		return NULL;
	struct write_entry *entry = txn_add_write(txn, sight->ref);
	*code = LG_NOSPACE;
	if (!entry)
		return NULL;
	if (!word_try_intent(port, sight->ref, word, txn->w->host_id)) {
		txn_drop_last_write(txn);
		*code = STEP_AGAIN;
		return NULL;
	}
	if (!sight->row)
		CRASH_POINT(AFTER_INTENT);
	entry->version = word & WORD_VERSION;
	if (sight->row && (word & WORD_ABSENT))
		entry->version = host_above_floor(txn->w->host, entry->version);
	entry->table = table;
	entry->row = sight->row;
	entry->frame = sight->frame;
	entry->capacity = sight->capacity;
	entry->payload = sight->payload;
	entry->old = word & WORD_ABSENT ? NULL : sight->val;
	entry->old_bytes = sight->val_bytes;
	entry->val = (uint8_t *)(uintptr_t)sight->val;
	entry->val_bytes = sight->val_bytes;
	entry->absent = word & WORD_ABSENT;
	*code = LG_OK;
	return entry;
}

int access_edit_local(struct lg_txn *txn, struct lg_table *table, struct row *row, struct write_entry **out)
{
	struct cxl_port *port = &txn->w->port;
	word_ref ref = word_ref_local(&row->word);
	uint64_t word = word_load(port, ref);
	if (unlikely(word & (WORD_LOCK | WORD_AWAY | WORD_INTENT))) {
		if (word & WORD_AWAY)
			return STEP_AGAIN;
		if (word & WORD_LOCK)
			return STEP_LOCKED;
		return word_holder(word) == txn->w->host_id && (*out = txn_find_write(txn, ref)) ? LG_OK : STEP_INTENT;
	}
	struct sight sight = {.ref = ref, .word = word, .row = row};
	int code;
	if (word & WORD_ABSENT) {
		code = txn_add_read(txn, ref, word);
		return code == LG_OK ? LG_NOTFOUND : code;
	}
	struct write_entry *entry = access_take(txn, table, &sight, &code);
	if (!entry)
		return code;
	/* Under the intent nobody writes: a plain look, but for readers' sake nothing here writes either. */
	const struct row_ext *ext = atomic_load_explicit(&row->ext, memory_order_acquire);
	uint32_t bytes = atomic_load_explicit(&row->val_bytes, memory_order_relaxed);
	uint8_t *copy = arena_alloc(&txn->arena, bytes);
	if (!copy) {
		word_cancel(port, ref);
		txn_drop_last_write(txn);
		return LG_NOSPACE;
	}
	memcpy(copy, ext ? ext->data : row_inline_val(row), bytes);
	entry->val = copy;
	entry->val_bytes = bytes;
	entry->edited = true;
	*out = entry;
	return LG_OK;
}
