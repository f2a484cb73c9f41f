/* api_overload_inprocess_test.c: how many transactions of a host run at once, and how often one can lose. */
#include "common/pod_fixture.h"

#include <sched.h>
#include <string.h>
#include <time.h>

enum { THREADS = 8, GAVE_UP = 1000 };

static struct pod_fixture *open_pod(uint32_t max_running, uint32_t epoch_ms)
{
	struct lg_pod_config config;
	struct lg_host_config host_config;
	pod_config_small(&config, 2);
	lg_host_config_init(&host_config);
	config.epoch_ms = epoch_ms;
	host_config.max_workers = LG_MAX_WORKERS;
	host_config.max_running = max_running;
	return pod_open(&config, &host_config, 2);
}

static struct lg_stats stats_of(const struct lg_host *host)
{
	struct lg_stats stats;
	lg_host_stats(host, &stats);
	return stats;
}

/* ---- The gate ------------------------------------------------------------------------------------------------------ */

struct crowd {
	struct pod_fixture *f;
	atomic_uint running, most, began;
	uint64_t runs;
};

struct member {
	struct crowd *crowd;
	struct lg_worker *worker;
	uint64_t row;
	pthread_t thread;
	int code;
};

static void note_most(struct crowd *c)
{
	unsigned now = atomic_fetch_add(&c->running, 1) + 1, most = atomic_load(&c->most);
	while (most < now && !atomic_compare_exchange_weak(&c->most, &most, now))
		;
}

/* Adds one to a number of its own, and gives the others every opportunity in the middle of it. */
static int count_body(struct lg_txn *txn, void *arg)
{
	struct member *m = arg;
	void *val;
	size_t bytes;
	note_most(m->crowd);
	int code = lg_edit(txn, m->crowd->f->rows[0], pod_key_on(0, m->row), &val, &bytes);
	for (int i = 0; i < 10; i++)
		sched_yield();
	if (code == LG_OK) {
		uint64_t n;
		memcpy(&n, val, sizeof(n));
		n++;
		memcpy(val, &n, sizeof(n));
	}
	atomic_fetch_sub(&m->crowd->running, 1);
	return code;
}

static void *count_main(void *arg)
{
	struct member *m = arg;
	/* All of them are there before one begins, and some stay longer than others. */
	atomic_fetch_add(&m->crowd->began, 1);
	while (atomic_load(&m->crowd->began) < THREADS)
		sched_yield();
	for (uint64_t i = 0; i < m->crowd->runs && m->code == LG_OK; i++)
		m->code = lg_run(m->worker, count_body, m);
	return NULL;
}

static void no_more_than_max_running_attempts_run_at_once(void **state)
{
	struct pod_fixture *f = open_pod(2, 10);
	struct crowd crowd = {.f = f, .runs = pod_scaled(2000)};
	struct member members[THREADS];
	uint64_t zero = 0;
	struct lg_slice val;
	*state = f;
	for (uint64_t i = 0; i < THREADS; i++) {
		pod_put(f, 0, pod_key_on(0, i), lg_slice(&zero, sizeof(zero)));
		members[i] = (struct member){.crowd = &crowd, .worker = pod_worker(f, 0), .row = i};
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&members[i].thread, NULL, count_main, &members[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(members[i].thread, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		OK(members[i].code);
	struct lg_stats stats = stats_of(f->host[0]);
	print_message("at most %u at once; %llu queued, %llu let in\n", atomic_load(&crowd.most),
	        (unsigned long long)stats.queued, (unsigned long long)stats.let_in);
	/* Who is let in because nobody got on has no turn, and is counted. */
	assert_true(atomic_load(&crowd.most) <= 2 + stats.let_in);
	assert_true(stats.queued > 0);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	for (uint64_t i = 0; i < THREADS; i++) {
		OK(lg_get(txn, f->rows[0], pod_key_on(0, i), &val));
		assert_memory_equal(val.data, &crowd.runs, sizeof(crowd.runs));
	}
	OK(lg_commit(txn));
}

static void with_no_more_workers_than_may_run_nobody_queues(void **state)
{
	struct pod_fixture *f = open_pod(2, 10);
	*state = f;
	struct lg_worker *second = pod_worker(f, 0);
	for (uint64_t i = 0; i < 100; i++) {
		struct member m = {.crowd = &(struct crowd){.f = f}, .worker = i % 2 ? second : f->worker[0], .row = 1};
		CODE(i == 0 ? LG_NOTFOUND : LG_OK, lg_run(m.worker, count_body, &m));
		if (i == 0)
			pod_put(f, 0, pod_key_on(0, 1), lg_slice(&i, sizeof(i)));
	}
	assert_int_equal(stats_of(f->host[0]).queued, 0);
}

struct pair {
	struct pod_fixture *f;
	atomic_bool first_runs, second_runs;
	uint64_t let_in;
};

static int waits_for_the_other_body(struct lg_txn *txn, void *arg)
{
	struct pair *p = arg;
	(void)txn;
	atomic_store(&p->first_runs, true);
	while (!atomic_load(&p->second_runs))
		sched_yield();
	return LG_OK;
}

static int other_body(struct lg_txn *txn, void *arg)
{
	struct pair *p = arg;
	(void)txn;
	p->let_in = stats_of(p->f->host[0]).let_in;
	atomic_store(&p->second_runs, true);
	return LG_OK;
}

static void *first_main(void *arg)
{
	struct pair *p = arg;
	return lg_run(p->f->more[0], waits_for_the_other_body, p) == LG_OK ? p : NULL;
}

/* One may run, and waits for another that may not: a deadlock, were the bound hard. */
static void bodies_that_wait_for_each_other_get_through(void **state)
{
	struct pod_fixture *f = open_pod(1, 10);
	struct pair pair = {.f = f};
	pthread_t first;
	void *returned;
	*state = f;
	pod_worker(f, 0);
	for (int i = 0; i < 3; i++) {
		atomic_store(&pair.first_runs, false);
		atomic_store(&pair.second_runs, false);
		assert_int_equal(pthread_create(&first, NULL, first_main, &pair), 0);
		while (!atomic_load(&pair.first_runs))
			sched_yield();
		OK(lg_run(f->worker[0], other_body, &pair));
		assert_int_equal(pthread_join(first, &returned), 0);
		assert_non_null(returned);
		/* It was not simply let through. */
		assert_int_equal(pair.let_in, i + 1);
	}
}

static int inner_body(struct lg_txn *txn, void *arg)
{
	struct pod_fixture *f = arg;
	return lg_put(txn, f->rows[0], pod_key_on(0, 2), pod_text("inner"));
}

static int outer_body(struct lg_txn *txn, void *arg)
{
	struct pod_fixture *f = arg;
	struct lg_txn *again;
	CODE(LG_INVALID, lg_run(f->worker[0], inner_body, f)); /* its own worker is busy */
	CODE(LG_INVALID, lg_txn_begin(f->worker[0], &again));
	int code = lg_run(f->more[0], inner_body, f);
	return code == LG_OK ? lg_put(txn, f->rows[0], pod_key_on(0, 1), pod_text("outer")) : code;
}

static void a_body_may_run_another_workers_transaction(void **state)
{
	struct pod_fixture *f = open_pod(1, 10);
	*state = f;
	pod_worker(f, 0);
	OK(lg_run(f->worker[0], outer_body, f));
	pod_expect_text(f, 0, pod_key_on(0, 1), "outer");
	pod_expect_text(f, 0, pod_key_on(0, 2), "inner");
}

/* An open transaction holds nobody up, nor does a worker that has run and runs nothing now, or was closed. */
static void a_turn_that_nobody_uses_is_there_for_others(void **state)
{
	struct pod_fixture *f = open_pod(1, 10);
	*state = f;
	struct lg_worker *closes = pod_worker(f, 0), *open = pod_worker(f, 0), *runs = pod_worker(f, 0);
	struct lg_txn *txn = pod_begin(open);
	for (int i = 0; i < 100; i++) {
		OK(lg_run(f->worker[0], inner_body, f));
		OK(lg_run(closes, inner_body, f));
		OK(lg_run(runs, inner_body, f));
	}
	OK(lg_run(closes, inner_body, f));
	f->more[0] = f->more[--f->more_count];
	OK(lg_worker_close(closes));
	OK(lg_run(runs, inner_body, f));
	OK(lg_commit(txn));
	assert_int_equal(stats_of(f->host[0]).let_in, 0);
}

/* ---- Starvation ---------------------------------------------------------------------------------------------------- */

enum { ROWS = 100, PREPARED = 40, RANGE = 1000 };

struct victim {
	struct pod_fixture *f;
	atomic_uint tries;
	bool beaten; /* by the latest try's adversary */
	/* of the test with transactions that are running already */
	atomic_uint asked, done; /* how many of them shall commit, have committed */
	atomic_bool stop;
	struct lg_txn *prepared[PREPARED];
};

/* Touches rows of both hosts; and when it has, somebody comes and changes one of them, if he may. */
static int victim_body(struct lg_txn *txn, void *arg)
{
	struct victim *v = arg;
	struct lg_txn *other;
	struct lg_slice val;
	if (atomic_fetch_add(&v->tries, 1) >= LG_RUN_MOST_ATTEMPTS)
		return GAVE_UP;
	for (uint64_t i = 0; i < ROWS; i++) {
		struct lg_slice key = pod_key_on((uint32_t)(i % 2), i);
		int code = i % 4 < 2 ? lg_get(txn, v->f->rows[0], key, &val)
		                     : lg_put(txn, v->f->rows[0], key, pod_text("victim"));
		if (code != LG_OK)
			return code;
	}
	unsigned tries = atomic_load(&v->tries);
	OK(lg_txn_begin(v->f->worker[1], &other));
	int code = lg_put(other, v->f->rows[1], pod_key_on(tries % 2, tries % 2), pod_text("small"));
	if (code == LG_OK)
		code = lg_commit(other);
	else
		lg_abort(other);
	v->beaten = code == LG_OK;
	return LG_OK;
}

static void who_is_beaten_each_time_wins_by_the_priority(void **state)
{
	struct pod_fixture *f = open_pod(0, 10);
	struct victim victim = {.f = f};
	*state = f;
	for (uint64_t i = 0; i < ROWS; i++)
		pod_put(f, 0, pod_key_on((uint32_t)(i % 2), i), pod_text("before"));
	OK(lg_run(f->worker[0], victim_body, &victim));
	assert_false(victim.beaten);
	assert_int_equal(atomic_load(&victim.tries), LG_RUN_PRIORITY_AFTER + 1);
	pod_expect_text(f, 1, pod_key_on(0, 2), "victim");
	pod_expect_text(f, 1, pod_key_on(1, 3), "victim");
}

/* Ends transactions that had begun before the victim's first try, one each time that it is asked to; and by and by the rest, when the
 * victim has but one try left. */
static void *ends_prepared(void *arg)
{
	struct victim *v = arg;
	unsigned idle = 0;
	for (unsigned i = 0; i < PREPARED && !atomic_load(&v->stop);) {
		bool last = atomic_load(&v->tries) >= LG_RUN_MOST_ATTEMPTS - 1;
		if (atomic_load(&v->asked) <= i && (!last || idle++ < 20)) {
			struct timespec nap = {0, 50000};
			nanosleep(&nap, NULL); /* looks again */
			continue;
		}
		idle = 0;
		/* A new row in the range that the victim scans. */
		int code = lg_insert(v->prepared[i], v->f->rows[0], pod_key_on(0, RANGE + 10 * i + 5), pod_text("new"));
		if (code == LG_OK)
			(void)lg_commit(v->prepared[i]); /* whether it wins is not the question */
		else
			lg_abort(v->prepared[i]);
		atomic_store(&v->done, ++i);
	}
	return NULL;
}

static int scan_body(struct lg_txn *txn, void *arg)
{
	struct victim *v = arg;
	struct lg_scan *scan;
	struct lg_slice key, val;
	atomic_fetch_add(&v->tries, 1);
	int code = lg_scan_open(
	        txn, v->f->rows[0], pod_key_on(0, RANGE), pod_key_on(0, 2 * RANGE), LG_SCAN_FORWARD, 0, &scan);
	while (code == LG_OK)
		code = lg_scan_next(scan, &key, &val);
	if (code != LG_END)
		return code;
	unsigned ask = atomic_load(&v->done) + 1;
	atomic_store(&v->asked, ask);
	while (atomic_load(&v->done) < (ask < PREPARED ? ask : PREPARED))
		sched_yield();
	return lg_put(txn, v->f->rows[0], pod_key_on(0, 1), pod_text("scanned"));
}

/* The priority does not help against transactions that run already: that they end before the last attempt does. */
static void who_is_beaten_by_transactions_that_run_already_wins_alone(void **state)
{
	struct pod_fixture *f = open_pod(LG_MAX_WORKERS, 200);
	struct victim victim = {.f = f};
	struct lg_worker *workers[PREPARED];
	pthread_t ender;
	struct lg_error err;
	*state = f;
	for (unsigned i = 0; i <= PREPARED; i++)
		pod_put(f, 0, pod_key_on(0, RANGE + 10 * i), pod_text("row"));
	for (unsigned i = 0; i < PREPARED; i++) {
		OK(lg_worker_open(f->host[0], &workers[i], &err));
		victim.prepared[i] = pod_begin(workers[i]);
	}
	assert_int_equal(pthread_create(&ender, NULL, ends_prepared, &victim), 0);
	int code = lg_run(f->worker[0], scan_body, &victim);
	atomic_store(&victim.stop, true);
	assert_int_equal(pthread_join(ender, NULL), 0);
	for (unsigned i = 0; i < PREPARED; i++)
		OK(lg_worker_close(workers[i]));
	OK(code);
	print_message("%u tries, %u had ended\n", atomic_load(&victim.tries), atomic_load(&victim.done));
	assert_in_range(atomic_load(&victim.tries), LG_RUN_PRIORITY_AFTER + 1, LG_RUN_MOST_ATTEMPTS);
}

struct filler {
	struct pod_fixture *f;
	struct lg_worker *worker;
	atomic_uint filled;
	atomic_bool stop;
	unsigned tries;
};

static void *fills_the_range(void *arg)
{
	struct filler *l = arg;
	for (uint64_t i = 0; !atomic_load(&l->stop); i++) {
		struct lg_txn *txn;
		if (lg_txn_begin(l->worker, &txn) != LG_OK)
			break;
		int code = i % 2 ? lg_del(txn, l->f->rows[0], pod_key_on(0, RANGE + i / 2 % RANGE))
		                 : lg_insert(txn, l->f->rows[0], pod_key_on(0, RANGE + i / 2 % RANGE), pod_text("new"));
		if (code != LG_OK)
			lg_abort(txn);
		else if (lg_commit(txn) == LG_OK)
			atomic_fetch_add(&l->filled, 1);
	}
	return NULL;
}

static int scan_and_linger_body(struct lg_txn *txn, void *arg)
{
	struct filler *l = arg;
	struct lg_scan *scan;
	struct lg_slice key, val;
	if (++l->tries > LG_RUN_MOST_ATTEMPTS)
		return GAVE_UP;
	int code = lg_scan_open(
	        txn, l->f->rows[0], pod_key_on(0, RANGE), pod_key_on(0, 2 * RANGE), LG_SCAN_FORWARD, 0, &scan);
	while (code == LG_OK)
		code = lg_scan_next(scan, &key, &val);
	if (code != LG_END)
		return code;
	/* Without the priority it loses: somebody has changed the range. With it nobody does, so it gives them a while. */
	unsigned before = atomic_load(&l->filled);
	bool first = stats_of(l->f->host[0]).priorities == 0;
	struct timespec nap = {0, 100000};
	for (int naps = 0; atomic_load(&l->filled) < before + 2 && (first || naps < 200); naps++)
		nanosleep(&nap, NULL);
	return lg_put(txn, l->f->rows[0], pod_key_on(0, 1), pod_text("scanned"));
}

static void who_has_the_priority_keeps_new_transactions_out(void **state)
{
	/* Long epochs: a try must not outlast the priority, however slow the machine. */
	struct pod_fixture *f = open_pod(LG_MAX_WORKERS, 1000);
	struct filler filler = {.f = f};
	pthread_t thread;
	*state = f;
	filler.worker = pod_worker(f, 0);
	pod_put(f, 0, pod_key_on(0, RANGE), pod_text("row"));
	assert_int_equal(pthread_create(&thread, NULL, fills_the_range, &filler), 0);
	int code = lg_run(f->worker[0], scan_and_linger_body, &filler);
	atomic_store(&filler.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	OK(code);
	print_message("%u tries against %u changes\n", filler.tries, atomic_load(&filler.filled));
	assert_true(filler.tries > LG_RUN_PRIORITY_AFTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(no_more_than_max_running_attempts_run_at_once, pod_teardown),
	        cmocka_unit_test_teardown(with_no_more_workers_than_may_run_nobody_queues, pod_teardown),
	        cmocka_unit_test_teardown(bodies_that_wait_for_each_other_get_through, pod_teardown),
	        cmocka_unit_test_teardown(a_body_may_run_another_workers_transaction, pod_teardown),
	        cmocka_unit_test_teardown(a_turn_that_nobody_uses_is_there_for_others, pod_teardown),
	        cmocka_unit_test_teardown(who_is_beaten_each_time_wins_by_the_priority, pod_teardown),
	        cmocka_unit_test_teardown(who_has_the_priority_keeps_new_transactions_out, pod_teardown),
	        cmocka_unit_test_teardown(who_is_beaten_by_transactions_that_run_already_wins_alone, pod_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
