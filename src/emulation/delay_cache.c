/* delay_cache.c: which lines a host's cache would hold, of what content. Formats in delay.h.
 *
 * HWcc as a directory keeps it: a load takes the line from memory or from the owner, who from then on shares it; a
 * store needs the line alone. The directory is not told of clean lines that caches drop, as real ones are not.
 * SWcc: a copy stays good until its line is written back by another host, or by a store that goes past the caches.
 */
#include "emulation/delay.h"

#define STATE_DIRTY      UINT64_C(1)
#define STATE_SHARED     UINT64_C(2)
#define OWNER_SHIFT      2
#define OWNER_MASK       (UINT64_C(0x7f) << OWNER_SHIFT)
#define GENERATION_SHIFT 9
#define GENERATION_ONE   (UINT64_C(1) << GENERATION_SHIFT)

#define ENTRY_DIRTY      UINT64_C(1)
#define ENTRY_LINE_SHIFT 28
#define ENTRY_GENERATION ((UINT64_C(1) << ENTRY_LINE_SHIFT) - 2)

static_assert(EMU_SLOTS < 0x7f, "an owner has 7 bits");

static _Atomic uint64_t *state_of(const struct emu_thread *thread, uint64_t line)
{
	return &thread->pod->shared->state[line];
}

static uint64_t owner_bits(const struct emu_thread *thread)
{
	return (uint64_t)(thread->pod->config.host + 1) << OWNER_SHIFT;
}

static bool is_coherent(const struct emu_thread *thread, uint64_t line)
{
	return line * EMU_LINE_BYTES < thread->pod->config.coherent_bytes;
}

/* relaxed, here and below: see delay.h */
static uint64_t get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static bool swap(_Atomic uint64_t *word, uint64_t *seen, uint64_t to)
{
	return atomic_compare_exchange_weak_explicit(word, seen, to, memory_order_relaxed, memory_order_relaxed);
}

static uint64_t make_entry(uint64_t line, uint64_t state, uint64_t dirty)
{
	return (line + 1) << ENTRY_LINE_SHIFT | (state >> GENERATION_SHIFT << 1 & ENTRY_GENERATION) | dirty;
}

static bool is_current(uint64_t entry, uint64_t state)
{
	return (entry & ENTRY_GENERATION) == (state >> GENERATION_SHIFT << 1 & ENTRY_GENERATION);
}

static _Atomic uint64_t *set_of(const struct emu_thread *thread, uint64_t line)
{
	struct delay_host *host = thread->pod->delay;
	/* Lines that follow each other are in sets that do, as far as a run goes: so this machine fetches their entries
	 * ahead. Where a run begins is multiplied, so that runs at even distances do not meet; then scaled, so that any
	 * count will do. */
	uint64_t hash = (line / DELAY_RUN * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
	uint64_t run = hash * (host->set_count / DELAY_RUN) >> 32;
	return &host->entry[(run * DELAY_RUN + line % DELAY_RUN) * DELAY_WAYS];
}

static _Atomic uint64_t *find(_Atomic uint64_t *set, uint64_t line)
{
	for (unsigned i = 0; i < DELAY_WAYS; i++)
		if (get(&set[i]) >> ENTRY_LINE_SHIFT == line + 1)
			return &set[i];
	return NULL;
}

/* What this host has written of a line goes to memory. `dropped`: and its copy is gone. True if there was anything. */
static bool clean(struct emu_thread *thread, uint64_t line, bool dropped)
{
	_Atomic uint64_t *state = state_of(thread, line);
	if (!is_coherent(thread, line)) {
		atomic_fetch_add_explicit(state, GENERATION_ONE, memory_order_relaxed);
		return true;
	}
	uint64_t seen = get(state), to, mine = owner_bits(thread);
	do {
		to = seen & ~STATE_DIRTY;
		if ((seen & OWNER_MASK) != mine)
			return false;
		if (dropped && !(seen & STATE_SHARED))
			to &= ~OWNER_MASK;
		if (to == seen)
			return false;
	} while (!swap(state, &seen, to));
	return seen & STATE_DIRTY;
}

/* Notes a copy in the place where the last one was, or in a free one, or in that of a line chosen by lot. */
static void put(struct emu_thread *thread, uint64_t line, _Atomic uint64_t *slot, uint64_t entry, bool *evicted)
{
	if (!slot) {
		_Atomic uint64_t *set = set_of(thread, line);
		slot = &set[emu_random(thread) >> 61];
		static_assert(DELAY_WAYS == 1 << (64 - 61), "three random bits choose a way");
		for (unsigned i = 0; i < DELAY_WAYS; i++)
			if (get(&set[i]) == 0)
				slot = &set[i];
		uint64_t victim = get(slot);
		thread->counts.evictions += victim != 0;
		if (victim & ENTRY_DIRTY)
			*evicted = clean(thread, (victim >> ENTRY_LINE_SHIFT) - 1, true);
	}
	atomic_store_explicit(slot, entry, memory_order_relaxed);
}

/* From the owner's cache, if that has newer than memory; else from memory. *got: the line's state from then on. */
static enum delay_need fetch_coherent(struct emu_thread *thread, uint64_t line, uint64_t *got)
{
	_Atomic uint64_t *state = state_of(thread, line);
	uint64_t seen = get(state), to, mine = owner_bits(thread);
	do {
		to = seen;
		if ((seen & OWNER_MASK) == 0)
			to = (seen & ~STATE_SHARED) | mine;
		else if ((seen & OWNER_MASK) != mine)
			to = (seen & ~STATE_DIRTY) | STATE_SHARED;
	} while (to != seen && !swap(state, &seen, to));
	*got = to;
	return (seen & STATE_DIRTY) && (seen & OWNER_MASK) != mine ? DELAY_COHERENCE : DELAY_READ;
}

enum delay_need delay_cache_load(struct emu_thread *thread, uint64_t line, bool *evicted)
{
	_Atomic uint64_t *slot = find(set_of(thread, line), line);
	bool coherent = is_coherent(thread, line);
	uint64_t seen = get(state_of(thread, line));
	enum delay_need need = slot ? DELAY_STALE : DELAY_READ;
	if (slot) {
		uint64_t entry = get(slot);
		if (is_current(entry, seen) || (!coherent && (entry & ENTRY_DIRTY)))
			return DELAY_HIT;
	}
	if (coherent)
		need = fetch_coherent(thread, line, &seen);
	put(thread, line, slot, make_entry(line, seen, 0), evicted);
	return need;
}

/* HWcc: the line for this host alone. */
static enum delay_need store_coherent(struct emu_thread *thread, uint64_t line, _Atomic uint64_t *slot, bool *evicted)
{
	_Atomic uint64_t *state = state_of(thread, line);
	uint64_t entry = slot ? get(slot) : 0, seen = get(state), to, mine = owner_bits(thread);
	bool held, alone;
	do {
		held = slot && is_current(entry, seen);
		alone = (seen & OWNER_MASK) == mine && !(seen & STATE_SHARED);
		if (held && alone)
			to = seen | STATE_DIRTY; /* nobody else has a copy that would get stale */
		else
			to = (((seen >> GENERATION_SHIFT) + 1) << GENERATION_SHIFT) | mine | STATE_DIRTY;
	} while (to != seen && !swap(state, &seen, to));
	if (!held || !alone || !(entry & ENTRY_DIRTY))
		put(thread, line, slot, make_entry(line, to, ENTRY_DIRTY), evicted);
	if (held && alone)
		return DELAY_HIT;
	return alone || (seen & (OWNER_MASK | STATE_SHARED)) == 0 ? DELAY_READ : DELAY_COHERENCE;
}

enum delay_need delay_cache_store(struct emu_thread *thread, uint64_t line, bool *evicted)
{
	_Atomic uint64_t *slot = find(set_of(thread, line), line);
	if (is_coherent(thread, line))
		return store_coherent(thread, line, slot, evicted);
	uint64_t entry = slot ? get(slot) : 0;
	if (entry & ENTRY_DIRTY)
		return DELAY_HIT;
	uint64_t seen = get(state_of(thread, line));
	put(thread, line, slot, make_entry(line, seen, ENTRY_DIRTY), evicted);
	return slot && is_current(entry, seen) ? DELAY_HIT : DELAY_POSTED;
}

bool delay_cache_write_back(struct emu_thread *thread, uint64_t line)
{
	_Atomic uint64_t *slot = find(set_of(thread, line), line);
	if (!slot || !(get(slot) & ENTRY_DIRTY))
		return false;
	bool wrote = clean(thread, line, false);
	atomic_store_explicit(slot, make_entry(line, get(state_of(thread, line)), 0), memory_order_relaxed);
	return wrote;
}

bool delay_cache_drop(struct emu_thread *thread, uint64_t line)
{
	_Atomic uint64_t *slot = find(set_of(thread, line), line);
	if (!slot)
		return false;
	uint64_t entry = get(slot);
	atomic_store_explicit(slot, 0, memory_order_relaxed);
	/* The owner gives up a clean line of HWcc too. */
	return ((entry & ENTRY_DIRTY) || is_coherent(thread, line)) && clean(thread, line, true);
}

void delay_cache_written(struct emu_thread *thread, uint64_t line)
{
	/* No locked instruction: one a line would be most of a streaming store's time. Two that race count as one. */
	_Atomic uint64_t *state = state_of(thread, line);
	atomic_store_explicit(state, get(state) + GENERATION_ONE, memory_order_relaxed);
}
