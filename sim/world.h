/* world.h: the simulated pod's time, processes and threads, and who of them runs next.
 *
 * A thread is a fiber, a host is a process with fibers. One fiber runs; at every access to pod memory, look at a clock
 * or wait it calls world_point() or one of its kin, where the scheduler may go on with another. The order is the seed's
 * alone: nothing here asks the machine for a time or a number, and nothing depends on an address.
 *
 * The clock counts virtual nanoseconds: each point takes `step_ns`, and when everybody sleeps it jumps to who wakes
 * first. Every process reads it through a skew of its own.
 *
 * One world exists, in static memory, from world_begin() to world_end(). Fiber 0 is who called world_begin(): the driver,
 * which belongs to no process. While the world is frozen the driver runs alone.
 */
#ifndef LIGER_SIM_WORLD_H
#define LIGER_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORLD_FIBERS = 96, WORLD_PROCESSES = 64, WORLD_HOSTS = 8, WORLD_FIRST_PID = 1000 };

enum world_policy { POLICY_RANDOM, POLICY_PCT, POLICY_STARVE, POLICY_COUNT };
const char *policy_name(enum world_policy policy);

struct emu_pod;

struct world_process {
	bool used, alive;
	unsigned host, life;    /* life: which process of that host it is, from 0 */
	struct emu_pod *memory; /* the host's way to pod memory, once it has one */
	uint64_t stopped_until; /* virtual ns; it does not run before */
	int64_t skew_ns, skew_ppm;
	uint64_t crash_in;      /* so many accesses of it from now; 0: not planned */
	bool crash_keeps_lines; /* what its cache had dirty of HWcc is found to be lost only when it is recovered */
};

enum fiber_state { FIBER_FREE, FIBER_READY, FIBER_ASLEEP, FIBER_ENDED, FIBER_LOST };

struct world_fiber {
	enum fiber_state state;
	struct world_process *process; /* NULL: the driver */
	void *saved;                   /* fiber_switch()'s */
	void *(*run)(void *);
	void *argument;
	uint64_t wakes;                 /* virtual ns */
	bool idle;                      /* asleep of its own accord, not in the middle of something: world_idle_nap() */
	int64_t rank;                   /* pct: greater goes first */
	int error;                      /* errno, which fibers of one thread would share */
	uint64_t bulk_offset, bulk_run; /* memory.c: accesses one right behind the other */
	char name[16];
};

/* What is chosen before a world begins. */
struct world_plan {
	uint64_t seed;
	enum world_policy policy;
	unsigned pct_depth;
	uint64_t pct_steps;    /* pct: change points are chosen below */
	uint64_t fine;         /* a fine point in about so many is another's turn; 0: none */
	unsigned switch_shift; /* random, starve: another fiber's turn at one point in 1 << switch_shift */
	unsigned starved;      /* starve: the host */
	uint64_t step_ns, most_steps;
	uint64_t schedule;    /* another one of the same seed: for who shrinks */
	uint64_t preemptions; /* after so many a fiber goes on until it must wait */
};

enum { PCT_MOST_DEPTH = 16 };

struct world {
	struct world_plan plan;
	struct world_fiber fibers[WORLD_FIBERS];
	struct world_process processes[WORLD_PROCESSES];
	unsigned fiber_count, process_count;
	struct world_fiber *running;
	uint64_t step, now, random, next_wake;
	uint64_t fine_left; /* fine points until the next turn; 0: there are none */
	uint64_t switches, preempted;
	bool began, frozen, stuck, machines; /* machines: each host is of one of its own */
	bool dark;                           /* the power of the whole pod is gone */
	uint64_t power_in;                   /* it goes after so many steps; 0: not planned */
	uint64_t pct_change[PCT_MOST_DEPTH];
	unsigned pct_changes;
	int64_t pct_lowest;
	uint64_t crashes, kills, stops, outages; /* kills: by other hosts, which had lost patience */
	uint64_t fenced;                         /* declared dead by others while they stood still */
};
extern struct world world;

static inline uint64_t random_next(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)random_next(state) * bound) >> 64);
}

void world_begin(const struct world_plan *plan);
void world_end(void);

struct world_process *world_start_process(unsigned host);
/* In the process of `process`. Its number in world.fibers, which is never used again in this world. */
unsigned world_spawn(struct world_process *process, const char *name, void *(*run)(void *), void *argument);

/* The process that runs now; NULL: the driver. */
static inline struct world_process *world_process(void)
{
	return world.running ? world.running->process : NULL;
}

/* A point at which another may go on: an access to pod memory, or something that is like one. */
void world_point(void);
/* A point between two accesses to private memory: takes no time, and seldom is another's turn. Nothing unless plan.fine says so. */
void world_fine_point_due(void);
static inline void world_fine_point(void)
{
	if (world.fine_left && --world.fine_left == 0)
		world_fine_point_due();
}
/* The same for one who cannot go on before another has: who could run, does, before it. */
void world_yield(void);
void world_nap(uint64_t ns);
/* A nap in which the fiber is in the middle of nothing: when all are in such, the world is at rest. */
void world_idle_nap(uint64_t ns);
/* What the running process's clock says, which is never 0. */
uint64_t world_clock(void);

/* The process ends here and now, and all its fibers. Does not return when the running one is among them. */
void world_crash(struct world_process *process);
/* The power goes: all processes end here and now; the driver goes on, in the dark. */
void world_power_off(void);
/* And comes back: there are no processes, and only the driver. */
void world_power_on(void);
/* Whether every fiber but the driver has ended, or is idle; of one process, or of all (NULL). */
bool world_at_rest(const struct world_process *of);

#endif
