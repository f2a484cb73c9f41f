/* run.c: lg_run(), the loop that retries; and how a transaction that keeps losing wins in the end.
 *
 * After each lost attempt it waits a random time below a bound that doubles. After LG_RUN_PRIORITY_AFTER losses it takes
 * the pod's priority word, if nobody has it. While it stands, no host begins another transaction (lg_txn_begin waits), and its
 * holder reads greedily: every row that it touches comes under its intent. So once the transactions that were running have ended, which
 * they do in bounded time as nobody waits unboundedly, it runs alone and commits. The word expires after
 * PRIORITY_EPOCHS, so a holder that died holds nobody up; a holder that needs longer takes it again.
 */
#include "txn/txn.h"

enum { BACKOFF_FIRST_NS = 500, BACKOFF_LAST_NS = 1000000 };

static void back_off(struct lg_worker *w, unsigned losses)
{
	uint64_t bound = losses < 12 ? (uint64_t)BACKOFF_FIRST_NS << losses : BACKOFF_LAST_NS;
	if (bound > BACKOFF_LAST_NS)
		bound = BACKOFF_LAST_NS;
	uint64_t until = clock_ns() + (uint64_t)(((unsigned __int128)worker_random(w) * bound) >> 64);
	struct wait wait = {0};
	do
		worker_wait(w, &wait);
	while (clock_ns() < until);
}

/* Runs once; LG_CONFLICT: lost. */
static int attempt(struct lg_worker *w, bool greedy, int (*body)(struct lg_txn *txn, void *arg), void *arg)
{
	struct lg_txn *txn;
	int code = lg_txn_begin(w, &txn);
	if (code != LG_OK)
		return code;
	txn->greedy = greedy;
	code = body(txn, arg);
	if (code == LG_OK)
		return txn->state == TXN_ENDED ? LG_OK : lg_commit(txn);
	if (txn->state == TXN_ENDED)
		return code;
	/* What body decided rests on what it read: if that was never true at one time, it must decide again. */
	if (code != LG_CONFLICT && txn->state == TXN_RUNNING) {
		int held = commit_validate(txn);
		code = held == LG_OK ? code : held;
	}
	if (txn->state == TXN_DOOMED)
		code = txn->doom;
	lg_abort(txn);
	return code;
}

int lg_run(struct lg_worker *worker, int (*body)(struct lg_txn *txn, void *arg), void *arg)
{
	uint64_t mine = 0;
	int code;
	for (unsigned losses = 0;; losses++) {
		code = attempt(worker, mine != 0, body, arg);
		if (likely(code != LG_CONFLICT))
			break;
		if (losses + 1 >= LG_RUN_PRIORITY_AFTER && priority_load(&worker->port) != mine)
			mine = 0; /* it expired, and perhaps another has it now */
		if (losses + 1 >= LG_RUN_PRIORITY_AFTER && !mine) {
			uint64_t id = priority_id(epoch_load(&worker->port), worker->host_id, worker->slot);
			if (priority_take(&worker->port, id)) {
				mine = id;
				worker->counts.priorities++;
			}
		}
		back_off(worker, losses);
	}
	if (mine)
		priority_drop(&worker->port, mine);
	return code;
}
