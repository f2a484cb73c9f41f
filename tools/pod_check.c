/* pod_check.c: `liger pod check`: prints what lg_pod_check() finds. */
#include "pod_check.h"

#include "cli.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <liger.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_LIMIT = 20, MOST_LIMIT = 65536 };

static const char check_help[] =
        "usage: liger pod check URI [--json FILE] [--limit N] [--once] [--emulate MODE]\n"
        "\n"
        "Checks that a pod's region does not contradict itself: every word, frame, directory, owner, member,\n"
        "channel and redo ring. Changes nothing, and joins nothing. For a pod without members, or one in which\n"
        "nothing runs: what is just being changed may look like damage, so where hosts are alive it looks up to\n"
        "three times, and tells what it saw each time. docs/pod-check.md lists the rules.\n"
        "\n"
        "  --json FILE     write counts and findings as JSON; '-': to standard output, instead of the text\n"
        "  --limit N       findings to tell, 0 to 65536 (default 20); all are counted\n"
        "  --once          look once only\n"
        "  --emulate MODE  look at it under delay:PROFILE or incoherent[:SEED], as one more host would; the\n"
        "                  members' own mode (default: $LIGER_EMULATE, else the memory as it is)\n"
        "\n"
        "Exit codes: 0, nothing was found; 1, something was, or the check failed; 2, usage.\n";

/* What is told of the findings, as they come. */
struct told {
	uint64_t limit, count;
	FILE *text;   /* NULL: none */
	cJSON *array; /* NULL: none */
	bool failed;  /* no memory */
};

static void key_as_text(const struct lg_check_finding *finding, char *text, size_t room)
{
	size_t bytes = finding->key_bytes < sizeof finding->key ? finding->key_bytes : sizeof finding->key;

	text[0] = '\0';
	for (size_t i = 0; i < bytes && i * 2 + 2 < room; i++)
		snprintf(text + i * 2, room - i * 2, "%02x", finding->key[i]);
}

static void tell_text(FILE *out, const struct lg_check_finding *finding)
{
	char key[2 * sizeof finding->key + 1];

	fprintf(out, "%s at offset %" PRIu64, finding->rule, finding->offset);
	if (finding->host >= 0)
		fprintf(out, ", host %" PRId32, finding->host);
	if (finding->word)
		fprintf(out, ", word %" PRIu32, finding->word);
	if (finding->table >= 0)
		fprintf(out, ", table %" PRId32, finding->table);
	if (finding->key_bytes) {
		key_as_text(finding, key, sizeof key);
		fprintf(out, ", key %s%s", key, finding->key_bytes > sizeof finding->key ? "..." : "");
	}
	fprintf(out, ": %s\n", finding->text);
}

static cJSON *finding_json(const struct lg_check_finding *finding)
{
	char key[2 * sizeof finding->key + 1];
	cJSON *object = cJSON_CreateObject();
	bool ok = cJSON_AddStringToObject(object, "rule", finding->rule) &&
	          cJSON_AddNumberToObject(object, "offset", (double)finding->offset);

	if (ok && finding->host >= 0)
		ok = cJSON_AddNumberToObject(object, "host", finding->host) != NULL;
	if (ok && finding->word)
		ok = cJSON_AddNumberToObject(object, "word", finding->word) != NULL;
	if (ok && finding->table >= 0)
		ok = cJSON_AddNumberToObject(object, "table", finding->table) != NULL;
	if (ok && finding->key_bytes) {
		key_as_text(finding, key, sizeof key);
		ok = cJSON_AddNumberToObject(object, "key_bytes", finding->key_bytes) &&
		     cJSON_AddStringToObject(object, "key", key);
	}
	if (ok && cJSON_AddStringToObject(object, "text", finding->text))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static void tell(const struct lg_check_finding *finding, void *argument)
{
	struct told *told = argument;

	if (told->count++ >= told->limit)
		return;
	if (told->text)
		tell_text(told->text, finding);
	if (told->array && !told->failed) {
		cJSON *object = finding_json(finding);
		told->failed = !object || !cJSON_AddItemToArray(told->array, object);
	}
}

struct count {
	const char *name;
	uint64_t count;
};

enum { MOST_COUNTS = 40 };

static int counts_of(const struct lg_check_report *r, struct count *counts)
{
	const struct count all[] = {
	        {"findings", r->findings},
	        {"looks", r->looks},
	        {"members", r->members},
	        {"dead_hosts", r->dead_hosts},
	        {"epoch", r->epoch},
	        {"tables", r->tables},
	        {"extents_taken", r->extents_taken},
	        {"extents_free", r->extents_free},
	        {"extents_of_dead", r->extents_of_dead},
	        {"blocks_taken", r->blocks_taken},
	        {"blocks_free", r->blocks_free},
	        {"blocks_of_dead", r->blocks_of_dead},
	        {"words", r->words},
	        {"words_unused", r->words_unused},
	        {"words_retired", r->words_retired},
	        {"words_of_rows", r->words_of_rows},
	        {"words_of_leaves", r->words_of_leaves},
	        {"words_intent", r->words_intent},
	        {"words_locked", r->words_locked},
	        {"frames", r->frames},
	        {"frame_lines", r->frame_lines},
	        {"frames_old", r->frames_old},
	        {"frames_changing", r->frames_changing},
	        {"directories", r->directories},
	        {"directories_old", r->directories_old},
	        {"slots", r->slots},
	        {"slots_current", r->slots_current},
	        {"slots_old", r->slots_old},
	        {"rows_without_slot", r->rows_without_slot},
	        {"channel_lines", r->channel_lines},
	        {"rings", r->rings},
	        {"ring_records", r->ring_records},
	};

	_Static_assert(sizeof all / sizeof all[0] <= MOST_COUNTS, "the caller has room for all");
	memcpy(counts, all, sizeof all);
	return (int)(sizeof all / sizeof all[0]);
}

static void print_text(const char *uri, const struct told *told, const struct lg_check_report *report)
{
	struct count counts[MOST_COUNTS];
	int count = counts_of(report, counts);

	if (report->findings > told->limit)
		printf("... and %" PRIu64 " more\n", report->findings - told->limit);
	for (int i = 1; i < count; i++)
		printf("  %-18s %12" PRIu64 "\n", counts[i].name, counts[i].count);
	if (report->findings)
		printf("%s: %" PRIu64 " findings\n", uri, report->findings);
	else
		printf("%s: nothing found\n", uri);
}

/* False: no memory, or `out` took not all of it. Takes the array. */
static bool print_json(FILE *out, const char *uri, cJSON *array, const struct lg_check_report *report)
{
	struct count counts[MOST_COUNTS];
	int count = counts_of(report, counts);
	cJSON *root = cJSON_CreateObject();
	bool ok = cJSON_AddStringToObject(root, "uri", uri) != NULL;

	for (int i = 0; i < count && ok; i++)
		ok = cJSON_AddNumberToObject(root, counts[i].name, (double)counts[i].count) != NULL;
	if (ok && cJSON_AddItemToObject(root, "found", array))
		array = NULL;
	char *text = ok ? cJSON_Print(root) : NULL;
	ok = text && fprintf(out, "%s\n", text) > 0;
	cJSON_free(text);
	cJSON_Delete(array);
	cJSON_Delete(root);
	return ok;
}

struct check_options {
	const char *uri, *json, *emulate;
	uint64_t limit;
	unsigned flags;
};

static bool take_option(struct cli_args *args, const char *argument, struct check_options *options)
{
	if (strcmp(argument, "--json") == 0)
		return (options->json = cli_value(args)) != NULL;
	if (strcmp(argument, "--emulate") == 0)
		return (options->emulate = cli_value(args)) != NULL;
	if (strcmp(argument, "--limit") == 0) {
		const char *value = cli_value(args);
		return value && cli_number(args->command, argument, value, 0, MOST_LIMIT, &options->limit);
	}
	if (strcmp(argument, "--once") == 0) {
		options->flags |= LG_CHECK_ONCE;
		return cli_is_flag(args);
	}
	if (argument[0] == '-') {
		cli_usage_error(args->command, "there is no option '%s'", argument);
		return false;
	}
	if (options->uri) {
		cli_usage_error(args->command, "one URI is enough, but '%s' follows '%s'", argument, options->uri);
		return false;
	}
	options->uri = argument;
	return true;
}

/* Checks and prints; the file `json` is open or NULL. */
static int check_and_print(const struct check_options *options, const char *command, FILE *json)
{
	struct lg_check_report report;
	struct lg_error err = {0};
	struct told told = {.limit = options->limit,
	        .text = json == stdout ? NULL : stdout,
	        .array = json ? cJSON_CreateArray() : NULL};
	int code = lg_pod_check_emulated(options->uri, options->emulate, options->flags, tell, &told, &report, &err);

	if (code != LG_OK) {
		cJSON_Delete(told.array);
		fprintf(stderr, "liger %s: %s\n", command, err.message[0] ? err.message : lg_strerror(code));
		return code == LG_INVALID ? CLI_USAGE : CLI_FAILED;
	}
	if (json != stdout)
		print_text(options->uri, &told, &report);
	if (told.failed || (json && !print_json(json, options->uri, told.array, &report))) {
		fprintf(stderr, "liger %s: cannot write all of %s\n", command, options->json);
		return CLI_FAILED;
	}
	return cli_end_output(command, report.findings ? CLI_FAILED : CLI_OK);
}

int pod_check(int argc, char **argv)
{
	struct cli_args args = {.command = "pod check", .argc = argc, .next = 1, .argv = argv};
	struct check_options options = {.limit = DEFAULT_LIMIT};
	const char *argument;
	FILE *json = NULL;

	while ((argument = cli_next(&args))) {
		if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
			fputs(check_help, stdout);
			return cli_end_output(args.command, CLI_OK);
		}
		if (!take_option(&args, argument, &options))
			return CLI_USAGE;
	}
	if (!options.uri)
		return cli_usage_error(args.command, "which region? Give a URI, such as shm:mypod");
	if (options.json && strcmp(options.json, "-") == 0)
		json = stdout;
	else if (options.json && !(json = fopen(options.json, "w"))) {
		fprintf(stderr, "liger %s: cannot write %s: %s\n", args.command, options.json, strerror(errno));
		return CLI_FAILED;
	}
	int code = check_and_print(&options, args.command, json);
	if (json && json != stdout && fclose(json) != 0) {
		fprintf(stderr, "liger %s: cannot write all of %s: %s\n", args.command, options.json, strerror(errno));
		return CLI_FAILED;
	}
	return code;
}
