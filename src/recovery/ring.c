/* ring.c: see ring.h. */
#include "recovery/ring.h"

#include <stdlib.h>

#include "recovery/record.h"

#define RING_FIRST UINT64_C(1)

pod_off ring_offset(const struct pod_geometry *geometry, unsigned host, unsigned slot)
{
	assert(host < geometry->host_count && slot < geometry->redo_workers);
	return geometry->redo_offset +
	       ((pod_off)host * geometry->redo_workers + slot) * (pod_off)geometry->redo_ring_bytes;
}

uint32_t ring_record_limit(const struct pod_geometry *geometry)
{
	return geometry->redo_ring_bytes / LINE_BYTES / 2 * LINE_PAYLOAD_BYTES;
}

/* The position that a line's tag says, if a line of this slot can have it; else 0. No worker gets as far as POSITION_LIMIT: a
 * forged tag near the end of all numbers must neither let positions run over nor hide what comes after. */
#define POSITION_LIMIT (UINT64_C(1) << 60)
static uint64_t position_of(uint64_t tag, uint32_t line, uint32_t lines)
{
	uint64_t position = tag >> 1;
	return position < POSITION_LIMIT && position % lines == line ? position : 0;
}

static uint32_t ring_lines(const struct pod_geometry *geometry)
{
	return geometry->redo_ring_bytes / LINE_BYTES;
}

/* Has what memory holds loaded from now on, not what this cache holds. */
static void forget(struct cxl_port *port, pod_off base, uint32_t lines)
{
	for (uint32_t i = 0; i < lines; i++)
		port_flush(port, base + (pod_off)i * LINE_BYTES);
	port_full_fence(port);
}

static uint64_t last_position(struct cxl_port *port, pod_off base, uint32_t lines)
{
	uint64_t last = 0;
	for (uint32_t i = 0; i < lines; i++) {
		uint64_t position = position_of(line_tag(port, base + (pod_off)i * LINE_BYTES), i, lines);
		last = position > last ? position : last;
	}
	return last;
}

void ring_open(struct cxl_port *port, struct redo_ring *ring, unsigned host, unsigned slot)
{
	uint32_t lines = ring_lines(port->geometry);
	pod_off base = ring_offset(port->geometry, host, slot);
	forget(port, base, lines);
	uint64_t last = last_position(port, base, lines);
	*ring = (struct redo_ring){.base = base, .lines = lines, .next = last < POSITION_LIMIT / 2 ? last + 1 : 1};
	/* Relaxed: the ring is published after that. */
	atomic_store_explicit(&ring->sealed, ring->next, memory_order_relaxed);
	atomic_store_explicit(&ring->tail, ring->next, memory_order_relaxed);
}

void ring_append(struct cxl_port *port, struct redo_ring *ring, const void *record, uint32_t bytes)
{
	const uint8_t *from = record;
	uint32_t count = ring_record_lines(bytes);
	assert(count > 0 && count <= ring->lines / 2);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t position = ring->next + i;
		line_write(port, ring->base + position % ring->lines * LINE_BYTES,
		        from + (size_t)i * LINE_PAYLOAD_BYTES, position << 1 | (i == 0 ? RING_FIRST : 0));
		if (i + 1 < count)
			CRASH_POINT(MID_SEAL);
	}
	ring->next += count;
}

/* Copies the record whose first line has `position` into buffer, of half a ring. False: it is not whole. */
static bool read_record(struct cxl_port *port, pod_off base, uint32_t lines, uint64_t position, uint8_t *buffer)
{
	struct redo_head head;
	uint32_t count = 1;
	for (uint32_t i = 0; i < count; i++) {
		pod_off line = base + (position + i) % lines * LINE_BYTES;
		if (line_tag(port, line) != ((position + i) << 1 | (i == 0 ? RING_FIRST : 0)))
			return false;
		uint64_t payload[LINE_BYTES / 8];
		line_copy_out(port, line, payload);
		memcpy(buffer + (size_t)i * LINE_PAYLOAD_BYTES, payload, LINE_PAYLOAD_BYTES);
		if (i > 0)
			continue;
		memcpy(&head, buffer, sizeof head);
		if (head.bytes < sizeof head || head.bytes > lines / 2 * LINE_PAYLOAD_BYTES)
			return false;
		count = ring_record_lines(head.bytes);
	}
	return redo_check(buffer, head.bytes);
}

uint32_t ring_read(struct cxl_port *port, const struct redo_ring *ring, uint64_t position, void *buffer)
{
	if (!read_record(port, ring->base, ring->lines, position, buffer))
		return 0;
	return ring_record_lines(((const struct redo_head *)buffer)->bytes);
}

int ring_scan(struct cxl_port *port, unsigned host, unsigned slot,
        int (*each)(const struct redo_head *record, void *argument), void *argument)
{
	uint32_t lines = ring_lines(port->geometry);
	pod_off base = ring_offset(port->geometry, host, slot);
	forget(port, base, lines);
	uint64_t last = last_position(port, base, lines);
	uint8_t *buffer = aligned_alloc(8, (size_t)lines / 2 * LINE_PAYLOAD_BYTES);
	if (!buffer)
		return LG_NOSPACE;
	int code = LG_OK;
	/* Line by line from the one behind the last, which is the order of positions; each by what it says itself, so that a forged
	 * position hides no other record. */
	for (uint32_t i = 1; i <= lines && code == LG_OK; i++) {
		uint32_t line = (uint32_t)((last + i) % lines);
		uint64_t tag = line_tag(port, base + (pod_off)line * LINE_BYTES);
		uint64_t position = position_of(tag, line, lines);
		if (position && (tag & RING_FIRST) && read_record(port, base, lines, position, buffer))
			code = each((const void *)buffer, argument);
	}
	free(buffer);
	return code;
}
