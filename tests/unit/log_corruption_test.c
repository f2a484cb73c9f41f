/* log_corruption_test.c: whatever happens to the bytes of a log, its reader gives a prefix of whole batches, or names
 * the damage; never an entry that was not written. Files lie in memory here, so that every byte can be tried. */
#include "unit/log_fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 8 };

struct memory_file {
	char name[32];
	uint8_t *data;
	size_t bytes;
};

struct memory_io {
	struct log_io io;
	struct memory_file files[MAX_FILES];
	int count;
	uint64_t random;
};

/* ---- Files in memory ---- */

static int memory_list(struct log_io *io, const char *path, int (*entry)(void *, const char *), void *context)
{
	struct memory_io *m = (struct memory_io *)io;
	(void)path;
	int code = 0;
	for (int i = 0; code == 0 && i < m->count; i++)
		code = entry(context, m->files[i].name);
	return code;
}

static int memory_open(struct log_io *io, const char *path, enum log_io_mode mode)
{
	struct memory_io *m = (struct memory_io *)io;
	const char *name = strrchr(path, '/') + 1;
	for (int i = 0; i < m->count; i++)
		if (strcmp(m->files[i].name, name) == 0)
			return i;
	assert_int_equal(mode, LOG_IO_READ);
	return -ENOENT;
}

static int memory_close(struct log_io *io, int file)
{
	(void)io, (void)file;
	return 0;
}

static int memory_size(struct log_io *io, int file, uint64_t *bytes)
{
	*bytes = ((struct memory_io *)io)->files[file].bytes;
	return 0;
}

static ssize_t memory_read(struct log_io *io, int file, void *data, size_t bytes, uint64_t offset)
{
	const struct memory_file *f = &((struct memory_io *)io)->files[file];
	if (offset >= f->bytes)
		return 0;
	if (bytes > f->bytes - offset)
		bytes = f->bytes - offset;
	memcpy(data, f->data + offset, bytes);
	return (ssize_t)bytes;
}

static const struct log_io_ops memory_ops = {
        .list = memory_list,
        .open = memory_open,
        .close = memory_close,
        .size = memory_size,
        .read = memory_read,
};

static void load(struct memory_io *m, const struct log_fixture *f, uint64_t first, uint64_t last)
{
	*m = (struct memory_io){.io.ops = &memory_ops, .random = pod_seed()};
	for (uint64_t sequence = first; sequence <= last; sequence++) {
		struct memory_file *file = &m->files[m->count++];
		char path[128];
		log_file_path(f, sequence, path);
		snprintf(file->name, sizeof file->name, "%s", strrchr(path, '/') + 1);
		FILE *from = fopen(path, "rb");
		assert_non_null(from);
		assert_int_equal(fseek(from, 0, SEEK_END), 0);
		file->bytes = (size_t)ftell(from);
		rewind(from);
		file->data = malloc(file->bytes);
		assert_non_null(file->data);
		assert_int_equal(fread(file->data, file->bytes, 1, from), 1);
		fclose(from);
	}
}

static void unload(struct memory_io *m)
{
	for (int i = 0; i < m->count; i++)
		free(m->files[i].data);
}

/* ---- What reading gives ---- */

struct outcome {
	int code;
	uint32_t entries;
	struct lg_error err;
	struct log_found found;
};

/* Reads all; every entry must be the one that was put. Entries before `skip` were recycled. */
static struct outcome read_all(struct memory_io *m, const struct log_fixture *f, uint32_t skip)
{
	struct log_reader_options options = {.cookie = LOG_TEST_COOKIE, .host = LOG_TEST_HOST, .io = &m->io};
	struct outcome out = {0};
	struct log_reader *reader;
	struct log_entry entry;
	out.entries = skip;
	out.code = log_reader_open("log", &options, &reader, &out.err);
	if (out.code != LG_OK)
		return out;
	while ((out.code = log_reader_next(reader, &entry, &out.err)) == LG_OK) {
		assert_true(out.entries < f->put_count);
		const struct log_put *put = &f->put[out.entries];
		assert_int_equal(entry.bytes, put->bytes);
		assert_int_equal(entry.type, put->type);
		assert_int_equal(entry.flags, put->flags);
		assert_true(entry.batch == put->batch);
		assert_true(log_body_is(entry.body, out.entries, entry.bytes));
		out.entries++;
	}
	out.found = *log_reader_found(reader);
	log_reader_close(reader);
	return out;
}

/* Entries in batches up to `batch`. */
static uint32_t entries_up_to(const struct log_fixture *f, uint64_t batch)
{
	uint32_t n = 0;
	while (n < f->put_count && f->put[n].batch <= batch)
		n++;
	return n;
}

/* The claim of this file. The damage is in `file`, or the outcome would be the whole log. */
static void expect_prefix_or_corrupt(const struct log_fixture *f, const struct outcome *out, const char *file)
{
	const uint64_t last = f->put[f->put_count - 1].batch;
	if (out->code == LG_END) {
		if (out->entries != f->put_count && out->entries != entries_up_to(f, last - 1))
			fail_msg("%u of %u entries, and no word of damage", out->entries, f->put_count);
		return;
	}
	if (out->code != LG_CORRUPT || !strstr(out->err.message, "offset ") || !strstr(out->err.message, file))
		fail_msg("code %d for damage in %s: %s", out->code, file, out->err.message);
	/* What was given are whole batches. */
	assert_true(out->entries == f->put_count || out->entries == 0 ||
	            f->put[out->entries].batch != f->put[out->entries - 1].batch);
}

static void put_batch(struct log_fixture *f, uint32_t entries, uint32_t bytes, uint64_t batch)
{
	uint32_t first = f->put_count;
	for (uint32_t i = 0; i < entries; i++)
		log_put(f, bytes + i);
	log_commit(f);
	for (uint32_t i = first; i < f->put_count; i++)
		f->put[i].batch = batch;
}

/* Segments of 16 KiB with three, two and two batches of various sizes. */
static void make_small_log(struct log_fixture *f)
{
	f->options.segment_bytes = 16 << 10;
	log_open_writer(f);
	put_batch(f, 3, 100, 1);
	put_batch(f, 1, 2000, 2);
	put_batch(f, 2, 30, 3);
	put_batch(f, 2, 2200, 4);
	put_batch(f, 1, 1, 5);
	put_batch(f, 2, 2500, 6);
	put_batch(f, 1, 70, 7);
	log_close_writer(f);
}

/* Two restarts, one with a torn batch, so that segments begin with copies and with a number given again. */
static void make_restarted_log(struct log_fixture *f)
{
	f->options.segment_bytes = 16 << 10;
	log_open_writer(f);
	put_batch(f, 3, 100, 1);
	put_batch(f, 1, 2000, 2);
	f->put_count--; /* it will be torn */
	log_close_writer(f);
	log_patch(f, 1, 8192 + 1000, "torn", 4);
	f->epoch = 1;
	f->identity.incarnation = 2;
	log_open_writer(f);
	put_batch(f, 2, 30, 2);
	put_batch(f, 1, 50, 3);
	log_close_writer(f);
	f->identity.incarnation = 3;
	log_open_writer(f);
	put_batch(f, 1, 400, 4);
	log_close_writer(f);
}

static void flip_every_byte(struct log_fixture *f, uint64_t last)
{
	struct memory_io m;
	load(&m, f, 1, last);
	struct outcome out = read_all(&m, f, 0);
	assert_int_equal(out.code, LG_END);
	assert_int_equal(out.entries, f->put_count);
	for (int i = 0; i < m.count; i++) {
		struct memory_file *file = &m.files[i];
		for (size_t at = 0; at < file->bytes; at++) {
			uint8_t before = file->data[at];
			file->data[at] ^= (uint8_t)(at % 2 ? 0xff : 1U << pod_random(&m.random) % 8);
			out = read_all(&m, f, 0);
			expect_prefix_or_corrupt(f, &out, file->name);
			file->data[at] = before;
		}
	}
	unload(&m);
}

static void truncate_everywhere(struct log_fixture *f, uint64_t last)
{
	struct memory_io m;
	load(&m, f, 1, last);
	for (int i = 0; i < m.count; i++) {
		struct memory_file *file = &m.files[i];
		const size_t whole = file->bytes;
		uint8_t *data = file->data;
		for (size_t bytes = 0; bytes < whole; bytes++) {
			/* Memory of that size, so that reading behind it is seen. */
			file->data = malloc(bytes ? bytes : 1);
			assert_non_null(file->data);
			memcpy(file->data, data, bytes);
			file->bytes = bytes;
			struct outcome out = read_all(&m, f, 0);
			assert_int_equal(out.code, LG_CORRUPT);
			expect_prefix_or_corrupt(f, &out, file->name);
			free(file->data);
		}
		file->data = data;
		file->bytes = whole;
	}
	unload(&m);
}

static void any_byte_flipped_gives_a_prefix_or_is_named(void **state)
{
	make_small_log(*state);
	flip_every_byte(*state, 3);
}

static void any_byte_flipped_in_a_log_with_restarts(void **state)
{
	make_restarted_log(*state);
	flip_every_byte(*state, 3);
}

static void any_truncation_is_named_after_a_prefix(void **state)
{
	make_small_log(*state);
	truncate_everywhere(*state, 3);
}

static void any_truncation_of_a_log_with_restarts(void **state)
{
	make_restarted_log(*state);
	truncate_everywhere(*state, 3);
}

/* The last batch reached the disk up to any byte, in a new file (zeros behind) and in one that was used before. */
static void a_batch_that_is_torn_anywhere_is_cut(void **state)
{
	struct log_fixture *f = *state;
	struct lg_error err;
	uint64_t batch = 1;
	f->options.segment_bytes = 32 << 10;
	for (int recycled = 0; recycled < 2; recycled++) {
		struct memory_io m, after;
		struct log_writer_stats stats;
		log_open_writer(f);
		put_batch(f, 2, 100, batch++);
		log_writer_stats(f->writer, &stats);
		assert_int_equal(stats.reused, recycled);
		load(&m, f, stats.sequence, stats.sequence);
		put_batch(f, 3, 2000, batch++);
		load(&after, f, stats.sequence, stats.sequence);
		/* A segment after a restart begins with a copy; all before that was recycled, or is not looked at. */
		const uint32_t skip = recycled ? entries_up_to(f, batch - 4) : 0;
		const size_t start = recycled ? 12288 : 8192;
		for (size_t bytes = 0; bytes <= 8192; bytes++) {
			memcpy(m.files[0].data + start, after.files[0].data + start, bytes);
			struct outcome out = read_all(&m, f, skip);
			assert_int_equal(out.code, LG_END);
			if (out.entries != f->put_count)
				assert_int_equal(out.entries, entries_up_to(f, batch - 2));
		}
		assert_int_equal(read_all(&m, f, skip).entries, f->put_count);
		unload(&m);
		unload(&after);
		/* Spares for the second round. */
		while (f->epoch < 30)
			put_batch(f, 1, 3000, batch++);
		assert_int_equal(log_recycle(f->writer, f->epoch, NULL, &err), LG_OK);
		log_close_writer(f);
	}
}

/* ---- Lies with right checksums ---- */

static void sign_segment(struct memory_file *file)
{
	struct log_segment_header header;
	memcpy(&header, file->data, sizeof header);
	header.checksum = log_segment_checksum(&header);
	memcpy(file->data, &header, sizeof header);
}

static void sign_batch(struct memory_file *file, size_t offset)
{
	struct log_segment_header segment;
	struct log_batch_header header;
	memcpy(&segment, file->data, sizeof segment);
	memcpy(&header, file->data + offset, sizeof header);
	if (header.bytes <= file->bytes - offset - sizeof header)
		header.payload_checksum = crc32c(0, file->data + offset + sizeof header, header.bytes);
	header.header_checksum = log_header_checksum(&header, log_segment_seed(segment.salt, segment.sequence));
	memcpy(file->data + offset, &header, sizeof header);
}

/* A number that somebody might have put there: near a bound, or any. */
static uint64_t wild(uint64_t *random)
{
	static const uint64_t bounds[] = {0, 1, 7, 8, 64, 4096, 16384, 1U << 31, UINT32_MAX, UINT64_MAX};
	uint64_t n = pod_random(random);
	return n % 2 ? bounds[n / 2 % 10] + n / 64 % 3 - 1 : pod_random(random) >> n / 2 % 64;
}

static void lies_with_right_checksums_never_lead_out_of_bounds(void **state)
{
	struct log_fixture *f = *state;
	struct memory_io m;
	make_small_log(f);
	load(&m, f, 1, 3);
	static const uint8_t widths[] = {1, 2, 4, 8};
	for (uint64_t round = pod_scaled(30000); round > 0; round--) {
		struct memory_file *file = &m.files[pod_random(&m.random) % 3];
		uint8_t *whole = malloc(file->bytes);
		assert_non_null(whole);
		memcpy(whole, file->data, file->bytes);
		uint64_t number = wild(&m.random), r = pod_random(&m.random);
		const size_t block = 4096 * (r % 4);
		const size_t at = block + 8 + r / 4 % 96; /* the header, and the first entries behind it */
		memcpy(file->data + at, &number, widths[r / 512 % 4]);
		if (block == 0)
			sign_segment(file);
		else
			sign_batch(file, block);
		/* Entries may differ then; what is given must lie in bounds, which the sanitizers watch. */
		struct log_reader_options options = {.host = LOG_ANY_HOST, .io = &m.io};
		struct log_reader *reader = NULL;
		struct log_entry entry;
		struct lg_error err;
		uint64_t sum = 0;
		int code = log_reader_open("log", &options, &reader, &err);
		while (code == LG_OK && (code = log_reader_next(reader, &entry, &err)) == LG_OK)
			sum += crc32c(0, entry.body, entry.bytes);
		log_reader_close(reader);
		if (code != LG_END && code != LG_CORRUPT && code != LG_MISMATCH)
			fail_msg("code %d: %s (%ju)", code, err.message, (uintmax_t)sum);
		memcpy(file->data, whole, file->bytes);
		free(whole);
	}
	unload(&m);
}

static void a_size_beyond_the_segment_is_named_even_with_a_right_checksum(void **state)
{
	struct log_fixture *f = *state;
	struct memory_io m;
	make_small_log(f);
	load(&m, f, 1, 3);
	/* The first: one block is left, and the header takes a part of it. */
	const uint32_t sizes[] = {4096, 16384, UINT32_MAX, LOG_BATCH_BYTES_MAX + 8};
	for (int i = 0; i < 4; i++) {
		/* The last batch, where nothing behind it tells that it is no torn one. */
		memcpy(m.files[2].data + 12288 + offsetof(struct log_batch_header, bytes), &sizes[i], sizeof sizes[i]);
		sign_batch(&m.files[2], 12288);
		struct outcome out = read_all(&m, f, 0);
		assert_int_equal(out.code, LG_CORRUPT);
		expect_prefix_or_corrupt(f, &out, "0000000000000003.log, offset 12288");
	}
	unload(&m);
}

static void noise_is_no_log(void **state)
{
	struct log_fixture *f = *state;
	struct memory_io m;
	make_small_log(f);
	load(&m, f, 1, 3);
	for (uint64_t round = pod_scaled(300); round > 0; round--) {
		struct memory_file *file = &m.files[pod_random(&m.random) % 3];
		uint8_t *whole = malloc(file->bytes);
		assert_non_null(whole);
		memcpy(whole, file->data, file->bytes);
		const size_t from = (size_t)(pod_random(&m.random) % file->bytes);
		for (size_t i = from; i < file->bytes; i++)
			file->data[i] = (uint8_t)pod_random(&m.random);
		/* In the last segment all batches may be noise: that looks like one that is torn. */
		struct outcome out = read_all(&m, f, 0);
		assert_true(out.code == LG_CORRUPT || out.code == LG_END);
		if (out.code == LG_END)
			assert_true(out.entries == f->put_count || file == &m.files[2]);
		memcpy(file->data, whole, file->bytes);
		free(whole);
	}
	unload(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(
	                any_byte_flipped_gives_a_prefix_or_is_named, log_setup_pwrite, log_teardown),
	        cmocka_unit_test_setup_teardown(
	                any_byte_flipped_in_a_log_with_restarts, log_setup_pwrite, log_teardown),
	        cmocka_unit_test_setup_teardown(any_truncation_is_named_after_a_prefix, log_setup_pwrite, log_teardown),
	        cmocka_unit_test_setup_teardown(any_truncation_of_a_log_with_restarts, log_setup_pwrite, log_teardown),
	        cmocka_unit_test_setup_teardown(a_batch_that_is_torn_anywhere_is_cut, log_setup_pwrite, log_teardown),
	        cmocka_unit_test_setup_teardown(
	                lies_with_right_checksums_never_lead_out_of_bounds, log_setup_pwrite, log_teardown),
	        cmocka_unit_test_setup_teardown(
	                a_size_beyond_the_segment_is_named_even_with_a_right_checksum, log_setup_pwrite, log_teardown),
	        cmocka_unit_test_setup_teardown(noise_is_no_log, log_setup_pwrite, log_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
