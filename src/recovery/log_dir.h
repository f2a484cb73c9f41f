/* log_dir.h: a host's log directory: its segments in order, and what their headers say. */
#ifndef LIGER_RECOVERY_LOG_DIR_H
#define LIGER_RECOVERY_LOG_DIR_H

#include "recovery/log_format.h"
#include "recovery/log_io.h"

#include <stdio.h>

enum { LOG_PATH_BYTES = 4096, LOG_NAME_BYTES = 64 };

#define LOG_ANY_HOST UINT32_MAX

/* What a header says, without its zeros. */
struct log_segment {
	uint64_t sequence, incarnation, salt, bytes, first_batch, epoch_before;
	bool unfinished, recycled;
	uint64_t
	        youngest; /* no entry that its writer has put in is of a later epoch, by log_note_epoch(); no header says it */
};

struct log_dir {
	char path[LOG_PATH_BYTES - LOG_NAME_BYTES]; /* DIR/host-NN */
	uint64_t cookie;                            /* of all segments; 0: there is none */
	uint32_t host;
	size_t count, capacity;
	struct log_segment *segments; /* by sequence, without gaps */
	size_t spare_count, spare_capacity;
	uint64_t *spares; /* numbers in the names of the files */
};

/* DIR/host-NN. LG_LIMIT when that is too long. */
int log_dir_name(const char *directory, uint32_t host, char *path, size_t bytes, struct lg_error *err);

/* Is it 16 digits and the suffix, and nothing else? Checkpoints are named so too. */
bool log_parse_name(const char *name, const char *suffix, uint64_t *number);

/* Paths of files in it. */
void log_segment_path(const struct log_dir *dir, uint64_t sequence, char path[LOG_PATH_BYTES]);
void log_spare_path(const struct log_dir *dir, uint64_t number, char path[LOG_PATH_BYTES]);
void log_new_path(const struct log_dir *dir, char path[LOG_PATH_BYTES]);

/* Lists the directory and reads and checks the header of every segment. cookie 0 and LOG_ANY_HOST: whatever they say,
 * all the same. A directory without segments is fine.
 * Ownership: call log_dir_free() in any case.
 * Returns:   LG_OK; LG_NOTFOUND (no such directory); LG_MISMATCH (another pod, host or format version); LG_CORRUPT (a
 *            segment is missing, a header is damaged, headers contradict each other); LG_LIMIT; LG_SYSTEM. */
int log_dir_read(
        struct log_io *io, const char *path, uint64_t cookie, uint32_t host, struct log_dir *dir, struct lg_error *err);
void log_dir_free(struct log_dir *dir);

/* Adds to the end of the list. LG_OK; LG_SYSTEM. */
int log_dir_add(struct log_dir *dir, const struct log_segment *segment, struct lg_error *err);
int log_dir_add_spare(struct log_dir *dir, uint64_t number, struct lg_error *err);

#endif
