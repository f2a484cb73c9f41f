/* launch.h: where the hosts of a run come from: started here in a pod made for them, or one attached to a given pod. */
#ifndef LIGER_BENCH_LAUNCH_H
#define LIGER_BENCH_LAUNCH_H

#include "options.h"

/* Creates a pod, runs all hosts as child processes, removes the pod. Returns the exit code. */
int launch_all(const struct options *o);

/* Runs one host of the pod o->attach in this process. Returns the exit code. */
int launch_attached(const struct options *o);

#endif
