/* channel_test.c: messages arrive once, whole and in order, and nothing that lies in the ring can hurt the receiver. */
#include "unit/unit_pod.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "cxl/channel.h"

union message {
	struct message_head head;
	uint8_t bytes[MESSAGE_MAX_BYTES + 8];
};

struct pair {
	struct channel_end sender, receiver;
};

static struct pair pair_of(const struct unit_pod *pod, uint64_t generation)
{
	struct pair p;
	channel_end_init(&p.sender, &pod->region.geometry, 0, 1, LANE_REQUESTS, generation);
	channel_end_init(&p.receiver, &pod->region.geometry, 0, 1, LANE_REQUESTS, generation);
	return p;
}

/* Message `number`: its size and content follow from the number. */
static uint16_t size_of(uint64_t number)
{
	uint64_t state = number;
	return (uint16_t)(sizeof(struct message_head) +
	                  pod_random(&state) % (MESSAGE_MAX_BYTES - sizeof(struct message_head) + 1));
}

static void make(union message *m, uint64_t number, uint16_t bytes)
{
	m->head = (struct message_head){.bytes = bytes, .type = 3, .request = (uint32_t)number};
	pod_fill(m->bytes + sizeof m->head, bytes - sizeof m->head, number);
}

static bool is(const union message *m, uint64_t number, uint16_t bytes)
{
	struct lg_slice body = lg_slice(m->bytes + sizeof m->head, bytes - sizeof m->head);
	return m->head.bytes == bytes && m->head.type == 3 && m->head.request == (uint32_t)number &&
	       pod_filled(body, bytes - sizeof m->head, number);
}

static void receive(struct unit_pod *pod, struct pair *p, uint64_t number, uint16_t bytes)
{
	union message m;
	assert_int_equal(channel_peek(&pod->port, &p->receiver, &m), CHANNEL_MESSAGE);
	assert_true(is(&m, number, bytes));
	channel_consume(&p->receiver, &m.head);
}

static void messages_of_every_size_arrive_whole(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	for (uint16_t bytes = sizeof m.head; bytes <= MESSAGE_MAX_BYTES; bytes++) {
		make(&m, bytes, bytes);
		assert_true(channel_has_room(&pod->port, &p.sender, message_lines(bytes)));
		channel_send(&pod->port, &p.sender, &m.head);
		receive(pod, &p, bytes, bytes);
		channel_acknowledge(&pod->port, &p.receiver, false);
	}
	assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_EMPTY);
	assert_true(p.sender.position > 100 * CHANNEL_LINES);
}

static void a_peeked_message_stays_until_it_is_consumed(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	make(&m, 1, 100);
	channel_send(&pod->port, &p.sender, &m.head);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_MESSAGE);
		assert_true(is(&m, 1, 100));
	}
	channel_consume(&p.receiver, &m.head);
	assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_EMPTY);
}

static void a_message_carries_nothing_that_lies_behind_it(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	static const uint8_t zeros[LINE_PAYLOAD_BYTES];
	for (uint16_t bytes = sizeof m.head; bytes <= 3 * LINE_PAYLOAD_BYTES; bytes++) {
		size_t end = (size_t)message_lines(bytes) * LINE_PAYLOAD_BYTES;
		memset(&m, 0xa5, sizeof m);
		make(&m, bytes, bytes);
		channel_send(&pod->port, &p.sender, &m.head);
		memset(&m, 0x5a, sizeof m);
		assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_MESSAGE);
		assert_true(is(&m, bytes, bytes));
		assert_memory_equal(m.bytes + bytes, zeros, end - bytes);
		channel_consume(&p.receiver, &m.head);
		channel_acknowledge(&pod->port, &p.receiver, true);
		assert_true(channel_has_room(&pod->port, &p.sender, CHANNEL_LINES));
	}
}

static void a_full_ring_has_no_room_until_the_receiver_acknowledges(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	uint64_t sent = 0, received = 0;
	for (int lap = 0; lap < 20; lap++) {
		while (channel_has_room(&pod->port, &p.sender, message_lines(size_of(sent)))) {
			make(&m, sent, size_of(sent));
			channel_send(&pod->port, &p.sender, &m.head);
			sent++;
		}
		assert_true(sent > received);
		while (channel_peek(&pod->port, &p.receiver, &m) == CHANNEL_MESSAGE) {
			assert_true(is(&m, received, size_of(received)));
			received++;
			channel_consume(&p.receiver, &m.head);
		}
		assert_int_equal(received, sent);
		/* Consumed, but the sender has not been told of the rest. */
		assert_false(channel_has_room(&pod->port, &p.sender, CHANNEL_LINES));
		channel_acknowledge(&pod->port, &p.receiver, true);
		assert_true(channel_has_room(&pod->port, &p.sender, CHANNEL_LINES));
		assert_false(channel_has_room(&pod->port, &p.sender, CHANNEL_LINES + 1));
	}
}

static void a_receiver_acknowledges_a_quarter_of_the_ring_at_a_time(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	for (uint64_t i = 0; i < CHANNEL_LINES / 4; i++) {
		uint64_t before = pod->port.counts.line_writes;
		channel_acknowledge(&pod->port, &p.receiver, false);
		assert_int_equal(pod->port.counts.line_writes, before);
		make(&m, i, 8);
		channel_send(&pod->port, &p.sender, &m.head);
		receive(pod, &p, i, 8);
	}
	channel_acknowledge(&pod->port, &p.receiver, false);
	assert_int_equal(p.receiver.acknowledged, CHANNEL_LINES / 4);
}

static void lines_of_an_older_generation_are_never_taken(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	/* Leave messages and an acknowledgement of generation 2 behind. */
	make(&m, 1, MESSAGE_MAX_BYTES);
	channel_send(&pod->port, &p.sender, &m.head);
	receive(pod, &p, 1, MESSAGE_MAX_BYTES);
	channel_acknowledge(&pod->port, &p.receiver, true);
	make(&m, 2, MESSAGE_MAX_BYTES);
	channel_send(&pod->port, &p.sender, &m.head);
	for (uint64_t generation = 3; generation < 6; generation++) {
		p = pair_of(pod, generation);
		assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_EMPTY);
		make(&m, generation, 200);
		channel_send(&pod->port, &p.sender, &m.head);
		receive(pod, &p, generation, 200);
		assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_EMPTY);
		assert_false(channel_has_room(&pod->port, &p.sender, CHANNEL_LINES));
		assert_int_equal(p.sender.acknowledged, 0);
	}
}

/* Rewrites the first line of the only message, tag and all: bytes that a sender never writes. */
static enum channel_result with_length(struct unit_pod *pod, uint16_t length)
{
	static uint64_t generation = 100;
	struct pair p = pair_of(pod, ++generation);
	union message m;
	make(&m, 1, 100);
	channel_send(&pod->port, &p.sender, &m.head);
	m.head.bytes = length;
	line_write(&pod->port, p.sender.offset, &m, p.sender.generation | 1);
	return channel_peek(&pod->port, &p.receiver, &m);
}

static void a_length_that_no_message_has_is_corrupt(void **state)
{
	struct unit_pod *pod = *state;
	assert_int_equal(with_length(pod, 0), CHANNEL_CORRUPT);
	assert_int_equal(with_length(pod, sizeof(struct message_head) - 1), CHANNEL_CORRUPT);
	assert_int_equal(with_length(pod, MESSAGE_MAX_BYTES + 1), CHANNEL_CORRUPT);
	assert_int_equal(with_length(pod, UINT16_MAX), CHANNEL_CORRUPT);
	assert_int_equal(with_length(pod, 100), CHANNEL_MESSAGE);
	/* A possible length that is too long: the rest has not come yet, for all that can be known. */
	assert_int_equal(with_length(pod, MESSAGE_MAX_BYTES), CHANNEL_EMPTY);
}

static void a_tag_of_this_generation_that_no_lap_has_is_corrupt(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	make(&m, 1, 100);
	line_write(&pod->port, p.sender.offset, &m, p.sender.generation | 12345);
	assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_CORRUPT);
}

static void after_a_resync_the_next_message_arrives(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	for (uint64_t i = 0; i < 1000; i++) {
		make(&m, i, size_of(i));
		assert_true(channel_has_room(&pod->port, &p.sender, message_lines(m.head.bytes)));
		uint64_t at = p.sender.position;
		channel_send(&pod->port, &p.sender, &m.head);
		if (i % 3 == 0) {
			m.head.bytes = 0;
			line_write(&pod->port, p.sender.offset + at % CHANNEL_LINES * LINE_BYTES, &m,
			        p.sender.generation | (at + 1));
			assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_CORRUPT);
			channel_resync(&pod->port, &p.receiver);
			assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_EMPTY);
		} else {
			receive(pod, &p, i, size_of(i));
		}
		channel_acknowledge(&pod->port, &p.receiver, true);
	}
}

static void an_acknowledgement_of_what_was_never_sent_makes_no_room(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	union message m;
	uint64_t payload[7];
	while (channel_has_room(&pod->port, &p.sender, 1)) {
		make(&m, 1, 8);
		channel_send(&pod->port, &p.sender, &m.head);
	}
	const uint64_t claims[] = {CHANNEL_LINES + 1, UINT32_MAX, (UINT64_C(1) << 48) - 2};
	for (size_t i = 0; i < 3; i++) {
		memset(payload, 0, sizeof payload);
		payload[0] = claims[i];
		line_write(&pod->port, p.sender.offset + CHANNEL_LINES * LINE_BYTES, payload,
		        p.sender.generation | (claims[i] + 1));
		assert_false(channel_has_room(&pod->port, &p.sender, 1));
	}
	payload[0] = 10; /* and the tag says 20 */
	line_write(&pod->port, p.sender.offset + CHANNEL_LINES * LINE_BYTES, payload, p.sender.generation | 21);
	assert_false(channel_has_room(&pod->port, &p.sender, 1));
}

static void a_receiver_survives_any_bytes_in_the_ring(void **state)
{
	struct unit_pod *pod = *state;
	uint64_t random = pod_seed(), scribbles = pod_scaled(20000);
	struct pair p = pair_of(pod, 2);
	union message m;
	for (uint64_t i = 0; i < scribbles; i++) {
		uint64_t payload[7];
		for (int w = 0; w < 7; w++)
			payload[w] = pod_random(&random);
		uint64_t line = p.receiver.position + pod_random(&random) % 4;
		uint64_t tag = pod_random(&random) % 8 ? p.receiver.generation | (line + 1) : pod_random(&random);
		if (pod_random(&random) % 2) /* a length that passes now and then */
			((uint8_t *)payload)[1] = (uint8_t)(pod_random(&random) % 10);
		line_write(&pod->port, p.receiver.offset + line % CHANNEL_LINES * LINE_BYTES, payload, tag);
		enum channel_result result = channel_peek(&pod->port, &p.receiver, &m);
		if (result == CHANNEL_CORRUPT)
			channel_resync(&pod->port, &p.receiver);
		else if (result == CHANNEL_MESSAGE)
			channel_consume(&p.receiver, &m.head);
		channel_acknowledge(&pod->port, &p.receiver, false);
	}
}

static void the_channels_of_all_pairs_are_apart(void **state)
{
	struct unit_pod *pod = *state;
	const struct pod_geometry *g = &pod->region.geometry;
	for (unsigned i = 0; i < 8; i++) {
		pod_off offset = channel_offset(g, i / 4, i / 2 % 2, i % 2);
		assert_int_equal(offset, g->channels_offset + i * CHANNEL_BYTES);
		assert_int_equal(offset % LINE_BYTES, 0);
	}
}

struct sender {
	struct cxl_port port;
	struct channel_end end;
	uint64_t count;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;
	union message m;
	for (uint64_t i = 0; i < s->count; i++) {
		make(&m, i, size_of(i));
		while (!channel_has_room(&s->port, &s->end, message_lines(m.head.bytes)))
			sched_yield();
		channel_send(&s->port, &s->end, &m.head);
	}
	return NULL;
}

static void two_threads_exchange_messages_in_order(void **state)
{
	struct unit_pod *pod = *state;
	struct pair p = pair_of(pod, 2);
	struct sender s = {unit_pod_port(pod), p.sender, pod_scaled(20000)};
	pthread_t thread;
	union message m;
	assert_int_equal(pthread_create(&thread, NULL, send_all, &s), 0);
	bool right = true;
	for (uint64_t i = 0; i < s.count && right;) {
		enum channel_result result = channel_peek(&pod->port, &p.receiver, &m);
		if (result == CHANNEL_EMPTY) {
			channel_acknowledge(&pod->port, &p.receiver, true);
			sched_yield();
			continue;
		}
		right = result == CHANNEL_MESSAGE && is(&m, i, size_of(i));
		channel_consume(&p.receiver, &m.head);
		channel_acknowledge(&pod->port, &p.receiver, false);
		i++;
	}
	assert_true(right);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(channel_peek(&pod->port, &p.receiver, &m), CHANNEL_EMPTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        UNIT_TEST(messages_of_every_size_arrive_whole),
	        UNIT_TEST(a_peeked_message_stays_until_it_is_consumed),
	        UNIT_TEST(a_message_carries_nothing_that_lies_behind_it),
	        UNIT_TEST(a_full_ring_has_no_room_until_the_receiver_acknowledges),
	        UNIT_TEST(a_receiver_acknowledges_a_quarter_of_the_ring_at_a_time),
	        UNIT_TEST(lines_of_an_older_generation_are_never_taken),
	        UNIT_TEST(a_length_that_no_message_has_is_corrupt),
	        UNIT_TEST(a_tag_of_this_generation_that_no_lap_has_is_corrupt),
	        UNIT_TEST(after_a_resync_the_next_message_arrives),
	        UNIT_TEST(an_acknowledgement_of_what_was_never_sent_makes_no_room),
	        UNIT_TEST(a_receiver_survives_any_bytes_in_the_ring),
	        UNIT_TEST(the_channels_of_all_pairs_are_apart),
	        UNIT_TEST(two_threads_exchange_messages_in_order),
	};
	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
