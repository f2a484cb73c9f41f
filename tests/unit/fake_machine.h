/* fake_machine.h: a machine of a test's own for regions: a tree like /sys in a temporary directory, and a regular file that
 * stands for a dax device. */
#ifndef LIGER_TESTS_UNIT_FAKE_MACHINE_H
#define LIGER_TESTS_UNIT_FAKE_MACHINE_H

#include "cxl/region_private.h"

#define FAKE_DAX_NUMBER "252:7"

struct fake_machine {
	char directory[64];
	char sysfs[80];
	char device[80]; /* the file */
	struct region_machine machine;
};

/* Nothing in it yet: neither nodes nor a device. The calls are the real ones. */
struct fake_machine *fake_machine_make(void);
void fake_machine_end(struct fake_machine *fake);

/* Writes a file of the tree, or makes a link, with the directories above it; what is there is replaced. NULL: removes. */
void fake_file(const struct fake_machine *fake, const char *path, const char *text);
void fake_link(const struct fake_machine *fake, const char *path, const char *target);

/* A node with that much memory, all of it free. */
void fake_node(const struct fake_machine *fake, unsigned node, uint64_t mib, const char *cpus, const char *distance);

/* dax0.0, FAKE_DAX_NUMBER, in devdax mode: `bytes` bytes in the file, its first page zero, the rest 0xa5. */
void fake_dax(const struct fake_machine *fake, uint64_t bytes);
/* Binds another driver to it; NULL: none. */
void fake_dax_driver(const struct fake_machine *fake, const char *driver);

/* The place that a URI names, on this machine. */
struct region_place fake_place(const struct fake_machine *fake, const char *uri);

#endif
