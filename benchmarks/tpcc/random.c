/* random.c: TPC-C's random numbers, strings and names (clauses 2.1.6 and 4.3.2). */
#include <time.h>

#include "tpcc.h"

void tpcc_stream(struct bench_random *r, uint64_t seed, uint32_t purpose, uint32_t number)
{
	uint64_t mixed = (uint64_t)purpose << 32 | number;
	bench_random_seed(r, seed ^ bench_splitmix(&mixed));
}

void tpcc_set_constants(struct tpcc *t, uint64_t seed)
{
	struct bench_random r;
	uint32_t delta;

	tpcc_stream(&r, seed, 1, 0);
	t->c_customer = bench_random_range(&r, 0, 1023);
	t->c_item = bench_random_range(&r, 0, 8191);
	t->c_last_load = bench_random_range(&r, 0, 255);
	do
		delta = bench_random_range(&r, 65, 119);
	while (delta == 96 || delta == 112);
	/* 255 is more than twice the greatest distance, so one of the two directions stays within 0..255. */
	t->c_last_run = t->c_last_load + delta <= 255 ? t->c_last_load + delta : t->c_last_load - delta;
}

void tpcc_last_name(uint32_t number, char name[TPCC_NAME_BYTES])
{
	static const char syllable[10][8] = {
	        "BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING"};
	static const uint8_t length[10] = {3, 5, 4, 3, 4, 3, 4, 5, 5, 4};
	uint32_t digit[3] = {number / 100 % 10, number / 10 % 10, number % 10}, at = 0;

	memset(name, 0, TPCC_NAME_BYTES);
	for (uint32_t i = 0; i < 3; i++) {
		memcpy(name + at, syllable[digit[i]], length[digit[i]]);
		at += length[digit[i]];
	}
}

/* Four characters of each random number: 16 bits, scaled down to the alphabet. */
static void fill(struct bench_random *r, char *field, uint32_t bytes, const char *alphabet, uint32_t letters)
{
	for (uint32_t at = 0; at < bytes;) {
		uint64_t bits = bench_random_next(r);
		for (uint32_t i = 0; i < 4 && at < bytes; i++, bits >>= 16)
			field[at++] = alphabet[((bits & 0xffff) * letters) >> 16];
	}
}

uint32_t tpcc_letters(struct bench_random *r, char *field, uint32_t field_bytes, uint32_t low, uint32_t high)
{
	uint32_t bytes = low == high ? low : bench_random_range(r, low, high);

	fill(r, field, bytes, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 62);
	memset(field + bytes, 0, field_bytes - bytes);
	return bytes;
}

void tpcc_digits(struct bench_random *r, char *field, uint32_t bytes)
{
	fill(r, field, bytes, "0123456789", 10);
}

uint32_t tpcc_random_remote(struct bench_worker *w, uint32_t home, bool hosts)
{
	const struct tpcc_worker *state = tpcc_state(w);
	uint32_t all = tpcc_of(w)->warehouses, first = home, count = 1, remote;

	if (hosts && w->bench->host_count > 1) {
		first = state->host_first_w;
		count = state->host_warehouses;
	}
	if (all == count)
		return home;
	remote = 1 + (uint32_t)bench_random_below(&w->random, all - count);
	return remote < first ? remote : remote + count;
}

uint64_t tpcc_now_us(void)
{
	struct timespec now;
	/* The coarse clock is read without a system call and is finer than the second that clause 1.3 asks for. */
	int rc = clock_gettime(CLOCK_REALTIME_COARSE, &now);
	assert(rc == 0);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
