/* history.h: what transactions did, in memory.
 *
 * Three growing arrays: transactions refer to runs of operations, operations to runs of ids. A scan is followed by one
 * operation of kind HISTORY_ROW for each row it returned. The text format is described in README.md.
 */
#ifndef LIGER_TESTS_CHECKER_HISTORY_H
#define LIGER_TESTS_CHECKER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum history_kind {
	HISTORY_READ,
	HISTORY_ABSENT,
	HISTORY_APPEND,
	HISTORY_INSERT,
	HISTORY_EXISTS,
	HISTORY_DELETE,
	HISTORY_SCAN,
	HISTORY_ROW,
};

struct history_op {
	enum history_kind kind;
	uint32_t table;
	uint64_t key;    /* HISTORY_SCAN: the low end */
	uint64_t hi;     /* HISTORY_SCAN: one past the high end */
	size_t first_id; /* in history.ids */
	uint32_t id_count;
	uint32_t row_count; /* HISTORY_SCAN: so many HISTORY_ROWs follow */
	bool reverse;
};

enum history_outcome { HISTORY_COMMITTED = 'c', HISTORY_ABORTED = 'a', HISTORY_UNKNOWN = 'u' };

struct history_txn {
	uint64_t begin, end; /* ns */
	uint64_t session;
	size_t first_op, op_count;
	uint32_t file, line; /* where it was read */
	enum history_outcome outcome;
};

struct history {
	struct history_txn *txns;
	size_t txn_count, txn_cap;
	struct history_op *ops;
	size_t op_count, op_cap;
	uint64_t *ids;
	size_t id_count, id_cap;
	char **files; /* names, for messages */
	size_t file_count, file_cap;
};

/* Makes room for `need` elements of `size` bytes in a growing array; ends the process when memory is out. */
void *history_grow(void *array, size_t *cap, size_t need, size_t size);

void history_init(struct history *h);
void history_free(struct history *h);

/* Adds the transactions of `in`, which is called `name` in messages.
 * Returns false, with a sentence in `message`, when it is no history. */
bool history_read(struct history *h, FILE *in, const char *name, char *message, size_t message_bytes);

#endif
