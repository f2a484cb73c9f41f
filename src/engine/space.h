/* space.h: a host's share of pod memory: which words and frames it has, which are in use, and which wait to be reused.
 *
 * All of it is private memory of the owner, under its mover lock; HWcc holds only who owns which block and extent. Words
 * come from blocks of 512, frames of a size class from extents of 1 MiB. What is taken back goes into limbo with the epoch of
 * that moment, and is free once the pod's oldest transaction is younger (host.h: "Running epochs").
 */
#ifndef LIGER_ENGINE_SPACE_H
#define LIGER_ENGINE_SPACE_H

#include "cxl/extent.h"
#include "cxl/frame.h"
#include "engine/directory.h"

struct row;
struct btree_leaf;

enum share_kind { SHARE_FREE = 0, SHARE_ROW, SHARE_LEAF, SHARE_LIMBO };

/* What the owner knows of a word of its own. Read by local transactions without the lock (frame, row): they check what
 * they find in the frame against the word, as everybody does. */
struct share {
	_Atomic uint64_t frame; /* pod_off */
	union {
		struct row *row;
		struct btree_leaf *leaf;
	};
	uint32_t payload_bytes;
	uint16_t lines;
	uint8_t kind;
};

struct limbo_item {
	uint64_t epoch;
	pod_off frame; /* or, with lines 0 and word 0, the number of an extent of an old directory */
	word_idx word; /* 0: only the frame */
	uint16_t lines;
};

/* Stack of free things. */
struct stack {
	uint64_t *items;
	size_t count, capacity;
};

enum { FRAME_CLASSES = 32 + 8 * 6 };

struct frame_class {
	uint16_t lines;
	struct stack free;
	size_t limbo;      /* frames of it in limbo */
	pod_off next, end; /* of the extent that is carved now */
};

struct space {
	/* words */
	struct share *_Atomic *blocks; /* by block number; NULL where the block never was ours */
	uint64_t block_count;
	struct stack free_words;
	uint64_t *own_blocks;
	size_t own_block_count;
	uint64_t words_hint;
	/* frames */
	struct frame_class classes[FRAME_CLASSES];
	uint32_t *extent_frames;    /* by extent number: frames in use or in limbo; UINT32_MAX: not ours */
	uint64_t *extent_floor;     /* greatest version that anything retired in the extent carried */
	struct stack empty_extents; /* ours, uncarved */
	uint64_t extents_hint;
	uint64_t own_extent_count;
	/* limbo, a ring, oldest first */
	struct limbo_item *limbo;
	size_t limbo_head, limbo_count, limbo_capacity;
	size_t limbo_words;
	/* the move-out clock: position among own_blocks * 512 */
	size_t clock_hand, sweep_hand;
	/* this host's directory */
	struct directory_view directory;
	uint64_t directory_entries;
	bool directory_full;       /* it could not grow: some rows are found by asking only */
	uint64_t trimmed_epoch;    /* when empty extents and blocks were last given back */
	uint32_t pressure_epochs;  /* space ran short lately: keep some free */
	uint64_t pressure_tick_ns; /* when the epoch was last hurried on */
	/* usage, for people */
	uint64_t rows, leaves, frame_bytes, payload_bytes;
};

/* LG_OK or LG_NOSPACE (private memory). */
int space_init(struct space *space, const struct pod_geometry *geometry);
void space_free(struct space *space);

/* The owner's record of a word; NULL when it is not one of its own. */
static inline struct share *space_share(const struct space *space, const struct pod_geometry *geometry, word_idx word)
{
	pod_off offset = (pod_off)word * 8;
	if (offset < geometry->words_offset ||
	        offset >= geometry->words_offset + geometry->block_count * WORD_BLOCK_BYTES)
		return NULL;
	uint64_t n = (offset - geometry->words_offset) / 8;
	/* Acquire: pairs with the release when a block is claimed; its shares are there. [space.block] */
	struct share *shares = atomic_load_explicit(&space->blocks[n / WORDS_PER_BLOCK], memory_order_acquire);
	return shares ? &shares[n % WORDS_PER_BLOCK] : NULL;
}

enum space_result { SPACE_OK, SPACE_WAIT, SPACE_NONE };

/* One claim's circumstances. */
struct space_claim {
	struct cxl_port *port;
	unsigned host;
	uint64_t pod_oldest;
	uint64_t *floor; /* raised to that of what was claimed */
};

/* Whether a class has, or soon will have, a free frame for so many lines. */
bool space_expects_frame(const struct space *space, uint32_t lines);

/* SPACE_WAIT: something is in limbo, here or at a former owner; SPACE_NONE: not even that. */
enum space_result space_take_word(struct space *space, const struct space_claim *claim, word_idx *word);
enum space_result space_take_frame(
        struct space *space, const struct space_claim *claim, uint32_t lines, pod_off *frame, uint16_t *capacity_lines);
enum space_result space_take_extent(struct space *space, const struct space_claim *claim, uint64_t *extent);

/* Back at once: nobody can remember it. */
void space_untake_word(struct space *space, word_idx word);
void space_untake_frame(struct space *space, const struct pod_geometry *geometry, pod_off frame, uint16_t lines);

/* Into limbo. False only when private memory is exhausted: the item is then lost until the host leaves. */
bool space_retire(struct space *space, uint64_t epoch, word_idx word, pod_off frame, uint16_t lines);
/* Frees what was retired before `pod_oldest`. */
void space_reclaim(struct space *space, const struct pod_geometry *geometry, uint64_t pod_oldest);

/* Gives extents that no frame uses, and word blocks that no word uses, back to the pod, with `floor`. Keeps one of each. */
void space_trim(struct space *space, struct cxl_port *port, uint64_t floor);

/* Frames of this extent have carried `version`. */
static inline void space_raise_frame_floor(
        struct space *space, const struct pod_geometry *geometry, pod_off frame, uint64_t version)
{
	uint64_t *floor = &space->extent_floor[(frame - geometry->extents_offset) / EXTENT_BYTES];
	*floor = version > *floor ? version : *floor;
}

/* A version that no frame of this one's extent that is free now has ever exceeded. From private memory: what the lines say is not
 * asked, since anything may be written there. */
static inline uint64_t space_frame_floor(const struct space *space, const struct pod_geometry *geometry, pod_off frame)
{
	return space->extent_floor[(frame - geometry->extents_offset) / EXTENT_BYTES];
}

#endif
