/* space.c: allocation of words and frames by their owner. All under the mover lock; see space.h. */
#include "engine/space.h"

#include <stdlib.h>

static bool stack_push(struct stack *stack, uint64_t item)
{
	if (stack->count == stack->capacity) {
		size_t capacity = stack->capacity ? stack->capacity * 2 : 64;
		uint64_t *items = realloc(stack->items, capacity * sizeof *items);
		if (!items)
			return false;
		stack->items = items;
		stack->capacity = capacity;
	}
	stack->items[stack->count++] = item;
	return true;
}

/* Size classes: every line count to 32, then eight a doubling. */
static unsigned class_of(uint32_t lines)
{
	if (lines <= 32)
		return lines - 1;
	unsigned log2 = 31 - (unsigned)__builtin_clz(lines - 1); /* 5.. */
	unsigned step = (lines - 1) >> (log2 - 3) & 7;
	return 32 + (log2 - 5) * 8 + step;
}

static uint16_t class_lines(unsigned class)
{
	if (class < 32)
		return (uint16_t)(class + 1);
	unsigned log2 = 5 + (class - 32) / 8, step = (class - 32) % 8;
	unsigned lines = (1u << log2) + ((step + 1) << (log2 - 3));
	return (uint16_t)(lines < FRAME_MAX_LINES ? lines : FRAME_MAX_LINES);
}

int space_init(struct space *space, const struct pod_geometry *geometry)
{
	*space = (struct space){0};
	space->blocks = calloc(geometry->block_count, sizeof *space->blocks);
	space->own_blocks = calloc(geometry->block_count, sizeof *space->own_blocks);
	space->block_count = geometry->block_count;
	space->extent_frames = malloc(geometry->extent_count * sizeof *space->extent_frames);
	space->extent_floor = calloc(geometry->extent_count, sizeof *space->extent_floor);
	if (!space->blocks || !space->own_blocks || !space->extent_frames || !space->extent_floor) {
		space_free(space);
		return LG_NOSPACE;
	}
	memset(space->extent_frames, 0xff, geometry->extent_count * sizeof *space->extent_frames);
	for (unsigned i = 0; i < FRAME_CLASSES; i++)
		space->classes[i].lines = class_lines(i);
	return LG_OK;
}

void space_free(struct space *space)
{
	for (uint64_t i = 0; space->blocks && i < space->block_count; i++)
		free(atomic_load_explicit(&space->blocks[i], memory_order_relaxed));
	for (unsigned i = 0; i < FRAME_CLASSES; i++)
		free(space->classes[i].free.items);
	free((void *)space->blocks);
	free(space->own_blocks);
	free(space->extent_frames);
	free(space->extent_floor);
	free(space->free_words.items);
	free(space->empty_extents.items);
	free(space->limbo);
	*space = (struct space){0};
}

/* Every host is sure of half its fair share: beyond that a host may take only what the others do not need for theirs. So none can
 * starve the others, who cannot make it give anything back. */
static bool may_claim(const struct space *space, const struct space_claim *claim, enum claim_kind kind)
{
	const struct pod_geometry *geometry = claim->port->geometry;
	uint64_t all = kind == CLAIM_EXTENT ? geometry->extent_count : geometry->block_count;
	uint64_t own = kind == CLAIM_EXTENT ? space->own_extent_count : space->own_block_count;
	uint64_t sure = all / (2 * (uint64_t)geometry->host_count), promised = 0;
	if (own < sure)
		return true;
	for (unsigned host = 0; host < geometry->host_count; host++) {
		uint64_t owned = host == claim->host ? sure : claim_count_owned(claim->port, kind, host);
		promised += owned < sure ? sure - owned : 0;
	}
	return claim_count_free(claim->port, kind) > promised;
}

bool space_expects_frame(const struct space *space, uint32_t lines)
{
	const struct frame_class *class = &space->classes[class_of(lines)];
	return class->free.count || class->limbo || space->empty_extents.count;
}

static enum space_result claim_block(struct space *space, const struct space_claim *claim)
{
	uint64_t block, floor;
	bool waiting = false;
	if (!may_claim(space, claim, CLAIM_WORDS) ||
	        !claim_take(claim->port, CLAIM_WORDS, claim->host, claim->pod_oldest, &space->words_hint, &block,
	                &floor, &waiting))
		return waiting || space->limbo_words ? SPACE_WAIT : SPACE_NONE;
	struct share *shares = atomic_load_explicit(&space->blocks[block], memory_order_relaxed);
	if (!shares)
		shares = calloc(WORDS_PER_BLOCK, sizeof *shares);
	if (!shares) {
		claim_give(claim->port, CLAIM_WORDS, block, floor);
		return SPACE_NONE;
	}
	if (floor > *claim->floor)
		*claim->floor = floor;
	/* [space.block] Release; pairs with space_share(). Never taken away again while the host is open. */
	atomic_store_explicit(&space->blocks[block], shares, memory_order_release);
	space->own_blocks[space->own_block_count++] = block;
	word_idx first = block_first_word(claim->port->geometry, block);
	for (unsigned i = WORDS_PER_BLOCK; i-- > 0;)
		if (!stack_push(&space->free_words, first + i))
			break;
	return space->free_words.count ? SPACE_OK : SPACE_NONE;
}

enum space_result space_take_word(struct space *space, const struct space_claim *claim, word_idx *word)
{
	if (space->free_words.count == 0) {
		enum space_result result = claim_block(space, claim);
		if (result != SPACE_OK)
			return result;
	}
	*word = (word_idx)space->free_words.items[--space->free_words.count];
	return SPACE_OK;
}

enum space_result space_take_extent(struct space *space, const struct space_claim *claim, uint64_t *extent)
{
	if (space->empty_extents.count) {
		*extent = space->empty_extents.items[--space->empty_extents.count];
		if (*claim->floor > space->extent_floor[*extent])
			space->extent_floor[*extent] = *claim->floor;
		space->extent_frames[*extent] = 0;
		return SPACE_OK;
	}
	uint64_t floor;
	bool waiting = false;
	if (!may_claim(space, claim, CLAIM_EXTENT) ||
	        !claim_take(claim->port, CLAIM_EXTENT, claim->host, claim->pod_oldest, &space->extents_hint, extent,
	                &floor, &waiting))
		return waiting || space->limbo_count ? SPACE_WAIT : SPACE_NONE;
	space->own_extent_count++;
	if (floor > space->extent_floor[*extent])
		space->extent_floor[*extent] = floor;
	space->extent_frames[*extent] = 0;
	return SPACE_OK;
}

/* Takes the free frames of extents in which none is used off their class's stack; the extents become empty ones. */
static void collect_empty_extents(struct space *space, const struct pod_geometry *geometry)
{
	for (unsigned c = 0; c < FRAME_CLASSES; c++) {
		struct frame_class *class = &space->classes[c];
		uint64_t carved =
		        class->next < class->end ? (class->next - geometry->extents_offset) / EXTENT_BYTES : UINT64_MAX;
		if (carved != UINT64_MAX && space->extent_frames[carved] == 0)
			class->next = class->end = 0; /* no more frames from it: it is given up with the others */
		size_t kept = 0;
		for (size_t i = 0; i < class->free.count; i++) {
			pod_off frame = class->free.items[i];
			uint64_t extent = (frame - geometry->extents_offset) / EXTENT_BYTES;
			if (space->extent_frames[extent]) {
				class->free.items[kept++] = frame;
				continue;
			}
			/* Its first frame stands for the extent: each is on the stack once. */
			if ((frame - geometry->extents_offset) % EXTENT_BYTES == 0 &&
			        !stack_push(&space->empty_extents, extent))
				class->free.items[kept++] = frame;
		}
		class->free.count = kept;
	}
}

enum space_result space_take_frame(
        struct space *space, const struct space_claim *claim, uint32_t lines, pod_off *frame, uint16_t *capacity_lines)
{
	const struct pod_geometry *geometry = claim->port->geometry;
	struct frame_class *class = &space->classes[class_of(lines)];
	pod_off bytes = (pod_off) class->lines * LINE_BYTES;
	*capacity_lines = class->lines;
	if (class->free.count) {
		*frame = class->free.items[--class->free.count];
	} else {
		if (class->next + bytes > class->end) {
			uint64_t extent;
			enum space_result result = space_take_extent(space, claim, &extent);
			if (result == SPACE_NONE || result == SPACE_WAIT) {
				collect_empty_extents(space, geometry);
				if (!space->empty_extents.count)
					return result;
				space_take_extent(space, claim, &extent);
			}
			class->next = extent_offset(geometry, extent);
			class->end = class->next + EXTENT_BYTES;
		}
		*frame = class->next;
		class->next += bytes;
	}
	space->extent_frames[(*frame - geometry->extents_offset) / EXTENT_BYTES]++;
	space->frame_bytes += bytes;
	return SPACE_OK;
}

void space_untake_word(struct space *space, word_idx word)
{
	/* The stack has held this word before: its place is there. */
	stack_push(&space->free_words, word);
}

void space_untake_frame(struct space *space, const struct pod_geometry *geometry, pod_off frame, uint16_t lines)
{
	struct frame_class *class = &space->classes[class_of(lines)];
	if (!stack_push(&class->free, frame))
		return; /* out of private memory: lost until the host leaves */
	space->extent_frames[(frame - geometry->extents_offset) / EXTENT_BYTES]--;
	space->frame_bytes -= (uint64_t)lines * LINE_BYTES;
}

bool space_retire(struct space *space, uint64_t epoch, word_idx word, pod_off frame, uint16_t lines)
{
	if (space->limbo_count == space->limbo_capacity) {
		size_t capacity = space->limbo_capacity ? space->limbo_capacity * 2 : 256;
		struct limbo_item *ring = malloc(capacity * sizeof *ring);
		if (!ring)
			return false;
		for (size_t i = 0; i < space->limbo_count; i++)
			ring[i] = space->limbo[(space->limbo_head + i) & (space->limbo_capacity - 1)];
		free(space->limbo);
		space->limbo = ring;
		space->limbo_head = 0;
		space->limbo_capacity = capacity;
	}
	space->limbo[(space->limbo_head + space->limbo_count++) & (space->limbo_capacity - 1)] =
	        (struct limbo_item){epoch, frame, word, lines};
	space->limbo_words += word != 0;
	if (lines)
		space->classes[class_of(lines)].limbo++;
	return true;
}

void space_reclaim(struct space *space, const struct pod_geometry *geometry, uint64_t pod_oldest)
{
	while (space->limbo_count) {
		struct limbo_item *item = &space->limbo[space->limbo_head];
		if (item->epoch >= pod_oldest)
			return;
		space->limbo_head = (space->limbo_head + 1) & (space->limbo_capacity - 1);
		space->limbo_count--;
		if (item->word) {
			space->limbo_words--;
			space_share(space, geometry, item->word)->kind = SHARE_FREE;
			space_untake_word(space, item->word);
		}
		if (item->lines) {
			space->classes[class_of(item->lines)].limbo--;
			space_untake_frame(space, geometry, item->frame, item->lines);
		} else if (!item->word && !stack_push(&space->empty_extents, item->frame)) {
			space->extent_frames[item->frame] = UINT32_MAX;
		}
	}
}

/* Gives blocks back of which every word is free, but for one. Their shares stay: a block may come back. */
static void trim_blocks(struct space *space, struct cxl_port *port, uint64_t floor)
{
	const struct pod_geometry *geometry = port->geometry;
	if (space->free_words.count < 2 * WORDS_PER_BLOCK)
		return;
	uint16_t *free_of = calloc(geometry->block_count, sizeof *free_of);
	if (!free_of)
		return; /* the next trim may have the memory */
	word_idx first = block_first_word(geometry, 0);
	for (size_t i = 0; i < space->free_words.count; i++)
		free_of[(space->free_words.items[i] - first) / WORDS_PER_BLOCK]++;
	bool spare = false;
	size_t kept = 0;
	for (size_t i = 0; i < space->own_block_count; i++) {
		uint64_t block = space->own_blocks[i];
		bool give = free_of[block] == WORDS_PER_BLOCK && spare;
		spare |= free_of[block] == WORDS_PER_BLOCK;
		if (!give) {
			space->own_blocks[kept++] = block;
			free_of[block] = 0;
		}
	}
	space->own_block_count = kept;
	kept = 0;
	for (size_t i = 0; i < space->free_words.count; i++) {
		uint64_t word = space->free_words.items[i];
		if (free_of[(word - first) / WORDS_PER_BLOCK] != WORDS_PER_BLOCK)
			space->free_words.items[kept++] = word;
	}
	space->free_words.count = kept;
	for (uint64_t block = 0; block < geometry->block_count; block++)
		if (free_of[block] == WORDS_PER_BLOCK)
			claim_give(port, CLAIM_WORDS, block, floor);
	free(free_of);
}

void space_trim(struct space *space, struct cxl_port *port, uint64_t floor)
{
	trim_blocks(space, port, floor);
	collect_empty_extents(space, port->geometry);
	while (space->empty_extents.count > 1) {
		uint64_t extent = space->empty_extents.items[--space->empty_extents.count];
		space->extent_frames[extent] = UINT32_MAX;
		space->own_extent_count--;
		claim_give(port, CLAIM_EXTENT, extent, floor);
	}
}
