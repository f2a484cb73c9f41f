/* commit.c: the order of a commit, and why it is serializable.
 *
 *   1 every row to be written is under this transaction's intent already
 *   2 intent -> lock, all of them; one full fence [commit.fence]; load the global epoch
 *   3 validate: every word that was read has its version and no lock of another; every leaf that was crossed is unchanged
 *   4 version: one more than the greatest read or written, or than this worker's last, in this epoch or later
 *   5 seal (seal.c; at durability none there is nothing to seal): the commit point, nothing after it can fail
 *   6 install: contents first, then each word with the new version
 *
 * This is Silo's argument (Tu et al., SOSP 2013): all locks are held before anything is validated. Take two transactions
 * that read what the other writes. Each locks, fences, and then looks: at least one of the fences comes after the other's locks, and
 * that one sees the lock or the new version and fails. So among those that commit, the order of their [commit.fence]s
 * is a serial order: whoever reads a version validates after its writer released it, whoever misses a version validates
 * before its writer locked it.
 *
 * Rows that move: a local word that went `away` since it was read is followed to its frame's word, whose version is the
 * row's. Retired words, dead rows and unlinked leaves never validate. Reused words have greater versions (frame.h).
 *
 * Phantoms: inserting a key changes its leaf's version (or exported word) when the placeholder is put there, before its
 * transaction locks; so whoever scanned the leaf either sees the change at 3, or comes before the inserter's fence.
 *
 * A reader without writes needs no locks and no fence: its reads were all current at the time of its last look at each, and
 * validation shows that all were current together, between its last read and its first validating look.
 */
#include "recovery/stream.h"
#include "txn/txn.h"

static bool read_holds(struct lg_txn *txn, const struct read_entry *read)
{
	const struct cxl_port *port = &txn->w->port;
	word_ref ref = read->ref;
	uint64_t word = word_load(port, ref);
	if (unlikely((word & WORD_AWAY) != 0)) {
		if (word_ref_is_shared(ref)) {
			txn->evicted = true;
			return false;
		}
		if (word_is_dead(word))
			return false;
		ref = word_ref_shared(word_away_index(word));
		word = word_load(port, ref);
		if (word & WORD_AWAY)
			return false;
	}
	if (unlikely((word & WORD_VERSION) != read->version))
		return false;
	if (unlikely((word & WORD_LOCK) != 0))
		return word_holder(word) == txn->w->host_id && txn_find_write(txn, ref);
	return true;
}

static bool leaf_holds(struct lg_txn *txn, const struct leaf_entry *entry)
{
	if (entry->leaf & 1) {
		uint64_t word = word_load(&txn->w->port, entry->leaf);
		txn->evicted |= (word & WORD_AWAY) != 0;
		return !(word & WORD_AWAY) && (word & WORD_VERSION) == entry->version;
	}
	struct leaf_look look = {(struct btree_leaf *)(uintptr_t)entry->leaf, entry->version};
	return btree_look_holds(&look);
}

static bool reads_hold(struct lg_txn *txn)
{
	for (uint32_t i = 0; i < txn->read_count && !MUTANT(SKIP_VALIDATION); i++)
		if (!read_holds(txn, &txn->reads[i]))
			return false;
	return true;
}

static bool leaves_hold(struct lg_txn *txn)
{
	for (uint32_t i = 0; i < txn->leaf_count && !MUTANT(SKIP_LEAF_VALIDATION); i++)
		if (!leaf_holds(txn, &txn->leaves[i]))
			return false;
	return true;
}

int commit_validate(struct lg_txn *txn)
{
	struct lg_slice none = {0};
	txn->evicted = false;
	enum lg_abort_reason reason = LG_ABORT_VALIDATION;
	if (likely(reads_hold(txn))) {
		if (likely(leaves_hold(txn)))
			return LG_OK;
		reason = LG_ABORT_PHANTOM;
	}
	if (!txn->evicted)
		return txn_fail(txn, LG_CONFLICT, reason, -1, NULL, none);
	/* Rows that it read were moved out before it could commit. When that happens every time, they do not fit. */
	txn->space_lost = true;
	if (txn->space_losses > SPACE_LOSSES)
		return txn_fail(txn, LG_NOSPACE, LG_ABORT_ERROR, -1, NULL, none);
	return txn_fail(txn, LG_CONFLICT, LG_ABORT_MOVED, -1, NULL, none);
}

static void lock_writes(struct lg_txn *txn)
{
	struct cxl_port *port = &txn->w->port;
	stream_sealing(txn->w); /* [commit.sealing]: before the full fence */
	for (uint32_t i = 0; i < txn->write_count; i++) {
		const struct write_entry *entry = &txn->writes[i];
		if (entry->op == WRITE_NOTHING)
			continue;
		word_lock_own(port, entry->ref);
		/* The loss rule: were the lock lost with this host, another would overwrite the old version of a sealed row. */
		if (txn_seals(txn) && word_ref_is_shared(entry->ref) && !MUTANT(WRITE_BACK_LOCKED))
			word_write_back(port, entry->ref);
		CRASH_POINT(MID_LOCK);
	}
	/* [commit.fence] The locks are seen by all before anything is validated, and before any content is written. */
	full_fence();
	CRASH_POINT(AFTER_LOCK);
}

static uint64_t new_version(struct lg_txn *txn, uint64_t epoch)
{
	uint64_t version = txn->w->last_version;
	for (uint32_t i = 0; i < txn->read_count; i++)
		version = txn->reads[i].version > version ? txn->reads[i].version : version;
	for (uint32_t i = 0; i < txn->write_count; i++)
		version = txn->writes[i].version > version ? txn->writes[i].version : version;
	if (version < version_first_of(epoch))
		version = version_first_of(epoch);
	version++;
	/* The sequence ran over into the next epoch: make it so. */
	if (unlikely(version_epoch(version) > epoch))
		epoch_reach(&txn->w->port, version_epoch(version));
	txn->w->last_version = version;
	return version;
}

static void write_frame(struct lg_txn *txn, struct write_entry *entry, uint64_t version)
{
	struct frame_head *head = (void *)entry->payload;
	head->val_bytes = entry->op == WRITE_PUT ? entry->val_bytes : 0;
	head->line_count = entry->capacity;
	frame_write(&txn->w->port, entry->frame, version, entry->payload,
	        frame_lines_for(head->key_bytes, head->val_bytes));
}

static void install_local(struct lg_txn *txn, struct write_entry *entry, uint64_t version)
{
	struct lg_worker *w = txn->w;
	struct row *row = entry->row;
	if (entry->op == WRITE_DEL) {
		row_remove(w, table_tree(entry->table, row->partition), row, version);
		if (entry->ext)
			heap_free(&w->local, entry->ext, row_ext_bytes(entry->ext));
		return;
	}
	struct row_ext *ext = entry->ext;
	if (ext && entry->val_bytes <= row_room(row)) {
		heap_free(&w->local, ext, row_ext_bytes(ext)); /* a later, shorter value of this transaction */
		ext = NULL;
	}
	row_install(w, row, entry->val, entry->val_bytes, ext);
	word_install(&w->port, entry->ref, version, 0);
}

static void install_word(struct lg_txn *txn, const struct write_entry *entry, uint64_t version)
{
	struct cxl_port *port = &txn->w->port;
	word_install(port, entry->ref, version, WORD_USED | (entry->op == WRITE_DEL ? WORD_ABSENT : 0));
	/* The next seal's fence makes it durable before the ring writes over this record: ring.h, Space. */
	if (txn_seals(txn) && !MUTANT(WRITE_BACK_INSTALLED))
		word_write_back(port, entry->ref);
	CRASH_POINT(BETWEEN_WORDS);
}

static void install(struct lg_txn *txn, uint64_t version)
{
	struct cxl_port *port = &txn->w->port;
	bool shared = false;
	for (uint32_t i = 0; i < txn->write_count; i++)
		if (!txn->writes[i].row && txn->writes[i].op != WRITE_NOTHING) {
			write_frame(txn, &txn->writes[i], version);
			shared = true;
		}
	if (shared && !MUTANT(FENCE_COMMIT))
		port_fence(port); /* all lines of all frames are visible before any word names them */
	CRASH_POINT(AFTER_FRAMES);
	for (uint32_t i = 0; i < txn->write_count; i++) {
		struct write_entry *entry = &txn->writes[i];
		if (entry->op == WRITE_NOTHING)
			txn_undo(txn, entry); /* a placeholder that got no value leaves its tree */
		else if (entry->row)
			install_local(txn, entry, version);
		else
			install_word(txn, entry, version);
	}
}

/* In which epoch what a transaction has read was committed, at the latest. A row that is not there has no version: what removed
 * it may be of this epoch. */
static uint64_t read_epoch(const struct lg_txn *txn)
{
	if (txn->leaf_count)
		return epoch_load(&txn->w->port);
	uint64_t version = 0;
	for (uint32_t i = 0; i < txn->read_count; i++)
		version = txn->reads[i].version > version ? txn->reads[i].version : version;
	return version_epoch(version);
}

static int commit_reads(struct lg_txn *txn)
{
	int code = commit_validate(txn);
	if (code == LG_OK && txn_seals(txn))
		txn->w->ticket = read_epoch(txn);
	txn->w->counts.read_only_commits += code == LG_OK;
	return code;
}

static int commit_writes(struct lg_txn *txn)
{
	struct lg_worker *w = txn->w;
	lock_writes(txn);
	uint64_t epoch = epoch_load(&w->port);
	int code = host_is_member(w->host, &w->port)
	                   ? commit_validate(txn)
	                   : txn_fail(txn, LG_FENCED, LG_ABORT_ERROR, -1, NULL, (struct lg_slice){0});
	if (likely(code == LG_OK)) {
		uint64_t version = new_version(txn, epoch);
		code = txn_seals(txn) ? seal(txn, version) : LG_OK;
		if (code == LG_OK) {
			w->ticket = version_epoch(version);
			install(txn, version);
		}
	}
	stream_sealed(w);
	return code;
}

int lg_commit(struct lg_txn *txn)
{
	if (unlikely(txn->state != TXN_RUNNING || host_forked(txn->w->host))) {
		int code = txn_not_running(txn);
		txn->w->ticket = UINT64_MAX;
		if (txn->state == TXN_DOOMED && code != LG_FORKED)
			txn_end_without_effect(txn, txn->detail.reason);
		return code;
	}
	int code = txn->write_count ? commit_writes(txn) : commit_reads(txn);
	if (unlikely(code != LG_OK)) {
		txn->w->ticket = UINT64_MAX;
		txn_end_without_effect(txn, txn->detail.reason);
		return code;
	}
	txn->w->counts.commits++;
	txn->space_losses = 0;
	txn_end(txn);
	return LG_OK;
}

int lg_commit_durable(struct lg_txn *txn)
{
	struct lg_worker *w = txn->w;
	int code = lg_commit(txn);
	if (code != LG_OK)
		return code;
	gate_leave(w); /* that of the body of lg_run(): others can run while it waits */
	do
		code = lg_wait(w->host, lg_last_ticket(w), UINT32_MAX);
	while (code == LG_UNAVAILABLE);
	return code;
}
