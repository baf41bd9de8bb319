/* wire/outcome.h - what became of one recipient in one attempt. Pure data. */
#ifndef WIRE_OUTCOME_H
#define WIRE_OUTCOME_H

#include "util/rc.h"
#include "util/span.h"

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
	int code;	 /* SMTP reply code, of the peer or made up for local causes */
	char status[12]; /* "2.0.0" */
	bool remote;	 /* the text is the peer's (Diagnostic-Code: smtp) */
	char text[OUTCOME_TEXT_MAX];
};

/* Fill an outcome that is still OUTCOME_NONE; later calls have no effect: the first word counts. */
void outcome_set(struct outcome *outcome, enum outcome_kind kind, int code, const char *status,
    bool remote, const char *text);

/* From a reply: 2xx delivered, 4xx deferred, 5xx failed. An empty status gives the class's default. */
void outcome_from_reply(struct outcome *outcome, int code, const char *status, const char *text);

/* "550 5.1.1 user unknown" as logs and Diagnostic-Code have it. */
void outcome_format(const struct outcome *outcome, char *out, size_t size);

/* A deferral from what outcome_format made of one. RC_BAD: the text is no such thing. */
MUST_CHECK enum rc outcome_parse(const char *text, struct outcome *out);

const char *outcome_kind_name(enum outcome_kind kind); /* "sent", "bounced", "deferred" */

#endif
