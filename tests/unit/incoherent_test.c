/* incoherent_test.c: every protocol over lines, between two hosts whose caches nobody keeps coherent.
 *
 * Each claim is tried with many seeds of the incoherent model (src/emulation/incoherent.c), both hosts in this one
 * thread: host 0 writes, host 1, whose cache holds an older state of the same lines, reads. What is dropped here on
 * purpose by LIGER_MUTANT (src/cxl/mutant.h) must make one of the claims fail within FEW_SEEDS seeds; the failure names
 * the seed.
 */
#include "unit/unit_pod.h"

#include <stdalign.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cxl/catalog.h"
#include "cxl/channel.h"
#include "cxl/emulation.h"
#include "cxl/extent.h"
#include "cxl/frame.h"
#include "cxl/pod.h"
#include "cxl/usage.h"
#include "emulation/private.h"
#include "engine/directory.h"

enum { FEW_SEEDS = 24, ROUNDS = 20, FRAME_LINES = 6 };

/* One host's view of the pod: a mapping, a cache and a port of its own. */
struct side {
	struct region region;
	struct pod_emulation emulation;
	struct cxl_port port;
};

struct pair {
	struct unit_pod *pod;
	struct side side[2];
	uint64_t seed;
};

static void side_open(struct side *side, const char *uri, unsigned host, uint64_t seed)
{
	struct lg_error err = {0};
	char mode[64];
	snprintf(mode, sizeof mode, "incoherent:%llu", (unsigned long long)seed);
	if (region_attach(uri, 0, &side->region, &err) != LG_OK)
		fail_msg("%s", err.message);
	if (emulation_begin(&side->emulation, &side->region, mode, host, &err) != LG_OK)
		fail_msg("%s", err.message);
	port_init(&side->port, side->region.base, &side->region.geometry);
	port_emulate(&side->port, side->emulation.pod);
}

static void side_close(struct side *side)
{
	emulation_end(&side->emulation, &side->region);
	region_detach(&side->region);
}

static void pair_open(struct pair *pair, uint64_t seed)
{
	struct lg_pod_config config;
	unit_pod_config(&config);
	pair->pod = unit_pod_make(&config);
	pair->seed = seed;
	for (unsigned host = 0; host < 2; host++)
		side_open(&pair->side[host], pair->pod->uri, host, seed);
}

static void pair_close(struct pair *pair)
{
	for (unsigned host = 0; host < 2; host++)
		side_close(&pair->side[host]);
	unit_pod_end(pair->pod);
}

/* Runs a claim with many seeds. */
static void with_seeds(void (*claim)(struct pair *pair, uint64_t round))
{
	uint64_t first = pod_seed() % 1000000, count = pod_scaled(FEW_SEEDS);
	for (uint64_t i = 0; i < count; i++) {
		struct pair pair;
		pair_open(&pair, first + i);
		/* Both have it mapped; and a claim that fails, as it should under a mutant, closes nothing. */
		emu_pod_forget(pair.side[0].region.geometry.cookie);
		for (uint64_t round = 0; round < ROUNDS; round++)
			claim(&pair, round);
		pair_close(&pair);
	}
}

#define SEEDED(pair, condition)                                                                                        \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fail_msg("incoherent:%llu: %s", (unsigned long long)(pair)->seed, #condition);                 \
	} while (0)

/* ---- Lines ---- */

static void one_line(struct pair *pair, uint64_t round)
{
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	pod_off line = a->geometry->extents_offset + (round % 3) * LINE_BYTES;
	uint8_t payload[LINE_BYTES], got[LINE_BYTES];
	pod_fill(payload, LINE_PAYLOAD_BYTES, round);
	(void)line_tag(b, line); /* so that b's cache holds the line as it was */
	line_write(a, line, payload, round + 1);
	port_fence(a);
	SEEDED(pair, line_read(b, line, round + 1, got));
	SEEDED(pair, pod_filled(lg_slice(got, LINE_PAYLOAD_BYTES), LINE_PAYLOAD_BYTES, round));
	SEEDED(pair, line_fresh_tag(b, line) == round + 1);
}

static void a_line_that_was_written_back_and_fenced_is_read_elsewhere(void **state)
{
	(void)state;
	with_seeds(one_line);
}

/* ---- Frames ---- */

static uint32_t lay_out(uint8_t *payload, word_idx index, uint64_t version)
{
	struct frame_head head = {.word = index, .key_bytes = 8, .line_count = FRAME_LINES, .table = 1};
	head.val_bytes = (uint32_t)(version % (FRAME_LINES * LINE_PAYLOAD_BYTES - sizeof head - 8));
	memset(payload, 0, FRAME_LINES * LINE_PAYLOAD_BYTES + 8);
	memcpy(payload, &head, sizeof head);
	pod_fill(payload + sizeof head, 8, index);
	pod_fill(payload + sizeof head + 8, head.val_bytes, version);
	return frame_lines_for(8, head.val_bytes);
}

/* The writer's side of a commit: lock, lines, fence, word. */
static void install(struct cxl_port *port, pod_off frame, word_idx index, uint64_t version)
{
	uint8_t payload[FRAME_LINES * LINE_PAYLOAD_BYTES + 8];
	uint32_t lines = lay_out(payload, index, version);
	word_ref ref = word_ref_shared(index);
	uint64_t seen = word_load(port, ref);
	assert_true(word_try_lock(port, ref, seen, 0));
	frame_write(port, frame, version, payload, lines);
	port_fence(port);
	word_install(port, ref, version, 0);
}

static enum frame_result read_frame(struct cxl_port *port, pod_off frame, word_idx index, uint64_t word,
        const struct pair *between, uint64_t next, uint64_t *version)
{
	static uint8_t buffer[FRAME_MAX_LINES * LINE_PAYLOAD_BYTES + 64];
	struct frame_copy copy;
	uint64_t seen;
	enum frame_result result = frame_read_head(port, frame, index, word, buffer);
	if (result == FRAME_OK && between)
		install((struct cxl_port *)(uintptr_t)&between->side[0].port, frame, index, next);
	if (result == FRAME_OK)
		result = frame_read_rest(port, frame, index, word, buffer, &copy, &seen);
	if (result == FRAME_OK) {
		*version = seen & WORD_VERSION;
		assert_true(copy.head->val_bytes == *version % (FRAME_LINES * LINE_PAYLOAD_BYTES - 24));
		assert_true(pod_filled(lg_slice(copy.val, copy.head->val_bytes), copy.head->val_bytes, *version));
	}
	return result;
}

static void one_frame(struct pair *pair, uint64_t round)
{
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	pod_off frame = extent_offset(a->geometry, 1);
	word_idx index = block_first_word(a->geometry, 1) + 5;
	uint64_t version = 0, next = round * 150 + 100;
	install(a, frame, index, next);
	uint64_t word = word_load(b, word_ref_shared(index));
	SEEDED(pair, (word & WORD_VERSION) == next);
	SEEDED(pair, read_frame(b, frame, index, word, NULL, 0, &version) == FRAME_OK && version == next);
	/* The row changes between the first look at its word and the head, and between the head and the rest. */
	install(a, frame, index, next + 1);
	SEEDED(pair, read_frame(b, frame, index, word, NULL, 0, &version) == FRAME_RETRY);
	word = word_load(b, word_ref_shared(index));
	SEEDED(pair, read_frame(b, frame, index, word, pair, next + 2, &version) == FRAME_RETRY);
}

static void a_frame_is_read_whole_and_of_one_version_or_not_at_all(void **state)
{
	(void)state;
	with_seeds(one_frame);
}

/* A writer that has the lock and has written half a line: a head with lengths that cannot be, under the old tag. */
static void torn_head(struct pair *pair, uint64_t round)
{
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	pod_off frame = extent_offset(a->geometry, 1);
	word_idx index = block_first_word(a->geometry, 1) + 5;
	uint64_t version, word;
	install(a, frame, index, round * 2 + 1);
	word = word_load(b, word_ref_shared(index));
	struct frame_head torn = {.word = index, .key_bytes = 8, .line_count = 1, .val_bytes = 5000};
	uint8_t payload[LINE_BYTES] = {0};
	memcpy(payload, &torn, sizeof torn);
	assert_true(word_try_lock(a, word_ref_shared(index), word_load(a, word_ref_shared(index)), 0));
	emu_line_in(port_thread(a), frame, payload, LINE_PAYLOAD_BYTES);
	port_write_back(a, frame);
	port_fence(a);
	port_flush(b, frame);
	port_full_fence(b);
	SEEDED(pair, read_frame(b, frame, index, word, NULL, 0, &version) == FRAME_RETRY);
	word_install(a, word_ref_shared(index), round * 2 + 1, 0);
}

static void a_head_that_is_being_written_is_no_corrupt_one(void **state)
{
	(void)state;
	with_seeds(torn_head);
}

/* ---- Words ---- */

static void one_word_dies(struct pair *pair, uint64_t round)
{
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	word_idx index = block_first_word(a->geometry, 1) + (word_idx)(round * 8);
	word_open(a, index, 10, 0);
	port_write_back(a, (pod_off)index * 8);
	port_fence(a);
	word_retire(a, index, 11);
	emu_host_died(pair->side[1].emulation.pod, 0);
	SEEDED(pair, word_load(b, word_ref_shared(index)) == (WORD_AWAY | 11));
}

static void a_retired_word_stays_retired_when_its_host_dies(void **state)
{
	(void)state;
	with_seeds(one_word_dies);
}

/* The other side of the loss rule, so that the claim above claims something. */
static void unread_word_is_lost(struct pair *pair, uint64_t round)
{
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	word_idx index = block_first_word(a->geometry, 1) + (word_idx)(round * 8);
	word_open(a, index, 10, 0);
	port_write_back(a, (pod_off)index * 8);
	port_fence(a);
	word_open(a, index, 12, 0);
	uint64_t seen = round % 2 ? word_load(b, word_ref_shared(index)) : 0;
	emu_host_died(pair->side[1].emulation.pod, 0);
	uint64_t left = word_load(b, word_ref_shared(index)) & WORD_VERSION;
	if (seen)
		SEEDED(pair, left == 12);
	else /* a cache may have evicted it; most have not */
		SEEDED(pair, left == 10 || left == 12);
	pair->side[1].port.counts.fences += left == 10; /* counted below */
}

static void a_word_that_nobody_else_has_read_may_be_lost_with_its_host(void **state)
{
	(void)state;
	struct pair pair;
	uint64_t lost = 0;
	for (uint64_t seed = 0; seed < 6; seed++) {
		pair_open(&pair, seed);
		for (uint64_t round = 0; round < ROUNDS; round++)
			unread_word_is_lost(&pair, round);
		lost += pair.side[1].port.counts.fences;
		pair_close(&pair);
	}
	assert_true(lost > 0);
}

/* ---- Channels ---- */

static void one_message(struct pair *pair, uint64_t round)
{
	static struct channel_end send, receive;
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	alignas(8) uint8_t out[MESSAGE_MAX_BYTES + LINE_BYTES], in[MESSAGE_MAX_BYTES + LINE_BYTES];
	struct message_head *message = (void *)out;
	if (round == 0) {
		channel_end_init(&send, a->geometry, 0, 1, LANE_REQUESTS, 7);
		channel_end_init(&receive, b->geometry, 0, 1, LANE_REQUESTS, 7);
	}
	SEEDED(pair, channel_peek(b, &receive, in) == CHANNEL_EMPTY);
	pod_fill(out, sizeof out, round);
	message->bytes = (uint16_t)(sizeof *message + round * 97 % (MESSAGE_MAX_BYTES - sizeof *message));
	SEEDED(pair, channel_has_room(a, &send, message_lines(message->bytes)));
	channel_send(a, &send, message);
	doorbell_ring(a, 1, 0);
	SEEDED(pair, doorbell_answer(b, 1) == 1);
	SEEDED(pair, channel_peek(b, &receive, in) == CHANNEL_MESSAGE);
	assert_memory_equal(in, out, message->bytes);
	channel_consume(&receive, (const struct message_head *)(const void *)in);
	channel_acknowledge(b, &receive, true);
	SEEDED(pair, channel_has_room(a, &send, CHANNEL_LINES));
}

static void what_the_doorbell_announces_is_there_and_so_is_the_room_that_was_acknowledged(void **state)
{
	(void)state;
	with_seeds(one_message);
}

/* ---- Catalog and figures ---- */

static void one_table(struct pair *pair, uint64_t round)
{
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	char name[32];
	uint32_t id, found;
	struct lg_error err = {0};
	uint64_t splits[7] = {10, 20, 30, 40, 50, 60, 70};
	snprintf(name, sizeof name, "table-%llu", (unsigned long long)round);
	struct lg_table_def def = {.name = name, .by = LG_RANGE, .partitions = 8, .splits = splits};
	SEEDED(pair, catalog_find(b, name, &found, &err) == LG_NOTFOUND);
	SEEDED(pair, catalog_add(a, 0, &def, &id, &err) == LG_OK);
	SEEDED(pair, catalog_find(b, name, &found, &err) == LG_OK && found == id);
}

static void a_table_that_is_counted_is_readable(void **state)
{
	(void)state;
	with_seeds(one_table);
}

static void one_usage(struct pair *pair, uint64_t round)
{
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	struct host_usage told = {.shared_rows = round, .dram_bytes = round * 3}, read = {0};
	usage_publish(a, 0, &told, round + 1);
	SEEDED(pair, usage_read(b, 0, &read) && read.shared_rows == round && read.dram_bytes == round * 3);
}

static void published_figures_are_read(void **state)
{
	(void)state;
	with_seeds(one_usage);
}

/* ---- Directory ---- */

static void one_directory(struct pair *pair, uint64_t round)
{
	static struct directory_view own, seen;
	struct cxl_port *a = &pair->side[0].port, *b = &pair->side[1].port;
	struct frame_ref ref = {extent_offset(a->geometry, 3), block_first_word(a->geometry, 2) + (word_idx)round};
	struct frame_ref found[4];
	uint64_t number = round, hash = directory_hash(1, lg_slice(&number, sizeof number));
	uint32_t extents[2] = {1, 2};
	if (round == 0) {
		own = seen = (struct directory_view){0};
		/* What lay there before looks like a slot of the very key. */
		own.log2_slots = 17;
		own.extents[0] = 1;
		own.extents[1] = 2;
		SEEDED(pair, directory_enter(a, &own, hash, ref));
		port_fence(a);
		(void)directory_look(b, &own, hash, false, found, 4);
		directory_clear_extent(a, 1);
		directory_clear_extent(a, 2);
		directory_publish(a, 0, &own, extents, 2, 17);
	}
	SEEDED(pair, directory_view_refresh(b, 0, &seen) && seen.generation == own.generation);
	SEEDED(pair, directory_look(b, &seen, hash, true, found, 4) == 0);
	SEEDED(pair, directory_enter(a, &own, hash, ref));
	port_fence(a);
	SEEDED(pair, directory_look(b, &seen, hash, true, found, 4) == 1);
	SEEDED(pair, found[0].frame == ref.frame && found[0].word == ref.word);
	directory_remove(a, &own, hash, ref.word);
	port_fence(a);
	SEEDED(pair, directory_look(b, &seen, hash, true, found, 4) == 0);
	directory_publish(a, 0, &own, extents, 2, 17);
	SEEDED(pair, directory_view_refresh(b, 0, &seen) && seen.generation == own.generation);
}

static void entered_slots_are_found_and_removed_ones_are_not(void **state)
{
	(void)state;
	with_seeds(one_directory);
}

/* ---- A pod that was just made ---- */

/* Its creator's cache is gone: the pod is what it wrote back. */
static void a_pod_is_whole_when_its_creator_is_gone(void **state)
{
	(void)state;
	static struct lg_pod_info info;
	uint64_t first = pod_seed() % 1000000, count = pod_scaled(FEW_SEEDS);
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct lg_pod_config config;
		struct lg_error err = {0};
		char mode[64], name[64], uri[80];
		unit_pod_config(&config);
		snprintf(mode, sizeof mode, "incoherent:%llu", (unsigned long long)seed);
		config.emulate = mode;
		pod_private_name(name, sizeof name);
		snprintf(uri, sizeof uri, "shm:%s", name);
		if (lg_pod_create(uri, &config, &err) != LG_OK ||
		        lg_pod_info_emulated(uri, "direct", &info, &err) != LG_OK)
			fail_msg("%s: %s", mode, err.message);
		emu_pod_forget(info.cookie); /* what comes now may fail, and then closes nothing */
		bool whole = info.epoch == 1 && info.config.hosts == 2 && info.table_count == 0;
		for (uint32_t p = 0; p < config.partitions; p++)
			whole &= info.partition_owner[p] == p % 2;
		for (unsigned host = 0; host < 2; host++)
			whole &= info.member[host].oldest_epoch == UINT64_MAX;
		if (!whole)
			fail_msg("%s: the pod is not what was made", mode);
		if (lg_pod_destroy_emulated(uri, mode, false, &err) != LG_OK)
			fail_msg("%s: %s", mode, err.message);
	}
}

/* As many as there are slots look at a time, each with a cache of its own; then one leaves, and its slot is free. */
static void observers_have_slots_of_their_own(void **state)
{
	(void)state;
	static struct lg_pod_info info;
	struct lg_pod_config config;
	struct lg_error err = {0};
	struct side observer[EMU_MAX_OBSERVERS];
	unit_pod_config(&config);
	struct unit_pod *pod = unit_pod_make(&config);
	for (unsigned i = 0; i < EMU_MAX_OBSERVERS; i++) {
		side_open(&observer[i], pod->uri, EMU_OBSERVER, 5);
		assert_int_equal(observer[i].emulation.pod->config.host, EMU_OBSERVER + i);
	}
	unit_expect_error(LG_SYSTEM, lg_pod_info_emulated(pod->uri, "incoherent:5", &info, &err), &err, "looking");
	unit_expect_error(LG_MISMATCH, lg_pod_info_emulated(pod->uri, "delay:cxl-direct", &info, &err), &err,
	        "another emulation");
	side_close(&observer[3]);
	assert_int_equal(lg_pod_info_emulated(pod->uri, "incoherent:5", &info, &err), LG_OK);
	assert_string_equal(info.emulation, "incoherent:5");
	side_open(&observer[3], pod->uri, EMU_OBSERVER, 5);
	assert_int_equal(observer[3].emulation.pod->config.host, EMU_OBSERVER + 3);
	for (unsigned i = 0; i < EMU_MAX_OBSERVERS; i++)
		side_close(&observer[i]);
	unit_pod_end(pod);
}

/* ---- The model itself ---- */

static void a_line_that_was_not_flushed_stays_as_it_was(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 5); /* a seed without whims */
	struct cxl_port *a = &pair.side[0].port, *b = &pair.side[1].port;
	pod_off line = a->geometry->extents_offset;
	assert_int_equal(line_tag(b, line), 0);
	uint8_t payload[LINE_BYTES] = {1};
	line_write(a, line, payload, 9);
	port_fence(a);
	assert_int_equal(line_tag(a, line), 9);
	assert_int_equal(line_tag(b, line), 0);
	port_flush(b, line);
	port_full_fence(b);
	assert_int_equal(line_tag(b, line), 9);
	pair_close(&pair);
}

static void an_access_past_the_port_is_not_possible(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 5);
	/* What the kernel would do for us with a load: it refuses to read there. */
	uint8_t byte;
	int pipe_ends[2];
	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(write(pipe_ends[1], pair.side[0].port.base, 1), -1);
	assert_int_equal(write(pipe_ends[1], pair.side[0].emulation.raw, 1), 1);
	assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
	assert_int_equal(close(pipe_ends[0]) | close(pipe_ends[1]), 0);
	pair_close(&pair);
}

/* The number of a process that is gone. */
static uint64_t dead_pid(void)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return (uint64_t)child;
}

/* As a host leaves them that is killed between line_lock() and line_unlock(). */
static void a_dead_host_that_comes_again_waits_for_none_of_its_own_locks(void **state)
{
	(void)state;
	struct pair pair;
	struct emu_thread thread;
	pair_open(&pair, 5);
	side_close(&pair.side[0]);
	const struct emu_pod *pod = pair.side[1].emulation.pod;
	const struct pod_geometry *geometry = pair.side[1].port.geometry;
	pod_off word = (pod_off)block_first_word(geometry, 1) * 8, line = geometry->extents_offset;
	atomic_store((_Atomic uint64_t *)(void *)(pod->config.raw + word), 12);
	atomic_store(emu_shared_image(pod->shared, word / LINE_BYTES) + word % LINE_BYTES / 8, 10);
	atomic_store(&pod->shared->state[word / LINE_BYTES], 0x101); /* host 0's: locked and dirty */
	atomic_store(&pod->shared->state[line / LINE_BYTES], 0x001);
	atomic_store(&pod->shared->host_pid[0], dead_pid());

	side_open(&pair.side[0], pair.pod->uri, 0, 5);
	assert_int_equal(atomic_load(&pod->shared->host_pid[0]), getpid());
	for (unsigned host = 0; host < 2; host++) {
		emu_thread_init(&thread, pair.side[host].emulation.pod);
		assert_int_equal(emu_word_load(&thread, word), 10);
		(void)emu_load64(&thread, line);
	}
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_line_that_was_not_flushed_stays_as_it_was),
	        cmocka_unit_test(an_access_past_the_port_is_not_possible),
	        cmocka_unit_test(a_dead_host_that_comes_again_waits_for_none_of_its_own_locks),
	        cmocka_unit_test(observers_have_slots_of_their_own),
	        cmocka_unit_test(a_pod_is_whole_when_its_creator_is_gone),
	        cmocka_unit_test(a_line_that_was_written_back_and_fenced_is_read_elsewhere),
	        cmocka_unit_test(a_frame_is_read_whole_and_of_one_version_or_not_at_all),
	        cmocka_unit_test(a_head_that_is_being_written_is_no_corrupt_one),
	        cmocka_unit_test(a_retired_word_stays_retired_when_its_host_dies),
	        cmocka_unit_test(a_word_that_nobody_else_has_read_may_be_lost_with_its_host),
	        cmocka_unit_test(what_the_doorbell_announces_is_there_and_so_is_the_room_that_was_acknowledged),
	        cmocka_unit_test(a_table_that_is_counted_is_readable),
	        cmocka_unit_test(published_figures_are_read),
	        cmocka_unit_test(entered_slots_are_found_and_removed_ones_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
