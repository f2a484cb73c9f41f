/* btree_batch.c: the rows of one leaf at one moment, for scans. There are no pointers between leaves: a scan goes on from the
 * leaf's bound, by a descent. */
#include "engine/btree_node.h"

/* Copies rows [from, to), or the other way round, and the bound on that side. False: the leaf changed meanwhile. A bound
 * never changes, and lives as long as the caller's epoch. */
static bool batch_take(const struct btree *tree, struct btree_leaf *leaf, uint64_t version, unsigned from, unsigned to,
        bool reverse, struct leaf_batch *batch)
{
	batch->look = (struct leaf_look){leaf, version};
	batch->count = from < to ? to - from : 0;
	for (unsigned i = 0; i < batch->count; i++)
		batch->rows[i] = leaf_row(leaf, reverse ? to - 1 - i : from + i);
	const struct bound *bound = reverse ? node_lo(&leaf->node) : node_hi(&leaf->node);
	if (!node_holds(&leaf->node, version))
		return false;
	/* Only now: the caller's key may be the bound of the batch before, in this same place. */
	batch->last = bound == (reverse ? tree->lo : tree->hi);
	batch->bound_bytes = 0;
	if (!batch->last) {
		batch->bound_bytes = bound->bytes;
		memcpy(batch->bound, bound->data, bound->bytes);
	}
	return true;
}

void btree_batch_forward(struct btree *tree, struct lg_slice from, struct leaf_batch *batch)
{
	/* Beyond the tree's bounds: all of the first leaf, or nothing of the last. */
	bool all = !from.bytes || (tree->lo && key_compare(from, bound_key(tree->lo)) < 0);
	bool none = !all && tree->hi && key_compare(from, bound_key(tree->hi)) >= 0;
	struct lg_slice key = none ? bound_key(tree->hi) : from;
	if (all)
		key = tree->lo ? bound_key(tree->lo) : lg_slice("", 0);
	for (;;) {
		uint64_t version;
		struct btree_leaf *leaf = btree_descend(tree, key, none, NULL, &version);
		unsigned count = node_count(&leaf->node);
		unsigned at = none ? count : all ? 0 : node_rank(&leaf->node, key, false);
		if (batch_take(tree, leaf, version, at, count, false, batch))
			return;
	}
}

/* The last leaf of a tree without upper bound: its rightmost children. */
static struct btree_leaf *descend_last(const struct btree *tree, uint64_t *leaf_version)
{
	for (;;) {
		/* [btree.publish] Acquire, as in btree_descend(). */
		struct node *node = atomic_load_explicit(&tree->root, memory_order_acquire);
		uint64_t version, child_version;
		if (!node_look(node, &version) || atomic_load_explicit(&tree->root, memory_order_acquire) != node)
			continue;
		while (node->level) {
			struct node *child = inner_child((struct inner *)node, node_count(node));
			if (!child || !node_look(child, &child_version) || !node_holds(node, version))
				break;
			node = child;
			version = child_version;
		}
		if (node->level)
			continue;
		*leaf_version = version;
		return (struct btree_leaf *)node;
	}
}

void btree_batch_reverse(struct btree *tree, struct lg_slice below, struct leaf_batch *batch)
{
	bool all = !below.bytes || (tree->hi && key_compare(below, bound_key(tree->hi)) >= 0);
	bool none = !all && tree->lo && key_compare(below, bound_key(tree->lo)) <= 0;
	struct lg_slice key = none ? bound_key(tree->lo) : below;
	for (;;) {
		uint64_t version;
		struct btree_leaf *leaf =
		        all ? descend_last(tree, &version) : btree_descend(tree, key, !none, NULL, &version);
		unsigned count = node_count(&leaf->node);
		unsigned end = none ? 0 : all ? count : node_rank(&leaf->node, key, false);
		if (batch_take(tree, leaf, version, 0, end, true, batch))
			return;
	}
}
