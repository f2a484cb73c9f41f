/* checkpoint_reader.c: see checkpoint_reader.h. Entries are given only when all of their block has been checked. */
#include "recovery/checkpoint_reader.h"

#include "cxl/error.h"
#include "cxl/word.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct checkpoint_reader {
	struct log_io *io;
	bool owns_io;
	int file;  /* -1: none */
	int ended; /* code that checkpoint_next() returns from now on; LG_OK: none yet */
	struct lg_error error;
	char path[LOG_PATH_BYTES];
	struct checkpoint_info info;
	struct checkpoint_footer footer;
	uint32_t seed;

	uint64_t position;               /* where the next block begins */
	struct checkpoint_counts counts; /* of the blocks before it */
	uint32_t blocks_checksum;        /* the same */

	ZSTD_DCtx *zstd;
	uint8_t *stored, *raw;
	size_t stored_capacity, raw_capacity;
	uint64_t block;         /* number of the one in `raw` */
	uint32_t at, raw_bytes; /* its next entry, and its end */
};

void checkpoint_reader_options_init(struct checkpoint_reader_options *options)
{
	*options = (struct checkpoint_reader_options){.host = LOG_ANY_HOST};
}

const struct checkpoint_info *checkpoint_reader_info(const struct checkpoint_reader *reader)
{
	return &reader->info;
}

const char *checkpoint_reader_file(const struct checkpoint_reader *reader)
{
	return reader->path;
}

static int corrupt(struct checkpoint_reader *r, uint64_t offset, const char *what)
{
	return error_set(&r->error, LG_CORRUPT, "%s, offset %" PRIu64 ": %s", r->path, offset, what);
}

/* Bytes of the file, which had them when it was opened. */
static int read_bytes(struct checkpoint_reader *r, uint64_t offset, void *data, size_t bytes)
{
	ssize_t got = r->io->ops->read(r->io, r->file, data, bytes, offset);
	if (got < 0)
		return error_set(&r->error, LG_SYSTEM, "cannot read %s at offset %" PRIu64 ": %s", r->path, offset,
		        strerror((int)-got));
	if ((size_t)got < bytes)
		return corrupt(r, offset + (uint64_t)got, "the file became shorter while it was read");
	return LG_OK;
}

/* What it held is not needed any more. */
static int reserve(struct checkpoint_reader *r, uint8_t **memory, size_t *capacity, size_t bytes)
{
	if (bytes <= *capacity)
		return LG_OK;
	free(*memory);
	*memory = malloc(bytes);
	*capacity = *memory ? bytes : 0;
	return *memory ? LG_OK
	               : error_set(
	                         &r->error, LG_SYSTEM, "no memory to read a block of %zu bytes of %s", bytes, r->path);
}

static uint64_t footer_offset(const struct checkpoint_reader *r)
{
	return r->info.file_bytes - sizeof r->footer;
}

/* All blocks were read: were they those that the footer tells of? */
static int check_end(struct checkpoint_reader *r)
{
	const struct checkpoint_footer *f = &r->footer;
	if (r->counts.blocks != f->block_count || r->counts.tables != f->table_count ||
	        r->counts.rows != f->row_count || r->counts.raw_bytes != f->raw_bytes ||
	        r->blocks_checksum != f->blocks_checksum)
		return corrupt(r, footer_offset(r), "the footer tells of other blocks than those before it");
	return LG_END;
}

static int read_block(struct checkpoint_reader *r)
{
	struct checkpoint_block_header header;
	struct checkpoint_counts counts;
	const uint64_t left = footer_offset(r) - r->position;
	if (left == 0)
		return check_end(r);
	if (left < sizeof header)
		return corrupt(r, r->position, "between the last block and the footer are bytes that are no block");
	int code = read_bytes(r, r->position, &header, sizeof header);
	if (code != LG_OK)
		return code;
	const char *why = checkpoint_block_check(&header, r->seed, r->counts.blocks);
	if (!why && header.stored_bytes > left - sizeof header)
		why = "the block reaches into the footer";
	if (why)
		return corrupt(r, r->position, why);
	code = reserve(r, &r->stored, &r->stored_capacity, header.stored_bytes);
	if (code == LG_OK)
		code = reserve(r, &r->raw, &r->raw_capacity, header.raw_bytes);
	if (code == LG_OK)
		code = read_bytes(r, r->position + sizeof header, r->stored, header.stored_bytes);
	if (code != LG_OK)
		return code;
	why = checkpoint_block_decode(r->zstd, &header, r->seed, r->stored, r->raw, &counts);
	if (!why && version_epoch(counts.greatest_version) > r->footer.last_epoch)
		why = "a row has a version of a later epoch than the footer says";
	if (why)
		return corrupt(r, r->position, why);
	r->block = header.number;
	r->at = 0;
	r->raw_bytes = header.raw_bytes;
	r->blocks_checksum = crc32c(r->blocks_checksum, &header, sizeof header);
	r->position += sizeof header + header.stored_bytes;
	checkpoint_counts_add(&r->counts, &counts);
	r->info.counts.greatest_version = r->counts.greatest_version;
	return LG_OK;
}

int checkpoint_next(struct checkpoint_reader *reader, struct checkpoint_entry *entry, struct lg_error *err)
{
	struct checkpoint_reader *r = reader;
	if (r->ended == LG_OK && r->at == r->raw_bytes)
		r->ended = read_block(r);
	if (r->ended != LG_OK) {
		if (err && r->ended != LG_END)
			*err = r->error;
		return r->ended;
	}
	size_t bytes = 0;
	const char *why = checkpoint_entry_at(r->raw + r->at, r->raw_bytes - r->at, entry, &bytes);
	assert(!why);
	entry->block = r->block;
	entry->offset = r->at;
	r->at += (uint32_t)bytes;
	return LG_OK;
}

static int read_footer(struct checkpoint_reader *r)
{
	struct checkpoint_footer *f = &r->footer;
	const uint64_t file_bytes = r->info.file_bytes;
	if (file_bytes < sizeof(struct checkpoint_header) + sizeof *f)
		return corrupt(r, file_bytes, "the file ends here, without a footer");
	int code = read_bytes(r, footer_offset(r), f, sizeof *f);
	if (code != LG_OK)
		return code;
	if (f->magic != CHECKPOINT_FOOTER_MAGIC)
		return corrupt(
		        r, footer_offset(r), "this is not the footer of a checkpoint: the file was cut, or is damaged");
	if (checkpoint_footer_checksum(f, r->seed) != f->checksum)
		return corrupt(r, footer_offset(r), "the checkpoint's footer is damaged (checksum)");
	if (f->file_bytes != file_bytes)
		return corrupt(r, footer_offset(r), "the footer says another size than the file has");
	if (r->info.first_epoch > f->last_epoch && r->info.first_epoch - f->last_epoch > 1)
		return corrupt(r, footer_offset(r), "the footer's last epoch is before the header's first");
	r->info.last_epoch = f->last_epoch;
	r->info.counts = (struct checkpoint_counts){
	        .tables = f->table_count, .rows = f->row_count, .raw_bytes = f->raw_bytes, .blocks = f->block_count};
	r->position = sizeof(struct checkpoint_header);
	return LG_OK;
}

static int open_file(struct checkpoint_reader *r, const char *path, const struct checkpoint_reader_options *options)
{
	if (strlen(path) >= LOG_PATH_BYTES - LOG_NAME_BYTES)
		return error_set(&r->error, LG_LIMIT, "the path of the log directory is longer than %d bytes",
		        LOG_PATH_BYTES - LOG_NAME_BYTES - 1);
	int code = LG_OK;
	if (!r->io) {
		code = log_io_open(LOG_IO_PWRITE, &r->io, &r->error);
		r->owns_io = code == LG_OK;
	}
	r->zstd = ZSTD_createDCtx();
	if (code == LG_OK && !r->zstd)
		code = error_set(&r->error, LG_SYSTEM, "no memory to read the checkpoint of %s", path);
	if (code == LG_OK)
		code = checkpoint_open_newest(
		        r->io, path, options->cookie, options->host, &r->file, &r->info, &r->seed, &r->error);
	if (code != LG_OK)
		return code;
	checkpoint_path(path, r->info.sequence, r->path);
	return read_footer(r);
}

int checkpoint_reader_open(const char *path, const struct checkpoint_reader_options *options,
        struct checkpoint_reader **reader, struct lg_error *err)
{
	struct checkpoint_reader_options defaults;
	checkpoint_reader_options_init(&defaults);
	if (!options)
		options = &defaults;
	*reader = NULL;
	struct checkpoint_reader *r = calloc(1, sizeof *r);
	if (!r)
		return error_set(err, LG_SYSTEM, "no memory to read the checkpoint of %s", path);
	r->io = options->io;
	r->file = -1;
	int code = open_file(r, path, options);
	if (code != LG_OK) {
		if (err)
			*err = r->error;
		checkpoint_reader_close(r);
		return code;
	}
	*reader = r;
	return LG_OK;
}

void checkpoint_reader_close(struct checkpoint_reader *reader)
{
	if (!reader)
		return;
	if (reader->file >= 0)
		(void)reader->io->ops->close(reader->io, reader->file);
	ZSTD_freeDCtx(reader->zstd);
	free(reader->stored);
	free(reader->raw);
	if (reader->owns_io)
		log_io_close(reader->io);
	free(reader);
}
