/* cli/format.c - sizes, times, ages, colours. */
#include "config.h"

#include "cli/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void
format_size(int64_t bytes, char out[FORMAT_MAX])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)snprintf(out, FORMAT_MAX, "%lld", (long long)bytes);
		return;
	}
	value /= 1024;
	while (value >= 1023.5 && unit + 1 < sizeof units - 1) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(out, FORMAT_MAX, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

void
format_time(int64_t unix_s, char out[FORMAT_MAX])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (unix_s == 0 || localtime_r(&t, &tm) == NULL ||
	    strftime(out, FORMAT_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(out, FORMAT_MAX, "-");
}

void
format_age(int64_t seconds, char out[FORMAT_MAX])
{
	long long s = seconds > 0 ? (long long)seconds : 0;

	if (s < 60)
		(void)snprintf(out, FORMAT_MAX, "%llds", s);
	else if (s < 3600)
		(void)snprintf(out, FORMAT_MAX, "%lldm", s / 60);
	else if (s < 86400)
		(void)snprintf(out, FORMAT_MAX, "%lldh%lldm", s / 3600, s % 3600 / 60);
	else
		(void)snprintf(out, FORMAT_MAX, "%lldd%lldh", s / 86400, s % 86400 / 3600);
}

void
format_safe(const char *text, struct buf *out)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		/* C1 controls are two bytes in UTF-8: C2 80 to C2 9F. */
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;

		buf_add_char(out, *p < ' ' || *p == 0x7f || c1 ? '?' : (char)*p);
		if (c1)
			p++;
	}
}

bool
format_colours(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

void
format_paint(enum paint paint, const char *text, int width, bool colours, struct buf *out)
{
	static const char *const codes[] = {
		[PAINT_GOOD] = "32", [PAINT_WAIT] = "33", [PAINT_BAD] = "31"
	};

	if (colours)
		buf_addf(out, "\033[%sm%-*s\033[0m", codes[paint], width, text);
	else
		buf_addf(out, "%-*s", width, text);
}
