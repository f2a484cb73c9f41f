/* region_uri.c: from a URI, SCHEME:NAME[?OPTION=VALUE[&...]], to the file that backs a region. A new kind of memory is a
 * new line in backends[], a new option one in take_option(). */
#include "cxl/region_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

static const char *dax_flaw(const char *name)
{
	return *name ? NULL : "the path is empty; write dax:PATH, such as dax:/dev/dax0.0";
}

static const struct region_backend backends[] = {
        {"shm:", shm_flaw, shm_open_region, shm_remove, false},
        {"file:", file_flaw, file_open_region, unlink, false},
        {"dax:", dax_flaw, file_open_region, NULL, true},
};
#define KNOWN_SCHEMES "shm:NAME, file:PATH and dax:PATH"

static int take_node(struct region_place *place, const char *value, struct lg_error *err)
{
	char *end;
	if (place->backend->is_device)
		return error_set(err, LG_INVALID,
		        "cannot use %s: a device's memory lies where the device is, so ?node= cannot choose; leave it "
		        "out (`liger probe topology` shows the device's node)",
		        place->uri);
	if (place->node != NO_NODE)
		return error_set(err, LG_INVALID, "cannot use %s: it names two nodes; name one", place->uri);
	/* strtoul() would take a sign or blanks as well. */
	unsigned long node = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || node >= MAX_NUMA_NODES)
		return error_set(err, LG_INVALID,
		        "cannot use %s: '%s' is no NUMA node; write ?node=N with N from 0 to %d (`liger probe "
		        "topology` lists them)",
		        place->uri, value, MAX_NUMA_NODES - 1);
	place->node = (int)node;
	return LG_OK;
}

static int take_option(struct region_place *place, const char *option, struct lg_error *err)
{
	static const char node[] = "node=";
	if (!strncmp(option, node, strlen(node)))
		return take_node(place, option + strlen(node), err);
	return error_set(err, LG_INVALID,
	        "cannot use %s: '%s' is no option of a region; the one option is ?node=N, the NUMA node its memory is "
	        "to lie on",
	        place->uri, option);
}

/* `options` is cut up. */
static int take_options(struct region_place *place, char *options, struct lg_error *err)
{
	for (char *option; (option = strsep(&options, "&"));) {
		int code = take_option(place, option, err);
		if (code)
			return code;
	}
	return LG_OK;
}

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
		*place = (struct region_place){
		        .backend = backend, .uri = uri, .node = NO_NODE, .machine = &region_this_machine};
		memcpy(place->name, uri + length, strlen(uri + length) + 1); /* it fits: see above */
		char *options = strchr(place->name, '?');
		if (options)
			*options++ = '\0';
		const char *flaw = backend->flaw(place->name);
		if (flaw)
			return error_set(err, LG_INVALID, "cannot use %s: %s", uri, flaw);
		return options ? take_options(place, options, err) : LG_OK;
	}
	return error_set(err, LG_INVALID, "cannot use %s: this version knows regions named by " KNOWN_SCHEMES, uri);
}

int region_open_file(const struct region_place *place, int flags, int *fd, uint64_t *bytes, struct lg_error *err)
{
	if (place->backend->is_device)
		return dax_open(place, flags, fd, bytes, err);
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
