/* histogram_test.c: benchmarks/common/histogram.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../benchmarks/common/histogram.h"
#include "../../benchmarks/common/random.h"

static struct histogram *new_histogram(void)
{
	struct histogram *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	return h;
}

static void assert_within_bucket(uint64_t got, uint64_t exact)
{
	assert_true(got >= exact);
	assert_true((double)(got - exact) <= (double)exact / (1 << HISTOGRAM_SUB_BITS) + 1);
}

static void empty_histogram_has_quantile_zero(void **state)
{
	struct histogram *h = new_histogram();

	(void)state;
	assert_int_equal(histogram_quantile_ns(h, 0.5), 0);
	assert_int_equal(histogram_quantile_ns(h, 1), 0);
	free(h);
}

static void small_values_are_exact(void **state)
{
	struct histogram *h = new_histogram();

	(void)state;
	for (uint64_t ns = 0; ns < 64; ns++)
		histogram_add(h, ns);
	assert_int_equal(histogram_quantile_ns(h, 0), 0);
	assert_int_equal(histogram_quantile_ns(h, 0.5), 31);
	assert_int_equal(histogram_quantile_ns(h, 0.25), 15);
	assert_int_equal(histogram_quantile_ns(h, 1), 63);
	free(h);
}

/* Every value alone: a quantile of one value is that value, because a bucket's end is cut off at the maximum; and the
 * bucket must not end below it. */
static void one_value_is_its_own_quantile_at_every_magnitude(void **state)
{
	(void)state;
	for (uint32_t bit = 0; bit < HISTOGRAM_MAX_BITS; bit++)
		for (int64_t delta = -1; delta <= 1; delta++) {
			struct histogram *h = new_histogram();
			uint64_t ns = (uint64_t)((INT64_C(1) << bit) + delta);

			histogram_add(h, ns);
			assert_int_equal(histogram_quantile_ns(h, 0.5), ns);
			assert_int_equal(h->max_ns, ns);
			free(h);
		}
}

static void bucket_of_a_value_ends_within_its_error(void **state)
{
	(void)state;
	for (uint64_t ns = 1; ns < UINT64_C(1) << (HISTOGRAM_MAX_BITS - 1); ns += ns / 7 + 1) {
		struct histogram *h = new_histogram();

		histogram_add(h, ns);
		histogram_add(h, UINT64_C(1) << (HISTOGRAM_MAX_BITS - 1)); /* so that the maximum does not cut off */
		assert_within_bucket(histogram_quantile_ns(h, 0.5), ns);
		free(h);
	}
}

static void quantile_of_uniform_values_is_within_bucket_error(void **state)
{
	struct histogram *h = new_histogram();
	const uint64_t count = 100000;
	static const double fractions[] = {0.01, 0.5, 0.95, 0.99, 0.999};

	(void)state;
	for (uint64_t i = 1; i <= count; i++)
		histogram_add(h, i * 10);
	for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++)
		assert_within_bucket(
		        histogram_quantile_ns(h, fractions[i]), (uint64_t)(fractions[i] * (double)count) * 10);
	assert_int_equal(histogram_quantile_ns(h, 1), count * 10);
	assert_int_equal(h->sum_ns, 10 * count * (count + 1) / 2);
	free(h);
}

static void quantiles_never_fall(void **state)
{
	struct histogram *h = new_histogram();
	struct bench_random random;
	uint64_t before = 0;

	(void)state;
	bench_random_seed(&random, 1);
	for (int i = 0; i < 10000; i++)
		histogram_add(h, bench_random_next(&random) >> bench_random_below(&random, 60));
	for (double fraction = 0; fraction <= 1; fraction += 0.001) {
		uint64_t now = histogram_quantile_ns(h, fraction);

		assert_true(now >= before);
		before = now;
	}
	assert_true(before <= h->max_ns);
	free(h);
}

static void merge_equals_adding_all_to_one(void **state)
{
	struct histogram *a = new_histogram(), *b = new_histogram(), *both = new_histogram();
	struct bench_random random;

	(void)state;
	bench_random_seed(&random, 2);
	for (int i = 0; i < 10000; i++) {
		uint64_t ns = bench_random_below(&random, UINT64_C(1) << (1 + bench_random_below(&random, 41)));

		histogram_add(i % 3 ? a : b, ns);
		histogram_add(both, ns);
	}
	histogram_merge(a, b);
	assert_memory_equal(a, both, sizeof(*both));
	free(a);
	free(b);
	free(both);
}

static void values_beyond_the_range_count_and_show_as_the_maximum(void **state)
{
	struct histogram *h = new_histogram();

	(void)state;
	histogram_add(h, 5);
	histogram_add(h, UINT64_MAX);
	assert_int_equal(h->count, 2);
	assert_int_equal(histogram_quantile_ns(h, 0.5), 5);
	assert_true(histogram_quantile_ns(h, 0.99) == UINT64_MAX);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(empty_histogram_has_quantile_zero),
	        cmocka_unit_test(small_values_are_exact),
	        cmocka_unit_test(one_value_is_its_own_quantile_at_every_magnitude),
	        cmocka_unit_test(bucket_of_a_value_ends_within_its_error),
	        cmocka_unit_test(quantile_of_uniform_values_is_within_bucket_error),
	        cmocka_unit_test(quantiles_never_fall),
	        cmocka_unit_test(merge_equals_adding_all_to_one),
	        cmocka_unit_test(values_beyond_the_range_count_and_show_as_the_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
