/* serializability_inprocess_test.c: histories of random transactions, several hosts and threads in one process, judged by
 * tests/checker. Takes SEED, LG_TEST_SCALE (percent), LG_EXPECT_ANOMALY=1 (for builds that are broken on purpose: passes
 * only if an anomaly is found) and LG_TEST_HISTORY_DIR (where to keep a history that has one). */
#include "common/pod_fixture.h"
#include "list_append.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SESSIONS 16

struct run {
	struct list_config config;
	char name[64], uri[80];
	struct lg_host *host[POD_FIXTURE_HOSTS];
	struct list_session session[MAX_SESSIONS];
	FILE *history[MAX_SESSIONS];
	uint32_t session_count;
	struct lg_stats stats[POD_FIXTURE_HOSTS];
};

static void open_session(struct run *r, uint32_t host)
{
	struct lg_error err;
	uint32_t n = r->session_count++;
	struct list_session *s = &r->session[n];
	assert_true(n < MAX_SESSIONS);
	memset(s, 0, sizeof(*s));
	r->history[n] = tmpfile();
	assert_non_null(r->history[n]);
	s->config = &r->config;
	s->number = n + 1;
	s->history = r->history[n];
	OK(list_tables(r->host[host], &r->config, s->tables, &err));
	OK(lg_worker_open(r->host[host], &s->worker, &err));
	list_begin(s);
}

static void open_run(struct run *r, const struct lg_pod_config *pod)
{
	struct lg_error err;
	pod_private_name(r->name, sizeof(r->name));
	snprintf(r->uri, sizeof(r->uri), "shm:%s", r->name);
	int code = lg_pod_create(r->uri, pod, &err);
	if (code != LG_OK)
		fail_msg("lg_pod_create: %s", err.message);
	for (uint32_t id = 0; id < r->config.hosts; id++) {
		struct lg_host_config config;
		lg_host_config_init(&config);
		config.host_id = id;
		config.request_timeout_ms = 20000;
		code = lg_host_open(r->uri, &config, &r->host[id], &err);
		if (code != LG_OK)
			fail_msg("lg_host_open: %s", err.message);
	}
	for (uint32_t i = 0; i < r->config.hosts * r->config.workers; i++)
		open_session(r, i % r->config.hosts);
}

static void close_run(struct run *r)
{
	struct lg_error err;
	for (uint32_t i = 0; i < r->session_count; i++)
		OK(lg_worker_close(r->session[i].worker));
	for (uint32_t id = 0; id < r->config.hosts; id++) {
		lg_host_stats(r->host[id], &r->stats[id]);
		OK(lg_host_close(r->host[id]));
	}
	OK(lg_pod_destroy(r->uri, false, &err));
}

static void *session_main(void *arg)
{
	list_run(arg);
	return NULL;
}

/* Runs a history and judges it: 0 clean, 1 anomaly. */
static int run_history(struct run *r, const struct lg_pod_config *pod)
{
	pthread_t threads[MAX_SESSIONS];
	uint64_t commits = 0, conflicts = 0, refusals = 0, moved_in = 0, moved_out = 0;
	open_run(r, pod);
	list_load(&r->session[0]);
	for (uint32_t i = 0; i < r->session_count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, session_main, &r->session[i]), 0);
	for (uint32_t i = 0; i < r->session_count; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	list_read_all(&r->session[1]);
	for (uint32_t i = 0; i < r->session_count; i++) {
		list_end(&r->session[i]);
		commits += r->session[i].commits;
		conflicts += r->session[i].conflicts;
		refusals += r->session[i].refusals;
	}
	close_run(r);
	for (uint32_t id = 0; id < r->config.hosts; id++) {
		moved_in += r->stats[id].moved_in;
		moved_out += r->stats[id].moved_out;
	}
	print_message("seed %llu: %llu commits, %llu conflicts, %llu without space, %llu rows moved in, %llu out\n",
	        (unsigned long long)r->config.seed, (unsigned long long)commits, (unsigned long long)conflicts,
	        (unsigned long long)refusals, (unsigned long long)moved_in, (unsigned long long)moved_out);
	int verdict = list_judge(r->history, r->session_count);
	for (uint32_t i = 0; i < r->session_count; i++) {
		fclose(r->history[i]);
		/* A broken build may break a row's contents too, which is an anomaly by itself. */
		if (r->session[i].failure[0] != '\0') {
			print_error("%s\n", r->session[i].failure);
			verdict = verdict == 0 ? 1 : verdict;
		}
	}
	assert_true(commits > r->config.txns / 4);
	return verdict;
}

static void expect_serializable(const struct list_config *config, const struct lg_pod_config *pod, uint64_t rounds)
{
	static struct run run;
	uint64_t seed = pod_seed();
	bool broken = list_expects_anomaly();
	int verdict = 0;
	for (uint64_t i = 0; i < (broken ? LIST_ANOMALY_SEEDS : rounds) && verdict == 0; i++) {
		memset(&run, 0, sizeof(run));
		run.config = *config;
		run.config.txns = pod_scaled(config->txns);
		run.config.seed = seed + i;
		verdict = run_history(&run, pod);
	}
	if (verdict != (broken ? 1 : 0))
		fail_msg("SEED=%llu: %s", (unsigned long long)run.config.seed,
		        broken ? "the broken build was not caught" : "the history is not serializable");
}

static void two_hosts_are_serializable(void **state)
{
	struct list_config config = {.hosts = 2, .workers = 2, .txns = 1500, .keys = {200, 200, 6}, .max_pad = 300};
	struct lg_pod_config pod;
	(void)state;
	pod_config_small(&pod, config.hosts);
	expect_serializable(&config, &pod, 3);
}

static void four_hosts_on_hot_rows_are_serializable(void **state)
{
	struct list_config config = {.hosts = 4, .workers = 1, .txns = 1500, .keys = {30, 30, 4}, .max_pad = 100};
	struct lg_pod_config pod;
	(void)state;
	pod_config_small(&pod, config.hosts);
	pod.epoch_ms = 1;
	expect_serializable(&config, &pod, 3);
}

/* Rows are larger than what the parts hold, so they move in and out all the time. */
static void rows_that_move_in_and_out_are_serializable(void **state)
{
	struct list_config config = {
	        .hosts = 2, .workers = 2, .txns = 1500, .keys = {4000, 4000, 10}, .max_pad = 7000, .fixed_pad = true};
	struct lg_pod_config pod;
	struct lg_error err;
	char name[64], uri[80];
	int code = LG_NOSPACE;
	(void)state;
	pod_config_small(&pod, config.hosts);
	pod.epoch_ms = 1;
	pod.hwcc_bytes = UINT64_C(2) << 20;
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	for (pod.swcc_bytes = 0; code == LG_NOSPACE;) {
		pod.swcc_bytes += UINT64_C(2) << 20;
		code = lg_pod_create(uri, &pod, &err);
	}
	OK(code);
	OK(lg_pod_destroy(uri, true, &err));
	pod.swcc_bytes += UINT64_C(14) << 20;
	expect_serializable(&config, &pod, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(two_hosts_are_serializable),
	        cmocka_unit_test(four_hosts_on_hot_rows_are_serializable),
	        cmocka_unit_test(rows_that_move_in_and_out_are_serializable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
