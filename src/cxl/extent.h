/* extent.h: which host owns which extent of SWcc and which block of words in HWcc.
 *
 * One owner word each (layout.h): 0 or a version floor when free; OWNER_TAKEN | host when owned. Claimed by CAS, given
 * back by its owner with the greatest version that anything in it ever carried: the next owner must stay above it, and
 * may claim it only when the pod's oldest running transaction is younger than that version's epoch, so that nobody still
 * remembers what was there.
 *
 * A claim is written back before it is used: lost with its host, it would be another's, and what was written there too.
 * Crash: an extent or block of a dead host stays its own until recovery or its return.
 */
#ifndef LIGER_CXL_EXTENT_H
#define LIGER_CXL_EXTENT_H

#include "cxl/port.h"

enum claim_kind { CLAIM_EXTENT, CLAIM_WORDS };

/* Claims any free one of a kind, looking from *hint on (which it moves). Returns false when none can be claimed now.
 * *index: its number; *floor: versions in it must be above; *waiting: some are free, but may still be remembered. */
bool claim_take(struct cxl_port *port, enum claim_kind kind, unsigned host, uint64_t pod_oldest, uint64_t *hint,
        uint64_t *index, uint64_t *floor, bool *waiting);
void claim_give(struct cxl_port *port, enum claim_kind kind, uint64_t index, uint64_t floor);
/* Who owns it; host_count: nobody. */
unsigned claim_owner(const struct cxl_port *port, enum claim_kind kind, uint64_t index);
/* How many are free, and how many `host` owns. */
uint64_t claim_count_free(const struct cxl_port *port, enum claim_kind kind);
uint64_t claim_count_owned(const struct cxl_port *port, enum claim_kind kind, unsigned host);

static inline pod_off extent_offset(const struct pod_geometry *geometry, uint64_t index)
{
	return geometry->extents_offset + index * EXTENT_BYTES;
}

static inline word_idx block_first_word(const struct pod_geometry *geometry, uint64_t block)
{
	return (word_idx)((geometry->words_offset + block * WORD_BLOCK_BYTES) / 8);
}

#endif
