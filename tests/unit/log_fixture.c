/* log_fixture.c: see log_fixture.h. */
#include "unit/log_fixture.h"

#include "unit/unit_pod.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Operations that fail ---- */

static struct log_io *inner(struct log_io *io)
{
	return ((struct log_faults *)io)->inner;
}

static bool now(int *countdown)
{
	return *countdown > 0 && --*countdown == 0;
}

static int faults_make_directory(struct log_io *io, const char *path)
{
	return inner(io)->ops->make_directory(inner(io), path);
}

static int faults_lock_directory(struct log_io *io, const char *path)
{
	return inner(io)->ops->lock_directory(inner(io), path);
}

static int faults_list(struct log_io *io, const char *path, int (*entry)(void *, const char *), void *context)
{
	return inner(io)->ops->list(inner(io), path, entry, context);
}

static int faults_sync_directory(struct log_io *io, const char *path)
{
	struct log_faults *f = (struct log_faults *)io;
	return now(&f->sync_directory_in) ? -f->sync_directory_error : inner(io)->ops->sync_directory(inner(io), path);
}

static int faults_rename(struct log_io *io, const char *from, const char *to)
{
	return inner(io)->ops->rename(inner(io), from, to);
}

static int faults_remove(struct log_io *io, const char *path)
{
	return inner(io)->ops->remove(inner(io), path);
}

static int faults_open(struct log_io *io, const char *path, enum log_io_mode mode)
{
	return inner(io)->ops->open(inner(io), path, mode);
}

static int faults_close(struct log_io *io, int file)
{
	return inner(io)->ops->close(inner(io), file);
}

static int faults_size(struct log_io *io, int file, uint64_t *bytes)
{
	return inner(io)->ops->size(inner(io), file, bytes);
}

static int faults_allocate(struct log_io *io, int file, uint64_t bytes)
{
	struct log_faults *f = (struct log_faults *)io;
	return now(&f->allocate_in) ? -f->allocate_error : inner(io)->ops->allocate(inner(io), file, bytes);
}

static ssize_t faults_read(struct log_io *io, int file, void *data, size_t bytes, uint64_t offset)
{
	return inner(io)->ops->read(inner(io), file, data, bytes, offset);
}

static int faults_register_buffers(struct log_io *io, void *const data[LOG_IO_BUFFERS], size_t bytes)
{
	return inner(io)->ops->register_buffers(inner(io), data, bytes);
}

static int faults_start(struct log_io *io, const struct log_io_write *write)
{
	struct log_faults *f = (struct log_faults *)io;
	struct log_io_write changed = *write;
	f->answer_write_error = now(&f->write_in);
	if (f->answer_write_error)
		return 0;
	f->answer_short = now(&f->short_in);
	if (f->answer_short)
		changed.bytes = f->short_bytes;
	f->answer_sync = now(&f->sync_in);
	return inner(io)->ops->start(inner(io), &changed);
}

static int faults_finish(struct log_io *io, bool wait, struct log_io_result *result)
{
	struct log_faults *f = (struct log_faults *)io;
	if (f->answer_write_error) {
		*result = (struct log_io_result){.written = -f->write_error, .sync = -ECANCELED};
		return 1;
	}
	int code = inner(io)->ops->finish(inner(io), wait, result);
	if (code == 1 && f->answer_short)
		result->sync = -ECANCELED;
	if (code == 1 && f->answer_sync)
		result->sync = -f->sync_error;
	return code;
}

static int faults_write(struct log_io *io, int file, const void *data, size_t bytes, uint64_t offset)
{
	return inner(io)->ops->write(inner(io), file, data, bytes, offset);
}

static int faults_sync(struct log_io *io, int file)
{
	return inner(io)->ops->sync(inner(io), file);
}

static uint64_t faults_random(struct log_io *io)
{
	return pod_random(&((struct log_faults *)io)->random);
}

static void faults_destroy(struct log_io *io)
{
	inner(io)->ops->destroy(inner(io));
}

static const struct log_io_ops faults_ops = {
        .make_directory = faults_make_directory,
        .lock_directory = faults_lock_directory,
        .list = faults_list,
        .sync_directory = faults_sync_directory,
        .rename = faults_rename,
        .remove = faults_remove,
        .open = faults_open,
        .close = faults_close,
        .size = faults_size,
        .allocate = faults_allocate,
        .read = faults_read,
        .register_buffers = faults_register_buffers,
        .start = faults_start,
        .finish = faults_finish,
        .write = faults_write,
        .sync = faults_sync,
        .random = faults_random,
        .destroy = faults_destroy,
};

/* ---- The fixture ---- */

static int setup(void **state, enum log_io_kind kind)
{
	struct log_fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	const char *temporary = getenv("TMPDIR");
	snprintf(f->directory, sizeof f->directory, "%.30s/liger-log-XXXXXX", temporary ? temporary : "/tmp");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->host_directory, sizeof f->host_directory, "%s/host-%02d", f->directory, LOG_TEST_HOST);
	f->kind = kind;
	f->identity = (struct log_identity){LOG_TEST_COOKIE, LOG_TEST_HOST, 1};
	log_writer_options_init(&f->options);
	f->options.segment_bytes = 64 << 10;
	f->options.buffer_bytes = 16 << 10;
	struct lg_error err;
	if (log_io_open(kind, &f->faults.inner, &err) != LG_OK)
		fail_msg("%s", err.message);
	f->faults.io.ops = &faults_ops;
	f->options.io = &f->faults.io;
	*state = f;
	return 0;
}

int log_setup_uring(void **state)
{
	struct log_io *io;
	/* Where it is not allowed, there is nothing to be tested: the tests on pwrite say the same. */
	if (log_io_open(LOG_IO_URING, &io, NULL) != LG_OK)
		return setup(state, LOG_IO_PWRITE);
	log_io_close(io);
	return setup(state, LOG_IO_URING);
}

int log_setup_pwrite(void **state)
{
	return setup(state, LOG_IO_PWRITE);
}

static void remove_files(const char *path)
{
	DIR *directory = opendir(path);
	if (!directory)
		return;
	for (struct dirent *e = readdir(directory); e; e = readdir(directory))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(directory), e->d_name, 0);
	closedir(directory);
	rmdir(path);
}

int log_teardown(void **state)
{
	struct log_fixture *f = *state;
	log_writer_close(f->writer, NULL);
	remove_files(f->host_directory);
	remove_files(f->directory);
	log_io_close(f->faults.inner);
	free(f);
	return 0;
}

void log_open_writer(struct log_fixture *f)
{
	struct lg_error err;
	if (log_writer_open(f->directory, &f->identity, &f->options, &f->writer, &err) != LG_OK)
		fail_msg("%s", err.message);
}

void log_close_writer(struct log_fixture *f)
{
	struct lg_error err;
	if (log_writer_close(f->writer, &err) != LG_OK)
		fail_msg("%s", err.message);
	f->writer = NULL;
}

void log_body_fill(void *body, uint32_t number, uint32_t bytes)
{
	pod_fill(body, bytes, number);
}

bool log_body_is(const void *body, uint32_t number, uint32_t bytes)
{
	return pod_filled(lg_slice(body, bytes), bytes, number);
}

void log_put(struct log_fixture *f, uint32_t bytes)
{
	struct lg_error err;
	void *body;
	assert_in_range(f->put_count, 0, LOG_TEST_ENTRIES - 1);
	struct log_put *put = &f->put[f->put_count];
	*put = (struct log_put){(uint16_t)(1 + f->put_count % 3), (uint16_t)f->put_count, bytes, 0};
	if (log_reserve(f->writer, put->type, put->flags, bytes, &body, &err) != LG_OK)
		fail_msg("%s", err.message);
	assert_int_equal((uintptr_t)body % 8, 0);
	log_body_fill(body, f->put_count++, bytes);
}

void log_commit(struct log_fixture *f)
{
	struct lg_error err;
	uint64_t durable = 0;
	if (log_submit(f->writer, ++f->epoch, 0, &err) != LG_OK || log_wait(f->writer, &durable, &err) != LG_OK)
		fail_msg("%s", err.message);
	assert_int_equal(durable, f->epoch);
}

void log_expect(struct log_fixture *f, uint32_t count, struct log_found *found)
{
	struct log_reader_options options = {.cookie = LOG_TEST_COOKIE, .host = LOG_TEST_HOST};
	struct log_reader *reader;
	struct log_entry entry;
	struct lg_error err;
	uint32_t n = 0;
	if (log_reader_open(f->host_directory, &options, &reader, &err) != LG_OK)
		fail_msg("%s", err.message);
	int code;
	uint64_t batch = 0;
	for (; (code = log_reader_next(reader, &entry, &err)) == LG_OK; n++) {
		assert_in_range(n, 0, count - 1);
		assert_int_equal(entry.type, f->put[n].type);
		assert_int_equal(entry.flags, f->put[n].flags);
		assert_int_equal(entry.bytes, f->put[n].bytes);
		assert_true(log_body_is(entry.body, n, entry.bytes));
		assert_true(entry.batch >= batch);
		batch = entry.batch;
	}
	if (code != LG_END)
		fail_msg("%s", err.message);
	assert_int_equal(n, count);
	if (found)
		*found = *log_reader_found(reader);
	log_reader_close(reader);
}

void log_expect_error(struct log_fixture *f, int code, const char *piece)
{
	struct log_reader_options options = {.cookie = LOG_TEST_COOKIE, .host = LOG_TEST_HOST};
	struct log_reader *reader;
	struct log_entry entry;
	struct lg_error err = {0};
	int got = log_reader_open(f->host_directory, &options, &reader, &err);
	while (got == LG_OK)
		got = log_reader_next(reader, &entry, &err);
	unit_expect_error(code, got, &err, piece);
	log_reader_close(reader);
}

void log_file_path(const struct log_fixture *f, uint64_t sequence, char path[128])
{
	snprintf(path, 128, "%s/%016ju.log", f->host_directory, (uintmax_t)sequence);
}

void log_patch(const struct log_fixture *f, uint64_t sequence, uint64_t offset, const void *data, size_t bytes)
{
	char path[128];
	log_file_path(f, sequence, path);
	int file = open(path, O_WRONLY);
	assert_true(file >= 0);
	assert_int_equal(pwrite(file, data, bytes, (off_t)offset), bytes);
	close(file);
}

uint64_t log_stat_of(struct log_fixture *f, size_t offset)
{
	struct log_writer_stats stats;
	log_writer_stats(f->writer, &stats);
	uint64_t value;
	memcpy(&value, (uint8_t *)&stats + offset, sizeof value);
	return value;
}

uint64_t log_offset_of_batch(struct log_fixture *f, uint64_t sequence, uint64_t number)
{
	char path[128];
	struct log_batch_header header;
	log_file_path(f, sequence, path);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	uint64_t offset = 0;
	do {
		offset += LOG_BLOCK_BYTES;
		assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
		assert_int_equal(fread(&header, sizeof header, 1, file), 1);
	} while (header.magic != LOG_BATCH_MAGIC || header.number != number);
	fclose(file);
	return offset;
}
