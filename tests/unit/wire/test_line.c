/* Unit tests of wire/line.c. */
#include "config.h"

#include "unit/test.h"
#include "util/rc.h"
#include "wire/line.h"

static void
test_rows(void **state)
{
	const struct {
		struct span in;
		size_t max;
		enum rc rc;
		size_t used;
		const char *line;
	} rows[] = {
		{ SPAN_LIT("NOOP\r\n"), 512, RC_OK, 6, "NOOP" },
		{ SPAN_LIT("\r\n"), 512, RC_OK, 2, "" },
		{ SPAN_LIT("A\r\nB\r\n"), 512, RC_OK, 3, "A" },
		{ SPAN_LIT("NOOP\r\n"), 4, RC_OK, 6, "NOOP" },
		{ SPAN_LIT("\r\n"), 0, RC_OK, 2, "" },
		{ SPAN_LIT(""), 4, RC_MORE, 0, NULL },
		{ SPAN_LIT("NOOP"), 4, RC_MORE, 0, NULL },
		{ SPAN_LIT("NOOP\r"), 4, RC_MORE, 0, NULL },
		{ SPAN_LIT("NOOPS"), 4, RC_BAD, 5, NULL },
		{ SPAN_LIT("NOOPS\r\n"), 4, RC_BAD, 5, NULL },
		{ SPAN_LIT("NOOP\n"), 512, RC_BAD, 4, NULL },
		{ SPAN_LIT("\n"), 512, RC_BAD, 0, NULL },
		{ SPAN_LIT("NO\rOP\r\n"), 512, RC_BAD, 2, NULL },
		{ SPAN_LIT("NO\nOP\r\n"), 512, RC_BAD, 2, NULL },
		{ SPAN_LIT("NO\r\r\n"), 512, RC_BAD, 2, NULL },
		{ SPAN_LIT("A\0B\r\n"), 512, RC_OK, 5, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span line;
		size_t used = 99;

		assert_rc(line_next(rows[i].in, rows[i].max, &line, &used), rows[i].rc);
		assert_int_equal(used, rows[i].used);
		if (rows[i].line != NULL)
			assert_span(line, rows[i].line);
	}
}

/* Fed one byte at a time, a line comes out at the same place, once. */
static void
test_byte_by_byte(void **state)
{
	static const char text[] = "EHLO client.example\r\nQUIT\r\n";
	const char *want[] = { "EHLO client.example", "QUIT" };
	size_t from = 0, count = 0;

	(void)state;
	for (size_t end = 1; end < sizeof text; end++) {
		struct span line;
		size_t used;
		enum rc rc = line_next(span_make(text + from, end - from), 64, &line, &used);

		if (text[end - 1] != '\n') {
			assert_rc(rc, RC_MORE);
			continue;
		}
		assert_rc(rc, RC_OK);
		assert_span(line, want[count]);
		count++;
		from += used;
		assert_int_equal(from, end);
	}
	assert_int_equal(count, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_byte_by_byte),
	};

	return cmocka_run_group_tests_name("wire/line", tests, NULL, NULL);
}
