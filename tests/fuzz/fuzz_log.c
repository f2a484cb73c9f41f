/* fuzz_log.c: the log reader (src/recovery/log_reader.c) over a log of one segment. The first two bytes say how much of the file
 * is cut off its end; the rest is strokes over it: [offset, 4 bytes][count, 1 byte][bytes].... */
#include "fuzz/fuzz.h"
#include "recovery/log_reader.h"
#include "recovery/log_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRIES = 40, BATCH = 8, IMAGE_BYTES = 64 << 10 };

static char directory[64], host_path[96], file[LOG_PATH_BYTES];
static uint8_t image[IMAGE_BYTES];
static size_t image_bytes;

static void expect(int code, const struct lg_error *err)
{
	if (code != LG_OK)
		fuzz_fail("cannot make a log to try: %s", err->message);
}

static void write_log(void)
{
	struct log_identity identity = {.cookie = 77, .host = 0, .incarnation = 1};
	struct log_writer_options options;
	struct log_writer *writer;
	struct lg_error err = {0};
	log_writer_options_init(&options);
	options.segment_bytes = 32 << 10;
	options.spare_count = 0;
	expect(log_writer_open(directory, &identity, &options, &writer, &err), &err);
	for (unsigned i = 0; i < ENTRIES; i++) {
		void *body;
		expect(log_reserve(writer, LOG_ENTRY_REDO, 0, 8 + i * 5, &body, &err), &err);
		memset(body, (int)i, 8 + i * 5);
		if (i % BATCH != BATCH - 1)
			continue;
		expect(log_submit(writer, 1 + i / BATCH, i / BATCH, &err), &err);
		uint64_t durable;
		int code;
		while ((code = log_poll(writer, &durable, &err)) == LG_INUSE)
			;
		expect(code, &err);
	}
	expect(log_writer_close(writer, &err), &err);
}

static void clean_up(void)
{
	char command_path[LOG_PATH_BYTES];
	unlink(file);
	snprintf(command_path, sizeof command_path, "%s/lock", host_path);
	unlink(command_path);
	rmdir(host_path);
	rmdir(directory);
}

static void set_up(void)
{
	struct log_reader *reader;
	struct lg_error err = {0};
	const char *base = getenv("TMPDIR");
	snprintf(directory, sizeof directory, "%s/liger-fuzz-XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
	if (!mkdtemp(directory))
		fuzz_fail("cannot make %s", directory);
	write_log();
	snprintf(host_path, sizeof host_path, "%s/host-00", directory);
	expect(log_reader_open(host_path, NULL, &reader, &err), &err);
	log_segment_path(log_reader_dir(reader), log_reader_dir(reader)->segments[0].sequence, file);
	log_reader_close(reader);
	atexit(clean_up);
	FILE *from = fopen(file, "rb");
	if (!from || !(image_bytes = fread(image, 1, sizeof image, from)))
		fuzz_fail("cannot read %s", file);
	fclose(from);
}

static void put_file(struct fuzz_input input)
{
	static uint8_t changed[IMAGE_BYTES];
	memcpy(changed, image, image_bytes);
	size_t bytes = image_bytes - fuzz_number(&input, 2) % (image_bytes + 1);
	while (input.bytes > 5 && bytes > 0) {
		size_t at = fuzz_number(&input, 4) % bytes;
		struct lg_slice with = fuzz_bytes(&input, fuzz_number(&input, 1));
		memcpy(changed + at, with.data, with.bytes < bytes - at ? with.bytes : bytes - at);
	}
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, changed, bytes) != (ssize_t)bytes || close(fd) != 0)
		fuzz_fail("cannot write %s", file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct log_reader *reader;
	struct log_entry entry;
	struct lg_error err = {0};
	if (!image_bytes)
		set_up();
	put_file((struct fuzz_input){data, bytes});
	int code = log_reader_open(host_path, NULL, &reader, &err);
	if (code == LG_OK) {
		while ((code = log_reader_next(reader, &entry, &err)) == LG_OK) {
			uint8_t *copy = malloc(entry.bytes + 1);
			if (!copy)
				fuzz_fail("no memory for an entry");
			memcpy(copy, entry.body, entry.bytes);
			free(copy);
		}
		log_reader_close(reader);
	}
	if (code != LG_OK && code != LG_END && !err.message[0])
		fuzz_fail("the reader returned %d without a message", code);
	return 0;
}
