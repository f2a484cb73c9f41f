/* shared.h: what all hosts of a pod share of its emulation: a POSIX shared memory object beside the region, sparse,
 * "/liger-emulation-COOKIE"; or, where all hosts are of one process, memory of it (emu_config.shared). It is no part of
 * the pod: no engine sees it, and it goes with the pod.
 *
 *   struct emu_shared     4 KiB: what it is for, which hosts there are, the device's queues
 *   state[line_count]     8 bytes a line of the region; what they mean is the mode's business (delay.c, incoherent.c)
 *   image[coherent lines] 64 bytes each: incoherent.c
 *
 * Who comes first makes it; all zeros is a valid beginning of every part but the head, which is written under a lock of
 * the file.
 */
#ifndef LIGER_EMULATION_SHARED_H
#define LIGER_EMULATION_SHARED_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "emulation/model.h"

#define EMU_SHARED_MAGIC UINT64_C(0x33554d455247494c) /* "LIGREMU3" */

struct emu_shared {
	_Atomic uint64_t magic; /* stored last */
	uint64_t cookie, identity, region_bytes, coherent_bytes;
	_Atomic uint64_t host_pid[EMU_SLOTS]; /* 0: not open */
	_Atomic uint64_t life[EMU_SLOTS];     /* how many processes died under a host's id and were succeeded */
	/* delay.c: when the device's two directions are free again, in 64ths of a time stamp count */
	alignas(64) _Atomic uint64_t device_read_free;
	alignas(64) _Atomic uint64_t device_write_free;
	alignas(4096) _Atomic uint64_t state[];
};
static_assert(offsetof(struct emu_shared, state) == 4096, "the head is a page");

static inline uint64_t emu_shared_bytes(uint64_t region_bytes, uint64_t coherent_bytes)
{
	return sizeof(struct emu_shared) + region_bytes / EMU_LINE_BYTES * 8 + coherent_bytes;
}

/* What memory has of a coherent line, while some host's cache has newer. */
static inline _Atomic uint64_t *emu_shared_image(struct emu_shared *shared, uint64_t line)
{
	return &shared->state[shared->region_bytes / EMU_LINE_BYTES + line * 8];
}

struct emu_pod; /* private.h */

/* Opens or makes it, for a pod with a config and an identity, and enters the host. A sentence in message if it
 * fails. */
enum emu_failure emu_shared_join(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES]);
/* The host is entered no more. */
void emu_shared_leave(struct emu_pod *pod);
void emu_shared_remove(uint64_t cookie);
/* Also of 0, which is nobody's. A process that was killed is there until its parent has waited for it. */
bool emu_process_gone(uint64_t pid);

#endif
