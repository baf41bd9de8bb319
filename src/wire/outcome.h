/* wire/outcome.h - what became of one recipient in one attempt, and what kind of failure that is. Pure data. */
#ifndef WIRE_OUTCOME_H
#define WIRE_OUTCOME_H

#include "util/rc.h"
#include "util/span.h"
#include "wire/classify.h"

enum outcome_kind {
	OUTCOME_NONE, /* nothing known yet */
	OUTCOME_DELIVERED,
	OUTCOME_FAILED,	  /* permanent */
	OUTCOME_DEFERRED, /* retry later */
};

enum {
	OUTCOME_TEXT_MAX = 512
};

struct outcome {
	enum outcome_kind kind;
	int code;		    /* SMTP reply code, of the peer or made up for local causes */
	char status[12];	    /* "2.0.0" */
	bool remote;		    /* the text is the peer's (Diagnostic-Code: smtp) */
	enum failure_class failure; /* FAILURE_NONE when it is delivered */
	char text[OUTCOME_TEXT_MAX];
};

/* The first three fill an outcome that is still OUTCOME_NONE; later calls have no effect: the first word counts. */

/* A cause of our own. */
void outcome_set(struct outcome *outcome, enum outcome_kind kind, int code, const char *status,
    const char *text);

/* From a reply: 2xx delivered, 4xx deferred, 5xx failed, or deferred when wire/classify.h says that it is not meant for
 * good. An empty status gives that of the failure's class. The status has the class of what is done: "4.x.x" when
 * deferred. */
void outcome_from_reply(
    struct outcome *outcome, enum smtp_stage stage, int code, const char *status, const char *text);

/* The same for a reply that speaks of the host and not of the message: deferred, whatever the code. */
void outcome_of_host(
    struct outcome *outcome, enum smtp_stage stage, int code, const char *status, const char *text);

/* A deferral past the end of its time is a failure that names the last cause. own_end: the time was that of the
 * configuration set. */
void outcome_expire(struct outcome *outcome, int64_t max_age_ms, bool own_end);

/* "550 5.1.1 user unknown" as logs have it: with the status, also when the peer did not say it. */
void outcome_format(const struct outcome *outcome, char *out, size_t size);

/* A deferral from what outcome_format made of one, as of a host. RC_BAD: the text is no such thing. */
MUST_CHECK enum rc outcome_parse(const char *text, struct outcome *out);

/* For Diagnostic-Code: what the peer said and nothing else (RFC 3464 section 2.3.6). */
void outcome_diagnostic(const struct outcome *outcome, char *out, size_t size);

const char *outcome_kind_name(enum outcome_kind kind); /* "sent", "bounced", "deferred" */

#endif
