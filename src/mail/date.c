/* mail/date.c - writes dates without the C library, whose calls look at the locale and the time zone.
 * In:   seconds or milliseconds since 1970-01-01 UTC.   Out: text.
 * Always true: no loop over years; every input gives a date of year 1 to 9999. */
#include "config.h"

#include "mail/date.h"

#include <stdio.h>

#define SECONDS_MIN INT64_C(-62135596800) /* 0001-01-01 00:00:00 */
#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31 23:59:59 */

struct moment {
	int year, month, day; /* month 1 to 12 */
	int weekday;	      /* 0: Sunday */
	int hour, minute, second;
};

/* The civil date of a day count: eras of 400 years that begin on 1 March, so that the leap day is the last
 * of its year. */
static void
set_date(struct moment *moment, int64_t days)
{
	int64_t shifted = days + 719468; /* since 0000-03-01; positive from year 1 on */
	int era = (int)(shifted / 146097);
	int day_of_era = (int)(shifted % 146097);
	int year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int month = (5 * day_of_year + 2) / 153; /* 0: March */

	moment->day = day_of_year - (153 * month + 2) / 5 + 1;
	moment->month = month < 10 ? month + 3 : month - 9;
	moment->year = era * 400 + year_of_era + (moment->month <= 2 ? 1 : 0);
	moment->weekday = (int)((shifted + 3) % 7); /* 0000-03-01 was a Wednesday */
}

static struct moment
split_seconds(int64_t unix_s)
{
	struct moment moment;
	int64_t days = unix_s / 86400, rest = unix_s % 86400;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	set_date(&moment, days);
	moment.hour = (int)(rest / 3600);
	moment.minute = (int)(rest / 60 % 60);
	moment.second = (int)(rest % 60);
	return moment;
}

static int64_t
clamp(int64_t value, int64_t min, int64_t max)
{
	if (value < min)
		return min;
	return value > max ? max : value;
}

void
mail_date_format(int64_t unix_s, char out[MAIL_DATE_LEN])
{
	static const char weekdays[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	struct moment at = split_seconds(clamp(unix_s, SECONDS_MIN, SECONDS_MAX));

	(void)snprintf(out, MAIL_DATE_LEN, "%s, %d %s %04d %02d:%02d:%02d +0000",
	    weekdays[at.weekday], at.day, months[at.month - 1], at.year, at.hour, at.minute,
	    at.second);
}

void
mail_date_iso(int64_t unix_ms, char out[MAIL_DATE_LEN])
{
	int64_t ms = clamp(unix_ms, SECONDS_MIN * 1000, SECONDS_MAX * 1000 + 999);
	int64_t seconds = ms / 1000, rest = ms % 1000;
	struct moment at;

	if (rest < 0) {
		rest += 1000;
		seconds--;
	}
	at = split_seconds(seconds);
	(void)snprintf(out, MAIL_DATE_LEN, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", at.year, at.month,
	    at.day, at.hour, at.minute, at.second, (int)rest);
}
