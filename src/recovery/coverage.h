/* coverage.h: which partitions of the pod a host's checkpoint has all rows of: those that it owned when it was made. After an
 * adoption it may be the only one that has them, while the map in pod memory names another owner. */
#ifndef LIGER_RECOVERY_COVERAGE_H
#define LIGER_RECOVERY_COVERAGE_H

#include "recovery/checkpoint_reader.h"

struct coverage {
	uint64_t first_epoch; /* logs are needed besides from it on */
	bool tables;          /* there are some; else no partition has a row */
	uint8_t partitions[LG_MAX_PARTITIONS / 8];
};

static inline bool coverage_has(const struct coverage *c, uint32_t partition)
{
	return c->partitions[partition / 8] >> partition % 8 & 1;
}

/* Adds what an entry CHECKPOINT_TABLE says. */
void coverage_add(struct coverage *c, const struct checkpoint_entry *entry);
/* Of the newest checkpoint of a host; `data` is the pod's data directory. As checkpoint_reader_open() and checkpoint_next(). */
int coverage_read(const char *data, unsigned host, uint64_t cookie, struct coverage *c, struct lg_error *err);

#endif
