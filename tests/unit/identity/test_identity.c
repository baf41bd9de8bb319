/* Unit tests of identity/identity.c: who may send as whom, and which key signs. */
#include "config.h"

#include "unit/config/config_test.h"
#include "identity/identity.h"

static const char text[] =
    "accounts = ({ name = \"a\"; }, { name = \"b\"; }, { name = \"ab\"; });"
    "identities = ("
    "{ name = \"example.com\"; account = \"a\"; dkim_selector = \"s1\"; dkim_key = \"/k1\"; },"
    "{ name = \"mail.example.com\"; account = \"a\"; },"
    "{ name = \"jo@example.com\"; account = \"a\"; },"
    "{ name = \"Kim@Example.COM\"; account = \"a\"; },"
    "{ name = \"key@example.com\"; account = \"a\"; dkim_selector = \"s2\"; dkim_key = \"/k2\"; },"
    "{ name = \"x+y@example.com\"; account = \"a\"; },"
    "{ name = \"new.example.com\"; account = \"a\"; verified = false; },"
    "{ name = \"sub@other.org\"; account = \"a\"; },"
    "{ name = \"other.org\"; account = \"b\"; },"
    "{ name = \"xn--mnchen-3ya.example\"; account = \"a\"; }"
    ");";

static struct identities *identities;

typedef const struct identity *finder(const struct identities *identities, const char *account,
    struct span local, struct span domain);

/* The name of what is found for an address, or "". */
static const char *
name_of(finder *find, const char *account, const char *address)
{
	struct span all = span_of(address);
	size_t at = span_find_last(all, '@');
	const struct identity *found =
	    find(identities, account, span_first(all, at), span_skip(all, at + 1));

	if (found == NULL)
		return "";
	assert_string_equal(found->account, account);
	assert_true(found->verified);
	return found->name;
}

#define FOR(account, address, want) \
	assert_string_equal(name_of(identity_for, account, address), want)
#define SIGNER(account, address, want) \
	assert_string_equal(name_of(identity_signer, account, address), want)

static void
test_most_specific(void **state)
{
	(void)state;
	FOR("a", "any@example.com", "example.com");
	FOR("a", "jo@example.com", "jo@example.com");
	FOR("a", "any@mail.example.com", "mail.example.com");
	FOR("a", "any@deep.mail.example.com", "mail.example.com");
	FOR("a", "any@www.example.com", "example.com");
	FOR("a", "jo@mail.example.com", "mail.example.com"); /* an address is of one domain */
	/* One that is not verified is as if it were not there: its parent serves. */
	FOR("a", "any@new.example.com", "example.com");
}

static void
test_nothing(void **state)
{
	(void)state;
	FOR("a", "any@com", "");
	FOR("a", "any@badexample.com", "");
	FOR("a", "any@example.com.evil.org", "");
	FOR("a", "any@example.co", "");
	FOR("a", "any@.com", "");
	FOR("a", "any@", "");
	FOR("a", "jo@example.org", "");
	FOR("a", "other@other.org", "");
	FOR("a", "\"jo@example.com\"@evil.org", "");
	FOR("none", "any@example.com", "");
}

static void
test_accounts_are_apart(void **state)
{
	(void)state;
	FOR("b", "jo@example.com", "");
	FOR("b", "any@mail.example.com", "");
	FOR("a", "sub@other.org", "sub@other.org");
	FOR("b", "sub@other.org", "other.org");
	FOR("ab", "jo@example.com", "");
	FOR("", "jo@example.com", "");
}

static void
test_case(void **state)
{
	(void)state;
	FOR("a", "any@EXAMPLE.com", "example.com");
	FOR("a", "any@Mail.Example.Com", "mail.example.com");
	FOR("a", "jo@eXample.com", "jo@example.com");
	/* A local part is the receiving host's business: its case counts, the domain still serves. */
	FOR("a", "JO@example.com", "example.com");
	FOR("a", "Kim@example.com", "Kim@example.com");
	FOR("b", "SUB@OTHER.ORG", "other.org");
}

static void
test_labels(void **state)
{
	(void)state;
	FOR("a", "jo+news@example.com", "jo@example.com");
	FOR("a", "jo+@example.com", "jo@example.com");
	FOR("a", "jo+a+b@example.com", "jo@example.com");
	FOR("a", "x+y@example.com", "x+y@example.com");
	FOR("a", "+jo@example.com", "example.com");
	FOR("a", "sub+1@other.org", "sub@other.org");
	FOR("a", "subs+1@other.org", "");
}

static void
test_idn(void **state)
{
	(void)state;
	FOR("a", "any@xn--mnchen-3ya.example", "xn--mnchen-3ya.example");
	FOR("a", "any@XN--MNCHEN-3YA.example", "xn--mnchen-3ya.example");
	FOR("a", "any@m\xc3\xbcnchen.example", ""); /* refused long before, and unknown here */
}

static void
test_long(void **state)
{
	char address[2000];

	(void)state;
	memset(address, 'a', sizeof address);
	memcpy(address + 1000, "@example.com", 13);
	FOR("a", address, "example.com");
	memset(address, 'a', sizeof address);
	address[1] = '@';
	memcpy(address + 1500, ".example.com", 13);
	FOR("a", address, "example.com");
}

static void
test_signer(void **state)
{
	const struct identity *found;

	(void)state;
	SIGNER("a", "any@example.com", "example.com");
	SIGNER("a", "jo@example.com", "example.com");	    /* an address inherits */
	SIGNER("a", "key@example.com", "key@example.com");  /* or has its own */
	SIGNER("a", "any@mail.example.com", "example.com"); /* the parent's, where there is none */
	SIGNER("a", "sub@other.org", "");
	SIGNER("b", "any@example.com", "");
	found = identity_signer(identities, "a", SPAN_LIT("jo"), SPAN_LIT("example.com"));
	assert_string_equal(found->dkim_selector, "s1");
	assert_string_equal(found->dkim_key, "/k1");
}

/* What the store has is copied, whatever becomes of what it was made from. */
static void
test_stored(void **state)
{
	char name[] = "Lee@Stored.Example", account[] = "b", set[] = "news", sender[] = "ab";
	char *senders[] = { sender, sender };
	struct config_identity from = {
		.name = name, .account = account, .configuration_set = set, .verified = true
	};
	const struct identity *found;

	(void)state;
	for (size_t count = 0; count <= ARRAY_LEN(senders); count++) {
		from.senders = senders;
		from.sender_count = count;
		assert_rc(identities_put(identities, &from, NULL), RC_OK);
		memset(name, '-', sizeof name - 1);
		memset(set, '-', sizeof set - 1);
		memset(sender, '-', sizeof sender - 1);
		FOR("b", "Lee@stored.example", "Lee@stored.example");
		found = identity_find(identities, "b", "Lee@stored.example");
		assert_string_equal(found->configuration_set, "news");
		assert_int_equal(found->sender_count, count);
		assert_int_equal(identity_admits(found, "ab"), count > 0);
		assert_string_equal(found->dkim_key, "");
		memcpy(name, "Lee@Stored.Example", sizeof name);
		memcpy(set, "news", sizeof set);
		memcpy(sender, "ab", sizeof sender);
	}
	identities_remove(identities, "b", name);
	FOR("b", "Lee@stored.example", "");
}

static int
set_up(void **state)
{
	struct why why = WHY_EMPTY;
	struct config *config = must_parse(text);

	(void)state;
	struct identity_table *table;

	assert_rc(identity_table_new(config, &table, &why), RC_OK);
	config_unref(config); /* it lives on in the table */
	identities = identities_new();
	assert_non_null(identities);
	identities_use(identities, table);
	identity_table_unref(table);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	identities_free(identities);
	identities_free(NULL);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most_specific),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_accounts_are_apart),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_idn),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_stored),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
