/* api_tables_inprocess_test.c: tables, partitions, replicated tables, loading. */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <string.h>

/* A refusal that says why. */
static void expect_refused(int code, const struct lg_error *err, const char *what)
{
	if (code != LG_INVALID && code != LG_LIMIT)
		fail_msg("%s: returned %d (%s)", what, code, lg_strerror(code));
	assert_int_equal(err->code, code);
	assert_true(strlen(err->message) > 10);
}

static void a_table_is_opened_by_name_on_other_hosts(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *table[2];
	struct lg_table_def def = {.name = "late", .by = LG_HASH, .prefix_bytes = 4, .partitions = 2};
	struct lg_error err;
	struct lg_slice val;
	CODE(LG_NOTFOUND, lg_table_open(f->host[1], "late", &table[1], &err));
	assert_true(strstr(err.message, "late") != NULL);
	OK(lg_table_create(f->host[0], &def, &table[0], &err));
	OK(lg_table_open(f->host[1], "late", &table[1], &err));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	for (uint64_t i = 0; i < 20; i++)
		OK(lg_put(txn, table[0], pod_key(f, i << 40), pod_text("x")));
	OK(lg_commit(txn));
	txn = pod_begin(f->worker[1]);
	for (uint64_t i = 0; i < 20; i++)
		OK(lg_get(txn, table[1], pod_key(f, i << 40), &val));
	/* The same key of another table is another row. */
	CODE(LG_NOTFOUND, lg_get(txn, f->rows[1], pod_key(f, 1), &val));
	OK(lg_commit(txn));
}

static void creating_a_table_again_opens_it(void **state)
{
	struct pod_fixture *f = *state;
	static const uint64_t split = UINT64_C(1) << 62;
	struct lg_table_def def = {.name = "rows", .by = LG_RANGE, .partitions = 2, .splits = &split};
	struct lg_table *again;
	struct lg_error err;
	pod_put(f, 0, pod_key_on(1, 1), pod_text("there"));
	OK(lg_table_create(f->host[1], &def, &again, &err));
	struct lg_txn *txn = pod_begin(f->worker[1]);
	struct lg_slice val;
	OK(lg_get(txn, again, pod_key_on(1, 1), &val));
	pod_expect_slice(val, "there");
	OK(lg_commit(txn));
}

static void another_definition_of_a_name_is_refused_and_says_what_differs(void **state)
{
	struct pod_fixture *f = *state;
	static const uint64_t split = 12345;
	const struct lg_table_def other[] = {
	        {.name = "rows", .by = LG_HASH, .prefix_bytes = 8, .partitions = 2},
	        {.name = "rows", .by = LG_RANGE, .partitions = 2, .splits = &split},
	        {.name = "rows", .by = LG_RANGE, .partitions = 1},
	        {.name = "rows", .by = LG_REPLICATED},
	        {.name = "hashed", .by = LG_HASH, .prefix_bytes = 7, .partitions = 8},
	        {.name = "hashed", .by = LG_HASH, .prefix_bytes = 8, .partitions = 7},
	};
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
		for (uint32_t host = 0; host < 2; host++) {
			struct lg_table *table;
			struct lg_error err = {0};
			CODE(LG_EXISTS, lg_table_create(f->host[host], &other[i], &table, &err));
			assert_int_equal(err.code, LG_EXISTS);
			assert_true(strstr(err.message, other[i].name) != NULL);
		}
	}
	pod_put(f, 0, pod_key_on(1, 1), pod_text("usable"));
}

static void definitions_that_make_no_sense_are_refused(void **state)
{
	struct pod_fixture *f = *state;
	static const uint64_t falling[] = {5, 4}, same[] = {5, 5};
	char name[LG_MAX_NAME_BYTES + 2];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	const struct lg_table_def bad[] = {
	        {.name = NULL, .by = LG_HASH, .prefix_bytes = 8, .partitions = 1},
	        {.name = "", .by = LG_HASH, .prefix_bytes = 8, .partitions = 1},
	        {.name = name, .by = LG_HASH, .prefix_bytes = 8, .partitions = 1},
	        {.name = "bad", .by = LG_HASH, .prefix_bytes = 0, .partitions = 1},
	        {.name = "bad", .by = LG_HASH, .prefix_bytes = LG_MAX_PREFIX_BYTES + 1, .partitions = 1},
	        {.name = "bad", .by = LG_HASH, .prefix_bytes = 8, .partitions = 0},
	        {.name = "bad", .by = LG_HASH, .prefix_bytes = 8, .partitions = 9},
	        {.name = "bad", .by = LG_HASH, .prefix_bytes = 8, .partitions = LG_MAX_PARTITIONS + 1},
	        {.name = "bad", .by = LG_RANGE, .partitions = 0},
	        {.name = "bad", .by = LG_RANGE, .partitions = 3, .splits = NULL},
	        {.name = "bad", .by = LG_RANGE, .partitions = 3, .splits = falling},
	        {.name = "bad", .by = LG_RANGE, .partitions = 3, .splits = same},
	        {.name = "bad", .by = (enum lg_partitioning)17, .partitions = 1},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct lg_table *table;
		struct lg_error err = {0};
		char what[32];
		snprintf(what, sizeof(what), "definition %zu", i);
		expect_refused(lg_table_create(f->host[0], &bad[i], &table, &err), &err, what);
	}
	struct lg_table *table;
	struct lg_error err;
	CODE(LG_NOTFOUND, lg_table_open(f->host[0], "bad", &table, &err));
}

static void a_pod_holds_256_tables(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *table, *last = NULL;
	struct lg_error err;
	struct lg_slice val;
	char name[16];
	struct lg_table_def def = {.name = name, .by = LG_HASH, .prefix_bytes = 8, .partitions = 1};
	/* The fixture has made two. */
	for (int i = 2; i < LG_MAX_TABLES; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		OK(lg_table_create(f->host[i % 2], &def, &last, &err));
	}
	snprintf(name, sizeof(name), "one too many");
	CODE(LG_LIMIT, lg_table_create(f->host[0], &def, &table, &err));
	assert_true(strstr(err.message, "256") != NULL);
	OK(lg_table_open(f->host[0], "t255", &table, &err));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, table, pod_key(f, 1), pod_text("last table")));
	OK(lg_commit(txn));
	txn = pod_begin(f->worker[1]);
	OK(lg_get(txn, last, pod_key(f, 1), &val));
	OK(lg_commit(txn));
}

static void keys_fall_into_the_partitions_of_their_table(void **state)
{
	struct pod_fixture *f = *state;
	static const uint64_t splits[] = {100, 200};
	struct lg_table_def def = {.name = "numbers", .by = LG_RANGE, .partitions = 3, .splits = splits};
	struct lg_table *table;
	struct lg_error err;
	uint8_t key[9] = {0};
	OK(lg_table_create(f->host[0], &def, &table, &err));
	static const struct {
		uint8_t last;
		uint32_t partition;
	} cases[] = {{0, 0}, {99, 0}, {100, 1}, {199, 1}, {200, 2}, {255, 2}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		key[7] = cases[i].last;
		assert_int_equal(lg_table_partition(table, lg_slice(key, 8)), cases[i].partition);
		assert_int_equal(lg_table_partition(table, lg_slice(key, 9)), cases[i].partition);
	}
	/* A shorter key is padded with zeros: 1 becomes 1 << 56. */
	key[0] = 1;
	assert_int_equal(lg_table_partition(table, lg_slice(key, 1)), 2);
	/* By hash: every partition is used, all hosts agree, and what differs beyond the prefix falls together. */
	bool seen[8] = {false};
	for (uint64_t i = 0; i < 1000; i++) {
		uint32_t p = lg_table_partition(f->hashed[0], pod_key(f, i << 8));
		assert_true(p < 8);
		seen[p] = true;
		assert_int_equal(lg_table_partition(f->hashed[1], pod_key(f, i << 8)), p);
		assert_int_equal(lg_table_partition(f->hashed[0], pod_key(f, (i << 8) + 77)), p);
	}
	for (uint32_t p = 0; p < 8; p++) {
		assert_true(seen[p]);
		assert_int_equal(lg_partition_owner(f->host[0], p), p % 2);
		assert_int_equal(lg_partition_owner(f->host[1], p), p % 2);
	}
}

static void a_short_key_of_a_hash_partitioned_table_is_hashed_whole(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, f->hashed[0], pod_text("a"), pod_text("short")));
	OK(lg_put(txn, f->hashed[0], pod_text("ab"), pod_text("shorter than the prefix")));
	OK(lg_commit(txn));
	struct lg_slice val;
	txn = pod_begin(f->worker[1]);
	OK(lg_get(txn, f->hashed[1], pod_text("a"), &val));
	pod_expect_slice(val, "short");
	OK(lg_get(txn, f->hashed[1], pod_text("ab"), &val));
	pod_expect_slice(val, "shorter than the prefix");
	OK(lg_commit(txn));
}

static void partitions_are_placed_before_the_first_table_only(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_pod_config config;
	struct lg_error err;
	struct lg_host_config host_config;
	struct lg_host *host[2];
	struct lg_table *table;
	char name[64], uri[80];
	CODE(LG_INVALID, lg_partition_place(f->host[0], 0, 1, &err));
	assert_true(err.message[0] != '\0');

	pod_config_small(&config, 2);
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	OK(lg_pod_create(uri, &config, &err));
	lg_host_config_init(&host_config);
	OK(lg_host_open(uri, &host_config, &host[0], &err));
	host_config.host_id = 1;
	OK(lg_host_open(uri, &host_config, &host[1], &err));
	expect_refused(lg_partition_place(host[0], 8, 1, &err), &err, "partition 8 of 8");
	expect_refused(lg_partition_place(host[0], 0, 2, &err), &err, "host 2 of 2");
	OK(lg_partition_place(host[0], 0, 1, &err));
	OK(lg_partition_place(host[1], 1, 1, &err));
	static struct lg_pod_info info;
	OK(lg_pod_info(uri, &info, &err));
	for (uint32_t p = 0; p < 8; p++) {
		assert_int_equal(lg_partition_owner(host[0], p), p < 2 ? 1 : p % 2);
		assert_int_equal(lg_partition_owner(host[1], p), p < 2 ? 1 : p % 2);
		assert_int_equal(info.partition_owner[p], p < 2 ? 1 : p % 2);
	}
	struct lg_table_def def = {.name = "t", .by = LG_HASH, .prefix_bytes = 8, .partitions = 8};
	OK(lg_table_create(host[0], &def, &table, &err));
	CODE(LG_INVALID, lg_partition_place(host[1], 0, 0, &err));
	OK(lg_host_close(host[0]));
	OK(lg_host_close(host[1]));
	OK(lg_pod_destroy(uri, false, &err));
}

static struct lg_table *replicated(struct pod_fixture *f, uint32_t host)
{
	struct lg_table_def def = {.name = "items", .by = LG_REPLICATED};
	struct lg_table *table;
	struct lg_error err;
	OK(lg_table_create(f->host[host], &def, &table, &err));
	return table;
}

static void a_replicated_table_is_unavailable_until_this_host_has_sealed_it(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *items[2] = {replicated(f, 0), replicated(f, 1)};
	struct lg_slice val;
	struct lg_scan *scan;
	struct lg_slice key;
	OK(lg_load(f->worker[0], items[0], pod_text("k1"), pod_text("v1")));
	OK(lg_load(f->worker[0], items[0], pod_text("k2"), pod_text("v2")));
	CODE(LG_EXISTS, lg_load(f->worker[0], items[0], pod_text("k1"), pod_text("other")));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	CODE(LG_UNAVAILABLE, lg_get(txn, items[0], pod_text("k1"), &val));
	lg_abort(txn);
	txn = pod_begin(f->worker[0]);
	int code = lg_scan_open(txn, items[0], pod_text("k"), pod_text("l"), 0, 0, &scan);
	CODE(LG_UNAVAILABLE, code == LG_OK ? lg_scan_next(scan, &key, &val) : code);
	lg_abort(txn);
	OK(lg_table_seal(items[0]));
	txn = pod_begin(f->worker[0]);
	OK(lg_get(txn, items[0], pod_text("k1"), &val));
	pod_expect_slice(val, "v1");
	CODE(LG_NOTFOUND, lg_get(txn, items[0], pod_text("k3"), &val));
	OK(lg_commit(txn));
	txn = pod_begin(f->worker[1]);
	CODE(LG_UNAVAILABLE, lg_get(txn, items[1], pod_text("k1"), &val));
	lg_abort(txn);
	OK(lg_load(f->worker[1], items[1], pod_text("k1"), pod_text("v1")));
	OK(lg_table_seal(items[1]));
	txn = pod_begin(f->worker[1]);
	OK(lg_get(txn, items[1], pod_text("k1"), &val));
	OK(lg_commit(txn));
	assert_int_equal(lg_table_partition(items[1], pod_text("k1")), 0);
}

static void a_sealed_table_is_read_only(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *items = replicated(f, 0);
	struct lg_txn *txn;
	struct lg_slice val;
	struct lg_scan *scan;
	void *edit;
	size_t bytes;
	OK(lg_load(f->worker[0], items, pod_text("k"), pod_text("v")));
	OK(lg_table_seal(items));
	CODE(LG_READONLY, lg_load(f->worker[0], items, pod_text("k2"), pod_text("v")));
	for (int i = 0; i < 5; i++) {
		txn = pod_begin(f->worker[0]);
		if (i == 0)
			CODE(LG_READONLY, lg_put(txn, items, pod_text("k"), pod_text("x")));
		if (i == 1)
			CODE(LG_READONLY, lg_insert(txn, items, pod_text("k2"), pod_text("x")));
		if (i == 2)
			CODE(LG_READONLY, lg_edit(txn, items, pod_text("k"), &edit, &bytes));
		if (i == 3)
			CODE(LG_READONLY, lg_del(txn, items, pod_text("k")));
		if (i == 4)
			CODE(LG_INVALID,
			        lg_scan_open(txn, items, pod_text("a"), pod_text("z"), LG_SCAN_EDIT, 0, &scan));
		lg_abort(txn);
	}
	txn = pod_begin(f->worker[0]);
	OK(lg_get(txn, items, pod_text("k"), &val));
	pod_expect_slice(val, "v");
	CODE(LG_NOTFOUND, lg_get(txn, items, pod_text("k2"), &val));
	OK(lg_commit(txn));
}

static void a_replicated_table_is_scanned_both_ways(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_table *items = replicated(f, 1);
	struct lg_slice key, val;
	struct lg_scan *scan;
	for (uint64_t i = 0; i < 1000; i++)
		OK(lg_load(f->worker[1], items, pod_key(f, i * 7 % 1000), pod_text("item")));
	OK(lg_table_seal(items));
	for (unsigned flags = LG_SCAN_FORWARD; flags <= LG_SCAN_REVERSE; flags++) {
		struct lg_txn *txn = pod_begin(f->worker[1]);
		OK(lg_scan_open(txn, items, pod_key(f, 100), pod_key(f, 900), flags, 0, &scan));
		for (uint64_t i = 0; i < 800; i++) {
			OK(lg_scan_next(scan, &key, &val));
			assert_int_equal(pod_key_number(key), flags == LG_SCAN_FORWARD ? 100 + i : 899 - i);
		}
		CODE(LG_END, lg_scan_next(scan, &key, &val));
		OK(lg_put(txn, f->rows[1], pod_key(f, 1), pod_text("beside")));
		OK(lg_commit(txn));
	}
}

static void loaded_rows_are_seen_by_all_hosts(void **state)
{
	struct pod_fixture *f = *state;
	for (uint64_t i = 0; i < 2000; i++) {
		uint32_t host = i % 2;
		OK(lg_load(f->worker[host], f->rows[host], pod_key_on(host, i), pod_text("loaded")));
	}
	CODE(LG_EXISTS, lg_load(f->worker[1], f->rows[1], pod_key_on(1, 1), pod_text("again")));
	for (uint64_t i = 0; i < 2000; i += 37)
		pod_expect_text(f, i / 37 % 2, pod_key_on(i % 2, i), "loaded");
}

static void loading_has_its_rules(void **state)
{
	struct pod_fixture *f = *state;
	static uint8_t large[LG_MAX_VALUE_BYTES + 1];
	CODE(LG_INVALID, lg_load(f->worker[0], f->rows[0], pod_key_on(1, 1), pod_text("another host's")));
	CODE(LG_LIMIT, lg_load(f->worker[0], f->rows[0], pod_key_on(0, 1), lg_slice(large, sizeof(large))));
	CODE(LG_LIMIT, lg_load(f->worker[0], f->rows[0], lg_slice(NULL, 0), pod_text("no key")));
	memset(large, 0, LG_MAX_KEY_BYTES + 1);
	CODE(LG_LIMIT, lg_load(f->worker[0], f->rows[0], lg_slice(large, LG_MAX_KEY_BYTES + 1), pod_text("long key")));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	CODE(LG_INVALID, lg_load(f->worker[0], f->rows[0], pod_key_on(0, 1), pod_text("in a transaction")));
	OK(lg_commit(txn));
	OK(lg_load(f->worker[0], f->rows[0], pod_key_on(0, 1), lg_slice(large, LG_MAX_VALUE_BYTES)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        POD_LOCAL_TEST(a_table_is_opened_by_name_on_other_hosts),
	        POD_LOCAL_TEST(creating_a_table_again_opens_it),
	        POD_LOCAL_TEST(another_definition_of_a_name_is_refused_and_says_what_differs),
	        POD_LOCAL_TEST(definitions_that_make_no_sense_are_refused),
	        POD_LOCAL_TEST(a_pod_holds_256_tables),
	        POD_LOCAL_TEST(keys_fall_into_the_partitions_of_their_table),
	        POD_LOCAL_TEST(a_short_key_of_a_hash_partitioned_table_is_hashed_whole),
	        POD_LOCAL_TEST(partitions_are_placed_before_the_first_table_only),
	        POD_LOCAL_TEST(a_replicated_table_is_unavailable_until_this_host_has_sealed_it),
	        POD_LOCAL_TEST(a_sealed_table_is_read_only),
	        POD_LOCAL_TEST(a_replicated_table_is_scanned_both_ways),
	        POD_LOCAL_TEST(loaded_rows_are_seen_by_all_hosts),
	        POD_LOCAL_TEST(loading_has_its_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
