/* Unit tests of mail/message_id.c. */
#include "config.h"

#include "mail/message_id.h"
#include "unit/test.h"

#define SAMPLE "0107017033dbb64d-be13a01e-dbf1-44b7-b876-3622165dacc1-000000"

static void
test_round_trip(void **state)
{
	struct message_id id;
	char text[MESSAGE_ID_LEN + 1];

	(void)state;
	assert_int_equal(strlen(SAMPLE), MESSAGE_ID_LEN);
	assert_rc(message_id_parse(SPAN_LIT(SAMPLE), &id), RC_OK);
	assert_true(id.stamp == UINT64_C(0x0107017033dbb64d));
	assert_int_equal(id.uuid[0], 0xbe);
	assert_int_equal(id.uuid[15], 0xc1);
	assert_true(message_id_time_ms(&id) == INT64_C(0x017033dbb64d));
	message_id_format(&id, text);
	assert_string_equal(text, SAMPLE);
}

static void
test_make(void **state)
{
	uint8_t random[16];
	struct message_id id, back;
	char text[MESSAGE_ID_LEN + 1];

	(void)state;
	memset(random, 0xff, sizeof random);
	message_id_make(0x0100, 1476189536294, random, &id);
	message_id_format(&id, text);
	assert_string_equal(text, "01000157b3c0c026-ffffffff-ffff-4fff-bfff-ffffffffffff-000000");
	assert_true(message_id_time_ms(&id) == 1476189536294);
	assert_rc(message_id_parse(span_of(text), &back), RC_OK);
	assert_memory_equal(&id, &back, sizeof id);
	memset(random, 0, sizeof random);
	message_id_make(0xffff, -1, random, &id);
	message_id_format(&id, text);
	assert_string_equal(text, "ffffffffffffffff-00000000-0000-4000-8000-000000000000-000000");
}

/* Every single change makes it no id, or the text of another one. */
static void
test_changed_texts(void **state)
{
	static const char others[] = "0gGF-z \n";
	struct message_id id;

	(void)state;
	for (size_t at = 0; at < MESSAGE_ID_LEN; at++)
		for (size_t k = 0; k < sizeof others; k++) { /* the NUL, too */
			char text[] = SAMPLE, back[MESSAGE_ID_LEN + 1];

			text[at] = others[k];
			if (message_id_parse(span_make(text, MESSAGE_ID_LEN), &id) != RC_OK) {
				assert_true(others[k] != '0' || SAMPLE[at] == '-');
				continue;
			}
			message_id_format(&id, back);
			assert_memory_equal(back, text, MESSAGE_ID_LEN);
		}
	assert_rc(message_id_parse(SPAN_LIT(SAMPLE "0"), &id), RC_BAD);
	assert_rc(message_id_parse(span_first(SPAN_LIT(SAMPLE), MESSAGE_ID_LEN - 1), &id), RC_BAD);
	assert_rc(message_id_parse(SPAN_LIT(""), &id), RC_BAD);
	assert_rc(
	    message_id_parse(
		SPAN_LIT("0107017033dbb64d-be13a01e-dbf1-44b7-b876-3622165dacc1-000001"), &id),
	    RC_BAD);
	assert_rc(
	    message_id_parse(
		SPAN_LIT("0107017033DBB64D-be13a01e-dbf1-44b7-b876-3622165dacc1-000000"), &id),
	    RC_BAD);
}

static void
test_regions(void **state)
{
	(void)state;
	assert_int_equal(message_id_region_prefix(SPAN_LIT("us-east-1")), 0x0100);
	assert_int_equal(message_id_region_prefix(SPAN_LIT("us-west-2")), 0x0101);
	assert_int_equal(message_id_region_prefix(SPAN_LIT("eu-west-1")), 0x0102);
	assert_int_equal(message_id_region_prefix(SPAN_LIT("ap-northeast-1")), 0x0106);
	assert_int_equal(message_id_region_prefix(SPAN_LIT("eu-central-1")), 0x0107);
	assert_int_equal(message_id_region_prefix(SPAN_LIT("eu-north-1")), 0x0110);
	/* others: stable, and apart from each other and from the known ones */
	assert_true(message_id_region_prefix(SPAN_LIT("local")) >= 0x8000);
	assert_int_equal(
	    message_id_region_prefix(SPAN_LIT("")), 0x8000 | ((0x9dc5 ^ 0x811c) & 0x7fff));
	assert_true(message_id_region_prefix(SPAN_LIT("local")) !=
		    message_id_region_prefix(SPAN_LIT("locam")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_changed_texts),
		cmocka_unit_test(test_regions),
	};

	return cmocka_run_group_tests_name("mail/message_id", tests, NULL, NULL);
}
