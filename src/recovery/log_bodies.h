/* log_bodies.h: what the bodies of a log's entries hold, other than redo records (cxl/layout.h). Little-endian, each a
 * multiple of 8 bytes. Readers check every length and number. */
#ifndef LIGER_RECOVERY_LOG_BODIES_H
#define LIGER_RECOVERY_LOG_BODIES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <liger.h>

/* LOG_ENTRY_TABLE: a table as the catalog has it. Every host logs each table before the first row of it. */
struct log_table_body {
	uint32_t id, by, prefix_bytes, partitions;
	char name[LG_MAX_NAME_BYTES + 1]; /* filled with zeros */
	uint64_t splits[];                /* partitions - 1 of them for LG_RANGE, else none */
};
static_assert(sizeof(struct log_table_body) == 80 && offsetof(struct log_table_body, splits) == 80, "durable");

/* In the flags of such an entry: the load of this host's copy of a replicated table has ended. */
#define LOG_TABLE_SEALED 1U

/* A table in a checkpoint: this; then as above, but without splits, which the catalog and the logs have; then a bit for each
 * partition of the pod: whether it was the host's, so that the checkpoint has all rows of it. */
struct checkpoint_table_body {
	uint32_t flags;       /* LOG_TABLE_SEALED */
	uint32_t owned_bytes; /* of those bits: partition p's is bit p % 8 of byte p / 8; a multiple of 8 */
};
static_assert(sizeof(struct checkpoint_table_body) == 8, "durable");

/* LOG_ENTRY_MEMBER. A host's own first entry of an incarnation is JOINED, its last, if it leaves in order, LEFT. Who has
 * recovered a dead host writes DIED behind what that host's redo rings held. */
enum log_member_change { LOG_MEMBER_JOINED = 1, LOG_MEMBER_LEFT, LOG_MEMBER_DIED };

struct log_member_body {
	uint32_t host;
	uint32_t change; /* enum log_member_change */
	uint64_t incarnation;
};
static_assert(sizeof(struct log_member_body) == 16, "durable");

/* LOG_ENTRY_OWNERS: the partition map: owner[p] is the host that owns partition p. Logged before the first table, and
 * when it has changed. */
struct log_owners_body {
	uint32_t count;
	uint32_t zero;
	uint8_t owner[]; /* filled with zeros to a multiple of 8 */
};
static_assert(sizeof(struct log_owners_body) == 8, "durable");

#endif
