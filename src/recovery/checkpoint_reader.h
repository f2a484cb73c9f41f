/* checkpoint_reader.h: reads a host's newest checkpoint, and checks every byte that it gives.
 *
 *     checkpoint_reader_open("DIR/host-00", NULL, &reader, &err)       LG_NOTFOUND: there is none
 *     while ((code = checkpoint_next(reader, &entry, &err)) == LG_OK)
 *             ... entry ...
 *     code == LG_END: that was all of it; anything else: what was given is not the whole checkpoint, err says why
 *     checkpoint_reader_close(reader)
 *
 * The newest checkpoint is the one that counts: its name is given when it is whole and durable, and the log that older ones
 * need may be gone. So damage in it is LG_CORRUPT, and an older one is never read in its place.
 *
 * Whatever the file holds, a reader takes at most some 130 MiB of memory, and 600 KiB where no row is greater than a block.
 */
#ifndef LIGER_RECOVERY_CHECKPOINT_READER_H
#define LIGER_RECOVERY_CHECKPOINT_READER_H

#include "recovery/checkpoint_dir.h"

struct checkpoint_reader;

struct checkpoint_reader_options {
	uint64_t cookie;   /* of the pod it must belong to; 0: any */
	uint32_t host;     /* of the host; LOG_ANY_HOST: any */
	struct log_io *io; /* NULL: files */
};

/* Any pod, any host, files. */
void checkpoint_reader_options_init(struct checkpoint_reader_options *options);

/* Opens the newest checkpoint of a host's directory, and checks its header and footer. options NULL: the defaults.
 * Returns: LG_OK; LG_NOTFOUND (no checkpoint, or no such directory); LG_MISMATCH (another pod, host or format version);
 *          LG_CORRUPT (file and offset); LG_LIMIT; LG_SYSTEM. */
int checkpoint_reader_open(const char *path, const struct checkpoint_reader_options *options,
        struct checkpoint_reader **reader, struct lg_error *err);

/* Tables and rows, in the order in which they were put. *entry points into memory that is valid until the next call with
 * the reader.
 * Returns: LG_OK and *entry; LG_END; LG_CORRUPT with file and offset; LG_SYSTEM. After anything but LG_OK it stays so. */
int checkpoint_next(struct checkpoint_reader *reader, struct checkpoint_entry *entry, struct lg_error *err);

/* What header and footer say, from the beginning on; but counts.greatest_version is that of the rows read so far. */
const struct checkpoint_info *checkpoint_reader_info(const struct checkpoint_reader *reader);
/* The file's path. */
const char *checkpoint_reader_file(const struct checkpoint_reader *reader);

/* reader may be NULL. */
void checkpoint_reader_close(struct checkpoint_reader *reader);

#endif
