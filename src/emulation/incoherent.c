/* incoherent.c: pod memory behind caches that nobody keeps coherent, each host's a real array of real, stale lines.
 *
 * SWcc. A host sees it through its cache alone. A line is fetched whole at the first access and then stays as it is,
 * whatever other hosts write, until it is evicted, or flushed and fenced. Stores change the cached line; memory gets it
 * whole when it is evicted, or told to be written back and fenced: so two hosts that dirty one line lose each other's
 * bytes, as they would. Between accesses the cache has whims (whims() below), from the seed: it evicts the line at hand
 * or another, writes a dirty one back early, fetches a neighbour that nobody asked for; a copy of a line may fall apart
 * in two, with an eviction and a fetch between the parts. How often is the seed's choice too: some seeds keep
 * everything stale for as long as they can, others forget at every turn.
 *   write_back    done at once or not before the next fence, at random
 *   flush         the same, but the line leaves the cache; sfence does not wait for it, only the full fence does
 * Locked instructions fence nothing here, although on x86 they would: the code may not rely on it.
 *
 * HWcc. Coherent: every operation is done on memory, under the line's lock. What a crash takes is modelled apart: while
 * a host's writes to a line have been seen by no other host, nor written back, nor evicted, the line is `dirty` by that
 * host and image[] has what memory holds. If the host dies the line falls back to that (emu_host_died(); a host that
 * opens under the id of a dead one does the same first).
 *
 *   state[line]   bits 0..7    1 + the host that is copying the line or changing its state; 0: nobody
 *                 bits 8..15   HWcc: 1 + the host that has it dirty; 0: memory has what everybody sees
 *                 bits 16..31  which life the host of bits 0..7 was in: shared->life[], as much as there is room for
 *
 * Locks: a set's (one host's cache, private) > a line's (shared). A line's lock whose holder's process is gone, or has
 * been succeeded by another under the same id, is broken: what it was copying is half a line, which is what a cache
 * that died with its host may leave.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulation/private.h"

enum { SET_COUNT = 2048, WAY_COUNT = 8, LINE_WORDS = EMU_LINE_BYTES / 8, SPINS_BEFORE_DOUBT = 10000 };
enum { WHIM_RATES = 6, NO_WHIMS = 5 }; /* a turn in 8, 16, 32, 64, 128, never */

#define LOCK_MASK   UINT64_C(0xff)
#define DIRTY_SHIFT 8
#define DIRTY_MASK  (UINT64_C(0xff) << DIRTY_SHIFT)
#define LIFE_SHIFT  16
#define LIFE_MASK   (UINT64_C(0xffff) << LIFE_SHIFT)

struct cached_line {
	uint64_t number;
	bool valid, dirty;
	uint64_t words[LINE_WORDS];
};

struct cache_set {
	pthread_mutex_t lock;
	struct cached_line way[WAY_COUNT];
};

struct incoherent_host {
	struct cache_set set[SET_COUNT];
	unsigned whim_rate;
};

/* ---- Lines of memory ---- */

static _Atomic uint64_t *line_state(const struct emu_pod *pod, uint64_t line)
{
	return &pod->shared->state[line];
}

static uint64_t life_of(const struct emu_pod *pod, unsigned host)
{
	return atomic_load(&pod->shared->life[host]) << LIFE_SHIFT & LIFE_MASK;
}

/* Whether who has locked a line will never unlock it. */
static bool holder_is_gone(const struct emu_pod *pod, uint64_t state)
{
	uint64_t holder = state & LOCK_MASK;
	return holder > EMU_SLOTS || emu_process_gone(atomic_load(&pod->shared->host_pid[holder - 1])) ||
	       (state & LIFE_MASK) != life_of(pod, (unsigned)holder - 1);
}

/* Acquire; pairs with the release in line_unlock(): [emulation.line]. */
static void line_lock(struct emu_pod *pod, uint64_t line)
{
	_Atomic uint64_t *state = line_state(pod, line);
	uint64_t mine = life_of(pod, pod->config.host) | (pod->config.host + 1);
	for (unsigned spins = 0;; spins++) {
		uint64_t seen = atomic_load_explicit(state, memory_order_relaxed); /* relaxed: the swap decides */
		bool locked = seen & LOCK_MASK;
		if (locked && spins % SPINS_BEFORE_DOUBT == SPINS_BEFORE_DOUBT - 1)
			locked = !holder_is_gone(pod, seen);
		if (!locked && atomic_compare_exchange_weak_explicit(state, &seen, (seen & DIRTY_MASK) | mine,
		                       memory_order_acquire, memory_order_relaxed))
			return;
		if (spins % 64 == 63)
			sched_yield();
	}
}

/* Release: [emulation.line]. `dirty`: 0, or 1 + host. */
static void line_unlock(struct emu_pod *pod, uint64_t line, uint64_t dirty)
{
	atomic_store_explicit(line_state(pod, line), dirty << DIRTY_SHIFT, memory_order_release);
}

static _Atomic uint64_t *memory_word(const struct emu_pod *pod, uint64_t offset)
{
	return (_Atomic uint64_t *)(void *)(pod->config.raw + offset);
}

static void line_fetch(struct emu_pod *pod, uint64_t line, uint64_t words[LINE_WORDS])
{
	line_lock(pod, line);
	for (unsigned i = 0; i < LINE_WORDS; i++) /* relaxed: under the line's lock */
		words[i] = atomic_load_explicit(memory_word(pod, line * EMU_LINE_BYTES + i * 8), memory_order_relaxed);
	line_unlock(pod, line, 0);
}

static void line_store(struct emu_pod *pod, uint64_t line, const uint64_t words[LINE_WORDS])
{
	line_lock(pod, line);
	for (unsigned i = 0; i < LINE_WORDS; i++) /* relaxed: as above */
		atomic_store_explicit(memory_word(pod, line * EMU_LINE_BYTES + i * 8), words[i], memory_order_relaxed);
	line_unlock(pod, line, 0);
}

/* ---- A host's cache. Between set_lock() and set_unlock(). ---- */

static struct cache_set *set_lock(struct emu_pod *pod, uint64_t line)
{
	/* Multiplied, so that the lines of one frame, which follow each other, do not all meet those of the next. */
	struct cache_set *set = &pod->incoherent->set[(line * UINT64_C(0x9e3779b97f4a7c15)) >> 53];
	int failed = pthread_mutex_lock(&set->lock);
	assert(!failed);
	return set;
}

static void set_unlock(struct cache_set *set)
{
	int failed = pthread_mutex_unlock(&set->lock);
	assert(!failed);
}

static struct cached_line *set_find(struct cache_set *set, uint64_t line)
{
	for (unsigned i = 0; i < WAY_COUNT; i++)
		if (set->way[i].valid && set->way[i].number == line)
			return &set->way[i];
	return NULL;
}

static void clean(struct emu_thread *thread, struct cached_line *cached)
{
	if (!cached->dirty)
		return;
	line_store(thread->pod, cached->number, cached->words);
	cached->dirty = false;
	thread->counts.write_backs++;
}

static void evict(struct emu_thread *thread, struct cached_line *cached)
{
	clean(thread, cached);
	cached->valid = false;
	thread->counts.evictions++;
}

/* The line in the cache, fetched if it is not there. */
static struct cached_line *set_line(struct emu_thread *thread, struct cache_set *set, uint64_t line)
{
	struct cached_line *cached = set_find(set, line);
	if (cached) {
		thread->counts.hits++;
		return cached;
	}
	thread->counts.misses++;
	for (unsigned i = 0; i < WAY_COUNT && !cached; i++)
		if (!set->way[i].valid)
			cached = &set->way[i];
	if (!cached) {
		cached = &set->way[emu_random(thread) >> 61];
		evict(thread, cached);
	}
	static_assert(WAY_COUNT == 8, "three random bits choose a way");
	cached->number = line;
	line_fetch(thread->pod, line, cached->words);
	cached->valid = true;
	cached->dirty = false;
	return cached;
}

static bool whim(struct emu_thread *thread, unsigned rate)
{
	return rate != NO_WHIMS && (emu_random(thread) >> 32) % (8u << rate) == 0;
}

/* What a cache may do at any time without being asked. */
static void whims(struct emu_thread *thread, struct cache_set *set, uint64_t line)
{
	const struct emu_pod *pod = thread->pod;
	if (!whim(thread, pod->incoherent->whim_rate))
		return;
	struct cached_line *cached = set_find(set, line);
	uint64_t neighbour = line ^ 1;
	switch (emu_random(thread) >> 62) {
	case 0:
		if (cached)
			evict(thread, cached);
		break;
	case 1:
		cached = &set->way[emu_random(thread) >> 61];
		if (cached->valid)
			evict(thread, cached);
		break;
	case 2:
		if (cached)
			clean(thread, cached);
		break;
	default: break;
	}
	/* A prefetch of the neighbour is another set's business: asked for here, done when this set is unlocked. */
	if (emu_random(thread) >> 63 && neighbour * EMU_LINE_BYTES >= pod->config.coherent_bytes &&
	        neighbour * EMU_LINE_BYTES < pod->config.bytes && thread->prefetch_line == 0)
		thread->prefetch_line = neighbour;
}

static struct cache_set *enter(struct emu_thread *thread, uint64_t line)
{
	assert(line * EMU_LINE_BYTES >= thread->pod->config.coherent_bytes &&
	        line * EMU_LINE_BYTES < thread->pod->config.bytes);
	struct cache_set *set = set_lock(thread->pod, line);
	whims(thread, set, line);
	return set;
}

static void leave(struct emu_thread *thread, struct cache_set *set)
{
	set_unlock(set);
	uint64_t line = thread->prefetch_line;
	if (!line)
		return;
	thread->prefetch_line = 0;
	set = set_lock(thread->pod, line);
	set_line(thread, set, line);
	thread->counts.prefetches++;
	set_unlock(set);
}

/* For the count of reads that may be a mistake: memory has something else by now, and the host's copy is not newer. */
static bool is_stale(const struct emu_thread *thread, const struct cached_line *cached)
{
	bool same = true;
	for (unsigned i = 0; i < LINE_WORDS && !cached->dirty; i++) /* relaxed: a look, which decides nothing */
		same &= cached->words[i] ==
		        atomic_load_explicit(memory_word(thread->pod, cached->number * EMU_LINE_BYTES + i * 8),
		                memory_order_relaxed);
	return !same;
}

/* The line in the cache, for a read. */
static struct cached_line *read_line(struct emu_thread *thread, struct cache_set *set, uint64_t line)
{
	struct cached_line *cached = set_line(thread, set, line);
	thread->counts.stale_hits += is_stale(thread, cached);
	return cached;
}

uint64_t incoherent_load64(struct emu_thread *thread, uint64_t offset)
{
	uint64_t line = offset / EMU_LINE_BYTES;
	assert(offset % 8 == 0);
	struct cache_set *set = enter(thread, line);
	uint64_t value = read_line(thread, set, line)->words[offset % EMU_LINE_BYTES / 8];
	leave(thread, set);
	return value;
}

void incoherent_store64(struct emu_thread *thread, uint64_t offset, uint64_t value)
{
	uint64_t line = offset / EMU_LINE_BYTES;
	assert(offset % 8 == 0);
	struct cache_set *set = enter(thread, line);
	struct cached_line *cached = set_line(thread, set, line);
	cached->words[offset % EMU_LINE_BYTES / 8] = value;
	cached->dirty = true;
	leave(thread, set);
}

/* Where a copy of a line falls apart: after that many words the line is evicted, and fetched anew. */
static unsigned split_of(struct emu_thread *thread, size_t bytes)
{
	assert(bytes % 8 == 0 && bytes <= EMU_LINE_BYTES);
	unsigned words = (unsigned)(bytes / 8);
	return whim(thread, thread->pod->incoherent->whim_rate) ? (unsigned)(emu_random(thread) >> 61) : words;
}

void incoherent_line_out(struct emu_thread *thread, uint64_t offset, void *dst, size_t bytes)
{
	uint64_t line = offset / EMU_LINE_BYTES;
	assert(offset % EMU_LINE_BYTES == 0);
	struct cache_set *set = enter(thread, line);
	struct cached_line *cached = read_line(thread, set, line);
	unsigned split = split_of(thread, bytes);
	for (unsigned i = 0; i < bytes / 8; i++) {
		if (i == split) {
			evict(thread, cached);
			cached = set_line(thread, set, line);
		}
		memcpy((uint8_t *)dst + (size_t)i * 8, &cached->words[i], 8);
	}
	leave(thread, set);
}

void incoherent_line_in(struct emu_thread *thread, uint64_t offset, const void *src, size_t bytes)
{
	uint64_t line = offset / EMU_LINE_BYTES;
	assert(offset % EMU_LINE_BYTES == 0);
	struct cache_set *set = enter(thread, line);
	struct cached_line *cached = set_line(thread, set, line);
	unsigned split = split_of(thread, bytes);
	for (unsigned i = 0; i < bytes / 8; i++) {
		if (i == split) {
			evict(thread, cached);
			cached = set_line(thread, set, line);
		}
		memcpy(&cached->words[i], (const uint8_t *)src + (size_t)i * 8, 8);
		cached->dirty = true;
	}
	leave(thread, set);
}

/* ---- Write-backs, flushes, fences ---- */

static void coherent_write_back(struct emu_thread *thread, uint64_t line)
{
	struct emu_pod *pod = thread->pod;
	line_lock(pod, line);
	uint64_t dirty =
	        (atomic_load_explicit(line_state(pod, line), memory_order_relaxed) & DIRTY_MASK) >> DIRTY_SHIFT;
	line_unlock(pod, line, dirty == pod->config.host + 1 ? 0 : dirty);
}

static void do_write_back(struct emu_thread *thread, uint64_t line)
{
	if (line * EMU_LINE_BYTES < thread->pod->config.coherent_bytes) {
		coherent_write_back(thread, line);
		return;
	}
	struct cache_set *set = set_lock(thread->pod, line);
	struct cached_line *cached = set_find(set, line);
	if (cached)
		clean(thread, cached);
	set_unlock(set);
}

static void do_flush(struct emu_thread *thread, uint64_t line)
{
	struct cache_set *set = set_lock(thread->pod, line);
	struct cached_line *cached = set_find(set, line);
	if (cached)
		evict(thread, cached);
	set_unlock(set);
}

/* Puts a line off; where there is no room the oldest is done. */
static void put_off(struct emu_thread *thread, uint64_t lines[], uint32_t *count, uint64_t line,
        void (*action)(struct emu_thread *, uint64_t))
{
	if (*count == EMU_PENDING_LINES) {
		action(thread, lines[0]);
		memmove(lines, lines + 1, (EMU_PENDING_LINES - 1) * sizeof *lines);
		--*count;
	}
	lines[(*count)++] = line;
}

static void catch_up(
        struct emu_thread *thread, uint64_t lines[], uint32_t *count, void (*action)(struct emu_thread *, uint64_t))
{
	for (uint32_t i = 0; i < *count; i++)
		action(thread, lines[i]);
	*count = 0;
}

void incoherent_write_back(struct emu_thread *thread, uint64_t offset)
{
	uint64_t line = offset / EMU_LINE_BYTES;
	if (emu_random(thread) >> 63)
		do_write_back(thread, line);
	else
		put_off(thread, thread->write_back_lines, &thread->write_back_count, line, do_write_back);
}

void incoherent_flush(struct emu_thread *thread, uint64_t offset)
{
	uint64_t line = offset / EMU_LINE_BYTES;
	thread->counts.flushes++;
	/* HWcc is never stale: what there is of a flush is what it writes. */
	if (offset < thread->pod->config.coherent_bytes) {
		incoherent_write_back(thread, offset);
		return;
	}
	if (emu_random(thread) >> 63)
		do_flush(thread, line);
	else
		put_off(thread, thread->flush_lines, &thread->flush_count, line, do_flush);
}

void incoherent_fence(struct emu_thread *thread)
{
	thread->counts.fences++;
	catch_up(thread, thread->write_back_lines, &thread->write_back_count, do_write_back);
	/* What a flush has to write is written by now; that the line is gone, only a full fence says. */
	for (uint32_t i = 0; i < thread->flush_count; i++)
		do_write_back(thread, thread->flush_lines[i]);
}

void incoherent_full_fence(struct emu_thread *thread)
{
	incoherent_fence(thread);
	catch_up(thread, thread->flush_lines, &thread->flush_count, do_flush);
}

/* ---- Streams: through the cache, of which they leave nothing behind ---- */

void incoherent_stream_out(struct emu_thread *thread, uint64_t offset, void *dst, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += EMU_LINE_BYTES) {
		do_flush(thread, (offset + done) / EMU_LINE_BYTES);
		incoherent_line_out(thread, offset + done, (uint8_t *)dst + done, EMU_LINE_BYTES);
		do_flush(thread, (offset + done) / EMU_LINE_BYTES);
	}
}

void incoherent_stream_in(struct emu_thread *thread, uint64_t offset, const void *src, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += EMU_LINE_BYTES) {
		incoherent_line_in(thread, offset + done, (const uint8_t *)src + done, EMU_LINE_BYTES);
		incoherent_flush(thread, offset + done);
	}
}

/* ---- HWcc ---- */

/* Takes the line for an operation of this host. Returns 1 + who will have it dirty. */
static uint64_t coherent_enter(struct emu_thread *thread, uint64_t line, bool writes)
{
	struct emu_pod *pod = thread->pod;
	uint64_t mine = pod->config.host + 1;
	line_lock(pod, line);
	uint64_t dirty =
	        (atomic_load_explicit(line_state(pod, line), memory_order_relaxed) & DIRTY_MASK) >> DIRTY_SHIFT;
	if (dirty == mine) {
		thread->counts.hits++;
		return dirty;
	}
	/* Another's dirty line is written back when it is given to us. */
	thread->counts.coherence_misses += dirty != 0;
	thread->counts.misses++;
	if (!writes)
		return 0;
	_Atomic uint64_t *image = emu_shared_image(pod->shared, line);
	for (unsigned i = 0; i < LINE_WORDS; i++) /* relaxed: under the line's lock */
		atomic_store_explicit(&image[i],
		        atomic_load_explicit(memory_word(pod, line * EMU_LINE_BYTES + i * 8), memory_order_relaxed),
		        memory_order_relaxed);
	return mine;
}

static void coherent_leave(struct emu_thread *thread, uint64_t line, uint64_t dirty)
{
	/* An eviction: memory has it now. */
	if (dirty && whim(thread, thread->pod->incoherent->whim_rate))
		dirty = 0;
	line_unlock(thread->pod, line, dirty);
}

uint64_t incoherent_word_load(struct emu_thread *thread, uint64_t offset)
{
	uint64_t line = offset / EMU_LINE_BYTES;
	assert(offset < thread->pod->config.coherent_bytes && offset % 8 == 0);
	uint64_t dirty = coherent_enter(thread, line, false);
	uint64_t value = atomic_load(memory_word(thread->pod, offset));
	coherent_leave(thread, line, dirty);
	return value;
}

void incoherent_word_store(struct emu_thread *thread, uint64_t offset, uint64_t value)
{
	(void)incoherent_word_rmw(thread, offset, EMU_EXCHANGE, value);
}

bool incoherent_word_swap(struct emu_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to)
{
	uint64_t line = offset / EMU_LINE_BYTES;
	assert(offset < thread->pod->config.coherent_bytes && offset % 8 == 0);
	uint64_t dirty = coherent_enter(thread, line, true);
	bool swapped = atomic_compare_exchange_strong(memory_word(thread->pod, offset), seen, to);
	coherent_leave(thread, line, dirty);
	return swapped;
}

uint64_t incoherent_word_rmw(struct emu_thread *thread, uint64_t offset, enum emu_rmw operation, uint64_t operand)
{
	uint64_t line = offset / EMU_LINE_BYTES, before = 0;
	_Atomic uint64_t *word = memory_word(thread->pod, offset);
	assert(offset < thread->pod->config.coherent_bytes && offset % 8 == 0);
	uint64_t dirty = coherent_enter(thread, line, true);
	thread->counts.atomics++;
	switch (operation) {
	case EMU_ADD: before = atomic_fetch_add(word, operand); break;
	case EMU_AND: before = atomic_fetch_and(word, operand); break;
	case EMU_OR: before = atomic_fetch_or(word, operand); break;
	case EMU_XOR: before = atomic_fetch_xor(word, operand); break;
	case EMU_EXCHANGE: before = atomic_exchange(word, operand); break;
	}
	coherent_leave(thread, line, dirty);
	return before;
}

/* ---- Coming and going ---- */

void incoherent_host_died(struct emu_pod *pod, unsigned dead)
{
	uint64_t lines = pod->config.coherent_bytes / EMU_LINE_BYTES, gone = dead + 1;
	for (uint64_t line = 0; line < lines; line++) {
		uint64_t seen = atomic_load_explicit(line_state(pod, line), memory_order_relaxed); /* relaxed: a look */
		if ((seen & DIRTY_MASK) >> DIRTY_SHIFT != gone && (seen & LOCK_MASK) != gone)
			continue;
		line_lock(pod, line);
		seen = (atomic_load_explicit(line_state(pod, line), memory_order_relaxed) & DIRTY_MASK) >> DIRTY_SHIFT;
		_Atomic uint64_t *image = emu_shared_image(pod->shared, line);
		for (unsigned i = 0; i < LINE_WORDS && seen == gone; i++) /* relaxed: under the line's lock */
			atomic_store_explicit(memory_word(pod, line * EMU_LINE_BYTES + i * 8),
			        atomic_load_explicit(&image[i], memory_order_relaxed), memory_order_relaxed);
		line_unlock(pod, line, seen == gone ? 0 : seen);
	}
}

void incoherent_lose_cache(struct emu_pod *pod)
{
	for (unsigned i = 0; i < SET_COUNT; i++)
		for (unsigned way = 0; way < WAY_COUNT; way++)
			pod->incoherent->set[i].way[way].valid = false;
	incoherent_host_died(pod, pod->config.host);
}

enum emu_failure incoherent_open(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES])
{
	/* Before anything that can fail: who comes after us would not find out that somebody had died. */
	if (pod->after_dead)
		incoherent_host_died(pod, pod->config.host);
	struct incoherent_host *host = calloc(1, sizeof *host);
	if (!host) {
		snprintf(message, EMU_MESSAGE_BYTES, "no memory for the modelled cache of a host (%zu bytes)",
		        sizeof *host);
		return EMU_SYSTEM;
	}
	for (unsigned i = 0; i < SET_COUNT; i++) {
		int failed = pthread_mutex_init(&host->set[i].lock, NULL);
		assert(!failed);
	}
	static_assert(SET_COUNT == 1 << (64 - 53), "set_lock() takes that many bits");
	host->whim_rate = (unsigned)(pod->config.spec.seed % WHIM_RATES);
	pod->incoherent = host;
	return EMU_NONE;
}

void incoherent_clean(struct emu_pod *pod)
{
	struct emu_thread thread;
	emu_thread_init(&thread, pod);
	for (unsigned i = 0; i < SET_COUNT; i++)
		for (unsigned way = 0; way < WAY_COUNT; way++)
			if (pod->incoherent->set[i].way[way].valid)
				clean(&thread, &pod->incoherent->set[i].way[way]);
}

void incoherent_close(struct emu_pod *pod)
{
	struct incoherent_host *host = pod->incoherent;
	struct emu_thread thread;
	incoherent_clean(pod);
	emu_thread_init(&thread, pod);
	for (unsigned i = 0; i < SET_COUNT; i++)
		pthread_mutex_destroy(&host->set[i].lock);
	for (uint64_t line = 0; pod->registered && line < pod->config.coherent_bytes / EMU_LINE_BYTES; line++) {
		/* Relaxed: a look; who has it dirty is we, or it changes under the lock. */
		uint64_t seen = atomic_load_explicit(line_state(pod, line), memory_order_relaxed);
		if ((seen & DIRTY_MASK) >> DIRTY_SHIFT == pod->config.host + 1)
			coherent_write_back(&thread, line);
	}
	free(host);
	pod->incoherent = NULL;
}
