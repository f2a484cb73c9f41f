/* btree_node.c: what is done to one node: waiting for it, searching among equal heads, changing it under its lock. */
#include "engine/btree_node.h"

#include <time.h>

#include "cxl/pod.h"

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

bool node_wait(const struct node *node, uint64_t *version)
{
	enum { SPINS = 1000, FIRST_PAUSE_NS = 1000, LAST_PAUSE_NS = 100000 };
	struct timespec pause = {0, FIRST_PAUSE_NS};
	for (unsigned spins = 0;; spins++) {
		/* [btree.version] Acquire. */
		*version = atomic_load_explicit(&node->version, memory_order_acquire);
		if (!(*version & NODE_LOCKED))
			return !(*version & NODE_OBSOLETE);
		if (spins < SPINS) {
			__builtin_ia32_pause();
			continue;
		}
		/* The holder has lost its core: give it this one. Being woken early by a signal is as good. */
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < LAST_PAUSE_NS)
			pause.tv_nsec *= 2;
	}
}

/* ---- Search among equal heads ------------------------------------------------------------------------------------ */

int node_prefix_order(const struct node *node, struct lg_slice key)
{
	struct lg_slice first;
	size_t prefix = node_prefix(node);
	if (!node_entry(node, 0, &first) || first.bytes < prefix)
		return -1; /* in the middle of a change, which the reader will notice */
	size_t shared = key.bytes < prefix ? key.bytes : prefix;
	int order = shared ? memcmp(key.data, first.data, shared) : 0;
	return order ? order : -(key.bytes < prefix);
}

unsigned node_rank_equal(const struct node *node, struct lg_slice key, uint64_t head, unsigned from, bool or_equal)
{
	unsigned low = from, high = node_count(node);
	/* The last one first: rows are often added in ascending order. */
	for (unsigned probe = high - 1; low < high; probe = low + (high - low) / 2) {
		bool counts = false;
		struct lg_slice entry;
		if (node_head(node, probe) == head && node_entry(node, probe, &entry))
			counts = key_compare(entry, key) < (int)or_equal;
		if (counts)
			low = probe + 1;
		else
			high = probe;
	}
	return low;
}

/* ---- Making and freeing ------------------------------------------------------------------------------------------ */

struct bound *bound_create(struct heap_local *local, struct lg_slice key)
{
	assert(key.bytes > 0 && key.bytes <= LG_MAX_KEY_BYTES);
	struct bound *bound = heap_alloc(local, sizeof *bound + key.bytes);
	if (!bound)
		return NULL;
	bound->bytes = (uint16_t)key.bytes;
	memcpy(bound->data, key.data, key.bytes);
	return bound;
}

void bound_free(struct heap_local *local, struct bound *bound)
{
	heap_free(local, bound, sizeof *bound + bound->bytes);
}

void bound_retire(struct heap_local *local, struct bound *bound, uint64_t epoch)
{
	heap_retire(local, bound, sizeof *bound + bound->bytes, epoch);
}

static void node_init(struct node *node, unsigned level)
{
	node->level = (uint8_t)level;
	/* Relaxed: nobody sees it before it is published with [btree.publish]. */
	for (unsigned i = 0; i < NODE_GROUP; i++)
		atomic_store_explicit(&node->hints[i], UINT64_MAX, memory_order_relaxed);
	for (unsigned i = 0; i < NODE_SLOTS; i++)
		atomic_store_explicit(&node->heads[i], UINT64_MAX, memory_order_relaxed);
}

struct btree_leaf *leaf_create(struct heap_local *local)
{
	struct btree_leaf *leaf = heap_alloc(local, sizeof *leaf);
	if (leaf) {
		memset(leaf, 0, sizeof *leaf);
		node_init(&leaf->node, 0);
	}
	return leaf;
}

struct inner *inner_create(struct heap_local *local, unsigned level)
{
	struct inner *inner = heap_alloc(local, sizeof *inner);
	if (inner) {
		memset(inner, 0, sizeof *inner);
		node_init(&inner->node, level);
	}
	return inner;
}

static size_t node_bytes(const struct node *node)
{
	return node->level ? sizeof(struct inner) : sizeof(struct btree_leaf);
}

void node_free(struct heap_local *local, struct node *node)
{
	heap_free(local, node, node_bytes(node));
}

void node_retire(struct heap_local *local, struct node *node, uint64_t epoch)
{
	heap_retire(local, node, node_bytes(node), epoch);
}

/* ---- Slots: moving an array's end by one -------------------------------------------------------------------------
 * Readers look on: every slot must change in one piece, which memmove() does not promise. Aligned 8-byte lanes of vector
 * moves do not tear on x86. Pointers that move are published already; release keeps that visible to ThreadSanitizer. */

typedef uint64_t slot_word __attribute__((may_alias));
typedef uint64_t slot_line __attribute__((vector_size(64), aligned(8), may_alias));

static inline void slot_copy(void *to, const void *from)
{
	uint64_t word = __atomic_load_n((const slot_word *)from, __ATOMIC_RELAXED);
	__atomic_store_n((slot_word *)to, word, __ATOMIC_RELEASE);
}

/* [at, end) to [at + 1, end + 1) */
static void slots_open(void *array, unsigned at, unsigned end)
{
	slot_word *slots = array;
	unsigned i = end;
	if (!LG_TSAN)
		for (; i >= at + NODE_GROUP; i -= NODE_GROUP)
			*(slot_line *)&slots[i - NODE_GROUP + 1] = *(const slot_line *)&slots[i - NODE_GROUP];
	for (; i > at; i--)
		slot_copy(&slots[i], &slots[i - 1]);
}

/* [at + 1, end) to [at, end - 1) */
static void slots_close(void *array, unsigned at, unsigned end)
{
	slot_word *slots = array;
	unsigned i = at;
	if (!LG_TSAN)
		for (; i + NODE_GROUP < end; i += NODE_GROUP)
			*(slot_line *)&slots[i] = *(const slot_line *)&slots[i + 1];
	for (; i + 1 < end; i++)
		slot_copy(&slots[i], &slots[i + 1]);
}

static void slots_copy(void *to, const void *from, unsigned count)
{
	slot_word *target = to;
	const slot_word *source = from;
	for (unsigned i = 0; i < count; i++)
		slot_copy(&target[i], &source[i]);
}

/* ---- Heads and prefix -------------------------------------------------------------------------------------------- */

static void node_set_count(struct node *node, unsigned count)
{
	atomic_store_explicit(&node->count, (uint16_t)count, memory_order_relaxed);
}

static void node_set_head(struct node *node, unsigned i, uint64_t head)
{
	atomic_store_explicit(&node->heads[i], head, memory_order_relaxed);
}

/* Hint i is the last head of group i; that of the last group is never needed, and stays UINT64_MAX. */
static void node_make_hints(struct node *node, unsigned changed_from)
{
	for (unsigned i = changed_from / NODE_GROUP; i < NODE_GROUP - 1; i++)
		atomic_store_explicit(
		        &node->hints[i], node_head(node, i * NODE_GROUP + NODE_GROUP - 1), memory_order_relaxed);
}

static void node_store_prefix(struct node *node, size_t prefix, bool check)
{
	atomic_store_explicit(
	        &node->prefix, (uint16_t)(prefix | (prefix && check ? NODE_PREFIX_CHECK : 0)), memory_order_relaxed);
}

static void node_make_heads(struct node *node)
{
	unsigned count = node_count(node), prefix = node_prefix(node);
	for (unsigned i = 0; i < count; i++) {
		struct lg_slice key;
		bool there = node_entry(node, i, &key);
		assert(there);
		node_set_head(node, i, key_head(key, prefix));
	}
	node_make_hints(node, 0);
}

size_t key_common_bytes(struct lg_slice a, struct lg_slice b)
{
	const uint8_t *x = a.data, *y = b.data;
	size_t shared = a.bytes < b.bytes ? a.bytes : b.bytes, i = 0;
	while (i < shared && x[i] == y[i])
		i++;
	return i;
}

void node_set_bounds(struct node *node, struct bound *lo, struct bound *hi)
{
	/* [btree.publish] Release. */
	atomic_store_explicit(&node->lo, lo, memory_order_release);
	atomic_store_explicit(&node->hi, hi, memory_order_release);
}

void node_fit_prefix(struct node *node, size_t shared)
{
	const struct bound *lo = node_lo(node), *hi = node_hi(node);
	size_t before = node_prefix(node), prefix = node_count(node) ? shared : 0;
	if (lo && hi)
		prefix = key_common_bytes(bound_key(lo), bound_key(hi));
	node_store_prefix(node, prefix, !lo || !hi);
	if (prefix != before)
		node_make_heads(node);
}

void inner_fit_prefix(struct inner *inner)
{
	unsigned count = node_count(&inner->node);
	size_t shared = 0;
	if (count >= 2)
		shared = key_common_bytes(
		        bound_key(inner_separator(inner, 0)), bound_key(inner_separator(inner, count - 1)));
	node_fit_prefix(&inner->node, shared);
}

/* The entries from `count` on have left the node. The hints are the caller's to make. */
static void node_truncate(struct node *node, unsigned count)
{
	for (unsigned i = count, end = node_count(node); i < end; i++)
		node_set_head(node, i, UINT64_MAX);
	node_set_count(node, count);
	if (count == 0 && (!node_lo(node) || !node_hi(node)))
		node_store_prefix(node, 0, false);
}

/* Opens a gap among the heads for the head of `key`. */
static void node_put_head(struct node *node, unsigned at, struct lg_slice key)
{
	unsigned count = node_count(node);
	assert(at <= count && count < NODE_SLOTS);
	slots_open(node->heads, at, count);
	node_set_head(node, at, key_head(key, node_prefix(node)));
	node_set_count(node, count + 1);
	node_make_hints(node, at);
}

static void node_take_head(struct node *node, unsigned at)
{
	unsigned count = node_count(node);
	assert(at < count);
	slots_close(node->heads, at, count);
	node_truncate(node, count - 1);
	node_make_hints(node, at);
}

/* ---- Leaves ------------------------------------------------------------------------------------------------------ */

static void leaf_set_row(struct btree_leaf *leaf, unsigned i, struct row *row)
{
	atomic_store_explicit(&leaf->rows[i], row, memory_order_release); /* [btree.publish] Release. */
}

void leaf_put(struct btree_leaf *leaf, unsigned at, struct row *row)
{
	struct node *node = &leaf->node;
	unsigned count = node_count(node);
	struct lg_slice key = row_key(row), first;
	if ((atomic_load_explicit(&node->prefix, memory_order_relaxed) & NODE_PREFIX_CHECK) &&
	        node_entry(node, 0, &first)) {
		size_t shared = key_common_bytes(key, first);
		if (shared < node_prefix(node))
			node_fit_prefix(node, shared);
	}
	slots_open(leaf->rows, at, count);
	leaf_set_row(leaf, at, row);
	node_put_head(node, at, key);
	if (at == node->last_at + 1u && count)
		node->run = (int16_t)(node->run < 0 ? 1 : node->run + (node->run < NODE_SLOTS));
	else if (at == node->last_at && count)
		node->run = (int16_t)(node->run > 0 ? -1 : node->run - (node->run > -NODE_SLOTS));
	else
		node->run = 0;
	node->last_at = (uint8_t)at;
}

void leaf_take(struct btree_leaf *leaf, unsigned at)
{
	unsigned count = node_count(&leaf->node);
	slots_close(leaf->rows, at, count);
	leaf_set_row(leaf, count - 1, NULL);
	node_take_head(&leaf->node, at);
	if (at <= leaf->node.last_at && leaf->node.last_at)
		leaf->node.last_at--;
}

void leaf_move(struct btree_leaf *leaf, unsigned from, struct btree_leaf *to)
{
	unsigned count = node_count(&leaf->node);
	slots_copy(to->rows, &leaf->rows[from], count - from);
	slots_copy(to->node.heads, &leaf->node.heads[from], count - from);
	node_set_count(&to->node, count - from);
	node_make_hints(&to->node, 0);
	atomic_store_explicit(
	        &to->node.prefix, atomic_load_explicit(&leaf->node.prefix, memory_order_relaxed), memory_order_relaxed);
	for (unsigned i = from; i < count; i++)
		leaf_set_row(leaf, i, NULL);
	/* Not node_truncate(): the prefix stays what the heads to come are made with, until node_fit_prefix(). */
	for (unsigned i = from; i < count; i++)
		node_set_head(&leaf->node, i, UINT64_MAX);
	node_set_count(&leaf->node, from);
	node_make_hints(&leaf->node, 0);
}

void leaf_bump_word(struct btree_leaf *leaf, struct cxl_port *port, struct leaf_change *change)
{
	/* Relaxed: it changes under the lock alone, which is ours. */
	word_idx exported = atomic_load_explicit(&leaf->node.exported, memory_order_relaxed);
	uint64_t before = 0;
	if (exported) {
		/* Others may set `used` in between; that a reader's mark gets lost costs nothing. */
		uint64_t word = word_load(port, word_ref_shared(exported));
		before = word & WORD_VERSION;
		/* A word's version is of no epoch to come: what is made unreachable later waits for its epoch (extent.h). The
		 * sequence of an epoch runs over when this leaf has changed 2^17 times in it. */
		if (unlikely(version_epoch(before + 1) > version_epoch(before)))
			epoch_reach(port, version_epoch(before + 1));
		word_install(port, word_ref_shared(exported), before + 1, word & WORD_USED);
		/* The loss rule: before a record that inserted here is sealed, which no scan of this leaf may overlook. */
		if (port->seals && !MUTANT(WRITE_BACK_LEAF_WORD))
			word_write_back(port, word_ref_shared(exported));
	}
	if (change) {
		change->exported = exported;
		change->word_before = before;
		change->word_after = exported ? before + 1 : 0;
	}
}

/* ---- Inner nodes ------------------------------------------------------------------------------------------------- */

static void inner_set_child(struct inner *inner, unsigned i, struct node *child)
{
	atomic_store_explicit(&inner->children[i], child, memory_order_release); /* [btree.publish] Release. */
}

static void inner_set_separator(struct inner *inner, unsigned i, struct bound *separator)
{
	atomic_store_explicit(&inner->separators[i], separator, memory_order_release); /* [btree.publish] Release. */
}

void inner_put(struct inner *inner, unsigned at, struct bound *separator, struct node *child, bool left)
{
	unsigned count = node_count(&inner->node), child_at = left ? at : at + 1;
	assert(count < INNER_SEPARATORS);
	slots_open(inner->children, child_at, count + 1);
	inner_set_child(inner, child_at, child);
	slots_open(inner->separators, at, count);
	inner_set_separator(inner, at, separator);
	node_put_head(&inner->node, at, bound_key(separator));
	inner_fit_prefix(inner);
}

void inner_take(struct inner *inner, unsigned at, bool left)
{
	unsigned count = node_count(&inner->node);
	slots_close(inner->children, left ? at : at + 1, count + 1);
	inner_set_child(inner, count, NULL);
	slots_close(inner->separators, at, count);
	inner_set_separator(inner, count - 1, NULL);
	node_take_head(&inner->node, at);
}

struct bound *inner_move(struct inner *inner, unsigned at, struct inner *to)
{
	unsigned count = node_count(&inner->node), moved = count - at - 1;
	struct bound *separator = inner_separator(inner, at);
	slots_copy(to->children, &inner->children[at + 1], moved + 1);
	slots_copy(to->separators, &inner->separators[at + 1], moved);
	slots_copy(to->node.heads, &inner->node.heads[at + 1], moved);
	node_set_count(&to->node, moved);
	node_make_hints(&to->node, 0);
	node_store_prefix(&to->node, node_prefix(&inner->node), false);
	for (unsigned i = at; i < count; i++) {
		inner_set_separator(inner, i, NULL);
		inner_set_child(inner, i + 1, NULL);
	}
	node_truncate(&inner->node, at);
	node_make_hints(&inner->node, at);
	return separator;
}
