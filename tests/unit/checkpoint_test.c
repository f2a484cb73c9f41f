/* checkpoint_test.c: what is put into a checkpoint comes back; the newest counts; an operation that fails, a process that
 * ends and power that is lost at any step leave the one before, or the new one, whole. */
#include "unit/checkpoint_fixture.h"

#include "cxl/crash_point.h"
#include "cxl/word.h"
#include "unit/fake_files.h"
#include "unit/log_fixture.h"
#include "unit/unit_pod.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lg_error err;

static const struct content old_content = {.seed = 1, .tables = 1, .rows = 5, .val_max = 100};
static const struct content new_content = {.seed = 2, .tables = 2, .rows = 30, .val_max = 40000};
/* More than what is written between two syncs. */
static const struct content long_content = {.seed = 3, .tables = 2, .rows = 500, .val_max = 40000};

static void expect_content(struct log_io *io, const char *path, const struct content *content)
{
	if (content_read(io, path, content, &err) != LG_OK)
		fail_msg("%s", err.message);
}

static void write_content(struct log_io *io, const char *directory, const struct content *content)
{
	if (content_write(io, directory, content, NULL, &err) != LG_OK)
		fail_msg("%s", err.message);
}

static bool has_file(const char *directory, const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* ---- Round trips, in files, beside a log ---- */

static void round_trip(struct log_fixture *f, struct content content)
{
	struct checkpoint_info info;
	struct log_io *io = f ? &f->faults.io : NULL;
	if (content_write(io, f->directory, &content, &info, &err) != LG_OK)
		fail_msg("%s", err.message);
	assert_int_equal(info.counts.rows, content.rows);
	assert_int_equal(info.counts.tables, content.tables);
	assert_int_equal(info.cookie, CONTENT_COOKIE);
	assert_int_equal(info.host, CONTENT_HOST);
	assert_int_equal(info.incarnation, content_identity.incarnation);
	assert_int_equal(info.last_epoch, CONTENT_LAST_EPOCH);
	expect_content(io, f->host_directory, &content);
	expect_content(NULL, f->host_directory, &content);
}

static void tables_and_rows_come_back(void **state)
{
	struct log_fixture *f = *state;
	log_open_writer(f);
	log_put(f, 100);
	log_commit(f);
	round_trip(f, (struct content){
	                      .seed = pod_seed(), .tables = 20, .rows = (uint32_t)pod_scaled(20000), .val_max = 600});
	round_trip(f, (struct content){.seed = 4, .tables = 0, .rows = 0});
	round_trip(f, (struct content){.seed = 5, .tables = 3, .rows = 0});
	round_trip(f, (struct content){.seed = 6, .tables = 0, .rows = 1});
	round_trip(f, (struct content){.seed = 7, .tables = 1, .rows = 1000, .val_max = 0});
	/* The log has not noticed. */
	log_put(f, 200);
	log_commit(f);
	log_expect(f, 2, NULL);
}

static void rows_that_compress_well_or_not_at_all_come_back(void **state)
{
	struct log_fixture *f = *state;
	struct checkpoint_info info;
	const struct content noise = {.seed = 8, .rows = 200, .val_max = 60000};
	const struct content pattern = {.seed = 8, .rows = 200, .val_max = 60000, .compressible = true};
	log_open_writer(f);
	OK(content_write(NULL, f->directory, &noise, &info, &err));
	expect_content(NULL, f->host_directory, &noise);
	assert_true(info.file_bytes > info.counts.raw_bytes && info.file_bytes < info.counts.raw_bytes * 101 / 100);
	OK(content_write(NULL, f->directory, &pattern, &info, &err));
	expect_content(NULL, f->host_directory, &pattern);
	assert_true(info.file_bytes < info.counts.raw_bytes / 50);
}

/* Sizes at which a block is full to the byte, or one byte is too much. */
static void rows_around_the_size_of_a_block_come_back(void **state)
{
	struct log_fixture *f = *state;
	const uint32_t head = sizeof(struct checkpoint_entry_header) + sizeof(struct checkpoint_row_header);
	log_open_writer(f);
	for (uint32_t below = 0; below < 140; below += 3)
		round_trip(f, (struct content){.seed = below,
		                      .rows = 4,
		                      .val_max = CHECKPOINT_BLOCK_BYTES - head - below,
		                      .one_size = true,
		                      .compressible = true});
}

static void the_greatest_row_comes_back_and_a_greater_one_is_refused(void **state)
{
	struct log_fixture *f = *state;
	struct checkpoint_writer *writer;
	struct checkpoint_reader *reader;
	struct checkpoint_entry entry;
	uint8_t *val = malloc(CHECKPOINT_ROW_MAX);
	assert_non_null(val);
	pod_fill(val, CHECKPOINT_ROW_MAX, 9);
	struct checkpoint_row row = {.table = 1, .version = 5, .key = lg_slice("k", 1)};
	log_open_writer(f);
	OK(checkpoint_begin(NULL, f->directory, &content_identity, 1, 0, &writer, &err));
	OK(checkpoint_add_row(writer, &row, &err));
	row.val = lg_slice(val, CHECKPOINT_ROW_MAX);
	unit_expect_error(LG_LIMIT, checkpoint_add_row(writer, &row, &err), &err, "67108864");
	row.key.bytes = SIZE_MAX;
	CODE(LG_LIMIT, checkpoint_add_row(writer, &row, &err));
	unit_expect_error(
	        LG_LIMIT, checkpoint_add_table(writer, val, CHECKPOINT_ROW_MAX + 1, &err), &err, "definition");
	row.key.bytes = 1;
	row.val.bytes = CHECKPOINT_ROW_MAX - 1;
	OK(checkpoint_add_row(writer, &row, &err));
	OK(checkpoint_add_table(writer, val, CHECKPOINT_ROW_MAX, &err));
	OK(checkpoint_commit(writer, 1, NULL, &err));
	OK(checkpoint_reader_open(f->host_directory, NULL, &reader, &err));
	OK(checkpoint_next(reader, &entry, &err));
	assert_int_equal(entry.row.val.bytes, 0);
	OK(checkpoint_next(reader, &entry, &err));
	assert_true(pod_filled(entry.row.val, CHECKPOINT_ROW_MAX - 1, 9));
	OK(checkpoint_next(reader, &entry, &err));
	assert_int_equal(entry.type, CHECKPOINT_TABLE);
	assert_true(pod_filled(entry.body, CHECKPOINT_ROW_MAX, 9));
	CODE(LG_END, checkpoint_next(reader, &entry, &err));
	checkpoint_reader_close(reader);
	free(val);
}

/* ---- Which one counts ---- */

static void the_newest_counts_and_older_ones_are_removed(void **state)
{
	struct log_fixture *f = *state;
	char path[256];
	log_open_writer(f);
	CODE(LG_NOTFOUND, content_read(NULL, f->host_directory, &old_content, &err));
	assert_non_null(strstr(err.message, f->host_directory));
	write_content(NULL, f->directory, &old_content);
	assert_true(has_file(f->host_directory, "0000000000000001.ckpt"));
	/* Kept by hand, as a crash before its removal would have. */
	snprintf(path, sizeof path, "%s/0000000000000001.ckpt", f->host_directory);
	char kept[256];
	snprintf(kept, sizeof kept, "%s/kept", f->host_directory);
	assert_int_equal(link(path, kept), 0);
	write_content(NULL, f->directory, &new_content);
	assert_false(has_file(f->host_directory, "0000000000000001.ckpt"));
	assert_int_equal(rename(kept, path), 0);
	expect_content(NULL, f->host_directory, &new_content);
	write_content(NULL, f->directory, &old_content);
	assert_false(has_file(f->host_directory, "0000000000000001.ckpt"));
	assert_false(has_file(f->host_directory, "0000000000000002.ckpt"));
	assert_true(has_file(f->host_directory, "0000000000000003.ckpt"));
	assert_false(has_file(f->host_directory, "checkpoint.tmp"));
	expect_content(NULL, f->host_directory, &old_content);
}

static void other_names_are_no_checkpoints(void **state)
{
	static const char *const names[] = {"checkpoint.tmp", "0000000000000000.ckpt", "0000000000000009.ckpt.old",
	        "000000000000009.ckpt", "00000000000000009.ckpt", "000000000000000x.ckpt", "0000000000000009.log",
	        "9.ckpt"};
	struct fake_files f;
	(void)state;
	fake_begin(&f);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		fake_put(&f, names[i], "noise", 5);
	CODE(LG_NOTFOUND, content_read(&f.io, "d", &old_content, &err));
	write_content(&f.io, "d", &old_content);
	assert_non_null(fake_find(&f, "0000000000000001.ckpt"));
	expect_content(&f.io, "d", &old_content);
	for (size_t i = 1; i < sizeof names / sizeof names[0]; i++)
		assert_non_null(fake_find(&f, names[i]));
	fake_put(&f, "9999999999999999.ckpt", "noise", 5);
	unit_expect_error(LG_LIMIT, content_write(&f.io, "d", &old_content, NULL, &err), &err, "greatest number");
	fake_end(&f);
}

static void an_abandoned_checkpoint_leaves_nothing(void **state)
{
	struct log_fixture *f = *state;
	struct checkpoint_writer *writer;
	log_open_writer(f);
	write_content(NULL, f->directory, &old_content);
	OK(checkpoint_begin(NULL, f->directory, &content_identity, CONTENT_FIRST_EPOCH, 0, &writer, &err));
	OK(content_add(writer, &new_content, &err));
	assert_true(has_file(f->host_directory, "checkpoint.tmp"));
	checkpoint_abort(writer);
	checkpoint_abort(NULL);
	assert_false(has_file(f->host_directory, "checkpoint.tmp"));
	expect_content(NULL, f->host_directory, &old_content);
}

/* ---- Refusals ---- */

static void checkpoints_of_another_pod_host_or_incarnation_are_refused(void **state)
{
	struct fake_files f;
	struct checkpoint_reader_options options;
	struct checkpoint_reader *reader;
	struct checkpoint_writer *writer;
	(void)state;
	fake_begin(&f);
	write_content(&f.io, "d", &old_content);
	checkpoint_reader_options_init(&options);
	options.io = &f.io;
	OK(checkpoint_reader_open("d", &options, &reader, &err));
	assert_int_equal(checkpoint_reader_info(reader)->cookie, CONTENT_COOKIE);
	checkpoint_reader_close(reader);
	options.cookie = 77;
	unit_expect_error(LG_MISMATCH, checkpoint_reader_open("d", &options, &reader, &err), &err,
	        "0000000000000001.ckpt belongs to pod 0000000055667788, not to pod 000000000000004d");
	options.cookie = 0;
	options.host = 4;
	unit_expect_error(
	        LG_MISMATCH, checkpoint_reader_open("d", &options, &reader, &err), &err, "host 3, not to host 4");
	/* Nor are they replaced. */
	struct log_identity identity = content_identity;
	identity.cookie++;
	unit_expect_error(
	        LG_MISMATCH, checkpoint_begin(&f.io, "d", &identity, 1, 0, &writer, &err), &err, "belongs to pod");
	identity = content_identity;
	identity.incarnation--;
	unit_expect_error(
	        LG_INVALID, checkpoint_begin(&f.io, "d", &identity, 1, 0, &writer, &err), &err, "incarnation 2 ");
	struct checkpoint_header *header = (void *)fake_find(&f, "0000000000000001.ckpt")->data;
	header->format_version++;
	header->checksum = checkpoint_header_checksum(header);
	CODE(LG_MISMATCH, content_read(&f.io, "d", &old_content, &err));
	assert_non_null(strstr(err.message, "version 2, and this program reads 1"));
	CODE(LG_MISMATCH, checkpoint_begin(&f.io, "d", &content_identity, 1, 0, &writer, &err));
	/* A damaged one is: its host is alive, and knows better. */
	header->checksum++;
	CODE(LG_CORRUPT, content_read(&f.io, "d", &old_content, &err));
	write_content(&f.io, "d", &new_content);
	expect_content(&f.io, "d", &new_content);
	fake_end(&f);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
	struct log_fixture *f = *state;
	struct checkpoint_writer *writer;
	CODE(LG_NOTFOUND, content_read(NULL, f->host_directory, &old_content, &err));
	unit_expect_error(LG_NOTFOUND, checkpoint_begin(NULL, f->directory, &content_identity, 1, 0, &writer, &err),
	        &err, f->host_directory);
	assert_null(writer);
}

static void epochs_that_contradict_the_rows_are_refused(void **state)
{
	struct fake_files f;
	struct checkpoint_writer *writer;
	const struct checkpoint_row row = {.version = version_first_of(50) + 7};
	(void)state;
	fake_begin(&f);
	OK(checkpoint_begin(&f.io, "d", &content_identity, 40, 0, &writer, &err));
	OK(checkpoint_add_row(writer, &row, &err));
	unit_expect_error(LG_INVALID, checkpoint_commit(writer, 49, NULL, &err), &err,
	        "epoch 50, and its last epoch is to be 49");
	OK(checkpoint_begin(&f.io, "d", &content_identity, 40, 0, &writer, &err));
	unit_expect_error(LG_INVALID, checkpoint_commit(writer, 38, NULL, &err), &err, "from epoch 40 on");
	assert_null(fake_find(&f, "checkpoint.tmp"));
	CODE(LG_NOTFOUND, content_read(&f.io, "d", &old_content, &err));
	OK(checkpoint_begin(&f.io, "d", &content_identity, 51, 0, &writer, &err));
	OK(checkpoint_add_row(writer, &row, &err));
	OK(checkpoint_commit(writer, 50, NULL, &err));
	fake_end(&f);
}

/* ---- The rate ---- */

/* Puts a row that takes so many bytes, a multiple of 8 from 40 on, of a block. */
static void put_bytes(struct checkpoint_writer *writer, uint32_t bytes)
{
	static const uint8_t zeros[1 << 20];
	const struct checkpoint_row row = {.val = lg_slice(zeros, bytes - 32)};
	assert_int_equal(checkpoint_entry_bytes(24 + row.val.bytes), bytes);
	OK(checkpoint_add_row(writer, &row, &err));
}

static void the_caller_is_told_to_wait_as_long_as_the_rate_asks(void **state)
{
	enum { MS = 1000 * 1000 };
	struct fake_files f;
	struct checkpoint_writer *writer;
	uint64_t now = 77777777;
	(void)state;
	fake_begin(&f);
	OK(checkpoint_begin(&f.io, "d", &content_identity, 1, 2, &writer, &err));
	assert_int_equal(checkpoint_pause_ns(writer, now), 0);
	put_bytes(writer, 200000); /* 100 ms at 2 MB/s */
	assert_int_equal(checkpoint_pause_ns(writer, now), 100 * MS);
	assert_int_equal(checkpoint_pause_ns(writer, now), 100 * MS);
	assert_int_equal(checkpoint_pause_ns(writer, now + 30 * MS), 70 * MS);
	put_bytes(writer, 100000);
	assert_int_equal(checkpoint_pause_ns(writer, now + 100 * MS), 50 * MS);
	assert_int_equal(checkpoint_pause_ns(writer, now + 150 * MS), 0);
	/* 60 ms late: made up for. */
	put_bytes(writer, 200000);
	assert_int_equal(checkpoint_pause_ns(writer, now + 210 * MS), 40 * MS);
	/* An hour late: 100 ms of it are. */
	now += 3600ULL * 1000 * MS;
	assert_int_equal(checkpoint_pause_ns(writer, now), 0);
	put_bytes(writer, 1000000);
	assert_int_equal(checkpoint_pause_ns(writer, now), 400 * MS);
	checkpoint_abort(writer);

	/* Nothing is lost to rounding: 48 bytes at 7,000 MB/s are less than 7 ns. */
	OK(checkpoint_begin(&f.io, "d", &content_identity, 1, 7000, &writer, &err));
	assert_int_equal(checkpoint_pause_ns(writer, now), 0);
	uint64_t pause = 0;
	for (int i = 0; i < 7000; i++) {
		put_bytes(writer, 48);
		pause = checkpoint_pause_ns(writer, now);
	}
	assert_int_equal(pause, 48000);
	checkpoint_abort(writer);

	OK(checkpoint_begin(&f.io, "d", &content_identity, 1, 0, &writer, &err));
	put_bytes(writer, 1 << 20);
	assert_int_equal(checkpoint_pause_ns(writer, now), 0);
	checkpoint_abort(writer);
	fake_end(&f);
}

/* ---- What goes wrong ---- */

static bool is_one_of(const char *name, const char *const names[])
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* After the attempt to write `content` over the old one, of which an operation has failed. */
static void expect_after_failure(struct fake_files *f, int code, const struct content *content)
{
	if (code == LG_OK) {
		/* What comes of these does not matter: the checkpoint before is only looked at, or removed. */
		assert_true(is_one_of(f->failed, (const char *const[]){"close", "list", "remove", NULL}));
		expect_content(&f->io, "d", content);
		return;
	}
	assert_int_equal(err.code, code);
	assert_true(code == LG_SYSTEM || (code == LG_NOSPACE && f->error == ENOSPC));
	if (strcmp(f->failed, "write") == 0)
		assert_int_equal(code, f->error == ENOSPC ? LG_NOSPACE : LG_SYSTEM);
	assert_non_null(strstr(err.message, strerror(f->error)));
	assert_non_null(strstr(err.message, "d/host-03"));
	assert_null(fake_find(f, "checkpoint.tmp"));
	assert_non_null(fake_find(f, "0000000000000001.ckpt"));
	/* Renamed, but perhaps not for good: both are there. */
	expect_content(&f->io, "d", fake_find(f, "0000000000000002.ckpt") ? content : &old_content);
	assert_int_equal(fake_find(f, "0000000000000002.ckpt") != NULL, strcmp(f->failed, "sync_directory") == 0);
}

static uint64_t fail_each_operation(const struct content *content, int error)
{
	for (uint64_t step = 1;; step++) {
		struct fake_files f;
		fake_begin(&f);
		write_content(&f.io, "d", &old_content);
		f.step = 0;
		f.fail_at = step;
		f.error = error;
		err = (struct lg_error){0};
		int code = content_write(&f.io, "d", content, NULL, &err);
		f.fail_at = 0;
		if (f.failed[0] == 0) {
			assert_int_equal(code, LG_OK);
			fake_end(&f);
			return step - 1;
		}
		expect_after_failure(&f, code, content);
		/* And when it is mended, all is well. */
		write_content(&f.io, "d", &old_content);
		expect_content(&f.io, "d", &old_content);
		fake_end(&f);
	}
}

static void an_operation_that_fails_is_told_and_leaves_the_checkpoint_before(void **state)
{
	(void)state;
	assert_true(fail_each_operation(&new_content, EIO) > 15);
	assert_true(fail_each_operation(&new_content, ENOSPC) > 15);
	assert_true(fail_each_operation(&long_content, EIO) > 40);
}

static void a_failed_writer_refuses_everything_with_the_reason(void **state)
{
	struct fake_files f;
	struct checkpoint_writer *writer;
	int code = LG_OK;
	(void)state;
	fake_begin(&f);
	OK(checkpoint_begin(&f.io, "d", &content_identity, 1, 0, &writer, &err));
	f.fail_at = f.step + 1;
	f.error = ENOSPC;
	for (int i = 0; i < 10 && code == LG_OK; i++) {
		const struct checkpoint_row row = {.val = lg_slice(&f, sizeof f)};
		for (int n = 0; n < 1000 && code == LG_OK; n++)
			code = checkpoint_add_row(writer, &row, &err);
	}
	unit_expect_error(LG_NOSPACE, code, &err, "offset 64 of d/host-03/checkpoint.tmp: No space left on device");
	assert_non_null(strstr(err.message, "make room"));
	assert_null(fake_find(&f, "checkpoint.tmp"));
	unit_expect_error(LG_NOSPACE, checkpoint_add_table(writer, "t", 1, &err), &err, "No space left");
	unit_expect_error(LG_NOSPACE, checkpoint_commit(writer, 1, NULL, &err), &err, "No space left");
	CODE(LG_NOTFOUND, content_read(&f.io, "d", &old_content, &err));
	fake_end(&f);
}

/* How the process ends at a step: it is killed; or the power is lost, with the names as they were made durable, or with
 * all names, which the system may write early. */
enum crash { KILLED, POWER_LOST, POWER_LOST_WITH_ALL_NAMES, CRASHES };

static void expect_old_or_new(struct fake_files *f, const struct content *content, bool committed)
{
	const bool is_new = fake_find(f, "0000000000000002.ckpt") != NULL;
	if (committed)
		assert_true(is_new);
	expect_content(&f->io, "d", is_new ? content : &old_content);
}

static void crash_at_each_operation(const struct content *content, enum crash crash)
{
	for (uint64_t step = 1;; step++) {
		struct fake_files f;
		fake_begin(&f);
		write_content(&f.io, "d", &old_content);
		f.step = 0;
		f.fail_at = step;
		f.stop = true;
		f.error = EIO;
		const bool committed = content_write(&f.io, "d", content, NULL, &err) == LG_OK;
		const bool over = f.failed[0] == 0;
		f.fail_at = 0;
		if (crash != KILLED)
			fake_lose_power(&f, crash == POWER_LOST_WITH_ALL_NAMES);
		expect_old_or_new(&f, content, committed);
		/* The next incarnation writes another one, and what was left is gone. */
		write_content(&f.io, "d", &new_content);
		expect_content(&f.io, "d", &new_content);
		assert_null(fake_find(&f, "checkpoint.tmp"));
		assert_null(fake_find(&f, "0000000000000001.ckpt"));
		fake_end(&f);
		if (over)
			break;
	}
}

static void a_crash_between_any_steps_leaves_a_whole_checkpoint(void **state)
{
	(void)state;
	for (enum crash crash = KILLED; crash < CRASHES; crash++) {
		crash_at_each_operation(&new_content, crash);
		crash_at_each_operation(&long_content, crash);
	}
}

/* Old bytes of the disk in a file that was not synced: the name alone must never make it a checkpoint. */
static void a_named_file_without_its_footer_is_damage_and_no_older_one_is_read(void **state)
{
	struct fake_files f;
	(void)state;
	fake_begin(&f);
	write_content(&f.io, "d", &old_content);
	fake_put(&f, "0000000000000002.ckpt", "", 0);
	CODE(LG_CORRUPT, content_read(&f.io, "d", &old_content, &err));
	assert_non_null(strstr(err.message, "0000000000000002.ckpt"));
	fake_end(&f);
}

#ifdef LG_MUTANTS
static void a_process_may_die_at_every_named_point(void **state)
{
	struct log_fixture *f = *state;
	log_open_writer(f);
	for (unsigned point = CRASH_CHECKPOINT_WRITTEN; point <= CRASH_CHECKPOINT_RENAMED; point++) {
		int status;
		write_content(NULL, f->directory, &old_content);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			crash_point_arm((enum crash_point)point, 0);
			(void)content_write(NULL, f->directory, &new_content, NULL, NULL);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_int_equal(has_file(f->host_directory, "checkpoint.tmp"), point != CRASH_CHECKPOINT_RENAMED);
		expect_content(
		        NULL, f->host_directory, point == CRASH_CHECKPOINT_RENAMED ? &new_content : &old_content);
		print_message("%s: visited\n", crash_point_name((enum crash_point)point));
	}
}
#endif

#define FILES_TEST(claim) cmocka_unit_test_setup_teardown(claim, log_setup_pwrite, log_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        LOG_BOTH(tables_and_rows_come_back),
	        FILES_TEST(rows_that_compress_well_or_not_at_all_come_back),
	        FILES_TEST(rows_around_the_size_of_a_block_come_back),
	        FILES_TEST(the_greatest_row_comes_back_and_a_greater_one_is_refused),
	        FILES_TEST(the_newest_counts_and_older_ones_are_removed),
	        cmocka_unit_test(other_names_are_no_checkpoints),
	        FILES_TEST(an_abandoned_checkpoint_leaves_nothing),
	        cmocka_unit_test(checkpoints_of_another_pod_host_or_incarnation_are_refused),
	        FILES_TEST(a_directory_that_is_not_there_is_named),
	        cmocka_unit_test(epochs_that_contradict_the_rows_are_refused),
	        cmocka_unit_test(the_caller_is_told_to_wait_as_long_as_the_rate_asks),
	        cmocka_unit_test(an_operation_that_fails_is_told_and_leaves_the_checkpoint_before),
	        cmocka_unit_test(a_failed_writer_refuses_everything_with_the_reason),
	        cmocka_unit_test(a_crash_between_any_steps_leaves_a_whole_checkpoint),
	        cmocka_unit_test(a_named_file_without_its_footer_is_damage_and_no_older_one_is_read),
#ifdef LG_MUTANTS
	        FILES_TEST(a_process_may_die_at_every_named_point),
#endif
	};
	return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
