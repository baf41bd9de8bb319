/* cli/format.h - how things look to people. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include "util/buf.h"

#define FORMAT_MAX 32
/* "512", "1.5K", "40M": at most five characters. */
void format_size(int64_t bytes, char out[FORMAT_MAX]);
/* "2026-11-24 22:01:05" in local time; "-" for 0. */
void format_time(int64_t unix_s, char out[FORMAT_MAX]);
/* "42s", "12m", "3h12m", "5d4h". */
void format_age(int64_t seconds, char out[FORMAT_MAX]);

/* Appended to `out` with '?' for control bytes: text of other hosts must not drive a terminal. */
void format_safe(const char *text, struct buf *out);

enum paint {
	PAINT_GOOD,
	PAINT_WAIT,
	PAINT_BAD
};
/* Whether colours are wanted on standard output: a terminal, and NO_COLOR is not set. */
bool format_colours(void);
/* The text padded to `width`, coloured when `colours`. */
void format_paint(enum paint paint, const char *text, int width, bool colours, struct buf *out);

#endif
