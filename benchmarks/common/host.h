/* host.h: one host of a run: opens it, takes it through the phases, and, as host 0, prints the result. */
#ifndef LIGER_BENCH_HOST_H
#define LIGER_BENCH_HOST_H

#include "options.h"

/* How a host's process ends. The last two are known to launch.c alone. */
enum host_exit {
	HOST_EXIT_OK = 0,
	HOST_EXIT_FAILED = 1, /* and has said why */
	HOST_EXIT_USAGE = 2,
	HOST_EXIT_CHECK = 3,   /* ran to the end; a consistency check failed, somewhere */
	HOST_EXIT_STOPPED = 4, /* another host failed, and says why */
};

/* Runs host `host_id` of the pod `uri`. `stop`, unless NULL, ends it early when it becomes true. */
enum host_exit host_run(const struct options *o, const char *uri, uint32_t host_id, const atomic_bool *stop);

#endif
