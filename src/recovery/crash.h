/* crash.h: what a survivor does about a host that has died, in the shared part of the pod.
 *
 *   1 what its emulated cache had not written back is lost, as with a real one
 *   2 redo: for each record in its rings, each shared row that it still holds locked below the record's version gets that
 *     version: frame, fence, word
 *   3 every other intent and lock of it is freed: none of them had written a byte of a row, since that begins after the seal
 *   4 the catalog's lock and the pod's priority, if it held them
 *
 * Why 2 finds what there is to finish. A commit's locks are written back before it is sealed [seal.locks], its words after they are
 * installed, and the record is overwritten only after the next one's seal (ring.h). So the words of a sealed commit are,
 * in memory, either locked below its version or at it or above, as long as its record is there. A record whose lines are not all
 * there was not sealed [ring.seal]: nothing of it was written.
 *
 * All steps can be repeated, and begun by another in the middle: 2 writes the same bytes under the same tags, and looks at
 * the word before; 3 and 4 change words only from what the dead host left. What they change is written back before the
 * member is called dead: else a recoverer that dies right after could take it with it.
 *
 * At LG_DURABILITY_NONE there are no records: a row that was just being written may be torn. It is then LG_CORRUPT for who
 * reads it; the level promises no more.
 */
#ifndef LIGER_RECOVERY_CRASH_H
#define LIGER_RECOVERY_CRASH_H

#include "engine/host.h"

/* By the host that has claimed `dead`. LG_OK; LG_NOSPACE (no private memory: try again). */
int crash_recover(struct lg_worker *service, unsigned dead);

#endif
