/* many_hosts_test.c: a pod of as many hosts as there can be, all in this process. */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <string.h>

enum { HOSTS = LG_MAX_HOSTS };

struct crowd {
	char uri[80];
	struct lg_host *host[HOSTS];
	struct lg_table *table[HOSTS];
	struct lg_worker *worker[HOSTS];
	bool created;
};

static void expect(int code, const char *what, uint32_t id, const struct lg_error *err)
{
	if (code != LG_OK)
		fail_msg("%s, host %u: %s", what, id, err->message[0] ? err->message : lg_strerror(code));
}

/* The smallest SWcc that has room for the lanes between all hosts, and for a directory and some frames of each. */
static void create_pod(struct crowd *c)
{
	struct lg_pod_config config;
	struct lg_error err = {0};
	char name[64];
	int code = LG_NOSPACE;
	pod_private_name(name, sizeof(name));
	snprintf(c->uri, sizeof(c->uri), "shm:%s", name);
	lg_pod_config_init(&config);
	config.hosts = HOSTS;
	config.partitions = HOSTS;
	config.hwcc_bytes = UINT64_C(16) << 20;
	for (config.swcc_bytes = 0; code == LG_NOSPACE;) {
		config.swcc_bytes += UINT64_C(16) << 20;
		code = lg_pod_create(c->uri, &config, &err);
	}
	expect(code, "lg_pod_create", 0, &err);
	expect(lg_pod_destroy(c->uri, true, &err), "lg_pod_destroy", 0, &err);
	config.swcc_bytes += HOSTS * (UINT64_C(6) << 20);
	expect(lg_pod_create(c->uri, &config, &err), "lg_pod_create", 0, &err);
	c->created = true;
}

static void open_host(struct crowd *c, uint32_t id)
{
	static uint64_t splits[HOSTS - 1];
	struct lg_table_def def = {.name = "rows", .by = LG_RANGE, .partitions = HOSTS, .splits = splits};
	struct lg_host_config config;
	struct lg_error err = {0};
	for (uint64_t i = 1; i < HOSTS; i++)
		splits[i - 1] = i << 56;
	lg_host_config_init(&config);
	config.host_id = id;
	config.max_workers = 1;
	expect(lg_host_open(c->uri, &config, &c->host[id], &err), "lg_host_open", id, &err);
	expect(lg_table_create(c->host[id], &def, &c->table[id], &err), "lg_table_create", id, &err);
	expect(lg_worker_open(c->host[id], &c->worker[id], &err), "lg_worker_open", id, &err);
}

static void close_host(struct crowd *c, uint32_t id)
{
	if (c->worker[id])
		OK(lg_worker_close(c->worker[id]));
	c->worker[id] = NULL;
	if (c->host[id])
		OK(lg_host_close(c->host[id]));
	c->host[id] = NULL;
}

static int crowd_teardown(void **state)
{
	struct crowd *c = *state;
	struct lg_error err;
	for (uint32_t id = 0; id < HOSTS; id++)
		close_host(c, id);
	if (c->created)
		OK(lg_pod_destroy(c->uri, true, &err));
	c->created = false;
	return 0;
}

struct access {
	struct crowd *c;
	uint32_t id, row; /* host id reads and writes the row of host `row` */
	uint64_t seen, add;
};

static struct lg_slice key_of(uint8_t key[2], uint32_t row)
{
	key[0] = (uint8_t)row;
	key[1] = 'k';
	return lg_slice(key, 2);
}

static int add_body(struct lg_txn *txn, void *arg)
{
	struct access *a = arg;
	uint8_t key[2];
	void *val;
	size_t bytes;
	int code = lg_edit(txn, a->c->table[a->id], key_of(key, a->row), &val, &bytes);
	if (code != LG_OK)
		return code;
	if (bytes != sizeof(a->seen))
		return 1000;
	memcpy(&a->seen, val, bytes);
	uint64_t sum = a->seen + a->add;
	memcpy(val, &sum, bytes);
	return LG_OK;
}

static int read_body(struct lg_txn *txn, void *arg)
{
	struct access *a = arg;
	struct lg_slice val;
	uint8_t key[2];
	int code = lg_get(txn, a->c->table[a->id], key_of(key, a->row), &val);
	if (code != LG_OK)
		return code;
	if (val.bytes != sizeof(a->seen))
		return 1000;
	memcpy(&a->seen, val.data, val.bytes);
	return LG_OK;
}

/* Sums up the rows of all hosts. */
static int sum_body(struct lg_txn *txn, void *arg)
{
	struct access *a = arg, one = *a;
	uint64_t sum = 0;
	for (one.row = 0; one.row < HOSTS; one.row++) {
		int code = read_body(txn, &one);
		if (code != LG_OK)
			return code;
		sum += one.seen;
	}
	a->seen = sum;
	return LG_OK;
}

static void sixty_four_hosts_read_and_write_each_others_rows(void **state)
{
	struct crowd *c = *state;
	struct lg_pod_info info;
	struct lg_error err;
	uint8_t key[2];
	create_pod(c);
	for (uint32_t id = 0; id < HOSTS; id++)
		open_host(c, id);
	for (uint64_t id = 0; id < HOSTS; id++) {
		assert_int_equal(
		        lg_partition_owner(c->host[0], lg_table_partition(c->table[0], key_of(key, (uint32_t)id))), id);
		OK(lg_load(c->worker[id], c->table[id], key_of(key, (uint32_t)id), lg_slice(&id, sizeof(id))));
	}
	for (uint32_t id = 0; id < HOSTS; id++) {
		struct access a = {.c = c, .id = id, .row = (id + 1) % HOSTS};
		OK(lg_run(c->worker[id], read_body, &a));
		assert_int_equal(a.seen, a.row);
	}
	for (uint32_t id = 0; id < HOSTS; id++) {
		struct access a = {.c = c, .id = id, .row = (id + HOSTS - 1) % HOSTS, .add = 1000};
		OK(lg_run(c->worker[id], add_body, &a));
		assert_int_equal(a.seen, a.row);
	}
	/* One transaction over all hosts, on the first and the last. */
	for (uint32_t id = 0; id < HOSTS; id += HOSTS - 1) {
		struct access a = {.c = c, .id = id};
		OK(lg_run(c->worker[id], sum_body, &a));
		assert_int_equal(a.seen, HOSTS * (HOSTS - 1) / 2 + HOSTS * 1000);
	}
	expect(lg_pod_info(c->uri, &info, &err), "lg_pod_info", 0, &err);
	for (uint32_t id = 0; id < HOSTS; id++)
		assert_int_equal(info.member[id].state, LG_MEMBER_LIVE);
	for (uint32_t id = 0; id < HOSTS; id++)
		close_host(c, id);
	expect(lg_pod_info(c->uri, &info, &err), "lg_pod_info", 0, &err);
	for (uint32_t id = 0; id < HOSTS; id++)
		assert_int_equal(info.member[id].state, LG_MEMBER_LEFT);
}

static void a_sixty_fifth_host_is_refused(void **state)
{
	struct crowd *c = *state;
	struct lg_host_config config;
	struct lg_host *host;
	struct lg_error err = {0};
	create_pod(c);
	lg_host_config_init(&config);
	config.host_id = HOSTS;
	CODE(LG_INVALID, lg_host_open(c->uri, &config, &host, &err));
	assert_non_null(strstr(err.message, "0..63"));
}

int main(void)
{
	static struct crowd crowd;
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_prestate_setup_teardown(
	                sixty_four_hosts_read_and_write_each_others_rows, NULL, crowd_teardown, &crowd),
	        cmocka_unit_test_prestate_setup_teardown(a_sixty_fifth_host_is_refused, NULL, crowd_teardown, &crowd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
