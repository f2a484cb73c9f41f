/* files.c: see files.h. */
#include "files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "disk.h"
#include "recovery/log_io_private.h"
#include "trace.h"
#include "world.h"

enum { FIRST_FD = 1 << 20, MOST_OPEN = 4096, STALL_ONE_IN = 100, LOCK_LOOK_NS = 100000 };

/* An open file, or an open directory that is read. */
struct open_file {
	struct disk_node *node; /* NULL: this one is free */
	const struct world_process *process;
	size_t next; /* sim_readdir() */
	struct dirent entry;
};

static struct {
	struct files_plan plan;
	struct files_counts counts;
	struct open_file open[MOST_OPEN];
	unsigned open_most; /* none behind it was ever used */
	uint64_t random, faults_since, writes, syncs, power_in;
	bool faults;
} files;

void files_begin(const struct files_plan *plan)
{
	files_end();
	files.plan = *plan;
	files.random = plan->seed;
	disk_begin(plan->seed);
}

void files_begin_faults(void)
{
	files.faults = true;
	files.faults_since = world.now;
	files.writes = files.syncs = 0;
}

void files_end_faults(void)
{
	files.faults = false;
	files.power_in = 0;
}

static void forget_open(void)
{
	memset(files.open, 0, files.open_most * sizeof files.open[0]);
	files.open_most = 0;
}

void files_lose_power(void)
{
	files.power_in = 0;
	forget_open();
	struct disk_loss loss = disk_lose_power();
	trace_text("the disk has lost %llu sectors and %llu names, and kept %llu and %llu that nobody had synced",
	        (unsigned long long)loss.sectors_lost, (unsigned long long)loss.changes_lost,
	        (unsigned long long)loss.sectors_kept, (unsigned long long)loss.changes_kept);
}

void files_arm_power(uint64_t calls)
{
	files.power_in = calls;
}

void files_end(void)
{
	forget_open();
	files.faults = false;
	files.power_in = 0;
	memset(&files.counts, 0, sizeof files.counts);
	disk_end();
}

const struct files_counts *files_counts(void)
{
	return &files.counts;
}

/* ---- What every call begins with ------------------------------------------------------------------------------------ */

/* Others may go on, and time passes. */
static void take_turn(const char *what, uint64_t place, uint64_t value, uint64_t ns)
{
	files.counts.calls++;
	trace_access(what, place, value);
	if (files.power_in && world_process() && --files.power_in == 0)
		world_power_off();
	world_point();
	if (ns)
		world_nap(ns);
}

static int failed(int error)
{
	errno = error;
	return -1;
}

/* Whether what goes wrong goes wrong for the host that runs. */
static bool is_victim(void)
{
	const struct world_process *process = world_process();
	return files.faults && process && (files.plan.victim == WORLD_HOSTS || files.plan.victim == process->host);
}

static bool is_full(void)
{
	uint64_t since = world.now - files.faults_since;
	bool full = is_victim() && files.plan.full_ns && since >= files.plan.full_at &&
	            since - files.plan.full_at < files.plan.full_ns;
	files.counts.no_room += full;
	return full;
}

/* ---- Open files ---------------------------------------------------------------------------------------------------- */

static bool is_ours(int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + MOST_OPEN;
}

static struct open_file *file_of(int fd)
{
	struct open_file *file = &files.open[fd - FIRST_FD];
	return file->node ? file : NULL;
}

static bool is_lost(const struct open_file *file)
{
	return file->process && !file->process->alive;
}

static void let_go(struct open_file *file)
{
	if (file->node->locked_by == file)
		file->node->locked_by = NULL;
	file->node->opens--;
	file->node = NULL;
}

/* NULL: too many are open. */
static struct open_file *open_node(struct disk_node *node)
{
	for (unsigned i = 0; i < MOST_OPEN; i++) {
		struct open_file *file = &files.open[i];
		if (file->node && is_lost(file))
			let_go(file);
		if (file->node)
			continue;
		*file = (struct open_file){.node = node, .process = world_process()};
		node->opens++;
		files.open_most = i >= files.open_most ? i + 1 : files.open_most;
		return file;
	}
	errno = EMFILE;
	return NULL;
}

/* ---- Paths --------------------------------------------------------------------------------------------------------- */

static bool is_on_disk(const char *path)
{
	size_t root = strlen(FILES_ROOT);
	return strncmp(path, FILES_ROOT, root) == 0 && (path[root] == '/' || path[root] == '\0');
}

/* The directory that a path's last name is, or would be, in, and that name: empty for the root itself. NULL and errno: there is none. */
static struct disk_node *parent_of(const char *path, char name[DISK_NAME_BYTES])
{
	struct disk_node *directory = disk_root();
	assert(directory && is_on_disk(path));
	name[0] = '\0';
	for (path += strlen(FILES_ROOT); *path;) {
		path += strspn(path, "/");
		size_t bytes = strcspn(path, "/");
		if (bytes == 0)
			break;
		if (name[0]) {
			directory = disk_lookup(directory, name);
			if (!directory || !directory->is_directory) {
				errno = directory ? ENOTDIR : ENOENT;
				return NULL;
			}
		}
		if (bytes >= DISK_NAME_BYTES) {
			errno = ENAMETOOLONG;
			return NULL;
		}
		memcpy(name, path, bytes);
		name[bytes] = '\0';
		path += bytes;
	}
	return directory;
}

static struct disk_node *node_of(const char *path)
{
	char name[DISK_NAME_BYTES];
	struct disk_node *node = parent_of(path, name);
	if (node && name[0])
		node = disk_lookup(node, name);
	return node;
}

/* Of a path, for the trace. */
static uint64_t place_of(const char *path)
{
	uint64_t number = 0;
	for (; *path; path++)
		number = number * 131 + (unsigned char)*path;
	return number & UINT32_MAX;
}

/* ---- Calls on paths ------------------------------------------------------------------------------------------------- */

static int open_on_disk(const char *path, int flags)
{
	char name[DISK_NAME_BYTES];
	take_turn("open", place_of(path), (uint64_t)flags, files.plan.call_ns);
	struct disk_node *directory = parent_of(path, name), *node = directory;
	if (directory && name[0])
		node = disk_lookup(directory, name);
	if (!directory || (!node && !(flags & O_CREAT)))
		return failed(directory ? ENOENT : errno);
	if (node && (flags & O_CREAT) && (flags & O_EXCL))
		return failed(EEXIST);
	if (node && (flags & O_DIRECTORY) && !node->is_directory)
		return failed(ENOTDIR);
	if (!node) {
		if (is_full())
			return failed(ENOSPC);
		node = disk_make(directory, name, false);
	}
	if (node->is_directory && (flags & O_ACCMODE) != O_RDONLY)
		return failed(EISDIR);
	if (flags & O_TRUNC)
		disk_resize(node, 0);
	const struct open_file *file = open_node(node);
	return file ? FIRST_FD + (int)(file - files.open) : -1;
}

int sim_open(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
	va_end(more);
	return is_on_disk(path) ? open_on_disk(path, flags) : open(path, flags, mode);
}

int sim_rename(const char *from, const char *to)
{
	char old[DISK_NAME_BYTES], new[DISK_NAME_BYTES];
	assert(is_on_disk(from) && is_on_disk(to));
	take_turn("rename", place_of(from), place_of(to), files.plan.call_ns);
	struct disk_node *directory = parent_of(from, old);
	if (!directory)
		return -1;
	if (parent_of(to, new) != directory)
		return failed(EXDEV);
	return disk_rename(directory, old, new) ? 0 : failed(ENOENT);
}

int sim_unlink(const char *path)
{
	char name[DISK_NAME_BYTES];
	if (!is_on_disk(path))
		return unlink(path);
	take_turn("unlink", place_of(path), 0, files.plan.call_ns);
	struct disk_node *directory = parent_of(path, name);
	if (!directory)
		return -1;
	return disk_remove(directory, name) ? 0 : failed(ENOENT);
}

int sim_mkdir(const char *path, mode_t mode)
{
	char name[DISK_NAME_BYTES];
	(void)mode;
	assert(is_on_disk(path));
	take_turn("mkdir", place_of(path), 0, files.plan.call_ns);
	struct disk_node *directory = parent_of(path, name);
	if (!directory)
		return -1;
	if (!name[0] || disk_lookup(directory, name))
		return failed(EEXIST);
	if (is_full())
		return failed(ENOSPC);
	(void)disk_make(directory, name, true);
	return 0;
}

/* ---- Directories that are read -------------------------------------------------------------------------------------- */

DIR *sim_opendir(const char *path)
{
	assert(is_on_disk(path));
	take_turn("opendir", place_of(path), 0, files.plan.call_ns);
	struct disk_node *node = node_of(path);
	if (!node || !node->is_directory) {
		errno = node ? ENOTDIR : ENOENT;
		return NULL;
	}
	return (DIR *)(void *)open_node(node);
}

struct dirent *sim_readdir(DIR *directory)
{
	struct open_file *file = (struct open_file *)(void *)directory;
	take_turn("readdir", file->next, 0, 0);
	if (file->next >= file->node->names.count)
		return NULL;
	snprintf(file->entry.d_name, sizeof file->entry.d_name, "%s", file->node->names.entries[file->next++].name);
	return &file->entry;
}

int sim_closedir(DIR *directory)
{
	let_go((struct open_file *)(void *)directory);
	return 0;
}

/* ---- Calls on open files -------------------------------------------------------------------------------------------- */

int sim_close(int fd)
{
	if (!is_ours(fd))
		return close(fd);
	take_turn("close", (uint64_t)fd, 0, 0);
	struct open_file *file = file_of(fd);
	if (!file)
		return failed(EBADF);
	let_go(file);
	return 0;
}

ssize_t sim_read(int fd, void *data, size_t bytes)
{
	assert(!is_ours(fd));
	return read(fd, data, bytes);
}

ssize_t sim_pread(int fd, void *data, size_t bytes, off_t offset)
{
	assert(is_ours(fd));
	take_turn("pread", (uint64_t)offset, bytes, files.plan.call_ns);
	const struct open_file *file = file_of(fd);
	return file ? (ssize_t)disk_read(file->node, data, bytes, (size_t)offset) : failed(EBADF);
}

/* How many of so many bytes a write takes; -1 and errno: none. */
static ssize_t allowed(const struct disk_node *node, size_t bytes, size_t offset)
{
	if (is_victim() && files.plan.write_fails && ++files.writes == files.plan.write_fails) {
		files.counts.write_errors++;
		return failed(EIO);
	}
	if (offset + bytes > node->written_bytes && is_full())
		return failed(ENOSPC);
	if (is_victim() && files.plan.short_writes && bytes > 1 && random_below(&files.random, 8) == 0) {
		files.counts.short_writes++;
		return 1 + (ssize_t)random_below(&files.random, bytes - 1);
	}
	return (ssize_t)bytes;
}

ssize_t sim_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	assert(is_ours(fd));
	take_turn("pwrite", (uint64_t)offset, bytes, files.plan.call_ns);
	const struct open_file *file = file_of(fd);
	if (!file)
		return failed(EBADF);
	ssize_t most = allowed(file->node, bytes, (size_t)offset);
	for (size_t done = 0; most > 0 && done < (size_t)most;) {
		size_t page = DISK_PAGE - ((size_t)offset + done) % DISK_PAGE;
		page = page < (size_t)most - done ? page : (size_t)most - done;
		disk_write(file->node, (const uint8_t *)data + done, page, (size_t)offset + done);
		done += page;
		take_turn("page", (uint64_t)offset + done, page, 0);
	}
	return most;
}

int sim_ftruncate(int fd, off_t bytes)
{
	if (!is_ours(fd))
		return ftruncate(fd, bytes);
	take_turn("truncate", (uint64_t)fd, (uint64_t)bytes, files.plan.call_ns);
	const struct open_file *file = file_of(fd);
	if (!file)
		return failed(EBADF);
	disk_resize(file->node, (size_t)bytes);
	return 0;
}

/* Of a region nothing: a seed touches little of it. */
int sim_posix_fallocate(int fd, off_t offset, off_t bytes)
{
	if (!is_ours(fd))
		return 0;
	take_turn("allocate", (uint64_t)offset, (uint64_t)bytes, files.plan.call_ns);
	const struct open_file *file = file_of(fd);
	if (!file)
		return EBADF;
	if (is_full())
		return ENOSPC;
	if ((size_t)(offset + bytes) > file->node->written_bytes)
		disk_resize(file->node, (size_t)(offset + bytes));
	return 0;
}

/* How long this one takes. */
static uint64_t sync_time(void)
{
	uint64_t ns = files.plan.sync_ns + random_below(&files.random, 3 * files.plan.sync_ns + 1);
	files.counts.syncs++;
	if (random_below(&files.random, STALL_ONE_IN) != 0)
		return ns;
	files.counts.stalls++;
	return ns + random_below(&files.random, files.plan.stall_ns + 1);
}

int sim_fdatasync(int fd)
{
	assert(is_ours(fd));
	take_turn("fdatasync", (uint64_t)fd, 0, sync_time());
	const struct open_file *file = file_of(fd);
	if (!file)
		return failed(EBADF);
	if (is_victim() && files.plan.sync_fails && ++files.syncs == files.plan.sync_fails) {
		files.counts.sync_errors++;
		disk_lose_dirty(file->node);
		return failed(EIO);
	}
	disk_sync(file->node);
	return 0;
}

/* Of a directory: what is changed meanwhile is not kept by it. */
int sim_fsync(int fd)
{
	assert(is_ours(fd));
	const struct open_file *file = file_of(fd);
	if (!file || !file->node->is_directory)
		return sim_fdatasync(fd);
	size_t changes = file->node->change_count;
	uint64_t ns = sync_time();
	take_turn("fsync", (uint64_t)fd, changes, ns);
	/* Another one of the same directory may have kept some of them. */
	if (changes > file->node->change_count)
		changes = file->node->change_count;
	disk_sync_names(file->node, changes);
	return 0;
}

/* Of a region nothing: fibers do not change while one has it locked. */
int sim_flock(int fd, int operation)
{
	if (!is_ours(fd))
		return 0;
	take_turn("flock", (uint64_t)fd, (uint64_t)operation, files.plan.call_ns);
	const struct open_file *file = file_of(fd);
	if (!file)
		return failed(EBADF);
	assert(operation & LOCK_EX);
	for (;;) {
		const struct open_file *holder = file->node->locked_by;
		if (!holder || holder == file || is_lost(holder))
			break;
		if (operation & LOCK_NB)
			return failed(EWOULDBLOCK);
		world_nap(LOCK_LOOK_NS);
	}
	file->node->locked_by = file;
	return 0;
}

/* A file of memory has no name, and so no link; the engine takes that for a file that was removed. */
int sim_fstat(int fd, struct stat *st)
{
	if (!is_ours(fd)) {
		int code = fstat(fd, st);
		if (!code && st->st_nlink == 0)
			st->st_nlink = 1;
		return code;
	}
	take_turn("fstat", (uint64_t)fd, 0, 0);
	const struct open_file *file = file_of(fd);
	if (!file)
		return failed(EBADF);
	*st = (struct stat){.st_mode = file->node->is_directory ? S_IFDIR | 0700 : S_IFREG | 0600,
	        .st_nlink = 1,
	        .st_size = (off_t)file->node->written_bytes};
	return 0;
}

/* The log is written by pwrite() and fdatasync(): an io_uring would be the machine's. */
struct log_io *log_io_uring_open(int *error)
{
	*error = -ENOSYS;
	return NULL;
}
