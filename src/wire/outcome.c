/* wire/outcome.c - outcomes from replies and local causes. */
#include "config.h"

#include "wire/outcome.h"

#include <stdio.h>

#include "wire/reply.h"

void
outcome_set(struct outcome *outcome, enum outcome_kind kind, int code, const char *status,
    bool remote, const char *text)
{
	if (outcome->kind != OUTCOME_NONE)
		return;
	outcome->kind = kind;
	outcome->code = code;
	outcome->remote = remote;
	(void)snprintf(outcome->status, sizeof outcome->status, "%s",
	    status[0] != '\0' ? status : reply_default_status(code));
	(void)snprintf(outcome->text, sizeof outcome->text, "%s", text);
}

void
outcome_from_reply(struct outcome *outcome, int code, const char *status, const char *text)
{
	enum outcome_kind kind = OUTCOME_DEFERRED;

	if (code >= 200 && code < 300)
		kind = OUTCOME_DELIVERED;
	else if (code >= 500)
		kind = OUTCOME_FAILED;
	outcome_set(outcome, kind, code, status, true, text);
}

void
outcome_format(const struct outcome *outcome, char *out, size_t size)
{
	struct span text = span_of(outcome->text), status = span_of(outcome->status);

	/* The peer's text begins with its status as a rule: say it once. */
	if (span_starts(text, status))
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
	outcome_set(out, OUTCOME_DEFERRED, (int)value, copy, true, rest.len > 0 ? rest.p : "");
	return RC_OK;
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
