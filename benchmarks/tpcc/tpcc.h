/* tpcc.h: the TPC-C workload's tables, rows, keys and state.
 *
 * Keys are big-endian, so that memcmp orders them as their numbers; each but ITEM's begins with the warehouse, which is
 * also what places it: warehouse w is partition w - 1 of every table, so a warehouse lies on one host.
 *
 *     table            key (bytes)                                           value
 *     warehouse        w4                                                    struct tpcc_warehouse
 *     district         w4 d1                                                 struct tpcc_district
 *     customer         w4 d1 c2                                              struct tpcc_customer
 *     customer_data    w4 d1 c2                                              C_DATA, 500 characters, padded with NUL
 *     customer_name    w4 d1 last16 first16 c2    (index)                    empty
 *     history          w4 source2 sequence8                                  struct tpcc_history
 *     orders           w4 d1 o4                                              struct tpcc_order
 *     order_customer   w4 d1 c2 o4                (index)                    empty
 *     new_order        w4 d1 o4                                              empty
 *     order_line       w4 d1 o4 number1                                      struct tpcc_order_line
 *     stock            w4 i4                                                 struct tpcc_stock, S_DATA at its end
 *     item             i4                         (replicated)               struct tpcc_item, I_DATA at its end
 *     check            w4 d1 source2              (check.c)                  sums of H_AMOUNT
 *
 * Values hold every attribute that the key does not. CUSTOMER is split vertically (clause 1.4.5): C_DATA is read by one
 * payment in ten only, and would be three quarters of every row that the others copy. Money is whole cents, rates are
 * hundredths of a percent (basis points), so that sums are exact. Times are microseconds since 1970, 0 is null.
 * Strings shorter than their field are padded with NUL.
 */
#ifndef LIGER_TPCC_H
#define LIGER_TPCC_H

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "../common/bench.h"

enum {
	TPCC_DISTRICTS = 10,   /* a warehouse */
	TPCC_CUSTOMERS = 3000, /* a district */
	TPCC_ORDERS = 3000,    /* a district, after the load */
	TPCC_DELIVERED = 2100, /* of them */
	TPCC_ITEMS = 100000,
	TPCC_MIN_LINES = 5, /* an order */
	TPCC_MAX_LINES = 15,
	TPCC_NAME_BYTES = 16,
	TPCC_DATA_BYTES = 500,     /* C_DATA */
	TPCC_DECK = 100,           /* transactions in which the mix is exact */
	TPCC_ROLLBACK = 1000,      /* what NewOrder's body returns for an unused item */
	TPCC_STANDARD_REMOTE = -1, /* remote accesses as the standard has them */
};

enum tpcc_type { TPCC_NEW_ORDER, TPCC_PAYMENT, TPCC_ORDER_STATUS, TPCC_DELIVERY, TPCC_STOCK_LEVEL, TPCC_TYPE_COUNT };

enum tpcc_table_id {
	TPCC_T_WAREHOUSE,
	TPCC_T_DISTRICT,
	TPCC_T_CUSTOMER,
	TPCC_T_CUSTOMER_DATA,
	TPCC_T_CUSTOMER_NAME,
	TPCC_T_HISTORY,
	TPCC_T_ORDER,
	TPCC_T_ORDER_CUSTOMER,
	TPCC_T_NEW_ORDER,
	TPCC_T_ORDER_LINE,
	TPCC_T_STOCK,
	TPCC_T_ITEM,
	TPCC_T_CHECK,
	TPCC_TABLE_COUNT
};

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

struct tpcc_address {
	char street_1[20], street_2[20], city[20], state[2], zip[9];
};

struct tpcc_warehouse {
	int64_t ytd;
	uint32_t tax;
	char name[10];
	struct tpcc_address address;
	char pad[3];
};

struct tpcc_district {
	int64_t ytd;
	uint32_t next_o_id, tax;
	char name[10];
	struct tpcc_address address;
	char pad[7];
};

struct tpcc_customer {
	int64_t balance, ytd_payment;
	uint32_t payment_cnt, delivery_cnt;
	uint64_t since;
	int64_t credit_lim;
	uint32_t discount;
	char credit[2], middle[2];
	char last[TPCC_NAME_BYTES], first[16];
	struct tpcc_address address;
	char phone[16];
	char pad[1];
};

struct tpcc_history {
	uint64_t date;
	int32_t amount;
	uint32_t c_w_id;
	uint16_t c_id;
	uint8_t c_d_id, d_id;
	char data[24];
	char pad[4];
};

struct tpcc_order {
	uint64_t entry_d;
	uint32_t c_id;
	uint8_t carrier_id; /* 0: null */
	uint8_t ol_cnt, all_local, pad;
};

struct tpcc_order_line {
	uint64_t delivery_d;
	uint32_t i_id, supply_w_id;
	int32_t amount;
	char dist_info[24];
	uint8_t quantity, pad[3];
};

struct tpcc_stock {
	int32_t quantity;
	uint32_t ytd, order_cnt, remote_cnt;
	char dist[TPCC_DISTRICTS][24];
	char data[]; /* 26..50 */
};

struct tpcc_item {
	uint32_t im_id, price;
	char name[24];
	char data[]; /* 26..50 */
};

static_assert(sizeof(struct tpcc_address) == 71 && sizeof(struct tpcc_warehouse) == 96, "no hidden padding");
static_assert(sizeof(struct tpcc_district) == 104 && sizeof(struct tpcc_customer) == 168, "no hidden padding");
static_assert(sizeof(struct tpcc_history) == 48 && sizeof(struct tpcc_order) == 16, "no hidden padding");
static_assert(sizeof(struct tpcc_order_line) == 48 && sizeof(struct tpcc_stock) == 256, "no hidden padding");
static_assert(sizeof(struct tpcc_item) == 32, "no hidden padding");

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

struct tpcc_key {
	uint8_t bytes[40];
};

static inline void tpcc_store16(uint8_t *at, uint32_t n)
{
	uint16_t big = htobe16((uint16_t)n);
	memcpy(at, &big, sizeof(big));
}

static inline void tpcc_store32(uint8_t *at, uint32_t n)
{
	uint32_t big = htobe32(n);
	memcpy(at, &big, sizeof(big));
}

static inline uint32_t tpcc_load16(const uint8_t *at)
{
	uint16_t big;
	memcpy(&big, at, sizeof(big));
	return be16toh(big);
}

static inline uint32_t tpcc_load32(const uint8_t *at)
{
	uint32_t big;
	memcpy(&big, at, sizeof(big));
	return be32toh(big);
}

/* WAREHOUSE, and the beginning of all others but ITEM; also ITEM, with its number. */
static inline struct lg_slice tpcc_key_w(struct tpcc_key *k, uint32_t w)
{
	tpcc_store32(k->bytes, w);
	return lg_slice(k->bytes, 4);
}

/* DISTRICT; with d + 1, the end of a range of a district. */
static inline struct lg_slice tpcc_key_d(struct tpcc_key *k, uint32_t w, uint32_t d)
{
	tpcc_store32(k->bytes, w);
	k->bytes[4] = (uint8_t)d;
	return lg_slice(k->bytes, 5);
}

/* CUSTOMER and its C_DATA; also a row of the check's exchange, with the source in place of the customer. */
static inline struct lg_slice tpcc_key_customer(struct tpcc_key *k, uint32_t w, uint32_t d, uint32_t c)
{
	tpcc_key_d(k, w, d);
	tpcc_store16(k->bytes + 5, c);
	return lg_slice(k->bytes, 7);
}

static inline struct lg_slice tpcc_key_name(
        struct tpcc_key *k, uint32_t w, uint32_t d, const char last[TPCC_NAME_BYTES], const char first[16], uint32_t c)
{
	tpcc_key_d(k, w, d);
	memcpy(k->bytes + 5, last, TPCC_NAME_BYTES);
	memcpy(k->bytes + 21, first, 16);
	tpcc_store16(k->bytes + 37, c);
	return lg_slice(k->bytes, 39);
}

/* ORDER and NEW-ORDER; with o + 1, the end of the range of an order's lines. */
static inline struct lg_slice tpcc_key_order(struct tpcc_key *k, uint32_t w, uint32_t d, uint32_t o)
{
	tpcc_key_d(k, w, d);
	tpcc_store32(k->bytes + 5, o);
	return lg_slice(k->bytes, 9);
}

static inline struct lg_slice tpcc_key_order_line(
        struct tpcc_key *k, uint32_t w, uint32_t d, uint32_t o, uint32_t number)
{
	tpcc_key_order(k, w, d, o);
	k->bytes[9] = (uint8_t)number;
	return lg_slice(k->bytes, 10);
}

static inline struct lg_slice tpcc_key_order_customer(
        struct tpcc_key *k, uint32_t w, uint32_t d, uint32_t c, uint32_t o)
{
	tpcc_key_customer(k, w, d, c);
	tpcc_store32(k->bytes + 7, o);
	return lg_slice(k->bytes, 11);
}

static inline struct lg_slice tpcc_key_stock(struct tpcc_key *k, uint32_t w, uint32_t i)
{
	tpcc_store32(k->bytes, w);
	tpcc_store32(k->bytes + 4, i);
	return lg_slice(k->bytes, 8);
}

/* Each source (0: the load; 1 + its global index: a worker) appends, so no two ever write the same key. */
static inline struct lg_slice tpcc_key_history(struct tpcc_key *k, uint32_t w, uint32_t source, uint64_t sequence)
{
	tpcc_store32(k->bytes, w);
	tpcc_store16(k->bytes + 4, source);
	tpcc_store32(k->bytes + 6, (uint32_t)(sequence >> 32));
	tpcc_store32(k->bytes + 10, (uint32_t)sequence);
	return lg_slice(k->bytes, 14);
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

/* One host's view of the workload. Set by options and configure(), then read only. */
struct tpcc {
	/* options */
	uint32_t warehouses;              /* of the pod; 0 until configure(): one a worker */
	int32_t remote_new_order_percent; /* of NewOrders whose first line is remote, or TPCC_STANDARD_REMOTE */
	int32_t remote_payment_percent;   /* of Payments, or TPCC_STANDARD_REMOTE */
	double think_factor;              /* of the standard's keying and think times; 0: none */
	/* constants of NURand */
	uint32_t c_last_load, c_last_run, c_customer, c_item;
	uint32_t worker_count; /* of the pod */
	struct lg_table *table[TPCC_TABLE_COUNT];
};

struct tpcc_worker {
	uint32_t first_w, home_warehouses;      /* its own: first_w .. first_w + home_warehouses - 1 */
	uint32_t host_first_w, host_warehouses; /* those of its host */
	uint64_t history_sequence;
	uint32_t deck_next;
	uint8_t deck[TPCC_DECK];
};

static inline const struct tpcc *tpcc_of(const struct bench_worker *w)
{
	return (const struct tpcc *)w->bench->workload;
}

static inline struct tpcc_worker *tpcc_state(const struct bench_worker *w)
{
	return (struct tpcc_worker *)w->state;
}

/* lg_get() and lg_edit() of a row of a known size: `bytes`, or more if it has a tail; a shorter value is LG_CORRUPT.
 * NULL on error, which *rc tells. */
static inline const void *tpcc_get(
        struct lg_txn *txn, struct lg_table *table, struct lg_slice key, size_t bytes, int *rc)
{
	struct lg_slice val;

	*rc = lg_get(txn, table, key, &val);
	if (*rc == LG_OK && val.bytes < bytes)
		*rc = LG_CORRUPT;
	return *rc == LG_OK ? val.data : NULL;
}

static inline void *tpcc_edit(struct lg_txn *txn, struct lg_table *table, struct lg_slice key, size_t bytes, int *rc)
{
	void *row;
	size_t got;

	*rc = lg_edit(txn, table, key, &row, &got);
	if (*rc == LG_OK && got < bytes)
		*rc = LG_CORRUPT;
	return *rc == LG_OK ? row : NULL;
}

static inline struct lg_slice tpcc_empty(void)
{
	return lg_slice("", 0);
}

/* ---- random.c ---------------------------------------------------------------------------------------------------- */

/* Clause 2.1.6. The ranges are constants, so the remainder costs no division. */
static inline uint32_t tpcc_nurand(struct bench_random *r, uint32_t a, uint32_t c, uint32_t low, uint32_t high)
{
	return ((bench_random_range(r, 0, a) | bench_random_range(r, low, high)) + c) % (high - low + 1) + low;
}

static inline uint32_t tpcc_random_customer(struct bench_random *r, const struct tpcc *t)
{
	return tpcc_nurand(r, 1023, t->c_customer, 1, TPCC_CUSTOMERS);
}

static inline uint32_t tpcc_random_item(struct bench_random *r, const struct tpcc *t)
{
	return tpcc_nurand(r, 8191, t->c_item, 1, TPCC_ITEMS);
}

/* `c_last` is c_last_load or c_last_run. */
static inline uint32_t tpcc_random_last(struct bench_random *r, uint32_t c_last)
{
	return tpcc_nurand(r, 255, c_last, 0, 999);
}

static inline bool tpcc_percent(struct bench_random *r, uint32_t percent)
{
	return bench_random_below(r, 100) < percent;
}

/* One of the worker's home warehouses. */
static inline uint32_t tpcc_random_home(struct bench_worker *w)
{
	const struct tpcc_worker *state = tpcc_state(w);
	return state->first_w + (uint32_t)bench_random_below(&w->random, state->home_warehouses);
}

/* Draws NURand's constants, the same for all hosts of a run, with the distance between the load's and the run's that
 * clause 2.1.6.1 asks for. */
void tpcc_set_constants(struct tpcc *t, uint64_t seed);
/* An independent stream of random numbers, the same on every host: `purpose` tells streams of one number apart. */
void tpcc_stream(struct bench_random *r, uint64_t seed, uint32_t purpose, uint32_t number);
/* The last name of 0..999 (clause 4.3.2.3), padded with NUL; 15 characters at most. */
void tpcc_last_name(uint32_t number, char name[TPCC_NAME_BYTES]);
/* Fills `field` with low..high random letters and digits (or digits only), pads it with NUL; returns how many. */
uint32_t tpcc_letters(struct bench_random *r, char *field, uint32_t field_bytes, uint32_t low, uint32_t high);
void tpcc_digits(struct bench_random *r, char *field, uint32_t bytes);
/* A warehouse other than `home` (as the standard has it), or, when `hosts`, one that another host owns, if the pod has
 * several hosts. `home` itself if there is no other. */
uint32_t tpcc_random_remote(struct bench_worker *w, uint32_t home, bool hosts);
/* Microseconds since 1970, to the kernel's tick. */
uint64_t tpcc_now_us(void);

/* ---- schema.c ---------------------------------------------------------------------------------------------------- */

/* The first home warehouse of worker `global_index`; its last one is that before the next worker's first. */
uint32_t tpcc_first_home(const struct tpcc *t, uint32_t global_index);
const char *tpcc_table_name(enum tpcc_table_id id);
int tpcc_place(struct bench *bench, struct lg_error *err);
int tpcc_tables(struct bench *bench, struct lg_error *err);

/* ---- load.c, check.c --------------------------------------------------------------------------------------------- */

uint64_t tpcc_load_rows(const struct bench_worker *w);
int tpcc_load(struct bench_worker *w, struct lg_error *err);

enum { TPCC_CHECK_STEPS = 2 };
int tpcc_check(struct bench_worker *w, uint32_t step, bool after_run, struct bench_failures *failures);

/* ---- Transactions: a file each. They return what lg_run() does ---------------------------------------------------- */

int tpcc_new_order(struct bench_worker *w);
int tpcc_payment(struct bench_worker *w);
int tpcc_order_status(struct bench_worker *w);
int tpcc_delivery(struct bench_worker *w);
int tpcc_stock_level(struct bench_worker *w);

/* customer.c. Whom a Payment or an OrderStatus is about: 60% by last name, 40% by number. */
struct tpcc_who {
	uint32_t w_id, d_id;
	uint32_t c_id; /* 0: by name */
	char last[TPCC_NAME_BYTES];
};

void tpcc_random_who(struct bench_worker *w, uint32_t w_id, uint32_t d_id, struct tpcc_who *who);
/* The customer's number. By name: of all who bear it, sorted by first name, the middle one (n / 2 rounded up).
 * Returns: what lg_scan_next() does; LG_NOTFOUND (nobody bears the name). */
int tpcc_find_customer(struct lg_txn *txn, const struct tpcc *t, const struct tpcc_who *who, uint32_t *c_id);

#endif
