/* sets.c: what a transaction remembers: reads, writes, leaves. The arrays are kept from one transaction to the next. */
#include "txn/txn.h"

#include <stdlib.h>

static int grow(void **items, uint32_t *capacity, size_t item_bytes)
{
	uint32_t wanted = *capacity ? *capacity * 2 : 64;
	void *larger = realloc(*items, wanted * item_bytes);
	if (!larger)
		return LG_NOSPACE;
	*items = larger;
	*capacity = wanted;
	return LG_OK;
}

int txn_reads_grow(struct lg_txn *txn)
{
	void *items = txn->reads;
	int code = grow(&items, &txn->read_capacity, sizeof *txn->reads);
	txn->reads = items;
	return code;
}

static uint32_t index_slot(const struct lg_txn *txn, word_ref ref)
{
	return (uint32_t)((ref * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (txn->write_index_slots - 1);
}

static void index_add(struct lg_txn *txn, uint32_t entry)
{
	uint32_t slot = index_slot(txn, txn->writes[entry].ref);
	while (txn->write_index[slot])
		slot = (slot + 1) & (txn->write_index_slots - 1);
	txn->write_index[slot] = entry + 1;
}

/* Makes the index anew, at most a quarter full. */
static int index_build(struct lg_txn *txn)
{
	uint32_t slots = 4 * WRITES_LINEAR;
	while (slots < txn->write_count * 4)
		slots *= 2;
	if (slots > txn->write_index_room) {
		uint32_t *larger = realloc(txn->write_index, slots * sizeof *larger);
		if (!larger)
			return LG_NOSPACE;
		txn->write_index = larger;
		txn->write_index_room = slots;
	}
	txn->write_index_slots = slots;
	memset(txn->write_index, 0, slots * sizeof *txn->write_index);
	for (uint32_t i = 0; i < txn->write_count; i++)
		index_add(txn, i);
	return LG_OK;
}

struct write_entry *txn_add_write(struct lg_txn *txn, word_ref ref)
{
	if (txn->write_count == txn->write_capacity) {
		void *items = txn->writes;
		int code = grow(&items, &txn->write_capacity, sizeof *txn->writes);
		txn->writes = items;
		if (code != LG_OK)
			return NULL;
	}
	struct write_entry *entry = &txn->writes[txn->write_count++];
	*entry = (struct write_entry){.ref = ref};
	if (txn->write_count <= WRITES_LINEAR)
		return entry;
	if (txn->write_count > WRITES_LINEAR + 1 && txn->write_count * 2 <= txn->write_index_slots) {
		index_add(txn, txn->write_count - 1);
	} else if (index_build(txn) != LG_OK) {
		txn->write_count--;
		return NULL;
	}
	return entry;
}

void txn_drop_last_write(struct lg_txn *txn)
{
	uint32_t last = --txn->write_count;
	if (last < WRITES_LINEAR)
		return; /* no index, or one that is built anew when the set is that large again */
	/* It was added last: no other entry's probing has passed its slot. */
	uint32_t slot = index_slot(txn, txn->writes[last].ref);
	while (txn->write_index[slot] != last + 1)
		slot = (slot + 1) & (txn->write_index_slots - 1);
	txn->write_index[slot] = 0;
}

struct write_entry *txn_find_write(const struct lg_txn *txn, word_ref ref)
{
	if (txn->write_count <= WRITES_LINEAR) {
		for (uint32_t i = 0; i < txn->write_count; i++)
			if (txn->writes[i].ref == ref)
				return &txn->writes[i];
		return NULL;
	}
	for (uint32_t slot = index_slot(txn, ref); txn->write_index[slot];
	        slot = (slot + 1) & (txn->write_index_slots - 1)) {
		struct write_entry *entry = &txn->writes[txn->write_index[slot] - 1];
		if (entry->ref == ref)
			return entry;
	}
	return NULL;
}

int txn_add_leaf(struct lg_txn *txn, uint64_t leaf, uint64_t version)
{
	if (txn->leaf_count) {
		const struct leaf_entry *last = &txn->leaves[txn->leaf_count - 1];
		if (last->leaf == leaf && last->version == version)
			return LG_OK;
	}
	if (txn->leaf_count == txn->leaf_capacity) {
		void *items = txn->leaves;
		int code = grow(&items, &txn->leaf_capacity, sizeof *txn->leaves);
		txn->leaves = items;
		if (code != LG_OK)
			return code;
	}
	txn->leaves[txn->leaf_count++] = (struct leaf_entry){leaf, version};
	return LG_OK;
}

static int follow(struct lg_txn *txn, struct leaf_entry before, struct leaf_entry after, struct leaf_entry split)
{
	bool seen = false;
	for (uint32_t i = 0; i < txn->leaf_count; i++)
		if (txn->leaves[i].leaf == before.leaf && txn->leaves[i].version == before.version) {
			txn->leaves[i] = after;
			seen = true;
		}
	if (!seen || !split.leaf || txn_add_leaf(txn, split.leaf, split.version) == LG_OK)
		return LG_OK;
	/* Half of what it has seen is not watched any more: it must not commit. */
	txn->state = TXN_DOOMED;
	return txn->doom = LG_NOSPACE;
}

int txn_follow_change(struct lg_txn *txn, const struct leaf_change *change)
{
	if (!txn->leaf_count)
		return LG_OK;
	return follow(txn, (struct leaf_entry){(uintptr_t)change->before.leaf, change->before.version},
	        (struct leaf_entry){(uintptr_t)change->after.leaf, change->after.version},
	        (struct leaf_entry){(uintptr_t)change->split.leaf, change->split.version});
}

static struct leaf_entry entry_of_mark(const struct leaf_mark *mark)
{
	return (struct leaf_entry){mark->word ? word_ref_shared(mark->word) : 0, mark->version};
}

int txn_follow_marks(struct lg_txn *txn, const struct leaf_mark *before, const struct leaf_mark *after,
        const struct leaf_mark *split)
{
	if (!before->word || !after->word)
		return LG_OK;
	return follow(txn, entry_of_mark(before), entry_of_mark(after), entry_of_mark(split));
}

void txn_sets_free(struct lg_txn *txn)
{
	free(txn->reads);
	free(txn->writes);
	free(txn->leaves);
	free(txn->write_index);
}
