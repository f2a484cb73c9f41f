/* member_test.c: joining and leaving, the epoch, what may be reused, the priority, the partition map, the doorbells. */
#include "unit/unit_pod.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cxl/pod.h"

static struct lg_error err;

static void a_host_joins_leaves_and_joins_again_as_the_next_incarnation(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t incarnation, seen;
	for (uint64_t round = 1; round < 4; round++) {
		assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_OK);
		assert_int_equal(incarnation, round);
		assert_int_equal(member_state(&pod->port, 1, &seen), LG_MEMBER_JOINING);
		assert_int_equal(seen, round);
		assert_int_equal(member_pid(&pod->port, 1), getpid());
		assert_int_equal(member_oldest(&pod->port, 1), 1);
		assert_true(member_alive(&pod->port, 1));
		member_set_state(&pod->port, 1, LG_MEMBER_LIVE);
		assert_int_equal(member_state(&pod->port, 1, NULL), LG_MEMBER_LIVE);
		member_set_state(&pod->port, 1, LG_MEMBER_LEAVING);
		assert_true(member_alive(&pod->port, 1));
		member_set_state(&pod->port, 1, LG_MEMBER_LEFT);
		assert_int_equal(member_state(&pod->port, 1, &seen), LG_MEMBER_LEFT);
		assert_int_equal(seen, round);
		assert_int_equal(member_pid(&pod->port, 1), 0);
		assert_int_equal(member_oldest(&pod->port, 1), UINT64_MAX);
		assert_false(member_alive(&pod->port, 1));
	}
}

static void a_host_id_that_is_taken_or_out_of_range_is_refused(void **state)
{
	struct unit_pod *pod = *state;
	const enum lg_member_state taken[] = {LG_MEMBER_JOINING, LG_MEMBER_LIVE, LG_MEMBER_LEAVING};
	uint64_t incarnation, seen;
	char pid[32];
	snprintf(pid, sizeof pid, "process %d", (int)getpid());
	assert_int_equal(member_join(&pod->port, 0, 0, &incarnation, &err), LG_OK);
	for (int i = 0; i < 3; i++) {
		member_set_state(&pod->port, 0, taken[i]);
		unit_expect_error(LG_INUSE, member_join(&pod->port, 0, 0, &seen, &err), &err, pid);
		assert_int_equal(member_state(&pod->port, 0, &seen), taken[i]);
		assert_int_equal(seen, incarnation);
	}
	unit_expect_error(LG_INVALID, member_join(&pod->port, 2, 0, &seen, &err), &err, "0 to 1");
	unit_expect_error(LG_INVALID, member_join(&pod->port, UINT32_MAX, 0, &seen, &err), &err, "out of range");
}

static void a_host_that_died_stays_a_member_and_the_message_says_so(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t incarnation;
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(member_join(&pod->port, 0, 0, &incarnation, NULL) != LG_OK);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_false(member_alive(&pod->port, 0));
	unit_expect_error(LG_INUSE, member_join(&pod->port, 0, 0, &incarnation, &err), &err, "fenced");
}

static void a_state_that_nobody_writes_counts_as_live(void **state)
{
	struct unit_pod *pod = *state;
	struct pod_member *member = (void *)(pod->region.base + POD_MEMBERS_OFFSET);
	uint64_t incarnation;
	atomic_store(&member->state, 9 << 24 | 200);
	assert_int_equal(member_state(&pod->port, 0, &incarnation), LG_MEMBER_LIVE);
	assert_int_equal(incarnation, 9);
	assert_int_equal(member_join(&pod->port, 0, 0, &incarnation, &err), LG_INUSE);
}

static void heartbeats_grow(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t before = member_heartbeat(&pod->port, 1);
	member_beat(&pod->port, 1);
	member_beat(&pod->port, 1);
	assert_int_equal(member_heartbeat(&pod->port, 1), before + 2);
}

static void the_epoch_moves_one_step_a_tick(void **state)
{
	struct unit_pod *pod = *state;
	epoch_tick(&pod->port, 1);
	assert_int_equal(epoch_load(&pod->port), 2);
	epoch_tick(&pod->port, 1); /* somebody else has ticked already */
	assert_int_equal(epoch_load(&pod->port), 2);
	epoch_reach(&pod->port, 10);
	assert_int_equal(epoch_load(&pod->port), 10);
	epoch_reach(&pod->port, 5);
	assert_int_equal(epoch_load(&pod->port), 10);
}

static void the_pods_oldest_epoch_is_that_of_its_slowest_member_or_the_current_one(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t incarnation;
	assert_int_equal(member_pod_oldest(&pod->port), 1);
	epoch_reach(&pod->port, 10);
	assert_int_equal(member_pod_oldest(&pod->port), 10); /* nobody is there */
	assert_int_equal(member_join(&pod->port, 0, 0, &incarnation, &err), LG_OK);
	assert_int_equal(member_oldest(&pod->port, 0), 10);
	assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_OK);
	epoch_reach(&pod->port, 20);
	assert_int_equal(member_pod_oldest(&pod->port), 10);
	member_publish_oldest(&pod->port, 0, 15);
	assert_int_equal(member_pod_oldest(&pod->port), 10);
	member_publish_oldest(&pod->port, 1, 17);
	assert_int_equal(member_pod_oldest(&pod->port), 15);
	member_publish_oldest(&pod->port, 0, UINT64_MAX); /* it runs none */
	assert_int_equal(member_pod_oldest(&pod->port), 17);
	member_set_state(&pod->port, 1, LG_MEMBER_LEAVING);
	assert_int_equal(member_pod_oldest(&pod->port), 17);
	member_set_state(&pod->port, 1, LG_MEMBER_LEFT);
	assert_int_equal(member_pod_oldest(&pod->port), 20);
}

static void the_priority_has_one_holder_until_it_drops_it_or_expires(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t mine = priority_id(1, 0, 3), other = priority_id(1, 1, 0);
	assert_int_equal(priority_load(&pod->port), 0);
	assert_true(priority_take(&pod->port, mine));
	assert_true(priority_take(&pod->port, mine));
	assert_false(priority_take(&pod->port, other));
	priority_drop(&pod->port, other);
	assert_int_equal(priority_load(&pod->port), mine);
	priority_drop(&pod->port, mine);
	assert_int_equal(priority_load(&pod->port), 0);
	assert_true(priority_take(&pod->port, other));
	epoch_reach(&pod->port, PRIORITY_EPOCHS);
	assert_false(priority_take(&pod->port, mine));
	epoch_reach(&pod->port, PRIORITY_EPOCHS + 1);
	mine = priority_id(PRIORITY_EPOCHS + 1, 0, 3);
	assert_true(priority_take(&pod->port, mine));
	priority_drop(&pod->port, other); /* who had held it finds that it is another's */
	assert_int_equal(priority_load(&pod->port), mine);
}

static void a_partition_belongs_to_whom_it_was_placed_with(void **state)
{
	struct unit_pod *pod = *state;
	partition_place(&pod->port, 7, 0);
	assert_int_equal(partition_owner(&pod->port, 7), 0);
	partition_place(&pod->port, 0, 1);
	assert_int_equal(partition_owner(&pod->port, 0), 1);
	assert_int_equal(partition_owner(&pod->port, 1), 1);
}

static void a_doorbell_tells_who_rang_once(void **state)
{
	struct unit_pod *pod = *state;
	assert_int_equal(doorbell_look(&pod->port, 1), 0);
	doorbell_ring(&pod->port, 1, 0);
	doorbell_ring(&pod->port, 1, 63);
	doorbell_ring(&pod->port, 1, 0);
	assert_int_equal(doorbell_look(&pod->port, 0), 0);
	assert_int_equal(doorbell_look(&pod->port, 1), UINT64_C(1) << 63 | 1);
	assert_int_equal(doorbell_answer(&pod->port, 1), UINT64_C(1) << 63 | 1);
	assert_int_equal(doorbell_look(&pod->port, 1), 0);
}

struct joiner {
	struct cxl_port port;
	pthread_barrier_t *barrier;
	uint64_t rounds, joined;
};

static void *join_and_leave(void *arg)
{
	struct joiner *j = arg;
	for (uint64_t i = 0; i < j->rounds; i++) {
		uint64_t incarnation;
		pthread_barrier_wait(j->barrier);
		int code = member_join(&j->port, 0, 0, &incarnation, NULL);
		if (code == LG_OK && incarnation != i + 1)
			return NULL;
		pthread_barrier_wait(j->barrier);
		if (code == LG_OK) {
			member_set_state(&j->port, 0, LG_MEMBER_LEFT);
			j->joined++;
		}
	}
	return NULL;
}

static void of_two_who_join_as_the_same_host_one_wins(void **state)
{
	struct unit_pod *pod = *state;
	pthread_barrier_t barrier;
	struct joiner joiners[2];
	pthread_t threads[2];
	uint64_t rounds = pod_scaled(2000);
	assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
	for (int i = 0; i < 2; i++) {
		joiners[i] = (struct joiner){unit_pod_port(pod), &barrier, rounds, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, join_and_leave, &joiners[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(joiners[0].joined + joiners[1].joined, rounds);
	pthread_barrier_destroy(&barrier);
}

static struct pod_member *member_of(struct unit_pod *pod, unsigned host)
{
	return (struct pod_member *)(void *)(pod->region.base + POD_MEMBERS_OFFSET) + host;
}

/* As who dies there leaves it. */
static uint64_t take_id_and_die(struct unit_pod *pod, unsigned host)
{
	uint64_t incarnation;
	member_state(&pod->port, host, &incarnation);
	atomic_store(&member_of(pod, host)->state, (incarnation + 1) << 24 | LG_MEMBER_JOINING);
	return member_state_word(&pod->port, host);
}

static void recover(struct cxl_port *port, unsigned host, uint64_t seen, unsigned by)
{
	uint64_t claim;
	assert_int_equal(member_process(port, host), MEMBER_GONE);
	assert_true(member_claim(port, host, seen, by, &claim));
	assert_true(member_recovered(port, host, claim));
}

static void who_dies_before_it_says_who_it_is_gives_its_id_back(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t incarnation, claim;
	for (uint64_t round = 0; round < 3; round++) {
		uint64_t seen = take_id_and_die(pod, 1);
		assert_true(member_nameless(&pod->port, 1, seen));
		assert_int_equal(member_process(&pod->port, 1), MEMBER_ELSEWHERE);
		assert_int_equal(member_pid(&pod->port, 1), 0);
		assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_INUSE);
		assert_true(member_shut_out(&pod->port, 1, seen));
		assert_false(member_shut_out(&pod->port, 1, seen));
		assert_false(member_nameless(&pod->port, 1, seen));
		assert_int_equal(member_pid(&pod->port, 1), 0);
		if (round == 1) { /* by who joins as it, and dies too before it says so */
			assert_true(member_claim(&pod->port, 1, seen, 1, &claim));
			assert_int_equal(member_process(&pod->port, 1), MEMBER_RUNS_HERE);
			atomic_store(&member_of(pod, 1)->pid, seen >> 24 << 32 | UINT32_MAX);
			seen = claim;
		}
		recover(&pod->port, 1, seen, 0);
		assert_int_equal(member_state(&pod->port, 1, NULL), LG_MEMBER_DEAD);
		assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_OK);
		assert_int_equal(incarnation, 2 * round + 2);
		assert_int_equal(member_process(&pod->port, 1), MEMBER_RUNS_HERE);
		seen = member_state_word(&pod->port, 1);
		assert_false(member_nameless(&pod->port, 1, seen));
		assert_false(member_shut_out(&pod->port, 1, seen)); /* it was quicker */
		assert_int_equal(member_process(&pod->port, 1), MEMBER_RUNS_HERE);
		assert_true(member_set_state(&pod->port, 1, LG_MEMBER_LEFT));
	}
}

static void what_a_slow_joiner_has_said_is_overwritten_by_the_next(void **state)
{
	struct unit_pod *pod = *state;
	struct pod_member *member = member_of(pod, 1);
	uint64_t incarnation;
	unsigned other;
	uint64_t seen = take_id_and_die(pod, 1), tag = seen >> 24 << 32;
	assert_true(member_shut_out(&pod->port, 1, seen));
	recover(&pod->port, 1, seen, 0);
	atomic_store(&member->machine, tag | 77);
	atomic_store(&member->birth, tag | 77);
	atomic_store(&member->emulation, tag | 77);
	assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_OK);
	assert_int_equal(member_process(&pod->port, 1), MEMBER_RUNS_HERE);
	assert_false(member_of_other_emulation(&pod->port, 0, 0, &other));
}

struct slow_join {
	struct cxl_port port;
	_Atomic bool done;
	uint64_t refused, wrong;
};

static void *join_at_any_speed(void *arg)
{
	struct slow_join *j = arg;
	while (!atomic_load(&j->done)) {
		uint64_t incarnation;
		int code = member_join(&j->port, 0, 0, &incarnation, NULL);
		j->wrong += code == LG_OK && !member_set_state(&j->port, 0, LG_MEMBER_LEFT);
		j->refused += code == LG_INUSE;
	}
	return NULL;
}

static void a_joiner_that_is_only_slow_notices_that_it_was_shut_out(void **state)
{
	struct unit_pod *pod = *state;
	struct slow_join j = {.port = unit_pod_port(pod)};
	pthread_t thread;
	uint64_t wanted = pod_scaled(300);
	assert_int_equal(pthread_create(&thread, NULL, join_at_any_speed, &j), 0);
	for (uint64_t shut_out = 0; shut_out < wanted;) {
		uint64_t seen = member_state_word(&pod->port, 0);
		if (!member_nameless(&pod->port, 0, seen) || !member_shut_out(&pod->port, 0, seen))
			continue;
		recover(&pod->port, 0, seen, 1);
		shut_out++;
	}
	atomic_store(&j.done, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(j.refused > 0);
	assert_int_equal(j.wrong, 0);
}

/* A reader publishes its epoch and uses what it finds; an owner unlinks, and reuses once the pod's oldest epoch says so. */
struct reuse {
	struct unit_pod *pod;
	_Alignas(64) _Atomic(_Atomic uint64_t *) current; /* what can be found */
	_Alignas(64) _Atomic uint64_t place[2];           /* UINT64_MAX in the one that is the owner's again */
	_Alignas(64) _Atomic bool done;
	uint64_t wrong;
};

static void *read_current(void *arg)
{
	struct reuse *r = arg;
	struct cxl_port port = unit_pod_port(r->pod);
	uint64_t wrong = 0;
	while (!atomic_load_explicit(&r->done, memory_order_relaxed)) {
		member_publish_oldest(&port, 1, epoch_load(&port));
		_Atomic uint64_t *found = atomic_load_explicit(&r->current, memory_order_acquire);
		for (int i = 0; i < 100; i++)
			wrong += atomic_load_explicit(found, memory_order_relaxed) == UINT64_MAX;
		member_publish_oldest(&port, 1, UINT64_MAX);
	}
	r->wrong = wrong;
	return NULL;
}

static void what_a_running_transaction_may_have_found_is_not_reused(void **state)
{
	struct unit_pod *pod = *state;
	struct reuse r = {.pod = pod, .current = &r.place[0]};
	uint64_t incarnation, rounds = pod_scaled(300000);
	pthread_t thread;
	assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_OK);
	member_publish_oldest(&pod->port, 1, UINT64_MAX);
	assert_int_equal(pthread_create(&thread, NULL, read_current, &r), 0);
	for (uint64_t i = 1; i <= rounds; i++) {
		atomic_store_explicit(&r.place[i % 2], i, memory_order_relaxed);
		atomic_store_explicit(&r.current, &r.place[i % 2], memory_order_release);
		uint64_t unlinked = epoch_load(&pod->port);
		epoch_tick(&pod->port, unlinked);
		while (member_pod_oldest(&pod->port) <= unlinked)
			sched_yield();
		atomic_store_explicit(&r.place[(i + 1) % 2], UINT64_MAX, memory_order_relaxed);
	}
	atomic_store_explicit(&r.done, true, memory_order_relaxed);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(r.wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        UNIT_TEST(a_host_joins_leaves_and_joins_again_as_the_next_incarnation),
	        UNIT_TEST(a_host_id_that_is_taken_or_out_of_range_is_refused),
	        UNIT_TEST(a_host_that_died_stays_a_member_and_the_message_says_so),
	        UNIT_TEST(a_state_that_nobody_writes_counts_as_live),
	        UNIT_TEST(heartbeats_grow),
	        UNIT_TEST(the_epoch_moves_one_step_a_tick),
	        UNIT_TEST(the_pods_oldest_epoch_is_that_of_its_slowest_member_or_the_current_one),
	        UNIT_TEST(the_priority_has_one_holder_until_it_drops_it_or_expires),
	        UNIT_TEST(a_partition_belongs_to_whom_it_was_placed_with),
	        UNIT_TEST(a_doorbell_tells_who_rang_once),
	        UNIT_TEST(of_two_who_join_as_the_same_host_one_wins),
	        UNIT_TEST(who_dies_before_it_says_who_it_is_gives_its_id_back),
	        UNIT_TEST(what_a_slow_joiner_has_said_is_overwritten_by_the_next),
	        UNIT_TEST(a_joiner_that_is_only_slow_notices_that_it_was_shut_out),
	        UNIT_TEST(what_a_running_transaction_may_have_found_is_not_reused),
	};
	return cmocka_run_group_tests_name("member", tests, NULL, NULL);
}
