/* check_directory.c: every host's directory: its root, its extents, its slots. See check.h.
 *
 * A root outlives the host's membership, and its next incarnation until that publishes a directory of its own: then what
 * it lists is others' by now, and means nothing. The host's own figures (usage.h), which carry its incarnation, tell
 * whether the root is this one's; a root that is not is only counted.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cxl/usage.h"
#include "engine/directory.h"
#include "recovery/check.h"

enum { USAGE_INCARNATION_SHIFT = 32, SLOTS_PER_EXTENT_LOG2 = DIRECTORY_SLOTS_LOG2 };

struct directory_check {
	struct check *check;
	unsigned host;
	struct directory_view view;
	uint32_t extent_count;
};

static pod_off root_of(const struct check *check, unsigned host)
{
	return check->geometry->roots_offset + (pod_off)host * HOST_ROOT_BYTES;
}

/* Whether this incarnation of the host has published a directory. */
static bool is_of_this_incarnation(struct check *check, unsigned host)
{
	struct host_usage usage;
	uint64_t counter = line_fresh_tag(&check->port, root_of(check, host) + STATS_OFFSET_IN_ROOT);
	return usage_read(&check->port, host, &usage) && usage.swcc_directory_bytes &&
	       counter >> USAGE_INCARNATION_SHIFT == check->incarnations[host];
}

/* What the root lists is there, once, and the host's own. */
static bool check_listed(struct directory_check *d)
{
	bool whole = true;
	struct check_place place = {
	        .rule = "directory.extent", .offset = root_of(d->check, d->host), .host = (int)d->host, .table = -1};
	for (uint32_t i = 0; i < d->extent_count; i++) {
		uint32_t extent = atomic_load_explicit(&d->view.extents[i], memory_order_relaxed);
		unsigned owner =
		        extent < d->check->geometry->extent_count ? d->check->extent_owner[extent] : CHECK_NOBODY;
		bool twice = false;
		for (uint32_t j = 0; j < i; j++)
			twice |= atomic_load_explicit(&d->view.extents[j], memory_order_relaxed) == extent;
		if (owner == d->host && !twice)
			continue;
		place.seen = (uint64_t)i << 32 | extent;
		check_find(d->check, &place, "the directory of host %u lists extent %u, %s", d->host, extent,
		        twice ? "twice" : "which is not its own");
		whole = false;
	}
	return whole;
}

/* Whether the rows that were found in frames of this host have the slots that their keys lead to. */
static void look_up_rows(struct directory_check *d)
{
	struct check *check = d->check;
	for (uint64_t block = 0; block < check->geometry->block_count; block++) {
		word_idx first = block_first_word(check->geometry, block);
		struct check_row *rows = check->block_owner[block] == d->host ? check->rows[block] : NULL;
		for (word_idx i = 0; rows && i < WORDS_PER_BLOCK; i++) {
			struct frame_ref refs[DIRECTORY_SLOTS_PER_LINE];
			if (!rows[i].frame || !rows[i].hash)
				continue;
			unsigned count = directory_look(
			        &check->port, &d->view, rows[i].hash, false, refs, DIRECTORY_SLOTS_PER_LINE);
			for (unsigned n = 0; n < count; n++)
				rows[i].in_directory |= refs[n].frame == rows[i].frame && refs[n].word == first + i;
			check->report.rows_without_slot += !rows[i].in_directory;
		}
	}
}

static bool slot_possible(const struct check *check, pod_off frame, uint64_t word)
{
	return word >> 62 == 1 && check_extent_owner(check, frame) != CHECK_NOBODY &&
	       word_idx_valid(&check->port, (word_idx)word);
}

static void check_slot(struct directory_check *d, pod_off offset, uint64_t frame_word, uint64_t word)
{
	struct check *check = d->check;
	pod_off frame = (frame_word & ((UINT64_C(1) << 48) - 1)) * LINE_BYTES;
	struct check_place place = {.rule = "slot.form",
	        .offset = offset,
	        .seen = frame_word ^ word,
	        .host = (int)d->host,
	        .table = -1,
	        .word = (word_idx)word};
	check->report.slots++;
	/* Half removed by a host that died right then: the frame is cleared last. */
	if (!word || !slot_possible(check, frame, word)) {
		check->report.slots_old++;
		if (word)
			check_find(check, &place, "a slot with frame %#" PRIx64 " and word %#" PRIx64 " leads nowhere",
			        frame_word, word);
		return;
	}
	struct check_row *row = check_row_of(check, (word_idx)word, false);
	uint64_t now = word_load(&check->port, word_ref_shared((word_idx)word));
	if (row && row->frame == frame) {
		check->report.slots_current++;
		place.rule = "slot.hash";
		if (row->hash && !row->in_directory)
			check_find(check, &place,
			        "a slot leads to the frame at %" PRIu64 ", whose key does not lead to the slot", frame);
		return;
	}
	check->report.slots_old++;
	if (check_word_owner(check, (word_idx)word) != d->host || now == 0 || (now & (WORD_AWAY | WORD_LOCK)) ||
	        (row && (row->frame || row->missed)))
		return;
	/* A slot leaves before its word is retired, so that this word is a row's still. */
	row = check_row_of(check, (word_idx)word, true);
	if (row)
		row->missed = true;
	place.rule = "word.no-frame";
	place.offset = (pod_off)(word_idx)word * 8;
	place.seen = now & ~WORD_USED;
	check_find(check, &place, "it is a row's, by the slot at %" PRIu64 ", but no frame has it at version %#" PRIx64,
	        offset, now & WORD_VERSION);
}

static void check_slots(struct directory_check *d)
{
	for (uint32_t i = 0; i < d->extent_count; i++) {
		pod_off begin = extent_offset(
		        d->check->geometry, atomic_load_explicit(&d->view.extents[i], memory_order_relaxed));
		for (pod_off slot = begin; slot < begin + EXTENT_BYTES; slot += sizeof(struct directory_slot)) {
			/* Relaxed: guesses, as to every reader of a directory. */
			uint64_t frame = port_load64(
			        &d->check->port, slot + offsetof(struct directory_slot, frame), memory_order_relaxed);
			uint64_t word = port_load64(
			        &d->check->port, slot + offsetof(struct directory_slot, word), memory_order_relaxed);
			if (frame)
				check_slot(d, slot, frame, word);
		}
	}
}

/* A host that has died keeps its extents, unless another has adopted its partitions: then its directory is nobody's. */
static bool was_adopted(const struct check *check, unsigned host)
{
	for (uint64_t extent = 0; extent < check->geometry->extent_count; extent++)
		if (check->extent_owner[extent] == host)
			return false;
	return check->hosts[host] == CHECK_GONE;
}

static void check_directory(struct directory_check *d)
{
	struct check *check = d->check;
	pod_off root = root_of(check, d->host);
	struct check_place place = {.rule = "directory.root", .offset = root, .host = (int)d->host, .table = -1};
	if (line_fresh_tag(&check->port, root) == 0)
		return;
	if (check->hosts[d->host] == CHECK_AWAY || !is_of_this_incarnation(check, d->host) ||
	        was_adopted(check, d->host)) {
		check->report.directories_old++;
		return;
	}
	check_forget_lines(check, root, DIRECTORY_ROOT_LINES * LINE_BYTES);
	if (!directory_view_refresh(&check->port, d->host, &d->view)) {
		/* A host that died while it published leaves a list of the next generation. */
		if (check->hosts[d->host] == CHECK_HERE)
			check_find(check, &place, "the root of host %u's directory contradicts itself", d->host);
		check->report.directories_old += check->hosts[d->host] == CHECK_GONE;
		return;
	}
	check->report.directories++;
	d->extent_count =
	        1u << (atomic_load_explicit(&d->view.log2_slots, memory_order_relaxed) - SLOTS_PER_EXTENT_LOG2);
	if (!check_listed(d))
		return;
	for (uint32_t i = 0; i < d->extent_count; i++)
		check_forget_lines(check,
		        extent_offset(check->geometry, atomic_load_explicit(&d->view.extents[i], memory_order_relaxed)),
		        EXTENT_BYTES);
	look_up_rows(d);
	check_slots(d);
}

void check_directories(struct check *check)
{
	struct directory_check *d = calloc(1, sizeof *d);
	if (!d) {
		check->no_memory = true;
		return;
	}
	for (unsigned host = 0; host < check->geometry->host_count; host++) {
		*d = (struct directory_check){.check = check, .host = host};
		check_directory(d);
	}
	free(d);
}
