/* api_space_inprocess_test.c: every host is sure of half its fair share of pod memory, whatever another has taken.
 *
 * Host 0 is greedy: all its rows are read by another host, far more than the pod has room for. Only then do the other
 * hosts' rows get into the pod: so many of each that they take its sure share, and all of them have to stay there.
 */
#include "common/pod_fixture.h"

#include <stdio.h>
#include <string.h>

enum {
	HOSTS = 4,
	EXTENT = 1 << 20,
	BLOCK = 4096,
	WORDS_PER_BLOCK = 512,
	SPARE_EXTENTS = 2,
	SPARE_BLOCKS = 2,
	BATCH = 50
};

static uint8_t value[4096];

struct share_of_pod {
	uint64_t extents, blocks; /* of one host, for sure */
};

/* Half of all, divided by the hosts; asked while no host has claimed any. */
static struct share_of_pod sure_share(const struct pod_fixture *f)
{
	struct lg_pod_info info;
	struct lg_error err;
	OK(lg_pod_info(f->uri, &info, &err));
	return (struct share_of_pod){.extents = info.swcc_free_bytes / EXTENT / (2 * (uint64_t)HOSTS),
	        .blocks = info.hwcc_free_bytes / BLOCK / (2 * (uint64_t)HOSTS)};
}

static struct pod_fixture *open_pod(uint64_t hwcc_mib, uint64_t swcc_mib)
{
	struct lg_pod_config config;
	pod_config_small(&config, HOSTS);
	config.hwcc_bytes = hwcc_mib << 20;
	config.swcc_bytes = swcc_mib << 20;
	struct pod_fixture *f = pod_open(&config, NULL, HOSTS);
	pod_serve(f, 0);
	return f;
}

struct rows {
	struct pod_fixture *f;
	uint32_t owner, reader;
	uint64_t first, end; /* of one transaction */
	size_t bytes;
};

static int read_body(struct lg_txn *txn, void *arg)
{
	struct rows *r = arg;
	struct lg_scan *scan;
	struct lg_slice key, val;
	uint64_t n = r->first;
	int code = lg_scan_open(txn, r->f->rows[r->reader], pod_key_on(r->owner, r->first),
	        pod_key_on(r->owner, r->end), LG_SCAN_FORWARD, 0, &scan);
	while (code == LG_OK && (code = lg_scan_next(scan, &key, &val)) == LG_OK) {
		if (val.bytes != r->bytes || memcmp(val.data, &n, sizeof(n)) != 0)
			return 1000;
		n++;
	}
	return code != LG_END ? code : n == r->end ? LG_OK : 1001;
}

static void load_rows(struct pod_fixture *f, uint32_t owner, uint64_t count, size_t bytes)
{
	for (uint64_t n = 0; n < count; n++) {
		memcpy(value, &n, sizeof(n));
		OK(lg_load(f->worker[owner], f->rows[owner], pod_key_on(owner, n), lg_slice(value, bytes)));
	}
}

/* The most that a host has claimed at a time. At the end it may be less: what rows have left it gives back. */
struct peak {
	uint64_t extents, blocks;
};

/* Another host reads all of them, by scans of a few: so some rows come in by one message. */
static struct peak share_rows(struct pod_fixture *f, uint32_t owner, uint64_t count, size_t bytes)
{
	struct rows r = {.f = f, .owner = owner, .reader = (owner + 1) % HOSTS, .bytes = bytes};
	struct peak peak = {0};
	for (; r.first < count; r.first = r.end) {
		struct lg_stats stats;
		r.end = r.first + BATCH < count ? r.first + BATCH : count;
		OK(lg_run(f->worker[r.reader], read_body, &r));
		lg_host_stats(f->host[owner], &stats);
		if (stats.swcc_claimed_bytes / EXTENT > peak.extents)
			peak.extents = stats.swcc_claimed_bytes / EXTENT;
		if (stats.hwcc_claimed_bytes / BLOCK > peak.blocks)
			peak.blocks = stats.hwcc_claimed_bytes / BLOCK;
	}
	return peak;
}

/* Host 0 has taken what it can get: the others' rows come in, and stay. */
static void others_get_their_share(struct pod_fixture *f, uint64_t count, size_t bytes)
{
	struct lg_stats stats;
	for (uint32_t host = 1; host < HOSTS; host++)
		load_rows(f, host, count, bytes);
	for (uint32_t host = 1; host < HOSTS; host++)
		share_rows(f, host, count, bytes);
	for (uint32_t host = 1; host < HOSTS; host++) {
		lg_host_stats(f->host[host], &stats);
		if (stats.shared_rows < count || stats.moved_out > 0)
			fail_msg("host %u: %llu of %llu rows are shared, %llu have moved out", host,
			        (unsigned long long)stats.shared_rows, (unsigned long long)count,
			        (unsigned long long)stats.moved_out);
	}
}

static void lines_that_are_sure_to_a_host_are_left_to_it(void **state)
{
	enum { BYTES = 4000, LINES = 72 }; /* of such a row with its key; a little less */
	struct pod_fixture *f = open_pod(4, 128);
	struct share_of_pod sure = sure_share(f);
	uint64_t all = sure.extents * 2 * HOSTS, greedy = (all + 2 * HOSTS) * EXTENT / (LINES * 64) + 1000;
	struct lg_stats stats;
	*state = f;
	assert_true(sure.extents > 2 * SPARE_EXTENTS);
	load_rows(f, 0, greedy, BYTES);
	struct peak peak = share_rows(f, 0, greedy, BYTES);
	lg_host_stats(f->host[0], &stats);
	assert_true(stats.moved_out > 0);
	/* It was not merely kept to a share of its own: it had more than half of all. */
	assert_true(peak.extents > all / 2);
	others_get_their_share(f, (sure.extents - SPARE_EXTENTS) * EXTENT / ((LINES + 3) * 64), BYTES);
}

static void words_that_are_sure_to_a_host_are_left_to_it(void **state)
{
	enum { BYTES = 8 };
	struct pod_fixture *f = open_pod(2, 128);
	struct share_of_pod sure = sure_share(f);
	uint64_t all = sure.blocks * 2 * HOSTS, greedy = (all + 2 * HOSTS) * WORDS_PER_BLOCK + 1000;
	struct lg_stats stats;
	*state = f;
	assert_true(sure.blocks > 2 * SPARE_BLOCKS);
	load_rows(f, 0, greedy, BYTES);
	struct peak peak = share_rows(f, 0, greedy, BYTES);
	lg_host_stats(f->host[0], &stats);
	assert_true(stats.moved_out > 0);
	assert_true(peak.blocks > all / 2);
	others_get_their_share(f, (sure.blocks - SPARE_BLOCKS) * WORDS_PER_BLOCK, BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(lines_that_are_sure_to_a_host_are_left_to_it, pod_teardown),
	        cmocka_unit_test_teardown(words_that_are_sure_to_a_host_are_left_to_it, pod_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
