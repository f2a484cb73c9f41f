/* emulation_delay_test.c: what the delay model charges, to the tick, on a clock that stands still between accesses; and
 * that the data under it are the data. */
#include "common/pod_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulation/delay.h"

enum {
	LINE = EMU_LINE_BYTES,
	HWCC_BYTES = 64 * 1024,
	REGION_BYTES = 1 << 20,
	SWCC = HWCC_BYTES,
	CACHE_BYTES = 64 * 1024
};
enum { HOSTS = 2 };

/* One tick a nanosecond; a line takes 2 of the link and 1 of the device to be read, 4 and 8 to be written. */
static const struct emu_profile figures = {
        .name = "figures",
        .read_ns = 300,
        .write_back_ns = 200,
        .flush_ns = 250,
        .coherence_ns = 1000,
        .atomic_ns = 10,
        .fence_ns = 20,
        .lines_in_flight = 10,
        .host_read_gbps = 32,
        .host_write_gbps = 16,
        .device_read_gbps = 64,
        .device_write_gbps = 8,
};

struct fixture {
	char path[64]; /* of the profile */
	char mode[80];
	uint64_t cookie;
	uint8_t *raw;
	struct emu_clock clock;
	struct emu_pod *pod[HOSTS];
	struct emu_thread thread[HOSTS];
};

static char message[EMU_MESSAGE_BYTES];
static enum emu_failure failure;

/* cache_bytes is the one figure that must be known when a host opens. */
static void write_profile(struct fixture *f, unsigned cache_bytes)
{
	static const char *lines[] = {"read_ns", "write_back_ns", "flush_ns", "coherence_ns", "atomic_ns", "fence_ns"};
	static const char *rates[] = {"host_read_gbps", "host_write_gbps", "device_read_gbps", "device_write_gbps"};
	snprintf(f->path, sizeof f->path, "/tmp/liger-test-delay-XXXXXX.json");
	int fd = mkstemps(f->path, 5);
	assert_true(fd >= 0);
	dprintf(fd, "{\"name\": \"figures-%u\", \"description\": \"of a test\"", cache_bytes);
	for (unsigned i = 0; i < 6; i++)
		dprintf(fd, ", \"%s\": {\"value\": 100, \"unit\": \"ns\", \"source\": \"test\"}", lines[i]);
	for (unsigned i = 0; i < 4; i++)
		dprintf(fd, ", \"%s\": {\"value\": 10, \"unit\": \"GB/s\", \"source\": \"test\"}", rates[i]);
	dprintf(fd, ", \"lines_in_flight\": {\"value\": 8, \"unit\": \"lines\", \"source\": \"test\"}");
	dprintf(fd, ", \"cache_bytes\": {\"value\": %u, \"unit\": \"bytes\", \"source\": \"test\"}}\n", cache_bytes);
	assert_int_equal(close(fd), 0);
	snprintf(f->mode, sizeof f->mode, "delay:%s", f->path);
}

static struct emu_pod *open_host(const struct fixture *f, const char *mode, unsigned host)
{
	struct emu_config config = {.raw = f->raw,
	        .bytes = REGION_BYTES,
	        .coherent_bytes = HWCC_BYTES,
	        .cookie = f->cookie,
	        .host = host,
	        .host_count = HOSTS};
	assert_true(emu_spec_parse(mode, &config.spec, message));
	message[0] = '\0';
	return emu_pod_open(&config, &failure, message);
}

static void use_figures(struct fixture *f, const struct emu_profile *profile)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		f->pod[i]->profile = *profile;
		delay_use_clock(f->pod[i], &f->clock);
	}
}

static struct fixture *fixture_make(unsigned cache_bytes)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	/* A pod of this process: its cookie is that of no region. */
	static unsigned count;
	f->cookie = (uint64_t)getpid() << 32 | ++count;
	f->raw = aligned_alloc(4096, REGION_BYTES);
	assert_non_null(f->raw);
	memset(f->raw, 0, REGION_BYTES);
	write_profile(f, cache_bytes);
	for (unsigned i = 0; i < HOSTS; i++) {
		f->pod[i] = open_host(f, f->mode, i);
		if (!f->pod[i])
			fail_msg("%s", message);
		emu_thread_init(&f->thread[i], f->pod[i]);
	}
	f->clock.now = 1000000;
	use_figures(f, &figures);
	return f;
}

static int setup(void **state)
{
	*state = fixture_make(CACHE_BYTES);
	return 0;
}

static int setup_small_cache(void **state)
{
	*state = fixture_make(4096);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < HOSTS; i++)
		if (f->pod[i])
			emu_pod_close(f->pod[i]);
	emu_pod_forget(f->cookie);
	assert_int_equal(unlink(f->path), 0);
	free(f->raw);
	free(f);
	return 0;
}

/* Where a thread stands, what it owes being part of its time. */
static uint64_t time_of(const struct fixture *f, unsigned host)
{
	return f->clock.now + (uint64_t)f->thread[host].owed;
}

/* Claims what an access of a host costs. */
#define COSTS(host, ticks, access)                                                                                     \
	do {                                                                                                           \
		uint64_t before = time_of(f, host);                                                                    \
		(void)(access);                                                                                        \
		assert_int_equal(time_of(f, host) - before, ticks);                                                    \
	} while (0)
/* The same of a statement. */
#define COSTS_DO(host, ticks, ...)                                                                                     \
	COSTS(host, ticks, ({                                                                                          \
		__VA_ARGS__;                                                                                           \
		0;                                                                                                     \
	}))

/* No sequence, and nothing pending. */
static void rest(struct fixture *f)
{
	for (unsigned i = 0; i < HOSTS; i++)
		emu_full_fence(&f->thread[i]);
	f->clock.now += 100000;
}

/* ---- Loads ---- */

static void a_miss_costs_the_read_latency_and_a_hit_nothing(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	COSTS(0, 300, emu_load64(t, SWCC));
	COSTS(0, 0, emu_load64(t, SWCC + 8));
	COSTS(0, 300, emu_load64(t, SWCC + 5 * LINE));
	COSTS(0, 300, emu_load64(t, SWCC + 3 * LINE));
	COSTS(0, 0, emu_load64(t, SWCC));
	COSTS(0, 300, emu_word_load(t, 0));
	COSTS(0, 0, emu_word_load(t, 56));
	assert_int_equal(t->counts.misses, 4);
	assert_int_equal(t->counts.hits, 3);
	assert_int_equal(t->counts.coherence_misses, 0);
}

static void each_host_has_a_cache_of_its_own(void **state)
{
	struct fixture *f = *state;
	COSTS(0, 300, emu_load64(&f->thread[0], SWCC));
	COSTS(1, 300, emu_load64(&f->thread[1], SWCC));
	COSTS(1, 300, emu_word_load(&f->thread[1], 0));
	COSTS(0, 300, emu_word_load(&f->thread[0], 0));
	struct emu_thread sibling;
	emu_thread_init(&sibling, f->pod[0]);
	emu_load64(&sibling, SWCC);
	assert_int_equal(sibling.counts.hits, 1);
}

static void lines_that_follow_each_other_overlap(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	char line[LINE];
	COSTS_DO(0, 300, emu_line_out(t, SWCC, line, LINE));
	for (unsigned i = 1; i < 20; i++)
		COSTS_DO(0, 30, emu_line_out(t, SWCC + i * LINE, line, LINE));
	/* Not backwards, nor with a gap, nor across a full fence. */
	COSTS_DO(0, 300, emu_line_out(t, SWCC + 40 * LINE, line, LINE));
	COSTS_DO(0, 300, emu_line_out(t, SWCC + 39 * LINE, line, LINE));
	COSTS_DO(0, 20, emu_full_fence(t));
	COSTS_DO(0, 0, emu_line_out(t, SWCC + 40 * LINE, line, LINE));
	COSTS_DO(0, 300, emu_line_out(t, SWCC + 41 * LINE, line, LINE));
	/* A line in the cache does not end a sequence; time does. */
	COSTS_DO(0, 300, emu_line_out(t, SWCC + 51 * LINE, line, LINE));
	COSTS_DO(0, 300, emu_line_out(t, SWCC + 50 * LINE, line, LINE));
	COSTS_DO(0, 0, emu_line_out(t, SWCC + 51 * LINE, line, LINE));
	COSTS_DO(0, 30, emu_line_out(t, SWCC + 52 * LINE, line, LINE));
	f->clock.now += 1000;
	COSTS_DO(0, 300, emu_line_out(t, SWCC + 53 * LINE, line, LINE));
}

static void lines_come_no_faster_than_the_link_carries_them(void **state)
{
	struct fixture *f = *state;
	struct emu_profile slow = figures;
	slow.host_read_gbps = 1.6; /* 40 ticks a line, where 30 would be the share of the latency */
	use_figures(f, &slow);
	uint64_t from = f->clock.now;
	for (unsigned i = 0; i < 100; i++)
		emu_load64(&f->thread[0], SWCC + i * LINE);
	/* The second still hides behind the first. */
	assert_int_equal(time_of(f, 0) - from, 300 + 30 + 98 * 40);
}

/* ---- HWcc ---- */

static void a_line_goes_to_and_fro_between_two_writers(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *a = &f->thread[0], *b = &f->thread[1];
	COSTS_DO(0, 300, emu_word_store(a, 0, 1)); /* in no cache */
	COSTS_DO(0, 0, emu_word_store(a, 8, 1));
	for (unsigned i = 0; i < 3; i++) {
		COSTS_DO(1, 1000, emu_word_store(b, 0, 2));
		COSTS_DO(1, 0, emu_word_store(b, 0, 3));
		COSTS_DO(0, 1000, emu_word_store(a, 0, 4));
	}
	assert_int_equal(b->counts.coherence_misses, 3);
	COSTS(1, 1010, emu_word_rmw(b, 0, EMU_ADD, 1));
	COSTS(1, 10, emu_word_rmw(b, 0, EMU_ADD, 1));
	COSTS(0, 1010, emu_word_rmw(a, 0, EMU_ADD, 1));
}

static void a_reader_fetches_from_the_writer_and_then_shares(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *a = &f->thread[0], *b = &f->thread[1];
	COSTS_DO(0, 300, emu_word_store(a, 0, 1));
	COSTS(1, 1000, emu_word_load(b, 0));
	COSTS(1, 0, emu_word_load(b, 0));
	COSTS(0, 0, emu_word_load(a, 0));
	/* The right to write again is the reader's to give. */
	COSTS_DO(0, 1000, emu_word_store(a, 0, 2));
	COSTS(1, 1000, emu_word_load(b, 0));
}

static void who_has_a_line_alone_writes_it_at_no_cost(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *a = &f->thread[0], *b = &f->thread[1];
	COSTS(0, 300, emu_word_load(a, 0));
	COSTS_DO(0, 0, emu_word_store(a, 0, 1));
	/* Two readers: neither has it alone. */
	COSTS(0, 300, emu_word_load(a, LINE * 4));
	COSTS(1, 300, emu_word_load(b, LINE * 4));
	COSTS_DO(0, 1000, emu_word_store(a, LINE * 4, 1));
}

static void what_was_written_back_is_read_from_memory(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *a = &f->thread[0], *b = &f->thread[1];
	COSTS_DO(0, 300, emu_word_store(a, 0, 1));
	COSTS_DO(0, 0, emu_write_back(a, 0));
	COSTS_DO(0, 200, emu_fence(a));
	COSTS(1, 300, emu_word_load(b, 0));
	/* A flush takes it out of the cache besides. */
	COSTS_DO(0, 300, emu_word_store(a, LINE * 4, 1));
	COSTS_DO(0, 0, emu_flush(a, LINE * 4));
	rest(f);
	COSTS_DO(1, 300, emu_word_store(b, LINE * 4, 1));
}

static void a_failed_swap_costs_as_much(void **state)
{
	struct fixture *f = *state;
	uint64_t seen = 5;
	COSTS(0, 310, emu_word_swap(&f->thread[0], 0, &seen, 7));
	assert_int_equal(seen, 0);
	COSTS(1, 1010, emu_word_swap(&f->thread[1], 0, &seen, 7));
	assert_int_equal(emu_word_load(&f->thread[1], 0), 7);
	assert_int_equal(f->thread[0].counts.atomics, 1);
}

/* ---- SWcc ---- */

static void a_copy_is_stale_once_another_host_has_written_back(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *a = &f->thread[0], *b = &f->thread[1];
	COSTS(0, 300, emu_load64(a, SWCC));
	COSTS_DO(1, 0, emu_store64(b, SWCC, 1)); /* the store buffer has it */
	COSTS(0, 0, emu_load64(a, SWCC));
	COSTS_DO(1, 0, emu_write_back(b, SWCC));
	COSTS_DO(1, 200, emu_fence(b));
	/* Who flushes pays for it, and then for the load; who does not, pays both with the load. */
	COSTS(0, 550, emu_load64(a, SWCC));
	COSTS(0, 0, emu_load64(a, SWCC));
	COSTS(1, 0, emu_load64(b, SWCC));
	emu_store64(b, SWCC, 2);
	emu_write_back(b, SWCC);
	COSTS_DO(0, 0, emu_flush(a, SWCC));
	COSTS_DO(0, 250, emu_full_fence(a));
	COSTS(0, 300, emu_load64(a, SWCC));
	assert_int_equal(b->counts.write_backs, 2);
	/* There was nothing more to write back. */
	emu_write_back(b, SWCC);
	assert_int_equal(b->counts.write_backs, 2);
}

static void stores_are_waited_for_once_more_are_under_way_than_fit(void **state)
{
	struct fixture *f = *state;
	struct emu_profile slow = figures;
	slow.host_read_gbps = 0.64; /* a line takes 100 ticks */
	use_figures(f, &slow);
	for (unsigned i = 0; i < 4; i++)
		COSTS_DO(0, 0, emu_store64(&f->thread[0], SWCC + i * 2 * LINE, 1));
	for (unsigned i = 4; i < 10; i++)
		COSTS_DO(0, 100, emu_store64(&f->thread[0], SWCC + i * 2 * LINE, 1));
	char line[LINE] = {0};
	COSTS_DO(0, 100, emu_line_in(&f->thread[0], SWCC + 30 * LINE, line, LINE));
	COSTS_DO(0, 0, emu_line_in(&f->thread[0], SWCC + 30 * LINE, line, 16));
}

/* ---- Fences ---- */

static void a_fence_waits_for_the_last_write_back(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	for (unsigned i = 0; i < 3; i++)
		emu_store64(t, SWCC + i * LINE, 1);
	for (unsigned i = 0; i < 3; i++)
		COSTS_DO(0, 0, emu_write_back(t, SWCC + i * LINE));
	/* The device takes a line in 8 ticks: the third waits for two others. */
	COSTS_DO(0, 216, emu_fence(t));
	COSTS_DO(0, 0, emu_fence(t));
	COSTS_DO(0, 20, emu_full_fence(t));
	/* What was done meanwhile is not waited for again. */
	emu_store64(t, SWCC, 2);
	emu_write_back(t, SWCC);
	f->clock.now += 150;
	COSTS_DO(0, 50, emu_full_fence(t));
	assert_int_equal(t->counts.fences, 4);
}

static void flushes_overlap_and_a_full_fence_waits_for_them(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	for (unsigned i = 0; i < 4; i++)
		emu_load64(t, SWCC + i * LINE);
	rest(f);
	for (unsigned i = 0; i < 4; i++)
		COSTS_DO(0, 0, emu_flush(t, SWCC + i * LINE));
	COSTS_DO(0, 0, emu_fence(t));
	COSTS_DO(0, 256, emu_full_fence(t));
	COSTS_DO(0, 20, emu_full_fence(t));
	/* A dirty line is written too, which takes no longer here. */
	emu_store64(t, SWCC, 1);
	rest(f);
	COSTS_DO(0, 0, emu_flush(t, SWCC));
	COSTS_DO(0, 250, emu_full_fence(t));
	assert_int_equal(t->counts.write_backs, 1);
	assert_int_equal(t->counts.flushes, 5);
}

/* ---- The account ---- */

static void small_delays_are_saved_up_and_paid_together(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	emu_word_load(t, 0);
	uint64_t from = f->clock.now, waited = t->counts.delayed_ticks;
	for (unsigned i = 1; i < 5; i++) {
		emu_word_rmw(t, 0, EMU_ADD, 1);
		assert_int_equal(f->clock.now, from);
		assert_int_equal(t->owed, 10 * i);
	}
	emu_word_rmw(t, 0, EMU_ADD, 1);
	assert_int_equal(f->clock.now, from + 50);
	assert_int_equal(t->owed, 0);
	assert_int_equal(t->counts.delayed_ticks, waited + 50);
}

static void what_an_access_really_takes_is_part_of_its_delay(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	f->clock.step = 30; /* each look at the clock; an access has one before and one after */
	uint64_t from = f->clock.now;
	emu_load64(t, SWCC);
	assert_int_equal(f->clock.now, from + 30 + 300);
	assert_int_equal(t->counts.delayed_ticks, 270);
	/* Longer than the delay: the rest is made good by those that follow, up to 1000 ticks. */
	f->clock.step = 400;
	emu_load64(t, SWCC + 10 * LINE);
	assert_int_equal(t->owed, -100);
	f->clock.step = 0;
	from = f->clock.now;
	emu_load64(t, SWCC + 20 * LINE);
	assert_int_equal(f->clock.now, from + 200);
	f->clock.step = 5000;
	emu_load64(t, SWCC + 30 * LINE);
	assert_int_equal(t->owed, -1000);
}

static void the_time_of_finding_hits_is_made_good(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	emu_load64(t, SWCC);
	f->pod[0]->delay->costs.hit_credit = 7;
	for (unsigned i = 0; i < 3; i++)
		emu_load64(t, SWCC);
	uint64_t from = f->clock.now;
	emu_load64(t, SWCC + 10 * LINE);
	assert_int_equal(f->clock.now, from + 300 - 21);
	for (unsigned i = 0; i < 1000; i++)
		emu_load64(t, SWCC);
	assert_int_equal(t->owed, -1000);
}

/* ---- Bandwidth ---- */

static void a_stream_takes_one_latency_and_its_bytes(void **state)
{
	struct fixture *f = *state;
	static char buffer[512 * 1024];
	struct emu_thread *t = &f->thread[0];
	COSTS_DO(0, 300 + 512 * 1024 / 32, emu_stream_out(t, SWCC, buffer, sizeof buffer));
	rest(f);
	/* Written at the device's 8 GB/s; the last line's latency is the fence's. */
	COSTS_DO(0, 512 * 1024 / 8, emu_stream_in(t, SWCC, buffer, sizeof buffer));
	COSTS_DO(0, 200, emu_fence(t));
	COSTS_DO(0, 0, emu_stream_out(t, SWCC, buffer, 0));
}

static void a_stream_makes_copies_stale(void **state)
{
	struct fixture *f = *state;
	static char buffer[8192];
	emu_load64(&f->thread[1], SWCC + 4096 + LINE);
	emu_stream_in(&f->thread[0], SWCC, buffer, sizeof buffer);
	rest(f);
	COSTS(1, 550, emu_load64(&f->thread[1], SWCC + 4096 + LINE));
}

static void accesses_at_once_wait_for_each_other(void **state)
{
	struct fixture *f = *state;
	uint64_t at = f->clock.now;
	/* A host's link has 2 ticks for each of its own; the device 1 for each. */
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(delay_wait_read(&f->thread[0], at), 2 * i);
	/* The other host's link is free, but the device is busy: the first nine were through by then at their pace. */
	assert_int_equal(delay_wait_read(&f->thread[1], at), 18);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(delay_wait_write(&f->thread[0], at + 500), 8 * i);
	assert_int_equal(delay_wait_write(&f->thread[1], at + 500), 24);
	/* And later there is nothing left to wait for. */
	assert_int_equal(delay_wait_read(&f->thread[0], at + 1000), 0);
	assert_int_equal(delay_wait_write(&f->thread[0], at + 1000), 0);
}

/* Time that one of so many readers at once needs for a line, each beginning its next when it has the last. */
static uint64_t loaded_ticks_per_line(struct fixture *f, unsigned readers)
{
	enum { EACH = 1000, MAX_READERS = 64 };
	uint64_t at[MAX_READERS];
	assert_true(readers <= MAX_READERS);
	f->clock.now += 1000000;
	for (unsigned i = 0; i < readers; i++)
		at[i] = f->clock.now;
	for (unsigned turn = 0; turn < EACH * readers; turn++) {
		unsigned next = 0;
		for (unsigned i = 1; i < readers; i++)
			if (at[i] < at[next])
				next = i;
		at[next] += (uint64_t)(delay_wait_read(&f->thread[0], at[next]) + 300);
	}
	return (at[0] - f->clock.now) / EACH;
}

static void latency_grows_with_load_and_bandwidth_ends_it(void **state)
{
	struct fixture *f = *state;
	struct emu_profile slow = figures;
	slow.host_read_gbps = 3.2; /* 20 ticks a line: 15 readers can be served in 300 ticks */
	use_figures(f, &slow);
	assert_int_equal(loaded_ticks_per_line(f, 1), 300);
	assert_in_range(loaded_ticks_per_line(f, 15), 300, 330);
	assert_in_range(loaded_ticks_per_line(f, 30), 590, 610);
	assert_in_range(loaded_ticks_per_line(f, 60), 1180, 1220);
}

static void a_queue_that_another_boot_left_is_no_queue(void **state)
{
	struct fixture *f = *state;
	atomic_store(&f->pod[0]->shared->device_read_free, (f->clock.now + (UINT64_C(1) << 50)) << DELAY_QUEUE_SHIFT);
	COSTS(0, 300, emu_load64(&f->thread[0], SWCC));
}

/* ---- The cache ---- */

static void a_cache_holds_what_it_has_room_for(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	enum { CACHE_LINES = 4096 / LINE, LINES = CACHE_LINES * 4 };
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < LINES; i++)
			emu_load64(t, SWCC + i * LINE);
	assert_in_range(t->counts.hits, 1, CACHE_LINES);
	assert_int_equal(t->counts.hits + t->counts.misses, 2 * LINES);
	assert_true(t->counts.evictions >= t->counts.misses - CACHE_LINES);
}

static void lines_that_fit_stay(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	enum { LINES = CACHE_BYTES / LINE / 8 };
	for (unsigned pass = 0; pass < 3; pass++)
		for (unsigned i = 0; i < LINES; i++)
			emu_load64(t, SWCC + i * LINE);
	assert_int_equal(t->counts.misses, LINES);
	assert_int_equal(t->counts.evictions, 0);
}

static void a_dirty_line_that_must_go_is_written(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *a = &f->thread[0], *b = &f->thread[1];
	emu_load64(b, SWCC);
	emu_store64(a, SWCC, 1);
	emu_word_store(a, 0, 1);
	COSTS(1, 0, emu_load64(b, SWCC));
	uint64_t written = atomic_load(&f->pod[0]->delay->write_free);
	for (unsigned i = 1; i < 4096; i++)
		emu_load64(a, SWCC + i * LINE);
	assert_true(atomic_load(&f->pod[0]->delay->write_free) != written);
	rest(f);
	COSTS(1, 550, emu_load64(b, SWCC));
	/* Memory has the word, and nobody's cache. */
	COSTS(1, 300, emu_word_load(b, 0));
}

static void evictions_are_waited_for_once_more_are_under_way_than_fit(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	struct emu_profile slow = figures;
	slow.host_write_gbps = 0.64; /* a line takes 100 ticks, and two are on their way in write_back_ns */
	use_figures(f, &slow);
	enum { ROOM = 4096 / LINE };
	for (unsigned i = 0; i < ROOM + 3; i++)
		COSTS_DO(0, 0, emu_store64(t, SWCC + i * LINE, 1));
	for (unsigned i = ROOM + 3; i < ROOM + 10; i++)
		COSTS_DO(0, 100, emu_store64(t, SWCC + i * LINE, 1));
	assert_int_equal(t->counts.evictions, 10);
	/* Under a load's own latency there is room for it. */
	COSTS(0, 300, emu_load64(t, SWCC + 1000 * LINE));
}

/* ---- Tails ---- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static size_t count_above(const int64_t *values, size_t count, int64_t limit)
{
	size_t above = 0;
	for (size_t i = 0; i < count; i++)
		above += values[i] > limit;
	return above;
}

static void a_tail_has_the_quantiles_of_its_profile(void **state)
{
	struct fixture *f = *state;
	enum { DRAWS = 200000 };
	struct emu_profile tail = figures;
	tail.read_p99_ns = 900;
	tail.read_p999_ns = 5000;
	use_figures(f, &tail);
	int64_t *drawn = malloc(DRAWS * sizeof *drawn);
	assert_non_null(drawn);
	for (unsigned i = 0; i < DRAWS; i++)
		drawn[i] = delay_read_latency(&f->thread[0]);
	qsort(drawn, DRAWS, sizeof *drawn, compare);
	assert_int_equal(drawn[0], 300);
	assert_int_equal(drawn[DRAWS / 2], 300);
	assert_in_range(count_above(drawn, DRAWS, 900), DRAWS / 1000 * 9, DRAWS / 1000 * 11);
	assert_in_range(count_above(drawn, DRAWS, 4998), DRAWS / 10000 * 8, DRAWS / 10000 * 12);
	assert_in_range(drawn[DRAWS - 1], 4999, 5000);
	/* The third figure may be missing. */
	tail.read_p999_ns = 0;
	use_figures(f, &tail);
	for (unsigned i = 0; i < DRAWS; i++)
		drawn[i] = delay_read_latency(&f->thread[0]);
	qsort(drawn, DRAWS, sizeof *drawn, compare);
	assert_in_range(count_above(drawn, DRAWS, 898), DRAWS / 1000 * 9, DRAWS / 1000 * 11);
	assert_in_range(drawn[DRAWS - 1], 899, 900);
	free(drawn);
}

/* ---- Data ---- */

static void words_do_what_atomics_do(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0], *other = &f->thread[1];
	emu_word_store(t, 8, 12);
	assert_int_equal(emu_word_rmw(other, 8, EMU_ADD, 3), 12);
	assert_int_equal(emu_word_rmw(t, 8, EMU_AND, 9), 15);
	assert_int_equal(emu_word_rmw(other, 8, EMU_OR, 6), 9);
	assert_int_equal(emu_word_rmw(t, 8, EMU_XOR, 1), 15);
	assert_int_equal(emu_word_rmw(other, 8, EMU_EXCHANGE, 77), 14);
	uint64_t seen = 76;
	assert_false(emu_word_swap(t, 8, &seen, 1));
	assert_int_equal(seen, 77);
	assert_true(emu_word_swap(t, 8, &seen, 1));
	assert_int_equal(emu_word_load(other, 8), 1);
	assert_int_equal(f->raw[8], 1);
	assert_int_equal(emu_word_load(other, 0) | emu_word_load(other, 16), 0);
}

static void lines_and_streams_carry_their_bytes(void **state)
{
	struct fixture *f = *state;
	struct emu_thread *t = &f->thread[0];
	static char from[10 * 1024], to[10 * 1024];
	for (size_t i = 0; i < sizeof from; i++)
		from[i] = (char)(i * 7 + i / 251);
	emu_line_in(t, SWCC, from, LINE);
	emu_line_in(t, SWCC + LINE, from + LINE, 56);
	emu_line_out(&f->thread[1], SWCC, to, LINE);
	emu_line_out(&f->thread[1], SWCC + LINE, to + LINE, LINE);
	assert_memory_equal(from, to, LINE + 56);
	assert_int_equal(to[LINE + 56], 0);
	emu_store64(t, SWCC + 8, UINT64_C(0x1122334455667788));
	assert_int_equal(emu_load64(&f->thread[1], SWCC + 8), UINT64_C(0x1122334455667788));
	emu_stream_in(t, SWCC + 4 * LINE, from, sizeof from);
	emu_fence(t);
	memset(to, 0, sizeof to);
	emu_stream_out(&f->thread[1], SWCC + 4 * LINE, to, sizeof to);
	assert_memory_equal(from, to, sizeof from);
	assert_memory_equal(f->raw + SWCC + 4 * LINE, from, sizeof from);
}

enum { ADDS = 2000 };

static void *adder(void *argument)
{
	struct emu_pod *pod = argument;
	struct emu_thread t;
	emu_thread_init(&t, pod);
	char line[LINE];
	for (unsigned i = 0; i < ADDS; i++) {
		emu_word_rmw(&t, 0, EMU_ADD, 1);
		emu_line_out(&t, SWCC + emu_random(&t) % 64 * LINE, line, LINE);
		emu_line_in(&t, SWCC + emu_random(&t) % 64 * LINE, line, LINE);
		emu_write_back(&t, SWCC + emu_random(&t) % 64 * LINE);
		emu_flush(&t, SWCC + emu_random(&t) % 64 * LINE);
		if (i % 64 == 0)
			emu_stream_out(&t, SWCC, line, LINE);
		emu_full_fence(&t);
	}
	return NULL;
}

/* By the real clock. */
static void threads_of_two_hosts_do_not_disturb_each_other(void **state)
{
	struct fixture *f = *state;
	struct emu_profile fast = figures;
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	fast.read_ns = fast.flush_ns = fast.coherence_ns = fast.write_back_ns = 100;
	use_figures(f, &fast);
	for (unsigned i = 0; i < HOSTS; i++)
		f->pod[i]->delay->clock = NULL;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, adder, f->pod[i % HOSTS]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(emu_word_load(&f->thread[0], 0), THREADS * ADDS);
}

static void threads_draw_different_numbers(void **state)
{
	struct fixture *f = *state;
	struct emu_thread t;
	emu_thread_init(&t, f->pod[0]);
	uint64_t first = emu_random(&f->thread[0]), second = emu_random(&f->thread[1]), third = emu_random(&t);
	assert_true(first != second && first != third && second != third);
	emu_thread_init(&t, NULL);
	assert_null(t.pod);
}

/* ---- Opening ---- */

static void all_hosts_of_a_pod_need_the_same_profile(void **state)
{
	struct fixture *f = *state;
	emu_pod_close(f->pod[1]);
	f->pod[1] = NULL;
	assert_null(open_host(f, "delay:cxl-direct", 1));
	assert_int_equal(failure, EMU_OTHER_MODE);
	assert_non_null(strstr(message, "another host of this pod runs in another emulation mode or profile"));
	assert_null(open_host(f, "incoherent", 1));
	assert_int_equal(failure, EMU_OTHER_MODE);
	assert_null(open_host(f, "delay:nothing", 1));
	assert_int_equal(failure, EMU_INVALID);
	assert_non_null(strstr(message, "there is no profile nothing"));
	assert_null(open_host(f, "direct", 1));
	f->pod[1] = open_host(f, f->mode, 1);
	assert_non_null(f->pod[1]);
	assert_int_equal(emu_pod_identity(f->pod[0]), emu_pod_identity(f->pod[1]));
	assert_string_equal(emu_pod_name(f->pod[1]), "delay:figures-65536");
	assert_string_equal(emu_pod_name(NULL), "direct");
	assert_int_equal(emu_pod_identity(NULL), 0);
}

static void who_comes_under_a_living_hosts_id_leaves_it_entered(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct emu_pod *second = open_host(f, f->mode, 0);
		if (second)
			emu_pod_close(second);
		_exit(second ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(atomic_load(&f->pod[0]->shared->host_pid[0]), getpid());
	emu_pod_close(f->pod[1]);
	f->pod[1] = NULL;
	assert_null(open_host(f, "incoherent", 1));
	assert_int_equal(failure, EMU_OTHER_MODE);
}

/* No file system has room for the state of a region like this, and nothing is left of the attempt. */
static void without_room_for_its_state_a_pod_is_refused(void **state)
{
	struct fixture *f = *state;
	struct emu_config config = {
	        .raw = f->raw, .bytes = UINT64_C(1) << 50, .cookie = f->cookie + (1 << 20), .host_count = HOSTS};
	char path[64];
	assert_true(emu_spec_parse("incoherent", &config.spec, message));
	assert_null(emu_pod_open(&config, &failure, message));
	assert_int_equal(failure, EMU_SYSTEM);
	assert_non_null(strstr(message, "/dev/shm"));
	snprintf(path, sizeof path, "/dev/shm/liger-emulation-%016llx", (unsigned long long)config.cookie);
	assert_int_equal(access(path, F_OK), -1);
}

static void what_all_hosts_left_serves_another_profile(void **state)
{
	struct fixture *f = *state;
	uint64_t was = emu_pod_identity(f->pod[0]);
	for (unsigned i = 0; i < HOSTS; i++)
		emu_pod_close(f->pod[i]);
	f->pod[1] = NULL;
	f->pod[0] = open_host(f, "delay:cxl-direct", 0);
	assert_non_null(f->pod[0]);
	assert_string_equal(emu_pod_name(f->pod[0]), "delay:cxl-direct");
	assert_true(emu_pod_identity(f->pod[0]) != was && emu_pod_identity(f->pod[0]) != 0);
}

static void what_a_dead_host_left_serves_another_profile(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < HOSTS; i++) {
		emu_pod_close(f->pod[i]);
		f->pod[i] = NULL;
	}
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(open_host(f, f->mode, 0) ? 0 : 1);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	f->pod[0] = open_host(f, "delay:switch-best", 0);
	if (!f->pod[0])
		fail_msg("%s", message);
}

static void the_counter_is_calibrated(void **state)
{
	(void)state;
	double rate = emu_clock_ticks_per_ns(message);
	assert_true(rate > 0.1 && rate < 20);
	assert_true(emu_clock_ticks_per_ns(message) == rate);
	uint64_t before = emu_clock_counter(), then = emu_clock_wait(NULL, before + 1000);
	assert_true(then - before >= 1000);
}

#define DELAY_TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
#define SMALL_TEST(claim) cmocka_unit_test_setup_teardown(claim, setup_small_cache, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        DELAY_TEST(a_miss_costs_the_read_latency_and_a_hit_nothing),
	        DELAY_TEST(each_host_has_a_cache_of_its_own),
	        DELAY_TEST(lines_that_follow_each_other_overlap),
	        DELAY_TEST(lines_come_no_faster_than_the_link_carries_them),
	        DELAY_TEST(a_line_goes_to_and_fro_between_two_writers),
	        DELAY_TEST(a_reader_fetches_from_the_writer_and_then_shares),
	        DELAY_TEST(who_has_a_line_alone_writes_it_at_no_cost),
	        DELAY_TEST(what_was_written_back_is_read_from_memory),
	        DELAY_TEST(a_failed_swap_costs_as_much),
	        DELAY_TEST(a_copy_is_stale_once_another_host_has_written_back),
	        DELAY_TEST(stores_are_waited_for_once_more_are_under_way_than_fit),
	        DELAY_TEST(a_fence_waits_for_the_last_write_back),
	        DELAY_TEST(flushes_overlap_and_a_full_fence_waits_for_them),
	        DELAY_TEST(small_delays_are_saved_up_and_paid_together),
	        DELAY_TEST(what_an_access_really_takes_is_part_of_its_delay),
	        DELAY_TEST(the_time_of_finding_hits_is_made_good),
	        DELAY_TEST(a_stream_takes_one_latency_and_its_bytes),
	        DELAY_TEST(a_stream_makes_copies_stale),
	        DELAY_TEST(accesses_at_once_wait_for_each_other),
	        DELAY_TEST(latency_grows_with_load_and_bandwidth_ends_it),
	        DELAY_TEST(a_queue_that_another_boot_left_is_no_queue),
	        SMALL_TEST(a_cache_holds_what_it_has_room_for),
	        DELAY_TEST(lines_that_fit_stay),
	        SMALL_TEST(a_dirty_line_that_must_go_is_written),
	        SMALL_TEST(evictions_are_waited_for_once_more_are_under_way_than_fit),
	        DELAY_TEST(a_tail_has_the_quantiles_of_its_profile),
	        DELAY_TEST(words_do_what_atomics_do),
	        DELAY_TEST(lines_and_streams_carry_their_bytes),
	        DELAY_TEST(threads_of_two_hosts_do_not_disturb_each_other),
	        DELAY_TEST(threads_draw_different_numbers),
	        DELAY_TEST(all_hosts_of_a_pod_need_the_same_profile),
	        DELAY_TEST(who_comes_under_a_living_hosts_id_leaves_it_entered),
	        DELAY_TEST(without_room_for_its_state_a_pod_is_refused),
	        DELAY_TEST(what_all_hosts_left_serves_another_profile),
	        DELAY_TEST(what_a_dead_host_left_serves_another_profile),
	        cmocka_unit_test(the_counter_is_calibrated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
