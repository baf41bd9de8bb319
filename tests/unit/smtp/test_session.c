/* Unit tests of smtp/session.c, auth.c and data.c, without sockets. Every case runs as one packet and byte by byte, and
 * both must say the same. The replies are those of SES. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/config/config_test.h"
#include "unit/smtp/fake_host.h"
#include "auth/auth.h"
#include "util/log.h"

#define CONFIG "hostname = \"mx.example.com\"; "

#define EHLO_HEAD  "250-mx.example.com\r\n250-8BITMIME\r\n250-SIZE 41943040\r\n250-PIPELINING\r\n"
#define EHLO_CLEAR EHLO_HEAD "250-STARTTLS\r\n250 Ok\r\n"
#define EHLO_TLS   EHLO_HEAD "250-AUTH PLAIN LOGIN\r\n250 Ok\r\n"
#define HELO_OK	   "250 mx.example.com\r\n"
#define OK	   "250 Ok\r\n"
#define GO_AHEAD   "354 End data with <CR><LF>.<CR><LF>\r\n"
#define ACCEPTED   "250 Ok " FAKE_ID "\r\n"
#define NEED_TLS   "530 Must issue a STARTTLS command first\r\n"
#define NEED_AUTH  "530 Authentication required\r\n"
#define NEED_EHLO  "503 5.5.1 Error: send HELO/EHLO first\r\n"
#define NEED_MAIL  "503 5.5.1 Error: need MAIL command\r\n"
#define NEED_RCPT  "503 Error: need RCPT command\r\n"
#define NO_AUTH	   "503 Refusing any other AUTH command.\r\n"
#define TWICE	   "503 5.5.1 Sender already specified.\r\n"
#define AUTH_OK	   "235 Authentication successful.\r\n"
#define AUTH_BAD   "535 Authentication Credentials Invalid\r\n"
#define UNKNOWN	   "500 Error: command not implemented\r\n"
#define REFUSED	   "502 Error: command not implemented\r\n"
#define BYE	   "221 Bye\r\n<close>\r\n"
#define NO_PARAM   "501 Syntax error (no parameters allowed)\r\n"

#define LOG_IN	 "EHLO c\r\nAUTH PLAIN " FAKE_PLAIN "\r\n"
#define ENVELOPE "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n"
#define TO_DATA	 LOG_IN ENVELOPE "DATA\r\n"
#define MESSAGE	 "From: a@example.com\r\nSubject: x\r\n\r\nhello\r\n"
#define HANDED	 "<mail a@example.com b@example.net>\r\n"

static const struct fake IN_TLS = { .tls = TLS_MODE_IMPLICIT };
static const struct fake IN_CLEAR = { .tls = TLS_MODE_STARTTLS };

static struct config *config;

/* A session like `like` that has heard `before`; what it said to that is forgotten. */
static void
begin(struct fake *fake, const struct fake *like, const char *before)
{
	*fake = *like;
	fake_begin(fake, config);
	fake_say(fake, span_of(before), SIZE_MAX);
	buf_clear(&fake->out);
}

static void
check_out(struct fake *fake, const char *want)
{
	assert_false(fake->out.failed);
	assert_string_equal(buf_cstr(&fake->out), want);
	buf_clear(&fake->out);
}

static void
say(struct fake *fake, const char *packet)
{
	fake_say(fake, span_of(packet), SIZE_MAX);
}

/* Say `packet` whole, and byte by byte; `before` brings the session there. */
static void
check_bytes(const struct fake *like, const char *before, struct span packet, const char *want)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 7 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct fake fake;

		begin(&fake, like, before);
		fake_say(&fake, packet, pieces[i]);
		check_out(&fake, want);
		fake_end(&fake);
	}
}

static void
check(const struct fake *like, const char *before, const char *packet, const char *want)
{
	check_bytes(like, before, span_of(packet), want);
}

/* ------------------------------------------------------------------ greeting ------------------ */

static void
test_greeting(void **state)
{
	static const char head[] = "220 mx.example.com ESMTP SimpleEmailService-d-";
	struct fake fake = IN_CLEAR, other = IN_CLEAR;
	struct span line;

	(void)state;
	fake_begin(&fake, config);
	fake_begin(&other, config);
	line = buf_span(&fake.out);
	assert_true(span_starts(line, span_of(head)));
	line = span_skip(line, sizeof head - 1);
	assert_int_equal(line.len, 9 + 1 + 20 + 2);
	for (size_t i = 0; i < 30; i++)
		assert_true(i == 9 ? line.p[i] == ' '
				   : ascii_is_alnum(line.p[i]) &&
					 (i > 9 || line.p[i] == ascii_lower(line.p[i]) - 32 ||
					     ascii_is_digit(line.p[i])));
	assert_span(span_skip(line, 30), "\r\n");
	assert_false(span_eq(buf_span(&fake.out), buf_span(&other.out)));
	fake_end(&fake);
	fake_end(&other);
}

/* ------------------------------------------------------------------ the table ----------------- */

enum place {
	CLEAR,	     /* STARTTLS port, before EHLO */
	CLEAR_HELLO, /* behind EHLO */
	TLS,	     /* in TLS, before EHLO */
	HELLO,
	LOGGED_IN,
	MAILED,
	ADDRESSED,
	PLACES
};

static const char *const places[PLACES] = {
	[CLEAR] = "",
	[CLEAR_HELLO] = "EHLO c\r\n",
	[TLS] = "",
	[HELLO] = "EHLO c\r\n",
	[LOGGED_IN] = LOG_IN,
	[MAILED] = LOG_IN "MAIL FROM:<a@example.com>\r\n",
	[ADDRESSED] = LOG_IN ENVELOPE,
};

#define ALL(reply) reply, reply, reply, reply, reply, reply, reply
/* Refused in clear, the rest as given. */
#define IN_TLS_ALL(reply)   NEED_TLS, NEED_TLS, reply, reply, reply, reply, reply
#define AFTER_AUTH(a, b, c) NEED_TLS, NEED_TLS, NEED_AUTH, NEED_AUTH, a, b, c

#define TLS_ACTIVE "454 TLS not available due to temporary reason: TLS already active\r\n"
#define TLS_START  "220 Ready to start TLS\r\n<tls>\r\n"

static const struct {
	const char *line;
	const char *want[PLACES];
} table[] = {
	{ "EHLO c", { EHLO_CLEAR, EHLO_CLEAR, EHLO_TLS, EHLO_TLS, EHLO_TLS, EHLO_TLS, EHLO_TLS } },
	{ "HELO c", { IN_TLS_ALL(HELO_OK) } },
	{ "STARTTLS",
	    { TLS_START, TLS_START, TLS_ACTIVE, TLS_ACTIVE, TLS_ACTIVE, TLS_ACTIVE, TLS_ACTIVE } },
	{ "AUTH PLAIN " FAKE_PLAIN,
	    { NEED_TLS, NEED_TLS, NEED_EHLO, AUTH_OK, NO_AUTH, NO_AUTH, NO_AUTH } },
	{ "MAIL FROM:<a@example.com>", { AFTER_AUTH(OK, TWICE, TWICE) } },
	{ "RCPT TO:<b@example.net>", { AFTER_AUTH(NEED_MAIL, OK, OK) } },
	{ "DATA", { AFTER_AUTH(NEED_MAIL, NEED_RCPT, GO_AHEAD) } },
	{ "RSET", { IN_TLS_ALL(OK) } },
	{ "NOOP", { ALL(OK) } },
	{ "NOOP with words", { ALL(OK) } },
	{ "QUIT", { ALL(BYE) } },
	{ "VRFY a", { IN_TLS_ALL("502 VRFY command is disabled\r\n") } },
	{ "EXPN a", { IN_TLS_ALL("502 EXPN command is disabled\r\n") } },
	{ "HELP", { IN_TLS_ALL("214 See RFC 5321\r\n") } },
	{ "BDAT 5 LAST", { ALL(REFUSED) } },
	{ "ETRN a", { ALL(REFUSED) } },
	{ "XCLIENT ADDR=1.2.3.4", { ALL(REFUSED) } },
	{ "WIZ", { ALL(REFUSED) } },
	{ "FOOBAR x", { ALL(UNKNOWN) } },
	{ "FOO", { ALL("500 Error: bad syntax\r\n") } },
	{ "", { ALL("500 Error: bad syntax\r\n") } },
	{ "EHLO", { ALL("501 Syntax: EHLO hostname\r\n") } },
	{ "HELO", { IN_TLS_ALL("501 Syntax: HELO <hostname>\r\n") } },
	{ "GET / HTTP/1.1", { ALL("<close>\r\n") } },
	{ "CONNECT x:25 HTTP/1.0", { ALL("<close>\r\n") } },
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		for (int at = 0; at < PLACES; at++) {
			char line[200];

			(void)snprintf(line, sizeof line, "%s\r\n", table[i].line);
			check(at < TLS ? &IN_CLEAR : &IN_TLS, places[at], line, table[i].want[at]);
		}
}

static void
test_ehlo(void **state)
{
	struct config *old = config;

	(void)state;
	config =
	    must_parse(CONFIG "smtp: { announce_size = false; announce_pipelining = false; };");
	check(&IN_TLS, "", "ehlo c\r\n",
	    "250-mx.example.com\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 Ok\r\n");
	config_unref(config);
	config = old;
	check(&IN_TLS, "", "EHLO \xff\r\n", "501 Syntax error in parameters or arguments\r\n");
	/* AUTH belongs to ESMTP. */
	check(&IN_TLS, "HELO c\r\n", "AUTH PLAIN " FAKE_PLAIN "\r\n",
	    "501 Syntax: AUTH mechanism [initial-response]\r\n");
}

/* RSET and EHLO forget the transaction, not the login. */
static void
test_reset(void **state)
{
	(void)state;
	check(&IN_TLS, LOG_IN ENVELOPE, "RSET\r\nDATA\r\nMAIL FROM:<c@example.com>\r\nDATA\r\n",
	    OK NEED_MAIL OK NEED_RCPT);
	check(&IN_TLS, LOG_IN ENVELOPE, "EHLO d\r\nRCPT TO:<x@example.com>\r\n" ENVELOPE,
	    EHLO_TLS NEED_MAIL OK OK);
	check(&IN_TLS, LOG_IN ENVELOPE, "HELO d\r\nDATA\r\n", HELO_OK NEED_MAIL);
}

/* ------------------------------------------------------------------ STARTTLS ------------------ */

static void
test_starttls(void **state)
{
	struct fake fake;

	(void)state;
	/* What stands behind it in clear is not run. */
	check(&IN_CLEAR, "EHLO c\r\n", "STARTTLS\r\nNOOP\r\nMAIL FROM:<a@example.com>\r\n",
	    "220 Ready to start TLS\r\n<tls>\r\n");
	check(&IN_CLEAR, "EHLO c\r\n", "STARTTLS\r\nNO", "220 Ready to start TLS\r\n<tls>\r\n");
	check(&IN_CLEAR, "", "STARTTLS now\r\n", NO_PARAM);
	check(&IN_CLEAR, "", "starttls\r\n", "220 Ready to start TLS\r\n<tls>\r\n");
	/* The EHLO in clear is forgotten. */
	begin(&fake, &IN_CLEAR, "EHLO c\r\nSTARTTLS\r\n");
	say(&fake, "AUTH PLAIN " FAKE_PLAIN "\r\nMAIL FROM:<a@example.com>\r\n");
	check_out(&fake, NEED_EHLO NEED_AUTH);
	say(&fake, "EHLO d\r\nSTARTTLS\r\n");
	check_out(&fake, EHLO_TLS "454 TLS not available due to temporary reason: TLS already "
				  "active\r\n");
	fake_end(&fake);
	/* A port without TLS has no such command. */
	check(&(struct fake){ .tls = TLS_MODE_NONE, .auth_without_tls = true }, "", "STARTTLS\r\n",
	    REFUSED);
}

/* AUTH in clear where the operator allows it; STARTTLS then forgets who has logged in. */
static void
test_auth_without_tls(void **state)
{
	const struct fake none = { .tls = TLS_MODE_NONE, .auth_without_tls = true };
	const struct fake either = { .tls = TLS_MODE_STARTTLS, .auth_without_tls = true };
	const struct fake never = { .tls = TLS_MODE_NONE };
	struct fake fake;

	(void)state;
	check(&none, "EHLO c\r\n", "AUTH PLAIN " FAKE_PLAIN "\r\n" ENVELOPE, AUTH_OK OK OK);
	check(&never, "", "EHLO c\r\nAUTH PLAIN " FAKE_PLAIN "\r\n" ENVELOPE,
	    EHLO_HEAD OK NEED_TLS NEED_AUTH NEED_AUTH);
	check(&either, "", "EHLO c\r\n", EHLO_HEAD "250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n" OK);
	check(&either, "EHLO c\r\n", "AUTH PLAIN " FAKE_PLAIN "\r\n" ENVELOPE, AUTH_OK OK OK);
	begin(&fake, &either, LOG_IN ENVELOPE "STARTTLS\r\n");
	assert_false(session_is_authenticated(fake.session));
	say(&fake, "EHLO d\r\nMAIL FROM:<a@example.com>\r\n");
	check_out(&fake, EHLO_TLS NEED_AUTH);
	fake_end(&fake);
}

/* ------------------------------------------------------------------ AUTH ---------------------- */

static void
test_auth(void **state)
{
	const struct fake down = { .tls = TLS_MODE_IMPLICIT, .auth_is_down = true };

	(void)state;
	check(&IN_TLS, "EHLO c\r\n", "AUTH PLAIN\r\n" FAKE_PLAIN "\r\n", "334 Ok\r\n" AUTH_OK);
	check(&IN_TLS, "EHLO c\r\n", "auth plain " FAKE_PLAIN "\r\n", AUTH_OK);
	check(&IN_TLS, "EHLO c\r\n", "AUTH LOGIN\r\ndXNlcg==\r\nc2VjcmV0\r\n",
	    "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n" AUTH_OK);
	check(&IN_TLS, "EHLO c\r\n", "AUTH LOGIN dXNlcg==\r\nc2VjcmV0\r\n",
	    "334 UGFzc3dvcmQ6\r\n" AUTH_OK);
	check(&IN_TLS, "EHLO c\r\n", "AUTH LOGIN\r\n*\r\nNOOP\r\n",
	    "334 VXNlcm5hbWU6\r\n501 Authentication canceled by client.\r\n" OK);
	check(&IN_TLS, "EHLO c\r\n", "AUTH LOGIN dXNlcg==\r\n*\r\nNOOP\r\n",
	    "334 UGFzc3dvcmQ6\r\n501 Authentication canceled by client.\r\n" OK);
	check(&IN_TLS, "EHLO c\r\n", "AUTH PLAIN !!!\r\nNOOP\r\n",
	    "501 Invalid command argument, not a valid Base64 string\r\n" OK);
	check(&IN_TLS, "EHLO c\r\n", "AUTH CRAM-MD5\r\nNOOP\r\n",
	    "504 The requested authentication mechanism is not supported\r\n" OK);
	check(
	    &IN_TLS, "EHLO c\r\n", "AUTH\r\n", "501 Syntax: AUTH mechanism [initial-response]\r\n");
	check(&down, "EHLO c\r\n", "AUTH PLAIN " FAKE_PLAIN "\r\nNOOP\r\n",
	    "454 Temporary authentication failure\r\n" OK);
}

static void
test_auth_failures(void **state)
{
	struct fake fake;

	(void)state;
	/* Each failure costs more time; the third ends the session. The reply is the same for all. */
	check(&IN_TLS, "EHLO c\r\n",
	    "AUTH PLAIN AHVzZXIAd3Jvbmc=\r\n"	  /* wrong password */
	    "AUTH PLAIN AG5vYm9keQBzZWNyZXQ=\r\n" /* unknown user */
	    "MAIL FROM:<a@example.com>\r\n"
	    "AUTH LOGIN\r\ndXNlcg==\r\nd3Jvbmc=\r\n"
	    "NOOP\r\n",
	    "<pause 1000>\r\n" AUTH_BAD "<pause 2000>\r\n" AUTH_BAD NEED_AUTH
	    "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n<pause 4000>\r\n" AUTH_BAD
	    "421 Too many authentication failures\r\n<close>\r\n");
	/* What cannot be credentials fails as the wrong ones do: empty user, NUL in the password. */
	check(&IN_TLS, "EHLO c\r\n", "AUTH PLAIN AABzZWNyZXQ=\r\n", "<pause 1000>\r\n" AUTH_BAD);
	check(&IN_TLS, "EHLO c\r\n", "AUTH PLAIN AHVzZXIAc2VjcmV0AHg=\r\n",
	    "<pause 1000>\r\n" AUTH_BAD);
	/* One failure does no harm to what follows. */
	begin(&fake, &IN_TLS, "EHLO c\r\n");
	say(&fake, "AUTH PLAIN AHVzZXIAd3Jvbmc=\r\nAUTH PLAIN " FAKE_PLAIN "\r\n");
	check_out(&fake, "<pause 1000>\r\n" AUTH_BAD AUTH_OK);
	assert_true(session_is_authenticated(fake.session));
	fake_end(&fake);
}

static void
test_auth_long_line(void **state)
{
	static char packet[AUTH_LINE_MAX + 200];
	struct fake fake;

	(void)state;
	(void)snprintf(packet, sizeof packet, "AUTH PLAIN\r\n");
	memset(packet + 12, 'A', AUTH_LINE_MAX + 4);
	(void)snprintf(packet + 12 + AUTH_LINE_MAX + 4, 100, "\r\nNOOP\r\n");
	/* The exchange is over: the next line is a command again. */
	check(&IN_TLS, "EHLO c\r\n", packet, "334 Ok\r\n500 Error: line too long\r\n" OK);
	begin(&fake, &IN_TLS, "EHLO c\r\nAUTH PLAIN\r\n");
	for (int i = 0; i < 100 && !fake.closed; i++) {
		memset(packet, 'A', 1024);
		fake_say(&fake, span_make(packet, 1024), SIZE_MAX);
	}
	check_out(&fake, "500 Error: line too long\r\n<close>\r\n");
	assert_true(fake.most_input <= AUTH_LINE_MAX + 64 * 1024);
	fake_end(&fake);
}

/* ------------------------------------------------------------------ MAIL and RCPT ------------- */

static void
test_envelope(void **state)
{
	const struct fake relay = { .tls = TLS_MODE_IMPLICIT, .profile = PROFILE_RELAY };
	static const struct {
		const char *line, *want;
	} mail[] = {
		{ "MAIL FROM: a@example.com", OK },
		{ "mail from:<a@example.com> BODY=8BITMIME SIZE=100", OK },
		{ "MAIL FROM:<a@example.com> SIZE=41943040", OK },
		{ "MAIL FROM:<>", "501 Invalid MAIL FROM address provided\r\n" },
		{ "MAIL FROM:<a>", "501 Invalid MAIL FROM address provided\r\n" },
		{ "MAIL FROM:<a@b@example.com>", "501 Invalid MAIL FROM address provided\r\n" },
		{ "MAIL FROM:<a@example.com", "501 Invalid MAIL FROM address provided\r\n" },
		{ "MAIL FROM:<@x,@y:a@example.com>", "501 Invalid MAIL FROM address provided\r\n" },
		{ "MAIL FROM:<Jo> a@example.com", "501 Invalid MAIL FROM address provided\r\n" },
		{ "MAIL FROM:<\xc3\xa4@example.com>",
		    "501 Invalid MAIL FROM address provided\r\n" },
		{ "MAIL a@example.com", "501 Syntax: MAIL FROM: <address>\r\n" },
		{ "MAIL", "501 Syntax: MAIL FROM: <address>\r\n" },
		{ "MAIL FROM:<a@example.com> SIZE=41943041",
		    "552 5.3.4 Message size exceeds fixed limit\r\n" },
		{ "MAIL FROM:<a@example.com> SIZE=-1",
		    "501 Syntax error in parameters or arguments\r\n" },
		{ "MAIL FROM:<a@example.com> SIZE=9223372036854775808",
		    "501 Syntax error in parameters or arguments\r\n" },
		{ "MAIL FROM:<a@example.com> SIZE=1 SIZE=2",
		    "501 Syntax error in parameters or arguments\r\n" },
		{ "MAIL FROM:<a@example.com> FUTURE=1",
		    "555 MAIL FROM parameters not recognized or not implemented\r\n" },
	};
	static const struct {
		const char *line, *want;
	} rcpt[] = {
		{ "RCPT TO: b@example.net", OK },
		{ "RCPT TO:<>", "501 Invalid RCPT TO address provided\r\n" },
		{ "RCPT TO:<b>", "501 Invalid RCPT TO address provided\r\n" },
		{ "RCPT TO:<b@x@y>", "501 Invalid RCPT TO address provided\r\n" },
		{ "RCPT", "501 Syntax: RCPT TO: <address>  Error in parameters: \"\"\r\n" },
		{ "RCPT <b@example.net>", "501 Syntax: RCPT TO: <address>  Error in parameters: "
					  "\"<b@example.net>\"\r\n" },
	};
	char line[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail); i++) {
		(void)snprintf(line, sizeof line, "%s\r\n", mail[i].line);
		check(&IN_TLS, LOG_IN, line, mail[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(rcpt); i++) {
		(void)snprintf(line, sizeof line, "%s\r\n", rcpt[i].line);
		check(&IN_TLS, LOG_IN "MAIL FROM:<a@example.com>\r\n", line, rcpt[i].want);
	}
	check(&relay, LOG_IN, "MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\n", OK OK);
	check(&IN_TLS, LOG_IN ENVELOPE, "DATA now\r\n", NO_PARAM);
	/* A recipient that was refused changes nothing for the others. */
	check(&IN_TLS, LOG_IN ENVELOPE,
	    "RCPT TO:<b>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n" MESSAGE ".\r\n",
	    "501 Invalid RCPT TO address provided\r\n" OK GO_AHEAD
	    "<mail a@example.com b@example.net,c@example.net>\r\n" ACCEPTED);
}

/* The 51st recipient is taken, and the message refused whole. */
static void
test_recipients(void **state)
{
	struct fake fake;
	char line[64];

	(void)state;
	for (int more = 0; more < 2; more++) {
		begin(&fake, &IN_TLS, LOG_IN "MAIL FROM:<a@example.com>\r\n");
		fake.silent = true;
		for (int i = 0; i < 50 + more; i++) {
			(void)snprintf(line, sizeof line, "RCPT TO:<r%d@example.net>\r\n", i);
			say(&fake, line);
			check_out(&fake, OK);
		}
		say(&fake, "DATA\r\n" MESSAGE ".\r\n");
		check_out(&fake, more ? GO_AHEAD
				     "554 Transaction failed: Recipient count exceeds 50.\r\n"
				      : GO_AHEAD ACCEPTED);
		fake_end(&fake);
	}
	/* Not kept without bound. */
	begin(&fake, &IN_TLS, LOG_IN "MAIL FROM:<a@example.com>\r\n");
	for (int i = 0; i < 1000; i++)
		say(&fake, "RCPT TO:<b@example.net>\r\n");
	buf_clear(&fake.out);
	say(&fake, "RCPT TO:<b@example.net>\r\n");
	check_out(&fake, "452 Too many recipients\r\n");
	fake_end(&fake);
}

/* ------------------------------------------------------------------ whole messages ------------ */

static void
test_messages(void **state)
{
	struct fake fake;

	(void)state;
	/* A whole session in one packet: replies come in the order of the commands. */
	check(&IN_TLS, "",
	    TO_DATA MESSAGE ".\r\n" ENVELOPE "DATA\r\n" MESSAGE ".\r\nNOOP\r\nQUIT\r\nNOOP\r\n",
	    EHLO_TLS AUTH_OK OK OK GO_AHEAD HANDED ACCEPTED OK OK GO_AHEAD HANDED ACCEPTED OK BYE);
	/* Everything refused, and DATA behind it: the content is never run as commands, there is none. */
	check(&IN_TLS, LOG_IN, "MAIL FROM:<a>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nNOOP\r\n",
	    "501 Invalid MAIL FROM address provided\r\n" NEED_MAIL NEED_MAIL OK);
	begin(&fake, &IN_TLS, TO_DATA);
	say(&fake, "From: a@example.com\r\n\r\n..dot\r\n.x\r\n..\r\n\r\n.\r\nQUIT\r\n");
	check_out(&fake, HANDED ACCEPTED BYE);
	assert_span(buf_span(&fake.content), "From: a@example.com\r\n\r\n.dot\r\nx\r\n.\r\n\r\n");
	assert_int_equal(fake.budget_used, 0);
	fake_end(&fake);
	check(&IN_TLS, TO_DATA, ".\r\nNOOP\r\n",
	    HANDED "554 Transaction failed: Missing required header 'From'.\r\n" OK);
}

/* What the checks behind the end of data say goes to the client as it is, and the session goes on. */
static void
test_verdicts(void **state)
{
	static const struct {
		int code;
		const char *text;
	} verdicts[] = {
		{ 454, "Throttling failure: Maximum sending rate exceeded." },
		{ 454, "Throttling failure: Daily message quota exceeded." },
		{ 554, "Transaction failed: Duplicate header 'DKIM-Signature'." },
		{ 451, "Temporary service failure" },
		{ 552, "Message is too long." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct fake like = { .tls = TLS_MODE_IMPLICIT };
		char want[300];

		(void)why_set(&like.verdict, RC_BAD, verdicts[i].code, "%s", verdicts[i].text);
		(void)snprintf(
		    want, sizeof want, HANDED "%d %s\r\n" OK, verdicts[i].code, verdicts[i].text);
		check(&like, TO_DATA, MESSAGE ".\r\nMAIL FROM:<c@example.com>\r\n", want);
	}
}

/* While the message is being stored nothing more is read, and nothing said. */
static void
test_wait_for_store(void **state)
{
	const struct fake like = { .tls = TLS_MODE_IMPLICIT, .hold_submit = true };
	struct fake fake;

	(void)state;
	begin(&fake, &like, TO_DATA);
	say(&fake, MESSAGE ".\r\nNOOP\r\n");
	check_out(&fake, HANDED);
	assert_int_equal(session_want(fake.session), SESSION_WAIT);
	assert_true(session_in_transaction(fake.session));
	assert_true(fake.budget_used > 0);
	fake_submit_done(&fake);
	check_out(&fake, ACCEPTED OK);
	assert_int_equal(fake.budget_used, 0);
	fake_end(&fake);
	/* The connection ends first: the submission is not the session's any more. */
	begin(&fake, &like, TO_DATA MESSAGE ".\r\n");
	assert_non_null(fake.submission);
	fake_end(&fake);
}

/* ------------------------------------------------------------------ the end of data ----------- */

#define SPAN_BYTES(text) \
	{ \
		"" text, sizeof(text) - 1 \
	}

/* None of these ends the data: the one reply comes behind the true end, and it is a refusal. */
static const struct span not_ends[] = {
	SPAN_BYTES("\n.\n"),
	SPAN_BYTES("\n.\r\n"),
	SPAN_BYTES("\r\n.\n"),
	SPAN_BYTES("\r.\r"),
	SPAN_BYTES("\r\n.\r"),
	SPAN_BYTES("\r.\r\n"),
	SPAN_BYTES("\r.\n"),
	SPAN_BYTES("\n.\r"),
	SPAN_BYTES("\n\r.\r\n"),
	SPAN_BYTES("\r\n.\n\r"),
	SPAN_BYTES("\r\n.\r\r\n"),
	SPAN_BYTES("\r\r\n.\r\r\n"),
	SPAN_BYTES("\r\n\0.\r\n"),
	SPAN_BYTES("\r\n.\0\r\n"),
	SPAN_BYTES("\r\n.\r\0\n"),
	SPAN_BYTES("\r\0\n.\r\n"),
	SPAN_BYTES("\n\n.\n\n"),
	SPAN_BYTES("\r\n.\r.\r\n"),
};

/* These are no end, but good content: the command line behind them is text. */
static const struct span content[] = {
	SPAN_BYTES("\r\n. \r\n"),
	SPAN_BYTES("\r\n.\t\r\n"),
	SPAN_BYTES("\r\n.\v\r\n"),
	SPAN_BYTES("\r\n.\f\r\n"),
	SPAN_BYTES("\r\n.\b\r\n"),
	SPAN_BYTES("\r\n..\r\n"),
	SPAN_BYTES("\r\n .\r\n"),
	SPAN_BYTES("\r\n\xe2\x80\xa8.\xe2\x80\xa8\r\n"),
	SPAN_BYTES("\r\n\xc2\x85.\xc2\x85\r\n"),
	SPAN_BYTES("\r\n\xef\xbc\x8e\r\n"),
};

#define SMUGGLED "MAIL FROM:<evil@example.com>\r\nRCPT TO:<v@example.org>\r\nDATA\r\nx\r\n"

static void
smuggle(struct span shape, struct buf *out)
{
	buf_add_span(out, SPAN_LIT("From: a@example.com\r\n\r\ntext"));
	buf_add_span(out, shape);
	buf_add_span(out, SPAN_LIT(SMUGGLED "\r\n.\r\nNOOP\r\n"));
}

static void
test_smuggling(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(not_ends); i++)
		for (size_t piece = 1; piece <= 64; piece += piece < 8 ? 1 : 56) {
			struct buf packet = BUF_EMPTY;
			struct fake fake;
			struct span out;

			smuggle(not_ends[i], &packet);
			begin(&fake, &IN_TLS, TO_DATA);
			fake_say(&fake, buf_span(&packet), piece);
			out = buf_span(&fake.out);
			assert_true(span_starts(out, SPAN_LIT(HANDED "554 Transaction failed: ")));
			out = span_skip(out, sizeof HANDED - 1);
			assert_span(span_skip(out, span_find(out, '\n') + 1), OK);
			assert_int_equal(fake.submissions, 1);
			fake_end(&fake);
			buf_free(&packet);
		}
	for (size_t i = 0; i < ARRAY_LEN(content); i++) {
		struct buf packet = BUF_EMPTY;

		smuggle(content[i], &packet);
		check_bytes(&IN_TLS, TO_DATA, buf_span(&packet), HANDED ACCEPTED OK);
		buf_free(&packet);
	}
}

static void
test_fault_text(void **state)
{
	(void)state;
	check(&IN_TLS, TO_DATA, "From: a@example.com\r\n\r\nab\ncd\r\n.\r\n",
	    HANDED "554 Transaction failed: bare LF in the message at offset 25: lines must end in "
		   "CR LF.\r\n");
	check(&IN_TLS, TO_DATA, "From: a@example.com\r\n\r\nab\rcd\r\n.\r\n",
	    HANDED "554 Transaction failed: bare CR in the message at offset 25: lines must end in "
		   "CR LF.\r\n");
	check_bytes(&IN_TLS, TO_DATA, SPAN_LIT("From: a@example.com\r\n\r\nab\0cd\r\n.\r\n"),
	    HANDED "554 Transaction failed: NUL in the message at offset 25: lines must end in "
		   "CR LF.\r\n");
}

/* ------------------------------------------------------------------ command lines ------------- */

static void
test_line_ends(void **state)
{
#define PAIRED(n) \
	"501 Syntax error at character position " n \
	". CR and LF must be CRLF paired.  See RFC 2821 #2.7.1.\r\n<close>\r\n"
	(void)state;
	check(&IN_TLS, "", "NOOP\nNOOP\r\n", PAIRED("4"));
	check(&IN_TLS, "", "NOOP\rNOOP\r\n", PAIRED("4"));
	check(&IN_TLS, "", "\nNOOP\r\n", PAIRED("0"));
	check(&IN_TLS, "", "NOOP\r\r\nNOOP\r\n", PAIRED("4"));
	check(&IN_TLS, "EHLO c\r\nAUTH LOGIN\r\n", "dXNlcg==\nNOOP\r\n", PAIRED("8"));
	check(&IN_TLS, "EHLO c\r\n", "NOOP\r\nNOOP\n", OK PAIRED("4"));
	check_bytes(&IN_TLS, "", SPAN_LIT("NO\0OP\r\nNOOP\r\n"), "500 Error: bad syntax\r\n" OK);
	check(&IN_TLS, "", "NOOP \x1b[2J\r\n", "501 Syntax error in parameters or arguments\r\n");
	/* Not a whole line: nothing is said. */
	check(&IN_TLS, "", "NOOP", "");
	check(&IN_TLS, "", "NOOP\r", "");
}

static void
test_long_lines(void **state)
{
	static char packet[80 * 1024];
	struct fake fake;

	(void)state;
	memset(packet, 'x', sizeof packet);
	memcpy(packet, "NOOP ", 5);
	memcpy(packet + 2048, "\r\nNOOP\r\n", 9); /* 2048 bytes and the line end are taken */
	check(&IN_TLS, "", packet, OK OK);
	memset(packet + 2048, 'x', 12);
	memcpy(packet + 2049, "\r\nNOOP\r\n", 9);
	check(&IN_TLS, "", packet, "500 Error: line too long\r\n" OK);
	memset(packet + 2049, 'x', 12);
	memcpy(packet + 3000, "\r\nNOOP\r\nNOOP\r\n", 15);
	check(&IN_TLS, "", packet, "500 Error: line too long\r\n" OK OK);
	/* Too long and ended by a bare LF: what follows is not run either. */
	memcpy(packet + 3000, "x\nNOOP\r\nNOOP\r\n", 15);
	check(&IN_TLS, "", packet, "500 Error: line too long\r\n<close>\r\n");
	/* Without an end it is not kept for ever, whether it comes at once or in drops. */
	memset(packet, 'x', sizeof packet);
	check_bytes(&IN_TLS, "", span_make(packet, sizeof packet),
	    "500 Error: line too long\r\n<close>\r\n");
	packet[sizeof packet - 2] = '\r';
	packet[sizeof packet - 1] = '\n';
	check_bytes(&IN_TLS, "", span_make(packet, sizeof packet),
	    "500 Error: line too long\r\n<close>\r\n");
	begin(&fake, &IN_TLS, "");
	fake_say(&fake, span_make(packet, sizeof packet), 1000);
	assert_true(fake.most_input <= 2048 + 64 * 1024);
	fake_end(&fake);
	/* The reply is not lost when it would be delayed. */
	check_bytes(&IN_TLS, "FOOBAR\r\nFOOBAR\r\nFOOBAR\r\n", span_make(packet, sizeof packet - 2),
	    "500 Error: line too long\r\n<close>\r\n");
}

static void
test_other_protocols(void **state)
{
	static const char *const hellos[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /x HTTP/1.0\r\n", "PUT /\r\n", "HTTP/1.1 200 OK\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * HTTP/1.1\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hellos); i++) {
		check(&IN_CLEAR, "", hellos[i], "<close>\r\n");
		check(&IN_TLS, LOG_IN, hellos[i], "<close>\r\n");
	}
	check_bytes(
	    &IN_CLEAR, "", SPAN_LIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "<close>\r\n");
	check_bytes(&IN_CLEAR, "EHLO c\r\n", SPAN_LIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03"),
	    "<close>\r\n");
}

/* ------------------------------------------------------------------ misbehaviour -------------- */

static void
test_errors(void **state)
{
	struct fake fake;
	struct buf want = BUF_EMPTY;

	(void)state;
	begin(&fake, &IN_TLS, "");
	for (int i = 1; i <= 21; i++) {
		say(&fake, "FOOBAR\r\n");
		if (i > 20) {
			buf_addf(&want, "421 Too many errors, closing connection\r\n<close>\r\n");
			break;
		}
		if (i > 3)
			buf_addf(&want, "<pause %d>\r\n", i < 13 ? (i - 3) * 500 : 5000);
		buf_addf(&want, UNKNOWN);
	}
	check_out(&fake, buf_cstr(&want));
	buf_free(&want);
	fake_end(&fake);
	/* Replies keep their order when one of them is late. */
	check(&IN_TLS, "FOOBAR\r\nFOOBAR\r\nFOOBAR\r\n", "FOOBAR\r\nNOOP\r\nFOOBAR\r\nNOOP\r\n",
	    "<pause 500>\r\n" UNKNOWN OK "<pause 1000>\r\n" UNKNOWN OK);
	/* A good message is forgiven for. */
	check(&IN_TLS, "FOOBAR\r\nFOOBAR\r\nFOOBAR\r\n" TO_DATA MESSAGE ".\r\n", "FOOBAR\r\n",
	    UNKNOWN);
}

static void
test_idle_commands(void **state)
{
	static const char *const lines[] = { "EHLO c\r\n", "NOOP\r\n", "RSET\r\n", "HELP\r\n" };
	struct fake fake;

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(lines); k++) {
		int count = 0;

		begin(&fake, &IN_TLS, "");
		while (!fake.closed && count < 200) {
			say(&fake, lines[k]);
			count++;
		}
		assert_int_equal(count, 121);
		assert_true(span_iends(buf_span(&fake.out),
		    SPAN_LIT("421 Too many errors, closing connection\r\n<close>\r\n")));
		fake_end(&fake);
	}
	/* With messages in between there is no end of it. */
	begin(&fake, &IN_TLS, LOG_IN);
	for (int i = 0; i < 300; i++)
		say(&fake, "RSET\r\n" ENVELOPE "DATA\r\n" MESSAGE ".\r\n");
	assert_false(fake.closed);
	assert_int_equal(fake.submissions, 300);
	fake_end(&fake);
}

static void
test_time(void **state)
{
	struct fake fake;
	uint64_t before;

	(void)state;
	begin(&fake, &IN_TLS, "");
	assert_int_equal(session_deadline_ms(fake.session), 10000);
	before = session_progress(fake.session);
	say(&fake, "NOO");
	assert_int_equal(session_progress(fake.session), before); /* a drip is no progress */
	say(&fake, "P\r\n");
	assert_int_not_equal(session_progress(fake.session), before);
	before = session_progress(fake.session);
	say(&fake, "FOOBAR\r\n"); /* nor is it silence */
	assert_int_not_equal(session_progress(fake.session), before);
	say(&fake, LOG_IN);
	assert_int_equal(session_deadline_ms(fake.session), 300000);
	say(&fake, ENVELOPE "DATA\r\n");
	assert_int_equal(session_deadline_ms(fake.session), 600000);
	before = session_progress(fake.session);
	say(&fake, MESSAGE);
	assert_int_equal(session_progress(fake.session), before);
	buf_clear(&fake.out);
	session_timeout(fake.session, &fake.out);
	check_out(&fake, "451 4.4.2 Timeout waiting for data from client.\r\n");
	assert_int_equal(session_want(fake.session), SESSION_CLOSE);
	fake_end(&fake);
	begin(&fake, &IN_TLS, LOG_IN);
	session_shutdown(fake.session, &fake.out);
	check_out(&fake, "421 Service shutting down, closing connection\r\n");
	assert_int_equal(session_want(fake.session), SESSION_CLOSE);
	fake_end(&fake);
}

/* ------------------------------------------------------------------ large messages ------------ */

static void
add_message(struct buf *out, size_t size)
{
	buf_add_span(out, SPAN_LIT("From: a@example.com\r\n\r\n"));
	while (buf_len(out) < size)
		buf_addf(out, "%060zu\r\n", buf_len(out));
}

static void
say_message(struct fake *fake, size_t size, size_t piece)
{
	struct buf text = BUF_EMPTY;

	add_message(&text, size);
	buf_add_span(&text, SPAN_LIT(".\r\n"));
	fake_say(fake, buf_span(&text), piece);
	buf_free(&text);
}

static void
check_large(const struct fake *like, size_t size, const char *want)
{
	static const size_t pieces[] = { SIZE_MAX, 4096, 61 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct buf text = BUF_EMPTY;
		struct fake fake;

		begin(&fake, like, TO_DATA);
		say_message(&fake, size, pieces[i]);
		say(&fake, "NOOP\r\n");
		check_out(&fake, want);
		assert_false(fake.has_file); /* handed over or discarded */
		assert_int_equal(fake.budget_used, 0);
		add_message(&text, size);
		if (fake.submissions > 0 && strstr(want, "250 Ok 0") != NULL)
			assert_true(span_eq(buf_span(&fake.content), buf_span(&text)));
		buf_free(&text);
		fake_end(&fake);
	}
}

static void
test_spill(void **state)
{
	struct config *old = config;
	const struct fake fails = { .tls = TLS_MODE_IMPLICIT, .spill_fails = true };
	const struct fake refused = { .tls = TLS_MODE_IMPLICIT, .spill_refused = true };
	const struct fake poor = { .tls = TLS_MODE_IMPLICIT, .budget = 140000 };
#define FULL "452 4.3.1 Insufficient system storage\r\n"

	(void)state;
	config = must_parse(CONFIG "spool: { memory_body = \"64K\"; };"
				   "smtp: { max_message_size = \"2M\"; };");
	check_large(&IN_TLS, 65000, HANDED ACCEPTED OK);
	check_large(&IN_TLS, 70000, HANDED ACCEPTED OK);
	check_large(&IN_TLS, 1000000, HANDED ACCEPTED OK);
	check_large(&IN_TLS, 3000000, HANDED "552 Message is too long.\r\n" OK);
	check_large(&fails, 65000, HANDED ACCEPTED OK);
	check_large(&fails, 70000, FULL OK);
	check_large(&fails, 1000000, FULL OK);
	check_large(&refused, 70000, FULL OK);
	check_large(&refused, 1000000, FULL OK);
	/* Too large is for good, whatever else went wrong. */
	check_large(&refused, 3000000, HANDED "552 Message is too long.\r\n" OK);
	config_unref(config);
	config = must_parse(CONFIG "spool: { memory_body = \"1M\"; };");
	check_large(&poor, 90000, HANDED ACCEPTED OK);
	check_large(&poor, 300000, FULL OK);
	config_unref(config);
	config = old;
}

/* However little of a message is kept in memory, its header is there whole: what is cut off would become body. */
static void
test_spill_header(void **state)
{
	static const size_t pieces[] = { SIZE_MAX, 5000, 1 };
	struct config *old = config;

	(void)state;
	config = must_parse(CONFIG "spool: { memory_body = \"4K\"; };");
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct buf text = BUF_EMPTY;
		struct fake fake;

		for (int k = 0; k < 300; k++)
			buf_addf(&text, "X-Field-%d: %060d\r\n", k, k);
		buf_addf(&text, "From: a@example.com\r\n\r\n");
		for (int k = 0; k < 1000; k++)
			buf_addf(&text, "%060d\r\n", k);
		begin(&fake, &IN_TLS, TO_DATA);
		fake_say(&fake, buf_span(&text), pieces[i]);
		say(&fake, ".\r\n");
		check_out(&fake, HANDED ACCEPTED);
		assert_true(span_eq(buf_span(&fake.content), buf_span(&text)));
		assert_true(fake.in_submission);
		/* Not much more than the header, though. */
		assert_true(pieces[i] == SIZE_MAX || fake.kept < 30000);
		assert_int_equal(fake.budget_used, 0);
		fake_end(&fake);
		buf_free(&text);
	}
	config_unref(config);
	config = old;
}

static void
test_spill_late(void **state)
{
	const struct fake like = { .tls = TLS_MODE_IMPLICIT, .hold_spill = true };
	struct config *old = config;
	struct fake fake;

	(void)state;
	config = must_parse(CONFIG "spool: { memory_body = \"64K\"; };");
	begin(&fake, &like, TO_DATA);
	say_message(&fake, 900000, 4096);
	say(&fake, "NOOP\r\n");
	for (int i = 0; i < 10 && fake.spilling != NULL; i++) {
		check_out(&fake, "");
		assert_int_equal(session_want(fake.session), SESSION_WAIT);
		fake_spill_done(&fake, RC_OK);
	}
	check_out(&fake, HANDED ACCEPTED OK);
	assert_true(fake.spills >= 2);
	fake_end(&fake);
	/* A failure on the way: the rest is read, the file goes. */
	begin(&fake, &like, TO_DATA);
	say_message(&fake, 900000, 4096);
	fake_spill_done(&fake, RC_LATER);
	check_out(&fake, FULL);
	assert_int_equal(fake.discards, 1);
	fake_end(&fake);
	/* The connection ends meanwhile. */
	begin(&fake, &like, TO_DATA);
	say_message(&fake, 900000, 4096);
	assert_non_null(fake.spilling);
	fake_end(&fake);
	assert_int_equal(fake.discards, 1);
	assert_int_equal(fake.budget_used, 0);
	config_unref(config);
	config = old;
}

/* What is wrong with the message is told for good, however it comes in and whatever else goes wrong. */
static void
test_fault_before_trouble(void **state)
{
	const struct fake fails = { .tls = TLS_MODE_IMPLICIT, .spill_fails = true };
	struct config *old = config;
	struct buf text = BUF_EMPTY;

	(void)state;
	config = must_parse(CONFIG "spool: { memory_body = \"4K\"; };");
	add_message(&text, 20000);
	buf_addf(&text, "bare\n\r\n.\r\nNOOP\r\n");
	check_bytes(&fails, TO_DATA, buf_span(&text),
	    HANDED "554 Transaction failed: bare LF in the message at offset 20053: lines must end "
		   "in CR LF.\r\n" OK);
	buf_free(&text);
	config_unref(config);
	config = old;
}

/* A message that breaks the line rules, or is too large, is not kept while it is read to its end. */
static void
test_nothing_kept(void **state)
{
	struct config *old = config;
	struct fake fake;

	(void)state;
	config = must_parse(CONFIG "spool: { memory_body = \"64K\"; };"
				   "smtp: { max_message_size = \"1M\"; };");
	begin(&fake, &IN_TLS, TO_DATA "From: a@example.com\r\n\r\nbare\n");
	say_message(&fake, 500000, 4096);
	assert_int_equal(fake.spills, 0);
	fake_end(&fake);
	begin(&fake, &IN_TLS, TO_DATA);
	say_message(&fake, 20000000, 65536);
	assert_true(fake.spills <= 5);
	check_out(&fake, HANDED "552 Message is too long.\r\n");
	fake_end(&fake);
	config_unref(config);
	config = old;
}

/* ------------------------------------------------------------------ ends ---------------------- */

static void
test_free_anywhere(void **state)
{
	static const char *const before[] = { "", "EHLO c\r\n", "EHLO c\r\nAUTH LOGIN\r\n",
		"EHLO c\r\nAUTH LOGIN dXNlcg==\r\n", LOG_IN, LOG_IN "MAIL FROM:<a@example.com>\r\n",
		LOG_IN ENVELOPE, TO_DATA, TO_DATA "From: a\r\n\r\n.", TO_DATA "\r\n.\r", "QUIT\r\n",
		"NO", "GET /\r\n" };
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		begin(&fake, &IN_TLS, before[i]);
		assert_int_equal(fake.submissions, 0);
		fake_end(&fake);
		assert_int_equal(fake.budget_used, 0);
	}
	session_free(NULL);
}

static int
set_up(void **state)
{
	(void)state;
	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	config = must_parse(CONFIG);
	return auth_init(NULL) == RC_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	config_unref(config);
	auth_done();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_ehlo),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_auth_without_tls),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_auth_failures),
		cmocka_unit_test(test_auth_long_line),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_wait_for_store),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_fault_text),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_other_protocols),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_idle_commands),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_spill),
		cmocka_unit_test(test_spill_header),
		cmocka_unit_test(test_spill_late),
		cmocka_unit_test(test_fault_before_trouble),
		cmocka_unit_test(test_nothing_kept),
		cmocka_unit_test(test_free_anywhere),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
