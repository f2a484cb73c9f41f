/* arena.h: memory that lives as long as a transaction: chunks that are kept for the next one. */
#ifndef LIGER_TXN_ARENA_H
#define LIGER_TXN_ARENA_H

#include "cxl/port.h"

#include <stddef.h>
#include <stdint.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t bytes;
	_Alignas(64) uint8_t data[];
};

struct arena {
	struct arena_chunk *first, *current;
	size_t used; /* of the current chunk; always a multiple of 8 */
};

/* Contiguous room for `bytes`, not yet taken; NULL: no memory. Aligned to 8. */
void *arena_reserve_slow(struct arena *arena, size_t bytes);

static inline void *arena_reserve(struct arena *arena, size_t bytes)
{
	struct arena_chunk *chunk = arena->current;
	if (likely(chunk && chunk->bytes - arena->used >= bytes))
		return chunk->data + arena->used;
	return arena_reserve_slow(arena, bytes);
}

/* Takes the first `bytes` of what was reserved last. */
static inline void arena_take(struct arena *arena, size_t bytes)
{
	arena->used += (bytes + 7) & ~(size_t)7;
}

static inline void *arena_alloc(struct arena *arena, size_t bytes)
{
	void *memory = arena_reserve(arena, bytes + 8);
	if (memory)
		arena_take(arena, bytes);
	return memory;
}

/* Everything that was taken is free again. */
static inline void arena_reset(struct arena *arena)
{
	arena->current = arena->first;
	arena->used = 0;
}

void arena_free(struct arena *arena);

#endif
