/* region_create.c: making a region and removing one. In a file, as here; on a device, which is neither made nor removed,
 * as the head of region_dax.c says.
 *
 * Create                                      A crash after it leaves
 *   1. make the file exclusively, lock it     an empty file: no pod, removed by hand
 *   2. size it, mark it as unfinished         an unfinished pod: refused by attach, removed by destroy
 *   3. reserve all of its space               the same
 *   4. write words and header, write back     the same
 *   5. [header.magic] store the magic         a pod
 *
 * Destroy
 *   1. lock the file, look whether it is a pod and has no living member
 *   2. [pod.unmake] mark it as unfinished, look at the members again        an unfinished pod
 *   3. remove the name                                                       nothing
 *
 * Words are written through a port, under the emulation that was asked for, and written back before anybody is told of
 * them: in the incoherent mode whoever creates or destroys loses its cache at the end. Past the port go what the file
 * system does (size, zeros), the first mark, which is set while the rest of the space is being had, and the look at a
 * header before its geometry is known, as in every attach.
 */
#include "cxl/region_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cxl/emulation.h"
#include "cxl/mutant.h"
#include "cxl/pod.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* What the file system says is left; UINT64_MAX when it does not say (hugetlbfs, a tmpfs without a limit). */
static uint64_t free_bytes_of(int fd)
{
	struct statvfs fs;
	if (fstatvfs(fd, &fs) || fs.f_blocks == 0)
		return UINT64_MAX;
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

static int refuse_space(const struct region_place *place, int fd, uint64_t bytes, struct lg_error *err)
{
	const char *uri = place->uri;
	uint64_t free_bytes = free_bytes_of(fd);
	if (free_bytes == UINT64_MAX)
		return error_set(err, LG_NOSPACE,
		        "cannot create %s: no room for its %" PRIu64
		        " MiB; choose smaller parts, or give it more (for huge pages: /proc/sys/vm/nr_hugepages)",
		        uri, bytes >> 20);
	return error_set(err, LG_NOSPACE,
	        "cannot create %s: no room for its %" PRIu64 " MiB, the file system has %" PRIu64
	        " MiB left; choose smaller parts, or enlarge it (for shm: mount -o remount,size=... /dev/shm)",
	        uri, bytes >> 20, free_bytes >> 20);
}

/* Gets memory for [from, to) now: later, a full file system would be a SIGBUS in the middle of a transaction. */
static int reserve(const struct region_place *place, int fd, uint8_t *base, uint64_t from, uint64_t to, bool populate,
        struct lg_error *err)
{
	if (populate) {
		if (!madvise(base + from, to - from, MADV_POPULATE_WRITE))
			return LG_OK;
		if (errno == EFAULT || errno == ENOMEM) /* what would have been SIGBUS */
			return refuse_space(place, fd, to, err);
		/* Kernels before 5.14 say EINVAL: the other way is left. */
	}
	int failed;
	do
		failed = posix_fallocate(fd, (off_t)from, (off_t)(to - from));
	while (failed == EINTR);
	errno = failed;
	if (failed == ENOSPC || failed == EFBIG || failed == ENOMEM)
		return refuse_space(place, fd, to, err);
	if (failed)
		return error_set(
		        err, LG_SYSTEM, "cannot create %s: posix_fallocate of %" PRIu64 " bytes: %m", place->uri, to);
	return LG_OK;
}

/* All of it. If the first part came as a huge page the rest is faulted in the same way, so that it comes so too; else
 * fallocate() gets small pages several times faster (0.3 s a GiB on the machine it was measured on). With a node the
 * pages are faulted in too, through the mapping that was bound to it. */
static int reserve_all(const struct region_place *place, int fd, uint8_t *base, uint64_t bytes, struct lg_error *err)
{
	int code = reserve(place, fd, base, 0, HUGE_PAGE_BYTES, true, err);
	if (code)
		return code;
	struct pod_header *header = (void *)base;
	atomic_store_explicit(
	        &header->magic, POD_MAGIC_UNFINISHED, memory_order_relaxed); /* relaxed: nobody relies on it */
	bool populate = place->node != NO_NODE || region_page_bytes(base) == HUGE_PAGE_BYTES;
	return reserve(place, fd, base, HUGE_PAGE_BYTES, bytes, populate, err);
}

/* [0, bytes) is in memory, whatever becomes of this machine's caches: before a mark that says so, and after it. */
static void write_back(struct cxl_port *port, uint64_t bytes)
{
	for (pod_off at = 0; at < bytes && !MUTANT(WRITE_BACK_POD); at += LINE_BYTES)
		port_flush(port, at);
	if (!MUTANT(FENCE_POD))
		port_full_fence(port);
}

/* All of the header but the magic, by words. */
static void write_header(struct cxl_port *port, const struct pod_geometry *g)
{
	struct pod_header header;
	uint64_t words[sizeof header / 8];
	memset(&header, 0, sizeof header);
	pod_header_fill(&header, g);
	memcpy(words, &header, sizeof words);
	for (size_t i = 1; i < sizeof words / 8; i++)
		port_word_store(port, i * 8, words[i], memory_order_relaxed);
}

/* The region is all zeros but for its magic, and nobody uses it: plain order is enough until the magic. */
static int write_pod(struct cxl_port *port, const struct region_birth *birth, struct lg_error *err)
{
	const struct pod_geometry *g = port->geometry;
	port_word_store(port, POD_CLOCK_OFFSET + offsetof(struct pod_clock, epoch), 1, memory_order_relaxed);
	for (unsigned host = 0; host < LG_MAX_HOSTS; host++) {
		pod_off member = POD_MEMBERS_OFFSET + host * sizeof(struct pod_member);
		port_word_store(
		        port, member + offsetof(struct pod_member, oldest_epoch), UINT64_MAX, memory_order_relaxed);
		port_word_store(port, member + offsetof(struct pod_member, log_epoch), LOG_EPOCH_UNCOUNTED,
		        memory_order_relaxed);
	}
	for (uint32_t p = 0; p < g->partition_count; p++)
		partition_place(port, p, p % g->host_count);
	int code = birth ? birth->fill(port, birth->argument, err) : LG_OK;
	if (code != LG_OK)
		return code;
	write_header(port, g);
	write_back(port, g->words_offset); /* it is there for good before the magic is */
	/* [header.magic] Release; pairs with pod_header_verify(): everything above is there before it. */
	port_word_store(port, offsetof(struct pod_header, magic), POD_MAGIC, memory_order_release);
	write_back(port, LINE_BYTES);
	return LG_OK;
}

/* Of a region that was mapped: by whoever creates or destroys it, under the emulation that it was told. */
struct admin {
	struct region region;
	struct pod_emulation emulation;
	struct cxl_port port;
};

static int admin_begin(struct admin *admin, const struct region_place *place, uint8_t *base,
        const struct pod_geometry *geometry, struct lg_error *err)
{
	*admin = (struct admin){.region = {.base = base, .bytes = geometry->region_bytes, .geometry = *geometry}};
	memcpy(admin->region.uri, place->uri, strlen(place->uri) + 1); /* it fits: region_place_of() */
	int code =
	        emulation_begin(&admin->emulation, &admin->region, emulation_mode(place->emulate), EMU_OBSERVER, err);
	if (code)
		return code;
	port_init(&admin->port, admin->region.base, &admin->region.geometry);
	port_emulate(&admin->port, admin->emulation.pod);
	return LG_OK;
}

/* It ends with its process: what it forgot to write back is nowhere. */
static void admin_end(struct admin *admin)
{
	emulation_end_lossy(&admin->emulation, &admin->region);
}

static int make_pod(const struct region_place *place, uint8_t *base, const struct pod_geometry *geometry,
        const struct region_birth *birth, struct lg_error *err)
{
	struct admin admin;
	int code = admin_begin(&admin, place, base, geometry, err);
	if (code)
		return code;
	code = write_pod(&admin.port, birth, err);
	admin_end(&admin);
	return code;
}

static int choose_cookie(uint64_t *cookie, struct lg_error *err)
{
	do {
		if (getrandom(cookie, sizeof *cookie, 0) != sizeof *cookie)
			return error_set(err, LG_SYSTEM, "cannot choose a cookie for the pod: getrandom: %m");
	} while (*cookie == 0);
	return LG_OK;
}

/* Makes the pod in a file that was just made. */
static int create_in(const struct region_place *place, int fd, const struct pod_geometry *geometry,
        const struct region_birth *birth, struct lg_error *err)
{
	const char *uri = place->uri;
	uint64_t bytes = geometry->region_bytes;
	uint8_t *base;
	if (flock(fd, LOCK_EX))
		return error_set(err, LG_SYSTEM, "cannot lock %s: flock: %m", uri);
	if (fchmod(fd, S_IRUSR | S_IWUSR)) /* the umask may have taken from it, a default ACL have added to it */
		return error_set(err, LG_SYSTEM, "cannot make %s its owner's alone: fchmod: %m", uri);
	if (ftruncate(fd, (off_t)bytes)) {
		if (errno == ENOSPC || errno == EFBIG)
			return refuse_space(place, fd, bytes, err);
		return error_set(err, LG_SYSTEM, "cannot size %s to %" PRIu64 " bytes: ftruncate: %m", uri, bytes);
	}
	if (free_bytes_of(fd) < bytes)
		return refuse_space(place, fd, bytes, err); /* at once, not after filling it */
	int code = region_node_room(place, fd, bytes, err);
	if (!code)
		code = region_map(uri, fd, bytes, PROT_READ | PROT_WRITE, &base, err);
	if (code)
		return code;
	code = region_node_bind(place, base, bytes, err);
	if (!code)
		code = reserve_all(place, fd, base, bytes, err);
	if (!code)
		code = region_node_verify(place, base, bytes, LG_SYSTEM, err);
	if (!code)
		code = make_pod(place, base, geometry, birth, err);
	region_unmap(base, bytes);
	return code;
}

static int create_in_file(const struct region_place *place, const struct pod_geometry *geometry,
        const struct region_birth *birth, struct lg_error *err)
{
	int fd = place->backend->open(place->name, O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0 && errno == EEXIST)
		return error_set(err, LG_EXISTS,
		        "cannot create %s: it exists already; remove it with `liger pod destroy`, or choose another "
		        "name",
		        place->uri);
	if (fd < 0)
		return error_set(err, LG_SYSTEM, "cannot create %s: %m", place->uri);
	int code = create_in(place, fd, geometry, birth, err);
	if (code)
		(void)place->backend->remove(place->name); /* we made it; the first error is the one to tell */
	(void)close(fd);                                   /* written through the mapping only */
	return code;
}

/* Locks what others may be creating or destroying. */
static int lock_now(const char *verb, const struct region_place *place, int fd, struct lg_error *err)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return LG_OK;
	if (errno == EWOULDBLOCK)
		return error_set(err, LG_INUSE, "cannot %s %s: another process is creating or destroying it right now",
		        verb, place->uri);
	return error_set(err, LG_SYSTEM, "cannot lock %s: flock: %m", place->uri);
}

static int create_on_device(const struct region_place *place, const struct pod_geometry *geometry,
        const struct region_birth *birth, struct lg_error *err)
{
	uint64_t device_bytes, bytes = geometry->region_bytes;
	uint8_t *base;
	int fd;
	int code = region_open_file(place, O_RDWR, &fd, &device_bytes, err);
	if (code)
		return code;
	if (bytes > device_bytes)
		code = error_set(err, LG_NOSPACE,
		        "cannot create %s: the parts need %" PRIu64 " MiB (%" PRIu64 " hardware-coherent, %" PRIu64
		        " software-coherent), the device has %" PRIu64 " MiB; choose smaller parts",
		        place->uri, bytes >> 20, geometry->hwcc_bytes >> 20, geometry->swcc_bytes >> 20,
		        device_bytes >> 20);
	if (!code)
		code = lock_now("create", place, fd, err);
	if (!code)
		code = region_map(place->uri, fd, bytes, PROT_READ | PROT_WRITE, &base, err);
	if (!code) {
		code = dax_claim(place, base, err);
		if (!code) {
			dax_zero(base, bytes);
			code = make_pod(place, base, geometry, birth, err);
		}
		region_unmap(base, bytes);
	}
	(void)close(fd); /* written through the mapping only */
	return code;
}

int region_create_at(const struct region_place *place, const struct lg_pod_config *config,
        const struct region_birth *birth, struct lg_error *err)
{
	struct pod_geometry geometry;
	int code = emulation_check(place->uri, emulation_mode(place->emulate), err);
	if (!code)
		code = region_node_check(place, err);
	if (!code)
		code = pod_geometry_compute(config, &geometry, err);
	if (!code && birth) {
		geometry.cookie = birth->cookie;
		geometry.life = birth->life;
	} else if (!code)
		code = choose_cookie(&geometry.cookie, err);
	if (code)
		return code;
	return place->backend->is_device ? create_on_device(place, &geometry, birth, err)
	                                 : create_in_file(place, &geometry, birth, err);
}

int region_create(
        const char *uri, const struct lg_pod_config *config, const struct region_birth *birth, struct lg_error *err)
{
	struct region_place place;
	int code = region_place_of(uri, &place, err);
	if (code)
		return code;
	place.emulate = config->emulate;
	return region_create_at(&place, config, birth, err);
}

/* On a device a member may be a process of another machine, of which nobody here can tell whether it is alive. */
static int refuse_member_of_device(
        const struct region_place *place, const struct cxl_port *port, unsigned host, struct lg_error *err)
{
	enum lg_member_state state = member_state(port, host, NULL);
	if (state == LG_MEMBER_FREE || state == LG_MEMBER_LEFT)
		return LG_OK;
	return error_set(err, LG_INUSE,
	        "cannot destroy %s: host %u is a member, as process %d of this machine or another one; end it first, "
	        "or "
	        "if it has died use force: a living one would write into the next pod on the device",
	        place->uri, host, member_pid(port, host));
}

static int refuse_members(const struct region_place *place, const struct cxl_port *port, struct lg_error *err)
{
	for (unsigned host = 0; host < port->geometry->host_count; host++) {
		int code = place->backend->is_device ? refuse_member_of_device(place, port, host, err) : LG_OK;
		if (code)
			return code;
		if (member_alive(port, host))
			return error_set(err, LG_INUSE,
			        "cannot destroy %s: host %u is a member and its process %d is alive; end it first, or "
			        "use "
			        "force",
			        place->uri, host, member_pid(port, host));
	}
	return LG_OK;
}

/* A pod whose parts are known: by the port. */
static int mark_unmade(const struct region_place *place, struct cxl_port *port, bool force, struct lg_error *err)
{
	int code = force ? LG_OK : refuse_members(place, port, err);
	if (code)
		return code;
	/* [pod.unmake] seq_cst; pairs with member_join(): who becomes a member from now on sees that it is no pod, and
	 * who was one before is seen here. */
	port_word_store(port, offsetof(struct pod_header, magic), POD_MAGIC_UNFINISHED, memory_order_seq_cst);
	code = force ? LG_OK : refuse_members(place, port, err);
	if (code)
		/* Release: [header.magic], a pod as before. Who tried to join meanwhile was refused, which was true. */
		port_word_store(port, offsetof(struct pod_header, magic), POD_MAGIC, memory_order_release);
	write_back(port, LINE_BYTES);
	return code;
}

/* An emulation that was asked for in so many words, on a region of which nobody knows what is where. */
static int refuse_unknown_parts(const struct region_place *place, struct lg_error *err)
{
	struct emu_spec spec;
	char message[EMU_MESSAGE_BYTES];
	if (!place->emulate || !emu_spec_parse(place->emulate, &spec, message) || spec.mode == EMU_DIRECT)
		return LG_OK;
	return error_set(err, LG_INVALID,
	        "cannot destroy %s under emulation: its creation or destruction was not finished, or its header is "
	        "damaged, so that nobody knows which part of it is coherent; destroy it without emulation",
	        place->uri);
}

/* Marks the region as unfinished, if it is a pod and free. */
static int unmake(const struct region_place *place, uint8_t *base, uint64_t bytes, bool force, struct lg_error *err)
{
	const char *uri = place->uri;
	struct pod_header *header = (void *)base;
	struct pod_geometry geometry;
	struct admin admin;
	/* Acquire: [header.magic], as in pod_header_verify(). */
	uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);
	if (magic == POD_MAGIC_UNFINISHED && place->backend->is_device && !force)
		return error_set(err, LG_INUSE,
		        "cannot destroy %s: its creation or destruction was not finished, or goes on on another "
		        "machine; if it does not, use force",
		        uri);
	if (magic == POD_MAGIC_UNFINISHED) /* its creator or destroyer has died: we hold the lock */
		return refuse_unknown_parts(place, err);
	int code = pod_header_verify(uri, header, bytes, 0, &geometry, err);
	if (code && magic == POD_MAGIC && force) { /* of another version, or damaged: its members are unknown */
		code = refuse_unknown_parts(place, err);
		if (!code)
			/* seq_cst: [pod.unmake], as in mark_unmade() */
			atomic_store_explicit(&header->magic, POD_MAGIC_UNFINISHED, memory_order_seq_cst);
		return code;
	}
	if (!code)
		code = admin_begin(&admin, place, base, &geometry, err);
	if (code)
		return code;
	code = mark_unmade(place, &admin.port, force, err);
	admin_end(&admin);
	return code;
}

int region_destroy_at(const struct region_place *place, bool force, struct lg_error *err)
{
	uint64_t bytes;
	uint8_t *base;
	int fd;
	int code = emulation_check(place->uri, emulation_mode(place->emulate), err);
	if (!code)
		code = region_open_file(place, O_RDWR, &fd, &bytes, err);
	if (code)
		return code;
	code = lock_now("destroy", place, fd, err);
	if (!code && place->backend->is_device)
		code = dax_pod_bytes(place, fd, &bytes, err);
	if (!code)
		code = region_map(place->uri, fd, bytes, PROT_READ | PROT_WRITE, &base, err);
	if (code)
		goto out;
	code = unmake(place, base, bytes, force, err);
	/* What its hosts have shared beside the region, if they ran under emulation, goes with it. */
	if (!code)
		emu_pod_forget(((const struct pod_header *)(const void *)base)->cookie);
	if (!code && place->backend->is_device)
		dax_clear(base);
	region_unmap(base, bytes);
	if (!code && place->backend->remove && place->backend->remove(place->name) && errno != ENOENT)
		code = error_set(err, LG_SYSTEM, "cannot remove %s: %m", place->uri);
out:
	(void)close(fd);
	return code;
}

int region_destroy(const char *uri, const char *emulate, bool force, struct lg_error *err)
{
	struct region_place place;
	int code = region_place_of(uri, &place, err);
	if (code)
		return code;
	place.emulate = emulate;
	return region_destroy_at(&place, force, err);
}
