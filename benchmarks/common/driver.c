/* driver.c: `liger bench`. Reading order: options.c, launch.c (processes and the pod), host.c (the phases on one host),
 * control.c (how hosts keep in step), result.c with print.c and json.c. */
#include "bench.h"
#include "host.h"
#include "launch.h"
#include "options.h"

static const struct bench_workload *const workloads[] = {&bench_tpcc, &bench_ycsb, NULL};

int bench_main(int argc, char **argv)
{
	struct options options;
	char err[600];
	int code = HOST_EXIT_OK;

	switch (options_parse(&options, workloads, argc, argv, err, sizeof(err))) {
	case OPTIONS_HELP: options_help(stdout, workloads, options.workload); break;
	case OPTIONS_USAGE:
		fprintf(stderr, "liger bench: %s\n", err);
		code = HOST_EXIT_USAGE;
		break;
	case OPTIONS_RUN: code = options.attach ? launch_attached(&options) : launch_all(&options); break;
	}
	options_free(&options);
	return code;
}
