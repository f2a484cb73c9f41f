/* fuzz_check.c: lg_pod_check() of a pod with rows, over which the input has scribbled (fuzz.h: strokes). It may find what it likes. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

/* The members' lines: cxl/layout.h. */
enum { ROWS = 200, HOSTS = 2, MEMBERS_AT = 0x2000, MEMBERS_BYTES = 0x2000 };

static struct fuzz_pod pod;

static void found(const struct lg_check_finding *finding, void *argument)
{
	unsigned *count = argument;
	*count += finding->rule[0] && finding->text[0];
}

static void expect(int code, const char *what)
{
	if (code != LG_OK)
		fuzz_fail("%s: %s", what, lg_strerror(code));
}

static int write_row(struct lg_txn *txn, void *argument)
{
	static unsigned number;
	char key[32], value[400] = "value";
	int bytes = snprintf(key, sizeof key, "%08u", number % ROWS);
	number++;
	return lg_put(txn, argument, lg_slice(key, (size_t)bytes), lg_slice(value, number % sizeof value));
}

/* Rows on both hosts, written by the other: so they lie in frames, and the image that is kept shows them there. */
static void fill(void)
{
	struct lg_table_def def = {.name = "rows", .by = LG_HASH, .prefix_bytes = 8, .partitions = 8};
	struct lg_host *host[HOSTS];
	struct lg_table *table[HOSTS];
	struct lg_worker *worker[HOSTS];
	struct lg_host_config config;
	struct lg_error err;
	lg_host_config_init(&config);
	for (unsigned id = 0; id < HOSTS; id++) {
		config.host_id = id;
		expect(lg_host_open(pod.uri, &config, &host[id], &err), "lg_host_open");
		expect(lg_table_create(host[id], &def, &table[id], &err), "lg_table_create");
		expect(lg_worker_open(host[id], &worker[id], &err), "lg_worker_open");
	}
	for (unsigned i = 0; i < ROWS * HOSTS; i++)
		expect(lg_run(worker[i / ROWS], write_row, table[i / ROWS]), "lg_run");
	fuzz_pod_keep(&pod);
	for (unsigned id = 0; id < HOSTS; id++) {
		expect(lg_worker_close(worker[id]), "lg_worker_close");
		expect(lg_host_close(host[id]), "lg_host_close");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input input = {data, bytes};
	struct lg_check_report report;
	struct lg_error err;
	unsigned count = 0;
	if (!pod.map) {
		struct lg_pod_config config;
		fuzz_pod_config(&config);
		fuzz_pod_make(&pod, &config);
		fill();
		/* The rows as they were, and the members as they are now, gone: so that one look is enough. */
		memcpy(pod.image + MEMBERS_AT, pod.map + MEMBERS_AT, MEMBERS_BYTES);
		memcpy(pod.map, pod.image, pod.bytes);
	}
	fuzz_pod_scribble(&pod, input);
	int code = lg_pod_check(pod.uri, 0, found, &count, &report, &err);
	if (code != LG_OK && !err.message[0])
		fuzz_fail("lg_pod_check() returned %d without a message", code);
	fuzz_pod_restore(&pod, input);
	return 0;
}
