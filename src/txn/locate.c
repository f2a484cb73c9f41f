/* locate.c: from a key to the place of its row: in this host's tree, in another's directory, or by asking its owner. */
#include "engine/request.h"
#include "txn/txn.h"

/* ---- Local ---- */

/* Adds a placeholder under this transaction's intent, and its write entry. */
static int insert_local(struct lg_txn *txn, struct lg_table *table, uint32_t partition, struct lg_slice key,
        uint32_t min_val_bytes, struct place *place, struct write_entry **own)
{
	struct lg_worker *w = txn->w;
	uint64_t epoch = epoch_load(&w->port);
	uint64_t word =
	        host_placeholder_version(w->host, epoch) | WORD_ABSENT | WORD_INTENT | word_holder_bits(w->host_id);
	struct row *row = row_create(&w->local, table->def.id, partition, key, min_val_bytes, word);
	if (!row)
		return LG_NOSPACE;
	struct write_entry *entry = txn_add_write(txn, word_ref_local(&row->word));
	struct leaf_change change;
	int code = entry ? btree_insert(table_tree(table, partition), &w->local, &w->port, row, &place->row, &change)
	                 : LG_NOSPACE;
	if (code != LG_OK) {
		if (entry)
			txn_drop_last_write(txn);
		row_free(&w->local, row);
		return code == LG_EXISTS ? LG_OK : code; /* somebody was faster: *place is that row */
	}
	entry->version = host_above_floor(w->host, word & WORD_VERSION);
	entry->table = table;
	entry->row = place->row = row;
	entry->absent = true;
	*own = entry;
	return txn_follow_change(txn, &change);
}

static int locate_local(struct lg_txn *txn, struct lg_table *table, uint32_t partition, struct lg_slice key,
        enum locate_mode mode, uint32_t min_val_bytes, struct place *place, struct write_entry **own)
{
	struct leaf_look look;
	place->row = btree_find(table_tree(table, partition), key, &look);
	if (likely(place->row != NULL))
		return LG_OK;
	if (mode == LOCATE_WRITE)
		return insert_local(txn, table, partition, key, min_val_bytes, place, own);
	int code = txn_add_leaf(txn, (uintptr_t)look.leaf, look.version);
	return code == LG_OK ? LG_NOTFOUND : code;
}

/* ---- Remote ---- */

static void refresh_view(struct lg_worker *w, unsigned owner, uint64_t generation)
{
	struct peer *peer = &w->host->peers[owner];
	if (generation == 0 || atomic_load_explicit(&peer->view.generation, memory_order_acquire) == generation ||
	        !spin_try(&peer->view_lock))
		return;
	directory_view_refresh(&w->port, owner, &peer->view);
	spin_drop(&peer->view_lock);
}

static int step_of_status(struct lg_txn *txn, unsigned status)
{
	switch (status) {
	case REPLY_OK: return LG_OK;
	case REPLY_NOTFOUND: return LG_NOTFOUND;
	case REPLY_BUSY: return STEP_BUSY;
	case REPLY_NOSPACE: return LG_NOSPACE;
	case REPLY_CORRUPT: return LG_CORRUPT;
	case REPLY_REFUSED: return LG_UNAVAILABLE;
	case REPLY_WAIT: break;
	default: return LG_CORRUPT;
	}
	/* Space is being freed, which needs this transaction to end. When that has not helped many times, its own rows
	 * fill the space. */
	txn->space_lost = true;
	return txn->space_losses > SPACE_LOSSES ? LG_NOSPACE : STEP_BUSY;
}

int locate_status(struct lg_txn *txn, unsigned owner, unsigned status, uint64_t directory_generation)
{
	refresh_view(txn->w, owner, directory_generation);
	return step_of_status(txn, status);
}

static int ask(struct lg_txn *txn, unsigned owner, struct lg_table *table, struct lg_slice key, unsigned flags,
        uint32_t min_val_bytes, const struct move_in_reply **reply)
{
	union {
		struct move_in_request request;
		uint8_t padded[sizeof(struct move_in_request) + LINE_PAYLOAD_BYTES];
	} ask;
	ask.request.table = (uint8_t)table->def.id;
	ask.request.flags = (uint8_t)flags;
	ask.request.key_bytes = (uint16_t)key.bytes;
	ask.request.min_val_bytes = min_val_bytes;
	memcpy(ask.request.key, key.data, key.bytes);
	const void *answer;
	int code = request_ask(txn->w, owner, &ask.request.head,
	        (uint32_t)(offsetof(struct move_in_request, key) + key.bytes), MESSAGE_MOVE_IN, &answer,
	        sizeof **reply);
	if (code != LG_OK)
		return code;
	*reply = answer;
	return locate_status(txn, owner, (*reply)->status, (*reply)->directory_generation);
}

static int ask_for_place(struct lg_txn *txn, unsigned owner, struct lg_table *table, struct lg_slice key,
        enum locate_mode mode, uint32_t min_val_bytes, struct place *place)
{
	const struct move_in_reply *reply = NULL;
	unsigned flags = mode == LOCATE_WRITE ? MOVE_IN_INSERT | (txn->leaf_count ? MOVE_IN_SCANNED : 0) : 0;
	int code = ask(txn, owner, table, key, flags, min_val_bytes, &reply);
	const struct cxl_port *port = &txn->w->port;
	assert(reply || (code != LG_OK && code != LG_NOTFOUND));
	if (code == LG_NOTFOUND) {
		if (mode == LOCATE_WRITE || !word_idx_valid(port, reply->leaf.word))
			return LG_CORRUPT;
		code = txn_add_leaf(txn, word_ref_shared(reply->leaf.word), reply->leaf.version);
		return code == LG_OK ? LG_NOTFOUND : code;
	}
	if (code != LG_OK)
		return code;
	*place = (struct place){.ref = {reply->frame, reply->word}};
	if (!word_idx_valid(port, reply->word) || !frame_off_valid(port, reply->frame, 1) ||
	        (reply->after.word && !word_idx_valid(port, reply->after.word)) ||
	        (reply->split.word && !word_idx_valid(port, reply->split.word)))
		return LG_CORRUPT;
	/* The placeholder is under nobody's intent yet: another host may fill it first. That it was empty when the leaf
	 * changed is all that an earlier look at the gap rests on from now on. */
	if (reply->leaf.word && reply->after.word && !MUTANT(UNWATCHED_PLACEHOLDER) &&
	        (code = txn_add_read(txn, word_ref_shared(reply->word), reply->new_version)) != LG_OK)
		return code;
	return txn_follow_marks(txn, &reply->leaf, &reply->after, &reply->split);
}

static int locate_remote(struct lg_txn *txn, struct lg_table *table, uint32_t partition, struct lg_slice key,
        enum locate_mode mode, unsigned attempt, uint32_t min_val_bytes, struct place *place)
{
	struct lg_worker *w = txn->w;
	unsigned owner = partition_owner(&w->port, partition);
	if (owner == w->host_id)
		return LG_UNAVAILABLE; /* it became this host's after the table was opened */
	/* First what this host's cache says, then what memory says, then the owner. */
	if (attempt < 2) {
		struct frame_ref found[1];
		if (directory_look(&w->port, &w->host->peers[owner].view, directory_hash(table->def.id, key),
		            attempt > 0, found, 1) == 1 &&
		        word_idx_valid(&w->port, found[0].word) && frame_off_valid(&w->port, found[0].frame, 1)) {
			w->counts.directory_hits++;
			*place = (struct place){.ref = found[0]};
			return LG_OK;
		}
		if (attempt == 0)
			return STEP_AGAIN;
	}
	w->counts.directory_misses++;
	return ask_for_place(txn, owner, table, key, mode, min_val_bytes, place);
}

int locate(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, enum locate_mode mode, unsigned attempt,
        uint32_t min_val_bytes, struct place *place, struct write_entry **own)
{
	uint32_t partition = table_partition_of(table, key);
	if (likely(table_tree(table, partition) != NULL))
		return locate_local(txn, table, partition, key, mode, min_val_bytes, place, own);
	return locate_remote(txn, table, partition, key, mode, attempt, min_val_bytes, place);
}

/* Asks whoever owns the row for a larger frame. */
static int ask_to_grow(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, uint32_t min_val_bytes,
        struct move_answer *answer)
{
	uint32_t partition = table_partition_of(table, key);
	struct btree *tree = table_tree(table, partition);
	if (!tree) {
		const struct move_in_reply *reply;
		int code = ask(txn, partition_owner(&txn->w->port, partition), table, key, 0, min_val_bytes, &reply);
		if (code == LG_OK)
			*answer = (struct move_answer){
			        {reply->frame, reply->word}, reply->old_version, reply->new_version};
		return code;
	}
	struct row *row = btree_find(tree, key, NULL);
	if (!row)
		return STEP_AGAIN;
	enum move_result result = mover_grow_own(txn->w, row, min_val_bytes, answer);
	static const uint8_t status[] = {[MOVE_OK] = REPLY_OK,
	        [MOVE_BUSY] = REPLY_BUSY,
	        [MOVE_DEAD] = REPLY_BUSY,
	        [MOVE_WAIT] = REPLY_WAIT,
	        [MOVE_NOSPACE] = REPLY_NOSPACE,
	        [MOVE_CORRUPT] = REPLY_CORRUPT};
	return step_of_status(txn, status[result]);
}

/* Takes the intent back, if the row still has `version` and nobody else's intent. */
static bool retake(struct lg_txn *txn, struct write_entry *entry, uint64_t version)
{
	struct cxl_port *port = &txn->w->port;
	uint64_t word = word_load(port, entry->ref);
	if ((word & (WORD_LOCK | WORD_INTENT | WORD_AWAY)) || (word & WORD_VERSION) != version ||
	        !word_try_intent(port, entry->ref, word, txn->w->host_id))
		return false;
	entry->version = version;
	return true;
}

/* The intent is given back first: an owner that grows a frame under somebody's intent could not tell whose it is, nor that a
 * requester has given up meanwhile. Nobody has written the row in between if the version before the growth is the one
 * that the intent was taken at. */
int locate_grow(struct lg_txn *txn, struct write_entry *entry, uint32_t min_val_bytes)
{
	const struct frame_head *head = (const void *)entry->payload;
	struct lg_slice key = lg_slice(entry->payload + sizeof *head, head->key_bytes);
	struct move_answer answer = {0};
	uint64_t before = entry->version;
	word_cancel(&txn->w->port, entry->ref);
	int code;
	struct wait wait = {0};
	do
		code = ask_to_grow(txn, entry->table, key, min_val_bytes, &answer);
	while (code == STEP_BUSY && txn_wait(txn, &wait, code, -1, entry->table, key) == LG_OK);
	bool grown = code == LG_OK && answer.ref.word == word_ref_index(entry->ref) && answer.old_version == before &&
	             frame_off_valid(&txn->w->port, answer.ref.frame, frame_lines_for(key.bytes, min_val_bytes));
	if (!retake(txn, entry, grown ? answer.new_version : before)) {
		entry->lost = true;
		return txn_fail(txn, LG_CONFLICT, LG_ABORT_MOVED, -1, entry->table, key);
	}
	if (!grown)
		return code == LG_OK || code >= STEP_AGAIN
		               ? txn_fail(txn, LG_CONFLICT, LG_ABORT_MOVED, -1, entry->table, key)
		               : code;
	/* The content is the same under the new version: earlier reads stay true. */
	for (uint32_t i = 0; i < txn->read_count; i++)
		if (txn->reads[i].ref == entry->ref && txn->reads[i].version == before)
			txn->reads[i].version = answer.new_version;
	entry->frame = answer.ref.frame;
	entry->capacity = (uint16_t)frame_lines_for(key.bytes, min_val_bytes);
	return LG_OK;
}
