/* region_header.c: where everything lies in a pod, and the header that says so.
 *
 * The geometry is a function of the configuration alone. So the header is checked by computing it again: a region whose
 * header passes has every part where this build would put it.
 */
#include "cxl/region_private.h"

#include <inttypes.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* At least one extent for a host's directory and one for its frames; one block of words for rows and one for leaves. */
enum { MIN_EXTENTS_PER_HOST = 2, MIN_BLOCKS_PER_HOST = 2 };

static const uint64_t HWCC_MAX_BYTES = UINT64_C(1) << 34; /* word_idx has 32 bits: half of what it reaches */
static const uint64_t SWCC_MAX_BYTES = UINT64_C(1) << 47;

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

uint64_t pod_layout_hash(void)
{
	const uint64_t constants[] = {
	        POD_MAGIC,
	        POD_FORMAT_VERSION,
	        LINE_BYTES,
	        LINE_PAYLOAD_BYTES,
	        HUGE_PAGE_BYTES,
	        EXTENT_BYTES,
	        WORDS_PER_BLOCK,
	        WORD_BLOCK_BYTES,
	        CHANNEL_LINES,
	        CHANNEL_BYTES,
	        CATALOG_BYTES,
	        HOST_ROOT_BYTES,
	        POD_CLOCK_OFFSET,
	        POD_CATALOG_ROOT_OFFSET,
	        POD_MEMBERS_OFFSET,
	        POD_DOORBELLS_OFFSET,
	        POD_PARTITIONS_OFFSET,
	        POD_OWNERS_OFFSET,
	        OWNER_TAKEN,
	        CATALOG_ENTRY_LINES,
	        CATALOG_SPLITS_OFFSET,
	        CATALOG_SPLITS_PER_LINE,
	        CATALOG_MAX_SPLITS,
	        DIRECTORY_SLOTS_PER_LINE,
	        DIRECTORY_SLOTS_PER_EXTENT,
	        DIRECTORY_EXTENTS_PER_LINE,
	        DIRECTORY_MAX_EXTENTS,
	        DIRECTORY_ROOT_LINES,
	        STATS_OFFSET_IN_ROOT,
	        FRAME_MAX_LINES,
	        LG_MAX_HOSTS,
	        LG_MAX_TABLES,
	        LG_MAX_PARTITIONS,
	        LG_MAX_KEY_BYTES,
	        LG_MAX_VALUE_BYTES,
	        LG_MAX_NAME_BYTES,
	        sizeof(struct pod_header),
	        sizeof(struct pod_clock),
	        sizeof(struct pod_catalog_root),
	        sizeof(struct pod_member),
	        sizeof(struct redo_head),
	        sizeof(struct redo_write),
	        sizeof(struct redo_place),
	        REDO_FORMAT,
	        offsetof(struct pod_member, oldest_epoch),
	        offsetof(struct pod_member, log_epoch),
	        sizeof(struct pod_doorbell),
	        sizeof(struct catalog_entry),
	        offsetof(struct catalog_entry, by),
	        sizeof(struct directory_slot),
	        sizeof(struct directory_root),
	        sizeof(struct host_usage),
	        sizeof(struct frame_head),
	        offsetof(struct frame_head, val_bytes),
	        offsetof(struct frame_head, key_bytes),
	        offsetof(struct frame_head, line_count),
	        offsetof(struct frame_head, table),
	};
	return XXH3_64bits(constants, sizeof constants);
}

/* None at all makes no sense; more than the limit is beyond it. */
static int beyond(uint32_t wanted, uint32_t most)
{
	return wanted > most ? LG_LIMIT : LG_INVALID;
}

static int config_check(const struct lg_pod_config *config, struct lg_error *err)
{
	if (config->hosts < 1 || config->hosts > LG_MAX_HOSTS)
		return error_set(err, beyond(config->hosts, LG_MAX_HOSTS), "a pod has 1 to %d hosts, not %u",
		        LG_MAX_HOSTS, config->hosts);
	if (config->partitions < 1 || config->partitions > LG_MAX_PARTITIONS)
		return error_set(err, beyond(config->partitions, LG_MAX_PARTITIONS),
		        "a pod has 1 to %d partitions, not %u", LG_MAX_PARTITIONS, config->partitions);
	if (config->epoch_ms < 1 || config->epoch_ms > 1000)
		return error_set(err, LG_INVALID, "an epoch has 1 to 1000 ms, not %u", config->epoch_ms);
	if (config->durability != LG_DURABILITY_NONE && config->durability != LG_DURABILITY_CXL &&
	        config->durability != LG_DURABILITY_DISK)
		return error_set(err, LG_INVALID,
		        "this version knows the durability none (0), cxl (1) and disk (2), not %d",
		        (int)config->durability);
	if (config->durability == LG_DURABILITY_DISK && !config->data)
		return error_set(err, LG_INVALID, "a pod of durability disk needs a data directory for its logs");
	if (config->durability == LG_DURABILITY_NONE && config->data)
		return error_set(err, LG_INVALID,
		        "a pod of durability none keeps no logs: a data directory makes sense with cxl or disk");
	if (config->durability != LG_DURABILITY_NONE &&
	        (config->redo_workers < 1 || config->redo_workers > LG_MAX_WORKERS))
		return error_set(err, beyond(config->redo_workers, LG_MAX_WORKERS),
		        "1 to %d workers of a host have a redo ring, not %u", LG_MAX_WORKERS, config->redo_workers);
	if (config->durability != LG_DURABILITY_NONE &&
	        (config->redo_ring_bytes < REDO_RING_MIN_BYTES || config->redo_ring_bytes > REDO_RING_MAX_BYTES ||
	                config->redo_ring_bytes % 4096))
		return error_set(err, LG_INVALID,
		        "a redo ring of %u bytes: it must be a multiple of 4 KiB, from %d KiB to %d MiB",
		        config->redo_ring_bytes, REDO_RING_MIN_BYTES >> 10, REDO_RING_MAX_BYTES >> 20);
	if (config->hwcc_bytes == 0 || config->hwcc_bytes % HUGE_PAGE_BYTES || config->hwcc_bytes > HWCC_MAX_BYTES)
		return error_set(err, LG_INVALID,
		        "the hardware-coherent part has %" PRIu64 " bytes: it must be a multiple of 2 MiB, from 2 MiB "
		        "to %" PRIu64 " GiB",
		        config->hwcc_bytes, HWCC_MAX_BYTES >> 30);
	if (config->swcc_bytes == 0 || config->swcc_bytes % HUGE_PAGE_BYTES || config->swcc_bytes > SWCC_MAX_BYTES)
		return error_set(err, LG_INVALID,
		        "the software-coherent part has %" PRIu64 " bytes: it must be a multiple of 2 MiB, from 2 MiB "
		        "to %" PRIu64 " TiB",
		        config->swcc_bytes, SWCC_MAX_BYTES >> 40);
	return LG_OK;
}

/* Gives as many blocks as fit into HWcc, together with their owner words. */
static int place_blocks(struct pod_geometry *g, struct lg_error *err)
{
	uint64_t least = MIN_BLOCKS_PER_HOST * g->host_count;
	uint64_t needed =
	        round_up(round_up(g->block_owners_offset + least * 8, WORD_BLOCK_BYTES) + least * WORD_BLOCK_BYTES,
	                HUGE_PAGE_BYTES);
	if (g->hwcc_bytes < needed)
		return error_set(err, LG_NOSPACE,
		        "the hardware-coherent part of %" PRIu64 " MiB is too small for %u hosts and %" PRIu64
		        " extents: it needs %" PRIu64 " MiB",
		        g->hwcc_bytes >> 20, g->host_count, g->extent_count, needed >> 20);
	g->block_count = (g->hwcc_bytes - g->block_owners_offset) / (WORD_BLOCK_BYTES + 8);
	for (;; g->block_count--) { /* twice at most: rounding up the start of the words may cost one block */
		g->words_offset = round_up(g->block_owners_offset + g->block_count * 8, WORD_BLOCK_BYTES);
		if (g->words_offset + g->block_count * WORD_BLOCK_BYTES <= g->hwcc_bytes)
			return LG_OK;
	}
}

int pod_geometry_compute(const struct lg_pod_config *config, struct pod_geometry *geometry, struct lg_error *err)
{
	int code = config_check(config, err);
	if (code)
		return code;
	struct pod_geometry g = {.region_bytes = config->hwcc_bytes + config->swcc_bytes,
	        .hwcc_bytes = config->hwcc_bytes,
	        .swcc_bytes = config->swcc_bytes,
	        .host_count = config->hosts,
	        .partition_count = config->partitions,
	        .epoch_ms = config->epoch_ms,
	        .durability = (uint32_t)config->durability};
	g.catalog_offset = g.hwcc_bytes;
	g.roots_offset = g.catalog_offset + CATALOG_BYTES;
	g.channels_offset = g.roots_offset + (uint64_t)g.host_count * HOST_ROOT_BYTES;
	uint64_t channels_end =
	        g.channels_offset + (uint64_t)g.host_count * g.host_count * CHANNEL_LANES * CHANNEL_BYTES;
	g.redo_offset = round_up(channels_end, 4096);
	g.logged = config->data != NULL;
	g.life = g.logged;
	if (config->durability != LG_DURABILITY_NONE) {
		g.redo_workers = config->redo_workers;
		g.redo_ring_bytes = config->redo_ring_bytes;
	}
	uint64_t redo_end = g.redo_offset + (uint64_t)g.host_count * g.redo_workers * g.redo_ring_bytes;
	g.extents_offset = round_up(redo_end, EXTENT_BYTES);
	uint64_t needed =
	        round_up(g.extents_offset - g.hwcc_bytes + (uint64_t)MIN_EXTENTS_PER_HOST * g.host_count * EXTENT_BYTES,
	                HUGE_PAGE_BYTES);
	if (g.swcc_bytes < needed)
		return error_set(err, LG_NOSPACE,
		        "the software-coherent part of %" PRIu64 " MiB is too small for %u hosts: it needs %" PRIu64
		        " MiB",
		        g.swcc_bytes >> 20, g.host_count, needed >> 20);
	g.extent_count = (g.region_bytes - g.extents_offset) / EXTENT_BYTES;
	g.extent_owners_offset = POD_OWNERS_OFFSET;
	g.block_owners_offset = g.extent_owners_offset + g.extent_count * 8;
	code = place_blocks(&g, err);
	if (!code)
		*geometry = g;
	return code;
}

static uint64_t header_checksum(const struct pod_header *header)
{
	size_t from = offsetof(struct pod_header, format_version);
	return XXH3_64bits((const uint8_t *)header + from, offsetof(struct pod_header, checksum) - from);
}

void pod_header_fill(struct pod_header *header, const struct pod_geometry *g)
{
	header->format_version = POD_FORMAT_VERSION;
	header->header_bytes = sizeof *header;
	header->layout_hash = pod_layout_hash();
	header->cookie = g->cookie;
	header->region_bytes = g->region_bytes;
	header->hwcc_bytes = g->hwcc_bytes;
	header->swcc_bytes = g->swcc_bytes;
	header->host_count = g->host_count;
	header->partition_count = g->partition_count;
	header->epoch_ms = g->epoch_ms;
	header->durability = g->durability;
	header->extent_owners_offset = g->extent_owners_offset;
	header->extent_count = g->extent_count;
	header->block_owners_offset = g->block_owners_offset;
	header->block_count = g->block_count;
	header->words_offset = g->words_offset;
	header->catalog_offset = g->catalog_offset;
	header->roots_offset = g->roots_offset;
	header->channels_offset = g->channels_offset;
	header->redo_workers = g->redo_workers;
	header->redo_ring_bytes = g->redo_ring_bytes;
	header->life = g->life;
	header->redo_offset = g->redo_offset;
	header->redo_bytes = (uint64_t)g->host_count * g->redo_workers * g->redo_ring_bytes;
	header->extents_offset = g->extents_offset;
	header->checksum = header_checksum(header);
}

/* Magic, version, layout and checksum: whether the other fields can be trusted to mean what we think. */
static int verify_identity(const char *uri, uint64_t magic, const struct pod_header *h, struct lg_error *err)
{
	if (magic == POD_MAGIC_UNFINISHED)
		return error_set(err, LG_MISMATCH,
		        "%s is a pod whose creation or destruction was not finished; remove it with `liger pod "
		        "destroy`",
		        uri);
	if (magic != POD_MAGIC)
		return error_set(err, LG_MISMATCH, "%s is not a pod: its magic is %016" PRIx64 ", not %016" PRIx64, uri,
		        magic, POD_MAGIC);
	if (h->format_version != POD_FORMAT_VERSION || h->header_bytes != sizeof *h)
		return error_set(err, LG_MISMATCH,
		        "%s has pod format %u (header of %u bytes), this library (" LG_VERSION
		        ") knows format %d (%zu bytes); use the version that created it, or destroy and create it anew",
		        uri, h->format_version, h->header_bytes, POD_FORMAT_VERSION, sizeof *h);
	if (h->layout_hash != pod_layout_hash())
		return error_set(err, LG_MISMATCH,
		        "%s was created by a build with another layout (hash %016" PRIx64 ", here %016" PRIx64
		        "); use the same build on all hosts, or destroy and create it anew",
		        uri, h->layout_hash, pod_layout_hash());
	if (h->checksum != header_checksum(h))
		return error_set(err, LG_MISMATCH,
		        "the header of %s is damaged: its checksum is %016" PRIx64 ", its bytes make %016" PRIx64
		        "; destroy the pod and create it anew",
		        uri, h->checksum, header_checksum(h));
	return LG_OK;
}

int pod_header_verify(const char *uri, const struct pod_header *mapped, uint64_t file_bytes, uint64_t expect_cookie,
        struct pod_geometry *geometry, struct lg_error *err)
{
	/* [header.magic] Acquire; pairs with region_create(): who sees the magic sees the whole header. */
	uint64_t magic = atomic_load_explicit(&mapped->magic, memory_order_acquire);
	struct pod_header h, expected = {0};
	racy_copy_out(&h, mapped, sizeof h); /* what is checked is what is used, whatever happens to the region */
	int code = verify_identity(uri, magic, &h, err);
	if (code)
		return code;
	if (h.region_bytes != file_bytes)
		return error_set(err, LG_MISMATCH,
		        "%s was created with %" PRIu64 " bytes and has %" PRIu64
		        " now: it was truncated or extended; destroy it and create it anew",
		        uri, h.region_bytes, file_bytes);
	struct lg_pod_config config = {.hosts = h.host_count,
	        .partitions = h.partition_count,
	        .hwcc_bytes = h.hwcc_bytes,
	        .swcc_bytes = h.swcc_bytes,
	        .epoch_ms = h.epoch_ms,
	        .durability = (enum lg_durability)h.durability,
	        .redo_workers = h.redo_workers,
	        .redo_ring_bytes = h.redo_ring_bytes,
	        .data = h.life ? "" : NULL}; /* where is for each host to know */
	struct lg_error why = {0};
	if (pod_geometry_compute(&config, geometry, &why))
		return error_set(err, LG_MISMATCH, "the header of %s describes no pod: %.300s", uri, why.message);
	geometry->cookie = h.cookie;
	geometry->life = h.life;
	pod_header_fill(&expected, geometry);
	size_t from = offsetof(struct pod_header, format_version);
	if (memcmp((uint8_t *)&h + from, (uint8_t *)&expected + from, sizeof h - from) || h.cookie == 0)
		return error_set(err, LG_MISMATCH,
		        "the header of %s contradicts itself: its parts do not lie where its sizes put them; destroy "
		        "the pod "
		        "and create it anew",
		        uri);
	if (expect_cookie && expect_cookie != h.cookie)
		return error_set(err, LG_MISMATCH,
		        "%s is another incarnation of the pod: its cookie is %016" PRIx64 ", expected was %016" PRIx64
		        "; it was destroyed and created anew meanwhile: open it without expect_cookie to join the new "
		        "one",
		        uri, h.cookie, expect_cookie);
	return LG_OK;
}
