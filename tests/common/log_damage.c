/* log_damage.c: see log_damage.h. */
#include "log_damage.h"

#include "pod_fixture.h"
#include "recovery/log_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole batch of the file that nothing follows. False: there is none. */
static bool find_last(int file, const struct log_segment *segment, uint64_t *offset, struct log_batch_header *last)
{
	struct log_batch_header header;
	uint32_t seed = log_segment_seed(segment->salt, segment->sequence);
	uint64_t at = LOG_BLOCK_BYTES, number = segment->first_batch;
	bool found = false;
	while (pread(file, &header, sizeof(header), (off_t)at) == sizeof(header) && header.magic == LOG_BATCH_MAGIC &&
	        header.number == number && header.header_checksum == log_header_checksum(&header, seed)) {
		*offset = at;
		*last = header;
		found = true;
		at += log_batch_file_bytes(header.bytes);
		number++;
	}
	return found;
}

static void find_segment(const char *data, uint32_t host, char path[LOG_PATH_BYTES], struct log_segment *last)
{
	static struct log_dir dir;
	struct lg_error err;
	struct log_io *io;
	OK(log_io_open(LOG_IO_PWRITE, &io, &err));
	OK(log_dir_name(data, host, path, LOG_PATH_BYTES, &err));
	int code = log_dir_read(io, path, 0, host, &dir, &err);
	last->sequence = 0;
	if (code == LG_OK && dir.count > 0) {
		*last = dir.segments[dir.count - 1];
		log_segment_path(&dir, last->sequence, path);
	}
	log_dir_free(&dir);
	log_io_close(io);
	assert_true(code == LG_OK || code == LG_NOTFOUND);
}

static void write_all(int file, const void *from, size_t bytes, uint64_t offset)
{
	assert_int_equal(pwrite(file, from, bytes, (off_t)offset), (ssize_t)bytes);
}

static void overwrite(struct log_damage *damage, int file, enum log_damage_kind kind,
        const struct log_batch_header *header, uint64_t *random)
{
	struct stat status;
	assert_int_equal(fstat(file, &status), 0);
	damage->bytes = (size_t)status.st_size - damage->offset;
	damage->were = malloc(damage->bytes);
	assert_non_null(damage->were);
	assert_int_equal(pread(file, damage->were, damage->bytes, (off_t)damage->offset), (ssize_t)damage->bytes);
	size_t bytes = log_batch_file_bytes(header->bytes);
	uint8_t *junk = calloc(1, bytes);
	assert_non_null(junk);
	size_t kept = kind == LOG_DAMAGE_TORN ? 8 + pod_random(random) % (56 + header->bytes) : 0;
	if (kind == LOG_DAMAGE_GARBAGE || (kind == LOG_DAMAGE_TORN && pod_random(random) % 2))
		pod_fill(junk, bytes, pod_random(random));
	write_all(file, junk + kept, bytes - kept, damage->offset + kept);
	free(junk);
	damage->done = true;
}

void log_damage_last_batch(struct log_damage *damage, const char *data, uint32_t host, enum log_damage_kind kind,
        uint64_t durable, uint64_t *random)
{
	char path[LOG_PATH_BYTES];
	struct log_segment segment;
	struct log_batch_header header = {0};
	*damage = (struct log_damage){0};
	find_segment(data, host, path, &segment);
	if (segment.sequence == 0)
		return;
	assert_true(strlen(path) < sizeof(damage->file));
	memcpy(damage->file, path, strlen(path) + 1);
	int file = open(path, O_RDWR | O_CLOEXEC);
	assert_true(file >= 0);
	if (find_last(file, &segment, &damage->offset, &header))
		damage->last = header.number;
	if (damage->last > durable && kind != LOG_DAMAGE_NONE)
		overwrite(damage, file, kind, &header, random);
	assert_int_equal(close(file), 0);
}

void log_damage_undo(struct log_damage *damage)
{
	if (!damage->done)
		return;
	int file = open(damage->file, O_RDWR | O_CLOEXEC);
	assert_true(file >= 0);
	write_all(file, damage->were, damage->bytes, damage->offset);
	assert_int_equal(close(file), 0);
	damage->done = false;
}

void log_damage_free(struct log_damage *damage)
{
	free(damage->were);
	damage->were = NULL;
}
