/* log_reader.c: see log_reader.h.
 *
 * A window of memory moves over the segment's file in steps of READ_BYTES; entries are given where they lie in it.
 *
 * A log may be read while its host writes it. Then the window may be older than the file: it has zeros, or half a batch,
 * where a whole batch lies by now, and a later part of the file, read after it, has the batch behind that one. So
 * nothing is called damage before it was looked at once more with an empty window (next_batch()). Once is enough:
 * batch n + 1 is written only after batch n is durable, so who has seen any byte of n + 1 and then reads n, reads it
 * whole.
 * The list of segments is made before any batch is read, and a segment comes into it only after all batches before it
 * are durable: where a segment of the list contradicts what was read before it, no window was too old. Segments that
 * are begun later are not read, and the end of what is read lies behind all that was durable when the reader was opened.
 */
#include "recovery/log_reader.h"

#include "cxl/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 1 << 20 };

/* Returned between functions of this file: the segment has no further batch. */
enum { SEGMENT_END = LG_CODE_COUNT };

struct log_reader {
	struct log_io *io;
	bool owns_io;
	int file;  /* -1: none */
	int ended; /* code that log_reader_next() returns from now on; LG_OK: none yet */
	struct lg_error error;
	struct log_dir dir;
	char path[LOG_PATH_BYTES];         /* of the open segment */
	size_t index;                      /* of the open segment, or of the first to be opened */
	const struct log_segment *segment; /* the same; NULL: none yet */
	uint32_t seed;
	uint64_t file_bytes, position; /* where the next batch begins */
	bool repeats;                  /* the next batch is a copy of the last one */

	uint8_t *window;
	size_t window_capacity, window_bytes;
	uint64_t window_offset;

	struct log_batch_header batch; /* the current one */
	const uint8_t *at;             /* its next entry */
	uint32_t entries_left;

	bool has_last; /* a whole batch was seen; where the latest lies: */
	struct log_batch_header last;
	size_t last_index;
	uint64_t last_offset;

	struct log_found found;
};

void log_reader_options_init(struct log_reader_options *options)
{
	*options = (struct log_reader_options){.host = LOG_ANY_HOST};
}

const struct log_found *log_reader_found(const struct log_reader *reader)
{
	return &reader->found;
}

const struct log_dir *log_reader_dir(const struct log_reader *reader)
{
	return &reader->dir;
}

static int read_error(struct log_reader *r, uint64_t offset, int error)
{
	return error_set(
	        &r->error, LG_SYSTEM, "cannot read %s at offset %" PRIu64 ": %s", r->path, offset, strerror(-error));
}

/* So many bytes of the file from `offset` on, aligned as the file is. They lie within the file. NULL: r->error. */
static const uint8_t *window(struct log_reader *r, uint64_t offset, size_t bytes)
{
	assert(offset <= r->file_bytes && bytes <= r->file_bytes - offset && offset % LOG_BLOCK_BYTES == 0);
	uint64_t end = r->window_offset + r->window_bytes;
	if (offset < r->window_offset || offset > end)
		r->window_bytes = 0;
	size_t have = r->window_bytes ? (size_t)(end - offset) : 0;
	if (have >= bytes)
		return r->window + (offset - r->window_offset);
	size_t wanted = bytes > READ_BYTES ? bytes : READ_BYTES;
	if (wanted > r->file_bytes - offset)
		wanted = (size_t)(r->file_bytes - offset);
	const uint8_t *kept = have ? r->window + (offset - r->window_offset) : NULL;
	if (wanted > r->window_capacity) {
		size_t capacity = (size_t)log_block_align(wanted);
		uint8_t *more = aligned_alloc(LOG_BLOCK_BYTES, capacity);
		if (!more) {
			error_set(&r->error, LG_SYSTEM, "no memory to read %zu bytes of %s", capacity, r->path);
			return NULL;
		}
		if (have)
			memcpy(more, kept, have);
		free(r->window);
		r->window = more;
		r->window_capacity = capacity;
	} else if (have) {
		memmove(r->window, kept, have);
	}
	ssize_t got = r->io->ops->read(r->io, r->file, r->window + have, wanted - have, offset + have);
	r->window_offset = offset;
	r->window_bytes = 0;
	if (got < 0) {
		read_error(r, offset + have, (int)got);
		return NULL;
	}
	r->window_bytes = have + (size_t)got;
	if (r->window_bytes < wanted) {
		error_set(&r->error, LG_CORRUPT, "%s, offset %" PRIu64 ": the file became shorter while it was read",
		        r->path, offset + r->window_bytes);
		return NULL;
	}
	return r->window;
}

static bool header_is_whole(const struct log_batch_header *header, uint32_t seed)
{
	return header->magic == LOG_BATCH_MAGIC && log_header_checksum(header, seed) == header->header_checksum;
}

static bool is_zero(const uint8_t *data, size_t bytes)
{
	return data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0;
}

static int corrupt(struct log_reader *r, uint64_t offset, const char *what)
{
	return error_set(&r->error, LG_CORRUPT, "%s, offset %" PRIu64 ": %s", r->path, offset, what);
}

/* Notes that what begins at the position is a batch that was not finished. */
static void note_cut(struct log_reader *r, uint64_t bytes)
{
	r->found.cut = true;
	r->found.cut_offset = r->position;
	r->found.cut_bytes = bytes;
	memcpy(r->found.cut_file, r->path, sizeof r->found.cut_file);
}

/* At the position is no whole batch. Is it the end of the segment, or damage with batches behind it? `torn_bytes`: 0,
 * or what a batch would take whose header is whole. */
static int end_of_segment(struct log_reader *r, uint64_t torn_bytes)
{
	uint64_t expected = r->repeats ? r->last.number : r->found.next_batch, nonzero_end = 0;
	bool looks_torn = false;
	if (r->file_bytes != r->segment->bytes)
		return error_set(&r->error, LG_CORRUPT,
		        "%s, offset %" PRIu64 ": the file ends here, and its header says %" PRIu64 " bytes", r->path,
		        r->file_bytes, r->segment->bytes);
	for (uint64_t offset = r->position; offset < r->segment->bytes; offset += LOG_BLOCK_BYTES) {
		struct log_batch_header header;
		const uint8_t *block = window(r, offset, LOG_BLOCK_BYTES);
		if (!block)
			return r->error.code;
		memcpy(&header, block, sizeof header);
		if (header_is_whole(&header, r->seed) && header.number > expected)
			return error_set(&r->error, LG_CORRUPT,
			        "%s, offset %" PRIu64 ": batch %" PRIu64 " is damaged, and batch %" PRIu64
			        " follows at offset %" PRIu64,
			        r->path, r->position, expected, header.number, offset);
		if (offset == r->position)
			looks_torn = header.magic == LOG_BATCH_MAGIC && header.number == expected;
		if (!is_zero(block, LOG_BLOCK_BYTES))
			nonzero_end = offset + LOG_BLOCK_BYTES;
	}
	/* In a file that was used before, bytes of then are to be expected. */
	if (torn_bytes)
		note_cut(r, torn_bytes);
	else if (nonzero_end && !r->segment->recycled)
		note_cut(r, nonzero_end - r->position);
	else if (looks_torn)
		note_cut(r, LOG_BLOCK_BYTES);
	return SEGMENT_END;
}

/* The entries fill the batch exactly, each within it. They have their checksum: if not, the writer was wrong. */
static bool entries_fit(const struct log_batch_header *batch, const uint8_t *at)
{
	uint64_t left = batch->bytes;
	for (uint32_t i = 0; i < batch->entry_count; i++) {
		struct log_entry_header entry;
		if (left < sizeof entry)
			return false;
		memcpy(&entry, at, sizeof entry);
		uint64_t bytes = log_entry_align(sizeof entry + (uint64_t)entry.bytes);
		if (entry.bytes > LOG_ENTRY_BYTES_MAX || bytes > left)
			return false;
		at += bytes;
		left -= bytes;
	}
	return left == 0;
}

static bool same_content(const struct log_batch_header *a, const struct log_batch_header *b)
{
	return a->number == b->number && a->bytes == b->bytes && a->entry_count == b->entry_count &&
	       a->epoch == b->epoch && a->pod_durable_epoch == b->pod_durable_epoch &&
	       a->payload_checksum == b->payload_checksum;
}

/* A whole batch: the next one, or a copy of the last. */
static int take_batch(struct log_reader *r, const struct log_batch_header *header, const uint8_t *entries)
{
	struct log_found *found = &r->found;
	if (!entries_fit(header, entries))
		return corrupt(r, r->position, "the batch's checksums are right, but its entries do not fill it");
	if (r->repeats && !same_content(header, &r->last))
		return corrupt(r, r->position,
		        "the batch has the number of the last one of the segment before, and other content");
	if (!r->repeats && header->epoch != LOG_EPOCH_NONE && header->epoch <= found->last_epoch)
		return corrupt(r, r->position, "the batch completes an epoch that an earlier one has completed");
	found->cut = false;
	if (r->repeats) {
		found->copies++;
	} else {
		found->batches++;
		found->next_batch = header->number + 1;
		found->epoch_before_last = found->last_epoch;
		found->unfinished_before_last = found->unfinished;
		found->unfinished = header->epoch == LOG_EPOCH_NONE;
		if (!found->unfinished)
			found->last_epoch = header->epoch;
		if (header->pod_durable_epoch > found->pod_durable_epoch)
			found->pod_durable_epoch = header->pod_durable_epoch;
		r->batch = *header;
		r->at = entries;
		r->entries_left = header->entry_count;
	}
	r->repeats = false;
	r->has_last = true;
	r->last = *header;
	r->last_index = r->index;
	r->last_offset = r->position;
	r->position += log_batch_file_bytes(header->bytes);
	return LG_OK;
}

static int batch_at_position(struct log_reader *r)
{
	struct log_batch_header header;
	uint64_t expected = r->repeats ? r->last.number : r->found.next_batch;
	if (r->position == r->segment->bytes || r->file_bytes < r->position + LOG_BLOCK_BYTES)
		return end_of_segment(r, 0);
	const uint8_t *data = window(r, r->position, LOG_BLOCK_BYTES);
	if (!data)
		return r->error.code;
	memcpy(&header, data, sizeof header);
	if (!header_is_whole(&header, r->seed))
		return end_of_segment(r, 0);
	if (header.number != expected)
		return error_set(&r->error, LG_CORRUPT,
		        "%s, offset %" PRIu64 ": batch %" PRIu64 " stands where batch %" PRIu64 " must", r->path,
		        r->position, header.number, expected);
	uint64_t bytes = log_batch_file_bytes(header.bytes);
	if (header.bytes > LOG_BATCH_BYTES_MAX || bytes > r->segment->bytes - r->position)
		return corrupt(r, r->position, "the batch's header has its checksum, but a size that does not fit");
	if (bytes > r->file_bytes - r->position)
		return end_of_segment(r, bytes); /* which finds that the file is too short */
	data = window(r, r->position, (size_t)bytes);
	if (!data)
		return r->error.code;
	const uint8_t *entries = data + sizeof header;
	if (crc32c(0, entries, header.bytes) != header.payload_checksum)
		return end_of_segment(r, bytes);
	return take_batch(r, &header, entries);
}

/* The next batch. No entry of the one before it is needed any more: the window may be emptied. */
static int next_batch(struct log_reader *r)
{
	int code = batch_at_position(r);
	if (code == LG_CORRUPT) {
		r->window_bytes = 0;
		code = batch_at_position(r);
	}
	return code;
}

static void close_segment(struct log_reader *r)
{
	/* It was only read: nothing can be lost. */
	if (r->file >= 0)
		(void)r->io->ops->close(r->io, r->file);
	r->file = -1;
	r->window_bytes = 0;
}

static int open_segment(struct log_reader *r, size_t index)
{
	close_segment(r);
	r->index = index;
	r->segment = &r->dir.segments[index];
	r->seed = log_segment_seed(r->segment->salt, r->segment->sequence);
	r->position = LOG_BLOCK_BYTES;
	log_segment_path(&r->dir, r->segment->sequence, r->path);
	r->file = r->io->ops->open(r->io, r->path, LOG_IO_READ);
	if (r->file < 0)
		return error_set(&r->error, LG_SYSTEM, "cannot open %s: %s", r->path, strerror(-r->file));
	int code = r->io->ops->size(r->io, r->file, &r->file_bytes);
	if (code < 0)
		return error_set(&r->error, LG_SYSTEM, "cannot read the size of %s: %s", r->path, strerror(-code));
	if (r->file_bytes < LOG_BLOCK_BYTES)
		return corrupt(r, r->file_bytes, "the file ends within its header");
	r->found.segments++;
	r->found.incarnation = r->segment->incarnation;
	return LG_OK;
}

static int first_segment(struct log_reader *r, size_t index)
{
	const struct log_segment *first = &r->dir.segments[index];
	r->found.epoch_before = r->found.last_epoch = first->epoch_before;
	r->found.unfinished = first->unfinished;
	r->found.next_batch = first->first_batch;
	return open_segment(r, index);
}

/* Goes on with the first segment, or with the one behind the current; checks that it continues the log. */
static int next_segment(struct log_reader *r)
{
	if (!r->segment)
		return r->dir.count == 0 ? LG_END : first_segment(r, r->index);
	if (r->index + 1 == r->dir.count)
		return LG_END;
	const struct log_segment *next = &r->dir.segments[r->index + 1];
	/* The one before was empty, and the batch before that, which is copied here, was recycled. */
	if (!r->has_last && next->first_batch + 1 == r->found.next_batch)
		return first_segment(r, r->index + 1);
	/* It was listed before the batches in front of it were read: they were durable then. */
	if (next->first_batch > r->found.next_batch)
		return error_set(&r->error, LG_CORRUPT,
		        "%s, offset %" PRIu64 ": batch %" PRIu64 " is damaged or missing, and segment %" PRIu64
		        " goes on with batch %" PRIu64,
		        r->path, r->position, r->found.next_batch, next->sequence, next->first_batch);
	bool repeats = next->first_batch < r->found.next_batch;
	int code = open_segment(r, r->index + 1);
	if (code != LG_OK)
		return code;
	if (repeats && (!r->has_last || next->first_batch != r->last.number))
		return corrupt(r, 0, "the segment's header begins with a batch that lies far back");
	if (next->epoch_before > r->found.last_epoch)
		return corrupt(r, 0, "the segment's header tells of an epoch that no batch before it completes");
	r->repeats = repeats;
	return LG_OK;
}

static void give_entry(struct log_reader *r, struct log_entry *entry)
{
	struct log_entry_header header;
	memcpy(&header, r->at, sizeof header);
	*entry = (struct log_entry){
	        .type = header.type,
	        .flags = header.flags,
	        .bytes = header.bytes,
	        .body = r->at + sizeof header,
	        .epoch = r->batch.epoch,
	        .batch = r->batch.number,
	        .incarnation = r->segment->incarnation,
	        .file = r->path,
	        .offset = r->window_offset + (uint64_t)(r->at - r->window),
	};
	r->at += log_entry_align(sizeof header + (uint64_t)header.bytes);
	r->entries_left--;
	r->found.entries++;
	r->found.bytes += header.bytes;
}

int log_reader_next(struct log_reader *reader, struct log_entry *entry, struct lg_error *err)
{
	while (reader->ended == LG_OK) {
		if (reader->entries_left > 0) {
			give_entry(reader, entry);
			return LG_OK;
		}
		int code = reader->segment ? next_batch(reader) : SEGMENT_END;
		if (code == SEGMENT_END)
			code = next_segment(reader);
		reader->ended = code;
	}
	if (reader->ended != LG_END && err)
		*err = reader->error;
	return reader->ended;
}

/* Does the segment begin with a whole batch? False also where the file is too short: the reader finds that in its
 * turn. */
static int begins_with_batch(struct log_reader *r, size_t index, bool *begins)
{
	struct log_batch_header header;
	*begins = false;
	int code = open_segment(r, index);
	if (code != LG_OK)
		return code == LG_CORRUPT ? LG_OK : code;
	if (r->file_bytes < r->position + LOG_BLOCK_BYTES)
		return LG_OK;
	const uint8_t *data = window(r, r->position, LOG_BLOCK_BYTES);
	if (!data)
		return r->error.code;
	memcpy(&header, data, sizeof header);
	uint64_t bytes = log_batch_file_bytes(header.bytes);
	if (!header_is_whole(&header, r->seed) || header.number != r->segment->first_batch ||
	        header.bytes > LOG_BATCH_BYTES_MAX || bytes > r->file_bytes - r->position)
		return LG_OK;
	data = window(r, r->position, (size_t)bytes);
	if (!data)
		return r->error.code;
	*begins = crc32c(0, data + sizeof header, header.bytes) == header.payload_checksum;
	return LG_OK;
}

/* Goes back to the last segment that has a batch: several may be empty when a host was restarted again and again. */
static int seek_last(struct log_reader *r)
{
	bool begins = false;
	int code = LG_OK;
	size_t index = r->dir.count;
	while (code == LG_OK && !begins && index > 0)
		code = begins_with_batch(r, --index, &begins);
	close_segment(r);
	r->index = index;
	r->segment = NULL;
	r->found.segments = 0;
	return code;
}

int log_reader_open(
        const char *path, const struct log_reader_options *options, struct log_reader **reader, struct lg_error *err)
{
	struct log_reader_options defaults;
	log_reader_options_init(&defaults);
	if (!options)
		options = &defaults;
	*reader = NULL;
	struct log_reader *r = calloc(1, sizeof *r);
	if (!r)
		return error_set(err, LG_SYSTEM, "no memory to read the log %s", path);
	r->file = -1;
	r->io = options->io;
	r->found.next_batch = 1;
	int code = LG_OK;
	if (!r->io) {
		code = log_io_open(LOG_IO_PWRITE, &r->io, err);
		r->owns_io = true;
	}
	if (code == LG_OK)
		code = log_dir_read(r->io, path, options->cookie, options->host, &r->dir, err);
	if (code == LG_OK && options->last_only) {
		code = seek_last(r);
		if (code != LG_OK && err)
			*err = r->error;
	}
	if (code != LG_OK) {
		log_reader_close(r);
		return code;
	}
	if (r->dir.count > 0) {
		r->found.cookie = r->dir.cookie;
		r->found.host = r->dir.host;
		if (!options->last_only)
			r->found.epoch_before = r->dir.segments[0].epoch_before;
	}
	*reader = r;
	return LG_OK;
}

int log_reader_last_batch(
        struct log_reader *reader, struct log_batch_header **batch, size_t *bytes, struct lg_error *err)
{
	struct log_reader *r = reader;
	*batch = NULL;
	*bytes = 0;
	if (!r->has_last)
		return LG_OK;
	const size_t wanted = sizeof r->last + r->last.bytes;
	uint8_t *copy = malloc(wanted);
	if (!copy)
		return error_set(err, LG_SYSTEM, "no memory for a batch of %zu bytes of %s", wanted, r->path);
	const uint64_t offset = r->last_offset;
	int code = open_segment(r, r->last_index);
	ssize_t got = code == LG_OK ? r->io->ops->read(r->io, r->file, copy, wanted, offset) : 0;
	if (code == LG_OK && got < 0)
		code = read_error(r, offset, (int)got);
	if (code == LG_OK && ((size_t)got != wanted || memcmp(copy, &r->last, sizeof r->last) != 0 ||
	                             crc32c(0, copy + sizeof r->last, r->last.bytes) != r->last.payload_checksum))
		code = corrupt(r, offset, "the batch has changed while the log was read");
	if (code != LG_OK) {
		if (err)
			*err = r->error;
		free(copy);
		return code;
	}
	*batch = (struct log_batch_header *)(void *)copy;
	*bytes = wanted;
	return LG_OK;
}

void log_reader_close(struct log_reader *reader)
{
	if (!reader)
		return;
	close_segment(reader);
	free(reader->window);
	log_dir_free(&reader->dir);
	if (reader->owns_io)
		log_io_close(reader->io);
	free(reader);
}
