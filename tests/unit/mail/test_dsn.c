/* Unit tests of mail/dsn.c. The last one asks Python's mail parser what it sees. */
#include "config.h"

#include "mail/dsn.h"
#include "mail/header.h"
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct dsn_recipient two[] = {
	{ { "bounce@example.net", 18 }, { "rfc822;a+2Bb@example.net", 24 }, "5.1.1",
	    { "smtp; 550 5.1.1 user unknown", 28 }, { "mx.example.net", 14 } },
	{ { "late@example.org", 16 }, { "", 0 }, "4.4.7", { "delivery time expired", 21 },
	    { "", 0 } },
};

static struct dsn
sample(void)
{
	return (struct dsn){
		.reporting_mta = SPAN_LIT("relay.example.com"),
		.from = SPAN_LIT("MAILER-DAEMON@example.com"),
		.to = SPAN_LIT("jo@example.com"),
		.message_id = SPAN_LIT(
		    "01000157b3c0c026-ffffffff-ffff-4fff-bfff-ffffffffffff-000000@x.example"),
		.original_id = SPAN_LIT("<orig@client.example>"),
		.envid = SPAN_LIT("QQ+2B31"),
		.now_s = 1728082894,
		.arrival_s = 1728000000,
		.recipients = two,
		.count = 2,
		.original = SPAN_LIT("From: jo@example.com\r\nSubject: hi\r\n\r\nbody\r\n"),
	};
}

static void
build(const struct dsn *dsn, struct buf *out)
{
	assert_rc(dsn_build(dsn, out), RC_OK);
}

static bool
holds(const struct buf *out, const char *text)
{
	return memmem(buf_span(out).p, buf_len(out), text, strlen(text)) != NULL;
}

static size_t
count_of(const struct buf *out, const char *text)
{
	struct span rest = buf_span(out);
	size_t count = 0;

	for (;;) {
		const char *at = memmem(rest.p, rest.len, text, strlen(text));

		if (at == NULL)
			return count;
		count++;
		rest = span_skip(rest, (size_t)(at - rest.p) + 1);
	}
}

static void
test_whole_text(void **state)
{
	const char *parts[] = {
		"From: MAILER-DAEMON@example.com\r\n"
		"To: jo@example.com\r\n"
		"Message-ID: "
		"<01000157b3c0c026-ffffffff-ffff-4fff-bfff-ffffffffffff-000000@x.example>\r\n"
		"Date: Fri, 4 Oct 2024 23:01:34 +0000\r\n"
		"Subject: Delivery Status Notification (Failure)\r\n"
		"Auto-Submitted: auto-replied\r\n"
		"X-Original-Message-ID: <orig@client.example>\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=delivery-status;\r\n"
		" boundary=\"----=_Part_0_",
		"\r\n\r\nAn error occurred while trying to deliver the mail to the following "
		"recipients:\r\n"
		"bounce@example.net\r\n"
		"late@example.org\r\n\r\n--",
		"\r\n\r\nOriginal-Envelope-Id: QQ+31\r\n"
		"Reporting-MTA: dns; relay.example.com\r\n"
		"Arrival-Date: Fri, 4 Oct 2024 00:00:00 +0000\r\n"
		"\r\n"
		"Original-Recipient: rfc822;a+b@example.net\r\n"
		"Action: failed\r\n"
		"Final-Recipient: rfc822; bounce@example.net\r\n"
		"Diagnostic-Code: smtp; 550 5.1.1 user unknown\r\n"
		"Status: 5.1.1\r\n"
		"Remote-MTA: dns; mx.example.net\r\n"
		"\r\n"
		"Action: failed\r\n"
		"Final-Recipient: rfc822; late@example.org\r\n"
		"Diagnostic-Code: x-postrider; delivery time expired\r\n"
		"Status: 4.4.7\r\n"
		"\r\n--",
		"Content-Type: message/rfc822\r\n"
		"Content-Transfer-Encoding: 7bit\r\n"
		"Content-Description: Undelivered Message\r\n"
		"\r\n"
		"From: jo@example.com\r\nSubject: hi\r\n\r\nbody\r\n\r\n--",
	};
	struct dsn dsn = sample();
	struct buf out = BUF_EMPTY;

	(void)state;
	build(&dsn, &out);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		assert_true(holds(&out, parts[i]));
	assert_true(span_iends(buf_span(&out), SPAN_LIT("--\r\n")));
	assert_int_equal(count_of(&out, "\r\n------=_Part_0_"), 4);
	assert_false(holds(&out, "8bit"));
	buf_free(&out);
}

static void
test_headers_only_and_8bit(void **state)
{
	struct dsn dsn = sample();
	struct buf out = BUF_EMPTY;

	(void)state;
	dsn.headers_only = true;
	dsn.original = SPAN_LIT("Subject: gr\xc3\xbc\xc3\x9f"
				"e\r\n");
	build(&dsn, &out);
	assert_true(holds(&out, "Content-Type: text/rfc822-headers\r\n"
				"Content-Transfer-Encoding: 8bit\r\n"));
	assert_int_equal(count_of(&out, "Content-Transfer-Encoding: 8bit\r\n"), 2);
	buf_free(&out);
}

/* An original that holds the boundary that would be taken gets another one. */
static void
test_boundary_is_not_in_the_original(void **state)
{
	struct dsn dsn = sample();
	struct buf first = BUF_EMPTY, second = BUF_EMPTY, original = BUF_EMPTY;
	struct span boundary;

	(void)state;
	build(&dsn, &first);
	boundary = span_skip(buf_span(&first),
	    (size_t)((const char *)memmem(buf_span(&first).p, buf_len(&first), "----=_Part_", 11) -
		     buf_span(&first).p));
	boundary = span_first(boundary, span_find(boundary, '"'));
	buf_addf(&original, "A: b\r\n\r\n--%.*s--\r\n", SPAN_ARG(boundary));
	dsn.original = buf_span(&original);
	build(&dsn, &second);
	assert_int_equal(count_of(&second, "----=_Part_0_"), 1);
	assert_int_equal(count_of(&second, "----=_Part_1_"), 5);
	buf_free(&first);
	buf_free(&second);
	buf_free(&original);
}

/* No line over 998 octets, no byte but CR LF and printable ASCII, no field that is not ours. */
static void
check_lines(const struct buf *out)
{
	struct span rest = buf_span(out), line;

	while (span_next(&rest, '\n', &line) && rest.p != NULL) {
		assert_true(line.len > 0 && line.p[line.len - 1] == '\r');
		assert_true(line.len - 1 <= 998);
		for (size_t i = 0; i < line.len - 1; i++)
			assert_true(line.p[i] >= ' ' && line.p[i] <= '~');
		assert_false(span_istarts(line, SPAN_LIT("X-Evil")));
		assert_false(line.len > 1 && span_trim(span_first(line, line.len - 1)).len == 0);
	}
}

static void
test_hostile_texts(void **state)
{
	struct span evil =
	    SPAN_LIT("smtp; 550 a\r\nX-Evil: 1\r\n\r\nX-Evil: 2\0\x1b[2J\xff\tz\r\n ");
	struct dsn_recipient recipient = { evil, evil, "5.0.0", evil, evil };
	struct dsn dsn = sample();
	struct buf out = BUF_EMPTY, text = BUF_EMPTY;

	(void)state;
	dsn.recipients = &recipient;
	dsn.count = 1;
	dsn.original_id = dsn.envid = dsn.reporting_mta = dsn.to = evil;
	build(&dsn, &out);
	check_lines(&out);
	assert_true(holds(&out, "Diagnostic-Code: smtp; 550 a X-Evil: 1 X-Evil: 2??[2J? z\r\n"));

	/* long, without and with blanks, at every length about the places of folding */
	for (size_t len = 850; len < 1050; len++) {
		buf_clear(&out);
		buf_clear(&text);
		for (size_t i = 0; i < len; i++)
			buf_add_char(&text, i % 300 == 7 ? ' ' : 'x');
		recipient.diagnostic = buf_span(&text);
		build(&dsn, &out);
		check_lines(&out);
	}
	/* every byte of a very long text is there */
	buf_clear(&text);
	for (size_t i = 0; i < 20000; i++)
		buf_add_char(&text, i < 10000 ? ' ' : '_');
	buf_clear(&out);
	recipient.diagnostic = buf_span(&text);
	dsn.recipients = &recipient;
	build(&dsn, &out);
	check_lines(&out);
	assert_true(count_of(&out, "_") > 10000);
	buf_free(&out);
	buf_free(&text);
}

static void
test_out_of_room(void **state)
{
	struct dsn dsn = sample();
	struct buf out;

	(void)state;
	buf_init(&out, 600);
	assert_rc(dsn_build(&dsn, &out), RC_LATER);
	buf_free(&out);
}

/* The header block is one that our own scanner takes. */
static void
test_own_scanner(void **state)
{
	struct dsn dsn = sample();
	struct buf out = BUF_EMPTY;
	struct header header;

	(void)state;
	build(&dsn, &out);
	assert_rc(header_scan(buf_span(&out), &header, NULL), RC_OK);
	assert_rc(header_check_duplicates(&header, NULL), RC_OK);
	assert_non_null(header_find(&header, SPAN_LIT("Auto-Submitted")));
	assert_null(header_find(&header, SPAN_LIT("Action")));
	header_free(&header);
	buf_free(&out);
}

#define PYTHON "/usr/bin/python3"

static const char reader[] =
    PYTHON " -c '\n"
	   "import sys, email, email.policy\n"
	   "m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)\n"
	   "p = m.get_payload()\n"
	   "s = p[1].get_payload()\n"
	   "assert m.get_content_type() == \"multipart/report\" and not m.defects\n"
	   "assert m.get_param(\"report-type\") == \"delivery-status\"\n"
	   "assert [x.get_content_type() for x in p] == [\"text/plain\",\n"
	   "    \"message/delivery-status\", \"message/rfc822\"]\n"
	   "assert not any(x.defects for x in m.walk())\n"
	   "assert len(s) == 3 and s[0][\"Reporting-MTA\"] == \"dns; relay.example.com\"\n"
	   "assert s[1][\"Status\"] == \"5.1.1\" and s[2][\"Status\"] == \"4.4.7\"\n"
	   "assert s[2][\"Final-Recipient\"] == \"rfc822; late@example.org\"\n"
	   "assert p[2].get_payload(0).get_payload() == \"body\\r\\n\"\n"
	   "'";

static void
test_python_reads_it(void **state)
{
	struct dsn dsn = sample();
	struct buf out = BUF_EMPTY;
	FILE *pipe;

	(void)state;
	if (access(PYTHON, X_OK) != 0)
		skip();
	build(&dsn, &out);
	pipe = popen(reader, "w");
	assert_non_null(pipe);
	assert_int_equal(fwrite(buf_span(&out).p, 1, buf_len(&out), pipe), buf_len(&out));
	assert_int_equal(pclose(pipe), 0);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_text),
		cmocka_unit_test(test_headers_only_and_8bit),
		cmocka_unit_test(test_boundary_is_not_in_the_original),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_out_of_room),
		cmocka_unit_test(test_own_scanner),
		cmocka_unit_test(test_python_reads_it),
	};

	return cmocka_run_group_tests_name("mail/dsn", tests, NULL, NULL);
}
