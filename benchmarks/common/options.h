/* options.h: the command line of `liger bench WORKLOAD`: the driver's own options and the workload's. */
#ifndef LIGER_BENCH_OPTIONS_H
#define LIGER_BENCH_OPTIONS_H

#include "bench.h"

enum { OPTIONS_MAX_GIVEN = 64 };

struct options {
	const struct bench_workload *workload;
	void *state; /* of the workload; its destroy() frees it */
	uint32_t hosts, workers, host_id;
	uint32_t max_running;              /* as in struct lg_host_config */
	uint64_t seed, hwcc_mib, swcc_mib; /* sizes: 0 is what the workload proposes */
	double seconds, warmup_seconds, join_seconds;
	const char *json_path, *uri, *attach; /* NULL: none */
	const char *durability;               /* of the pod to create; NULL: none */
	const char *data;                     /* its data directory; NULL: none */
	uint32_t checkpoint_mb_per_s, checkpoint_log_mib;
	const char *emulate; /* as in struct lg_host_config */
	bool hosts_given, host_id_given;
	bool check, quiet, pin;
	/* Hash of everything that all hosts of a run must agree on. */
	uint64_t fingerprint;
	uint32_t given_count;
	struct {
		const char *name, *value; /* of the workload, as given; value NULL: a flag */
	} given[OPTIONS_MAX_GIVEN];
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_USAGE };

/* Parses argv[1..]. `workloads` ends with NULL. With OPTIONS_USAGE err says what is wrong and where help is; with
 * OPTIONS_HELP o->workload is NULL when none was named.
 * Ownership: o points into argv. Call options_free() in any case. */
enum options_result options_parse(struct options *o, const struct bench_workload *const *workloads, int argc,
        char **argv, char *err, size_t err_bytes);
void options_free(struct options *o);

/* Prints the help of all options, or, when `workload` is NULL, what workloads there are. */
void options_help(FILE *out, const struct bench_workload *const *workloads, const struct bench_workload *workload);

#endif
