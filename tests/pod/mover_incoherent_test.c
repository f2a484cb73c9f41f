/* mover_incoherent_test.c: what a mover has answered is readable elsewhere at once, behind incoherent caches: a row that has
 * just moved in, and one whose frame has just been exchanged for a larger one. Host 0 owns and moves, under its mover lock
 * and without sending any message, which would fence once more; host 1 reads the frame that it was answered. */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <string.h>

#include "cxl/frame.h"
#include "engine/host.h"
#include "engine/mover.h"
#include "engine/table.h"
#include "txn/txn.h"

enum { ROWS = 40, SMALL_BYTES = 300, LARGE_BYTES = 900, SEEDS = 6 };

/* The frame as host 1 sees it. */
static void expect_readable(struct pod_fixture *f, const struct move_answer *answer, uint64_t number, uint64_t seed)
{
	static uint8_t buffer[FRAME_BUFFER_BYTES];
	struct cxl_port *port = &f->worker[1]->port;
	struct frame_copy copy;
	uint64_t word = word_load(port, word_ref_shared(answer->ref.word)), seen;
	if ((word & WORD_VERSION) != answer->new_version)
		fail_msg("incoherent:%llu, row %llu: its word is of another version", (unsigned long long)seed,
		        (unsigned long long)number);
	enum frame_result result = frame_read_head(port, answer->ref.frame, answer->ref.word, word, buffer);
	if (result == FRAME_OK)
		result = frame_read_rest(port, answer->ref.frame, answer->ref.word, word, buffer, &copy, &seen);
	if (result != FRAME_OK || !pod_filled(lg_slice(copy.val, copy.head->val_bytes), SMALL_BYTES, number))
		fail_msg("incoherent:%llu, row %llu: its frame is not to be read (%d)", (unsigned long long)seed,
		        (unsigned long long)number, (int)result);
}

static void move_and_read(struct pod_fixture *f, uint64_t number, uint64_t seed)
{
	struct lg_worker *w = f->worker[0];
	struct lg_slice key = pod_key_on(0, number);
	struct btree *tree = table_tree(f->rows[0], lg_table_partition(f->rows[0], key));
	struct move_answer in = {0}, grown = {0};
	worker_enter(w);
	struct row *row = btree_find(tree, key, NULL);
	assert_non_null(row);
	assert_int_equal(mover_grow_own(w, row, 0, &in), MOVE_OK);
	expect_readable(f, &in, number, seed);
	assert_int_equal(mover_grow_own(w, row, LARGE_BYTES, &grown), MOVE_OK);
	assert_true(grown.ref.frame != in.ref.frame && grown.new_version > in.new_version);
	expect_readable(f, &grown, number, seed);
	worker_leave(w);
}

static void what_has_moved_is_readable_elsewhere_at_once(void **state)
{
	(void)state;
	uint64_t first = pod_seed() % 1000000;
	for (uint64_t seed = first; seed < first + pod_scaled(SEEDS); seed++) {
		char mode[64];
		struct lg_host_config config;
		snprintf(mode, sizeof mode, "incoherent:%llu", (unsigned long long)seed);
		lg_host_config_init(&config);
		config.emulate = mode;
		struct pod_fixture *f = pod_open(NULL, &config, 2);
		for (uint64_t number = 0; number < ROWS; number++) {
			uint8_t value[SMALL_BYTES];
			pod_fill(value, sizeof value, number);
			OK(lg_load(f->worker[0], f->rows[0], pod_key_on(0, number), lg_slice(value, sizeof value)));
		}
		for (uint64_t number = 0; number < ROWS; number++)
			move_and_read(f, number, seed);
		pod_close(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_has_moved_is_readable_elsewhere_at_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
