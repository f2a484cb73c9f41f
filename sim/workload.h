/* workload.h: random transactions of the simulated hosts, and their record for tests/checker.
 *
 * Two tables of lists (tests/checker/README.md says why lists), by range and by hash, with few rows; a value is
 *
 *     u32 id_count | u32 pad_bytes | id_count ids | padding that depends on the last id
 *
 * so that rows differ in size, grow, and show when they are torn. And a table of accounts, by range, between which money
 * is moved in place: their sum never changes.
 */
#ifndef LIGER_SIM_WORKLOAD_H
#define LIGER_SIM_WORKLOAD_H

#include <liger.h>

#include "case.h"
#include "tickets.h"
#include "../tests/checker/history.h"

enum {
	LOAD_LISTS = 2,
	LOAD_TABLES = 3,
	LOAD_SESSIONS = 256,
	LOAD_MOST_IDS = 24, /* a list that long is deleted, not appended to */
	LOAD_FIRST_BALANCE = 100,
};

struct load_session;

struct load {
	const struct sim_case *plan;
	struct history history;
	struct tickets tickets;
	struct load_session *sessions[LOAD_SESSIONS];
	unsigned session_count;
	bool outages;    /* a host is lost, or slow, or may be: rows may be LG_UNAVAILABLE */
	bool incomplete; /* not all accounts could be filled in */
	bool settled;    /* `outages` is the last word: a host that died left no row without an owner */
	uint64_t commits, conflicts, refusals, audits;
	char failure[400]; /* empty: all is well */
};

void load_begin(struct load *load, const struct sim_case *plan);
void load_end(struct load *load);

/* Opens or creates the tables on a host. */
int load_tables(
        struct lg_host *host, const struct sim_case *plan, struct lg_table *tables[LOAD_TABLES], struct lg_error *err);

/* `number`: nobody else's in this history; it is what its random choices depend on. */
struct load_session *load_session(struct load *load, unsigned number, struct lg_host *host, struct lg_worker *worker,
        struct lg_table *tables[LOAD_TABLES]);
/* Half of the lists, all of the accounts; durable, where there are tickets. */
void load_fill(struct load_session *s);
/* So many random transactions. */
void load_run(struct load_session *s, unsigned txns);
/* Every row, each in a transaction of its own; then the accounts. */
void load_read_all(struct load_session *s);
/* What became of the tickets of earlier lives; at the end also of this one's. */
void load_ask_tickets(struct load_session *s, bool at_end);
/* Sessions whose host died: what they were at is of unknown outcome, if they had asked for its commit. */
void load_close_lost(struct load *load);

#endif
