/* load.c: adding committed rows outside any transaction, to this host's own partitions and copies. */
#include "recovery/stream.h"
#include "txn/txn.h"

static int load_row(
        struct lg_worker *w, struct lg_table *table, uint32_t partition, struct lg_slice key, struct lg_slice val)
{
	/* Above any that a removed row of this key had. */
	uint64_t version = host_placeholder_version(w->host, epoch_load(&w->port)) + 1;
	epoch_reach(&w->port, version_epoch(version));
	struct sealing_load load = {0};
	if (w->host->stream) {
		const struct redo_change change = {
		        .table = table->def.id, .partition = partition, .key = key, .val = val};
		int code = seal_load(w, &change, version, &load);
		if (code != LG_OK)
			return code;
	}
	/* Locked until it is sealed: nobody changes what no log has. */
	uint64_t locked = load.record ? WORD_LOCK | word_holder_bits(w->host_id) : 0;
	struct row *row = row_create(&w->local, table->def.id, partition, key, (uint32_t)val.bytes, version | locked);
	if (!row)
		return LG_NOSPACE;
	if (val.bytes)
		memcpy(row_inline_val(row), val.data, val.bytes);
	atomic_store_explicit(&row->val_bytes, (uint32_t)val.bytes, memory_order_relaxed); /* published by the tree */
	struct row *existing;
	struct leaf_change change;
	int code = btree_insert(table_tree(table, partition), &w->local, &w->port, row, &existing, &change);
	if (code != LG_OK) {
		row_free(&w->local, row);
		return code;
	}
	if (load.record) {
		seal_loaded(w, &load);
		word_install(&w->port, word_ref_local(&row->word), version, 0);
	}
	w->ticket = version_epoch(version);
	return LG_OK;
}

int lg_load(struct lg_worker *worker, struct lg_table *table, struct lg_slice key, struct lg_slice val)
{
	if (host_forked(worker->host))
		return LG_FORKED;
	if (worker->txn->state != TXN_ENDED || table->host != worker->host)
		return LG_INVALID;
	if (key.bytes - 1 >= LG_MAX_KEY_BYTES || val.bytes > LG_MAX_VALUE_BYTES)
		return LG_LIMIT;
	if (table->def.by == LG_REPLICATED && atomic_load_explicit(&table->sealed, memory_order_acquire))
		return LG_READONLY;
	uint32_t partition = table_partition_of(table, key);
	if (!table_tree(table, partition))
		return LG_INVALID;
	worker_poll(worker);
	worker_enter(worker);
	stream_sealing(worker);
	full_fence(); /* [commit.sealing] */
	int code = load_row(worker, table, partition, key, val);
	stream_sealed(worker);
	worker_leave(worker);
	return code;
}
