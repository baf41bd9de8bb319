/* Unit tests of cli/format.c, cli/message.c and what cli/client.c decides without a daemon. */
#include "config.h"

#include "unit/test.h"

#include <stdlib.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/format.h"

static void
test_sizes(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = { { 0, "0" }, { 1023, "1023" }, { 1024, "1.0K" }, { 1536, "1.5K" },
		{ 10 * 1024, "10K" }, { 1048575, "1.0M" }, { 40 << 20, "40M" },
		{ INT64_MAX, "8.0E" } };
	char out[FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		format_size(rows[i].bytes, out);
		assert_string_equal(out, rows[i].text);
	}
}

static void
test_times(void **state)
{
	char out[FORMAT_MAX];

	(void)state;
	assert_int_equal(setenv("TZ", "UTC-2", 1), 0);
	tzset();
	format_time(0, out);
	assert_string_equal(out, "-");
	format_time(1795558149, out);
	assert_string_equal(out, "2026-11-25 00:09:09");
	format_age(-5, out);
	assert_string_equal(out, "0s");
	format_age(59, out);
	assert_string_equal(out, "59s");
	format_age(3599, out);
	assert_string_equal(out, "59m");
	format_age(11520, out);
	assert_string_equal(out, "3h12m");
	format_age(446400, out);
	assert_string_equal(out, "5d4h");
}

static void
test_safe_and_paint(void **state)
{
	struct buf out = BUF_EMPTY;

	(void)state;
	format_safe("a\033[31mb\r\nc\x7f \xc2\x9b \xc3\xbc", &out);
	assert_string_equal(buf_cstr(&out), "a?[31mb??c? ? \xc3\xbc");
	buf_clear(&out);
	format_paint(PAINT_BAD, "x", 3, false, &out);
	assert_string_equal(buf_cstr(&out), "x  ");
	buf_clear(&out);
	format_paint(PAINT_BAD, "x", 3, true, &out);
	assert_string_equal(buf_cstr(&out), "\033[31mx  \033[0m");
	buf_free(&out);
}

static void
test_exit_status(void **state)
{
	(void)state;
	assert_int_equal(client_exit_status(200, ""), EX_OK);
	assert_int_equal(client_exit_status(400, "BadRequest"), EX_DATAERR);
	assert_int_equal(client_exit_status(400, "InvalidConfiguration"), EX_CONFIG);
	assert_int_equal(client_exit_status(403, "AccessDenied"), EX_NOPERM);
	assert_int_equal(client_exit_status(404, "NotFound"), EX_DATAERR);
	assert_int_equal(client_exit_status(409, "Conflict"), EX_TEMPFAIL);
	assert_int_equal(client_exit_status(413, ""), EX_DATAERR);
	assert_int_equal(client_exit_status(503, ""), EX_TEMPFAIL);
	assert_int_equal(client_exit_status(500, ""), EX_SOFTWARE);
}

static void
test_targets(void **state)
{
	struct buf out = BUF_EMPTY;

	(void)state;
	buf_addf(&out, "/v1/queue");
	target_add_part(&out, "../a b?\xc3\xbc");
	target_add(&out, "site", "a+b@c&d=e");
	target_add(&out, "n", "1");
	assert_string_equal(
	    buf_cstr(&out), "/v1/queue/..%2Fa%20b%3F%C3%BC?site=a%2Bb%40c%26d%3De&n=1");
	buf_free(&out);
}

static void
test_lines(void **state)
{
	struct buf out = BUF_EMPTY;

	(void)state;
	lines_to_crlf(SPAN_LIT("a\nb\r\n\nc"), &out);
	assert_string_equal(buf_cstr(&out), "a\r\nb\r\n\r\nc\r\n");
	buf_free(&out);
}

static void
build(const char *subject, struct span body, struct buf *out)
{
	static const char *const to[] = { "b@example.net", "c@example.net" };
	struct draft draft = { "a@example.com", to, 2, subject, body };
	struct why why = WHY_EMPTY;

	buf_clear(out);
	assert_int_equal(draft_build(&draft, out, &why), RC_OK);
}

static void
test_plain_message(void **state)
{
	struct buf out = BUF_EMPTY;

	(void)state;
	build("Hello", SPAN_LIT("one\n.two\n"), &out);
	assert_string_equal(buf_cstr(&out), "From: a@example.com\r\n"
					    "To: b@example.net,\r\n"
					    " c@example.net\r\n"
					    "Subject: Hello\r\n"
					    "MIME-Version: 1.0\r\n"
					    "Content-Type: text/plain; charset=utf-8\r\n"
					    "Content-Transfer-Encoding: 7bit\r\n"
					    "\r\n"
					    "one\r\n.two\r\n");
	buf_free(&out);
}

/* 8-bit, long lines, bare CR and NUL all go as base64; nothing on the wire is over the limits. */
static void
test_encoded_message(void **state)
{
	static char longer[4096];
	const struct span bodies[] = { SPAN_LIT("h\xc3\xa9\n"), SPAN_LIT("a\rb\n"),
		SPAN_LIT("a\0b\n"), { longer, sizeof longer } };
	struct buf out = BUF_EMPTY;

	(void)state;
	memset(longer, 'x', sizeof longer);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct span rest, line;

		build("S", bodies[i], &out);
		assert_non_null(
		    strstr(buf_cstr(&out), "Content-Transfer-Encoding: base64\r\n\r\n"));
		rest = buf_span(&out);
		while (span_next(&rest, '\n', &line))
			assert_true(line.len <= 78);
	}
	buf_free(&out);
}

static void
test_encoded_subject(void **state)
{
	struct buf out = BUF_EMPTY;
	struct buf subject = BUF_EMPTY;
	const char *at;

	(void)state;
	/* 41 bytes and then two-byte characters: a cut at 42 would go through one. */
	buf_addf(&subject, "%041d", 0);
	for (int i = 0; i < 30; i++)
		buf_addf(&subject, "\xc3\xbc");
	build(buf_cstr(&subject), SPAN_LIT("x\n"), &out);
	at = strstr(buf_cstr(&out), "Subject: =?UTF-8?B?");
	assert_non_null(at);
	assert_non_null(strstr(at, "?=\r\n =?UTF-8?B?"));
	/* The first word is the 41 zeros alone. */
	assert_non_null(
	    strstr(at, "=?UTF-8?B?MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=?=\r\n"));
	buf_free(&subject);
	buf_free(&out);
}

static void
test_injection(void **state)
{
	static const char *const to[] = { "b@example.net\r\nBcc: x@example.net" };
	struct draft draft = { "a@example.com", to, 1, "s", SPAN_LIT("x") };
	struct buf out = BUF_EMPTY;
	struct why why = WHY_EMPTY;

	(void)state;
	assert_int_equal(draft_build(&draft, &out, &why), RC_BAD);
	draft.to_count = 0;
	draft.subject = "a\nb";
	assert_int_equal(draft_build(&draft, &out, &why), RC_BAD);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_safe_and_paint),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_plain_message),
		cmocka_unit_test(test_encoded_message),
		cmocka_unit_test(test_encoded_subject),
		cmocka_unit_test(test_injection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
