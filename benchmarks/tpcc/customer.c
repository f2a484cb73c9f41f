/* customer.c: the choice of a customer by number or by last name, for Payment and OrderStatus (clauses 2.5.1.2, 2.6.1.2). */
#include "tpcc.h"

void tpcc_random_who(struct bench_worker *w, uint32_t w_id, uint32_t d_id, struct tpcc_who *who)
{
	const struct tpcc *t = tpcc_of(w);

	who->w_id = w_id;
	who->d_id = d_id;
	who->c_id = 0;
	if (tpcc_percent(&w->random, 60))
		tpcc_last_name(tpcc_random_last(&w->random, t->c_last_run), who->last);
	else
		who->c_id = tpcc_random_customer(&w->random, t);
}

int tpcc_find_customer(struct lg_txn *txn, const struct tpcc *t, const struct tpcc_who *who, uint32_t *c_id)
{
	uint16_t found[TPCC_CUSTOMERS];
	uint32_t count = 0;
	struct tpcc_key lo, hi;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int rc;

	*c_id = who->c_id;
	if (who->c_id != 0)
		return LG_OK;
	tpcc_key_d(&lo, who->w_id, who->d_id);
	memcpy(lo.bytes + 5, who->last, TPCC_NAME_BYTES);
	hi = lo;
	hi.bytes[20] = 1; /* names have 15 characters at most, so the 16th byte of a key is always 0 */
	rc = lg_scan_open(txn, t->table[TPCC_T_CUSTOMER_NAME], lg_slice(lo.bytes, 21), lg_slice(hi.bytes, 21),
	        LG_SCAN_FORWARD, 0, &scan);
	if (rc != LG_OK)
		return rc;
	while ((rc = lg_scan_next(scan, &key, &val)) == LG_OK) {
		if (key.bytes != 39 || count == TPCC_CUSTOMERS)
			return LG_CORRUPT;
		found[count++] = (uint16_t)tpcc_load16((const uint8_t *)key.data + 37);
	}
	if (rc != LG_END)
		return rc;
	lg_scan_close(scan);
	if (count == 0)
		return LG_NOTFOUND;
	*c_id = found[(count - 1) / 2];
	return LG_OK;
}
