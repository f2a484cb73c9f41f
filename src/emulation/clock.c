/* clock.c: how fast the time stamp counter counts, and whether it is a clock at all. */
#include "emulation/clock.h"

#include <assert.h>
#include <cpuid.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { CALIBRATION_NS = 10 * 1000 * 1000, CALIBRATION_TRIES = 16 };

static double ticks_per_ns;
static pthread_once_t calibrated = PTHREAD_ONCE_INIT;

static uint64_t monotonic_ns(void)
{
	struct timespec t;
	int failed = clock_gettime(CLOCK_MONOTONIC, &t);
	assert(!failed);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Both clocks at one moment: of some tries the one that was interrupted least. */
static void both_clocks(uint64_t *ticks, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;
	for (unsigned i = 0; i < CALIBRATION_TRIES; i++) {
		uint64_t before = emu_clock_counter_after_loads();
		uint64_t now = monotonic_ns();
		uint64_t after = emu_clock_counter_after_loads();
		if (after - before >= best)
			continue;
		best = after - before;
		*ticks = before + best / 2;
		*ns = now;
	}
}

static void calibrate(void)
{
	unsigned a, b, c, d;
	uint64_t from_ticks = 0, from_ns = 0, to_ticks = 0, to_ns = 0;
	/* Invariant: bit 8 of leaf 0x80000007. Otherwise it may stand still or change its speed. */
	if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & 1 << 8))
		return;
	both_clocks(&from_ticks, &from_ns);
	while (monotonic_ns() - from_ns < CALIBRATION_NS)
		__builtin_ia32_pause();
	both_clocks(&to_ticks, &to_ns);
	if (to_ticks > from_ticks && to_ns > from_ns)
		ticks_per_ns = (double)(to_ticks - from_ticks) / (double)(to_ns - from_ns);
}

double emu_clock_ticks_per_ns(char message[EMU_MESSAGE_BYTES])
{
	int failed = pthread_once(&calibrated, calibrate);
	assert(!failed);
	if (ticks_per_ns == 0)
		snprintf(message, EMU_MESSAGE_BYTES,
		        "delays are timed by the processor's time stamp counter, and this one's is not invariant "
		        "(CPUID 0x80000007, EDX bit 8): use a machine that has it, or let the hypervisor show it to "
		        "the guest "
		        "(QEMU: -cpu host,+invtsc)");
	return ticks_per_ns;
}
