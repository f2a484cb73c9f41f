/* checkpoint_format.h: every byte of a host's checkpoint on disk. Nothing else defines it; docs/log-format.md explains it
 * to people.
 *
 *     DIR/host-NN/0000000000000001.ckpt    named by its sequence number, 16 decimal digits; the greatest counts
 *     DIR/host-NN/checkpoint.tmp           one that is being made, or what a crash left of one: nobody reads it
 *
 *     file:      0        64                                        file_bytes - 64
 *                | header | block | block | ...                    | footer |
 *
 *     block:     0              32
 *                | block header | a zstd frame of stored_bytes |
 *
 *     the frame's content, raw_bytes:
 *                | entry | entry | ...
 *
 *     entry:     0       4      6   8              8 + bytes   next multiple of 8
 *                | bytes | type | 0 | body         | zeros     |
 *
 *     body of a row:   0       2       4           8         16          20          24    24 + key_bytes
 *                      | table | flags | partition | version | key_bytes | val_bytes | key | value |
 *
 * All numbers are little-endian. Blocks are numbered from 0 and fill the file between header and footer. A block has at
 * most CHECKPOINT_BLOCK_BYTES of entries, or one entry that is greater.
 *
 * Checksums are CRC32C. Those of blocks and of the footer begin with seeds made of the file's random salt, its sequence
 * number, and the block's number: what the disk held before never passes for a part of the file, nor does a block in
 * another's place. Every byte of the file is under one of them.
 *
 * A checkpoint is written as checkpoint.tmp, made durable, renamed, and the directory is made durable; only then older
 * ones are removed. So a file of such a name always has its footer: if not, it was damaged afterwards. What a crash leaves:
 *   before the rename                  checkpoint.tmp, which the next one replaces; the older checkpoint
 *   after it                           the older checkpoint, or both, of which the new one counts
 *   removing older ones                some of them: the next one removes them
 */
#ifndef LIGER_RECOVERY_CHECKPOINT_FORMAT_H
#define LIGER_RECOVERY_CHECKPOINT_FORMAT_H

#include "recovery/crc32c.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define CHECKPOINT_FORMAT_VERSION 1U
#define CHECKPOINT_MAGIC          0x3130504b4352474cULL /* "LGRCKP01" */
#define CHECKPOINT_FOOTER_MAGIC   0x444e454b4352474cULL /* "LGRCKEND" */
#define CHECKPOINT_BLOCK_MAGIC    0x4243474cU           /* "LGCB" */

#define CHECKPOINT_BLOCK_BYTES  (256U << 10)        /* of a block's entries, unless it has one only */
#define CHECKPOINT_ROW_MAX      (64U << 20)         /* of a row's key and value together; of a table's body */
#define CHECKPOINT_SEQUENCE_MAX 9999999999999999ULL /* 16 digits */

enum checkpoint_type {
	CHECKPOINT_TABLE = 1, /* a table's definition; what is in it the checkpoint does not know */
	CHECKPOINT_ROW = 2,
};

struct checkpoint_header {
	uint64_t magic;
	uint32_t format_version;
	uint32_t host;
	uint64_t cookie; /* of the pod */
	uint64_t incarnation;
	uint64_t sequence;    /* the file's name says it too */
	uint64_t salt;        /* random */
	uint64_t first_epoch; /* the log from this epoch on is needed besides */
	uint32_t zero;
	uint32_t checksum; /* of all before it */
};
static_assert(sizeof(struct checkpoint_header) == 64, "durable");
static_assert(offsetof(struct checkpoint_header, magic) == 0, "durable");
static_assert(offsetof(struct checkpoint_header, format_version) == 8, "durable");
static_assert(offsetof(struct checkpoint_header, host) == 12, "durable");
static_assert(offsetof(struct checkpoint_header, cookie) == 16, "durable");
static_assert(offsetof(struct checkpoint_header, incarnation) == 24, "durable");
static_assert(offsetof(struct checkpoint_header, sequence) == 32, "durable");
static_assert(offsetof(struct checkpoint_header, salt) == 40, "durable");
static_assert(offsetof(struct checkpoint_header, first_epoch) == 48, "durable");
static_assert(offsetof(struct checkpoint_header, zero) == 56, "durable");
static_assert(offsetof(struct checkpoint_header, checksum) == 60, "durable");

struct checkpoint_block_header {
	uint32_t magic;
	uint32_t header_checksum; /* seeded; of what follows it in this header */
	uint64_t number;
	uint32_t raw_bytes; /* of the entries with their padding */
	uint32_t stored_bytes;
	uint32_t entry_count;
	uint32_t stored_checksum; /* seeded; of the frame */
};
static_assert(sizeof(struct checkpoint_block_header) == 32, "durable");
static_assert(offsetof(struct checkpoint_block_header, magic) == 0, "durable");
static_assert(offsetof(struct checkpoint_block_header, header_checksum) == 4, "durable");
static_assert(offsetof(struct checkpoint_block_header, number) == 8, "durable");
static_assert(offsetof(struct checkpoint_block_header, raw_bytes) == 16, "durable");
static_assert(offsetof(struct checkpoint_block_header, stored_bytes) == 20, "durable");
static_assert(offsetof(struct checkpoint_block_header, entry_count) == 24, "durable");
static_assert(offsetof(struct checkpoint_block_header, stored_checksum) == 28, "durable");

struct checkpoint_footer {
	uint64_t magic;
	uint64_t table_count;
	uint64_t row_count;
	uint64_t raw_bytes; /* of all blocks */
	uint64_t block_count;
	uint64_t file_bytes;      /* with this footer */
	uint64_t last_epoch;      /* no row has a version of a later one */
	uint32_t blocks_checksum; /* of all block headers, one after another */
	uint32_t checksum;        /* seeded; of all before it */
};
static_assert(sizeof(struct checkpoint_footer) == 64, "durable");
static_assert(offsetof(struct checkpoint_footer, magic) == 0, "durable");
static_assert(offsetof(struct checkpoint_footer, table_count) == 8, "durable");
static_assert(offsetof(struct checkpoint_footer, row_count) == 16, "durable");
static_assert(offsetof(struct checkpoint_footer, raw_bytes) == 24, "durable");
static_assert(offsetof(struct checkpoint_footer, block_count) == 32, "durable");
static_assert(offsetof(struct checkpoint_footer, file_bytes) == 40, "durable");
static_assert(offsetof(struct checkpoint_footer, last_epoch) == 48, "durable");
static_assert(offsetof(struct checkpoint_footer, blocks_checksum) == 56, "durable");
static_assert(offsetof(struct checkpoint_footer, checksum) == 60, "durable");

struct checkpoint_entry_header {
	uint32_t bytes; /* of the body, without padding */
	uint16_t type;  /* enum checkpoint_type */
	uint16_t zero;
};
static_assert(sizeof(struct checkpoint_entry_header) == 8, "durable");
static_assert(offsetof(struct checkpoint_entry_header, bytes) == 0, "durable");
static_assert(offsetof(struct checkpoint_entry_header, type) == 4, "durable");
static_assert(offsetof(struct checkpoint_entry_header, zero) == 6, "durable");

/* The key and the value follow it. */
struct checkpoint_row_header {
	uint16_t table;
	uint16_t flags; /* the caller's own */
	uint32_t partition;
	uint64_t version;
	uint32_t key_bytes;
	uint32_t val_bytes;
};
static_assert(sizeof(struct checkpoint_row_header) == 24, "durable");
static_assert(offsetof(struct checkpoint_row_header, table) == 0, "durable");
static_assert(offsetof(struct checkpoint_row_header, flags) == 2, "durable");
static_assert(offsetof(struct checkpoint_row_header, partition) == 4, "durable");
static_assert(offsetof(struct checkpoint_row_header, version) == 8, "durable");
static_assert(offsetof(struct checkpoint_row_header, key_bytes) == 16, "durable");
static_assert(offsetof(struct checkpoint_row_header, val_bytes) == 20, "durable");

/* Bytes of a block that an entry with such a body takes. */
static inline uint64_t checkpoint_entry_bytes(uint64_t body_bytes)
{
	return (sizeof(struct checkpoint_entry_header) + body_bytes + 7) & ~(uint64_t)7;
}

/* Of a block's entries: the greatest row fits. */
#define CHECKPOINT_RAW_MAX                                                                                             \
	(CHECKPOINT_ROW_MAX + (uint32_t)(sizeof(struct checkpoint_entry_header) + sizeof(struct checkpoint_row_header)))
static_assert(CHECKPOINT_RAW_MAX % 8 == 0 && CHECKPOINT_RAW_MAX > CHECKPOINT_BLOCK_BYTES, "a whole entry fits");

/* What the frame of so many bytes may take: zstd makes what it cannot compress a little longer. */
static inline uint32_t checkpoint_stored_max(uint32_t raw_bytes)
{
	return raw_bytes + (raw_bytes >> 7) + 1024;
}

static inline uint32_t checkpoint_header_checksum(const struct checkpoint_header *header)
{
	return crc32c(0, header, offsetof(struct checkpoint_header, checksum));
}

/* What the checksum of a file's footer begins with. */
static inline uint32_t checkpoint_seed(uint64_t salt, uint64_t sequence)
{
	const uint64_t words[2] = {salt, sequence};
	return crc32c(0, words, sizeof words);
}

/* What those of its block `number` begin with; `seed` is the file's. */
static inline uint32_t checkpoint_block_seed(uint32_t seed, uint64_t number)
{
	return crc32c(seed, &number, sizeof number);
}

static inline uint32_t checkpoint_block_checksum(const struct checkpoint_block_header *header, uint32_t block_seed)
{
	const size_t from = offsetof(struct checkpoint_block_header, number);
	return crc32c(block_seed, (const uint8_t *)header + from, sizeof *header - from);
}

static inline uint32_t checkpoint_footer_checksum(const struct checkpoint_footer *footer, uint32_t seed)
{
	return crc32c(seed, footer, offsetof(struct checkpoint_footer, checksum));
}

#endif
