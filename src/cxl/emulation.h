/* emulation.h: a region under emulation (src/emulation): the mode that a host asks for, put between it and its
 * mapping. */
#ifndef LIGER_CXL_EMULATION_H
#define LIGER_CXL_EMULATION_H

#include "cxl/region.h"

struct pod_emulation {
	struct emu_pod *pod; /* NULL: none */
	uint8_t *raw;        /* incoherent: the mapping, while region->base is an address that nobody can read */
};

/* Puts `mode` (struct lg_host_config, emulate; NULL: none) between host `host` and an attached region.
 * LG_OK; LG_INVALID (no such mode or profile; the profile is wrong; a device; a build without emulation); LG_MISMATCH
 * (the pod's other hosts are emulated otherwise); LG_SYSTEM. That all members share one mode is member_join()'s to
 * see. */
int emulation_begin(
        struct pod_emulation *emulation, struct region *region, const char *mode, unsigned host, struct lg_error *err);
/* Before region_detach(). */
void emulation_end(struct pod_emulation *emulation, struct region *region);

#endif
