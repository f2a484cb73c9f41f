/* list_append.h: the random transactions of the serializability tests, which write down what they saw.
 *
 * Three tables (by range, by hash, and a small hot one by range) hold lists of ids. A transaction is some gets, appends,
 * inserts, deletes and scans of random rows, with the ids that it appends being its own; tests/checker judges the history.
 * The value of a row is:
 *     u32 id_count | u32 pad_bytes | id_count ids | padding that depends on the last id
 * so that values differ in size, and a torn one shows. An append writes over padding through lg_edit() when there is some,
 * else it puts a longer value.
 *
 * Where a commit may be undone by a crash of the whole pod (`acks` is set), its record stays one of unknown outcome, and
 * its ticket goes to a file of its own, and so does what the client was told of; list_settle() makes commits, and aborted
 * transactions, of them when the pod says how far it was durable.
 *
 * Nothing here uses cmocka: it runs in threads and in child processes. A session that meets what must not happen says so
 * in `failure` and stops.
 */
#ifndef LIGER_TESTS_POD_LIST_APPEND_H
#define LIGER_TESTS_POD_LIST_APPEND_H

#include <liger.h>
#include <stdbool.h>
#include <stdio.h>

#define LIST_TABLES    3
#define LIST_KEY_BYTES 64

struct list_config {
	uint32_t hosts, workers; /* workers a host */
	uint64_t txns;           /* a worker */
	uint32_t keys[LIST_TABLES];
	uint32_t max_pad;
	bool fixed_pad; /* either none or max_pad: few sizes of frames */
	uint64_t seed;
};

struct list_session {
	const struct list_config *config;
	struct lg_table *tables[LIST_TABLES];
	struct lg_worker *worker;
	uint64_t number; /* of the session; 1.. */
	FILE *history;
	FILE *acks;                      /* NULL: a commit is one when it returns; else `killable` is set */
	bool outages;                    /* rows may be LG_UNAVAILABLE: such transactions are given up */
	bool killable;                   /* its process may be killed: the history is complete up to that moment */
	bool (*goes_on)(void *argument); /* NULL: it runs config->txns; else until this says no */
	void *goes_on_argument;
	/* of its own */
	uint64_t random, next_id, last_end;
	bool open;                       /* an attempt is in `ops` */
	uint64_t last_epoch, told_epoch; /* with `acks`: the greatest ticket; what the client was told of */
	long pending; /* where its record begins in the history, written as unknown; -1: it is not there yet */
	char *ops;    /* its operations so far, as text */
	size_t ops_bytes, ops_cap;
	uint64_t commits, conflicts, refusals; /* refusals: LG_NOSPACE; with outages, LG_UNAVAILABLE */
	struct lg_detail detail;               /* of the last attempt that failed otherwise than by a conflict */
	char failure[600];                     /* empty: all is well */
};

/* Creates or opens the tables on a host. Returns a code of Liger. */
int list_tables(struct lg_host *host, const struct list_config *config, struct lg_table *tables[LIST_TABLES],
        struct lg_error *err);

/* Begins a session; its fields up to `history` are set. */
void list_begin(struct list_session *s);
/* Inserts about half of the keys. */
void list_load(struct list_session *s);
/* config->txns random transactions. */
void list_run(struct list_session *s);
/* One transaction that reads all, for the end of the history. */
void list_read_all(struct list_session *s);
/* The client is told of all its commits in epochs up to this one. */
void list_acknowledge(struct list_session *s, uint64_t durable_epoch);
/* Ends a session: writes its history out. */
void list_end(struct list_session *s);

/* What was committed in epochs up to `limit` was committed for good; what came after it never happened. Returns the greatest epoch
 * that the client was told of. */
uint64_t list_settle(FILE *history, FILE *acks, uint64_t limit);

/* Reads the histories and runs the checker, without any order and with that of real time. Prints what it finds.
 * Returns 0: no anomaly; 1: an anomaly; -1: a file is no history. */
int list_judge(FILE *const *histories, size_t count);

/* What a broken build must show (environment LG_EXPECT_ANOMALY=1), and how many seeds it may take. */
#define LIST_ANOMALY_SEEDS 40
bool list_expects_anomaly(void);

#endif
