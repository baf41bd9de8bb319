/* mail/header.c - cuts a header block into fields, and refuses what two readers could see differently.
 * In:   the bytes of a message from its first one.
 * Out:  where each field, name and value is; where the body begins.
 * Always true: the fields lie end to end and make up the block; one pass; a field that breaks the grammar
 * refuses the message, nothing is moved from header to body or left out. */
#include "config.h"

#include "mail/header.h"

#include "util/buf.h"

#include <errno.h>
#include <stdlib.h>

enum {
	ECHO_MAX = 128 /* of a name in a reply */
};

/* Without SMTPUTF8 (RFC 6532) an address is ASCII, and so are the fields that hold addresses. Other fields
 * may hold raw UTF-8: it breaks RFC 5322, but applications send it and SES takes it. */
static const char *const address_fields[] = {
	"From",
	"Sender",
	"To",
	"Cc",
	"Bcc",
	"Reply-To",
	"Return-Path",
};

/* What may be there once only, sorted as bsearch needs it (lower case). */
static const char *const single_fields[] = {
	"accept-language",
	"acceptlanguage",
	"archived-at",
	"auto-submitted",
	"bounces-to",
	"comments",
	"content-alternative",
	"content-base",
	"content-class",
	"content-description",
	"content-disposition",
	"content-duration",
	"content-id",
	"content-language",
	"content-length",
	"content-location",
	"content-md5",
	"content-transfer-encoding",
	"content-type",
	"date",
	"delivered-to",
	"disposition-notification-options",
	"disposition-notification-to",
	"dkim-signature",
	"domainkey-signature",
	"errors-to",
	"from",
	"importance",
	"in-reply-to",
	"keywords",
	"list-archive",
	"list-help",
	"list-id",
	"list-owner",
	"list-post",
	"list-subscribe",
	"list-unsubscribe",
	"list-unsubscribe-post",
	"message-context",
	"message-id",
	"mime-version",
	"organization",
	"original-from",
	"original-message-id",
	"original-recipient",
	"original-subject",
	"precedence",
	"priority",
	"references",
	"reply-to",
	"return-path",
	"return-receipt-to",
	"sender",
	"sensitivity",
	"solicitation",
	"subject",
	"thread-index",
	"thread-topic",
	"user-agent",
	"vbr-info",
};

static enum rc
refuse(struct why *why, const char *text)
{
	return why_set(why, RC_BAD, 554, "Transaction failed: %s", text);
}

static enum rc
refuse_field(struct why *why, struct span name, const char *text)
{
	struct span told = span_first(name, ECHO_MAX);

	return why_set(
	    why, RC_BAD, 554, "Transaction failed: Header '%.*s' %s", SPAN_ARG(told), text);
}

static bool
holds_addresses(struct span name)
{
	if (span_istarts(name, SPAN_LIT("Resent-")))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(address_fields); i++)
		if (span_ieq(name, span_of(address_fields[i])))
			return true;
	return false;
}

/* --- one field ------------------------------------------------------------------------------------ */

static bool
value_ok(struct span value, bool ascii)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c == '\r' && value.len - i > 1 && value.p[i + 1] == '\n')
			i++;
		else if ((c < ' ' && c != '\t') || c == 0x7f || (ascii && c > 0x7f))
			return false;
	}
	return true;
}

static enum rc
check_name(struct span name, struct why *why)
{
	if (name.len == 0)
		return refuse(why, "Empty header names are illegal.");
	if (name.len > HEADER_NAME_MAX)
		return refuse(why, "Header name is too long.");
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (ascii_is_blank(name.p[i]))
			return refuse(why, "Header name contains whitespace.");
		if (c < ' ' || c >= 0x7f)
			return refuse(why, "Header name contains illegal character.");
	}
	return RC_OK;
}

/* The bytes of the line that begins at `at`, with its CR LF; 0 when it has none. */
static size_t
line_size(struct span block, size_t at)
{
	struct span rest = span_skip(block, at);
	size_t lf = span_find(rest, '\n');

	return lf == rest.len || lf == 0 || rest.p[lf - 1] != '\r' ? 0 : lf + 1;
}

/* The bytes of the field that begins at `at`, with its folding. */
static enum rc
field_size(struct span block, size_t at, size_t *size, struct why *why)
{
	*size = 0;
	do {
		size_t line = line_size(block, at + *size);

		if (line == 0)
			return refuse(why, "Header line does not end in CRLF.");
		*size += line;
		if (*size > HEADER_FIELD_MAX)
			return refuse(why, "Header field is too long.");
	} while (at + *size < block.len && ascii_is_blank(block.p[at + *size]));
	return RC_OK;
}

static enum rc
parse_field(struct span whole, struct header_field *out, struct why *why)
{
	struct span text = span_first(whole, whole.len - 2);
	size_t first_line = span_find(text, '\r');
	size_t colon = span_find(span_first(text, first_line), ':');
	enum rc rc;

	if (colon == first_line)
		return refuse(why, "Header line without colon.");
	out->whole = whole;
	out->name = span_first(text, colon);
	out->value = span_skip(text, colon + 1);
	rc = check_name(out->name, why);
	if (rc != RC_OK)
		return rc;
	if (!value_ok(out->value, holds_addresses(out->name)))
		return refuse_field(why, out->name, "contains illegal character.");
	return RC_OK;
}

/* --- the block -------------------------------------------------------------------------------------- */

static enum rc
add_field(struct header *out, size_t *cap, const struct header_field *field, struct why *why)
{
	struct header_field *fields;

	if (out->count == HEADER_COUNT_MAX)
		return refuse(why, "Too many headers.");
	if (out->count == *cap) {
		*cap = *cap == 0 ? 32 : *cap * 2;
		fields = reallocarray(out->fields, *cap, sizeof *fields);
		if (fields == NULL)
			return why_errno(why, ENOMEM, "header");
		out->fields = fields;
	}
	out->fields[out->count++] = *field;
	return RC_OK;
}

static enum rc
scan_fields(struct span block, struct header *out, struct why *why)
{
	struct header_field field;
	size_t size, cap = 0;
	enum rc rc;

	while (out->size < block.len) {
		struct span rest = span_skip(block, out->size);

		if (span_starts(rest, SPAN_LIT("\r\n"))) {
			out->body_at = out->size + 2;
			return RC_OK;
		}
		if (out->count == 0 && ascii_is_blank(rest.p[0]))
			return refuse(why, "Header begins with a continuation line.");
		rc = field_size(block, out->size, &size, why);
		if (rc == RC_OK)
			rc = parse_field(span_first(rest, size), &field, why);
		if (rc == RC_OK)
			rc = add_field(out, &cap, &field, why);
		if (rc != RC_OK)
			return rc;
		out->size += size;
		if (out->size > HEADER_BLOCK_MAX)
			return refuse(why, "Headers are too long.");
	}
	out->body_at = out->size;
	return RC_OK;
}

enum rc
header_scan(struct span block, struct header *out, struct why *why)
{
	enum rc rc;

	*out = (struct header){ .fields = NULL };
	rc = scan_fields(block, out, why);
	if (rc != RC_OK)
		header_free(out);
	return rc;
}

void
header_free(struct header *header)
{
	free(header->fields);
	*header = (struct header){ .fields = NULL };
}

/* --- questions -------------------------------------------------------------------------------------- */

const struct header_field *
header_find(const struct header *header, struct span name)
{
	for (size_t i = 0; i < header->count; i++)
		if (span_ieq(header->fields[i].name, name))
			return &header->fields[i];
	return NULL;
}

/* bsearch: a span in any case against a row in lower case. */
static int
compare_name(const void *key_arg, const void *row_arg)
{
	const struct span *key = key_arg;
	struct span row = span_of(*(const char *const *)row_arg);

	for (size_t i = 0; i < key->len && i < row.len; i++) {
		int diff = (unsigned char)ascii_lower(key->p[i]) - (unsigned char)row.p[i];

		if (diff != 0)
			return diff;
	}
	return key->len < row.len ? -1 : key->len > row.len;
}

enum rc
header_check_duplicates(const struct header *header, struct why *why)
{
	bool seen[ARRAY_LEN(single_fields)] = { false };

	for (size_t i = 0; i < header->count; i++) {
		struct span name = header->fields[i].name, told;
		const char *const *row = bsearch(&name, single_fields, ARRAY_LEN(single_fields),
		    sizeof single_fields[0], compare_name);

		if (row == NULL)
			continue;
		told = span_first(name, ECHO_MAX);
		if (seen[row - single_fields])
			return why_set(why, RC_BAD, 554,
			    "Transaction failed: Duplicate header '%.*s'.", SPAN_ARG(told));
		seen[row - single_fields] = true;
	}
	return RC_OK;
}

void
header_unfold(struct span value, struct buf *out)
{
	struct span line;

	value = span_trim_lines(value);
	while (span_next(&value, '\n', &line)) {
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		buf_add_span(out, line);
	}
}
