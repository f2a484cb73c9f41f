/* stocklevel.c: the StockLevel transaction (clause 2.8), which only reads. */
#include "tpcc.h"

enum { ORDERS_BACK = 20, SET_BITS = 10, SET_SLOTS = 1 << SET_BITS };

struct stock_level {
	const struct tpcc *tpcc;
	/* in */
	uint32_t w_id, d_id;
	int32_t threshold;
	/* out */
	uint32_t low_stock;
};

/* The distinct items, in a hash table that is never more than a third full. */
struct item_set {
	uint32_t count;
	uint32_t item[ORDERS_BACK * TPCC_MAX_LINES];
	uint32_t slot[SET_SLOTS]; /* an item, or 0 */
};

static_assert(ORDERS_BACK * TPCC_MAX_LINES * 3 <= SET_SLOTS, "probes stay short");

static void add_item(struct item_set *set, uint32_t item)
{
	uint32_t at = (item * 0x9e3779b1u) >> (32 - SET_BITS);

	while (set->slot[at] != 0) {
		if (set->slot[at] == item)
			return;
		at = (at + 1) & (SET_SLOTS - 1);
	}
	set->slot[at] = item;
	set->item[set->count++] = item;
}

static int collect_items(struct lg_txn *txn, const struct stock_level *s, uint32_t next_o_id, struct item_set *set)
{
	uint32_t first = next_o_id > ORDERS_BACK ? next_o_id - ORDERS_BACK : 1, lines = 0;
	struct tpcc_key lo, hi;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int rc;

	set->count = 0;
	memset(set->slot, 0, sizeof(set->slot));
	rc = lg_scan_open(txn, s->tpcc->table[TPCC_T_ORDER_LINE], tpcc_key_order(&lo, s->w_id, s->d_id, first),
	        tpcc_key_order(&hi, s->w_id, s->d_id, next_o_id), LG_SCAN_FORWARD, 0, &scan);
	if (rc != LG_OK)
		return rc;
	while ((rc = lg_scan_next(scan, &key, &val)) == LG_OK) {
		if (val.bytes < sizeof(struct tpcc_order_line) || ++lines > ORDERS_BACK * TPCC_MAX_LINES)
			return LG_CORRUPT;
		add_item(set, ((const struct tpcc_order_line *)val.data)->i_id);
	}
	if (rc != LG_END)
		return rc;
	lg_scan_close(scan);
	return LG_OK;
}

static int stock_level(struct lg_txn *txn, void *arg)
{
	struct stock_level *s = arg;
	const struct tpcc *t = s->tpcc;
	const struct tpcc_district *district;
	const struct tpcc_stock *stock;
	struct item_set set;
	struct tpcc_key key;
	int rc;

	district = tpcc_get(txn, t->table[TPCC_T_DISTRICT], tpcc_key_d(&key, s->w_id, s->d_id), sizeof(*district), &rc);
	if (!district)
		return rc;
	rc = collect_items(txn, s, district->next_o_id, &set);
	if (rc != LG_OK)
		return rc;
	s->low_stock = 0;
	for (uint32_t i = 0; i < set.count; i++) {
		stock = tpcc_get(
		        txn, t->table[TPCC_T_STOCK], tpcc_key_stock(&key, s->w_id, set.item[i]), sizeof(*stock), &rc);
		if (!stock)
			return rc;
		s->low_stock += stock->quantity < s->threshold;
	}
	return LG_OK;
}

int tpcc_stock_level(struct bench_worker *w)
{
	struct stock_level s = {.tpcc = tpcc_of(w), .w_id = tpcc_random_home(w)};

	s.d_id = bench_random_range(&w->random, 1, TPCC_DISTRICTS);
	s.threshold = (int32_t)bench_random_range(&w->random, 10, 20);
	return lg_run(w->worker, stock_level, &s);
}
