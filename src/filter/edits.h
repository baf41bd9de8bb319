/* filter/edits.h - a header as a list of fields that a milter adds to and changes. What it gives is checked: nothing it says
 * can be read as another field than the one it names. Pure. */
#ifndef FILTER_EDITS_H
#define FILTER_EDITS_H

#include "mail/header.h"
#include "util/buf.h"

struct edit_field {
	struct span whole; /* with the last CR LF */
	size_t name_len;
	char *owned; /* what `whole` points into, or NULL */
};

struct edits {
	struct edit_field *fields;
	size_t count, cap;
	size_t size; /* of all fields: at most HEADER_BLOCK_MAX */
	bool changed;
};

/* header: fields without the empty line, borrowed for the life of the edits. RC_BAD: it is no header. */
MUST_CHECK enum rc edits_init(struct edits *edits, struct span header);
void edits_free(struct edits *edits);

/* What stands behind the colon, without the last CR LF. */
struct span edits_value(const struct edits *edits, size_t field);

/* A new field before the one at `at`, or at the end. value: what stands behind the colon, its lines separated by LF or CR
 * LF and the following ones begun by a blank. RC_BAD: not a field (why says so), or there are too many. */
MUST_CHECK enum rc edits_insert(
    struct edits *edits, size_t at, struct span name, struct span value, struct why *why);
/* The index-th field of that name, from 1, gets another value, or goes when value is NULL. There is none: a new one at the
 * end, if there is a value. */
MUST_CHECK enum rc edits_change(
    struct edits *edits, struct span name, size_t index, const struct span *value, struct why *why);

void edits_write(const struct edits *edits, struct buf *out);

#endif
