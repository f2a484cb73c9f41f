/* btree.c: trees as a whole, look-ups, and the words of exported leaves. How nodes work stands in btree_node.h. */
#include "engine/btree_node.h"

struct btree *btree_create(struct heap_local *local, struct lg_slice lo, struct lg_slice hi)
{
	assert(!lo.bytes || !hi.bytes || key_compare(lo, hi) < 0);
	struct btree *tree = heap_alloc(local, sizeof *tree);
	struct btree_leaf *leaf = leaf_create(local);
	struct bound *low = lo.bytes ? bound_create(local, lo) : NULL;
	struct bound *high = hi.bytes ? bound_create(local, hi) : NULL;
	if (!tree || !leaf || (lo.bytes && !low) || (hi.bytes && !high)) {
		if (tree)
			heap_free(local, tree, sizeof *tree);
		if (leaf)
			node_free(local, &leaf->node);
		if (low)
			bound_free(local, low);
		if (high)
			bound_free(local, high);
		return NULL;
	}
	tree->lo = low;
	tree->hi = high;
	node_set_bounds(&leaf->node, low, high);
	node_fit_prefix(&leaf->node, 0);
	atomic_init(&tree->root, &leaf->node);
	return tree;
}

static void row_free(struct heap_local *local, struct row *row)
{
	struct row_ext *ext = atomic_load_explicit(&row->ext, memory_order_relaxed); /* nobody else is there */
	if (ext)
		heap_free(local, ext, sizeof *ext + ext->capacity);
	heap_free(local, row, row_alloc_bytes(row));
}

/* Recursive: as deep as the tree, at most BTREE_MAX_DEPTH. */
static void node_destroy(struct heap_local *local, struct node *node)
{
	unsigned count = node_count(node);
	if (node->level == 0) {
		for (unsigned i = 0; i < count; i++)
			row_free(local, leaf_row((struct btree_leaf *)node, i));
	} else {
		struct inner *inner = (struct inner *)node;
		for (unsigned i = 0; i <= count; i++)
			node_destroy(local, inner_child(inner, i));
		for (unsigned i = 0; i < count; i++)
			bound_free(local, inner_separator(inner, i));
	}
	node_free(local, node);
}

void btree_destroy(struct btree *tree, struct heap_local *local)
{
	node_destroy(local, atomic_load_explicit(&tree->root, memory_order_acquire));
	if (tree->lo)
		bound_free(local, tree->lo);
	if (tree->hi)
		bound_free(local, tree->hi);
	heap_free(local, tree, sizeof *tree);
}

/* The row of a key, of which prefix and head were found equal. */
static inline bool row_has_key(const struct row *row, struct lg_slice key, size_t compared)
{
	if (row->key_bytes != key.bytes)
		return false;
	return key.bytes <= compared ||
	       memcmp(row->data + compared, (const uint8_t *)key.data + compared, key.bytes - compared) == 0;
}

/* leaf_find() where several rows have the key's head. */
static struct row *leaf_find_among(const struct btree_leaf *leaf, struct lg_slice key, uint64_t head, unsigned from)
{
	unsigned at = node_rank_equal(&leaf->node, key, head, from, false);
	if (at >= node_count(&leaf->node))
		return NULL;
	struct row *row = leaf_row(leaf, at);
	return row && row_has_key(row, key, 0) ? row : NULL;
}

static inline __attribute__((always_inline)) struct row *leaf_find(const struct btree_leaf *leaf, struct lg_slice key)
{
	const struct node *node = &leaf->node;
	unsigned prefix = atomic_load_explicit(&node->prefix, memory_order_relaxed);
	if (unlikely(prefix & NODE_PREFIX_CHECK)) {
		prefix &= ~(unsigned)NODE_PREFIX_CHECK;
		if (node_prefix_order(node, key))
			return NULL;
	}
	uint64_t head = key_head(key, prefix);
	unsigned at = node_heads_below(node, head), count = node_count(node);
	if (at >= count || node_head(node, at) != head)
		return NULL;
	struct row *row = leaf_row(leaf, at);
	if (unlikely(!row))
		return NULL; /* in the middle of a change */
	if (row_has_key(row, key, prefix + 8))
		return row;
	if (at + 1 >= count || node_head(node, at + 1) != head)
		return NULL;
	return leaf_find_among(leaf, key, head, at);
}

/* A key outside of the tree's bounds: there is no such row, and the leaf next to it would tell if one could come. */
static struct row *find_outside(struct btree *tree, struct lg_slice key, struct leaf_look *look)
{
	const struct bound *next = tree->lo && key_compare(key, bound_key(tree->lo)) < 0 ? tree->lo : tree->hi;
	if (look)
		look->leaf = btree_descend(tree, bound_key(next), next == tree->hi, NULL, &look->version);
	return NULL;
}

struct row *btree_find(struct btree *tree, struct lg_slice key, struct leaf_look *look)
{
	if (unlikely(!key_in_bounds(key, tree->lo, tree->hi)))
		return find_outside(tree, key, look);
	for (;;) {
		uint64_t version;
		const struct btree_leaf *leaf = btree_descend(tree, key, false, NULL, &version);
		struct row *row = leaf_find(leaf, key);
		if (unlikely(!node_holds(&leaf->node, version)))
			continue;
		if (look)
			*look = (struct leaf_look){(struct btree_leaf *)(uintptr_t)leaf, version};
		return row;
	}
}

bool btree_look_holds(const struct leaf_look *look)
{
	return node_holds(&look->leaf->node, look->version);
}

/* ---- Exported leaves --------------------------------------------------------------------------------------------- */

bool btree_leaf_export(const struct leaf_look *look, word_idx word)
{
	struct node *node = &look->leaf->node;
	if (!node_try_lock(node, look->version))
		return false;
	/* Relaxed: changes under the lock alone, whose release publishes it. */
	bool free = atomic_load_explicit(&node->exported, memory_order_relaxed) == 0;
	if (free)
		atomic_store_explicit(&node->exported, word, memory_order_relaxed);
	node_unlock_same(node, look->version);
	return free;
}

word_idx btree_leaf_exported(const struct btree_leaf *leaf)
{
	/* [btree.version] Acquire would add nothing: the caller checks its look, or the word. */
	return atomic_load_explicit(&leaf->node.exported, memory_order_relaxed);
}

void btree_leaf_unexport(struct btree_leaf *leaf)
{
	uint64_t version;
	do {
		bool there = node_wait(&leaf->node, &version);
		assert(there); /* an exported leaf is never unlinked */
	} while (!node_try_lock(&leaf->node, version));
	atomic_store_explicit(&leaf->node.exported, 0, memory_order_relaxed); /* the unlock publishes it */
	node_unlock_same(&leaf->node, version);
}
