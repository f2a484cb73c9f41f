/* probe.c: `liger probe`, a table of what can be looked at. */
#include "probe.h"

#include "cli.h"

#include <stdio.h>
#include <string.h>

struct probe {
	const char *name, *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the probe's name */
};

static const struct probe probes[] = {
        {"topology", "NUMA nodes with memory, CPUs and distances; dax devices", probe_topology_main},
        {"memory", "latency, bandwidth and the cost of visibility; under emulation too", probe_memory_main},
};

enum { PROBE_COUNT = sizeof(probes) / sizeof(probes[0]) };

static int print_help(void)
{
	fputs("usage: liger probe PROBE [ARGUMENT...]\n\n", stdout);
	for (int i = 0; i < PROBE_COUNT; i++)
		printf("  %-9s %s\n", probes[i].name, probes[i].summary);
	fputs("\n'liger probe PROBE --help' tells more.\n", stdout);
	return cli_end_output("probe", CLI_OK);
}

int probe_main(int argc, char **argv)
{
	if (argc < 2)
		return cli_usage_error("probe", "probe what? '%s', say", probes[0].name);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	for (int i = 0; i < PROBE_COUNT; i++)
		if (strcmp(probes[i].name, argv[1]) == 0)
			return probes[i].run(argc - 1, argv + 1);
	return cli_usage_error("probe", "there is no '%s' to probe", argv[1]);
}
