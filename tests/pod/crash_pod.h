/* crash_pod.h: a pod with a data directory whose hosts are processes that are killed and come back, for the tests of tests/fault.
 *
 * In each host's process two clients work, each on a thread and a worker of its own:
 *   lists   the random transactions of list_append.h; each life of a host writes a history, and tests/checker judges all
 *           of them together, across all crashes
 *   bank    moves money between accounts, counts its moves in a row of its own host, and now and then reads all accounts:
 *           their sum never changes
 * A client is told of a commit, also of one that only read, when it returns, or, with `on_disk`, when its ticket is durable.
 * What it was told of must be there after every crash: the count of the bank at least, and in the histories all of it.
 *
 * The parent uses cmocka; what goes wrong in a host's process ends that with exit code 1, which the parent notices.
 */
#ifndef LIGER_TESTS_POD_CRASH_POD_H
#define LIGER_TESTS_POD_CRASH_POD_H

#include "common/pod_fixture.h"
#include "pod/list_append.h"

#include <sys/types.h>

#define CRASH_MAX_HOSTS 3
#define CRASH_MAX_LIVES 256 /* of all hosts together */

/* Between the processes. */
struct crash_board {
	atomic_bool stop, loaded, checked;
	atomic_uint opened, stopped, read; /* hosts of this life of the pod, once each */
	_Atomic uint64_t opens[CRASH_MAX_HOSTS], commits[CRASH_MAX_HOSTS], recoveries[CRASH_MAX_HOSTS];
	_Atomic uint64_t acknowledged; /* the greatest epoch that any client was told of */
	_Atomic uint64_t
	        moves[CRASH_MAX_HOSTS]; /* the count that the bank's client was told of, or has read and was told of */
	_Atomic uint64_t refusals[CRASH_MAX_HOSTS]; /* rows of hosts that were away */
};

struct crash_pod {
	uint32_t hosts;
	enum lg_durability durability;
	bool on_disk;            /* clients are told when it is durable */
	bool outages;            /* hosts die one by one: rows may be away for a while */
	struct list_config list; /* without hosts, workers */
	char uri[80], data[128];
	struct crash_board *board;
	pid_t pid[CRASH_MAX_HOSTS];
	FILE *history[CRASH_MAX_LIVES], *acks[CRASH_MAX_LIVES];
	uint32_t histories, settled;
	uint64_t random;
};

/* hosts, durability, on_disk and outages are set. Makes the pod, no host. */
void crash_pod_create(struct crash_pod *p, uint64_t seed);
/* A host's process begins. Those of one life of the pod wait for each other, unless there are outages. */
void crash_pod_start(struct crash_pod *p, uint32_t host);
void crash_pod_kill(struct crash_pod *p, uint32_t host);
/* All at once, in any order. */
void crash_pod_kill_all(struct crash_pod *p);
/* All end in order, after host 0 has read all rows. */
void crash_pod_stop_all(struct crash_pod *p);

/* Ends what waits for the last life of the pod: the next begins with crash_pod_start() of all hosts. */
void crash_pod_new_life(struct crash_pod *p);

/* Fails if a process has ended that was not killed. */
void crash_pod_expect_alive(struct crash_pod *p);
/* Waits until the condition holds, or fails as above. */
#define CRASH_POD_AWAIT(p, condition)                                                                                  \
	while (!(condition)) {                                                                                         \
		crash_pod_expect_alive(p);                                                                             \
		crash_pod_nap();                                                                                       \
	}
void crash_pod_nap(void);
/* Until the host has committed so many more. */
void crash_pod_await_commits(struct crash_pod *p, uint32_t host, uint64_t more);
/* A moment between 0 and so many microseconds: of a kill. */
void crash_pod_random_moment(struct crash_pod *p, uint64_t most_us);

/* The pod's region contradicts itself nowhere. */
void crash_pod_expect_clean(const struct crash_pod *p);

/* Of what was committed since the last call, that of epochs up to `limit` counts, and nothing else has happened. Returns the
 * greatest epoch that a client was told of. */
uint64_t crash_pod_settle(struct crash_pod *p, uint64_t limit);
/* The checker's verdict, as list_judge(). */
int crash_pod_judge(struct crash_pod *p);
/* Removes it all. */
void crash_pod_destroy(struct crash_pod *p);

#endif
