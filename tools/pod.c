/* pod.c: `liger pod create|info|check|destroy`. The printing of a pod's state is in pod_print.c, the check in pod_check.c. */
#include "cli.h"
#include "pod_adopt.h"
#include "pod_check.h"
#include "pod_print.h"

#include <errno.h>
#include <liger.h>
#include <stdio.h>
#include <string.h>

static const char pod_help[] =
        "usage: liger pod create URI [OPTION...]\n"
        "       liger pod info URI [--json FILE] [--emulate MODE]\n"
        "       liger pod destroy URI [--force] [--emulate MODE]\n"
        "       liger pod check URI [--json FILE] [--limit N] [--once] [--emulate MODE]\n"
        "       liger pod adopt URI --host K --dead N [--wait SECONDS]\n"
        "\n"
        "URI names the region: shm:NAME (POSIX shared memory), file:PATH (tmpfs, hugetlbfs, fsdax, famfs) or\n"
        "dax:PATH (a devdax device); shm: and file: take ?node=N, the NUMA node that its pages must lie on.\n"
        "'liger pod create --help' and so on tell more.\n";

static const char info_help[] =
        "usage: liger pod info URI [--json FILE] [--emulate MODE]\n"
        "\n"
        "Prints a pod's members, epoch, budgets in use by kind, and the owners of its partitions,\n"
        "without joining it.\n"
        "\n"
        "  --json FILE     write the same as JSON; '-': to standard output, instead of the text\n"
        "  --emulate MODE  look at it under delay:PROFILE or incoherent[:SEED], as one more host would; the\n"
        "                  members' own mode (default: $LIGER_EMULATE, else the memory as it is)\n";

static const char destroy_help[] =
        "usage: liger pod destroy URI [--force] [--emulate MODE]\n"
        "\n"
        "Removes a region. What is not a pod is never removed.\n"
        "\n"
        "  --force         also while hosts are members of it\n"
        "  --emulate MODE  delay:PROFILE, incoherent[:SEED], direct (default: $LIGER_EMULATE, else direct)\n";

/* Prints why a call on a pod failed. An argument that the library refuses is a usage error. */
static int pod_error(const char *command, int code, const struct lg_error *err)
{
	fprintf(stderr, "liger %s: %s\n", command, err->message[0] ? err->message : lg_strerror(code));
	return code == LG_INVALID ? CLI_USAGE : CLI_FAILED;
}

static int print_help(const char *command, const char *text)
{
	fputs(text, stdout);
	return cli_end_output(command, CLI_OK);
}

static bool is_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* Takes an argument that is no known option: the one URI. */
static bool take_uri(const struct cli_args *args, const char *argument, const char **uri)
{
	if (argument[0] == '-') {
		cli_usage_error(args->command, "there is no option '%s'", argument);
		return false;
	}
	if (*uri) {
		cli_usage_error(args->command, "one URI is enough, but '%s' follows '%s'", argument, *uri);
		return false;
	}
	*uri = argument;
	return true;
}

/* ---- pod create ---- */

static int create_help(void)
{
	struct lg_pod_config config;

	lg_pod_config_init(&config);
	printf("usage: liger pod create URI [OPTION...]\n"
	       "\n"
	       "Creates a region, readable and writable by this user alone, and an empty pod in it.\n"
	       "\n"
	       "  --hosts N        hosts that may join, 1 to %d (default %u)\n"
	       "  --partitions N   partitions of the pod, 1 to %d (default %u)\n"
	       "  --hwcc-mib N     hardware-coherent part in MiB, an even number (default %ju)\n"
	       "  --swcc-mib N     the rest in MiB, an even number (default %ju)\n"
	       "  --epoch-ms N     length of an epoch in milliseconds, 1 to 1000 (default %u)\n"
	       "  --durability L   none; cxl: commits are sealed in pod memory; disk: and durable on disk (default "
	       "none)\n"
	       "  --data DIR       for the logs of its hosts, with cxl or disk (needed by disk); it must be empty\n"
	       "  --emulate MODE   how this command writes it: delay:PROFILE, incoherent[:SEED], direct\n"
	       "                   (default: $LIGER_EMULATE, else direct); hosts say for themselves\n",
	        LG_MAX_HOSTS, config.hosts, LG_MAX_PARTITIONS, config.partitions, (uintmax_t)(config.hwcc_bytes >> 20),
	        (uintmax_t)(config.swcc_bytes >> 20), config.epoch_ms);
	return cli_end_output("pod create", CLI_OK);
}

/* An option with a number as its value, and where the number goes: a field of 32 bits, or bytes given in MiB. */
struct create_option {
	const char *name;
	uint64_t min, max;
	uint32_t *number;
	uint64_t *mib;
};

static bool take_create_option(struct cli_args *args, const struct create_option *option)
{
	uint64_t n;
	const char *value = cli_value(args);

	if (!value || !cli_number(args->command, option->name, value, option->min, option->max, &n))
		return false;
	if (option->number) {
		*option->number = (uint32_t)n;
		return true;
	}
	if (n % 2) {
		cli_usage_error(
		        args->command, "%s: %ju is odd: parts are multiples of 2 MiB", option->name, (uintmax_t)n);
		return false;
	}
	*option->mib = n << 20;
	return true;
}

static int pod_create(int argc, char **argv)
{
	struct cli_args args = {.command = "pod create", .argc = argc, .next = 1, .argv = argv};
	struct lg_pod_config config;
	struct lg_error err = {0};
	const char *argument, *uri = NULL;
	const struct create_option options[] = {
	        {"--hosts", 1, LG_MAX_HOSTS, &config.hosts, NULL},
	        {"--partitions", 1, LG_MAX_PARTITIONS, &config.partitions, NULL},
	        {"--hwcc-mib", 2, UINT64_MAX >> 20, NULL, &config.hwcc_bytes},
	        {"--swcc-mib", 2, UINT64_MAX >> 20, NULL, &config.swcc_bytes},
	        {"--epoch-ms", 1, 1000, &config.epoch_ms, NULL},
	};
	enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

	lg_pod_config_init(&config);
	while ((argument = cli_next(&args))) {
		if (is_help(argument))
			return create_help();
		if (strcmp(argument, "--durability") == 0) {
			const char *level = cli_value(&args);
			if (!level)
				return CLI_USAGE;
			if (!lg_durability_parse(level, &config.durability))
				return cli_usage_error(
				        args.command, "--durability: %.40s is none of none, cxl, disk", level);
			continue;
		}
		if (strcmp(argument, "--data") == 0) {
			config.data = cli_value(&args);
			if (!config.data)
				return CLI_USAGE;
			continue;
		}
		if (strcmp(argument, "--emulate") == 0) {
			config.emulate = cli_value(&args);
			if (!config.emulate)
				return CLI_USAGE;
			continue;
		}
		int i = 0;
		while (i < OPTION_COUNT && strcmp(options[i].name, argument) != 0)
			i++;
		if (i < OPTION_COUNT ? !take_create_option(&args, &options[i]) : !take_uri(&args, argument, &uri))
			return CLI_USAGE;
	}
	if (!uri)
		return cli_usage_error(args.command, "which region? Give a URI, such as shm:mypod");

	int code = lg_pod_create(uri, &config, &err);
	return code == LG_OK ? CLI_OK : pod_error(args.command, code, &err);
}

/* ---- pod info ---- */

/* Writes the JSON to a file; what is there is replaced. */
static int write_json(const char *command, const char *path, const char *uri, const struct lg_pod_info *info)
{
	FILE *out = fopen(path, "w");
	int code = CLI_OK;

	if (!out) {
		fprintf(stderr, "liger %s: cannot write %s: %s\n", command, path, strerror(errno));
		return CLI_FAILED;
	}
	bool written = pod_print_json(out, uri, info);
	if (fclose(out) != 0 || !written) {
		fprintf(stderr, "liger %s: cannot write all of %s: %s\n", command, path, strerror(errno));
		code = CLI_FAILED;
	}
	return code;
}

static int pod_info(int argc, char **argv)
{
	struct cli_args args = {.command = "pod info", .argc = argc, .next = 1, .argv = argv};
	struct lg_pod_info info;
	struct lg_error err = {0};
	const char *argument, *uri = NULL, *json = NULL, *emulate = NULL;

	while ((argument = cli_next(&args))) {
		if (is_help(argument))
			return print_help(args.command, info_help);
		if (strcmp(argument, "--json") == 0 || strcmp(argument, "--emulate") == 0) {
			const char **value = strcmp(argument, "--json") == 0 ? &json : &emulate;
			*value = cli_value(&args);
			if (!*value)
				return CLI_USAGE;
		} else if (!take_uri(&args, argument, &uri)) {
			return CLI_USAGE;
		}
	}
	if (!uri)
		return cli_usage_error(args.command, "which region? Give a URI, such as shm:mypod");

	int code = lg_pod_info_emulated(uri, emulate, &info, &err);
	if (code != LG_OK)
		return pod_error(args.command, code, &err);
	if (json && strcmp(json, "-") == 0)
		return cli_end_output(args.command, pod_print_json(stdout, uri, &info) ? CLI_OK : CLI_FAILED);
	pod_print_text(stdout, uri, &info);
	if (json && write_json(args.command, json, uri, &info) != CLI_OK)
		return CLI_FAILED;
	return cli_end_output(args.command, CLI_OK);
}

/* ---- pod destroy ---- */

static int pod_destroy(int argc, char **argv)
{
	struct cli_args args = {.command = "pod destroy", .argc = argc, .next = 1, .argv = argv};
	struct lg_error err = {0};
	const char *argument, *uri = NULL, *emulate = NULL;
	bool force = false;

	while ((argument = cli_next(&args))) {
		if (is_help(argument))
			return print_help(args.command, destroy_help);
		if (strcmp(argument, "--force") == 0) {
			if (!cli_is_flag(&args))
				return CLI_USAGE;
			force = true;
		} else if (strcmp(argument, "--emulate") == 0) {
			emulate = cli_value(&args);
			if (!emulate)
				return CLI_USAGE;
		} else if (!take_uri(&args, argument, &uri)) {
			return CLI_USAGE;
		}
	}
	if (!uri)
		return cli_usage_error(args.command, "which region? Give a URI, such as shm:mypod");

	int code = lg_pod_destroy_emulated(uri, emulate, force, &err);
	return code == LG_OK ? CLI_OK : pod_error(args.command, code, &err);
}

int pod_main(int argc, char **argv)
{
	if (argc < 2)
		return cli_usage_error("pod", "create, info, check, adopt or destroy?");
	if (strcmp(argv[1], "create") == 0)
		return pod_create(argc - 1, argv + 1);
	if (strcmp(argv[1], "info") == 0)
		return pod_info(argc - 1, argv + 1);
	if (strcmp(argv[1], "check") == 0)
		return pod_check(argc - 1, argv + 1);
	if (strcmp(argv[1], "adopt") == 0)
		return pod_adopt(argc - 1, argv + 1);
	if (strcmp(argv[1], "destroy") == 0)
		return pod_destroy(argc - 1, argv + 1);
	if (is_help(argv[1]))
		return print_help("pod", pod_help);
	return cli_usage_error("pod", "there is no '%s' among create, info, check, adopt and destroy", argv[1]);
}
