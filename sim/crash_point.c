/* crash_point.c: the named points of src/cxl/crash_point.h, in the simulator: each visit is counted, and one may be the
 * last thing that a simulated host does. */
#include "crash_point.h"

#include "trace.h"
#include "world.h"

static const char *const names[] = {
#define SIM_CRASH_POINT_NAME(name, text) #name,
        LG_CRASH_POINT_LIST(SIM_CRASH_POINT_NAME)
#undef SIM_CRASH_POINT_NAME
};

static struct sim_points points;
static enum crash_point armed[CASE_CRASHES];
static uint64_t left[CASE_CRASHES], later[CASE_CRASHES];
static enum crash_point dark; /* where the power of the whole pod goes */
static uint64_t dark_left;

void sim_points_begin(void)
{
	points = (struct sim_points){{0}, {0}};
	sim_points_disarm();
}

void sim_points_disarm(void)
{
	for (unsigned i = 0; i < CASE_CRASHES; i++)
		armed[i] = CRASH_POINT_COUNT;
	dark = CRASH_POINT_COUNT;
}

void sim_point_arm_power(enum crash_point point, uint64_t after)
{
	dark = point;
	dark_left = after;
}

void sim_point_arm(unsigned which, const struct sim_crash *crash)
{
	armed[which] = crash->point;
	left[which] = crash->after;
	later[which] = crash->later;
}

const struct sim_points *sim_points(void)
{
	return &points;
}

const char *crash_point_name(enum crash_point point)
{
	return point < CRASH_POINT_COUNT ? names[point] : "none";
}

/* Host 0 never dies: somebody must be left to tell. */
void crash_point_visit(enum crash_point point)
{
	struct world_process *process = world_process();
	points.visits[point]++;
	trace_text(". %s", names[point]);
	if (process && !world.frozen && point == dark && --dark_left == 0) {
		dark = CRASH_POINT_COUNT;
		points.crashes[point]++;
		world_power_off();
	}
	for (unsigned i = 0; process && process->host != 0 && !world.frozen && i < CASE_CRASHES; i++) {
		if (armed[i] != point || --left[i] != 0)
			continue;
		armed[i] = CRASH_POINT_COUNT;
		points.crashes[point]++;
		trace_text("at %s", names[point]);
		if (later[i] == 0)
			world_crash(process);
		else if (process->crash_in == 0)
			process->crash_in = later[i];
	}
}
