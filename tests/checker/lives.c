/* lives.c: turns operations into versions, and judges what needs no graph. */
#include "lives.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- Who wrote which id, and which keys there are ----------------------------------------------------------------- */

static int writer_compare(const void *a, const void *b)
{
	const struct writer *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

struct writer *lives_writer(const struct checker *c, uint64_t id)
{
	struct writer wanted = {.id = id};
	return bsearch(&wanted, c->writers, c->writer_count, sizeof(wanted), writer_compare);
}

static int key_compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

/* The first key that is not below (table, key). */
static uint32_t key_from(const struct checker *c, uint32_t table, uint64_t key)
{
	struct key wanted = {.table = table, .key = key};
	size_t lo = 0, hi = c->key_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (key_compare(&c->keys[mid], &wanted) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

static void collect_keys(struct checker *c)
{
	for (size_t i = 0; i < c->h->op_count; i++) {
		const struct history_op *op = &c->h->ops[i];
		if (op->kind == HISTORY_SCAN)
			continue;
		c->keys = history_grow(c->keys, &c->key_cap, c->key_count + 1, sizeof(*c->keys));
		c->keys[c->key_count++] = (struct key){.table = op->table, .key = op->key};
	}
	if (c->key_count == 0)
		return;
	qsort(c->keys, c->key_count, sizeof(*c->keys), key_compare);
	size_t kept = 1;
	for (size_t i = 1; i < c->key_count; i++) {
		if (key_compare(&c->keys[kept - 1], &c->keys[i]) != 0)
			c->keys[kept++] = c->keys[i];
	}
	c->key_count = kept;
}

static bool collect_writers(struct checker *c)
{
	for (size_t t = 0; t < c->h->txn_count; t++) {
		const struct history_txn *txn = &c->h->txns[t];
		for (size_t i = txn->first_op; i < txn->first_op + txn->op_count; i++) {
			const struct history_op *op = &c->h->ops[i];
			if (op->kind != HISTORY_APPEND && op->kind != HISTORY_INSERT)
				continue;
			c->writers = history_grow(c->writers, &c->writer_cap, c->writer_count + 1, sizeof(*c->writers));
			c->writers[c->writer_count++] = (struct writer){
			        .id = c->h->ids[op->first_id],
			        .txn = (uint32_t)t,
			        .key = key_from(c, op->table, op->key),
			};
		}
	}
	if (c->writer_count == 0)
		return true;
	qsort(c->writers, c->writer_count, sizeof(*c->writers), writer_compare);
	for (size_t i = 1; i < c->writer_count; i++) {
		const struct writer *w = &c->writers[i];
		if (w->id == w[-1].id)
			return report_access(c, ANOMALY_MALFORMED, w->txn, w->key,
			        "writes id %llu, which T%u writes too", (unsigned long long)w->id, w[-1].txn);
	}
	return true;
}

/* A transaction of unknown outcome has happened if one that happened saw an id of it. */
static void settle_unknown(struct checker *c)
{
	bool changed = true;
	for (size_t t = 0; t < c->h->txn_count; t++)
		c->happened[t] = c->h->txns[t].outcome == HISTORY_COMMITTED;
	while (changed) {
		changed = false;
		for (size_t t = 0; t < c->h->txn_count; t++) {
			const struct history_txn *txn = &c->h->txns[t];
			for (size_t i = txn->first_op; c->happened[t] && i < txn->first_op + txn->op_count; i++) {
				const struct history_op *op = &c->h->ops[i];
				for (size_t j = 0; j < op->id_count; j++) {
					struct writer *w = lives_writer(c, c->h->ids[op->first_id + j]);
					if (w == NULL || c->happened[w->txn] ||
					        c->h->txns[w->txn].outcome != HISTORY_UNKNOWN)
						continue;
					c->happened[w->txn] = true;
					changed = true;
				}
			}
		}
	}
}

/* ---- One transaction's view ---------------------------------------------------------------------------------------- */

/* What a key looks like to the transaction now. While the base is unknown (an append without a read), list[] holds only
 * what the transaction itself has added. */
struct view {
	uint32_t key;
	size_t access; /* number of the access it belongs to */
	bool present, base_known;
	uint64_t *list;
	size_t count, cap;
	size_t found_count; /* ids of list[] that it found there */
};

struct replay {
	struct checker *c;
	uint32_t txn;
	struct view *views;
	size_t view_count, view_cap;
	uint32_t *stamp; /* of each key: txn + 1 that touched it last */
	uint32_t *slot;  /* of each key: its view then */
};

/* The view of a key; *fresh when the transaction has not touched it before. */
static struct view *touch(struct replay *r, uint32_t key, bool scan, bool *fresh)
{
	struct checker *c = r->c;
	*fresh = r->stamp[key] != r->txn + 1;
	if (!*fresh)
		return &r->views[r->slot[key]];
	size_t had = r->view_cap;
	r->views = history_grow(r->views, &r->view_cap, r->view_count + 1, sizeof(*r->views));
	memset(r->views + had, 0, (r->view_cap - had) * sizeof(*r->views));
	struct view *v = &r->views[r->view_count];
	r->stamp[key] = r->txn + 1;
	r->slot[key] = (uint32_t)r->view_count++;
	v->key = key;
	v->access = c->access_count;
	v->present = v->base_known = false;
	v->count = v->found_count = 0;
	c->accesses = history_grow(c->accesses, &c->access_cap, c->access_count + 1, sizeof(*c->accesses));
	c->accesses[c->access_count++] =
	        (struct access){.txn = r->txn, .key = key, .scan = scan, .life = NO_LIFE, .found = FOUND_UNKNOWN};
	return v;
}

static void view_add(struct view *v, uint64_t id)
{
	v->list = history_grow(v->list, &v->cap, v->count + 1, sizeof(*v->list));
	v->list[v->count++] = id;
}

static bool bad_view(struct replay *r, const struct view *v, const char *what)
{
	report_access(r->c, ANOMALY_INTERNAL, r->txn, v->key, "%s", what);
	report_list(r->c, v->base_known || !v->present ? "it should be" : "it should end with", v->list, v->count);
	return false;
}

/* The transaction sees the list `ids`. */
static bool see_list(struct replay *r, uint32_t key, const uint64_t *ids, uint32_t count, bool scan)
{
	bool fresh;
	struct view *v = touch(r, key, scan, &fresh);
	struct access *a = &r->c->accesses[v->access];
	if (!fresh && !v->present)
		return bad_view(r, v, "sees a row that it had found absent, or deleted");
	if (!fresh && v->base_known) {
		if (v->count == count && memcmp(v->list, ids, count * sizeof(*ids)) == 0)
			return true;
		bad_view(r, v, "sees another list than before and its own writes give");
		report_list(r->c, "it is", ids, count);
		return false;
	}
	if (v->count > 0 &&
	        (v->count >= count || memcmp(ids + count - v->count, v->list, v->count * sizeof(*ids)) != 0))
		return bad_view(r, v, "does not see its own appends");
	a->found = FOUND_LIST;
	a->list = ids;
	a->list_count = count - (uint32_t)v->count;
	v->found_count = a->list_count;
	v->count = 0;
	for (uint32_t i = 0; i < count; i++)
		view_add(v, ids[i]);
	v->present = v->base_known = true;
	return true;
}

static bool see_absent(struct replay *r, uint32_t key, bool scan)
{
	bool fresh;
	struct view *v = touch(r, key, scan, &fresh);
	if (fresh) {
		r->c->accesses[v->access].found = FOUND_ABSENT;
		v->base_known = true;
		return true;
	}
	return v->present ? bad_view(r, v, "finds absent a row that it had seen or written") : true;
}

static bool do_insert(struct replay *r, uint32_t key, uint64_t id)
{
	if (!see_absent(r, key, false))
		return false;
	struct view *v = &r->views[r->slot[key]];
	r->c->accesses[v->access].created = true;
	v->present = v->base_known = true;
	v->count = v->found_count = 0;
	view_add(v, id);
	return true;
}

static bool do_append(struct replay *r, uint32_t key, uint64_t id)
{
	bool fresh;
	struct view *v = touch(r, key, false, &fresh);
	if (!fresh && !v->present)
		return bad_view(r, v, "appends to a row that it had found absent, or deleted");
	v->present = true;
	view_add(v, id);
	return true;
}

static bool do_exists(struct replay *r, uint32_t key)
{
	bool fresh;
	struct view *v = touch(r, key, false, &fresh);
	if (!fresh && !v->present)
		return bad_view(r, v, "is told that a row exists that it had found absent, or deleted");
	v->present = true;
	return true;
}

static bool do_delete(struct replay *r, uint32_t key)
{
	bool fresh;
	struct view *v = touch(r, key, false, &fresh);
	struct access *a = &r->c->accesses[v->access];
	if (fresh || (v->present && !v->base_known))
		return report_access(
		        r->c, ANOMALY_MALFORMED, r->txn, key, "a delete of a row that was not read before");
	if (!v->present)
		return bad_view(r, v, "deletes a row that it had found absent, or deleted");
	/* A life of its own that it removes again was never there for others. */
	if (!a->created)
		a->deleted = true;
	a->created = false;
	v->present = false;
	v->count = v->found_count = 0;
	return true;
}

static bool do_scan(struct replay *r, const struct history_op *scan)
{
	struct checker *c = r->c;
	const struct history_op *rows = scan + 1;
	uint32_t at = key_from(c, scan->table, scan->key);
	/* The rows in ascending order against all keys of the range. */
	for (uint32_t i = 0; i < scan->row_count; i++) {
		const struct history_op *row = scan->reverse ? &rows[scan->row_count - 1 - i] : &rows[i];
		uint32_t key = key_from(c, row->table, row->key);
		if (row->key < scan->key || row->key >= scan->hi || key < at)
			return report_access(c, ANOMALY_SCAN_ORDER, r->txn, key,
			        "a %s scan of [%llu, %llu) of table %u", scan->reverse ? "reverse" : "forward",
			        (unsigned long long)scan->key, (unsigned long long)scan->hi, scan->table);
		for (; at < key; at++) {
			if (!see_absent(r, at, true))
				return false;
		}
		if (!see_list(r, at++, c->h->ids + row->first_id, row->id_count, true))
			return false;
	}
	for (; at < c->key_count && c->keys[at].table == scan->table && c->keys[at].key < scan->hi; at++) {
		if (!see_absent(r, at, true))
			return false;
	}
	return true;
}

static bool do_op(struct replay *r, const struct history_op *op)
{
	const uint64_t *ids = r->c->h->ids + op->first_id;
	uint32_t key = op->kind == HISTORY_SCAN ? 0 : key_from(r->c, op->table, op->key);
	switch (op->kind) {
	case HISTORY_READ: return see_list(r, key, ids, op->id_count, false);
	case HISTORY_ABSENT: return see_absent(r, key, false);
	case HISTORY_APPEND: return do_append(r, key, ids[0]);
	case HISTORY_INSERT: return do_insert(r, key, ids[0]);
	case HISTORY_EXISTS: return do_exists(r, key);
	case HISTORY_DELETE: return do_delete(r, key);
	case HISTORY_SCAN: return do_scan(r, op);
	case HISTORY_ROW: return true;
	}
	return true;
}

/* Keeps what the transaction left at a key. */
static void settle_view(struct replay *r, const struct view *v)
{
	struct checker *c = r->c;
	struct access *a = &c->accesses[v->access];
	if (!v->present)
		return;
	a->own = c->own_count;
	for (size_t i = v->found_count; i < v->count; i++) {
		c->own_ids = history_grow(c->own_ids, &c->own_cap, c->own_count + 1, sizeof(*c->own_ids));
		c->own_ids[c->own_count++] = v->list[i];
		a->own_count++;
		lives_writer(c, v->list[i])->visible = true;
	}
}

static bool replay_all(struct checker *c)
{
	struct replay r = {
	        .c = c,
	        .stamp = calloc(c->key_count + 1, sizeof(uint32_t)),
	        .slot = calloc(c->key_count + 1, sizeof(uint32_t)),
	};
	bool good = r.stamp != NULL && r.slot != NULL;
	assert(good);
	for (size_t t = 0; good && t < c->h->txn_count; t++) {
		const struct history_txn *txn = &c->h->txns[t];
		if (!c->happened[t])
			continue;
		r.txn = (uint32_t)t;
		r.view_count = 0;
		for (size_t i = 0; good && i < txn->op_count; i++)
			good = do_op(&r, &c->h->ops[txn->first_op + i]);
		for (size_t i = 0; good && i < r.view_count; i++)
			settle_view(&r, &r.views[i]);
	}
	for (size_t i = 0; i < r.view_cap; i++)
		free(r.views[i].list);
	free(r.views);
	free(r.stamp);
	free(r.slot);
	return good;
}

/* ---- Lives --------------------------------------------------------------------------------------------------------- */

static int life_compare(const void *a, const void *b)
{
	const struct life *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void collect_lives(struct checker *c)
{
	for (size_t i = 0; i < c->access_count; i++) {
		const struct access *a = &c->accesses[i];
		if (!a->created || a->own_count == 0)
			continue;
		c->lives = history_grow(c->lives, &c->life_cap, c->life_count + 1, sizeof(*c->lives));
		c->lives[c->life_count++] =
		        (struct life){.id = c->own_ids[a->own], .key = a->key, .inserter = a->txn, .deleter = NO_TXN};
	}
	if (c->life_count > 0)
		qsort(c->lives, c->life_count, sizeof(*c->lives), life_compare);
	for (size_t i = 0; i < c->life_count; i++) {
		struct key *k = &c->keys[c->lives[i].key];
		if (k->life_count++ == 0)
			k->first_life = (uint32_t)i;
	}
}

/* The life of `key` that begins with `id`. */
static uint32_t find_life(const struct checker *c, uint32_t key, uint64_t id)
{
	struct life wanted = {.key = key, .id = id};
	const struct life *l =
	        c->life_count == 0 ? NULL : bsearch(&wanted, c->lives, c->life_count, sizeof(wanted), life_compare);
	return l != NULL ? (uint32_t)(l - c->lives) : NO_LIFE;
}

static bool check_ids(struct checker *c, const struct access *a)
{
	for (uint32_t i = 0; i < a->list_count; i++) {
		unsigned long long id = (unsigned long long)a->list[i];
		const struct writer *w = lives_writer(c, a->list[i]);
		if (w == NULL || w->key != a->key)
			return report_access(c, ANOMALY_GARBAGE, a->txn, a->key, "read id %llu", id);
		if (!c->happened[w->txn])
			return report_access(c, ANOMALY_G1A, a->txn, a->key,
			        "read id %llu, which T%u wrote, and aborted", id, w->txn);
		if (!w->visible)
			return report_access(c, ANOMALY_G1B, a->txn, a->key,
			        "read id %llu, which T%u wrote and removed again itself", id, w->txn);
		for (uint32_t j = 0; j < i; j++) {
			if (a->list[j] == a->list[i]) {
				report_access(c, ANOMALY_DUPLICATE, a->txn, a->key, "read id %llu twice", id);
				report_list(c, "list", a->list, a->list_count);
				return false;
			}
		}
	}
	return true;
}

static void take_version(struct life *l, const uint64_t *ids, uint32_t count, uint32_t at)
{
	size_t cap = l->version_cap;
	l->versions = history_grow(l->versions, &cap, at + (size_t)count, sizeof(*l->versions));
	l->version_cap = (uint32_t)cap;
	memcpy(l->versions + at, ids, count * sizeof(*ids));
	l->version_count = at + count;
}

/* Two lists of one life that differ at `at`. */
static bool report_fork(struct checker *c, const struct access *a, const struct life *l, const uint64_t *ids,
        uint32_t count, uint32_t at)
{
	const struct writer *x = lives_writer(c, l->versions[at]), *y = lives_writer(c, ids[at]);
	bool lost = at > 0 && x->txn != y->txn && a->txn == y->txn && a->list_count == at;
	report_access(c, lost ? ANOMALY_LOST_UPDATE : ANOMALY_INCOMPATIBLE, a->txn, a->key,
	        "id %llu of T%u stands where id %llu of T%u stands in another list of the row",
	        (unsigned long long)ids[at], y->txn, (unsigned long long)l->versions[at], x->txn);
	report_list(c, "one list", ids, count);
	report_list(c, "the other", l->versions, l->version_count);
	return false;
}

/* Brings one list of a life together with the longest so far: one must be the prefix of the other. */
static bool merge_list(struct checker *c, const struct access *a, struct life *l)
{
	uint32_t own = a->created ? 0 : a->own_count;
	uint32_t count = a->list_count + own;
	uint64_t *ids = malloc((count + 1) * sizeof(*ids));
	bool good = true;
	assert(ids != NULL);
	memcpy(ids, a->list, a->list_count * sizeof(*ids));
	if (own > 0)
		memcpy(ids + a->list_count, c->own_ids + a->own, own * sizeof(*ids));
	for (uint32_t i = 0; good && i < count && i < l->version_count; i++) {
		if (ids[i] != l->versions[i])
			good = report_fork(c, a, l, ids, count, i);
	}
	if (good && count > l->version_count)
		take_version(l, ids, count, 0);
	free(ids);
	return good;
}

static bool settle_delete(struct checker *c, const struct access *a, struct life *l)
{
	if (l->deleter != NO_TXN && l->deleter != a->txn) {
		report_access(c, ANOMALY_DELETED_TWICE, a->txn, a->key, "deletes what T%u deletes", l->deleter);
		report_list(c, "the row", l->versions, l->version_count);
		return false;
	}
	l->deleter = a->txn;
	return true;
}

/* Lives that a transaction of unknown outcome, not known to have happened, may have ended. */
static void settle_maybe_deleted(struct checker *c)
{
	for (size_t t = 0; t < c->h->txn_count; t++) {
		const struct history_txn *txn = &c->h->txns[t];
		for (size_t i = 0; !c->happened[t] && txn->outcome == HISTORY_UNKNOWN && i < txn->op_count; i++) {
			const struct history_op *op = &c->h->ops[txn->first_op + i];
			if (op->kind != HISTORY_DELETE)
				continue;
			const struct key *k = &c->keys[key_from(c, op->table, op->key)];
			for (uint32_t j = 0; j < k->life_count; j++)
				c->lives[k->first_life + j].maybe_deleted = true;
		}
	}
}

static bool fill_lives(struct checker *c)
{
	for (size_t i = 0; i < c->access_count; i++) {
		struct access *a = &c->accesses[i];
		if (!a->created || a->own_count == 0)
			continue;
		take_version(&c->lives[find_life(c, a->key, c->own_ids[a->own])], c->own_ids + a->own, a->own_count, 0);
	}
	for (size_t i = 0; i < c->access_count; i++) {
		struct access *a = &c->accesses[i];
		if (a->found != FOUND_LIST)
			continue;
		if (!check_ids(c, a))
			return false;
		a->life = find_life(c, a->key, a->list[0]);
		if (a->life == NO_LIFE) {
			report_access(
			        c, ANOMALY_INCOMPATIBLE, a->txn, a->key, "read a list that begins with no insert");
			report_list(c, "list", a->list, a->list_count);
			return false;
		}
		if (!merge_list(c, a, &c->lives[a->life]))
			return false;
		if (a->deleted && !settle_delete(c, a, &c->lives[a->life]))
			return false;
	}
	return true;
}

/* A read between two writes of one transaction to the row. */
static bool check_intermediate(struct checker *c)
{
	for (size_t i = 0; i < c->access_count; i++) {
		const struct access *a = &c->accesses[i];
		if (a->found != FOUND_LIST)
			continue;
		const struct life *l = &c->lives[a->life];
		if (a->list_count >= l->version_count)
			continue;
		const struct writer *w = lives_writer(c, l->versions[a->list_count]);
		if (w->txn != a->txn && w->txn == lives_writer(c, a->list[a->list_count - 1])->txn)
			return report_access(c, ANOMALY_G1B, a->txn, a->key,
			        "read id %llu of T%u without id %llu, which it appended after it",
			        (unsigned long long)a->list[a->list_count - 1], w->txn, (unsigned long long)w->id);
	}
	return true;
}

bool lives_build(struct checker *c)
{
	c->happened = calloc(c->h->txn_count + 1, sizeof(*c->happened));
	assert(c->happened != NULL && c->h->txn_count < NO_TXN);
	collect_keys(c);
	if (!collect_writers(c))
		return false;
	settle_unknown(c);
	if (!replay_all(c))
		return false;
	collect_lives(c);
	if (!fill_lives(c))
		return false;
	settle_maybe_deleted(c);
	return check_intermediate(c);
}

void lives_free(struct checker *c)
{
	for (size_t i = 0; i < c->life_count; i++)
		free(c->lives[i].versions);
	free(c->lives);
	free(c->happened);
	free(c->writers);
	free(c->keys);
	free(c->accesses);
	free(c->own_ids);
}
