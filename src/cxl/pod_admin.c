/* pod_admin.c: the public calls on a pod that need no host: destroy and info (create, which may have a data directory: recovery/restart.c). */
#include <stdio.h>

#include "cxl/catalog.h"
#include "cxl/emulation.h"
#include "cxl/extent.h"
#include "cxl/observer.h"
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
	        .durability = LG_DURABILITY_NONE,
	        .redo_workers = 16,
	        .redo_ring_bytes = 512 << 10};
}

int lg_pod_destroy(const char *uri, bool force, struct lg_error *err)
{
	return region_destroy(uri, NULL, force, err);
}

int lg_pod_destroy_emulated(const char *uri, const char *emulate, bool force, struct lg_error *err)
{
	return region_destroy(uri, emulate, force, err);
}

static void member_info(struct cxl_port *port, unsigned host, struct lg_member_info *m)
{
	struct host_usage usage;
	m->state = member_state(port, host, &m->incarnation);
	m->heartbeat = member_heartbeat(port, host);
	m->pid = member_pid(port, host);
	m->oldest_epoch = member_oldest(port, host);
	if (port->geometry->logged) {
		m->logged_epoch = member_log_word(port, host, MEMBER_LOG_EPOCH);
		m->sealed_epoch = member_log_word(port, host, MEMBER_SEALED_EPOCH);
		m->checkpoint_epoch = member_log_word(port, host, MEMBER_CHECKPOINT_EPOCH);
	}
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

static void read_info(struct cxl_port *port, struct lg_pod_info *info)
{
	const struct pod_geometry *g = port->geometry;
	info->config = (struct lg_pod_config){.hosts = g->host_count,
	        .partitions = g->partition_count,
	        .hwcc_bytes = g->hwcc_bytes,
	        .swcc_bytes = g->swcc_bytes,
	        .epoch_ms = g->epoch_ms,
	        .durability = (enum lg_durability)g->durability,
	        .redo_workers = g->redo_workers,
	        .redo_ring_bytes = g->redo_ring_bytes};
	info->cookie = g->cookie;
	info->epoch = epoch_load(port);
	info->logged = g->logged;
	info->durable_epoch = g->logged ? member_pod_durable(port) : 0;
	info->region_bytes = g->region_bytes;
	info->hwcc_fixed_bytes = g->words_offset;
	info->swcc_fixed_bytes = g->extents_offset - g->hwcc_bytes;
	info->hwcc_free_bytes = claim_count_free(port, CLAIM_WORDS) * WORD_BLOCK_BYTES;
	info->swcc_free_bytes = claim_count_free(port, CLAIM_EXTENT) * EXTENT_BYTES;
	info->table_count = catalog_count(port);
	for (unsigned host = 0; host < g->host_count; host++)
		member_info(port, host, &info->member[host]);
	for (uint32_t p = 0; p < g->partition_count; p++) {
		unsigned owner = partition_owner(port, p);
		info->partition_owner[p] = (uint8_t)owner;
		info->member[owner].partitions++;
	}
}

int lg_pod_info_emulated(const char *uri, const char *emulate, struct lg_pod_info *info, struct lg_error *err)
{
	struct observer observer;
	struct cxl_port port;
	memset(info, 0, sizeof *info);
	int code = observer_open(&observer, uri, emulation_mode(emulate), err);
	if (code)
		return code;
	observer_port(&observer, &port);
	read_info(&port, info);
	info->page_bytes = observer.region.page_bytes;
	snprintf(info->emulation, sizeof info->emulation, "%s", emu_pod_name(observer.emulation.pod));
	observer_close(&observer);
	return LG_OK;
}

int lg_pod_adopt(const char *uri, uint32_t by, uint32_t dead, const char *emulate, struct lg_error *err)
{
	struct pod_emulation emulation;
	struct region region;
	struct cxl_port port;
	int code = emulation_check(uri ? uri : "", emulation_mode(emulate), err);
	if (code == LG_OK)
		code = region_attach(uri, 0, &region, err);
	if (code != LG_OK)
		return code;
	uint32_t hosts = region.geometry.host_count;
	code = emulation_begin(&emulation, &region, emulation_mode(emulate), EMU_OBSERVER, err);
	if (code == LG_OK) {
		port_init(&port, region.base, &region.geometry);
		port_emulate(&port, emulation.pod);
		if (by >= hosts || dead >= hosts || by == dead)
			code = error_set(
			        err, LG_INVALID, "hosts %u and %u: this pod has hosts 0..%u", by, dead, hosts - 1);
		else if (!region.geometry.logged)
			code = error_set(
			        err, LG_INVALID, "this pod has no data directory: no host can rebuild another's rows");
		else if (member_state(&port, by, NULL) != LG_MEMBER_LIVE)
			code = error_set(err, LG_INVALID, "host %u is not running", by);
		else if (member_state(&port, dead, NULL) != LG_MEMBER_DEAD &&
		         member_state(&port, dead, NULL) != LG_MEMBER_LEFT)
			code = error_set(err, LG_INVALID, "host %u has not died, nor left", dead);
		else
			member_set_log_word(&port, dead, MEMBER_ADOPTER, by + 1);
		emulation_end(&emulation, &region);
	}
	region_detach(&region);
	return code;
}

int lg_pod_info(const char *uri, struct lg_pod_info *info, struct lg_error *err)
{
	return lg_pod_info_emulated(uri, NULL, info, err);
}
