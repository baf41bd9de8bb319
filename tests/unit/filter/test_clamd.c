/* Unit tests of filter/clamd.c: what is sent, and each reply whole and byte by byte. */
#include "config.h"

#include "filter/clamd.h"
#include "unit/test.h"

static void
test_what_is_sent(void **state)
{
	static const char want[] = "zINSTREAM\0\0\0\0\3abc\0\0\1\0";
	struct clamd clamd;
	struct buf out = BUF_EMPTY;
	char block[256] = "";

	(void)state;
	clamd_begin(&clamd, &out);
	clamd_chunk(&clamd, SPAN_LIT("abc"), &out);
	clamd_chunk(&clamd, SPAN_EMPTY, &out); /* would be the end */
	clamd_chunk(&clamd, span_make(block, sizeof block), &out);
	assert_int_equal(buf_len(&out), sizeof want - 1 + sizeof block);
	assert_memory_equal(buf_span(&out).p, want, sizeof want - 1);
	buf_clear(&out);
	assert_int_equal(clamd.state, CLAMD_STREAM);
	clamd_end(&clamd, &out);
	assert_int_equal(clamd.state, CLAMD_REPLY);
	assert_int_equal(buf_len(&out), 4);
	assert_memory_equal(buf_span(&out).p, "\0\0\0\0", 4);
	clamd_chunk(&clamd, SPAN_LIT("abc"), &out);
	assert_int_equal(buf_len(&out), 4);
	buf_free(&out);
}

static void
check(struct span reply, bool sent, enum clamd_state state, const char *text)
{
	for (size_t piece = 1; piece <= reply.len; piece += reply.len > 1 ? reply.len - 1 : 1) {
		struct clamd clamd;
		struct buf out = BUF_EMPTY;

		clamd_begin(&clamd, &out);
		if (sent)
			clamd_end(&clamd, &out);
		for (size_t at = 0; at < reply.len; at += piece)
			clamd_feed(&clamd, span_first(span_skip(reply, at), piece));
		clamd_closed(&clamd, "lost");
		assert_int_equal(clamd.state, state);
		assert_string_equal(clamd.text, text);
		buf_free(&out);
	}
}

static void
test_replies(void **state)
{
	static const struct {
		struct span reply;
		bool sent;
		enum clamd_state state;
		const char *text;
	} rows[] = {
		{ SPAN_LIT("stream: OK\0"), true, CLAMD_CLEAN, "" },
		{ SPAN_LIT("stream: OK\n\0"), true, CLAMD_CLEAN, "" },
		{ SPAN_LIT("stream: OK\0stream: X FOUND\0"), true, CLAMD_CLEAN, "" },
		{ SPAN_LIT("stream: Eicar-Signature FOUND\0"), true, CLAMD_VIRUS,
		    "Eicar-Signature" },
		{ SPAN_LIT("stream: A B FOUND\0"), false, CLAMD_VIRUS, "A B" },
		{ SPAN_LIT("stream: OK FOUND\0"), true, CLAMD_VIRUS, "OK" },
		{ SPAN_LIT("stream: OK\0"), false, CLAMD_FAILED, "stream: OK" },
		{ SPAN_LIT("stream: OK"), true, CLAMD_FAILED, "lost" },
		{ SPAN_LIT("stream:  FOUND\0"), true, CLAMD_FAILED, "stream:  FOUND" },
		{ SPAN_LIT("stream: FOUND\0"), true, CLAMD_FAILED, "stream: FOUND" },
		{ SPAN_LIT("stream: okay\0"), true, CLAMD_FAILED, "stream: okay" },
		{ SPAN_LIT("OK\0"), true, CLAMD_FAILED, "OK" },
		{ SPAN_LIT("\0"), true, CLAMD_FAILED, "" },
		{ SPAN_LIT("INSTREAM size limit exceeded. ERROR\0"), false, CLAMD_FAILED,
		    "INSTREAM size limit exceeded. ERROR" },
		{ SPAN_LIT("stream: a\rb\x1b[m FOUND\0"), true, CLAMD_VIRUS, "a\\x0db\\x1b[m" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].reply, rows[i].sent, rows[i].state, rows[i].text);
}

static void
test_long_reply(void **state)
{
	struct clamd clamd;
	struct buf out = BUF_EMPTY;
	char block[CLAMD_REPLY_MAX + 1];

	(void)state;
	memset(block, 'x', sizeof block);
	clamd_begin(&clamd, &out);
	clamd_feed(&clamd, span_make(block, CLAMD_REPLY_MAX));
	assert_int_equal(clamd.state, CLAMD_STREAM);
	clamd_feed(&clamd, span_make(block, 1));
	assert_int_equal(clamd.state, CLAMD_FAILED);
	clamd_feed(&clamd, SPAN_LIT("stream: OK\0"));
	assert_int_equal(clamd.state, CLAMD_FAILED);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_long_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
