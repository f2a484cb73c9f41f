/* log_dir.c: see log_dir.h. Everything that a file says is checked here before anything is done with it. */
#include "recovery/log_dir.h"

#include "cxl/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int log_dir_name(const char *directory, uint32_t host, char *path, size_t bytes, struct lg_error *err)
{
	int n = snprintf(path, bytes, "%s/host-%02" PRIu32, directory, host);
	if (n < 0 || (size_t)n >= bytes)
		return error_set(err, LG_LIMIT, "the path of the log directory is longer than %zu bytes", bytes - 1);
	return LG_OK;
}

/* The parts of a path fit: that of the directory was checked when it was set. */
static void join(char path[LOG_PATH_BYTES], const struct log_dir *dir, const char *name)
{
	size_t length = strlen(dir->path), name_length = strlen(name);
	assert(length < sizeof dir->path && name_length + 1 < LOG_NAME_BYTES);
	memcpy(path, dir->path, length);
	path[length] = '/';
	memcpy(path + length + 1, name, name_length + 1);
}

void log_segment_path(const struct log_dir *dir, uint64_t sequence, char path[LOG_PATH_BYTES])
{
	char name[LOG_NAME_BYTES];
	snprintf(name, sizeof name, "%016" PRIu64 ".log", sequence);
	join(path, dir, name);
}

void log_spare_path(const struct log_dir *dir, uint64_t number, char path[LOG_PATH_BYTES])
{
	char name[LOG_NAME_BYTES];
	snprintf(name, sizeof name, "spare-%016" PRIu64 ".log", number);
	join(path, dir, name);
}

void log_new_path(const struct log_dir *dir, char path[LOG_PATH_BYTES])
{
	join(path, dir, "new.tmp");
}

bool log_parse_name(const char *name, const char *suffix, uint64_t *number)
{
	*number = 0;
	for (int i = 0; i < 16; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t)(name[i] - '0');
	}
	return strcmp(name + 16, suffix) == 0;
}

static bool grow(void **array, size_t *capacity, size_t count, size_t element_bytes)
{
	if (count < *capacity)
		return true;
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *more = realloc(*array, wanted * element_bytes);
	if (!more)
		return false;
	*array = more;
	*capacity = wanted;
	return true;
}

int log_dir_add(struct log_dir *dir, const struct log_segment *segment, struct lg_error *err)
{
	void *array = dir->segments;
	if (!grow(&array, &dir->capacity, dir->count, sizeof *dir->segments))
		return error_set(err, LG_SYSTEM, "no memory for the list of segments of %s", dir->path);
	dir->segments = array;
	dir->segments[dir->count++] = *segment;
	return LG_OK;
}

int log_dir_add_spare(struct log_dir *dir, uint64_t number, struct lg_error *err)
{
	void *array = dir->spares;
	if (!grow(&array, &dir->spare_capacity, dir->spare_count, sizeof *dir->spares))
		return error_set(err, LG_SYSTEM, "no memory for the list of segments of %s", dir->path);
	dir->spares = array;
	dir->spares[dir->spare_count++] = number;
	return LG_OK;
}

/* Other names are left alone: they are none of ours. */
static int take_name(void *context, const char *name)
{
	static const char spare[] = "spare-";
	struct log_dir *dir = context;
	struct log_segment segment = {0};
	if (log_parse_name(name, ".log", &segment.sequence))
		return log_dir_add(dir, &segment, NULL) == LG_OK ? 0 : -ENOMEM;
	uint64_t number;
	if (strncmp(name, spare, sizeof spare - 1) == 0 && log_parse_name(name + sizeof spare - 1, ".log", &number))
		return log_dir_add_spare(dir, number, NULL) == LG_OK ? 0 : -ENOMEM;
	return 0;
}

static int by_sequence(const void *a, const void *b)
{
	uint64_t x = ((const struct log_segment *)a)->sequence, y = ((const struct log_segment *)b)->sequence;
	return (x > y) - (x < y);
}

static int read_block(
        struct log_io *io, const char *path, struct log_segment_header *header, ssize_t *got, struct lg_error *err)
{
	int file = io->ops->open(io, path, LOG_IO_READ);
	if (file < 0)
		return error_set(err, LG_SYSTEM, "cannot open %s: %s", path, strerror(-file));
	*got = io->ops->read(io, file, header, sizeof *header, 0);
	int closed = io->ops->close(io, file);
	if (*got < 0 || closed < 0)
		return error_set(err, LG_SYSTEM, "cannot read %s at offset 0: %s", path,
		        strerror(*got < 0 ? (int)-*got : -closed));
	return LG_OK;
}

/* Does the header, whose checksum is right, make sense? Returns why not, or NULL. */
static const char *contradiction(const struct log_segment_header *h, uint64_t sequence)
{
	if (h->sequence != sequence)
		return "its header has another sequence number than its name: it was renamed or copied";
	if (h->segment_bytes % LOG_BLOCK_BYTES != 0 || h->segment_bytes < LOG_SEGMENT_MIN ||
	        h->segment_bytes > LOG_SEGMENT_MAX)
		return "its header has a size that no segment has";
	if (h->first_batch == 0 || h->unfinished > 1 || h->recycled > 1)
		return "its header has fields out of bounds";
	return NULL;
}

/* Fills the segment from its header. The cookie and the host are those of the first segment unless given. */
static int read_header(struct log_io *io, struct log_dir *dir, struct log_segment *segment,
        struct log_segment_header *h, struct lg_error *err)
{
	char path[LOG_PATH_BYTES];
	ssize_t got = 0;
	log_segment_path(dir, segment->sequence, path);
	int code = read_block(io, path, h, &got, err);
	if (code != LG_OK)
		return code;
	if (got < (ssize_t)sizeof *h)
		return error_set(err, LG_CORRUPT, "%s ends at offset %zd, within its header", path, got);
	if (h->magic != LOG_SEGMENT_MAGIC)
		return error_set(err, LG_CORRUPT, "%s, offset 0: this is not the header of a log segment", path);
	if (log_segment_checksum(h) != h->checksum)
		return error_set(err, LG_CORRUPT, "%s, offset 0: the segment's header is damaged (checksum)", path);
	if (h->format_version != LOG_FORMAT_VERSION)
		return error_set(err, LG_MISMATCH, "%s has log format version %" PRIu32 ", and this program reads %u",
		        path, h->format_version, LOG_FORMAT_VERSION);
	if (dir->cookie == 0)
		dir->cookie = h->cookie;
	if (h->cookie != dir->cookie)
		return error_set(err, LG_MISMATCH, "%s belongs to pod %016" PRIx64 ", not to pod %016" PRIx64, path,
		        h->cookie, dir->cookie);
	if (dir->host == LOG_ANY_HOST)
		dir->host = h->host;
	if (h->host != dir->host)
		return error_set(err, LG_MISMATCH, "%s belongs to host %" PRIu32 ", not to host %" PRIu32, path,
		        h->host, dir->host);
	const char *why = contradiction(h, segment->sequence);
	if (why)
		return error_set(err, LG_CORRUPT, "%s, offset 0: %s", path, why);
	*segment = (struct log_segment){
	        .sequence = h->sequence,
	        .incarnation = h->incarnation,
	        .salt = h->salt,
	        .bytes = h->segment_bytes,
	        .first_batch = h->first_batch,
	        .epoch_before = h->epoch_before,
	        .unfinished = h->unfinished == 1,
	        .recycled = h->recycled == 1,
	};
	return LG_OK;
}

/* Are two segments that follow each other in the sequence in order? */
static int check_order(const struct log_dir *dir, size_t i, struct lg_error *err)
{
	const struct log_segment *before = &dir->segments[i - 1], *s = &dir->segments[i];
	char path[LOG_PATH_BYTES];
	log_segment_path(dir, s->sequence, path);
	/* Whoever goes on behind an empty segment writes the last batch before that once more. */
	const bool copies = s->first_batch + 1 == before->first_batch;
	const bool older = s->first_batch < before->first_batch || s->epoch_before < before->epoch_before;
	if (s->incarnation < before->incarnation || (older && !copies))
		return error_set(
		        err, LG_CORRUPT, "%s, offset 0: its header is older than that of the segment before it", path);
	return LG_OK;
}

int log_dir_read(
        struct log_io *io, const char *path, uint64_t cookie, uint32_t host, struct log_dir *dir, struct lg_error *err)
{
	*dir = (struct log_dir){.cookie = cookie, .host = host};
	int length = snprintf(dir->path, sizeof dir->path, "%s", path);
	if (length < 0 || (size_t)length >= sizeof dir->path)
		return error_set(
		        err, LG_LIMIT, "the path of the log directory is longer than %zu bytes", sizeof dir->path - 1);
	int code = io->ops->list(io, path, take_name, dir);
	if (code != 0)
		return error_set(err, log_io_code(code), "cannot read the log directory %s: %s", path, strerror(-code));
	if (dir->count == 0)
		return LG_OK;
	qsort(dir->segments, dir->count, sizeof *dir->segments, by_sequence);
	for (size_t i = 1; i < dir->count; i++) {
		char missing[LOG_PATH_BYTES];
		log_segment_path(dir, dir->segments[i - 1].sequence + 1, missing);
		if (dir->segments[i].sequence != dir->segments[i - 1].sequence + 1)
			return error_set(err, LG_CORRUPT,
			        "%s, offset 0: the segment is missing, and there are later ones; restore it", missing);
	}
	struct log_segment_header *header = malloc(sizeof *header);
	if (!header)
		return error_set(err, LG_SYSTEM, "no memory to read %s", path);
	for (size_t i = 0; code == LG_OK && i < dir->count; i++) {
		code = read_header(io, dir, &dir->segments[i], header, err);
		if (code == LG_OK && i > 0)
			code = check_order(dir, i, err);
	}
	free(header);
	return code;
}

void log_dir_free(struct log_dir *dir)
{
	free(dir->segments);
	free(dir->spares);
	dir->segments = NULL;
	dir->spares = NULL;
	dir->count = dir->spare_count = 0;
}
