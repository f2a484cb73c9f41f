/* region_numa_test.c: ?node=N: memory from the node that was named, or a refusal that says why. The nodes and the kernel's
 * answers are the test's own; one test asks the real ones. */
#include "unit/fake_machine.h"
#include "unit/unit_pod.h"

#include <errno.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REGION_BYTES = 10 << 20, PAGES = REGION_BYTES / 4096 };

static struct lg_error err;

/* What the kernel was asked, and what it is to say. */
static struct {
	int bind_errno, where_errno;
	int page_node;      /* of every page but the first `strangers` */
	unsigned strangers; /* pages on node stranger_node (or -errno) */
	int stranger_node;
	unsigned bound, looked, touched_before_bind;
	unsigned long bound_bytes, bound_nodes;
	int bound_mode;
} kernel;

static long fake_bind(
        void *start, unsigned long bytes, int mode, const unsigned long *nodes, unsigned long max_node, unsigned flags)
{
	static unsigned char resident[PAGES];
	assert_int_equal(flags, 0);
	assert_true(max_node > 64);
	assert_int_equal(bytes, REGION_BYTES);
	assert_int_equal(mincore(start, bytes, resident), 0);
	for (int i = 0; i < PAGES; i++)
		kernel.touched_before_bind += resident[i] & 1;
	kernel.bound++;
	kernel.bound_bytes = bytes;
	kernel.bound_nodes = nodes[0];
	kernel.bound_mode = mode;
	errno = kernel.bind_errno;
	return kernel.bind_errno ? -1 : 0;
}

static long fake_where(int pid, unsigned long count, void **pages, const int *nodes, int *status, int flags)
{
	assert_int_equal(pid, 0);
	assert_int_equal(flags, 0);
	assert_null(nodes); /* asked, never moved */
	for (unsigned long i = 0; i < count; i++) {
		assert_int_equal((uintptr_t)pages[i] % 4096, 0);
		status[i] = kernel.looked++ < kernel.strangers ? kernel.stranger_node : kernel.page_node;
	}
	errno = kernel.where_errno;
	return kernel.where_errno ? -1 : 0;
}

/* Node 0 with CPUs, node 1 without, node 2 without memory. */
struct machine {
	struct fake_machine *fake;
	char name[64], uri[100], path[100];
	struct region_place place; /* uri?node=1 */
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof *m);
	assert_non_null(m);
	m->fake = fake_machine_make();
	fake_file(m->fake, "devices/system/node/online", "0-2");
	fake_node(m->fake, 0, 1024, "0-1", "10 20 20");
	fake_node(m->fake, 1, 64, "", "20 10 20");
	fake_node(m->fake, 2, 0, "2", "20 20 10");
	m->fake->machine.bind = fake_bind;
	m->fake->machine.where = fake_where;
	memset(&kernel, 0, sizeof kernel);
	kernel.page_node = 1;
	pod_private_name(m->name, sizeof m->name);
	snprintf(m->path, sizeof m->path, "/dev/shm/%s", m->name);
	snprintf(m->uri, sizeof m->uri, "shm:%s?node=1", m->name);
	m->place = fake_place(m->fake, m->uri);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;
	(void)unlink(m->path); /* where the test has removed it, or never made it, there is none */
	fake_machine_end(m->fake);
	free(m);
	return 0;
}

static int create(const struct machine *m)
{
	struct lg_pod_config config;
	unit_pod_config(&config);
	return region_create_at(&m->place, &config, NULL, &err);
}

static void expect_not_created(const struct machine *m, int code, const char *piece)
{
	unit_expect_error(code, create(m), &err, piece);
	assert_int_equal(access(m->path, F_OK), -1);
}

static void a_region_is_bound_whole_before_its_first_touch_and_looked_at(void **state)
{
	struct machine *m = *state;
	struct region region;
	assert_int_equal(create(m), LG_OK);
	assert_int_equal(kernel.bound, 1);
	assert_int_equal(kernel.touched_before_bind, 0);
	assert_int_equal(kernel.bound_bytes, REGION_BYTES);
	assert_int_equal(kernel.bound_nodes, 1 << 1);
	assert_int_equal(kernel.bound_mode, MPOL_BIND);
	assert_int_equal(kernel.looked, PAGES);
	assert_int_equal(region_attach_at(&m->place, true, 0, &region, &err), LG_OK);
	assert_string_equal(region.uri, m->uri);
	region_detach(&region);
	assert_int_equal(kernel.looked, 2 * PAGES);
	assert_int_equal(kernel.bound, 1);
	assert_int_equal(region_destroy_at(&m->place, false, &err), LG_OK);
	assert_int_equal(access(m->path, F_OK), -1);
}

static void without_a_node_the_kernel_is_not_asked(void **state)
{
	struct machine *m = *state;
	struct region region;
	m->place.node = NO_NODE;
	assert_int_equal(create(m), LG_OK);
	assert_int_equal(region_attach_at(&m->place, true, 0, &region, &err), LG_OK);
	region_detach(&region);
	assert_int_equal(kernel.bound + kernel.looked, 0);
}

static void pages_that_landed_elsewhere_refuse_the_region_and_remove_it(void **state)
{
	struct machine *m = *state;
	kernel.strangers = 3;
	kernel.stranger_node = 0;
	expect_not_created(m, LG_SYSTEM,
	        "does not lie on NUMA node 1: of 2560 pages looked at 3 lie elsewhere, 3 of them on node 0");
	assert_non_null(strstr(err.message, "to spare")); /* the advice is not cut off */
	kernel.strangers = 0;
	kernel.page_node = 0;
	expect_not_created(m, LG_SYSTEM, "2560 lie elsewhere");
}

static void attach_refuses_pages_that_lie_elsewhere_and_moves_nothing(void **state)
{
	struct machine *m = *state;
	struct region region;
	assert_int_equal(create(m), LG_OK);
	kernel.looked = 0;
	kernel.strangers = 1;
	kernel.stranger_node = 2;
	unit_expect_error(LG_MISMATCH, region_attach_at(&m->place, true, 0, &region, &err), &err,
	        "1 lie elsewhere, 1 of them on node 2; pages are placed at creation");
	kernel.looked = 0;
	unit_expect_error(LG_MISMATCH, region_attach_at(&m->place, false, 0, &region, &err), &err, "node 2");
	assert_int_equal(kernel.bound, 1);
	struct region_place plain = m->place;
	plain.node = NO_NODE;
	assert_int_equal(region_attach_at(&plain, true, 0, &region, &err), LG_OK);
	region_detach(&region);
	assert_int_equal(region_destroy_at(&m->place, false, &err), LG_OK); /* wherever it lies */
}

static void a_kernel_that_forbids_binding_or_looking_is_told_about(void **state)
{
	struct machine *m = *state;
	const int seccomp[] = {EPERM, ENOSYS};
	for (int i = 0; i < 2; i++) {
		kernel.bind_errno = seccomp[i];
		expect_not_created(m, LG_SYSTEM, "to NUMA node 1: mbind: ");
		assert_non_null(strstr(err.message, "seccomp"));
		kernel.bind_errno = 0;
		kernel.where_errno = seccomp[i];
		expect_not_created(m, LG_SYSTEM, "cannot find out where the pages of");
		assert_non_null(strstr(err.message, "seccomp"));
		kernel.where_errno = 0;
	}
	kernel.bind_errno = EINVAL;
	expect_not_created(m, LG_SYSTEM, "Mems_allowed_list");
	kernel.bind_errno = ENOMEM;
	expect_not_created(m, LG_SYSTEM, "Cannot allocate memory");
}

static void pages_of_which_the_kernel_does_not_tell_count_as_nowhere(void **state)
{
	struct machine *m = *state;
	kernel.strangers = 5;
	kernel.stranger_node = -EFAULT;
	expect_not_created(m, LG_SYSTEM, "did not tell for 5: Bad address");
	kernel.looked = 0;
	kernel.stranger_node = MAX_NUMA_NODES;
	expect_not_created(m, LG_SYSTEM, "did not tell for 5");
}

static void nodes_that_do_not_exist_or_have_no_memory_are_refused(void **state)
{
	struct machine *m = *state;
	struct region region;
	m->place.node = 3;
	expect_not_created(m, LG_INVALID, "this machine has no NUMA node 3, only 0-2");
	unit_expect_error(LG_INVALID, region_attach_at(&m->place, true, 0, &region, &err), &err, "no NUMA node 3");
	m->place.node = 2;
	expect_not_created(m, LG_INVALID, "NUMA node 2 has no memory");
	assert_int_equal(kernel.bound, 0);
}

static void a_kernel_without_numa_is_named_as_the_reason(void **state)
{
	struct machine *m = *state;
	fake_file(m->fake, "devices/system/node/online", NULL);
	expect_not_created(m, LG_SYSTEM, "this kernel knows no NUMA nodes");
}

static void a_node_with_too_little_free_memory_is_refused_before_it_is_used(void **state)
{
	struct machine *m = *state;
	fake_node(m->fake, 1, 9, "", "20 10 20");
	expect_not_created(m, LG_NOSPACE, "needs 10 MiB of NUMA node 1, which has 9 MiB free (of 9)");
	assert_int_equal(kernel.bound, 0);
	/* The page cache gives way. */
	fake_file(m->fake, "devices/system/node/node1/meminfo",
	        "Node 1 MemTotal: 65536 kB\nNode 1 MemFree: 4096 kB\nNode 1 Active(file): 4096 kB\n"
	        "Node 1 Inactive(file): 4096 kB");
	assert_int_equal(create(m), LG_OK);
}

static void of_a_large_region_evenly_spread_pages_are_looked_at(void **state)
{
	struct machine *m = *state;
	const uint64_t bytes = UINT64_C(3) << 30;
	uint8_t *base = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(base, MAP_FAILED);
	assert_int_equal(region_node_verify(&m->place, base, bytes, LG_MISMATCH, &err), LG_OK);
	assert_int_equal(kernel.looked, 1 << 18); /* every third */
	kernel.looked = 0;
	kernel.strangers = (1 << 18) - 1;
	kernel.stranger_node = 1;
	kernel.page_node = 0; /* the last one */
	unit_expect_error(LG_MISMATCH, region_node_verify(&m->place, base, bytes, LG_MISMATCH, &err), &err,
	        "of 262144 pages looked at 1 lie elsewhere, 1 of them on node 0");
	assert_int_equal(munmap(base, bytes), 0);
}

static void options_that_make_no_sense_are_refused_by_every_call(void **state)
{
	struct machine *m = *state;
	const char *const options[][2] = {
	        {"", "'' is no option"}, {"foo=1", "'foo=1' is no option"}, {"node", "'node' is no option"},
	        {"node=", "'' is no NUMA node"}, {"node=x", "'x' is no NUMA node"}, {"node=1x", "'1x' is no NUMA node"},
	        {"node=-1", "'-1' is no NUMA node"}, {"node=+1", "'+1' is no NUMA node"},
	        {"node= 1", "' 1' is no NUMA node"}, {"node=1024", "'1024' is no NUMA node"},
	        {"node=99999999999999999999", "is no NUMA node"}, {"node=0&node=0", "two nodes"},
	        {"node=0&", "'' is no option"}, {"node=0&foo=1", "'foo=1' is no option"},
	        {"node=0?node=0", "'0?node=0' is no NUMA node"},
	        {"node=1023", "no NUMA node 1023"}, /* well-formed, but no machine of ours has that many */
	};
	struct lg_pod_config config;
	struct region region;
	static struct lg_pod_info info;
	unit_pod_config(&config);
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		char uri[160];
		const char *piece = options[i][1];
		snprintf(uri, sizeof uri, "shm:%s?%s", m->name, options[i][0]);
		unit_expect_error(LG_INVALID, lg_pod_create(uri, &config, &err), &err, piece);
		unit_expect_error(LG_INVALID, lg_pod_info(uri, &info, &err), &err, piece);
		unit_expect_error(LG_INVALID, region_attach(uri, 0, &region, &err), &err, piece);
		if (i + 1 < sizeof options / sizeof options[0])
			unit_expect_error(LG_INVALID, lg_pod_destroy(uri, true, &err), &err, piece);
	}
	unit_expect_error(LG_INVALID, lg_pod_create("shm:?node=0", &config, &err), &err, "the name is empty");
	assert_int_equal(access(m->path, F_OK), -1);
}

/* On every node of this machine that has the memory. */
static void the_real_kernel_places_and_tells_the_truth(void **state)
{
	struct machine *m = *state;
	struct lg_pod_config config;
	struct region region;
	struct node_memory memory;
	int last = -1, used = 0;
	char uri[100];
	unit_pod_config(&config);
	for (int node = 0; node < MAX_NUMA_NODES; node++) {
		if (!node_memory_of("/sys", (unsigned)node, &memory) || memory.free_bytes < 4 * REGION_BYTES)
			continue;
		snprintf(uri, sizeof uri, "shm:%s?node=%d", m->name, node);
		int code = lg_pod_create(uri, &config, &err);
		if (code == LG_SYSTEM && strstr(err.message, "mbind: "))
			skip(); /* a container that does not allow it, or not for this node */
		if (code)
			fail_msg("%s", err.message);
		assert_int_equal(region_attach(uri, 0, &region, &err), LG_OK);
		region_detach(&region);
		if (last >= 0) {
			snprintf(uri, sizeof uri, "shm:%s?node=%d", m->name, last);
			unit_expect_error(
			        LG_MISMATCH, region_attach(uri, 0, &region, &err), &err, "2560 lie elsewhere");
		}
		assert_int_equal(lg_pod_destroy(uri, false, &err), LG_OK);
		last = node;
		used++;
	}
	if (!used)
		skip(); /* a kernel without NUMA */
}

#define NUMA_TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        NUMA_TEST(a_region_is_bound_whole_before_its_first_touch_and_looked_at),
	        NUMA_TEST(without_a_node_the_kernel_is_not_asked),
	        NUMA_TEST(pages_that_landed_elsewhere_refuse_the_region_and_remove_it),
	        NUMA_TEST(attach_refuses_pages_that_lie_elsewhere_and_moves_nothing),
	        NUMA_TEST(a_kernel_that_forbids_binding_or_looking_is_told_about),
	        NUMA_TEST(pages_of_which_the_kernel_does_not_tell_count_as_nowhere),
	        NUMA_TEST(nodes_that_do_not_exist_or_have_no_memory_are_refused),
	        NUMA_TEST(a_kernel_without_numa_is_named_as_the_reason),
	        NUMA_TEST(a_node_with_too_little_free_memory_is_refused_before_it_is_used),
	        NUMA_TEST(of_a_large_region_evenly_spread_pages_are_looked_at),
	        NUMA_TEST(options_that_make_no_sense_are_refused_by_every_call),
	        NUMA_TEST(the_real_kernel_places_and_tells_the_truth),
	};
	return cmocka_run_group_tests_name("region_numa", tests, NULL, NULL);
}
