/* histogram.c: log-linear latency buckets (histogram.h).
 *
 * A value below 2^SUB_BITS has a bucket of its own. A greater one, whose highest bit is b, goes by its highest
 * SUB_BITS + 1 bits: row b - SUB_BITS + 1, and in it one of 2^SUB_BITS columns of 2^(b - SUB_BITS) values each.
 */
#include "histogram.h"

#include <assert.h>

enum { SUB_BUCKETS = 1 << HISTOGRAM_SUB_BITS };

static uint32_t bucket_of(uint64_t ns)
{
	if (ns < SUB_BUCKETS)
		return (uint32_t)ns;
	uint32_t high = 63u - (uint32_t)__builtin_clzll(ns);
	uint32_t shift = high - HISTOGRAM_SUB_BITS;
	uint32_t bucket = ((shift + 1) << HISTOGRAM_SUB_BITS) + (uint32_t)(ns >> shift) - SUB_BUCKETS;
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The greatest value that goes into `bucket`. */
static uint64_t bucket_end(uint32_t bucket)
{
	assert(bucket < HISTOGRAM_BUCKETS);
	if (bucket < SUB_BUCKETS)
		return bucket;
	uint32_t shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	uint64_t column = (bucket & (SUB_BUCKETS - 1)) + SUB_BUCKETS;
	return ((column + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->bucket[bucket_of(ns)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t histogram_quantile_ns(const struct histogram *h, double fraction)
{
	if (h->count == 0)
		return 0;
	double exact = fraction * (double)h->count;
	uint64_t wanted = (uint64_t)exact, seen = 0;
	if ((double)wanted < exact || wanted == 0)
		wanted++;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += h->bucket[i];
		if (seen >= wanted)
			return bucket_end(i) < h->max_ns ? bucket_end(i) : h->max_ns;
	}
	/* The last bucket also holds what is too great for all: only the maximum bounds it. */
	return h->max_ns;
}
