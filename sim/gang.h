/* gang.h: seeds in child processes, so that a failed assertion or a wild pointer ends a child and is one failure of one
 * seed; and so that all processors have something to do. */
#ifndef LIGER_SIM_GANG_H
#define LIGER_SIM_GANG_H

#include "run.h"

enum { GANG_MOST_JOBS = 64, GANG_FAILURES = 256, GANG_SEED_SECONDS = 120 };

struct gang_summary {
	struct sim_counts counts;
	double seconds;
	unsigned failure_count;                    /* kept: at most GANG_FAILURES */
	struct sim_result failures[GANG_FAILURES]; /* by seed */
	uint64_t *traces;                          /* by seed - first, with `keep_traces`: the caller frees it */
};

struct gang_config {
	const struct sim_options *options;
	unsigned jobs;
	bool keep_going, keep_traces;
	double most_seconds; /* no seed is begun after that; 0: all are run */
};

/* Runs options->first to options->last. False, after a message: it could not begin. */
bool gang_run(const struct gang_config *config, struct gang_summary *summary);

/* Runs one case in a child. The trace goes to standard output where it is asked for. */
enum gang_trace { GANG_NO_TRACE, GANG_STORY, GANG_ACCESSES };
void gang_run_one(const struct sim_case *c, enum gang_trace trace, struct sim_result *result);

#endif
