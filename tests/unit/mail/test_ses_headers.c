/* Unit tests of mail/ses_headers.c. */
#include "config.h"

#include "mail/ses_headers.h"
#include "unit/test.h"
#include "util/buf.h"

static enum rc
parse(struct span block, struct header *header, struct ses_headers *out, struct why *why)
{
	assert_rc(header_scan(block, header, why), RC_OK);
	return ses_headers_parse(header, out, why);
}

static void
test_all_fields(void **state)
{
	const struct span block = SPAN_LIT(
	    "From: a@b\r\n"
	    "x-ses-configuration-set: first\r\n"
	    "X-SES-CONFIGURATION-SET: second\r\n"
	    "X-SES-TENANT: ten_ant-1\r\n"
	    "X-SES-SOURCE-ARN: arn:aws:ses:us-east-1:123456789012:identity/a.example\r\n"
	    "X-SES-FROM-ARN:\r\n arn:aws:ses:us-east-1:123456789012:identity/b.example\r\n"
	    "X-SES-RETURN-PATH-ARN: arn:aws:ses:us-east-1:123456789012:identity/c.example\r\n"
	    "X-SES-LIST-MANAGEMENT-OPTIONS: news; topic=sport\r\n"
	    "X-SES-MESSAGE-TAGS: a=1, b=x.y@z,\r\n\tses:feedback-id-a=q,a=2\r\n"
	    "X-SES-Unknown-Thing: ?!\r\n");
	struct ses_headers ses;
	struct header header;

	(void)state;
	assert_rc(parse(block, &header, &ses, NULL), RC_OK);
	assert_span(ses.configuration_set, "first");
	assert_span(ses.tenant, "ten_ant-1");
	assert_span(ses.source_arn, "arn:aws:ses:us-east-1:123456789012:identity/a.example");
	assert_span(ses.from_arn, "arn:aws:ses:us-east-1:123456789012:identity/b.example");
	assert_span(ses.return_path_arn, "arn:aws:ses:us-east-1:123456789012:identity/c.example");
	assert_span(ses.list_name, "news");
	assert_span(ses.list_topic, "sport");
	assert_int_equal(ses.tag_count, 4);
	assert_span(ses.tags[0].name, "a");
	assert_span(ses.tags[0].value, "1");
	assert_span(ses.tags[1].value, "x.y@z");
	assert_span(ses.tags[2].name, "ses:feedback-id-a");
	assert_span(ses.tags[3].name, "a");
	assert_span(ses.tags[3].value, "2");
	ses_headers_free(&ses);
	header_free(&header);
}

static void
test_nothing_given(void **state)
{
	struct ses_headers ses;
	struct header header;

	(void)state;
	assert_rc(parse(SPAN_LIT("From: a@b\r\nX-SES-TENANT:\r\nX-SES-MESSAGE-TAGS: ,\r\n"),
		      &header, &ses, NULL),
	    RC_OK);
	assert_int_equal(ses.configuration_set.len, 0);
	assert_int_equal(ses.tenant.len, 0);
	assert_int_equal(ses.tag_count, 0);
	assert_int_equal(ses.list_name.len, 0);
	ses_headers_free(&ses);
	header_free(&header);
}

/* Values folded in the middle, of several fields at once. */
static void
test_folded_values(void **state)
{
	struct ses_headers ses;
	struct header header;

	(void)state;
	assert_rc(parse(SPAN_LIT("X-SES-MESSAGE-TAGS: a=1,\r\n b=2,\r\n c\r\n =\r\n 3\r\n"
				 "X-SES-LIST-MANAGEMENT-OPTIONS: l;\r\n  topic=t\r\n"
				 "X-SES-CONFIGURATION-SET: c\r\n"),
		      &header, &ses, NULL),
	    RC_OK);
	assert_int_equal(ses.tag_count, 3);
	assert_span(ses.tags[1].name, "b");
	assert_span(ses.tags[2].name, "c");
	assert_span(ses.tags[2].value, "3");
	assert_span(ses.list_topic, "t");
	assert_span(ses.configuration_set, "c");
	ses_headers_free(&ses);
	header_free(&header);
}

/* SES sends the message and leaves such tags out. */
static void
test_tags_that_are_not_ascii(void **state)
{
	struct ses_headers ses;
	struct header header;

	(void)state;
	assert_rc(parse(SPAN_LIT("X-SES-MESSAGE-TAGS: \xc3\xa4=1, b=\xc3\xa4, c=3\r\n"), &header,
		      &ses, NULL),
	    RC_OK);
	assert_int_equal(ses.tag_count, 1);
	assert_span(ses.tags[0].name, "c");
	ses_headers_free(&ses);
	header_free(&header);
}

#define A16  "aaaaaaaaaaaaaaaa"
#define A64  A16 A16 A16 A16
#define A255 A64 A64 A64 A16 A16 A16 "aaaaaaaaaaaaaaa"

static void
test_refused(void **state)
{
	const struct {
		const char *block, *text;
	} rows[] = {
		{ "X-SES-CONFIGURATION-SET: a b\r\n", "Invalid configuration set name <a b>: only "
						      "alphanumeric ASCII characters, '_', "
						      "and '-' are allowed." },
		{ "X-SES-CONFIGURATION-SET: \xc3\xa4\r\n",
		    "Invalid configuration set name <\xc3\xa4>: only alphanumeric ASCII "
		    "characters, "
		    "'_', and '-' are allowed." },
		{ "X-SES-CONFIGURATION-SET: a" A64 "\r\n",
		    "The configuration set name cannot exceed 64 characters." },
		{ "X-SES-TENANT: a/b\r\n", "Invalid tenant name <a/b>: only alphanumeric ASCII "
					   "characters, '_', and '-' are "
					   "allowed." },
		{ "X-SES-MESSAGE-TAGS: a\r\n", "The tag value must be specified." },
		{ "X-SES-MESSAGE-TAGS: a=\r\n", "The tag value must be specified." },
		{ "X-SES-MESSAGE-TAGS: =b\r\n", "The tag name must be specified." },
		{ "X-SES-MESSAGE-TAGS: a=1, =\r\n", "The tag name must be specified." },
		{ "X-SES-MESSAGE-TAGS: a b=1\r\n",
		    "Invalid tag name <a b>: only alphanumeric ASCII characters, '_', and '-' are "
		    "allowed." },
		{ "X-SES-MESSAGE-TAGS: a.b=1\r\n",
		    "Invalid tag name <a.b>: only alphanumeric ASCII characters, '_', and '-' are "
		    "allowed." },
		{ "X-SES-MESSAGE-TAGS: ses:source-ip=1\r\n",
		    "Invalid tag name <ses:source-ip>: only alphanumeric ASCII characters, '_', "
		    "and "
		    "'-' are allowed." },
		{ "X-SES-MESSAGE-TAGS: a=b=c\r\n",
		    "Invalid tag value <b=c>: only alphanumeric ASCII characters, '_', and '-' are "
		    "allowed." },
		{ "X-SES-MESSAGE-TAGS: a=b c\r\n",
		    "Invalid tag value <b c>: only alphanumeric ASCII characters, '_', and '-' are "
		    "allowed." },
		{ "X-SES-MESSAGE-TAGS: a" A255 "=b\r\n", "Tag name cannot exceed 255 characters." },
		{ "X-SES-MESSAGE-TAGS: a=b" A255 "\r\n",
		    "Tag value cannot exceed 255 characters." },
		{ "X-SES-LIST-MANAGEMENT-OPTIONS: ; topic=a\r\n",
		    "Invalid list management options." },
		{ "X-SES-LIST-MANAGEMENT-OPTIONS: l; colour=a\r\n",
		    "Invalid list management options." },
		{ "X-SES-LIST-MANAGEMENT-OPTIONS: l; topic=a; topic=b\r\n",
		    "Invalid list management options." },
		{ "X-SES-LIST-MANAGEMENT-OPTIONS: l l\r\n",
		    "Invalid contact list name <l l>: only alphanumeric ASCII characters, '_', and "
		    "'-' are allowed." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = WHY_EMPTY;
		struct ses_headers ses;
		struct header header;
		char want[512] = "Transaction failed: ";

		strcat(want, rows[i].text);
		assert_rc(parse(span_of(rows[i].block), &header, &ses, &why), RC_BAD);
		assert_int_equal(why.code, 554);
		assert_string_equal(why.text, want);
		assert_null(ses.scratch);
		header_free(&header);
	}
}

static void
test_limits(void **state)
{
	struct why why = WHY_EMPTY;
	struct buf block = BUF_EMPTY;
	struct ses_headers ses;
	struct header header;

	(void)state;
	buf_addf(&block, "X-SES-MESSAGE-TAGS: " A255 "=" A255);
	for (int i = 1; i < SES_TAGS_MAX; i++)
		buf_addf(&block, ",\r\n t%d=v", i);
	buf_addf(&block, "\r\nX-SES-CONFIGURATION-SET: " A64 "\r\n");
	assert_rc(parse(buf_span(&block), &header, &ses, &why), RC_OK);
	assert_int_equal(ses.tag_count, SES_TAGS_MAX);
	assert_span(ses.configuration_set, A64);
	ses_headers_free(&ses);
	header_free(&header);
	buf_clear(&block);
	buf_addf(&block, "X-SES-MESSAGE-TAGS: a=b");
	for (int i = 0; i < SES_TAGS_MAX; i++)
		buf_addf(&block, ",t%d=v", i);
	buf_addf(&block, "\r\n");
	assert_rc(parse(buf_span(&block), &header, &ses, &why), RC_BAD);
	assert_string_equal(
	    why.text, "Transaction failed: A message cannot have more than 50 tags.");
	header_free(&header);
	buf_free(&block);
}

static void
test_what_is_a_request(void **state)
{
	(void)state;
	assert_true(ses_header_is_request(SPAN_LIT("X-SES-MESSAGE-TAGS")));
	assert_true(ses_header_is_request(SPAN_LIT("x-ses-anything")));
	assert_true(ses_header_is_request(SPAN_LIT("X-SES-")));
	assert_false(ses_header_is_request(SPAN_LIT("X-SES")));
	assert_false(ses_header_is_request(SPAN_LIT("X-SESAME")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fields),
		cmocka_unit_test(test_nothing_given),
		cmocka_unit_test(test_folded_values),
		cmocka_unit_test(test_tags_that_are_not_ascii),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_what_is_a_request),
	};

	return cmocka_run_group_tests_name("mail/ses_headers", tests, NULL, NULL);
}
