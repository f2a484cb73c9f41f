/* ycsb.c: options, sizes, tables and load of the YCSB workloads (ycsb.h). */
#include "ycsb.h"

#include <cjson/cJSON.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "../common/numbers.h"

enum { LINE_PAYLOAD = 56, LINE_BYTES = 64, ALIGN = 128 };

static const char *const type_names[YCSB_TYPE_COUNT] = {
        [YCSB_LOCAL] = "local",
        [YCSB_MULTI_HOST] = "multi-host",
        [YCSB_READ] = "read",
        [YCSB_UPDATE] = "update",
        [YCSB_INSERT] = "insert",
        [YCSB_SCAN] = "scan",
        [YCSB_DELETE] = "delete",
        [YCSB_READ_MODIFY_WRITE] = "read-modify-write",
};

static const struct bench_option option_table[] = {
        {"--workload", "NAME", "tigon: several operations a transaction; A to F: YCSB's core (default tigon)"},
        {"--ops", "N", "tigon: operations a transaction (default 10)"},
        {"--read-percent", "P", "tigon: share of reads among them (default 50)"},
        {"--mix", "rw|scan", "tigon: reads and writes, or 80/10/10 scans, inserts, deletes (default rw)"},
        {"--scan-length", "N", "rows of a scan: tigon N (default 10), E 1 to N (default 100)"},
        {"--single", "get|put", "one get or one blind put a transaction, instead of --workload"},
        {"--zipf", "THETA", "skew, 0 (uniform) to 0.99 (default 0.7; A to F 0.99; --single 0)"},
        {"--cross-host", "P", "transactions that touch another host's rows, percent (default 0)"},
        {"--share-all", NULL, "read all rows of other hosts once at first, so that they lie in the pod"},
        {"--keys", "N", "rows loaded by each host (default 300000)"},
        {"--fields", "N", "fields of a row (default 10)"},
        {"--field-bytes", "N", "bytes of a field, 8 or more (default 100)"},
        {NULL, NULL, NULL},
};

/* ---- Options ---- */

static void *create(void)
{
	struct ycsb *y = calloc(1, sizeof(*y));

	if (!y)
		return NULL;
	y->ops = 10;
	y->read_percent = 50;
	y->keys = 300000;
	y->theta = -1;
	y->shape.fields = 10;
	y->shape.field_bytes = 100;
	return y;
}

static bool set_workload(struct ycsb *y, const char *value, char *err, size_t err_bytes)
{
	y->workload_given = true;
	if (strcmp(value, "tigon") == 0) {
		y->kind = YCSB_TIGON;
		return true;
	}
	if (strlen(value) == 1 && strchr("ABCDEF", value[0])) {
		y->kind = YCSB_CORE;
		y->core = value[0];
		return true;
	}
	snprintf(err, err_bytes, "\"%.40s\" is none of tigon, A, B, C, D, E, F", value);
	return false;
}

static bool set_mix(struct ycsb *y, const char *value, char *err, size_t err_bytes)
{
	y->mix_given = true;
	if (strcmp(value, "rw") == 0 || strcmp(value, "scan") == 0) {
		y->kind = value[0] == 's' ? YCSB_TIGON_SCAN : YCSB_TIGON;
		return true;
	}
	snprintf(err, err_bytes, "\"%.40s\" is neither rw nor scan", value);
	return false;
}

static bool set_single(struct ycsb *y, const char *value, char *err, size_t err_bytes)
{
	y->single_given = true;
	if (strcmp(value, "get") == 0 || strcmp(value, "put") == 0) {
		y->kind = value[0] == 'g' ? YCSB_GET : YCSB_PUT;
		return true;
	}
	snprintf(err, err_bytes, "\"%.40s\" is neither get nor put", value);
	return false;
}

static bool set(void *workload, const char *name, const char *value, char *err, size_t err_bytes)
{
	struct ycsb *y = workload;

	if (strcmp(name, "--workload") == 0)
		return set_workload(y, value, err, err_bytes);
	if (strcmp(name, "--mix") == 0)
		return set_mix(y, value, err, err_bytes);
	if (strcmp(name, "--single") == 0)
		return set_single(y, value, err, err_bytes);
	if (strcmp(name, "--share-all") == 0) {
		y->share_all = true;
		return true;
	}
	if (strcmp(name, "--ops") == 0) {
		y->ops_given = true;
		return number_parse_u32(value, 1, YCSB_MAX_OPS, &y->ops, err, err_bytes);
	}
	if (strcmp(name, "--read-percent") == 0) {
		y->read_given = true;
		return number_parse_u32(value, 0, 100, &y->read_percent, err, err_bytes);
	}
	if (strcmp(name, "--scan-length") == 0) {
		y->scan_given = true;
		return number_parse_u32(value, 1, 10000, &y->scan_length, err, err_bytes);
	}
	if (strcmp(name, "--zipf") == 0)
		return number_parse_double(value, 0, 0.99, &y->theta, err, err_bytes);
	if (strcmp(name, "--cross-host") == 0)
		return number_parse_u32(value, 0, 100, &y->cross_percent, err, err_bytes);
	if (strcmp(name, "--keys") == 0)
		return number_parse_u64(value, 1000, UINT64_C(1) << 32, &y->keys, err, err_bytes);
	if (strcmp(name, "--fields") == 0)
		return number_parse_u32(value, 1, 1000, &y->shape.fields, err, err_bytes);
	if (strcmp(name, "--field-bytes") == 0)
		return number_parse_u32(
		        value, ROW_STAMP_BYTES, LG_MAX_VALUE_BYTES, &y->shape.field_bytes, err, err_bytes);
	snprintf(err, err_bytes, "unknown option");
	return false;
}

/* ---- Sizes ---- */

static uint64_t up_to_2mib(uint64_t bytes)
{
	const uint64_t unit = UINT64_C(2) << 20;

	return (bytes + unit - 1) / unit * unit;
}

/* Room for every row that another host may touch, so that nothing must move out; budgets are there to make it less. */
static void propose_sizes(const struct ycsb *y, uint32_t hosts, struct lg_pod_config *pod)
{
	const uint64_t mib = UINT64_C(1) << 20;
	uint64_t shared = y->cross_percent ? y->keys * hosts : 0;
	uint64_t lines = (y->shape.bytes + YCSB_KEY_BYTES + 16 + LINE_PAYLOAD - 1) / LINE_PAYLOAD;

	pod->partitions = hosts;
	pod->hwcc_bytes = up_to_2mib(shared * 10 + hosts * mib + 4 * mib);
	pod->swcc_bytes = up_to_2mib(shared * (lines * LINE_BYTES * 10 / 9 + 24) + hosts * 16 * mib + 64 * mib);
}

static const char *find_contradiction(const struct ycsb *y, const struct bench *bench)
{
	bool tigon = y->kind == YCSB_TIGON || y->kind == YCSB_TIGON_SCAN;

	if (y->single_given && (y->workload_given || y->mix_given))
		return "--single stands in place of --workload and --mix";
	if (y->mix_given && !tigon)
		return "--mix goes with --workload tigon";
	if ((y->ops_given || y->read_given) && y->kind != YCSB_TIGON)
		return "--ops and --read-percent go with --workload tigon and --mix rw";
	if (y->scan_given && y->kind != YCSB_TIGON_SCAN && !(y->kind == YCSB_CORE && y->core == 'E'))
		return "--scan-length goes with --mix scan and with --workload E";
	if (y->cross_percent && bench->host_count < 2)
		return "--cross-host needs two hosts or more";
	if (y->cross_percent && y->kind == YCSB_CORE && y->core == 'D')
		return "--cross-host: workload D reads what its own host has added: it has no transactions over hosts";
	if (y->share_all && !y->cross_percent)
		return "--share-all goes with --cross-host: else nobody touches other hosts' rows";
	if (y->share_all && y->kind == YCSB_TIGON_SCAN)
		return "--share-all reads rows that --mix scan may have deleted";
	return NULL;
}

static bool configure(void *workload, const struct bench *bench, struct lg_pod_config *pod, char *err, size_t err_bytes)
{
	struct ycsb *y = workload;
	const char *contradiction = find_contradiction(y, bench);
	bool tigon = y->kind == YCSB_TIGON || y->kind == YCSB_TIGON_SCAN;

	if (contradiction) {
		snprintf(err, err_bytes, "%s", contradiction);
		return false;
	}
	if ((uint64_t)y->shape.fields * y->shape.field_bytes > LG_MAX_VALUE_BYTES) {
		snprintf(err, err_bytes, "--fields %u of --field-bytes %u make a row of more than %d bytes",
		        y->shape.fields, y->shape.field_bytes, LG_MAX_VALUE_BYTES);
		return false;
	}
	y->shape.bytes = y->shape.fields * y->shape.field_bytes;
	y->shape.whole = y->kind != YCSB_CORE;
	if (y->theta < 0)
		y->theta = tigon ? 0.7 : y->kind == YCSB_CORE ? 0.99 : 0;
	if (!y->scan_given)
		y->scan_length = tigon ? 10 : 100;
	zipf_init(&y->zipf, y->keys, y->theta);
	propose_sizes(y, bench->host_count, pod);
	return true;
}

/* ---- Tables and load ---- */

static int place(struct bench *bench, struct lg_error *err)
{
	for (uint32_t i = 0; i < bench->host_count; i++) {
		int code = lg_partition_place(bench->host, i, i, err);

		if (code != LG_OK)
			return code;
	}
	return LG_OK;
}

static int tables(struct bench *bench, struct lg_error *err)
{
	struct ycsb *y = bench->workload;
	uint64_t splits[LG_MAX_HOSTS];
	struct lg_table_def rows = {.name = "ycsb", .by = LG_RANGE, .partitions = bench->host_count, .splits = splits};
	struct lg_table_def checks = {.name = "ycsb_check", .by = LG_RANGE, .partitions = 1};
	int code;

	for (uint32_t i = 1; i < bench->host_count; i++)
		splits[i - 1] = (uint64_t)i << YCSB_HOST_SHIFT;
	if (bench->host_count == 1)
		rows.splits = NULL;
	code = lg_table_create(bench->host, &rows, &y->rows, err);
	if (code == LG_OK)
		code = lg_table_create(bench->host, &checks, &y->checks, err);
	return code;
}

static int worker_open(struct bench_worker *bw)
{
	struct ycsb_worker *w = aligned_alloc(ALIGN, (sizeof(*w) + ALIGN - 1) / ALIGN * ALIGN);
	const struct ycsb *y = bw->bench->workload;

	if (!w)
		return LG_NOSPACE;
	memset(w, 0, sizeof(*w));
	w->y = y;
	w->bench = bw;
	w->base = (uint64_t)bw->bench->host_id << YCSB_HOST_SHIFT;
	if (y->share_all) {
		uint64_t others = y->keys * (bw->bench->host_count - 1);

		w->to_share = ycsb_share_begin(bw, others, bw->index);
		w->share_end = ycsb_share_begin(bw, others, bw->index + 1);
	}
	w->row = malloc(y->shape.bytes);
	bw->state = w;
	return w->row ? LG_OK : LG_NOSPACE;
}

static void worker_close(struct bench_worker *bw)
{
	struct ycsb_worker *w = bw->state;

	if (w)
		free(w->row);
	free(w);
	bw->state = NULL;
}

static uint64_t load_rows(const struct bench_worker *w)
{
	uint64_t keys = ((const struct ycsb *)w->bench->workload)->keys;

	return ycsb_share_begin(w, keys, w->index + 1) - ycsb_share_begin(w, keys, w->index);
}

static int load(struct bench_worker *bw, struct lg_error *err)
{
	struct ycsb_worker *w = bw->state;
	const struct ycsb *y = w->y;
	uint64_t begin = ycsb_share_begin(bw, y->keys, bw->index), end = ycsb_share_begin(bw, y->keys, bw->index + 1);

	for (uint64_t n = begin; n < end; n++) {
		uint64_t key = w->base | n, bytes = htobe64(key);
		int code;

		row_write_all(&y->shape, w->row, key, 0);
		code = lg_load(bw->worker, y->rows, lg_slice(&bytes, sizeof(bytes)), lg_slice(w->row, y->shape.bytes));
		if (code != LG_OK) {
			err->code = code;
			snprintf(err->message, sizeof(err->message), "row %llu of %llu: %s", (unsigned long long)n,
			        (unsigned long long)y->keys, lg_strerror(code));
			return code;
		}
		/* Relaxed: a figure for the progress line, with one writer; every 64 rows are often enough. */
		if ((n - begin + 1) % 64 == 0 || n + 1 == end)
			atomic_store_explicit(&bw->loaded_rows, n - begin + 1, memory_order_relaxed);
	}
	return LG_OK;
}

/* ---- Report ---- */

static const char *kind_name(const struct ycsb *y)
{
	static const char *const core[] = {"A", "B", "C", "D", "E", "F"};

	switch (y->kind) {
	case YCSB_TIGON: return "tigon rw";
	case YCSB_TIGON_SCAN: return "tigon scan";
	case YCSB_CORE: return core[y->core - 'A'];
	case YCSB_GET: return "get";
	case YCSB_PUT: return "put";
	}
	return "";
}

static void report(const struct bench *bench, FILE *table, void *json)
{
	const struct ycsb *y = bench->workload;

	fprintf(table, "  workload         %s", kind_name(y));
	if (y->kind == YCSB_TIGON)
		fprintf(table, ", %u operations a transaction, %u%% reads", y->ops, y->read_percent);
	fprintf(table, ", zipf %g, cross-host %u%%, %llu rows a host of %u fields of %u bytes\n", y->theta,
	        y->cross_percent, (unsigned long long)y->keys, y->shape.fields, y->shape.field_bytes);
	if (!json)
		return;

	cJSON *object = cJSON_AddObjectToObject(json, "ycsb");
	cJSON_AddStringToObject(object, "workload", kind_name(y));
	if (y->kind == YCSB_TIGON) {
		cJSON_AddNumberToObject(object, "ops", y->ops);
		cJSON_AddNumberToObject(object, "read_percent", y->read_percent);
	}
	cJSON_AddNumberToObject(object, "zipf", y->theta);
	cJSON_AddNumberToObject(object, "cross_host_percent", y->cross_percent);
	cJSON_AddNumberToObject(object, "keys_per_host", (double)y->keys);
	cJSON_AddNumberToObject(object, "fields", y->shape.fields);
	cJSON_AddNumberToObject(object, "field_bytes", y->shape.field_bytes);
	cJSON_AddNumberToObject(object, "scan_length", y->scan_length);
}

const struct bench_workload bench_ycsb = {
        .name = "ycsb",
        .summary = "YCSB: the transactional variant of the Tigon paper, and the core workloads A to F",
        .options = option_table,
        .type_names = type_names,
        .type_count = YCSB_TYPE_COUNT,
        .create = create,
        .destroy = free,
        .set = set,
        .configure = configure,
        .place = place,
        .tables = tables,
        .worker_open = worker_open,
        .worker_close = worker_close,
        .load_rows = load_rows,
        .load = load,
        .transaction = ycsb_transaction,
        .check_steps = YCSB_CHECK_STEPS,
        .check = ycsb_check,
        .report = report,
};
