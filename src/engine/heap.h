/* heap.h: a host's private memory for rows and trees: a jemalloc arena of its own, in huge pages, within a budget.
 *
 * Memory that others may still read optimistically is retired, not freed: it is freed once every transaction of this host that
 * ran at that time has ended (heap_reclaim with the host's oldest epoch).
 * Built with LG_HEAP_MALLOC (sanitizers), plain malloc takes jemalloc's place, so that every access is checked.
 */
#ifndef LIGER_ENGINE_HEAP_H
#define LIGER_ENGINE_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap; /* of a host */

struct heap_limbo {
	void *memory;
	size_t bytes;
	uint64_t epoch;
};

/* One thread's access to the heap. */
struct heap_local {
	struct heap *heap;
	int alloc_flags; /* of mallocx: arena and thread cache */
	unsigned tcache;
	size_t credit_bytes; /* taken from the budget, not yet allocated: most allocations touch no shared counter */
	struct heap_limbo *limbo; /* ring, oldest first */
	size_t limbo_capacity, limbo_head, limbo_count;
};

/* budget_bytes 0: none. NULL when the system refuses. */
struct heap *heap_create(uint64_t budget_bytes);
/* All locals are closed. Frees everything that was ever allocated from it. */
void heap_destroy(struct heap *heap);
/* Bytes allocated now (with retired memory), rounded up to size classes, without what the allocator keeps for its own use.
 * Exact when no local is open; else up to HEAP_CREDIT_MAX_BYTES a local more, which the budget counts as used too. */
enum { HEAP_CREDIT_MAX_BYTES = 64 << 10 };
uint64_t heap_used_bytes(const struct heap *heap);

bool heap_local_open(struct heap_local *local, struct heap *heap);
/* What is still in limbo goes to the heap, which frees it when it is destroyed or when a later heap_reclaim() may. */
void heap_local_close(struct heap_local *local);

/* Aligned to 16; to 64 when bytes is a multiple of 64. NULL: the budget, or the machine, is exhausted. */
void *heap_alloc(struct heap_local *local, size_t bytes);
/* `bytes` as at allocation. */
void heap_free(struct heap_local *local, void *memory, size_t bytes);
/* Frees it once heap_reclaim() is called with an epoch above `epoch`. Never fails: when the ring cannot grow it is kept
 * until the heap is destroyed. */
void heap_retire(struct heap_local *local, void *memory, size_t bytes, uint64_t epoch);
void heap_reclaim(struct heap_local *local, uint64_t oldest_epoch);

#endif
