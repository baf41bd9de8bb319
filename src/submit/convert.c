/* submit/convert.c - makes a composed message 7-bit before it is signed, for content.eight_bit = "convert". Worker thread.
 *
 * The body is read twice, mail/sevenbit.h says why. A new one goes where the old one was, or into a file when it has grown
 * beyond spool.memory_body.
 *
 * Always true: on failure the message is what it was. */
#include "config.h"

#include "submit/internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "mail/sevenbit.h"
#include "util/fsutil.h"

enum {
	WRITE_CHUNK = 256 * 1024
};

bool
convert_is_wanted(const struct submission *s)
{
	return s->config->content.eight_bit == EIGHT_BIT_CONVERT && s->message->has_8bit;
}

static enum rc
make_plan(const struct message *m, struct sevenbit_plan *plan, struct why *why)
{
	struct sevenbit_scan *scan = malloc(sizeof *scan);
	struct body_reader reader;
	struct span piece;
	enum rc rc = body_begin(&reader, m);

	if (scan == NULL || rc != RC_OK) {
		free(scan);
		body_end(&reader);
		return RC_LATER;
	}
	sevenbit_scan_begin(scan, plan);
	rc = sevenbit_scan_feed(scan, m->pieces[1]);
	while (rc == RC_OK && (rc = body_next(&reader, &piece, why)) == RC_OK && piece.len > 0)
		rc = sevenbit_scan_feed(scan, piece);
	if (rc == RC_OK)
		rc = sevenbit_scan_end(scan);
	sevenbit_scan_free(scan);
	free(scan);
	body_end(&reader);
	return rc;
}

/* ------------------------------------------------------------------ the new body -------------- */

/* What has been converted: in memory, or the rest of what is in a file. */
struct converted {
	struct submit *submit;
	struct buf header, body;
	size_t memory_max;
	int fd; /* -1: none */
	uint64_t file_size;
	char file_name[SPOOL_LARGE_NAME];
};

static enum rc
write_out(struct converted *c, struct why *why)
{
	enum rc rc = RC_OK;

	if (c->body.failed)
		return RC_LATER;
	if (c->fd < 0)
		c->fd = spool_large_create(c->submit->options.spool, c->file_name, why);
	if (c->fd < 0)
		return RC_LATER;
	rc = fsutil_write_all(c->fd, buf_span(&c->body).p, buf_len(&c->body), why);
	c->file_size += buf_len(&c->body);
	buf_clear(&c->body);
	return rc;
}

static enum rc
keep(struct converted *c, struct why *why)
{
	size_t most = c->fd >= 0 ? WRITE_CHUNK : c->memory_max;

	if (buf_len(&c->body) > most || c->body.failed)
		return write_out(c, why);
	return RC_OK;
}

static enum rc
convert_all(
    const struct message *m, const struct sevenbit_plan *plan, struct converted *c, struct why *why)
{
	struct sevenbit_apply apply;
	struct body_reader reader;
	struct span piece;
	enum rc rc = body_begin(&reader, m);

	sevenbit_apply_begin(&apply, plan);
	sevenbit_apply_feed(&apply, m->pieces[1], &c->header);
	while (rc == RC_OK && (rc = body_next(&reader, &piece, why)) == RC_OK && piece.len > 0) {
		sevenbit_apply_feed(&apply, piece, &c->body);
		rc = keep(c, why);
	}
	body_end(&reader);
	sevenbit_apply_end(&apply, &c->body);
	if (rc == RC_OK && c->fd >= 0)
		rc = write_out(c, why);
	return c->header.failed || c->body.failed ? RC_LATER : rc;
}

/* ------------------------------------------------------------------ in its place -------------- */

/* As a piece of the message, which owns it then. */
static enum rc
steal(struct message *m, struct buf *bytes, struct span *piece)
{
	size_t len = buf_len(bytes);
	char *memory = buf_steal(bytes);

	if (memory == NULL || message_own(m, memory) != RC_OK)
		return RC_LATER;
	*piece = span_make(memory, len);
	return RC_OK;
}

static void
drop_old_file(struct submission *s)
{
	struct message *m = s->message;

	if (m->file_fd < 0)
		return;
	(void)close(m->file_fd);
	spool_large_discard(s->submit->options.spool, s->file_name);
	s->file_name[0] = '\0';
	free(m->file_name);
	m->file_name = NULL;
	m->file_fd = -1;
	m->file_at = m->file_size = 0;
}

static enum rc
take_over(struct submission *s, struct converted *c)
{
	struct message *m = s->message;
	bool in_file = c->fd >= 0;
	char *name = in_file ? span_dup(span_of(c->file_name)) : NULL;
	struct span header, body = SPAN_EMPTY;

	if ((in_file && name == NULL) || steal(m, &c->header, &header) != RC_OK ||
	    (!in_file && steal(m, &c->body, &body) != RC_OK)) {
		free(name);
		return RC_LATER;
	}
	drop_old_file(s);
	message_disown(m, m->pieces[1].p);
	if (m->piece_count > 2)
		message_disown(m, m->pieces[2].p);
	m->pieces[1] = header;
	m->pieces[2] = body;
	m->piece_count = in_file ? 2 : 3; /* compose has made room for them */
	m->size = header.len + body.len;
	if (in_file) {
		(void)span_copy(span_of(c->file_name), s->file_name, sizeof s->file_name);
		m->file_name = name;
		m->file_fd = c->fd;
		m->file_size = c->file_size;
		m->size += c->file_size;
		c->fd = -1;
	}
	return RC_OK;
}

enum rc
convert(struct submission *s, struct why *why)
{
	struct sevenbit_plan plan = { .edits = NULL };
	struct converted c = { .submit = s->submit,
		.header = BUF_EMPTY,
		.body = BUF_EMPTY,
		.memory_max = (size_t)s->config->spool.memory_body_bytes,
		.fd = -1 };
	enum rc rc = make_plan(s->message, &plan, why);

	if (rc == RC_OK && plan.count > 0)
		rc = convert_all(s->message, &plan, &c, why);
	if (rc == RC_OK && plan.count > 0)
		rc = take_over(s, &c);
	if (rc == RC_OK) {
		s->message->has_8bit = plan.remains;
		s->not_converted = plan.doubt;
	}
	if (c.fd >= 0) {
		(void)close(c.fd);
		spool_large_discard(s->submit->options.spool, c.file_name);
	}
	buf_free(&c.header);
	buf_free(&c.body);
	sevenbit_plan_free(&plan);
	return rc;
}
