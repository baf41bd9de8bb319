/* mail/header.h - scans the header block of a message (RFC 5322 section 2.2) without changing a byte. */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "util/rc.h"
#include "util/span.h"

enum {
	HEADER_FIELD_MAX = 64 * 1024, /* one field with its folding */
	HEADER_BLOCK_MAX = 512 * 1024,
	HEADER_COUNT_MAX = 1000,
	HEADER_NAME_MAX = 256
};

struct header_field {
	struct span whole; /* name to the last CR LF of the field, folding included */
	struct span name;
	struct span
	    value; /* behind the colon, without the final CR LF; may hold folding and lead with blanks */
};

struct header {
	struct header_field *fields; /* owned, header_free */
	size_t count;
	size_t size;	/* bytes of the block, without the empty line */
	size_t body_at; /* where the body begins: behind the empty line, or the end of the input */
};

/* `block` begins with the first header byte and holds at least the whole header block (or all of the
 * message when there is no body). Lines end in CR LF (the caller has refused the rest).
 * RC_BAD: why = 554 "Transaction failed: ..." for a line without colon, a blank before the colon, control bytes or
 * 8-bit in a name, an empty name ("Empty header names are illegal."), a continuation first, mbox "From ",
 * VT, FF or other control bytes (but TAB) in a value, and over the limits. 8-bit in a value is RC_BAD in the
 * fields that hold addresses (From, Sender, To, Cc, Bcc, Reply-To, Return-Path, Resent-*) and passes in all
 * others, as it does in SES. RC_LATER: out of memory. */
MUST_CHECK enum rc header_scan(struct span block, struct header *out, struct why *why);
void header_free(struct header *header);

/* The first such field (names are compared without case), or NULL. */
const struct header_field *header_find(const struct header *header, struct span name);

/* RC_BAD with 554 "Transaction failed: Duplicate header 'NAME'." for a field that SES takes only once (its
 * list has From, Subject, Date and some sixty more, but neither To nor Cc) and that is there twice (NAME as
 * received in the second). Linear in the number of fields. */
MUST_CHECK enum rc header_check_duplicates(const struct header *header, struct why *why);

/* The value unfolded and trimmed, appended to `out` (for logs, subjects, comparisons). */
struct buf;
void header_unfold(struct span value, struct buf *out);

#endif
