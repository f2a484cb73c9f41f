/* checkpoint_writer.h: writes a checkpoint: a host's tables and rows, in one file, which counts when it is whole and
 * durable, and not before.
 *
 *     checkpoint_begin(NULL, "DIR", &identity, first_epoch, 50, &writer, &err)
 *     for each table: checkpoint_add_table(writer, ...)
 *     for each row:   checkpoint_add_row(writer, ...), then wait checkpoint_pause_ns(writer, now)
 *     checkpoint_commit(writer, last_epoch, ...), or checkpoint_abort(writer)
 *
 * Rows may be put while transactions run: each as it is at its moment. What commits meanwhile may be missing, and is in
 * the logs from first_epoch on: so everything of older epochs must have been installed before the first row is read.
 *
 * Failures. When an operation fails, the temporary file is removed, which also gives back what it took of a full disk,
 * and the checkpoint before stays as it is. From then on each call returns the code and the reason; abort, and begin anew
 * when the operator has mended what was wrong. Nothing is retried on the file that failed.
 *
 * One thread at a time uses a writer. The module never sleeps; what waits for the disk says so. The host's log must be
 * open for writing: its lock keeps other writers out of the directory, from checkpoints too.
 */
#ifndef LIGER_RECOVERY_CHECKPOINT_WRITER_H
#define LIGER_RECOVERY_CHECKPOINT_WRITER_H

#include "recovery/checkpoint_dir.h"
#include "recovery/log_writer.h"

struct checkpoint_writer;

/* Makes DIR/host-NN/checkpoint.tmp, in place of what a crash may have left there. DIR/host-NN is there already.
 * megabytes_per_second: of entries, before they are compressed, which bounds what the checkpoint costs in reading,
 * compressing and writing; 0: no limit. io NULL: files.
 * Ownership: *writer until checkpoint_commit() or checkpoint_abort(); an io that was given stays the caller's, and may
 *            be the log's if that is used in the same thread.
 * Returns:   LG_OK; LG_MISMATCH (the newest checkpoint there is of another pod, host or format); LG_INVALID (it is of a
 *            later incarnation); LG_NOTFOUND (no such directory); LG_LIMIT; LG_NOSPACE; LG_SYSTEM. */
int checkpoint_begin(struct log_io *io, const char *directory, const struct log_identity *identity,
        uint64_t first_epoch, uint32_t megabytes_per_second, struct checkpoint_writer **writer, struct lg_error *err);

/* One more entry. The bytes are copied. Most calls do not touch the disk; about one in 256 KiB of entries compresses and
 * writes a block, and one in 4 MiB of file waits until that is durable, lest the log's syncs wait behind all of it.
 * Returns: LG_OK; LG_LIMIT (greater than CHECKPOINT_ROW_MAX: nothing was put, the writer has not failed); the failure:
 *          LG_NOSPACE, LG_SYSTEM. */
int checkpoint_add_table(struct checkpoint_writer *writer, const void *body, uint32_t bytes, struct lg_error *err);
int checkpoint_add_row(struct checkpoint_writer *writer, const struct checkpoint_row *row, struct lg_error *err);

/* How long the caller should wait now, to keep to megabytes_per_second; 0: not at all. now_ns: of a clock that never
 * goes back. The clock of the limit begins with the first call. What the caller did not use in the past is not made up
 * for later, but for the last 100 ms. */
uint64_t checkpoint_pause_ns(struct checkpoint_writer *writer, uint64_t now_ns);

/* Makes the file durable, gives it its name, makes that durable, and removes older checkpoints; one that cannot be removed
 * stays until the next commit. Blocks. last_epoch: no row has a version of a later one. A checkpoint is taken as it is when
 * the host comes back: so last_epoch has to be durable in the whole pod before this is called. *info, which may be NULL,
 * is filled when it returns LG_OK.
 * Ownership: the writer is gone in any case.
 * Returns:   LG_OK; LG_INVALID (a row is younger than last_epoch, or first_epoch is later than the epoch behind it);
 *            LG_NOSPACE, LG_SYSTEM: the older checkpoint is still there, and the log that it needs must be kept. */
int checkpoint_commit(
        struct checkpoint_writer *writer, uint64_t last_epoch, struct checkpoint_info *info, struct lg_error *err);

/* Removes the temporary file. writer may be NULL. */
void checkpoint_abort(struct checkpoint_writer *writer);

#endif
