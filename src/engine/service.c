/* service.c: the service thread.
 *
 * It sleeps most of the time. While workers poll (their counters grow) it leaves the messages to them and wakes a few
 * times an epoch; when none does it looks at the doorbell every IDLE_POLL_NS. It never spins: workers need the CPUs more.
 * It also watches the other hosts, and recovers what one leaves that has died (src/recovery).
 */
#include "engine/service.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cxl/usage.h"
#include "engine/mover.h"

enum {
	IDLE_POLL_NS = 50000,
	FLIGHT_POLL_NS = 200000, /* while workers poll and the log is being written */
	BUSY_POLL_NS = 1000000,
	USAGE_NS = 200000000, /* statistics for `pod info` */
	SERVICE_NICE = -10,
};

struct service_clock {
	uint64_t epoch, epoch_since_ns; /* the epoch as last seen, and since when */
	uint64_t worked_epoch;
	uint64_t usage_ns;
	uint64_t polls;
};

/* Ticks when the epoch has stood still for its length by this host's clock: whoever's clock says so first. */
static void tick(struct lg_worker *w, struct service_clock *clock, uint64_t now)
{
	uint64_t epoch = epoch_load(&w->port);
	if (epoch != clock->epoch) {
		clock->epoch = epoch;
		clock->epoch_since_ns = now;
	} else if (now - clock->epoch_since_ns >= (uint64_t)w->host->geometry->epoch_ms * 1000000u) {
		epoch_tick(&w->port, epoch);
		clock->epoch = epoch + 1;
		clock->epoch_since_ns = now;
	}
}

static void publish_usage(struct lg_worker *w)
{
	struct lg_stats stats = {0};
	/* Never waited for: whoever has it may be at work for longer than others wait for this thread's heartbeat. */
	if (!spin_try(&w->host->mover_lock))
		return;
	mover_usage(w->host, &stats);
	spin_drop(&w->host->mover_lock);
	struct host_usage usage = {
	        .hwcc_row_bytes = stats.hwcc_row_bytes,
	        .hwcc_leaf_bytes = stats.hwcc_leaf_bytes,
	        .hwcc_claimed_bytes = stats.hwcc_claimed_bytes,
	        .swcc_frame_bytes = stats.swcc_frame_bytes,
	        .swcc_directory_bytes = stats.swcc_directory_bytes,
	        .swcc_claimed_bytes = stats.swcc_claimed_bytes,
	        .swcc_payload_bytes = stats.swcc_payload_bytes,
	        .shared_rows = stats.shared_rows,
	        .dram_bytes = stats.dram_bytes,
	};
	usage_publish(&w->port, w->host_id, &usage, ++w->host->usage_counter);
}

static bool workers_poll(struct lg_host *host, struct service_clock *clock)
{
	uint64_t polls = 0;
	for (unsigned i = 0; i < SERVICE_SLOT; i++) {
		const struct lg_worker *w = atomic_load_explicit(&host->workers[i], memory_order_acquire);
		polls += w ? atomic_load_explicit(&w->polls, memory_order_relaxed) : 0;
	}
	bool grew = polls != clock->polls;
	clock->polls = polls;
	return grew;
}

static void once_an_epoch(struct lg_worker *w, struct service_clock *clock)
{
	uint64_t epoch = epoch_load(&w->port);
	if (epoch == clock->worked_epoch)
		return;
	clock->worked_epoch = epoch;
	worker_enter(w);
	mover_tick(w);
	worker_leave(w);
}

static void *service_main(void *argument)
{
	struct lg_worker *w = argument;
	struct lg_host *host = w->host;
	struct service_clock clock = {.epoch_since_ns = clock_ns()};
	/* Where it is allowed: all that it does is short, and everybody waits for it, while workers fill the CPUs. */
	(void)setpriority(PRIO_PROCESS, 0, SERVICE_NICE); /* of this thread alone, in Linux */
	while (!atomic_load_explicit(&host->stopping, memory_order_acquire)) {
		uint64_t now = clock_ns();
		struct timespec nap = {0, IDLE_POLL_NS};
		if (!host_is_member(host, &w->port)) {
			recovery_fenced(host);
			nap.tv_nsec = BUSY_POLL_NS; /* declared dead: all that is left is to be closed */
			nanosleep(&nap, NULL);
			continue;
		}
		member_beat(&w->port, host->id);
		bool soon = recovery_round(w, now);
		tick(w, &clock, now);
		once_an_epoch(w, &clock);
		if (now - clock.usage_ns >= USAGE_NS) {
			publish_usage(w);
			gate_share(w);
			clock.usage_ns = now;
		}
		bool busy = workers_poll(host, &clock);
		if (!busy)
			worker_poll(w);
		nap.tv_nsec = !busy ? IDLE_POLL_NS : soon ? FLIGHT_POLL_NS : BUSY_POLL_NS;
		nanosleep(&nap, NULL); /* woken early: works early */
	}
	return NULL;
}

int service_start(struct lg_worker *service, struct lg_error *err)
{
	int failed = pthread_create(&service->host->service, NULL, service_main, service);
	if (!failed)
		return LG_OK;
	errno = failed;
	return error_set(err, LG_SYSTEM, "cannot start the service thread: %m");
}

void service_stop(struct lg_worker *service)
{
	atomic_store_explicit(&service->host->stopping, true, memory_order_release);
	pthread_join(service->host->service, NULL);
}
