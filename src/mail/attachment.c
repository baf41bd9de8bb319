/* mail/attachment.c - walks through the parts of a message and tells the names that their headers give them.
 * In:   the scanned header, then the body in pieces of any size.   Out: names, by a callback.
 * Always true: the same bytes give the same names however they are cut; where readers disagree about the structure, more
 * is taken for a header, not less: a boundary that was closed still counts until one around it comes, a line that begins
 * with a boundary is a delimiter (RFC 2046 section 5.1.1), and so it is inside of a part's header. */
#include "config.h"

#include "mail/attachment.h"

#include <stdlib.h>

enum {
	NAME_ENOUGH = 64 /* no field that matters has a longer name */
};

static enum rc
refuse(struct why *why, const char *text)
{
	return why_set(why, RC_BAD, 554, "Transaction failed: %s", text);
}

/* ------------------------------------------------------------------ fields -------------------- */

struct telling {
	struct attachment_scan *scan;
	struct why *why;
};

static enum rc
tell_name(void *arg, struct span value)
{
	const struct telling *telling = arg;

	return telling->scan->on_name(telling->scan->arg, value, telling->why);
}

static bool
is_known(const struct attachment_scan *scan, struct span text)
{
	for (size_t i = 0; i < scan->boundary_count; i++)
		if (span_eq(span_make(scan->boundaries[i].text, scan->boundaries[i].len), text))
			return true;
	return false;
}

static enum rc
add_boundary(void *arg, struct span value)
{
	const struct telling *telling = arg;
	struct attachment_scan *scan = telling->scan;
	struct attachment_boundary *boundary;

	while (value.len > 0 && ascii_is_blank(value.p[value.len - 1]))
		value.len--;
	value = span_first(value, ATTACHMENT_BOUNDARY_LEN);
	if (is_known(scan, value))
		return RC_OK;
	if (scan->boundary_count == ATTACHMENT_BOUNDARIES_MAX)
		return refuse(telling->why, "MIME parts are nested too deeply.");
	if (scan->boundaries == NULL)
		scan->boundaries = calloc(ATTACHMENT_BOUNDARIES_MAX, sizeof *scan->boundaries);
	if (scan->boundaries == NULL)
		return RC_LATER;
	boundary = &scan->boundaries[scan->boundary_count++];
	boundary->level = scan->level + 1;
	boundary->len = value.len;
	memcpy(boundary->text, value.p, value.len);
	return RC_OK;
}

static bool
is_wanted(struct span name)
{
	return span_ieq(name, SPAN_LIT("Content-Type")) ||
	       span_ieq(name, SPAN_LIT("Content-Disposition"));
}

/* Names are taken from either field by either name: readers do. */
static enum rc
read_field(struct attachment_scan *scan, struct span name, struct span value, struct why *why)
{
	struct telling telling = { scan, why };
	struct span type;
	enum rc rc = mime_field_parse(value, &scan->parsed);

	if (rc == RC_BAD)
		return refuse(why, "Too many MIME parameters.");
	if (rc == RC_OK)
		rc = mime_field_each(&scan->parsed, SPAN_LIT("filename"), tell_name, &telling);
	if (rc == RC_OK)
		rc = mime_field_each(&scan->parsed, SPAN_LIT("name"), tell_name, &telling);
	if (rc != RC_OK || !span_ieq(name, SPAN_LIT("Content-Type")))
		return rc;
	type = mime_field_type(&scan->parsed);
	scan->is_message |= span_istarts(type, SPAN_LIT("message/"));
	if (!span_istarts(type, SPAN_LIT("multipart")))
		return RC_OK;
	scan->is_multipart = true;
	return mime_field_each(&scan->parsed, SPAN_LIT("boundary"), add_boundary, &telling);
}

/* ------------------------------------------------------------------ headers of parts ---------- */

static void
begin_header(struct attachment_scan *scan, enum attachment_state state)
{
	scan->state = state;
	scan->at_line = true;
	scan->blank = true;
	scan->interest = FIELD_OTHER;
	scan->is_multipart = scan->is_message = false;
	buf_clear(&scan->field);
}

static void
end_header(struct attachment_scan *scan)
{
	if (scan->is_multipart)
		scan->level++;
	if (scan->is_message) {
		begin_header(scan, ATTACHMENT_FIELD);
	} else if (scan->boundary_count == 0) {
		scan->state = ATTACHMENT_OVER;
	} else {
		scan->state = ATTACHMENT_BODY;
		scan->before = '\n';
	}
}

static enum rc
end_field(struct attachment_scan *scan, struct why *why)
{
	struct span text = buf_span(&scan->field);
	size_t colon = span_find(text, ':');
	enum rc rc = RC_OK;

	if (scan->field.failed)
		return RC_LATER;
	if (scan->interest == FIELD_WANTED)
		rc = read_field(
		    scan, span_trim(span_first(text, colon)), span_skip(text, colon + 1), why);
	buf_clear(&scan->field);
	scan->interest = FIELD_OTHER;
	return rc;
}

/* Takes what is needed to tell whether the field matters. */
static void
look_at_name(struct attachment_scan *scan, struct span *bytes)
{
	size_t take = NAME_ENOUGH - buf_len(&scan->field);
	struct span text;
	size_t colon;

	buf_add_span(&scan->field, span_first(*bytes, take));
	*bytes = span_skip(*bytes, take);
	text = buf_span(&scan->field);
	colon = span_find(text, ':');
	if (colon < text.len && is_wanted(span_trim(span_first(text, colon)))) {
		scan->interest = FIELD_WANTED;
	} else if (colon < text.len || text.len == NAME_ENOUGH) {
		scan->interest = FIELD_OTHER;
		buf_clear(&scan->field);
	}
}

/* More bytes of the field under way. Those of fields that do not matter are not kept. */
static enum rc
keep_field(struct attachment_scan *scan, struct span bytes, struct why *why)
{
	if (scan->interest == FIELD_UNKNOWN)
		look_at_name(scan, &bytes);
	if (scan->field.failed)
		return RC_LATER;
	if (scan->interest != FIELD_WANTED)
		return RC_OK;
	if (buf_len(&scan->field) + bytes.len > HEADER_FIELD_MAX)
		return refuse(why, "Header field is too long.");
	buf_add_span(&scan->field, bytes);
	return RC_OK;
}

static bool
is_blank_line(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] != '\r')
			return false;
	return true;
}

/* The first byte of a line of the header. False: the line is looked at as a delimiter first. */
static enum rc
begin_line(struct attachment_scan *scan, char first, struct why *why)
{
	enum rc rc;

	scan->at_line = false;
	scan->blank = true;
	if (ascii_is_blank(first))
		return RC_OK;
	rc = end_field(scan, why);
	scan->interest = FIELD_UNKNOWN;
	if (first == '-') {
		scan->state = ATTACHMENT_LINE;
		scan->line_len = 0;
		scan->line_in_header = true;
	}
	return rc;
}

/* Takes bytes of one line. */
static enum rc
feed_field(struct attachment_scan *scan, struct span *rest, struct why *why)
{
	size_t lf = span_find(*rest, '\n');
	struct span text = span_first(*rest, lf);
	bool whole = lf < rest->len;
	enum rc rc = RC_OK;

	if (scan->at_line)
		rc = begin_line(scan, rest->p[0], why);
	if (rc != RC_OK || scan->state == ATTACHMENT_LINE)
		return rc;
	scan->blank &= is_blank_line(text);
	if (whole && scan->blank) {
		*rest = span_skip(*rest, lf + 1);
		end_header(scan);
		return RC_OK;
	}
	rc = keep_field(scan, span_first(*rest, whole ? lf + 1 : lf), why);
	scan->at_line = whole;
	*rest = span_skip(*rest, whole ? lf + 1 : lf);
	return rc;
}

/* ------------------------------------------------------------------ delimiters ---------------- */

/* The innermost boundary that the line begins with, or NULL. */
static const struct attachment_boundary *
find_boundary(const struct attachment_scan *scan, struct span line)
{
	if (!span_starts(line, SPAN_LIT("--")))
		return NULL;
	line = span_skip(line, 2);
	for (size_t i = scan->boundary_count; i > 0; i--) {
		const struct attachment_boundary *b = &scan->boundaries[i - 1];

		if (span_starts(line, span_make(b->text, b->len)))
			return b;
	}
	return NULL;
}

/* The line is complete, or as much of it is there as matters. */
static void
end_line(struct attachment_scan *scan, bool whole)
{
	const struct attachment_boundary *found =
	    find_boundary(scan, span_make(scan->line, scan->line_len));

	if (found != NULL) {
		scan->level = found->level;
		while (scan->boundaries[scan->boundary_count - 1].level > found->level)
			scan->boundary_count--;
		begin_header(scan, whole ? ATTACHMENT_FIELD : ATTACHMENT_REST);
	} else if (scan->line_in_header) {
		scan->state = whole ? ATTACHMENT_FIELD : ATTACHMENT_REST;
		scan->at_line = true;
		scan->interest = FIELD_OTHER;
	} else {
		scan->state = ATTACHMENT_BODY;
		scan->before = whole ? '\n' : ' ';
	}
}

static void
feed_line(struct attachment_scan *scan, struct span *rest)
{
	size_t lf = span_find(*rest, '\n'), room = sizeof scan->line - scan->line_len;
	size_t take = lf < room ? lf : room;

	memcpy(scan->line + scan->line_len, rest->p, take);
	scan->line_len += take;
	if (take == lf && lf < rest->len) {
		*rest = span_skip(*rest, lf + 1);
		end_line(scan, true);
		return;
	}
	*rest = span_skip(*rest, take);
	if (scan->line_len == sizeof scan->line)
		end_line(scan, false);
}

/* ------------------------------------------------------------------ text ---------------------- */

/* Up to a line that begins with '-'. Base64 has none of these bytes, so that this is as fast as memchr. */
static void
feed_body(struct attachment_scan *scan, struct span *rest)
{
	while (rest->len > 0) {
		size_t dash = span_find(*rest, '-'), lf;

		if (dash < rest->len && (dash > 0 ? rest->p[dash - 1] : scan->before) == '\n') {
			*rest = span_skip(*rest, dash);
			scan->state = ATTACHMENT_LINE;
			scan->line_len = 0;
			scan->line_in_header = false;
			return;
		}
		lf = dash < rest->len ? span_find(span_skip(*rest, dash), '\n') + dash : rest->len;
		if (lf >= rest->len) {
			scan->before = rest->p[rest->len - 1];
			*rest = SPAN_EMPTY;
			return;
		}
		scan->before = '\n';
		*rest = span_skip(*rest, lf + 1);
	}
}

static void
feed_rest(struct attachment_scan *scan, struct span *rest)
{
	size_t lf = span_find(*rest, '\n');

	if (lf < rest->len)
		scan->state = ATTACHMENT_FIELD;
	*rest = span_skip(*rest, lf + 1);
}

/* ------------------------------------------------------------------ all of it ----------------- */

enum rc
attachment_begin(struct attachment_scan *scan, const struct header *header,
    attachment_name *on_name, void *arg, struct why *why)
{
	enum rc rc = RC_OK;

	*scan = (struct attachment_scan){ .on_name = on_name, .arg = arg };
	begin_header(scan, ATTACHMENT_FIELD);
	for (size_t i = 0; i < header->count && rc == RC_OK; i++)
		if (is_wanted(header->fields[i].name))
			rc = read_field(scan, header->fields[i].name, header->fields[i].value, why);
	end_header(scan);
	return rc;
}

bool
attachment_in_body(const struct attachment_scan *scan)
{
	return scan->state != ATTACHMENT_OVER;
}

enum rc
attachment_feed(struct attachment_scan *scan, struct span piece, struct why *why)
{
	enum rc rc = RC_OK;

	while (piece.len > 0 && rc == RC_OK) {
		switch (scan->state) {
		case ATTACHMENT_BODY:
			feed_body(scan, &piece);
			break;
		case ATTACHMENT_LINE:
			feed_line(scan, &piece);
			break;
		case ATTACHMENT_REST:
			feed_rest(scan, &piece);
			break;
		case ATTACHMENT_FIELD:
			rc = feed_field(scan, &piece, why);
			break;
		case ATTACHMENT_OVER:
			return RC_OK;
		}
	}
	return rc;
}

enum rc
attachment_end(struct attachment_scan *scan, struct why *why)
{
	enum rc rc = scan->state == ATTACHMENT_FIELD ? end_field(scan, why) : RC_OK;

	scan->state = ATTACHMENT_OVER;
	return rc;
}

void
attachment_free(struct attachment_scan *scan)
{
	free(scan->boundaries);
	buf_free(&scan->field);
	mime_field_free(&scan->parsed);
	scan->boundaries = NULL;
	scan->boundary_count = 0;
}

static bool
ends_in(struct span name, char *const *extensions, size_t count)
{
	size_t dot;

	while (name.len > 0 &&
	       ((unsigned char)name.p[name.len - 1] <= ' ' || name.p[name.len - 1] == '.'))
		name.len--;
	dot = span_find_last(name, '.');
	if (dot == name.len)
		return false;
	name = span_skip(name, dot + 1);
	for (size_t i = 0; i < count; i++)
		if (span_ieq(name, span_of(extensions[i])))
			return true;
	return false;
}

bool
attachment_has_extension(struct span name, char *const *extensions, size_t count)
{
	size_t nul = span_find(name, '\0');

	return ends_in(name, extensions, count) ||
	       (nul < name.len && ends_in(span_first(name, nul), extensions, count));
}
