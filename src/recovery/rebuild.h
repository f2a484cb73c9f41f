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

#include "engine/table.h"

/* What is rebuilt, and what came of it. */
struct rebuilt {
	unsigned owner;       /* of the partitions, by the map */
	uint64_t first_epoch; /* all their rows need the logs from it on, until the next checkpoint */
	uint64_t rows, bytes; /* put into trees; read */
	/* By table, then by partition: trees of its own that were made for it where `owner` is another host, which is dead; it
	 * has no replicated tables. NULL: none. */
	struct btree **trees[LG_MAX_TABLES];
};

/* Rebuilds the rows of all partitions of to->owner: if that is this host, in the trees of its tables, which are empty, with
 * its copies of replicated tables; else in trees that nobody sees yet. Nobody can reach a row of them, and all that was
 * ever committed to them is in the logs.
 * Ownership: rebuilt_free() in any case.
 * Returns: LG_OK; LG_CORRUPT (file and offset, or the row); LG_NOSPACE; LG_SYSTEM. */
int rebuild_rows(struct lg_worker *w, struct rebuilt *to, struct lg_error *err);
/* Empty trees for the partitions of rebuilt->owner, another host, in a table. LG_OK; LG_NOSPACE. */
int rebuilt_make_trees(
        struct lg_worker *w, struct rebuilt *rebuilt, const struct lg_table *table, struct lg_error *err);
/* Also the trees, but those that were taken out of it. */
void rebuilt_free(struct lg_worker *w, struct rebuilt *rebuilt);

#endif
