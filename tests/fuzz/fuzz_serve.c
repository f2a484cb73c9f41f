/* fuzz_serve.c: what another host sends (src/cxl/channel.c, src/engine/serve.c). The input is messages in the lane of
 * requests from host 1 to host 0: [kind, 1 byte][count, 2 bytes][bytes]...; kind even: a message of that length, whose
 * bytes from the type on are the input's; odd: lines with the tags that are expected, and in them anything. */
#include "engine/request.h"
#include "fuzz/fuzz.h"

#include <string.h>

enum { HOSTS = 2, ROWS = 100 };

static struct fuzz_pod pod;
static struct lg_host *host[HOSTS];
static struct lg_table *table[HOSTS];
static struct lg_worker *worker[HOSTS];

static void expect(int code, const char *what)
{
	if (code != LG_OK)
		fuzz_fail("%s: %s", what, lg_strerror(code));
}

static int write_rows(struct lg_txn *txn, void *argument)
{
	int code = LG_OK;
	for (unsigned i = 0; i < ROWS && code == LG_OK; i++) {
		uint8_t key[8] = {(uint8_t)(i * 5), 'k', (uint8_t)i};
		code = lg_put(txn, argument, lg_slice(key, sizeof key), lg_slice("a value of some bytes", i % 20));
	}
	return code;
}

static void open_hosts(void)
{
	static const uint64_t splits[] = {UINT64_C(1) << 63};
	struct lg_table_def ranged = {.name = "ranged", .by = LG_RANGE, .partitions = 2, .splits = splits};
	struct lg_pod_config pod_config;
	struct lg_host_config config;
	struct lg_error err;
	fuzz_pod_config(&pod_config);
	pod_config.durability = LG_DURABILITY_NONE;
	fuzz_pod_make(&pod, &pod_config);
	lg_host_config_init(&config);
	for (unsigned id = 0; id < HOSTS; id++) {
		config.host_id = id;
		expect(lg_host_open(pod.uri, &config, &host[id], &err), "lg_host_open");
		expect(lg_table_create(host[id], &ranged, &table[id], &err), "lg_table_create");
		expect(lg_worker_open(host[id], &worker[id], &err), "lg_worker_open");
	}
	/* From host 1, so that the channels are open when the first input comes. */
	expect(lg_run(worker[1], write_rows, table[1]), "lg_run");
}

/* As channel_send() does, but the length in the head is the input's. */
static void send_raw(struct channel_end *end, struct lg_slice from)
{
	struct cxl_port *port = &worker[1]->port;
	union {
		struct message_head head;
		uint8_t bytes[MESSAGE_MAX_BYTES + 64];
	} message = {0};
	uint32_t lines = message_lines((uint32_t)from.bytes);
	memcpy(message.bytes, from.data, from.bytes);
	for (uint32_t i = 0; i < lines; i++) {
		/* One line is one message to the sender; the receiver sees what its head says. */
		uint64_t position = end->position;
		struct message_head line = {.bytes = LINE_PAYLOAD_BYTES};
		uint8_t buffer[LINE_PAYLOAD_BYTES * 2] = {0};
		memcpy(buffer, &line, sizeof line);
		channel_send(port, end, (const void *)buffer);
		pod_off offset = end->offset + position % CHANNEL_LINES * LINE_BYTES;
		memcpy(pod.map + offset, message.bytes + (size_t)i * LINE_PAYLOAD_BYTES, LINE_PAYLOAD_BYTES);
	}
}

static void send(struct fuzz_input *input)
{
	struct cxl_port *port = &worker[1]->port;
	struct channel_end *end = &host[1]->peers[0].send[LANE_REQUESTS];
	union {
		struct message_head head;
		uint8_t bytes[MESSAGE_MAX_BYTES + 64];
	} message = {0};
	unsigned kind = (unsigned)fuzz_number(input, 1);
	struct lg_slice body = fuzz_bytes(input, fuzz_number(input, 2) % (MESSAGE_MAX_BYTES + 1));
	if (body.bytes < sizeof message.head || !channel_has_room(port, end, MESSAGE_MAX_LINES))
		return;
	if (kind % 2) {
		send_raw(end, body);
		return;
	}
	memcpy(message.bytes, body.data, body.bytes);
	message.head.bytes = (uint16_t)body.bytes;
	channel_send(port, end, &message.head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input input = {data, bytes};
	if (!pod.map)
		open_hosts();
	while (input.bytes > 3) {
		spin_take(&host[1]->peers[0].send_lock);
		send(&input);
		spin_drop(&host[1]->peers[0].send_lock);
		doorbell_ring(&worker[1]->port, 0, 1);
		lg_worker_poll(worker[0]);
		lg_worker_poll(worker[1]);
	}
	return 0;
}
