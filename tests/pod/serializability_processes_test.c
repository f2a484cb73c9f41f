/* serializability_processes_test.c: histories of random transactions, each host a process of its own, judged by
 * tests/checker. The environment is that of serializability_inprocess_test.c.
 *
 * Parent and children keep step over pipes: a child writes a byte when it has finished a step, the parent writes one to
 * let it begin the next. A child that dies closes its pipe, so nobody waits for it. */
#include "common/pod_fixture.h"
#include "list_append.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_HOSTS   4
#define MAX_WORKERS 4

enum step { STEP_OPENED, STEP_LOADED, STEP_RAN, STEP_READ, STEP_COUNT };

struct child {
	pid_t pid;
	int to, from; /* the parent's ends */
};

struct pod_run {
	struct list_config config;
	char name[64], uri[80];
	FILE *history[MAX_HOSTS * MAX_WORKERS];
	struct child child[MAX_HOSTS];
};

/* ---- In a child ---------------------------------------------------------------------------------------------------- */

struct member {
	struct pod_run *run;
	uint32_t id;
	int in, out;
	struct lg_host *host;
	struct list_session session[MAX_WORKERS];
};

static void die(const struct member *m, const char *what, const char *why)
{
	fprintf(stderr, "host %u: %s: %s\n", m->id, what, why);
	fflush(NULL); /* the histories so far */
	_exit(1);
}

/* Tells the parent, and waits for it. */
static void keep_step(const struct member *m, enum step step)
{
	char byte = (char)('a' + step);
	if (write(m->out, &byte, 1) != 1 || read(m->in, &byte, 1) != 1)
		die(m, "pipe", "the parent is gone");
}

static void open_member(struct member *m)
{
	struct lg_host_config config;
	struct lg_error err;
	lg_host_config_init(&config);
	config.host_id = m->id;
	config.request_timeout_ms = 20000;
	if (lg_host_open(m->run->uri, &config, &m->host, &err) != LG_OK)
		die(m, "lg_host_open", err.message);
	for (uint32_t w = 0; w < m->run->config.workers; w++) {
		struct list_session *s = &m->session[w];
		uint32_t n = m->id * m->run->config.workers + w;
		s->config = &m->run->config;
		s->number = n + 1;
		s->history = m->run->history[n];
		if (list_tables(m->host, s->config, s->tables, &err) != LG_OK)
			die(m, "lg_table_create", err.message);
		if (lg_worker_open(m->host, &s->worker, &err) != LG_OK)
			die(m, "lg_worker_open", err.message);
		list_begin(s);
	}
}

static void *session_main(void *arg)
{
	list_run(arg);
	return NULL;
}

static void run_sessions(struct member *m)
{
	pthread_t threads[MAX_WORKERS];
	for (uint32_t w = 0; w < m->run->config.workers; w++) {
		if (pthread_create(&threads[w], NULL, session_main, &m->session[w]) != 0)
			die(m, "pthread_create", "no thread");
	}
	for (uint32_t w = 0; w < m->run->config.workers; w++)
		pthread_join(threads[w], NULL);
}

static void child_main(struct member *m)
{
	open_member(m);
	keep_step(m, STEP_OPENED);
	if (m->id == 0)
		list_load(&m->session[0]);
	keep_step(m, STEP_LOADED);
	run_sessions(m);
	keep_step(m, STEP_RAN);
	if (m->id == 1)
		list_read_all(&m->session[0]);
	keep_step(m, STEP_READ);
	uint64_t commits = 0;
	for (uint32_t w = 0; w < m->run->config.workers; w++) {
		list_end(&m->session[w]);
		commits += m->session[w].commits;
		if (m->session[w].failure[0] != '\0')
			die(m, "session", m->session[w].failure);
		if (lg_worker_close(m->session[w].worker) != LG_OK)
			die(m, "lg_worker_close", "failed");
	}
	if (commits < m->run->config.txns / 4)
		die(m, "session", "next to no transaction got through");
	if (lg_host_close(m->host) != LG_OK)
		die(m, "lg_host_close", "failed");
	_exit(0);
}

/* ---- In the parent ------------------------------------------------------------------------------------------------- */

static void start_child(struct pod_run *r, uint32_t id)
{
	static struct member member;
	int to[2], from[2];
	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* The ends of the others, and the parent's: else nobody would see that one has died. */
		for (uint32_t i = 0; i < id; i++) {
			close(r->child[i].to);
			close(r->child[i].from);
		}
		close(to[1]);
		close(from[0]);
		member = (struct member){.run = r, .id = id, .in = to[0], .out = from[1]};
		child_main(&member);
	}
	close(to[0]);
	close(from[1]);
	r->child[id] = (struct child){.pid = pid, .to = to[1], .from = from[0]};
}

/* Brings all children through one step. Returns false when one has died. */
static bool lead_step(struct pod_run *r)
{
	char byte = 'g';
	for (uint32_t id = 0; id < r->config.hosts; id++) {
		if (read(r->child[id].from, &byte, 1) != 1)
			return false;
	}
	for (uint32_t id = 0; id < r->config.hosts; id++) {
		if (write(r->child[id].to, &byte, 1) != 1)
			return false;
	}
	return true;
}

/* Ends them all; returns whether each ended well. */
static bool reap(struct pod_run *r, bool good)
{
	for (uint32_t id = 0; id < r->config.hosts; id++) {
		struct child *c = &r->child[id];
		int status = 0;
		close(c->to);
		if (!good)
			kill(c->pid, SIGKILL);
		if (waitpid(c->pid, &status, 0) != c->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			good = false;
		close(c->from);
	}
	return good;
}

/* 0: clean; 1: an anomaly; -1: a child failed. */
static int run_history(struct pod_run *r, const struct lg_pod_config *pod)
{
	struct lg_error err;
	uint32_t sessions = r->config.hosts * r->config.workers;
	pod_private_name(r->name, sizeof(r->name));
	snprintf(r->uri, sizeof(r->uri), "shm:%s", r->name);
	OK(lg_pod_create(r->uri, pod, &err));
	for (uint32_t i = 0; i < sessions; i++) {
		r->history[i] = tmpfile();
		assert_non_null(r->history[i]);
	}
	fflush(NULL);
	for (uint32_t id = 0; id < r->config.hosts; id++)
		start_child(r, id);
	bool good = true;
	for (int step = 0; step < STEP_COUNT && good; step++)
		good = lead_step(r);
	good = reap(r, good);
	OK(lg_pod_destroy(r->uri, true, &err));
	/* Of hosts that were killed a part of the history is missing: nothing to be judged. */
	int verdict = good ? list_judge(r->history, sessions) : -1;
	for (uint32_t i = 0; i < sessions; i++)
		fclose(r->history[i]);
	return verdict;
}

static void expect_serializable(const struct list_config *config, const struct lg_pod_config *pod, uint64_t rounds)
{
	static struct pod_run run;
	uint64_t seed = pod_seed();
	bool broken = list_expects_anomaly();
	int verdict = 0;
	signal(SIGPIPE, SIG_IGN);
	for (uint64_t i = 0; i < (broken ? LIST_ANOMALY_SEEDS : rounds) && verdict == 0; i++) {
		memset(&run, 0, sizeof(run));
		run.config = *config;
		run.config.txns = pod_scaled(config->txns);
		run.config.seed = seed + i;
		verdict = run_history(&run, pod);
		/* In a broken build a session may fail instead, by a row that is not what it was: that counts as caught. */
		if (broken && verdict == -1)
			verdict = 1;
	}
	if (verdict != (broken ? 1 : 0))
		fail_msg("SEED=%llu: %s", (unsigned long long)run.config.seed,
		        broken        ? "the broken build was not caught"
		        : verdict < 0 ? "a host failed"
		                      : "the history is not serializable");
}

static void two_processes_are_serializable(void **state)
{
	struct list_config config = {.hosts = 2, .workers = 2, .txns = 2000, .keys = {200, 200, 6}, .max_pad = 300};
	struct lg_pod_config pod;
	(void)state;
	pod_config_small(&pod, config.hosts);
	expect_serializable(&config, &pod, 2);
}

static void four_processes_on_hot_rows_are_serializable(void **state)
{
	struct list_config config = {.hosts = 4, .workers = 1, .txns = 1500, .keys = {30, 30, 4}, .max_pad = 100};
	struct lg_pod_config pod;
	(void)state;
	pod_config_small(&pod, config.hosts);
	pod.epoch_ms = 1;
	expect_serializable(&config, &pod, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(two_processes_are_serializable),
	        cmocka_unit_test(four_processes_on_hot_rows_are_serializable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
