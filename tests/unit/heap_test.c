/* heap_test.c: budget, usage, and what is freed when. */
#include "tree_fixture.h"

#include <pthread.h>

static void memory_is_aligned_distinct_and_usable(void **state)
{
	(void)state;
	struct heap *heap = heap_create(0);
	struct heap_local local;
	static uint8_t *memory[3000];
	size_t bytes[3000];
	struct bench_random random;
	bench_random_seed(&random, tree_seed("allocation"));
	assert_non_null(heap);
	assert_true(heap_local_open(&local, heap));
	for (unsigned i = 0; i < 3000; i++) {
		bytes[i] = 1 + bench_random_below(&random, i % 100 ? 2000 : 70000);
		if (i % 3 == 0)
			bytes[i] = (bytes[i] + 63) & ~(size_t)63;
		memory[i] = heap_alloc(&local, bytes[i]);
		assert_non_null(memory[i]);
		assert_int_equal((uintptr_t)memory[i] % 16, 0);
		assert_true(bytes[i] % 64 || (uintptr_t)memory[i] % 64 == 0);
		memset(memory[i], (int)(i & 0xff), bytes[i]);
	}
	for (unsigned i = 0; i < 3000; i++) {
		for (size_t j = 0; j < bytes[i]; j++)
			assert_int_equal(memory[i][j], i & 0xff);
		heap_free(&local, memory[i], bytes[i]);
	}
	heap_local_close(&local);
	assert_int_equal(heap_used_bytes(heap), 0);
	heap_destroy(heap);
}

static void usage_is_what_is_allocated(void **state)
{
	(void)state;
	struct heap *heap = heap_create(0);
	struct heap_local local;
	static void *memory[1000];
	assert_true(heap_local_open(&local, heap));
	for (unsigned i = 0; i < 1000; i++)
		memory[i] = heap_alloc(&local, 1024);
	assert_in_range(heap_used_bytes(heap), 1024000, 1024000 + HEAP_CREDIT_MAX_BYTES);
	heap_local_close(&local);
	assert_int_equal(heap_used_bytes(heap), 1024000);
	assert_true(heap_local_open(&local, heap));
	for (unsigned i = 0; i < 500; i++)
		heap_free(&local, memory[i], 1024);
	assert_in_range(heap_used_bytes(heap), 512000, 512000 + HEAP_CREDIT_MAX_BYTES);
	heap_local_close(&local);
	assert_int_equal(heap_used_bytes(heap), 512000);
	heap_destroy(heap);
}

static void a_budget_is_never_exceeded_and_freed_memory_counts_again(void **state)
{
	(void)state;
	const uint64_t budget = 1 << 20;
	struct heap *heap = heap_create(budget);
	struct heap_local local;
	static void *memory[5000];
	assert_true(heap_local_open(&local, heap));
	for (int round = 0; round < 3; round++) {
		unsigned count = 0;
		while ((memory[count] = heap_alloc(&local, 256)))
			count++;
		assert_int_equal(count, budget / 256);
		assert_int_equal(heap_used_bytes(heap), budget);
		assert_null(heap_alloc(&local, 1));
		heap_free(&local, memory[--count], 256);
		assert_null(heap_alloc(&local, 257));
		memory[count] = heap_alloc(&local, 256);
		assert_non_null(memory[count]);
		for (unsigned i = 0; i <= count; i++)
			heap_free(&local, memory[i], 256);
	}
	assert_null(heap_alloc(&local, budget + 1));
	heap_local_close(&local);
	assert_int_equal(heap_used_bytes(heap), 0);
	heap_destroy(heap);
}

static void what_was_retired_is_freed_once_its_epoch_is_past(void **state)
{
	(void)state;
	struct heap *heap = heap_create(0);
	struct heap_local local;
	enum { EPOCHS = 40, EACH = 100, BYTES = 4096 };
	assert_true(heap_local_open(&local, heap));
	for (uint64_t epoch = 1; epoch <= EPOCHS; epoch++)
		for (unsigned i = 0; i < EACH; i++)
			heap_retire(&local, heap_alloc(&local, BYTES), BYTES, epoch);
	heap_reclaim(&local, 0);
	heap_reclaim(&local, 1);
	for (uint64_t oldest = 1; oldest <= EPOCHS + 1; oldest++) {
		heap_reclaim(&local, oldest);
		uint64_t left = (EPOCHS + 1 - oldest) * EACH * BYTES;
		assert_in_range(heap_used_bytes(heap), left, left + HEAP_CREDIT_MAX_BYTES);
		assert_int_equal(local.limbo_count, (EPOCHS + 1 - oldest) * EACH);
	}
	heap_local_close(&local);
	assert_int_equal(heap_used_bytes(heap), 0);
	heap_destroy(heap);
}

/* Memory is recognised by its content: it must not be handed out again while it is in limbo. */
static void retired_memory_is_left_alone(void **state)
{
	(void)state;
	struct heap *heap = heap_create(0);
	struct heap_local local;
	uint64_t *retired[1000];
	assert_true(heap_local_open(&local, heap));
	for (uint64_t i = 0; i < 1000; i++) {
		retired[i] = heap_alloc(&local, 64);
		*retired[i] = i;
		heap_retire(&local, retired[i], 64, 7);
		void *other = heap_alloc(&local, 64);
		memset(other, 0xff, 64);
		heap_free(&local, other, 64);
		heap_reclaim(&local, 7);
	}
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(*retired[i], i);
	heap_local_close(&local);
	heap_destroy(heap);
}

static void a_closed_local_leaves_its_limbo_to_the_others(void **state)
{
	(void)state;
	struct heap *heap = heap_create(0);
	struct heap_local local, other;
	assert_true(heap_local_open(&local, heap));
	assert_true(heap_local_open(&other, heap));
	for (unsigned i = 0; i < 1000; i++)
		heap_retire(&local, heap_alloc(&local, 512), 512, 1 + i / 500);
	heap_local_close(&local);
	assert_in_range(heap_used_bytes(heap), 512000, 512000 + HEAP_CREDIT_MAX_BYTES);
	heap_reclaim(&other, 1);
	assert_in_range(heap_used_bytes(heap), 512000, 512000 + HEAP_CREDIT_MAX_BYTES);
	heap_reclaim(&other, 2);
	assert_in_range(heap_used_bytes(heap), 256000, 256000 + HEAP_CREDIT_MAX_BYTES);
	heap_local_close(&other);
	assert_int_equal(heap_used_bytes(heap), 256000);
	assert_true(heap_local_open(&other, heap));
	heap_reclaim(&other, 3);
	heap_local_close(&other);
	assert_int_equal(heap_used_bytes(heap), 0);
	heap_destroy(heap);
}

static void a_heap_frees_what_was_left_in_it(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct heap *heap = heap_create(0);
		struct heap_local local;
		assert_non_null(heap);
		assert_true(heap_local_open(&local, heap));
		for (int j = 0; j < 300; j++)
			memset(heap_alloc(&local, 5000), 1, 5000);
		heap_retire(&local, heap_alloc(&local, 100), 100, 1);
		heap_local_close(&local);
		heap_destroy(heap);
	}
}

struct heap_thread {
	struct heap *heap;
	pthread_t thread;
	uint64_t seed, allocated;
};

static void *allocate_until_full(void *arg)
{
	struct heap_thread *t = arg;
	struct heap_local local;
	struct bench_random random;
	bench_random_seed(&random, t->seed);
	bool opened = heap_local_open(&local, t->heap);
	assert(opened); /* not cmocka's, which belongs to the main thread */
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t *memory = heap_alloc(&local, 320);
		if (!memory)
			continue;
		*memory = i;
		if (bench_random_below(&random, 2))
			heap_free(&local, memory, 320);
		else
			t->allocated += 320;
	}
	heap_local_close(&local);
	return NULL;
}

static void threads_share_a_budget(void **state)
{
	(void)state;
	enum { THREADS = 4 };
	struct heap_thread threads[THREADS];
	const uint64_t budget = 4 << 20;
	uint64_t seed = tree_seed("threads"), allocated = 0;
	struct heap *heap = heap_create(budget);
	for (uint64_t i = 0; i < THREADS; i++) {
		threads[i] = (struct heap_thread){.heap = heap, .seed = seed + i};
		assert_int_equal(pthread_create(&threads[i].thread, NULL, allocate_until_full, &threads[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
		allocated += threads[i].allocated;
	}
	assert_int_equal(heap_used_bytes(heap), allocated);
	assert_true(allocated <= budget && allocated + THREADS * HEAP_CREDIT_MAX_BYTES + 320 >= budget);
	heap_destroy(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(memory_is_aligned_distinct_and_usable),
	        cmocka_unit_test(usage_is_what_is_allocated),
	        cmocka_unit_test(a_budget_is_never_exceeded_and_freed_memory_counts_again),
	        cmocka_unit_test(what_was_retired_is_freed_once_its_epoch_is_past),
	        cmocka_unit_test(retired_memory_is_left_alone),
	        cmocka_unit_test(a_closed_local_leaves_its_limbo_to_the_others),
	        cmocka_unit_test(a_heap_frees_what_was_left_in_it),
	        cmocka_unit_test(threads_share_a_budget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
