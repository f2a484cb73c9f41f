/* map.c: a run whose transactions all came one after the other, against a map of lists in plain memory. Knows no graph: what
 * the checker would have to derive stands in the map. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"

enum { MAP_ROWS = 64, MAP_IDS = 64 };

struct map_row {
	uint32_t count; /* 0: no such row */
	uint64_t ids[MAP_IDS];
};

struct map {
	struct map_row rows[LOAD_LISTS][MAP_ROWS];
	const struct history *h;
};

static bool same(const struct map *map, const struct history_op *op, const struct map_row *row)
{
	return row->count == op->id_count &&
	       (row->count == 0 || memcmp(row->ids, map->h->ids + op->first_id, row->count * sizeof *row->ids) == 0);
}

static bool same_scan(struct map *map, const struct history_op *scan)
{
	const struct history_op *row = scan + 1;
	for (uint64_t n = 0; n < scan->hi - scan->key; n++) {
		uint64_t key = scan->reverse ? scan->hi - 1 - n : scan->key + n;
		const struct map_row *there = &map->rows[scan->table][key];
		if (there->count == 0)
			continue;
		if (row > scan + scan->row_count || row->key != key || !same(map, row, there))
			return false;
		row++;
	}
	return row == scan + 1 + scan->row_count;
}

/* False: this is not what the map says. */
static bool apply(struct map *map, const struct history_op *op)
{
	struct map_row *row = &map->rows[op->table][op->key];
	switch (op->kind) {
	case HISTORY_READ: return same(map, op, row);
	case HISTORY_ABSENT: return row->count == 0;
	case HISTORY_EXISTS: return row->count > 0;
	case HISTORY_SCAN: return same_scan(map, op);
	case HISTORY_ROW: return true; /* the scan's business */
	case HISTORY_DELETE:
		if (row->count == 0)
			return false;
		row->count = 0;
		return true;
	case HISTORY_INSERT:
		if (row->count > 0)
			return false;
		break;
	case HISTORY_APPEND:
		if (row->count == 0 || row->count == MAP_IDS)
			return false;
		break;
	}
	row->ids[row->count++] = map->h->ids[op->first_id];
	return true;
}

void judge_map(const struct load *load, struct sim_result *result)
{
	const struct history *h = &load->history;
	struct map *map = calloc(1, sizeof *map);
	if (!map) {
		perror("liger sim: a map");
		exit(1);
	}
	map->h = h;
	/* Without overlap the order of the record is the order of time. */
	uint64_t end = 0;
	for (size_t t = 0; t < h->txn_count; t++) {
		const struct history_txn *txn = &h->txns[t];
		if (txn->begin + 1 < end || txn->outcome == HISTORY_UNKNOWN)
			goto out;
		end = txn->end;
	}
	for (size_t t = 0; t < h->txn_count; t++) {
		const struct history_txn *txn = &h->txns[t];
		for (size_t i = 0; i < txn->op_count && txn->outcome == HISTORY_COMMITTED; i++) {
			const struct history_op *op = &h->ops[txn->first_op + i];
			if (apply(map, op))
				continue;
			sim_fail(result, "map",
			        "session %" PRIu64 ", attempt %u: operation %zu on row %u:%" PRIu64
			        " contradicts a plain map",
			        txn->session, txn->line, i, op->table, op->key);
			goto out;
		}
	}
out:
	free(map);
}
