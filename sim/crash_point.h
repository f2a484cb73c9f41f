/* crash_point.h: counting and arming the named points at which a simulated host may die. */
#ifndef LIGER_SIM_CRASH_POINT_H
#define LIGER_SIM_CRASH_POINT_H

#include "case.h"

struct sim_points {
	uint64_t visits[CRASH_POINT_COUNT], crashes[CRASH_POINT_COUNT];
};

/* Forgets all. */
void sim_points_begin(void);
/* From now on: the visit number `after` of its point, by any host but 0, is its host's end, `later` accesses later. `which`: below
 * CASE_CRASHES. */
void sim_point_arm(unsigned which, const struct sim_crash *crash);
/* The power of the whole pod goes at the `after`-th visit of `point` from now on. */
void sim_point_arm_power(enum crash_point point, uint64_t after);
/* No point is any host's end any more. */
void sim_points_disarm(void);
const struct sim_points *sim_points(void);
/* As src/cxl/crash_point.h declares it for a build with -DLG_MUTANTS, which the engine's is here. */
const char *crash_point_name(enum crash_point point);
void crash_point_visit(enum crash_point point);

#endif
