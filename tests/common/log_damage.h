/* log_damage.h: does to the last batch of a log what a loss of power may do to what was not durable, and takes it back.
 *
 * A segment has its whole size on disk before its first batch: so no file becomes shorter.
 *
 * Before the pod was killed the batch may have been durable all the same, and acknowledged: what happens then is the test's
 * claim.
 */
#ifndef LIGER_TESTS_COMMON_LOG_DAMAGE_H
#define LIGER_TESTS_COMMON_LOG_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_damage_kind {
	LOG_DAMAGE_NONE,
	LOG_DAMAGE_ZEROS,   /* none of its bytes has reached the disk */
	LOG_DAMAGE_TORN,    /* its header has, the rest has not, or is something else */
	LOG_DAMAGE_GARBAGE, /* something else is in its place */
	LOG_DAMAGE_COUNT
};

struct log_damage {
	bool done;
	char file[256];
	uint64_t offset;
	size_t bytes;
	uint64_t last; /* number of the last batch; 0: the last segment has none */
	uint8_t *were; /* from `offset` to the end of the file */
};

/* The log of `host` under a data directory. Its last batch stays as it is if it has a number up to `durable`. */
void log_damage_last_batch(struct log_damage *damage, const char *data, uint32_t host, enum log_damage_kind kind,
        uint64_t durable, uint64_t *random);
void log_damage_undo(struct log_damage *damage);
void log_damage_free(struct log_damage *damage);

#endif
