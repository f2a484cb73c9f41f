/* unit_pod.c: see unit_pod.h. */
#include "unit/unit_pod.h"

#include <stdio.h>
#include <stdlib.h>

void unit_pod_config(struct lg_pod_config *config)
{
	lg_pod_config_init(config);
	config->hosts = 2;
	config->partitions = 8;
	config->hwcc_bytes = 2 << 20;
	config->swcc_bytes = 8 << 20;
}

struct unit_pod *unit_pod_make(const struct lg_pod_config *config)
{
	struct unit_pod *pod = calloc(1, sizeof *pod);
	char name[64];
	struct lg_error err = {0};
	assert_non_null(pod);
	pod_private_name(name, sizeof name);
	snprintf(pod->uri, sizeof pod->uri, "shm:%s", name);
	if (region_create(pod->uri, config, NULL, &err))
		fail_msg("%s", err.message);
	if (region_attach(pod->uri, 0, &pod->region, &err)) {
		lg_pod_destroy(pod->uri, true, NULL);
		fail_msg("%s", err.message);
	}
	port_init(&pod->port, pod->region.base, &pod->region.geometry);
	return pod;
}

void unit_pod_end(struct unit_pod *pod)
{
	struct lg_error err = {0};
	region_detach(&pod->region);
	int code = lg_pod_destroy(pod->uri, true, &err);
	if (code != LG_OK)
		fail_msg("%s", err.message);
	free(pod);
}

int unit_pod_setup(void **state)
{
	struct lg_pod_config config;
	unit_pod_config(&config);
	*state = unit_pod_make(&config);
	return 0;
}

int unit_pod_teardown(void **state)
{
	unit_pod_end(*state);
	return 0;
}

struct cxl_port unit_pod_port(const struct unit_pod *pod)
{
	struct cxl_port port;
	port_init(&port, pod->region.base, &pod->region.geometry);
	return port;
}

void unit_expect_error(int wanted, int got, const struct lg_error *err, const char *piece)
{
	if (got != wanted)
		fail_msg("returned %d (%s), not %d (%s); the message: %s", got, lg_strerror(got), wanted,
		        lg_strerror(wanted), err->message);
	assert_int_equal(err->code, wanted);
	if (!strstr(err->message, piece))
		fail_msg("the message does not say \"%s\": %s", piece, err->message);
}
