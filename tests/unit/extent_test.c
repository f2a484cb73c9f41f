/* extent_test.c: extents and word blocks have one owner at a time, and are not reused while somebody may remember them. */
#include "unit/unit_pod.h"

#include <pthread.h>
#include <stdlib.h>

#include "cxl/extent.h"
#include "cxl/pod.h"
#include "cxl/word.h"

static const enum claim_kind kinds[] = {CLAIM_EXTENT, CLAIM_WORDS};

static uint64_t count_of(const struct unit_pod *pod, enum claim_kind kind)
{
	return kind == CLAIM_EXTENT ? pod->region.geometry.extent_count : pod->region.geometry.block_count;
}

static void every_one_can_be_claimed_once_and_given_back(void **state)
{
	struct unit_pod *pod = *state;
	for (int k = 0; k < 2; k++) {
		uint64_t count = count_of(pod, kinds[k]), hint = 3, index, floor;
		bool waiting;
		bool *seen = calloc(count, sizeof *seen);
		assert_non_null(seen);
		for (uint64_t i = 0; i < count; i++) {
			unsigned host = (unsigned)(i % 2);
			assert_true(claim_take(&pod->port, kinds[k], host, 1, &hint, &index, &floor, &waiting));
			assert_true(index < count && !seen[index]);
			assert_int_equal(floor, 0);
			seen[index] = true;
			assert_int_equal(claim_count_free(&pod->port, kinds[k]), count - i - 1);
			assert_int_equal(claim_count_owned(&pod->port, kinds[k], 0), i / 2 + 1);
			assert_int_equal(claim_count_owned(&pod->port, kinds[k], 1), (i + 1) / 2);
		}
		assert_false(claim_take(&pod->port, kinds[k], 0, 1, &hint, &index, &floor, &waiting));
		assert_false(waiting);
		for (uint64_t i = 0; i < count; i++)
			claim_give(&pod->port, kinds[k], i, 0);
		assert_int_equal(claim_count_free(&pod->port, kinds[k]), count);
		assert_int_equal(claim_count_owned(&pod->port, kinds[k], 1), 0);
		free(seen);
	}
}

static void one_with_a_floor_waits_until_its_epoch_is_over_for_all(void **state)
{
	struct unit_pod *pod = *state;
	for (int k = 0; k < 2; k++) {
		uint64_t count = count_of(pod, kinds[k]), hint = 0, index, floor;
		uint64_t version = version_first_of(5) + 77;
		bool waiting;
		for (uint64_t i = 0; i < count; i++)
			assert_true(claim_take(&pod->port, kinds[k], 0, 5, &hint, &index, &floor, &waiting));
		claim_give(&pod->port, kinds[k], 2, version);
		assert_int_equal(claim_count_free(&pod->port, kinds[k]), 1);
		for (uint64_t oldest = 1; oldest <= 5; oldest++) {
			assert_false(claim_take(&pod->port, kinds[k], 1, oldest, &hint, &index, &floor, &waiting));
			assert_true(waiting);
		}
		assert_true(claim_take(&pod->port, kinds[k], 1, 6, &hint, &index, &floor, &waiting));
		assert_int_equal(index, 2);
		assert_int_equal(floor, version);
		assert_false(waiting);
		assert_int_equal(claim_count_owned(&pod->port, kinds[k], 1), 1);
	}
}

static void a_floor_never_sinks(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t hint = 0, index, floor;
	bool waiting;
	assert_true(claim_take(&pod->port, CLAIM_EXTENT, 0, 1, &hint, &index, &floor, &waiting));
	claim_give(&pod->port, CLAIM_EXTENT, index, WORD_VERSION);
	hint = index;
	uint64_t again = index, beyond = version_epoch(WORD_VERSION) + 1;
	assert_true(claim_take(&pod->port, CLAIM_EXTENT, 63, beyond, &hint, &index, &floor, &waiting));
	assert_int_equal(index, again);
	assert_int_equal(floor, WORD_VERSION);
	claim_give(&pod->port, CLAIM_EXTENT, index, 1); /* unused: nothing in it got a version */
	hint = index;
	assert_true(claim_take(&pod->port, CLAIM_EXTENT, 0, beyond, &hint, &index, &floor, &waiting));
	assert_int_equal(floor, WORD_VERSION);
}

static void any_hint_will_do(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t hints[] = {0, 1, UINT64_MAX, pod->region.geometry.extent_count}, index, floor;
	bool waiting;
	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
		assert_true(claim_take(&pod->port, CLAIM_EXTENT, 0, 1, &hints[i], &index, &floor, &waiting));
		assert_true(index < pod->region.geometry.extent_count);
		assert_true(hints[i] <= pod->region.geometry.extent_count);
	}
}

static void offsets_of_extents_and_blocks_stay_inside_their_parts(void **state)
{
	struct unit_pod *pod = *state;
	const struct pod_geometry *g = &pod->region.geometry;
	assert_int_equal(extent_offset(g, g->extent_count), g->region_bytes);
	assert_true(word_idx_valid(&pod->port, block_first_word(g, 0)));
	assert_true(word_idx_valid(&pod->port, block_first_word(g, g->block_count - 1) + WORDS_PER_BLOCK - 1));
	assert_false(word_idx_valid(&pod->port, block_first_word(g, 0) - 1));
	assert_false(word_idx_valid(&pod->port, (word_idx)(g->hwcc_bytes / 8)));
	assert_false(word_idx_valid(&pod->port, 0));
	assert_false(word_idx_valid(&pod->port, UINT32_MAX));
}

/* All blocks but two are taken, so that both threads want the same ones. */
struct claimer {
	struct cxl_port port;
	unsigned host;
	uint64_t rounds, claimed;
	_Atomic int *owner; /* of each of the two: who says that he has it, or 0 */
	_Atomic int *clashes;
};

static void *claim_and_give(void *arg)
{
	struct claimer *c = arg;
	uint64_t first = c->port.geometry->block_count - 2;
	for (uint64_t i = 0; i < c->rounds; i++) {
		uint64_t hint = first, index, floor;
		bool waiting;
		int nobody = 0;
		if (!claim_take(&c->port, CLAIM_WORDS, c->host, 1, &hint, &index, &floor, &waiting))
			continue;
		c->claimed++;
		if (!atomic_compare_exchange_strong(&c->owner[index - first], &nobody, (int)c->host + 1))
			atomic_fetch_add(c->clashes, 1);
		atomic_store(&c->owner[index - first], 0);
		claim_give(&c->port, CLAIM_WORDS, index, 0);
	}
	return NULL;
}

static void two_threads_never_own_the_same_one(void **state)
{
	struct unit_pod *pod = *state;
	_Atomic int owner[2] = {0}, clashes = 0;
	struct claimer claimers[2];
	pthread_t threads[2];
	uint64_t hint = 0, index, floor;
	bool waiting;
	for (uint64_t i = 0; i < pod->region.geometry.block_count - 2; i++)
		assert_true(claim_take(&pod->port, CLAIM_WORDS, 1, 1, &hint, &index, &floor, &waiting));
	for (unsigned i = 0; i < 2; i++) {
		claimers[i] = (struct claimer){unit_pod_port(pod), i, pod_scaled(1000000), 0, owner, &clashes};
		assert_int_equal(pthread_create(&threads[i], NULL, claim_and_give, &claimers[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(claimers[i].claimed > 0);
	}
	assert_int_equal(clashes, 0);
	assert_int_equal(claim_count_free(&pod->port, CLAIM_WORDS), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        UNIT_TEST(every_one_can_be_claimed_once_and_given_back),
	        UNIT_TEST(one_with_a_floor_waits_until_its_epoch_is_over_for_all),
	        UNIT_TEST(a_floor_never_sinks),
	        UNIT_TEST(any_hint_will_do),
	        UNIT_TEST(offsets_of_extents_and_blocks_stay_inside_their_parts),
	        UNIT_TEST(two_threads_never_own_the_same_one),
	};
	return cmocka_run_group_tests_name("extent", tests, NULL, NULL);
}
