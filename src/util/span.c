/* util/span.c - searching, comparing and cutting spans. Allocates only in span_dup. */
#include "config.h"

#include "util/span.h"

#include <stdlib.h>

bool
span_ieq(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
span_starts(struct span s, struct span head)
{
	return s.len >= head.len && span_eq(span_first(s, head.len), head);
}

bool
span_istarts(struct span s, struct span head)
{
	return s.len >= head.len && span_ieq(span_first(s, head.len), head);
}

bool
span_iends(struct span s, struct span tail)
{
	return s.len >= tail.len && span_ieq(span_make(s.p + (s.len - tail.len), tail.len), tail);
}

struct span
span_trim(struct span s)
{
	while (s.len > 0 && ascii_is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && ascii_is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

static bool
is_line_space(char c)
{
	return ascii_is_blank(c) || c == '\r' || c == '\n';
}

struct span
span_trim_lines(struct span s)
{
	while (s.len > 0 && is_line_space(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_line_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

size_t
span_find(struct span s, char c)
{
	const char *at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.len;
}

size_t
span_find_last(struct span s, char c)
{
	const char *at = s.len > 0 ? memrchr(s.p, c, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.len;
}

bool
span_next(struct span *rest, char c, struct span *part)
{
	size_t at;

	if (rest->p == NULL)
		return false;
	at = span_find(*rest, c);
	*part = span_first(*rest, at);
	if (at == rest->len)
		*rest = (struct span){ NULL, 0 };
	else
		*rest = (struct span){ rest->p + at + 1, rest->len - at - 1 };
	return true;
}

bool
span_uint(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit;

		if (!ascii_is_digit(s.p[i]))
			return false;
		digit = (uint64_t)(s.p[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

char *
span_dup(struct span s)
{
	char *copy = malloc(s.len + 1);

	if (copy == NULL)
		return NULL;
	if (s.len > 0)
		memcpy(copy, s.p, s.len);
	copy[s.len] = '\0';
	return copy;
}

bool
span_copy(struct span s, char *out, size_t size)
{
	if (size == 0)
		return false;
	out[0] = '\0';
	if (s.len >= size)
		return false;
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	return true;
}
