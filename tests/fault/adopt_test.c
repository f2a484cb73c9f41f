/* adopt_test.c: the partitions of a host that left, or was killed, go on at another host, with every row that was committed. */
#include "common/pod_fixture.h"
#include "cxl/crash_point.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recovery/adopt.h"

enum { ROWS = 300, DEADLINE_MS = 20000 };

static char data[64];
static struct lg_host_config host_config;

static void choose_data(void)
{
	snprintf(data, sizeof data, "/tmp/liger-adopt-%ld", (long)getpid());
	lg_host_config_init(&host_config);
	host_config.data = data;
	host_config.log_segment_bytes = 1 << 20;
}

static struct pod_fixture *open_logged(uint32_t open_hosts)
{
	struct lg_pod_config config;
	pod_config_small(&config, 2);
	config.durability = LG_DURABILITY_CXL;
	config.redo_workers = 4;
	config.data = data;
	host_config.host_id = 0;
	return pod_open(&config, &host_config, open_hosts);
}

static void remove_data(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", data);
	assert_int_equal(system(command), 0);
}

struct edit {
	struct lg_table *table;
	int from, to, generation;
};

static struct lg_slice key_of(int i, char text[16])
{
	/* Of host 1: its first byte is from 64 on. */
	snprintf(text, 16, "d%06d", i);
	return lg_slice(text, strlen(text));
}

/* Every fifth row goes in the second generation; the others change in a few bytes. */
static int edit_body(struct lg_txn *txn, void *arg)
{
	const struct edit *e = arg;
	int code = LG_OK;
	for (int i = e->from; i < e->to && code == LG_OK; i++) {
		char key[16], val[120] = {0};
		snprintf(val, sizeof val, "%d of generation %d", i, e->generation);
		code = e->generation > 1 && i % 5 == 0
		               ? lg_del(txn, e->table, key_of(i, key))
		               : lg_put(txn, e->table, key_of(i, key), lg_slice(val, sizeof val));
	}
	return code;
}

static void edit_all(struct lg_worker *w, struct lg_table *table, int generation)
{
	for (int i = 0; i < ROWS; i += 10) {
		struct edit e = {table, i, i + 10, generation};
		assert_int_equal(lg_run(w, edit_body, &e), LG_OK);
	}
}

static int read_body(struct lg_txn *txn, void *arg)
{
	const struct edit *e = arg;
	for (int i = 0; i < ROWS; i++) {
		char key[16], val[120] = {0};
		struct lg_slice found;
		int code = lg_get(txn, e->table, key_of(i, key), &found);
		bool gone = e->generation > 1 && i % 5 == 0;
		if (code != (gone ? LG_NOTFOUND : LG_OK))
			return code == LG_OK || code == LG_NOTFOUND ? 1000 + i : code;
		snprintf(val, sizeof val, "%d of generation %d", i, e->generation);
		if (!gone && (found.bytes != sizeof val || memcmp(found.data, val, sizeof val)))
			return 10000 + i;
	}
	return LG_OK;
}

static void expect_all(struct lg_worker *w, struct lg_table *table, int generation)
{
	struct edit e = {table, 0, ROWS, generation};
	assert_int_equal(lg_run(w, read_body, &e), LG_OK);
}

static void adopt(struct pod_fixture *f)
{
	struct lg_error err = {0};
	int code = lg_adopt(f->host[0], 1, &err);
	if (code != LG_OK)
		print_error("%s\n", err.message);
	assert_int_equal(code, LG_OK);
	for (uint32_t p = 0; p < 8; p++)
		assert_int_equal(lg_partition_owner(f->host[0], p), 0);
}

/* A restart of the pod finds the map and the rows. */
static void expect_after_restart(struct pod_fixture *f, int generation)
{
	struct lg_error err = {0};
	struct lg_recovery recovery;
	char uri[80];
	snprintf(uri, sizeof uri, "%s", f->uri);
	for (uint32_t host = 0; host < 2; host++)
		if (f->host[host])
			pod_close_host(f, host);
	assert_int_equal(lg_pod_destroy(uri, true, &err), LG_OK);
	assert_int_equal(lg_pod_recover(uri, data, NULL, &recovery, &err), LG_OK);
	pod_open_host(f, 0, &host_config);
	assert_int_equal(lg_partition_owner(f->host[0], 1), 0);
	expect_all(f->worker[0], f->rows[0], generation);
	pod_close(f);
	remove_data();
}

static void partitions_of_a_host_that_left_go_on(void **state)
{
	(void)state;
	struct pod_fixture *f = open_logged(2);
	struct lg_error err = {0};
	edit_all(f->worker[1], f->rows[1], 1);
	expect_all(f->worker[0], f->rows[0], 1); /* some are in pod memory now */
	edit_all(f->worker[0], f->rows[0], 2);
	assert_int_equal(lg_adopt(f->host[0], 1, &err), LG_INVALID); /* it is there */
	pod_close_host(f, 1);
	struct edit e = {f->rows[0], 0, ROWS, 2};
	assert_int_equal(lg_run(f->worker[0], read_body, &e), LG_UNAVAILABLE);
	adopt(f);
	expect_all(f->worker[0], f->rows[0], 2);
	edit_all(f->worker[0], f->rows[0], 1);
	pod_open_host(f, 1, &host_config); /* it comes back, and owns nothing */
	expect_all(f->worker[1], f->rows[1], 1);
	edit_all(f->worker[1], f->rows[1], 2);
	assert_int_equal(lg_adopt(f->host[0], 1, &err), LG_INVALID);
	expect_after_restart(f, 2);
}

/* As for a host that closes meanwhile: what it has not begun to take over stays the other's, and can be adopted later. */
static void an_adoption_is_given_up_when_the_host_closes(void **state)
{
	(void)state;
	struct pod_fixture *f = open_logged(2);
	struct lg_error err = {0};
	_Atomic bool stopping = true;
	edit_all(f->worker[1], f->rows[1], 1);
	pod_close_host(f, 1);
	/* The second time by a later epoch, which no log has yet. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(adopt_partitions(f->worker[0], 1, &stopping, &err), LG_UNAVAILABLE);
		assert_non_null(strstr(err.message, "closing"));
		assert_int_equal(member_state(&f->worker[0]->port, 1, NULL), LG_MEMBER_DEAD);
		assert_int_equal(lg_partition_owner(f->host[0], 1), 1);
	}
	adopt(f);
	expect_all(f->worker[0], f->rows[0], 1);
	expect_after_restart(f, 1);
}

/* Host 1 in a process of its own, made before there is any thread: is told the pod, says when it has made the rows, and waits for
 * its end. */
static void run_victim(int told_end, int pipe_end)
{
	char uri[80];
	if (read(told_end, uri, sizeof uri) != sizeof uri)
		_exit(1);
	struct lg_error err;
	struct lg_host *host;
	struct lg_table *table;
	struct lg_worker *w;
	host_config.host_id = 1;
	bool good = lg_host_open(uri, &host_config, &host, &err) == LG_OK &&
	            lg_table_open(host, "rows", &table, &err) == LG_OK && lg_worker_open(host, &w, &err) == LG_OK;
	for (int i = 0; good && i < ROWS; i += 10) {
		struct edit e = {table, i, i + 10, 1};
		good = lg_run(w, edit_body, &e) == LG_OK;
	}
	if (!good || write(pipe_end, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause(); /* it is killed; its service thread serves */
}

static void partitions_of_a_host_that_was_killed_go_on(void **state)
{
	(void)state;
	int ends[2], tell[2];
	char uri[80] = {0};
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipe(tell), 0);
	pid_t victim = fork();
	if (victim == 0)
		run_victim(tell[0], ends[1]);
	struct pod_fixture *f = open_logged(1);
	snprintf(uri, sizeof uri, "%s", f->uri);
	assert_int_equal(write(tell[1], uri, sizeof uri), sizeof uri);
	char told;
	assert_int_equal(read(ends[0], &told, 1), 1);
	edit_all(f->worker[0], f->rows[0], 2);
	assert_int_equal(kill(victim, SIGKILL), 0);
	assert_int_equal(waitpid(victim, NULL, 0), victim);
	struct lg_error err = {0};
	int code = LG_INVALID;
	/* Until the watch has found it dead. */
	for (int ms = 0; code == LG_INVALID && ms < DEADLINE_MS; ms += 10, usleep(10000))
		code = lg_adopt(f->host[0], 1, &err);
	assert_int_equal(code, LG_OK);
	expect_all(f->worker[0], f->rows[0], 2);
	close(tell[0]);
	close(tell[1]);
	close(ends[0]);
	close(ends[1]);
	expect_after_restart(f, 2);
}

#ifdef LG_MUTANTS
/* Host 0 in a process of its own, which adopts, edits and makes checkpoints until it meets the point. */
static void run_adopter(const char *uri, enum crash_point point)
{
	struct lg_error err;
	struct lg_host *host;
	struct lg_table *table;
	struct lg_worker *w;
	host_config.host_id = 0;
	if (lg_host_open(uri, &host_config, &host, &err) != LG_OK ||
	        lg_table_open(host, "rows", &table, &err) != LG_OK || lg_worker_open(host, &w, &err) != LG_OK)
		_exit(1);
	crash_point_arm(point, 0);
	int code = lg_adopt(host, 1, &err);
	for (int turn = 0; code == LG_OK && turn < 100; turn++) {
		struct edit e = {table, 1, 5, 2}; /* rows that are there */
		code = lg_run(w, edit_body, &e);
		if (code == LG_OK)
			code = lg_checkpoint(host, &err);
	}
	print_error("%s: %d, %s\n", crash_point_name(point), code, err.message);
	_exit(2); /* it was never visited */
}

static void an_adopter_dies(enum crash_point point)
{
	char uri[80];
	int status;
	struct pod_fixture *f = open_logged(2);
	snprintf(uri, sizeof uri, "%s", f->uri);
	edit_all(f->worker[1], f->rows[1], 1);
	edit_all(f->worker[0], f->rows[0], 2);
	pod_close_host(f, 1);
	pod_close_host(f, 0);
	pid_t adopter = fork();
	if (adopter == 0)
		run_adopter(uri, point);
	assert_int_equal(waitpid(adopter, &status, 0), adopter);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("%s: the adopter ended with status %#x", crash_point_name(point), (unsigned)status);
	host_config.host_id = 0;
	pod_open_host(f, 0, &host_config);
	struct lg_error err = {0};
	int code = LG_UNAVAILABLE;
	/* What the dead adopter had claimed is let go of by the watch. */
	for (int ms = 0; code != LG_OK && code != LG_INVALID && ms < DEADLINE_MS; ms += 10, usleep(10000))
		code = lg_adopt(f->host[0], 1, &err);
	assert_true(code == LG_OK || code == LG_INVALID); /* invalid: it owns nothing any more */
	for (int ms = 0; lg_partition_owner(f->host[0], 1) != 0 && ms < DEADLINE_MS; ms += 10, usleep(10000))
		(void)lg_adopt(f->host[0], 1, &err);
	expect_all(f->worker[0], f->rows[0], 2);
	expect_after_restart(f, 2);
}

static void an_adopter_may_die_at_any_point(void **state)
{
	(void)state;
	an_adopter_dies(CRASH_ADOPTION_CLAIMED);
	an_adopter_dies(CRASH_MID_ADOPTION);
	an_adopter_dies(CRASH_ADOPTED);
	an_adopter_dies(CRASH_LOG_RECYCLE);
}
#endif

int main(void)
{
	choose_data();
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(partitions_of_a_host_that_left_go_on),
	        cmocka_unit_test(an_adoption_is_given_up_when_the_host_closes),
	        cmocka_unit_test(partitions_of_a_host_that_was_killed_go_on),
#ifdef LG_MUTANTS
	        cmocka_unit_test(an_adopter_may_die_at_any_point),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
