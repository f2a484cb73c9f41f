/* probe_measure.h: what the measurements of `liger probe memory` share. The layout of the memory, and how a figure
 * comes about, is in probe_measure.c; the figures are in probe_latency.c and probe_streams.c. */
#ifndef LIGER_TOOLS_PROBE_MEASURE_H
#define LIGER_TOOLS_PROBE_MEASURE_H

#include "probe_memory.h"

#include "common/random.h"
#include "common/ticks.h"

#include <ligersim.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum {
	LINE = LGS_LINE_BYTES,
	COHERENT_BYTES = 1 << 20,
	SCRATCH_BYTES = 2 << 20,
	BLOCK_BYTES = 512 << 10, /* a stream's step: long, because each begins with a latency */
	PACED_BLOCK_BYTES = 64 << 10,
	EXCHANGED_LINES = 512,
	MAX_SLICES = 41,
	MAX_ROUNDS = 5,
	FRAME_BYTES = PROBE_FRAME_LINES * LINE,
};

/* Words that have a job; each in a line of its own. */
enum { WORD_ALONE = 0, WORD_CONTENDED = LINE, WORD_PING = 2 * LINE, WORD_PONG = 3 * LINE, WORD_EXCHANGED = 64 * LINE };

struct probe {
	const struct probe_plan *plan;
	struct lgs_region *region;
	struct lgs_host *host[2];
	struct lgs_thread *main_thread;     /* host 0 */
	struct lgs_thread *other_thread[2]; /* of each host: the thread beside */
	uint64_t scratch, writes, writes_bytes, chain, chain_bytes;
	uint64_t position; /* on the chain: goes on where the last slice ended, so that no line comes twice soon */
	uint64_t write_position[3], read_position[3]; /* of streams: this thread, the others */
	uint8_t *buffer[3];
	uint64_t scale;  /* ticks_scale() */
	double clock_ns; /* of two readings of the clock with nothing between */
	struct bench_random random;
	cpu_set_t all_cpus;
	int cpu[2]; /* of this thread and of the one beside; both -1 where there is one only */

	/* The thread beside: what it does until `stop`, which counts for it. */
	pthread_t beside;
	void (*job)(struct probe *probe);
	struct lgs_thread *job_thread;
	double job_gbps; /* paced; 0: as fast as it goes */
	_Atomic bool started, stop;
	_Atomic uint64_t job_done; /* bytes, or additions */
	_Atomic unsigned turn;     /* 0: this thread's, 1: the other's */
};

/* What was issued before is done, and nothing after has begun. */
static inline uint64_t probe_ticks(void)
{
	__asm__ volatile("lfence" ::: "memory");
	uint64_t t = ticks_now();
	__asm__ volatile("lfence" ::: "memory");
	return t;
}

static inline double probe_ns_between(const struct probe *probe, uint64_t begin, uint64_t end)
{
	return end <= begin ? 0 : (double)(end - begin) * (double)probe->scale * 0x1.0p-32;
}

/* A processor that both threads need is given away now and then. */
static inline void probe_relax(unsigned *spins)
{
	__builtin_ia32_pause();
	if (++*spins % 4096 == 0)
		sched_yield();
}

static inline void probe_count_job(struct probe *probe, uint64_t done)
{
	uint64_t sum = atomic_load_explicit(&probe->job_done, memory_order_relaxed); /* relaxed: nobody else adds */
	atomic_store_explicit(&probe->job_done, sum + done, memory_order_relaxed);   /* and it orders nothing */
}

/* ---- probe_measure.c ---- */

/* Sorts the values. */
double probe_quantile(double *values, size_t count, double q);
unsigned probe_slice_count(const struct probe *probe);
/* The median over slices of what `slice` measures; NAN stands for a slice that does not count. */
double probe_median_of(struct probe *probe, double (*slice)(struct probe *probe));
/* The same while the other thread does `job`, as one of `host`, until probe->stop. */
double probe_median_beside(
        struct probe *probe, unsigned host, void (*job)(struct probe *probe), double (*slice)(struct probe *probe));
void probe_start_beside(struct probe *probe, unsigned host, void (*job)(struct probe *probe));
void probe_stop_beside(struct probe *probe);

/* ---- probe_latency.c: ns ---- */

double probe_chase_slice(struct probe *probe);
/* Once around. */
void probe_walk_chain(struct probe *probe);
/* An order of EXCHANGED_LINES lines that follow each other far enough apart to be no stream: offset of the i-th. */
uint64_t probe_exchanged(uint64_t i);
double measure_idle_read(struct probe *probe);
/* All three quantiles of one sample, where they are better than before. */
void measure_read_quantiles(struct probe *probe, double figure[FIGURE_COUNT]);
double measure_frame_read(struct probe *probe);
double measure_coherence(struct probe *probe);
double measure_fresh_line(struct probe *probe);
double measure_atomic_alone(struct probe *probe);
double measure_atomic_contended(struct probe *probe);
double measure_word_round_trip(struct probe *probe);
double measure_message_round_trip(struct probe *probe);
double measure_full_fence(struct probe *probe);
double measure_write_back_1(struct probe *probe);
double measure_write_back_8(struct probe *probe);
double measure_write_back_64(struct probe *probe);
double measure_flush(struct probe *probe);
double measure_flush_and_read(struct probe *probe);

/* ---- probe_streams.c: GB/s ---- */

double measure_read_1_thread(struct probe *probe);
double measure_read_2_threads(struct probe *probe);
double measure_read_2_hosts(struct probe *probe);
double measure_write_1_thread(struct probe *probe);
double measure_write_2_threads(struct probe *probe);
double measure_write_2_hosts(struct probe *probe);
/* The curve of latency under load, up to what one thread can read. */
void measure_load(struct probe *probe, unsigned rounds, struct probe_result *result);

#endif
