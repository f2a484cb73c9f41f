/* port.h: the one way by which a thread reaches pod memory.
 *
 * A port belongs to one thread. It knows the mapped region, its geometry (checked once at attach, kept in private memory,
 * so that no later content of the region can change it), and counts the accesses. Nothing outside src/cxl holds a pointer
 * into the region. Where the host runs under emulation (src/emulation) the port hands each access to the model instead of
 * doing it; in the incoherent mode `base` is not even readable, so whoever goes past the port is found at once.
 *
 * Ordering and visibility are apart:
 *   - HWcc words are coherent; every operation is a C11 atomic with the order that its name in word.h or pod.h says.
 *   - SWcc lines are made visible by port_write_back() + port_fence(), and fetched anew by port_flush() +
 *     port_full_fence(). sfence does not order the loads that follow, so the second is an mfence.
 */
#ifndef LIGER_CXL_PORT_H
#define LIGER_CXL_PORT_H

#include <string.h>

#include "cxl/layout.h"
#include "emulation/model.h"

/* Builds without emulation (make EMULATION=0) have no trace of it on any path. */
#ifndef LG_EMULATION
#define LG_EMULATION 1
#endif

/* What this host knows of the region; from the header, checked by region_attach(). */
struct pod_geometry {
	uint64_t cookie;
	uint64_t region_bytes, hwcc_bytes, swcc_bytes;
	uint32_t host_count, partition_count, epoch_ms, durability;
	uint32_t redo_workers, redo_ring_bytes; /* 0 at LG_DURABILITY_NONE: commits are not sealed */
	bool logged;                            /* what is sealed goes to logs on disk */
	uint64_t life; /* of the pod that is logged: 1, and one more each time that it was brought back; else 0 */
	pod_off extent_owners_offset, block_owners_offset, words_offset;
	uint64_t extent_count, block_count;
	pod_off catalog_offset, roots_offset, channels_offset, redo_offset, extents_offset;
};

struct port_counts {
	uint64_t word_writes, line_reads, line_writes, line_flushes, fences;
};

struct cxl_port {
	uint8_t *base;
	const struct pod_geometry *geometry;
	struct port_counts counts;
	bool seals;                          /* commits of this pod are sealed: words follow the loss rule (word.h) */
	bool words_unfenced;                 /* words were written back since the last fence: word_write_back() */
	uint8_t write_back_kind, flush_kind; /* enum port_instruction, by what the CPU has */
	struct emu_thread emulation;         /* .pod is NULL: none */
};

enum port_instruction { PORT_CLFLUSH, PORT_CLFLUSHOPT, PORT_CLWB };

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Finds out which instructions this CPU has. */
void port_init(struct cxl_port *port, uint8_t *base, const struct pod_geometry *geometry);
/* Right after port_init(): from now on the port's accesses are the model's business. NULL: nothing changes. */
void port_emulate(struct cxl_port *port, struct emu_pod *pod);

static inline bool port_emulated(const struct cxl_port *port)
{
	return LG_EMULATION && unlikely(port->emulation.pod != NULL);
}

/* The model's part of a port changes with every access, also where the caller only looks. */
static inline struct emu_thread *port_thread(const struct cxl_port *port)
{
	return (struct emu_thread *)(uintptr_t)&port->emulation;
}

/* ---- HWcc: words. The memory order is a constant of the caller's; the emulation's are all seq_cst. ---- */

static inline _Atomic uint64_t *port_word(const struct cxl_port *port, pod_off offset)
{
	return (_Atomic uint64_t *)(void *)(port->base + offset);
}

static inline uint64_t port_word_load(const struct cxl_port *port, pod_off offset, memory_order order)
{
	if (port_emulated(port))
		return emu_word_load(port_thread(port), offset);
	return atomic_load_explicit(port_word(port, offset), order);
}

static inline void port_word_store(const struct cxl_port *port, pod_off offset, uint64_t value, memory_order order)
{
	if (port_emulated(port))
		emu_word_store(port_thread(port), offset, value);
	else
		atomic_store_explicit(port_word(port, offset), value, order);
}

/* Compare and swap; `seen` changes if it fails, and then nothing is ordered. */
static inline bool port_word_swap(
        const struct cxl_port *port, pod_off offset, uint64_t *seen, uint64_t to, memory_order order)
{
	if (port_emulated(port))
		return emu_word_swap(port_thread(port), offset, seen, to);
	return atomic_compare_exchange_strong_explicit(port_word(port, offset), seen, to, order, memory_order_relaxed);
}

/* Read, modify, write: returns what was there before. */
static inline uint64_t port_word_rmw(
        const struct cxl_port *port, pod_off offset, enum emu_rmw operation, uint64_t operand, memory_order order)
{
	if (port_emulated(port))
		return emu_word_rmw(port_thread(port), offset, operation, operand);
	_Atomic uint64_t *word = port_word(port, offset);
	switch (operation) {
	case EMU_ADD: return atomic_fetch_add_explicit(word, operand, order);
	case EMU_AND: return atomic_fetch_and_explicit(word, operand, order);
	case EMU_OR: return atomic_fetch_or_explicit(word, operand, order);
	case EMU_XOR: return atomic_fetch_xor_explicit(word, operand, order);
	case EMU_EXCHANGE: break;
	}
	return atomic_exchange_explicit(word, operand, order);
}

/* ---- SWcc: 8 bytes that stand for themselves. Lines are line.h's. ---- */

static inline uint64_t port_load64(const struct cxl_port *port, pod_off offset, memory_order order)
{
	if (port_emulated(port))
		return emu_load64(port_thread(port), offset);
	return atomic_load_explicit(port_word(port, offset), order);
}

static inline void port_store64(const struct cxl_port *port, pod_off offset, uint64_t value, memory_order order)
{
	if (port_emulated(port))
		emu_store64(port_thread(port), offset, value);
	else
		atomic_store_explicit(port_word(port, offset), value, order);
}

/* ---- Visibility ---- */

static inline void port_flush(struct cxl_port *port, pod_off line)
{
	port->counts.line_flushes++;
	if (port_emulated(port)) {
		emu_flush(&port->emulation, line);
		return;
	}
	volatile char *p = (volatile char *)(port->base + line);
	if (port->flush_kind == PORT_CLFLUSHOPT)
		__asm__ volatile("clflushopt %0" : "+m"(*p)::"memory");
	else
		__asm__ volatile("clflush %0" : "+m"(*p)::"memory");
}

static inline void port_write_back(struct cxl_port *port, pod_off line)
{
	if (port_emulated(port)) {
		emu_write_back(&port->emulation, line);
		return;
	}
	volatile char *p = (volatile char *)(port->base + line);
	if (port->write_back_kind == PORT_CLWB)
		__asm__ volatile("clwb %0" : "+m"(*p)::"memory");
	else if (port->write_back_kind == PORT_CLFLUSHOPT)
		__asm__ volatile("clflushopt %0" : "+m"(*p)::"memory");
	else
		__asm__ volatile("clflush %0" : "+m"(*p)::"memory");
}

/* Orders write-backs before the stores that follow: what was written back is visible before what says so. */
static inline void port_fence(struct cxl_port *port)
{
	port->counts.fences++;
	port->words_unfenced = false;
	if (port_emulated(port))
		emu_fence(&port->emulation);
	else
		__asm__ volatile("sfence" ::: "memory");
}

/* Orders flushes before the loads that follow. */
static inline void port_full_fence(struct cxl_port *port)
{
	port->counts.fences++;
	if (port_emulated(port))
		emu_full_fence(&port->emulation);
	else
		__asm__ volatile("mfence" ::: "memory");
}

/* Copies of memory that another thread may be writing: whoever copies looks at a word or version afterwards and throws
 * the copy away if it changed (a seqlock). Under ThreadSanitizer they are relaxed atomics, which is what the C11 model
 * asks for; in other builds plain copies, which gcc and clang compile to vector moves and nothing worse. */
#if defined(__SANITIZE_THREAD__)
#define LG_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LG_TSAN 1
#endif
#endif
#ifndef LG_TSAN
#define LG_TSAN 0
#endif

static inline void racy_copy_out(void *dst, const void *src, size_t bytes)
{
	if (!LG_TSAN) {
		memcpy(dst, src, bytes);
		return;
	}
	uint8_t *d = dst;
	const _Atomic uint8_t *s = src;
	for (size_t i = 0; i < bytes; i++)
		d[i] = atomic_load_explicit(&s[i], memory_order_relaxed);
}

static inline void racy_copy_in(void *dst, const void *src, size_t bytes)
{
	if (!LG_TSAN) {
		memcpy(dst, src, bytes);
		return;
	}
	_Atomic uint8_t *d = dst;
	const uint8_t *s = src;
	for (size_t i = 0; i < bytes; i++)
		atomic_store_explicit(&d[i], s[i], memory_order_relaxed);
}

static inline int racy_compare(const void *a, const void *b, size_t bytes)
{
	if (!LG_TSAN)
		return memcmp(a, b, bytes);
	const _Atomic uint8_t *x = a;
	const _Atomic uint8_t *y = b;
	for (size_t i = 0; i < bytes; i++) {
		int d = atomic_load_explicit(&x[i], memory_order_relaxed) -
		        atomic_load_explicit(&y[i], memory_order_relaxed);
		if (d)
			return d;
	}
	return 0;
}

/* The full fence of the commit order and of epoch entry: a store before it is seen by all before a load after it reads. */
static inline void full_fence(void)
{
#if LG_TSAN
	/* ThreadSanitizer does not know fences; x86 orders by the locked instruction all the same. */
	_Atomic uint64_t local = 0;
	atomic_fetch_add(&local, 1);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif
