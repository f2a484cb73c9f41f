/* check.c: the twelve consistency conditions of clause 3.3.2, and that the indexes agree with their tables.
 *
 * Each worker checks its home warehouses, while no transactions but checks run. Nearly everything it needs lies there;
 * the exception is condition 10: a payment's HISTORY row lies in the warehouse that was paid, its customer's balance
 * perhaps in another. So there are two steps, with a barrier between them:
 *
 *     0   add up the payments of customers of other warehouses; for each district that has such customers put one row of
 *         sums into the table `check`, at the district's warehouse
 *     1   read and remove those rows, and check the warehouse
 *
 * A row of sums holds 8 bytes a customer: the sum in cents, shifted left by 12 bits, and the customer's number.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "check.h"

enum { SUM_SHIFT = 12 };
static_assert(TPCC_CUSTOMERS < 1 << SUM_SHIFT, "a customer's number fits beside the sum");

enum side { COUNT, MONEY, ID };

static const struct {
	int condition;   /* 0: not the standard's */
	const char *row; /* what finding.id counts, or NULL */
	const char *left, *right;
	enum side side;
} rules[RULE_COUNT] = {
        [RULE_1] = {1, NULL, "W_YTD", "the sum of D_YTD", MONEY},
        [RULE_2_ORDER] = {2, NULL, "D_NEXT_O_ID - 1", "max(O_ID)", COUNT},
        [RULE_2_NEW_ORDER] = {2, NULL, "D_NEXT_O_ID - 1", "max(NO_O_ID)", COUNT},
        [RULE_3] = {3, NULL, "max(NO_O_ID) - min(NO_O_ID) + 1", "the count of NEW-ORDER", COUNT},
        [RULE_4] = {4, NULL, "the sum of O_OL_CNT", "the count of ORDER-LINE", COUNT},
        [RULE_5] = {5, "order", "O_CARRIER_ID", "the count of its NEW-ORDER rows", ID},
        [RULE_5_ORPHAN] = {5, "order", "the count of its ORDER rows", "of its NEW-ORDER rows", COUNT},
        [RULE_6] = {6, "order", "O_OL_CNT", "the count of its ORDER-LINE rows", COUNT},
        [RULE_7] = {7, "order", "OL_DELIVERY_D of a line", "O_CARRIER_ID", ID},
        [RULE_7_ORPHAN] = {7, "order", "the count of its ORDER rows", "of its ORDER-LINE rows", COUNT},
        [RULE_8] = {8, NULL, "W_YTD", "the sum of H_AMOUNT", MONEY},
        [RULE_9] = {9, NULL, "D_YTD", "the sum of H_AMOUNT", MONEY},
        [RULE_10] = {10, "customer", "C_BALANCE", "delivered OL_AMOUNT - H_AMOUNT", MONEY},
        [RULE_10_ORPHAN] = {10, "customer", "the count of its CUSTOMER rows", "of its HISTORY rows", COUNT},
        [RULE_11] = {11, NULL, "ORDER - NEW-ORDER - C_DELIVERY_CNT", "what was loaded as delivered", COUNT},
        [RULE_12] = {12, "customer", "C_BALANCE + C_YTD_PAYMENT", "delivered OL_AMOUNT", MONEY},
        [RULE_CUSTOMERS] = {0, NULL, "the count of CUSTOMER", "what was loaded", COUNT},
        [RULE_NAME_INDEX] = {0, "customer", "the count of CUSTOMER rows", "of its index by name", COUNT},
        [RULE_ORDER_INDEX] = {0, "order", "O_C_ID", "the customer in the index of orders by customer", ID},
};

/* ---- Findings ---------------------------------------------------------------------------------------------------- */

void check_broken(struct checker *c, enum check_rule rule, uint32_t id, int64_t left, int64_t right)
{
	struct check_finding *f = &c->finding[rule];

	if (f->count++ == 0)
		*f = (struct check_finding){.count = 1, .id = id, .left = left, .right = right};
}

void check_equal(struct checker *c, enum check_rule rule, uint32_t id, int64_t left, int64_t right)
{
	if (left != right)
		check_broken(c, rule, id, left, right);
}

static const char *side_text(enum side side, int64_t n, char text[32])
{
	uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	if (side == MONEY)
		snprintf(text, 32, "%s%" PRIu64 ".%02" PRIu64, n < 0 ? "-" : "", size / 100, size % 100);
	else if (side == ID && n == 0)
		snprintf(text, 32, "null");
	else
		snprintf(text, 32, "%" PRId64, n);
	return text;
}

static void report_rule(struct checker *c, enum check_rule rule)
{
	const struct check_finding *f = &c->finding[rule];
	char left[32], right[32], name[24] = "index or count", district[24] = "", row[32] = "", more[40] = "";
	/* Conditions 5 and 7 compare with a count or an id; only their ids can be null. */
	enum side right_side = rule == RULE_5 ? COUNT : rules[rule].side;

	if (rules[rule].condition != 0)
		snprintf(name, sizeof(name), "condition %d", rules[rule].condition);
	if (c->d_id != 0)
		snprintf(district, sizeof(district), " district %u", c->d_id);
	if (rules[rule].row)
		snprintf(row, sizeof(row), " %s %u", rules[rule].row, f->id);
	if (f->count > 1)
		snprintf(more, sizeof(more), "; %" PRIu64 " more", f->count - 1);
	bench_fail(c->failures, "%s: warehouse %u%s%s: %s is %s, but %s is %s%s", name, c->w_id, district, row,
	        rules[rule].left, side_text(rules[rule].side, f->left, left), rules[rule].right,
	        side_text(right_side, f->right, right), more);
}

void check_report(struct checker *c)
{
	for (uint32_t rule = 0; rule < RULE_COUNT; rule++)
		if (c->finding[rule].count > 0)
			report_rule(c, rule);
	memset(c->finding, 0, sizeof(c->finding));
}

/* ---- Scans ------------------------------------------------------------------------------------------------------- */

static int read_batch(struct lg_txn *txn, void *arg)
{
	struct check_batch *b = arg;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int rc;

	b->count = 0;
	rc = lg_scan_open(txn, b->table, b->lo, b->hi, LG_SCAN_FORWARD, CHECK_BATCH_ROWS, &scan);
	if (rc != LG_OK)
		return rc;
	while ((rc = lg_scan_next(scan, &key, &val)) == LG_OK) {
		struct check_row *row = &b->row[b->count];
		if (key.bytes != b->key_bytes || val.bytes != b->value_bytes || b->count == CHECK_BATCH_ROWS)
			return LG_CORRUPT;
		memcpy(row->key, key.data, key.bytes);
		if (val.bytes > 0)
			memcpy(row->value, val.data, val.bytes);
		b->count++;
	}
	return rc == LG_END ? LG_OK : rc;
}

int check_scan(struct checker *c, enum tpcc_table_id id, struct lg_slice lo, struct lg_slice hi, size_t key_bytes,
        size_t value_bytes, int (*row)(struct checker *c, const uint8_t *key, const void *value))
{
	struct check_batch *b = &c->batch;
	uint8_t next[sizeof(b->row->key) + 1];
	int rc;

	assert(key_bytes <= sizeof(b->row->key) && value_bytes <= sizeof(b->row->value));
	b->table = c->tpcc->table[id];
	b->lo = lo;
	b->hi = hi;
	b->key_bytes = key_bytes;
	b->value_bytes = value_bytes;
	do {
		rc = lg_run(c->w->worker, read_batch, b);
		if (rc == LG_CORRUPT)
			bench_fail(c->failures,
			        "%s, warehouse %u: a row whose key is not of %zu or whose value is not of %zu bytes",
			        tpcc_table_name(id), c->w_id, key_bytes, value_bytes);
		for (uint32_t i = 0; i < b->count && rc == LG_OK; i++)
			rc = row(c, b->row[i].key, b->row[i].value);
		if (rc == LG_OK && b->count > 0) {
			/* The least key after the last one. */
			memcpy(next, b->row[b->count - 1].key, key_bytes);
			next[key_bytes] = 0;
			b->lo = lg_slice(next, key_bytes + 1);
		}
	} while (rc == LG_OK && b->count == CHECK_BATCH_ROWS);
	return rc;
}

/* Scans the rows of a whole warehouse. */
static int scan_warehouse(struct checker *c, enum tpcc_table_id id, size_t key_bytes, size_t value_bytes,
        int (*row)(struct checker *c, const uint8_t *key, const void *value))
{
	struct tpcc_key lo, hi;

	/* The end is short of the next warehouse, which may be another host's: no key goes on with six times 255. */
	tpcc_key_w(&lo, c->w_id);
	tpcc_key_w(&hi, c->w_id);
	memset(hi.bytes + 4, 0xff, 6);
	return check_scan(c, id, lg_slice(lo.bytes, 4), lg_slice(hi.bytes, 10), key_bytes, value_bytes, row);
}

/* ---- Step 0: payments of customers of other warehouses ------------------------------------------------------------ */

struct foreign_payment {
	uint64_t customer; /* warehouse, 16 bits each of district and number */
	int64_t amount;
};

/* All of a worker's home warehouses. */
struct foreign {
	struct checker checker; /* first: the scan's row function gets it */
	struct foreign_payment *payment;
	size_t count, capacity;
};

static bool customer_exists(const struct tpcc *t, const struct tpcc_history *h)
{
	return h->c_w_id >= 1 && h->c_w_id <= t->warehouses && h->c_d_id >= 1 && h->c_d_id <= TPCC_DISTRICTS &&
	       h->c_id >= 1 && h->c_id <= TPCC_CUSTOMERS;
}

static int collect_payment(struct checker *c, const uint8_t *key, const void *value)
{
	struct foreign *f = (struct foreign *)c;
	const struct tpcc_history *h = value;

	(void)key;
	/* One of a customer that cannot exist is reported in step 1. */
	if (h->c_w_id == c->w_id || !customer_exists(c->tpcc, h))
		return LG_OK;
	if (f->count == f->capacity) {
		size_t capacity = f->capacity ? 2 * f->capacity : 4096;
		struct foreign_payment *grown = realloc(f->payment, capacity * sizeof(*grown));
		if (!grown)
			return LG_NOSPACE;
		f->payment = grown;
		f->capacity = capacity;
	}
	f->payment[f->count++] = (struct foreign_payment){
	        .customer = (uint64_t)h->c_w_id << 32 | (uint64_t)h->c_d_id << 16 | h->c_id, .amount = h->amount};
	return LG_OK;
}

static int compare_payments(const void *a, const void *b)
{
	uint64_t x = ((const struct foreign_payment *)a)->customer, y = ((const struct foreign_payment *)b)->customer;
	return (x > y) - (x < y);
}

struct sums {
	struct lg_table *table;
	struct lg_slice key;
	size_t count;
	uint64_t sum[TPCC_CUSTOMERS];
};

static int put_sums(struct lg_txn *txn, void *arg)
{
	const struct sums *s = arg;
	return lg_put(txn, s->table, s->key, lg_slice(s->sum, s->count * sizeof(s->sum[0])));
}

/* Puts the sums of the sorted payments, a row for each district. */
static int put_foreign(struct foreign *f)
{
	struct checker *c = &f->checker;
	struct sums s = {.table = c->tpcc->table[TPCC_T_CHECK]};
	struct tpcc_key key;
	int rc = LG_OK;

	qsort(f->payment, f->count, sizeof(*f->payment), compare_payments);
	for (size_t i = 0; i < f->count && rc == LG_OK;) {
		uint64_t district = f->payment[i].customer >> 16;
		for (s.count = 0; i < f->count && f->payment[i].customer >> 16 == district; s.count++) {
			uint64_t customer = f->payment[i].customer;
			int64_t sum = 0;
			for (; i < f->count && f->payment[i].customer == customer; i++)
				sum += f->payment[i].amount;
			s.sum[s.count] = (uint64_t)sum << SUM_SHIFT | (customer & 0xffff);
		}
		s.key = tpcc_key_customer(
		        &key, (uint32_t)(district >> 16), (uint32_t)(district & 0xffff), c->w->global_index);
		rc = lg_run(c->w->worker, put_sums, &s);
	}
	return rc;
}

static int send_payments(struct bench_worker *w, struct bench_failures *failures)
{
	const struct tpcc_worker *state = tpcc_state(w);
	struct foreign *f = calloc(1, sizeof(*f));
	int rc = LG_OK;

	if (!f)
		return LG_NOSPACE;
	f->checker.w = w;
	f->checker.tpcc = tpcc_of(w);
	f->checker.failures = failures;
	for (uint32_t i = 0; i < state->home_warehouses && rc == LG_OK; i++) {
		f->checker.w_id = state->first_w + i;
		rc = scan_warehouse(&f->checker, TPCC_T_HISTORY, 14, sizeof(struct tpcc_history), collect_payment);
	}
	if (rc == LG_OK && f->count > 0)
		rc = put_foreign(f);
	free(f->payment);
	free(f);
	return rc;
}

/* ---- Step 1: the warehouse ----------------------------------------------------------------------------------------- */

struct received {
	struct checker *checker;
	uint32_t d_id;
	int64_t paid[TPCC_CUSTOMERS + 1];
};

/* Adds up the rows of sums of a district, and removes them. */
static int receive_district(struct lg_txn *txn, void *arg)
{
	struct received *r = arg;
	struct lg_table *table = r->checker->tpcc->table[TPCC_T_CHECK];
	struct tpcc_key lo, hi;
	struct lg_slice key, val;
	struct lg_scan *scan;
	int rc;

	memset(r->paid, 0, sizeof(r->paid));
	rc = lg_scan_open(txn, table, tpcc_key_d(&lo, r->checker->w_id, r->d_id),
	        tpcc_key_d(&hi, r->checker->w_id, r->d_id + 1), LG_SCAN_FORWARD, 0, &scan);
	if (rc != LG_OK)
		return rc;
	while ((rc = lg_scan_next(scan, &key, &val)) == LG_OK) {
		const uint64_t *sum = val.data;
		for (size_t i = 0; i < val.bytes / sizeof(*sum); i++) {
			uint64_t customer = sum[i] & ((1 << SUM_SHIFT) - 1);
			r->paid[customer <= TPCC_CUSTOMERS ? customer : 0] += (int64_t)sum[i] >> SUM_SHIFT;
		}
		rc = lg_del(txn, table, key);
		if (rc != LG_OK)
			return rc;
	}
	return rc == LG_END ? LG_OK : rc;
}

static int receive_payments(struct checker *c)
{
	struct received r = {.checker = c};
	int rc = LG_OK;

	for (r.d_id = 1; r.d_id <= TPCC_DISTRICTS && rc == LG_OK; r.d_id++) {
		rc = lg_run(c->w->worker, receive_district, &r);
		for (uint32_t i = 0; i <= TPCC_CUSTOMERS && rc == LG_OK; i++)
			c->c_paid[r.d_id][i] += r.paid[i];
	}
	return rc;
}

static int add_payment(struct checker *c, const uint8_t *key, const void *value)
{
	const struct tpcc_history *h = value;

	(void)key;
	c->w_paid += h->amount;
	c->d_paid[h->d_id <= TPCC_DISTRICTS ? h->d_id : 0] += h->amount;
	if (!customer_exists(c->tpcc, h))
		check_broken(c, RULE_10_ORPHAN, h->c_id, 0, 1);
	else if (h->c_w_id == c->w_id)
		c->c_paid[h->c_d_id][h->c_id] += h->amount;
	return LG_OK;
}

static int add_warehouse(struct checker *c, const uint8_t *key, const void *value)
{
	const struct tpcc_warehouse *row = value;

	(void)key;
	c->w_found = true;
	c->w_ytd = row->ytd;
	return LG_OK;
}

static int add_district(struct checker *c, const uint8_t *key, const void *value)
{
	const struct tpcc_district *row = value;
	uint32_t d = key[4] <= TPCC_DISTRICTS ? key[4] : 0;

	c->d_found[d] = true;
	c->d_ytd[d] = row->ytd;
	c->d_next_o_id[d] = row->next_o_id;
	return LG_OK;
}

/* The sums of the warehouse, and the conditions on it as a whole. */
static int check_whole(struct checker *c)
{
	int64_t d_ytd_sum = 0;
	int rc = scan_warehouse(c, TPCC_T_WAREHOUSE, 4, sizeof(struct tpcc_warehouse), add_warehouse);

	if (rc == LG_OK)
		rc = scan_warehouse(c, TPCC_T_DISTRICT, 5, sizeof(struct tpcc_district), add_district);
	if (rc == LG_OK)
		rc = scan_warehouse(c, TPCC_T_HISTORY, 14, sizeof(struct tpcc_history), add_payment);
	if (rc == LG_OK)
		rc = receive_payments(c);
	if (rc != LG_OK)
		return rc;
	for (uint32_t d = 0; d <= TPCC_DISTRICTS; d++)
		d_ytd_sum += c->d_ytd[d];
	if (!c->w_found)
		bench_fail(c->failures, "condition 1: warehouse %u has no row in WAREHOUSE", c->w_id);
	check_equal(c, RULE_1, 0, c->w_ytd, d_ytd_sum);
	check_equal(c, RULE_8, 0, c->w_ytd, c->w_paid);
	check_report(c);
	return LG_OK;
}

static int check_warehouse(struct bench_worker *w, uint32_t w_id, bool after_run, struct bench_failures *failures)
{
	struct checker *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return LG_NOSPACE;
	c->w = w;
	c->tpcc = tpcc_of(w);
	c->failures = failures;
	c->after_run = after_run;
	c->w_id = w_id;
	rc = check_whole(c);
	for (c->d_id = 1; c->d_id <= TPCC_DISTRICTS && rc == LG_OK; c->d_id++) {
		rc = check_district(c);
		if (rc == LG_OK)
			check_report(c);
	}
	free(c->order);
	free(c);
	return rc;
}

int tpcc_check(struct bench_worker *w, uint32_t step, bool after_run, struct bench_failures *failures)
{
	const struct tpcc_worker *state = tpcc_state(w);
	int rc = LG_OK;

	assert(step < TPCC_CHECK_STEPS);
	if (step == 0)
		return send_payments(w, failures);
	for (uint32_t i = 0; i < state->home_warehouses && rc == LG_OK; i++)
		rc = check_warehouse(w, state->first_w + i, after_run, failures);
	return rc;
}
