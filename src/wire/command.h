/* wire/command.h - SMTP commands as structs (RFC 5321 section 4.1, 1870, 6152, 3207, 4954, 3461).
 *
 * Spans borrow from the line. Nothing here allocates; the same bytes give the same answer. */
#ifndef WIRE_COMMAND_H
#define WIRE_COMMAND_H

#include "util/rc.h"
#include "util/span.h"

enum verb {
	VERB_UNKNOWN,
	VERB_EHLO,
	VERB_HELO,
	VERB_STARTTLS,
	VERB_AUTH,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_RSET,
	VERB_NOOP,
	VERB_QUIT,
	VERB_VRFY,
	VERB_EXPN,
	VERB_HELP,
	VERB_REFUSED, /* known and never offered: ETRN TURN XCLIENT XFORWARD DEBUG WIZ BDAT SEND SOML SAML LHLO */
	VERB_FOREIGN /* the first line of another protocol: HTTP methods, a TLS record */
};

struct command {
	enum verb verb;
	struct span name; /* as sent */
	struct span arg;  /* what follows the verb, trimmed of blanks */
};

/* RC_OK, or RC_BAD for control bytes or 8-bit in the line (why: 500 or 501 with the text to reply; `out` is
 * filled even then). An unknown verb is RC_OK with VERB_UNKNOWN; VERB_FOREIGN comes whatever follows it. */
MUST_CHECK enum rc command_parse(struct span line, struct command *out, struct why *why);

/* A reverse-path or forward-path: one mailbox (RFC 5321 section 4.1.2). */
struct path {
	struct span
	    whole; /* local@domain as sent, without brackets and source route; empty for <> */
	struct span local;  /* with its quotes, when quoted */
	struct span domain; /* as sent; an address literal keeps its brackets */
};

enum {
	DSN_RET_UNSET,
	DSN_RET_FULL,
	DSN_RET_HDRS
};
enum {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8
};

struct mail_command {
	struct path from;  /* from.whole.len == 0: the null sender */
	int64_t size;	   /* SIZE=, or -1 */
	bool body_8bit;	   /* BODY=8BITMIME */
	int ret;	   /* RET=, DSN_RET_... */
	struct span envid; /* ENVID= as sent (xtext, checked) */
	struct span auth;  /* AUTH= as sent (xtext, checked) */
};

struct rcpt_command {
	struct path to;
	unsigned notify;   /* NOTIFY= bits, 0 when absent */
	struct span orcpt; /* ORCPT= as sent (checked) */
};

/* `arg` of MAIL / RCPT. SES accepts an address without brackets and blanks behind the colon; so do we.
 * RC_BAD with the exact SES reply in why: 501 "Syntax: MAIL FROM: <address>", 501 "Invalid MAIL FROM
 * address provided", 501/555 for parameters, 552 is the session's business. The null sender parses
 * (RC_OK); the session's profile decides. Limits: local part 64, domain 255, path 256, label 63,
 * parameters 20; address literals are checked for syntax; a source route is refused. */
MUST_CHECK enum rc command_parse_mail(struct span arg, struct mail_command *out, struct why *why);
MUST_CHECK enum rc command_parse_rcpt(struct span arg, struct rcpt_command *out, struct why *why);

/* RFC 3461 xtext: "+HH" escapes, printable ASCII. RC_BAD also when it decodes to a control
 * byte (CR, LF and NUL among them). */
MUST_CHECK enum rc xtext_check(struct span text);

#endif
