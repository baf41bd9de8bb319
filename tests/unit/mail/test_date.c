/* Unit tests of mail/date.c. */
#include "config.h"

#include "mail/date.h"
#include "unit/test.h"
#include "util/rc.h"

#include <stdio.h>
#include <time.h>

static void
test_rfc5322(void **state)
{
	const struct {
		int64_t at;
		const char *text;
	} rows[] = {
		{ 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ -1, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ 1728082894, "Fri, 4 Oct 2024 23:01:34 +0000" },
		{ 1709164800, "Thu, 29 Feb 2024 00:00:00 +0000" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 4107542400, "Mon, 1 Mar 2100 00:00:00 +0000" },
		{ INT64_C(253402300799), "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_C(253402300800), "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_C(-62135596800), "Mon, 1 Jan 0001 00:00:00 +0000" },
		{ INT64_MIN, "Mon, 1 Jan 0001 00:00:00 +0000" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[MAIL_DATE_LEN];

		mail_date_format(rows[i].at, out);
		assert_string_equal(out, rows[i].text);
	}
}

static void
test_iso(void **state)
{
	const struct {
		int64_t at;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ 1728082894123, "2024-10-04T23:01:34.123Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ INT64_MIN, "0001-01-01T00:00:00.000Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[MAIL_DATE_LEN];

		mail_date_iso(rows[i].at, out);
		assert_string_equal(out, rows[i].text);
	}
}

/* Against the C library, over four centuries in steps that fall on every day of the year. */
static void
test_against_libc(void **state)
{
	(void)state;
	for (int64_t at = -6000000000; at < 9000000000; at += 86400 * 3 + 12345) {
		time_t libc = (time_t)at;
		struct tm tm;
		char want[64], date[32], got[MAIL_DATE_LEN];

		assert_non_null(gmtime_r(&libc, &tm));
		assert_true(strftime(date, sizeof date, "%b %Y %H:%M:%S +0000", &tm) > 0);
		assert_true(strftime(want, sizeof want, "%a, ", &tm) > 0);
		(void)snprintf(want + 5, sizeof want - 5, "%d %s", tm.tm_mday, date);
		mail_date_format(at, got);
		assert_string_equal(got, want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5322),
		cmocka_unit_test(test_iso),
		cmocka_unit_test(test_against_libc),
	};

	return cmocka_run_group_tests_name("mail/date", tests, NULL, NULL);
}
