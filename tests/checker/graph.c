/* graph.c: Tarjan's components without recursion, breadth-first paths, and reachability by bit sets. */
#include "graph.h"

#include "history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);
	if (p == NULL) {
		fprintf(stderr, "checker: no memory for %zu elements of %zu bytes\n", count, size);
		exit(2);
	}
	return p;
}

void graph_init(struct graph *g, uint32_t node_count)
{
	memset(g, 0, sizeof(*g));
	g->node_count = node_count;
}

void graph_free(struct graph *g)
{
	free(g->edges);
	free(g->out_start);
	free(g->out);
	memset(g, 0, sizeof(*g));
}

void graph_add(struct graph *g, struct edge e)
{
	assert(e.from < g->node_count && e.to < g->node_count);
	if (e.from == e.to)
		return;
	g->edges = history_grow(g->edges, &g->edge_cap, g->edge_count + 1, sizeof(*g->edges));
	g->edges[g->edge_count++] = e;
}

void graph_index(struct graph *g)
{
	free(g->out_start);
	free(g->out);
	g->out_start = zeroed((size_t)g->node_count + 2, sizeof(*g->out_start));
	g->out = zeroed(g->edge_count, sizeof(*g->out));
	/* Counting sort by source; the counts stand one place late, so that filling moves them to where they belong. */
	for (size_t i = 0; i < g->edge_count; i++)
		g->out_start[g->edges[i].from + 2]++;
	for (size_t n = 1; n < (size_t)g->node_count + 2; n++)
		g->out_start[n] += g->out_start[n - 1];
	for (size_t i = 0; i < g->edge_count; i++)
		g->out[g->out_start[g->edges[i].from + 1]++] = i;
	g->sorted_count = g->edge_count;
}

struct tarjan {
	const struct graph *g;
	unsigned mask;
	uint32_t *component;
	uint32_t *index, *low; /* 0: not visited */
	uint32_t *stack, *call;
	size_t *next; /* of each node: place in out[] that comes next */
	uint32_t stack_count, call_count, visited, components;
};

static void tarjan_enter(struct tarjan *t, uint32_t n)
{
	t->index[n] = t->low[n] = ++t->visited;
	t->stack[t->stack_count++] = n;
	t->call[t->call_count++] = n;
	t->next[n] = t->g->out_start[n];
}

static void tarjan_leave(struct tarjan *t, uint32_t n)
{
	t->call_count--;
	if (t->call_count > 0) {
		uint32_t parent = t->call[t->call_count - 1];
		if (t->low[n] < t->low[parent])
			t->low[parent] = t->low[n];
	}
	if (t->low[n] != t->index[n])
		return;
	uint32_t m;
	do {
		m = t->stack[--t->stack_count];
		t->component[m] = t->components;
	} while (m != n);
	t->components++;
}

static void tarjan_visit(struct tarjan *t, uint32_t root)
{
	const struct graph *g = t->g;
	tarjan_enter(t, root);
	while (t->call_count > 0) {
		uint32_t n = t->call[t->call_count - 1];
		if (t->next[n] == g->out_start[n + 1]) {
			tarjan_leave(t, n);
			continue;
		}
		const struct edge *e = &g->edges[g->out[t->next[n]++]];
		if (!(e->kind & t->mask))
			continue;
		if (t->index[e->to] == 0)
			tarjan_enter(t, e->to);
		else if (t->component[e->to] == UINT32_MAX && t->index[e->to] < t->low[n])
			t->low[n] = t->index[e->to];
	}
}

uint32_t graph_components(const struct graph *g, unsigned mask, uint32_t *component)
{
	assert(g->sorted_count == g->edge_count && g->out_start != NULL);
	size_t nodes = g->node_count;
	struct tarjan t = {
	        .g = g,
	        .mask = mask,
	        .component = component,
	        .index = zeroed(nodes, sizeof(uint32_t)),
	        .low = zeroed(nodes, sizeof(uint32_t)),
	        .stack = zeroed(nodes, sizeof(uint32_t)),
	        .call = zeroed(nodes, sizeof(uint32_t)),
	        .next = zeroed(nodes, sizeof(size_t)),
	};
	for (size_t n = 0; n < nodes; n++)
		component[n] = UINT32_MAX;
	for (uint32_t n = 0; n < g->node_count; n++) {
		if (t.index[n] == 0)
			tarjan_visit(&t, n);
	}
	free(t.index);
	free(t.low);
	free(t.stack);
	free(t.call);
	free(t.next);
	return t.components;
}

size_t graph_path(
        const struct graph *g, unsigned mask, const uint32_t *component, uint32_t from, uint32_t to, size_t *path)
{
	assert(from != to);
	size_t *came = zeroed(g->node_count, sizeof(*came)); /* edge number + 1 */
	uint32_t *queue = zeroed(g->node_count, sizeof(*queue));
	size_t head = 0, tail = 0, length = 0;
	queue[tail++] = from;
	while (head < tail && came[to] == 0) {
		uint32_t n = queue[head++];
		for (size_t i = g->out_start[n]; i < g->out_start[n + 1]; i++) {
			const struct edge *e = &g->edges[g->out[i]];
			if (!(e->kind & mask) || component[e->to] != component[to] || e->to == from || came[e->to] != 0)
				continue;
			came[e->to] = g->out[i] + 1;
			queue[tail++] = e->to;
		}
	}
	for (uint32_t n = to; came[n] != 0; n = g->edges[came[n] - 1].from)
		path[length++] = came[n] - 1;
	for (size_t i = 0; i < length / 2; i++) {
		size_t swap = path[i];
		path[i] = path[length - 1 - i];
		path[length - 1 - i] = swap;
	}
	free(came);
	free(queue);
	return length;
}

static void merge(struct graph_bits *into, const struct graph_bits *from, const struct graph_bits *self)
{
	for (size_t w = 0; w < GRAPH_TARGETS / 64; w++)
		into->w[w] |= from->w[w] | self->w[w];
}

void graph_reach(const struct graph *g, const uint32_t *order, const uint32_t *targets, size_t count,
        struct graph_bits *reaches, struct graph_bits *reached_by)
{
	assert(count <= GRAPH_TARGETS && g->sorted_count == g->edge_count);
	struct graph_bits *self = zeroed(g->node_count, sizeof(*self));
	memset(reaches, 0, g->node_count * sizeof(*reaches));
	memset(reached_by, 0, g->node_count * sizeof(*reached_by));
	for (size_t t = 0; t < count; t++)
		self[targets[t]].w[t / 64] |= UINT64_C(1) << (t % 64);
	for (size_t i = g->node_count; i-- > 0;) {
		uint32_t n = order[i];
		for (size_t j = g->out_start[n]; j < g->out_start[n + 1]; j++) {
			uint32_t to = g->edges[g->out[j]].to;
			merge(&reaches[n], &reaches[to], &self[to]);
		}
	}
	for (size_t i = 0; i < g->node_count; i++) {
		uint32_t n = order[i];
		for (size_t j = g->out_start[n]; j < g->out_start[n + 1]; j++)
			merge(&reached_by[g->edges[g->out[j]].to], &reached_by[n], &self[n]);
	}
	free(self);
}
