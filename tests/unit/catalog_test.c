/* catalog_test.c: tables are added once, found by name with their whole definition, and damage is noticed. */
#include "unit/unit_pod.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cxl/catalog.h"

static struct lg_error err;

static const uint64_t splits[7] = {0, 10, 20, 1000, UINT64_C(1) << 40, UINT64_MAX - 1, UINT64_MAX};

static struct lg_table_def hash_table(const char *name)
{
	return (struct lg_table_def){.name = name, .by = LG_HASH, .prefix_bytes = 8, .partitions = 4};
}

static struct lg_table_def range_table(const char *name)
{
	return (struct lg_table_def){.name = name, .by = LG_RANGE, .partitions = 8, .splits = splits};
}

static uint32_t add(struct unit_pod *pod, const struct lg_table_def *def)
{
	uint32_t id = UINT32_MAX;
	if (catalog_add(&pod->port, 0, def, &id, &err))
		fail_msg("%s", err.message);
	return id;
}

static void expect_table(struct unit_pod *pod, uint32_t id, const struct lg_table_def *def)
{
	struct catalog_table table;
	if (catalog_read(&pod->port, id, &table, &err))
		fail_msg("%s", err.message);
	assert_string_equal(table.name, def->name);
	assert_int_equal(table.id, id);
	assert_int_equal(table.by, def->by);
	assert_int_equal(table.prefix_bytes, def->prefix_bytes);
	assert_int_equal(table.partitions, def->partitions);
	if (def->splits)
		assert_memory_equal(table.splits, def->splits, (def->partitions - 1) * 8);
	else
		assert_null(table.splits);
	free(table.splits);
}

static void tables_of_all_kinds_are_read_back_as_they_were_added(void **state)
{
	struct unit_pod *pod = *state;
	char longest[LG_MAX_NAME_BYTES + 1];
	memset(longest, 'n', LG_MAX_NAME_BYTES);
	longest[LG_MAX_NAME_BYTES] = 0;
	struct lg_table_def defs[] = {hash_table("a hash"), range_table("a range"),
	        {.name = "item", .by = LG_REPLICATED}, range_table("caf\xc3\xa9"), hash_table(longest),
	        {.name = "one", .by = LG_RANGE, .partitions = 1}};
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(add(pod, &defs[i]), i);
	assert_int_equal(catalog_count(&pod->port), 6);
	for (uint32_t i = 0; i < 6; i++) {
		uint32_t id;
		expect_table(pod, i, &defs[i]);
		assert_int_equal(catalog_find(&pod->port, defs[i].name, &id, &err), LG_OK);
		assert_int_equal(id, i);
	}
	uint32_t id;
	unit_expect_error(LG_NOTFOUND, catalog_find(&pod->port, "a rang", &id, &err), &err, "a rang");
}

static void the_same_definition_again_is_the_same_table(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_table_def hash = hash_table("h"), range = range_table("r");
	uint64_t other_splits[7];
	add(pod, &hash);
	add(pod, &range);
	memcpy(other_splits, splits, sizeof splits);
	range.splits = other_splits;
	assert_int_equal(add(pod, &hash), 0);
	assert_int_equal(add(pod, &range), 1);
	assert_int_equal(catalog_count(&pod->port), 2);
}

static void another_definition_of_a_name_is_refused_and_the_difference_told(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_table_def hash = hash_table("h"), range = range_table("r"), def;
	uint64_t other_splits[7];
	uint32_t id;
	add(pod, &hash);
	add(pod, &range);
	def = hash, def.prefix_bytes = 9;
	unit_expect_error(LG_EXISTS, catalog_add(&pod->port, 1, &def, &id, &err), &err, "prefix_bytes 8, not 9");
	def = hash, def.partitions = 5;
	unit_expect_error(LG_EXISTS, catalog_add(&pod->port, 1, &def, &id, &err), &err, "4 partitions, not 5");
	def = range, def.name = "h";
	unit_expect_error(LG_EXISTS, catalog_add(&pod->port, 1, &def, &id, &err), &err, "hash, not range");
	memcpy(other_splits, splits, sizeof splits);
	other_splits[3] = 999;
	def = range, def.splits = other_splits;
	unit_expect_error(LG_EXISTS, catalog_add(&pod->port, 1, &def, &id, &err), &err, "split 3 at 1000, not 999");
	assert_int_equal(catalog_count(&pod->port), 2);
	expect_table(pod, 0, &hash);
	expect_table(pod, 1, &range);
}

static void expect_def_refused(struct unit_pod *pod, struct lg_table_def def, int code, const char *piece)
{
	uint32_t id;
	unit_expect_error(code, catalog_check_def(&pod->port, &def, &err), &err, piece);
	unit_expect_error(code, catalog_add(&pod->port, 0, &def, &id, &err), &err, piece);
}

static void definitions_that_make_no_table_are_refused(void **state)
{
	struct unit_pod *pod = *state;
	char name[LG_MAX_NAME_BYTES + 2];
	uint64_t equal[7] = {1, 2, 3, 3, 5, 6, 7};
	struct lg_table_def d;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	expect_def_refused(pod, hash_table(NULL), LG_INVALID, "needs a name");
	expect_def_refused(pod, hash_table(""), LG_INVALID, "needs a name");
	expect_def_refused(pod, hash_table(name), LG_LIMIT, "64 bytes");
	expect_def_refused(pod, hash_table("a\nb"), LG_INVALID, "control character 10");
	d = hash_table("t"), d.by = (enum lg_partitioning)3, expect_def_refused(pod, d, LG_INVALID, "no way");
	d = hash_table("t"), d.prefix_bytes = 0, expect_def_refused(pod, d, LG_INVALID, "prefix_bytes is 0");
	d = hash_table("t"), d.prefix_bytes = 65, expect_def_refused(pod, d, LG_LIMIT, "at most 64");
	d = hash_table("t"), d.partitions = 0, expect_def_refused(pod, d, LG_INVALID, "1 to 8");
	d = hash_table("t"), d.partitions = 9, expect_def_refused(pod, d, LG_INVALID, "1 to 8");
	d = hash_table("t"), d.partitions = 4097, expect_def_refused(pod, d, LG_LIMIT, "more than 4096");
	d = hash_table("t"), d.splits = splits, expect_def_refused(pod, d, LG_INVALID, "splits are for");
	d = range_table("t"), d.prefix_bytes = 1, expect_def_refused(pod, d, LG_INVALID, "prefix_bytes is 1");
	d = range_table("t"), d.partitions = 0, expect_def_refused(pod, d, LG_INVALID, "1 to 8");
	d = range_table("t"), d.splits = NULL, expect_def_refused(pod, d, LG_INVALID, "need 7 splits");
	d = range_table("t"), d.splits = equal, expect_def_refused(pod, d, LG_INVALID, "split 2 is 3 and split 3 is 3");
	d = (struct lg_table_def){.name = "t", .by = LG_REPLICATED, .partitions = 1};
	expect_def_refused(pod, d, LG_INVALID, "replicated");
	assert_int_equal(catalog_count(&pod->port), 0);
}

static void the_257th_table_is_beyond_the_limit(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_table_def def = {.by = LG_REPLICATED};
	char name[16];
	uint32_t id;
	def.name = name;
	for (uint32_t i = 0; i < LG_MAX_TABLES; i++) {
		snprintf(name, sizeof name, "t%u", i);
		assert_int_equal(add(pod, &def), i);
	}
	snprintf(name, sizeof name, "more");
	unit_expect_error(LG_LIMIT, catalog_add(&pod->port, 0, &def, &id, &err), &err, "256 tables");
	snprintf(name, sizeof name, "t255");
	assert_int_equal(add(pod, &def), 255);
}

static void when_the_room_for_splits_is_used_up_other_tables_still_fit(void **state)
{
	(void)state;
	struct lg_pod_config config;
	static uint64_t many[LG_MAX_PARTITIONS - 1];
	struct lg_table_def def = {.by = LG_RANGE, .partitions = LG_MAX_PARTITIONS, .splits = many};
	struct lg_table_def small = hash_table("small");
	char name[16];
	uint32_t id, tables = 0;
	unit_pod_config(&config);
	config.partitions = LG_MAX_PARTITIONS;
	struct unit_pod *pod = unit_pod_make(&config);
	for (uint64_t i = 0; i < LG_MAX_PARTITIONS - 1; i++)
		many[i] = i * i;
	def.name = name;
	int code;
	do {
		snprintf(name, sizeof name, "t%u", tables);
		code = catalog_add(&pod->port, 0, &def, &id, &err);
	} while (code == LG_OK && ++tables < LG_MAX_TABLES);
	unit_expect_error(LG_NOSPACE, code, &err, "room for");
	assert_true(tables >= 26);
	assert_int_equal(add(pod, &small), tables);
	for (uint32_t i = 0; i < tables; i++) {
		snprintf(name, sizeof name, "t%u", i);
		expect_table(pod, i, &def);
	}
	unit_pod_end(pod);
}

static void a_lock_that_is_never_let_go_is_unavailable_and_names_its_holder(void **state)
{
	struct unit_pod *pod = *state;
	struct pod_catalog_root *root = (void *)(pod->region.base + POD_CATALOG_ROOT_OFFSET);
	struct lg_table_def def = hash_table("t"), known = hash_table("known");
	uint32_t id;
	add(pod, &known);
	atomic_store(&root->lock, 2);
	unit_expect_error(LG_UNAVAILABLE, catalog_add(&pod->port, 0, &def, &id, &err), &err, "host 1");
	assert_int_equal(add(pod, &known), 0); /* needs no lock */
	atomic_store(&root->lock, 0);
	assert_int_equal(add(pod, &def), 1);
}

/* What a host leaves that dies before it raises the count is overwritten by the next table. */
static void lines_above_the_count_are_no_table(void **state)
{
	struct unit_pod *pod = *state;
	struct pod_catalog_root *root = (void *)(pod->region.base + POD_CATALOG_ROOT_OFFSET);
	struct lg_table_def first = range_table("first"), second = range_table("second");
	uint64_t other_splits[7] = {1, 2, 3, 4, 5, 6, 7};
	uint32_t id;
	add(pod, &first);
	atomic_store(&root->table_count, 0);
	atomic_store(&root->split_count, 0);
	assert_int_equal(catalog_find(&pod->port, "first", &id, &err), LG_NOTFOUND);
	second.splits = other_splits;
	assert_int_equal(add(pod, &second), 0);
	expect_table(pod, 0, &second);
}

static void no_changed_byte_of_a_table_passes(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_table_def range = range_table("r"), hash = hash_table("h");
	const pod_off catalog = pod->region.geometry.catalog_offset;
	struct catalog_table table;
	uint32_t id;
	add(pod, &range);
	add(pod, &hash);
	for (int part = 0; part < 2; part++) {
		pod_off from = catalog + (part ? CATALOG_SPLITS_OFFSET : 0);
		for (pod_off at = from; at < from + (part ? 64 : 256); at++) {
			pod->region.base[at] ^= 0x40;
			unit_expect_error(LG_CORRUPT, catalog_read(&pod->port, 0, &table, &err), &err, "table 0");
			assert_null(table.splits);
			assert_int_equal(catalog_find(&pod->port, "r", &id, &err), LG_CORRUPT);
			assert_int_equal(catalog_find(&pod->port, "h", &id, &err), LG_OK);
			assert_int_equal(catalog_add(&pod->port, 0, &range, &id, &err), LG_CORRUPT);
			pod->region.base[at] ^= 0x40;
		}
	}
	expect_table(pod, 0, &range);
}

static void a_catalog_of_random_bytes_is_corrupt_and_harms_nobody(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_table_def def = range_table("r");
	uint64_t random = pod_seed(), rounds = pod_scaled(300);
	uint8_t *catalog = pod->region.base + pod->region.geometry.catalog_offset;
	struct catalog_table table;
	add(pod, &def);
	for (uint64_t i = 0; i < rounds; i++) {
		pod_fill(catalog, 512, pod_random(&random));
		for (uint64_t line = 0; line < CATALOG_ENTRY_LINES; line++) /* half of the time with the tags */
			if (pod_random(&random) % 2)
				memcpy(catalog + line * 64 + 56, &(uint64_t){1}, 8);
		assert_int_equal(catalog_read(&pod->port, 0, &table, &err), LG_CORRUPT);
	}
}

struct adder {
	struct cxl_port port;
	unsigned host;
	uint32_t ids[100];
	int failed;
};

static void *add_tables(void *arg)
{
	struct adder *a = arg;
	for (uint32_t i = 0; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof name, "t%u", i);
		struct lg_table_def def = i % 2 ? range_table(name) : hash_table(name);
		a->failed += catalog_add(&a->port, a->host, &def, &a->ids[i], NULL) != LG_OK;
	}
	return NULL;
}

static void two_hosts_that_add_the_same_tables_get_the_same_ids(void **state)
{
	struct unit_pod *pod = *state;
	struct adder adders[2];
	pthread_t threads[2];
	for (unsigned i = 0; i < 2; i++) {
		adders[i] = (struct adder){.port = unit_pod_port(pod), .host = i};
		assert_int_equal(pthread_create(&threads[i], NULL, add_tables, &adders[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(adders[i].failed, 0);
	}
	assert_memory_equal(adders[0].ids, adders[1].ids, sizeof adders[0].ids);
	assert_int_equal(catalog_count(&pod->port), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        UNIT_TEST(tables_of_all_kinds_are_read_back_as_they_were_added),
	        UNIT_TEST(the_same_definition_again_is_the_same_table),
	        UNIT_TEST(another_definition_of_a_name_is_refused_and_the_difference_told),
	        UNIT_TEST(definitions_that_make_no_table_are_refused),
	        UNIT_TEST(the_257th_table_is_beyond_the_limit),
	        cmocka_unit_test(when_the_room_for_splits_is_used_up_other_tables_still_fit),
	        UNIT_TEST(a_lock_that_is_never_let_go_is_unavailable_and_names_its_holder),
	        UNIT_TEST(lines_above_the_count_are_no_table),
	        UNIT_TEST(no_changed_byte_of_a_table_passes),
	        UNIT_TEST(a_catalog_of_random_bytes_is_corrupt_and_harms_nobody),
	        UNIT_TEST(two_hosts_that_add_the_same_tables_get_the_same_ids),
	};
	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
