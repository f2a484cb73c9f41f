/* region.h: a pod's region as bytes: backends by URI, creation, mapping, verification.
 *
 * Creation: make the file exclusively (mode 0600), size it, mark it as unfinished, reserve the space, write everything,
 * the magic last. A creator that dies leaves a file with the mark: attach refuses it, destroy removes it. (Between
 * making the file and marking it, for some microseconds, it leaves a file that nothing tells from another's: that is
 * removed by hand.) Creation and destruction hold an flock on the file, so they never run into each other.
 */
#ifndef LIGER_CXL_REGION_H
#define LIGER_CXL_REGION_H

#include "cxl/error.h"
#include "cxl/port.h"

struct region {
	uint8_t *base; /* mapped at any 2 MiB-aligned address */
	uint64_t bytes;
	uint32_t page_bytes; /* 2 MiB if huge pages back the mapping, else 4 KiB */
	struct pod_geometry geometry;
	char uri[256];
};

/* Codes and conditions: as lg_pod_create() and lg_pod_destroy(). */
/* What a new pod begins with, where it is not empty: one that comes back from its logs. */
struct region_birth {
	uint64_t cookie, life;
	/* Called when the region is an empty pod that nobody can attach to yet. Not LG_OK: there will be no pod. */
	int (*fill)(struct cxl_port *port, void *argument, struct lg_error *err);
	void *argument;
};

/* birth NULL: empty, with a cookie that is chosen here. */
int region_create(
        const char *uri, const struct lg_pod_config *config, const struct region_birth *birth, struct lg_error *err);
int region_destroy(const char *uri, const char *emulate, bool force, struct lg_error *err);

/* Maps and verifies: size, magic, format version, layout hash, checksum, and that every part of the geometry lies where
 * layout.h puts it. LG_OK; LG_NOTFOUND; LG_MISMATCH with the reason; LG_INVALID; LG_SYSTEM. */
int region_attach(const char *uri, uint64_t expect_cookie, struct region *region, struct lg_error *err);
void region_detach(struct region *region);

uint64_t pod_layout_hash(void);

#endif
