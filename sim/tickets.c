/* tickets.c: see tickets.h. */
#include "tickets.h"

#include <inttypes.h>
#include <stdlib.h>

void tickets_free(struct tickets *tickets)
{
	free(tickets->all);
	*tickets = (struct tickets){0};
}

void tickets_add(struct tickets *tickets, unsigned session, struct lg_ticket ticket, size_t txn)
{
	tickets->all = history_grow(tickets->all, &tickets->cap, tickets->count + 1, sizeof *tickets->all);
	tickets->all[tickets->count++] = (struct ticket){.ticket = ticket, .txn = txn, .session = session};
}

void tickets_tell(struct tickets *tickets, unsigned session, uint64_t life, uint64_t durable)
{
	for (size_t i = 0; i < tickets->count; i++) {
		struct ticket *t = &tickets->all[i];
		if (t->told || t->session != session || t->ticket.life != life || t->ticket.epoch > durable)
			continue;
		t->told = true;
		tickets->told++;
	}
}

static const char *contradiction(const struct ticket *t, enum lg_outcome outcome)
{
	if (outcome == LG_OUTCOME_PENDING)
		return "is pending, long after its end";
	if (outcome == LG_OUTCOME_ABORTED && t->told)
		return "was told durable, and is undone";
	if (outcome == LG_OUTCOME_ABORTED && t->fate == TICKET_KEPT)
		return "was kept, and is undone in a later life";
	if (outcome == LG_OUTCOME_DURABLE && t->fate == TICKET_UNDONE)
		return "was undone, and is durable in a later life";
	return NULL;
}

bool tickets_ask(struct tickets *tickets, struct history *history, struct lg_host *host, uint64_t life, bool all,
        char *failure, size_t bytes)
{
	for (size_t i = 0; i < tickets->count; i++) {
		struct ticket *t = &tickets->all[i];
		enum lg_outcome outcome;
		if (t->ticket.life == life && !all)
			continue;
		int code = lg_status(host, t->ticket, &outcome);
		const char *why = code != LG_OK ? lg_strerror(code) : contradiction(t, outcome);
		if (!why && t->ticket.life == life && outcome != LG_OUTCOME_DURABLE)
			why = "is undone, in its own life";
		if (why) {
			snprintf(failure, bytes,
			        "the commit of session %u with epoch %" PRIu64 " of life %" PRIu64
			        ", asked for on host %u in life %" PRIu64 ": %s",
			        t->session, t->ticket.epoch, t->ticket.life, lg_host_id(host), life, why);
			return false;
		}
		tickets->undone += t->fate == TICKET_OPEN && outcome == LG_OUTCOME_ABORTED;
		t->fate = outcome == LG_OUTCOME_DURABLE ? TICKET_KEPT : TICKET_UNDONE;
		if (outcome == LG_OUTCOME_ABORTED)
			history->txns[t->txn].outcome = HISTORY_ABORTED;
	}
	return true;
}
