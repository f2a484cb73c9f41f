/* gate.h: how many transactions of a host run at once.
 *
 * With more threads than CPUs, who holds a row's intent is often not running: all others wait for it, lose, and retry, and
 * the time goes into that. So lg_run() lets at most `bound` workers of a host try at once; the others sleep, first come,
 * first served. Who may run has a **turn**, and keeps it from one transaction to the next:
 *
 *     none -> busy     a turn was free, or idle and taken from its worker, or handed over     under the lock
 *     busy -> idle     an attempt has ended, and nobody is due                                by its worker, a store
 *     idle -> busy     the next begins                                                        by its worker, a CAS
 *     idle -> none     another worker has taken the turn                                      under the lock, a CAS
 *     busy -> none     an attempt has ended, and somebody is due: the turn goes to him        under the lock
 *
 * So nothing shared is written while nobody waits, and where no more workers are open than may run the gate is open: one
 * load. While somebody waits, turns change hands once in TURN_NS, not at each transaction: a change costs two switches of
 * threads. The first of the queue sees to that; it alone sleeps with a time limit.
 *
 * Deadlock. Nobody waits here who holds anything of the pod: before an attempt only. But a body may itself wait, for a
 * thread that is in the queue, or run another worker's transaction. So when no attempt of the host has ended for STALL_NS,
 * the first of the queue goes in beyond the bound, and so on: all n of a queue are in after n times STALL_NS, whatever
 * the others do. The extra turns are given back as soon as they are not busy. Transactions of lg_txn_begin() are not
 * held up here, nor counted, for they may stay open as long as their user likes; nor is the holder of the pod's
 * priority, for which all others wait.
 *
 * The bound is, where the user gives none, the number of CPUs that the process may use; and hosts of one machine divide
 * its CPUs, since as soon as more run than there are CPUs, one of them waits for a row of another that does not run.
 */
#ifndef LIGER_ENGINE_GATE_H
#define LIGER_ENGINE_GATE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cxl/line.h"

struct lg_host;
struct lg_worker;

enum turn { TURN_NONE, TURN_IDLE, TURN_BUSY };

/* In struct lg_worker. */
struct gate_turn {
	_Atomic uint32_t state; /* enum turn */
	_Atomic uint64_t ended; /* attempts; written by the worker alone */
};

struct gate_waiter {
	struct lg_worker *worker;
	struct gate_waiter *next;
	pthread_cond_t called;
};

struct gate {
	/* Read at each attempt, written seldom. */
	alignas(64) _Atomic bool closed; /* more workers are open than may run */
	_Atomic uint32_t due;            /* turns that are to change hands at the end of an attempt */
	uint32_t bound;
	bool shared; /* the bound is this host's share of the machine's CPUs, which gate_share() looks up */
	alignas(64) pthread_mutex_t lock; /* of all below; no other is taken under it */
	uint32_t workers, turns;          /* open; given, idle ones too */
	uint32_t waiting;
	struct gate_waiter *first, **last;
};

/* bound: 0: this host's share of the CPUs. */
void gate_init(struct gate *gate, uint32_t bound);
/* Adapts it to the hosts that are on this machine by now; by the service thread. */
void gate_share(struct lg_worker *service);
void gate_destroy(struct gate *gate);

/* A worker is opened or closed. */
void gate_join(struct lg_worker *w);
void gate_quit(struct lg_worker *w);

/* The slow halves of gate_enter() and gate_leave() in host.h. */
void gate_queue(struct lg_worker *w);
void gate_pass_on(struct lg_worker *w);

#endif
