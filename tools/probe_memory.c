/* probe_memory.c: `liger probe memory`: the command line, and the memory that is measured. */
#include "probe_memory.h"

#include "cli.h"
#include "cxl/region.h"
#include "probe.h"

#include <errno.h>
#include <liger.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const char memory_help[] =
        "usage: liger probe memory [OPTION...]\n"
        "\n"
        "Measures memory as Liger uses it: latency, bandwidth, atomics, what another host has just\n"
        "written, write-backs and flushes, round trips, and latency under load. Under delay:PROFILE it\n"
        "prints the profile's figures beside, and this machine's own.\n"
        "\n"
        "  --emulate MODE  direct (default), delay:PROFILE, incoherent[:SEED]\n"
        "  --uri URI       make a region there for the purpose (shm:NAME, file:PATH, dax:PATH, with\n"
        "                  ?node=N), and remove it; default: this process's memory, in huge pages\n"
        "                  where the kernel has them\n"
        "  --mib N         size, 32 to 65536 (default 256); more than the caches, modelled or real\n"
        "  --chain-mib N   reads, one after the other and streamed, stay within N MiB of it, 1 to half of\n"
        "                  --mib (default: three quarters of it). What is larger than a profile's cache and\n"
        "                  smaller than this machine's shows the model without the machine's memory\n"
        "  --seed N        of the order of reads (default 1)\n"
        "  --quick         shorter and noisier\n"
        "  --check         exit code 1 if a figure is further from the profile than it may be: idle\n"
        "                  read 5% (10% below 200 ns), bandwidth and coherence 10%; where this machine\n"
        "                  alone is worse than the profile, and the figure at most 1.5 times worse than\n"
        "                  the machine alone, that is told, and is no failure\n"
        "  --json FILE     write the same as JSON; '-': to standard output, instead of the text\n";

enum { LEAST_MIB = 32, MOST_MIB = 65536, HWCC_BYTES = 2 << 20 };

struct options {
	const char *uri, *emulate, *json;
	uint64_t mib, chain_mib, seed;
	bool quick, check;
};

static const char *const command = "probe memory";

/* False after a usage error was printed. */
static bool take_option(struct cli_args *args, const char *name, struct options *o)
{
	const struct {
		const char *name;
		const char **text;
		uint64_t *number, min, max;
		bool *flag;
	} known[] = {
	        {"--uri", &o->uri, NULL, 0, 0, NULL},
	        {"--emulate", &o->emulate, NULL, 0, 0, NULL},
	        {"--json", &o->json, NULL, 0, 0, NULL},
	        {"--mib", NULL, &o->mib, LEAST_MIB, MOST_MIB, NULL},
	        {"--chain-mib", NULL, &o->chain_mib, 1, MOST_MIB / 2, NULL},
	        {"--seed", NULL, &o->seed, 0, UINT64_C(1) << 53, NULL},
	        {"--quick", NULL, NULL, 0, 0, &o->quick},
	        {"--check", NULL, NULL, 0, 0, &o->check},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		if (known[i].flag)
			return *known[i].flag = cli_is_flag(args);
		const char *value = cli_value(args);
		if (known[i].text)
			*known[i].text = value;
		return value &&
		       (known[i].text || cli_number(command, name, value, known[i].min, known[i].max, known[i].number));
	}
	cli_usage_error(command, "there is no %s '%s'", name[0] == '-' ? "option" : "argument", name);
	return false;
}

/* ---- The memory ---- */

static bool is_device(const struct options *o)
{
	return strncmp(o->uri, "dax:", 4) == 0;
}

/* A pod's region, whose backend, node and pages are checked as any pod's; its SWcc part is what is measured. */
static int make_region(const struct options *o, struct region *region, struct lg_error *err)
{
	struct lg_pod_config config;
	lg_pod_config_init(&config);
	config.hwcc_bytes = HWCC_BYTES;
	config.swcc_bytes = (o->mib << 20) + HWCC_BYTES - 1;
	config.swcc_bytes -= config.swcc_bytes % HWCC_BYTES;
	config.emulate = "direct"; /* what is measured is what comes after */
	int code = lg_pod_create(o->uri, &config, err);
	if (code)
		return code;
	code = region_attach(o->uri, 0, region, err);
	if (code) {
		(void)lg_pod_destroy_emulated(o->uri, "direct", true, NULL); /* err tells what went wrong first */
		return code;
	}
	/* The mapping keeps the memory: so nothing is left of it however this process ends. */
	if (!is_device(o))
		code = lg_pod_destroy_emulated(o->uri, "direct", true, err);
	if (code)
		region_detach(region);
	return code;
}

static int remove_region(const struct options *o, struct region *region)
{
	struct lg_error err = {0};
	region_detach(region);
	if (!is_device(o) || lg_pod_destroy_emulated(o->uri, "direct", true, &err) == LG_OK)
		return CLI_OK;
	fprintf(stderr, "liger %s: %s\n", command, err.message);
	return CLI_FAILED;
}

/* ---- The run ---- */

/* Whether a file can be made for the JSON, before anything is measured: a run takes minutes. */
static bool can_write_json(const struct options *o)
{
	if (!o->json || strcmp(o->json, "-") == 0)
		return true;
	const char *slash = strrchr(o->json, '/');
	char folder[4096];
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - o->json) + 1 : 1, slash ? o->json : ".");
	bool there = access(o->json, F_OK) == 0;
	if (there ? access(o->json, W_OK) == 0 : access(folder, W_OK | X_OK) == 0)
		return true;
	fprintf(stderr, "liger %s: cannot write %s: %s\n", command, o->json, strerror(errno));
	return false;
}

static int write_report(const struct options *o, const struct probe_report *report)
{
	bool to_stdout = o->json && strcmp(o->json, "-") == 0;
	if (to_stdout)
		return cli_end_output(command, probe_print_json(stdout, report) ? CLI_OK : CLI_FAILED);
	probe_print_text(stdout, report);
	if (!o->json)
		return cli_end_output(command, CLI_OK);
	FILE *out = fopen(o->json, "w");
	bool written = out && probe_print_json(out, report);
	if (!out || fclose(out) != 0 || !written) {
		fprintf(stderr, "liger %s: cannot write %s: %s\n", command, o->json, strerror(errno));
		return CLI_FAILED;
	}
	return cli_end_output(command, CLI_OK);
}

static int check(const struct probe_report *report)
{
	int code = CLI_OK;
	for (unsigned f = 0; f < FIGURE_COUNT; f++) {
		if (probe_judge(report, f) != VERDICT_OFF)
			continue;
		fprintf(stderr, "liger %s: %s is %.1f %s under %s, and the profile says %.1f\n", command,
		        probe_figure_kinds[f].key, report->result->figure[f], probe_figure_kinds[f].unit,
		        report->result->mode, probe_expected(report, f));
		code = CLI_FAILED;
	}
	return code;
}

static int measure(
        const struct options *o, const struct emu_profile *profile, struct probe_plan *plan, uint32_t page_bytes)
{
	struct probe_result machine, result;
	struct probe_report report = {
	        .plan = plan,
	        .place = o->uri ? o->uri : "this process's memory",
	        .page_bytes = page_bytes,
	        .profile = profile,
	        .result = &result,
	};
	if (profile) {
		if (!probe_measure(plan, "direct", &machine))
			return CLI_FAILED;
		report.machine = &machine;
	}
	if (!probe_measure(plan, o->emulate, &result))
		return CLI_FAILED;
	int code = write_report(o, &report);
	return code == CLI_OK && o->check ? check(&report) : code;
}

static int measure_in_place(const struct options *o, const struct emu_profile *profile)
{
	struct probe_plan plan = {
	        .bytes = o->mib << 20, .chain_bytes = o->chain_mib << 20, .seed = o->seed, .quick = o->quick};
	struct region region;
	struct lg_error err = {0};
	if (!o->uri)
		return measure(o, profile, &plan, 0);
	int code = make_region(o, &region, &err);
	if (code) {
		fprintf(stderr, "liger %s: %s\n", command, err.message[0] ? err.message : lg_strerror(code));
		return code == LG_INVALID ? CLI_USAGE : CLI_FAILED;
	}
	plan.memory = region.base + HWCC_BYTES;
	int measured = measure(o, profile, &plan, region.page_bytes);
	int removed = remove_region(o, &region);
	return measured ? measured : removed;
}

int probe_memory_main(int argc, char **argv)
{
	struct cli_args args = {.command = command, .argc = argc, .next = 1, .argv = argv};
	struct options options = {.emulate = "direct", .mib = 256, .seed = 1};
	struct emu_profile profile;
	struct emu_spec spec;
	char message[EMU_MESSAGE_BYTES];
	const char *argument;
	while ((argument = cli_next(&args))) {
		if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
			fputs(memory_help, stdout);
			return cli_end_output(command, CLI_OK);
		}
		if (!take_option(&args, argument, &options))
			return CLI_USAGE;
	}
	if (options.chain_mib > options.mib / 2)
		return cli_usage_error(command, "--chain-mib: %ju is more than half of the %ju MiB of --mib",
		        (uintmax_t)options.chain_mib, (uintmax_t)options.mib);
	if (!emu_spec_parse(options.emulate, &spec, message))
		return cli_usage_error(command, "--emulate: %s", message);
	if (spec.mode == EMU_DELAY && !emu_profile_load(spec.profile, &profile, message)) {
		fprintf(stderr, "liger %s: %s\n", command, message);
		return CLI_FAILED;
	}
	if (!can_write_json(&options))
		return CLI_FAILED;
	return measure_in_place(&options, spec.mode == EMU_DELAY ? &profile : NULL);
}
