/* log_entry.c: the bodies of a log's entries, told to people. Whatever does not pass the checks of recovery is told as bytes. */
#include "log.h"

#include "cxl/word.h"
#include "recovery/log_bodies.h"
#include "recovery/record.h"
#include "recovery/survey.h"

#include <inttypes.h>
#include <string.h>

/* Of a key, a name or a body. */
enum { SHOWN_BYTES = 24 };

static void print_hex(FILE *out, const void *data, size_t bytes)
{
	const size_t shown = bytes < SHOWN_BYTES ? bytes : SHOWN_BYTES;
	for (size_t i = 0; i < shown; i++)
		fprintf(out, "%02x", ((const uint8_t *)data)[i]);
	if (shown < bytes)
		fputs("...", out);
}

void log_print_bytes(FILE *out, const struct log_entry *entry)
{
	print_hex(out, entry->body, entry->bytes);
}

static void print_damaged(FILE *out, const struct log_entry *entry, const char *what)
{
	fprintf(out, "not %s: ", what);
	log_print_bytes(out, entry);
}

/* Text that needs no escapes, so that a quote ends it. */
static bool is_text(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] < 0x20 || bytes[i] > 0x7e || bytes[i] == '"' || bytes[i] == '\\')
			return false;
	return count > 0;
}

/* In quotes, or in hexadecimal. All of it if it is text: keys and names are short. */
static void print_text(FILE *out, const void *data, size_t bytes)
{
	if (is_text(data, bytes))
		fprintf(out, "\"%.*s\"", (int)bytes, (const char *)data);
	else
		print_hex(out, data, bytes);
}

void log_print_table(FILE *out, const struct log_entry *entry)
{
	const struct log_table_body *body = entry->body;

	if (!survey_table_valid(entry)) {
		print_damaged(out, entry, "the definition of a table");
		return;
	}
	fprintf(out, "table %" PRIu32 " ", body->id);
	print_text(out, body->name, strlen(body->name));
	if (body->by == LG_HASH)
		fprintf(out, " by hash of %" PRIu32 " bytes, partitions %" PRIu32, body->prefix_bytes,
		        body->partitions);
	else if (body->by == LG_RANGE)
		fprintf(out, " by range, partitions %" PRIu32, body->partitions);
	else
		fputs(", replicated", out);
	const size_t splits = (entry->bytes - sizeof *body) / sizeof body->splits[0];
	if (splits > 0)
		fputs(", splits", out);
	for (size_t i = 0; i < splits; i++)
		fprintf(out, " %" PRIu64, body->splits[i]);
	if (entry->flags & LOG_TABLE_SEALED)
		fputs(", loaded and sealed", out);
}

void log_print_member(FILE *out, const struct log_entry *entry)
{
	static const char *const changes[] = {
	        [LOG_MEMBER_JOINED] = "joined", [LOG_MEMBER_LEFT] = "left", [LOG_MEMBER_DIED] = "died"};
	const struct log_member_body *body = entry->body;

	if (!survey_member_valid(entry)) {
		print_damaged(out, entry, "a change of membership");
		return;
	}
	fprintf(out, "host %" PRIu32 " %s, incarnation %" PRIu64, body->host, changes[body->change], body->incarnation);
}

/* How many hosts the pod has is in its manifest, which a log can be read without. */
void log_print_owners(FILE *out, const struct log_entry *entry)
{
	const struct log_owners_body *body = entry->body;

	if (!survey_owners_valid(entry, LG_MAX_HOSTS)) {
		print_damaged(out, entry, "a partition map");
		return;
	}
	fprintf(out, "partitions %" PRIu32, body->count);
	for (uint32_t first = 0, end; first < body->count; first = end) {
		for (end = first + 1; end < body->count && body->owner[end] == body->owner[first]; end++)
			;
		fprintf(out, "%s %" PRIu32, first ? "," : ":", first);
		if (end > first + 1)
			fprintf(out, " to %" PRIu32, end - 1);
		fprintf(out, " of host %u", body->owner[first]);
	}
}

static void print_write(FILE *out, const struct redo_view *view)
{
	const struct redo_write *write = view->write;

	fprintf(out, "; table %u partition %u ", write->table, write->partition);
	switch (view->kind) {
	case REDO_PUT: fputs("put ", out); break;
	case REDO_PATCH: fputs("patch ", out); break;
	case REDO_DEL: fputs("delete ", out); break;
	case REDO_SHARED: break; /* no kind by itself: redo_next() refuses it */
	}
	print_text(out, view->key.data, view->key.bytes);
	if (view->kind == REDO_PUT)
		fprintf(out, " %" PRIu32 " bytes", write->val_bytes);
	else if (view->kind == REDO_PATCH)
		fprintf(out, " of %" PRIu32 " bytes in %u ranges", write->val_bytes, write->ranges);
	if (view->place)
		fputs(", shared", out);
}

void log_print_redo(FILE *out, const struct log_entry *entry)
{
	const struct redo_head *head = entry->body;
	struct redo_view view;
	uint32_t offset = sizeof *head;

	if (!redo_check(entry->body, entry->bytes) || head->version > WORD_VERSION) {
		print_damaged(out, entry, "a redo record");
		return;
	}
	fprintf(out, "version %" PRIu64 ":%" PRIu64 " of host %u, incarnation %" PRIu32 ", writes %u",
	        version_epoch(head->version), head->version & VERSION_SEQUENCE, head->host, head->incarnation,
	        head->write_count);
	for (unsigned i = 0; i < head->write_count && redo_next(head, &offset, &view); i++)
		print_write(out, &view);
}
