/* channel.c: messages between two hosts. The protocol stands in channel.h; the line's edge is [line.publish] in line.h. */
#include "cxl/channel.h"

enum { GENERATION_SHIFT = 48, ACKNOWLEDGE_LINES = CHANNEL_LINES / 4 };
#define SEQUENCE_MASK ((UINT64_C(1) << GENERATION_SHIFT) - 1)

static_assert((CHANNEL_LINES & (CHANNEL_LINES - 1)) == 0, "a line's place is its number modulo a power of two");
static_assert(MESSAGE_MAX_LINES + ACKNOWLEDGE_LINES <= CHANNEL_LINES,
        "the longest message fits before the next acknowledgement is due");

pod_off channel_offset(const struct pod_geometry *geometry, unsigned from, unsigned to, enum channel_lane lane)
{
	assert(from < geometry->host_count && to < geometry->host_count);
	pod_off pair = (pod_off)from * geometry->host_count + to;
	return geometry->channels_offset + (pair * CHANNEL_LANES + lane) * CHANNEL_BYTES;
}

void channel_end_init(struct channel_end *end, const struct pod_geometry *geometry, unsigned from, unsigned to,
        enum channel_lane lane, uint64_t generation)
{
	*end = (struct channel_end){
	        .offset = channel_offset(geometry, from, to, lane), .generation = generation << GENERATION_SHIFT};
}

static pod_off line_offset(const struct channel_end *end, uint64_t line)
{
	return end->offset + (line & (CHANNEL_LINES - 1)) * LINE_BYTES;
}

static pod_off acknowledgement_offset(const struct channel_end *end)
{
	return end->offset + (pod_off)CHANNEL_LINES * LINE_BYTES;
}

static uint64_t tag_of(const struct channel_end *end, uint64_t line)
{
	return end->generation | ((line + 1) & SEQUENCE_MASK);
}

static bool room_for(const struct channel_end *end, uint32_t lines)
{
	return end->position + lines - end->acknowledged <= CHANNEL_LINES;
}

/* Takes note of an acknowledgement. Whatever the line holds, the result lies between the last one and what was sent. */
static void look_at_acknowledgement(struct cxl_port *port, struct channel_end *end)
{
	pod_off line = acknowledgement_offset(end);
	uint64_t payload[LINE_BYTES / 8];
	line_drop(port, line);
	uint64_t tag = line_look(port, line, payload);
	uint64_t consumed = (tag & SEQUENCE_MASK) - 1;
	port->counts.line_reads++;
	/* Another generation's, or none yet; or it is being written: the next look will see it. */
	if ((tag & ~SEQUENCE_MASK) != end->generation || payload[0] != consumed)
		return;
	if (consumed > end->acknowledged && consumed <= end->position)
		end->acknowledged = consumed;
}

bool channel_has_room(struct cxl_port *port, struct channel_end *end, uint32_t lines)
{
	if (room_for(end, lines))
		return true;
	look_at_acknowledgement(port, end);
	return room_for(end, lines);
}

void channel_send(struct cxl_port *port, struct channel_end *end, const struct message_head *message)
{
	assert(message->bytes >= sizeof *message && message->bytes <= MESSAGE_MAX_BYTES);
	uint32_t lines = message_lines(message->bytes);
	const uint8_t *from = (const uint8_t *)message;
	assert(room_for(end, lines));
	for (uint32_t i = 0; i + 1 < lines; i++)
		line_write(port, line_offset(end, end->position + i), from + (size_t)i * LINE_PAYLOAD_BYTES,
		        tag_of(end, end->position + i));
	/* What lies behind the message in this host's memory is nobody else's business. */
	uint32_t before = (lines - 1) * LINE_PAYLOAD_BYTES;
	uint8_t last[LINE_PAYLOAD_BYTES] = {0};
	memcpy(last, from + before, message->bytes - before);
	line_write(port, line_offset(end, end->position + lines - 1), last, tag_of(end, end->position + lines - 1));
	if (!MUTANT(FENCE_CHANNEL))
		port_fence(port);
	end->position += lines;
}

/* The line that should come next has another tag. It is still empty: zeros, an older generation's line, or the line of a
 * ring ago; everything else was never written by a sender. */
static enum channel_result missing_line(struct cxl_port *port, const struct channel_end *end, uint64_t line)
{
	uint64_t tag = line_fresh_tag(port, line_offset(end, line));
	uint64_t sequence = tag & SEQUENCE_MASK;
	if ((tag & ~SEQUENCE_MASK) != end->generation || sequence == 0)
		return CHANNEL_EMPTY;
	uint64_t expected = tag_of(end, line) & SEQUENCE_MASK;
	if (sequence == expected || sequence + CHANNEL_LINES == expected)
		return CHANNEL_EMPTY; /* it came just now: the next look takes it */
	return CHANNEL_CORRUPT;
}

enum channel_result channel_peek(struct cxl_port *port, struct channel_end *end, void *buffer)
{
	const struct message_head *head = buffer;
	uint8_t *to = buffer;
	if (!line_read(port, line_offset(end, end->position), tag_of(end, end->position), buffer))
		return missing_line(port, end, end->position);
	if (head->bytes < sizeof *head || head->bytes > MESSAGE_MAX_BYTES)
		return CHANNEL_CORRUPT;
	uint32_t lines = message_lines(head->bytes);
	for (uint32_t i = 1; i < lines; i++) {
		uint64_t line = end->position + i;
		if (!line_read(port, line_offset(end, line), tag_of(end, line), to + (size_t)i * LINE_PAYLOAD_BYTES))
			return missing_line(port, end, line);
	}
	return CHANNEL_MESSAGE;
}

void channel_consume(struct channel_end *end, const struct message_head *message)
{
	assert(message->bytes >= sizeof *message && message->bytes <= MESSAGE_MAX_BYTES);
	end->position += message_lines(message->bytes);
}

void channel_resync(struct cxl_port *port, struct channel_end *end)
{
	uint64_t last = end->position;
	for (uint32_t i = 0; i < CHANNEL_LINES; i++) {
		uint64_t line = end->position + i;
		if (line_fresh_tag(port, line_offset(end, line)) == tag_of(end, line))
			last = line + 1;
	}
	end->position = last;
}

void channel_acknowledge(struct cxl_port *port, struct channel_end *end, bool now)
{
	uint64_t payload[LINE_PAYLOAD_BYTES / 8] = {end->position};
	uint64_t since = end->position - end->acknowledged;
	if (since == 0 || (!now && since < ACKNOWLEDGE_LINES))
		return;
	line_write(port, acknowledgement_offset(end), payload, tag_of(end, end->position));
	if (!MUTANT(FENCE_ACKNOWLEDGEMENT))
		port_fence(port);
	end->acknowledged = end->position;
}
