/* host_return_test.c: hosts of a pod that keeps logs are killed one by one, or several at once, and come back under their ids
 * while the others go on: over and over.
 *
 * pod/crash_pod.h says who works meanwhile. Nothing that any client saw as committed may be lost, at both levels: the region is
 * there all the time. While a host is away its rows are, too; when it is back they all are.
 */
#include "pod/crash_pod.h"

#include <stdlib.h>

enum { HOSTS = 3 };

static void start_killed(struct crash_pod *p)
{
	for (uint32_t host = 0; host < p->hosts; host++)
		if (!p->pid[host])
			crash_pod_start(p, host);
}

/* All are back, and all rows: each commits in its turn, and is not refused any more. */
static void await_all(struct crash_pod *p)
{
	for (uint32_t host = 0; host < p->hosts; host++) {
		crash_pod_await_commits(p, host, 10);
		uint64_t refusals;
		do {
			refusals = atomic_load(&p->board->refusals[host]);
			crash_pod_await_commits(p, host, 20);
		} while (refusals != atomic_load(&p->board->refusals[host]));
	}
}

static uint32_t any_host(struct crash_pod *p)
{
	return (uint32_t)(pod_random(&p->random) % p->hosts);
}

/* The others go on, while one is away and when it was found dead. */
static void outage(struct crash_pod *p, uint32_t away)
{
	for (uint32_t host = 0; host < p->hosts; host++)
		if (host != away)
			crash_pod_await_commits(p, host, 20);
}

static void one_dies(struct crash_pod *p)
{
	uint32_t victim = any_host(p);
	crash_pod_kill(p, victim);
	outage(p, victim);
	start_killed(p);
}

static void one_comes_back_at_once(struct crash_pod *p)
{
	crash_pod_kill(p, any_host(p));
	start_killed(p);
}

static void one_dies_again_while_it_comes_back(struct crash_pod *p)
{
	uint32_t victim = any_host(p);
	crash_pod_kill(p, victim);
	crash_pod_start(p, victim);
	crash_pod_random_moment(p, 20000);
	crash_pod_kill(p, victim);
	start_killed(p);
}

static void another_dies_while_one_comes_back(struct crash_pod *p)
{
	uint32_t victim = any_host(p), other = (victim + 1 + any_host(p) % (p->hosts - 1)) % p->hosts;
	crash_pod_kill(p, victim);
	if (pod_random(&p->random) % 2)
		outage(p, victim);
	crash_pod_start(p, victim);
	crash_pod_random_moment(p, 20000);
	crash_pod_kill(p, other);
	start_killed(p);
}

static void two_die(struct crash_pod *p)
{
	uint32_t survivor = any_host(p);
	for (uint32_t host = 0; host < p->hosts; host++)
		if (host != survivor)
			crash_pod_kill(p, host);
	crash_pod_await_commits(p, survivor, 20);
	start_killed(p);
}

static void all_die_and_the_region_stays(struct crash_pod *p)
{
	crash_pod_kill_all(p);
	start_killed(p);
}

static void (*const misfortunes[])(struct crash_pod *p) = {one_dies, one_comes_back_at_once,
        one_dies_again_while_it_comes_back, another_dies_while_one_comes_back, two_die, all_die_and_the_region_stays};
enum { MISFORTUNES = sizeof(misfortunes) / sizeof(*misfortunes) };

static void hosts_die_and_come_back(enum lg_durability durability)
{
	static struct crash_pod pod;
	pod = (struct crash_pod){.hosts = HOSTS, .durability = durability, .outages = true};
	crash_pod_create(&pod, pod_seed());
	start_killed(&pod);
	CRASH_POD_AWAIT(&pod, atomic_load(&pod.board->loaded));
	uint64_t rounds = pod_scaled(6);
	for (uint64_t round = 0; round < rounds && pod.histories + 2 * HOSTS < CRASH_MAX_LIVES; round++) {
		await_all(&pod);
		misfortunes[(round + pod.list.seed) % MISFORTUNES](&pod);
	}
	await_all(&pod);
	crash_pod_stop_all(&pod);
	crash_pod_expect_clean(&pod);
	print_message("%llu rounds, %u lives\n", (unsigned long long)rounds, pod.histories);
	assert_int_equal(crash_pod_judge(&pod), 0);
	crash_pod_destroy(&pod);
}

static void at_cxl_hosts_come_back_with_all_their_rows(void **state)
{
	(void)state;
	hosts_die_and_come_back(LG_DURABILITY_CXL);
}

static void at_disk_hosts_come_back_with_all_their_rows(void **state)
{
	(void)state;
	hosts_die_and_come_back(LG_DURABILITY_DISK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(at_cxl_hosts_come_back_with_all_their_rows),
	        cmocka_unit_test(at_disk_hosts_come_back_with_all_their_rows),
	};
	cmocka_set_test_filter(getenv("LG_TEST_FILTER")); /* for who looks at one of them */
	return cmocka_run_group_tests_name("host return", tests, NULL, NULL);
}
