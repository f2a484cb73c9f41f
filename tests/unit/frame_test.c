/* frame_test.c: a frame is read whole and of one version, or not at all. */
#include "unit/unit_pod.h"

#include <pthread.h>
#include <stdio.h>

#include "cxl/extent.h"
#include "cxl/frame.h"

enum { BUFFER_BYTES = FRAME_MAX_LINES * LINE_PAYLOAD_BYTES + 64 };

static pod_off frame_at(const struct unit_pod *pod, uint64_t extent)
{
	return extent_offset(&pod->region.geometry, extent);
}

static word_idx word_of(const struct unit_pod *pod, uint32_t number)
{
	return block_first_word(&pod->region.geometry, 0) + number;
}

/* Lays a row out as frame_write() wants it: key and value follow from the version. Returns its lines. */
static uint32_t lay_out(void *payload, word_idx index, uint64_t version, uint16_t key_bytes, uint32_t val_bytes)
{
	uint8_t *to = payload;
	uint32_t lines = frame_lines_for(key_bytes, val_bytes);
	struct frame_head head = {.word = index,
	        .val_bytes = val_bytes,
	        .key_bytes = key_bytes,
	        .partition = 3,
	        .line_count = (uint16_t)lines,
	        .table = 4};
	memset(to, 0, (size_t)lines * LINE_PAYLOAD_BYTES);
	memcpy(to, &head, sizeof head);
	pod_fill(to + sizeof head, key_bytes, version);
	pod_fill(to + sizeof head + ((key_bytes + 7u) & ~7u), val_bytes, version + 1);
	return lines;
}

static void put(
        struct unit_pod *pod, pod_off frame, word_idx index, uint64_t version, uint16_t key_bytes, uint32_t val_bytes)
{
	static uint8_t payload[BUFFER_BYTES];
	uint32_t lines = lay_out(payload, index, version, key_bytes, val_bytes);
	frame_write(&pod->port, frame, version, payload, lines);
	port_fence(&pod->port);
	word_open(&pod->port, index, version, 0);
}

/* Reads the frame of a word as a transaction does. *copy is good on FRAME_OK. */
static enum frame_result get(
        struct cxl_port *port, pod_off frame, word_idx index, uint64_t word, struct frame_copy *copy, void *buffer)
{
	uint64_t seen;
	enum frame_result result = frame_read_head(port, frame, index, word, buffer);
	if (result == FRAME_OK)
		result = frame_read_rest(port, frame, index, word, buffer, copy, &seen);
	if (result == FRAME_OK)
		assert_true(word_same_version(seen, word) && !(seen & WORD_LOCK));
	return result;
}

static enum frame_result get_now(struct unit_pod *pod, pod_off frame, word_idx index)
{
	static uint8_t buffer[BUFFER_BYTES];
	struct frame_copy copy;
	return get(&pod->port, frame, index, word_load(&pod->port, word_ref_shared(index)), &copy, buffer);
}

static bool copy_is(
        const struct frame_copy *copy, word_idx index, uint64_t version, uint16_t key_bytes, uint32_t val_bytes)
{
	return copy->head->word == index && copy->head->partition == 3 && copy->head->table == 4 &&
	       copy->head->key_bytes == key_bytes && copy->head->val_bytes == val_bytes &&
	       pod_filled(lg_slice(copy->key, key_bytes), key_bytes, version) &&
	       pod_filled(lg_slice(copy->val, val_bytes), val_bytes, version + 1) && (uintptr_t)copy->val % 8 == 0;
}

static void rows_of_every_size_come_back_as_they_were_written(void **state)
{
	struct unit_pod *pod = *state;
	static _Alignas(8) uint8_t buffer[BUFFER_BYTES];
	const uint16_t key_sizes[] = {1, 7, 8, 9, 40, 41, 100, 511, LG_MAX_KEY_BYTES};
	word_idx index = word_of(pod, 0);
	uint64_t version = 1000;
	for (size_t k = 0; k < sizeof key_sizes / sizeof key_sizes[0]; k++) {
		for (uint32_t val_bytes = 0; val_bytes <= LG_MAX_VALUE_BYTES;
		        val_bytes += val_bytes < 200 ? 1 : val_bytes % 997 + 1777) {
			struct frame_copy copy;
			put(pod, frame_at(pod, 0), index, ++version, key_sizes[k], val_bytes);
			uint64_t word = word_load(&pod->port, word_ref_shared(index));
			assert_int_equal(get(&pod->port, frame_at(pod, 0), index, word, &copy, buffer), FRAME_OK);
			assert_true(copy_is(&copy, index, version, key_sizes[k], val_bytes));
		}
		struct frame_copy copy;
		put(pod, frame_at(pod, 0), index, ++version, key_sizes[k], LG_MAX_VALUE_BYTES);
		uint64_t word = word_load(&pod->port, word_ref_shared(index));
		assert_int_equal(get(&pod->port, frame_at(pod, 0), index, word, &copy, buffer), FRAME_OK);
		assert_true(copy_is(&copy, index, version, key_sizes[k], LG_MAX_VALUE_BYTES));
	}
}

static void capacity_and_lines_agree(void **state)
{
	(void)state;
	assert_int_equal(frame_lines_for(LG_MAX_KEY_BYTES, LG_MAX_VALUE_BYTES), FRAME_MAX_LINES);
	for (uint32_t key_bytes = 1; key_bytes <= LG_MAX_KEY_BYTES; key_bytes += 3) {
		for (uint32_t val_bytes = 0; val_bytes < 500; val_bytes++) {
			uint32_t lines = frame_lines_for(key_bytes, val_bytes);
			assert_true(frame_val_capacity(lines, key_bytes) >= val_bytes);
			assert_true(frame_val_capacity(lines, key_bytes) < val_bytes + LINE_PAYLOAD_BYTES);
		}
	}
}

static void reading_an_unchanged_row_again_writes_and_flushes_nothing(void **state)
{
	struct unit_pod *pod = *state;
	word_idx index = word_of(pod, 0);
	put(pod, frame_at(pod, 0), index, 50, 16, 1000);
	assert_int_equal(get_now(pod, frame_at(pod, 0), index), FRAME_OK);
	pod->port.counts = (struct port_counts){0};
	assert_int_equal(get_now(pod, frame_at(pod, 0), index), FRAME_OK);
	assert_int_equal(pod->port.counts.word_writes, 0);
	assert_int_equal(pod->port.counts.line_writes, 0);
	assert_int_equal(pod->port.counts.line_flushes, 0);
	assert_int_equal(pod->port.counts.fences, 0);
	assert_int_equal(pod->port.counts.line_reads, frame_lines_for(16, 1000));
}

static void a_row_under_intent_is_read_and_a_locked_one_is_not(void **state)
{
	struct unit_pod *pod = *state;
	static uint8_t buffer[BUFFER_BYTES];
	struct frame_copy copy;
	word_idx index = word_of(pod, 0);
	word_ref ref = word_ref_shared(index);
	put(pod, frame_at(pod, 0), index, 50, 16, 300);
	uint64_t word = word_load(&pod->port, ref);
	assert_true(word_try_intent(&pod->port, ref, word, 1));
	assert_int_equal(get(&pod->port, frame_at(pod, 0), index, word, &copy, buffer), FRAME_OK);
	word_lock_own(&pod->port, ref);
	assert_int_equal(get(&pod->port, frame_at(pod, 0), index, word, &copy, buffer), FRAME_RETRY);
	word_install(&pod->port, ref, 51, 0);
	assert_int_equal(get(&pod->port, frame_at(pod, 0), index, word, &copy, buffer), FRAME_RETRY);
}

static void a_frame_of_another_word_or_time_is_a_miss(void **state)
{
	struct unit_pod *pod = *state;
	word_idx index = word_of(pod, 0), other = word_of(pod, 1);
	put(pod, frame_at(pod, 0), index, 50, 16, 300);
	put(pod, frame_at(pod, 1), other, 50, 16, 300);
	assert_int_equal(get_now(pod, frame_at(pod, 0), index), FRAME_OK);
	assert_int_equal(get_now(pod, frame_at(pod, 1), index), FRAME_MISS); /* the same version, another word */
	word_install(&pod->port, word_ref_shared(index), 51, 0);             /* the row is in another frame now */
	assert_int_equal(get_now(pod, frame_at(pod, 0), index), FRAME_MISS);
	assert_int_equal(get_now(pod, frame_at(pod, 2), index), FRAME_MISS); /* never written */
}

static void a_later_line_does_not_pass_for_a_first_one(void **state)
{
	struct unit_pod *pod = *state;
	static uint8_t payload[BUFFER_BYTES];
	word_idx index = word_of(pod, 0);
	uint32_t lines = lay_out(payload, index, 50, 16, 300);
	/* The value holds, where its second line begins, what looks like the head of a frame of the same word. */
	memcpy(payload + LINE_PAYLOAD_BYTES, payload, sizeof(struct frame_head));
	frame_write(&pod->port, frame_at(pod, 0), 50, payload, lines);
	port_fence(&pod->port);
	word_open(&pod->port, index, 50, 0);
	assert_int_equal(get_now(pod, frame_at(pod, 0), index), FRAME_OK);
	assert_int_equal(get_now(pod, frame_at(pod, 0) + LINE_BYTES, index), FRAME_MISS);
}

static void places_outside_the_extents_are_a_miss(void **state)
{
	struct unit_pod *pod = *state;
	const struct pod_geometry *g = &pod->region.geometry;
	word_idx index = word_of(pod, 0);
	const pod_off places[] = {0, 1, frame_at(pod, 0) + 1, frame_at(pod, 0) + 8, g->extents_offset - LINE_BYTES,
	        g->hwcc_bytes, g->region_bytes, g->region_bytes - 1, g->region_bytes + LINE_BYTES, UINT64_MAX,
	        UINT64_MAX - LINE_BYTES + 1, UINT64_C(1) << 63};
	put(pod, frame_at(pod, 0), index, 50, 16, 300);
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		assert_int_equal(get_now(pod, places[i], index), FRAME_MISS);
	assert_int_equal(get_now(pod, g->region_bytes - LINE_BYTES, index), FRAME_MISS); /* inside, but nothing there */
}

static void a_damaged_tag_of_a_later_line_is_corrupt(void **state)
{
	struct unit_pod *pod = *state;
	word_idx index = word_of(pod, 0);
	uint32_t lines = frame_lines_for(16, 1000);
	for (uint32_t i = 1; i < lines; i++) {
		put(pod, frame_at(pod, 0), index, 50 + i, 16, 1000);
		port_line(&pod->port, frame_at(pod, 0) + (pod_off)i * LINE_BYTES)->tag ^= 1u << (i % 20);
		assert_int_equal(get_now(pod, frame_at(pod, 0), index), FRAME_CORRUPT);
	}
}

static enum frame_result with_head(struct unit_pod *pod, pod_off frame, struct frame_head head)
{
	static uint64_t version = 100;
	word_idx index = word_of(pod, 0);
	uint8_t payload[LINE_PAYLOAD_BYTES] = {0};
	head.word = index;
	memcpy(payload, &head, sizeof head);
	frame_write(&pod->port, frame, ++version, payload, 1);
	port_fence(&pod->port);
	word_open(&pod->port, index, version, 0);
	return get_now(pod, frame, index);
}

static void heads_whose_lengths_cannot_be_are_corrupt(void **state)
{
	struct unit_pod *pod = *state;
	pod_off frame = frame_at(pod, 0), last = pod->region.geometry.region_bytes - LINE_BYTES;
	struct frame_head good = {.key_bytes = 8, .val_bytes = 32, .line_count = 1}, h;
	assert_int_equal(with_head(pod, frame, good), FRAME_OK);
	assert_int_equal(with_head(pod, last, good), FRAME_OK);
	h = good, h.key_bytes = 0, assert_int_equal(with_head(pod, frame, h), FRAME_CORRUPT);
	h = good, h.val_bytes = 33, assert_int_equal(with_head(pod, frame, h), FRAME_CORRUPT);
	h = good, h.line_count = 0, assert_int_equal(with_head(pod, frame, h), FRAME_CORRUPT);
	h = good, h.key_bytes = LG_MAX_KEY_BYTES + 1, h.line_count = 100;
	assert_int_equal(with_head(pod, frame, h), FRAME_CORRUPT);
	h = good, h.key_bytes = UINT16_MAX, h.line_count = UINT16_MAX;
	assert_int_equal(with_head(pod, frame, h), FRAME_CORRUPT);
	h = good, h.val_bytes = LG_MAX_VALUE_BYTES + 1, h.line_count = FRAME_MAX_LINES;
	assert_int_equal(with_head(pod, frame, h), FRAME_CORRUPT);
	h = good, h.val_bytes = UINT32_MAX, h.line_count = 1;
	assert_int_equal(with_head(pod, frame, h), FRAME_CORRUPT);
	h = good, h.line_count = FRAME_MAX_LINES + 1, assert_int_equal(with_head(pod, frame, h), FRAME_CORRUPT);
	h = good, h.line_count = 2, assert_int_equal(with_head(pod, last, h), FRAME_CORRUPT); /* beyond the region */
}

static void no_scribble_over_a_frame_is_read_beyond_its_bounds(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t random = pod_seed(), rounds = pod_scaled(20000);
	word_idx index = word_of(pod, 0);
	pod_off frame = pod->region.geometry.region_bytes - 20 * LINE_BYTES;
	for (uint64_t i = 0; i < rounds; i++) {
		put(pod, frame, index, 1000 + i, 16, 1000);
		uint64_t count = pod_random(&random) % 4;
		for (uint64_t n = 0; n <= count; n++)
			pod->region.base[frame + pod_random(&random) % (n ? 20 * LINE_BYTES : 16)] =
			        (uint8_t)pod_random(&random);
		get_now(pod, frame, index); /* any result; the sanitizers watch the buffer */
	}
}

/* ---- One writer, several readers ---- */

struct race {
	struct unit_pod *pod;
	word_idx index;
	pod_off frame;
	_Atomic bool done;
	_Atomic uint64_t read, mixed, missed;
};

static uint32_t racing_size(uint64_t version)
{
	return (uint32_t)(version * 37 % 900);
}

static void *read_while_written(void *arg)
{
	struct race *r = arg;
	struct cxl_port port = unit_pod_port(r->pod);
	_Alignas(8) uint8_t buffer[BUFFER_BYTES];
	while (!atomic_load(&r->done)) {
		struct frame_copy copy;
		uint64_t seen, word = word_load(&port, word_ref_shared(r->index));
		if (word & WORD_LOCK)
			continue;
		enum frame_result result = frame_read_head(&port, r->frame, r->index, word, buffer);
		if (result == FRAME_OK)
			result = frame_read_rest(&port, r->frame, r->index, word, buffer, &copy, &seen);
		uint64_t version = word & WORD_VERSION;
		if (result == FRAME_OK) {
			atomic_fetch_add(&r->read, 1);
			if (!copy_is(&copy, r->index, version, 24, racing_size(version)))
				atomic_fetch_add(&r->mixed, 1);
		} else if (result != FRAME_RETRY) {
			atomic_fetch_add(&r->missed, 1);
		}
	}
	return NULL;
}

static void readers_never_see_a_mix_of_two_versions(void **state)
{
	struct unit_pod *pod = *state;
	static uint8_t payload[BUFFER_BYTES];
	struct race r = {.pod = pod, .index = word_of(pod, 0), .frame = frame_at(pod, 0)};
	word_ref ref = word_ref_shared(r.index);
	pthread_t threads[2];
	uint64_t version = 1, last = pod_scaled(200000);
	put(pod, r.frame, r.index, version, 24, racing_size(version));
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_while_written, &r), 0);
	for (; version < last || atomic_load(&r.read) == 0; version++) {
		uint64_t seen = word_load(&pod->port, ref);
		uint32_t lines = lay_out(payload, r.index, version + 1, 24, racing_size(version + 1));
		if (version % 2) { /* as the mover does */
			assert_true(word_try_lock(&pod->port, ref, seen, 0));
		} else { /* as a transaction does */
			assert_true(word_try_intent(&pod->port, ref, seen, 0));
			word_lock_own(&pod->port, ref);
			full_fence();
		}
		frame_write(&pod->port, r.frame, version + 1, payload, lines);
		port_fence(&pod->port);
		word_install(&pod->port, ref, version + 1, 0);
	}
	atomic_store(&r.done, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(r.mixed, 0);
	assert_int_equal(r.missed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        UNIT_TEST(rows_of_every_size_come_back_as_they_were_written),
	        cmocka_unit_test(capacity_and_lines_agree),
	        UNIT_TEST(reading_an_unchanged_row_again_writes_and_flushes_nothing),
	        UNIT_TEST(a_row_under_intent_is_read_and_a_locked_one_is_not),
	        UNIT_TEST(a_frame_of_another_word_or_time_is_a_miss),
	        UNIT_TEST(a_later_line_does_not_pass_for_a_first_one),
	        UNIT_TEST(places_outside_the_extents_are_a_miss),
	        UNIT_TEST(a_damaged_tag_of_a_later_line_is_corrupt),
	        UNIT_TEST(heads_whose_lengths_cannot_be_are_corrupt),
	        UNIT_TEST(no_scribble_over_a_frame_is_read_beyond_its_bounds),
	        UNIT_TEST(readers_never_see_a_mix_of_two_versions),
	};
	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
