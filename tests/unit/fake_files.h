/* fake_files.h: one directory of files in memory behind struct log_io, which knows what of it is durable: so that each
 * operation can fail in turn, and the power at each moment. */
#ifndef LIGER_TESTS_UNIT_FAKE_FILES_H
#define LIGER_TESTS_UNIT_FAKE_FILES_H

#include "common/pod_fixture.h"

#include "recovery/log_io.h"

enum { FAKE_FILES = 16 };

struct fake_file {
	uint8_t *data, *durable; /* as programs see it; what was synced of it */
	size_t bytes, capacity, durable_bytes;
};

struct fake_name {
	char name[64]; /* empty: none */
	int file;
};

struct fake_files {
	struct log_io io;
	struct fake_file files[FAKE_FILES];
	int file_count;
	struct fake_name names[FAKE_FILES], durable[FAKE_FILES];
	uint64_t random; /* of salts */

	uint64_t step;    /* operations so far */
	uint64_t fail_at; /* the operation with this number fails; 0: none does */
	bool stop;        /* all after it do nothing and fail too: the process is gone */
	int error;        /* with this errno */
	char failed[16];  /* name of the operation that did first */
	int made;         /* the file that was made last; and not closed yet: that is "close made" */
};

void fake_begin(struct fake_files *f);
void fake_end(struct fake_files *f);

/* What a restart finds after the power was lost: of each file what was synced; and the names that were, or, as the
 * directory may have been written early, all. */
void fake_lose_power(struct fake_files *f, bool all_names);

/* NULL: there is none of that name. */
struct fake_file *fake_find(struct fake_files *f, const char *name);
/* Makes the file, or gives it another content. */
void fake_put(struct fake_files *f, const char *name, const void *data, size_t bytes);

#endif
