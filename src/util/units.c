/* util/units.c - parses and prints sizes and durations. Overflow is RC_BAD, never a wrong number. */
#include "config.h"

#include "util/units.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
	struct span name;
	int64_t factor;
};

static const struct unit durations[] = {
	{ SPAN_LIT("d"), 86400000 },
	{ SPAN_LIT("h"), 3600000 },
	{ SPAN_LIT("m"), 60000 },
	{ SPAN_LIT("s"), 1000 },
	{ SPAN_LIT("ms"), 1 },
};

static const struct unit sizes[] = {
	{ SPAN_LIT("T"), INT64_C(1) << 40 },
	{ SPAN_LIT("G"), INT64_C(1) << 30 },
	{ SPAN_LIT("M"), INT64_C(1) << 20 },
	{ SPAN_LIT("K"), INT64_C(1) << 10 },
};

static size_t
run_of(struct span s, bool (*is)(char))
{
	size_t n = 0;

	while (n < s.len && is(s.p[n]))
		n++;
	return n;
}

enum rc
units_parse_size(struct span text, int64_t *bytes)
{
	size_t digits = run_of(text, ascii_is_digit);
	struct span suffix = span_skip(text, digits);
	int64_t factor = suffix.len == 0 ? 1 : 0;
	uint64_t number;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (span_ieq(suffix, sizes[i].name))
			factor = sizes[i].factor;
	if (factor == 0 || !span_uint(span_first(text, digits), INT64_MAX, &number) ||
	    number > (uint64_t)(INT64_MAX / factor))
		return RC_BAD;
	*bytes = (int64_t)number * factor;
	return RC_OK;
}

enum rc
units_parse_duration(struct span text, int64_t *ms)
{
	int64_t total = 0;
	size_t next = 0; /* units must come in falling order, each once */

	if (span_eq(text, SPAN_LIT("0"))) {
		*ms = 0;
		return RC_OK;
	}
	if (text.len == 0)
		return RC_BAD;
	while (text.len > 0) {
		size_t digits = run_of(text, ascii_is_digit);
		struct span rest = span_skip(text, digits);
		size_t letters = run_of(rest, ascii_is_alpha);
		uint64_t number;
		size_t i;

		for (i = next; i < ARRAY_LEN(durations); i++)
			if (span_eq(span_first(rest, letters), durations[i].name))
				break;
		if (i == ARRAY_LEN(durations) ||
		    !span_uint(span_first(text, digits), INT64_MAX, &number) ||
		    number > (uint64_t)((INT64_MAX - total) / durations[i].factor))
			return RC_BAD;
		total += (int64_t)number * durations[i].factor;
		next = i + 1;
		text = span_skip(rest, letters);
	}
	*ms = total;
	return RC_OK;
}

void
units_format_size(int64_t bytes, char *out)
{
	for (size_t i = 0; bytes > 0 && i < ARRAY_LEN(sizes); i++) {
		if (bytes % sizes[i].factor != 0)
			continue;
		(void)snprintf(
		    out, UNITS_TEXT_MAX, "%" PRId64 "%s", bytes / sizes[i].factor, sizes[i].name.p);
		return;
	}
	(void)snprintf(out, UNITS_TEXT_MAX, "%" PRId64, bytes);
}

void
units_format_duration(int64_t ms, char *out)
{
	size_t len = 0;

	if (ms <= 0) {
		(void)snprintf(out, UNITS_TEXT_MAX, "0");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		int64_t count = ms / durations[i].factor;

		if (count == 0)
			continue;
		len += (size_t)snprintf(
		    out + len, UNITS_TEXT_MAX - len, "%" PRId64 "%s", count, durations[i].name.p);
		ms -= count * durations[i].factor;
	}
}
