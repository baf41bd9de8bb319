/* submit/compose.c - the message as it will leave: which fields go, change and come; the body is never touched. */
#include "config.h"

#include "submit/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/date.h"
#include "mail/rewrite.h"
#include "util/clock.h"
#include "util/crypto.h"

/* Never delivered: requests to us, what recipients must not see, what only the last hop may write. */
static bool
is_dropped(struct span name, bool ses)
{
	return ses_header_is_request(name) || span_ieq(name, SPAN_LIT("Bcc")) ||
	       span_ieq(name, SPAN_LIT("Return-Path")) || span_ieq(name, SPAN_LIT(HOP_FIELD)) ||
	       (ses && span_ieq(name, SPAN_LIT("Received")));
}

static void
put_field(struct rewrite *rewrite, const struct header *header, struct span name, struct span text,
    bool replace)
{
	for (size_t i = 0; i < header->count; i++)
		if (span_ieq(header->fields[i].name, name)) {
			if (replace)
				rewrite_replace(rewrite, i, text);
			return;
		}
	rewrite_add_back(rewrite, text);
}

static uint64_t
hops(const struct header *header)
{
	const struct header_field *field = header_find(header, SPAN_LIT(HOP_FIELD));
	uint64_t count = 0;

	if (field != NULL && !span_uint(span_trim(field->value), HOPS_MAX, &count))
		count = HOPS_MAX;
	return count;
}

static struct span
tag_value(const struct submission *s, struct span name)
{
	for (size_t i = 0; i < s->ses.tag_count; i++)
		if (span_eq(s->ses.tags[i].name, name))
			return s->ses.tags[i].value;
	return SPAN_EMPTY;
}

enum {
	FEEDBACK_MAX = 100000 /* pairs of account and identity that are remembered */
};

struct feedback {
	char hash[CRYPTO_BASE64_LEN(SHA256_LEN)];
	char subject[];
};

void
compose_forget(struct submit *submit)
{
	MAP_FOREACH (slot, &submit->feedback)
		free(slot->value);
	map_free(&submit->feedback);
}

/* Stands for account and identity and tells nothing else; the same in all their messages. NULL: out of memory. */
static const char *
feedback_hash(struct submit *submit, const struct submission *s, const struct identity *identity)
{
	const char *name = identity != NULL ? identity->name : "";
	size_t size = strlen(s->account) + strlen(name) + 2;
	unsigned char digest[SHA256_LEN];
	char subject[1024];
	struct feedback *f;

	if (size > sizeof subject)
		return NULL;
	(void)snprintf(subject, size, "%s/%s", s->account, name);
	f = map_get(&submit->feedback, span_of(subject));
	if (f != NULL)
		return f->hash;
	if (submit->feedback.len >= FEEDBACK_MAX)
		compose_forget(submit);
	f = malloc(sizeof *f + size);
	if (f == NULL)
		return NULL;
	memcpy(f->subject, subject, size);
	if (crypto_hmac_sha256(submit->options.secret, span_of(subject), digest) != RC_OK) {
		free(f);
		return NULL;
	}
	(void)crypto_base64(span_make((const char *)digest, sizeof digest), f->hash);
	if (map_put(&submit->feedback, span_of(f->subject), f) != RC_OK) {
		free(f);
		return NULL;
	}
	return f->hash;
}

/* "A:B:1.REGION.HASH:VENDOR". */
static enum rc
add_feedback_id(struct submit *submit, struct submission *s, const struct identity *identity,
    struct rewrite *rewrite)
{
	const struct config *config = submit->config;
	struct span a = tag_value(s, SPAN_LIT("ses:feedback-id-a"));
	struct span b = tag_value(s, SPAN_LIT("ses:feedback-id-b"));
	const char *hash;
	char text[1024];

	if (header_find(&s->header, SPAN_LIT("Feedback-ID")) != NULL)
		return RC_OK;
	hash = feedback_hash(submit, s, identity);
	if (hash == NULL)
		return RC_LATER;
	(void)snprintf(text, sizeof text, "Feedback-ID: %.*s:%.*s:1.%s.%s:%s\r\n", SPAN_ARG(a),
	    SPAN_ARG(b), config->region, hash, config->vendor);
	rewrite_add_back(rewrite, span_of(text));
	return RC_OK;
}

static void
add_received(const struct submit *submit, const struct submission *s, const char *id,
    const char *date, struct rewrite *rewrite)
{
	char text[1024];
	/* RFC 3848. */
	const char *with = s->mechanism[0] == '\0' ? "local" : s->tls ? "ESMTPSA" : "ESMTPA";

	(void)snprintf(text, sizeof text,
	    "Received: from %s\r\n\tby %s (postrider) with %s id %s;\r\n\t%s\r\n", s->client,
	    submit->config->hostname, with, id, date);
	rewrite_add_front(rewrite, span_of(text));
}

static enum rc
edit(struct submit *submit, struct submission *s, const struct identity *identity, bool ses,
    struct rewrite *rewrite)
{
	char id[MESSAGE_ID_LEN + 1], date[MAIL_DATE_LEN], text[1024];
	const struct header *header = &s->header;

	message_id_format(&s->id, id);
	mail_date_format(clock_wall_ms() / 1000, date);
	for (size_t i = 0; i < header->count; i++)
		if (is_dropped(header->fields[i].name, ses))
			rewrite_drop(rewrite, i);
	(void)snprintf(
	    text, sizeof text, "Message-ID: <%s@%s>\r\n", id, submit->config->provider_domain);
	put_field(rewrite, header, SPAN_LIT("Message-ID"), span_of(text), ses);
	(void)snprintf(text, sizeof text, "Date: %s\r\n", date);
	put_field(rewrite, header, SPAN_LIT("Date"), span_of(text), ses);
	(void)snprintf(
	    text, sizeof text, HOP_FIELD ": %llu\r\n", (unsigned long long)hops(header) + 1);
	rewrite_add_back(rewrite, span_of(text));
	if (!ses)
		add_received(submit, s, id, date, rewrite);
	return add_feedback_id(submit, s, identity, rewrite);
}

/* The new header in one run of bytes with the empty line; it is small, and one piece keeps the rest simple. */
static enum rc
new_header(struct submit *submit, struct submission *s, const struct identity *identity, bool ses,
    struct buf *out)
{
	struct rewrite rewrite;
	struct span *pieces = NULL;
	size_t count = 0;
	enum rc rc = rewrite_init(&rewrite, &s->header);

	if (rc == RC_OK)
		rc = edit(submit, s, identity, ses, &rewrite);
	if (rc == RC_OK)
		rc = rewrite_pieces(&rewrite, &pieces, &count);
	for (size_t i = 0; rc == RC_OK && i < count; i++)
		buf_add_span(out, pieces[i]);
	buf_addf(out, "\r\n");
	free(pieces);
	rewrite_free(&rewrite);
	return rc == RC_OK && out->failed ? RC_LATER : rc;
}

/* Tags of the set, but for names that the message has. */
static bool
add_set_tags(const struct submission *s, const struct config_set *set, struct message *m)
{
	bool ok = true;

	for (size_t i = 0; ok && set != NULL && i < set->tag_count; i++) {
		struct span value = span_of(set->tags[i]), name;

		if (span_next(&value, '=', &name) && tag_value(s, name).p == NULL)
			ok = message_add_tag(m, name, value) == RC_OK;
	}
	return ok;
}

static enum rc
copy_envelope(struct submission *s, const struct config_set *set, const struct identity *identity,
    struct message *m)
{
	bool ok =
	    message_set(&m->account, span_of(s->account)) == RC_OK &&
	    message_set(&m->credential, span_of(s->credential)) == RC_OK &&
	    message_set(&m->sender, span_of(s->sender)) == RC_OK &&
	    message_set(&m->return_path, span_of(s->sender)) == RC_OK &&
	    message_set(&m->client, span_of(s->client)) == RC_OK &&
	    message_set(&m->envid, span_of(s->envid != NULL ? s->envid : "")) == RC_OK &&
	    message_set(&m->configuration_set, span_of(set != NULL ? set->name : "")) == RC_OK &&
	    message_set(&m->identity, span_of(identity != NULL ? identity->name : "")) == RC_OK;

	for (size_t i = 0; ok && i < s->recipient_count; i++) {
		const struct submission_recipient *r = &s->recipients[i];

		ok = message_add_recipient(m, span_of(r->address),
			 span_of(r->orcpt != NULL ? r->orcpt : ""), r->notify) == RC_OK;
	}
	for (size_t i = 0; ok && i < s->ses.tag_count; i++)
		ok = message_add_tag(m, s->ses.tags[i].name, s->ses.tags[i].value) == RC_OK;
	ok = ok && add_set_tags(s, set, m);
	m->ret = s->ret;
	if (set != NULL) {
		m->max_age_ms = set->max_delivery_ms;
		m->tls = (int)set->tls;
	}
	return ok ? RC_OK : RC_LATER;
}

/* Pieces: [0] is kept for the signature, [1] the header, [2] the body when it is in memory. */
static enum rc
move_content(struct submission *s, struct buf *header, struct message *m)
{
	struct span body = span_skip(buf_span(&s->body), s->header.body_at);
	size_t header_len = buf_len(header);
	char *header_bytes = buf_steal(header);

	if (header_bytes == NULL || message_own(m, header_bytes) != RC_OK)
		return RC_LATER;
	m->pieces = calloc(3, sizeof *m->pieces);
	if (m->pieces == NULL)
		return RC_LATER;
	m->pieces[0] = SPAN_EMPTY;
	m->pieces[1] = span_make(header_bytes, header_len);
	m->piece_count = 2;
	m->size = header_len;
	if (s->file_fd >= 0) {
		m->file_name = span_dup(span_of(s->file_name));
		if (m->file_name == NULL)
			return RC_LATER;
		m->file_fd = s->file_fd;
		m->file_at = s->header.body_at;
		m->file_size = s->size - s->header.body_at;
		m->size += m->file_size;
		s->file_fd = -1;
		return RC_OK;
	}
	if (message_own(m, s->body.mem) != RC_OK) {
		buf_init(&s->body, 0);
		return RC_LATER;
	}
	buf_init(&s->body, 0);
	m->pieces[m->piece_count++] = body;
	m->size += body.len;
	return RC_OK;
}

enum rc
compose(struct submit *submit, struct submission *s, const struct config_set *set,
    const struct identity *identity, struct message **out, struct why *why)
{
	const struct account *account = account_find(submit->options.accounts, s->account);
	bool ses = account == NULL || account_settings(account)->profile == PROFILE_SES;
	struct message *m = message_new();
	struct buf header = BUF_EMPTY;
	uint8_t random[16];
	enum rc rc = m != NULL ? RC_OK : RC_LATER;

	crypto_random(random, sizeof random);
	message_id_make(message_id_region_prefix(span_of(submit->config->region)),
	    account_charge_ms(s->charge), random, &s->id);
	if (rc == RC_OK)
		rc = new_header(submit, s, identity, ses, &header);
	if (rc == RC_OK)
		rc = copy_envelope(s, set, identity, m);
	if (rc == RC_OK) {
		m->id = s->id;
		m->accepted_ms = message_id_time_ms(&s->id);
		if (account_charge_wait_ms(s->charge) > 0)
			m->not_before_ms = m->accepted_ms + account_charge_wait_ms(s->charge);
		m->has_8bit = s->has_8bit;
		rc = move_content(s, &header, m);
	}
	buf_free(&header);
	if (rc != RC_OK) {
		message_unref(m);
		return why_set(why, RC_LATER, 451, "Temporary service failure");
	}
	*out = m;
	return RC_OK;
}

enum rc
compose_add_signature(struct message *m, struct buf *signature)
{
	size_t len = buf_len(signature);
	char *bytes = buf_steal(signature);

	if (bytes == NULL || message_own(m, bytes) != RC_OK)
		return RC_LATER;
	m->pieces[0] = span_make(bytes, len);
	m->size += len;
	return RC_OK;
}
