/* row.h: what a YCSB row holds, so that a lost update, a torn read and a wrong row can be told.
 *
 *     row    field 0 | field 1 | ...              each of field_bytes
 *     field  stamp (8 bytes) | filler             every byte of the filler is made of key, field and stamp
 *
 * Field 0's stamp counts the row's updates. An update of one field f stamps that with the new count; an update of the
 * whole row stamps all, and gives all the same filler. So at any moment the greatest stamp of the fields 1.. is the
 * count; and the counts of all rows add up to the updates that were committed.
 *
 * Three looks at a row, from cheap to thorough: row_ends_agree(), two cache lines, for every read; row_plausible(), every
 * field's stamp; row_intact(), every byte.
 */
#ifndef LIGER_YCSB_ROW_H
#define LIGER_YCSB_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ROW_STAMP_BYTES = 8 };

struct row_shape {
	uint32_t fields, field_bytes, bytes;
	bool whole; /* updates write all fields: all stamps are equal */
};

static inline uint64_t row_stamp(const struct row_shape *s, const uint8_t *row, uint32_t field)
{
	uint64_t stamp;

	memcpy(&stamp, row + (size_t)field * s->field_bytes, ROW_STAMP_BYTES);
	return stamp;
}

/* Where single fields are updated, field 0's stamp changes without its filler. */
static inline uint8_t row_filler(const struct row_shape *s, uint64_t key, uint32_t field, uint64_t stamp)
{
	if (s->whole)
		field = 0;
	else if (field == 0)
		stamp = 0;
	return (uint8_t)(key * 167 + field * 13 + stamp * 89 + 1);
}

static inline void row_write_field(
        const struct row_shape *s, uint8_t *row, uint64_t key, uint32_t field, uint64_t stamp)
{
	uint8_t *at = row + (size_t)field * s->field_bytes;

	memcpy(at, &stamp, ROW_STAMP_BYTES);
	memset(at + ROW_STAMP_BYTES, row_filler(s, key, field, stamp), s->field_bytes - ROW_STAMP_BYTES);
}

static inline void row_write_all(const struct row_shape *s, uint8_t *row, uint64_t key, uint64_t stamp)
{
	if (s->whole) {
		memset(row, row_filler(s, key, 0, stamp), s->bytes);
		for (size_t at = 0; at < s->bytes; at += s->field_bytes)
			memcpy(row + at, &stamp, ROW_STAMP_BYTES);
		return;
	}
	for (uint32_t f = 0; f < s->fields; f++)
		row_write_field(s, row, key, f, stamp);
}

/* One more update: of the whole row, or of `field` (1.., or 0 when there is no other). */
static inline void row_update(const struct row_shape *s, uint8_t *row, uint64_t key, uint32_t field)
{
	uint64_t count = row_stamp(s, row, 0) + 1;

	if (s->whole) {
		row_write_all(s, row, key, count);
		return;
	}
	memcpy(row, &count, ROW_STAMP_BYTES);
	if (field != 0)
		row_write_field(s, row, key, field, count);
}

/* Looks at size, first stamp and last byte alone: most of what may go wrong shows, for next to nothing. */
static inline bool row_ends_agree(const struct row_shape *s, const uint8_t *row, size_t bytes, uint64_t key)
{
	if (bytes != s->bytes)
		return false;
	uint32_t last = s->fields - 1;
	uint64_t stamp = row_stamp(s, row, s->whole ? 0 : last);
	return s->field_bytes == ROW_STAMP_BYTES || row[bytes - 1] == row_filler(s, key, last, stamp);
}

static inline bool row_plausible(const struct row_shape *s, const uint8_t *row, size_t bytes, uint64_t key)
{
	uint64_t count, greatest = 0;
	uint32_t last = s->fields - 1;

	if (bytes != s->bytes)
		return false;
	count = row_stamp(s, row, 0);
	for (uint32_t f = 1; f < s->fields; f++) {
		uint64_t stamp = row_stamp(s, row, f);

		if (s->whole && stamp != count)
			return false;
		greatest = stamp > greatest ? stamp : greatest;
	}
	if (s->fields > 1 && greatest != count)
		return false;
	return s->field_bytes == ROW_STAMP_BYTES || row[bytes - 1] == row_filler(s, key, last, row_stamp(s, row, last));
}

/* Looks at every byte. */
static inline bool row_intact(const struct row_shape *s, const uint8_t *row, size_t bytes, uint64_t key)
{
	size_t filler = s->field_bytes - ROW_STAMP_BYTES;

	if (!row_plausible(s, row, bytes, key))
		return false;
	for (uint32_t f = 0; f < s->fields && filler > 0; f++) {
		const uint8_t *at = row + (size_t)f * s->field_bytes + ROW_STAMP_BYTES;

		/* All bytes are the first one: each equals its neighbour. */
		if (at[0] != row_filler(s, key, f, row_stamp(s, row, f)) || memcmp(at, at + 1, filler - 1) != 0)
			return false;
	}
	return true;
}

#endif
