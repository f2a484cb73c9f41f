/* log_fixture.h: a log in a directory of its own, what was put into it, and an io whose operations fail when told to.
 * */
#ifndef LIGER_TESTS_UNIT_LOG_FIXTURE_H
#define LIGER_TESTS_UNIT_LOG_FIXTURE_H

#include "common/pod_fixture.h"

#include "recovery/log_reader.h"
#include "recovery/log_writer.h"

enum { LOG_TEST_COOKIE = 0x11223344, LOG_TEST_HOST = 3, LOG_TEST_ENTRIES = 4096 };

/* An entry that was put: its bytes follow from its number. */
struct log_put {
	uint16_t type, flags;
	uint32_t bytes;
	uint64_t batch;
};

/* Operations of `inner`, unless they are to fail. Counters count down; the operation fails when one reaches 0. */
struct log_faults {
	struct log_io io;
	struct log_io *inner;
	int allocate_in, allocate_error;
	int write_in, write_error;
	int short_in;
	size_t short_bytes;
	int sync_in, sync_error;
	int sync_directory_in, sync_directory_error;
	bool answer_write_error, answer_short, answer_sync;
	uint64_t random; /* of the salts */
};

struct log_fixture {
	char directory[64], host_directory[96];
	enum log_io_kind kind;
	struct log_faults faults;
	struct log_identity identity;
	struct log_writer_options options;
	struct log_writer *writer;
	uint64_t epoch; /* submitted last */
	uint32_t put_count;
	struct log_put put[LOG_TEST_ENTRIES];
};

/* *state is a struct log_fixture with segments of 64 KiB, buffers of 16 KiB, on io_uring or on pwrite. */
int log_setup_uring(void **state);
int log_setup_pwrite(void **state);
int log_teardown(void **state);

#define LOG_BOTH(claim)                                                                                                \
	{#claim " [io_uring]", claim, log_setup_uring, log_teardown, NULL},                                            \
	{                                                                                                              \
#claim " [pwrite]", claim, log_setup_pwrite, log_teardown, NULL                                        \
	}

void log_open_writer(struct log_fixture *f);
void log_close_writer(struct log_fixture *f);

/* Gathers the next entry; put[].batch is for the test to fill. */
void log_put(struct log_fixture *f, uint32_t bytes);
/* Submits with the next epoch, and waits. */
void log_commit(struct log_fixture *f);
/* The bytes of the entry with that number. */
void log_body_fill(void *body, uint32_t number, uint32_t bytes);
bool log_body_is(const void *body, uint32_t number, uint32_t bytes);

/* Reads the log and fails unless it holds exactly the first `count` entries that were put. */
void log_expect(struct log_fixture *f, uint32_t count, struct log_found *found);
/* Fails unless reading ends with the code and with a message that has the piece. */
void log_expect_error(struct log_fixture *f, int code, const char *piece);

/* A figure of the writer. */
uint64_t log_stat_of(struct log_fixture *f, size_t offset);
#define LOG_STAT(f, field) log_stat_of(f, offsetof(struct log_writer_stats, field))

/* Where batch `number` lies in its segment. */
uint64_t log_offset_of_batch(struct log_fixture *f, uint64_t sequence, uint64_t number);

/* Bytes of a segment's file: read, and overwritten. */
void log_file_path(const struct log_fixture *f, uint64_t sequence, char path[128]);
void log_patch(const struct log_fixture *f, uint64_t sequence, uint64_t offset, const void *data, size_t bytes);

#endif
