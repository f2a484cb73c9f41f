/* log_writer.h: writes a host's log: entries are gathered into batches, and a batch is one write and one fdatasync.
 *
 *     log_writer_open(...)
 *     log_reserve(writer, LOG_ENTRY_REDO, 0, bytes, &body, err)    then fill the body; again and again
 *     log_submit(writer, epoch, ...)                               closes what was gathered, and starts to write it
 *     log_poll(writer, &durable_epoch, err)                        until LG_OK: all that was submitted is durable
 *
 * While what was submitted is in flight, the next entries are gathered in other memory. All of it is kept until it is
 * durable.
 *
 * Failures. A write or an fdatasync that fails puts the writer into the failed state: every log_submit(), log_poll()
 * and log_wait() returns the code and the reason. Gathering goes on until its memory is used up. Nothing is retried on
 * the file that failed: after a failed fdatasync the operating system may call pages clean that never reached the
 * disk. When the operator has mended what was wrong, log_reopen() begins a new segment and writes everything again
 * that was not known durable.
 *
 * One thread at a time uses a writer.
 */
#ifndef LIGER_RECOVERY_LOG_WRITER_H
#define LIGER_RECOVERY_LOG_WRITER_H

#include "recovery/log_format.h"
#include "recovery/log_io.h"

struct log_writer;

struct log_identity {
	uint64_t cookie; /* of the pod; not 0 */
	uint32_t host;
	uint64_t incarnation; /* of the host; at least that of the log so far */
};

struct log_writer_options {
	uint64_t segment_bytes; /* a multiple of 4 KiB, 16 KiB to 4 GiB; default 64 MiB */
	uint64_t buffer_bytes;  /* of each of two buffers, a multiple of 4 KiB, from 4 KiB on; default 4 MiB */
	uint64_t gather_bytes;  /* memory that gathering may use in all; default 256 MiB */
	uint32_t spare_count;   /* segments kept to be used again; default 4 */
	enum log_io_kind kind;  /* of the writer's own io; default LOG_IO_AUTO */
	struct log_io *io;      /* NULL: the writer opens one; else the caller closes it after the writer */
};

/* Sets the defaults named above. */
void log_writer_options_init(struct log_writer_options *options);

/* Makes the directories, finds the end of the log that is there, and begins a new segment behind it, which is durable
 * when this returns. What a crash left of an unfinished batch is cut; the last whole batch, which may be in the
 * operating system's cache alone, is written once more. Reads all segments' headers, but the batches of the last
 * segment only; blocks. options NULL: the defaults.
 * Ownership: *writer until log_writer_close().
 * Returns:   LG_OK; LG_INUSE (another process writes this log); LG_MISMATCH (the log of another pod, host or format);
 *            LG_CORRUPT (file and offset); LG_INVALID (options; an incarnation before that of the log); LG_LIMIT;
 *            LG_NOSPACE; LG_SYSTEM. */
int log_writer_open(const char *directory, const struct log_identity *identity,
        const struct log_writer_options *options, struct log_writer **writer, struct lg_error *err);

/* A sentence for the operator, or "": when io_uring, or its registered buffers, are not used, and why. */
const char *log_writer_note(const struct log_writer *writer);

/* Room for an entry's body in what is gathered: *body, aligned to 8, to be filled before log_submit(). Also in the
 * failed state.
 * Returns: LG_OK; LG_LIMIT (bytes over LOG_ENTRY_BYTES_MAX); LG_NOSPACE (gather_bytes are used up: submit, or wait for
 *          what is in flight); LG_SYSTEM (no memory). */
int log_reserve(
        struct log_writer *writer, uint16_t type, uint16_t flags, uint32_t bytes, void **body, struct lg_error *err);

/* An entry that was gathered is of this epoch. A batch may have entries of later epochs than the one that it completes: its segment
 * is kept for as long as these are needed. */
void log_note_epoch(struct log_writer *writer, uint64_t epoch);

/* Bytes gathered so far. */
uint64_t log_gathered_bytes(const struct log_writer *writer);

/* Closes what was gathered, perhaps nothing, and starts to write it. `epoch`: every entry of this host with this epoch
 * or an older one has been gathered by now; LOG_EPOCH_NONE: that can be said of no new epoch. With io_uring it does
 * not wait for the disk, but for a new segment (four operations on files, about once in segment_bytes); with pwrite it
 * does all the work. What was gathered without an epoch and without an entry is not written.
 * Returns: LG_OK; LG_INUSE (something is in flight: nothing was closed); LG_INVALID (an epoch not above the last); the
 *          writer's failure, also when it fails now: what was gathered is then in flight, for log_reopen(). */
int log_submit(struct log_writer *writer, uint64_t epoch, uint64_t pod_durable_epoch, struct lg_error *err);

/* *durable_epoch (may be NULL): the last epoch of which all entries are durable. Never waits but as log_submit() does.
 * Returns: LG_OK (nothing is in flight); LG_INUSE (something is); the writer's failure. */
int log_poll(struct log_writer *writer, uint64_t *durable_epoch, struct lg_error *err);

/* The same, and waits until nothing is in flight. LG_OK, or the writer's failure. */
int log_wait(struct log_writer *writer, uint64_t *durable_epoch, struct lg_error *err);

/* Takes the writer out of the failed state: a new segment, which begins with the batch that was in flight. Blocks for
 * the segment, not for the batches.
 * Returns: LG_OK; LG_INVALID (it has not failed); LG_NOSPACE, LG_SYSTEM: it failed again, and stays as it was. */
int log_reopen(struct log_writer *writer, struct lg_error *err);

/* Recycles or removes the oldest segments that hold entries of epochs before `epoch` only. Blocks. *count, which may be
 * NULL: how many.
 * Returns: LG_OK; LG_SYSTEM: those before the one that is named are recycled; the writer has not failed. */
int log_recycle(struct log_writer *writer, uint64_t epoch, uint32_t *count, struct lg_error *err);

/* For metrics. */
struct log_writer_stats {
	uint64_t batches, bytes; /* durable since the writer was opened; with headers and padding */
	uint64_t segments;       /* of the log now */
	uint64_t begun;          /* segments begun since it was opened... */
	uint64_t reused;         /* ...of them in a recycled file */
	uint64_t sequence;       /* of the current segment */
	uint64_t durable_epoch;
};
void log_writer_stats(const struct log_writer *writer, struct log_writer_stats *stats);

/* Waits for what is in flight. What was gathered and not submitted is dropped. writer may be NULL.
 * Returns: LG_OK; the writer's failure. */
int log_writer_close(struct log_writer *writer, struct lg_error *err);

#endif
