/* town.c: see town.h. */
#include "town.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../common/ticks.h"

double town_ms(const struct town *t)
{
	return (double)(monotonic_ns() - t->board->began_ns) / 1e6;
}

void town_nap(void)
{
	nanosleep(&(struct timespec){0, 500000}, NULL);
}

void town_die(const char *who, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", who, what, why);
	fflush(NULL);
	_exit(1);
}

/* ---- In a host's process --------------------------------------------------------------------------------------------- */

static void must(uint32_t id, int code, const char *what, const char *why)
{
	char who[16];
	snprintf(who, sizeof(who), "host %u", id);
	if (code != LG_OK)
		town_die(who, what, why[0] != '\0' ? why : lg_strerror(code));
}

static void run_one(struct town *t, struct bench_worker *w)
{
	struct bench_outcome outcome = {0};
	struct town_host *mine = &t->board->host[t->bench.host_id];
	bench_tpcc.transaction(w, &outcome);
	if (outcome.code == LG_OK) {
		atomic_fetch_add(&mine->commits, 1);
		atomic_fetch_add(&mine->in_ms[(uint64_t)town_ms(t) % TOWN_MS], 1);
	} else if (outcome.code == LG_UNAVAILABLE) {
		atomic_fetch_add(&mine->refusals, 1);
	} else {
		must(t->bench.host_id, outcome.code, "a transaction", "");
	}
}

static void check_step(struct town *t, struct bench_worker *w, uint32_t step, struct bench_failures *failures)
{
	int code = bench_tpcc.check(w, step, true, failures);
	must(t->bench.host_id, code, "a check", w->failure);
	if (failures->count)
		must(t->bench.host_id, LG_CORRUPT, "a check", failures->text[0]);
}

static void host_open(struct town *t, struct bench_worker *w)
{
	struct lg_host_config config;
	struct lg_stats stats;
	struct lg_error err = {0};
	uint32_t id = t->bench.host_id;
	struct town_host *mine = &t->board->host[id];
	lg_host_config_init(&config);
	config.host_id = id;
	config.data = t->data;
	if (t->lease_ms)
		config.lease_ms = t->lease_ms;
	uint64_t from = monotonic_ns();
	must(id, lg_host_open(t->uri, &config, &t->bench.host, &err), "lg_host_open", err.message);
	atomic_store(&mine->open_ns, monotonic_ns() - from);
	lg_host_stats(t->bench.host, &stats);
	atomic_store(&mine->rows_rebuilt, stats.rows_rebuilt);
	atomic_store(&mine->rebuild_bytes, stats.rebuild_bytes);
	must(id, bench_tpcc.tables(&t->bench, &err), "tables", err.message);
	*w = (struct bench_worker){.bench = &t->bench, .global_index = id};
	must(id, lg_worker_open(t->bench.host, &w->worker, &err), "lg_worker_open", err.message);
	bench_random_seed(&w->random, t->seed + id + (uint64_t)getpid());
	must(id, bench_tpcc.worker_open(w), "worker_open", "");
	/* Rows of HISTORY are numbered by their worker: those of its earlier lives are there. */
	tpcc_state(w)->history_sequence = (uint64_t)getpid() << 32;
}

static _Noreturn void host_main(struct town *t, uint32_t id, uint64_t followed)
{
	static struct bench_worker worker;
	static struct bench_failures failures;
	struct town_board *board = t->board;
	struct lg_error err = {0};
	t->bench.host_id = id;
	host_open(t, &worker);
	for (enum town_phase phase = TOWN_OPEN; phase != TOWN_CLOSE;) {
		atomic_store(&board->host[id].done, followed);
		while (atomic_load(&board->order) == followed) {
			if (phase == TOWN_RUN)
				run_one(t, &worker);
			else
				lg_worker_poll(worker.worker);
		}
		followed = atomic_load(&board->order);
		phase = (enum town_phase)atomic_load(&board->phase);
		if (phase == TOWN_LOAD)
			must(id, bench_tpcc.load(&worker, &err), "load", err.message);
		else if (phase == TOWN_CHECK)
			check_step(t, &worker, atomic_load(&board->step), &failures);
	}
	bench_tpcc.worker_close(&worker);
	lg_worker_close(worker.worker);
	must(id, lg_host_close(t->bench.host), "lg_host_close", "");
	_exit(0);
}

/* ---- In the parent ----------------------------------------------------------------------------------------------------- */

void town_start(struct town *t, uint32_t id)
{
	fflush(NULL);
	uint64_t followed = atomic_load(&t->board->order);
	atomic_store(&t->board->host[id].done, 0);
	atomic_store(&t->board->host[id].commits, 0);
	atomic_store(&t->board->host[id].refusals, 0);
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		town_die("town", "fork", "no process for a host");
	t->pid[id] = pid;
	if (pid > 0)
		return;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	host_main(t, id, followed);
}

void town_expect_alive(const struct town *t)
{
	int status;
	for (uint32_t id = 0; id < TOWN_HOSTS; id++)
		if (t->pid[id] && waitpid(t->pid[id], &status, WNOHANG) != 0)
			town_die("town", "a host's process has ended", "it has said why, or was killed");
}

bool town_is_open(const struct town *t, uint32_t host)
{
	return atomic_load(&t->board->host[host].done) != 0;
}

void town_await(const struct town *t)
{
	for (uint32_t id = 0; id < TOWN_HOSTS; id++)
		while (t->pid[id] && atomic_load(&t->board->host[id].done) != atomic_load(&t->board->order)) {
			town_expect_alive(t);
			town_nap();
		}
}

void town_await_commits(const struct town *t, uint32_t id, uint64_t more)
{
	uint64_t from = atomic_load(&t->board->host[id].commits);
	while (atomic_load(&t->board->host[id].commits) < from + more) {
		town_expect_alive(t);
		town_nap();
	}
}

void town_order(const struct town *t, enum town_phase phase, uint32_t step)
{
	atomic_store(&t->board->phase, phase);
	atomic_store(&t->board->step, step);
	atomic_fetch_add(&t->board->order, 1);
}

void town_check(const struct town *t)
{
	for (uint32_t step = 0; step < bench_tpcc.check_steps; step++) {
		town_order(t, TOWN_CHECK, step);
		town_await(t);
	}
}

void town_kill(struct town *t, uint32_t id)
{
	int status;
	if (kill(t->pid[id], SIGKILL) != 0 || waitpid(t->pid[id], &status, 0) != t->pid[id] || !WIFSIGNALED(status))
		town_die("town", "kill", "the host had ended by itself");
	t->pid[id] = 0;
}

void town_begin(struct town *t, enum lg_durability durability, uint32_t warehouses)
{
	struct lg_pod_config config;
	struct lg_error err;
	char number[16], why[400] = "";
	t->tpcc = bench_tpcc.create();
	t->bench = (struct bench){.host_count = TOWN_HOSTS, .workers_per_host = 1, .seed = 7, .workload = t->tpcc};
	lg_pod_config_init(&config);
	config.hosts = TOWN_HOSTS;
	snprintf(number, sizeof(number), "%u", warehouses);
	if (!t->tpcc || !bench_tpcc.set(t->tpcc, "--warehouses", number, why, sizeof(why)) ||
	        !bench_tpcc.configure(t->tpcc, &t->bench, &config, why, sizeof(why)))
		town_die("town", "TPC-C", t->tpcc ? why : "no memory");
	config.durability = durability;
	config.data = t->data;
	if (lg_pod_create(t->uri, &config, &err) != LG_OK)
		town_die("town", "lg_pod_create", err.message);
	t->board = mmap(NULL, sizeof(*t->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->board == MAP_FAILED)
		town_die("town", "mmap", "no memory");
	t->board->began_ns = monotonic_ns();
	atomic_store(&t->board->order, 1);
	for (uint32_t id = 0; id < TOWN_HOSTS; id++)
		town_start(t, id);
	town_await(t);
	town_order(t, TOWN_LOAD, 0);
	town_await(t);
}

void town_end(struct town *t)
{
	struct lg_error err;
	town_order(t, TOWN_CLOSE, 0);
	for (uint32_t id = 0; id < TOWN_HOSTS; id++) {
		int status = 0;
		if (t->pid[id] && (waitpid(t->pid[id], &status, 0) != t->pid[id] || status != 0))
			town_die("town", "a host's process", "did not leave in order");
	}
	bench_tpcc.destroy(t->tpcc);
	munmap(t->board, sizeof(*t->board));
	if (lg_pod_destroy(t->uri, false, &err) != LG_OK)
		town_die("town", "lg_pod_destroy", err.message);
}
