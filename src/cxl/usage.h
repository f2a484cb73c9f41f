/* usage.h: what each host says of its own use of memory, for `liger pod info`. */
#ifndef LIGER_CXL_USAGE_H
#define LIGER_CXL_USAGE_H

#include "cxl/line.h"

/* Publishes this host's figures. `counter` is never 0 and grows with every call, over all incarnations of the host
 * (incarnation << 32 | calls will do). One thread of the host at a time. */
void usage_publish(struct cxl_port *port, unsigned host, const struct host_usage *usage, uint64_t counter);

/* Reads a host's figures. False: it has published none, or publishes them all the time; *usage is all zeros then. A
 * reader that meets a writer may get some figures of the next counter: they are for people, and nothing rests on them. */
bool usage_read(struct cxl_port *port, unsigned host, struct host_usage *usage);

#endif
