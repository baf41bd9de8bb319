/* smtp/auth.c - the AUTH command (RFC 4954): gathers the answers, asks the host, answers 535 the same way for every
 * failure and later each time. */
#include "config.h"

#include "smtp/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "event/event.h"
#include "util/crypto.h"

enum {
	FAILURE_DELAY_MS = 1000
};

void
session_auth_end(struct session *session)
{
	auth_exchange_free(session->exchange);
	session->exchange = NULL;
	session_set_state(session, STATE_READY);
}

static void
failed(struct session *session, struct span user, const char *reason)
{
	bool last = ++session->auth_failures >= (unsigned)session->config->smtp.max_auth_failures;

	event_auth_failed(
	    session->options.listener, session->client, session->mechanism, user, reason);
	session_say_later(session,
	    FAILURE_DELAY_MS << (session->auth_failures - 1 < 4 ? session->auth_failures - 1 : 4),
	    last, 535, "Authentication Credentials Invalid");
	if (last)
		buf_addf(&session->delayed, "421 Too many authentication failures\r\n");
}

static void
proceed(struct session *session, enum rc rc, const char *challenge, const struct why *why,
    struct buf *out)
{
	const char *name, *password;

	if (rc == RC_MORE) {
		session_set_state(session, STATE_AUTH);
		buf_addf(out, "334 %s\r\n", challenge);
		return;
	}
	if (rc == RC_OK) {
		auth_exchange_result(session->exchange, &name, &password);
		session->want = SESSION_WAIT;
		session->options.host->check_credential(session->options.arg, name, password);
		return;
	}
	session_auth_end(session);
	if (why->code == 535)
		failed(session, SPAN_EMPTY, "malformed credentials");
	else
		session_error(session, out, why->code != 0 ? why->code : 454,
		    why->code != 0 ? why->text : "Temporary authentication failure");
}

void
session_on_auth(struct session *session, const struct command *command, struct buf *out)
{
	struct span rest = command->arg, mechanism = SPAN_EMPTY, initial = SPAN_EMPTY;
	bool has_initial;
	const char *challenge = "";
	struct why why = WHY_EMPTY;
	enum rc rc;

	if (session->account != NULL) {
		session_error(session, out, 503, "Refusing any other AUTH command.");
		return;
	}
	if (!session->in_tls && !session->options.auth_without_tls) {
		session_error(session, out, 530, "Must issue a STARTTLS command first");
		return;
	}
	if (rest.len == 0 || !session->esmtp) {
		session_error(session, out, 501, "Syntax: AUTH mechanism [initial-response]");
		return;
	}
	has_initial = span_find(rest, ' ') < rest.len;
	(void)span_next(&rest, ' ', &mechanism);
	if (has_initial)
		initial = span_trim(rest);
	if (!span_copy(mechanism, session->mechanism, sizeof session->mechanism))
		(void)snprintf(session->mechanism, sizeof session->mechanism, "unknown");
	auth_exchange_free(session->exchange);
	session->exchange = auth_exchange_new(session->config->hostname);
	if (session->exchange == NULL) {
		session_reply(session, out, 454, "Temporary authentication failure");
		return;
	}
	rc = auth_exchange_start(
	    session->exchange, mechanism, has_initial, initial, &challenge, &why);
	proceed(session, rc, challenge, &why, out);
}

void
session_auth_line(struct session *session, struct span line, struct buf *out)
{
	const char *challenge = "";
	struct why why = WHY_EMPTY;
	enum rc rc = auth_exchange_step(session->exchange, line, &challenge, &why);

	proceed(session, rc, challenge, &why, out);
}

void
session_auth_result(struct session *session, enum rc rc, const struct login *login,
    const char *reason, struct buf *out)
{
	const char *name, *password;
	char *account = NULL, *credential = NULL;

	auth_exchange_result(session->exchange, &name, &password);
	session->want = SESSION_READ;
	if (rc == RC_OK) {
		account = span_dup(span_of(login->account));
		credential = span_dup(span_of(name));
	}
	if (rc == RC_DENY) {
		struct span user = span_of(name);
		char kept[AUTH_NAME_MAX + 1];

		if (!span_copy(user, kept, sizeof kept))
			kept[0] = '\0';
		session_auth_end(session);
		failed(session, span_of(kept), reason);
		return;
	}
	session_auth_end(session);
	if (account == NULL || credential == NULL) {
		free(account);
		free(credential);
		session_reply(session, out, 454, "Temporary authentication failure");
		return;
	}
	session->account = account;
	session->credential = credential;
	session->profile = login->profile;
	session_reply(session, out, 235, "Authentication successful.");
}
