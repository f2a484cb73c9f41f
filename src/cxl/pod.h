/* pod.h: the words in HWcc that all hosts share: members, epoch, priority, partition map, doorbells.
 *
 * Each has one small set of functions here, so that a pod without hardware coherence can have a second implementation.
 */
#ifndef LIGER_CXL_POD_H
#define LIGER_CXL_POD_H

#include "cxl/port.h"

/* ---- Epoch ----
 * Any live host's service thread ticks when the epoch has stood still for epoch_ms of its own clock; so no ticker can die. */

static inline uint64_t epoch_load(const struct cxl_port *port)
{
	/* [epoch.tick] Acquire; pairs with epoch_tick(): who sees an epoch sees what its ticker saw. */
	return port_word_load(port, POD_CLOCK_OFFSET + offsetof(struct pod_clock, epoch), memory_order_acquire);
}

/* Moves the epoch from `seen` to seen + 1, unless somebody else has. [epoch.tick] acq_rel. */
void epoch_tick(struct cxl_port *port, uint64_t seen);

/* Returns once the epoch is at least `wanted` (ticking it there): for a worker whose sequence ran over. */
void epoch_reach(struct cxl_port *port, uint64_t wanted);

/* ---- Priority: one transaction of the pod at a time may hold all others back ---- */

static inline uint64_t priority_load(const struct cxl_port *port)
{
	/* Relaxed: a hint that others act on; nothing is read because of it. */
	return port_word_load(port, POD_CLOCK_OFFSET + offsetof(struct pod_clock, priority), memory_order_relaxed);
}

/* PRIORITY_EPOCHS after it was taken anybody may clear or take it: its holder may be dead. */
enum { PRIORITY_EPOCHS = 20 };

static inline uint64_t priority_id(uint64_t epoch, unsigned host, unsigned worker)
{
	return epoch << 16 | (uint64_t)host << 8 | (worker + 1);
}

static inline bool priority_expired(uint64_t priority, uint64_t epoch)
{
	return (priority >> 16) + PRIORITY_EPOCHS <= epoch;
}

/* Takes it for `id` if it is free or expired. */
bool priority_take(struct cxl_port *port, uint64_t id);
/* Takes it anew for `id`, if `held` still holds it, so that it expires later. */
bool priority_renew(struct cxl_port *port, uint64_t held, uint64_t id);
/* Gives it back, if `id` still holds it. */
void priority_drop(struct cxl_port *port, uint64_t id);

/* ---- Members ---- */

/* Joins as `host`: free or left -> joining, with the next incarnation. LG_OK; LG_INUSE, with the pid and heartbeat of
 * who holds it in the message; LG_INVALID when host >= host_count; LG_MISMATCH when the pod is being destroyed, or when
 * another member runs under another emulation (a number from emu_pod_identity(); 0: none). The oldest epoch (the current one) is published before it returns. */
int member_join(struct cxl_port *port, unsigned host, uint64_t emulation, uint64_t *incarnation, struct lg_error *err);
/* Whether a member other than `self` runs under another emulation than `emulation`, and which. */
bool member_of_other_emulation(const struct cxl_port *port, unsigned self, uint64_t emulation, unsigned *which);
/* By the member itself, to one of joining, live, leaving, left. False: it was declared dead, and nothing is changed. */
bool member_set_state(struct cxl_port *port, unsigned host, enum lg_member_state state);
enum lg_member_state member_state(const struct cxl_port *port, unsigned host, uint64_t *incarnation);
void member_beat(struct cxl_port *port, unsigned host);
uint64_t member_heartbeat(const struct cxl_port *port, unsigned host);
int32_t member_pid(const struct cxl_port *port, unsigned host);
/* How many members run on the same machine as `self`, itself one of them, as far as can be told (process.h). */
unsigned member_neighbours(const struct cxl_port *port, unsigned self);
/* Whether `host` is a member and its process exists on this machine. */
bool member_alive(const struct cxl_port *port, unsigned host);
/* Whether its process can be judged from here, and what is seen of it. */
enum member_process { MEMBER_ELSEWHERE, MEMBER_RUNS, MEMBER_RUNS_HERE, MEMBER_GONE };
enum member_process member_process(const struct cxl_port *port, unsigned host);
/* Whether `host`, whose state word is `seen`, has taken its id and not said yet which process it is; it holds nothing then. And
 * sees to it that it never will: if it runs, member_join() fails there, and from now on its process counts as gone.
 * member_shut_out: false if it, or another who shuts it out, was quicker. */
bool member_nameless(const struct cxl_port *port, unsigned host, uint64_t seen);
bool member_shut_out(struct cxl_port *port, unsigned host, uint64_t seen);
/* Kills its process, if that is on this machine and not this one; it is gone when member_process() says so. */
void member_kill(const struct cxl_port *port, unsigned host);

/* Recovery of a host that died: one other claims it [member.claim], frees what it held, and says that it is done. Any step may be
 * repeated by another claimer.
 * member_claim: makes `host`, a member whose state word is `seen`, one that `by` recovers; *claim is what the word is then, and that of
 * no other claim. False: somebody else was first. */
uint64_t member_state_word(const struct cxl_port *port, unsigned host);
bool member_claim(struct cxl_port *port, unsigned host, uint64_t seen, unsigned by, uint64_t *claim);
/* The same for one that has left or is dead: nobody comes back under its id, until member_recovered(). */
bool member_claim_gone(struct cxl_port *port, unsigned host, uint64_t seen, unsigned by, uint64_t *claim);
/* Who recovers it; host_count if nobody does. */
unsigned member_recoverer(const struct cxl_port *port, unsigned host);
/* Recovering -> dead. False: the claim is not this one any more. */
bool member_recovered(struct cxl_port *port, unsigned host, uint64_t claim);
/* A full fence follows the store: what the caller reads next, it reads as a member that is waited for. */
void member_publish_oldest(struct cxl_port *port, unsigned host, uint64_t epoch);
uint64_t member_oldest(const struct cxl_port *port, unsigned host);
/* The epoch of the oldest transaction that runs anywhere in the pod, or the current one. What was made unreachable in
 * an epoch before it can be reused. */
uint64_t member_pod_oldest(const struct cxl_port *port);

/* ---- Logs on disk, of a pod that is logged (recovery/stream.h) ---- */

enum member_log_word {
	MEMBER_LOG_EPOCH,        /* durable in its log through this epoch; LOG_EPOCH_UNCOUNTED: not waited for */
	MEMBER_SEALED_EPOCH,     /* the youngest epoch of what it has logged, or is about to */
	MEMBER_CHECKPOINT_EPOCH, /* its rows need the logs from this epoch on */
	MEMBER_ADOPTER, /* no epoch: 1 + the host that is asked to adopt its partitions; written by who asks, or is asked */
};
#define LOG_EPOCH_UNCOUNTED UINT64_MAX

uint64_t member_log_word(const struct cxl_port *port, unsigned host, enum member_log_word which);
/* By the member itself, or by who recovers it. Written back and fenced: seen by all when it returns. */
void member_set_log_word(struct cxl_port *port, unsigned host, enum member_log_word which, uint64_t epoch);
/* The epoch that is durable in every log that is waited for; never an epoch that has not ended. UINT64_MAX: none is. */
uint64_t member_pod_durable(const struct cxl_port *port);
/* The youngest that any member has sealed. */
uint64_t member_pod_sealed(const struct cxl_port *port);
/* Of a region that is being made: a host that had so many incarnations, and has left. */
void member_restore(struct cxl_port *port, unsigned host, uint64_t incarnation);

/* ---- Partition map ---- */

static inline unsigned partition_owner(const struct cxl_port *port, uint32_t partition)
{
	/* Acquire: a host that has taken a partition over has made its state visible before. [partition.place] */
	return (unsigned)(port_word_load(port, POD_PARTITIONS_OFFSET + (pod_off)partition * 8, memory_order_acquire) &
	                  63);
}

/* [partition.place] Release. */
void partition_place(struct cxl_port *port, uint32_t partition, unsigned host);

/* ---- Doorbells ---- */

/* Tells `to` that `from` has put something into the channel. A full fence: the lines come first. [doorbell.ring] */
static inline void doorbell_ring(struct cxl_port *port, unsigned to, unsigned from)
{
	port->counts.word_writes++;
	port_word_rmw(port, POD_DOORBELLS_OFFSET + (pod_off)to * 64, EMU_OR, UINT64_C(1) << from, memory_order_seq_cst);
}

/* Whether anybody has rung; a load of a word that is cached here until somebody rings. */
static inline uint64_t doorbell_look(const struct cxl_port *port, unsigned host)
{
	/* Relaxed: doorbell_answer() follows when it is not 0. */
	return port_word_load(port, POD_DOORBELLS_OFFSET + (pod_off)host * 64, memory_order_relaxed);
}

/* Takes the bits. [doorbell.ring] pairs with doorbell_ring(): what was put before the ring is there. */
static inline uint64_t doorbell_answer(struct cxl_port *port, unsigned host)
{
	port->counts.word_writes++;
	return port_word_rmw(port, POD_DOORBELLS_OFFSET + (pod_off)host * 64, EMU_EXCHANGE, 0, memory_order_seq_cst);
}

#endif
