/* ligersim.h: memory that behaves like a CXL pod's, on one ordinary machine: the emulation under Liger, by itself.
 *
 * A region is bytes that several hosts share. A host is a process, or just some threads of one that call themselves so;
 * what matters is that each has a cache of its own. Two models of that cache, and none, by a text:
 *
 *     "delay:PROFILE"       what would miss costs time: latency, bandwidth and queues of a device that a profile
 *                           describes; a built-in one by name, or a JSON file by path (docs/emulation.md)
 *     "incoherent[:SEED]"   what another host wrote is not seen before it was written back and fetched anew; caches
 *                           write back, evict and prefetch when they like, by random numbers from SEED
 *     "direct"              plain instructions
 *
 *     lgs_region_create()   once; or lgs_region_open() in the other processes
 *     lgs_host_open()       for each host
 *     lgs_thread_open()     in each thread of it
 *     lgs_read() ...
 *     lgs_thread_close(), lgs_host_close(), lgs_region_close(), lgs_region_destroy() for a region with a name
 *
 * The region is [0, bytes). Its first coherent_bytes are words of 8 bytes that are coherent across hosts: lgs_load()
 * ... lgs_fetch_and(), all sequentially consistent. The rest are lines of 64 bytes that are not: lgs_read() ...
 * lgs_stream_write(). There, what host A wrote is what host B reads for certain if, in this order,
 *     A: lgs_write(), lgs_write_back(), lgs_fence(), then says so in a coherent word;
 *     B: sees the word, then lgs_flush(), lgs_full_fence(), lgs_read().
 * The models know lines, not variables: two hosts that write different bytes of one line lose some of them.
 *
 * Bounds. Every access is checked. One beyond its part of the region, or a word that is not aligned to 8 bytes, is a
 * mistake of the program: it ends by abort(), with a message on standard error that names the call, the offset, and
 * what would have been allowed.
 *
 * Errors. Calls that can fail for other reasons return an enum lgs_code and fill *err, if it is not NULL, with a
 * sentence.
 *
 * Threads. A region and a host may be used by any threads at once; a struct lgs_thread by one at a time. After fork() a
 * child uses nothing that was opened before: it opens the region by its name.
 */
#ifndef LIGERSIM_H
#define LIGERSIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LGS_VERSION    "0.1.0"
#define LGS_LINE_BYTES 64
#define LGS_MAX_HOSTS  64

enum lgs_code {
	LGS_OK = 0,
	LGS_INVALID,  /* an argument makes no sense */
	LGS_NOTFOUND, /* no region of that name */
	LGS_EXISTS,   /* the name is taken */
	LGS_INUSE,    /* the host is open in this process already */
	LGS_MISMATCH, /* shared memory of that name is no region of this version, or not yet */
	LGS_MODE,     /* the emulation cannot be had: a profile is wrong, or other hosts have another mode or profile */
	LGS_SYSTEM    /* a system call failed; the message names it */
};

/* What went wrong; `message` is always terminated. */
struct lgs_error {
	int code;
	char message[508];
};

struct lgs_region;
struct lgs_host;
struct lgs_thread;

/* ---- The region -------------------------------------------------------------------------------------------------- */

struct lgs_config {
	/* POSIX shared memory of that name (no slash): other processes may lgs_region_open() it, and it stays until
	 * lgs_region_destroy(). NULL: memory of this process, in huge pages where the kernel has them; gone at
	 * close. */
	const char *name;
	/* Or memory that the caller has mapped, aligned to 64 bytes, of config.bytes; `name` is NULL then. It stays the
	 * caller's, who keeps it until lgs_region_close(). Contents are not cleared. NULL: the library's own. */
	void *memory;
	uint64_t bytes;          /* multiple of 64 */
	uint64_t coherent_bytes; /* of these, at the beginning; multiple of 64; may be 0, may be all */
	unsigned hosts;          /* ids 0..hosts-1; 1..LGS_MAX_HOSTS */
	const char *emulate;     /* see above; NULL: "direct" */
};

/* bytes 64 MiB, coherent_bytes 1 MiB, 2 hosts, direct, no name. */
void lgs_config_init(struct lgs_config *config);

/* Makes a region; its bytes are 0 unless they are the caller's.
 * Ownership: *config is copied; *region until lgs_region_close().
 * Returns:   LGS_OK; LGS_INVALID (sizes, hosts, name; the text of the mode); LGS_EXISTS; LGS_SYSTEM. */
int lgs_region_create(const struct lgs_config *config, struct lgs_region **region, struct lgs_error *err);

/* Opens a region that another process created by name. `emulate` must name the creator's mode and profile, the seed may
 * differ; NULL: takes the creator's (a profile's path as it was written there).
 * Returns: LGS_OK; LGS_NOTFOUND; LGS_MISMATCH; LGS_INVALID; LGS_MODE (another mode; another profile, lgs_host_open()
 *          refuses while a host of the first is open); LGS_SYSTEM. */
int lgs_region_open(const char *name, const char *emulate, struct lgs_region **region, struct lgs_error *err);

/* All its hosts must have been closed. Of a region without a name nothing is left, nor where its process just ends. */
void lgs_region_close(struct lgs_region *region);

/* Removes a region by its name, and what its emulation has left. Whoever has it open may go on.
 * Returns: LGS_OK; LGS_NOTFOUND; LGS_MISMATCH (it is no region: it is not touched); LGS_INVALID; LGS_SYSTEM. */
int lgs_region_destroy(const char *name, struct lgs_error *err);

uint64_t lgs_region_bytes(const struct lgs_region *region);
uint64_t lgs_region_coherent_bytes(const struct lgs_region *region);
unsigned lgs_region_hosts(const struct lgs_region *region);

/* ---- A host ------------------------------------------------------------------------------------------------------ */

/* Joins as host `id`, with an empty cache of its own.
 * Ownership: *host until lgs_host_close(); it needs the region.
 * Returns:   LGS_OK; LGS_INVALID (id); LGS_INUSE; LGS_MODE; LGS_SYSTEM. */
int lgs_host_open(struct lgs_region *region, unsigned id, struct lgs_host **host, struct lgs_error *err);

/* Leaves in order: its dirty lines go to memory. All its threads must have been closed. */
void lgs_host_close(struct lgs_host *host);

/* Tells the emulation that the process of host `dead` is gone, before anything is done about what it left: what it had
 * not written back is lost (incoherent), coherent words included that nobody has read since. */
void lgs_host_died(struct lgs_host *host, unsigned dead);

/* "direct", "delay:NAME", "incoherent:SEED": belongs beside every result. Valid as long as the host. */
const char *lgs_host_mode(const struct lgs_host *host);

/* ---- A thread ---------------------------------------------------------------------------------------------------- */

/* Ownership: *thread until lgs_thread_close(); it needs the host. Returns: LGS_OK; LGS_SYSTEM (no memory). */
int lgs_thread_open(struct lgs_host *host, struct lgs_thread **thread, struct lgs_error *err);
/* Fences fully first: nothing of what it did stays pending. */
void lgs_thread_close(struct lgs_thread *thread);

/* What this thread has done and met since it was opened. Lines are of 64 bytes. */
struct lgs_counters {
	uint64_t write_backs, flushes, fences; /* lines told to be written back, flushed; fences of both kinds */
	uint64_t atomics;                      /* on coherent words: swaps, additions, exchanges */
	/* the rest: 0 in direct mode */
	uint64_t hits, misses;          /* of the model's cache */
	uint64_t coherence_misses;      /* of the misses: another host had written the line */
	uint64_t stale_hits;            /* incoherent: reads of a line while memory had something else, and newer */
	uint64_t evictions, prefetches; /* lines that left the cache; that came unasked (incoherent) */
	uint64_t delayed_ticks;         /* delay: counts of the time stamp counter that were waited for */
};

/* Threads: the one that uses `thread`. */
struct lgs_counters lgs_thread_counters(const struct lgs_thread *thread);

/* ---- Coherent words: offset < coherent_bytes, a multiple of 8 ---------------------------------------------------- */

uint64_t lgs_load(struct lgs_thread *thread, uint64_t offset);
void lgs_store(struct lgs_thread *thread, uint64_t offset, uint64_t value);
/* If the word is *seen it becomes `to`; else *seen becomes the word, and false is returned. */
bool lgs_cas(struct lgs_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to);
/* These return what the word was before. */
uint64_t lgs_exchange(struct lgs_thread *thread, uint64_t offset, uint64_t value);
uint64_t lgs_fetch_add(struct lgs_thread *thread, uint64_t offset, uint64_t operand);
uint64_t lgs_fetch_or(struct lgs_thread *thread, uint64_t offset, uint64_t operand);
uint64_t lgs_fetch_and(struct lgs_thread *thread, uint64_t offset, uint64_t operand);

/* ---- Lines: [offset, offset + bytes) within [coherent_bytes, bytes of the region) -------------------------------- */

/* Through the host's cache; any offset, any length, any alignment of the other side. Under "incoherent" words of 8
 * bytes that are aligned come and go whole; in the other modes count on that no more than with memcpy(). Under
 * emulation a write of a part of such a word reads it first, so two threads of a host that write different parts of one
 * word at a time may lose one of the writes. */
void lgs_read(struct lgs_thread *thread, uint64_t offset, void *dst, size_t bytes);
void lgs_write(struct lgs_thread *thread, uint64_t offset, const void *src, size_t bytes);

/* Past the cache, for much at once; offset and bytes multiples of 64. Lines that this host's cache holds must have been
 * written back or flushed before. A write is visible after lgs_fence(). */
void lgs_stream_read(struct lgs_thread *thread, uint64_t offset, void *dst, size_t bytes);
void lgs_stream_write(struct lgs_thread *thread, uint64_t offset, const void *src, size_t bytes);

/* ---- Visibility: every line that [offset, offset + bytes) touches, of both parts --------------------------------- */

/* As clwb: on its way to memory; there after lgs_fence(). */
void lgs_write_back(struct lgs_thread *thread, uint64_t offset, size_t bytes);
/* As clflushopt: written back if it is dirty, and out of this host's cache; gone after lgs_full_fence(). */
void lgs_flush(struct lgs_thread *thread, uint64_t offset, size_t bytes);
/* As sfence: write-backs and streamed writes before it are visible before what is written after it. */
void lgs_fence(struct lgs_thread *thread);
/* As mfence: that, and flushes before it are done before what is read after it. */
void lgs_full_fence(struct lgs_thread *thread);

#ifdef __cplusplus
}
#endif

#endif
