/* keeper.h: the thread that makes a host's checkpoints, and adopts partitions (adopt.h).
 *
 * A checkpoint is fuzzy: transactions go on. With B the epoch at its begin, it waits until no transaction of the pod runs
 * that began before B: all commits of epochs before B are installed. Then it walks the trees and takes each row as it is,
 * with its version. What commits meanwhile has an epoch from B on and is in the logs: whoever rebuilds takes a row from
 * the checkpoint and applies what the logs have above its version. A row that was deleted before the walk reached it may
 * have had changes since B: the logs have its deletion behind them.
 *
 * It gets its name only when everything in it is durable in the pod: no restart finds a row in it that never was.
 *
 * Then the host needs the logs, of all hosts, from B on only, and says so in its member line; each host recycles what
 * none needs any more, behind a batch that says again what must not be lost with it (stream.h).
 */
#ifndef LIGER_RECOVERY_KEEPER_H
#define LIGER_RECOVERY_KEEPER_H

#include "engine/host.h"
#include "recovery/checkpoint_writer.h"

struct keeper {
	struct lg_host *host;
	struct lg_worker *w; /* slot KEEPER_SLOT */
	pthread_t thread;
	void *buffer;       /* room for a frame */
	uint64_t log_bytes; /* of the log, when the last checkpoint began */
	uint64_t youngest;  /* epoch of a version in the checkpoint that is just made */
	_Atomic bool stopping;
	_Atomic uint64_t checkpoints, checkpoint_bytes;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t asked, answered;
	uint64_t wanted, made; /* checkpoints asked for; answered */
	int code;              /* of the last */
	struct lg_error why;
	/* Whose partitions are to be adopted, 1 + its id; 0: nobody's, or it is done, and these say how. */
	unsigned adopt;
	int adopt_code;
	struct lg_error adopt_why;
	uint64_t dead_since_ns[LG_MAX_HOSTS]; /* of the keeper alone; 0: it is not dead */
};

#endif
