/* return.h: what coming back under an id and adopting its partitions have in common. */
#ifndef LIGER_RECOVERY_RETURN_H
#define LIGER_RECOVERY_RETURN_H

#include "engine/host.h"

/* Retires all words that `owner`, who is not running, still has, and gives its words and extents back to the pod: nobody reaches a
 * row of it any more. LG_OK; LG_UNAVAILABLE (somebody holds one of them for long). */
int retire_leftovers(struct lg_worker *w, unsigned owner, struct lg_error *err);

#endif
