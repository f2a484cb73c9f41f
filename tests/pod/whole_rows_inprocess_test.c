/* whole_rows_inprocess_test.c: every row comes whole, as somebody has committed it, while others are writing it: rows of the
 * own host by the second look at their word (a seqlock), rows of another by their lines' tags besides. Small steps of the
 * protocol that can be left out (src/cxl/mutant.h) are seen here first. */
#include "common/pod_fixture.h"

#include <string.h>

enum { ROWS = 4, ROW_BYTES = 1500, READS = 30000, TIMEOUT_MS = 2000 };

struct whole {
	struct pod_fixture *pod;
	uint32_t writer_host;
	atomic_bool stop;
	atomic_int failed; /* of the writer: a code of its lg_run() */
	uint64_t written;
};

static int rewrite(struct lg_txn *txn, void *argument)
{
	struct whole *w = argument;
	uint8_t value[ROW_BYTES];
	memset(value, (int)(w->written & 0xff), sizeof value);
	return lg_put(
	        txn, w->pod->rows[w->writer_host], pod_key(w->pod, w->written % ROWS), lg_slice(value, sizeof value));
}

static void *writer_main(void *argument)
{
	struct whole *w = argument;
	struct lg_worker *worker = w->pod->more[0];
	while (!atomic_load(&w->stop) && !atomic_load(&w->failed)) {
		w->written++;
		int code = lg_run(worker, rewrite, w);
		if (code != LG_OK)
			atomic_store(&w->failed, code);
	}
	return NULL;
}

/* One byte, repeated; empty: none yet. */
static void expect_whole(struct lg_slice val, uint64_t read)
{
	const uint8_t *bytes = val.data;
	assert_int_equal(val.bytes, ROW_BYTES);
	for (size_t i = 1; i < val.bytes; i++)
		if (bytes[i] != bytes[0])
			fail_msg("read %llu: byte %zu is %u, the first %u", (unsigned long long)read, i, bytes[i],
			        bytes[0]);
}

/* Reads a row, and looks at it before its transaction is known to commit. */
static void read_one(struct pod_fixture *f, uint64_t read)
{
	struct lg_slice val;
	struct lg_txn *txn = pod_begin(f->worker[0]);
	int code = lg_get(txn, f->rows[0], pod_key(f, read % ROWS), &val);
	if (code == LG_OK)
		expect_whole(val, read);
	else if (code != LG_CONFLICT)
		fail_msg("read %llu: %s", (unsigned long long)read, lg_strerror(code));
	lg_abort(txn);
}

static void rows_come_whole_while_they_are_being_written(void **state)
{
	struct pod_fixture *f = *state;
	struct whole w = {.pod = f, .writer_host = f->side};
	pthread_t writer;
	for (uint64_t n = 0; n < ROWS; n++) {
		uint8_t value[ROW_BYTES] = {0};
		pod_put(f, f->side, pod_key(f, n), lg_slice(value, sizeof value));
	}
	pod_worker(f, f->side);
	assert_int_equal(pthread_create(&writer, NULL, writer_main, &w), 0);
	/* The writer is under way before the first read, and not through before the last. */
	for (uint64_t read = 0; read < pod_scaled(READS); read++)
		read_one(f, read);
	atomic_store(&w.stop, true);
	assert_int_equal(pthread_join(writer, NULL), 0);
	if (w.failed)
		fail_msg("the writer: %s", lg_strerror(w.failed));
}

/* Turn by turn: what was committed is what the other host reads next. */
static void what_one_host_commits_the_other_reads_next(void **state)
{
	struct pod_fixture *f = *state;
	uint64_t turns = pod_scaled(2000);
	for (uint64_t turn = 0; turn < turns; turn++) {
		uint32_t writer = (uint32_t)(turn % 2);
		uint8_t value[ROW_BYTES * 2];
		size_t bytes = ROW_BYTES + turn % ROW_BYTES; /* grows, and shrinks again */
		memset(value, (int)(turn & 0xff), sizeof value);
		pod_put(f, writer, pod_key(f, turn % ROWS), lg_slice(value, bytes));
		struct lg_txn *txn = pod_begin(f->worker[1 - writer]);
		struct lg_slice val;
		int code = lg_get(txn, f->rows[1 - writer], pod_key(f, turn % ROWS), &val);
		if (code != LG_OK)
			fail_msg("turn %llu: %s", (unsigned long long)turn, lg_strerror(code));
		assert_int_equal(val.bytes, bytes);
		assert_memory_equal(val.data, value, bytes);
		OK(lg_commit(txn));
	}
}

static int setup(void **state, uint32_t side)
{
	struct lg_host_config config;
	lg_host_config_init(&config);
	config.request_timeout_ms = TIMEOUT_MS;
	struct pod_fixture *f = pod_open(NULL, &config, 2);
	f->side = side;
	*state = f;
	return 0;
}

static int setup_local(void **state)
{
	return setup(state, POD_LOCAL);
}

static int setup_remote(void **state)
{
	return setup(state, POD_REMOTE);
}

#define LOCAL(claim)                                                                                                   \
	{                                                                                                              \
#claim " [local]", claim, setup_local, pod_teardown, NULL                                              \
	}
#define REMOTE(claim)                                                                                                  \
	{                                                                                                              \
#claim " [remote]", claim, setup_remote, pod_teardown, NULL                                            \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        REMOTE(what_one_host_commits_the_other_reads_next),
	        LOCAL(rows_come_whole_while_they_are_being_written),
	        REMOTE(rows_come_whole_while_they_are_being_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
