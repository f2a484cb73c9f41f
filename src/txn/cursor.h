/* cursor.h: a scan's way through one partition, leaf by leaf, local or remote. */
#ifndef LIGER_TXN_CURSOR_H
#define LIGER_TXN_CURSOR_H

#include "txn/txn.h"

struct scan_range {
	struct lg_slice lo, hi; /* lo <= key < hi; hi empty: to the end. Memory of the transaction */
	bool reverse;
};

struct cursor {
	uint32_t partition;
	bool fetched;    /* there is a batch */
	bool last_batch; /* it is the last one */
	bool truncated;  /* it ends before its leaf does: go on at the last key, not at `after` */
	bool done;       /* nothing more in this partition */
	uint16_t bound_bytes, after_bytes, last_key_bytes;
	/* Where the batch begins, and the one after it: forward: keys >= bound; reverse: keys < bound (empty: from the end). */
	uint8_t bound[LG_MAX_KEY_BYTES], after[LG_MAX_KEY_BYTES];
	/* The last key that was passed, whether its row was there or not: no key comes twice. */
	uint8_t last_key[LG_MAX_KEY_BYTES];
	uint32_t refetches; /* since a row was passed */
	uint32_t count, next;
	struct leaf_look look; /* local */
	struct leaf_mark mark; /* remote */
	union {
		struct row *rows[BTREE_LEAF_ROWS];
		struct frame_ref frames[BTREE_LEAF_ROWS];
	};
	/* The row that cursor_next() has found. */
	struct lg_slice key, val;
	struct write_entry *entry; /* with edit */
};

void cursor_open(struct cursor *cursor, const struct scan_range *range, uint32_t partition);

/* Back to right behind `last` (empty: to the beginning): what was found there is looked up again. */
void cursor_rewind(struct cursor *cursor, const struct scan_range *range, struct lg_slice last);

/* Goes to the next row that exists; `edit`: takes it as lg_edit() does. `wanted`: how many rows the scan still wants (0: all).
 * LG_OK; LG_END; or a failure that is noted in the transaction. */
int cursor_next(struct lg_txn *txn, struct lg_table *table, const struct scan_range *range, struct cursor *cursor,
        bool edit, uint64_t wanted);

#endif
