/* run.c: lg_run(), the loop that retries; and how a transaction that keeps losing wins in the end.
 *
 * Attempt 1..16: at most so many of a host's workers try at once as it has CPUs (engine/gate.h); after each loss a worker
 * gives its turn away and waits a random time below a bound that doubles.
 *
 * Attempt 17..20: under the pod's **priority** word, for which it waits. While that stands no host begins another
 * transaction (lg_txn_begin), and its holder is greedy: every row that it touches comes under its intent, and
 * it waits for those of others, who give up after 100 us if they wait for one of its own. So of the transactions that were
 * running a few may still beat it, by a change of a range that it has scanned; new ones cannot.
 *
 * Attempt 21: alone. Before it, the holder waits until no transaction that was running runs any more:
 *
 *     holder   [priority.alone] swap the word in; full fence; load the epoch, E; wait until the pod's oldest epoch is above E
 *     others   load the epoch, e; store `running` = e; full fence [running.enter]; load the word: if it stands, leave and wait
 *
 * Who saw no word looked before the swap, so e <= E. And the oldest epoch that its host publishes is not above e before it
 * has ended: whoever computes it loads the global epoch first, finds it above E, hence looks after the swap, and sees
 * `running`. So when the oldest epoch is above E, whoever runs has seen the word, and waits or is its holder.
 *
 * So a transaction loses to others LG_RUN_MOST_ATTEMPTS - 1 times at most. It rests on every transaction's, and this one's
 * attempts', ending within half of PRIORITY_EPOCHS: the word expires, so that a holder that died, or a thread that waits for
 * itself with another transaction open, holds nobody up. A holder that lives renews it before each attempt. Not counted are
 * losses to nobody's transaction: want of pod memory, housekeeping in a range that was scanned, the death of a host.
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

/* Waits until nothing else runs in the pod, or the priority is not its own any more or half used up. */
static void wait_until_alone(struct lg_worker *w, uint64_t mine)
{
	full_fence(); /* [priority.alone] */
	uint64_t began = epoch_load(&w->port);
	struct wait wait = {0};
	while (member_pod_oldest(&w->port) <= began && priority_load(&w->port) == mine &&
	        epoch_load(&w->port) < began + PRIORITY_EPOCHS / 2)
		worker_wait(w, &wait);
}

/* The priority, taken or taken anew; nobody has it for longer than PRIORITY_EPOCHS, or the worker would wait here for a
 * dead one. 0: this host is dead itself. */
static uint64_t take_priority(struct lg_worker *w, uint64_t mine)
{
	struct wait wait = {0};
	for (;;) {
		uint64_t id = priority_id(epoch_load(&w->port), w->host_id, w->slot);
		if (mine ? priority_renew(&w->port, mine, id) : priority_take(&w->port, id)) {
			w->counts.priorities += !mine;
			return id;
		}
		mine = 0; /* it had expired */
		if (host_fenced(w->host))
			return 0;
		worker_wait(w, &wait);
	}
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
		if (losses >= LG_RUN_PRIORITY_AFTER)
			mine = take_priority(worker, mine);
		else
			gate_enter(worker);
		if (losses >= LG_RUN_MOST_ATTEMPTS - 1)
			wait_until_alone(worker, mine);
		code = attempt(worker, mine != 0, body, arg);
		gate_leave(worker);
		if (likely(code != LG_CONFLICT))
			break;
		back_off(worker, losses);
	}
	if (mine)
		priority_drop(&worker->port, mine);
	return code;
}
