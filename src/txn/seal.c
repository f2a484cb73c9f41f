/* seal.c: the commit point of a pod that seals commits: the redo record goes into the worker's ring.
 *
 * Order: [seal.locks] the locked words of shared rows, and the words of exported leaves that this transaction's inserts bumped, are
 * in memory before the first line of the record; [ring.seal] the record is in memory before the first byte of a row is
 * written. So whatever survives of the transaction when this host dies: nothing, or the record and all locks.
 */
#include <stdlib.h>

#include "recovery/record.h"
#include "recovery/ring.h"
#include "recovery/stream.h"
#include "txn/txn.h"

int seal_open(struct lg_worker *w, struct lg_error *err)
{
	if (!w->host->geometry->redo_workers || atomic_load_explicit(&w->ring, memory_order_relaxed))
		return LG_OK;
	struct redo_ring *ring = malloc(sizeof *ring);
	if (!ring)
		return error_set(err, LG_NOSPACE, "no private memory for a redo ring");
	ring_open(&w->port, ring, w->host_id, w->slot);
	/* Release; pairs with the service thread, which reads rings. */
	atomic_store_explicit(&w->ring, ring, memory_order_release);
	return LG_OK;
}

/* What an entry changes, as a record has it. The local row's value is looked at under its lock. */
static struct redo_change change_of(const struct write_entry *entry, struct redo_place *place)
{
	struct redo_change change = {.table = entry->table->def.id,
	        .deleted = entry->op == WRITE_DEL,
	        .val = lg_slice(entry->val, entry->op == WRITE_DEL ? 0 : entry->val_bytes)};
	if (entry->row) {
		/* Relaxed: only who holds the lock changes them. */
		const struct row_ext *ext = atomic_load_explicit(&entry->row->ext, memory_order_relaxed);
		change.partition = entry->row->partition;
		change.key = row_key(entry->row);
		if (!entry->absent)
			change.old = lg_slice(ext ? ext->data : row_inline_val(entry->row),
			        atomic_load_explicit(&entry->row->val_bytes, memory_order_relaxed));
		return change;
	}
	const struct frame_head *head = (const void *)entry->payload;
	*place = (struct redo_place){
	        .frame = entry->frame, .word = word_ref_index(entry->ref), .line_count = entry->capacity};
	change.partition = head->partition;
	change.key = lg_slice(entry->payload + sizeof *head, head->key_bytes);
	change.place = place;
	if (entry->old)
		change.old = lg_slice(entry->old, entry->old_bytes);
	return change;
}

/* Into the ring, and sealed when it returns. */
static void append(struct lg_worker *w, struct redo_ring *ring, const void *record, uint32_t bytes)
{
	ring_append(&w->port, ring, record, bytes);
	CRASH_POINT(AFTER_APPEND);
	if (!MUTANT(FENCE_SEAL))
		port_fence(&w->port); /* [ring.seal] */
	CRASH_POINT(AFTER_SEAL);
	/* Release: [ring.sealed] */
	atomic_store_explicit(&ring->sealed, ring->next, memory_order_release);
	w->counts.sealed_bytes += bytes;
}

int seal(struct lg_txn *txn, uint64_t version)
{
	struct lg_worker *w = txn->w;
	struct redo_place place;
	size_t bytes = sizeof(struct redo_head);
	for (uint32_t i = 0; i < txn->write_count; i++)
		if (txn->writes[i].op != WRITE_NOTHING) {
			struct redo_change change = change_of(&txn->writes[i], &place);
			bytes += redo_change_bytes(&change);
		}
	if (bytes == sizeof(struct redo_head))
		return LG_OK;
	const struct lg_slice none = {0};
	/* By its greatest size: what a transaction may write must not depend on what was there before. */
	if (bytes > ring_record_limit(w->host->geometry) || txn->write_count > UINT16_MAX)
		return txn_fail(txn, LG_LIMIT, LG_ABORT_ERROR, -1, NULL, none);
	void *memory = arena_alloc(&txn->arena, bytes + LINE_PAYLOAD_BYTES);
	if (!memory)
		return txn_fail(txn, LG_NOSPACE, LG_ABORT_ERROR, -1, NULL, none);
	struct redo_builder builder;
	redo_begin(&builder, memory, bytes);
	for (uint32_t i = 0; i < txn->write_count; i++)
		if (txn->writes[i].op != WRITE_NOTHING) {
			struct redo_change change = change_of(&txn->writes[i], &place);
			redo_add(&builder, &change);
		}
	uint32_t used = redo_finish(&builder, version, w->host_id, (uint32_t)w->host->incarnation);
	struct redo_ring *ring = atomic_load_explicit(&w->ring, memory_order_relaxed);
	int code = stream_ring_room(w, ring, used);
	if (unlikely(code != LG_OK))
		return txn_fail(txn, code, LG_ABORT_ERROR, -1, NULL, none);
	CRASH_POINT(BEFORE_SEAL);
	if (w->port.words_unfenced && !MUTANT(FENCE_LOCKED))
		port_fence(
		        &w->port); /* [seal.locks] pairs with crash_recover(), which takes what is not locked for done */
	append(w, ring, memory, used);
	return LG_OK;
}

int seal_load(struct lg_worker *w, const struct redo_change *change, uint64_t version, struct sealing_load *load)
{
	size_t bytes = sizeof(struct redo_head) + redo_change_bytes(change);
	if (bytes > ring_record_limit(w->host->geometry))
		return LG_LIMIT;
	arena_reset(&w->txn->arena); /* no transaction runs */
	load->record = arena_alloc(&w->txn->arena, bytes + LINE_PAYLOAD_BYTES);
	if (!load->record)
		return LG_NOSPACE;
	struct redo_builder builder;
	redo_begin(&builder, load->record, bytes);
	redo_add(&builder, change);
	load->bytes = redo_finish(&builder, version, w->host_id, (uint32_t)w->host->incarnation);
	return stream_ring_room(w, atomic_load_explicit(&w->ring, memory_order_relaxed), load->bytes);
}

void seal_loaded(struct lg_worker *w, const struct sealing_load *load)
{
	append(w, atomic_load_explicit(&w->ring, memory_order_relaxed), load->record, load->bytes);
}
