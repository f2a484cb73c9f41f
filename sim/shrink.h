/* shrink.h: less of a case that still fails the same way. */
#ifndef LIGER_SIM_SHRINK_H
#define LIGER_SIM_SHRINK_H

#include "run.h"

/* Leaves out transactions, faults and preemptions for as long as the same check fails. `options` become those that say so, and
 * *result what they lead to; `told` is called before each round. */
void shrink(struct sim_options *options, uint64_t seed, struct sim_result *result,
        void (*told)(const char *what, unsigned left));

#endif
