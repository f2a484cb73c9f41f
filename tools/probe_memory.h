/* probe_memory.h: what the files of `liger probe memory` share: a plan of figures, and what they came to. */
#ifndef LIGER_TOOLS_PROBE_MEMORY_H
#define LIGER_TOOLS_PROBE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "emulation/profile.h"

enum probe_figure {
	FIGURE_IDLE_READ,
	FIGURE_READ_P50,
	FIGURE_READ_P99,
	FIGURE_READ_P999,
	FIGURE_FRAME_READ,
	FIGURE_COHERENCE,
	FIGURE_FRESH_LINE,
	FIGURE_ATOMIC_ALONE,
	FIGURE_ATOMIC_CONTENDED,
	FIGURE_WORD_ROUND_TRIP,
	FIGURE_MESSAGE_ROUND_TRIP,
	FIGURE_FULL_FENCE,
	FIGURE_WRITE_BACK_1,
	FIGURE_WRITE_BACK_8,
	FIGURE_WRITE_BACK_64,
	FIGURE_FLUSH,
	FIGURE_FLUSH_AND_READ,
	FIGURE_READ_1_THREAD,
	FIGURE_READ_2_THREADS,
	FIGURE_READ_2_HOSTS,
	FIGURE_WRITE_1_THREAD,
	FIGURE_WRITE_2_THREADS,
	FIGURE_WRITE_2_HOSTS,
	FIGURE_COUNT
};

enum { PROBE_FRAME_LINES = 16 };

/* The key in JSON, what it is for a person, and its unit: "ns" (less is better) or "GB/s" (more is). */
struct probe_figure_kind {
	const char *key, *label, *unit;
	double tolerance_percent; /* what --check asks for; 0: nothing */
};
extern const struct probe_figure_kind probe_figure_kinds[FIGURE_COUNT];

static inline bool probe_is_bandwidth(enum probe_figure figure)
{
	return figure >= FIGURE_READ_1_THREAD;
}

/* What one mode came to. */
enum { LOAD_POINTS = 11 };
struct probe_load_point {
	double gbps, ns; /* what the other thread read a second; latency of a dependent read meanwhile */
};
struct probe_result {
	char mode[300];
	double figure[FIGURE_COUNT];
	struct probe_load_point load[LOAD_POINTS];
};

struct probe_plan {
	void *memory; /* NULL: the process's own */
	uint64_t bytes;
	uint64_t chain_bytes; /* of what is read: the chain, and streams; 0: three quarters of all */
	uint64_t seed;
	bool quick;
};

/* Measures everything in the mode `emulate`. False after a message. */
bool probe_measure(const struct probe_plan *plan, const char *emulate, struct probe_result *result);

/* ---- Judging and printing ---- */

struct probe_report {
	const struct probe_plan *plan;
	const char *place;                  /* where the memory is from, for a person */
	uint32_t page_bytes;                /* 0: not known */
	const struct emu_profile *profile;  /* NULL: not delay */
	const struct probe_result *result;  /* of the mode asked for */
	const struct probe_result *machine; /* of this machine alone; NULL: that is what was asked for */
};

enum probe_verdict {
	VERDICT_NONE, /* nothing to compare with, or nothing asked */
	VERDICT_OK,
	VERDICT_OFF,
	VERDICT_MACHINE, /* this machine alone is slower than the profile, and the emulation hardly slower than it */
};

/* What the profile says; NAN if it does not. */
double probe_expected(const struct probe_report *report, enum probe_figure figure);
enum probe_verdict probe_judge(const struct probe_report *report, enum probe_figure figure);

void probe_print_text(FILE *out, const struct probe_report *report);
bool probe_print_json(FILE *out, const struct probe_report *report);

#endif
