/* record.h: redo records: what one committed transaction has changed. Their format is in cxl/layout.h.
 *
 * Written into private memory, sealed with a checksum, and then copied as they are into a ring (ring.h) and from there
 * into logs. A reader trusts nothing: redo_check() and redo_next() look at every length before it is used.
 *
 * Changed ranges. A value whose length stays as it was is recorded by the ranges that changed, where that is shorter. Who
 * applies them needs the value before. For a shared row whose dead writer was just writing it, what is in the frame does,
 * torn as it may be: outside the ranges old and new value are the same, and inside them the record has the new bytes.
 */
#ifndef LIGER_RECOVERY_RECORD_H
#define LIGER_RECOVERY_RECORD_H

#include "cxl/layout.h"

struct redo_builder {
	uint8_t *at;    /* the record; NULL: no writes yet */
	uint32_t bytes; /* so far */
	uint32_t capacity;
	uint16_t writes;
};

/* What one write is about. `old` may be NULL: then the whole value is recorded. */
struct redo_change {
	unsigned table, partition;
	bool deleted;
	struct lg_slice key, val, old;
	const struct redo_place *place; /* shared rows; else NULL */
};

/* The most bytes that a change can take in a record. */
size_t redo_change_bytes(const struct redo_change *change);

/* `memory` has room for sizeof(struct redo_head) and the sum of redo_change_bytes(), and LINE_PAYLOAD_BYTES more. */
void redo_begin(struct redo_builder *builder, void *memory, size_t bytes);
void redo_add(struct redo_builder *builder, const struct redo_change *change);
/* Seals it: version, origin, checksum. Returns its bytes; behind them there are zeroes to a multiple of a line's payload. */
uint32_t redo_finish(struct redo_builder *builder, uint64_t version, unsigned host, uint32_t incarnation);

/* Whether `bytes` bytes hold exactly one whole record. Aligned to 8 bytes. */
bool redo_check(const void *record, size_t bytes);

/* A write, as read back; everything points into the record. */
struct redo_view {
	const struct redo_write *write;
	const struct redo_place *place; /* NULL: the row was local */
	enum redo_kind kind;
	struct lg_slice key;
	const uint8_t *data; /* REDO_PUT: the value; REDO_PATCH: ranges */
};

/* The write at *offset (begin with sizeof(struct redo_head)); false: there is none, or the record contradicts itself. */
bool redo_next(const struct redo_head *record, uint32_t *offset, struct redo_view *view);

/* Puts the view's value into `value`, of view->write->val_bytes, which holds the value before if it is a patch. */
void redo_apply(const struct redo_view *view, uint8_t *value);

#endif
