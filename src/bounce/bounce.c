/* bounce/bounce.c - gathers what mail/dsn.h needs and wraps its text as a message for the queue. */
#include "config.h"

#include "bounce/bounce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/dsn.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "wire/command.h"

enum {
	RETURN_MAX = 50 * 1024
}; /* larger originals come back as headers only */

static bool
wants_report(const struct message *message, size_t index)
{
	unsigned notify = message->recipients[index].notify;

	return notify == 0 || (notify & NOTIFY_FAILURE) != 0;
}

/* The original, or its header, in one piece. */
static bool
original_text(const struct message *message, struct buf *out, bool *headers_only)
{
	const char *end;

	/* A body in a file is not read for this, however small spool.memory_body makes it. */
	*headers_only =
	    message->ret == DSN_RET_HDRS || message->size > RETURN_MAX || message->file_fd >= 0;
	for (size_t i = 0; i < message->piece_count; i++) {
		buf_add_span(out, message->pieces[i]);
		if (*headers_only && buf_len(out) > 0 &&
		    memmem(out->mem, buf_len(out), "\r\n\r\n", 4) != NULL)
			break;
	}
	end = buf_len(out) > 0 ? memmem(out->mem, buf_len(out), "\r\n\r\n", 4) : NULL;
	if (*headers_only && end != NULL)
		out->end = (size_t)(end - out->mem) + 2;
	return !out->failed;
}

struct texts {
	struct buf original;
	char (*diagnostics)[OUTCOME_TEXT_MAX + 64];
	struct dsn_recipient *recipients;
	size_t count;
};

static void
texts_free(struct texts *t)
{
	buf_free(&t->original);
	free(t->diagnostics);
	free(t->recipients);
}

static enum rc
fill_recipients(struct texts *t, const struct message *message,
    const struct bounce_recipient *recipients, size_t count)
{
	t->diagnostics = calloc(count, sizeof *t->diagnostics);
	t->recipients = calloc(count, sizeof *t->recipients);
	if (t->diagnostics == NULL || t->recipients == NULL)
		return RC_LATER;
	for (size_t i = 0; i < count; i++) {
		const struct bounce_recipient *r = &recipients[i];
		const struct message_recipient *to = &message->recipients[r->index];
		char *text = t->diagnostics[t->count];
		size_t prefix;

		if (!wants_report(message, r->index))
			continue;
		prefix = (size_t)snprintf(text, sizeof *t->diagnostics, "smtp; ");
		outcome_diagnostic(r->outcome, text + prefix, sizeof *t->diagnostics - prefix);
		t->recipients[t->count++] = (struct dsn_recipient){ .address = span_of(to->address),
			.orcpt = span_of(to->orcpt),
			.status = r->outcome->status,
			.diagnostic = span_of(text),
			.remote_mta = r->outcome->remote ? span_of(r->host) : SPAN_EMPTY };
	}
	return RC_OK;
}

static enum rc
wrap(const struct message *message, const struct message_id *id, struct buf *text,
    struct message **out)
{
	struct message *m = message_new();
	size_t len = buf_len(text);
	char *bytes = buf_steal(text);
	enum rc rc = m != NULL && bytes != NULL ? RC_OK : RC_LATER;

	if (m == NULL || bytes == NULL || message_own(m, bytes) != RC_OK) {
		if (m == NULL)
			free(bytes);
		message_unref(m);
		return RC_LATER;
	}
	m->id = *id;
	m->accepted_ms = clock_wall_ms();
	m->notice = true;
	m->has_8bit = message->has_8bit;
	m->pieces = calloc(1, sizeof *m->pieces);
	if (m->pieces == NULL)
		rc = RC_LATER;
	else
		m->pieces[0] = span_make(bytes, len);
	m->piece_count = m->pieces != NULL ? 1 : 0;
	m->size = len;
	if (rc == RC_OK)
		rc = message_set(&m->account, span_of(message->account));
	if (rc == RC_OK)
		rc = message_add_recipient(m, span_of(message->sender), SPAN_EMPTY, 0);
	if (rc != RC_OK) {
		message_unref(m);
		return rc;
	}
	*out = m;
	return RC_OK;
}

enum rc
bounce_make(const struct config *config, const struct message *message,
    const struct bounce_recipient *recipients, size_t count, struct message **out, struct why *why)
{
	struct texts t = { .original = BUF_EMPTY };
	char from[320], new_id[400], id_text[MESSAGE_ID_LEN + 1], old_id[MESSAGE_ID_LEN + 1];
	struct buf text = BUF_EMPTY;
	struct message_id id;
	uint8_t random[16];
	struct dsn dsn;
	bool headers_only = false;
	enum rc rc;

	*out = NULL;
	if (message->sender[0] == '\0' || message->notice)
		return why_set(why, RC_DENY, 0, "no report: the sender is null");
	rc = fill_recipients(&t, message, recipients, count);
	if (rc == RC_OK && t.count == 0) {
		texts_free(&t);
		return why_set(why, RC_DENY, 0, "no report: the sender asked for none");
	}
	crypto_random(random, sizeof random);
	message_id_make(
	    message_id_region_prefix(span_of(config->region)), clock_wall_ms(), random, &id);
	message_id_format(&id, id_text);
	message_id_format(&message->id, old_id);
	(void)snprintf(from, sizeof from, "MAILER-DAEMON@%s", config->provider_domain);
	(void)snprintf(new_id, sizeof new_id, "%s@%s", id_text, config->provider_domain);
	if (rc == RC_OK && !original_text(message, &t.original, &headers_only))
		rc = RC_LATER;
	if (rc == RC_OK) {
		dsn = (struct dsn){ .reporting_mta = span_of(config->hostname),
			.from = span_of(from),
			.to = span_of(message->sender),
			.message_id = span_of(new_id),
			.original_id = span_of(old_id),
			.envid = span_of(message->envid),
			.now_s = clock_wall_ms() / 1000,
			.arrival_s = message->accepted_ms / 1000,
			.recipients = t.recipients,
			.count = t.count,
			.original = buf_span(&t.original),
			.headers_only = headers_only };
		rc = dsn_build(&dsn, &text);
	}
	if (rc == RC_OK)
		rc = wrap(message, &id, &text, out);
	buf_free(&text);
	texts_free(&t);
	return rc == RC_OK ? RC_OK : why_set(why, RC_LATER, 0, "out of memory for a report");
}
