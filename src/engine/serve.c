/* serve.c: answering the other hosts' requests, and handing replies to the workers that wait for them.
 *
 * Whoever gets the mover lock serves: a worker at the start of a transaction, between two operations or while it waits, or
 * the service thread.
 * Handlers never wait for another host. Everything in a request is input: table, partition, lengths and flags are
 * checked, and a request that makes no sense is answered REPLY_REFUSED.
 */
#include "engine/request.h"

#define MAILBOX_COPYING UINT32_MAX

static void deliver(struct lg_host *host, const struct message_head *reply)
{
	unsigned slot = reply->request >> 24;
	struct lg_worker *w =
	        slot < WORKER_SLOTS ? atomic_load_explicit(&host->workers[slot], memory_order_acquire) : NULL;
	if (!w || !(reply->request & 0xffffff))
		return;
	uint32_t expected = reply->request;
	/* A reply that nobody waits for any more came too late: what was moved in stays there. */
	if (!atomic_compare_exchange_strong(&w->mailbox.waiting, &expected, MAILBOX_COPYING))
		return;
	memcpy(w->mailbox.message, reply, reply->bytes);
	/* [mailbox.reply] Release; pairs with the acquire in wait_for_reply(). */
	atomic_store_explicit(&w->mailbox.waiting, 0, memory_order_release);
}

static uint8_t status_of(enum move_result result)
{
	switch (result) {
	case MOVE_OK: return REPLY_OK;
	case MOVE_WAIT: return REPLY_WAIT;
	case MOVE_NOSPACE: return REPLY_NOSPACE;
	case MOVE_CORRUPT: return REPLY_CORRUPT;
	case MOVE_BUSY:
	case MOVE_DEAD: break;
	}
	return REPLY_BUSY;
}

/* The table of a request, if this host owns the partition that the key lies in. */
static struct btree *tree_of(
        struct lg_worker *w, unsigned id, struct lg_slice key, const uint32_t *partition, struct lg_table **table)
{
	if (table_of_id(w->host, &w->port, id, table, NULL) != LG_OK || (*table)->def.by == LG_REPLICATED)
		return NULL;
	uint32_t p = partition ? *partition : table_partition_of(*table, key);
	return p < (*table)->def.partitions ? table_tree(*table, p) : NULL;
}

/* Adds a placeholder for the request's key; tells what that did to the leaf, for a requester that has scanned it. */
static enum move_result insert_placeholder(struct lg_worker *w, struct btree *tree, const struct lg_table *table,
        const struct move_in_request *request, struct row **row, struct move_in_reply *reply)
{
	struct lg_slice key = lg_slice(request->key, request->key_bytes);
	uint64_t epoch = epoch_load(&w->port);
	struct row *fresh = row_create(&w->local, request->table, table_partition_of(table, key), key,
	        request->min_val_bytes, host_placeholder_version(w->host, epoch) | WORD_ABSENT);
	if (!fresh)
		return MOVE_NOSPACE;
	struct leaf_change change;
	int code = btree_insert(tree, &w->local, &w->port, fresh, row, &change);
	if (code != LG_OK)
		row_free(&w->local, fresh);
	if (code == LG_NOSPACE)
		return MOVE_NOSPACE;
	if (code != LG_OK)
		return MOVE_OK;
	*row = fresh;
	if (!(request->flags & MOVE_IN_SCANNED) || !change.exported)
		return MOVE_OK;
	reply->leaf = (struct leaf_mark){change.word_before, change.exported, 0};
	reply->after = (struct leaf_mark){change.word_after, change.exported, 0};
	enum move_result result;
	if (change.split.leaf && !mover_export_leaf(w, &change.split, &reply->split, &result))
		reply->after = (struct leaf_mark){0}; /* it cannot follow the split: its validation will fail */
	return MOVE_OK;
}

/* No such key, and no insert: the leaf's word tells the requester when that changes. */
static enum move_result answer_absence(struct lg_worker *w, const struct leaf_look *look, struct move_in_reply *reply)
{
	enum move_result result;
	if (mover_export_leaf(w, look, &reply->leaf, &result))
		return MOVE_OK;
	return result == MOVE_OK ? MOVE_BUSY : result;
}

static void handle_move_in(struct lg_worker *w, const struct move_in_request *request, struct move_in_reply *reply)
{
	struct lg_slice key = lg_slice(request->key, request->key_bytes);
	struct lg_table *table;
	struct btree *tree = tree_of(w, request->table, key, NULL, &table);
	reply->status = REPLY_REFUSED;
	if (!tree || request->min_val_bytes > LG_MAX_VALUE_BYTES)
		return;
	struct leaf_look look;
	struct row *row = btree_find(tree, key, &look);
	enum move_result result = MOVE_OK;
	if (!row && !(request->flags & MOVE_IN_INSERT)) {
		result = answer_absence(w, &look, reply);
		reply->status = result == MOVE_OK ? REPLY_NOTFOUND : status_of(result);
		return;
	}
	if (!row)
		result = insert_placeholder(w, tree, table, request, &row, reply);
	struct move_answer answer = {0};
	if (result == MOVE_OK) {
		result = mover_move_in(w, row, request->min_val_bytes, &answer);
		if (result != MOVE_OK)
			mover_drop_absent(w, row); /* a placeholder that nobody will come back for */
	}
	reply->frame = answer.ref.frame;
	reply->word = answer.ref.word;
	reply->old_version = answer.old_version;
	reply->new_version = answer.new_version;
	reply->status = status_of(result);
}

static bool past_stop(const struct scan_request *request, struct lg_slice key)
{
	if (!request->stop_bytes)
		return false;
	int order = slice_compare(key, lg_slice(request->stop, request->stop_bytes));
	return request->flags & SCAN_REVERSE ? order < 0 : order >= 0;
}

/* Whether nothing is left of the range in the leaves beyond the batch's bound. */
static bool bound_past_stop(const struct scan_request *request, const struct leaf_batch *batch)
{
	if (!request->stop_bytes)
		return false;
	int order =
	        slice_compare(lg_slice(batch->bound, batch->bound_bytes), lg_slice(request->stop, request->stop_bytes));
	return request->flags & SCAN_REVERSE ? order <= 0 : order >= 0;
}

/* Moves the batch's rows in until the limit, the stop or a busy row. Returns the first row's failure if there is no row. */
static enum move_result answer_rows(struct lg_worker *w, const struct scan_request *request,
        const struct leaf_batch *batch, struct scan_reply *reply)
{
	uint32_t first = 0, i;
	if ((request->flags & SCAN_BEHIND) && batch->count &&
	        slice_compare(row_key(batch->rows[0]), lg_slice(request->bound, request->bound_bytes)) == 0)
		first = 1;
	for (i = first; i < batch->count && reply->row_count < request->limit; i++) {
		if (past_stop(request, row_key(batch->rows[i]))) {
			reply->last = true;
			return MOVE_OK;
		}
		struct move_answer answer;
		enum move_result result = mover_move_in(w, batch->rows[i], 0, &answer);
		if (result == MOVE_DEAD)
			return MOVE_BUSY; /* the leaf has changed: its mark will not hold */
		if (result != MOVE_OK)
			return i > first ? MOVE_OK : result;
		uint64_t line = answer.ref.frame / LINE_BYTES;
		reply->rows[reply->row_count].frame_low = (uint32_t)line;
		reply->rows[reply->row_count].frame_high = (uint32_t)(line >> 32);
		reply->rows[reply->row_count++].word = answer.ref.word;
	}
	if (i < batch->count)
		return MOVE_OK; /* the requester goes on after the last row's key */
	reply->last = batch->last || bound_past_stop(request, batch);
	reply->bound_bytes = reply->last ? 0 : batch->bound_bytes;
	memcpy(&reply->rows[reply->row_count], batch->bound, reply->bound_bytes);
	return MOVE_OK;
}

static void handle_scan(struct lg_worker *w, const struct scan_request *request, struct scan_reply *reply)
{
	struct lg_slice bound = lg_slice(request->bound, request->bound_bytes);
	uint32_t partition = request->partition;
	struct lg_table *table;
	struct btree *tree = tree_of(w, request->table, bound, &partition, &table);
	reply->status = REPLY_REFUSED;
	if (!tree || request->bound_bytes > LG_MAX_KEY_BYTES || request->stop_bytes > LG_MAX_KEY_BYTES ||
	        request->limit == 0 || request->limit > BTREE_LEAF_ROWS)
		return;
	struct leaf_batch batch;
	struct leaf_look look;
	enum move_result result = MOVE_BUSY;
	/* The mark is taken after the picture, and the look still holds then: so it stands for the picture. */
	if (request->flags & SCAN_REVERSE)
		btree_batch_reverse(tree, bound, &batch);
	else
		btree_batch_forward(tree, bound, &batch);
	look = batch.look;
	if (mover_export_leaf(w, &look, &reply->leaf, &result))
		result = answer_rows(w, request, &batch, reply);
	else if (result == MOVE_OK)
		result = MOVE_BUSY;
	reply->status = status_of(result);
}

static bool request_is_whole(const struct message_head *head)
{
	if (head->type == MESSAGE_MOVE_IN) {
		const struct move_in_request *request = (const void *)head;
		return head->bytes >= offsetof(struct move_in_request, key) && request->key_bytes >= 1 &&
		       request->key_bytes <= LG_MAX_KEY_BYTES &&
		       head->bytes >= offsetof(struct move_in_request, key) + request->key_bytes;
	}
	return head->type == MESSAGE_SCAN && head->bytes >= sizeof(struct scan_request);
}

static void answer(struct lg_worker *w, struct peer *peer, unsigned from, const struct message_head *head)
{
	static_assert(sizeof(struct move_in_reply) < sizeof(struct scan_reply), "the longest reply");
	union {
		struct message_head head;
		struct move_in_reply move_in;
		struct scan_reply scan;
		uint8_t padded[(REPLY_MAX_LINES + 1) * LINE_PAYLOAD_BYTES];
	} reply;
	uint64_t generation = atomic_load_explicit(&w->host->space.directory.generation, memory_order_relaxed);
	if (head->type == MESSAGE_SCAN) {
		memset(&reply, 0, offsetof(struct scan_reply, rows));
		if (request_is_whole(head))
			handle_scan(w, (const struct scan_request *)(const void *)head, &reply.scan);
		else
			reply.scan.status = REPLY_REFUSED;
		reply.scan.directory_generation = generation;
		reply.head.bytes =
		        (uint16_t)(offsetof(struct scan_reply, rows) +
		                   reply.scan.row_count * sizeof reply.scan.rows[0] + reply.scan.bound_bytes);
	} else {
		memset(&reply, 0, sizeof reply.move_in);
		reply.move_in.status = REPLY_REFUSED;
		if (request_is_whole(head))
			handle_move_in(w, (const struct move_in_request *)(const void *)head, &reply.move_in);
		reply.move_in.directory_generation = generation;
		reply.head.bytes = sizeof reply.move_in;
	}
	reply.head.type = MESSAGE_REPLY;
	reply.head.flags = 0;
	reply.head.request = head->request;
	w->counts.requests_served++;
	spin_take(&peer->send_lock);
	/* Not into the lanes of a later life of the requester, whose numbers begin anew. */
	if (atomic_load_explicit(&peer->generation, memory_order_relaxed) == peer->received_generation)
		channel_send(&w->port, &peer->send[LANE_REPLIES], &reply.head);
	spin_drop(&peer->send_lock);
	doorbell_ring(&w->port, from, w->host_id);
}

/* Whether a reply to this peer can be sent now. It stays so: replies are sent under the mover lock, which we hold. */
static bool room_for_reply(struct lg_worker *w, struct peer *peer)
{
	spin_take(&peer->send_lock);
	bool room = channel_has_room(&w->port, &peer->send[LANE_REPLIES], REPLY_MAX_LINES);
	spin_drop(&peer->send_lock);
	return room;
}

/* Takes all that can be taken from one lane. False: something was left for want of room to answer it. */
static bool drain_lane(struct lg_worker *w, unsigned from, enum channel_lane lane)
{
	struct peer *peer = &w->host->peers[from];
	struct channel_end *end = &peer->receive[lane];
	alignas(64) uint8_t buffer[MESSAGE_MAX_BYTES + 64];
	const struct message_head *head = (const void *)buffer;
	bool all = true;
	for (;;) {
		enum channel_result result = channel_peek(&w->port, end, buffer);
		if (result == CHANNEL_CORRUPT)
			channel_resync(&w->port, end); /* who waits for what was there gives up in time */
		if (result != CHANNEL_MESSAGE)
			break;
		if (lane == LANE_REQUESTS && !room_for_reply(w, peer)) {
			all = false;
			break;
		}
		channel_consume(end, head);
		if (lane == LANE_REQUESTS)
			answer(w, peer, from, head);
		else if (head->type == MESSAGE_REPLY)
			deliver(w->host, head);
		channel_acknowledge(&w->port, end, false);
	}
	channel_acknowledge(&w->port, end, true);
	return all;
}

/* Takes everything from one peer's lanes: replies first, and always. */
static bool drain(struct lg_worker *w, unsigned from)
{
	struct peer *peer = &w->host->peers[from];
	if (!peer_connect(w, from))
		return true;
	uint64_t generation = atomic_load_explicit(&peer->generation, memory_order_relaxed);
	if (peer->received_generation != generation) {
		for (unsigned lane = 0; lane < CHANNEL_LANES; lane++)
			channel_end_init(&peer->receive[lane], w->host->geometry, from, w->host_id, lane, generation);
		peer->received_generation = generation;
	}
	drain_lane(w, from, LANE_REPLIES);
	return drain_lane(w, from, LANE_REQUESTS);
}

void host_serve(struct lg_worker *w)
{
	struct lg_host *host = w->host;
	/* Somebody serves already; or the others have declared this host dead, and its words are not its own any more. */
	if (!host_is_member(host, &w->port) || !spin_try(&host->mover_lock))
		return;
	bool idle = atomic_load_explicit(&w->running, memory_order_relaxed) == WORKER_IDLE;
	if (idle)
		worker_enter(w); /* handlers hold references too */
	uint64_t bits =
	        atomic_exchange_explicit(&host->unread, 0, memory_order_relaxed); /* relaxed: the lock orders it */
	if (doorbell_look(&w->port, host->id))
		bits |= doorbell_answer(&w->port, host->id);
	uint64_t left = 0;
	for (; bits; bits &= bits - 1) {
		unsigned from = (unsigned)__builtin_ctzll(bits);
		if (from < host->geometry->host_count && from != host->id && !drain(w, from))
			left |= UINT64_C(1) << from;
	}
	if (left)
		atomic_fetch_or_explicit(&host->unread, left, memory_order_relaxed);
	if (idle)
		worker_leave(w);
	spin_drop(&host->mover_lock);
}
