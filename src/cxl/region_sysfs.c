/* region_sysfs.c: reading what the kernel says of the machine. Everything there is input: a file that is not as expected
 * reads as one that is not there. */
#include "cxl/region_machine.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct region_machine region_this_machine = {.sysfs = "/sys", .bind = mbind, .where = move_pages};

static bool path_of(char path[PATH_MAX], const char *sysfs, const char *relative)
{
	int length = snprintf(path, PATH_MAX, "%s/%s", sysfs, relative);
	if (length > 0 && length < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

bool sysfs_text(const char *sysfs, const char *path, char text[SYSFS_TEXT_BYTES])
{
	char whole[PATH_MAX];
	if (!path_of(whole, sysfs, path))
		return false;
	int fd = open(whole, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size_t length = 0;
	ssize_t got;
	do {
		got = read(fd, text + length, SYSFS_TEXT_BYTES - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	int why = errno;
	(void)close(fd); /* it was only read */
	errno = why;
	if (got < 0)
		return false;
	if (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return true;
}

bool sysfs_number(const char *sysfs, const char *path, int64_t *number)
{
	char text[SYSFS_TEXT_BYTES], *end;
	if (!sysfs_text(sysfs, path, text))
		return false;
	errno = 0;
	*number = strtoll(text, &end, 0);
	if (end == text || *end)
		errno = EINVAL;
	return !errno;
}

bool sysfs_link_name(const char *sysfs, const char *path, char *name, size_t bytes)
{
	char whole[PATH_MAX], target[PATH_MAX];
	if (!path_of(whole, sysfs, path))
		return false;
	ssize_t length = readlink(whole, target, sizeof target - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	const char *slash = strrchr(target, '/');
	const char *last = slash ? slash + 1 : target;
	int copied = snprintf(name, bytes, "%s", last);
	if (copied > 0 && (size_t)copied < bytes)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

static bool list_number(const char **at, unsigned *number)
{
	char *end;
	if (!isdigit((unsigned char)**at))
		return false;
	unsigned long n = strtoul(*at, &end, 10);
	if (n > INT_MAX)
		return false;
	*at = end;
	*number = (unsigned)n;
	return true;
}

bool sysfs_list_next(const char **at, unsigned *from, unsigned *to)
{
	while (**at == ',' || **at == ' ')
		++*at;
	if (!list_number(at, from))
		return false;
	*to = *from;
	if (**at != '-')
		return true;
	++*at;
	return list_number(at, to) && *to >= *from;
}

bool node_memory_of(const char *sysfs, unsigned node, struct node_memory *memory)
{
	char path[64], text[SYSFS_TEXT_BYTES], *rest, name[32];
	snprintf(path, sizeof path, "devices/system/node/node%u/meminfo", node);
	if (!sysfs_text(sysfs, path, text))
		return false;
	*memory = (struct node_memory){0};
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		unsigned of;
		uint64_t kib;
		/* Bytes beyond 64 bits would be a kernel's mistake: such a line is passed over. */
		if (sscanf(line, "Node %u %31[^:]: %" SCNu64 " kB", &of, name, &kib) != 3 || kib > UINT64_MAX >> 10)
			continue;
		if (!strcmp(name, "MemTotal"))
			memory->total_bytes = kib << 10;
		else if (!strcmp(name, "MemFree"))
			memory->free_bytes = kib << 10;
		else if (!strcmp(name, "Active(file)") || !strcmp(name, "Inactive(file)"))
			memory->file_bytes += kib << 10;
	}
	return true;
}

/* A number of a device's directory; `otherwise` when it does not have it. */
static int64_t device_number(const char *sysfs, const char *directory, const char *file, int64_t otherwise)
{
	char path[PATH_MAX];
	int64_t number;
	int length = snprintf(path, sizeof path, "%s/%s", directory, file);
	assert(length > 0 && (size_t)length < sizeof path);
	return sysfs_number(sysfs, path, &number) ? number : otherwise;
}

static enum dax_mode mode_of(const char *driver)
{
	if (!*driver)
		return DAX_UNBOUND;
	if (!strcmp(driver, "device_dax"))
		return DAX_DEVDAX;
	return !strcmp(driver, "kmem") ? DAX_SYSTEM_RAM : DAX_OTHER;
}

static int node_of(const char *sysfs, const char *directory, const char *file)
{
	int64_t node = device_number(sysfs, directory, file, -1);
	return node >= 0 && node < MAX_NUMA_NODES ? (int)node : -1;
}

bool dax_device_of(const char *sysfs, const char *directory, struct dax_device *device)
{
	char path[PATH_MAX], whole[PATH_MAX], real[PATH_MAX];
	struct dax_device d = {0};
	/* The directory may be a link (dev/char/MAJOR:MINOR); the real one has the device's name. */
	if (!path_of(whole, sysfs, directory) || !realpath(whole, real))
		return false;
	int length = snprintf(d.name, sizeof d.name, "%s", strrchr(real, '/') + 1);
	if (length <= 0 || (size_t)length >= sizeof d.name) {
		errno = ENAMETOOLONG;
		return false;
	}
	int64_t bytes = device_number(sysfs, directory, "size", -1);
	if (bytes < 0)
		return false;
	d.bytes = (uint64_t)bytes;
	int64_t align = device_number(sysfs, directory, "align", 0);
	d.align_bytes = align > 0 ? (uint64_t)align : 0;
	length = snprintf(path, sizeof path, "%s/driver", directory);
	assert(length > 0 && (size_t)length < sizeof path);
	if (!sysfs_link_name(sysfs, path, d.driver, sizeof d.driver))
		d.driver[0] = '\0'; /* none is bound */
	d.mode = mode_of(d.driver);
	d.numa_node = node_of(sysfs, directory, "numa_node");
	d.target_node = node_of(sysfs, directory, "target_node");
	*device = d;
	return true;
}
