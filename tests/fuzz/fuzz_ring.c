/* fuzz_ring.c: scanning a redo ring that another host has left (src/recovery/ring.c). The input overwrites lines of the ring:
 * [line, 2 bytes][tag: 1 byte][payload, 56 bytes]...; tag 0: as the position asks; 1: the same, first of a record; 2: as 1, and the
 * record that begins there gets the checksum that fits; else: 8 more bytes of input. */
#include "cxl/region.h"
#include "fuzz/fuzz.h"
#include "recovery/crc32c.h"
#include "recovery/record.h"
#include "recovery/ring.h"

#include <string.h>

static struct fuzz_pod pod;
static struct region region;
static struct cxl_port port;

static int look(const struct redo_head *record, void *argument)
{
	uint32_t offset = sizeof *record;
	struct redo_view view;
	uint8_t value[LG_MAX_VALUE_BYTES];
	unsigned *count = argument;
	(*count)++;
	for (unsigned i = 0; i < record->write_count && redo_next(record, &offset, &view); i++)
		redo_apply(&view, value);
	return LG_OK;
}

/* Makes the record at `line` whole, as far as lines and half a ring allow. */
static void seal_at(uint8_t *ring, uint32_t lines, uint32_t line)
{
	static uint8_t record[64 << 10];
	struct redo_head head;
	uint8_t *first = ring + (size_t)line * LINE_BYTES;
	memcpy(&head, first, sizeof head);
	head.bytes = (head.bytes % (lines / 2 * LINE_PAYLOAD_BYTES) & ~7u) + (uint32_t)sizeof head;
	head.format = REDO_FORMAT;
	head.crc = 0;
	memcpy(first, &head, sizeof head);
	uint32_t count = (head.bytes + LINE_PAYLOAD_BYTES - 1) / LINE_PAYLOAD_BYTES;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *from = ring + (size_t)((line + i) % lines) * LINE_BYTES;
		uint64_t tag = (uint64_t)(lines + line + i) << 1 | (i == 0);
		memcpy(record + (size_t)i * LINE_PAYLOAD_BYTES, from, LINE_PAYLOAD_BYTES);
		memcpy(from + LINE_PAYLOAD_BYTES, &tag, sizeof tag);
	}
	head.crc = crc32c(0, record, head.bytes);
	memcpy(first, &head, sizeof head);
}

static void put_line(uint8_t *ring, uint32_t lines, struct fuzz_input *input)
{
	uint32_t line = (uint32_t)fuzz_number(input, 2) % lines;
	unsigned kind = (unsigned)fuzz_number(input, 1);
	uint8_t *to = ring + (size_t)line * LINE_BYTES;
	struct lg_slice payload = fuzz_bytes(input, LINE_PAYLOAD_BYTES);
	uint64_t tag = (uint64_t)(lines + line) << 1 | (kind == 1);
	memcpy(to, payload.data, payload.bytes);
	if (kind > 2)
		tag = fuzz_number(input, 8);
	memcpy(to + LINE_PAYLOAD_BYTES, &tag, sizeof tag);
	if (kind == 2)
		seal_at(ring, lines, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input input = {data, bytes};
	struct lg_error err;
	unsigned count = 0;
	if (!pod.map) {
		struct lg_pod_config config;
		fuzz_pod_config(&config);
		fuzz_pod_make(&pod, &config);
		if (region_attach(pod.uri, 0, &region, &err) != LG_OK)
			fuzz_fail("cannot attach: %s", err.message);
		port_init(&port, region.base, &region.geometry);
	}
	uint32_t lines = region.geometry.redo_ring_bytes / LINE_BYTES;
	uint8_t *ring = pod.map + ring_offset(&region.geometry, 1, 0);
	memset(ring, 0, region.geometry.redo_ring_bytes);
	while (input.bytes > 3)
		put_line(ring, lines, &input);
	int code = ring_scan(&port, 1, 0, look, &count);
	if (code != LG_OK)
		fuzz_fail("a scan returned %d", code);
	struct redo_ring own;
	ring_open(&port, &own, 1, 0);
	return 0;
}
