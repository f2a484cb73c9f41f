/* probe_streams.c: bandwidth, and latency while another thread uses some of it. */
#include "probe_measure.h"

#include <math.h>

/* ---- Streams ---- */

/* A stream's next block; each goes round its area from a place of its own. */
static uint64_t read_block(struct probe *probe, struct lgs_thread *thread, unsigned stream, uint64_t bytes)
{
	uint64_t *at = &probe->read_position[stream];
	lgs_stream_read(thread, probe->chain + *at, probe->buffer[stream], bytes);
	*at = *at + 2 * bytes <= probe->chain_bytes ? *at + bytes : 0;
	return bytes;
}

static uint64_t write_block(struct probe *probe, struct lgs_thread *thread, unsigned stream, uint64_t bytes)
{
	uint64_t *at = &probe->write_position[stream];
	lgs_stream_write(thread, probe->writes + *at, probe->buffer[stream], bytes);
	lgs_fence(thread);
	*at = *at + 2 * bytes <= probe->writes_bytes ? *at + bytes : 0;
	return bytes;
}

static unsigned job_stream(const struct probe *probe)
{
	return probe->job_thread == probe->other_thread[0] ? 1 : 2;
}

static void read_job(struct probe *probe)
{
	while (!atomic_load(&probe->stop))
		probe_count_job(probe, read_block(probe, probe->job_thread, job_stream(probe), BLOCK_BYTES));
}

static void write_job(struct probe *probe)
{
	while (!atomic_load(&probe->stop))
		probe_count_job(probe, write_block(probe, probe->job_thread, job_stream(probe), BLOCK_BYTES));
}

static double slice_ns(const struct probe *probe)
{
	return probe->plan->quick ? 2e6 : 4e6;
}

/* GB/s of this thread's stream and of the other's, whose bytes are counted when a block ends. */
static double stream_slice(struct probe *probe,
        uint64_t (*block)(struct probe *probe, struct lgs_thread *thread, unsigned stream, uint64_t bytes))
{
	uint64_t bytes = 0, other = atomic_load(&probe->job_done), begin = probe_ticks();
	double ns;
	do {
		bytes += block(probe, probe->main_thread, 0, BLOCK_BYTES);
		ns = probe_ns_between(probe, begin, probe_ticks());
	} while (ns < slice_ns(probe));
	return (double)(bytes + atomic_load(&probe->job_done) - other) / ns;
}

static double read_slice(struct probe *probe)
{
	return stream_slice(probe, read_block);
}

static double write_slice(struct probe *probe)
{
	return stream_slice(probe, write_block);
}

double measure_read_1_thread(struct probe *probe)
{
	return probe_median_of(probe, read_slice);
}

double measure_read_2_threads(struct probe *probe)
{
	return probe_median_beside(probe, 0, read_job, read_slice);
}

double measure_read_2_hosts(struct probe *probe)
{
	return probe_median_beside(probe, 1, read_job, read_slice);
}

double measure_write_1_thread(struct probe *probe)
{
	return probe_median_of(probe, write_slice);
}

double measure_write_2_threads(struct probe *probe)
{
	return probe_median_beside(probe, 0, write_job, write_slice);
}

double measure_write_2_hosts(struct probe *probe)
{
	return probe_median_beside(probe, 1, write_job, write_slice);
}

/* ---- Latency under load ---- */

/* Reads at a rate: a block, then a wait until the next is due. What is late is not caught up with. */
static void paced_read_job(struct probe *probe)
{
	double ticks_a_block = 0, due;
	if (probe->job_gbps > 0)
		ticks_a_block = PACED_BLOCK_BYTES / probe->job_gbps / ((double)probe->scale * 0x1.0p-32);
	due = (double)ticks_now();
	while (!atomic_load(&probe->stop)) {
		probe_count_job(probe, read_block(probe, probe->job_thread, 1, PACED_BLOCK_BYTES));
		due = fmax(due + ticks_a_block, (double)ticks_now());
		while ((double)ticks_now() < due && !atomic_load(&probe->stop))
			__builtin_ia32_pause();
	}
}

/* Latency in a slice counts if the other thread was at it, and not without its processor. */
static struct probe_load_point loaded(struct probe *probe, double least_gbps)
{
	double ns[MAX_SLICES], gbps[MAX_SLICES];
	unsigned count = probe_slice_count(probe), kept = 0;
	for (unsigned i = 0; i < 4 * count && kept < count; i++) {
		uint64_t before = atomic_load(&probe->job_done), begin = probe_ticks();
		ns[kept] = probe_chase_slice(probe);
		double took = probe_ns_between(probe, begin, probe_ticks());
		gbps[kept] = (double)(atomic_load(&probe->job_done) - before) / took;
		kept += gbps[kept] >= least_gbps;
	}
	if (kept == 0)
		return (struct probe_load_point){NAN, NAN};
	return (struct probe_load_point){probe_quantile(gbps, kept, 0.5), probe_quantile(ns, kept, 0.5)};
}

/* Point 0: no load; the last: as much as the other thread can. */
static struct probe_load_point load_point(struct probe *probe, unsigned point, double most_gbps)
{
	double target = most_gbps * point / (LOAD_POINTS - 1);
	if (point == 0)
		return (struct probe_load_point){0, measure_idle_read(probe)};
	probe->job_gbps = point == LOAD_POINTS - 1 ? 0 : target;
	probe_start_beside(probe, 0, paced_read_job);
	struct probe_load_point at = loaded(probe, target / 2);
	probe_stop_beside(probe);
	return at;
}

void measure_load(struct probe *probe, unsigned rounds, struct probe_result *result)
{
	double most = result->figure[FIGURE_READ_1_THREAD];
	for (unsigned point = 0; point < LOAD_POINTS; point++) {
		struct probe_load_point best = load_point(probe, point, most);
		for (unsigned round = 1; round < rounds; round++) {
			struct probe_load_point next = load_point(probe, point, most);
			if (isnan(best.ns) || next.ns < best.ns)
				best = next;
		}
		result->load[point] = best;
	}
}
