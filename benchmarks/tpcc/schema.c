/* schema.c: TPC-C's tables, and which host has which warehouse. */
#include "tpcc.h"

static const char *const table_names[TPCC_TABLE_COUNT] = {
        [TPCC_T_WAREHOUSE] = "tpcc_warehouse",
        [TPCC_T_DISTRICT] = "tpcc_district",
        [TPCC_T_CUSTOMER] = "tpcc_customer",
        [TPCC_T_CUSTOMER_DATA] = "tpcc_customer_data",
        [TPCC_T_CUSTOMER_NAME] = "tpcc_customer_name",
        [TPCC_T_HISTORY] = "tpcc_history",
        [TPCC_T_ORDER] = "tpcc_order",
        [TPCC_T_ORDER_CUSTOMER] = "tpcc_order_customer",
        [TPCC_T_NEW_ORDER] = "tpcc_new_order",
        [TPCC_T_ORDER_LINE] = "tpcc_order_line",
        [TPCC_T_STOCK] = "tpcc_stock",
        [TPCC_T_ITEM] = "tpcc_item",
        [TPCC_T_CHECK] = "tpcc_check",
};

const char *tpcc_table_name(enum tpcc_table_id id)
{
	return table_names[id];
}

/* Contiguous, and as even as can be; a host's warehouses are those of its workers, so contiguous too. */
uint32_t tpcc_first_home(const struct tpcc *t, uint32_t global_index)
{
	return 1 + (uint32_t)((uint64_t)t->warehouses * global_index / t->worker_count);
}

int tpcc_place(struct bench *bench, struct lg_error *err)
{
	const struct tpcc *t = bench->workload;

	for (uint32_t host = 0; host < bench->host_count; host++) {
		uint32_t first = tpcc_first_home(t, host * bench->workers_per_host);
		uint32_t end = tpcc_first_home(t, (host + 1) * bench->workers_per_host);
		for (uint32_t w = first; w < end; w++) {
			int rc = lg_partition_place(bench->host, w - 1, host, err);
			if (rc != LG_OK)
				return rc;
		}
	}
	return LG_OK;
}

int tpcc_tables(struct bench *bench, struct lg_error *err)
{
	struct tpcc *t = bench->workload;
	uint64_t splits[LG_MAX_PARTITIONS];
	int rc = LG_OK;

	for (uint32_t i = 0; i + 1 < t->warehouses; i++)
		splits[i] = (uint64_t)(i + 2) << 32; /* the first 8 bytes of the least key of warehouse i + 2 */
	for (uint32_t id = 0; id < TPCC_TABLE_COUNT && rc == LG_OK; id++) {
		struct lg_table_def def = {.name = table_names[id], .by = LG_REPLICATED};
		if (id != TPCC_T_ITEM) {
			def.by = LG_RANGE;
			def.partitions = t->warehouses;
			def.splits = splits;
		}
		rc = lg_table_create(bench->host, &def, &t->table[id], err);
	}
	return rc;
}
