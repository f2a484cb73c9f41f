/* tpcc_crash_test.c: a host of a running TPC-C is killed and comes back, and then the whole pod is lost and comes back: each
 * time the standard's twelve consistency conditions hold.
 */
#include "common/pod_fixture.h"

#include "outage/town.h"

/* A host is killed while all run; the other goes on with what is its own; the first comes back. */
static void lose_a_host(struct town *t, uint32_t victim)
{
	town_order(t, TOWN_RUN, 0);
	town_await_commits(t, 0, 100);
	town_await_commits(t, 1, 100);
	town_kill(t, victim);
	town_await_commits(t, 1 - victim, 20);
	town_start(t, victim);
	while (!town_is_open(t, victim)) {
		town_expect_alive(t);
		town_nap();
	}
	town_order(t, TOWN_RUN, 0);
	town_await_commits(t, 0, 50);
	town_await_commits(t, 1, 50);
	town_check(t);
}

static void lose_the_pod(struct town *t)
{
	struct lg_error err;
	town_order(t, TOWN_RUN, 0);
	town_await_commits(t, 0, 100);
	town_await_commits(t, 1, 100);
	for (uint32_t id = 0; id < TOWN_HOSTS; id++)
		town_kill(t, id);
	OK(lg_pod_destroy(t->uri, true, &err));
	int code = lg_pod_recover(t->uri, t->data, NULL, NULL, &err);
	if (code != LG_OK)
		fail_msg("lg_pod_recover: %d: %s", code, err.message);
	for (uint32_t id = 0; id < TOWN_HOSTS; id++)
		town_start(t, id);
	town_await(t);
	town_check(t);
	town_order(t, TOWN_RUN, 0);
	town_await_commits(t, 0, 50);
	town_check(t);
}

static void its_conditions_hold_after_a_host_and_the_pod_were_lost(void **state)
{
	static struct town town;
	static char data[128];
	char name[64];
	(void)state;
	pod_private_name(name, sizeof(name));
	pod_private_directory(data, sizeof(data));
	snprintf(town.uri, sizeof(town.uri), "shm:%s", name);
	town.data = data;
	town.seed = pod_seed();
	town_begin(&town, LG_DURABILITY_DISK, TOWN_HOSTS);
	lose_a_host(&town, (uint32_t)(town.seed % TOWN_HOSTS));
	lose_the_pod(&town);
	town_end(&town);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(its_conditions_hold_after_a_host_and_the_pod_were_lost),
	};
	return cmocka_run_group_tests_name("tpcc crash", tests, NULL, NULL);
}
