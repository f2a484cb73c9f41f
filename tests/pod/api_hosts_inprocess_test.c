/* api_hosts_inprocess_test.c: pods and hosts: creating, joining, leaving, and regions that are refused. */
#include "common/pod_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A URI that nobody uses, and the path of its region. The region is removed when the process ends. */
struct place {
	char name[64], uri[80], path[96];
};

static struct place private_place(void)
{
	struct place p;
	pod_private_name(p.name, sizeof(p.name));
	snprintf(p.uri, sizeof(p.uri), "shm:%s", p.name);
	snprintf(p.path, sizeof(p.path), "/dev/shm/%s", p.name);
	return p;
}

static void small_pod(const struct place *p)
{
	struct lg_pod_config config;
	struct lg_error err;
	pod_config_small(&config, 2);
	config.hwcc_bytes = UINT64_C(2) << 20;
	config.swcc_bytes = UINT64_C(8) << 20;
	int code = lg_pod_create(p->uri, &config, &err);
	if (code != LG_OK)
		fail_msg("lg_pod_create: %s", err.message);
}

static int open_host(const struct place *p, uint32_t id, struct lg_host **host, struct lg_error *err)
{
	struct lg_host_config config;
	lg_host_config_init(&config);
	config.host_id = id;
	return lg_host_open(p->uri, &config, host, err);
}

static void a_name_is_created_once_and_belongs_to_its_user(void **state)
{
	struct place p = private_place();
	struct lg_pod_config config;
	struct lg_error err;
	struct stat st;
	(void)state;
	pod_config_small(&config, 2);
	OK(lg_pod_create(p.uri, &config, &err));
	CODE(LG_EXISTS, lg_pod_create(p.uri, &config, &err));
	assert_int_equal(err.code, LG_EXISTS);
	assert_true(strstr(err.message, p.name) != NULL);
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	OK(lg_pod_destroy(p.uri, false, &err));
	assert_int_equal(stat(p.path, &st), -1);
	CODE(LG_NOTFOUND, lg_pod_destroy(p.uri, false, &err));
}

static void uris_that_make_no_sense_are_invalid(void **state)
{
	static const char *const uris[] = {
	        "", "shm:", "shm:a/b", "file:", "nothing", "tape:reel", "/dev/shm/x", "shm:..", "shm:."};
	struct lg_pod_config config;
	struct lg_host_config host_config;
	struct lg_host *host;
	static struct lg_pod_info info;
	(void)state;
	pod_config_small(&config, 2);
	lg_host_config_init(&host_config);
	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		struct lg_error err = {0};
		CODE(LG_INVALID, lg_pod_create(uris[i], &config, &err));
		assert_true(strlen(err.message) > 10);
		CODE(LG_INVALID, lg_pod_destroy(uris[i], true, &err));
		CODE(LG_INVALID, lg_pod_info(uris[i], &info, &err));
		CODE(LG_INVALID, lg_host_open(uris[i], &host_config, &host, &err));
	}
}

static void refuse_config(const struct lg_pod_config *config, int wanted, const char *what)
{
	struct place p = private_place();
	struct lg_error err = {0};
	struct stat st;
	int code = lg_pod_create(p.uri, config, &err);
	if (code != wanted)
		fail_msg("%s: returned %d (%s)", what, code, lg_strerror(code));
	assert_true(strlen(err.message) > 10);
	assert_int_equal(stat(p.path, &st), -1);
}

static void configurations_that_make_no_sense_are_refused(void **state)
{
	struct lg_pod_config base, c;
	(void)state;
	pod_config_small(&base, 2);
#define REFUSE(code, field, number) (c = base, c.field = number, refuse_config(&c, code, #field "=" #number))
	REFUSE(LG_INVALID, hosts, 0);
	REFUSE(LG_LIMIT, hosts, LG_MAX_HOSTS + 1);
	REFUSE(LG_INVALID, partitions, 0);
	REFUSE(LG_LIMIT, partitions, LG_MAX_PARTITIONS + 1);
	REFUSE(LG_INVALID, hwcc_bytes, 0);
	REFUSE(LG_INVALID, hwcc_bytes, (UINT64_C(2) << 20) + 4096);
	REFUSE(LG_INVALID, swcc_bytes, 0);
	REFUSE(LG_INVALID, swcc_bytes, (UINT64_C(8) << 20) + 64);
	REFUSE(LG_INVALID, epoch_ms, 0);
	REFUSE(LG_INVALID, epoch_ms, 1001);
	REFUSE(LG_INVALID, durability, (enum lg_durability)7);
	base.hosts = 64;
	REFUSE(LG_NOSPACE, swcc_bytes, UINT64_C(2) << 20);
}

static void pod_info_tells_configuration_members_and_owners(void **state)
{
	struct pod_fixture *f = *state;
	static struct lg_pod_info info;
	struct lg_error err;
	pod_close_host(f, 1);
	OK(lg_pod_info(f->uri, &info, &err));
	assert_int_equal(info.config.hosts, 2);
	assert_int_equal(info.config.partitions, 8);
	assert_int_equal(info.config.hwcc_bytes, UINT64_C(16) << 20);
	assert_int_equal(info.config.swcc_bytes, UINT64_C(64) << 20);
	assert_int_equal(info.config.epoch_ms, 10);
	assert_true(info.region_bytes >= UINT64_C(80) << 20);
	assert_int_equal(info.cookie, lg_pod_cookie(f->host[0]));
	assert_true(info.cookie != 0);
	assert_int_equal(info.table_count, 2);
	assert_int_equal(info.member[0].state, LG_MEMBER_LIVE);
	assert_int_equal(info.member[0].pid, getpid());
	assert_int_equal(info.member[0].partitions, 4);
	assert_true(info.member[1].state == LG_MEMBER_LEFT || info.member[1].state == LG_MEMBER_FREE);
	assert_int_equal(info.member[1].pid, 0);
	for (uint32_t p = 0; p < 8; p++)
		assert_int_equal(info.partition_owner[p], p % 2);
	assert_true(info.hwcc_fixed_bytes <= 256 << 10);
	CODE(LG_NOTFOUND, lg_pod_info("shm:liger-test-no-such-region", &info, &err));
	assert_true(strstr(err.message, "liger-test-no-such-region") != NULL);
}

static void a_pod_in_use_is_not_destroyed_unless_forced(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_error err;
	CODE(LG_INUSE, lg_pod_destroy(f->uri, false, &err));
	assert_true(err.message[0] != '\0');
	pod_put(f, 0, pod_key_on(1, 1), pod_text("alive"));
	OK(lg_pod_destroy(f->uri, true, &err));
	CODE(LG_NOTFOUND, lg_pod_destroy(f->uri, true, &err));
}

static void host_ids_are_checked(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_host_config config;
	struct lg_host *host = NULL;
	struct lg_error err;
	lg_host_config_init(&config);
	CODE(LG_INUSE, lg_host_open(f->uri, &config, &host, &err));
	assert_int_equal(err.code, LG_INUSE);
	assert_true(strlen(err.message) > 10);
	config.host_id = 2;
	CODE(LG_INVALID, lg_host_open(f->uri, &config, &host, &err));
	config.host_id = LG_MAX_HOSTS;
	CODE(LG_INVALID, lg_host_open(f->uri, &config, &host, &err));
	CODE(LG_NOTFOUND, lg_host_open("shm:liger-test-no-such-region", &config, &host, &err));
	assert_true(strstr(err.message, "liger-test-no-such-region") != NULL);
	assert_int_equal(lg_host_id(f->host[1]), 1);
	assert_int_equal(lg_host_count(f->host[1]), 2);
	pod_put(f, 0, pod_key_on(1, 1), pod_text("unharmed"));
}

static void worker_counts_are_checked(void **state)
{
	struct place p = private_place();
	struct lg_host_config config;
	struct lg_host *host;
	struct lg_worker *worker[3];
	struct lg_error err;
	(void)state;
	small_pod(&p);
	lg_host_config_init(&config);
	for (uint32_t n = 0; n <= LG_MAX_WORKERS + 1; n += LG_MAX_WORKERS + 1) {
		config.max_workers = n;
		int code = lg_host_open(p.uri, &config, &host, &err);
		assert_true(code == LG_INVALID || code == LG_LIMIT);
	}
	config.max_workers = 2;
	OK(lg_host_open(p.uri, &config, &host, &err));
	OK(lg_worker_open(host, &worker[0], &err));
	OK(lg_worker_open(host, &worker[1], &err));
	CODE(LG_LIMIT, lg_worker_open(host, &worker[2], &err));
	assert_true(err.message[0] != '\0');
	OK(lg_worker_close(worker[0]));
	OK(lg_worker_open(host, &worker[0], &err));
	OK(lg_worker_close(worker[0]));
	OK(lg_worker_close(worker[1]));
	OK(lg_host_close(host));
	OK(lg_pod_destroy(p.uri, false, &err));
}

static void a_host_with_open_workers_stays_open(void **state)
{
	struct pod_fixture *f = *state;
	CODE(LG_INVALID, lg_host_close(f->host[1]));
	pod_put(f, 1, pod_key_on(1, 1), pod_text("still here"));
	pod_expect_text(f, 0, pod_key_on(1, 1), "still here");
}

static void a_host_that_left_can_join_again(void **state)
{
	struct pod_fixture *f = *state;
	static struct lg_pod_info info;
	struct lg_error err;
	for (int i = 0; i < 3; i++) {
		OK(lg_pod_info(f->uri, &info, &err));
		uint64_t before = info.member[1].incarnation;
		pod_close_host(f, 1);
		pod_open_host(f, 1, NULL);
		OK(lg_pod_info(f->uri, &info, &err));
		assert_true(info.member[1].incarnation > before);
		assert_int_equal(info.member[1].state, LG_MEMBER_LIVE);
		/* Without durability its rows went with it; host 0 kept its own. */
		pod_expect_text(f, 0, pod_key_on(1, 1), NULL);
		pod_put(f, 0, pod_key_on(1, 1), pod_text("new"));
		pod_put(f, 1, pod_key_on(0, 1), pod_text("new"));
		pod_expect_text(f, 1, pod_key_on(1, 1), "new");
		pod_expect_text(f, 0, pod_key_on(0, 1), "new");
	}
}

static void rows_of_a_host_that_is_not_there_are_unavailable(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_slice val, key;
	struct lg_scan *scan;
	struct lg_detail detail;
	struct lg_txn *txn;
	pod_put(f, 0, pod_key_on(0, 1), pod_text("mine"));
	pod_put(f, 0, pod_key_on(1, 1), pod_text("theirs"));
	pod_close_host(f, 1);
	for (int i = 0; i < 4; i++) {
		txn = pod_begin(f->worker[0]);
		OK(lg_get(txn, f->rows[0], pod_key_on(0, 1), &val));
		if (i == 0)
			CODE(LG_UNAVAILABLE, lg_get(txn, f->rows[0], pod_key_on(1, 1), &val));
		if (i == 1)
			CODE(LG_UNAVAILABLE, lg_put(txn, f->rows[0], pod_key_on(1, 2), pod_text("x")));
		if (i == 2)
			CODE(LG_UNAVAILABLE, lg_insert(txn, f->rows[0], pod_key_on(1, 3), pod_text("x")));
		if (i == 3) {
			int code = lg_scan_open(txn, f->rows[0], pod_key_on(1, 0), pod_key_on(1, 9), 0, 0, &scan);
			CODE(LG_UNAVAILABLE, code == LG_OK ? lg_scan_next(scan, &key, &val) : code);
		}
		lg_txn_detail(txn, &detail);
		assert_int_equal(detail.code, LG_UNAVAILABLE);
		assert_int_equal(detail.holder, 1);
		lg_abort(txn);
	}
	pod_put(f, 0, pod_key_on(0, 1), pod_text("still mine"));
	pod_expect_text(f, 0, pod_key_on(0, 1), "still mine");
}

static void the_cookie_must_be_the_one_expected(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_host_config config;
	struct lg_host *host;
	struct lg_error err;
	uint64_t cookie = lg_pod_cookie(f->host[0]);
	assert_int_equal(lg_pod_cookie(f->host[1]), cookie);
	pod_close_host(f, 1);
	lg_host_config_init(&config);
	config.host_id = 1;
	config.expect_cookie = cookie ^ 1;
	CODE(LG_MISMATCH, lg_host_open(f->uri, &config, &host, &err));
	assert_true(strlen(err.message) > 10);
	config.expect_cookie = cookie;
	OK(lg_host_open(f->uri, &config, &host, &err));
	OK(lg_host_close(host));
}

/* ---- Regions that are no pods, or other pods ----------------------------------------------------------------------- */

struct bytes {
	uint8_t *data;
	size_t count;
};

static struct bytes slurp(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	struct bytes b = {.data = malloc((size_t)st.st_size + 1), .count = (size_t)st.st_size};
	assert_non_null(b.data);
	for (size_t at = 0; at < b.count;) {
		ssize_t got = read(fd, b.data + at, b.count - at);
		assert_true(got > 0);
		at += (size_t)got;
	}
	close(fd);
	return b;
}

static void write_at(const char *path, off_t at, const void *data, size_t count)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, count, at), (ssize_t)count);
	close(fd);
}

/* Nobody takes the region for a pod, says why, and changes it. Only what is a pod, if of another version, may be destroyed
 * by force. */
static void expect_foreign(const struct place *p, bool a_pod)
{
	static struct lg_pod_info info;
	struct lg_host *host = NULL;
	struct lg_error err = {0};
	struct lg_pod_config config;
	struct bytes before = slurp(p->path);
	CODE(LG_MISMATCH, open_host(p, 0, &host, &err));
	assert_int_equal(err.code, LG_MISMATCH);
	assert_true(strstr(err.message, p->name) != NULL);
	assert_true(strlen(err.message) > strlen(p->name) + 10);
	CODE(LG_MISMATCH, lg_pod_info(p->uri, &info, &err));
	CODE(LG_MISMATCH, lg_pod_destroy(p->uri, false, &err));
	if (!a_pod)
		CODE(LG_MISMATCH, lg_pod_destroy(p->uri, true, &err));
	pod_config_small(&config, 2);
	CODE(LG_EXISTS, lg_pod_create(p->uri, &config, &err));
	struct bytes after = slurp(p->path);
	assert_int_equal(before.count, after.count);
	assert_memory_equal(before.data, after.data, before.count);
	free(before.data);
	free(after.data);
	assert_int_equal(unlink(p->path), 0);
}

static void a_file_of_garbage_is_no_pod(void **state)
{
	static uint8_t garbage[3 << 20];
	(void)state;
	pod_fill(garbage, sizeof(garbage), 4711);
	for (size_t bytes = 1; bytes <= sizeof(garbage); bytes = bytes * 40 + 1) {
		struct place p = private_place();
		write_at(p.path, 0, garbage, bytes);
		expect_foreign(&p, false);
	}
	struct place p = private_place();
	write_at(p.path, 0, garbage, sizeof(garbage));
	expect_foreign(&p, false);
}

static void an_empty_file_is_no_pod(void **state)
{
	struct place p = private_place();
	(void)state;
	write_at(p.path, 0, "", 0);
	expect_foreign(&p, false);
	p = private_place();
	write_at(p.path, (16 << 20) - 1, "", 1);
	expect_foreign(&p, false);
}

static void any_changed_byte_of_the_identity_is_noticed(void **state)
{
	(void)state;
	/* The magic stands first, then the format version and the hash of the layout. */
	for (off_t at = 0; at < 16; at++) {
		struct place p = private_place();
		uint8_t byte;
		small_pod(&p);
		struct bytes b = slurp(p.path);
		byte = b.data[at] ^ 0x40;
		free(b.data);
		write_at(p.path, at, &byte, 1);
		expect_foreign(&p, at >= 8);
	}
}

static void a_truncated_region_is_refused(void **state)
{
	static const off_t sizes[] = {64, 4096, 100000, 2 << 20, 9 << 20};
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct place p = private_place();
		small_pod(&p);
		assert_int_equal(truncate(p.path, sizes[i]), 0);
		expect_foreign(&p, true);
	}
}

static void a_pod_lives_in_a_file_too(void **state)
{
	struct place p = private_place();
	struct lg_host *host[2];
	struct lg_error err;
	(void)state;
	snprintf(p.uri, sizeof(p.uri), "file:/dev/shm/%s", p.name);
	small_pod(&p);
	OK(open_host(&p, 0, &host[0], &err));
	OK(open_host(&p, 1, &host[1], &err));
	CODE(LG_INUSE, lg_pod_destroy(p.uri, false, &err));
	OK(lg_host_close(host[0]));
	OK(lg_host_close(host[1]));
	OK(lg_pod_destroy(p.uri, false, &err));
	assert_int_equal(access(p.path, F_OK), -1);
}

/* ---- Fork ---------------------------------------------------------------------------------------------------------- */

/* In the child: the number of the first call that did not return LG_FORKED, 0 if all did. */
static int try_in_child(struct pod_fixture *f, struct lg_txn *txn)
{
	struct lg_error err;
	struct lg_slice val;
	struct lg_scan *scan;
	struct lg_txn *other;
	struct lg_table *table;
	struct lg_worker *worker;
	void *edit;
	size_t bytes;
	struct lg_table_def def = {.name = "child", .by = LG_REPLICATED};
	struct lg_slice key = pod_key_on(0, 1), remote = pod_key_on(1, 1);
	const int codes[] = {
	        lg_get(txn, f->rows[0], key, &val),
	        lg_get(txn, f->rows[0], remote, &val),
	        lg_put(txn, f->rows[0], key, pod_text("x")),
	        lg_insert(txn, f->rows[0], key, pod_text("x")),
	        lg_edit(txn, f->rows[0], key, &edit, &bytes),
	        lg_del(txn, f->rows[0], key),
	        lg_scan_open(txn, f->rows[0], key, remote, 0, 0, &scan),
	        lg_commit(txn),
	        lg_abort(txn),
	        lg_txn_begin(f->worker[1], &other),
	        lg_load(f->worker[1], f->rows[1], remote, pod_text("x")),
	        lg_table_create(f->host[0], &def, &table, &err),
	        lg_table_open(f->host[0], "rows", &table, &err),
	        lg_worker_open(f->host[0], &worker, &err),
	        lg_partition_place(f->host[0], 0, 0, &err),
	        lg_worker_close(f->worker[1]),
	        lg_host_close(f->host[1]),
	};
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (codes[i] != LG_FORKED)
			return (int)i + 1;
	}
	return 0;
}

static void a_host_is_refused_in_a_forked_child(void **state)
{
	struct pod_fixture *f = *state;
	int status;
	pod_put(f, 0, pod_key_on(0, 1), pod_text("parent"));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, f->rows[0], pod_key_on(0, 1), pod_text("parent's")));
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(try_in_child(f, txn));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0)
		fail_msg("call %d of the child did not return LG_FORKED", WEXITSTATUS(status));
	OK(lg_commit(txn));
	pod_expect_text(f, 1, pod_key_on(0, 1), "parent's");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_name_is_created_once_and_belongs_to_its_user),
	        cmocka_unit_test(uris_that_make_no_sense_are_invalid),
	        cmocka_unit_test(configurations_that_make_no_sense_are_refused),
	        POD_LOCAL_TEST(pod_info_tells_configuration_members_and_owners),
	        POD_LOCAL_TEST(a_pod_in_use_is_not_destroyed_unless_forced),
	        POD_LOCAL_TEST(host_ids_are_checked),
	        cmocka_unit_test(worker_counts_are_checked),
	        POD_LOCAL_TEST(a_host_with_open_workers_stays_open),
	        POD_LOCAL_TEST(a_host_that_left_can_join_again),
	        POD_LOCAL_TEST(rows_of_a_host_that_is_not_there_are_unavailable),
	        POD_LOCAL_TEST(the_cookie_must_be_the_one_expected),
	        cmocka_unit_test(a_file_of_garbage_is_no_pod),
	        cmocka_unit_test(an_empty_file_is_no_pod),
	        cmocka_unit_test(any_changed_byte_of_the_identity_is_noticed),
	        cmocka_unit_test(a_truncated_region_is_refused),
	        cmocka_unit_test(a_pod_lives_in_a_file_too),
	        POD_LOCAL_TEST(a_host_is_refused_in_a_forked_child),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
