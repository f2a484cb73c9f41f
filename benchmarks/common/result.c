/* result.c: sums over hosts (result.h). */
#include "result.h"

#include <stdarg.h>
#include <string.h>

/* lg_stats is counters first, memory in use after; all are uint64_t, so they can be added as an array. */
enum {
	STATS_WORDS = sizeof(struct lg_stats) / sizeof(uint64_t),
	STATS_COUNTERS = offsetof(struct lg_stats, hwcc_row_bytes) / sizeof(uint64_t),
};

_Static_assert(sizeof(struct lg_stats) == STATS_WORDS * sizeof(uint64_t), "lg_stats is made of uint64_t alone");

size_t host_result_bytes(uint32_t type_count)
{
	return offsetof(struct host_result, latency) + type_count * sizeof(struct histogram);
}

void stats_since(struct lg_stats *stats, const struct lg_stats *before)
{
	uint64_t now[STATS_WORDS], then[STATS_WORDS];

	memcpy(now, stats, sizeof(now));
	memcpy(then, before, sizeof(then));
	for (uint32_t i = 0; i < STATS_COUNTERS; i++)
		now[i] -= then[i];
	memcpy(stats, now, sizeof(now));
}

void stats_add(struct lg_stats *into, const struct lg_stats *from)
{
	uint64_t a[STATS_WORDS], b[STATS_WORDS];

	memcpy(a, into, sizeof(a));
	memcpy(b, from, sizeof(b));
	for (uint32_t i = 0; i < STATS_WORDS; i++)
		a[i] += b[i];
	memcpy(into, a, sizeof(a));
}

static void add_host(struct run_result *r, const struct host_result *h, uint32_t type_count)
{
	double window_s = (double)h->window_ns * 1e-9;

	if (h->window_ns > r->sum.window_ns)
		r->sum.window_ns = h->window_ns;
	if (h->load_ns > r->sum.load_ns)
		r->sum.load_ns = h->load_ns;
	r->sum.load_rows += h->load_rows;
	r->sum.rss_bytes += h->rss_bytes;
	r->sum.rss_private_bytes += h->rss_private_bytes;
	stats_add(&r->sum.run, &h->run);
	stats_add(&r->sum.workers, &h->workers);
	for (uint32_t t = 0; t < type_count; t++) {
		r->sum.commits[t] += h->commits[t];
		r->sum.rolled_back[t] += h->rolled_back[t];
		r->sum.redo_bytes[t] += h->redo_bytes[t];
		histogram_merge(&r->sum.latency[t], &h->latency[t]);
		if (window_s > 0)
			r->type_per_s[t] += (double)h->commits[t] / window_s;
	}
}

void result_sum(struct run_result *r, uint32_t type_count)
{
	memset(&r->sum, 0, sizeof(r->sum));
	memset(r->type_per_s, 0, sizeof(r->type_per_s));
	r->commits_per_s = 0;
	for (uint32_t k = 0; k < r->host_count; k++)
		add_host(r, &r->host[k], type_count);
	for (uint32_t t = 0; t < type_count; t++)
		r->commits_per_s += r->type_per_s[t];
}

void result_read_rss(struct host_result *r)
{
	char line[256];
	unsigned long long kib;
	FILE *f = fopen("/proc/self/status", "r");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmRSS: %llu kB", &kib) == 1)
			r->rss_bytes = kib << 10;
		else if (sscanf(line, "RssAnon: %llu kB", &kib) == 1)
			r->rss_private_bytes = kib << 10;
	}
	fclose(f);
}

uint64_t result_commits(const struct run_result *r)
{
	uint64_t sum = 0;

	for (uint32_t t = 0; t < BENCH_MAX_TYPES; t++)
		sum += r->sum.commits[t];
	return sum;
}

uint64_t result_aborts(const struct run_result *r)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < LG_ABORT_REASON_COUNT; i++)
		if (i != LG_ABORT_USER)
			sum += r->sum.run.aborts[i];
	return sum;
}

double result_hwcc_bytes_per_row(const struct run_result *r)
{
	const struct lg_stats *s = &r->sum.run;

	return s->shared_rows ? (double)s->hwcc_claimed_bytes / (double)s->shared_rows : -1;
}

double result_swcc_bytes_per_payload_byte(const struct run_result *r)
{
	const struct lg_stats *s = &r->sum.run;

	if (s->swcc_payload_bytes == 0)
		return -1;
	return (double)(s->swcc_frame_bytes + s->swcc_directory_bytes) / (double)s->swcc_payload_bytes;
}

const char *result_durability_name(const struct run_result *r)
{
	return lg_durability_name(r->pod.config.durability);
}

void bench_fail(struct bench_failures *failures, const char *format, ...)
{
	va_list args;

	if (failures->count < BENCH_MAX_FAILURES) {
		va_start(args, format);
		vsnprintf(failures->text[failures->count], sizeof(failures->text[0]), format, args);
		va_end(args);
	}
	failures->count++;
}

void failures_merge(struct bench_failures *into, const struct bench_failures *from)
{
	for (uint32_t i = 0; i < from->count; i++) {
		if (into->count < BENCH_MAX_FAILURES && i < BENCH_MAX_FAILURES)
			memcpy(into->text[into->count], from->text[i], sizeof(into->text[0]));
		/* A sentence may have come through the pod: it ends here whatever it holds. */
		if (into->count < BENCH_MAX_FAILURES)
			into->text[into->count][sizeof(into->text[0]) - 1] = '\0';
		into->count++;
	}
}
