/* directory.c: look-ups by anyone, changes by the owner. See directory.h for why stale slots are harmless. */
#include "engine/directory.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Slot numbers split into extent and rest by shifting. */
enum { SLOTS_PER_EXTENT_LOG2 = DIRECTORY_SLOTS_LOG2 };

#define SLOT_TAKEN      (UINT64_C(1) << 62)
#define FRAME_LINE_MASK ((UINT64_C(1) << 48) - 1)

uint64_t directory_hash(unsigned table, struct lg_slice key)
{
	return XXH3_64bits_withSeed(key.data, key.bytes, table);
}

/* Bits 48..63 of the hash are the tag beside the frame, bits 16..45 the tag beside the word. Bit 63 there is clear and bit 62
 * set, so that no line of slots, where a frame has been or will be, passes for a line of a frame (frame.h: tags). */
static uint64_t frame_tag(uint64_t hash)
{
	return hash & ~FRAME_LINE_MASK;
}

static uint64_t word_tag(uint64_t hash)
{
	return ((hash >> 16) << 34 >> 2) | SLOT_TAKEN;
}

/* Where the n-th line of a key's eight lies; 0 when the view makes no sense. */
static pod_off slot_line(const struct cxl_port *port, const struct directory_view *view, uint64_t hash, unsigned n)
{
	uint32_t log2_slots = atomic_load_explicit(&view->log2_slots, memory_order_relaxed);
	if (log2_slots < SLOTS_PER_EXTENT_LOG2 || log2_slots > 31)
		return 0;
	uint64_t slot = ((hash * DIRECTORY_SLOTS_PER_LINE) + (uint64_t)n * DIRECTORY_SLOTS_PER_LINE) &
	                ((UINT64_C(1) << log2_slots) - 1);
	uint64_t which = slot >> SLOTS_PER_EXTENT_LOG2;
	if (which >= DIRECTORY_MAX_EXTENTS)
		return 0;
	uint64_t extent = atomic_load_explicit(&view->extents[which], memory_order_relaxed);
	if (extent >= port->geometry->extent_count)
		return 0;
	return port->geometry->extents_offset + extent * EXTENT_BYTES +
	       (slot & (DIRECTORY_SLOTS_PER_EXTENT - 1)) * sizeof(struct directory_slot);
}

/* The two words of the i-th slot of a line. Relaxed all: whatever is read is only a guess, and readers check it. */
static uint64_t slot_frame(const struct cxl_port *port, pod_off line, unsigned i)
{
	return port_load64(port, line + i * sizeof(struct directory_slot) + offsetof(struct directory_slot, frame),
	        memory_order_relaxed);
}

static uint64_t slot_word(const struct cxl_port *port, pod_off line, unsigned i)
{
	return port_load64(port, line + i * sizeof(struct directory_slot) + offsetof(struct directory_slot, word),
	        memory_order_relaxed);
}

static void slot_set(const struct cxl_port *port, pod_off line, unsigned i, uint64_t frame, uint64_t word)
{
	pod_off slot = line + i * sizeof(struct directory_slot);
	port_store64(port, slot + offsetof(struct directory_slot, word), word, memory_order_relaxed);
	port_store64(port, slot + offsetof(struct directory_slot, frame), frame, memory_order_relaxed);
}

/* Slots of one line that match. */
static unsigned look_in_line(
        const struct cxl_port *port, pod_off line, uint64_t hash, struct frame_ref *found, unsigned limit)
{
	unsigned count = 0;
	for (unsigned i = 0; i < DIRECTORY_SLOTS_PER_LINE && count < limit; i++) {
		uint64_t frame = slot_frame(port, line, i);
		if (!frame || (frame & ~FRAME_LINE_MASK) != frame_tag(hash))
			continue;
		uint64_t word = slot_word(port, line, i);
		if ((word & ~(uint64_t)UINT32_MAX) != word_tag(hash))
			continue;
		found[count++] = (struct frame_ref){(frame & FRAME_LINE_MASK) * LINE_BYTES, (word_idx)word};
	}
	return count;
}

unsigned directory_look(struct cxl_port *port, const struct directory_view *view, uint64_t hash, bool fresh,
        struct frame_ref *found, unsigned limit)
{
	for (unsigned n = 0; fresh && n < DIRECTORY_PROBE_LINES; n++) {
		pod_off line = slot_line(port, view, hash, n);
		if (!line)
			return 0;
		if (!MUTANT(FLUSH_DIRECTORY))
			port_flush(port, line);
	}
	if (fresh && !MUTANT(FULL_FENCE_DIRECTORY))
		port_full_fence(port);
	unsigned count = 0;
	for (unsigned n = 0; n < DIRECTORY_PROBE_LINES && !count; n++) {
		pod_off line = slot_line(port, view, hash, n);
		if (!line)
			break;
		port->counts.line_reads++;
		count = look_in_line(port, line, hash, found, limit);
	}
	return count;
}

static pod_off root_offset(const struct cxl_port *port, unsigned owner)
{
	return port->geometry->roots_offset + (pod_off)owner * HOST_ROOT_BYTES;
}

bool directory_view_refresh(struct cxl_port *port, unsigned owner, struct directory_view *view)
{
	pod_off at = root_offset(port, owner);
	uint64_t tag = line_fresh_tag(port, at);
	union {
		struct directory_root root;
		uint32_t extents[LINE_BYTES / 4];
	} line;
	if (!tag || !line_read(port, at, tag, &line))
		return false;
	struct directory_root root = line.root;
	if (root.generation != tag || root.extent_count == 0 || root.extent_count > DIRECTORY_MAX_EXTENTS ||
	        root.log2_slots < SLOTS_PER_EXTENT_LOG2 || root.log2_slots > 31 ||
	        UINT64_C(1) << (root.log2_slots - SLOTS_PER_EXTENT_LOG2) != root.extent_count)
		return false;
	uint32_t extents[DIRECTORY_MAX_EXTENTS];
	for (uint32_t i = 0; i < root.extent_count; i += DIRECTORY_EXTENTS_PER_LINE) {
		at += LINE_BYTES;
		if (!line_read(port, at, tag, &line))
			return false;
		for (uint32_t j = 0; j < DIRECTORY_EXTENTS_PER_LINE && i + j < root.extent_count; j++)
			extents[i + j] = line.extents[j];
	}
	for (uint32_t i = 0; i < root.extent_count; i++)
		atomic_store_explicit(&view->extents[i], extents[i], memory_order_relaxed);
	atomic_store_explicit(&view->log2_slots, root.log2_slots, memory_order_relaxed);
	atomic_store_explicit(&view->generation, tag, memory_order_release);
	return true;
}

void directory_publish(struct cxl_port *port, unsigned owner, struct directory_view *view, const uint32_t *extents,
        uint32_t extent_count, uint32_t log2_slots)
{
	/* Generations go on from what an earlier incarnation of this host left, so no tag comes twice. */
	pod_off at = root_offset(port, owner);
	uint64_t generation = line_fresh_tag(port, at) + 1;
	for (uint32_t i = 0; i < extent_count; i += DIRECTORY_EXTENTS_PER_LINE) {
		uint32_t line[LINE_PAYLOAD_BYTES / 4] = {0};
		for (uint32_t j = 0; j < DIRECTORY_EXTENTS_PER_LINE && i + j < extent_count; j++)
			line[j] = extents[i + j];
		line_write(port, at + LINE_BYTES * (1 + (pod_off)i / DIRECTORY_EXTENTS_PER_LINE), line, generation);
	}
	struct directory_root root = {.generation = generation, .log2_slots = log2_slots, .extent_count = extent_count};
	line_write(port, at, &root, generation);
	/* One fence for the slots that were entered, the list and the root. In which order they become visible is all one:
	 * slots are guesses anyway, and a list of another generation than its root is not taken. */
	if (!MUTANT(FENCE_ROOT))
		port_fence(port);
	for (uint32_t i = 0; i < extent_count; i++)
		atomic_store_explicit(&view->extents[i], extents[i], memory_order_relaxed);
	atomic_store_explicit(&view->log2_slots, log2_slots, memory_order_relaxed);
	atomic_store_explicit(&view->generation, generation, memory_order_release);
}

bool directory_has_extent(const struct directory_view *view, uint64_t extent)
{
	uint32_t log2_slots = atomic_load_explicit(&view->log2_slots, memory_order_relaxed);
	uint32_t count = log2_slots ? 1u << (log2_slots - SLOTS_PER_EXTENT_LOG2) : 0;
	for (uint32_t i = 0; i < count; i++)
		if (atomic_load_explicit(&view->extents[i], memory_order_relaxed) == extent)
			return true;
	return false;
}

void directory_clear_extent(struct cxl_port *port, uint64_t extent)
{
	pod_off offset = port->geometry->extents_offset + extent * EXTENT_BYTES;
	for (unsigned i = 0; i < EXTENT_BYTES / LINE_BYTES; i++) {
		pod_off line = offset + (pod_off)i * LINE_BYTES;
		for (unsigned j = 0; j < DIRECTORY_SLOTS_PER_LINE; j++)
			slot_set(port, line, j, 0, 0);
		if (!MUTANT(WRITE_BACK_CLEAR))
			port_write_back(port, line);
	}
}

bool directory_enter(struct cxl_port *port, const struct directory_view *view, uint64_t hash, struct frame_ref ref)
{
	for (unsigned n = 0; n < DIRECTORY_PROBE_LINES; n++) {
		pod_off line = slot_line(port, view, hash, n);
		for (unsigned i = 0; line && i < DIRECTORY_SLOTS_PER_LINE; i++) {
			if (slot_frame(port, line, i))
				continue;
			/* Not fenced: not seen yet is a message, no error. */
			slot_set(port, line, i, frame_tag(hash) | ref.frame / LINE_BYTES, word_tag(hash) | ref.word);
			port->counts.line_writes++;
			if (!MUTANT(WRITE_BACK_ENTER))
				port_write_back(port, line);
			return true;
		}
	}
	return false;
}

void directory_remove(struct cxl_port *port, const struct directory_view *view, uint64_t hash, word_idx word)
{
	for (unsigned n = 0; n < DIRECTORY_PROBE_LINES; n++) {
		pod_off line = slot_line(port, view, hash, n);
		for (unsigned i = 0; line && i < DIRECTORY_SLOTS_PER_LINE; i++) {
			if ((word_idx)slot_word(port, line, i) != word || !slot_frame(port, line, i))
				continue;
			slot_set(port, line, i, 0, 0);
			port->counts.line_writes++;
			if (!MUTANT(WRITE_BACK_REMOVE))
				port_write_back(port, line);
			return;
		}
	}
}
