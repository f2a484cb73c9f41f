/* checker.h: is there a serial order of a history? The method is told in README.md. */
#ifndef LIGER_TESTS_CHECKER_CHECKER_H
#define LIGER_TESTS_CHECKER_CHECKER_H

#include "history.h"

enum anomaly {
	ANOMALY_NONE = 0,
	ANOMALY_MALFORMED,    /* the history contradicts the rules of recording: an error of whoever wrote it */
	ANOMALY_INTERNAL,     /* a transaction does not see its own writes, or sees a row change under it */
	ANOMALY_SCAN_ORDER,   /* a scan returned rows out of order, twice or from outside its range */
	ANOMALY_GARBAGE,      /* an id that nobody wrote there */
	ANOMALY_G1A,          /* an id of an aborted transaction */
	ANOMALY_G1B,          /* a state in the middle of a transaction */
	ANOMALY_DUPLICATE,    /* an id twice in a list */
	ANOMALY_LOST_UPDATE,  /* two transactions wrote the same next version */
	ANOMALY_INCOMPATIBLE, /* lists of one row that are no prefixes of each other */
	ANOMALY_DELETED_TWICE,
	ANOMALY_G0, /* cycles, by the edges they need */
	ANOMALY_G1C,
	ANOMALY_G_SINGLE,
	ANOMALY_G2_ITEM,
	ANOMALY_G2,
	ANOMALY_ORDER, /* a cycle that needs edges of the session or of real time */
	ANOMALY_COUNT
};

enum checker_order { CHECKER_ORDER_NONE, CHECKER_ORDER_SESSION, CHECKER_ORDER_REALTIME };

struct checker_result {
	enum anomaly anomaly; /* the first that was found */
	char report[16384];   /* for a person; empty without an anomaly */
	size_t committed, lives, edges;
	size_t absences;  /* pairs: somebody found absent a key, and a life of that key */
	size_t undecided; /* of these, unknown whether before or after */
};

const char *anomaly_name(enum anomaly a);

/* Judges a history, which is not changed. */
void checker_run(const struct history *h, enum checker_order order, struct checker_result *result);

#endif
