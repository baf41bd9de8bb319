/* Unit tests of auth/password.c, with the published vectors. */
#include "config.h"

#include "unit/test.h"
#include "auth/auth.h"

#define EXAMPLE "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define OTHER	"0123456789abcdefghijABCDEFGHIJ0123456789"
#define V4	"BLBM/9hSUELfq8Gw+rU1YcBjkOxGbhT2XG763xVLGWL9"
#define V2	"An60U4ZD3sd4fg+FvXUjayOipTt8LO4rUUmhpdX6ctDy"

static void
test_vectors(void **state)
{
	static const struct {
		const char *secret, *region, *password;
	} rows[] = {
		{ EXAMPLE, "us-east-1", V4 },
		{ EXAMPLE, "us-west-2", "BF2PynzbSCAjX08zhZZnP/kW+T9P5zs/1Er0pi5vTEmd" },
		{ EXAMPLE, "eu-west-1", "BMW5RDrXmmVs0lV7GpI4oLkHXpZ4stDsk6q91z1g38Pk" },
		{ EXAMPLE, "eu-central-1", "BF0/eIJm0ruTHsSjOkRuOGzGF+zeSyE3aiRzrzUQ8LwG" },
		{ OTHER, "us-east-1", "BLNLMv/JAl6hdl1jAZYNu96QrZZeH7XZnUb3S7QEFalf" },
		{ OTHER, "eu-west-1", "BKNha8n3pZ4Q78IEqhv5cufTTeKHWgwUJg7jkdXZzctG" },
	};
	char out[AUTH_PASSWORD_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_rc(auth_password_v4(rows[i].secret, rows[i].region, out), RC_OK);
		assert_string_equal(out, rows[i].password);
	}
	assert_rc(auth_password_v2(EXAMPLE, out), RC_OK);
	assert_string_equal(out, V2);
}

static void
test_secrets_out_of_bounds(void **state)
{
	char out[AUTH_PASSWORD_LEN + 1], secret[1026];

	(void)state;
	memset(secret, 'a', sizeof secret);
	secret[1025] = '\0';
	assert_rc(auth_password_v4("", "us-east-1", out), RC_BAD);
	assert_rc(auth_password_v2("", out), RC_BAD);
	assert_rc(auth_password_v4(secret, "us-east-1", out), RC_BAD);
	secret[1024] = '\0';
	assert_rc(auth_password_v4(secret, "us-east-1", out), RC_OK);
}

static void
test_matches(void **state)
{
	struct auth_verifier both, only4;
	char changed[AUTH_PASSWORD_LEN + 2];

	(void)state;
	assert_rc(auth_verifier_make(EXAMPLE, "us-east-1", true, &both), RC_OK);
	assert_rc(auth_verifier_make(EXAMPLE, "us-east-1", false, &only4), RC_OK);
	assert_true(auth_password_matches(&both, V4));
	assert_true(auth_password_matches(&both, V2));
	assert_true(auth_password_matches(&only4, V4));
	assert_false(auth_password_matches(&only4, V2));
	assert_false(auth_password_matches(NULL, V4));
	assert_false(auth_password_matches(NULL, ""));
	assert_false(auth_password_matches(&only4, ""));
	assert_false(auth_password_matches(&both, V4 "x"));
	for (size_t i = 0; i < AUTH_PASSWORD_LEN; i++) {
		memcpy(changed, V4, sizeof V4);
		changed[i] ^= 1;
		assert_false(auth_password_matches(&both, changed));
		memcpy(changed, V4, sizeof V4);
		changed[i] = '\0';
		assert_false(auth_password_matches(&both, changed));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_secrets_out_of_bounds),
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests_name("auth/password", tests, NULL, NULL);
}
