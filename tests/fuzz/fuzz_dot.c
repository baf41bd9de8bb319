/* fuzz/fuzz_dot.c - content comes out the same however the input is cut, and survives the way out and in. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "wire/dot.h"

struct result {
	enum rc rc;
	size_t used;
	struct dot_decoder decoder;
	struct buf content;
};

static void
decode(struct span in, size_t piece, size_t max, struct result *out)
{
	struct span slices[8];

	*out = (struct result){ .rc = RC_MORE, .content = BUF_EMPTY };
	dot_decoder_init(&out->decoder);
	while (out->rc == RC_MORE && out->used < in.len) {
		struct span part = span_first(span_skip(in, out->used), piece);
		size_t count, used;

		out->rc = dot_decode(&out->decoder, part, slices, max, &count, &used);
		MUST(used <= part.len && count <= max && (used > 0 || count > 0));
		MUST(out->rc == RC_OK || used == part.len || count == max);
		for (size_t i = 0; i < count; i++)
			buf_add_span(&out->content, slices[i]);
		out->used += used;
	}
}

static void
check_same(const struct result *a, const struct result *b)
{
	MUST(a->rc == b->rc && a->used == b->used);
	MUST(span_eq(buf_span(&a->content), buf_span(&b->content)));
	MUST(a->decoder.fault == b->decoder.fault && a->decoder.fault_at == b->decoder.fault_at);
	MUST(a->decoder.size == b->decoder.size && a->decoder.has_8bit == b->decoder.has_8bit);
	MUST(a->decoder.longest_line == b->decoder.longest_line);
}

/* What the decoder says about the content is so. */
static void
check_content(const struct result *result)
{
	static const char marks[] = {
		[DOT_FAULT_BARE_CR] = '\r',
		[DOT_FAULT_BARE_LF] = '\n',
		[DOT_FAULT_NUL] = '\0',
	};
	struct span content = buf_span(&result->content);
	size_t lines = 0;

	MUST(result->decoder.size == content.len);
	if (result->decoder.fault != DOT_FAULT_NONE) {
		MUST(result->decoder.fault_at < content.len);
		MUST(content.p[result->decoder.fault_at] == marks[result->decoder.fault]);
		return;
	}
	MUST(span_find(content, '\0') == content.len);
	for (size_t i = 0; i < content.len; i++) {
		if (content.p[i] == '\n')
			MUST(i > 0 && content.p[i - 1] == '\r');
		lines += content.p[i] == '\n';
	}
	MUST(result->rc == RC_MORE || content.len == 0 || content.p[content.len - 1] == '\n');
	MUST(result->decoder.longest_line <= content.len - 2 * lines);
}

static void
check_round_trip(struct span content)
{
	struct dot_encoder encoder;
	struct buf wire = BUF_EMPTY, cut = BUF_EMPTY;
	struct result back;

	dot_encoder_init(&encoder);
	dot_encode(&encoder, content, &wire);
	MUST((buf_len(&wire) > content.len) == dot_needs_stuffing(content, true));
	dot_encoder_init(&encoder);
	for (size_t i = 0; i < content.len; i++)
		dot_encode(&encoder, span_make(content.p + i, 1), &cut);
	MUST(span_eq(buf_span(&wire), buf_span(&cut)));
	buf_add(&wire, ".\r\n", 3);
	decode(buf_span(&wire), SIZE_MAX, 8, &back);
	MUST(back.rc == RC_OK && back.used == buf_len(&wire));
	MUST(span_eq(buf_span(&back.content), content));
	buf_free(&wire);
	buf_free(&cut);
	buf_free(&back.content);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make((const char *)data, size);
	struct result whole, bytes, tight;

	decode(in, SIZE_MAX, 8, &whole);
	decode(in, 1, 8, &bytes);
	decode(in, 3, 1, &tight);
	check_same(&whole, &bytes);
	check_same(&whole, &tight);
	check_content(&whole);
	if (whole.rc == RC_OK && whole.decoder.fault == DOT_FAULT_NONE)
		check_round_trip(buf_span(&whole.content));
	buf_free(&whole.content);
	buf_free(&bytes.content);
	buf_free(&tight.content);
	return 0;
}
