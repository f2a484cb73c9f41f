/* checkpoint_writer.c: see checkpoint_writer.h.
 *
 * Entries are gathered in `raw` until the next one would not fit; then they are compressed into `block`, header and frame
 * one behind the other, and written by one call. An entry that is greater than all of `raw` gets memory and a block of its
 * own.
 */
#include "recovery/checkpoint_writer.h"

#include "cxl/crash_point.h"
#include "cxl/error.h"
#include "cxl/mutant.h"
#include "cxl/word.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	SYNC_BYTES = 4 << 20,         /* of the file, not yet durable */
	BURST_NS = 100 * 1000 * 1000, /* of the past, which may be made up for */
};

struct checkpoint_writer {
	struct log_io *io;
	bool owns_io;
	int file;                                   /* -1: none */
	bool made;                                  /* checkpoint.tmp is there */
	struct lg_error failure;                    /* code LG_OK: it has not failed */
	char path[LOG_PATH_BYTES - LOG_NAME_BYTES]; /* DIR/host-NN */
	char temporary[LOG_PATH_BYTES];
	struct checkpoint_info info; /* file_bytes: written so far */
	uint64_t synced_bytes;
	uint32_t seed, blocks_checksum;

	ZSTD_CCtx *zstd;
	uint8_t *raw; /* CHECKPOINT_BLOCK_BYTES */
	uint32_t raw_bytes, entry_count;
	uint8_t *block; /* checkpoint_block_room() of that */

	uint64_t bytes_per_ms; /* 0: no limit */
	uint64_t gathered_bytes, paced_bytes;
	bool paced;                 /* checkpoint_pause_ns() was called */
	uint64_t due_ns, remainder; /* when the paced bytes may have been put; and what the division left */
};

/* ---- Failing ---- */

static void remove_temporary(struct checkpoint_writer *w)
{
	/* Nothing in it counts. If it cannot be removed, the next checkpoint replaces it. */
	if (w->file >= 0)
		(void)w->io->ops->close(w->io, w->file);
	if (w->made)
		(void)w->io->ops->remove(w->io, w->temporary);
	w->file = -1;
	w->made = false;
}

static int give_failure(const struct checkpoint_writer *w, struct lg_error *err)
{
	if (err)
		*err = w->failure;
	return w->failure.code;
}

/* `what` says what was to be done; it ends before the name of the file. */
static int fail(struct checkpoint_writer *w, int error, const char *what, const char *file)
{
	const int code = log_io_code(error) == LG_NOSPACE ? LG_NOSPACE : LG_SYSTEM;
	error_set(&w->failure, code,
	        "cannot %s %s: %s; the checkpoint is given up, the one before it and the log stay as they are; %s",
	        what, file, strerror(-error),
	        code == LG_NOSPACE ? "make room on its file system" : "look after its disk");
	remove_temporary(w);
	return code;
}

/* ---- Writing ---- */

static int write_bytes(struct checkpoint_writer *w, const void *data, size_t bytes)
{
	int code = w->io->ops->write(w->io, w->file, data, bytes, w->info.file_bytes);
	if (code < 0) {
		char what[96];
		snprintf(what, sizeof what, "write %zu bytes at offset %" PRIu64 " of", bytes, w->info.file_bytes);
		return fail(w, code, what, w->temporary);
	}
	w->info.file_bytes += bytes;
	if (w->info.file_bytes - w->synced_bytes < SYNC_BYTES)
		return LG_OK;
	code = w->io->ops->sync(w->io, w->file);
	w->synced_bytes = w->info.file_bytes;
	return code < 0 ? fail(w, code, "sync (fdatasync)", w->temporary) : LG_OK;
}

/* Compresses entries into `block`, and writes that. */
static int write_block(
        struct checkpoint_writer *w, const void *raw, uint32_t raw_bytes, uint32_t entry_count, void *block)
{
	size_t bytes = 0;
	const char *why = checkpoint_block_encode(
	        w->zstd, w->seed, w->info.counts.blocks, raw, raw_bytes, entry_count, block, &bytes);
	if (why) {
		error_set(&w->failure, LG_SYSTEM, "cannot compress a block of %s: %s", w->temporary, why);
		remove_temporary(w);
		return LG_SYSTEM;
	}
	w->blocks_checksum = crc32c(w->blocks_checksum, block, sizeof(struct checkpoint_block_header));
	w->info.counts.blocks++;
	w->info.counts.raw_bytes += raw_bytes;
	return write_bytes(w, block, bytes);
}

/* Writes what was gathered. */
static int flush(struct checkpoint_writer *w)
{
	if (w->failure.code != LG_OK || w->raw_bytes == 0)
		return w->failure.code;
	int code = write_block(w, w->raw, w->raw_bytes, w->entry_count, w->block);
	w->raw_bytes = w->entry_count = 0;
	return code;
}

/* ---- Entries ---- */

static void put(uint8_t *to, const struct checkpoint_entry *entry)
{
	if (entry->type == CHECKPOINT_TABLE)
		checkpoint_put_table(to, entry->body.data, (uint32_t)entry->body.bytes);
	else
		checkpoint_put_row(to, &entry->row);
}

/* An entry that is greater than a usual block. */
static int add_great(struct checkpoint_writer *w, const struct checkpoint_entry *entry, uint32_t bytes)
{
	uint8_t *raw = malloc(bytes), *block = malloc(checkpoint_block_room(bytes));
	int code = flush(w);
	if (code == LG_OK && (!raw || !block)) {
		code = error_set(&w->failure, LG_SYSTEM,
		        "no memory for a row of %" PRIu32 " bytes in the checkpoint %s", bytes, w->temporary);
		remove_temporary(w);
	}
	if (code == LG_OK) {
		put(raw, entry);
		code = write_block(w, raw, bytes, 1, block);
	}
	free(raw);
	free(block);
	return code;
}

static int add(struct checkpoint_writer *w, const struct checkpoint_entry *entry, uint64_t body_bytes)
{
	const uint32_t bytes = (uint32_t)checkpoint_entry_bytes(body_bytes);
	int code = w->failure.code;
	if (code == LG_OK && bytes > CHECKPOINT_BLOCK_BYTES) {
		code = add_great(w, entry, bytes);
	} else if (code == LG_OK) {
		if (bytes > CHECKPOINT_BLOCK_BYTES - w->raw_bytes)
			code = flush(w);
		if (code == LG_OK) {
			put(w->raw + w->raw_bytes, entry);
			w->raw_bytes += bytes;
			w->entry_count++;
		}
	}
	w->gathered_bytes += bytes;
	return code;
}

int checkpoint_add_table(struct checkpoint_writer *writer, const void *body, uint32_t bytes, struct lg_error *err)
{
	const struct checkpoint_entry entry = {.type = CHECKPOINT_TABLE, .body = lg_slice(body, bytes)};
	if (bytes > CHECKPOINT_ROW_MAX)
		return error_set(err, LG_LIMIT, "a table's definition of %" PRIu32 " bytes: a checkpoint takes %u",
		        bytes, CHECKPOINT_ROW_MAX);
	int code = add(writer, &entry, bytes);
	if (code != LG_OK)
		return give_failure(writer, err);
	writer->info.counts.tables++;
	return LG_OK;
}

int checkpoint_add_row(struct checkpoint_writer *writer, const struct checkpoint_row *row, struct lg_error *err)
{
	const struct checkpoint_entry entry = {.type = CHECKPOINT_ROW, .row = *row};
	if (row->key.bytes > CHECKPOINT_ROW_MAX || row->val.bytes > CHECKPOINT_ROW_MAX - row->key.bytes)
		return error_set(err, LG_LIMIT,
		        "a row with a key of %zu and a value of %zu bytes: a checkpoint takes %u", row->key.bytes,
		        row->val.bytes, CHECKPOINT_ROW_MAX);
	int code = add(writer, &entry, sizeof(struct checkpoint_row_header) + row->key.bytes + row->val.bytes);
	if (code != LG_OK)
		return give_failure(writer, err);
	writer->info.counts.rows++;
	if (row->version > writer->info.counts.greatest_version)
		writer->info.counts.greatest_version = row->version;
	return LG_OK;
}

uint64_t checkpoint_pause_ns(struct checkpoint_writer *writer, uint64_t now_ns)
{
	struct checkpoint_writer *w = writer;
	if (w->bytes_per_ms == 0)
		return 0;
	if (!w->paced)
		w->due_ns = now_ns;
	else if (w->due_ns + BURST_NS < now_ns)
		w->due_ns = now_ns - BURST_NS;
	w->paced = true;
	const uint64_t units = (w->gathered_bytes - w->paced_bytes) * 1000000 + w->remainder;
	w->due_ns += units / w->bytes_per_ms;
	w->remainder = units % w->bytes_per_ms;
	w->paced_bytes = w->gathered_bytes;
	return w->due_ns > now_ns ? w->due_ns - now_ns : 0;
}

/* ---- Beginning ---- */

/* Whose the newest checkpoint is, which this one will replace. One that is damaged is none. */
static int check_newest(struct checkpoint_writer *w, struct lg_error *err)
{
	struct checkpoint_info newest;
	uint32_t seed;
	int file = -1;
	int code = checkpoint_open_newest(w->io, w->path, w->info.cookie, w->info.host, &file, &newest, &seed, err);
	if (code != LG_OK)
		return code == LG_CORRUPT || code == LG_NOTFOUND ? LG_OK : code;
	(void)w->io->ops->close(w->io, file);
	if (newest.incarnation > w->info.incarnation)
		return error_set(err, LG_INVALID,
		        "the newest checkpoint of %s was written by incarnation %" PRIu64
		        " of the host, and this is incarnation %" PRIu64,
		        w->path, newest.incarnation, w->info.incarnation);
	return LG_OK;
}

static int make_file(struct checkpoint_writer *w, struct lg_error *err)
{
	uint64_t newest = 0;
	int code = checkpoint_find(w->io, w->path, UINT64_MAX, &newest, err);
	if (code == LG_OK && newest == CHECKPOINT_SEQUENCE_MAX)
		code = error_set(err, LG_LIMIT, "%s has a checkpoint with the greatest number that there is", w->path);
	if (code == LG_OK)
		code = check_newest(w, err);
	if (code != LG_OK)
		return code;
	w->info.sequence = newest + 1;
	checkpoint_temporary_path(w->path, w->temporary);
	w->file = w->io->ops->open(w->io, w->temporary, LOG_IO_CREATE);
	if (w->file < 0)
		return error_set(err, log_io_code(w->file), "cannot make the checkpoint %s: %s", w->temporary,
		        strerror(-w->file));
	w->made = true;
	return LG_OK;
}

static int write_header(struct checkpoint_writer *w, struct lg_error *err)
{
	struct checkpoint_header header = {
	        .magic = CHECKPOINT_MAGIC,
	        .format_version = CHECKPOINT_FORMAT_VERSION,
	        .host = w->info.host,
	        .cookie = w->info.cookie,
	        .incarnation = w->info.incarnation,
	        .sequence = w->info.sequence,
	        .salt = w->io->ops->random(w->io),
	        .first_epoch = w->info.first_epoch,
	};
	header.checksum = checkpoint_header_checksum(&header);
	w->seed = checkpoint_seed(header.salt, header.sequence);
	return write_bytes(w, &header, sizeof header) == LG_OK ? LG_OK : give_failure(w, err);
}

static int get_memory(struct checkpoint_writer *w, struct lg_error *err)
{
	w->zstd = ZSTD_createCCtx();
	w->raw = malloc(CHECKPOINT_BLOCK_BYTES);
	w->block = malloc(checkpoint_block_room(CHECKPOINT_BLOCK_BYTES));
	if (!w->zstd || !w->raw || !w->block)
		return error_set(err, LG_SYSTEM, "no memory to write a checkpoint");
	return LG_OK;
}

int checkpoint_begin(struct log_io *io, const char *directory, const struct log_identity *identity,
        uint64_t first_epoch, uint32_t megabytes_per_second, struct checkpoint_writer **writer, struct lg_error *err)
{
	*writer = NULL;
	assert(identity->cookie != 0 && identity->host < LG_MAX_HOSTS);
	struct checkpoint_writer *w = calloc(1, sizeof *w);
	if (!w)
		return error_set(err, LG_SYSTEM, "no memory to write a checkpoint");
	w->io = io;
	w->file = -1;
	w->bytes_per_ms = (uint64_t)megabytes_per_second * 1000;
	w->info = (struct checkpoint_info){
	        .cookie = identity->cookie,
	        .host = identity->host,
	        .incarnation = identity->incarnation,
	        .first_epoch = first_epoch,
	};
	int code = log_dir_name(directory, identity->host, w->path, sizeof w->path, err);
	if (code == LG_OK && !io) {
		code = log_io_open(LOG_IO_PWRITE, &w->io, err);
		w->owns_io = code == LG_OK;
	}
	if (code == LG_OK)
		code = get_memory(w, err);
	if (code == LG_OK)
		code = make_file(w, err);
	if (code == LG_OK)
		code = write_header(w, err);
	if (code != LG_OK) {
		checkpoint_abort(w);
		return code;
	}
	*writer = w;
	return LG_OK;
}

/* ---- Ending ---- */

static int check_epochs(struct checkpoint_writer *w, uint64_t last_epoch)
{
	const uint64_t greatest = version_epoch(w->info.counts.greatest_version);
	if (greatest > last_epoch)
		error_set(&w->failure, LG_INVALID,
		        "a row of the checkpoint has a version of epoch %" PRIu64
		        ", and its last epoch is to be %" PRIu64,
		        greatest, last_epoch);
	else if (w->info.first_epoch > last_epoch && w->info.first_epoch - last_epoch > 1)
		error_set(&w->failure, LG_INVALID,
		        "a checkpoint cannot need the log from epoch %" PRIu64 " on when its last epoch is %" PRIu64,
		        w->info.first_epoch, last_epoch);
	w->info.last_epoch = last_epoch;
	return w->failure.code;
}

/* The footer; then the file is durable and closed. */
static int finish_file(struct checkpoint_writer *w)
{
	struct checkpoint_footer footer = {
	        .magic = CHECKPOINT_FOOTER_MAGIC,
	        .table_count = w->info.counts.tables,
	        .row_count = w->info.counts.rows,
	        .raw_bytes = w->info.counts.raw_bytes,
	        .block_count = w->info.counts.blocks,
	        .file_bytes = w->info.file_bytes + sizeof footer,
	        .last_epoch = w->info.last_epoch,
	        .blocks_checksum = w->blocks_checksum,
	};
	footer.checksum = checkpoint_footer_checksum(&footer, w->seed);
	int code = write_bytes(w, &footer, sizeof footer);
	if (code != LG_OK)
		return code;
	CRASH_POINT(CHECKPOINT_WRITTEN);
	int error = MUTANT(CHECKPOINT_SYNC) ? 0 : w->io->ops->sync(w->io, w->file);
	if (error < 0)
		return fail(w, error, "sync (fdatasync)", w->temporary);
	error = w->io->ops->close(w->io, w->file);
	w->file = -1;
	if (error < 0)
		return fail(w, error, "close", w->temporary);
	CRASH_POINT(CHECKPOINT_SYNCED);
	return LG_OK;
}

/* The temporary file gets its name of the sequence, for good. */
static int name_file(struct checkpoint_writer *w)
{
	char name[LOG_PATH_BYTES];
	checkpoint_path(w->path, w->info.sequence, name);
	int error = w->io->ops->rename(w->io, w->temporary, name);
	if (error < 0)
		return fail(w, error, "give its name to the checkpoint", name);
	w->made = false;
	CRASH_POINT(CHECKPOINT_RENAMED);
	error = w->io->ops->sync_directory(w->io, w->path);
	if (error == 0)
		return LG_OK;
	/* It is whole, but its name may be lost with the power. It may stay beside the older one, which may not go. */
	return error_set(&w->failure, LG_SYSTEM,
	        "cannot sync the log directory %s: %s; the checkpoint %s may not survive loss of power, so the one "
	        "before it "
	        "and the log stay as they are; look after its disk",
	        w->path, strerror(-error), name);
}

/* One that stays is of no harm, as the newest counts, and the next commit removes it. */
static void remove_older(struct checkpoint_writer *w)
{
	uint64_t older = 0;
	int code = 0;
	while (code == 0 && checkpoint_find(w->io, w->path, w->info.sequence, &older, NULL) == LG_OK && older > 0) {
		char name[LOG_PATH_BYTES];
		checkpoint_path(w->path, older, name);
		code = w->io->ops->remove(w->io, name);
	}
}

int checkpoint_commit(
        struct checkpoint_writer *writer, uint64_t last_epoch, struct checkpoint_info *info, struct lg_error *err)
{
	struct checkpoint_writer *w = writer;
	int code = w->failure.code;
	if (code == LG_OK)
		code = check_epochs(w, last_epoch);
	if (code == LG_OK)
		code = flush(w);
	if (code == LG_OK)
		code = finish_file(w);
	if (code == LG_OK)
		code = name_file(w);
	if (code == LG_OK) {
		remove_older(w);
		if (info)
			*info = w->info;
	} else {
		give_failure(w, err);
	}
	checkpoint_abort(w);
	return code;
}

void checkpoint_abort(struct checkpoint_writer *writer)
{
	struct checkpoint_writer *w = writer;
	if (!w)
		return;
	remove_temporary(w);
	ZSTD_freeCCtx(w->zstd);
	free(w->raw);
	free(w->block);
	if (w->owns_io)
		log_io_close(w->io);
	free(w);
}
