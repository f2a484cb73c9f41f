/* ligersim_access.c: libligersim's threads: words, bytes and visibility, by one of the models or by plain
 * instructions. */
#include <emmintrin.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulation/ligersim_private.h"

enum { WORD_BYTES = 8 };
#define LINE_BYTES ((uint64_t)LGS_LINE_BYTES)

/* ---- Bounds ---- */

static _Noreturn void out_of_bounds(const char *call, uint64_t offset, uint64_t bytes, uint64_t low, uint64_t high)
{
	fprintf(stderr,
	        "ligersim: %s() of %" PRIu64 " bytes at offset %" PRIu64 ": it may reach [%" PRIu64 ", %" PRIu64
	        ") of this region; the program is wrong\n",
	        call, bytes, offset, low, high);
	abort();
}

static _Noreturn void misaligned(const char *call, uint64_t offset, uint64_t bytes, uint64_t alignment)
{
	fprintf(stderr,
	        "ligersim: %s() of %" PRIu64 " bytes at offset %" PRIu64 ": it must be aligned to %" PRIu64
	        "; the program is wrong\n",
	        call, bytes, offset, alignment);
	abort();
}

/* Written so that no sum overflows. */
static inline void check_range(const char *call, uint64_t offset, uint64_t bytes, uint64_t low, uint64_t high)
{
	if (__builtin_expect(offset < low || offset > high || bytes > high - offset, 0))
		out_of_bounds(call, offset, bytes, low, high);
}

static inline void check_word(const struct lgs_thread *thread, const char *call, uint64_t offset)
{
	check_range(call, offset, WORD_BYTES, 0, thread->coherent_bytes);
	if (__builtin_expect(offset % WORD_BYTES != 0, 0))
		misaligned(call, offset, WORD_BYTES, WORD_BYTES);
}

static inline void check_stream(const struct lgs_thread *thread, const char *call, uint64_t offset, uint64_t bytes)
{
	check_range(call, offset, bytes, thread->coherent_bytes, thread->bytes);
	if (__builtin_expect((offset | bytes) % LINE_BYTES != 0, 0))
		misaligned(call, offset, bytes, LINE_BYTES);
}

/* ---- The thread ---- */

int lgs_thread_open(struct lgs_host *host, struct lgs_thread **thread, struct lgs_error *err)
{
	struct lgs_thread *t = calloc(1, sizeof *t);
	*thread = t;
	if (!t) {
		if (err)
			*err = (struct lgs_error){LGS_SYSTEM, "no memory for a thread"};
		return LGS_SYSTEM;
	}
	t->host = host;
	t->raw = host->region->raw;
	t->bytes = host->region->bytes;
	t->coherent_bytes = host->region->coherent_bytes;
	t->direct = host->pod == NULL;
	emu_thread_init(&t->emu, host->pod);
	atomic_fetch_add(&host->thread_count, 1);
	return LGS_OK;
}

void lgs_thread_close(struct lgs_thread *thread)
{
	lgs_full_fence(thread);
	atomic_fetch_sub(&thread->host->thread_count, 1);
	free(thread);
}

struct lgs_counters lgs_thread_counters(const struct lgs_thread *thread)
{
	const struct emu_counts *c = &thread->emu.counts;
	struct lgs_counters counters = thread->counters;
	counters.hits = c->hits;
	counters.misses = c->misses;
	counters.coherence_misses = c->coherence_misses;
	counters.stale_hits = c->stale_hits;
	counters.evictions = c->evictions;
	counters.prefetches = c->prefetches;
	counters.delayed_ticks = c->delayed_ticks;
	return counters;
}

/* ---- Coherent words ---- */

static inline _Atomic uint64_t *raw_word(const struct lgs_thread *thread, uint64_t offset)
{
	return (_Atomic uint64_t *)(void *)(thread->raw + offset);
}

uint64_t lgs_load(struct lgs_thread *thread, uint64_t offset)
{
	check_word(thread, __func__, offset);
	return thread->direct ? atomic_load(raw_word(thread, offset)) : emu_word_load(&thread->emu, offset);
}

void lgs_store(struct lgs_thread *thread, uint64_t offset, uint64_t value)
{
	check_word(thread, __func__, offset);
	if (thread->direct)
		atomic_store(raw_word(thread, offset), value);
	else
		emu_word_store(&thread->emu, offset, value);
}

bool lgs_cas(struct lgs_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to)
{
	check_word(thread, __func__, offset);
	thread->counters.atomics++;
	if (!thread->direct)
		return emu_word_swap(&thread->emu, offset, seen, to);
	return atomic_compare_exchange_strong(raw_word(thread, offset), seen, to);
}

uint64_t lgs_exchange(struct lgs_thread *thread, uint64_t offset, uint64_t value)
{
	check_word(thread, __func__, offset);
	thread->counters.atomics++;
	if (!thread->direct)
		return emu_word_rmw(&thread->emu, offset, EMU_EXCHANGE, value);
	return atomic_exchange(raw_word(thread, offset), value);
}

uint64_t lgs_fetch_add(struct lgs_thread *thread, uint64_t offset, uint64_t operand)
{
	check_word(thread, __func__, offset);
	thread->counters.atomics++;
	if (!thread->direct)
		return emu_word_rmw(&thread->emu, offset, EMU_ADD, operand);
	return atomic_fetch_add(raw_word(thread, offset), operand);
}

uint64_t lgs_fetch_or(struct lgs_thread *thread, uint64_t offset, uint64_t operand)
{
	check_word(thread, __func__, offset);
	thread->counters.atomics++;
	if (!thread->direct)
		return emu_word_rmw(&thread->emu, offset, EMU_OR, operand);
	return atomic_fetch_or(raw_word(thread, offset), operand);
}

uint64_t lgs_fetch_and(struct lgs_thread *thread, uint64_t offset, uint64_t operand)
{
	check_word(thread, __func__, offset);
	thread->counters.atomics++;
	if (!thread->direct)
		return emu_word_rmw(&thread->emu, offset, EMU_AND, operand);
	return atomic_fetch_and(raw_word(thread, offset), operand);
}

/* ---- Lines ---- */

/* How much of [offset, offset + bytes) the next step takes, and whether it is a line's beginning in words of 8, which
 * the model copies at once, or something within one word. */
static inline size_t step_bytes(uint64_t offset, size_t bytes, bool *whole_words)
{
	size_t in_line = (size_t)(offset % LINE_BYTES), in_word = (size_t)(offset % WORD_BYTES);
	size_t room = (size_t)LINE_BYTES - in_line;
	if (bytes > room)
		bytes = room;
	*whole_words = in_line == 0 && bytes >= WORD_BYTES;
	if (*whole_words)
		return bytes / WORD_BYTES * WORD_BYTES;
	return bytes < WORD_BYTES - in_word ? bytes : WORD_BYTES - in_word;
}

void lgs_read(struct lgs_thread *thread, uint64_t offset, void *dst, size_t bytes)
{
	uint8_t *to = dst;
	check_range(__func__, offset, bytes, thread->coherent_bytes, thread->bytes);
	if (thread->direct) {
		memcpy(dst, thread->raw + offset, bytes);
		return;
	}
	while (bytes) {
		bool whole_words;
		size_t n = step_bytes(offset, bytes, &whole_words);
		if (whole_words) {
			emu_line_out(&thread->emu, offset, to, n);
		} else {
			uint64_t word = emu_load64(&thread->emu, offset / WORD_BYTES * WORD_BYTES);
			memcpy(to, (const uint8_t *)&word + offset % WORD_BYTES, n);
		}
		offset += n;
		to += n;
		bytes -= n;
	}
}

void lgs_write(struct lgs_thread *thread, uint64_t offset, const void *src, size_t bytes)
{
	const uint8_t *from = src;
	check_range(__func__, offset, bytes, thread->coherent_bytes, thread->bytes);
	if (thread->direct) {
		memcpy(thread->raw + offset, src, bytes);
		return;
	}
	while (bytes) {
		bool whole_words;
		size_t n = step_bytes(offset, bytes, &whole_words);
		if (whole_words) {
			emu_line_in(&thread->emu, offset, from, n);
		} else {
			uint64_t at = offset / WORD_BYTES * WORD_BYTES;
			uint64_t word = n == WORD_BYTES ? 0 : emu_load64(&thread->emu, at);
			memcpy((uint8_t *)&word + offset % WORD_BYTES, from, n);
			emu_store64(&thread->emu, at, word);
		}
		offset += n;
		from += n;
		bytes -= n;
	}
}

void lgs_stream_read(struct lgs_thread *thread, uint64_t offset, void *dst, size_t bytes)
{
	check_stream(thread, __func__, offset, bytes);
	if (thread->direct)
		memcpy(dst, thread->raw + offset, bytes);
	else if (bytes)
		emu_stream_out(&thread->emu, offset, dst, bytes);
}

void lgs_stream_write(struct lgs_thread *thread, uint64_t offset, const void *src, size_t bytes)
{
	check_stream(thread, __func__, offset, bytes);
	if (!thread->direct) {
		if (bytes)
			emu_stream_in(&thread->emu, offset, src, bytes);
		return;
	}
	__m128i *to = (__m128i *)(void *)(thread->raw + offset); /* a line's beginning, so aligned */
	const uint8_t *from = src;
	for (size_t i = 0; i < bytes / sizeof *to; i++)
		_mm_stream_si128(&to[i], _mm_loadu_si128((const __m128i *)(const void *)(from + i * sizeof *to)));
}

/* ---- Visibility ---- */

static inline void instruct(enum lgs_instruction kind, volatile uint8_t *line)
{
	switch (kind) {
	case LGS_CLWB: __asm__ volatile("clwb %0" : "+m"(*line)::"memory"); break;
	case LGS_CLFLUSHOPT: __asm__ volatile("clflushopt %0" : "+m"(*line)::"memory"); break;
	case LGS_CLFLUSH: __asm__ volatile("clflush %0" : "+m"(*line)::"memory"); break;
	}
}

void lgs_write_back(struct lgs_thread *thread, uint64_t offset, size_t bytes)
{
	check_range(__func__, offset, bytes, 0, thread->bytes);
	uint64_t end = offset + bytes;
	for (uint64_t line = offset / LINE_BYTES * LINE_BYTES; line < end; line += LINE_BYTES) {
		thread->counters.write_backs++;
		if (thread->direct)
			instruct(thread->host->write_back_kind, thread->raw + line);
		else
			emu_write_back(&thread->emu, line);
	}
}

void lgs_flush(struct lgs_thread *thread, uint64_t offset, size_t bytes)
{
	check_range(__func__, offset, bytes, 0, thread->bytes);
	uint64_t end = offset + bytes;
	for (uint64_t line = offset / LINE_BYTES * LINE_BYTES; line < end; line += LINE_BYTES) {
		thread->counters.flushes++;
		if (thread->direct)
			instruct(thread->host->flush_kind, thread->raw + line);
		else
			emu_flush(&thread->emu, line);
	}
}

void lgs_fence(struct lgs_thread *thread)
{
	thread->counters.fences++;
	if (!thread->direct) {
		emu_fence(&thread->emu);
		return;
	}
	__asm__ volatile("sfence" ::: "memory");
}

void lgs_full_fence(struct lgs_thread *thread)
{
	thread->counters.fences++;
	if (!thread->direct) {
		emu_full_fence(&thread->emu);
		return;
	}
	__asm__ volatile("mfence" ::: "memory");
}
