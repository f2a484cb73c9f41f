/* txn.c: workers, and the begin and end of transactions. */
#include "txn/txn.h"

#include <stdio.h>
#include <stdlib.h>

int lg_worker_open(struct lg_host *host, struct lg_worker **worker, struct lg_error *err)
{
	*worker = NULL;
	if (host_forked(host))
		return error_set(err, LG_FORKED, "the host was opened before fork()");
	struct lg_txn *txn = calloc(1, sizeof *txn);
	if (!txn)
		return error_set(err, LG_NOSPACE, "no private memory for a transaction");
	struct lg_worker *w;
	unsigned end = host->config.max_workers;
	if (host->geometry->redo_workers && host->geometry->redo_workers < end)
		end = host->geometry->redo_workers;
	int code = worker_slot_open(host, 0, end, &w, err);
	if (code == LG_OK && (code = seal_open(w, err)) != LG_OK)
		worker_slot_close(w);
	if (code != LG_OK) {
		free(txn);
		return code;
	}
	txn->w = w;
	w->txn = txn;
	gate_join(w);
	*worker = w;
	return LG_OK;
}

int lg_worker_close(struct lg_worker *worker)
{
	if (host_forked(worker->host))
		return LG_FORKED;
	struct lg_txn *txn = worker->txn;
	if (txn->state != TXN_ENDED)
		lg_abort(txn);
	txn_sets_free(txn);
	arena_free(&txn->arena);
	worker->txn = NULL;
	free(txn);
	gate_quit(worker);
	worker_slot_close(worker);
	return LG_OK;
}

void lg_worker_poll(struct lg_worker *worker)
{
	if (!host_forked(worker->host))
		worker_poll(worker);
}

/* Whether another transaction has the pod's priority. */
static bool must_yield(struct lg_worker *w)
{
	uint64_t priority = priority_load(&w->port);
	return priority && (priority & 0xffff) != priority_id(0, w->host_id, w->slot) &&
	       !priority_expired(priority, epoch_load(&w->port));
}

/* Lets it through, but not for ever: the priority expires. */
static void yield_to_priority(struct lg_worker *w)
{
	struct wait wait = {0};
	do
		worker_wait(w, &wait);
	while (must_yield(w));
}

int lg_txn_begin(struct lg_worker *worker, struct lg_txn **out)
{
	struct lg_txn *txn = worker->txn;
	*out = txn;
	if (unlikely(host_forked(worker->host)))
		return LG_FORKED;
	if (txn->state != TXN_ENDED)
		return LG_INVALID;
	if (host_fenced(worker->host))
		return LG_FENCED;
	worker_poll(worker);
	worker_enter(worker);
	/* [priority.alone] Behind the full fence of worker_enter(); pairs with wait_until_alone(). */
	while (unlikely(priority_load(&worker->port) != 0) && must_yield(worker)) {
		worker_leave(worker);
		yield_to_priority(worker);
		worker_enter(worker);
	}
	/* In a new epoch it has looked at its member word. An intent taken now would be freed by nobody. */
	if (host_fenced(worker->host) && !MUTANT(FENCED_BEGIN)) {
		worker_leave(worker);
		return LG_FENCED;
	}
	txn->state = TXN_RUNNING;
	txn->greedy = txn->space_lost = false;
	txn->read_count = txn->write_count = txn->leaf_count = 0;
	txn->detail.code = LG_OK;
	arena_reset(&txn->arena);
	return LG_OK;
}

void txn_end(struct lg_txn *txn)
{
	txn->state = TXN_ENDED;
	worker_leave(txn->w);
}

void txn_undo(struct lg_txn *txn, struct write_entry *entry)
{
	struct lg_worker *w = txn->w;
	if (entry->lost)
		return;
	if (entry->ext)
		heap_free(&w->local, entry->ext, row_ext_bytes(entry->ext));
	/* What it held of others' words has been freed, and may be held by others. */
	if (!entry->row && !host_is_member(w->host, &w->port))
		return;
	if (!entry->row || !entry->absent) {
		word_cancel(&w->port, entry->ref);
		return;
	}
	if (word_load(&w->port, entry->ref) & WORD_INTENT)
		word_lock_own(&w->port, entry->ref);
	row_remove(w, table_tree(entry->table, entry->row->partition), entry->row, entry->version);
}

void txn_end_without_effect(struct lg_txn *txn, enum lg_abort_reason reason)
{
	for (uint32_t i = 0; i < txn->write_count; i++)
		txn_undo(txn, &txn->writes[i]);
	txn->w->counts.aborts[reason]++;
	txn->space_losses += txn->space_lost;
	txn_end(txn);
}

int lg_abort(struct lg_txn *txn)
{
	if (host_forked(txn->w->host))
		return LG_FORKED;
	if (txn->state == TXN_ENDED)
		return LG_ENDED;
	txn_end_without_effect(txn, txn->detail.code ? txn->detail.reason : LG_ABORT_USER);
	return LG_OK;
}

int txn_not_running(struct lg_txn *txn)
{
	if (host_forked(txn->w->host))
		return LG_FORKED;
	return txn->state == TXN_DOOMED ? txn->doom : LG_ENDED;
}

int txn_fail(struct lg_txn *txn, int code, enum lg_abort_reason reason, int holder, const struct lg_table *table,
        struct lg_slice key)
{
	txn->detail.code = code;
	txn->detail.reason = reason;
	txn->detail.holder = holder;
	txn->detail.table = table;
	txn->detail.key_bytes = (uint16_t)(key.bytes < UINT16_MAX ? key.bytes : UINT16_MAX);
	if (key.bytes)
		memcpy(txn->detail.key, key.data, key.bytes < LG_MAX_KEY_BYTES ? key.bytes : LG_MAX_KEY_BYTES);
	if (holder < 0 && table && table->def.by != LG_REPLICATED && key.bytes && key.bytes <= LG_MAX_KEY_BYTES)
		txn->detail.holder = (int)partition_owner(&txn->w->port, table_partition_of(table, key));
	if (code == LG_CONFLICT || code == LG_CORRUPT) {
		txn->state = TXN_DOOMED;
		txn->doom = code;
	}
	return code;
}

int txn_wait(
        struct lg_txn *txn, struct wait *wait, int step, int holder, const struct lg_table *table, struct lg_slice key)
{
	/* Long enough for a commit to finish, short against running the transaction again. Who has the priority waits longer:
	 * others do not, so that it gets what they hold, and no two wait for each other. But an owner that is short of space
	 * waits for this transaction's end itself. */
	enum { MOST_NS = 100000 };
	uint64_t most_ns = MOST_NS;
	if (unlikely(txn->greedy) && (step == STEP_LOCKED || step == STEP_INTENT))
		most_ns = (uint64_t)txn->w->host->geometry->epoch_ms * 1000000u * (PRIORITY_EPOCHS / 2);
	enum lg_abort_reason reason = step == STEP_LOCKED   ? LG_ABORT_LOCK
	                              : step == STEP_INTENT ? LG_ABORT_INTENT
	                              : step == STEP_AGAIN  ? LG_ABORT_MOVED
	                                                    : LG_ABORT_BUSY;
	if (worker_wait(txn->w, wait) > most_ns)
		return txn_fail(txn, LG_CONFLICT, reason, holder, table, key);
	return LG_OK;
}

static const char *reason_text(const struct lg_txn *txn)
{
	static const char *const text[LG_ABORT_REASON_COUNT] = {
	        [LG_ABORT_USER] = "the transaction was aborted by its user",
	        [LG_ABORT_INTENT] = "another transaction is about to write the row",
	        [LG_ABORT_LOCK] = "another transaction holds the row's lock",
	        [LG_ABORT_VALIDATION] = "a row that was read has changed since",
	        [LG_ABORT_PHANTOM] = "a range or gap that was read has changed since",
	        [LG_ABORT_MOVED] = "the row is moving between host memory and pod memory",
	        [LG_ABORT_BUSY] = "its owner cannot move the row or range into pod memory now",
	};
	return txn->detail.reason == LG_ABORT_ERROR ? lg_strerror(txn->detail.code) : text[txn->detail.reason];
}

void lg_txn_detail(const struct lg_txn *txn, struct lg_detail *detail)
{
	*detail = (struct lg_detail){.holder = -1};
	if (!txn->detail.code)
		return;
	const struct lg_table *table = txn->detail.table;
	detail->code = txn->detail.code;
	detail->reason = txn->detail.reason;
	detail->holder = txn->detail.holder;
	detail->key_bytes = txn->detail.key_bytes;
	memcpy(detail->key, txn->detail.key,
	        detail->key_bytes < LG_MAX_KEY_BYTES ? detail->key_bytes : LG_MAX_KEY_BYTES);
	if (table)
		snprintf(detail->table, sizeof detail->table, "%s", table->def.name);
	if (!table && detail->code == LG_LIMIT)
		snprintf(detail->message, sizeof detail->message,
		        "the transaction changes more than half a redo ring takes, %u bytes: create the pod with "
		        "larger ones "
		        "(redo_ring_bytes), or change less at a time",
		        txn->w->host->geometry->redo_ring_bytes / 2);
	else if (!table)
		snprintf(detail->message, sizeof detail->message, "%s", reason_text(txn));
	else if (detail->code == LG_LIMIT)
		snprintf(detail->message, sizeof detail->message,
		        "table '%s': the key has %u bytes (1..%d are allowed), or the value more than %d",
		        table->def.name, detail->key_bytes, LG_MAX_KEY_BYTES, LG_MAX_VALUE_BYTES);
	else
		snprintf(detail->message, sizeof detail->message, "table '%s', a key of %u bytes, host %d: %s",
		        table->def.name, detail->key_bytes, detail->holder, reason_text(txn));
}
