/* Unit tests of mail/address.c. */
#include "config.h"

#include "mail/address.h"
#include "unit/test.h"
#include "util/buf.h"

/* Each mailbox as "whole|local|domain" and a line end. */
static void
note_mailbox(void *arg, const struct mailbox *box)
{
	struct buf *out = arg;

	buf_add_span(out, box->whole);
	buf_add_char(out, '|');
	buf_add_span(out, box->local);
	buf_add_char(out, '|');
	buf_add_span(out, box->domain);
	buf_add_char(out, '\n');
}

static void
test_lists(void **state)
{
	const struct {
		const char *value, *want;
	} rows[] = {
		{ "jo@example.com", "jo@example.com|jo|example.com\n" },
		{ " jo@example.com ", "jo@example.com|jo|example.com\n" },
		{ "<jo@example.com>", "<jo@example.com>|jo|example.com\n" },
		{ "Jo <jo@example.com>", "Jo <jo@example.com>|jo|example.com\n" },
		{ "\"Jo, D.\" <jo@example.com>", "\"Jo, D.\" <jo@example.com>|jo|example.com\n" },
		{ "J. D. Doe < jo@example.com >", "J. D. Doe < jo@example.com >|jo|example.com\n" },
		{ "a@b.c, d@e.f", "a@b.c|a|b.c\nd@e.f|d|e.f\n" },
		{ "a@b.c,,d@e.f,", "a@b.c|a|b.c\nd@e.f|d|e.f\n" },
		{ "jo@example.com (Jo (the) Doe)",
		    "jo@example.com (Jo (the) Doe)|jo|example.com\n" },
		{ "(x) jo@example.com", "(x) jo@example.com|jo|example.com\n" },
		{ "Jo (a, b@c;) <jo@example.com> (y)",
		    "Jo (a, b@c;) <jo@example.com> (y)|jo|example.com\n" },
		{ "(\\)) jo@example.com", "(\\)) jo@example.com|jo|example.com\n" },
		{ "Jo\r\n\tDoe\r\n <jo@example.com>",
		    "Jo\r\n\tDoe\r\n <jo@example.com>|jo|example.com\n" },
		{ "\r\n jo@example.com", "jo@example.com|jo|example.com\n" },
		{ "jo@example.com <jo@example.com>",
		    "jo@example.com <jo@example.com>|jo|example.com\n" },
		{ "[list] x <jo@example.com>", "[list] x <jo@example.com>|jo|example.com\n" },
		{ "=?UTF-8?Q?J=C3=B6?= <jo@example.com>",
		    "=?UTF-8?Q?J=C3=B6?= <jo@example.com>|jo|example.com\n" },
		{ "\"a@b\"@c.d", "\"a@b\"@c.d|\"a@b\"|c.d\n" },
		{ "<\"a>b\"@c.d>", "<\"a>b\"@c.d>|\"a>b\"|c.d\n" },
		{ "a@[192.0.2.1]", "a@[192.0.2.1]|a|[192.0.2.1]\n" },
		{ "X <a@[IPv6:2001:db8::1]>, b@c",
		    "X <a@[IPv6:2001:db8::1]>|a|[IPv6:2001:db8::1]\nb@c|b|c\n" },
		{ "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]|a|[IPv6:2001:db8::1]\n" },
		{ "undisclosed-recipients:;", "" },
		{ "Team: a@b.c, Jo <d@e.f>; , g@h.i",
		    "a@b.c|a|b.c\nJo <d@e.f>|d|e.f\ng@h.i|g|h.i\n" },
		{ "A:;,B: x@y ;", "x@y|x|y\n" },
		{ "\"Jo\"<jo@example.com>", "\"Jo\"<jo@example.com>|jo|example.com\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct buf got = BUF_EMPTY;

		assert_rc(
		    address_list_parse(span_of(rows[i].value), note_mailbox, &got, &why), RC_OK);
		assert_span(buf_span(&got), rows[i].want);
		assert_int_equal(why.code, 0);
		buf_free(&got);
	}
}

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

static void
test_bad_lists(void **state)
{
	const struct {
		struct span value;
		const char *text;
	} rows[] = {
		{ SPAN_LIT(""), "Empty address" },
		{ SPAN_LIT("  "), "Empty address" },
		{ SPAN_LIT(","), "Empty address" },
		{ SPAN_LIT("(nobody)"), "Empty address" },
		{ SPAN_LIT("<>"), "Empty address" },
		{ SPAN_LIT("Jo <>"), "Empty address" },
		{ SPAN_LIT("jo"), "Missing final '@domain'" },
		{ SPAN_LIT("Jo Doe"), "Missing final '@domain'" },
		{ SPAN_LIT("Doe, Jo <jo@example.com>"), "Missing final '@domain'" },
		{ SPAN_LIT("<jo>"), "Missing final '@domain'" },
		{ SPAN_LIT("\"jo\""), "Missing final '@domain'" },
		{ SPAN_LIT("jo@"), "Missing domain" },
		{ SPAN_LIT("@example.com"), "Missing local name" },
		{ SPAN_LIT("<@a,@b:jo@example.com>"), "Missing local name" },
		{ SPAN_LIT("\"jo"), "Missing '\"'" },
		{ SPAN_LIT("\"jo\\\""), "Missing '\"'" },
		{ SPAN_LIT("<\"jo>"), "Missing '\"'" },
		{ SPAN_LIT("(jo"), "Missing ')'" },
		{ SPAN_LIT("(jo\\)"), "Missing ')'" },
		{ SPAN_LIT("jo) a@b"), "Missing '('" },
		{ SPAN_LIT("<a@b"), "Missing '>'" },
		{ SPAN_LIT("a@b>"), "Missing '<'" },
		{ SPAN_LIT("a@[1.2.3.4"), "Missing ']'" },
		{ SPAN_LIT("<a@b> <c@d>"), "Extra route-addr" },
		{ SPAN_LIT("<a@b> x"), "Illegal text after address" },
		{ SPAN_LIT("<a@b> c@d"), "Illegal text after address" },
		{ SPAN_LIT("a@b; c@d"), "Illegal semicolon, not in group" },
		{ SPAN_LIT(";"), "Illegal semicolon, not in group" },
		{ SPAN_LIT("a: b: c@d;;"), "Nested group" },
		{ SPAN_LIT("<a@b>: c@d;"), "Nested group" },
		{ SPAN_LIT(": c@d;"), "Missing group name" },
		{ SPAN_LIT("a: c@d"), "Missing ';'" },
		{ SPAN_LIT("a b@c"), "Local address contains control or whitespace" },
		{ SPAN_LIT("jo @example.com"), "Local address contains control or whitespace" },
		{ SPAN_LIT("jo(x)@example.com"), "Local address contains illegal character" },
		{ SPAN_LIT("a\"b\"@c"), "Local address contains illegal character" },
		{ SPAN_LIT("a\\b@c"), "Local address contains illegal character" },
		{ SPAN_LIT("\"a\tb\"@c"), "Local address contains illegal character" },
		{ SPAN_LIT("\"\"@c"), "Local address contains illegal character" },
		{ SPAN_LIT("\"a\"b@c"), "Quote not at end of local address" },
		{ SPAN_LIT(".a@b"), "Local address starts with dot" },
		{ SPAN_LIT("a.@b"), "Local address ends with dot" },
		{ SPAN_LIT("a..b@c"), "Local address contains dot-dot" },
		{ SPAN_LIT("a" A64 "@c"), "Local address is longer than 64 characters" },
		{ SPAN_LIT("a@b c"), "Domain contains control or whitespace" },
		{ SPAN_LIT("a@b@c"), "Domain contains illegal character" },
		{ SPAN_LIT("a@b_c"), "Domain contains illegal character" },
		{ SPAN_LIT("a@.b"), "Domain starts with dot" },
		{ SPAN_LIT("a@b..c"), "Domain contains dot-dot" },
		{ SPAN_LIT("a@b."), "Domain ends with dot" },
		{ SPAN_LIT("a@-b"), "Invalid domain name" },
		{ SPAN_LIT("a@a" A64 ".b"), "Invalid domain name" },
		{ SPAN_LIT("a@[999.1.1.1]"), "Invalid domain literal" },
		{ SPAN_LIT("J\xc3\xb6 <jo@example.com>"), "Illegal character in address" },
		{ SPAN_LIT("jo\0@example.com"), "Illegal character in address" },
		{ SPAN_LIT("a@b\r\n"), "Illegal character in address" },
		{ SPAN_LIT("a@b\r\nX: y"), "Illegal character in address" },
		{ SPAN_LIT("a@b\r c"), "Illegal character in address" },
		{ SPAN_LIT("a@b\n c"), "Illegal character in address" },
		{ SPAN_LIT("a@b\x7f"), "Illegal character in address" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct buf got = BUF_EMPTY;
		char want[128] = "Transaction failed: ";

		strcat(want, rows[i].text);
		assert_rc(address_list_parse(rows[i].value, note_mailbox, &got, &why), RC_BAD);
		assert_int_equal(why.code, 554);
		assert_string_equal(why.text, want);
		buf_free(&got);
	}
}

static void
count_mailbox(void *arg, const struct mailbox *box)
{
	assert_true(box->whole.len > 0);
	++*(size_t *)arg;
}

static void
test_limit_of_addresses(void **state)
{
	struct why why = WHY_EMPTY;
	struct buf list = BUF_EMPTY;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < ADDRESS_LIST_MAX; i++)
		buf_addf(&list, "%su%d@example.com", i > 0 ? ", " : "", i);
	assert_rc(address_list_parse(buf_span(&list), count_mailbox, &count, &why), RC_OK);
	assert_int_equal(count, ADDRESS_LIST_MAX);
	buf_addf(&list, ", one@example.com");
	assert_rc(address_list_parse(buf_span(&list), count_mailbox, &count, &why), RC_BAD);
	buf_free(&list);
}

/* Depth costs nothing: a parser that calls itself would run out of stack here. */
static void
test_nested_comments(void **state)
{
	const int depth = 200000;
	struct why why = WHY_EMPTY;
	struct buf list = BUF_EMPTY;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < depth; i++)
		buf_add_char(&list, '(');
	assert_rc(address_list_parse(buf_span(&list), count_mailbox, &count, &why), RC_BAD);
	for (int i = 0; i < depth; i++)
		buf_add_char(&list, ')');
	buf_addf(&list, " a@b");
	assert_rc(address_list_parse(buf_span(&list), count_mailbox, &count, &why), RC_OK);
	assert_int_equal(count, 1);
	buf_free(&list);
}

static void
test_single_address(void **state)
{
	const struct {
		struct span text;
		enum rc rc;
	} rows[] = {
		{ SPAN_LIT("jo@example.com"), RC_OK },
		{ SPAN_LIT("\"j o\"@example.com"), RC_OK },
		{ SPAN_LIT(""), RC_BAD },
		{ SPAN_LIT("jo"), RC_BAD },
		{ SPAN_LIT(" jo@example.com"), RC_BAD },
		{ SPAN_LIT("jo@example.com "), RC_BAD },
		{ SPAN_LIT("<jo@example.com>"), RC_BAD },
		{ SPAN_LIT("Jo <jo@example.com>"), RC_BAD },
		{ SPAN_LIT("jo@example.com(x)"), RC_BAD },
		{ SPAN_LIT("jo@a, b@c"), RC_BAD },
		{ SPAN_LIT("jo\0@example.com"), RC_BAD },
		{ SPAN_LIT("jo@example.com\0"), RC_BAD },
		{ SPAN_LIT("j\xc3\xb6@example.com"), RC_BAD },
		{ SPAN_LIT("jo@example.com\r\n"), RC_BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct mailbox box;

		assert_rc(address_parse(rows[i].text, &box, &why), rows[i].rc);
		if (rows[i].rc == RC_OK)
			assert_int_equal(box.local.len + 1 + box.domain.len, rows[i].text.len);
		else
			assert_true(why.text[0] != '\0');
	}
}

static void
test_domains(void **state)
{
	const struct {
		struct span domain;
		bool strict, underscore;
	} rows[] = {
		{ SPAN_LIT("example.com"), true, true },
		{ SPAN_LIT("localhost"), true, true },
		{ SPAN_LIT("1.2.example"), true, true },
		{ SPAN_LIT("_dmarc.example.com"), false, true },
		{ SPAN_LIT("a_b.example"), false, true },
		{ SPAN_LIT(""), false, false },
		{ SPAN_LIT("."), false, false },
		{ SPAN_LIT("a."), false, false },
		{ SPAN_LIT(".a"), false, false },
		{ SPAN_LIT("a..b"), false, false },
		{ SPAN_LIT("-a"), false, false },
		{ SPAN_LIT("a-"), false, false },
		{ SPAN_LIT("a b"), false, false },
		{ SPAN_LIT("a\0b"), false, false },
		{ SPAN_LIT("a\\"), false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(address_domain_ok(rows[i].domain, false), rows[i].strict);
		assert_int_equal(address_domain_ok(rows[i].domain, true), rows[i].underscore);
	}
}

/* The limits of RFC 1035 section 2.3.4, from both sides. */
static void
test_domain_limits(void **state)
{
	struct buf domain = BUF_EMPTY;

	(void)state;
	for (int i = 0; i < 63; i++)
		buf_add_char(&domain, 'a');
	assert_true(address_domain_ok(buf_span(&domain), false));
	buf_add_char(&domain, 'a');
	assert_false(address_domain_ok(buf_span(&domain), false));
	buf_clear(&domain);
	for (int i = 0; i < 126; i++)
		buf_addf(&domain, "a.");
	buf_add_char(&domain, 'a');
	assert_int_equal(buf_len(&domain), 253);
	assert_true(address_domain_ok(buf_span(&domain), false));
	buf_add_char(&domain, 'a');
	assert_false(address_domain_ok(buf_span(&domain), false));
	buf_free(&domain);
}

static void
test_literals(void **state)
{
	const struct {
		struct span text;
		bool ok;
	} rows[] = {
		{ SPAN_LIT("[192.0.2.1]"), true },
		{ SPAN_LIT("[IPv6:2001:db8::1]"), true },
		{ SPAN_LIT("[ipv6:::1]"), true },
		{ SPAN_LIT("[IPv6:::ffff:192.0.2.1]"), true },
		{ SPAN_LIT("[]"), false },
		{ SPAN_LIT("["), false },
		{ SPAN_LIT(""), false },
		{ SPAN_LIT("[IPv6:]"), false },
		{ SPAN_LIT("[192.0.2.1"), false },
		{ SPAN_LIT("192.0.2.1"), false },
		{ SPAN_LIT("[999.1.1.1]"), false },
		{ SPAN_LIT("[1.2.3]"), false },
		{ SPAN_LIT("[192.0.2.1\0x]"), false },
		{ SPAN_LIT("[192.0.2.1\0]"), false },
		{ SPAN_LIT("[ 192.0.2.1]"), false },
		{ SPAN_LIT("[2001:db8::1]"), false },
		{ SPAN_LIT("[IPv6:fe80::1%1]"), false },
		{ SPAN_LIT("[x:y]"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(address_literal_ok(rows[i].text), rows[i].ok);
}

static void
test_locals(void **state)
{
	const struct {
		struct span text;
		bool ok;
	} rows[] = {
		{ SPAN_LIT("jo"), true },
		{ SPAN_LIT("a..b"), true },
		{ SPAN_LIT(".a."), true },
		{ SPAN_LIT("!#$%&'*+-/=?^_`{|}~"), true },
		{ SPAN_LIT("\"a b\""), true },
		{ SPAN_LIT("\"\\\"\""), true },
		{ SPAN_LIT(A64), true },
		{ SPAN_LIT(""), false },
		{ SPAN_LIT("a" A64), false },
		{ SPAN_LIT("\""), false },
		{ SPAN_LIT("\"\""), false },
		{ SPAN_LIT("\"a"), false },
		{ SPAN_LIT("\"a\\\""), false },
		{ SPAN_LIT("\"a\"b"), false },
		{ SPAN_LIT("a@b"), false },
		{ SPAN_LIT("a b"), false },
		{ SPAN_LIT("a\0"), false },
		{ SPAN_LIT("\"\n\""), false },
		{ SPAN_LIT("\xff"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(address_local_ok(rows[i].text), rows[i].ok);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_limit_of_addresses),
		cmocka_unit_test(test_nested_comments),
		cmocka_unit_test(test_single_address),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_domain_limits),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_locals),
	};

	return cmocka_run_group_tests_name("mail/address", tests, NULL, NULL);
}
