/* api_edit_inprocess_test.c: lg_edit() gives memory of its own: what an earlier call of the transaction has handed out stays
 * as it was, whatever is written there. Also when the transaction has the pod's priority, under which its reads take
 * the rows' intents, as edits do. */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <string.h>

enum { BYTES = 300, OLD = 1, PUT = 2, TORN = 1000, ROW = 7 };

struct edit {
	struct pod_fixture *f;
	bool put_before; /* the transaction has put the row before it reads and edits it */
	bool scan;       /* it reads and edits by scans */
	unsigned losses; /* attempts to lose on purpose */
	unsigned tries;
};

/* The row's value: by lg_get() or by a scan. */
static int read_row(struct lg_txn *txn, const struct edit *e, struct lg_slice *val)
{
	struct lg_slice key, end = pod_key(e->f, ROW + 1);
	struct lg_scan *scan;
	if (!e->scan)
		return lg_get(txn, e->f->rows[0], pod_key(e->f, ROW), val);
	int code = lg_scan_open(txn, e->f->rows[0], pod_key(e->f, ROW), end, LG_SCAN_FORWARD, 0, &scan);
	return code == LG_OK ? lg_scan_next(scan, &key, val) : code;
}

static int edit_row(struct lg_txn *txn, const struct edit *e, void **val, size_t *bytes)
{
	struct lg_slice key, got, end = pod_key(e->f, ROW + 1);
	struct lg_scan *scan;
	if (!e->scan)
		return lg_edit(txn, e->f->rows[0], pod_key(e->f, ROW), val, bytes);
	int code = lg_scan_open(txn, e->f->rows[0], pod_key(e->f, ROW), end, LG_SCAN_EDIT, 0, &scan);
	if (code == LG_OK)
		code = lg_scan_next(scan, &key, &got);
	if (code == LG_OK) {
		*val = lg_scan_value(scan);
		*bytes = got.bytes;
	}
	return code;
}

static int edit_body(struct lg_txn *txn, void *arg)
{
	struct edit *e = arg;
	uint8_t put[BYTES];
	struct lg_slice first = {0}, second, third;
	void *val;
	size_t bytes;
	int code = read_row(txn, e, &first);
	e->tries++;
	if (code == LG_OK && e->put_before) {
		pod_fill(put, sizeof(put), PUT);
		code = lg_put(txn, e->f->rows[0], pod_key(e->f, ROW), lg_slice(put, sizeof(put)));
	}
	if (code == LG_OK)
		code = read_row(txn, e, &second);
	if (code == LG_OK)
		code = read_row(txn, e, &third);
	if (code == LG_OK)
		code = edit_row(txn, e, &val, &bytes);
	if (code != LG_OK)
		return code;
	uint64_t now = e->put_before ? PUT : OLD;
	if (!pod_filled(lg_slice(val, bytes), BYTES, now))
		return TORN;
	memset(val, 0xee, bytes);
	if (!pod_filled(first, BYTES, OLD) || !pod_filled(second, BYTES, now) || !pod_filled(third, BYTES, now))
		return TORN + 1;
	/* Lost on purpose, until it has the priority. */
	return e->tries <= e->losses ? LG_CONFLICT : LG_OK;
}

static void expect_edit(struct pod_fixture *f, struct edit e)
{
	static const uint8_t written[] = {0xee, 0xee, 0xee, 0xee};
	uint8_t old[BYTES];
	struct lg_slice val;
	struct lg_stats before, after;
	pod_fill(old, sizeof(old), OLD);
	e.f = f;
	pod_put(f, f->side, pod_key(f, ROW), lg_slice(old, sizeof(old)));
	lg_host_stats(f->host[0], &before);
	OK(lg_run(f->worker[0], edit_body, &e));
	lg_host_stats(f->host[0], &after);
	assert_true(e.tries > e.losses);
	if (e.losses >= LG_RUN_PRIORITY_AFTER)
		assert_true(after.priorities > before.priorities);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_get(txn, f->rows[0], pod_key(f, ROW), &val));
	assert_int_equal(val.bytes, BYTES);
	assert_memory_equal(val.data, written, sizeof(written));
	OK(lg_commit(txn));
}

static void an_edit_leaves_what_was_read_before_it(void **state)
{
	expect_edit(*state, (struct edit){.scan = false});
	expect_edit(*state, (struct edit){.scan = true});
}

static void an_edit_after_a_put_leaves_what_was_read_before_it(void **state)
{
	expect_edit(*state, (struct edit){.put_before = true});
	expect_edit(*state, (struct edit){.put_before = true, .scan = true});
}

static void an_edit_under_priority_leaves_what_was_read_before_it(void **state)
{
	unsigned losses = LG_RUN_PRIORITY_AFTER + 3;
	expect_edit(*state, (struct edit){.losses = losses});
	expect_edit(*state, (struct edit){.losses = losses, .scan = true});
	expect_edit(*state, (struct edit){.losses = losses, .put_before = true});
	expect_edit(*state, (struct edit){.losses = losses, .put_before = true, .scan = true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        POD_BOTH(an_edit_leaves_what_was_read_before_it),
	        POD_BOTH(an_edit_after_a_put_leaves_what_was_read_before_it),
	        POD_BOTH(an_edit_under_priority_leaves_what_was_read_before_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
