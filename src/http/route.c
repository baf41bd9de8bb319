/* http/route.c - compares paths part by part; nothing is decoded, so %2F can never act as a slash. */
#include "config.h"

#include "http/route.h"

static bool
matches(struct span pattern, struct span path, struct span *part)
{
	struct span want, got;

	*part = SPAN_EMPTY;
	while (span_next(&pattern, '/', &want)) {
		if (!span_next(&path, '/', &got))
			return false;
		if (span_eq(want, SPAN_LIT("*"))) {
			if (got.len == 0)
				return false;
			*part = got;
		} else if (!span_eq(want, got)) {
			return false;
		}
	}
	return !span_next(&path, '/', &got);
}

const struct route *
route_find(struct route_table table, struct span method, struct span path, struct span *part,
    struct buf *allow)
{
	for (size_t i = 0; i < table.count; i++) {
		const struct route *row = &table.rows[i];

		if (!matches(span_of(row->pattern), path, part))
			continue;
		if (span_eq(span_of(row->method), method)) {
			buf_clear(allow);
			return row;
		}
		buf_addf(allow, "%s%s", buf_len(allow) > 0 ? ", " : "", row->method);
	}
	*part = SPAN_EMPTY;
	return NULL;
}

bool
route_takes(const struct route *route, struct span name)
{
	struct span rest = span_of(route->query), one;

	while (span_next(&rest, ' ', &one))
		if (one.len > 0 && span_eq(one, name))
			return true;
	return false;
}
