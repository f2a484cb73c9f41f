/* frame.c: reading and writing the lines of a frame. The argument for why a read is right stands in line.h and frame.h. */
#include "cxl/frame.h"

/* The second look, for what does not fit the first: whether the word is still what it was. */
static bool word_unchanged(const struct cxl_port *port, word_idx index, uint64_t word, bool mutant)
{
	return mutant || word_load_again(port, word_ref_shared(index)) == word;
}

enum frame_result frame_read_head(struct cxl_port *port, pod_off frame, word_idx index, uint64_t word, void *buffer)
{
	if (!frame_off_valid(port, frame, 1))
		return FRAME_MISS;
	if (!line_read(port, frame, FRAME_FIRST | (word & WORD_VERSION), buffer))
		return word_unchanged(port, index, word, MUTANT(SECOND_LOOK_HEAD)) ? FRAME_MISS : FRAME_RETRY;
	const struct frame_head *head = buffer;
	if (head->word != index)
		return FRAME_MISS;
	if (head->key_bytes == 0 || head->key_bytes > LG_MAX_KEY_BYTES || head->val_bytes > LG_MAX_VALUE_BYTES ||
	        head->line_count > FRAME_MAX_LINES ||
	        frame_lines_for(head->key_bytes, head->val_bytes) > head->line_count ||
	        !frame_off_valid(port, frame, head->line_count))
		return word_unchanged(port, index, word, MUTANT(SECOND_LOOK_LENGTHS)) ? FRAME_CORRUPT : FRAME_RETRY;
	return FRAME_OK;
}

enum frame_result frame_read_rest(struct cxl_port *port, pod_off frame, word_idx index, uint64_t word, void *buffer,
        struct frame_copy *copy, uint64_t *seen)
{
	const struct frame_head *head = buffer;
	uint32_t lines = frame_lines_for(head->key_bytes, head->val_bytes);
	uint64_t version = word & WORD_VERSION;
	uint8_t *to = buffer;
	bool whole = true;
	for (uint32_t i = 1; i < lines && whole; i++)
		whole = line_read(port, frame + (pod_off)i * LINE_BYTES, version, to + (size_t)i * LINE_PAYLOAD_BYTES);
	uint64_t again = MUTANT(SECOND_LOOK_FRAME) ? word : word_load_again(port, word_ref_shared(index));
	if ((again & WORD_LOCK) || !word_same_version(again, word))
		return FRAME_RETRY;
	if (!whole)
		return FRAME_CORRUPT;
	*copy = (struct frame_copy){head, to + sizeof *head, to + sizeof *head + ((head->key_bytes + 7u) & ~7u)};
	*seen = again;
	return FRAME_OK;
}

void frame_write(struct cxl_port *port, pod_off frame, uint64_t version, const void *payload, uint32_t lines)
{
	const uint8_t *from = payload;
	for (uint32_t i = 0; i < lines; i++) {
		line_write(port, frame + (pod_off)i * LINE_BYTES, from + (size_t)i * LINE_PAYLOAD_BYTES,
		        version | (i == 0 ? FRAME_FIRST : 0));
		if (i + 1 < lines)
			CRASH_POINT(MID_FRAME);
	}
}
