/* unit/test.h - what every unit test includes: cmocka, and asserts for our own types. */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "util/span.h"

/* "make test T=test_x::FUNCTION": the functions whose names match, instead of all. */
__attribute__((constructor)) static void
only_what_was_asked_for(void)
{
	cmocka_set_test_filter(getenv("POSTRIDER_TEST"));
}

#define assert_span(got, text) \
	do { \
		struct span assert_span_ = (got); \
		assert_int_equal(assert_span_.len, strlen(text)); \
		assert_memory_equal(assert_span_.p, text, assert_span_.len); \
	} while (0)

#define assert_rc(call, want) assert_int_equal((call), (want))

#endif
