/* fuzz/fuzz_milter.c - whatever a milter sends: the same result however it is cut, and one that can stand in a message. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "filter/milter.h"

#define HEADER "From: a@b\r\nSubject: x\r\n y\r\nX-A: 1\r\nX-A: 2\r\n"

enum {
	MAX_BODY = 1000
};

static const char *const recipients[] = { "r1@d", "r2@d" };
static const struct filter_envelope envelope = { .hostname = "mx",
	.daemon_name = "sub",
	.id = "ID",
	.client_name = "host",
	.client_address = "2001:db8::1",
	.auth_user = "KEY",
	.auth_type = "PLAIN",
	.sender = "",
	.recipients = recipients,
	.recipient_count = 2 };

static void
serve(struct milter *m, size_t *chunks, struct buf *out)
{
	while (milter_wants_chunk(m)) {
		MUST(*chunks <= 2);
		milter_chunk(m, (*chunks)++ < 2 ? SPAN_LIT("text\r\n") : SPAN_EMPTY, out);
	}
}

static void
talk(struct span in, size_t piece, struct milter *m, struct buf *out)
{
	size_t chunks = 0;

	MUST(milter_begin(m, &envelope, SPAN_LIT(HEADER), MAX_BODY, out) == RC_OK);
	for (size_t at = 0; at < in.len && m->state != MILTER_OVER;) {
		size_t end = at + piece < in.len ? at + piece : in.len;

		milter_feed(m, span_first(span_skip(in, at), end - at), out);
		serve(m, &chunks, out);
		at = end;
	}
	milter_closed(m, "lost");
}

static void
check_result(const struct milter *m)
{
	const struct filter_result *r = &m->result;
	struct header header;

	MUST(m->state == MILTER_OVER);
	MUST(strlen(r->text) < sizeof r->text && strpbrk(r->text, "\r\n") == NULL);
	MUST((r->verdict == FILTER_REFUSE) == (r->code >= 400 && r->code < 600));
	MUST(r->code != 421);
	MUST(r->verdict == FILTER_PASS || (r->header == NULL && r->body == NULL));
	if (r->header != NULL) {
		MUST(header_scan(buf_span(r->header), &header, NULL) == RC_OK);
		MUST(header.body_at == buf_len(r->header)); /* no empty line */
		MUST(header_find(&header, SPAN_LIT("From")) != NULL);
		header_free(&header);
	}
	if (r->body != NULL) {
		struct span body = buf_span(r->body);

		MUST(body.len <= MAX_BODY + 2);
		for (size_t i = 0; i < body.len; i++) {
			MUST(body.p[i] != '\0');
			MUST(body.p[i] != '\r' || (i + 1 < body.len && body.p[i + 1] == '\n'));
			MUST(body.p[i] != '\n' || (i > 0 && body.p[i - 1] == '\r'));
		}
	}
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || span_eq(buf_span(a), buf_span(b)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make((const char *)data, size);
	struct milter bytes, pairs;
	struct buf said_bytes = BUF_EMPTY, said_pairs = BUF_EMPTY;

	talk(in, 1, &bytes, &said_bytes);
	talk(in, 2, &pairs, &said_pairs);
	check_result(&bytes);
	check_result(&pairs);
	MUST(bytes.result.verdict == pairs.result.verdict);
	MUST(strcmp(bytes.result.text, pairs.result.text) == 0);
	MUST(same(bytes.result.header, pairs.result.header));
	MUST(same(bytes.result.body, pairs.result.body));
	MUST(span_eq(buf_span(&said_bytes), buf_span(&said_pairs)));
	milter_free(&bytes);
	milter_free(&pairs);
	buf_free(&said_bytes);
	buf_free(&said_pairs);
	return 0;
}
