/* submit/content.c - what a message holds: refuses attachments by the ends of their names, as SES does, and has clamd look
 * for viruses.
 *
 * Names: a body in memory is looked at on the connection loop: 1 MiB takes a fraction of a millisecond, and a message without
 * parts is not looked at at all. One in a file is read by a worker. */
#include "config.h"

#include "submit/internal.h"

#include <errno.h>
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

/* ------------------------------------------------------------------ clamd --------------------- */

/* A filter could not be asked. True: the message is taken all the same. */
static bool
passes_unchecked(
    const struct submission *s, const char *name, const char *why, enum config_failure choice)
{
	bool passes = choice == FAILURE_ACCEPT && !s->submit->cut;
	char id[MESSAGE_ID_LEN + 1];

	message_id_format(&s->id, id);
	log_line(LOG_LEVEL_WARNING, "filter", "%s: %s: message-id=<%s> is %s", name, why, id,
	    passes ? "accepted unchecked" : "refused");
	return passes;
}

static void
on_clamd(void *arg, const struct filter_result *result)
{
	struct submission *s = arg;
	enum rc rc = RC_OK;

	if (result->verdict == FILTER_DROP) {
		s->dropped = true;
		(void)span_copy(span_first(span_of(result->text), sizeof s->found - 1), s->found,
		    sizeof s->found);
	} else if (result->verdict != FILTER_PASS &&
		   !passes_unchecked(s, "clamd", result->text, s->config->content.on_failure)) {
		rc = why_set(&s->why, RC_LATER, 451, "Temporary service failure");
	}
	s->content_done(s, rc);
}

void
content_ask(struct submission *s, void (*done)(struct submission *s, enum rc rc))
{
	const struct message *m = s->message;
	struct filter_message message = { m->pieces + 1, m->piece_count - 1, m->file_fd, m->file_at,
		m->file_size };

	s->content_done = done;
	if (s->config->content.clamd[0] == '\0')
		done(s, RC_OK);
	else if (filter_ask_clamd(s->submit->filters, s->config->content.clamd,
		     s->config->content.clamd_timeout_ms, &message, on_clamd, s) != RC_OK)
		done(s, why_set(&s->why, RC_LATER, 451, "Temporary service failure"));
}
