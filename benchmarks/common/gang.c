/* gang.c: threads that wait for tasks (gang.h). */
#include "gang.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	int code = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	/* The run is right without it, only less steady. */
	if (code != 0)
		fprintf(stderr, "liger bench: cannot pin a worker to CPU %d: %s; it runs unpinned\n", cpu,
		        strerror(code));
}

static void *thread_main(void *arg)
{
	struct gang_thread *t = arg;
	struct gang *g = t->gang;
	uint64_t done = 0;

	if (t->cpu >= 0)
		pin_to(t->cpu);
	pthread_mutex_lock(&g->mutex);
	for (;;) {
		while (g->round == done && !g->quit)
			pthread_cond_wait(&g->given, &g->mutex);
		if (g->quit)
			break;
		done = g->round;
		pthread_mutex_unlock(&g->mutex);
		g->task(g->arg, t->index);
		pthread_mutex_lock(&g->mutex);
		if (--g->running == 0)
			pthread_cond_signal(&g->done);
	}
	pthread_mutex_unlock(&g->mutex);
	return NULL;
}

/* The limit of gang_wait() is a length of time: it must not jump with the wall clock. */
static int init_locks(struct gang *g)
{
	pthread_condattr_t attributes;
	int code = pthread_condattr_init(&attributes);

	if (code != 0)
		return code;
	code = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	if (code == 0)
		code = pthread_cond_init(&g->done, &attributes);
	pthread_condattr_destroy(&attributes);
	if (code == 0)
		code = pthread_cond_init(&g->given, NULL);
	if (code == 0)
		code = pthread_mutex_init(&g->mutex, NULL);
	return code;
}

int gang_open(struct gang *g, uint32_t size, const int *cpu)
{
	int code;

	memset(g, 0, sizeof(*g));
	code = init_locks(g);
	if (code != 0)
		return code;
	g->thread = calloc(size, sizeof(*g->thread));
	if (!g->thread)
		return ENOMEM;
	for (uint32_t i = 0; i < size; i++) {
		struct gang_thread *t = &g->thread[i];

		t->gang = g;
		t->index = i;
		t->cpu = cpu ? cpu[i] : -1;
		code = pthread_create(&t->thread, NULL, thread_main, t);
		if (code != 0) {
			gang_close(g);
			return code;
		}
		g->size++;
	}
	return 0;
}

void gang_start(struct gang *g, gang_task *task, void *arg)
{
	pthread_mutex_lock(&g->mutex);
	assert(g->running == 0 && !g->quit);
	g->task = task;
	g->arg = arg;
	g->running = g->size;
	g->round++;
	pthread_cond_broadcast(&g->given);
	pthread_mutex_unlock(&g->mutex);
}

bool gang_wait(struct gang *g, uint32_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&g->mutex);
	while (g->running > 0 && pthread_cond_timedwait(&g->done, &g->mutex, &until) != ETIMEDOUT)
		;
	bool done = g->running == 0;
	pthread_mutex_unlock(&g->mutex);
	return done;
}

void gang_close(struct gang *g)
{
	pthread_mutex_lock(&g->mutex);
	assert(g->running == 0);
	g->quit = true;
	pthread_cond_broadcast(&g->given);
	pthread_mutex_unlock(&g->mutex);
	for (uint32_t i = 0; i < g->size; i++)
		pthread_join(g->thread[i].thread, NULL);
	free(g->thread);
	pthread_cond_destroy(&g->given);
	pthread_cond_destroy(&g->done);
	pthread_mutex_destroy(&g->mutex);
}
