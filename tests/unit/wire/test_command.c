/* Unit tests of wire/command.c. */
#include "config.h"

#include "unit/test.h"
#include "util/buf.h"
#include "wire/command.h"

#include <stdio.h>

static void
test_verbs(void **state)
{
	const struct {
		struct span line;
		enum verb verb;
		const char *name, *arg;
	} rows[] = {
		{ SPAN_LIT("EHLO client.example"), VERB_EHLO, "EHLO", "client.example" },
		{ SPAN_LIT("ehlo  client.example  "), VERB_EHLO, "ehlo", "client.example" },
		{ SPAN_LIT("HeLo\tx"), VERB_HELO, "HeLo", "x" },
		{ SPAN_LIT("STARTTLS"), VERB_STARTTLS, "STARTTLS", "" },
		{ SPAN_LIT("AUTH PLAIN AGE="), VERB_AUTH, "AUTH", "PLAIN AGE=" },
		{ SPAN_LIT("MAIL FROM:<a@b>"), VERB_MAIL, "MAIL", "FROM:<a@b>" },
		{ SPAN_LIT("RCPT TO:<a@b>"), VERB_RCPT, "RCPT", "TO:<a@b>" },
		{ SPAN_LIT("DATA "), VERB_DATA, "DATA", "" },
		{ SPAN_LIT("RSET"), VERB_RSET, "RSET", "" },
		{ SPAN_LIT("NOOP x y"), VERB_NOOP, "NOOP", "x y" },
		{ SPAN_LIT("QUIT"), VERB_QUIT, "QUIT", "" },
		{ SPAN_LIT("VRFY root"), VERB_VRFY, "VRFY", "root" },
		{ SPAN_LIT("EXPN x"), VERB_EXPN, "EXPN", "x" },
		{ SPAN_LIT("HELP"), VERB_HELP, "HELP", "" },
		{ SPAN_LIT("ETRN x"), VERB_REFUSED, "ETRN", "x" },
		{ SPAN_LIT("TURN"), VERB_REFUSED, "TURN", "" },
		{ SPAN_LIT("XCLIENT NAME=x"), VERB_REFUSED, "XCLIENT", "NAME=x" },
		{ SPAN_LIT("XFORWARD NAME=x"), VERB_REFUSED, "XFORWARD", "NAME=x" },
		{ SPAN_LIT("DEBUG"), VERB_REFUSED, "DEBUG", "" },
		{ SPAN_LIT("wiz"), VERB_REFUSED, "wiz", "" },
		{ SPAN_LIT("BDAT 0 LAST"), VERB_REFUSED, "BDAT", "0 LAST" },
		{ SPAN_LIT("LHLO x"), VERB_REFUSED, "LHLO", "x" },
		{ SPAN_LIT(""), VERB_UNKNOWN, "", "" },
		{ SPAN_LIT(" MAIL"), VERB_UNKNOWN, "", "MAIL" },
		{ SPAN_LIT("MAILX"), VERB_UNKNOWN, "MAILX", "" },
		{ SPAN_LIT("MAI"), VERB_UNKNOWN, "MAI", "" },
		{ SPAN_LIT("GET / HTTP/1.1"), VERB_FOREIGN, "GET", "/ HTTP/1.1" },
		{ SPAN_LIT("post / HTTP/1.0"), VERB_FOREIGN, "post", "/ HTTP/1.0" },
		{ SPAN_LIT("PUT /x"), VERB_FOREIGN, "PUT", "/x" },
		{ SPAN_LIT("CONNECT x:25 HTTP/1.1"), VERB_FOREIGN, "CONNECT", "x:25 HTTP/1.1" },
		{ SPAN_LIT("HTTP/1.1 200 OK"), VERB_FOREIGN, "HTTP/1.1", "200 OK" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct command command;

		assert_rc(command_parse(rows[i].line, &command, &why), RC_OK);
		assert_int_equal(command.verb, rows[i].verb);
		assert_span(command.name, rows[i].name);
		assert_span(command.arg, rows[i].arg);
		assert_int_equal(why.code, 0);
	}
}

static void
test_tls_records_are_foreign(void **state)
{
	const struct span rows[] = {
		SPAN_LIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		SPAN_LIT("\x80\x2e\x01\x03\x01\x00\x15"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command;

		assert_rc(command_parse(rows[i], &command, NULL), RC_OK);
		assert_int_equal(command.verb, VERB_FOREIGN);
	}
}

static void
test_bad_bytes(void **state)
{
	const struct {
		struct span line;
		int code;
		const char *text;
	} rows[] = {
		{ SPAN_LIT("EHLO a\0b"), 501, "Syntax error in parameters or arguments" },
		{ SPAN_LIT("EHLO \x1b[2J"), 501, "Syntax error in parameters or arguments" },
		{ SPAN_LIT("EHLO caf\xc3\xa9"), 501, "Syntax error in parameters or arguments" },
		{ SPAN_LIT("HELO \x7f"), 501, "Syntax error in parameters or arguments" },
		{ SPAN_LIT("NO\0OP"), 500, "Error: bad syntax" },
		{ SPAN_LIT("\xff\xfb\x18"), 500, "Error: bad syntax" },
		{ SPAN_LIT("MAIL FROM:<\xc3\xa9@example.com>"), 501,
		    "Invalid MAIL FROM address provided" },
		{ SPAN_LIT("RCPT TO:<a\rb@example.com>"), 501, "Invalid RCPT TO address provided" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct command command;

		assert_rc(command_parse(rows[i].line, &command, &why), RC_BAD);
		assert_int_equal(why.code, rows[i].code);
		assert_string_equal(why.text, rows[i].text);
	}
}

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define A63 A16 A16 A16 "aaaaaaaaaaaaaaa"

static void
test_paths(void **state)
{
	const struct {
		const char *path, *whole, *local, *domain;
	} rows[] = {
		{ "<a@example.com>", "a@example.com", "a", "example.com" },
		{ "  <a@example.com>", "a@example.com", "a", "example.com" },
		{ "a@example.com", "a@example.com", "a", "example.com" },
		{ " a@example.com ", "a@example.com", "a", "example.com" },
		{ "<a@b>", "a@b", "a", "b" },
		{ "<a@EXAMPLE.Com>", "a@EXAMPLE.Com", "a", "EXAMPLE.Com" },
		{ "<a..b.@example.com>", "a..b.@example.com", "a..b.", "example.com" },
		{ "<.a@example.com>", ".a@example.com", ".a", "example.com" },
		{ "<u%other@here>", "u%other@here", "u%other", "here" },
		{ "<other!u@here>", "other!u@here", "other!u", "here" },
		{ "<\"u@other\"@here>", "\"u@other\"@here", "\"u@other\"", "here" },
		{ "<\"a b\"@here>", "\"a b\"@here", "\"a b\"", "here" },
		{ "\"a b\"@here", "\"a b\"@here", "\"a b\"", "here" },
		{ "<\"a\\\"b>\"@here>", "\"a\\\"b>\"@here", "\"a\\\"b>\"", "here" },
		{ "<\";cmd;$(x)\"@here>", "\";cmd;$(x)\"@here", "\";cmd;$(x)\"", "here" },
		{ "<|`$%n%s/../@here>", "|`$%n%s/../@here", "|`$%n%s/../", "here" },
		{ "<a@[192.0.2.1]>", "a@[192.0.2.1]", "a", "[192.0.2.1]" },
		{ "<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]" },
		{ "<a@xn--bcher-kva.example>", "a@xn--bcher-kva.example", "a",
		    "xn--bcher-kva.example" },
		{ "<" A64 "@b>", A64 "@b", A64, "b" },
		{ "<a@" A63 ".b>", "a@" A63 ".b", "a", A63 ".b" },
		/* 254 octets between the brackets */
		{ "<a@" A63 "." A63 "." A63
		  ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>",
		    "a@" A63 "." A63 "." A63
		    ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "a",
		    A63 "." A63 "." A63
			".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf arg = BUF_EMPTY;
		struct mail_command mail;
		struct rcpt_command rcpt;

		buf_addf(&arg, "FROM:%s", rows[i].path);
		assert_rc(command_parse_mail(buf_span(&arg), &mail, NULL), RC_OK);
		assert_span(mail.from.whole, rows[i].whole);
		assert_span(mail.from.local, rows[i].local);
		assert_span(mail.from.domain, rows[i].domain);
		buf_clear(&arg);
		buf_addf(&arg, "to:%s", rows[i].path);
		assert_rc(command_parse_rcpt(buf_span(&arg), &rcpt, NULL), RC_OK);
		assert_span(rcpt.to.whole, rows[i].whole);
		buf_free(&arg);
	}
}

static void
test_bad_paths(void **state)
{
	const struct span rows[] = {
		SPAN_LIT(""),
		SPAN_LIT("a"),
		SPAN_LIT("<a>"),
		SPAN_LIT("<a@>"),
		SPAN_LIT("<@b>"),
		SPAN_LIT("@b"),
		SPAN_LIT("<a@b"),
		SPAN_LIT("a@b>"),
		SPAN_LIT("<a@b>>"),
		SPAN_LIT("<<a@b>>"),
		SPAN_LIT("< a@b>"),
		SPAN_LIT("<a@b >"),
		SPAN_LIT("<a @b>"),
		SPAN_LIT("<a@b>SIZE=1"),
		SPAN_LIT("Jo <a@b>"),
		SPAN_LIT("<u@other@here>"),
		SPAN_LIT("<@a:u@c>"),
		SPAN_LIT("<@a,@b:u@c>"),
		SPAN_LIT("<\"\"@b>"),
		SPAN_LIT("<\"a@b>"),
		SPAN_LIT("<\"a\"b@c>"),
		SPAN_LIT("<\"a\\\"@c>"),
		SPAN_LIT("<\"a\tb\"@c>"),
		SPAN_LIT("<a\"b\"@c>"),
		SPAN_LIT("<\"a\rb\"@c>"),
		SPAN_LIT("<\"a\nb\"@c>"),
		SPAN_LIT("<\"a\0b\"@c>"),
		SPAN_LIT("<a\0b@c>"),
		SPAN_LIT("<a\x1b@c>"),
		SPAN_LIT("<\xc3\xa9@c>"),
		SPAN_LIT("<a@\xc3\xa9>"),
		SPAN_LIT("<;cmd;@c>"),
		SPAN_LIT("<a@b..c>"),
		SPAN_LIT("<a@.b>"),
		SPAN_LIT("<a@b.>"),
		SPAN_LIT("<a@-b>"),
		SPAN_LIT("<a@b->"),
		SPAN_LIT("<a@b_c>"),
		SPAN_LIT("<a@b,c@d>"),
		SPAN_LIT("<a@b;c>"),
		SPAN_LIT("<a@[]>"),
		SPAN_LIT("<a@[127.0.0.1>"),
		SPAN_LIT("<a@127.0.0.1]>"),
		SPAN_LIT("<a@[999.1.1.1]>"),
		SPAN_LIT("<a@[1.2.3]>"),
		SPAN_LIT("<a@[IPv6:1.2.3.4]>"),
		SPAN_LIT("<a@[IPv6:2001:db8::1::2]>"),
		SPAN_LIT("<a@[2001:db8::1]>"),
		SPAN_LIT("<a@[IPv6:fe80::1%eth0]>"),
		SPAN_LIT("<a" A64 "@b>"),
		SPAN_LIT("<a@a" A63 ".b>"),
		SPAN_LIT("<a@" A63 "." A63 "." A63 "." A63 ">"),
		/* 255 octets between the brackets, though each part is in its limit */
		SPAN_LIT("<aa@" A63 "." A63 "." A63
			 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct buf arg = BUF_EMPTY;
		struct mail_command mail;
		struct rcpt_command rcpt;

		buf_addf(&arg, "FROM:");
		buf_add_span(&arg, rows[i]);
		assert_rc(command_parse_mail(buf_span(&arg), &mail, &why), RC_BAD);
		assert_int_equal(why.code, 501);
		assert_string_equal(why.text, "Invalid MAIL FROM address provided");
		buf_clear(&arg);
		buf_addf(&arg, "TO:");
		buf_add_span(&arg, rows[i]);
		assert_rc(command_parse_rcpt(buf_span(&arg), &rcpt, &why), RC_BAD);
		assert_int_equal(why.code, 501);
		assert_string_equal(why.text, "Invalid RCPT TO address provided");
		buf_free(&arg);
	}
}

static void
test_long_input_is_refused(void **state)
{
	struct buf arg = BUF_EMPTY;
	struct mail_command mail;

	(void)state;
	buf_addf(&arg, "FROM:<a@[");
	for (int i = 0; i < 5000; i++)
		buf_add_char(&arg, '1');
	buf_addf(&arg, "]>");
	assert_rc(command_parse_mail(buf_span(&arg), &mail, NULL), RC_BAD);
	buf_clear(&arg);
	buf_addf(&arg, "FROM:<");
	for (int i = 0; i < 200; i++)
		buf_addf(&arg, "%s@h%d", i > 0 ? "," : "", i);
	buf_addf(&arg, ":u@c>");
	assert_rc(command_parse_mail(buf_span(&arg), &mail, NULL), RC_BAD);
	buf_free(&arg);
}

static void
test_null_sender(void **state)
{
	struct why why = WHY_EMPTY;
	struct mail_command mail;
	struct rcpt_command rcpt;

	(void)state;
	assert_rc(command_parse_mail(SPAN_LIT("FROM:<> SIZE=10"), &mail, &why), RC_OK);
	assert_int_equal(mail.from.whole.len, 0);
	assert_int_equal(mail.size, 10);
	assert_rc(command_parse_rcpt(SPAN_LIT("TO:<>"), &rcpt, &why), RC_BAD);
	assert_string_equal(why.text, "Invalid RCPT TO address provided");
}

static void
test_missing_keyword(void **state)
{
	const char *rows[] = { "", "<a@b>", "FRO", "FROM <a@b>", "FROM", "TOO:<a@b>" };
	struct mail_command mail;
	struct rcpt_command rcpt;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		char want[128];

		assert_rc(command_parse_mail(span_of(rows[i]), &mail, &why), RC_BAD);
		assert_int_equal(why.code, 501);
		assert_string_equal(why.text, "Syntax: MAIL FROM: <address>");
		assert_rc(command_parse_rcpt(span_of(rows[i]), &rcpt, &why), RC_BAD);
		assert_int_equal(why.code, 501);
		(void)snprintf(want, sizeof want,
		    "Syntax: RCPT TO: <address>  Error in parameters: \"%s\"", rows[i]);
		assert_string_equal(why.text, want);
	}
}

static void
test_mail_parameters(void **state)
{
	struct mail_command mail;

	(void)state;
	assert_rc(command_parse_mail(
		      SPAN_LIT("FROM:<a@b>  size=9223372036854775807\tBODY=8bitmime RET=HDRS "
			       "ENVID=QQ+2B314 AUTH=<>"),
		      &mail, NULL),
	    RC_OK);
	assert_true(mail.size == INT64_MAX);
	assert_true(mail.body_8bit);
	assert_int_equal(mail.ret, DSN_RET_HDRS);
	assert_span(mail.envid, "QQ+2B314");
	assert_span(mail.auth, "<>");
	assert_rc(command_parse_mail(SPAN_LIT("FROM: a@b BODY=7BIT RET=full"), &mail, NULL), RC_OK);
	assert_false(mail.body_8bit);
	assert_int_equal(mail.ret, DSN_RET_FULL);
	assert_true(mail.size == -1);
	assert_int_equal(mail.envid.len, 0);
	assert_int_equal(mail.auth.len, 0);
}

static void
test_bad_mail_parameters(void **state)
{
	const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "SIZE=-1", 501 },
		{ "SIZE=", 501 },
		{ "SIZE", 501 },
		{ "SIZE=x", 501 },
		{ "SIZE=1e3", 501 },
		{ "SIZE=+1", 501 },
		{ "SIZE=9223372036854775808", 501 },
		{ "SIZE=99999999999999999999999999", 501 },
		{ "SIZE=1 SIZE=1", 501 },
		{ "SIZE=1 BODY=7BIT size=2", 501 },
		{ "BODY=BINARYMIME", 501 },
		{ "RET=NONE", 501 },
		{ "ENVID=a+0Ab", 501 },
		{ "ENVID=a=b", 501 },
		{ "ENVID=" A64 A64, 501 },
		{ "AUTH=a+0D+0Ab", 501 },
		{ "AUTH=+00", 501 },
		{ "=", 501 },
		{ "=x", 501 },
		{ "-A=x", 501 },
		{ "A_B=x", 501 },
		{ "SMTPUTF8", 555 },
		{ "XVERP", 555 },
		{ "NOTIFY=NEVER", 555 },
		{ "X=y", 555 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct buf arg = BUF_EMPTY;
		struct mail_command mail;

		buf_addf(&arg, "FROM:<a@b> %s", rows[i].text);
		assert_rc(command_parse_mail(buf_span(&arg), &mail, &why), RC_BAD);
		assert_int_equal(why.code, rows[i].code);
		buf_free(&arg);
	}
}

static void
test_200_parameters(void **state)
{
	struct why why = WHY_EMPTY;
	struct buf arg = BUF_EMPTY;
	struct mail_command mail;

	(void)state;
	buf_addf(&arg, "FROM:<a@b>");
	for (int i = 0; i < 200; i++)
		buf_addf(&arg, " X%d=y", i);
	assert_rc(command_parse_mail(buf_span(&arg), &mail, &why), RC_BAD);
	assert_true(why.code == 501 || why.code == 555);
	buf_free(&arg);
}

static void
test_rcpt_parameters(void **state)
{
	const struct {
		const char *text;
		enum rc rc;
		int code;
		unsigned notify;
		const char *orcpt;
	} rows[] = {
		{ "", RC_OK, 0, 0, "" },
		{ "NOTIFY=NEVER", RC_OK, 0, NOTIFY_NEVER, "" },
		{ "notify=success,FAILURE,Delay", RC_OK, 0,
		    NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, "" },
		{ "NOTIFY=FAILURE ORCPT=rfc822;a+2Bb@c", RC_OK, 0, NOTIFY_FAILURE,
		    "rfc822;a+2Bb@c" },
		{ "NOTIFY=NEVER,DELAY", RC_BAD, 501, 0, NULL },
		{ "NOTIFY=", RC_BAD, 501, 0, NULL },
		{ "NOTIFY", RC_BAD, 501, 0, NULL },
		{ "NOTIFY=SUCCESS,", RC_BAD, 501, 0, NULL },
		{ "NOTIFY=OFTEN", RC_BAD, 501, 0, NULL },
		{ "NOTIFY=DELAY NOTIFY=DELAY", RC_BAD, 501, 0, NULL },
		{ "ORCPT=a@b", RC_BAD, 501, 0, NULL },
		{ "ORCPT=rfc822;", RC_BAD, 501, 0, NULL },
		{ "ORCPT=;a@b", RC_BAD, 501, 0, NULL },
		{ "ORCPT=rfc822;a+0Ab", RC_BAD, 501, 0, NULL },
		{ "ORCPT=rfc822;a+0ab", RC_BAD, 501, 0, NULL },
		{ "SIZE=1", RC_BAD, 555, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct buf arg = BUF_EMPTY;
		struct rcpt_command rcpt;

		buf_addf(&arg, "TO:<a@b> %s", rows[i].text);
		assert_rc(command_parse_rcpt(buf_span(&arg), &rcpt, &why), rows[i].rc);
		assert_int_equal(why.code, rows[i].code);
		if (rows[i].rc == RC_OK) {
			assert_int_equal(rcpt.notify, rows[i].notify);
			assert_span(rcpt.orcpt, rows[i].orcpt);
		}
		buf_free(&arg);
	}
}

static void
test_xtext(void **state)
{
	const struct {
		struct span text;
		enum rc rc;
	} rows[] = {
		{ SPAN_LIT(""), RC_OK },
		{ SPAN_LIT("abc<>!~"), RC_OK },
		{ SPAN_LIT("+2B+3D+20+7E"), RC_OK },
		{ SPAN_LIT("a b"), RC_BAD },
		{ SPAN_LIT("a=b"), RC_BAD },
		{ SPAN_LIT("+"), RC_BAD },
		{ SPAN_LIT("+2"), RC_BAD },
		{ SPAN_LIT("+2b"), RC_BAD },
		{ SPAN_LIT("+G0"), RC_BAD },
		{ SPAN_LIT("+00"), RC_BAD },
		{ SPAN_LIT("+0A"), RC_BAD },
		{ SPAN_LIT("+0D"), RC_BAD },
		{ SPAN_LIT("+1B"), RC_BAD },
		{ SPAN_LIT("+7F"), RC_BAD },
		{ SPAN_LIT("a\nb"), RC_BAD },
		{ SPAN_LIT("\xc3\xa9"), RC_BAD },
		{ SPAN_LIT("\0"), RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_rc(xtext_check(rows[i].text), rows[i].rc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_tls_records_are_foreign),
		cmocka_unit_test(test_bad_bytes),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_long_input_is_refused),
		cmocka_unit_test(test_null_sender),
		cmocka_unit_test(test_missing_keyword),
		cmocka_unit_test(test_mail_parameters),
		cmocka_unit_test(test_bad_mail_parameters),
		cmocka_unit_test(test_200_parameters),
		cmocka_unit_test(test_rcpt_parameters),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests_name("wire/command", tests, NULL, NULL);
}
