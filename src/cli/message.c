/* cli/message.c - a small correct message from a few words (RFC 5322, 2045, 2047). Pure.
 *
 * Message-ID and Date are the daemon's to write. A body that is not plain short lines of ASCII goes as base64, so that no
 * destination needs 8BITMIME. */
#include "config.h"

#include <stdlib.h>

#include "cli/cli.h"
#include "util/crypto.h"

enum {
	PLAIN_LINE_MAX = 900,
	BASE64_BYTES = 57, /* 76 characters a line */
	WORD_BYTES = 42	   /* an encoded word of at most 75 characters */
};

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 126)
			return false;
	return true;
}

static bool
has_controls(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return true;
	return false;
}

void
lines_to_crlf(struct span text, struct buf *out)
{
	size_t end;

	while ((end = span_find(text, '\n')) < text.len) {
		struct span line = span_first(text, end);

		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		buf_add_span(out, line);
		buf_addf(out, "\r\n");
		text = span_skip(text, end + 1);
	}
	buf_add_span(out, text);
	if (text.len > 0)
		buf_addf(out, "\r\n");
}

static void
add_base64(struct span bytes, size_t step, const char *before, const char *after, struct buf *out)
{
	char text[CRYPTO_BASE64_LEN(BASE64_BYTES)];

	for (size_t at = 0; at < bytes.len; at += step) {
		(void)crypto_base64(span_first(span_skip(bytes, at), step), text);
		buf_addf(out, "%s%s%s", before, text, after);
	}
}

/* Where an encoded word may end: never inside a character of UTF-8. */
static size_t
word_len(struct span text)
{
	size_t len = text.len < WORD_BYTES ? text.len : WORD_BYTES;

	while (
	    len < text.len && len > WORD_BYTES - 4 && ((unsigned char)text.p[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static void
add_subject(const char *subject, struct buf *out)
{
	struct span text = span_of(subject);
	const char *before = "Subject: ";

	if (is_ascii(text) && text.len <= PLAIN_LINE_MAX) {
		buf_addf(out, "Subject: %s\r\n", subject);
		return;
	}
	while (text.len > 0) {
		size_t len = word_len(text);
		char encoded[CRYPTO_BASE64_LEN(WORD_BYTES)];

		(void)crypto_base64(span_first(text, len), encoded);
		buf_addf(out, "%s=?UTF-8?B?%s?=\r\n", before, encoded);
		before = " ";
		text = span_skip(text, len);
	}
}

static bool
is_plain(struct span body)
{
	struct span line;

	if (!is_ascii(body))
		return false;
	while (span_next(&body, '\n', &line)) {
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len > PLAIN_LINE_MAX || span_find(line, '\r') < line.len ||
		    span_find(line, '\0') < line.len)
			return false;
	}
	return true;
}

static void
add_body(struct span body, struct buf *out)
{
	struct buf crlf = BUF_EMPTY;

	if (is_plain(body)) {
		buf_addf(out, "Content-Transfer-Encoding: 7bit\r\n\r\n");
		lines_to_crlf(body, out);
		return;
	}
	lines_to_crlf(body, &crlf);
	buf_addf(out, "Content-Transfer-Encoding: base64\r\n\r\n");
	add_base64(buf_span(&crlf), BASE64_BYTES, "", "\r\n", out);
	out->failed |= crlf.failed;
	buf_free(&crlf);
}

enum rc
draft_build(const struct draft *draft, struct buf *out, struct why *why)
{
	if (has_controls(draft->from) || has_controls(draft->subject))
		return why_set(
		    why, RC_BAD, 0, "sender and subject must not hold control characters");
	for (size_t i = 0; i < draft->to_count; i++)
		if (has_controls(draft->to[i]))
			return why_set(
			    why, RC_BAD, 0, "an address must not hold control characters");
	buf_addf(out, "From: %s\r\n", draft->from);
	for (size_t i = 0; i < draft->to_count; i++)
		buf_addf(out, "%s%s%s", i == 0 ? "To: " : " ", draft->to[i],
		    i + 1 < draft->to_count ? ",\r\n" : "\r\n");
	add_subject(draft->subject, out);
	buf_addf(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
	add_body(draft->body, out);
	return out->failed ? why_set(why, RC_LATER, 0, "out of memory") : RC_OK;
}
