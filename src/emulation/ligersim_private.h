/* ligersim_private.h: what the two files of libligersim share. */
#ifndef LIGER_EMULATION_LIGERSIM_PRIVATE_H
#define LIGER_EMULATION_LIGERSIM_PRIVATE_H

#include <stdatomic.h>

#include "emulation/model.h"
#include "ligersim.h"

struct lgs_region {
	uint8_t *raw; /* offset 0 of the region */
	uint64_t bytes, coherent_bytes;
	uint64_t cookie;
	unsigned host_count;
	struct emu_spec spec;
	void *mapped; /* what to unmap; NULL: the memory is the caller's */
	uint64_t mapped_bytes;
	void *emulation;       /* emulated and without a name: what its hosts share of that; else NULL */
	_Atomic uint64_t open; /* a bit a host that is open in this process */
};

enum lgs_instruction { LGS_CLFLUSH, LGS_CLFLUSHOPT, LGS_CLWB };

struct lgs_host {
	struct lgs_region *region;
	unsigned id;
	struct emu_pod *pod; /* NULL: direct */
	_Atomic uint32_t thread_count;
	enum lgs_instruction write_back_kind, flush_kind; /* by what the processor has */
};

struct lgs_thread {
	struct lgs_host *host;
	uint8_t *raw;
	uint64_t bytes, coherent_bytes;
	bool direct;
	struct lgs_counters counters; /* what the program asked for; what it met is in emu.counts */
	struct emu_thread emu;
};

#endif
