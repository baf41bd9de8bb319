/* filter/edits.c - the fields of a header, in order, some of them new.
 * Always true: each field is a name, a colon, a value whose further lines begin with a blank, and CR LF. */
#include "config.h"

#include "filter/edits.h"

#include <stdlib.h>

enum {
	LINE_MAX_OCTETS = 998
};

static struct edit_field *
make_room(struct edits *edits, size_t at)
{
	if (edits->count == edits->cap) {
		size_t cap = edits->cap == 0 ? 64 : edits->cap * 2;
		struct edit_field *fields = reallocarray(edits->fields, cap, sizeof *fields);

		if (fields == NULL)
			return NULL;
		edits->fields = fields;
		edits->cap = cap;
	}
	memmove(&edits->fields[at + 1], &edits->fields[at],
	    (edits->count - at) * sizeof *edits->fields);
	edits->count++;
	return &edits->fields[at];
}

enum rc
edits_init(struct edits *edits, struct span header)
{
	struct header scanned;
	enum rc rc = header_scan(header, &scanned, NULL);

	*edits = (struct edits){ .count = 0 };
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < scanned.count && rc == RC_OK; i++) {
		struct edit_field *field = make_room(edits, edits->count);

		if (field == NULL)
			rc = RC_LATER;
		else
			*field = (struct edit_field){ scanned.fields[i].whole,
				scanned.fields[i].name.len, NULL };
	}
	edits->size = scanned.size;
	header_free(&scanned);
	return rc;
}

void
edits_free(struct edits *edits)
{
	for (size_t i = 0; i < edits->count; i++)
		free(edits->fields[i].owned);
	free(edits->fields);
	*edits = (struct edits){ .count = 0 };
}

struct span
edits_value(const struct edits *edits, size_t at)
{
	const struct edit_field *field = &edits->fields[at];

	return span_first(
	    span_skip(field->whole, field->name_len + 1), field->whole.len - field->name_len - 3);
}

static bool
name_ok(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
			return false;
	return name.len > 0 && name.len <= HEADER_NAME_MAX;
}

/* Appends the value with CR LF between its lines. False: some byte or line may not stand there. */
static bool
add_value(struct span value, struct buf *out)
{
	size_t line = buf_len(out);

	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c == '\r' && value.len - i > 1 && value.p[i + 1] == '\n')
			continue;
		if (c == '\n') {
			/* A line that does not begin with a blank would be a field of its own. */
			if (value.len - i < 2 || !ascii_is_blank(value.p[i + 1]))
				return false;
			buf_add_char(out, '\r');
			line = 0;
		} else if ((c >= 0 && c < ' ' && c != '\t') || c == 0x7f) {
			return false;
		}
		buf_add_char(out, c);
		if (c != '\n' && ++line > LINE_MAX_OCTETS)
			return false;
	}
	return true;
}

/* room: for all of it. */
static enum rc
make_field(
    struct edit_field *field, struct span name, struct span value, size_t room, struct why *why)
{
	struct buf text = BUF_EMPTY;
	bool ok;

	if (!name_ok(name))
		return why_set(why, RC_BAD, 0, "header field with an illegal name");
	buf_add_span(&text, name);
	buf_add_char(&text, ':');
	ok = value.len <= HEADER_FIELD_MAX - HEADER_NAME_MAX - 3 && add_value(value, &text);
	buf_add(&text, "\r\n", 2);
	if (!ok || buf_len(&text) > room) {
		buf_free(&text);
		return why_set(why, RC_BAD, 0,
		    ok ? "header is too long" : "header field with an illegal value");
	}
	field->name_len = name.len;
	field->whole.len = buf_len(&text);
	field->owned = buf_steal(&text);
	field->whole.p = field->owned;
	return field->owned != NULL ? RC_OK : RC_LATER;
}

enum rc
edits_insert(struct edits *edits, size_t at, struct span name, struct span value, struct why *why)
{
	struct edit_field made, *field;
	enum rc rc;

	if (edits->count >= HEADER_COUNT_MAX)
		return why_set(why, RC_BAD, 0, "too many header fields");
	rc = make_field(&made, name, value, HEADER_BLOCK_MAX - edits->size, why);
	if (rc != RC_OK)
		return rc;
	field = make_room(edits, at < edits->count ? at : edits->count);
	if (field == NULL) {
		free(made.owned);
		return RC_LATER;
	}
	*field = made;
	edits->size += made.whole.len;
	edits->changed = true;
	return RC_OK;
}

static bool
is_called(const struct edit_field *field, struct span name)
{
	return span_ieq(span_first(field->whole, field->name_len), name);
}

static void
remove_field(struct edits *edits, size_t at)
{
	edits->size -= edits->fields[at].whole.len;
	free(edits->fields[at].owned);
	edits->count--;
	memmove(&edits->fields[at], &edits->fields[at + 1],
	    (edits->count - at) * sizeof *edits->fields);
	edits->changed = true;
}

enum rc
edits_change(
    struct edits *edits, struct span name, size_t index, const struct span *value, struct why *why)
{
	struct edit_field made;
	size_t at = 0, others;
	enum rc rc;

	for (; at < edits->count; at++)
		if (is_called(&edits->fields[at], name) && --index == 0)
			break;
	if (at == edits->count)
		return value != NULL ? edits_insert(edits, at, name, *value, why) : RC_OK;
	if (value == NULL) {
		remove_field(edits, at);
		return RC_OK;
	}
	others = edits->size - edits->fields[at].whole.len;
	rc = make_field(&made, name, *value, HEADER_BLOCK_MAX - others, why);
	if (rc != RC_OK)
		return rc;
	free(edits->fields[at].owned);
	edits->fields[at] = made;
	edits->size = others + made.whole.len;
	edits->changed = true;
	return RC_OK;
}

void
edits_write(const struct edits *edits, struct buf *out)
{
	for (size_t i = 0; i < edits->count; i++)
		buf_add_span(out, edits->fields[i].whole);
}
