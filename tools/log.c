/* log.c: `liger log dump|verify`: reads the logs and checkpoints of a data directory, for people. */
#include "log.h"

#include "cli.h"
#include "cxl/error.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <liger.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recovery/manifest.h"

static const char log_help[] =
        "usage: liger log dump DIR [--json FILE]\n"
        "       liger log verify DIR\n"
        "\n"
        "DIR is a data directory, whose hosts' logs and checkpoints lie in DIR/host-NN, or one host's.\n"
        "'liger log dump --help' and so on tell more.\n";

static const char dump_help[] =
        "usage: liger log dump DIR [--json FILE]\n"
        "\n"
        "Prints every entry of the logs in DIR, and where each log ends; then every table and row of each host's "
        "newest\n"
        "checkpoint.\n"
        "\n"
        "  --json FILE   write the same as JSON instead, one object a line; '-': to standard output\n";

static const char verify_help[] =
        "usage: liger log verify DIR\n"
        "\n"
        "Reads the logs in DIR, and each host's newest checkpoint, and checks every checksum. A batch that was being\n"
        "written when its host stopped is cut, as recovery does, and told; anything else that is wrong is named with\n"
        "file and offset, and the exit code is 1.\n";

enum { MAX_LOGS = LG_MAX_HOSTS };

/* What one of the commands does with what it reads. Each of the functions may be NULL. */
struct log_output {
	const char *command;
	FILE *out;
	enum log_form form; /* of checkpoints */
	void (*begin)(const struct log_output *output, const char *path);
	void (*entry)(const struct log_output *output, const struct log_entry *entry);
	void (*end)(const struct log_output *output, const char *path, const struct log_found *found);
};

static const struct log_type types[] = {
        {LOG_ENTRY_REDO, "redo", log_print_redo},
        {LOG_ENTRY_TABLE, "table", log_print_table},
        {LOG_ENTRY_MEMBER, "member", log_print_member},
        {LOG_ENTRY_OWNERS, "owners", log_print_owners},
};

/* Of a type that is not in the table: a newer program's. */
static const struct log_type unknown_type = {0, "unknown", log_print_bytes};

static const struct log_type *type_of(const struct log_entry *entry)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == entry->type)
			return &types[i];
	return &unknown_type;
}

/* ---- Text ---- */

static void print_begin(const struct log_output *output, const char *path)
{
	fprintf(output->out, "%s\n", path);
}

static void print_entry(const struct log_output *output, const struct log_entry *entry)
{
	const struct log_type *type = type_of(entry);

	fprintf(output->out, "  batch %" PRIu64 " ", entry->batch);
	if (entry->epoch != LOG_EPOCH_NONE)
		fprintf(output->out, "epoch %" PRIu64 " ", entry->epoch);
	fprintf(output->out, "at %" PRIu64 ": %s (%u), flags %u, %" PRIu32 " bytes: ", entry->offset, type->name,
	        entry->type, entry->flags, entry->bytes);
	type->print(output->out, entry);
	fputc('\n', output->out);
}

static void print_end(const struct log_output *output, const char *path, const struct log_found *found)
{
	FILE *out = output->out;

	if (found->segments == 0) {
		fprintf(out, "%s: empty\n", path);
		return;
	}
	fprintf(out, "%s: pod %016" PRIx64 ", host %" PRIu32 ", incarnation %" PRIu64 "\n", path, found->cookie,
	        found->host, found->incarnation);
	fprintf(out,
	        "  segments %" PRIu64 ", batches %" PRIu64 ", entries %" PRIu64 " of %" PRIu64 " bytes, copies %" PRIu64
	        "\n",
	        found->segments, found->batches, found->entries, found->bytes, found->copies);
	fprintf(out,
	        "  epochs %" PRIu64 " to %" PRIu64 " are complete%s; the pod's durable epoch was %" PRIu64
	        " or later\n",
	        found->epoch_before + 1, found->last_epoch, found->unfinished ? ", entries of a later one follow" : "",
	        found->pod_durable_epoch);
	if (found->cut)
		fprintf(out, "  cut: batch %" PRIu64 " was not finished: %s, offset %" PRIu64 ", %" PRIu64 " bytes\n",
		        found->next_batch, found->cut_file, found->cut_offset, found->cut_bytes);
}

/* ---- JSON: one object a line, so that a log of any size can be written and read ---- */

void log_json_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

/* What the body says, as text; null where there is no memory for it. */
static void json_decoded(FILE *out, const struct log_entry *entry)
{
	char *text = NULL;
	size_t bytes;
	FILE *memory = open_memstream(&text, &bytes);

	if (memory)
		type_of(entry)->print(memory, entry);
	if (memory && fclose(memory) == 0 && text)
		log_json_text(out, text);
	else
		fputs("null", out);
	free(text);
}

static void json_entry(const struct log_output *output, const struct log_entry *entry)
{
	FILE *out = output->out;

	fprintf(out, "{\"kind\": \"entry\", \"type\": \"%s\", \"type_number\": %u, \"flags\": %u, \"bytes\": %" PRIu32,
	        type_of(entry)->name, entry->type, entry->flags, entry->bytes);
	fprintf(out, ", \"batch\": %" PRIu64 ", \"epoch\": ", entry->batch);
	if (entry->epoch == LOG_EPOCH_NONE)
		fputs("null", out);
	else
		fprintf(out, "%" PRIu64, entry->epoch);
	fprintf(out, ", \"incarnation\": %" PRIu64 ", \"file\": ", entry->incarnation);
	log_json_text(out, entry->file);
	fprintf(out, ", \"offset\": %" PRIu64 ", \"body\": \"", entry->offset);
	for (uint32_t i = 0; i < entry->bytes; i++)
		fprintf(out, "%02x", ((const uint8_t *)entry->body)[i]);
	fputs("\", \"text\": ", out);
	json_decoded(out, entry);
	fputs("}\n", out);
}

static void json_end(const struct log_output *output, const char *path, const struct log_found *found)
{
	FILE *out = output->out;

	fputs("{\"kind\": \"log\", \"directory\": ", out);
	log_json_text(out, path);
	fprintf(out, ", \"cookie\": \"%016" PRIx64 "\", \"host\": %" PRIu32 ", \"incarnation\": %" PRIu64,
	        found->cookie, found->host, found->incarnation);
	fprintf(out,
	        ", \"segments\": %" PRIu64 ", \"batches\": %" PRIu64 ", \"entries\": %" PRIu64 ", \"bytes\": %" PRIu64,
	        found->segments, found->batches, found->entries, found->bytes);
	fprintf(out, ", \"copies\": %" PRIu64 ", \"epoch_before\": %" PRIu64 ", \"last_epoch\": %" PRIu64,
	        found->copies, found->epoch_before, found->last_epoch);
	fprintf(out, ", \"pod_durable_epoch\": %" PRIu64 ", \"next_batch\": %" PRIu64 ", \"unfinished\": %s, \"cut\": ",
	        found->pod_durable_epoch, found->next_batch, found->unfinished ? "true" : "false");
	if (found->cut) {
		fputs("{\"file\": ", out);
		log_json_text(out, found->cut_file);
		fprintf(out, ", \"offset\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", found->cut_offset, found->cut_bytes);
	} else {
		fputs("null", out);
	}
	fputs("}\n", out);
}

/* ---- Reading ---- */

/* Reads one host's log. *cookie: of the pod, 0 before the first log. */
static int read_log(const struct log_output *output, const char *path, uint64_t *cookie)
{
	struct log_reader_options options;
	struct log_reader *reader;
	struct log_entry entry;
	struct lg_error err = {0};

	log_reader_options_init(&options);
	options.cookie = *cookie;
	int code = log_reader_open(path, &options, &reader, &err);
	if (code == LG_OK && output->begin)
		output->begin(output, path);
	while (code == LG_OK) {
		code = log_reader_next(reader, &entry, &err);
		if (code == LG_OK && output->entry)
			output->entry(output, &entry);
	}
	if (code == LG_END) {
		const struct log_found *found = log_reader_found(reader);
		*cookie = found->cookie ? found->cookie : *cookie;
		output->end(output, path, found);
	} else {
		fprintf(stderr, "liger %s: %s\n", output->command, err.message);
	}
	log_reader_close(reader);
	return code == LG_END ? CLI_OK : CLI_FAILED;
}

/* Its log, then its checkpoint: what is wrong with one does not keep the other from being read. */
static int read_host(const struct log_output *output, const char *path, uint64_t *cookie)
{
	const int log = read_log(output, path, cookie);
	const int checkpoint = log_read_checkpoint(output->out, output->form, output->command, path, cookie);
	return log == CLI_OK ? checkpoint : log;
}

/* Which of host-00 to host-63 are in the directory. False: it cannot be read. */
static bool find_hosts(const char *directory, bool hosts[MAX_LOGS])
{
	DIR *opened = opendir(directory);
	const struct dirent *found;

	if (!opened)
		return false;
	while ((found = readdir(opened))) {
		unsigned host;
		char name[32];
		if (sscanf(found->d_name, "host-%2u", &host) != 1 || host >= MAX_LOGS) // NOLINT(cert-err34-c)
			continue;
		snprintf(name, sizeof(name), "host-%02u", host);
		if (strcmp(name, found->d_name) == 0)
			hosts[host] = true;
	}
	closedir(opened);
	return true;
}

/* Of a pod's data directory, which a directory of logs alone is not. */
static int verify_manifest(const char *command, const char *directory)
{
	char path[LOG_PATH_BYTES];
	struct lg_error err = {0};
	struct manifest manifest;

	int length = snprintf(path, sizeof(path), "%s/pod", directory);
	if (length < 0 || length >= (int)sizeof(path) || (access(path, F_OK) != 0 && errno == ENOENT))
		return CLI_OK;
	if (manifest_read(directory, &manifest, &err) != LG_OK) {
		fprintf(stderr, "liger %s: %s\n", command, err.message);
		return CLI_FAILED;
	}
	printf("%s: pod %016" PRIx64 ", life %" PRIu64 ", in %s\n", path, manifest.cookie, manifest.life,
	        manifest.uri[0] ? manifest.uri : "a region whose name is too long to be noted");
	return CLI_OK;
}

/* Reads every log of the directory, or the directory itself as one. A log that is wrong does not keep the others from
 * being read. */
static int read_logs(const struct log_output *output, const char *directory)
{
	bool hosts[MAX_LOGS] = {false};
	struct lg_error err = {0};
	uint64_t cookie = 0;
	int result = CLI_OK, count = 0;

	if (!find_hosts(directory, hosts)) {
		fprintf(stderr, "liger %s: cannot read the directory %s: %s\n", output->command, directory,
		        strerror(errno));
		return CLI_FAILED;
	}
	for (uint32_t host = 0; host < MAX_LOGS; host++) {
		char path[LOG_PATH_BYTES];
		if (!hosts[host])
			continue;
		count++;
		if (log_dir_name(directory, host, path, sizeof(path), &err) != LG_OK) {
			fprintf(stderr, "liger %s: %s\n", output->command, err.message);
			return CLI_FAILED;
		}
		if (read_host(output, path, &cookie) != CLI_OK)
			result = CLI_FAILED;
	}
	if (count > 0)
		return result;
	struct log_reader *reader = NULL;
	bool is_log = log_reader_open(directory, NULL, &reader, NULL) != LG_OK || log_reader_dir(reader)->count > 0;
	log_reader_close(reader);
	if (is_log || log_has_checkpoint(directory))
		return read_host(output, directory, &cookie);
	fprintf(stderr,
	        "liger %s: there is no log in %s: neither folders host-NN nor files NNNNNNNNNNNNNNNN.log or .ckpt\n",
	        output->command, directory);
	return CLI_FAILED;
}

/* ---- The commands ---- */

static int print_help(const char *command, const char *text)
{
	fputs(text, stdout);
	return cli_end_output(command, CLI_OK);
}

static bool is_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static bool take_directory(const struct cli_args *args, const char *argument, const char **directory)
{
	if (argument[0] == '-') {
		cli_usage_error(args->command, "there is no option '%s'", argument);
		return false;
	}
	if (*directory) {
		cli_usage_error(args->command, "one directory is enough, but '%s' follows '%s'", argument, *directory);
		return false;
	}
	*directory = argument;
	return true;
}

static int dump_to_file(const char *command, const char *directory, const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out) {
		fprintf(stderr, "liger %s: cannot write %s: %s\n", command, path, strerror(errno));
		return CLI_FAILED;
	}
	const struct log_output output = {command, out, LOG_JSON, NULL, json_entry, json_end};
	int result = read_logs(&output, directory);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		fprintf(stderr, "liger %s: cannot write %s: %s\n", command, path, strerror(errno));
		return CLI_FAILED;
	}
	return result;
}

static int log_dump(int argc, char **argv)
{
	struct cli_args args = {.command = "log dump", .argc = argc, .next = 1, .argv = argv};
	const char *argument, *directory = NULL, *json = NULL;

	while ((argument = cli_next(&args))) {
		if (is_help(argument))
			return print_help(args.command, dump_help);
		if (strcmp(argument, "--json") == 0) {
			json = cli_value(&args);
			if (!json)
				return CLI_USAGE;
		} else if (!take_directory(&args, argument, &directory)) {
			return CLI_USAGE;
		}
	}
	if (!directory)
		return cli_usage_error(args.command, "which directory?");
	if (json && strcmp(json, "-") != 0)
		return dump_to_file(args.command, directory, json);
	const struct log_output text = {args.command, stdout, LOG_TEXT, print_begin, print_entry, print_end};
	const struct log_output lines = {args.command, stdout, LOG_JSON, NULL, json_entry, json_end};
	return cli_end_output(args.command, read_logs(json ? &lines : &text, directory));
}

static int log_verify(int argc, char **argv)
{
	struct cli_args args = {.command = "log verify", .argc = argc, .next = 1, .argv = argv};
	const char *argument, *directory = NULL;

	while ((argument = cli_next(&args))) {
		if (is_help(argument))
			return print_help(args.command, verify_help);
		if (!take_directory(&args, argument, &directory))
			return CLI_USAGE;
	}
	if (!directory)
		return cli_usage_error(args.command, "which directory?");
	const struct log_output output = {args.command, stdout, LOG_SUMMARY, NULL, NULL, print_end};
	const int manifest = verify_manifest(args.command, directory), logs = read_logs(&output, directory);
	return cli_end_output(args.command, manifest == CLI_OK ? logs : manifest);
}

int log_main(int argc, char **argv)
{
	if (argc < 2)
		return cli_usage_error("log", "dump or verify?");
	if (strcmp(argv[1], "dump") == 0)
		return log_dump(argc - 1, argv + 1);
	if (strcmp(argv[1], "verify") == 0)
		return log_verify(argc - 1, argv + 1);
	if (is_help(argv[1]))
		return print_help("log", log_help);
	return cli_usage_error("log", "there is no '%s' among dump and verify", argv[1]);
}
