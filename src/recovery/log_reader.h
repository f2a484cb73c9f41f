/* log_reader.h: reads a host's log from its oldest segment to its end, and checks every byte that it gives.
 *
 *     struct log_reader *reader;
 *     log_reader_open("DIR/host-00", NULL, &reader, &err);
 *     while ((code = log_reader_next(reader, &entry, &err)) == LG_OK)
 *             ... entry ...
 *     code == LG_END: log_reader_found(reader) says where the log ends; anything else: it is damaged, err says where
 *     log_reader_close(reader);
 *
 * What is given is always a prefix of the log in whole batches. Where the bytes of a batch are wrong and no later
 * batch exists, that is a torn tail: the batch was being written when the host or its machine stopped, nobody was told
 * that it was durable, and it is cut. Where a later batch exists, it is LG_CORRUPT.
 *
 * The log may be written meanwhile: what is given then has at least all batches that were durable when the reader was
 * opened. A log whose segments are recycled meanwhile may seem damaged, or a segment of it missing: read it again then.
 */
#ifndef LIGER_RECOVERY_LOG_READER_H
#define LIGER_RECOVERY_LOG_READER_H

#include "recovery/log_dir.h"

struct log_reader;

struct log_reader_options {
	uint64_t cookie;   /* of the pod it must belong to; 0: any */
	uint32_t host;     /* of the host; LOG_ANY_HOST: any */
	bool last_only;    /* begin at the last segment that has a batch: to find the end */
	struct log_io *io; /* NULL: files */
};

/* Any pod, any host, from the beginning, files. */
void log_reader_options_init(struct log_reader_options *options);

struct log_entry {
	uint16_t type, flags;
	uint32_t bytes;
	const void *body;     /* aligned to 8; valid until the next call with the reader */
	uint64_t epoch;       /* of its batch: LOG_EPOCH_NONE when that completes none */
	uint64_t batch;       /* its number */
	uint64_t incarnation; /* of the host that wrote it */
	const char *file;     /* path of the segment; as long as body */
	uint64_t offset;      /* of the entry in it */
};

/* What has been found so far; all of it once LG_END was returned. */
struct log_found {
	uint64_t cookie; /* 0: there is no segment */
	uint32_t host;
	uint64_t incarnation;             /* of the last segment */
	uint64_t segments;                /* read */
	uint64_t epoch_before;            /* epochs up to this one were completed before the first segment */
	uint64_t last_epoch;              /* completed last; LOG_EPOCH_NONE: none */
	uint64_t pod_durable_epoch;       /* the greatest that a batch tells of */
	uint64_t batches, entries, bytes; /* whole batches, entries in them, bytes of bodies */
	uint64_t copies;                  /* batches written again in the next segment, and skipped */
	uint64_t next_batch;              /* number of the batch that would follow */
	bool unfinished;                  /* the last batch completes no epoch */
	uint64_t epoch_before_last;       /* last_epoch and unfinished as they were before the last batch */
	bool unfinished_before_last;
	bool cut; /* a torn batch at the end was cut: */
	uint64_t cut_offset, cut_bytes;
	char cut_file[LOG_PATH_BYTES];
};

/* options NULL: the defaults.
 * Returns: as log_dir_read(). */
int log_reader_open(
        const char *path, const struct log_reader_options *options, struct log_reader **reader, struct lg_error *err);

/* LG_OK and *entry; LG_END; LG_CORRUPT with file and offset; LG_SYSTEM. After anything but LG_OK it stays so. */
int log_reader_next(struct log_reader *reader, struct log_entry *entry, struct lg_error *err);

const struct log_found *log_reader_found(const struct log_reader *reader);

/* The last whole batch, header and entries, read again. *batch is NULL when there is none.
 * Ownership: the caller free()s *batch.
 * Returns:   LG_OK; LG_CORRUPT (it has changed); LG_SYSTEM. */
int log_reader_last_batch(
        struct log_reader *reader, struct log_batch_header **batch, size_t *bytes, struct lg_error *err);

/* The directory as it was when the reader was opened. */
const struct log_dir *log_reader_dir(const struct log_reader *reader);

/* reader may be NULL. */
void log_reader_close(struct log_reader *reader);

#endif
