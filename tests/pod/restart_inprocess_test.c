/* restart_inprocess_test.c: pods with a data directory that are closed and brought back, tables, partitions and replicas with
 * them; and what lg_pod_recover() and lg_host_open() refuse. Hosts share this process: what kills do is in tests/fault. */
#include "common/pod_fixture.h"

#include "recovery/manifest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { ROWS = 16 };

struct place {
	char data[128];
	struct lg_pod_config pod;
	struct lg_host_config host;
	struct pod_fixture *f;
};

static struct place *place_make(enum lg_durability durability)
{
	static struct place place;
	place = (struct place){0};
	pod_private_directory(place.data, sizeof(place.data));
	pod_config_small(&place.pod, 2);
	place.pod.durability = durability;
	place.pod.data = place.data;
	lg_host_config_init(&place.host);
	place.host.data = place.data;
	return &place;
}

static struct place *open_at(enum lg_durability durability)
{
	struct place *p = place_make(durability);
	p->f = pod_open(&p->pod, &p->host, 2);
	return p;
}

static int setup_cxl(void **state)
{
	*state = open_at(LG_DURABILITY_CXL);
	return 0;
}

static int setup_disk(void **state)
{
	*state = open_at(LG_DURABILITY_DISK);
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	pod_close(p->f);
	return 0;
}

static void close_hosts(struct place *p)
{
	pod_close_host(p->f, 0);
	pod_close_host(p->f, 1);
}

static void open_hosts(struct place *p)
{
	pod_open_host(p->f, 0, &p->host);
	pod_open_host(p->f, 1, &p->host);
}

static struct lg_recovery lose_region_and_recover(struct place *p)
{
	struct lg_recovery recovery;
	struct lg_check_report report;
	struct lg_error err;
	OK(lg_pod_destroy(p->f->uri, false, &err));
	int code = lg_pod_recover(p->f->uri, p->data, NULL, &recovery, &err);
	if (code != LG_OK)
		fail_msg("lg_pod_recover: %d: %s", code, err.message);
	OK(lg_pod_check(p->f->uri, 0, NULL, NULL, &report, &err));
	assert_int_equal(report.findings, 0);
	return recovery;
}

/* Of the pod, as its manifest has it. */
static uint64_t pod_life(const char *data)
{
	struct manifest manifest;
	struct lg_error err;
	OK(manifest_read(data, &manifest, &err));
	return manifest.life;
}

static void text_of(char text[32], unsigned number, unsigned generation)
{
	snprintf(text, 32, "row %u, %u", number, generation);
}

/* Rows of both hosts, written by both. */
static void put_rows(struct place *p, unsigned generation)
{
	char text[32];
	for (unsigned i = 0; i < ROWS; i++) {
		text_of(text, i, generation);
		pod_put(p->f, i / 2 % 2, pod_key_on(i % 2, i), pod_text(text));
	}
	pod_del(p->f, 0, pod_key_on(0, 0));
	pod_del(p->f, 0, pod_key_on(1, 1));
}

static void expect_rows(struct place *p, unsigned generation)
{
	char text[32];
	for (unsigned i = 0; i < ROWS; i++) {
		text_of(text, i, generation);
		pod_expect_text(p->f, (i + 1) % 2, pod_key_on(i % 2, i), i < 2 ? NULL : text);
	}
}

static void rows_are_there_after_an_orderly_close(void **state)
{
	struct place *p = *state;
	for (unsigned generation = 0; generation < 3; generation++) {
		put_rows(p, generation);
		close_hosts(p);
		struct lg_recovery recovery = lose_region_and_recover(p);
		assert_int_equal(recovery.hosts, 2);
		assert_int_equal(recovery.tables, 2);
		assert_true(recovery.first_epoch >= recovery.durable_epoch);
		open_hosts(p);
		expect_rows(p, generation);
	}
	struct lg_stats stats;
	lg_host_stats(p->f->host[0], &stats);
	assert_int_equal(stats.rows_rebuilt, ROWS / 2 - 1);
}

static void rows_are_there_after_a_host_has_closed_and_opened_again(void **state)
{
	struct place *p = *state;
	put_rows(p, 1);
	pod_close_host(p->f, 1);
	pod_open_host(p->f, 1, &p->host);
	expect_rows(p, 1);
	close_hosts(p);
	open_hosts(p);
	expect_rows(p, 1);
}

static void info_tells_how_far_the_logs_are(void **state)
{
	struct place *p = *state;
	static struct lg_pod_info info;
	struct lg_error err;
	OK(lg_pod_info(p->f->uri, &info, &err));
	assert_true(info.logged);
	assert_int_equal(info.member[0].checkpoint_epoch, 0);
	put_rows(p, 1);
	uint64_t committed = lg_last_ticket(p->f->worker[0]).epoch;
	OK(lg_sync(p->f->host[0], 20000));
	OK(lg_checkpoint(p->f->host[0], &err));
	OK(lg_pod_info(p->f->uri, &info, &err));
	assert_true(info.durable_epoch >= committed && info.durable_epoch != UINT64_MAX);
	assert_in_range(info.member[0].sealed_epoch, committed, info.epoch);
	assert_in_range(info.member[0].checkpoint_epoch, committed, info.epoch);
	assert_int_equal(info.member[1].checkpoint_epoch, 0);
	for (unsigned host = 0; host < 2; host++)
		assert_true(info.member[host].logged_epoch >= info.durable_epoch);
	close_hosts(p);
	OK(lg_pod_info(p->f->uri, &info, &err));
	assert_true(info.durable_epoch == UINT64_MAX && info.member[0].logged_epoch == UINT64_MAX);
	open_hosts(p);
}

static void a_pod_may_be_recovered_twice_and_without_its_hosts(void **state)
{
	struct place *p = *state;
	put_rows(p, 7);
	close_hosts(p);
	struct lg_recovery first = lose_region_and_recover(p), second = lose_region_and_recover(p);
	assert_int_equal(first.cookie, second.cookie);
	assert_true(second.first_epoch > first.first_epoch);
	open_hosts(p);
	expect_rows(p, 7);
	/* And with one of two. */
	put_rows(p, 8);
	close_hosts(p);
	lose_region_and_recover(p);
	pod_open_host(p->f, 0, &p->host);
	pod_put(p->f, 0, pod_key_on(0, 1000), pod_text("alone"));
	pod_close_host(p->f, 0);
	lose_region_and_recover(p);
	open_hosts(p);
	expect_rows(p, 8);
	pod_expect_text(p->f, 1, pod_key_on(0, 1000), "alone");
}

static void a_pod_that_nobody_had_joined_comes_back_empty(void **state)
{
	struct place *p = place_make(LG_DURABILITY_DISK);
	struct lg_error err;
	char name[64], uri[80];
	(void)state;
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	OK(lg_pod_create(uri, &p->pod, &err));
	OK(lg_pod_destroy(uri, false, &err));
	struct lg_recovery recovery;
	OK(lg_pod_recover(uri, p->data, NULL, &recovery, &err));
	assert_int_equal(recovery.hosts, 0);
	assert_int_equal(recovery.tables, 0);
	struct lg_host *host;
	struct lg_table *table;
	struct lg_table_def def = {.name = "late", .by = LG_HASH, .prefix_bytes = 8, .partitions = 4};
	OK(lg_host_open(uri, &p->host, &host, &err));
	OK(lg_table_create(host, &def, &table, &err));
	OK(lg_host_close(host));
	OK(lg_pod_destroy(uri, false, &err));
	OK(lg_pod_recover(uri, p->data, NULL, &recovery, &err));
	assert_int_equal(recovery.tables, 1);
	OK(lg_pod_destroy(uri, false, &err));
}

static void tables_are_there_with_their_definitions_and_new_ones_can_be_made(void **state)
{
	struct place *p = *state;
	struct lg_table_def other = {.name = "hashed", .by = LG_HASH, .prefix_bytes = 4, .partitions = 8};
	struct lg_table_def more = {.name = "more", .by = LG_HASH, .prefix_bytes = 4, .partitions = 3};
	struct lg_table *table;
	struct lg_error err;
	close_hosts(p);
	lose_region_and_recover(p);
	struct lg_host_config config = p->host;
	OK(lg_host_open(p->f->uri, &config, &p->f->host[0], &err));
	OK(lg_table_open(p->f->host[0], "rows", &table, &err));
	CODE(LG_NOTFOUND, lg_table_open(p->f->host[0], "more", &table, &err));
	CODE(LG_EXISTS, lg_table_create(p->f->host[0], &other, &table, &err));
	OK(lg_table_create(p->f->host[0], &more, &table, &err));
	CODE(LG_INVALID, lg_partition_place(p->f->host[0], 0, 1, &err));
	pod_close_host(p->f, 0);
	assert_int_equal(lose_region_and_recover(p).tables, 3);
	OK(lg_host_open(p->f->uri, &config, &p->f->host[0], &err));
	OK(lg_table_open(p->f->host[0], "more", &table, &err));
}

static void partitions_stay_where_they_were_placed(void **state)
{
	struct place *p = place_make(LG_DURABILITY_DISK);
	struct lg_host_config config = p->host;
	struct lg_table_def def = {.name = "t", .by = LG_HASH, .prefix_bytes = 8, .partitions = 8};
	struct lg_table *table;
	struct lg_worker *worker;
	struct lg_host *host;
	struct lg_error err;
	struct lg_recovery recovery;
	char name[64], uri[80];
	uint32_t rows = 0;
	(void)state;
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	OK(lg_pod_create(uri, &p->pod, &err));
	OK(lg_host_open(uri, &config, &host, &err));
	for (uint32_t i = 0; i < 8; i++)
		OK(lg_partition_place(host, i, i < 5 ? 0 : 1, &err));
	OK(lg_table_create(host, &def, &table, &err));
	OK(lg_worker_open(host, &worker, &err));
	for (uint64_t i = 0; i < 64; i++) {
		int code = lg_load(worker, table, lg_slice(&i, 8), pod_text("loaded"));
		assert_true(code == LG_OK || code == LG_INVALID);
		rows += code == LG_OK;
	}
	OK(lg_worker_close(worker));
	OK(lg_host_close(host));
	OK(lg_pod_destroy(uri, false, &err));
	OK(lg_pod_recover(uri, p->data, NULL, &recovery, &err));
	OK(lg_host_open(uri, &config, &host, &err));
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(lg_partition_owner(host, i), i < 5 ? 0 : 1);
	struct lg_stats stats;
	lg_host_stats(host, &stats);
	assert_true(rows > 0 && rows < 64);
	assert_int_equal(stats.rows_rebuilt, rows);
	OK(lg_host_close(host));
	OK(lg_pod_destroy(uri, false, &err));
}

static void expect_copy(struct place *p, uint32_t host, int wanted)
{
	struct lg_table *table;
	struct lg_error err;
	struct lg_slice val;
	OK(lg_table_open(p->f->host[host], "copies", &table, &err));
	struct lg_txn *txn = pod_begin(p->f->worker[host]);
	CODE(wanted, lg_get(txn, table, pod_text("k"), &val));
	if (wanted == LG_OK)
		pod_expect_slice(val, host ? "of host 1" : "of host 0");
	lg_abort(txn);
	CODE(wanted == LG_OK ? LG_READONLY : LG_OK,
	        lg_load(p->f->worker[host], table, pod_text("another"), pod_text("row")));
}

static void each_host_has_its_copy_of_a_replicated_table_again(void **state)
{
	struct place *p = *state;
	struct lg_table_def def = {.name = "copies", .by = LG_REPLICATED};
	struct lg_table *table;
	struct lg_error err;
	for (uint32_t host = 0; host < 2; host++) {
		OK(lg_table_create(p->f->host[host], &def, &table, &err));
		OK(lg_load(p->f->worker[host], table, pod_text("k"), pod_text(host ? "of host 1" : "of host 0")));
		if (host == 0)
			OK(lg_table_seal(table));
	}
	close_hosts(p);
	lose_region_and_recover(p);
	open_hosts(p);
	expect_copy(p, 0, LG_OK);
	expect_copy(p, 1, LG_UNAVAILABLE); /* its load had not ended */
}

struct starting {
	struct place *p;
	uint32_t host;
	int code;
	atomic_bool stop;
	struct lg_error err;
};

static void *start_host(void *argument)
{
	struct starting *s = argument;
	struct lg_host_config config = s->p->host;
	config.host_id = s->host;
	s->code = lg_host_open(s->p->f->uri, &config, &s->p->f->host[s->host], &s->err);
	return NULL;
}

static void hosts_that_start_together_without_a_region_bring_the_pod_back_once(void **state)
{
	struct place *p = *state;
	struct lg_error err;
	for (unsigned generation = 0; generation < 8; generation++) {
		struct starting starting[2] = {{.p = p, .host = 0}, {.p = p, .host = 1}};
		pthread_t threads[2];
		put_rows(p, generation);
		close_hosts(p);
		uint64_t life = pod_life(p->data);
		OK(lg_pod_destroy(p->f->uri, false, &err));
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, start_host, &starting[i]), 0);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		for (unsigned i = 0; i < 2; i++) {
			if (starting[i].code != LG_OK)
				fail_msg("host %u: %d: %s", i, starting[i].code, starting[i].err.message);
			OK(lg_host_close(p->f->host[i]));
		}
		assert_int_equal(pod_life(p->data), life + 1);
		open_hosts(p);
		expect_rows(p, generation);
	}
}

/* ---- What is refused ------------------------------------------------------------------------------------------------ */

static void a_pod_is_recovered_from_its_own_directory_only(void **state)
{
	struct place *p = *state;
	struct lg_error err;
	char empty[128], path[160];
	put_rows(p, 1);
	close_hosts(p);
	OK(lg_pod_destroy(p->f->uri, false, &err));
	pod_private_directory(empty, sizeof(empty));
	CODE(LG_NOTFOUND, lg_pod_recover(p->f->uri, empty, NULL, NULL, &err));
	snprintf(path, sizeof(path), "%s/none", empty);
	CODE(LG_NOTFOUND, lg_pod_recover(p->f->uri, path, NULL, NULL, &err));
	CODE(LG_INVALID, lg_pod_recover(p->f->uri, NULL, NULL, NULL, &err));
	CODE(LG_EXISTS, lg_pod_create(p->f->uri, &p->pod, &err));
	OK(lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
	CODE(LG_EXISTS, lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
	open_hosts(p);
	expect_rows(p, 1);
}

static void a_host_needs_the_directory_of_its_pod(void **state)
{
	struct place *p = *state;
	struct lg_host_config config = p->host;
	struct lg_pod_config other = p->pod;
	struct lg_host *host;
	struct lg_error err;
	char name[64], uri[80], data[128];
	pod_close_host(p->f, 1);
	config.host_id = 1;
	config.data = NULL;
	CODE(LG_INVALID, lg_host_open(p->f->uri, &config, &host, &err));
	pod_private_directory(data, sizeof(data));
	config.data = data;
	CODE(LG_NOTFOUND, lg_host_open(p->f->uri, &config, &host, &err));
	other.data = data;
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	OK(lg_pod_create(uri, &other, &err));
	CODE(LG_MISMATCH, lg_host_open(p->f->uri, &config, &host, &err));
	OK(lg_pod_destroy(uri, false, &err));
	/* A pod without logs. */
	other.data = NULL;
	other.durability = LG_DURABILITY_CXL;
	OK(lg_pod_create(uri, &other, &err));
	CODE(LG_INVALID, lg_host_open(uri, &config, &host, &err));
	OK(lg_pod_destroy(uri, false, &err));
	pod_open_host(p->f, 1, &p->host);
}

static void a_pod_is_not_brought_back_where_that_is_not_wanted(void **state)
{
	struct place *p = *state;
	struct lg_host_config config = p->host;
	struct lg_host *host;
	struct lg_error err;
	put_rows(p, 1);
	close_hosts(p);
	OK(lg_pod_destroy(p->f->uri, false, &err));
	uint64_t life = pod_life(p->data);
	config.recover = false;
	CODE(LG_NOTFOUND, lg_host_open(p->f->uri, &config, &host, &err));
	config.recover = true;
	config.expect_cookie = 1;
	CODE(LG_MISMATCH, lg_host_open(p->f->uri, &config, &host, &err));
	assert_int_equal(pod_life(p->data), life);
	/* Nor where its hosts run, in a region of another name. */
	OK(lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
	pod_open_host(p->f, 0, &p->host);
	config = p->host;
	config.host_id = 1;
	CODE(LG_NOTFOUND, lg_host_open("shm:liger-test-not-this-one", &config, &host, &err));
	assert_non_null(strstr(err.message, p->f->uri));
	assert_non_null(strstr(err.message, "liger recover"));
	pod_open_host(p->f, 1, &p->host);
	expect_rows(p, 1);
	/* Nor by a mistyped name, where none of them runs. */
	close_hosts(p);
	life = pod_life(p->data);
	CODE(LG_NOTFOUND, lg_host_open("shm:liger-test-not-this-one", &config, &host, &err));
	assert_int_equal(pod_life(p->data), life);
	open_hosts(p);
	expect_rows(p, 1);
}

static void a_pod_whose_host_runs_is_not_recovered(void **state)
{
	struct place *p = *state;
	struct lg_error err;
	put_rows(p, 1);
	pod_close_host(p->f, 1);
	OK(lg_pod_destroy(p->f->uri, true, &err));
	CODE(LG_INUSE, lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
	assert_non_null(strstr(err.message, "host 0"));
	pod_close_host(p->f, 0);
	OK(lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
	open_hosts(p);
	expect_rows(p, 1);
}

/* What is in it may not be on disk yet. */
static void a_pod_is_not_recovered_beside_its_region(void **state)
{
	struct place *p = *state;
	struct lg_error err;
	char name[64], uri[80];
	put_rows(p, 1);
	close_hosts(p);
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	uint64_t life = pod_life(p->data);
	CODE(LG_EXISTS, lg_pod_recover(uri, p->data, NULL, NULL, &err));
	assert_non_null(strstr(err.message, p->f->uri));
	assert_int_equal(pod_life(p->data), life);
	open_hosts(p);
	expect_rows(p, 1);
	/* Another pod under that name is no hindrance; and the new name is the one to keep. */
	close_hosts(p);
	struct lg_pod_config other = p->pod;
	char first[80];
	snprintf(first, sizeof(first), "%s", p->f->uri);
	OK(lg_pod_destroy(first, false, &err));
	other.data = NULL;
	other.durability = LG_DURABILITY_CXL;
	OK(lg_pod_create(first, &other, &err));
	OK(lg_pod_recover(uri, p->data, NULL, NULL, &err));
	OK(lg_pod_destroy(first, false, &err));
	CODE(LG_EXISTS, lg_pod_recover(first, p->data, NULL, NULL, &err));
	assert_non_null(strstr(err.message, uri));
	snprintf(p->f->uri, sizeof(p->f->uri), "%s", uri);
	open_hosts(p);
	expect_rows(p, 1);
}

/* Hosts that open need their logs, whoever tries to recover the pod meanwhile. */
static void *recover_again_and_again(void *argument)
{
	struct starting *s = argument;
	struct lg_error err;
	for (s->code = LG_EXISTS; !atomic_load(&s->stop) && (s->code == LG_EXISTS || s->code == LG_INUSE);)
		s->code = lg_pod_recover(s->p->f->uri, s->p->data, NULL, NULL, &err);
	return NULL;
}

static void who_tries_to_recover_a_pod_that_is_there_keeps_nobody_out(void **state)
{
	struct place *p = *state;
	struct starting recoverer = {.p = p};
	pthread_t thread;
	put_rows(p, 1);
	assert_int_equal(pthread_create(&thread, NULL, recover_again_and_again, &recoverer), 0);
	for (unsigned i = 0; i < 8; i++) {
		close_hosts(p);
		open_hosts(p);
	}
	atomic_store(&recoverer.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (recoverer.code != LG_EXISTS && recoverer.code != LG_INUSE)
		fail_msg("lg_pod_recover: %d", recoverer.code);
	expect_rows(p, 1);
}

static void expect_not_created(struct place *p, int wanted, const char *message)
{
	struct lg_error err;
	char name[64], uri[80];
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	CODE(wanted, lg_pod_create(uri, &p->pod, &err));
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
	CODE(LG_NOTFOUND, lg_pod_destroy(uri, false, &err));
}

static void a_pod_is_made_in_an_empty_directory_only(void **state)
{
	struct place *p = *state;
	struct lg_pod_config config = p->pod;
	struct lg_error err;
	char path[160];
	close_hosts(p);
	snprintf(path, sizeof(path), "%s/pod", p->data);
	expect_not_created(p, LG_EXISTS, "holds a pod already");
	p->pod.data = path;
	expect_not_created(p, LG_SYSTEM, "Not a directory");
	p->pod = config;
	int file = open(p->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(flock(file, LOCK_EX | LOCK_NB), 0); /* as another who creates a pod in it does */
	expect_not_created(p, LG_INUSE, "another process");
	assert_int_equal(close(file), 0);
	assert_int_equal(truncate(path, 100), 0);
	expect_not_created(p, LG_CORRUPT, "offset 100");
	assert_int_equal(unlink(path), 0);
	expect_not_created(p, LG_EXISTS, "/host-00");
	OK(lg_pod_destroy(p->f->uri, false, &err));
	CODE(LG_NOTFOUND, lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
	assert_non_null(strstr(err.message, "put it back from a copy"));
}

static void a_region_from_before_the_recovery_is_refused(void **state)
{
	struct place *p = *state;
	struct lg_host *host;
	struct lg_error err;
	char name[64], uri[80], old[160], aside[176];
	put_rows(p, 1);
	close_hosts(p);
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	/* As of another machine, which is away and comes back. */
	snprintf(old, sizeof(old), "/dev/shm/%s", p->f->uri + strlen("shm:"));
	snprintf(aside, sizeof(aside), "%s-aside", old);
	assert_int_equal(rename(old, aside), 0);
	OK(lg_pod_recover(uri, p->data, NULL, NULL, &err));
	assert_int_equal(rename(aside, old), 0);
	CODE(LG_MISMATCH, lg_host_open(p->f->uri, &p->host, &host, &err));
	OK(lg_pod_destroy(p->f->uri, false, &err));
	snprintf(p->f->uri, sizeof(p->f->uri), "%s", uri);
	open_hosts(p);
	expect_rows(p, 1);
}

static void every_damage_to_the_manifest_is_noticed(void **state)
{
	struct place *p = *state;
	struct lg_error err;
	uint8_t bytes[4096];
	char path[160];
	close_hosts(p);
	OK(lg_pod_destroy(p->f->uri, false, &err));
	snprintf(path, sizeof(path), "%s/pod", p->data);
	int file = open(path, O_RDWR | O_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(pread(file, bytes, sizeof(bytes), 0), sizeof(bytes));
	for (off_t at = 0; at < (off_t)sizeof(bytes); at++) {
		uint8_t flipped = bytes[at] ^ (uint8_t)(1 << at % 8);
		assert_int_equal(pwrite(file, &flipped, 1, at), 1);
		int code = lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err);
		if (code != LG_CORRUPT && code != LG_MISMATCH)
			fail_msg("byte %ld flipped: code %d", (long)at, code);
		assert_int_equal(pwrite(file, &bytes[at], 1, at), 1);
	}
	for (off_t size = 0; size < (off_t)sizeof(bytes); size += 512) {
		assert_int_equal(ftruncate(file, size), 0);
		CODE(LG_CORRUPT, lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
	}
	assert_int_equal(pwrite(file, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(close(file), 0);
	OK(lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
	assert_int_equal(unlink(path), 0);
	OK(lg_pod_destroy(p->f->uri, false, &err));
	CODE(LG_NOTFOUND, lg_pod_recover(p->f->uri, p->data, NULL, NULL, &err));
}

#define AT_BOTH(claim)                                                                                                 \
	{#claim " [cxl]", claim, setup_cxl, teardown, NULL},                                                           \
	{                                                                                                              \
#claim " [disk]", claim, setup_disk, teardown, NULL                                                    \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        AT_BOTH(rows_are_there_after_an_orderly_close),
	        AT_BOTH(rows_are_there_after_a_host_has_closed_and_opened_again),
	        AT_BOTH(info_tells_how_far_the_logs_are),
	        AT_BOTH(a_pod_may_be_recovered_twice_and_without_its_hosts),
	        AT_BOTH(tables_are_there_with_their_definitions_and_new_ones_can_be_made),
	        AT_BOTH(each_host_has_its_copy_of_a_replicated_table_again),
	        cmocka_unit_test(a_pod_that_nobody_had_joined_comes_back_empty),
	        cmocka_unit_test(partitions_stay_where_they_were_placed),
	        AT_BOTH(hosts_that_start_together_without_a_region_bring_the_pod_back_once),
	        cmocka_unit_test_setup_teardown(
	                a_pod_is_not_brought_back_where_that_is_not_wanted, setup_disk, teardown),
	        AT_BOTH(a_pod_is_recovered_from_its_own_directory_only),
	        AT_BOTH(a_host_needs_the_directory_of_its_pod),
	        AT_BOTH(a_pod_whose_host_runs_is_not_recovered),
	        AT_BOTH(a_pod_is_not_recovered_beside_its_region),
	        AT_BOTH(who_tries_to_recover_a_pod_that_is_there_keeps_nobody_out),
	        cmocka_unit_test_setup_teardown(a_pod_is_made_in_an_empty_directory_only, setup_disk, teardown),
	        AT_BOTH(a_region_from_before_the_recovery_is_refused),
	        AT_BOTH(every_damage_to_the_manifest_is_noticed),
	};
	cmocka_set_test_filter(getenv("LG_TEST_FILTER")); /* for who looks at one of them */
	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
