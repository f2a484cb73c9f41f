/* gang.c: see gang.h. The children share a page with the parent: which seed is next, which each is at, what they found. */
#include "gang.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 5 };

struct slot {
	pid_t pid;
	int errors; /* what it writes to standard error */
	_Atomic uint64_t seed, since_ns;
	struct sim_counts counts; /* of its children one after the other, by them */
};

struct board {
	_Atomic uint64_t next;
	atomic_bool stop;
	atomic_uint failures;
	struct sim_result failed[GANG_FAILURES];
	struct slot slots[GANG_MOST_JOBS];
};

static uint64_t now_ns(void)
{
	struct timespec t;
	int failed = clock_gettime(CLOCK_MONOTONIC, &t);
	return failed ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *share(size_t bytes)
{
	void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED) {
		perror("liger sim: no memory to share with child processes");
		return NULL;
	}
	return shared;
}

static void keep(struct board *board, const struct sim_result *result, bool keep_going)
{
	unsigned at = atomic_fetch_add(&board->failures, 1);
	if (at < GANG_FAILURES)
		board->failed[at] = *result;
	if (!keep_going)
		atomic_store(&board->stop, true);
}

static void child(struct board *board, struct slot *slot, const struct gang_config *config, uint64_t *traces)
{
	const struct sim_options *options = config->options;
	static struct sim_result result;
	while (!atomic_load(&board->stop)) {
		uint64_t seed = atomic_fetch_add(&board->next, 1);
		struct sim_case c;
		if (seed > options->last || seed < options->first)
			break;
		atomic_store(&slot->since_ns, now_ns());
		atomic_store(&slot->seed, seed);
		sim_case_of(options, seed, &c);
		sim_run(&c, NULL, false, &result);
		sim_counts_add(&slot->counts, &result.counts);
		if (traces)
			traces[seed - options->first] = result.trace;
		if (result.failed)
			keep(board, &result, config->keep_going);
		atomic_store(&slot->seed, 0);
	}
	_exit(0);
}

/* A child with its errors in a file of memory. -1: there is none. */
static pid_t begin_child(int *errors)
{
	*errors = memfd_create("liger-sim-errors", MFD_CLOEXEC);
	if (*errors < 0) {
		perror("liger sim: memfd_create");
		return -1;
	}
	fflush(NULL);
	pid_t parent = getpid(), pid = fork();
	if (pid < 0) {
		perror("liger sim: fork");
		close(*errors);
	}
	if (pid != 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || dup2(*errors, STDERR_FILENO) < 0)
		_exit(1);
	return 0;
}

/* What a child that did not end by itself leaves. */
static void tell_death(struct sim_result *result, uint64_t seed, int status, int errors, bool hung)
{
	char text[1200];
	off_t end = lseek(errors, 0, SEEK_END);
	off_t from = end > (off_t)sizeof text - 1 ? end - (off_t)(sizeof text - 1) : 0;
	ssize_t bytes = pread(errors, text, sizeof text - 1, from);
	text[bytes > 0 ? bytes : 0] = '\0';
	*result = (struct sim_result){.seed = seed};
	if (hung)
		sim_fail(result, "hang", "no end after %d s", GANG_SEED_SECONDS);
	else if (WIFSIGNALED(status))
		sim_fail(result, WTERMSIG(status) == SIGABRT ? "assertion" : "signal", "%s: %s",
		        strsignal(WTERMSIG(status)), text);
	else
		sim_fail(result, "exit", "exit code %d: %s", WEXITSTATUS(status), text);
}

static bool start(struct board *board, struct slot *slot, const struct gang_config *config, uint64_t *traces)
{
	atomic_store(&slot->seed, 0);
	pid_t pid = begin_child(&slot->errors);
	if (pid == 0)
		child(board, slot, config, traces);
	slot->pid = pid > 0 ? pid : 0; /* the parent's alone to write */
	return pid > 0;
}

/* Looks at one child. False: it has ended, and nobody is in its place. */
static bool look(struct board *board, struct slot *slot, const struct gang_config *config, uint64_t *traces)
{
	int status;
	uint64_t seed = atomic_load(&slot->seed);
	bool hung = seed != 0 && now_ns() > atomic_load(&slot->since_ns) + GANG_SEED_SECONDS * UINT64_C(1000000000);
	if (hung)
		kill(slot->pid, SIGKILL);
	pid_t ended = waitpid(slot->pid, &status, hung ? 0 : WNOHANG);
	if (ended == 0 || (ended < 0 && errno == EINTR))
		return true;
	bool well = ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!well) {
		static struct sim_result result;
		tell_death(&result, atomic_load(&slot->seed), status, slot->errors, hung);
		keep(board, &result, config->keep_going);
	}
	close(slot->errors);
	slot->pid = 0;
	return !well && config->keep_going && start(board, slot, config, traces);
}

static int by_seed(const void *a, const void *b)
{
	const struct sim_result *x = a, *y = b;
	return x->seed < y->seed ? -1 : x->seed > y->seed;
}

static void sum_up(struct board *board, unsigned jobs, struct gang_summary *summary)
{
	unsigned failures = atomic_load(&board->failures);
	summary->failure_count = failures < GANG_FAILURES ? failures : GANG_FAILURES;
	memcpy(summary->failures, board->failed, summary->failure_count * sizeof board->failed[0]);
	qsort(summary->failures, summary->failure_count, sizeof summary->failures[0], by_seed);
	for (unsigned i = 0; i < jobs; i++)
		sim_counts_add(&summary->counts, &board->slots[i].counts);
}

static void watch(struct board *board, const struct gang_config *config, unsigned jobs, uint64_t *traces)
{
	uint64_t began = now_ns();
	for (bool any = true; any;) {
		any = false;
		for (unsigned i = 0; i < jobs; i++)
			if (board->slots[i].pid)
				any |= look(board, &board->slots[i], config, traces);
		if (config->most_seconds > 0 && (double)(now_ns() - began) > config->most_seconds * 1e9)
			atomic_store(&board->stop, true);
		(void)poll(NULL, 0, any ? LOOK_MS : 0);
	}
}

bool gang_run(const struct gang_config *config, struct gang_summary *summary)
{
	const struct sim_options *options = config->options;
	uint64_t count = options->last - options->first + 1, began = now_ns();
	unsigned jobs = config->jobs < GANG_MOST_JOBS ? config->jobs : GANG_MOST_JOBS;
	if (jobs > count)
		jobs = (unsigned)count;
	memset(summary, 0, sizeof *summary);
	struct board *board = share(sizeof *board);
	uint64_t *traces = config->keep_traces ? share(count * sizeof *traces) : NULL;
	if (!board || (config->keep_traces && !traces))
		return false;
	atomic_store(&board->next, options->first);
	bool begun = false;
	for (unsigned i = 0; i < jobs; i++)
		begun |= start(board, &board->slots[i], config, traces);
	watch(board, config, jobs, traces);
	sum_up(board, jobs, summary);
	summary->seconds = (double)(now_ns() - began) / 1e9;
	if (traces && count > 0 && (summary->traces = malloc(count * sizeof *traces)))
		memcpy(summary->traces, traces, count * sizeof *traces);
	if (traces)
		munmap(traces, count * sizeof *traces);
	munmap(board, sizeof *board);
	return begun;
}

void gang_run_one(const struct sim_case *c, enum gang_trace trace, struct sim_result *result)
{
	struct sim_result *shared = share(sizeof *shared);
	int status = 0, errors;
	*result = (struct sim_result){.seed = c->world.seed};
	if (!shared) {
		sim_fail(result, "child", "no memory");
		return;
	}
	pid_t pid = begin_child(&errors);
	if (pid == 0) {
		/* By lines: what was traced until a child ends in the middle is what is wanted. */
		setvbuf(stdout, NULL, trace == GANG_ACCESSES ? _IOFBF : _IOLBF, 1 << 16);
		sim_run(c, trace == GANG_NO_TRACE ? NULL : stdout, trace == GANG_ACCESSES, shared);
		fflush(stdout);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		*result = *shared;
	else if (pid > 0)
		tell_death(result, c->world.seed, status, errors, false);
	else
		sim_fail(result, "child", "it could not be started");
	if (pid > 0)
		close(errors);
	munmap(shared, sizeof *shared);
}
