/* btree_remove.c: taking a row out, and unlinking leaves that have become empty.
 *
 * A leaf that is left empty is unlinked by extending a neighbour under the same parent over its range; its own look-outs
 * fail for ever after (obsolete), the neighbour's once. An inner node whose last child is empty has no neighbour to offer: that child
 * moves to the inner node beside it, under the common parent, and the unlinking goes on from there; a root with one
 * child is replaced by the child. So a queue (rows added at one end, taken at the other) does not leave empty nodes behind.
 *
 * Locks: parent, then its children from left to right, each tried, never waited for. When one cannot be had, the
 * unlinking starts over, a few times; then the empty leaf stays where it is, which is right too, until the next try.
 */
#include "cxl/pod.h"
#include "engine/btree_node.h"

enum { UNLINK_TRIES = 16 };

/* A parent and two neighbours under it, locked: children `at` and `at + 1`, divided by separator `at`. */
struct pair {
	struct inner *parent;
	struct node *left, *right;
	uint64_t parent_version, left_version, right_version;
	unsigned at;
};

static bool node_lock_now(struct node *node, uint64_t *version)
{
	/* [btree.version] Acquire. */
	*version = atomic_load_explicit(&node->version, memory_order_acquire);
	return !(*version & (NODE_LOCKED | NODE_OBSOLETE)) && node_try_lock(node, *version);
}

/* Locks the child at step->child with its left neighbour, or the right one if it is the first. */
static bool pair_lock(const struct path_step *step, struct pair *pair)
{
	*pair = (struct pair){.parent = step->node, .parent_version = step->version};
	if (!node_try_lock(&pair->parent->node, pair->parent_version))
		return false;
	pair->at = step->child ? step->child - 1 : 0;
	pair->left = inner_child(pair->parent, pair->at);
	pair->right = inner_child(pair->parent, pair->at + 1);
	if (node_lock_now(pair->left, &pair->left_version)) {
		if (node_lock_now(pair->right, &pair->right_version))
			return true;
		node_unlock_same(pair->left, pair->left_version);
	}
	node_unlock_same(&pair->parent->node, pair->parent_version);
	return false;
}

static void pair_unlock_same(const struct pair *pair)
{
	node_unlock_same(pair->right, pair->right_version);
	node_unlock_same(pair->left, pair->left_version);
	node_unlock_same(&pair->parent->node, pair->parent_version);
}

/* One of the pair is gone, the other has changed. */
static void pair_unlock_gone(const struct pair *pair, bool left_gone)
{
	if (left_gone) {
		node_unlock_obsolete(pair->left, pair->left_version);
		node_unlock_changed(pair->right, pair->right_version);
	} else {
		node_unlock_obsolete(pair->right, pair->right_version);
		node_unlock_changed(pair->left, pair->left_version);
	}
	node_unlock_changed(&pair->parent->node, pair->parent_version);
}

static bool leaf_is_spare(const struct btree_leaf *leaf)
{
	/* Relaxed: a glance, or under the lock. */
	return node_count(&leaf->node) == 0 && atomic_load_explicit(&leaf->node.exported, memory_order_relaxed) == 0;
}

struct unlink {
	struct btree *tree;
	struct heap_local *local;
	struct cxl_port *port;
	uint64_t epoch;
};

/* The epoch for what has just become unreachable, read after that: [running.enter] in host.h. The caller's may be older
 * than that of somebody who still saw it. */
static uint64_t unlink_epoch(const struct unlink *op)
{
	full_fence();
	uint64_t now = epoch_load(op->port);
	return now > op->epoch ? now : op->epoch;
}

/* Unlinks a spare leaf, child step->child of a node that has two children at least. */
static void leaf_unlink(const struct unlink *op, const struct path_step *step)
{
	struct pair pair;
	if (!pair_lock(step, &pair))
		return;
	bool left_gone = step->child == 0;
	struct node *gone = left_gone ? pair.left : pair.right, *kept = left_gone ? pair.right : pair.left;
	if (!leaf_is_spare((struct btree_leaf *)gone)) {
		pair_unlock_same(&pair);
		return;
	}
	struct bound *separator = inner_separator(pair.parent, pair.at);
	if (left_gone)
		node_set_bounds(kept, node_lo(gone), node_hi(kept));
	else
		node_set_bounds(kept, node_lo(kept), node_hi(gone));
	node_fit_prefix(kept, node_prefix(kept));
	leaf_bump_word((struct btree_leaf *)kept, op->port, NULL);
	inner_take(pair.parent, pair.at, left_gone);
	pair_unlock_gone(&pair, left_gone);
	uint64_t epoch = unlink_epoch(op);
	node_retire(op->local, gone, epoch);
	bound_retire(op->local, separator, epoch);
}

/* Moves the only child of an inner node to the inner node beside it. False: there is no room, or something changed. */
static bool inner_merge(const struct unlink *op, const struct path_step *step)
{
	struct pair pair;
	if (!pair_lock(step, &pair))
		return true;
	bool left_gone = step->child == 0;
	struct inner *gone = (struct inner *)(left_gone ? pair.left : pair.right);
	struct inner *kept = (struct inner *)(left_gone ? pair.right : pair.left);
	unsigned count = node_count(&kept->node);
	if (node_count(&gone->node) != 0 || count == INNER_SEPARATORS) {
		bool full = count == INNER_SEPARATORS;
		pair_unlock_same(&pair);
		return !full;
	}
	struct bound *separator = inner_separator(pair.parent, pair.at);
	if (left_gone)
		node_set_bounds(&kept->node, node_lo(&gone->node), node_hi(&kept->node));
	else
		node_set_bounds(&kept->node, node_lo(&kept->node), node_hi(&gone->node));
	inner_fit_prefix(kept);
	inner_put(kept, left_gone ? 0 : count, separator, inner_child(gone, 0), left_gone);
	inner_take(pair.parent, pair.at, left_gone); /* the separator has moved down */
	pair_unlock_gone(&pair, left_gone);
	node_retire(op->local, &gone->node, unlink_epoch(op));
	return true;
}

/* Replaces a root that has one child by that child. */
static void root_drop(const struct unlink *op, const struct path_step *step)
{
	struct node *root = &step->node->node;
	if (!node_try_lock(root, step->version))
		return;
	assert(node_count(root) == 0);
	/* [btree.publish] Release; pairs with the acquire in btree_descend(). */
	atomic_store_explicit(&op->tree->root, inner_child(step->node, 0), memory_order_release);
	node_unlock_obsolete(root, step->version);
	node_retire(op->local, root, unlink_epoch(op));
}

/* Unlinks the leaf of `key` if nothing is in it. */
static void unlink_spare(const struct unlink *op, struct lg_slice key)
{
	for (unsigned tries = 0; tries < UNLINK_TRIES; tries++) {
		struct path path;
		uint64_t version;
		struct btree_leaf *leaf = btree_descend(op->tree, key, false, &path, &version);
		if (!leaf_is_spare(leaf) || path.depth == 0)
			return;
		/* The lowest node with two children; all below it to the leaf have one. Counts that were read too late are
		 * noticed when the node is locked. */
		unsigned depth = path.depth;
		while (depth && node_count(&path.step[depth - 1].node->node) == 0)
			depth--;
		if (depth == path.depth)
			leaf_unlink(op, &path.step[depth - 1]);
		else if (depth == 0)
			root_drop(op, &path.step[0]);
		else if (!inner_merge(op, &path.step[depth - 1]))
			return;
	}
}

bool btree_remove(
        struct btree *tree, struct heap_local *local, struct cxl_port *port, uint64_t epoch, const struct row *row)
{
	struct lg_slice key = row_key(row);
	if (!key_in_bounds(key, tree->lo, tree->hi))
		return false;
	for (;;) {
		uint64_t version;
		struct btree_leaf *leaf = btree_descend(tree, key, false, NULL, &version);
		struct node *node = &leaf->node;
		unsigned at = node_rank(node, key, false), count = node_count(node);
		if (at >= count || leaf_row(leaf, at) != row) {
			if (node_holds(node, version))
				return false;
			continue;
		}
		if (!node_try_lock(node, version))
			continue;
		leaf_take(leaf, at);
		leaf_bump_word(leaf, port, NULL);
		bool spare = leaf_is_spare(leaf);
		node_unlock_changed(node, version);
		if (spare)
			unlink_spare(&(struct unlink){tree, local, port, epoch}, key);
		return true;
	}
}
