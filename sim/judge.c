/* judge.c: see judge.h. */
#include "judge.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/checker/checker.h"
#include "cxl/extent.h"
#include "cxl/word.h"
#include "emulation/private.h"

/* ---- The pod ------------------------------------------------------------------------------------------------------- */

struct told {
	struct sim_result *result;
	const char *when;
};

static void tell(const struct lg_check_finding *finding, void *argument)
{
	struct told *told = argument;
	sim_fail(told->result, "pod check", "%s: %s at offset %#" PRIx64 ", host %d, word %u: %s", told->when,
	        finding->rule, finding->offset, finding->host, finding->word, finding->text);
}

/* What every living host's cache has dirty goes to memory, as a cache may do at any time: only then can the region be looked at. */
static void settle_caches(void)
{
	for (unsigned i = 0; i < world.process_count; i++)
		if (world.processes[i].alive && world.processes[i].memory)
			incoherent_clean(world.processes[i].memory);
}

void judge_pod(const char *uri, const struct sim_case *c, const char *when, struct sim_result *result)
{
	struct lg_check_report report;
	struct lg_error err = {0};
	struct told told = {result, when};
	settle_caches();
	int code = lg_pod_check(uri, LG_CHECK_ONCE, tell, &told, &report, &err);
	if (code != LG_OK)
		sim_fail(result, "pod check", "%s: lg_pod_check: %s", when, err.message);
	result->counts.checks++;
	result->counts.word_checks += report.words;
	/* In a directory with room for all. */
	if (report.rows_without_slot && !(c->faults & FAULT_SCARCE))
		sim_fail(result, "no slot", "%s: %" PRIu64 " shared rows are in no directory", when,
		        report.rows_without_slot);
	if (report.words_locked || report.words_intent)
		sim_fail(result, "stuck words",
		        "%s: %" PRIu64 " words are locked and %" PRIu64 " under an intent, and nobody runs", when,
		        report.words_locked, report.words_intent);
}

/* ---- The history --------------------------------------------------------------------------------------------------- */

void judge_history(const struct load *load, struct sim_result *result)
{
	static struct checker_result verdict;
	for (int order = CHECKER_ORDER_NONE; order <= CHECKER_ORDER_REALTIME; order++) {
		if (order == CHECKER_ORDER_SESSION)
			continue;
		checker_run(&load->history, (enum checker_order)order, &verdict);
		if (verdict.anomaly == ANOMALY_NONE)
			continue;
		sim_fail(result, "serializability", "%s", verdict.report);
		return;
	}
	judge_map(load, result);
}
