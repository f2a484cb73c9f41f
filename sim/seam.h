/* seam.h: what stands between the engine and the simulator. Included by the compiler (-include) before every file of
 * src/ that is built for the simulator, and by nobody else: no file of the engine knows of it, or differs for it.
 *
 * Everything by which the engine waits, tells the time, starts a thread, takes memory or looks at a process goes to a
 * function of sim/os.c or sim/heap.c; and every access to pod memory to one of sim/memory.c, where the scheduler has its
 * say. The system's headers come first, so that only what the engine itself writes is renamed.
 *
 * src/emulation (LG_SIM_MODEL is defined there) is under the simulator, not in it: its accesses are the model's own.
 */
#ifndef LIGER_SIM_SEAM_H
#define LIGER_SIM_SEAM_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../sim/files.h"
#include "../sim/os.h"

/* Time, waiting, threads */
#define nanosleep     sim_nanosleep
#define clock_gettime sim_clock_gettime
#define sched_yield   sim_sched_yield
#undef __builtin_ia32_pause
#define __builtin_ia32_pause          sim_pause
#define setpriority(which, who, nice) 0 /* the scheduler is our own */
#define pthread_create                sim_thread_create
#define pthread_join                  sim_thread_join
#define pthread_cond_init             sim_cond_init
#define pthread_cond_destroy          sim_cond_destroy
#define pthread_cond_wait             sim_cond_wait
#define pthread_cond_timedwait        sim_cond_timedwait
#define pthread_cond_signal           sim_cond_signal
#define pthread_cond_broadcast        sim_cond_signal
#define pthread_mutex_init            sim_mutex_init
#define pthread_mutex_destroy         sim_mutex_destroy
#define pthread_mutex_lock            sim_mutex_lock
#define pthread_mutex_unlock          sim_mutex_unlock

/* Processes. src/cxl/process.c and src/cxl/crash_point.c are left out of the build: sim/os.c has their functions. */
#define getpid sim_getpid
#define kill   sim_kill

/* Memory, and the files that pods are made of */
#define malloc         sim_malloc
#define calloc         sim_calloc
#define realloc        sim_realloc
#define free           sim_free
#define aligned_alloc  sim_aligned_alloc
#define posix_memalign sim_posix_memalign
#define mmap           sim_mmap
#define munmap         sim_munmap
#define madvise        sim_madvise
#define shm_open       sim_shm_open
#define shm_unlink     sim_shm_unlink
#define fopen          sim_fopen
#define getrandom      sim_getrandom
#define getenv         sim_getenv

/* Files. src/recovery/log_io_uring.c is left out of the build: there is no such ring here (files.c). */
#define open            sim_open
#define close           sim_close
#define read            sim_read
#define pread           sim_pread
#define pwrite          sim_pwrite
#define ftruncate       sim_ftruncate
#define posix_fallocate sim_posix_fallocate
#define fdatasync       sim_fdatasync
#define fsync           sim_fsync
#define rename          sim_rename
#define unlink          sim_unlink
#define mkdir           sim_mkdir
#define opendir         sim_opendir
#define readdir         sim_readdir
#define closedir        sim_closedir
#define flock           sim_flock
/* As a macro with arguments: there is a struct of this name. */
#define fstat(fd, st) sim_fstat(fd, st)

#ifndef LG_SIM_MODEL
#define emu_pod_open        sim_emu_pod_open
#define emu_pod_close       sim_emu_pod_close
#define emu_pod_close_lossy sim_emu_pod_close_lossy
#define emu_word_load       sim_emu_word_load
#define emu_word_store      sim_emu_word_store
#define emu_word_swap       sim_emu_word_swap
#define emu_word_rmw        sim_emu_word_rmw
#define emu_load64          sim_emu_load64
#define emu_store64         sim_emu_store64
#define emu_line_out        sim_emu_line_out
#define emu_line_in         sim_emu_line_in
#define emu_line_read       sim_emu_line_read
#define emu_line_write      sim_emu_line_write
#define emu_stream_out      sim_emu_stream_out
#define emu_stream_in       sim_emu_stream_in
#define emu_write_back      sim_emu_write_back
#define emu_flush           sim_emu_flush
#define emu_fence           sim_emu_fence
#define emu_full_fence      sim_emu_full_fence
#endif

#endif
