/* api_scans_inprocess_test.c: scans, forward and in reverse, of local and remote ranges and over several partitions. */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct lg_slice no_end = {NULL, 0};

/* Puts rows first, first + step, ...: count of them, with their number as text. */
static void put_rows(struct pod_fixture *f, uint64_t first, uint64_t step, uint64_t count)
{
	char text[24];
	for (uint64_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)(first + i * step));
		pod_put(f, f->side, pod_key(f, first + i * step), pod_text(text));
	}
}

/* The scan gives exactly these numbers; UINT64_MAX ends the list. */
static void expect_rows(struct lg_txn *txn, struct lg_table *table, struct lg_slice lo, struct lg_slice hi,
        unsigned flags, uint64_t limit, const uint64_t *numbers)
{
	struct lg_scan *scan;
	struct lg_slice key, val;
	OK(lg_scan_open(txn, table, lo, hi, flags, limit, &scan));
	for (; *numbers != UINT64_MAX; numbers++) {
		OK(lg_scan_next(scan, &key, &val));
		assert_int_equal(pod_key_number(key), *numbers);
	}
	CODE(LG_END, lg_scan_next(scan, &key, &val));
	CODE(LG_END, lg_scan_next(scan, &key, &val));
	lg_scan_close(scan);
}

#define END       UINT64_MAX
#define ROWS(...) ((const uint64_t[]){__VA_ARGS__})

struct seen_rows {
	struct lg_table *table;
	struct lg_slice lo, hi;
	unsigned flags;
	uint64_t numbers[400];
	size_t count;
};

static int see_rows(struct lg_txn *txn, void *arg)
{
	struct seen_rows *seen = arg;
	struct lg_scan *scan;
	struct lg_slice key, val;
	seen->count = 0;
	int code = lg_scan_open(txn, seen->table, seen->lo, seen->hi, seen->flags, 0, &scan);
	while (code == LG_OK && (code = lg_scan_next(scan, &key, &val)) == LG_OK && seen->count < 400)
		seen->numbers[seen->count++] = pod_key_number(key);
	return code == LG_END ? LG_OK : code;
}

/* The same in a transaction of its own, with retries: where rows were deleted, or their inserts given up, the owner clears
 * away what is left of them some time later, and a scan that meets it then has to begin anew. */
static void expect_rows_alone(struct pod_fixture *f, uint32_t host, struct lg_slice lo, struct lg_slice hi,
        unsigned flags, const uint64_t *numbers)
{
	struct seen_rows seen = {.table = f->rows[host], .lo = lo, .hi = hi, .flags = flags};
	OK(lg_run(f->worker[host], see_rows, &seen));
	for (size_t i = 0; i < seen.count; i++)
		assert_int_equal(seen.numbers[i], numbers[i]);
	assert_true(numbers[seen.count] == END);
}

static void a_scan_gives_the_rows_from_lo_to_below_hi_in_order(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *t = f->rows[0];
	put_rows(f, 10, 10, 5);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	expect_rows(txn, t, pod_key(f, 20), pod_key(f, 40), LG_SCAN_FORWARD, 0, ROWS(20, 30, END));
	expect_rows(txn, t, pod_key(f, 19), pod_key(f, 41), LG_SCAN_FORWARD, 0, ROWS(20, 30, 40, END));
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, 0, ROWS(10, 20, 30, 40, 50, END));
	expect_rows(txn, t, pod_key(f, 20), pod_key(f, 40), LG_SCAN_REVERSE, 0, ROWS(30, 20, END));
	expect_rows(txn, t, pod_key(f, 19), pod_key(f, 41), LG_SCAN_REVERSE, 0, ROWS(40, 30, 20, END));
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_REVERSE, 0, ROWS(50, 40, 30, 20, 10, END));
	OK(lg_commit(txn));
}

static void a_scan_of_nothing_ends_at_once(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *t = f->rows[0];
	struct lg_txn *txn = pod_begin(f->worker[0]);
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, 0, ROWS(END));
	OK(lg_commit(txn));
	put_rows(f, 10, 10, 2);
	txn = pod_begin(f->worker[0]);
	expect_rows(txn, t, pod_key(f, 11), pod_key(f, 20), LG_SCAN_FORWARD, 0, ROWS(END));
	expect_rows(txn, t, pod_key(f, 11), pod_key(f, 20), LG_SCAN_REVERSE, 0, ROWS(END));
	expect_rows(txn, t, pod_key(f, 21), pod_key(f, 99), LG_SCAN_FORWARD, 0, ROWS(END));
	expect_rows(txn, t, pod_key(f, 10), pod_key(f, 10), LG_SCAN_FORWARD, 0, ROWS(END));
	expect_rows(txn, t, pod_key(f, 20), pod_key(f, 10), LG_SCAN_REVERSE, 0, ROWS(END));
	OK(lg_commit(txn));
}

static void a_scan_stops_at_its_limit(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *t = f->rows[0];
	put_rows(f, 10, 10, 5);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, 2, ROWS(10, 20, END));
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_REVERSE, 2, ROWS(50, 40, END));
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, 5, ROWS(10, 20, 30, 40, 50, END));
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, 9, ROWS(10, 20, 30, 40, 50, END));
	/* Rows that the transaction has deleted do not count. */
	OK(lg_del(txn, t, pod_key(f, 10)));
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, 2, ROWS(20, 30, END));
	OK(lg_commit(txn));
}

static void a_scan_without_end_goes_to_the_last_row(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *t = f->rows[0];
	f->side = POD_REMOTE; /* where the table ends */
	put_rows(f, 10, 10, 3);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	expect_rows(txn, t, pod_key(f, 20), no_end, LG_SCAN_FORWARD, 0, ROWS(20, 30, END));
	expect_rows(txn, t, pod_key(f, 20), no_end, LG_SCAN_REVERSE, 0, ROWS(30, 20, END));
	OK(lg_commit(txn));
}

/* Whoever has no bound may say so by no pointer, or by no bytes at one. */
static void a_scan_without_beginning_begins_at_the_first_row(void **state)
{
	struct pod_fixture *f = *state;
	const struct lg_slice no_bounds[] = {{NULL, 0}, {"x", 0}};
	put_rows(f, 10, 10, 3);
	for (size_t i = 0; i < 2; i++) {
		struct lg_slice none = no_bounds[i];
		struct lg_txn *txn = pod_begin(f->worker[0]);
		struct lg_table *t = f->rows[0];
		expect_rows(txn, t, none, pod_key(f, 30), LG_SCAN_FORWARD, 0, ROWS(10, 20, END));
		expect_rows(txn, t, none, pod_key(f, 30), LG_SCAN_REVERSE, 0, ROWS(20, 10, END));
		expect_rows(txn, t, none, pod_key(f, 10), LG_SCAN_FORWARD, 0, ROWS(END));
		expect_rows(txn, t, none, pod_key(f, 10), LG_SCAN_REVERSE, 0, ROWS(END));
		expect_rows(txn, t, none, none, LG_SCAN_FORWARD, 0, ROWS(10, 20, 30, END));
		expect_rows(txn, t, none, none, LG_SCAN_REVERSE, 0, ROWS(30, 20, 10, END));
		expect_rows(txn, t, none, none, LG_SCAN_FORWARD, 1, ROWS(10, END));
		expect_rows(txn, t, none, none, LG_SCAN_REVERSE, 1, ROWS(30, END));
		/* And among the transaction's own writes. */
		OK(lg_insert(txn, t, pod_key(f, 5), pod_text("own")));
		OK(lg_del(txn, t, pod_key(f, 30)));
		expect_rows(txn, t, none, pod_key(f, 20), LG_SCAN_FORWARD, 0, ROWS(5, 10, END));
		expect_rows(txn, t, none, none, LG_SCAN_REVERSE, 0, ROWS(20, 10, 5, END));
		OK(lg_abort(txn));
	}
}

static void a_scan_without_beginning_merges_the_partitions_of_a_hash_table(void **state)
{
	struct pod_fixture *f = *state;
	const struct lg_slice no_bounds[] = {{NULL, 0}, {"x", 0}};
	struct lg_table *t = f->hashed[0];
	struct lg_txn *txn = pod_begin(f->worker[0]);
	for (uint64_t i = 1; i <= 4; i++)
		OK(lg_insert(txn, t, pod_key(f, i * 1000), pod_text("x")));
	OK(lg_commit(txn));
	for (size_t i = 0; i < 2; i++) {
		struct lg_slice none = no_bounds[i];
		txn = pod_begin(f->worker[0]);
		expect_rows(txn, t, none, pod_key(f, 3000), LG_SCAN_FORWARD, 0, ROWS(1000, 2000, END));
		expect_rows(txn, t, none, pod_key(f, 3000), LG_SCAN_REVERSE, 0, ROWS(2000, 1000, END));
		expect_rows(txn, t, none, none, LG_SCAN_FORWARD, 0, ROWS(1000, 2000, 3000, 4000, END));
		expect_rows(txn, t, none, none, LG_SCAN_REVERSE, 0, ROWS(4000, 3000, 2000, 1000, END));
		OK(lg_commit(txn));
	}
}

static void a_scan_over_both_hosts_gives_one_order(void **state)
{
	struct pod_fixture *f = *state;
	for (uint32_t w = 0; w < 2; w++) {
		f->side = POD_LOCAL;
		put_rows(f, 1, 1, 3);
		f->side = POD_REMOTE;
		put_rows(f, 4, 1, 3);
		struct lg_txn *txn = pod_begin(f->worker[w]);
		expect_rows(
		        txn, f->rows[w], lg_slice(NULL, 0), no_end, LG_SCAN_FORWARD, 0, ROWS(1, 2, 3, 4, 5, 6, END));
		expect_rows(
		        txn, f->rows[w], lg_slice(NULL, 0), no_end, LG_SCAN_REVERSE, 0, ROWS(6, 5, 4, 3, 2, 1, END));
		expect_rows(
		        txn, f->rows[w], pod_key_on(0, 2), pod_key_on(1, 6), LG_SCAN_FORWARD, 3, ROWS(2, 3, 4, END));
		expect_rows(
		        txn, f->rows[w], pod_key_on(0, 2), pod_key_on(1, 6), LG_SCAN_REVERSE, 3, ROWS(5, 4, 3, END));
		OK(lg_commit(txn));
	}
}

#define MANY_ROWS 5000

static void load_many(struct pod_fixture *f, struct lg_table *const *tables)
{
	char value[200];
	for (uint64_t i = 0; i < MANY_ROWS; i++) {
		struct lg_slice key = pod_key(f, i * 3);
		uint32_t owner = lg_partition_owner(f->host[0], lg_table_partition(tables[0], key));
		pod_fill(value, sizeof(value), i * 3);
		OK(lg_load(f->worker[owner], tables[owner], key, lg_slice(value, 100 + i % 100)));
	}
}

/* Rows are numbered 0, 3, 6, ...; `count` of them from `first`, up or down. */
static void expect_many(struct pod_fixture *f, struct lg_table *table, struct lg_slice lo, struct lg_slice hi,
        unsigned flags, uint64_t limit, uint64_t first, uint64_t count)
{
	struct lg_scan *scan;
	struct lg_slice key, val;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_scan_open(txn, table, lo, hi, flags, limit, &scan));
	for (uint64_t i = 0; i < count; i++) {
		uint64_t number = flags & LG_SCAN_REVERSE ? first - 3 * i : first + 3 * i;
		OK(lg_scan_next(scan, &key, &val));
		assert_int_equal(pod_key_number(key), number);
		assert_true(pod_filled(val, 100 + number / 3 % 100, number));
	}
	CODE(LG_END, lg_scan_next(scan, &key, &val));
	OK(lg_commit(txn));
}

static void scans_cross_thousands_of_rows(void **state)
{
	struct pod_fixture *f = *state;
	uint64_t end = MANY_ROWS * 3;
	load_many(f, f->rows);
	for (int round = 0; round < 2; round++) {
		expect_many(f, f->rows[0], pod_key(f, 0), pod_key(f, end), LG_SCAN_FORWARD, 0, 0, MANY_ROWS);
		expect_many(f, f->rows[0], pod_key(f, 0), pod_key(f, end), LG_SCAN_REVERSE, 0, end - 3, MANY_ROWS);
		expect_many(f, f->rows[0], pod_key(f, 1), pod_key(f, end), LG_SCAN_FORWARD, 2000, 3, 2000);
		expect_many(f, f->rows[0], pod_key(f, 0), pod_key(f, end - 3), LG_SCAN_REVERSE, 2000, end - 6, 2000);
		expect_many(f, f->rows[0], pod_key(f, 6000), pod_key(f, 9000), LG_SCAN_FORWARD, 0, 6000, 1000);
	}
}

static void scans_of_a_hash_partitioned_table_merge_in_order(void **state)
{
	struct pod_fixture *f = *state;
	uint64_t end = MANY_ROWS * 3;
	load_many(f, f->hashed);
	expect_many(f, f->hashed[0], pod_key(f, 0), pod_key(f, end), LG_SCAN_FORWARD, 0, 0, MANY_ROWS);
	expect_many(f, f->hashed[0], pod_key(f, 0), pod_key(f, end), LG_SCAN_REVERSE, 0, end - 3, MANY_ROWS);
	expect_many(f, f->hashed[0], pod_key(f, 300), pod_key(f, end), LG_SCAN_FORWARD, 500, 300, 500);
	expect_many(f, f->hashed[0], pod_key(f, 0), pod_key(f, 9000), LG_SCAN_REVERSE, 500, 8997, 500);
	/* The first 8 bytes of the key are hashed: 768 to 1023 share them. */
	expect_many(f, f->hashed[0], pod_key(f, 768), pod_key(f, 1020), LG_SCAN_FORWARD, 0, 768, 84);
	expect_many(f, f->hashed[0], pod_key(f, 768), pod_key(f, 1020), LG_SCAN_REVERSE, 0, 1017, 84);
}

static void scans_of_a_hash_partitioned_table_see_own_writes(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *t = f->hashed[0];
	struct lg_txn *txn = pod_begin(f->worker[0]);
	for (uint64_t i = 1; i <= 6; i++)
		OK(lg_insert(txn, t, pod_key(f, i * 1000), pod_text("x")));
	OK(lg_commit(txn));
	txn = pod_begin(f->worker[0]);
	OK(lg_del(txn, t, pod_key(f, 2000)));
	OK(lg_insert(txn, t, pod_key(f, 4500), pod_text("x")));
	expect_rows(
	        txn, t, pod_key(f, 0), pod_key(f, 5500), LG_SCAN_FORWARD, 0, ROWS(1000, 3000, 4000, 4500, 5000, END));
	expect_rows(
	        txn, t, pod_key(f, 0), pod_key(f, 5500), LG_SCAN_REVERSE, 0, ROWS(5000, 4500, 4000, 3000, 1000, END));
	OK(lg_commit(txn));
}

static void a_scan_sees_the_writes_of_its_transaction(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *t = f->rows[0];
	put_rows(f, 10, 10, 5);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_insert(txn, t, pod_key(f, 5), pod_text("own")));
	OK(lg_insert(txn, t, pod_key(f, 25), pod_text("own")));
	OK(lg_put(txn, t, pod_key(f, 30), pod_text("changed")));
	OK(lg_del(txn, t, pod_key(f, 40)));
	OK(lg_put(txn, t, pod_key(f, 60), pod_text("own")));
	OK(lg_insert(txn, t, pod_key(f, 70), pod_text("own")));
	OK(lg_del(txn, t, pod_key(f, 70)));
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, 0, ROWS(5, 10, 20, 25, 30, 50, 60, END));
	expect_rows(txn, t, pod_key(f, 0), pod_key(f, 99), LG_SCAN_REVERSE, 0, ROWS(60, 50, 30, 25, 20, 10, 5, END));
	struct lg_scan *scan;
	struct lg_slice key, val;
	OK(lg_scan_open(txn, t, pod_key(f, 30), pod_key(f, 31), 0, 0, &scan));
	OK(lg_scan_next(scan, &key, &val));
	pod_expect_slice(val, "changed");
	OK(lg_commit(txn));
	expect_rows_alone(f, 1, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, ROWS(5, 10, 20, 25, 30, 50, 60, END));
}

static void a_scan_sees_own_writes_ahead_of_it_and_not_behind(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *t = f->rows[0];
	static const uint64_t forward[] = {10, 20, 35, 50, 55}, reverse[] = {50, 40, 25, 10, 5};
	put_rows(f, 10, 10, 5);
	for (unsigned flags = LG_SCAN_FORWARD; flags <= LG_SCAN_REVERSE; flags++) {
		struct lg_scan *scan;
		struct lg_slice key, val;
		struct lg_txn *txn = pod_begin(f->worker[0]);
		const uint64_t *wanted = flags == LG_SCAN_FORWARD ? forward : reverse;
		OK(lg_scan_open(txn, t, pod_key(f, 0), pod_key(f, 99), flags, 0, &scan));
		for (int i = 0; i < 2; i++) {
			OK(lg_scan_next(scan, &key, &val));
			assert_int_equal(pod_key_number(key), wanted[i]);
		}
		/* Forward it stands at 20: 15 is behind, 35 and 55 ahead. In reverse at 40: 45 is behind, 25 and 5 ahead. */
		bool up = flags == LG_SCAN_FORWARD;
		OK(lg_insert(txn, t, pod_key(f, up ? 15 : 45), pod_text("behind")));
		OK(lg_insert(txn, t, pod_key(f, up ? 35 : 25), pod_text("ahead")));
		OK(lg_insert(txn, t, pod_key(f, up ? 55 : 5), pod_text("ahead")));
		OK(lg_del(txn, t, pod_key(f, 30)));
		OK(lg_del(txn, t, pod_key(f, up ? 40 : 20)));
		for (int i = 2; i < 5; i++) {
			OK(lg_scan_next(scan, &key, &val));
			assert_int_equal(pod_key_number(key), wanted[i]);
		}
		CODE(LG_END, lg_scan_next(scan, &key, &val));
		OK(lg_abort(txn));
	}
}

static void deleting_the_row_a_scan_stands_on_does_not_disturb_it(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_scan *scan;
	struct lg_slice key, val;
	uint64_t rows = 0;
	put_rows(f, 0, 1, 300);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_scan_open(txn, f->rows[0], pod_key(f, 0), pod_key(f, 300), 0, 0, &scan));
	for (; lg_scan_next(scan, &key, &val) == LG_OK; rows++) {
		assert_int_equal(pod_key_number(key), rows);
		OK(lg_del(txn, f->rows[0], key));
	}
	assert_int_equal(rows, 300);
	expect_rows(txn, f->rows[0], pod_key(f, 0), pod_key(f, 300), 0, 0, ROWS(END));
	OK(lg_commit(txn));
	expect_rows_alone(f, 1, pod_key(f, 0), pod_key(f, 300), 0, ROWS(END));
}

static void an_edit_scan_changes_every_row_it_gives(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_scan *scan;
	struct lg_slice key, val;
	for (uint64_t i = 0; i < 100; i++)
		pod_put(f, f->side, pod_key(f, i), pod_text("ab"));
	for (unsigned flags = LG_SCAN_EDIT; flags <= (LG_SCAN_EDIT | LG_SCAN_REVERSE); flags++) {
		struct lg_txn *txn = pod_begin(f->worker[0]);
		OK(lg_scan_open(txn, f->rows[0], pod_key(f, 10), pod_key(f, 90), flags, 50, &scan));
		while (lg_scan_next(scan, &key, &val) == LG_OK) {
			char *value = lg_scan_value(scan);
			assert_non_null(value);
			assert_int_equal(val.bytes, 2);
			value[flags & LG_SCAN_REVERSE ? 1 : 0] = 'X';
		}
		OK(lg_commit(txn));
	}
	for (uint64_t i = 0; i < 100; i++) {
		bool up = i >= 10 && i < 60, down = i >= 40 && i < 90;
		pod_expect_text(f, i % 2, pod_key(f, i), up && down ? "XX" : up ? "Xb" : down ? "aX" : "ab");
	}
}

static void a_plain_scan_has_no_writable_value(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_scan *scan;
	struct lg_slice key, val;
	put_rows(f, 1, 1, 1);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_scan_open(txn, f->rows[0], pod_key(f, 0), pod_key(f, 9), 0, 0, &scan));
	OK(lg_scan_next(scan, &key, &val));
	assert_null(lg_scan_value(scan));
	OK(lg_commit(txn));
}

static void keys_and_values_of_a_scan_stay_valid(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_slice key[200], val[200];
	struct lg_scan *scan;
	char text[24];
	put_rows(f, 0, 1, 200);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_scan_open(txn, f->rows[0], pod_key(f, 0), pod_key(f, 200), 0, 0, &scan));
	for (int i = 0; i < 200; i++)
		OK(lg_scan_next(scan, &key[i], &val[i]));
	lg_scan_close(scan);
	for (uint64_t i = 0; i < 200; i++)
		OK(lg_put(txn, f->rows[0], pod_key(f, i), pod_text("overwritten")));
	for (uint64_t i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)i);
		assert_int_equal(pod_key_number(key[i]), i);
		assert_int_equal((uintptr_t)val[i].data % 8, 0);
		pod_expect_slice(val[i], text);
	}
	OK(lg_commit(txn));
}

static void several_scans_run_side_by_side(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_scan *up, *down;
	struct lg_slice key, val;
	put_rows(f, 0, 1, 100);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_scan_open(txn, f->rows[0], pod_key(f, 0), pod_key(f, 100), LG_SCAN_FORWARD, 0, &up));
	OK(lg_scan_open(txn, f->rows[0], pod_key(f, 0), pod_key(f, 100), LG_SCAN_REVERSE, 0, &down));
	for (uint64_t i = 0; i < 100; i++) {
		OK(lg_scan_next(up, &key, &val));
		assert_int_equal(pod_key_number(key), i);
		OK(lg_scan_next(down, &key, &val));
		assert_int_equal(pod_key_number(key), 99 - i);
		OK(lg_get(txn, f->rows[0], pod_key(f, i), &val));
	}
	lg_scan_close(up);
	CODE(LG_END, lg_scan_next(down, &key, &val));
	OK(lg_commit(txn));
}

struct writing_scan {
	struct pod_fixture *f;
	unsigned flags;
	int attempts;
};

static int write_where_scanned(struct lg_txn *txn, void *arg)
{
	struct writing_scan *w = arg;
	struct lg_table *t = w->f->rows[0];
	struct lg_scan *scan;
	struct lg_slice key, val;
	w->attempts++;
	int code = lg_scan_open(txn, t, pod_key(w->f, 0), pod_key(w->f, 1000), w->flags, 0, &scan);
	while (code == LG_OK)
		code = lg_scan_next(scan, &key, &val);
	code = code == LG_END ? LG_OK : code;
	/* Enough inserts to split leaves that the scan has crossed. */
	for (uint64_t i = 0; i < 1000 && code == LG_OK; i += 10)
		code = lg_insert(txn, t, pod_key(w->f, i + 1 + w->flags), pod_text("inserted"));
	if (code == LG_OK)
		code = lg_del(txn, t, pod_key(w->f, 500 + 10 * w->flags));
	return code == LG_OK ? lg_put(txn, t, pod_key(w->f, 600), pod_text("put")) : code;
}

static void a_transaction_may_write_where_it_scanned(void **state)
{
	struct pod_fixture *f = *state;
	put_rows(f, 0, 10, 100);
	for (unsigned flags = LG_SCAN_FORWARD; flags <= LG_SCAN_REVERSE; flags++) {
		struct writing_scan w = {.f = f, .flags = flags};
		OK(lg_run(f->worker[0], write_where_scanned, &w));
		/* Nobody else is there, but the owner may be clearing away what is deleted or not yet there. */
		assert_true(w.attempts < LG_RUN_PRIORITY_AFTER);
	}
	expect_rows_alone(f, 1, pod_key(f, 490), pod_key(f, 531), 0,
	        ROWS(490, 491, 492, 501, 502, 511, 512, 520, 521, 522, 530, END));
}

static void scans_skip_what_aborted_transactions_inserted(void **state)
{
	struct pod_fixture *f = *state;
	put_rows(f, 10, 10, 3);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_insert(txn, f->rows[0], pod_key(f, 15), pod_text("never")));
	OK(lg_insert(txn, f->rows[0], pod_key(f, 25), pod_text("never")));
	OK(lg_abort(txn));
	for (uint32_t host = 0; host < 2; host++) {
		expect_rows_alone(f, host, pod_key(f, 0), pod_key(f, 99), LG_SCAN_FORWARD, ROWS(10, 20, 30, END));
		expect_rows_alone(f, host, pod_key(f, 0), pod_key(f, 99), LG_SCAN_REVERSE, ROWS(30, 20, 10, END));
	}
}

static void scans_follow_the_writes_of_other_hosts(void **state)
{
	struct pod_fixture *f = *state;
	put_rows(f, 10, 10, 5);
	expect_rows_alone(f, 0, pod_key(f, 0), pod_key(f, 99), 0, ROWS(10, 20, 30, 40, 50, END));
	pod_del(f, 1, pod_key(f, 20));
	pod_put(f, 1, pod_key(f, 35), pod_text("new"));
	expect_rows_alone(f, 0, pod_key(f, 0), pod_key(f, 99), 0, ROWS(10, 30, 35, 40, 50, END));
	pod_del(f, 0, pod_key(f, 35));
	pod_put(f, 0, pod_key(f, 20), pod_text("back"));
	expect_rows_alone(f, 1, pod_key(f, 0), pod_key(f, 99), LG_SCAN_REVERSE, ROWS(50, 40, 30, 20, 10, END));
}

static void scans_return_large_values_and_long_keys(void **state)
{
	struct pod_fixture *f = *state;
	uint8_t key[LG_MAX_KEY_BYTES] = {0}, *value = malloc(LG_MAX_VALUE_BYTES);
	struct lg_scan *scan;
	struct lg_slice got_key, got;
	assert_non_null(value);
	key[0] = (uint8_t)(f->side * 64);
	for (uint8_t i = 0; i < 20; i++) {
		key[511] = i;
		pod_fill(value, LG_MAX_VALUE_BYTES, i);
		pod_put(f, f->side, lg_slice(key, 512 - 19 + i), lg_slice(value, LG_MAX_VALUE_BYTES - i));
	}
	free(value);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_scan_open(txn, f->rows[0], lg_slice(key, 1), pod_key(f, 1), 0, 0, &scan));
	for (uint8_t i = 0; i < 20; i++) {
		OK(lg_scan_next(scan, &got_key, &got));
		assert_int_equal(got_key.bytes, 512 - 19 + i);
		assert_true(pod_filled(got, LG_MAX_VALUE_BYTES - i, i));
	}
	CODE(LG_END, lg_scan_next(scan, &got_key, &got));
	OK(lg_commit(txn));
}

static void unknown_flags_are_invalid(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_scan *scan;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	CODE(LG_INVALID, lg_scan_open(txn, f->rows[0], pod_key(f, 0), pod_key(f, 9), 64, 0, &scan));
	OK(lg_abort(txn));
	pod_put(f, 0, pod_key(f, 1), pod_text("usable"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        POD_BOTH(a_scan_gives_the_rows_from_lo_to_below_hi_in_order),
	        POD_BOTH(a_scan_of_nothing_ends_at_once),
	        POD_BOTH(a_scan_stops_at_its_limit),
	        POD_LOCAL_TEST(a_scan_without_end_goes_to_the_last_row),
	        POD_BOTH(a_scan_without_beginning_begins_at_the_first_row),
	        POD_LOCAL_TEST(a_scan_without_beginning_merges_the_partitions_of_a_hash_table),
	        POD_LOCAL_TEST(a_scan_over_both_hosts_gives_one_order),
	        POD_BOTH(scans_cross_thousands_of_rows),
	        POD_LOCAL_TEST(scans_of_a_hash_partitioned_table_merge_in_order),
	        POD_LOCAL_TEST(scans_of_a_hash_partitioned_table_see_own_writes),
	        POD_BOTH(a_scan_sees_the_writes_of_its_transaction),
	        POD_BOTH(a_scan_sees_own_writes_ahead_of_it_and_not_behind),
	        POD_BOTH(deleting_the_row_a_scan_stands_on_does_not_disturb_it),
	        POD_BOTH(an_edit_scan_changes_every_row_it_gives),
	        POD_BOTH(a_plain_scan_has_no_writable_value),
	        POD_BOTH(keys_and_values_of_a_scan_stay_valid),
	        POD_BOTH(several_scans_run_side_by_side),
	        POD_BOTH(a_transaction_may_write_where_it_scanned),
	        POD_BOTH(scans_skip_what_aborted_transactions_inserted),
	        POD_BOTH(scans_follow_the_writes_of_other_hosts),
	        POD_BOTH(scans_return_large_values_and_long_keys),
	        POD_LOCAL_TEST(unknown_flags_are_invalid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
