/* region_uri.c: from a URI to the file that backs a region. A new kind of memory is a new line in backends[]. */
#include "cxl/region_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *shm_flaw(const char *name)
{
	if (!*name)
		return "the name is empty; write shm:NAME";
	if (strchr(name, '/'))
		return "the name of shared memory has no slash; write shm:NAME, or file:PATH for a path";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "this is not a name; write shm:NAME";
	return NULL;
}

static void shm_path(char path[], size_t bytes, const char *name)
{
	int length = snprintf(path, bytes, "/%s", name);
	assert(length > 0 && (size_t)length < bytes); /* a URI is shorter: region_place_of() */
}

static int shm_open_region(const char *name, int flags)
{
	char path[sizeof((struct region *)NULL)->uri + 1];
	shm_path(path, sizeof path, name);
	return shm_open(path, flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
}

static int shm_remove(const char *name)
{
	char path[sizeof((struct region *)NULL)->uri + 1];
	shm_path(path, sizeof path, name);
	return shm_unlink(path);
}

static const char *file_flaw(const char *name)
{
	return *name ? NULL : "the path is empty; write file:PATH";
}

static int file_open_region(const char *name, int flags)
{
	/* O_NONBLOCK: a FIFO must not hold us, it is refused as what it is. It means nothing for a regular file. */
	return open(name, flags | O_CLOEXEC | O_NONBLOCK, S_IRUSR | S_IWUSR);
}

static const struct region_backend backends[] = {
        {"shm:", shm_flaw, shm_open_region, shm_remove},
        {"file:", file_flaw, file_open_region, unlink},
};
#define KNOWN_SCHEMES "shm:NAME and file:PATH"

int region_place_of(const char *uri, struct region_place *place, struct lg_error *err)
{
	if (!uri || !*uri)
		return error_set(err, LG_INVALID, "no region is named; regions are named by " KNOWN_SCHEMES);
	if (strlen(uri) >= sizeof((struct region *)NULL)->uri)
		return error_set(err, LG_INVALID,
		        "the region's URI has %zu bytes, more than %zu; choose a shorter name", strlen(uri),
		        sizeof((struct region *)NULL)->uri - 1);
	for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
		const struct region_backend *backend = &backends[i];
		size_t length = strlen(backend->scheme);
		if (strncmp(uri, backend->scheme, length))
			continue;
		*place = (struct region_place){backend, uri, uri + length};
		if (strchr(place->name, '?'))
			return error_set(err, LG_INVALID,
			        "cannot use %s: this version knows no options of a region (what follows the '?', such "
			        "as "
			        "?node=N); leave them out",
			        uri);
		const char *flaw = backend->flaw(place->name);
		return flaw ? error_set(err, LG_INVALID, "cannot use %s: %s", uri, flaw) : LG_OK;
	}
	return error_set(err, LG_INVALID, "cannot use %s: this version knows regions named by " KNOWN_SCHEMES, uri);
}

int region_open_file(const struct region_place *place, int flags, int *fd, uint64_t *bytes, struct lg_error *err)
{
	*fd = place->backend->open(place->name, flags);
	if (*fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return error_set(
		        err, LG_NOTFOUND, "there is no region %s; create it with `liger pod create`", place->uri);
	if (*fd < 0 && errno == EISDIR)
		return error_set(err, LG_MISMATCH, "%s is a directory, not a pod", place->uri);
	if (*fd < 0 && (errno == EACCES || errno == EPERM))
		return error_set(
		        err, LG_SYSTEM, "cannot open %s: %m; a region belongs to the user who created it", place->uri);
	if (*fd < 0)
		return error_set(err, LG_SYSTEM, "cannot open %s: %m", place->uri);

	struct stat st;
	int code = LG_OK;
	if (fstat(*fd, &st))
		code = error_set(err, LG_SYSTEM, "cannot look at %s: fstat: %m", place->uri);
	else if (!S_ISREG(st.st_mode))
		code = error_set(err, LG_MISMATCH, "%s is not a regular file, so not a pod", place->uri);
	else if (st.st_size < 2 * (off_t)HUGE_PAGE_BYTES || st.st_size % HUGE_PAGE_BYTES)
		code = error_set(err, LG_MISMATCH,
		        "%s has %lld bytes: a pod has at least 4 MiB and a multiple of 2 MiB, so this is no pod or a "
		        "truncated one",
		        place->uri, (long long)st.st_size);
	if (code) {
		close(*fd); /* nothing was written to it: no error to lose */
		*fd = -1;
		return code;
	}
	*bytes = (uint64_t)st.st_size;
	return LG_OK;
}
