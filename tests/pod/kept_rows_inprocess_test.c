/* kept_rows_inprocess_test.c: which checkpoints and logs hold the only copy of rows, and what is said when they are gone: logs
 * recycled behind checkpoints, partitions adopted, hosts that own nothing. Segments are small, and checkpoints made by hand.
 */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 40, BYTES = 3000, MOST_TURNS = 2000 };

struct place {
	char data[128];
	struct lg_pod_config pod;
	struct lg_host_config host;
	struct pod_fixture *f;
};

static const char value[BYTES] = "kept";

static int setup(void **state)
{
	static struct place p;
	p = (struct place){0};
	pod_private_directory(p.data, sizeof(p.data));
	pod_config_small(&p.pod, 2);
	p.pod.durability = LG_DURABILITY_DISK;
	p.pod.data = p.data;
	lg_host_config_init(&p.host);
	p.host.data = p.data;
	p.host.log_segment_bytes = 16 << 10;
	p.host.checkpoint_log_bytes = 0;
	p.host.request_timeout_ms = 20000;
	p.f = pod_open(&p.pod, &p.host, 2);
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	pod_close(p->f);
	return 0;
}

static void path_in(const struct place *p, uint32_t host, const char *name, char path[200])
{
	snprintf(path, 200, "%s/host-%02u/%s", p->data, host, name);
}

static void put_rows(struct place *p, uint32_t owner)
{
	for (unsigned i = 0; i < ROWS; i++) {
		pod_put(p->f, owner, pod_key_on(owner, i), lg_slice(value, BYTES));
		if (i % 4 == 0)
			OK(lg_sync(p->f->host[owner], 20000));
	}
	OK(lg_sync(p->f->host[owner], 20000));
}

static void expect_rows(struct place *p, uint32_t host, uint32_t owner)
{
	for (unsigned i = 0; i < ROWS; i++) {
		struct lg_slice val;
		struct lg_txn *txn = pod_begin(p->f->worker[host]);
		OK(lg_get(txn, p->f->rows[host], pod_key_on(owner, i), &val));
		assert_int_equal(val.bytes, BYTES);
		lg_abort(txn);
	}
}

/* Both hosts make checkpoints; then their logs grow until they no longer begin at the beginning. */
static void outgrow_the_checkpoints(struct place *p)
{
	struct lg_error err;
	char path[2][200];
	for (uint32_t host = 0; host < 2; host++) {
		OK(lg_checkpoint(p->f->host[host], &err));
		path_in(p, host, "0000000000000001.log", path[host]);
	}
	for (unsigned turn = 0; access(path[0], F_OK) == 0 || access(path[1], F_OK) == 0; turn++) {
		assert_true(turn < MOST_TURNS);
		for (uint32_t host = 0; host < 2; host++) {
			pod_put(p->f, host, pod_key_on(host, 1000), lg_slice(value, BYTES));
			OK(lg_sync(p->f->host[host], 20000));
		}
	}
}

static void close_and_recover(struct place *p)
{
	struct lg_error err;
	for (uint32_t host = 0; host < 2; host++)
		if (p->f->host[host])
			pod_close_host(p->f, host);
	OK(lg_pod_destroy(p->f->uri, false, &err));
	int code = lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err);
	if (code != LG_OK)
		fail_msg("lg_pod_recover: %d: %s", code, err.message);
}

static void a_checkpoint_that_is_gone_is_missed(void **state)
{
	struct place *p = *state;
	struct lg_host_config config = p->host;
	struct lg_host *host;
	struct lg_error err;
	char path[200], aside[200];
	put_rows(p, 0);
	put_rows(p, 1);
	outgrow_the_checkpoints(p);
	path_in(p, 0, "0000000000000001.ckpt", path);
	path_in(p, 0, "aside", aside);
	assert_int_equal(rename(path, aside), 0);
	close_and_recover(p);
	CODE(LG_CORRUPT, lg_host_open(p->f->uri, &config, &host, &err));
	assert_non_null(strstr(err.message, "segments or a checkpoint were removed"));
	assert_int_equal(rename(aside, path), 0);
	pod_open_host(p->f, 0, &p->host);
	pod_open_host(p->f, 1, &p->host);
	expect_rows(p, 1, 0);
	expect_rows(p, 0, 1);
}

static void who_comes_back_after_an_adoption_keeps_the_adopted_rows(void **state)
{
	struct place *p = *state;
	struct lg_error err;
	char path[200];
	put_rows(p, 0);
	put_rows(p, 1);
	outgrow_the_checkpoints(p);
	/* The adopter's next checkpoint fails. */
	path_in(p, 0, "checkpoint.tmp", path);
	assert_int_equal(mkdir(path, 0700), 0);
	pod_close_host(p->f, 1);
	OK(lg_adopt(p->f->host[0], 1, &err));
	expect_rows(p, 0, 1);
	pod_open_host(p->f, 1, &p->host);
	CODE(LG_UNAVAILABLE, lg_checkpoint(p->f->host[1], &err));
	close_and_recover(p);
	assert_int_equal(rmdir(path), 0);
	pod_open_host(p->f, 0, &p->host);
	expect_rows(p, 0, 1);
	pod_open_host(p->f, 1, &p->host);
	OK(lg_checkpoint(p->f->host[0], &err));
	OK(lg_checkpoint(p->f->host[1], &err));
}

static void expect_copy(struct place *p, uint32_t host, int wanted)
{
	struct lg_table *table;
	struct lg_error err;
	struct lg_slice val;
	OK(lg_table_open(p->f->host[host], "copies", &table, &err));
	struct lg_txn *txn = pod_begin(p->f->worker[host]);
	CODE(wanted, lg_get(txn, table, pod_text("k"), &val));
	lg_abort(txn);
}

static void load_copy(struct place *p, uint32_t host)
{
	struct lg_table_def def = {.name = "copies", .by = LG_REPLICATED};
	struct lg_table *table;
	struct lg_error err;
	OK(lg_table_create(p->f->host[host], &def, &table, &err));
	OK(lg_load(p->f->worker[host], table, pod_text("k"), pod_text("copy")));
	OK(lg_table_seal(table));
}

static void a_copy_that_nobody_kept_is_loaded_again(void **state)
{
	struct place *p = *state;
	struct lg_error err;
	char path[200];
	load_copy(p, 0);
	load_copy(p, 1);
	put_rows(p, 1);
	outgrow_the_checkpoints(p);
	/* With its own checkpoint it has its copy again. */
	pod_close_host(p->f, 1);
	pod_open_host(p->f, 1, &p->host);
	expect_copy(p, 1, LG_OK);
	pod_close_host(p->f, 1);
	OK(lg_adopt(p->f->host[0], 1, &err));
	path_in(p, 1, "0000000000000001.ckpt", path);
	for (unsigned turn = 0; access(path, F_OK) == 0; turn++) {
		assert_true(turn < MOST_TURNS);
		OK(lg_checkpoint(p->f->host[0], &err));
	}
	pod_open_host(p->f, 1, &p->host);
	expect_copy(p, 1, LG_UNAVAILABLE);
	expect_copy(p, 0, LG_OK);
	load_copy(p, 1);
	expect_copy(p, 1, LG_OK);
	expect_rows(p, 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_checkpoint_that_is_gone_is_missed, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                who_comes_back_after_an_adoption_keeps_the_adopted_rows, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_copy_that_nobody_kept_is_loaded_again, setup, teardown),
	};
	return cmocka_run_group_tests_name("kept rows", tests, NULL, NULL);
}
