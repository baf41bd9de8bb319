/* fuzz/fuzz_client.c - an outbound session with a hostile host.
 *
 * The first byte of the input is policy and message, the second how the rest is cut; the rest is what the host says, with
 * 0xfe between packets and 0xfd where the connection is lost. Always true: what we say is commands in CR LF lines; a mail
 * that was given back has an outcome for each recipient, and none is delivered without its end of data; nothing of a
 * message and no password goes out in clear where TLS is asked for. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "delivery/client.h"

enum {
	RECIPIENTS = 3,
	MAILS = 3
};

#define BODY "From: a\r\n.dot\r\nlast"

struct talk {
	struct client client;
	struct client_options options;
	struct client_mail mail;
	struct client_recipient to[RECIPIENTS];
	struct buf out;
	size_t said; /* bytes in `out` that were looked at */
	unsigned mails;
	bool open;  /* the client has the mail */
	bool ended; /* its end of data was sent */
};

static bool
holds(struct span text, const char *word)
{
	return memmem(text.p, text.len, word, strlen(word)) != NULL;
}

static void
check_said(struct talk *t)
{
	struct span fresh = span_skip(buf_span(&t->out), t->said);

	MUST(!t->out.failed);
	MUST(fresh.len < 4096);
	if (fresh.len > 0)
		MUST(span_iends(fresh, SPAN_LIT("\r\n")));
	if (!t->client.in_tls && t->options.tls >= TLS_POLICY_REQUIRE)
		MUST(!holds(fresh, "MAIL") && !holds(fresh, "last"));
	if (!t->client.in_tls)
		MUST(!holds(fresh, "AUTH"));
	t->said = buf_len(&t->out);
}

static void
check_mail(struct talk *t)
{
	if (!t->open || (t->client.state != CLIENT_READY && t->client.state != CLIENT_RSET &&
			    t->client.state != CLIENT_OVER))
		return;
	MUST(t->client.mail == NULL);
	for (size_t i = 0; i < t->mail.count; i++) {
		const struct outcome *outcome = &t->to[i].outcome;
		char text[OUTCOME_TEXT_MAX + 64];

		MUST(outcome->kind != OUTCOME_NONE);
		MUST(outcome->kind != OUTCOME_DELIVERED || t->ended);
		MUST(outcome->status[0] >= '2' && outcome->status[0] <= '5');
		outcome_format(outcome, text, sizeof text);
		for (const char *p = text; *p != '\0'; p++)
			MUST(*p >= ' ' && *p <= '~');
	}
	t->open = false;
}

static void
begin_mail(struct talk *t)
{
	static const char *const addresses[RECIPIENTS] = { "a@example.net", "b@example.net",
		"c@example.net" };

	t->mails++;
	t->open = true;
	t->ended = false;
	for (size_t i = 0; i < t->mail.count; i++)
		t->to[i] = (struct client_recipient){ .address = addresses[i] };
	client_mail(&t->client, &t->mail, &t->out);
}

/* What the channel does. */
static void
serve(struct talk *t)
{
	check_mail(t);
	if (t->client.state == CLIENT_READY && t->mails < MAILS)
		begin_mail(t);
	if (t->client.state == CLIENT_BODY) {
		client_body(&t->client, SPAN_LIT(BODY), &t->out);
		client_body_end(&t->client, &t->out);
		t->ended = true;
	}
	if (t->client.state == CLIENT_TLS)
		client_tls_done(&t->client, &t->out);
	check_mail(t);
	check_said(t);
}

static void
feed(struct talk *t, struct span packet, size_t piece)
{
	while (packet.len > 0 && t->client.state != CLIENT_OVER) {
		struct span part = span_first(packet, piece);
		size_t used;

		if (part.p[0] == '\xfd') {
			client_abort(&t->client, OUTCOME_DEFERRED, 421, "4.4.2", "lost");
			break;
		}
		client_feed(&t->client, part, &used, &t->out);
		MUST(used <= part.len);
		MUST(used == part.len || t->client.state == CLIENT_TLS ||
		     t->client.state == CLIENT_OVER);
		packet = span_skip(packet, part.len);
		serve(t);
	}
	serve(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { .out = BUF_EMPTY };
	struct span rest, packet;

	if (size < 2)
		return 0;
	t.options = (struct client_options){ .ehlo_name = "us.example",
		.username = (data[0] & 8) != 0 ? "user" : "",
		.password = (data[0] & 8) != 0 ? "secret" : "",
		.tls = (enum config_tls_policy)(data[0] % 5),
		.in_tls = data[0] % 5 == TLS_POLICY_IMPLICIT };
	t.mail = (struct client_mail){ .sender = (data[0] & 16) != 0 ? "" : "s@example.com",
		.recipients = t.to,
		.count = (data[0] & 32) != 0 ? RECIPIENTS : 1,
		.size = sizeof BODY + 1,
		.has_8bit = (data[0] & 64) != 0 };
	client_init(&t.client, &t.options);
	rest = span_make((const char *)data + 2, size - 2);
	while (t.client.state != CLIENT_OVER && span_next(&rest, '\xfe', &packet))
		feed(&t, packet, data[1] == 0 ? SIZE_MAX : data[1]);
	MUST(strlen(client_state_name(t.client.state)) > 0);
	client_abort(&t.client, OUTCOME_DEFERRED, 421, "4.4.2", "the end");
	check_mail(&t);
	MUST(!t.open);
	buf_free(&t.out);
	return 0;
}
