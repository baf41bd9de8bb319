/* Unit tests of util/span.c. */
#include "config.h"

#include "unit/test.h"
#include "util/span.h"

static void
test_next_gives_every_part(void **state)
{
	struct span rest = SPAN_LIT("a,,b"), part;

	(void)state;
	assert_true(span_next(&rest, ',', &part));
	assert_span(part, "a");
	assert_true(span_next(&rest, ',', &part));
	assert_span(part, "");
	assert_true(span_next(&rest, ',', &part));
	assert_span(part, "b");
	assert_false(span_next(&rest, ',', &part));
}

static void
test_uint_refuses_what_is_no_number(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(span_uint(SPAN_LIT("18446744073709551615"), UINT64_MAX, &v));
	assert_int_equal(v, UINT64_MAX);
	assert_false(span_uint(SPAN_LIT("18446744073709551616"), UINT64_MAX, &v));
	assert_false(span_uint(SPAN_LIT(""), 10, &v));
	assert_false(span_uint(SPAN_LIT("-1"), 10, &v));
	assert_false(span_uint(SPAN_LIT("11"), 10, &v));
	assert_false(span_uint(SPAN_LIT("1 "), 10, &v));
}

static void
test_case_and_trim(void **state)
{
	(void)state;
	assert_true(span_ieq(SPAN_LIT("X-Ses"), SPAN_LIT("x-sES")));
	assert_true(span_istarts(SPAN_LIT("MAIL FROM:"), SPAN_LIT("mail")));
	assert_false(span_istarts(SPAN_LIT("MA"), SPAN_LIT("mail")));
	assert_true(span_iends(SPAN_LIT("a.EXAMPLE"), SPAN_LIT(".example")));
	assert_span(span_trim(SPAN_LIT(" \t a b \t")), "a b");
	assert_span(span_trim_lines(SPAN_LIT("\r\n a \r\n")), "a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_gives_every_part),
		cmocka_unit_test(test_uint_refuses_what_is_no_number),
		cmocka_unit_test(test_case_and_trim),
	};

	return cmocka_run_group_tests_name("util/span", tests, NULL, NULL);
}
