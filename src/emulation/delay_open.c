/* delay_open.c: a host under the delay model: from the profile's nanoseconds to this machine's ticks. */
#include "emulation/delay.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { RESOLUTION_NS = 50, CREDIT_MAX_NS = 1000 };
enum { SCRATCH_LINES = 64, ROUNDS = 16, SCRATCH_READ_NS = 300 };

/* What the model takes of the time that it emulates. Measured once a process. */
static pthread_once_t measured = PTHREAD_ONCE_INIT;
static int64_t own_hit, own_edge;

static uint64_t service(double gbps, double ticks_per_ns)
{
	double ticks = EMU_LINE_BYTES / gbps * ticks_per_ns;
	return (uint64_t)llround(ticks * (1 << DELAY_QUEUE_SHIFT));
}

static struct delay_costs costs_of(const struct emu_profile *p, double ticks_per_ns)
{
	return (struct delay_costs){
	        .read = llround(p->read_ns * ticks_per_ns),
	        .write_back = llround(p->write_back_ns * ticks_per_ns),
	        .flush = llround(p->flush_ns * ticks_per_ns),
	        .coherence = llround(p->coherence_ns * ticks_per_ns),
	        .atomic = llround(p->atomic_ns * ticks_per_ns),
	        .fence = llround(p->fence_ns * ticks_per_ns),
	        .lines_in_flight = p->lines_in_flight,
	        .host_read_service = service(p->host_read_gbps, ticks_per_ns),
	        .host_write_service = service(p->host_write_gbps, ticks_per_ns),
	        .device_read_service = service(p->device_read_gbps, ticks_per_ns),
	        .device_write_service = service(p->device_write_gbps, ticks_per_ns),
	        .p99_log2 = p->read_p99_ns > 0 ? log2(p->read_p99_ns / p->read_ns) : 0,
	        .p999_log2 = p->read_p999_ns > 0  ? log2(p->read_p999_ns / p->read_ns)
	                     : p->read_p99_ns > 0 ? log2(p->read_p99_ns / p->read_ns)
	                                          : 0,
	        .resolution = llround(RESOLUTION_NS * ticks_per_ns),
	        .credit_max = llround(CREDIT_MAX_NS * ticks_per_ns),
	};
}

/* A cache that is larger than twice the region would never be full. */
static struct delay_host *host_make(uint64_t cache_bytes, uint64_t region_bytes)
{
	uint64_t useful = cache_bytes < 2 * region_bytes ? cache_bytes : 2 * region_bytes;
	uint64_t sets = useful / EMU_LINE_BYTES / DELAY_WAYS / DELAY_RUN * DELAY_RUN;
	sets = sets ? sets : DELAY_RUN;
	assert(sets <= UINT32_MAX); /* delay_cache.c scales 32 bits by it; profiles have 64 GiB at most */
	uint64_t bytes = sizeof(struct delay_host) + sets * DELAY_WAYS * sizeof(uint64_t);
	struct delay_host *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (host == MAP_FAILED)
		return NULL;
	/* A wish. */
	(void)madvise(host, bytes, MADV_HUGEPAGE);
	host->set_count = sets;
	host->bytes = bytes;
	return host;
}

static void host_free(struct delay_host *host)
{
	int failed = munmap(host, host->bytes);
	assert(!failed);
}

/* ---- The model's own time ---- */

/* Never the line after the last: those are cheaper. */
static uint64_t next_line(uint64_t i)
{
	return i * 7 % SCRATCH_LINES;
}

/* Ticks of a load of each line. */
static int64_t time_loads(struct emu_thread *thread)
{
	uint64_t from = emu_clock_counter_after_loads();
	for (uint64_t i = 0; i < SCRATCH_LINES; i++)
		(void)delay_load64(thread, next_line(i) * EMU_LINE_BYTES);
	return (int64_t)(emu_clock_counter_after_loads() - from);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* On a small pod of its own: hits, which should cost what a load does; then misses of a known latency, whose waiting
 * works as always. What these take longer is outside the two looks at the clock that each takes. */
static void measure(struct emu_pod *pod, int64_t latency)
{
	struct emu_thread thread;
	emu_thread_init(&thread, pod);
	int64_t hit = INT64_MAX, edge = INT64_MAX, bare = INT64_MAX;
	bool wrote;
	(void)time_loads(&thread);
	for (unsigned round = 0; round < ROUNDS; round++) {
		hit = least(hit, time_loads(&thread));
		uint64_t from = emu_clock_counter_after_loads();
		for (unsigned i = 0; i < SCRATCH_LINES; i++)
			(void)*(volatile uint64_t *)(void *)(pod->config.raw + next_line(i) * EMU_LINE_BYTES);
		bare = least(bare, (int64_t)(emu_clock_counter_after_loads() - from));
	}
	pod->delay->costs.read = latency;
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < SCRATCH_LINES; i++)
			wrote = delay_cache_drop(&thread, i);
		assert(!wrote);
		thread.owed = 0;
		edge = least(edge, time_loads(&thread) + thread.owed);
	}
	own_hit = hit > bare ? (hit - bare) / SCRATCH_LINES : 0;
	own_edge = edge / SCRATCH_LINES > latency ? edge / SCRATCH_LINES - latency : 0;
}

static void measure_once(void)
{
	static alignas(4096) uint8_t raw[SCRATCH_LINES * EMU_LINE_BYTES];
	static alignas(4096) uint8_t shared[sizeof(struct emu_shared) + SCRATCH_LINES * sizeof(uint64_t)];
	struct emu_pod pod = {.config = {.raw = raw, .bytes = sizeof raw, .host_count = 1},
	        .shared = (struct emu_shared *)(void *)shared,
	        .delay = host_make(16384, sizeof raw)};
	if (!pod.delay)
		return; /* then the model's own time is on top; whoever opens next finds out about memory himself */
	struct emu_profile idle = {.host_read_gbps = 1000,
	        .host_write_gbps = 1000,
	        .device_read_gbps = 1000,
	        .device_write_gbps = 1000,
	        .lines_in_flight = 1};
	char message[EMU_MESSAGE_BYTES];
	double ticks_per_ns = emu_clock_ticks_per_ns(message);
	pod.delay->costs = costs_of(&idle, ticks_per_ns);
	measure(&pod, llround(SCRATCH_READ_NS * ticks_per_ns));
	host_free(pod.delay);
}

/* ---- Opening and closing ---- */

void delay_use_clock(struct emu_pod *pod, struct emu_clock *clock)
{
	pod->delay->clock = clock;
	pod->delay->costs = costs_of(&pod->profile, 1);
}

enum emu_failure delay_open(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES])
{
	if (pod->config.bytes / EMU_LINE_BYTES > DELAY_LINES_MAX) {
		snprintf(message, EMU_MESSAGE_BYTES,
		        "a region of %" PRIu64 " bytes is too large for the delay mode: %" PRIu64 " at most",
		        pod->config.bytes, DELAY_LINES_MAX * EMU_LINE_BYTES);
		return EMU_INVALID;
	}
	double ticks_per_ns = emu_clock_ticks_per_ns(message);
	if (ticks_per_ns == 0)
		return EMU_SYSTEM;
	pod->delay = host_make(pod->profile.cache_bytes, pod->config.bytes);
	if (!pod->delay) {
		snprintf(message, EMU_MESSAGE_BYTES,
		        "no memory for the modelled cache of a host: an eighth of the profile's %" PRIu64 " bytes: %s",
		        pod->profile.cache_bytes, strerror(errno));
		return EMU_SYSTEM;
	}
	int failed = pthread_once(&measured, measure_once);
	assert(!failed);
	pod->delay->costs = costs_of(&pod->profile, ticks_per_ns);
	pod->delay->costs.hit_credit = own_hit;
	pod->delay->costs.edge = own_edge;
	return EMU_NONE;
}

void delay_close(struct emu_pod *pod)
{
	/* The data are in memory already, and the cache is forgotten: what it held as dirty, others find so. */
	host_free(pod->delay);
	pod->delay = NULL;
}
