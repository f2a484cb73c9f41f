/* probe.h: `liger probe ...`: what this machine and its memory are like. Each has --help; exit codes as in cli.h. */
#ifndef LIGER_TOOLS_PROBE_H
#define LIGER_TOOLS_PROBE_H

/* `liger probe topology`: NUMA nodes, their distances, dax devices. argv[0] is "topology". */
int probe_topology_main(int argc, char **argv);

/* `liger probe memory`: latency, bandwidth, coherence of a region. argv[0] is "memory". */
int probe_memory_main(int argc, char **argv);

#endif
