/* plan.c: chooses what the next transaction does (ycsb.h). It runs before the transaction, so that all its attempts do
 * the same; and inside the measured time, so it must cost little. */
#include "ycsb.h"

#include <assert.h>

static bool chance(struct bench_random *random, uint32_t percent)
{
	return bench_random_below(random, 100) < percent;
}

/* A host other than this one, uniformly. */
static uint32_t other_host(const struct ycsb_worker *w)
{
	const struct bench *b = w->bench->bench;
	uint32_t host = (uint32_t)bench_random_below(&w->bench->random, b->host_count - 1);

	return host < b->host_id ? host : host + 1;
}

/* The host of the rows that a transaction of one operation touches. */
static uint32_t any_host(const struct ycsb_worker *w)
{
	if (w->y->cross_percent && chance(&w->bench->random, w->y->cross_percent))
		return other_host(w);
	return w->bench->bench->host_id;
}

static uint64_t random_key(const struct ycsb_worker *w, uint32_t host)
{
	return (uint64_t)host << YCSB_HOST_SHIFT | zipf_next(&w->y->zipf, &w->bench->random);
}

static bool is_taken(const struct ycsb_worker *w, uint64_t key)
{
	for (uint32_t i = 0; i < w->op_count; i++)
		if (w->op[i].key == key)
			return true;
	return false;
}

/* Adds an operation on a key that the transaction does not have yet. */
static struct ycsb_op *add(struct ycsb_worker *w, enum ycsb_action action, uint32_t host)
{
	struct ycsb_op *op = &w->op[w->op_count];
	uint64_t key;

	assert(w->op_count < YCSB_MAX_OPS);
	do
		key = random_key(w, host);
	while (is_taken(w, key));
	op->action = action;
	op->key = key;
	op->length = w->y->scan_length;
	op->field = 0;
	w->op_count++;
	return op;
}

static enum ycsb_type plan_tigon(struct ycsb_worker *w)
{
	const struct ycsb *y = w->y;
	struct bench_random *random = &w->bench->random;
	uint32_t here = w->bench->bench->host_id, other = here;

	if (y->cross_percent && chance(random, y->cross_percent))
		other = other_host(w);
	for (uint32_t i = 0; i < y->ops; i++)
		add(w, chance(random, y->read_percent) ? YCSB_DO_GET : YCSB_DO_EDIT, i % 2 == 0 ? here : other);
	return other == here ? YCSB_LOCAL : YCSB_MULTI_HOST;
}

static enum ycsb_type plan_tigon_scan(struct ycsb_worker *w)
{
	uint64_t dice = bench_random_below(&w->bench->random, 100);
	uint32_t here = w->bench->bench->host_id, other = any_host(w);

	if (dice < 80) {
		for (uint32_t i = 0; i < YCSB_SCANS; i++)
			add(w, YCSB_DO_SCAN, i % 2 == 0 ? here : other);
		return YCSB_SCAN;
	}
	if (dice < 90) {
		add(w, YCSB_DO_FILL, other);
		return YCSB_INSERT;
	}
	add(w, YCSB_DO_DELETE, other);
	return YCSB_DELETE;
}

/* A key behind the loaded ones that no other worker adds: those of a host's workers alternate. */
static uint64_t appended_key(const struct ycsb_worker *w, uint64_t number)
{
	return w->base | (w->y->keys + number * w->bench->bench->workers_per_host + w->bench->index);
}

static enum ycsb_type plan_insert(struct ycsb_worker *w)
{
	struct ycsb_op *op = add(w, YCSB_DO_INSERT, w->bench->bench->host_id);

	op->key = appended_key(w, w->appended);
	return YCSB_INSERT;
}

/* The latest row is the likeliest. Each worker reads what it has added itself, so that every row is there, and behind
 * that, the loaded ones from the last down. */
static enum ycsb_type plan_latest(struct ycsb_worker *w)
{
	struct ycsb_op *op = add(w, YCSB_DO_GET, w->bench->bench->host_id);
	uint64_t rank = op->key & ((UINT64_C(1) << YCSB_HOST_SHIFT) - 1);

	if (rank < w->appended)
		op->key = appended_key(w, w->appended - 1 - rank);
	else
		op->key = w->base | (w->y->keys - 1 - (rank - w->appended));
	return YCSB_READ;
}

static enum ycsb_type plan_read(struct ycsb_worker *w)
{
	add(w, YCSB_DO_GET, any_host(w));
	return YCSB_READ;
}

static enum ycsb_type plan_update(struct ycsb_worker *w)
{
	struct ycsb_op *op = add(w, YCSB_DO_EDIT, any_host(w));

	if (w->y->shape.fields > 1)
		op->field = bench_random_range(&w->bench->random, 1, w->y->shape.fields - 1);
	return YCSB_UPDATE;
}

/* The read and the write are calls of their own, as in YCSB. */
static enum ycsb_type plan_read_modify_write(struct ycsb_worker *w)
{
	plan_update(w);
	w->op[1] = w->op[0];
	w->op[0].action = YCSB_DO_GET;
	w->op_count = 2;
	return YCSB_READ_MODIFY_WRITE;
}

static enum ycsb_type plan_scan(struct ycsb_worker *w)
{
	struct ycsb_op *op = add(w, YCSB_DO_SCAN, any_host(w));

	op->length = bench_random_range(&w->bench->random, 1, w->y->scan_length);
	return YCSB_SCAN;
}

static enum ycsb_type plan_core(struct ycsb_worker *w)
{
	struct bench_random *random = &w->bench->random;

	switch (w->y->core) {
	case 'A': return chance(random, 50) ? plan_read(w) : plan_update(w);
	case 'B': return chance(random, 95) ? plan_read(w) : plan_update(w);
	case 'C': return plan_read(w);
	case 'D': return chance(random, 95) ? plan_latest(w) : plan_insert(w);
	case 'E': return chance(random, 95) ? plan_scan(w) : plan_insert(w);
	default: return chance(random, 50) ? plan_read(w) : plan_read_modify_write(w);
	}
}

/* The next rows of this worker's share of all other hosts' rows, which are numbered host by host. */
static enum ycsb_type plan_share_all(struct ycsb_worker *w)
{
	uint64_t keys = w->y->keys;

	for (; w->op_count < w->y->ops && w->to_share < w->share_end; w->to_share++) {
		uint64_t host = w->to_share / keys;

		if (host >= w->bench->bench->host_id)
			host++;
		w->op[w->op_count++] = (struct ycsb_op){
		        .action = YCSB_DO_GET,
		        .key = host << YCSB_HOST_SHIFT | w->to_share % keys,
		};
	}
	return YCSB_READ;
}

enum ycsb_type ycsb_plan(struct ycsb_worker *w)
{
	w->op_count = 0;
	if (w->to_share < w->share_end)
		return plan_share_all(w);
	switch (w->y->kind) {
	case YCSB_TIGON: return plan_tigon(w);
	case YCSB_TIGON_SCAN: return plan_tigon_scan(w);
	case YCSB_CORE: return plan_core(w);
	case YCSB_GET: return plan_read(w);
	case YCSB_PUT: add(w, YCSB_DO_PUT, any_host(w)); return YCSB_UPDATE;
	}
	return YCSB_READ;
}
