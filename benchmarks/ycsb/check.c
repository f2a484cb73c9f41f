/* check.c: is every row there, whole, and has every committed update left its mark (ycsb.h)?
 *
 * Step 0: each worker reads its share of its own host's rows, adds up rows and counts, and writes them to ycsb_check
 * together with what its own transactions did. Step 1: one worker of the pod adds up all of that: rows found must be
 * rows loaded and inserted less those deleted, and the counts in the rows must be the updates committed. A lost update,
 * a row lost or doubled while it moved between hosts' memory and the pod's, an update that came twice: all show.
 * A deleted row takes its count with it, but no workload both updates and deletes.
 */
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "ycsb.h"

enum { CHUNK_ROWS = 256 };

/* One transaction of step 0: the next CHUNK_ROWS rows below `end`. */
struct chunk {
	struct ycsb_worker *w;
	uint64_t begin, end, next; /* next: behind the last row seen; end: that was all */
	uint64_t rows, counts, bad, first_bad;
};

static void look_at(struct chunk *c, uint64_t key, struct lg_slice val)
{
	const struct row_shape *shape = &c->w->y->shape;

	c->rows++;
	if (row_intact(shape, val.data, val.bytes, key))
		c->counts += row_stamp(shape, val.data, 0);
	else if (c->bad++ == 0)
		c->first_bad = key;
}

static int chunk_body(struct lg_txn *txn, void *arg)
{
	struct chunk *c = arg;
	uint64_t low = htobe64(c->begin), high = htobe64(c->end), number;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int code;

	c->w->txn = txn;
	c->rows = c->counts = c->bad = 0;
	c->next = c->begin;
	code = lg_scan_open(txn, c->w->y->rows, lg_slice(&low, sizeof(low)), lg_slice(&high, sizeof(high)),
	        LG_SCAN_FORWARD, CHUNK_ROWS, &scan);
	while (code == LG_OK && (code = lg_scan_next(scan, &key, &val)) == LG_OK) {
		if (key.bytes != sizeof(number))
			return YCSB_DISORDER;
		memcpy(&number, key.data, sizeof(number));
		number = be64toh(number);
		if (number < c->next || number >= c->end)
			return YCSB_DISORDER;
		look_at(c, number, val);
		c->next = number + 1;
	}
	if (code == LG_END && c->rows < CHUNK_ROWS)
		c->next = c->end;
	return code == LG_END ? LG_OK : code;
}

struct sums_access {
	struct lg_table *table;
	uint32_t worker;
	bool put;
	struct ycsb_sums sums;
};

static int sums_body(struct lg_txn *txn, void *arg)
{
	struct sums_access *a = arg;
	uint32_t bytes = htobe32(a->worker);
	struct lg_slice key = lg_slice(&bytes, sizeof(bytes)), val;
	int code;

	if (a->put)
		return lg_put(txn, a->table, key, lg_slice(&a->sums, sizeof(a->sums)));
	code = lg_get(txn, a->table, key, &val);
	if (code != LG_OK)
		return code;
	if (val.bytes != sizeof(a->sums))
		return LG_CORRUPT;
	memcpy(&a->sums, val.data, sizeof(a->sums));
	return LG_OK;
}

/* The keys that this worker looks at; the last one takes all that were added behind the loaded ones, too. */
static void share(const struct ycsb_worker *w, uint64_t *begin, uint64_t *end)
{
	const struct bench_worker *b = w->bench;

	*begin = w->base + ycsb_share_begin(b, w->y->keys, b->index);
	*end = w->base + ycsb_share_begin(b, w->y->keys, b->index + 1);
	if (b->index + 1 == b->bench->workers_per_host)
		*end = w->base + (UINT64_C(1) << YCSB_HOST_SHIFT);
}

static int sum_share(struct ycsb_worker *w, struct ycsb_sums *sums, struct bench_failures *failures)
{
	struct chunk c = {.w = w};

	share(w, &c.begin, &c.end);
	for (; c.begin < c.end; c.begin = c.next) {
		int code = lg_run(w->bench->worker, chunk_body, &c);

		if (code != LG_OK) {
			ycsb_explain(w, code);
			return code;
		}
		sums->rows += c.rows;
		sums->counts += c.counts;
		if (c.bad > 0)
			bench_fail(failures,
			        "ycsb: %" PRIu64 " of %" PRIu64 " rows are not whole, the first is key %" PRIx64, c.bad,
			        c.rows, c.first_bad);
	}
	return LG_OK;
}

static int publish(struct ycsb_worker *w, struct bench_failures *failures)
{
	const struct bench_worker *b = w->bench;
	struct sums_access a = {.table = w->y->checks, .worker = b->global_index, .put = true};
	int code;

	a.sums.loaded = ycsb_share_begin(b, w->y->keys, b->index + 1) - ycsb_share_begin(b, w->y->keys, b->index);
	a.sums.done = w->done;
	code = sum_share(w, &a.sums, failures);
	return code == LG_OK ? lg_run(b->worker, sums_body, &a) : code;
}

static int compare(struct ycsb_worker *w, struct bench_failures *failures)
{
	const struct bench *b = w->bench->bench;
	struct ycsb_sums all = {0};

	for (uint32_t i = 0; i < b->host_count * b->workers_per_host; i++) {
		struct sums_access a = {.table = w->y->checks, .worker = i};
		int code = lg_run(w->bench->worker, sums_body, &a);

		if (code != LG_OK)
			return code;
		all.rows += a.sums.rows;
		all.counts += a.sums.counts;
		all.loaded += a.sums.loaded;
		all.done.updates += a.sums.done.updates;
		all.done.inserted += a.sums.done.inserted;
		all.done.deleted += a.sums.done.deleted;
	}
	if (all.rows != all.loaded + all.done.inserted - all.done.deleted)
		bench_fail(failures,
		        "ycsb: %" PRIu64 " rows, but %" PRIu64 " were loaded, %" PRIu64 " inserted, %" PRIu64
		        " deleted",
		        all.rows, all.loaded, all.done.inserted, all.done.deleted);
	/* A blind put does not count on. */
	if (w->y->kind != YCSB_PUT && all.counts != all.done.updates)
		bench_fail(failures, "ycsb: the rows count %" PRIu64 " updates, but %" PRIu64 " were committed",
		        all.counts, all.done.updates);
	return LG_OK;
}

int ycsb_check(struct bench_worker *bw, uint32_t step, bool after_run, struct bench_failures *failures)
{
	struct ycsb_worker *w = bw->state;

	/* Right after the load the same holds, with nothing done. */
	(void)after_run;
	if (step == 0)
		return publish(w, failures);
	return bw->global_index == 0 ? compare(w, failures) : LG_OK;
}
