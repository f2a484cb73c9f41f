/* api_emulation_inprocess_test.c: lg_host_config.emulate: what it takes, what it refuses, and that rows go from host to
 * host in every mode. The modes themselves are tested in tests/unit/emulation_*_test.c and incoherent_test.c. */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *given; /* LIGER_EMULATE as this program was started with; the tests set their own */

struct emulated {
	char uri[80];
	struct lg_host *host[2];
};

static int setup(void **state)
{
	struct emulated *e = calloc(1, sizeof *e);
	struct lg_pod_config config;
	struct lg_error err = {0};
	char name[64];
	assert_non_null(e);
	unsetenv("LIGER_EMULATE");
	pod_config_small(&config, 2);
	pod_private_name(name, sizeof name);
	snprintf(e->uri, sizeof e->uri, "shm:%s", name);
	OK(lg_pod_create(e->uri, &config, &err));
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct emulated *e = *state;
	struct lg_error err = {0};
	for (unsigned id = 0; id < 2; id++)
		if (e->host[id])
			OK(lg_host_close(e->host[id]));
	unsetenv("LIGER_EMULATE"); /* which may be nonsense by now */
	OK(lg_pod_destroy(e->uri, false, &err));
	free(e);
	if (given)
		setenv("LIGER_EMULATE", given, 1);
	return 0;
}

static int open_host(struct emulated *e, uint32_t id, const char *mode, struct lg_error *err)
{
	struct lg_host_config config;
	lg_host_config_init(&config);
	config.host_id = id;
	config.emulate = mode;
	return lg_host_open(e->uri, &config, &e->host[id], err);
}

static void expect_refused(struct emulated *e, uint32_t id, const char *mode, int code, const char *piece)
{
	struct lg_error err = {0};
	CODE(code, open_host(e, id, mode, &err));
	if (!strstr(err.message, piece))
		fail_msg("%s: the message does not say \"%s\": %s", mode ? mode : "(none)", piece, err.message);
}

static void what_is_no_mode_is_refused_with_the_modes_there_are(void **state)
{
	struct emulated *e = *state;
	struct lg_error err = {0};
	expect_refused(e, 0, "slow", LG_INVALID, "delay:PROFILE");
	expect_refused(e, 0, "delay:", LG_INVALID, "profile");
	expect_refused(e, 0, "delay:no-such-device", LG_INVALID, "no-such-device");
	expect_refused(e, 0, "delay:/no/such/file.json", LG_INVALID, "/no/such/file.json");
	expect_refused(e, 0, "incoherent:many", LG_INVALID, "seed");
	OK(open_host(e, 0, "direct", &err)); /* the pod is as usable as before */
	assert_string_equal(lg_host_emulation(e->host[0]), "direct");
}

static void hosts_of_one_pod_share_one_mode(void **state)
{
	struct emulated *e = *state;
	struct lg_error err = {0};
	OK(open_host(e, 0, "delay:cxl-direct", &err));
	assert_string_equal(lg_host_emulation(e->host[0]), "delay:cxl-direct");
	expect_refused(e, 1, NULL, LG_MISMATCH, "another emulation");
	expect_refused(e, 1, "delay:switch-worst", LG_MISMATCH, "another emulation");
	expect_refused(e, 1, "incoherent", LG_MISMATCH, "another emulation");
	OK(open_host(e, 1, "delay:cxl-direct", &err));
}

static void a_direct_host_refuses_an_emulated_one(void **state)
{
	struct emulated *e = *state;
	struct lg_error err = {0};
	OK(open_host(e, 0, NULL, &err));
	expect_refused(e, 1, "incoherent:3", LG_MISMATCH, "another emulation");
	OK(open_host(e, 1, NULL, &err));
}

static void expect_look(const struct emulated *e, const char *mode, int code, const char *said)
{
	static struct lg_pod_info info;
	struct lg_error err = {0};
	CODE(code, lg_pod_info_emulated(e->uri, mode, &info, &err));
	if (code == LG_OK)
		assert_string_equal(info.emulation, said);
	else if (!strstr(err.message, said))
		fail_msg("%s: the message does not say \"%s\": %s", mode, said, err.message);
}

static void who_looks_at_a_pod_sees_it_as_its_members_do(void **state)
{
	struct emulated *e = *state;
	struct lg_error err = {0};
	expect_look(e, "slow", LG_INVALID, "delay:PROFILE");
	expect_look(e, "delay:no-such-device", LG_INVALID, "no-such-device");
	expect_look(e, "delay:switch-best", LG_OK, "delay:switch-best"); /* nobody is there: any mode */
	OK(open_host(e, 0, "delay:cxl-direct", &err));
	expect_look(e, "delay:cxl-direct", LG_OK, "delay:cxl-direct");
	expect_look(e, "delay:switch-worst", LG_MISMATCH, "another emulation");
	expect_look(e, "incoherent", LG_MISMATCH, "another emulation");
	expect_look(e, "direct", LG_MISMATCH, "under another one");
	expect_look(e, NULL, LG_OK, "direct"); /* the memory as it is */
	setenv("LIGER_EMULATE", "delay:cxl-direct", 1);
	expect_look(e, NULL, LG_OK, "delay:cxl-direct");
	CODE(LG_MISMATCH, lg_pod_destroy_emulated(e->uri, "incoherent", true, &err));
	CODE(LG_INUSE, lg_pod_destroy_emulated(e->uri, "delay:cxl-direct", false, &err));
	OK(lg_host_close(e->host[0]));
	e->host[0] = NULL;
	OK(open_host(e, 0, "direct", &err));
	expect_look(e, "incoherent:9", LG_MISMATCH, "under another one");
	expect_look(e, "direct", LG_OK, "direct");
}

static void the_environment_says_what_the_configuration_leaves_open(void **state)
{
	struct emulated *e = *state;
	struct lg_error err = {0};
	setenv("LIGER_EMULATE", "incoherent:77", 1);
	OK(open_host(e, 0, NULL, &err));
	assert_string_equal(lg_host_emulation(e->host[0]), "incoherent:77");
	setenv("LIGER_EMULATE", "nonsense", 1);
	expect_refused(e, 1, NULL, LG_INVALID, "nonsense");
	OK(open_host(e, 1, "incoherent:78", &err)); /* every host may have a seed of its own */
}

static int append(struct lg_txn *txn, void *table)
{
	void *val;
	size_t bytes;
	int code = lg_edit(txn, table, pod_key_on(0, 1), &val, &bytes);
	if (code == LG_OK)
		++*(uint64_t *)val;
	return code;
}

/* Both hosts count in one row, which lives on host 0. */
static void count_together(struct emulated *e, const char *mode)
{
	struct lg_error err = {0};
	struct lg_table_def def = {
	        .name = "rows", .by = LG_RANGE, .partitions = 2, .splits = (const uint64_t[]){UINT64_C(64) << 56}};
	struct lg_table *table[2];
	struct lg_worker *worker[2];
	uint64_t zero = 0;
	for (uint32_t id = 0; id < 2; id++) {
		OK(open_host(e, id, mode, &err));
		OK(lg_table_create(e->host[id], &def, &table[id], &err));
		OK(lg_worker_open(e->host[id], &worker[id], &err));
	}
	OK(lg_load(worker[0], table[0], pod_key_on(0, 1), lg_slice(&zero, sizeof zero)));
	for (unsigned i = 0; i < 200; i++)
		OK(lg_run(worker[i % 2], append, table[i % 2]));
	for (uint32_t id = 0; id < 2; id++) {
		struct lg_txn *txn = pod_begin(worker[id]);
		struct lg_slice val;
		OK(lg_get(txn, table[id], pod_key_on(0, 1), &val));
		assert_int_equal(*(const uint64_t *)val.data, 200);
		OK(lg_abort(txn));
		OK(lg_worker_close(worker[id]));
	}
}

static void two_hosts_count_in_one_row_behind_delays(void **state)
{
	count_together(*state, "delay:switch-typical");
}

static void two_hosts_count_in_one_row_behind_incoherent_caches(void **state)
{
	count_together(*state, "incoherent:2");
}

#define EMULATED(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        EMULATED(what_is_no_mode_is_refused_with_the_modes_there_are),
	        EMULATED(hosts_of_one_pod_share_one_mode),
	        EMULATED(a_direct_host_refuses_an_emulated_one),
	        EMULATED(who_looks_at_a_pod_sees_it_as_its_members_do),
	        EMULATED(the_environment_says_what_the_configuration_leaves_open),
	        EMULATED(two_hosts_count_in_one_row_behind_delays),
	        EMULATED(two_hosts_count_in_one_row_behind_incoherent_caches),
	};
	const char *environment = getenv("LIGER_EMULATE");
	given = environment ? strdup(environment) : NULL;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(given);
	return failed;
}
