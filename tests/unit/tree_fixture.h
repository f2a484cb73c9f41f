/* tree_fixture.h: a heap, a tree, and rows for the tests of the B+tree and the heap. */
#ifndef LIGER_TESTS_UNIT_TREE_FIXTURE_H
#define LIGER_TESTS_UNIT_TREE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "common/random.h"
#include "engine/btree.h"

struct tree_fixture {
	struct heap *heap;
	struct heap_local local;
	struct btree *tree;
	struct cxl_port port; /* of a region that has a clock, and words from TREE_FIRST_WORD on */
	struct bench_random random;
	uint64_t epoch;
};

enum { TREE_FIRST_WORD = 1024, TREE_REGION_BYTES = 16384 };

/* SEED=... repeats a run. */
static inline uint64_t tree_seed(const char *test)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003 ^ (uint64_t)clock();
	printf("%s: SEED=%llu\n", test, (unsigned long long)seed);
	return seed;
}

static inline void tree_open(struct tree_fixture *f, uint64_t budget, struct lg_slice lo, struct lg_slice hi)
{
	f->heap = heap_create(budget);
	assert_non_null(f->heap);
	assert_true(heap_local_open(&f->local, f->heap));
	f->tree = btree_create(&f->local, lo, hi);
	assert_non_null(f->tree);
	f->port = (struct cxl_port){.base = aligned_alloc(4096, TREE_REGION_BYTES)};
	assert_non_null(f->port.base);
	memset(f->port.base, 0, TREE_REGION_BYTES);
	f->epoch = 1;
}

static inline void tree_close(struct tree_fixture *f)
{
	btree_destroy(f->tree, &f->local);
	heap_local_close(&f->local);
	heap_destroy(f->heap);
	free(f->port.base);
}

static inline struct row *tree_row(struct heap_local *local, struct lg_slice key, uint32_t val_capacity)
{
	struct row *row = heap_alloc(local, sizeof *row + row_key_padded((uint32_t)key.bytes) + val_capacity);
	if (!row)
		return NULL;
	memset(row, 0, sizeof *row);
	row->val_capacity = val_capacity;
	row->key_bytes = (uint16_t)key.bytes;
	memcpy(row->data, key.data, key.bytes);
	return row;
}

static inline int tree_compare(struct lg_slice a, struct lg_slice b)
{
	int order = memcmp(a.data, b.data, a.bytes < b.bytes ? a.bytes : b.bytes);
	return order ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static inline struct lg_slice tree_number_key(uint8_t key[8], uint64_t number)
{
	number = __builtin_bswap64(number);
	memcpy(key, &number, 8);
	return lg_slice(key, 8);
}

#endif
