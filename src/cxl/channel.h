/* channel.h: a single-producer single-consumer ring of tagged lines, one for each ordered pair of hosts and
 * each of two lanes: requests and replies. A reply never waits behind a request, so replies can always be taken.
 *
 *   line n % CHANNEL_LINES, tag = n + 1 where n counts lines from the two hosts' joining on; the last line is the
 *   consumer's: payload = how many lines it has consumed, tag = the same + 1.
 *
 * A message is whole lines: the first starts with struct message_head, which tells its length in bytes.
 * Send: all lines of the message are written and written back, one fence, then the doorbell.
 * Receive: while the next line has the expected tag, take the message. A tag that does not match is fetched anew once.
 * The sender does not touch a line again until it was acknowledged, so a receiver needs no second look.
 * Crash: a sender leaves at most the first lines of a message, which is never received.
 *
 * Positions survive neither end: when a host of the pair has (re)joined, both hosts call channel_end_init() again. Each
 * direction carries the sum of both hosts' incarnations in its tags' upper bits, so that an old line is never taken for
 * a new one. Incarnations only grow, so no sum comes twice.
 *
 * Threads: the caller holds the lock of the sending or receiving end (one host has many workers).
 * Input from pod memory: lengths and types are checked by channel_peek() and by the handlers.
 */
#ifndef LIGER_CXL_CHANNEL_H
#define LIGER_CXL_CHANNEL_H

#include "cxl/line.h"

enum { MESSAGE_MAX_BYTES = 40 * LINE_PAYLOAD_BYTES, MESSAGE_MAX_LINES = 40 };

struct message_head {
	uint16_t bytes; /* of the whole message, this head included */
	uint8_t type;   /* enum message_type, engine/message.h */
	uint8_t flags;
	uint32_t request; /* a request's number, repeated by its reply */
};
static_assert(sizeof(struct message_head) == 8, "the message's format");

/* One end of one direction; private memory of the host that has this end. */
struct channel_end {
	pod_off offset;
	uint64_t generation;   /* upper 16 bits of the tags */
	uint64_t position;     /* lines sent, or consumed */
	uint64_t acknowledged; /* sender: lines known to be consumed; receiver: lines told to be consumed */
};

enum channel_lane { LANE_REQUESTS, LANE_REPLIES };

pod_off channel_offset(const struct pod_geometry *geometry, unsigned from, unsigned to, enum channel_lane lane);
/* Either end, when a host of the pair has (re)joined: generation = sum of the incarnations of both. */
void channel_end_init(struct channel_end *end, const struct pod_geometry *geometry, unsigned from, unsigned to,
        enum channel_lane lane, uint64_t generation);

/* Whether a message of `lines` lines fits now; looks at the acknowledgement line when it seems not to. */
bool channel_has_room(struct cxl_port *port, struct channel_end *end, uint32_t lines);
/* Writes a message for which there is room. Does not ring. The rest of its last line is zeros. */
void channel_send(struct cxl_port *port, struct channel_end *end, const struct message_head *message);

enum channel_result { CHANNEL_EMPTY, CHANNEL_MESSAGE, CHANNEL_CORRUPT };
/* Copies the next message to buffer (MESSAGE_MAX_BYTES + 8 bytes) without consuming it. */
enum channel_result channel_peek(struct cxl_port *port, struct channel_end *end, void *buffer);
/* Consumes what channel_peek() returned. */
void channel_consume(struct channel_end *end, const struct message_head *message);
/* After CHANNEL_CORRUPT: forgets the messages that are in the ring, for there is no telling where one ends. What asked for
 * an answer runs into its timeout. A message that is being sent meanwhile may be cut: its rest is corrupt too, or has a
 * head that the handlers refuse. */
void channel_resync(struct cxl_port *port, struct channel_end *end);
/* Tells the sender how far this end has come, if it has come a quarter of the ring or `now`. */
void channel_acknowledge(struct cxl_port *port, struct channel_end *end, bool now);

static inline uint32_t message_lines(uint32_t bytes)
{
	return (bytes + LINE_PAYLOAD_BYTES - 1) / LINE_PAYLOAD_BYTES;
}

#endif
