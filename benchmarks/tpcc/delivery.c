/* delivery.c: the Delivery transaction (clause 2.7), all ten districts in one database transaction. */
#include "tpcc.h"

struct delivery {
	const struct tpcc *tpcc;
	/* in */
	uint32_t w_id;
	uint8_t carrier_id;
	uint64_t date;
	/* out */
	uint32_t o_id[TPCC_DISTRICTS]; /* 0: the district had no order to deliver */
};

/* Takes the district's oldest undelivered order out of NEW-ORDER. *o_id is 0 if there is none. */
static int take_oldest(struct lg_txn *txn, const struct delivery *v, uint32_t d, uint32_t *o_id)
{
	struct lg_table *table = v->tpcc->table[TPCC_T_NEW_ORDER];
	struct tpcc_key lo, hi;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int rc;

	*o_id = 0;
	rc = lg_scan_open(
	        txn, table, tpcc_key_d(&lo, v->w_id, d), tpcc_key_d(&hi, v->w_id, d + 1), LG_SCAN_FORWARD, 1, &scan);
	if (rc != LG_OK)
		return rc;
	rc = lg_scan_next(scan, &key, &val);
	if (rc != LG_OK)
		return rc == LG_END ? LG_OK : rc;
	if (key.bytes != 9)
		return LG_CORRUPT;
	*o_id = tpcc_load32((const uint8_t *)key.data + 5);
	lg_scan_close(scan);
	rc = lg_del(txn, table, key);
	/* The row that the scan read is gone: another transaction has deleted it, so this one cannot commit. */
	return rc == LG_NOTFOUND ? LG_CONFLICT : rc;
}

/* Stamps the order's lines and adds up what they cost. */
static int deliver_lines(struct lg_txn *txn, const struct delivery *v, uint32_t d, uint32_t o_id, int64_t *amount)
{
	struct tpcc_key lo, hi;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int rc;

	*amount = 0;
	rc = lg_scan_open(txn, v->tpcc->table[TPCC_T_ORDER_LINE], tpcc_key_order(&lo, v->w_id, d, o_id),
	        tpcc_key_order(&hi, v->w_id, d, o_id + 1), LG_SCAN_EDIT, 0, &scan);
	if (rc != LG_OK)
		return rc;
	while ((rc = lg_scan_next(scan, &key, &val)) == LG_OK) {
		struct tpcc_order_line *line = lg_scan_value(scan);
		if (val.bytes < sizeof(*line))
			return LG_CORRUPT;
		line->delivery_d = v->date;
		*amount += line->amount;
	}
	if (rc != LG_END)
		return rc;
	lg_scan_close(scan);
	return LG_OK;
}

static int deliver_district(struct lg_txn *txn, const struct delivery *v, uint32_t d, uint32_t *o_id)
{
	const struct tpcc *t = v->tpcc;
	struct tpcc_customer *customer;
	struct tpcc_order *order;
	struct tpcc_key key;
	int64_t amount;
	int rc = take_oldest(txn, v, d, o_id);

	if (rc != LG_OK || *o_id == 0)
		return rc;
	order = tpcc_edit(txn, t->table[TPCC_T_ORDER], tpcc_key_order(&key, v->w_id, d, *o_id), sizeof(*order), &rc);
	if (!order)
		return rc;
	order->carrier_id = v->carrier_id;
	rc = deliver_lines(txn, v, d, *o_id, &amount);
	if (rc != LG_OK)
		return rc;
	customer = tpcc_edit(txn, t->table[TPCC_T_CUSTOMER], tpcc_key_customer(&key, v->w_id, d, order->c_id),
	        sizeof(*customer), &rc);
	if (!customer)
		return rc;
	customer->balance += amount;
	customer->delivery_cnt++;
	return LG_OK;
}

static int delivery(struct lg_txn *txn, void *arg)
{
	struct delivery *v = arg;
	int rc = LG_OK;

	for (uint32_t d = 1; d <= TPCC_DISTRICTS && rc == LG_OK; d++)
		rc = deliver_district(txn, v, d, &v->o_id[d - 1]);
	return rc;
}

int tpcc_delivery(struct bench_worker *w)
{
	struct delivery v = {.tpcc = tpcc_of(w), .w_id = tpcc_random_home(w), .date = tpcc_now_us()};

	v.carrier_id = (uint8_t)bench_random_range(&w->random, 1, 10);
	return lg_run(w->worker, delivery, &v);
}
