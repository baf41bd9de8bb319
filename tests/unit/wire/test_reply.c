/* Unit tests of wire/reply.c. Every reply runs whole and one byte at a time. */
#include "config.h"

#include "unit/test.h"
#include "util/buf.h"
#include "wire/reply.h"

static enum rc
feed(struct reply_parser *parser, struct span in, size_t piece, size_t *used)
{
	enum rc rc = RC_MORE;

	reply_parser_init(parser);
	for (*used = 0; rc == RC_MORE && *used < in.len;) {
		struct span part = span_first(span_skip(in, *used), piece);
		size_t taken;

		rc = reply_feed(parser, part, &taken, NULL, NULL);
		assert_true(taken <= part.len);
		if (rc == RC_MORE)
			assert_int_equal(taken, part.len);
		*used += taken;
	}
	return rc;
}

static void
test_rows(void **state)
{
	const struct {
		struct span in;
		enum rc rc;
		size_t left;
		int code;
		const char *status, *text;
	} rows[] = {
		{ SPAN_LIT("250 Ok\r\n"), RC_OK, 0, 250, "", "Ok" },
		{ SPAN_LIT("250 2.1.5 Ok\r\n"), RC_OK, 0, 250, "2.1.5", "2.1.5 Ok" },
		{ SPAN_LIT("250 Ok\n"), RC_OK, 0, 250, "", "Ok" },
		{ SPAN_LIT("250\r\n"), RC_OK, 0, 250, "", "" },
		{ SPAN_LIT("250 \r\n"), RC_OK, 0, 250, "", "" },
		{ SPAN_LIT("250\n"), RC_OK, 0, 250, "", "" },
		{ SPAN_LIT("220 Go\r\nEVIL"), RC_OK, 4, 220, "", "Go" },
		{ SPAN_LIT("250 a\r\n421 b\r\n"), RC_OK, 7, 250, "", "a" },
		{ SPAN_LIT("550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n"), RC_OK, 0, 550,
		    "5.1.1", "5.1.1 no 5.1.1 such 5.1.1 user" },
		{ SPAN_LIT("550-5.7.1 spam\r\n550 see http://x\r\n"), RC_OK, 0, 550, "5.7.1",
		    "5.7.1 spam see http://x" },
		{ SPAN_LIT("250-\r\n250-a\r\n250\r\n"), RC_OK, 0, 250, "", "a" },
		{ SPAN_LIT("354 go on\r\n"), RC_OK, 0, 354, "", "go on" },
		{ SPAN_LIT("354 3.0.0 go on\r\n"), RC_OK, 0, 354, "", "3.0.0 go on" },
		{ SPAN_LIT("299 a\r\n"), RC_OK, 0, 299, "", "a" },
		{ SPAN_LIT("599 a\r\n"), RC_OK, 0, 599, "", "a" },
		/* enhanced codes that are none */
		{ SPAN_LIT("550 4.1.1 x\r\n"), RC_OK, 0, 550, "", "4.1.1 x" },
		{ SPAN_LIT("550 5.1 x\r\n"), RC_OK, 0, 550, "", "5.1 x" },
		{ SPAN_LIT("550 5.1.\r\n"), RC_OK, 0, 550, "", "5.1." },
		{ SPAN_LIT("550 5.1.1234 x\r\n"), RC_OK, 0, 550, "", "5.1.1234 x" },
		{ SPAN_LIT("550 5.1.1x\r\n"), RC_OK, 0, 550, "", "5.1.1x" },
		{ SPAN_LIT("550 5.1.1:x\r\n"), RC_OK, 0, 550, "", "5.1.1:x" },
		{ SPAN_LIT("550 5\r\n"), RC_OK, 0, 550, "", "5" },
		/* with nothing behind them */
		{ SPAN_LIT("550 5.1.1\r\n"), RC_OK, 0, 550, "5.1.1", "5.1.1" },
		{ SPAN_LIT("550 5.1.1 \r\n"), RC_OK, 0, 550, "5.1.1", "5.1.1" },
		{ SPAN_LIT("450 4.123.123 x\r\n"), RC_OK, 0, 450, "4.123.123", "4.123.123 x" },
		/* text is made safe */
		{ SPAN_LIT("550 a\0b\x1b[31m\xe9\tc\r\r\n"), RC_OK, 0, 550, "", "a?b?[31m? c" },
		{ SPAN_LIT("550 %s%n{}\\\r\n"), RC_OK, 0, 550, "", "%s%n{}\\" },
		/* no replies */
		{ SPAN_LIT("\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("25\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("25 Ok\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("2500 Ok\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("250\tOk\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("000 x\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("199 x\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("600 x\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("999 x\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("-50 x\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("HTTP/1.1 200 OK\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("SSH-2.0-x\r\n"), RC_BAD, 0, 0, "", "" },
		{ SPAN_LIT("250-a\r\n550 b\r\n"), RC_BAD, 0, 250, "", "a" },
		{ SPAN_LIT("250-a\r\n251 b\r\n"), RC_BAD, 0, 250, "", "a" },
		{ SPAN_LIT("250-a\r\nb\r\n"), RC_BAD, 0, 250, "", "a" },
		/* more to come */
		{ SPAN_LIT("250"), RC_MORE, 0, 0, "", "" },
		{ SPAN_LIT("250-a\r\n250 b\r"), RC_MORE, 0, 250, "", "a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece <= rows[i].in.len; piece++) {
			struct reply_parser parser;
			size_t used;

			assert_rc(feed(&parser, rows[i].in, piece, &used), rows[i].rc);
			if (rows[i].rc != RC_BAD)
				assert_int_equal(used, rows[i].in.len - rows[i].left);
			assert_int_equal(parser.reply.code, rows[i].code);
			assert_string_equal(parser.reply.status, rows[i].status);
			assert_string_equal(parser.reply.text, rows[i].text);
		}
}

static void
add_lines(struct buf *out, size_t count, const char *line)
{
	for (size_t i = 0; i < count; i++)
		buf_add(out, line, strlen(line));
}

static void
test_limit_of_lines(void **state)
{
	struct buf in = BUF_EMPTY;
	struct reply_parser parser;
	size_t used;

	(void)state;
	add_lines(&in, REPLY_LINES_MAX - 1, "250-x\r\n");
	add_lines(&in, 1, "250 x\r\n");
	assert_rc(feed(&parser, buf_span(&in), SIZE_MAX, &used), RC_OK);
	buf_clear(&in);
	add_lines(&in, REPLY_LINES_MAX, "250-x\r\n");
	add_lines(&in, 1, "250 x\r\n");
	assert_rc(feed(&parser, buf_span(&in), SIZE_MAX, &used), RC_BAD);
	assert_rc(feed(&parser, buf_span(&in), 1, &used), RC_BAD);
	buf_free(&in);
}

static void
test_limit_of_bytes(void **state)
{
	struct buf in = BUF_EMPTY;
	struct reply_parser parser;
	size_t used;

	(void)state;
	buf_add(&in, "250 ", 4);
	add_lines(&in, REPLY_BYTES_MAX - 6, "x");
	buf_add(&in, "\r\n", 2);
	assert_int_equal(buf_len(&in), REPLY_BYTES_MAX);
	assert_rc(feed(&parser, buf_span(&in), SIZE_MAX, &used), RC_OK);
	assert_int_equal(strlen(parser.reply.text), REPLY_TEXT_MAX - 1);
	assert_rc(feed(&parser, buf_span(&in), 1, &used), RC_OK);
	buf_clear(&in);
	buf_add(&in, "250 ", 4);
	add_lines(&in, REPLY_BYTES_MAX * 2, "x");
	assert_rc(feed(&parser, buf_span(&in), SIZE_MAX, &used), RC_BAD);
	assert_rc(feed(&parser, buf_span(&in), 7, &used), RC_BAD);
	assert_true(used <= REPLY_BYTES_MAX + 7);
	buf_free(&in);
}

static void
note_line(void *arg, struct span text)
{
	struct buf *out = arg;

	buf_add_char(out, '[');
	buf_add_span(out, text);
	buf_add_char(out, ']');
}

/* The text behind a cut line is dropped up to the line's end, and the next line is whole. */
static void
test_on_line_and_cut_lines(void **state)
{
	struct buf in = BUF_EMPTY, lines = BUF_EMPTY;
	struct reply_parser parser;
	size_t used;

	(void)state;
	buf_add(&in, "250-", 4);
	add_lines(&in, REPLY_LINE_KEPT, "x");
	add_lines(&in, 1, "yyy\r\n250 END\r\n");
	reply_parser_init(&parser);
	assert_rc(reply_feed(&parser, buf_span(&in), &used, note_line, &lines), RC_OK);
	assert_int_equal(used, buf_len(&in));
	assert_int_equal(buf_len(&lines), REPLY_LINE_KEPT - 4 + 2 + 5);
	assert_int_equal(span_find(buf_span(&lines), 'y'), buf_len(&lines));
	assert_true(span_iends(buf_span(&lines), SPAN_LIT("x][END]")));
	buf_free(&in);
	buf_free(&lines);
}

static void
parse_ehlo(struct span in, struct ehlo_offer *offer)
{
	struct reply_parser parser;
	size_t used;

	*offer = (struct ehlo_offer){ .lines = 0 };
	reply_parser_init(&parser);
	assert_rc(reply_feed(&parser, in, &used, ehlo_offer_line, offer), RC_OK);
}

static void
test_ehlo_offer(void **state)
{
	struct ehlo_offer offer;

	(void)state;
	parse_ehlo(SPAN_LIT("250-mx.example PIPELINING\r\n250-SIZE 1000\r\n250-8bitmime\r\n"
			    "250-STARTTLS\r\n250-SMTPUTF8\r\n250-DSN\r\n"
			    "250-ENHANCEDSTATUSCODES\r\n250-AUTH CRAM-MD5 LOGIN plain\r\n"
			    "250 PIPELINING\r\n"),
	    &offer);
	assert_true(offer.pipelining && offer.eightbit && offer.starttls && offer.smtputf8);
	assert_true(offer.dsn && offer.enhanced && offer.auth_plain && offer.auth_login);
	assert_true(offer.size_known);
	assert_int_equal(offer.size, 1000);
	assert_int_equal(offer.lines, 9);

	/* the host's name is no keyword, nor is what begins like one */
	parse_ehlo(SPAN_LIT("250-PIPELINING\r\n250-STARTTLSX\r\n250 8BITMIM\r\n"), &offer);
	assert_false(offer.pipelining || offer.eightbit || offer.starttls);

	parse_ehlo(SPAN_LIT("250-h\r\n250 AUTH=LOGIN\r\n"), &offer);
	assert_true(offer.auth_login);
	assert_false(offer.auth_plain);
}

static void
test_ehlo_size(void **state)
{
	const struct {
		struct span line;
		bool known;
		uint64_t size;
	} rows[] = {
		{ SPAN_LIT("250-h\r\n250 SIZE\r\n"), true, 0 },
		{ SPAN_LIT("250-h\r\n250 SIZE 0\r\n"), true, 0 },
		{ SPAN_LIT("250-h\r\n250 SIZE 52428800\r\n"), true, 52428800 },
		{ SPAN_LIT("250-h\r\n250 SIZE -1\r\n"), false, 0 },
		{ SPAN_LIT("250-h\r\n250 SIZE 99999999999999999999\r\n"), false, 0 },
		{ SPAN_LIT("250-h\r\n250 SIZE 10M\r\n"), false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ehlo_offer offer;

		parse_ehlo(rows[i].line, &offer);
		assert_int_equal(offer.size_known, rows[i].known);
		assert_int_equal(offer.size, rows[i].size);
	}
}

static void
test_default_status(void **state)
{
	(void)state;
	assert_string_equal(reply_default_status(250), "2.0.0");
	assert_string_equal(reply_default_status(421), "4.0.0");
	assert_string_equal(reply_default_status(550), "5.0.0");
	assert_string_equal(reply_default_status(354), "4.0.0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_limit_of_lines),
		cmocka_unit_test(test_limit_of_bytes),
		cmocka_unit_test(test_on_line_and_cut_lines),
		cmocka_unit_test(test_ehlo_offer),
		cmocka_unit_test(test_ehlo_size),
		cmocka_unit_test(test_default_status),
	};

	return cmocka_run_group_tests_name("wire/reply", tests, NULL, NULL);
}
