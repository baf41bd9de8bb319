/* Unit tests of mail/sevenbit.c and mail/transfer.c: whole and in pieces of any size. */
#include "config.h"

#include "mail/sevenbit.h"
#include "unit/test.h"

#include <stdio.h>

#define UE    "\xc3\xbc"
#define UE10  UE UE UE UE UE UE UE UE UE UE
#define TEXT  "gr" UE "n is the colour of grass\r\n"
#define TEXT_ "gr=C3=BCn is the colour of grass\r\n"

/* ------------------------------------------------------------------ encoders ------------------ */

static void
check_qp(struct span in, const char *want)
{
	for (size_t piece = 1; piece <= in.len + 1; piece++) {
		struct qp_encoder encoder;
		struct buf out = BUF_EMPTY;

		qp_encoder_init(&encoder);
		for (size_t at = 0; at < in.len; at += piece)
			qp_encode(&encoder, span_first(span_skip(in, at), piece), &out);
		qp_encode_end(&encoder, &out);
		assert_span(buf_span(&out), want);
		buf_free(&out);
	}
}

static void
test_quoted_printable(void **state)
{
	(void)state;
	check_qp(SPAN_LIT(""), "");
	check_qp(SPAN_LIT("a=b\r\n"), "a=3Db\r\n");
	check_qp(SPAN_LIT("gr" UE "n~!\r\n"), "gr=C3=BCn~!\r\n");
	/* Blanks at the end of a line would not survive; others do. */
	check_qp(SPAN_LIT("a \tb \r\n\t\r\nc "), "a \tb=20\r\n=09\r\nc=20");
	/* What is no line end is an octet. */
	check_qp(SPAN_LIT("a\rb\nc\r\r\nd \r"), "a=0Db=0Ac=0D\r\nd =0D");
	check_qp(SPAN_LIT("\0\x7f"), "=00=7F");
	/* 75 octets stand in a line, what follows does not. */
	check_qp(SPAN_LIT("0123456789012345678901234567890123456789012345678901234567890123456789"
			  "01234\r\n"),
	    "0123456789012345678901234567890123456789012345678901234567890123456789"
	    "01234\r\n");
	check_qp(SPAN_LIT("0123456789012345678901234567890123456789012345678901234567890123456789"
			  "012345\r\n"),
	    "0123456789012345678901234567890123456789012345678901234567890123456789"
	    "01234=\r\n5\r\n");
	check_qp(SPAN_LIT("0123456789012345678901234567890123456789012345678901234567890123456789"
			  "012\xff\r\n"),
	    "0123456789012345678901234567890123456789012345678901234567890123456789"
	    "012=\r\n=FF\r\n");
	check_qp(SPAN_LIT("0123456789012345678901234567890123456789012345678901234567890123456789"
			  "01234--b\r\n"),
	    "0123456789012345678901234567890123456789012345678901234567890123456789"
	    "01234=\r\n=2D-b\r\n");
	check_qp(SPAN_LIT("0123456789012345678901234567890123456789012345678901234567890123456789"
			  "0123 \r\n"),
	    "0123456789012345678901234567890123456789012345678901234567890123456789"
	    "0123=\r\n=20\r\n");
}

static void
check_base64(struct span in, const char *want)
{
	for (size_t piece = 1; piece <= in.len + 1; piece++) {
		struct base64_encoder encoder;
		struct buf out = BUF_EMPTY;

		base64_encoder_init(&encoder);
		for (size_t at = 0; at < in.len; at += piece)
			base64_encode(&encoder, span_first(span_skip(in, at), piece), &out);
		base64_encode_end(&encoder, &out);
		assert_span(buf_span(&out), want);
		buf_free(&out);
	}
}

/* RFC 4648 section 10, and lines. */
static void
test_base64(void **state)
{
	(void)state;
	check_base64(SPAN_LIT(""), "");
	check_base64(SPAN_LIT("f"), "Zg==");
	check_base64(SPAN_LIT("fo"), "Zm8=");
	check_base64(SPAN_LIT("foo"), "Zm9v");
	check_base64(SPAN_LIT("foob"), "Zm9vYg==");
	check_base64(SPAN_LIT("\xff\xfe\0\xfb"), "//4A+w==");
	check_base64(SPAN_LIT("012345678901234567890123456789012345678901234567890123456"),
	    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2");
	check_base64(SPAN_LIT("0123456789012345678901234567890123456789012345678901234567"),
	    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\n"
	    "Nw==");
}

/* ------------------------------------------------------------------ messages ------------------ */

static void
convert(struct span message, size_t piece, struct sevenbit_plan *plan, struct buf *out)
{
	static struct sevenbit_scan scan;
	struct sevenbit_apply apply;

	*plan = (struct sevenbit_plan){ .edits = NULL };
	sevenbit_scan_begin(&scan, plan);
	for (size_t at = 0; at < message.len; at += piece)
		assert_rc(
		    sevenbit_scan_feed(&scan, span_first(span_skip(message, at), piece)), RC_OK);
	assert_rc(sevenbit_scan_end(&scan), RC_OK);
	sevenbit_scan_free(&scan);
	sevenbit_apply_begin(&apply, plan);
	for (size_t at = 0; at < message.len; at += piece)
		sevenbit_apply_feed(&apply, span_first(span_skip(message, at), piece), out);
	sevenbit_apply_end(&apply, out);
}

/* want NULL: it stays as it is. */
static void
check(const char *text, const char *want, bool remains, bool doubt)
{
	struct span message = span_of(text);

	for (size_t piece = 1; piece <= message.len; piece += piece < 8 ? 1 : 31) {
		struct sevenbit_plan plan;
		struct buf out = BUF_EMPTY;

		convert(message, piece, &plan, &out);
		if ((plan.doubt != NULL) != doubt)
			fail_msg("%s\nin pieces of %zu: doubt \"%s\"", text, piece,
			    plan.doubt != NULL ? plan.doubt : "");
		assert_int_equal(plan.remains, remains);
		if (!span_eq(buf_span(&out), span_of(want != NULL ? want : text)))
			fail_msg("%s\nin pieces of %zu:\n%.*s\nnot\n%s", text, piece,
			    SPAN_ARG(buf_span(&out)), want != NULL ? want : text);
		buf_free(&out);
		sevenbit_plan_free(&plan);
	}
}

#define MIME	"MIME-Version: 1.0\r\n"
#define CTE(v)	"Content-Transfer-Encoding: " v "\r\n"
#define TYPE(v) "Content-Type: " v "\r\n"

static void
test_one_part(void **state)
{
	(void)state;
	check("Subject: x\r\n" MIME TYPE("text/plain; charset=utf-8") CTE("8bit") "\r\n" TEXT,
	    "Subject: x\r\n" MIME TYPE("text/plain; charset=utf-8")
		CTE("quoted-printable") "\r\n" TEXT_,
	    false, false);
	/* The field is folded, in the middle, in other letters. */
	check("content-transfer-encoding:\r\n\t(so) 8BIT\r\nSubject: x\r\n" MIME "\r\n" TEXT,
	    CTE("quoted-printable") "Subject: x\r\n" MIME "\r\n" TEXT_, false, false);
	/* Without any word of MIME: at the end of the header. */
	check("Subject: x\r\n\r\n" TEXT, "Subject: x\r\n" CTE("quoted-printable") MIME "\r\n" TEXT_,
	    false, false);
	check("\r\n" TEXT, CTE("quoted-printable") MIME "\r\n" TEXT_, false, false);
	/* Mostly such octets: base64 is shorter. */
	check(MIME "\r\n" UE10 "\r\n",
	    MIME CTE("base64") "\r\nw7zDvMO8w7zDvMO8w7zDvMO8w7wNCg==\r\n", false, false);
	/* No text: base64. The line end behind it is that of the message, not of the part. */
	check(MIME TYPE("image/png") CTE("binary") "\r\n\x89PNG and so on",
	    MIME TYPE("image/png") CTE("base64") "\r\niVBORyBhbmQgc28gb24=\r\n", false, false);
	check(MIME TYPE("message/global") "\r\nSubject: \xff and so on and on\r\n",
	    MIME TYPE("message/global")
		CTE("base64") "\r\n"
			      "U3ViamVjdDog/yBhbmQgc28gb24gYW5kIG9uDQo=\r\n",
	    false, false);
}

static void
test_what_stays(void **state)
{
	(void)state;
	check("Subject: x\r\n" CTE("8bit") "\r\nplain\r\n", NULL, false, false);
	check("Subject: x\r\n\r\n", NULL, false, false);
	check("Subject: " UE "\r\n", NULL, true, false);
	check("Subject: x", NULL, false, false);
	check("Subject: x\r\n" CTE("quoted-printable") "\r\n" TEXT, NULL, true, false);
	check("Subject: x\r\n" CTE("x-uuencode") "\r\n" TEXT, NULL, true, false);
	check(TYPE("message/partial; id=1") "\r\n" TEXT, NULL, true, false);
	check(TYPE("message/delivery-status") "\r\n" TEXT, NULL, true, false);
	check(TYPE("message/rfc822") CTE("base64") "\r\n" TEXT, NULL, true, false);
	check(TYPE("multipart/signed; boundary=b") "\r\n--b\r\n\r\n" TEXT "--b--\r\n", NULL, true,
	    false);
	/* Before the first part, and behind the last. */
	check(TYPE("multipart/mixed; boundary=b") "\r\n" TEXT "--b\r\n\r\nplain\r\n--b--\r\n", NULL,
	    true, false);
	check(TYPE("multipart/mixed; boundary=b") "\r\n--b\r\n\r\nplain\r\n--b--\r\n" TEXT, NULL,
	    true, false);
	/* A header with such octets is not touched, what it is about is. */
	check("Subject: " UE "\r\n" MIME "\r\n" TEXT,
	    "Subject: " UE "\r\n" MIME CTE("quoted-printable") "\r\n" TEXT_, true, false);
}

static void
test_parts(void **state)
{
	(void)state;
	check(MIME TYPE("multipart/mixed;\r\n boundary=\"b b\"")
		  CTE("8bit") "\r\n"
			      "preamble\r\n"
			      "--b b\r\n" TYPE("text/html")
				  CTE("8bit") "X: y\r\n\r\n" TEXT "\r\n"
					      "--b b  \t\r\n"
					      "\r\nplain\r\n"
					      "--b b\r\n" TYPE("image/png") "\r\n\x89PNG\r\n\r\n"
									    "--b b\r\n"
									    "--b b--\r\n"
									    "epilogue\r\n",
	    MIME TYPE("multipart/mixed;\r\n boundary=\"b b\"")
		CTE("7bit") "\r\n"
			    "preamble\r\n"
			    "--b b\r\n" TYPE("text/html")
				CTE("quoted-printable") "X: y\r\n\r\n" TEXT_ "\r\n"
							"--b b  \t\r\n"
							"\r\nplain\r\n"
							"--b b\r\n" TYPE("image/png")
							    CTE("base64") "\r\niVBORw0K\r\n"
									  "--b b\r\n"
									  "--b b--\r\n"
									  "epilogue\r\n",
	    false, false);
	/* The last boundary is missing; a part without a header. */
	check(MIME TYPE("multipart/mixed; boundary=b") "\r\n--b\r\n\r\n" TEXT "--b\r\n\r\n" TEXT,
	    MIME TYPE("multipart/mixed; boundary=b") "\r\n"
						     "--b\r\n" CTE(
							 "quoted-printable") "\r\ngr=C3=BCn is the "
									     "colour of grass\r\n"
									     "--b\r\n" CTE(
										 "quoted-"
										 "printabl"
										 "e") "\r"
										      "\n" TEXT_,
	    false, false);
	/* Labels follow what is in them, where nothing stays. */
	check(MIME TYPE("multipart/mixed; boundary=o")
		  CTE("8bit") "\r\n"
			      "--o\r\n" TYPE("multipart/alternative; boundary=i") CTE(
				  "8bit") "\r\n"
					  "--i\r\n" CTE(
					      "8bit") "\r\n" TEXT "--i--\r\n\r\n"
						      "--o\r\n" TYPE("multipart/signed; boundary=s")
							  CTE("8bit") "\r\n" TEXT "\r\n"
								      "--o\r\n" CTE(
									  "8bit") "\r\nplain\r\n"
										  "--o--\r\n",
	    MIME TYPE("multipart/mixed; boundary=o") CTE(
		"8bit") "\r\n"
			"--o\r\n" TYPE("multipart/alternative; boundary=i") CTE(
			    "7bit") "\r\n"
				    "--i\r\n" CTE(
					"quoted-printable") "\r\ngr=C3=BCn is the colour of "
							    "grass\r\n--i--\r\n\r\n"
							    "--o\r\n" TYPE("multipart/signed; "
									   "boundary=s")
								CTE("8bit") "\r\n" TEXT "\r\n"
									    "--o\r\n" CTE(
										"7bit") "\r\nplain"
											"\r\n"
											"--o--\r\n",
	    true, false);
}

static void
test_messages_within(void **state)
{
	(void)state;
	check(MIME TYPE("message/rfc822") CTE("8bit") "\r\nSubject: in\r\n\r\n" TEXT,
	    MIME TYPE("message/rfc822") CTE("7bit") "\r\n"
						    "Subject: in\r\n" CTE("quoted-printable") MIME
	    "\r\n" TEXT_,
	    false, false);
	/* Parts of a digest are messages, unless they say otherwise. */
	check(MIME TYPE("multipart/digest; boundary=b") "\r\n"
							"--b\r\n\r\nSubject: in\r\n" MIME
							"\r\n" TEXT "--b\r\n" TYPE(
							    "text/plain") "\r\n" TEXT "--b--\r\n",
	    MIME TYPE(
		"multipart/digest; boundary=b") "\r\n"
						"--b\r\n\r\nSubject: in\r\n" MIME CTE(
						    "quoted-printable") "\r\n" TEXT_
									"--b\r\n" TYPE("text/plain")
									    CTE("quoted-"
										"printabl"
										"e") "\r"
										     "\n" TEXT_
										     "--b-"
										     "-\r"
										     "\n",
	    false, false);
}

/* Where readers might disagree nothing is changed. */
static void
test_doubts(void **state)
{
	static const char *const messages[] = {
		CTE("8bit") CTE("8bit") "\r\n" TEXT,
		TYPE("text/plain") TYPE("text/html") "\r\n" TEXT,
		TYPE("multipart/mixed") "\r\n" TEXT,
		TYPE("multipart/mixed; boundary=\"\"") "\r\n" TEXT,
		TYPE("multipart/mixed; boundary=a; boundary=b") "\r\n--a\r\n\r\n" TEXT,
		TYPE("multipart/mixed; boundary=a b") "\r\n--a\r\n\r\n" TEXT,
		TYPE("multipart/mixed; boundary=\"a" UE "\"") "\r\n--a\r\n\r\n" TEXT,
		TYPE("multipart/mixed; boundary=a") CTE("base64") "\r\n--a\r\n\r\n" TEXT,
		TYPE("multipart") "\r\n" TEXT,
		TYPE("multipart/mixed/x; boundary=a") "\r\n--a\r\n\r\n" TEXT,
		/* nearly a boundary, a closed one, the same again */
		TYPE("multipart/mixed; boundary=a") "\r\n--a\r\n\r\n" TEXT "--ab\r\n--a--\r\n",
		TYPE("multipart/mixed; boundary=a") "\r\n--a\r\n\r\n" TEXT "--a-- x\r\n",
		TYPE("multipart/mixed; boundary=a") "\r\n--a\r\n\r\n" TEXT "--a--\r\n--a\r\n",
		TYPE("multipart/mixed; boundary=a") "\r\n--a\r\n" TYPE(
		    "multipart/mixed; boundary=a") "\r\n--a\r\n\r\n" TEXT,
		/* headers that are none */
		"Subject: x\r\nno field\r\n\r\n" TEXT,
		"From x\r\nSubject: y\r\n\r\n" TEXT,
		"Subject : x\r\n\r\n" TEXT,
		" x\r\n\r\n" TEXT,
		/* line ends */
		"Subject: x\r\n\r\n" UE "\n" TEXT,
		"Subject: x\r\n\r\n" UE "\r" TEXT,
		"Subject: x\r\n\r\n" TEXT "\r",
		"Subject: x\r\n\r\n" TEXT "\r\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		check(messages[i], NULL, true, true);
}

/* Multiparts in multiparts, `depth` of them, and `parts` in the innermost one. */
static void
make_nested(unsigned depth, unsigned parts, struct buf *out)
{
	buf_addf(out, MIME);
	for (unsigned i = 0; i < depth; i++)
		buf_addf(out, TYPE("multipart/mixed; boundary=%ux") "\r\n--%ux\r\n", i, i);
	buf_addf(out, "\r\n" TEXT);
	for (unsigned i = 1; i < parts; i++)
		buf_addf(out, "--%ux\r\n\r\n" TEXT, depth - 1);
}

static void
check_nested(unsigned depth, unsigned parts, bool doubt)
{
	struct buf message = BUF_EMPTY, out = BUF_EMPTY;
	struct sevenbit_plan plan;

	make_nested(depth, parts, &message);
	convert(buf_span(&message), 1000, &plan, &out);
	assert_int_equal(plan.doubt != NULL, doubt);
	assert_int_equal(plan.count, doubt ? 0 : 2 * parts);
	buf_free(&message);
	buf_free(&out);
	sevenbit_plan_free(&plan);
}

static void
test_limits(void **state)
{
	char field[SEVENBIT_FIELD_MAX + 100];
	struct buf message = BUF_EMPTY, out = BUF_EMPTY;
	struct sevenbit_plan plan;

	(void)state;
	check_nested(SEVENBIT_DEPTH_MAX - 1, 1, false);
	check_nested(SEVENBIT_DEPTH_MAX, 1, true);
	check_nested(20000, 1, true);
	check_nested(1, SEVENBIT_PARTS_MAX - 1, false);
	check_nested(1, SEVENBIT_PARTS_MAX, true);
	memset(field, 'x', sizeof field);
	buf_addf(&message, "Subject: %.*s\r\n\r\n" TEXT, (int)sizeof field, field);
	convert(buf_span(&message), 10000, &plan, &out);
	assert_non_null(plan.doubt);
	sevenbit_plan_free(&plan);
	buf_clear(&message);
	buf_clear(&out);
	/* The same in many lines. */
	buf_addf(&message, "Subject:\r\n");
	for (int i = 0; i < SEVENBIT_FIELD_MAX / 50 + 1; i++)
		buf_addf(&message, " %.48s\r\n", field);
	buf_addf(&message, "\r\n" TEXT);
	convert(buf_span(&message), 10000, &plan, &out);
	assert_non_null(plan.doubt);
	sevenbit_plan_free(&plan);
	buf_free(&message);
	buf_free(&out);
}

/* Header and body apart, as they lie in a submission. */
static void
test_header_apart(void **state)
{
	struct span message = SPAN_LIT("Subject: x\r\n\r\n" TEXT);
	size_t header = 14;
	struct buf whole = BUF_EMPTY, first = BUF_EMPTY, second = BUF_EMPTY;
	struct sevenbit_apply apply;
	struct sevenbit_plan plan;

	(void)state;
	convert(message, message.len, &plan, &whole);
	sevenbit_apply_begin(&apply, &plan);
	sevenbit_apply_feed(&apply, span_first(message, header), &first);
	sevenbit_apply_feed(&apply, span_skip(message, header), &second);
	sevenbit_apply_end(&apply, &second);
	assert_span(buf_span(&first), "Subject: x\r\n" CTE("quoted-printable") MIME "\r\n");
	assert_span(buf_span(&second), TEXT_);
	buf_free(&whole);
	buf_free(&first);
	buf_free(&second);
	sevenbit_plan_free(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quoted_printable),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_one_part),
		cmocka_unit_test(test_what_stays),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_messages_within),
		cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_header_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
