/* graph.h: directed graphs with labelled edges: strongly connected components, shortest cycles, reachability. */
#ifndef LIGER_TESTS_CHECKER_GRAPH_H
#define LIGER_TESTS_CHECKER_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum edge_kind {
	EDGE_WW = 1,
	EDGE_WR = 2,
	EDGE_RW = 4,
	EDGE_SESSION = 8,
	EDGE_TIME = 16,
};

#define EDGE_ORDER (EDGE_SESSION | EDGE_TIME)
#define EDGE_ALL   (EDGE_WW | EDGE_WR | EDGE_RW | EDGE_ORDER)

struct edge {
	uint32_t from, to;
	uint32_t key; /* number of the key in the checker; of no meaning to order edges */
	uint8_t kind; /* one enum edge_kind */
	bool absence; /* the key was found absent, or its life ends */
	bool scan;    /* found by a scan */
	uint64_t id;  /* whose version it is about */
};

struct graph {
	uint32_t node_count;
	struct edge *edges;
	size_t edge_count, edge_cap;
	size_t sorted_count; /* edges when graph_index() last ran */
	size_t *out_start;   /* node_count + 1: runs in out[] */
	size_t *out;         /* edge numbers by `from` */
};

void graph_init(struct graph *g, uint32_t node_count);
void graph_free(struct graph *g);

/* Adds an edge; one to itself is left out. */
void graph_add(struct graph *g, struct edge e);

/* Sorts the edges for the functions below. Call it after the last graph_add(). */
void graph_index(struct graph *g);

/* Numbers the components of the graph of the edges whose kind is in `mask`; component[] has node_count places. An edge
 * never leads to a component with a greater number, so descending numbers are a topological order.
 * Returns the number of components: node_count means that there is no cycle. */
uint32_t graph_components(const struct graph *g, unsigned mask, uint32_t *component);

/* A shortest path from `from` to `to` over edges in `mask` that stay within `to`'s component.
 * Writes edge numbers to path[], which has node_count places. Returns its length; 0 if there is none. */
size_t graph_path(
        const struct graph *g, unsigned mask, const uint32_t *component, uint32_t from, uint32_t to, size_t *path);

/* Which of `count` (at most GRAPH_TARGETS) nodes each node reaches, and by which it is reached, over one edge or more.
 * order[] are the nodes in topological order. Bit t of row n of `reaches`: n reaches targets[t]. */
#define GRAPH_TARGETS 512
struct graph_bits {
	uint64_t w[GRAPH_TARGETS / 64];
};
void graph_reach(const struct graph *g, const uint32_t *order, const uint32_t *targets, size_t count,
        struct graph_bits *reaches, struct graph_bits *reached_by);

#endif
