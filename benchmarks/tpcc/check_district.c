/* check_district.c: the consistency conditions on one district. Its tables are scanned one after the other; orders are
 * held in an array, which scans in the order of O_ID walk along with a cursor. */
#include <stdlib.h>

#include "check.h"

/* The order `o_id`, or NULL. Calls come in ascending order of o_id, from order_cursor = 0. */
static struct check_order *next_order(struct checker *c, uint32_t o_id)
{
	while (c->order_cursor < c->order_count && c->order[c->order_cursor].o_id < o_id)
		c->order_cursor++;
	if (c->order_cursor == c->order_count || c->order[c->order_cursor].o_id != o_id)
		return NULL;
	return &c->order[c->order_cursor];
}

static int add_order(struct checker *c, const uint8_t *key, const void *value)
{
	const struct tpcc_order *row = value;

	if (c->order_count == c->order_capacity) {
		size_t capacity = c->order_capacity ? 2 * c->order_capacity : 4096;
		struct check_order *grown = realloc(c->order, capacity * sizeof(*grown));
		if (!grown)
			return LG_NOSPACE;
		c->order = grown;
		c->order_capacity = capacity;
	}
	c->order[c->order_count++] = (struct check_order){.o_id = tpcc_load32(key + 5),
	        .c_id = row->c_id <= TPCC_CUSTOMERS ? row->c_id : 0,
	        .ol_cnt = row->ol_cnt,
	        .carrier_id = row->carrier_id};
	c->ol_cnt_sum += row->ol_cnt;
	return LG_OK;
}

static int compare_orders(const void *key, const void *order)
{
	uint32_t x = *(const uint32_t *)key, y = ((const struct check_order *)order)->o_id;
	return (x > y) - (x < y);
}

static int add_order_index(struct checker *c, const uint8_t *key, const void *value)
{
	uint32_t o_id = tpcc_load32(key + 7);
	const struct check_order *order =
	        c->order_count ? bsearch(&o_id, c->order, c->order_count, sizeof(*order), compare_orders) : NULL;

	(void)value;
	c->order_index_count++;
	check_equal(c, RULE_ORDER_INDEX, o_id, order ? order->c_id : 0, tpcc_load16(key + 5));
	return LG_OK;
}

static int add_new_order(struct checker *c, const uint8_t *key, const void *value)
{
	uint32_t o_id = tpcc_load32(key + 5);
	struct check_order *order = next_order(c, o_id);

	(void)value;
	if (c->new_order_count++ == 0)
		c->new_order_min = o_id;
	c->new_order_max = o_id;
	if (order)
		order->is_new = true;
	else
		check_broken(c, RULE_5_ORPHAN, o_id, 0, 1);
	return LG_OK;
}

static int add_line(struct checker *c, const uint8_t *key, const void *value)
{
	const struct tpcc_order_line *row = value;
	uint32_t o_id = tpcc_load32(key + 5);
	struct check_order *order = next_order(c, o_id);

	c->line_count++;
	if (!order) {
		check_broken(c, RULE_7_ORPHAN, o_id, 0, 1);
		return LG_OK;
	}
	order->lines++;
	if ((row->delivery_d == 0) != (order->carrier_id == 0))
		check_broken(c, RULE_7, o_id, (int64_t)row->delivery_d, order->carrier_id);
	if (row->delivery_d != 0)
		c->delivered[order->c_id] += row->amount;
	return LG_OK;
}

static int add_customer(struct checker *c, const uint8_t *key, const void *value)
{
	const struct tpcc_customer *row = value;
	uint32_t id = tpcc_load16(key + 5), at = id <= TPCC_CUSTOMERS ? id : 0;

	c->customer_count++;
	c->delivery_count += row->delivery_cnt;
	memcpy(c->name[at].last, row->last, sizeof(row->last));
	memcpy(c->name[at].first, row->first, sizeof(row->first));
	check_equal(c, RULE_10, id, row->balance, c->delivered[at] - c->c_paid[c->d_id][at]);
	check_equal(c, RULE_12, id, row->balance + row->ytd_payment, c->delivered[at]);
	return LG_OK;
}

static int add_name(struct checker *c, const uint8_t *key, const void *value)
{
	uint32_t id = tpcc_load16(key + 37);
	bool same = id <= TPCC_CUSTOMERS && memcmp(key + 5, c->name[id].last, TPCC_NAME_BYTES) == 0 &&
	            memcmp(key + 21, c->name[id].first, 16) == 0;

	(void)value;
	c->name_count++;
	check_equal(c, RULE_NAME_INDEX, id, same, 1);
	return LG_OK;
}

/* Scans a table of the district, in which o_id ascends or does not matter. */
static int scan_district(struct checker *c, enum tpcc_table_id id, size_t key_bytes, size_t value_bytes,
        int (*row)(struct checker *c, const uint8_t *key, const void *value))
{
	struct tpcc_key lo, hi;

	c->order_cursor = 0;
	return check_scan(c, id, tpcc_key_d(&lo, c->w_id, c->d_id), tpcc_key_d(&hi, c->w_id, c->d_id + 1), key_bytes,
	        value_bytes, row);
}

static int scan_all(struct checker *c)
{
	int rc = scan_district(c, TPCC_T_ORDER, 9, sizeof(struct tpcc_order), add_order);

	if (rc == LG_OK)
		rc = scan_district(c, TPCC_T_ORDER_CUSTOMER, 11, 0, add_order_index);
	if (rc == LG_OK)
		rc = scan_district(c, TPCC_T_NEW_ORDER, 9, 0, add_new_order);
	if (rc == LG_OK)
		rc = scan_district(c, TPCC_T_ORDER_LINE, 10, sizeof(struct tpcc_order_line), add_line);
	if (rc == LG_OK)
		rc = scan_district(c, TPCC_T_CUSTOMER, 7, sizeof(struct tpcc_customer), add_customer);
	if (rc == LG_OK)
		rc = scan_district(c, TPCC_T_CUSTOMER_NAME, 39, 0, add_name);
	return rc;
}

static void reset(struct checker *c)
{
	c->order_count = 0;
	c->ol_cnt_sum = c->line_count = c->new_order_count = c->order_index_count = 0;
	c->name_count = c->customer_count = c->delivery_count = 0;
	c->new_order_min = c->new_order_max = 0;
	memset(c->delivered, 0, sizeof(c->delivered));
	memset(c->name, 0, sizeof(c->name));
}

int check_district(struct checker *c)
{
	uint32_t d = c->d_id;
	int64_t last_o_id, new_orders;
	int rc;

	reset(c);
	rc = scan_all(c);
	if (rc != LG_OK)
		return rc;
	if (!c->d_found[d])
		bench_fail(c->failures, "condition 2: warehouse %u district %u has no row in DISTRICT", c->w_id, d);
	last_o_id = (int64_t)c->d_next_o_id[d] - 1;
	new_orders = (int64_t)c->new_order_count;
	check_equal(c, RULE_2_ORDER, 0, last_o_id, c->order_count ? c->order[c->order_count - 1].o_id : 0);
	if (new_orders > 0) {
		check_equal(c, RULE_2_NEW_ORDER, 0, last_o_id, c->new_order_max);
		check_equal(c, RULE_3, 0, (int64_t)c->new_order_max - c->new_order_min + 1, new_orders);
	}
	check_equal(c, RULE_4, 0, (int64_t)c->ol_cnt_sum, (int64_t)c->line_count);
	for (size_t i = 0; i < c->order_count; i++) {
		const struct check_order *o = &c->order[i];
		if ((o->carrier_id == 0) != o->is_new)
			check_broken(c, RULE_5, o->o_id, o->carrier_id, o->is_new);
		check_equal(c, RULE_6, o->o_id, o->ol_cnt, o->lines);
	}
	check_equal(c, RULE_9, 0, c->d_ytd[d], c->d_paid[d]);
	check_equal(c, RULE_11, 0,
	        (int64_t)c->order_count - new_orders - (c->after_run ? (int64_t)c->delivery_count : 0), TPCC_DELIVERED);
	check_equal(c, RULE_CUSTOMERS, 0, (int64_t)c->customer_count, TPCC_CUSTOMERS);
	check_equal(c, RULE_NAME_INDEX, 0, (int64_t)c->customer_count, (int64_t)c->name_count);
	check_equal(c, RULE_ORDER_INDEX, 0, (int64_t)c->order_count, (int64_t)c->order_index_count);
	return LG_OK;
}
