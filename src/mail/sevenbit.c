/* mail/sevenbit.c - the plan of a conversion to 7-bit, and its execution; see sevenbit.h.
 * In:   a message in pieces of any size, twice.   Out: the message with its 8-bit parts encoded.
 * Always true: the same bytes give the same plan however they are cut; edits lie in the header of a part, or are all of its
 * content; time is linear in the size, memory is bounded by the limits. */
#include "config.h"

#include "mail/sevenbit.h"

#include <stdlib.h>

#include "mail/header.h"

enum {
	LINE_KEPT = 2 + SEVENBIT_BOUNDARY_MAX + 2, /* what a boundary may take of a line */
	BASE64_SHARE = 5 /* one octet of so many above 127: base64 is the shorter one */
};

#define FIELD "Content-Transfer-Encoding: "

/* ------------------------------------------------------------------ the plan ------------------ */

void
sevenbit_plan_free(struct sevenbit_plan *plan)
{
	free(plan->edits);
	*plan = (struct sevenbit_plan){ .edits = NULL };
}

static enum rc
add_edit(struct sevenbit_scan *scan, const struct sevenbit_edit *edit)
{
	struct sevenbit_plan *plan = scan->plan;

	if (plan->count == plan->cap) {
		size_t cap = plan->cap == 0 ? 16 : plan->cap * 2;
		struct sevenbit_edit *edits = reallocarray(plan->edits, cap, sizeof *edits);

		if (edits == NULL)
			return RC_LATER;
		plan->edits = edits;
		plan->cap = cap;
	}
	plan->edits[plan->count] = *edit;
	plan->edits[plan->count].order = plan->count;
	plan->count++;
	return RC_OK;
}

static int
by_place(const void *a_arg, const void *b_arg)
{
	const struct sevenbit_edit *a = a_arg, *b = b_arg;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Only labels, or doubts: then nothing is changed. */
static void
finish_plan(struct sevenbit_scan *scan)
{
	struct sevenbit_plan *plan = scan->plan;
	bool encodes = false;

	for (size_t i = 0; i < plan->count; i++)
		encodes |= plan->edits[i].text == NULL;
	if (!encodes || plan->doubt != NULL)
		plan->count = 0;
	else
		qsort(plan->edits, plan->count, sizeof *plan->edits, by_place);
}

static void
doubt(struct sevenbit_scan *scan, const char *why)
{
	if (scan->plan->doubt == NULL)
		scan->plan->doubt = why;
}

/* ------------------------------------------------------------------ levels -------------------- */

static struct sevenbit_level *
innermost(struct sevenbit_scan *scan)
{
	return &scan->levels[scan->depth - 1];
}

/* The header of an entity begins with the next line. */
static void
open_level(struct sevenbit_scan *scan, bool is_message, bool in_digest)
{
	struct sevenbit_level *level;

	if (scan->depth == SEVENBIT_DEPTH_MAX || ++scan->parts > SEVENBIT_PARTS_MAX) {
		doubt(scan, "too many parts, or nested too deeply");
		return;
	}
	level = &scan->levels[scan->depth++];
	level->kind = SEVENBIT_HEADER;
	level->is_message = is_message;
	level->is_digest = level->has_version = level->has_type = level->has_encoding = false;
	level->encoding = SEVENBIT_7BIT;
	level->remains = level->changed = level->over = false;
	level->field_at = level->field_end = level->header_end = level->content_at = 0;
	level->octets_8bit = 0;
	level->type = in_digest ? SEVENBIT_TYPE_MESSAGE : SEVENBIT_TYPE_TEXT; /* without a field */
	level->boundary_len = 0;
	buf_clear(&scan->field);
}

static enum rc
label(struct sevenbit_scan *scan, const struct sevenbit_level *level, const char *text)
{
	struct sevenbit_edit edit = { .at =
					  level->has_encoding ? level->field_at : level->header_end,
		.end = level->has_encoding ? level->field_end : level->header_end,
		.text = text };

	return add_edit(scan, &edit);
}

static enum rc
encode(struct sevenbit_scan *scan, struct sevenbit_level *level, uint64_t end, bool at_eof)
{
	bool base64 = level->type != SEVENBIT_TYPE_TEXT ||
		      level->octets_8bit > (end - level->content_at) / BASE64_SHARE;
	struct sevenbit_edit edit = {
		.at = level->content_at, .end = end, .base64 = base64, .at_eof = at_eof
	};
	enum rc rc = label(scan, level, base64 ? FIELD "base64\r\n" : FIELD "quoted-printable\r\n");

	level->changed = true;
	return rc == RC_OK ? add_edit(scan, &edit) : rc;
}

/* It says 8bit, and may say otherwise. */
static bool
is_labelled(const struct sevenbit_level *level)
{
	return level->encoding == SEVENBIT_8BIT && level->kind != SEVENBIT_OPAQUE &&
	       level->kind != SEVENBIT_HEADER;
}

/* The innermost one ends, with its content at `end`. */
static enum rc
close_level(struct sevenbit_scan *scan, uint64_t end, bool at_eof)
{
	struct sevenbit_level *level = innermost(scan);
	struct sevenbit_level *around = scan->depth > 1 ? level - 1 : NULL;
	enum rc rc = RC_OK;

	if (level->kind == SEVENBIT_LEAF && level->octets_8bit > 0)
		rc = encode(scan, level, end, at_eof);
	else if (level->octets_8bit > 0)
		level->remains = true;
	else if (is_labelled(level) && !level->remains)
		rc = label(scan, level, FIELD "7bit\r\n");
	if (rc == RC_OK && level->changed && level->is_message && !level->has_version)
		rc = add_edit(scan, &(struct sevenbit_edit){ .at = level->header_end,
					.end = level->header_end,
					.text = "MIME-Version: 1.0\r\n" });
	if (around != NULL) {
		around->remains |= level->remains;
		around->changed |= level->changed;
	} else {
		scan->plan->remains = level->remains;
	}
	scan->depth--;
	return rc;
}

/* All within levels[keep - 1]. */
static enum rc
close_levels(struct sevenbit_scan *scan, size_t keep, uint64_t end, bool at_eof)
{
	enum rc rc = RC_OK;

	while (rc == RC_OK && scan->depth > keep) {
		uint64_t from = innermost(scan)->content_at;

		rc = close_level(scan, end > from ? end : from, at_eof);
	}
	return rc;
}

/* ------------------------------------------------------------------ fields -------------------- */

struct boundary_choice {
	struct sevenbit_level *level;
	bool clear;
};

/* Each value that some reader may take for it: they must be the same. */
static enum rc
take_boundary(void *arg, struct span value)
{
	struct boundary_choice *choice = arg;
	struct sevenbit_level *level = choice->level;

	while (value.len > 0 && ascii_is_blank(value.p[value.len - 1]))
		value.len--;
	if (value.len == 0 || value.len > sizeof level->boundary)
		choice->clear = false;
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] < ' ' || value.p[i] > '~')
			choice->clear = false;
	if (!choice->clear)
		return RC_OK;
	if (level->boundary_len > 0) {
		choice->clear = span_eq(value, span_make(level->boundary, level->boundary_len));
		return RC_OK;
	}
	memcpy(level->boundary, value.p, value.len);
	level->boundary_len = value.len;
	return RC_OK;
}

static enum sevenbit_type
type_of(struct span name)
{
	static const struct {
		struct span name;
		enum sevenbit_type type;
	} types[] = {
		{ SPAN_LIT("multipart/signed"), SEVENBIT_TYPE_SIGNED },
		{ SPAN_LIT("message/rfc822"), SEVENBIT_TYPE_MESSAGE },
		{ SPAN_LIT("message/global"), SEVENBIT_TYPE_OTHER }, /* RFC 6532 section 3.7 */
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (span_ieq(name, types[i].name))
			return types[i].type;
	if (span_istarts(name, SPAN_LIT("multipart/")))
		return SEVENBIT_TYPE_MULTIPART;
	if (span_istarts(name, SPAN_LIT("message/")))
		return SEVENBIT_TYPE_FIXED;
	return span_istarts(name, SPAN_LIT("text")) ? SEVENBIT_TYPE_TEXT : SEVENBIT_TYPE_OTHER;
}

/* What is no TYPE/SUBTYPE is text to some readers; "text" is to all. */
static bool
is_type(struct span name)
{
	size_t slashes = 0;

	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
		slashes += name.p[i] == '/';
	}
	return span_ieq(name, SPAN_LIT("text")) ||
	       (slashes == 1 && name.p[0] != '/' && name.p[name.len - 1] != '/');
}

static enum rc
read_type(struct sevenbit_scan *scan, struct span value)
{
	struct sevenbit_level *level = innermost(scan);
	struct boundary_choice choice = { level, true };
	enum rc rc = mime_field_parse(value, &scan->parsed);

	if (level->has_type || rc == RC_BAD ||
	    (rc == RC_OK && !is_type(mime_field_type(&scan->parsed)))) {
		doubt(scan, "a second or malformed Content-Type");
		return RC_OK;
	}
	if (rc != RC_OK)
		return rc;
	level->has_type = true;
	level->type = type_of(mime_field_type(&scan->parsed));
	level->is_digest = span_ieq(mime_field_type(&scan->parsed), SPAN_LIT("multipart/digest"));
	if (level->type != SEVENBIT_TYPE_MULTIPART)
		return RC_OK;
	rc = mime_field_each(&scan->parsed, SPAN_LIT("boundary"), take_boundary, &choice);
	if (!choice.clear || level->boundary_len == 0)
		doubt(scan, "a multipart without a clear boundary");
	return rc;
}

static enum rc
read_encoding(struct sevenbit_scan *scan, struct span value)
{
	struct sevenbit_level *level = innermost(scan);
	enum rc rc = mime_field_parse(value, &scan->parsed);
	struct span name = mime_field_type(&scan->parsed);

	if (level->has_encoding || rc == RC_BAD) {
		doubt(scan, "a second or malformed Content-Transfer-Encoding");
		return RC_OK;
	}
	level->has_encoding = true;
	level->field_at = scan->field_at;
	level->field_end = scan->field_at + buf_len(&scan->field);
	if (name.len == 0 || span_ieq(name, SPAN_LIT("7bit")))
		level->encoding = SEVENBIT_7BIT;
	else if (span_ieq(name, SPAN_LIT("8bit")) || span_ieq(name, SPAN_LIT("binary")))
		level->encoding = SEVENBIT_8BIT;
	else
		level->encoding = SEVENBIT_ENCODED;
	return rc;
}

static enum rc
end_field(struct sevenbit_scan *scan)
{
	struct span text = buf_span(&scan->field), name, value;
	size_t colon = span_find(text, ':');
	enum rc rc = RC_OK;

	if (text.len == 0)
		return RC_OK;
	name = span_first(text, colon);
	value = span_skip(text, colon + 1);
	if (span_ieq(name, SPAN_LIT("Content-Type")))
		rc = read_type(scan, value);
	else if (span_ieq(name, SPAN_LIT("Content-Transfer-Encoding")))
		rc = read_encoding(scan, value);
	else if (span_ieq(name, SPAN_LIT("MIME-Version")))
		innermost(scan)->has_version = true;
	buf_clear(&scan->field);
	return rc;
}

/* ------------------------------------------------------------------ headers ------------------- */

static bool
begins_field(struct span line)
{
	size_t colon = 0;

	while (
	    colon < line.len && line.p[colon] > ' ' && line.p[colon] <= '~' && line.p[colon] != ':')
		colon++;
	return colon > 0 && colon < line.len && line.p[colon] == ':';
}

/* What the entity is, now that its header is known. */
static void
decide_kind(struct sevenbit_scan *scan)
{
	struct sevenbit_level *level = innermost(scan);
	bool encoded = level->encoding == SEVENBIT_ENCODED;

	switch (level->type) {
	case SEVENBIT_TYPE_TEXT:
	case SEVENBIT_TYPE_OTHER:
		level->kind = encoded ? SEVENBIT_OPAQUE : SEVENBIT_LEAF;
		break;
	case SEVENBIT_TYPE_MULTIPART:
		level->kind = SEVENBIT_MULTIPART;
		if (encoded)
			doubt(scan, "an encoded multipart");
		for (size_t i = 0; i + 1 < scan->depth; i++)
			if (scan->levels[i].kind == SEVENBIT_MULTIPART &&
			    span_eq(
				span_make(scan->levels[i].boundary, scan->levels[i].boundary_len),
				span_make(level->boundary, level->boundary_len)))
				doubt(scan, "a boundary in use twice");
		break;
	case SEVENBIT_TYPE_MESSAGE:
		level->kind = encoded ? SEVENBIT_OPAQUE : SEVENBIT_MESSAGE;
		break;
	case SEVENBIT_TYPE_SIGNED:
	case SEVENBIT_TYPE_FIXED:
		level->kind = SEVENBIT_OPAQUE;
		break;
	}
}

static enum rc
end_header(struct sevenbit_scan *scan)
{
	struct sevenbit_level *level = innermost(scan);
	enum rc rc = end_field(scan);

	if (rc != RC_OK)
		return rc;
	level->header_end = scan->line_at;
	level->content_at = scan->at;
	decide_kind(scan);
	if (level->kind == SEVENBIT_MESSAGE)
		open_level(scan, true, false);
	return RC_OK;
}

/* A line of a header that is no boundary. */
static enum rc
take_header_line(struct sevenbit_scan *scan)
{
	struct span line = buf_span(&scan->line);
	enum rc rc = RC_OK;

	if (scan->line_8bit > 0)
		innermost(scan)->remains = true;
	if (span_eq(line, SPAN_LIT("\r\n")))
		return end_header(scan);
	if (ascii_is_blank(line.p[0])) {
		if (buf_len(&scan->field) == 0)
			doubt(scan, "a header that begins with a continuation");
	} else {
		rc = end_field(scan);
		scan->field_at = scan->line_at;
		if (!begins_field(line))
			doubt(scan, "a header with a line that is none of it");
	}
	buf_add_span(&scan->field, line);
	if (buf_len(&scan->field) > SEVENBIT_FIELD_MAX)
		doubt(scan, "a header field without end");
	return scan->field.failed ? RC_LATER : rc;
}

/* ------------------------------------------------------------------ lines --------------------- */

/* Blanks behind a boundary are none of it (RFC 2046 section 5.1.1). */
static struct span
without_padding(struct span line)
{
	while (line.len > 0 && (ascii_is_blank(line.p[line.len - 1]) ||
				   line.p[line.len - 1] == '\r' || line.p[line.len - 1] == '\n'))
		line.len--;
	return line;
}

/* Of the multipart whose boundary the line is: its index + 1; *last: it closes it. 0: it is none. */
static size_t
find_boundary(struct sevenbit_scan *scan, bool *last)
{
	struct span line = buf_span(&scan->line);
	bool nearly = false;

	if (!span_starts(line, SPAN_LIT("--")))
		return 0;
	line = without_padding(span_skip(line, 2));
	for (size_t i = scan->depth; i > 0; i--) {
		const struct sevenbit_level *level = &scan->levels[i - 1];
		struct span boundary = span_make(level->boundary, level->boundary_len);
		struct span rest;

		if (level->kind != SEVENBIT_MULTIPART || !span_starts(line, boundary))
			continue;
		rest = span_skip(line, boundary.len);
		*last = span_eq(rest, SPAN_LIT("--"));
		if ((rest.len == 0 || *last) && scan->line_ends_blank && !level->over)
			return i;
		nearly = true;
	}
	if (nearly)
		doubt(scan, "a line that is nearly a boundary");
	return 0;
}

static enum rc
take_boundary_line(struct sevenbit_scan *scan, size_t index, bool last)
{
	/* The line end in front belongs to the boundary (RFC 2046 section 5.1.1). */
	uint64_t end = scan->line_at > 1 ? scan->line_at - 2 : 0;
	enum rc rc = close_levels(scan, index, end, false);

	if (rc != RC_OK)
		return rc;
	if (last)
		scan->levels[index - 1].over = true;
	else
		open_level(scan, false, scan->levels[index - 1].is_digest);
	return RC_OK;
}

/* A whole line is in, or the last bytes of the message. */
static enum rc
take_line(struct sevenbit_scan *scan)
{
	bool last = false;
	size_t index;

	if (scan->line.failed)
		return RC_LATER;
	index = find_boundary(scan, &last);
	if (scan->plan->doubt != NULL)
		return RC_OK;
	if (index > 0)
		return take_boundary_line(scan, index, last);
	if (innermost(scan)->kind == SEVENBIT_HEADER)
		return take_header_line(scan);
	innermost(scan)->octets_8bit += scan->line_8bit;
	return RC_OK;
}

/* CR and LF come together or not at all. */
static bool
has_good_line_end(const struct sevenbit_scan *scan, struct span part, bool whole)
{
	size_t cr = span_find(part, '\r');

	if (scan->cr)
		return part.len == 1 && part.p[0] == '\n';
	if (!whole)
		return cr >= part.len - 1;
	return part.len > 1 && cr == part.len - 2;
}

static void
keep_line(struct sevenbit_scan *scan, struct span part)
{
	bool all = innermost(scan)->kind == SEVENBIT_HEADER;
	size_t most = all ? SEVENBIT_FIELD_MAX + 1 : LINE_KEPT;
	size_t room = most > buf_len(&scan->line) ? most - buf_len(&scan->line) : 0;

	buf_add_span(&scan->line, span_first(part, room));
	for (size_t i = room; i < part.len; i++)
		if (!ascii_is_blank(part.p[i]) && part.p[i] != '\r' && part.p[i] != '\n')
			scan->line_ends_blank = false;
	if (all && part.len > room)
		doubt(scan, "a header line without end");
}

static void
begin_line(struct sevenbit_scan *scan)
{
	scan->line_at = scan->at;
	scan->line_8bit = 0;
	scan->line_ends_blank = true;
	scan->cr = false;
	buf_clear(&scan->line);
}

/* Up to a line feed, or without one. */
static enum rc
take_part(struct sevenbit_scan *scan, struct span part, bool whole)
{
	enum rc rc;

	if (!has_good_line_end(scan, part, whole)) {
		doubt(scan, "a line end that is not CR LF");
		return RC_OK;
	}
	for (size_t i = 0; i < part.len; i++)
		scan->line_8bit += (unsigned char)part.p[i] >> 7;
	keep_line(scan, part);
	scan->at += part.len;
	scan->cr = part.p[part.len - 1] == '\r';
	if (!whole)
		return RC_OK;
	rc = take_line(scan);
	begin_line(scan);
	return rc;
}

/* ------------------------------------------------------------------ scan ---------------------- */

void
sevenbit_scan_begin(struct sevenbit_scan *scan, struct sevenbit_plan *plan)
{
	scan->plan = plan;
	scan->depth = scan->parts = 0;
	scan->at = 0;
	buf_init(&scan->line, 0);
	buf_init(&scan->field, 0);
	scan->parsed = (struct mime_field){ .params = NULL };
	begin_line(scan);
	open_level(scan, true, false);
}

enum rc
sevenbit_scan_feed(struct sevenbit_scan *scan, struct span in)
{
	enum rc rc = RC_OK;

	while (in.len > 0 && rc == RC_OK && scan->plan->doubt == NULL) {
		size_t lf = span_find(in, '\n');
		bool whole = lf < in.len;
		size_t take = whole ? lf + 1 : lf;

		rc = take_part(scan, span_first(in, take), whole);
		in = span_skip(in, take);
	}
	return rc;
}

enum rc
sevenbit_scan_end(struct sevenbit_scan *scan)
{
	enum rc rc = RC_OK;

	if (scan->plan->doubt == NULL && scan->cr)
		doubt(scan, "a line end that is not CR LF");
	if (scan->plan->doubt == NULL && scan->at > scan->line_at)
		rc = take_line(scan);
	if (scan->plan->doubt == NULL && rc == RC_OK)
		rc = close_levels(scan, 0, scan->at, true);
	if (scan->plan->doubt != NULL)
		scan->plan->remains = true;
	finish_plan(scan);
	return rc;
}

void
sevenbit_scan_free(struct sevenbit_scan *scan)
{
	buf_free(&scan->line);
	buf_free(&scan->field);
	mime_field_free(&scan->parsed);
}

/* ------------------------------------------------------------------ apply --------------------- */

void
sevenbit_apply_begin(struct sevenbit_apply *apply, const struct sevenbit_plan *plan)
{
	*apply = (struct sevenbit_apply){ .plan = plan };
}

static void
begin_edit(struct sevenbit_apply *apply, const struct sevenbit_edit *edit, struct buf *out)
{
	apply->begun = true;
	if (edit->text != NULL)
		buf_add(out, edit->text, strlen(edit->text));
	qp_encoder_init(&apply->qp);
	base64_encoder_init(&apply->base64);
}

static void
end_edit(struct sevenbit_apply *apply, const struct sevenbit_edit *edit, struct buf *out)
{
	if (edit->text == NULL && edit->base64) {
		base64_encode_end(&apply->base64, out);
		if (edit->at_eof)
			buf_add(out, "\r\n", 2);
	} else if (edit->text == NULL) {
		qp_encode_end(&apply->qp, out);
	}
	apply->begun = false;
	apply->next++;
}

static void
take_edited(
    struct sevenbit_apply *apply, const struct sevenbit_edit *edit, struct span in, struct buf *out)
{
	if (edit->text != NULL)
		return;
	if (edit->base64)
		base64_encode(&apply->base64, in, out);
	else
		qp_encode(&apply->qp, in, out);
}

/* The edit that is at hand or the next one, or NULL. */
static const struct sevenbit_edit *
current_edit(const struct sevenbit_apply *apply)
{
	return apply->next < apply->plan->count ? &apply->plan->edits[apply->next] : NULL;
}

void
sevenbit_apply_feed(struct sevenbit_apply *apply, struct span in, struct buf *out)
{
	while (in.len > 0) {
		const struct sevenbit_edit *edit = current_edit(apply);
		uint64_t until;
		struct span part;

		if (edit == NULL) {
			buf_add_span(out, in);
			apply->at += in.len;
			return;
		}
		until = apply->begun ? edit->end : edit->at;
		part =
		    until - apply->at < in.len ? span_first(in, (size_t)(until - apply->at)) : in;
		if (apply->begun)
			take_edited(apply, edit, part, out);
		else
			buf_add_span(out, part);
		apply->at += part.len;
		in = span_skip(in, part.len);
		if (apply->at < until)
			continue;
		if (!apply->begun)
			begin_edit(apply, edit, out);
		if (apply->at == edit->end)
			end_edit(apply, edit, out);
	}
}

void
sevenbit_apply_end(struct sevenbit_apply *apply, struct buf *out)
{
	const struct sevenbit_edit *edit;

	while ((edit = current_edit(apply)) != NULL && apply->at == edit->at) {
		if (!apply->begun)
			begin_edit(apply, edit, out);
		end_edit(apply, edit, out);
	}
}
