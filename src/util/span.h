/* util/span.h - a borrowed run of bytes: the only way untrusted input is handed around.
 *
 * A span never owns; it is valid as long as what it points into. Bytes may hold anything, NUL too.
 * All character tests are ASCII and independent of the locale. */
#ifndef UTIL_SPAN_H
#define UTIL_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t len;
};

#define SPAN_EMPTY     ((struct span){ "", 0 })
#define SPAN_LIT(text) ((struct span){ "" text, sizeof(text) - 1 })
/* For printf("%.*s", SPAN_ARG(s)). */
#define SPAN_ARG(s) ((int)(s).len), (s).p

static inline struct span
span_make(const char *p, size_t len)
{
	return (struct span){ p, len };
}

static inline struct span
span_of(const char *text)
{
	return (struct span){ text, strlen(text) };
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool
ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

static inline bool
ascii_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The bytes from `from` to the end; empty when there are none. */
static inline struct span
span_skip(struct span s, size_t from)
{
	return from < s.len ? (struct span){ s.p + from, s.len - from } : SPAN_EMPTY;
}

/* At most the first `len` bytes. */
static inline struct span
span_first(struct span s, size_t len)
{
	return (struct span){ s.p, len < s.len ? len : s.len };
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool span_ieq(struct span a, struct span b); /* ASCII case folded */
bool span_starts(struct span s, struct span head);
bool span_istarts(struct span s, struct span head); /* ASCII case folded */
bool span_iends(struct span s, struct span tail);   /* ASCII case folded */

/* Without blanks (space, tab) at both ends; the second also takes CR and LF. */
struct span span_trim(struct span s);
struct span span_trim_lines(struct span s);

/* Index of the first/last such byte, or s.len when there is none. */
size_t span_find(struct span s, char c);
size_t span_find_last(struct span s, char c);

/* Cut the part before the first `c` off *rest into *part; *rest continues behind it. False when
 * *rest is used up (p == NULL marks that). "a,,b" gives "a", "", "b"; "" gives one empty part. */
bool span_next(struct span *rest, char c, struct span *part);

/* Decimal digits only, at least one; false on anything else and above `max`. */
bool span_uint(struct span s, uint64_t max, uint64_t *out);

/* A NUL-terminated copy, owned by the caller (free); NULL when memory is out. */
char *span_dup(struct span s);

/* Copy into a fixed buffer with NUL; false (and an empty text) when it does not fit. */
bool span_copy(struct span s, char *out, size_t size);

#endif
