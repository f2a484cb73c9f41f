/* town.h: a TPC-C pod whose hosts are processes that are killed and come back. The parent leads them through the benchmark's
 * own phases, each begun by all hosts together, and reads on a board what they do.
 *
 * What goes wrong in a host's process is said on stderr and ends it with exit code 1, which the parent notices when it
 * waits; what goes wrong in the parent ends that in the same way. Hosts die with their parent.
 */
#ifndef LIGER_OUTAGE_TOWN_H
#define LIGER_OUTAGE_TOWN_H

#include <sys/types.h>

#include "../tpcc/tpcc.h"

enum { TOWN_HOSTS = 2, TOWN_MS = 1 << 17 };

enum town_phase { TOWN_OPEN, TOWN_LOAD, TOWN_RUN, TOWN_CHECK, TOWN_CLOSE };

/* Of one host id; the host writes it, but for `done` and `commits` at its start. */
struct town_host {
	_Atomic uint64_t done;                        /* the order that it has followed */
	_Atomic uint64_t commits;                     /* of this life */
	_Atomic uint64_t refusals;                    /* of this life: transactions that needed a host that was away */
	_Atomic uint64_t rows_rebuilt, rebuild_bytes; /* of this life */
	_Atomic uint64_t open_ns;                     /* that lg_host_open() took */
	_Atomic uint32_t in_ms[TOWN_MS];              /* commits, by the millisecond since the town began */
};

struct town_board {
	_Atomic uint64_t order; /* grows with each order of the parent: a phase, and its step */
	_Atomic uint32_t phase, step;
	uint64_t began_ns;
	struct town_host host[TOWN_HOSTS];
};

struct town {
	char uri[80];
	const char *data; /* NULL: no logs */
	uint32_t lease_ms;
	struct tpcc *tpcc;
	struct bench bench;
	uint64_t seed;
	struct town_board *board;
	pid_t pid[TOWN_HOSTS];
};

/* Milliseconds since the town began. */
double town_ms(const struct town *t);
void town_nap(void);
_Noreturn void town_die(const char *who, const char *what, const char *why);

/* Of `t`, uri, data, lease_ms (0: the default) and seed are set. Makes the pod and its hosts, and loads. */
void town_begin(struct town *t, enum lg_durability durability, uint32_t warehouses);
/* Hosts leave, and the pod is destroyed. */
void town_end(struct town *t);

void town_start(struct town *t, uint32_t host);
void town_kill(struct town *t, uint32_t host);
/* Begins a phase at all hosts that are there. */
void town_order(const struct town *t, enum town_phase phase, uint32_t step);
/* Until all that are there have followed the last order. */
void town_await(const struct town *t);
/* Whether a host that was started is open. */
bool town_is_open(const struct town *t, uint32_t host);
void town_await_commits(const struct town *t, uint32_t host, uint64_t more);
/* The twelve conditions, by all hosts. */
void town_check(const struct town *t);
/* Ends the parent if a host has ended that was not killed. */
void town_expect_alive(const struct town *t);

#endif
