/* wire/dot.c - takes the dots of the end of data and of dot-stuffing off, and puts them on.
 * In:   the bytes behind 354, in pieces of any size; or content, for the way out.
 * Out:  slices of the input that are the content; the end; what was wrong with the content.
 * Always true: CR LF . CR LF is the only end (or . CR LF as the very first bytes); every content byte is
 * in exactly one slice; time is linear in the input, whatever the mix of CR and LF. */
#include "config.h"

#include "wire/dot.h"

#include <assert.h>

enum {
	AT_LINE_START, /* behind CR LF, or nothing read yet */
	IN_TEXT,
	BEHIND_CR,     /* the CR was content and is in a slice already */
	BEHIND_DOT,    /* a dot at the start of a line: never content */
	BEHIND_DOT_CR, /* its CR is held back: content unless LF follows */
	AT_END
};

/* What is under way in one call. */
struct cut {
	struct dot_decoder *decoder;
	struct span in;
	size_t at;   /* next byte to read */
	size_t from; /* begin of the open slice; == at: none is open */
	size_t lf;   /* next LF at or behind `at`, or in.len; stale when < at */
	size_t cr;   /* the same for CR */
	struct span *out;
	size_t count, max;
};

void
dot_decoder_init(struct dot_decoder *decoder)
{
	*decoder = (struct dot_decoder){ .state = AT_LINE_START };
}

static void
note_fault(struct dot_decoder *decoder, enum dot_fault fault, uint64_t at)
{
	if (decoder->fault != DOT_FAULT_NONE)
		return;
	decoder->fault = fault;
	decoder->fault_at = at;
}

static bool
any_8bit(const char *p, size_t len)
{
	const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t word;

	for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
		memcpy(&word, p, sizeof word);
		if ((word & high) != 0)
			return true;
	}
	for (; len > 0; p++, len--)
		if ((*p & 0x80) != 0)
			return true;
	return false;
}

static void
count_content(struct dot_decoder *decoder, size_t len)
{
	decoder->size += len;
	decoder->line += len;
	if (decoder->line > decoder->longest_line)
		decoder->longest_line = decoder->line;
}

/* Take `len` bytes that hold neither CR nor LF. */
static void
take_text(struct cut *cut, size_t len)
{
	struct dot_decoder *decoder = cut->decoder;
	struct span text = span_make(cut->in.p + cut->at, len);

	if (decoder->fault == DOT_FAULT_NONE) {
		size_t nul = span_find(text, '\0');

		if (nul < len)
			note_fault(decoder, DOT_FAULT_NUL, decoder->size + nul);
	}
	if (!decoder->has_8bit && any_8bit(text.p, len))
		decoder->has_8bit = true;
	count_content(decoder, len);
	cut->at += len;
}

/* The places of the next LF and CR are kept over the whole call: looking for both anew behind each CR or LF
 * would be quadratic for input of one kind only. */
static size_t
text_end(struct cut *cut)
{
	if (cut->lf < cut->at)
		cut->lf = cut->at + span_find(span_skip(cut->in, cut->at), '\n');
	if (cut->cr < cut->at)
		cut->cr = cut->at + span_find(span_skip(cut->in, cut->at), '\r');
	return cut->lf < cut->cr ? cut->lf : cut->cr;
}

/* Text up to and with the next CR or LF. */
static void
step_text(struct cut *cut)
{
	struct dot_decoder *decoder = cut->decoder;
	size_t end = text_end(cut);

	decoder->state = IN_TEXT;
	take_text(cut, end - cut->at);
	if (end == cut->in.len)
		return;
	cut->at++;
	if (cut->in.p[end] == '\r') {
		decoder->size++; /* of the line only when it turns out to be bare */
		decoder->state = BEHIND_CR;
		return;
	}
	/* A bare LF ends no line: what follows it is not at the start of a line for us. */
	note_fault(decoder, DOT_FAULT_BARE_LF, decoder->size);
	count_content(decoder, 1);
}

static void
step_behind_cr(struct cut *cut)
{
	struct dot_decoder *decoder = cut->decoder;

	if (cut->in.p[cut->at] == '\n') {
		cut->at++;
		decoder->size++;
		decoder->line = 0;
		decoder->state = AT_LINE_START;
		return;
	}
	note_fault(decoder, DOT_FAULT_BARE_CR, decoder->size - 1);
	decoder->size--; /* counted again, as a byte of the line */
	count_content(decoder, 1);
	decoder->state = IN_TEXT;
}

static void
close_slice(struct cut *cut)
{
	if (cut->from < cut->at)
		cut->out[cut->count++] = span_make(cut->in.p + cut->from, cut->at - cut->from);
	cut->from = cut->at;
}

/* Leave the next byte out of the content. */
static void
swallow(struct cut *cut, int state)
{
	close_slice(cut);
	cut->from = ++cut->at;
	cut->decoder->state = state;
}

static void
step_behind_dot_cr(struct cut *cut)
{
	if (cut->in.p[cut->at] == '\n') {
		swallow(cut, AT_END);
		return;
	}
	/* The CR may have come with an earlier piece, so it is given from here. */
	cut->out[cut->count++] = SPAN_LIT("\r");
	note_fault(cut->decoder, DOT_FAULT_BARE_CR, cut->decoder->size);
	count_content(cut->decoder, 1);
	cut->decoder->state = IN_TEXT;
}

static void
step(struct cut *cut)
{
	char c = cut->in.p[cut->at];

	switch (cut->decoder->state) {
	case AT_LINE_START:
		if (c == '.')
			swallow(cut, BEHIND_DOT);
		else
			step_text(cut);
		break;
	case BEHIND_DOT:
		if (c == '\r')
			swallow(cut, BEHIND_DOT_CR);
		else
			step_text(cut);
		break;
	case BEHIND_DOT_CR:
		step_behind_dot_cr(cut);
		break;
	case BEHIND_CR:
		step_behind_cr(cut);
		break;
	default:
		step_text(cut);
		break;
	}
}

enum rc
dot_decode(struct dot_decoder *decoder, struct span in, struct span *out, size_t max, size_t *count,
    size_t *used)
{
	struct cut cut = { .decoder = decoder, .in = in, .out = out, .max = max };

	assert(max > 0);
	cut.lf = span_find(in, '\n');
	cut.cr = span_find(in, '\r');
	while (cut.at < in.len && decoder->state != AT_END) {
		if (cut.from == cut.at && cut.count == cut.max)
			break; /* no room for what the next byte may open */
		step(&cut);
	}
	close_slice(&cut);
	*count = cut.count;
	*used = cut.at;
	return decoder->state == AT_END ? RC_OK : RC_MORE;
}

void
dot_encoder_init(struct dot_encoder *encoder)
{
	encoder->line_start = true;
}

/* The place of the first dot at the start of a line, or in.len. Any LF counts as the end of a line here:
 * content with a bare LF never gets this far, and if it did, a lenient host must not see an end in it. */
static size_t
find_line_dot(struct span in, bool line_start)
{
	size_t at = 0;

	if (line_start && in.len > 0 && in.p[0] == '.')
		return 0;
	while (at < in.len) {
		at += span_find(span_skip(in, at), '\n');
		if (in.len - at <= 1)
			break;
		at++;
		if (in.p[at] == '.')
			return at;
	}
	return in.len;
}

void
dot_encode(struct dot_encoder *encoder, struct span in, struct buf *out)
{
	if (in.len == 0)
		return;
	for (;;) {
		size_t dot = find_line_dot(in, encoder->line_start);

		buf_add_span(out, span_first(in, dot));
		if (dot == in.len)
			break;
		buf_add(out, "..", 2);
		encoder->line_start = false;
		if (in.len - dot == 1)
			return;
		in = span_skip(in, dot + 1);
	}
	assert(in.len > 0); /* a dot that is the last byte has returned above */
	encoder->line_start = in.p[in.len - 1] == '\n';
}

bool
dot_needs_stuffing(struct span in, bool line_start)
{
	return find_line_dot(in, line_start) < in.len;
}
