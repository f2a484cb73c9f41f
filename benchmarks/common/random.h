/* random.h: the benchmarks' random numbers (xoshiro256**, Blackman and Vigna 2018; seeded by splitmix64). */
#ifndef LIGER_BENCH_RANDOM_H
#define LIGER_BENCH_RANDOM_H

#include <stdint.h>

struct bench_random {
	uint64_t state[4];
};

static inline uint64_t bench_splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline void bench_random_seed(struct bench_random *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->state[i] = bench_splitmix(&seed);
}

static inline uint64_t bench_random_next(struct bench_random *r)
{
	uint64_t *s = r->state, result = s[1] * 5, t = s[1] << 17;
	result = ((result << 7) | (result >> 57)) * 9;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = (s[3] << 45) | (s[3] >> 19);
	return result;
}

/* Uniform in 0..n-1, n >= 1, without a division (Lemire's multiplication; the bias is under n / 2^64). */
static inline uint64_t bench_random_below(struct bench_random *r, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)bench_random_next(r) * n) >> 64);
}

/* Uniform in low..high. */
static inline uint32_t bench_random_range(struct bench_random *r, uint32_t low, uint32_t high)
{
	return low + (uint32_t)bench_random_below(r, (uint64_t)high - low + 1);
}

/* Uniform in [0, 1). */
static inline double bench_random_unit(struct bench_random *r)
{
	return (double)(bench_random_next(r) >> 11) * 0x1.0p-53;
}

#endif
