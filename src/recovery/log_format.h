/* log_format.h: every byte of a host's log on disk. Nothing else defines it; docs/log-format.md explains it to people.
 *
 *     DIR/host-NN/0000000000000001.log     segments, named by their sequence number, 16 decimal digits
 *     DIR/host-NN/0000000000000002.log
 *     DIR/host-NN/spare-0000000000000000.log   a segment that is no longer needed, to be used again
 *     DIR/host-NN/new.tmp                  a segment that is being made
 *
 *     segment:   0                4096             4096 * k
 *                | segment header | batch          | batch          | never written, or left by an earlier use |
 *
 *     batch:     0              64                          64 + bytes      next multiple of 4096
 *                | batch header | entry | entry | ...       | zeros         |
 *
 *     entry:     0       4      6       8              8 + bytes   next multiple of 8
 *                | bytes | type | flags | body         | zeros     |
 *
 * All numbers are little-endian.
 *
 * Batches are numbered from 1, by ones, through all segments and all incarnations of the host. Batch n + 1 is written
 * only after batch n is durable. So at any time one batch at most is not yet durable: the last.
 *
 * A segment comes into the sequence by rename, after its header is durable, and before its first batch is written; so a
 * segment of the sequence always has a whole header. It says the number of its first batch, which is
 *   - one more than that of the last whole batch before it, or
 *   - the same as that: a copy. Whoever goes on after a restart or a failed write cannot know whether the last batch is
 *     really on disk, or in the operating system's cache alone, so it is written once more. Readers skip the copy if
 *     they saw the first, which must have the same content.
 *
 * Checksums are CRC32C. That of a batch header begins with the segment's seed, made of its random salt and sequence
 * number, so that what a segment holds from an earlier use never passes for new.
 *
 * What a crash leaves:
 *   making a segment, before the rename       new.tmp, or a spare: neither is read
 *   after the rename                          an empty segment: fine
 *   writing batch n                           n in part, and nothing behind it: cut by readers, n is given again
 *   recycling                                 the oldest segment still there, or gone: both fine
 */
#ifndef LIGER_RECOVERY_LOG_FORMAT_H
#define LIGER_RECOVERY_LOG_FORMAT_H

#include "recovery/crc32c.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_FORMAT_VERSION 1U
#define LOG_SEGMENT_MAGIC  0x3130474f4c52474cULL /* "LGRLOG01" */
#define LOG_BATCH_MAGIC    0x4842474cU           /* "LGBH" */

#define LOG_BLOCK_BYTES     4096U         /* a batch begins at a multiple of it */
#define LOG_ENTRY_BYTES_MAX (80U << 20)   /* of a body */
#define LOG_BATCH_BYTES_MAX (81U << 20)   /* of a batch's entries: one greatest entry fits */
#define LOG_SEGMENT_BYTES   (64ULL << 20) /* default; a batch that is greater gets a segment that is greater */
#define LOG_SEGMENT_MIN     (16ULL << 10)
#define LOG_SEGMENT_MAX     (4ULL << 30)
#define LOG_EPOCH_NONE      0U /* of a batch that completes no epoch; epochs of pods begin at 1 */

/* What the body of an entry is: cxl/layout.h has redo records, log_bodies.h the others. The log knows no more of it than this. */
enum log_entry_type {
	LOG_ENTRY_REDO = 1,   /* a redo record */
	LOG_ENTRY_TABLE = 2,  /* a table's definition */
	LOG_ENTRY_MEMBER = 3, /* a host that joined, left or died */
	LOG_ENTRY_OWNERS = 4, /* the partition map */
};

struct log_segment_header {
	uint64_t magic;
	uint32_t format_version;
	uint32_t host;
	uint64_t cookie; /* of the pod */
	uint64_t incarnation;
	uint64_t sequence;      /* the file's name says it too */
	uint64_t salt;          /* random, another one for each use of the file */
	uint64_t segment_bytes; /* of the file */
	uint64_t first_batch;   /* number of the batch behind this header */
	uint64_t epoch_before;  /* this epoch, and every older one, is completed by batches before first_batch */
	uint32_t unfinished;    /* 1: the batch before first_batch completes no epoch; else 0 */
	uint32_t recycled;      /* 1: the file was used before, behind the last batch lie old bytes; else 0 */
	uint8_t zero[LOG_BLOCK_BYTES - 84];
	uint32_t checksum; /* of all before it */
};
static_assert(sizeof(struct log_segment_header) == LOG_BLOCK_BYTES, "the header of a segment is one block");
static_assert(offsetof(struct log_segment_header, format_version) == 8, "durable");
static_assert(offsetof(struct log_segment_header, host) == 12, "durable");
static_assert(offsetof(struct log_segment_header, cookie) == 16, "durable");
static_assert(offsetof(struct log_segment_header, incarnation) == 24, "durable");
static_assert(offsetof(struct log_segment_header, sequence) == 32, "durable");
static_assert(offsetof(struct log_segment_header, salt) == 40, "durable");
static_assert(offsetof(struct log_segment_header, segment_bytes) == 48, "durable");
static_assert(offsetof(struct log_segment_header, first_batch) == 56, "durable");
static_assert(offsetof(struct log_segment_header, epoch_before) == 64, "durable");
static_assert(offsetof(struct log_segment_header, unfinished) == 72, "durable");
static_assert(offsetof(struct log_segment_header, recycled) == 76, "durable");
static_assert(offsetof(struct log_segment_header, checksum) == 4092, "durable");

struct log_batch_header {
	uint32_t magic;
	uint32_t header_checksum; /* seeded by the segment; of what follows it in this header */
	uint64_t number;
	uint32_t bytes; /* of the entries, with their padding */
	uint32_t entry_count;
	uint64_t epoch; /* every entry of this host with this epoch or an older one is in this batch or before it */
	uint64_t pod_durable_epoch; /* that the writer knew of */
	uint32_t payload_checksum;  /* of the entries; not seeded: a copy of the batch has the same */
	uint8_t zero[20];
};
static_assert(sizeof(struct log_batch_header) == 64, "durable");
static_assert(offsetof(struct log_batch_header, header_checksum) == 4, "durable");
static_assert(offsetof(struct log_batch_header, number) == 8, "durable");
static_assert(offsetof(struct log_batch_header, bytes) == 16, "durable");
static_assert(offsetof(struct log_batch_header, entry_count) == 20, "durable");
static_assert(offsetof(struct log_batch_header, epoch) == 24, "durable");
static_assert(offsetof(struct log_batch_header, pod_durable_epoch) == 32, "durable");
static_assert(offsetof(struct log_batch_header, payload_checksum) == 40, "durable");
static_assert(offsetof(struct log_batch_header, zero) == 44, "durable");

struct log_entry_header {
	uint32_t bytes; /* of the body, without padding */
	uint16_t type;  /* enum log_entry_type */
	uint16_t flags; /* the type's own */
};
static_assert(sizeof(struct log_entry_header) == 8, "durable");
static_assert(offsetof(struct log_entry_header, type) == 4, "durable");
static_assert(offsetof(struct log_entry_header, flags) == 6, "durable");

static_assert(sizeof(struct log_entry_header) + LOG_ENTRY_BYTES_MAX <= LOG_BATCH_BYTES_MAX, "one entry fits a batch");

/* `bytes` rounded up to whole blocks, and to the alignment of entries. */
static inline uint64_t log_block_align(uint64_t bytes)
{
	return (bytes + LOG_BLOCK_BYTES - 1) & ~(uint64_t)(LOG_BLOCK_BYTES - 1);
}

static inline uint64_t log_entry_align(uint64_t bytes)
{
	return (bytes + 7) & ~(uint64_t)7;
}

/* Bytes of the file that a batch with so many bytes of entries takes. */
static inline uint64_t log_batch_file_bytes(uint64_t entry_bytes)
{
	return log_block_align(sizeof(struct log_batch_header) + entry_bytes);
}

static inline uint32_t log_segment_checksum(const struct log_segment_header *header)
{
	return crc32c(0, header, offsetof(struct log_segment_header, checksum));
}

/* What the checksums of a segment's batch headers begin with. */
static inline uint32_t log_segment_seed(uint64_t salt, uint64_t sequence)
{
	const uint64_t words[2] = {salt, sequence};
	return crc32c(0, words, sizeof words);
}

static inline uint32_t log_header_checksum(const struct log_batch_header *header, uint32_t seed)
{
	const size_t from = offsetof(struct log_batch_header, number);
	return crc32c(seed, (const uint8_t *)header + from, sizeof *header - from);
}

#endif
