/* checkpoint_block.h: a block of a checkpoint, between memory and memory. Nothing here knows of files, and no call leaves
 * anything behind but in what it was given: several threads may work on different blocks, each with a zstd context.
 */
#ifndef LIGER_RECOVERY_CHECKPOINT_BLOCK_H
#define LIGER_RECOVERY_CHECKPOINT_BLOCK_H

#include "recovery/checkpoint_format.h"

#include <liger.h>
#include <zstd.h>

struct checkpoint_row {
	uint16_t table;
	uint16_t flags; /* the caller's own */
	uint32_t partition;
	uint64_t version;
	struct lg_slice key, val;
};

struct checkpoint_entry {
	enum checkpoint_type type;
	struct lg_slice body;      /* CHECKPOINT_TABLE: its definition, aligned to 8; else empty */
	struct checkpoint_row row; /* CHECKPOINT_ROW; key and value are not aligned */
	uint64_t block;            /* where it lies: number of the block... */
	uint32_t offset;           /* ...and offset among its entries */
};

/* What is in a block, or in several. */
struct checkpoint_counts {
	uint64_t tables, rows, raw_bytes, blocks;
	uint64_t greatest_version; /* of a row; 0: there is none */
};

void checkpoint_counts_add(struct checkpoint_counts *counts, const struct checkpoint_counts *more);

/* Room for a block on its way to the file: its header, and its frame right behind. */
static inline size_t checkpoint_block_room(uint32_t raw_bytes)
{
	return sizeof(struct checkpoint_block_header) + checkpoint_stored_max(raw_bytes);
}

/* Writes an entry with its padding, checkpoint_entry_bytes() of its body, at `to`, which is aligned to 8. */
void checkpoint_put_table(void *to, const void *body, uint32_t bytes);
void checkpoint_put_row(void *to, const struct checkpoint_row *row);

/* Compresses the entries into `block`, which has checkpoint_block_room() and is aligned to 8. *bytes: what it takes.
 * Returns: NULL, or why it cannot. */
const char *checkpoint_block_encode(ZSTD_CCtx *zstd, uint32_t seed, uint64_t number, const void *raw,
        uint32_t raw_bytes, uint32_t entry_count, void *block, size_t *bytes);

/* Is this the whole header of block `number` of the file with this seed, with sizes that a block may have?
 * Returns: NULL, or what is wrong. */
const char *checkpoint_block_check(const struct checkpoint_block_header *header, uint32_t seed, uint64_t number);

/* Of a header that was checked: checks the frame, decompresses it to `raw`, which has header->raw_bytes and is aligned
 * to 8, and checks every entry. *counts is filled.
 * Returns: NULL, or what is wrong: then `raw` holds anything. */
const char *checkpoint_block_decode(ZSTD_DCtx *zstd, const struct checkpoint_block_header *header, uint32_t seed,
        const void *stored, void *raw, struct checkpoint_counts *counts);

/* The entry at `raw`, of which `left` bytes are left in the block, and in *bytes what it takes there. It points into
 * `raw`; block and offset are left to the caller.
 * Returns: NULL, or what is wrong. */
const char *checkpoint_entry_at(const void *raw, size_t left, struct checkpoint_entry *entry, size_t *bytes);

#endif
