/* directory.h: how other hosts find a shared row without asking: an open-addressing table of 16-byte slots in SWcc,
 * written by its owner alone.
 *
 * The design has 8-byte slots (16-bit tag, frame). Here a slot also carries the row's word, so that a reader can load word
 * and frame side by side instead of one after the other (a CXL latency each), and words need not lie beside their frames,
 * so HWcc holds one word a row and nothing else.
 *
 * A key hashes to a line; its slot is in that line or one of the seven behind it. There are no tombstones and no order, so a
 * reader that does not find it looks at all eight (with two, one row in 2,000 found no slot at half load, with four one in
 * some 10,000, and every read of such a row asks its owner). A slot may be stale, torn (the two words of different times) or scribbled over: whatever it says
 * is checked against the frame's head and the word (frame.h), and a miss costs a flush, a second look and a message.
 *
 * Growth doubles the table at half full: new extents, all slots anew, then a new root generation. Old extents go through limbo.
 */
#ifndef LIGER_ENGINE_DIRECTORY_H
#define LIGER_ENGINE_DIRECTORY_H

#include "cxl/line.h"
#include "cxl/word.h"

enum { DIRECTORY_PROBE_LINES = 8 };

struct frame_ref {
	pod_off frame;
	word_idx word;
};

/* A table as its root describes it; of this host's own, or as last seen of another. */
struct directory_view {
	_Atomic uint64_t generation; /* 0: none */
	_Atomic uint32_t log2_slots;
	_Atomic uint32_t extents[DIRECTORY_MAX_EXTENTS];
};

uint64_t directory_hash(unsigned table, struct lg_slice key);

/* Slots that match the hash, at most `limit`; `fresh`: the lines are flushed first. Every result is a guess. */
unsigned directory_look(struct cxl_port *port, const struct directory_view *view, uint64_t hash, bool fresh,
        struct frame_ref *found, unsigned limit);

/* Reads another host's root. False: it is being changed, or makes no sense; the old view stays. */
bool directory_view_refresh(struct cxl_port *port, unsigned owner, struct directory_view *view);

/* ---- The owner ---- */

/* Publishes a view as this host's root, with a new generation. */
void directory_publish(struct cxl_port *port, unsigned owner, struct directory_view *view, const uint32_t *extents,
        uint32_t extent_count, uint32_t log2_slots);
/* Zeroes an extent's slots before it is published. */
void directory_clear_extent(struct cxl_port *port, uint64_t extent);
/* Enters a row; false when all its lines are full. */
bool directory_enter(struct cxl_port *port, const struct directory_view *view, uint64_t hash, struct frame_ref ref);
/* Removes the slot of a word, if it is there. */
void directory_remove(struct cxl_port *port, const struct directory_view *view, uint64_t hash, word_idx word);

/* Whether an extent holds part of the table. */
bool directory_has_extent(const struct directory_view *view, uint64_t extent);

struct lg_worker;
/* Whether one more row may be entered; grows the table when it is half full. Under the mover lock. (directory_grow.c) */
bool directory_make_room(struct lg_worker *w);

#endif
