/* coverage.c: see coverage.h. */
#include "recovery/coverage.h"

#include <string.h>

#include "recovery/log_bodies.h"

void coverage_add(struct coverage *c, const struct checkpoint_entry *entry)
{
	struct checkpoint_table_body head;
	size_t before = sizeof head + sizeof(struct log_table_body);
	c->tables = true;
	if (entry->body.bytes < before)
		return;
	memcpy(&head, entry->body.data, sizeof head);
	size_t bytes = entry->body.bytes - before;
	bytes = head.owned_bytes < bytes ? head.owned_bytes : bytes;
	for (size_t i = 0; i < bytes && i < sizeof c->partitions; i++)
		c->partitions[i] |= ((const uint8_t *)entry->body.data)[before + i];
}

int coverage_read(const char *data, unsigned host, uint64_t cookie, struct coverage *c, struct lg_error *err)
{
	char path[LOG_PATH_BYTES];
	struct checkpoint_reader *reader;
	struct checkpoint_reader_options options;
	struct checkpoint_entry entry;
	*c = (struct coverage){0};
	checkpoint_reader_options_init(&options);
	options.cookie = cookie;
	options.host = host;
	int code = log_dir_name(data, host, path, sizeof path, err);
	if (code == LG_OK)
		code = checkpoint_reader_open(path, &options, &reader, err);
	if (code != LG_OK)
		return code;
	c->first_epoch = checkpoint_reader_info(reader)->first_epoch;
	/* Each table's entry says it alike, and the first entry is a table's. */
	code = checkpoint_next(reader, &entry, err);
	if (code == LG_OK && entry.type == CHECKPOINT_TABLE)
		coverage_add(c, &entry);
	checkpoint_reader_close(reader);
	return code == LG_END ? LG_OK : code;
}
