/* disk.h: what a simulated disk has, in memory: files and directories as they were written, and as they are kept.
 *
 *   a file       its bytes as written; the bytes that are kept; which sectors are dirty. fdatasync makes the dirty ones kept.
 *   a directory  its names as they are; those that are kept; the changes between the two, in order. fsync of the directory
 *                makes changes kept. A change is a name that comes, goes, or does both at once (rename).
 *
 * A dirty sector may be kept by itself at any time, so an overwritten one may be kept as it was in between. When the power goes,
 * of what was not synced any subset stays, as the seed says: of a file no sector, each, whole pages, or just any sectors; of a
 * directory no change, each, the first ones, or just any. A file's length is dirty by itself.
 *
 * A failed fdatasync leaves the dirty sectors clean and not kept, as Linux does: no later one writes them.
 *
 * Nothing here takes time or is a point of the scheduler: files.h has the calls.
 */
#ifndef LIGER_SIM_DISK_H
#define LIGER_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DISK_SECTOR = 512, DISK_PAGE = 4096, DISK_NAME_BYTES = 40 };

struct disk_node;

struct disk_entry {
	char name[DISK_NAME_BYTES];
	struct disk_node *node;
};

struct disk_names {
	struct disk_entry *entries;
	size_t count, capacity;
};

/* Of a directory. `gone`, `come`: empty: none. */
struct disk_change {
	char gone[DISK_NAME_BYTES], come[DISK_NAME_BYTES];
	struct disk_node *node; /* whose name comes */
};

struct disk_node {
	struct disk_node *next; /* of all */
	bool is_directory, marked;
	unsigned opens;
	const void *locked_by; /* files.c: which open file has its flock */
	/* a file */
	uint8_t *written, *kept; /* of `capacity` bytes, zeros behind their ends */
	bool *dirty;             /* of each sector */
	size_t capacity, written_bytes, kept_bytes;
	bool dirty_bytes; /* the length is */
	/* a directory */
	struct disk_names names, kept_names;
	struct disk_change *changes;
	size_t change_count, change_capacity;
};

/* An empty disk, in a state that depends on `seed` alone. */
void disk_begin(uint64_t seed);
void disk_end(void);

/* The root directory. */
struct disk_node *disk_root(void);
/* NULL: there is no such name in it. */
struct disk_node *disk_lookup(const struct disk_node *directory, const char *name);
struct disk_node *disk_make(struct disk_node *directory, const char *name, bool is_directory);
/* The name goes; false: there is none. */
bool disk_remove(struct disk_node *directory, const char *name);
/* `to` may exist. False: there is no `from`. */
bool disk_rename(struct disk_node *directory, const char *from, const char *to);

void disk_resize(struct disk_node *file, size_t bytes);
void disk_write(struct disk_node *file, const void *data, size_t bytes, size_t offset);
size_t disk_read(const struct disk_node *file, void *data, size_t bytes, size_t offset);

/* All that is dirty is kept from now on; of a directory its first `changes`. */
void disk_sync(struct disk_node *file);
void disk_sync_names(struct disk_node *directory, size_t changes);
/* What was dirty is lost: now, or when the power is. */
void disk_lose_dirty(struct disk_node *file);

/* The power goes: what is written is what is kept. Returns how many sectors and changes were lost, and how many were kept that nobody had
 * synced. */
struct disk_loss {
	uint64_t sectors_lost, sectors_kept, changes_lost, changes_kept;
};
struct disk_loss disk_lose_power(void);

#endif
