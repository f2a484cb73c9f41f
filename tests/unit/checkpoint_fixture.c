/* checkpoint_fixture.c: see checkpoint_fixture.h. */
#include "unit/checkpoint_fixture.h"

#include "cxl/word.h"

#include <stdlib.h>
#include <string.h>

const struct log_identity content_identity = {CONTENT_COOKIE, CONTENT_HOST, 2};

/* What entry n of a content is, in memory that is the caller's to free. */
static uint8_t *make_entry(const struct content *c, uint32_t n, struct checkpoint_entry *entry)
{
	uint64_t random = c->seed + (uint64_t)n * 977;
	const size_t key_bytes = 1 + pod_random(&random) % 60;
	const size_t val_bytes = c->one_size ? c->val_max : pod_random(&random) % ((uint64_t)c->val_max + 1);
	uint8_t *memory = malloc(key_bytes + val_bytes);
	assert_non_null(memory);
	pod_fill(memory, key_bytes, random);
	if (c->compressible)
		memset(memory + key_bytes, (int)(uint8_t)random, val_bytes);
	else
		pod_fill(memory + key_bytes, val_bytes, random + 1);
	*entry = (struct checkpoint_entry){.type = n < c->tables ? CHECKPOINT_TABLE : CHECKPOINT_ROW};
	if (n < c->tables) {
		entry->body = lg_slice(memory, key_bytes);
		return memory;
	}
	const uint64_t epoch = 1 + pod_random(&random) % CONTENT_LAST_EPOCH;
	entry->row = (struct checkpoint_row){
	        .table = (uint16_t)pod_random(&random),
	        .flags = (uint16_t)pod_random(&random),
	        .partition = (uint32_t)pod_random(&random),
	        .version = version_first_of(epoch) + n % 100,
	        .key = lg_slice(memory, key_bytes),
	        .val = lg_slice(memory + key_bytes, val_bytes),
	};
	return memory;
}

int content_add(struct checkpoint_writer *writer, const struct content *content, struct lg_error *err)
{
	int code = LG_OK;
	for (uint32_t n = 0; code == LG_OK && n < content->tables + content->rows; n++) {
		struct checkpoint_entry entry;
		uint8_t *memory = make_entry(content, n, &entry);
		if (entry.type == CHECKPOINT_TABLE)
			code = checkpoint_add_table(writer, entry.body.data, (uint32_t)entry.body.bytes, err);
		else
			code = checkpoint_add_row(writer, &entry.row, err);
		free(memory);
	}
	return code;
}

int content_write(struct log_io *io, const char *directory, const struct content *content, struct checkpoint_info *info,
        struct lg_error *err)
{
	struct checkpoint_writer *writer;
	int code = checkpoint_begin(io, directory, &content_identity, CONTENT_FIRST_EPOCH, 0, &writer, err);
	if (code != LG_OK)
		return code;
	code = content_add(writer, content, err);
	if (code == LG_OK)
		return checkpoint_commit(writer, CONTENT_LAST_EPOCH, info, err);
	checkpoint_abort(writer);
	return code;
}

static bool same(struct lg_slice a, struct lg_slice b)
{
	return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

static void expect_entry(const struct content *content, uint32_t n, const struct checkpoint_entry *got)
{
	struct checkpoint_entry wanted;
	assert_in_range(n, 0, content->tables + content->rows - 1);
	uint8_t *memory = make_entry(content, n, &wanted);
	assert_int_equal(got->type, wanted.type);
	assert_true(same(got->body, wanted.body));
	assert_int_equal(got->row.table, wanted.row.table);
	assert_int_equal(got->row.flags, wanted.row.flags);
	assert_int_equal(got->row.partition, wanted.row.partition);
	assert_true(got->row.version == wanted.row.version);
	assert_true(same(got->row.key, wanted.row.key));
	assert_true(same(got->row.val, wanted.row.val));
	free(memory);
}

int content_read(struct log_io *io, const char *path, const struct content *content, struct lg_error *err)
{
	struct checkpoint_reader_options options = {.cookie = CONTENT_COOKIE, .host = CONTENT_HOST, .io = io};
	struct checkpoint_reader *reader;
	struct checkpoint_entry entry;
	int code = checkpoint_reader_open(path, &options, &reader, err);
	if (code != LG_OK)
		return code;
	const struct checkpoint_info *info = checkpoint_reader_info(reader);
	assert_int_equal(info->first_epoch, CONTENT_FIRST_EPOCH);
	assert_int_equal(info->last_epoch, CONTENT_LAST_EPOCH);
	uint32_t n = 0;
	for (; (code = checkpoint_next(reader, &entry, err)) == LG_OK; n++)
		expect_entry(content, n, &entry);
	assert_int_equal(checkpoint_next(reader, &entry, err), code);
	if (code == LG_END) {
		assert_int_equal(n, content->tables + content->rows);
		assert_int_equal(info->counts.rows, content->rows);
		assert_int_equal(info->counts.tables, content->tables);
	}
	checkpoint_reader_close(reader);
	return code == LG_END ? LG_OK : code;
}
