/* request.h: asking another host, and waiting for the answer while serving the others. */
#ifndef LIGER_ENGINE_REQUEST_H
#define LIGER_ENGINE_REQUEST_H

#include "engine/mover.h"

/* Sends a request to `owner` and waits for its reply, which lies in the worker's mailbox until the next request.
 * `request` is readable to a multiple of 56 bytes; its head is filled in here.
 * LG_OK, *reply has at least `reply_bytes` bytes; LG_UNAVAILABLE: the owner is no member, or did not answer in time;
 * LG_CORRUPT: the reply makes no sense. */
int request_ask(struct lg_worker *w, unsigned owner, struct message_head *request, uint32_t request_bytes,
        enum message_type type, const void **reply, uint32_t reply_bytes);

/* A reply is at most this long. */
enum { REPLY_MAX_LINES = (sizeof(struct scan_reply) + LINE_PAYLOAD_BYTES - 1) / LINE_PAYLOAD_BYTES };

/* Connects both ends of the channels to `peer`, if it is live. False: it is not. */
bool peer_connect(struct lg_worker *w, unsigned peer);

#endif
