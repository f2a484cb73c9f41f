/* log_checkpoint.c: what `liger log dump|verify` does with the checkpoint of a host's directory. */
#include "log.h"

#include "cli.h"
#include "cxl/word.h"

#include <inttypes.h>

/* ---- Text ---- */

static void print_slice(FILE *out, struct lg_slice slice)
{
	const uint8_t *bytes = slice.data;
	const size_t shown = slice.bytes < 24 ? slice.bytes : 24;
	for (size_t i = 0; i < shown; i++)
		fprintf(out, "%02x", bytes[i]);
	if (shown < slice.bytes)
		fputs("...", out);
}

static void print_entry(FILE *out, const struct checkpoint_entry *entry)
{
	const struct checkpoint_row *row = &entry->row;

	fprintf(out, "  block %" PRIu64 " at %" PRIu32 ": ", entry->block, entry->offset);
	if (entry->type == CHECKPOINT_TABLE) {
		fprintf(out, "table, %zu bytes: ", entry->body.bytes);
		print_slice(out, entry->body);
	} else {
		fprintf(out,
		        "row of table %u, partition %" PRIu32 ", flags %u, version %" PRIu64 " of epoch %" PRIu64
		        ", key of %zu bytes: ",
		        row->table, row->partition, row->flags, row->version, version_epoch(row->version),
		        row->key.bytes);
		print_slice(out, row->key);
		fprintf(out, ", value of %zu bytes: ", row->val.bytes);
		print_slice(out, row->val);
	}
	fputc('\n', out);
}

static void print_end(FILE *out, const char *file, const struct checkpoint_info *info)
{
	fprintf(out, "%s: pod %016" PRIx64 ", host %" PRIu32 ", incarnation %" PRIu64 "\n", file, info->cookie,
	        info->host, info->incarnation);
	fprintf(out,
	        "  checkpoint %" PRIu64 ": tables %" PRIu64 ", rows %" PRIu64 ", %" PRIu64 " bytes in %" PRIu64
	        " blocks, file of %" PRIu64 " bytes\n",
	        info->sequence, info->counts.tables, info->counts.rows, info->counts.raw_bytes, info->counts.blocks,
	        info->file_bytes);
	fprintf(out, "  no row is of an epoch after %" PRIu64 "; the log is needed from epoch %" PRIu64 " on\n",
	        info->last_epoch, info->first_epoch);
}

/* ---- JSON ---- */

static void json_slice(FILE *out, const char *name, struct lg_slice slice)
{
	const uint8_t *bytes = slice.data;
	fprintf(out, ", \"%s\": \"", name);
	for (size_t i = 0; i < slice.bytes; i++)
		fprintf(out, "%02x", bytes[i]);
	fputc('"', out);
}

static void json_entry(FILE *out, const struct checkpoint_entry *entry)
{
	const struct checkpoint_row *row = &entry->row;

	fprintf(out, "{\"kind\": \"%s\", \"block\": %" PRIu64 ", \"offset\": %" PRIu32,
	        entry->type == CHECKPOINT_TABLE ? "table" : "row", entry->block, entry->offset);
	if (entry->type == CHECKPOINT_TABLE) {
		json_slice(out, "body", entry->body);
	} else {
		fprintf(out,
		        ", \"table\": %u, \"flags\": %u, \"partition\": %" PRIu32 ", \"version\": %" PRIu64
		        ", \"epoch\": %" PRIu64,
		        row->table, row->flags, row->partition, row->version, version_epoch(row->version));
		json_slice(out, "key", row->key);
		json_slice(out, "value", row->val);
	}
	fputs("}\n", out);
}

static void json_end(FILE *out, const char *file, const struct checkpoint_info *info)
{
	fputs("{\"kind\": \"checkpoint\", \"file\": ", out);
	log_json_text(out, file);
	fprintf(out, ", \"cookie\": \"%016" PRIx64 "\", \"host\": %" PRIu32 ", \"incarnation\": %" PRIu64, info->cookie,
	        info->host, info->incarnation);
	fprintf(out, ", \"sequence\": %" PRIu64 ", \"tables\": %" PRIu64 ", \"rows\": %" PRIu64, info->sequence,
	        info->counts.tables, info->counts.rows);
	fprintf(out, ", \"raw_bytes\": %" PRIu64 ", \"blocks\": %" PRIu64 ", \"file_bytes\": %" PRIu64,
	        info->counts.raw_bytes, info->counts.blocks, info->file_bytes);
	fprintf(out, ", \"first_epoch\": %" PRIu64 ", \"last_epoch\": %" PRIu64 "}\n", info->first_epoch,
	        info->last_epoch);
}

/* ---- Reading ---- */

int log_read_checkpoint(FILE *out, enum log_form form, const char *command, const char *path, uint64_t *cookie)
{
	struct checkpoint_reader_options options;
	struct checkpoint_reader *reader;
	struct checkpoint_entry entry;
	struct lg_error err = {0};

	checkpoint_reader_options_init(&options);
	options.cookie = *cookie;
	int code = checkpoint_reader_open(path, &options, &reader, &err);
	if (code == LG_NOTFOUND)
		return CLI_OK;
	if (code == LG_OK && form == LOG_TEXT)
		fprintf(out, "%s\n", checkpoint_reader_file(reader));
	while (code == LG_OK) {
		code = checkpoint_next(reader, &entry, &err);
		if (code == LG_OK && form == LOG_TEXT)
			print_entry(out, &entry);
		else if (code == LG_OK && form == LOG_JSON)
			json_entry(out, &entry);
	}
	if (code == LG_END) {
		*cookie = checkpoint_reader_info(reader)->cookie;
		(form == LOG_JSON ? json_end : print_end)(
		        out, checkpoint_reader_file(reader), checkpoint_reader_info(reader));
	} else {
		fprintf(stderr, "liger %s: %s\n", command, err.message);
	}
	checkpoint_reader_close(reader);
	return code == LG_END ? CLI_OK : CLI_FAILED;
}

bool log_has_checkpoint(const char *path)
{
	struct checkpoint_reader *reader;
	int code = checkpoint_reader_open(path, NULL, &reader, NULL);
	checkpoint_reader_close(reader);
	return code != LG_NOTFOUND;
}
