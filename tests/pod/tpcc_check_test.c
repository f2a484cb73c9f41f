/* tpcc_check_test.c: TPC-C's consistency checks find what is broken, and name it.
 *
 * A warehouse is loaded by the benchmark's own loader and checked: nothing is found. Then rows are changed through the
 * public API, each condition in a district of its own, and every damage must be reported under its condition's number
 * with warehouse and district; districts that nobody touched must not be named.
 */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tpcc/tpcc.h"

struct shop {
	struct pod_fixture *f; /* its pod alone: the tables are the benchmark's */
	struct tpcc *tpcc;
	struct bench bench;
	struct bench_worker worker;
	struct bench_failures failures;
};

enum { W = 1 };

static int shop_setup(void **state)
{
	static struct shop shop;
	struct lg_pod_config config;
	struct lg_error err = {0};
	char why[400] = "";
	shop.tpcc = bench_tpcc.create();
	assert_non_null(shop.tpcc);
	shop.bench = (struct bench){.host_count = 1, .workers_per_host = 1, .seed = 7, .workload = shop.tpcc};
	lg_pod_config_init(&config);
	config.hosts = 1;
	assert_true(bench_tpcc.configure(shop.tpcc, &shop.bench, &config, why, sizeof(why)));
	config.partitions = 8; /* the fixture has tables too */
	shop.f = pod_open(&config, NULL, 1);
	shop.bench.host = shop.f->host[0];
	shop.worker = (struct bench_worker){.bench = &shop.bench, .worker = shop.f->worker[0]};
	bench_random_seed(&shop.worker.random, 7);
	OK(bench_tpcc.tables(&shop.bench, &err));
	OK(bench_tpcc.worker_open(&shop.worker));
	OK(bench_tpcc.load(&shop.worker, &err));
	assert_int_equal(shop.worker.loaded_rows, bench_tpcc.load_rows(&shop.worker));
	*state = &shop;
	return 0;
}

static int shop_teardown(void **state)
{
	struct shop *shop = *state;
	bench_tpcc.worker_close(&shop->worker);
	pod_close(shop->f);
	bench_tpcc.destroy(shop->tpcc);
	return 0;
}

static void check_all(struct shop *shop)
{
	memset(&shop->failures, 0, sizeof(shop->failures));
	for (uint32_t step = 0; step < bench_tpcc.check_steps; step++)
		OK(bench_tpcc.check(&shop->worker, step, true, &shop->failures));
}

/* ---- Damages ------------------------------------------------------------------------------------------------------- */

struct row_at {
	struct shop *shop;
	enum tpcc_table_id table;
	struct lg_slice key;
	void (*change)(void *row);
};

static int change_body(struct lg_txn *txn, void *arg)
{
	struct row_at *at = arg;
	void *row;
	size_t bytes;
	int code = lg_edit(txn, at->shop->tpcc->table[at->table], at->key, &row, &bytes);
	if (code == LG_OK)
		at->change(row);
	return code;
}

static int delete_body(struct lg_txn *txn, void *arg)
{
	struct row_at *at = arg;
	return lg_del(txn, at->shop->tpcc->table[at->table], at->key);
}

static void change(struct shop *shop, enum tpcc_table_id table, struct lg_slice key, void (*how)(void *row))
{
	struct row_at at = {.shop = shop, .table = table, .key = key, .change = how};
	OK(lg_run(shop->f->worker[0], how ? change_body : delete_body, &at));
}

static void raise_warehouse_ytd(void *row)
{
	((struct tpcc_warehouse *)row)->ytd += 200;
}

static void raise_district_ytd(void *row)
{
	((struct tpcc_district *)row)->ytd += 1;
}

static void raise_next_order(void *row)
{
	((struct tpcc_district *)row)->next_o_id += 1;
}

static void raise_line_count(void *row)
{
	((struct tpcc_order *)row)->ol_cnt += 1;
}

static void deliver_order(void *row)
{
	((struct tpcc_order *)row)->carrier_id = 3;
}

static void deliver_line(void *row)
{
	((struct tpcc_order_line *)row)->delivery_d = 1;
}

static void shift_balance(void *row)
{
	struct tpcc_customer *customer = row;
	customer->balance += 100;
	customer->ytd_payment -= 100;
}

static void raise_deliveries(void *row)
{
	((struct tpcc_customer *)row)->delivery_cnt += 1;
}

static void raise_payments(void *row)
{
	((struct tpcc_customer *)row)->ytd_payment += 100;
}

static void other_customer(void *row)
{
	struct tpcc_order *order = row;
	order->c_id = order->c_id == 1 ? 2 : 1;
}

/* ---- Claims -------------------------------------------------------------------------------------------------------- */

static bool reported(const struct shop *shop, const char *name, uint32_t district)
{
	char wanted[80];
	if (district)
		snprintf(wanted, sizeof(wanted), "%s: warehouse %d district %u", name, W, district);
	else
		snprintf(wanted, sizeof(wanted), "%s: warehouse %d:", name, W);
	size_t bytes = strlen(wanted);
	for (uint32_t i = 0; i < shop->failures.count && i < BENCH_MAX_FAILURES; i++) {
		const char *text = shop->failures.text[i];
		/* "district 1" is not "district 10". */
		if (strncmp(text, wanted, bytes) == 0 && (text[bytes] < '0' || text[bytes] > '9'))
			return true;
	}
	return false;
}

struct report {
	const char *name;
	uint32_t district; /* 0: of the warehouse as a whole */
};

static void expect_reports(const struct shop *shop, const struct report *report, uint32_t count)
{
	for (uint32_t i = 0; i < shop->failures.count && i < BENCH_MAX_FAILURES; i++)
		print_message("%s\n", shop->failures.text[i]);
	for (uint32_t i = 0; i < count; i++)
		if (!reported(shop, report[i].name, report[i].district))
			fail_msg("%s, district %u, was not reported", report[i].name, report[i].district);
	/* And nothing else. */
	assert_int_equal(shop->failures.count, count);
}

static void a_loaded_warehouse_is_consistent(void **state)
{
	struct shop *shop = *state;
	check_all(shop);
	if (shop->failures.count)
		fail_msg("%u failures, the first: %s", shop->failures.count, shop->failures.text[0]);
}

/* The last order of a district is not delivered, the first one is. */
static void every_condition_is_reported_by_its_number(void **state)
{
	static const struct report reports[] = {{"condition 1", 0}, {"condition 8", 0}, {"condition 2", 2},
	        {"condition 2", 2}, {"condition 3", 3}, {"condition 5", 3}, {"condition 11", 3}, {"condition 4", 4},
	        {"condition 6", 4}, {"condition 5", 5}, {"condition 7", 5}, {"condition 7", 7}, {"condition 10", 7},
	        {"condition 12", 7}, {"condition 9", 9}, {"condition 10", 10}, {"condition 11", 1}, {"condition 12", 8},
	        {"index or count", 6}};
	struct shop *shop = *state;
	struct tpcc_key k;
	change(shop, TPCC_T_WAREHOUSE, tpcc_key_w(&k, W), raise_warehouse_ytd);                       /* 1, 8 */
	change(shop, TPCC_T_DISTRICT, tpcc_key_d(&k, W, 2), raise_next_order);                        /* 2, twice */
	change(shop, TPCC_T_NEW_ORDER, tpcc_key_order(&k, W, 3, TPCC_ORDERS - 5), NULL);              /* 3, 5, 11 */
	change(shop, TPCC_T_ORDER, tpcc_key_order(&k, W, 4, 1), raise_line_count);                    /* 4, 6 */
	change(shop, TPCC_T_ORDER, tpcc_key_order(&k, W, 5, TPCC_ORDERS), deliver_order);             /* 5, 7 */
	change(shop, TPCC_T_ORDER_LINE, tpcc_key_order_line(&k, W, 7, TPCC_ORDERS, 1), deliver_line); /* 7, 10, 12 */
	change(shop, TPCC_T_DISTRICT, tpcc_key_d(&k, W, 9), raise_district_ytd);                      /* 9 */
	change(shop, TPCC_T_CUSTOMER, tpcc_key_customer(&k, W, 10, 1), shift_balance);                /* 10 */
	change(shop, TPCC_T_CUSTOMER, tpcc_key_customer(&k, W, 1, 1), raise_deliveries);              /* 11 */
	change(shop, TPCC_T_CUSTOMER, tpcc_key_customer(&k, W, 8, 1), raise_payments);                /* 12 */
	change(shop, TPCC_T_ORDER, tpcc_key_order(&k, W, 6, TPCC_ORDERS), other_customer);            /* the index */
	check_all(shop);
	expect_reports(shop, reports, sizeof(reports) / sizeof(*reports));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_loaded_warehouse_is_consistent),
	        cmocka_unit_test(every_condition_is_reported_by_its_number),
	};
	return cmocka_run_group_tests(tests, shop_setup, shop_teardown);
}
