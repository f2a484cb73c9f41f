/* arena.c: the slow path of a transaction's memory. */
#include "txn/arena.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 256 << 10 };

void *arena_reserve_slow(struct arena *arena, size_t bytes)
{
	struct arena_chunk *last = arena->current;
	/* A later chunk of an earlier, larger transaction may do. */
	struct arena_chunk *next = last ? last->next : arena->first;
	if (!next || next->bytes < bytes) {
		size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		struct arena_chunk *fresh = aligned_alloc(64, (sizeof *fresh + size + 63) & ~(size_t)63);
		if (!fresh)
			return NULL;
		fresh->bytes = size;
		fresh->next = next;
		if (last)
			last->next = fresh;
		else
			arena->first = fresh;
		next = fresh;
	}
	arena->current = next;
	arena->used = 0;
	return next->data;
}

void arena_free(struct arena *arena)
{
	for (struct arena_chunk *chunk = arena->first, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	*arena = (struct arena){0};
}
