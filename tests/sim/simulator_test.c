/* simulator_test.c: the simulator's own parts: its scheduler, its memory, its judges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../sim/disk.h"
#include "../sim/judge.h"
#include "../sim/os.h"
#include "../sim/rules.h"
#include "../sim/trace.h"
#include "cxl/word.h"

/* ---- Who runs when --------------------------------------------------------------------------------------------------- */

static char order[64];

static void note(char what)
{
	size_t at = strlen(order);
	assert_true(at + 1 < sizeof order);
	order[at] = what;
	order[at + 1] = '\0';
}

static void begin(enum world_policy policy)
{
	static const struct world_plan plan = {
	        .seed = 7, .pct_depth = 1, .pct_steps = 100, .switch_shift = 1, .step_ns = 10, .most_steps = 100000};
	struct world_plan chosen = plan;
	chosen.policy = policy;
	chosen.preemptions = UINT64_MAX;
	order[0] = '\0';
	trace_begin(NULL, false);
	world_begin(&chosen);
}

static void *naps(void *argument)
{
	const char *name = argument;
	world_nap((uint64_t)(name[0] - 'a' + 1) * 1000000);
	note(name[0]);
	return NULL;
}

static void who_sleeps_wakes_when_its_time_has_come(void **state)
{
	(void)state;
	static char names[] = "cab";
	for (int policy = 0; policy < POLICY_COUNT; policy++) {
		begin((enum world_policy)policy);
		uint64_t began = world.now;
		for (int i = 0; i < 3; i++)
			world_spawn(world_start_process((unsigned)i), "n", naps, &names[i]);
		world_nap(10000000);
		assert_string_equal(order, "abc");
		assert_true(world.now >= began + 10000000 && world.now < began + 11000000);
		world_end();
	}
}

static void *counts(void *argument)
{
	uint64_t *count = argument;
	for (;;) {
		++*count;
		world_point();
	}
	return NULL;
}

static void who_has_crashed_runs_no_more(void **state)
{
	(void)state;
	uint64_t dies = 0, lives = 0;
	begin(POLICY_RANDOM);
	struct world_process *process = world_start_process(0);
	world_spawn(process, "n", counts, &dies);
	world_spawn(world_start_process(1), "n", counts, &lives);
	world_nap(10000);
	world_crash(process);
	uint64_t then = dies, others = lives;
	world_nap(10000);
	assert_true(then > 0 && dies == then);
	assert_true(lives > others);
	world_end();
}

static void who_dies_at_an_access_of_its_own_is_left_there(void **state)
{
	(void)state;
	uint64_t count = 0;
	begin(POLICY_RANDOM);
	struct world_process *process = world_start_process(0);
	process->crash_in = 5;
	world_spawn(process, "n", counts, &count);
	world_nap(10000);
	assert_int_equal(count, 5);
	assert_false(process->alive);
	assert_int_equal(world.crashes, 1);
	world_end();
}

static void who_stands_still_goes_on_afterwards(void **state)
{
	(void)state;
	uint64_t count = 0;
	begin(POLICY_PCT);
	struct world_process *process = world_start_process(0);
	world_spawn(process, "n", counts, &count);
	process->stopped_until = world.now + 50000;
	world_nap(40000);
	assert_int_equal(count, 0);
	world_nap(40000);
	assert_true(count > 0);
	world_end();
}

static void what_never_ends_is_given_up(void **state)
{
	(void)state;
	uint64_t count = 0;
	begin(POLICY_RANDOM);
	world_spawn(world_start_process(0), "n", counts, &count);
	for (int i = 0; i < 1000 && !world.stuck; i++)
		world_nap(1000000);
	assert_true(world.stuck);
	assert_true(world.step <= 100000);
	world_end();
}

static void a_starved_host_gets_few_turns(void **state)
{
	(void)state;
	uint64_t starved = 0, other = 0;
	begin(POLICY_STARVE);
	world.plan.starved = 1;
	world_spawn(world_start_process(1), "n", counts, &starved);
	world_spawn(world_start_process(0), "n", counts, &other);
	world_nap(200000);
	assert_true(starved > 0 && starved * 20 < other);
	world_end();
}

/* ---- Memory ---------------------------------------------------------------------------------------------------------- */

static void a_seeds_memory_is_that_of_the_seed_before(void **state)
{
	(void)state;
	void *first = sim_malloc(100), *second = sim_malloc(5000);
	assert_true(((uintptr_t)first | (uintptr_t)second) % 64 == 0);
	sim_heap_reset();
	assert_ptr_equal(sim_malloc(100), first);
	assert_ptr_equal(sim_calloc(50, 100), second);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(((uint8_t *)second)[i], 0);
	sim_free(second);
	assert_ptr_equal(sim_realloc(NULL, 5000), second);
	sim_heap_reset();
}

static void a_region_is_zeros_again_for_the_next_seed(void **state)
{
	(void)state;
	int fd = sim_shm_open("/pod", O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	sim_region()[123456] = 1;
	sim_region_wrote(123456, 8);
	assert_int_equal(sim_shm_open("/pod", O_RDWR | O_CREAT | O_EXCL, 0600), -1);
	close(fd);
	sim_os_reset();
	assert_int_equal(sim_region()[123456], 0);
	assert_int_equal(sim_shm_open("/pod", O_RDWR, 0600), -1);
}

/* ---- The disk -------------------------------------------------------------------------------------------------------- */

enum { DISK_SEEDS = 200, DISK_BYTES = 4 * DISK_PAGE };

static struct disk_node *new_file(uint8_t fill, const char *name)
{
	uint8_t bytes[DISK_BYTES];
	struct disk_node *file = disk_make(disk_root(), name, false);
	memset(bytes, fill, sizeof bytes);
	disk_write(file, bytes, sizeof bytes, 0);
	return file;
}

static void what_is_synced_outlives_the_power(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= DISK_SEEDS; seed++) {
		uint8_t bytes[DISK_BYTES];
		disk_begin(seed);
		disk_sync(new_file('a', "file"));
		disk_sync_names(disk_root(), 1);
		assert_true(disk_rename(disk_root(), "file", "other"));
		disk_lose_power();
		struct disk_node *old = disk_lookup(disk_root(), "file"), *new = disk_lookup(disk_root(), "other");
		assert_true((old == NULL) != (new == NULL)); /* a rename is whole, or was not */
		assert_int_equal(disk_read(old ? old : new, bytes, sizeof bytes, 0), sizeof bytes);
		for (size_t i = 0; i < sizeof bytes; i++)
			assert_int_equal(bytes[i], 'a');
	}
	disk_end();
}

static void of_what_is_not_synced_any_sectors_stay(void **state)
{
	(void)state;
	unsigned none = 0, all = 0, torn = 0, gone = 0;
	for (uint64_t seed = 1; seed <= DISK_SEEDS; seed++) {
		uint8_t bytes[DISK_BYTES];
		size_t old = 0;
		disk_begin(seed);
		struct disk_node *file = new_file('a', "file");
		disk_sync(file);
		disk_sync_names(disk_root(), 1);
		memset(bytes, 'b', sizeof bytes);
		disk_write(file, bytes, sizeof bytes, 0);
		(void)new_file('c', "unsynced");
		disk_lose_power();
		assert_int_equal(disk_read(file, bytes, sizeof bytes, 0), sizeof bytes);
		for (size_t i = 0; i < sizeof bytes; i++) {
			assert_int_equal(bytes[i], bytes[i / DISK_SECTOR * DISK_SECTOR]);
			assert_true(bytes[i] == 'a' || bytes[i] == 'b');
			old += bytes[i] == 'a';
		}
		none += old == sizeof bytes;
		all += old == 0;
		torn += old > 0 && old < sizeof bytes;
		gone += disk_lookup(disk_root(), "unsynced") == NULL;
	}
	assert_true(none && all && torn && gone && gone < DISK_SEEDS);
	disk_end();
}

static void what_a_failed_sync_lost_no_later_one_brings_back(void **state)
{
	(void)state;
	unsigned lost = 0;
	for (uint64_t seed = 1; seed <= DISK_SEEDS; seed++) {
		uint8_t byte;
		disk_begin(seed);
		struct disk_node *file = new_file('a', "file");
		disk_sync_names(disk_root(), 1);
		disk_lose_dirty(file);
		disk_sync(file);
		disk_lose_power();
		assert_int_equal(disk_read(file, &byte, 1, 0), 1);
		lost += byte != 'a';
	}
	assert_true(lost > 0 && lost < DISK_SEEDS);
	disk_end();
}

/* ---- Judges ---------------------------------------------------------------------------------------------------------- */

/* Three transactions one after the other: an insert, an append, and a read of `seen` ids. */
static void judge_read_of(uint32_t seen, struct sim_result *result)
{
	uint64_t ids[] = {11, 12, 11, 12};
	struct history_op ops[] = {{.kind = HISTORY_INSERT, .first_id = 0, .id_count = 1},
	        {.kind = HISTORY_APPEND, .first_id = 1, .id_count = 1},
	        {.kind = HISTORY_READ, .first_id = 2, .id_count = seen}};
	struct history_txn txns[3];
	for (unsigned i = 0; i < 3; i++)
		txns[i] = (struct history_txn){.begin = i * 10,
		        .end = i * 10 + 5,
		        .session = 1,
		        .first_op = i,
		        .op_count = 1,
		        .outcome = HISTORY_COMMITTED};
	struct load load = {.history = {.txns = txns, .txn_count = 3, .ops = ops, .op_count = 3, .ids = ids}};
	*result = (struct sim_result){.seed = 1};
	judge_map(&load, result);
}

static void a_map_knows_what_a_read_must_see(void **state)
{
	(void)state;
	struct sim_result result;
	judge_read_of(2, &result);
	assert_false(result.failed);
	judge_read_of(1, &result);
	assert_true(result.failed);
	assert_string_equal(result.check, "map");
}

/* What the rules say of one change, by host 1. */
static const char *broken_rule(uint64_t offset, uint64_t before, uint64_t after)
{
	static struct sim_result result;
	result = (struct sim_result){.seed = 1};
	rules_begin(&result, false);
	rules_check(1, offset, before, after);
	return result.failed ? result.check : "none";
}

static void a_word_is_changed_by_its_holder_alone(void **state)
{
	(void)state;
	const uint64_t version = 1000, mine = word_holder_bits(1), other = word_holder_bits(2);
	int fd = sim_shm_open("/pod", O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	struct pod_header header = {
	        .magic = POD_MAGIC, .words_offset = 0x10000, .extent_owners_offset = POD_OWNERS_OFFSET};
	memcpy(sim_region(), &header, sizeof header);
	sim_region_wrote(0, sizeof header);
	begin(POLICY_RANDOM);
	assert_string_equal(broken_rule(0x10000, version, version | WORD_INTENT | mine), "none");
	assert_string_equal(broken_rule(0x10000, version, version | WORD_INTENT | other), "own name");
	assert_string_equal(broken_rule(0x10000, version | WORD_LOCK | mine, version + 1), "none");
	assert_string_equal(broken_rule(0x10000, version | WORD_LOCK | other, version + 1), "one holder");
	assert_string_equal(
	        broken_rule(0x10000, version | WORD_INTENT | other, version | WORD_INTENT | other | WORD_USED), "none");
	assert_string_equal(broken_rule(0x10000, version, version - 1), "versions grow");
	assert_string_equal(broken_rule(POD_CLOCK_OFFSET, 5, 7), "epochs grow");
	assert_string_equal(broken_rule(POD_OWNERS_OFFSET, 0, OWNER_TAKEN | word_holder_bits(2)), "one owner");
	rules_begin(NULL, false);
	world_end();
	close(fd);
	sim_os_reset();
}

/* ---- Options ----------------------------------------------------------------------------------------------------------- */

static void lists_of_faults_and_transactions_are_read_as_they_are_printed(void **state)
{
	(void)state;
	char text[100];
	unsigned faults;
	struct sim_drops drops;
	assert_true(sim_faults_parse("crash,skew", &faults));
	sim_faults_print(faults, text, sizeof text);
	assert_string_equal(text, "crash,skew");
	assert_true(sim_faults_parse("all", &faults) && faults == FAULT_ALL);
	assert_true(sim_faults_parse("none", &faults) && faults == 0);
	assert_false(sim_faults_parse("crash,", &faults));
	assert_true(sim_drops_parse("3.1,12.40", &drops));
	assert_int_equal(drops.count, 2);
	assert_int_equal(drops.drop[1].session, 12);
	assert_int_equal(drops.drop[1].txn, 40);
	assert_false(sim_drops_parse("3.", &drops));
	assert_false(sim_drops_parse("3.0", &drops));
	assert_false(sim_drops_parse("3.1;4.1", &drops));
}

static void an_option_changes_what_it_names_and_nothing_else(void **state)
{
	(void)state;
	struct sim_options options;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct sim_case open, chosen;
		sim_options_init(&options);
		sim_case_of(&options, seed, &open);
		options.txns = 33;
		sim_case_of(&options, seed, &chosen);
		assert_int_equal(chosen.txns, 33);
		open.txns = 33;
		assert_memory_equal(&open, &chosen, sizeof open);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(who_sleeps_wakes_when_its_time_has_come),
	        cmocka_unit_test(who_has_crashed_runs_no_more),
	        cmocka_unit_test(who_dies_at_an_access_of_its_own_is_left_there),
	        cmocka_unit_test(who_stands_still_goes_on_afterwards),
	        cmocka_unit_test(what_never_ends_is_given_up),
	        cmocka_unit_test(a_starved_host_gets_few_turns),
	        cmocka_unit_test(a_seeds_memory_is_that_of_the_seed_before),
	        cmocka_unit_test(a_region_is_zeros_again_for_the_next_seed),
	        cmocka_unit_test(what_is_synced_outlives_the_power),
	        cmocka_unit_test(of_what_is_not_synced_any_sectors_stay),
	        cmocka_unit_test(what_a_failed_sync_lost_no_later_one_brings_back),
	        cmocka_unit_test(a_map_knows_what_a_read_must_see),
	        cmocka_unit_test(a_word_is_changed_by_its_holder_alone),
	        cmocka_unit_test(lists_of_faults_and_transactions_are_read_as_they_are_printed),
	        cmocka_unit_test(an_option_changes_what_it_names_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
