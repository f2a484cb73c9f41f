/* world.c: see world.h. */
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emulation/private.h"
#include "fiber.h"
#include "trace.h"

struct world world;

const char *policy_name(enum world_policy policy)
{
	static const char *const names[POLICY_COUNT] = {"random", "pct", "starve"};
	return names[policy];
}

/* ---- Who goes next -------------------------------------------------------------------------------------------------- */

static bool stopped(const struct world_fiber *fiber)
{
	return fiber->process && fiber->process->stopped_until > world.now;
}

static void wake_sleepers(void)
{
	world.next_wake = UINT64_MAX;
	for (unsigned i = 0; i < world.fiber_count; i++) {
		struct world_fiber *fiber = &world.fibers[i];
		if (fiber->state != FIBER_ASLEEP)
			continue;
		if (fiber->wakes <= world.now)
			fiber->state = FIBER_READY;
		else if (fiber->wakes < world.next_wake)
			world.next_wake = fiber->wakes;
	}
}

/* Everybody sleeps or is stopped: on to when the first is not. */
static void jump(void)
{
	uint64_t to = UINT64_MAX;
	for (unsigned i = 0; i < world.fiber_count; i++) {
		const struct world_fiber *fiber = &world.fibers[i];
		uint64_t can = fiber->state == FIBER_ASLEEP ? fiber->wakes : 0;
		if (fiber->state != FIBER_READY && fiber->state != FIBER_ASLEEP)
			continue;
		if (stopped(fiber) && fiber->process->stopped_until > can)
			can = fiber->process->stopped_until;
		if (can < to)
			to = can;
	}
	assert(to != UINT64_MAX); /* the driver, at least, sleeps or is ready */
	world.now = to > world.now ? to : world.now + 1;
	wake_sleepers();
}

static bool starving(const struct world_fiber *fiber)
{
	return world.plan.policy == POLICY_STARVE && fiber->process && fiber->process->host == world.plan.starved;
}

/* One of those that can run, other than `except`, by lot. NULL: there is none, or, unless there must be one, none that is to be fed. */
static struct world_fiber *by_lot(const struct world_fiber *except, bool must)
{
	struct world_fiber *can[WORLD_FIBERS];
	unsigned count = 0, starving_count = 0;
	for (unsigned i = 0; i < world.fiber_count; i++) {
		struct world_fiber *fiber = &world.fibers[i];
		if (fiber->state != FIBER_READY || fiber == except || stopped(fiber))
			continue;
		can[count++] = fiber;
		starving_count += starving(fiber);
	}
	if (count == 0)
		return NULL;
	bool feed = starving_count == 0 || random_below(&world.random, 64) == 0;
	if (!feed && starving_count == count) {
		if (!must)
			return NULL;
		feed = true;
	}
	unsigned chosen = (unsigned)random_below(&world.random, feed ? count : count - starving_count);
	for (unsigned i = 0; i < count; i++)
		if ((feed || !starving(can[i])) && chosen-- == 0)
			return can[i];
	return NULL;
}

static struct world_fiber *by_rank(const struct world_fiber *except)
{
	struct world_fiber *best = NULL;
	for (unsigned i = 0; i < world.fiber_count; i++) {
		struct world_fiber *fiber = &world.fibers[i];
		if (fiber->state == FIBER_READY && fiber != except && !stopped(fiber) &&
		        (!best || fiber->rank > best->rank))
			best = fiber;
	}
	return best;
}

static void go_on_with(struct world_fiber *next)
{
	struct world_fiber *before = world.running;
	if (next == before)
		return;
	world.switches++;
	before->error = errno;
	world.running = next;
	trace_switch(next);
	fiber_switch(&before->saved, next->saved);
	errno = world.running->error;
}

/* Goes on with another than the running one, if there is one; if there must be, time passes until there is. */
static void leave(bool must)
{
	const struct world_fiber *except = world.running;
	struct world_fiber *next;
	for (;;) {
		next = world.plan.policy == POLICY_PCT ? by_rank(except) : by_lot(except, must);
		if (next || !must)
			break;
		if (world.running->state == FIBER_READY && !stopped(world.running))
			return; /* it slept until now, and nobody else can run */
		jump();
	}
	if (next)
		go_on_with(next);
}

/* The driver ends what would go on for ever. */
static void give_up(void)
{
	world.stuck = true;
	world.frozen = true;
	world.fibers[0].state = FIBER_READY;
	go_on_with(&world.fibers[0]);
}

static void pct_change(void)
{
	for (unsigned i = 0; i < world.pct_changes; i++)
		if (world.pct_change[i] == world.step)
			world.running->rank = --world.pct_lowest;
}

/* One step of time. False: the driver is alone. */
static bool pass(void)
{
	if (!world.began || world.frozen)
		return false;
	world.step++;
	world.now += world.plan.step_ns;
	if (world.now >= world.next_wake)
		wake_sleepers();
	if (world.step >= world.plan.most_steps)
		give_up();
	if (world.power_in && !world.frozen && --world.power_in == 0)
		world_power_off();
	return !world.frozen;
}

/* Another may go on although this one could. */
static void preempt(void)
{
	const struct world_fiber *before = world.running;
	if (world.plan.policy == POLICY_PCT) {
		pct_change();
		struct world_fiber *best = by_rank(NULL);
		world.preempted += best && best != before;
		if (best)
			go_on_with(best);
		return;
	}
	/* A starved host's fiber gives way at once. */
	bool gives_way = starving(before);
	if (!gives_way && (random_next(&world.random) & ((UINT64_C(1) << world.plan.switch_shift) - 1)) != 0)
		return;
	world.preempted += !gives_way;
	leave(false);
}

void world_point(void)
{
	if (!pass())
		return;
	struct world_process *process = world.running->process;
	if (process && process->crash_in && --process->crash_in == 0) {
		world_crash(process);
		return;
	}
	if (stopped(world.running)) {
		leave(true);
		return;
	}
	if (world.preempted < world.plan.preemptions)
		preempt();
}

void world_fine_point_due(void)
{
	world.fine_left = 1 + random_below(&world.random, 2 * world.plan.fine);
	if (!world.began || world.frozen || world.preempted >= world.plan.preemptions || !world.running->process)
		return;
	world.preempted++;
	if (world.plan.policy == POLICY_PCT)
		world.running->rank = --world.pct_lowest;
	leave(stopped(world.running));
}

void world_yield(void)
{
	if (!pass())
		return;
	struct world_process *process = world.running->process;
	if (process && process->crash_in && --process->crash_in == 0) {
		world_crash(process);
		return;
	}
	/* Who waits for another must not keep it from running. */
	if (world.plan.policy == POLICY_PCT)
		world.running->rank = --world.pct_lowest;
	leave(stopped(world.running));
}

static void sleep_until(uint64_t when, bool idle)
{
	if (!world.began)
		return;
	if (world.frozen) {
		world.now = when > world.now ? when : world.now;
		return;
	}
	world.running->state = FIBER_ASLEEP;
	world.running->wakes = when;
	world.running->idle = idle;
	if (when < world.next_wake)
		world.next_wake = when;
	(void)pass();
	leave(true);
	world.running->idle = false;
}

void world_nap(uint64_t ns)
{
	sleep_until(world.now + ns, false);
}

void world_idle_nap(uint64_t ns)
{
	sleep_until(world.now + ns, true);
}

uint64_t world_clock(void)
{
	const struct world_process *process = world_process();
	int64_t now = (int64_t)world.now;
	if (process)
		now += process->skew_ns + now * process->skew_ppm / 1000000;
	return (uint64_t)now;
}

bool world_at_rest(const struct world_process *of)
{
	for (unsigned i = 1; i < world.fiber_count; i++) {
		const struct world_fiber *fiber = &world.fibers[i];
		if (of && fiber->process != of)
			continue;
		/* `idle` also of one whose nap has ended and that has not run since. */
		if ((fiber->state == FIBER_READY || fiber->state == FIBER_ASLEEP) && !fiber->idle)
			return false;
	}
	return true;
}

/* ---- Coming and going ----------------------------------------------------------------------------------------------- */

static void fiber_main(void)
{
	struct world_fiber *self = world.running;
	(void)self->run(self->argument);
	self->state = FIBER_ENDED;
	leave(true);
	assert(false); /* nobody goes on with one that has ended */
}

struct world_process *world_start_process(unsigned host)
{
	assert(world.process_count < WORLD_PROCESSES);
	struct world_process *process = &world.processes[world.process_count++];
	*process = (struct world_process){.used = true, .alive = true, .host = host};
	for (unsigned i = 0; i + 1 < world.process_count; i++)
		process->life += world.processes[i].host == host;
	return process;
}

unsigned world_spawn(struct world_process *process, const char *name, void *(*run)(void *), void *argument)
{
	assert(world.fiber_count < WORLD_FIBERS);
	unsigned number = world.fiber_count++;
	struct world_fiber *fiber = &world.fibers[number];
	*fiber = (struct world_fiber){.state = FIBER_READY, .process = process, .run = run, .argument = argument};
	fiber->saved = fiber_prepare(number, fiber_main);
	fiber->rank = (int64_t)random_below(&world.random, 1 << 30);
	if (process)
		snprintf(fiber->name, sizeof fiber->name, "%u%s.%s", process->host, process->life ? "'" : "", name);
	else
		snprintf(fiber->name, sizeof fiber->name, "%s", name);
	return number;
}

static void end_process(struct world_process *process)
{
	assert(process->alive);
	process->alive = false;
	process->crash_in = 0;
	for (unsigned i = 0; i < world.fiber_count; i++)
		if (world.fibers[i].process == process && world.fibers[i].state != FIBER_ENDED)
			world.fibers[i].state = FIBER_LOST;
	if (process->memory && !process->crash_keeps_lines)
		incoherent_lose_cache(process->memory);
	process->memory = NULL;
}

void world_crash(struct world_process *process)
{
	bool own = world_process() == process;
	world.crashes++;
	trace_text("host %u dies", process->host);
	end_process(process);
	if (own)
		leave(true);
}

void world_power_off(void)
{
	trace_text("the power goes");
	world.outages++;
	world.dark = true;
	world.power_in = 0;
	for (unsigned i = 0; i < world.process_count; i++)
		if (world.processes[i].alive)
			end_process(&world.processes[i]);
	world.fibers[0].state = FIBER_READY;
	go_on_with(&world.fibers[0]);
}

void world_power_on(void)
{
	assert(world.dark && world.running == &world.fibers[0]);
	world.dark = false;
	world.fiber_count = 1;
}

void world_begin(const struct world_plan *plan)
{
	memset(&world, 0, sizeof world);
	world.plan = *plan;
	world.random = (plan->seed ^ UINT64_C(0x5eed5eed5eed5eed)) + plan->schedule * UINT64_C(0xd1342543de82ef95);
	world.now = 1000000000;
	world.next_wake = UINT64_MAX;
	world.fiber_count = 1;
	world.fibers[0] = (struct world_fiber){.state = FIBER_READY, .rank = INT64_MAX, .name = "driver"};
	world.running = &world.fibers[0];
	world.pct_changes = plan->pct_depth > 0 ? plan->pct_depth - 1 : 0;
	assert(world.pct_changes <= PCT_MOST_DEPTH);
	for (unsigned i = 0; i < world.pct_changes; i++)
		world.pct_change[i] = 1 + random_below(&world.random, plan->pct_steps);
	world.fine_left = plan->fine ? 1 + random_below(&world.random, 2 * plan->fine) : 0;
	world.began = true;
}

void world_end(void)
{
	world.began = false;
	world.running = NULL;
}
