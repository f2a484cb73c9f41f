/* tpcc_crash_test.c: a host of a running TPC-C is killed and comes back, and then the whole pod is lost and comes back: each
 * time the standard's twelve consistency conditions hold.
 *
 * Hosts are processes, which do the benchmark's own phases with its own code. The parent leads them through barriers: in a
 * check each step is begun by all hosts together.
 */
#include "common/pod_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tpcc/tpcc.h"

enum { HOSTS = 2 };

enum phase { PHASE_OPEN, PHASE_LOAD, PHASE_RUN, PHASE_CHECK, PHASE_CLOSE };

struct board {
	_Atomic uint64_t order; /* grows with each order of the parent: a phase, and its step */
	_Atomic uint32_t phase, step;
	_Atomic uint64_t done[HOSTS];    /* the order that the host has followed */
	_Atomic uint64_t commits[HOSTS]; /* of the host's life */
};

struct town {
	char uri[80], data[128];
	struct tpcc *tpcc;
	struct bench bench;
	uint64_t seed;
	struct board *board;
	pid_t pid[HOSTS];
};

static void nap(void)
{
	nanosleep(&(struct timespec){0, 500000}, NULL);
}

/* ---- In a host's process --------------------------------------------------------------------------------------------- */

static void die(uint32_t id, const char *what, const char *why)
{
	fprintf(stderr, "host %u: %s: %s\n", id, what, why);
	fflush(NULL);
	_exit(1);
}

static void must(uint32_t id, int code, const char *what, const char *why)
{
	if (code != LG_OK)
		die(id, what, why[0] != '\0' ? why : lg_strerror(code));
}

static void run_one(struct town *t, struct bench_worker *w)
{
	struct bench_outcome outcome = {0};
	uint32_t id = t->bench.host_id;
	bench_tpcc.transaction(w, &outcome);
	if (outcome.code == LG_OK)
		atomic_fetch_add(&t->board->commits[id], 1);
	else if (outcome.code == LG_UNAVAILABLE)
		nap(); /* the other host is away */
	else
		die(id, "a transaction", lg_strerror(outcome.code));
}

static void check_step(struct town *t, struct bench_worker *w, uint32_t step, struct bench_failures *failures)
{
	int code = bench_tpcc.check(w, step, true, failures);
	must(t->bench.host_id, code, "a check", w->failure);
	if (failures->count)
		die(t->bench.host_id, "a check", failures->text[0]);
}

static void host_open(struct town *t, struct bench_worker *w)
{
	struct lg_host_config config;
	struct lg_error err = {0};
	uint32_t id = t->bench.host_id;
	lg_host_config_init(&config);
	config.host_id = id;
	config.data = t->data;
	must(id, lg_host_open(t->uri, &config, &t->bench.host, &err), "lg_host_open", err.message);
	must(id, bench_tpcc.tables(&t->bench, &err), "tables", err.message);
	*w = (struct bench_worker){.bench = &t->bench, .global_index = id};
	must(id, lg_worker_open(t->bench.host, &w->worker, &err), "lg_worker_open", err.message);
	bench_random_seed(&w->random, t->seed + id + (uint64_t)getpid());
	must(id, bench_tpcc.worker_open(w), "worker_open", "");
	/* Rows of HISTORY are numbered by their worker: those of its earlier lives are there. */
	tpcc_state(w)->history_sequence = (uint64_t)getpid() << 32;
}

static void host_main(struct town *t, uint32_t id, uint64_t followed)
{
	static struct bench_worker worker;
	static struct bench_failures failures;
	struct board *board = t->board;
	struct lg_error err = {0};
	t->bench.host_id = id;
	host_open(t, &worker);
	for (enum phase phase = PHASE_OPEN; phase != PHASE_CLOSE;) {
		atomic_store(&board->done[id], followed);
		while (atomic_load(&board->order) == followed) {
			if (phase == PHASE_RUN)
				run_one(t, &worker);
			else
				lg_worker_poll(worker.worker);
		}
		followed = atomic_load(&board->order);
		phase = (enum phase)atomic_load(&board->phase);
		if (phase == PHASE_LOAD)
			must(id, bench_tpcc.load(&worker, &err), "load", err.message);
		else if (phase == PHASE_CHECK)
			check_step(t, &worker, atomic_load(&board->step), &failures);
	}
	bench_tpcc.worker_close(&worker);
	lg_worker_close(worker.worker);
	must(id, lg_host_close(t->bench.host), "lg_host_close", "");
	_exit(0);
}

/* ---- In the parent ----------------------------------------------------------------------------------------------------- */

static void start(struct town *t, uint32_t id)
{
	fflush(NULL);
	uint64_t followed = atomic_load(&t->board->order);
	atomic_store(&t->board->done[id], 0);
	atomic_store(&t->board->commits[id], 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	t->pid[id] = pid;
	if (pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
	host_main(t, id, followed);
}

static void expect_alive(const struct town *t)
{
	int status;
	for (uint32_t id = 0; id < HOSTS; id++)
		if (t->pid[id])
			assert_int_equal(waitpid(t->pid[id], &status, WNOHANG), 0);
}

static void await_done(const struct town *t)
{
	for (uint32_t id = 0; id < HOSTS; id++)
		while (atomic_load(&t->board->done[id]) != atomic_load(&t->board->order)) {
			expect_alive(t);
			nap();
		}
}

static void await_commits(const struct town *t, uint32_t id, uint64_t more)
{
	uint64_t from = atomic_load(&t->board->commits[id]);
	while (atomic_load(&t->board->commits[id]) < from + more) {
		expect_alive(t);
		nap();
	}
}

static void order(const struct town *t, enum phase phase, uint32_t step)
{
	atomic_store(&t->board->phase, phase);
	atomic_store(&t->board->step, step);
	atomic_fetch_add(&t->board->order, 1);
}

static void check_all(const struct town *t)
{
	for (uint32_t step = 0; step < bench_tpcc.check_steps; step++) {
		order(t, PHASE_CHECK, step);
		await_done(t);
	}
}

static void kill_host(struct town *t, uint32_t id)
{
	int status;
	assert_int_equal(kill(t->pid[id], SIGKILL), 0);
	assert_int_equal(waitpid(t->pid[id], &status, 0), t->pid[id]);
	assert_true(WIFSIGNALED(status));
	t->pid[id] = 0;
}

static void begin(struct town *t, enum lg_durability durability)
{
	struct lg_pod_config config;
	struct lg_error err;
	char name[64], why[400] = "";
	*t = (struct town){.seed = pod_seed()};
	t->tpcc = bench_tpcc.create();
	assert_non_null(t->tpcc);
	t->bench = (struct bench){.host_count = HOSTS, .workers_per_host = 1, .seed = 7, .workload = t->tpcc};
	lg_pod_config_init(&config);
	config.hosts = HOSTS;
	assert_true(bench_tpcc.configure(t->tpcc, &t->bench, &config, why, sizeof(why)));
	pod_private_name(name, sizeof(name));
	pod_private_directory(t->data, sizeof(t->data));
	snprintf(t->uri, sizeof(t->uri), "shm:%s", name);
	config.durability = durability;
	config.data = t->data;
	OK(lg_pod_create(t->uri, &config, &err));
	t->board = mmap(NULL, sizeof(*t->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(t->board != MAP_FAILED);
	for (uint32_t id = 0; id < HOSTS; id++)
		start(t, id);
	await_done(t);
	order(t, PHASE_LOAD, 0);
	await_done(t);
}

static void end(struct town *t)
{
	struct lg_error err;
	order(t, PHASE_CLOSE, 0);
	for (uint32_t id = 0; id < HOSTS; id++) {
		int status = 0;
		assert_int_equal(waitpid(t->pid[id], &status, 0), t->pid[id]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	bench_tpcc.destroy(t->tpcc);
	munmap(t->board, sizeof(*t->board));
	OK(lg_pod_destroy(t->uri, false, &err));
}

/* A host is killed while all run; the other goes on with what is its own; the first comes back. */
static void lose_a_host(struct town *t, uint32_t victim)
{
	order(t, PHASE_RUN, 0);
	await_commits(t, 0, 100);
	await_commits(t, 1, 100);
	kill_host(t, victim);
	await_commits(t, 1 - victim, 20);
	start(t, victim);
	while (atomic_load(&t->board->done[victim]) == 0) {
		expect_alive(t);
		nap();
	}
	order(t, PHASE_RUN, 0);
	await_commits(t, 0, 50);
	await_commits(t, 1, 50);
	check_all(t);
}

static void lose_the_pod(struct town *t)
{
	struct lg_error err;
	order(t, PHASE_RUN, 0);
	await_commits(t, 0, 100);
	await_commits(t, 1, 100);
	for (uint32_t id = 0; id < HOSTS; id++)
		kill_host(t, id);
	OK(lg_pod_destroy(t->uri, true, &err));
	int code = lg_pod_recover(t->uri, t->data, NULL, NULL, &err);
	if (code != LG_OK)
		fail_msg("lg_pod_recover: %d: %s", code, err.message);
	for (uint32_t id = 0; id < HOSTS; id++)
		start(t, id);
	await_done(t);
	check_all(t);
	order(t, PHASE_RUN, 0);
	await_commits(t, 0, 50);
	check_all(t);
}

static void its_conditions_hold_after_a_host_and_the_pod_were_lost(void **state)
{
	static struct town town;
	(void)state;
	begin(&town, LG_DURABILITY_DISK);
	lose_a_host(&town, (uint32_t)(town.seed % HOSTS));
	lose_the_pod(&town);
	end(&town);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(its_conditions_hold_after_a_host_and_the_pod_were_lost),
	};
	return cmocka_run_group_tests_name("tpcc crash", tests, NULL, NULL);
}
