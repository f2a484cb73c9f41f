/* emulation_line_test.c: a self-validating line (src/cxl/line.h), payload and tag, is one access of the delay model, to the tick;
 * and two of the incoherent one, between which the line may change. */
#include "unit/unit_pod.h"

#include <stdio.h>
#include <stdlib.h>

#include "cxl/emulation.h"
#include "cxl/line.h"
#include "emulation/delay.h"

enum { HOSTS = 2, SEEDS = 24, ROUNDS = 200 };

/* One tick a nanosecond; turns on link and device take none that shows. */
static const struct emu_profile figures = {
        .name = "figures",
        .read_ns = 300,
        .write_back_ns = 200,
        .flush_ns = 250,
        .coherence_ns = 1000,
        .atomic_ns = 10,
        .fence_ns = 20,
        .lines_in_flight = 10,
        .host_read_gbps = 64,
        .host_write_gbps = 64,
        .device_read_gbps = 64,
        .device_write_gbps = 64,
};

struct side {
	struct region region;
	struct pod_emulation emulation;
	struct cxl_port port;
};

struct fixture {
	struct unit_pod *pod;
	struct emu_clock clock;
	struct side side[HOSTS];
	pod_off line; /* of nobody */
};

static void side_open(struct side *side, const char *uri, const char *mode, unsigned host)
{
	struct lg_error err = {0};
	if (region_attach(uri, 0, &side->region, &err) != LG_OK)
		fail_msg("%s", err.message);
	if (emulation_begin(&side->emulation, &side->region, mode, host, &err) != LG_OK)
		fail_msg("%s", err.message);
	port_init(&side->port, side->region.base, &side->region.geometry);
	port_emulate(&side->port, side->emulation.pod);
}

static struct fixture *fixture_open(const char *mode)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct lg_pod_config config;
	assert_non_null(f);
	unit_pod_config(&config);
	f->pod = unit_pod_make(&config);
	f->clock.now = 1000000;
	f->line = f->pod->region.geometry.extents_offset + 64 * LINE_BYTES;
	for (unsigned host = 0; host < HOSTS; host++)
		side_open(&f->side[host], f->pod->uri, mode, host);
	return f;
}

static void fixture_close(struct fixture *f)
{
	for (unsigned host = 0; host < HOSTS; host++) {
		emulation_end(&f->side[host].emulation, &f->side[host].region);
		region_detach(&f->side[host].region);
	}
	unit_pod_end(f->pod);
	free(f);
}

static int setup(void **state)
{
	struct fixture *f = fixture_open("delay:switch-typical");
	for (unsigned host = 0; host < HOSTS; host++) {
		f->side[host].emulation.pod->profile = figures;
		delay_use_clock(f->side[host].emulation.pod, &f->clock);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_close(*state);
	return 0;
}

/* Where a host's thread stands, what it owes being part of its time. */
static uint64_t time_of(const struct fixture *f, unsigned host)
{
	return f->clock.now + (uint64_t)f->side[host].port.emulation.owed;
}

static uint64_t accesses_of(const struct fixture *f, unsigned host)
{
	const struct emu_counts *counts = &f->side[host].port.emulation.counts;
	return counts->hits + counts->misses;
}

/* Claims what a statement costs a host, in ticks and in accesses. */
#define COSTS(host, ticks, accesses, statement)                                                                        \
	do {                                                                                                           \
		uint64_t time_before = time_of(f, host), accesses_before = accesses_of(f, host);                       \
		statement;                                                                                             \
		assert_int_equal(time_of(f, host) - time_before, ticks);                                               \
		assert_int_equal(accesses_of(f, host) - accesses_before, accesses);                                    \
	} while (0)

static void write_line(struct fixture *f, unsigned host, uint64_t tag)
{
	uint8_t payload[LINE_BYTES];
	pod_fill(payload, LINE_PAYLOAD_BYTES, tag);
	line_write(&f->side[host].port, f->line, payload, tag);
}

static void expect_line(struct fixture *f, unsigned host, uint64_t tag)
{
	uint8_t payload[LINE_BYTES];
	assert_true(line_read(&f->side[host].port, f->line, tag, payload));
	assert_true(pod_filled(lg_slice(payload, LINE_PAYLOAD_BYTES), LINE_PAYLOAD_BYTES, tag));
}

static void a_line_is_written_by_one_access_and_its_write_back(void **state)
{
	struct fixture *f = *state;
	const struct emu_counts *counts = &f->side[0].port.emulation.counts;
	COSTS(0, 0, 1, write_line(f, 0, 1)); /* the store buffer has it */
	assert_int_equal(counts->misses, 1);
	assert_int_equal(counts->write_backs, 1);
	COSTS(0, 200, 0, port_fence(&f->side[0].port));
	COSTS(0, 0, 1, write_line(f, 0, 2));
	assert_int_equal(counts->hits, 1);
	assert_int_equal(counts->write_backs, 2);
}

static void a_line_is_read_by_one_access(void **state)
{
	struct fixture *f = *state;
	const struct emu_counts *counts = &f->side[1].port.emulation.counts;
	write_line(f, 0, 1);
	port_fence(&f->side[0].port);
	COSTS(1, 300, 1, expect_line(f, 1, 1));
	assert_int_equal(counts->misses, 1);
	COSTS(1, 0, 1, expect_line(f, 1, 1));
	COSTS(0, 0, 1, expect_line(f, 0, 1)); /* who wrote it has it */
}

static void a_copy_that_has_become_stale_is_one_access_too(void **state)
{
	struct fixture *f = *state;
	write_line(f, 0, 1);
	port_fence(&f->side[0].port);
	expect_line(f, 1, 1);
	write_line(f, 0, 2);
	port_fence(&f->side[0].port);
	/* The flush that the software of a real host pays for, and the load. */
	COSTS(1, 550, 1, expect_line(f, 1, 2));
}

static void a_line_of_another_tag_is_looked_at_twice(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[LINE_BYTES];
	write_line(f, 0, 1);
	port_fence(&f->side[0].port);
	COSTS(1, 300 + 250 + 300, 2, assert_false(line_read(&f->side[1].port, f->line, 7, payload)));
	assert_int_equal(f->side[1].port.emulation.counts.flushes, 1);
}

/* One host's line goes stale under the other's eyes: its tag, loaded first, may come with a newer payload, which the
 * reader's second look at the word finds out; a newer tag never comes with an older payload. */
static unsigned mixed_reads(struct fixture *f)
{
	struct cxl_port *reader = &f->side[1].port;
	uint8_t payload[LINE_BYTES];
	unsigned mixed = 0;
	write_line(f, 0, 1);
	port_fence(&f->side[0].port);
	for (uint64_t round = 2; round < ROUNDS; round++) {
		line_drop(reader, f->line);
		(void)line_tag(reader, f->line);
		write_line(f, 0, round);
		port_fence(&f->side[0].port);
		uint64_t tag = line_look(reader, f->line, payload);
		bool new_payload = pod_filled(lg_slice(payload, LINE_PAYLOAD_BYTES), LINE_PAYLOAD_BYTES, round);
		bool old_payload = pod_filled(lg_slice(payload, LINE_PAYLOAD_BYTES), LINE_PAYLOAD_BYTES, round - 1);
		assert_true(tag == round || tag == round - 1);
		assert_true(tag == round - 1 || new_payload);
		mixed += tag == round - 1 && !old_payload;
	}
	return mixed;
}

static void an_incoherent_line_may_change_between_its_tag_and_its_payload(void **state)
{
	(void)state;
	unsigned mixed = 0;
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		char mode[64];
		snprintf(mode, sizeof mode, "incoherent:%u", seed);
		struct fixture *f = fixture_open(mode);
		mixed += mixed_reads(f);
		fixture_close(f);
	}
	assert_true(mixed > 0);
}

#define LINE_TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        LINE_TEST(a_line_is_written_by_one_access_and_its_write_back),
	        LINE_TEST(a_line_is_read_by_one_access),
	        LINE_TEST(a_copy_that_has_become_stale_is_one_access_too),
	        LINE_TEST(a_line_of_another_tag_is_looked_at_twice),
	        cmocka_unit_test(an_incoherent_line_may_change_between_its_tag_and_its_payload),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
