/* delay.h: the parts of the delay model; README.md tells what it charges and why.
 *
 *   delay.c         the accesses: the real one, and what it costs
 *   delay_cache.c   whether a line would have been in its host's cache
 *   delay_time.c    queues of links and device, accounts of threads, waiting
 *   delay_open.c    from a profile to a host
 *
 * shared->state[line]   bits 9..63  generation: of the line's content; a copy of another generation is stale
 *                       bits 2..8   HWcc: 1 + the owner, the host that wrote it or, if nobody has, loaded it first;
 *                                   0: none
 *                       bit 1       HWcc: hosts besides the owner may have it
 *                       bit 0       HWcc: the owner has newer than memory
 * A word of SWcc counts what was written back, no more: software keeps these lines coherent, so nobody's cache is
 * asked.
 *
 * entry[] of a host     bits 28..63 1 + line; 0: nothing
 *                       bits 1..27  generation of the copy, as much of it as there is room for
 *                       bit 0       dirty: the host wrote it and has not written it back
 * Eight entries, one cache line, are a set. A copy that is 2^27 generations old is taken for a fresh one.
 *
 * All of it is atomics, and all of them are relaxed: they decide what an access costs, never what it reads. Threads
 * that race lose a copy or count one twice, which is a miss more or less.
 */
#ifndef LIGER_EMULATION_DELAY_H
#define LIGER_EMULATION_DELAY_H

#include "emulation/clock.h"
#include "emulation/private.h"

/* A cache has whole runs of sets: 4 KiB of lines. */
enum { DELAY_WAYS = 8, DELAY_RUN = 8, DELAY_QUEUE_SHIFT = 6 };

/* No line follows it. */
#define DELAY_NO_LINE (UINT64_MAX - 1)

/* Entries have 36 bits for 1 + a line's number. */
#define DELAY_LINES_MAX ((UINT64_C(1) << 36) - 2)

/* A profile in ticks. Queues are kept in 64ths of a tick: at 232 GB/s a line takes less than one. */
struct delay_costs {
	int64_t read, write_back, flush, coherence, atomic, fence;
	double lines_in_flight;
	uint64_t host_read_service, host_write_service, device_read_service, device_write_service;
	double p99_log2, p999_log2; /* of the quantile over the median */
	int64_t resolution;         /* less is not waited for, but kept */
	int64_t credit_max;         /* as much time that an access took too long is made good by later ones */
	int64_t hit_credit;         /* what the model itself takes to find a hit */
	int64_t edge;               /* what an access takes outside its two looks at the clock */
};

struct delay_host {
	struct delay_costs costs;
	struct emu_clock *clock; /* NULL: the time stamp counter */
	uint64_t set_count, bytes;
	/* When the two directions of the host's link are free again. */
	alignas(64) _Atomic uint64_t read_free;
	alignas(64) _Atomic uint64_t write_free;
	alignas(64) _Atomic uint64_t entry[];
};

/* ---- delay_cache.c ---- */

/* What an access needs that its host's cache does not have. */
enum delay_need {
	DELAY_HIT,
	DELAY_READ,      /* the line from memory */
	DELAY_STALE,     /* the same, after the copy that software had to drop first */
	DELAY_COHERENCE, /* the line, or the right to write it, from another host's cache */
	DELAY_POSTED,    /* the line from memory, which nobody waits for */
};

/* *evicted: a dirty line had to make room. */
enum delay_need delay_cache_load(struct emu_thread *thread, uint64_t line, bool *evicted);
enum delay_need delay_cache_store(struct emu_thread *thread, uint64_t line, bool *evicted);
/* True if there was something to write. The first keeps the line. */
bool delay_cache_write_back(struct emu_thread *thread, uint64_t line);
bool delay_cache_drop(struct emu_thread *thread, uint64_t line);
/* Memory has a line that no cache had a part in. */
void delay_cache_written(struct emu_thread *thread, uint64_t line);

/* ---- delay_time.c ---- */

/* When an access begins that began at `entry`, as the account of its thread stands: a thread that owes is late. */
static inline uint64_t delay_at(const struct emu_thread *thread, uint64_t entry)
{
	return entry + (uint64_t)thread->owed;
}

/* A line takes its turn on link and device. Ticks from `at` that others make it wait; the latency of an idle device has
 * its own way through in it. */
int64_t delay_wait_read(struct emu_thread *thread, uint64_t at);
int64_t delay_wait_write(struct emu_thread *thread, uint64_t at);
/* So many lines one behind the other: ticks from `at` until the last is through. */
int64_t delay_stream_read(struct emu_thread *thread, uint64_t at, uint64_t lines);
int64_t delay_stream_write(struct emu_thread *thread, uint64_t at, uint64_t lines);
/* Of a read of memory, idle. */
int64_t delay_read_latency(struct emu_thread *thread);
/* An access that began at `entry` should take `due` ticks: waits for the rest of them, or keeps it in mind. */
void delay_settle(struct emu_thread *thread, uint64_t entry, int64_t due);
/* The same of a load, which may be still under way. */
void delay_settle_load(struct emu_thread *thread, uint64_t entry, int64_t due);
/* A hit: free, and the model's own time is made good later. */
void delay_hit(struct emu_thread *thread);

/* ---- delay_open.c ---- */

/* Tests: figures of 1 tick a nanosecond, from this clock, and nothing taken off for the model's own time. */
void delay_use_clock(struct emu_pod *pod, struct emu_clock *clock);

#endif
