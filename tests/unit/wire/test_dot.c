/* Unit tests of wire/dot.c. Every case runs whole, one byte at a time, and with room for one slice. */
#include "config.h"

#include "unit/test.h"
#include "wire/dot.h"

#include <stdlib.h>

struct result {
	enum rc rc;
	size_t used;
	struct dot_decoder decoder;
	struct buf content;
};

/* Feed `in` in pieces of `piece` bytes, with room for `max` slices, until the end or the end of `in`. */
static void
run(struct span in, size_t piece, size_t max, struct result *out)
{
	struct span slices[16];

	*out = (struct result){ .rc = RC_MORE, .content = BUF_EMPTY };
	dot_decoder_init(&out->decoder);
	while (out->rc == RC_MORE && out->used < in.len) {
		struct span part = span_first(span_skip(in, out->used), piece);
		size_t at = 0;

		do {
			size_t count, used;

			out->rc = dot_decode(
			    &out->decoder, span_skip(part, at), slices, max, &count, &used);
			assert_true(count <= max);
			for (size_t i = 0; i < count; i++)
				buf_add_span(&out->content, slices[i]);
			assert_true(used > 0 || count > 0);
			at += used;
		} while (out->rc == RC_MORE && at < part.len);
		out->used += at;
	}
	assert_false(out->content.failed);
}

struct row {
	struct span in;
	enum rc rc;
	size_t left; /* bytes behind the end that are not taken */
	struct span content;
	enum dot_fault fault;
	uint64_t fault_at;
};

static void
check(const struct row *row, const struct result *result)
{
	assert_rc(result->rc, row->rc);
	assert_int_equal(result->used, row->in.len - row->left);
	assert_int_equal(buf_len(&result->content), row->content.len);
	if (row->content.len > 0)
		assert_memory_equal(buf_span(&result->content).p, row->content.p, row->content.len);
	assert_int_equal(result->decoder.size, row->content.len);
	assert_int_equal(result->decoder.fault, row->fault);
	if (row->fault != DOT_FAULT_NONE)
		assert_int_equal(result->decoder.fault_at, row->fault_at);
}

static void
run_rows(const struct row *rows, size_t count)
{
	static const struct {
		size_t piece, max;
	} ways[] = { { SIZE_MAX, 16 }, { 1, 16 }, { SIZE_MAX, 1 }, { 2, 1 }, { 3, 2 } };

	for (size_t i = 0; i < count; i++)
		for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
			struct result result;

			run(rows[i].in, ways[way].piece, ways[way].max, &result);
			check(&rows[i], &result);
			buf_free(&result.content);
		}
}

static void
test_good_content(void **state)
{
	const struct row rows[] = {
		{ SPAN_LIT("a\r\n.\r\n"), RC_OK, 0, SPAN_LIT("a\r\n"), DOT_FAULT_NONE, 0 },
		{ SPAN_LIT(".\r\n"), RC_OK, 0, SPAN_LIT(""), DOT_FAULT_NONE, 0 },
		{ SPAN_LIT("\r\n.\r\n"), RC_OK, 0, SPAN_LIT("\r\n"), DOT_FAULT_NONE, 0 },
		{ SPAN_LIT("a\r\n.\r\nQUIT\r\n"), RC_OK, 6, SPAN_LIT("a\r\n"), DOT_FAULT_NONE, 0 },
		{ SPAN_LIT("..\r\n.\r\n"), RC_OK, 0, SPAN_LIT(".\r\n"), DOT_FAULT_NONE, 0 },
		{ SPAN_LIT("a\r\n..b\r\n...\r\n.\r\n"), RC_OK, 0, SPAN_LIT("a\r\n.b\r\n..\r\n"),
		    DOT_FAULT_NONE, 0 },
		{ SPAN_LIT(".a\r\n.\r\n"), RC_OK, 0, SPAN_LIT("a\r\n"), DOT_FAULT_NONE, 0 },
		{ SPAN_LIT("a.\r\nb.\r\n.\r\n"), RC_OK, 0, SPAN_LIT("a.\r\nb.\r\n"), DOT_FAULT_NONE,
		    0 },
		{ SPAN_LIT("\r\n\r\n\r\n.\r\n"), RC_OK, 0, SPAN_LIT("\r\n\r\n\r\n"), DOT_FAULT_NONE,
		    0 },
		{ SPAN_LIT("no end\r\n"), RC_MORE, 0, SPAN_LIT("no end\r\n"), DOT_FAULT_NONE, 0 },
		{ SPAN_LIT("half\r\n."), RC_MORE, 0, SPAN_LIT("half\r\n"), DOT_FAULT_NONE, 0 },
		{ SPAN_LIT("half\r\n.\r"), RC_MORE, 0, SPAN_LIT("half\r\n"), DOT_FAULT_NONE, 0 },
	};

	(void)state;
	run_rows(rows, ARRAY_LEN(rows));
}

/* Two servers that disagree about the end of data let a sender inject a message: none of these is one. What
 * follows each shape is the rest of a message and its true end. */
static void
test_smuggling_shapes(void **state)
{
#define TAIL "MAIL FROM:<x@y>\r\n.\r\n"
#define REST "MAIL FROM:<x@y>\r\n"
#define BAD(shape, content, fault, at) \
	{ \
		SPAN_LIT("a" shape TAIL), RC_OK, 0, SPAN_LIT("a" content REST), fault, at \
	}
	const struct row rows[] = {
		BAD("\n.\n", "\n.\n", DOT_FAULT_BARE_LF, 1),
		BAD("\n.\r\n", "\n.\r\n", DOT_FAULT_BARE_LF, 1),
		BAD("\r\n.\n", "\r\n\n", DOT_FAULT_BARE_LF, 3),
		BAD("\r.\r", "\r.\r", DOT_FAULT_BARE_CR, 1),
		BAD("\r\n.\r", "\r\n\r", DOT_FAULT_BARE_CR, 3),
		BAD("\r.\r\n", "\r.\r\n", DOT_FAULT_BARE_CR, 1),
		BAD("\r.\n", "\r.\n", DOT_FAULT_BARE_CR, 1),
		BAD("\n.\r", "\n.\r", DOT_FAULT_BARE_LF, 1),
		BAD("\n\r.\r\n", "\n\r.\r\n", DOT_FAULT_BARE_LF, 1),
		BAD("\r\n.\n\r", "\r\n\n\r", DOT_FAULT_BARE_LF, 3),
		/* NUL around the dot */
		BAD("\r\n\0.\r\n", "\r\n\0.\r\n", DOT_FAULT_NUL, 3),
		BAD("\r\n.\0\r\n", "\r\n\0\r\n", DOT_FAULT_NUL, 3),
		BAD("\r\n.\r\0\n", "\r\n\r\0\n", DOT_FAULT_BARE_CR, 3),
		BAD("\r\0\n.\r\n", "\r\0\n.\r\n", DOT_FAULT_BARE_CR, 1),
		/* CR CR LF */
		BAD("\r\n.\r\r\n", "\r\n\r\r\n", DOT_FAULT_BARE_CR, 3),
		BAD("\r\r\n.\n", "\r\r\n\n", DOT_FAULT_BARE_CR, 1),
		/* something behind the dot */
		BAD("\r\n. \r\n", "\r\n \r\n", DOT_FAULT_NONE, 0),
		BAD("\r\n.\t\r\n", "\r\n\t\r\n", DOT_FAULT_NONE, 0),
		BAD("\r\n.\v\r\n", "\r\n\v\r\n", DOT_FAULT_NONE, 0),
		BAD("\r\n.\f\r\n", "\r\n\f\r\n", DOT_FAULT_NONE, 0),
		BAD("\r\n.\b\r\n", "\r\n\b\r\n", DOT_FAULT_NONE, 0),
		/* line ends and dots of Unicode: U+2028, U+0085, U+FF0E */
		BAD("\xe2\x80\xa8.\xe2\x80\xa8", "\xe2\x80\xa8.\xe2\x80\xa8", DOT_FAULT_NONE, 0),
		BAD("\xc2\x85.\xc2\x85", "\xc2\x85.\xc2\x85", DOT_FAULT_NONE, 0),
		BAD("\r\n\xef\xbc\x8e\r\n", "\r\n\xef\xbc\x8e\r\n", DOT_FAULT_NONE, 0),
		/* several faults: the first counts */
		BAD("x\0y\nz\r", "x\0y\nz\r", DOT_FAULT_NUL, 2),
		BAD("x\ny\0z\r", "x\ny\0z\r", DOT_FAULT_BARE_LF, 2),
	};

	(void)state;
	run_rows(rows, ARRAY_LEN(rows));
}

/* CR LF CR . CR LF and LF LF . LF at the very start, where a line begins without CR LF before it. */
static void
test_faults_at_the_start(void **state)
{
	const struct row rows[] = {
		{ SPAN_LIT(".\n\r\n.\r\n"), RC_OK, 0, SPAN_LIT("\n\r\n"), DOT_FAULT_BARE_LF, 0 },
		{ SPAN_LIT("\n.\n\r\n.\r\n"), RC_OK, 0, SPAN_LIT("\n.\n\r\n"), DOT_FAULT_BARE_LF,
		    0 },
		{ SPAN_LIT("\r.\r\n.\r\n"), RC_OK, 0, SPAN_LIT("\r.\r\n"), DOT_FAULT_BARE_CR, 0 },
		{ SPAN_LIT(".\r.\r\n.\r\n"), RC_OK, 0, SPAN_LIT("\r.\r\n"), DOT_FAULT_BARE_CR, 0 },
		{ SPAN_LIT("\0\r\n.\r\n"), RC_OK, 0, SPAN_LIT("\0\r\n"), DOT_FAULT_NUL, 0 },
	};

	(void)state;
	run_rows(rows, ARRAY_LEN(rows));
}

/* The five bytes of the end over two pieces, cut at each place. */
static void
test_end_cut_at_each_place(void **state)
{
	const struct span whole = SPAN_LIT("body\r\n.\r\n"), next = SPAN_LIT("QUIT\r\n");

	(void)state;
	for (size_t cut = 4; cut <= whole.len; cut++) {
		struct dot_decoder decoder;
		struct span slices[4], rest;
		size_t count, used, ends = 0;
		char second[32];

		dot_decoder_init(&decoder);
		ends +=
		    dot_decode(&decoder, span_first(whole, cut), slices, 4, &count, &used) == RC_OK;
		assert_int_equal(used, cut);
		rest = span_skip(whole, cut);
		memcpy(second, rest.p, rest.len);
		memcpy(second + rest.len, next.p, next.len);
		if (ends == 0) {
			ends += dot_decode(&decoder, span_make(second, rest.len + next.len), slices,
				    4, &count, &used) == RC_OK;
			assert_int_equal(used, rest.len);
		}
		assert_int_equal(ends, 1);
		assert_int_equal(decoder.size, 6);
		assert_int_equal(decoder.fault, DOT_FAULT_NONE);
	}
}

static void
test_plain_body_is_one_slice_of_the_input(void **state)
{
	const struct span in = SPAN_LIT("Subject: x\r\n\r\nline one\r\nline two.\r\n.\r\n");
	struct dot_decoder decoder;
	struct span slices[2];
	size_t count, used;

	(void)state;
	dot_decoder_init(&decoder);
	assert_rc(dot_decode(&decoder, in, slices, 2, &count, &used), RC_OK);
	assert_int_equal(count, 1);
	assert_ptr_equal(slices[0].p, in.p);
	assert_int_equal(slices[0].len, in.len - 3);
}

static void
test_lines_and_8bit(void **state)
{
	const struct {
		struct span in;
		uint64_t longest;
		bool has_8bit;
	} rows[] = {
		{ SPAN_LIT("\r\n.\r\n"), 0, false },
		{ SPAN_LIT("abc\r\nabcdef\r\nab\r\n.\r\n"), 6, false },
		{ SPAN_LIT("..bc\r\n.\r\n"), 3, false },
		{ SPAN_LIT("unfinished"), 10, false },
		{ SPAN_LIT("abcdefgh\x80\r\n.\r\n"), 9, true },
		{ SPAN_LIT("abcdefg\xff"
			   "abcdefgh\r\n.\r\n"),
		    16, true },
		{ SPAN_LIT("ab\x7f\r\n.\r\n"), 3, false },
		{ SPAN_LIT("a\rb\nc\r\n.\r\n"), 5, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece <= rows[i].in.len; piece++) {
			struct result result;

			run(rows[i].in, piece, 4, &result);
			assert_int_equal(result.decoder.longest_line, rows[i].longest);
			assert_int_equal(result.decoder.has_8bit, rows[i].has_8bit);
			buf_free(&result.content);
		}
}

/* Bytes of one kind, which a search that begins anew behind each of them would take hours for. */
static void
test_linear_time(void **state)
{
	static const char *const fills[] = { "\r", "\n", "\r\n", "\r\n.", ".", "a" };
	const size_t size = 4 * 1024 * 1024;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
		struct result result;

		for (size_t i = 0; i < size; i++)
			text[i] = fills[f][i % strlen(fills[f])];
		run(span_make(text, size), SIZE_MAX, 16, &result);
		/* ".\r\n.\r\n" ends at once: its first dot is at the start of a line */
		assert_rc(result.rc, strcmp(fills[f], "\r\n.") == 0 ? RC_OK : RC_MORE);
		buf_free(&result.content);
	}
	free(text);
}

static void
encode(struct span in, size_t piece, struct buf *out)
{
	struct dot_encoder encoder;

	dot_encoder_init(&encoder);
	for (size_t at = 0; at < in.len; at += piece < in.len - at ? piece : in.len - at)
		dot_encode(&encoder, span_first(span_skip(in, at), piece), out);
}

static void
test_encode(void **state)
{
	const struct {
		const char *in, *out;
		bool stuffed;
	} rows[] = {
		{ "", "", false },
		{ "a\r\n", "a\r\n", false },
		{ ".\r\n", "..\r\n", true },
		{ ".", "..", true },
		{ "..\r\n", "...\r\n", true },
		{ "a\r\n.b\r\n", "a\r\n..b\r\n", true },
		{ ".a\r\n.\r\n.\r\n", "..a\r\n..\r\n..\r\n", true },
		{ "a.b\r\nc.\r\n", "a.b\r\nc.\r\n", false },
		{ "a\n.\r\n", "a\n..\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span in = span_of(rows[i].in);

		assert_int_equal(dot_needs_stuffing(in, true), rows[i].stuffed);
		for (size_t piece = 1; piece <= in.len + 1; piece++) {
			struct buf out = BUF_EMPTY;

			encode(in, piece, &out);
			assert_span(buf_span(&out), rows[i].out);
			buf_free(&out);
		}
	}
	assert_false(dot_needs_stuffing(SPAN_LIT(".\r\n"), false));
}

/* A message of dots only comes back as it was. */
static void
test_round_trip(void **state)
{
	const char *rows[] = { ".\r\n..\r\n...\r\n", "\r\n.\r\n", "a\r\n.b\r\n\r\n..\r\n", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf wire = BUF_EMPTY;
		struct result result;

		encode(span_of(rows[i]), SIZE_MAX, &wire);
		buf_add(&wire, ".\r\n", 3);
		run(buf_span(&wire), SIZE_MAX, 16, &result);
		assert_rc(result.rc, RC_OK);
		assert_int_equal(result.used, buf_len(&wire));
		assert_span(buf_span(&result.content), rows[i]);
		buf_free(&wire);
		buf_free(&result.content);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_content),
		cmocka_unit_test(test_smuggling_shapes),
		cmocka_unit_test(test_faults_at_the_start),
		cmocka_unit_test(test_end_cut_at_each_place),
		cmocka_unit_test(test_plain_body_is_one_slice_of_the_input),
		cmocka_unit_test(test_lines_and_8bit),
		cmocka_unit_test(test_linear_time),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests_name("wire/dot", tests, NULL, NULL);
}
