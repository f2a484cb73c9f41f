/* clock.h: moving rows out: the second-chance clock over the owner's words (Corbató 1969). */
#ifndef LIGER_ENGINE_CLOCK_H
#define LIGER_ENGINE_CLOCK_H

#include "engine/mover.h"

enum {
	CLOCK_BATCH = 64,            /* rows that one call may move out */
	CLOCK_PRESSURE_EPOCHS = 100, /* for so long after a shortage some words are kept free */
	CLOCK_TRIM_EPOCHS = 128,
	CLOCK_TICK_BATCH = 2048, /* rows that an epoch's work may move out */
	CLOCK_SWEEP_WORDS = 512  /* words that one epoch's search for deleted rows looks at */
};

/* Takes up to `wanted` words back, looking at every word at most twice. Returns how many. Under the mover lock. */
size_t clock_move_out(struct lg_worker *w, size_t wanted);

/* While space is short: moves rows out until a quarter of the words is free or in limbo, at most `most` now, and hurries the
 * epoch on so that limbo empties soon. */
void clock_refill(struct lg_worker *w, size_t most);

/* Takes all rows out of the extent that has the fewest, so that frames of another size can come from it. False: there is none, or
 * every row there is held. */
bool clock_empty_extent(struct lg_worker *w);

/* The floor to leave with what is given back now: above all versions of this host, in the current epoch, so that nobody
 * claims it while a running transaction may remember it. */
uint64_t clock_leaving_floor(struct lg_worker *w);

/* Looks at the next words for rows that were deleted in pod memory and takes them out of their trees. */
void clock_sweep_absent(struct lg_worker *w);

/* Retires the next word of this host, whatever it is: for leaving. MOVE_BUSY when others are writing the row. */
enum move_result clock_retire(struct lg_worker *w, struct share *share, word_idx index);

#endif
