/* log_growing_test.c: a log that is read while it is written: what was durable is found, and what comes is no damage. */
#include "unit/log_fixture.h"

#include "unit/unit_pod.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct lg_error err;

static struct log_reader *open_reader(struct log_fixture *f)
{
	struct log_reader *reader;
	OK(log_reader_open(f->host_directory, NULL, &reader, &err));
	return reader;
}

/* The next entry is the one that was put as number n. */
static void expect_next(struct log_fixture *f, struct log_reader *reader, uint32_t n)
{
	struct log_entry entry;
	if (log_reader_next(reader, &entry, &err) != LG_OK)
		fail_msg("entry %u: %s", n, err.message);
	assert_int_equal(entry.bytes, f->put[n].bytes);
	assert_true(log_body_is(entry.body, n, entry.bytes));
}

/* So many batches of 5000 bytes, each two blocks. */
static void commit_small(struct log_fixture *f, uint32_t batches)
{
	for (uint32_t i = 0; i < batches; i++) {
		log_put(f, 5000);
		log_commit(f);
	}
}

static void a_reader_in_the_middle_goes_on_into_what_is_written_behind_its_window(void **state)
{
	struct log_fixture *f = *state;
	struct log_entry entry;
	f->options.segment_bytes = 4 << 20;
	log_open_writer(f);
	commit_small(f, 3);
	struct log_reader *reader = open_reader(f);
	expect_next(f, reader, 0); /* it has read 1 MiB: three batches and zeros */
	commit_small(f, 300);
	for (uint32_t n = 1; n < f->put_count; n++)
		expect_next(f, reader, n);
	CODE(LG_END, log_reader_next(reader, &entry, &err));
	assert_false(log_reader_found(reader)->cut);
	log_reader_close(reader);
}

static void a_reader_of_the_last_segment_ends_there_when_it_gets_a_successor(void **state)
{
	struct log_fixture *f = *state;
	struct log_entry entry;
	f->options.segment_bytes = 2 << 20;
	log_open_writer(f);
	commit_small(f, 3);
	struct log_reader *reader = open_reader(f);
	expect_next(f, reader, 0);
	commit_small(f, 400);
	assert_int_equal(LOG_STAT(f, sequence), 2);
	int code;
	uint32_t n = 1;
	for (; (code = log_reader_next(reader, &entry, &err)) == LG_OK; n++)
		assert_true(log_body_is(entry.body, n, entry.bytes));
	assert_int_equal(code, LG_END);
	assert_int_equal(log_reader_found(reader)->segments, 1);
	assert_int_equal(n, ((2 << 20) - LOG_BLOCK_BYTES) / 8192);
	log_reader_close(reader);
	log_expect(f, f->put_count, NULL);
}

/* The reader has seen the first half of a batch that is greater than its window while a block of it was not there. */
static void a_great_batch_that_was_seen_half_written_is_read_again(void **state)
{
	struct log_fixture *f = *state;
	struct log_entry entry;
	char path[128];
	static uint8_t block[LOG_BLOCK_BYTES], zeros[LOG_BLOCK_BYTES];
	f->options.segment_bytes = 8 << 20;
	f->options.buffer_bytes = 4 << 20;
	log_open_writer(f);
	commit_small(f, 1);
	log_put(f, 3 << 20);
	log_commit(f);
	const uint64_t offset = log_offset_of_batch(f, 1, 2) + (64 << 10);
	log_file_path(f, 1, path);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
	assert_int_equal(fread(block, sizeof block, 1, file), 1);
	fclose(file);
	log_patch(f, 1, offset, zeros, sizeof zeros);
	struct log_reader *reader = open_reader(f);
	expect_next(f, reader, 0);
	log_patch(f, 1, offset, block, sizeof block);
	commit_small(f, 2);
	for (uint32_t n = 1; n < f->put_count; n++)
		expect_next(f, reader, n);
	CODE(LG_END, log_reader_next(reader, &entry, &err));
	log_reader_close(reader);

	/* What is really damaged stays so when it is looked at once more. */
	log_patch(f, 1, offset, zeros, sizeof zeros);
	reader = open_reader(f);
	expect_next(f, reader, 0);
	unit_expect_error(LG_CORRUPT, log_reader_next(reader, &entry, &err), &err, "batch 2 is damaged");
	log_reader_close(reader);
}

enum { LIVE_BATCHES = 2500 };

/* A writer in a thread of its own: entry n has its number in its first bytes, and batch n has entry n alone. */
struct live_writer {
	struct log_writer *writer;
	_Atomic uint64_t durable; /* batches; the reader looks at it before it opens the log */
	_Atomic bool stopped;
	struct lg_error err; /* for the thread that joins this one */
	int code;
};

static uint32_t live_bytes(uint64_t *random, uint64_t number)
{
	if (number % 400 == 0)
		return 3 << 20;
	if (number % 50 == 0)
		return 200 << 10;
	return 8 + (uint32_t)(pod_random(random) % 9000);
}

static void *write_live(void *context)
{
	struct live_writer *live = context;
	uint64_t random = 1;
	for (uint64_t n = 1; n <= LIVE_BATCHES && live->code == LG_OK; n++) {
		void *body;
		const uint32_t bytes = live_bytes(&random, n);
		live->code = log_reserve(live->writer, 1, 0, bytes, &body, &live->err);
		if (live->code != LG_OK)
			break;
		memset(body, (int)n, bytes);
		memcpy(body, &n, sizeof n);
		live->code = log_submit(live->writer, n, 0, &live->err);
		if (live->code == LG_OK)
			live->code = log_wait(live->writer, NULL, &live->err);
		if (live->code == LG_OK)
			live->durable = n;
	}
	live->stopped = true;
	return NULL;
}

/* Reads the log once; returns the batches that it found. */
static uint64_t read_live(struct log_fixture *f, struct lg_error *failed)
{
	struct log_reader *reader;
	struct log_entry entry;
	uint64_t count = 0, number;
	int code = log_reader_open(f->host_directory, NULL, &reader, failed);
	if (code != LG_OK)
		return UINT64_MAX;
	while ((code = log_reader_next(reader, &entry, failed)) == LG_OK) {
		memcpy(&number, entry.body, sizeof number);
		if (number != ++count || entry.batch != count) {
			snprintf(failed->message, sizeof failed->message, "entry %ju of batch %ju is the %juth",
			        (uintmax_t)number, (uintmax_t)entry.batch, (uintmax_t)count);
			break;
		}
	}
	log_reader_close(reader);
	return code == LG_END ? count : UINT64_MAX;
}

static void readers_of_a_log_that_is_written_find_all_that_was_durable_and_no_damage(void **state)
{
	struct log_fixture *f = *state;
	struct lg_error failed = {0};
	pthread_t thread;
	f->options.segment_bytes = 8 << 20;
	f->options.buffer_bytes = 4 << 20;
	log_open_writer(f);
	struct live_writer live = {.writer = f->writer};
	assert_int_equal(pthread_create(&thread, NULL, write_live, &live), 0);
	uint64_t durable = 0, found = 0;
	bool last;
	do {
		last = live.stopped;
		durable = live.durable;
		found = read_live(f, &failed);
	} while (!last && found != UINT64_MAX && found >= durable);
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (live.code != LG_OK)
		fail_msg("%s", live.err.message);
	if (found == UINT64_MAX)
		fail_msg("behind %ju durable batches: %s", (uintmax_t)durable, failed.message);
	assert_in_range(found, durable, LIVE_BATCHES);
	assert_int_equal(live.durable, LIVE_BATCHES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        LOG_BOTH(a_reader_in_the_middle_goes_on_into_what_is_written_behind_its_window),
	        LOG_BOTH(a_reader_of_the_last_segment_ends_there_when_it_gets_a_successor),
	        LOG_BOTH(a_great_batch_that_was_seen_half_written_is_read_again),
	        LOG_BOTH(readers_of_a_log_that_is_written_find_all_that_was_durable_and_no_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
