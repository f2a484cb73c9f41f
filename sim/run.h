/* run.h: one case from its pod's creation to the verdict. */
#ifndef LIGER_SIM_RUN_H
#define LIGER_SIM_RUN_H

#include "case.h"

enum { RESULT_TEXT_BYTES = 2000 };

struct sim_counts {
	uint64_t seeds, steps, switches, preempted, commits, conflicts, refusals, audits;
	uint64_t crashes, kills, stops, zombies, restarts, restarts_refused, skewed, scarce, recoveries, redone,
	        freed_words;
	uint64_t logged, outages, pod_recoveries, tickets, told, undone, rows_rebuilt, checkpoints;
	uint64_t syncs, stalls, disk_full, disk_errors, short_writes;
	uint64_t moved_in, moved_out, requests, stale_reads, checks, word_checks, rule_checks;
	uint64_t point_visits[CRASH_POINT_COUNT], point_crashes[CRASH_POINT_COUNT];
};

struct sim_result {
	uint64_t seed, trace;
	bool failed;
	char check[32]; /* which one failed */
	char text[RESULT_TEXT_BYTES];
	struct sim_counts counts;
};

/* `trace` may be NULL; with every access, or as a story only (trace.h). */
void sim_run(const struct sim_case *c, FILE *trace, bool accesses, struct sim_result *result);
void sim_counts_add(struct sim_counts *sum, const struct sim_counts *more);

/* A claim that does not hold; the first stays. */
void sim_fail(struct sim_result *result, const char *check, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif
