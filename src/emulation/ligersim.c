/* ligersim.c: libligersim's regions and hosts. What its threads do is in ligersim_access.c.
 *
 * A region with a name is POSIX shared memory:
 *
 *     0       struct region_head, 4 KiB: magic, sizes, the pod's cookie, the creator's mode
 *     4096    the region
 *
 * Creation makes it exclusively, sizes it, fills the head, and stores the magic last: who opens it before sees no
 * region. A creator that dies in between leaves a name that says so (LGS_MISMATCH), and is removed by hand.
 */
#include <assert.h>
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulation/ligersim_private.h"
#include "emulation/shared.h"

#define REGION_MAGIC UINT64_C(0x314d495352454749) /* "IGERSIM1" */

enum { HEAD_BYTES = 4096, MODE_BYTES = 300, HUGE_PAGE_BYTES = 2 << 20, NAME_BYTES = 200 };

struct region_head {
	_Atomic uint64_t magic; /* stored last */
	uint64_t bytes, coherent_bytes, cookie;
	uint64_t host_count;
	char mode[MODE_BYTES]; /* as it was given */
};
static_assert(sizeof(struct region_head) <= HEAD_BYTES, "the head has a page");
static_assert(LGS_LINE_BYTES == EMU_LINE_BYTES && LGS_MAX_HOSTS == EMU_MAX_HOSTS, "the limits are the models'");
static_assert(sizeof(((struct lgs_error *)NULL)->message) >= EMU_MESSAGE_BYTES, "a model's message fits");

static int fail(struct lgs_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct lgs_error *err, int code, const char *format, ...)
{
	va_list list;
	if (!err)
		return code;
	err->code = code;
	va_start(list, format);
	vsnprintf(err->message, sizeof err->message, format, list);
	va_end(list);
	return code;
}

/* ---- Names and sizes ---- */

/* "/NAME" for shm_open(). */
static int shm_name(const char *name, char path[NAME_BYTES + 2], struct lgs_error *err)
{
	if (!name || !*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return fail(err, LGS_INVALID,
		        "'%s' is no name of shared memory: it must not be empty, nor have a slash", name ? name : "");
	if (strlen(name) > NAME_BYTES)
		return fail(err, LGS_INVALID, "a name of %zu bytes is too long: %d at most", strlen(name), NAME_BYTES);
	snprintf(path, NAME_BYTES + 2, "/%s", name);
	return LGS_OK;
}

static int check_sizes(const struct lgs_config *config, struct lgs_error *err)
{
	if (config->bytes == 0 || config->bytes % LGS_LINE_BYTES || config->bytes > INT64_MAX / 2)
		return fail(err, LGS_INVALID, "a region of %ju bytes: it must be a multiple of 64 and not 0",
		        (uintmax_t)config->bytes);
	if (config->coherent_bytes % LGS_LINE_BYTES || config->coherent_bytes > config->bytes)
		return fail(err, LGS_INVALID,
		        "a coherent part of %ju bytes: it must be a multiple of 64 and at most the region's %ju",
		        (uintmax_t)config->coherent_bytes, (uintmax_t)config->bytes);
	if (config->hosts < 1 || config->hosts > LGS_MAX_HOSTS)
		return fail(err, LGS_INVALID, "%u hosts: there must be 1 to %d", config->hosts, LGS_MAX_HOSTS);
	if (config->name && config->memory)
		return fail(err, LGS_INVALID, "a region in memory of the caller's has no name: '%s'", config->name);
	if ((uintptr_t)config->memory % LGS_LINE_BYTES)
		return fail(err, LGS_INVALID, "the caller's memory must be aligned to 64 bytes");
	if (config->emulate && strlen(config->emulate) >= MODE_BYTES)
		return fail(err, LGS_INVALID, "a mode of %zu bytes is too long: '%.40s...'", strlen(config->emulate),
		        config->emulate);
	return LGS_OK;
}

static int parse_mode(const char *text, struct emu_spec *spec, struct lgs_error *err)
{
	char message[EMU_MESSAGE_BYTES];
	return emu_spec_parse(text, spec, message) ? LGS_OK : fail(err, LGS_INVALID, "%s", message);
}

/* ---- Memory ---- */

/* Memory of this process, aligned so that huge pages can back it. */
static int map_private(struct lgs_region *region, struct lgs_error *err)
{
	region->mapped_bytes = region->bytes + HUGE_PAGE_BYTES;
	region->mapped = mmap(
	        NULL, region->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (region->mapped == MAP_FAILED) {
		region->mapped = NULL;
		return fail(err, LGS_SYSTEM, "cannot get %ju bytes of memory: mmap: %s",
		        (uintmax_t)region->mapped_bytes, strerror(errno));
	}
	region->raw = (uint8_t *)region->mapped + -(uintptr_t)region->mapped % HUGE_PAGE_BYTES;
	/* A wish: without huge pages it is slower and no less right. */
	(void)madvise(region->raw, region->bytes, MADV_HUGEPAGE);
	return LGS_OK;
}

static int map_shared(struct lgs_region *region, const char *name, int fd, uint64_t bytes, struct lgs_error *err)
{
	region->mapped_bytes = bytes;
	region->mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (region->mapped == MAP_FAILED) {
		region->mapped = NULL;
		return fail(err, LGS_SYSTEM, "cannot map the region %s: mmap of %ju bytes: %s", name, (uintmax_t)bytes,
		        strerror(errno));
	}
	region->raw = (uint8_t *)region->mapped + HEAD_BYTES;
	return LGS_OK;
}

/* What the hosts of a region without a name share of its emulation: of this process, so that nothing is left of it. */
static int map_emulation(struct lgs_region *region, struct lgs_error *err)
{
	uint64_t bytes = emu_shared_bytes(region->bytes, region->coherent_bytes);
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped == MAP_FAILED)
		return fail(err, LGS_SYSTEM, "cannot get %ju bytes of memory for the emulation: mmap: %s",
		        (uintmax_t)bytes, strerror(errno));
	region->emulation = mapped;
	return LGS_OK;
}

static void unmap(const struct lgs_region *region)
{
	int failed = region->mapped ? munmap(region->mapped, region->mapped_bytes) : 0;
	if (region->emulation)
		failed |= munmap(region->emulation, emu_shared_bytes(region->bytes, region->coherent_bytes));
	assert(!failed); /* it fails only for what was never mapped */
}

/* Reserves the memory now: a full /dev/shm is an error here, not a SIGBUS later. */
static int size_and_map(struct lgs_region *region, const char *name, int fd, struct lgs_error *err)
{
	uint64_t bytes = HEAD_BYTES + region->bytes;
	int error = posix_fallocate(fd, 0, (off_t)bytes);
	if (error)
		return fail(err, LGS_SYSTEM, "cannot reserve %ju bytes for the region %s in /dev/shm: %s",
		        (uintmax_t)bytes, name, strerror(error));
	return map_shared(region, name, fd, bytes, err);
}

static int create_named(struct lgs_region *region, const struct lgs_config *config, struct lgs_error *err)
{
	char path[NAME_BYTES + 2];
	int code = shm_name(config->name, path, err);
	if (code)
		return code;
	int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0 && errno == EEXIST)
		return fail(err, LGS_EXISTS, "shared memory %s exists: destroy it first, or take another name",
		        config->name);
	if (fd < 0)
		return fail(err, LGS_SYSTEM, "cannot create shared memory %s: %s", config->name, strerror(errno));
	code = size_and_map(region, config->name, fd, err);
	(void)close(fd); /* nothing was written through it */
	if (code) {
		shm_unlink(path);
		return code;
	}
	struct region_head *head = region->mapped;
	assert(head); /* size_and_map() */
	head->bytes = region->bytes;
	head->coherent_bytes = region->coherent_bytes;
	head->cookie = region->cookie;
	head->host_count = region->host_count;
	if (config->emulate)
		memcpy(head->mode, config->emulate, strlen(config->emulate) + 1); /* it fits: check_sizes() */
	/* [ligersim.create] Release: who sees the magic sees the head. Pairs with the acquire in head_is_sound(). */
	atomic_store_explicit(&head->magic, REGION_MAGIC, memory_order_release);
	return LGS_OK;
}

int lgs_region_create(const struct lgs_config *config, struct lgs_region **region, struct lgs_error *err)
{
	struct emu_spec spec;
	*region = NULL;
	int code = check_sizes(config, err);
	if (!code)
		code = parse_mode(config->emulate, &spec, err);
	if (code)
		return code;
	struct lgs_region *r = calloc(1, sizeof *r);
	if (!r)
		return fail(err, LGS_SYSTEM, "no memory for a region");
	r->bytes = config->bytes;
	r->coherent_bytes = config->coherent_bytes;
	r->host_count = config->hosts;
	r->spec = spec;
	r->raw = config->memory;
	if (getrandom(&r->cookie, sizeof r->cookie, 0) != (ssize_t)sizeof r->cookie)
		code = fail(err, LGS_SYSTEM, "cannot get a random number: getrandom: %s", strerror(errno));
	else if (config->name)
		code = create_named(r, config, err);
	else if (!config->memory)
		code = map_private(r, err);
	if (!code && !config->name && spec.mode != EMU_DIRECT)
		code = map_emulation(r, err);
	if (code) {
		unmap(r);
		free(r);
	} else {
		*region = r;
	}
	return code;
}

/* ---- Opening by name ---- */

static bool head_is_sound(const struct region_head *head, uint64_t file_bytes)
{
	/* Acquire; pairs with [ligersim.create]. */
	return atomic_load_explicit(&head->magic, memory_order_acquire) == REGION_MAGIC &&
	       head->bytes == file_bytes - HEAD_BYTES && head->bytes % LGS_LINE_BYTES == 0 &&
	       head->coherent_bytes % LGS_LINE_BYTES == 0 && head->coherent_bytes <= head->bytes &&
	       head->host_count >= 1 && head->host_count <= LGS_MAX_HOSTS && memchr(head->mode, 0, MODE_BYTES);
}

static int open_named(const char *name, struct lgs_region *region, struct lgs_error *err)
{
	char path[NAME_BYTES + 2];
	struct stat st;
	int code = shm_name(name, path, err);
	if (code)
		return code;
	int fd = shm_open(path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT ? fail(err, LGS_NOTFOUND, "there is no region %s", name)
		                       : fail(err, LGS_SYSTEM, "cannot open the region %s: %s", name, strerror(errno));
	if (fstat(fd, &st))
		code = fail(err, LGS_SYSTEM, "cannot look at the region %s: fstat: %s", name, strerror(errno));
	else if (st.st_size <= HEAD_BYTES)
		code = fail(err, LGS_MISMATCH, "shared memory %s is no region of ligersim, or not yet", name);
	else
		code = map_shared(region, name, fd, (uint64_t)st.st_size, err);
	(void)close(fd); /* nothing was written through it */
	if (code)
		return code;
	const struct region_head *head = region->mapped;
	assert(head); /* map_shared() */
	if (!head_is_sound(head, region->mapped_bytes)) {
		munmap(region->mapped, region->mapped_bytes);
		return fail(err, LGS_MISMATCH, "shared memory %s is no region of this version of ligersim, or not yet",
		        name);
	}
	region->bytes = head->bytes;
	region->coherent_bytes = head->coherent_bytes;
	region->cookie = head->cookie;
	region->host_count = (unsigned)head->host_count;
	return LGS_OK;
}

/* The creator's mode is everybody's: a direct host among emulated ones would be found out by nobody. Which profile it
 * is, the hosts see (shared.c). */
static int take_mode(struct lgs_region *region, const char *name, const char *emulate, struct lgs_error *err)
{
	const struct region_head *head = region->mapped;
	struct emu_spec made;
	int code = parse_mode(head->mode, &made, err);
	if (!code)
		code = parse_mode(emulate ? emulate : head->mode, &region->spec, err);
	if (!code && region->spec.mode != made.mode)
		code = fail(err, LGS_MODE,
		        "the region %s was made as '%s' and is opened as '%s'; all hosts need the same", name,
		        made.mode == EMU_DIRECT ? "direct" : head->mode,
		        region->spec.mode == EMU_DIRECT ? "direct" : emulate);
	return code;
}

int lgs_region_open(const char *name, const char *emulate, struct lgs_region **region, struct lgs_error *err)
{
	*region = NULL;
	struct lgs_region *r = calloc(1, sizeof *r);
	if (!r)
		return fail(err, LGS_SYSTEM, "no memory for a region");
	int code = open_named(name, r, err);
	if (code) {
		free(r);
		return code;
	}
	code = take_mode(r, name, emulate, err);
	if (code)
		lgs_region_close(r);
	else
		*region = r;
	return code;
}

void lgs_region_close(struct lgs_region *region)
{
	assert(atomic_load(&region->open) == 0); /* hosts are closed first */
	unmap(region);
	free(region);
}

int lgs_region_destroy(const char *name, struct lgs_error *err)
{
	char path[NAME_BYTES + 2];
	struct lgs_region region = {0};
	int code = open_named(name, &region, err);
	if (!code)
		code = shm_name(name, path, err);
	if (code)
		return code;
	emu_pod_forget(region.cookie);
	munmap(region.mapped, region.mapped_bytes);
	if (shm_unlink(path) && errno != ENOENT) /* gone: somebody else destroyed it just now */
		return fail(err, LGS_SYSTEM, "cannot remove the region %s: %s", name, strerror(errno));
	return LGS_OK;
}

void lgs_config_init(struct lgs_config *config)
{
	*config = (struct lgs_config){.bytes = UINT64_C(64) << 20, .coherent_bytes = UINT64_C(1) << 20, .hosts = 2};
}

uint64_t lgs_region_bytes(const struct lgs_region *region)
{
	return region->bytes;
}

uint64_t lgs_region_coherent_bytes(const struct lgs_region *region)
{
	return region->coherent_bytes;
}

unsigned lgs_region_hosts(const struct lgs_region *region)
{
	return region->host_count;
}

/* ---- Hosts ---- */

/* What this processor can do to a line. */
static void find_instructions(struct lgs_host *host)
{
	unsigned eax, ebx, ecx, edx;
	host->write_back_kind = host->flush_kind = LGS_CLFLUSH;
	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		return;
	if (ebx & bit_CLFLUSHOPT)
		host->write_back_kind = host->flush_kind = LGS_CLFLUSHOPT;
	if (ebx & bit_CLWB)
		host->write_back_kind = LGS_CLWB;
}

static int open_model(struct lgs_host *host, struct lgs_error *err)
{
	const struct lgs_region *region = host->region;
	char message[EMU_MESSAGE_BYTES];
	enum emu_failure failure;
	if (region->spec.mode == EMU_DIRECT)
		return LGS_OK;
	struct emu_config config = {
	        .spec = region->spec,
	        .raw = region->raw,
	        .bytes = region->bytes,
	        .coherent_bytes = region->coherent_bytes,
	        .cookie = region->cookie,
	        .host = host->id,
	        .host_count = region->host_count,
	        .shared = region->emulation,
	};
	host->pod = emu_pod_open(&config, &failure, message);
	if (host->pod)
		return LGS_OK;
	return fail(err, failure == EMU_SYSTEM ? LGS_SYSTEM : LGS_MODE, "%s", message);
}

int lgs_host_open(struct lgs_region *region, unsigned id, struct lgs_host **host, struct lgs_error *err)
{
	*host = NULL;
	if (id >= region->host_count)
		return fail(err, LGS_INVALID, "there is no host %u: this region has hosts 0 to %u", id,
		        region->host_count - 1);
	uint64_t bit = UINT64_C(1) << id;
	if (atomic_fetch_or(&region->open, bit) & bit)
		return fail(err, LGS_INUSE, "host %u is open in this process already", id);
	struct lgs_host *h = calloc(1, sizeof *h);
	int code = h ? LGS_OK : fail(err, LGS_SYSTEM, "no memory for a host");
	if (h) {
		h->region = region;
		h->id = id;
		find_instructions(h);
		code = open_model(h, err);
	}
	if (code) {
		free(h);
		atomic_fetch_and(&region->open, ~bit);
		return code;
	}
	*host = h;
	return LGS_OK;
}

void lgs_host_close(struct lgs_host *host)
{
	assert(atomic_load(&host->thread_count) == 0); /* threads are closed first */
	if (host->pod)
		emu_pod_close(host->pod);
	atomic_fetch_and(&host->region->open, ~(UINT64_C(1) << host->id));
	free(host);
}

void lgs_host_died(struct lgs_host *host, unsigned dead)
{
	assert(dead < host->region->host_count);
	if (host->pod)
		emu_host_died(host->pod, dead);
}

const char *lgs_host_mode(const struct lgs_host *host)
{
	return host->pod ? emu_pod_name(host->pod) : "direct";
}
