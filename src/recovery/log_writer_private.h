/* log_writer_private.h: the writer's inside: log_writer.c has batches, log_segment.c the files that they go to. */
#ifndef LIGER_RECOVERY_LOG_WRITER_PRIVATE_H
#define LIGER_RECOVERY_LOG_WRITER_PRIVATE_H

#include "recovery/log_dir.h"
#include "recovery/log_writer.h"

/* A batch that is gathered, waits to be written, or is being written. */
struct log_batch {
	struct log_batch *next;
	uint8_t *data; /* header and entries, then zeros to the end of the block; aligned to a block */
	size_t capacity, used;
	uint32_t entry_count;
	int buffer; /* which registered one; -1: data is its own */
};

struct log_queue {
	struct log_batch *first, *last;
	uint64_t bytes; /* used, of all */
	uint64_t memory;
};

struct log_writer {
	struct log_io *io;
	bool owns_io;
	struct log_writer_options options;
	struct log_identity identity;
	int lock;                /* file that keeps other writers out; -1: none */
	struct lg_error failure; /* code LG_OK: none */
	struct log_dir dir;      /* the current segment is the last */
	int file;                /* of the current segment; -1: none */
	uint32_t seed;
	uint64_t position; /* in it, where the next batch goes */
	uint64_t next_spare, next_batch;
	uint64_t durable_epoch, submitted_epoch;
	uint64_t youngest; /* log_note_epoch() */
	bool unfinished;   /* the last durable batch completes no epoch */

	struct log_batch fixed[LOG_IO_BUFFERS];
	bool fixed_used[LOG_IO_BUFFERS];
	struct log_queue gathered, in_flight;
	bool started;   /* a write of the first batch in flight is under way, */
	size_t written; /* and so much of it was written by writes before that */
	struct log_writer_stats stats;
};

/* Begins the segment behind the last, with room for `bytes` of batches, and closes the file of the last. On an error
 * everything is as before, and the next try takes the same sequence number. LG_OK; LG_NOSPACE; LG_SYSTEM. */
int log_segment_begin(struct log_writer *writer, uint64_t bytes, struct lg_error *err);

#endif
