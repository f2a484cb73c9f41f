/* mover.h: rows move between the owner's memory and frames in pod memory, under the mover lock.
 *
 * Move-in   row word: free -> lock; copy to a fresh frame, lines written back; directory; fence; shared word opened;
 *           row word: lock -> away. A crash before the last step loses the owner's memory anyway; the frame's word is
 *           open then, and what is in the frame is the row's last version.
 * Move-out  shared word: free -> lock; copy back; directory slot removed; shared word: lock -> retired, written back;
 *           row word: away -> free; word and frame into limbo. A crash after the lock leaves a locked word whose frame
 *           holds the row; after the retirement, only the frame's content, which the logs have too.
 * Growth    a frame is exchanged for a larger one under the lock of a word that was free: same word, fresh version, so
 *           that nobody who remembers the old frame can take it for the row's.
 *
 * The version rule (frame.h): whatever opens a word or writes a frame uses a version above all that both ever carried.
 */
#ifndef LIGER_ENGINE_MOVER_H
#define LIGER_ENGINE_MOVER_H

#include "engine/message.h"
#include "engine/table.h"

enum move_result {
	MOVE_OK,
	MOVE_BUSY, /* locked or under intent */
	MOVE_DEAD, /* the row has left the tree: look it up again */
	MOVE_WAIT, /* no space now, some is being freed */
	MOVE_NOSPACE,
	MOVE_CORRUPT,
};

/* Under the mover lock, all of these. */

/* Where the row lives in pod memory, after moving it there if need be, in a frame with room for min_val_bytes. The versions
 * are the word's before and after, which differ only if the frame grew. */
struct move_answer {
	struct frame_ref ref;
	uint64_t old_version, new_version;
};
enum move_result mover_move_in(
        struct lg_worker *w, struct row *row, uint32_t min_val_bytes, struct move_answer *answer);

/* Gives a leaf a word, or finds the one it has; the mark's version is the word's present one. False: the leaf changed since `look`,
 * or there is no word to be had (*result tells). */
bool mover_export_leaf(
        struct lg_worker *w, const struct leaf_look *look, struct leaf_mark *mark, enum move_result *result);

/* Once an epoch: frees what limbo holds, moves rows out while space is short, takes deleted rows out of their trees. */
void mover_tick(struct lg_worker *w);

/* When the host leaves: retires every word, so that nobody finds rows of it any more; gives all back. Waits for rows that
 * others are just writing, but not longer than timeout_ns. */
void mover_close(struct lg_worker *w, uint64_t timeout_ns);

/* Reads the frame of a word that this host has locked; `seen`: the word before. Checks all lengths and the row's key. False:
 * the frame contradicts its word. buffer has room for FRAME_BUFFER_BYTES. */
bool mover_read_locked(struct lg_worker *w, const struct share *share, word_idx index, uint64_t seen, void *buffer,
        struct frame_copy *copy);
enum { FRAME_BUFFER_BYTES = FRAME_MAX_LINES * LINE_PAYLOAD_BYTES + LINE_BYTES };

/* Takes a local row that is absent (deleted, or a placeholder) out of its tree, unless somebody is about to write it. */
void mover_drop_absent(struct lg_worker *w, struct row *row);

/* Ends a leaf's export: nobody can validate by its word any more. The leaf itself must have let go of it. */
void mover_retire_leaf(struct lg_worker *w, word_idx word);

void mover_usage(const struct lg_host *host, struct lg_stats *stats);

/* The move_in of an owner's own transaction, which does not hold the lock. */
enum move_result mover_grow_own(
        struct lg_worker *w, struct row *row, uint32_t min_val_bytes, struct move_answer *answer);

#endif
