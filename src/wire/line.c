/* wire/line.c - finds the end of one line.
 * In:   the bytes received so far and the most bytes of text a line may have.
 * Out:  the line, borrowed from the input, and the bytes it takes with its CR LF.
 * Always true: only CR LF ends a line; at most max + 2 bytes are looked at. */
#include "config.h"

#include "wire/line.h"

enum rc
line_next(struct span in, size_t max, struct span *line, size_t *used)
{
	struct span window = span_first(in, max < SIZE_MAX ? max + 1 : max);
	size_t end = span_find(span_first(window, span_find(window, '\n')), '\r');

	*line = SPAN_EMPTY;
	*used = 0;
	if (end == window.len) {
		if (window.len <= max)
			return RC_MORE;
		*used = max + 1;
		return RC_BAD;
	}
	if (in.p[end] == '\r' && in.len - end == 1)
		return RC_MORE;
	*used = end;
	if (in.p[end] == '\n' || in.p[end + 1] != '\n')
		return RC_BAD;
	*line = span_first(in, end);
	*used = end + 2;
	return RC_OK;
}
