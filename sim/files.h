/* files.h: the calls by which the engine reaches the simulated disk (seam.h): each is its namesake, as far as the engine uses it.
 *
 * The disk is what lies under FILES_ROOT; every other path and file is the machine's, or a pod's region (os.c). Each call is a
 * point of the scheduler and takes time; a write is one for each page, so that others find it half done, as who dies in it
 * leaves it. fdatasync takes long, and now and then much longer. What a process has open, and locked, is let go of
 * when it dies.
 */
#ifndef LIGER_SIM_FILES_H
#define LIGER_SIM_FILES_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define FILES_ROOT "/simulated-disk"

/* What a seed says of its disk. */
struct files_plan {
	uint64_t seed;
	uint64_t call_ns, sync_ns, stall_ns; /* a call; fdatasync, up to four times that; now and then */
	unsigned victim;                     /* the host whose calls fail; WORLD_HOSTS: all hosts' */
	uint64_t full_at, full_ns;        /* no room from then on, for so long; since files_begin_faults(); 0: never */
	uint64_t write_fails, sync_fails; /* the so-manieth call does; 0: none */
	bool short_writes;
};

struct files_counts {
	uint64_t calls, syncs, stalls, no_room, write_errors, sync_errors, short_writes;
};

void files_begin(const struct files_plan *plan);
void files_begin_faults(void);
void files_end_faults(void);
/* Nobody is left that had anything open. */
void files_lose_power(void);
/* Calls until the power of the whole pod goes, in the middle of that call; 0: it does not. */
void files_arm_power(uint64_t calls);
void files_end(void);
const struct files_counts *files_counts(void);

int sim_open(const char *path, int flags, ...);
int sim_close(int fd);
ssize_t sim_read(int fd, void *data, size_t bytes);
ssize_t sim_pread(int fd, void *data, size_t bytes, off_t offset);
ssize_t sim_pwrite(int fd, const void *data, size_t bytes, off_t offset);
int sim_ftruncate(int fd, off_t bytes);
int sim_posix_fallocate(int fd, off_t offset, off_t bytes);
int sim_fdatasync(int fd);
int sim_fsync(int fd);
int sim_rename(const char *from, const char *to);
int sim_unlink(const char *path);
int sim_mkdir(const char *path, mode_t mode);
DIR *sim_opendir(const char *path);
struct dirent *sim_readdir(DIR *directory);
int sim_closedir(DIR *directory);
int sim_flock(int fd, int operation);
int sim_fstat(int fd, struct stat *st);

#endif
