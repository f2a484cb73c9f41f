/* load.c: the initial population (clause 4.3.3).
 *
 * Each worker loads its home warehouses, worker 0 of each host the host's copy of ITEM. A warehouse's rows, but for
 * the times in them, depend on the run's seed and its number alone, not on how many hosts and workers there are. How many lines the orders have comes
 * from a stream of its own, so that load_rows() can tell the exact number of rows in advance.
 */
#include "tpcc.h"

enum { STREAM_ITEM = 2, STREAM_WAREHOUSE, STREAM_LINES };
enum { PROGRESS_ROWS = 1024 };

struct loader {
	struct bench_worker *w;
	const struct tpcc *tpcc;
	struct bench_random random, lines;
	uint64_t now;
	uint32_t w_id;
	uint32_t unreported_rows;
	struct lg_error *err;
};

static void report_rows(struct loader *l)
{
	/* Relaxed: only the progress bar reads it. */
	atomic_fetch_add_explicit(&l->w->loaded_rows, l->unreported_rows, memory_order_relaxed);
	l->unreported_rows = 0;
}

static int load_row(struct loader *l, enum tpcc_table_id id, struct lg_slice key, const void *row, size_t bytes)
{
	int rc = lg_load(l->w->worker, l->tpcc->table[id], key, lg_slice(row, bytes));

	if (rc != LG_OK && l->err) {
		l->err->code = rc;
		snprintf(l->err->message, sizeof(l->err->message),
		        "cannot load a row of %zu bytes into %s (warehouse %u): %s", bytes, tpcc_table_name(id),
		        l->w_id, lg_strerror(rc));
	}
	if (++l->unreported_rows == PROGRESS_ROWS)
		report_rows(l);
	return rc;
}

/* Selection sampling: true for exactly *wanted of the next *left calls, each set of them equally likely. */
static bool select_some(struct bench_random *r, uint32_t *left, uint32_t *wanted)
{
	bool selected = bench_random_below(r, (*left)--) < *wanted;

	*wanted -= selected;
	return selected;
}

/* I_DATA or S_DATA: 26..50 letters, in one row of ten with ORIGINAL somewhere in them. */
static uint32_t random_data(struct bench_random *r, char data[50], bool original)
{
	uint32_t bytes = tpcc_letters(r, data, 50, 26, 50);

	if (original)
		memcpy(data + bench_random_below(r, bytes - 8 + 1), "ORIGINAL", 8);
	return bytes;
}

static void random_address(struct bench_random *r, struct tpcc_address *a)
{
	tpcc_letters(r, a->street_1, sizeof(a->street_1), 10, 20);
	tpcc_letters(r, a->street_2, sizeof(a->street_2), 10, 20);
	tpcc_letters(r, a->city, sizeof(a->city), 10, 20);
	tpcc_letters(r, a->state, sizeof(a->state), 2, 2);
	tpcc_digits(r, a->zip, 4);
	memcpy(a->zip + 4, "11111", 5);
}

static int load_items(struct loader *l)
{
	union {
		struct tpcc_item row;
		char bytes[sizeof(struct tpcc_item) + 50];
	} item;
	uint32_t left = TPCC_ITEMS, wanted = TPCC_ITEMS / 10;
	struct tpcc_key key;
	int rc = LG_OK;

	tpcc_stream(&l->random, l->w->bench->seed, STREAM_ITEM, 0);
	for (uint32_t i = 1; i <= TPCC_ITEMS && rc == LG_OK; i++) {
		item.row.im_id = bench_random_range(&l->random, 1, 10000);
		item.row.price = bench_random_range(&l->random, 100, 10000);
		tpcc_letters(&l->random, item.row.name, sizeof(item.row.name), 14, 24);
		bool original = select_some(&l->random, &left, &wanted);
		uint32_t data_bytes = random_data(&l->random, item.bytes + sizeof(item.row), original);
		rc = load_row(l, TPCC_T_ITEM, tpcc_key_w(&key, i), &item, sizeof(item.row) + data_bytes);
	}
	return rc == LG_OK ? lg_table_seal(l->tpcc->table[TPCC_T_ITEM]) : rc;
}

static int load_stock(struct loader *l)
{
	union {
		struct tpcc_stock row;
		char bytes[sizeof(struct tpcc_stock) + 50];
	} stock;
	uint32_t left = TPCC_ITEMS, wanted = TPCC_ITEMS / 10;
	struct tpcc_key key;
	int rc = LG_OK;

	memset(&stock, 0, sizeof(stock));
	for (uint32_t i = 1; i <= TPCC_ITEMS && rc == LG_OK; i++) {
		stock.row.quantity = (int32_t)bench_random_range(&l->random, 10, 100);
		tpcc_letters(&l->random, stock.row.dist[0], sizeof(stock.row.dist), sizeof(stock.row.dist),
		        sizeof(stock.row.dist));
		bool original = select_some(&l->random, &left, &wanted);
		uint32_t data_bytes = random_data(&l->random, stock.bytes + sizeof(stock.row), original);
		rc = load_row(
		        l, TPCC_T_STOCK, tpcc_key_stock(&key, l->w_id, i), &stock, sizeof(stock.row) + data_bytes);
	}
	return rc;
}

static void random_customer_row(struct loader *l, uint32_t c, bool bad_credit, struct tpcc_customer *row)
{
	struct bench_random *r = &l->random;
	uint32_t name = c <= 1000 ? c - 1 : tpcc_random_last(r, l->tpcc->c_last_load);

	*row = (struct tpcc_customer){
	        .balance = -1000, .ytd_payment = 1000, .payment_cnt = 1, .since = l->now, .credit_lim = 5000000};
	row->discount = bench_random_range(r, 0, 5000);
	memcpy(row->credit, bad_credit ? "BC" : "GC", 2);
	memcpy(row->middle, "OE", 2);
	tpcc_last_name(name, row->last);
	tpcc_letters(r, row->first, sizeof(row->first), 8, 16);
	random_address(r, &row->address);
	tpcc_digits(r, row->phone, sizeof(row->phone));
}

/* A customer: the row, C_DATA, the entry by name, and one payment. */
static int load_customer(struct loader *l, uint32_t d, uint32_t c, bool bad_credit)
{
	struct tpcc_customer row;
	struct tpcc_history history = {.date = l->now,
	        .amount = 1000,
	        .c_w_id = l->w_id,
	        .c_id = (uint16_t)c,
	        .c_d_id = (uint8_t)d,
	        .d_id = (uint8_t)d};
	char data[TPCC_DATA_BYTES];
	struct tpcc_key key;
	int rc;

	random_customer_row(l, c, bad_credit, &row);
	tpcc_letters(&l->random, data, sizeof(data), 300, 500);
	tpcc_letters(&l->random, history.data, sizeof(history.data), 12, 24);
	rc = load_row(l, TPCC_T_CUSTOMER, tpcc_key_customer(&key, l->w_id, d, c), &row, sizeof(row));
	if (rc != LG_OK)
		return rc;
	rc = load_row(l, TPCC_T_CUSTOMER_DATA, tpcc_key_customer(&key, l->w_id, d, c), data, sizeof(data));
	if (rc != LG_OK)
		return rc;
	rc = load_row(l, TPCC_T_CUSTOMER_NAME, tpcc_key_name(&key, l->w_id, d, row.last, row.first, c), "", 0);
	if (rc != LG_OK)
		return rc;
	return load_row(l, TPCC_T_HISTORY, tpcc_key_history(&key, l->w_id, 0, (uint64_t)(d - 1) * TPCC_CUSTOMERS + c),
	        &history, sizeof(history));
}

static int load_customers(struct loader *l, uint32_t d)
{
	uint32_t left = TPCC_CUSTOMERS, wanted = TPCC_CUSTOMERS / 10;
	int rc = LG_OK;

	for (uint32_t c = 1; c <= TPCC_CUSTOMERS && rc == LG_OK; c++)
		rc = load_customer(l, d, c, select_some(&l->random, &left, &wanted));
	return rc;
}

static int load_order_lines(struct loader *l, uint32_t d, uint32_t o, uint32_t lines)
{
	bool delivered = o <= TPCC_DELIVERED;
	struct tpcc_order_line line = {
	        .delivery_d = delivered ? l->now : 0, .supply_w_id = l->w_id, .quantity = 5, .amount = 0};
	struct tpcc_key key;
	int rc = LG_OK;

	for (uint32_t number = 1; number <= lines && rc == LG_OK; number++) {
		line.i_id = bench_random_range(&l->random, 1, TPCC_ITEMS);
		if (!delivered)
			line.amount = (int32_t)bench_random_range(&l->random, 1, 999999);
		tpcc_letters(&l->random, line.dist_info, sizeof(line.dist_info), 24, 24);
		rc = load_row(
		        l, TPCC_T_ORDER_LINE, tpcc_key_order_line(&key, l->w_id, d, o, number), &line, sizeof(line));
	}
	return rc;
}

static int load_order(struct loader *l, uint32_t d, uint32_t o, uint32_t c)
{
	bool delivered = o <= TPCC_DELIVERED;
	struct tpcc_order row = {.entry_d = l->now, .c_id = c, .all_local = 1};
	struct tpcc_key key;
	int rc;

	row.ol_cnt = (uint8_t)bench_random_range(&l->lines, TPCC_MIN_LINES, TPCC_MAX_LINES);
	row.carrier_id = delivered ? (uint8_t)bench_random_range(&l->random, 1, 10) : 0;
	rc = load_row(l, TPCC_T_ORDER, tpcc_key_order(&key, l->w_id, d, o), &row, sizeof(row));
	if (rc != LG_OK)
		return rc;
	rc = load_row(l, TPCC_T_ORDER_CUSTOMER, tpcc_key_order_customer(&key, l->w_id, d, c, o), "", 0);
	if (rc == LG_OK && !delivered)
		rc = load_row(l, TPCC_T_NEW_ORDER, tpcc_key_order(&key, l->w_id, d, o), "", 0);
	return rc == LG_OK ? load_order_lines(l, d, o, row.ol_cnt) : rc;
}

/* One order of each customer, in random order. */
static int load_orders(struct loader *l, uint32_t d)
{
	uint16_t customer[TPCC_ORDERS];
	int rc = LG_OK;

	for (uint32_t i = 0; i < TPCC_ORDERS; i++) {
		uint32_t j = (uint32_t)bench_random_below(&l->random, i + 1);
		customer[i] = customer[j];
		customer[j] = (uint16_t)(i + 1);
	}
	for (uint32_t o = 1; o <= TPCC_ORDERS && rc == LG_OK; o++)
		rc = load_order(l, d, o, customer[o - 1]);
	return rc;
}

static int load_district(struct loader *l, uint32_t d)
{
	struct tpcc_district row = {.ytd = 3000000, .next_o_id = TPCC_ORDERS + 1};
	struct tpcc_key key;
	int rc;

	row.tax = bench_random_range(&l->random, 0, 2000);
	tpcc_letters(&l->random, row.name, sizeof(row.name), 6, 10);
	random_address(&l->random, &row.address);
	rc = load_row(l, TPCC_T_DISTRICT, tpcc_key_d(&key, l->w_id, d), &row, sizeof(row));
	if (rc == LG_OK)
		rc = load_customers(l, d);
	return rc == LG_OK ? load_orders(l, d) : rc;
}

static int load_warehouse(struct loader *l)
{
	struct tpcc_warehouse row = {.ytd = 30000000};
	struct tpcc_key key;
	int rc;

	tpcc_stream(&l->random, l->w->bench->seed, STREAM_WAREHOUSE, l->w_id);
	tpcc_stream(&l->lines, l->w->bench->seed, STREAM_LINES, l->w_id);
	row.tax = bench_random_range(&l->random, 0, 2000);
	tpcc_letters(&l->random, row.name, sizeof(row.name), 6, 10);
	random_address(&l->random, &row.address);
	rc = load_row(l, TPCC_T_WAREHOUSE, tpcc_key_w(&key, l->w_id), &row, sizeof(row));
	if (rc == LG_OK)
		rc = load_stock(l);
	for (uint32_t d = 1; d <= TPCC_DISTRICTS && rc == LG_OK; d++)
		rc = load_district(l, d);
	return rc;
}

uint64_t tpcc_load_rows(const struct bench_worker *w)
{
	const struct tpcc_worker *state = tpcc_state(w);
	uint64_t rows = w->index == 0 ? TPCC_ITEMS : 0;

	for (uint32_t i = 0; i < state->home_warehouses; i++) {
		struct bench_random lines;
		rows += 1 + TPCC_ITEMS + TPCC_DISTRICTS;
		rows += TPCC_DISTRICTS * (4 * TPCC_CUSTOMERS + 2 * TPCC_ORDERS + TPCC_ORDERS - TPCC_DELIVERED);
		tpcc_stream(&lines, w->bench->seed, STREAM_LINES, state->first_w + i);
		for (uint32_t o = 0; o < TPCC_DISTRICTS * TPCC_ORDERS; o++)
			rows += bench_random_range(&lines, TPCC_MIN_LINES, TPCC_MAX_LINES);
	}
	return rows;
}

int tpcc_load(struct bench_worker *w, struct lg_error *err)
{
	const struct tpcc_worker *state = tpcc_state(w);
	struct loader l = {.w = w, .tpcc = tpcc_of(w), .now = tpcc_now_us(), .err = err};
	int rc = w->index == 0 ? load_items(&l) : LG_OK;

	for (uint32_t i = 0; i < state->home_warehouses && rc == LG_OK; i++) {
		l.w_id = state->first_w + i;
		rc = load_warehouse(&l);
	}
	report_rows(&l);
	return rc;
}
