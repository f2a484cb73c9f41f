/* check_fixed.c: what lies at a fixed place: clock, members, catalog, partition map, doorbells, channels. See check.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "cxl/channel.h"
#include "recovery/check.h"

/* ---- Members ---- */

static enum check_host judge(const struct check *check, unsigned host, enum lg_member_state state)
{
	switch (state) {
	case LG_MEMBER_FREE:
	case LG_MEMBER_LEFT: return CHECK_AWAY;
	case LG_MEMBER_RECOVERING:
	case LG_MEMBER_DEAD: return CHECK_GONE;
	case LG_MEMBER_JOINING:
	case LG_MEMBER_LIVE:
	case LG_MEMBER_LEAVING: break;
	}
	return member_process(&check->port, host) == MEMBER_GONE ? CHECK_GONE : CHECK_HERE;
}

static void check_member_state(struct check *check, struct check_place *place, enum lg_member_state state)
{
	unsigned host = (unsigned)place->host, by = (unsigned)(place->seen >> 8 & 0xff);
	bool recovering = state == LG_MEMBER_RECOVERING;
	place->rule = "member.state";
	if ((place->seen & 0xff) > LG_MEMBER_DEAD)
		check_find(check, place, "host %u has the state %" PRIu64 ", which there is not", host,
		        place->seen & 0xff);
	else if (recovering ? by < 1 || by > check->geometry->host_count : by != 0)
		check_find(check, place, "host %u has %u for its recoverer's number", host, by);
	else if (state == LG_MEMBER_LIVE && member_pid(&check->port, host) <= 0)
		check_find(check, place, "host %u is live without a process", host);
	place->rule = "member.dead";
	if (check->hosts[host] == CHECK_GONE && state != LG_MEMBER_DEAD)
		check_find(check, place, "host %u has died and is not recovered yet", host);
}

static void check_member(struct check *check, unsigned host)
{
	uint64_t oldest = member_oldest(&check->port, host);
	enum lg_member_state state = member_state(&check->port, host, &check->incarnations[host]);
	struct check_place place = {.offset = POD_MEMBERS_OFFSET + (pod_off)host * sizeof(struct pod_member),
	        .seen = member_state_word(&check->port, host),
	        .host = (int)host,
	        .table = -1};
	check->hosts[host] = judge(check, host, state);
	check->report.members += check->hosts[host] == CHECK_HERE;
	check->report.dead_hosts += check->hosts[host] == CHECK_GONE;
	check_member_state(check, &place, state);
	place.rule = "member.oldest";
	place.seen = oldest;
	/* After it: the epoch only grows. */
	uint64_t epoch = epoch_load(&check->port);
	if (oldest > epoch && (oldest != UINT64_MAX || state == LG_MEMBER_LIVE))
		check_find(check, &place,
		        "the oldest transaction of host %u is of epoch %" PRIu64 ", but the pod is in %" PRIu64, host,
		        oldest, epoch);
}

void check_members(struct check *check)
{
	for (unsigned host = 0; host < check->geometry->host_count; host++)
		check_member(check, host);
}

/* ---- Clock, partition map, doorbells ---- */

static void check_clock(struct check *check)
{
	uint64_t priority = priority_load(&check->port), epoch = epoch_load(&check->port);
	unsigned host = (unsigned)(priority >> 8 & 0xff), worker = (unsigned)(priority & 0xff);
	struct check_place place = {.rule = "clock.epoch",
	        .offset = POD_CLOCK_OFFSET + offsetof(struct pod_clock, epoch),
	        .seen = check->epoch,
	        .host = -1,
	        .table = -1};
	if (check->epoch == 0)
		check_find(check, &place, "the epoch is 0; it begins at 1");
	place = (struct check_place){.rule = "clock.priority",
	        .offset = POD_CLOCK_OFFSET + offsetof(struct pod_clock, priority),
	        .seen = priority,
	        .host = -1,
	        .table = -1};
	if (priority == 0)
		return;
	if (worker < 1 || worker > LG_MAX_WORKERS || host >= check->geometry->host_count || priority >> 16 > epoch)
		check_find(check, &place, "the priority %#" PRIx64 " names no worker of this pod, or a time to come",
		        priority);
	else if (!priority_expired(priority, epoch) && check->hosts[host] == CHECK_AWAY)
		check_find(check, &place, "host %u, which is no member, holds the pod's priority", host);
}

static void check_partitions(struct check *check)
{
	struct check_place place = {.rule = "partition.owner", .host = -1, .table = -1};
	for (uint32_t p = 0; p < check->geometry->partition_count; p++) {
		place.offset = POD_PARTITIONS_OFFSET + (pod_off)p * 8;
		/* Acquire: [partition.place] */
		place.seen = port_word_load(&check->port, place.offset, memory_order_acquire);
		if (place.seen >= check->geometry->host_count)
			check_find(check, &place, "partition %u belongs to host %" PRIu64 ", but the pod has %u hosts",
			        p, place.seen, check->geometry->host_count);
	}
}

static void check_doorbells(struct check *check)
{
	struct check_place place = {.rule = "doorbell.sender", .table = -1};
	for (unsigned host = 0; host < check->geometry->host_count; host++) {
		uint64_t senders = doorbell_look(&check->port, host);
		place.offset = POD_DOORBELLS_OFFSET + (pod_off)host * sizeof(struct pod_doorbell);
		place.host = (int)host;
		place.seen = senders;
		for (unsigned from = 0; from < LG_MAX_HOSTS; from++)
			if ((senders >> from & 1) &&
			        (from >= check->geometry->host_count || !check->incarnations[from]))
				check_find(check, &place, "host %u has rung at host %u, but never was a member", from,
				        host);
	}
}

/* ---- Catalog ---- */

static void check_table(struct check *check, uint32_t id)
{
	struct lg_error err = {0};
	struct catalog_table *table = &check->tables[id].def;
	struct check_place place = {.rule = "catalog.entry",
	        .offset = check->geometry->catalog_offset + (pod_off)id * CATALOG_ENTRY_LINES * LINE_BYTES,
	        .host = -1,
	        .table = (int)id};
	int code = catalog_read(&check->port, id, table, &err);
	if (code == LG_NOSPACE)
		check->no_memory = true;
	else if (code)
		check_find(check, &place, "table %u is damaged", id);
	bool ascending = true;
	for (uint32_t i = 1; table->splits && i + 1 < table->partitions; i++)
		ascending &= table->splits[i - 1] < table->splits[i];
	if (!ascending)
		check_find(check, &place, "the splits of table %u do not ascend", id);
	for (uint32_t other = 0; table->name[0] && other < id; other++)
		if (!strcmp(check->tables[other].def.name, table->name))
			check_find(check, &place, "tables %u and %u have one name, %s", other, id, table->name);
}

static void check_catalog(struct check *check)
{
	const pod_off root = POD_CATALOG_ROOT_OFFSET;
	/* Acquire: [catalog.count], [catalog.lock] */
	uint64_t lock =
	        port_word_load(&check->port, root + offsetof(struct pod_catalog_root, lock), memory_order_acquire);
	uint64_t count = port_word_load(
	        &check->port, root + offsetof(struct pod_catalog_root, table_count), memory_order_acquire);
	uint64_t splits = port_word_load(
	        &check->port, root + offsetof(struct pod_catalog_root, split_count), memory_order_acquire);
	struct check_place place = {.rule = "catalog.lock",
	        .offset = root + offsetof(struct pod_catalog_root, lock),
	        .seen = lock,
	        .host = -1,
	        .table = -1};
	if (lock > check->geometry->host_count)
		check_find(check, &place, "the catalog's lock is %" PRIu64 ", which is no host's", lock);
	else if (lock && check->hosts[lock - 1] != CHECK_HERE)
		check_find(check, &place, "host %" PRIu64 " holds the catalog's lock, but is no live member", lock - 1);
	place.rule = "catalog.count";
	place.offset = root + offsetof(struct pod_catalog_root, table_count);
	place.seen = count;
	if (count > LG_MAX_TABLES)
		check_find(check, &place, "the catalog counts %" PRIu64 " tables; at most %d are possible", count,
		        LG_MAX_TABLES);
	place.offset = root + offsetof(struct pod_catalog_root, split_count);
	place.seen = splits;
	if (splits % CATALOG_SPLITS_PER_LINE || splits > CATALOG_MAX_SPLITS)
		check_find(check, &place, "the catalog counts %" PRIu64 " splits, which cannot be", splits);
	if (count > LG_MAX_TABLES)
		return; /* there is no telling which entries are tables */
	check->report.tables = count;
	for (uint32_t id = 0; id < check->report.tables; id++)
		check_table(check, id);
}

/* ---- Channels ---- */

enum { GENERATION_SHIFT = 48 };
#define SEQUENCE_MASK ((UINT64_C(1) << GENERATION_SHIFT) - 1)

/* The tags' upper bits are the sum of both hosts' incarnations, which only grow: none is above that of now. */
static bool generation_possible(uint64_t tag, uint64_t sum)
{
	return sum >> (64 - GENERATION_SHIFT) || tag >> GENERATION_SHIFT <= sum;
}

static void check_lane(struct check *check, unsigned from, unsigned to, enum channel_lane lane)
{
	pod_off begin = channel_offset(check->geometry, from, to, lane);
	uint64_t sum = check->incarnations[from] + check->incarnations[to];
	struct check_place place = {.rule = "channel.tag", .host = (int)from, .table = -1};
	check_forget_lines(check, begin, CHANNEL_BYTES);
	for (uint64_t i = 0; i < CHANNEL_LINES; i++) {
		place.offset = begin + i * LINE_BYTES;
		uint64_t tag = place.seen = line_tag(&check->port, place.offset);
		check->report.channel_lines += tag != 0;
		if (tag && (!(tag & SEQUENCE_MASK) || ((tag & SEQUENCE_MASK) - 1) % CHANNEL_LINES != i ||
		                   !generation_possible(tag, sum)))
			check_find(check, &place,
			        "line %" PRIu64 " of the channel from host %u to host %u has the tag %#" PRIx64
			        ", which no message gave it",
			        i, from, to, tag);
	}
	uint64_t payload[LINE_BYTES / 8];
	place.offset = begin + (pod_off)CHANNEL_LINES * LINE_BYTES;
	place.rule = "channel.acknowledgement";
	uint64_t tag = place.seen = line_tag(&check->port, place.offset);
	line_copy_out(&check->port, place.offset, payload);
	/* Who died in the middle of it leaves half a line, which nobody takes: look_at_acknowledgement() in channel.c. */
	bool whole = check->hosts[to] != CHECK_GONE && tag >> GENERATION_SHIFT == (sum & 0xffff);
	if (tag && ((whole && (tag & SEQUENCE_MASK) - 1 != payload[0]) || !generation_possible(tag, sum)))
		check_find(check, &place,
		        "the acknowledgement of the channel from host %u to host %u says %" PRIu64
		        " lines under the tag %#" PRIx64,
		        from, to, payload[0], tag);
}

static void check_channels(struct check *check)
{
	unsigned hosts = check->geometry->host_count;
	for (unsigned from = 0; from < hosts; from++)
		for (unsigned to = 0; to < hosts; to++)
			for (unsigned lane = 0; lane < CHANNEL_LANES; lane++)
				check_lane(check, from, to, (enum channel_lane)lane);
}

void check_fixed(struct check *check)
{
	check_clock(check);
	check_partitions(check);
	check_doorbells(check);
	check_catalog(check);
	check_channels(check);
}
