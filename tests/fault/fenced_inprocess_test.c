/* fenced_inprocess_test.c: a host that the others have declared dead, while it lives, stops and changes nothing more. */
#include "common/pod_fixture.h"
#include "engine/host.h"

static int put_body(struct lg_txn *txn, void *arg)
{
	struct pod_fixture *f = arg;
	return lg_put(txn, f->rows[0], lg_slice("\x01row", 4), pod_text("survivor's"));
}

static enum lg_member_state state_of(struct pod_fixture *f, uint32_t id)
{
	return member_state(&f->worker[0]->port, id, NULL);
}

/* Host 0 says that host 1 is dead; its service thread then recovers it. */
static void declare_dead(struct pod_fixture *f)
{
	struct cxl_port *port = &f->worker[0]->port;
	uint64_t claim;
	assert_true(member_claim(port, 1, member_state_word(port, 1), 0, &claim));
	while (state_of(f, 1) != LG_MEMBER_DEAD)
		lg_worker_poll(f->worker[0]);
}

static void a_host_that_was_declared_dead_commits_nothing_and_frees_nothing(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_txn *txn;
	struct lg_slice val;
	assert_int_equal(lg_run(f->worker[0], put_body, f), LG_OK);
	assert_int_equal(lg_txn_begin(f->worker[1], &txn), LG_OK);
	assert_int_equal(lg_put(txn, f->rows[1], lg_slice("\x01row", 4), pod_text("zombie's")), LG_OK);
	declare_dead(f);
	/* The row is free, and somebody else's by now: its intent is not the dead host's to give back. */
	struct lg_txn *other;
	assert_int_equal(lg_txn_begin(f->worker[0], &other), LG_OK);
	assert_int_equal(lg_put(other, f->rows[0], lg_slice("\x01row", 4), pod_text("new")), LG_OK);
	assert_int_equal(lg_commit(txn), LG_FENCED);
	assert_int_equal(lg_commit(other), LG_OK);
	assert_int_equal(lg_txn_begin(f->worker[0], &other), LG_OK);
	assert_int_equal(lg_get(other, f->rows[0], lg_slice("\x01row", 4), &val), LG_OK);
	assert_memory_equal(val.data, "new", 3);
	assert_int_equal(lg_commit(other), LG_OK);
	assert_int_equal(lg_txn_begin(f->worker[1], &txn), LG_FENCED);
}

static void a_host_that_was_declared_dead_can_be_closed_and_stays_dead(void **state)
{
	struct pod_fixture *f = *state;
	declare_dead(f);
	pod_close_host(f, 1);
	assert_int_equal(state_of(f, 1), LG_MEMBER_DEAD);
	/* And its id can be taken again. */
	pod_open_host(f, 1, NULL);
	assert_int_equal(state_of(f, 1), LG_MEMBER_LIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        POD_LOCAL_TEST(a_host_that_was_declared_dead_commits_nothing_and_frees_nothing),
	        POD_LOCAL_TEST(a_host_that_was_declared_dead_can_be_closed_and_stays_dead),
	};
	return cmocka_run_group_tests_name("fenced", tests, NULL, NULL);
}
