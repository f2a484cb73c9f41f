/* report.c: anomalies in words. */
#include "lives.h"

#include <stdarg.h>
#include <string.h>

const char *anomaly_name(enum anomaly a)
{
	static const char *const names[ANOMALY_COUNT] = {
	        [ANOMALY_NONE] = "none",
	        [ANOMALY_MALFORMED] = "malformed history",
	        [ANOMALY_INTERNAL] = "internal inconsistency of a transaction",
	        [ANOMALY_SCAN_ORDER] = "scan returned rows out of order or range",
	        [ANOMALY_GARBAGE] = "id that nobody wrote there",
	        [ANOMALY_G1A] = "G1a: read of an aborted transaction's write",
	        [ANOMALY_G1B] = "G1b: intermediate read",
	        [ANOMALY_DUPLICATE] = "duplicate append",
	        [ANOMALY_LOST_UPDATE] = "lost update",
	        [ANOMALY_INCOMPATIBLE] = "lists that are no prefixes of each other",
	        [ANOMALY_DELETED_TWICE] = "row deleted twice",
	        [ANOMALY_G0] = "G0: cycle of writes",
	        [ANOMALY_G1C] = "G1c: cycle of writes and reads",
	        [ANOMALY_G_SINGLE] = "G-single: read skew",
	        [ANOMALY_G2_ITEM] = "G2-item: write skew",
	        [ANOMALY_G2] = "G2: write skew through a scan (phantom)",
	        [ANOMALY_ORDER] = "stale: a cycle with the order of sessions or of real time",
	};
	return (unsigned)a < ANOMALY_COUNT ? names[a] : "unknown";
}

static void say(struct checker *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void vsay(struct checker *c, const char *format, va_list args)
{
	size_t at = strlen(c->result->report);
	vsnprintf(c->result->report + at, sizeof(c->result->report) - at, format, args);
}

static void say(struct checker *c, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsay(c, format, args);
	va_end(args);
}

static void say_txn(struct checker *c, uint32_t txn)
{
	const struct history_txn *t = &c->h->txns[txn];
	say(c, "T%u (session %llu, %s:%u)", txn, (unsigned long long)t->session, c->h->files[t->file], t->line);
}

static void say_key(struct checker *c, uint32_t key)
{
	say(c, "key %u:%llu", c->keys[key].table, (unsigned long long)c->keys[key].key);
}

bool report_access(struct checker *c, enum anomaly a, uint32_t txn, uint32_t key, const char *format, ...)
{
	c->result->anomaly = a;
	say(c, "%s\n  ", anomaly_name(a));
	say_txn(c, txn);
	if (key < c->key_count) {
		say(c, ", ");
		say_key(c, key);
	}
	say(c, ": ");
	va_list args;
	va_start(args, format);
	vsay(c, format, args);
	va_end(args);
	say(c, "\n");
	return false;
}

void report_list(struct checker *c, const char *title, const uint64_t *ids, size_t count)
{
	say(c, "  %s:", title);
	for (size_t i = 0; i < count; i++)
		say(c, " %llu", (unsigned long long)ids[i]);
	say(c, "\n");
}

/* "T1 (...) wrote id 7 at key 0:3, after which T2 (...) ..." */
static void say_edge(struct checker *c, const struct edge *e, uint32_t to)
{
	unsigned long long id = (unsigned long long)e->id;
	const char *how = e->scan ? " by a scan" : "";
	say(c, "  ");
	say_txn(c, e->from);
	switch (e->kind) {
	case EDGE_WW:
		say(c,
		        e->absence ? " --ww--> deleted the row or inserted it anew after version %llu of "
		                   : " --ww--> appended right after %llu to ",
		        id);
		break;
	case EDGE_WR:
		say(c,
		        e->absence ? " --wr--> deleted (life %llu), then found absent%s: "
		                   : " --wr--> wrote %llu, then read%s: ",
		        id, how);
		break;
	case EDGE_RW:
		say(c,
		        e->absence ? " --rw--> did not see%s the life that begins with %llu of "
		                   : " --rw--> read%s the version before %llu of ",
		        how, id);
		break;
	case EDGE_SESSION: say(c, " --so--> earlier in the session than "); break;
	default: say(c, " --rt--> had ended before the begin of "); break;
	}
	if (!(e->kind & EDGE_ORDER)) {
		say_key(c, e->key);
		say(c, ", by ");
	}
	say_txn(c, to);
	say(c, "\n");
}

bool report_cycle(struct checker *c, enum anomaly a, const size_t *edges, size_t count, uint32_t txn_count)
{
	const struct edge *all = c->graph.edges;
	c->result->anomaly = a;
	say(c, "%s\n", anomaly_name(a));
	/* Nodes from txn_count on are points in time: the path through them is one edge from the transaction that enters
	 * the time line to the one that leaves it. Begin at a transaction. */
	size_t start = 0;
	while (all[edges[start]].from >= txn_count)
		start++;
	for (size_t i = 0; i < count; i++) {
		const struct edge *e = &all[edges[(start + i) % count]];
		while (all[edges[(start + i) % count]].to >= txn_count)
			i++;
		say_edge(c, e, all[edges[(start + i) % count]].to);
	}
	return false;
}
