/* pod_admin.c: the public calls on a pod that need no host: create, destroy, info. */
#include "cxl/catalog.h"
#include "cxl/extent.h"
#include "cxl/pod.h"
#include "cxl/region_private.h"
#include "cxl/usage.h"

void lg_pod_config_init(struct lg_pod_config *config)
{
	*config = (struct lg_pod_config){.hosts = 2,
	        .partitions = 64,
	        .hwcc_bytes = UINT64_C(64) << 20,
	        .swcc_bytes = UINT64_C(1) << 30,
	        .epoch_ms = 10,
	        .durability = LG_DURABILITY_NONE};
}

int lg_pod_create(const char *uri, const struct lg_pod_config *config, struct lg_error *err)
{
	if (!config)
		return error_set(
		        err, LG_INVALID, "lg_pod_create() needs a configuration: lg_pod_config_init() makes one");
	return region_create(uri, config, err);
}

int lg_pod_destroy(const char *uri, bool force, struct lg_error *err)
{
	return region_destroy(uri, force, err);
}

static void member_info(struct cxl_port *port, unsigned host, struct lg_member_info *m)
{
	struct host_usage usage;
	m->state = member_state(port, host, &m->incarnation);
	m->heartbeat = member_heartbeat(port, host);
	m->pid = member_pid(port, host);
	m->oldest_epoch = member_oldest(port, host);
	m->hwcc_claimed_bytes = claim_count_owned(port, CLAIM_WORDS, host) * WORD_BLOCK_BYTES;
	m->swcc_claimed_bytes = claim_count_owned(port, CLAIM_EXTENT, host) * EXTENT_BYTES;
	if (m->pid == 0)
		return; /* what it published belongs to an earlier incarnation */
	usage_read(port, host, &usage);
	m->hwcc_row_bytes = usage.hwcc_row_bytes;
	m->hwcc_leaf_bytes = usage.hwcc_leaf_bytes;
	m->swcc_frame_bytes = usage.swcc_frame_bytes;
	m->swcc_directory_bytes = usage.swcc_directory_bytes;
	m->swcc_payload_bytes = usage.swcc_payload_bytes;
	m->shared_rows = usage.shared_rows;
	m->dram_bytes = usage.dram_bytes;
}

int lg_pod_info(const char *uri, struct lg_pod_info *info, struct lg_error *err)
{
	struct region region;
	struct cxl_port port;
	memset(info, 0, sizeof *info);
	int code = region_attach_read_only(uri, &region, err);
	if (code)
		return code;
	const struct pod_geometry *g = &region.geometry;
	port_init(&port, region.base, g);
	info->config = (struct lg_pod_config){.hosts = g->host_count,
	        .partitions = g->partition_count,
	        .hwcc_bytes = g->hwcc_bytes,
	        .swcc_bytes = g->swcc_bytes,
	        .epoch_ms = g->epoch_ms,
	        .durability = (enum lg_durability)g->durability};
	info->cookie = g->cookie;
	info->epoch = epoch_load(&port);
	info->region_bytes = g->region_bytes;
	info->hwcc_fixed_bytes = g->words_offset;
	info->swcc_fixed_bytes = g->extents_offset - g->hwcc_bytes;
	info->hwcc_free_bytes = claim_count_free(&port, CLAIM_WORDS) * WORD_BLOCK_BYTES;
	info->swcc_free_bytes = claim_count_free(&port, CLAIM_EXTENT) * EXTENT_BYTES;
	info->page_bytes = region.page_bytes;
	info->table_count = catalog_count(&port);
	for (unsigned host = 0; host < g->host_count; host++)
		member_info(&port, host, &info->member[host]);
	for (uint32_t p = 0; p < g->partition_count; p++) {
		unsigned owner = partition_owner(&port, p);
		info->partition_owner[p] = (uint8_t)owner;
		info->member[owner].partitions++;
	}
	region_detach(&region);
	return LG_OK;
}
