/* judge.h: what is claimed of a pod at rest, and of the history at the end. */
#ifndef LIGER_SIM_JUDGE_H
#define LIGER_SIM_JUDGE_H

#include "run.h"
#include "workload.h"

/* The world is frozen and at rest: the region does not contradict itself, and no word is held by whom nobody runs. */
void judge_pod(const char *uri, const struct sim_case *c, const char *when, struct sim_result *result);
/* With one session that wrote: what it read is what a plain map in memory would have told it (map.c). */
void judge_map(const struct load *load, struct sim_result *result);
/* Serializability, in the order of sessions and of real time; and judge_map(). */
void judge_history(const struct load *load, struct sim_result *result);

#endif
