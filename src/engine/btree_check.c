/* btree_check.c: whether a quiet tree is what btree_node.h says: for tests, and for checking a pod. */
#include "engine/btree_node.h"

#include <stdio.h>

struct check {
	const struct btree *tree;
	uint64_t rows;
	struct lg_slice last; /* key of the row before; data NULL: none yet */
};

static const char *check_heads(const struct node *node)
{
	unsigned count = node_count(node), prefix = node_prefix(node);
	struct lg_slice first = {NULL, 0}, key = {NULL, 0};
	for (unsigned i = 0; i < NODE_SLOTS; i++) {
		if (i >= count) {
			if (node_head(node, i) != UINT64_MAX)
				return "a head beyond a node's count is not the filler";
			if (node_entry(node, i, &key))
				return "a slot beyond a node's count is not empty";
			continue;
		}
		if (!node_entry(node, i, &key))
			return "a slot within a node's count is empty";
		if (i == 0)
			first = key;
		if (key.bytes < prefix || memcmp(key.data, first.data, prefix) != 0)
			return "an entry does not begin with its node's prefix";
		if (node_head(node, i) != key_head(key, prefix))
			return "a head is not that of its key";
		if (!key_in_bounds(key, node_lo(node), node_hi(node)))
			return "an entry is outside of its node's bounds";
	}
	for (unsigned i = 0; i < NODE_GROUP; i++) {
		uint64_t last = i < NODE_GROUP - 1 ? node_head(node, i * NODE_GROUP + NODE_GROUP - 1) : UINT64_MAX;
		if (atomic_load_explicit(&node->hints[i], memory_order_relaxed) != last)
			return "a hint is not its group's last head";
	}
	return NULL;
}

static const char *check_fields(const struct node *node, const struct bound *lo, const struct bound *hi, unsigned level)
{
	uint64_t version = atomic_load_explicit(&node->version, memory_order_acquire);
	unsigned raw = atomic_load_explicit(&node->prefix, memory_order_relaxed);
	if (version & NODE_LOCKED)
		return "a node is locked in a quiet tree";
	if (version & NODE_OBSOLETE)
		return "an unlinked node is in the tree";
	if (node->level != level)
		return "a leaf is not as deep as the others";
	if (node_lo(node) != lo || node_hi(node) != hi)
		return "a node's bounds are not the separators around it";
	if (node_count(node) > (level ? INNER_SEPARATORS : NODE_SLOTS))
		return "a node holds more than it can";
	if (lo && hi && raw != key_common_bytes(bound_key(lo), bound_key(hi)))
		return "a node's prefix is not what its bounds share";
	if ((raw & NODE_PREFIX_CHECK) && (raw == NODE_PREFIX_CHECK || (lo && hi) || node_count(node) == 0))
		return "a node's prefix need not be checked";
	if (raw && !(raw & NODE_PREFIX_CHECK) && (!lo || !hi))
		return "a node's prefix must be checked";
	return check_heads(node);
}

static const char *check_leaf(struct check *check, const struct btree_leaf *leaf)
{
	for (unsigned i = 0; i < node_count(&leaf->node); i++) {
		struct lg_slice key = row_key(leaf_row(leaf, i));
		if (key.bytes == 0 || key.bytes > LG_MAX_KEY_BYTES)
			return "a key's length is out of range";
		if (check->last.data && key_compare(check->last, key) >= 0)
			return "rows are not in ascending order";
		check->last = key;
		check->rows++;
	}
	return NULL;
}

static const char *check_node(
        struct check *check, const struct node *node, const struct bound *lo, const struct bound *hi, unsigned level)
{
	const char *wrong = check_fields(node, lo, hi, level);
	if (wrong)
		return wrong;
	if (level == 0)
		return check_leaf(check, (const struct btree_leaf *)node);
	const struct inner *inner = (const struct inner *)node;
	unsigned count = node_count(node);
	for (unsigned i = 0; i < NODE_SLOTS; i++)
		if ((inner_child(inner, i) != NULL) != (i <= count))
			return "an inner node has not one child more than separators";
	for (unsigned i = 0; i + 1 < count; i++)
		if (key_compare(bound_key(inner_separator(inner, i)), bound_key(inner_separator(inner, i + 1))) >= 0)
			return "separators are not in ascending order";
	for (unsigned i = 0; i <= count && !wrong; i++)
		wrong = check_node(check, inner_child(inner, i), i ? inner_separator(inner, i - 1) : lo,
		        i < count ? inner_separator(inner, i) : hi, level - 1);
	return wrong;
}

const char *btree_check(struct btree *tree, uint64_t *row_count)
{
	struct check check = {.tree = tree};
	const struct node *root = atomic_load_explicit(&tree->root, memory_order_acquire);
	const char *wrong = check_node(&check, root, tree->lo, tree->hi, root->level);
	if (row_count)
		*row_count = check.rows;
	return wrong;
}
