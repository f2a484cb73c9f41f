/* api_rows_inprocess_test.c: get, put, insert, edit and del of single rows, on local and remote partitions alike. */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void get_finds_what_another_host_put(void **state)
{
	struct pod_fixture *f = *state;
	pod_put(f, 0, pod_key(f, 1), pod_text("one"));
	pod_expect_text(f, 0, pod_key(f, 1), "one");
	pod_expect_text(f, 1, pod_key(f, 1), "one");
	pod_put(f, 1, pod_key(f, 1), pod_text("two"));
	pod_expect_text(f, 0, pod_key(f, 1), "two");
	pod_expect_text(f, 1, pod_key(f, 1), "two");
}

static void get_of_an_absent_row_is_notfound_and_empties_val(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	struct lg_slice val = pod_text("left over");
	CODE(LG_NOTFOUND, lg_get(txn, f->rows[0], pod_key(f, 1), &val));
	assert_int_equal(val.bytes, 0);
	OK(lg_commit(txn));
}

static void put_replaces_and_creates(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("a")));
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("bb")));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "bb");
	pod_put(f, 0, pod_key(f, 1), pod_text("c"));
	pod_expect_text(f, 1, pod_key(f, 1), "c");
}

static void insert_adds_a_row_once(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_insert(txn, f->rows[0], pod_key(f, 1), pod_text("first")));
	CODE(LG_EXISTS, lg_insert(txn, f->rows[0], pod_key(f, 1), pod_text("second")));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "first");
	txn = pod_begin(f->worker[0]);
	CODE(LG_EXISTS, lg_insert(txn, f->rows[0], pod_key(f, 1), pod_text("third")));
	OK(lg_insert(txn, f->rows[0], pod_key(f, 2), pod_text("other")));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "first");
	pod_expect_text(f, 1, pod_key(f, 2), "other");
}

static void edit_installs_what_the_copy_holds_at_commit(void **state)
{
	struct pod_fixture *f = *state;
	void *val;
	size_t bytes;
	pod_put(f, 0, pod_key(f, 1), pod_text("abc"));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_edit(txn, f->rows[0], pod_key(f, 1), &val, &bytes));
	assert_int_equal(bytes, 3);
	assert_memory_equal(val, "abc", 3);
	assert_int_equal((uintptr_t)val % 8, 0);
	memcpy(val, "xyz", 3);
	struct lg_slice got;
	OK(lg_get(txn, f->rows[0], pod_key(f, 1), &got));
	pod_expect_slice(got, "xyz");
	memcpy(val, "xy!", 3);
	OK(lg_commit(txn));
	pod_expect_text(f, 0, pod_key(f, 1), "xy!");
	pod_expect_text(f, 1, pod_key(f, 1), "xy!");
}

static void edit_twice_gives_the_changed_copy(void **state)
{
	struct pod_fixture *f = *state;
	void *first, *second;
	size_t bytes;
	pod_put(f, 0, pod_key(f, 1), pod_text("abc"));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_edit(txn, f->rows[0], pod_key(f, 1), &first, &bytes));
	memcpy(first, "A", 1);
	OK(lg_edit(txn, f->rows[0], pod_key(f, 1), &second, &bytes));
	assert_int_equal(bytes, 3);
	assert_memory_equal(second, "Abc", 3);
	memcpy((char *)second + 1, "B", 1);
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "ABc");
}

static void edit_of_an_absent_row_is_notfound(void **state)
{
	struct pod_fixture *f = *state;
	void *val;
	size_t bytes;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	CODE(LG_NOTFOUND, lg_edit(txn, f->rows[0], pod_key(f, 1), &val, &bytes));
	OK(lg_commit(txn));
	pod_expect_text(f, 0, pod_key(f, 1), NULL);
}

static void put_and_del_take_the_place_of_an_edit(void **state)
{
	struct pod_fixture *f = *state;
	void *val;
	size_t bytes;
	pod_put(f, 0, pod_key(f, 1), pod_text("abc"));
	pod_put(f, 0, pod_key(f, 2), pod_text("abc"));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_edit(txn, f->rows[0], pod_key(f, 1), &val, &bytes));
	memcpy(val, "xyz", 3);
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("put!")));
	OK(lg_edit(txn, f->rows[0], pod_key(f, 2), &val, &bytes));
	memcpy(val, "xyz", 3);
	OK(lg_del(txn, f->rows[0], pod_key(f, 2)));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "put!");
	pod_expect_text(f, 1, pod_key(f, 2), NULL);
}

static void edit_of_an_own_put_starts_from_it(void **state)
{
	struct pod_fixture *f = *state;
	void *val;
	size_t bytes;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_insert(txn, f->rows[0], pod_key(f, 1), pod_text("new")));
	OK(lg_edit(txn, f->rows[0], pod_key(f, 1), &val, &bytes));
	assert_int_equal(bytes, 3);
	assert_memory_equal(val, "new", 3);
	memcpy(val, "N", 1);
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "New");
}

static void del_removes_for_everyone(void **state)
{
	struct pod_fixture *f = *state;
	pod_put(f, 0, pod_key(f, 1), pod_text("one"));
	pod_expect_text(f, 1, pod_key(f, 1), "one");
	pod_del(f, 0, pod_key(f, 1));
	pod_expect_text(f, 0, pod_key(f, 1), NULL);
	pod_expect_text(f, 1, pod_key(f, 1), NULL);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	CODE(LG_NOTFOUND, lg_del(txn, f->rows[0], pod_key(f, 1)));
	OK(lg_commit(txn));
	pod_put(f, 1, pod_key(f, 1), pod_text("again"));
	pod_expect_text(f, 0, pod_key(f, 1), "again");
}

static void a_transaction_reads_its_own_writes(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_slice val;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("put")));
	OK(lg_get(txn, f->rows[0], pod_key(f, 1), &val));
	pod_expect_slice(val, "put");
	OK(lg_insert(txn, f->rows[0], pod_key(f, 2), pod_text("inserted")));
	OK(lg_get(txn, f->rows[0], pod_key(f, 2), &val));
	pod_expect_slice(val, "inserted");
	OK(lg_del(txn, f->rows[0], pod_key(f, 1)));
	CODE(LG_NOTFOUND, lg_get(txn, f->rows[0], pod_key(f, 1), &val));
	CODE(LG_NOTFOUND, lg_del(txn, f->rows[0], pod_key(f, 1)));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), NULL);
	pod_expect_text(f, 1, pod_key(f, 2), "inserted");
}

static void insert_after_delete_in_one_transaction(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_slice val;
	pod_put(f, 0, pod_key(f, 1), pod_text("old"));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_del(txn, f->rows[0], pod_key(f, 1)));
	OK(lg_insert(txn, f->rows[0], pod_key(f, 1), pod_text("new one")));
	CODE(LG_EXISTS, lg_insert(txn, f->rows[0], pod_key(f, 1), pod_text("newer")));
	OK(lg_get(txn, f->rows[0], pod_key(f, 1), &val));
	pod_expect_slice(val, "new one");
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "new one");
}

static void delete_after_insert_in_one_transaction(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_insert(txn, f->rows[0], pod_key(f, 1), pod_text("short-lived")));
	OK(lg_del(txn, f->rows[0], pod_key(f, 1)));
	OK(lg_put(txn, f->rows[0], pod_key(f, 2), pod_text("stays")));
	OK(lg_commit(txn));
	pod_expect_text(f, 0, pod_key(f, 1), NULL);
	pod_expect_text(f, 1, pod_key(f, 1), NULL);
	pod_expect_text(f, 1, pod_key(f, 2), "stays");
	pod_put(f, 1, pod_key(f, 1), pod_text("later"));
	pod_expect_text(f, 0, pod_key(f, 1), "later");
}

static void a_row_goes_through_many_lives_in_one_transaction(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_slice val;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	for (int i = 0; i < 10; i++) {
		OK(lg_insert(txn, f->rows[0], pod_key(f, 1), pod_text("life")));
		OK(lg_get(txn, f->rows[0], pod_key(f, 1), &val));
		OK(lg_del(txn, f->rows[0], pod_key(f, 1)));
		CODE(LG_NOTFOUND, lg_get(txn, f->rows[0], pod_key(f, 1), &val));
	}
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("last")));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "last");
}

static void values_returned_are_not_changed_by_later_calls(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_slice before, own;
	pod_put(f, 0, pod_key(f, 1), pod_text("before"));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_get(txn, f->rows[0], pod_key(f, 1), &before));
	assert_int_equal((uintptr_t)before.data % 8, 0);
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("middle")));
	OK(lg_get(txn, f->rows[0], pod_key(f, 1), &own));
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("after ")));
	for (uint64_t i = 2; i < 200; i++)
		OK(lg_put(txn, f->rows[0], pod_key(f, i), pod_text("noise that needs room in the transaction")));
	pod_expect_slice(before, "before");
	pod_expect_slice(own, "middle");
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "after ");
}

static void put_copies_the_value_at_once(void **state)
{
	struct pod_fixture *f = *state;
	char value[] = "as given", key[9];
	struct lg_slice original = pod_key(f, 1);
	memcpy(key, original.data, sizeof(key));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, f->rows[0], lg_slice(key, sizeof(key)), pod_text(value)));
	memset(value, 'x', sizeof(value) - 1);
	memset(key, 0, sizeof(key));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "as given");
}

static const size_t sizes[] = {0, 1, 7, 8, 55, 56, 57, 100, 1000, 65536, 3, 0, 65536, 20000, 65535, 64, 0, 5};

static void values_grow_and_shrink_between_transactions(void **state)
{
	struct pod_fixture *f = *state;
	void *value = malloc(LG_MAX_VALUE_BYTES);
	assert_non_null(value);
	for (uint64_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct lg_slice val;
		pod_fill(value, sizes[i], i);
		/* Both hosts write in turn, and both look: the row is in a frame, which it outgrows again and again. */
		pod_put(f, i % 2, pod_key(f, 1), lg_slice(value, sizes[i]));
		for (uint32_t host = 0; host < 2; host++) {
			struct lg_txn *txn = pod_begin(f->worker[host]);
			OK(lg_get(txn, f->rows[host], pod_key(f, 1), &val));
			assert_true(pod_filled(val, sizes[i], i));
			OK(lg_commit(txn));
		}
	}
	free(value);
}

static void values_grow_and_shrink_within_a_transaction(void **state)
{
	struct pod_fixture *f = *state;
	void *value = malloc(LG_MAX_VALUE_BYTES);
	struct lg_slice val;
	uint64_t i;
	assert_non_null(value);
	pod_put(f, 0, pod_key(f, 1), pod_text("start"));
	pod_expect_text(f, 1, pod_key(f, 1), "start");
	struct lg_txn *txn = pod_begin(f->worker[0]);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		pod_fill(value, sizes[i], i);
		OK(lg_put(txn, f->rows[0], pod_key(f, 1), lg_slice(value, sizes[i])));
		OK(lg_get(txn, f->rows[0], pod_key(f, 1), &val));
		assert_true(pod_filled(val, sizes[i], i));
	}
	OK(lg_commit(txn));
	free(value);
	txn = pod_begin(f->worker[1]);
	OK(lg_get(txn, f->rows[1], pod_key(f, 1), &val));
	assert_true(pod_filled(val, sizes[i - 1], i - 1));
	OK(lg_commit(txn));
}

static void a_shared_row_can_be_deleted_and_inserted_larger(void **state)
{
	struct pod_fixture *f = *state;
	void *value = malloc(5000);
	struct lg_slice val;
	assert_non_null(value);
	pod_put(f, 0, pod_key(f, 1), pod_text("small"));
	pod_expect_text(f, 1, pod_key(f, 1), "small");
	pod_del(f, 1, pod_key(f, 1));
	pod_fill(value, 5000, 7);
	pod_put(f, 0, pod_key(f, 1), lg_slice(value, 5000));
	free(value);
	for (uint32_t host = 0; host < 2; host++) {
		struct lg_txn *txn = pod_begin(f->worker[host]);
		OK(lg_get(txn, f->rows[host], pod_key(f, 1), &val));
		assert_true(pod_filled(val, 5000, 7));
		OK(lg_commit(txn));
	}
}

static void empty_values_are_rows(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_slice val;
	void *edit;
	size_t bytes = 99;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_insert(txn, f->rows[0], pod_key(f, 1), lg_slice(NULL, 0)));
	OK(lg_get(txn, f->rows[0], pod_key(f, 1), &val));
	assert_int_equal(val.bytes, 0);
	OK(lg_commit(txn));
	txn = pod_begin(f->worker[1]);
	OK(lg_get(txn, f->rows[1], pod_key(f, 1), &val));
	assert_int_equal(val.bytes, 0);
	OK(lg_edit(txn, f->rows[1], pod_key(f, 1), &edit, &bytes));
	assert_int_equal(bytes, 0);
	OK(lg_commit(txn));
	pod_expect_text(f, 0, pod_key(f, 1), "");
}

/* A key of `bytes` bytes on the fixture's side. */
static struct lg_slice long_key(const struct pod_fixture *f, uint8_t *buffer, size_t bytes, uint8_t last)
{
	memset(buffer, 0, bytes);
	buffer[0] = (uint8_t)(f->side * 64);
	buffer[bytes - 1] = (uint8_t)(bytes > 1 ? last : buffer[0]);
	return lg_slice(buffer, bytes);
}

static void keys_of_1_to_512_bytes_are_different_rows(void **state)
{
	struct pod_fixture *f = *state;
	uint8_t buffer[LG_MAX_KEY_BYTES];
	char text[16];
	for (size_t bytes = 1; bytes <= LG_MAX_KEY_BYTES; bytes += bytes < 20 ? 1 : 41) {
		snprintf(text, sizeof(text), "%zu bytes", bytes);
		pod_put(f, 0, long_key(f, buffer, bytes, 1), pod_text(text));
	}
	pod_put(f, 0, long_key(f, buffer, 512, 1), pod_text("longest"));
	pod_put(f, 0, long_key(f, buffer, 512, 2), pod_text("neighbour"));
	for (size_t bytes = 1; bytes < LG_MAX_KEY_BYTES; bytes += bytes < 20 ? 1 : 41) {
		snprintf(text, sizeof(text), "%zu bytes", bytes);
		pod_expect_text(f, 0, long_key(f, buffer, bytes, 1), text);
		pod_expect_text(f, 1, long_key(f, buffer, bytes, 1), text);
	}
	pod_expect_text(f, 1, long_key(f, buffer, 512, 1), "longest");
	pod_expect_text(f, 0, long_key(f, buffer, 512, 2), "neighbour");
}

static void keys_and_values_too_long_are_beyond_a_limit(void **state)
{
	struct pod_fixture *f = *state;
	uint8_t key[LG_MAX_KEY_BYTES + 1] = {(uint8_t)(f->side * 64)};
	uint8_t *value = calloc(1, LG_MAX_VALUE_BYTES + 1);
	struct lg_slice val;
	void *edit;
	size_t bytes;
	struct lg_slice too_long = lg_slice(key, sizeof(key)), empty = lg_slice(key, 0);
	assert_non_null(value);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	CODE(LG_LIMIT, lg_get(txn, f->rows[0], too_long, &val));
	CODE(LG_LIMIT, lg_get(txn, f->rows[0], empty, &val));
	CODE(LG_LIMIT, lg_put(txn, f->rows[0], too_long, pod_text("x")));
	CODE(LG_LIMIT, lg_put(txn, f->rows[0], empty, pod_text("x")));
	CODE(LG_LIMIT, lg_insert(txn, f->rows[0], too_long, pod_text("x")));
	CODE(LG_LIMIT, lg_insert(txn, f->rows[0], empty, pod_text("x")));
	CODE(LG_LIMIT, lg_edit(txn, f->rows[0], too_long, &edit, &bytes));
	CODE(LG_LIMIT, lg_del(txn, f->rows[0], too_long));
	CODE(LG_LIMIT, lg_put(txn, f->rows[0], pod_key(f, 1), lg_slice(value, LG_MAX_VALUE_BYTES + 1)));
	CODE(LG_LIMIT, lg_insert(txn, f->rows[0], pod_key(f, 1), lg_slice(value, LG_MAX_VALUE_BYTES + 1)));
	lg_abort(txn);
	free(value);
	pod_expect_text(f, 0, pod_key(f, 1), NULL);
	pod_put(f, 0, pod_key(f, 1), pod_text("usable"));
	pod_expect_text(f, 1, pod_key(f, 1), "usable");
}

static void abort_leaves_nothing(void **state)
{
	struct pod_fixture *f = *state;
	void *val;
	size_t bytes;
	for (uint64_t i = 1; i <= 3; i++)
		pod_put(f, 0, pod_key(f, i), pod_text("old"));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("new")));
	OK(lg_del(txn, f->rows[0], pod_key(f, 2)));
	OK(lg_edit(txn, f->rows[0], pod_key(f, 3), &val, &bytes));
	memcpy(val, "xxx", 3);
	OK(lg_insert(txn, f->rows[0], pod_key(f, 4), pod_text("new")));
	OK(lg_put(txn, f->rows[0], pod_key(f, 5), pod_text("new")));
	OK(lg_abort(txn));
	for (uint32_t host = 0; host < 2; host++) {
		for (uint64_t i = 1; i <= 5; i++)
			pod_expect_text(f, host, pod_key(f, i), i <= 3 ? "old" : NULL);
	}
	/* No intent has stayed behind. */
	for (uint64_t i = 1; i <= 5; i++)
		pod_put(f, 1, pod_key(f, i), pod_text("next"));
}

static void closing_a_worker_aborts_its_transaction(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_error err;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("never")));
	OK(lg_worker_close(f->worker[0]));
	f->worker[0] = NULL;
	OK(lg_worker_open(f->host[0], &f->worker[0], &err));
	pod_expect_text(f, 0, pod_key(f, 1), NULL);
	pod_put(f, 1, pod_key(f, 1), pod_text("free"));
	pod_expect_text(f, 0, pod_key(f, 1), "free");
}

static void an_ended_transaction_refuses_every_call(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_slice val;
	struct lg_scan *scan;
	void *edit;
	size_t bytes;
	pod_put(f, 0, pod_key(f, 1), pod_text("row"));
	for (int commit = 0; commit < 2; commit++) {
		struct lg_txn *txn = pod_begin(f->worker[0]);
		OK(commit ? lg_commit(txn) : lg_abort(txn));
		CODE(LG_ENDED, lg_get(txn, f->rows[0], pod_key(f, 1), &val));
		CODE(LG_ENDED, lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("x")));
		CODE(LG_ENDED, lg_insert(txn, f->rows[0], pod_key(f, 2), pod_text("x")));
		CODE(LG_ENDED, lg_edit(txn, f->rows[0], pod_key(f, 1), &edit, &bytes));
		CODE(LG_ENDED, lg_del(txn, f->rows[0], pod_key(f, 1)));
		CODE(LG_ENDED, lg_scan_open(txn, f->rows[0], pod_key(f, 0), pod_key(f, 9), 0, 0, &scan));
		CODE(LG_ENDED, lg_commit(txn));
		CODE(LG_ENDED, lg_abort(txn));
	}
	pod_expect_text(f, 0, pod_key(f, 1), "row");
}

static void a_worker_runs_one_transaction_at_a_time(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_txn *txn = pod_begin(f->worker[0]), *second = NULL;
	CODE(LG_INVALID, lg_txn_begin(f->worker[0], &second));
	OK(lg_put(txn, f->rows[0], pod_key(f, 1), pod_text("first")));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key(f, 1), "first");
}

static void one_transaction_writes_rows_of_both_hosts_or_none(void **state)
{
	struct pod_fixture *f = *state;
	for (int round = 0; round < 4; round++) {
		struct lg_txn *txn = pod_begin(f->worker[0]);
		for (uint64_t i = 0; i < 20; i++)
			OK(lg_put(txn, f->rows[0], pod_key_on(i % 2, i), pod_text(round % 2 ? "odd" : "even")));
		OK(round < 2 ? lg_commit(txn) : lg_abort(txn));
		for (uint64_t i = 0; i < 20; i++)
			pod_expect_text(f, i / 2 % 2, pod_key_on(i % 2, i), round == 0 ? "even" : "odd");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        POD_BOTH(get_finds_what_another_host_put),
	        POD_BOTH(get_of_an_absent_row_is_notfound_and_empties_val),
	        POD_BOTH(put_replaces_and_creates),
	        POD_BOTH(insert_adds_a_row_once),
	        POD_BOTH(edit_installs_what_the_copy_holds_at_commit),
	        POD_BOTH(edit_twice_gives_the_changed_copy),
	        POD_BOTH(edit_of_an_absent_row_is_notfound),
	        POD_BOTH(put_and_del_take_the_place_of_an_edit),
	        POD_BOTH(edit_of_an_own_put_starts_from_it),
	        POD_BOTH(del_removes_for_everyone),
	        POD_BOTH(a_transaction_reads_its_own_writes),
	        POD_BOTH(insert_after_delete_in_one_transaction),
	        POD_BOTH(delete_after_insert_in_one_transaction),
	        POD_BOTH(a_row_goes_through_many_lives_in_one_transaction),
	        POD_BOTH(values_returned_are_not_changed_by_later_calls),
	        POD_BOTH(put_copies_the_value_at_once),
	        POD_BOTH(values_grow_and_shrink_between_transactions),
	        POD_BOTH(values_grow_and_shrink_within_a_transaction),
	        POD_BOTH(a_shared_row_can_be_deleted_and_inserted_larger),
	        POD_BOTH(empty_values_are_rows),
	        POD_BOTH(keys_of_1_to_512_bytes_are_different_rows),
	        POD_BOTH(keys_and_values_too_long_are_beyond_a_limit),
	        POD_BOTH(abort_leaves_nothing),
	        POD_BOTH(closing_a_worker_aborts_its_transaction),
	        POD_BOTH(an_ended_transaction_refuses_every_call),
	        POD_BOTH(a_worker_runs_one_transaction_at_a_time),
	        POD_LOCAL_TEST(one_transaction_writes_rows_of_both_hosts_or_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
