/* fuzz.c: see fuzz.h. */
#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t fuzz_number(struct fuzz_input *input, unsigned bytes)
{
	uint64_t number = 0;
	struct lg_slice from = fuzz_bytes(input, bytes);
	memcpy(&number, from.data, from.bytes);
	return number;
}

struct lg_slice fuzz_bytes(struct fuzz_input *input, size_t most)
{
	struct lg_slice taken = lg_slice(input->data, most < input->bytes ? most : input->bytes);
	input->data += taken.bytes;
	input->bytes -= taken.bytes;
	return taken;
}

void fuzz_fail(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	abort();
}

/* One pod a program: whatever ends it, its name goes. */
static char left_over[96];

static void remove_left_over(void)
{
	unlink(left_over);
}

void fuzz_pod_config(struct lg_pod_config *config)
{
	lg_pod_config_init(config);
	config->hosts = 2;
	config->partitions = 8;
	config->hwcc_bytes = 2 << 20;
	config->swcc_bytes = 8 << 20;
	config->durability = LG_DURABILITY_CXL;
	config->redo_workers = 4;
	config->redo_ring_bytes = 64 << 10;
}

void fuzz_pod_make(struct fuzz_pod *pod, const struct lg_pod_config *config)
{
	struct lg_error err;
	struct stat status;
	char path[80];
	snprintf(pod->name, sizeof pod->name, "liger-fuzz-%ld", (long)getpid());
	snprintf(pod->uri, sizeof pod->uri, "shm:%s", pod->name);
	snprintf(path, sizeof path, "/%s", pod->name);
	if (lg_pod_create(pod->uri, config, &err) != LG_OK)
		fuzz_fail("cannot create a pod to try: %s", err.message);
	snprintf(left_over, sizeof left_over, "/dev/shm/%s", pod->name);
	atexit(remove_left_over);
	int fd = shm_open(path, O_RDWR, 0);
	if (fd < 0 || fstat(fd, &status) != 0)
		fuzz_fail("cannot open %s", left_over);
	pod->bytes = (size_t)status.st_size;
	pod->map = mmap(NULL, pod->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pod->map == MAP_FAILED)
		fuzz_fail("cannot map %s", left_over);
	close(fd);
}

void fuzz_pod_keep(struct fuzz_pod *pod)
{
	pod->image = malloc(pod->bytes);
	if (!pod->image)
		fuzz_fail("no memory for a region's image");
	memcpy(pod->image, pod->map, pod->bytes);
}

/* The next stroke: where, and with what; false at the end. */
static bool next_stroke(const struct fuzz_pod *pod, struct fuzz_input *input, size_t *at, struct lg_slice *with)
{
	if (input->bytes < 6)
		return false;
	*at = fuzz_number(input, 4) % pod->bytes;
	*with = fuzz_bytes(input, fuzz_number(input, 1));
	if (with->bytes > pod->bytes - *at)
		with->bytes = pod->bytes - *at;
	return true;
}

unsigned fuzz_pod_scribble(struct fuzz_pod *pod, struct fuzz_input input)
{
	struct lg_slice with;
	unsigned count = 0;
	for (size_t at; next_stroke(pod, &input, &at, &with); count++)
		memcpy(pod->map + at, with.data, with.bytes);
	return count;
}

void fuzz_pod_restore(struct fuzz_pod *pod, struct fuzz_input input)
{
	struct lg_slice with;
	for (size_t at; next_stroke(pod, &input, &at, &with);)
		memcpy(pod->map + at, pod->image + at, with.bytes);
}
