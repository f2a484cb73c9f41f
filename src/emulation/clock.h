/* clock.h: the time stamp counter, which is what delays are measured and waited for in; and a clock that tests turn. */
#ifndef LIGER_EMULATION_CLOCK_H
#define LIGER_EMULATION_CLOCK_H

#include "emulation/model.h"

/* In place of the counter where a test wants exact figures: one tick is 1 ns, each look at it takes `step` of them, and
 * waiting is setting it. */
struct emu_clock {
	uint64_t now, step;
};

/* Ticks a nanosecond, measured against CLOCK_MONOTONIC when a process asks first.
 * 0, and a sentence in message, on a machine whose counter is no clock. */
double emu_clock_ticks_per_ns(char message[EMU_MESSAGE_BYTES]);

static inline uint64_t emu_clock_counter(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Not before the loads above are done: else what an access took would be read off before it took it. */
static inline uint64_t emu_clock_counter_after_loads(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline uint64_t emu_clock_now(struct emu_clock *clock)
{
	return __builtin_expect(clock != NULL, 0) ? (clock->now += clock->step) : emu_clock_counter();
}

static inline uint64_t emu_clock_now_after_loads(struct emu_clock *clock)
{
	return __builtin_expect(clock != NULL, 0) ? (clock->now += clock->step) : emu_clock_counter_after_loads();
}

/* Returns what the clock says afterwards. */
static inline uint64_t emu_clock_wait(struct emu_clock *clock, uint64_t deadline)
{
	/* A pause is short on some processors and 140 cycles on others: not at the end, where it would be too long. */
	enum { PAUSE_TICKS = 600 };
	if (clock) {
		if ((int64_t)(deadline - clock->now) > 0)
			clock->now = deadline;
		return clock->now;
	}
	for (;;) {
		uint64_t now = emu_clock_counter();
		int64_t left = (int64_t)(deadline - now);
		if (left <= 0)
			return now;
		if (left > PAUSE_TICKS)
			__builtin_ia32_pause();
	}
}

#endif
