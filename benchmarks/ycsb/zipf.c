/* zipf.c: the constants and the table of a Zipf distribution (zipf.h). */
#include "zipf.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Sum of 1 / i^theta over i = 1..n. From a million on, by the Euler-Maclaurin formula: its error is below 1e-12. */
static double zeta(uint64_t n, double theta)
{
	const uint64_t exact = 1000000;
	uint64_t count = n < exact ? n : exact;
	double sum = 0;

	for (uint64_t i = 1; i <= count; i++)
		sum += pow((double)i, -theta);
	if (n > count) {
		double a = (double)count, b = (double)n;

		sum += (pow(b, 1 - theta) - pow(a, 1 - theta)) / (1 - theta) + (pow(b, -theta) - pow(a, -theta)) / 2;
	}
	return sum;
}

static double rank_at(const struct zipf *z, double u)
{
	double base = z->eta * (u - 1) + 1;

	/* Negative only where u means number 0 or 1. */
	return base > 0 ? (double)z->n * pow(base, z->alpha) : 0;
}

uint64_t zipf_exact(const struct zipf *z, double u)
{
	uint64_t rank = (uint64_t)rank_at(z, u);

	return rank < z->n ? rank : z->n - 1;
}

void zipf_init(struct zipf *z, uint64_t n, double theta)
{
	assert(n >= 3 && theta >= 0 && theta <= 0.99);
	memset(z, 0, sizeof(*z));
	z->n = n;
	z->uniform = theta == 0;
	if (z->uniform)
		return;

	double two = 1 + pow(0.5, theta);
	z->alpha = 1 / (1 - theta);
	z->zeta = zeta(n, theta);
	z->second = two;
	z->eta = (1 - pow(2.0 / (double)n, 1 - theta)) / (1 - two / z->zeta);
	for (uint32_t i = 0; i <= ZIPF_SEGMENTS; i++)
		z->rank[i] = rank_at(z, (double)i / ZIPF_SEGMENTS);
}
