/* payment.c: the Payment transaction (clause 2.5). */
#include "tpcc.h"

struct payment {
	const struct tpcc *tpcc;
	/* in */
	uint32_t w_id, d_id;
	struct tpcc_who who;
	int32_t amount;
	uint64_t date;
	uint32_t history_source;
	uint64_t history_sequence;
	/* out */
	uint32_t c_id;
	char w_name[10], d_name[10];
	struct tpcc_address w_address, d_address;
	struct tpcc_customer customer;
	char data[200]; /* the beginning of C_DATA, if the credit is bad */
};

static void generate(struct bench_worker *w, struct payment *p)
{
	struct bench_random *r = &w->random;
	const struct tpcc *t = tpcc_of(w);
	bool standard = t->remote_payment_percent == TPCC_STANDARD_REMOTE;
	uint32_t c_w_id, c_d_id;

	p->tpcc = t;
	p->w_id = c_w_id = tpcc_random_home(w);
	p->d_id = c_d_id = bench_random_range(r, 1, TPCC_DISTRICTS);
	if (tpcc_percent(r, standard ? 15 : (uint32_t)t->remote_payment_percent)) {
		c_w_id = tpcc_random_remote(w, p->w_id, !standard);
		c_d_id = bench_random_range(r, 1, TPCC_DISTRICTS);
	}
	tpcc_random_who(w, c_w_id, c_d_id, &p->who);
	p->amount = (int32_t)bench_random_range(r, 100, 500000);
	p->date = tpcc_now_us();
	p->history_source = 1 + w->global_index;
	p->history_sequence = tpcc_state(w)->history_sequence++;
}

static char *write_number(char *at, uint32_t n)
{
	char digits[10];
	uint32_t count = 0;

	do
		digits[count++] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

/* Writes the payment in front of C_DATA; what no longer fits falls off the end. */
static int prepend_data(struct lg_txn *txn, struct payment *p)
{
	uint32_t field[5] = {p->c_id, p->who.d_id, p->who.w_id, p->d_id, p->w_id};
	char text[80], *end = text, *data;
	struct tpcc_key key;
	size_t bytes;
	int rc;

	data = tpcc_edit(txn, p->tpcc->table[TPCC_T_CUSTOMER_DATA],
	        tpcc_key_customer(&key, p->who.w_id, p->who.d_id, p->c_id), TPCC_DATA_BYTES, &rc);
	if (!data)
		return rc;
	for (uint32_t i = 0; i < 5; i++) {
		end = write_number(end, field[i]);
		*end++ = ' ';
	}
	end = write_number(end, (uint32_t)p->amount / 100);
	*end++ = '.';
	*end++ = (char)('0' + p->amount / 10 % 10);
	*end++ = (char)('0' + p->amount % 10);
	*end++ = ' ';
	bytes = (size_t)(end - text);
	memmove(data + bytes, data, TPCC_DATA_BYTES - bytes);
	memcpy(data, text, bytes);
	memcpy(p->data, data, sizeof(p->data));
	return LG_OK;
}

static int pay_warehouse(struct lg_txn *txn, struct payment *p)
{
	const struct tpcc *t = p->tpcc;
	struct tpcc_warehouse *warehouse;
	struct tpcc_district *district;
	struct tpcc_key key;
	int rc;

	warehouse = tpcc_edit(txn, t->table[TPCC_T_WAREHOUSE], tpcc_key_w(&key, p->w_id), sizeof(*warehouse), &rc);
	if (!warehouse)
		return rc;
	warehouse->ytd += p->amount;
	memcpy(p->w_name, warehouse->name, sizeof(p->w_name));
	p->w_address = warehouse->address;
	district =
	        tpcc_edit(txn, t->table[TPCC_T_DISTRICT], tpcc_key_d(&key, p->w_id, p->d_id), sizeof(*district), &rc);
	if (!district)
		return rc;
	district->ytd += p->amount;
	memcpy(p->d_name, district->name, sizeof(p->d_name));
	p->d_address = district->address;
	return LG_OK;
}

static int pay_customer(struct lg_txn *txn, struct payment *p)
{
	struct tpcc_customer *customer;
	struct tpcc_key key;
	int rc = tpcc_find_customer(txn, p->tpcc, &p->who, &p->c_id);

	if (rc != LG_OK)
		return rc;
	customer = tpcc_edit(txn, p->tpcc->table[TPCC_T_CUSTOMER],
	        tpcc_key_customer(&key, p->who.w_id, p->who.d_id, p->c_id), sizeof(*customer), &rc);
	if (!customer)
		return rc;
	customer->balance -= p->amount;
	customer->ytd_payment += p->amount;
	customer->payment_cnt++;
	p->customer = *customer;
	return memcmp(customer->credit, "BC", 2) == 0 ? prepend_data(txn, p) : LG_OK;
}

static int insert_history(struct lg_txn *txn, const struct payment *p)
{
	struct tpcc_history row = {.date = p->date,
	        .amount = p->amount,
	        .c_w_id = p->who.w_id,
	        .c_id = (uint16_t)p->c_id,
	        .c_d_id = (uint8_t)p->who.d_id,
	        .d_id = (uint8_t)p->d_id};
	size_t name_bytes = strnlen(p->w_name, sizeof(p->w_name));
	struct tpcc_key key;

	/* W_NAME, four spaces, D_NAME: 24 characters at most. */
	memcpy(row.data, p->w_name, name_bytes);
	memset(row.data + name_bytes, ' ', 4);
	memcpy(row.data + name_bytes + 4, p->d_name, sizeof(p->d_name));
	return lg_insert(txn, p->tpcc->table[TPCC_T_HISTORY],
	        tpcc_key_history(&key, p->w_id, p->history_source, p->history_sequence), lg_slice(&row, sizeof(row)));
}

static int payment(struct lg_txn *txn, void *arg)
{
	struct payment *p = arg;
	int rc = pay_warehouse(txn, p);

	if (rc == LG_OK)
		rc = pay_customer(txn, p);
	return rc == LG_OK ? insert_history(txn, p) : rc;
}

int tpcc_payment(struct bench_worker *w)
{
	struct payment p;

	generate(w, &p);
	return lg_run(w->worker, payment, &p);
}
