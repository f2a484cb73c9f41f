/* checkpoint_block.c: see checkpoint_block.h. Whatever a block says is checked before anything is done with it. */
#include "recovery/checkpoint_block.h"

#include <string.h>

/* Rows of a database compress well at any level, and the lowest costs least. */
enum { COMPRESSION_LEVEL = 1 };

static_assert(ZSTD_COMPRESSBOUND(0) <= 1024, "what zstd may need is what the format allows, for no content,");
static_assert(
        ZSTD_COMPRESSBOUND(CHECKPOINT_BLOCK_BYTES) <= CHECKPOINT_BLOCK_BYTES + (CHECKPOINT_BLOCK_BYTES >> 7) + 1024,
        "for a usual block,");
static_assert(ZSTD_COMPRESSBOUND(CHECKPOINT_RAW_MAX) <= CHECKPOINT_RAW_MAX + (CHECKPOINT_RAW_MAX >> 7) + 1024,
        "and for the greatest");

void checkpoint_counts_add(struct checkpoint_counts *counts, const struct checkpoint_counts *more)
{
	counts->tables += more->tables;
	counts->rows += more->rows;
	counts->raw_bytes += more->raw_bytes;
	counts->blocks += more->blocks;
	if (more->greatest_version > counts->greatest_version)
		counts->greatest_version = more->greatest_version;
}

/* ---- Writing ---- */

/* A slice of no bytes may point nowhere, which memcpy() must not be given. */
static uint8_t *append(uint8_t *to, const void *data, size_t bytes)
{
	if (bytes > 0)
		memcpy(to, data, bytes);
	return to + bytes;
}

static uint8_t *put_header(uint8_t *to, enum checkpoint_type type, uint32_t bytes)
{
	const struct checkpoint_entry_header header = {.bytes = bytes, .type = (uint16_t)type};
	return append(to, &header, sizeof header);
}

/* From the end of the body to that of the entry. */
static void put_padding(uint8_t *from, const uint8_t *entry, uint32_t body_bytes)
{
	memset(from, 0, (size_t)(entry + checkpoint_entry_bytes(body_bytes) - from));
}

void checkpoint_put_table(void *to, const void *body, uint32_t bytes)
{
	put_padding(append(put_header(to, CHECKPOINT_TABLE, bytes), body, bytes), to, bytes);
}

void checkpoint_put_row(void *to, const struct checkpoint_row *row)
{
	const struct checkpoint_row_header header = {
	        .table = row->table,
	        .flags = row->flags,
	        .partition = row->partition,
	        .version = row->version,
	        .key_bytes = (uint32_t)row->key.bytes,
	        .val_bytes = (uint32_t)row->val.bytes,
	};
	const uint32_t bytes = (uint32_t)(sizeof header + row->key.bytes + row->val.bytes);
	uint8_t *at = append(put_header(to, CHECKPOINT_ROW, bytes), &header, sizeof header);
	at = append(at, row->key.data, row->key.bytes);
	put_padding(append(at, row->val.data, row->val.bytes), to, bytes);
}

const char *checkpoint_block_encode(ZSTD_CCtx *zstd, uint32_t seed, uint64_t number, const void *raw,
        uint32_t raw_bytes, uint32_t entry_count, void *block, size_t *bytes)
{
	struct checkpoint_block_header *header = block;
	void *stored = header + 1;
	const uint32_t block_seed = checkpoint_block_seed(seed, number);
	const size_t stored_bytes =
	        ZSTD_compressCCtx(zstd, stored, checkpoint_stored_max(raw_bytes), raw, raw_bytes, COMPRESSION_LEVEL);
	if (ZSTD_isError(stored_bytes))
		return ZSTD_getErrorName(stored_bytes);
	*header = (struct checkpoint_block_header){
	        .magic = CHECKPOINT_BLOCK_MAGIC,
	        .number = number,
	        .raw_bytes = raw_bytes,
	        .stored_bytes = (uint32_t)stored_bytes,
	        .entry_count = entry_count,
	        .stored_checksum = crc32c(block_seed, stored, stored_bytes),
	};
	header->header_checksum = checkpoint_block_checksum(header, block_seed);
	*bytes = sizeof *header + stored_bytes;
	return NULL;
}

/* ---- Reading ---- */

const char *checkpoint_block_check(const struct checkpoint_block_header *header, uint32_t seed, uint64_t number)
{
	if (header->magic != CHECKPOINT_BLOCK_MAGIC)
		return "this is not the header of a block";
	if (header->number != number ||
	        checkpoint_block_checksum(header, checkpoint_block_seed(seed, number)) != header->header_checksum)
		return "the block's header is damaged (checksum)";
	const uint32_t raw_max = header->entry_count == 1 ? CHECKPOINT_RAW_MAX : CHECKPOINT_BLOCK_BYTES;
	if (header->entry_count == 0 || header->stored_bytes == 0 || header->raw_bytes == 0 ||
	        header->raw_bytes % 8 != 0 || header->raw_bytes > raw_max ||
	        header->stored_bytes > checkpoint_stored_max(header->raw_bytes))
		return "the block's header has its checksum, but sizes that no block has";
	return NULL;
}

static const char *check_row(const uint8_t *body, uint32_t bytes, struct checkpoint_row *row)
{
	struct checkpoint_row_header header;
	if (bytes < sizeof header)
		return "a row is shorter than what every row has";
	memcpy(&header, body, sizeof header);
	if ((uint64_t)header.key_bytes + header.val_bytes != bytes - sizeof header)
		return "a row's key and value do not fill it";
	body += sizeof header;
	*row = (struct checkpoint_row){
	        .table = header.table,
	        .flags = header.flags,
	        .partition = header.partition,
	        .version = header.version,
	        .key = lg_slice(body, header.key_bytes),
	        .val = lg_slice(body + header.key_bytes, header.val_bytes),
	};
	return NULL;
}

const char *checkpoint_entry_at(const void *raw, size_t left, struct checkpoint_entry *entry, size_t *bytes)
{
	struct checkpoint_entry_header header;
	const uint8_t *body = (const uint8_t *)raw + sizeof header;
	*entry = (struct checkpoint_entry){0};
	if (left < sizeof header)
		return "an entry begins where the block's entries end";
	memcpy(&header, raw, sizeof header);
	if (checkpoint_entry_bytes(header.bytes) > left)
		return "an entry is longer than its block";
	*bytes = (size_t)checkpoint_entry_bytes(header.bytes);
	if (header.zero != 0)
		return "an entry's header has bytes that are not zero";
	for (size_t i = sizeof header + header.bytes; i < *bytes; i++)
		if (((const uint8_t *)raw)[i] != 0)
			return "bytes behind an entry are not zero";
	entry->type = (enum checkpoint_type)header.type;
	if (header.type == CHECKPOINT_ROW)
		return check_row(body, header.bytes, &entry->row);
	if (header.type != CHECKPOINT_TABLE)
		return "an entry has a type that this format does not know";
	entry->body = lg_slice(body, header.bytes);
	return NULL;
}

static const char *check_entries(
        const struct checkpoint_block_header *header, const uint8_t *raw, struct checkpoint_counts *counts)
{
	size_t at = 0;
	uint32_t entry_count = 0;
	*counts = (struct checkpoint_counts){.raw_bytes = header->raw_bytes, .blocks = 1};
	while (at < header->raw_bytes) {
		struct checkpoint_entry entry;
		size_t bytes = 0;
		const char *why = checkpoint_entry_at(raw + at, header->raw_bytes - at, &entry, &bytes);
		if (why)
			return why;
		at += bytes;
		entry_count++;
		counts->tables += entry.type == CHECKPOINT_TABLE;
		counts->rows += entry.type == CHECKPOINT_ROW;
		if (entry.row.version > counts->greatest_version)
			counts->greatest_version = entry.row.version;
	}
	return entry_count == header->entry_count ? NULL
	                                          : "the block has another number of entries than its header says";
}

const char *checkpoint_block_decode(ZSTD_DCtx *zstd, const struct checkpoint_block_header *header, uint32_t seed,
        const void *stored, void *raw, struct checkpoint_counts *counts)
{
	const uint32_t block_seed = checkpoint_block_seed(seed, header->number);
	if (crc32c(block_seed, stored, header->stored_bytes) != header->stored_checksum)
		return "the block is damaged (checksum)";
	const size_t bytes = ZSTD_decompressDCtx(zstd, raw, header->raw_bytes, stored, header->stored_bytes);
	if (ZSTD_isError(bytes) || bytes != header->raw_bytes)
		return "the block has its checksum, but what it decompresses to is not what its header says";
	return check_entries(header, raw, counts);
}
