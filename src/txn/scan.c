/* scan.c: ordered scans over one partition after the other, or over hash partitions side by side. */
#include "txn/cursor.h"

struct lg_scan {
	struct lg_txn *txn;
	struct lg_table *table;
	struct scan_range range;
	uint64_t left; /* rows still wanted; 0 with no limit: see `limited` */
	bool limited, edit, replicated, merged, open;
	uint32_t first, last;     /* partitions, in scan order */
	uint32_t count;           /* cursors: 1, or one a partition when they are merged */
	uint64_t writes_seen;     /* merged: the transaction's writes when the cursors were placed */
	struct lg_slice last_key; /* merged: returned last */
	void *value;              /* of the row returned last, with LG_SCAN_EDIT */
	struct cursor *cursors[];
};

static bool copy_key(struct lg_txn *txn, struct lg_slice key, struct lg_slice *to)
{
	*to = (struct lg_slice){0};
	if (!key.bytes)
		return true;
	void *memory = arena_alloc(&txn->arena, key.bytes);
	if (!memory)
		return false;
	memcpy(memory, key.data, key.bytes);
	*to = lg_slice(memory, key.bytes);
	return true;
}

/* Whether a hash table's range lies within one prefix, and so in one partition. */
static bool one_prefix(const struct lg_table *table, struct lg_slice lo, struct lg_slice hi)
{
	size_t prefix = table->def.prefix_bytes;
	return lo.bytes >= prefix && hi.bytes >= prefix && memcmp(lo.data, hi.data, prefix) == 0;
}

static void choose_partitions(struct lg_scan *scan, struct lg_slice lo, struct lg_slice hi)
{
	const struct lg_table *table = scan->table;
	uint32_t from = 0, to = 0;
	if (table->def.by == LG_RANGE) {
		from = table_partition_of(table, lo);
		to = hi.bytes ? table_partition_of(table, hi) : table->def.partitions - 1;
	} else if (table->def.by == LG_HASH && one_prefix(table, lo, hi)) {
		from = to = table_partition_of(table, lo);
	} else if (table->def.by == LG_HASH) {
		to = table->def.partitions - 1;
		scan->merged = to > 0;
	}
	scan->first = scan->range.reverse ? to : from;
	scan->last = scan->range.reverse ? from : to;
	scan->count = scan->merged ? to + 1 : 1;
}

static int check_open(
        struct lg_txn *txn, struct lg_table *table, struct lg_slice lo, struct lg_slice hi, unsigned flags)
{
	struct lg_slice none = {0};
	int code = txn_check(txn, table);
	if (code != LG_OK)
		return code;
	if (flags & ~(unsigned)(LG_SCAN_REVERSE | LG_SCAN_EDIT))
		return LG_INVALID;
	if (table->def.by == LG_REPLICATED && (flags & LG_SCAN_EDIT))
		return LG_INVALID;
	if (table->def.by == LG_REPLICATED && !atomic_load_explicit(&table->sealed, memory_order_acquire))
		return txn_fail(txn, LG_UNAVAILABLE, LG_ABORT_ERROR, (int)txn->w->host_id, table, none);
	if (lo.bytes > LG_MAX_KEY_BYTES || hi.bytes > LG_MAX_KEY_BYTES)
		return txn_fail(txn, LG_LIMIT, LG_ABORT_ERROR, -1, table, lo.bytes > LG_MAX_KEY_BYTES ? lo : hi);
	return LG_OK;
}

int lg_scan_open(struct lg_txn *txn, struct lg_table *table, struct lg_slice lo, struct lg_slice hi, unsigned flags,
        uint64_t limit, struct lg_scan **out)
{
	*out = NULL;
	int code = check_open(txn, table, lo, hi, flags);
	if (code != LG_OK)
		return code;
	struct lg_scan head = {.txn = txn,
	        .table = table,
	        .left = limit,
	        .limited = limit > 0,
	        .open = true,
	        .edit = flags & LG_SCAN_EDIT,
	        .replicated = table->def.by == LG_REPLICATED,
	        .range.reverse = flags & LG_SCAN_REVERSE};
	choose_partitions(&head, lo, hi);
	struct lg_scan *scan = arena_alloc(&txn->arena, sizeof *scan + head.count * sizeof scan->cursors[0]);
	if (!scan || !copy_key(txn, lo, &head.range.lo) || !copy_key(txn, hi, &head.range.hi))
		return txn_fail(txn, LG_NOSPACE, LG_ABORT_ERROR, -1, table, lo);
	head.writes_seen = txn->writes_made;
	*scan = head;
	bool empty = hi.bytes && slice_compare(lo, hi) >= 0;
	for (uint32_t i = 0; i < scan->count; i++) {
		scan->cursors[i] = arena_alloc(&txn->arena, sizeof *scan->cursors[i]);
		if (!scan->cursors[i])
			return txn_fail(txn, LG_NOSPACE, LG_ABORT_ERROR, -1, table, lo);
		cursor_open(scan->cursors[i], &scan->range, scan->merged ? i : scan->first);
	}
	if (empty)
		scan->open = false;
	*out = scan;
	return LG_OK;
}

/* The next row of a range table's partitions, one after the other. */
static int next_in_turn(struct lg_scan *scan, struct cursor **found)
{
	struct cursor *cursor = scan->cursors[0];
	*found = cursor;
	for (;;) {
		int code = cursor_next(
		        scan->txn, scan->table, &scan->range, cursor, scan->edit, scan->limited ? scan->left : 0);
		if (code != LG_END || scan->first == scan->last)
			return code;
		scan->first = scan->range.reverse ? scan->first - 1 : scan->first + 1;
		cursor_open(cursor, &scan->range, scan->first);
	}
}

/* The least (greatest) of the rows that the cursors stand on. A cursor without a key has to go on first. Rows are taken for edit only
 * when they are returned. */
static int next_merged(struct lg_scan *scan, struct cursor **found)
{
	struct cursor *best = NULL;
	if (scan->writes_seen != scan->txn->writes_made) {
		/* The rows that the cursors stand on may be older than this transaction's own writes. */
		for (uint32_t i = 0; i < scan->count; i++)
			cursor_rewind(scan->cursors[i], &scan->range, scan->last_key);
		scan->writes_seen = scan->txn->writes_made;
	}
	for (uint32_t i = 0; i < scan->count; i++) {
		struct cursor *cursor = scan->cursors[i];
		if (!cursor->key.bytes) {
			int code = cursor_next(
			        scan->txn, scan->table, &scan->range, cursor, false, scan->limited ? scan->left : 0);
			if (code != LG_OK)
				cursor->key = (struct lg_slice){0}; /* a row that was passed, not one to stand on */
			if (code == LG_END)
				continue;
			if (code != LG_OK)
				return code;
		}
		int order = best ? slice_compare(cursor->key, best->key) : 0;
		if (!best || (scan->range.reverse ? order > 0 : order < 0))
			best = cursor;
	}
	*found = best;
	return best ? LG_OK : LG_END;
}

int lg_scan_next(struct lg_scan *scan, struct lg_slice *key, struct lg_slice *val)
{
	*key = *val = (struct lg_slice){0};
	int code = txn_check(scan->txn, scan->table);
	scan->value = NULL;
	if (code != LG_OK)
		return code;
	if (!scan->open || (scan->limited && scan->left == 0))
		return LG_END;
	struct cursor *cursor;
	code = scan->merged ? next_merged(scan, &cursor) : next_in_turn(scan, &cursor);
	if (code != LG_OK)
		return code;
	*key = cursor->key;
	*val = cursor->val;
	if (scan->edit && scan->merged) {
		size_t bytes;
		code = lg_edit(scan->txn, scan->table, *key, &scan->value, &bytes);
		if (code == LG_NOTFOUND) /* it was there when the cursor came upon it */
			code = txn_fail(scan->txn, LG_CONFLICT, LG_ABORT_VALIDATION, -1, scan->table, *key);
		if (code != LG_OK)
			return code;
		*val = lg_slice(scan->value, bytes);
	} else if (scan->edit) {
		scan->value = cursor->entry->val;
	}
	if (scan->merged) {
		scan->last_key = *key;
		cursor->key = (struct lg_slice){0};
		scan->writes_seen += scan->edit; /* its own edit of the row just returned */
	}
	scan->left -= scan->limited;
	return LG_OK;
}

void *lg_scan_value(struct lg_scan *scan)
{
	return scan->value;
}

void lg_scan_close(struct lg_scan *scan)
{
	scan->open = false;
}
