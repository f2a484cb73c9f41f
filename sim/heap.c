/* heap.c: the engine's private memory, which ends with the seed, whoever forgot it: a host that crashes frees nothing.
 *
 * One stretch of address space. A block is a power of two of bytes behind a header of a line; freed blocks wait in a list
 * for their size. What is given out is filled with a pattern, as what is freed is: who reads what he did not write, or what
 * he has freed, does the same in every run of a seed.
 */
#include "os.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, PAGE = 4096, CLASSES = 32, FILLED_BYTES = 8192, FRESH = 0xa5, FREED = 0xdf };
static const size_t most_bytes = (size_t)1 << 30;

struct block {
	size_t bytes; /* of what follows the header */
	unsigned class;
	bool taken, paged;  /* paged: begins at a page */
	struct block *next; /* in the list of the free ones */
};
static_assert(sizeof(struct block) <= LINE, "a header of a line");

static uint8_t *arena;
static size_t used;
static struct block *free_blocks[2][CLASSES]; /* of any place; paged */

static void *payload(struct block *block)
{
	return (uint8_t *)block + LINE;
}

static struct block *block_of(void *memory)
{
	return (struct block *)(void *)((uint8_t *)memory - LINE);
}

static bool is_ours(const void *memory)
{
	const uint8_t *at = memory;
	return arena && at >= arena && at < arena + most_bytes;
}

static void *take(size_t bytes, bool paged)
{
	unsigned class = 0;
	while (((size_t)LINE << class) < bytes)
		class ++;
	struct block *block = class < CLASSES ? free_blocks[paged][class] : NULL;
	if (!arena) {
		arena = mmap(
		        NULL, most_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (arena == MAP_FAILED)
			arena = NULL;
	}
	if (block) {
		free_blocks[paged][class] = block->next;
	} else {
		if (paged)
			used = (used + LINE + PAGE - 1) / PAGE * PAGE - LINE;
		size_t whole = LINE + ((size_t)LINE << class);
		if (!arena || class >= CLASSES || used > most_bytes || whole > most_bytes - used)
			return NULL;
		block = (struct block *)(void *)(arena + used);
		used += whole;
	}
	*block = (struct block){.bytes = bytes, .class = class, .taken = true, .paged = paged};
	return payload(block);
}

static void *take_filled(size_t bytes, bool paged)
{
	void *memory = take(bytes, paged);
	if (memory && bytes <= FILLED_BYTES)
		memset(memory, FRESH, bytes);
	return memory;
}

void *sim_malloc(size_t bytes)
{
	return take_filled(bytes, false);
}

void *sim_calloc(size_t count, size_t bytes)
{
	if (bytes && count > most_bytes / bytes)
		return NULL;
	void *memory = take(count * bytes, false);
	if (memory)
		memset(memory, 0, count * bytes);
	return memory;
}

void sim_free(void *memory)
{
	if (!memory)
		return;
	/* What the C library allocated for the engine goes back there. */
	if (!is_ours(memory)) {
		free(memory);
		return;
	}
	struct block *block = block_of(memory);
	assert(block->taken);
	memset(memory, FREED, block->bytes < FILLED_BYTES ? block->bytes : FILLED_BYTES);
	block->taken = false;
	block->next = free_blocks[block->paged][block->class];
	free_blocks[block->paged][block->class] = block;
}

void *sim_realloc(void *memory, size_t bytes)
{
	if (!memory)
		return sim_malloc(bytes);
	assert(is_ours(memory));
	struct block *block = block_of(memory);
	void *fresh = sim_malloc(bytes);
	if (!fresh)
		return NULL;
	memcpy(fresh, memory, block->bytes < bytes ? block->bytes : bytes);
	sim_free(memory);
	return fresh;
}

void *sim_aligned_alloc(size_t alignment, size_t bytes)
{
	assert(alignment <= PAGE); /* LINE: of every block */
	return take_filled(bytes, alignment > LINE);
}

int sim_posix_memalign(void **memory, size_t alignment, size_t bytes)
{
	*memory = sim_aligned_alloc(alignment, bytes);
	return *memory ? 0 : ENOMEM;
}

void sim_heap_reset(void)
{
	used = 0;
	memset((void *)free_blocks, 0, sizeof free_blocks);
}
