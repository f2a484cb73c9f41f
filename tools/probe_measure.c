/* probe_measure.c: the measurements of `liger probe memory`, by libligersim, so that every mode is measured alike.
 *
 *   [0, COHERENT_BYTES)     words
 *   scratch                 lines that are written back, flushed, exchanged
 *   writes                  a quarter of the rest: streams of writes
 *   chain                   one random cycle over all its lines: a line's first word is the offset of the next line;
 *                           streams are read here too. All of the rest, or what the plan says
 *
 * Two hosts; this thread is host 0, one other thread runs beside it as host 0 or 1. A figure is measured in short
 * slices, whose median counts, and that again in rounds over all figures, of which the best counts: others use the
 * machine too, and what they do only ever makes it slower, for a while.
 */
#include "probe_measure.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Time ---- */

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double probe_quantile(double *values, size_t count, double q)
{
	qsort(values, count, sizeof *values, compare_doubles);
	return values[(size_t)(q * (double)(count - 1))];
}

unsigned probe_slice_count(const struct probe *probe)
{
	return probe->plan->quick ? 11 : MAX_SLICES;
}

/* The median over slices of what `slice` measures; NAN stands for a slice that does not count. */
double probe_median_of(struct probe *probe, double (*slice)(struct probe *probe))
{
	double values[MAX_SLICES];
	unsigned count = probe_slice_count(probe), kept = 0;
	for (unsigned i = 0; i < count; i++) {
		values[kept] = slice(probe);
		kept += isnan(values[kept]) ? 0 : 1;
	}
	return kept ? probe_quantile(values, kept, 0.5) : NAN;
}

/* ---- The thread beside ---- */

/* Threads that the scheduler puts on one processor would share its cache and not run at a time. */
static void run_on(const struct probe *probe, unsigned thread)
{
	cpu_set_t one;
	if (probe->cpu[thread] < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET((size_t)probe->cpu[thread], &one);
	(void)pthread_setaffinity_np(pthread_self(), sizeof one, &one); /* a wish: figures get noisier without */
}

static void find_cpus(struct probe *probe)
{
	unsigned found = 0;
	probe->cpu[0] = probe->cpu[1] = -1;
	if (sched_getaffinity(0, sizeof probe->all_cpus, &probe->all_cpus))
		return;
	if (CPU_COUNT(&probe->all_cpus) < 2)
		return;
	for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
		if (CPU_ISSET((size_t)i, &probe->all_cpus))
			probe->cpu[found++] = i;
}

static void *run_job(void *argument)
{
	struct probe *probe = argument;
	run_on(probe, 1);
	atomic_store(&probe->started, true);
	probe->job(probe);
	return NULL;
}

void probe_start_beside(struct probe *probe, unsigned host, void (*job)(struct probe *probe))
{
	probe->job = job;
	probe->job_thread = probe->other_thread[host];
	atomic_store(&probe->started, false);
	atomic_store(&probe->stop, false);
	atomic_store(&probe->turn, 0);
	int error = pthread_create(&probe->beside, NULL, run_job, probe);
	assert(!error); /* one thread at a time */
	while (!atomic_load(&probe->started))
		sched_yield();
}

void probe_stop_beside(struct probe *probe)
{
	atomic_store(&probe->stop, true);
	int error = pthread_join(probe->beside, NULL);
	assert(!error);
}

double probe_median_beside(
        struct probe *probe, unsigned host, void (*job)(struct probe *probe), double (*slice)(struct probe *probe))
{
	probe_start_beside(probe, host, job);
	double median = probe_median_of(probe, slice);
	probe_stop_beside(probe);
	return median;
}

/* ---- All of it ---- */

/* NULL: measure_read_quantiles() */
static double (*const measures[FIGURE_COUNT])(struct probe *probe) = {
        [FIGURE_IDLE_READ] = measure_idle_read,
        [FIGURE_FRAME_READ] = measure_frame_read,
        [FIGURE_FRESH_LINE] = measure_fresh_line,
        [FIGURE_COHERENCE] = measure_coherence,
        [FIGURE_ATOMIC_ALONE] = measure_atomic_alone,
        [FIGURE_ATOMIC_CONTENDED] = measure_atomic_contended,
        [FIGURE_WORD_ROUND_TRIP] = measure_word_round_trip,
        [FIGURE_MESSAGE_ROUND_TRIP] = measure_message_round_trip,
        [FIGURE_FULL_FENCE] = measure_full_fence,
        [FIGURE_WRITE_BACK_1] = measure_write_back_1,
        [FIGURE_WRITE_BACK_8] = measure_write_back_8,
        [FIGURE_WRITE_BACK_64] = measure_write_back_64,
        [FIGURE_FLUSH] = measure_flush,
        [FIGURE_FLUSH_AND_READ] = measure_flush_and_read,
        [FIGURE_READ_1_THREAD] = measure_read_1_thread,
        [FIGURE_READ_2_THREADS] = measure_read_2_threads,
        [FIGURE_READ_2_HOSTS] = measure_read_2_hosts,
        [FIGURE_WRITE_1_THREAD] = measure_write_1_thread,
        [FIGURE_WRITE_2_THREADS] = measure_write_2_threads,
        [FIGURE_WRITE_2_HOSTS] = measure_write_2_hosts,
};

static void measure_all(struct probe *probe, struct probe_result *result)
{
	unsigned rounds = probe->plan->quick ? 2 : MAX_ROUNDS;
	for (unsigned f = 0; f < FIGURE_COUNT; f++)
		result->figure[f] = NAN;
	for (unsigned round = 0; round < rounds; round++) {
		/* A chain that is to stay in this machine's caches: streams of writes, or others, may have driven it out. */
		if (probe->plan->chain_bytes)
			probe_walk_chain(probe);
		measure_read_quantiles(probe, result->figure);
		for (unsigned f = 0; f < FIGURE_COUNT; f++) {
			if (!measures[f])
				continue;
			double value = measures[f](probe);
			double best = result->figure[f];
			result->figure[f] = probe_is_bandwidth(f) ? fmax(best, value) : fmin(best, value);
		}
	}
	measure_load(probe, probe->plan->quick ? 1 : 3, result);
}

/* Sattolo's algorithm gives one cycle over all lines; it is written in the order of memory, a block at a time. */
static bool write_chain(struct probe *probe)
{
	uint64_t lines = probe->chain_bytes / LINE;
	uint32_t *next = calloc(lines, sizeof *next);
	if (!next)
		return false;
	for (uint64_t i = 0; i < lines; i++)
		next[i] = (uint32_t)i;
	for (uint64_t i = lines - 1; i > 0; i--) {
		uint64_t j = bench_random_below(&probe->random, i);
		uint32_t swapped = next[i];
		next[i] = next[j];
		next[j] = swapped;
	}
	for (uint64_t first = 0; first < lines; first += BLOCK_BYTES / LINE) {
		for (uint64_t i = 0; i < BLOCK_BYTES / LINE; i++) {
			uint64_t to = probe->chain + (uint64_t)next[first + i] * LINE;
			memcpy(probe->buffer[0] + i * LINE, &to, sizeof to);
		}
		lgs_stream_write(probe->main_thread, probe->chain + first * LINE, probe->buffer[0], BLOCK_BYTES);
	}
	lgs_fence(probe->main_thread);
	free(next);
	return true;
}

static void measure_clock(struct probe *probe, const struct ticks_mark *mark)
{
	double values[1001];
	size_t count = sizeof values / sizeof values[0];
	probe->scale = ticks_scale(mark);
	for (size_t i = 0; i < count; i++) {
		uint64_t begin = probe_ticks();
		values[i] = probe_ns_between(probe, begin, probe_ticks());
	}
	probe->clock_ns = probe_quantile(values, count, 0.5);
}

/* Lines of scratch whose content is looked at have some before anybody does. */
static void write_scratch(struct probe *probe)
{
	static_assert(SCRATCH_BYTES % BLOCK_BYTES == 0, "it is written in blocks");
	memset(probe->buffer[0], 0, BLOCK_BYTES);
	for (uint64_t at = 0; at < SCRATCH_BYTES; at += BLOCK_BYTES)
		lgs_stream_write(probe->main_thread, probe->scratch + at, probe->buffer[0], BLOCK_BYTES);
	for (uint64_t i = 0; i < EXCHANGED_LINES; i++) {
		uint64_t line[LINE / sizeof(uint64_t)] = {probe->scratch + probe_exchanged(i + 1)};
		lgs_stream_write(probe->main_thread, probe->scratch + probe_exchanged(i), line, sizeof line);
		lgs_store(probe->main_thread, WORD_EXCHANGED + probe_exchanged(i),
		        WORD_EXCHANGED + probe_exchanged(i + 1));
	}
	/* Of what the caller's memory held before, nothing counts. */
	lgs_store(probe->main_thread, WORD_PING, 0);
	lgs_store(probe->main_thread, WORD_PONG, 0);
	lgs_fence(probe->main_thread);
}

static bool open_all(struct probe *probe, const char *emulate, struct lgs_error *err)
{
	struct lgs_config config;
	lgs_config_init(&config);
	config.memory = probe->plan->memory;
	config.bytes = probe->plan->bytes;
	config.coherent_bytes = COHERENT_BYTES;
	config.emulate = emulate;
	if (lgs_region_create(&config, &probe->region, err))
		return false;
	for (unsigned host = 0; host < 2; host++)
		if (lgs_host_open(probe->region, host, &probe->host[host], err) ||
		        lgs_thread_open(probe->host[host], &probe->other_thread[host], err))
			return false;
	return lgs_thread_open(probe->host[0], &probe->main_thread, err) == LGS_OK;
}

static void close_all(struct probe *probe)
{
	if (probe->main_thread)
		lgs_thread_close(probe->main_thread);
	for (unsigned host = 0; host < 2; host++) {
		if (probe->other_thread[host])
			lgs_thread_close(probe->other_thread[host]);
		if (probe->host[host])
			lgs_host_close(probe->host[host]);
	}
	if (probe->region)
		lgs_region_close(probe->region);
	for (unsigned i = 0; i < 3; i++)
		free(probe->buffer[i]);
}

static void lay_out(struct probe *probe)
{
	uint64_t rest = probe->plan->bytes - COHERENT_BYTES - SCRATCH_BYTES;
	probe->scratch = COHERENT_BYTES;
	probe->writes = probe->scratch + SCRATCH_BYTES;
	probe->writes_bytes = rest / 4 / BLOCK_BYTES * BLOCK_BYTES;
	probe->chain = probe->writes + probe->writes_bytes;
	probe->chain_bytes = (rest - probe->writes_bytes) / BLOCK_BYTES * BLOCK_BYTES;
	if (probe->plan->chain_bytes)
		probe->chain_bytes = probe->plan->chain_bytes;
	assert(probe->chain_bytes % BLOCK_BYTES == 0 && probe->chain + probe->chain_bytes <= probe->plan->bytes);
	probe->position = probe->chain;
	for (unsigned i = 0; i < 3; i++) {
		probe->read_position[i] = probe->chain_bytes / 3 / BLOCK_BYTES * BLOCK_BYTES * i;
		probe->write_position[i] = probe->writes_bytes / 3 / BLOCK_BYTES * BLOCK_BYTES * i;
	}
}

bool probe_measure(const struct probe_plan *plan, const char *emulate, struct probe_result *result)
{
	struct probe probe = {.plan = plan};
	struct lgs_error err = {0};
	struct ticks_mark mark = ticks_mark_now();
	bench_random_seed(&probe.random, plan->seed);
	lay_out(&probe);
	find_cpus(&probe);
	bool ok = true;
	for (unsigned i = 0; i < 3; i++) {
		probe.buffer[i] = aligned_alloc(4096, BLOCK_BYTES);
		ok &= probe.buffer[i] != NULL;
		if (ok)
			memset(probe.buffer[i], 0, BLOCK_BYTES);
	}
	ok = ok && open_all(&probe, emulate, &err) && write_chain(&probe);
	if (ok) {
		write_scratch(&probe);
		measure_clock(&probe, &mark); /* writing the chain took its 20 ms */
		run_on(&probe, 0);
		measure_all(&probe, result);
		(void)pthread_setaffinity_np(pthread_self(), sizeof probe.all_cpus, &probe.all_cpus);
		snprintf(result->mode, sizeof result->mode, "%s", lgs_host_mode(probe.host[0]));
	} else {
		fprintf(stderr, "liger probe memory: %s\n", err.message[0] ? err.message : "no memory");
	}
	close_all(&probe);
	return ok;
}
