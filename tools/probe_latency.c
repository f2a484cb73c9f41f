/* probe_latency.c: what one access, one exchange, one write-back or flush takes. */
#include "probe_measure.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* ---- Reads of the chain ---- */

static uint64_t next_on_chain(struct probe *probe, uint64_t offset)
{
	uint64_t next;
	lgs_read(probe->main_thread, offset, &next, sizeof next);
	assert(next >= probe->chain && next < probe->chain + probe->chain_bytes && next % LINE == 0);
	return next;
}

double probe_chase_slice(struct probe *probe)
{
	enum { STEPS = 500 };
	uint64_t begin = probe_ticks();
	for (unsigned i = 0; i < STEPS; i++)
		probe->position = next_on_chain(probe, probe->position);
	return probe_ns_between(probe, begin, probe_ticks()) / STEPS;
}

void probe_walk_chain(struct probe *probe)
{
	for (uint64_t i = 0; i < probe->chain_bytes / LINE; i++)
		probe->position = next_on_chain(probe, probe->position);
}

double measure_idle_read(struct probe *probe)
{
	return probe_median_of(probe, probe_chase_slice);
}

/* Each read timed by itself: all three quantiles of one sample. */
void measure_read_quantiles(struct probe *probe, double figure[FIGURE_COUNT])
{
	size_t count = probe->plan->quick ? 5000 : 20000;
	double *values = malloc(count * sizeof *values);
	assert(values); /* 160 kB */
	for (size_t i = 0; i < count; i++) {
		uint64_t begin = probe_ticks();
		probe->position = next_on_chain(probe, probe->position);
		double ns = probe_ns_between(probe, begin, probe_ticks()) - probe->clock_ns;
		values[i] = ns > 0 ? ns : 0;
	}
	figure[FIGURE_READ_P50] = fmin(figure[FIGURE_READ_P50], probe_quantile(values, count, 0.5));
	figure[FIGURE_READ_P99] = fmin(figure[FIGURE_READ_P99], probe_quantile(values, count, 0.99));
	figure[FIGURE_READ_P999] = fmin(figure[FIGURE_READ_P999], probe_quantile(values, count, 0.999));
	free(values);
}

/* Sixteen lines one after the other, from a random place: what a record of 1 KiB costs. */
static double frame_slice(struct probe *probe)
{
	enum { FRAMES = 50 };
	uint64_t begin = probe_ticks();
	for (unsigned i = 0; i < FRAMES; i++) {
		uint64_t frame = bench_random_below(&probe->random, probe->chain_bytes / FRAME_BYTES);
		lgs_read(probe->main_thread, probe->chain + frame * FRAME_BYTES, probe->buffer[0], FRAME_BYTES);
	}
	return probe_ns_between(probe, begin, probe_ticks()) / FRAMES;
}

double measure_frame_read(struct probe *probe)
{
	return probe_median_of(probe, frame_slice);
}

/* ---- What another host has just written ---- */

uint64_t probe_exchanged(uint64_t i)
{
	return i % EXCHANGED_LINES * 197 % EXCHANGED_LINES * LINE;
}

/* Waits for the turn of this side. False when it is over. */
static bool wait_for_turn(struct probe *probe, unsigned side)
{
	unsigned spins = 0;
	while (atomic_load(&probe->turn) != side) {
		if (atomic_load(&probe->stop))
			return false;
		probe_relax(&spins);
	}
	return true;
}

static void write_lines_job(struct probe *probe)
{
	while (wait_for_turn(probe, 1)) {
		for (uint64_t i = 0; i < EXCHANGED_LINES; i++) {
			uint64_t at = probe->scratch + probe_exchanged(i),
			         next = probe->scratch + probe_exchanged(i + 1);
			lgs_write(probe->job_thread, at, &next, sizeof next);
			lgs_write_back(probe->job_thread, at, sizeof next);
		}
		lgs_fence(probe->job_thread);
		atomic_store(&probe->turn, 0);
	}
}

static double read_lines_slice(struct probe *probe)
{
	uint64_t at = probe->scratch;
	atomic_store(&probe->turn, 1);
	wait_for_turn(probe, 0);
	uint64_t begin = probe_ticks();
	for (unsigned i = 0; i < EXCHANGED_LINES; i++) {
		lgs_flush(probe->main_thread, at, LINE);
		lgs_full_fence(probe->main_thread);
		lgs_read(probe->main_thread, at, &at, sizeof at);
	}
	return probe_ns_between(probe, begin, probe_ticks()) / EXCHANGED_LINES;
}

double measure_fresh_line(struct probe *probe)
{
	return probe_median_beside(probe, 1, write_lines_job, read_lines_slice);
}

static void write_words_job(struct probe *probe)
{
	while (wait_for_turn(probe, 1)) {
		for (uint64_t i = 0; i < EXCHANGED_LINES; i++)
			lgs_store(probe->job_thread, WORD_EXCHANGED + probe_exchanged(i),
			        WORD_EXCHANGED + probe_exchanged(i + 1));
		atomic_store(&probe->turn, 0);
	}
}

static double read_words_slice(struct probe *probe)
{
	uint64_t at = WORD_EXCHANGED;
	atomic_store(&probe->turn, 1);
	wait_for_turn(probe, 0);
	uint64_t begin = probe_ticks();
	for (unsigned i = 0; i < EXCHANGED_LINES; i++)
		at = lgs_load(probe->main_thread, at);
	return probe_ns_between(probe, begin, probe_ticks()) / EXCHANGED_LINES;
}

double measure_coherence(struct probe *probe)
{
	return probe_median_beside(probe, 1, write_words_job, read_words_slice);
}

/* ---- Atomics and round trips ---- */

static double add_slice(struct probe *probe, uint64_t word)
{
	enum { ADDS = 1000 };
	uint64_t begin = probe_ticks();
	for (unsigned i = 0; i < ADDS; i++)
		lgs_fetch_add(probe->main_thread, word, 1);
	return probe_ns_between(probe, begin, probe_ticks()) / ADDS;
}

static double add_alone_slice(struct probe *probe)
{
	return add_slice(probe, WORD_ALONE);
}

double measure_atomic_alone(struct probe *probe)
{
	lgs_fetch_add(probe->main_thread, WORD_ALONE, 1); /* the first fetches the line */
	return probe_median_of(probe, add_alone_slice);
}

static void add_job(struct probe *probe)
{
	while (!atomic_load(&probe->stop)) {
		lgs_fetch_add(probe->job_thread, WORD_CONTENDED, 1);
		probe_count_job(probe, 1);
	}
}

/* Without the other thread, whose processor may have been taken from it, there is no contention. */
static double add_contended_slice(struct probe *probe)
{
	uint64_t before = atomic_load(&probe->job_done);
	double ns = add_slice(probe, WORD_CONTENDED);
	return atomic_load(&probe->job_done) - before > 100 ? ns : NAN;
}

double measure_atomic_contended(struct probe *probe)
{
	return probe_median_beside(probe, 1, add_job, add_contended_slice);
}

static void pong_job(struct probe *probe)
{
	uint64_t seen = lgs_load(probe->job_thread, WORD_PONG);
	while (!atomic_load(&probe->stop)) {
		uint64_t ping = lgs_load(probe->job_thread, WORD_PING);
		if (ping != seen)
			lgs_store(probe->job_thread, WORD_PONG, seen = ping);
		else
			__builtin_ia32_pause();
	}
}

static double ping_slice(struct probe *probe)
{
	enum { TRIPS = 200 };
	uint64_t n = lgs_load(probe->main_thread, WORD_PONG);
	unsigned spins = 0;
	uint64_t begin = probe_ticks();
	for (unsigned i = 0; i < TRIPS; i++) {
		lgs_store(probe->main_thread, WORD_PING, ++n);
		while (lgs_load(probe->main_thread, WORD_PONG) != n)
			probe_relax(&spins);
	}
	return probe_ns_between(probe, begin, probe_ticks()) / TRIPS;
}

double measure_word_round_trip(struct probe *probe)
{
	return probe_median_beside(probe, 1, pong_job, ping_slice);
}

/* A message of a line, whose first word counts; as Liger's channels send them. */
static uint64_t message_line(const struct probe *probe, unsigned to)
{
	return probe->scratch + (EXCHANGED_LINES + 4 + 4 * to) * LINE;
}

static void send_line(struct lgs_thread *thread, uint64_t line, uint64_t n)
{
	uint64_t payload[LINE / sizeof(uint64_t)] = {n};
	lgs_write(thread, line, payload, sizeof payload);
	lgs_write_back(thread, line, sizeof payload);
	lgs_fence(thread);
}

static uint64_t look_at_line(struct lgs_thread *thread, uint64_t line)
{
	uint64_t payload[LINE / sizeof(uint64_t)];
	lgs_flush(thread, line, sizeof payload);
	lgs_full_fence(thread);
	lgs_read(thread, line, payload, sizeof payload);
	return payload[0];
}

static void answer_job(struct probe *probe)
{
	uint64_t seen = look_at_line(probe->job_thread, message_line(probe, 0));
	while (!atomic_load(&probe->stop)) {
		uint64_t n = look_at_line(probe->job_thread, message_line(probe, 1));
		if (n != seen)
			send_line(probe->job_thread, message_line(probe, 0), seen = n);
	}
}

static double ask_slice(struct probe *probe)
{
	enum { TRIPS = 100 };
	uint64_t n = look_at_line(probe->main_thread, message_line(probe, 0));
	unsigned spins = 0;
	uint64_t begin = probe_ticks();
	for (unsigned i = 0; i < TRIPS; i++) {
		send_line(probe->main_thread, message_line(probe, 1), ++n);
		while (look_at_line(probe->main_thread, message_line(probe, 0)) != n)
			probe_relax(&spins);
	}
	return probe_ns_between(probe, begin, probe_ticks()) / TRIPS;
}

double measure_message_round_trip(struct probe *probe)
{
	return probe_median_beside(probe, 1, answer_job, ask_slice);
}

/* ---- Write-back, flush, fence ---- */

static double full_fence_slice(struct probe *probe)
{
	enum { FENCES = 500 };
	uint64_t begin = probe_ticks();
	for (unsigned i = 0; i < FENCES; i++)
		lgs_full_fence(probe->main_thread);
	return probe_ns_between(probe, begin, probe_ticks()) / FENCES;
}

double measure_full_fence(struct probe *probe)
{
	return probe_median_of(probe, full_fence_slice);
}

/* Lines a fence; the time of the write-backs and their fence, per fence. */
static double write_back_slice(struct probe *probe, uint64_t lines)
{
	/* Few, so that even a small modelled cache has evicted none of them when they are written back. */
	enum { LINES = 128 };
	uint64_t area = probe->scratch + SCRATCH_BYTES / 2, set_bytes = lines * LINE, sets = LINES / lines;
	uint64_t n = ticks_now();
	for (uint64_t line = 0; line < LINES; line++)
		lgs_write(probe->main_thread, area + line * LINE, &n, sizeof n);
	/* What the model still charges for these writes is not a write-back's. */
	lgs_full_fence(probe->main_thread);
	uint64_t begin = probe_ticks();
	for (uint64_t set = 0; set < sets; set++) {
		lgs_write_back(probe->main_thread, area + set * set_bytes, set_bytes);
		lgs_fence(probe->main_thread);
	}
	return probe_ns_between(probe, begin, probe_ticks()) / (double)sets;
}

static double write_back_1_slice(struct probe *probe)
{
	return write_back_slice(probe, 1);
}

static double write_back_8_slice(struct probe *probe)
{
	return write_back_slice(probe, 8);
}

static double write_back_64_slice(struct probe *probe)
{
	return write_back_slice(probe, 64);
}

double measure_write_back_1(struct probe *probe)
{
	return probe_median_of(probe, write_back_1_slice);
}

double measure_write_back_8(struct probe *probe)
{
	return probe_median_of(probe, write_back_8_slice);
}

double measure_write_back_64(struct probe *probe)
{
	return probe_median_of(probe, write_back_64_slice);
}

/* Clean lines that this host holds; the lines lie apart, so that no prefetcher of this machine helps. */
static double flushes(struct probe *probe, bool and_read)
{
	enum { FLUSHES = 64, APART = 5 * LINE };
	uint64_t area = probe->scratch + SCRATCH_BYTES / 4, sum = 0, word;
	for (uint64_t i = 0; i < FLUSHES; i++)
		lgs_read(probe->main_thread, area + i * APART, &word, sizeof word);
	lgs_full_fence(probe->main_thread);
	uint64_t begin = probe_ticks();
	for (uint64_t i = 0; i < FLUSHES; i++) {
		lgs_flush(probe->main_thread, area + i * APART, LINE);
		lgs_full_fence(probe->main_thread);
		if (and_read) {
			lgs_read(probe->main_thread, area + i * APART, &word, sizeof word);
			sum += word;
			/* The next flush waits for this read, as one that needs what it read would. */
			__asm__ volatile("" ::"r"(sum) : "memory");
			__asm__ volatile("lfence" ::: "memory");
		}
	}
	return probe_ns_between(probe, begin, probe_ticks()) / FLUSHES;
}

static double flush_slice(struct probe *probe)
{
	return flushes(probe, false);
}

static double flush_and_read_slice(struct probe *probe)
{
	return flushes(probe, true);
}

double measure_flush(struct probe *probe)
{
	return probe_median_of(probe, flush_slice);
}

double measure_flush_and_read(struct probe *probe)
{
	return probe_median_of(probe, flush_and_read_slice);
}
