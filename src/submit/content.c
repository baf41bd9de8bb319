/* submit/content.c - what a message holds: refuses attachments by the ends of their names, as SES does, and shows it to
 * clamd and milters.
 *
 * Names: a body in memory is looked at on the connection loop: 1 MiB takes a fraction of a millisecond, and a message without
 * parts is not looked at at all. One in a file is read by a worker. */
#include "config.h"

#include "submit/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mail/attachment.h"
#include "util/log.h"

enum {
	NAME_SHOWN = 128,
	FILE_CHUNK = 256 * 1024
};

static enum rc
check_name(void *arg, struct span name, struct why *why)
{
	const struct config *config = arg;
	char shown[NAME_SHOWN + 1];
	size_t len = 0;

	if (!attachment_has_extension(
		name, config->content.blocked_extensions, config->content.blocked_extension_count))
		return RC_OK;
	for (; len < name.len && len < NAME_SHOWN; len++) /* a reply is ASCII */
		shown[len] = name.p[len] >= ' ' && name.p[len] < 0x7f ? name.p[len] : '?';
	shown[len] = '\0';
	return why_set(why, RC_DENY, 554, "Transaction failed: Illegal filename '%s'.", shown);
}

/* The file behind the header, up to its end. Blocks. */
static enum rc
feed_file(struct attachment_scan *scan, const struct submission *s, struct why *why)
{
	char *chunk = malloc(FILE_CHUNK);
	uint64_t at = s->header.body_at;
	enum rc rc = chunk != NULL ? RC_OK : RC_LATER;

	while (rc == RC_OK && at < s->size) {
		size_t want = s->size - at < FILE_CHUNK ? (size_t)(s->size - at) : FILE_CHUNK;
		ssize_t n = pread(s->file_fd, chunk, want, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			rc = why_errno(why, n < 0 ? errno : EIO, "large message");
			break;
		}
		rc = attachment_feed(scan, span_make(chunk, (size_t)n), why);
		at += (uint64_t)n;
	}
	free(chunk);
	return rc;
}

enum rc
content_check_names(struct submission *s, bool may_block, bool *again, struct why *why)
{
	struct attachment_scan scan;
	enum rc rc;

	*again = false;
	if (s->config->content.blocked_extension_count == 0)
		return RC_OK;
	rc = attachment_begin(&scan, &s->header, check_name, s->config, why);
	if (rc == RC_OK && attachment_in_body(&scan)) {
		if (s->file_fd < 0)
			rc = attachment_feed(
			    &scan, span_skip(buf_span(&s->body), s->header.body_at), why);
		else if (may_block)
			rc = feed_file(&scan, s, why);
		else
			*again = true;
	}
	if (rc == RC_OK && !*again)
		rc = attachment_end(&scan, why);
	attachment_free(&scan);
	return rc;
}

/* ------------------------------------------------------------------ clamd, milters ----------- */

/* A message that is shown around. */
struct showing {
	struct submission *s;
	void (*done)(struct submission *s, enum rc rc);
	size_t next; /* of the milters */
	struct filter_envelope envelope;
	const char **recipients;
	char id[MESSAGE_ID_LEN + 1];
	char client_name[256], client_address[64];
};

static void go_on(struct showing *showing);

static void
finish(struct showing *showing, enum rc rc)
{
	struct submission *s = showing->s;
	void (*done)(struct submission *, enum rc) = showing->done;

	free(showing->recipients);
	free(showing);
	done(s, rc);
}

static void
drop(struct showing *showing, const char *found)
{
	struct submission *s = showing->s;

	s->dropped = true;
	(void)span_copy(span_first(span_of(found), sizeof s->found - 1), s->found, sizeof s->found);
	finish(showing, RC_OK);
}

/* A filter could not be asked. */
static void
fail(struct showing *showing, const char *name, const char *why, enum config_failure choice)
{
	struct submission *s = showing->s;
	bool passes = choice == FAILURE_ACCEPT && !s->submit->cut;

	log_line(LOG_LEVEL_WARNING, "filter", "%s: %s: message-id=<%s> is %s", name, why,
	    showing->id, passes ? "accepted unchecked" : "refused");
	if (passes)
		go_on(showing);
	else if (choice == FAILURE_REJECT && !s->submit->cut)
		finish(showing, why_set(&s->why, RC_DENY, 554,
				    "Message rejected: The content cannot be checked."));
	else
		finish(showing, why_set(&s->why, RC_LATER, 451, "Temporary service failure"));
}

static void
on_clamd(void *arg, const struct filter_result *result)
{
	struct showing *showing = arg;

	if (result->verdict == FILTER_PASS)
		go_on(showing);
	else if (result->verdict == FILTER_DROP)
		drop(showing, result->text);
	else
		fail(showing, "clamd", result->text, showing->s->config->content.on_failure);
}

/* ---- a milter's changes ---- */

static enum rc
take_header(struct message *m, struct buf *header)
{
	size_t len;
	char *bytes;

	buf_addf(header, "\r\n");
	len = buf_len(header);
	bytes = buf_steal(header);
	if (bytes == NULL || message_own(m, bytes) != RC_OK)
		return RC_LATER;
	m->size = m->size - m->pieces[1].len + len;
	m->pieces[1] = span_make(bytes, len);
	return RC_OK;
}

/* The new body is in memory, wherever the old one was. */
static enum rc
take_body(struct submission *s, struct buf *body)
{
	struct message *m = s->message;
	size_t len = buf_len(body);
	char *bytes = NULL;

	if (len > 0) {
		bytes = buf_steal(body);
		if (bytes == NULL || message_own(m, bytes) != RC_OK)
			return RC_LATER;
	}
	if (m->file_fd >= 0) {
		(void)close(m->file_fd);
		spool_large_discard(s->submit->options.spool, s->file_name);
		s->file_name[0] = '\0';
		free(m->file_name);
		m->file_name = NULL;
		m->file_fd = -1;
		m->size -= m->file_size;
		m->file_at = m->file_size = 0;
	} else if (m->piece_count > 2) {
		m->size -= m->pieces[2].len;
		message_disown(m, m->pieces[2].p); /* when it was a milter's, too */
	}
	m->piece_count = 3; /* compose has made room for them */
	m->pieces[2] = len > 0 ? span_make(bytes, len) : SPAN_EMPTY;
	m->size += len;
	return RC_OK;
}

static bool
has_8bit(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return true;
	return false;
}

static enum rc
take_changes(struct submission *s, const struct filter_result *result)
{
	enum rc rc = RC_OK;

	if (result->header != NULL) {
		s->header_changed = true;
		rc = take_header(s->message, result->header);
		s->message->has_8bit |= has_8bit(s->message->pieces[1]);
	}
	if (rc == RC_OK && result->body != NULL) {
		rc = take_body(s, result->body);
		s->message->has_8bit |= rc == RC_OK && has_8bit(s->message->pieces[2]);
	}
	if (rc != RC_OK)
		(void)why_set(&s->why, RC_LATER, 451, "Temporary service failure");
	return rc;
}

static void
on_milter(void *arg, const struct filter_result *result)
{
	struct showing *showing = arg;
	struct submission *s = showing->s;
	const struct config_milter *milter = &s->config->content.milters[showing->next - 1];
	char found[600];
	enum rc rc;

	switch (result->verdict) {
	case FILTER_PASS:
		rc = take_changes(s, result);
		if (rc == RC_OK)
			go_on(showing);
		else
			finish(showing, rc);
		break;
	case FILTER_DROP:
		(void)snprintf(found, sizeof found, "%s: %s", milter->name, result->text);
		drop(showing, found);
		break;
	case FILTER_REFUSE:
		finish(showing, why_set(&s->why, result->code < 500 ? RC_LATER : RC_DENY,
				    result->code, "%s", result->text));
		break;
	case FILTER_FAILED:
		fail(showing, milter->name, result->text, milter->on_failure);
		break;
	}
}

/* ---- the order ---- */

static void
ask_milter(struct showing *showing)
{
	struct submission *s = showing->s;
	const struct config_milter *milter = &s->config->content.milters[showing->next++];
	const struct message *m = s->message;
	struct filter_message message = { m->pieces + 1, m->piece_count - 1, m->file_fd, m->file_at,
		m->file_size };
	enum rc rc;

	rc = filter_ask_milter(s->submit->filters, milter->address, milter->timeout_ms, &message,
	    &showing->envelope, (size_t)s->config->smtp.max_message_bytes, on_milter, showing);
	if (rc ==
	    RC_BAD) /* as full as it may be when it came, and with our fields beyond that: for good */
		fail(showing, milter->name, "the header is beyond what can be shown",
		    milter->on_failure == FAILURE_ACCEPT ? FAILURE_ACCEPT : FAILURE_REJECT);
	else if (rc != RC_OK)
		fail(showing, milter->name, "out of memory", FAILURE_TEMPFAIL);
}

static void
go_on(struct showing *showing)
{
	if (showing->next < showing->s->config->content.milter_count)
		ask_milter(showing);
	else
		finish(showing, RC_OK);
}

static void
ask_clamd(struct showing *showing)
{
	struct submission *s = showing->s;
	const struct message *m = s->message;
	struct filter_message message = { m->pieces + 1, m->piece_count - 1, m->file_fd, m->file_at,
		m->file_size };

	if (filter_ask_clamd(s->submit->filters, s->config->content.clamd,
		s->config->content.clamd_timeout_ms, &message, on_clamd, showing) != RC_OK)
		fail(showing, "clamd", "out of memory", FAILURE_TEMPFAIL);
}

/* "host.example[192.0.2.1]" */
static void
split_client(const char *client, struct showing *showing)
{
	struct span text = span_of(client);
	size_t open = span_find_last(text, '[');
	unsigned char bytes[sizeof(struct in6_addr)];

	if (!span_copy(span_first(text, open), showing->client_name, sizeof showing->client_name))
		(void)span_copy(
		    SPAN_LIT("unknown"), showing->client_name, sizeof showing->client_name);
	if (open < text.len && text.p[text.len - 1] == ']')
		(void)span_copy(span_first(span_skip(text, open + 1), text.len - open - 2),
		    showing->client_address, sizeof showing->client_address);
	if (inet_pton(AF_INET, showing->client_address, bytes) != 1 &&
	    inet_pton(AF_INET6, showing->client_address, bytes) != 1)
		showing->client_address[0] = '\0';
}

static struct showing *
new_showing(struct submission *s, void (*done)(struct submission *s, enum rc rc))
{
	struct showing *showing = calloc(1, sizeof *showing);

	if (showing == NULL)
		return NULL;
	showing->s = s;
	showing->done = done;
	showing->recipients = calloc(s->recipient_count + 1, sizeof *showing->recipients);
	if (showing->recipients == NULL) {
		free(showing);
		return NULL;
	}
	for (size_t i = 0; i < s->recipient_count; i++)
		showing->recipients[i] = s->recipients[i].address;
	message_id_format(&s->id, showing->id);
	split_client(s->client, showing);
	showing->envelope = (struct filter_envelope){ .hostname = s->config->hostname,
		.daemon_name = s->listener,
		.id = showing->id,
		.client_name = showing->client_name,
		.client_address = showing->client_address,
		.auth_user = s->credential,
		.auth_type = s->mechanism,
		.tls = s->tls,
		.sender = s->sender,
		.recipients = showing->recipients,
		.recipient_count = s->recipient_count };
	return showing;
}

void
content_ask(struct submission *s, void (*done)(struct submission *s, enum rc rc))
{
	bool has_clamd = s->config->content.clamd[0] != '\0';
	struct showing *showing;

	if (!has_clamd && s->config->content.milter_count == 0) {
		done(s, RC_OK);
		return;
	}
	showing = new_showing(s, done);
	if (showing == NULL)
		done(s, why_set(&s->why, RC_LATER, 451, "Temporary service failure"));
	else if (has_clamd)
		ask_clamd(showing);
	else
		go_on(showing);
}
