/* unit_pod.h: a small pod of a private name, attached but not joined, for the tests of src/cxl. */
#ifndef LIGER_TESTS_UNIT_UNIT_POD_H
#define LIGER_TESTS_UNIT_UNIT_POD_H

#include "common/pod_fixture.h"
#include "cxl/region.h"

struct unit_pod {
	char uri[80];
	struct region region;
	struct cxl_port port;
};

/* 2 MiB of HWcc, 8 MiB of SWcc, 2 hosts, 8 partitions. */
void unit_pod_config(struct lg_pod_config *config);

/* Set-up and tear-down of a test: *state is a struct unit_pod of that configuration. */
int unit_pod_setup(void **state);
int unit_pod_teardown(void **state);

/* The same by hand. */
struct unit_pod *unit_pod_make(const struct lg_pod_config *config);
void unit_pod_end(struct unit_pod *pod);

/* One more port to the same mapping: for one more thread. */
struct cxl_port unit_pod_port(const struct unit_pod *pod);

/* Claims of a code and of a piece of its message. */
void unit_expect_error(int wanted, int got, const struct lg_error *err, const char *piece);

#define UNIT_TEST(claim) cmocka_unit_test_setup_teardown(claim, unit_pod_setup, unit_pod_teardown)

#endif
