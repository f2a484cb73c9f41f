/* api_progress_inprocess_test.c: who must win in the end, budgets that run out, and the counters that prove a read silent. */
#include "common/pod_fixture.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Starvation ---------------------------------------------------------------------------------------------------- */

#define ACCOUNTS 200
#define BALANCE  1000

struct bank {
	struct pod_fixture *f;
	atomic_bool stop;
	atomic_int error;
	atomic_ullong transfers;
};

struct clerk {
	struct bank *bank;
	struct lg_worker *worker;
	uint32_t host;
	uint64_t random;
	uint64_t from, to;
};

static struct lg_slice account(uint64_t n)
{
	return pod_key_on((uint32_t)(n % POD_FIXTURE_HOSTS), n);
}

static int transfer_body(struct lg_txn *txn, void *arg)
{
	struct clerk *c = arg;
	void *from, *to;
	size_t bytes;
	int code = lg_edit(txn, c->bank->f->rows[c->host], account(c->from), &from, &bytes);
	if (code == LG_OK)
		code = lg_edit(txn, c->bank->f->rows[c->host], account(c->to), &to, &bytes);
	if (code != LG_OK)
		return code;
	int64_t a, b;
	memcpy(&a, from, sizeof(a));
	memcpy(&b, to, sizeof(b));
	a--;
	b++;
	memcpy(from, &a, sizeof(a));
	memcpy(to, &b, sizeof(b));
	return LG_OK;
}

static void *clerk_main(void *arg)
{
	struct clerk *c = arg;
	while (!atomic_load(&c->bank->stop)) {
		c->from = pod_random(&c->random) % ACCOUNTS;
		c->to = (c->from + 1 + pod_random(&c->random) % (ACCOUNTS - 1)) % ACCOUNTS;
		int code = lg_run(c->worker, transfer_body, c);
		if (code != LG_OK) {
			atomic_store(&c->bank->error, code);
			break;
		}
		atomic_fetch_add(&c->bank->transfers, 1);
	}
	return NULL;
}

struct audit {
	struct pod_fixture *f;
	int64_t sum;
	uint64_t tries;
};

static int audit_body(struct lg_txn *txn, void *arg)
{
	struct audit *a = arg;
	a->sum = 0;
	a->tries++;
	for (uint64_t n = 0; n < ACCOUNTS; n++) {
		struct lg_slice val;
		int64_t balance;
		int code = lg_get(txn, a->f->rows[0], account(n), &val);
		if (code != LG_OK)
			return code;
		if (val.bytes != sizeof(balance))
			return 1000;
		memcpy(&balance, val.data, sizeof(balance));
		a->sum += balance;
	}
	/* It writes too, so that it needs its place in the order. */
	return lg_put(txn, a->f->rows[0], pod_key_on(0, 999999), lg_slice(&a->sum, sizeof(a->sum)));
}

static void a_long_transaction_gets_through_against_hot_writers(void **state)
{
	struct pod_fixture *f = pod_open(NULL, NULL, POD_FIXTURE_HOSTS);
	struct bank bank = {.f = f};
	struct clerk clerks[POD_FIXTURE_HOSTS - 1];
	pthread_t threads[POD_FIXTURE_HOSTS - 1];
	struct audit audit = {.f = f};
	uint64_t audits = pod_scaled(300), seed = pod_seed();
	*state = f;
	for (uint64_t n = 0; n < ACCOUNTS; n++) {
		int64_t balance = BALANCE;
		pod_put(f, 0, account(n), lg_slice(&balance, sizeof(balance)));
	}
	for (uint32_t i = 0; i < POD_FIXTURE_HOSTS - 1; i++) {
		clerks[i] =
		        (struct clerk){.bank = &bank, .worker = f->worker[i + 1], .host = i + 1, .random = seed + i};
		assert_int_equal(pthread_create(&threads[i], NULL, clerk_main, &clerks[i]), 0);
	}
	int code = LG_OK;
	bool balanced = true;
	while (atomic_load(&bank.transfers) < 100 && atomic_load(&bank.error) == LG_OK)
		sched_yield();
	for (uint64_t i = 0; i < audits && code == LG_OK && balanced; i++) {
		code = lg_run(f->worker[0], audit_body, &audit);
		balanced = audit.sum == ACCOUNTS * BALANCE;
	}
	atomic_store(&bank.stop, true);
	for (uint32_t i = 0; i < POD_FIXTURE_HOSTS - 1; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	print_message("%llu audits in %llu tries beside %llu transfers\n", (unsigned long long)audits,
	        (unsigned long long)audit.tries, (unsigned long long)atomic_load(&bank.transfers));
	OK(code);
	OK(atomic_load(&bank.error));
	assert_true(balanced);
	OK(lg_run(f->worker[0], audit_body, &audit));
	assert_int_equal(audit.sum, ACCOUNTS * BALANCE);
}

/* ---- Silent reads -------------------------------------------------------------------------------------------------- */

static void a_repeated_remote_read_of_an_unchanged_row_writes_and_flushes_nothing(void **state)
{
	struct pod_fixture *f = *state;
	static uint8_t value[1000];
	struct lg_stats before, after;
	struct lg_slice val;
	pod_fill(value, sizeof(value), 1);
	for (uint64_t i = 0; i < 100; i++)
		OK(lg_load(f->worker[1], f->rows[1], pod_key_on(1, i), lg_slice(value, sizeof(value))));
	for (int warm = 0; warm < 3; warm++) {
		struct lg_txn *txn = pod_begin(f->worker[0]);
		for (uint64_t i = 0; i < 100; i++)
			OK(lg_get(txn, f->rows[0], pod_key_on(1, i), &val));
		OK(lg_commit(txn));
	}
	for (int round = 0; round < 10; round++) {
		struct lg_txn *txn = pod_begin(f->worker[0]);
		lg_worker_stats(f->worker[0], &before);
		for (uint64_t i = 0; i < 100; i++) {
			OK(lg_get(txn, f->rows[0], pod_key_on(1, i), &val));
			assert_true(pod_filled(val, sizeof(value), 1));
		}
		lg_worker_stats(f->worker[0], &after);
		OK(lg_commit(txn));
		assert_int_equal(after.word_writes, before.word_writes);
		assert_int_equal(after.line_flushes, before.line_flushes);
		assert_int_equal(after.line_writes, before.line_writes);
		assert_int_equal(after.requests_sent, before.requests_sent);
		assert_int_equal(after.remote_reads, before.remote_reads + 100);
		assert_int_equal(after.directory_hits, before.directory_hits + 100);
		assert_true(after.line_reads >= before.line_reads + 100 * 18);
	}
	/* Once the owner has changed a row, its new lines are read, and then it is silent again. */
	pod_put(f, 1, pod_key_on(1, 5), lg_slice(value, 100));
	pod_put(f, 0, pod_key_on(0, 5), lg_slice(value, 100));
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_get(txn, f->rows[0], pod_key_on(1, 5), &val));
	assert_int_equal(val.bytes, 100);
	OK(lg_commit(txn));
}

/* The same of whole transactions: all that they write is what every worker tells the pod once an epoch. */
static void transactions_that_re_read_remote_rows_write_the_epoch_alone(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_stats before, after;
	struct lg_slice val;
	uint64_t first = 0, epochs = 0;
	for (uint64_t i = 0; i < 10; i++)
		OK(lg_load(f->worker[1], f->rows[1], pod_key_on(1, i), pod_text("read")));
	for (int round = 0; round < 4 || epochs < 3; round++) {
		if (round == 3) {
			lg_worker_stats(f->worker[0], &before);
			first = lg_epoch(f->host[0]);
		}
		struct lg_txn *txn = pod_begin(f->worker[0]);
		for (uint64_t i = 0; i < 10; i++)
			OK(lg_get(txn, f->rows[0], pod_key_on(1, i), &val));
		OK(lg_commit(txn));
		epochs = round < 3 ? 0 : lg_epoch(f->host[0]) - first;
	}
	lg_worker_stats(f->worker[0], &after);
	uint64_t publishes = after.epoch_publishes - before.epoch_publishes;
	assert_in_range(publishes, 1, epochs + 1);
	assert_int_equal(after.word_writes - before.word_writes, publishes);
	assert_int_equal(after.line_flushes, before.line_flushes);
	assert_int_equal(after.line_writes, before.line_writes);
}

static void local_transactions_touch_no_line_of_pod_memory(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_stats before, after;
	struct lg_slice val;
	pod_put(f, 0, pod_key_on(0, 1), pod_text("local"));
	lg_worker_stats(f->worker[0], &before);
	for (int i = 0; i < 100; i++) {
		struct lg_txn *txn = pod_begin(f->worker[0]);
		OK(lg_get(txn, f->rows[0], pod_key_on(0, 1), &val));
		OK(lg_put(txn, f->rows[0], pod_key_on(0, 1), pod_text("local")));
		OK(lg_commit(txn));
	}
	lg_worker_stats(f->worker[0], &after);
	assert_int_equal(after.commits, before.commits + 100);
	assert_int_equal(after.line_reads, before.line_reads);
	assert_int_equal(after.line_writes, before.line_writes);
	assert_int_equal(after.line_flushes, before.line_flushes);
	assert_int_equal(after.requests_sent, before.requests_sent);
}

static void commits_and_aborts_are_counted_by_reason(void **state)
{
	struct pod_fixture *f = *state;
	struct lg_stats before, after;
	struct lg_slice val;
	pod_put(f, 0, pod_key_on(0, 1), pod_text("x"));
	lg_host_stats(f->host[0], &before);
	struct lg_txn *txn = pod_begin(f->worker[0]);
	OK(lg_get(txn, f->rows[0], pod_key_on(0, 1), &val));
	OK(lg_commit(txn));
	txn = pod_begin(f->worker[0]);
	OK(lg_put(txn, f->rows[0], pod_key_on(0, 1), pod_text("y")));
	OK(lg_abort(txn));
	lg_host_stats(f->host[0], &after);
	assert_int_equal(after.commits, before.commits + 1);
	assert_int_equal(after.read_only_commits, before.read_only_commits + 1);
	assert_int_equal(after.aborts[LG_ABORT_USER], before.aborts[LG_ABORT_USER] + 1);
	/* A worker's counts stay with its host. */
	struct lg_worker *w = pod_worker(f, 0);
	txn = pod_begin(w);
	OK(lg_put(txn, f->rows[0], pod_key_on(0, 1), pod_text("z")));
	OK(lg_commit(txn));
	f->more_count--;
	OK(lg_worker_close(w));
	lg_host_stats(f->host[0], &after);
	assert_int_equal(after.commits, before.commits + 2);
}

/* ---- Budgets ------------------------------------------------------------------------------------------------------- */

/* A pod with as little SWcc as two hosts need, and `extra_swcc` more. */
static struct pod_fixture *tight_pod(uint64_t hwcc_bytes, uint64_t extra_swcc, uint64_t dram_bytes)
{
	struct lg_pod_config config;
	struct lg_host_config host_config;
	struct lg_error err;
	struct pod_fixture probe;
	pod_config_small(&config, 2);
	lg_host_config_init(&host_config);
	config.hwcc_bytes = hwcc_bytes;
	host_config.dram_bytes = dram_bytes;
	pod_private_name(probe.name, sizeof(probe.name));
	snprintf(probe.uri, sizeof(probe.uri), "shm:%s", probe.name);
	int code = LG_NOSPACE;
	for (config.swcc_bytes = 0; code == LG_NOSPACE;) {
		config.swcc_bytes += UINT64_C(2) << 20;
		code = lg_pod_create(probe.uri, &config, &err);
	}
	OK(code);
	OK(lg_pod_destroy(probe.uri, true, &err));
	config.swcc_bytes += extra_swcc;
	struct pod_fixture *f = pod_open(&config, &host_config, 2);
	pod_serve(f, 1);
	return f;
}

struct range {
	struct pod_fixture *f;
	uint32_t writer, owner;
	uint64_t first, count, step;
	size_t bytes;
	uint64_t seed;
};

static uint8_t block[LG_MAX_VALUE_BYTES];

static int put_range_body(struct lg_txn *txn, void *arg)
{
	struct range *r = arg;
	for (uint64_t i = r->first; i < r->first + r->count; i++) {
		pod_fill(block, r->bytes, i + r->seed);
		int code = lg_put(txn, r->f->rows[r->writer], pod_key_on(r->owner, i), lg_slice(block, r->bytes));
		if (code != LG_OK)
			return code;
	}
	return LG_OK;
}

static int check_range_body(struct lg_txn *txn, void *arg)
{
	struct range *r = arg;
	for (uint64_t i = r->first; i < r->first + r->count; i++) {
		struct lg_slice val;
		int code = lg_get(txn, r->f->rows[r->writer], pod_key_on(r->owner, i), &val);
		if (code != LG_OK)
			return code;
		if (!pod_filled(val, r->bytes, i + r->seed))
			return 1000;
	}
	return LG_OK;
}

/* Row by row, so that no transaction needs much. */
static void each(struct range r, int (*body)(struct lg_txn *txn, void *arg))
{
	uint64_t end = r.first + r.count;
	r.count = 1;
	for (; r.first < end; r.first++)
		OK(lg_run(r.f->worker[r.writer], body, &r));
}

static void rows_move_out_when_hwcc_runs_short(void **state)
{
	/* 2 MiB of words hold at most 262,144. */
	struct pod_fixture *f = tight_pod(UINT64_C(2) << 20, UINT64_C(64) << 20, 0);
	uint64_t rows = pod_scaled(300000);
	struct lg_stats stats;
	*state = f;
	for (uint64_t i = 0; i < rows; i++)
		OK(lg_load(f->worker[1], f->rows[1], pod_key_on(1, i), lg_slice(&i, sizeof(i))));
	for (uint64_t i = 0; i < rows; i += 10) {
		struct lg_slice val;
		struct lg_txn *txn = pod_begin(f->worker[0]);
		int code = LG_OK;
		for (uint64_t j = i; j < i + 10 && j < rows && code == LG_OK; j++) {
			code = lg_get(txn, f->rows[0], pod_key_on(1, j), &val);
			if (code == LG_OK)
				assert_memory_equal(val.data, &j, sizeof(j));
		}
		code = code == LG_OK ? lg_commit(txn) : code;
		if (code == LG_CONFLICT) {
			lg_abort(txn);
			i -= 10;
			continue;
		}
		OK(code);
	}
	lg_host_stats(f->host[1], &stats);
	assert_true(stats.moved_in >= rows);
	if (rows > 262144)
		assert_true(stats.moved_out >= rows - 262144);
	assert_true(stats.hwcc_claimed_bytes <= UINT64_C(2) << 20);
}

static void rows_move_out_when_swcc_runs_short(void **state)
{
	struct pod_fixture *f = tight_pod(UINT64_C(4) << 20, UINT64_C(4) << 20, 0);
	struct range r = {.f = f, .writer = 1, .owner = 1, .count = pod_scaled(20000), .bytes = 1000, .seed = 5};
	struct lg_stats stats;
	*state = f;
	each(r, put_range_body);
	r.writer = 0;
	each(r, check_range_body);
	each(r, check_range_body);
	r.seed = 6;
	each(r, put_range_body);
	r.writer = 1;
	each(r, check_range_body);
	lg_host_stats(f->host[1], &stats);
	assert_true(stats.moved_in > 0);
	if (r.count * 1000 > UINT64_C(16) << 20)
		assert_true(stats.moved_out > 0);
}

/* First all rows of host 1 are shared, which fills SWcc; then those of host 0 are wanted. */
static void a_host_leaves_pod_memory_to_another_that_needs_it(void **state)
{
	struct pod_fixture *f = tight_pod(UINT64_C(4) << 20, UINT64_C(8) << 20, 0);
	struct range r = {.f = f, .count = pod_scaled(20000), .bytes = 1000, .seed = 7};
	*state = f;
	pod_serve(f, 0);
	for (r.owner = 0; r.owner < 2; r.owner++) {
		r.writer = r.owner;
		each(r, put_range_body);
	}
	for (int round = 0; round < 3; round++) {
		for (r.owner = 0; r.owner < 2; r.owner++) {
			r.writer = 1 - r.owner;
			each(r, check_range_body);
		}
	}
}

/* Frames of one size must not keep the memory that those of another size need, nor one host what another needs. */
static void rows_of_many_sizes_move_out_when_swcc_runs_short(void **state)
{
	struct pod_fixture *f = tight_pod(UINT64_C(4) << 20, UINT64_C(12) << 20, 0);
	uint64_t rows = pod_scaled(4000);
	*state = f;
	pod_serve(f, 0);
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < rows; i++) {
			/* Each host writes rows of the other, of up to 12,000 bytes, larger ones later. */
			struct range r = {
			        .f = f, .writer = i % 2, .owner = 1 - i % 2, .first = i, .count = 1, .seed = 3};
			r.bytes = 100 + i * 8000 / rows + i * 977 % 4000;
			OK(lg_run(f->worker[r.writer], put_range_body, &r));
		}
		for (uint64_t i = 0; i < rows; i++) {
			struct range r = {
			        .f = f, .writer = i % 2, .owner = 1 - i % 2, .first = i, .count = 1, .seed = 3};
			r.bytes = 100 + i * 8000 / rows + i * 977 % 4000;
			OK(lg_run(f->worker[r.writer], check_range_body, &r));
		}
	}
}

static void a_transaction_that_does_not_fit_into_swcc_is_nospace(void **state)
{
	struct pod_fixture *f = tight_pod(UINT64_C(4) << 20, UINT64_C(2) << 20, 0);
	struct range small = {.f = f, .writer = 0, .owner = 1, .count = 20, .bytes = 1000, .seed = 1};
	struct range large = {.f = f, .writer = 0, .owner = 1, .first = 1000, .count = 400, .bytes = 65536};
	*state = f;
	each(small, put_range_body);
	for (int i = 0; i < 3; i++) {
		CODE(LG_NOSPACE, lg_run(f->worker[0], put_range_body, &large));
		each(small, check_range_body);
		for (uint64_t n = large.first; n < large.first + large.count; n += 50)
			pod_expect_text(f, 0, pod_key_on(1, n), NULL);
		small.seed++;
		each(small, put_range_body);
	}
	/* Row by row there is room. */
	large.count = 20;
	each(large, put_range_body);
	each(large, check_range_body);
}

/* Puts rows until there is no space; returns how many went in. */
static uint64_t fill_up(struct range r, uint64_t most)
{
	for (r.count = 1; r.first < most; r.first++) {
		int code = lg_run(r.f->worker[r.writer], put_range_body, &r);
		if (code == LG_NOSPACE)
			break;
		OK(code);
	}
	return r.first;
}

static void fill_dram(struct pod_fixture *f, uint32_t writer, uint32_t owner)
{
	struct range r = {.f = f, .writer = writer, .owner = owner, .bytes = 1000, .seed = 9};
	uint64_t most = 20000, rows = fill_up(r, most);
	assert_in_range(rows, 1000, most - 1);
	r.count = rows;
	each(r, check_range_body);
	pod_expect_text(f, writer, pod_key_on(owner, rows), NULL);
	/* The other host is not short, and this one goes on: changes in place and deletes need no room. */
	r.seed = 10;
	r.count = 100;
	each(r, put_range_body);
	pod_put(f, writer, pod_key_on(1 - owner, 1), pod_text("elsewhere"));
	for (uint64_t i = 0; i < rows / 2; i++)
		pod_del(f, writer, pod_key_on(owner, i));
	/* Memory comes back once no transaction can remember the rows: that takes epochs. */
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	uint64_t again = 0;
	do {
		struct range more = {.f = f, .writer = writer, .owner = owner, .first = 100000 + again, .bytes = 1000};
		again = fill_up(more, 100000 + rows / 4) - 100000;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (again < rows / 4 && now.tv_sec - begin.tv_sec < 20);
	assert_int_equal(again, rows / 4);
}

static void a_full_host_is_nospace_for_itself_and_loses_nothing(void **state)
{
	struct pod_fixture *f = tight_pod(UINT64_C(4) << 20, UINT64_C(16) << 20, UINT64_C(8) << 20);
	*state = f;
	fill_dram(f, 0, 0);
}

static void a_full_host_is_nospace_for_others_and_loses_nothing(void **state)
{
	struct pod_fixture *f = tight_pod(UINT64_C(4) << 20, UINT64_C(16) << 20, UINT64_C(8) << 20);
	*state = f;
	fill_dram(f, 0, 1);
}

static void loading_beyond_the_budget_is_nospace(void **state)
{
	struct pod_fixture *f = tight_pod(UINT64_C(4) << 20, UINT64_C(16) << 20, UINT64_C(8) << 20);
	int code = LG_OK;
	uint64_t rows = 0;
	*state = f;
	for (; code == LG_OK && rows < 20000; rows++) {
		pod_fill(block, 1000, rows);
		code = lg_load(f->worker[1], f->rows[1], pod_key_on(1, rows), lg_slice(block, 1000));
	}
	CODE(LG_NOSPACE, code);
	struct range r = {.f = f, .writer = 0, .owner = 1, .count = rows - 1, .bytes = 1000};
	each(r, check_range_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_long_transaction_gets_through_against_hot_writers, pod_teardown),
	        POD_LOCAL_TEST(a_repeated_remote_read_of_an_unchanged_row_writes_and_flushes_nothing),
	        POD_LOCAL_TEST(transactions_that_re_read_remote_rows_write_the_epoch_alone),
	        POD_LOCAL_TEST(local_transactions_touch_no_line_of_pod_memory),
	        POD_LOCAL_TEST(commits_and_aborts_are_counted_by_reason),
	        cmocka_unit_test_teardown(rows_move_out_when_hwcc_runs_short, pod_teardown),
	        cmocka_unit_test_teardown(rows_move_out_when_swcc_runs_short, pod_teardown),
	        cmocka_unit_test_teardown(a_host_leaves_pod_memory_to_another_that_needs_it, pod_teardown),
	        cmocka_unit_test_teardown(rows_of_many_sizes_move_out_when_swcc_runs_short, pod_teardown),
	        cmocka_unit_test_teardown(a_transaction_that_does_not_fit_into_swcc_is_nospace, pod_teardown),
	        cmocka_unit_test_teardown(a_full_host_is_nospace_for_itself_and_loses_nothing, pod_teardown),
	        cmocka_unit_test_teardown(a_full_host_is_nospace_for_others_and_loses_nothing, pod_teardown),
	        cmocka_unit_test_teardown(loading_beyond_the_budget_is_nospace, pod_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
