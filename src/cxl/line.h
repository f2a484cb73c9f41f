/* line.h: self-validating lines, the software coherence of SWcc.
 *
 *   0        56       64
 *   | payload | tag   |     The tag is a version that its writer never used for another payload of this line.
 *
 * Write (one writer at a time): payload first, tag last [line.publish], write the line back; when all lines are written,
 * one port_fence(), and only then the word (or sequence) that names the new version.
 * Read: tag first [line.publish], then the payload. A tag other than the expected one means that this cache holds the line of
 * another time: flush it, full fence, load it again.
 *
 * The tag must be loaded before the payload: a cache may lose a stale line between the two loads and fetch the new one,
 * so payload first could pair an old payload with the new tag. Tag first pairs at worst a newer payload with the
 * expected tag, and then the word has been locked: the reader's second look at it sees that.
 */
#ifndef LIGER_CXL_LINE_H
#define LIGER_CXL_LINE_H

#include "cxl/crash_point.h"
#include "cxl/mutant.h"
#include "cxl/port.h"

struct pod_line {
	uint8_t payload[LINE_PAYLOAD_BYTES];
	_Atomic uint64_t tag;
};
static_assert(sizeof(struct pod_line) == LINE_BYTES && offsetof(struct pod_line, tag) == 56, "payload, then tag");

static inline struct pod_line *port_line(const struct cxl_port *port, pod_off offset)
{
	return (struct pod_line *)(void *)(port->base + offset);
}

/* ---- Without emulation. The payload copies move 64 bytes, tag included, when the destination has room: one vector
 * load. ---- */

static inline void direct_copy_out(const struct cxl_port *port, pod_off offset, void *dst)
{
	const struct pod_line *line = port_line(port, offset);
	if (!LG_TSAN) {
		memcpy(dst, line, LINE_BYTES);
		return;
	}
	uint64_t words[7];
	const _Atomic uint64_t *from = (const _Atomic uint64_t *)(const void *)line->payload;
	for (int i = 0; i < 7; i++)
		words[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
	memcpy(dst, words, sizeof words);
}

static inline void direct_copy_in(const struct cxl_port *port, pod_off offset, const void *src)
{
	struct pod_line *line = port_line(port, offset);
	if (!LG_TSAN) {
		memcpy(line->payload, src, LINE_PAYLOAD_BYTES);
		return;
	}
	uint64_t words[7];
	memcpy(words, src, sizeof words);
	_Atomic uint64_t *to = (_Atomic uint64_t *)(void *)line->payload;
	for (int i = 0; i < 7; i++)
		atomic_store_explicit(&to[i], words[i], memory_order_relaxed);
}

/* ---- Lines ---- */

/* The tag as this host's cache has it. [line.publish] Acquire; pairs with the release in line_write(): tag before payload. */
static inline uint64_t line_tag(const struct cxl_port *port, pod_off offset)
{
	return port_load64(port, offset + offsetof(struct pod_line, tag), memory_order_acquire);
}

/* Copies the payload to dst, which has room for 64 bytes, whatever the tag says. */
static inline void line_copy_out(const struct cxl_port *port, pod_off offset, void *dst)
{
	if (port_emulated(port))
		emu_line_out(port_thread(port), offset, dst, LINE_PAYLOAD_BYTES);
	else
		direct_copy_out(port, offset, dst);
}

/* Makes the next load of the line one of memory, not of this cache. */
static inline void line_drop(struct cxl_port *port, pod_off offset)
{
	if (!MUTANT(FLUSH_LINE))
		port_flush(port, offset);
	if (!MUTANT(FULL_FENCE_LINE))
		port_full_fence(port);
}

/* Reads the tag that memory, not this cache, holds. */
static inline uint64_t line_fresh_tag(struct cxl_port *port, pod_off offset)
{
	line_drop(port, offset);
	return line_tag(port, offset);
}

/* Copies the payload to dst, which has room for 64 bytes, and returns the tag, as this host's cache has them; tag first,
 * as in line_tag(). */
static inline uint64_t line_look(const struct cxl_port *port, pod_off offset, void *dst)
{
	if (port_emulated(port))
		return emu_line_read(port_thread(port), offset, dst, LINE_PAYLOAD_BYTES);
	uint64_t tag = line_tag(port, offset);
	direct_copy_out(port, offset, dst);
	return tag;
}

/* Makes sure that the line in this host's cache has the tag; fetches it anew once if not. */
static inline bool line_has_tag(struct cxl_port *port, pod_off offset, uint64_t tag)
{
	return likely(line_tag(port, offset) == tag) || line_fresh_tag(port, offset) == tag;
}

/* line_read() where the model does the access: payload and tag are one of it. */
static inline bool line_read_emulated(struct cxl_port *port, pod_off offset, uint64_t tag, void *dst)
{
	if (line_look(port, offset, dst) == tag)
		return true;
	line_drop(port, offset);
	return line_look(port, offset, dst) == tag;
}

/* Copies a line's payload to dst, which has room for 64 bytes. False: even memory has another tag, dst is undefined. */
static inline bool line_read(struct cxl_port *port, pod_off offset, uint64_t tag, void *dst)
{
	port->counts.line_reads++;
	if (port_emulated(port))
		return line_read_emulated(port, offset, tag, dst);
	if (!line_has_tag(port, offset, tag))
		return false;
	direct_copy_out(port, offset, dst);
	return true;
}

/* Writes 56 bytes of payload, then the tag, and writes the line back. Visible after the next port_fence(). */
static inline void line_write(struct cxl_port *port, pod_off offset, const void *payload, uint64_t tag)
{
	port->counts.line_writes++;
	/* [line.publish] Release; pairs with the acquire in line_tag(). Orders: payload before tag. Visible: after the
	 * write-back and the caller's fence. Crash before it: the old tag stands, or a mix that only exists while the
	 * row's word is locked. */
	if (port_emulated(port)) {
		emu_line_write(port_thread(port), offset, payload, LINE_PAYLOAD_BYTES, tag);
	} else {
		direct_copy_in(port, offset, payload);
		port_store64(port, offset + offsetof(struct pod_line, tag), tag, memory_order_release);
	}
	if (!MUTANT(WRITE_BACK_LINE))
		port_write_back(port, offset);
}

#endif
