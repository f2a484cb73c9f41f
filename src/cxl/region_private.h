/* region_private.h: what the files of the region share: the seam to the backends, the header, the mapping. */
#ifndef LIGER_CXL_REGION_PRIVATE_H
#define LIGER_CXL_REGION_PRIVATE_H

#include "cxl/region.h"

/* A kind of memory that a region can lie in, by the scheme of its URI. */
struct region_backend {
	const char *scheme;                       /* with its colon */
	const char *(*flaw)(const char *name);    /* what is wrong with a name; NULL: nothing */
	int (*open)(const char *name, int flags); /* a descriptor that can be sized and mapped, or -1 and errno */
	int (*remove)(const char *name);          /* 0, or -1 and errno */
};

/* A parsed URI. `name` points into the URI. */
struct region_place {
	const struct region_backend *backend;
	const char *uri, *name;
};

/* LG_OK; LG_INVALID, with the known schemes in the message. */
int region_place_of(const char *uri, struct region_place *place, struct lg_error *err);

/* Opens what must exist: a regular file whose size can be a pod's, which goes to *bytes. The caller closes *fd.
 * LG_OK; LG_NOTFOUND; LG_MISMATCH; LG_SYSTEM. */
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

#endif
