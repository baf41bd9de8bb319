/* util/units.h - sizes and durations as people write them: "40M", "14h", "1h30m". */
#ifndef UTIL_UNITS_H
#define UTIL_UNITS_H

#include "util/rc.h"
#include "util/span.h"

/* Digits and an optional K, M, G, T (1024-based) without blank: "512", "64K", "40M". */
MUST_CHECK enum rc units_parse_size(struct span text, int64_t *bytes);

/* Digits with a unit each, largest first: d, h, m, s, ms ("14h", "1h30m", "250ms"); "0" needs none. */
MUST_CHECK enum rc units_parse_duration(struct span text, int64_t *ms);

/* The shortest text that parses back to the same value. `out` needs UNITS_TEXT_MAX bytes. */
#define UNITS_TEXT_MAX 64
void units_format_size(int64_t bytes, char *out);
void units_format_duration(int64_t ms, char *out);

#endif
