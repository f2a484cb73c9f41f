/* observer.h: who looks at a pod's region without joining it, under the members' emulation or at the memory as it is. */
#ifndef LIGER_CXL_OBSERVER_H
#define LIGER_CXL_OBSERVER_H

#include "cxl/emulation.h"
#include "cxl/port.h"
#include "cxl/region.h"

struct observer {
	struct region region;
	struct pod_emulation emulation;
};

/* `mode` as emulation_mode() gives it; NULL: memory as it is. LG_OK; LG_NOTFOUND; LG_MISMATCH (also: a mode is named, and a member runs under
 * another); LG_INVALID; LG_SYSTEM. */
int observer_open(struct observer *observer, const char *uri, const char *mode, struct lg_error *err);
void observer_port(struct observer *observer, struct cxl_port *port);
void observer_close(struct observer *observer);

#endif
