/* row.h: a row in its owner's memory.
 *
 *   struct row | key, padded to 8 bytes | value, up to val_capacity bytes
 *
 * Its address stays the same for the row's life: words and read sets point into it. A value that outgrows its place goes
 * to `ext`, which is replaced under the row's lock; readers copy optimistically and look at the word again.
 * A row that moved to a frame keeps its memory here; its word says where it is.
 */
#ifndef LIGER_ENGINE_ROW_H
#define LIGER_ENGINE_ROW_H

#include <liger.h>
#include <stdatomic.h>
#include <string.h>

struct row_ext {
	uint32_t capacity, unused;
	uint8_t data[];
};

struct row {
	_Atomic uint64_t word; /* cxl/word.h */
	struct row_ext *_Atomic ext;
	_Atomic uint32_t val_bytes;
	uint32_t val_capacity; /* of the place behind the key */
	uint16_t key_bytes, partition;
	uint8_t table, unused[3];
	uint8_t data[];
};
_Static_assert(sizeof(struct row) == 32, "half a line");

static inline uint32_t row_key_padded(uint32_t key_bytes)
{
	return (key_bytes + 7) & ~7u;
}

static inline uint8_t *row_inline_val(struct row *row)
{
	return row->data + row_key_padded(row->key_bytes);
}

static inline size_t row_alloc_bytes(const struct row *row)
{
	return sizeof *row + row_key_padded(row->key_bytes) + row->val_capacity;
}

static inline struct lg_slice row_key(const struct row *row)
{
	return lg_slice(row->data, row->key_bytes);
}

/* memcmp order; a prefix comes before what it begins. */
static inline int slice_compare(struct lg_slice a, struct lg_slice b)
{
	size_t shared = a.bytes < b.bytes ? a.bytes : b.bytes;
	int order = shared ? memcmp(a.data, b.data, shared) : 0;
	return order ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

#endif
