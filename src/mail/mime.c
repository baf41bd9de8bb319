/* mail/mime.c - reads MIME parameters as the most lenient of mail readers would.
 * In:   the value of a Content-* field.   Out: each value that a parameter may have.
 * Always true: a value that one reader sees and another does not is told, too: this serves to refuse names, and a name
 * that is told for nothing does less harm than one that is not. Time is linear in the length of the value. */
#include "config.h"

#include "mail/mime.h"

#include <stdlib.h>

#include "mail/header.h"

/* ------------------------------------------------------------------ encoded words ------------- */

static int
hex_digit(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%41" or "=41"; what is not such stays as it is. */
static void
decode_hex(struct span text, char mark, bool underscores, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		int high = -1, low = -1;

		if (text.p[i] == mark && text.len - i > 2) {
			high = hex_digit(text.p[i + 1]);
			low = hex_digit(text.p[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			buf_add_char(out, (char)(high * 16 + low));
			i += 2;
		} else {
			buf_add_char(out, underscores && text.p[i] == '_' ? ' ' : text.p[i]);
		}
	}
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* What is no digit is passed over, as readers do. */
static void
decode_base64(struct span text, struct buf *out)
{
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < text.len; i++) {
		int digit = base64_digit(text.p[i]);

		if (digit < 0)
			continue;
		bits = (bits << 6 | (unsigned)digit) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			buf_add_char(out, (char)(bits >> held & 0xff));
		}
	}
}

/* "=?CHARSET?B?TEXT?=" at the beginning: its length, or 0. Looks at what lies before the fourth '?' and no further, so
 * that each byte is looked at a few times however many beginnings there are. */
static size_t
decode_word(struct span text, struct buf *out)
{
	struct span rest = span_skip(text, 2), charset, encoding, data;

	if (!span_starts(text, SPAN_LIT("=?")))
		return 0;
	if (!span_next(&rest, '?', &charset) || !span_next(&rest, '?', &encoding) ||
	    !span_next(&rest, '?', &data) || rest.p == NULL || rest.len == 0 || rest.p[0] != '=' ||
	    encoding.len != 1)
		return 0;
	if (ascii_lower(encoding.p[0]) == 'b')
		decode_base64(data, out);
	else if (ascii_lower(encoding.p[0]) == 'q')
		decode_hex(data, '=', true, out);
	else
		return 0;
	return (size_t)(rest.p - text.p) + 1;
}

static size_t
count_blanks(struct span text)
{
	size_t count = 0;

	while (count < text.len && ascii_is_blank(text.p[count]))
		count++;
	return count;
}

void
mime_decode_words(struct span text, struct buf *out)
{
	bool after_word = false; /* the blanks between two encoded words are not part of the text */

	while (text.len > 0) {
		size_t blanks = after_word ? count_blanks(text) : 0;
		size_t used = decode_word(span_skip(text, blanks), out);

		after_word = used > 0;
		if (used == 0) {
			buf_add_char(out, text.p[0]);
			blanks = 0;
			used = 1;
		}
		text = span_skip(text, blanks + used);
	}
}

/* ------------------------------------------------------------------ parameters ---------------- */

/* The length of the comment at the beginning, of all there is when it does not end; 0: none is there. */
static size_t
comment_size(struct span text)
{
	size_t depth = 0;

	if (text.len == 0 || text.p[0] != '(')
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '(')
			depth++;
		else if (text.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return text.len;
}

/* Without blanks, comments and semicolons at the beginning. */
static struct span
skip_filling(struct span text)
{
	for (;;) {
		size_t size = count_blanks(text);

		if (size == 0)
			size = comment_size(text);
		if (size == 0 && text.len > 0 && text.p[0] == ';')
			size = 1;
		if (size == 0)
			return text;
		text = span_skip(text, size);
	}
}

static size_t
find_any(struct span text, const char *set)
{
	size_t at = 0;

	while (at < text.len && (text.p[at] == '\0' || strchr(set, text.p[at]) == NULL))
		at++;
	return at;
}

/* "filename*12*": what the asterisks say goes into `param`, what stands before them is returned. */
static struct span
split_name(struct span name, struct mime_param *param)
{
	size_t star = span_find(name, '*');
	struct span rest = span_skip(name, star + 1);
	uint64_t section;

	param->section = -1;
	if (star == name.len)
		return name;
	param->extended = rest.len == 0 || rest.p[rest.len - 1] == '*';
	if (rest.len > 0 && rest.p[rest.len - 1] == '*')
		rest.len--;
	if (span_uint(rest, 1000000, &section))
		param->section = (int)section;
	return span_first(name, star);
}

/* A parameter whose value is still to be appended to the text. */
static struct mime_param *
add_param(struct mime_field *out, struct span name)
{
	struct mime_param *param;

	if (out->count == out->cap) {
		size_t cap = out->cap == 0 ? 8 : out->cap * 2;
		struct mime_param *params = reallocarray(out->params, cap, sizeof *params);

		if (params == NULL)
			return NULL;
		out->params = params;
		out->cap = cap;
	}
	param = &out->params[out->count++];
	*param = (struct mime_param){ .name_at = buf_len(&out->text) };
	name = split_name(name, param);
	param->name_len = name.len;
	buf_add_span(&out->text, name);
	param->value_at = buf_len(&out->text);
	return param;
}

static enum rc
add_plain(struct mime_field *out, struct span name, struct span value)
{
	struct mime_param *param = add_param(out, name);

	if (param == NULL)
		return RC_LATER;
	param->value_len = value.len;
	buf_add_span(&out->text, value);
	return RC_OK;
}

/* The length of the quoted string at the beginning; *closed: it ends. */
static enum rc
add_quoted(struct mime_field *out, struct span name, struct span text, size_t *used, bool *closed)
{
	struct mime_param *param = add_param(out, name);
	size_t i = 1;

	if (param == NULL)
		return RC_LATER;
	for (; i < text.len && text.p[i] != '"'; i++) {
		if (text.p[i] == '\\' && text.len - i > 1)
			i++;
		buf_add_char(&out->text, text.p[i]);
	}
	param->value_len = buf_len(&out->text) - param->value_at;
	*closed = i < text.len;
	*used = *closed ? i + 1 : i;
	return RC_OK;
}

/* Not quoted, or by one quote only: some take all up to the semicolon, others the first word. */
static enum rc
add_unquoted(struct mime_field *out, struct span name, struct span text)
{
	struct span value = span_trim(text), word = span_first(value, find_any(value, " \t("));
	enum rc rc = add_plain(out, name, value);

	if (rc == RC_OK && word.len < value.len)
		rc = add_plain(out, name, word);
	return rc;
}

/* The parameter at the beginning of *rest, which is not empty. */
static enum rc
parse_param(struct span *rest, struct mime_field *out)
{
	size_t equals = find_any(*rest, "=;"), used = 0;
	struct span name = span_trim(span_first(*rest, equals)), text;
	bool closed = false;
	enum rc rc = RC_OK;

	if (equals == rest->len || rest->p[equals] == ';') {
		*rest = span_skip(*rest, equals + 1);
		return RC_OK;
	}
	name = span_trim(span_first(name, span_find(name, '(')));
	/* "attachment filename=x", without the semicolon: readers find the name. */
	while (find_any(name, " \t") < name.len)
		name = span_skip(name, find_any(name, " \t") + 1);
	text = span_skip(*rest, equals + 1);
	text = span_skip(text, count_blanks(text));
	if (text.len > 0 && text.p[0] == '"')
		rc = add_quoted(out, name, text, &used, &closed);
	if (rc == RC_OK && !closed) {
		used = find_any(text, ";");
		rc = add_unquoted(out, name, span_first(text, used));
	}
	*rest = span_skip(text, used);
	return rc;
}

enum rc
mime_field_parse(struct span value, struct mime_field *out)
{
	struct buf flat = BUF_EMPTY;
	struct span rest;
	enum rc rc = RC_OK;

	out->count = 0;
	buf_clear(&out->text);
	header_unfold(value, &flat);
	rest = skip_filling(buf_span(&flat));
	out->type_len = find_any(rest, " \t;(");
	buf_add_span(&out->text, span_first(rest, out->type_len));
	rest = skip_filling(span_skip(rest, out->type_len));
	while (rest.len > 0 && rc == RC_OK) {
		rc = parse_param(&rest, out);
		if (rc == RC_OK && out->count > MIME_PARAMS_MAX)
			rc = RC_BAD;
		rest = skip_filling(rest);
	}
	if (flat.failed || out->text.failed)
		rc = RC_LATER;
	buf_free(&flat);
	return rc;
}

void
mime_field_free(struct mime_field *field)
{
	buf_free(&field->text);
	free(field->params);
	*field = (struct mime_field){ .params = NULL };
}

struct span
mime_field_type(const struct mime_field *field)
{
	return span_first(buf_span(&field->text), field->type_len);
}

/* ------------------------------------------------------------------ values -------------------- */

static struct span
part_of(const struct mime_field *field, size_t at, size_t len)
{
	return span_first(span_skip(buf_span(&field->text), at), len);
}

static bool
is_called(const struct mime_field *field, const struct mime_param *param, struct span name)
{
	return span_ieq(part_of(field, param->name_at, param->name_len), name);
}

/* first: CHARSET'LANGUAGE' may lead. */
static void
add_value(
    const struct mime_field *field, const struct mime_param *param, bool first, struct buf *out)
{
	struct span value = part_of(field, param->value_at, param->value_len);

	if (!param->extended) {
		buf_add_span(out, value);
		return;
	}
	for (int quotes = 0; first && quotes < 2; quotes++)
		if (span_find(value, '\'') < value.len)
			value = span_skip(value, span_find(value, '\'') + 1);
	decode_hex(value, '%', false, out);
}

static enum rc
tell(const struct buf *raw, mime_value *call, void *arg)
{
	struct buf decoded = BUF_EMPTY;
	enum rc rc;

	mime_decode_words(buf_span(raw), &decoded);
	rc = raw->failed || decoded.failed ? RC_LATER : call(arg, buf_span(&decoded));
	buf_free(&decoded);
	return rc;
}

static enum rc
tell_whole(const struct mime_field *field, struct span name, mime_value *call, void *arg)
{
	enum rc rc = RC_OK;
	struct buf raw = BUF_EMPTY;

	for (size_t i = 0; i < field->count && rc == RC_OK; i++) {
		const struct mime_param *param = &field->params[i];

		if (param->section >= 0 || !is_called(field, param, name))
			continue;
		buf_clear(&raw);
		add_value(field, param, true, &raw);
		rc = tell(&raw, call, arg);
	}
	buf_free(&raw);
	return rc;
}

static int
by_section(const void *a_arg, const void *b_arg)
{
	const struct mime_param *a = *(const struct mime_param *const *)a_arg;
	const struct mime_param *b = *(const struct mime_param *const *)b_arg;

	if (a->section != b->section)
		return a->section < b->section ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* `list` is sorted. Of sections that come twice the first or the last counts; where one is missing a reader may stop or
 * go on. */
static enum rc
tell_joined(const struct mime_field *field, const struct mime_param *const *list, size_t count,
    bool last, mime_value *call, void *arg)
{
	struct buf raw = BUF_EMPTY;
	enum rc rc = RC_OK;
	int before = -1;
	bool gap = false;

	for (size_t i = 0; i < count && rc == RC_OK; i++) {
		bool same_before = i > 0 && list[i - 1]->section == list[i]->section;
		bool same_behind = i + 1 < count && list[i + 1]->section == list[i]->section;

		if (last ? same_behind : same_before)
			continue;
		if (list[i]->section > before + 1 && before >= 0 && !gap) {
			gap = true;
			rc = tell(&raw, call, arg);
		}
		add_value(field, list[i], before < 0, &raw);
		before = list[i]->section;
	}
	if (rc == RC_OK)
		rc = tell(&raw, call, arg);
	buf_free(&raw);
	return rc;
}

static enum rc
tell_sections(const struct mime_field *field, struct span name, mime_value *call, void *arg)
{
	const struct mime_param **list;
	size_t count = 0;
	enum rc rc = RC_OK;

	for (size_t i = 0; i < field->count; i++)
		count += field->params[i].section >= 0;
	if (count == 0)
		return RC_OK;
	list = calloc(count, sizeof *list);
	if (list == NULL)
		return RC_LATER;
	count = 0;
	for (size_t i = 0; i < field->count; i++)
		if (field->params[i].section >= 0 && is_called(field, &field->params[i], name))
			list[count++] = &field->params[i];
	qsort(list, count, sizeof *list, by_section);
	if (count > 0)
		rc = tell_joined(field, list, count, false, call, arg);
	if (rc == RC_OK && count > 0)
		rc = tell_joined(field, list, count, true, call, arg);
	free(list);
	return rc;
}

enum rc
mime_field_each(const struct mime_field *field, struct span name, mime_value *call, void *arg)
{
	enum rc rc = tell_whole(field, name, call, arg);

	return rc == RC_OK ? tell_sections(field, name, call, arg) : rc;
}
