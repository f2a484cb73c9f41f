/* json.c: the result as JSON (result.h). Figures that do not exist (bytes a shared row when none is) are null. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "result.h"

static void add(cJSON *object, const char *name, double number)
{
	cJSON_AddNumberToObject(object, name, number);
}

static void add_or_null(cJSON *object, const char *name, double number)
{
	if (number < 0)
		cJSON_AddNullToObject(object, name);
	else
		add(object, name, number);
}

static void add_latency(cJSON *object, const struct histogram *h)
{
	cJSON *l = cJSON_AddObjectToObject(object, "latency_us");

	add(l, "mean", h->count ? (double)h->sum_ns * 1e-3 / (double)h->count : 0);
	add(l, "p50", (double)histogram_quantile_ns(h, 0.50) * 1e-3);
	add(l, "p95", (double)histogram_quantile_ns(h, 0.95) * 1e-3);
	add(l, "p99", (double)histogram_quantile_ns(h, 0.99) * 1e-3);
	add(l, "p99_9", (double)histogram_quantile_ns(h, 0.999) * 1e-3);
	add(l, "max", (double)h->max_ns * 1e-3);
}

static void add_types(cJSON *root, const struct run_result *r, const struct bench_workload *w)
{
	cJSON *types = cJSON_AddObjectToObject(root, "types");

	for (uint32_t t = 0; t < w->type_count; t++) {
		if (r->sum.commits[t] == 0)
			continue;
		cJSON *type = cJSON_AddObjectToObject(types, w->type_names[t]);
		add(type, "commits", (double)r->sum.commits[t]);
		add(type, "rolled_back", (double)r->sum.rolled_back[t]);
		add(type, "commits_per_s", r->type_per_s[t]);
		add(type, "redo_bytes_per_commit", (double)r->sum.redo_bytes[t] / (double)r->sum.commits[t]);
		add_latency(type, &r->sum.latency[t]);
	}
}

static void add_aborts(cJSON *root, const struct run_result *r)
{
	cJSON *aborts = cJSON_AddObjectToObject(root, "aborts");

	for (uint32_t i = 0; i < LG_ABORT_REASON_COUNT; i++)
		add(aborts, lg_abort_reason_name((enum lg_abort_reason)i), (double)r->sum.run.aborts[i]);
}

static void add_movement(cJSON *root, const struct run_result *r, double commits)
{
	const struct lg_stats *s = &r->sum.run;
	double seconds = (double)r->sum.window_ns * 1e-9;

	add(root, "messages_per_commit", (double)s->requests_sent / commits);
	add(root, "redo_bytes_per_commit", (double)s->redo_bytes / commits);
	add(root, "log_bytes_per_commit", (double)s->log_bytes / commits);
	add(root, "log_batches", (double)s->log_batches);
	add(root, "ring_waits", (double)s->ring_waits);
	add(root, "checkpoints", (double)s->checkpoints);
	add(root, "moved_in_per_commit", (double)s->moved_in / commits);
	add(root, "moved_in_per_s", seconds > 0 ? (double)s->moved_in / seconds : 0);
	add(root, "moved_out_per_commit", (double)s->moved_out / commits);
	add(root, "moved_out_per_s", seconds > 0 ? (double)s->moved_out / seconds : 0);

	cJSON *pod = cJSON_AddObjectToObject(root, "pod_accesses_per_commit");
	add(pod, "remote_reads", (double)s->remote_reads / commits);
	add(pod, "word_writes", (double)s->word_writes / commits);
	add(pod, "line_reads", (double)s->line_reads / commits);
	add(pod, "line_writes", (double)s->line_writes / commits);
	add(pod, "line_flushes", (double)s->line_flushes / commits);
	add(pod, "fences", (double)s->fences / commits);
	add(pod, "directory_hits", (double)s->directory_hits / commits);
	add(pod, "directory_misses", (double)s->directory_misses / commits);

	/* Absolute, so that "none" can be told from "few". */
	cJSON *workers = cJSON_AddObjectToObject(root, "worker_accesses");
	s = &r->sum.workers;
	add(workers, "remote_reads", (double)s->remote_reads);
	add(workers, "word_writes", (double)s->word_writes);
	add(workers, "epoch_publishes", (double)s->epoch_publishes);
	add(workers, "line_writes", (double)s->line_writes);
	add(workers, "line_flushes", (double)s->line_flushes);
	add(workers, "directory_misses", (double)s->directory_misses);
	add(workers, "requests_sent", (double)s->requests_sent);
	add(workers, "requests_served", (double)s->requests_served);
}

static void add_memory(cJSON *root, const struct run_result *r)
{
	const struct lg_stats *s = &r->sum.run;
	cJSON *hwcc = cJSON_AddObjectToObject(root, "hwcc"), *swcc = cJSON_AddObjectToObject(root, "swcc");

	add_or_null(root, "hwcc_bytes_per_shared_row", result_hwcc_bytes_per_row(r));
	add_or_null(root, "swcc_bytes_per_payload_byte", result_swcc_bytes_per_payload_byte(r));
	add_or_null(root, "swcc_claimed_bytes_per_payload_byte",
	        s->swcc_payload_bytes ? (double)s->swcc_claimed_bytes / (double)s->swcc_payload_bytes : -1);
	add(root, "shared_rows", (double)s->shared_rows);
	add(root, "hwcc_fixed_bytes", (double)r->pod.hwcc_fixed_bytes);
	add(hwcc, "budget_bytes", (double)r->pod.config.hwcc_bytes);
	add(hwcc, "fixed_bytes", (double)r->pod.hwcc_fixed_bytes);
	add(hwcc, "free_bytes", (double)r->pod.hwcc_free_bytes);
	add(hwcc, "claimed_bytes", (double)s->hwcc_claimed_bytes);
	add(hwcc, "row_bytes", (double)s->hwcc_row_bytes);
	add(hwcc, "leaf_bytes", (double)s->hwcc_leaf_bytes);
	add(swcc, "budget_bytes", (double)r->pod.config.swcc_bytes);
	add(swcc, "fixed_bytes", (double)r->pod.swcc_fixed_bytes);
	add(swcc, "free_bytes", (double)r->pod.swcc_free_bytes);
	add(swcc, "claimed_bytes", (double)s->swcc_claimed_bytes);
	add(swcc, "frame_bytes", (double)s->swcc_frame_bytes);
	add(swcc, "directory_bytes", (double)s->swcc_directory_bytes);
	add(swcc, "payload_bytes", (double)s->swcc_payload_bytes);
	add(root, "dram_bytes", (double)s->dram_bytes);
	add(root, "rss_bytes", (double)r->sum.rss_bytes);
	add(root, "rss_private_bytes", (double)r->sum.rss_private_bytes);
	add(root, "page_bytes", (double)r->pod.page_bytes);
}

static void add_load(cJSON *root, const struct run_result *r, const struct bench *bench)
{
	cJSON *load = cJSON_AddObjectToObject(root, "load");
	double seconds = (double)r->sum.load_ns * 1e-9, rate = seconds > 0 ? (double)r->sum.load_rows / seconds : 0;

	add(load, "rows", (double)r->sum.load_rows);
	add(load, "seconds", seconds);
	add(load, "rows_per_s", rate);
	add(load, "rows_per_s_per_worker", rate / bench->host_count / bench->workers_per_host);
}

static void add_failures(cJSON *root, const struct run_result *r, const struct options *o)
{
	cJSON *failed = cJSON_AddArrayToObject(root, "consistency_failed");
	uint32_t count = r->failures.count;

	for (uint32_t i = 0; i < count && i < BENCH_MAX_FAILURES; i++)
		cJSON_AddItemToArray(failed, cJSON_CreateString(r->failures.text[i]));
	if (count > BENCH_MAX_FAILURES) {
		char more[64];
		snprintf(more, sizeof(more), "and %u more", count - BENCH_MAX_FAILURES);
		cJSON_AddItemToArray(failed, cJSON_CreateString(more));
	}
	cJSON_AddBoolToObject(root, "consistency_checked", o->check);
}

static void add_options(cJSON *root, const struct options *o)
{
	cJSON *options = cJSON_AddObjectToObject(root, "options");

	for (uint32_t i = 0; i < o->given_count; i++) {
		const char *name = o->given[i].name + 2;

		/* The last of two of a name wins. */
		cJSON_DeleteItemFromObjectCaseSensitive(options, name);
		if (o->given[i].value)
			cJSON_AddStringToObject(options, name, o->given[i].value);
		else
			cJSON_AddTrueToObject(options, name);
	}
	cJSON_AddBoolToObject(options, "pin", o->pin);
	cJSON_AddBoolToObject(options, "attach", o->attach != NULL);
}

static void add_hosts(cJSON *root, const struct run_result *r)
{
	cJSON *hosts = cJSON_AddArrayToObject(root, "by_host");

	for (uint32_t k = 0; k < r->host_count; k++) {
		const struct host_result *h = &r->host[k];
		cJSON *host = cJSON_CreateObject();
		uint64_t commits = 0;

		for (uint32_t t = 0; t < BENCH_MAX_TYPES; t++)
			commits += h->commits[t];
		cJSON_AddItemToArray(hosts, host);
		add(host, "commits_per_s", h->window_ns ? (double)commits * 1e9 / (double)h->window_ns : 0);
		add(host, "requests_sent", (double)h->run.requests_sent);
		add(host, "requests_served", (double)h->run.requests_served);
		add(host, "shared_rows", (double)h->run.shared_rows);
		add(host, "dram_bytes", (double)h->run.dram_bytes);
		add(host, "rss_bytes", (double)h->rss_bytes);
	}
}

static void fill(cJSON *root, const struct run_result *r, const struct options *o, const struct bench *bench)
{
	uint64_t all = result_commits(r);
	double commits = all ? (double)all : 1;
	char seed[24];

	cJSON_AddStringToObject(root, "workload", o->workload->name);
	cJSON_AddStringToObject(root, "version", LG_VERSION);
	add(root, "hosts", bench->host_count);
	add(root, "workers_per_host", bench->workers_per_host);
	/* As digits, not through a double, which would round a great seed. */
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)o->seed);
	cJSON_AddRawToObject(root, "seed", seed);
	cJSON_AddStringToObject(root, "durability", result_durability_name(r));
	cJSON_AddStringToObject(root, "emulation", lg_host_emulation(bench->host));
	add(root, "warmup_seconds", o->warmup_seconds);
	add(root, "seconds", (double)r->sum.window_ns * 1e-9);
	add(root, "commits", (double)all);
	add(root, "commits_per_s", r->commits_per_s);
	add(root, "aborts_per_commit", (double)result_aborts(r) / commits);
	add(root, "priorities", (double)r->sum.run.priorities);
	add_failures(root, r, o);
	add_types(root, r, o->workload);
	add_aborts(root, r);
	add_movement(root, r, commits);
	add_memory(root, r);
	add_load(root, r, bench);
	add_hosts(root, r);
	add_options(root, o);
}

/* Writes all of `text` to a new file, durably enough that a rename never leaves an empty one. */
static bool write_file(const char *path, const char *text, char *err, size_t err_bytes)
{
	FILE *f = fopen(path, "w");
	bool good = f && fputs(text, f) >= 0 && fputc('\n', f) != EOF && fflush(f) == 0 && fsync(fileno(f)) == 0;
	int why = errno;

	if (f && fclose(f) != 0 && good) {
		why = errno;
		good = false;
	}
	if (!good) {
		snprintf(err, err_bytes, "cannot write %s: %s", path, strerror(why));
		unlink(path);
	}
	return good;
}

bool result_write_json(const char *path, const struct run_result *r, const struct options *o, const struct bench *bench,
        char *err, size_t err_bytes)
{
	cJSON *root = cJSON_CreateObject();
	size_t bytes = strlen(path) + 32;
	char *text = NULL, *beside = malloc(bytes);
	bool good = false;

	if (!root || !beside) {
		snprintf(err, err_bytes, "cannot write %s: out of memory", path);
		goto out;
	}
	fill(root, r, o, bench);
	if (o->workload->report) {
		/* The lines for people were printed with the table. */
		FILE *nowhere = fopen("/dev/null", "w");
		if (!nowhere) {
			snprintf(err, err_bytes, "cannot open /dev/null: %s", strerror(errno));
			goto out;
		}
		o->workload->report(bench, nowhere, root);
		fclose(nowhere);
	}
	text = cJSON_Print(root);
	if (!text) {
		snprintf(err, err_bytes, "cannot write %s: out of memory", path);
		goto out;
	}
	snprintf(beside, bytes, "%s.%ld.new", path, (long)getpid());
	if (!write_file(beside, text, err, err_bytes))
		goto out;
	good = rename(beside, path) == 0;
	if (!good) {
		snprintf(err, err_bytes, "cannot rename %s to %s: %s", beside, path, strerror(errno));
		unlink(beside);
	}
out:
	cJSON_free(text);
	cJSON_Delete(root);
	free(beside);
	return good;
}
