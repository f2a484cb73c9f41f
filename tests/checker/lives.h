/* lives.h: a history as versions: who wrote which id, what each transaction found at each key, the lives of each key. */
#ifndef LIGER_TESTS_CHECKER_LIVES_H
#define LIGER_TESTS_CHECKER_LIVES_H

#include "checker.h"
#include "graph.h"

#define NO_TXN  UINT32_MAX
#define NO_LIFE UINT32_MAX

/* One id that somebody wrote. */
struct writer {
	uint64_t id;
	uint32_t txn, key;
	bool visible; /* it stood in the row when the transaction ended */
};

struct key {
	uint32_t table;
	uint64_t key;
	uint32_t first_life, life_count; /* in lives[] by key */
};

/* What a transaction found at a key before it wrote there. */
enum found {
	FOUND_UNKNOWN, /* it did not look, or only knows that the key exists */
	FOUND_LIST,
	FOUND_ABSENT,
};

struct access {
	uint32_t txn, key;
	enum found found;
	bool scan;            /* found by a scan */
	bool deleted;         /* the life it found */
	const uint64_t *list; /* FOUND_LIST: in the history */
	uint32_t list_count;
	uint32_t life; /* of the list; NO_LIFE otherwise */
	size_t own;    /* in own_ids: what it appended to that life, or the new life that it left */
	uint32_t own_count;
	bool created; /* own_ids are a new life */
};

/* A row from its insert to its delete. */
struct life {
	uint64_t id; /* the first of its list */
	uint32_t key;
	uint32_t inserter, deleter; /* NO_TXN: not deleted */
	bool maybe_deleted;         /* by a transaction of unknown outcome */
	uint64_t *versions;         /* the longest list */
	uint32_t version_count, version_cap;
};

struct checker {
	const struct history *h;
	struct checker_result *result;
	bool *happened; /* of each transaction: committed, or seen by one that was */
	struct writer *writers;
	size_t writer_count, writer_cap;
	struct key *keys;
	size_t key_count, key_cap;
	struct access *accesses;
	size_t access_count, access_cap;
	uint64_t *own_ids;
	size_t own_count, own_cap;
	struct life *lives; /* by key, then id */
	size_t life_count, life_cap;
	struct graph graph;
};

/* Fills writers to lives of a checker whose `h` and `result` are set, and reports what needs no graph.
 * Returns false once an anomaly has been reported. */
bool lives_build(struct checker *c);
void lives_free(struct checker *c);

/* NULL if nobody wrote it. */
struct writer *lives_writer(const struct checker *c, uint64_t id);

/* report.c: sets the result's anomaly and appends to its report. Both return false, for `return report_...`. */
bool report_access(struct checker *c, enum anomaly a, uint32_t txn, uint32_t key, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
void report_list(struct checker *c, const char *title, const uint64_t *ids, size_t count);
bool report_cycle(struct checker *c, enum anomaly a, const size_t *edges, size_t count, uint32_t txn_count);

#endif
