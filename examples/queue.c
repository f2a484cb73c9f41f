/* queue.c: a queue between two hosts that share memory without coherent caches, by libligersim.
 *
 * One producer, one consumer, each a host: two threads, or with --processes two processes. Message i goes to slot
 * i % slots, some lines that are software-coherent. Two coherent words say how far each side has come:
 *
 *     producer   write the slot; write its lines back; fence; TAIL = i + 1
 *     consumer   see TAIL > i; flush the slot's lines; full fence; read the slot; HEAD = i + 1
 *
 * Each step is needed. Without the write-back the message may be in the producer's cache alone, without the fence it
 * may be on its way still; without the flush the consumer may have the slot's message of a lap ago in its cache, and
 * without the full fence the read may come before the flush is through. On an ordinary machine all of this works by
 * accident, because its caches are coherent. Try
 *
 *     queue --forget flush                           passes
 *     queue --forget flush --emulate incoherent:1    stale, exit code 1
 *     queue --emulate delay:cxl-direct               what it costs on a device
 *
 * Exit codes: 0, every message came whole and in order; 1, one did not, or something failed; 2, usage.
 */
#include <errno.h>
#include <ligersim.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PRODUCER, CONSUMER, HOST_COUNT };

/* Coherent words, each in a line of its own, then the slots. */
enum { TAIL = 0, HEAD = LGS_LINE_BYTES, STOP = 2 * LGS_LINE_BYTES, COHERENT_BYTES = 4 * LGS_LINE_BYTES };

enum forgotten { NOTHING, WRITE_BACK, FENCE, FLUSH, FULL_FENCE };
static const char *const forgotten_names[] = {"nothing", "write-back", "fence", "flush", "full-fence"};

struct options {
	uint64_t messages, slots, message_bytes;
	const char *emulate;
	enum forgotten forget;
	bool processes;
};

/* One side of the queue. */
struct side {
	const struct options *options;
	struct lgs_region *region;
	unsigned host;
	bool failed;
};

struct end {
	struct lgs_thread *thread;
	const struct options *options;
	uint64_t *message; /* private memory for one */
};

static uint64_t slot_offset(const struct options *options, uint64_t i)
{
	return COHERENT_BYTES + i % options->slots * options->message_bytes;
}

/* ---- The queue ---- */

static void pause_a_little(unsigned *spins)
{
	/* The other side may need this processor. */
	if (++*spins % 1024 == 0)
		sched_yield();
	__builtin_ia32_pause();
}

/* Waits until the word is `least` at least. False when the other side has given up. */
static bool wait_for(struct lgs_thread *thread, uint64_t word, uint64_t least)
{
	unsigned spins = 0;
	while (lgs_load(thread, word) < least) {
		if (lgs_load(thread, STOP))
			return false;
		pause_a_little(&spins);
	}
	return true;
}

static bool push(struct end *end, uint64_t i)
{
	const struct options *o = end->options;
	uint64_t slot = slot_offset(o, i);
	if (i >= o->slots && !wait_for(end->thread, HEAD, i - o->slots + 1))
		return false;
	lgs_write(end->thread, slot, end->message, o->message_bytes);
	if (o->forget != WRITE_BACK)
		lgs_write_back(end->thread, slot, o->message_bytes);
	if (o->forget != FENCE)
		lgs_fence(end->thread);
	lgs_store(end->thread, TAIL, i + 1);
	return true;
}

static bool pop(struct end *end, uint64_t i)
{
	const struct options *o = end->options;
	uint64_t slot = slot_offset(o, i);
	if (!wait_for(end->thread, TAIL, i + 1))
		return false;
	if (o->forget != FLUSH)
		lgs_flush(end->thread, slot, o->message_bytes);
	if (o->forget != FULL_FENCE)
		lgs_full_fence(end->thread);
	lgs_read(end->thread, slot, end->message, o->message_bytes);
	lgs_store(end->thread, HEAD, i + 1);
	return true;
}

/* ---- What is sent ---- */

/* Word `n` of message `i`: every message differs from every other in every word. */
static uint64_t content(uint64_t i, uint64_t n)
{
	return (i + 1) * UINT64_C(0x9e3779b97f4a7c15) + n;
}

static bool produce(struct end *end)
{
	for (uint64_t i = 0; i < end->options->messages; i++) {
		for (uint64_t n = 0; n < end->options->message_bytes / 8; n++)
			end->message[n] = content(i, n);
		if (!push(end, i))
			return false;
	}
	return true;
}

static bool consume(struct end *end)
{
	for (uint64_t i = 0; i < end->options->messages; i++) {
		if (!pop(end, i))
			return false;
		for (uint64_t n = 0; n < end->options->message_bytes / 8; n++) {
			if (end->message[n] == content(i, n))
				continue;
			printf("message %ju is stale or torn: word %ju is %016jx, not %016jx\n", (uintmax_t)i,
			        (uintmax_t)n, (uintmax_t)end->message[n], (uintmax_t)content(i, n));
			lgs_store(end->thread, STOP, 1);
			return false;
		}
	}
	return true;
}

/* ---- Two hosts ---- */

static void print_counters(const char *name, const struct lgs_counters *c)
{
	printf("  %-8s  write-backs %ju, flushes %ju, fences %ju, hits %ju, misses %ju, of coherence %ju, stale hits "
	       "%ju\n",
	        name, (uintmax_t)c->write_backs, (uintmax_t)c->flushes, (uintmax_t)c->fences, (uintmax_t)c->hits,
	        (uintmax_t)c->misses, (uintmax_t)c->coherence_misses, (uintmax_t)c->stale_hits);
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void print_speed(const struct options *o, const char *mode, double seconds)
{
	double rate = (double)o->messages / seconds;
	printf("%ju messages of %ju bytes, %s: %.0f messages/s, %.3f GB/s, %.0f ns each\n", (uintmax_t)o->messages,
	        (uintmax_t)o->message_bytes, mode, rate, rate * (double)o->message_bytes * 1e-9, 1e9 / rate);
}

static bool run_end(struct side *side, struct lgs_host *host, struct end *end)
{
	double begin = now_s();
	bool ok = side->host == PRODUCER ? produce(end) : consume(end);
	double seconds = now_s() - begin;
	struct lgs_counters counters = lgs_thread_counters(end->thread);
	if (ok && side->host == CONSUMER)
		print_speed(end->options, lgs_host_mode(host), seconds);
	print_counters(side->host == PRODUCER ? "producer" : "consumer", &counters);
	return ok;
}

/* One host from its beginning to its end. */
static void *run_side(void *argument)
{
	struct side *side = argument;
	struct lgs_error err = {0};
	struct lgs_host *host = NULL;
	struct end end = {.options = side->options, .message = calloc(1, side->options->message_bytes)};
	side->failed = true;
	if (!end.message || lgs_host_open(side->region, side->host, &host, &err) ||
	        lgs_thread_open(host, &end.thread, &err)) {
		/* The other side would wait for ever, and nothing was opened by which to tell it. */
		fprintf(stderr, "queue: %s\n", err.message[0] ? err.message : "no memory");
		exit(1);
	}
	side->failed = !run_end(side, host, &end);
	lgs_thread_close(end.thread);
	lgs_host_close(host);
	free(end.message);
	return NULL;
}

static int run_threads(const struct options *options, const struct lgs_config *config)
{
	struct lgs_error err = {0};
	struct lgs_region *region;
	pthread_t producer;
	if (lgs_region_create(config, &region, &err)) {
		fprintf(stderr, "queue: %s\n", err.message);
		return err.code == LGS_INVALID ? 2 : 1;
	}
	struct side sides[HOST_COUNT] = {{options, region, PRODUCER, false}, {options, region, CONSUMER, false}};
	int error = pthread_create(&producer, NULL, run_side, &sides[PRODUCER]);
	if (error) {
		fprintf(stderr, "queue: cannot start a thread: %s\n", strerror(error));
		lgs_region_close(region);
		return 1;
	}
	run_side(&sides[CONSUMER]);
	pthread_join(producer, NULL);
	lgs_region_close(region);
	return sides[PRODUCER].failed || sides[CONSUMER].failed;
}

/* A process of its own opens the region by its name. */
static int run_process(const struct options *options, const char *name, unsigned host)
{
	struct lgs_error err = {0};
	struct side side = {.options = options, .host = host};
	if (lgs_region_open(name, NULL, &side.region, &err)) {
		fprintf(stderr, "queue: %s\n", err.message);
		return 1;
	}
	run_side(&side);
	lgs_region_close(side.region);
	return side.failed;
}

/* Waits for both; when one has failed the other may wait for it in vain, and is ended. */
static int wait_for_both(pid_t child[HOST_COUNT])
{
	int code = 0;
	for (int left = HOST_COUNT; left > 0; left--) {
		int status;
		pid_t gone = wait(&status);
		if (gone < 0)
			return 1;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		code = 1;
		if (left > 1)
			kill(gone == child[PRODUCER] ? child[CONSUMER] : child[PRODUCER], SIGTERM);
	}
	return code;
}

static void take_signals(void (*how)(int))
{
	(void)signal(SIGINT, how); /* it fails for signals that are none, only */
	(void)signal(SIGTERM, how);
}

static int run_processes(const struct options *options, const struct lgs_config *nameless)
{
	struct lgs_error err = {0};
	struct lgs_config config = *nameless;
	struct lgs_region *region;
	char name[64];
	pid_t child[HOST_COUNT];
	int code = 0;
	/* Whoever interrupts the queue ends the two hosts, and then their region must be removed. */
	take_signals(SIG_IGN);
	snprintf(name, sizeof name, "ligersim-queue-%d", (int)getpid());
	config.name = name;
	if (lgs_region_create(&config, &region, &err)) {
		fprintf(stderr, "queue: %s\n", err.message);
		return err.code == LGS_INVALID ? 2 : 1;
	}
	lgs_region_close(region); /* its name stays */
	for (unsigned host = 0; host < HOST_COUNT && !code; host++) {
		child[host] = fork();
		if (child[host] == 0) {
			take_signals(SIG_DFL);
			exit(run_process(options, name, host));
		}
		if (child[host] > 0)
			continue;
		fprintf(stderr, "queue: cannot start a process: %s\n", strerror(errno));
		if (host > 0)
			kill(child[0], SIGTERM);
		code = 1;
	}
	if (!code)
		code = wait_for_both(child);
	if (lgs_region_destroy(name, &err)) {
		fprintf(stderr, "queue: %s\n", err.message);
		code = 1;
	}
	return code;
}

/* ---- The command line ---- */

static int usage(FILE *out)
{
	fputs("usage: queue [--emulate MODE] [--messages N] [--bytes N] [--slots N] [--processes] [--forget STEP]\n"
	      "  MODE  direct, delay:PROFILE, incoherent[:SEED]\n"
	      "  STEP  write-back, fence, flush, full-fence: what to leave out\n",
	        out);
	return out == stdout ? 0 : 2;
}

static bool take_number(const char *text, uint64_t max, uint64_t *number)
{
	char *end;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || n < 1 || n > max)
		return false;
	*number = n;
	return true;
}

static bool take_forgotten(const char *text, enum forgotten *forget)
{
	for (int i = 0; i < (int)(sizeof forgotten_names / sizeof forgotten_names[0]); i++) {
		if (strcmp(text, forgotten_names[i]) != 0)
			continue;
		*forget = (enum forgotten)i;
		return true;
	}
	return false;
}

static bool take_option(struct options *o, const char *name, const char *value)
{
	if (strcmp(name, "--emulate") == 0)
		return (o->emulate = value) != NULL;
	if (strcmp(name, "--messages") == 0)
		return take_number(value, UINT64_C(1) << 40, &o->messages);
	if (strcmp(name, "--bytes") == 0)
		return take_number(value, 1 << 20, &o->message_bytes) && o->message_bytes % LGS_LINE_BYTES == 0;
	if (strcmp(name, "--slots") == 0)
		return take_number(value, 1 << 16, &o->slots);
	return strcmp(name, "--forget") == 0 && take_forgotten(value, &o->forget);
}

int main(int argc, char **argv)
{
	struct options options = {.messages = 100000, .slots = 64, .message_bytes = 4 * LGS_LINE_BYTES};
	struct lgs_config config;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return usage(stdout);
		if (strcmp(argv[i], "--processes") == 0)
			options.processes = true;
		else if (i + 1 == argc || !take_option(&options, argv[i], argv[i + 1]))
			return usage(stderr);
		else
			i++;
	}
	lgs_config_init(&config);
	config.coherent_bytes = COHERENT_BYTES;
	config.bytes = COHERENT_BYTES + options.slots * options.message_bytes;
	config.hosts = HOST_COUNT;
	config.emulate = options.emulate;
	return options.processes ? run_processes(&options, &config) : run_threads(&options, &config);
}
