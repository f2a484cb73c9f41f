/* gang.h: the threads of one host's workers. They sleep until they are given a task, run it at the same time, and sleep
 * again; the coordinator goes on meanwhile, and can wait for them with a limit. */
#ifndef LIGER_BENCH_GANG_H
#define LIGER_BENCH_GANG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* A function type, not a struct: what every thread calls with its number. */
typedef void gang_task(void *arg, uint32_t index);

struct gang_thread {
	struct gang *gang;
	uint32_t index;
	int cpu; /* -1: not pinned */
	pthread_t thread;
};

struct gang {
	pthread_mutex_t mutex;
	pthread_cond_t given, done;
	struct gang_thread *thread;
	uint32_t size, running;
	uint64_t round; /* tasks given so far */
	gang_task *task;
	void *arg;
	bool quit;
};

/* Starts `size` threads; thread i is pinned to cpu[i] unless `cpu` is NULL. Returns 0 or an errno. */
int gang_open(struct gang *g, uint32_t size, const int *cpu);
/* Gives all threads a task; they must be idle. */
void gang_start(struct gang *g, gang_task *task, void *arg);
/* Waits at most `ms` for all of them to have done it. */
bool gang_wait(struct gang *g, uint32_t ms);
/* They must be idle. */
void gang_close(struct gang *g);

#endif
