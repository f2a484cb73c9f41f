/* log_writer.c: see log_writer.h. Batches: gathered, submitted, written one after another. */
#include "recovery/log_writer.h"

#include "cxl/error.h"
#include "recovery/log_reader.h"
#include "recovery/log_writer_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void log_writer_options_init(struct log_writer_options *options)
{
	*options = (struct log_writer_options){
	        .segment_bytes = LOG_SEGMENT_BYTES,
	        .buffer_bytes = 4 << 20,
	        .gather_bytes = 256 << 20,
	        .spare_count = 4,
	        .kind = LOG_IO_AUTO,
	};
}

const char *log_writer_note(const struct log_writer *writer)
{
	return writer->io->note;
}

void log_note_epoch(struct log_writer *writer, uint64_t epoch)
{
	writer->youngest = epoch > writer->youngest ? epoch : writer->youngest;
}

uint64_t log_gathered_bytes(const struct log_writer *writer)
{
	return writer->gathered.bytes;
}

static struct log_batch_header *header_of(const struct log_batch *batch)
{
	return (struct log_batch_header *)(void *)batch->data;
}

/* ---- Memory ---- */

/* An empty batch with room for so many bytes: a registered buffer if one is free and large enough. NULL: no memory. */
static struct log_batch *batch_get(struct log_writer *w, size_t entry_bytes)
{
	const size_t wanted = (size_t)log_batch_file_bytes(entry_bytes);
	struct log_batch *batch = NULL;
	for (int i = 0; !batch && i < LOG_IO_BUFFERS; i++) {
		if (w->fixed_used[i] || w->fixed[i].capacity < wanted)
			continue;
		w->fixed_used[i] = true;
		batch = &w->fixed[i];
	}
	if (!batch) {
		batch = calloc(1, sizeof *batch);
		if (!batch)
			return NULL;
		batch->buffer = -1;
		batch->capacity = wanted > w->options.buffer_bytes ? wanted : w->options.buffer_bytes;
		batch->data = aligned_alloc(LOG_BLOCK_BYTES, batch->capacity);
		if (!batch->data) {
			free(batch);
			return NULL;
		}
	}
	batch->next = NULL;
	batch->used = sizeof(struct log_batch_header);
	batch->entry_count = 0;
	return batch;
}

static void batch_put(struct log_writer *w, struct log_batch *batch)
{
	if (batch->buffer >= 0) {
		w->fixed_used[batch->buffer] = false;
		return;
	}
	free(batch->data);
	free(batch);
}

static void queue_add(struct log_queue *queue, struct log_batch *batch)
{
	if (queue->last)
		queue->last->next = batch;
	else
		queue->first = batch;
	queue->last = batch;
	queue->memory += batch->capacity;
}

static void queue_clear(struct log_writer *w, struct log_queue *queue)
{
	while (queue->first) {
		struct log_batch *next = queue->first->next;
		batch_put(w, queue->first);
		queue->first = next;
	}
	*queue = (struct log_queue){0};
}

/* ---- Gathering ---- */

int log_reserve(
        struct log_writer *writer, uint16_t type, uint16_t flags, uint32_t bytes, void **body, struct lg_error *err)
{
	struct log_queue *queue = &writer->gathered;
	struct log_batch *batch = queue->last;
	*body = NULL;
	if (bytes > LOG_ENTRY_BYTES_MAX)
		return error_set(err, LG_LIMIT,
		        "an entry of %" PRIu32 " bytes is too long for the log: %u is the limit", bytes,
		        LOG_ENTRY_BYTES_MAX);
	const size_t needed = (size_t)log_entry_align(sizeof(struct log_entry_header) + (uint64_t)bytes);
	/* A full one is not grown: entries that were reserved in it may not have been filled yet. */
	if (!batch || batch->capacity - batch->used < needed ||
	        batch->used - sizeof(struct log_batch_header) + needed > LOG_BATCH_BYTES_MAX) {
		uint64_t memory = log_batch_file_bytes(needed);
		if (memory < writer->options.buffer_bytes)
			memory = writer->options.buffer_bytes;
		if (queue->first && queue->memory + memory > writer->options.gather_bytes)
			return error_set(err, LG_NOSPACE,
			        "%" PRIu64
			        " MiB of log entries wait to be written: the disk of %s does not keep up, or the "
			        "log has failed",
			        queue->memory >> 20, writer->dir.path);
		batch = batch_get(writer, needed);
		if (!batch)
			return error_set(err, LG_SYSTEM, "no memory for %zu bytes of log entries", needed);
		queue_add(queue, batch);
	}
	const struct log_entry_header header = {.bytes = bytes, .type = type, .flags = flags};
	uint8_t *at = batch->data + batch->used;
	memcpy(at, &header, sizeof header);
	memset(at + sizeof header + bytes, 0, needed - sizeof header - bytes);
	batch->used += needed;
	batch->entry_count++;
	queue->bytes += needed;
	*body = at + sizeof header;
	return LG_OK;
}

/* Fills all of the header but its checksum, which the segment decides. */
static void seal(struct log_writer *w, struct log_batch *batch, uint64_t epoch, uint64_t pod_durable_epoch)
{
	struct log_batch_header *header = header_of(batch);
	const uint32_t bytes = (uint32_t)(batch->used - sizeof *header);
	*header = (struct log_batch_header){
	        .magic = LOG_BATCH_MAGIC,
	        .number = w->next_batch++,
	        .bytes = bytes,
	        .entry_count = batch->entry_count,
	        .epoch = epoch,
	        .pod_durable_epoch = pod_durable_epoch,
	        .payload_checksum = crc32c(0, header + 1, bytes),
	};
	memset(batch->data + batch->used, 0, (size_t)log_block_align(batch->used) - batch->used);
}

/* ---- Writing ---- */

static int give_failure(const struct log_writer *w, struct lg_error *err)
{
	if (err)
		*err = w->failure;
	return w->failure.code;
}

static int fail(struct log_writer *w, int error, const char *what, uint64_t bytes)
{
	char path[LOG_PATH_BYTES];
	log_segment_path(&w->dir, w->dir.segments[w->dir.count - 1].sequence, path);
	const int code = log_io_code(error) == LG_NOSPACE ? LG_NOSPACE : LG_SYSTEM;
	return error_set(&w->failure, code,
	        "cannot %s %" PRIu64 " bytes at offset %" PRIu64
	        " of %s: %s; nothing more is acknowledged until the log "
	        "is reopened: %s first",
	        what, bytes, w->position + w->written, path, strerror(-error),
	        code == LG_NOSPACE ? "make room on its file system" : "look after its disk");
}

/* Starts to write the first batch in flight, or the rest of it. */
static int start_first(struct log_writer *w)
{
	struct log_batch *batch = w->in_flight.first;
	assert(batch);
	const size_t bytes = (size_t)log_block_align(batch->used);
	const uint64_t segment_bytes = w->dir.segments[w->dir.count - 1].bytes;
	if (w->written == 0 && bytes > segment_bytes - w->position) {
		int code = log_segment_begin(w, bytes, &w->failure);
		if (code != LG_OK)
			return code;
	}
	w->dir.segments[w->dir.count - 1].youngest = w->youngest;
	struct log_batch_header *header = header_of(batch);
	header->header_checksum = log_header_checksum(header, w->seed);
	const struct log_io_write write = {
	        .file = w->file,
	        .buffer = batch->buffer,
	        .data = batch->data + w->written,
	        .bytes = bytes - w->written,
	        .offset = w->position + w->written,
	};
	int code = w->io->ops->start(w->io, &write);
	if (code < 0)
		return fail(w, code, "write", write.bytes);
	w->started = true;
	return LG_OK;
}

/* The first batch in flight is durable. */
static void finish_first(struct log_writer *w)
{
	struct log_batch *batch = w->in_flight.first;
	const struct log_batch_header *header = header_of(batch);
	const uint64_t bytes = log_block_align(batch->used);
	w->position += bytes;
	w->written = 0;
	w->stats.batches++;
	w->stats.bytes += bytes;
	w->unfinished = header->epoch == LOG_EPOCH_NONE;
	if (!w->unfinished)
		w->durable_epoch = header->epoch;
	w->in_flight.first = batch->next;
	w->in_flight.memory -= batch->capacity;
	if (!batch->next)
		w->in_flight = (struct log_queue){0};
	batch_put(w, batch);
}

/* Takes what the disk answers, and goes on with the next batch. LG_OK: nothing is in flight; LG_INUSE; the failure. */
static int advance(struct log_writer *w, bool wait)
{
	while (w->failure.code == LG_OK && w->in_flight.first) {
		struct log_io_result result = {0};
		const size_t left = (size_t)log_block_align(w->in_flight.first->used) - w->written;
		assert(w->started);
		int code = w->io->ops->finish(w->io, wait, &result);
		if (code == 0)
			return LG_INUSE;
		w->started = false;
		if (code < 0)
			return fail(w, code, "learn what became of", left);
		if (result.written < 0 && result.written != -EINTR)
			return fail(w, (int)result.written, "write", left);
		if (result.written == 0)
			return fail(w, -EIO, "write", left);
		if (result.written > 0)
			w->written += (size_t)result.written;
		if ((size_t)(result.written > 0 ? result.written : 0) == left) {
			if (result.sync != 0) {
				/* The message names the batch, not what lies behind it. */
				w->written = 0;
				return fail(
				        w, result.sync, "sync (fdatasync)", log_block_align(w->in_flight.first->used));
			}
			finish_first(w);
			if (!w->in_flight.first)
				break;
		}
		code = start_first(w);
		if (code != LG_OK)
			return code;
	}
	return w->failure.code;
}

int log_submit(struct log_writer *writer, uint64_t epoch, uint64_t pod_durable_epoch, struct lg_error *err)
{
	struct log_writer *w = writer;
	if (w->failure.code != LG_OK)
		return give_failure(w, err);
	if (w->in_flight.first)
		return error_set(err, LG_INUSE, "the last batch of the log is still being written: poll first");
	if (epoch != LOG_EPOCH_NONE && epoch <= w->submitted_epoch)
		return error_set(err, LG_INVALID,
		        "epoch %" PRIu64 " is not after epoch %" PRIu64 ", which the log has completed", epoch,
		        w->submitted_epoch);
	if (!w->gathered.first) {
		if (epoch == LOG_EPOCH_NONE)
			return LG_OK;
		struct log_batch *empty = batch_get(w, 0);
		if (!empty)
			return error_set(err, LG_SYSTEM, "no memory for a batch of the log");
		queue_add(&w->gathered, empty);
	}
	/* Of several batches the last completes the epoch. */
	for (struct log_batch *batch = w->gathered.first; batch; batch = batch->next)
		seal(w, batch, batch->next ? LOG_EPOCH_NONE : epoch, pod_durable_epoch);
	if (epoch != LOG_EPOCH_NONE)
		w->submitted_epoch = epoch;
	w->in_flight = w->gathered;
	w->gathered = (struct log_queue){0};
	return start_first(w) == LG_OK ? LG_OK : give_failure(w, err);
}

int log_poll(struct log_writer *writer, uint64_t *durable_epoch, struct lg_error *err)
{
	int code = advance(writer, false);
	if (durable_epoch)
		*durable_epoch = writer->durable_epoch;
	return code == LG_OK || code == LG_INUSE ? code : give_failure(writer, err);
}

int log_wait(struct log_writer *writer, uint64_t *durable_epoch, struct lg_error *err)
{
	int code = advance(writer, true);
	assert(code != LG_INUSE);
	if (durable_epoch)
		*durable_epoch = writer->durable_epoch;
	return code == LG_OK ? LG_OK : give_failure(writer, err);
}

int log_reopen(struct log_writer *writer, struct lg_error *err)
{
	struct log_writer *w = writer;
	if (w->failure.code == LG_OK)
		return error_set(err, LG_INVALID, "the log of %s has not failed", w->dir.path);
	w->written = 0;
	struct lg_error error = {0};
	uint64_t bytes = w->in_flight.first ? log_block_align(w->in_flight.first->used) : 0;
	if (log_segment_begin(w, bytes, &error) != LG_OK) {
		w->failure = error;
		return give_failure(w, err);
	}
	w->failure = (struct lg_error){0};
	if (w->in_flight.first && start_first(w) != LG_OK)
		return give_failure(w, err);
	return LG_OK;
}

void log_writer_stats(const struct log_writer *writer, struct log_writer_stats *stats)
{
	*stats = writer->stats;
	stats->segments = writer->dir.count;
	stats->sequence = writer->dir.count ? writer->dir.segments[writer->dir.count - 1].sequence : 0;
	stats->durable_epoch = writer->durable_epoch;
}

/* ---- Opening and closing ---- */

static int check_options(const struct log_writer_options *o, const struct log_identity *identity, struct lg_error *err)
{
	if (o->segment_bytes % LOG_BLOCK_BYTES != 0 || o->segment_bytes < LOG_SEGMENT_MIN ||
	        o->segment_bytes > LOG_SEGMENT_MAX)
		return error_set(err, LG_INVALID,
		        "a log segment of %" PRIu64 " bytes: it must be a multiple of 4 KiB, from 16 KiB to 4 GiB",
		        o->segment_bytes);
	if (o->buffer_bytes % LOG_BLOCK_BYTES != 0 || o->buffer_bytes < LOG_BLOCK_BYTES ||
	        o->buffer_bytes > LOG_BATCH_BYTES_MAX)
		return error_set(err, LG_INVALID,
		        "log buffers of %" PRIu64 " bytes: a multiple of 4 KiB, from 4 KiB to %u MiB, is needed",
		        o->buffer_bytes, LOG_BATCH_BYTES_MAX >> 20);
	if (identity->cookie == 0 || identity->host >= LG_MAX_HOSTS)
		return error_set(err, LG_INVALID,
		        "a log belongs to a pod, whose cookie is not 0, and to a host from 0 to %d", LG_MAX_HOSTS - 1);
	return LG_OK;
}

/* Makes a directory; if it was not there, its name is durable too. */
static int make_directory(struct log_io *io, const char *path, struct lg_error *err)
{
	int code = io->ops->make_directory(io, path);
	if (code == 0)
		return LG_OK;
	if (code > 0) {
		char parent[LOG_PATH_BYTES];
		size_t length = strlen(path);
		/* What stands before the last name: slashes at the end are no name. */
		while (length > 1 && path[length - 1] == '/')
			length--;
		while (length > 0 && path[length - 1] != '/')
			length--;
		snprintf(parent, sizeof parent, "%.*s", (int)(length ? length : 1), length ? path : ".");
		code = io->ops->sync_directory(io, parent);
	}
	if (code == 0)
		return LG_OK;
	return error_set(err, log_io_code(code), "cannot make the log directory %s: %s", path, strerror(-code));
}

static int open_directory(struct log_writer *w, const char *directory, struct lg_error *err)
{
	int code = log_dir_name(directory, w->identity.host, w->dir.path, sizeof w->dir.path, err);
	if (code == LG_OK)
		code = make_directory(w->io, directory, err);
	if (code == LG_OK)
		code = make_directory(w->io, w->dir.path, err);
	if (code != LG_OK)
		return code;
	w->lock = w->io->ops->lock_directory(w->io, w->dir.path);
	if (w->lock == -EWOULDBLOCK)
		return error_set(err, LG_INUSE, "another process writes the log %s", w->dir.path);
	if (w->lock < 0)
		return error_set(
		        err, LG_SYSTEM, "cannot lock the log directory %s: %s", w->dir.path, strerror(-w->lock));
	return LG_OK;
}

static int get_buffers(struct log_writer *w, struct lg_error *err)
{
	void *data[LOG_IO_BUFFERS];
	for (int i = 0; i < LOG_IO_BUFFERS; i++) {
		data[i] = aligned_alloc(LOG_BLOCK_BYTES, w->options.buffer_bytes);
		if (!data[i])
			return error_set(err, LG_SYSTEM, "no memory for the log's buffers");
		w->fixed[i] = (struct log_batch){.data = data[i], .capacity = w->options.buffer_bytes, .buffer = i};
	}
	int code = w->io->ops->register_buffers(w->io, data, w->options.buffer_bytes);
	return code < 0 ? error_set(err, LG_SYSTEM, "cannot register the log's buffers: %s", strerror(-code)) : LG_OK;
}

/* The last whole batch of the log so far is in flight again. */
static int repeat_last(struct log_writer *w, struct log_reader *reader, struct lg_error *err)
{
	struct log_batch_header *last;
	size_t bytes;
	int code = log_reader_last_batch(reader, &last, &bytes, err);
	if (code != LG_OK || !last)
		return code;
	struct log_batch *batch = batch_get(w, bytes - sizeof *last);
	if (batch) {
		memcpy(batch->data, last, bytes);
		memset(batch->data + bytes, 0, (size_t)log_block_align(bytes) - bytes);
		batch->used = bytes;
		batch->entry_count = last->entry_count;
		queue_add(&w->in_flight, batch);
	}
	free(last);
	return batch ? LG_OK : error_set(err, LG_SYSTEM, "no memory for a batch of %zu bytes of the log", bytes);
}

/* Takes over the list of segments and spares, and where the log ends. */
static int take_over(struct log_writer *w, struct log_reader *reader, struct lg_error *err)
{
	const struct log_found *found = log_reader_found(reader);
	const struct log_dir *dir = log_reader_dir(reader);
	int code = LG_OK;
	for (size_t i = 0; code == LG_OK && i < dir->count; i++)
		code = log_dir_add(&w->dir, &dir->segments[i], err);
	for (size_t i = 0; code == LG_OK && i < dir->spare_count; i++) {
		code = log_dir_add_spare(&w->dir, dir->spares[i], err);
		if (w->next_spare <= dir->spares[i])
			w->next_spare = dir->spares[i] + 1;
	}
	if (code == LG_OK)
		code = repeat_last(w, reader, err);
	w->next_batch = found->next_batch;
	w->submitted_epoch = found->last_epoch;
	w->durable_epoch = w->in_flight.first ? found->epoch_before_last : found->last_epoch;
	w->unfinished = w->in_flight.first ? found->unfinished_before_last : found->unfinished;
	return code;
}

static int find_end(struct log_writer *w, struct lg_error *err)
{
	struct log_reader_options options;
	struct log_reader *reader;
	struct log_entry entry;
	log_reader_options_init(&options);
	options.cookie = w->identity.cookie;
	options.host = w->identity.host;
	options.last_only = true;
	options.io = w->io;
	int code = log_reader_open(w->dir.path, &options, &reader, err);
	if (code != LG_OK)
		return code;
	do
		code = log_reader_next(reader, &entry, err);
	while (code == LG_OK);
	if (code == LG_END && log_reader_found(reader)->incarnation > w->identity.incarnation)
		code = error_set(err, LG_INVALID,
		        "the log %s was written by incarnation %" PRIu64
		        " of the host, and this is incarnation %" PRIu64,
		        w->dir.path, log_reader_found(reader)->incarnation, w->identity.incarnation);
	if (code == LG_END)
		code = take_over(w, reader, err);
	log_reader_close(reader);
	return code;
}

int log_writer_open(const char *directory, const struct log_identity *identity,
        const struct log_writer_options *options, struct log_writer **writer, struct lg_error *err)
{
	struct lg_error error = {0};
	*writer = NULL;
	struct log_writer *w = calloc(1, sizeof *w);
	if (!w)
		return error_set(err, LG_SYSTEM, "no memory for a log writer");
	log_writer_options_init(&w->options);
	if (options)
		w->options = *options;
	w->identity = *identity;
	w->lock = w->file = -1;
	w->io = w->options.io;
	int code = check_options(&w->options, identity, &error);
	if (code == LG_OK && !w->io) {
		code = log_io_open(w->options.kind, &w->io, &error);
		w->owns_io = code == LG_OK;
	}
	if (code == LG_OK)
		code = open_directory(w, directory, &error);
	if (code == LG_OK)
		code = get_buffers(w, &error);
	if (code == LG_OK)
		code = find_end(w, &error);
	if (code == LG_OK)
		code = log_segment_begin(w, w->in_flight.first ? log_block_align(w->in_flight.first->used) : 0, &error);
	if (code == LG_OK && w->in_flight.first) {
		code = start_first(w);
		code = code == LG_OK ? advance(w, true) : code;
		error = w->failure;
	}
	if (code != LG_OK) {
		if (err)
			*err = error;
		(void)log_writer_close(w, NULL);
		return code;
	}
	w->stats.batches = w->stats.bytes = 0;
	*writer = w;
	return LG_OK;
}

int log_writer_close(struct log_writer *writer, struct lg_error *err)
{
	struct log_writer *w = writer;
	if (!w)
		return LG_OK;
	/* The kernel may still read the buffers. */
	int code = w->started ? advance(w, true) : w->failure.code;
	if (code != LG_OK)
		give_failure(w, err);
	if (w->file >= 0)
		(void)w->io->ops->close(w->io, w->file);
	if (w->lock >= 0)
		(void)w->io->ops->close(w->io, w->lock);
	queue_clear(w, &w->in_flight);
	queue_clear(w, &w->gathered);
	if (w->owns_io)
		log_io_close(w->io);
	for (int i = 0; i < LOG_IO_BUFFERS; i++)
		free(w->fixed[i].data);
	log_dir_free(&w->dir);
	free(w);
	return code;
}
