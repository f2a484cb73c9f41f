/* check.h: what check.c and check_district.c share. */
#ifndef LIGER_TPCC_CHECK_H
#define LIGER_TPCC_CHECK_H

#include "tpcc.h"

enum { CHECK_BATCH_ROWS = 1024 };

/* Rows that one transaction has read, copied: what they say is used once it has committed. */
struct check_batch {
	struct lg_table *table;
	struct lg_slice lo, hi;
	size_t key_bytes, value_bytes; /* of every row of the table */
	uint32_t count;
	struct check_row {
		_Alignas(8) uint8_t value[176];
		uint8_t key[40];
	} row[CHECK_BATCH_ROWS];
};

static_assert(sizeof(struct tpcc_customer) <= 176 && sizeof(struct tpcc_key) <= 40, "every scanned row fits");

/* What must hold, and its text in check.c. The standard's conditions by their number; some have a second rule for rows
 * that belong to no other. */
enum check_rule {
	RULE_1,
	RULE_2_ORDER,
	RULE_2_NEW_ORDER,
	RULE_3,
	RULE_4,
	RULE_5,
	RULE_5_ORPHAN,
	RULE_6,
	RULE_7,
	RULE_7_ORPHAN,
	RULE_8,
	RULE_9,
	RULE_10,
	RULE_10_ORPHAN,
	RULE_11,
	RULE_12,
	RULE_CUSTOMERS,
	RULE_NAME_INDEX,
	RULE_ORDER_INDEX,
	RULE_COUNT
};

/* How often a rule was broken in a district (or warehouse), and the first case. */
struct check_finding {
	uint64_t count;
	uint32_t id; /* of the row: an order or a customer */
	int64_t left, right;
};

struct check_order {
	uint32_t o_id, c_id; /* c_id 0: no customer has such a number */
	uint32_t lines;      /* counted */
	uint8_t ol_cnt, carrier_id;
	bool is_new;
};

struct checker {
	struct bench_worker *w;
	const struct tpcc *tpcc;
	struct bench_failures *failures;
	bool after_run;
	uint32_t w_id, d_id; /* under check; d_id 0: the warehouse as a whole */

	/* The warehouse. Index 0 collects what belongs to no district or customer. */
	int64_t w_ytd, w_paid; /* _paid: sums of H_AMOUNT */
	bool w_found, d_found[TPCC_DISTRICTS + 1];
	int64_t d_ytd[TPCC_DISTRICTS + 1], d_paid[TPCC_DISTRICTS + 1];
	uint32_t d_next_o_id[TPCC_DISTRICTS + 1];
	int64_t c_paid[TPCC_DISTRICTS + 1][TPCC_CUSTOMERS + 1];

	/* The district. */
	struct check_order *order; /* in the order of o_id */
	size_t order_count, order_capacity, order_cursor;
	uint64_t ol_cnt_sum, line_count, new_order_count, order_index_count, name_count, customer_count, delivery_count;
	uint32_t new_order_min, new_order_max;
	int64_t delivered[TPCC_CUSTOMERS + 1]; /* sums of OL_AMOUNT */
	struct check_name {
		char last[TPCC_NAME_BYTES], first[16];
	} name[TPCC_CUSTOMERS + 1];

	struct check_finding finding[RULE_COUNT];
	struct check_batch batch;
};

/* Calls row() for each row of [lo, hi), read in transactions of CHECK_BATCH_ROWS rows. lo and hi must not lie in the
 * batch. Returns: LG_OK; LG_CORRUPT (a row with another size); what lg_run() or row() returned. */
int check_scan(struct checker *c, enum tpcc_table_id id, struct lg_slice lo, struct lg_slice hi, size_t key_bytes,
        size_t value_bytes, int (*row)(struct checker *c, const uint8_t *key, const void *value));

/* Notes a case of a broken rule. */
void check_broken(struct checker *c, enum check_rule rule, uint32_t id, int64_t left, int64_t right);

/* Notes one if left and right differ. */
void check_equal(struct checker *c, enum check_rule rule, uint32_t id, int64_t left, int64_t right);

/* Turns the noted cases into failures, a sentence for each broken rule, and forgets them. */
void check_report(struct checker *c);

/* Checks district c->d_id of warehouse c->w_id; the warehouse's sums are there. */
int check_district(struct checker *c);

#endif
