/* port.h: the one way by which a thread reaches pod memory.
 *
 * A port belongs to one thread. It knows the mapped region, its geometry (checked once at attach, kept in private memory,
 * so that no later content of the region can change it), and counts the accesses. Emulation modes will hang off it:
 * nothing outside src/cxl holds a pointer into the region.
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

/* What this host knows of the region; from the header, checked by region_attach(). */
struct pod_geometry {
	uint64_t cookie;
	uint64_t region_bytes, hwcc_bytes, swcc_bytes;
	uint32_t host_count, partition_count, epoch_ms, durability;
	pod_off extent_owners_offset, block_owners_offset, words_offset;
	uint64_t extent_count, block_count;
	pod_off catalog_offset, roots_offset, channels_offset, extents_offset;
};

struct port_counts {
	uint64_t word_writes, line_reads, line_writes, line_flushes, fences;
};

struct cxl_port {
	uint8_t *base;
	const struct pod_geometry *geometry;
	struct port_counts counts;
	uint8_t write_back_kind, flush_kind; /* enum port_instruction, by what the CPU has */
};

enum port_instruction { PORT_CLFLUSH, PORT_CLFLUSHOPT, PORT_CLWB };

/* Finds out which instructions this CPU has. */
void port_init(struct cxl_port *port, uint8_t *base, const struct pod_geometry *geometry);

static inline _Atomic uint64_t *port_word(const struct cxl_port *port, pod_off offset)
{
	return (_Atomic uint64_t *)(void *)(port->base + offset);
}

static inline void port_flush(struct cxl_port *port, const void *line)
{
	volatile char *p = (volatile char *)(uintptr_t)line;
	port->counts.line_flushes++;
	if (port->flush_kind == PORT_CLFLUSHOPT)
		__asm__ volatile("clflushopt %0" : "+m"(*p)::"memory");
	else
		__asm__ volatile("clflush %0" : "+m"(*p)::"memory");
}

static inline void port_write_back(struct cxl_port *port, const void *line)
{
	volatile char *p = (volatile char *)(uintptr_t)line;
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
	__asm__ volatile("sfence" ::: "memory");
}

/* Orders flushes before the loads that follow. */
static inline void port_full_fence(struct cxl_port *port)
{
	port->counts.fences++;
	__asm__ volatile("mfence" ::: "memory");
}

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

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
