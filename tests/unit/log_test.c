/* log_test.c: what is written to a log comes back: over segments, incarnations, recycling, and failures of the disk. */
#include "unit/log_fixture.h"

#include "unit/unit_pod.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lg_error err;

static bool file_exists(const char *directory, const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* So many batches of some entries each. */
static void fill(struct log_fixture *f, uint32_t batches)
{
	uint64_t random = f->put_count + 1;
	for (uint32_t i = 0; i < batches; i++) {
		for (uint32_t n = 1 + (uint32_t)(pod_random(&random) % 4); n > 0; n--)
			log_put(f, (uint32_t)(pod_random(&random) % 2000));
		log_commit(f);
	}
}

static void entries_come_back_over_segments_and_incarnations(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	for (uint64_t life = 1; life <= 4; life++) {
		f->identity.incarnation = life;
		log_open_writer(f);
		fill(f, 60);
		assert_true(LOG_STAT(f, begun) > 3);
		log_close_writer(f);
		log_expect(f, f->put_count, &found);
		assert_int_equal(found.incarnation, life);
		assert_int_equal(found.copies, life - 1);
	}
	assert_int_equal(found.last_epoch, 240);
	assert_int_equal(found.next_batch, 241);
	assert_int_equal(found.cookie, LOG_TEST_COOKIE);
	assert_int_equal(found.host, LOG_TEST_HOST);
	assert_false(found.cut);
	assert_false(found.unfinished);
}

static void an_empty_log_has_an_end(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	log_open_writer(f);
	log_close_writer(f);
	log_expect(f, 0, &found);
	assert_int_equal(found.segments, 1);
	log_open_writer(f);
	log_close_writer(f);
	log_open_writer(f);
	fill(f, 1);
	log_close_writer(f);
	log_expect(f, f->put_count, &found);
	assert_int_equal(found.segments, 3);
	assert_int_equal(found.copies, 0);
}

static void entries_greater_than_a_buffer_and_than_a_segment_come_back(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	void *body;
	log_open_writer(f);
	const uint32_t sizes[] = {0, 1, 7, 8, 16 << 10, 40 << 10, 300 << 10, 9, 3 << 20, 0, 100};
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		log_put(f, sizes[i]);
	log_commit(f);
	fill(f, 3);
	unit_expect_error(LG_LIMIT, log_reserve(f->writer, 1, 0, LOG_ENTRY_BYTES_MAX + 1, &body, &err), &err, "limit");
	log_close_writer(f);
	log_expect(f, f->put_count, &found);
	assert_true(found.batches > 6);
	log_open_writer(f);
	fill(f, 1);
	log_close_writer(f);
	log_expect(f, f->put_count, NULL);
}

static void the_greatest_entry_is_written(void **state)
{
	struct log_fixture *f = *state;
	log_open_writer(f);
	log_put(f, LOG_ENTRY_BYTES_MAX);
	log_commit(f);
	log_close_writer(f);
	log_expect(f, 1, NULL);
	/* It is the last batch, so it is written once more. */
	log_open_writer(f);
	log_close_writer(f);
	log_expect(f, 1, NULL);
}

static void an_epoch_of_several_batches_is_durable_with_the_last_of_them(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	uint64_t durable = 99;
	log_open_writer(f);
	for (int i = 0; i < 20; i++)
		log_put(f, 9000);
	OK(log_submit(f->writer, 5, 4, &err));
	/* One answer is taken a call at most with pwrite, so the epoch cannot be complete early. */
	f->faults.write_in = 15;
	f->faults.write_error = EIO;
	CODE(LG_SYSTEM, log_wait(f->writer, &durable, &err));
	assert_int_equal(durable, 0);
	OK(log_reopen(f->writer, &err));
	OK(log_wait(f->writer, &durable, &err));
	assert_int_equal(durable, 5);
	log_close_writer(f);
	log_expect(f, 20, &found);
	assert_int_equal(found.last_epoch, 5);
	assert_int_equal(found.pod_durable_epoch, 4);
}

static void a_second_submit_waits_for_the_first(void **state)
{
	struct log_fixture *f = *state;
	log_open_writer(f);
	log_put(f, 100);
	OK(log_submit(f->writer, 1, 0, &err));
	log_put(f, 200);
	CODE(LG_INUSE, log_submit(f->writer, 2, 0, &err));
	int code;
	while ((code = log_poll(f->writer, NULL, &err)) == LG_INUSE)
		;
	assert_int_equal(code, LG_OK);
	unit_expect_error(LG_INVALID, log_submit(f->writer, 1, 0, &err), &err, "epoch 1 ");
	OK(log_submit(f->writer, 2, 0, &err));
	/* close() waits for it. */
	log_close_writer(f);
	log_expect(f, 2, NULL);
}

static void epochs_without_entries_and_entries_without_an_epoch(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	log_open_writer(f);
	log_commit(f);
	log_commit(f);
	OK(log_submit(f->writer, LOG_EPOCH_NONE, 0, &err)); /* nothing to write */
	assert_int_equal(LOG_STAT(f, batches), 2);
	log_put(f, 10);
	OK(log_submit(f->writer, LOG_EPOCH_NONE, 0, &err));
	OK(log_wait(f->writer, NULL, &err));
	log_close_writer(f);
	log_expect(f, 1, &found);
	assert_int_equal(found.last_epoch, 2);
	assert_int_equal(found.batches, 3);
	assert_true(found.unfinished);
	log_open_writer(f);
	assert_int_equal(LOG_STAT(f, durable_epoch), 2);
	log_close_writer(f);
}

static void gathering_stops_at_its_limit_and_goes_on_after_the_disk_has_caught_up(void **state)
{
	struct log_fixture *f = *state;
	void *body;
	f->options.gather_bytes = 64 << 10;
	log_open_writer(f);
	int code;
	uint32_t count = 0;
	while ((code = log_reserve(f->writer, 1, 0, 1000, &body, &err)) == LG_OK) {
		memset(body, 0, 1000);
		assert_true(++count < 100);
	}
	unit_expect_error(LG_NOSPACE, code, &err, "wait to be written");
	assert_true(count > 50);
	OK(log_submit(f->writer, 1, 0, &err));
	OK(log_wait(f->writer, NULL, &err));
	OK(log_reserve(f->writer, 1, 0, 1000, &body, &err));
}

/* ---- Recycling ---- */

static void recycled_segments_are_used_again_and_their_old_bytes_never_come_back(void **state)
{
	struct log_fixture *f = *state;
	log_open_writer(f);
	for (int round = 0; round < 12; round++) {
		uint32_t count;
		uint64_t epoch = f->epoch;
		fill(f, 30);
		OK(log_recycle(f->writer, epoch, &count, &err));
		/* What is left is a suffix of what was put: whole, in order, and with everything since `epoch`. */
		struct log_reader *reader;
		struct log_entry entry;
		OK(log_reader_open(f->host_directory, NULL, &reader, &err));
		int code;
		uint32_t at = UINT32_MAX;
		while ((code = log_reader_next(reader, &entry, &err)) == LG_OK) {
			if (at == UINT32_MAX)
				for (at = 0; (uint16_t)at != entry.flags; at++)
					;
			assert_int_equal(entry.flags, (uint16_t)at);
			assert_true(log_body_is(entry.body, at, entry.bytes));
			at++;
		}
		assert_int_equal(code, LG_END);
		assert_int_equal(at, f->put_count);
		assert_true(log_reader_found(reader)->epoch_before < epoch || epoch == 0);
		/* Old bytes are no torn batch. */
		assert_false(log_reader_found(reader)->cut);
		log_reader_close(reader);
	}
	assert_true(LOG_STAT(f, reused) > 3);
	assert_true(LOG_STAT(f, segments) < 12);
	log_close_writer(f);
	/* Spares serve the next incarnation too. */
	log_open_writer(f);
	fill(f, 100);
	assert_true(LOG_STAT(f, reused) > 0);
}

static void a_segment_with_entries_of_a_needed_epoch_stays(void **state)
{
	struct log_fixture *f = *state;
	uint32_t count;
	log_open_writer(f);
	fill(f, 5);
	/* Entries of epoch 6 in segment 1, completed in a later segment only. */
	log_put(f, 100);
	OK(log_submit(f->writer, LOG_EPOCH_NONE, 0, &err));
	OK(log_wait(f->writer, NULL, &err));
	log_put(f, 50 << 10);
	OK(log_submit(f->writer, LOG_EPOCH_NONE, 0, &err));
	OK(log_wait(f->writer, NULL, &err));
	assert_int_equal(LOG_STAT(f, sequence), 2);
	OK(log_recycle(f->writer, 100, &count, &err));
	assert_int_equal(count, 0);
	log_commit(f);
	OK(log_recycle(f->writer, 6, &count, &err));
	assert_int_equal(count, 0);
	OK(log_recycle(f->writer, 7, &count, &err));
	assert_int_equal(count, 1);
	/* The current segment is never recycled. */
	OK(log_recycle(f->writer, 1000, &count, &err));
	assert_int_equal(count, 0);
}

static void spares_beyond_their_number_and_of_another_size_are_removed(void **state)
{
	struct log_fixture *f = *state;
	uint32_t count;
	f->options.spare_count = 1;
	log_open_writer(f);
	fill(f, 150);
	OK(log_recycle(f->writer, f->epoch, &count, &err));
	assert_true(count > 2);
	assert_true(file_exists(f->host_directory, "spare-0000000000000000.log"));
	assert_false(file_exists(f->host_directory, "spare-0000000000000001.log"));
	log_close_writer(f);
	f->options.segment_bytes = 32 << 10;
	log_open_writer(f);
	assert_int_equal(LOG_STAT(f, reused), 0);
	assert_false(file_exists(f->host_directory, "spare-0000000000000000.log"));
}

/* ---- Refusals ---- */

static void logs_of_another_pod_host_or_version_are_refused(void **state)
{
	struct log_fixture *f = *state;
	struct log_reader_options options;
	struct log_reader *reader;
	log_open_writer(f);
	fill(f, 3);
	log_close_writer(f);
	log_reader_options_init(&options);
	options.cookie = 77;
	unit_expect_error(LG_MISMATCH, log_reader_open(f->host_directory, &options, &reader, &err), &err,
	        "belongs to pod 0000000011223344, not to pod 000000000000004d");
	log_reader_options_init(&options);
	options.host = 4;
	unit_expect_error(LG_MISMATCH, log_reader_open(f->host_directory, &options, &reader, &err), &err,
	        "host 3, not to host 4");
	f->identity.cookie = 78;
	unit_expect_error(LG_MISMATCH, log_writer_open(f->directory, &f->identity, &f->options, &f->writer, &err), &err,
	        "belongs to pod");
	f->identity.cookie = LOG_TEST_COOKIE;
	f->identity.incarnation = 0;
	unit_expect_error(LG_INVALID, log_writer_open(f->directory, &f->identity, &f->options, &f->writer, &err), &err,
	        "incarnation 1 ");

	struct log_segment_header header;
	char path[128];
	log_file_path(f, 1, path);
	FILE *file = fopen(path, "rb");
	assert_int_equal(fread(&header, sizeof header, 1, file), 1);
	fclose(file);
	header.format_version++;
	header.checksum = log_segment_checksum(&header);
	log_patch(f, 1, 0, &header, sizeof header);
	log_expect_error(f, LG_MISMATCH, "format version 2");
}

static void missing_directories_and_segments_are_named(void **state)
{
	struct log_fixture *f = *state;
	struct log_reader *reader;
	char path[128];
	unit_expect_error(
	        LG_NOTFOUND, log_reader_open(f->host_directory, NULL, &reader, &err), &err, f->host_directory);
	log_open_writer(f);
	fill(f, 150);
	assert_true(LOG_STAT(f, segments) > 3);
	log_close_writer(f);
	log_file_path(f, 2, path);
	assert_int_equal(unlink(path), 0);
	log_expect_error(f, LG_CORRUPT, path);
	unit_expect_error(
	        LG_CORRUPT, log_writer_open(f->directory, &f->identity, &f->options, &f->writer, &err), &err, path);
	unit_expect_error(LG_SYSTEM,
	        log_reader_open(path, NULL, &reader, &err) == LG_NOTFOUND
	                ? log_reader_open("/dev/null", NULL, &reader, &err)
	                : LG_OK,
	        &err, "/dev/null");
}

static void one_writer_at_a_time(void **state)
{
	struct log_fixture *f = *state;
	struct log_writer *second;
	log_open_writer(f);
	unit_expect_error(LG_INUSE, log_writer_open(f->directory, &f->identity, &f->options, &second, &err), &err,
	        f->host_directory);
	log_close_writer(f);
	log_open_writer(f);
}

static void bad_options_are_refused(void **state)
{
	struct log_fixture *f = *state;
	f->options.segment_bytes = 10000;
	unit_expect_error(LG_INVALID, log_writer_open(f->directory, &f->identity, &f->options, &f->writer, &err), &err,
	        "multiple of 4 KiB");
	log_writer_options_init(&f->options);
	f->options.buffer_bytes = 100;
	unit_expect_error(LG_INVALID, log_writer_open(f->directory, &f->identity, &f->options, &f->writer, &err), &err,
	        "buffers");
	log_writer_options_init(&f->options);
	f->identity.cookie = 0;
	unit_expect_error(
	        LG_INVALID, log_writer_open(f->directory, &f->identity, &f->options, &f->writer, &err), &err, "cookie");
}

/* ---- Failures ---- */

/* After a failure: refusal, with the reason; reopening; and everything is there. */
static void expect_failed_then_mend(struct log_fixture *f, int code, const char *piece)
{
	uint64_t durable = 0;
	struct log_found found;
	log_put(f, 500);
	int got = log_submit(f->writer, ++f->epoch, 0, &err);
	if (got == LG_OK)
		got = log_wait(f->writer, &durable, &err);
	unit_expect_error(code, got, &err, piece);
	assert_true(durable < f->epoch);
	unit_expect_error(code, log_poll(f->writer, NULL, &err), &err, piece);
	unit_expect_error(code, log_submit(f->writer, f->epoch + 1, 0, &err), &err, piece);
	/* Gathering goes on. */
	log_put(f, 600);
	OK(log_reopen(f->writer, &err));
	OK(log_wait(f->writer, &durable, &err));
	assert_int_equal(durable, f->epoch);
	CODE(LG_INVALID, log_reopen(f->writer, &err));
	log_commit(f);
	fill(f, 3);
	log_expect(f, f->put_count, &found);
	assert_int_equal(found.last_epoch, f->epoch);
}

static void a_full_disk_and_an_io_error_in_a_write_are_told_and_mended(void **state)
{
	struct log_fixture *f = *state;
	log_open_writer(f);
	fill(f, 3);
	f->faults.write_in = 1;
	f->faults.write_error = ENOSPC;
	expect_failed_then_mend(f, LG_NOSPACE, "No space left on device");
	f->faults.write_in = 1;
	f->faults.write_error = EIO;
	expect_failed_then_mend(f, LG_SYSTEM, "0000000000000002.log: Input/output error");
}

static void a_failed_sync_is_never_retried_on_the_same_file(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	log_open_writer(f);
	fill(f, 3);
	f->faults.sync_in = 1;
	f->faults.sync_error = EIO;
	expect_failed_then_mend(f, LG_SYSTEM, "sync (fdatasync)");
	/* The first copy did survive, and was skipped. */
	log_expect(f, f->put_count, &found);
	assert_int_equal(found.copies, 1);
	assert_int_equal(LOG_STAT(f, sequence), 2);
}

static void after_a_failed_sync_the_first_copy_may_be_lost(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	char zeros[64] = {0};
	log_open_writer(f);
	fill(f, 3);
	f->faults.sync_in = 1;
	f->faults.sync_error = EIO;
	expect_failed_then_mend(f, LG_SYSTEM, "sync (fdatasync)");
	log_patch(f, 1, log_offset_of_batch(f, 1, 4), zeros, sizeof zeros);
	log_expect(f, f->put_count, &found);
	assert_int_equal(found.copies, 0);
	/* But not the batch before it. */
	log_patch(f, 1, log_offset_of_batch(f, 1, 3), zeros, sizeof zeros);
	log_expect_error(f, LG_CORRUPT, "batch 3 is damaged or missing");
}

static void two_copies_with_different_contents_are_refused(void **state)
{
	struct log_fixture *f = *state;
	log_open_writer(f);
	fill(f, 2);
	log_close_writer(f);
	log_open_writer(f); /* segment 2 begins with a copy of batch 2 */
	fill(f, 1);
	struct log_batch_header header;
	struct log_segment_header segment;
	char path[128];
	log_file_path(f, 2, path);
	FILE *file = fopen(path, "rb");
	assert_int_equal(fread(&segment, sizeof segment, 1, file), 1);
	assert_int_equal(fread(&header, sizeof header, 1, file), 1);
	fclose(file);
	assert_int_equal(header.number, 2);
	header.pod_durable_epoch++;
	header.header_checksum = log_header_checksum(&header, log_segment_seed(segment.salt, 2));
	log_patch(f, 2, LOG_BLOCK_BYTES, &header, sizeof header);
	log_expect_error(f, LG_CORRUPT, "other content");
}

static void a_restart_writes_the_last_batch_once_more(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	char zeros[64] = {0};
	log_open_writer(f);
	fill(f, 4);
	log_close_writer(f);
	/* Twice, without anything written between. */
	for (int i = 0; i < 2; i++) {
		log_open_writer(f);
		log_close_writer(f);
	}
	log_open_writer(f);
	fill(f, 2);
	log_close_writer(f);
	/* What of it was in the operating system's cache alone is lost with the power. */
	log_patch(f, 1, log_offset_of_batch(f, 1, 4), zeros, sizeof zeros);
	log_patch(f, 2, log_offset_of_batch(f, 2, 4), zeros, sizeof zeros);
	log_expect(f, f->put_count, &found);
	assert_int_equal(found.copies, 1);
}

static void a_torn_last_batch_is_cut_and_its_number_given_again(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	char zeros[64] = {0}, path[128];
	log_open_writer(f);
	fill(f, 4);
	uint32_t whole = f->put_count;
	log_put(f, 5000);
	log_commit(f);
	log_close_writer(f);
	uint64_t offset = log_offset_of_batch(f, 1, 5);
	log_patch(f, 1, offset + 4096, zeros, sizeof zeros);
	log_expect(f, whole, &found);
	log_file_path(f, 1, path);
	assert_true(found.cut);
	assert_string_equal(found.cut_file, path);
	assert_int_equal(found.cut_offset, offset);
	assert_int_equal(found.cut_bytes, 8192);
	assert_int_equal(found.next_batch, 5);
	f->put_count = whole;
	f->epoch = 4;
	log_open_writer(f);
	fill(f, 3);
	log_close_writer(f);
	log_expect(f, f->put_count, &found);
	assert_false(found.cut);
}

static void behind_a_segment_that_stayed_empty_the_last_batch_is_copied(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	uint32_t count, whole = 0;
	log_open_writer(f);
	while (LOG_STAT(f, begun) < 2) {
		whole = f->put_count;
		fill(f, 1);
	}
	/* The first batch of the second segment is lost with the power, and with it the last that was put. */
	char zeros[64] = {0};
	log_close_writer(f);
	log_patch(f, 2, LOG_BLOCK_BYTES, zeros, sizeof zeros);
	f->put_count = whole;
	f->epoch--;
	log_open_writer(f);
	fill(f, 2);
	log_expect(f, f->put_count, &found);
	assert_int_equal(found.copies, 1);
	/* Without the segment in which it was first, the copy begins the log. */
	OK(log_recycle(f->writer, f->epoch - 1, &count, &err));
	assert_true(count > 0);
	struct log_reader *reader;
	struct log_entry entry;
	OK(log_reader_open(f->host_directory, NULL, &reader, &err));
	int code;
	uint32_t entries = 0;
	while ((code = log_reader_next(reader, &entry, &err)) == LG_OK)
		entries++;
	assert_int_equal(code, LG_END);
	assert_true(entries >= 2);
	log_reader_close(reader);
}

static void a_segment_with_an_entry_of_a_later_epoch_stays(void **state)
{
	struct log_fixture *f = *state;
	uint32_t count;
	log_open_writer(f);
	fill(f, 3);
	log_note_epoch(f->writer, 1000); /* of what is gathered next */
	while (LOG_STAT(f, begun) < 4)
		fill(f, 1);
	OK(log_recycle(f->writer, f->epoch, &count, &err));
	assert_int_equal(count, 0);
	OK(log_recycle(f->writer, 1001, &count, &err));
	assert_true(count > 0);
}

static void short_writes_are_continued(void **state)
{
	struct log_fixture *f = *state;
	struct log_found found;
	f->faults.short_in = 1; /* the segment's header */
	f->faults.short_bytes = 100;
	log_open_writer(f);
	const size_t sizes[] = {1, 4095, 4096, 5000};
	for (int i = 0; i < 4; i++) {
		log_put(f, 7000);
		f->faults.short_in = 1;
		f->faults.short_bytes = sizes[i];
		log_commit(f);
	}
	log_expect(f, 4, &found);
	assert_int_equal(found.batches, 4);
	/* A write that writes nothing is an error, not a loop. */
	f->faults.write_in = 1;
	f->faults.write_error = 0;
	expect_failed_then_mend(f, LG_SYSTEM, "Input/output error");
	/* One that was interrupted is made again. */
	f->faults.write_in = 1;
	f->faults.write_error = EINTR;
	fill(f, 1);
}

static void a_segment_that_cannot_be_made_is_told_and_made_again(void **state)
{
	struct log_fixture *f = *state;
	f->faults.allocate_in = 1;
	f->faults.allocate_error = ENOSPC;
	unit_expect_error(LG_NOSPACE, log_writer_open(f->directory, &f->identity, &f->options, &f->writer, &err), &err,
	        "make room");
	assert_null(f->writer);
	log_open_writer(f);
	fill(f, 2);
	f->faults.allocate_in = 1;
	log_put(f, 61 << 10);
	expect_failed_then_mend(f, LG_NOSPACE, "cannot reserve");
	f->faults.sync_directory_in = 1;
	f->faults.sync_directory_error = EIO;
	log_put(f, 61 << 10);
	expect_failed_then_mend(f, LG_SYSTEM, "sync the log directory");
	f->faults.sync_in = 1;
	f->faults.sync_error = EIO;
	log_put(f, 61 << 10);
	expect_failed_then_mend(f, LG_SYSTEM, "header of the log segment");
	/* And when reopening fails too. */
	f->faults.write_in = 1;
	f->faults.write_error = EIO;
	log_put(f, 10);
	CODE(LG_OK, log_submit(f->writer, ++f->epoch, 0, &err));
	CODE(LG_SYSTEM, log_wait(f->writer, NULL, &err));
	f->faults.allocate_in = 1;
	CODE(LG_NOSPACE, log_reopen(f->writer, &err));
	CODE(LG_NOSPACE, log_poll(f->writer, NULL, &err));
	OK(log_reopen(f->writer, &err));
	OK(log_wait(f->writer, NULL, &err));
	log_close_writer(f);
	log_expect(f, f->put_count, NULL);
}

static void a_close_in_the_failed_state_tells_why(void **state)
{
	struct log_fixture *f = *state;
	log_open_writer(f);
	log_put(f, 10);
	f->faults.sync_in = 1;
	f->faults.sync_error = EIO;
	OK(log_submit(f->writer, 1, 0, &err));
	CODE(LG_SYSTEM, log_writer_close(f->writer, &err));
	f->writer = NULL;
}

/* ---- io_uring is not there ---- */

static void without_io_uring_the_log_is_written_all_the_same_and_says_so(void **state)
{
	struct log_fixture *f = *state;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* No descriptor is left for a ring. */
		struct rlimit none = {0, 4096}, some = {64, 4096};
		struct log_io *io;
		setrlimit(RLIMIT_NOFILE, &none);
		bool refused = log_io_open(LOG_IO_URING, &io, &err) == LG_SYSTEM && strstr(err.message, "io_uring");
		bool opened = log_io_open(LOG_IO_AUTO, &io, &err) == LG_OK && strstr(io->note, "pwrite and fdatasync");
		setrlimit(RLIMIT_NOFILE, &some);
		f->options.io = io;
		log_open_writer(f);
		fill(f, 3);
		bool told = strstr(log_writer_note(f->writer), "io_uring cannot be set up") != NULL;
		_exit(refused && opened && told ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void crc32c_is_castagnolis(void **state)
{
	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(crc32c_is_castagnolis),
	        LOG_BOTH(entries_come_back_over_segments_and_incarnations),
	        LOG_BOTH(an_empty_log_has_an_end),
	        LOG_BOTH(entries_greater_than_a_buffer_and_than_a_segment_come_back),
	        LOG_BOTH(the_greatest_entry_is_written),
	        LOG_BOTH(an_epoch_of_several_batches_is_durable_with_the_last_of_them),
	        LOG_BOTH(a_second_submit_waits_for_the_first),
	        LOG_BOTH(epochs_without_entries_and_entries_without_an_epoch),
	        LOG_BOTH(gathering_stops_at_its_limit_and_goes_on_after_the_disk_has_caught_up),
	        LOG_BOTH(recycled_segments_are_used_again_and_their_old_bytes_never_come_back),
	        LOG_BOTH(a_segment_with_entries_of_a_needed_epoch_stays),
	        LOG_BOTH(spares_beyond_their_number_and_of_another_size_are_removed),
	        LOG_BOTH(logs_of_another_pod_host_or_version_are_refused),
	        LOG_BOTH(missing_directories_and_segments_are_named),
	        LOG_BOTH(one_writer_at_a_time),
	        LOG_BOTH(bad_options_are_refused),
	        LOG_BOTH(a_full_disk_and_an_io_error_in_a_write_are_told_and_mended),
	        LOG_BOTH(a_failed_sync_is_never_retried_on_the_same_file),
	        LOG_BOTH(after_a_failed_sync_the_first_copy_may_be_lost),
	        LOG_BOTH(two_copies_with_different_contents_are_refused),
	        LOG_BOTH(a_restart_writes_the_last_batch_once_more),
	        LOG_BOTH(a_torn_last_batch_is_cut_and_its_number_given_again),
	        LOG_BOTH(behind_a_segment_that_stayed_empty_the_last_batch_is_copied),
	        LOG_BOTH(a_segment_with_an_entry_of_a_later_epoch_stays),
	        LOG_BOTH(short_writes_are_continued),
	        LOG_BOTH(a_segment_that_cannot_be_made_is_told_and_made_again),
	        LOG_BOTH(a_close_in_the_failed_state_tells_why),
	        LOG_BOTH(without_io_uring_the_log_is_written_all_the_same_and_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
