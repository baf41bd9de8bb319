/* mail/dsn.c - builds the report that tells a sender of failed recipients.
 * In:   names and texts, of which recipients, diagnostics and host names come from other hosts.
 * Out:  a message: multipart/report of text, message/delivery-status and the original (RFC 6522, 3464).
 * Always true: text from outside is printable ASCII when it gets here, and cannot end a line, so it adds no
 * field and no part; the boundary does not occur in the original. */
#include "config.h"

#include "mail/dsn.h"

#include "mail/date.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	FOLD_AT = 76,	 /* fold at the next blank behind this column */
	FOLD_HARD = 900, /* fold here even without a blank: no line gets near 998 octets */
	BOUNDARY_LEN = 72
};

/* --- text from outside ------------------------------------------------------------------------------ */

/* Append `text` to the line under way, of which `column` octets are written. Runs of blanks become one, so
 * that no folded line is blank. */
static void
add_folded(struct buf *out, size_t column, struct span text)
{
	text = span_trim_lines(text);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		bool blank = ascii_is_blank(c) || c == '\r' || c == '\n';

		if (blank && (i + 1 == text.len || ascii_is_blank(text.p[i + 1]) ||
				 text.p[i + 1] == '\r' || text.p[i + 1] == '\n'))
			continue;
		if ((blank && column >= FOLD_AT) || column >= FOLD_HARD) {
			buf_add(out, "\r\n", 2);
			if (!blank)
				buf_add_char(out, ' ');
			column = blank ? 0 : 1;
		}
		buf_add_char(out, blank ? ' ' : c > ' ' && c <= '~' ? c : '?');
		column++;
	}
}

/* "Name: value" and CR LF. */
static void
add_field(struct buf *out, const char *name, struct span value)
{
	size_t len = strlen(name);

	buf_add(out, name, len);
	buf_add(out, ": ", 2);
	add_folded(out, len + 2, value);
	buf_add(out, "\r\n", 2);
}

/* The same with a type in front: "Remote-MTA: dns; mx.example.com" (RFC 3464 section 2.1.2). */
static void
add_typed_field(struct buf *out, const char *name, const char *type, struct span value)
{
	size_t start = buf_len(out);

	buf_addf(out, "%s: %s; ", name, type);
	add_folded(out, buf_len(out) - start, value);
	buf_add(out, "\r\n", 2);
}

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A field whose value was xtext in the envelope, and stands decoded here (RFC 3461 section 6.3). */
static void
add_xtext_field(struct buf *out, const char *name, struct span xtext)
{
	struct buf decoded = BUF_EMPTY;

	for (size_t i = 0; i < xtext.len; i++) {
		int high = xtext.len - i > 2 ? hex_value(xtext.p[i + 1]) : -1;
		int low = xtext.len - i > 2 ? hex_value(xtext.p[i + 2]) : -1;

		if (xtext.p[i] != '+' || high < 0 || low < 0) {
			buf_add_char(&decoded, xtext.p[i]);
			continue;
		}
		buf_add_char(&decoded, (char)(high << 4 | low));
		i += 2;
	}
	add_field(out, name, buf_span(&decoded));
	if (decoded.failed)
		out->failed = true;
	buf_free(&decoded);
}

static void
add_date_field(struct buf *out, const char *name, int64_t unix_s)
{
	char date[MAIL_DATE_LEN];

	mail_date_format(unix_s, date);
	buf_addf(out, "%s: %s\r\n", name, date);
}

/* --- the parts --------------------------------------------------------------------------------------- */

static bool
is_8bit(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.p[i] & 0x80) != 0)
			return true;
	return false;
}

/* Made of the new message id, which nobody outside can know when the original is written; the loop is for
 * the case of chance. */
static void
make_boundary(const struct dsn *dsn, char out[BOUNDARY_LEN])
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	unsigned n = 0;

	for (size_t i = 0; i < dsn->message_id.len; i++)
		hash = (hash ^ (unsigned char)dsn->message_id.p[i]) * UINT64_C(1099511628211);
	do
		(void)snprintf(out, BOUNDARY_LEN, "----=_Part_%u_%016" PRIx64 ".%" PRId64, n++,
		    hash, dsn->now_s);
	while (dsn->original.len > 0 &&
	       memmem(dsn->original.p, dsn->original.len, out, strlen(out)) != NULL);
}

static void
add_header(struct buf *out, const struct dsn *dsn, const char *boundary, bool eight_bit)
{
	add_field(out, "From", dsn->from);
	add_field(out, "To", dsn->to);
	buf_add(out, "Message-ID: <", 13);
	add_folded(out, 13, dsn->message_id);
	buf_add(out, ">\r\n", 3);
	add_date_field(out, "Date", dsn->now_s);
	buf_addf(out, "Subject: Delivery Status Notification (Failure)\r\n"
		      "Auto-Submitted: auto-replied\r\n"); /* RFC 3834 section 5 */
	if (dsn->original_id.len > 0)
		add_field(out, "X-Original-Message-ID", dsn->original_id);
	buf_addf(out,
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    " boundary=\"%s\"\r\n",
	    boundary);
	if (eight_bit)
		buf_addf(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_addf(out, "\r\n");
}

static void
add_notice(struct buf *out, const struct dsn *dsn, const char *boundary)
{
	buf_addf(out,
	    "--%s\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "Content-Description: Notification\r\n"
	    "\r\n"
	    "An error occurred while trying to deliver the mail to the following recipients:\r\n",
	    boundary);
	for (size_t i = 0; i < dsn->count; i++) {
		add_folded(out, 0, dsn->recipients[i].address);
		buf_addf(out, "\r\n");
	}
	buf_addf(out, "\r\n");
}

/* The fields of one recipient (RFC 3464 section 2.3), in the order that SES has them. */
static void
add_recipient(struct buf *out, const struct dsn_recipient *recipient)
{
	struct span text = recipient->diagnostic;

	buf_addf(out, "\r\n");
	if (recipient->orcpt.len > 0)
		add_xtext_field(out, "Original-Recipient", recipient->orcpt);
	buf_addf(out, "Action: failed\r\n");
	add_typed_field(out, "Final-Recipient", "rfc822", recipient->address);
	if (span_istarts(text, SPAN_LIT("smtp;")))
		add_field(out, "Diagnostic-Code", text);
	else if (text.len > 0)
		add_typed_field(out, "Diagnostic-Code", "x-postrider", text);
	add_field(out, "Status", span_of(recipient->status));
	if (recipient->remote_mta.len > 0)
		add_typed_field(out, "Remote-MTA", "dns", recipient->remote_mta);
}

static void
add_status(struct buf *out, const struct dsn *dsn, const char *boundary)
{
	buf_addf(out,
	    "--%s\r\n"
	    "Content-Type: message/delivery-status\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "Content-Description: Delivery Status Notification\r\n"
	    "\r\n",
	    boundary);
	if (dsn->envid.len > 0)
		add_xtext_field(out, "Original-Envelope-Id", dsn->envid);
	add_typed_field(out, "Reporting-MTA", "dns", dsn->reporting_mta);
	add_date_field(out, "Arrival-Date", dsn->arrival_s);
	for (size_t i = 0; i < dsn->count; i++)
		add_recipient(out, &dsn->recipients[i]);
	buf_addf(out, "\r\n");
}

static void
add_original(struct buf *out, const struct dsn *dsn, const char *boundary, bool eight_bit)
{
	buf_addf(out,
	    "--%s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "Content-Description: %s\r\n"
	    "\r\n",
	    boundary, dsn->headers_only ? "text/rfc822-headers" : "message/rfc822",
	    eight_bit ? "8bit" : "7bit",
	    dsn->headers_only ? "Undelivered Message Headers" : "Undelivered Message");
	buf_add_span(out, dsn->original);
	/* The line end before the boundary belongs to the boundary (RFC 2046 section 5.1.1). */
	buf_addf(out, "\r\n--%s--\r\n", boundary);
}

enum rc
dsn_build(const struct dsn *dsn, struct buf *out)
{
	bool eight_bit = is_8bit(dsn->original);
	char boundary[BOUNDARY_LEN];

	make_boundary(dsn, boundary);
	add_header(out, dsn, boundary, eight_bit);
	add_notice(out, dsn, boundary);
	add_status(out, dsn, boundary);
	add_original(out, dsn, boundary, eight_bit);
	return out->failed ? RC_LATER : RC_OK;
}
