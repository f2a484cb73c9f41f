/* ops.c: get, put, insert, edit, del. Each tries its steps until they fit together; txn.h tells which steps there are. */
#include "txn/txn.h"

static int check_key(struct lg_txn *txn, const struct lg_table *table, struct lg_slice key, size_t val_bytes)
{
	if (likely(key.bytes - 1 < LG_MAX_KEY_BYTES && val_bytes <= LG_MAX_VALUE_BYTES))
		return LG_OK;
	return txn_fail(txn, LG_LIMIT, LG_ABORT_ERROR, -1, table, key);
}

static int check_write(struct lg_txn *txn, const struct lg_table *table, struct lg_slice key, size_t val_bytes)
{
	int code = txn_check(txn, table);
	if (code != LG_OK)
		return code;
	if (table->def.by == LG_REPLICATED)
		return txn_fail(txn, LG_READONLY, LG_ABORT_ERROR, -1, table, key);
	return check_key(txn, table, key, val_bytes);
}

bool ops_give_up(struct lg_txn *txn, struct wait *wait, unsigned *attempt, int *code, const struct sight *sight,
        const struct lg_table *table, struct lg_slice key)
{
	enum { QUICK_ATTEMPTS = 3 };
	int step = *code;
	if (step == LG_NOTFOUND || step == LG_EXISTS) {
		/* What a caller concludes from these cannot be undone by its retry: they must fit with all that it has read. */
		int held = commit_validate(txn);
		*code = held == LG_OK ? step : held;
		return true;
	}
	if (step < STEP_AGAIN) {
		if (step != LG_OK)
			*code = txn_fail(txn, step, LG_ABORT_ERROR, -1, table, key);
		return true;
	}
	if (step == STEP_AGAIN && ++*attempt < QUICK_ATTEMPTS)
		return false;
	bool held = step == STEP_LOCKED || step == STEP_INTENT;
	*code = txn_wait(txn, wait, step, held && sight->word ? (int)word_holder(sight->word) : -1, table, key);
	return *code != LG_OK;
}

int ops_read_place(struct lg_txn *txn, struct lg_table *table, const struct lg_slice *key, struct place *place,
        struct sight *sight, struct lg_slice *val)
{
	int code = access_read(txn, table, key, place, sight);
	if (unlikely(code != LG_OK))
		return code;
	if (unlikely(sight->own != NULL)) {
		*val = lg_slice(sight->own->val, sight->own->val_bytes);
		return entry_visible(sight->own) ? LG_OK : LG_NOTFOUND;
	}
	if (unlikely(txn->greedy)) {
		if (!access_take(txn, table, sight, &code))
			return code;
	} else {
		code = txn_add_read(txn, sight->ref, sight->word);
		if (code != LG_OK)
			return code;
	}
	if (sight_absent(sight))
		return LG_NOTFOUND;
	*val = lg_slice(sight->val, sight->val_bytes);
	return LG_OK;
}

/* Replicated rows never change once they are sealed: no copy, nothing to remember. */
static int get_replicated(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice *val)
{
	if (!atomic_load_explicit(&table->sealed, memory_order_acquire))
		return txn_fail(txn, LG_UNAVAILABLE, LG_ABORT_ERROR, (int)txn->w->host_id, table, key);
	struct row *row = btree_find(table_tree(table, 0), key, NULL);
	if (!row)
		return LG_NOTFOUND;
	*val = lg_slice(row_inline_val(row), atomic_load_explicit(&row->val_bytes, memory_order_relaxed));
	return LG_OK;
}

int lg_get(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice *val)
{
	*val = (struct lg_slice){0};
	int code = txn_check(txn, table);
	if (unlikely(code != LG_OK))
		return code;
	if ((code = check_key(txn, table, key, 0)) != LG_OK)
		return code;
	if (table->def.by == LG_REPLICATED)
		return get_replicated(txn, table, key, val);
	struct wait wait = {0};
	unsigned attempt = 0;
	struct sight sight;
	struct place place;
	do {
		sight.word = 0;
		code = locate(txn, table, key, LOCATE_READ, attempt, 0, &place, NULL);
		if (likely(code == LG_OK))
			code = ops_read_place(txn, table, &key, &place, &sight, val);
	} while (unlikely(code != LG_OK) && !ops_give_up(txn, &wait, &attempt, &code, &sight, table, key));
	return code;
}

/* ---- Values ---- */

static int set_local(struct lg_txn *txn, struct write_entry *entry, struct lg_slice val)
{
	if (val.bytes > row_room(entry->row) && (!entry->ext || entry->ext->capacity < val.bytes)) {
		struct row_ext *ext = row_ext_create(&txn->w->local, (uint32_t)val.bytes);
		if (!ext)
			return LG_NOSPACE;
		if (entry->ext)
			heap_free(&txn->w->local, entry->ext, row_ext_bytes(entry->ext));
		entry->ext = ext;
	}
	uint8_t *place = arena_alloc(&txn->arena, val.bytes);
	if (!place)
		return LG_NOSPACE;
	entry->val = place;
	return LG_OK;
}

static int set_shared(struct lg_txn *txn, struct write_entry *entry, struct lg_slice val)
{
	const struct frame_head *head = (const void *)entry->payload;
	size_t before_val = sizeof *head + row_key_padded(head->key_bytes);
	uint32_t lines = frame_lines_for(head->key_bytes, val.bytes);
	if (lines > entry->capacity) {
		int code = locate_grow(txn, entry, (uint32_t)val.bytes);
		if (code != LG_OK)
			return code;
	}
	uint8_t *payload = arena_alloc(&txn->arena, frame_copy_bytes(lines));
	if (!payload)
		return LG_NOSPACE;
	memcpy(payload, entry->payload, before_val);
	memset(payload + before_val + val.bytes, 0, frame_copy_bytes(lines) - before_val - val.bytes);
	entry->payload = payload;
	entry->val = payload + before_val;
	return LG_OK;
}

/* Gives the entry a new value, in memory of its own: what was handed out before stays as it is. */
static int set_value(struct lg_txn *txn, struct write_entry *entry, struct lg_slice val)
{
	int code = entry->row ? set_local(txn, entry, val) : set_shared(txn, entry, val);
	if (code != LG_OK)
		return code;
	if (val.bytes)
		memcpy(entry->val, val.data, val.bytes);
	entry->val_bytes = (uint32_t)val.bytes;
	entry->edited = false;
	entry->op = WRITE_PUT;
	return LG_OK;
}

/* A value that may be written to: not the memory that an earlier read was given. */
static int own_copy(struct lg_txn *txn, struct write_entry *entry)
{
	if (!entry->edited) {
		int code = set_value(txn, entry, lg_slice(entry->val, entry->val_bytes));
		if (code != LG_OK)
			return code;
		entry->edited = true;
	}
	entry->op = WRITE_PUT;
	return LG_OK;
}

/* What changes in place is needed as it was. Without memory the whole value is recorded instead. */
static void keep_old(struct lg_txn *txn, struct write_entry *entry)
{
	uint8_t *copy = arena_alloc(&txn->arena, entry->old_bytes);
	if (copy && entry->old_bytes)
		memcpy(copy, entry->old, entry->old_bytes);
	entry->old = copy;
}

int ops_edit_place(struct lg_txn *txn, struct lg_table *table, const struct lg_slice *key, struct place *place,
        struct sight *sight, struct write_entry **entry)
{
	int code = STEP_AGAIN;
	*entry = NULL;
	sight->word = 0;
	if (place->row)
		code = access_edit_local(txn, table, place->row, entry);
	if (code == STEP_AGAIN) {
		code = access_read(txn, table, key, place, sight);
		if (code != LG_OK)
			return code;
		if (!sight->own && sight_absent(sight)) {
			code = txn_add_read(txn, sight->ref, sight->word);
			return code == LG_OK ? LG_NOTFOUND : code;
		}
		*entry = sight->own ? sight->own : access_take(txn, table, sight, &code);
		if (*entry && !sight->own) {
			(*entry)->edited = true; /* this call's own copy */
			if (txn_seals(txn) && (*entry)->old)
				keep_old(txn, *entry);
		}
	}
	if (code != LG_OK)
		return code;
	assert(*entry);
	if (!entry_visible(*entry))
		return LG_NOTFOUND;
	return own_copy(txn, *entry);
}

int lg_edit(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, void **val, size_t *bytes)
{
	*val = NULL;
	*bytes = 0;
	int code = check_write(txn, table, key, 0);
	if (unlikely(code != LG_OK))
		return code;
	struct wait wait = {0};
	unsigned attempt = 0;
	struct sight sight;
	struct place place;
	struct write_entry *entry = NULL;
	txn->writes_made++;
	do {
		sight.word = 0;
		code = locate(txn, table, key, LOCATE_READ, attempt, 0, &place, NULL);
		if (likely(code == LG_OK))
			code = ops_edit_place(txn, table, &key, &place, &sight, &entry);
	} while (unlikely(code != LG_OK) && !ops_give_up(txn, &wait, &attempt, &code, &sight, table, key));
	if (code == LG_OK) {
		assert(entry);
		*val = entry->val;
		*bytes = entry->val_bytes;
	}
	return code;
}

/* Finds the row or makes a placeholder, and takes its intent; for insert, only if there is no row. */
static int write_place(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice val,
        bool only_new, unsigned attempt, struct sight *sight)
{
	struct place place = {0};
	struct write_entry *entry = NULL;
	uint32_t entries = txn->write_count;
	int code = locate(txn, table, key, LOCATE_WRITE, attempt, (uint32_t)val.bytes, &place, &entry);
	if (code == LG_OK && !entry) {
		code = access_look(txn, table, &key, &place, sight);
		if (code != LG_OK)
			return code;
		entry = sight->own;
		if (!entry && only_new && !sight_absent(sight)) {
			code = txn_add_read(txn, sight->ref, sight->word);
			return code == LG_OK ? LG_EXISTS : code;
		}
		if (!entry)
			entry = access_take(txn, table, sight, &code);
	}
	if (code != LG_OK)
		return code;
	assert(entry);
	if (only_new && entry_visible(entry))
		return LG_EXISTS;
	bool fresh = txn->write_count > entries;
	code = set_value(txn, entry, val);
	if (code != LG_OK && fresh && txn->state == TXN_RUNNING) {
		/* No value, no entry: what this transaction sees of the row is what it was. */
		txn_undo(txn, entry);
		txn_drop_last_write(txn);
	}
	return code;
}

static int write_row(
        struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice val, bool only_new)
{
	int code = check_write(txn, table, key, val.bytes);
	if (unlikely(code != LG_OK))
		return code;
	struct wait wait = {0};
	unsigned attempt = 0;
	struct sight sight;
	txn->writes_made++;
	do {
		sight.word = 0;
		code = write_place(txn, table, key, val, only_new, attempt, &sight);
	} while (unlikely(code != LG_OK) && !ops_give_up(txn, &wait, &attempt, &code, &sight, table, key));
	return code;
}

int lg_put(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice val)
{
	return write_row(txn, table, key, val, false);
}

int lg_insert(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct lg_slice val)
{
	return write_row(txn, table, key, val, true);
}

static int delete_place(
        struct lg_txn *txn, struct lg_table *table, struct lg_slice key, struct place *place, struct sight *sight)
{
	int code = access_look(txn, table, &key, place, sight);
	if (code != LG_OK)
		return code;
	struct write_entry *entry = sight->own;
	if (!entry && sight_absent(sight)) {
		code = txn_add_read(txn, sight->ref, sight->word);
		return code == LG_OK ? LG_NOTFOUND : code;
	}
	if (!entry && !(entry = access_take(txn, table, sight, &code)))
		return code;
	if (!entry_visible(entry))
		return LG_NOTFOUND;
	entry->op = WRITE_DEL;
	return LG_OK;
}

int lg_del(struct lg_txn *txn, struct lg_table *table, struct lg_slice key)
{
	int code = check_write(txn, table, key, 0);
	if (unlikely(code != LG_OK))
		return code;
	struct wait wait = {0};
	unsigned attempt = 0;
	struct sight sight;
	struct place place;
	txn->writes_made++;
	do {
		sight.word = 0;
		code = locate(txn, table, key, LOCATE_READ, attempt, 0, &place, NULL);
		if (code == LG_OK)
			code = delete_place(txn, table, key, &place, &sight);
	} while (unlikely(code != LG_OK) && !ops_give_up(txn, &wait, &attempt, &code, &sight, table, key));
	return code;
}
