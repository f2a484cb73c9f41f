/* word_test.c: every transition of a word, of a local one and of a shared one. */
#include "unit/unit_pod.h"

#include <pthread.h>

#include "cxl/extent.h"
#include "cxl/word.h"

/* Both words of a test: a local one and a shared one, free, with this version. */
struct words {
	struct unit_pod *pod;
	_Atomic uint64_t local;
	word_idx index;
	word_ref ref[2];
};

static const uint64_t version = UINT64_C(7) << EPOCH_SHIFT | 99;

static void words_init(struct words *w, struct unit_pod *pod)
{
	w->pod = pod;
	w->index = block_first_word(&pod->region.geometry, 0) + 5;
	w->ref[0] = word_ref_local(&w->local);
	w->ref[1] = word_ref_shared(w->index);
	for (int i = 0; i < 2; i++)
		word_install(&pod->port, w->ref[i], version, 0);
}

static void a_reference_names_a_local_or_a_shared_word(void **state)
{
	struct words w;
	words_init(&w, *state);
	assert_false(word_ref_is_shared(w.ref[0]));
	assert_true(word_ref_is_shared(w.ref[1]));
	assert_int_equal(word_ref_index(w.ref[1]), w.index);
	assert_int_equal(word_ref_index(word_ref_shared(UINT32_MAX)), UINT32_MAX);
	assert_ptr_equal(word_at(&w.pod->port, w.ref[0]), &w.local);
	assert_ptr_equal(word_at(&w.pod->port, w.ref[1]), w.pod->region.base + (uint64_t)w.index * 8);
}

static void a_version_is_epoch_and_sequence(void **state)
{
	(void)state;
	assert_int_equal(version_epoch(version), 7);
	assert_int_equal(version & VERSION_SEQUENCE, 99);
	assert_int_equal(version_first_of(7), version - 99);
	assert_true(version_first_of(8) > (version | VERSION_SEQUENCE));
	assert_int_equal(version_epoch(WORD_VERSION), (UINT64_C(1) << 36) - 1);
}

static void free_becomes_intent_lock_and_the_next_version(void **state)
{
	struct words w;
	words_init(&w, *state);
	for (int i = 0; i < 2; i++) {
		struct cxl_port *port = &w.pod->port;
		assert_int_equal(word_load(port, w.ref[i]), version);
		assert_true(word_try_intent(port, w.ref[i], version, 63));
		assert_int_equal(word_load(port, w.ref[i]), version | WORD_INTENT | word_holder_bits(63));
		assert_int_equal(word_holder(word_load(port, w.ref[i])), 63);
		word_lock_own(port, w.ref[i]);
		assert_int_equal(word_load(port, w.ref[i]), version | WORD_LOCK | word_holder_bits(63));
		word_install(port, w.ref[i], version + 1, WORD_ABSENT);
		assert_int_equal(word_load(port, w.ref[i]), (version + 1) | WORD_ABSENT);
	}
}

static void intent_and_lock_are_cancelled_without_a_trace(void **state)
{
	struct words w;
	words_init(&w, *state);
	for (int i = 0; i < 2; i++) {
		struct cxl_port *port = &w.pod->port;
		uint64_t before = version | WORD_ABSENT | WORD_USED;
		word_install(port, w.ref[i], version, WORD_ABSENT | WORD_USED);
		assert_true(word_try_intent(port, w.ref[i], before, 5));
		word_cancel(port, w.ref[i]);
		assert_int_equal(word_load(port, w.ref[i]), before);
		assert_true(word_try_intent(port, w.ref[i], before, 5));
		word_lock_own(port, w.ref[i]);
		word_cancel(port, w.ref[i]);
		assert_int_equal(word_load(port, w.ref[i]), before);
		assert_true(word_try_lock(port, w.ref[i], before, 6));
		assert_int_equal(word_load(port, w.ref[i]), before | WORD_LOCK | word_holder_bits(6));
		word_cancel(port, w.ref[i]);
		assert_int_equal(word_load(port, w.ref[i]), before);
	}
}

static void a_word_that_has_changed_is_not_taken(void **state)
{
	struct words w;
	words_init(&w, *state);
	for (int i = 0; i < 2; i++) {
		struct cxl_port *port = &w.pod->port;
		assert_false(word_try_intent(port, w.ref[i], version - 1, 1));
		assert_false(word_try_lock(port, w.ref[i], version | WORD_USED, 1));
		assert_true(word_try_intent(port, w.ref[i], version, 1));
		assert_false(word_try_intent(port, w.ref[i], version, 2));
		assert_false(word_try_lock(port, w.ref[i], version, 2));
		assert_int_equal(word_holder(word_load(port, w.ref[i])), 1);
	}
}

static void a_row_moves_in_and_out(void **state)
{
	struct words w;
	words_init(&w, *state);
	struct cxl_port *port = &w.pod->port;
	assert_true(word_try_lock(port, w.ref[0], version, 0));
	word_open(port, w.index, version, WORD_ABSENT);
	assert_int_equal(word_load(port, w.ref[1]), version | WORD_ABSENT | WORD_USED);
	word_set_away(&w.local, w.index);
	uint64_t local = word_load(port, w.ref[0]);
	assert_true(local & WORD_AWAY);
	assert_false(word_is_dead(local));
	assert_int_equal(word_away_index(local), w.index);
	assert_false(local & (WORD_LOCK | WORD_INTENT));

	uint64_t shared = word_load(port, w.ref[1]);
	assert_true(word_try_lock(port, w.ref[1], shared, 0));
	word_retire(port, w.index, version);
	assert_int_equal(word_load(port, w.ref[1]), WORD_AWAY | version);
	word_install(port, w.ref[0], version, WORD_ABSENT);
	assert_int_equal(word_load(port, w.ref[0]), version | WORD_ABSENT);
}

static void a_dead_row_is_away_to_nowhere(void **state)
{
	struct words w;
	words_init(&w, *state);
	assert_true(word_try_lock(&w.pod->port, w.ref[0], version, 0));
	word_set_dead(&w.local);
	uint64_t dead = word_load(&w.pod->port, w.ref[0]);
	assert_true(word_is_dead(dead));
	assert_int_equal(word_away_index(dead), 0);
	assert_false(word_is_dead(version));
	assert_false(word_idx_valid(&w.pod->port, word_away_index(dead)));
}

static void used_is_set_by_readers_when_clear_and_never_on_locked_or_retired_words(void **state)
{
	struct words w;
	words_init(&w, *state);
	struct cxl_port *port = &w.pod->port;
	word_mark_used(port, w.ref[1], version);
	assert_int_equal(word_load(port, w.ref[1]), version | WORD_USED);
	uint64_t writes = port->counts.word_writes;
	word_mark_used(port, w.ref[1], version | WORD_USED);
	assert_int_equal(port->counts.word_writes, writes); /* nothing to do: nothing written */
	assert_true(word_clear_used(port, w.ref[1], version | WORD_USED));
	assert_false(word_clear_used(port, w.ref[1], version | WORD_USED));
	assert_int_equal(word_load(port, w.ref[1]), version);

	assert_true(word_try_intent(port, w.ref[1], version, 4));
	word_mark_used(port, w.ref[1], word_load(port, w.ref[1]));
	assert_int_equal(word_load(port, w.ref[1]), version | WORD_INTENT | WORD_USED | word_holder_bits(4));
	word_cancel(port, w.ref[1]);
	assert_true(word_try_lock(port, w.ref[1], version | WORD_USED, 4));
	assert_true(word_clear_used(port, w.ref[1], word_load(port, w.ref[1])));
	uint64_t locked = word_load(port, w.ref[1]);
	word_mark_used(port, w.ref[1], locked);
	assert_int_equal(word_load(port, w.ref[1]), locked);
	word_retire(port, w.index, version);
	word_mark_used(port, w.ref[1], WORD_AWAY | version);
	assert_int_equal(word_load(port, w.ref[1]), WORD_AWAY | version);
}

static void two_looks_agree_when_only_intent_or_used_differ(void **state)
{
	(void)state;
	assert_true(word_same_version(version, version));
	assert_true(word_same_version(version, version | WORD_INTENT | word_holder_bits(9) | WORD_USED));
	assert_false(word_same_version(version, version + 1));
	assert_false(word_same_version(version, version | WORD_LOCK));
	assert_false(word_same_version(version, version | WORD_ABSENT));
	assert_false(word_same_version(version, version | WORD_AWAY));
}

static void only_accesses_to_shared_words_are_counted(void **state)
{
	struct words w;
	words_init(&w, *state);
	struct cxl_port *port = &w.pod->port;
	port->counts = (struct port_counts){0};
	word_try_intent(port, w.ref[0], version, 1);
	word_lock_own(port, w.ref[0]);
	word_install(port, w.ref[0], version + 1, 0);
	assert_int_equal(port->counts.word_writes, 0);
	word_load(port, w.ref[1]);
	word_load_again(port, w.ref[1]);
	assert_int_equal(port->counts.word_writes, 0);
	word_try_intent(port, w.ref[1], version, 1);
	word_lock_own(port, w.ref[1]);
	word_install(port, w.ref[1], version + 1, 0);
	assert_int_equal(port->counts.word_writes, 3);
}

/* Threads that take the word by intent and raise its version: none is lost, while others set and clear `used`. */
struct raiser {
	struct cxl_port port;
	word_ref ref;
	unsigned host;
	uint64_t rounds;
};

static void *raise_version(void *arg)
{
	struct raiser *r = arg;
	for (uint64_t i = 0; i < r->rounds;) {
		uint64_t seen = word_load(&r->port, r->ref);
		word_mark_used(&r->port, r->ref, seen);
		if (seen & (WORD_LOCK | WORD_INTENT) || !word_try_intent(&r->port, r->ref, seen, r->host)) {
			word_clear_used(&r->port, r->ref, seen | WORD_USED);
			continue;
		}
		word_lock_own(&r->port, r->ref);
		if (i % 3) {
			word_install(&r->port, r->ref, (seen & WORD_VERSION) + 1, seen & WORD_USED);
			i++;
		} else {
			word_cancel(&r->port, r->ref);
			i++;
		}
	}
	return NULL;
}

static void writers_of_two_hosts_exclude_each_other(void **state)
{
	struct words w;
	struct raiser raisers[2];
	pthread_t threads[2];
	words_init(&w, *state);
	uint64_t rounds = pod_scaled(100000) * 3;
	for (unsigned i = 0; i < 2; i++) {
		raisers[i] = (struct raiser){unit_pod_port(w.pod), w.ref[1], i, rounds};
		assert_int_equal(pthread_create(&threads[i], NULL, raise_version, &raisers[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	uint64_t last = word_load(&w.pod->port, w.ref[1]);
	assert_int_equal(last & WORD_VERSION, version + 2 * (rounds / 3 * 2));
	assert_int_equal(last & (WORD_LOCK | WORD_INTENT | WORD_HOLDER), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        UNIT_TEST(a_reference_names_a_local_or_a_shared_word),
	        cmocka_unit_test(a_version_is_epoch_and_sequence),
	        UNIT_TEST(free_becomes_intent_lock_and_the_next_version),
	        UNIT_TEST(intent_and_lock_are_cancelled_without_a_trace),
	        UNIT_TEST(a_word_that_has_changed_is_not_taken),
	        UNIT_TEST(a_row_moves_in_and_out),
	        UNIT_TEST(a_dead_row_is_away_to_nowhere),
	        UNIT_TEST(used_is_set_by_readers_when_clear_and_never_on_locked_or_retired_words),
	        cmocka_unit_test(two_looks_agree_when_only_intent_or_used_differ),
	        UNIT_TEST(only_accesses_to_shared_words_are_counted),
	        UNIT_TEST(writers_of_two_hosts_exclude_each_other),
	};
	return cmocka_run_group_tests_name("word", tests, NULL, NULL);
}
