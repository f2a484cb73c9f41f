/* rebuild.h: the rows of a host's partitions, from the logs of all hosts.
 *
 * Whoever changes a row logs the change, so the changes of one row lie in several logs, and are put into the order of
 * their versions here: a row's versions only grow (frame.h). Changes are gathered by row; when all logs are read each
 * row is what its youngest whole value and the changed ranges behind it make. A change may be met twice: in the log of
 * a dead host, and in that of who recovered it.
 *
 * A host's checkpoint is where its rows begin, and the logs from the checkpoint's first epoch on suffice (keeper.h). That of a
 * host that owns nothing any more is read too: its partitions were adopted.
 *
 * Memory: about as much as the logs hold of these partitions, while it runs.
 */
#ifndef LIGER_RECOVERY_REBUILD_H
#define LIGER_RECOVERY_REBUILD_H

#include "engine/host.h"

/* Puts the rows of all partitions that this host owns, and its copies of replicated tables, into their trees, which are
 * empty. Nobody else can reach a row of them, and all that was ever committed to them is in the logs.
 * Returns: LG_OK; LG_CORRUPT (file and offset, or the row); LG_NOSPACE; LG_SYSTEM. */
int rebuild_rows(struct lg_worker *service, struct lg_error *err);

#endif
