/* unit/smtp/fake_host.c - a session's host without sockets, timers, threads and disks. */
#include "config.h"

#include "unit/smtp/fake_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "submit/internal.h"

static void
note(struct fake *fake, const char *text)
{
	if (!fake->silent)
		buf_addf(&fake->out, "<%s>\r\n", text);
}

/* ------------------------------------------------------------------ what the session asks ----- */

static void
host_check_credential(void *arg, const char *id, const char *password)
{
	struct fake *fake = arg;
	struct login login = { "account", fake->profile };
	bool good = strcmp(id, "user") == 0 && strcmp(password, "secret") == 0;
	enum rc rc = fake->auth_is_down ? RC_LATER : good ? RC_OK : RC_DENY;

	session_auth_result(fake->session, rc, &login, "wrong password", &fake->out);
}

static void
host_submit(void *arg, struct submission *s)
{
	struct fake *fake = arg;
	struct buf text = BUF_EMPTY;

	fake->submissions++;
	fake->submission = s;
	fake->in_submission = fake->has_file;
	fake->kept = buf_len(&s->body);
	buf_clear(&fake->content);
	buf_add_span(&fake->content, fake->has_file ? buf_span(&fake->file) : buf_span(&s->body));
	buf_clear(&fake->file);
	fake->has_file = false;
	buf_addf(&text, "mail %s", s->sender);
	for (size_t i = 0; i < s->recipient_count; i++)
		buf_addf(&text, "%c%s", i == 0 ? ' ' : ',', s->recipients[i].address);
	if (!text.failed)
		note(fake, buf_cstr(&text));
	buf_free(&text);
}

static void
host_spill(void *arg, struct submission *s, struct buf *bytes)
{
	struct fake *fake = arg;

	fake->spills++;
	if (fake->spill_refused) { /* as when the worker pool is full */
		session_spill_result(fake->session, RC_LATER, &fake->out);
		return;
	}
	buf_add_span(&fake->file, buf_span(bytes));
	buf_clear(bytes);
	fake->has_file = true;
	(void)snprintf(s->file_name, sizeof s->file_name, "fake");
	fake->spilling = s;
}

static void
host_discard(void *arg, struct submission *s)
{
	struct fake *fake = arg;

	(void)s;
	fake->discards++;
	fake->has_file = false;
	buf_clear(&fake->file);
}

static bool
host_budget(void *arg, int64_t bytes)
{
	struct fake *fake = arg;

	if (bytes > 0 && fake->budget > 0 && fake->budget_used + bytes > fake->budget)
		return false;
	fake->budget_used += bytes;
	return true;
}

static const struct session_host host = {
	.check_credential = host_check_credential,
	.submit = host_submit,
	.spill = host_spill,
	.discard = host_discard,
	.budget = host_budget,
};

/* ------------------------------------------------------------------ what it gets -------------- */

static void
give_verdict(struct fake *fake)
{
	struct submission *s = fake->submission;

	fake->submission = NULL;
	s->rc = check_content(s, s->config, &s->why);
	if (s->rc == RC_OK && fake->verdict.code != 0) {
		s->rc = RC_BAD;
		s->why = fake->verdict;
	}
	s->id.stamp = 0x010001930000abcd;
	memset(s->id.uuid, 1, sizeof s->id.uuid);
	s->id.uuid[6] = 0x41;
	s->id.uuid[8] = 0x81;
	session_submit_result(fake->session, s, &fake->out);
	submission_free(s);
}

static void
give_spilled(struct fake *fake, enum rc rc)
{
	fake->spilling = NULL;
	session_spill_result(fake->session, rc, &fake->out);
}

/* False when it takes more input, or a held answer, to go on. */
static bool
step(struct fake *fake)
{
	char text[40];
	size_t used;

	switch (session_want(fake->session)) {
	case SESSION_READ:
		used = session_feed(fake->session, buf_span(&fake->in), &fake->out);
		buf_consume(&fake->in, used);
		return session_want(fake->session) != SESSION_READ;
	case SESSION_WAIT:
		if (fake->submission != NULL && !fake->hold_submit)
			give_verdict(fake);
		else if (fake->spilling != NULL && !fake->hold_spill)
			give_spilled(fake, fake->spill_fails ? RC_LATER : RC_OK);
		else
			return false;
		return true;
	case SESSION_PAUSE:
		(void)snprintf(text, sizeof text, "pause %d", (int)session_delay_ms(fake->session));
		note(fake, text);
		fake->paused_ms += session_delay_ms(fake->session);
		session_resume(fake->session, &fake->out);
		return true;
	case SESSION_STARTTLS:
		note(fake, "tls");
		buf_clear(&fake->in);
		fake->tls_started = true;
		session_tls_started(fake->session);
		return false;
	case SESSION_CLOSE:
		break;
	}
	if (!fake->closed)
		note(fake, "close");
	fake->closed = true;
	buf_clear(&fake->in);
	return false;
}

static void
run(struct fake *fake)
{
	while (step(fake))
		continue;
	if (buf_len(&fake->in) > fake->most_input)
		fake->most_input = buf_len(&fake->in);
}

void
fake_say(struct fake *fake, struct span packet, size_t piece)
{
	fake->tls_started = false;
	while (packet.len > 0 && !fake->closed && !fake->tls_started) {
		struct span part = span_first(packet, piece);

		buf_add_span(&fake->in, part);
		packet = span_skip(packet, part.len);
		run(fake);
	}
}

void
fake_submit_done(struct fake *fake)
{
	give_verdict(fake);
	run(fake);
}

void
fake_spill_done(struct fake *fake, enum rc rc)
{
	give_spilled(fake, rc);
	run(fake);
}

/* ------------------------------------------------------------------ life ---------------------- */

void
fake_begin(struct fake *fake, struct config *config)
{
	struct session_options options = { .host = &host,
		.arg = fake,
		.config = config,
		.listener = "submission",
		.peer = "192.0.2.1",
		.tls = fake->tls,
		.auth_without_tls = fake->auth_without_tls };

	fake->config = config;
	fake->session = session_new(&options);
	if (fake->session == NULL)
		abort();
	session_greet(fake->session, &fake->out);
}

void
fake_end(struct fake *fake)
{
	session_free(fake->session);
	submission_free(fake->submission);
	buf_free(&fake->in);
	buf_free(&fake->out);
	buf_free(&fake->content);
	buf_free(&fake->file);
}
