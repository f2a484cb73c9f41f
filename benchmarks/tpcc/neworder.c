/* neworder.c: the NewOrder transaction (clause 2.4). */
#include "tpcc.h"

struct order_line {
	/* in */
	uint32_t i_id, supply_w_id, quantity;
	/* out */
	uint32_t price;
	int32_t amount, stock;
	char name[24];
	char brand; /* 'B' or 'G' */
};

struct new_order {
	const struct tpcc *tpcc;
	/* in */
	uint32_t w_id, d_id, c_id, line_count;
	uint64_t entry_d;
	bool all_local;
	struct order_line line[TPCC_MAX_LINES];
	/* out */
	uint32_t o_id, w_tax, d_tax, discount;
	int64_t total;
	char last[TPCC_NAME_BYTES], credit[2];
};

static void generate(struct bench_worker *w, struct new_order *n)
{
	struct bench_random *r = &w->random;
	const struct tpcc *t = tpcc_of(w);
	bool standard = t->remote_new_order_percent == TPCC_STANDARD_REMOTE;
	bool remote_first = !standard && tpcc_percent(r, (uint32_t)t->remote_new_order_percent);

	n->tpcc = t;
	n->w_id = tpcc_random_home(w);
	n->d_id = bench_random_range(r, 1, TPCC_DISTRICTS);
	n->c_id = tpcc_random_customer(r, t);
	n->line_count = bench_random_range(r, TPCC_MIN_LINES, TPCC_MAX_LINES);
	n->entry_d = tpcc_now_us();
	n->all_local = true;
	for (uint32_t i = 0; i < n->line_count; i++) {
		struct order_line *line = &n->line[i];
		line->i_id = tpcc_random_item(r, t);
		line->quantity = bench_random_range(r, 1, 10);
		line->supply_w_id = n->w_id;
		if (standard ? tpcc_percent(r, 1) : remote_first && i == 0)
			line->supply_w_id = tpcc_random_remote(w, n->w_id, !standard);
		n->all_local &= line->supply_w_id == n->w_id;
	}
	if (tpcc_percent(r, 1))
		n->line[n->line_count - 1].i_id = TPCC_ITEMS + 1; /* unused: the order will be rolled back */
}

static bool has_original(const char *data, size_t bytes)
{
	const char *end = data + bytes, *at = data;

	while (end - at >= 8 && (at = memchr(at, 'O', (size_t)(end - at) - 7))) {
		if (memcmp(at, "ORIGINAL", 8) == 0)
			return true;
		at++;
	}
	return false;
}

static int read_heading(struct lg_txn *txn, struct new_order *n)
{
	const struct tpcc *t = n->tpcc;
	const struct tpcc_warehouse *warehouse;
	const struct tpcc_customer *customer;
	struct tpcc_district *district;
	struct tpcc_key key;
	int rc;

	warehouse = tpcc_get(txn, t->table[TPCC_T_WAREHOUSE], tpcc_key_w(&key, n->w_id), sizeof(*warehouse), &rc);
	if (!warehouse)
		return rc;
	n->w_tax = warehouse->tax;
	district =
	        tpcc_edit(txn, t->table[TPCC_T_DISTRICT], tpcc_key_d(&key, n->w_id, n->d_id), sizeof(*district), &rc);
	if (!district)
		return rc;
	n->d_tax = district->tax;
	n->o_id = district->next_o_id++;
	customer = tpcc_get(txn, t->table[TPCC_T_CUSTOMER], tpcc_key_customer(&key, n->w_id, n->d_id, n->c_id),
	        sizeof(*customer), &rc);
	if (!customer)
		return rc;
	n->discount = customer->discount;
	memcpy(n->last, customer->last, sizeof(n->last));
	memcpy(n->credit, customer->credit, sizeof(n->credit));
	return LG_OK;
}

static int insert_order(struct lg_txn *txn, struct new_order *n)
{
	const struct tpcc *t = n->tpcc;
	struct tpcc_order order = {
	        .entry_d = n->entry_d, .c_id = n->c_id, .ol_cnt = (uint8_t)n->line_count, .all_local = n->all_local};
	struct tpcc_key key;
	struct lg_slice order_key = tpcc_key_order(&key, n->w_id, n->d_id, n->o_id);
	int rc;

	rc = lg_insert(txn, t->table[TPCC_T_ORDER], order_key, lg_slice(&order, sizeof(order)));
	if (rc != LG_OK)
		return rc;
	rc = lg_insert(txn, t->table[TPCC_T_NEW_ORDER], order_key, tpcc_empty());
	if (rc != LG_OK)
		return rc;
	return lg_insert(txn, t->table[TPCC_T_ORDER_CUSTOMER],
	        tpcc_key_order_customer(&key, n->w_id, n->d_id, n->c_id, n->o_id), tpcc_empty());
}

static int insert_line(struct lg_txn *txn, const struct new_order *n, const struct order_line *line, uint32_t number,
        const char dist_info[24])
{
	struct tpcc_order_line row = {.i_id = line->i_id, .supply_w_id = line->supply_w_id, .amount = line->amount};
	struct tpcc_key key;

	row.quantity = (uint8_t)line->quantity;
	memcpy(row.dist_info, dist_info, sizeof(row.dist_info));
	return lg_insert(txn, n->tpcc->table[TPCC_T_ORDER_LINE],
	        tpcc_key_order_line(&key, n->w_id, n->d_id, n->o_id, number), lg_slice(&row, sizeof(row)));
}

static int order_item(struct lg_txn *txn, struct new_order *n, struct order_line *line, uint32_t number)
{
	const struct tpcc *t = n->tpcc;
	const struct tpcc_item *item;
	struct tpcc_stock *stock;
	struct lg_slice item_val;
	void *stock_row;
	size_t stock_bytes;
	struct tpcc_key key;
	int rc;

	rc = lg_get(txn, t->table[TPCC_T_ITEM], tpcc_key_w(&key, line->i_id), &item_val);
	if (rc != LG_OK)
		return rc == LG_NOTFOUND ? TPCC_ROLLBACK : rc;
	rc = lg_edit(txn, t->table[TPCC_T_STOCK], tpcc_key_stock(&key, line->supply_w_id, line->i_id), &stock_row,
	        &stock_bytes);
	if (rc != LG_OK)
		return rc;
	if (item_val.bytes < sizeof(*item) || stock_bytes < sizeof(*stock))
		return LG_CORRUPT;
	item = item_val.data;
	stock = stock_row;
	line->price = item->price;
	line->amount = (int32_t)(line->quantity * item->price);
	memcpy(line->name, item->name, sizeof(line->name));
	line->brand = has_original(item->data, item_val.bytes - sizeof(*item)) &&
	                              has_original(stock->data, stock_bytes - sizeof(*stock))
	                      ? 'B'
	                      : 'G';

	stock->quantity -= (int32_t)line->quantity;
	if (stock->quantity < 10)
		stock->quantity += 91;
	stock->ytd += line->quantity;
	stock->order_cnt++;
	stock->remote_cnt += line->supply_w_id != n->w_id;
	line->stock = stock->quantity;
	return insert_line(txn, n, line, number, stock->dist[n->d_id - 1]);
}

static int new_order(struct lg_txn *txn, void *arg)
{
	struct new_order *n = arg;
	int64_t sum = 0;
	int rc = read_heading(txn, n);

	if (rc == LG_OK)
		rc = insert_order(txn, n);
	for (uint32_t i = 0; i < n->line_count && rc == LG_OK; i++) {
		rc = order_item(txn, n, &n->line[i], i + 1);
		sum += n->line[i].amount;
	}
	if (rc == LG_OK)
		n->total = sum * (10000 - (int64_t)n->discount) * (10000 + (int64_t)n->w_tax + n->d_tax) / 100000000;
	return rc;
}

int tpcc_new_order(struct bench_worker *w)
{
	struct new_order n;

	generate(w, &n);
	return lg_run(w->worker, new_order, &n);
}
