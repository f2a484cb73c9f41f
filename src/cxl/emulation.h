/* emulation.h: a region under emulation (src/emulation): the mode that a host asks for, put between it and its
 * mapping. */
#ifndef LIGER_CXL_EMULATION_H
#define LIGER_CXL_EMULATION_H

#include "cxl/region.h"

struct pod_emulation {
	struct emu_pod *pod; /* NULL: none */
	uint8_t *raw;        /* incoherent: the mapping, while region->base is an address that nobody can read */
};

/* What is asked for (struct lg_host_config, emulate), or else what the environment says; NULL: nothing does. */
const char *emulation_mode(const char *asked);

/* Whether `mode` (NULL: none) is one that a region at `uri` can have: before anything is done about it. LG_OK; LG_INVALID,
 * as emulation_begin(). */
int emulation_check(const char *uri, const char *mode, struct lg_error *err);

/* Puts `mode` (NULL: none) between host `host`, or EMU_OBSERVER, and an attached region, which must be writable.
 * LG_OK; LG_INVALID (no such mode or profile; the profile is wrong; a device; a build without emulation); LG_MISMATCH
 * (the pod's other hosts are emulated otherwise); LG_SYSTEM. That all members share one mode is member_join()'s to
 * see. */
int emulation_begin(
        struct pod_emulation *emulation, struct region *region, const char *mode, unsigned host, struct lg_error *err);
/* Before region_detach(). */
void emulation_end(struct pod_emulation *emulation, struct region *region);
/* The same of who is to have left nothing in its cache: what is there all the same is lost (docs/emulation.md). */
void emulation_end_lossy(struct pod_emulation *emulation, struct region *region);

#endif
