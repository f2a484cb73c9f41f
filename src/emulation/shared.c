/* shared.c: finding or making what the hosts of a pod share of its emulation.
 *
 * Everything here happens under a lock of the file (flock), which a process that dies lets go: so the head is whole, or its
 * bytes are still zero and the next one fills it. A part that other hosts left behind is used on if it is for the same
 * region, mode and profile. If it is not, and none of its hosts lives, it is made anew.
 */
#include "emulation/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 64 };

static void shared_name(uint64_t cookie, char name[NAME_BYTES])
{
	int written = snprintf(name, NAME_BYTES, "/liger-emulation-%016" PRIx64, cookie);
	assert(written > 0 && written < NAME_BYTES);
}

static bool any_host_lives(const struct emu_shared *shared)
{
	for (unsigned i = 0; i < EMU_MAX_HOSTS; i++) {
		uint64_t pid = atomic_load(&shared->host_pid[i]);
		if (pid != 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH))
			return true;
	}
	return false;
}

/* What another one made there: ours to use; left by the dead, so ours to replace; or in use for something else. */
enum found { FOUND_OURS, FOUND_DEAD, FOUND_OTHER, FOUND_FAILED };

static enum found look(int fd, uint64_t file_bytes, const struct emu_config *config, uint64_t identity, uint64_t bytes)
{
	if (file_bytes < sizeof(struct emu_shared))
		return FOUND_DEAD;
	struct emu_shared *head = mmap(NULL, sizeof *head, PROT_READ, MAP_SHARED, fd, 0);
	if (head == MAP_FAILED)
		return FOUND_FAILED;
	enum found found = FOUND_OTHER;
	if (atomic_load(&head->magic) == 0 && file_bytes == bytes) /* nobody has filled it */
		found = FOUND_OURS;
	else if (file_bytes == bytes && atomic_load(&head->magic) == EMU_SHARED_MAGIC &&
	         head->cookie == config->cookie && head->identity == identity && head->region_bytes == config->bytes &&
	         head->coherent_bytes == config->coherent_bytes)
		found = FOUND_OURS;
	else if (!any_host_lives(head))
		found = FOUND_DEAD;
	int failed = munmap(head, sizeof *head);
	assert(!failed);
	return found;
}

static void fill(struct emu_shared *shared, const struct emu_config *config, uint64_t identity)
{
	if (atomic_load(&shared->magic) == EMU_SHARED_MAGIC)
		return;
	shared->cookie = config->cookie;
	shared->identity = identity;
	shared->region_bytes = config->bytes;
	shared->coherent_bytes = config->coherent_bytes;
	atomic_store(&shared->magic, EMU_SHARED_MAGIC);
}

/* With the file locked. NULL without a message: somebody removed the file, or the dead left it; once more from the start. */
static struct emu_shared *map_locked(int fd, const char *name, const struct emu_config *config, uint64_t identity,
        uint64_t bytes, char message[EMU_MESSAGE_BYTES])
{
	struct stat st;
	if (flock(fd, LOCK_EX) != 0 || fstat(fd, &st) != 0) {
		snprintf(message, EMU_MESSAGE_BYTES, "cannot lock /dev/shm%s: %s", name, strerror(errno));
		return NULL;
	}
	if (st.st_nlink == 0)
		return NULL;
	enum found found = st.st_size ? look(fd, (uint64_t)st.st_size, config, identity, bytes) : FOUND_OURS;
	if (found == FOUND_DEAD) {
		if (shm_unlink(name) != 0 && errno != ENOENT)
			snprintf(message, EMU_MESSAGE_BYTES, "cannot replace /dev/shm%s, which an earlier run left: %s",
			        name, strerror(errno));
		return NULL;
	}
	if (found == FOUND_OTHER) {
		snprintf(message, EMU_MESSAGE_BYTES,
		        "another host of this pod runs in another emulation mode or profile; all hosts need the same");
		return NULL;
	}
	struct emu_shared *shared = MAP_FAILED;
	if (found == FOUND_OURS && (st.st_size || ftruncate(fd, (off_t)bytes) == 0))
		shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED) {
		snprintf(message, EMU_MESSAGE_BYTES,
		        "cannot map the emulation's state, %" PRIu64 " bytes in /dev/shm%s: %s", bytes, name,
		        strerror(errno));
		return NULL;
	}
	/* A wish: lines of state are as far apart as lines of the region, and looked up as often. */
	(void)madvise(shared, bytes, MADV_HUGEPAGE);
	fill(shared, config, identity);
	return shared;
}

struct emu_shared *emu_shared_map(
        const struct emu_config *config, uint64_t identity, uint64_t *bytes, char message[EMU_MESSAGE_BYTES])
{
	char name[NAME_BYTES];
	struct emu_shared *shared = NULL;
	shared_name(config->cookie, name);
	*bytes = emu_shared_bytes(config->bytes, config->coherent_bytes);
	message[0] = '\0';
	while (!shared && !message[0]) {
		int fd = shm_open(name, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
		if (fd < 0) {
			snprintf(message, EMU_MESSAGE_BYTES, "cannot open /dev/shm%s for the emulation's state: %s",
			        name, strerror(errno));
			break;
		}
		shared = map_locked(fd, name, config, identity, *bytes, message);
		/* Not by close() alone: a mapping keeps the open file, and the lock with it. Neither has anything to lose. */
		(void)flock(fd, LOCK_UN);
		(void)close(fd);
	}
	return shared;
}

void emu_shared_unmap(struct emu_shared *shared, uint64_t bytes)
{
	int failed = munmap(shared, bytes);
	assert(!failed);
}

void emu_shared_remove(uint64_t cookie)
{
	char name[NAME_BYTES];
	shared_name(cookie, name);
	/* Not there: nobody emulated. Any other failure leaves a file that the next run looks at and replaces. */
	(void)shm_unlink(name);
}
