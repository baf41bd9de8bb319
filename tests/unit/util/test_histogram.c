/* Unit tests of histogram.h. */
#include "unit/test.h"

#include "util/histogram.h"

static void
test_buckets(void **state)
{
	struct histogram h = { .count = 0 };

	(void)state;
	for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
	histogram_add(&h, -5); /* a clock that jumped */
	histogram_add(&h, 1000);
	histogram_add(&h, 1001);
	histogram_add(&h, INT64_C(1) << 50);
	assert_int_equal(h.buckets[0], 2);
	assert_int_equal(h.buckets[1], 1);
	assert_int_equal(h.count, 4);
	assert_int_equal(h.sum_us, 2001 + (INT64_C(1) << 50));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_buckets) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
