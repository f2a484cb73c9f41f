/* pod_fixture.h: a pod of a private name with its hosts in this process, for the tests of the public API.
 *
 * Usual shape: pod_setup_local() or pod_setup_remote() as a test's set-up, pod_teardown() as its tear-down. Then *state
 * is a struct pod_fixture with two hosts, a worker on each, and the table "rows", whose partition p belongs to host p.
 * Tests act on worker[0]; pod_key() makes keys that live on the side the set-up chose: host 0 (local) or host 1 (remote).
 * POD_BOTH() makes two tests of one claim. Whatever a test leaves open, the tear-down closes; what even that leaves, because
 * the set-up failed half way, is removed at exit.
 */
#ifndef LIGER_TESTS_COMMON_POD_FIXTURE_H
#define LIGER_TESTS_COMMON_POD_FIXTURE_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <liger.h>
#include <pthread.h>
#include <stdatomic.h>

#define POD_FIXTURE_HOSTS   4
#define POD_FIXTURE_WORKERS 32
#define POD_LOCAL           0
#define POD_REMOTE          1
#define POD_THIRD           2

struct pod_fixture {
	char name[64]; /* of the region */
	char uri[80];
	uint32_t side;                            /* host that owns what pod_key() makes */
	struct lg_host *host[POD_FIXTURE_HOSTS];  /* NULL: not open */
	struct lg_table *rows[POD_FIXTURE_HOSTS]; /* by range: host p has the keys whose first byte is p * 64 or more */
	struct lg_table *hashed[POD_FIXTURE_HOSTS];  /* 8 partitions by hash of the first 8 bytes */
	struct lg_worker *worker[POD_FIXTURE_HOSTS]; /* one on each host */
	struct lg_worker *more[POD_FIXTURE_WORKERS]; /* from pod_worker() */
	uint32_t more_count;
	pthread_t server[POD_FIXTURE_HOSTS]; /* from pod_serve() */
	uint32_t server_count;
	atomic_bool stop;
};

/* A region name that no other process and no other call has: liger-test-PID-N. */
void pod_private_name(char *name, size_t bytes);

/* A directory of its own under TMPDIR (else /tmp), for a data directory or logs; removed at exit with all that is in it. */
void pod_private_directory(char *path, size_t bytes);

/* A pod with `config` (NULL: 16 MiB of HWcc, 64 MiB of SWcc, 8 partitions) and `host_count` hosts in this process. */
struct pod_fixture *pod_open(
        const struct lg_pod_config *config, const struct lg_host_config *host_config, uint32_t host_count);
/* The same under a name that pod_private_name() gave. */
struct pod_fixture *pod_open_as(const char *name, const struct lg_pod_config *config,
        const struct lg_host_config *host_config, uint32_t host_count);
void pod_config_small(struct lg_pod_config *config, uint32_t host_count);

/* Opens host `id` of the fixture's pod with its tables and worker. */
void pod_open_host(struct pod_fixture *f, uint32_t id, const struct lg_host_config *host_config);
/* Closes its workers and the host. */
void pod_close_host(struct pod_fixture *f, uint32_t id);

void pod_close(struct pod_fixture *f);

int pod_setup_local(void **state);
int pod_setup_remote(void **state);
/* Three hosts; the rows are those of host 2, on which no test runs anything. */
int pod_setup_third(void **state);
int pod_teardown(void **state);

#define POD_LOCAL_TEST(claim)                                                                                          \
	{                                                                                                              \
#claim, claim, pod_setup_local, pod_teardown, NULL                                                     \
	}
#define POD_BOTH(claim)                                                                                                \
	{#claim " [local]", claim, pod_setup_local, pod_teardown, NULL},                                               \
	{                                                                                                              \
#claim " [remote]", claim, pod_setup_remote, pod_teardown, NULL                                        \
	}

#define POD_ALL(claim)                                                                                                 \
	POD_BOTH(claim),                                                                                               \
	{                                                                                                              \
#claim " [third]", claim, pod_setup_third, pod_teardown, NULL                                          \
	}

/* One more worker on a host; the tear-down closes it. */
struct lg_worker *pod_worker(struct pod_fixture *f, uint32_t host);

/* A thread that polls a worker of the host until the tear-down: where a test asks that host for much, its service thread
 * alone, which naps, would make it slow. */
void pod_serve(struct pod_fixture *f, uint32_t host);

/* The key of row `number` on the fixture's side, or on the side that is named: 9 bytes in the order of the numbers.
 * They point into a ring of 64 buffers of this thread. */
struct lg_slice pod_key(const struct pod_fixture *f, uint64_t number);
struct lg_slice pod_key_on(uint32_t host, uint64_t number);
uint64_t pod_key_number(struct lg_slice key);
struct lg_slice pod_text(const char *text);

/* Run `call` and fail, with both codes and the call, if it does not return the code. */
#define OK(call)           pod_expect(LG_OK, call, #call, __FILE__, __LINE__)
#define CODE(wanted, call) pod_expect(wanted, call, #call, __FILE__, __LINE__)
void pod_expect(int wanted, int got, const char *call, const char *file, int line);

/* Begins a transaction on a worker. */
struct lg_txn *pod_begin(struct lg_worker *worker);

/* Transactions of their own, with retries, on worker[host] and table rows[host]; they fail the test on an error. */
void pod_put(struct pod_fixture *f, uint32_t host, struct lg_slice key, struct lg_slice val);
void pod_del(struct pod_fixture *f, uint32_t host, struct lg_slice key);
/* Fails unless the row holds `text`; NULL: unless there is no such row. */
void pod_expect_text(struct pod_fixture *f, uint32_t host, struct lg_slice key, const char *text);
void pod_expect_slice(struct lg_slice got, const char *text);

/* `bytes` bytes that depend on `seed`, and whether they are that. */
void pod_fill(void *data, size_t bytes, uint64_t seed);
bool pod_filled(struct lg_slice val, size_t bytes, uint64_t seed);

/* A small random generator (splitmix64). */
uint64_t pod_random(uint64_t *state);
/* From the environment: SEED, else the clock's; printed. */
uint64_t pod_seed(void);
/* LG_TEST_SCALE percent of `count`, at least 1; 100 without it. */
uint64_t pod_scaled(uint64_t count);

#endif
