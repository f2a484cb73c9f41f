/* rebuild.c: see rebuild.h. */
#include "recovery/rebuild.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/table.h"
#include "recovery/coverage.h"
#include "recovery/record.h"
#include "recovery/stream.h"
#include "recovery/survey.h"

enum { FIRST_BUCKETS = 1 << 16, ROWS_A_TURN = 1024, ENTRIES_A_TURN = 4096, WRITES_AT_ONCE = 32 };

/* A change of a row. */
struct change {
	struct change *next; /* in the order in which they were read, the last first */
	uint64_t version;
	uint64_t known; /* its epoch; of a row of a checkpoint, the first of which that needs logs */
	uint8_t kind;   /* enum redo_kind */
	uint16_t ranges;
	uint32_t val_bytes, data_bytes;
	uint8_t data[];
};

struct changed_row {
	struct changed_row *next;  /* of its bucket */
	struct changed_row *later; /* the row that was met next: near in memory, and mostly in key order */
	struct change *changes;
	uint64_t youngest; /* version of a change */
	uint64_t whole;    /* of the youngest that is no patch: what is older is not needed; 0: none */
	size_t count;
	uint32_t hash;
	uint16_t partition, key_bytes;
	uint8_t table;
	uint8_t key[];
};

struct rebuild {
	struct lg_worker *w;
	struct stream *stream;
	struct rebuilt *to;
	struct lg_table *tables[LG_MAX_TABLES];
	bool ended[LG_MAX_TABLES]; /* the load of this host's copy had ended */
	struct changed_row **buckets;
	size_t bucket_count, row_count;
	struct changed_row *first, **last; /* in the order in which they were met */
	uint64_t first_epoch;              /* logs are needed from it on: rebuilt.first_epoch */
	/* Of each partition, from which epoch on its rows need the logs: what is older is in the youngest checkpoint that has the
	 * partition, or its row was deleted, which a segment may have said that is gone. 0: no checkpoint has it. */
	uint64_t *since;
	uint64_t since_copies; /* the same of this host's copies of replicated tables */
	uint64_t rows_from;    /* the least of `since`; UINT64_MAX: there are no partitions */
	/* Which copies are whole in this host's checkpoint; and that its log does not go back to the load of the others, since it
	 * owned nothing for a while, and nobody keeps a log for its copies then. */
	bool whole[LG_MAX_TABLES], copies_gone;
	uint64_t bytes, rows; /* read; put into trees */
	uint8_t *value;       /* room for one */
	struct change **order;
	size_t order_room;
	struct lg_error *err;
};

/* ---- Gathering ---- */

static bool grow(struct rebuild *r)
{
	size_t count = r->bucket_count ? r->bucket_count * 2 : FIRST_BUCKETS;
	struct changed_row **buckets = calloc(count, sizeof(struct changed_row *));
	if (!buckets)
		return false;
	for (size_t i = 0; i < r->bucket_count; i++)
		for (struct changed_row *row = r->buckets[i], *next; row; row = next) {
			next = row->next;
			row->next = buckets[row->hash & (count - 1)];
			buckets[row->hash & (count - 1)] = row;
		}
	free(r->buckets);
	r->buckets = buckets;
	r->bucket_count = count;
	return true;
}

static uint32_t hash_of(const struct redo_view *view)
{
	return (uint32_t)XXH3_64bits_withSeed(view->key.data, view->key.bytes, view->write->table);
}

static struct changed_row *find_row(struct rebuild *r, const struct redo_view *view, uint32_t hash)
{
	assert(r->buckets);
	for (struct changed_row *row = r->buckets[hash & (r->bucket_count - 1)]; row; row = row->next)
		if (row->hash == hash && row->table == view->write->table && row->key_bytes == view->key.bytes &&
		        memcmp(row->key, view->key.data, view->key.bytes) == 0)
			return row;
	if (r->row_count >= r->bucket_count && !grow(r))
		return NULL;
	struct changed_row *row = malloc(sizeof *row + view->key.bytes);
	if (!row)
		return NULL;
	*row = (struct changed_row){.next = r->buckets[hash & (r->bucket_count - 1)],
	        .hash = hash,
	        .partition = view->write->partition,
	        .key_bytes = (uint16_t)view->key.bytes,
	        .table = view->write->table};
	memcpy(row->key, view->key.data, view->key.bytes);
	r->buckets[hash & (r->bucket_count - 1)] = row;
	r->row_count++;
	*r->last = row;
	r->last = &row->later;
	return row;
}

static void free_changes(struct change *change)
{
	for (struct change *next; change; change = next) {
		next = change->next;
		free(change);
	}
}

/* What is older than a whole value is not kept; the rest is put into order at the end (make_value). */
static bool add_change(struct changed_row *row, const struct redo_view *view, uint64_t version, uint64_t known)
{
	for (struct change *met = row->changes; met && version == row->whole; met = met->next)
		if (met->version == version && met->known < known)
			met->known = known; /* a younger checkpoint has it too */
	if (version <= row->whole)
		return true; /* also: met before */
	uint32_t bytes = view->kind == REDO_DEL ? 0 : view->write->data_bytes;
	struct change *change = malloc(sizeof *change + bytes);
	if (!change)
		return false;
	if (view->kind != REDO_PATCH) {
		row->whole = version;
		if (version >= row->youngest) {
			free_changes(row->changes);
			row->changes = NULL;
			row->count = 0;
		}
	}
	*change = (struct change){.next = row->changes,
	        .version = version,
	        .known = known,
	        .kind = (uint8_t)view->kind,
	        .ranges = view->write->ranges,
	        .val_bytes = view->write->val_bytes,
	        .data_bytes = bytes};
	if (bytes)
		memcpy(change->data, view->data, bytes);
	row->changes = change;
	row->count++;
	row->youngest = version > row->youngest ? version : row->youngest;
	return true;
}

/* Where the rows of a partition go; NULL: they are not rebuilt. */
static struct btree *tree_of(const struct rebuild *r, const struct lg_table *table, uint32_t partition)
{
	if (r->to->owner == r->w->host_id)
		return table_tree(table, partition);
	return r->to->trees[table->def.id] ? r->to->trees[table->def.id][partition] : NULL;
}

/* Whether a write that `host` has logged is to a row of ours. */
static bool is_ours(const struct rebuild *r, const struct redo_view *view, unsigned host)
{
	const struct lg_table *table = r->tables[view->write->table];
	if (table->def.by == LG_REPLICATED)
		return view->write->partition == 0 && host == r->w->host_id &&
		       host == r->to->owner; /* only loads write them, each host its own copy */
	return view->write->partition < table->def.partitions && tree_of(r, table, view->write->partition);
}

/* Writes to rows of ours, on their way into the table of rows. */
struct arriving {
	unsigned count;
	struct {
		struct redo_view view;
		uint32_t hash;
		struct changed_row *row;
	} write[WRITES_AT_ONCE];
};

/* Nearly every step misses the caches: those of all writes are awaited together. */
static int take_writes(struct rebuild *r, struct arriving *a, uint64_t version)
{
	bool room = true;
	for (unsigned i = 0; i < a->count; i++)
		__builtin_prefetch(r->buckets[a->write[i].hash & (r->bucket_count - 1)]);
	for (unsigned i = 0; i < a->count && room; i++) {
		struct changed_row *row = find_row(r, &a->write[i].view, a->write[i].hash);
		if (row)
			__builtin_prefetch(row->changes);
		a->write[i].row = row;
		room = row != NULL;
	}
	for (unsigned i = 0; i < a->count && room; i++)
		room = add_change(a->write[i].row, &a->write[i].view, version, version_epoch(version));
	a->count = 0;
	return room ? LG_OK
	            : error_set(r->err, LG_NOSPACE, "no private memory to rebuild the rows of host %u", r->to->owner);
}

static uint64_t needed_from(const struct rebuild *r, uint32_t table, uint32_t partition)
{
	return r->tables[table]->def.by == LG_REPLICATED ? r->since_copies : r->since[partition];
}

static int take_record(struct rebuild *r, const struct log_entry *entry)
{
	const struct redo_head *record = entry->body;
	struct redo_view view;
	struct arriving arriving;
	arriving.count = 0; /* the rest is not read before it is written */
	uint32_t offset = sizeof *record;
	if (entry->bytes < sizeof *record || record->bytes != entry->bytes || record->format != REDO_FORMAT ||
	        record->version > WORD_VERSION)
		return survey_damaged(entry, "not a redo record of this version", r->err);
	if (manifest_void(&r->stream->manifest, version_epoch(record->version)))
		return LG_OK;
	for (unsigned i = 0; i < record->write_count; i++) {
		if (!redo_next(record, &offset, &view))
			return survey_damaged(entry, "a redo record that contradicts itself", r->err);
		if (!r->tables[view.write->table] && view.write->table >= catalog_count(&r->w->port))
			return survey_damaged(entry, "a row of a table that the pod does not have", r->err);
		/* Of one that others have made since this began: our partitions have no rows of it. */
		if (!r->tables[view.write->table] || !is_ours(r, &view, record->host))
			continue;
		if (version_epoch(record->version) < needed_from(r, view.write->table, view.write->partition))
			continue;
		uint32_t hash = hash_of(&view);
		__builtin_prefetch(&r->buckets[hash & (r->bucket_count - 1)]);
		arriving.write[arriving.count].view = view;
		arriving.write[arriving.count++].hash = hash;
		if (arriving.count < WRITES_AT_ONCE)
			continue;
		int code = take_writes(r, &arriving, record->version);
		if (code != LG_OK)
			return code;
	}
	return take_writes(r, &arriving, record->version);
}

/* ---- Checkpoints ---- */

static bool is_row_ours(const struct rebuild *r, const struct checkpoint_row *row, unsigned host)
{
	const struct lg_table *table = row->table < LG_MAX_TABLES ? r->tables[row->table] : NULL;
	if (!table || row->key.bytes < 1 || row->key.bytes > LG_MAX_KEY_BYTES || row->val.bytes > LG_MAX_VALUE_BYTES)
		return false;
	if (table->def.by == LG_REPLICATED)
		return row->partition == 0 && host == r->w->host_id && host == r->to->owner;
	return row->partition < table->def.partitions && tree_of(r, table, row->partition);
}

static int take_checkpoint_row(struct rebuild *r, const struct checkpoint_row *row, uint64_t first)
{
	struct redo_write write = {.table = (uint8_t)row->table,
	        .kind = REDO_PUT,
	        .key_bytes = (uint16_t)row->key.bytes,
	        .partition = (uint16_t)row->partition,
	        .val_bytes = (uint32_t)row->val.bytes,
	        .data_bytes = (uint32_t)row->val.bytes};
	struct redo_view view = {.write = &write, .kind = REDO_PUT, .key = row->key, .data = row->val.data};
	struct changed_row *changed = find_row(r, &view, hash_of(&view));
	if (!changed || !add_change(changed, &view, row->version, first))
		return error_set(r->err, LG_NOSPACE, "no private memory to rebuild the rows of host %u", r->w->host_id);
	return LG_OK;
}

static void covers(struct rebuild *r, uint32_t partition, uint64_t first)
{
	r->since[partition] = first > r->since[partition] ? first : r->since[partition];
}

static void take_checkpoint_table(struct rebuild *r, const struct checkpoint_entry *entry, unsigned host)
{
	struct checkpoint_table_body head;
	struct log_table_body def;
	if (entry->body.bytes < sizeof head + sizeof def)
		return;
	memcpy(&head, entry->body.data, sizeof head);
	memcpy(&def, (const uint8_t *)entry->body.data + sizeof head, sizeof def);
	if (host == r->w->host_id && (head.flags & LOG_TABLE_SEALED) && def.id < LG_MAX_TABLES)
		r->ended[def.id] = r->whole[def.id] = true;
}

static int read_entries(struct rebuild *r, struct checkpoint_reader *reader, unsigned host)
{
	struct coverage coverage = {.first_epoch = checkpoint_reader_info(reader)->first_epoch};
	struct checkpoint_entry entry;
	int code;
	while ((code = checkpoint_next(reader, &entry, r->err)) == LG_OK) {
		if (entry.type == CHECKPOINT_TABLE) {
			take_checkpoint_table(r, &entry, host);
			coverage_add(&coverage, &entry);
		} else if (is_row_ours(r, &entry.row, host)) {
			code = take_checkpoint_row(r, &entry.row, coverage.first_epoch);
		}
		if (code != LG_OK)
			return code;
	}
	/* It had no table then, and so no row. */
	for (uint32_t p = 0; p < r->w->host->geometry->partition_count && code == LG_END; p++)
		if (coverage.tables ? coverage_has(&coverage, p) : partition_owner(&r->w->port, p) == host)
			covers(r, p, coverage.first_epoch);
	r->bytes += checkpoint_reader_info(reader)->counts.raw_bytes;
	return code == LG_END ? LG_OK : code;
}

/* LG_NOTFOUND: it has no checkpoint. */
static int read_checkpoint(struct rebuild *r, unsigned host)
{
	char path[LOG_PATH_BYTES];
	struct checkpoint_reader_options options;
	struct checkpoint_reader *reader;
	checkpoint_reader_options_init(&options);
	options.cookie = r->stream->manifest.cookie;
	options.host = host;
	int code = log_dir_name(r->stream->directory, host, path, sizeof path, r->err);
	if (code == LG_OK)
		code = checkpoint_reader_open(path, &options, &reader, r->err);
	if (code != LG_OK)
		return code;
	if (host == r->w->host_id)
		r->since_copies = checkpoint_reader_info(reader)->first_epoch;
	code = read_entries(r, reader, host);
	checkpoint_reader_close(reader);
	return code;
}

/* Whether another host's checkpoint has rows of these partitions, which were adopted from it. LG_OK; LG_NOTFOUND; LG_CORRUPT... */
static int look_for_ours(const struct rebuild *r, unsigned host)
{
	struct coverage coverage;
	int code = coverage_read(r->stream->directory, host, r->stream->manifest.cookie, &coverage, r->err);
	if (code != LG_OK)
		return code;
	for (uint32_t p = 0; p < r->w->host->geometry->partition_count; p++)
		if (coverage_has(&coverage, p) && partition_owner(&r->w->port, p) == r->to->owner)
			return LG_OK;
	return LG_NOTFOUND;
}

static uint64_t first_of_rows(const struct rebuild *r)
{
	uint64_t least = UINT64_MAX;
	for (uint32_t p = 0; p < r->w->host->geometry->partition_count; p++)
		if (partition_owner(&r->w->port, p) == r->to->owner && r->since[p] < least)
			least = r->since[p];
	return least;
}

/* From which epoch on all of it needs the logs. */
static uint64_t first_of_all(const struct rebuild *r)
{
	uint64_t least = r->rows_from;
	bool copies = r->to->owner == r->w->host_id && r->stream->returning && !r->copies_gone;
	for (unsigned id = 0; id < LG_MAX_TABLES && copies; id++)
		if (r->tables[id] && r->tables[id]->def.by == LG_REPLICATED && r->since_copies < least)
			least = r->since_copies;
	return least == UINT64_MAX ? epoch_load(&r->w->port) : least;
}

/* Sets r->since and r->rows_from. Partitions that this host had adopted before it made a checkpoint begin in that of their last
 * owner. */
static int read_checkpoints(struct rebuild *r)
{
	unsigned self = r->to->owner;
	int code = read_checkpoint(r, self);
	if (code != LG_OK && code != LG_NOTFOUND)
		return code;
	for (unsigned host = 0; host < r->w->host->geometry->host_count; host++) {
		if (host == self)
			continue;
		code = look_for_ours(r, host);
		if (code == LG_OK)
			code = read_checkpoint(r, host);
		if (code != LG_OK && code != LG_NOTFOUND)
			return code;
	}
	r->rows_from = first_of_rows(r);
	return LG_OK;
}

/* ---- Logs ---- */

/* Whether a log goes back as far as is needed. `completed`: before its first segment. */
static int check_beginning(const struct rebuild *r, uint32_t host, uint64_t completed)
{
	if ((r->to->owner == r->w->host_id && !r->stream->returning) || completed < r->rows_from || completed == 0)
		return LG_OK;
	return error_set(r->err, LG_CORRUPT,
	        "the log of host %u begins behind epoch %" PRIu64 ", but rows of host %u need it from epoch %" PRIu64
	        " on: segments or a checkpoint were removed",
	        host, completed, r->to->owner, r->rows_from);
}

/* Who is not live yet holds no reference to anything: the others' memory is not held back meanwhile. */
static void get_on(const struct rebuild *r)
{
	if (member_state(&r->w->port, r->w->host_id, NULL) == LG_MEMBER_JOINING)
		member_publish_oldest(&r->w->port, r->w->host_id, epoch_load(&r->w->port));
}

/* All of one host's log. */
static int read_log(struct rebuild *r, uint32_t host)
{
	struct log_reader *reader;
	struct log_entry entry;
	int code = survey_open(r->stream->directory, &r->stream->manifest, host, &reader, r->err);
	if (code != LG_OK)
		return code == LG_NOTFOUND ? LG_OK : code;
	code = check_beginning(r, host, log_reader_found(reader)->epoch_before);
	if (code != LG_OK) {
		log_reader_close(reader);
		return code;
	}
	uint64_t batch = 0, before = 0, completed = log_reader_found(reader)->epoch_before;
	if (host == r->w->host_id && host == r->to->owner)
		r->copies_gone = completed != 0 && completed >= r->since_copies;
	for (uint64_t n = 0; (code = log_reader_next(reader, &entry, r->err)) == LG_OK; n++) {
		if (entry.batch != batch)
			before = completed;
		batch = entry.batch;
		completed = entry.epoch > completed ? entry.epoch : completed;
		if (entry.type == LOG_ENTRY_REDO)
			code = take_record(r, &entry);
		else if (entry.type == LOG_ENTRY_TABLE && (entry.flags & LOG_TABLE_SEALED) && host == r->w->host_id &&
		         survey_table_valid(&entry) && !manifest_void(&r->stream->manifest, before + 1))
			r->ended[((const struct log_table_body *)entry.body)->id] = true;
		if (code != LG_OK)
			break;
		r->bytes += entry.bytes;
		if (n % ENTRIES_A_TURN == 0)
			get_on(r);
	}
	log_reader_close(reader);
	return code == LG_END ? LG_OK : code;
}

/* ---- Putting into trees ---- */

static int by_version(const void *a, const void *b)
{
	const struct change *x = *(const struct change *const *)a, *y = *(const struct change *const *)b;
	return x->version < y->version ? -1 : x->version > y->version;
}

/* The changes of a row in r->order, oldest first, from its youngest whole value on, each once. */
static bool put_in_order(struct rebuild *r, const struct changed_row *row, size_t *count)
{
	if (row->count > r->order_room) {
		struct change **order = realloc(r->order, row->count * 2 * sizeof(struct change *));
		if (!order)
			return false;
		r->order = order;
		r->order_room = row->count * 2;
	}
	size_t found = 0, kept = 0;
	for (struct change *change = row->changes; change; change = change->next)
		if (change->version >= row->whole && change->known >= needed_from(r, row->table, row->partition))
			r->order[found++] = change;
	qsort(r->order, found, sizeof(struct change *), by_version);
	for (size_t i = 0; i < found; i++)
		if (i == 0 || r->order[i]->version != r->order[i - 1]->version)
			r->order[kept++] = r->order[i];
	*count = kept;
	return true;
}

/* The row's value in r->value; *there is false: it is not there any more. */
static int make_value(struct rebuild *r, const struct changed_row *row, uint32_t *bytes, bool *there)
{
	size_t count;
	*there = false;
	if (!put_in_order(r, row, &count))
		return error_set(r->err, LG_NOSPACE, "no private memory to rebuild the rows of host %u", r->to->owner);
	for (size_t i = 0; i < count; i++) {
		const struct change *change = r->order[i];
		if (change->kind == REDO_PATCH && (!*there || *bytes != change->val_bytes))
			return error_set(r->err, LG_CORRUPT,
			        "table '%s', a key of %u bytes: the logs have a change of it (version %" PRIu64
			        ") to a value that they do not have: a log is missing, or begins too late",
			        r->tables[row->table]->def.name, row->key_bytes, change->version);
		*there = change->kind != REDO_DEL;
		*bytes = change->val_bytes;
		struct redo_write write = {
		        .ranges = change->ranges, .val_bytes = change->val_bytes, .data_bytes = change->data_bytes};
		struct redo_view view = {.write = &write, .kind = (enum redo_kind)change->kind, .data = change->data};
		if (*there)
			redo_apply(&view, r->value);
	}
	return LG_OK;
}

static int put_row(struct rebuild *r, const struct changed_row *changed)
{
	uint32_t bytes = 0;
	bool there;
	int code = make_value(r, changed, &bytes, &there);
	if (code != LG_OK || !there)
		return code;
	struct lg_slice key = lg_slice(changed->key, changed->key_bytes);
	struct row *row = row_create(&r->w->local, changed->table, changed->partition, key, bytes, changed->youngest);
	if (!row)
		return error_set(r->err, LG_NOSPACE, "no private memory for the rows of host %u; raise dram_bytes",
		        r->w->host_id);
	if (bytes)
		memcpy(row_inline_val(row), r->value, bytes);
	atomic_store_explicit(&row->val_bytes, bytes, memory_order_relaxed); /* published by the tree */
	struct row *existing;
	struct leaf_change change;
	code = btree_insert(tree_of(r, r->tables[changed->table], changed->partition), &r->w->local, &r->w->port, row,
	        &existing, &change);
	if (code == LG_OK) {
		r->rows++;
		return LG_OK;
	}
	row_free(&r->w->local, row);
	return error_set(r->err, code, "cannot rebuild a row of table '%s': %s", r->tables[changed->table]->def.name,
	        lg_strerror(code));
}

/* It comes back empty and unsealed: LG_UNAVAILABLE, until it is loaded again. */
static bool is_gone_copy(const struct rebuild *r, unsigned table)
{
	return r->copies_gone && r->tables[table]->def.by == LG_REPLICATED && !r->whole[table];
}

/* For walks over all rows: what the next will need. */
static void prefetch_later(const struct changed_row *row)
{
	if (!row->later)
		return;
	__builtin_prefetch(row->later->later);
	__builtin_prefetch(row->later->changes);
}

static int put_rows(struct rebuild *r)
{
	int code = LG_OK;
	worker_enter(r->w);
	size_t i = 0;
	for (struct changed_row *row = r->first; row && code == LG_OK; row = row->later) {
		prefetch_later(row);
		if (!is_gone_copy(r, row->table))
			code = put_row(r, row);
		if (++i % ROWS_A_TURN == 0) { /* the others' memory is not held back meanwhile */
			worker_leave(r->w);
			worker_enter(r->w);
		}
	}
	worker_leave(r->w);
	for (unsigned id = 0; id < LG_MAX_TABLES && code == LG_OK; id++)
		if (r->ended[id] && r->tables[id] && !is_gone_copy(r, id))
			atomic_store_explicit(&r->tables[id]->sealed, true, memory_order_release);
	return code;
}

static void rebuild_free(struct rebuild *r)
{
	for (struct changed_row *row = r->first, *later; row; row = later) {
		later = row->later;
		prefetch_later(row);
		free_changes(row->changes);
		free(row);
	}
	free(r->buckets);
	free(r->order);
	free(r->value);
	free(r->since);
}

int rebuilt_make_trees(struct lg_worker *w, struct rebuilt *rebuilt, const struct lg_table *table, struct lg_error *err)
{
	if (table->def.by == LG_REPLICATED)
		return LG_OK;
	struct btree **trees = calloc(table->def.partitions, sizeof(struct btree *));
	rebuilt->trees[table->def.id] = trees;
	for (uint32_t p = 0; trees && p < table->def.partitions; p++) {
		if (partition_owner(&w->port, p) != rebuilt->owner)
			continue;
		trees[p] = table_make_tree(table, p, &w->local);
		if (!trees[p])
			trees = NULL; /* rebuilt_free() has what there is */
	}
	return trees ? LG_OK
	             : error_set(err, LG_NOSPACE, "no private memory for the trees of table '%s'", table->def.name);
}

static int gather(struct rebuild *r)
{
	const struct cxl_port *port = &r->w->port;
	int code = LG_OK;
	for (uint32_t id = 0; id < catalog_count(port) && code == LG_OK; id++)
		code = table_of_id(r->w->host, &r->w->port, id, &r->tables[id], r->err);
	for (uint32_t id = 0; id < LG_MAX_TABLES && code == LG_OK && r->to->owner != r->w->host_id; id++)
		if (r->tables[id])
			code = rebuilt_make_trees(r->w, r->to, r->tables[id], r->err);
	if (code == LG_OK)
		code = read_checkpoints(r);
	for (uint32_t host = 0; host < port->geometry->host_count && code == LG_OK; host++)
		code = read_log(r, host);
	r->first_epoch = first_of_all(r);
	return code;
}

int rebuild_rows(struct lg_worker *w, struct rebuilt *to, struct lg_error *err)
{
	struct rebuild r = {
	        .w = w, .stream = w->host->stream, .to = to, .value = malloc(LG_MAX_VALUE_BYTES), .err = err};
	r.last = &r.first;
	r.since = calloc(LG_MAX_PARTITIONS, sizeof *r.since);
	int code = r.value && r.since && grow(&r) ? LG_OK
	                                          : error_set(err, LG_NOSPACE, "no private memory to rebuild rows");
	if (code == LG_OK)
		code = gather(&r);
	if (code == LG_OK)
		code = put_rows(&r);
	/* Every version that a row of these partitions ever had, and lost with the row, is below this epoch's. */
	host_raise_floor(w->host, version_first_of(epoch_load(&w->port)));
	to->first_epoch = r.first_epoch;
	to->rows = r.rows;
	to->bytes = r.bytes;
	rebuild_free(&r);
	return code;
}

void rebuilt_free(struct lg_worker *w, struct rebuilt *rebuilt)
{
	for (unsigned id = 0; id < LG_MAX_TABLES; id++) {
		const struct lg_table *table = atomic_load_explicit(&w->host->tables[id], memory_order_acquire);
		for (uint32_t p = 0; rebuilt->trees[id] && p < table->def.partitions; p++)
			if (rebuilt->trees[id][p])
				btree_destroy(rebuilt->trees[id][p], &w->local);
		free(rebuilt->trees[id]);
	}
}
