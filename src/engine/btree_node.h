/* btree_node.h: a node of the B+tree: its fields, its version, how a key is sought in it. Private to btree*.c.
 *
 *   0    version | count | prefix | level, ... | exported | lo, hi      the header's line
 *   64   hints[8]    heads[7], heads[15], ... heads[55], and one that is never below anything
 *   128  heads[64]   of the entries, ascending; beyond count: UINT64_MAX
 *   640  leaf: rows[64];  inner node: children[64], separators[64] (63 used)
 *
 * Entries: a leaf's rows, an inner node's separators. Separator i divides children i and i + 1: a key belongs to the child whose
 * index is the number of separators that are not above it.
 *
 * Bounds. Every node holds keys of lo <= key < hi; NULL is no bound. A bound is one block of memory wherever it is named:
 * it is a separator of exactly one inner node, which owns it, and the lo or hi of the nodes that it divides, at all levels
 * below. The outermost bounds are the tree's own.
 *
 * Prefix and heads. All entries of a node begin with the same `prefix` bytes; the head of an entry is the 8 bytes behind them
 * (padded with zeros), as a number whose order is memcmp order. Different heads decide a comparison; equal ones do not,
 * since keys may be longer, and "a" has the head of "a\0": then whole keys are compared.
 * A node between two bounds has their common prefix, which every key that gets there has too. A node without one of them takes the
 * prefix that its entries share, and NODE_PREFIX_CHECK tells that a key may have another.
 *
 * Versions: bit 0 locked, bit 1 obsolete (unlinked), above them a count of changes. All that a reader touches without a
 * lock is an atomic; it believes nothing before node_holds() has said so, but what it reads is always harmless: a
 * pointer is NULL or leads to something that is not freed in this epoch.
 *
 *   [btree.version]  node_unlock_changed() releases, node_look() acquires: the content of a version before its number.
 *   [btree.second]   node_try_lock() is a locked instruction before every change; node_holds() loads after an acquire
 *                    fence: who saw a part of a change sees the lock or a later version.
 *   [btree.publish]  rows, children, separators and bounds are stored with release, loaded with acquire: what they point
 *                    to is whole.
 */
#ifndef LIGER_ENGINE_BTREE_NODE_H
#define LIGER_ENGINE_BTREE_NODE_H

#include <assert.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "engine/btree.h"

enum {
	NODE_SLOTS = 64,
	NODE_GROUP = 8, /* heads a cache line */
	INNER_SEPARATORS = NODE_SLOTS - 1,
	BTREE_MAX_DEPTH = 16, /* inner nodes on a path; each level more needs some 30 times the splits */
	NODE_LOCKED = 1,
	NODE_OBSOLETE = 2,
	NODE_CHANGE = 4,
	NODE_PREFIX_CHECK = 0x8000,
};
static_assert((int)BTREE_LEAF_ROWS == (int)NODE_SLOTS, "a leaf's slots are its rows");
static_assert(LG_MAX_KEY_BYTES < NODE_PREFIX_CHECK, "a prefix leaves the bit free");

struct bound {
	uint16_t bytes;
	uint8_t data[];
};

struct node {
	_Atomic uint64_t version;
	_Atomic uint16_t count;
	_Atomic uint16_t prefix;   /* bytes, and NODE_PREFIX_CHECK; never the bit when the count or the bytes are 0 */
	uint8_t level;             /* 0: a leaf */
	uint8_t last_at;           /* leaf: where the last insert went; under the lock, like run */
	int16_t run;               /* leaf: so many inserts came one behind another; negative: each before the last */
	_Atomic uint32_t exported; /* leaf: word_idx */
	struct bound *_Atomic lo;
	struct bound *_Atomic hi;
	_Alignas(64) _Atomic uint64_t hints[NODE_GROUP];
	_Alignas(64) _Atomic uint64_t heads[NODE_SLOTS];
};
static_assert(sizeof(struct node) == 640, "header, hints and heads are lines of their own");

struct btree_leaf {
	struct node node;
	struct row *_Atomic rows[NODE_SLOTS];
};

struct inner {
	struct node node;
	struct node *_Atomic children[NODE_SLOTS];
	struct bound *_Atomic separators[NODE_SLOTS];
};

struct btree {
	struct node *_Atomic root;
	struct bound *lo, *hi; /* NULL: none */
};

/* How a descent came to its leaf. */
struct path {
	unsigned depth;
	struct path_step {
		struct inner *node;
		uint64_t version;
		unsigned child;
	} step[BTREE_MAX_DEPTH];
};

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static inline struct lg_slice bound_key(const struct bound *bound)
{
	return lg_slice(bound->data, bound->bytes);
}

static inline int key_compare(struct lg_slice a, struct lg_slice b)
{
	size_t shared = a.bytes < b.bytes ? a.bytes : b.bytes;
	int order = shared ? memcmp(a.data, b.data, shared) : 0;
	return order ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static inline bool key_in_bounds(struct lg_slice key, const struct bound *lo, const struct bound *hi)
{
	return !(lo && key_compare(key, bound_key(lo)) < 0) && !(hi && key_compare(key, bound_key(hi)) >= 0);
}

static inline uint64_t load_big_endian(const uint8_t *data)
{
	uint64_t bytes;
	memcpy(&bytes, data, 8);
	return __builtin_bswap64(bytes);
}

/* The head of a key of 1 to 7 bytes, at offset 0. */
static inline uint64_t key_head_short(const uint8_t *data, size_t bytes)
{
	if (bytes >= 4) {
		uint32_t first, last; /* they overlap, where they agree */
		memcpy(&first, data, 4);
		memcpy(&last, data + bytes - 4, 4);
		return (uint64_t)__builtin_bswap32(first) << 32 | (uint64_t)__builtin_bswap32(last) << (64 - 8 * bytes);
	}
	return (uint64_t)data[0] << 56 | (bytes > 1 ? (uint64_t)data[1] << 48 : 0) |
	       (bytes > 2 ? (uint64_t)data[2] << 40 : 0);
}

/* The 8 bytes of a key from `from` on, zeros behind its end, so that numbers compare like keys. Reads no byte beyond it. */
static inline uint64_t key_head(struct lg_slice key, size_t from)
{
	const uint8_t *data = key.data;
	if (key.bytes >= from + 8)
		return load_big_endian(data + from);
	if (key.bytes <= from)
		return 0;
	if (key.bytes >= 8)
		return load_big_endian(data + key.bytes - 8) << (64 - 8 * (key.bytes - from));
	return key_head_short(data, key.bytes) << 8 * from;
}

/* ---- Fields ------------------------------------------------------------------------------------------------------
 * Relaxed where nothing is said: node_holds() or the lock decides whether the value counts. */

static inline unsigned node_count(const struct node *node)
{
	return atomic_load_explicit(&node->count, memory_order_relaxed);
}

static inline unsigned node_prefix(const struct node *node)
{
	return atomic_load_explicit(&node->prefix, memory_order_relaxed) & ~(unsigned)NODE_PREFIX_CHECK;
}

static inline uint64_t node_head(const struct node *node, unsigned i)
{
	return atomic_load_explicit(&node->heads[i], memory_order_relaxed);
}

/* [btree.publish] Acquire, all five. */
static inline struct row *leaf_row(const struct btree_leaf *leaf, unsigned i)
{
	return atomic_load_explicit(&leaf->rows[i], memory_order_acquire);
}

static inline struct node *inner_child(const struct inner *inner, unsigned i)
{
	return atomic_load_explicit(&inner->children[i], memory_order_acquire);
}

static inline struct bound *inner_separator(const struct inner *inner, unsigned i)
{
	return atomic_load_explicit(&inner->separators[i], memory_order_acquire);
}

static inline struct bound *node_lo(const struct node *node)
{
	return atomic_load_explicit(&node->lo, memory_order_acquire);
}

static inline struct bound *node_hi(const struct node *node)
{
	return atomic_load_explicit(&node->hi, memory_order_acquire);
}

/* False: no such entry (a reader may see that of a node in the middle of a change). */
static inline bool node_entry(const struct node *node, unsigned i, struct lg_slice *key)
{
	if (node->level == 0) {
		const struct row *row = leaf_row((const struct btree_leaf *)node, i);
		if (row)
			*key = row_key(row);
		return row;
	}
	const struct bound *separator = inner_separator((const struct inner *)node, i);
	if (separator)
		*key = bound_key(separator);
	return separator;
}

/* ---- Versions ---------------------------------------------------------------------------------------------------- */

/* Waits while the node is locked, and loads its version. False: it is obsolete. Lock holders hold it for a few
 * instructions, unless they are descheduled. */
bool node_wait(const struct node *node, uint64_t *version);

static inline bool node_look(const struct node *node, uint64_t *version)
{
	/* [btree.version] Acquire. */
	*version = atomic_load_explicit(&node->version, memory_order_acquire);
	return !unlikely(*version & (NODE_LOCKED | NODE_OBSOLETE)) || node_wait(node, version);
}

static inline bool node_holds(const struct node *node, uint64_t version)
{
#if !LG_TSAN
	atomic_thread_fence(memory_order_acquire); /* [btree.second] */
#endif
	return atomic_load_explicit(&node->version, memory_order_acquire) == version;
}

/* Locks the node if it is as it was seen. */
static inline bool node_try_lock(struct node *node, uint64_t version)
{
	/* [btree.second]; relaxed on failure: the caller starts over. */
	return atomic_compare_exchange_strong_explicit(
	        &node->version, &version, version | NODE_LOCKED, memory_order_acq_rel, memory_order_relaxed);
}

/* [btree.version] Release, all three; `version` is what it was before the lock. */
static inline void node_unlock_same(struct node *node, uint64_t version)
{
	atomic_store_explicit(&node->version, version, memory_order_release);
}

static inline void node_unlock_changed(struct node *node, uint64_t version)
{
	atomic_store_explicit(&node->version, version + NODE_CHANGE, memory_order_release);
}

static inline void node_unlock_obsolete(struct node *node, uint64_t version)
{
	atomic_store_explicit(&node->version, (version + NODE_CHANGE) | NODE_OBSOLETE, memory_order_release);
}

/* ---- Search ------------------------------------------------------------------------------------------------------ */

/* How many of eight numbers in one line are below `head`. */
static inline unsigned heads_below(const _Atomic uint64_t *eight, uint64_t head)
{
#if defined(__AVX512F__) && !LG_TSAN
	__m512i line = _mm512_load_si512((const void *)eight);
	return (unsigned)__builtin_popcount(_mm512_cmplt_epu64_mask(line, _mm512_set1_epi64((long long)head)));
#else
	unsigned below = 0;
	for (unsigned i = 0; i < NODE_GROUP; i++)
		below += atomic_load_explicit(&eight[i], memory_order_relaxed) < head;
	return below;
#endif
}

/* How many heads are below `head`: 0..64. Two lines are read, the second known as soon as the first is there. */
static inline unsigned node_heads_below(const struct node *node, uint64_t head)
{
	unsigned group = heads_below(node->hints, head) * NODE_GROUP;
	return group + heads_below(&node->heads[group], head);
}

/* Below, within or above the entries, which all begin with the node's prefix. */
int node_prefix_order(const struct node *node, struct lg_slice key);

/* node_rank() among entries with the key's head, the first of which is `from`. */
unsigned node_rank_equal(const struct node *node, struct lg_slice key, uint64_t head, unsigned from, bool or_equal);

/* How many entries are below the key, or (or_equal) not above it. */
static inline __attribute__((always_inline)) unsigned node_rank(
        const struct node *node, struct lg_slice key, bool or_equal)
{
	unsigned prefix = atomic_load_explicit(&node->prefix, memory_order_relaxed);
	if (unlikely(prefix & NODE_PREFIX_CHECK)) {
		prefix &= ~(unsigned)NODE_PREFIX_CHECK;
		int order = node_prefix_order(node, key);
		if (order)
			return order < 0 ? 0 : node_count(node);
	}
	uint64_t head = key_head(key, prefix);
	unsigned at = node_heads_below(node, head), count = node_count(node);
	if (at >= count)
		return count;
	if (node_head(node, at) != head)
		return at;
	return node_rank_equal(node, key, head, at, or_equal);
}

/* All lines that a search may want, at once: header, hints, heads, and rows or children. One wait for memory then costs
 * as much as one line, where looking at the hints first would make it three waits. */
static inline void node_prefetch(const struct node *node)
{
	for (size_t line = 0; line < sizeof(struct btree_leaf); line += 64)
		__builtin_prefetch((const char *)node + line);
}

/* The leaf for a key, and the version that it had then; not validated again. *path may be NULL. `below`: the leaf for the
 * greatest key below it instead. */
static inline __attribute__((always_inline)) struct btree_leaf *btree_descend(
        const struct btree *tree, struct lg_slice key, bool below, struct path *path, uint64_t *leaf_version)
{
	for (;;) {
		/* [btree.publish] Acquire, twice. A root that was replaced before its version was read is noticed here,
		 * later replacements change the version. */
		struct node *node = atomic_load_explicit(&tree->root, memory_order_acquire);
		uint64_t version;
		if (!node_look(node, &version) || atomic_load_explicit(&tree->root, memory_order_acquire) != node)
			continue;
		unsigned depth = 0;
		while (node->level) {
			struct inner *inner = (struct inner *)node;
			unsigned at = node_rank(node, key, !below);
			struct node *child = inner_child(inner, at);
			uint64_t child_version;
			if (unlikely(!child))
				break;
			node_prefetch(child);
			if (!node_look(child, &child_version) || unlikely(!node_holds(node, version)))
				break;
			if (path) {
				assert(depth < BTREE_MAX_DEPTH);
				path->step[depth++] = (struct path_step){inner, version, at};
			}
			node = child;
			version = child_version;
		}
		if (unlikely(node->level))
			continue;
		if (path)
			path->depth = depth;
		*leaf_version = version;
		return (struct btree_leaf *)node;
	}
}

/* ---- Changing a locked node (btree_node.c) ----------------------------------------------------------------------- */

struct bound *bound_create(struct heap_local *local, struct lg_slice key);
void bound_free(struct heap_local *local, struct bound *bound);
void bound_retire(struct heap_local *local, struct bound *bound, uint64_t epoch);

/* New nodes are empty and unlocked; nobody else sees them yet. NULL: no memory. */
struct btree_leaf *leaf_create(struct heap_local *local);
struct inner *inner_create(struct heap_local *local, unsigned level);
void node_free(struct heap_local *local, struct node *node);
void node_retire(struct heap_local *local, struct node *node, uint64_t epoch);

size_t key_common_bytes(struct lg_slice a, struct lg_slice b);

void node_set_bounds(struct node *node, struct bound *lo, struct bound *hi);
/* Takes the prefix that the bounds give; without them, that of the entries as far as they are known to share it: `shared`
 * bytes. Makes heads and hints anew if they change. */
void node_fit_prefix(struct node *node, size_t shared);

void leaf_put(struct btree_leaf *leaf, unsigned at, struct row *row);
void leaf_take(struct btree_leaf *leaf, unsigned at);
/* Moves the rows from `from` on to the empty leaf `to`. */
void leaf_move(struct btree_leaf *leaf, unsigned from, struct btree_leaf *to);

/* Separator `at`, and the child to its right, or (left) to its left. */
void inner_put(struct inner *inner, unsigned at, struct bound *separator, struct node *child, bool left);
/* Takes them out; both remain the caller's. */
void inner_take(struct inner *inner, unsigned at, bool left);
/* Moves separators and children behind separator `at` to the empty node `to`, and takes out that separator. */
struct bound *inner_move(struct inner *inner, unsigned at, struct inner *to);
/* An inner node's prefix, as node_fit_prefix(), from its entries. */
void inner_fit_prefix(struct inner *inner);

/* A change of an exported leaf's keys, before its unlock, is a change of its word. *change may be NULL. */
void leaf_bump_word(struct btree_leaf *leaf, struct cxl_port *port, struct leaf_change *change);

#endif
