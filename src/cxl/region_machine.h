/* region_machine.h: what a region asks of the machine: its NUMA nodes, its dax devices, where pages lie.
 *
 * All of it goes through struct region_machine, so that tests give a region another machine: a copy of /sys in a
 * directory, a regular file for a device, and calls of their own.
 */
#ifndef LIGER_CXL_REGION_MACHINE_H
#define LIGER_CXL_REGION_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region_machine {
	const char *sysfs; /* "/sys" */
	/* NULL, and a dax device must be one. In tests: "MAJOR:MINOR", the device that a regular file stands for. */
	const char *dax_number;
	/* mbind(2) and move_pages(2). */
	long (*bind)(void *start, unsigned long bytes, int mode, const unsigned long *nodes, unsigned long max_node,
	        unsigned flags);
	long (*where)(int pid, unsigned long count, void **pages, const int *nodes, int *status, int flags);
};

extern const struct region_machine region_this_machine;

/* ---- Files of sysfs; paths are relative to `sysfs` ---- */

enum { SYSFS_TEXT_BYTES = 4096 }; /* what the kernel writes into one of its files at most */

/* Reads a file, without the newline at its end. False, and errno: it could not be read. */
bool sysfs_text(const char *sysfs, const char *path, char text[SYSFS_TEXT_BYTES]);
/* Reads a file that holds one number. */
bool sysfs_number(const char *sysfs, const char *path, int64_t *number);
/* The last part of what a symbolic link points to. */
bool sysfs_link_name(const char *sysfs, const char *path, char *name, size_t bytes);
/* Walks over a list such as "0-3,8": the next range, and *at behind it. False at its end. */
bool sysfs_list_next(const char **at, unsigned *from, unsigned *to);

/* ---- NUMA nodes ---- */

enum { MAX_NUMA_NODES = 1024 }; /* of any Linux kernel on x86-64 */

struct node_memory {
	uint64_t total_bytes, free_bytes;
	uint64_t file_bytes; /* the page cache's, which the kernel gives away when asked for more */
};

/* False: there is no such node. */
bool node_memory_of(const char *sysfs, unsigned node, struct node_memory *memory);

/* ---- Dax devices ---- */

enum dax_mode { DAX_DEVDAX, DAX_SYSTEM_RAM, DAX_UNBOUND, DAX_OTHER };

struct dax_device {
	char name[64]; /* "dax0.0" */
	char driver[64];
	enum dax_mode mode;
	uint64_t bytes, align_bytes; /* align_bytes 0: the kernel does not tell */
	int numa_node, target_node;  /* -1: none. The target is where its memory goes in system-ram mode */
};

/* Reads what a directory of sysfs says of a dax device. False, and errno: it could not be read. */
bool dax_device_of(const char *sysfs, const char *directory, struct dax_device *device);

#endif
