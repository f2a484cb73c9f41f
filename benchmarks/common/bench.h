/* bench.h: what a workload gives the benchmark driver, and what it gets.
 *
 * The driver (driver.c) starts the hosts, opens workers, runs the phases and prints the result. A workload brings its
 * options, tables, loader, transactions and checks. Phases, with a barrier of all hosts after each:
 *     create tables | load | check | warm up | measure | check | report
 */
#ifndef LIGER_BENCH_H
#define LIGER_BENCH_H

#include <liger.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "histogram.h"
#include "random.h"

enum { BENCH_MAX_TYPES = 16, BENCH_MAX_FAILURES = 64 };

/* One run, as this host sees it. Written by the driver before the phases, read by all. */
struct bench {
	uint32_t host_count, host_id, workers_per_host;
	uint64_t seed;
	double seconds, warmup_seconds;
	struct lg_host *host;
	void *workload; /* the workload's own state, made by its parse() */
};

/* One worker thread of this host. */
struct bench_worker {
	const struct bench *bench;
	uint32_t index;        /* 0..workers_per_host-1 */
	uint32_t global_index; /* host_id * workers_per_host + index */
	struct lg_worker *worker;
	struct bench_random random;   /* seeded from bench->seed and global_index */
	void *state;                  /* the workload's own, made by its worker_open() */
	_Atomic uint64_t loaded_rows; /* the loader adds to it: progress and rows/s */
	char failure[160]; /* the workload may say here why a transaction or check failed; else its code does */
};

/* How one transaction ended, for the driver's counts. */
struct bench_outcome {
	uint32_t type; /* index into type_names */
	/* By the workload's own rule (TPC-C's 1%): counted as a commit of its type, as the standard does. */
	bool rolled_back;
	int code; /* LG_OK, or why it failed: anything else ends the run with an error */
};

/* Failed checks, one sentence each. */
struct bench_failures {
	uint32_t count; /* may exceed BENCH_MAX_FAILURES: then only the first are kept */
	char text[BENCH_MAX_FAILURES][160];
};

void bench_fail(struct bench_failures *failures, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct bench_option {                       /* of the workload alone; the driver has its own */
	const char *name, *argument, *help; /* "--zipf", "THETA", "..." ; argument NULL: a flag */
};

struct bench_workload {
	const char *name, *summary;
	const struct bench_option *options; /* ends with a NULL name */
	const char *const *type_names;
	uint32_t type_count;

	void *(*create)(void);
	void (*destroy)(void *workload);
	/* One option; false with a sentence in err when the value makes no sense. */
	bool (*set)(void *workload, const char *name, const char *value, char *err, size_t err_bytes);
	/* Once all options are known: checks them against hosts and workers, proposes the pod's sizes. */
	bool (*configure)(
	        void *workload, const struct bench *bench, struct lg_pod_config *pod, char *err, size_t err_bytes);
	/* What the load takes of the memory of all hosts together, and the option that makes it smaller: a run that would not
	 * fit is refused before it begins. NULL: not known, and not asked. */
	uint64_t (*load_bytes)(const void *workload, const struct bench *bench);
	const char *load_option;
	/* Host 0 before the first table exists: places partitions. */
	int (*place)(struct bench *bench, struct lg_error *err);
	/* Every host: creates or opens the tables. */
	int (*tables)(struct bench *bench, struct lg_error *err);
	int (*worker_open)(struct bench_worker *w);
	void (*worker_close)(struct bench_worker *w);
	/* Every worker: its share of the load. Says in advance how many rows that will be, for the progress bar. */
	uint64_t (*load_rows)(const struct bench_worker *w);
	int (*load)(struct bench_worker *w, struct lg_error *err);
	/* Every worker: one transaction, retried until it commits. *outcome is zeroed before. It is not returned: what
	 * is stored in parts and loaded as a whole waits for every store before it, a row's cache misses among them,
	 * which cost a tenth of a small transaction. */
	void (*transaction)(struct bench_worker *w, struct bench_outcome *outcome);
	/* Every worker, with a barrier of all workers of all hosts after each step (0..check_steps-1): checks its
	 * share. `after_run` is false right after the load. */
	uint32_t check_steps;
	int (*check)(struct bench_worker *w, uint32_t step, bool after_run, struct bench_failures *failures);
	/* Host 0, after the run: adds lines to the table; and, when `json` is not NULL, keys to it (a cJSON object;
	 * then `table` leads nowhere). May itself be NULL. */
	void (*report)(const struct bench *bench, FILE *table, void *json);
};

extern const struct bench_workload bench_tpcc, bench_ycsb;

/* `liger bench ...`: exit code 0, 1 (failed, or a check did), 2 (usage). */
int bench_main(int argc, char **argv);

#endif
