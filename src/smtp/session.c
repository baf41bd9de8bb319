/* smtp/session.c - commands and their order.
 *
 * In: command lines. Out: exactly one reply for each, in order. The table at the end says which command is good in which
 * state; a handler may assume its row. After RC_BAD from a parser the reply is the parser's. */
#include "config.h"

#include "smtp/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/crypto.h"
#include "util/log.h"
#include "wire/line.h"

enum {
	LINE_SLACK = 64 * 1024,	 /* an over-long line is read that far for its end */
	COMMAND_MAX = 2048,	 /* RFC 5321 4.5.3.1.4 asks for 512; MAIL's parameters need more */
	ERRORS_DELAYED_FROM = 4, /* each error from this one on costs time */
	ERRORS_MAX = 20,
	IDLE_COMMANDS_MAX = 100, /* NOOP, RSET, EHLO and the like without a message in between */
	ERROR_DELAY_STEP_MS = 500,
	ERROR_DELAY_MAX_MS = 5000,
	HELO_KEPT = 255
};

/* ------------------------------------------------------------------ replies ------------------- */

void
session_reply(struct session *session, struct buf *out, int code, const char *fmt, ...)
{
	char text[WHY_TEXT_MAX + 64];
	va_list args;

	(void)session;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_addf(out, "%d %s\r\n", code, text);
}

void
session_reply_why(struct session *session, struct buf *out, const struct why *why)
{
	session_reply(session, out, why->code != 0 ? why->code : 451, "%s",
	    why->code != 0 ? why->text : "Temporary service failure");
}

void
session_say_later(struct session *session, int64_t delay_ms, bool close, int code, const char *text)
{
	buf_clear(&session->delayed);
	buf_addf(&session->delayed, "%d %s\r\n", code, text);
	session->delay_ms = delay_ms;
	session->close_after_delay = close;
	session->want = SESSION_PAUSE;
}

static void
too_many_errors(struct session *session, struct buf *out)
{
	session_reply(session, out, 421, "Too many errors, closing connection");
	session->want = SESSION_CLOSE;
}

void
session_error(struct session *session, struct buf *out, int code, const char *text)
{
	int64_t delay_ms;

	session->errors++;
	if (session->errors > ERRORS_MAX) {
		too_many_errors(session, out);
		return;
	}
	if (session->errors < ERRORS_DELAYED_FROM) {
		session_reply(session, out, code, "%s", text);
		return;
	}
	delay_ms = (int64_t)(session->errors - ERRORS_DELAYED_FROM + 1) * ERROR_DELAY_STEP_MS;
	session_say_later(session, delay_ms < ERROR_DELAY_MAX_MS ? delay_ms : ERROR_DELAY_MAX_MS,
	    false, code, text);
}

static void
error_why(struct session *session, struct buf *out, const struct why *why)
{
	session_error(session, out, why->code != 0 ? why->code : 501, why->text);
}

void
session_set_state(struct session *session, enum session_state state)
{
	session->state = state;
	session->progress++;
}

void
session_end_mail(struct session *session)
{
	if (session->mail != NULL && session->mail->file_name[0] != '\0')
		session->options.host->discard(session->options.arg, session->mail);
	submission_free(session->mail);
	session->mail = NULL;
	buf_free(&session->pending);
	session->spilled = session->content_over = session->spill_failed = false;
	session->header_kept = false;
	if (session->budget > 0)
		(void)session->options.host->budget(session->options.arg, -session->budget);
	session->budget = 0;
}

/* ------------------------------------------------------------------ life ---------------------- */

static void
set_client(struct session *session)
{
	char helo[HELO_KEPT + 1], text[2 * HELO_KEPT];

	(void)log_safe(
	    span_of(session->helo != NULL ? session->helo : "unknown"), helo, sizeof helo);
	for (char *p = helo; *p != '\0'; p++)
		if (*p == '[' || *p == ']' || *p == ' ')
			*p = '_'; /* the address in brackets must be ours alone */
	(void)snprintf(text, sizeof text, "%s[%s]", helo, session->options.peer);
	free(session->client);
	session->client = span_dup(span_of(text));
}

struct session *
session_new(const struct session_options *options)
{
	struct session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return NULL;
	session->options = *options;
	session->config = config_ref(options->config);
	session->in_tls = options->tls == TLS_MODE_IMPLICIT;
	set_client(session);
	if (session->client == NULL) {
		session_free(session);
		return NULL;
	}
	return session;
}

void
session_free(struct session *session)
{
	if (session == NULL)
		return;
	session_end_mail(session);
	auth_exchange_free(session->exchange);
	buf_free(&session->delayed);
	free(session->helo);
	free(session->client);
	free(session->account);
	free(session->credential);
	config_unref(session->config);
	free(session);
}

static void
random_text(const char *alphabet, size_t len, char *out)
{
	unsigned char bytes[32];
	size_t letters = strlen(alphabet);

	crypto_random(bytes, sizeof bytes);
	for (size_t i = 0; i < len; i++)
		out[i] = alphabet[bytes[i] % letters];
	out[len] = '\0';
}

void
session_greet(struct session *session, struct buf *out)
{
	static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char mixed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	char host[10], token[21];

	random_text(upper, 9, host);
	random_text(mixed, 20, token);
	session_reply(session, out, 220, "%s ESMTP SimpleEmailService-d-%s %s",
	    session->config->hostname, host, token);
	session->greeted = true;
	session->progress++;
}

/* ------------------------------------------------------------------ handlers ------------------ */

static bool
offers_starttls(const struct session *session)
{
	return session->options.tls == TLS_MODE_STARTTLS && !session->in_tls;
}

/* Nothing but STARTTLS goes on, unless the operator allows AUTH in clear: then it is the client's choice. */
static bool
tls_is_due(const struct session *session)
{
	return offers_starttls(session) && !session->options.auth_without_tls;
}

static bool
may_auth(const struct session *session)
{
	return session->in_tls || session->options.auth_without_tls;
}

static bool
take_helo(struct session *session, const struct command *command, struct buf *out)
{
	bool ehlo = command->verb == VERB_EHLO;

	if (command->arg.len == 0) {
		session_error(
		    session, out, 501, ehlo ? "Syntax: EHLO hostname" : "Syntax: HELO <hostname>");
		return false;
	}
	if (++session->idle_commands > IDLE_COMMANDS_MAX && ++session->errors > ERRORS_MAX) {
		too_many_errors(session, out);
		return false;
	}
	free(session->helo);
	session->helo = span_dup(span_first(command->arg, HELO_KEPT));
	set_client(session);
	if (session->helo == NULL || session->client == NULL) {
		session_reply(session, out, 451, "Temporary service failure");
		session->want = SESSION_CLOSE;
		return false;
	}
	session->esmtp = ehlo;
	session_end_mail(session);
	session_set_state(session, STATE_READY);
	return true;
}

static void
on_ehlo(struct session *session, const struct command *command, struct buf *out)
{
	const struct config *config = session->config;

	if (!take_helo(session, command, out))
		return;
	buf_addf(out, "250-%s\r\n250-8BITMIME\r\n", config->hostname);
	if (config->smtp.announce_size)
		buf_addf(out, "250-SIZE %lld\r\n", (long long)config->smtp.max_message_bytes);
	if (config->smtp.announce_pipelining)
		buf_addf(out, "250-PIPELINING\r\n");
	if (offers_starttls(session))
		buf_addf(out, "250-STARTTLS\r\n");
	if (may_auth(session))
		buf_addf(out, "250-AUTH PLAIN LOGIN\r\n");
	buf_addf(out, "250 Ok\r\n");
}

static void
on_helo(struct session *session, const struct command *command, struct buf *out)
{
	if (take_helo(session, command, out))
		session_reply(session, out, 250, "%s", session->config->hostname);
}

static void
on_starttls(struct session *session, const struct command *command, struct buf *out)
{
	if (command->arg.len > 0) {
		session_error(session, out, 501, "Syntax error (no parameters allowed)");
	} else if (session->in_tls) {
		session_error(session, out, 454,
		    "TLS not available due to temporary reason: TLS already active");
	} else if (session->options.tls != TLS_MODE_STARTTLS) {
		session_error(session, out, 502, "Error: command not implemented");
	} else {
		session_reply(session, out, 220, "Ready to start TLS");
		session->want = SESSION_STARTTLS;
	}
}

void
session_tls_started(struct session *session)
{
	/* What was said in clear is forgotten: RFC 3207 section 4.2. */
	session->in_tls = true;
	session->want = SESSION_READ;
	free(session->helo);
	session->helo = NULL;
	free(session->account);
	free(session->credential);
	session->account = session->credential = NULL;
	set_client(session);
	session_end_mail(session);
	session_set_state(session, STATE_START);
}

static void
on_mail(struct session *session, const struct command *command, struct buf *out)
{
	struct mail_command mail;
	struct why why = WHY_EMPTY;
	struct submission *s;

	if (command_parse_mail(command->arg, &mail, &why) != RC_OK) {
		error_why(session, out, &why);
		return;
	}
	if (mail.from.whole.len == 0 && session->profile == PROFILE_SES) {
		session_error(session, out, 501, "Invalid MAIL FROM address provided");
		return;
	}
	if (mail.size > session->config->smtp.max_message_bytes) {
		session_error(session, out, 552, "5.3.4 Message size exceeds fixed limit");
		return;
	}
	s = submission_new();
	if (s != NULL) {
		s->sender = span_dup(mail.from.whole);
		s->account = span_dup(span_of(session->account));
		s->credential = span_dup(span_of(session->credential));
		s->listener = span_dup(span_of(session->options.listener));
		s->client = span_dup(span_of(session->client));
		s->mechanism =
		    span_ieq(span_of(session->mechanism), SPAN_LIT("LOGIN")) ? "LOGIN" : "PLAIN";
		s->tls = session->in_tls;
		s->config = config_ref(session->config);
		s->home = session->options.loop;
		if (session->profile == PROFILE_RELAY) {
			s->envid = mail.envid.len > 0 ? span_dup(mail.envid) : NULL;
			s->ret = mail.ret;
		}
	}
	if (s == NULL || s->sender == NULL || s->account == NULL || s->credential == NULL ||
	    s->listener == NULL || s->client == NULL) {
		submission_free(s);
		session_reply(session, out, 451, "Temporary service failure");
		return;
	}
	session->mail = s;
	session_set_state(session, STATE_MAIL);
	session_reply(session, out, 250, "Ok");
}

static void
on_rcpt(struct session *session, const struct command *command, struct buf *out)
{
	struct rcpt_command rcpt;
	struct why why = WHY_EMPTY;
	bool relay = session->profile == PROFILE_RELAY;

	if (command_parse_rcpt(command->arg, &rcpt, &why) != RC_OK) {
		error_why(session, out, &why);
		return;
	}
	/* Too many are refused after the content, as SES does; but not kept without bound. */
	if (session->mail->recipient_count >= (size_t)10 * MESSAGE_RECIPIENTS_MAX) {
		session_error(session, out, 452, "Too many recipients");
		return;
	}
	if (submission_add_recipient(session->mail, rcpt.to.whole, relay ? rcpt.orcpt : SPAN_EMPTY,
		relay ? rcpt.notify : 0) != RC_OK) {
		session_reply(session, out, 451, "Temporary service failure");
		return;
	}
	session_set_state(session, STATE_RCPT);
	session_reply(session, out, 250, "Ok");
}

static void
idle_command(struct session *session, struct buf *out, int code, const char *text)
{
	if (++session->idle_commands > IDLE_COMMANDS_MAX)
		session_error(session, out, code, text);
	else
		session_reply(session, out, code, "%s", text);
}

static void
on_rset(struct session *session, const struct command *command, struct buf *out)
{
	(void)command;
	session_end_mail(session);
	if (session->state != STATE_START)
		session_set_state(session, STATE_READY);
	idle_command(session, out, 250, "Ok");
}

static void
on_noop(struct session *session, const struct command *command, struct buf *out)
{
	(void)command;
	idle_command(session, out, 250, "Ok");
}

static void
on_quit(struct session *session, const struct command *command, struct buf *out)
{
	(void)command;
	session_reply(session, out, 221, "Bye");
	session->want = SESSION_CLOSE;
}

static void
on_vrfy(struct session *session, const struct command *command, struct buf *out)
{
	session_error(session, out, 502,
	    command->verb == VERB_VRFY ? "VRFY command is disabled" : "EXPN command is disabled");
}

static void
on_help(struct session *session, const struct command *command, struct buf *out)
{
	(void)command;
	idle_command(session, out, 214, "See RFC 5321");
}

static void
on_unknown(struct session *session, const struct command *command, struct buf *out)
{
	session_error(session, out, command->verb == VERB_REFUSED ? 502 : 500,
	    command->verb != VERB_REFUSED && command->name.len < 4
		? "Error: bad syntax"
		: "Error: command not implemented");
}

static void
on_foreign(struct session *session, const struct command *command, struct buf *out)
{
	(void)command;
	(void)out; /* another protocol's client is told nothing it could take for an answer */
	session->want = SESSION_CLOSE;
}

/* ------------------------------------------------------------------ the table ----------------- */

#define IN(state) (1U << (state))
#define ANYWHERE  (IN(STATE_START) | IN(STATE_READY) | IN(STATE_MAIL) | IN(STATE_RCPT))

enum {
	CLEAR = 1, /* allowed before TLS on a STARTTLS port */
	NEEDS_AUTH = 2
};

static const struct verb_row {
	void (*handle)(struct session *session, const struct command *command, struct buf *out);
	unsigned states;
	unsigned flags;
} verbs[] = {
	[VERB_UNKNOWN] = { on_unknown, ANYWHERE, CLEAR },
	[VERB_EHLO] = { on_ehlo, ANYWHERE, CLEAR },
	[VERB_HELO] = { on_helo, ANYWHERE, 0 },
	[VERB_STARTTLS] = { on_starttls, ANYWHERE, CLEAR },
	[VERB_AUTH] = { session_on_auth, IN(STATE_READY), 0 },
	[VERB_MAIL] = { on_mail, IN(STATE_READY), NEEDS_AUTH },
	[VERB_RCPT] = { on_rcpt, IN(STATE_MAIL) | IN(STATE_RCPT), NEEDS_AUTH },
	[VERB_DATA] = { session_on_data, IN(STATE_RCPT), NEEDS_AUTH },
	[VERB_RSET] = { on_rset, ANYWHERE, 0 },
	[VERB_NOOP] = { on_noop, ANYWHERE, CLEAR },
	[VERB_QUIT] = { on_quit, ANYWHERE, CLEAR },
	[VERB_VRFY] = { on_vrfy, ANYWHERE, 0 },
	[VERB_EXPN] = { on_vrfy, ANYWHERE, 0 },
	[VERB_HELP] = { on_help, ANYWHERE, 0 },
	[VERB_REFUSED] = { on_unknown, ANYWHERE, CLEAR },
	[VERB_FOREIGN] = { on_foreign, ANYWHERE, CLEAR },
};

/* The reply to a good command at a wrong place. */
static const char *
wrong_place(const struct session *session, enum verb verb)
{
	if (verb == VERB_MAIL && session->state >= STATE_MAIL)
		return "5.5.1 Sender already specified.";
	if (verb == VERB_DATA && session->state == STATE_MAIL)
		return "Error: need RCPT command";
	if (verb == VERB_AUTH && session->state >= STATE_MAIL)
		return "Refusing any other AUTH command.";
	if (verb == VERB_RCPT || verb == VERB_DATA)
		return session->state == STATE_START ? "5.5.1 Error: send HELO/EHLO first"
						     : "5.5.1 Error: need MAIL command";
	return "5.5.1 Error: send HELO/EHLO first";
}

static void
run_command(struct session *session, struct span line, struct buf *out)
{
	struct command command;
	struct why why = WHY_EMPTY;
	enum rc rc = command_parse(line, &command, &why);
	const struct verb_row *row = &verbs[command.verb];

	if (command.verb == VERB_FOREIGN) {
		on_foreign(session, &command, out);
		return;
	}
	if (rc != RC_OK)
		error_why(session, out, &why);
	else if (tls_is_due(session) && (row->flags & CLEAR) == 0)
		session_error(session, out, 530, "Must issue a STARTTLS command first");
	else if ((row->flags & NEEDS_AUTH) != 0 && session->account == NULL)
		session_error(session, out, 530, "Authentication required");
	else if ((row->states & IN(session->state)) == 0)
		session_error(session, out, 503, wrong_place(session, command.verb));
	else
		row->handle(session, &command, out);
}

/* ------------------------------------------------------------------ feeding ------------------- */

/* No line end within the limit. The rest is thrown away up to its CR LF; one that has none near, or ends in a bare LF,
 * ends the session: what follows might not be meant as a command. */
static size_t
long_line(struct session *session, struct span in, size_t max, struct buf *out)
{
	struct span near = span_first(in, max + LINE_SLACK);
	size_t end = span_find(near, '\n');

	if (end == near.len && near.len < max + LINE_SLACK)
		return 0;
	if (session->state == STATE_AUTH)
		session_auth_end(session);
	session->progress++;
	if (end < near.len && in.p[end - 1] == '\r') {
		session_error(session, out, 500, "Error: line too long");
		return end + 1;
	}
	session_reply(session, out, 500, "Error: line too long");
	session->want = SESSION_CLOSE;
	return in.len;
}

static size_t
bad_line(struct session *session, struct span in, size_t used, size_t max, struct buf *out)
{
	if (used > max)
		return long_line(session, in, max, out);
	session_reply(session, out, 501,
	    "Syntax error at character position %zu. CR and LF must be CRLF paired.  See RFC 2821 "
	    "#2.7.1.",
	    used);
	session->want = SESSION_CLOSE;
	return in.len;
}

static size_t
feed_line(struct session *session, struct span in, struct buf *out)
{
	size_t max = session->state == STATE_AUTH ? AUTH_LINE_MAX : COMMAND_MAX, used = 0;
	struct span line;
	enum rc rc;

	if (in.p[0] == 0x16 && !session->in_tls) {
		session->want = SESSION_CLOSE; /* a TLS record where a command belongs */
		return in.len;
	}
	rc = line_next(in, max, &line, &used);
	if (rc == RC_MORE)
		return 0;
	if (rc != RC_OK)
		return bad_line(session, in, used, max, out);
	session
	    ->progress++; /* a whole line: the next one has time of its own, whatever came of this */
	if (session->state == STATE_AUTH)
		session_auth_line(session, line, out);
	else
		run_command(session, line, out);
	return used;
}

size_t
session_feed(struct session *session, struct span in, struct buf *out)
{
	size_t used = 0, n;

	while (used < in.len && session->want == SESSION_READ) {
		struct span rest = span_skip(in, used);

		n = session->state == STATE_DATA ? session_data_bytes(session, rest, out)
						 : feed_line(session, rest, out);
		if (n == 0)
			break;
		used += n;
	}
	return used;
}

enum session_want
session_want(const struct session *session)
{
	return session->want;
}

int64_t
session_delay_ms(const struct session *session)
{
	return session->delay_ms;
}

void
session_resume(struct session *session, struct buf *out)
{
	buf_add_span(out, buf_span(&session->delayed));
	buf_free(&session->delayed);
	session->want = session->close_after_delay ? SESSION_CLOSE : SESSION_READ;
	session->progress++;
}

/* ------------------------------------------------------------------ time ---------------------- */

int64_t
session_deadline_ms(const struct session *session)
{
	if (session->state == STATE_DATA)
		return session->config->smtp.data_ms;
	return session->account != NULL ? session->config->smtp.session_idle_ms
					: session->config->smtp.idle_ms;
}

uint64_t
session_progress(const struct session *session)
{
	return session->progress;
}

void
session_timeout(struct session *session, struct buf *out)
{
	session_reply(session, out, 451, "4.4.2 Timeout waiting for data from client.");
	session->want = SESSION_CLOSE;
}

void
session_shutdown(struct session *session, struct buf *out)
{
	session_reply(session, out, 421, "Service shutting down, closing connection");
	session->want = SESSION_CLOSE;
}

bool
session_is_authenticated(const struct session *session)
{
	return session->account != NULL;
}

bool
session_in_transaction(const struct session *session)
{
	return session->state == STATE_DATA || session->state == STATE_STORE;
}
