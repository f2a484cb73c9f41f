/* checkpoint_corruption_test.c: whatever happens to the bytes of a checkpoint, its reader gives entries that were put, in
 * order from the first on, and then names the damage; never another entry, and never the end. */
#include "unit/checkpoint_fixture.h"

#include "unit/fake_files.h"
#include "unit/unit_pod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "0000000000000001.ckpt"

static struct lg_error err;

/* Several blocks in two kilobytes of file: one of tables and small rows, then two with rows of 100 KiB each. */
static const struct content small = {.seed = 11, .tables = 2, .rows = 9, .val_max = 120 << 10, .compressible = true};

struct image {
	struct fake_files f;
	struct fake_file *file;
	uint8_t *whole;
	size_t bytes;
	uint64_t random;
};

static void make_image(struct image *m, const struct content *content)
{
	fake_begin(&m->f);
	if (content_write(&m->f.io, "d", content, NULL, &err) != LG_OK)
		fail_msg("%s", err.message);
	m->file = fake_find(&m->f, NAME);
	m->bytes = m->file->bytes;
	m->whole = malloc(m->bytes);
	assert_non_null(m->whole);
	memcpy(m->whole, m->file->data, m->bytes);
	m->random = pod_seed();
}

static void restore_image(struct image *m)
{
	memcpy(m->file->data, m->whole, m->bytes);
	m->file->bytes = m->bytes;
}

static void end_image(struct image *m)
{
	free(m->whole);
	fake_end(&m->f);
}

/* The claim of this file. */
static void expect_named(struct image *m, const struct content *content)
{
	err = (struct lg_error){0};
	int code = content_read(&m->f.io, "d", content, &err);
	if (code != LG_CORRUPT && code != LG_MISMATCH)
		fail_msg("code %d: %s", code, err.message);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.message, "d/" NAME));
	if (code == LG_CORRUPT)
		assert_non_null(strstr(err.message, "offset "));
}

static uint32_t seed_of(const struct image *m)
{
	struct checkpoint_header header;
	memcpy(&header, m->whole, sizeof header);
	return checkpoint_seed(header.salt, header.sequence);
}

/* Where block `number` begins in the whole file. In a file nothing is aligned. */
static size_t block_at(const struct image *m, uint64_t number, struct checkpoint_block_header *header)
{
	size_t at = sizeof(struct checkpoint_header);
	for (uint64_t n = 0;; n++) {
		assert_true(at < m->bytes - sizeof(struct checkpoint_footer));
		memcpy(header, m->whole + at, sizeof *header);
		if (n == number)
			return at;
		at += sizeof *header + header->stored_bytes;
	}
}

static void read_footer(const struct image *m, struct checkpoint_footer *footer)
{
	memcpy(footer, m->whole + m->bytes - sizeof *footer, sizeof *footer);
}

/* With a right checksum. */
static void put_footer(struct image *m, struct checkpoint_footer *footer)
{
	footer->checksum = checkpoint_footer_checksum(footer, seed_of(m));
	memcpy(m->file->data + m->bytes - sizeof *footer, footer, sizeof *footer);
}

static void any_byte_flipped_is_named(void **state)
{
	struct image m;
	(void)state;
	make_image(&m, &small);
	assert_int_equal(content_read(&m.f.io, "d", &small, &err), LG_OK);
	struct checkpoint_block_header header;
	block_at(&m, 2, &header);
	assert_int_equal(header.number, 2);
	for (size_t at = 0; at < m.bytes; at++) {
		m.file->data[at] ^= (uint8_t)(at % 2 ? 0xff : 1U << pod_random(&m.random) % 8);
		expect_named(&m, &small);
		m.file->data[at] = m.whole[at];
	}
	end_image(&m);
}

static void any_truncation_and_any_tail_is_named(void **state)
{
	struct image m;
	(void)state;
	make_image(&m, &small);
	for (m.file->bytes = 0; m.file->bytes < m.bytes; m.file->bytes++)
		expect_named(&m, &small);
	/* What stands behind the footer, or before it, is no part of it; nor a second footer. */
	restore_image(&m);
	const size_t footer = sizeof(struct checkpoint_footer);
	assert_true(m.file->capacity >= m.bytes + footer);
	memcpy(m.file->data + m.bytes, m.whole + m.bytes - footer, footer);
	for (m.file->bytes = m.bytes + 1; m.file->bytes <= m.bytes + footer; m.file->bytes++)
		expect_named(&m, &small);
	m.file->bytes = m.bytes;
	for (size_t cut = 1; cut < m.bytes - footer; cut++) {
		memcpy(m.file->data + m.bytes - footer - cut, m.whole + m.bytes - footer, footer);
		m.file->bytes = m.bytes - cut;
		expect_named(&m, &small);
		restore_image(&m);
	}
	end_image(&m);
}

static void a_piece_that_is_zeros_or_noise_is_named(void **state)
{
	struct image m;
	(void)state;
	make_image(&m, &small);
	for (uint64_t round = pod_scaled(1000); round > 0; round--) {
		const size_t from = (size_t)(pod_random(&m.random) % m.bytes);
		const size_t bytes = 1 + (size_t)(pod_random(&m.random) % (m.bytes - from));
		if (round % 2)
			pod_fill(m.file->data + from, bytes, round);
		else
			memset(m.file->data + from, 0, bytes);
		if (memcmp(m.file->data, m.whole, m.bytes) != 0)
			expect_named(&m, &small);
		restore_image(&m);
	}
	end_image(&m);
}

/* ---- Pieces of the right form in the wrong place ---- */

static void put_block(struct image *m, size_t at, const struct checkpoint_block_header *header, const uint8_t *stored)
{
	memcpy(m->file->data + at, header, sizeof *header);
	memcpy(m->file->data + at + sizeof *header, stored, header->stored_bytes);
}

static void blocks_in_another_order_are_named(void **state)
{
	static const struct content rows = {
	        .seed = 12, .rows = 40, .val_max = 200 << 10, .one_size = true, .compressible = true};
	struct image m;
	uint32_t pairs = 0;
	(void)state;
	make_image(&m, &rows);
	for (uint64_t i = 0; i < rows.rows; i++)
		for (uint64_t j = 0; j < i; j++) {
			struct checkpoint_block_header first, second;
			const size_t a = block_at(&m, i, &first), b = block_at(&m, j, &second);
			if (first.stored_bytes != second.stored_bytes)
				continue;
			put_block(&m, a, &second, m.whole + b + sizeof second);
			put_block(&m, b, &first, m.whole + a + sizeof first);
			expect_named(&m, &rows);
			/* Nor does the number alone make it fit. */
			first.number = j;
			second.number = i;
			put_block(&m, a, &second, m.whole + b + sizeof second);
			put_block(&m, b, &first, m.whole + a + sizeof first);
			expect_named(&m, &rows);
			restore_image(&m);
			pairs++;
		}
	assert_true(pairs > 0);
	end_image(&m);
}

/* The same sequence number and contents, another salt: what the disk may hold of a file that a crash has ended. */
static void pieces_of_an_older_file_never_pass(void **state)
{
	struct image m, older;
	(void)state;
	make_image(&m, &small);
	fake_begin(&older.f);
	older.f.random = 2;
	OK(content_write(&older.f.io, "d", &small, NULL, &err));
	older.file = fake_find(&older.f, NAME);
	assert_int_equal(older.file->bytes, m.bytes);
	const size_t footer = m.bytes - sizeof(struct checkpoint_footer);
	size_t at = 0, bytes = sizeof(struct checkpoint_header);
	for (uint64_t piece = 0; at < m.bytes; piece++) {
		struct checkpoint_block_header header;
		memcpy(m.file->data + at, older.file->data + at, bytes);
		expect_named(&m, &small);
		restore_image(&m);
		at += bytes;
		bytes = sizeof(struct checkpoint_footer);
		if (at < footer) {
			assert_int_equal(block_at(&m, piece, &header), at);
			bytes = sizeof header + header.stored_bytes;
		}
	}
	fake_end(&older.f);
	end_image(&m);
}

static void a_file_under_another_name_is_named(void **state)
{
	struct image m;
	(void)state;
	make_image(&m, &small);
	fake_put(&m.f, "0000000000000002.ckpt", m.whole, m.bytes);
	CODE(LG_CORRUPT, content_read(&m.f.io, "d", &small, &err));
	assert_non_null(strstr(err.message, "0000000000000002.ckpt, offset 0: its header has another sequence number"));
	end_image(&m);
}

/* ---- Lies with right checksums ---- */

static void sizes_that_no_block_has_are_named(void **state)
{
	static const uint32_t lies[] = {0, 1, 4, 24, CHECKPOINT_BLOCK_BYTES, CHECKPOINT_BLOCK_BYTES + 8,
	        CHECKPOINT_RAW_MAX, CHECKPOINT_RAW_MAX + 8, 1U << 31, UINT32_MAX - 7, UINT32_MAX};
	static const size_t fields[] = {offsetof(struct checkpoint_block_header, raw_bytes),
	        offsetof(struct checkpoint_block_header, stored_bytes),
	        offsetof(struct checkpoint_block_header, entry_count),
	        offsetof(struct checkpoint_block_header, number)};
	struct image m;
	(void)state;
	make_image(&m, &small);
	for (uint64_t number = 0; number < 3; number++)
		for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
			for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++) {
				struct checkpoint_block_header header;
				const size_t at = block_at(&m, number, &header);
				memcpy((uint8_t *)&header + fields[j], &lies[i], sizeof lies[i]);
				header.header_checksum =
				        checkpoint_block_checksum(&header, checkpoint_block_seed(seed_of(&m), number));
				memcpy(m.file->data + at, &header, sizeof header);
				if (memcmp(m.file->data, m.whole, m.bytes) != 0)
					expect_named(&m, &small);
				restore_image(&m);
			}
	end_image(&m);
}

static const char *check_signed(struct checkpoint_block_header *header)
{
	header->magic = CHECKPOINT_BLOCK_MAGIC;
	header->header_checksum = checkpoint_block_checksum(header, checkpoint_block_seed(1, header->number));
	return checkpoint_block_check(header, 1, header->number);
}

/* Before any memory is taken for it. */
static void a_block_is_never_greater_than_what_its_entries_may_be(void **state)
{
	struct checkpoint_block_header header = {.number = 5, .raw_bytes = 8, .stored_bytes = 1, .entry_count = 1};
	(void)state;
	assert_null(check_signed(&header));
	header.raw_bytes = CHECKPOINT_RAW_MAX;
	header.stored_bytes = checkpoint_stored_max(CHECKPOINT_RAW_MAX);
	assert_null(check_signed(&header));
	header.stored_bytes++;
	assert_non_null(check_signed(&header));
	header.stored_bytes = 1;
	header.raw_bytes += 8;
	assert_non_null(check_signed(&header));
	header.entry_count = 2;
	header.raw_bytes = CHECKPOINT_BLOCK_BYTES + 8;
	assert_non_null(check_signed(&header));
	header.raw_bytes -= 8;
	assert_null(check_signed(&header));

	struct image m;
	make_image(&m, &small);
	const size_t footer = m.bytes - sizeof(struct checkpoint_footer);
	size_t at = 0;
	for (uint64_t number = 0; at + sizeof header + header.stored_bytes != footer; number++)
		at = block_at(&m, number, &header);
	header.stored_bytes++;
	header.header_checksum = checkpoint_block_checksum(&header, checkpoint_block_seed(seed_of(&m), header.number));
	memcpy(m.file->data + at, &header, sizeof header);
	expect_named(&m, &small);
	assert_non_null(strstr(err.message, "reaches into the footer"));
	end_image(&m);
}

/* Each of two ways would do: the number in the header, and that in the seeds. */
static void a_block_is_bound_to_its_place_twice(void **state)
{
	struct checkpoint_block_header header = {
	        .magic = CHECKPOINT_BLOCK_MAGIC, .number = 6, .raw_bytes = 8, .stored_bytes = 1, .entry_count = 1};
	const uint64_t raw[2] = {8 | (uint64_t)CHECKPOINT_TABLE << 32, 7};
	uint8_t *block = malloc(checkpoint_block_room(sizeof raw));
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	uint32_t checksums[2];
	size_t bytes = 0;
	(void)state;
	header.header_checksum = checkpoint_block_checksum(&header, checkpoint_block_seed(1, 5));
	assert_non_null(checkpoint_block_check(&header, 1, 5));
	assert_true(zstd && block);
	for (uint64_t number = 0; number < 2; number++) {
		assert_null(checkpoint_block_encode(zstd, 1, number, raw, sizeof raw, 1, block, &bytes));
		memcpy(&header, block, sizeof header);
		checksums[number] = header.stored_checksum;
	}
	assert_true(checksums[0] != checksums[1]);
	ZSTD_freeCCtx(zstd);
	free(block);
}

/* A frame with one row, in a header that says two: what the memory held before must not be taken for the second. */
static void a_frame_that_is_shorter_than_its_header_says_is_named(void **state)
{
	struct checkpoint_row row = {.version = 3, .key = lg_slice("key", 3)};
	const uint32_t bytes = (uint32_t)checkpoint_entry_bytes(24 + 3);
	uint64_t raw[32], back[32];
	struct checkpoint_block_header header;
	struct checkpoint_counts counts;
	size_t room = 0;
	ZSTD_CCtx *writing = ZSTD_createCCtx();
	ZSTD_DCtx *reading = ZSTD_createDCtx();
	(void)state;
	checkpoint_put_row(raw, &row);
	checkpoint_put_row((uint8_t *)raw + bytes, &row);
	uint64_t *large = malloc(checkpoint_block_room(2 * bytes));
	assert_true(writing && reading && large);
	assert_null(checkpoint_block_encode(writing, 1, 0, raw, 2 * bytes, 2, large, &room));
	memcpy(&header, large, sizeof header);
	assert_null(checkpoint_block_decode(reading, &header, 1, (uint8_t *)large + sizeof header, back, &counts));
	assert_int_equal(counts.rows, 2);
	assert_memory_equal(back, raw, (size_t)2 * bytes);
	assert_null(checkpoint_block_encode(writing, 1, 1, raw, bytes, 1, large, &room));
	memcpy(&header, large, sizeof header);
	header.raw_bytes = 2 * bytes;
	header.entry_count = 2;
	assert_null(check_signed(&header));
	const char *why = checkpoint_block_decode(reading, &header, 1, (uint8_t *)large + sizeof header, back, &counts);
	assert_non_null(why);
	assert_non_null(strstr(why, "decompresses to"));
	free(large);
	ZSTD_freeCCtx(writing);
	ZSTD_freeDCtx(reading);
}

static void a_footer_or_header_that_contradicts_the_rest_is_named(void **state)
{
	struct image m;
	(void)state;
	make_image(&m, &small);
	struct checkpoint_footer footer;
	for (size_t at = 0; at < offsetof(struct checkpoint_footer, checksum); at += 4) {
		/* A later last epoch is a promise that holds all the same. */
		if (at >= offsetof(struct checkpoint_footer, last_epoch) &&
		        at < offsetof(struct checkpoint_footer, blocks_checksum))
			continue;
		read_footer(&m, &footer);
		((uint8_t *)&footer)[at]++;
		put_footer(&m, &footer);
		expect_named(&m, &small);
		restore_image(&m);
	}
	read_footer(&m, &footer);
	footer.last_epoch = CONTENT_FIRST_EPOCH - 2;
	put_footer(&m, &footer);
	CODE(LG_CORRUPT, content_read(&m.f.io, "d", &small, &err));
	assert_non_null(strstr(err.message, "before the header's first"));
	footer.last_epoch++; /* not before that, but before a row's */
	put_footer(&m, &footer);
	struct checkpoint_reader *reader;
	struct checkpoint_entry entry;
	const struct checkpoint_reader_options options = {.host = LOG_ANY_HOST, .io = &m.f.io};
	OK(checkpoint_reader_open("d", &options, &reader, &err));
	int code;
	do
		code = checkpoint_next(reader, &entry, &err);
	while (code == LG_OK);
	unit_expect_error(LG_CORRUPT, code, &err, "a later epoch than the footer says");
	checkpoint_reader_close(reader);
	restore_image(&m);
	struct checkpoint_header header;
	memcpy(&header, m.whole, sizeof header);
	header.zero = 1;
	header.checksum = checkpoint_header_checksum(&header);
	memcpy(m.file->data, &header, sizeof header);
	expect_named(&m, &small);
	end_image(&m);
}

/* Reads all, and every byte of it. What is given may be anything. */
static int read_anything(struct image *m)
{
	const struct checkpoint_reader_options options = {.host = LOG_ANY_HOST, .io = &m->f.io};
	struct checkpoint_reader *reader;
	struct checkpoint_entry entry;
	volatile uint32_t sum = 0;
	int code = checkpoint_reader_open("d", &options, &reader, &err);
	while (code == LG_OK) {
		code = checkpoint_next(reader, &entry, &err);
		if (code == LG_OK)
			sum = crc32c(crc32c(crc32c(sum, entry.body.data, entry.body.bytes), entry.row.key.data,
			                     entry.row.key.bytes),
			        entry.row.val.data, entry.row.val.bytes);
	}
	checkpoint_reader_close(reader);
	return code;
}

/* Decompressed, with some bytes changed, compressed again, in a file in which everything fits. */
static void forge_block(struct image *m, const uint8_t *raw, uint32_t raw_bytes, uint32_t entry_count)
{
	uint8_t *block = malloc(checkpoint_block_room(raw_bytes));
	struct checkpoint_header header;
	size_t bytes = 0;
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	assert_true(block && zstd);
	assert_null(checkpoint_block_encode(zstd, seed_of(m), 0, raw, raw_bytes, entry_count, block, &bytes));
	struct checkpoint_footer footer = {
	        .magic = CHECKPOINT_FOOTER_MAGIC,
	        .row_count = entry_count,
	        .raw_bytes = raw_bytes,
	        .block_count = 1,
	        .file_bytes = sizeof header + bytes + sizeof footer,
	        .last_epoch = UINT64_MAX,
	        .blocks_checksum = crc32c(0, block, sizeof(struct checkpoint_block_header)),
	};
	footer.checksum = checkpoint_footer_checksum(&footer, seed_of(m));
	uint8_t *file = malloc((size_t)footer.file_bytes);
	assert_non_null(file);
	memcpy(file, m->whole, sizeof header);
	memcpy(file + sizeof header, block, bytes);
	memcpy(file + sizeof header + bytes, &footer, sizeof footer);
	fake_put(&m->f, NAME, file, (size_t)footer.file_bytes);
	m->file = fake_find(&m->f, NAME);
	free(file);
	free(block);
	ZSTD_freeCCtx(zstd);
}

static void entries_that_lie_never_lead_out_of_bounds(void **state)
{
	struct image m;
	struct checkpoint_row row = {
	        .table = 1, .version = 77, .key = lg_slice("a key", 5), .val = lg_slice("a value", 7)};
	/* Exactly as long as the block says, so that the sanitizer sees each byte behind it. */
	enum { ROWS = 4 };
	const uint32_t row_bytes = (uint32_t)checkpoint_entry_bytes(24 + 5 + 7);
	uint8_t *raw = malloc((size_t)ROWS * row_bytes);
	uint32_t whole = 0, refused = 0;
	(void)state;
	assert_non_null(raw);
	make_image(&m, &small);
	for (uint64_t round = pod_scaled(20000); round > 0; round--) {
		for (uint32_t i = 0; i < ROWS; i++)
			checkpoint_put_row(raw + (size_t)i * row_bytes, &row);
		for (uint64_t lies = round % 4; lies > 0; lies--) {
			const size_t at = (size_t)(pod_random(&m.random) % (ROWS * row_bytes));
			raw[at] = (uint8_t)(pod_random(&m.random) >> pod_random(&m.random) % 8);
		}
		forge_block(&m, raw, ROWS * row_bytes, ROWS);
		int code = read_anything(&m);
		if (code != LG_END && code != LG_CORRUPT)
			fail_msg("code %d: %s", code, err.message);
		whole += code == LG_END;
		refused += code == LG_CORRUPT;
	}
	assert_true(whole > 0 && refused > 0);
	free(raw);
	end_image(&m);
}

static void entries_that_do_not_fill_their_block_are_named(void **state)
{
	struct image m;
	struct checkpoint_row row = {.key = lg_slice("1234567", 7)};
	const uint32_t bytes = (uint32_t)checkpoint_entry_bytes(24 + 7);
	uint8_t raw[256] = {0};
	(void)state;
	make_image(&m, &small);
	checkpoint_put_row(raw, &row);
	checkpoint_put_row(raw + bytes, &row);
	forge_block(&m, raw, 2 * bytes, 2);
	CODE(LG_END, read_anything(&m));
	forge_block(&m, raw, 2 * bytes, 1);
	unit_expect_error(LG_CORRUPT, read_anything(&m), &err, "another number of entries");
	forge_block(&m, raw, 2 * bytes, 3);
	unit_expect_error(LG_CORRUPT, read_anything(&m), &err, "another number of entries");
	forge_block(&m, raw, 2 * bytes - 8, 2);
	unit_expect_error(LG_CORRUPT, read_anything(&m), &err, "longer than its block");
	raw[bytes - 1] = 1;
	forge_block(&m, raw, 2 * bytes, 2);
	unit_expect_error(LG_CORRUPT, read_anything(&m), &err, "bytes behind an entry");
	raw[bytes - 1] = 0;
	raw[4] = 3;
	forge_block(&m, raw, 2 * bytes, 2);
	unit_expect_error(LG_CORRUPT, read_anything(&m), &err, "type that this format does not know");
	raw[4] = CHECKPOINT_ROW;
	raw[6] = 1;
	forge_block(&m, raw, 2 * bytes, 2);
	unit_expect_error(LG_CORRUPT, read_anything(&m), &err, "bytes that are not zero");
	end_image(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(any_byte_flipped_is_named),
	        cmocka_unit_test(any_truncation_and_any_tail_is_named),
	        cmocka_unit_test(a_piece_that_is_zeros_or_noise_is_named),
	        cmocka_unit_test(blocks_in_another_order_are_named),
	        cmocka_unit_test(pieces_of_an_older_file_never_pass),
	        cmocka_unit_test(a_file_under_another_name_is_named),
	        cmocka_unit_test(sizes_that_no_block_has_are_named),
	        cmocka_unit_test(a_block_is_never_greater_than_what_its_entries_may_be),
	        cmocka_unit_test(a_block_is_bound_to_its_place_twice),
	        cmocka_unit_test(a_frame_that_is_shorter_than_its_header_says_is_named),
	        cmocka_unit_test(a_footer_or_header_that_contradicts_the_rest_is_named),
	        cmocka_unit_test(entries_that_lie_never_lead_out_of_bounds),
	        cmocka_unit_test(entries_that_do_not_fill_their_block_are_named),
	};
	return cmocka_run_group_tests_name("checkpoint corruption", tests, NULL, NULL);
}
