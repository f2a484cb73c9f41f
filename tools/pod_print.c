/* pod_print.c: see pod_print.h. */
#include "pod_print.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>

/* The numbers of a member that add up over the pod. */
struct usage {
	uint64_t hwcc_row, hwcc_leaf, hwcc_claimed;
	uint64_t swcc_frame, swcc_directory, swcc_claimed, swcc_payload;
	uint64_t shared_rows, dram;
};

static struct usage sum_usage(const struct lg_pod_info *info)
{
	struct usage sum = {0};

	for (uint32_t i = 0; i < info->config.hosts; i++) {
		const struct lg_member_info *m = &info->member[i];
		sum.hwcc_row += m->hwcc_row_bytes;
		sum.hwcc_leaf += m->hwcc_leaf_bytes;
		sum.hwcc_claimed += m->hwcc_claimed_bytes;
		sum.swcc_frame += m->swcc_frame_bytes;
		sum.swcc_directory += m->swcc_directory_bytes;
		sum.swcc_claimed += m->swcc_claimed_bytes;
		sum.swcc_payload += m->swcc_payload_bytes;
		sum.shared_rows += m->shared_rows;
		sum.dram += m->dram_bytes;
	}
	return sum;
}

static const char *member_state_name(enum lg_member_state state)
{
	switch (state) {
	case LG_MEMBER_FREE: return "free";
	case LG_MEMBER_JOINING: return "joining";
	case LG_MEMBER_LIVE: return "live";
	case LG_MEMBER_LEAVING: return "leaving";
	case LG_MEMBER_LEFT: return "left";
	case LG_MEMBER_RECOVERING: return "recovering";
	case LG_MEMBER_DEAD: return "dead";
	}
	return "unknown";
}

/* ---- Text ---- */

/* An epoch, or "-" for the greatest number, which stands for none. */
static const char *epoch_text(uint64_t epoch, char text[24])
{
	snprintf(text, 24, epoch == UINT64_MAX ? "-" : "%" PRIu64, epoch);
	return text;
}

static void print_logs(FILE *out, const struct lg_pod_info *info)
{
	char logged[24];

	fprintf(out, "\n%-6s %14s %14s %16s\n", "host", "logged epoch", "sealed epoch", "checkpoint epoch");
	for (uint32_t i = 0; i < info->config.hosts; i++) {
		const struct lg_member_info *m = &info->member[i];
		if (m->state != LG_MEMBER_FREE)
			fprintf(out, "%-6u %14s %14" PRIu64 " %16" PRIu64 "\n", i, epoch_text(m->logged_epoch, logged),
			        m->sealed_epoch, m->checkpoint_epoch);
	}
}

static void print_members(FILE *out, const struct lg_pod_info *info)
{
	uint32_t free_count = 0;

	fprintf(out, "\n%-6s %-8s %11s %8s %12s %12s %10s %11s %10s\n", "host", "state", "incarnation", "pid",
	        "heartbeat", "oldest epoch", "partitions", "shared rows", "DRAM MiB");
	for (uint32_t i = 0; i < info->config.hosts; i++) {
		const struct lg_member_info *m = &info->member[i];
		char oldest[24];

		if (m->state == LG_MEMBER_FREE) {
			free_count++;
			continue;
		}
		fprintf(out, "%-6u %-8s %11" PRIu64 " %8" PRId32 " %12" PRIu64 " %12s %10u %11" PRIu64 " %10.1f\n", i,
		        member_state_name(m->state), m->incarnation, m->pid, m->heartbeat,
		        epoch_text(m->oldest_epoch, oldest), m->partitions, m->shared_rows,
		        (double)m->dram_bytes / (1 << 20));
	}
	if (free_count)
		fprintf(out, "%u of %u host ids are free\n", free_count, info->config.hosts);
}

static void print_bytes(FILE *out, const char *kind, uint64_t bytes)
{
	fprintf(out, "  %-24s %14" PRIu64 " bytes %10.1f MiB\n", kind, bytes, (double)bytes / (1 << 20));
}

static void print_budgets(FILE *out, const struct lg_pod_info *info)
{
	struct usage sum = sum_usage(info);

	fprintf(out, "\nHWcc\n");
	print_bytes(out, "all", info->config.hwcc_bytes);
	print_bytes(out, "fixed", info->hwcc_fixed_bytes);
	print_bytes(out, "claimed by hosts", sum.hwcc_claimed);
	print_bytes(out, "  words of rows", sum.hwcc_row);
	print_bytes(out, "  words of leaves", sum.hwcc_leaf);
	print_bytes(out, "free", info->hwcc_free_bytes);
	fprintf(out, "\nSWcc\n");
	print_bytes(out, "all", info->config.swcc_bytes);
	print_bytes(out, "fixed", info->swcc_fixed_bytes);
	print_bytes(out, "claimed by hosts", sum.swcc_claimed);
	print_bytes(out, "  frames", sum.swcc_frame);
	print_bytes(out, "    keys and values", sum.swcc_payload);
	print_bytes(out, "  directories", sum.swcc_directory);
	print_bytes(out, "free", info->swcc_free_bytes);
}

/* The next of `count` partitions, from `from` on, that `host` owns; `count` when there is none. */
static uint32_t next_owned(const struct lg_pod_info *info, uint32_t host, uint32_t from)
{
	uint32_t count = info->config.partitions;

	while (from < count && info->partition_owner[from] != host)
		from++;
	return from < count ? from : count;
}

/* Prints the partitions of one host as ranges: "0-31", or "0-62/2" for every second of them. */
static void print_owned(FILE *out, const struct lg_pod_info *info, uint32_t host)
{
	uint32_t count = info->config.partitions;
	uint32_t first = next_owned(info, host, 0);
	const char *separator = "";

	while (first < count) {
		uint32_t last = first, next = next_owned(info, host, first + 1);
		uint32_t step = next - first, steps = 0;
		while (next < count && next - last == step) {
			last = next;
			steps++;
			next = next_owned(info, host, last + 1);
		}
		/* Two partitions apart are no range: the second may begin one. */
		if (steps == 1 && step > 1) {
			next = last;
			steps = 0;
		}
		fprintf(out, "%s%u", separator, first);
		if (steps > 0)
			fprintf(out, "-%u", last);
		if (steps > 0 && step > 1)
			fprintf(out, "/%u", step);
		separator = ", ";
		first = next;
	}
}

static void print_partitions(FILE *out, const struct lg_pod_info *info)
{
	fprintf(out, "\nPartitions (a-b/s: every s-th from a to b)\n");
	for (uint32_t host = 0; host < LG_MAX_HOSTS; host++) {
		if (next_owned(info, host, 0) == info->config.partitions)
			continue;
		fprintf(out, "  host %-3u ", host);
		print_owned(out, info, host);
		fputc('\n', out);
	}
}

void pod_print_text(FILE *out, const char *uri, const struct lg_pod_info *info)
{
	char durable[24];

	fprintf(out, "pod %s\n", uri);
	fprintf(out, "  cookie      %016" PRIx64 "\n", info->cookie);
	fprintf(out, "  epoch       %" PRIu64 ", %u ms each\n", info->epoch, info->config.epoch_ms);
	fprintf(out, "  region      %" PRIu64 " MiB, mapped here in pages of %u KiB\n", info->region_bytes >> 20,
	        info->page_bytes >> 10);
	fprintf(out, "  durability  %s\n", lg_durability_name(info->config.durability));
	if (info->logged)
		fprintf(out, "  durable     %s\n",
		        info->durable_epoch == UINT64_MAX ? "all: no host writes a log now"
		                                          : epoch_text(info->durable_epoch, durable));
	fprintf(out, "  emulation   %s\n", info->emulation);
	fprintf(out, "  hosts %u, partitions %u, tables %u\n", info->config.hosts, info->config.partitions,
	        info->table_count);
	print_members(out, info);
	if (info->logged)
		print_logs(out, info);
	print_budgets(out, info);
	print_partitions(out, info);
}

/* ---- JSON ---- */

/* cJSON keeps numbers as doubles, which would round what is over 2^53: so they are added as text. */
static bool add_number(cJSON *object, const char *name, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return cJSON_AddRawToObject(object, name, text) != NULL;
}

/* The greatest number stands for none. */
static bool add_epoch(cJSON *object, const char *name, uint64_t epoch)
{
	return epoch == UINT64_MAX ? cJSON_AddNullToObject(object, name) != NULL : add_number(object, name, epoch);
}

struct json_number {
	const char *name;
	uint64_t value;
};

static bool add_numbers(cJSON *object, const struct json_number *numbers, size_t count)
{
	bool ok = true;

	for (size_t i = 0; i < count; i++)
		ok &= add_number(object, numbers[i].name, numbers[i].value);
	return ok;
}

static bool add_member(cJSON *array, uint32_t id, const struct lg_member_info *m)
{
	const struct json_number numbers[] = {
	        {"incarnation", m->incarnation},
	        {"pid", (uint32_t)m->pid},
	        {"heartbeat", m->heartbeat},
	        {"partitions", m->partitions},
	        {"hwcc_row_bytes", m->hwcc_row_bytes},
	        {"hwcc_leaf_bytes", m->hwcc_leaf_bytes},
	        {"hwcc_claimed_bytes", m->hwcc_claimed_bytes},
	        {"swcc_frame_bytes", m->swcc_frame_bytes},
	        {"swcc_directory_bytes", m->swcc_directory_bytes},
	        {"swcc_claimed_bytes", m->swcc_claimed_bytes},
	        {"swcc_payload_bytes", m->swcc_payload_bytes},
	        {"shared_rows", m->shared_rows},
	        {"dram_bytes", m->dram_bytes},
	        {"sealed_epoch", m->sealed_epoch},
	        {"checkpoint_epoch", m->checkpoint_epoch},
	};
	cJSON *object = cJSON_CreateObject();

	if (!object)
		return false;
	if (!cJSON_AddItemToArray(array, object)) {
		cJSON_Delete(object);
		return false;
	}
	bool ok = add_number(object, "host_id", id);
	ok &= cJSON_AddStringToObject(object, "state", member_state_name(m->state)) != NULL;
	ok &= add_epoch(object, "oldest_epoch", m->oldest_epoch);
	ok &= add_epoch(object, "logged_epoch", m->logged_epoch);
	return ok & add_numbers(object, numbers, sizeof(numbers) / sizeof(numbers[0]));
}

static bool add_members(cJSON *root, const struct lg_pod_info *info)
{
	cJSON *array = cJSON_AddArrayToObject(root, "members");
	bool ok = array != NULL;

	for (uint32_t i = 0; ok && i < info->config.hosts; i++)
		ok = info->member[i].state == LG_MEMBER_FREE || add_member(array, i, &info->member[i]);
	return ok;
}

/* partition_owner[p] is the host that owns partition p. */
static bool add_partitions(cJSON *root, const struct lg_pod_info *info)
{
	int owners[LG_MAX_PARTITIONS];

	for (uint32_t i = 0; i < info->config.partitions; i++)
		owners[i] = info->partition_owner[i];
	cJSON *array = cJSON_CreateIntArray(owners, (int)info->config.partitions);
	if (array && cJSON_AddItemToObject(root, "partition_owner", array))
		return true;
	cJSON_Delete(array);
	return false;
}

static cJSON *pod_json(const char *uri, const struct lg_pod_info *info)
{
	struct usage sum = sum_usage(info);
	const struct json_number numbers[] = {
	        {"epoch", info->epoch},
	        {"epoch_ms", info->config.epoch_ms},
	        {"hosts", info->config.hosts},
	        {"partitions", info->config.partitions},
	        {"tables", info->table_count},
	        {"region_bytes", info->region_bytes},
	        {"page_bytes", info->page_bytes},
	        {"hwcc_bytes", info->config.hwcc_bytes},
	        {"hwcc_fixed_bytes", info->hwcc_fixed_bytes},
	        {"hwcc_claimed_bytes", sum.hwcc_claimed},
	        {"hwcc_row_bytes", sum.hwcc_row},
	        {"hwcc_leaf_bytes", sum.hwcc_leaf},
	        {"hwcc_free_bytes", info->hwcc_free_bytes},
	        {"swcc_bytes", info->config.swcc_bytes},
	        {"swcc_fixed_bytes", info->swcc_fixed_bytes},
	        {"swcc_claimed_bytes", sum.swcc_claimed},
	        {"swcc_frame_bytes", sum.swcc_frame},
	        {"swcc_payload_bytes", sum.swcc_payload},
	        {"swcc_directory_bytes", sum.swcc_directory},
	        {"swcc_free_bytes", info->swcc_free_bytes},
	        {"shared_rows", sum.shared_rows},
	        {"dram_bytes", sum.dram},
	};
	char cookie[17];
	cJSON *root = cJSON_CreateObject();

	if (!root)
		return NULL;
	snprintf(cookie, sizeof(cookie), "%016" PRIx64, info->cookie);
	bool ok = cJSON_AddStringToObject(root, "uri", uri) != NULL;
	ok &= cJSON_AddStringToObject(root, "cookie", cookie) != NULL;
	ok &= cJSON_AddStringToObject(root, "emulation", info->emulation) != NULL;
	ok &= cJSON_AddStringToObject(root, "durability", lg_durability_name(info->config.durability)) != NULL;
	ok &= cJSON_AddBoolToObject(root, "logged", info->logged) != NULL;
	ok &= add_epoch(root, "durable_epoch", info->durable_epoch);
	ok &= add_numbers(root, numbers, sizeof(numbers) / sizeof(numbers[0]));
	if (ok && add_members(root, info) && add_partitions(root, info))
		return root;
	cJSON_Delete(root);
	return NULL;
}

bool pod_print_json(FILE *out, const char *uri, const struct lg_pod_info *info)
{
	cJSON *root = pod_json(uri, info);
	char *text = root ? cJSON_Print(root) : NULL;
	bool ok = text && fprintf(out, "%s\n", text) > 0;

	cJSON_free(text);
	cJSON_Delete(root);
	return ok;
}
