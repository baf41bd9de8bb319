/* smtp/data.c - DATA: takes the content in, in memory first, into a file when it is large, and hands it over.
 *
 * Always true: the content is read to its true end whatever is wrong with it, so the session stays in step; memory
 * held is at most spool.memory_body (or the header, when that is longer) and one chunk. */
#include "config.h"

#include "smtp/internal.h"

#include <stdlib.h>

enum {
	SPILL_CHUNK = 256 * 1024,
	SLICES = 64
};

void
session_on_data(struct session *session, const struct command *command, struct buf *out)
{
	if (command->arg.len > 0) {
		session_error(session, out, 501, "Syntax error (no parameters allowed)");
		return;
	}
	dot_decoder_init(&session->dots);
	session->idle_commands = 0;
	session_set_state(session, STATE_DATA);
	session_reply(session, out, 354, "End data with <CR><LF>.<CR><LF>");
}

static bool
reserve(struct session *session, size_t len)
{
	enum {
		STEP = 64 * 1024
	};
	int64_t want = (int64_t)((buf_len(&session->mail->body) + len + STEP - 1) / STEP * STEP);

	if (want <= session->budget)
		return true;
	if (!session->options.host->budget(session->options.arg, want - session->budget))
		return false;
	session->budget = want;
	return true;
}

/* Whether the empty line behind the header is among the first bytes kept, of which those up to `from` are known. */
static bool
has_empty_line(const struct buf *body, size_t from)
{
	struct span rest = span_skip(buf_span(body), from > 3 ? from - 3 : 0);

	return span_starts(buf_span(body), SPAN_LIT("\r\n")) ||
	       memmem(rest.p, rest.len, "\r\n\r\n", 4) != NULL;
}

static void
keep_in_memory(struct session *session, struct span slice)
{
	if (!reserve(session, slice.len)) {
		session->spill_failed = true;
		return;
	}
	buf_add_span(&session->mail->body, slice);
	session->spill_failed |= session->mail->body.failed;
}

/* The file gets everything from the beginning. What is kept of it in memory has to hold the header whole: a header cut
 * in two would leave with its second half as text. */
static void
keep_in_file(struct session *session, struct span slice)
{
	struct buf *body = &session->mail->body;
	size_t before = buf_len(body);

	if (!session->spilled) {
		buf_add_span(&session->pending, buf_span(body));
		session->spilled = true;
		session->header_kept = has_empty_line(body, 0);
	}
	buf_add_span(&session->pending, slice);
	session->spill_failed |= session->pending.failed;
	if (session->header_kept || before > HEADER_BLOCK_MAX + 4)
		return; /* longer than any header may be: it is refused as it is */
	keep_in_memory(session, slice);
	session->header_kept = has_empty_line(body, before);
}

/* The message will be refused for good: nothing of it need be kept, and no trouble of ours matters any more. */
static bool
is_refused(const struct session *session)
{
	return session->mail->too_long || session->dots.fault != DOT_FAULT_NONE;
}

static void
keep(struct session *session, struct span slice)
{
	struct submission *s = session->mail;
	uint64_t limit = (uint64_t)session->config->spool.memory_body_bytes;

	if (session->dots.size > (uint64_t)session->config->smtp.max_message_bytes)
		s->too_long = true;
	if (is_refused(session) || session->spill_failed)
		return; /* read on to the end, but keep nothing */
	if (session->spilled || buf_len(&s->body) + slice.len > limit)
		keep_in_file(session, slice);
	else
		keep_in_memory(session, slice);
}

static void
hand_over(struct session *session)
{
	struct submission *s = session->mail;

	s->size = session->dots.size;
	s->has_8bit = session->dots.has_8bit;
	s->longest_line = session->dots.longest_line;
	s->fault = session->dots.fault;
	s->fault_at = session->dots.fault_at;
	session->mail = NULL;
	session_set_state(session, STATE_STORE);
	session->want = SESSION_WAIT;
	session->options.host->submit(session->options.arg, s);
}

static void
refuse_for_memory(struct session *session, struct buf *out)
{
	session_end_mail(session);
	session_set_state(session, STATE_READY);
	session_reply(session, out, 452, "4.3.1 Insufficient system storage");
}

/* All content is there: write what still waits for the file, then hand over. */
static void
content_complete(struct session *session, struct buf *out)
{
	if (session->spill_failed && !is_refused(session)) {
		refuse_for_memory(session, out);
		return;
	}
	if (session->spilled && buf_len(&session->pending) > 0 && !is_refused(session)) {
		session->content_over = true;
		session->want = SESSION_WAIT;
		session->options.host->spill(
		    session->options.arg, session->mail, &session->pending);
		return;
	}
	hand_over(session);
}

size_t
session_data_bytes(struct session *session, struct span in, struct buf *out)
{
	struct span slices[SLICES];
	size_t total = 0, count, used;
	enum rc rc;

	do { /* the decoder may hand out a slice it held back without taking a byte */
		rc =
		    dot_decode(&session->dots, span_skip(in, total), slices, SLICES, &count, &used);
		for (size_t i = 0; i < count; i++)
			keep(session, slices[i]);
		total += used;
	} while (rc == RC_MORE && (used > 0 || count > 0) && total < in.len &&
		 buf_len(&session->pending) < SPILL_CHUNK);
	if (rc == RC_OK) {
		content_complete(session, out);
	} else if (buf_len(&session->pending) >= SPILL_CHUNK && !is_refused(session) &&
		   !session->spill_failed) {
		session->want = SESSION_WAIT;
		session->options.host->spill(
		    session->options.arg, session->mail, &session->pending);
	}
	return total;
}

void
session_spill_result(struct session *session, enum rc rc, struct buf *out)
{
	session->want = SESSION_READ;
	buf_clear(&session->pending);
	if (rc != RC_OK)
		session->spill_failed = true;
	if (session->content_over)
		content_complete(session, out);
}

void
session_submit_result(struct session *session, struct submission *s, struct buf *out)
{
	char id[MESSAGE_ID_LEN + 1];

	session->want = SESSION_READ;
	session_end_mail(session);
	session_set_state(session, STATE_READY);
	if (s->rc == RC_OK) {
		message_id_format(&s->id, id);
		session->errors = 0;
		session_reply(session, out, 250, "Ok %s", id);
	} else {
		session_reply_why(session, out, &s->why);
	}
}
