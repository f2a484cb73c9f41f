/* txn.h: a transaction from the inside: what it remembers, and the steps that its operations share.
 *
 * Execution is optimistic for reads and early for writes: a read remembers (word, version); a write takes the row's
 * intent at first touch, so nobody else writes it until the end. commit.c has the order of the commit and its argument.
 *
 * An operation goes: find the row's place (locate.c), look at its word and copy it, or take its intent (access.c). Any
 * of it may find that the row has moved, is gone, or is held; the operation then starts over, waiting a little, for a
 * bounded time.
 */
#ifndef LIGER_TXN_TXN_H
#define LIGER_TXN_TXN_H

#include "engine/mover.h"
#include "recovery/record.h"
#include "txn/arena.h"

enum txn_state { TXN_ENDED, TXN_RUNNING, TXN_DOOMED };

/* Beside enum lg_code: outcomes of a step, never seen by a user. */
enum txn_step {
	STEP_AGAIN = 100, /* the row has moved or is gone: find it anew */
	STEP_LOCKED,      /* somebody installs it: wait */
	STEP_INTENT,      /* somebody else will write it: wait */
	STEP_BUSY,        /* its owner cannot move it now: wait, then ask again */
};

struct read_entry {
	word_ref ref;
	uint64_t version;
};

/* A leaf that was crossed or missed in: a local leaf's address and version, or an exported leaf's word * 2 + 1 and value. */
struct leaf_entry {
	uint64_t leaf;
	uint64_t version;
};

enum write_op {
	WRITE_NOTHING, /* only its intent is held */
	WRITE_PUT,
	WRITE_DEL,
};

struct write_entry {
	word_ref ref;
	uint64_t version; /* of the row when its intent was taken */
	struct lg_table *table;
	struct row *row;  /* local; NULL for a shared row */
	pod_off frame;    /* shared */
	uint8_t *payload; /* shared: head, key and value as the frame lays them out; val points into it */
	uint8_t *val;
	const uint8_t *old;  /* shared, in a pod that seals commits: the value before, for the record of what changed */
	struct row_ext *ext; /* local: the place of a value that has outgrown the row's */
	uint32_t val_bytes, old_bytes;
	uint16_t capacity; /* shared: lines of the frame */
	uint8_t op;
	bool edited; /* val was handed out to be written to */
	bool lost;   /* its intent was given back to let the frame grow, and could not be had again */
	bool absent; /* there is no row in this transaction's eyes before op */
};

/* Where a row is. */
struct place {
	struct row *row; /* local, unless its word says away; NULL: only the frame is known */
	struct frame_ref ref;
};

/* What a look at a row found. */
struct sight {
	word_ref ref;
	uint64_t word;    /* as seen, neither locked nor away */
	struct row *row;  /* local */
	pod_off frame;    /* shared */
	uint8_t *payload; /* shared: copy of the frame */
	const uint8_t *val;
	uint32_t val_bytes;
	uint16_t capacity;
	struct write_entry *own; /* this transaction holds its intent: nothing else is set but ref */
};

struct lg_txn {
	struct lg_worker *w;
	enum txn_state state;
	int doom;        /* why it cannot commit, when DOOMED */
	bool evicted;    /* validation met a word that was moved out */
	bool space_lost; /* an owner had no room, or evicted: this one counts among space_losses when it aborts */
	bool greedy;     /* reads take intents too: a transaction that holds the priority */
	struct arena arena;
	struct read_entry *reads;
	struct write_entry *writes;
	struct leaf_entry *leaves;
	uint32_t read_count, read_capacity, write_count, write_capacity, leaf_count, leaf_capacity;
	uint32_t *write_index; /* open addressing by ref, index + 1; in use when write_count > WRITES_LINEAR */
	uint32_t write_index_slots, write_index_room;
	uint64_t writes_made;  /* calls that wrote, since the worker was opened: scans that merge look at it */
	uint32_t space_losses; /* transactions in a row that ended for want of pod memory */
	struct {
		int code;
		enum lg_abort_reason reason;
		int holder;
		const struct lg_table *table;
		uint16_t key_bytes;
		uint8_t key[LG_MAX_KEY_BYTES];
	} detail;
};

enum { WRITES_LINEAR = 16 };

/* ---- sets.c ---- */
int txn_reads_grow(struct lg_txn *txn);
struct write_entry *txn_add_write(struct lg_txn *txn, word_ref ref); /* NULL: no memory */
struct write_entry *txn_find_write(const struct lg_txn *txn, word_ref ref);
/* Takes the entry that was added last off the set again. */
void txn_drop_last_write(struct lg_txn *txn);
int txn_add_leaf(struct lg_txn *txn, uint64_t leaf, uint64_t version);
/* This transaction's own insert has changed a leaf: what it had seen of it stays true. */
int txn_follow_change(struct lg_txn *txn, const struct leaf_change *change);
int txn_follow_marks(struct lg_txn *txn, const struct leaf_mark *before, const struct leaf_mark *after,
        const struct leaf_mark *split);
void txn_sets_free(struct lg_txn *txn);

static inline int txn_add_read(struct lg_txn *txn, word_ref ref, uint64_t word)
{
	if (unlikely(txn->read_count == txn->read_capacity)) {
		int code = txn_reads_grow(txn);
		if (code != LG_OK)
			return code;
	}
	txn->reads[txn->read_count++] = (struct read_entry){ref, word & WORD_VERSION};
	return LG_OK;
}

/* ---- locate.c ---- */

enum locate_mode { LOCATE_READ, LOCATE_WRITE };

/* Finds the key's place. LOCATE_READ: LG_NOTFOUND when there is none, remembered as a gap. LOCATE_WRITE: a placeholder
 * is made; if it is local, *own is its write entry, already under this transaction's intent.
 * `attempt` > 0: the place found before was stale; remote owners are asked.
 * min_val_bytes: the frame, or the row, shall have room for such a value. Steps: STEP_BUSY, STEP_AGAIN. */
int locate(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, enum locate_mode mode, unsigned attempt,
        uint32_t min_val_bytes, struct place *place, struct write_entry **own);

/* What a reply's status means here; its owner's directory is looked at anew if it has grown since. */
int locate_status(struct lg_txn *txn, unsigned owner, unsigned status, uint64_t directory_generation);

/* Has the owner exchange the frame of a shared row, whose intent this transaction holds, for a larger one. The intent is given back
 * for that time; if anybody has written the row in between the transaction is lost (LG_CONFLICT). */
int locate_grow(struct lg_txn *txn, struct write_entry *entry, uint32_t min_val_bytes);

/* ---- access.c ---- */

/* Looks at a row and copies it. `key`: what it must be; NULL in a scan: whatever it is. STEP_*; LG_CORRUPT; LG_NOSPACE. */
int access_read(struct lg_txn *txn, const struct lg_table *table, const struct lg_slice *key, struct place *place,
        struct sight *sight);
/* The same without a copy of the value, if the row is local. */
int access_look(struct lg_txn *txn, const struct lg_table *table, const struct lg_slice *key, struct place *place,
        struct sight *sight);
/* Takes the intent of a row that was looked at; false: it has changed. */
struct write_entry *access_take(struct lg_txn *txn, struct lg_table *table, const struct sight *sight, int *code);
/* Takes a local row's intent and copies it in one go; LG_NOTFOUND, remembered, when it is absent; STEP_AGAIN when it is not
 * local any more. */
int access_edit_local(struct lg_txn *txn, struct lg_table *table, struct row *row, struct write_entry **entry);

static inline bool sight_absent(const struct sight *sight)
{
	return sight->word & WORD_ABSENT;
}

/* ---- txn.c ---- */

/* Notes a failure; a conflict dooms the transaction. Returns code. */
int txn_fail(struct lg_txn *txn, int code, enum lg_abort_reason reason, int holder, const struct lg_table *table,
        struct lg_slice key);
int txn_not_running(struct lg_txn *txn);

static inline int txn_check(struct lg_txn *txn, const struct lg_table *table)
{
	if (unlikely(txn->state != TXN_RUNNING || host_forked(txn->w->host)))
		return txn_not_running(txn);
	assert(table->host == txn->w->host);
	/* Between two operations nothing is half done here: a host that waits for an answer gets it now, not at the end of this
	 * transaction. A load of a word that stays cached until somebody rings. */
	if (unlikely(doorbell_look(&txn->w->port, txn->w->host_id)))
		host_serve(txn->w);
	return LG_OK;
}

/* One turn of waiting for `step`; LG_OK: try again; LG_CONFLICT (noted) when it has taken too long. */
int txn_wait(
        struct lg_txn *txn, struct wait *wait, int step, int holder, const struct lg_table *table, struct lg_slice key);

/* Gives one entry's intent or lock back; a placeholder leaves its tree. */
void txn_undo(struct lg_txn *txn, struct write_entry *entry);

/* Gives all intents back and takes placeholders out; the transaction has ended. */
void txn_end_without_effect(struct lg_txn *txn, enum lg_abort_reason reason);
void txn_end(struct lg_txn *txn);

/* ---- ops.c ---- */

/* What this transaction sees of a row that it holds the intent of. */
static inline bool entry_visible(const struct write_entry *entry)
{
	return entry->op == WRITE_PUT || (entry->op == WRITE_NOTHING && !entry->absent);
}

/* Reads, or edits, the row at a place, also for scans. LG_OK; LG_NOTFOUND, remembered; STEP_*. */
int ops_read_place(struct lg_txn *txn, struct lg_table *table, const struct lg_slice *key, struct place *place,
        struct sight *sight, struct lg_slice *val);
int ops_edit_place(struct lg_txn *txn, struct lg_table *table, const struct lg_slice *key, struct place *place,
        struct sight *sight, struct write_entry **entry);
/* Turns the outcome of a failed step into a user's code; false: try again. */
bool ops_give_up(struct lg_txn *txn, struct wait *wait, unsigned *attempt, int *code, const struct sight *sight,
        const struct lg_table *table, struct lg_slice key);

/* ---- seal.c ---- */

/* Opens the worker's redo ring, in a pod that seals commits. LG_OK; LG_NOSPACE. */
int seal_open(struct lg_worker *w, struct lg_error *err);
/* Seals what the transaction is about to write, as `version`: the commit point. LG_OK; LG_LIMIT, noted (more than a ring takes in one
 * piece); LG_NOSPACE, noted; as stream_ring_room(), noted. */
int seal(struct lg_txn *txn, uint64_t version);
/* The record of a row that lg_load() adds, made before the row is there, and sealed after. LG_OK; LG_LIMIT; LG_NOSPACE; as
 * stream_ring_room(). */
struct sealing_load {
	void *record;
	uint32_t bytes;
};
int seal_load(struct lg_worker *w, const struct redo_change *change, uint64_t version, struct sealing_load *load);
void seal_loaded(struct lg_worker *w, const struct sealing_load *load);

static inline bool txn_seals(const struct lg_txn *txn)
{
	/* Relaxed: its own worker has set it. */
	return unlikely(atomic_load_explicit(&txn->w->ring, memory_order_relaxed) != NULL);
}

/* ---- commit.c ---- */
/* Whether everything that was read is as it was: LG_OK; LG_CONFLICT or LG_NOSPACE, noted. Also for answers that must not rest on a
 * state that never was: LG_NOTFOUND, LG_EXISTS, and what a body hands on without a commit. */
int commit_validate(struct lg_txn *txn);

/* That many transactions in a row lost for want of pod memory: the next such loss is LG_NOSPACE. */
enum { SPACE_LOSSES = 100 };

#endif
