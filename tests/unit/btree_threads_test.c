/* btree_threads_test.c: threads that insert, remove, find and scan in one B+tree at once.
 *
 * Every key belongs to one thread, which alone inserts and removes it; so it knows at any time whether it is there. Keys of
 * all threads lie mixed, so that they meet in every leaf. Also under ThreadSanitizer. SEED=n repeats the choices, if not
 * the timing.
 */
#include "tree_fixture.h"

#include <pthread.h>

#include "cxl/pod.h"

enum { THREADS = 4, KEYS_A_THREAD = 4000, STEPS = LG_TSAN ? 40000 : 200000, IDLE = -1, KEY_BYTES = 20 };

struct crowd;

struct member {
	struct crowd *crowd;
	unsigned id;
	pthread_t thread;
	struct heap_local local;
	struct cxl_port port;
	struct bench_random random;
	_Atomic uint64_t running; /* as in host.h */
	struct row *rows[KEYS_A_THREAD];
	size_t row_count;
	const char *wrong;
	uint64_t lost_looks;
};

struct crowd {
	struct tree_fixture f;
	struct member members[THREADS];
	bool exports;
};

/* Key n of thread t. Half of the bytes are the same for long stretches, so that prefixes and equal heads occur. */
static struct lg_slice make_key(uint8_t *key, unsigned thread, unsigned n)
{
	tree_number_key(key, n / 512);
	tree_number_key(key + 8, 0);
	uint32_t rest = __builtin_bswap32((n % 512) * THREADS + thread);
	memcpy(key + 16, &rest, 4);
	return lg_slice(key, KEY_BYTES);
}

static unsigned key_owner(const struct row *row, unsigned *n)
{
	uint64_t high;
	uint32_t rest;
	memcpy(&high, row->data, 8);
	memcpy(&rest, row->data + 16, 4);
	rest = __builtin_bswap32(rest);
	*n = (unsigned)(__builtin_bswap64(high) * 512 + rest / THREADS);
	return rest % THREADS;
}

static void enter(struct member *m)
{
	atomic_exchange(&m->running, epoch_load(&m->port));
}

static void leave(struct member *m)
{
	atomic_store(&m->running, (uint64_t)IDLE);
}

static void tick_and_reclaim(struct member *m)
{
	struct pod_clock *clock = (void *)(m->port.base + POD_CLOCK_OFFSET);
	uint64_t oldest = atomic_fetch_add(&clock->epoch, 1) + 1;
	for (unsigned i = 0; i < THREADS; i++) {
		uint64_t running = atomic_load(&m->crowd->members[i].running);
		if (running < oldest)
			oldest = running;
	}
	heap_reclaim(&m->local, oldest);
}

static bool fails(struct member *m, bool wrong, const char *what)
{
	if (wrong && !m->wrong)
		m->wrong = what;
	return m->wrong;
}

static void insert_one(struct member *m, unsigned n)
{
	uint8_t key[KEY_BYTES];
	struct leaf_change change;
	struct row *existing = NULL, *row = tree_row(&m->local, make_key(key, m->id, n), 8);
	if (fails(m, !row, "no memory for a row"))
		return;
	int code = btree_insert(m->crowd->f.tree, &m->local, &m->port, row, &existing, &change);
	if (m->rows[n]) {
		fails(m, code != LG_EXISTS || existing != m->rows[n], "a row that is there was inserted again");
		heap_free(&m->local, row, row_alloc_bytes(row));
		return;
	}
	fails(m, code != LG_OK, "an insert failed");
	fails(m, change.after.version <= change.before.version, "an insert did not change its leaf's version");
	m->rows[n] = row;
	m->row_count++;
}

static void remove_one(struct member *m, unsigned n)
{
	struct row *row = m->rows[n];
	if (!row)
		return;
	struct leaf_look look;
	fails(m, btree_find(m->crowd->f.tree, row_key(row), &look) != row, "a row was not found before its removal");
	fails(m, !btree_remove(m->crowd->f.tree, &m->local, &m->port, 0, row), "a row could not be removed");
	fails(m, btree_look_holds(&look), "a look held over the removal of its row");
	m->rows[n] = NULL;
	m->row_count--;
	full_fence();
	heap_retire(&m->local, row, row_alloc_bytes(row), epoch_load(&m->port));
}

static void find_one(struct member *m, unsigned thread, unsigned n)
{
	uint8_t key[KEY_BYTES];
	struct leaf_look look;
	make_key(key, thread, n);
	const struct row *row = btree_find(m->crowd->f.tree, lg_slice(key, KEY_BYTES), &look);
	if (thread == m->id)
		fails(m, row != m->rows[n], "an own row was lost, or came back");
	else
		fails(m, row && memcmp(row->data, key, KEY_BYTES) != 0, "another row was found than looked for");
	m->lost_looks += !btree_look_holds(&look);
}

/* All own rows come by, between those of the others, in order. */
static void scan_some(struct member *m, unsigned from, unsigned leaves, bool reverse)
{
	uint8_t start[KEY_BYTES], *last = NULL;
	unsigned at = from;
	struct leaf_batch batch;
	struct lg_slice next = make_key(start, m->id, from);
	for (unsigned leaf = 0; leaf < leaves; leaf++) {
		(reverse ? btree_batch_reverse : btree_batch_forward)(m->crowd->f.tree, next, &batch);
		for (unsigned i = 0; i < batch.count; i++) {
			unsigned n;
			struct row *row = batch.rows[i];
			int order = last ? memcmp(row->data, last, KEY_BYTES) : reverse ? -1 : 1;
			fails(m, reverse ? order >= 0 : order <= 0, "a scan went backwards");
			last = row->data;
			if (key_owner(row, &n) != m->id)
				continue;
			while (reverse ? at > n + 1 : at < n)
				if (fails(m, m->rows[reverse ? --at : at++], "a scan left out a row"))
					return;
			fails(m, m->rows[n] != row, "a scan found a row that is gone");
			at = reverse ? n : n + 1;
		}
		if (batch.last)
			break;
		next = lg_slice(batch.bound, batch.bound_bytes);
	}
}

/* Gives a leaf a word, or takes it away. Thread 0 alone does it. */
static void export_or_not(struct member *m, unsigned n)
{
	uint8_t key[KEY_BYTES];
	struct leaf_look look;
	btree_find(m->crowd->f.tree, make_key(key, m->id, n), &look);
	if (btree_leaf_exported(look.leaf))
		btree_leaf_unexport(look.leaf);
	else
		btree_leaf_export(&look, TREE_FIRST_WORD + n % 64);
}

static void *act(void *arg)
{
	struct member *m = arg;
	unsigned insert_percent = 30;
	for (unsigned step = 0; step < STEPS && !m->wrong; step++) {
		unsigned n = (unsigned)bench_random_below(&m->random, KEYS_A_THREAD);
		unsigned what = (unsigned)bench_random_below(&m->random, 100);
		/* Phases of growth and of shrinking, so that leaves are split and unlinked again and again. */
		if (step % 8000 == 0)
			insert_percent = step % 16000 ? 3 : 45;
		enter(m);
		if (what < insert_percent)
			insert_one(m, n);
		else if (what < 48)
			remove_one(m, n);
		else if (what < 70)
			find_one(m, m->id, n);
		else if (what < 97)
			find_one(m, (unsigned)bench_random_below(&m->random, THREADS), n);
		else if (what < 98 && m->id == 0 && m->crowd->exports)
			export_or_not(m, n);
		else
			scan_some(m, n, 1 + n % 8, n % 2);
		leave(m);
		if (step % 64 == 0)
			tick_and_reclaim(m);
	}
	return NULL;
}

static void run_crowd(struct crowd *crowd, uint64_t seed, struct lg_slice lo, struct lg_slice hi)
{
	tree_open(&crowd->f, 0, lo, hi);
	((struct pod_clock *)(void *)(crowd->f.port.base + POD_CLOCK_OFFSET))->epoch = 1;
	for (unsigned i = 0; i < THREADS; i++) {
		struct member *m = &crowd->members[i];
		m->crowd = crowd;
		m->id = i;
		m->port = crowd->f.port;
		atomic_init(&m->running, (uint64_t)IDLE);
		bench_random_seed(&m->random, seed + i);
		assert_true(heap_local_open(&m->local, crowd->f.heap));
	}
	uint64_t expected = 0, rows = 0;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&crowd->members[i].thread, NULL, act, &crowd->members[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(crowd->members[i].thread, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		struct member *m = &crowd->members[i];
		if (m->wrong)
			fail_msg("thread %u: %s", i, m->wrong);
		expected += m->row_count;
	}
	const char *wrong = btree_check(crowd->f.tree, &rows);
	if (wrong)
		fail_msg("btree_check: %s", wrong);
	assert_int_equal(rows, expected);
	for (unsigned i = 0; i < THREADS; i++)
		for (unsigned n = 0; n < KEYS_A_THREAD; n++)
			find_one(&crowd->members[i], i, n);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_null(crowd->members[i].wrong);
		heap_local_close(&crowd->members[i].local);
	}
	tree_close(&crowd->f);
}

static struct crowd *make_crowd(void)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);
	assert_non_null(crowd);
	return crowd;
}

static void threads_lose_no_row_and_see_none_that_is_gone(void **state)
{
	(void)state;
	struct crowd *crowd = make_crowd();
	run_crowd(crowd, tree_seed("unbounded"), lg_slice(NULL, 0), lg_slice(NULL, 0));
	free(crowd);
}

static void the_same_between_bounds(void **state)
{
	(void)state;
	struct crowd *crowd = make_crowd();
	uint8_t lo[8], hi[8];
	run_crowd(crowd, tree_seed("bounded"), tree_number_key(lo, 0), tree_number_key(hi, KEYS_A_THREAD));
	free(crowd);
}

static void the_same_while_leaves_are_exported(void **state)
{
	(void)state;
	struct crowd *crowd = make_crowd();
	crowd->exports = true;
	run_crowd(crowd, tree_seed("exported"), lg_slice(NULL, 0), lg_slice(NULL, 0));
	free(crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(threads_lose_no_row_and_see_none_that_is_gone),
	        cmocka_unit_test(the_same_between_bounds),
	        cmocka_unit_test(the_same_while_leaves_are_exported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
