/* message.h: what hosts ask each other, and the answers. Requests for data and data, never votes.
 *
 * All lengths and numbers in a message are input from pod memory: the handlers check them (serve.c, request.c).
 */
#ifndef LIGER_ENGINE_MESSAGE_H
#define LIGER_ENGINE_MESSAGE_H

#include "cxl/channel.h"
#include "engine/btree.h"
#include "engine/directory.h"

enum message_type {
	MESSAGE_MOVE_IN = 1, /* struct move_in_request -> struct move_in_reply */
	MESSAGE_SCAN,        /* struct scan_request -> struct scan_reply */
	MESSAGE_REPLY,
};

enum reply_status {
	REPLY_OK,
	REPLY_NOTFOUND, /* move-in: no such key; the leaf tells when that changes */
	REPLY_BUSY,     /* the row is being written; try again */
	REPLY_WAIT,     /* space is being freed; end the transaction and try again */
	REPLY_NOSPACE,
	REPLY_CORRUPT, /* the row's frame contradicts its word */
	REPLY_REFUSED, /* not the owner, no such table, nonsense */
	REPLY_STATUS_COUNT
};

enum move_in_flags {
	MOVE_IN_INSERT = 1,  /* a key that does not exist gets a placeholder */
	MOVE_IN_SCANNED = 2, /* the requester has scanned here: tell what the insert did to the leaf */
};

struct move_in_request {
	struct message_head head;
	uint8_t table, flags;
	uint16_t key_bytes;
	uint32_t min_val_bytes; /* the frame must have room for such a value */
	uint8_t key[LG_MAX_KEY_BYTES];
};

/* A leaf as a remote transaction remembers it. word 0: none. */
struct leaf_mark {
	uint64_t version;
	word_idx word;
	uint32_t unused;
};

struct move_in_reply {
	struct message_head head;
	uint64_t frame;
	uint64_t directory_generation;
	uint64_t
	        old_version; /* the word's version before and after, which differ if the frame was exchanged for a larger one */
	uint64_t new_version;
	struct leaf_mark leaf;  /* NOTFOUND: validates the absence. INSERT: the leaf before the insert */
	struct leaf_mark after; /* INSERT and SCANNED: the same leaf after it */
	struct leaf_mark split; /* and its new neighbour */
	word_idx word;
	uint8_t status, unused[3];
};

enum scan_request_flags { SCAN_REVERSE = 1, SCAN_BEHIND = 2 /* forward: without the bound itself */ };

struct scan_request {
	struct message_head head;
	uint8_t table, flags; /* enum scan_request_flags */
	uint16_t partition;
	uint16_t limit; /* rows wanted, 1..BTREE_LEAF_ROWS */
	uint16_t bound_bytes;
	uint8_t bound[LG_MAX_KEY_BYTES]; /* forward: keys >= it, or > it; reverse: keys < it; empty: from the end */
	uint16_t stop_bytes;
	uint8_t stop[LG_MAX_KEY_BYTES]; /* forward: keys < it; reverse: keys >= it; empty: to the other end */
};

/* Rows of one leaf, in scan order, then where to go on. */
struct scan_reply {
	struct message_head head;
	uint64_t directory_generation;
	struct leaf_mark leaf;
	uint8_t status;
	uint8_t last; /* nothing more in this partition before `stop` */
	uint16_t row_count;
	uint16_t bound_bytes; /* of the bound that follows the rows */
	uint16_t unused;
	struct {
		uint32_t frame_low, frame_high; /* line number */
		word_idx word;
	} rows[BTREE_LEAF_ROWS];
	/* bound: bound_bytes bytes right after rows[row_count - 1] */
	uint8_t room_for_bound[LG_MAX_KEY_BYTES];
};
static_assert(sizeof(struct scan_reply) <= MESSAGE_MAX_BYTES && sizeof(struct scan_request) <= MESSAGE_MAX_BYTES &&
                      sizeof(struct move_in_request) <= MESSAGE_MAX_BYTES,
        "every message fits");

#endif
