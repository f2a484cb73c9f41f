/* shared.c: finding or making what the hosts of a pod share of its emulation, and who of them is there.
 *
 * Everything here happens under a lock of the file (flock), which a process that dies lets go: so the head is whole, or
 * its bytes are still zero and the next one fills it; and a host is entered before another can take what is shared for
 * left behind. What other hosts left is used on if it is for the same region, mode and profile. If it is not, and none
 * of its hosts lives, it is made anew. Memory that the caller gives (emu_config.shared) has a lock of the process
 * instead.
 */
#include "emulation/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "emulation/private.h"

enum { NAME_BYTES = 64 };

static void shared_name(uint64_t cookie, char name[NAME_BYTES])
{
	int written = snprintf(name, NAME_BYTES, "/liger-emulation-%016" PRIx64, cookie);
	assert(written > 0 && written < NAME_BYTES);
}

/* ---- Who is there ---- */

bool emu_process_gone(uint64_t pid)
{
	return pid == 0 || (kill((pid_t)pid, 0) != 0 && errno == ESRCH);
}

static bool any_host_lives(const struct emu_shared *shared)
{
	for (unsigned i = 0; i < EMU_SLOTS; i++)
		if (!emu_process_gone(atomic_load(&shared->host_pid[i])))
			return true;
	return false;
}

/* Takes the host's id. Where a process lives under it, the id is not ours, and whoever opens us will find out. */
static void enter_host(struct emu_pod *pod)
{
	_Atomic uint64_t *pid = &pod->shared->host_pid[pod->config.host];
	uint64_t seen = atomic_load(pid);
	if (!emu_process_gone(seen))
		return;
	/* First, so that nobody takes what the dead one has locked for ours. */
	if (seen != 0)
		atomic_fetch_add(&pod->shared->life[pod->config.host], 1);
	pod->registered = atomic_compare_exchange_strong(pid, &seen, (uint64_t)getpid());
	pod->after_dead = pod->registered && seen != 0;
}

/* ---- What is there ---- */

/* What another one made there: ours to use; left by the dead, so ours to replace; or in use for something else. */
enum found { FOUND_OURS, FOUND_DEAD, FOUND_OTHER, FOUND_FAILED };

static enum found judge(const struct emu_shared *head, const struct emu_pod *pod)
{
	uint64_t magic = atomic_load(&head->magic);
	if (magic == 0) /* nobody has filled it */
		return FOUND_OURS;
	if (magic == EMU_SHARED_MAGIC && head->cookie == pod->config.cookie && head->identity == pod->identity &&
	        head->region_bytes == pod->config.bytes && head->coherent_bytes == pod->config.coherent_bytes)
		return FOUND_OURS;
	return any_host_lives(head) ? FOUND_OTHER : FOUND_DEAD;
}

static enum found look(int fd, uint64_t file_bytes, const struct emu_pod *pod)
{
	if (file_bytes == 0)
		return FOUND_OURS;
	if (file_bytes < sizeof(struct emu_shared))
		return FOUND_DEAD;
	struct emu_shared *head = mmap(NULL, sizeof *head, PROT_READ, MAP_SHARED, fd, 0);
	if (head == MAP_FAILED)
		return FOUND_FAILED;
	enum found found = judge(head, pod);
	if (found == FOUND_OURS && file_bytes != pod->shared_bytes)
		found = any_host_lives(head) ? FOUND_OTHER : FOUND_DEAD;
	int failed = munmap(head, sizeof *head);
	assert(!failed);
	return found;
}

static enum emu_failure refuse_other(char message[EMU_MESSAGE_BYTES])
{
	snprintf(message, EMU_MESSAGE_BYTES,
	        "another host of this pod runs in another emulation mode or profile; all hosts need the same");
	return EMU_OTHER_MODE;
}

static void fill(struct emu_shared *shared, const struct emu_pod *pod)
{
	if (atomic_load(&shared->magic) == EMU_SHARED_MAGIC)
		return;
	shared->cookie = pod->config.cookie;
	shared->identity = pod->identity;
	shared->region_bytes = pod->config.bytes;
	shared->coherent_bytes = pod->config.coherent_bytes;
	atomic_store(&shared->magic, EMU_SHARED_MAGIC);
}

/* The first slot that no living observer has. Nobody else enters meanwhile: begin() is called under a lock. */
static void enter_observer(struct emu_pod *pod)
{
	for (unsigned slot = EMU_OBSERVER; slot < EMU_SLOTS && !pod->registered; slot++) {
		pod->config.host = slot;
		enter_host(pod);
	}
}

static enum emu_failure refuse_observer(char message[EMU_MESSAGE_BYTES])
{
	snprintf(message, EMU_MESSAGE_BYTES,
	        "%d others are already looking at this pod under emulation, which is as many as may; try again",
	        EMU_MAX_OBSERVERS);
	return EMU_SYSTEM;
}

static enum emu_failure begin(struct emu_pod *pod, struct emu_shared *shared, char message[EMU_MESSAGE_BYTES])
{
	/* A wish: lines of state are as far apart as lines of the region, and looked up as often. */
	(void)madvise(shared, pod->shared_bytes, MADV_HUGEPAGE);
	fill(shared, pod);
	pod->shared = shared;
	if (pod->config.host != EMU_OBSERVER) {
		enter_host(pod);
		return EMU_NONE;
	}
	enter_observer(pod);
	return pod->registered ? EMU_NONE : refuse_observer(message);
}

/* ---- The object ---- */

/* Sparse: what is free is looked at, and not taken. Without it a host would end by SIGBUS, at some later access. */
static enum emu_failure size_object(int fd, const char *name, uint64_t bytes, char message[EMU_MESSAGE_BYTES])
{
	struct statvfs fs;
	if (fstatvfs(fd, &fs) != 0) {
		snprintf(message, EMU_MESSAGE_BYTES, "cannot find out what is free for /dev/shm%s: %s", name,
		        strerror(errno));
		return EMU_SYSTEM;
	}
	uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* A file system without a limit tells of no blocks at all. */
	if (fs.f_blocks != 0 && free_bytes < bytes) {
		snprintf(message, EMU_MESSAGE_BYTES,
		        "the emulation's state may come to take up to %" PRIu64 " bytes of /dev/shm, and %" PRIu64
		        " are free there; remove what it is full of, enlarge it (mount -o remount,size=...), or take a "
		        "smaller region",
		        bytes, free_bytes);
		return EMU_SYSTEM;
	}
	if (ftruncate(fd, (off_t)bytes) == 0)
		return EMU_NONE;
	snprintf(message, EMU_MESSAGE_BYTES, "cannot make the emulation's state, %" PRIu64 " bytes in /dev/shm%s: %s",
	        bytes, name, strerror(errno));
	return EMU_SYSTEM;
}

static enum emu_failure map_object(struct emu_pod *pod, int fd, const char *name, char message[EMU_MESSAGE_BYTES])
{
	struct emu_shared *shared = mmap(NULL, pod->shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED) {
		snprintf(message, EMU_MESSAGE_BYTES,
		        "cannot map the emulation's state, %" PRIu64 " bytes in /dev/shm%s: %s", pod->shared_bytes,
		        name, strerror(errno));
		return EMU_SYSTEM;
	}
	return begin(pod, shared, message);
}

/* With the file locked. EMU_NONE and no pod->shared: somebody removed the file, or the dead left it; once more from the
 * start. */
static enum emu_failure join_locked(struct emu_pod *pod, int fd, const char *name, char message[EMU_MESSAGE_BYTES])
{
	struct stat st;
	enum emu_failure failure = EMU_NONE;
	if (flock(fd, LOCK_EX) != 0 || fstat(fd, &st) != 0) {
		snprintf(message, EMU_MESSAGE_BYTES, "cannot lock /dev/shm%s: %s", name, strerror(errno));
		return EMU_SYSTEM;
	}
	if (st.st_nlink == 0)
		return EMU_NONE;
	switch (look(fd, (uint64_t)st.st_size, pod)) {
	case FOUND_OURS: break;
	case FOUND_OTHER: return refuse_other(message);
	case FOUND_DEAD:
		if (shm_unlink(name) == 0 || errno == ENOENT)
			return EMU_NONE;
		snprintf(message, EMU_MESSAGE_BYTES, "cannot replace /dev/shm%s, which an earlier run left: %s", name,
		        strerror(errno));
		return EMU_SYSTEM;
	case FOUND_FAILED:
		snprintf(message, EMU_MESSAGE_BYTES, "cannot look at /dev/shm%s: mmap: %s", name, strerror(errno));
		return EMU_SYSTEM;
	}
	if (st.st_size == 0)
		failure = size_object(fd, name, pod->shared_bytes, message);
	if (failure == EMU_NONE)
		failure = map_object(pod, fd, name, message);
	/* Nobody uses what was just made; who waits for the lock sees that it is gone. */
	if (failure != EMU_NONE && st.st_size == 0)
		(void)shm_unlink(name);
	return failure;
}

static enum emu_failure join_object(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES])
{
	char name[NAME_BYTES];
	enum emu_failure failure = EMU_NONE;
	shared_name(pod->config.cookie, name);
	while (failure == EMU_NONE && !pod->shared) {
		int fd = shm_open(name, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
		if (fd < 0) {
			snprintf(message, EMU_MESSAGE_BYTES, "cannot open /dev/shm%s for the emulation's state: %s",
			        name, strerror(errno));
			return EMU_SYSTEM;
		}
		failure = join_locked(pod, fd, name, message);
		/* Not by close() alone: a mapping keeps the open file, and the lock with it. Neither has anything to
		 * lose. */
		(void)flock(fd, LOCK_UN);
		(void)close(fd);
	}
	return failure;
}

/* ---- The caller's memory ---- */

static enum emu_failure join_given(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES])
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct emu_shared *shared = pod->config.shared;
	assert((uintptr_t)shared % alignof(struct emu_shared) == 0);
	int failed = pthread_mutex_lock(&lock);
	assert(!failed);
	enum found found = judge(shared, pod);
	/* A profile's file that changed when no host was open. */
	if (found == FOUND_DEAD)
		memset((void *)shared, 0, pod->shared_bytes);
	enum emu_failure failure = found == FOUND_OTHER ? refuse_other(message) : begin(pod, shared, message);
	failed = pthread_mutex_unlock(&lock);
	assert(!failed);
	return failure;
}

/* ---- Joining and leaving ---- */

enum emu_failure emu_shared_join(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES])
{
	pod->shared_bytes = emu_shared_bytes(pod->config.bytes, pod->config.coherent_bytes);
	return pod->config.shared ? join_given(pod, message) : join_object(pod, message);
}

void emu_shared_leave(struct emu_pod *pod)
{
	if (pod->registered)
		atomic_store(&pod->shared->host_pid[pod->config.host], 0);
	int failed = pod->config.shared ? 0 : munmap(pod->shared, pod->shared_bytes);
	assert(!failed);
	pod->shared = NULL;
}

void emu_shared_remove(uint64_t cookie)
{
	char name[NAME_BYTES];
	shared_name(cookie, name);
	/* Not there: nobody emulated. Any other failure leaves a file that the next run looks at and replaces. */
	(void)shm_unlink(name);
}
