/* btree.h: the index of one table and partition: a B+tree from keys (byte strings in memcmp order, 1..512 bytes) to rows.
 *
 * Concurrency: optimistic lock coupling (Leis et al., DaMoN 2016): every node has a version word with a lock bit; readers
 * take no lock, look at versions before and after; writers lock the leaf, and its parents only for a split or unlink.
 * Callers are inside an epoch (their heap_local's host sees them as running), so that nodes and rows that they reach are
 * not freed under them; unlinked nodes are retired.
 *
 * Phantoms: a leaf's version also grows with every change of its key set. A reader remembers (leaf, version) in a
 * struct leaf_look and asks btree_look_holds() when it validates. So every version change not caused by a change of the key set or key
 * range must be avoided.
 *
 * An exported leaf has a word in HWcc (cxl/word.h layout, version field): each change adds one to that word before the leaf is
 * unlocked, so that remote hosts can validate too. An exported leaf is never unlinked.
 */
#ifndef LIGER_ENGINE_BTREE_H
#define LIGER_ENGINE_BTREE_H

#include "cxl/word.h"
#include "engine/heap.h"
#include "engine/row.h"

struct btree;
struct btree_leaf;

enum { BTREE_LEAF_ROWS = 64 };

struct leaf_look {
	struct btree_leaf *leaf;
	uint64_t version;
};

/* What an insert did to the leaf, so that its own transaction can go on trusting what it had seen of it. */
struct leaf_change {
	struct leaf_look before, after; /* same leaf */
	struct leaf_look split;         /* the new right neighbour, after the insert; leaf NULL if there was no split */
	word_idx exported;              /* the leaf's word, or 0 */
	uint64_t word_before, word_after; /* its version field */
};

/* Keys of the tree are all in lo <= key < hi (empty: unbounded): known bounds make prefixes longer. NULL: no memory. */
struct btree *btree_create(struct heap_local *local, struct lg_slice lo, struct lg_slice hi);
/* Nobody uses the tree any more. Frees nodes, rows and their ext. */
void btree_destroy(struct btree *tree, struct heap_local *local);

/* The row of a key, or NULL. *look (if not NULL): the leaf where the key is or would be. */
struct row *btree_find(struct btree *tree, struct lg_slice key, struct leaf_look *look);

/* Adds a row, whose key (row->data) is not yet there. It unlinks nothing, so nothing is retired.
 * Returns: LG_OK; LG_EXISTS, *existing is the row of that key and *change is untouched; LG_NOSPACE (nothing changed). */
int btree_insert(struct btree *tree, struct heap_local *local, struct cxl_port *port, struct row *row,
        struct row **existing, struct leaf_change *change);

/* Takes exactly this row out of the tree. False: it is not there. The row is the caller's to retire. Unlinks a leaf that has
 * become empty where that is possible, and retires it with the epoch of that moment, at least `epoch`. */
bool btree_remove(
        struct btree *tree, struct heap_local *local, struct cxl_port *port, uint64_t epoch, const struct row *row);

/* Whether the leaf still is as it was seen, and is not locked. */
bool btree_look_holds(const struct leaf_look *look);

/* The rows of one leaf, a consistent picture of it. */
struct leaf_batch {
	struct leaf_look look;
	uint32_t count;
	struct row *rows[BTREE_LEAF_ROWS]; /* in scan order */
	bool last;                         /* no further leaf in this direction */
	uint16_t bound_bytes;              /* else: where to go on: forward: keys >= bound; reverse: keys < bound */
	uint8_t bound[LG_MAX_KEY_BYTES];
};

/* Forward: rows with key >= from, of the leaf where `from` belongs (empty: the first leaf). */
void btree_batch_forward(struct btree *tree, struct lg_slice from, struct leaf_batch *batch);
/* Reverse: rows with key < below, of the leaf where the greatest of them belongs (empty: the last leaf). */
void btree_batch_reverse(struct btree *tree, struct lg_slice below, struct leaf_batch *batch);

/* Gives the leaf an opened word, if it still has look's version and none yet. False: it changed, or is exported. */
bool btree_leaf_export(const struct leaf_look *look, word_idx word);
/* The leaf's word, 0 if it has none. */
word_idx btree_leaf_exported(const struct btree_leaf *leaf);
/* Takes it away again; the caller retires the word. Waits for the leaf's lock. */
void btree_leaf_unexport(struct btree_leaf *leaf);

/* For tests and `pod check`: walks the whole tree of a quiet pod; NULL, or a sentence that names what is wrong. */
const char *btree_check(struct btree *tree, uint64_t *row_count);

#endif
