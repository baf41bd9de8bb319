/* fuzz/fuzz_reply.c - a reply is the same however the bytes come, what is kept of it is safe to print, and what is made of it
 * is all of a piece: a refusal has a class, and a status that says whether it is for good. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "util/buf.h"
#include "wire/outcome.h"
#include "wire/reply.h"

struct result {
	enum rc rc;
	size_t used;
	struct reply_parser parser;
	struct ehlo_offer offer;
	struct buf lines;
};

static void
note_line(void *arg, struct span text)
{
	struct result *result = arg;

	MUST(text.len <= REPLY_LINE_KEPT);
	buf_add_span(&result->lines, text);
	buf_add_char(&result->lines, '\n');
	ehlo_offer_line(&result->offer, text);
}

static void
feed(struct span in, size_t piece, struct result *out)
{
	*out = (struct result){ .rc = RC_MORE, .lines = BUF_EMPTY };
	reply_parser_init(&out->parser);
	while (out->rc == RC_MORE && out->used < in.len) {
		struct span part = span_first(span_skip(in, out->used), piece);
		size_t used;

		out->rc = reply_feed(&out->parser, part, &used, note_line, out);
		MUST(used <= part.len);
		MUST(out->rc != RC_MORE || used == part.len);
		out->used += used;
	}
}

static void
check_reply(const struct result *result)
{
	const struct reply *reply = &result->parser.reply;
	size_t len = strnlen(reply->text, sizeof reply->text);

	MUST(result->rc == RC_OK || result->rc == RC_MORE || result->rc == RC_BAD);
	MUST(len < sizeof reply->text);
	for (size_t i = 0; i < len; i++)
		MUST(reply->text[i] >= ' ' && reply->text[i] <= '~');
	MUST(strnlen(reply->status, sizeof reply->status) < sizeof reply->status);
	if (reply->status[0] != '\0')
		MUST(reply->status[0] - '0' == reply->code / 100);
	if (result->rc == RC_OK)
		MUST(reply->code >= 200 && reply->code <= 599);
	if (result->rc == RC_MORE)
		MUST(result->used <= REPLY_BYTES_MAX);
}

static void
check_outcome(const struct reply *reply, enum smtp_stage stage)
{
	struct outcome outcome = { .kind = OUTCOME_NONE }, of_host = { .kind = OUTCOME_NONE };
	bool good = reply->code < 300;
	char text[OUTCOME_TEXT_MAX + 32];

	outcome_from_reply(&outcome, stage, reply->code, reply->status, reply->text);
	outcome_of_host(&of_host, stage, reply->code, reply->status, reply->text);
	MUST((outcome.kind == OUTCOME_DELIVERED) == good);
	MUST(good || outcome.status[0] == (outcome.kind == OUTCOME_FAILED ? '5' : '4'));
	MUST(good == (outcome.failure == FAILURE_NONE));
	MUST(reply->code >= 500 || outcome.kind != OUTCOME_FAILED);
	MUST(good || (of_host.kind == OUTCOME_DEFERRED && of_host.failure == outcome.failure));
	outcome_format(&outcome, text, sizeof text);
	outcome_diagnostic(&outcome, text, sizeof text);
	if (outcome.kind != OUTCOME_DEFERRED)
		return;
	outcome_expire(&outcome, 840 * 60000, false);
	MUST(outcome.kind == OUTCOME_FAILED && outcome.failure != FAILURE_NONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make((const char *)data, size);
	struct result whole, bytes;

	feed(in, SIZE_MAX, &whole);
	feed(in, 1, &bytes);
	check_reply(&whole);
	for (int stage = 0; whole.rc == RC_OK && stage < SMTP_STAGES; stage++)
		check_outcome(&whole.parser.reply, (enum smtp_stage)stage);
	MUST(whole.rc == bytes.rc);
	MUST(whole.rc == RC_BAD || whole.used == bytes.used);
	MUST(memcmp(&whole.parser.reply, &bytes.parser.reply, sizeof whole.parser.reply) == 0);
	MUST(memcmp(&whole.offer, &bytes.offer, sizeof whole.offer) == 0);
	MUST(span_eq(buf_span(&whole.lines), buf_span(&bytes.lines)));
	buf_free(&whole.lines);
	buf_free(&bytes.lines);
	return 0;
}
