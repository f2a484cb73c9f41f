/* delay_time.c: what accesses cost in time: queues, the account of a thread, and waiting.
 *
 * A queue is one word: when its server is free again. Who wants service takes the word's time or its own, whichever is
 * later, and moves the word on by what it needs. So latency grows with load, and no more goes through than there is
 * room for. A host's link and the device are served one after the other, both directions apart.
 *
 * thread->owed is the account: ticks that accesses should have taken and have not yet (or, negative, took too long). It
 * is part of the thread's time: what a thread with 40 ticks of debt begins, it begins 40 ticks from now.
 */
#include "emulation/delay.h"

#include <math.h>

/* A queue that is further ahead than any load can push it was left by a machine state that is gone: an older boot,
 * a clock that a migration set back. 2^31 ticks are about a second. */
#define QUEUE_AHEAD_MAX (INT64_C(1) << (31 + DELAY_QUEUE_SHIFT))

/* Times are in 64ths of a tick, and wrap. Returns when service begins. */
static uint64_t queue_take(_Atomic uint64_t *free, uint64_t at, uint64_t service)
{
	uint64_t start, seen = atomic_load_explicit(free, memory_order_relaxed); /* relaxed: no data hang on it */
	do {
		int64_t ahead = (int64_t)(seen - at);
		start = ahead > 0 && ahead < QUEUE_AHEAD_MAX ? seen : at;
	} while (!atomic_compare_exchange_weak_explicit(
	        free, &seen, start + service, memory_order_relaxed, memory_order_relaxed));
	return start;
}

/* Room for some lines on a link, then on the device. Returns the 64ths from `at` until the last is through. */
static uint64_t take(_Atomic uint64_t *link, uint64_t link_service, _Atomic uint64_t *device, uint64_t device_service,
        uint64_t at, uint64_t lines)
{
	uint64_t from = at << DELAY_QUEUE_SHIFT;
	uint64_t begin = queue_take(link, from, link_service * lines);
	uint64_t start = queue_take(device, begin, device_service * lines);
	uint64_t link_end = begin + link_service * lines, device_end = start + device_service * lines;
	return ((int64_t)(link_end - device_end) > 0 ? link_end : device_end) - from;
}

static uint64_t take_read(struct emu_thread *thread, uint64_t at, uint64_t lines)
{
	struct delay_host *host = thread->pod->delay;
	return take(&host->read_free, host->costs.host_read_service, &thread->pod->shared->device_read_free,
	        host->costs.device_read_service, at, lines);
}

static uint64_t take_write(struct emu_thread *thread, uint64_t at, uint64_t lines)
{
	struct delay_host *host = thread->pod->delay;
	return take(&host->write_free, host->costs.host_write_service, &thread->pod->shared->device_write_free,
	        host->costs.device_write_service, at, lines);
}

static uint64_t longer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int64_t to_ticks(uint64_t queue_time)
{
	return (int64_t)((queue_time + (1 << (DELAY_QUEUE_SHIFT - 1))) >> DELAY_QUEUE_SHIFT);
}

int64_t delay_wait_read(struct emu_thread *thread, uint64_t at)
{
	const struct delay_costs *c = &thread->pod->delay->costs;
	return to_ticks(take_read(thread, at, 1) - longer(c->host_read_service, c->device_read_service));
}

int64_t delay_wait_write(struct emu_thread *thread, uint64_t at)
{
	const struct delay_costs *c = &thread->pod->delay->costs;
	return to_ticks(take_write(thread, at, 1) - longer(c->host_write_service, c->device_write_service));
}

int64_t delay_stream_read(struct emu_thread *thread, uint64_t at, uint64_t lines)
{
	return to_ticks(take_read(thread, at, lines));
}

int64_t delay_stream_write(struct emu_thread *thread, uint64_t at, uint64_t lines)
{
	return to_ticks(take_write(thread, at, lines));
}

/* By lot where the profile has a tail; EMU_TAIL_FROM tells how. */
int64_t delay_read_latency(struct emu_thread *thread)
{
	const struct delay_costs *c = &thread->pod->delay->costs;
	if (c->p99_log2 == 0 && c->p999_log2 == 0)
		return c->read;
	double u = (double)(emu_random(thread) >> 11) * 0x1p-53, log2 = c->p999_log2;
	if (u < EMU_TAIL_FROM)
		return c->read;
	if (u < 0.99)
		log2 = c->p99_log2 * (u - EMU_TAIL_FROM) / (0.99 - EMU_TAIL_FROM);
	else if (u < 0.999)
		log2 = c->p99_log2 + (c->p999_log2 - c->p99_log2) * (u - 0.99) / 0.009;
	return (int64_t)((double)c->read * exp2(log2));
}

static void bound_credit(struct emu_thread *thread)
{
	int64_t max = thread->pod->delay->costs.credit_max;
	if (thread->owed < -max)
		thread->owed = -max;
}

static void settle(struct emu_thread *thread, uint64_t entry, int64_t due, uint64_t now)
{
	struct delay_host *host = thread->pod->delay;
	thread->owed += due - (int64_t)(now - entry) - host->costs.edge;
	if (thread->owed < host->costs.resolution) {
		bound_credit(thread);
		return;
	}
	uint64_t deadline = now + (uint64_t)thread->owed;
	uint64_t then = emu_clock_wait(host->clock, deadline);
	thread->counts.delayed_ticks += then - now;
	/* What it waited too long is made good by the next. */
	thread->owed = (int64_t)(deadline - then);
	bound_credit(thread);
}

void delay_settle(struct emu_thread *thread, uint64_t entry, int64_t due)
{
	settle(thread, entry, due, emu_clock_now(thread->pod->delay->clock));
}

void delay_settle_load(struct emu_thread *thread, uint64_t entry, int64_t due)
{
	struct delay_host *host = thread->pod->delay;
	/* Lines that are charged with a share of a latency overlap in this machine too: to wait for each would forbid
	 * it. */
	bool alone = due >= host->costs.resolution;
	settle(thread, entry, due, alone ? emu_clock_now_after_loads(host->clock) : emu_clock_now(host->clock));
}

void delay_hit(struct emu_thread *thread)
{
	thread->counts.hits++;
	thread->owed -= thread->pod->delay->costs.hit_credit;
	bound_credit(thread);
}
