/* region_private.h: what the files of the region share: the seam to the backends, the header, the mapping. */
#ifndef LIGER_CXL_REGION_PRIVATE_H
#define LIGER_CXL_REGION_PRIVATE_H

#include "cxl/region.h"
#include "cxl/region_machine.h"

/* A kind of memory that a region can lie in, by the scheme of its URI. */
struct region_backend {
	const char *scheme;                       /* with its colon */
	const char *(*flaw)(const char *name);    /* what is wrong with a name; NULL: nothing */
	int (*open)(const char *name, int flags); /* a descriptor that can be sized and mapped, or -1 and errno */
	int (*remove)(const char *name);          /* 0, or -1 and errno; NULL of a device */
	bool is_device; /* is there before the region and after it, with a size of its own: region_dax.c */
};

enum { NO_NODE = -1 };

/* A parsed URI. */
struct region_place {
	const struct region_backend *backend;
	const char *uri; /* the caller's */
	char name[sizeof((struct region *)NULL)->uri];
	int node; /* ?node=N, or NO_NODE */
	/* How who creates or destroys sees it, as in struct lg_host_config; region_place_of() leaves NULL: what the
	 * environment says. */
	const char *emulate;
	const struct region_machine *machine;
};

/* LG_OK; LG_INVALID, with the known schemes in the message. */
int region_place_of(const char *uri, struct region_place *place, struct lg_error *err);

/* What region_create(), region_destroy(), region_attach() do, once the URI is parsed. */
int region_create_at(const struct region_place *place, const struct lg_pod_config *config,
        const struct region_birth *birth, struct lg_error *err);
int region_destroy_at(const struct region_place *place, bool force, struct lg_error *err);
int region_attach_at(const struct region_place *place, bool writable, uint64_t expect_cookie, struct region *region,
        struct lg_error *err);

/* Opens what must exist: a regular file whose size can be a pod's, which goes to *bytes, or a device that can hold one
 * (*bytes: all of it). The caller closes *fd. LG_OK; LG_NOTFOUND; LG_MISMATCH; LG_SYSTEM. */
int region_open_file(const struct region_place *place, int flags, int *fd, uint64_t *bytes, struct lg_error *err);
/* Maps it at a 2 MiB-aligned address. LG_OK; LG_SYSTEM. */
int region_map(const char *uri, int fd, uint64_t bytes, int protection, uint8_t **base, struct lg_error *err);
void region_unmap(uint8_t *base, uint64_t bytes);
/* 2 MiB if huge pages back the mapping at base, which has been touched; else 4 KiB. */
uint32_t region_page_bytes(const uint8_t *base);

/* As region_attach(), but for looking only: the mapping cannot be written to. */
int region_attach_read_only(const char *uri, struct region *region, struct lg_error *err);

/* Where everything lies in a pod of that configuration. LG_OK; LG_INVALID; LG_NOSPACE (a part is too small). */
int pod_geometry_compute(const struct lg_pod_config *config, struct pod_geometry *geometry, struct lg_error *err);

/* Writes all of the header but the magic. */
void pod_header_fill(struct pod_header *header, const struct pod_geometry *geometry);
/* Checks a header that was mapped from a file of file_bytes, and copies out what it says. LG_OK; LG_MISMATCH. */
int pod_header_verify(const char *uri, const struct pod_header *mapped, uint64_t file_bytes, uint64_t expect_cookie,
        struct pod_geometry *geometry, struct lg_error *err);

/* ---- region_numa.c: ?node=N; each returns LG_OK at once for a place without it ---- */

/* Whether the node exists and has memory. LG_OK; LG_INVALID; LG_SYSTEM (the kernel has no NUMA). */
int region_node_check(const struct region_place *place, struct lg_error *err);
/* Whether it has that much to spare for a file that was just made. LG_OK; LG_NOSPACE. */
int region_node_room(const struct region_place *place, int fd, uint64_t bytes, struct lg_error *err);
/* Has the pages of a mapping that was not touched yet come from the node. LG_OK; LG_SYSTEM. */
int region_node_bind(const struct region_place *place, uint8_t *base, uint64_t bytes, struct lg_error *err);
/* Whether they did. LG_OK; `misplaced` if not; LG_SYSTEM (it cannot be found out). */
int region_node_verify(
        const struct region_place *place, uint8_t *base, uint64_t bytes, int misplaced, struct lg_error *err);

/* ---- region_dax.c: a region on a device; the protocol stands there ---- */

/* As region_open_file(). */
int dax_open(const struct region_place *place, int flags, int *fd, uint64_t *bytes, struct lg_error *err);
/* How much of a device the pod on it has; `bytes` if it holds no pod. LG_OK; LG_SYSTEM. */
int dax_pod_bytes(const struct region_place *place, int fd, uint64_t *bytes, struct lg_error *err);
/* Takes a device that holds nothing, mapped whole or in part, by marking it as unfinished. LG_OK; LG_EXISTS. */
int dax_claim(const struct region_place *place, uint8_t *base, struct lg_error *err);
/* Zeroes all but the magic; visible to all hosts when it returns. */
void dax_zero(uint8_t *base, uint64_t bytes);
/* Makes an unfinished pod nothing: zeroes the header, then the magic. */
void dax_clear(uint8_t *base);
/* Writes all lines of [base, base + bytes) back to memory and drops them from this machine's caches. */
void dax_flush(uint8_t *base, uint64_t bytes);

#endif
