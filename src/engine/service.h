/* service.h: a host's service thread: heartbeat, epoch, space, and messages when no worker polls. */
#ifndef LIGER_ENGINE_SERVICE_H
#define LIGER_ENGINE_SERVICE_H

#include "engine/host.h"

/* LG_OK; LG_SYSTEM. */
int service_start(struct lg_worker *service, struct lg_error *err);
void service_stop(struct lg_worker *service);

#endif
