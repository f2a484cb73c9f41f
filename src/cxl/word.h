/* word.h: the 8-byte word of a row, and everything that may be done to one.
 *
 *   63        lock      its holder is installing a new version: readers wait
 *   62        intent    its holder will write it: other writers keep off, readers still read
 *   61..56    holder    host id of who set lock or intent
 *   55        absent    no row here: a placeholder of an insert, or a deleted row
 *   54        away      local word: the row lives in a frame; bits 31..0 are its shared word's index, 0: the row is dead
 *                       shared word: retired, the row has moved out
 *   53        used      second chance of the move-out clock; set by a reader only when clear
 *   52..0     version   epoch (36 bits) . sequence (17 bits)
 *
 * A row's word is in its DRAM header while it is local, and in HWcc while it is shared. A word_ref names either.
 *
 * Transitions (who; what a crash of the host right after it leaves, with the loss rule: a shared word that was not
 * written back may fall back to the value before):
 *
 *   free -> intent          word_try_intent, any host; left: an intent of the dead host, freed by recovery (host id in it)
 *   intent -> lock          word_lock_own, the holder; left: a lock; redone if its record was sealed, else freed
 *   lock -> free, new ver.  word_install, the holder, after the new content is visible; left: nothing
 *   intent, lock -> free    word_cancel, the holder, on abort; left: nothing
 *   free -> lock            word_try_lock, the owner's mover and deleter only; left: as above
 *   lock -> away            word_set_away (local word), the owner's mover; dies with the owner's memory
 *   lock -> retired         word_retire (shared word), the owner's mover; written back before the row is used locally
 *   lock -> dead            word_set_dead (local word), the owner, after the row has left the tree
 *   retired, fresh -> free  word_open (shared word), the owner's mover, with a version above all that the word carried
 *   used on / off           word_mark_used, any reader, when clear; word_clear_used, the owner's clock
 *
 * While a host holds intent or lock nobody else changes the word, but for `used`, which readers set on a word that is
 * not locked. So the holder of a lock, and of a local intent, stores; all others compare and swap.
 */
#ifndef LIGER_CXL_WORD_H
#define LIGER_CXL_WORD_H

#include "cxl/crash_point.h"
#include "cxl/mutant.h"
#include "cxl/port.h"

#define WORD_LOCK    (UINT64_C(1) << 63)
#define WORD_INTENT  (UINT64_C(1) << 62)
#define WORD_HOLDER  (UINT64_C(63) << 56)
#define WORD_ABSENT  (UINT64_C(1) << 55)
#define WORD_AWAY    (UINT64_C(1) << 54)
#define WORD_USED    (UINT64_C(1) << 53)
#define WORD_VERSION ((UINT64_C(1) << 53) - 1)
#define WORD_DEAD    WORD_AWAY /* a local word: away to nowhere */

enum { WORD_HOLDER_SHIFT = 56, EPOCH_SHIFT = 17 };
#define VERSION_SEQUENCE ((UINT64_C(1) << EPOCH_SHIFT) - 1)

static_assert(
        (WORD_LOCK ^ WORD_INTENT ^ WORD_HOLDER ^ WORD_ABSENT ^ WORD_AWAY ^ WORD_USED ^ WORD_VERSION) == UINT64_MAX,
        "the word's fields cover it without overlap");
static_assert(LG_MAX_HOSTS <= 64, "a holder fits into 6 bits");

/* A local word: its address. A shared word: its index * 2 + 1. */
typedef uint64_t word_ref;

static inline word_ref word_ref_local(_Atomic uint64_t *word)
{
	return (uintptr_t)word;
}

static inline word_ref word_ref_shared(word_idx index)
{
	return (word_ref)index * 2 + 1;
}

static inline bool word_ref_is_shared(word_ref ref)
{
	return ref & 1;
}

static inline word_idx word_ref_index(word_ref ref)
{
	return (word_idx)(ref >> 1);
}

/* Whether an index, read from pod memory perhaps, names a word at all. */
static inline bool word_idx_valid(const struct cxl_port *port, word_idx index)
{
	pod_off offset = (pod_off)index * 8;
	return offset >= port->geometry->words_offset && offset < port->geometry->hwcc_bytes;
}

static inline pod_off word_offset(word_ref ref)
{
	return (pod_off)word_ref_index(ref) * 8;
}

static inline bool word_emulated(const struct cxl_port *port, word_ref ref)
{
	return word_ref_is_shared(ref) && port_emulated(port);
}

/* Not for a shared word under emulation. */
static inline _Atomic uint64_t *word_at(const struct cxl_port *port, word_ref ref)
{
	if (word_ref_is_shared(ref))
		return port_word(port, word_offset(ref));
	return (_Atomic uint64_t *)(uintptr_t)ref;
}

static inline void word_count_write(struct cxl_port *port, word_ref ref)
{
	port->counts.word_writes += word_ref_is_shared(ref);
}

static inline uint64_t word_holder_bits(unsigned host)
{
	return (uint64_t)host << WORD_HOLDER_SHIFT;
}

static inline unsigned word_holder(uint64_t word)
{
	return (unsigned)((word & WORD_HOLDER) >> WORD_HOLDER_SHIFT);
}

/* Two looks at a word show the same version of the same row, when nothing but intent and used differ between them. */
static inline bool word_same_version(uint64_t a, uint64_t b)
{
	return ((a ^ b) & ~(WORD_INTENT | WORD_HOLDER | WORD_USED)) == 0;
}

/* [word.install] Acquire; pairs with the release of word_install(), word_open() and word_set_away(). */
static inline uint64_t word_load(const struct cxl_port *port, word_ref ref)
{
	if (word_emulated(port, ref))
		return emu_word_load(port_thread(port), word_offset(ref));
	return atomic_load_explicit(word_at(port, ref), memory_order_acquire);
}

/* The second look. Orders: the copy before it is loaded before this load. */
static inline uint64_t word_load_again(const struct cxl_port *port, word_ref ref)
{
#if !LG_TSAN
	/* [word.second-look] Acquire fence; pairs with the locked compare-and-swap or the [word.lock-first] fence of the
	 * writer: who saw a byte of a newer content sees the lock that came before it. */
	atomic_thread_fence(memory_order_acquire);
#endif
	return word_load(port, ref);
}

static inline bool word_swap(struct cxl_port *port, word_ref ref, uint64_t seen, uint64_t to)
{
	word_count_write(port, ref);
	if (word_emulated(port, ref))
		return emu_word_swap(&port->emulation, word_offset(ref), &seen, to);
	return atomic_compare_exchange_strong_explicit(word_at(port, ref), &seen, to, memory_order_acq_rel,
	        memory_order_relaxed); /* relaxed on failure: the caller loads again */
}

/* `seen` has neither lock, intent nor away. */
static inline bool word_try_intent(struct cxl_port *port, word_ref ref, uint64_t seen, unsigned host)
{
	return word_swap(port, ref, seen, (seen & ~WORD_HOLDER) | WORD_INTENT | word_holder_bits(host));
}

static inline bool word_try_lock(struct cxl_port *port, word_ref ref, uint64_t seen, unsigned host)
{
	return word_swap(port, ref, seen, (seen & ~WORD_HOLDER) | WORD_LOCK | word_holder_bits(host));
}

/* [word.lock-first] The content is written after the lock is seen: the commit's full fence, which comes after all
 * locks and before any content, orders them; pairs with [word.second-look]. */
static inline void word_lock_own(struct cxl_port *port, word_ref ref)
{
	if (word_ref_is_shared(ref)) {
		word_count_write(port, ref);
		port_word_rmw(port, word_offset(ref), EMU_XOR, WORD_LOCK | WORD_INTENT, memory_order_acq_rel);
	} else {
		_Atomic uint64_t *word = word_at(port, ref);
		/* Relaxed: only the holder changes a local word under intent; the commit's fence orders it. */
		uint64_t now = atomic_load_explicit(word, memory_order_relaxed);
		atomic_store_explicit(word, now ^ (WORD_LOCK | WORD_INTENT), memory_order_relaxed);
	}
}

/* [word.install] Release; pairs with word_load(). Orders: the new content (visible: written back and fenced) before the
 * version that names it. `flags`: WORD_ABSENT, WORD_USED or 0. */
static inline void word_install(struct cxl_port *port, word_ref ref, uint64_t version, uint64_t flags)
{
	word_count_write(port, ref);
	if (word_emulated(port, ref))
		emu_word_store(&port->emulation, word_offset(ref), version | flags);
	else
		atomic_store_explicit(word_at(port, ref), version | flags, memory_order_release);
}

/* Back to what it was before intent or lock, by the holder. */
static inline void word_cancel(struct cxl_port *port, word_ref ref)
{
	word_count_write(port, ref);
	const uint64_t kept = ~(WORD_LOCK | WORD_INTENT | WORD_HOLDER);
	if (word_emulated(port, ref))
		emu_word_rmw(&port->emulation, word_offset(ref), EMU_AND, kept);
	else /* Release: nothing was changed under it; keeps the holder's reads before it. */
		atomic_fetch_and_explicit(word_at(port, ref), kept, memory_order_release);
}

/* The loss rule: memory has the word's present value once the port's next fence is over. */
static inline void word_write_back(struct cxl_port *port, word_ref ref)
{
	port_write_back(port, word_offset(ref));
	port->words_unfenced = true;
}

/* The local word of a row that is in a frame now: [word.install] release, the frame and its word come first. */
static inline void word_set_away(_Atomic uint64_t *word, word_idx shared)
{
	atomic_store_explicit(word, WORD_AWAY | shared, memory_order_release);
}

static inline word_idx word_away_index(uint64_t word)
{
	return (word_idx)(word & UINT32_MAX);
}

static inline bool word_is_dead(uint64_t word)
{
	return (word & WORD_AWAY) && !(word & UINT32_MAX);
}

static inline void word_set_dead(_Atomic uint64_t *word)
{
	atomic_store_explicit(word, WORD_DEAD, memory_order_release);
}

/* A shared word that its owner has locked: no row any more. Keeps the version, which the next use must exceed. */
static inline void word_retire(struct cxl_port *port, word_idx index, uint64_t version)
{
	word_ref ref = word_ref_shared(index);
	word_count_write(port, ref);
	port_word_store(port, word_offset(ref), WORD_AWAY | version, memory_order_release);
	/* The loss rule: before the row is used locally, a fallen-back word must not show the stale frame as current. */
	if (!MUTANT(WRITE_BACK_RETIRED))
		port_write_back(port, word_offset(ref));
	if (!MUTANT(FENCE_RETIRED))
		port_fence(port);
}

/* A free shared word becomes a row's. [word.install] release. */
static inline void word_open(struct cxl_port *port, word_idx index, uint64_t version, uint64_t flags)
{
	word_install(port, word_ref_shared(index), version, flags | WORD_USED);
}

/* By readers of a shared row, when the clock has cleared the bit; losing the race is as good. */
static inline void word_mark_used(struct cxl_port *port, word_ref ref, uint64_t seen)
{
	if (!(seen & (WORD_USED | WORD_LOCK | WORD_AWAY)))
		word_swap(port, ref, seen, seen | WORD_USED);
}

static inline bool word_clear_used(struct cxl_port *port, word_ref ref, uint64_t seen)
{
	return word_swap(port, ref, seen, seen & ~WORD_USED);
}

static inline uint64_t version_epoch(uint64_t version)
{
	return version >> EPOCH_SHIFT;
}

static inline uint64_t version_first_of(uint64_t epoch)
{
	return epoch << EPOCH_SHIFT;
}

#endif
