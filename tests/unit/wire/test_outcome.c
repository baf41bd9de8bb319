/* Unit tests of outcome.h: what is written of an outcome is read again. */
#include "unit/test.h"

#include "wire/outcome.h"

static void
test_round_trip(void **state)
{
	static const struct outcome outcomes[] = {
		{ OUTCOME_DEFERRED, 450, "4.7.1", true, FAILURE_OTHER,
		    "4.7.1 greylisted, come back" },
		{ OUTCOME_DEFERRED, 421, "4.4.1", true, FAILURE_OTHER, "connection refused" },
		{ OUTCOME_DEFERRED, 451, "4.0.0", true, FAILURE_OTHER, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		char text[OUTCOME_TEXT_MAX + 32], again[OUTCOME_TEXT_MAX + 32];
		struct outcome out;

		outcome_format(&outcomes[i], text, sizeof text);
		assert_rc(outcome_parse(text, &out), RC_OK);
		assert_int_equal(out.kind, OUTCOME_DEFERRED);
		assert_int_equal(out.code, outcomes[i].code);
		assert_string_equal(out.status, outcomes[i].status);
		outcome_format(&out, again, sizeof again);
		assert_string_equal(again, text);
	}
}

static void
test_what_is_none(void **state)
{
	static const char *const texts[] = { "", "out of memory", "450", "450 later",
		"250 2.0.0 ok", "999 4.0.0 x", "450 4.7 x", "450 4.7.1.2 x", "450 4.7.x x",
		"450 4.1000.1 x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct outcome out = { .kind = OUTCOME_FAILED };

		assert_rc(outcome_parse(texts[i], &out), RC_BAD);
		assert_int_equal(out.kind, OUTCOME_FAILED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_what_is_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
