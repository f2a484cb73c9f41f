/* pod_loss_test.c: all hosts of a pod are killed at once and its memory is gone, over and over; its logs bring it back.
 *
 * pod/crash_pod.h says who works meanwhile. The pod says how far it was durable: what clients were told of is no more than that,
 * all that was committed up to there is there, and nothing else is. Between two lives the directory may also
 * lose what a disk may lose with its power: the last batch of a log.
 */
#include "common/log_damage.h"
#include "pod/crash_pod.h"

#include <stdlib.h>
#include <string.h>

enum { HOSTS = 3 };

/* Destroys the region, as a loss of power does, and has the logs bring it back. */
static uint64_t lose_and_recover(struct crash_pod *p)
{
	struct lg_recovery recovery;
	struct lg_error err;
	OK(lg_pod_destroy(p->uri, true, &err));
	int code = lg_pod_recover(p->uri, p->data, NULL, &recovery, &err);
	if (code != LG_OK)
		fail_msg("lg_pod_recover: %d: %s", code, err.message);
	assert_true(recovery.first_epoch >= recovery.last_epoch && recovery.last_epoch >= recovery.durable_epoch);
	crash_pod_expect_clean(p);
	crash_pod_new_life(p);
	return recovery.durable_epoch;
}

static void start_all(struct crash_pod *p)
{
	for (uint32_t host = 0; host < p->hosts; host++)
		crash_pod_start(p, host);
}

/* Some time in a life: while hosts rebuild their rows, soon after, or later. */
static void await_the_end(struct crash_pod *p)
{
	if (pod_random(&p->random) % 4 == 0) {
		crash_pod_random_moment(p, 60000);
		return;
	}
	CRASH_POD_AWAIT(p, atomic_load(&p->board->checked));
	crash_pod_await_commits(p, (uint32_t)(pod_random(&p->random) % p->hosts), 1 + pod_random(&p->random) % 100);
}

static void begin(struct crash_pod *p)
{
	*p = (struct crash_pod){.hosts = HOSTS, .durability = LG_DURABILITY_DISK, .on_disk = true};
	crash_pod_create(p, pod_seed());
	start_all(p);
	CRASH_POD_AWAIT(p, atomic_load(&p->board->loaded));
}

/* The last life ends in order, and what it read last closes the histories. */
static void end(struct crash_pod *p)
{
	start_all(p);
	crash_pod_await_commits(p, 0, 20);
	crash_pod_stop_all(p);
	crash_pod_expect_clean(p);
	crash_pod_settle(p, UINT64_MAX);
	assert_int_equal(crash_pod_judge(p), 0);
	crash_pod_destroy(p);
}

static void what_clients_were_told_of_survives_the_loss_of_the_pod(void **state)
{
	(void)state;
	static struct crash_pod pod;
	uint64_t lives = pod_scaled(6), told = 0;
	begin(&pod);
	for (uint64_t life = 1; life <= lives && pod.histories + 2 * HOSTS < CRASH_MAX_LIVES; life++) {
		await_the_end(&pod);
		crash_pod_kill_all(&pod);
		uint64_t durable = lose_and_recover(&pod);
		uint64_t greatest = crash_pod_settle(&pod, durable);
		assert_true(greatest <= durable);
		assert_true(atomic_load(&pod.board->acknowledged) <= durable);
		told = greatest > told ? greatest : told;
		if (life < lives)
			start_all(&pod);
	}
	assert_true(told > 0);
	end(&pod);
}

static void a_pod_that_was_closed_in_order_comes_back_whole(void **state)
{
	(void)state;
	static struct crash_pod pod;
	begin(&pod);
	for (uint64_t life = 1; life <= pod_scaled(2); life++) {
		crash_pod_await_commits(&pod, 1, 30);
		crash_pod_stop_all(&pod);
		uint64_t durable = lose_and_recover(&pod);
		assert_true(crash_pod_settle(&pod, durable) <= durable);
		if (life < pod_scaled(2))
			start_all(&pod);
	}
	end(&pod);
}

static void without_the_last_batches_it_is_an_older_state_or_refused(void **state)
{
	(void)state;
	static struct crash_pod pod;
	uint64_t lives = pod_scaled(6), refused = 0, cut = 0;
	uint64_t durable[HOSTS] = {0}; /* the last batch of each log that lg_pod_recover() has read */
	begin(&pod);
	for (uint64_t life = 1; life <= lives && pod.histories + 2 * HOSTS < CRASH_MAX_LIVES; life++) {
		struct log_damage damage[HOSTS];
		struct lg_recovery recovery;
		struct lg_error err;
		await_the_end(&pod);
		crash_pod_kill_all(&pod);
		OK(lg_pod_destroy(pod.uri, true, &err));
		for (uint32_t host = 0; host < HOSTS; host++)
			log_damage_last_batch(&damage[host], pod.data, host,
			        (enum log_damage_kind)(pod_random(&pod.random) % LOG_DAMAGE_COUNT), durable[host],
			        &pod.random);
		int code = lg_pod_recover(pod.uri, pod.data, NULL, &recovery, &err);
		uint64_t told = atomic_load(&pod.board->acknowledged);
		if (code == LG_CORRUPT) {
			/* Some log knows of more than all logs have; with the batches back in their places, all is well. */
			if (!strstr(err.message, "acknowledged"))
				fail_msg("%s", err.message);
			refused++;
			for (uint32_t host = 0; host < HOSTS; host++)
				log_damage_undo(&damage[host]);
			code = lg_pod_recover(pod.uri, pod.data, NULL, &recovery, &err);
			assert_true(code != LG_OK || told <= recovery.durable_epoch);
		}
		if (code != LG_OK)
			fail_msg("lg_pod_recover: %d: %s", code, err.message);
		for (uint32_t host = 0; host < HOSTS; host++) {
			log_damage_free(&damage[host]);
			log_damage_last_batch(&damage[host], pod.data, host, LOG_DAMAGE_NONE, 0, &pod.random);
			durable[host] = damage[host].last > durable[host] ? damage[host].last : durable[host];
		}
		cut += recovery.durable_epoch < told;
		if (recovery.durable_epoch < told) {
			atomic_store(&pod.board->acknowledged, 0);
			for (uint32_t host = 0; host < HOSTS; host++)
				atomic_store(&pod.board->moves[host], 0);
		}
		crash_pod_settle(&pod, recovery.durable_epoch);
		crash_pod_expect_clean(&pod);
		crash_pod_new_life(&pod);
		if (life < lives)
			start_all(&pod);
	}
	print_message("%llu lives, %llu refused, %llu an older state\n", (unsigned long long)lives,
	        (unsigned long long)refused, (unsigned long long)cut);
	end(&pod);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_clients_were_told_of_survives_the_loss_of_the_pod),
	        cmocka_unit_test(a_pod_that_was_closed_in_order_comes_back_whole),
	        cmocka_unit_test(without_the_last_batches_it_is_an_older_state_or_refused),
	};
	cmocka_set_test_filter(getenv("LG_TEST_FILTER")); /* for who looks at one of them */
	return cmocka_run_group_tests_name("pod loss", tests, NULL, NULL);
}
