/* region_dax_test.c: a pod on a device that was there before it: what is refused, what is zeroed, what a crash leaves. A
 * regular file stands for the device; scripts/test_vm.sh runs pods on real ones. */
#include "unit/fake_machine.h"
#include "unit/unit_pod.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cxl/catalog.h"
#include "cxl/extent.h"
#include "cxl/pod.h"

enum { DEVICE_BYTES = 16 << 20, REGION_BYTES = 10 << 20 };

static struct lg_error err;

struct device {
	struct fake_machine *fake;
	char uri[100];
	struct region_place place;
	uint8_t *bytes; /* the device, as somebody else sees it */
};

static int setup(void **state)
{
	struct device *d = calloc(1, sizeof *d);
	assert_non_null(d);
	d->fake = fake_machine_make();
	fake_dax(d->fake, DEVICE_BYTES);
	snprintf(d->uri, sizeof d->uri, "dax:%s", d->fake->device);
	d->place = fake_place(d->fake, d->uri);
	int fd = open(d->fake->device, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	d->bytes = mmap(NULL, DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(d->bytes, MAP_FAILED);
	assert_int_equal(close(fd), 0);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct device *d = *state;
	assert_int_equal(munmap(d->bytes, DEVICE_BYTES), 0);
	fake_machine_end(d->fake);
	free(d);
	return 0;
}

static _Atomic uint64_t *magic_of(const struct device *d)
{
	return &((struct pod_header *)(void *)d->bytes)->magic;
}

static int create(const struct device *d)
{
	struct lg_pod_config config;
	unit_pod_config(&config);
	return region_create_at(&d->place, &config, NULL, &err);
}

static void create_ok(const struct device *d)
{
	if (create(d))
		fail_msg("%s", err.message);
}

static void attach_ok(const struct device *d, struct region *region)
{
	if (region_attach_at(&d->place, true, 0, region, &err))
		fail_msg("%s", err.message);
}

static bool all_are(const uint8_t *bytes, size_t count, uint8_t value)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

/* Create, attach and destroy all refuse the device, and leave it as it is. */
static void expect_refused(const struct device *d, int code, const char *piece)
{
	struct region region;
	unit_expect_error(code, create(d), &err, piece);
	unit_expect_error(code, region_attach_at(&d->place, true, 0, &region, &err), &err, piece);
	unit_expect_error(code, region_destroy_at(&d->place, true, &err), &err, piece);
	assert_true(all_are(d->bytes, 4096, 0));
	assert_true(all_are(d->bytes + 4096, DEVICE_BYTES - 4096, 0xa5));
}

static void a_pod_on_a_device_full_of_garbage_is_empty_and_stays_within_its_size(void **state)
{
	struct device *d = *state;
	struct region region;
	struct cxl_port port;
	create_ok(d);
	attach_ok(d, &region);
	const struct pod_geometry *g = &region.geometry;
	assert_int_equal(region.bytes, REGION_BYTES);
	assert_int_equal((uintptr_t)region.base % HUGE_PAGE_BYTES, 0);
	port_init(&port, region.base, g);
	assert_int_equal(epoch_load(&port), 1);
	assert_int_equal(catalog_count(&port), 0);
	assert_int_equal(claim_count_free(&port, CLAIM_EXTENT), g->extent_count);
	assert_int_equal(claim_count_free(&port, CLAIM_WORDS), g->block_count);
	for (unsigned host = 0; host < 2; host++)
		assert_int_equal(member_state(&port, host, NULL), LG_MEMBER_FREE);
	/* Doorbells and the rest of the fixed words, the words of rows, and all lines: a tag of another time is none. */
	assert_true(all_are(region.base + POD_DOORBELLS_OFFSET, POD_PARTITIONS_OFFSET - POD_DOORBELLS_OFFSET, 0));
	assert_true(all_are(region.base + POD_OWNERS_OFFSET, g->hwcc_bytes - POD_OWNERS_OFFSET, 0));
	assert_true(all_are(region.base + g->hwcc_bytes, g->swcc_bytes, 0));
	assert_true(all_are(d->bytes + REGION_BYTES, DEVICE_BYTES - REGION_BYTES, 0xa5));
	region_detach(&region);
}

static void a_pod_equals_one_that_was_made_in_fresh_memory(void **state)
{
	struct device *d = *state;
	struct lg_pod_config config;
	unit_pod_config(&config);
	struct unit_pod *pod = unit_pod_make(&config);
	create_ok(d);
	struct pod_header *mine = (void *)d->bytes, *other = (void *)pod->region.base;
	mine->cookie = other->cookie;
	mine->checksum = other->checksum;
	assert_memory_equal(d->bytes, pod->region.base, REGION_BYTES);
	unit_pod_end(pod);
}

static void a_destroyed_pod_leaves_a_device_on_which_another_can_be_made(void **state)
{
	struct device *d = *state;
	struct region region;
	uint64_t cookies[2];
	for (int i = 0; i < 2; i++) {
		create_ok(d);
		attach_ok(d, &region);
		cookies[i] = region.geometry.cookie;
		memset(region.base + region.geometry.extents_offset, 0x77, EXTENT_BYTES);
		region_detach(&region);
		assert_int_equal(region_destroy_at(&d->place, false, &err), LG_OK);
		assert_true(all_are(d->bytes, 4096, 0));
		unit_expect_error(LG_MISMATCH, region_attach_at(&d->place, true, 0, &region, &err), &err, "not a pod");
		unit_expect_error(LG_MISMATCH, region_destroy_at(&d->place, true, &err), &err, "not a pod");
	}
	assert_int_not_equal(cookies[0], cookies[1]);
}

static void a_device_that_holds_a_pod_is_taken(void **state)
{
	struct device *d = *state;
	struct region region;
	create_ok(d);
	attach_ok(d, &region);
	uint64_t cookie = region.geometry.cookie;
	region_detach(&region);
	unit_expect_error(LG_EXISTS, create(d), &err, "holds a pod; remove it with `liger pod destroy`");
	assert_int_equal(region_attach_at(&d->place, true, cookie, &region, &err), LG_OK);
	region_detach(&region);
}

static void a_device_that_holds_something_else_is_left_alone(void **state)
{
	struct device *d = *state;
	const size_t places[] = {0, 7, 8, 63, 64, 4095};
	struct region region;
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		d->bytes[places[i]] = 1;
		unit_expect_error(LG_EXISTS, create(d), &err, "holds something else");
		assert_non_null(strstr(err.message, "[:4096]=bytes(4096)")); /* the advice is not cut off */
		unit_expect_error(LG_MISMATCH, region_attach_at(&d->place, true, 0, &region, &err), &err, "not a pod");
		unit_expect_error(LG_MISMATCH, region_destroy_at(&d->place, true, &err), &err, "not a pod");
		assert_int_equal(d->bytes[places[i]], 1);
		d->bytes[places[i]] = 0;
		assert_true(all_are(d->bytes, 4096, 0));
	}
	create_ok(d);
}

static void a_creator_that_died_leaves_an_unfinished_pod_that_only_force_removes(void **state)
{
	struct device *d = *state;
	struct region region;
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(dax_claim(&d->place, d->bytes, NULL) != LG_OK);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(atomic_load(magic_of(d)), POD_MAGIC_UNFINISHED);
	unit_expect_error(LG_EXISTS, create(d), &err, "not finished");
	unit_expect_error(LG_MISMATCH, region_attach_at(&d->place, true, 0, &region, &err), &err, "not finished");
	unit_expect_error(LG_INUSE, region_destroy_at(&d->place, false, &err), &err, "force");
	assert_int_equal(region_destroy_at(&d->place, true, &err), LG_OK);
	create_ok(d);
}

static void a_destroyer_that_died_leaves_what_force_removes(void **state)
{
	struct device *d = *state;
	create_ok(d);
	atomic_store(magic_of(d), POD_MAGIC_UNFINISHED);
	unit_expect_error(LG_INUSE, region_destroy_at(&d->place, false, &err), &err, "force");
	assert_int_equal(region_destroy_at(&d->place, true, &err), LG_OK);
	assert_true(all_are(d->bytes, 4096, 0));
	create_ok(d);
}

/* Its pid may be one of another machine: that no process here has it proves nothing. */
static void a_pod_with_a_member_is_removed_only_by_force_dead_or_not(void **state)
{
	struct device *d = *state;
	struct region region;
	struct cxl_port port;
	uint64_t incarnation;
	int status;
	create_ok(d);
	attach_ok(d, &region);
	port_init(&port, region.base, &region.geometry);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(member_join(&port, 1, 0, &incarnation, NULL) != LG_OK);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	unit_expect_error(LG_INUSE, region_destroy_at(&d->place, false, &err), &err, "host 1 is a member");
	assert_int_equal(atomic_load(magic_of(d)), POD_MAGIC);
	assert_int_equal(region_destroy_at(&d->place, true, &err), LG_OK);
	/* Who is still attached cannot join what is no pod any more. */
	unit_expect_error(LG_MISMATCH, member_join(&port, 0, 0, &incarnation, &err), &err, "destroyed");
	region_detach(&region);
}

static void parts_that_do_not_fit_are_refused_with_both_sizes(void **state)
{
	struct device *d = *state;
	struct lg_pod_config config;
	unit_pod_config(&config);
	config.swcc_bytes = 16 << 20;
	unit_expect_error(LG_NOSPACE, region_create_at(&d->place, &config, NULL, &err), &err,
	        "need 18 MiB (2 hardware-coherent, 16 software-coherent), the device has 16 MiB");
	assert_true(all_are(d->bytes, 4096, 0));
	config.swcc_bytes = 14 << 20;
	assert_int_equal(region_create_at(&d->place, &config, NULL, &err), LG_OK);
}

static void a_device_that_shrank_below_its_pod_is_refused(void **state)
{
	struct device *d = *state;
	struct region region;
	create_ok(d);
	fake_file(d->fake, "devices/dax0.0/size", "8388608");
	unit_expect_error(
	        LG_MISMATCH, region_attach_at(&d->place, true, 0, &region, &err), &err, "was created with 10485760");
}

static void a_device_in_system_ram_mode_is_refused_with_what_to_do(void **state)
{
	struct device *d = *state;
	fake_dax_driver(d->fake, "kmem");
	expect_refused(d, LG_MISMATCH, "system-ram mode, the kernel uses it as ordinary memory of NUMA node 3");
	expect_refused(d, LG_MISMATCH, "daxctl reconfigure-device --force --mode=devdax dax0.0");
	fake_dax_driver(d->fake, NULL);
	expect_refused(d, LG_MISMATCH, "no driver is bound to dax0.0");
	fake_dax_driver(d->fake, "fsdev_dax");
	expect_refused(d, LG_MISMATCH, "bound to the driver fsdev_dax");
}

static void alignments_that_a_region_does_not_have_are_refused(void **state)
{
	struct device *d = *state;
	fake_file(d->fake, "devices/dax0.0/align", "1073741824");
	expect_refused(d, LG_MISMATCH, "in units of 1048576 KiB");
	const char *const good[] = {"4096", NULL};
	for (int i = 0; i < 2; i++) {
		fake_file(d->fake, "devices/dax0.0/align", good[i]);
		create_ok(d);
		assert_int_equal(region_destroy_at(&d->place, false, &err), LG_OK);
	}
}

static void sizes_that_hold_no_pod_are_refused(void **state)
{
	struct device *d = *state;
	const char *const sizes[][2] = {
	        {"0", "has 0 bytes"}, {"4194303", "has 4194303 bytes"}, {"-1", "dev/char"}, {"much", "dev/char"}};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		fake_file(d->fake, "devices/dax0.0/size", sizes[i][0]);
		expect_refused(d, i < 2 ? LG_MISMATCH : LG_SYSTEM, sizes[i][1]);
	}
	fake_file(d->fake, "devices/dax0.0/size", "12582911"); /* a byte less than 12 MiB: 10 are whole */
	create_ok(d);
}

static void a_device_of_another_kind_is_refused(void **state)
{
	struct device *d = *state;
	fake_link(d->fake, "devices/dax0.0/subsystem", "../../class/block");
	expect_refused(d, LG_MISMATCH, "a device of the kind 'block', not dax");
	fake_link(d->fake, "devices/dax0.0/subsystem", NULL);
	expect_refused(d, LG_MISMATCH, "the kernel knows no such device");
}

static void what_is_no_dax_device_of_this_machine_is_refused_by_every_call(void **state)
{
	struct device *d = *state;
	struct lg_pod_config config;
	struct region region;
	static struct lg_pod_info info;
	const struct {
		const char *uri;
		int code;
		const char *piece;
	} cases[] = {
	        {d->uri, LG_MISMATCH, "it is no device"}, /* a regular file, without the fake machine */
	        {"dax:/dev/null", LG_MISMATCH, "not dax"},
	        {"dax:/dev", LG_MISMATCH, "it is no device"},
	        {"dax:/dev/dax99.99", LG_NOTFOUND, "there is no device /dev/dax99.99"},
	        {"dax:/dev/null/x", LG_NOTFOUND, "there is no device"},
	        {"dax:", LG_INVALID, "dax:/dev/dax0.0"},
	        {"dax:/dev/dax0.0?node=0", LG_INVALID, "lies where the device is"},
	};
	unit_pod_config(&config);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *uri = cases[i].uri, *piece = cases[i].piece;
		unit_expect_error(cases[i].code, lg_pod_create(uri, &config, &err), &err, piece);
		unit_expect_error(cases[i].code, lg_pod_info(uri, &info, &err), &err, piece);
		unit_expect_error(cases[i].code, lg_pod_destroy(uri, true, &err), &err, piece);
		unit_expect_error(cases[i].code, region_attach(uri, 0, &region, &err), &err, piece);
	}
}

/* In a child, which gives its rights up. */
static void a_device_without_permission_is_refused_with_what_to_do(void **state)
{
	struct device *d = *state;
	int status;
	assert_int_equal(chmod(d->fake->device, 0), 0);
	assert_int_equal(chmod(d->fake->directory, 0755), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && setuid(65534))
			_exit(2);
		_exit(create(d) != LG_SYSTEM || !strstr(err.message, "Permission denied; a device belongs to root"));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(d->fake->device, 0600), 0);
}

static void who_creates_or_destroys_keeps_others_of_the_machine_off(void **state)
{
	struct device *d = *state;
	int fd = open(d->fake->device, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	unit_expect_error(LG_INUSE, create(d), &err, "cannot create");
	unit_expect_error(LG_INUSE, region_destroy_at(&d->place, true, &err), &err, "cannot destroy");
	assert_true(all_are(d->bytes, 4096, 0));
	assert_int_equal(close(fd), 0);
	create_ok(d);
}

static void *claim(void *device)
{
	const struct device *d = device;
	return dax_claim(&d->place, d->bytes, NULL) == LG_OK ? device : NULL;
}

/* As creators of several machines do, between which no lock holds. */
static void of_all_who_claim_a_device_at_once_one_gets_it(void **state)
{
	struct device *d = *state;
	enum { CLAIMERS = 4 };
	for (uint64_t round = 0; round < pod_scaled(100); round++) {
		pthread_t threads[CLAIMERS];
		int winners = 0;
		for (int i = 0; i < CLAIMERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, claim, d), 0);
		for (int i = 0; i < CLAIMERS; i++) {
			void *won;
			assert_int_equal(pthread_join(threads[i], &won), 0);
			winners += won != NULL;
		}
		assert_int_equal(winners, 1);
		dax_clear(d->bytes);
	}
}

#define DAX_TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        DAX_TEST(a_pod_on_a_device_full_of_garbage_is_empty_and_stays_within_its_size),
	        DAX_TEST(a_pod_equals_one_that_was_made_in_fresh_memory),
	        DAX_TEST(a_destroyed_pod_leaves_a_device_on_which_another_can_be_made),
	        DAX_TEST(a_device_that_holds_a_pod_is_taken),
	        DAX_TEST(a_device_that_holds_something_else_is_left_alone),
	        DAX_TEST(a_creator_that_died_leaves_an_unfinished_pod_that_only_force_removes),
	        DAX_TEST(a_destroyer_that_died_leaves_what_force_removes),
	        DAX_TEST(a_pod_with_a_member_is_removed_only_by_force_dead_or_not),
	        DAX_TEST(parts_that_do_not_fit_are_refused_with_both_sizes),
	        DAX_TEST(a_device_that_shrank_below_its_pod_is_refused),
	        DAX_TEST(a_device_in_system_ram_mode_is_refused_with_what_to_do),
	        DAX_TEST(alignments_that_a_region_does_not_have_are_refused),
	        DAX_TEST(sizes_that_hold_no_pod_are_refused),
	        DAX_TEST(a_device_of_another_kind_is_refused),
	        DAX_TEST(what_is_no_dax_device_of_this_machine_is_refused_by_every_call),
	        DAX_TEST(a_device_without_permission_is_refused_with_what_to_do),
	        DAX_TEST(who_creates_or_destroys_keeps_others_of_the_machine_off),
	        DAX_TEST(of_all_who_claim_a_device_at_once_one_gets_it),
	};
	return cmocka_run_group_tests_name("region_dax", tests, NULL, NULL);
}
