/* yardstick.c: how fast is this machine, right now, at what a memory-resident transaction engine does?
 *
 * A stand-in for a noisy machine's speed, so that figures taken on different days and machines can be compared as
 * ratios. One "yard" is 40 point accesses. Each walks a 4-level tree of 512-byte nodes (binary search over 8-byte keys,
 * 1,048,576 rows of 256 bytes, so that most last-level nodes and rows miss every cache), takes the row's 8-byte word by
 * compare-and-swap, copies 256 bytes out, changes 8 and copies them back, and releases the word. Each thread has its own
 * tree.
 *
 * It knows nothing of Liger and must stay as it is: another yardstick would make all figures in yards meaningless.
 *
 * usage: yardstick [threads=2] [seconds=3]     prints yards/s in all
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { FAN = 32, LEVELS = 4, ROWS = FAN * FAN * FAN * FAN, ROW_BYTES = 256, ACCESSES = 40 };

struct row {
	_Atomic uint64_t word;
	unsigned char bytes[ROW_BYTES];
};

struct node {
	uint64_t key[FAN];
	void *child[FAN];
};

struct tree {
	struct node *root;
	struct node *nodes;
	struct row *rows;
};

static atomic_bool stop;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void *allocate(size_t bytes)
{
	const size_t huge = 2u << 20;
	bytes = (bytes + huge - 1) & ~(huge - 1);
	void *memory = aligned_alloc(huge, bytes);
	if (!memory) {
		fprintf(stderr, "yardstick: out of memory (%zu bytes)\n", bytes);
		exit(1);
	}
	/* Where the kernel has no huge pages to give, the yards are fewer, as an engine's transactions are. */
	madvise(memory, bytes, MADV_HUGEPAGE);
	return memset(memory, 0, bytes);
}

/* Keys are 0, 1, 2, ...; nodes and rows are laid out in a shuffled order. */
static void build(struct tree *tree, uint64_t seed)
{
	size_t node_count = 0, width = 1;
	for (int level = 0; level < LEVELS; level++, width *= FAN)
		node_count += width;
	tree->nodes = allocate(node_count * sizeof(struct node));
	tree->rows = allocate((size_t)ROWS * sizeof(struct row));
	uint32_t *place = allocate((size_t)ROWS * sizeof *place);
	for (uint32_t i = 0; i < ROWS; i++)
		place[i] = i;
	for (uint32_t i = ROWS - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(next_random(&seed) % (i + 1)), t = place[i];
		place[i] = place[j];
		place[j] = t;
	}
	struct node *level_start = tree->nodes;
	width = 1;
	tree->root = level_start;
	for (int level = 0; level < LEVELS; level++) {
		struct node *below = level_start + width;
		uint64_t span = ROWS / width;
		for (size_t n = 0; n < width; n++)
			for (int c = 0; c < FAN; c++) {
				level_start[n].key[c] = n * span + (uint64_t)c * (span / FAN);
				level_start[n].child[c] = level == LEVELS - 1
				                                  ? (void *)&tree->rows[place[n * FAN + (size_t)c]]
				                                  : (void *)&below[n * FAN + (size_t)c];
			}
		level_start = below;
		width *= FAN;
	}
	free(place);
}

static struct row *find(const struct tree *tree, uint64_t key)
{
	const struct node *node = tree->root;
	for (int level = 0;; level++) {
		int low = 0;
		for (int half = FAN / 2; half; half /= 2)
			if (node->key[low + half] <= key)
				low += half;
		if (level == LEVELS - 1)
			return node->child[low];
		node = node->child[low];
	}
}

static void *work(void *argument)
{
	long id = (long)argument;
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET((size_t)id, &cpus);
	/* Fewer CPUs than threads: then they share, and the figure says so. */
	pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
	struct tree tree;
	uint64_t seed = 88172645463325252u + (uint64_t)id * 7919, yards = 0;
	build(&tree, seed);
	unsigned char copy[ROW_BYTES];
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		for (int a = 0; a < ACCESSES; a++) {
			struct row *row = find(&tree, next_random(&seed) % ROWS);
			uint64_t seen = atomic_load(&row->word);
			atomic_compare_exchange_strong(&row->word, &seen, seen | 1);
			memcpy(copy, row->bytes, ROW_BYTES);
			copy[seed % ROW_BYTES]++;
			memcpy(row->bytes, copy, ROW_BYTES);
			atomic_store(&row->word, (seen & ~(uint64_t)1) + 2);
		}
		yards++;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	double seconds = (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
	double *rate = malloc(sizeof *rate);
	if (!rate) {
		fprintf(stderr, "yardstick: out of memory\n");
		exit(1);
	}
	*rate = (double)yards / seconds;
	return rate;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 2, seconds = argc > 2 ? atol(argv[2]) : 3;
	if (threads < 1 || threads > 64 || seconds < 1) {
		fprintf(stderr, "usage: yardstick [threads 1..64] [seconds]\n");
		return 2;
	}
	pthread_t handle[64];
	for (long t = 0; t < threads; t++) {
		int code = pthread_create(&handle[t], NULL, work, (void *)t);
		if (code != 0) {
			fprintf(stderr, "yardstick: cannot start thread %ld: %s\n", t, strerror(code));
			return 1;
		}
	}
	struct timespec pause = {seconds + 2, 0};
	nanosleep(&pause, NULL);
	atomic_store(&stop, true);
	double sum = 0;
	for (long t = 0; t < threads; t++) {
		void *rate;
		pthread_join(handle[t], &rate);
		sum += *(double *)rate;
		free(rate);
	}
	printf("%.0f\n", sum);
	return 0;
}
