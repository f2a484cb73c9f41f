/* region_dax.c: a region on a devdax device, memory that outlives its pods and that several machines may share.
 *
 * Such a device cannot be made or removed, is not zero at first, and its file lock holds on one machine only. So what the
 * first page says decides:
 *
 *     zeros                          nothing: may be claimed
 *     POD_MAGIC_UNFINISHED           being made or removed, or left half way
 *     POD_MAGIC                      a pod
 *     anything else                  somebody else's, or what memory held by chance: refused
 *
 * Create                                                   A crash after it leaves
 *   1. [dax.claim] swap the magic: 0 -> unfinished         an unfinished pod: refused by attach and create
 *   2. zero everything else, write back                    the same
 *   3. write words and header, write back                  the same
 *   4. [header.magic] store the magic                      a pod
 *
 * Destroy
 *   1. [pod.unmake] mark it as unfinished                  an unfinished pod
 *   2. zero the header, write back                         the same
 *   3. [dax.claim] zero the magic                          nothing
 *
 * Nobody here can tell whether the process of another machine is alive. So destroying an unfinished pod, or one that has
 * members, needs force, and with it the user's word that they are gone: what they still write would hit the next pod.
 *
 * Stale lines. A machine that used an earlier pod of the device may hold lines of it in its caches, with tags that mean
 * something in this one too. So who attaches drops all lines of SWcc first; creation wrote everything back before the
 * magic, so whatever is fetched afterwards is this pod's.
 *
 * The device's mode is the administrator's: it is looked at and never changed.
 */
#include "cxl/region_private.h"

#include <emmintrin.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FIRST_PAGE_BYTES 4096
static_assert(sizeof(struct pod_header) <= FIRST_PAGE_BYTES && POD_CLOCK_OFFSET >= FIRST_PAGE_BYTES,
        "the first page holds the header alone");

/* ---- Which device ---- */

static int refuse_mode(const struct region_place *place, const struct dax_device *device, struct lg_error *err)
{
	if (device->mode == DAX_SYSTEM_RAM)
		return error_set(err, LG_MISMATCH,
		        "cannot use %s: %s is in system-ram mode, the kernel uses it as ordinary memory of NUMA node "
		        "%d; turn it into a device with `daxctl reconfigure-device --force --mode=devdax %s` (Liger "
		        "never does), or use that memory as it is with shm:NAME?node=%d",
		        place->uri, device->name, device->target_node, device->name, device->target_node);
	if (device->mode == DAX_UNBOUND)
		return error_set(err, LG_MISMATCH,
		        "cannot use %s: no driver is bound to %s; load one with `modprobe device_dax`, or bind it with "
		        "`daxctl reconfigure-device --mode=devdax %s`",
		        place->uri, device->name, device->name);
	return error_set(err, LG_MISMATCH,
	        "cannot use %s: %s is bound to the driver %s, not to device_dax; change it with `daxctl "
	        "reconfigure-device --mode=devdax %s`",
	        place->uri, device->name, device->driver, device->name);
}

/* Whether the device can hold a region; its size in whole huge pages goes to *bytes. */
static int check_device(
        const struct region_place *place, const struct dax_device *device, uint64_t *bytes, struct lg_error *err)
{
	if (device->mode != DAX_DEVDAX)
		return refuse_mode(place, device, err);
	/* A kernel that does not tell the alignment has 2 MiB. */
	uint64_t align = device->align_bytes ? device->align_bytes : HUGE_PAGE_BYTES;
	if (HUGE_PAGE_BYTES % align)
		return error_set(err, LG_MISMATCH,
		        "cannot use %s: it is mapped in units of %" PRIu64
		        " KiB, and a region in units of 2 MiB; give it another alignment with `daxctl "
		        "reconfigure-device --align=2M %s` (a pmem namespace: `ndctl create-namespace --align=2M`)",
		        place->uri, align >> 10, device->name);
	*bytes = device->bytes / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
	if (*bytes < 2 * (uint64_t)HUGE_PAGE_BYTES)
		return error_set(err, LG_MISMATCH,
		        "cannot use %s: the device has %" PRIu64 " bytes, a pod at least 4 MiB; see `daxctl list`",
		        place->uri, device->bytes);
	return LG_OK;
}

/* Finds the device of a file in sysfs: LG_OK; LG_MISMATCH when it is no dax device. */
static int find_device(
        const struct region_place *place, const struct stat *st, struct dax_device *device, struct lg_error *err)
{
	const struct region_machine *machine = place->machine;
	char number[64], directory[128], path[160], subsystem[64];
	if (!machine->dax_number && !S_ISCHR(st->st_mode))
		return error_set(err, LG_MISMATCH,
		        "cannot use %s: it is no device; name one such as dax:/dev/dax0.0, or write file:PATH for a "
		        "file",
		        place->uri);
	snprintf(number, sizeof number, "%u:%u", major(st->st_rdev), minor(st->st_rdev));
	snprintf(directory, sizeof directory, "dev/char/%.63s", machine->dax_number ? machine->dax_number : number);
	snprintf(path, sizeof path, "%s/subsystem", directory);
	if (!sysfs_link_name(machine->sysfs, path, subsystem, sizeof subsystem))
		return error_set(err, LG_MISMATCH,
		        "cannot use %s: the kernel knows no such device (%s/%s: %m); see `daxctl list` for those it "
		        "knows",
		        place->uri, machine->sysfs, path);
	if (strcmp(subsystem, "dax") != 0)
		return error_set(err, LG_MISMATCH,
		        "cannot use %s: it is a device of the kind '%s', not dax; see `daxctl list` for those that are",
		        place->uri, subsystem);
	if (!dax_device_of(machine->sysfs, directory, device))
		return error_set(err, LG_SYSTEM, "cannot use %s: cannot read what %s/%s says of it: %m", place->uri,
		        machine->sysfs, directory);
	return LG_OK;
}

static int refuse_open(const struct region_place *place, const char *what, struct lg_error *err)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return error_set(err, LG_NOTFOUND, "there is no device %s; `liger probe topology` lists this machine's",
		        place->name);
	if (errno == EACCES || errno == EPERM)
		return error_set(err, LG_SYSTEM,
		        "cannot open %s: %m; a device belongs to root at first: give this user read and write access "
		        "to it (chown, or a udev rule)",
		        place->uri);
	return error_set(err, LG_SYSTEM, "cannot open %s: %s: %m", place->uri, what);
}

int dax_open(const struct region_place *place, int flags, int *fd, uint64_t *bytes, struct lg_error *err)
{
	struct dax_device device = {0};
	struct stat before, opened;
	*fd = -1;
	/* Looked at before it is opened: opening a device of another kind may do something (rewind a tape), and one in
	 * system-ram mode fails with ENXIO, which tells nobody why. */
	if (stat(place->name, &before))
		return refuse_open(place, "stat", err);
	int code = find_device(place, &before, &device, err);
	if (!code)
		code = check_device(place, &device, bytes, err);
	if (code)
		return code;
	*fd = place->backend->open(place->name, flags);
	if (*fd < 0)
		return refuse_open(place, "open", err);
	if (fstat(*fd, &opened))
		code = error_set(err, LG_SYSTEM, "cannot look at %s: fstat: %m", place->uri);
	else if (opened.st_rdev != before.st_rdev || (opened.st_mode & S_IFMT) != (before.st_mode & S_IFMT))
		code = error_set(
		        err, LG_MISMATCH, "%s became another file while it was being opened; try again", place->uri);
	if (code) {
		(void)close(*fd); /* nothing was written to it */
		*fd = -1;
	}
	return code;
}

int dax_pod_bytes(const struct region_place *place, int fd, uint64_t *bytes, struct lg_error *err)
{
	uint8_t *base;
	int code = region_map(place->uri, fd, HUGE_PAGE_BYTES, PROT_READ, &base, err);
	if (code)
		return code;
	const struct pod_header *header = (const void *)base;
	/* Acquire: [header.magic], as in pod_header_verify(), which checks all of it again. */
	uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);
	uint64_t region_bytes = header->region_bytes;
	if (magic == POD_MAGIC && region_bytes >= 2 * (uint64_t)HUGE_PAGE_BYTES && region_bytes <= *bytes &&
	        region_bytes % HUGE_PAGE_BYTES == 0)
		*bytes = region_bytes;
	region_unmap(base, HUGE_PAGE_BYTES);
	return LG_OK;
}

/* ---- What is on it ---- */

void dax_flush(uint8_t *base, uint64_t bytes)
{
	struct cxl_port port;
	port_init(&port, base, NULL);
	for (pod_off at = 0; at < bytes; at += LINE_BYTES)
		port_flush(&port, at);
	port_full_fence(&port);
}

static int refuse_claim(const struct region_place *place, uint64_t magic, struct lg_error *err)
{
	if (magic == POD_MAGIC)
		return error_set(err, LG_EXISTS,
		        "cannot create %s: the device holds a pod; remove it with `liger pod destroy`, or choose "
		        "another device",
		        place->uri);
	if (magic == POD_MAGIC_UNFINISHED)
		return error_set(err, LG_EXISTS,
		        "cannot create %s: a pod is being made or removed on the device, or that was not finished; if "
		        "no machine is at it, remove it with `liger pod destroy --force`",
		        place->uri);
	return error_set(err, LG_EXISTS,
	        "cannot create %s: the device holds something else: its first page is not zero, nor a pod's. If nobody "
	        "needs what is on it, zero that page: python3 -c \"import mmap,os; "
	        "mmap.mmap(os.open('%s',os.O_RDWR),2<<20)[:4096]=bytes(4096)\"",
	        place->uri, place->name);
}

int dax_claim(const struct region_place *place, uint8_t *base, struct lg_error *err)
{
	static const uint8_t zeros[FIRST_PAGE_BYTES];
	struct pod_header *header = (void *)base;
	uint64_t seen = 0;
	/* Relaxed: the swap below decides. */
	uint64_t magic = atomic_load_explicit(&header->magic, memory_order_relaxed);
	size_t behind = sizeof header->magic;
	if (magic || racy_compare(base + behind, zeros, sizeof zeros - behind) != 0)
		return refuse_claim(place, magic, err);
	/* [dax.claim] Acquire; pairs with dax_clear(): what it wrote comes before what is written now. Relaxed on failure:
	 * another host was faster, nothing of it is read. */
	if (!atomic_compare_exchange_strong_explicit(
	            &header->magic, &seen, POD_MAGIC_UNFINISHED, memory_order_acquire, memory_order_relaxed))
		return refuse_claim(place, seen, err);
	dax_flush(base, LINE_BYTES); /* the mark outlives a loss of this machine */
	return LG_OK;
}

void dax_zero(uint8_t *base, uint64_t bytes)
{
	memset(base + sizeof(uint64_t), 0, LINE_BYTES - sizeof(uint64_t));
	dax_flush(base, LINE_BYTES);
	/* Past the caches: they hold nothing of it afterwards, and memory has it all after the fence. */
	__m128i zero = _mm_setzero_si128();
	for (uint64_t at = LINE_BYTES; at < bytes; at += sizeof zero)
		_mm_stream_si128((__m128i *)(void *)(base + at), zero);
	_mm_sfence();
}

void dax_clear(uint8_t *base)
{
	struct pod_header *header = (void *)base;
	memset(base + sizeof header->magic, 0, FIRST_PAGE_BYTES - sizeof header->magic);
	dax_flush(base, FIRST_PAGE_BYTES);
	/* [dax.claim] Release; pairs with dax_claim(). Orders: the zeros before the device is free. */
	atomic_store_explicit(&header->magic, 0, memory_order_release);
	dax_flush(base, LINE_BYTES);
}
