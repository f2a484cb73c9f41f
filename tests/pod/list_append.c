/* list_append.c: random transactions over lists, and their record. */
#include "list_append.h"

#include "checker/checker.h"
#include "common/pod_fixture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SCAN_ROWS 64
#define LIST_FAILED   1000 /* what a body returns after s->failure was set */

/* ---- Keys and values ----------------------------------------------------------------------------------------------- */

static uint64_t below(struct list_session *s, uint64_t n)
{
	return pod_random(&s->random) % n;
}

/* The numbers are spread over the whole range of the first 8 bytes, so that every partition has some; what follows makes
 * keys of many lengths. */
static struct lg_slice make_key(const struct list_config *c, uint32_t table, uint64_t number, uint8_t *buffer)
{
	uint64_t head = UINT64_MAX / c->keys[table] * number;
	for (int i = 0; i < 8; i++)
		buffer[i] = (uint8_t)(head >> (56 - 8 * i));
	size_t bytes = 8 + number * 7 % (LIST_KEY_BYTES - 8);
	memset(buffer + 8, 'k', bytes - 8);
	return lg_slice(buffer, bytes);
}

/* A bound of a scan: below the key of that number, above the key before. */
static struct lg_slice make_bound(const struct list_config *c, uint32_t table, uint64_t number, uint8_t *buffer)
{
	if (number == c->keys[table])
		return lg_slice(NULL, 0);
	make_key(c, table, number, buffer);
	return lg_slice(buffer, 8);
}

static uint64_t key_number(const struct list_config *c, uint32_t table, struct lg_slice key)
{
	uint64_t head = 0;
	uint8_t buffer[LIST_KEY_BYTES];
	for (size_t i = 0; i < 8 && i < key.bytes; i++)
		head = head << 8 | ((const uint8_t *)key.data)[i];
	uint64_t number = head / (UINT64_MAX / c->keys[table]);
	struct lg_slice whole = make_key(c, table, number, buffer);
	if (number >= c->keys[table] || whole.bytes != key.bytes || memcmp(whole.data, key.data, key.bytes) != 0)
		return UINT64_MAX;
	return number;
}

struct list_head {
	uint32_t id_count, pad_bytes;
};

static uint64_t get_id(const void *value, uint32_t n)
{
	uint64_t id;
	memcpy(&id, (const uint8_t *)value + sizeof(struct list_head) + 8 * (size_t)n, sizeof(id));
	return id;
}

/* Whether a value is whole: sizes that fit, padding that belongs to the last id. */
static bool value_head(struct lg_slice val, struct list_head *head)
{
	if (val.bytes < sizeof(*head))
		return false;
	memcpy(head, val.data, sizeof(*head));
	uint64_t ids = sizeof(*head) + 8 * (uint64_t)head->id_count;
	if (head->id_count == 0 || val.bytes != ids + head->pad_bytes)
		return false;
	return pod_filled(lg_slice((const uint8_t *)val.data + ids, head->pad_bytes), head->pad_bytes,
	        get_id(val.data, head->id_count - 1));
}

/* Writes `old` (may be empty) with one id more to `value`; returns its size. */
static size_t grown_value(struct list_session *s, uint8_t *value, struct lg_slice old, uint64_t id)
{
	struct list_head head = {0};
	if (old.bytes > 0) {
		memcpy(&head, old.data, sizeof(head));
		memcpy(value + sizeof(head), (const uint8_t *)old.data + sizeof(head), 8 * (size_t)head.id_count);
	}
	memcpy(value + sizeof(head) + 8 * (size_t)head.id_count, &id, sizeof(id));
	head.id_count++;
	uint32_t pad = s->config->fixed_pad ? s->config->max_pad : (uint32_t)below(s, s->config->max_pad + 1);
	head.pad_bytes = below(s, 3) == 0 ? 0 : pad;
	memcpy(value, &head, sizeof(head));
	size_t ids = sizeof(head) + 8 * (size_t)head.id_count;
	pod_fill(value + ids, head.pad_bytes, id);
	return ids + head.pad_bytes;
}

/* Appends in place of padding. */
static bool append_in_place(void *value, uint64_t id)
{
	struct list_head head;
	memcpy(&head, value, sizeof(head));
	if (head.pad_bytes < 8)
		return false;
	memcpy((uint8_t *)value + sizeof(head) + 8 * (size_t)head.id_count, &id, sizeof(id));
	head.id_count++;
	head.pad_bytes -= 8;
	memcpy(value, &head, sizeof(head));
	pod_fill((uint8_t *)value + sizeof(head) + 8 * (size_t)head.id_count, head.pad_bytes, id);
	return true;
}

/* ---- The record ---------------------------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void note(struct list_session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct list_session *s, const char *format, ...)
{
	va_list args;
	if (s->ops_bytes + 128 > s->ops_cap) {
		s->ops_cap = s->ops_cap * 2 + 4096;
		s->ops = realloc(s->ops, s->ops_cap);
		if (s->ops == NULL)
			abort();
	}
	va_start(args, format);
	s->ops_bytes += (size_t)vsnprintf(s->ops + s->ops_bytes, 128, format, args);
	va_end(args);
}

static void note_list(struct list_session *s, struct lg_slice val)
{
	struct list_head head;
	memcpy(&head, val.data, sizeof(head));
	for (uint32_t i = 0; i < head.id_count; i++)
		note(s, " %" PRIu64, get_id(val.data, i));
	note(s, "\n");
}

/* A commit whose record stands at `at`; negative: what the client was told of. */
struct list_ack {
	long at;
	uint64_t number, began, end, epoch;
};

static void open_attempt(struct list_session *s)
{
	s->open = true;
	s->pending = -1;
	s->ops_bytes = 0;
}

/* All numbers in a width of their own: the line is written over when the outcome is known. */
static void write_head(FILE *history, uint64_t number, uint64_t began, uint64_t end, char outcome)
{
	fprintf(history, "t %" PRIu64 " %" PRIu64 " %020" PRIu64 " %c\n", number, began, end, outcome);
}

static void write_record_head(const struct list_session *s, uint64_t end, char outcome)
{
	write_head(s->history, s->number, s->last_end, end, outcome);
}

static void write_ops(const struct list_session *s)
{
	if (s->ops_bytes)
		fwrite(s->ops, 1, s->ops_bytes, s->history);
}

static void end_of_history(struct list_session *s, bool reached)
{
	if (!reached && s->failure[0] == '\0')
		snprintf(s->failure, sizeof(s->failure), "session %" PRIu64 ": cannot write its history", s->number);
}

/* Before a commit, where the process may be killed in it: the record without its end, which makes it one of unknown outcome. */
static void record_pending(struct list_session *s)
{
	if (!s->killable || !s->open)
		return;
	s->pending = ftell(s->history);
	write_record_head(s, UINT64_MAX, 'u');
	write_ops(s);
	end_of_history(s, s->pending >= 0 && fflush(s->history) == 0);
}

static void write_ack(struct list_session *s, const struct list_ack *ack)
{
	end_of_history(s, fwrite(ack, sizeof(*ack), 1, s->acks) == 1 && fflush(s->acks) == 0);
}

static void await_ticket(struct list_session *s, uint64_t end)
{
	struct list_ack ack = {s->pending, s->number, s->last_end, end, lg_last_ticket(s->worker).epoch};
	s->last_epoch = ack.epoch > s->last_epoch ? ack.epoch : s->last_epoch;
	write_ack(s, &ack);
}

void list_acknowledge(struct list_session *s, uint64_t durable_epoch)
{
	struct list_ack ack = {.at = -1, .epoch = durable_epoch < s->last_epoch ? durable_epoch : s->last_epoch};
	if (ack.epoch == s->told_epoch)
		return;
	s->told_epoch = ack.epoch;
	write_ack(s, &ack);
}

uint64_t list_settle(FILE *history, FILE *acks, uint64_t limit)
{
	struct list_ack ack;
	uint64_t greatest = 0;
	rewind(acks);
	while (fread(&ack, sizeof(ack), 1, acks) == 1) {
		if (ack.at < 0) {
			greatest = ack.epoch > greatest ? ack.epoch : greatest;
			continue;
		}
		if (fseek(history, ack.at, SEEK_SET) != 0)
			abort();
		write_head(history, ack.number, ack.began, ack.end, ack.epoch <= limit ? 'c' : 'a');
	}
	if (fflush(history) != 0)
		abort();
	return greatest;
}

static void close_attempt(struct list_session *s, char outcome)
{
	uint64_t end = now_ns();
	if (!s->open)
		return;
	if (s->pending >= 0 && s->acks && outcome == 'c') {
		await_ticket(s, end); /* for now it stays one of unknown outcome */
	} else if (s->pending >= 0) {
		bool there = fseek(s->history, s->pending, SEEK_SET) == 0;
		write_record_head(s, end, outcome);
		end_of_history(s, there && fseek(s->history, 0, SEEK_END) == 0);
	} else {
		write_record_head(s, end, outcome);
		write_ops(s);
	}
	fprintf(s->history, ".\n");
	if (s->killable)
		end_of_history(s, fflush(s->history) == 0);
	s->pending = -1;
	s->last_end = end;
	s->open = false;
}

static int failed(struct list_session *s, uint32_t table, uint64_t number, const char *what)
{
	snprintf(s->failure, sizeof(s->failure), "session %" PRIu64 ", row %u:%" PRIu64 ": %s", s->number, table,
	        number, what);
	return LIST_FAILED;
}

/* ---- Operations ---------------------------------------------------------------------------------------------------- */

struct place {
	uint32_t table;
	uint64_t number;
	struct lg_slice key;
	uint8_t buffer[LIST_KEY_BYTES];
};

static void pick(struct list_session *s, struct place *p)
{
	p->table = (uint32_t)below(s, LIST_TABLES);
	p->number = below(s, s->config->keys[p->table]);
	p->key = make_key(s->config, p->table, p->number, p->buffer);
}

/* LG_OK with *val empty: the row is absent. */
static int read_row(struct list_session *s, struct lg_txn *txn, struct place *p, struct lg_slice *val)
{
	struct list_head head;
	int code = lg_get(txn, s->tables[p->table], p->key, val);
	if (code == LG_NOTFOUND) {
		note(s, "r %u %" PRIu64 " -\n", p->table, p->number);
		*val = lg_slice(NULL, 0);
		return LG_OK;
	}
	if (code != LG_OK)
		return code;
	if (!value_head(*val, &head))
		return failed(s, p->table, p->number, "lg_get() gave a torn value");
	note(s, "r %u %" PRIu64, p->table, p->number);
	note_list(s, *val);
	return LG_OK;
}

static int insert_row(struct list_session *s, struct lg_txn *txn, struct place *p)
{
	static _Thread_local uint8_t value[LG_MAX_VALUE_BYTES];
	uint64_t id = s->next_id++;
	size_t bytes = grown_value(s, value, lg_slice(NULL, 0), id);
	int code = lg_insert(txn, s->tables[p->table], p->key, lg_slice(value, bytes));
	if (code == LG_OK)
		note(s, "i %u %" PRIu64 " %" PRIu64 "\n", p->table, p->number, id);
	if (code != LG_EXISTS)
		return code;
	note(s, "x %u %" PRIu64 "\n", p->table, p->number);
	return LG_OK;
}

static int append_by_put(struct list_session *s, struct lg_txn *txn, struct place *p)
{
	static _Thread_local uint8_t value[LG_MAX_VALUE_BYTES];
	struct lg_slice val;
	int code = read_row(s, txn, p, &val);
	if (code != LG_OK)
		return code;
	uint64_t id = s->next_id++;
	bool absent = val.bytes == 0;
	code = lg_put(txn, s->tables[p->table], p->key, lg_slice(value, grown_value(s, value, val, id)));
	if (code == LG_OK)
		note(s, "%c %u %" PRIu64 " %" PRIu64 "\n", absent ? 'i' : 'a', p->table, p->number, id);
	return code;
}

static int append_by_edit(struct list_session *s, struct lg_txn *txn, struct place *p)
{
	struct list_head head;
	void *value;
	size_t bytes;
	int code = lg_edit(txn, s->tables[p->table], p->key, &value, &bytes);
	if (code == LG_NOTFOUND) {
		note(s, "r %u %" PRIu64 " -\n", p->table, p->number);
		return LG_OK;
	}
	if (code != LG_OK)
		return code;
	if (!value_head(lg_slice(value, bytes), &head))
		return failed(s, p->table, p->number, "lg_edit() gave a torn value");
	note(s, "r %u %" PRIu64, p->table, p->number);
	note_list(s, lg_slice(value, bytes));
	uint64_t id = s->next_id++;
	if (append_in_place(value, id))
		note(s, "a %u %" PRIu64 " %" PRIu64 "\n", p->table, p->number, id);
	return LG_OK;
}

static int delete_row(struct list_session *s, struct lg_txn *txn, struct place *p)
{
	struct lg_slice val;
	int code = read_row(s, txn, p, &val);
	if (code != LG_OK)
		return code;
	code = lg_del(txn, s->tables[p->table], p->key);
	/* While it runs, a transaction may see what cannot be: then it must not commit. So what contradicts the read is
	 * recorded as well. */
	if (code == LG_OK && val.bytes == 0)
		note(s, "x %u %" PRIu64 "\n", p->table, p->number);
	else if (code == LG_OK)
		note(s, "d %u %" PRIu64 "\n", p->table, p->number);
	else if (code == LG_NOTFOUND)
		note(s, "r %u %" PRIu64 " -\n", p->table, p->number);
	return code == LG_NOTFOUND ? LG_OK : code;
}

struct scan_rows {
	uint64_t number[MAX_SCAN_ROWS];
	struct lg_slice val[MAX_SCAN_ROWS];
	void *copy[MAX_SCAN_ROWS]; /* writable, with LG_SCAN_EDIT */
	uint32_t count;
};

static int collect_rows(
        struct list_session *s, struct lg_scan *scan, uint32_t table, uint32_t most, struct scan_rows *rows)
{
	for (rows->count = 0; rows->count < most; rows->count++) {
		struct list_head head;
		struct lg_slice key, *val = &rows->val[rows->count];
		uint64_t *number = &rows->number[rows->count];
		int code = lg_scan_next(scan, &key, val);
		if (code != LG_OK)
			return code == LG_END ? LG_OK : code;
		*number = key_number(s->config, table, key);
		if (*number == UINT64_MAX)
			return failed(s, table, 0, "lg_scan_next() gave a key that nobody made");
		if (!value_head(*val, &head))
			return failed(s, table, *number, "lg_scan_next() gave a torn value");
		rows->copy[rows->count] = lg_scan_value(scan);
	}
	return LG_OK;
}

/* The record of a scan: what it crossed, and the rows. */
static void note_scan(struct list_session *s, uint32_t table, uint64_t lo, uint64_t hi, bool reverse, bool stopped,
        const struct scan_rows *rows)
{
	if (stopped && rows->count > 0) {
		uint64_t last = rows->number[rows->count - 1];
		lo = reverse ? last : lo;
		hi = reverse ? hi : last + 1;
	}
	note(s, "s %u %" PRIu64 " %" PRIu64 " %c %u\n", table, lo, hi, reverse ? 'r' : 'f', rows->count);
	for (uint32_t i = 0; i < rows->count; i++) {
		note(s, "v %" PRIu64, rows->number[i]);
		note_list(s, rows->val[i]);
	}
}

static int scan_range(struct list_session *s, struct lg_txn *txn, struct place *p)
{
	static _Thread_local struct scan_rows rows;
	const struct list_config *c = s->config;
	uint8_t lo_buffer[LIST_KEY_BYTES], hi_buffer[LIST_KEY_BYTES];
	uint64_t lo = p->number, hi = lo + 1 + below(s, MAX_SCAN_ROWS / 2);
	if (hi > c->keys[p->table])
		hi = c->keys[p->table];
	bool reverse = below(s, 2) == 0, edit = below(s, 6) == 0;
	uint32_t limit = below(s, 2) == 0 ? 1 + (uint32_t)below(s, 5) : 0;
	bool early = limit != 0 && below(s, 3) == 0; /* ends it by hand instead */
	struct lg_scan *scan;
	int code = lg_scan_open(txn, s->tables[p->table], make_bound(c, p->table, lo, lo_buffer),
	        make_bound(c, p->table, hi, hi_buffer),
	        (reverse ? LG_SCAN_REVERSE : LG_SCAN_FORWARD) | (edit ? LG_SCAN_EDIT : 0), early ? 0 : limit, &scan);
	if (code != LG_OK)
		return code;
	code = collect_rows(s, scan, p->table, early ? limit : MAX_SCAN_ROWS, &rows);
	if (code != LG_OK)
		return code;
	lg_scan_close(scan);
	note_scan(s, p->table, lo, hi, reverse, limit != 0 && rows.count == limit, &rows);
	for (uint32_t i = 0; i < rows.count; i++) {
		if (edit != (rows.copy[i] != NULL))
			return failed(s, p->table, rows.number[i], "lg_scan_value() and LG_SCAN_EDIT disagree");
		if (!edit || below(s, 3) != 0)
			continue;
		uint64_t id = s->next_id++;
		if (append_in_place(rows.copy[i], id))
			note(s, "a %u %" PRIu64 " %" PRIu64 "\n", p->table, rows.number[i], id);
	}
	return LG_OK;
}

static int random_op(struct list_session *s, struct lg_txn *txn)
{
	struct place p;
	struct lg_slice val;
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
	case 9: return delete_row(s, txn, &p);
	default: return scan_range(s, txn, &p);
	}
}

/* ---- Transactions -------------------------------------------------------------------------------------------------- */

/* Every attempt is recorded, with ids of its own: nobody may ever see those of one that lost. */
static int random_body(struct lg_txn *txn, void *arg)
{
	struct list_session *s = arg;
	int code = LG_OK;
	s->conflicts += s->open;
	close_attempt(s, 'a');
	open_attempt(s);
	for (uint64_t ops = 1 + below(s, 6); ops > 0 && code == LG_OK; ops--)
		code = random_op(s, txn);
	if (code != LG_OK && code != LG_CONFLICT)
		lg_txn_detail(txn, &s->detail);
	if (code == LG_OK)
		record_pending(s);
	/* Now and then it changes its mind. */
	return code == LG_OK && below(s, 20) == 0 ? LIST_FAILED + 1 : code;
}

static void settle(struct list_session *s, int code)
{
	close_attempt(s, code == LG_OK ? 'c' : 'a');
	s->commits += code == LG_OK;
	s->conflicts += code == LG_CONFLICT;
	bool refused = code == LG_NOSPACE || (code == LG_UNAVAILABLE && s->outages);
	s->refusals += refused;
	if (!refused && code != LG_OK && code != LG_CONFLICT && code < LIST_FAILED && s->failure[0] == '\0')
		snprintf(s->failure, sizeof(s->failure), "session %" PRIu64 ": code %d: %s: %s", s->number, code,
		        lg_strerror(code), s->detail.message);
}

/* Without lg_run(): a transaction that loses is given up. */
static int run_once(struct list_session *s)
{
	struct lg_txn *txn;
	int code = lg_txn_begin(s->worker, &txn);
	if (code != LG_OK)
		return code;
	code = random_body(txn, s);
	if (code == LG_OK)
		return lg_commit(txn);
	lg_abort(txn);
	return code;
}

void list_begin(struct list_session *s)
{
	s->random = s->config->seed * 1000003 + s->number;
	s->next_id = (s->number << 40) + 1;
	s->last_end = now_ns();
	s->failure[0] = '\0';
	s->pending = -1;
	fprintf(s->history, "liger-history 1\n");
	fflush(s->history);
}

void list_run(struct list_session *s)
{
	for (uint64_t i = 0; s->failure[0] == '\0'; i++) {
		if (s->goes_on ? !s->goes_on(s->goes_on_argument) : i >= s->config->txns)
			break;
		s->last_end = now_ns();
		settle(s, below(s, 2) == 0 ? run_once(s) : lg_run(s->worker, random_body, s));
	}
}

struct load_step {
	struct list_session *s;
	uint32_t table;
	uint64_t from;
};

static int load_body(struct lg_txn *txn, void *arg)
{
	struct load_step *step = arg;
	struct list_session *s = step->s;
	int code = LG_OK;
	close_attempt(s, 'a');
	open_attempt(s);
	for (uint64_t n = step->from; n < step->from + 20 && n < s->config->keys[step->table] && code == LG_OK;
	        n += 2) {
		struct place p = {.table = step->table, .number = n};
		p.key = make_key(s->config, p.table, p.number, p.buffer);
		code = insert_row(s, txn, &p);
	}
	if (code == LG_OK)
		record_pending(s);
	return code;
}

void list_load(struct list_session *s)
{
	for (uint32_t table = 0; table < LIST_TABLES; table++) {
		for (uint64_t n = 0; n < s->config->keys[table] && s->failure[0] == '\0'; n += 20) {
			struct load_step step = {.s = s, .table = table, .from = n};
			s->last_end = now_ns();
			settle(s, lg_run(s->worker, load_body, &step));
		}
	}
}

static int read_all_body(struct lg_txn *txn, void *arg)
{
	struct load_step *step = arg;
	struct list_session *s = step->s;
	int code = LG_OK;
	close_attempt(s, 'a');
	open_attempt(s);
	for (uint64_t n = step->from; n < step->from + 10 && n < s->config->keys[step->table] && code == LG_OK; n++) {
		struct place p = {.table = step->table, .number = n};
		struct lg_slice val;
		p.key = make_key(s->config, p.table, p.number, p.buffer);
		code = read_row(s, txn, &p, &val);
	}
	if (code == LG_OK)
		record_pending(s);
	return code;
}

void list_read_all(struct list_session *s)
{
	for (uint32_t table = 0; table < LIST_TABLES; table++) {
		for (uint64_t n = 0; n < s->config->keys[table] && s->failure[0] == '\0'; n += 10) {
			struct load_step step = {.s = s, .table = table, .from = n};
			s->last_end = now_ns();
			int code = lg_run(s->worker, read_all_body, &step);
			settle(s, code);
			/* Where space is short on purpose, these rows go unread: not what is judged here. */
			if (code != LG_OK && code != LG_NOSPACE && s->failure[0] == '\0')
				snprintf(s->failure, sizeof(s->failure), "the last read: code %d: %s", code,
				        lg_strerror(code));
		}
	}
}

void list_end(struct list_session *s)
{
	if (fflush(s->history) != 0 && s->failure[0] == '\0')
		snprintf(s->failure, sizeof(s->failure), "session %" PRIu64 ": cannot write its history", s->number);
	free(s->ops);
	s->ops = NULL;
	s->ops_bytes = s->ops_cap = 0;
}

int list_tables(struct lg_host *host, const struct list_config *config, struct lg_table *tables[LIST_TABLES],
        struct lg_error *err)
{
	/* Two partitions a host: neighbours in a range belong to different hosts every so often. */
	uint64_t splits[LG_MAX_HOSTS * 2];
	uint32_t partitions = config->hosts * 2;
	for (uint32_t i = 1; i < partitions; i++)
		splits[i - 1] = UINT64_MAX / partitions * i;
	struct lg_table_def defs[LIST_TABLES] = {
	        {.name = "range", .by = LG_RANGE, .partitions = partitions, .splits = splits},
	        {.name = "hash", .by = LG_HASH, .prefix_bytes = 8, .partitions = partitions},
	        {.name = "hot", .by = LG_RANGE, .partitions = partitions, .splits = splits},
	};
	int code = LG_OK;
	for (uint32_t i = 0; i < LIST_TABLES && code == LG_OK; i++)
		code = lg_table_create(host, &defs[i], &tables[i], err);
	return code;
}

/* ---- Judging -------------------------------------------------------------------------------------------------------- */

/* For a person who wants to look: LG_TEST_HISTORY_DIR names where the histories of an anomaly are kept. */
static void keep_histories(FILE *const *histories, size_t count)
{
	const char *dir = getenv("LG_TEST_HISTORY_DIR");
	for (size_t i = 0; dir != NULL && i < count; i++) {
		char path[512], buffer[4096];
		size_t bytes;
		snprintf(path, sizeof(path), "%s/history-%zu", dir, i);
		FILE *out = fopen(path, "w");
		if (out == NULL)
			return;
		rewind(histories[i]);
		while ((bytes = fread(buffer, 1, sizeof(buffer), histories[i])) > 0)
			fwrite(buffer, 1, bytes, out);
		fclose(out);
	}
}

int list_judge(FILE *const *histories, size_t count)
{
	static struct checker_result result;
	struct history h;
	char message[512];
	int verdict = 0;
	history_init(&h);
	for (size_t i = 0; i < count && verdict == 0; i++) {
		char name[32];
		snprintf(name, sizeof(name), "history-%zu", i);
		rewind(histories[i]);
		if (!history_read(&h, histories[i], name, message, sizeof(message))) {
			fprintf(stderr, "%s\n", message);
			verdict = -1;
		}
	}
	/* Without any order first: what it finds contradicts serializability itself. */
	for (int order = CHECKER_ORDER_NONE; order <= CHECKER_ORDER_REALTIME && verdict == 0;
	        order += CHECKER_ORDER_REALTIME) {
		checker_run(&h, (enum checker_order)order, &result);
		printf("%s%s: %zu committed, %zu lives, %zu dependencies, %zu absences (%zu undecided): %s\n",
		        result.report, order == CHECKER_ORDER_NONE ? "no order" : "real time", result.committed,
		        result.lives, result.edges, result.absences, result.undecided, anomaly_name(result.anomaly));
		verdict = result.anomaly != ANOMALY_NONE;
	}
	fflush(stdout);
	if (verdict != 0)
		keep_histories(histories, count);
	history_free(&h);
	return verdict;
}

bool list_expects_anomaly(void)
{
	const char *text = getenv("LG_EXPECT_ANOMALY");
	return text != NULL && strcmp(text, "1") == 0;
}
