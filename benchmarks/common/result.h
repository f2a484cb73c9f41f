/* result.h: what one host measured, as it goes to host 0, and the sum over all hosts. */
#ifndef LIGER_BENCH_RESULT_H
#define LIGER_BENCH_RESULT_H

#include "bench.h"
#include "options.h"

/* Of one host. It travels as bytes: only numbers, and only as many histograms as the workload has types. */
struct host_result {
	uint64_t window_ns; /* length of its measured phase */
	uint64_t load_rows, load_ns;
	uint64_t rss_bytes, rss_private_bytes;
	uint64_t commits[BENCH_MAX_TYPES], rolled_back[BENCH_MAX_TYPES], redo_bytes[BENCH_MAX_TYPES];
	struct lg_stats run;     /* counters of the measured phase; memory at its end */
	struct lg_stats workers; /* counters of the workers' transactions alone, without what else the host does */
	struct histogram latency[BENCH_MAX_TYPES];
};

/* Of all hosts. */
struct run_result {
	uint32_t host_count;
	struct host_result *host;                          /* of each */
	struct host_result sum;                            /* windows and load times: the longest of all */
	double commits_per_s, type_per_s[BENCH_MAX_TYPES]; /* sums of the hosts' own rates */
	struct lg_pod_info pod;                            /* at the end */
	struct bench_failures failures;
};

/* Bytes of a host_result that count, for a workload of `type_count` types. */
size_t host_result_bytes(uint32_t type_count);

/* Leaves in `stats` what was counted since `before`; memory stays as it is now. */
void stats_since(struct lg_stats *stats, const struct lg_stats *before);

/* Adds all of `from`, counters and memory, to `into`. */
void stats_add(struct lg_stats *into, const struct lg_stats *from);

/* Fills sum and rates from the hosts'. */
void result_sum(struct run_result *r, uint32_t type_count);

/* Resident memory of this process; zeros if the kernel does not say. */
void result_read_rss(struct host_result *r);

uint64_t result_commits(const struct run_result *r);
uint64_t result_aborts(const struct run_result *r); /* without those the workload wanted */

/* Per shared row, per payload byte; negative when there is none. */
double result_hwcc_bytes_per_row(const struct run_result *r);
double result_swcc_bytes_per_payload_byte(const struct run_result *r);

/* The table for people. */
void result_print(FILE *out, const struct run_result *r, const struct options *o, const struct bench *bench);

/* The same as JSON, written beside `path` and renamed to it. False with a sentence in err. */
bool result_write_json(const char *path, const struct run_result *r, const struct options *o, const struct bench *bench,
        char *err, size_t err_bytes);

const char *result_durability_name(const struct run_result *r);

/* Adds the failures of `from` to `into`. */
void failures_merge(struct bench_failures *into, const struct bench_failures *from);

#endif
