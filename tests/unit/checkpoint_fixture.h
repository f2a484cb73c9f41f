/* checkpoint_fixture.h: contents of checkpoints that follow from a number, so that a reader's entries can be judged. */
#ifndef LIGER_TESTS_UNIT_CHECKPOINT_FIXTURE_H
#define LIGER_TESTS_UNIT_CHECKPOINT_FIXTURE_H

#include "recovery/checkpoint_reader.h"
#include "recovery/checkpoint_writer.h"

#include "common/pod_fixture.h"

enum { CONTENT_COOKIE = 0x55667788, CONTENT_HOST = 3, CONTENT_FIRST_EPOCH = 40, CONTENT_LAST_EPOCH = 49 };

/* So many tables, then rows. */
struct content {
	uint64_t seed;
	uint32_t tables, rows;
	uint32_t val_max;  /* bytes of the values: from 0 to this */
	bool one_size;     /* all of them are as long as that */
	bool compressible; /* each is one byte, over and over */
};

extern const struct log_identity content_identity;

/* Puts all of it. */
int content_add(struct checkpoint_writer *writer, const struct content *content, struct lg_error *err);
/* From checkpoint_begin() to checkpoint_commit(), or, where something fails, to checkpoint_abort(). */
int content_write(struct log_io *io, const char *directory, const struct content *content, struct checkpoint_info *info,
        struct lg_error *err);

/* Reads what is in a host's directory. Fails the test unless each entry is the content's next.
 * Returns: what reading ended with; LG_OK: all of it was given, and no more. */
int content_read(struct log_io *io, const char *path, const struct content *content, struct lg_error *err);

#endif
