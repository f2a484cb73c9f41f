/* fake_machine.c: see fake_machine.h. */
#include "unit/fake_machine.h"

#include "unit/unit_pod.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_machine *fake_machine_make(void)
{
	struct fake_machine *fake = calloc(1, sizeof *fake);
	assert_non_null(fake);
	snprintf(fake->directory, sizeof fake->directory, "/tmp/liger-test-XXXXXX");
	assert_non_null(mkdtemp(fake->directory));
	snprintf(fake->sysfs, sizeof fake->sysfs, "%s/sys", fake->directory);
	snprintf(fake->device, sizeof fake->device, "%s/dax0.0", fake->directory);
	assert_int_equal(mkdir(fake->sysfs, 0755), 0);
	fake->machine = region_this_machine;
	fake->machine.sysfs = fake->sysfs;
	fake->machine.dax_number = FAKE_DAX_NUMBER;
	return fake;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void fake_machine_end(struct fake_machine *fake)
{
	assert_int_equal(nftw(fake->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(fake);
}

/* The whole path, made ready for a new file: directories above it there, itself not. */
static void prepare(const struct fake_machine *fake, const char *path, char whole[PATH_MAX])
{
	assert_true(snprintf(whole, PATH_MAX, "%s/%s", fake->sysfs, path) < PATH_MAX);
	for (char *slash = whole + strlen(fake->sysfs) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	assert_true(unlink(whole) == 0 || errno == ENOENT);
}

void fake_file(const struct fake_machine *fake, const char *path, const char *text)
{
	char whole[PATH_MAX];
	prepare(fake, path, whole);
	if (!text)
		return;
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	assert_true(fprintf(file, "%s\n", text) > 0);
	assert_int_equal(fclose(file), 0);
}

void fake_link(const struct fake_machine *fake, const char *path, const char *target)
{
	char whole[PATH_MAX];
	prepare(fake, path, whole);
	if (target)
		assert_int_equal(symlink(target, whole), 0);
}

void fake_node(const struct fake_machine *fake, unsigned node, uint64_t mib, const char *cpus, const char *distance)
{
	char path[64], text[256];
	snprintf(text, sizeof text,
	        "Node %u MemTotal: %15" PRIu64 " kB\nNode %u MemFree: %15" PRIu64 " kB\nNode %u Inactive(file): 0 kB",
	        node, mib << 10, node, mib << 10, node);
	snprintf(path, sizeof path, "devices/system/node/node%u/meminfo", node);
	fake_file(fake, path, text);
	snprintf(path, sizeof path, "devices/system/node/node%u/cpulist", node);
	fake_file(fake, path, cpus);
	snprintf(path, sizeof path, "devices/system/node/node%u/distance", node);
	fake_file(fake, path, distance);
}

static void fill_device(const struct fake_machine *fake, uint64_t bytes)
{
	static uint8_t block[1 << 20];
	int fd = open(fake->device, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (uint64_t at = 0; at < bytes; at += sizeof block) {
		memset(block, 0xa5, sizeof block);
		if (at == 0)
			memset(block, 0, 4096);
		size_t count = bytes - at < sizeof block ? bytes - at : sizeof block;
		assert_int_equal(pwrite(fd, block, count, (off_t)at), count);
	}
	assert_int_equal(close(fd), 0);
}

void fake_dax(const struct fake_machine *fake, uint64_t bytes)
{
	char text[32];
	snprintf(text, sizeof text, "%" PRIu64, bytes);
	fake_file(fake, "devices/dax0.0/size", text);
	fake_file(fake, "devices/dax0.0/align", "2097152");
	fake_file(fake, "devices/dax0.0/numa_node", "0");
	fake_file(fake, "devices/dax0.0/target_node", "3");
	fake_link(fake, "devices/dax0.0/subsystem", "../../bus/dax");
	fake_link(fake, "dev/char/" FAKE_DAX_NUMBER, "../../devices/dax0.0");
	fake_link(fake, "bus/dax/devices/dax0.0", "../../../devices/dax0.0");
	fake_dax_driver(fake, "device_dax");
	fill_device(fake, bytes);
}

void fake_dax_driver(const struct fake_machine *fake, const char *driver)
{
	char target[128];
	snprintf(target, sizeof target, "../../bus/dax/drivers/%s", driver ? driver : "");
	fake_link(fake, "devices/dax0.0/driver", driver ? target : NULL);
}

struct region_place fake_place(const struct fake_machine *fake, const char *uri)
{
	struct region_place place;
	struct lg_error err = {0};
	if (region_place_of(uri, &place, &err))
		fail_msg("%s", err.message);
	place.machine = &fake->machine;
	return place;
}
