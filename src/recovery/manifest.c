/* manifest.c: see manifest.h. */
#include "recovery/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cxl/error.h"
#include "recovery/crc32c.h"
#include "recovery/log_dir.h"
#include "recovery/log_io.h"

static uint32_t manifest_checksum(const struct manifest *manifest)
{
	return crc32c(0, manifest, offsetof(struct manifest, checksum));
}

static int path_of(const char *directory, const char *name, char path[LOG_PATH_BYTES], struct lg_error *err)
{
	int length = snprintf(path, LOG_PATH_BYTES, "%s/%s", directory, name);
	if (length < 0 || length >= LOG_PATH_BYTES)
		return error_set(err, LG_LIMIT, "the path of the data directory is longer than %d bytes: %.60s...",
		        LOG_PATH_BYTES, directory);
	return LG_OK;
}

static int failed(struct lg_error *err, const char *what, const char *path, int error)
{
	return error_set(err, log_io_code(error), "cannot %s %.300s: %s", what, path, strerror(-error));
}

static int manifest_verify(const char *path, const struct manifest *m, struct lg_error *err)
{
	if (m->magic != MANIFEST_MAGIC)
		return error_set(err, LG_CORRUPT, "%.300s: offset 0: not the file of a pod (magic %016" PRIx64 ")",
		        path, m->magic);
	if (m->format_version != MANIFEST_FORMAT_VERSION)
		return error_set(err, LG_MISMATCH, "%.300s has format %u, this library (" LG_VERSION ") knows %u", path,
		        m->format_version, MANIFEST_FORMAT_VERSION);
	if (m->checksum != manifest_checksum(m))
		return error_set(err, LG_CORRUPT,
		        "%.300s: offset %zu: checksum %08" PRIx32 ", the bytes before it make %08" PRIx32, path,
		        offsetof(struct manifest, checksum), m->checksum, manifest_checksum(m));
	bool sane = m->gap_count <= MANIFEST_MAX_GAPS && m->cookie && m->life && m->host_count <= LG_MAX_HOSTS &&
	            memchr(m->uri, 0, sizeof m->uri);
	for (uint32_t i = 0; sane && i < m->gap_count; i++)
		sane = m->gaps[i].durable <= m->gaps[i].first && (i == 0 || m->gaps[i - 1].first <= m->gaps[i].durable);
	return sane ? LG_OK
	            : error_set(err, LG_CORRUPT, "%.300s: offset 60: its lives or gaps contradict each other", path);
}

static int read_with(struct log_io *io, const char *path, struct manifest *manifest, struct lg_error *err)
{
	int file = io->ops->open(io, path, LOG_IO_READ);
	if (file < 0)
		return failed(err, "open", path, file);
	ssize_t got = io->ops->read(io, file, manifest, sizeof *manifest, 0);
	(void)io->ops->close(io, file); /* it was only read */
	if (got < 0)
		return failed(err, "read", path, (int)got);
	if (got != MANIFEST_BYTES)
		return error_set(err, LG_CORRUPT, "%.300s: offset %zd: the file ends, it should have %d bytes", path,
		        got, MANIFEST_BYTES);
	return manifest_verify(path, manifest, err);
}

static int find_log(void *context, const char *name)
{
	uint64_t sequence;
	(void)context;
	return log_parse_name(name, ".log", &sequence) || log_parse_name(name, ".ckpt", &sequence);
}

/* The first host's directory that has a log or a checkpoint in it. LG_OK; LG_NOTFOUND: there is none. */
static int find_host_with_log(struct log_io *io, const char *directory, char path[LOG_PATH_BYTES], struct lg_error *err)
{
	for (uint32_t host = 0; host < LG_MAX_HOSTS; host++) {
		int code = log_dir_name(directory, host, path, LOG_PATH_BYTES, err);
		if (code != LG_OK)
			return code;
		int found = io->ops->list(io, path, find_log, NULL);
		if (found < 0 && found != -ENOENT)
			return failed(err, "read", path, found);
		if (found > 0)
			return LG_OK;
	}
	return LG_NOTFOUND;
}

int manifest_read(const char *directory, struct manifest *manifest, struct lg_error *err)
{
	struct log_io *io;
	char path[LOG_PATH_BYTES];
	int code = path_of(directory, "pod", path, err);
	if (code == LG_OK)
		code = log_io_open(LOG_IO_PWRITE, &io, err);
	if (code != LG_OK)
		return code;
	code = read_with(io, path, manifest, err);
	char host[LOG_PATH_BYTES];
	if (code == LG_NOTFOUND && find_host_with_log(io, directory, host, NULL) == LG_OK)
		error_set(err, code,
		        "%.150s is missing, but the log of a pod's host is in %.150s: without that file nobody knows "
		        "which "
		        "of the logs count; put it back from a copy of the data directory",
		        path, host);
	log_io_close(io);
	return code;
}

/* That the directory is there outlives a loss of power. */
static int sync_parent(struct log_io *io, const char *directory)
{
	char parent[LOG_PATH_BYTES];
	size_t bytes = strlen(directory);
	while (bytes && directory[bytes - 1] == '/')
		bytes--;
	while (bytes && directory[bytes - 1] != '/')
		bytes--;
	if (bytes >= sizeof parent)
		return -ENAMETOOLONG;
	snprintf(parent, sizeof parent, "%.*s", bytes ? (int)bytes : 1, bytes ? directory : ".");
	return io->ops->sync_directory(io, parent);
}

int manifest_make_directory(const char *directory, struct lg_error *err)
{
	struct log_io *io;
	int code = log_io_open(LOG_IO_PWRITE, &io, err);
	if (code != LG_OK)
		return code;
	int made = io->ops->make_directory(io, directory);
	int synced = made > 0 ? sync_parent(io, directory) : 0;
	log_io_close(io);
	if (made < 0)
		return failed(err, "make the data directory", directory, made);
	if (synced < 0)
		return failed(err, "make durable the directory above", directory, synced);
	return LG_OK;
}

/* There is no file `pod`: then there must be nothing that such a file would speak of. */
static int check_no_logs(const char *directory, struct lg_error *err)
{
	struct log_io *io;
	char host[LOG_PATH_BYTES];
	int code = log_io_open(LOG_IO_PWRITE, &io, err);
	if (code != LG_OK)
		return code;
	code = find_host_with_log(io, directory, host, err);
	log_io_close(io);
	if (code != LG_OK)
		return code == LG_NOTFOUND ? LG_OK : code;
	return error_set(err, LG_EXISTS,
	        "%.150s is not empty: it has no file `pod`, but the log of a pod's host is in %.150s; put that file "
	        "back "
	        "from a copy, or choose another data directory",
	        directory, host);
}

int manifest_check_empty(const char *directory, struct lg_error *err)
{
	struct manifest manifest;
	struct lg_error why = {0};
	int code = manifest_read(directory, &manifest, &why);
	if (code == LG_NOTFOUND)
		return check_no_logs(directory, err);
	if (code == LG_OK)
		return error_set(err, LG_EXISTS,
		        "%.300s holds a pod already; bring it back with `liger recover`, or choose another data "
		        "directory",
		        directory);
	return error_set(err, code, "%s; choose another data directory, or mend this one", why.message);
}

static int write_with(struct log_io *io, const char *directory, const char *path, const struct manifest *manifest,
        struct lg_error *err)
{
	char tmp[LOG_PATH_BYTES];
	int code = path_of(directory, "pod.tmp", tmp, err);
	if (code != LG_OK)
		return code;
	int file = io->ops->open(io, tmp, LOG_IO_CREATE);
	if (file < 0)
		return failed(err, "make", tmp, file);
	struct log_io_result result = {0};
	int error = io->ops->start(
	        io, &(struct log_io_write){.file = file, .buffer = -1, .data = manifest, .bytes = sizeof *manifest});
	if (!error)
		error = io->ops->finish(io, true, &result) < 0 ? -EIO : 0;
	if (!error && result.written < 0)
		error = (int)result.written;
	if (!error && (result.sync || result.written != MANIFEST_BYTES))
		error = result.sync ? result.sync : -EIO;
	int closed = io->ops->close(io, file);
	error = error ? error : closed;
	if (error)
		return failed(err, "write", tmp, error);
	error = io->ops->rename(io, tmp, path);
	if (!error)
		error = io->ops->sync_directory(io, directory);
	return error ? failed(err, "replace", path, error) : LG_OK;
}

int manifest_write(const char *directory, struct manifest *manifest, struct lg_error *err)
{
	struct log_io *io;
	char path[LOG_PATH_BYTES];
	int code = path_of(directory, "pod", path, err);
	if (code == LG_OK)
		code = log_io_open(LOG_IO_PWRITE, &io, err);
	if (code != LG_OK)
		return code;
	manifest->checksum = manifest_checksum(manifest);
	code = write_with(io, directory, path, manifest, err);
	log_io_close(io);
	return code;
}

void manifest_of(const char *uri, const struct lg_pod_config *config, uint64_t cookie, struct manifest *manifest)
{
	*manifest = (struct manifest){.magic = MANIFEST_MAGIC,
	        .format_version = MANIFEST_FORMAT_VERSION,
	        .host_count = config->hosts,
	        .cookie = cookie,
	        .hwcc_bytes = config->hwcc_bytes,
	        .swcc_bytes = config->swcc_bytes,
	        .partition_count = config->partitions,
	        .epoch_ms = config->epoch_ms,
	        .durability = (uint32_t)config->durability,
	        .redo_workers = config->redo_workers,
	        .redo_ring_bytes = config->redo_ring_bytes,
	        .life = 1};
	manifest_note_uri(manifest, uri);
}

void manifest_note_uri(struct manifest *manifest, const char *uri)
{
	size_t bytes = strlen(uri) + 1;
	memset(manifest->uri, 0, sizeof manifest->uri);
	if (bytes <= sizeof manifest->uri)
		memcpy(manifest->uri, uri, bytes);
}

bool manifest_is_in(const struct manifest *manifest, const char *uri)
{
	return strcmp(manifest->uri, strlen(uri) < sizeof manifest->uri ? uri : "") == 0;
}

void manifest_config(const struct manifest *manifest, struct lg_pod_config *config)
{
	*config = (struct lg_pod_config){.hosts = manifest->host_count,
	        .partitions = manifest->partition_count,
	        .hwcc_bytes = manifest->hwcc_bytes,
	        .swcc_bytes = manifest->swcc_bytes,
	        .epoch_ms = manifest->epoch_ms,
	        .durability = (enum lg_durability)manifest->durability,
	        .redo_workers = manifest->redo_workers,
	        .redo_ring_bytes = manifest->redo_ring_bytes};
}

bool manifest_begin_life(struct manifest *manifest, uint64_t durable, uint64_t first)
{
	struct manifest_gap *last = manifest->gap_count ? &manifest->gaps[manifest->gap_count - 1] : NULL;
	bool merge = last && last->first >= durable; /* a life in which nothing became durable */
	if (!merge && manifest->gap_count == MANIFEST_MAX_GAPS)
		return false;
	manifest->life++;
	if (merge)
		*last = (struct manifest_gap){last->durable, first, manifest->life};
	else
		manifest->gaps[manifest->gap_count++] = (struct manifest_gap){durable, first, manifest->life};
	return true;
}

bool manifest_kept(const struct manifest *manifest, uint64_t life, uint64_t epoch)
{
	for (uint32_t i = 0; i < manifest->gap_count; i++)
		if (manifest->gaps[i].life > life)
			return epoch <= manifest->gaps[i].durable;
	return false;
}

static int note_host(
        struct log_io *io, const char *directory, uint32_t host, struct manifest *manifest, struct lg_error *err)
{
	enum { TURNS = 10000 };
	int lock = -EWOULDBLOCK;
	for (unsigned i = 0; i < TURNS && lock == -EWOULDBLOCK; i++) {
		lock = io->ops->lock_directory(io, directory);
		if (lock == -EWOULDBLOCK)
			nanosleep(&(struct timespec){0, 1000000}, NULL); /* another host notes itself */
	}
	if (lock == -EWOULDBLOCK)
		return error_set(err, LG_INUSE, "another process holds the lock of %.300s", directory);
	if (lock < 0)
		return failed(err, "lock", directory, lock);
	int code = manifest_read(directory, manifest, err);
	if (code == LG_OK) {
		manifest->hosts |= UINT64_C(1) << host;
		code = manifest_write(directory, manifest, err);
	}
	(void)io->ops->close(io, lock);
	return code;
}

int manifest_note_host(const char *directory, uint32_t host, struct manifest *manifest, struct lg_error *err)
{
	struct log_io *io;
	if (manifest->hosts >> host & 1)
		return LG_OK;
	int code = log_io_open(LOG_IO_PWRITE, &io, err);
	if (code != LG_OK)
		return code;
	code = note_host(io, directory, host, manifest, err);
	log_io_close(io);
	return code;
}

bool manifest_void(const struct manifest *manifest, uint64_t epoch)
{
	return manifest_effective(manifest, epoch) != epoch;
}

uint64_t manifest_effective(const struct manifest *manifest, uint64_t epoch)
{
	for (uint32_t i = 0; i < manifest->gap_count; i++)
		if (epoch > manifest->gaps[i].durable && epoch <= manifest->gaps[i].first)
			return manifest->gaps[i].durable;
	return epoch;
}
