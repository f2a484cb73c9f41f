/* btree_micro.c: what single operations of the B+tree cost, on one thread.
 *
 * usage: btree_micro [rows=1000000] [value-bytes=100]
 *
 * Keys are 12 bytes: a constant (a warehouse, say), then two numbers, big-endian, as TPC-C has them: 1,000 rows of the
 * second in each of the first. `sequential` adds them in order, `shuffled` in random order; finds are of random keys. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/random.h"
#include "engine/btree.h"

enum { KEY_BYTES = 12, FINDS = 4000000, ROWS_A_GROUP = 1000 };

static double now_ns(void)
{
	struct timespec now;
	if (clock_gettime(CLOCK_MONOTONIC, &now)) {
		perror("btree_micro: clock_gettime");
		exit(1);
	}
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void make_key(uint8_t *key, uint64_t i)
{
	const uint32_t parts[3] = {__builtin_bswap32(7), __builtin_bswap32((uint32_t)(i / ROWS_A_GROUP)),
	        __builtin_bswap32((uint32_t)(i % ROWS_A_GROUP))};
	memcpy(key, parts, sizeof parts);
}

static void add_row(struct btree *tree, struct heap_local *local, uint64_t i, uint32_t val_bytes)
{
	struct row *row = heap_alloc(local, sizeof *row + row_key_padded(KEY_BYTES) + val_bytes), *existing;
	struct leaf_change change;
	if (!row) {
		fprintf(stderr, "btree_micro: out of memory\n");
		exit(1);
	}
	*row = (struct row){.val_bytes = val_bytes, .val_capacity = val_bytes, .key_bytes = KEY_BYTES};
	make_key(row->data, i);
	memset(row_inline_val(row), 0, val_bytes);
	int code = btree_insert(tree, local, NULL, row, &existing, &change);
	if (code) {
		fprintf(stderr, "btree_micro: cannot insert row %" PRIu64 ": code %d\n", i, code);
		exit(1);
	}
}

static double find_random(struct btree *tree, uint64_t rows, struct bench_random *random)
{
	uint64_t found = 0;
	double start = now_ns();
	for (uint64_t n = 0; n < FINDS; n++) {
		uint8_t key[KEY_BYTES];
		struct leaf_look look;
		make_key(key, bench_random_below(random, rows));
		const struct row *row = btree_find(tree, lg_slice(key, KEY_BYTES), &look);
		found += row && row->key_bytes == KEY_BYTES;
	}
	double spent = now_ns() - start;
	if (found != FINDS) {
		fprintf(stderr, "btree_micro: %" PRIu64 " of %d rows were found\n", found, FINDS);
		exit(1);
	}
	return spent / FINDS;
}

static double scan_all(struct btree *tree, uint64_t rows)
{
	struct leaf_batch *batch = malloc(sizeof *batch);
	uint64_t seen = 0;
	if (!batch) {
		fprintf(stderr, "btree_micro: out of memory\n");
		exit(1);
	}
	double start = now_ns();
	for (struct lg_slice from = {NULL, 0};; from = lg_slice(batch->bound, batch->bound_bytes)) {
		btree_batch_forward(tree, from, batch);
		seen += batch->count;
		if (batch->last)
			break;
	}
	double spent = now_ns() - start;
	free(batch);
	if (seen != rows) {
		fprintf(stderr, "btree_micro: a scan saw %" PRIu64 " rows of %" PRIu64 "\n", seen, rows);
		exit(1);
	}
	return spent / (double)rows;
}

static void measure(const char *name, uint64_t rows, uint32_t val_bytes, bool shuffled)
{
	struct bench_random random;
	bench_random_seed(&random, 1);
	struct heap *heap = heap_create(0);
	struct heap_local local;
	uint32_t *order = malloc(rows * sizeof *order);
	struct btree *tree = NULL;
	if (heap && order && heap_local_open(&local, heap))
		tree = btree_create(&local, lg_slice(NULL, 0), lg_slice(NULL, 0));
	if (!tree) {
		fprintf(stderr, "btree_micro: out of memory\n");
		exit(1);
	}
	for (uint64_t i = 0; i < rows; i++) {
		uint64_t j = shuffled ? bench_random_below(&random, i + 1) : i;
		order[i] = order[j];
		order[j] = (uint32_t)i;
	}
	double start = now_ns();
	for (uint64_t i = 0; i < rows; i++)
		add_row(tree, &local, order[i], val_bytes);
	double insert_ns = (now_ns() - start) / (double)rows;
	double find_ns = find_random(tree, rows, &random);
	printf("%-10s %9" PRIu64 " rows: insert %6.1f ns, find %6.1f ns, scan %5.2f ns a row, %5.1f bytes a row\n",
	        name, rows, insert_ns, find_ns, scan_all(tree, rows), (double)heap_used_bytes(heap) / (double)rows);
	btree_destroy(tree, &local);
	heap_local_close(&local);
	heap_destroy(heap);
	free(order);
}

int main(int argc, char **argv)
{
	uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	uint32_t val_bytes = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100;
	if (rows < 1 || rows > 100000000 || val_bytes > LG_MAX_VALUE_BYTES) {
		fprintf(stderr, "usage: btree_micro [rows=1000000 (1..100000000)] [value-bytes=100 (0..65536)]\n");
		return 2;
	}
	measure("sequential", rows, val_bytes, false);
	measure("shuffled", rows, val_bytes, true);
	return 0;
}
