/* shrink.c: see shrink.h. Greedy: each step is tried, in a child, and kept if the same check still fails. Transactions are left out
 * in runs of a half, a quarter, ... of them, then one by one (the delta debugging of Zeller and Hildebrandt, without the
 * complements); each has random numbers of its own, so that the others stay what they were. */
#include "shrink.h"

#include <string.h>

#include "gang.h"

enum { SCHEDULES = 4 };

static bool still_fails(const struct sim_options *options, struct sim_result *result)
{
	static struct sim_result now;
	struct sim_case c;
	sim_case_of(options, result->seed, &c);
	gang_run_one(&c, GANG_NO_TRACE, &now);
	if (!now.failed || strcmp(now.check, result->check) != 0)
		return false;
	*result = now;
	return true;
}

/* What is left out changes the lots that were drawn for all that follows: so a few other schedules are tried too. */
static bool keep_if(struct sim_options *options, struct sim_options *tried, struct sim_result *result)
{
	for (unsigned schedule = 0; schedule < SCHEDULES; schedule++, tried->schedule++) {
		if (!still_fails(tried, result))
			continue;
		*options = *tried;
		return true;
	}
	return false;
}

static void fewer_faults(struct sim_options *options, struct sim_result *result)
{
	for (unsigned fault = 1; fault < FAULT_ALL; fault <<= 1) {
		struct sim_options tried = *options;
		tried.faults &= ~fault;
		if (tried.faults != options->faults)
			(void)keep_if(options, &tried, result);
	}
}

/* All transactions of all sessions, also of such as a restarted host might have. */
static unsigned list_transactions(const struct sim_case *c, struct sim_drop *all, unsigned most)
{
	unsigned count = 0, sessions = 1 + c->hosts * c->workers * (c->faults & FAULT_RESTART ? 2 : 1);
	for (unsigned session = 2; session <= sessions; session++)
		for (unsigned txn = 1; txn <= c->txns && count < most; txn++)
			all[count++] = (struct sim_drop){(uint16_t)session, (uint16_t)txn};
	return count;
}

static void fewer_transactions(
        struct sim_options *options, struct sim_result *result, void (*told)(const char *what, unsigned left))
{
	static struct sim_drop left[SIM_DROPS];
	struct sim_case c;
	sim_case_of(options, result->seed, &c);
	unsigned count = list_transactions(&c, left, SIM_DROPS);
	for (unsigned size = count; size > 0; size = size > 1 ? (size + 1) / 2 : 0) {
		told("transactions", count);
		for (unsigned from = 0; from < count;) {
			struct sim_options tried = *options;
			unsigned run = size < count - from ? size : count - from;
			if (tried.drops.count + run > SIM_DROPS)
				return;
			memcpy(tried.drops.drop + tried.drops.count, left + from, run * sizeof left[0]);
			tried.drops.count += run;
			if (!keep_if(options, &tried, result)) {
				from += run;
				continue;
			}
			memmove(left + from, left + from + run, (count - from - run) * sizeof left[0]);
			count -= run;
		}
	}
}

static void fewer_preemptions(
        struct sim_options *options, struct sim_result *result, void (*told)(const char *what, unsigned left))
{
	uint64_t fails = result->counts.preempted, passes = 0;
	struct sim_options tried = *options;
	tried.preemptions = 0;
	if (keep_if(options, &tried, result))
		return;
	/* Not monotonic, but what is kept does fail. */
	while (fails > passes + 1) {
		tried = *options;
		tried.preemptions = passes + (fails - passes) / 2;
		told("preemptions", (unsigned)fails);
		if (keep_if(options, &tried, result))
			fails = tried.preemptions;
		else
			passes = tried.preemptions;
	}
}

void shrink(struct sim_options *options, uint64_t seed, struct sim_result *result,
        void (*told)(const char *what, unsigned left))
{
	result->seed = seed;
	fewer_faults(options, result);
	fewer_transactions(options, result, told);
	fewer_preemptions(options, result, told);
}
