/* filter/clamd.c - one message through clamd's INSTREAM: "zINSTREAM", chunks with their length in front, a length of zero;
 * then one reply that ends in a NUL: "stream: OK", "stream: NAME FOUND", or "... ERROR".
 * Always true: only "OK" behind the whole message is clean; what is not understood is a failure. */
#include "config.h"

#include "filter/clamd.h"

#include "util/log.h"

void
clamd_begin(struct clamd *clamd, struct buf *out)
{
	*clamd = (struct clamd){ .state = CLAMD_STREAM };
	buf_add(out, "zINSTREAM", sizeof "zINSTREAM");
}

static void
add_length(size_t len, struct buf *out)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_add_char(out, (char)(len >> shift & 0xff));
}

void
clamd_chunk(struct clamd *clamd, struct span bytes, struct buf *out)
{
	if (clamd->state != CLAMD_STREAM || bytes.len == 0)
		return;
	add_length(bytes.len, out);
	buf_add_span(out, bytes);
}

void
clamd_end(struct clamd *clamd, struct buf *out)
{
	if (clamd->state != CLAMD_STREAM)
		return;
	add_length(0, out);
	clamd->state = CLAMD_REPLY;
}

static void
finish(struct clamd *clamd, enum clamd_state state, struct span text)
{
	clamd->state = state;
	(void)log_safe(text, clamd->text, sizeof clamd->text);
}

static void
judge(struct clamd *clamd)
{
	static const struct span head = SPAN_LIT("stream: "), found = SPAN_LIT(" FOUND");
	struct span reply = span_trim_lines(span_make(clamd->reply, clamd->reply_len));
	struct span rest = span_starts(reply, head) ? span_skip(reply, head.len) : SPAN_EMPTY;

	if (rest.len > found.len && span_eq(span_skip(rest, rest.len - found.len), found))
		finish(clamd, CLAMD_VIRUS, span_first(rest, rest.len - found.len));
	else if (span_eq(rest, SPAN_LIT("OK")) && clamd->state == CLAMD_REPLY)
		finish(clamd, CLAMD_CLEAN, SPAN_EMPTY);
	else
		finish(clamd, CLAMD_FAILED, reply);
}

void
clamd_feed(struct clamd *clamd, struct span in)
{
	size_t nul = span_find(in, '\0');

	if (clamd->state > CLAMD_REPLY)
		return;
	if (nul > sizeof clamd->reply - clamd->reply_len) {
		finish(clamd, CLAMD_FAILED, SPAN_LIT("reply is too long"));
		return;
	}
	memcpy(clamd->reply + clamd->reply_len, in.p, nul);
	clamd->reply_len += nul;
	if (nul < in.len)
		judge(clamd);
}

void
clamd_closed(struct clamd *clamd, const char *why)
{
	if (clamd->state <= CLAMD_REPLY)
		finish(clamd, CLAMD_FAILED, span_of(why));
}
