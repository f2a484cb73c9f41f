/* region_test.c: making, attaching, looking at and removing a region; and every reason to refuse one. */
#include "unit/unit_pod.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cxl/catalog.h"
#include "cxl/channel.h"
#include "cxl/extent.h"
#include "cxl/pod.h"
#include "cxl/usage.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct lg_error err;

static const char *shm_path(const struct unit_pod *pod)
{
	static char path[128];
	snprintf(path, sizeof path, "/dev/shm/%s", pod->uri + strlen("shm:"));
	return path;
}

static bool exists(const struct unit_pod *pod)
{
	return access(shm_path(pod), F_OK) == 0;
}

static struct pod_header *header_of(const struct unit_pod *pod)
{
	return (struct pod_header *)(void *)pod->region.base;
}

static void sign(struct pod_header *header)
{
	size_t from = offsetof(struct pod_header, format_version);
	header->checksum = XXH3_64bits((uint8_t *)header + from, offsetof(struct pod_header, checksum) - from);
}

/* Attach, info and destroy without force all refuse the region, for that reason; the region stays. */
static void expect_refused(const struct unit_pod *pod, const char *piece)
{
	struct region region;
	static struct lg_pod_info info;
	unit_expect_error(LG_MISMATCH, region_attach(pod->uri, 0, &region, &err), &err, piece);
	unit_expect_error(LG_MISMATCH, lg_pod_info(pod->uri, &info, &err), &err, piece);
	unit_expect_error(LG_MISMATCH, lg_pod_destroy(pod->uri, false, &err), &err, piece);
	assert_true(exists(pod));
}

static void a_new_pod_is_empty_and_its_parts_do_not_overlap(void **state)
{
	struct unit_pod *pod = *state;
	const struct pod_geometry *g = &pod->region.geometry;
	assert_int_equal((uintptr_t)pod->region.base % HUGE_PAGE_BYTES, 0);
	assert_int_equal(g->region_bytes, 10 << 20);
	assert_int_equal(g->words_offset % WORD_BLOCK_BYTES, 0);
	assert_true(g->extent_owners_offset + g->extent_count * 8 <= g->block_owners_offset);
	assert_true(g->block_owners_offset + g->block_count * 8 <= g->words_offset);
	assert_true(g->words_offset + g->block_count * WORD_BLOCK_BYTES <= g->hwcc_bytes);
	assert_true(g->catalog_offset >= g->hwcc_bytes);
	assert_true(g->catalog_offset + CATALOG_BYTES <= g->roots_offset);
	assert_true(g->roots_offset + 2 * HOST_ROOT_BYTES <= g->channels_offset);
	assert_true(channel_offset(g, 1, 1, LANE_REPLIES) + CHANNEL_BYTES <= g->extents_offset);
	assert_int_equal(g->extents_offset + g->extent_count * EXTENT_BYTES, g->region_bytes);
	assert_int_equal(epoch_load(&pod->port), 1);
	assert_int_equal(catalog_count(&pod->port), 0);
	assert_int_equal(claim_count_free(&pod->port, CLAIM_EXTENT), g->extent_count);
	assert_int_equal(claim_count_free(&pod->port, CLAIM_WORDS), g->block_count);
	for (uint32_t p = 0; p < 8; p++)
		assert_int_equal(partition_owner(&pod->port, p), p % 2);
	for (unsigned host = 0; host < 2; host++)
		assert_int_equal(member_state(&pod->port, host, NULL), LG_MEMBER_FREE);
}

static void the_default_pods_fixed_hwcc_part_is_at_most_256_kib(void **state)
{
	(void)state;
	struct lg_pod_config config;
	static struct lg_pod_info info;
	lg_pod_config_init(&config);
	assert_int_equal(config.hwcc_bytes, 64 << 20);
	struct unit_pod *pod = unit_pod_make(&config);
	assert_int_equal(lg_pod_info(pod->uri, &info, &err), LG_OK);
	assert_true(info.hwcc_fixed_bytes <= 256 << 10);
	assert_int_equal(info.swcc_free_bytes + info.swcc_fixed_bytes, config.swcc_bytes);
	unit_pod_end(pod);
}

static void a_pod_of_64_hosts_fits_and_has_its_parts_in_place(void **state)
{
	(void)state;
	struct lg_pod_config config;
	unit_pod_config(&config);
	config.hosts = 64;
	config.partitions = LG_MAX_PARTITIONS;
	config.hwcc_bytes = 4 << 20;
	config.swcc_bytes = 256 << 20;
	struct unit_pod *pod = unit_pod_make(&config);
	const struct pod_geometry *g = &pod->region.geometry;
	assert_true(channel_offset(g, 63, 63, LANE_REPLIES) + CHANNEL_BYTES <= g->extents_offset);
	assert_true(g->extent_count >= 128);
	assert_int_equal(partition_owner(&pod->port, LG_MAX_PARTITIONS - 1), 63);
	unit_pod_end(pod);
}

static void the_file_is_its_owners_alone_whatever_the_umask(void **state)
{
	(void)state;
	struct lg_pod_config config;
	const mode_t masks[] = {0, 0777};
	for (int i = 0; i < 2; i++) {
		mode_t before = umask(masks[i]);
		unit_pod_config(&config);
		struct unit_pod *pod = unit_pod_make(&config);
		umask(before);
		struct stat st;
		assert_int_equal(stat(shm_path(pod), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		unit_pod_end(pod);
	}
}

static void all_space_is_reserved_at_creation(void **state)
{
	struct unit_pod *pod = *state;
	struct stat st;
	assert_int_equal(stat(shm_path(pod), &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= pod->region.bytes);
}

static void a_name_that_is_taken_is_refused_and_left_alone(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_pod_config config;
	struct region region;
	unit_pod_config(&config);
	unit_expect_error(LG_EXISTS, lg_pod_create(pod->uri, &config, &err), &err, "destroy");
	assert_int_equal(region_attach(pod->uri, pod->region.geometry.cookie, &region, &err), LG_OK);
	region_detach(&region);
}

static void a_region_that_does_not_exist_is_not_found(void **state)
{
	(void)state;
	struct region region;
	static struct lg_pod_info info;
	char name[64], uri[80];
	pod_private_name(name, sizeof name);
	snprintf(uri, sizeof uri, "shm:%s", name);
	unit_expect_error(LG_NOTFOUND, region_attach(uri, 0, &region, &err), &err, "pod create");
	unit_expect_error(LG_NOTFOUND, lg_pod_info(uri, &info, &err), &err, uri);
	unit_expect_error(LG_NOTFOUND, lg_pod_destroy(uri, true, &err), &err, uri);
	unit_expect_error(LG_NOTFOUND, region_attach("file:/nonexistent/pod", 0, &region, &err), &err, "pod");
}

static void uris_that_name_no_region_are_refused(void **state)
{
	(void)state;
	struct region region;
	struct lg_pod_config config;
	char longer[400] = "shm:";
	const char *const uris[][2] = {
	        {"floppy:a", "shm:NAME, file:PATH and dax:PATH"},
	        {"/dev/shm/pod", "shm:NAME, file:PATH and dax:PATH"},
	        {"", "no region is named"},
	        {"shm:", "empty"},
	        {"shm:a/b", "slash"},
	        {"shm:..", "not a name"},
	        {"file:", "empty"},
	        {"shm:pod?size=1", "no option"},
	        {longer, "shorter"},
	};
	memset(longer + 4, 'x', sizeof longer - 5);
	unit_pod_config(&config);
	for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
		unit_expect_error(LG_INVALID, lg_pod_create(uris[i][0], &config, &err), &err, uris[i][1]);
		unit_expect_error(LG_INVALID, region_attach(uris[i][0], 0, &region, &err), &err, uris[i][1]);
		unit_expect_error(LG_INVALID, lg_pod_destroy(uris[i][0], true, &err), &err, uris[i][1]);
	}
	unit_expect_error(LG_INVALID, lg_pod_create(NULL, &config, &err), &err, "no region is named");
	unit_expect_error(LG_INVALID, lg_pod_create("shm:x", NULL, &err), &err, "configuration");
	assert_int_equal(lg_pod_create("shm:", &config, NULL), LG_INVALID);
}

static void expect_config_refused(const struct lg_pod_config *config, int code, const char *piece)
{
	char name[64], uri[80];
	static struct lg_pod_info info;
	pod_private_name(name, sizeof name);
	snprintf(uri, sizeof uri, "shm:%s", name);
	unit_expect_error(code, lg_pod_create(uri, config, &err), &err, piece);
	assert_int_equal(lg_pod_info(uri, &info, NULL), LG_NOTFOUND);
}

static void configurations_that_make_no_pod_are_refused(void **state)
{
	(void)state;
	struct lg_pod_config good, c;
	unit_pod_config(&good);
	c = good, c.hosts = 0, expect_config_refused(&c, LG_INVALID, "1 to 64 hosts, not 0");
	c = good, c.hosts = 65, expect_config_refused(&c, LG_LIMIT, "not 65");
	c = good, c.partitions = 0, expect_config_refused(&c, LG_INVALID, "1 to 4096 partitions");
	c = good, c.partitions = 4097, expect_config_refused(&c, LG_LIMIT, "not 4097");
	c = good, c.epoch_ms = 0, expect_config_refused(&c, LG_INVALID, "1 to 1000 ms");
	c = good, c.epoch_ms = 1001, expect_config_refused(&c, LG_INVALID, "not 1001");
	c = good, c.durability = (enum lg_durability)7, expect_config_refused(&c, LG_INVALID, "durability");
	good.durability = LG_DURABILITY_CXL;
	c = good, c.redo_workers = 0, expect_config_refused(&c, LG_INVALID, "1 to 64 workers");
	c = good, c.redo_workers = 65, expect_config_refused(&c, LG_LIMIT, "not 65");
	c = good, c.redo_ring_bytes = 60 << 10, expect_config_refused(&c, LG_INVALID, "from 64 KiB");
	c = good, c.redo_ring_bytes = 128 << 20, expect_config_refused(&c, LG_INVALID, "to 64 MiB");
	c = good, c.redo_ring_bytes += 64, expect_config_refused(&c, LG_INVALID, "multiple of 4 KiB");
	good.durability = LG_DURABILITY_NONE;
	c = good, c.hwcc_bytes = 0, expect_config_refused(&c, LG_INVALID, "2 MiB");
	c = good, c.hwcc_bytes += 4096, expect_config_refused(&c, LG_INVALID, "multiple of 2 MiB");
	c = good, c.swcc_bytes += 1, expect_config_refused(&c, LG_INVALID, "multiple of 2 MiB");
	c = good, c.hwcc_bytes = UINT64_MAX - (2 << 20) + 1, expect_config_refused(&c, LG_INVALID, "16 GiB");
	c = good, c.swcc_bytes = UINT64_MAX - (2 << 20) + 1, expect_config_refused(&c, LG_INVALID, "128 TiB");
	c = good, c.swcc_bytes = 4 << 20, expect_config_refused(&c, LG_NOSPACE, "needs 6 MiB");
	c = good, c.hosts = 64, expect_config_refused(&c, LG_NOSPACE, "too small for 64 hosts");
	c = good, c.swcc_bytes = UINT64_C(1) << 40, expect_config_refused(&c, LG_NOSPACE, "needs 10 MiB");
}

static void the_sizes_that_an_error_asks_for_are_enough(void **state)
{
	(void)state;
	for (uint32_t hosts = 1; hosts <= 64; hosts += 9) {
		struct lg_pod_config config;
		unsigned long long have, needs;
		char name[64], uri[80];
		unit_pod_config(&config);
		config.hosts = hosts;
		config.swcc_bytes = 2 << 20;
		pod_private_name(name, sizeof name);
		snprintf(uri, sizeof uri, "shm:%s", name);
		assert_int_equal(lg_pod_create(uri, &config, &err), LG_NOSPACE);
		const char *text = strstr(err.message, "part of ");
		assert_non_null(text);
		assert_int_equal(sscanf(text, "part of %llu MiB", &have), 1);
		text = strstr(err.message, "needs ");
		assert_non_null(text);
		assert_int_equal(sscanf(text, "needs %llu MiB", &needs), 1);
		assert_true(needs > have);
		config.swcc_bytes = needs << 20;
		assert_int_equal(lg_pod_create(uri, &config, &err), LG_OK);
		assert_int_equal(lg_pod_destroy(uri, false, &err), LG_OK);
		config.swcc_bytes -= 2 << 20;
		assert_int_equal(lg_pod_create(uri, &config, &err), LG_NOSPACE);
	}
}

static void a_file_system_that_is_too_small_is_no_space_and_nothing_stays(void **state)
{
	(void)state;
	struct lg_pod_config config;
	struct statvfs fs;
	assert_int_equal(statvfs("/dev/shm", &fs), 0);
	if (fs.f_blocks == 0)
		skip(); /* mounted without a limit */
	unit_pod_config(&config);
	config.hwcc_bytes = 64 << 20;
	config.swcc_bytes = (fs.f_blocks * fs.f_frsize + HUGE_PAGE_BYTES) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
	expect_config_refused(&config, LG_NOSPACE, "cannot create");
}

static void a_file_is_a_region_too(void **state)
{
	(void)state;
	struct lg_pod_config config;
	struct region region;
	char name[64], uri[80];
	pod_private_name(name, sizeof name);
	snprintf(uri, sizeof uri, "file:/dev/shm/%s", name);
	unit_pod_config(&config);
	assert_int_equal(lg_pod_create(uri, &config, &err), LG_OK);
	assert_int_equal(region_attach(uri, 0, &region, &err), LG_OK);
	assert_string_equal(region.uri, uri);
	region_detach(&region);
	assert_int_equal(lg_pod_destroy(uri, false, &err), LG_OK);
	assert_int_equal(region_attach(uri, 0, &region, &err), LG_NOTFOUND);
}

/* Files that never were pods are refused and never removed, not even with force. */
static void what_is_not_a_pod_is_refused_and_never_removed(void **state)
{
	(void)state;
	const uint64_t sizes[] = {0, 100, 4096, 2 << 20, 4 << 20, 10 << 20, (10 << 20) + 4096};
	struct region region;
	char name[64], uri[128], path[80];
	pod_private_name(name, sizeof name);
	snprintf(uri, sizeof uri, "shm:%s", name);
	snprintf(path, sizeof path, "/dev/shm/%s", name);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (int zeros = 0; zeros < 2; zeros++) {
			int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
			assert_true(fd >= 0);
			assert_int_equal(ftruncate(fd, (off_t)sizes[i]), 0);
			if (!zeros && sizes[i])
				assert_int_equal(pwrite(fd, "something else", 14, 0), 14);
			close(fd);
			unit_expect_error(LG_MISMATCH, region_attach(uri, 0, &region, &err), &err, "pod");
			unit_expect_error(LG_MISMATCH, lg_pod_destroy(uri, true, &err), &err, "pod");
			assert_int_equal(unlink(path), 0);
		}
	}
	unit_expect_error(LG_MISMATCH, region_attach("file:/dev/shm", 0, &region, &err), &err, "directory");
	unit_expect_error(LG_MISMATCH, region_attach("file:/dev/null", 0, &region, &err), &err, "regular file");
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(uri, sizeof uri, "file:%s", path);
	static struct lg_pod_info info;
	unit_expect_error(LG_MISMATCH, lg_pod_info(uri, &info, &err), &err, "regular file");
	assert_int_equal(unlink(path), 0);
}

static void a_truncated_pod_is_refused(void **state)
{
	struct unit_pod *pod = *state;
	assert_int_equal(truncate(shm_path(pod), 8 << 20), 0);
	expect_refused(pod, "was created with 10485760 bytes and has 8388608");
	assert_int_equal(truncate(shm_path(pod), 5 << 20), 0);
	expect_refused(pod, "truncated");
	assert_int_equal(truncate(shm_path(pod), 12 << 20), 0);
	expect_refused(pod, "was created with");
	assert_int_equal(truncate(shm_path(pod), 10 << 20), 0);
}

static void every_foreign_header_is_refused_with_its_reason(void **state)
{
	struct unit_pod *pod = *state;
	struct pod_header *header = header_of(pod), good;
	memcpy(&good, header, sizeof good);

	header->format_version = 7;
	expect_refused(pod, "has pod format 7");
	memcpy(header, &good, sizeof good);

	header->layout_hash ^= 1;
	sign(header);
	expect_refused(pod, "another layout");
	memcpy(header, &good, sizeof good);

	header->checksum ^= 1;
	expect_refused(pod, "checksum");
	memcpy(header, &good, sizeof good);

	header->host_count = 65;
	sign(header);
	expect_refused(pod, "1 to 64 hosts");
	memcpy(header, &good, sizeof good);

	header->durability = 9;
	sign(header);
	expect_refused(pod, "durability");
	memcpy(header, &good, sizeof good);

	header->cookie = 0;
	sign(header);
	expect_refused(pod, "contradicts itself");
	memcpy(header, &good, sizeof good);

	atomic_store(&header->magic, UINT64_C(0x1234));
	expect_refused(pod, "is not a pod: its magic is 0000000000001234");
	assert_int_equal(lg_pod_destroy(pod->uri, true, &err), LG_MISMATCH);
	memcpy(header, &good, sizeof good);
}

static void a_header_whose_parts_lie_elsewhere_is_refused(void **state)
{
	struct unit_pod *pod = *state;
	struct pod_header *header = header_of(pod), good;
	memcpy(&good, header, sizeof good);
	/* From extent_owners_offset to extents_offset: 8-byte numbers, each of which must be as computed. */
	size_t from = offsetof(struct pod_header, extent_owners_offset);
	for (size_t at = from; at < offsetof(struct pod_header, checksum); at += 8) {
		uint64_t number;
		memcpy(&number, (uint8_t *)header + at, 8);
		number += 64;
		memcpy((uint8_t *)header + at, &number, 8);
		sign(header);
		expect_refused(pod, "contradicts itself");
		memcpy(header, &good, sizeof good);
	}
}

static void no_flipped_bit_of_the_header_passes(void **state)
{
	struct unit_pod *pod = *state;
	uint8_t *bytes = pod->region.base;
	struct region region;
	for (size_t bit = 0; bit < sizeof(struct pod_header) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int code = region_attach(pod->uri, 0, &region, &err);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (code != LG_MISMATCH)
			fail_msg("bit %zu passed with code %d", bit, code);
	}
}

static void another_incarnation_is_refused(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_pod_config config;
	struct region region;
	uint64_t cookie = pod->region.geometry.cookie;
	assert_int_equal(region_attach(pod->uri, cookie, &region, &err), LG_OK);
	region_detach(&region);
	assert_int_equal(lg_pod_destroy(pod->uri, false, &err), LG_OK);
	unit_pod_config(&config);
	assert_int_equal(lg_pod_create(pod->uri, &config, &err), LG_OK);
	unit_expect_error(LG_MISMATCH, region_attach(pod->uri, cookie, &region, &err), &err, "incarnation");
	assert_int_equal(region_attach(pod->uri, 0, &region, &err), LG_OK);
	assert_int_not_equal(region.geometry.cookie, cookie);
	region_detach(&region);
}

static void an_unfinished_pod_is_refused_and_can_be_removed(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_pod_config config;
	struct region region;
	atomic_store(&header_of(pod)->magic, POD_MAGIC_UNFINISHED);
	unit_expect_error(LG_MISMATCH, region_attach(pod->uri, 0, &region, &err), &err, "not finished");
	assert_int_equal(lg_pod_destroy(pod->uri, false, &err), LG_OK);
	assert_false(exists(pod));
	unit_pod_config(&config);
	assert_int_equal(lg_pod_create(pod->uri, &config, &err), LG_OK); /* for the tear-down */
}

static void a_pod_of_another_version_is_removed_only_by_force(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_pod_config config;
	header_of(pod)->format_version = POD_FORMAT_VERSION + 1;
	assert_int_equal(lg_pod_destroy(pod->uri, false, &err), LG_MISMATCH);
	assert_true(exists(pod));
	assert_int_equal(lg_pod_destroy(pod->uri, true, &err), LG_OK);
	assert_false(exists(pod));
	unit_pod_config(&config);
	assert_int_equal(lg_pod_create(pod->uri, &config, &err), LG_OK);
}

static void a_pod_with_a_living_member_is_removed_only_by_force(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_pod_config config;
	struct region region;
	uint64_t incarnation;
	assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_OK);
	unit_expect_error(LG_INUSE, lg_pod_destroy(pod->uri, false, &err), &err, "host 1");
	assert_int_equal(region_attach(pod->uri, 0, &region, &err), LG_OK); /* it is a pod as before */
	region_detach(&region);
	assert_int_equal(lg_pod_destroy(pod->uri, true, &err), LG_OK);
	assert_false(exists(pod));
	/* Who is still attached cannot join what is no pod any more. */
	unit_expect_error(LG_MISMATCH, member_join(&pod->port, 0, 0, &incarnation, &err), &err, "destroyed");
	unit_pod_config(&config);
	assert_int_equal(lg_pod_create(pod->uri, &config, &err), LG_OK);
}

static void a_pod_whose_members_are_dead_or_gone_can_be_removed(void **state)
{
	struct unit_pod *pod = *state;
	struct lg_pod_config config;
	uint64_t incarnation;
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(member_join(&pod->port, 0, 0, &incarnation, NULL) != LG_OK);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(member_state(&pod->port, 0, NULL), LG_MEMBER_JOINING);
	assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_OK);
	member_set_state(&pod->port, 1, LG_MEMBER_LEFT);
	assert_int_equal(lg_pod_destroy(pod->uri, false, &err), LG_OK);
	unit_pod_config(&config);
	assert_int_equal(lg_pod_create(pod->uri, &config, &err), LG_OK);
}

static void info_tells_the_state_without_writing(void **state)
{
	struct unit_pod *pod = *state;
	static struct lg_pod_info info;
	struct host_usage usage = {.hwcc_row_bytes = 80, .swcc_frame_bytes = 640, .shared_rows = 10, .dram_bytes = 5};
	uint64_t incarnation, index, floor, hint = 0;
	bool waiting;
	assert_int_equal(member_join(&pod->port, 1, 0, &incarnation, &err), LG_OK);
	member_set_state(&pod->port, 1, LG_MEMBER_LIVE);
	assert_true(claim_take(&pod->port, CLAIM_EXTENT, 1, 1, &hint, &index, &floor, &waiting));
	partition_place(&pod->port, 0, 1);
	usage_publish(&pod->port, 1, &usage, 1);
	uint8_t *before = malloc(pod->region.bytes);
	assert_non_null(before);
	memcpy(before, pod->region.base, pod->region.bytes);
	assert_int_equal(lg_pod_info(pod->uri, &info, &err), LG_OK);
	assert_memory_equal(before, pod->region.base, pod->region.bytes);
	free(before);
	assert_int_equal(info.cookie, pod->region.geometry.cookie);
	assert_int_equal(info.config.hosts, 2);
	assert_int_equal(info.config.swcc_bytes, 8 << 20);
	assert_int_equal(info.region_bytes, 10 << 20);
	assert_int_equal(info.epoch, 1);
	assert_true(info.page_bytes == 4096 || info.page_bytes == HUGE_PAGE_BYTES);
	assert_int_equal(info.swcc_free_bytes, (pod->region.geometry.extent_count - 1) * EXTENT_BYTES);
	assert_int_equal(info.member[0].state, LG_MEMBER_FREE);
	assert_int_equal(info.member[0].partitions, 3);
	assert_int_equal(info.member[1].state, LG_MEMBER_LIVE);
	assert_int_equal(info.member[1].incarnation, 1);
	assert_int_equal(info.member[1].pid, getpid());
	assert_int_equal(info.member[1].partitions, 5);
	assert_int_equal(info.member[1].swcc_claimed_bytes, EXTENT_BYTES);
	assert_int_equal(info.member[1].shared_rows, 10);
	assert_int_equal(info.member[1].dram_bytes, 5);
	assert_int_equal(info.partition_owner[0], 1);
}

static void usage_that_was_never_published_or_was_scribbled_over_reads_as_none(void **state)
{
	struct unit_pod *pod = *state;
	struct host_usage usage, seen = {.shared_rows = 77};
	memset(&usage, 0x11, sizeof usage);
	assert_false(usage_read(&pod->port, 0, &seen));
	assert_int_equal(seen.shared_rows, 0);
	usage_publish(&pod->port, 0, &usage, 5);
	assert_true(usage_read(&pod->port, 0, &seen));
	assert_memory_equal(&seen, &usage, sizeof usage);
	usage.shared_rows = 3;
	usage_publish(&pod->port, 0, &usage, 6);
	assert_true(usage_read(&pod->port, 0, &seen));
	assert_int_equal(seen.shared_rows, 3);
	memset(pod->region.base + pod->region.geometry.roots_offset, 0xa5, HOST_ROOT_BYTES - 100);
	memset(pod->region.base + pod->region.geometry.roots_offset + STATS_OFFSET_IN_ROOT + 64, 0x5a, 64);
	assert_false(usage_read(&pod->port, 0, &seen));
}

static void every_code_and_reason_has_a_text(void **state)
{
	(void)state;
	for (int code = 0; code < LG_CODE_COUNT; code++)
		assert_true(strlen(lg_strerror(code)) > 3);
	assert_non_null(lg_strerror(-1));
	assert_non_null(lg_strerror(LG_CODE_COUNT));
	assert_non_null(lg_strerror(1000));
	for (int reason = 0; reason < LG_ABORT_REASON_COUNT; reason++)
		assert_true(strlen(lg_abort_reason_name((enum lg_abort_reason)reason)) > 3);
	assert_string_equal(lg_abort_reason_name(LG_ABORT_REASON_COUNT), "unknown");
	char text[1000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	assert_int_equal(error_set(&err, LG_INVALID, "%s", text), LG_INVALID);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        UNIT_TEST(a_new_pod_is_empty_and_its_parts_do_not_overlap),
	        cmocka_unit_test(the_default_pods_fixed_hwcc_part_is_at_most_256_kib),
	        cmocka_unit_test(a_pod_of_64_hosts_fits_and_has_its_parts_in_place),
	        cmocka_unit_test(the_file_is_its_owners_alone_whatever_the_umask),
	        UNIT_TEST(all_space_is_reserved_at_creation),
	        UNIT_TEST(a_name_that_is_taken_is_refused_and_left_alone),
	        cmocka_unit_test(a_region_that_does_not_exist_is_not_found),
	        cmocka_unit_test(uris_that_name_no_region_are_refused),
	        cmocka_unit_test(configurations_that_make_no_pod_are_refused),
	        cmocka_unit_test(the_sizes_that_an_error_asks_for_are_enough),
	        cmocka_unit_test(a_file_system_that_is_too_small_is_no_space_and_nothing_stays),
	        cmocka_unit_test(a_file_is_a_region_too),
	        cmocka_unit_test(what_is_not_a_pod_is_refused_and_never_removed),
	        UNIT_TEST(a_truncated_pod_is_refused),
	        UNIT_TEST(every_foreign_header_is_refused_with_its_reason),
	        UNIT_TEST(a_header_whose_parts_lie_elsewhere_is_refused),
	        UNIT_TEST(no_flipped_bit_of_the_header_passes),
	        UNIT_TEST(another_incarnation_is_refused),
	        UNIT_TEST(an_unfinished_pod_is_refused_and_can_be_removed),
	        UNIT_TEST(a_pod_of_another_version_is_removed_only_by_force),
	        UNIT_TEST(a_pod_with_a_living_member_is_removed_only_by_force),
	        UNIT_TEST(a_pod_whose_members_are_dead_or_gone_can_be_removed),
	        UNIT_TEST(info_tells_the_state_without_writing),
	        UNIT_TEST(usage_that_was_never_published_or_was_scribbled_over_reads_as_none),
	        cmocka_unit_test(every_code_and_reason_has_a_text),
	};
	return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
