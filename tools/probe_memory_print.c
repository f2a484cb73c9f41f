/* probe_memory_print.c: what was measured beside what the profile says: text, JSON, and the verdict of --check. */
#include "probe_memory.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

const struct probe_figure_kind probe_figure_kinds[FIGURE_COUNT] = {
        [FIGURE_IDLE_READ] = {"idle_read", "read, idle, one after the other", "ns", 5},
        [FIGURE_READ_P50] = {"read_p50", "  each timed by itself: p50", "ns", 0},
        [FIGURE_READ_P99] = {"read_p99", "  p99", "ns", 0},
        [FIGURE_READ_P999] = {"read_p999", "  p99.9", "ns", 0},
        [FIGURE_FRAME_READ] = {"frame_read", "read of 16 lines together", "ns", 0},
        [FIGURE_COHERENCE] = {"coherence", "load of a word another host wrote", "ns", 10},
        [FIGURE_FRESH_LINE] = {"fresh_line", "flush, read of a line another host wrote", "ns", 0},
        [FIGURE_ATOMIC_ALONE] = {"atomic_alone", "fetch_add, alone", "ns", 0},
        [FIGURE_ATOMIC_CONTENDED] = {"atomic_contended", "fetch_add, two hosts on one word", "ns", 0},
        [FIGURE_WORD_ROUND_TRIP] = {"word_round_trip", "round trip by two words", "ns", 0},
        [FIGURE_MESSAGE_ROUND_TRIP] = {"message_round_trip", "round trip by messages of a line", "ns", 0},
        [FIGURE_FULL_FENCE] = {"full_fence", "full fence, nothing to wait for", "ns", 0},
        [FIGURE_WRITE_BACK_1] = {"write_back_1", "write-back of 1 line, fence", "ns", 0},
        [FIGURE_WRITE_BACK_8] = {"write_back_8", "write-back of 8 lines, fence", "ns", 0},
        [FIGURE_WRITE_BACK_64] = {"write_back_64", "write-back of 64 lines, fence", "ns", 0},
        [FIGURE_FLUSH] = {"flush", "flush of a line, full fence", "ns", 0},
        [FIGURE_FLUSH_AND_READ] = {"flush_and_read", "flush of a line, full fence, read", "ns", 0},
        [FIGURE_READ_1_THREAD] = {"read_1_thread", "streamed read, 1 thread", "GB/s", 10},
        [FIGURE_READ_2_THREADS] = {"read_2_threads", "streamed read, 2 threads of a host", "GB/s", 10},
        [FIGURE_READ_2_HOSTS] = {"read_2_hosts", "streamed read, 2 hosts", "GB/s", 10},
        [FIGURE_WRITE_1_THREAD] = {"write_1_thread", "streamed write, 1 thread", "GB/s", 10},
        [FIGURE_WRITE_2_THREADS] = {"write_2_threads", "streamed write, 2 threads of a host", "GB/s", 10},
        [FIGURE_WRITE_2_HOSTS] = {"write_2_hosts", "streamed write, 2 hosts", "GB/s", 10},
};

/* ---- Judging ---- */

/* Where the machine alone is slower than the profile there is nothing to wait for, and under emulation a figure is the
 * machine's, the model's own time, and what others' use of the machine makes of both: within this factor of the
 * machine's alone. What is further off is the emulation's fault. */
#define MACHINE_FACTOR 1.5

/* Links add up; the device bounds all together. */
static double both(double link_gbps, double device_gbps, unsigned hosts)
{
	return fmin(link_gbps * hosts, device_gbps);
}

static double positive(double n)
{
	return n > 0 ? n : NAN;
}

double probe_expected(const struct probe_report *report, enum probe_figure figure)
{
	const struct emu_profile *p = report->profile;
	if (!p)
		return NAN;
	/* read_ns is the median; where the profile has a tail, reads one after the other take more each. */
	double read_ns = emu_profile_mean_read_ns(p);
	switch (figure) {
	case FIGURE_IDLE_READ: return read_ns;
	case FIGURE_READ_P50: return p->read_ns;
	case FIGURE_READ_P99: return positive(p->read_p99_ns);
	case FIGURE_READ_P999: return positive(p->read_p999_ns);
	/* The first line's latency, and the others' shares of it. */
	case FIGURE_FRAME_READ: return read_ns * (1 + (PROBE_FRAME_LINES - 1) / p->lines_in_flight);
	case FIGURE_COHERENCE: return p->coherence_ns;
	case FIGURE_ATOMIC_ALONE: return p->atomic_ns;
	case FIGURE_FULL_FENCE: return p->fence_ns;
	case FIGURE_WRITE_BACK_1: return p->write_back_ns;
	case FIGURE_FLUSH: return p->flush_ns;
	case FIGURE_FRESH_LINE:
	case FIGURE_FLUSH_AND_READ: return p->flush_ns + read_ns;
	case FIGURE_READ_1_THREAD:
	case FIGURE_READ_2_THREADS: return both(p->host_read_gbps, p->device_read_gbps, 1);
	case FIGURE_READ_2_HOSTS: return both(p->host_read_gbps, p->device_read_gbps, 2);
	case FIGURE_WRITE_1_THREAD:
	case FIGURE_WRITE_2_THREADS: return both(p->host_write_gbps, p->device_write_gbps, 1);
	case FIGURE_WRITE_2_HOSTS: return both(p->host_write_gbps, p->device_write_gbps, 2);
	default: return NAN;
	}
}

static double deviation_percent(double measured, double expected)
{
	return (measured / expected - 1) * 100;
}

static double tolerance_percent(const struct probe_report *report, enum probe_figure figure)
{
	double percent = probe_figure_kinds[figure].tolerance_percent;
	if (figure == FIGURE_IDLE_READ && probe_expected(report, figure) < 200)
		percent = 10;
	return percent;
}

/* Of a figure that is off: whether this machine could not have done it without emulation either. */
static bool is_machines_fault(const struct probe_report *report, enum probe_figure figure)
{
	double expected = probe_expected(report, figure), measured = report->result->figure[figure];
	double machine = report->machine ? report->machine->figure[figure] : NAN;
	if (probe_is_bandwidth(figure))
		return machine < expected && measured < expected && measured >= machine / MACHINE_FACTOR;
	return machine > expected && measured > expected && measured <= machine * MACHINE_FACTOR;
}

enum probe_verdict probe_judge(const struct probe_report *report, enum probe_figure figure)
{
	double expected = probe_expected(report, figure), tolerance = tolerance_percent(report, figure);
	if (isnan(expected) || tolerance == 0)
		return VERDICT_NONE;
	if (fabs(deviation_percent(report->result->figure[figure], expected)) <= tolerance)
		return VERDICT_OK;
	return is_machines_fault(report, figure) ? VERDICT_MACHINE : VERDICT_OFF;
}

static const char *verdict_name(enum probe_verdict verdict)
{
	switch (verdict) {
	case VERDICT_NONE: return "";
	case VERDICT_OK: return "ok";
	case VERDICT_OFF: return "off";
	case VERDICT_MACHINE: return "machine";
	}
	return "";
}

/* ---- Text ---- */

static void print_number(FILE *out, double n, const char *unit)
{
	if (isnan(n))
		fprintf(out, " %10s", "-");
	else
		fprintf(out, " %10.*f", strcmp(unit, "ns") == 0 ? 1 : 2, n);
}

static void print_figure(FILE *out, const struct probe_report *report, enum probe_figure figure)
{
	const struct probe_figure_kind *kind = &probe_figure_kinds[figure];
	double measured = report->result->figure[figure], expected = probe_expected(report, figure);
	double machine = report->machine ? report->machine->figure[figure] : NAN;
	enum probe_verdict verdict = probe_judge(report, figure);
	fprintf(out, "%-40s %-5s", kind->label, kind->unit);
	print_number(out, measured, kind->unit);
	if (report->machine) {
		print_number(out, expected, kind->unit);
		if (isnan(expected))
			fprintf(out, " %9s", "-");
		else
			fprintf(out, " %+8.1f%%", deviation_percent(measured, expected));
		print_number(out, machine, kind->unit);
		if (verdict == VERDICT_MACHINE)
			fprintf(out, "  this machine itself takes more: cannot be emulated here");
		else
			fprintf(out, "  %s", verdict_name(verdict));
	}
	fputc('\n', out);
}

static void print_load(FILE *out, const struct probe_report *report)
{
	fprintf(out, "\nLatency of a read while another thread of the host reads\n%12s %12s", "GB/s", "ns");
	if (report->machine)
		fprintf(out, "    this machine: %8s %12s", "GB/s", "ns");
	fputc('\n', out);
	for (unsigned i = 0; i < LOAD_POINTS; i++) {
		const struct probe_load_point *at = &report->result->load[i];
		fprintf(out, "%12.2f %12.1f", at->gbps, at->ns);
		if (report->machine)
			fprintf(out, "%26.2f %12.1f", report->machine->load[i].gbps, report->machine->load[i].ns);
		fputc('\n', out);
	}
}

void probe_print_text(FILE *out, const struct probe_report *report)
{
	fprintf(out, "emulation %s; %" PRIu64 " MiB of %s; seed %" PRIu64 "\n", report->result->mode,
	        report->plan->bytes >> 20, report->place, report->plan->seed);
	if (report->plan->chain_bytes)
		fprintf(out, "reads stay within %" PRIu64 " MiB\n", report->plan->chain_bytes >> 20);
	if (report->page_bytes)
		fprintf(out, "mapped in pages of %u KiB\n", report->page_bytes >> 10);
	if (report->profile)
		fprintf(out, "profile %s: %s\n", report->profile->name, report->profile->description);
	fprintf(out, "Each figure is the best round's median over short slices; quantiles are of one sample each.\n\n");
	fprintf(out, "%-40s %-5s %10s", "figure", "unit", "measured");
	if (report->machine)
		fprintf(out, " %10s %9s %10s", "profile", "deviation", "machine");
	fputc('\n', out);
	for (unsigned f = 0; f < FIGURE_COUNT; f++)
		print_figure(out, report, f);
	print_load(out, report);
}

/* ---- JSON ---- */

static bool add_double(cJSON *object, const char *name, double n)
{
	return (isnan(n) ? cJSON_AddNullToObject(object, name) : cJSON_AddNumberToObject(object, name, n)) != NULL;
}

static bool add_figure(cJSON *figures, const struct probe_report *report, enum probe_figure figure)
{
	const struct probe_figure_kind *kind = &probe_figure_kinds[figure];
	double measured = report->result->figure[figure], expected = probe_expected(report, figure);
	cJSON *object = cJSON_AddObjectToObject(figures, kind->key);
	if (!object)
		return false;
	bool ok = cJSON_AddStringToObject(object, "unit", kind->unit) != NULL;
	ok &= add_double(object, "measured", measured);
	ok &= add_double(object, "profile", expected);
	ok &= add_double(object, "deviation_percent", deviation_percent(measured, expected));
	ok &= add_double(object, "machine", report->machine ? report->machine->figure[figure] : NAN);
	return ok & (cJSON_AddStringToObject(object, "verdict", verdict_name(probe_judge(report, figure))) != NULL);
}

static bool add_load(cJSON *root, const char *name, const struct probe_result *result)
{
	cJSON *array = cJSON_AddArrayToObject(root, name);
	for (unsigned i = 0; array && i < LOAD_POINTS; i++) {
		double pair[2] = {result->load[i].gbps, result->load[i].ns};
		cJSON *point = cJSON_CreateDoubleArray(pair, 2);
		if (point && cJSON_AddItemToArray(array, point))
			continue;
		cJSON_Delete(point);
		return false;
	}
	return array != NULL;
}

static cJSON *report_json(const struct probe_report *report)
{
	cJSON *root = cJSON_CreateObject(), *figures = NULL;
	if (!root)
		return NULL;
	bool ok = cJSON_AddStringToObject(root, "emulation", report->result->mode) != NULL;
	ok &= cJSON_AddStringToObject(root, "memory", report->place) != NULL;
	ok &= cJSON_AddNumberToObject(root, "bytes", (double)report->plan->bytes) != NULL;
	ok &= add_double(root, "page_bytes", report->page_bytes ? (double)report->page_bytes : NAN);
	ok &= add_double(root, "chain_bytes", report->plan->chain_bytes ? (double)report->plan->chain_bytes : NAN);
	ok &= cJSON_AddNumberToObject(root, "seed", (double)report->plan->seed) != NULL;
	ok &= cJSON_AddBoolToObject(root, "quick", report->plan->quick) != NULL;
	ok &= (figures = cJSON_AddObjectToObject(root, "figures")) != NULL;
	for (unsigned f = 0; ok && f < FIGURE_COUNT; f++)
		ok = add_figure(figures, report, f);
	ok = ok && add_load(root, "latency_under_load", report->result);
	if (ok && report->machine)
		ok = add_load(root, "machine_under_load", report->machine);
	if (ok)
		return root;
	cJSON_Delete(root);
	return NULL;
}

bool probe_print_json(FILE *out, const struct probe_report *report)
{
	cJSON *root = report_json(report);
	char *text = root ? cJSON_Print(root) : NULL;
	bool ok = text && fprintf(out, "%s\n", text) > 0;
	cJSON_free(text);
	cJSON_Delete(root);
	return ok;
}
