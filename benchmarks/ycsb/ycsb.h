/* ycsb.h: the YCSB workloads. Reading order: ycsb.c (options, load), plan.c (what a transaction does), transact.c (does
 * it), check.c.
 *
 * Tables:  ycsb        8-byte big-endian key -> row (row.h); range partition i holds host i's keys, host << 40 | n,
 *                      of which n = 0..keys-1 are loaded
 *          ycsb_check  (worker) -> struct ycsb_sums: what the workers of all hosts have counted, for the check
 *
 * Which workload:
 *   tigon      the transactional variant of the Tigon paper (OSDI'25): `ops` reads and read-modify-writes of whole rows
 *              a transaction, keys Zipf-distributed over a host's keys, number 0 the hottest (not scrambled, as there).
 *              In `cross_percent` of the transactions every second key is another host's, the same one for the whole
 *              transaction, chosen uniformly.
 *   tigon, mix scan    80% two scans, 10% a scan that fills the first gap it sees by an insert, 10% a delete
 *   A .. F     YCSB's core workloads (Cooper et al., SoCC 2010): one operation a transaction; updates write one field
 *   get, put   one read, or one blind write of a whole row, a transaction
 *
 * With --share-all each worker begins by reading its share of all other hosts' rows once, so that they lie in the pod
 * from then on: what a long run comes to by itself.
 */
#ifndef LIGER_YCSB_YCSB_H
#define LIGER_YCSB_YCSB_H

#include "../common/bench.h"
#include "row.h"
#include "zipf.h"

enum { YCSB_MAX_OPS = 64, YCSB_KEY_BYTES = 8, YCSB_HOST_SHIFT = 40, YCSB_SCANS = 2 };

enum ycsb_kind { YCSB_TIGON, YCSB_TIGON_SCAN, YCSB_CORE, YCSB_GET, YCSB_PUT };

enum ycsb_type {
	YCSB_LOCAL,
	YCSB_MULTI_HOST,
	YCSB_READ,
	YCSB_UPDATE,
	YCSB_INSERT,
	YCSB_SCAN,
	YCSB_DELETE,
	YCSB_READ_MODIFY_WRITE,
	YCSB_TYPE_COUNT
};

/* What a transaction's body returns when a row is not as it must be: the run ends. */
enum ycsb_code { YCSB_TORN = 1001, YCSB_MISSING, YCSB_DISORDER };

struct ycsb {
	enum ycsb_kind kind;
	char core; /* 'A'..'F' */
	uint32_t ops, read_percent, cross_percent, scan_length;
	uint64_t keys;
	double theta; /* negative: the workload's own */
	struct row_shape shape;
	struct zipf zipf;
	bool share_all;
	bool ops_given, read_given, mix_given, workload_given, single_given, scan_given;
	struct lg_table *rows, *checks;
};

enum ycsb_action { YCSB_DO_GET, YCSB_DO_EDIT, YCSB_DO_PUT, YCSB_DO_INSERT, YCSB_DO_SCAN, YCSB_DO_FILL, YCSB_DO_DELETE };

struct ycsb_op {
	enum ycsb_action action;
	uint32_t field, length; /* of an edit; of a scan */
	uint64_t key;           /* host << 40 | n */
};

/* Effects that the check adds up. Rows may be another host's. */
struct ycsb_effects {
	uint64_t updates, inserted, deleted;
};

struct ycsb_worker {
	const struct ycsb *y;
	struct bench_worker *bench;
	uint64_t base;                /* of this host's keys */
	uint64_t appended;            /* keys this worker has added behind the loaded ones */
	uint64_t judged;              /* rows looked at */
	uint64_t to_share, share_end; /* numbers of the others' rows that are yet to be read once (share_all) */
	struct ycsb_effects attempt, done;
	uint32_t op_count;
	struct ycsb_op op[YCSB_MAX_OPS];
	struct lg_txn *txn; /* of the last attempt, for its detail */
	uint8_t *row;       /* scratch of one row */
};

/* A worker's part of the check, as it stands in ycsb_check. */
struct ycsb_sums {
	uint64_t rows, counts;    /* found: rows, and the sum of their counts */
	uint64_t loaded;          /* should be: this worker's load */
	struct ycsb_effects done; /* and what its transactions did */
};

/* This worker's share of the loaded keys. */
static inline uint64_t ycsb_share_begin(const struct bench_worker *w, uint64_t keys, uint32_t index)
{
	return keys * index / w->bench->workers_per_host;
}

/* Chooses the operations of the next transaction (plan.c). Returns its type. */
enum ycsb_type ycsb_plan(struct ycsb_worker *w);

/* Runs them until they commit (transact.c). */
void ycsb_transaction(struct bench_worker *w, struct bench_outcome *outcome);
/* Why a run of a body ended with `code`, for w->failure. */
void ycsb_explain(struct ycsb_worker *w, int code);

/* check.c */
enum { YCSB_CHECK_STEPS = 2 };
int ycsb_check(struct bench_worker *w, uint32_t step, bool after_run, struct bench_failures *failures);

#endif
