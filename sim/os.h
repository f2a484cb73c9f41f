/* os.h: what the engine gets in place of its operating system (seam.h): threads are fibers, time is the world's clock,
 * processes are simulated hosts, memory ends with the seed. Each function is its namesake, as far as the engine uses it.
 */
#ifndef LIGER_SIM_OS_H
#define LIGER_SIM_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

/* ---- os.c ---- */

int sim_nanosleep(const struct timespec *wanted, struct timespec *left);
int sim_clock_gettime(clockid_t clock, struct timespec *now);
int sim_sched_yield(void);
void sim_pause(void);
int sim_thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int sim_thread_join(pthread_t thread, void **result);
int sim_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int sim_mutex_destroy(pthread_mutex_t *mutex);
int sim_mutex_lock(pthread_mutex_t *mutex);
int sim_mutex_unlock(pthread_mutex_t *mutex);
int sim_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int sim_cond_destroy(pthread_cond_t *cond);
int sim_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int sim_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *end);
int sim_cond_signal(pthread_cond_t *cond);
pid_t sim_getpid(void);
int sim_kill(pid_t pid, int signal);
int sim_shm_open(const char *name, int flags, mode_t mode);
int sim_shm_unlink(const char *name);
FILE *sim_fopen(const char *path, const char *mode);
ssize_t sim_getrandom(void *buffer, size_t bytes, unsigned flags);
char *sim_getenv(const char *name);
void *sim_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int sim_munmap(void *at, size_t bytes);
int sim_madvise(void *at, size_t bytes, int advice);
/* The file that a pod is made of is the same one in every seed, and mapped here for as long as the process lives: its pages
 * need not be had anew. So whoever writes to it says so, and what was written is zeros again after sim_os_reset(). */
uint8_t *sim_region(void);
void sim_region_wrote(uint64_t offset, uint64_t bytes);
/* What the hosts share of the emulation (src/emulation/shared.h), of so many bytes, of which the first `head` and the last `tail` are
 * zeroed at reset: between them nothing stays but zeros. */
void *sim_shared(uint64_t bytes, uint64_t head, uint64_t tail);
/* Pod memory has lost its power: it is zeros, and the pod's file is gone. */
void sim_region_lose(void);
/* Removes every file and mapping that is left. */
void sim_os_reset(void);

/* ---- heap.c ---- */

void *sim_malloc(size_t bytes);
void *sim_calloc(size_t count, size_t bytes);
void *sim_realloc(void *memory, size_t bytes);
void sim_free(void *memory);
void *sim_aligned_alloc(size_t alignment, size_t bytes);
int sim_posix_memalign(void **memory, size_t alignment, size_t bytes);
/* Whatever is still allocated is not: the next seed begins with the same addresses. */
void sim_heap_reset(void);

#endif
