/* host.h: one host of a pod: what hangs off struct lg_host, and its threads.
 *
 * Threads: the user's workers, each with a struct lg_worker of its own (port, heap, mailbox), and one service thread
 * with the worker slot SERVICE_SLOT: heartbeat, epoch, move-out, the log, and messages when no worker polls. In a pod that is
 * logged a third kind, the keeper, makes checkpoints (recovery/keeper.h).
 *
 * Locks, in the order they are taken: mover_lock (serving, movement, directory, allocation of words and frames) > admin
 * (tables, worker slots) > a peer's send_lock > locks of tree nodes. None is held while waiting for another host.
 *
 * Running epochs. A worker that may hold references to rows, words, frames or tree nodes has `running` = an epoch that it
 * loaded before its first reference; else IDLE. worker_enter() stores it with a full fence before any reference is
 * loaded [running.enter]; host_oldest() loads the global epoch first, then all `running` words. So what was unlinked in
 * epoch R, by whoever read R after unlinking, is unknown to every transaction once the published oldest is above R.
 */
#ifndef LIGER_ENGINE_HOST_H
#define LIGER_ENGINE_HOST_H

#include <pthread.h>
#include <stdalign.h>

#include "cxl/channel.h"
#include "cxl/emulation.h"
#include "cxl/pod.h"
#include "cxl/region.h"
#include "engine/directory.h"
#include "engine/gate.h"
#include "engine/heap.h"
#include "engine/space.h"

enum { SERVICE_SLOT = LG_MAX_WORKERS, KEEPER_SLOT, WORKER_SLOTS };
#define WORKER_IDLE UINT64_MAX

/* Counters of one worker. Others read them while they grow (add_counts in host.c): only sums for people. */
struct worker_counts {
	uint64_t commits, read_only_commits, aborts[LG_ABORT_REASON_COUNT], priorities, queued, let_in;
	uint64_t requests_sent, requests_served, moved_in, moved_out;
	uint64_t directory_hits, directory_misses, remote_reads, epoch_publishes;
	uint64_t recoveries, redone, freed_words, sealed_bytes, ring_waits;
};

/* Where a reply is put for the worker that waits for it. */
struct mailbox {
	_Atomic uint32_t waiting; /* number of the request that its worker waits for; 0: none, or answered */
	alignas(8) uint8_t message[MESSAGE_MAX_BYTES + 8];
};

struct lg_worker {
	alignas(64) _Atomic uint64_t running; /* see above; a line of its own, with `sealing` */
	/* In a pod that is logged: while it makes and seals a commit, an epoch not above the commit's; else IDLE. [commit.sealing] */
	_Atomic uint64_t sealing;
	alignas(64) struct lg_host *host;
	unsigned slot;
	unsigned host_id;
	_Atomic bool open; /* the struct stays with its slot until the host closes: others may look at it at any time */
	struct cxl_port port;
	struct heap_local local;
	uint64_t seen_epoch;   /* when this worker last did its share of epoch work */
	uint64_t last_version; /* of its last commit */
	uint64_t random;
	uint32_t next_request;
	_Atomic uint64_t polls; /* grows while the worker serves: the service thread leaves messages to it */
	struct gate_turn turn;  /* its place among those that run: gate.h */
	struct worker_counts counts;
	struct lg_txn *txn;             /* src/txn's */
	struct redo_ring *_Atomic ring; /* src/recovery's; stays with the slot; NULL: commits are not sealed */
	uint64_t ticket;                /* the epoch that must be durable before its last commit is told of */
	struct mailbox mailbox;
};

/* What this host knows of another. */
struct peer {
	alignas(64) _Atomic bool send_lock;
	struct channel_end send[CHANNEL_LANES];    /* under send_lock */
	struct channel_end receive[CHANNEL_LANES]; /* under the mover lock */
	_Atomic uint64_t incarnation;              /* that `send` is initialised for; 0: never */
	_Atomic uint64_t generation;               /* of the channels now: the sum of both hosts' incarnations */
	uint64_t received_generation;              /* that `receive` is initialised for */
	_Atomic bool view_lock;                    /* refreshing the view; readers check what they find */
	struct directory_view view;
};

struct lg_host {
	struct region region;
	struct pod_emulation emulation;
	const struct pod_geometry *geometry;
	struct lg_host_config config;
	unsigned id;
	uint64_t incarnation;
	const _Atomic uint32_t *fork_guard; /* 1; the kernel wipes the page to 0 in a child */
	struct heap *heap;
	pthread_mutex_t admin;
	struct lg_worker *_Atomic workers[WORKER_SLOTS];
	struct lg_stats closed; /* counters of closed workers; under admin */
	struct lg_table *_Atomic tables[LG_MAX_TABLES];
	alignas(64) _Atomic uint64_t floor; /* greatest version of a row that this host removed */
	alignas(64) struct space space;     /* words, frames, directory, limbo: under mover_lock */
	_Atomic bool mover_lock;
	_Atomic uint64_t unread; /* bit s: messages of s are left, there was no room to answer */
	struct peer peers[LG_MAX_HOSTS];
	struct gate gate;
	pthread_t service;
	_Atomic bool stopping;
	_Atomic bool fenced;       /* the others have declared this host dead: it touches the region no more */
	bool after_death;          /* the last holder of this id died */
	_Atomic unsigned adopting; /* 1 + the host whose partitions its keeper is just adopting; 0: none */
	struct watch *watch;       /* src/recovery's: what the service thread knows of the other hosts */
	struct stream *stream;     /* src/recovery's: this host's log; NULL: the pod is not logged */
	struct keeper *keeper;     /* src/recovery's: who makes checkpoints; NULL: the pod is not logged */
	uint64_t usage_counter;
};

static inline bool host_forked(const struct lg_host *host)
{
	return atomic_load_explicit(host->fork_guard, memory_order_relaxed) == 0;
}

/* Whether the others still take this host for alive. Once they do not, nothing of the region may be written by it: the words that it
 * held are others' by now. Looks at the pod; host->fenced remembers. */
bool host_is_member(struct lg_host *host, const struct cxl_port *port);

static inline bool host_fenced(const struct lg_host *host)
{
	return unlikely(atomic_load_explicit(&host->fenced, memory_order_relaxed));
}

void worker_epoch_work(struct lg_worker *w, uint64_t epoch);

/* [running.enter] Pairs with host_oldest(): stored, full fence, before any reference is loaded. */
static inline void worker_enter(struct lg_worker *w)
{
	uint64_t epoch = epoch_load(&w->port);
	atomic_exchange_explicit(&w->running, epoch, memory_order_seq_cst);
	if (epoch != w->seen_epoch)
		worker_epoch_work(w, epoch);
}

static inline void worker_leave(struct lg_worker *w)
{
	/* Release: what the transaction read, it read before. [running.enter] */
	atomic_store_explicit(&w->running, WORKER_IDLE, memory_order_release);
}

/* The oldest epoch in which anything of this host may still run. */
uint64_t host_oldest(struct lg_host *host, const struct cxl_port *port);

/* Opens and closes a worker's slot; LG_OK, LG_LIMIT, LG_NOSPACE. */
int worker_slot_open(
        struct lg_host *host, unsigned first, unsigned end, struct lg_worker **worker, struct lg_error *err);
void worker_slot_close(struct lg_worker *w);

static inline uint64_t worker_random(struct lg_worker *w)
{
	/* xorshift64* (Vigna 2016): for back-off only */
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return w->random * UINT64_C(0x2545F4914F6CDD1D);
}

/* Versions at and below the floor were carried by rows that are gone. */
static inline void host_raise_floor(struct lg_host *host, uint64_t version)
{
	uint64_t now = atomic_load_explicit(&host->floor, memory_order_relaxed);
	while (now < version && !atomic_compare_exchange_weak_explicit(
	                                &host->floor, &now, version, memory_order_acq_rel, memory_order_relaxed))
		;
}

/* The version of a placeholder: not below any that a removed row of its key had. */
static inline uint64_t host_placeholder_version(struct lg_host *host, uint64_t epoch)
{
	/* Acquire; pairs with host_raise_floor(), which comes before the removed row leaves the tree. */
	uint64_t floor = atomic_load_explicit(&host->floor, memory_order_acquire);
	uint64_t first = version_first_of(epoch);
	return floor > first ? floor : first;
}

/* The floor may have risen between the choice of a placeholder's version and its place in the tree: what is committed to it must be
 * above what a row of its key, removed meanwhile, was. */
static inline uint64_t host_above_floor(struct lg_host *host, uint64_t version)
{
	uint64_t floor = atomic_load_explicit(&host->floor, memory_order_acquire);
	return floor > version ? floor : version;
}

/* ---- How many run at once: gate.h ---- */

/* Before each attempt of lg_run(): returns when the worker may run. */
static inline void gate_enter(struct lg_worker *w)
{
	uint32_t idle = TURN_IDLE;
	/* Relaxed, all: see turn_of() in gate.c. Who does not see at once that the gate was closed runs once more without a turn. */
	if (likely(!atomic_load_explicit(&w->host->gate.closed, memory_order_relaxed)))
		return;
	if (unlikely(!atomic_compare_exchange_strong_explicit(
	            &w->turn.state, &idle, TURN_BUSY, memory_order_relaxed, memory_order_relaxed)))
		gate_queue(w);
}

/* After it. Without a turn: nothing. */
static inline void gate_leave(struct lg_worker *w)
{
	if (likely(atomic_load_explicit(&w->turn.state, memory_order_relaxed) != TURN_BUSY))
		return;
	uint64_t ended = atomic_load_explicit(&w->turn.ended, memory_order_relaxed);
	atomic_store_explicit(&w->turn.ended, ended + 1, memory_order_relaxed);
	if (unlikely(atomic_load_explicit(&w->host->gate.due, memory_order_relaxed)))
		gate_pass_on(w);
	else
		atomic_store_explicit(&w->turn.state, TURN_IDLE, memory_order_relaxed);
}

/* ---- A small spin lock for what is held for microseconds and tried more often than waited for ---- */

static inline bool spin_try(_Atomic bool *lock)
{
	return !atomic_load_explicit(lock, memory_order_relaxed) &&
	       !atomic_exchange_explicit(lock, true, memory_order_acquire);
}

void spin_take(_Atomic bool *lock);

static inline void spin_drop(_Atomic bool *lock)
{
	atomic_store_explicit(lock, false, memory_order_release);
}

/* ---- Waiting ---- */

struct wait {
	uint32_t turns;
	uint64_t began_ns;
};

/* One turn of waiting for somebody else: serves messages, pauses, and after a while sleeps for some microseconds, as the
 * one waited for may need this CPU. Returns the nanoseconds waited so far (0 in the first turns). */
uint64_t worker_wait(struct lg_worker *w, struct wait *wait);
uint64_t clock_ns(void);

/* Serves what other hosts have sent, if anything; never waits. */
void host_serve(struct lg_worker *w);

static inline void worker_poll(struct lg_worker *w)
{
	/* Relaxed: only this worker writes it. */
	atomic_store_explicit(
	        &w->polls, atomic_load_explicit(&w->polls, memory_order_relaxed) + 1, memory_order_relaxed);
	if (doorbell_look(&w->port, w->host_id) || atomic_load_explicit(&w->host->unread, memory_order_relaxed))
		host_serve(w);
}

#endif
