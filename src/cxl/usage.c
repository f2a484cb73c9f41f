/* usage.c: a host's figures, two lines with the same tag in its root. */
#include "cxl/usage.h"

enum { USAGE_LINES = sizeof(struct host_usage) / LINE_PAYLOAD_BYTES, USAGE_READ_TRIES = 100 };

static pod_off usage_offset(const struct cxl_port *port, unsigned host)
{
	assert(host < port->geometry->host_count);
	return port->geometry->roots_offset + (pod_off)host * HOST_ROOT_BYTES + STATS_OFFSET_IN_ROOT;
}

void usage_publish(struct cxl_port *port, unsigned host, const struct host_usage *usage, uint64_t counter)
{
	pod_off offset = usage_offset(port, host);
	const uint8_t *from = (const uint8_t *)usage;
	for (int i = 0; i < USAGE_LINES; i++)
		line_write(port, offset + (pod_off)i * LINE_BYTES, from + i * LINE_PAYLOAD_BYTES, counter);
	if (!MUTANT(FENCE_USAGE))
		port_fence(port);
}

bool usage_read(struct cxl_port *port, unsigned host, struct host_usage *usage)
{
	pod_off offset = usage_offset(port, host);
	uint8_t copy[USAGE_LINES * LINE_PAYLOAD_BYTES + LINE_BYTES -
	             LINE_PAYLOAD_BYTES]; /* a line is copied with its tag */
	for (int attempt = 0; attempt < USAGE_READ_TRIES; attempt++) {
		uint64_t tag = line_fresh_tag(port, offset);
		if (tag == 0)
			break;
		bool whole = true;
		for (int i = 0; i < USAGE_LINES && whole; i++)
			whole = line_read(port, offset + (pod_off)i * LINE_BYTES, tag, copy + i * LINE_PAYLOAD_BYTES);
		if (!whole || line_fresh_tag(port, offset) != tag)
			continue;
		memcpy(usage, copy, sizeof *usage);
		return true;
	}
	memset(usage, 0, sizeof *usage);
	return false;
}
