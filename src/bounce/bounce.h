/* bounce/bounce.h - makes the report to a sender whose recipients failed for good (RFC 3464).
 *
 * The report is a message of its own with the null sender. None is made for a message that has the null sender
 * itself, or that is a report: a report that fails is dropped, never answered. */
#ifndef BOUNCE_BOUNCE_H
#define BOUNCE_BOUNCE_H

#include "config/config.h"
#include "wire/outcome.h"
#include "spool/message.h"

struct bounce_recipient {
	size_t index; /* in message->recipients */
	const struct outcome *outcome;
	const char *host; /* that said so, or "" */
};

/* RC_OK: *out is the report, one reference. RC_DENY: none is due (why says it). RC_LATER: out of memory. */
MUST_CHECK enum rc bounce_make(const struct config *config, const struct message *message,
    const struct bounce_recipient *recipients, size_t count, struct message **out, struct why *why);

#endif
