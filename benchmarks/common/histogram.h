/* histogram.h: latencies in log-linear buckets: 32 a power of two, so a value is known within 3.2%. Nanoseconds, up to
 * 2^40 (18 minutes); merged by adding. */
#ifndef LIGER_BENCH_HISTOGRAM_H
#define LIGER_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_SUB_BITS = 5,
	HISTOGRAM_MAX_BITS = 40,
	HISTOGRAM_BUCKETS = (HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS
};

struct histogram {
	uint64_t count, sum_ns, max_ns;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The least value that `fraction` (0..1) of all values do not exceed (a bucket's upper end, at most the maximum); 0 if
 * empty. */
uint64_t histogram_quantile_ns(const struct histogram *h, double fraction);

#endif
