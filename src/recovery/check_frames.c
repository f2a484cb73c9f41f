/* check_frames.c: every frame of every taken extent that its word calls current. See check.h.
 *
 * A line is the first of a current frame if its tag says so (FRAME_FIRST), its head names a word of the same owner, and
 * that word is open with the tag's version. By the version rule (frame.h) no old frame passes for one: no version came
 * twice to a word. All other lines are middle parts, old, or never used, and are only counted.
 */
#include <inttypes.h>

#include "engine/directory.h"
#include "recovery/check.h"

struct frame_look {
	pod_off frame;
	word_idx word;
	uint64_t seen; /* the word */
	unsigned owner;
	alignas(8) uint8_t payload[FRAME_MAX_LINES * LINE_PAYLOAD_BYTES + LINE_BYTES];
};

static const struct frame_head *head_of(const struct frame_look *look)
{
	return (const void *)look->payload;
}

static struct lg_slice key_of(const struct frame_look *look)
{
	return lg_slice(look->payload + sizeof(struct frame_head), head_of(look)->key_bytes);
}

static struct check_place place_of_frame(const struct frame_look *look, const char *rule, bool readable)
{
	return (struct check_place){.rule = rule,
	        .offset = look->frame,
	        .seen = look->seen & WORD_VERSION,
	        .host = (int)look->owner,
	        .table = head_of(look)->table,
	        .word = look->word,
	        .key = readable ? key_of(look) : (struct lg_slice){0}};
}

static bool lengths_fit(const struct check *check, const struct frame_look *look)
{
	const struct frame_head *head = head_of(look);
	return head->key_bytes >= 1 && head->key_bytes <= LG_MAX_KEY_BYTES && head->val_bytes <= LG_MAX_VALUE_BYTES &&
	       head->line_count <= FRAME_MAX_LINES &&
	       frame_lines_for(head->key_bytes, head->val_bytes) <= head->line_count &&
	       frame_off_valid(&check->port, look->frame, head->line_count);
}

/* Copies the lines behind the first; the number of the first that has another version, 0: none. */
static uint32_t read_lines(struct check *check, struct frame_look *look)
{
	uint32_t lines = frame_lines_for(head_of(look)->key_bytes, head_of(look)->val_bytes), torn = 0;
	for (uint32_t i = 1; i < lines; i++) {
		pod_off line = look->frame + (pod_off)i * LINE_BYTES;
		if (line_tag(&check->port, line) != (look->seen & WORD_VERSION) && !torn)
			torn = i;
		line_copy_out(&check->port, line, look->payload + (size_t)i * LINE_PAYLOAD_BYTES);
	}
	check->report.frame_lines += lines;
	return torn;
}

/* Table, partition and key belong together, and to the extent's owner. False: the key is not to be looked up. */
static bool check_place_of_key(struct check *check, const struct frame_look *look)
{
	const struct frame_head *head = head_of(look);
	const struct lg_table *table = &check->tables[head->table];
	struct check_place place = place_of_frame(look, "frame.table", true);
	if (head->table >= catalog_count(&check->port) || (table->def.name[0] && table->def.by == LG_REPLICATED)) {
		check_find(check, &place, "its row is of table %u, which has no shared rows", head->table);
		return false;
	}
	if (!table->def.name[0])
		return true; /* its entry is damaged, and reported as that */
	place.rule = "frame.key";
	uint32_t partition = table_partition_of(table, key_of(look));
	if (partition != head->partition) {
		check_find(check, &place, "its key is of partition %u of table %s, but its head says %u", partition,
		        table->def.name, head->partition);
		return false;
	}
	place.rule = "frame.partition";
	/* The partitions of a host that died may be another's by now. */
	if (check->hosts[look->owner] == CHECK_HERE && partition_owner(&check->port, partition) != look->owner)
		check_find(check, &place, "it lies in an extent of host %u, but partition %u is host %u's", look->owner,
		        partition, partition_owner(&check->port, partition));
	return true;
}

/* All frames of an extent are of one size, one behind the other: space.c. `lines`: that of those before. */
static void check_place_in_extent(struct check *check, const struct frame_look *look, uint16_t *lines)
{
	const struct frame_head *head = head_of(look);
	struct check_place place = place_of_frame(look, "frame.place", true);
	pod_off within = (look->frame - check->geometry->extents_offset) % EXTENT_BYTES;
	if (within % ((pod_off)head->line_count * LINE_BYTES))
		check_find(check, &place, "a frame of %u lines cannot lie at byte %" PRIu64 " of its extent",
		        head->line_count, within);
	else if (*lines && *lines != head->line_count)
		check_find(check, &place, "it has %u lines, others in its extent have %u", head->line_count, *lines);
	*lines = *lines ? *lines : head->line_count;
}

static void check_current(struct check *check, struct frame_look *look, uint16_t *class_lines)
{
	struct check_row *row = check_row_of(check, look->word, true);
	bool readable = lengths_fit(check, look);
	uint32_t torn = readable ? read_lines(check, look) : 0;
	uint64_t again = word_load_again(&check->port, word_ref_shared(look->word));
	if (!row || (again & WORD_LOCK) || !word_same_version(again, look->seen)) {
		check->report.frames_changing++;
		return;
	}
	check->report.frames++;
	struct check_place place = place_of_frame(look, "frame.twice", readable && !torn);
	if (row->frame)
		check_find(check, &place, "its word is that of the frame at %" PRIu64 " too", row->frame);
	row->frame = look->frame;
	place.rule = "frame.lengths";
	if (!readable) {
		check_find(check, &place, "a key of %u bytes and a value of %u in %u lines: that cannot be",
		        head_of(look)->key_bytes, head_of(look)->val_bytes, head_of(look)->line_count);
		return;
	}
	place.rule = "frame.torn";
	if (torn) {
		check_find(check, &place, "its line %u has tag %#" PRIx64 ", its word version %#" PRIx64, torn,
		        line_tag(&check->port, look->frame + (pod_off)torn * LINE_BYTES), look->seen & WORD_VERSION);
		return;
	}
	if (check_place_of_key(check, look))
		row->hash = directory_hash(head_of(look)->table, key_of(look));
	check_place_in_extent(check, look, class_lines);
}

static void check_extent(struct check *check, struct frame_look *look, uint64_t extent)
{
	pod_off begin = extent_offset(check->geometry, extent);
	uint16_t class_lines = 0;
	check_forget_lines(check, begin, EXTENT_BYTES);
	for (pod_off line = begin; line < begin + EXTENT_BYTES; line += LINE_BYTES) {
		uint64_t tag = line_tag(&check->port, line);
		if ((tag & ~WORD_VERSION) != FRAME_FIRST)
			continue;
		line_copy_out(&check->port, line, look->payload);
		look->frame = line;
		look->word = head_of(look)->word;
		look->owner = check->extent_owner[extent];
		look->seen = check_word_owner(check, look->word) == look->owner
		                     ? word_load(&check->port, word_ref_shared(look->word))
		                     : WORD_AWAY;
		if ((look->seen & WORD_AWAY) || !(tag & WORD_VERSION) || ((look->seen ^ tag) & WORD_VERSION))
			check->report.frames_old++;
		else if (look->seen & WORD_LOCK)
			check->report.frames_changing++;
		else
			check_current(check, look, &class_lines);
	}
}

void check_frames(struct check *check)
{
	struct frame_look look = {0};
	for (uint64_t extent = 0; extent < check->geometry->extent_count; extent++)
		if (check->extent_owner[extent] != CHECK_NOBODY)
			check_extent(check, &look, extent);
}
