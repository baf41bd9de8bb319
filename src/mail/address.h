/* mail/address.h - addresses in headers and identities (RFC 5322 section 3.4, RFC 5321 section 4.1.2). */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "util/rc.h"
#include "util/span.h"

/* One address of a header's address list. Spans borrow from the field value. */
struct mailbox {
	struct span whole; /* the mailbox as written, trimmed: `Jo <jo@example.com>` */
	struct span local; /* quoted when it was */
	struct span domain;
};

enum {
	ADDRESS_LIST_MAX = 1000
};

/* Parse an address list (groups are flattened, comments skipped, folding allowed). on_mailbox is called
 * for each in order. RC_BAD with why = 554 "Transaction failed: <text>" in the texts SES gives
 * ("Missing final '@domain'", "Empty address", "Illegal semicolon, not in group", ...).
 * Linear time, no recursion; more than ADDRESS_LIST_MAX addresses are RC_BAD. An empty list is "Empty address". */
MUST_CHECK enum rc address_list_parse(struct span value,
    void (*on_mailbox)(void *arg, const struct mailbox *box), void *arg, struct why *why);

/* A bare local@domain, strictly: what the configuration and the API take. RC_BAD otherwise. */
MUST_CHECK enum rc address_parse(struct span text, struct mailbox *out, struct why *why);

/* Host name syntax (letters, digits, hyphens, labels to 63, 253 in all, no empty label; underscores only
 * when `underscore`). One trailing dot is not taken. */
bool address_domain_ok(struct span domain, bool underscore);

/* `[192.0.2.1]`, `[IPv6:2001:db8::1]` */
bool address_literal_ok(struct span domain);

/* A local part as RFC 5321 has it: dot-string or quoted-string, up to 64 octets. Leading, trailing and double
 * dots pass as they pass in SES's MAIL command; in headers and identities they are refused, as SES does, too.
 * Empty quotes name nobody and are refused everywhere. */
bool address_local_ok(struct span local);

#endif
