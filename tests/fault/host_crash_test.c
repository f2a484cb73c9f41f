/* host_crash_test.c: hosts are processes, one is killed, the others go on; over and over.
 *
 * All run the random transactions of pod/list_append.h. What each did stands in histories that a kill leaves whole, and
 * tests/checker judges them together, over all lives of the victim: so what the victim's client saw as committed must be
 * there, what a survivor read of it must have been committed, and nothing may have happened half.
 *
 * A victim that owns no partition comes back under its id; one that owns some stays away, since this test is about what
 * survivors do (host_return_test.c is about coming back), except where it is killed at a point of its log.
 *
 * In a build with mutants (make check-crash-points) the victim is also killed at each named point, src/cxl/crash_point.h.
 */
#include "common/pod_fixture.h"
#include "cxl/crash_point.h"
#include "cxl/extent.h"
#include "engine/host.h"
#include "pod/list_append.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 3, VICTIM = 2, MAX_LIVES = 64 };

/* Between the processes. */
struct board {
	atomic_bool stop;
	atomic_uint opened, loaded, ended, survivors;
	_Atomic uint64_t commits[HOSTS], recoveries[HOSTS], redone[HOSTS];
};

struct crash_run {
	struct list_config list;
	char uri[80], data[128];        /* data: empty if the pod keeps no logs */
	bool returned;                  /* the victim came back and left in order */
	bool victim_owns, victim_idles; /* idles: serves others, and runs nothing itself */
	enum lg_durability durability;
	enum crash_point point; /* CRASH_POINT_COUNT: killed from outside */
	struct board *board;
	FILE *history[HOSTS + MAX_LIVES];
	uint32_t histories;
	pid_t pid[HOSTS];
	uint64_t random;
};

static void nap(void)
{
	nanosleep(&(struct timespec){0, 500000}, NULL);
}

/* ---- In a host's process --------------------------------------------------------------------------------------------- */

struct member {
	struct crash_run *run;
	uint32_t id;
	struct lg_host *host;
	struct list_session session;
};

static void die(const struct member *m, const char *what, const char *why)
{
	fprintf(stderr, "host %u: %s: %s\n", m->id, what, why);
	fflush(NULL);
	_exit(1);
}

/* Tells the parent how far it is; whether it shall go on. */
static bool goes_on(void *argument)
{
	struct member *m = argument;
	struct lg_stats stats;
	lg_host_stats(m->host, &stats);
	atomic_store(&m->run->board->commits[m->id], m->session.commits);
	atomic_store(&m->run->board->recoveries[m->id], stats.recoveries);
	atomic_store(&m->run->board->redone[m->id], stats.rows_redone);
	/* The checker's work grows with the square of a history: they run for as long as the kills take, but not at full speed. */
	if (m->session.commits % 4 == 0)
		nap();
	return !atomic_load(&m->run->board->stop);
}

static bool is_recovery(enum crash_point point)
{
	return point >= CRASH_RECOVERY_CLAIMED && point <= CRASH_RECOVERY_FREED;
}

/* Of a pod that keeps logs alone. */
static bool is_logging(enum crash_point point)
{
	return point >= CRASH_LOG_SUBMIT && point <= CRASH_REBUILT;
}

static void arm(const struct member *m, uint64_t pass)
{
#ifdef LG_MUTANTS
	enum crash_point point = m->run->point;
	if (m->id == VICTIM)
		crash_point_arm(is_recovery(point) ? CRASH_AFTER_SEAL : point, pass);
	else if (m->id == 1 && is_recovery(point))
		crash_point_arm(point, 0);
#else
	(void)m, (void)pass;
#endif
}

static void open_member(struct member *m)
{
	struct lg_host_config config;
	struct lg_error err;
	lg_host_config_init(&config);
	config.host_id = m->id;
	config.data = m->run->data[0] != '\0' ? m->run->data : NULL;
	/* Where host 1 is to die while it recovers the victim, it shall be the first to notice. */
	config.lease_ms = m->id == 0 && is_recovery(m->run->point) ? 300 : 50;
	struct list_session *s = &m->session;
	s->config = &m->run->list;
	s->killable = m->id == VICTIM || is_recovery(m->run->point);
	list_begin(s); /* first: a host that dies while it opens has a history too */
	if (lg_host_open(m->run->uri, &config, &m->host, &err) != LG_OK)
		die(m, "lg_host_open", err.message);
	for (uint32_t p = 0; p < HOSTS * 2 && m->id == 0 && !m->run->victim_owns; p++)
		if (lg_partition_place(m->host, p, p % VICTIM, &err) != LG_OK)
			die(m, "lg_partition_place", err.message);
	if (list_tables(m->host, &m->run->list, s->tables, &err) != LG_OK)
		die(m, "lg_table_create", err.message);
	struct lg_table_def more = {.name = "more", .by = LG_HASH, .prefix_bytes = 8, .partitions = 1};
	struct lg_table *table;
	if (m->id == VICTIM && lg_table_create(m->host, &more, &table, &err) != LG_OK)
		die(m, "lg_table_create", err.message);
	if (lg_worker_open(m->host, &s->worker, &err) != LG_OK)
		die(m, "lg_worker_open", err.message);
	s->goes_on = goes_on;
	s->goes_on_argument = m;
	s->outages = m->run->victim_owns || is_recovery(m->run->point);
}

/* No lock and no intent of the victim is left in any word. */
static void expect_no_remains(struct member *m)
{
	struct cxl_port *port = &m->session.worker->port;
	for (uint64_t block = 0; block < port->geometry->block_count; block++) {
		if (claim_owner(port, CLAIM_WORDS, block) == port->geometry->host_count)
			continue;
		for (word_idx i = 0; i < WORDS_PER_BLOCK; i++) {
			uint64_t word = word_load(port, word_ref_shared(block_first_word(port->geometry, block) + i));
			if ((word & (WORD_LOCK | WORD_INTENT)) && word_holder(word) == VICTIM)
				die(m, "a word", "is still held by the dead host");
		}
	}
}

static void survive(struct member *m)
{
	struct board *board = m->run->board;
	atomic_fetch_add(&board->opened, 1);
	if (m->id == 0) {
		while (atomic_load(&board->opened) < VICTIM)
			lg_worker_poll(m->session.worker);
		list_load(&m->session);
		atomic_store(&board->loaded, 1);
	}
	list_run(&m->session);
	if (m->id == 0) {
		expect_no_remains(m);
		if (!m->session.outages)
			list_read_all(&m->session);
	}
	list_end(&m->session);
	if (m->session.failure[0] != '\0')
		die(m, "session", m->session.failure);
	lg_worker_close(m->session.worker);
	/* Both at the end of their reads before either's rows go. */
	atomic_fetch_add(&board->ended, 1);
	while (atomic_load(&board->ended) < atomic_load(&board->survivors))
		nap();
	if (lg_host_close(m->host) != LG_OK)
		die(m, "lg_host_close", "failed");
	_exit(0);
}

static void start(struct crash_run *r, uint32_t id, uint64_t pass)
{
	static struct member member;
	uint32_t history = id == VICTIM ? r->histories++ : id;
	assert_true(history < HOSTS + MAX_LIVES);
	r->history[history] = tmpfile();
	assert_non_null(r->history[history]);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		r->pid[id] = pid;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
	member = (struct member){.run = r, .id = id};
	member.session.history = r->history[history];
	member.session.number = history + 1;
	arm(&member, pass);
	open_member(&member);
	if (id != VICTIM)
		survive(&member);
	while (r->victim_idles) {
		lg_worker_poll(member.session.worker);
		atomic_fetch_add(&r->board->commits[VICTIM], 1);
		nap();
	}
	list_run(&member.session);
	list_end(&member.session);
	die(&member, "the victim", member.session.failure);
}

/* ---- In the parent ----------------------------------------------------------------------------------------------------- */

static void expect_alive(struct crash_run *r)
{
	int status;
	for (uint32_t id = 0; id < VICTIM; id++)
		if (r->pid[id])
			assert_int_equal(waitpid(r->pid[id], &status, WNOHANG), 0);
}

/* Waits until host `id` has committed so many more. */
static void wait_for_commits(struct crash_run *r, uint32_t id, uint64_t more)
{
	uint64_t from = atomic_load(&r->board->commits[id]);
	while (atomic_load(&r->board->commits[id]) < from + more) {
		expect_alive(r);
		nap();
	}
}

static uint64_t sum(_Atomic uint64_t *of)
{
	return atomic_load(&of[0]) + atomic_load(&of[1]);
}

static void expect_killed(struct crash_run *r, uint32_t id)
{
	int status;
	assert_int_equal(waitpid(r->pid[id], &status, 0), r->pid[id]);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	r->pid[id] = 0;
}

static void begin(struct crash_run *r, uint64_t seed)
{
	struct lg_pod_config pod;
	struct lg_error err;
	char name[64];
	pod_config_small(&pod, HOSTS);
	pod.durability = r->durability;
	pod.redo_workers = 4;
	pod.redo_ring_bytes = 128 << 10; /* many laps */
	if (is_logging(r->point)) {
		pod_private_directory(r->data, sizeof(r->data));
		pod.data = r->data;
	}
	pod_private_name(name, sizeof(name));
	snprintf(r->uri, sizeof(r->uri), "shm:%s", name);
	OK(lg_pod_create(r->uri, &pod, &err));
	r->board = mmap(NULL, sizeof(*r->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(r->board != MAP_FAILED);
	r->list = (struct list_config){
	        .hosts = HOSTS, .workers = 1, .keys = {300, 200, 12}, .max_pad = 300, .seed = seed};
	r->random = seed;
	r->histories = VICTIM;
	atomic_store(&r->board->survivors, VICTIM);
	for (uint32_t id = 0; id < VICTIM; id++) {
		start(r, id, 0);
		/* One after the other: partitions are placed before the first table. */
		while (atomic_load(&r->board->opened) <= id) {
			expect_alive(r);
			nap();
		}
	}
	while (!atomic_load(&r->board->loaded)) {
		expect_alive(r);
		nap();
	}
}

static void tell(const struct lg_check_finding *finding, void *argument)
{
	(void)argument;
	print_message("pod check: %s at %llx: %s\n", finding->rule, (unsigned long long)finding->offset, finding->text);
}

/* What is left of the pod does not contradict itself. Where memory is not what is mapped, it cannot be looked at from outside. */
static void expect_clean(const struct crash_run *r)
{
	struct lg_check_report report;
	struct lg_error err;
	const char *emulation = getenv("LIGER_EMULATE");
	if (emulation && strncmp(emulation, "incoherent", 10) == 0)
		return;
	OK(lg_pod_check(r->uri, 0, tell, NULL, &report, &err));
	assert_int_equal(report.findings, 0);
	assert_int_equal(report.dead_hosts > 0, !r->returned);
}

static int finish(struct crash_run *r)
{
	struct lg_error err;
	atomic_store(&r->board->stop, true);
	for (uint32_t id = 0; id < VICTIM; id++) {
		int status = 0;
		if (!r->pid[id])
			continue;
		assert_int_equal(waitpid(r->pid[id], &status, 0), r->pid[id]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	expect_clean(r);
	int verdict = list_judge(r->history, r->histories);
	for (uint32_t i = 0; i < r->histories; i++)
		fclose(r->history[i]);
	munmap(r->board, sizeof(*r->board));
	OK(lg_pod_destroy(r->uri, true, &err));
	return verdict;
}

static void survivors_go_on_and_nothing_that_a_killed_host_had_committed_is_lost(void **state)
{
	(void)state;
	struct crash_run r = {.durability = LG_DURABILITY_CXL, .point = CRASH_POINT_COUNT};
	uint64_t kills = pod_scaled(10);
	begin(&r, pod_seed());
	for (uint64_t kill_count = 1; kill_count <= kills && kill_count <= MAX_LIVES; kill_count++) {
		start(&r, VICTIM, 0);
		atomic_store(&r.board->commits[VICTIM], 0);
		wait_for_commits(&r, VICTIM, 20 + pod_random(&r.random) % 200);
		assert_int_equal(kill(r.pid[VICTIM], SIGKILL), 0);
		expect_killed(&r, VICTIM);
		wait_for_commits(&r, 0, 20);
		wait_for_commits(&r, 1, 20);
		while (sum(r.board->recoveries) < kill_count) {
			expect_alive(&r);
			nap();
		}
		wait_for_commits(&r, 0, 50);
		wait_for_commits(&r, 1, 50);
	}
	print_message(
	        "%llu kills, %llu rows redone\n", (unsigned long long)kills, (unsigned long long)sum(r.board->redone));
	assert_int_equal(finish(&r), 0);
}

static void survivors_go_on_without_the_rows_of_a_killed_host(void **state)
{
	(void)state;
	struct crash_run r = {.durability = LG_DURABILITY_CXL, .point = CRASH_POINT_COUNT, .victim_owns = true};
	begin(&r, pod_seed());
	start(&r, VICTIM, 0);
	wait_for_commits(&r, VICTIM, 20 + pod_random(&r.random) % 200);
	assert_int_equal(kill(r.pid[VICTIM], SIGKILL), 0);
	expect_killed(&r, VICTIM);
	wait_for_commits(&r, 0, 100);
	wait_for_commits(&r, 1, 100);
	while (sum(r.board->recoveries) < 1) {
		expect_alive(&r);
		nap();
	}
	wait_for_commits(&r, 0, 50);
	assert_int_equal(finish(&r), 0);
}

static void wait_for_recoveries(struct crash_run *r, uint64_t count)
{
	while (sum(r->board->recoveries) < count) {
		expect_alive(r);
		nap();
	}
}

static void a_host_that_stands_still_is_killed_and_recovered(void **state)
{
	(void)state;
	struct crash_run r = {.durability = LG_DURABILITY_CXL, .point = CRASH_POINT_COUNT};
	begin(&r, pod_seed());
	start(&r, VICTIM, 0);
	wait_for_commits(&r, VICTIM, 20 + pod_random(&r.random) % 100);
	assert_int_equal(kill(r.pid[VICTIM], SIGSTOP), 0);
	wait_for_recoveries(&r, 1);
	expect_killed(&r, VICTIM);
	wait_for_commits(&r, 0, 20);
	assert_int_equal(finish(&r), 0);
}

/* Runs with a victim that owns partitions, and kills it; it may still be written to by survivors. */
static void lose_an_owner(struct crash_run *r)
{
	begin(r, pod_seed());
	start(r, VICTIM, 0);
	wait_for_commits(r, VICTIM, 5);
	wait_for_commits(r, 0, 100);
	wait_for_commits(r, 1, 100);
	assert_int_equal(kill(r->pid[VICTIM], SIGKILL), 0);
	expect_killed(r, VICTIM);
	wait_for_recoveries(r, 1);
}

static int reopen(struct crash_run *r, struct lg_host **host, struct lg_error *err)
{
	struct lg_host_config config;
	lg_host_config_init(&config);
	config.host_id = VICTIM;
	return lg_host_open(r->uri, &config, host, err);
}

static void without_durability_an_owner_that_died_comes_back_with_empty_partitions(void **state)
{
	(void)state;
	struct crash_run r = {.durability = LG_DURABILITY_NONE,
	        .point = CRASH_POINT_COUNT,
	        .victim_owns = true,
	        .victim_idles = true};
	struct lg_table *tables[LIST_TABLES];
	struct lg_worker *worker;
	struct lg_host *host;
	struct lg_error err;
	struct lg_txn *txn;
	struct lg_scan *scan;
	struct lg_slice key, val;
	lose_an_owner(&r);
	/* The last of six partitions of the first table is the sixth, host 2's. */
	uint8_t last[8] = {0xf0};
	assert_int_equal(reopen(&r, &host, &err), LG_OK);
	assert_int_equal(list_tables(host, &r.list, tables, &err), LG_OK);
	assert_int_equal(lg_worker_open(host, &worker, &err), LG_OK);
	assert_int_equal(lg_txn_begin(worker, &txn), LG_OK);
	/* Survivors may insert rows from now on; what they had before is gone: fewer than half of what a load leaves. */
	assert_int_equal(lg_scan_open(txn, tables[0], lg_slice(last, 8), lg_slice(NULL, 0), 0, 0, &scan), LG_OK);
	uint64_t rows = 0;
	for (int code; (code = lg_scan_next(scan, &key, &val)) != LG_END; rows++)
		assert_int_equal(code, LG_OK);
	lg_abort(txn);
	assert_true(rows < r.list.keys[0] / 12);
	/* And it works: a row of its own. */
	assert_int_equal(lg_txn_begin(worker, &txn), LG_OK);
	assert_int_equal(lg_put(txn, tables[0], lg_slice(last, 8), lg_slice(last, 8)), LG_OK);
	assert_int_equal(lg_commit(txn), LG_OK);
	lg_worker_close(worker);
	assert_int_equal(lg_host_close(host), LG_OK);
	r.returned = true;
	atomic_store(&r.board->stop, true);
	finish(&r);
}

static void a_sealed_pod_keeps_the_rows_of_an_owner_that_died_and_says_so(void **state)
{
	(void)state;
	struct crash_run r = {.durability = LG_DURABILITY_CXL, .point = CRASH_POINT_COUNT, .victim_owns = true};
	struct lg_host *host;
	struct lg_error err;
	lose_an_owner(&r);
	assert_int_equal(reopen(&r, &host, &err), LG_UNAVAILABLE);
	assert_non_null(strstr(err.message, "rebuild"));
	wait_for_commits(&r, 0, 20);
	assert_int_equal(finish(&r), 0);
}

#ifdef LG_MUTANTS
/* With its rows, which the others' histories know; and is killed once more, so that the end is as elsewhere. */
static void come_back(struct crash_run *r, uint64_t kills)
{
	r->point = CRASH_POINT_COUNT;
	atomic_store(&r->board->commits[VICTIM], 0);
	start(r, VICTIM, 0);
	wait_for_commits(r, VICTIM, 50);
	wait_for_commits(r, 0, 50);
	assert_int_equal(kill(r->pid[VICTIM], SIGKILL), 0);
	expect_killed(r, VICTIM);
	wait_for_recoveries(r, kills + 1);
}

/* Kills the victim at the point, over and over if it comes back. */
static void visit(enum crash_point point, uint64_t seed)
{
	struct crash_run r = {.durability = is_logging(point) ? LG_DURABILITY_DISK : LG_DURABILITY_CXL,
	        .point = point,
	        .victim_owns = point >= CRASH_MID_MOVE_IN && point <= CRASH_REBUILT};
	bool stays_away = r.victim_owns && !is_logging(point);
	uint64_t kills = stays_away || is_recovery(point) || point == CRASH_IN_CATALOG ? 1 : 4;
	begin(&r, seed);
	for (uint64_t kill_count = 1; kill_count <= kills; kill_count++) {
		bool once = point == CRASH_IN_CATALOG || point == CRASH_MID_DIRECTORY || point == CRASH_AFTER_CLAIM ||
		            point == CRASH_REBUILT;
		start(&r, VICTIM, once ? 0 : pod_random(&r.random) % 20);
		expect_killed(&r, VICTIM);
		if (is_recovery(point)) {
			expect_killed(&r, 1);
			atomic_store(&r.board->survivors, 1);
		}
		wait_for_recoveries(&r, kill_count + is_recovery(point));
		wait_for_commits(&r, 0, 50);
		if (!is_recovery(point))
			wait_for_commits(&r, 1, 50);
	}
	if (is_logging(point))
		come_back(&r, kills);
	print_message("%s: %llu kills, %llu rows redone\n", crash_point_name(point), (unsigned long long)kills,
	        (unsigned long long)sum(r.board->redone));
	/* Sealed, and no row written: only a survivor can have done it. */
	if (point == CRASH_AFTER_SEAL)
		assert_true(sum(r.board->redone) >= kills);
	assert_int_equal(finish(&r), 0);
}

static void a_host_may_die_at_every_named_point(void **state)
{
	(void)state;
	uint64_t seed = pod_seed();
	const char *only = getenv("LG_TEST_POINT"); /* for who looks at one of them */
	/* Those of checkpoints are visited by tests/unit/checkpoint_test.c. */
	for (unsigned point = 0; point < CRASH_CHECKPOINT_WRITTEN; point++)
		if (!only || strcmp(only, crash_point_name((enum crash_point)point)) == 0)
			visit((enum crash_point)point, seed + point);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(survivors_go_on_and_nothing_that_a_killed_host_had_committed_is_lost),
	        cmocka_unit_test(survivors_go_on_without_the_rows_of_a_killed_host),
	        cmocka_unit_test(a_host_that_stands_still_is_killed_and_recovered),
	        cmocka_unit_test(without_durability_an_owner_that_died_comes_back_with_empty_partitions),
	        cmocka_unit_test(a_sealed_pod_keeps_the_rows_of_an_owner_that_died_and_says_so),
#ifdef LG_MUTANTS
	        cmocka_unit_test(a_host_may_die_at_every_named_point),
#endif
	};
	cmocka_set_test_filter(getenv("LG_TEST_FILTER")); /* for who looks at one of them */
	return cmocka_run_group_tests_name("host crash", tests, NULL, NULL);
}
