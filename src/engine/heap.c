/* heap.c: the budget and the limbo of a host's memory, over one of two sources of memory: a jemalloc arena of its own,
 * or (LG_HEAP_MALLOC) malloc.
 *
 * The arena. jemalloc asks chunk_take() for extents, which cuts them from chunks of address space: aligned to 2 MiB,
 * marked for huge pages as a whole (a row in a 4 KiB page costs nearly three times as much to reach), growing from 32 MiB
 * to 1 GiB each so that a large heap needs few system calls. Nothing goes back to the system before heap_destroy(): there is
 * no hook for it, and the arena's decay is off, so no thread ever stalls in a purge. What is freed is used again.
 *
 * The budget. A local draws credit in batches and allocates from it, so the shared counter is touched once for some
 * hundred rows. The counter never exceeds the budget.
 */
#include "engine/heap.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef LG_HEAP_MALLOC
#include <stdio.h>
#include <jemalloc/jemalloc.h>
#endif

enum {
	HEAP_DRAW_BYTES = HEAP_CREDIT_MAX_BYTES / 2,
	LIMBO_FIRST_CAPACITY = 256,
	HUGE_BYTES = 2 << 20,
	CHUNK_FIRST_BYTES = 32 << 20,
	CHUNK_LAST_BYTES = 1 << 30,
	CHUNKS_MAX = 4096,
};

#ifdef LG_HEAP_MALLOC
/* Before every allocation, so that heap_destroy() finds it. Its size keeps what follows aligned to 64. */
struct block {
	_Alignas(64) struct block *previous;
	struct block *next;
	size_t bytes;
};
#else
struct chunk {
	uint8_t *memory;
	size_t bytes;
};
#endif

struct heap {
#ifdef LG_HEAP_MALLOC
	struct block blocks; /* ring through this one */
#else
	extent_hooks_t hooks; /* first: chunk_take() gets its address */
	unsigned arena;
	size_t chunk_count, chunk_used, next_chunk_bytes; /* chunk_used: of the last */
	struct chunk chunks[CHUNKS_MAX];
#endif
	pthread_mutex_t mutex; /* of blocks or chunks, and of orphans */
	uint64_t budget;
	struct heap_limbo *orphans; /* limbo of closed locals */
	size_t orphan_capacity;
	_Atomic size_t orphan_count;
	_Alignas(64) _Atomic uint64_t used;
};

static void heap_lock(struct heap *heap)
{
	int failed = pthread_mutex_lock(&heap->mutex);
	assert(!failed);
	(void)failed;
}

static void heap_unlock(struct heap *heap)
{
	int failed = pthread_mutex_unlock(&heap->mutex);
	assert(!failed);
	(void)failed;
}

/* ---- Memory from malloc ------------------------------------------------------------------------------------------ */

#ifdef LG_HEAP_MALLOC

static bool source_create(struct heap *heap)
{
	heap->blocks.previous = heap->blocks.next = &heap->blocks;
	return true;
}

static void source_destroy(struct heap *heap)
{
	while (heap->blocks.next != &heap->blocks) {
		struct block *block = heap->blocks.next;
		heap->blocks.next = block->next;
		free(block);
	}
}

static bool source_open(struct heap_local *local)
{
	(void)local;
	return true;
}

static void source_close(struct heap_local *local)
{
	(void)local;
}

static void *source_alloc(struct heap_local *local, size_t bytes)
{
	struct heap *heap = local->heap;
	void *memory;
	if (posix_memalign(&memory, _Alignof(struct block), sizeof(struct block) + bytes))
		return NULL;
	struct block *block = memory;
	block->bytes = bytes;
	block->previous = &heap->blocks;
	heap_lock(heap);
	block->next = heap->blocks.next;
	block->next->previous = block;
	heap->blocks.next = block;
	heap_unlock(heap);
	return block + 1;
}

static void source_free(struct heap_local *local, void *memory, size_t bytes)
{
	struct block *block = (struct block *)memory - 1;
	assert(block->bytes == bytes);
	heap_lock(local->heap);
	block->previous->next = block->next;
	block->next->previous = block->previous;
	heap_unlock(local->heap);
	free(block);
}

#else

/* ---- Memory from an arena ---------------------------------------------------------------------------------------- */

/* Address space for at least `bytes`, aligned to 2 MiB. Untouched pages of it cost nothing. */
static bool chunk_add(struct heap *heap, size_t bytes)
{
	if (heap->chunk_count == CHUNKS_MAX)
		return false;
	size_t want = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
	if (want < heap->next_chunk_bytes)
		want = heap->next_chunk_bytes;
	/* lint: private memory */
	uint8_t *mapped = mmap(
	        NULL, want + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped == MAP_FAILED)
		return false;
	size_t before = (HUGE_BYTES - (uintptr_t)mapped % HUGE_BYTES) % HUGE_BYTES;
	int failed = before ? munmap(mapped, before) : 0;
	failed |= munmap(mapped + before + want, HUGE_BYTES - before);
	assert(!failed);
	/* Without huge pages (a kernel built without them) the heap is slower and no less right. */
	failed = madvise(mapped + before, want, MADV_HUGEPAGE);
	(void)failed;
	heap->chunks[heap->chunk_count++] = (struct chunk){mapped + before, want};
	heap->chunk_used = 0;
	if (heap->next_chunk_bytes < CHUNK_LAST_BYTES)
		heap->next_chunk_bytes *= 2;
	return true;
}

/* jemalloc's alloc hook: an extent of `bytes`. Called rarely: jemalloc asks for 2 MiB and more, growing geometrically. */
static void *chunk_take(
        extent_hooks_t *hooks, void *at, size_t bytes, size_t alignment, bool *zero, bool *commit, unsigned arena)
{
	struct heap *heap = (struct heap *)hooks;
	(void)arena;
	if (at || bytes > SIZE_MAX / 4 || alignment > SIZE_MAX / 4)
		return NULL;
	uint8_t *taken = NULL;
	heap_lock(heap);
	for (int attempt = 0; attempt < 2 && !taken; attempt++) {
		if (heap->chunk_count) {
			const struct chunk *last = &heap->chunks[heap->chunk_count - 1];
			size_t skip =
			        (alignment - (uintptr_t)(last->memory + heap->chunk_used) % alignment) % alignment;
			if (last->bytes - heap->chunk_used >= skip && last->bytes - heap->chunk_used - skip >= bytes) {
				taken = last->memory + heap->chunk_used + skip;
				heap->chunk_used += skip + bytes;
			}
		}
		if (!taken && (attempt || !chunk_add(heap, bytes + (alignment > HUGE_BYTES ? alignment : 0))))
			break;
	}
	heap_unlock(heap);
	if (!taken)
		return NULL;
	*zero = true; /* never handed out before */
	*commit = true;
	return taken;
}

static bool chunk_split(
        extent_hooks_t *hooks, void *at, size_t bytes, size_t left, size_t right, bool committed, unsigned arena)
{
	(void)hooks, (void)at, (void)bytes, (void)left, (void)right, (void)committed, (void)arena;
	return false; /* done: nothing is recorded about extents */
}

static bool chunk_merge(extent_hooks_t *hooks, void *left, size_t left_bytes, void *right, size_t right_bytes,
        bool committed, unsigned arena)
{
	(void)hooks, (void)left, (void)left_bytes, (void)right, (void)right_bytes, (void)committed, (void)arena;
	return false;
}

static bool arena_set(const struct heap *heap, const char *name, ssize_t value)
{
	char path[64];
	int length = snprintf(path, sizeof path, "arena.%u.%s", heap->arena, name);
	assert(length > 0 && (size_t)length < sizeof path);
	return mallctl(path, NULL, NULL, &value, sizeof value) == 0;
}

static void source_destroy(struct heap *heap)
{
	char path[64];
	int length = snprintf(path, sizeof path, "arena.%u.destroy", heap->arena);
	assert(length > 0 && (size_t)length < sizeof path);
	int failed = mallctl(path, NULL, NULL, NULL, 0);
	assert(!failed);
	for (size_t i = 0; i < heap->chunk_count; i++) {
		failed = munmap(heap->chunks[i].memory, heap->chunks[i].bytes);
		assert(!failed);
	}
	(void)failed;
}

static bool source_create(struct heap *heap)
{
	heap->hooks = (extent_hooks_t){.alloc = chunk_take, .split = chunk_split, .merge = chunk_merge};
	heap->next_chunk_bytes = CHUNK_FIRST_BYTES;
	extent_hooks_t *hooks = &heap->hooks;
	size_t bytes = sizeof heap->arena;
	if (mallctl("arenas.create", &heap->arena, &bytes, &hooks, sizeof hooks)) {
		for (size_t i = 0; i < heap->chunk_count; i++) {
			int failed = munmap(heap->chunks[i].memory, heap->chunks[i].bytes);
			assert(!failed);
			(void)failed;
		}
		return false;
	}
	if (!arena_set(heap, "dirty_decay_ms", -1) || !arena_set(heap, "muzzy_decay_ms", -1)) {
		source_destroy(heap);
		return false;
	}
	return true;
}

static bool source_open(struct heap_local *local)
{
	size_t bytes = sizeof local->tcache;
	if (mallctl("tcache.create", &local->tcache, &bytes, NULL, 0))
		return false;
	local->alloc_flags = (int)(MALLOCX_ARENA(local->heap->arena) | MALLOCX_TCACHE(local->tcache));
	return true;
}

static void source_close(struct heap_local *local)
{
	int failed = mallctl("tcache.destroy", NULL, NULL, &local->tcache, sizeof local->tcache);
	assert(!failed);
	(void)failed;
}

/* All size classes that are multiples of 64 begin at multiples of 64, so alignment needs no flag; but the smallest, of 8
 * bytes, is not for us. */
static size_t source_bytes(size_t bytes)
{
	return bytes < 16 ? 16 : bytes;
}

static void *source_alloc(struct heap_local *local, size_t bytes)
{
	return mallocx(source_bytes(bytes), local->alloc_flags);
}

static void source_free(struct heap_local *local, void *memory, size_t bytes)
{
	sdallocx(memory, source_bytes(bytes), local->alloc_flags);
}

#endif

/* ---- Heaps ------------------------------------------------------------------------------------------------------- */

struct heap *heap_create(uint64_t budget_bytes)
{
	struct heap *heap;
	void *memory;
	if (posix_memalign(&memory, _Alignof(struct heap), sizeof *heap))
		return NULL;
	heap = memset(memory, 0, sizeof *heap);
	heap->budget = budget_bytes;
	if (pthread_mutex_init(&heap->mutex, NULL)) {
		free(heap);
		return NULL;
	}
	if (!source_create(heap)) {
		pthread_mutex_destroy(&heap->mutex);
		free(heap);
		return NULL;
	}
	return heap;
}

void heap_destroy(struct heap *heap)
{
	source_destroy(heap);
	int failed = pthread_mutex_destroy(&heap->mutex);
	assert(!failed);
	(void)failed;
	free(heap->orphans);
	free(heap);
}

uint64_t heap_used_bytes(const struct heap *heap)
{
	return atomic_load_explicit(&heap->used, memory_order_relaxed); /* relaxed: a figure, it guards nothing */
}

bool heap_local_open(struct heap_local *local, struct heap *heap)
{
	*local = (struct heap_local){.heap = heap};
	return source_open(local);
}

static struct heap_limbo *limbo_at(const struct heap_local *local, size_t i)
{
	return &local->limbo[(local->limbo_head + i) & (local->limbo_capacity - 1)]; /* a power of two */
}

void heap_local_close(struct heap_local *local)
{
	struct heap *heap = local->heap;
	source_close(local);
	heap_lock(heap);
	size_t count = atomic_load_explicit(&heap->orphan_count, memory_order_relaxed); /* changes under the mutex */
	size_t capacity = count + local->limbo_count;
	if (capacity > heap->orphan_capacity) {
		struct heap_limbo *grown = realloc(heap->orphans, capacity * sizeof *grown);
		if (grown) {
			heap->orphans = grown;
			heap->orphan_capacity = capacity;
		}
	}
	/* Without memory for the list, what is in limbo stays until the heap is destroyed. */
	if (capacity <= heap->orphan_capacity) {
		for (size_t i = 0; i < local->limbo_count; i++)
			heap->orphans[count++] = *limbo_at(local, i);
		atomic_store_explicit(
		        &heap->orphan_count, count, memory_order_relaxed); /* the mutex publishes the list */
	}
	heap_unlock(heap);
	atomic_fetch_sub_explicit(&heap->used, local->credit_bytes, memory_order_relaxed); /* a figure */
	free(local->limbo);
	*local = (struct heap_local){0};
}

/* ---- Allocation -------------------------------------------------------------------------------------------------- */

/* What an allocation takes: its size class, of which jemalloc has multiples of 16 to 128, then four a doubling. */
static size_t heap_charge(size_t bytes)
{
	size_t step = 16;
	if (bytes > 128)
		step = (size_t)1 << (63 - __builtin_clzl(bytes - 1) - 2);
	return (bytes + step - 1) & ~(step - 1);
}

/* Raises the credit to at least `charge`. */
static bool credit_draw(struct heap_local *local, size_t charge)
{
	struct heap *heap = local->heap;
	size_t need = charge - local->credit_bytes;
	uint64_t take, used = atomic_load_explicit(&heap->used, memory_order_relaxed); /* a figure: orders nothing */
	do {
		uint64_t room = heap->budget ? heap->budget - used : UINT64_MAX - used;
		if (room < need)
			return false;
		take = room - need < HEAP_DRAW_BYTES ? room : need + HEAP_DRAW_BYTES;
	} while (!atomic_compare_exchange_weak_explicit(
	        &heap->used, &used, used + take, memory_order_relaxed, memory_order_relaxed));
	local->credit_bytes += take;
	return true;
}

static void credit_return(struct heap_local *local)
{
	size_t surplus = local->credit_bytes - HEAP_DRAW_BYTES;
	atomic_fetch_sub_explicit(&local->heap->used, surplus, memory_order_relaxed); /* a figure */
	local->credit_bytes -= surplus;
}

void *heap_alloc(struct heap_local *local, size_t bytes)
{
	assert(bytes > 0 && bytes < SIZE_MAX / 4);
	size_t charge = heap_charge(bytes);
	if (__builtin_expect(local->credit_bytes < charge, 0) && !credit_draw(local, charge))
		return NULL;
	void *memory = source_alloc(local, bytes);
	if (memory)
		local->credit_bytes -= charge;
	else if (local->credit_bytes > HEAP_CREDIT_MAX_BYTES)
		credit_return(local);
	return memory;
}

void heap_free(struct heap_local *local, void *memory, size_t bytes)
{
	source_free(local, memory, bytes);
	local->credit_bytes += heap_charge(bytes);
	if (__builtin_expect(local->credit_bytes > HEAP_CREDIT_MAX_BYTES, 0))
		credit_return(local);
}

/* ---- Limbo ------------------------------------------------------------------------------------------------------- */

static bool limbo_grow(struct heap_local *local)
{
	size_t capacity = local->limbo_capacity ? local->limbo_capacity * 2 : LIMBO_FIRST_CAPACITY;
	struct heap_limbo *grown = malloc(capacity * sizeof *grown);
	if (!grown)
		return false;
	for (size_t i = 0; i < local->limbo_count; i++)
		grown[i] = *limbo_at(local, i);
	free(local->limbo);
	local->limbo = grown;
	local->limbo_capacity = capacity;
	local->limbo_head = 0;
	return true;
}

void heap_retire(struct heap_local *local, void *memory, size_t bytes, uint64_t epoch)
{
	if (local->limbo_count == local->limbo_capacity && !limbo_grow(local))
		return; /* kept until the heap is destroyed */
	*limbo_at(local, local->limbo_count++) = (struct heap_limbo){memory, bytes, epoch};
}

/* Takes over the limbo of closed locals. Behind younger entries of this one's it waits a little longer, and no harm. */
static void orphans_adopt(struct heap_local *local)
{
	struct heap *heap = local->heap;
	heap_lock(heap);
	struct heap_limbo *orphans = heap->orphans;
	size_t count = atomic_load_explicit(&heap->orphan_count, memory_order_relaxed); /* changes under the mutex */
	heap->orphans = NULL;
	heap->orphan_capacity = 0;
	atomic_store_explicit(&heap->orphan_count, 0, memory_order_relaxed);
	heap_unlock(heap);
	for (size_t i = 0; i < count; i++)
		heap_retire(local, orphans[i].memory, orphans[i].bytes, orphans[i].epoch);
	free(orphans);
}

void heap_reclaim(struct heap_local *local, uint64_t oldest_epoch)
{
	/* Relaxed: a glance; the list itself is read under the mutex. */
	if (__builtin_expect(atomic_load_explicit(&local->heap->orphan_count, memory_order_relaxed) != 0, 0))
		orphans_adopt(local);
	while (local->limbo_count && limbo_at(local, 0)->epoch < oldest_epoch) {
		struct heap_limbo entry = *limbo_at(local, 0);
		local->limbo_head = (local->limbo_head + 1) & (local->limbo_capacity - 1);
		local->limbo_count--;
		heap_free(local, entry.memory, entry.bytes);
	}
}
