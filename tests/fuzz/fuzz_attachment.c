/* fuzz/fuzz_attachment.c - the names are the same however the message is cut, and bounded by its size. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "mail/attachment.h"

struct result {
	enum rc rc;
	struct buf names;
	size_t count;
};

static enum rc
on_name(void *arg, struct span name, struct why *why)
{
	struct result *result = arg;
	static char exe[] = "exe", com[] = "com";
	char *const extensions[] = { exe, com };

	(void)why;
	buf_add_span(&result->names, name);
	buf_add_char(&result->names, '\n');
	result->count++;
	if (attachment_has_extension(name, extensions, 2))
		MUST(name.len >= 4 && memchr(name.p, '.', name.len) != NULL);
	return RC_OK;
}

static void
scan(struct span message, const struct header *header, size_t piece, struct result *out)
{
	struct attachment_scan scan;
	struct why why = WHY_EMPTY;

	*out = (struct result){ .names = BUF_EMPTY };
	out->rc = attachment_begin(&scan, header, on_name, out, &why);
	for (size_t at = header->body_at; at < message.len && out->rc == RC_OK; at += piece)
		out->rc = attachment_feed(&scan, span_first(span_skip(message, at), piece), &why);
	if (out->rc == RC_OK)
		out->rc = attachment_end(&scan, &why);
	MUST(out->rc == RC_OK || (out->rc == RC_BAD && why.code == 554));
	attachment_free(&scan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = span_make((const char *)data, size);
	struct result whole, bytes, pieces;
	struct header header;

	if (header_scan(message, &header, NULL) != RC_OK)
		return 0;
	scan(message, &header, size + 1, &whole);
	scan(message, &header, 1, &bytes);
	scan(message, &header, 7, &pieces);
	MUST(whole.rc == bytes.rc && whole.rc == pieces.rc);
	MUST(span_eq(buf_span(&whole.names), buf_span(&bytes.names)));
	MUST(span_eq(buf_span(&whole.names), buf_span(&pieces.names)));
	MUST(whole.count <= 4 * size);
	buf_free(&whole.names);
	buf_free(&bytes.names);
	buf_free(&pieces.names);
	header_free(&header);
	return 0;
}
