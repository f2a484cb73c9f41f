/* ligersim_test.c: libligersim by its public header, in every mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/pod_fixture.h"
#include "ligersim.h"

enum { COHERENT_BYTES = 4096, REGION_BYTES = 64 << 10, HOSTS = 2 };

static const char *const modes[] = {"direct", "delay:local-dram", "incoherent:1", "incoherent:2", "incoherent:3"};
enum { MODE_COUNT = sizeof modes / sizeof modes[0] };

/* A region of this process with two hosts of a thread each. */
struct pair {
	struct lgs_region *region;
	struct lgs_host *host[HOSTS];
	struct lgs_thread *thread[HOSTS];
};

static void open_hosts(struct pair *pair)
{
	struct lgs_error err = {0};
	for (unsigned i = 0; i < HOSTS; i++) {
		if (lgs_host_open(pair->region, i, &pair->host[i], &err) ||
		        lgs_thread_open(pair->host[i], &pair->thread[i], &err))
			fail_msg("%s", err.message);
	}
}

static struct lgs_config small_config(const char *mode)
{
	struct lgs_config config;
	lgs_config_init(&config);
	config.bytes = REGION_BYTES;
	config.coherent_bytes = COHERENT_BYTES;
	config.hosts = HOSTS;
	config.emulate = mode;
	return config;
}

static void open_pair(struct pair *pair, const char *mode)
{
	struct lgs_config config = small_config(mode);
	struct lgs_error err = {0};
	if (lgs_region_create(&config, &pair->region, &err))
		fail_msg("%s", err.message);
	open_hosts(pair);
}

static void close_pair(struct pair *pair)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		lgs_thread_close(pair->thread[i]);
		lgs_host_close(pair->host[i]);
	}
	lgs_region_close(pair->region);
}

/* ---- Words ---- */

static void words_are_coherent_in_every_mode(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODE_COUNT; m++) {
		struct pair pair;
		open_pair(&pair, modes[m]);
		struct lgs_thread *a = pair.thread[0], *b = pair.thread[1];
		uint64_t seen = 7;
		lgs_store(a, 8, 1);
		assert_int_equal(lgs_load(b, 8), 1);
		assert_false(lgs_cas(b, 8, &seen, 9));
		assert_int_equal(seen, 1);
		assert_true(lgs_cas(b, 8, &seen, 9));
		assert_int_equal(lgs_fetch_add(a, 8, 3), 9);
		assert_int_equal(lgs_exchange(b, 8, 0xf0), 12);
		assert_int_equal(lgs_fetch_or(a, 8, 0x0f), 0xf0);
		assert_int_equal(lgs_fetch_and(b, 8, 0x3c), 0xff);
		assert_int_equal(lgs_load(a, 8), 0x3c);
		assert_int_equal(lgs_load(b, COHERENT_BYTES - 8), 0);
		assert_int_equal(lgs_thread_counters(a).atomics, 2);
		assert_int_equal(lgs_thread_counters(b).atomics, 4);
		struct lgs_counters met = lgs_thread_counters(b);
		assert_true(m == 0 || (met.misses > 0 && met.coherence_misses <= met.misses));
		close_pair(&pair);
	}
}

static void words_and_lines_are_written_back_and_flushed_alike(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODE_COUNT; m++) {
		struct pair pair;
		open_pair(&pair, modes[m]);
		for (uint64_t i = 1; i < 100; i++) {
			uint64_t line = i, got;
			lgs_store(pair.thread[0], COHERENT_BYTES - 8, i);
			lgs_write(pair.thread[0], COHERENT_BYTES, &line, sizeof line);
			/* Both sides of the boundary. */
			lgs_write_back(pair.thread[0], COHERENT_BYTES - 64, 128);
			lgs_flush(pair.thread[0], COHERENT_BYTES - 64, 128);
			lgs_full_fence(pair.thread[0]);
			lgs_flush(pair.thread[1], COHERENT_BYTES - 64, 128);
			lgs_full_fence(pair.thread[1]);
			assert_int_equal(lgs_load(pair.thread[1], COHERENT_BYTES - 8), i);
			lgs_read(pair.thread[1], COHERENT_BYTES, &got, sizeof got);
			assert_int_equal(got, i);
		}
		close_pair(&pair);
	}
}

/* ---- Lines ---- */

static void bytes_of_any_place_and_length_come_back_as_they_were_written(void **state)
{
	uint8_t shadow[REGION_BYTES] = {0}, got[300];
	uint64_t random = pod_seed();
	(void)state;
	for (unsigned m = 0; m < MODE_COUNT; m++) {
		struct pair pair;
		open_pair(&pair, modes[m]);
		memset(shadow, 0, sizeof shadow);
		for (unsigned i = 0; i < 3000; i++) {
			size_t bytes = pod_random(&random) % (sizeof got + 1);
			uint64_t at =
			        COHERENT_BYTES + pod_random(&random) % (REGION_BYTES - COHERENT_BYTES - bytes + 1);
			if (pod_random(&random) % 2) {
				for (size_t j = 0; j < bytes; j++)
					shadow[at + j] = (uint8_t)pod_random(&random);
				lgs_write(pair.thread[0], at, shadow + at, bytes);
			} else {
				lgs_read(pair.thread[0], at, got, bytes);
				assert_memory_equal(got, shadow + at, bytes);
			}
		}
		close_pair(&pair);
	}
}

static void what_was_written_back_is_read_after_a_flush(void **state)
{
	enum { AT = COHERENT_BYTES + 100, BYTES = 500 };
	uint8_t sent[BYTES], got[BYTES];
	(void)state;
	for (unsigned m = 0; m < MODE_COUNT; m++) {
		struct pair pair;
		open_pair(&pair, modes[m]);
		for (unsigned i = 0; i < 200; i++) {
			struct lgs_thread *from = pair.thread[i % 2], *to = pair.thread[1 - i % 2];
			memset(sent, (int)i, sizeof sent);
			/* The lines at both ends are shared with nobody, but came from the other side a turn ago. */
			lgs_flush(from, AT, BYTES);
			lgs_full_fence(from);
			lgs_write(from, AT, sent, BYTES);
			lgs_write_back(from, AT, BYTES);
			lgs_fence(from);
			lgs_flush(to, AT, BYTES);
			lgs_full_fence(to);
			lgs_read(to, AT, got, BYTES);
			assert_memory_equal(got, sent, BYTES);
		}
		close_pair(&pair);
	}
}

static void a_streamed_write_is_read_by_a_stream_and_by_lines(void **state)
{
	enum { AT = COHERENT_BYTES + 128, BYTES = 8192 };
	static uint8_t sent[BYTES + 1], got[BYTES];
	uint64_t random = pod_seed();
	(void)state;
	for (unsigned m = 0; m < MODE_COUNT; m++) {
		struct pair pair;
		open_pair(&pair, modes[m]);
		for (size_t i = 0; i < sizeof sent; i++)
			sent[i] = (uint8_t)pod_random(&random);
		lgs_stream_write(pair.thread[0], AT, sent + 1, BYTES); /* from any alignment */
		lgs_fence(pair.thread[0]);
		lgs_stream_read(pair.thread[1], AT, got, BYTES);
		assert_memory_equal(got, sent + 1, BYTES);
		memset(got, 0, sizeof got);
		lgs_read(pair.thread[1], AT, got, BYTES);
		assert_memory_equal(got, sent + 1, BYTES);
		close_pair(&pair);
	}
}

static void streams_leave_nothing_in_the_cache(void **state)
{
	enum { AT = COHERENT_BYTES + 256, BYTES = 640 };
	static uint8_t sent[BYTES], got[BYTES];
	(void)state;
	for (unsigned m = 0; m < MODE_COUNT; m++) {
		struct pair pair;
		open_pair(&pair, modes[m]);
		for (unsigned i = 0; i < 50; i++) {
			memset(sent, (int)i + 1, sizeof sent);
			lgs_stream_write(pair.thread[i % 2], AT, sent, BYTES);
			lgs_fence(pair.thread[i % 2]);
			/* Neither has a copy of a turn ago. */
			for (unsigned host = 0; host < HOSTS; host++) {
				lgs_stream_read(pair.thread[host], AT, got, BYTES);
				assert_memory_equal(got, sent, BYTES);
			}
		}
		close_pair(&pair);
	}
}

/* What `forget_flush` reads after the other host has written it back; all of it is in its cache before. */
static bool is_stale(const char *mode, bool forget_write_back, bool forget_flush)
{
	struct pair pair;
	uint64_t at = COHERENT_BYTES, old = 1, new = 2, got;
	open_pair(&pair, mode);
	lgs_write(pair.thread[0], at, &old, sizeof old);
	lgs_write_back(pair.thread[0], at, sizeof old);
	lgs_fence(pair.thread[0]);
	lgs_read(pair.thread[1], at, &got, sizeof got);
	assert_int_equal(got, old);
	lgs_write(pair.thread[0], at, &new, sizeof new);
	if (!forget_write_back)
		lgs_write_back(pair.thread[0], at, sizeof new);
	lgs_fence(pair.thread[0]);
	if (!forget_flush)
		lgs_flush(pair.thread[1], at, sizeof got);
	lgs_full_fence(pair.thread[1]);
	lgs_read(pair.thread[1], at, &got, sizeof got);
	/* Counted as stale is what differs from memory: which has the old line, where the write-back was forgotten. */
	uint64_t stale_hits = lgs_thread_counters(pair.thread[1]).stale_hits;
	if (!forget_write_back && got == old)
		assert_true(stale_hits > 0);
	if (!forget_write_back && !forget_flush)
		assert_int_equal(stale_hits, 0);
	close_pair(&pair);
	return got == old;
}

static void what_is_forgotten_is_stale_in_the_incoherent_mode_only(void **state)
{
	unsigned without_write_back = 0, without_flush = 0;
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		char mode[32];
		snprintf(mode, sizeof mode, "incoherent:%u", seed);
		assert_false(is_stale(mode, false, false));
		without_write_back += is_stale(mode, true, false);
		without_flush += is_stale(mode, false, true);
	}
	assert_true(without_write_back > 0);
	assert_true(without_flush > 0);
	assert_false(is_stale("direct", true, true));
	assert_false(is_stale("delay:local-dram", true, true));
}

/* ---- Mistakes ---- */

enum mistake { PAST_END, WRAPS, LINES_IN_WORDS, WORD_IN_LINES, WORD_ODD, STREAM_ODD, FLUSH_PAST_END, MISTAKE_COUNT };

static void make_mistake(struct lgs_thread *thread, enum mistake mistake)
{
	uint8_t bytes[128] = {0};
	switch (mistake) {
	case PAST_END: lgs_read(thread, REGION_BYTES - 64, bytes, 65); break;
	case WRAPS: lgs_write(thread, COHERENT_BYTES, bytes, SIZE_MAX); break;
	case LINES_IN_WORDS: lgs_write(thread, COHERENT_BYTES - 8, bytes, 16); break;
	case WORD_IN_LINES: lgs_store(thread, COHERENT_BYTES, 1); break;
	case WORD_ODD: (void)lgs_load(thread, 4); break;
	case STREAM_ODD: lgs_stream_read(thread, COHERENT_BYTES + 8, bytes, 64); break;
	case FLUSH_PAST_END: lgs_flush(thread, REGION_BYTES, 1); break;
	case MISTAKE_COUNT: break;
	}
}

/* In a child: that it ends by abort(). The thread was opened before fork(), which is all right for what never
 * returns. */
static void assert_aborts(struct lgs_thread *thread, enum mistake mistake)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		if (null >= 0)
			(void)dup2(null, STDERR_FILENO);
		make_mistake(thread, mistake);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

static void an_access_out_of_bounds_ends_the_program(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODE_COUNT; m++) {
		struct pair pair;
		open_pair(&pair, modes[m]);
		for (unsigned i = 0; i < MISTAKE_COUNT; i++)
			assert_aborts(pair.thread[0], i);
		uint8_t last[64];
		lgs_read(pair.thread[0], REGION_BYTES - 64, last, 64);
		lgs_read(pair.thread[0], REGION_BYTES, last, 0);
		close_pair(&pair);
	}
}

static void assert_refused(struct lgs_config config, int code, const char *named)
{
	struct lgs_region *region;
	struct lgs_error err = {0};
	assert_int_equal(lgs_region_create(&config, &region, &err), code);
	assert_null(region);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.message, named));
}

static void configurations_that_make_no_sense_are_refused_by_name(void **state)
{
	struct lgs_config config = small_config(NULL);
	(void)state;
	config.bytes = 0;
	assert_refused(config, LGS_INVALID, "0 bytes");
	config.bytes = 100;
	assert_refused(config, LGS_INVALID, "100 bytes");
	config = small_config(NULL);
	config.coherent_bytes = REGION_BYTES + 64;
	assert_refused(config, LGS_INVALID, "coherent");
	config = small_config(NULL);
	config.hosts = 65;
	assert_refused(config, LGS_INVALID, "65 hosts");
	config = small_config("slow");
	assert_refused(config, LGS_INVALID, "slow");
	config = small_config("incoherent:x");
	assert_refused(config, LGS_INVALID, "incoherent:x");
	config = small_config(NULL);
	config.name = "a/b";
	assert_refused(config, LGS_INVALID, "a/b");
}

static void hosts_are_refused_by_id_and_by_profile(void **state)
{
	struct lgs_config config = small_config("delay:no-such-device");
	struct lgs_region *region;
	struct lgs_host *host, *again;
	struct lgs_error err = {0};
	(void)state;
	assert_int_equal(lgs_region_create(&config, &region, &err), LGS_OK);
	assert_int_equal(lgs_host_open(region, 2, &host, &err), LGS_INVALID);
	assert_int_equal(lgs_host_open(region, 0, &host, &err), LGS_MODE);
	assert_non_null(strstr(err.message, "no-such-device"));
	lgs_region_close(region);

	config = small_config(NULL);
	assert_int_equal(lgs_region_create(&config, &region, &err), LGS_OK);
	assert_int_equal(lgs_host_open(region, 0, &host, &err), LGS_OK);
	assert_string_equal(lgs_host_mode(host), "direct");
	assert_int_equal(lgs_host_open(region, 0, &again, &err), LGS_INUSE);
	lgs_host_close(host);
	assert_int_equal(lgs_host_open(region, 0, &host, &err), LGS_OK);
	lgs_host_close(host);
	lgs_region_close(region);
}

/* ---- Names ---- */

static void a_named_region_is_opened_and_destroyed_by_its_name(void **state)
{
	struct lgs_config config = small_config("incoherent:5");
	struct lgs_region *region, *second;
	struct lgs_error err = {0};
	struct pair pair;
	char name[64], got[4];
	(void)state;
	snprintf(name, sizeof name, "liger-test-%d-ligersim", (int)getpid());
	config.name = name;
	assert_int_equal(lgs_region_open(name, NULL, &region, &err), LGS_NOTFOUND);
	assert_int_equal(lgs_region_create(&config, &region, &err), LGS_OK);
	assert_int_equal(lgs_region_create(&config, &second, &err), LGS_EXISTS);
	pair.region = region;
	open_hosts(&pair);
	lgs_write(pair.thread[0], COHERENT_BYTES, "abc", 4);
	close_pair(&pair);

	assert_int_equal(lgs_region_open(name, NULL, &pair.region, &err), LGS_OK);
	assert_int_equal(lgs_region_bytes(pair.region), REGION_BYTES);
	assert_int_equal(lgs_region_coherent_bytes(pair.region), COHERENT_BYTES);
	assert_int_equal(lgs_region_hosts(pair.region), HOSTS);
	open_hosts(&pair);
	assert_string_equal(lgs_host_mode(pair.host[0]), "incoherent:5");
	lgs_read(pair.thread[1], COHERENT_BYTES, got, 4);
	assert_string_equal(got, "abc"); /* a host that leaves in order leaves what it wrote */
	close_pair(&pair);
	assert_int_equal(lgs_region_destroy(name, &err), LGS_OK);
	assert_int_equal(lgs_region_destroy(name, &err), LGS_NOTFOUND);
}

/* `made` is the creator's mode, `wanted` somebody else's. */
static int open_code(const char *made, const char *wanted)
{
	struct lgs_config config = small_config(made);
	struct lgs_region *region, *second;
	struct lgs_host *host, *other;
	struct lgs_error err = {0};
	char name[64];
	snprintf(name, sizeof name, "liger-test-%d-modes", (int)getpid());
	config.name = name;
	assert_int_equal(lgs_region_create(&config, &region, &err), LGS_OK);
	assert_int_equal(lgs_host_open(region, 0, &host, &err), LGS_OK);
	int code = lgs_region_open(name, wanted, &second, &err);
	if (code == LGS_OK) {
		code = lgs_host_open(second, 1, &other, &err);
		if (code == LGS_OK)
			lgs_host_close(other);
		lgs_region_close(second);
	}
	if (code)
		assert_true(strlen(err.message) > 0);
	lgs_host_close(host);
	lgs_region_close(region);
	assert_int_equal(lgs_region_destroy(name, &err), LGS_OK);
	return code;
}

static void all_hosts_of_a_region_need_its_creators_mode(void **state)
{
	(void)state;
	assert_int_equal(open_code("direct", "direct"), LGS_OK);
	assert_int_equal(open_code(NULL, ""), LGS_OK);
	assert_int_equal(open_code("incoherent:5", "incoherent:6"), LGS_OK);
	assert_int_equal(open_code("delay:local-dram", NULL), LGS_OK);
	assert_int_equal(open_code("delay:local-dram", "delay:local-dram"), LGS_OK);
	assert_int_equal(open_code("incoherent:5", "delay:local-dram"), LGS_MODE);
	assert_int_equal(open_code("incoherent:5", "direct"), LGS_MODE);
	assert_int_equal(open_code(NULL, "incoherent:5"), LGS_MODE);
	assert_int_equal(open_code("delay:local-dram", "delay:cxl-direct"), LGS_MODE);
	assert_int_equal(open_code("delay:local-dram", "slow"), LGS_INVALID);
}

/* A process that is killed removes nothing, so there must be nothing. */
static void a_region_without_a_name_has_nothing_in_dev_shm(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODE_COUNT; m++) {
		struct pair pair;
		char line[512];
		open_pair(&pair, modes[m]);
		FILE *maps = fopen("/proc/self/maps", "r");
		assert_non_null(maps);
		while (fgets(line, sizeof line, maps))
			assert_null(strstr(line, "/dev/shm/"));
		assert_int_equal(fclose(maps), 0);
		close_pair(&pair);
	}
}

static void shared_memory_of_somebody_else_is_not_touched(void **state)
{
	struct lgs_region *region;
	struct lgs_error err = {0};
	struct stat st;
	char name[64], path[80];
	(void)state;
	snprintf(name, sizeof name, "liger-test-%d-other", (int)getpid());
	snprintf(path, sizeof path, "/%s", name);
	int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, REGION_BYTES), 0);
	assert_int_equal(lgs_region_open(name, NULL, &region, &err), LGS_MISMATCH);
	assert_int_equal(lgs_region_destroy(name, &err), LGS_MISMATCH);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(shm_unlink(path), 0);
	assert_int_equal(close(fd), 0);
}

static void memory_of_the_callers_is_used_as_it_is(void **state)
{
	struct lgs_config config = small_config("incoherent:1");
	struct lgs_error err = {0};
	struct pair pair;
	uint8_t *memory = aligned_alloc(64, REGION_BYTES);
	char got[6];
	(void)state;
	assert_non_null(memory);
	memset(memory, 0, REGION_BYTES);
	memcpy(memory + COHERENT_BYTES + 3, "liger", 6);
	config.memory = memory;
	assert_int_equal(lgs_region_create(&config, &pair.region, &err), LGS_OK);
	open_hosts(&pair);
	lgs_read(pair.thread[0], COHERENT_BYTES + 3, got, 6);
	assert_string_equal(got, "liger");
	lgs_write(pair.thread[0], COHERENT_BYTES + 3, "tiger", 6);
	close_pair(&pair);
	assert_string_equal((char *)memory + COHERENT_BYTES + 3, "tiger");
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(words_are_coherent_in_every_mode),
	        cmocka_unit_test(words_and_lines_are_written_back_and_flushed_alike),
	        cmocka_unit_test(bytes_of_any_place_and_length_come_back_as_they_were_written),
	        cmocka_unit_test(what_was_written_back_is_read_after_a_flush),
	        cmocka_unit_test(a_streamed_write_is_read_by_a_stream_and_by_lines),
	        cmocka_unit_test(streams_leave_nothing_in_the_cache),
	        cmocka_unit_test(what_is_forgotten_is_stale_in_the_incoherent_mode_only),
	        cmocka_unit_test(an_access_out_of_bounds_ends_the_program),
	        cmocka_unit_test(configurations_that_make_no_sense_are_refused_by_name),
	        cmocka_unit_test(hosts_are_refused_by_id_and_by_profile),
	        cmocka_unit_test(a_named_region_is_opened_and_destroyed_by_its_name),
	        cmocka_unit_test(all_hosts_of_a_region_need_its_creators_mode),
	        cmocka_unit_test(a_region_without_a_name_has_nothing_in_dev_shm),
	        cmocka_unit_test(shared_memory_of_somebody_else_is_not_touched),
	        cmocka_unit_test(memory_of_the_callers_is_used_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
