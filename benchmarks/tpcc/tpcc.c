/* tpcc.c: TPC-C as a workload of the benchmark driver: options, the mix, keying and think times. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "tpcc.h"

/* Of TPCC_DECK transactions; keying and mean think time in seconds (clause 5.2.5.7). */
static const struct {
	uint32_t cards;
	double keying_s, think_s;
} mix[TPCC_TYPE_COUNT] = {
        [TPCC_NEW_ORDER] = {45, 18, 12},
        [TPCC_PAYMENT] = {43, 3, 12},
        [TPCC_ORDER_STATUS] = {4, 2, 10},
        [TPCC_DELIVERY] = {4, 2, 5},
        [TPCC_STOCK_LEVEL] = {4, 2, 5},
};

static const char *const type_names[TPCC_TYPE_COUNT] = {
        [TPCC_NEW_ORDER] = "NewOrder",
        [TPCC_PAYMENT] = "Payment",
        [TPCC_ORDER_STATUS] = "OrderStatus",
        [TPCC_DELIVERY] = "Delivery",
        [TPCC_STOCK_LEVEL] = "StockLevel",
};

static const struct bench_option options[] = {
        {"--warehouses", "N", "warehouses of the pod, at least one a worker (default: one a worker)"},
        {"--remote-new-order", "P",
                "P% of NewOrders take their first line from another host's warehouse, all other lines are "
                "local (default: the standard's 1% of lines from another warehouse)"},
        {"--remote-payment", "P",
                "P% of Payments are by a customer of another host's warehouse (default: the standard's 15% "
                "of another warehouse)"},
        {"--think-time", "F", "wait F times the standard's keying and think times (default 0: never)"},
        {NULL, NULL, NULL},
};

static void *create(void)
{
	struct tpcc *t = calloc(1, sizeof(*t));

	if (t) {
		t->remote_new_order_percent = TPCC_STANDARD_REMOTE;
		t->remote_payment_percent = TPCC_STANDARD_REMOTE;
	}
	return t;
}

static void destroy(void *workload)
{
	free(workload);
}

static bool set_whole(
        const char *name, const char *value, uint32_t low, uint32_t high, uint32_t *number, char *err, size_t err_bytes)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end != '\0' || n < low || n > high) {
		snprintf(err, err_bytes, "%s %s: give a whole number from %u to %u", name, value, low, high);
		return false;
	}
	*number = (uint32_t)n;
	return true;
}

static bool set(void *workload, const char *name, const char *value, char *err, size_t err_bytes)
{
	struct tpcc *t = workload;
	uint32_t percent;
	char *end;

	if (strcmp(name, "--warehouses") == 0)
		return set_whole(name, value, 1, LG_MAX_PARTITIONS, &t->warehouses, err, err_bytes);
	if (strcmp(name, "--remote-new-order") == 0) {
		if (!set_whole(name, value, 0, 100, &percent, err, err_bytes))
			return false;
		t->remote_new_order_percent = (int32_t)percent;
		return true;
	}
	if (strcmp(name, "--remote-payment") == 0) {
		if (!set_whole(name, value, 0, 100, &percent, err, err_bytes))
			return false;
		t->remote_payment_percent = (int32_t)percent;
		return true;
	}
	assert(strcmp(name, "--think-time") == 0);
	t->think_factor = strtod(value, &end);
	if (end == value || *end != '\0' || !(t->think_factor >= 0 && t->think_factor <= 1000)) {
		snprintf(err, err_bytes, "%s %s: give a factor from 0 to 1000; 1 is what the standard asks for", name,
		        value);
		return false;
	}
	return true;
}

/* Sizes for the case that every stock, customer and order row of every warehouse is shared at once. */
static void propose_sizes(const struct tpcc *t, struct lg_pod_config *pod)
{
	const uint64_t mib = 1 << 20;
	uint64_t hwcc = (8 + 4 * (uint64_t)t->warehouses) * mib, swcc = (256 + 128 * (uint64_t)t->warehouses) * mib;

	pod->partitions = t->warehouses;
	if (pod->hwcc_bytes < hwcc)
		pod->hwcc_bytes = hwcc;
	if (pod->swcc_bytes < swcc)
		pod->swcc_bytes = swcc;
}

static bool configure(void *workload, const struct bench *bench, struct lg_pod_config *pod, char *err, size_t err_bytes)
{
	struct tpcc *t = workload;

	t->worker_count = bench->host_count * bench->workers_per_host;
	if (t->warehouses == 0)
		t->warehouses = t->worker_count;
	if (t->warehouses < t->worker_count) {
		snprintf(err, err_bytes,
		        "--warehouses %u is too few for %u workers (%u hosts of %u): each needs a home warehouse; give "
		        "--warehouses %u or more, or fewer --hosts or --workers",
		        t->warehouses, t->worker_count, bench->host_count, bench->workers_per_host, t->worker_count);
		return false;
	}
	if (t->warehouses > LG_MAX_PARTITIONS) {
		snprintf(err, err_bytes,
		        "%u workers need a warehouse each, but a pod has at most %d partitions; give fewer --hosts or "
		        "--workers",
		        t->worker_count, LG_MAX_PARTITIONS);
		return false;
	}
	tpcc_set_constants(t, bench->seed);
	propose_sizes(t, pod);
	return true;
}

/* Measured after the load of 2 and of 6 warehouses over two hosts: 115 MB a warehouse, 17 MB a host (ITEM above all). */
static uint64_t load_bytes(const void *workload, const struct bench *bench)
{
	const struct tpcc *t = workload;

	return t->warehouses * UINT64_C(115000000) + bench->host_count * UINT64_C(17000000);
}

static int worker_open(struct bench_worker *w)
{
	const struct tpcc *t = tpcc_of(w);
	struct tpcc_worker *state = calloc(1, sizeof(*state));
	uint32_t card = 0, host = w->bench->host_id, workers = w->bench->workers_per_host;

	if (!state)
		return LG_NOSPACE;
	state->first_w = tpcc_first_home(t, w->global_index);
	state->home_warehouses = tpcc_first_home(t, w->global_index + 1) - state->first_w;
	state->host_first_w = tpcc_first_home(t, host * workers);
	state->host_warehouses = tpcc_first_home(t, (host + 1) * workers) - state->host_first_w;
	for (uint32_t type = 0; type < TPCC_TYPE_COUNT; type++)
		for (uint32_t i = 0; i < mix[type].cards; i++)
			state->deck[card++] = (uint8_t)type;
	assert(card == TPCC_DECK);
	state->deck_next = TPCC_DECK;
	w->state = state;
	return LG_OK;
}

static void worker_close(struct bench_worker *w)
{
	free(w->state);
	w->state = NULL;
}

/* Deals the mix from a deck (clause 5.2.4.2), so that its shares are exact. */
static uint32_t next_type(struct bench_worker *w)
{
	struct tpcc_worker *state = tpcc_state(w);

	if (state->deck_next == TPCC_DECK) {
		state->deck_next = 0;
		for (uint32_t i = TPCC_DECK - 1; i > 0; i--) {
			uint32_t j = (uint32_t)bench_random_below(&w->random, i + 1);
			uint8_t card = state->deck[i];
			state->deck[i] = state->deck[j];
			state->deck[j] = card;
		}
	}
	return state->deck[state->deck_next++];
}

/* What the terminal's user takes to key in this transaction and to think about the last one. Other hosts' requests are
 * served meanwhile. */
static void wait_for_user(struct bench_worker *w, uint32_t type, double factor)
{
	double think = -log(1 - bench_random_unit(&w->random));
	double seconds = factor * (mix[type].keying_s + mix[type].think_s * (think < 10 ? think : 10));

	while (seconds > 0) {
		double slice = seconds < 0.001 ? seconds : 0.001;
		struct timespec pause = {.tv_nsec = (long)(slice * 1e9)};
		nanosleep(&pause, NULL); /* woken early by a signal, it waits less: no harm */
		lg_worker_poll(w->worker);
		seconds -= slice;
	}
}

static void transaction(struct bench_worker *w, struct bench_outcome *outcome)
{
	static int (*const run[TPCC_TYPE_COUNT])(struct bench_worker *) = {
	        [TPCC_NEW_ORDER] = tpcc_new_order,
	        [TPCC_PAYMENT] = tpcc_payment,
	        [TPCC_ORDER_STATUS] = tpcc_order_status,
	        [TPCC_DELIVERY] = tpcc_delivery,
	        [TPCC_STOCK_LEVEL] = tpcc_stock_level,
	};

	outcome->type = next_type(w);
	if (tpcc_of(w)->think_factor > 0)
		wait_for_user(w, outcome->type, tpcc_of(w)->think_factor);
	outcome->code = run[outcome->type](w);
	if (outcome->code == TPCC_ROLLBACK) {
		outcome->rolled_back = true;
		outcome->code = LG_OK;
	}
	if (outcome->code != LG_OK)
		snprintf(w->failure, sizeof(w->failure), "%s: %s", type_names[outcome->type],
		        lg_strerror(outcome->code));
}

static void report(const struct bench *bench, FILE *table, void *json)
{
	const struct tpcc *t = bench->workload;
	char new_order[32] = "1% of lines", payment[32] = "15%";

	if (t->remote_new_order_percent != TPCC_STANDARD_REMOTE)
		snprintf(new_order, sizeof(new_order), "%d%% of first lines", t->remote_new_order_percent);
	if (t->remote_payment_percent != TPCC_STANDARD_REMOTE)
		snprintf(payment, sizeof(payment), "%d%%", t->remote_payment_percent);
	if (json) {
		cJSON_AddNumberToObject(json, "warehouses", t->warehouses);
		cJSON_AddStringToObject(json, "remote_new_order", new_order);
		cJSON_AddStringToObject(json, "remote_payment", payment);
		cJSON_AddNumberToObject(json, "think_time", t->think_factor);
		return;
	}
	fprintf(table, "TPC-C-like: %u warehouse%s; remote: %s of NewOrder, %s of Payment; think time %g\n",
	        t->warehouses, t->warehouses == 1 ? "" : "s", new_order, payment, t->think_factor);
}

const struct bench_workload bench_tpcc = {
        .name = "tpcc",
        .summary = "TPC-C: five transactions over nine tables, checked by the standard's twelve consistency conditions",
        .options = options,
        .type_names = type_names,
        .type_count = TPCC_TYPE_COUNT,
        .create = create,
        .destroy = destroy,
        .set = set,
        .configure = configure,
        .load_bytes = load_bytes,
        .load_option = "--warehouses",
        .place = tpcc_place,
        .tables = tpcc_tables,
        .worker_open = worker_open,
        .worker_close = worker_close,
        .load_rows = tpcc_load_rows,
        .load = tpcc_load,
        .transaction = transaction,
        .check_steps = TPCC_CHECK_STEPS,
        .check = tpcc_check,
        .report = report,
};
