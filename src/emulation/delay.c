/* delay.c: accesses to pod memory that take as long as the profile's device would.
 *
 * The data are real: each access is done at once, on the region itself. Then it is charged with what its host's cache,
 * the link and the device would have taken (delay_cache.c, delay_time.c), less what it has really taken. What is
 * charged, case by case, is in README.md; here is one function for each.
 */
#include "emulation/delay.h"

#include <immintrin.h>
#include <string.h>

/* Between streamed accesses of one thread others get their turn after so much. Taking a turn is a locked instruction,
 * which waits for streaming stores: so writes take it less often. */
enum { OUT_CHUNK_BYTES = 4096, IN_CHUNK_BYTES = 16384 };

#if defined(__SANITIZE_THREAD__)
#define EMU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EMU_TSAN 1
#endif
#endif
#ifndef EMU_TSAN
#define EMU_TSAN 0
#endif

/* ---- The real accesses ---- */

static _Atomic uint64_t *word_at(const struct emu_thread *thread, uint64_t offset)
{
	return (_Atomic uint64_t *)(void *)(thread->pod->config.raw + offset);
}

/* Both words that decide about an access, on their way while the cache is searched. */
static uint64_t begin(struct emu_thread *thread, uint64_t line)
{
	uint64_t entry = emu_clock_now(thread->pod->delay->clock);
	assert(line < thread->pod->config.bytes / EMU_LINE_BYTES);
	__builtin_prefetch(&thread->pod->shared->state[line]);
	__builtin_prefetch(thread->pod->config.raw + line * EMU_LINE_BYTES);
	return entry;
}

static void compiler_fence(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Copies of memory that another thread may be writing: whoever copies finds out and copies again. ThreadSanitizer wants
 * atomics for that, and x86 does not care. Loads and stores around a copy stay where they are. */
static void copy_out(void *dst, const uint8_t *src, size_t bytes)
{
	compiler_fence();
	for (size_t i = 0; EMU_TSAN && i < bytes; i++)
		((uint8_t *)dst)[i] = atomic_load_explicit((const _Atomic uint8_t *)&src[i], memory_order_relaxed);
	if (!EMU_TSAN)
		memcpy(dst, src, bytes);
	compiler_fence();
}

static void copy_in(uint8_t *dst, const void *src, size_t bytes)
{
	compiler_fence();
	for (size_t i = 0; EMU_TSAN && i < bytes; i++)
		atomic_store_explicit((_Atomic uint8_t *)&dst[i], ((const uint8_t *)src)[i], memory_order_relaxed);
	if (!EMU_TSAN)
		memcpy(dst, src, bytes);
	compiler_fence();
}

/* Past the cache, by the widest stores that the compiler may use: narrower ones take three times as long. */
static void store_line_streaming(uint8_t *line, const uint8_t *src)
{
#if defined(__AVX512F__)
	_mm512_stream_si512((__m512i *)(void *)line, _mm512_loadu_si512((const void *)src));
#elif defined(__AVX__)
	for (size_t i = 0; i < EMU_LINE_BYTES; i += sizeof(__m256i))
		_mm256_stream_si256(
		        (__m256i *)(void *)(line + i), _mm256_loadu_si256((const __m256i *)(const void *)(src + i)));
#else
	for (size_t i = 0; i < EMU_LINE_BYTES; i += sizeof(__m128i))
		_mm_stream_si128(
		        (__m128i *)(void *)(line + i), _mm_loadu_si128((const __m128i *)(const void *)(src + i)));
#endif
}

/* Whole lines. */
static void copy_in_streaming(uint8_t *dst, const uint8_t *src, size_t bytes)
{
	if (EMU_TSAN) {
		copy_in(dst, src, bytes);
		return;
	}
	for (size_t i = 0; i < bytes; i += EMU_LINE_BYTES)
		store_line_streaming(dst + i, src + i);
}

static void real_full_fence(void)
{
#if EMU_TSAN
	/* ThreadSanitizer does not know fences; x86 orders by the locked instruction all the same. */
	_Atomic uint64_t local = 0;
	atomic_fetch_add(&local, 1);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* ---- What they cost ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0 ? a : b;
}

static int64_t ticks_left(uint64_t done, uint64_t at)
{
	int64_t left = (int64_t)(done - at);
	return left > 0 ? left : 0;
}

/* A line is on its way to memory; who fences will wait for it. Returns what its writer waits at once: no more than what
 * a queue has that is longer than the latency. */
static int64_t send_line(struct emu_thread *thread, uint64_t at)
{
	int64_t latency = thread->pod->delay->costs.write_back;
	int64_t wait = delay_wait_write(thread, at);
	thread->write_done = later(thread->write_done, at + (uint64_t)(wait + latency));
	return wait > latency ? wait - latency : 0;
}

/* A dirty line that had to make room: no fence waits for it. Returns what the access that it made room for waits for it
 * at least: as send_line(), else a thread could write faster than the link carries. */
static int64_t send_evicted(struct emu_thread *thread, uint64_t at, bool evicted)
{
	int64_t latency = thread->pod->delay->costs.write_back;
	int64_t wait = evicted ? delay_wait_write(thread, at) : 0;
	return wait > latency ? wait - latency : 0;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* A load that misses. Those of lines that follow each other are under way together, as many as the processor has room
 * for: all but the first cost their share. */
static int64_t fetch_cost(struct emu_thread *thread, uint64_t line, uint64_t at, enum delay_need need)
{
	const struct delay_costs *c = &thread->pod->delay->costs;
	int64_t wait = delay_wait_read(thread, at);
	int64_t latency = need == DELAY_COHERENCE ? c->coherence : delay_read_latency(thread);
	if (need == DELAY_STALE)
		latency += c->flush;
	if (line == thread->last_line + 1 && (int64_t)(at - thread->last_done) < c->read)
		latency = (int64_t)((double)latency / c->lines_in_flight);
	thread->last_line = line;
	thread->last_done = at + (uint64_t)(wait + latency);
	thread->counts.misses++;
	thread->counts.coherence_misses += need == DELAY_COHERENCE;
	return wait + latency;
}

/* ---- Loads ---- */

/* After the real load, which began at `entry`. */
static void charge_load(struct emu_thread *thread, uint64_t line, uint64_t entry)
{
	bool evicted = false;
	enum delay_need need = delay_cache_load(thread, line, &evicted);
	if (need == DELAY_HIT) {
		/* A line within a sequence does not end it. */
		if (line == thread->last_line + 1)
			thread->last_line = line;
		delay_hit(thread);
		return;
	}
	uint64_t at = delay_at(thread, entry);
	int64_t room = send_evicted(thread, at, evicted);
	delay_settle_load(thread, entry, larger(room, fetch_cost(thread, line, at, need)));
}

uint64_t delay_word_load(struct emu_thread *thread, uint64_t offset)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	uint64_t value = atomic_load(word_at(thread, offset));
	charge_load(thread, line, entry);
	return value;
}

uint64_t delay_load64(struct emu_thread *thread, uint64_t offset)
{
	return delay_word_load(thread, offset);
}

void delay_line_out(struct emu_thread *thread, uint64_t offset, void *dst, size_t bytes)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	assert(offset % EMU_LINE_BYTES + bytes <= EMU_LINE_BYTES);
	copy_out(dst, thread->pod->config.raw + offset, bytes);
	charge_load(thread, line, entry);
}

uint64_t delay_line_read(struct emu_thread *thread, uint64_t offset, void *payload, size_t bytes)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	assert(offset % EMU_LINE_BYTES == 0);
	/* Acquire: the tag before the payload, as the reader of src/cxl/line.h needs them. */
	uint64_t tag = atomic_load_explicit(word_at(thread, offset + bytes), memory_order_acquire);
	copy_out(payload, thread->pod->config.raw + offset, bytes);
	charge_load(thread, line, entry);
	return tag;
}

/* ---- Stores ---- */

/* HWcc: `extra` is what the instruction takes on a line that this host has for itself. */
static void charge_coherent_store(struct emu_thread *thread, uint64_t line, uint64_t entry, int64_t extra)
{
	bool evicted = false;
	enum delay_need need = delay_cache_store(thread, line, &evicted);
	if (need == DELAY_HIT && extra == 0) {
		delay_hit(thread);
		return;
	}
	uint64_t at = delay_at(thread, entry);
	int64_t due = extra, room = send_evicted(thread, at, evicted);
	if (need == DELAY_HIT) {
		thread->counts.hits++;
	} else {
		/* Alone: neither does it follow a load, nor does one follow it. */
		thread->last_line = DELAY_NO_LINE;
		due += fetch_cost(thread, line, at, need);
		thread->last_line = DELAY_NO_LINE;
	}
	delay_settle(thread, entry, larger(room, due));
}

static void charge_store(struct emu_thread *thread, uint64_t line, uint64_t entry)
{
	bool evicted = false;
	enum delay_need need = delay_cache_store(thread, line, &evicted);
	if (need == DELAY_HIT) {
		delay_hit(thread);
		return;
	}
	/* The store buffer has it, and the line comes by itself; that takes its turn on the link, and is waited for
	 * when the queue is longer than what can be under way. */
	int64_t latency = thread->pod->delay->costs.read;
	uint64_t at = delay_at(thread, entry);
	int64_t room = send_evicted(thread, at, evicted);
	int64_t wait = delay_wait_read(thread, at);
	thread->counts.misses++;
	delay_settle(thread, entry, larger(room, wait > latency ? wait - latency : 0));
}

void delay_word_store(struct emu_thread *thread, uint64_t offset, uint64_t value)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	atomic_store(word_at(thread, offset), value);
	charge_coherent_store(thread, line, entry, 0);
}

bool delay_word_swap(struct emu_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	bool done = atomic_compare_exchange_strong(word_at(thread, offset), seen, to);
	thread->counts.atomics++;
	charge_coherent_store(thread, line, entry, thread->pod->delay->costs.atomic);
	return done;
}

uint64_t delay_word_rmw(struct emu_thread *thread, uint64_t offset, enum emu_rmw operation, uint64_t operand)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line), before = 0;
	_Atomic uint64_t *word = word_at(thread, offset);
	switch (operation) {
	case EMU_ADD: before = atomic_fetch_add(word, operand); break;
	case EMU_AND: before = atomic_fetch_and(word, operand); break;
	case EMU_OR: before = atomic_fetch_or(word, operand); break;
	case EMU_XOR: before = atomic_fetch_xor(word, operand); break;
	case EMU_EXCHANGE: before = atomic_exchange(word, operand); break;
	}
	thread->counts.atomics++;
	charge_coherent_store(thread, line, entry, thread->pod->delay->costs.atomic);
	return before;
}

void delay_store64(struct emu_thread *thread, uint64_t offset, uint64_t value)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	atomic_store_explicit(word_at(thread, offset), value, memory_order_release);
	charge_store(thread, line, entry);
}

void delay_line_in(struct emu_thread *thread, uint64_t offset, const void *src, size_t bytes)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	assert(offset % EMU_LINE_BYTES + bytes <= EMU_LINE_BYTES);
	copy_in(thread->pod->config.raw + offset, src, bytes);
	charge_store(thread, line, entry);
}

void delay_line_write(struct emu_thread *thread, uint64_t offset, const void *payload, size_t bytes, uint64_t tag)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	assert(offset % EMU_LINE_BYTES == 0);
	copy_in(thread->pod->config.raw + offset, payload, bytes);
	/* Release: the tag after the payload, as src/cxl/line.h says. */
	atomic_store_explicit(word_at(thread, offset + bytes), tag, memory_order_release);
	charge_store(thread, line, entry);
}

/* ---- Streams ---- */

static void check_stream(const struct emu_thread *thread, uint64_t offset, size_t bytes)
{
	assert(offset % EMU_LINE_BYTES == 0 && bytes % EMU_LINE_BYTES == 0);
	assert(bytes <= thread->pod->config.bytes && offset <= thread->pod->config.bytes - bytes);
}

static size_t less(size_t a, size_t b)
{
	return a < b ? a : b;
}

void delay_stream_out(struct emu_thread *thread, uint64_t offset, void *dst, size_t bytes)
{
	check_stream(thread, offset, bytes);
	int64_t latency = bytes ? delay_read_latency(thread) : 0;
	for (size_t done = 0, chunk; done < bytes; done += chunk) {
		uint64_t entry = emu_clock_now(thread->pod->delay->clock);
		chunk = less(bytes - done, OUT_CHUNK_BYTES);
		copy_out((uint8_t *)dst + done, thread->pod->config.raw + offset + done, chunk);
		/* The next chunk, while this one's time is waited for: the real memory must keep ahead of the
		 * profile's. */
		for (size_t i = done + chunk; i < less(bytes, done + 2 * chunk); i += EMU_LINE_BYTES)
			__builtin_prefetch(thread->pod->config.raw + offset + i);
		delay_settle(thread, entry,
		        latency + delay_stream_read(thread, delay_at(thread, entry), chunk / EMU_LINE_BYTES));
		latency = 0;
	}
}

void delay_stream_in(struct emu_thread *thread, uint64_t offset, const void *src, size_t bytes)
{
	check_stream(thread, offset, bytes);
	for (size_t done = 0, chunk; done < bytes; done += chunk) {
		uint64_t entry = emu_clock_now(thread->pod->delay->clock);
		chunk = less(bytes - done, IN_CHUNK_BYTES);
		copy_in_streaming(thread->pod->config.raw + offset + done, (const uint8_t *)src + done, chunk);
		for (size_t i = 0; i < chunk; i += EMU_LINE_BYTES)
			delay_cache_written(thread, (offset + done + i) / EMU_LINE_BYTES);
		uint64_t at = delay_at(thread, entry);
		int64_t through = delay_stream_write(thread, at, chunk / EMU_LINE_BYTES);
		thread->write_done =
		        later(thread->write_done, at + (uint64_t)(through + thread->pod->delay->costs.write_back));
		delay_settle(thread, entry, through);
	}
}

/* ---- Write-backs, flushes, fences ---- */

void delay_write_back(struct emu_thread *thread, uint64_t offset)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line);
	int64_t due = 0;
	if (delay_cache_write_back(thread, line)) {
		thread->counts.write_backs++;
		due = send_line(thread, delay_at(thread, entry));
	}
	delay_settle(thread, entry, due);
}

void delay_flush(struct emu_thread *thread, uint64_t offset)
{
	uint64_t line = offset / EMU_LINE_BYTES, entry = begin(thread, line), at = delay_at(thread, entry);
	int64_t due = 0, latency = thread->pod->delay->costs.flush;
	thread->counts.flushes++;
	if (delay_cache_drop(thread, line)) {
		thread->counts.write_backs++;
		due = send_line(thread, at);
	}
	int64_t wait = delay_wait_read(thread, at);
	thread->flush_done = later(thread->flush_done, at + (uint64_t)(wait + latency));
	delay_settle(thread, entry, due);
}

void delay_fence(struct emu_thread *thread)
{
	uint64_t entry = emu_clock_now(thread->pod->delay->clock), at = delay_at(thread, entry);
	thread->counts.fences++;
	/* For streaming stores; all others are in order already. */
	_mm_sfence();
	delay_settle(thread, entry, ticks_left(thread->write_done, at));
}

void delay_full_fence(struct emu_thread *thread)
{
	uint64_t entry = emu_clock_now(thread->pod->delay->clock), at = delay_at(thread, entry);
	int64_t nothing = thread->pod->delay->costs.fence;
	int64_t due = ticks_left(later(thread->write_done, thread->flush_done), at);
	thread->counts.fences++;
	real_full_fence();
	thread->last_line = DELAY_NO_LINE;
	delay_settle(thread, entry, due > nothing ? due : nothing);
}
