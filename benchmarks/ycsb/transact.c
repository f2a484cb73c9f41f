/* transact.c: runs what plan.c has chosen (ycsb.h). */
#include <endian.h>
#include <string.h>

#include "ycsb.h"

enum { THOROUGH_EACH = 64 };

/* A benchmark that looked at every byte of every row would measure itself: it does at one row of THOROUGH_EACH. */
static int judge(struct ycsb_worker *w, const void *row, size_t bytes, uint64_t key)
{
	const struct row_shape *shape = &w->y->shape;
	bool good = w->judged++ % THOROUGH_EACH ? row_ends_agree(shape, row, bytes, key)
	                                        : row_intact(shape, row, bytes, key);

	return good ? LG_OK : YCSB_TORN;
}

static int missing_if_not_found(int code)
{
	return code == LG_NOTFOUND ? (int)YCSB_MISSING : code;
}

static int do_get(struct ycsb_worker *w, struct lg_txn *txn, const struct ycsb_op *op, struct lg_slice key)
{
	struct lg_slice val;
	int code = lg_get(txn, w->y->rows, key, &val);

	return code == LG_OK ? judge(w, val.data, val.bytes, op->key) : missing_if_not_found(code);
}

static int do_edit(struct ycsb_worker *w, struct lg_txn *txn, const struct ycsb_op *op, struct lg_slice key)
{
	void *row;
	size_t bytes;
	int code = lg_edit(txn, w->y->rows, key, &row, &bytes);

	if (code != LG_OK)
		return missing_if_not_found(code);
	code = judge(w, row, bytes, op->key);
	if (code == LG_OK) {
		row_update(&w->y->shape, row, op->key, op->field);
		w->attempt.updates++;
	}
	return code;
}

static int do_put(struct ycsb_worker *w, struct lg_txn *txn, const struct ycsb_op *op, struct lg_slice key)
{
	/* Blind: the stamps are just different ones each time. */
	row_write_all(&w->y->shape, w->row, op->key, w->bench->random.state[0]);
	return lg_put(txn, w->y->rows, key, lg_slice(w->row, w->y->shape.bytes));
}

static int insert_row(struct ycsb_worker *w, struct lg_txn *txn, uint64_t key)
{
	uint64_t bytes = htobe64(key);
	int code;

	row_write_all(&w->y->shape, w->row, key, 0);
	code = lg_insert(txn, w->y->rows, lg_slice(&bytes, sizeof(bytes)), lg_slice(w->row, w->y->shape.bytes));
	if (code == LG_OK)
		w->attempt.inserted++;
	return code;
}

/* The first key from op->key on that a scan of op->length rows does not show goes to *gap. */
static int scan_rows(struct ycsb_worker *w, struct lg_txn *txn, const struct ycsb_op *op, uint64_t *gap)
{
	uint64_t low = htobe64(op->key), high = htobe64(((op->key >> YCSB_HOST_SHIFT) + 1) << YCSB_HOST_SHIFT);
	uint64_t next = op->key;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int code = lg_scan_open(txn, w->y->rows, lg_slice(&low, sizeof(low)), lg_slice(&high, sizeof(high)),
	        LG_SCAN_FORWARD, op->length, &scan);

	*gap = op->key;
	while (code == LG_OK && (code = lg_scan_next(scan, &key, &val)) == LG_OK) {
		uint64_t number;

		if (key.bytes != sizeof(number))
			return YCSB_DISORDER;
		memcpy(&number, key.data, sizeof(number));
		number = be64toh(number);
		if (number < next)
			return YCSB_DISORDER;
		next = number + 1;
		if (number == *gap)
			(*gap)++;
		code = judge(w, val.data, val.bytes, number);
	}
	return code == LG_END ? LG_OK : code;
}

/* Nothing to fill, or only behind the loaded keys, is a read. */
static int do_fill(struct ycsb_worker *w, struct lg_txn *txn, const struct ycsb_op *op)
{
	uint64_t gap;
	int code = scan_rows(w, txn, op, &gap);

	if (code != LG_OK || gap - op->key >= op->length ||
	        gap >= (op->key >> YCSB_HOST_SHIFT << YCSB_HOST_SHIFT) + w->y->keys)
		return code;
	return insert_row(w, txn, gap);
}

static int do_delete(struct ycsb_worker *w, struct lg_txn *txn, struct lg_slice key)
{
	int code = lg_del(txn, w->y->rows, key);

	if (code == LG_OK)
		w->attempt.deleted++;
	/* Another has deleted it before: fine. */
	return code == LG_NOTFOUND ? LG_OK : code;
}

static int body(struct lg_txn *txn, void *arg)
{
	struct ycsb_worker *w = arg;
	int code = LG_OK;

	w->txn = txn;
	memset(&w->attempt, 0, sizeof(w->attempt));
	for (uint32_t i = 0; i < w->op_count && code == LG_OK; i++) {
		const struct ycsb_op *op = &w->op[i];
		uint64_t bytes = htobe64(op->key), gap;
		struct lg_slice key = lg_slice(&bytes, sizeof(bytes));

		switch (op->action) {
		case YCSB_DO_GET: code = do_get(w, txn, op, key); break;
		case YCSB_DO_EDIT: code = do_edit(w, txn, op, key); break;
		case YCSB_DO_PUT: code = do_put(w, txn, op, key); break;
		case YCSB_DO_INSERT: code = insert_row(w, txn, op->key); break;
		case YCSB_DO_SCAN: code = scan_rows(w, txn, op, &gap); break;
		case YCSB_DO_FILL: code = do_fill(w, txn, op); break;
		case YCSB_DO_DELETE: code = do_delete(w, txn, key); break;
		}
	}
	return code;
}

void ycsb_explain(struct ycsb_worker *w, int code)
{
	struct lg_detail detail = {0};
	const char *why = lg_strerror(code);

	switch (code) {
	case YCSB_TORN: why = "a row that was read contradicts itself: bytes of two versions, or of another row"; break;
	case YCSB_MISSING: why = "a row that nobody has deleted was not found"; break;
	case YCSB_DISORDER: why = "a scan returned a key out of order or of another size"; break;
	default:
		if (w->txn)
			lg_txn_detail(w->txn, &detail);
		if (detail.code == code && detail.message[0])
			why = detail.message;
	}
	snprintf(w->bench->failure, sizeof(w->bench->failure), "%.159s", why);
}

void ycsb_transaction(struct bench_worker *bw, struct bench_outcome *outcome)
{
	struct ycsb_worker *w = bw->state;

	outcome->type = ycsb_plan(w);
	outcome->code = lg_run(bw->worker, body, w);
	if (outcome->code != LG_OK) {
		ycsb_explain(w, outcome->code);
		return;
	}
	w->done.updates += w->attempt.updates;
	w->done.inserted += w->attempt.inserted;
	w->done.deleted += w->attempt.deleted;
	if (w->op[0].action == YCSB_DO_INSERT)
		w->appended++;
}
