/* ticket_test.c: what lg_status() says of commits of an earlier life of the pod, one that was durable and one that was not; and
 * rows whose key was deleted a moment before they were loaded. Epochs are a second long, so that what is meant to be of one is. */
#include "common/pod_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct told {
	struct lg_ticket durable, pending;
};

static char data[128];
static struct lg_pod_config pod;
static struct lg_host_config host_config;

static struct pod_fixture *open_disk(void)
{
	pod_private_directory(data, sizeof data);
	pod_config_small(&pod, 2);
	pod.durability = LG_DURABILITY_DISK;
	pod.epoch_ms = 1000;
	pod.data = data;
	lg_host_config_init(&host_config);
	host_config.data = data;
	return pod_open(&pod, &host_config, 1);
}

static int put_body(struct lg_txn *txn, void *table)
{
	return lg_put(txn, table, lg_slice("\x01row", 4), lg_slice("value", 5));
}

/* A process that commits, waits, commits, and is gone, as when the power fails: the epoch of the second has not ended. */
static void run_client(const char *uri, int pipe_end)
{
	struct lg_error err;
	struct lg_host *host;
	struct lg_table *table;
	struct lg_worker *w;
	struct told told;
	host_config.host_id = 0;
	bool good = lg_host_open(uri, &host_config, &host, &err) == LG_OK &&
	            lg_table_open(host, "rows", &table, &err) == LG_OK && lg_worker_open(host, &w, &err) == LG_OK &&
	            lg_run(w, put_body, table) == LG_OK;
	enum lg_outcome outcome = LG_OUTCOME_PENDING;
	if (good) {
		told.durable = lg_last_ticket(w);
		good = lg_wait(host, told.durable, 30000) == LG_OK && lg_run(w, put_body, table) == LG_OK;
	}
	if (good) {
		told.pending = lg_last_ticket(w);
		good = lg_status(host, told.pending, &outcome) == LG_OK && outcome == LG_OUTCOME_PENDING &&
		       lg_status(host, told.durable, &outcome) == LG_OK && outcome == LG_OUTCOME_DURABLE &&
		       write(pipe_end, &told, sizeof told) == sizeof told;
	}
	if (good)
		kill(getpid(), SIGKILL); /* at once: no exit handler of a sanitizer lets the epoch end */
	_exit(1);
}

static enum lg_outcome outcome_of(struct pod_fixture *f, struct lg_ticket ticket)
{
	enum lg_outcome outcome;
	assert_int_equal(lg_status(f->host[0], ticket, &outcome), LG_OK);
	return outcome;
}

static void tickets_of_an_earlier_life_are_answered(void **state)
{
	(void)state;
	int ends[2], status;
	struct told told;
	struct lg_error err;
	struct lg_recovery recovery;
	assert_int_equal(pipe(ends), 0);
	struct pod_fixture *f = open_disk();
	pod_close_host(f, 0);
	pid_t client = fork();
	if (client == 0)
		run_client(f->uri, ends[1]);
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
	assert_int_equal(lg_pod_destroy(f->uri, true, &err), LG_OK);
	for (unsigned life = 2; life < 5; life++) { /* lives in which nothing happens make no difference */
		assert_int_equal(lg_pod_recover(f->uri, data, NULL, &recovery, &err), LG_OK);
		if (life == 2 && recovery.durable_epoch >= told.pending.epoch)
			skip(); /* the epoch ended in the microseconds between the commit and the end */
		if (life < 4)
			assert_int_equal(lg_pod_destroy(f->uri, true, &err), LG_OK);
	}
	pod_open_host(f, 0, &host_config);
	assert_int_equal(outcome_of(f, told.durable), LG_OUTCOME_DURABLE);
	assert_int_equal(outcome_of(f, told.pending), LG_OUTCOME_ABORTED);
	assert_int_equal(lg_wait(f->host[0], told.pending, 1), LG_CONFLICT);
	/* Also when the pod's epochs have gone past the ticket's. */
	while (lg_durable_epoch(f->host[0]) < told.pending.epoch + 1)
		assert_int_equal(lg_sync(f->host[0], 30000), LG_OK);
	assert_int_equal(outcome_of(f, told.pending), LG_OUTCOME_ABORTED);
	assert_int_equal(outcome_of(f, (struct lg_ticket){0}), LG_OUTCOME_DURABLE);
	pod_close(f);
}

static int del_body(struct lg_txn *txn, void *table)
{
	return lg_del(txn, table, lg_slice("\x01row", 4));
}

static void a_row_that_was_loaded_where_one_was_just_deleted_comes_back(void **state)
{
	(void)state;
	struct lg_error err;
	struct lg_recovery recovery;
	struct lg_slice key = lg_slice("\x01row", 4);
	struct pod_fixture *f = open_disk();
	assert_int_equal(lg_run(f->worker[0], put_body, f->rows[0]), LG_OK);
	assert_int_equal(lg_run(f->worker[0], del_body, f->rows[0]), LG_OK);
	int code;
	do
		code = lg_load(f->worker[0], f->rows[0], key, lg_slice("loaded", 6));
	while (code == LG_EXISTS); /* the deleted row is still being taken out of its tree */
	assert_int_equal(code, LG_OK);
	pod_close_host(f, 0);
	assert_int_equal(lg_pod_destroy(f->uri, false, &err), LG_OK);
	assert_int_equal(lg_pod_recover(f->uri, data, NULL, &recovery, &err), LG_OK);
	pod_open_host(f, 0, &host_config);
	pod_expect_text(f, 0, key, "loaded");
	pod_close(f);
}

static void what_failed_to_commit_has_a_ticket_that_says_so(void **state)
{
	(void)state;
	struct pod_fixture *f = open_disk();
	assert_int_equal(lg_run(f->worker[0], put_body, f->rows[0]), LG_OK);
	struct lg_ticket good = lg_last_ticket(f->worker[0]);
	struct lg_txn *txn;
	assert_int_equal(lg_txn_begin(f->worker[0], &txn), LG_OK);
	assert_int_equal(lg_abort(txn), LG_OK);
	assert_int_equal(lg_last_ticket(f->worker[0]).epoch, good.epoch); /* it was not asked to commit */
	assert_int_equal(lg_commit_durable(txn), LG_ENDED);
	assert_int_equal(outcome_of(f, lg_last_ticket(f->worker[0])), LG_OUTCOME_ABORTED);
	assert_int_equal(lg_wait(f->host[0], good, 30000), LG_OK);
	pod_close(f);
}

static void note_code(void *argument, int code)
{
	*(int *)argument = code;
}

static void who_waits_is_told_when_the_last_host_closes(void **state)
{
	(void)state;
	struct pod_fixture *f = open_disk();
	int code = LG_CODE_COUNT;
	assert_int_equal(lg_run(f->worker[0], put_body, f->rows[0]), LG_OK);
	assert_int_equal(lg_notify(f->host[0], lg_last_ticket(f->worker[0]), note_code, &code), LG_OK);
	pod_close_host(f, 0);
	assert_int_equal(code, LG_OK);
	pod_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(tickets_of_an_earlier_life_are_answered),
	        cmocka_unit_test(a_row_that_was_loaded_where_one_was_just_deleted_comes_back),
	        cmocka_unit_test(what_failed_to_commit_has_a_ticket_that_says_so),
	        cmocka_unit_test(who_waits_is_told_when_the_last_host_closes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
