/* orderstatus.c: the OrderStatus transaction (clause 2.6), which only reads. */
#include "tpcc.h"

struct order_status {
	const struct tpcc *tpcc;
	/* in */
	struct tpcc_who who;
	/* out */
	uint32_t c_id, o_id, line_count;
	int64_t balance;
	char first[16], middle[2], last[TPCC_NAME_BYTES];
	struct tpcc_order order;
	struct tpcc_order_line line[TPCC_MAX_LINES];
};

static int read_customer(struct lg_txn *txn, struct order_status *s)
{
	const struct tpcc_customer *customer;
	struct tpcc_key key;
	int rc = tpcc_find_customer(txn, s->tpcc, &s->who, &s->c_id);

	if (rc != LG_OK)
		return rc;
	customer = tpcc_get(txn, s->tpcc->table[TPCC_T_CUSTOMER],
	        tpcc_key_customer(&key, s->who.w_id, s->who.d_id, s->c_id), sizeof(*customer), &rc);
	if (!customer)
		return rc;
	s->balance = customer->balance;
	memcpy(s->first, customer->first, sizeof(s->first));
	memcpy(s->middle, customer->middle, sizeof(s->middle));
	memcpy(s->last, customer->last, sizeof(s->last));
	return LG_OK;
}

/* The customer's latest order: the last of the index's entries of this customer. */
static int read_order(struct lg_txn *txn, struct order_status *s)
{
	const struct tpcc *t = s->tpcc;
	const struct tpcc_order *order;
	struct tpcc_key lo, hi, order_key;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int rc;

	rc = lg_scan_open(txn, t->table[TPCC_T_ORDER_CUSTOMER],
	        tpcc_key_customer(&lo, s->who.w_id, s->who.d_id, s->c_id),
	        tpcc_key_customer(&hi, s->who.w_id, s->who.d_id, s->c_id + 1), LG_SCAN_REVERSE, 1, &scan);
	if (rc != LG_OK)
		return rc;
	rc = lg_scan_next(scan, &key, &val);
	if (rc != LG_OK)
		return rc == LG_END ? LG_NOTFOUND : rc;
	if (key.bytes != 11)
		return LG_CORRUPT;
	s->o_id = tpcc_load32((const uint8_t *)key.data + 7);
	lg_scan_close(scan);
	order = tpcc_get(txn, t->table[TPCC_T_ORDER], tpcc_key_order(&order_key, s->who.w_id, s->who.d_id, s->o_id),
	        sizeof(*order), &rc);
	if (order)
		s->order = *order;
	return rc;
}

static int read_lines(struct lg_txn *txn, struct order_status *s)
{
	struct tpcc_key lo, hi;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int rc;

	s->line_count = 0;
	rc = lg_scan_open(txn, s->tpcc->table[TPCC_T_ORDER_LINE],
	        tpcc_key_order(&lo, s->who.w_id, s->who.d_id, s->o_id),
	        tpcc_key_order(&hi, s->who.w_id, s->who.d_id, s->o_id + 1), LG_SCAN_FORWARD, 0, &scan);
	if (rc != LG_OK)
		return rc;
	while ((rc = lg_scan_next(scan, &key, &val)) == LG_OK) {
		if (val.bytes < sizeof(s->line[0]) || s->line_count == TPCC_MAX_LINES)
			return LG_CORRUPT;
		s->line[s->line_count++] = *(const struct tpcc_order_line *)val.data;
	}
	if (rc != LG_END)
		return rc;
	lg_scan_close(scan);
	return LG_OK;
}

static int order_status(struct lg_txn *txn, void *arg)
{
	struct order_status *s = arg;
	int rc = read_customer(txn, s);

	if (rc == LG_OK)
		rc = read_order(txn, s);
	return rc == LG_OK ? read_lines(txn, s) : rc;
}

int tpcc_order_status(struct bench_worker *w)
{
	struct order_status s;
	uint32_t w_id = tpcc_random_home(w);

	s.tpcc = tpcc_of(w);
	tpcc_random_who(w, w_id, bench_random_range(&w->random, 1, TPCC_DISTRICTS), &s.who);
	return lg_run(w->worker, order_status, &s);
}
