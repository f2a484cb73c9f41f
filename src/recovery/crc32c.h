/* crc32c.h: CRC32C (Castagnoli, as in iSCSI, RFC 3720), by ISA-L. */
#ifndef LIGER_RECOVERY_CRC32C_H
#define LIGER_RECOVERY_CRC32C_H

#include <isa-l/crc.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* Of `bytes` bytes that follow those of which `crc` was returned; 0 to begin.
 * Two different values of `crc` never give the same result for the same data: so it serves as a seed too. */
static inline uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	const unsigned char *from = data;
	crc = ~crc;
	while (bytes > INT_MAX) {
		crc = crc32_iscsi((unsigned char *)(uintptr_t)from, INT_MAX, crc);
		from += INT_MAX;
		bytes -= INT_MAX;
	}
	return ~crc32_iscsi((unsigned char *)(uintptr_t)from, (int)bytes, crc);
}

#endif
