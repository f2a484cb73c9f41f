/* checker.c: from versions to dependencies, and to cycles. The rules are in README.md. */
#include "checker.h"

#include "lives.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- Dependencies that the lists give ------------------------------------------------------------------------------ */

static void add_edge(struct checker *c, unsigned kind, uint32_t from, uint32_t to, const struct access *a, uint64_t id)
{
	graph_add(&c->graph, (struct edge){.from = from,
	                             .to = to,
	                             .kind = (uint8_t)kind,
	                             .key = a->key,
	                             .id = id,
	                             .scan = kind != EDGE_WW && a->scan});
}

/* Who wrote the version that is `count` ids long: one that is deleted is the end of the life. */
static void add_versions(struct checker *c, const struct life *l)
{
	struct access at = {.key = l->key};
	for (uint32_t i = 1; i < l->version_count; i++)
		add_edge(c, EDGE_WW, lives_writer(c, l->versions[i - 1])->txn, lives_writer(c, l->versions[i])->txn,
		        &at, l->versions[i - 1]);
	if (l->deleter == NO_TXN)
		return;
	uint64_t last = l->versions[l->version_count - 1];
	graph_add(&c->graph, (struct edge){.from = lives_writer(c, last)->txn,
	                             .to = l->deleter,
	                             .kind = EDGE_WW,
	                             .key = l->key,
	                             .id = last,
	                             .absence = true});
}

static void add_read(struct checker *c, const struct access *a)
{
	const struct life *l = &c->lives[a->life];
	uint64_t last = a->list[a->list_count - 1];
	add_edge(c, EDGE_WR, lives_writer(c, last)->txn, a->txn, a, last);
	if (a->list_count < l->version_count) {
		uint64_t next = l->versions[a->list_count];
		uint32_t writer = lives_writer(c, next)->txn;
		/* Its own append may stand next, and that of somebody else after it; the ww edges say the rest. */
		add_edge(c, EDGE_RW, a->txn, writer, a, next);
	} else if (l->deleter != NO_TXN) {
		add_edge(c, EDGE_RW, a->txn, l->deleter, a, last);
	}
}

/* ---- Order of sessions and of real time --------------------------------------------------------------------------- */

struct moment {
	uint64_t ns, session;
	uint32_t txn;
};

static int moment_compare(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;
	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->txn < y->txn ? -1 : x->txn > y->txn;
}

static int session_compare(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;
	if (x->session != y->session)
		return x->session < y->session ? -1 : 1;
	return moment_compare(a, b);
}

static struct moment *moments(const struct checker *c, bool ends, size_t *count)
{
	struct moment *m = malloc((c->h->txn_count + 1) * sizeof(*m));
	assert(m != NULL);
	*count = 0;
	for (size_t t = 0; t < c->h->txn_count; t++) {
		const struct history_txn *txn = &c->h->txns[t];
		/* When one of unknown outcome took effect is unknown too: before what follows it need not be. */
		if (!c->happened[t] || (ends && txn->outcome != HISTORY_COMMITTED))
			continue;
		m[(*count)++] = (struct moment){ends ? txn->end : txn->begin, txn->session, (uint32_t)t};
	}
	return m;
}

static void add_sessions(struct checker *c)
{
	size_t count;
	struct moment *m = moments(c, true, &count);
	if (count > 0)
		qsort(m, count, sizeof(*m), session_compare);
	for (size_t i = 1; i < count; i++) {
		if (m[i].session == m[i - 1].session)
			graph_add(&c->graph, (struct edge){.from = m[i - 1].txn, .to = m[i].txn, .kind = EDGE_SESSION});
	}
	free(m);
}

/* Instead of an edge for each pair of transactions, a line of nodes: one for each end, each leading to the next. A
 * transaction leads to the node of its end; a node leads to those that began after it and before the next. */
static void add_times(struct checker *c)
{
	size_t end_count, begin_count, e = 0;
	struct moment *ends = moments(c, true, &end_count), *begins = moments(c, false, &begin_count);
	uint32_t line = (uint32_t)c->h->txn_count;
	if (end_count > 0)
		qsort(ends, end_count, sizeof(*ends), moment_compare);
	if (begin_count > 0)
		qsort(begins, begin_count, sizeof(*begins), moment_compare);
	for (uint32_t i = 0; i < end_count; i++) {
		graph_add(&c->graph, (struct edge){.from = ends[i].txn, .to = line + i, .kind = EDGE_TIME});
		if (i > 0)
			graph_add(&c->graph, (struct edge){.from = line + i - 1, .to = line + i, .kind = EDGE_TIME});
	}
	for (size_t i = 0; i < begin_count; i++) {
		while (e < end_count && ends[e].ns < begins[i].ns)
			e++;
		if (e > 0)
			graph_add(&c->graph,
			        (struct edge){.from = line + (uint32_t)e - 1, .to = begins[i].txn, .kind = EDGE_TIME});
	}
	free(ends);
	free(begins);
}

/* ---- Cycles -------------------------------------------------------------------------------------------------------- */

#define CYCLE_TRIES 200

/* The shortest cycle among those through one of the first CYCLE_TRIES edges of kind `through`. Its other edges are in
 * `rest`. Returns the number of edges, and the edges in `best`; 0 when there is none. */
static size_t cycle_through(
        const struct graph *g, const uint32_t *component, unsigned through, unsigned rest, size_t *best, size_t *path)
{
	size_t best_count = 0, tries = 0;
	for (size_t i = 0; i < g->edge_count && tries < CYCLE_TRIES; i++) {
		const struct edge *e = &g->edges[i];
		if (!(e->kind & through) || component[e->from] != component[e->to])
			continue;
		tries++;
		size_t count = graph_path(g, rest, component, e->to, e->from, path);
		if (count == 0 || (best_count != 0 && count + 1 >= best_count))
			continue;
		best[0] = i;
		memcpy(best + 1, path, count * sizeof(*path));
		best_count = count + 1;
	}
	return best_count;
}

/* Classes in the order in which they are looked for: the fewest kinds of edges first. */
static const struct {
	unsigned mask, through, rest;
	enum anomaly anomaly;
} classes[] = {
        {EDGE_WW, EDGE_WW, EDGE_WW, ANOMALY_G0},
        {EDGE_WW | EDGE_WR, EDGE_WR, EDGE_WW | EDGE_WR, ANOMALY_G1C},
        {EDGE_WW | EDGE_WR | EDGE_RW, EDGE_RW, EDGE_WW | EDGE_WR, ANOMALY_G_SINGLE},
        {EDGE_WW | EDGE_WR | EDGE_RW, EDGE_RW, EDGE_WW | EDGE_WR | EDGE_RW, ANOMALY_G2_ITEM},
        {EDGE_ALL, EDGE_ORDER, EDGE_ALL, ANOMALY_ORDER},
};

/* Reports a cycle, if there is one. Else component[] numbers the whole graph in topological order. */
static bool check_cycles(struct checker *c, uint32_t *component)
{
	struct graph *g = &c->graph;
	graph_index(g);
	if (graph_components(g, EDGE_ALL, component) == g->node_count)
		return true;
	size_t *best = malloc((g->node_count + (size_t)1) * sizeof(*best));
	size_t *path = malloc((g->node_count + (size_t)1) * sizeof(*path));
	assert(best != NULL && path != NULL);
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		if (graph_components(g, classes[i].mask, component) == g->node_count)
			continue;
		size_t count = cycle_through(g, component, classes[i].through, classes[i].rest, best, path);
		if (count == 0)
			continue;
		enum anomaly a = classes[i].anomaly;
		for (size_t j = 0; j < count && a == ANOMALY_G2_ITEM; j++) {
			if (g->edges[best[j]].kind == EDGE_RW && g->edges[best[j]].scan)
				a = ANOMALY_G2;
		}
		report_cycle(c, a, best, count, (uint32_t)c->h->txn_count);
		break;
	}
	assert(c->result->anomaly != ANOMALY_NONE);
	free(best);
	free(path);
	return false;
}

/* ---- Absence -------------------------------------------------------------------------------------------------------- */

/* `access` found a key absent of which `life` is a life: it stands before its insert or after its delete. */
struct absence {
	uint32_t life;
	uint32_t access;
	bool decided;
};

static int absence_compare(const void *a, const void *b)
{
	const struct absence *x = a, *y = b;
	if (x->life != y->life)
		return x->life < y->life ? -1 : 1;
	return x->access < y->access ? -1 : x->access > y->access;
}

static struct absence *collect_absences(const struct checker *c, size_t *count)
{
	struct absence *absences = NULL;
	size_t cap = 0;
	*count = 0;
	for (size_t i = 0; i < c->access_count; i++) {
		const struct access *a = &c->accesses[i];
		const struct key *k = &c->keys[a->key];
		for (uint32_t j = 0; a->found == FOUND_ABSENT && j < k->life_count; j++) {
			const struct life *l = &c->lives[k->first_life + j];
			/* Its own insert comes after what it found. */
			if (l->inserter == a->txn || (l->maybe_deleted && l->deleter == NO_TXN))
				continue;
			absences = history_grow(absences, &cap, *count + 1, sizeof(*absences));
			absences[(*count)++] = (struct absence){.life = k->first_life + j, .access = (uint32_t)i};
		}
	}
	if (*count > 0)
		qsort(absences, *count, sizeof(*absences), absence_compare);
	return absences;
}

static bool bit(const struct graph_bits *bits, size_t t)
{
	return bits->w[t / 64] >> (t % 64) & 1;
}

/* The bits of one life's inserter and deleter stand at `at` and at + 1. Returns whether it added an edge. */
static bool decide(struct checker *c, struct absence *absence, const struct graph_bits *reaches,
        const struct graph_bits *reached_by, size_t at)
{
	const struct access *a = &c->accesses[absence->access];
	const struct life *l = &c->lives[absence->life];
	bool deleted = l->deleter != NO_TXN;
	struct edge e = {.key = a->key, .id = l->id, .absence = true, .scan = a->scan};
	/* What the graph says already needs no edge. */
	absence->decided = bit(&reaches[a->txn], at) || (deleted && bit(&reached_by[a->txn], at + 1));
	if (absence->decided)
		return false;
	if (!deleted || bit(&reaches[a->txn], at + 1)) {
		e.from = a->txn;
		e.to = l->inserter;
		e.kind = EDGE_RW;
	} else if (bit(&reached_by[a->txn], at)) {
		e.from = l->deleter;
		e.to = a->txn;
		e.kind = EDGE_WR;
	} else {
		return false;
	}
	graph_add(&c->graph, e);
	absence->decided = true;
	return true;
}

/* One pass over all that is undecided, against the graph as it was at its begin. Returns whether it added an edge. */
static bool infer(struct checker *c, struct absence *absences, size_t count, const uint32_t *component)
{
	struct graph *g = &c->graph;
	uint32_t *order = malloc((g->node_count + (size_t)1) * sizeof(*order));
	struct graph_bits *reaches = malloc((g->node_count + (size_t)1) * sizeof(*reaches));
	struct graph_bits *reached_by = malloc((g->node_count + (size_t)1) * sizeof(*reached_by));
	uint32_t targets[GRAPH_TARGETS];
	size_t edges = g->edge_count, i = 0;
	assert(order != NULL && reaches != NULL && reached_by != NULL);
	for (uint32_t n = 0; n < g->node_count; n++)
		order[g->node_count - 1 - component[n]] = n;
	struct graph frozen = *g;
	while (i < count) {
		size_t first = i, target_count = 0;
		for (uint32_t life = NO_LIFE; i < count; i++) {
			if (absences[i].decided || absences[i].life == life)
				continue;
			if (target_count == GRAPH_TARGETS)
				break;
			life = absences[i].life;
			const struct life *l = &c->lives[life];
			targets[target_count++] = l->inserter;
			targets[target_count++] = l->deleter != NO_TXN ? l->deleter : l->inserter;
		}
		if (target_count == 0)
			break;
		frozen.edges = g->edges; /* they may have moved; the first ones are the same */
		graph_reach(&frozen, order, targets, target_count, reaches, reached_by);
		size_t at = 0;
		uint32_t life = NO_LIFE;
		for (size_t j = first; j < i; j++) {
			if (absences[j].decided)
				continue;
			if (life != NO_LIFE && absences[j].life != life)
				at += 2;
			life = absences[j].life;
			decide(c, &absences[j], reaches, reached_by, at);
		}
	}
	free(order);
	free(reaches);
	free(reached_by);
	return g->edge_count > edges;
}

static bool check_absences(struct checker *c, uint32_t *component)
{
	size_t count;
	struct absence *absences = collect_absences(c, &count);
	bool good = check_cycles(c, component);
	while (good && infer(c, absences, count, component))
		good = check_cycles(c, component);
	c->result->absences = count;
	for (size_t i = 0; i < count; i++)
		c->result->undecided += !absences[i].decided;
	free(absences);
	return good;
}

/* ---- All of it ------------------------------------------------------------------------------------------------------ */

/* Two lives of a key that nobody ended cannot both be the last. */
static bool check_ends(struct checker *c)
{
	for (size_t i = 0; i < c->key_count; i++) {
		const struct key *k = &c->keys[i];
		const struct life *open = NULL;
		for (uint32_t j = 0; j < k->life_count; j++) {
			const struct life *l = &c->lives[k->first_life + j];
			if (l->deleter != NO_TXN || l->maybe_deleted)
				continue;
			if (open != NULL)
				return report_access(c, ANOMALY_LOST_UPDATE, l->inserter, (uint32_t)i,
				        "inserted life %llu, but life %llu of T%u was not deleted either",
				        (unsigned long long)l->id, (unsigned long long)open->id, open->inserter);
			open = l;
		}
	}
	return true;
}

void checker_run(const struct history *h, enum checker_order order, struct checker_result *result)
{
	struct checker c = {.h = h, .result = result};
	memset(result, 0, sizeof(*result));
	if (lives_build(&c) && check_ends(&c)) {
		uint32_t nodes = (uint32_t)h->txn_count * (order == CHECKER_ORDER_REALTIME ? 2 : 1);
		uint32_t *component = calloc((size_t)nodes + 1, sizeof(*component));
		assert(component != NULL);
		graph_init(&c.graph, nodes);
		for (size_t i = 0; i < c.life_count; i++)
			add_versions(&c, &c.lives[i]);
		for (size_t i = 0; i < c.access_count; i++) {
			if (c.accesses[i].found == FOUND_LIST)
				add_read(&c, &c.accesses[i]);
		}
		if (order != CHECKER_ORDER_NONE)
			add_sessions(&c);
		if (order == CHECKER_ORDER_REALTIME)
			add_times(&c);
		check_absences(&c, component);
		free(component);
	}
	for (size_t t = 0; t < h->txn_count; t++)
		result->committed += c.happened[t];
	result->lives = c.life_count;
	result->edges = c.graph.edge_count;
	graph_free(&c.graph);
	lives_free(&c);
}
