/* stream.h: from the redo rings to the log: what a host's service thread does about durability on disk.
 *
 * Each round it copies what the workers of this host have sealed since the last one from their rings into the log's next
 * batch, and has a batch written and synced when an epoch has ended, or a ring is a quarter full of what is not durable.
 *
 * Epoch e has ended on this host [commit.sealing] when the pod's epoch is above e and no worker is making a commit that
 * may still get a version of e: a worker stores `sealing` = an epoch that it loaded before, then, behind the full fence
 * of its commit, loads the epoch of its version anew; here the pod's epoch is loaded, a full fence, then every `sealing`.
 * So if `sealing` is seen idle, or above e, whatever comes after it gets a version above e, and what came before it is
 * sealed, and is read from its ring below. A batch that completes e says so (log_format.h).
 *
 * The pod's durable epoch D is the least that is durable in the logs of all hosts that are waited for (cxl/pod.h,
 * member_pod_durable()). A host is waited for from the moment it joins, before it can make a commit, until it has left or
 * died and all that it ever sealed is durable: in its own log, and what that had not got yet in the log of whoever
 * recovered it. Transactions of an epoch come after all that they depend on, of the same epoch or before it (commit.c, as
 * in Silo), so everything through D, and nothing behind it, is a state of the database that was there.
 *
 * A host that has sealed nothing goes on completing epochs as long as another one seals; when none does, nobody writes.
 *
 * Recycling. Segments go when no host needs them for its rows (keeper.h). Besides rows a log says who joined, left and
 * died, which tables there are and who owns what: that is said again before.
 *
 * Failures. When the log cannot be written nothing of this host becomes durable, so D stands still for the whole pod. Rings
 * fill up, and commits fail with the reason. Once a second it is tried again, in a new segment (log_writer.h).
 */
#ifndef LIGER_RECOVERY_STREAM_H
#define LIGER_RECOVERY_STREAM_H

#include "engine/host.h"
#include "recovery/log_bodies.h"
#include "recovery/log_dir.h"
#include "recovery/log_writer.h"
#include "recovery/manifest.h"
#include "recovery/ring.h"

/* Whoever waits for a ticket: lg_notify(). */
struct notice {
	struct notice *next;
	uint64_t epoch;
	void (*durable)(void *argument, int code);
	void *argument;
};

struct stream_slot {
	bool open;
	uint64_t drained, submitted; /* positions in its ring: read; read when the batch in flight was submitted */
};

struct stream {
	struct log_writer *writer;
	struct manifest manifest;
	char directory[LOG_PATH_BYTES];
	bool returning; /* it has joined this pod before: it may have rows to rebuild */
	bool fresh_log; /* no log of it was there */
	struct stream_slot slots[LG_MAX_WORKERS];
	void *record;                /* room for one, aligned to 8 */
	uint32_t tables;             /* logged: those below it */
	bool owners;                 /* the partition map is logged */
	_Atomic bool owners_changed; /* since */
	/* Replicated tables whose load has ended here: in which epoch that was noticed, and whether it is logged. It is logged
	 * when that epoch is completed, so that the entry counts only where all loaded rows do. */
	uint64_t load_ended[LG_MAX_TABLES];
	bool sealed_tables[LG_MAX_TABLES];
	bool fresh;         /* something was gathered since the last epoch that was completed */
	bool pressed;       /* a ring is a quarter full */
	bool flying;        /* a batch was submitted and is not known durable */
	uint64_t completed; /* the last epoch that a batch was submitted for */
	uint64_t told;      /* this host's word: MEMBER_LOG_EPOCH, and MEMBER_SEALED_EPOCH */
	uint64_t told_sealed;
	uint64_t retry_ns; /* when a failed log is tried again */
	bool counted;      /* D waits for this host */
	/* Recycling: all hosts' rows need the logs from an epoch on only. What must not be lost with older segments is said
	 * again in a batch that completes an epoch; when that is durable, they go. */
	uint64_t recycled, recycling; /* done; in flight with that batch; 0: none */
	uint64_t taken_epoch;         /* a dead host's records that were taken into this log are not younger */
	bool broken;                  /* the failure will not go away: a ring of this host is damaged */
	_Atomic uint64_t wanted;      /* somebody waits for this epoch */
	_Atomic uint64_t durable;     /* D, as far as it was seen; never goes back */
	_Atomic bool blocked;         /* the service thread waits for the disk: the keeper beats for it */
	_Atomic int failed;           /* LG_OK, or why the log cannot be written */
	_Atomic uint64_t log_batches, log_bytes, rows_rebuilt, rebuild_bytes;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t grown; /* durable or failed has changed */
	struct notice *notices;
	struct lg_error why;
};

/* Opens the log of a host that is about to join a pod that is logged. As recovery_open(). */
int stream_open(struct lg_worker *service, struct lg_error *err);
/* Whether the log cannot be written now. */
bool stream_failed(const struct lg_host *host);
/* Notices that are left are given their code. host->stream may be NULL. */
void stream_close(struct lg_host *host);

/* One turn of the service thread. True: something is in flight. */
bool stream_round(struct lg_worker *service, uint64_t now_ns);

/* What the rings of a dead host hold, and that it has died, into this host's log, durable when it returns.
 * LG_OK; the log's failure; LG_NOSPACE. */
int stream_take_dead(struct lg_worker *service, unsigned dead);

/* The host has joined, and is waited for from now on. When it returns that is in its log, and the log counts. */
int stream_joined(struct lg_worker *service, struct lg_error *err);
/* All that is in its rings is durable, and that it left is too; D does not wait for it any more. */
int stream_left(struct lg_worker *service);

/* This host was declared dead: whoever waits for something is told. */
void stream_fenced(struct lg_host *host);
/* Has the pod complete `epoch` on disk as soon as it has ended, though nobody may have sealed anything. */
void stream_want(struct lg_host *host, uint64_t epoch);

/* Whether a record of so many bytes may be put into the worker's ring; waits for room. In a pod that is not logged there is
 * always. LG_OK; LG_FENCED; the log's failure. */
int stream_ring_room(struct lg_worker *w, struct redo_ring *ring, uint32_t bytes);

/* [commit.sealing] */
static inline void stream_sealing(struct lg_worker *w)
{
	if (w->host->stream)
		/* Relaxed: the commit's full fence follows. */
		atomic_store_explicit(&w->sealing, epoch_load(&w->port), memory_order_relaxed);
}

static inline void stream_sealed(struct lg_worker *w)
{
	if (w->host->stream)
		/* Release: what was sealed is published before it. */
		atomic_store_explicit(&w->sealing, WORKER_IDLE, memory_order_release);
}

#endif
