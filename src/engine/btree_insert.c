/* btree_insert.c: adding a row, and the splits that it takes.
 *
 * The leaf has room: it is locked from the version seen, and changed. It is full: its parent is locked, then the leaf;
 * the right part goes to a new leaf, the row to where it belongs, and the parent gets a separator; so the leaf's version changes
 * once, and its transaction can tell its own change from another's. If the parent is full, it is split first in the same
 * way (or, the first ancestor under one with room), and the insert starts over. Locks are taken from parent to child,
 * never waited for: a lock that cannot be had means that something changed, and the descent starts over.
 *
 * Where a leaf is split: rows that are added one behind the other leave full leaves behind them, so the split is at the
 * place of the insert. In the middle of the key space (an order of one district, behind which the next district begins) what
 * follows moves out, and the leaf goes on to be filled. Else in the middle.
 */
#include "engine/btree_node.h"

enum {
	INSERT_AGAIN = -1, /* not an enum lg_code */
	RUN_LENGTH = 8,    /* so many neighbours in a row tell of an order in the inserts */
};

struct insert {
	struct btree *tree;
	struct heap_local *local;
	struct cxl_port *port;
	struct row *row;
	struct leaf_change *change;
	struct path path;
	struct btree_leaf *leaf;
	uint64_t version;
	unsigned at;
};

/* The locks of a split: a node and its parent, if it has one. */
struct split_locks {
	struct inner *parent;
	uint64_t parent_version;
	unsigned child;
	struct node *node;
	uint64_t version;
};

/* Locks a node that lies `depth` inner nodes below the root, and its parent. */
static bool split_lock(
        const struct path *path, unsigned depth, struct node *node, uint64_t version, struct split_locks *locks)
{
	*locks = (struct split_locks){.node = node, .version = version};
	if (depth) {
		const struct path_step *step = &path->step[depth - 1];
		locks->parent = step->node;
		locks->parent_version = step->version;
		locks->child = step->child;
		if (!node_try_lock(&locks->parent->node, locks->parent_version))
			return false;
	}
	if (node_try_lock(node, version))
		return true;
	if (locks->parent)
		node_unlock_same(&locks->parent->node, locks->parent_version);
	return false;
}

static void split_unlock_same(const struct split_locks *locks)
{
	node_unlock_same(locks->node, locks->version);
	if (locks->parent)
		node_unlock_same(&locks->parent->node, locks->parent_version);
}

static void split_unlock_changed(const struct split_locks *locks)
{
	node_unlock_changed(locks->node, locks->version);
	if (locks->parent)
		node_unlock_changed(&locks->parent->node, locks->parent_version);
}

/* Enters the right half of a split into the parent, or into the new root. */
static void split_attach(struct btree *tree, const struct split_locks *locks, struct inner *root,
        struct bound *separator, struct node *right)
{
	if (locks->parent) {
		inner_put(locks->parent, locks->child, separator, right, false);
		return;
	}
	/* Relaxed: nobody sees the root yet. */
	atomic_store_explicit(&root->children[0], locks->node, memory_order_relaxed);
	node_set_bounds(&root->node, tree->lo, tree->hi);
	inner_put(root, 0, separator, right, false);
	/* [btree.publish] Release; pairs with the acquire in btree_descend(). */
	atomic_store_explicit(&tree->root, &root->node, memory_order_release);
}

/* Splits the inner node that is step `depth` of the path; its parent has room, or it is the root. */
static int inner_split(struct insert *op, unsigned depth)
{
	struct inner *inner = op->path.step[depth].node;
	struct split_locks locks;
	if (!split_lock(&op->path, depth, &inner->node, op->path.step[depth].version, &locks))
		return INSERT_AGAIN;
	struct inner *right = inner_create(op->local, inner->node.level);
	struct inner *root = locks.parent ? NULL : inner_create(op->local, inner->node.level + 1u);
	if (!right || (!locks.parent && !root)) {
		split_unlock_same(&locks);
		if (right)
			node_free(op->local, &right->node);
		if (root)
			node_free(op->local, &root->node);
		return LG_NOSPACE;
	}
	unsigned count = node_count(&inner->node);
	bool at_end = op->path.step[depth].child == count;
	struct bound *separator = inner_move(inner, at_end ? count - 2 : count / 2, right);
	node_set_bounds(&right->node, separator, node_hi(&inner->node));
	node_set_bounds(&inner->node, node_lo(&inner->node), separator);
	inner_fit_prefix(right);
	inner_fit_prefix(inner);
	split_attach(op->tree, &locks, root, separator, &right->node);
	split_unlock_changed(&locks);
	return INSERT_AGAIN;
}

/* Where to cut a full leaf: rows from `cut` on go right; the new one goes left or right. */
struct leaf_cut {
	unsigned cut;
	bool left;
};

static struct leaf_cut leaf_cut_choose(const struct btree_leaf *leaf, unsigned at)
{
	int run = leaf->node.run;
	bool ascending = run >= RUN_LENGTH && at == leaf->node.last_at + 1u;
	bool descending = run <= -RUN_LENGTH && at == leaf->node.last_at;
	if (ascending)
		return (struct leaf_cut){at, at < NODE_SLOTS};
	if (descending)
		return (struct leaf_cut){at, at == 0};
	return (struct leaf_cut){NODE_SLOTS / 2, at <= NODE_SLOTS / 2};
}

/* The shortest key that divides the two halves. */
static struct lg_slice leaf_cut_key(const struct insert *op, struct leaf_cut where)
{
	struct lg_slice last, first, key = row_key(op->row);
	if (where.left && op->at == where.cut)
		last = key;
	else
		last = row_key(leaf_row(op->leaf, where.cut - 1));
	if (!where.left && op->at == where.cut)
		first = key;
	else
		first = row_key(leaf_row(op->leaf, where.cut));
	first.bytes = key_common_bytes(last, first) + 1;
	return first;
}

/* How many bytes all rows of a full leaf and the new one share. */
static size_t leaf_shared_bytes(const struct insert *op)
{
	struct lg_slice first = row_key(leaf_row(op->leaf, 0)), last = row_key(leaf_row(op->leaf, NODE_SLOTS - 1));
	size_t old = key_common_bytes(first, last), with_new = key_common_bytes(first, row_key(op->row));
	return old < with_new ? old : with_new;
}

static void leaf_divide(struct insert *op, struct leaf_cut where, struct bound *separator, struct btree_leaf *right)
{
	struct btree_leaf *left = op->leaf;
	size_t shared = leaf_shared_bytes(op);
	int16_t run = left->node.run;
	leaf_move(left, where.cut, right);
	if (where.left)
		leaf_put(left, op->at, op->row);
	else
		leaf_put(right, op->at - where.cut, op->row);
	/* The row's leaf goes on with the run. */
	(where.left ? left : right)->node.run = run;
	(where.left ? right : left)->node.run = 0;
	node_set_bounds(&right->node, separator, node_hi(&left->node));
	node_set_bounds(&left->node, node_lo(&left->node), separator);
	node_fit_prefix(&right->node, shared);
	node_fit_prefix(&left->node, shared);
}

static void insert_report(const struct insert *op, struct btree_leaf *right)
{
	leaf_bump_word(op->leaf, op->port, op->change);
	if (!op->change)
		return;
	op->change->before = (struct leaf_look){op->leaf, op->version};
	op->change->after = (struct leaf_look){op->leaf, op->version + NODE_CHANGE};
	op->change->split = (struct leaf_look){right, 0};
}

static int leaf_split(struct insert *op)
{
	struct split_locks locks;
	if (!split_lock(&op->path, op->path.depth, &op->leaf->node, op->version, &locks))
		return INSERT_AGAIN;
	struct leaf_cut where = leaf_cut_choose(op->leaf, op->at);
	struct btree_leaf *right = leaf_create(op->local);
	struct bound *separator = bound_create(op->local, leaf_cut_key(op, where));
	struct inner *root = locks.parent ? NULL : inner_create(op->local, 1);
	if (!right || !separator || (!locks.parent && !root)) {
		split_unlock_same(&locks);
		if (right)
			node_free(op->local, &right->node);
		if (separator)
			bound_free(op->local, separator);
		if (root)
			node_free(op->local, &root->node);
		return LG_NOSPACE;
	}
	leaf_divide(op, where, separator, right);
	insert_report(op, right);
	split_attach(op->tree, &locks, root, separator, &right->node);
	split_unlock_changed(&locks);
	return LG_OK;
}

/* The leaf is full. */
static int insert_split(struct insert *op)
{
	unsigned depth = op->path.depth;
	if (depth == 0 || node_count(&op->path.step[depth - 1].node->node) < INNER_SEPARATORS)
		return leaf_split(op);
	/* The topmost of the full inner nodes above the leaf. */
	depth--;
	while (depth && node_count(&op->path.step[depth - 1].node->node) == INNER_SEPARATORS)
		depth--;
	return inner_split(op, depth);
}

static int insert_place(struct insert *op)
{
	if (!node_try_lock(&op->leaf->node, op->version))
		return INSERT_AGAIN;
	leaf_put(op->leaf, op->at, op->row);
	insert_report(op, NULL);
	node_unlock_changed(&op->leaf->node, op->version);
	return LG_OK;
}

int btree_insert(struct btree *tree, struct heap_local *local, struct cxl_port *port, struct row *row,
        struct row **existing, struct leaf_change *change)
{
	struct insert op = {.tree = tree, .local = local, .port = port, .row = row, .change = change};
	struct lg_slice key = row_key(row);
	assert(key.bytes > 0 && key.bytes <= LG_MAX_KEY_BYTES && key_in_bounds(key, tree->lo, tree->hi));
	int result;
	do {
		op.leaf = btree_descend(tree, key, false, &op.path, &op.version);
		const struct node *node = &op.leaf->node;
		op.at = node_rank(node, key, false);
		unsigned count = node_count(node);
		struct row *there = NULL;
		if (op.at < count && node_head(node, op.at) == key_head(key, node_prefix(node)))
			there = leaf_row(op.leaf, op.at);
		if (there && key_compare(row_key(there), key) == 0) {
			if (node_holds(node, op.version)) {
				*existing = there;
				return LG_EXISTS;
			}
			result = INSERT_AGAIN;
		} else {
			result = count < NODE_SLOTS ? insert_place(&op) : insert_split(&op);
		}
	} while (unlikely(result == INSERT_AGAIN));
	return result;
}
