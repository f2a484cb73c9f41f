/* catalog.c: reading, checking and adding table definitions. The protocol stands in catalog.h. */
#include "cxl/catalog.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cxl/region.h"

enum { CATALOG_LOCK_WAIT_MS = 1000 };

enum {
	LOCK_OFFSET = POD_CATALOG_ROOT_OFFSET + offsetof(struct pod_catalog_root, lock),
	TABLE_COUNT_OFFSET = POD_CATALOG_ROOT_OFFSET + offsetof(struct pod_catalog_root, table_count),
	SPLIT_COUNT_OFFSET = POD_CATALOG_ROOT_OFFSET + offsetof(struct pod_catalog_root, split_count),
};

static pod_off entry_offset(const struct cxl_port *port, uint32_t id)
{
	return port->geometry->catalog_offset + (pod_off)id * CATALOG_ENTRY_LINES * LINE_BYTES;
}

/* `first` is the first of a line. */
static pod_off splits_offset(const struct cxl_port *port, uint64_t first)
{
	return port->geometry->catalog_offset + CATALOG_SPLITS_OFFSET + first / CATALOG_SPLITS_PER_LINE * LINE_BYTES;
}

static uint32_t split_count_of(uint32_t by, uint32_t partitions)
{
	return by == LG_RANGE ? partitions - 1 : 0;
}

static uint64_t entry_checksum(const struct catalog_entry *entry, const uint64_t *splits, uint32_t split_count)
{
	uint64_t sum = XXH3_64bits(entry, offsetof(struct catalog_entry, checksum));
	return splits ? XXH3_64bits_withSeed(splits, split_count * sizeof *splits, sum) : sum;
}

uint32_t catalog_count(const struct cxl_port *port)
{
	/* [catalog.count] Acquire; pairs with the release in append(): the entries below it are written back. */
	uint64_t count = port_word_load(port, TABLE_COUNT_OFFSET, memory_order_acquire);
	return count < LG_MAX_TABLES ? (uint32_t)count : LG_MAX_TABLES;
}

/* ---- Reading ---- */

/* Reads lines that have one tag from memory, never from this cache: see catalog.h. `to` has 8 bytes of slack. */
static bool read_lines(struct cxl_port *port, pod_off offset, uint64_t tag, uint32_t lines, void *to)
{
	for (uint32_t i = 0; i < lines; i++) {
		pod_off line = offset + (pod_off)i * LINE_BYTES;
		if (line_fresh_tag(port, line) != tag ||
		        !line_read(port, line, tag, (uint8_t *)to + (size_t)i * LINE_PAYLOAD_BYTES))
			return false;
	}
	return true;
}

/* What keeps the fields of an entry from being used, whatever its checksum says; NULL: nothing. */
static const char *entry_flaw(const struct cxl_port *port, const struct catalog_entry *entry)
{
	if (!entry->name[0] || !memchr(entry->name, 0, sizeof entry->name))
		return "its name";
	if (entry->by > LG_REPLICATED)
		return "its kind of partitioning";
	if (entry->by == LG_REPLICATED)
		return entry->partitions == 0 && entry->prefix_bytes == 0 ? NULL : "its partitions";
	if (entry->partitions == 0 || entry->partitions > port->geometry->partition_count)
		return "its partitions";
	if (entry->by == LG_HASH)
		return entry->prefix_bytes > 0 && entry->prefix_bytes <= LG_MAX_PREFIX_BYTES ? NULL : "its prefix";
	if (entry->split_first % CATALOG_SPLITS_PER_LINE || entry->split_first > CATALOG_MAX_SPLITS ||
	        entry->partitions - 1 > CATALOG_MAX_SPLITS - entry->split_first)
		return "where its splits are";
	return NULL;
}

static uint32_t split_lines(uint32_t split_count)
{
	return (split_count + CATALOG_SPLITS_PER_LINE - 1) / CATALOG_SPLITS_PER_LINE;
}

static int refuse_entry(uint32_t id, pod_off offset, const char *what, struct lg_error *err)
{
	return error_set(err, LG_CORRUPT,
	        "table %u in the pod's catalog (at offset %" PRIu64
	        ") is damaged: %s; close the hosts, destroy the pod and create it anew",
	        id, offset, what);
}

int catalog_read(struct cxl_port *port, uint32_t id, struct catalog_table *table, struct lg_error *err)
{
	struct {
		struct catalog_entry entry;
		uint64_t slack; /* a line is copied with its tag */
	} copy;
	memset(table, 0, sizeof *table);
	assert(id < catalog_count(port));
	pod_off offset = entry_offset(port, id);
	if (!read_lines(port, offset, id + 1, CATALOG_ENTRY_LINES, &copy))
		return refuse_entry(id, offset, "a line has another's tag", err);
	const char *flaw = entry_flaw(port, &copy.entry);
	if (flaw)
		return refuse_entry(id, offset, flaw, err);
	uint32_t split_count = split_count_of(copy.entry.by, copy.entry.partitions);
	if (split_count) {
		uint32_t lines = split_lines(split_count);
		pod_off at = splits_offset(port, copy.entry.split_first);
		table->splits = malloc((size_t)lines * LINE_PAYLOAD_BYTES + sizeof copy.slack);
		if (!table->splits)
			return error_set(err, LG_NOSPACE, "no memory for the %u splits of table %s", split_count,
			        copy.entry.name);
		if (!read_lines(port, at, id + 1, lines, table->splits))
			flaw = "a line of its splits has another's tag";
	}
	if (!flaw && copy.entry.checksum != entry_checksum(&copy.entry, table->splits, split_count))
		flaw = "its checksum does not match";
	if (flaw) {
		free(table->splits);
		table->splits = NULL;
		return refuse_entry(id, offset, flaw, err);
	}
	memcpy(table->name, copy.entry.name, sizeof table->name);
	table->id = id;
	table->by = copy.entry.by;
	table->prefix_bytes = copy.entry.prefix_bytes;
	table->partitions = copy.entry.partitions;
	return LG_OK;
}

/* Looks for `name` in the tables from..; on LG_OK *table is it, and the caller frees its splits. A damaged entry does not
 * hide another, but without one nobody can say that the name is not there. */
static int find_from(
        struct cxl_port *port, const char *name, uint32_t from, struct catalog_table *table, struct lg_error *err)
{
	uint32_t count = catalog_count(port);
	int result = LG_NOTFOUND;
	for (uint32_t id = from; id < count; id++) {
		int code = catalog_read(port, id, table, err);
		if (code) {
			result = code;
			continue;
		}
		if (!strcmp(table->name, name))
			return LG_OK;
		free(table->splits);
	}
	memset(table, 0, sizeof *table);
	return result;
}

int catalog_find(struct cxl_port *port, const char *name, uint32_t *id, struct lg_error *err)
{
	struct catalog_table table;
	int code = find_from(port, name, 0, &table, err);
	if (code == LG_NOTFOUND)
		return error_set(err, LG_NOTFOUND, "the pod has no table %.*s; create it with lg_table_create()",
		        LG_MAX_NAME_BYTES, name);
	if (code)
		return code;
	free(table.splits);
	*id = table.id;
	return LG_OK;
}

/* ---- Checking ---- */

static int check_name(const char *name, struct lg_error *err)
{
	if (!name || !*name)
		return error_set(err, LG_INVALID, "a table needs a name of 1 to %d bytes", LG_MAX_NAME_BYTES);
	if (strlen(name) > LG_MAX_NAME_BYTES)
		return error_set(err, LG_LIMIT, "the table name %.64s... has %zu bytes; at most %d are possible", name,
		        strlen(name), LG_MAX_NAME_BYTES);
	for (const char *c = name; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return error_set(err, LG_INVALID,
			        "byte %zu of a table name is the control character %d; use printable ones",
			        (size_t)(c - name), *c);
	}
	return LG_OK;
}

static int check_partitions(const struct cxl_port *port, const struct lg_table_def *def, struct lg_error *err)
{
	if (def->partitions > LG_MAX_PARTITIONS)
		return error_set(err, LG_LIMIT, "table %s: %u partitions are more than %d", def->name, def->partitions,
		        LG_MAX_PARTITIONS);
	if (def->partitions < 1 || def->partitions > port->geometry->partition_count)
		return error_set(err, LG_INVALID, "table %s: %u partitions; this pod has room for 1 to %u", def->name,
		        def->partitions, port->geometry->partition_count);
	return LG_OK;
}

static int check_splits(const struct lg_table_def *def, struct lg_error *err)
{
	if (def->prefix_bytes)
		return error_set(err, LG_INVALID,
		        "table %s: prefix_bytes is %u; it is 0 for a table partitioned by range", def->name,
		        def->prefix_bytes);
	if (def->partitions > 1 && !def->splits)
		return error_set(err, LG_INVALID, "table %s: %u partitions by range need %u splits", def->name,
		        def->partitions, def->partitions - 1);
	for (uint32_t i = 1; i + 1 < def->partitions; i++) {
		if (def->splits[i - 1] >= def->splits[i])
			return error_set(err, LG_INVALID,
			        "table %s: splits must ascend, but split %u is %" PRIu64 " and split %u is %" PRIu64,
			        def->name, i - 1, def->splits[i - 1], i, def->splits[i]);
	}
	return LG_OK;
}

static int check_hash(const struct lg_table_def *def, struct lg_error *err)
{
	if (def->prefix_bytes > LG_MAX_PREFIX_BYTES)
		return error_set(err, LG_LIMIT, "table %s: prefix_bytes is %u; at most %d are possible", def->name,
		        def->prefix_bytes, LG_MAX_PREFIX_BYTES);
	if (def->prefix_bytes == 0)
		return error_set(err, LG_INVALID, "table %s: prefix_bytes is 0; partitioning by hash needs 1 to %d",
		        def->name, LG_MAX_PREFIX_BYTES);
	if (def->splits)
		return error_set(err, LG_INVALID, "table %s: splits are for tables partitioned by range", def->name);
	return LG_OK;
}

int catalog_check_def(const struct cxl_port *port, const struct lg_table_def *def, struct lg_error *err)
{
	int code = check_name(def->name, err);
	if (code)
		return code;
	switch (def->by) {
	case LG_HASH:
	case LG_RANGE:
		code = check_partitions(port, def, err);
		if (code)
			return code;
		return def->by == LG_HASH ? check_hash(def, err) : check_splits(def, err);
	case LG_REPLICATED:
		if (def->prefix_bytes || def->partitions || def->splits)
			return error_set(err, LG_INVALID,
			        "table %s: a replicated table has no prefix_bytes, partitions or splits", def->name);
		return LG_OK;
	}
	return error_set(err, LG_INVALID, "table %s: %d is no way of partitioning", def->name, (int)def->by);
}

/* ---- Adding ---- */

static const char *const by_text[] = {[LG_HASH] = "hash", [LG_RANGE] = "range", [LG_REPLICATED] = "replicated"};

/* LG_OK when the table that exists is the one that is wanted. */
static int compare(const struct catalog_table *table, const struct lg_table_def *def, struct lg_error *err)
{
	const char *name = def->name;
	if (table->by != (uint32_t)def->by)
		return error_set(err, LG_EXISTS, "table %s exists with partitioning %s, not %s", name,
		        by_text[table->by], by_text[def->by]);
	if (table->partitions != def->partitions)
		return error_set(err, LG_EXISTS, "table %s exists with %u partitions, not %u", name, table->partitions,
		        def->partitions);
	if (table->prefix_bytes != def->prefix_bytes)
		return error_set(err, LG_EXISTS, "table %s exists with prefix_bytes %u, not %u", name,
		        table->prefix_bytes, def->prefix_bytes);
	for (uint32_t i = 0; i < split_count_of(table->by, table->partitions); i++) {
		if (table->splits[i] != def->splits[i])
			return error_set(err, LG_EXISTS, "table %s exists with split %u at %" PRIu64 ", not %" PRIu64,
			        name, i, table->splits[i], def->splits[i]);
	}
	return LG_OK;
}

static uint64_t now_ms(void)
{
	struct timespec t;
	int failed = clock_gettime(CLOCK_MONOTONIC, &t);
	assert(!failed);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int lock_catalog(struct cxl_port *port, unsigned host, struct lg_error *err)
{
	uint64_t since = now_ms();
	for (;;) {
		uint64_t seen = 0;
		port->counts.word_writes++;
		/* [catalog.lock] Acquire; pairs with unlock_catalog(): the last holder's table is counted. */
		if (port_word_swap(port, LOCK_OFFSET, &seen, host + 1, memory_order_acquire))
			return LG_OK;
		if (now_ms() - since > CATALOG_LOCK_WAIT_MS)
			return error_set(err, LG_UNAVAILABLE,
			        "cannot add a table: host %" PRIu64
			        " has held the catalog's lock for more than %d ms; try again "
			        "when it is through, or has been recovered",
			        seen - 1, CATALOG_LOCK_WAIT_MS);
		sched_yield();
	}
}

static void unlock_catalog(struct cxl_port *port)
{
	port->counts.word_writes++;
	/* [catalog.lock] Release; pairs with lock_catalog(). */
	port_word_store(port, LOCK_OFFSET, 0, memory_order_release);
}

void catalog_free_lock(struct cxl_port *port, unsigned dead)
{
	uint64_t seen = dead + 1;
	port->counts.word_writes++;
	/* [catalog.lock] Release; pairs with lock_catalog(). It fails when the dead host did not hold it. */
	port_word_swap(port, LOCK_OFFSET, &seen, 0, memory_order_acq_rel);
	port_write_back(port, LOCK_OFFSET);
}

static void write_splits(struct cxl_port *port, uint32_t id, uint64_t first, const uint64_t *splits, uint32_t count)
{
	for (uint32_t done = 0; done < count; done += CATALOG_SPLITS_PER_LINE) {
		uint64_t payload[CATALOG_SPLITS_PER_LINE] = {0};
		uint32_t part = count - done < CATALOG_SPLITS_PER_LINE ? count - done : CATALOG_SPLITS_PER_LINE;
		memcpy(payload, splits + done, part * sizeof *splits);
		line_write(port, splits_offset(port, first + done), payload, id + 1);
	}
}

/* Under the lock; no table has that name. */
static int append(struct cxl_port *port, const struct lg_table_def *def, uint32_t *id, struct lg_error *err)
{
	uint32_t count = catalog_count(port);
	uint32_t split_count = split_count_of((uint32_t)def->by, def->partitions);
	uint64_t taken = split_lines(split_count) * (uint64_t)CATALOG_SPLITS_PER_LINE;
	/* Relaxed: it changes under the lock only. */
	uint64_t first = port_word_load(port, SPLIT_COUNT_OFFSET, memory_order_relaxed);
	if (count == LG_MAX_TABLES)
		return error_set(err, LG_LIMIT, "cannot add table %s: the pod has %d tables, which is the most",
		        def->name, LG_MAX_TABLES);
	if (first % CATALOG_SPLITS_PER_LINE || first > CATALOG_MAX_SPLITS)
		return error_set(err, LG_CORRUPT,
		        "the catalog counts %" PRIu64 " splits, which cannot be; destroy the pod and create it anew",
		        first);
	if (taken > CATALOG_MAX_SPLITS - first)
		return error_set(err, LG_NOSPACE,
		        "cannot add table %s: the catalog has room for %" PRIu64
		        " more splits, not for %u; use fewer partitions",
		        def->name, CATALOG_MAX_SPLITS - first, split_count);
	struct catalog_entry entry = {.by = (uint32_t)def->by,
	        .prefix_bytes = def->prefix_bytes,
	        .partitions = def->partitions,
	        .split_first = (uint32_t)first};
	memcpy(entry.name, def->name, strlen(def->name));
	entry.checksum = entry_checksum(&entry, split_count ? def->splits : NULL, split_count);
	write_splits(port, count, first, def->splits, split_count);
	for (uint32_t i = 0; i < CATALOG_ENTRY_LINES; i++)
		line_write(port, entry_offset(port, count) + (pod_off)i * LINE_BYTES,
		        (const uint8_t *)&entry + (size_t)i * LINE_PAYLOAD_BYTES, count + 1);
	if (!MUTANT(FENCE_CATALOG))
		port_fence(port);
	CRASH_POINT(IN_CATALOG);
	port->counts.word_writes += 2;
	port_word_store(port, SPLIT_COUNT_OFFSET, first + taken, memory_order_relaxed);
	/* [catalog.count] Release; pairs with catalog_count(). Visible: the lines by their write-back and the fence.
	 * Crash before this: the table does not exist. */
	port_word_store(port, TABLE_COUNT_OFFSET, count + 1, memory_order_release);
	*id = count;
	return LG_OK;
}

/* Finds the table among those from `from` on, and compares it. */
static int find_same(
        struct cxl_port *port, const struct lg_table_def *def, uint32_t from, uint32_t *id, struct lg_error *err)
{
	struct catalog_table table;
	int code = find_from(port, def->name, from, &table, err);
	if (code)
		return code;
	code = compare(&table, def, err);
	free(table.splits);
	if (!code)
		*id = table.id;
	return code;
}

int catalog_add(
        struct cxl_port *port, unsigned host, const struct lg_table_def *def, uint32_t *id, struct lg_error *err)
{
	int code = catalog_check_def(port, def, err);
	if (code)
		return code;
	uint32_t known = catalog_count(port);
	code = find_same(port, def, 0, id, err);
	if (code != LG_NOTFOUND)
		return code;
	code = lock_catalog(port, host, err);
	if (code)
		return code;
	/* Others may have added tables since. */
	code = find_same(port, def, known, id, err);
	if (code == LG_NOTFOUND)
		code = append(port, def, id, err);
	unlock_catalog(port);
	return code;
}
