/* log_io_uring.c: a write and an fdatasync as two linked requests, from buffers that the kernel knows already.
 *
 * When the write fails or is short, the kernel cancels the fdatasync: the caller goes on with the rest.
 */
#include "recovery/log_io_private.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_WRITE = 1, REQUEST_SYNC = 2, RING_ENTRIES = 4 };

struct log_io_uring {
	struct log_io io;
	struct log_io_ops ops; /* those of files, with start and so on replaced */
	struct io_uring ring;
	bool registered;
	int broken;       /* not 0: the ring cannot be used any more, and why */
	unsigned pending; /* requests whose completion has not been seen */
	struct log_io_result result;
};

static int uring_register_buffers(struct log_io *io, void *const data[LOG_IO_BUFFERS], size_t bytes)
{
	struct log_io_uring *self = (struct log_io_uring *)io;
	struct iovec vectors[LOG_IO_BUFFERS];
	/* Those of the writer before. */
	if (self->registered)
		(void)io_uring_unregister_buffers(&self->ring);
	for (int i = 0; i < LOG_IO_BUFFERS; i++)
		vectors[i] = (struct iovec){.iov_base = data[i], .iov_len = bytes};
	int code = io_uring_register_buffers(&self->ring, vectors, LOG_IO_BUFFERS);
	self->registered = code == 0;
	/* The limit on locked memory is small by default. Writing works all the same, a little slower. */
	if (code != 0)
		snprintf(io->note, sizeof io->note,
		        "the log's buffers (2 of %zu KiB) are not registered with io_uring: %s; raise RLIMIT_MEMLOCK",
		        bytes >> 10, strerror(-code));
	return 0;
}

static int uring_start(struct log_io *io, const struct log_io_write *write)
{
	struct log_io_uring *self = (struct log_io_uring *)io;
	assert(write->bytes <= UINT32_MAX);
	if (self->broken)
		return self->broken;
	/* Only after finish() has failed: what became of the last write is not known. */
	if (self->pending > 0)
		return -EBUSY;
	struct io_uring_sqe *first = io_uring_get_sqe(&self->ring);
	struct io_uring_sqe *second = io_uring_get_sqe(&self->ring);
	/* The ring is empty when nothing is pending. */
	assert(first && second);
	if (self->registered && write->buffer >= 0)
		io_uring_prep_write_fixed(
		        first, write->file, write->data, (unsigned)write->bytes, write->offset, write->buffer);
	else
		io_uring_prep_write(first, write->file, write->data, (unsigned)write->bytes, write->offset);
	io_uring_sqe_set_flags(first, IOSQE_IO_LINK);
	io_uring_sqe_set_data64(first, REQUEST_WRITE);
	io_uring_prep_fsync(second, write->file, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data64(second, REQUEST_SYNC);
	self->result = (struct log_io_result){.written = -EIO, .sync = -EIO};
	int taken;
	do
		taken = io_uring_submit(&self->ring);
	while (taken == -EINTR || taken == -EAGAIN || taken == -EBUSY);
	if (taken == 2) {
		self->pending = 2;
		return 0;
	}
	/* The kernel had no memory for the request. What it did not take still lies in the ring, and must never be
	 * sent: a sync that is not linked behind its write would not wait for it. */
	self->broken = taken < 0 ? taken : -EIO;
	self->pending = taken > 0 ? 1 : 0;
	return taken > 0 ? 0 : self->broken;
}

static int uring_finish(struct log_io *io, bool wait, struct log_io_result *result)
{
	struct log_io_uring *self = (struct log_io_uring *)io;
	while (self->pending > 0) {
		struct io_uring_cqe *completion = NULL;
		int code = wait ? io_uring_wait_cqe(&self->ring, &completion)
		                : io_uring_peek_cqe(&self->ring, &completion);
		if (code == -EAGAIN && !wait)
			return 0;
		if (code == -EINTR || code == -EAGAIN)
			continue;
		if (code < 0)
			return code;
		if (io_uring_cqe_get_data64(completion) == REQUEST_WRITE)
			self->result.written = completion->res;
		else
			self->result.sync = completion->res;
		io_uring_cqe_seen(&self->ring, completion);
		self->pending--;
	}
	*result = self->result;
	return 1;
}

static void uring_destroy(struct log_io *io)
{
	struct log_io_uring *self = (struct log_io_uring *)io;
	struct log_io_result ignored;
	/* The kernel may still read the buffers. */
	if (self->pending > 0 && uring_finish(io, true, &ignored) < 0)
		self->pending = 0;
	io_uring_queue_exit(&self->ring);
	free(self);
}

struct log_io *log_io_uring_open(int *error)
{
	struct log_io_uring *self = calloc(1, sizeof *self);
	if (!self) {
		*error = -ENOMEM;
		return NULL;
	}
	*error = io_uring_queue_init(RING_ENTRIES, &self->ring, 0);
	if (*error != 0) {
		free(self);
		return NULL;
	}
	self->ops = log_io_file_ops;
	self->ops.register_buffers = uring_register_buffers;
	self->ops.start = uring_start;
	self->ops.finish = uring_finish;
	self->ops.destroy = uring_destroy;
	self->io.ops = &self->ops;
	return &self->io;
}
