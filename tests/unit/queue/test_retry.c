/* Unit tests of queue/retry.c and queue/state.c. */
#include "config.h"

#include "unit/test.h"
#include "queue/retry.h"
#include "queue/state.h"

enum {
	MINUTE = 60 * 1000,
	TWO_HOURS = 120 * MINUTE
};

static void
test_doubles_up_to_the_most(void **state)
{
	static const int64_t want[] = { 1, 2, 4, 8, 16, 32, 64, 120, 120, 120 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		int64_t delay = want[i] * MINUTE;

		/* A fifth less at the lowest, a fifth more at the highest, itself in the middle. */
		assert_int_equal(retry_delay_ms(i + 1, MINUTE, TWO_HOURS, 0), delay - delay / 5);
		assert_int_equal(
		    retry_delay_ms(i + 1, MINUTE, TWO_HOURS, UINT32_C(0x80000000)), delay);
		assert_in_range(retry_delay_ms(i + 1, MINUTE, TWO_HOURS, UINT32_MAX),
		    delay + delay / 5 - 1, delay + delay / 5);
	}
}

static void
test_bounds(void **state)
{
	static const uint32_t randoms[] = { 0, 1, 12345, UINT32_C(0x80000000), UINT32_MAX };
	static const unsigned attempts[] = { 0, 1, 2, 31, 32, 63, 64, 65, 1000, 65535 };
	static const int64_t limits[] = { 1, 999, MINUTE, TWO_HOURS, INT64_C(1209600000) };

	(void)state;
	for (size_t a = 0; a < ARRAY_LEN(attempts); a++)
		for (size_t r = 0; r < ARRAY_LEN(randoms); r++)
			for (size_t min = 0; min < ARRAY_LEN(limits); min++)
				for (size_t max = 0; max < ARRAY_LEN(limits); max++) {
					int64_t delay = retry_delay_ms(
					    attempts[a], limits[min], limits[max], randoms[r]);
					int64_t low =
					    limits[min] < limits[max] ? limits[min] : limits[max];

					assert_true(delay >= low - low / 5);
					assert_true(delay <= limits[max] + limits[max] / 5);
				}
	/* Far beyond what the configuration takes there is still no overflow. */
	for (size_t a = 0; a < ARRAY_LEN(attempts); a++)
		for (size_t r = 0; r < ARRAY_LEN(randoms); r++)
			assert_true(retry_delay_ms(attempts[a], 3, INT64_MAX / 2, randoms[r]) > 0);
}

/* In the way of things the age changes nothing, whatever the jitter. */
static void
test_of_a_message(void **state)
{
	static const uint32_t randoms[] = { 0, UINT32_C(0x80000000), UINT32_MAX };

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(randoms); r++) {
		int64_t age = 0;

		for (unsigned i = 1; i < 20; i++) {
			int64_t delay =
			    retry_message_delay_ms(i, age, MINUTE, TWO_HOURS, randoms[r]);

			assert_int_equal(delay, retry_delay_ms(i, MINUTE, TWO_HOURS, randoms[r]));
			age += delay;
		}
	}
	/* Tried ten times in its first two minutes: not two hours from now. */
	assert_int_equal(
	    retry_message_delay_ms(10, 2 * MINUTE, MINUTE, TWO_HOURS, UINT32_C(0x80000000)),
	    5 * MINUTE);
	/* An old one that was never tried, or a clock that was set back: as the first time. */
	assert_int_equal(
	    retry_message_delay_ms(1, 10 * TWO_HOURS, MINUTE, TWO_HOURS, UINT32_C(0x80000000)),
	    MINUTE);
	assert_int_equal(
	    retry_message_delay_ms(1, -TWO_HOURS, MINUTE, TWO_HOURS, UINT32_C(0x80000000)), MINUTE);
	assert_true(retry_message_delay_ms(7, INT64_MAX, 5, 3, 0) > 0);
	assert_true(retry_message_delay_ms(65535, INT64_MAX, 1, INT64_MAX / 2, UINT32_MAX) > 0);
}

/* Neighbours in time are spread, and more chance is never an earlier time. */
static void
test_jitter(void **state)
{
	int64_t before = 0;

	(void)state;
	for (uint64_t random = 0; random <= UINT32_MAX; random += UINT32_MAX / 64) {
		int64_t delay = retry_delay_ms(3, MINUTE, TWO_HOURS, (uint32_t)random);

		assert_true(delay > before);
		before = delay;
	}
}

/* ------------------------------------------------------------------ state --------------------- */

static const struct recipient_state three[] = {
	{ true, false, 1, 0 },
	{ false, false, 0, 1728082894123 },
	{ false, true, 65535, INT64_MAX },
};

static void
test_state_bytes(void **state)
{
	static const unsigned char want[] = { 1, 2, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0x2b, 0x5d, 0xc4, 0x59, 0x92, 0x01, 0, 0 };
	struct buf out = BUF_EMPTY;

	(void)state;
	state_encode(three, 2, &out);
	assert_int_equal(buf_len(&out), sizeof want);
	assert_memory_equal(buf_span(&out).p, want, sizeof want);
	buf_free(&out);
}

static void
test_state_round_trip(void **state)
{
	(void)state;
	for (size_t count = 0; count <= ARRAY_LEN(three); count++) {
		struct recipient_state got[ARRAY_LEN(three) + 1];
		struct buf out = BUF_EMPTY;

		memset(got, 0xff, sizeof got);
		state_encode(three, count, &out);
		assert_rc(state_decode(buf_span(&out), got, count), RC_OK);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(got[i].settled, three[i].settled);
			assert_int_equal(got[i].attempts, three[i].attempts);
			assert_int_equal(got[i].due_ms, three[i].due_ms);
		}
		buf_free(&out);
	}
}

static void
test_state_damage(void **state)
{
	struct recipient_state got[ARRAY_LEN(three) + 1];
	struct buf out = BUF_EMPTY;
	struct span bytes;

	(void)state;
	state_encode(three, ARRAY_LEN(three), &out);
	bytes = buf_span(&out);
	for (size_t len = 0; len < bytes.len; len++)
		assert_rc(state_decode(span_first(bytes, len), got, ARRAY_LEN(three)), RC_BAD);
	assert_rc(state_decode(bytes, got, ARRAY_LEN(three) - 1), RC_BAD);
	assert_rc(state_decode(bytes, got, ARRAY_LEN(three) + 1), RC_BAD);
	assert_rc(state_decode(SPAN_EMPTY, got, 0), RC_BAD);
	out.mem[0] = 2; /* of a version to come */
	assert_rc(state_decode(bytes, got, ARRAY_LEN(three)), RC_BAD);
	out.mem[0] = 1;
	out.mem[1] = 2; /* says another count than its length */
	assert_rc(state_decode(bytes, got, ARRAY_LEN(three)), RC_BAD);
	out.mem[1] = 3;
	buf_add_char(&out, '\0');
	assert_rc(state_decode(buf_span(&out), got, ARRAY_LEN(three)), RC_BAD);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_up_to_the_most),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_of_a_message),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_state_bytes),
		cmocka_unit_test(test_state_round_trip),
		cmocka_unit_test(test_state_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
