/* ring.h: a worker's redo ring in SWcc: sealed records that other hosts finish if this one dies.
 *
 *   line       | 56 bytes of a record | tag = position << 1 | first line of a record |
 *
 * Positions count lines since the ring's beginning and never repeat, also over incarnations of the host: a line with a
 * position's tag holds that position's payload (line.h). A record takes whole lines one behind the other; it is sealed
 * when all of them are written back and fenced [ring.seal], and its own checksum tells. Only its worker writes a ring.
 *
 * Crash after any line: the record has lines with tags of another lap, or its checksum does not fit: it never was, and
 * its transaction has not written a byte of any row. After the fence: it is there for good.
 *
 * Space. At most half a ring is one record, so the record before the one that is being written stays whole. That is enough
 * for who finishes a dead host's commits: a worker begins a record only when it has installed all rows of the one before,
 * and the fence of that record's seal makes the words that the one before released last (written back, word.h: the loss
 * rule) durable before the first line of the one after it is written.
 *
 * In a pod that is logged the service thread reads the rings of its host and writes them to the log (stream.h). A line is
 * written anew only when what it holds is durable there: who recovers this host finds each sealed record in its log or in
 * its ring. Positions: tail (durable in the log) <= what the service thread has read <= sealed <= next.
 */
#ifndef LIGER_RECOVERY_RING_H
#define LIGER_RECOVERY_RING_H

#include "cxl/line.h"

struct redo_ring {
	pod_off base;
	uint32_t lines;
	uint64_t next; /* position of the next line */
	/* [ring.sealed] Release by the worker, acquire by the service thread: every record before it is sealed. */
	_Atomic uint64_t sealed;
	/* [ring.tail] Release by the service thread, acquire by the worker: lines before it may be written anew. */
	_Atomic uint64_t tail;
};

/* The ring of worker `slot` of `host`. */
pod_off ring_offset(const struct pod_geometry *geometry, unsigned host, unsigned slot);

/* Opens this host's own ring, behind whatever an earlier worker or incarnation left in it. */
void ring_open(struct cxl_port *port, struct redo_ring *ring, unsigned host, unsigned slot);

/* The greatest record that a ring takes. */
uint32_t ring_record_limit(const struct pod_geometry *geometry);

/* Appends a record of so many bytes, readable to a multiple of a line's payload; sealed after the caller's port_fence(). */
void ring_append(struct cxl_port *port, struct redo_ring *ring, const void *record, uint32_t bytes);

static inline uint32_t ring_record_lines(uint32_t bytes)
{
	return (bytes + LINE_PAYLOAD_BYTES - 1) / LINE_PAYLOAD_BYTES;
}

/* Whether a record of so many bytes overwrites nothing that the log still needs. */
static inline bool ring_has_room(struct redo_ring *ring, uint32_t bytes)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire); /* [ring.tail] */
	return ring->next + ring_record_lines(bytes) - tail <= ring->lines;
}

/* By the service thread of the same host: copies the record at `position`, below ring->sealed, into buffer, of half a ring.
 * Returns its lines; 0: it is not whole, which nothing but damage explains. */
uint32_t ring_read(struct cxl_port *port, const struct redo_ring *ring, uint64_t position, void *buffer);

/* Calls `each` with every sealed record that a ring holds, oldest first. `record` is private memory, valid during the
 * call. The ring's worker is dead or does not run. Stops at the first that does not return LG_OK, and returns that.
 * LG_NOSPACE: no private memory. */
int ring_scan(struct cxl_port *port, unsigned host, unsigned slot,
        int (*each)(const struct redo_head *record, void *argument), void *argument);

#endif
