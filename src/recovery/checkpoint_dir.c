/* checkpoint_dir.c: see checkpoint_dir.h. */
#include "recovery/checkpoint_dir.h"

#include "cxl/error.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void checkpoint_path(const char *path, uint64_t sequence, char file[LOG_PATH_BYTES])
{
	int n = snprintf(file, LOG_PATH_BYTES, "%s/%016" PRIu64 ".ckpt", path, sequence);
	assert(n > 0 && n < LOG_PATH_BYTES);
}

void checkpoint_temporary_path(const char *path, char file[LOG_PATH_BYTES])
{
	int n = snprintf(file, LOG_PATH_BYTES, "%s/checkpoint.tmp", path);
	assert(n > 0 && n < LOG_PATH_BYTES);
}

struct search {
	uint64_t before, found;
};

static int take_name(void *context, const char *name)
{
	struct search *search = context;
	uint64_t sequence = 0;
	if (log_parse_name(name, ".ckpt", &sequence) && sequence < search->before && sequence > search->found)
		search->found = sequence;
	return 0;
}

int checkpoint_find(struct log_io *io, const char *path, uint64_t before, uint64_t *sequence, struct lg_error *err)
{
	struct search search = {.before = before};
	int code = io->ops->list(io, path, take_name, &search);
	*sequence = search.found;
	if (code < 0)
		return error_set(err, log_io_code(code), "cannot read the log directory %s: %s", path, strerror(-code));
	return LG_OK;
}

static int open_newest(struct log_io *io, const char *path, char name[LOG_PATH_BYTES], uint64_t *sequence, int *file,
        struct lg_error *err)
{
	uint64_t missing = 0;
	for (;;) {
		int code = checkpoint_find(io, path, UINT64_MAX, sequence, err);
		if (code != LG_OK)
			return code;
		if (*sequence == 0)
			return error_set(err, LG_NOTFOUND, "there is no checkpoint in %s", path);
		checkpoint_path(path, *sequence, name);
		*file = io->ops->open(io, name, LOG_IO_READ);
		if (*file >= 0)
			return LG_OK;
		/* A newer one may have taken its place in between. */
		if (*file != -ENOENT || *sequence == missing)
			return error_set(err, LG_SYSTEM, "cannot open %s: %s", name, strerror(-*file));
		missing = *sequence;
	}
}

/* What does the header, read as a whole, say? */
static int check_header(const char *name, uint64_t sequence, uint64_t cookie, uint32_t host,
        const struct checkpoint_header *h, struct lg_error *err)
{
	if (h->magic != CHECKPOINT_MAGIC)
		return error_set(err, LG_CORRUPT, "%s, offset 0: this is not the header of a checkpoint", name);
	if (checkpoint_header_checksum(h) != h->checksum)
		return error_set(err, LG_CORRUPT, "%s, offset 0: the checkpoint's header is damaged (checksum)", name);
	if (h->format_version != CHECKPOINT_FORMAT_VERSION)
		return error_set(err, LG_MISMATCH,
		        "%s has checkpoint format version %" PRIu32 ", and this program reads %u", name,
		        h->format_version, CHECKPOINT_FORMAT_VERSION);
	if (cookie != 0 && h->cookie != cookie)
		return error_set(err, LG_MISMATCH, "%s belongs to pod %016" PRIx64 ", not to pod %016" PRIx64, name,
		        h->cookie, cookie);
	if (host != LOG_ANY_HOST && h->host != host)
		return error_set(
		        err, LG_MISMATCH, "%s belongs to host %" PRIu32 ", not to host %" PRIu32, name, h->host, host);
	if (h->sequence != sequence)
		return error_set(err, LG_CORRUPT,
		        "%s, offset 0: its header has another sequence number than its name: it was renamed or copied",
		        name);
	if (h->zero != 0)
		return error_set(err, LG_CORRUPT, "%s, offset 0: its header has bytes that are not zero", name);
	return LG_OK;
}

int checkpoint_open_newest(struct log_io *io, const char *path, uint64_t cookie, uint32_t host, int *file,
        struct checkpoint_info *info, uint32_t *seed, struct lg_error *err)
{
	char name[LOG_PATH_BYTES];
	struct checkpoint_header header = {0};
	uint64_t sequence = 0, file_bytes = 0;
	*file = -1;
	int opened = -1;
	int code = open_newest(io, path, name, &sequence, &opened, err);
	if (code != LG_OK)
		return code;
	int error = io->ops->size(io, opened, &file_bytes);
	ssize_t got = error < 0 ? error : io->ops->read(io, opened, &header, sizeof header, 0);
	if (got < 0)
		code = error_set(err, LG_SYSTEM, "cannot read %s at offset 0: %s", name, strerror((int)-got));
	else if (got < (ssize_t)sizeof header)
		code = error_set(err, LG_CORRUPT, "%s ends at offset %zd, within its header", name, got);
	else
		code = check_header(name, sequence, cookie, host, &header, err);
	if (code != LG_OK) {
		(void)io->ops->close(io, opened);
		return code;
	}
	*info = (struct checkpoint_info){
	        .cookie = header.cookie,
	        .host = header.host,
	        .incarnation = header.incarnation,
	        .sequence = header.sequence,
	        .first_epoch = header.first_epoch,
	        .file_bytes = file_bytes,
	};
	*seed = checkpoint_seed(header.salt, header.sequence);
	*file = opened;
	return LG_OK;
}
