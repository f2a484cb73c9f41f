/* checkpoint_dir.h: the checkpoints of a host's directory: their names, and what their headers say. */
#ifndef LIGER_RECOVERY_CHECKPOINT_DIR_H
#define LIGER_RECOVERY_CHECKPOINT_DIR_H

#include "recovery/checkpoint_block.h"
#include "recovery/log_dir.h"

/* What a checkpoint says of itself. */
struct checkpoint_info {
	uint64_t cookie; /* of the pod */
	uint32_t host;
	uint64_t incarnation, sequence;
	uint64_t first_epoch; /* the log from this epoch on is needed besides */
	uint64_t last_epoch;  /* no row has a version of a later one */
	uint64_t file_bytes;
	struct checkpoint_counts counts;
};

/* Paths in the host's directory `path`, which is shorter than LOG_PATH_BYTES - LOG_NAME_BYTES. */
void checkpoint_path(const char *path, uint64_t sequence, char file[LOG_PATH_BYTES]);
void checkpoint_temporary_path(const char *path, char file[LOG_PATH_BYTES]);

/* The greatest sequence number before `before` that a file of the directory has; 0: there is none.
 * Returns: LG_OK; LG_NOTFOUND (no such directory); LG_SYSTEM. */
int checkpoint_find(struct log_io *io, const char *path, uint64_t before, uint64_t *sequence, struct lg_error *err);

/* Opens the newest checkpoint and checks its header; cookie 0 and LOG_ANY_HOST: whatever it says. *info has what the
 * header and the file's size say, *seed is the file's.
 * Ownership: LG_OK: the caller closes *file.
 * Returns:   LG_OK; LG_NOTFOUND (no checkpoint, or no such directory); LG_MISMATCH (another pod, host or format version);
 *            LG_CORRUPT; LG_SYSTEM. */
int checkpoint_open_newest(struct log_io *io, const char *path, uint64_t cookie, uint32_t host, int *file,
        struct checkpoint_info *info, uint32_t *seed, struct lg_error *err);

#endif
