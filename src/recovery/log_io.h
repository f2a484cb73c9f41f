/* log_io.h: the file operations of logs and checkpoints, behind a table of functions: real ones, and in their place whatever a test
 * or a simulator puts there.
 *
 * Each function returns 0, or what is said at it, or the negative of an errno. A struct log_io belongs to one log
 * writer or reader at a time and to one thread.
 */
#ifndef LIGER_RECOVERY_LOG_IO_H
#define LIGER_RECOVERY_LOG_IO_H

#include <liger.h>
#include <sys/types.h>

struct log_io;

enum log_io_mode {
	LOG_IO_READ,   /* an existing file, to read */
	LOG_IO_WRITE,  /* an existing file, to write */
	LOG_IO_CREATE, /* a new file, in place of what is there */
};

struct log_io_write {
	int file;
	int buffer; /* number of the registered buffer that data lies in; -1: none */
	const void *data;
	size_t bytes;
	uint64_t offset;
};

struct log_io_result {
	ssize_t written; /* perhaps less than asked for; or the negative of an errno */
	int sync;        /* 0: all that was written to the file is durable; else the negative of an errno */
};

enum { LOG_IO_BUFFERS = 2 };

struct log_io_ops {
	/* 1: made; 0: it was there. */
	int (*make_directory)(struct log_io *io, const char *path);
	/* Keeps other writers out, until the file that it returns is closed. -EWOULDBLOCK: another has it. */
	int (*lock_directory)(struct log_io *io, const char *path);
	/* Calls `entry` with each name but "." and "..", until it returns a number that is not 0, which is returned. */
	int (*list)(struct log_io *io, const char *path, int (*entry)(void *context, const char *name), void *context);
	/* What was made, renamed and removed in the directory is durable. */
	int (*sync_directory)(struct log_io *io, const char *path);
	int (*rename)(struct log_io *io, const char *from, const char *to);
	int (*remove)(struct log_io *io, const char *path);
	/* A file: a number from 0. */
	int (*open)(struct log_io *io, const char *path, enum log_io_mode mode);
	int (*close)(struct log_io *io, int file);
	int (*size)(struct log_io *io, int file, uint64_t *bytes);
	/* Gives a new file its space and its size; it reads as zeros. */
	int (*allocate)(struct log_io *io, int file, uint64_t bytes);
	/* Bytes read: fewer than asked for at the end of the file only. */
	ssize_t (*read)(struct log_io *io, int file, void *data, size_t bytes, uint64_t offset);
	/* Tells of the buffers that most writes of start() will come from. */
	int (*register_buffers)(struct log_io *io, void *const data[LOG_IO_BUFFERS], size_t bytes);
	/* Starts to write and then to make durable all that the file holds. One at a time; data stays untouched until
	 * finish() has returned 1. */
	int (*start)(struct log_io *io, const struct log_io_write *write);
	/* 1: what was started is done, *result is filled. 0: not yet, never with `wait`. */
	int (*finish)(struct log_io *io, bool wait, struct log_io_result *result);
	/* All of the bytes, at once, or a part of them and an error: for what is made durable later, by sync(). Neither
	 * touches what start() has begun. */
	int (*write)(struct log_io *io, int file, const void *data, size_t bytes, uint64_t offset);
	/* All that was written to the file is durable. */
	int (*sync)(struct log_io *io, int file);
	uint64_t (*random)(struct log_io *io);
	void (*destroy)(struct log_io *io);
};

struct log_io {
	const struct log_io_ops *ops;
	/* A sentence for the operator when it works otherwise than it was asked to; else empty. */
	char note[256];
};

enum log_io_kind {
	LOG_IO_AUTO,   /* io_uring; where that is not allowed pwrite and fdatasync, and io->note says why */
	LOG_IO_URING,  /* io_uring, or an error */
	LOG_IO_PWRITE, /* pwrite and fdatasync: start() does all the work and blocks */
};

/* The real thing. LG_OK; LG_SYSTEM. */
int log_io_open(enum log_io_kind kind, struct log_io **io, struct lg_error *err);
/* io may be NULL. */
void log_io_close(struct log_io *io);

/* For messages: LG_NOSPACE where the disk is full, LG_NOTFOUND, else LG_SYSTEM. `error` is negative. */
int log_io_code(int error);

#endif
