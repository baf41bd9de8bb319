/* fuzz/fuzz_sevenbit.c - what is converted is 7-bit, reads as what it was, and is the same however the message is cut.
 * The reader here is one of its own: it has the message whole, and goes down into it. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "mail/sevenbit.h"

enum {
	DEPTH_MAX = 40
};

/* ------------------------------------------------------------------ a reader ------------------ */

struct entity {
	struct span type, encoding, boundary; /* copies in `memory` */
	char memory[3][400];
};

static enum rc
take_boundary(void *arg, struct span value)
{
	struct entity *e = arg;

	while (value.len > 0 && ascii_is_blank(value.p[value.len - 1]))
		value.len--;
	if (span_copy(value, e->memory[2], sizeof e->memory[2]))
		e->boundary = span_of(e->memory[2]);
	return RC_OK;
}

static void
read_field(struct entity *e, struct span field)
{
	struct mime_field parsed = { .params = NULL };
	size_t colon = span_find(field, ':');
	struct span name = span_first(field, colon), value = span_skip(field, colon + 1);

	MUST(mime_field_parse(value, &parsed) != RC_LATER);
	if (span_ieq(name, SPAN_LIT("Content-Type"))) {
		if (span_copy(mime_field_type(&parsed), e->memory[0], sizeof e->memory[0]))
			e->type = span_of(e->memory[0]);
		(void)!mime_field_each(&parsed, SPAN_LIT("boundary"), take_boundary, e);
	} else if (span_ieq(name, SPAN_LIT("Content-Transfer-Encoding")) &&
		   span_copy(mime_field_type(&parsed), e->memory[1], sizeof e->memory[1])) {
		e->encoding = span_of(e->memory[1]);
	}
	mime_field_free(&parsed);
}

/* The fields that no conversion may touch, for comparison. */
static bool
is_ours(struct span field)
{
	return span_istarts(field, SPAN_LIT("Content-Transfer-Encoding:")) ||
	       span_istarts(field, SPAN_LIT("MIME-Version:"));
}

/* The length of the header with the empty line; all of `text` when there is none. */
static size_t
read_header(struct span text, struct entity *e, struct buf *seen)
{
	size_t at = 0;

	while (at < text.len && !span_starts(span_skip(text, at), SPAN_LIT("\r\n"))) {
		size_t end = at;

		do
			end += span_find(span_skip(text, end), '\n') + 1;
		while (end < text.len && ascii_is_blank(text.p[end]));
		if (end > text.len)
			end = text.len;
		read_field(e, span_first(span_skip(text, at), end - at));
		if (!is_ours(span_skip(text, at)))
			buf_add_span(seen, span_first(span_skip(text, at), end - at));
		at = end;
	}
	return at < text.len ? at + 2 : text.len;
}

static int
hex(char c)
{
	return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void
decode_qp(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] != '=') {
			buf_add_char(out, text.p[i]);
		} else if (span_starts(span_skip(text, i), SPAN_LIT("=\r\n"))) {
			i += 2;
		} else if (text.len - i > 2 && hex(text.p[i + 1]) >= 0 && hex(text.p[i + 2]) >= 0) {
			buf_add_char(out, (char)(hex(text.p[i + 1]) * 16 + hex(text.p[i + 2])));
			i += 2;
		}
	}
}

static void
decode_base64(struct span text, struct buf *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *at = text.p[i] != '\0' ? strchr(digits, text.p[i]) : NULL;

		if (at == NULL)
			continue;
		bits = (bits << 6 | (unsigned)(at - digits)) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			buf_add_char(out, (char)(bits >> held & 0xff));
		}
	}
}

/* Whether the line is --boundary or --boundary--; *last. */
static bool
is_boundary(struct span line, struct span boundary, bool *last)
{
	while (line.len > 0 && (ascii_is_blank(line.p[line.len - 1]) ||
				   line.p[line.len - 1] == '\r' || line.p[line.len - 1] == '\n'))
		line.len--;
	if (!span_starts(line, SPAN_LIT("--")) || !span_starts(span_skip(line, 2), boundary))
		return false;
	line = span_skip(line, 2 + boundary.len);
	*last = span_eq(line, SPAN_LIT("--"));
	return line.len == 0 || *last;
}

static void walk(struct span text, int depth, bool in_digest, struct buf *seen);

static void
walk_parts(struct span text, const struct entity *e, int depth, struct buf *seen)
{
	bool digest = span_ieq(e->type, SPAN_LIT("multipart/digest")), in_part = false,
	     last = false;
	size_t begin = 0, at = 0;

	while (at < text.len && !last) {
		size_t end = at + span_find(span_skip(text, at), '\n') + 1;
		struct span line = span_first(span_skip(text, at), end - at);

		if (is_boundary(line, e->boundary, &last)) {
			size_t stop = at >= begin + 2 ? at - 2 : begin;

			if (in_part)
				walk(span_first(span_skip(text, begin), stop - begin), depth,
				    digest, seen);
			else
				buf_add_span(seen, span_first(text, at));
			in_part = !last;
			begin = end < text.len ? end : text.len;
		}
		at = end;
	}
	if (in_part)
		walk(span_skip(text, begin), depth, digest, seen);
	else
		buf_add_span(seen, span_skip(text, begin));
}

/* Appends what the entity is and holds, decoded. */
static void
walk(struct span text, int depth, bool in_digest, struct buf *seen)
{
	struct entity e = { .type = SPAN_EMPTY };
	size_t body;

	buf_addf(seen, "[%d ", depth);
	if (depth == DEPTH_MAX) { /* deeper than what is converted: in a part that stays as it is */
		buf_add_span(seen, text);
		return;
	}
	body = read_header(text, &e, seen);
	text = span_skip(text, body);
	if (e.type.len == 0 && in_digest)
		e.type = SPAN_LIT("message/rfc822");
	if (span_ieq(e.encoding, SPAN_LIT("quoted-printable")))
		decode_qp(text, seen);
	else if (span_ieq(e.encoding, SPAN_LIT("base64")))
		decode_base64(text, seen);
	else if (span_ieq(e.type, SPAN_LIT("message/rfc822")))
		walk(text, depth + 1, false, seen);
	else if (span_istarts(e.type, SPAN_LIT("multipart/")) &&
		 !span_ieq(e.type, SPAN_LIT("multipart/signed")))
		walk_parts(text, &e, depth + 1, seen);
	else
		buf_add_span(seen, text);
	buf_addf(seen, "]");
}

/* ------------------------------------------------------------------ conversion ---------------- */

static void
scan_all(struct span message, size_t piece, struct sevenbit_plan *plan)
{
	static struct sevenbit_scan scan;

	*plan = (struct sevenbit_plan){ .edits = NULL };
	sevenbit_scan_begin(&scan, plan);
	for (size_t at = 0; at < message.len; at += piece)
		MUST(sevenbit_scan_feed(&scan, span_first(span_skip(message, at), piece)) == RC_OK);
	MUST(sevenbit_scan_end(&scan) == RC_OK);
	sevenbit_scan_free(&scan);
}

static void
apply_all(struct span message, size_t piece, const struct sevenbit_plan *plan, struct buf *out)
{
	struct sevenbit_apply apply;

	sevenbit_apply_begin(&apply, plan);
	for (size_t at = 0; at < message.len; at += piece)
		sevenbit_apply_feed(&apply, span_first(span_skip(message, at), piece), out);
	sevenbit_apply_end(&apply, out);
	MUST(apply.next == plan->count);
}

static size_t
longest_line(struct span text)
{
	size_t longest = 0;

	while (text.len > 0) {
		size_t len = span_find(text, '\n');

		longest = len > longest ? len : longest;
		text = span_skip(text, len + 1);
	}
	return longest;
}

static bool
is_7bit(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] > 127)
			return false;
	return true;
}

static void
check_same_plan(struct span message, size_t piece, const struct sevenbit_plan *want)
{
	struct sevenbit_plan got;

	scan_all(message, piece, &got);
	MUST(got.count == want->count && got.remains == want->remains);
	MUST((got.doubt != NULL) == (want->doubt != NULL));
	for (size_t i = 0; i < got.count; i++)
		MUST(got.edits[i].at == want->edits[i].at &&
		     got.edits[i].end == want->edits[i].end &&
		     got.edits[i].text == want->edits[i].text &&
		     got.edits[i].base64 == want->edits[i].base64);
	sevenbit_plan_free(&got);
}

static void
check_converted(struct span message, struct span converted, const struct sevenbit_plan *plan)
{
	struct buf before = BUF_EMPTY, after = BUF_EMPTY;
	struct sevenbit_plan again;
	size_t longest = longest_line(message);

	/* 8-bit in the one field that is replaced goes with it, though the plan has said that it stays. */
	MUST(is_7bit(converted) || plan->remains);
	MUST(longest_line(converted) <= (longest > 77 ? longest : 77));
	scan_all(converted, converted.len, &again);
	MUST(again.count == 0 && again.doubt == NULL && again.remains == !is_7bit(converted));
	sevenbit_plan_free(&again);
	walk(message, 0, false, &before);
	walk(converted, 0, false, &after);
	MUST(span_eq(buf_span(&before), buf_span(&after)));
	buf_free(&before);
	buf_free(&after);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = span_make((const char *)data, size);
	struct buf whole = BUF_EMPTY, bytes = BUF_EMPTY;
	struct sevenbit_plan plan;

	if (size == 0)
		return 0;
	scan_all(message, size, &plan);
	check_same_plan(message, 1, &plan);
	check_same_plan(message, 7, &plan);
	apply_all(message, size, &plan, &whole);
	apply_all(message, 1, &plan, &bytes);
	MUST(span_eq(buf_span(&whole), buf_span(&bytes)));
	if (plan.count == 0) {
		MUST(span_eq(buf_span(&whole), message));
		MUST(plan.doubt != NULL || plan.remains == !is_7bit(message));
	} else {
		MUST(plan.doubt == NULL);
		check_converted(message, buf_span(&whole), &plan);
	}
	buf_free(&whole);
	buf_free(&bytes);
	sevenbit_plan_free(&plan);
	return 0;
}
