/* model.h: pod memory as a device that is slower than this machine's, or not coherent: the seam between whoever
 * accesses pod memory (src/cxl/port.h; ligersim.c) and the two models, delay.c and incoherent.c.
 *
 * A region is bytes [0, bytes). [0, coherent_bytes) is HWcc: 8-byte words, coherent across hosts, touched by
 * emu_word_...() alone. The rest is SWcc: lines of 64 bytes, touched by emu_load64() ... emu_stream_in() alone, which see
 * it through the cache of their host: what another host wrote is seen after it wrote the line back and fenced, and this
 * host flushed it and fenced fully. Offsets are the caller's to check.
 *
 * Who holds what: one struct emu_pod a mapping (one a host; it has the host's modelled cache in private memory, and
 * maps what all hosts of the pod share of the emulation: shared.h). One struct emu_thread a thread that accesses; it
 * lives in the caller's struct, is set up by emu_thread_init(), needs no end, and may be copied while nothing is
 * pending in it.
 *
 * Crash: a host that dies loses its private memory, and with it the lines that it had not written back; what its HWcc
 * words fall back to, see incoherent.c.
 */
#ifndef LIGER_EMULATION_MODEL_H
#define LIGER_EMULATION_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EMU_LINE_BYTES = 64, EMU_MAX_HOSTS = 64, EMU_PENDING_LINES = 32, EMU_MESSAGE_BYTES = 400 };

/* Who is no host of the pod and yet reaches its memory, to create it, look at it, or destroy it: EMU_OBSERVER in place of a
 * host's number. Each that lives gets one of these slots behind the hosts', with a cache of its own like theirs. */
enum { EMU_OBSERVER = EMU_MAX_HOSTS, EMU_MAX_OBSERVERS = 8, EMU_SLOTS = EMU_MAX_HOSTS + EMU_MAX_OBSERVERS };

enum emu_mode { EMU_DIRECT, EMU_DELAY, EMU_INCOHERENT };

struct emu_profile; /* profile.h */

/* "delay:PROFILE", "incoherent" or "incoherent:SEED", taken apart. */
struct emu_spec {
	enum emu_mode mode;
	uint64_t seed;     /* incoherent */
	char profile[256]; /* delay: a built-in profile's name, or the path of a file */
};

/* False, and a sentence in message, when the text is none of these. NULL and "" and "direct": EMU_DIRECT. */
bool emu_spec_parse(const char *text, struct emu_spec *spec, char message[EMU_MESSAGE_BYTES]);

struct emu_config {
	struct emu_spec spec;
	uint8_t *raw;                   /* the region as it is mapped, kept by the caller until emu_pod_close() */
	uint64_t bytes, coherent_bytes; /* multiples of 64 */
	uint64_t cookie;                /* of the pod: hosts with the same cookie share one emulation */
	unsigned host, host_count;      /* host: below host_count, or EMU_OBSERVER */
	/* What the hosts share of the emulation, where all of them are of this process: emu_shared_bytes() (shared.h)
	 * that are page-aligned, zeros before the first host opens, and kept by the caller until the last is closed.
	 * NULL: a POSIX shared memory object, by cookie. */
	void *shared;
};

struct emu_pod;

/* Why a pod cannot be opened. */
enum emu_failure {
	EMU_NONE,
	EMU_INVALID,    /* no such profile, a wrong one, or more memory than the mode can do */
	EMU_OTHER_MODE, /* the pod's other hosts have another mode or profile */
	EMU_SYSTEM,     /* memory, /dev/shm, the machine's clock; more observers than slots */
};

/* NULL, with the reason in *failure and a sentence in message, when it cannot be. */
struct emu_pod *emu_pod_open(
        const struct emu_config *config, enum emu_failure *failure, char message[EMU_MESSAGE_BYTES]);
/* The host leaves in order: its dirty lines go to memory, as a cache's would that lives on. */
void emu_pod_close(struct emu_pod *pod);
/* The same, but the host's cache goes first, as if its power did: what it has not written back is lost. */
void emu_pod_close_lossy(struct emu_pod *pod);
/* Removes what the hosts of a pod shared of its emulation; nothing if there is none. */
void emu_pod_forget(uint64_t cookie);
/* Host `dead` has died: words that it had written and nobody else has read since fall back to what memory has.
 * By whoever has noticed, while the dead host's process is gone; before anything is done about what it left. */
void emu_host_died(struct emu_pod *pod, unsigned dead);
/* A number that hosts of one pod must agree on: of mode and profile, never of the seed; 0 for NULL. */
uint64_t emu_pod_identity(const struct emu_pod *pod);
/* "direct", "delay:NAME", "incoherent:SEED": for results. */
const char *emu_pod_name(const struct emu_pod *pod);

/* What happened; a thread's own. Lines are of both parts. */
struct emu_counts {
	uint64_t hits, misses, write_backs, flushes, fences, atomics;
	uint64_t coherence_misses;      /* of the misses: another host had written the line */
	uint64_t stale_hits;            /* incoherent: reads of a line that memory had otherwise by then */
	uint64_t evictions, prefetches; /* incoherent: of its whims too */
	uint64_t delayed_ticks;         /* delay: time stamp counts waited for */
};

struct emu_thread {
	struct emu_pod *pod; /* NULL: no emulation */
	uint64_t random;
	struct emu_counts counts;
	/* delay.c: see there */
	int64_t owed;
	uint64_t last_line, last_done, write_done, flush_done;
	/* incoherent.c: line numbers that were told to be written back, or flushed, and are not yet */
	uint64_t prefetch_line; /* 0: none */
	uint32_t write_back_count, flush_count;
	uint64_t write_back_lines[EMU_PENDING_LINES], flush_lines[EMU_PENDING_LINES];
};

void emu_thread_init(struct emu_thread *thread, struct emu_pod *pod);

/* ---- HWcc. Sequentially consistent all of them; `offset` is of an 8-byte word. ---- */

enum emu_rmw { EMU_ADD, EMU_AND, EMU_OR, EMU_XOR, EMU_EXCHANGE };

uint64_t emu_word_load(struct emu_thread *thread, uint64_t offset);
void emu_word_store(struct emu_thread *thread, uint64_t offset, uint64_t value);
/* As atomic_compare_exchange_strong(). */
bool emu_word_swap(struct emu_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to);
/* Returns what it was before. */
uint64_t emu_word_rmw(struct emu_thread *thread, uint64_t offset, enum emu_rmw operation, uint64_t operand);

/* ---- SWcc. Loads and stores of this host's cache; `offset` is of 8 bytes, or of a line. ---- */

uint64_t emu_load64(struct emu_thread *thread, uint64_t offset);
void emu_store64(struct emu_thread *thread, uint64_t offset, uint64_t value);
/* Copies a line, or the first `bytes` (a multiple of 8) bytes of it. */
void emu_line_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes);
void emu_line_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes);
/* A line whose last word is a tag, the `bytes` before it its payload (src/cxl/line.h says why in this order): the tag, then the
 * payload; the payload, then the tag. To the delay mode it is one access of one line, as vector instructions make it; in
 * the incoherent mode the line may change, or go, between the two. The first returns the tag. */
uint64_t emu_line_read(struct emu_thread *thread, uint64_t line, void *payload, size_t bytes);
void emu_line_write(struct emu_thread *thread, uint64_t line, const void *payload, size_t bytes, uint64_t tag);
/* Many lines by streaming (non-temporal) accesses that leave the cache alone; bytes a multiple of 64. A write needs
 * emu_fence() to be visible. */
void emu_stream_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes);
void emu_stream_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes);

/* ---- Both: as clwb, clflushopt, sfence, mfence. A fence waits for write-backs, a full fence for flushes too. ---- */

void emu_write_back(struct emu_thread *thread, uint64_t offset);
void emu_flush(struct emu_thread *thread, uint64_t offset);
void emu_fence(struct emu_thread *thread);
void emu_full_fence(struct emu_thread *thread);

#endif
