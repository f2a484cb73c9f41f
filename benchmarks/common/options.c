/* options.c: a small table-driven parser (options.h). Options may be given as "--name value" or "--name=value"; the
 * last of two wins. */
#include "options.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "numbers.h"

enum option_kind { KIND_U32, KIND_U64, KIND_SECONDS, KIND_TEXT, KIND_TRUE, KIND_FALSE };

struct driver_option {
	const char *name, *argument, *help;
	enum option_kind kind;
	bool all_agree; /* every host of a run must be given the same */
	size_t offset;
	uint64_t low, high;
};

#define AT(field) offsetof(struct options, field)

static const struct driver_option driver_options[] = {
        {"--hosts", "H", "host processes to start (default 2)", KIND_U32, false, AT(hosts), 1, LG_MAX_HOSTS},
        {"--workers", "W", "workers of each host (default 1)", KIND_U32, true, AT(workers), 1, LG_MAX_WORKERS - 1},
        {"--max-running", "N", "of them, that run at once (default: as many as there are CPUs; W: all)", KIND_U32, true,
                AT(max_running), 1, LG_MAX_WORKERS},
        {"--seconds", "S", "length of the measured phase (default 5)", KIND_SECONDS, true, AT(seconds), 0, 1000000},
        {"--warmup", "S", "length of the phase before it (default 1)", KIND_SECONDS, true, AT(warmup_seconds), 0,
                1000000},
        {"--seed", "N", "seed of all random numbers (default 1)", KIND_U64, true, AT(seed), 0, UINT64_MAX},
        {"--json", "FILE", "write the result there too", KIND_TEXT, false, AT(json_path), 0, 0},
        {"--uri", "URI", "of the pod to create (default shm:liger-bench-PID)", KIND_TEXT, false, AT(uri), 0, 0},
        {"--hwcc-mib", "N", "hardware-coherent part of it (default: by workload)", KIND_U64, false, AT(hwcc_mib), 2,
                1 << 20},
        {"--swcc-mib", "N", "the rest of it (default: by workload)", KIND_U64, false, AT(swcc_mib), 2, 1 << 24},
        {"--durability", "LEVEL", "of it: none, cxl (sealed in pod memory), disk (default none)", KIND_TEXT, false,
                AT(durability), 0, 0},
        {"--data", "DIR", "of it, for its logs; with cxl or disk (needed by disk); it must be empty", KIND_TEXT, false,
                AT(data), 0, 0},
        {"--checkpoint-mb-per-s", "N", "of rows that each host's checkpoints read, at most; 0: no limit (default 100)",
                KIND_U32, false, AT(checkpoint_mb_per_s), 0, 1 << 20},
        {"--checkpoint-log-mib", "N", "of log after which a checkpoint is made; 0: none is (default 1024)", KIND_U32,
                false, AT(checkpoint_log_mib), 0, 1 << 24},
        {"--attach", "URI", "run one host of a pod that exists (liger pod create)", KIND_TEXT, false, AT(attach), 0, 0},
        {"--host-id", "K", "with --attach: which host", KIND_U32, false, AT(host_id), 0, LG_MAX_HOSTS - 1},
        {"--join-seconds", "S", "how long to wait for hosts to appear (default 30)", KIND_SECONDS, false,
                AT(join_seconds), 1, 86400},
        {"--emulate", "MODE", "delay:PROFILE, incoherent[:SEED], direct (default: $LIGER_EMULATE, else direct)",
                KIND_TEXT, true, AT(emulate), 0, 0},
        {"--no-check", NULL, "leave the consistency checks out", KIND_FALSE, true, AT(check), 0, 0},
        {"--no-pin", NULL, "do not pin workers to CPUs", KIND_FALSE, false, AT(pin), 0, 0},
        {"--quiet", NULL, "print no progress", KIND_TRUE, false, AT(quiet), 0, 0},
        {"--help", NULL, "print this", KIND_TRUE, false, 0, 0, 0},
};

enum { DRIVER_OPTION_COUNT = sizeof(driver_options) / sizeof(driver_options[0]) };

static uint64_t hash_text(const char *name, const char *value)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const char *p = name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	hash = (hash ^ '=') * UINT64_C(0x100000001b3);
	for (const char *p = value; *p; p++)
		hash = (hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	return hash;
}

static bool set_driver_option(struct options *o, const struct driver_option *d, const char *value, char *err, size_t n)
{
	char *at = (char *)o + d->offset;

	assert(value || d->kind == KIND_TRUE || d->kind == KIND_FALSE);
	switch (d->kind) {
	case KIND_U32:
		return number_parse_u32(value, (uint32_t)d->low, (uint32_t)d->high, (uint32_t *)(void *)at, err, n);
	case KIND_U64: return number_parse_u64(value, d->low, d->high, (uint64_t *)(void *)at, err, n);
	case KIND_SECONDS:
		return number_parse_double(value, (double)d->low, (double)d->high, (double *)(void *)at, err, n);
	case KIND_TEXT:
		if (*value == '\0') {
			snprintf(err, n, "it needs a %s, not an empty text", d->argument);
			return false;
		}
		*(const char **)(void *)at = value;
		return true;
	case KIND_TRUE: *(bool *)at = true; return true;
	case KIND_FALSE: *(bool *)at = false; return true;
	}
	return false;
}

static bool set_workload_option(struct options *o, const char *name, const char *value, char *err, size_t err_bytes)
{
	if (o->given_count == OPTIONS_MAX_GIVEN) {
		snprintf(err, err_bytes, "more than %d options of the workload", OPTIONS_MAX_GIVEN);
		return false;
	}
	if (!o->workload->set(o->state, name, value, err, err_bytes))
		return false;
	o->given[o->given_count].name = name;
	o->given[o->given_count++].value = value;
	return true;
}

/* One option of the command line. */
struct argument {
	const char *name;  /* of the table it was found in */
	const char *value; /* after '=' or the next word; NULL: none */
	const struct driver_option *driver;
	const char *wants; /* name of its argument; NULL: a flag */
};

/* Finds the option that `text` names; false if there is none. */
static bool find_option(const struct options *o, const char *text, struct argument *found)
{
	size_t bytes = strcspn(text, "=");

	memset(found, 0, sizeof(*found));
	found->value = text[bytes] == '=' ? text + bytes + 1 : NULL;
	for (uint32_t i = 0; i < DRIVER_OPTION_COUNT; i++)
		if (strlen(driver_options[i].name) == bytes && memcmp(driver_options[i].name, text, bytes) == 0) {
			found->driver = &driver_options[i];
			found->name = driver_options[i].name;
			found->wants = driver_options[i].argument;
			return true;
		}
	for (const struct bench_option *w = o->workload->options; w && w->name; w++)
		if (strlen(w->name) == bytes && memcmp(w->name, text, bytes) == 0) {
			found->name = w->name;
			found->wants = w->argument;
			return true;
		}
	return false;
}

/* What only makes sense together, or not together. */
static bool check_together(const struct options *o, char *err, size_t err_bytes)
{
	enum lg_durability durability = LG_DURABILITY_NONE;

	if (o->attach && !o->host_id_given)
		snprintf(err, err_bytes, "--attach needs --host-id: which host of the pod this one is");
	else if (!o->attach && o->host_id_given)
		snprintf(err, err_bytes, "--host-id goes with --attach: without it, all hosts are started here");
	else if (o->attach && (o->uri || o->hwcc_mib || o->swcc_mib || o->durability))
		snprintf(err, err_bytes,
		        "--attach takes a pod as it is: --uri, --hwcc-mib, --swcc-mib and --durability make a new one");
	else if (o->durability && !lg_durability_parse(o->durability, &durability))
		snprintf(err, err_bytes, "--durability: %.40s is none of none, cxl, disk", o->durability);
	else if (!o->attach && o->durability && durability == LG_DURABILITY_DISK && !o->data)
		snprintf(err, err_bytes, "--durability disk needs --data: a directory for the logs");
	else if (!o->attach && o->data && (!o->durability || durability == LG_DURABILITY_NONE))
		snprintf(err, err_bytes, "--data goes with --durability cxl or disk");
	else if (o->hwcc_mib % 2 != 0)
		snprintf(err, err_bytes, "--hwcc-mib: %llu is odd: parts are multiples of 2 MiB",
		        (unsigned long long)o->hwcc_mib);
	else if (o->swcc_mib % 2 != 0)
		snprintf(err, err_bytes, "--swcc-mib: %llu is odd: parts are multiples of 2 MiB",
		        (unsigned long long)o->swcc_mib);
	else if (o->seconds <= 0)
		snprintf(err, err_bytes, "--seconds: 0 is out of range: something must be measured");
	else
		return true;
	return false;
}

static enum options_result usage(
        const struct options *o, char *err, size_t err_bytes, const char *option, const char *why)
{
	snprintf(err, err_bytes, "%s%s%s; see liger bench%s%s --help", option, *option ? ": " : "", why,
	        o->workload ? " " : "", o->workload ? o->workload->name : "");
	return OPTIONS_USAGE;
}

static uint64_t fingerprint_of(const struct options *o)
{
	char text[64];
	uint64_t sum = hash_text("workload", o->workload->name);

	/* A sum, because the order in which options are given makes no difference. */
	for (uint32_t i = 0; i < DRIVER_OPTION_COUNT; i++) {
		const struct driver_option *d = &driver_options[i];
		const char *at = (const char *)o + d->offset;

		if (!d->all_agree)
			continue;
		if (d->kind == KIND_U32)
			snprintf(text, sizeof(text), "%u", *(const uint32_t *)(const void *)at);
		else if (d->kind == KIND_U64)
			snprintf(text, sizeof(text), "%llu", (unsigned long long)*(const uint64_t *)(const void *)at);
		else if (d->kind == KIND_SECONDS)
			snprintf(text, sizeof(text), "%.9g", *(const double *)(const void *)at);
		else
			snprintf(text, sizeof(text), "%d", *(const bool *)at);
		sum += hash_text(d->name, text);
	}
	for (uint32_t i = 0; i < o->given_count; i++)
		sum += hash_text(o->given[i].name, o->given[i].value ? o->given[i].value : "");
	return sum;
}

static enum options_result parse_rest(struct options *o, int argc, char **argv, char *err, size_t err_bytes)
{
	char why[400];

	for (int i = 2; i < argc; i++) {
		struct argument a;

		if (strncmp(argv[i], "--", 2) != 0) {
			snprintf(why, sizeof(why), "\"%s\" is no option", argv[i]);
			return usage(o, err, err_bytes, "", why);
		}
		if (!find_option(o, argv[i], &a)) {
			snprintf(why, sizeof(why), "unknown option %s", argv[i]);
			return usage(o, err, err_bytes, "", why);
		}
		if (!a.wants && a.value)
			return usage(o, err, err_bytes, a.name, "it takes no value");
		if (strcmp(a.name, "--help") == 0)
			return OPTIONS_HELP;
		if (a.wants && !a.value) {
			if (i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0) {
				snprintf(why, sizeof(why), "it needs a value (%s)", a.wants);
				return usage(o, err, err_bytes, a.name, why);
			}
			a.value = argv[++i];
		}
		if (!(a.driver ? set_driver_option(o, a.driver, a.value, why, sizeof(why))
		               : set_workload_option(o, a.name, a.value, why, sizeof(why))))
			return usage(o, err, err_bytes, a.name, why);
		o->hosts_given |= strcmp(a.name, "--hosts") == 0;
		o->host_id_given |= strcmp(a.name, "--host-id") == 0;
	}
	if (!check_together(o, why, sizeof(why)))
		return usage(o, err, err_bytes, "", why);
	o->fingerprint = fingerprint_of(o);
	return OPTIONS_RUN;
}

enum options_result options_parse(struct options *o, const struct bench_workload *const *workloads, int argc,
        char **argv, char *err, size_t err_bytes)
{
	char why[200];

	memset(o, 0, sizeof(*o));
	o->hosts = 2;
	o->workers = 1;
	o->seed = 1;
	o->seconds = 5;
	o->warmup_seconds = 1;
	o->join_seconds = 30;
	o->checkpoint_mb_per_s = 100;
	o->checkpoint_log_mib = 1024;
	o->check = o->pin = true;
	if (argc < 2)
		return usage(o, err, err_bytes, "", "which workload?");
	if (strcmp(argv[1], "--help") == 0)
		return OPTIONS_HELP;
	for (uint32_t i = 0; workloads[i] && !o->workload; i++)
		if (strcmp(workloads[i]->name, argv[1]) == 0)
			o->workload = workloads[i];
	if (!o->workload) {
		snprintf(why, sizeof(why), "there is no workload \"%.100s\"", argv[1]);
		return usage(o, err, err_bytes, "", why);
	}
	o->state = o->workload->create();
	if (!o->state)
		return usage(o, err, err_bytes, "", "out of memory");
	return parse_rest(o, argc, argv, err, err_bytes);
}

void options_free(struct options *o)
{
	if (o->state)
		o->workload->destroy(o->state);
	o->state = NULL;
}

static void help_line(FILE *out, const char *name, const char *argument, const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%s%s", name, argument ? " " : "", argument ? argument : "");
	fprintf(out, "  %-26s %s\n", left, help);
}

void options_help(FILE *out, const struct bench_workload *const *workloads, const struct bench_workload *workload)
{
	fprintf(out, "usage: liger bench %s [OPTION]...\n\n", workload ? workload->name : "WORKLOAD");
	if (!workload) {
		fprintf(out,
		        "Starts the hosts of a pod, loads it, runs transactions on it and checks it.\n\nWorkloads:\n");
		for (uint32_t i = 0; workloads[i]; i++)
			help_line(out, workloads[i]->name, NULL, workloads[i]->summary);
		fprintf(out, "\nliger bench WORKLOAD --help lists its options.\n");
		return;
	}
	fprintf(out, "%s\n\nOptions of every workload:\n", workload->summary);
	for (uint32_t i = 0; i < DRIVER_OPTION_COUNT; i++)
		help_line(out, driver_options[i].name, driver_options[i].argument, driver_options[i].help);
	fprintf(out, "\nOptions of %s:\n", workload->name);
	for (const struct bench_option *w = workload->options; w && w->name; w++)
		help_line(out, w->name, w->argument, w->help);
	fprintf(out, "\nExit code: 0; 1 when something failed or a check found an inconsistency; 2 for a wrong command "
	             "line.\n");
}
