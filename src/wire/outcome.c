/* wire/outcome.c - outcomes from replies and local causes. */
#include "config.h"

#include "wire/outcome.h"

#include <stdio.h>

#include "wire/reply.h"

static void
fill(struct outcome *outcome, enum outcome_kind kind, int code, const char *status, bool remote,
    const char *text)
{
	outcome->kind = kind;
	outcome->code = code;
	outcome->remote = remote;
	outcome->failure = FAILURE_NONE;
	(void)snprintf(outcome->status, sizeof outcome->status, "%s", status);
	(void)snprintf(outcome->text, sizeof outcome->text, "%s", text);
}

void
outcome_set(
    struct outcome *outcome, enum outcome_kind kind, int code, const char *status, const char *text)
{
	struct refusal refusal = { false, STAGE_HELLO, code, status, text };

	if (outcome->kind != OUTCOME_NONE)
		return;
	fill(outcome, kind, code, status, false, text);
	if (kind != OUTCOME_DELIVERED)
		outcome->failure = classify(&refusal).failure;
}

/* What the peer said, or what its words mean when it has no status; "4." in front of what will be tried again. */
static void
refuse(struct outcome *outcome, enum outcome_kind kind, const struct refusal *refusal,
    enum failure_class failure)
{
	char status[sizeof outcome->status];
	const char *detail = failure_info(failure)->detail;

	if (refusal->status[0] != '\0')
		detail = refusal->status + 2; /* behind the class: "5." */
	(void)snprintf(status, sizeof status, "%c.%s", kind == OUTCOME_FAILED ? '5' : '4', detail);
	fill(outcome, kind, refusal->code, status, true, refusal->text);
	outcome->failure = failure;
}

void
outcome_from_reply(
    struct outcome *outcome, enum smtp_stage stage, int code, const char *status, const char *text)
{
	struct refusal refusal = { true, stage, code, status, text };
	struct classified c;

	if (outcome->kind != OUTCOME_NONE)
		return;
	if (code >= 200 && code < 300) {
		fill(outcome, OUTCOME_DELIVERED, code,
		    status[0] != '\0' ? status : reply_default_status(code), true, text);
		return;
	}
	c = classify(&refusal);
	refuse(outcome, code >= 500 && !c.later ? OUTCOME_FAILED : OUTCOME_DEFERRED, &refusal,
	    c.failure);
}

void
outcome_of_host(
    struct outcome *outcome, enum smtp_stage stage, int code, const char *status, const char *text)
{
	struct refusal refusal = { true, stage, code, status, text };

	if (outcome->kind == OUTCOME_NONE)
		refuse(outcome, OUTCOME_DEFERRED, &refusal, classify(&refusal).failure);
}

void
outcome_expire(struct outcome *outcome, int64_t max_age_ms, bool own_end)
{
	bool minutes = max_age_ms % 60000 == 0;
	enum failure_class failure = own_end ? FAILURE_CUSTOM_TIMEOUT : FAILURE_EXPIRED;
	char last[OUTCOME_TEXT_MAX], text[OUTCOME_TEXT_MAX];

	/* SES calls a mailbox full that was full to the end. */
	if (!own_end && outcome->failure == FAILURE_MAILBOX_FULL)
		failure = FAILURE_MAILBOX_FULL;
	outcome_format(outcome, last, sizeof last);
	(void)snprintf(text, sizeof text, "Message expired: unable to deliver in %lld %s.<%.400s>",
	    (long long)(max_age_ms / (minutes ? 60000 : 1000)), minutes ? "minutes" : "seconds",
	    last);
	fill(outcome, OUTCOME_FAILED, 550, "4.4.7", false, text);
	outcome->failure = failure;
}

void
outcome_format(const struct outcome *outcome, char *out, size_t size)
{
	struct span text = span_of(outcome->text), status = span_of(outcome->status);

	/* The peer's text begins with its status as a rule, perhaps a 5 where we know better: say it once. */
	if (span_starts(text, status) || (span_starts(text, SPAN_LIT("5.")) &&
					     span_starts(span_skip(text, 1), span_skip(status, 1))))
		(void)snprintf(out, size, "%d %s", outcome->code, outcome->text);
	else
		(void)snprintf(
		    out, size, "%d %s %s", outcome->code, outcome->status, outcome->text);
}

/* "4.7.1" */
static bool
is_status(struct span s)
{
	struct span part;
	uint64_t value;
	int parts = 0;

	while (span_next(&s, '.', &part)) {
		if (!span_uint(part, 999, &value))
			return false;
		parts++;
	}
	return parts == 3;
}

enum rc
outcome_parse(const char *text, struct outcome *out)
{
	struct span rest = span_of(text), code = SPAN_EMPTY, status = SPAN_EMPTY;
	char copy[sizeof out->status];
	uint64_t value;

	if (!span_next(&rest, ' ', &code) || !span_uint(code, 599, &value) || value < 400 ||
	    !span_next(&rest, ' ', &status) || !is_status(status) ||
	    !span_copy(status, copy, sizeof copy))
		return RC_BAD;
	out->kind = OUTCOME_NONE;
	outcome_of_host(out, STAGE_HELLO, (int)value, copy, rest.len > 0 ? rest.p : "");
	return RC_OK;
}

void
outcome_diagnostic(const struct outcome *outcome, char *out, size_t size)
{
	if (outcome->remote)
		(void)snprintf(out, size, "%d%s%s", outcome->code,
		    outcome->text[0] != '\0' ? " " : "", outcome->text);
	else
		outcome_format(outcome, out, size);
}

const char *
outcome_kind_name(enum outcome_kind kind)
{
	switch (kind) {
	case OUTCOME_DELIVERED:
		return "sent";
	case OUTCOME_FAILED:
		return "bounced";
	case OUTCOME_DEFERRED:
		return "deferred";
	case OUTCOME_NONE:
		break;
	}
	return "unknown";
}
