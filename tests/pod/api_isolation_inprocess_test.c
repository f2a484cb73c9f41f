/* api_isolation_inprocess_test.c: what two transactions may and may not do to each other.
 *
 * T1 runs on host 0. T2 runs, in the same thread and in between, on a second worker of host 0 or on host 1: each claim is
 * tried with both, and with rows of host 0, of host 1, and of a third host.
 */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <string.h>

#define ELSEWHERE 1000 /* a row that only T1 writes */

struct pair {
	struct pod_fixture *f;
	struct lg_worker *worker[2];
	struct lg_table *table[2];
	struct lg_txn *t1;
};

static int clear_body(struct lg_txn *txn, void *arg)
{
	struct pod_fixture *f = arg;
	int code = LG_OK;
	for (uint64_t i = 10; i <= 20 && (code == LG_OK || code == LG_NOTFOUND); i++)
		code = lg_del(txn, f->rows[0], pod_key(f, i == 20 ? ELSEWHERE : i));
	return code == LG_NOTFOUND ? LG_OK : code;
}

/* Runs `claim` for both places of T2. Rows 1 to 9 hold "old" each time; 10 to 19 and ELSEWHERE are absent. */
static void with_both_places(struct pod_fixture *f, void (*claim)(struct pair *p))
{
	for (uint32_t host = 0; host < 2; host++) {
		struct pair p = {.f = f, .worker = {f->worker[0], NULL}, .table = {f->rows[0], f->rows[host]}};
		p.worker[1] = host == 0 ? pod_worker(f, 0) : f->worker[1];
		for (uint64_t i = 1; i <= 9; i++)
			pod_put(f, f->side, pod_key(f, i), pod_text("old"));
		OK(lg_run(f->worker[0], clear_body, f));
		p.t1 = pod_begin(p.worker[0]);
		claim(&p);
	}
}

/* T2 as a whole: one write, committed. */
static void t2_puts(struct pair *p, uint64_t number)
{
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	OK(lg_put(t2, p->table[1], pod_key(p->f, number), pod_text("by T2")));
	OK(lg_commit(t2));
}

static void t2_deletes(struct pair *p, uint64_t number)
{
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	OK(lg_del(t2, p->table[1], pod_key(p->f, number)));
	OK(lg_commit(t2));
}

/* T1 writes another row, and must not get through. */
static void t1_conflicts(struct pair *p)
{
	int code = lg_put(p->t1, p->table[0], pod_key(p->f, ELSEWHERE), pod_text("by T1"));
	if (code == LG_OK)
		code = lg_commit(p->t1);
	else
		OK(lg_abort(p->t1));
	CODE(LG_CONFLICT, code);
	pod_expect_text(p->f, 0, pod_key(p->f, ELSEWHERE), NULL);
}

static void claim_read(struct pair *p)
{
	struct lg_slice val;
	OK(lg_get(p->t1, p->table[0], pod_key(p->f, 1), &val));
	t2_puts(p, 1);
	t1_conflicts(p);
	pod_expect_text(p->f, 0, pod_key(p->f, 1), "by T2");
}

static void a_row_that_was_read_and_then_changed_forbids_commit(void **state)
{
	with_both_places(*state, claim_read);
}

static void claim_read_deleted(struct pair *p)
{
	struct lg_slice val;
	OK(lg_get(p->t1, p->table[0], pod_key(p->f, 1), &val));
	t2_deletes(p, 1);
	t1_conflicts(p);
}

static void a_row_that_was_read_and_then_deleted_forbids_commit(void **state)
{
	with_both_places(*state, claim_read_deleted);
}

static void claim_deleted_and_back(struct pair *p)
{
	struct lg_slice val;
	OK(lg_get(p->t1, p->table[0], pod_key(p->f, 1), &val));
	t2_deletes(p, 1);
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	OK(lg_put(t2, p->table[1], pod_key(p->f, 1), pod_text("old")));
	OK(lg_commit(t2));
	t1_conflicts(p);
}

static void a_row_that_was_deleted_and_inserted_anew_is_another_row(void **state)
{
	with_both_places(*state, claim_deleted_and_back);
}

static void claim_absent(struct pair *p)
{
	struct lg_slice val;
	CODE(LG_NOTFOUND, lg_get(p->t1, p->table[0], pod_key(p->f, 11), &val));
	t2_puts(p, 11);
	t1_conflicts(p);
	pod_expect_text(p->f, 0, pod_key(p->f, 11), "by T2");
}

static void an_absent_row_that_another_inserts_forbids_commit(void **state)
{
	with_both_places(*state, claim_absent);
}

static void claim_absent_edit(struct pair *p)
{
	void *val;
	size_t bytes;
	CODE(LG_NOTFOUND, lg_edit(p->t1, p->table[0], pod_key(p->f, 11), &val, &bytes));
	t2_puts(p, 11);
	t1_conflicts(p);
}

static void an_edit_that_found_nothing_is_protected(void **state)
{
	with_both_places(*state, claim_absent_edit);
}

static void claim_absent_del(struct pair *p)
{
	CODE(LG_NOTFOUND, lg_del(p->t1, p->table[0], pod_key(p->f, 11)));
	t2_puts(p, 11);
	t1_conflicts(p);
}

static void a_delete_that_found_nothing_is_protected(void **state)
{
	with_both_places(*state, claim_absent_del);
}

static void claim_exists(struct pair *p)
{
	CODE(LG_EXISTS, lg_insert(p->t1, p->table[0], pod_key(p->f, 1), pod_text("x")));
	t2_deletes(p, 1);
	t1_conflicts(p);
}

static void an_insert_that_was_refused_is_protected(void **state)
{
	with_both_places(*state, claim_exists);
}

/* T1 writes row `number`, which it has seen before T2 changed it, and must not get through. */
static void t1_loses(struct pair *p, uint64_t number, bool insert)
{
	struct lg_slice key = pod_key(p->f, number), val = pod_text("by T1");
	int code = insert ? lg_insert(p->t1, p->table[0], key, val) : lg_put(p->t1, p->table[0], key, val);
	if (code == LG_OK)
		code = lg_commit(p->t1);
	else if (code == LG_EXISTS)
		code = lg_commit(p->t1);
	else
		OK(lg_abort(p->t1));
	CODE(LG_CONFLICT, code);
	pod_expect_text(p->f, 0, key, "by T2");
	pod_expect_text(p->f, 1, key, "by T2");
}

static void claim_put_where_absent(struct pair *p)
{
	struct lg_slice val;
	CODE(LG_NOTFOUND, lg_get(p->t1, p->table[0], pod_key(p->f, 11), &val));
	t2_puts(p, 11);
	t1_loses(p, 11, false);
}

static void claim_insert_where_absent(struct pair *p)
{
	struct lg_slice val;
	CODE(LG_NOTFOUND, lg_get(p->t1, p->table[0], pod_key(p->f, 12), &val));
	t2_puts(p, 12);
	t1_loses(p, 12, true);
}

static void claim_put_where_scanned_empty(struct pair *p)
{
	struct lg_scan *scan;
	struct lg_slice key, val;
	OK(lg_scan_open(p->t1, p->table[0], pod_key(p->f, 10), pod_key(p->f, 20), 0, 0, &scan));
	CODE(LG_END, lg_scan_next(scan, &key, &val));
	t2_puts(p, 13);
	t1_loses(p, 13, false);
}

/* The row was there once: what is left of it (a placeholder, a frame) is found by both. */
static void claim_put_where_deleted(struct pair *p)
{
	struct lg_slice val;
	OK(lg_abort(p->t1));
	for (uint32_t host = 0; host < 2; host++) {
		pod_put(p->f, host, pod_key(p->f, 14), pod_text("before"));
		pod_expect_text(p->f, 1 - host, pod_key(p->f, 14), "before");
		pod_del(p->f, host, pod_key(p->f, 14));
		p->t1 = pod_begin(p->worker[0]);
		CODE(LG_NOTFOUND, lg_get(p->t1, p->table[0], pod_key(p->f, 14), &val));
		t2_puts(p, 14);
		t1_loses(p, 14, host == 1);
	}
}

static void a_row_that_was_absent_is_not_overwritten_once_another_has_inserted_it(void **state)
{
	with_both_places(*state, claim_put_where_absent);
	with_both_places(*state, claim_insert_where_absent);
	with_both_places(*state, claim_put_where_scanned_empty);
	with_both_places(*state, claim_put_where_deleted);
}

static void claim_lost_update(struct pair *p)
{
	struct lg_slice val;
	OK(lg_get(p->t1, p->table[0], pod_key(p->f, 1), &val));
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	OK(lg_get(t2, p->table[1], pod_key(p->f, 1), &val));
	OK(lg_put(t2, p->table[1], pod_key(p->f, 1), pod_text("by T2")));
	OK(lg_commit(t2));
	int code = lg_put(p->t1, p->table[0], pod_key(p->f, 1), pod_text("by T1"));
	if (code == LG_OK)
		code = lg_commit(p->t1);
	else
		OK(lg_abort(p->t1));
	CODE(LG_CONFLICT, code);
	pod_expect_text(p->f, 0, pod_key(p->f, 1), "by T2");
}

static void no_update_is_lost(void **state)
{
	with_both_places(*state, claim_lost_update);
}

static void claim_one_writer(struct pair *p)
{
	struct lg_detail detail;
	struct lg_slice key = pod_key(p->f, 1), val;
	void *edit;
	size_t bytes;
	/* The row is read by both first: so it lies where both can reach it, and what meets is the intents. */
	OK(lg_get(p->t1, p->table[0], key, &val));
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	OK(lg_get(t2, p->table[1], key, &val));
	OK(lg_abort(t2));
	OK(lg_edit(p->t1, p->table[0], key, &edit, &bytes));
	t2 = pod_begin(p->worker[1]);
	CODE(LG_CONFLICT, lg_put(t2, p->table[1], key, pod_text("by T2")));
	lg_txn_detail(t2, &detail);
	assert_int_equal(detail.code, LG_CONFLICT);
	assert_int_equal(detail.reason, LG_ABORT_INTENT);
	assert_int_equal(detail.holder, 0);
	assert_string_equal(detail.table, "rows");
	assert_int_equal(detail.key_bytes, key.bytes);
	assert_memory_equal(detail.key, key.data, key.bytes);
	assert_true(detail.message[0] != '\0');
	/* It stays so until the transaction ends, and can be read after that. */
	CODE(LG_CONFLICT, lg_get(t2, p->table[1], pod_key(p->f, 2), &val));
	CODE(LG_CONFLICT, lg_put(t2, p->table[1], pod_key(p->f, 2), pod_text("x")));
	CODE(LG_CONFLICT, lg_commit(t2));
	lg_txn_detail(t2, &detail);
	assert_int_equal(detail.code, LG_CONFLICT);
	memcpy(edit, "new", 3);
	OK(lg_commit(p->t1));
	pod_expect_text(p->f, 1, key, "new");
	pod_expect_text(p->f, 1, pod_key(p->f, 2), "old");
	t2_puts(p, 1);
}

static void two_writers_of_a_row_conflict_and_detail_names_key_and_holder(void **state)
{
	with_both_places(*state, claim_one_writer);
}

static void claim_write_skew(struct pair *p)
{
	struct lg_slice val;
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	for (uint64_t i = 1; i <= 2; i++) {
		OK(lg_get(p->t1, p->table[0], pod_key(p->f, i), &val));
		OK(lg_get(t2, p->table[1], pod_key(p->f, i), &val));
	}
	int first = lg_put(p->t1, p->table[0], pod_key(p->f, 1), pod_text("by T1"));
	int second = lg_put(t2, p->table[1], pod_key(p->f, 2), pod_text("by T2"));
	first = first == LG_OK ? lg_commit(p->t1) : first;
	second = second == LG_OK ? lg_commit(t2) : second;
	lg_abort(p->t1);
	lg_abort(t2);
	assert_true(first == LG_OK || first == LG_CONFLICT);
	assert_true(second == LG_OK || second == LG_CONFLICT);
	assert_true(first != LG_OK || second != LG_OK);
	/* Nobody else was there: one of them must have got through. */
	assert_true(first == LG_OK || second == LG_OK);
	pod_expect_text(p->f, 0, pod_key(p->f, 1), first == LG_OK ? "by T1" : "old");
	pod_expect_text(p->f, 0, pod_key(p->f, 2), second == LG_OK ? "by T2" : "old");
}

static void write_skew_is_prevented(void **state)
{
	with_both_places(*state, claim_write_skew);
}

static void claim_insert_skew(struct pair *p)
{
	struct lg_slice val;
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	int first = lg_get(p->t1, p->table[0], pod_key(p->f, 12), &val);
	int second = lg_get(t2, p->table[1], pod_key(p->f, 11), &val);
	CODE(LG_NOTFOUND, first);
	CODE(LG_NOTFOUND, second);
	first = lg_insert(p->t1, p->table[0], pod_key(p->f, 11), pod_text("by T1"));
	second = lg_insert(t2, p->table[1], pod_key(p->f, 12), pod_text("by T2"));
	first = first == LG_OK ? lg_commit(p->t1) : first;
	second = second == LG_OK ? lg_commit(t2) : second;
	lg_abort(p->t1);
	lg_abort(t2);
	assert_true(first != LG_OK || second != LG_OK);
	pod_expect_text(p->f, 0, pod_key(p->f, 11), first == LG_OK ? "by T1" : NULL);
	pod_expect_text(p->f, 0, pod_key(p->f, 12), second == LG_OK ? "by T2" : NULL);
}

static void write_skew_by_inserts_is_prevented(void **state)
{
	with_both_places(*state, claim_insert_skew);
}

/* T1 crosses rows 1 to 9 and the gap up to 30. */
static void t1_scans(struct pair *p, unsigned flags, uint64_t limit)
{
	struct lg_scan *scan;
	struct lg_slice key, val;
	int code;
	OK(lg_scan_open(p->t1, p->table[0], pod_key(p->f, 0), pod_key(p->f, 30), flags, limit, &scan));
	while ((code = lg_scan_next(scan, &key, &val)) == LG_OK)
		pod_expect_slice(val, "old");
	CODE(LG_END, code);
}

static void claim_phantom_forward(struct pair *p)
{
	t1_scans(p, LG_SCAN_FORWARD, 0);
	t2_puts(p, 11);
	t1_conflicts(p);
}

static void claim_phantom_reverse(struct pair *p)
{
	t1_scans(p, LG_SCAN_REVERSE, 0);
	t2_puts(p, 11);
	t1_conflicts(p);
}

static void claim_phantom_limit(struct pair *p)
{
	/* In reverse the gap up to 30 comes first: it is crossed, though the scan ends at row 9. */
	t1_scans(p, LG_SCAN_REVERSE, 1);
	t2_puts(p, 15);
	t1_conflicts(p);
}

static void claim_phantom_delete(struct pair *p)
{
	t1_scans(p, LG_SCAN_FORWARD, 0);
	t2_deletes(p, 5);
	t1_conflicts(p);
}

static void claim_phantom_change(struct pair *p)
{
	t1_scans(p, LG_SCAN_REVERSE, 0);
	t2_puts(p, 5);
	t1_conflicts(p);
}

static void a_range_that_was_scanned_is_protected_from_inserts(void **state)
{
	with_both_places(*state, claim_phantom_forward);
	with_both_places(*state, claim_phantom_reverse);
	with_both_places(*state, claim_phantom_limit);
}

static void a_range_that_was_scanned_is_protected_from_deletes_and_changes(void **state)
{
	with_both_places(*state, claim_phantom_delete);
	with_both_places(*state, claim_phantom_change);
}

static void claim_own_insert_does_not_hide_phantoms(struct pair *p)
{
	t1_scans(p, LG_SCAN_FORWARD, 0);
	OK(lg_insert(p->t1, p->table[0], pod_key(p->f, 13), pod_text("by T1")));
	t2_puts(p, 14);
	t1_conflicts(p);
	pod_expect_text(p->f, 0, pod_key(p->f, 13), NULL);
}

static void own_inserts_into_a_scanned_range_do_not_hide_those_of_others(void **state)
{
	with_both_places(*state, claim_own_insert_does_not_hide_phantoms);
}

static void claim_empty_range(struct pair *p)
{
	struct lg_scan *scan;
	struct lg_slice key, val;
	OK(lg_scan_open(p->t1, p->table[0], pod_key(p->f, 10), pod_key(p->f, 20), 0, 0, &scan));
	CODE(LG_END, lg_scan_next(scan, &key, &val));
	t2_puts(p, 15);
	t1_conflicts(p);
}

static void an_empty_range_is_protected(void **state)
{
	with_both_places(*state, claim_empty_range);
}

static void claim_hash_phantom(struct pair *p)
{
	struct lg_table *own = p->f->hashed[0], *theirs = p->table[1] == p->f->rows[0] ? own : p->f->hashed[1];
	static uint64_t base;
	struct lg_scan *scan;
	struct lg_slice key, val;
	base += 1 << 20;
	OK(lg_scan_open(p->t1, own, pod_key(p->f, base), pod_key(p->f, base + 99999), LG_SCAN_FORWARD, 0, &scan));
	CODE(LG_END, lg_scan_next(scan, &key, &val));
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	OK(lg_insert(t2, theirs, pod_key(p->f, base + 5000), pod_text("by T2")));
	OK(lg_commit(t2));
	t1_conflicts(p);
}

static void a_range_of_a_hash_partitioned_table_is_protected(void **state)
{
	with_both_places(*state, claim_hash_phantom);
}

static void claim_disjoint(struct pair *p)
{
	struct lg_slice val;
	OK(lg_get(p->t1, p->table[0], pod_key(p->f, 1), &val));
	OK(lg_put(p->t1, p->table[0], pod_key(p->f, 2), pod_text("by T1")));
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	OK(lg_get(t2, p->table[1], pod_key(p->f, 3), &val));
	OK(lg_put(t2, p->table[1], pod_key(p->f, 4), pod_text("by T2")));
	OK(lg_commit(t2));
	OK(lg_commit(p->t1));
	pod_expect_text(p->f, 1, pod_key(p->f, 2), "by T1");
	pod_expect_text(p->f, 0, pod_key(p->f, 4), "by T2");
}

static void transactions_on_different_rows_both_commit(void **state)
{
	struct pod_fixture *f = *state;
	/* Rows of a remote side are moved in by T1's and T2's first accesses, one of which may meet the other's move. Here
	 * all are in place before. */
	for (uint64_t i = 1; i <= 9; i++) {
		pod_put(f, 1, pod_key(f, i), pod_text("old"));
		pod_expect_text(f, 0, pod_key(f, i), "old");
	}
	with_both_places(f, claim_disjoint);
}

static void claim_private_until_commit(struct pair *p)
{
	struct lg_slice val;
	OK(lg_get(p->t1, p->table[0], pod_key(p->f, 1), &val));
	struct lg_txn *t2 = pod_begin(p->worker[1]);
	OK(lg_get(t2, p->table[1], pod_key(p->f, 1), &val));
	OK(lg_commit(t2));
	OK(lg_put(p->t1, p->table[0], pod_key(p->f, 1), pod_text("not yet")));
	OK(lg_insert(p->t1, p->table[0], pod_key(p->f, 11), pod_text("not yet")));
	t2 = pod_begin(p->worker[1]);
	OK(lg_get(t2, p->table[1], pod_key(p->f, 1), &val));
	pod_expect_slice(val, "old");
	int code = lg_get(t2, p->table[1], pod_key(p->f, 11), &val);
	assert_true(code == LG_NOTFOUND || code == LG_CONFLICT);
	lg_abort(t2);
	OK(lg_abort(p->t1));
}

static void nobody_sees_writes_before_commit(void **state)
{
	with_both_places(*state, claim_private_until_commit);
}

struct attempts {
	struct pod_fixture *f;
	int count, until, then;
};

static int stubborn_body(struct lg_txn *txn, void *arg)
{
	struct attempts *a = arg;
	int code = lg_put(txn, a->f->rows[0], pod_key(a->f, 1), pod_text("by lg_run"));
	if (code != LG_OK)
		return code;
	return ++a->count < a->until ? LG_CONFLICT : a->then;
}

static void lg_run_repeats_until_there_is_no_conflict(void **state)
{
	struct attempts a = {.f = *state, .until = 2 * LG_RUN_PRIORITY_AFTER + 3, .then = LG_OK};
	OK(lg_run(a.f->worker[0], stubborn_body, &a));
	assert_int_equal(a.count, a.until);
	pod_expect_text(a.f, 1, pod_key(a.f, 1), "by lg_run");
}

static void lg_run_returns_the_code_of_its_body_and_aborts(void **state)
{
	struct pod_fixture *f = *state;
	static const int codes[] = {LG_NOTFOUND, LG_EXISTS, LG_INVALID, 1000, 123456, -1};
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		struct attempts a = {.f = f, .until = 1, .then = codes[i]};
		CODE(codes[i], lg_run(f->worker[0], stubborn_body, &a));
		assert_int_equal(a.count, 1);
		pod_expect_text(f, 1, pod_key(f, 1), NULL);
	}
}

static void codes_and_reasons_have_sentences(void **state)
{
	(void)state;
	for (int code = -2; code < LG_CODE_COUNT + 2; code++) {
		assert_non_null(lg_strerror(code));
		assert_true(lg_strerror(code)[0] != '\0');
	}
	for (int reason = 0; reason < LG_ABORT_REASON_COUNT; reason++)
		assert_true(lg_abort_reason_name((enum lg_abort_reason)reason)[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        POD_ALL(a_row_that_was_read_and_then_changed_forbids_commit),
	        POD_ALL(a_row_that_was_read_and_then_deleted_forbids_commit),
	        POD_ALL(a_row_that_was_deleted_and_inserted_anew_is_another_row),
	        POD_ALL(an_absent_row_that_another_inserts_forbids_commit),
	        POD_ALL(an_edit_that_found_nothing_is_protected),
	        POD_ALL(a_delete_that_found_nothing_is_protected),
	        POD_ALL(an_insert_that_was_refused_is_protected),
	        POD_ALL(a_row_that_was_absent_is_not_overwritten_once_another_has_inserted_it),
	        POD_ALL(no_update_is_lost),
	        POD_ALL(two_writers_of_a_row_conflict_and_detail_names_key_and_holder),
	        POD_ALL(write_skew_is_prevented),
	        POD_ALL(write_skew_by_inserts_is_prevented),
	        POD_ALL(a_range_that_was_scanned_is_protected_from_inserts),
	        POD_ALL(a_range_that_was_scanned_is_protected_from_deletes_and_changes),
	        POD_ALL(own_inserts_into_a_scanned_range_do_not_hide_those_of_others),
	        POD_ALL(an_empty_range_is_protected),
	        POD_ALL(a_range_of_a_hash_partitioned_table_is_protected),
	        POD_ALL(transactions_on_different_rows_both_commit),
	        POD_ALL(nobody_sees_writes_before_commit),
	        POD_ALL(lg_run_repeats_until_there_is_no_conflict),
	        POD_ALL(lg_run_returns_the_code_of_its_body_and_aborts),
	        cmocka_unit_test(codes_and_reasons_have_sentences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
