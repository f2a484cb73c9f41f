/* table.c: opening tables, placing keys in partitions, and a row's life in its tree. */
#include "engine/table.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t table_range_number(struct lg_slice key)
{
	uint8_t first[8] = {0};
	if (key.bytes)
		memcpy(first, key.data, key.bytes < 8 ? key.bytes : 8);
	uint64_t n;
	memcpy(&n, first, 8);
	return __builtin_bswap64(n);
}

uint32_t table_partition_of(const struct lg_table *table, struct lg_slice key)
{
	if (table->def.by == LG_HASH) {
		size_t bytes = key.bytes < table->def.prefix_bytes ? key.bytes : table->def.prefix_bytes;
		unsigned __int128 scaled = (unsigned __int128)XXH3_64bits(key.data, bytes) * table->def.partitions;
		return (uint32_t)(scaled >> 64);
	}
	if (table->def.by == LG_REPLICATED || table->def.partitions == 1)
		return 0;
	/* How many splits are not above n: binary search that compiles to conditional moves. */
	uint64_t n = table_range_number(key);
	const uint64_t *base = table->def.splits;
	uint32_t left = table->def.partitions - 1;
	while (left > 1) {
		uint32_t half = left / 2;
		base += base[half - 1] <= n ? half : 0;
		left -= half;
	}
	return (uint32_t)(base - table->def.splits) + (base[0] <= n);
}

/* A split as the least byte string that is not below it: big-endian, without zeros at the end. */
static struct lg_slice split_bytes(uint64_t split, uint8_t *bytes)
{
	uint64_t big = __builtin_bswap64(split);
	memcpy(bytes, &big, 8);
	size_t count = 8;
	while (count && !bytes[count - 1])
		count--;
	return lg_slice(bytes, count);
}

struct btree *table_make_tree(const struct lg_table *table, uint32_t partition, struct heap_local *local)
{
	uint8_t lo_bytes[8], hi_bytes[8];
	struct lg_slice lo = {0}, hi = {0};
	if (table->def.by == LG_RANGE && partition > 0)
		lo = split_bytes(table->def.splits[partition - 1], lo_bytes);
	if (table->def.by == LG_RANGE && partition + 1 < table->def.partitions)
		hi = split_bytes(table->def.splits[partition], hi_bytes);
	return btree_create(local, lo, hi);
}

void table_add_tree(struct lg_table *table, uint32_t partition, struct btree *tree)
{
	/* [table.adopt] Release. */
	atomic_store_explicit(&table->trees[partition], tree, memory_order_release);
}

static int make_trees(struct lg_table *table, struct cxl_port *port, struct heap_local *local)
{
	bool replicated = table->def.by == LG_REPLICATED;
	uint32_t count = replicated ? 1 : table->def.partitions;
	table->trees = calloc(count, sizeof(*table->trees));
	if (!table->trees)
		return LG_NOSPACE;
	for (uint32_t p = 0; p < count; p++) {
		if (!replicated && partition_owner(port, p) != table->host->id)
			continue;
		struct btree *tree = table_make_tree(table, p, local);
		if (!tree)
			return LG_NOSPACE;
		table_add_tree(table, p, tree);
	}
	return LG_OK;
}

void table_close(struct lg_table *table, struct heap_local *local)
{
	uint32_t count = table->def.by == LG_REPLICATED ? 1 : table->def.partitions;
	for (uint32_t p = 0; table->trees && p < count; p++)
		if (table_tree(table, p))
			btree_destroy(table_tree(table, p), local);
	free(table->trees);
	free(table->def.splits);
	free(table);
}

int table_of_id(struct lg_host *host, struct cxl_port *port, uint32_t id, struct lg_table **table, struct lg_error *err)
{
	*table = NULL;
	if (id >= LG_MAX_TABLES || id >= catalog_count(port))
		return error_set(err, LG_NOTFOUND, "there is no table %u in this pod", id);
	/* [table.open] Acquire; pairs with the release below: the trees are there. */
	*table = atomic_load_explicit(&host->tables[id], memory_order_acquire);
	if (*table)
		return LG_OK;
	pthread_mutex_lock(&host->admin);
	int code = LG_OK;
	struct heap_local local;
	struct lg_table *fresh = NULL;
	*table = atomic_load_explicit(&host->tables[id], memory_order_acquire);
	if (*table)
		goto out;
	if (!(fresh = calloc(1, sizeof *fresh)) || !heap_local_open(&local, host->heap)) {
		free(fresh);
		code = error_set(err, LG_NOSPACE, "no private memory to open table %u", id);
		goto out;
	}
	fresh->host = host;
	code = catalog_read(port, id, &fresh->def, err);
	if (code == LG_OK && (code = make_trees(fresh, port, &local)) != LG_OK)
		error_set(
		        err, code, "no private memory for the trees of table '%s'; raise dram_bytes", fresh->def.name);
	if (code == LG_OK) {
		*table = fresh;
		/* [table.open] Release. */
		atomic_store_explicit(&host->tables[id], fresh, memory_order_release);
	} else {
		table_close(fresh, &local);
	}
	heap_local_close(&local);
out:
	pthread_mutex_unlock(&host->admin);
	return code;
}

struct row *row_create(struct heap_local *local, unsigned table, uint32_t partition, struct lg_slice key,
        uint32_t val_capacity, uint64_t word)
{
	val_capacity = (val_capacity + 7) & ~7u;
	struct row *row = heap_alloc(local, sizeof *row + row_key_padded((uint32_t)key.bytes) + val_capacity);
	if (!row)
		return NULL;
	atomic_store_explicit(&row->word, word, memory_order_relaxed); /* relaxed: published by the tree */
	atomic_store_explicit(&row->ext, NULL, memory_order_relaxed);
	atomic_store_explicit(&row->val_bytes, 0, memory_order_relaxed);
	row->val_capacity = val_capacity;
	row->key_bytes = (uint16_t)key.bytes;
	row->partition = (uint16_t)partition;
	row->table = (uint8_t)table;
	memset(row->data + key.bytes, 0, row_key_padded((uint32_t)key.bytes) - key.bytes);
	memcpy(row->data, key.data, key.bytes);
	return row;
}

void row_free(struct heap_local *local, struct row *row)
{
	heap_free(local, row, row_alloc_bytes(row));
}

void row_remove(struct lg_worker *w, struct btree *tree, struct row *row, uint64_t version)
{
	/* The floor first: who inserts the key anew, once it has left the tree, must start above this version. */
	host_raise_floor(w->host, version);
	uint64_t epoch = epoch_load(&w->port);
	bool removed = btree_remove(tree, &w->local, &w->port, epoch, row);
	assert(removed);
	word_set_dead(&row->word);
	struct row_ext *ext = atomic_load_explicit(&row->ext, memory_order_relaxed); /* relaxed: we hold the lock */
	/* Read the epoch again after the row became unreachable: [running.enter] in host.h. */
	full_fence();
	epoch = epoch_load(&w->port);
	if (ext)
		heap_retire(&w->local, ext, row_ext_bytes(ext), epoch);
	heap_retire(&w->local, row, row_alloc_bytes(row), epoch);
}

struct row_ext *row_ext_create(struct heap_local *local, uint32_t capacity)
{
	capacity = (capacity + 15) & ~15u;
	struct row_ext *ext = heap_alloc(local, sizeof *ext + capacity);
	if (ext)
		ext->capacity = capacity;
	return ext;
}

uint32_t row_room(const struct row *row)
{
	const struct row_ext *ext = atomic_load_explicit(&row->ext, memory_order_relaxed); /* relaxed: holder */
	return ext ? ext->capacity : row->val_capacity;
}

void row_install(struct lg_worker *w, struct row *row, const void *val, uint32_t val_bytes, struct row_ext *ext)
{
	/* Relaxed throughout: we hold the row's lock; readers look at the word afterwards. */
	struct row_ext *old = atomic_load_explicit(&row->ext, memory_order_relaxed);
	if (ext) {
		racy_copy_in(ext->data, val, val_bytes);
		/* [row.ext] Release; pairs with the acquire of readers: the capacity is there. */
		atomic_store_explicit(&row->ext, ext, memory_order_release);
		if (old) {
			full_fence();
			heap_retire(&w->local, old, row_ext_bytes(old), epoch_load(&w->port));
		}
	} else {
		racy_copy_in(old ? old->data : row_inline_val(row), val, val_bytes);
	}
	atomic_store_explicit(&row->val_bytes, val_bytes, memory_order_relaxed);
}
