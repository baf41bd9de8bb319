/* submit/body.c - the body of a composed message, wherever it is: read in order and piece by piece; moved to a file. */
#include "config.h"

#include "submit/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/fsutil.h"

enum {
	BODY_CHUNK = 256 * 1024
};

enum rc
body_begin(struct body_reader *reader, const struct message *message)
{
	*reader = (struct body_reader){ .message = message };
	if (message->file_fd < 0)
		return RC_OK;
	reader->chunk = malloc(BODY_CHUNK);
	return reader->chunk != NULL ? RC_OK : RC_LATER;
}

enum rc
body_next(void *arg, struct span *piece, struct why *why)
{
	struct body_reader *r = arg;
	const struct message *m = r->message;
	ssize_t n;

	*piece = SPAN_EMPTY;
	if (m->file_fd < 0) {
		if (!r->memory_given && m->piece_count > 2)
			*piece = m->pieces[2];
		r->memory_given = true;
		return RC_OK;
	}
	if (r->file_at >= m->file_size)
		return RC_OK;
	do
		n = pread(m->file_fd, r->chunk,
		    m->file_size - r->file_at < BODY_CHUNK ? (size_t)(m->file_size - r->file_at)
							   : BODY_CHUNK,
		    (off_t)(m->file_at + r->file_at));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return why_errno(why, n < 0 ? errno : EIO, "large message");
	r->file_at += (uint64_t)n;
	*piece = span_make(r->chunk, (size_t)n);
	return RC_OK;
}

void
body_end(struct body_reader *reader)
{
	free(reader->chunk);
	reader->chunk = NULL;
}

/* ------------------------------------------------------------------ into a file -------------- */

bool
body_is_too_long(const struct submission *s)
{
	const struct message *m = s->message;

	return m->file_fd < 0 && m->piece_count > 2 &&
	       m->pieces[2].len > (size_t)s->config->spool.memory_body_bytes;
}

enum rc
body_spill(struct submission *s, struct why *why)
{
	struct message *m = s->message;
	struct span body = m->pieces[2];
	char name[SPOOL_LARGE_NAME];
	int fd = spool_large_create(s->submit->options.spool, name, why);
	enum rc rc = fd >= 0 ? fsutil_write_all(fd, body.p, body.len, why) : RC_LATER;

	if (rc == RC_OK)
		rc = message_set(&m->file_name, span_of(name));
	if (rc != RC_OK) {
		if (fd >= 0) {
			(void)close(fd);
			spool_large_discard(s->submit->options.spool, name);
		}
		return rc;
	}
	(void)span_copy(span_of(name), s->file_name, sizeof s->file_name);
	m->file_fd = fd;
	m->file_at = 0;
	m->file_size = body.len;
	m->pieces[2] = SPAN_EMPTY;
	m->piece_count = 2;
	message_disown(m, body.p);
	return RC_OK;
}
