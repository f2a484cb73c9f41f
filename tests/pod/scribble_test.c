/* scribble_test.c: random bytes over the software-coherent part of a live pod. Codes may be anything, contents are lost,
 * but no host crashes and none hangs: bytes of the region are input.
 *
 * The hosts run in a child process, with threads that count their transactions in memory shared with the parent. The parent
 * scribbles over the mapped region, a stroke every few transactions, then tells the child to stop by closing a pipe, and
 * looks how it ended. */
#include "common/pod_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOSTS 2
#define ROWS  2000

struct victim {
	struct pod_fixture *f;
	uint32_t host;
	uint64_t random;
	atomic_bool *stop;
	atomic_ullong *done;
	uint64_t codes[LG_CODE_COUNT];
};

static int touch_row(struct victim *v, struct lg_txn *txn)
{
	struct lg_table *table = v->f->rows[v->host];
	struct lg_slice key = pod_key_on((uint32_t)(pod_random(&v->random) % HOSTS), pod_random(&v->random) % ROWS),
	                val;
	static const uint8_t value[2000];
	size_t bytes = pod_random(&v->random) % sizeof(value);
	void *edit;
	struct lg_scan *scan;
	int code;
	switch (pod_random(&v->random) % 6) {
	case 0: return lg_put(txn, table, key, lg_slice(value, bytes));
	case 1:
		code = lg_edit(txn, table, key, &edit, &bytes);
		if (code == LG_OK)
			memset(edit, 7, bytes);
		return code;
	case 2: return lg_del(txn, table, key);
	case 3:
		code = lg_scan_open(txn, table, key, lg_slice(NULL, 0), pod_random(&v->random) % 4, 20, &scan);
		while (code == LG_OK)
			code = lg_scan_next(scan, &key, &val);
		return code;
	default:
		code = lg_get(txn, table, key, &val);
		/* Whatever it gives can be read. */
		for (size_t i = 0; code == LG_OK && i < val.bytes; i++)
			v->codes[0] += ((const uint8_t *)val.data)[i] == 1;
		return code;
	}
}

static void *victim_main(void *arg)
{
	struct victim *v = arg;
	while (!atomic_load(v->stop)) {
		struct lg_txn *txn;
		int code = lg_txn_begin(v->f->worker[v->host], &txn);
		for (int i = 0; i < 5 && (code == LG_OK || code == LG_NOTFOUND || code == LG_END); i++)
			code = touch_row(v, txn);
		if (code == LG_OK || code == LG_NOTFOUND || code == LG_END)
			code = lg_commit(txn);
		else
			lg_abort(txn);
		v->codes[code >= 0 && code < LG_CODE_COUNT ? code : LG_INVALID]++;
		atomic_fetch_add(v->done, 1);
	}
	return NULL;
}

static void serve_until_told(struct pod_fixture *f, atomic_ullong *done, uint64_t seed, int in, int out)
{
	atomic_bool stop = false;
	struct victim victims[HOSTS];
	pthread_t threads[HOSTS];
	char byte = 'r';
	for (uint32_t i = 0; i < HOSTS; i++) {
		victims[i] = (struct victim){.f = f, .host = i, .random = seed + i, .stop = &stop, .done = done};
		if (pthread_create(&threads[i], NULL, victim_main, &victims[i]) != 0)
			_exit(2);
	}
	if (write(out, &byte, 1) != 1)
		_exit(2);
	while (read(in, &byte, 1) == 1)
		continue;
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < HOSTS; i++) {
		pthread_join(threads[i], NULL);
		for (int code = 0; code < LG_CODE_COUNT; code++) {
			if (victims[i].codes[code] != 0)
				printf("  host %u: %llu times: %s\n", i, (unsigned long long)victims[i].codes[code],
				        lg_strerror(code));
		}
	}
	fflush(stdout);
}

/* In the child: never returns to cmocka. The parent, which outlives us, removes the region. */
static void child_main(const char *name, atomic_ullong *done, uint64_t seed, int in, int out)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
	struct lg_pod_config pod;
	struct lg_host_config host;
	static uint8_t value[1000];
	/* A hang is a failure, too; and cmocka would catch what must end us. */
	alarm(120);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
		signal(fatal[i], SIG_DFL);
	pod_config_small(&pod, HOSTS);
	pod.swcc_bytes = UINT64_C(96) << 20;
	lg_host_config_init(&host);
	host.request_timeout_ms = 200;
	struct pod_fixture *f = pod_open_as(name, &pod, &host, HOSTS);
	for (uint64_t i = 0; i < ROWS; i++) {
		for (uint32_t id = 0; id < HOSTS; id++) {
			if (lg_load(f->worker[id], f->rows[id], pod_key_on(id, i),
			            lg_slice(value, i % sizeof(value))) != LG_OK)
				_exit(2);
		}
	}
	serve_until_told(f, done, seed, in, out);
	/* Leaving must work as well. */
	for (uint32_t id = 0; id < HOSTS; id++) {
		if (lg_worker_close(f->worker[id]) != LG_OK || lg_host_close(f->host[id]) != LG_OK)
			_exit(3);
	}
	_exit(0);
}

/* Overwrites a run of 1 to 300 bytes: with noise, zeros, ones, or what stands elsewhere; or turns one bit. */
static void stroke(uint8_t *swcc, size_t bytes, uint64_t *seed)
{
	uint8_t noise[300];
	size_t run = 1 + pod_random(seed) % sizeof(noise);
	/* Half of the strokes go to the first 2 MiB, where what is fixed lies. */
	size_t span = pod_random(seed) % 2 == 0 && bytes > (2 << 20) ? 2 << 20 : bytes;
	size_t at = pod_random(seed) % (span - run), other = pod_random(seed) % (bytes - run);
	switch (pod_random(seed) % 5) {
	case 0: memset(swcc + at, 0, run); break;
	case 1: memset(swcc + at, 0xff, run); break;
	case 2: memmove(swcc + at, swcc + other, run); break;
	case 3: swcc[at] = (uint8_t)(swcc[at] ^ 1u << pod_random(seed) % 8); break;
	default:
		pod_fill(noise, sizeof(noise), pod_random(seed));
		memcpy(swcc + at, noise, run);
		break;
	}
}

/* `strokes` strokes, one each `pace` transactions of the hosts: that they stand still (waiting for one another's answers)
 * is no failure, so after some seconds it scribbles on regardless. */
static void scribble(uint8_t *swcc, size_t bytes, atomic_ullong *done, uint64_t seed, uint64_t strokes, uint64_t pace)
{
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (uint64_t i = 0; i < strokes; i++) {
		uint64_t next = atomic_load(done) + pace;
		stroke(swcc, bytes, &seed);
		do {
			sched_yield();
			clock_gettime(CLOCK_MONOTONIC, &now);
		} while (atomic_load(done) < next && now.tv_sec - begin.tv_sec < 5);
	}
}

static void scribble_over(const char *name, atomic_ullong *done, uint64_t seed, uint64_t strokes, uint64_t pace)
{
	static struct lg_pod_info info;
	struct lg_error err;
	char uri[80], path[80];
	snprintf(uri, sizeof(uri), "shm:%s", name);
	snprintf(path, sizeof(path), "/%s", name);
	OK(lg_pod_info(uri, &info, &err));
	int fd = shm_open(path, O_RDWR, 0);
	assert_true(fd >= 0);
	uint8_t *map = mmap(NULL, info.region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	close(fd);
	uint8_t *swcc = map + info.config.hwcc_bytes;
	scribble(swcc, info.region_bytes - info.config.hwcc_bytes, done, seed, strokes, pace);
	munmap(map, info.region_bytes);
}

/* One pod, with its hosts in a child. */
static void scribble_round(atomic_ullong *done, uint64_t seed, uint64_t strokes, uint64_t pace)
{
	int to[2], from[2], status = 0;
	char name[64], uri[80], byte;
	struct lg_error err;
	pod_private_name(name, sizeof(name));
	snprintf(uri, sizeof(uri), "shm:%s", name);
	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(to[1]);
		close(from[0]);
		child_main(name, done, seed, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	if (read(from[0], &byte, 1) == 1)
		scribble_over(name, done, seed, strokes, pace);
	close(to[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(from[0]);
	int code = lg_pod_destroy(uri, true, &err);
	if (WIFSIGNALED(status))
		fail_msg("SEED=%llu: the hosts died of signal %d (%s)", (unsigned long long)seed, WTERMSIG(status),
		        strsignal(WTERMSIG(status)));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("SEED=%llu: the hosts ended with %d", (unsigned long long)seed, WEXITSTATUS(status));
	OK(code);
}

static void a_scribbled_over_pod_crashes_no_host(void **state)
{
	uint64_t seed = pod_seed(), rounds = pod_scaled(4);
	atomic_ullong *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	(void)state;
	assert_true(done != MAP_FAILED);
	signal(SIGPIPE, SIG_IGN);
	for (uint64_t round = 0; round < rounds; round++)
		scribble_round(done, seed + round, round % 2 == 0 ? 500 : 20000, round % 2 == 0 ? 50 : 2);
	munmap(done, sizeof(*done));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_scribbled_over_pod_crashes_no_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
