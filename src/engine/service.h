/* service.h: a host's service thread: heartbeat, epoch, space, and messages when no worker polls. */
#ifndef LIGER_ENGINE_SERVICE_H
#define LIGER_ENGINE_SERVICE_H

#include "engine/host.h"

/* LG_OK; LG_SYSTEM. */
int service_start(struct lg_worker *service, struct lg_error *err);
void service_stop(struct lg_worker *service);

/* ---- Implemented above the engine, in src/recovery: the service thread calls them ---- */

/* Attaches host->region. Where there is none, and the host has a data directory and is allowed to, the pod is brought back
 * from its logs first, by this host or by another that starts at the same time. As region_attach() and lg_pod_recover(). */
int recovery_attach(struct lg_host *host, const char *uri, struct lg_error *err);
/* Before the host joins, and after it has left: its log, and what it knows of the others.
 * LG_OK; LG_NOSPACE; LG_INVALID (the pod is logged and the host has no data directory, or the other way round);
 * as manifest_read() and log_writer_open(). */
int recovery_open(struct lg_worker *service, struct lg_error *err);
void recovery_close(struct lg_host *host);
/* Before a host joins: if the last holder of its id is dead, and nobody has recovered it, that is done here. */
void recovery_of_own_id(struct lg_worker *service);
/* When it has joined, and is not live yet: the same for all others whose processes are gone, since they may hold its words. */
void recovery_of_gone(struct lg_worker *service);
/* When a host has joined, and is not live yet: ends what an earlier life under its id left, and rebuilds its rows from the
 * logs. LG_OK; LG_UNAVAILABLE; LG_CORRUPT; LG_NOSPACE; LG_SYSTEM. */
int recovery_return(struct lg_worker *service, struct lg_error *err);
/* If that failed: leaves again, as dead if there is still something of the earlier life. */
void recovery_not_returned(struct lg_worker *service);
/* Each time that the service thread wakes up. True: it shall wake up again soon, something is in flight. */
bool recovery_round(struct lg_worker *service, uint64_t now_ns);
/* When it is live, and before its service thread stops: who makes checkpoints. LG_OK; LG_NOSPACE; LG_SYSTEM. */
int recovery_keep(struct lg_host *host, struct lg_error *err);
void recovery_keep_no_more(struct lg_host *host);
/* When all workers are closed and no other host finds rows here any more: the log's end. LG_OK: the host may be said to have left; else
 * it stays a member that others recover once its process is gone. */
int recovery_leave(struct lg_worker *service);
/* When it cannot leave in order, and writes to the pod no more: the others finish what it had sealed. */
void recovery_give_up(struct lg_worker *service);
/* When it was declared dead. */
void recovery_fenced(struct lg_host *host);
void recovery_stats(const struct lg_host *host, struct lg_stats *stats);

#endif
