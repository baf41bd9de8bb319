/* Unit tests of mail/attachment.c and mail/mime.c: names, whole and one byte at a time. */
#include "config.h"

#include "mail/attachment.h"
#include "unit/test.h"

#define FIELD(text)   "Content-Disposition: " text "\r\n\r\n"
#define MIXED(b)      "Content-Type: multipart/mixed; boundary=" b "\r\n\r\n"
#define PART(b, name) "--" b "\r\nContent-Type: a/b; name=" name "\r\n\r\ntext\r\n"

static enum rc
on_name(void *arg, struct span name, struct why *why)
{
	struct buf *names = arg;

	(void)why;
	if (buf_len(names) > 0)
		buf_add_char(names, '|');
	buf_add_span(names, name);
	return RC_OK;
}

static enum rc
scan(struct span message, size_t piece, struct buf *names, struct why *why)
{
	struct attachment_scan scan;
	struct header header;
	enum rc rc;

	assert_rc(header_scan(message, &header, NULL), RC_OK);
	rc = attachment_begin(&scan, &header, on_name, names, why);
	for (size_t at = header.body_at; at < message.len && rc == RC_OK; at += piece)
		rc = attachment_feed(&scan, span_first(span_skip(message, at), piece), why);
	if (rc == RC_OK)
		rc = attachment_end(&scan, why);
	attachment_free(&scan);
	header_free(&header);
	return rc;
}

static void
check(const char *message, const char *want)
{
	for (size_t piece = 1; piece <= strlen(message); piece += piece < 8 ? 1 : 31) {
		struct buf names = BUF_EMPTY;

		assert_rc(scan(span_of(message), piece, &names, NULL), RC_OK);
		if (!span_eq(buf_span(&names), span_of(want)))
			fail_msg("%s\nin pieces of %zu: \"%.*s\", not \"%s\"", message, piece,
			    SPAN_ARG(buf_span(&names)), want);
		buf_free(&names);
	}
}

static void
test_values(void **state)
{
	static const struct {
		const char *message, *want;
	} rows[] = {
		{ FIELD("attachment; filename=a.exe"), "a.exe" },
		{ FIELD("attachment; FileName=\"a b.exe\""), "a b.exe" },
		{ FIELD("attachment;\r\n\tfilename=\"a\\\"b.exe\"; size=3"), "a\"b.exe" },
		{ FIELD("attachment; filename=a b.exe ; x=y"), "a b.exe|a" },
		{ FIELD("attachment; filename=a.exe (c;o)"), "a.exe (c|a.exe" },
		{ FIELD("attachment filename=a.exe"), "a.exe" },
		{ FIELD("(c) attachment (d); (e) filename (f) = a.exe"), "a.exe" },
		{ FIELD("attachment; filename=\"a.exe; x=y"), "a.exe; x=y|\"a.exe" },
		{ FIELD("attachment; filename=a.txt; filename=b.exe"), "a.txt|b.exe" },
		{ FIELD("attachment; filename=\"a.txt\" filename=\"b.exe\""), "a.txt|b.exe" },
		{ FIELD("inline"), "" },
		{ FIELD(""), "" },
		{ FIELD(";;;=;=;filename;filename="), "" },
		{ "Content-Type: text/plain; name=a.exe; charset=x\r\n\r\n", "a.exe" },
		/* RFC 2231 */
		{ FIELD("attachment; filename*=utf-8'en'a%2Eexe"), "a.exe" },
		{ FIELD("attachment; filename*=a%2eexe"), "a.exe" },
		{ FIELD("attachment; filename*=utf-8''a%2xe%"), "a%2xe%" },
		{ FIELD("a; filename*0=a.e; filename*1=xe"), "a.exe|a.exe" },
		{ FIELD("a; filename*1=xe; filename*0=\"a.e\""), "a.exe|a.exe" },
		{ FIELD("a; filename*0*=utf-8''a%2e; filename*1=\"e%78\"; filename*2*=%65"),
		    "a.e%78e|a.e%78e" },
		{ FIELD("a; filename*0=a.exe; filename*2=.txt"),
		    "a.exe|a.exe.txt|a.exe|a.exe.txt" },
		{ FIELD("a; filename*0=a.exe; filename*0=a.txt"), "a.exe|a.txt" },
		{ FIELD("a; filename=a.txt; filename*0=a.exe"), "a.txt|a.exe|a.exe" },
		{ FIELD("a; filename*x=a.exe"), "a.exe" },
		/* RFC 2047 */
		{ FIELD("a; filename=\"=?utf-8?Q?a_b=2Eexe?=\""), "a b.exe" },
		{ FIELD("a; filename=\"=?utf-8?b?YS5leGU=?=\""), "a.exe" },
		{ FIELD("a; filename=\"=?utf-8?b?YS5l?=\r\n =?utf-8?Q?xe?=\""), "a.exe" },
		{ FIELD("a; filename=\"=?utf-8?Q?a?= b.exe\""), "a b.exe" },
		{ FIELD("a; filename=\"x =?utf-8?x?a?= =?utf-8?Q?a\""),
		    "x =?utf-8?x?a?= =?utf-8?Q?a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].message, rows[i].want);
}

static void
test_structure(void **state)
{
	static const struct {
		const char *message, *want;
	} rows[] = {
		{ "Subject: x\r\n\r\n" PART("b", "a.exe"), "" },
		{ MIXED("b") "pre\r\n" PART("b", "1") PART("b", "2") "--b--\r\nend\r\n", "1|2" },
		{ MIXED("\"b c\"") PART("b c", "1"), "1" },
		{ MIXED("b") PART("b", "1") "--b--\r\n" PART("b", "2"),
		    "1|2" }, /* closed, and goes on */
		{ MIXED("b") "--b \t\r\nContent-Type: a/b; name=1\r\n", "1" },
		{ MIXED("b") "--bc\r\nContent-Type: a/b; name=1\r\n\r\n",
		    "1" }, /* RFC 2046 5.1.1 */
		{ MIXED("b") " --b\r\nContent-Type: a/b; name=1\r\n\r\nx--b\r\n"
			     "Content-Type: a/b; name=2\r\n\r\n-b\r\nContent-Type: a/b; name=3\r\n",
		    "" },
		{ MIXED("b") "--b\r\n--b\r\nContent-Type: a/b; name=1\r\n\r\n", "1" },
		{ MIXED("b") "--b\r\nContent-Type: a/b;\r\n name=1\r\n--b\r\n\r\n", "1" },
		{ MIXED("b") "--b\r\nContent-Type : a/b;\r\n\tname=1\r\nno colon\r\n"
			     "CONTENT-DISPOSITION:a;filename=2\r\n\r\n",
		    "1|2" },
		{ MIXED("b") "--b\r\nX-Content-Type: a/b; name=1\r\n\r\n", "" },
		/* nested, left open, and the outer one goes on */
		{ MIXED("o") "--o\r\n" MIXED("i") PART("i", "1") PART("o", "2") PART("i", "3"),
		    "1|2" },
		{ MIXED("o") "--o\r\n" MIXED("o") PART("o", "1") PART("o", "2"), "1|2" },
		{ MIXED("ab") "--ab\r\n" MIXED("a") PART("a", "1") PART("ab", "2") PART("a", "3"),
		    "1|2|3" },
		{ MIXED("b") "--b\r\nContent-Type: message/rfc822\r\n\r\n"
			     "Subject: x\r\nContent-Type: a/b; name=1\r\n\r\nx\r\n" PART("b", "2"),
		    "1|2" },
		{ "Content-Type: message/rfc822\r\n\r\n" MIXED("b") PART("b", "1"), "1" },
		{ "Content-Type: multipart/mixed; boundary*0=b; boundary*1=c\r\n\r\n" PART(
		      "bc", "1"),
		    "1" },
		{ "Content-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n" PART("b", "1")
			PART("c", "2"),
		    "1|2" },
		{ "Content-Type: multipart/mixed\r\n\r\n" PART("b", "1"), "" },
		{ "Content-Type: text/plain; boundary=b\r\n\r\n" PART("b", "1"), "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].message, rows[i].want);
}

static void
test_limits(void **state)
{
	struct buf message = BUF_EMPTY, names = BUF_EMPTY;
	struct why why = WHY_EMPTY;

	(void)state;
	for (int i = 0; i <= ATTACHMENT_BOUNDARIES_MAX; i++) {
		buf_addf(&message, "Content-Type: multipart/mixed; boundary=b%d.\r\n\r\n", i);
		if (i == ATTACHMENT_BOUNDARIES_MAX - 1)
			assert_rc(scan(buf_span(&message), 1000, &names, &why), RC_OK);
		buf_addf(&message, "--b%d.\r\n", i);
	}
	assert_rc(scan(buf_span(&message), 1000, &names, &why), RC_BAD);
	assert_string_equal(why.text, "Transaction failed: MIME parts are nested too deeply.");

	/* one after the other is not nested */
	buf_clear(&message);
	buf_addf(&message, "%s", MIXED("o"));
	for (int i = 0; i <= ATTACHMENT_BOUNDARIES_MAX; i++)
		buf_addf(&message,
		    "--o\r\nContent-Type: multipart/mixed; boundary=b%d.\r\n\r\n--b%d.\r\n", i, i);
	assert_rc(scan(buf_span(&message), 1000, &names, &why), RC_OK);

	buf_clear(&message);
	buf_addf(&message, "%s--b\r\nContent-Type: a/b; %0*d\r\n", MIXED("b"), HEADER_FIELD_MAX, 0);
	assert_rc(scan(buf_span(&message), 1, &names, &why), RC_BAD);
	assert_string_equal(why.text, "Transaction failed: Header field is too long.");

	buf_clear(&message);
	buf_addf(&message, "%s--b\r\nX-Other: a/b; %0*d\r\n", MIXED("b"), HEADER_FIELD_MAX, 0);
	assert_rc(scan(buf_span(&message), buf_len(&message), &names, &why), RC_OK);

	buf_clear(&message);
	buf_addf(&message, "Content-Type: a/b");
	for (int i = 0; i <= MIME_PARAMS_MAX; i++)
		buf_addf(&message, "; a=b");
	buf_addf(&message, "\r\n\r\n");
	assert_rc(scan(buf_span(&message), 1000, &names, &why), RC_BAD);
	assert_string_equal(why.text, "Transaction failed: Too many MIME parameters.");
	buf_free(&message);
	buf_free(&names);
}

static void
test_extensions(void **state)
{
	static char exe[] = "exe", ps1[] = "PS1";
	char *const list[] = { exe, ps1 };
	static const struct {
		struct span name;
		bool blocked;
	} rows[] = {
		{ SPAN_LIT("a.exe"), true },
		{ SPAN_LIT("a.txt.EXE"), true },
		{ SPAN_LIT("a.exe. . "), true },
		{ SPAN_LIT("a.exe\0.txt"), true },
		{ SPAN_LIT("a.ps1"), true },
		{ SPAN_LIT(".exe"), true },
		{ SPAN_LIT("a.exe.txt"), false },
		{ SPAN_LIT("exe"), false },
		{ SPAN_LIT("a.exes"), false },
		{ SPAN_LIT("a.xexe"), false },
		{ SPAN_LIT("..."), false },
		{ SPAN_LIT(""), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(attachment_has_extension(rows[i].name, list, 2), rows[i].blocked);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_extensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
