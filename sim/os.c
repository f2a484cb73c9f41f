/* os.c: see os.h. */
#include "os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cxl/process.h"
#include "trace.h"
#include "world.h"

/* ---- Time ---------------------------------------------------------------------------------------------------------- */

static bool is_thread_of_engine(void)
{
	return world.running && (strstr(world.running->name, ".svc") || strstr(world.running->name, ".keep"));
}

int sim_nanosleep(const struct timespec *wanted, struct timespec *left)
{
	uint64_t ns = (uint64_t)wanted->tv_sec * 1000000000u + (uint64_t)wanted->tv_nsec;
	(void)left;
	/* The engine's own threads sleep between their rounds, and hold nothing then. */
	if (is_thread_of_engine())
		world_idle_nap(ns);
	else
		world_nap(ns);
	return 0;
}

int sim_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	world_point();
	uint64_t ns = world_clock();
	*now = (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
	return 0;
}

int sim_sched_yield(void)
{
	world_yield();
	return 0;
}

void sim_pause(void)
{
	world_yield();
}

/* ---- Threads ------------------------------------------------------------------------------------------------------- */

int sim_thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	/* A host's first is its service thread, the second its keeper: src/engine/host.c. */
	const struct world_process *process = world_process();
	bool second = false;
	(void)attributes;
	for (unsigned i = 1; i < world.fiber_count; i++)
		second |= world.fibers[i].process == process && strstr(world.fibers[i].name, ".svc");
	*thread = world_spawn(world_process(), second ? "keep" : "svc", run, argument);
	return 0;
}

int sim_thread_join(pthread_t thread, void **result)
{
	enum { LOOK_NS = 20000 };
	while (world.fibers[thread].state != FIBER_ENDED && !world.stuck)
		world_nap(LOOK_NS);
	if (result)
		*result = NULL;
	return 0;
}

/* All zeros is an open mutex, of the C library's and of these. */
int sim_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
	(void)attributes;
	memset(mutex, 0, sizeof *mutex);
	return 0;
}

int sim_mutex_destroy(pthread_mutex_t *mutex)
{
	(void)mutex;
	return 0;
}

int sim_mutex_lock(pthread_mutex_t *mutex)
{
	while (mutex->__data.__lock)
		world_yield();
	mutex->__data.__lock = 1;
	return 0;
}

int sim_mutex_unlock(pthread_mutex_t *mutex)
{
	assert(mutex->__data.__lock);
	mutex->__data.__lock = 0;
	return 0;
}

/* A condition counts its signals in its first word; who waits looks now and then whether there was one. Whoever is woken looks at
 * what he waits for, so one signal may wake all. */
static uint32_t signals(pthread_cond_t *cond)
{
	uint32_t count;
	memcpy(&count, cond, sizeof count);
	return count;
}

int sim_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
	(void)attributes;
	memset(cond, 0, sizeof *cond);
	return 0;
}

int sim_cond_destroy(pthread_cond_t *cond)
{
	(void)cond;
	return 0;
}

int sim_cond_signal(pthread_cond_t *cond)
{
	uint32_t count = signals(cond) + 1;
	memcpy(cond, &count, sizeof count);
	return 0;
}

int sim_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *end)
{
	enum { LOOK_NS = 50000 };
	uint64_t until = end ? (uint64_t)end->tv_sec * 1000000000u + (uint64_t)end->tv_nsec : UINT64_MAX;
	uint32_t before = signals(cond);
	(void)sim_mutex_unlock(mutex);
	while (signals(cond) == before && world_clock() < until && !world.stuck)
		world_idle_nap(LOOK_NS);
	bool woken = signals(cond) != before;
	(void)sim_mutex_lock(mutex);
	return woken ? 0 : ETIMEDOUT;
}

int sim_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	return sim_cond_timedwait(cond, mutex, NULL);
}

/* ---- Processes ----------------------------------------------------------------------------------------------------- */

pid_t sim_getpid(void)
{
	const struct world_process *process = world_process();
	return process ? WORLD_FIRST_PID + (pid_t)(process - world.processes) : WORLD_FIRST_PID - 1;
}

/* NULL: no such process is alive. */
static struct world_process *process_of(pid_t pid)
{
	if (pid < WORLD_FIRST_PID || pid >= WORLD_FIRST_PID + (pid_t)world.process_count)
		return NULL;
	struct world_process *process = &world.processes[pid - WORLD_FIRST_PID];
	return process->alive ? process : NULL;
}

int sim_kill(pid_t pid, int signal)
{
	struct world_process *process = process_of(pid);
	if (!process && pid != WORLD_FIRST_PID - 1) {
		errno = ESRCH;
		return -1;
	}
	assert(signal == 0 || (signal == SIGKILL && process));
	if (signal == SIGKILL)
		world_crash(process);
	return 0;
}

uint64_t machine_identity(void)
{
	const struct world_process *process = world_process();
	return UINT64_C(0x6d616368696e65) + (world.machines && process ? process->host : 0);
}

uint64_t process_birth(pid_t pid)
{
	return process_of(pid) ? (uint64_t)pid * 1000 : 0;
}

bool process_gone(pid_t pid, uint64_t birth)
{
	return !process_of(pid) || birth != (uint64_t)pid * 1000;
}

void process_kill(pid_t pid, uint64_t birth)
{
	if (process_gone(pid, birth))
		return;
	world.kills++;
	trace_text("kills process %d", (int)pid);
	world_crash(process_of(pid));
}

/* ---- A pod's region, and mappings ---------------------------------------------------------------------------------------- */

enum { MAX_MAPPINGS = 512, PAGE = 4096 };
#define REGION_MOST (UINT64_C(256) << 20)
#define SHARED_MOST (UINT64_C(64) << 20)

static struct {
	int fd;
	bool there;
	char name[256];
	uint8_t *base;
	uint64_t dirty[REGION_MOST / PAGE / 64]; /* a bit a page */
	uint8_t *shared;
	uint64_t shared_bytes, shared_head, shared_tail;
} region = {.fd = -1};

static struct mapping {
	uint8_t *from, *to;
} mappings[MAX_MAPPINGS];
static unsigned mapping_count;

static void *map_or_die(uint64_t bytes, int flags, int fd)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
	if (mapped == MAP_FAILED) {
		perror("liger sim: no memory for a pod");
		exit(1);
	}
	return mapped;
}

static void open_region(void)
{
	if (region.fd >= 0)
		return;
	region.fd = memfd_create("liger-sim", MFD_CLOEXEC);
	if (region.fd < 0) {
		perror("liger sim: no memory file for a pod");
		exit(1);
	}
	region.base = map_or_die(REGION_MOST, MAP_SHARED, region.fd);
}

uint8_t *sim_region(void)
{
	return region.base;
}

void sim_region_wrote(uint64_t offset, uint64_t bytes)
{
	for (uint64_t page = offset / PAGE; page <= (offset + bytes - 1) / PAGE; page++)
		region.dirty[page / 64] |= UINT64_C(1) << page % 64;
}

void *sim_shared(uint64_t bytes, uint64_t head, uint64_t tail)
{
	assert(bytes <= SHARED_MOST);
	if (!region.shared)
		region.shared = map_or_die(SHARED_MOST, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	region.shared_bytes = bytes;
	region.shared_head = head;
	region.shared_tail = tail;
	return region.shared;
}

/* One pod at a time, under any name. */
int sim_shm_open(const char *name, int flags, mode_t mode)
{
	(void)mode;
	if (region.there && strcmp(name, region.name) != 0) {
		errno = ENOSPC;
		return -1;
	}
	if (!region.there && !(flags & O_CREAT)) {
		errno = ENOENT;
		return -1;
	}
	if (region.there && (flags & O_EXCL)) {
		errno = EEXIST;
		return -1;
	}
	open_region();
	assert(strlen(name) < sizeof region.name);
	memcpy(region.name, name, strlen(name) + 1);
	region.there = true;
	return fcntl(region.fd, F_DUPFD_CLOEXEC, 0);
}

int sim_shm_unlink(const char *name)
{
	if (!region.there || strcmp(name, region.name) != 0) {
		errno = ENOENT;
		return -1;
	}
	region.there = false;
	return 0;
}

/* Its readers are told that the machine says nothing of itself. */
FILE *sim_fopen(const char *path, const char *mode)
{
	if (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0) {
		errno = ENOENT;
		return NULL;
	}
	return fopen(path, mode);
}

ssize_t sim_getrandom(void *buffer, size_t bytes, unsigned flags)
{
	(void)flags;
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)buffer)[i] = (uint8_t)random_next(&world.random);
	return (ssize_t)bytes;
}

/* What the engine is told in the environment would not be the seed's. */
char *sim_getenv(const char *name)
{
	return strcmp(name, "LIGER_MUTANT") == 0 ? getenv(name) : NULL;
}

static void forget_mapping(uint8_t *from, uint8_t *to)
{
	for (unsigned i = 0; i < mapping_count;) {
		struct mapping *m = &mappings[i];
		if (m->to <= from || m->from >= to) {
			i++;
			continue;
		}
		struct mapping after = {to, m->to};
		m->to = from < m->from ? m->from : from;
		if (m->to == m->from)
			*m = mappings[--mapping_count];
		else
			i++;
		if (after.from < after.to) {
			assert(mapping_count < MAX_MAPPINGS);
			mappings[mapping_count++] = after;
		}
	}
}

void *sim_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	uint8_t *mapped = mmap(at, bytes, protection, flags, fd, offset);
	if (mapped == MAP_FAILED)
		return mapped;
	size_t whole = (bytes + 4095) & ~(size_t)4095;
	forget_mapping(mapped, mapped + whole);
	assert(mapping_count < MAX_MAPPINGS);
	mappings[mapping_count++] = (struct mapping){mapped, mapped + whole};
	return mapped;
}

int sim_munmap(void *at, size_t bytes)
{
	size_t whole = (bytes + 4095) & ~(size_t)4095;
	forget_mapping(at, (uint8_t *)at + whole);
	return munmap(at, bytes);
}

int sim_madvise(void *at, size_t bytes, int advice)
{
	return advice == MADV_WIPEONFORK ? madvise(at, bytes, advice) : 0;
}

void sim_region_lose(void)
{
	for (uint64_t i = 0; i < sizeof region.dirty / sizeof region.dirty[0]; i++) {
		for (; region.dirty[i]; region.dirty[i] &= region.dirty[i] - 1)
			memset(region.base + (i * 64 + (uint64_t)__builtin_ctzll(region.dirty[i])) * PAGE, 0, PAGE);
	}
	region.there = false;
	if (region.shared) {
		memset(region.shared, 0, region.shared_head);
		memset(region.shared + region.shared_bytes - region.shared_tail, 0, region.shared_tail);
	}
}

void sim_os_reset(void)
{
	while (mapping_count > 0) {
		const struct mapping *m = &mappings[--mapping_count];
		int failed = munmap(m->from, (size_t)(m->to - m->from));
		assert(!failed);
	}
	sim_region_lose();
}
