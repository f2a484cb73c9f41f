/* adopt.h: a survivor takes over the partitions of a host that died or left.
 *
 *   1. claim the host, as for its recovery: it cannot come back meanwhile        [member.claim]
 *   2. retire its words, have all logs complete this epoch (return.c)
 *   3. rebuild its rows in trees of this host that nobody sees yet (rebuild.h)
 *   4. the logs are needed from where its rows begin: so says this host's member line
 *   5. the trees become the partitions', then the map says so: from now on it is this host that is asked
 *   6. the map is logged; again when all logs have completed the epoch of its change: no log has an older map behind it
 *   7. the host is dead again, and may come back, owning nothing
 *   8. a checkpoint of this host, with the new rows in it; then those of the other go
 *
 * Crash: before 5, whoever finds the claim abandoned calls the host dead again. In 5, some partitions are this host's and
 * are rebuilt when it comes back, the others can be adopted anew. Before 8, the old checkpoint is still there, and is read by
 * whoever rebuilds this host's rows (rebuild.h); the logs are kept. Nobody removes it, and the dead host, if it comes back before 8,
 * replaces it by none of its own, as long as who owns them now needs logs from as far back as it (adopt_is_needed).
 */
#ifndef LIGER_RECOVERY_ADOPT_H
#define LIGER_RECOVERY_ADOPT_H

#include "engine/host.h"

/* By the keeper. When *stopping becomes true before step 5, it gives up, and calls the host dead again.
 * LG_OK; LG_INVALID (it is alive, or is this host, or owns nothing); LG_INUSE (somebody else is at it, or it is coming
 * back); LG_UNAVAILABLE; LG_CORRUPT; LG_NOSPACE; LG_SYSTEM. */
int adopt_partitions(struct lg_worker *w, unsigned dead, const _Atomic bool *stopping, struct lg_error *err);
/* After a checkpoint of this host: removes those of hosts that own nothing, are not members, and are not needed any more. */
void adopt_clean(struct lg_worker *w);
/* Whether a host's checkpoint may be the only one with rows of partitions that others have adopted from it. */
bool adopt_is_needed(const struct lg_worker *w, unsigned host);

/* Whether a host owns partitions. */
bool adopt_owns(const struct cxl_port *port, unsigned host);

#endif
