/* delivery/client.c - the outbound SMTP state machine.
 *
 * Reply -> handler by state is the table at the end. Always true: in CLIENT_ENVELOPE `answered` <= `sent`, and the
 * n-th reply belongs to the n-th command; when the state leaves ENVELOPE/BODY/FINAL every recipient has an outcome. */
#include "config.h"

#include "delivery/client.h"

#include <stdio.h>
#include <string.h>

#include "util/crypto.h"

static void send_envelope(struct client *client, struct buf *out);

void
client_init(struct client *client, const struct client_options *options)
{
	*client = (struct client){
		.state = CLIENT_GREETING, .options = *options, .in_tls = options->in_tls
	};
	reply_parser_init(&client->parser);
}

static void
finish_mail(struct client *client)
{
	client->mail = NULL;
}

void
client_abort(
    struct client *client, enum outcome_kind kind, int code, const char *status, const char *text)
{
	if (client->state < CLIENT_READY)
		client->host_failed = true;
	outcome_set(&client->end, kind, code, status, text);
	if (client->mail != NULL)
		for (size_t i = 0; i < client->mail->count; i++)
			outcome_set(&client->mail->recipients[i].outcome, kind, code, status, text);
	finish_mail(client);
	client->state = CLIENT_OVER;
}

/* What the peer had been asked that it answers now. */
static enum smtp_stage
stage(const struct client *client)
{
	switch (client->state) {
	case CLIENT_STARTTLS:
	case CLIENT_TLS:
		return STAGE_TLS;
	case CLIENT_AUTH:
		return STAGE_AUTH;
	case CLIENT_ENVELOPE:
		if (client->answered <= 1)
			return STAGE_MAIL;
		return client->answered <= client->mail->count + 1 ? STAGE_RCPT : STAGE_DATA;
	case CLIENT_BODY:
	case CLIENT_FINAL:
		return STAGE_DATA;
	default:
		return STAGE_HELLO;
	}
}

/* The session is over because of what the peer said. */
static void
end_by_reply(struct client *client, const struct reply *reply)
{
	enum smtp_stage at = stage(client);

	if (client->state < CLIENT_READY)
		client->host_failed = true;
	/* Before any mail a 5xx speaks of the host, not of the message: temporary (another host, later). */
	client->end.kind = OUTCOME_NONE;
	outcome_of_host(&client->end, at, reply->code, reply->status, reply->text);
	if (client->mail != NULL)
		for (size_t i = 0; i < client->mail->count; i++)
			outcome_of_host(&client->mail->recipients[i].outcome, at, reply->code,
			    reply->status, reply->text);
	finish_mail(client);
	client->state = CLIENT_OVER;
}

/* ------------------------------------------------------------------ session ------------------- */

static void
send_ehlo(struct client *client, const char *verb, enum client_state state, struct buf *out)
{
	client->offer = (struct ehlo_offer){ 0 };
	buf_addf(out, "%s %s\r\n", verb, client->options.ehlo_name);
	client->state = state;
}

static void
on_greeting(struct client *client, const struct reply *reply, struct buf *out)
{
	if (reply->code != 220)
		end_by_reply(client, reply);
	else
		send_ehlo(client, "EHLO", CLIENT_EHLO, out);
}

static bool
wants_tls(const struct client *client)
{
	return !client->in_tls && client->options.tls != TLS_POLICY_NONE &&
	       client->offer.starttls && !client->tls_refused;
}

static bool
needs_tls(const struct client *client)
{
	return client->options.tls >= TLS_POLICY_REQUIRE && !client->in_tls;
}

static void
send_auth(struct client *client, struct buf *out)
{
	char plain[600], text[CRYPTO_BASE64_LEN(sizeof plain)];
	int len = snprintf(plain, sizeof plain, "%c%s%c%s", '\0', client->options.username, '\0',
	    client->options.password);

	if (!client
		 ->in_tls) { /* whatever the policy says: the password is worth more than the mail */
		client_abort(
		    client, OUTCOME_DEFERRED, 454, "4.7.11", "no login to a smarthost without TLS");
	} else if (len < 0 || (size_t)len >= sizeof plain || !client->offer.auth_plain) {
		client_abort(
		    client, OUTCOME_DEFERRED, 454, "4.7.4", "smarthost does not offer AUTH PLAIN");
	} else {
		(void)crypto_base64(span_make(plain, (size_t)len), text);
		buf_addf(out, "AUTH PLAIN %s\r\n", text);
		client->state = CLIENT_AUTH;
		crypto_wipe(text, sizeof text);
	}
	crypto_wipe(plain, sizeof plain);
}

/* After EHLO: STARTTLS, AUTH, or ready. */
static void
next_step(struct client *client, struct buf *out)
{
	if (wants_tls(client)) {
		buf_addf(out, "STARTTLS\r\n");
		client->state = CLIENT_STARTTLS;
	} else if (needs_tls(client)) {
		client_abort(client, OUTCOME_DEFERRED, 454, "4.7.10",
		    "TLS is required, but the host does not offer it");
		client->host_failed = true;
	} else if (client->options.username[0] != '\0') {
		send_auth(client, out);
	} else {
		client->state = CLIENT_READY;
	}
}

static void
on_ehlo(struct client *client, const struct reply *reply, struct buf *out)
{
	if (reply->code == 250)
		next_step(client, out);
	else if (reply->code == 421)
		end_by_reply(client, reply);
	else /* an old host: RFC 5321 section 3.2 */
		send_ehlo(client, "HELO", CLIENT_HELO, out);
}

static void
on_helo(struct client *client, const struct reply *reply, struct buf *out)
{
	client->offer = (struct ehlo_offer){ 0 };
	if (reply->code == 250)
		next_step(client, out);
	else
		end_by_reply(client, reply);
}

static void
on_starttls(struct client *client, const struct reply *reply, struct buf *out)
{
	if (reply->code == 220) {
		client->state = CLIENT_TLS;
		return;
	}
	client->tls_refused = true;
	if (reply->code == 421)
		end_by_reply(client, reply);
	else
		next_step(client, out);
}

void
client_tls_done(struct client *client, struct buf *out)
{
	client->in_tls = true;
	reply_parser_init(&client->parser);
	/* What the host said in clear is forgotten: RFC 3207 section 4.2. */
	send_ehlo(client, "EHLO", CLIENT_EHLO, out);
}

static void
on_auth(struct client *client, const struct reply *reply, struct buf *out)
{
	(void)out;
	if (reply->code == 235)
		client->state = CLIENT_READY;
	else
		end_by_reply(client, reply);
}

/* ------------------------------------------------------------------ one mail ------------------ */

static void
fail_all(struct client *client, int code, const char *status, const char *text)
{
	for (size_t i = 0; i < client->mail->count; i++)
		outcome_set(
		    &client->mail->recipients[i].outcome, OUTCOME_FAILED, code, status, text);
	finish_mail(client);
	client->state = CLIENT_READY;
}

void
client_mail(struct client *client, struct client_mail *mail, struct buf *out)
{
	client->mail = mail;
	client->sent = client->answered = client->accepted = 0;
	client->dummy_data = false;
	if (client->offer.size_known && client->offer.size > 0 && mail->size > client->offer.size) {
		fail_all(
		    client, 552, "5.3.4", "Message size exceeds what the receiving host takes");
		return;
	}
	if (mail->has_8bit && !client->offer.eightbit) {
		fail_all(client, 554, "5.6.3",
		    "Message has 8-bit content, which the receiving host does not take");
		return;
	}
	client->state = CLIENT_ENVELOPE;
	send_envelope(client, out);
}

static void
send_one(struct client *client, struct buf *out)
{
	const struct client_mail *mail = client->mail;
	size_t i = client->sent++;

	if (i == 0) {
		buf_addf(out, "MAIL FROM:<%s>", mail->sender);
		if (client->offer.size_known)
			buf_addf(out, " SIZE=%llu", (unsigned long long)mail->size);
		if (mail->has_8bit)
			buf_addf(out, " BODY=8BITMIME");
		buf_addf(out, "\r\n");
	} else if (i <= mail->count) {
		buf_addf(out, "RCPT TO:<%s>\r\n", mail->recipients[i - 1].address);
	} else {
		buf_addf(out, "DATA\r\n");
	}
}

static void
send_envelope(struct client *client, struct buf *out)
{
	size_t commands = client->mail->count + 2;

	if (client->offer.pipelining) {
		while (client->sent < commands)
			send_one(client, out);
	} else if (client->sent < commands && client->sent == client->answered) {
		send_one(client, out);
	}
}

/* No recipient is left: leave the transaction. */
static void
reset(struct client *client, struct buf *out)
{
	finish_mail(client);
	client->mails++;
	buf_addf(out, "RSET\r\n");
	client->state = CLIENT_RSET;
}

/* A reply for all whose outcome is not known yet. */
static void
answer_all(struct client *client, enum smtp_stage at, int code, const struct reply *reply)
{
	for (size_t i = 0; i < client->mail->count; i++)
		outcome_from_reply(
		    &client->mail->recipients[i].outcome, at, code, reply->status, reply->text);
}

static void
on_mail_reply(struct client *client, const struct reply *reply, struct buf *out)
{
	if (reply->code / 100 == 2)
		return;
	answer_all(client, STAGE_MAIL, reply->code / 100 == 3 ? 421 : reply->code, reply);
	if (!client->offer.pipelining)
		reset(client, out);
}

static void
on_rcpt_reply(struct client *client, const struct reply *reply, size_t i)
{
	struct outcome *outcome = &client->mail->recipients[i].outcome;

	if (reply->code / 100 == 2) {
		if (outcome->kind == OUTCOME_NONE)
			client->accepted++;
	} else {
		outcome_from_reply(outcome, STAGE_RCPT, reply->code / 100 == 3 ? 421 : reply->code,
		    reply->status, reply->text);
	}
}

static void
on_data_reply(struct client *client, const struct reply *reply, struct buf *out)
{
	if (reply->code == 354) {
		dot_encoder_init(&client->dots);
		client->dummy_data = client->accepted == 0;
		client->last_two[0] = client->last_two[1] = '\0';
		client->state = CLIENT_BODY;
		if (client->dummy_data) { /* RFC 2920 section 3.1: end it with nothing in it */
			buf_addf(out, ".\r\n");
			client->state = CLIENT_FINAL;
		}
		return;
	}
	if (reply->code / 100 ==
	    2) { /* it believes to have a message: never use this session again */
		client_abort(client, OUTCOME_DEFERRED, 451, "4.5.0",
		    "unexpected reply to DATA from the receiving host");
		return;
	}
	answer_all(client, STAGE_DATA, reply->code / 100 == 3 ? 421 : reply->code, reply);
	reset(client, out);
}

static void
on_envelope(struct client *client, const struct reply *reply, struct buf *out)
{
	size_t i = client->answered++, count = client->mail->count;

	if (reply->code == 421) {
		end_by_reply(client, reply);
		return;
	}
	if (i == 0) {
		on_mail_reply(client, reply, out);
	} else if (i <= count) {
		on_rcpt_reply(client, reply, i - 1);
		if (i == count && client->accepted == 0 && !client->offer.pipelining)
			reset(client, out);
	} else {
		on_data_reply(client, reply, out);
	}
	if (client->state == CLIENT_ENVELOPE)
		send_envelope(client, out);
}

void
client_body(struct client *client, struct span bytes, struct buf *out)
{
	if (bytes.len == 0)
		return;
	dot_encode(&client->dots, bytes, out);
	client->last_two[0] = bytes.len > 1 ? bytes.p[bytes.len - 2] : client->last_two[1];
	client->last_two[1] = bytes.p[bytes.len - 1];
}

void
client_body_end(struct client *client, struct buf *out)
{
	if (client->last_two[0] != '\r' || client->last_two[1] != '\n')
		buf_addf(out, "\r\n");
	buf_addf(out, ".\r\n");
	client->state = CLIENT_FINAL;
}

static void
on_body(struct client *client, const struct reply *reply, struct buf *out)
{
	/* A reply while the content is still on its way: the transaction cannot be finished in step. */
	struct reply early = *reply;

	(void)out;
	if (reply->code < 400)
		(void)snprintf(early.status, sizeof early.status, "4.5.0");
	answer_all(client, STAGE_DATA, reply->code >= 400 ? reply->code : 451, &early);
	client_abort(client, OUTCOME_DEFERRED, 451, "4.5.0", "reply before the end of data");
}

static void
on_final(struct client *client, const struct reply *reply, struct buf *out)
{
	(void)out;
	if (!client->dummy_data)
		answer_all(client, STAGE_DATA, reply->code / 100 == 3 ? 451 : reply->code, reply);
	finish_mail(client);
	client->mails++;
	client->state = CLIENT_READY;
	if (reply->code == 421 || reply->code / 100 == 3)
		end_by_reply(client, reply);
}

static void
on_rset(struct client *client, const struct reply *reply, struct buf *out)
{
	(void)out;
	if (reply->code == 250)
		client->state = CLIENT_READY;
	else
		end_by_reply(client, reply);
}

static void
on_idle(struct client *client, const struct reply *reply, struct buf *out)
{
	(void)out; /* an idle session speaks only to say goodbye, whatever the code */
	end_by_reply(client, reply);
}

static const struct {
	const char *name;
	void (*on_reply)(struct client *client, const struct reply *reply, struct buf *out);
} states[] = {
	[CLIENT_GREETING] = { "greeting", on_greeting },
	[CLIENT_EHLO] = { "EHLO", on_ehlo },
	[CLIENT_HELO] = { "HELO", on_helo },
	[CLIENT_STARTTLS] = { "STARTTLS", on_starttls },
	[CLIENT_TLS] = { "TLS", NULL },
	[CLIENT_AUTH] = { "AUTH", on_auth },
	[CLIENT_READY] = { "ready", on_idle },
	[CLIENT_ENVELOPE] = { "MAIL", on_envelope },
	[CLIENT_BODY] = { "DATA", on_body },
	[CLIENT_FINAL] = { "end of data", on_final },
	[CLIENT_RSET] = { "RSET", on_rset },
	[CLIENT_OVER] = { "over", NULL },
};

const char *
client_state_name(enum client_state state)
{
	return states[state].name;
}

/* Replies that are due for what was sent until now. */
static size_t
replies_due(const struct client *client)
{
	switch (client->state) {
	case CLIENT_ENVELOPE:
		return client->sent - client->answered;
	case CLIENT_TLS:
	case CLIENT_READY:
	case CLIENT_BODY:
	case CLIENT_OVER:
		return 0;
	default:
		return 1;
	}
}

void
client_feed(struct client *client, struct span in, size_t *used, struct buf *out)
{
	size_t due = replies_due(client);

	*used = 0;
	while (in.len > 0 && states[client->state].on_reply != NULL) {
		size_t taken = 0;
		bool ehlo = client->state == CLIENT_EHLO;
		bool asked =
		    client->state == CLIENT_READY || client->state == CLIENT_BODY || due > 0;
		enum rc rc = !asked
				 ? RC_BAD
				 : reply_feed(&client->parser, in, &taken,
				       ehlo ? ehlo_offer_line : NULL, ehlo ? &client->offer : NULL);
		struct reply reply;

		*used += taken;
		in = span_skip(in, taken);
		if (rc == RC_MORE)
			return;
		if (rc != RC_OK) {
			/* What is here before its command was sent answers nothing; taken for the next reply, it would
			 * put all that follow to the wrong recipients. */
			client_abort(client, OUTCOME_DEFERRED, 421, "4.5.0",
			    asked
				? "the receiving host answered with something that is no SMTP reply"
				: "the receiving host answered a command before it was sent");
			return;
		}
		reply = client->parser.reply;
		reply_parser_init(&client->parser);
		due -= due > 0;
		states[client->state].on_reply(client, &reply, out);
	}
}
