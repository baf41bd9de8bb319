/* wire/line.h - cuts lines ended by CR LF out of a stream (RFC 5321 section 2.3.8). */
#ifndef WIRE_LINE_H
#define WIRE_LINE_H

#include "util/rc.h"
#include "util/span.h"

/* RC_OK: *line is the next line without CR LF and *used the bytes to consume.
 * RC_MORE: no whole line yet; at most `max` bytes wait (and one CR behind them).
 * RC_BAD: bare CR or bare LF at *used (the offset), or no line end within `max` bytes of text (*used is
 * `max` + 1 then). A lone CR at the very end of the input is RC_MORE. */
MUST_CHECK enum rc line_next(struct span in, size_t max, struct span *line, size_t *used);

#endif
