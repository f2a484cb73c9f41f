/* pod_check_test.c: lg_pod_check() finds nothing in a pod that is well, and each planted damage by its name.
 *
 * Damage is planted into a copy of a live pod's region, in which therefore nothing runs: the copy's members are this
 * process, so they count as alive. Each plant is taken back after its check. The claims of what is found ask for one look
 * (LG_CHECK_ONCE), since nothing moves there.
 */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cxl/catalog.h"
#include "cxl/channel.h"
#include "cxl/extent.h"
#include "cxl/frame.h"
#include "cxl/pod.h"
#include "cxl/region.h"
#include "recovery/record.h"
#include "recovery/ring.h"

enum { HOSTS = 3, OPEN_HOSTS = 2, ROWS = 600 };

/* ---- Checking ---- */

struct tally {
	uint64_t count, of_rule;
	const char *rule;
	char first_other[300];
};

static void count_finding(const struct lg_check_finding *finding, void *argument)
{
	struct tally *tally = argument;
	tally->count++;
	if (tally->rule && strcmp(finding->rule, tally->rule) == 0)
		tally->of_rule++;
	else if (!tally->first_other[0])
		snprintf(tally->first_other, sizeof tally->first_other, "%s at %llu, host %d, word %u: %s",
		        finding->rule, (unsigned long long)finding->offset, finding->host, finding->word,
		        finding->text);
}

static struct lg_check_report expect_clean(const char *uri, const char *when)
{
	struct lg_check_report report;
	struct tally tally = {0};
	struct lg_error err;
	OK(lg_pod_check(uri, 0, count_finding, &tally, &report, &err));
	if (report.findings)
		fail_msg("%s: %llu findings, the first is %s", when, (unsigned long long)report.findings,
		        tally.first_other);
	return report;
}

/* Exactly `wanted` findings, all of that rule; 0: one or more. */
static void expect_found(const char *uri, const char *rule, uint64_t wanted, const char *plant)
{
	struct lg_check_report report;
	struct tally tally = {.rule = rule};
	struct lg_error err;
	OK(lg_pod_check(uri, LG_CHECK_ONCE, count_finding, &tally, &report, &err));
	if (tally.of_rule == 0 || tally.of_rule != tally.count || (wanted && tally.count != wanted))
		fail_msg("%s: %llu findings, %llu of them %s; another is: %s", plant, (unsigned long long)tally.count,
		        (unsigned long long)tally.of_rule, rule, tally.first_other[0] ? tally.first_other : "none");
	assert_int_equal(report.findings, tally.count);
}

/* ---- A pod with something in it ---- */

struct work {
	struct lg_table *table;
	uint64_t random;
};

static struct lg_slice some_key(struct work *work)
{
	return pod_key_on((uint32_t)(pod_random(&work->random) % OPEN_HOSTS), pod_random(&work->random) % ROWS);
}

static int some_operation(struct work *work, struct lg_txn *txn)
{
	static const uint8_t value[1500];
	static const size_t sizes[] = {20, 300, sizeof value}; /* few: each size takes an extent of its own */
	struct lg_slice key = some_key(work), val;
	struct lg_scan *scan;
	void *edit;
	size_t bytes;
	int code;
	switch (pod_random(&work->random) % 6) {
	case 0: return lg_put(txn, work->table, key, lg_slice(value, sizes[pod_random(&work->random) % 3]));
	case 1:
		code = lg_edit(txn, work->table, key, &edit, &bytes);
		if (code == LG_OK)
			memset(edit, 7, bytes);
		return code;
	case 2: return lg_del(txn, work->table, key);
	case 3:
		code = lg_scan_open(txn, work->table, key,
		        pod_key_on(key.data && *(const uint8_t *)key.data >= 64, ROWS + 1), LG_SCAN_FORWARD, 10, &scan);
		while (code == LG_OK)
			code = lg_scan_next(scan, &key, &val);
		return code;
	default: return lg_get(txn, work->table, key, &val);
	}
}

static int some_body(struct lg_txn *txn, void *argument)
{
	for (int i = 0; i < 4; i++) {
		int code = some_operation(argument, txn);
		if (code != LG_OK && code != LG_NOTFOUND && code != LG_END)
			return code;
	}
	return LG_OK;
}

static struct pod_fixture *open_pod(void)
{
	struct lg_pod_config config;
	struct pod_fixture *f;
	pod_config_small(&config, HOSTS);
	config.hwcc_bytes = 2 << 20;
	config.swcc_bytes = 32 << 20;
	f = pod_open(&config, NULL, OPEN_HOSTS);
	return f;
}

/* Random transactions of both hosts over rows of both: shared rows, deleted ones, grown ones, exported leaves. */
static void run_work(struct pod_fixture *f, uint64_t seed, uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		for (uint32_t host = 0; host < OPEN_HOSTS; host++) {
			struct work work = {f->rows[host], seed + i * OPEN_HOSTS + host};
			OK(lg_run(f->worker[host], some_body, &work));
		}
	}
}

/* ---- A copy in which nothing runs ---- */

struct copy {
	char uri[80], path[96];
	struct region region;
	struct cxl_port port;
};

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static void write_all(FILE *to, const uint8_t *from, size_t bytes)
{
	assert_int_equal(fwrite(from, 1, bytes, to), bytes);
}

static void make_copy(struct copy *copy, const char *uri)
{
	struct region region;
	struct lg_error err;
	char name[64];
	pod_private_name(name, sizeof name);
	snprintf(copy->uri, sizeof copy->uri, "shm:%s", name);
	snprintf(copy->path, sizeof copy->path, "/dev/shm/%s", name);
	OK(region_attach(uri, 0, &region, &err));
	FILE *file = fopen(copy->path, "w");
	assert_non_null(file);
	write_all(file, region.base, region.bytes);
	assert_int_equal(fclose(file), 0);
	region_detach(&region);
	OK(region_attach(copy->uri, 0, &copy->region, &err));
	port_init(&copy->port, copy->region.base, &copy->region.geometry);
}

static void drop_copy(struct copy *copy)
{
	region_detach(&copy->region);
	assert_int_equal(unlink(copy->path), 0);
}

/* A copy whose hosts have said that they have directories, and that were not in the middle of saying so. */
static void make_good_copy(struct copy *copy, const char *uri)
{
	struct lg_check_report report;
	struct lg_error err;
	for (unsigned i = 0; i < 2000; i++) {
		make_copy(copy, uri);
		OK(lg_pod_check(copy->uri, LG_CHECK_ONCE, NULL, NULL, &report, &err));
		if (report.directories == OPEN_HOSTS && report.findings == 0)
			return;
		drop_copy(copy);
		nap();
	}
	fail_msg("the hosts' figures never came, or the pod was never clean");
}

/* ---- Looking for places to damage ---- */

struct place {
	pod_off frame;
	struct frame_head head;
	uint64_t word;
};

static uint64_t *at(struct copy *copy, pod_off offset)
{
	return (uint64_t *)(void *)(copy->region.base + offset);
}

static bool is_row(struct copy *copy, pod_off line, struct place *place)
{
	uint64_t tag = *at(copy, line + LINE_PAYLOAD_BYTES);
	memcpy(&place->head, copy->region.base + line, sizeof place->head);
	if ((tag & ~WORD_VERSION) != FRAME_FIRST || !word_idx_valid(&copy->port, place->head.word))
		return false;
	place->word = *at(copy, (pod_off)place->head.word * 8);
	place->frame = line;
	return !(place->word & (WORD_AWAY | WORD_LOCK | WORD_ABSENT)) &&
	       (place->word & WORD_VERSION) == (tag & WORD_VERSION);
}

/* A row of at least `lines` lines that is not the first of its extent, of the given host's. */
static struct place find_row(struct copy *copy, uint32_t lines, unsigned host)
{
	const struct pod_geometry *g = &copy->region.geometry;
	struct place place;
	for (pod_off line = g->extents_offset; line < g->region_bytes; line += LINE_BYTES)
		if ((line - g->extents_offset) % EXTENT_BYTES &&
		        claim_owner(&copy->port, CLAIM_EXTENT, (line - g->extents_offset) / EXTENT_BYTES) == host &&
		        is_row(copy, line, &place) &&
		        frame_lines_for(place.head.key_bytes, place.head.val_bytes) >= lines)
			return place;
	fail_msg("no row of %u lines", lines);
	return place;
}

static uint64_t find_claim(struct copy *copy, enum claim_kind kind, unsigned owner)
{
	uint64_t count = kind == CLAIM_EXTENT ? copy->region.geometry.extent_count : copy->region.geometry.block_count;
	for (uint64_t i = 0; i < count; i++)
		if (claim_owner(&copy->port, kind, i) == owner)
			return i;
	fail_msg("host %u owns none", owner);
	return 0;
}

/* A word of a taken block that was never used, or a retired one. */
static pod_off find_word(struct copy *copy, bool retired)
{
	const struct pod_geometry *g = &copy->region.geometry;
	for (uint64_t block = 0; block < g->block_count; block++) {
		pod_off first = (pod_off)block_first_word(g, block) * 8;
		for (pod_off word = first; word < first + WORD_BLOCK_BYTES; word += 8)
			if (claim_owner(&copy->port, CLAIM_WORDS, block) < HOSTS &&
			        (retired ? *at(copy, word) & WORD_AWAY : *at(copy, word) == 0))
				return word;
	}
	fail_msg("no such word");
	return 0;
}

static pod_off find_slot(struct copy *copy, unsigned host, bool taken)
{
	const struct directory_root *root =
	        (const void *)(copy->region.base + copy->region.geometry.roots_offset + host * HOST_ROOT_BYTES);
	const uint32_t *extents = (const uint32_t *)(const void *)((const uint8_t *)root + LINE_BYTES);
	pod_off begin = extent_offset(&copy->region.geometry, extents[0]);
	assert_true(root->extent_count >= 1);
	for (pod_off slot = begin; slot < begin + EXTENT_BYTES; slot += 16)
		if ((*at(copy, slot) != 0) == taken)
			return slot;
	fail_msg("no such slot");
	return 0;
}

/* ---- Planting ---- */

struct garden {
	struct copy copy;
};

/* Plants `bytes` bytes, wants that found and nothing else, and takes them back. */
static void plant_bytes(struct garden *garden, pod_off offset, const void *data, size_t bytes, const char *rule,
        uint64_t wanted, const char *what)
{
	uint8_t before[4096];
	assert_true(bytes <= sizeof before);
	memcpy(before, garden->copy.region.base + offset, bytes);
	memcpy(garden->copy.region.base + offset, data, bytes);
	expect_found(garden->copy.uri, rule, wanted, what);
	memcpy(garden->copy.region.base + offset, before, bytes);
}

static void plant(struct garden *garden, pod_off offset, uint64_t value, const char *rule, const char *what)
{
	plant_bytes(garden, offset, &value, sizeof value, rule, 1, what);
}

static void plant_head(struct garden *garden, const struct place *row, const struct frame_head *head, const char *rule,
        const char *what)
{
	plant_bytes(garden, row->frame, head, sizeof *head, rule, 1, what);
}

static int group_setup(void **state)
{
	struct garden *garden = calloc(1, sizeof *garden);
	struct pod_fixture *f = open_pod();
	assert_non_null(garden);
	run_work(f, 4711, 400);
	make_good_copy(&garden->copy, f->uri);
	pod_close(f);
	*state = garden;
	return 0;
}

static int group_teardown(void **state)
{
	struct garden *garden = *state;
	drop_copy(&garden->copy);
	free(garden);
	return 0;
}

static int garden_teardown(void **state)
{
	struct garden *garden = *state;
	expect_clean(garden->copy.uri, "after all plants were taken back");
	return 0;
}

/* ---- Claims: what is well ---- */

static void a_pod_that_is_well_is_clean(void **state)
{
	uint64_t seed = pod_seed();
	(void)state;
	struct pod_fixture *f = open_pod();
	expect_clean(f->uri, "without rows");
	run_work(f, seed, pod_scaled(500));
	struct lg_check_report live = expect_clean(f->uri, "live");
	assert_int_equal(live.members, OPEN_HOSTS);
	pod_close_host(f, 1);
	expect_clean(f->uri, "after one host has left");
	pod_open_host(f, 1, NULL);
	expect_clean(f->uri, "after it has come back, with the old directory's root");
	run_work(f, seed + 1, 20);
	expect_clean(f->uri, "after it has shared rows again");
	pod_close_host(f, 0);
	pod_close_host(f, 1);
	struct lg_check_report closed = expect_clean(f->uri, "closed");
	assert_int_equal(closed.frames + closed.extents_taken + closed.blocks_taken, 0);
	pod_close(f);
}

static void what_is_no_pod_is_refused(void **state)
{
	struct lg_check_report report;
	struct lg_error err;
	(void)state;
	CODE(LG_NOTFOUND, lg_pod_check("shm:liger-test-there-is-none", 0, NULL, NULL, &report, &err));
	CODE(LG_INVALID, lg_pod_check("nonsense", 0, NULL, NULL, &report, &err));
	CODE(LG_INVALID, lg_pod_check("shm:liger-test-there-is-none", 64, NULL, NULL, &report, &err));
}

static void what_is_there_is_counted(void **state)
{
	struct garden *garden = *state;
	struct lg_check_report report = expect_clean(garden->copy.uri, "a copy");
	assert_true(report.frames > 100 && report.words_of_leaves > 0 && report.words_retired > 0);
	assert_int_equal(report.words_of_rows, report.frames);
	assert_int_equal(report.slots_current + report.rows_without_slot, report.frames);
	assert_int_equal(report.slots_old, 0);
	assert_int_equal(report.words, report.blocks_taken * WORDS_PER_BLOCK);
	assert_int_equal(report.tables, 2);
	assert_int_equal(report.looks, 1);
}

/* ---- Claims: what is found ---- */

static void damage_of_clock_and_members_is_found(void **state)
{
	struct garden *garden = *state;
	uint64_t epoch = epoch_load(&garden->copy.port);
	pod_off priority = POD_CLOCK_OFFSET + offsetof(struct pod_clock, priority);
	pod_off member = POD_MEMBERS_OFFSET + sizeof(struct pod_member),
	        pid = member + offsetof(struct pod_member, pid);
	plant(garden, priority, epoch << 16 | 1 << 8 | 0, "clock.priority", "no worker");
	plant(garden, priority, (epoch + 9) << 16 | 1 << 8 | 1, "clock.priority", "a time to come");
	plant(garden, priority, epoch << 16 | 60 << 8 | 1, "clock.priority", "no host");
	plant(garden, priority, epoch << 16 | 2 << 8 | 1, "clock.priority", "no member");
	uint64_t state_word = member_state_word(&garden->copy.port, 1);
	plant(garden, member, (state_word & ~UINT64_C(0xff)) | 77, "member.state", "no state");
	plant(garden, member, state_word | 5 << 8, "member.state", "a recoverer of a live host");
	plant(garden, pid, 0, "member.state", "no process");
}

static void damage_of_a_members_words_is_found(void **state)
{
	struct garden *garden = *state;
	uint64_t epoch = epoch_load(&garden->copy.port);
	pod_off member = POD_MEMBERS_OFFSET + sizeof(struct pod_member);
	pid_t child = fork();
	int status;
	assert_true(child >= 0);
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	uint64_t incarnation;
	(void)member_state(&garden->copy.port, 1, &incarnation);
	plant(garden, member + offsetof(struct pod_member, pid), incarnation << 32 | (uint64_t)child, "member.dead",
	        "its process is gone");
	plant(garden, member + offsetof(struct pod_member, oldest_epoch), epoch + 1000, "member.oldest",
	        "an epoch to come");
	plant(garden, member + offsetof(struct pod_member, oldest_epoch), UINT64_MAX, "member.oldest", "no epoch");
	plant(garden, POD_DOORBELLS_OFFSET, UINT64_C(1) << 40, "doorbell.sender", "no host");
	plant(garden, POD_DOORBELLS_OFFSET, UINT64_C(1) << 2, "doorbell.sender", "a host that never was a member");
	plant(garden, POD_PARTITIONS_OFFSET + 7 * 8, 63, "partition.owner", "no host");
}

static void damage_of_the_catalog_is_found(void **state)
{
	struct garden *garden = *state;
	const pod_off root = POD_CATALOG_ROOT_OFFSET, entry = garden->copy.region.geometry.catalog_offset;
	plant(garden, root + offsetof(struct pod_catalog_root, lock), 99, "catalog.lock", "no host");
	plant(garden, root + offsetof(struct pod_catalog_root, lock), 3, "catalog.lock", "no member");
	plant(garden, root + offsetof(struct pod_catalog_root, table_count), 1000, "catalog.count", "too many tables");
	plant(garden, root + offsetof(struct pod_catalog_root, split_count), 3, "catalog.count", "half a line");
	plant(garden, entry, *at(&garden->copy, entry) ^ 1, "catalog.entry", "one bit of a name");
	plant(garden, entry + LINE_PAYLOAD_BYTES, 77, "catalog.entry", "a line of another table");
}

static void damage_of_owner_words_is_found(void **state)
{
	struct garden *garden = *state;
	struct copy *copy = &garden->copy;
	const struct pod_geometry *g = &copy->region.geometry;
	pod_off extent = g->extent_owners_offset + find_claim(copy, CLAIM_EXTENT, HOSTS) * 8;
	pod_off block = g->block_owners_offset + find_claim(copy, CLAIM_WORDS, HOSTS) * 8;
	uint64_t future = version_first_of(epoch_load(&copy->port) + 100);
	plant(garden, extent, OWNER_TAKEN | UINT64_C(63) << 56, "owner.form", "an extent of no host");
	plant(garden, extent, UINT64_C(1) << 55, "owner.form", "more than a floor");
	plant(garden, block, OWNER_TAKEN | UINT64_C(1) << 54, "owner.form", "more than host and floor");
	plant(garden, extent, future, "owner.floor", "a floor to come");
	plant(garden, extent, OWNER_TAKEN | UINT64_C(2) << 56, "owner.orphan", "an extent of no member");
	plant(garden, block, OWNER_TAKEN | UINT64_C(2) << 56, "owner.orphan", "a block of no member");
}

static void damage_of_words_is_found(void **state)
{
	struct garden *garden = *state;
	struct copy *copy = &garden->copy;
	uint64_t version = version_first_of(epoch_load(&copy->port)) + 1;
	pod_off unused = find_word(copy, false), retired = find_word(copy, true);
	pod_off free_word = (pod_off)block_first_word(&copy->region.geometry, find_claim(copy, CLAIM_WORDS, HOSTS)) * 8;
	struct place row = find_row(copy, 1, 1);
	pod_off word = (pod_off)row.head.word * 8;
	plant(garden, unused, version | WORD_INTENT | word_holder_bits(63), "word.holder", "an intent of no host");
	plant(garden, unused, version | WORD_INTENT | word_holder_bits(2), "word.holder", "an intent of no member");
	plant(garden, word, row.word | WORD_LOCK | word_holder_bits(2), "word.holder", "a lock of no member");
	plant(garden, word, row.word | WORD_LOCK | word_holder_bits(1), "word.locked", "a lock for good");
	plant(garden, retired, *at(copy, retired) | WORD_INTENT, "word.form", "retired under an intent");
	plant(garden, word, row.word | word_holder_bits(1), "word.form", "a holder of nothing");
	plant(garden, word, row.word | WORD_LOCK | WORD_INTENT, "word.form", "lock and intent");
	plant(garden, unused, version_first_of(epoch_load(&copy->port) + 100), "word.version", "a version to come");
	plant(garden, free_word, version, "word.open-in-free", "an open word of nobody's");
	plant(garden, free_word, WORD_AWAY | version, "word.above-floor", "above its block's floor");
	plant(garden, unused, version | WORD_ABSENT, "word.no-frame", "a deleted row without a frame");
	plant(garden, word, row.word - 1, "word.no-frame", "a word that fell back");
}

static void damage_of_frames_is_found(void **state)
{
	struct garden *garden = *state;
	struct copy *copy = &garden->copy;
	struct place row = find_row(copy, 3, 1);
	struct frame_head head = row.head;
	uint8_t key = (uint8_t)(copy->region.base[row.frame + sizeof head] ^ 0xc0);
	plant(garden, row.frame + LINE_BYTES + LINE_PAYLOAD_BYTES, 1, "frame.torn", "the second line's tag");
	plant(garden, row.frame + 2 * LINE_BYTES + LINE_PAYLOAD_BYTES, (row.word & WORD_VERSION) - 1, "frame.torn",
	        "an old third line");
	plant(garden, row.frame + LINE_PAYLOAD_BYTES, FRAME_FIRST | 1, "word.no-frame", "the first line's tag");
	head.key_bytes = 0;
	plant_head(garden, &row, &head, "frame.lengths", "no key");
	head = row.head;
	head.val_bytes = 1 << 30;
	plant_head(garden, &row, &head, "frame.lengths", "a value of a GiB");
	head = row.head;
	head.line_count = UINT16_MAX;
	plant_head(garden, &row, &head, "frame.lengths", "more lines than there are");
	head = row.head;
	head.table = 200;
	plant_head(garden, &row, &head, "frame.table", "a table that there is not");
	head = row.head;
	head.partition ^= 1;
	plant_head(garden, &row, &head, "frame.key", "another partition");
	plant_bytes(garden, row.frame + sizeof head, &key, 1, "frame.key", 1, "a key of another partition");
	head = row.head;
	head.line_count++;
	plant_head(garden, &row, &head, "frame.place", "a size that its extent has not");
}

static void damage_of_who_owns_frames_is_found(void **state)
{
	struct garden *garden = *state;
	struct copy *copy = &garden->copy;
	struct place row = find_row(copy, 1, 1);
	uint64_t other = 0;
	pod_off begin = row.frame - (row.frame - copy->region.geometry.extents_offset) % EXTENT_BYTES;
	pod_off bytes = (pod_off)row.head.line_count * LINE_BYTES, last = begin + (EXTENT_BYTES / bytes - 1) * bytes;
	uint8_t frame[4096];
	plant_bytes(garden, POD_PARTITIONS_OFFSET + (pod_off)row.head.partition * 8, &other, sizeof other,
	        "frame.partition", 0, "a partition of another host");
	assert_true(bytes <= sizeof frame);
	memcpy(frame, copy->region.base + row.frame, bytes);
	assert_int_equal(*at(copy, last + LINE_PAYLOAD_BYTES), 0);
	plant_bytes(garden, last, frame, bytes, "frame.twice", 1, "a second frame of a word");
}

static void damage_of_directories_is_found(void **state)
{
	struct garden *garden = *state;
	struct copy *copy = &garden->copy;
	pod_off root = copy->region.geometry.roots_offset + HOST_ROOT_BYTES;
	uint32_t far = 1 << 20, taken = (uint32_t)find_claim(copy, CLAIM_EXTENT, 0);
	plant(garden, root, 12345, "directory.root", "a generation that is not its tag");
	plant(garden, root + LINE_BYTES + LINE_PAYLOAD_BYTES, 12345, "directory.root", "a list of another generation");
	plant_bytes(garden, root + LINE_BYTES, &far, sizeof far, "directory.extent", 1, "no extent");
	plant_bytes(garden, root + LINE_BYTES, &taken, sizeof taken, "directory.extent", 1, "another host's extent");
	pod_off slot = find_slot(copy, 1, true), empty = find_slot(copy, 1, false);
	plant(garden, slot, UINT64_MAX, "slot.form", "a frame beyond the region");
	plant(garden, slot + 8, UINT64_MAX, "slot.form", "a word beyond the region");
	while ((empty - slot) % EXTENT_BYTES < 64 * LINE_BYTES || *at(copy, empty) != 0)
		empty += 16;
	uint64_t both[2] = {*at(copy, slot), *at(copy, slot + 8)}, none[2] = {0, 0};
	memcpy(at(copy, slot), none, sizeof none);
	plant_bytes(garden, empty, both, sizeof both, "slot.hash", 1, "a slot where its key does not lead");
	memcpy(at(copy, slot), both, sizeof both);
}

static void damage_of_channels_is_found(void **state)
{
	struct garden *garden = *state;
	const struct pod_geometry *g = &garden->copy.region.geometry;
	pod_off lane = channel_offset(g, 0, 1, LANE_REQUESTS);
	pod_off acknowledgement = lane + (pod_off)CHANNEL_LINES * LINE_BYTES;
	plant(garden, lane + 5 * LINE_BYTES + LINE_PAYLOAD_BYTES, 7, "channel.tag", "a line of another place");
	plant(garden, lane + 5 * LINE_BYTES + LINE_PAYLOAD_BYTES, UINT64_C(999) << 48 | 6, "channel.tag",
	        "a generation to come");
	plant(garden, channel_offset(g, 2, 2, LANE_REPLIES) + LINE_PAYLOAD_BYTES, UINT64_C(1) << 50, "channel.tag",
	        "no sequence number");
	plant(garden, acknowledgement + LINE_PAYLOAD_BYTES, UINT64_C(2) << 48 | 1000001, "channel.acknowledgement",
	        "a tag that is not its number's");
}

/* ---- Claims: without the garden ---- */

static void damage_of_an_empty_pod_is_found(void **state)
{
	struct lg_pod_config config;
	struct garden garden = {0};
	struct pod_fixture *f;
	struct lg_error err;
	(void)state;
	pod_config_small(&config, HOSTS);
	config.hwcc_bytes = 2 << 20;
	config.swcc_bytes = 48 << 20;
	config.durability = LG_DURABILITY_CXL;
	config.redo_workers = 2;
	config.redo_ring_bytes = 64 << 10;
	f = pod_open(&config, NULL, 0);
	expect_clean(f->uri, "empty");
	OK(region_attach(f->uri, 0, &garden.copy.region, &err));
	snprintf(garden.copy.uri, sizeof garden.copy.uri, "%s", f->uri);
	port_init(&garden.copy.port, garden.copy.region.base, &garden.copy.region.geometry);
	plant(&garden, POD_CLOCK_OFFSET + offsetof(struct pod_clock, epoch), 0, "clock.epoch", "no epoch");

	/* A record of a host that never was, of a table that there is not. */
	struct redo_builder builder;
	struct redo_change change = {.table = 9, .key = pod_text("key"), .val = pod_text("value")};
	struct redo_ring ring = {0};
	size_t bytes = sizeof(struct redo_head) + redo_change_bytes(&change) + LINE_PAYLOAD_BYTES;
	void *memory = calloc(1, bytes);
	assert_non_null(memory);
	ring_open(&garden.copy.port, &ring, 1, 1);
	redo_begin(&builder, memory, bytes);
	redo_add(&builder, &change);
	uint32_t record = redo_finish(&builder, version_first_of(1) + 1, 1, 0);
	ring_append(&garden.copy.port, &ring, memory, record);
	port_fence(&garden.copy.port);
	free(memory);
	expect_found(f->uri, "ring.record", 1, "a record of no table");
	region_detach(&garden.copy.region);
	pod_close(f);
}

/* Random bytes all over the region but its header: whatever is found, the check ends, and the count fits what is told. */
static void a_scribbled_over_pod_crashes_no_check(void **state)
{
	struct garden *garden = *state;
	const struct pod_geometry *g = &garden->copy.region.geometry;
	uint64_t seed = pod_seed(), rounds = pod_scaled(60), found = 0;
	uint8_t *base = garden->copy.region.base, *kept = malloc(g->region_bytes);
	assert_non_null(kept);
	memcpy(kept, base, g->region_bytes);
	for (uint64_t round = 0; round < rounds; round++) {
		uint64_t strokes = round % 3 == 0 ? 3 : round % 3 == 1 ? 300 : 20000;
		for (uint64_t i = 0; i < strokes; i++) {
			uint8_t noise[300];
			uint64_t run = 1 + pod_random(&seed) % sizeof noise, part = pod_random(&seed) % 4;
			uint64_t span = part == 0 ? g->words_offset : part == 1 ? g->extents_offset : g->region_bytes;
			uint64_t to = POD_CLOCK_OFFSET + pod_random(&seed) % (span - POD_CLOCK_OFFSET - sizeof noise);
			uint64_t from =
			        POD_CLOCK_OFFSET + pod_random(&seed) % (g->region_bytes - POD_CLOCK_OFFSET - run);
			pod_fill(noise, sizeof noise, seed);
			if (i % 4 == 0)
				memset(base + to, (int)(i % 8 ? 0xff : 0), run);
			else if (i % 4 == 1)
				memmove(base + to, base + from, run);
			else if (i % 4 == 2)
				base[to] = (uint8_t)(base[to] ^ 1u << pod_random(&seed) % 8);
			else
				memcpy(base + to, noise, run);
		}
		struct lg_check_report report;
		struct tally tally = {0};
		struct lg_error err;
		OK(lg_pod_check(garden->copy.uri, LG_CHECK_ONCE, count_finding, &tally, &report, &err));
		assert_true(report.findings == tally.count || (report.findings > tally.count && tally.count == 65536));
		found += report.findings;
		memcpy(base, kept, g->region_bytes);
	}
	free(kept);
	assert_true(found > 0);
}

#define GARDEN_TEST(claim) cmocka_unit_test_setup_teardown(claim, NULL, garden_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_pod_that_is_well_is_clean),
	        cmocka_unit_test(what_is_no_pod_is_refused),
	        GARDEN_TEST(what_is_there_is_counted),
	        GARDEN_TEST(damage_of_clock_and_members_is_found),
	        GARDEN_TEST(damage_of_a_members_words_is_found),
	        GARDEN_TEST(damage_of_the_catalog_is_found),
	        GARDEN_TEST(damage_of_owner_words_is_found),
	        GARDEN_TEST(damage_of_words_is_found),
	        GARDEN_TEST(damage_of_frames_is_found),
	        GARDEN_TEST(damage_of_who_owns_frames_is_found),
	        GARDEN_TEST(damage_of_directories_is_found),
	        GARDEN_TEST(damage_of_channels_is_found),
	        cmocka_unit_test(damage_of_an_empty_pod_is_found),
	        GARDEN_TEST(a_scribbled_over_pod_crashes_no_check),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
