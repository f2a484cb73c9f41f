/* region.c: mapping a region and attaching to it. */
#include "cxl/region_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int region_map(const char *uri, int fd, uint64_t bytes, int protection, uint8_t **base, struct lg_error *err)
{
	/* Huge pages need an aligned address: reserve enough to choose one, map there, give the margins back. */
	size_t span = bytes + HUGE_PAGE_BYTES;
	uint8_t *reserved = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		return error_set(err, LG_SYSTEM, "cannot map %s: mmap of %zu bytes of address space: %m; see ulimit -v",
		        uri, span);
	size_t before = -(uintptr_t)reserved % HUGE_PAGE_BYTES;
	uint8_t *aligned = reserved + before;
	if (mmap(aligned, bytes, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		int code = error_set(err, LG_SYSTEM, "cannot map %s: mmap of %" PRIu64 " bytes: %m%s", uri, bytes,
		        errno == ENOMEM ? "; on hugetlbfs raise /proc/sys/vm/nr_hugepages" : "");
		region_unmap(reserved, span);
		return code;
	}
	if (before)
		region_unmap(reserved, before);
	region_unmap(aligned + bytes, HUGE_PAGE_BYTES - before);
	/* A wish: where the kernel has no huge pages for this memory it fails, and region_page_bytes() tells. */
	(void)madvise(aligned, bytes, MADV_HUGEPAGE);
	*base = aligned;
	return LG_OK;
}

void region_unmap(uint8_t *base, uint64_t bytes)
{
	int failed = munmap(base, bytes);
	assert(!failed); /* it fails only for an address or length that was never mapped */
}

uint32_t region_page_bytes(const uint8_t *base)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	if (!smaps)
		return 4096; /* not known: claim nothing */
	char text[512];
	bool here = false;
	uint32_t page_bytes = 4096;
	while (fgets(text, sizeof text, smaps)) {
		uintptr_t from, to;
		uint64_t kib;
		if (sscanf(text, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
			if (here)
				break;
			here = (uintptr_t)base >= from && (uintptr_t)base < to;
		} else if (here && (sscanf(text, "KernelPageSize: %" SCNu64 " kB", &kib) == 1 ||
		                           sscanf(text, "ShmemPmdMapped: %" SCNu64 " kB", &kib) == 1 ||
		                           sscanf(text, "FilePmdMapped: %" SCNu64 " kB", &kib) == 1)) {
			if (kib >= HUGE_PAGE_BYTES / 1024)
				page_bytes = HUGE_PAGE_BYTES;
		}
	}
	(void)fclose(smaps); /* it was only read */
	return page_bytes;
}

/* Whether the mapping's memory itself may have been another pod's before, and in use by other machines. */
static bool is_device_memory(const struct region_place *place, int fd)
{
	struct statx st;
	if (place->backend->is_device)
		return true;
	/* A file on fsdax or famfs. A kernel that does not say is one that has neither. */
	return !statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) && (st.stx_attributes & STATX_ATTR_DAX);
}

/* A region that was opened and mapped: whether it is a pod, and lies where it should. */
static int verify(const struct region_place *place, uint64_t expect_cookie, struct region *r, struct lg_error *err)
{
	int code = pod_header_verify(place->uri, (const void *)r->base, r->bytes, expect_cookie, &r->geometry, err);
	return code ? code : region_node_verify(place, r->base, r->bytes, LG_MISMATCH, err);
}

int region_attach_at(const struct region_place *place, bool writable, uint64_t expect_cookie, struct region *region,
        struct lg_error *err)
{
	struct region r = {0};
	int fd;
	int code = region_node_check(place, err);
	if (!code)
		code = region_open_file(place, writable ? O_RDWR : O_RDONLY, &fd, &r.bytes, err);
	if (code)
		return code;
	if (place->backend->is_device)
		code = dax_pod_bytes(place, fd, &r.bytes, err);
	if (!code)
		code = region_map(place->uri, fd, r.bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, &r.base, err);
	bool drop_lines = writable && is_device_memory(place, fd);
	(void)close(fd); /* nothing was written through it */
	if (code)
		return code;
	code = verify(place, expect_cookie, &r, err);
	if (code) {
		region_unmap(r.base, r.bytes);
		return code;
	}
	if (drop_lines) /* region_dax.c: "Stale lines" */
		dax_flush(r.base + r.geometry.hwcc_bytes, r.geometry.swcc_bytes);
	r.page_bytes = region_page_bytes(r.base);
	memcpy(r.uri, place->uri, strlen(place->uri) + 1); /* it fits: region_place_of() */
	*region = r;
	return LG_OK;
}

static int attach(const char *uri, bool writable, uint64_t expect_cookie, struct region *region, struct lg_error *err)
{
	struct region_place place;
	int code = region_place_of(uri, &place, err);
	return code ? code : region_attach_at(&place, writable, expect_cookie, region, err);
}

int region_attach(const char *uri, uint64_t expect_cookie, struct region *region, struct lg_error *err)
{
	return attach(uri, true, expect_cookie, region, err);
}

int region_attach_read_only(const char *uri, struct region *region, struct lg_error *err)
{
	return attach(uri, false, 0, region, err);
}

void region_detach(struct region *region)
{
	region_unmap(region->base, region->bytes);
	region->base = NULL;
}
