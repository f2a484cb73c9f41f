/* zipf.h: numbers 0..n-1 of which i comes about 1 / (i + 1)^theta times as often as 0 (Gray et al., "Quickly generating
 * billion-record synthetic databases", SIGMOD 1994, as YCSB does it).
 *
 * The first two numbers are exact. For the others Gray takes n * (eta * u - eta + 1)^alpha of a uniform u. The power
 * costs more than a cached read of a row, so here a table of it is interpolated, but for the smallest u, where it bends
 * most: the result differs from Gray's by less than 1% of itself, from theta 0.7 on by less than 0.1%.
 */
#ifndef LIGER_YCSB_ZIPF_H
#define LIGER_YCSB_ZIPF_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/random.h"

enum { ZIPF_SEGMENTS = 2048, ZIPF_EXACT_SEGMENTS = 8 };

struct zipf {
	uint64_t n;
	bool uniform;        /* theta 0 */
	double zeta, second; /* zeta(n, theta); below which u * zeta means number 1 */
	double eta, alpha;
	double rank[ZIPF_SEGMENTS + 1]; /* at u = i / ZIPF_SEGMENTS */
};

/* Gray's formula. */
uint64_t zipf_exact(const struct zipf *z, double u);

/* n >= 3, 0 <= theta <= 0.99. */
void zipf_init(struct zipf *z, uint64_t n, double theta);

static inline uint64_t zipf_next(const struct zipf *z, struct bench_random *random)
{
	if (z->uniform)
		return bench_random_below(random, z->n);

	double u = bench_random_unit(random), uz = u * z->zeta;
	if (uz < z->second)
		return uz < 1 ? 0 : 1;

	double at = u * ZIPF_SEGMENTS;
	uint32_t segment = (uint32_t)at; /* u < 1 */
	if (segment < ZIPF_EXACT_SEGMENTS)
		return zipf_exact(z, u);
	double low = z->rank[segment];
	uint64_t rank = (uint64_t)(low + (at - segment) * (z->rank[segment + 1] - low));
	return rank < z->n ? rank : z->n - 1;
}

#endif
