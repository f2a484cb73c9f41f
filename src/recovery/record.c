/* record.c: see record.h. */
#include "recovery/record.h"

#include <string.h>

#include "recovery/crc32c.h"

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

size_t redo_change_bytes(const struct redo_change *change)
{
	return sizeof(struct redo_write) + (change->place ? sizeof(struct redo_place) : 0) + padded(change->key.bytes) +
	       (change->deleted ? 0 : padded(change->val.bytes));
}

void redo_begin(struct redo_builder *builder, void *memory, size_t bytes)
{
	assert(bytes <= UINT32_MAX);
	*builder = (struct redo_builder){.at = memory, .bytes = sizeof(struct redo_head), .capacity = (uint32_t)bytes};
}

static void *take(struct redo_builder *builder, size_t bytes)
{
	uint8_t *at = builder->at + builder->bytes;
	assert(builder->bytes + padded(bytes) <= builder->capacity);
	if (bytes % 8)
		memset(at + bytes, 0, padded(bytes) - bytes);
	builder->bytes += (uint32_t)padded(bytes);
	return at;
}

/* The first byte from `at` on where two values of the same length differ; `bytes` if there is none. */
static uint32_t next_difference(const uint8_t *a, const uint8_t *b, uint32_t at, uint32_t bytes)
{
	uint64_t x, y;
	for (; at + 8 <= bytes; at += 8) {
		memcpy(&x, a + at, 8);
		memcpy(&y, b + at, 8);
		if (x != y)
			return at + (uint32_t)__builtin_ctzll(x ^ y) / 8;
	}
	while (at < bytes && a[at] == b[at])
		at++;
	return at;
}

/* The end of the range that begins at the difference `at`: up to where as many bytes are equal as a range's head takes. */
static uint32_t range_end(const uint8_t *a, const uint8_t *b, uint32_t at, uint32_t bytes)
{
	uint32_t end = at + 1;
	for (uint32_t next = end; next < bytes; next++) {
		if (a[next] != b[next])
			end = next + 1;
		else if (next - end >= sizeof(struct redo_range))
			break;
	}
	return end;
}

/* Writes the ranges at `to`: their number and their bytes. False: they take more than `room`. */
static bool put_ranges(
        uint8_t *to, uint32_t room, const struct redo_change *change, uint16_t *count, uint32_t *data_bytes)
{
	const uint8_t *old = change->old.data, *val = change->val.data;
	uint32_t bytes = (uint32_t)change->val.bytes, used = 0;
	*count = 0;
	for (uint32_t at = next_difference(old, val, 0, bytes); at < bytes; (*count)++) {
		uint32_t end = range_end(old, val, at, bytes);
		struct redo_range range = {(uint16_t)at, (uint16_t)(end - at)};
		if (used + sizeof range + range.bytes > room || end - at > UINT16_MAX)
			return false;
		memcpy(to + used, &range, sizeof range);
		memcpy(to + used + sizeof range, val + at, range.bytes);
		used += (uint32_t)sizeof range + range.bytes;
		at = next_difference(old, val, end, bytes);
	}
	*data_bytes = used;
	return true;
}

void redo_add(struct redo_builder *builder, const struct redo_change *change)
{
	struct redo_write *write = take(builder, sizeof *write);
	*write = (struct redo_write){.table = (uint8_t)change->table,
	        .kind = change->deleted ? REDO_DEL : REDO_PUT,
	        .key_bytes = (uint16_t)change->key.bytes,
	        .partition = (uint16_t)change->partition,
	        .val_bytes = change->deleted ? 0 : (uint32_t)change->val.bytes};
	if (change->place) {
		write->kind |= REDO_SHARED;
		memcpy(take(builder, sizeof *change->place), change->place, sizeof *change->place);
	}
	memcpy(take(builder, change->key.bytes), change->key.data, change->key.bytes);
	builder->writes++;
	if (change->deleted)
		return;
	/* Patches address 16 bits; a value of 64 KiB and one byte more is recorded whole. */
	if (change->old.data && change->old.bytes == change->val.bytes && change->val.bytes > 0 &&
	        change->val.bytes <= UINT16_MAX) {
		uint8_t *to = builder->at + builder->bytes;
		uint16_t count;
		uint32_t used;
		if (put_ranges(to, (uint32_t)change->val.bytes - 1, change, &count, &used)) {
			write->kind = (uint8_t)((write->kind & REDO_SHARED) | REDO_PATCH);
			write->ranges = count;
			write->data_bytes = used;
			take(builder, used);
			return;
		}
	}
	write->data_bytes = write->val_bytes;
	void *value = take(builder, change->val.bytes);
	if (change->val.bytes)
		memcpy(value, change->val.data, change->val.bytes);
}

uint32_t redo_finish(struct redo_builder *builder, uint64_t version, unsigned host, uint32_t incarnation)
{
	struct redo_head head = {.version = version,
	        .bytes = builder->bytes,
	        .incarnation = incarnation,
	        .write_count = builder->writes,
	        .host = (uint8_t)host,
	        .format = REDO_FORMAT};
	memcpy(builder->at, &head, sizeof head);
	head.crc = crc32c(0, builder->at, builder->bytes);
	memcpy(builder->at, &head, sizeof head);
	memset(builder->at + builder->bytes, 0, LINE_PAYLOAD_BYTES);
	return builder->bytes;
}

/* Whether ranges of a patch stay within the value, ascend, and are as long as they say together. */
static bool ranges_fit(const struct redo_view *view)
{
	uint32_t used = 0, from = 0;
	for (unsigned i = 0; i < view->write->ranges; i++) {
		struct redo_range range;
		if (view->write->data_bytes - used < sizeof range)
			return false;
		memcpy(&range, view->data + used, sizeof range);
		used += (uint32_t)sizeof range;
		if (range.bytes > view->write->data_bytes - used || range.at < from || range.bytes == 0 ||
		        (uint32_t)range.at + range.bytes > view->write->val_bytes)
			return false;
		used += range.bytes;
		from = (uint32_t)range.at + range.bytes;
	}
	return used == view->write->data_bytes;
}

static bool write_fits(const struct redo_view *view)
{
	const struct redo_write *write = view->write;
	if (write->key_bytes == 0 || write->key_bytes > LG_MAX_KEY_BYTES || write->val_bytes > LG_MAX_VALUE_BYTES ||
	        write->partition >= LG_MAX_PARTITIONS)
		return false;
	switch (view->kind) {
	case REDO_PUT: return write->data_bytes == write->val_bytes && write->ranges == 0;
	case REDO_PATCH: return ranges_fit(view);
	case REDO_DEL: return write->data_bytes == 0 && write->val_bytes == 0 && write->ranges == 0;
	case REDO_SHARED: break;
	}
	return false;
}

bool redo_next(const struct redo_head *record, uint32_t *offset, struct redo_view *view)
{
	const uint8_t *base = (const void *)record;
	uint32_t at = *offset;
	if (record->bytes - at < sizeof *view->write || at > record->bytes)
		return false;
	*view = (struct redo_view){.write = (const void *)(base + at)};
	at += (uint32_t)sizeof *view->write;
	view->kind = view->write->kind & ~(unsigned)REDO_SHARED;
	if (view->write->kind & REDO_SHARED) {
		if (record->bytes - at < sizeof *view->place)
			return false;
		view->place = (const void *)(base + at);
		at += (uint32_t)sizeof *view->place;
	}
	uint64_t rest = padded(view->write->key_bytes) + padded(view->write->data_bytes);
	if (record->bytes - at < rest)
		return false;
	view->key = lg_slice(base + at, view->write->key_bytes);
	view->data = base + at + padded(view->write->key_bytes);
	*offset = at + (uint32_t)rest;
	return write_fits(view);
}

bool redo_check(const void *record, size_t bytes)
{
	struct redo_head head;
	assert((uintptr_t)record % 8 == 0);
	if (bytes < sizeof head)
		return false;
	memcpy(&head, record, sizeof head);
	if (head.bytes != bytes || bytes % 8 || head.format != REDO_FORMAT)
		return false;
	uint32_t crc = head.crc;
	head.crc = 0;
	uint32_t sum =
	        crc32c(crc32c(0, &head, sizeof head), (const uint8_t *)record + sizeof head, bytes - sizeof head);
	if (sum != crc)
		return false;
	uint32_t offset = sizeof head;
	struct redo_view view;
	for (unsigned i = 0; i < head.write_count; i++)
		if (!redo_next(record, &offset, &view))
			return false;
	return offset == bytes;
}

void redo_apply(const struct redo_view *view, uint8_t *value)
{
	const uint8_t *from = view->data;
	if (view->kind == REDO_PUT && view->write->val_bytes)
		memcpy(value, from, view->write->val_bytes);
	for (unsigned i = 0; view->kind == REDO_PATCH && i < view->write->ranges; i++) {
		struct redo_range range;
		memcpy(&range, from, sizeof range);
		memcpy(value + range.at, from + sizeof range, range.bytes);
		from += sizeof range + range.bytes;
	}
}
