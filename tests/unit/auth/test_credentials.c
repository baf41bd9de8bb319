/* Unit tests of auth/credentials.c: those of the configuration and of the store, what a login gives, and logins on other
 * threads while both change. */
#include "config.h"

#include "unit/config/config_test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "auth/credentials.h"

#define REGION "eu-west-1"
#define FILED  "AKIAFILED00000000001"
#define STORED "AKIASTORED0000000001"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define OTHER  "0123456789abcdefghijABCDEFGHIJ0123456789"

static const char text[] = "region = \"" REGION "\";"
			   "accounts = ({ name = \"a\"; profile = \"relay\"; credentials = ("
			   "{ id = \"" FILED "\"; secret = \"" SECRET "\"; }"
			   "); }, { name = \"b\"; });";

static struct credential_table *table;
static struct credentials *stored;

static void
put(const char *account, enum config_profile profile, const char *id, const char *secret,
    bool version2)
{
	char id_copy[40], secret_copy[80], note[20] = "note";
	struct config_credential from = { .id = id_copy,
		.secret = secret_copy,
		.version2 = version2,
		.note = note,
		.created_ms = 7 };
	struct why why = WHY_EMPTY;

	(void)snprintf(id_copy, sizeof id_copy, "%s", id);
	(void)snprintf(secret_copy, sizeof secret_copy, "%s", secret);
	assert_rc(credentials_put(stored, account, profile, REGION, &from, &why), RC_OK);
	memset(id_copy, 'x', sizeof id_copy); /* they were copied */
	memset(note, 'x', sizeof note);
}

static const char *
password_of(const char *secret, const char *region)
{
	static char out[AUTH_PASSWORD_LEN + 1];

	assert_rc(
	    region != NULL ? auth_password_v4(secret, region, out) : auth_password_v2(secret, out),
	    RC_OK);
	return out;
}

/* account "": not known. */
static void
check_login(const char *id, const char *password, enum rc want, const char *account,
    enum config_profile profile, const char *want_reason)
{
	struct login login = { "", PROFILE_SES };
	const char *reason;

	assert_rc(credentials_check(table, stored, id, password, &login, &reason), want);
	assert_string_equal(reason, want_reason);
	assert_string_equal(login.account, account);
	assert_int_equal(login.profile, profile);
}

#define LOGS_IN(id, secret, account, profile) \
	check_login(id, password_of(secret, REGION), RC_OK, account, profile, "")
#define UNKNOWN(id, secret) \
	check_login(id, password_of(secret, REGION), RC_DENY, "", PROFILE_SES, "unknown credential")

static void
test_logins(void **state)
{
	struct credential_view view;

	(void)state;
	put("b", PROFILE_SES, STORED, OTHER, false);
	LOGS_IN(FILED, SECRET, "a", PROFILE_RELAY);
	LOGS_IN(STORED, OTHER, "b", PROFILE_SES);
	check_login(
	    FILED, password_of(OTHER, REGION), RC_DENY, "a", PROFILE_RELAY, "wrong password");
	check_login(
	    STORED, password_of(OTHER, "us-east-1"), RC_DENY, "b", PROFILE_SES, "wrong password");
	check_login(STORED, password_of(OTHER, NULL), RC_DENY, "b", PROFILE_SES, "wrong password");
	check_login(STORED, OTHER, RC_DENY, "b", PROFILE_SES, "wrong password");
	check_login(STORED, "", RC_DENY, "b", PROFILE_SES, "wrong password");
	UNKNOWN("AKIAFILED0000000000", SECRET);
	UNKNOWN("", SECRET);
	assert_true(credential_table_has(table, FILED));
	assert_false(credential_table_has(table, STORED));
	assert_rc(credentials_find(stored, FILED, &view), RC_DENY);
	assert_rc(credentials_find(stored, STORED, &view), RC_OK);
	assert_string_equal(view.id, STORED);
	assert_string_equal(view.account, "b");
	assert_string_equal(view.note, "note");
	assert_false(view.version2);
	assert_int_equal(view.created_ms, 7);
}

static void
test_changes(void **state)
{
	struct credential_view view;

	(void)state;
	put("b", PROFILE_SES, STORED, OTHER, false);
	put("b", PROFILE_SES, STORED, SECRET, true);
	assert_rc(credentials_find(stored, STORED, &view), RC_OK);
	assert_true(view.version2);
	LOGS_IN(STORED, SECRET, "b", PROFILE_SES);
	check_login(STORED, password_of(SECRET, NULL), RC_OK, "b", PROFILE_SES, "");
	check_login(
	    STORED, password_of(OTHER, REGION), RC_DENY, "b", PROFILE_SES, "wrong password");
	credentials_set_profile(stored, "a", PROFILE_RELAY);
	LOGS_IN(STORED, SECRET, "b", PROFILE_SES);
	credentials_set_profile(stored, "b", PROFILE_RELAY);
	LOGS_IN(STORED, SECRET, "b", PROFILE_RELAY);
	credentials_remove(stored, STORED);
	credentials_remove(stored, STORED);
	UNKNOWN(STORED, SECRET);
	assert_rc(credentials_find(stored, STORED, &view), RC_DENY);
	credentials_remove(stored, FILED); /* is not the store's to remove */
	LOGS_IN(FILED, SECRET, "a", PROFILE_RELAY);
}

/* The same id in both: that of the configuration counts, and only its password. */
static void
test_the_file_counts(void **state)
{
	struct config *config = must_parse("accounts = ({ name = \"b\"; });");
	struct credential_table *empty, *full = table;
	struct why why = WHY_EMPTY;

	(void)state;
	put("b", PROFILE_SES, FILED, OTHER, false);
	LOGS_IN(FILED, SECRET, "a", PROFILE_RELAY);
	check_login(
	    FILED, password_of(OTHER, REGION), RC_DENY, "a", PROFILE_RELAY, "wrong password");
	assert_rc(credential_table_new(config, &empty, &why), RC_OK);
	config_unref(config);
	table = empty;
	LOGS_IN(FILED, OTHER, "b", PROFILE_SES);
	table = full;
	credential_table_unref(empty);
}

/* Since some are missing, one that is not known may be right; one that is known and wrong is wrong. */
static void
test_some_are_missing(void **state)
{
	(void)state;
	put("b", PROFILE_SES, STORED, OTHER, false);
	credentials_note_missing(stored);
	check_login("AKIANONE000000000001", password_of(OTHER, REGION), RC_LATER, "", PROFILE_SES,
	    "unknown credential");
	check_login(STORED, "wrong", RC_DENY, "b", PROFILE_SES, "wrong password");
	check_login(FILED, "wrong", RC_DENY, "a", PROFILE_RELAY, "wrong password");
	LOGS_IN(STORED, OTHER, "b", PROFILE_SES);
}

/* A secret from which no password can be derived. */
static void
test_bad_secret(void **state)
{
	struct config_credential from = {
		.id = (char[]){ STORED }, .secret = (char[]){ "" }, .note = (char[]){ "" }
	};
	struct why why = WHY_EMPTY;

	(void)state;
	put("b", PROFILE_SES, STORED, OTHER, false);
	assert_rc(credentials_put(stored, "a", PROFILE_SES, REGION, &from, &why), RC_LATER);
	LOGS_IN(STORED, OTHER, "b", PROFILE_SES); /* the one before is untouched */
}

struct seen {
	size_t count;
	size_t stop_at;
};

static bool
count_one(void *arg, const struct credential_view *view)
{
	struct seen *seen = arg;

	assert_string_equal(view->account, "b");
	return ++seen->count != seen->stop_at;
}

static size_t
count_of(const char *account, size_t stop_at)
{
	struct seen seen = { 0, stop_at };

	credentials_each(stored, account, count_one, &seen);
	return seen.count;
}

static void
test_of_an_account(void **state)
{
	char id[40];

	(void)state;
	for (int i = 0; i < 100; i++) {
		(void)snprintf(id, sizeof id, "AKIAMANY%012d", i);
		put(i % 4 == 0 ? "a" : "b", PROFILE_SES, id, OTHER, false);
	}
	assert_int_equal(count_of("b", 0), 75);
	assert_int_equal(count_of("b", 10), 10);
	assert_int_equal(count_of("none", 0), 0);
	credentials_remove_account(stored, "a");
	assert_int_equal(count_of("b", 0), 75);
	UNKNOWN("AKIAMANY000000000000", OTHER);
	LOGS_IN("AKIAMANY000000000001", OTHER, "b", PROFILE_SES);
	credentials_remove_account(stored, "b");
	assert_int_equal(count_of("b", 0), 0);
	UNKNOWN("AKIAMANY000000000001", OTHER);
	LOGS_IN(FILED, SECRET, "a", PROFILE_RELAY);
}

/* ------------------------------------------------------------------ threads ------------------- */

enum {
	LOOPS = 3,
	ROUNDS = 2000
};

struct client {
	pthread_t thread;
	struct credential_table *table; /* a reference of its own */
	char good[AUTH_PASSWORD_LEN + 1], other[AUTH_PASSWORD_LEN + 1];
	unsigned wrong; /* answers that no moment can have given */
	unsigned logins;
};

static atomic_bool changed;

/* Logs in as a connection loop does: the credential is the one or the other, or gone, and nothing in between. */
static void *
client_main(void *arg)
{
	struct client *c = arg;

	while (!changed || c->logins == 0) {
		struct login login = { "", PROFILE_SES };
		const char *reason;
		enum rc rc = credentials_check(c->table, stored, STORED, c->good, &login, &reason);

		if (rc == RC_OK) {
			c->logins++;
			c->wrong += strcmp(login.account, "b") != 0;
		} else {
			c->wrong += rc != RC_DENY;
		}
		rc = credentials_check(c->table, stored, STORED, c->other, &login, &reason);
		c->wrong += rc == RC_OK && strcmp(login.account, "a") != 0;
		rc = credentials_check(c->table, stored, FILED, "wrong", &login, &reason);
		c->wrong += rc != RC_DENY || strcmp(login.account, "a") != 0;
	}
	credential_table_unref(c->table);
	return NULL;
}

static void
test_logins_while_they_change(void **state)
{
	struct client clients[LOOPS] = { 0 };
	char id[40];

	(void)state;
	changed = false;
	put("b", PROFILE_SES, STORED, OTHER, false);
	for (int i = 0; i < LOOPS; i++) {
		clients[i].table = credential_table_ref(table);
		assert_rc(auth_password_v4(OTHER, REGION, clients[i].good), RC_OK);
		assert_rc(auth_password_v4(SECRET, REGION, clients[i].other), RC_OK);
		assert_int_equal(
		    pthread_create(&clients[i].thread, NULL, client_main, &clients[i]), 0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		put("a", PROFILE_SES, STORED, SECRET, false);
		credentials_set_profile(stored, "a", PROFILE_RELAY);
		/* Others, so that the table grows and moves. */
		(void)snprintf(id, sizeof id, "AKIAMANY%012d", i % 300);
		put("c", PROFILE_SES, id, OTHER, false);
		if (i % 300 == 299)
			credentials_remove_account(stored, "c");
		if (i % 2 == 0)
			credentials_remove(stored, STORED);
		put("b", PROFILE_SES, STORED, OTHER, false);
	}
	changed = true;
	for (int i = 0; i < LOOPS; i++) {
		assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
		assert_int_equal(clients[i].wrong, 0);
		assert_true(clients[i].logins > 0);
	}
	LOGS_IN(STORED, OTHER, "b", PROFILE_SES);
}

static int
set_up(void **state)
{
	struct config *config = must_parse(text);
	struct why why = WHY_EMPTY;

	(void)state;
	assert_rc(credential_table_new(config, &table, &why), RC_OK);
	config_unref(config); /* the table has copies */
	stored = credentials_new();
	return stored != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	credentials_free(stored);
	credentials_free(NULL);
	credential_table_unref(table);
	credential_table_unref(NULL);
	return 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_logins),
		TEST(test_changes),
		TEST(test_the_file_counts),
		TEST(test_some_are_missing),
		TEST(test_bad_secret),
		TEST(test_of_an_account),
		TEST(test_logins_while_they_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
