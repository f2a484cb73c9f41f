/* print.c: the result as a table for people (result.h). */
#include <string.h>

#include "result.h"

/* Digits in groups of three: 1,234,567. Each call has its own text, as a compound literal of the caller's block. */
struct grouped {
	char text[32];
};

static const char *group(struct grouped *g, double number)
{
	char digits[32];
	int count = snprintf(digits, sizeof(digits), "%.0f", number < 0 ? 0 : number), at = 0;

	for (int i = 0; i < count && at < (int)sizeof(g->text) - 2; i++) {
		if (i > 0 && (count - i) % 3 == 0)
			g->text[at++] = ',';
		g->text[at++] = digits[i];
	}
	g->text[at] = '\0';
	return g->text;
}

#define GROUP(n) group(&(struct grouped){{0}}, (double)(n))

static double mib(uint64_t bytes)
{
	return (double)bytes / 1048576.0;
}

static void print_types(FILE *out, const struct run_result *r, const struct bench_workload *w)
{
	uint64_t all = result_commits(r);

	fprintf(out, "\n  %-14s %12s %7s %10s %9s %9s %9s %10s %10s\n", "transaction", "commits/s", "share", "p50 us",
	        "p95", "p99", "p99.9", "max", "rolled back");
	for (uint32_t t = 0; t < w->type_count; t++) {
		const struct histogram *h = &r->sum.latency[t];

		if (r->sum.commits[t] == 0)
			continue;
		fprintf(out, "  %-14s %12s %6.1f%% %10.1f %9.1f %9.1f %9.1f %10.1f %10llu\n", w->type_names[t],
		        GROUP(r->type_per_s[t]), 100.0 * (double)r->sum.commits[t] / (double)all,
		        (double)histogram_quantile_ns(h, 0.50) * 1e-3, (double)histogram_quantile_ns(h, 0.95) * 1e-3,
		        (double)histogram_quantile_ns(h, 0.99) * 1e-3, (double)histogram_quantile_ns(h, 0.999) * 1e-3,
		        (double)h->max_ns * 1e-3, (unsigned long long)r->sum.rolled_back[t]);
	}
}

static void print_aborts(FILE *out, const struct run_result *r, double commits)
{
	fprintf(out, "\n  aborts           %.4f a commit:", (double)result_aborts(r) / commits);
	for (uint32_t i = 0; i < LG_ABORT_REASON_COUNT; i++)
		if (i != LG_ABORT_USER)
			fprintf(out, " %s %s%s", lg_abort_reason_name((enum lg_abort_reason)i),
			        GROUP(r->sum.run.aborts[i]), i + 1 < LG_ABORT_REASON_COUNT ? "," : "");
	fprintf(out, "\n");
}

static void print_movement(FILE *out, const struct run_result *r, double commits)
{
	const struct lg_stats *s = &r->sum.run;
	double seconds = (double)r->sum.window_ns * 1e-9;

	fprintf(out, "  messages         %.4f a commit\n", (double)s->requests_sent / commits);
	if (s->redo_bytes)
		fprintf(out, "  redo             %.0f bytes a commit\n", (double)s->redo_bytes / commits);
	if (s->log_batches)
		fprintf(out,
		        "  log              %.0f bytes a commit, %.1f KiB a batch; %.6f waits for a ring a commit; "
		        "%.0f checkpoints\n",
		        (double)s->log_bytes / commits, (double)s->log_bytes / (double)s->log_batches / 1024,
		        (double)s->ring_waits / commits, (double)s->checkpoints);
	fprintf(out, "  rows moved       in %.4f a commit, %s/s; out %.4f a commit, %s/s\n",
	        (double)s->moved_in / commits, GROUP((double)s->moved_in / seconds), (double)s->moved_out / commits,
	        GROUP((double)s->moved_out / seconds));
	fprintf(out,
	        "  pod memory       a commit: %.2f remote reads, %.2f word writes, %.2f lines read, %.2f written, "
	        "%.2f flushed, %.2f fences\n",
	        (double)s->remote_reads / commits, (double)s->word_writes / commits, (double)s->line_reads / commits,
	        (double)s->line_writes / commits, (double)s->line_flushes / commits, (double)s->fences / commits);
}

static void print_memory(FILE *out, const struct run_result *r)
{
	const struct lg_stats *s = &r->sum.run;
	double a_row = result_hwcc_bytes_per_row(r), a_byte = result_swcc_bytes_per_payload_byte(r);

	fprintf(out, "  HWcc             claimed %.2f MiB (rows %.2f, leaves %.2f), fixed %.2f, of %.0f",
	        mib(s->hwcc_claimed_bytes), mib(s->hwcc_row_bytes), mib(s->hwcc_leaf_bytes),
	        mib(r->pod.hwcc_fixed_bytes), mib(r->pod.config.hwcc_bytes));
	if (a_row >= 0)
		fprintf(out, "; %.2f bytes for each of %s shared rows", a_row, GROUP(s->shared_rows));
	fprintf(out, "\n  SWcc             claimed %.2f MiB (frames %.2f, directories %.2f), fixed %.2f, of %.0f",
	        mib(s->swcc_claimed_bytes), mib(s->swcc_frame_bytes), mib(s->swcc_directory_bytes),
	        mib(r->pod.swcc_fixed_bytes), mib(r->pod.config.swcc_bytes));
	if (a_byte >= 0)
		fprintf(out, "; %.3f bytes a byte of payload", a_byte);
	fprintf(out, "\n  host memory      rows and trees %.1f MiB; resident %.1f MiB, %.1f without the pod\n",
	        mib(s->dram_bytes), mib(r->sum.rss_bytes), mib(r->sum.rss_private_bytes));
}

static void print_load(FILE *out, const struct run_result *r, const struct bench *bench)
{
	double seconds = (double)r->sum.load_ns * 1e-9;
	double workers = (double)bench->host_count * bench->workers_per_host;

	if (seconds <= 0)
		return;
	fprintf(out, "  load             %s rows in %.2f s: %s rows/s, %s a worker\n", GROUP(r->sum.load_rows), seconds,
	        GROUP((double)r->sum.load_rows / seconds), GROUP((double)r->sum.load_rows / seconds / workers));
}

static void print_checks(FILE *out, const struct run_result *r, const struct options *o)
{
	const struct bench_failures *f = &r->failures;
	uint32_t shown = f->count < BENCH_MAX_FAILURES ? f->count : BENCH_MAX_FAILURES;

	if (!o->check) {
		fprintf(out, "  checks           left out (--no-check)\n");
		return;
	}
	if (f->count == 0) {
		fprintf(out, "  checks           all hold\n");
		return;
	}
	fprintf(out, "  checks           %u FAILED:\n", f->count);
	for (uint32_t i = 0; i < shown; i++)
		fprintf(out, "    %s\n", f->text[i]);
	if (shown < f->count)
		fprintf(out, "    and %u more\n", f->count - shown);
}

void result_print(FILE *out, const struct run_result *r, const struct options *o, const struct bench *bench)
{
	uint64_t all = result_commits(r);
	double commits = all ? (double)all : 1;

	fprintf(out, "\n%s on %u host%s of %u worker%s: %s commits/s\n", o->workload->name, bench->host_count,
	        bench->host_count == 1 ? "" : "s", bench->workers_per_host, bench->workers_per_host == 1 ? "" : "s",
	        GROUP(r->commits_per_s));
	fprintf(out, "  %s commits in %.2f s after %.2f s of warm-up; durability %s, emulation %s, seed %llu\n",
	        GROUP(all), (double)r->sum.window_ns * 1e-9, o->warmup_seconds, result_durability_name(r),
	        lg_host_emulation(bench->host), (unsigned long long)o->seed);
	print_types(out, r, o->workload);
	print_aborts(out, r, commits);
	print_movement(out, r, commits);
	print_memory(out, r);
	print_load(out, r, bench);
	if (o->workload->report)
		o->workload->report(bench, out, NULL);
	print_checks(out, r, o);
}
