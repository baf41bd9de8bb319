/* Unit tests of dns/packet.c. */
#include "config.h"

#include "unit/test.h"
#include "dns/packet.h"

/* header: id, flags (answer), counts; then the question a.b MX IN at offset 12 */
#define HEAD(an, ns) "\0\0\x81\x80\0\1\0" an "\0" ns "\0\0"
#define QUESTION     "\1A\1b\0\0\x0f\0\1"
#define OWNER	     "\xc0\x0c"
#define RR(type)     "\0" type "\0\1\0\0\0\x3c"
#define MX1	     OWNER RR("\x0f") "\0\6\0\x0a\1m\xc0\x0e"

#define parse_literal(text, answer) \
	packet_parse(span_make("" text, sizeof(text) - 1), DNS_MX, (answer))

static void
test_names_are_unpacked(void **state)
{
	struct packet_answer answer;
	unsigned preference;
	char name[PACKET_NAME_MAX];

	(void)state;
	assert_rc(parse_literal(HEAD("\1", "\0") QUESTION MX1, &answer), RC_OK);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.ttl_s, 60);
	assert_int_equal(answer.records[0].len, 2 + 5);
	assert_rc(packet_parse_mx(answer.records[0], &preference, name), RC_OK);
	assert_int_equal(preference, 10);
	assert_string_equal(name, "m.b");
	packet_answer_free(&answer);
}

static void
test_cname_is_followed_and_others_ignored(void **state)
{
	struct packet_answer answer;

	(void)state;
	/* a.b CNAME c.b; x.b MX (nobody asked); c.b MX */
	assert_rc(parse_literal(
		      HEAD("\3", "\0") QUESTION OWNER RR(
			  "\5") "\0\4\1c\xc0\x0e"
				"\1x\xc0\x0e" RR("\x0f") "\0\5\0\1\1z\0"
							 "\1C\xc0\x0e" RR("\x0f") "\0\5\0\2\1y\0",
		      &answer),
	    RC_OK);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.records[0].p[1], 2);
	packet_answer_free(&answer);
}

static void
test_cname_loop_ends(void **state)
{
	struct packet_answer answer;

	(void)state;
	assert_rc(
	    parse_literal(HEAD("\1", "\0") QUESTION OWNER RR("\5") "\0\2" OWNER, &answer), RC_BAD);
}

static void
test_negative_ttl(void **state)
{
	struct packet_answer answer;

	(void)state;
	assert_rc(parse_literal(HEAD("\0", "\1") QUESTION OWNER RR(
				    "\6") "\0\x16\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\7",
		      &answer),
	    RC_OK);
	assert_int_equal(answer.count, 0);
	assert_int_equal(answer.ttl_s, 7);
	packet_answer_free(&answer);
}

/* Every shorter packet, every changed byte: an answer or RC_BAD, nothing else. */
static void
test_cut_and_changed(void **state)
{
	static const char whole[] = HEAD("\1", "\0") QUESTION MX1;
	const size_t len = sizeof whole - 1;
	struct packet_answer answer;

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_rc(packet_parse(span_make(whole, cut), DNS_MX, &answer), RC_BAD);
	for (size_t i = 0; i < len; i++)
		for (int value = 0; value < 256; value++) {
			char changed[sizeof whole];

			memcpy(changed, whole, sizeof whole);
			changed[i] = (char)value;
			if (packet_parse(span_make(changed, len), DNS_MX, &answer) == RC_OK)
				packet_answer_free(&answer);
		}
}

static void
test_pointers_lead_backwards(void **state)
{
	struct packet_answer answer;

	(void)state;
	assert_rc(parse_literal(HEAD("\0", "\0") "\xc0\x0c\0\x0f\0\1", &answer), RC_BAD);
	assert_rc(parse_literal(HEAD("\0", "\0") "\xc0\x0e\1a\0\0\x0f\0\1", &answer), RC_BAD);
	assert_rc(parse_literal(HEAD("\0", "\0") "\1a\xc0\x0c\0\x0f\0\1", &answer), RC_BAD);
	assert_rc(parse_literal(HEAD("\0", "\0") "\x40\0\0\x0f\0\1", &answer), RC_BAD);
}

static void
test_what_is_no_answer(void **state)
{
	struct packet_answer answer;

	(void)state;
	assert_rc(parse_literal("", &answer), RC_BAD);
	assert_rc(parse_literal("\0\0\1\0\0\1\0\0\0\0\0\0" QUESTION, &answer), RC_BAD);
	assert_rc(parse_literal("\0\0\x81\x80\0\2\0\0\0\0\0\0" QUESTION QUESTION, &answer), RC_BAD);
	assert_rc(parse_literal("\0\0\x81\x80\0\1\xff\xff\0\0\0\0" QUESTION, &answer), RC_BAD);
	assert_rc(packet_parse(SPAN_LIT(HEAD("\0", "\0") QUESTION), DNS_A, &answer), RC_BAD);
}

static void
test_mx_names(void **state)
{
	static const struct {
		struct span rdata;
		enum rc want;
	} rows[] = {
		{ SPAN_LIT("\0\1\1a\1b\0"), RC_OK },
		{ SPAN_LIT("\0\1\0"), RC_OK },
		{ SPAN_LIT("\0\1"), RC_BAD },
		{ SPAN_LIT(""), RC_BAD },
		{ SPAN_LIT("\0\1\1a"), RC_BAD },
		{ SPAN_LIT("\0\1\1a\0x"), RC_BAD },
		{ SPAN_LIT("\0\1\2a\0\0"), RC_BAD },
		{ SPAN_LIT("\0\1\3a.b\0"), RC_BAD },
		{ SPAN_LIT("\0\1\3a\nb\0"), RC_BAD },
		{ SPAN_LIT("\0\1\3a\x1b"
			   "b\0"),
		    RC_BAD },
		{ SPAN_LIT("\0\1\3"
			   "192\1"
			   "0\1"
			   "2\1"
			   "1\0"),
		    RC_BAD },
		{ SPAN_LIT("\0\1\xc0\0"), RC_BAD },
		{ SPAN_LIT("\0\1\xc0\2"), RC_BAD },
	};
	char name[PACKET_NAME_MAX];
	unsigned preference;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_rc(packet_parse_mx(rows[i].rdata, &preference, name), rows[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_unpacked),
		cmocka_unit_test(test_cname_is_followed_and_others_ignored),
		cmocka_unit_test(test_cname_loop_ends),
		cmocka_unit_test(test_negative_ttl),
		cmocka_unit_test(test_cut_and_changed),
		cmocka_unit_test(test_pointers_lead_backwards),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_mx_names),
	};

	return cmocka_run_group_tests_name("dns/packet", tests, NULL, NULL);
}
