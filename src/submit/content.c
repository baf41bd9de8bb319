/* submit/content.c - refuses attachments by the ends of their names, as SES does.
 *
 * A body in memory is looked at on the connection loop: 1 MiB takes a fraction of a millisecond, and a message without
 * parts is not looked at at all. One in a file is read by a worker. */
#include "config.h"

#include "submit/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mail/attachment.h"

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
