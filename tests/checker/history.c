/* history.c: reads the text format of README.md. */
#include "history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *history_grow(void *array, size_t *cap, size_t need, size_t size)
{
	if (need <= *cap)
		return array;
	size_t wanted = *cap ? *cap * 2 : 64;
	while (wanted < need)
		wanted *= 2;
	void *grown = realloc(array, wanted * size);
	if (grown == NULL) {
		fprintf(stderr, "checker: no memory for %zu elements of %zu bytes\n", wanted, size);
		exit(2);
	}
	*cap = wanted;
	return grown;
}

void history_init(struct history *h)
{
	memset(h, 0, sizeof(*h));
}

void history_free(struct history *h)
{
	for (size_t i = 0; i < h->file_count; i++)
		free(h->files[i]);
	free(h->files);
	free(h->txns);
	free(h->ops);
	free(h->ids);
	memset(h, 0, sizeof(*h));
}

struct reader {
	struct history *h;
	char *at;           /* in the line */
	bool open;          /* inside a transaction */
	uint32_t rows_left; /* of the scan above */
	uint32_t table;     /* of the scan above */
	uint32_t line;
};

/* The next number of the line. */
static bool take_number(struct reader *r, uint64_t *number)
{
	r->at += strspn(r->at, " ");
	if (*r->at < '0' || *r->at > '9')
		return false;
	char *end;
	errno = 0;
	unsigned long long n = strtoull(r->at, &end, 10);
	if (errno != 0 || (*end != ' ' && *end != '\0'))
		return false;
	r->at = end;
	*number = n;
	return true;
}

/* The next word of the line, if it is the single character `c`. */
static bool take_char(struct reader *r, char c)
{
	r->at += strspn(r->at, " ");
	if (r->at[0] != c || (r->at[1] != ' ' && r->at[1] != '\0'))
		return false;
	r->at++;
	return true;
}

static bool at_end(struct reader *r)
{
	r->at += strspn(r->at, " ");
	return *r->at == '\0';
}

static struct history_op *add_op(struct reader *r, enum history_kind kind)
{
	struct history *h = r->h;
	h->ops = history_grow(h->ops, &h->op_cap, h->op_count + 1, sizeof(*h->ops));
	struct history_op *op = &h->ops[h->op_count++];
	memset(op, 0, sizeof(*op));
	op->kind = kind;
	op->first_id = h->id_count;
	h->txns[h->txn_count - 1].op_count++;
	return op;
}

static bool take_ids(struct reader *r, struct history_op *op)
{
	struct history *h = r->h;
	uint64_t id;
	while (!at_end(r)) {
		if (!take_number(r, &id))
			return false;
		h->ids = history_grow(h->ids, &h->id_cap, h->id_count + 1, sizeof(*h->ids));
		h->ids[h->id_count++] = id;
		op->id_count++;
	}
	return true;
}

static bool take_place(struct reader *r, struct history_op *op)
{
	uint64_t table;
	if (!take_number(r, &table) || table > UINT32_MAX || !take_number(r, &op->key))
		return false;
	op->table = (uint32_t)table;
	return true;
}

static bool read_txn(struct reader *r)
{
	struct history *h = r->h;
	struct history_txn t = {.first_op = h->op_count, .line = r->line, .file = (uint32_t)h->file_count - 1};
	if (r->open || !take_number(r, &t.session) || !take_number(r, &t.begin) || !take_number(r, &t.end))
		return false;
	if (take_char(r, 'c'))
		t.outcome = HISTORY_COMMITTED;
	else if (take_char(r, 'a'))
		t.outcome = HISTORY_ABORTED;
	else if (take_char(r, 'u'))
		t.outcome = HISTORY_UNKNOWN;
	else
		return false;
	h->txns = history_grow(h->txns, &h->txn_cap, h->txn_count + 1, sizeof(*h->txns));
	h->txns[h->txn_count++] = t;
	r->open = true;
	return at_end(r) && t.begin <= t.end;
}

static bool read_read(struct reader *r)
{
	struct history_op *op = add_op(r, HISTORY_READ);
	if (!take_place(r, op))
		return false;
	if (take_char(r, '-')) {
		op->kind = HISTORY_ABSENT;
		return at_end(r);
	}
	return take_ids(r, op) && op->id_count > 0;
}

static bool read_scan(struct reader *r)
{
	struct history_op *op = add_op(r, HISTORY_SCAN);
	uint64_t rows;
	if (!take_place(r, op) || !take_number(r, &op->hi))
		return false;
	op->reverse = take_char(r, 'r');
	if (!op->reverse && !take_char(r, 'f'))
		return false;
	if (!take_number(r, &rows) || rows > UINT32_MAX)
		return false;
	op->row_count = (uint32_t)rows;
	r->rows_left = op->row_count;
	r->table = op->table;
	return at_end(r);
}

static bool read_row(struct reader *r)
{
	struct history_op *op = add_op(r, HISTORY_ROW);
	op->table = r->table;
	if (r->rows_left == 0 || !take_number(r, &op->key))
		return false;
	r->rows_left--;
	return take_ids(r, op) && op->id_count > 0;
}

static bool read_write(struct reader *r, enum history_kind kind, uint32_t ids)
{
	struct history_op *op = add_op(r, kind);
	return take_place(r, op) && take_ids(r, op) && op->id_count == ids;
}

/* One line, already known to be neither empty nor a comment. */
static bool read_line(struct reader *r)
{
	char kind = *r->at++;
	if (*r->at != ' ' && *r->at != '\0')
		return false;
	if (kind == 't')
		return read_txn(r);
	if (!r->open || (r->rows_left > 0 && kind != 'v'))
		return false;
	switch (kind) {
	case 'r': return read_read(r);
	case 'a': return read_write(r, HISTORY_APPEND, 1);
	case 'i': return read_write(r, HISTORY_INSERT, 1);
	case 'x': return read_write(r, HISTORY_EXISTS, 0);
	case 'd': return read_write(r, HISTORY_DELETE, 0);
	case 's': return read_scan(r);
	case 'v': return read_row(r);
	case '.': r->open = false; return at_end(r);
	default: return false;
	}
}

/* A process that died while it wrote leaves a transaction without its end; its last line may be cut. What it says of reads
 * is of no use then, but the ids that it wrote may have been seen. */
static void settle_open_txn(struct reader *r)
{
	if (!r->open)
		return;
	struct history_txn *t = &r->h->txns[r->h->txn_count - 1];
	if (t->outcome == HISTORY_COMMITTED)
		t->outcome = HISTORY_UNKNOWN;
	struct history_op *op = t->op_count > 0 ? &r->h->ops[r->h->op_count - 1] : NULL;
	if (r->rows_left > 0 && op != NULL) {
		while (op->kind != HISTORY_SCAN)
			op--;
		t->op_count = (size_t)(op - &r->h->ops[t->first_op]);
	}
}

bool history_read(struct history *h, FILE *in, const char *name, char *message, size_t message_bytes)
{
	h->files = history_grow(h->files, &h->file_cap, h->file_count + 1, sizeof(*h->files));
	h->files[h->file_count] = strdup(name);
	if (h->files[h->file_count++] == NULL) {
		snprintf(message, message_bytes, "%s: no memory", name);
		return false;
	}
	struct reader r = {.h = h};
	char *line = NULL;
	size_t cap = 0;
	ssize_t bytes;
	bool good = true, headed = false;
	while (good && (bytes = getline(&line, &cap, in)) > 0) {
		r.line++;
		r.at = line;
		bool whole = line[bytes - 1] == '\n';
		if (whole)
			line[bytes - 1] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (headed && !whole && r.open && strcmp(line, ".") != 0)
			break;
		good = headed ? read_line(&r) : strcmp(line, "liger-history 1") == 0;
		headed = true;
	}
	if (!good)
		snprintf(message, message_bytes, "%s:%u: not a line of a history (see tests/checker/README.md)", name,
		        r.line);
	else if (!headed || ferror(in)) {
		snprintf(message, message_bytes, "%s: %s", name, headed ? "cannot be read" : "empty, not a history");
		good = false;
	}
	settle_open_txn(&r);
	free(line);
	return good;
}
