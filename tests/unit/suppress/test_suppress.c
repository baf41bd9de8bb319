/* Unit tests of suppress/suppress.c: addresses in other letters, replaced entries, lists in order. */
#include "config.h"

#include "unit/test.h"

#include <stdio.h>

#include "suppress/suppress.h"

static struct suppressions *list;

static void
put(const char *account, const char *address, enum config_suppression reason, int64_t at_ms)
{
	char id[40], kept[400];
	struct suppression entry = { kept, reason, at_ms, id, "f" };
	struct why why = WHY_EMPTY;

	(void)snprintf(id, sizeof id, "id-%lld", (long long)at_ms);
	(void)snprintf(kept, sizeof kept, "%s", address);
	assert_rc(suppressions_put(list, account, &entry, &why), RC_OK);
	memset(kept, 'x', sizeof kept); /* it was copied */
	memset(id, 'x', sizeof id);
}

/* When it was put there; 0: it is not there. */
static int64_t
at_ms(const char *account, const char *address)
{
	const struct suppression *found = suppression_find(list, account, span_of(address));

	return found != NULL ? found->updated_ms : 0;
}

static void
check_list(const char *account, const char *want)
{
	char text[300] = "";
	const struct suppression *at = NULL;
	size_t count = 0;

	for (; (at = suppressions_next(list, account, at)) != NULL; count++) {
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof text - len, "%s ", at->address);
	}
	assert_string_equal(text, want);
	assert_int_equal(suppressions_count(list, account), count);
}

static void
test_find(void **state)
{
	const struct suppression *found;

	(void)state;
	put("a", "Jo@Example.com", SUPPRESS_COMPLAINT, 5);
	found = suppression_find(list, "a", SPAN_LIT("Jo@eXample.COM"));
	assert_non_null(found);
	assert_string_equal(found->address, "Jo@Example.com"); /* as it was given */
	assert_int_equal(found->reason, SUPPRESS_COMPLAINT);
	assert_int_equal(found->updated_ms, 5);
	assert_string_equal(found->message_id, "id-5");
	assert_string_equal(found->feedback_id, "f");
	assert_int_equal(
	    at_ms("a", "jo@example.com"), 0); /* the local part is the host's business */
	assert_int_equal(at_ms("b", "Jo@example.com"), 0);
	assert_int_equal(at_ms("a", "Jo@example.com.org"), 0);
	assert_int_equal(at_ms("a", "Jo"), 0);
	assert_int_equal(at_ms("a", ""), 0);
	/* The last @ is the one; what stands before it keeps its letters. */
	put("a", "\"X@Y\"@Z.org", SUPPRESS_BOUNCE, 6);
	assert_int_equal(at_ms("a", "\"X@Y\"@z.ORG"), 6);
	assert_int_equal(at_ms("a", "\"X@y\"@z.org"), 0);
}

static void
test_replaced_and_removed(void **state)
{
	(void)state;
	put("a", "x@one.org", SUPPRESS_BOUNCE, 1);
	put("a", "y@one.org", SUPPRESS_BOUNCE, 2);
	put("b", "x@one.org", SUPPRESS_BOUNCE, 3);
	put("a", "x@ONE.org", SUPPRESS_COMPLAINT, 4);
	check_list("a", "y@one.org x@ONE.org ");
	assert_int_equal(at_ms("a", "x@one.org"), 4);
	assert_int_equal(at_ms("b", "x@one.org"), 3);
	suppressions_remove(list, "a", "x@One.org");
	suppressions_remove(list, "a", "x@One.org");
	suppressions_remove(list, "a", "no address");
	check_list("a", "y@one.org ");
	check_list("b", "x@one.org ");
	suppressions_remove(list, "a", "y@one.org");
	check_list("a", "");
	check_list("none", "");
}

static void
check_bad(const char *account, const char *address)
{
	struct suppression entry = { address, SUPPRESS_BOUNCE, 1, "", "" };
	struct why why = WHY_EMPTY;

	assert_rc(suppressions_put(list, account, &entry, &why), RC_BAD);
	assert_non_null(strstr(why.text, "is no mail address"));
	assert_null(suppression_find(list, account, span_of(address)));
}

static void
test_what_is_no_address(void **state)
{
	char address[400], account[65];

	(void)state;
	check_bad("a", "");
	check_bad("a", "jo");
	check_bad("a", "@");
	check_bad("a", "@example.com");
	check_bad("a", "jo@");
	check_list("a", "");
	/* The longest of both, and a byte more. */
	memset(account, 'a', sizeof account);
	account[64] = '\0';
	memset(address, 'x', sizeof address);
	address[64] = '@';
	address[64 + 1 + 255] = '\0';
	put(account, address, SUPPRESS_BOUNCE, 7);
	assert_int_equal(at_ms(account, address), 7);
	memset(address + 64 + 1, 'x', 300);
	address[64 + 1 + 255 + 2] = '\0';
	check_bad(account, address);
}

static void
test_many(void **state)
{
	enum {
		COUNT = 20000
	};
	char address[40];
	const struct suppression *at = NULL;

	(void)state;
	for (int i = 1; i <= COUNT; i++) {
		(void)snprintf(address, sizeof address, "u%d@Example.com", i);
		put(i % 2 == 0 ? "a" : "b", address, SUPPRESS_BOUNCE, i);
	}
	for (int i = 2; i <= COUNT; i += 2) {
		at = suppressions_next(list, "a", at);
		assert_int_equal(at->updated_ms, i);
	}
	assert_null(suppressions_next(list, "a", at));
	assert_int_equal(suppressions_count(list, "b"), COUNT / 2);
	assert_int_equal(at_ms("b", "u19999@example.com"), 19999);
	assert_int_equal(at_ms("a", "u19999@example.com"), 0);
}

static void
test_reasons(void **state)
{
	enum config_suppression reason;

	(void)state;
	assert_string_equal(suppression_reason_name(SUPPRESS_BOUNCE), "BOUNCE");
	assert_string_equal(suppression_reason_name(SUPPRESS_COMPLAINT), "COMPLAINT");
	assert_true(suppression_reason_parse(SPAN_LIT("BOUNCE"), &reason));
	assert_int_equal(reason, SUPPRESS_BOUNCE);
	assert_true(suppression_reason_parse(SPAN_LIT("complaint"), &reason));
	assert_int_equal(reason, SUPPRESS_COMPLAINT);
	assert_false(suppression_reason_parse(SPAN_LIT("BOUNCES"), &reason));
	assert_false(suppression_reason_parse(SPAN_LIT("COMPLAIN"), &reason));
	assert_false(suppression_reason_parse(SPAN_EMPTY, &reason));
}

static int
set_up(void **state)
{
	(void)state;
	list = suppressions_new();
	return list != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	suppressions_free(list);
	suppressions_free(NULL);
	return 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_find),
		TEST(test_replaced_and_removed),
		TEST(test_what_is_no_address),
		TEST(test_many),
		TEST(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
