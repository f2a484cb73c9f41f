/* cursor.c: batches of rows, a leaf at a time, and the rows in them.
 *
 * Every leaf that a cursor crosses is remembered with its version before its rows are read; every row of it that is not there
 * (deleted, or a placeholder) is remembered as a read. So whatever could appear in the range later changes something
 * that validation looks at.
 *
 * A batch is a picture of the leaf. If the leaf has changed by the time the next row is wanted, perhaps by this very
 * transaction, the rest of the picture is thrown away and the leaf read anew from the last key on.
 */
#include "txn/cursor.h"

#include "engine/request.h"

static uint16_t key_to(uint8_t *to, struct lg_slice key)
{
	if (key.bytes)
		memmove(to, key.data, key.bytes);
	return (uint16_t)key.bytes;
}

void cursor_open(struct cursor *cursor, const struct scan_range *range, uint32_t partition)
{
	cursor->partition = partition;
	cursor->fetched = cursor->last_batch = cursor->truncated = cursor->done = false;
	cursor->after_bytes = cursor->last_key_bytes = 0;
	cursor->refetches = cursor->count = cursor->next = 0;
	cursor->look = (struct leaf_look){0};
	cursor->mark = (struct leaf_mark){0};
	cursor->entry = NULL;
	cursor->key = cursor->val = (struct lg_slice){0};
	cursor->bound_bytes = key_to(cursor->bound, range->reverse ? range->hi : range->lo);
}

void cursor_rewind(struct cursor *cursor, const struct scan_range *range, struct lg_slice last)
{
	cursor_open(cursor, range, cursor->partition);
	cursor->last_key_bytes = key_to(cursor->last_key, last);
	if (last.bytes)
		cursor->bound_bytes = key_to(cursor->bound, last);
}

/* ---- Batches ---- */

static int batch_local(struct lg_txn *txn, struct btree *tree, const struct scan_range *range, struct cursor *cursor)
{
	struct leaf_batch batch;
	struct lg_slice bound = lg_slice(cursor->bound, cursor->bound_bytes);
	if (range->reverse)
		btree_batch_reverse(tree, bound, &batch);
	else
		btree_batch_forward(tree, bound, &batch);
	cursor->look = batch.look;
	cursor->count = batch.count;
	memcpy(cursor->rows, batch.rows, batch.count * sizeof *batch.rows);
	cursor->last_batch = batch.last;
	if (!batch.last) {
		struct lg_slice next = lg_slice(batch.bound, batch.bound_bytes);
		if (range->reverse)
			cursor->last_batch = slice_compare(next, range->lo) <= 0;
		else
			cursor->last_batch = range->hi.bytes && slice_compare(next, range->hi) >= 0;
		cursor->after_bytes = key_to(cursor->after, next);
	}
	return txn_add_leaf(txn, (uintptr_t)batch.look.leaf, batch.look.version);
}

static int check_reply(struct lg_txn *txn, const struct scan_reply *reply, uint32_t limit)
{
	const struct cxl_port *port = &txn->w->port;
	size_t bytes =
	        offsetof(struct scan_reply, rows) + reply->row_count * sizeof reply->rows[0] + reply->bound_bytes;
	if (reply->row_count > limit || reply->bound_bytes > LG_MAX_KEY_BYTES || reply->head.bytes < bytes ||
	        !word_idx_valid(port, reply->leaf.word))
		return LG_CORRUPT;
	for (uint32_t i = 0; i < reply->row_count; i++) {
		pod_off frame = ((uint64_t)reply->rows[i].frame_high << 32 | reply->rows[i].frame_low) * LINE_BYTES;
		if (!word_idx_valid(port, reply->rows[i].word) || !frame_off_valid(port, frame, 1))
			return LG_CORRUPT;
	}
	return LG_OK;
}

static int ask_for_batch(struct lg_txn *txn, struct lg_table *table, const struct scan_range *range,
        const struct cursor *cursor, uint32_t limit, const struct scan_reply **reply)
{
	union {
		struct scan_request request;
		uint8_t padded[sizeof(struct scan_request) + LINE_PAYLOAD_BYTES];
	} ask;
	struct lg_slice stop = range->reverse ? range->lo : range->hi;
	ask.request.table = (uint8_t)table->def.id;
	ask.request.partition = (uint16_t)cursor->partition;
	bool resumed = cursor->last_key_bytes && slice_compare(lg_slice(cursor->bound, cursor->bound_bytes),
	                                                 lg_slice(cursor->last_key, cursor->last_key_bytes)) == 0;
	ask.request.flags = (uint8_t)((range->reverse ? SCAN_REVERSE : 0) | (resumed ? SCAN_BEHIND : 0));
	ask.request.limit = (uint16_t)limit;
	ask.request.bound_bytes = cursor->bound_bytes;
	memcpy(ask.request.bound, cursor->bound, cursor->bound_bytes);
	ask.request.stop_bytes = (uint16_t)stop.bytes;
	if (stop.bytes)
		memcpy(ask.request.stop, stop.data, stop.bytes);
	unsigned owner = partition_owner(&txn->w->port, cursor->partition);
	const void *answer;
	int code = owner == txn->w->host_id ? LG_UNAVAILABLE
	                                    : request_ask(txn->w, owner, &ask.request.head, sizeof ask.request,
	                                              MESSAGE_SCAN, &answer, offsetof(struct scan_reply, rows));
	if (code != LG_OK)
		return code;
	*reply = answer;
	if ((*reply)->status == REPLY_NOTFOUND)
		return LG_CORRUPT;
	return locate_status(txn, owner, (*reply)->status, (*reply)->directory_generation);
}

static int batch_remote(struct lg_txn *txn, struct lg_table *table, const struct scan_range *range,
        struct cursor *cursor, uint64_t wanted)
{
	uint32_t limit = wanted && wanted < BTREE_LEAF_ROWS ? (uint32_t)wanted : BTREE_LEAF_ROWS;
	const struct scan_reply *reply;
	int code = ask_for_batch(txn, table, range, cursor, limit, &reply);
	if (code == LG_OK)
		code = check_reply(txn, reply, limit);
	if (code != LG_OK)
		return code;
	cursor->mark = reply->leaf;
	word_ref leaf = word_ref_shared(reply->leaf.word);
	word_mark_used(&txn->w->port, leaf, word_load(&txn->w->port, leaf)); /* its second chance, as rows have */
	cursor->count = reply->row_count;
	for (uint32_t i = 0; i < reply->row_count; i++)
		cursor->frames[i] = (struct frame_ref){
		        ((uint64_t)reply->rows[i].frame_high << 32 | reply->rows[i].frame_low) * LINE_BYTES,
		        reply->rows[i].word};
	cursor->last_batch = reply->last;
	cursor->truncated = !reply->last && !reply->bound_bytes;
	cursor->after_bytes = key_to(cursor->after, lg_slice(&reply->rows[reply->row_count], reply->bound_bytes));
	return txn_add_leaf(txn, word_ref_shared(reply->leaf.word), reply->leaf.version);
}

static bool batch_holds(const struct lg_txn *txn, const struct cursor *cursor)
{
	if (cursor->look.leaf)
		return btree_look_holds(&cursor->look);
	uint64_t word = word_load(&txn->w->port, word_ref_shared(cursor->mark.word));
	return !(word & WORD_AWAY) && (word & WORD_VERSION) == cursor->mark.version;
}

/* ---- Rows ---- */

static bool in_range(const struct scan_range *range, struct lg_slice key)
{
	return slice_compare(key, range->lo) >= 0 && (!range->hi.bytes || slice_compare(key, range->hi) < 0);
}

/* Reads the row at cursor->next. LG_OK; LG_NOTFOUND: it is not there; STEP_*. */
static int read_row(struct lg_txn *txn, struct lg_table *table, struct cursor *cursor, bool edit, struct sight *sight)
{
	struct place place = {0};
	const struct lg_slice *key = NULL;
	if (cursor->look.leaf) {
		place.row = cursor->rows[cursor->next];
		cursor->key = row_key(place.row);
		key = &cursor->key;
	} else {
		place.ref = cursor->frames[cursor->next];
	}
	int code = edit ? ops_edit_place(txn, table, key, &place, sight, &cursor->entry)
	                : ops_read_place(txn, table, key, &place, sight, &cursor->val);
	if (code == LG_OK && edit)
		cursor->val = lg_slice(cursor->entry->val, cursor->entry->val_bytes);
	if (key || (code != LG_OK && code != LG_NOTFOUND))
		return code;
	/* The key of a remote row comes with its frame. */
	const struct write_entry *own = edit && cursor->entry ? cursor->entry : sight->own;
	const uint8_t *payload = own ? own->payload : sight->payload;
	const struct frame_head *head = (const void *)payload;
	cursor->key = lg_slice(payload + sizeof *head, head->key_bytes);
	return code;
}

/* Reads the batch's next row and passes it. */
static int step_row(struct lg_txn *txn, struct lg_table *table, const struct scan_range *range, struct cursor *cursor,
        bool edit, struct sight *sight)
{
	if (cursor->look.leaf && !in_range(range, row_key(cursor->rows[cursor->next]))) {
		/* Local batches are cut by the leaf alone. What lies before the range has not begun, the rest is past it. */
		struct lg_slice key = row_key(cursor->rows[cursor->next++]);
		cursor->done |= range->reverse ? slice_compare(key, range->lo) < 0 : slice_compare(key, range->lo) >= 0;
		return LG_NOTFOUND;
	}
	int code = read_row(txn, table, cursor, edit, sight);
	if (code != LG_OK && code != LG_NOTFOUND)
		return code;
	cursor->next++;
	struct lg_slice last = lg_slice(cursor->last_key, cursor->last_key_bytes);
	int order = last.bytes ? slice_compare(cursor->key, last) : 0;
	if (!in_range(range, cursor->key) || (last.bytes && (range->reverse ? order >= 0 : order <= 0)))
		return LG_NOTFOUND; /* passed already, before the batch was read anew */
	cursor->last_key_bytes = key_to(cursor->last_key, cursor->key);
	cursor->refetches = 0;
	return code;
}

static int fetch(struct lg_txn *txn, struct lg_table *table, const struct scan_range *range, struct cursor *cursor,
        uint64_t wanted)
{
	struct btree *tree = table_tree(table, cursor->partition);
	cursor->count = cursor->next = 0;
	cursor->truncated = false;
	int code = tree ? batch_local(txn, tree, range, cursor) : batch_remote(txn, table, range, cursor, wanted);
	cursor->fetched = code == LG_OK;
	return code;
}

/* The batch is thrown away; the next begins at the last key. */
static int reread(struct lg_txn *txn, const struct lg_table *table, struct cursor *cursor)
{
	enum { MOST_REFETCHES = 100 };
	if (++cursor->refetches > MOST_REFETCHES)
		return txn_fail(
		        txn, LG_CONFLICT, LG_ABORT_PHANTOM, -1, table, lg_slice(cursor->bound, cursor->bound_bytes));
	cursor->fetched = false;
	if (cursor->last_key_bytes)
		cursor->bound_bytes = key_to(cursor->bound, lg_slice(cursor->last_key, cursor->last_key_bytes));
	return LG_OK;
}

/* The batch is through: on to the next leaf, or the rest of this one. */
static int advance(
        struct lg_txn *txn, const struct lg_table *table, const struct scan_range *range, struct cursor *cursor)
{
	if (cursor->last_batch) {
		cursor->done = true;
		return LG_OK;
	}
	if (cursor->truncated)
		return reread(txn, table, cursor); /* counted, so that answers that lead nowhere end */
	struct lg_slice bound = lg_slice(cursor->bound, cursor->bound_bytes);
	struct lg_slice after = lg_slice(cursor->after, cursor->after_bytes);
	int order = slice_compare(after, bound);
	if (range->reverse ? bound.bytes && order >= 0 : order <= 0)
		return txn_fail(txn, LG_CORRUPT, LG_ABORT_ERROR, -1, table, bound);
	cursor->fetched = false;
	cursor->bound_bytes = key_to(cursor->bound, after);
	return LG_OK;
}

int cursor_next(struct lg_txn *txn, struct lg_table *table, const struct scan_range *range, struct cursor *cursor,
        bool edit, uint64_t wanted)
{
	struct wait wait = {0};
	unsigned attempt = 0;
	while (!cursor->done) {
		struct sight sight;
		sight.word = 0;
		int code = LG_OK;
		if (!cursor->fetched) {
			code = fetch(txn, table, range, cursor, wanted);
		} else if (!batch_holds(txn, cursor)) {
			if ((code = reread(txn, table, cursor)) != LG_OK)
				return code;
		} else if (cursor->next < cursor->count) {
			code = step_row(txn, table, range, cursor, edit, &sight);
			if (code == LG_OK)
				return LG_OK;
		} else if ((code = advance(txn, table, range, cursor)) != LG_OK) {
			return code;
		}
		if (code == LG_OK || code == LG_NOTFOUND)
			continue;
		struct lg_slice at = lg_slice(cursor->bound, cursor->bound_bytes);
		if (ops_give_up(txn, &wait, &attempt, &code, &sight, table, at))
			return code;
		if (cursor->fetched && (code = reread(txn, table, cursor)) != LG_OK)
			return code;
	}
	return LG_END;
}
