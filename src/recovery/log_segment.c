/* log_segment.c: the files of a writer: begun, used again, removed.
 *
 * The order in which a segment comes to be, and what a crash leaves after each step:
 *   1. a spare, or new.tmp with its space      a spare, or a new.tmp that the next one replaces
 *   2. the header is written and durable       the same
 *   3. it gets its name of the sequence        either name
 *   4. the directory is durable                an empty segment, which readers accept
 * and how one goes: renamed to a spare or removed, oldest first, the directory durable after each: no gap is ever left.
 */
#include "recovery/log_writer_private.h"

#include "cxl/error.h"
#include "cxl/mutant.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int failed(struct lg_error *err, int error, const char *what, const char *path)
{
	return error_set(err, log_io_code(error) == LG_NOSPACE ? LG_NOSPACE : LG_SYSTEM, "cannot %s %s: %s", what, path,
	        strerror(-error));
}

/* A spare of the right size, as an open file; -1: there is none. Those of another size are removed. */
static int open_spare(struct log_writer *w, uint64_t bytes, char path[LOG_PATH_BYTES])
{
	const struct log_io_ops *ops = w->io->ops;
	while (bytes == w->options.segment_bytes && w->dir.spare_count > 0) {
		uint64_t size = 0;
		log_spare_path(&w->dir, w->dir.spares[--w->dir.spare_count], path);
		int file = ops->open(w->io, path, LOG_IO_WRITE);
		if (file >= 0 && ops->size(w->io, file, &size) == 0 && size == bytes)
			return file;
		/* It is of no use, and of no harm if it stays. */
		if (file >= 0)
			(void)ops->close(w->io, file);
		(void)ops->remove(w->io, path);
	}
	return -1;
}

static int open_new(struct log_writer *w, uint64_t bytes, char path[LOG_PATH_BYTES], struct lg_error *err)
{
	const struct log_io_ops *ops = w->io->ops;
	log_new_path(&w->dir, path);
	int file = ops->open(w->io, path, LOG_IO_CREATE);
	if (file < 0) {
		failed(err, file, "make", path);
		return -1;
	}
	int code = ops->allocate(w->io, file, bytes);
	if (code == 0)
		return file;
	error_set(err, log_io_code(code) == LG_NOSPACE ? LG_NOSPACE : LG_SYSTEM,
	        "cannot reserve %" PRIu64 " MiB for the log segment %s: %s; make room on its file system", bytes >> 20,
	        path, strerror(-code));
	(void)ops->close(w->io, file);
	(void)ops->remove(w->io, path);
	return -1;
}

/* Writes the header and waits until it is durable. */
static int write_header(
        struct log_writer *w, int file, const struct log_segment_header *header, const char *path, struct lg_error *err)
{
	size_t done = 0;
	while (done < sizeof *header) {
		struct log_io_result result = {0};
		const struct log_io_write write = {
		        .file = file,
		        .buffer = -1,
		        .data = (const uint8_t *)header + done,
		        .bytes = sizeof *header - done,
		        .offset = done,
		};
		int code = w->io->ops->start(w->io, &write);
		if (code == 0)
			code = w->io->ops->finish(w->io, true, &result);
		if (code < 0)
			return failed(err, code, "write the header of the log segment", path);
		if (result.written == -EINTR)
			continue;
		if (result.written <= 0)
			return failed(err, result.written ? (int)result.written : -EIO,
			        "write the header of the log segment", path);
		done += (size_t)result.written;
		if (done == sizeof *header && result.sync != 0)
			return failed(err, result.sync, "sync (fdatasync) the header of the log segment", path);
	}
	return LG_OK;
}

static void fill_header(const struct log_writer *w, const struct log_segment *s, struct log_segment_header *header)
{
	memset(header, 0, sizeof *header);
	header->magic = LOG_SEGMENT_MAGIC;
	header->format_version = LOG_FORMAT_VERSION;
	header->host = w->identity.host;
	header->cookie = w->identity.cookie;
	header->incarnation = s->incarnation;
	header->sequence = s->sequence;
	header->salt = s->salt;
	header->segment_bytes = s->bytes;
	header->first_batch = s->first_batch;
	header->epoch_before = s->epoch_before;
	header->unfinished = s->unfinished;
	header->recycled = s->recycled;
	header->checksum = log_segment_checksum(header);
}

/* Steps 2 to 4, on an open file. */
static int enter_sequence(
        struct log_writer *w, int file, const struct log_segment *s, const char *made_as, struct lg_error *err)
{
	char path[LOG_PATH_BYTES];
	struct log_segment_header *header = aligned_alloc(LOG_BLOCK_BYTES, sizeof *header);
	if (!header)
		return error_set(err, LG_SYSTEM, "no memory for the header of a log segment");
	fill_header(w, s, header);
	int code = write_header(w, file, header, made_as, err);
	free(header);
	if (code != LG_OK)
		return code;
	log_segment_path(&w->dir, s->sequence, path);
	int error = w->io->ops->rename(w->io, made_as, path);
	if (error < 0)
		return failed(err, error, "name the log segment", path);
	error = MUTANT(LOG_NAME_SYNC) ? 0 : w->io->ops->sync_directory(w->io, w->dir.path);
	return error < 0 ? failed(err, error, "sync the log directory", w->dir.path) : LG_OK;
}

int log_segment_begin(struct log_writer *writer, uint64_t bytes, struct lg_error *err)
{
	struct log_writer *w = writer;
	char path[LOG_PATH_BYTES];
	uint64_t wanted = LOG_BLOCK_BYTES + bytes;
	if (wanted < w->options.segment_bytes)
		wanted = w->options.segment_bytes;
	int file = open_spare(w, wanted, path);
	const bool recycled = file >= 0;
	if (!recycled)
		file = open_new(w, wanted, path, err);
	if (file < 0)
		return err->code;
	struct log_segment segment = {
	        .sequence = w->dir.count ? w->dir.segments[w->dir.count - 1].sequence + 1 : 1,
	        .incarnation = w->identity.incarnation,
	        .salt = w->io->ops->random(w->io),
	        .bytes = wanted,
	        .first_batch = w->next_batch,
	        .epoch_before = w->durable_epoch,
	        .unfinished = w->unfinished,
	        .recycled = recycled,
	};
	if (w->in_flight.first)
		segment.first_batch = ((const struct log_batch_header *)(void *)w->in_flight.first->data)->number;
	int code = enter_sequence(w, file, &segment, path, err);
	if (code == LG_OK)
		code = log_dir_add(&w->dir, &segment, err);
	if (code != LG_OK) {
		(void)w->io->ops->close(w->io, file);
		/* A file whose sync failed is not to be trusted; if it was renamed already, this finds none. */
		(void)w->io->ops->remove(w->io, path);
		return code;
	}
	/* All that was acknowledged of the last segment is durable: its close has nothing to lose. */
	if (w->file >= 0)
		(void)w->io->ops->close(w->io, w->file);
	w->file = file;
	w->seed = log_segment_seed(segment.salt, segment.sequence);
	w->position = LOG_BLOCK_BYTES;
	w->stats.begun++;
	w->stats.reused += recycled;
	return LG_OK;
}

/* Does the oldest segment hold only entries of epochs before `epoch`? Its entries belong to epochs up to the first one
 * that is completed behind its last batch, which later headers tell. */
static bool is_old(const struct log_writer *w, uint64_t epoch)
{
	const struct log_segment *s = w->dir.segments;
	if (w->dir.count < 2 || s->youngest >= epoch)
		return false;
	if (!s[1].unfinished)
		return s[1].epoch_before < epoch;
	for (size_t i = 2; i < w->dir.count; i++)
		if (s[i].epoch_before > s[1].epoch_before)
			return s[i].epoch_before < epoch;
	return w->durable_epoch > s[1].epoch_before && w->durable_epoch < epoch;
}

static int retire_oldest(struct log_writer *w, struct lg_error *err)
{
	char path[LOG_PATH_BYTES], spare[LOG_PATH_BYTES];
	const struct log_io_ops *ops = w->io->ops;
	struct log_dir *dir = &w->dir;
	const bool keep =
	        dir->spare_count < w->options.spare_count && dir->segments[0].bytes == w->options.segment_bytes;
	log_segment_path(dir, dir->segments[0].sequence, path);
	log_spare_path(dir, w->next_spare, spare);
	int code = keep ? ops->rename(w->io, path, spare) : ops->remove(w->io, path);
	if (code < 0)
		return failed(err, code, "recycle the log segment", path);
	dir->count--;
	memmove(dir->segments, dir->segments + 1, dir->count * sizeof *dir->segments);
	code = ops->sync_directory(w->io, dir->path);
	/* Not before that may the file be written: it would be a damaged segment if the rename were lost. */
	if (code < 0)
		return failed(err, code, "sync the log directory", dir->path);
	w->next_spare++;
	return keep ? log_dir_add_spare(dir, w->next_spare - 1, err) : LG_OK;
}

int log_recycle(struct log_writer *writer, uint64_t epoch, uint32_t *count, struct lg_error *err)
{
	uint32_t done = 0;
	int code = LG_OK;
	while (code == LG_OK && is_old(writer, epoch)) {
		code = retire_oldest(writer, err);
		done += code == LG_OK;
	}
	if (count)
		*count = done;
	return code;
}
