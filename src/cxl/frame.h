/* frame.h: a row's home in SWcc: frame_head, key (padded to 8 bytes), value, in self-validating lines.
 *
 *   line 0     | head 16 | key ... | value ...        | FRAME_FIRST | version |
 *   line 1..   | value ...                            |               version |
 *
 * The first line's tag has FRAME_FIRST set, so that no later line of any frame can pass for a first one.
 *
 * Reuse. A directory or a cache may remember a frame for ever, so what is there must be recognised: the head names table,
 * key and word; and no tag may come twice in a line, no version twice in a word, with different content. Hence the rule
 * of the owner's mover: a row that moves into a used word or frame gets a fresh version if its own is not above all that
 * word or frame ever carried (the retired word keeps its version; for frames: space.h).
 *
 * A frame whose word was free, unchanged and unlocked at both looks, while a line has another tag even in memory, is
 * corrupt: the word is released only after all lines were written back.
 */
#ifndef LIGER_CXL_FRAME_H
#define LIGER_CXL_FRAME_H

#include "cxl/line.h"
#include "cxl/word.h"

#define FRAME_FIRST (UINT64_C(1) << 63)

/* Private copy of a row: head, key, value, 8 bytes of slack, contiguous. */
struct frame_copy {
	const struct frame_head *head;
	const uint8_t *key, *val;
};

static inline uint32_t frame_lines_for(size_t key_bytes, size_t val_bytes)
{
	return (uint32_t)((FRAME_PAYLOAD_BYTES(key_bytes, val_bytes) + LINE_PAYLOAD_BYTES - 1) / LINE_PAYLOAD_BYTES);
}

/* Bytes that a private copy of `lines` lines needs. */
static inline size_t frame_copy_bytes(uint32_t lines)
{
	return (size_t)lines * LINE_PAYLOAD_BYTES + 8;
}

/* The bytes of value that fit into a frame of `lines` lines. */
static inline size_t frame_val_capacity(uint32_t lines, size_t key_bytes)
{
	return (size_t)lines * LINE_PAYLOAD_BYTES - sizeof(struct frame_head) - ((key_bytes + 7) & ~(size_t)7);
}

static inline bool frame_off_valid(const struct cxl_port *port, pod_off frame, uint32_t lines)
{
	/* Within one extent: a length that was scribbled over cannot reach into the next. */
	pod_off first = frame - port->geometry->extents_offset;
	return frame % LINE_BYTES == 0 && frame >= port->geometry->extents_offset &&
	       frame < port->geometry->region_bytes &&
	       first % EXTENT_BYTES + (pod_off)lines * LINE_BYTES <= EXTENT_BYTES;
}

enum frame_result {
	FRAME_OK,
	FRAME_RETRY,   /* the word changed or was locked meanwhile: look at it again */
	FRAME_MISS,    /* another row's frame, or no frame: the directory was stale */
	FRAME_CORRUPT, /* see above */
};

/* Reads line 0 under `word` (a look at `index` that was neither locked nor retired) and checks it: that it belongs to
 * the word, and that its lengths fit. buffer has room for 64 bytes. */
enum frame_result frame_read_head(struct cxl_port *port, pod_off frame, word_idx index, uint64_t word, void *buffer);

/* Reads the lines after the first into buffer, which already holds line 0, has room for frame_copy_bytes() of all lines that
 * the head asks for, and takes the second look at the word. On FRAME_OK *seen is what the second look saw. */
enum frame_result frame_read_rest(struct cxl_port *port, pod_off frame, word_idx index, uint64_t word, void *buffer,
        struct frame_copy *copy, uint64_t *seen);

/* Writes a whole frame, by who has locked its word (or alone knows it). Visible after the next port_fence(), which must
 * come before the word is released.
 * `payload` holds head, key and value as frame_copy lays them out, and is readable to a multiple of 56 bytes. */
void frame_write(struct cxl_port *port, pod_off frame, uint64_t version, const void *payload, uint32_t lines);

#endif
