/* layout.h: every structure that lies in pod memory, once.
 *
 * The region, from offset 0 (nothing in it is a pointer):
 *
 *   HWcc, coherent across hosts, only 8-byte words that hosts load, store and change atomically
 *     0x00000  struct pod_header   written once, by the creator, before its magic
 *     0x01000  struct pod_clock    the epoch and the priority; any live host ticks (CAS)
 *     0x01040  struct pod_catalog_root   table count; the creator of a table takes its lock (CAS)
 *     0x02000  struct pod_member[64]     each written by its host (state: CAS by who joins or leaves)
 *     0x04000  struct pod_doorbell[64]   bit s: host s has put a message into a channel to this host
 *     0x05000  partition map: 4096 words, the owner of each partition
 *     0x0d000  extent owners, one word each, then word-block owners, one word each
 *     words_offset .. hwcc_bytes   word blocks of 512 words
 *
 *   SWcc, not coherent: touched through line.h, channel.h and directory slots only
 *     hwcc_bytes  catalog (1 MiB)
 *                 host roots [hosts], 8 KiB each: directory root, statistics; written by their host alone
 *                 channels [hosts][hosts][2], written by their sender but for the acknowledgement line
 *                 redo rings [hosts][redo_workers], each written by one worker alone; none at LG_DURABILITY_NONE
 *     extents_offset .. region_bytes   extents of 1 MiB, each owned by one host, for frames and directories
 *
 * What a crash leaves: pod creation marks the region as unfinished first and writes the magic last, so a half-made region
 * is not a pod, and is known for one. All else is described at the functions that change it.
 */
#ifndef LIGER_CXL_LAYOUT_H
#define LIGER_CXL_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <liger.h>

typedef uint64_t pod_off;  /* byte offset into the region */
typedef uint32_t word_idx; /* 8-byte word of HWcc: its byte offset divided by 8; 0 is none */

/* The simulator is built with small extents, so that few rows fill a region. */
#ifndef LG_EXTENT_LOG2
#define LG_EXTENT_LOG2 20
#endif

enum {
	LINE_BYTES = 64,
	LINE_PAYLOAD_BYTES = 56,
	HUGE_PAGE_BYTES = 2 << 20,
	EXTENT_BYTES = 1 << LG_EXTENT_LOG2,
	WORDS_PER_BLOCK = 512,
	WORD_BLOCK_BYTES = WORDS_PER_BLOCK * 8,
	POD_FORMAT_VERSION = 5,
	CHANNEL_LANES = 2,   /* requests and replies apart: a reply never waits behind a request */
	CHANNEL_LINES = 128, /* of a lane; a power of two; one line more acknowledges */
	CHANNEL_BYTES = (CHANNEL_LINES + 1) * LINE_BYTES,
	CATALOG_BYTES = 1 << 20,
	HOST_ROOT_BYTES = 8 << 10,
	POD_CLOCK_OFFSET = 0x1000,
	POD_CATALOG_ROOT_OFFSET = 0x1040,
	POD_MEMBERS_OFFSET = 0x2000,
	POD_DOORBELLS_OFFSET = 0x4000,
	POD_PARTITIONS_OFFSET = 0x5000,
	POD_OWNERS_OFFSET = 0xd000, /* extent owners, then word-block owners */
};

#define POD_MAGIC            UINT64_C(0x31444f505247494c) /* "LIGRPOD1" */
#define POD_MAGIC_UNFINISHED UINT64_C(0x30444f505247494c) /* "LIGRPOD0": half made, or half destroyed */

struct pod_header {
	_Atomic uint64_t magic; /* stored last at creation, unfinished before and during destruction */
	uint32_t format_version;
	uint32_t header_bytes;
	uint64_t layout_hash; /* of all constants above and struct sizes: pod_layout_hash() */
	uint64_t cookie;      /* random, never 0: this incarnation of the pod */
	uint64_t region_bytes, hwcc_bytes, swcc_bytes;
	uint32_t host_count, partition_count, epoch_ms, durability;
	uint32_t redo_workers, redo_ring_bytes;
	uint64_t life; /* 0: no logs. Else every host keeps a log on disk, and the pod was recovered life - 1 times */
	uint64_t extent_owners_offset, extent_count;
	uint64_t block_owners_offset, block_count;
	uint64_t words_offset;
	uint64_t catalog_offset, roots_offset, channels_offset, redo_offset, redo_bytes, extents_offset;
	uint64_t checksum; /* XXH3 of the header's bytes from format_version to here */
};
static_assert(sizeof(struct pod_header) == 184 && offsetof(struct pod_header, checksum) == 176, "the header's format");

struct pod_clock {
	_Atomic uint64_t epoch;    /* starts at 1, never 0 */
	_Atomic uint64_t priority; /* 0, or who holds the pod's priority: epoch << 16 | host << 8 | worker + 1 */
	uint64_t unused[6];
};
static_assert(sizeof(struct pod_clock) == 64, "one line");

struct pod_catalog_root {
	_Atomic uint64_t lock;        /* 0, or 1 + the host that adds a table */
	_Atomic uint64_t table_count; /* tables 0..table_count-1 are whole */
	_Atomic uint64_t split_count; /* of all range tables */
	uint64_t unused[5];
};
static_assert(sizeof(struct pod_catalog_root) == 64, "one line");

struct pod_member {
	_Atomic uint64_t state; /* enum lg_member_state in the low 8 bits, then 8 of its recoverer, incarnation above */
	_Atomic uint64_t heartbeat;
	/* Which process it is. Each has the incarnation that it is of in its upper half: see member.c. */
	_Atomic uint64_t pid;
	_Atomic uint64_t emulation;    /* of its process: emu_pod_identity(), folded; 0: none */
	_Atomic uint64_t machine;      /* where the pid means something: machine_identity(), the lower half of it */
	_Atomic uint64_t machine_high; /* the upper half */
	_Atomic uint64_t birth;        /* of the process: process_birth() */
	uint64_t unused;
	/* a line of its own: read by owners that wait to reuse */
	_Atomic uint64_t oldest_epoch; /* of this host's running transactions; UINT64_MAX when it is no member */
	/* Of its log on disk, in a pod that is logged; each grows, and is written by its host alone. */
	_Atomic uint64_t
	        log_epoch; /* this epoch and all before it are durable there; UINT64_MAX: it is not waited for */
	_Atomic uint64_t sealed_epoch;     /* the youngest of a record that its log has, or will have next */
	_Atomic uint64_t checkpoint_epoch; /* logs are needed from this epoch on to rebuild its rows */
	_Atomic uint64_t adopter;          /* 1 + the host that is asked to adopt its partitions; 0: none */
	uint64_t unused2[3];
};
static_assert(sizeof(struct pod_member) == 128 && offsetof(struct pod_member, oldest_epoch) == 64, "two lines");

struct pod_doorbell {
	_Atomic uint64_t senders;
	uint64_t unused[7];
};
static_assert(sizeof(struct pod_doorbell) == 64, "one line");

/* An owner word of an extent or a word block: free: version floor (53 bits); owned: OWNER_TAKEN | host << 56 | floor.
 * The floor is the greatest version that anything in it ever carried; it is claimed only when the pod's oldest running
 * transaction is younger than the floor's epoch (extent.h). */
#define OWNER_TAKEN (UINT64_C(1) << 63)

/* One table in the catalog: 4 lines of 56 bytes of payload, tag = table id + 1 in every line. */
struct catalog_entry {
	char name[LG_MAX_NAME_BYTES + 1];
	uint32_t by, prefix_bytes, partitions,
	        split_first; /* splits in the catalog's split area, from this index, whole lines */
	uint8_t unused[4 * LINE_PAYLOAD_BYTES - 80 - 8];
	uint64_t
	        checksum; /* XXH3 of all before it; of a range table the seed for XXH3 of its splits, which is then it */
};
static_assert(sizeof(struct catalog_entry) == 4 * LINE_PAYLOAD_BYTES, "four lines of payload");

enum {
	CATALOG_ENTRY_LINES = 4,
	CATALOG_SPLITS_OFFSET = LG_MAX_TABLES * CATALOG_ENTRY_LINES * LINE_BYTES, /* in the catalog */
	CATALOG_SPLITS_PER_LINE = LINE_PAYLOAD_BYTES / 8,
	CATALOG_MAX_SPLITS = (CATALOG_BYTES - CATALOG_SPLITS_OFFSET) / LINE_BYTES * CATALOG_SPLITS_PER_LINE,
};

/* A directory slot: 16 bytes in SWcc. Nothing depends on its two words being read together: see directory.h. */
struct directory_slot {
	_Atomic uint64_t frame; /* frame's line number (48 bits) | 16 bits of the key's hash above; 0: empty */
	_Atomic uint64_t word;  /* word_idx | 30 further bits of the hash above | bit 62 set, bit 63 clear */
};
static_assert(sizeof(struct directory_slot) == 16, "four a line");

enum {
	DIRECTORY_SLOTS_PER_LINE = 4,
	DIRECTORY_SLOTS_LOG2 = LG_EXTENT_LOG2 - 4, /* in one extent */
	DIRECTORY_SLOTS_PER_EXTENT = 1 << DIRECTORY_SLOTS_LOG2,
};
static_assert(DIRECTORY_SLOTS_PER_EXTENT * 16 == EXTENT_BYTES, "slots fill an extent");

/* The first line of a host's root: which extents its directory lies in follow in the next lines, 14 a line.
 * Tag of every line: the root's generation. */
struct directory_root {
	uint64_t generation;
	uint32_t log2_slots; /* 0: no directory yet */
	uint32_t extent_count;
	uint8_t unused[LINE_PAYLOAD_BYTES - 16];
};
static_assert(sizeof(struct directory_root) == LINE_PAYLOAD_BYTES, "one line of payload");
enum {
	DIRECTORY_EXTENTS_PER_LINE = LINE_PAYLOAD_BYTES / 4,
	DIRECTORY_MAX_EXTENTS = 512,
	DIRECTORY_ROOT_LINES =
	        1 + (DIRECTORY_MAX_EXTENTS + DIRECTORY_EXTENTS_PER_LINE - 1) / DIRECTORY_EXTENTS_PER_LINE,
	STATS_OFFSET_IN_ROOT = 4096
};
static_assert(DIRECTORY_ROOT_LINES * LINE_BYTES <= STATS_OFFSET_IN_ROOT, "the root's lines fit before the statistics");

/* A host's statistics, at STATS_OFFSET_IN_ROOT of its root: two lines, tag = a counter. For `pod info`. */
struct host_usage {
	uint64_t hwcc_row_bytes, hwcc_leaf_bytes, hwcc_claimed_bytes;
	uint64_t swcc_frame_bytes, swcc_directory_bytes, swcc_claimed_bytes, swcc_payload_bytes;
	uint64_t shared_rows, dram_bytes;
	uint64_t unused[5];
};
static_assert(sizeof(struct host_usage) == 2 * LINE_PAYLOAD_BYTES, "two lines of payload");

/* The head of a frame's payload: see frame.h. */
struct frame_head {
	uint32_t word; /* word_idx of the row */
	uint32_t val_bytes;
	uint16_t key_bytes;
	uint16_t partition;
	uint16_t line_count; /* capacity of the frame */
	uint8_t table;
	uint8_t unused;
};
static_assert(sizeof(struct frame_head) == 16, "the frame's format");

/* A redo record: what one transaction has changed, in the lines of a ring one behind the other (ring.h), and in logs. The
 * head, then write_count times: redo_write; redo_place if the row is shared; the key, padded to 8 bytes; the value or its
 * changed ranges, padded to 8. */
struct redo_head {
	uint64_t version; /* of all rows that it wrote */
	uint32_t bytes;   /* of the record, a multiple of 8 */
	uint32_t crc;     /* CRC32C of the record with 0 here */
	uint32_t incarnation;
	uint16_t write_count;
	uint8_t host;
	uint8_t format; /* REDO_FORMAT */
};
static_assert(sizeof(struct redo_head) == 24, "the redo record's format");

struct redo_write {
	uint8_t table;
	uint8_t kind; /* enum redo_kind */
	uint16_t key_bytes, partition;
	uint16_t ranges;     /* REDO_PATCH */
	uint32_t val_bytes;  /* of the value after it; 0 for REDO_DEL */
	uint32_t data_bytes; /* of value or ranges, before padding */
};
static_assert(sizeof(struct redo_write) == 16, "the redo record's format");

/* Where a shared row was when it was written: for who finishes a dead host's commits. */
struct redo_place {
	uint64_t frame;
	uint32_t word;
	uint16_t line_count; /* capacity of the frame */
	uint16_t unused;
};
static_assert(sizeof(struct redo_place) == 16, "the redo record's format");

/* A changed range of a value, before its bytes. Ranges ascend and do not touch. */
struct redo_range {
	uint16_t at, bytes;
};
static_assert(sizeof(struct redo_range) == 4, "the redo record's format");

enum redo_kind {
	REDO_PUT = 1,   /* the whole value */
	REDO_PATCH = 2, /* ranges of a value whose length stays as it was */
	REDO_DEL = 3,
	REDO_SHARED = 0x80, /* a redo_place follows */
};

enum {
	REDO_FORMAT = 1,
	REDO_RING_MIN_BYTES = 64 << 10,
	REDO_RING_MAX_BYTES = 64 << 20,
};

#define FRAME_PAYLOAD_BYTES(key_bytes, val_bytes) (sizeof(struct frame_head) + (((key_bytes) + 7u) & ~7u) + (val_bytes))
enum { FRAME_MAX_LINES = (16 + LG_MAX_KEY_BYTES + LG_MAX_VALUE_BYTES + LINE_PAYLOAD_BYTES - 1) / LINE_PAYLOAD_BYTES };

#endif
