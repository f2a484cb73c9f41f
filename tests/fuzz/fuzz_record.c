/* fuzz_record.c: redo records (src/recovery/record.c). The input is a record whose head is made to fit, checksum included: else
 * nothing behind redo_check()'s first line would be reached. */
#include "fuzz/fuzz.h"
#include "recovery/crc32c.h"
#include "recovery/record.h"

#include <stdlib.h>
#include <string.h>

/* Reads all that a checked record holds, applied to values of exactly its sizes. */
static void read_all(const struct redo_head *record)
{
	uint32_t offset = sizeof *record;
	struct redo_view view;
	for (unsigned i = 0; i < record->write_count; i++) {
		if (!redo_next(record, &offset, &view))
			fuzz_fail("a record that was checked has fewer writes than it says");
		uint8_t *value = calloc(1, view.write->val_bytes ? view.write->val_bytes : 1);
		volatile uint8_t last = ((const uint8_t *)view.key.data)[view.key.bytes - 1];
		(void)last;
		if (!value)
			fuzz_fail("no memory for a value");
		redo_apply(&view, value);
		free(value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct redo_head *record = aligned_alloc(8, (bytes + 8) & ~(size_t)7);
	if (!record)
		fuzz_fail("no memory for a record");
	memcpy(record, data, bytes);
	redo_check(record, bytes);
	if (bytes >= sizeof *record && bytes % 8 == 0) {
		record->bytes = (uint32_t)bytes;
		record->format = REDO_FORMAT;
		record->crc = 0;
		record->crc = crc32c(0, record, bytes);
		if (redo_check(record, bytes))
			read_all(record);
	}
	free(record);
	return 0;
}
