/* table.h: a table as one host has it: the definition, and a tree for each partition that this host owns. */
#ifndef LIGER_ENGINE_TABLE_H
#define LIGER_ENGINE_TABLE_H

#include "cxl/catalog.h"
#include "engine/btree.h"
#include "engine/host.h"

struct lg_table {
	struct lg_host *host;
	struct catalog_table def;
	_Atomic bool sealed; /* replicated: loaded */
	/* By partition; NULL: another host's. Replicated: [0]. A tree is added when this host adopts the partition, and never
	 * goes while the table is open. [table.adopt] */
	struct btree *_Atomic *trees;
};

/* Acquire; pairs with table_add_tree(): the rows are there. [table.adopt] */
static inline struct btree *table_tree(const struct lg_table *table, uint32_t partition)
{
	return atomic_load_explicit(&table->trees[partition], memory_order_acquire);
}

/* An empty tree for a partition of the table; NULL: no memory. */
struct btree *table_make_tree(const struct lg_table *table, uint32_t partition, struct heap_local *local);
/* Makes it the partition's: from now on this host's transactions, and others' requests, find it. */
void table_add_tree(struct lg_table *table, uint32_t partition, struct btree *tree);

/* The partition of a key, without a division. */
uint32_t table_partition_of(const struct lg_table *table, struct lg_slice key);
/* The number that LG_RANGE compares. */
uint64_t table_range_number(struct lg_slice key);

/* This host's handle of table `id`; opens it if needed (messages may come for tables that nobody opened here).
 * LG_OK; LG_NOTFOUND; LG_NOSPACE; LG_CORRUPT. Takes admin. */
int table_of_id(
        struct lg_host *host, struct cxl_port *port, uint32_t id, struct lg_table **table, struct lg_error *err);
void table_close(struct lg_table *table, struct heap_local *local);

/* A new row, alone; NULL: no memory. */
struct row *row_create(struct heap_local *local, unsigned table, uint32_t partition, struct lg_slice key,
        uint32_t val_capacity, uint64_t word);
/* A row that never was in a tree. */
void row_free(struct heap_local *local, struct row *row);

/* Takes a row, whose word the caller has locked, out of its tree, marks it dead and retires it. Its version is `version`. */
void row_remove(struct lg_worker *w, struct btree *tree, struct row *row, uint64_t version);

struct row_ext *row_ext_create(struct heap_local *local, uint32_t capacity);
static inline size_t row_ext_bytes(const struct row_ext *ext)
{
	return sizeof *ext + ext->capacity;
}

/* Puts a value in place, by who has locked the row. `ext`: a place made before, when the value does not fit; taken. */
void row_install(struct lg_worker *w, struct row *row, const void *val, uint32_t val_bytes, struct row_ext *ext);
/* Bytes of value that fit without a new ext; by who holds intent or lock. */
uint32_t row_room(const struct row *row);

#endif
