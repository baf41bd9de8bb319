/* Unit tests of mail/header.c. */
#include "config.h"

#include "mail/header.h"
#include "unit/test.h"
#include "util/buf.h"

static void
test_fields(void **state)
{
	const struct span block = SPAN_LIT("From: jo@example.com\r\n"
					   "Subject:\tone\r\n two\r\n\t three\r\n"
					   "Empty:\r\n"
					   "X-a:b:c\r\n"
					   "\r\n"
					   "body: no field\r\n");
	const char *names[] = { "From", "Subject", "Empty", "X-a" };
	const char *values[] = { " jo@example.com", "\tone\r\n two\r\n\t three", "", "b:c" };
	struct header header;
	size_t at = 0;

	(void)state;
	assert_rc(header_scan(block, &header, NULL), RC_OK);
	assert_int_equal(header.count, 4);
	for (size_t i = 0; i < header.count; i++) {
		assert_span(header.fields[i].name, names[i]);
		assert_span(header.fields[i].value, values[i]);
		assert_ptr_equal(header.fields[i].whole.p, block.p + at);
		at += header.fields[i].whole.len;
	}
	assert_int_equal(header.size, at);
	assert_int_equal(header.body_at, at + 2);
	assert_ptr_equal(header_find(&header, SPAN_LIT("subject")), &header.fields[1]);
	assert_null(header_find(&header, SPAN_LIT("Subj")));
	header_free(&header);
	header_free(&header);
}

static void
test_where_the_body_begins(void **state)
{
	const struct {
		const char *text;
		size_t count, size, body_at;
	} rows[] = {
		{ "", 0, 0, 0 },
		{ "\r\n", 0, 0, 2 },
		{ "\r\nA: b\r\n", 0, 0, 2 },
		{ "A: b\r\n", 1, 6, 6 },
		{ "A: b\r\n\r\n", 1, 6, 8 },
		{ "A: b\r\n\r\nx", 1, 6, 8 },
		{ "A: b\r\n \r\nC: d\r\n\r\n", 2, 15, 17 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header header;

		assert_rc(header_scan(span_of(rows[i].text), &header, NULL), RC_OK);
		assert_int_equal(header.count, rows[i].count);
		assert_int_equal(header.size, rows[i].size);
		assert_int_equal(header.body_at, rows[i].body_at);
		header_free(&header);
	}
}

static void
test_bad_blocks(void **state)
{
	const struct {
		struct span block;
		const char *text;
	} rows[] = {
		{ SPAN_LIT("no colon\r\n\r\n"), "Header line without colon." },
		{ SPAN_LIT("A: b\r\nno colon\r\n\r\n"), "Header line without colon." },
		{ SPAN_LIT("A\r\n : b\r\n\r\n"), "Header line without colon." },
		{ SPAN_LIT("A : b\r\n\r\n"), "Header name contains whitespace." },
		{ SPAN_LIT("A\t: b\r\n\r\n"), "Header name contains whitespace." },
		{ SPAN_LIT("From jo@x Mon Jan  1 10:00:00\r\nA: b\r\n\r\n"),
		    "Header name contains whitespace." },
		{ SPAN_LIT("From jo@x\r\nA: b\r\n\r\n"), "Header line without colon." },
		{ SPAN_LIT(": b\r\n\r\n"), "Empty header names are illegal." },
		{ SPAN_LIT("A\0: b\r\n\r\n"), "Header name contains illegal character." },
		{ SPAN_LIT("A\x1b: b\r\n\r\n"), "Header name contains illegal character." },
		{ SPAN_LIT("S\xc3\xbc: b\r\n\r\n"), "Header name contains illegal character." },
		{ SPAN_LIT(" A: b\r\n\r\n"), "Header begins with a continuation line." },
		{ SPAN_LIT("\tA: b\r\n\r\n"), "Header begins with a continuation line." },
		{ SPAN_LIT("A: b\v\r\n\r\n"), "Header 'A' contains illegal character." },
		{ SPAN_LIT("A: b\fc\r\n\r\n"), "Header 'A' contains illegal character." },
		{ SPAN_LIT("A: b\r\n \0\r\n\r\n"), "Header 'A' contains illegal character." },
		{ SPAN_LIT("A: b\x7f\r\n\r\n"), "Header 'A' contains illegal character." },
		{ SPAN_LIT("A: b\rc\r\n\r\n"), "Header 'A' contains illegal character." },
		{ SPAN_LIT("A: b\n\r\n"), "Header line does not end in CRLF." },
		{ SPAN_LIT("A: b"), "Header line does not end in CRLF." },
		{ SPAN_LIT("A: b\r\n c"), "Header line does not end in CRLF." },
		{ SPAN_LIT("A: b\r"), "Header line does not end in CRLF." },
		{ SPAN_LIT("\n"), "Header line does not end in CRLF." },
		{ SPAN_LIT("From: J\xc3\xb6 <jo@x>\r\n\r\n"),
		    "Header 'From' contains illegal character." },
		{ SPAN_LIT("to: a@b,\r\n \xff@x\r\n\r\n"),
		    "Header 'to' contains illegal character." },
		{ SPAN_LIT("Resent-From: \xc3\xb6@x\r\n\r\n"),
		    "Header 'Resent-From' contains illegal character." },
		{ SPAN_LIT("Return-Path: \xc3\xb6@x\r\n\r\n"),
		    "Header 'Return-Path' contains illegal character." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct header header;
		char want[128] = "Transaction failed: ";

		strcat(want, rows[i].text);
		assert_rc(header_scan(rows[i].block, &header, &why), RC_BAD);
		assert_int_equal(why.code, 554);
		assert_string_equal(why.text, want);
		assert_null(header.fields);
	}
}

static void
test_8bit_in_other_fields_passes(void **state)
{
	struct header header;

	(void)state;
	assert_rc(header_scan(SPAN_LIT("Subject: gr\xc3\xbc\xc3\x9f"
				       "e\r\nTopic: \xff\r\n\r\n"),
		      &header, NULL),
	    RC_OK);
	assert_int_equal(header.count, 2);
	header_free(&header);
}

/* A block with one field whose line has `size` bytes in all, name and CR LF included. */
static void
make_field(struct buf *out, size_t name, size_t size)
{
	for (size_t i = 0; i < name; i++)
		buf_add_char(out, 'n');
	buf_add_char(out, ':');
	for (size_t i = name + 1; i < size - 2; i++)
		buf_add_char(out, 'v');
	buf_add(out, "\r\n", 2);
}

static void
check_limit(struct buf *block, enum rc want)
{
	struct header header;

	assert_rc(header_scan(buf_span(block), &header, NULL), want);
	header_free(&header);
	buf_clear(block);
}

static void
test_limits(void **state)
{
	struct buf block = BUF_EMPTY;

	(void)state;
	make_field(&block, 1, HEADER_FIELD_MAX);
	check_limit(&block, RC_OK);
	make_field(&block, 1, HEADER_FIELD_MAX + 1);
	check_limit(&block, RC_BAD);
	make_field(&block, HEADER_NAME_MAX, 400);
	check_limit(&block, RC_OK);
	make_field(&block, HEADER_NAME_MAX + 1, 400);
	check_limit(&block, RC_BAD);
	for (int i = 0; i < HEADER_COUNT_MAX; i++)
		buf_addf(&block, "A: b\r\n");
	check_limit(&block, RC_OK);
	for (int i = 0; i < HEADER_COUNT_MAX + 1; i++)
		buf_addf(&block, "A: b\r\n");
	check_limit(&block, RC_BAD);
	for (int i = 0; i < HEADER_BLOCK_MAX / HEADER_FIELD_MAX; i++)
		make_field(&block, 1, HEADER_FIELD_MAX);
	check_limit(&block, RC_OK);
	for (int i = 0; i < HEADER_BLOCK_MAX / HEADER_FIELD_MAX; i++)
		make_field(&block, 1, HEADER_FIELD_MAX);
	buf_addf(&block, "A: b\r\n");
	check_limit(&block, RC_BAD);
	/* many continuation lines of one field, within its size */
	buf_addf(&block, "A:\r\n");
	for (int i = 0; i < 16000; i++)
		buf_addf(&block, " x\r\n");
	check_limit(&block, RC_OK);
	buf_free(&block);
}

static void
test_duplicates(void **state)
{
	static const char *const single[] = { "Accept-Language", "acceptLanguage", "Archived-At",
		"Auto-Submitted", "Bounces-to", "Comments", "Content-Alternative", "Content-Base",
		"Content-Class", "Content-Description", "Content-Disposition", "Content-Duration",
		"Content-ID", "Content-Language", "Content-Length", "Content-Location",
		"Content-MD5", "Content-Transfer-Encoding", "Content-Type", "Date", "Delivered-To",
		"Disposition-Notification-Options", "Disposition-Notification-To", "DKIM-Signature",
		"DomainKey-Signature", "Errors-To", "From", "Importance", "In-Reply-To", "Keywords",
		"List-Archive", "List-Help", "List-Id", "List-Owner", "List-Post", "List-Subscribe",
		"List-Unsubscribe", "List-Unsubscribe-Post", "Message-Context", "Message-ID",
		"MIME-Version", "Organization", "Original-From", "Original-Message-ID",
		"Original-Recipient", "Original-Subject", "Precedence", "Priority", "References",
		"Reply-To", "Return-Path", "Return-Receipt-To", "Sender", "Solicitation",
		"Sensitivity", "Subject", "Thread-Index", "Thread-Topic", "User-Agent",
		"VBR-Info" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(single); i++) {
		struct why why = WHY_EMPTY;
		struct buf block = BUF_EMPTY;
		struct header header;
		char name[64], want[128];
		size_t len = strlen(single[i]);

		for (size_t k = 0; k <= len; k++)
			name[k] = ascii_lower(single[i][k]);
		buf_addf(
		    &block, "%s: a@b\r\nTo: a@b\r\nTo: c@d\r\nCc: a@b\r\nCc: c@d\r\n", single[i]);
		assert_rc(header_scan(buf_span(&block), &header, NULL), RC_OK);
		assert_rc(header_check_duplicates(&header, &why), RC_OK);
		header_free(&header);
		buf_addf(&block, "%s: a@b\r\n", name);
		assert_rc(header_scan(buf_span(&block), &header, NULL), RC_OK);
		assert_rc(header_check_duplicates(&header, &why), RC_BAD);
		assert_int_equal(why.code, 554);
		strcpy(want, "Transaction failed: Duplicate header '");
		strcat(want, name);
		strcat(want, "'.");
		assert_string_equal(why.text, want);
		header_free(&header);
		buf_free(&block);
	}
}

static void
test_unfold(void **state)
{
	const struct {
		const char *value, *want;
	} rows[] = {
		{ "", "" },
		{ " a", "a" },
		{ " a\r\n b", "a b" },
		{ " a \r\n\tb \r\n ", "a \tb" },
		{ "\r\n a", "a" },
		{ " a\r\n \r\n b", "a  b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_EMPTY;

		header_unfold(span_of(rows[i].value), &out);
		assert_span(buf_span(&out), rows[i].want);
		buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_where_the_body_begins),
		cmocka_unit_test(test_bad_blocks),
		cmocka_unit_test(test_8bit_in_other_fields_passes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_unfold),
	};

	return cmocka_run_group_tests_name("mail/header", tests, NULL, NULL);
}
