/* pod_fixture.c: a private pod for one test. */
#include "pod_fixture.h"

#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_NAMES 1024
static char name_paths[MAX_NAMES][80];
#define MAX_DIRECTORIES 256
static char directories[MAX_DIRECTORIES][128];
static atomic_uint directory_count;
static atomic_uint name_count;
static atomic_int name_pid;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

/* A child that ends must not take its parent's regions away. */
static void remove_left_over(void)
{
	unsigned count = atomic_load(&name_count);
	if (atomic_load(&name_pid) != getpid())
		return;
	for (unsigned i = 0; i < count && i < MAX_NAMES; i++)
		unlink(name_paths[i]);
	count = atomic_load(&directory_count);
	for (unsigned i = 0; i < count && i < MAX_DIRECTORIES; i++)
		nftw(directories[i], remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* What runs too long is ended by SIGTERM, what fails an assertion by SIGABRT: with the default action after this. */
static void ended(int signal_number)
{
	remove_left_over();
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void remove_at_exit(void)
{
	if (atomic_exchange(&name_pid, getpid()) != getpid()) {
		atomic_store(&name_count, 0);
		atomic_store(&directory_count, 0);
		atexit(remove_left_over);
		signal(SIGTERM, ended);
		signal(SIGINT, ended);
		signal(SIGABRT, ended);
	}
}

void pod_private_directory(char *path, size_t bytes)
{
	const char *parent = getenv("TMPDIR");
	remove_at_exit();
	unsigned number = atomic_fetch_add(&directory_count, 1);
	assert_true(number < MAX_DIRECTORIES);
	snprintf(path, bytes, "%s/liger-test-XXXXXX", parent && *parent ? parent : "/tmp");
	assert_true(strlen(path) < sizeof(directories[number]));
	assert_non_null(mkdtemp(path));
	snprintf(directories[number], sizeof(directories[number]), "%s", path);
}

void pod_private_name(char *name, size_t bytes)
{
	remove_at_exit();
	unsigned number = atomic_fetch_add(&name_count, 1);
	snprintf(name, bytes, "liger-test-%ld-%u", (long)getpid(), number);
	if (number < MAX_NAMES)
		snprintf(name_paths[number], sizeof(name_paths[number]), "/dev/shm/%s", name);
}

void pod_expect(int wanted, int got, const char *call, const char *file, int line)
{
	if (got == wanted)
		return;
	print_error("%s\n  returned %d (%s)\n  instead of %d (%s)\n", call, got, lg_strerror(got), wanted,
	        lg_strerror(wanted));
	_fail(file, line);
}

static void expect_ok(int code, const char *what, const struct lg_error *err)
{
	if (code != LG_OK)
		fail_msg("%s: code %d: %s", what, code, err->message);
}

void pod_config_small(struct lg_pod_config *config, uint32_t host_count)
{
	lg_pod_config_init(config);
	config->hosts = host_count;
	config->partitions = 8;
	config->hwcc_bytes = UINT64_C(16) << 20;
	config->swcc_bytes = UINT64_C(64) << 20;
}

static void open_tables(struct pod_fixture *f, uint32_t id)
{
	static const uint64_t splits[] = {UINT64_C(1) << 62, UINT64_C(2) << 62, UINT64_C(3) << 62};
	struct lg_error err;
	uint32_t hosts = lg_host_count(f->host[id]);
	struct lg_table_def rows = {
	        .name = "rows", .by = LG_RANGE, .partitions = hosts < 4 ? hosts : 4, .splits = splits};
	struct lg_table_def hashed = {.name = "hashed", .by = LG_HASH, .prefix_bytes = 8, .partitions = 8};
	expect_ok(lg_table_create(f->host[id], &rows, &f->rows[id], &err), "lg_table_create(rows)", &err);
	expect_ok(lg_table_create(f->host[id], &hashed, &f->hashed[id], &err), "lg_table_create(hashed)", &err);
}

void pod_open_host(struct pod_fixture *f, uint32_t id, const struct lg_host_config *host_config)
{
	struct lg_host_config config;
	struct lg_error err;
	if (host_config != NULL) {
		config = *host_config;
	} else {
		lg_host_config_init(&config);
		config.request_timeout_ms =
		        20000; /* who is on a busy machine, or under a sanitizer, is slow, not silent */
	}
	config.host_id = id;
	expect_ok(lg_host_open(f->uri, &config, &f->host[id], &err), "lg_host_open", &err);
	open_tables(f, id);
	expect_ok(lg_worker_open(f->host[id], &f->worker[id], &err), "lg_worker_open", &err);
}

struct lg_worker *pod_worker(struct pod_fixture *f, uint32_t host)
{
	struct lg_error err;
	assert_true(f->more_count < POD_FIXTURE_WORKERS);
	expect_ok(lg_worker_open(f->host[host], &f->more[f->more_count], &err), "lg_worker_open", &err);
	return f->more[f->more_count++];
}

struct server {
	struct lg_worker *worker;
	atomic_bool *stop;
};

static void *server_main(void *arg)
{
	struct server server = *(struct server *)arg;
	free(arg);
	while (!atomic_load(server.stop)) {
		lg_worker_poll(server.worker);
		sched_yield();
	}
	return NULL;
}

void pod_serve(struct pod_fixture *f, uint32_t host)
{
	struct server *server = malloc(sizeof(*server));
	assert_non_null(server);
	*server = (struct server){.worker = pod_worker(f, host), .stop = &f->stop};
	assert_int_equal(pthread_create(&f->server[f->server_count], NULL, server_main, server), 0);
	f->server_count++;
}

struct pod_fixture *pod_open_as(const char *name, const struct lg_pod_config *config,
        const struct lg_host_config *host_config, uint32_t host_count)
{
	struct lg_pod_config small;
	struct lg_error err;
	struct pod_fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	if (config == NULL) {
		pod_config_small(&small, host_count);
		config = &small;
	}
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->uri, sizeof(f->uri), "shm:%s", f->name);
	int code = lg_pod_create(f->uri, config, &err);
	if (code != LG_OK) {
		free(f);
		expect_ok(code, "lg_pod_create", &err);
	}
	for (uint32_t id = 0; id < host_count; id++)
		pod_open_host(f, id, host_config);
	return f;
}

struct pod_fixture *pod_open(
        const struct lg_pod_config *config, const struct lg_host_config *host_config, uint32_t host_count)
{
	char name[64];
	pod_private_name(name, sizeof(name));
	return pod_open_as(name, config, host_config, host_count);
}

void pod_close_host(struct pod_fixture *f, uint32_t id)
{
	if (f->worker[id] != NULL)
		OK(lg_worker_close(f->worker[id]));
	f->worker[id] = NULL;
	if (f->host[id] != NULL)
		OK(lg_host_close(f->host[id]));
	f->host[id] = NULL;
}

void pod_close(struct pod_fixture *f)
{
	struct lg_error err = {0};
	atomic_store(&f->stop, true);
	for (uint32_t i = 0; i < f->server_count; i++)
		pthread_join(f->server[i], NULL);
	for (uint32_t i = 0; i < f->more_count; i++)
		lg_worker_close(f->more[i]);
	for (uint32_t id = 0; id < POD_FIXTURE_HOSTS; id++) {
		if (f->worker[id] != NULL)
			lg_worker_close(f->worker[id]);
		if (f->host[id] != NULL)
			lg_host_close(f->host[id]);
	}
	int code = lg_pod_destroy(f->uri, true, &err);
	free(f);
	expect_ok(code == LG_NOTFOUND ? LG_OK : code, "lg_pod_destroy", &err);
}

int pod_setup_local(void **state)
{
	struct pod_fixture *f = pod_open(NULL, NULL, 2);
	f->side = POD_LOCAL;
	*state = f;
	return 0;
}

int pod_setup_remote(void **state)
{
	struct pod_fixture *f = pod_open(NULL, NULL, 2);
	f->side = POD_REMOTE;
	*state = f;
	return 0;
}

int pod_setup_third(void **state)
{
	struct pod_fixture *f = pod_open(NULL, NULL, 3);
	f->side = POD_THIRD;
	*state = f;
	return 0;
}

int pod_teardown(void **state)
{
	if (*state != NULL)
		pod_close(*state);
	*state = NULL;
	return 0;
}

struct lg_slice pod_key_on(uint32_t host, uint64_t number)
{
	static _Thread_local uint8_t ring[64][9];
	static _Thread_local unsigned next;
	uint8_t *key = ring[next++ % 64];
	key[0] = (uint8_t)(host * 64);
	for (int i = 0; i < 8; i++)
		key[1 + i] = (uint8_t)(number >> (56 - 8 * i));
	return lg_slice(key, 9);
}

struct lg_slice pod_key(const struct pod_fixture *f, uint64_t number)
{
	return pod_key_on(f->side, number);
}

uint64_t pod_key_number(struct lg_slice key)
{
	uint64_t number = 0;
	assert_int_equal(key.bytes, 9);
	for (int i = 1; i < 9; i++)
		number = number << 8 | ((const uint8_t *)key.data)[i];
	return number;
}

struct lg_slice pod_text(const char *text)
{
	return lg_slice(text, strlen(text));
}

struct lg_txn *pod_begin(struct lg_worker *worker)
{
	struct lg_txn *txn = NULL;
	OK(lg_txn_begin(worker, &txn));
	assert_non_null(txn);
	return txn;
}

struct one_row {
	struct lg_table *table;
	struct lg_slice key, val;
	const char *text;
};

static int put_body(struct lg_txn *txn, void *arg)
{
	struct one_row *row = arg;
	return lg_put(txn, row->table, row->key, row->val);
}

void pod_put(struct pod_fixture *f, uint32_t host, struct lg_slice key, struct lg_slice val)
{
	struct one_row row = {.table = f->rows[host], .key = key, .val = val};
	OK(lg_run(f->worker[host], put_body, &row));
}

static int del_body(struct lg_txn *txn, void *arg)
{
	struct one_row *row = arg;
	return lg_del(txn, row->table, row->key);
}

void pod_del(struct pod_fixture *f, uint32_t host, struct lg_slice key)
{
	struct one_row row = {.table = f->rows[host], .key = key};
	OK(lg_run(f->worker[host], del_body, &row));
}

void pod_expect_slice(struct lg_slice got, const char *text)
{
	if (got.bytes != strlen(text) || memcmp(got.data, text, got.bytes) != 0)
		fail_msg("%zu bytes \"%.*s\" instead of \"%s\"", got.bytes, (int)got.bytes, (const char *)got.data,
		        text);
}

static int get_body(struct lg_txn *txn, void *arg)
{
	struct one_row *row = arg;
	struct lg_slice val;
	int code = lg_get(txn, row->table, row->key, &val);
	if (code == LG_OK && row->text != NULL)
		pod_expect_slice(val, row->text);
	if (code == LG_NOTFOUND && row->text == NULL)
		return LG_OK;
	return code == LG_OK && row->text == NULL ? LG_EXISTS : code;
}

void pod_expect_text(struct pod_fixture *f, uint32_t host, struct lg_slice key, const char *text)
{
	struct one_row row = {.table = f->rows[host], .key = key, .text = text};
	OK(lg_run(f->worker[host], get_body, &row));
}

uint64_t pod_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void pod_fill(void *data, size_t bytes, uint64_t seed)
{
	uint8_t *out = data;
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word = pod_random(&seed);
		memcpy(out + i, &word, bytes - i < 8 ? bytes - i : 8);
	}
}

bool pod_filled(struct lg_slice val, size_t bytes, uint64_t seed)
{
	const uint8_t *in = val.data;
	if (val.bytes != bytes)
		return false;
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word = pod_random(&seed);
		if (memcmp(in + i, &word, bytes - i < 8 ? bytes - i : 8) != 0)
			return false;
	}
	return true;
}

static bool env_number(const char *name, uint64_t *number)
{
	const char *text = getenv(name);
	char *end;
	if (text == NULL || *text == '\0')
		return false;
	*number = strtoull(text, &end, 0);
	if (*end != '\0')
		fail_msg("%s=%s is not a number", name, text);
	return true;
}

uint64_t pod_seed(void)
{
	uint64_t seed;
	if (!env_number("SEED", &seed)) {
		struct timespec now;
		clock_gettime(CLOCK_REALTIME, &now);
		seed = ((uint64_t)now.tv_sec << 20) ^ (uint64_t)now.tv_nsec ^ ((uint64_t)getpid() << 40);
	}
	print_message("SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint64_t pod_scaled(uint64_t count)
{
	uint64_t percent = 100;
	env_number("LG_TEST_SCALE", &percent);
	count = count * percent / 100;
	return count > 0 ? count : 1;
}
