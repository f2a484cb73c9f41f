/* log_io.c: files of the operating system; pwrite and fdatasync. */
#include "recovery/log_io.h"

#include "cxl/error.h"
#include "cxl/mutant.h"
#include "recovery/log_io_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct log_io_pwrite {
	struct log_io io;
	bool started;
	struct log_io_result result;
};

static int file_make_directory(struct log_io *io, const char *path)
{
	(void)io;
	if (mkdir(path, 0700) == 0)
		return 1;
	return errno == EEXIST ? 0 : -errno;
}

static int file_lock_directory(struct log_io *io, const char *path)
{
	(void)io;
	int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	if (flock(file, LOCK_EX | LOCK_NB) == 0)
		return file;
	int error = errno;
	close(file);
	return -error;
}

static int file_list(struct log_io *io, const char *path, int (*entry)(void *context, const char *name), void *context)
{
	(void)io;
	DIR *directory = opendir(path);
	if (!directory)
		return -errno;
	int code = 0;
	while (code == 0) {
		errno = 0;
		const struct dirent *found = readdir(directory);
		if (!found) {
			code = -errno;
			break;
		}
		if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
			code = entry(context, found->d_name);
	}
	closedir(directory);
	return code;
}

static int file_sync_directory(struct log_io *io, const char *path)
{
	(void)io;
	int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	int code = fsync(file) == 0 ? 0 : -errno;
	close(file);
	return code;
}

static int file_rename(struct log_io *io, const char *from, const char *to)
{
	(void)io;
	return rename(from, to) == 0 ? 0 : -errno;
}

static int file_remove(struct log_io *io, const char *path)
{
	(void)io;
	return unlink(path) == 0 ? 0 : -errno;
}

static int file_open(struct log_io *io, const char *path, enum log_io_mode mode)
{
	static const int flags[] = {
	        [LOG_IO_READ] = O_RDONLY,
	        [LOG_IO_WRITE] = O_RDWR,
	        [LOG_IO_CREATE] = O_RDWR | O_CREAT | O_TRUNC,
	};
	(void)io;
	int file = open(path, flags[mode] | O_CLOEXEC, 0600);
	return file >= 0 ? file : -errno;
}

static int file_close(struct log_io *io, int file)
{
	(void)io;
	return close(file) == 0 ? 0 : -errno;
}

static int file_size(struct log_io *io, int file, uint64_t *bytes)
{
	struct stat status;
	(void)io;
	if (fstat(file, &status) != 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	*bytes = (uint64_t)status.st_size;
	return 0;
}

static int file_allocate(struct log_io *io, int file, uint64_t bytes)
{
	(void)io;
	/* Not fallocate(): on file systems that cannot reserve, the C library writes instead. */
	int error;
	do
		error = posix_fallocate(file, 0, (off_t)bytes);
	while (error == EINTR);
	return -error;
}

static ssize_t file_read(struct log_io *io, int file, void *data, size_t bytes, uint64_t offset)
{
	size_t done = 0;
	(void)io;
	while (done < bytes) {
		ssize_t n = pread(file, (uint8_t *)data + done, bytes - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int file_write(struct log_io *io, int file, const void *data, size_t bytes, uint64_t offset)
{
	size_t done = 0;
	(void)io;
	while (done < bytes) {
		ssize_t n = pwrite(file, (const uint8_t *)data + done, bytes - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int file_sync(struct log_io *io, int file)
{
	(void)io;
	return fdatasync(file) == 0 ? 0 : -errno;
}

static uint64_t file_random(struct log_io *io)
{
	uint64_t number = 0;
	(void)io;
	/* Up to 256 bytes are never interrupted once the kernel's generator is ready. */
	while (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
		;
	return number;
}

/* ---- pwrite and fdatasync ---- */

static int pwrite_register_buffers(struct log_io *io, void *const data[LOG_IO_BUFFERS], size_t bytes)
{
	(void)io, (void)data, (void)bytes;
	return 0; /* they need none */
}

static int pwrite_start(struct log_io *io, const struct log_io_write *write)
{
	struct log_io_pwrite *self = (struct log_io_pwrite *)io;
	ssize_t n;
	do
		n = pwrite(write->file, write->data, write->bytes, (off_t)write->offset);
	while (n < 0 && errno == EINTR);
	self->result.written = n < 0 ? -errno : n;
	self->result.sync = -ECANCELED;
	if (n == (ssize_t)write->bytes)
		self->result.sync = (MUTANT(LOG_SYNC) && write->offset > 0) || fdatasync(write->file) == 0 ? 0 : -errno;
	self->started = true;
	return 0;
}

static int pwrite_finish(struct log_io *io, bool wait, struct log_io_result *result)
{
	struct log_io_pwrite *self = (struct log_io_pwrite *)io;
	(void)wait;
	if (!self->started)
		return -EINVAL;
	self->started = false;
	*result = self->result;
	return 1;
}

static void pwrite_destroy(struct log_io *io)
{
	free(io);
}

const struct log_io_ops log_io_file_ops = {
        .make_directory = file_make_directory,
        .lock_directory = file_lock_directory,
        .list = file_list,
        .sync_directory = file_sync_directory,
        .rename = file_rename,
        .remove = file_remove,
        .open = file_open,
        .close = file_close,
        .size = file_size,
        .allocate = file_allocate,
        .read = file_read,
        .register_buffers = pwrite_register_buffers,
        .start = pwrite_start,
        .finish = pwrite_finish,
        .write = file_write,
        .sync = file_sync,
        .random = file_random,
        .destroy = pwrite_destroy,
};

int log_io_open(enum log_io_kind kind, struct log_io **io, struct lg_error *err)
{
	char note[sizeof((*io)->note)] = "";
	*io = NULL;
	if (kind != LOG_IO_PWRITE) {
		int error = 0;
		*io = log_io_uring_open(&error);
		if (*io)
			return LG_OK;
		if (kind == LOG_IO_URING)
			return error_set(err, LG_SYSTEM,
			        "cannot set up io_uring for the log: %s; allow it (sysctl kernel.io_uring_disabled, "
			        "seccomp), "
			        "or write the log with pwrite",
			        strerror(-error));
		snprintf(note, sizeof note,
		        "the log is written with pwrite and fdatasync, because io_uring cannot be set up: %s",
		        strerror(-error));
	}
	struct log_io_pwrite *self = calloc(1, sizeof *self);
	if (!self)
		return error_set(err, LG_SYSTEM, "no memory for the log's files");
	self->io.ops = &log_io_file_ops;
	memcpy(self->io.note, note, sizeof note);
	*io = &self->io;
	return LG_OK;
}

void log_io_close(struct log_io *io)
{
	if (io)
		io->ops->destroy(io);
}

int log_io_code(int error)
{
	if (error == -ENOSPC || error == -EDQUOT)
		return LG_NOSPACE;
	return error == -ENOENT ? LG_NOTFOUND : LG_SYSTEM;
}
