/* snapshot.h: a committed value of a row, as its owner finds it at some moment, outside of any transaction. */
#ifndef LIGER_ENGINE_SNAPSHOT_H
#define LIGER_ENGINE_SNAPSHOT_H

#include "engine/mover.h"

struct snapshot {
	uint64_t version;
	const void *val;
	uint32_t val_bytes;
};

enum snapshot_result {
	SNAPSHOT_OK,
	SNAPSHOT_ABSENT,  /* deleted, or not committed yet */
	SNAPSHOT_AGAIN,   /* it is being written, or moves: look again */
	SNAPSHOT_CORRUPT, /* the frame contradicts its word */
};

/* By a worker within worker_enter(), of a row that it found in a tree of its host. buffer has room for
 * FRAME_BUFFER_BYTES; *snapshot points into it. */
enum snapshot_result snapshot_row(struct lg_worker *w, struct row *row, void *buffer, struct snapshot *snapshot);

#endif
