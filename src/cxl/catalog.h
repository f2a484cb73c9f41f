/* catalog.h: the pod's table definitions, in SWcc, append-only.
 *
 * Who adds a table takes the catalog's lock word, writes its splits, then its entry (tags = table id + 1), fences, and
 * raises the table count [catalog.count]. Readers read entries below the count. A host that dies holding the lock leaves
 * at most lines above the count, which the next one overwrites with the same tags; so readers flush before they read
 * (a table is read once a host). The lock carries its holder's host id for recovery.
 */
#ifndef LIGER_CXL_CATALOG_H
#define LIGER_CXL_CATALOG_H

#include "cxl/line.h"

/* A definition as the catalog has it. */
struct catalog_table {
	char name[LG_MAX_NAME_BYTES + 1];
	uint32_t id, by, prefix_bytes, partitions;
	uint64_t *splits; /* partitions - 1 of them for LG_RANGE, malloc'ed; else NULL */
};

uint32_t catalog_count(const struct cxl_port *port);
/* Reads table `id` < count. LG_OK; LG_CORRUPT; LG_NOSPACE. The caller frees table->splits. */
int catalog_read(struct cxl_port *port, uint32_t id, struct catalog_table *table, struct lg_error *err);
/* Checks a definition as lg_table_create() documents it. LG_OK; LG_INVALID; LG_LIMIT. */
int catalog_check_def(const struct cxl_port *port, const struct lg_table_def *def, struct lg_error *err);
/* Finds or adds. LG_OK with *id; LG_EXISTS when the definition differs (the message says in what); LG_LIMIT; LG_NOSPACE; LG_CORRUPT;
 * LG_UNAVAILABLE when the lock's holder does not let go within a second. */
int catalog_add(
        struct cxl_port *port, unsigned host, const struct lg_table_def *def, uint32_t *id, struct lg_error *err);
/* LG_OK; LG_NOTFOUND; LG_CORRUPT; LG_NOSPACE. */
int catalog_find(struct cxl_port *port, const char *name, uint32_t *id, struct lg_error *err);

/* Lets go of the lock that a dead host held: what it had begun to add was not counted yet, and is written over. */
void catalog_free_lock(struct cxl_port *port, unsigned dead);

#endif
