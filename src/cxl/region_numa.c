/* region_numa.c: ?node=N, memory from a node that the user names: a CPU-less CXL node, or the far socket in its place.
 *
 * The mapping is bound before its first touch. On tmpfs and hugetlbfs the kernel keeps the binding with the file, so it
 * holds for every process and for pages that come back from swap; on other file systems it has no effect. So nothing is
 * believed: when the pages are there move_pages(2) is asked where they lie, and a region of which one lies elsewhere is
 * refused. Nothing is ever moved.
 */
#include "cxl/region_private.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <numaif.h>
#include <sys/vfs.h>

enum {
	SMALL_PAGE_BYTES = 4096,
	LOOK_PAGES = 1 << 18, /* of a region: all small pages up to 1 GiB, beyond that evenly spread ones */
	LOOK_BATCH = 1024,
	NODES_PER_WORD = 8 * sizeof(unsigned long),
};

static const char container_hint[] =
        "; a container's seccomp filter often forbids it (docker run --cap-add SYS_NICE allows it): allow it, or leave "
        "?node= out";

int region_node_check(const struct region_place *place, struct lg_error *err)
{
	char text[SYSFS_TEXT_BYTES];
	struct node_memory memory;
	const char *sysfs = place->machine->sysfs;
	if (place->node == NO_NODE)
		return LG_OK;
	if (!sysfs_text(sysfs, "devices/system/node/online", text))
		return error_set(err, LG_SYSTEM,
		        "cannot use %s: this kernel knows no NUMA nodes (%s/devices/system/node/online: %m); leave "
		        "?node= out",
		        place->uri, sysfs);
	if (!node_memory_of(sysfs, (unsigned)place->node, &memory))
		return error_set(err, LG_INVALID,
		        "cannot use %s: this machine has no NUMA node %d, only %.100s (see `liger probe topology`)",
		        place->uri, place->node, text);
	if (memory.total_bytes == 0)
		return error_set(err, LG_INVALID,
		        "cannot use %s: NUMA node %d has no memory; choose one that has (see `liger probe topology`)",
		        place->uri, place->node);
	return LG_OK;
}

int region_node_room(const struct region_place *place, int fd, uint64_t bytes, struct lg_error *err)
{
	struct node_memory memory;
	struct statfs fs;
	if (place->node == NO_NODE)
		return LG_OK;
	/* Huge pages are set aside beforehand, and their lack is an error at population. All else comes from what is
	 * free, and its lack would call the kernel's OOM killer, since no other node may help out. */
	if (!fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC)
		return LG_OK;
	if (!node_memory_of(place->machine->sysfs, (unsigned)place->node, &memory))
		return LG_OK; /* it has gone since region_node_check(): the binding will fail */
	if (memory.free_bytes + memory.file_bytes < bytes)
		return error_set(err, LG_NOSPACE,
		        "cannot create %s: it needs %" PRIu64 " MiB of NUMA node %d, which has %" PRIu64
		        " MiB free (of %" PRIu64 "); choose smaller parts or another node, or free memory there",
		        place->uri, bytes >> 20, place->node, (memory.free_bytes + memory.file_bytes) >> 20,
		        memory.total_bytes >> 20);
	return LG_OK;
}

int region_node_bind(const struct region_place *place, uint8_t *base, uint64_t bytes, struct lg_error *err)
{
	unsigned long nodes[MAX_NUMA_NODES / NODES_PER_WORD] = {0};
	if (place->node == NO_NODE)
		return LG_OK;
	unsigned node = (unsigned)place->node;
	assert(node < MAX_NUMA_NODES);
	nodes[node / NODES_PER_WORD] = 1UL << node % NODES_PER_WORD;
	/* The kernel takes one off the number of nodes that it is told. */
	if (!place->machine->bind(base, bytes, MPOL_BIND, nodes, MAX_NUMA_NODES + 1, 0))
		return LG_OK;
	if (errno == EINVAL)
		return error_set(err, LG_SYSTEM,
		        "cannot bind %s to NUMA node %u: mbind: %m; this process may not use the node: see "
		        "Mems_allowed_list in /proc/self/status, and the cpuset or container that sets it",
		        place->uri, node);
	return error_set(err, LG_SYSTEM, "cannot bind %s to NUMA node %u: mbind: %m%s", place->uri, node,
	        errno == EPERM || errno == ENOSYS ? container_hint : "");
}

/* Where the pages lie that were looked at. */
struct placement {
	uint64_t looked, elsewhere, unknown;
	int why; /* errno of the last unknown one */
	uint32_t on[MAX_NUMA_NODES];
};

/* Asks for `count` pages. They are touched first: only what this process has mapped can be asked for. */
static int look_at(
        const struct region_place *place, void **pages, unsigned long count, struct placement *at, struct lg_error *err)
{
	int status[LOOK_BATCH];
	assert(count <= LOOK_BATCH);
	for (unsigned long i = 0; i < count; i++) {
		/* Relaxed: the value is not used. An atomic, because a host may be writing there. */
		(void)atomic_load_explicit((_Atomic uint64_t *)pages[i], memory_order_relaxed);
		status[i] = -ENOENT;
	}
	if (place->machine->where(0, count, pages, NULL, status, 0) < 0)
		return error_set(err, LG_SYSTEM, "cannot find out where the pages of %s lie: move_pages: %m%s",
		        place->uri, errno == EPERM || errno == ENOSYS ? container_hint : "");
	for (unsigned long i = 0; i < count; i++) {
		at->looked++;
		if (status[i] < 0 || status[i] >= MAX_NUMA_NODES) {
			at->unknown++;
			at->why = status[i] < 0 ? -status[i] : ERANGE;
			continue;
		}
		at->elsewhere += status[i] != place->node;
		at->on[status[i]]++;
	}
	return LG_OK;
}

/* The other node on which most of the pages lie. */
static int node_of_most(const struct placement *at, int asked)
{
	int most = -1;
	for (int node = 0; node < MAX_NUMA_NODES; node++)
		if (node != asked && at->on[node] && (most < 0 || at->on[node] > at->on[most]))
			most = node;
	return most;
}

static int judge(const struct region_place *place, const struct placement *at, int misplaced, struct lg_error *err)
{
	if (at->elsewhere) {
		int most = node_of_most(at, place->node);
		return error_set(err, misplaced,
		        "%s does not lie on NUMA node %d: of %" PRIu64 " pages looked at %" PRIu64
		        " lie elsewhere, %u of them on node %d; %s",
		        place->uri, place->node, at->looked, at->elsewhere, at->on[most], most,
		        misplaced == LG_MISMATCH
		                ? "pages are placed at creation and never moved: name that node, leave ?node= out, or "
		                  "destroy the pod and create it with ?node="
		                : "it was removed again: choose a tmpfs or hugetlbfs, which follow a binding, and see "
		                  "that the node has memory (huge pages: its own nr_hugepages) to spare");
	}
	if (at->unknown) {
		errno = at->why;
		return error_set(err, LG_SYSTEM,
		        "cannot find out whether %s lies on NUMA node %d: of %" PRIu64
		        " pages looked at the kernel did not tell for %" PRIu64 ": %m; leave ?node= out",
		        place->uri, place->node, at->looked, at->unknown);
	}
	return LG_OK;
}

int region_node_verify(
        const struct region_place *place, uint8_t *base, uint64_t bytes, int misplaced, struct lg_error *err)
{
	struct placement at = {0};
	void *pages[LOOK_BATCH];
	unsigned long count = 0;
	if (place->node == NO_NODE)
		return LG_OK;
	uint64_t page_count = bytes / SMALL_PAGE_BYTES;
	uint64_t step = (page_count + LOOK_PAGES - 1) / LOOK_PAGES;
	for (uint64_t page = 0; page < page_count; page += step) {
		pages[count++] = base + page * SMALL_PAGE_BYTES;
		if (count < LOOK_BATCH && page + step < page_count)
			continue;
		int code = look_at(place, pages, count, &at, err);
		if (code)
			return code;
		count = 0;
	}
	return judge(place, &at, misplaced, err);
}
