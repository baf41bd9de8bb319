/* Unit tests of delivery/client.c: the outbound session, fed scripted replies whole and byte by byte. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/test.h"
#include "delivery/client.h"

enum {
	MOST = 4
};

/* What one dialog is made of, and what came of it. */
struct dialog {
	/* ---- set before ---- */
	enum config_tls_policy tls;
	bool in_tls;
	const char *username, *password;
	const char *sender;
	const char *recipients[MOST + 1];
	uint64_t size;
	bool has_8bit;
	const char *body; /* NULL: a short one */
	bool hold_body;	  /* the test hands it over itself */

	/* ---- results ---- */
	struct client client;
	struct client_mail mail;
	struct client_recipient to[MOST];
	struct buf out; /* all that was sent, with "<tls>" for the handshake */
	bool begun;
};

static void
begin(struct dialog *d, const struct dialog *like)
{
	struct client_options options = { .ehlo_name = "us.example",
		.username = like->username != NULL ? like->username : "",
		.password = like->password != NULL ? like->password : "",
		.tls = like->tls,
		.in_tls = like->in_tls };

	*d = *like;
	client_init(&d->client, &options);
	if (d->sender == NULL)
		d->sender = "a@example.com";
	if (d->recipients[0] == NULL)
		d->recipients[0] = "b@example.net";
	if (d->body == NULL)
		d->body = "From: a\r\n\r\nhi\r\n";
	for (size_t i = 0; d->recipients[i] != NULL; i++)
		d->to[d->mail.count++].address = d->recipients[i];
	d->mail.sender = d->sender;
	d->mail.recipients = d->to;
	d->mail.size = d->size != 0 ? d->size : strlen(d->body);
	d->mail.has_8bit = d->has_8bit;
}

/* What the channel does when the client asks for it. */
static void
serve(struct dialog *d)
{
	struct span body = span_of(d->body);

	if (d->client.state == CLIENT_READY && !d->begun) {
		d->begun = true;
		client_mail(&d->client, &d->mail, &d->out);
	}
	if (d->client.state == CLIENT_BODY && !d->hold_body) {
		while (body.len > 0) { /* in pieces that cut it anywhere */
			client_body(&d->client, span_first(body, 3), &d->out);
			body = span_skip(body, 3);
		}
		client_body_end(&d->client, &d->out);
	}
	if (d->client.state == CLIENT_TLS) {
		buf_addf(&d->out, "<tls>\r\n");
		client_tls_done(&d->client, &d->out);
	}
}

/* The length of the first reply in `in`: a host that waits for us says no more at once. */
static size_t
reply_len(struct span in)
{
	size_t at = 0, end;

	do {
		end = at + span_find(span_skip(in, at), '\n');
		if (end >= in.len)
			return in.len;
		if (end - at < 4 || in.p[at + 3] != '-')
			return end + 1;
		at = end + 1;
	} while (at < in.len);
	return at;
}

static void
feed(struct dialog *d, struct span in, size_t piece)
{
	serve(d);
	while (in.len > 0 && d->client.state != CLIENT_OVER) {
		struct span reply = span_first(in, reply_len(in));

		in = span_skip(in, reply.len);
		while (reply.len > 0 && d->client.state != CLIENT_OVER) {
			struct span part = span_first(reply, piece);
			size_t used;

			client_feed(&d->client, part, &used, &d->out);
			assert_true(used == part.len || d->client.state == CLIENT_OVER);
			reply = span_skip(reply, part.len);
			serve(d);
		}
	}
}

static void
end(struct dialog *d)
{
	assert_false(d->out.failed);
	buf_free(&d->out);
}

/* "sent 250 2.0.0 ok" for each recipient, one a line. */
static void
check_outcomes(const struct dialog *d, const char *want)
{
	struct buf got = BUF_EMPTY;

	for (size_t i = 0; i < d->mail.count; i++) {
		char text[OUTCOME_TEXT_MAX + 64];

		outcome_format(&d->to[i].outcome, text, sizeof text);
		buf_addf(&got, "%s %s\n", outcome_kind_name(d->to[i].outcome.kind), text);
	}
	assert_string_equal(buf_cstr(&got), want);
	buf_free(&got);
}

/* The server's side in one text, the client's side that must come of it, and what is known of the recipients. */
static void
check(const struct dialog *like, const char *server, const char *sent, const char *outcomes,
    enum client_state state)
{
	static const size_t pieces[] = { 1, 5, SIZE_MAX };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct dialog d;

		begin(&d, like);
		feed(&d, span_of(server), pieces[i]);
		assert_string_equal(buf_len(&d.out) > 0 ? buf_cstr(&d.out) : "", sent);
		check_outcomes(&d, outcomes);
		assert_string_equal(client_state_name(d.client.state), client_state_name(state));
		end(&d);
	}
}

#define GREETING "220 mx.example.net ESMTP\r\n"
#define PLAIN_OFFER \
	GREETING "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n"
#define SLOW_OFFER GREETING "250-mx.example.net\r\n250 8BITMIME\r\n"
#define EHLO	   "EHLO us.example\r\n"
#define HELO	   "HELO us.example\r\n"
#define BODY	   "From: a\r\n\r\nhi\r\n.\r\n"
#define SIZED	   "MAIL FROM:<a@example.com> SIZE=15\r\n"
#define UNSIZED	   "MAIL FROM:<a@example.com>\r\n"
#define TO_B	   "RCPT TO:<b@example.net>\r\n"
#define TO_C	   "RCPT TO:<c@example.net>\r\n"
#define TO_D	   "RCPT TO:<d@example.net>\r\n"
#define NOTHING	   "unknown 0 \n"

static const struct dialog ONE = { .tls = TLS_POLICY_OPPORTUNISTIC };
static const struct dialog THREE = { .tls = TLS_POLICY_OPPORTUNISTIC,
	.recipients = { "b@example.net", "c@example.net", "d@example.net" } };

/* ------------------------------------------------------------------ session ------------------- */

static void
test_good(void **state)
{
	(void)state;
	check(&ONE,
	    PLAIN_OFFER "250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n250 2.0.0 queued as 1\r\n",
	    EHLO SIZED TO_B "DATA\r\n" BODY, "sent 250 2.0.0 queued as 1\n", CLIENT_READY);
	check(&ONE, SLOW_OFFER "250 ok\r\n250 ok\r\n354 go\r\n250 thanks\r\n",
	    EHLO UNSIZED TO_B "DATA\r\n" BODY, "sent 250 2.0.0 thanks\n", CLIENT_READY);
	/* Replies over several lines, and bare LF, which old hosts have. */
	check(&ONE,
	    "220-hello\r\n220-this\r\n220 mx\r\n250 mx\n250-ok\r\n250 ok\r\n250-x\r\n250 y\r\n"
	    "354-go\r\n354 on\r\n250-2.0.0 fine\r\n250 2.0.0 done\r\n",
	    EHLO UNSIZED TO_B "DATA\r\n" BODY, "sent 250 2.0.0 fine 2.0.0 done\n", CLIENT_READY);
}

static void
test_envelope_forms(void **state)
{
	struct dialog like = ONE;

	(void)state;
	like.sender = "";
	like.has_8bit = true;
	check(&like, PLAIN_OFFER, EHLO "MAIL FROM:<> SIZE=15 BODY=8BITMIME\r\n" TO_B "DATA\r\n",
	    NOTHING, CLIENT_ENVELOPE);
	/* A SIZE without a number, or with an absurd one, limits nothing. */
	check(&ONE, GREETING "250-mx\r\n250 SIZE\r\n", EHLO SIZED, NOTHING, CLIENT_ENVELOPE);
	check(&ONE, GREETING "250-mx\r\n250 SIZE -5\r\n", EHLO UNSIZED, NOTHING, CLIENT_ENVELOPE);
	check(&ONE, GREETING "250-mx\r\n250 SIZE 99999999999999999999\r\n", EHLO UNSIZED, NOTHING,
	    CLIENT_ENVELOPE);
}

static void
test_fallback_to_helo(void **state)
{
	(void)state;
	check(
	    &ONE, GREETING "502 what?\r\n250 hi\r\n", EHLO HELO UNSIZED, NOTHING, CLIENT_ENVELOPE);
	check(&ONE, GREETING "550 no\r\n250 hi\r\n", EHLO HELO UNSIZED, NOTHING, CLIENT_ENVELOPE);
	/* What EHLO's refusal seemed to offer does not count. */
	check(&ONE, GREETING "500-x\r\n500-PIPELINING\r\n500 STARTTLS\r\n250 hi\r\n",
	    EHLO HELO UNSIZED, NOTHING, CLIENT_ENVELOPE);
	check(&ONE, GREETING "502 what?\r\n550 go away\r\n", EHLO HELO, NOTHING, CLIENT_OVER);
	check(&ONE, GREETING "421 busy\r\n", EHLO, NOTHING, CLIENT_OVER);
}

/* Before the first mail a refusal is the host's, whatever its code: another may do better. */
static void
test_bad_greeting(void **state)
{
	static const char *const greetings[] = { "554 no service\r\n", "421 busy\r\n",
		"451 later\r\n", "250 hi\r\n", "354 what\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct dialog d;

		begin(&d, &ONE);
		feed(&d, span_of(greetings[i]), SIZE_MAX);
		assert_int_equal(d.client.state, CLIENT_OVER);
		assert_true(d.client.host_failed);
		assert_int_equal(d.client.end.kind, OUTCOME_DEFERRED);
		assert_int_equal(buf_len(&d.out), 0);
		end(&d);
	}
}

/* ------------------------------------------------------------------ STARTTLS ------------------ */

#define TLS_OFFER GREETING "250-mx.example.net\r\n250-PIPELINING\r\n250 STARTTLS\r\n"

static void
test_starttls(void **state)
{
	struct dialog like = ONE;

	(void)state;
	/* The offer made in clear is forgotten: no PIPELINING here. */
	check(&ONE, TLS_OFFER "220 go\r\n250-mx\r\n250 SIZE\r\n",
	    EHLO "STARTTLS\r\n<tls>\r\n" EHLO SIZED, NOTHING, CLIENT_ENVELOPE);
	/* Offered inside TLS again: not done twice. */
	check(&ONE, TLS_OFFER "220 go\r\n250-mx\r\n250 STARTTLS\r\n",
	    EHLO "STARTTLS\r\n<tls>\r\n" EHLO UNSIZED, NOTHING, CLIENT_ENVELOPE);
	/* Refused: in clear where the policy allows. */
	check(&ONE, TLS_OFFER "454 no\r\n", EHLO "STARTTLS\r\n" UNSIZED TO_B "DATA\r\n", NOTHING,
	    CLIENT_ENVELOPE);
	check(&ONE, TLS_OFFER "421 busy\r\n", EHLO "STARTTLS\r\n", NOTHING, CLIENT_OVER);
	like.tls = TLS_POLICY_NONE;
	check(&like, TLS_OFFER, EHLO UNSIZED TO_B "DATA\r\n", NOTHING, CLIENT_ENVELOPE);
	like.tls = TLS_POLICY_OPPORTUNISTIC;
	check(&like, PLAIN_OFFER, EHLO SIZED TO_B "DATA\r\n", NOTHING, CLIENT_ENVELOPE);
}

static void
test_tls_required(void **state)
{
	static const enum config_tls_policy policies[] = { TLS_POLICY_REQUIRE, TLS_POLICY_VERIFY };
	static const char *const servers[] = { PLAIN_OFFER, TLS_OFFER "454 no\r\n",
		TLS_OFFER "502 no\r\n", GREETING "502 no\r\n250 hi\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		for (size_t k = 0; k < ARRAY_LEN(servers); k++) {
			struct dialog like = { .tls = policies[i] }, d;

			begin(&d, &like);
			feed(&d, span_of(servers[k]), SIZE_MAX);
			assert_int_equal(d.client.state, CLIENT_OVER);
			assert_true(d.client.host_failed);
			assert_int_equal(d.client.end.kind, OUTCOME_DEFERRED);
			assert_string_equal(d.client.end.status, "4.7.10");
			/* Not a word of the message in clear. */
			assert_null(memmem(buf_span(&d.out).p, buf_len(&d.out), "MAIL", 4));
			end(&d);
		}
}

/* ------------------------------------------------------------------ AUTH ---------------------- */

#define AUTH_OFFER "250-mx.example.net\r\n250 AUTH LOGIN PLAIN\r\n"
#define AUTH_LINE  "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n"

static void
test_auth(void **state)
{
	struct dialog like = { .tls = TLS_POLICY_VERIFY, .username = "user", .password = "secret" };

	(void)state;
	check(&like, TLS_OFFER "220 go\r\n" AUTH_OFFER "235 yes\r\n",
	    EHLO "STARTTLS\r\n<tls>\r\n" EHLO AUTH_LINE UNSIZED, NOTHING, CLIENT_ENVELOPE);
	check(&like, TLS_OFFER "220 go\r\n" AUTH_OFFER "535 no\r\n",
	    EHLO "STARTTLS\r\n<tls>\r\n" EHLO AUTH_LINE, NOTHING, CLIENT_OVER);
	check(&like, TLS_OFFER "220 go\r\n250-mx\r\n250 AUTH CRAM-MD5\r\n",
	    EHLO "STARTTLS\r\n<tls>\r\n" EHLO, NOTHING, CLIENT_OVER);
	like.tls = TLS_POLICY_IMPLICIT;
	like.in_tls = true;
	check(&like, GREETING AUTH_OFFER "235 yes\r\n", EHLO AUTH_LINE UNSIZED, NOTHING,
	    CLIENT_ENVELOPE);
	check(&like, GREETING "250-mx\r\n250 AUTH=PLAIN\r\n", EHLO AUTH_LINE, NOTHING, CLIENT_AUTH);
}

/* The password never goes out in clear, whatever the policy says. */
static void
test_auth_in_clear(void **state)
{
	static const enum config_tls_policy policies[] = { TLS_POLICY_NONE,
		TLS_POLICY_OPPORTUNISTIC, TLS_POLICY_REQUIRE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		struct dialog like = {
			.tls = policies[i], .username = "user", .password = "secret"
		};

		check(&like, GREETING AUTH_OFFER, EHLO, NOTHING, CLIENT_OVER);
	}
}

/* ------------------------------------------------------------------ one mail ------------------ */

static void
test_limits_of_the_host(void **state)
{
	struct dialog like = ONE;

	(void)state;
	like.size = 1000001;
	check(&like, PLAIN_OFFER, EHLO,
	    "bounced 552 5.3.4 Message size exceeds what the receiving host takes\n", CLIENT_READY);
	like.size = 1000000;
	check(&like, PLAIN_OFFER, EHLO "MAIL FROM:<a@example.com> SIZE=1000000\r\n" TO_B "DATA\r\n",
	    NOTHING, CLIENT_ENVELOPE);
	like.size = 0;
	like.has_8bit = true;
	check(&like, GREETING "250 mx\r\n", EHLO,
	    "bounced 554 5.6.3 Message has 8-bit content, which the receiving host does not take\n",
	    CLIENT_READY);
}

static void
test_mixed_recipients(void **state)
{
	static const char outcomes[] =
	    "sent 250 2.0.0 queued\ndeferred 450 4.2.0 later\nbounced 550 5.1.1 unknown\n";

	(void)state;
	check(&THREE,
	    PLAIN_OFFER "250 ok\r\n250 ok\r\n450 4.2.0 later\r\n550 5.1.1 unknown\r\n354 go\r\n"
			"250 2.0.0 queued\r\n",
	    EHLO SIZED TO_B TO_C TO_D "DATA\r\n" BODY, outcomes, CLIENT_READY);
	check(&THREE,
	    SLOW_OFFER "250 ok\r\n250 ok\r\n450 4.2.0 later\r\n550 5.1.1 unknown\r\n354 go\r\n"
		       "250 2.0.0 queued\r\n",
	    EHLO UNSIZED TO_B TO_C TO_D "DATA\r\n" BODY, outcomes, CLIENT_READY);
	/* The end of data refuses those that were taken, and only those. */
	check(&THREE,
	    PLAIN_OFFER "250 ok\r\n250 ok\r\n450 4.2.0 later\r\n550 5.1.1 unknown\r\n354 go\r\n"
			"554 5.7.1 spam\r\n",
	    EHLO SIZED TO_B TO_C TO_D "DATA\r\n" BODY,
	    "bounced 554 5.7.1 spam\ndeferred 450 4.2.0 later\nbounced 550 5.1.1 unknown\n",
	    CLIENT_READY);
	/* "Too many recipients" of old hosts is for the time being. */
	check(&THREE,
	    PLAIN_OFFER "250 ok\r\n250 ok\r\n250 ok\r\n552 too many\r\n354 go\r\n250 2.0.0 q\r\n",
	    EHLO SIZED TO_B TO_C TO_D "DATA\r\n" BODY,
	    "sent 250 2.0.0 q\nsent 250 2.0.0 q\ndeferred 552 4.5.3 too many\n", CLIENT_READY);
	check(&THREE,
	    PLAIN_OFFER "250 ok\r\n251 forwards\r\n252 will try\r\n250 ok\r\n354 go\r\n"
			"250 2.0.0 q\r\n",
	    EHLO SIZED TO_B TO_C TO_D "DATA\r\n" BODY,
	    "sent 250 2.0.0 q\nsent 250 2.0.0 q\nsent 250 2.0.0 q\n", CLIENT_READY);
}

static void
test_all_refused(void **state)
{
	struct dialog two = ONE;
	static const char outcomes[] = "bounced 550 5.1.1 unknown\nbounced 550 5.1.1 gone\n";

	(void)state;
	two.recipients[0] = "b@example.net";
	two.recipients[1] = "c@example.net";
	/* Without pipelining DATA is not said. */
	check(&two, SLOW_OFFER "250 ok\r\n550 5.1.1 unknown\r\n550 5.1.1 gone\r\n",
	    EHLO UNSIZED TO_B TO_C "RSET\r\n", outcomes, CLIENT_RSET);
	check(&two, SLOW_OFFER "250 ok\r\n550 5.1.1 unknown\r\n550 5.1.1 gone\r\n250 ok\r\n",
	    EHLO UNSIZED TO_B TO_C "RSET\r\n", outcomes, CLIENT_READY);
	check(&two,
	    PLAIN_OFFER "250 ok\r\n550 5.1.1 unknown\r\n550 5.1.1 gone\r\n503 no\r\n250 ok\r\n",
	    EHLO SIZED TO_B TO_C "DATA\r\nRSET\r\n", outcomes, CLIENT_READY);
	/* Taken all the same: nothing is sent, and its answer means nothing. */
	check(&two,
	    PLAIN_OFFER "250 ok\r\n550 5.1.1 unknown\r\n550 5.1.1 gone\r\n354 go\r\n250 ok\r\n",
	    EHLO SIZED TO_B TO_C "DATA\r\n.\r\n", outcomes, CLIENT_READY);
	check(&two,
	    PLAIN_OFFER "250 ok\r\n550 5.1.1 unknown\r\n550 5.1.1 gone\r\n354 go\r\n554 no\r\n",
	    EHLO SIZED TO_B TO_C "DATA\r\n.\r\n", outcomes, CLIENT_READY);
}

static void
test_mail_refused(void **state)
{
	(void)state;
	check(&ONE, SLOW_OFFER "550 5.7.1 not you\r\n250 ok\r\n", EHLO UNSIZED "RSET\r\n",
	    "bounced 550 5.7.1 not you\n", CLIENT_READY);
	check(&ONE, SLOW_OFFER "450 4.7.1 wait\r\n250 ok\r\n", EHLO UNSIZED "RSET\r\n",
	    "deferred 450 4.7.1 wait\n", CLIENT_READY);
	check(&ONE, PLAIN_OFFER "550 5.7.1 not you\r\n503 no\r\n503 no\r\n250 ok\r\n",
	    EHLO SIZED TO_B "DATA\r\nRSET\r\n", "bounced 550 5.7.1 not you\n", CLIENT_READY);
	/* Muddled: RCPT and DATA are taken behind a refused MAIL. Nothing is sent. */
	check(&ONE, PLAIN_OFFER "450 4.7.1 wait\r\n250 ok\r\n354 go\r\n250 ok\r\n",
	    EHLO SIZED TO_B "DATA\r\n.\r\n", "deferred 450 4.7.1 wait\n", CLIENT_READY);
	check(&ONE, SLOW_OFFER "354 what\r\n250 ok\r\n", EHLO UNSIZED "RSET\r\n",
	    "deferred 421 4.0.0 what\n", CLIENT_READY);
}

static void
test_data_refused(void **state)
{
	(void)state;
	check(&ONE, PLAIN_OFFER "250 ok\r\n250 ok\r\n451 4.3.0 later\r\n250 ok\r\n",
	    EHLO SIZED TO_B "DATA\r\nRSET\r\n", "deferred 451 4.3.0 later\n", CLIENT_READY);
	check(&ONE, PLAIN_OFFER "250 ok\r\n250 ok\r\n554 5.7.0 never\r\n250 ok\r\n",
	    EHLO SIZED TO_B "DATA\r\nRSET\r\n", "bounced 554 5.7.0 never\n", CLIENT_READY);
	/* 250 for 354: it believes to have a message. Nothing is sent, and the session is over. */
	check(&ONE, PLAIN_OFFER "250 ok\r\n250 ok\r\n250 thanks\r\n", EHLO SIZED TO_B "DATA\r\n",
	    "deferred 451 4.5.0 unexpected reply to DATA from the receiving host\n", CLIENT_OVER);
}

/* ------------------------------------------------------------------ the end of data ----------- */

static void
test_body(void **state)
{
	static const struct {
		const char *body, *sent;
	} bodies[] = {
		{ "x\r\n", "x\r\n.\r\n" },
		{ "x", "x\r\n.\r\n" },
		{ "x\r", "x\r\r\n.\r\n" },
		{ "", "\r\n.\r\n" },
		{ ".\r\n", "..\r\n.\r\n" },
		{ "..\r\n.a\r\n", "...\r\n..a\r\n.\r\n" },
		{ "a.\r\n.b.\r\n\r\n.\r\n", "a.\r\n..b.\r\n\r\n..\r\n.\r\n" },
		{ "\r\n", "\r\n.\r\n" },
		{ "ab\r\n\r\n", "ab\r\n\r\n.\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct dialog like = { .tls = TLS_POLICY_NONE, .body = bodies[i].body, .size = 15 };
		char want[200];

		(void)snprintf(want, sizeof want, EHLO SIZED TO_B "DATA\r\n%s", bodies[i].sent);
		check(&like, PLAIN_OFFER "250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 q\r\n", want,
		    "sent 250 2.0.0 q\n", CLIENT_READY);
	}
}

static void
test_final_reply(void **state)
{
	static const struct {
		const char *reply, *outcome;
		enum client_state state;
	} replies[] = {
		{ "250 2.0.0 q\r\n", "sent 250 2.0.0 q\n", CLIENT_READY },
		{ "451 4.3.0 later\r\n", "deferred 451 4.3.0 later\n", CLIENT_READY },
		{ "554 5.6.0 no\r\n", "bounced 554 5.6.0 no\n", CLIENT_READY },
		{ "421 4.3.2 stopping\r\n", "deferred 421 4.3.2 stopping\n", CLIENT_OVER },
		{ "354 again\r\n", "deferred 451 4.0.0 again\n", CLIENT_OVER },
		/* A farewell behind the answer takes nothing back. */
		{ "250 2.0.0 q\r\n421 bye\r\n", "sent 250 2.0.0 q\n", CLIENT_OVER },
		/* A status of another class is not believed. */
		{ "250 5.1.1 q\r\n", "sent 250 2.0.0 5.1.1 q\n", CLIENT_READY },
		{ "550\r\n", "bounced 550 5.0.0 \n", CLIENT_READY },
	};
	char server[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		(void)snprintf(server, sizeof server,
		    PLAIN_OFFER "250 ok\r\n250 ok\r\n354 go\r\n%s", replies[i].reply);
		check(&ONE, server, EHLO SIZED TO_B "DATA\r\n" BODY, replies[i].outcome,
		    replies[i].state);
	}
}

/* A reply while the content is on its way: its code counts, and nothing follows. */
static void
test_early_reply(void **state)
{
	static const struct {
		const char *reply, *outcome;
	} replies[] = {
		{ "552 5.3.4 too big\r\n", "bounced 552 5.3.4 too big\n" },
		{ "452 4.3.1 full\r\n", "deferred 452 4.3.1 full\n" },
		{ "250 2.0.0 ok\r\n", "deferred 451 4.5.0 2.0.0 ok\n" },
		{ "421 4.3.2 bye\r\n", "deferred 421 4.3.2 bye\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct dialog d;
		size_t used;

		begin(&d, &ONE);
		d.hold_body = true;
		feed(&d, SPAN_LIT(PLAIN_OFFER "250 ok\r\n250 ok\r\n354 go\r\n"), SIZE_MAX);
		assert_int_equal(d.client.state, CLIENT_BODY);
		client_body(&d.client, SPAN_LIT("From: a\r\n"), &d.out);
		client_feed(&d.client, span_of(replies[i].reply), &used, &d.out);
		assert_int_equal(d.client.state, CLIENT_OVER);
		check_outcomes(&d, replies[i].outcome);
		assert_true(span_iends(buf_span(&d.out), SPAN_LIT("From: a\r\n")));
		end(&d);
	}
}

/* ------------------------------------------------------------------ a bad host ---------------- */

/* The replies of a good session one by one, and the state in which each is waited for. */
static const struct {
	const char *reply;
	enum client_state state;
} steps[] = {
	{ GREETING, CLIENT_GREETING },
	{ "250-mx\r\n250 STARTTLS\r\n", CLIENT_EHLO },
	{ "220 go\r\n", CLIENT_STARTTLS },
	{ "250-mx\r\n250 AUTH PLAIN\r\n", CLIENT_EHLO },
	{ "235 yes\r\n", CLIENT_AUTH },
	{ "250 ok\r\n", CLIENT_ENVELOPE },
	{ "250 ok\r\n", CLIENT_ENVELOPE },
	{ "354 go\r\n", CLIENT_ENVELOPE },
	{ "250 2.0.0 q\r\n", CLIENT_FINAL },
};

static const struct dialog WITH_ALL = {
	.tls = TLS_POLICY_VERIFY, .username = "user", .password = "secret"
};

static void
walk(struct dialog *d, size_t count)
{
	begin(d, &WITH_ALL);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(d->client.state, steps[i].state);
		feed(d, span_of(steps[i].reply), SIZE_MAX);
	}
}

/* At every step: the session ends there, each recipient is known to be deferred, before mail the host is to blame. */
static void
check_everywhere(const char *reply, const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct dialog d;

		walk(&d, i);
		feed(&d, span_of(reply), SIZE_MAX);
		assert_int_equal(d.client.state, CLIENT_OVER);
		assert_int_equal(d.client.end.kind, OUTCOME_DEFERRED);
		if (d.begun)
			check_outcomes(&d, text);
		else
			assert_true(d.client.host_failed);
		assert_null(d.client.mail);
		end(&d);
	}
}

static void
test_421_everywhere(void **state)
{
	(void)state;
	check_everywhere("421 4.3.2 stopping\r\n", "deferred 421 4.3.2 stopping\n");
}

static void
test_garbage_everywhere(void **state)
{
	static const char no_reply[] = "deferred 421 4.5.0 the receiving host answered with "
				       "something that is no SMTP reply\n";
	struct buf many = BUF_EMPTY;

	(void)state;
	check_everywhere("hello?\r\n", no_reply);
	check_everywhere("\r\n", no_reply);
	check_everywhere("25\r\n", no_reply);
	check_everywhere("000 x\r\n", no_reply);
	check_everywhere("999 x\r\n", no_reply);
	check_everywhere("250x\r\n", no_reply);
	check_everywhere("250-a\r\n251 b\r\n", no_reply);
	for (int i = 0; i < 200; i++)
		buf_addf(&many, "250-line %d\r\n", i);
	check_everywhere(buf_cstr(&many), no_reply);
	buf_clear(&many);
	buf_addf(&many, "250 ");
	for (int i = 0; i < 70000; i++)
		buf_add_char(&many, 'x');
	check_everywhere(buf_cstr(&many), no_reply);
	buf_free(&many);
}

static void
test_lost_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct dialog d;

		walk(&d, i);
		feed(&d, SPAN_LIT("25"), SIZE_MAX); /* half a reply is none */
		client_abort(&d.client, OUTCOME_DEFERRED, 421, "4.4.2", "connection lost");
		assert_int_equal(d.client.state, CLIENT_OVER);
		assert_int_equal(d.client.host_failed, !d.begun);
		if (d.begun)
			check_outcomes(&d, "deferred 421 4.4.2 connection lost\n");
		end(&d);
	}
}

/* What has an answer keeps it when the connection is lost later. */
static void
test_lost_keeps_answers(void **state)
{
	struct dialog d;

	(void)state;
	begin(&d, &THREE);
	feed(&d,
	    SPAN_LIT(PLAIN_OFFER "250 ok\r\n250 ok\r\n550 5.1.1 unknown\r\n250 ok\r\n354 go\r\n"),
	    1);
	assert_int_equal(d.client.state, CLIENT_FINAL);
	client_abort(&d.client, OUTCOME_DEFERRED, 421, "4.4.2", "lost");
	check_outcomes(
	    &d, "deferred 421 4.4.2 lost\nbounced 550 5.1.1 unknown\ndeferred 421 4.4.2 lost\n");
	end(&d);
}

/* More replies than commands: the session is not used again. */
static void
test_extra_replies(void **state)
{
	(void)state;
	check(&ONE, PLAIN_OFFER "250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 q\r\n250 more\r\n",
	    EHLO SIZED TO_B "DATA\r\n" BODY, "sent 250 2.0.0 q\n", CLIENT_OVER);
	check(&ONE, SLOW_OFFER "250 ok\r\n550 5.1.1 no\r\n250 ok\r\n250 more\r\n",
	    EHLO UNSIZED TO_B "RSET\r\n", "bounced 550 5.1.1 no\n", CLIENT_OVER);
	check(&ONE, SLOW_OFFER "250 ok\r\n550 5.1.1 no\r\n500 what\r\n",
	    EHLO UNSIZED TO_B "RSET\r\n", "bounced 550 5.1.1 no\n", CLIENT_OVER);
}

/* A reply that is there before its command was sent answers nothing: were it taken for the next one, all that follow would
 * be for the wrong recipient. */
static void
test_replies_ahead(void **state)
{
	static const struct {
		const char *before, *ahead;
	} cases[] = {
		{ "", GREETING "250 mx\r\n" },
		{ GREETING, "250 mx\r\n250 ok\r\n250" },
		{ SLOW_OFFER, "250 ok\r\n250 ok\r\n" },
		{ SLOW_OFFER, "250 ok\r\n5" },
		{ SLOW_OFFER "250 ok\r\n", "550 5.1.1 no\r\n250 ok\r\n" },
		{ PLAIN_OFFER "250 ok\r\n250 ok\r\n450 no\r\n450 no\r\n",
		    "451 no\r\n250 ahead of RSET\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dialog d;
		size_t used;

		begin(&d, &THREE);
		feed(&d, span_of(cases[i].before), 1);
		assert_int_not_equal(d.client.state, CLIENT_OVER);
		client_feed(&d.client, span_of(cases[i].ahead), &used, &d.out);
		assert_int_equal(d.client.state, CLIENT_OVER);
		for (size_t k = 1; d.begun && k < 3; k++)
			assert_int_equal(d.to[k].outcome.kind, OUTCOME_DEFERRED);
		end(&d);
	}
}

/* Control bytes and 8-bit of the peer stay out of what is kept. */
static void
test_hostile_text(void **state)
{
	(void)state;
	check(&ONE, PLAIN_OFFER "250 ok\r\n550 5.1.1 \x1b[2J%s\x80\t{x}\r\n503 n\r\n250 ok\r\n",
	    EHLO SIZED TO_B "DATA\r\nRSET\r\n", "bounced 550 5.1.1 ?[2J%s? {x}\n", CLIENT_READY);
}

static void
test_second_mail(void **state)
{
	struct dialog d;

	(void)state;
	begin(&d, &ONE);
	feed(&d, SPAN_LIT(PLAIN_OFFER "250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 one\r\n"), 1);
	check_outcomes(&d, "sent 250 2.0.0 one\n");
	d.to[0].outcome.kind = OUTCOME_NONE;
	d.begun = false;
	buf_clear(&d.out);
	feed(&d, SPAN_LIT("250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 two\r\n"), 1);
	check_outcomes(&d, "sent 250 2.0.0 two\n");
	assert_string_equal(buf_cstr(&d.out), SIZED TO_B "DATA\r\n" BODY);
	assert_int_equal(d.client.mails, 2);
	end(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_envelope_forms),
		cmocka_unit_test(test_fallback_to_helo),
		cmocka_unit_test(test_bad_greeting),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_tls_required),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_auth_in_clear),
		cmocka_unit_test(test_limits_of_the_host),
		cmocka_unit_test(test_mixed_recipients),
		cmocka_unit_test(test_all_refused),
		cmocka_unit_test(test_mail_refused),
		cmocka_unit_test(test_data_refused),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_final_reply),
		cmocka_unit_test(test_early_reply),
		cmocka_unit_test(test_421_everywhere),
		cmocka_unit_test(test_garbage_everywhere),
		cmocka_unit_test(test_lost_everywhere),
		cmocka_unit_test(test_lost_keeps_answers),
		cmocka_unit_test(test_extra_replies),
		cmocka_unit_test(test_replies_ahead),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_second_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
