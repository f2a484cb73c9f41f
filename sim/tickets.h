/* tickets.h: what the sessions of a pod at LG_DURABILITY_DISK were told of their commits, and what became of these when the
 * power was lost: lg_status() says it, of every old ticket, in every later life and on every host; it must not contradict what was
 * told, nor itself; and the checker must agree, since a commit that was undone has not happened.
 */
#ifndef LIGER_SIM_TICKETS_H
#define LIGER_SIM_TICKETS_H

#include <liger.h>

#include "../tests/checker/history.h"

enum ticket_fate { TICKET_OPEN, TICKET_KEPT, TICKET_UNDONE };

struct ticket {
	struct lg_ticket ticket;
	size_t txn; /* in the history */
	unsigned session;
	bool told; /* that it is durable */
	enum ticket_fate fate;
};

struct tickets {
	struct ticket *all;
	size_t count, cap;
	uint64_t told, undone;
};

void tickets_free(struct tickets *tickets);
void tickets_add(struct tickets *tickets, unsigned session, struct lg_ticket ticket, size_t txn);
/* All of the session's that are no younger than this epoch of its life were told. */
void tickets_tell(struct tickets *tickets, unsigned session, uint64_t life, uint64_t durable);

/* Asks for every ticket of an earlier life, and has the history say what became of it. With `all`, which is at the end, also
 * for those of this life, which are durable by then. False, and why in `failure`: an answer is not true. */
bool tickets_ask(struct tickets *tickets, struct history *history, struct lg_host *host, uint64_t life, bool all,
        char *failure, size_t bytes);

#endif
