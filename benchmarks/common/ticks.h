/* ticks.h: a clock cheap enough to read after every transaction.
 *
 * On x86 the time stamp counter (10 ns a reading; clock_gettime() takes 24), measured against CLOCK_MONOTONIC while the
 * load runs. Elsewhere CLOCK_MONOTONIC itself. Only differences on one thread mean something.
 */
#ifndef LIGER_BENCH_TICKS_H
#define LIGER_BENCH_TICKS_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static inline uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	return monotonic_ns();
#endif
}

/* Where both clocks stood at one moment. */
struct ticks_mark {
	uint64_t ns, ticks;
};

static inline struct ticks_mark ticks_mark_now(void)
{
	struct ticks_mark mark = {monotonic_ns(), ticks_now()};
	return mark;
}

/* Nanoseconds a tick, times 2^32, from the time between `from` and now, which should be 20 ms or more. */
static inline uint64_t ticks_scale(const struct ticks_mark *from)
{
	struct ticks_mark now = ticks_mark_now();
	uint64_t ticks = now.ticks - from->ticks, ns = now.ns - from->ns;

	return ticks == 0 ? UINT64_C(1) << 32 : (uint64_t)(((unsigned __int128)ns << 32) / ticks);
}

/* A thread that moved to another CPU may see its counter step back by a little: that is no time at all. */
static inline uint64_t ticks_to_ns(uint64_t begin, uint64_t end, uint64_t scale)
{
	return end <= begin ? 0 : (uint64_t)(((unsigned __int128)(end - begin) * scale) >> 32);
}

#endif
