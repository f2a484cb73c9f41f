/* workload.c: see workload.h. A session is one fiber's. What an attempt did is kept in the session and becomes part of the
 * history when it ends: sessions run between each other's steps, and the history has no place for halves. */
#include "workload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"
#include "world.h"

enum {
	MOST_OPS = 400,
	MOST_ATTEMPT_IDS = 10000,
	KEY_BYTES = 40,
	VALUE_BYTES = 2048,
	MOST_ROWS = 64, /* more than a table has */
	SYNC_MS = 20000,
	AGAIN_NS = 5000000,
	GIVEN_UP = 1000, /* codes of ours: a change of mind; a claim that failed */
	FAILED,
};

struct load_session {
	struct load *load;
	struct lg_host *host;
	struct lg_worker *worker;
	struct lg_table *tables[LOAD_TABLES];
	unsigned number;
	uint64_t random, next_id, last_end;
	bool open, committing; /* an attempt is in ops; its commit was asked for */
	struct history_op ops[MOST_OPS];
	uint64_t ids[MOST_ATTEMPT_IDS];
	uint32_t op_count, id_count, attempts;
	uint8_t value[VALUE_BYTES];
	int64_t audited; /* sum of the accounts that this attempt has read; -1: none */
};

struct list_head {
	uint32_t id_count, pad_bytes;
};

static uint64_t below(struct load_session *s, uint64_t bound)
{
	return random_below(&s->random, bound);
}

static int fail(struct load_session *s, uint32_t table, uint64_t key, const char *what)
{
	if (s->load->failure[0] == '\0')
		snprintf(s->load->failure, sizeof s->load->failure, "session %u, row %u:%" PRIu64 ": %s", s->number,
		        table, key, what);
	return FAILED;
}

/* ---- Keys and values ----------------------------------------------------------------------------------------------- */

static unsigned row_count(const struct load *load, uint32_t table)
{
	return table < LOAD_LISTS ? load->plan->keys[table] : load->plan->accounts;
}

/* Spread over the whole range of the first 8 bytes, so that every partition has some; of several lengths. */
static struct lg_slice key_of(const struct load *load, uint32_t table, uint64_t number, uint8_t *buffer)
{
	uint64_t head = UINT64_MAX / row_count(load, table) * number;
	for (int i = 0; i < 8; i++)
		buffer[i] = (uint8_t)(head >> (56 - 8 * i));
	size_t bytes = 8 + number * 7 % (KEY_BYTES - 8);
	memset(buffer + 8, 'k', bytes - 8);
	return lg_slice(buffer, bytes);
}

static struct lg_slice bound_of(const struct load *load, uint32_t table, uint64_t number, uint8_t *buffer)
{
	if (number >= row_count(load, table))
		return lg_slice(NULL, 0);
	key_of(load, table, number, buffer);
	return lg_slice(buffer, 8);
}

static uint64_t number_of(const struct load *load, uint32_t table, struct lg_slice key)
{
	uint64_t head = 0;
	uint8_t buffer[KEY_BYTES];
	for (size_t i = 0; i < 8 && i < key.bytes; i++)
		head = head << 8 | ((const uint8_t *)key.data)[i];
	uint64_t number = head / (UINT64_MAX / row_count(load, table));
	struct lg_slice whole = key_of(load, table, number, buffer);
	bool same = number < row_count(load, table) && whole.bytes == key.bytes &&
	            memcmp(whole.data, key.data, key.bytes) == 0;
	return same ? number : UINT64_MAX;
}

static uint8_t pad_byte(uint64_t id, uint32_t at)
{
	return (uint8_t)(id * 31 + at);
}

static uint64_t id_at(const void *value, uint32_t n)
{
	uint64_t id;
	memcpy(&id, (const uint8_t *)value + sizeof(struct list_head) + 8 * (size_t)n, 8);
	return id;
}

static bool is_whole(struct lg_slice val, struct list_head *head)
{
	if (val.bytes < sizeof *head)
		return false;
	memcpy(head, val.data, sizeof *head);
	if (head->id_count == 0 || head->id_count > LOAD_MOST_IDS + 8 ||
	        val.bytes != sizeof *head + 8 * (size_t)head->id_count + head->pad_bytes)
		return false;
	const uint8_t *pad = (const uint8_t *)val.data + sizeof *head + 8 * (size_t)head->id_count;
	uint64_t last = id_at(val.data, head->id_count - 1);
	for (uint32_t i = 0; i < head->pad_bytes; i++)
		if (pad[i] != pad_byte(last, i))
			return false;
	return true;
}

/* `value` has id_count ids; so much padding follows. Returns its size. */
static size_t finish_value(void *value, struct list_head head)
{
	uint8_t *pad = (uint8_t *)value + sizeof head + 8 * (size_t)head.id_count;
	uint64_t last = id_at(value, head.id_count - 1);
	memcpy(value, &head, sizeof head);
	for (uint32_t i = 0; i < head.pad_bytes; i++)
		pad[i] = pad_byte(last, i);
	return sizeof head + 8 * (size_t)head.id_count + head.pad_bytes;
}

/* The list `old` (may be empty) with one id more, in s->value. */
static struct lg_slice grown(struct load_session *s, struct lg_slice old, uint64_t id)
{
	struct list_head head = {0};
	if (old.bytes > 0) {
		memcpy(&head, old.data, sizeof head);
		memcpy(s->value + sizeof head, (const uint8_t *)old.data + sizeof head, 8 * (size_t)head.id_count);
	}
	memcpy(s->value + sizeof head + 8 * (size_t)head.id_count, &id, 8);
	head.id_count++;
	head.pad_bytes = below(s, 3) == 0 ? 0 : (uint32_t)below(s, s->load->plan->most_pad + 1);
	return lg_slice(s->value, finish_value(s->value, head));
}

/* ---- The record ---------------------------------------------------------------------------------------------------- */

static const char *kind_name(enum history_kind kind)
{
	static const char *const names[] = {[HISTORY_READ] = "reads",
	        [HISTORY_ABSENT] = "finds absent",
	        [HISTORY_APPEND] = "appends to",
	        [HISTORY_INSERT] = "inserts",
	        [HISTORY_EXISTS] = "finds present",
	        [HISTORY_DELETE] = "deletes",
	        [HISTORY_SCAN] = "scans from",
	        [HISTORY_ROW] = "  and sees"};
	return names[kind];
}

static struct history_op *note(struct load_session *s, enum history_kind kind, uint32_t table, uint64_t key)
{
	assert(s->op_count < MOST_OPS);
	struct history_op *op = &s->ops[s->op_count++];
	*op = (struct history_op){.kind = kind, .table = table, .key = key, .first_id = s->id_count};
	trace_text("  session %u %s %u:%" PRIu64, s->number, kind_name(kind), table, key);
	return op;
}

static void note_id(struct load_session *s, enum history_kind kind, uint32_t table, uint64_t key, uint64_t id)
{
	assert(s->id_count < MOST_ATTEMPT_IDS);
	note(s, kind, table, key)->id_count = 1;
	s->ids[s->id_count++] = id;
}

static void note_list(struct load_session *s, enum history_kind kind, uint32_t table, uint64_t key, struct lg_slice val)
{
	struct list_head head;
	memcpy(&head, val.data, sizeof head);
	assert(s->id_count + head.id_count <= MOST_ATTEMPT_IDS);
	note(s, kind, table, key)->id_count = head.id_count;
	for (uint32_t i = 0; i < head.id_count; i++)
		s->ids[s->id_count++] = id_at(val.data, i);
}

static void open_attempt(struct load_session *s)
{
	s->open = true;
	s->committing = false;
	s->op_count = s->id_count = 0;
	s->audited = -1;
	s->attempts++;
	trace_text("session %u begins attempt %u", s->number, s->attempts);
}

static void close_attempt(struct load_session *s, enum history_outcome outcome)
{
	struct history *h = &s->load->history;
	if (!s->open)
		return;
	s->open = false;
	trace_text("session %u ends attempt %u: %c", s->number, s->attempts, outcome);
	h->txns = history_grow(h->txns, &h->txn_cap, h->txn_count + 1, sizeof *h->txns);
	h->ops = history_grow(h->ops, &h->op_cap, h->op_count + s->op_count, sizeof *h->ops);
	h->ids = history_grow(h->ids, &h->id_cap, h->id_count + s->id_count, sizeof *h->ids);
	h->txns[h->txn_count++] = (struct history_txn){.begin = s->last_end,
	        .end = outcome == HISTORY_UNKNOWN ? UINT64_MAX : world.step + 1,
	        .session = s->number,
	        .first_op = h->op_count,
	        .op_count = s->op_count,
	        .line = s->attempts,
	        .outcome = outcome};
	for (uint32_t i = 0; i < s->op_count; i++) {
		h->ops[h->op_count] = s->ops[i];
		h->ops[h->op_count++].first_id += h->id_count;
	}
	if (s->id_count)
		memcpy(h->ids + h->id_count, s->ids, s->id_count * sizeof *h->ids);
	h->id_count += s->id_count;
	s->last_end = world.step + 1;
}

/* ---- Operations on lists ------------------------------------------------------------------------------------------- */

struct place {
	uint32_t table;
	uint64_t number;
	struct lg_slice key;
	uint8_t buffer[KEY_BYTES];
};

static void find(const struct load_session *s, uint32_t table, uint64_t number, struct place *p)
{
	p->table = table;
	p->number = number;
	p->key = key_of(s->load, table, number, p->buffer);
}

static void pick(struct load_session *s, struct place *p)
{
	uint32_t table = (uint32_t)below(s, LOAD_LISTS);
	find(s, table, below(s, row_count(s->load, table)), p);
}

/* LG_OK with *val empty: the row is absent. */
static int read_row(struct load_session *s, struct lg_txn *txn, struct place *p, struct lg_slice *val)
{
	struct list_head head;
	int code = lg_get(txn, s->tables[p->table], p->key, val);
	if (code == LG_NOTFOUND) {
		note(s, HISTORY_ABSENT, p->table, p->number);
		*val = lg_slice(NULL, 0);
		return LG_OK;
	}
	if (code != LG_OK)
		return code;
	if (!is_whole(*val, &head))
		return fail(s, p->table, p->number, "lg_get() gave a torn value");
	note_list(s, HISTORY_READ, p->table, p->number, *val);
	return LG_OK;
}

static int insert_row(struct load_session *s, struct lg_txn *txn, struct place *p)
{
	uint64_t id = s->next_id++;
	int code = lg_insert(txn, s->tables[p->table], p->key, grown(s, lg_slice(NULL, 0), id));
	if (code == LG_OK)
		note_id(s, HISTORY_INSERT, p->table, p->number, id);
	if (code != LG_EXISTS)
		return code;
	note(s, HISTORY_EXISTS, p->table, p->number);
	return LG_OK;
}

/* What contradicts an earlier read of the attempt is recorded as well: it must not commit then. */
static int delete_row(struct load_session *s, struct lg_txn *txn, struct place *p, bool was_there)
{
	int code = lg_del(txn, s->tables[p->table], p->key);
	if (code == LG_OK)
		note(s, was_there ? HISTORY_DELETE : HISTORY_EXISTS, p->table, p->number);
	else if (code == LG_NOTFOUND)
		note(s, HISTORY_ABSENT, p->table, p->number);
	return code == LG_NOTFOUND ? LG_OK : code;
}

static bool is_long(struct lg_slice val)
{
	struct list_head head;
	memcpy(&head, val.data, sizeof head);
	return head.id_count >= LOAD_MOST_IDS;
}

static int append_by_put(struct load_session *s, struct lg_txn *txn, struct place *p)
{
	struct lg_slice val;
	int code = read_row(s, txn, p, &val);
	if (code != LG_OK)
		return code;
	if (val.bytes > 0 && is_long(val))
		return delete_row(s, txn, p, true);
	uint64_t id = s->next_id++;
	bool absent = val.bytes == 0;
	code = lg_put(txn, s->tables[p->table], p->key, grown(s, val, id));
	if (code == LG_OK)
		note_id(s, absent ? HISTORY_INSERT : HISTORY_APPEND, p->table, p->number, id);
	return code;
}

/* Over the padding, if there is enough of it. */
static void append_in_place(struct load_session *s, uint32_t table, uint64_t number, void *value)
{
	struct list_head head;
	memcpy(&head, value, sizeof head);
	if (head.pad_bytes < 8 || head.id_count >= LOAD_MOST_IDS)
		return;
	uint64_t id = s->next_id++;
	memcpy((uint8_t *)value + sizeof head + 8 * (size_t)head.id_count, &id, 8);
	head.id_count++;
	head.pad_bytes -= 8;
	(void)finish_value(value, head);
	note_id(s, HISTORY_APPEND, table, number, id);
}

static int append_by_edit(struct load_session *s, struct lg_txn *txn, struct place *p)
{
	struct list_head head;
	void *value;
	size_t bytes;
	int code = lg_edit(txn, s->tables[p->table], p->key, &value, &bytes);
	if (code == LG_NOTFOUND) {
		note(s, HISTORY_ABSENT, p->table, p->number);
		return LG_OK;
	}
	if (code != LG_OK)
		return code;
	if (!is_whole(lg_slice(value, bytes), &head))
		return fail(s, p->table, p->number, "lg_edit() gave a torn value");
	note_list(s, HISTORY_READ, p->table, p->number, lg_slice(value, bytes));
	append_in_place(s, p->table, p->number, value);
	return LG_OK;
}

struct scan_rows {
	uint64_t number[MOST_ROWS];
	struct lg_slice val[MOST_ROWS];
	void *copy[MOST_ROWS];
	uint32_t count;
};

static int collect(struct load_session *s, struct lg_scan *scan, uint32_t table, struct scan_rows *rows)
{
	for (rows->count = 0; rows->count < MOST_ROWS; rows->count++) {
		struct list_head head;
		struct lg_slice key;
		int code = lg_scan_next(scan, &key, &rows->val[rows->count]);
		if (code != LG_OK)
			return code == LG_END ? LG_OK : code;
		uint64_t number = number_of(s->load, table, key);
		if (number == UINT64_MAX)
			return fail(s, table, 0, "lg_scan_next() gave a key that nobody made");
		if (!is_whole(rows->val[rows->count], &head))
			return fail(s, table, number, "lg_scan_next() gave a torn value");
		rows->number[rows->count] = number;
		rows->copy[rows->count] = lg_scan_value(scan);
	}
	return fail(s, table, 0, "a scan gave more rows than there are keys");
}

static int scan_rows(struct load_session *s, struct lg_txn *txn, struct place *p)
{
	struct scan_rows rows;
	uint8_t lo_buffer[KEY_BYTES], hi_buffer[KEY_BYTES];
	uint64_t lo = p->number, hi = lo + 1 + below(s, row_count(s->load, p->table) - lo);
	bool reverse = below(s, 2), edit = below(s, 6) == 0;
	uint64_t limit = below(s, 3) == 0 ? 1 + below(s, 4) : 0;
	struct lg_scan *scan;
	int code = lg_scan_open(txn, s->tables[p->table], bound_of(s->load, p->table, lo, lo_buffer),
	        bound_of(s->load, p->table, hi, hi_buffer),
	        (reverse ? LG_SCAN_REVERSE : LG_SCAN_FORWARD) | (edit ? LG_SCAN_EDIT : 0), limit, &scan);
	if (code == LG_OK)
		code = collect(s, scan, p->table, &rows);
	if (code != LG_OK)
		return code;
	lg_scan_close(scan);
	/* One that ended at its limit has crossed no more than its rows. */
	if (limit && rows.count == limit) {
		uint64_t last = rows.number[rows.count - 1];
		lo = reverse ? last : lo;
		hi = reverse ? hi : last + 1;
	}
	struct history_op *op = note(s, HISTORY_SCAN, p->table, lo);
	op->hi = hi;
	op->reverse = reverse;
	op->row_count = rows.count;
	for (uint32_t i = 0; i < rows.count; i++)
		note_list(s, HISTORY_ROW, p->table, rows.number[i], rows.val[i]);
	for (uint32_t i = 0; i < rows.count; i++)
		if (edit && below(s, 3) == 0)
			append_in_place(s, p->table, rows.number[i], rows.copy[i]);
	return LG_OK;
}

static int list_step(struct load_session *s, struct lg_txn *txn)
{
	struct place p;
	struct lg_slice val;
	int code;
	pick(s, &p);
	switch (below(s, 12)) {
	case 0:
	case 1:
	case 2: return read_row(s, txn, &p, &val);
	case 3:
	case 4: return append_by_edit(s, txn, &p);
	case 5:
	case 6: return append_by_put(s, txn, &p);
	case 7: return insert_row(s, txn, &p);
	case 8:
	case 9: code = read_row(s, txn, &p, &val); return code == LG_OK ? delete_row(s, txn, &p, val.bytes > 0) : code;
	default: return scan_rows(s, txn, &p);
	}
}

/* ---- Operations on accounts ---------------------------------------------------------------------------------------- */

struct account {
	int64_t balance, again; /* both the same: half of it shows */
	uint64_t unused[6];
};

static int move_money(struct load_session *s, struct lg_txn *txn)
{
	uint64_t from = below(s, s->load->plan->accounts), to = below(s, s->load->plan->accounts);
	int64_t amount = (int64_t)below(s, 50);
	const uint64_t rows[2] = {from, to};
	for (int i = 0; i < 2 && from != to; i++) {
		struct place p;
		void *value;
		size_t bytes;
		find(s, LOAD_LISTS, rows[i], &p);
		int code = lg_edit(txn, s->tables[LOAD_LISTS], p.key, &value, &bytes);
		if (code == LG_NOTFOUND && s->load->incomplete)
			return GIVEN_UP;
		if (code == LG_NOTFOUND)
			return fail(s, LOAD_LISTS, rows[i], "an account is gone");
		if (code != LG_OK)
			return code;
		struct account *account = value;
		if (bytes != sizeof *account || account->balance != account->again)
			return fail(s, LOAD_LISTS, rows[i], "lg_edit() gave a torn account");
		account->balance += i == 0 ? -amount : amount;
		account->again = account->balance;
	}
	return LG_OK;
}

static int audit(struct load_session *s, struct lg_txn *txn)
{
	struct lg_scan *scan;
	struct lg_slice key, val;
	int64_t sum = 0;
	unsigned count = 0;
	int code = lg_scan_open(txn, s->tables[LOAD_LISTS], lg_slice(NULL, 0), lg_slice(NULL, 0),
	        below(s, 2) ? LG_SCAN_REVERSE : LG_SCAN_FORWARD, 0, &scan);
	while (code == LG_OK && (code = lg_scan_next(scan, &key, &val)) == LG_OK) {
		struct account account;
		if (val.bytes != sizeof account)
			return fail(s, LOAD_LISTS, count, "lg_scan_next() gave a torn account");
		memcpy(&account, val.data, sizeof account);
		if (account.balance != account.again)
			return fail(s, LOAD_LISTS, count, "lg_scan_next() gave a torn account");
		sum += account.balance;
		count++;
	}
	if (code != LG_END)
		return code;
	/* What it has seen counts once it has committed. */
	s->audited = count == s->load->plan->accounts ? sum : INT64_MAX;
	return LG_OK;
}

/* ---- Transactions -------------------------------------------------------------------------------------------------- */

static int random_body(struct lg_txn *txn, void *argument)
{
	struct load_session *s = argument;
	int code = LG_OK;
	s->load->conflicts += s->open;
	close_attempt(s, HISTORY_ABORTED);
	open_attempt(s);
	uint64_t kind = below(s, 10);
	if (kind < 2)
		code = move_money(s, txn);
	else if (kind == 2)
		code = audit(s, txn);
	else
		for (uint64_t ops = 1 + below(s, 5); ops > 0 && code == LG_OK; ops--)
			code = list_step(s, txn);
	/* Now and then it changes its mind. */
	if (code == LG_OK && below(s, 20) == 0)
		return GIVEN_UP;
	s->committing = code == LG_OK;
	return code;
}

static void check_audit(struct load_session *s)
{
	int64_t expected = (int64_t)s->load->plan->accounts * LOAD_FIRST_BALANCE;
	if (s->audited == -1 || s->load->incomplete)
		return;
	s->load->audits++;
	if (s->audited != expected)
		fail(s, LOAD_LISTS, 0,
		        s->audited == INT64_MAX ? "a committed scan found accounts missing"
		                                : "a committed scan found another sum of all accounts");
}

static bool is_allowed(const struct load *load, int code)
{
	return code == LG_OK || code == LG_CONFLICT || code == GIVEN_UP || code == FAILED ||
	       (code == LG_NOSPACE && (load->plan->faults & (FAULT_SCARCE | FAULT_DISK))) ||
	       (code == LG_SYSTEM && (load->plan->faults & FAULT_DISK)) ||
	       (code == LG_FENCED && (load->plan->faults & FAULT_ZOMBIE)) ||
	       (code == LG_UNAVAILABLE && (load->outages || (world.crashes > 0 && !load->settled)));
}

static bool has_tickets(const struct load_session *s)
{
	return s->load->plan->pod.durability == LG_DURABILITY_DISK;
}

static void settle(struct load_session *s, int code)
{
	struct load *load = s->load;
	if (code == LG_OK)
		check_audit(s);
	close_attempt(s, code == LG_OK ? HISTORY_COMMITTED : HISTORY_ABORTED);
	if (code == LG_OK && has_tickets(s))
		tickets_add(&load->tickets, s->number, lg_last_ticket(s->worker), load->history.txn_count - 1);
	load->commits += code == LG_OK;
	load->conflicts += code == LG_CONFLICT;
	load->refusals += code == LG_NOSPACE || code == LG_UNAVAILABLE;
	if (!is_allowed(load, code) && load->failure[0] == '\0')
		snprintf(load->failure, sizeof load->failure, "session %u: a transaction ended with code %d: %s",
		        s->number, code, lg_strerror(code));
}

/* One that waits; when it is not told, it asks whether it is a commit at all. */
static int commit_durable(struct load_session *s, struct lg_txn *txn)
{
	enum lg_outcome outcome = LG_OUTCOME_ABORTED;
	int code = lg_commit_durable(txn);
	bool asks = code == LG_NOSPACE || code == LG_SYSTEM || code == LG_FENCED;
	if (asks && lg_status(s->host, lg_last_ticket(s->worker), &outcome) == LG_OK && outcome != LG_OUTCOME_ABORTED)
		return LG_OK;
	if (code == LG_OK && lg_last_ticket(s->worker).epoch > lg_durable_epoch(s->host))
		fail(s, 0, 0, "lg_commit_durable() came back before it was durable");
	return code;
}

/* Without lg_run(): one that loses is given up. */
static int run_once(struct load_session *s)
{
	struct lg_txn *txn;
	int code = lg_txn_begin(s->worker, &txn);
	if (code != LG_OK)
		return code;
	code = random_body(txn, s);
	if (code == LG_OK)
		return has_tickets(s) && below(s, 6) == 0 ? commit_durable(s, txn) : lg_commit(txn);
	lg_abort(txn);
	return code;
}

static void tell(struct load_session *s)
{
	struct lg_ticket last = lg_last_ticket(s->worker);
	tickets_tell(&s->load->tickets, s->number, last.life, lg_durable_epoch(s->host));
}

/* Now and then a session waits until what it did last is durable, or asks; and it sees how far the pod has come. */
static void ask_for_last(struct load_session *s)
{
	struct lg_ticket last = lg_last_ticket(s->worker);
	enum lg_outcome outcome = LG_OUTCOME_PENDING;
	uint64_t kind = below(s, 8);
	int code = LG_OK;
	if (kind == 0)
		code = lg_wait(s->host, last, 1 + (uint32_t)below(s, 20));
	else if (kind == 1)
		code = lg_status(s->host, last, &outcome);
	bool failing = (s->load->plan->faults & FAULT_DISK) && (code == LG_NOSPACE || code == LG_SYSTEM);
	if (outcome == LG_OUTCOME_ABORTED)
		fail(s, 0, 0, "lg_status() calls a commit aborted in its own life");
	else if (code != LG_OK && code != LG_UNAVAILABLE && code != LG_FENCED && !failing)
		fail(s, 0, 0, "lg_wait() for a commit fails");
	tell(s);
}

static bool is_dropped(const struct load_session *s, unsigned txn)
{
	const struct sim_drops *drops = &s->load->plan->drops;
	for (unsigned i = 0; i < drops->count; i++)
		if (drops->drop[i].session == s->number && drops->drop[i].txn == txn)
			return true;
	return false;
}

void load_run(struct load_session *s, unsigned txns)
{
	for (unsigned i = 0; i < txns && s->load->failure[0] == '\0'; i++) {
		/* Numbers of its own: one that is left out changes none of the others. */
		s->random = (s->load->plan->world.seed * 1000003 + s->number) * 1000003 + i;
		if (is_dropped(s, i + 1))
			continue;
		trace_text("transaction %u.%u", s->number, i + 1);
		s->last_end = world.step;
		int code = below(s, 2) ? run_once(s) : lg_run(s->worker, random_body, s);
		settle(s, code);
		if (code == LG_OK && has_tickets(s))
			ask_for_last(s);
		if (code == LG_FENCED)
			break;
		if (below(s, 8) == 0)
			world_idle_nap(below(s, 400000));
	}
}

struct fill_step {
	struct load_session *s;
	uint32_t table;
	uint64_t number;
};

static int fill_body(struct lg_txn *txn, void *argument)
{
	struct fill_step *step = argument;
	struct load_session *s = step->s;
	struct place p;
	close_attempt(s, HISTORY_ABORTED);
	open_attempt(s);
	find(s, step->table, step->number, &p);
	if (step->table < LOAD_LISTS)
		return insert_row(s, txn, &p);
	struct account account = {.balance = LOAD_FIRST_BALANCE, .again = LOAD_FIRST_BALANCE};
	return lg_insert(txn, s->tables[step->table], p.key, lg_slice(&account, sizeof account));
}

static void each_row(
        struct load_session *s, uint32_t table, unsigned stride, int (*body)(struct lg_txn *txn, void *argument))
{
	for (uint64_t n = 0; n < row_count(s->load, table) && s->load->failure[0] == '\0'; n += stride) {
		struct fill_step step = {s, table, n};
		s->last_end = world.step;
		int code = lg_run(s->worker, body, &step);
		settle(s, code);
		if (code != LG_OK && table >= LOAD_LISTS)
			s->load->incomplete = true;
	}
}

void load_fill(struct load_session *s)
{
	for (uint32_t table = 0; table < LOAD_TABLES; table++)
		each_row(s, table, table < LOAD_LISTS ? 2 : 1, fill_body);
	if (!s->load->plan->logged || s->load->failure[0] != '\0')
		return;
	int code = lg_sync(s->host, SYNC_MS);
	if (code != LG_OK)
		fail(s, 0, 0, "lg_sync() of what was loaded fails");
	else if (has_tickets(s))
		tell(s);
}

static int read_body(struct lg_txn *txn, void *argument)
{
	struct fill_step *step = argument;
	struct load_session *s = step->s;
	struct lg_slice val;
	struct place p;
	close_attempt(s, HISTORY_ABORTED);
	open_attempt(s);
	find(s, step->table, step->number, &p);
	return read_row(s, txn, &p, &val);
}

static int audit_body(struct lg_txn *txn, void *argument)
{
	struct load_session *s = argument;
	close_attempt(s, HISTORY_ABORTED);
	open_attempt(s);
	return audit(s, txn);
}

void load_read_all(struct load_session *s)
{
	for (uint32_t table = 0; table < LOAD_LISTS; table++)
		each_row(s, table, 1, read_body);
	s->last_end = world.step;
	if (s->load->failure[0] == '\0')
		settle(s, lg_run(s->worker, audit_body, s));
}

/* ---- Beginning and end --------------------------------------------------------------------------------------------- */

void load_begin(struct load *load, const struct sim_case *plan)
{
	*load = (struct load){.plan = plan,
	        .outages = (plan->faults & (FAULT_CRASH | FAULT_STOP | FAULT_ZOMBIE)) ||
	                   plan->world.policy == POLICY_STARVE};
	history_init(&load->history);
	struct history *h = &load->history;
	h->files = history_grow(h->files, &h->file_cap, 1, sizeof *h->files);
	h->files[h->file_count++] = strdup("attempt");
}

void load_end(struct load *load)
{
	history_free(&load->history);
	tickets_free(&load->tickets);
	for (unsigned i = 0; i < load->session_count; i++)
		free(load->sessions[i]);
}

struct load_session *load_session(struct load *load, unsigned number, struct lg_host *host, struct lg_worker *worker,
        struct lg_table *tables[LOAD_TABLES])
{
	assert(load->session_count < LOAD_SESSIONS);
	struct load_session *s = calloc(1, sizeof *s);
	if (!s) {
		perror("liger sim: a session");
		exit(1);
	}
	load->sessions[load->session_count++] = s;
	s->load = load;
	s->host = host;
	s->worker = worker;
	memcpy(s->tables, tables, sizeof s->tables);
	s->number = number;
	s->random = load->plan->world.seed * 1000003 + s->number;
	s->next_id = ((uint64_t)s->number << 32) + 1;
	return s;
}

void load_ask_tickets(struct load_session *s, bool at_end)
{
	struct load *load = s->load;
	char failure[sizeof load->failure];
	/* What could not be written is tried again once a second. */
	while (at_end && lg_host_log_state(s->host, NULL) != LG_OK)
		world_idle_nap(AGAIN_NS);
	if (at_end && lg_sync(s->host, SYNC_MS) != LG_OK)
		fail(s, 0, 0, "lg_sync() at the end fails");
	if (!tickets_ask(&load->tickets, &load->history, s->host, lg_last_ticket(s->worker).life, at_end, failure,
	            sizeof failure) &&
	        load->failure[0] == '\0')
		memcpy(load->failure, failure, sizeof failure);
}

void load_close_lost(struct load *load)
{
	for (unsigned i = 0; i < load->session_count; i++)
		close_attempt(load->sessions[i], load->sessions[i]->committing ? HISTORY_UNKNOWN : HISTORY_ABORTED);
}

int load_tables(
        struct lg_host *host, const struct sim_case *plan, struct lg_table *tables[LOAD_TABLES], struct lg_error *err)
{
	uint64_t splits[WORLD_HOSTS * 2];
	uint32_t partitions = plan->hosts * 2;
	for (uint32_t i = 1; i < partitions; i++)
		splits[i - 1] = UINT64_MAX / partitions * i;
	struct lg_table_def defs[LOAD_TABLES] = {
	        {.name = "range", .by = LG_RANGE, .partitions = partitions, .splits = splits},
	        {.name = "hash", .by = LG_HASH, .prefix_bytes = 8, .partitions = partitions},
	        {.name = "accounts", .by = LG_RANGE, .partitions = partitions, .splits = splits},
	};
	int code = LG_OK;
	for (uint32_t i = 0; i < LOAD_TABLES && code == LG_OK; i++)
		code = lg_table_create(host, &defs[i], &tables[i], err);
	return code;
}
