/* crash_point.c: see crash_point.h. Nothing in a build without -DLG_MUTANTS. */
#include "cxl/crash_point.h"

#ifdef LG_MUTANTS

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic int armed = CRASH_POINT_COUNT;
static _Atomic uint64_t left;

static const char *const names[] = {
#define LG_CRASH_POINT_NAME(name, text) #name,
        LG_CRASH_POINT_LIST(LG_CRASH_POINT_NAME)
#undef LG_CRASH_POINT_NAME
};

void crash_point_arm(enum crash_point point, uint64_t pass)
{
	atomic_store(&left, pass);
	atomic_store(&armed, (int)point);
}

const char *crash_point_name(enum crash_point point)
{
	return point < CRASH_POINT_COUNT ? names[point] : "none";
}

void crash_point_visit(enum crash_point point)
{
	if (atomic_load_explicit(&armed, memory_order_relaxed) != (int)point)
		return;
	if (atomic_fetch_sub(&left, 1) == 0)
		kill(getpid(), SIGKILL);
}

#else
/* ISO C wants something to translate. */
_Static_assert(CRASH_POINT_COUNT > 0, "there are points");
#endif
