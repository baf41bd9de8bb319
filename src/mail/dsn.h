/* mail/dsn.h - builds delivery status notifications (RFC 3461, 6522, 3464), laid out as SES does. */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "util/buf.h"
#include "util/rc.h"
#include "util/span.h"

struct dsn_recipient {
	struct span address;
	struct span orcpt;  /* as given, or empty */
	const char *status; /* "5.1.1" */
	struct span
	    diagnostic; /* "smtp; 550 5.1.1 user unknown", or without "smtp;" for our own text */
	struct span remote_mta; /* host name, or empty */
};

struct dsn {
	struct span reporting_mta; /* our host name */
	struct span from;	   /* MAILER-DAEMON@... */
	struct span to;		   /* the envelope sender of the original */
	struct span message_id;	   /* new id with domain, without brackets */
	struct span
	    original_id; /* text of the original's message id, for X-Original-Message-ID; or empty */
	struct span envid; /* or empty */
	int64_t now_s, arrival_s;
	const struct dsn_recipient *recipients;
	size_t count;
	struct span original; /* the message as sent: headers, or all of it */
	bool headers_only;    /* `original` is only the header block: text/rfc822-headers */
};

/* The whole message in CR LF lines, 7-bit unless the original is 8-bit. Text from other hosts is escaped,
 * folded to 998, and cannot add fields. RC_LATER when memory is out. */
MUST_CHECK enum rc dsn_build(const struct dsn *dsn, struct buf *out);

#endif
