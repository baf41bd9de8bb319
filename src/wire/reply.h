/* wire/reply.h - SMTP replies of other hosts (RFC 5321 section 4.2, RFC 2034), read from hostile bytes. */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H

#include "util/rc.h"
#include "util/span.h"

enum {
	REPLY_TEXT_MAX = 512,
	REPLY_LINES_MAX = 100,
	REPLY_LINE_KEPT = 2048,
	REPLY_BYTES_MAX = 65536
};

struct reply {
	int code;	 /* 200 to 599 */
	char status[12]; /* enhanced status code "5.1.1" found in the text, or "" */
	char text
	    [REPLY_TEXT_MAX]; /* the lines joined by one blank, control bytes and 8-bit as '?', cut */
};

struct reply_parser {
	struct reply reply;
	size_t lines, bytes, text_len, line_len;
	bool cut_line; /* private: the rest of an over-long line is being dropped */
	char line
	    [REPLY_LINE_KEPT]; /* private: the line under way, so that pieces may end anywhere */
};

void reply_parser_init(struct reply_parser *parser); /* before each reply */

/* RC_OK: parser->reply is complete; *used bytes were taken. RC_MORE: all of `in` was taken.
 * RC_BAD: not a reply, or over the limits; the session with this host is over (a temporary fault).
 * Lines end in CR LF or bare LF. Kept of each line are 2 KiB at most. `on_line`, when not NULL, sees each line's
 * text behind the code (for EHLO). */
MUST_CHECK enum rc reply_feed(struct reply_parser *parser, struct span in, size_t *used,
    void (*on_line)(void *arg, struct span text), void *arg);

/* What an EHLO answer offers. Feed it each line through reply_feed's on_line. */
struct ehlo_offer {
	unsigned lines; /* seen; the first is the host's name */
	bool pipelining, eightbit, starttls, size_known, smtputf8, dsn, enhanced, auth_plain,
	    auth_login;
	uint64_t size; /* 0: no limit told */
};
void ehlo_offer_line(void *offer, struct span text);

/* "2.0.0", "4.0.0" or "5.0.0" for a code without an enhanced status code. */
const char *reply_default_status(int code);

#endif
