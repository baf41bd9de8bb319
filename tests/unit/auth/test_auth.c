/* Unit tests of auth/auth.c against the real library. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <sasl/sasl.h>

#include "unit/test.h"
#include "auth/auth.h"
#include "util/crypto.h"

#define INVALID	 "Authentication Credentials Invalid"
#define BAD64	 "Invalid command argument, not a valid Base64 string"
#define NAME	 "AKIAIOSFODNN7EXAMPLE"
#define PASSWORD "BLBM/9hSUELfq8Gw+rU1YcBjkOxGbhT2XG763xVLGWL9"
#define PLAIN_64 \
	"AEFLSUFJT1NGT0ROTjdFWEFNUExFAEJMQk0vOWhTVUVMZnE4R3crclUxWWNCamtPeEdiaFQyWEc3NjN4VkxHV0w5"
#define NAME_64	  "QUtJQUlPU0ZPRE5ON0VYQU1QTEU="
#define SECRET_64 "QkxCTS85aFNVRUxmcThHdytyVTFZY0Jqa094R2JoVDJYRzc2M3hWTEdXTDk="

/* A whole exchange: the last rc, and why the reply if it failed. Lines beyond the first NULL are not sent. */
static enum rc
talk(struct auth_exchange *exchange, const char *mechanism, const char *initial,
    const char *const lines[], struct why *why)
{
	const char *challenge = NULL;
	enum rc rc = auth_exchange_start(exchange, span_of(mechanism), initial != NULL,
	    initial != NULL ? span_of(initial) : SPAN_EMPTY, &challenge, why);

	for (size_t i = 0; rc == RC_MORE && lines[i] != NULL; i++) {
		assert_non_null(challenge);
		challenge = NULL;
		rc = auth_exchange_step(exchange, span_of(lines[i]), &challenge, why);
	}
	return rc;
}

static void
check_refused(const char *mechanism, const char *initial, const char *line1, const char *line2,
    int code, const char *text)
{
	const char *const lines[] = { line1, line2, NULL };
	struct auth_exchange *exchange = auth_exchange_new("mail.example.com");
	struct why why = WHY_EMPTY;

	assert_rc(talk(exchange, mechanism, initial, lines, &why), RC_BAD);
	assert_int_equal(why.code, code);
	assert_string_equal(why.text, text);
	auth_exchange_free(exchange);
}

static void
check_accepted(const char *mechanism, const char *initial, const char *line1, const char *line2,
    const char *want_name, const char *want_password)
{
	const char *const lines[] = { line1, line2, NULL };
	struct auth_exchange *exchange = auth_exchange_new("mail.example.com");
	struct why why = WHY_EMPTY;
	const char *name, *password;

	assert_rc(talk(exchange, mechanism, initial, lines, &why), RC_OK);
	auth_exchange_result(exchange, &name, &password);
	assert_string_equal(name, want_name);
	assert_string_equal(password, want_password);
	auth_exchange_free(exchange);
}

/* base64 of bytes that may hold NULs; good until the next call but three. */
static const char *
b64_bytes(const void *bytes, size_t len)
{
	static char ring[4][CRYPTO_BASE64_LEN(10000)];
	static size_t at;
	char *out = ring[at++ % 4];

	(void)crypto_base64(span_make(bytes, len), out);
	return out;
}
#define B64(literal) b64_bytes("" literal, sizeof(literal) - 1)

static void
test_good_exchanges(void **state)
{
	(void)state;
	check_accepted("PLAIN", PLAIN_64, NULL, NULL, NAME, PASSWORD);
	check_accepted("plain", NULL, PLAIN_64, NULL, NAME, PASSWORD);
	check_accepted("LOGIN", NULL, NAME_64, SECRET_64, NAME, PASSWORD);
	check_accepted("Login", NAME_64, SECRET_64, NULL, NAME, PASSWORD);
	check_accepted("PLAIN", B64("jo\0jo\0pw"), NULL, NULL, "jo", "pw");
	/* as they came: no trimming, no realm */
	check_accepted(
	    "PLAIN", B64("\0jo@example.org\0 pw "), NULL, NULL, "jo@example.org", " pw ");
	check_accepted("LOGIN", B64("j o"), B64(" pw "), NULL, "j o", " pw ");
	check_accepted("PLAIN", B64("\0j\xc3\xb6\0p\xf0\x9f\x94\x91"), NULL, NULL, "j\xc3\xb6",
	    "p\xf0\x9f\x94\x91");
}

static void
test_challenges_are_those_of_ses(void **state)
{
	struct auth_exchange *exchange = auth_exchange_new("mail.example.com");
	const char *challenge;

	(void)state;
	assert_rc(
	    auth_exchange_start(exchange, SPAN_LIT("LOGIN"), false, SPAN_EMPTY, &challenge, NULL),
	    RC_MORE);
	assert_string_equal(challenge, "VXNlcm5hbWU6");
	assert_rc(auth_exchange_step(exchange, SPAN_LIT(NAME_64), &challenge, NULL), RC_MORE);
	assert_string_equal(challenge, "UGFzc3dvcmQ6");
	auth_exchange_free(exchange);
	exchange = auth_exchange_new("mail.example.com");
	assert_rc(
	    auth_exchange_start(exchange, SPAN_LIT("PLAIN"), false, SPAN_EMPTY, &challenge, NULL),
	    RC_MORE);
	assert_string_equal(challenge, "Ok");
	auth_exchange_free(exchange);
}

static void
test_unknown_mechanisms(void **state)
{
	static const char *const names[] = { "", "CRAM-MD5", "DIGEST-MD5", "NTLM", "ANONYMOUS",
		"EXTERNAL", "SCRAM-SHA-1", "SCRAM-SHA-256", "GSSAPI", "OAUTHBEARER", "PLAI",
		"PLAINX", "PLAIN LOGIN" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		check_refused(names[i], NULL, NULL, NULL, 504,
		    "The requested authentication mechanism is not supported");
}

static void
test_only_two_plugins_are_loaded(void **state)
{
	const char **mechs = sasl_global_listmech();

	(void)state;
	for (; *mechs != NULL; mechs++)
		assert_true(strcmp(*mechs, "PLAIN") == 0 || strcmp(*mechs, "LOGIN") == 0 ||
			    strcmp(*mechs, "EXTERNAL") == 0); /* built in; mech_list hides it */
}

static void
test_bad_base64_and_cancel(void **state)
{
	static const char *const bad[] = { "a", "ab", "abc", "ab==x", "AA =", "AGpvAHB3 ",
		"AGpvAHB3=", "AGpvAHB", "!!!!", "A===", "AB==", "QUJ\xc3", "*=" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		check_refused("PLAIN", bad[i], NULL, NULL, 501, BAD64);
		check_refused("PLAIN", NULL, bad[i], NULL, 501, BAD64);
		check_refused("LOGIN", NULL, bad[i], NULL, 501, BAD64);
		check_refused("LOGIN", NULL, NAME_64, bad[i], 501, BAD64);
	}
	check_refused("PLAIN", "*", NULL, NULL, 501, BAD64); /* no answer to a challenge */
	check_refused("PLAIN", NULL, "*", NULL, 501, "Authentication canceled by client.");
	check_refused("LOGIN", NULL, "*", NULL, 501, "Authentication canceled by client.");
	check_refused("LOGIN", NULL, NAME_64, "*", 501, "Authentication canceled by client.");
}

static void
test_answers_that_are_no_credentials(void **state)
{
	static const char *const parts[] = { "", "\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xf5", "a\xc3", "\x80" };

	(void)state;
	check_refused("PLAIN", "=", NULL, NULL, 535, INVALID);
	check_refused("PLAIN", NULL, "", NULL, 535, INVALID);
	check_refused("PLAIN", B64("jo"), NULL, NULL, 535, INVALID);
	check_refused("PLAIN", B64("\0jo"), NULL, NULL, 535, INVALID);
	check_refused("PLAIN", B64("\0\0"), NULL, NULL, 535, INVALID);
	check_refused("PLAIN", B64("\0jo\0pw\0"), NULL, NULL, 535, INVALID);
	check_refused("PLAIN", B64("\0jo\0p\0w"), NULL, NULL, 535, INVALID);
	check_refused("PLAIN", B64("root\0jo\0pw"), NULL, NULL, 535, INVALID);
	check_refused("PLAIN", B64("Jo\0jo\0pw"), NULL, NULL, 535, INVALID);
	check_refused("PLAIN", B64("\0 jo\0pw"), NULL, NULL, 535, INVALID);
	check_refused("LOGIN", B64("jo\t"), NULL, NULL, 535, INVALID);
	check_refused("LOGIN", "=", NULL, NULL, 535, INVALID);
	check_refused("LOGIN", NULL, B64("jo\0rest"), NULL, 535, INVALID);
	check_refused("LOGIN", NULL, NAME_64, B64("pw\0rest"), 535, INVALID);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char plain[64];
		int len = snprintf(plain, sizeof plain, "%cjo%c%s", 0, 0, parts[i]);

		check_refused("PLAIN", b64_bytes(plain, (size_t)len), NULL, NULL, 535, INVALID);
		len = snprintf(plain, sizeof plain, "%c%s%cpw", 0, parts[i], 0);
		check_refused("PLAIN", b64_bytes(plain, (size_t)len), NULL, NULL, 535, INVALID);
		check_refused(
		    "LOGIN", NULL, b64_bytes(parts[i], strlen(parts[i])), NULL, 535, INVALID);
		check_refused(
		    "LOGIN", NULL, NAME_64, b64_bytes(parts[i], strlen(parts[i])), 535, INVALID);
	}
}

/* Name and password of every length, in both mechanisms; 255 is the last that passes. */
static void
test_every_length(void **state)
{
	char text[301], plain[700];

	(void)state;
	for (size_t len = 1; len <= 300; len++) {
		memset(text, 'x', len);
		text[len] = '\0';
		plain[0] = '\0';
		memcpy(plain + 1, text, len + 1);
		memcpy(plain + len + 2, text, len);
		if (len <= AUTH_NAME_MAX) {
			check_accepted(
			    "PLAIN", b64_bytes(plain, 2 * len + 2), NULL, NULL, text, text);
			check_accepted(
			    "LOGIN", NULL, b64_bytes(text, len), b64_bytes(text, len), text, text);
		} else {
			check_refused(
			    "PLAIN", b64_bytes(plain, 2 * len + 2), NULL, NULL, 535, INVALID);
			check_refused("LOGIN", NULL, b64_bytes(text, len), NULL, 535, INVALID);
			check_refused("LOGIN", NULL, NAME_64, b64_bytes(text, len), 535, INVALID);
		}
	}
}

/* Payloads of every length and no sense: an answer comes, and it is one of ours. */
static void
test_every_payload_length(void **state)
{
	unsigned char bytes[301];

	(void)state;
	for (size_t len = 0; len <= 300; len++) {
		const char *lines[] = { NULL, NULL };
		struct auth_exchange *exchange = auth_exchange_new("mail.example.com");
		struct why why = WHY_EMPTY;
		enum rc rc;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (unsigned char)((i * 37 + len) % (len % 3 == 0 ? 256 : 100));
		lines[0] = b64_bytes(bytes, len);
		rc = talk(exchange, len % 2 == 0 ? "PLAIN" : "LOGIN", NULL, lines, &why);
		assert_true(rc == RC_MORE || rc == RC_OK || (rc == RC_BAD && why.code == 535));
		auth_exchange_free(exchange);
	}
}

static void
test_long_lines(void **state)
{
	size_t len = AUTH_LINE_MAX + 4;
	char *line = malloc(len + 1);

	(void)state;
	memset(line, 'A', len);
	line[len] = '\0';
	check_refused("PLAIN", line, NULL, NULL, 501, BAD64);
	line[AUTH_LINE_MAX] = '\0';
	check_refused("PLAIN", line, NULL, NULL, 535, INVALID);
	check_refused("LOGIN", NULL, line, NULL, 535, INVALID);
	free(line);
}

static void
test_misuse_is_told(void **state)
{
	struct auth_exchange *exchange = auth_exchange_new("mail.example.com");
	const char *challenge;

	(void)state;
	assert_rc(auth_exchange_step(exchange, SPAN_LIT("AA=="), &challenge, NULL), RC_BUG);
	assert_rc(auth_exchange_start(
		      exchange, SPAN_LIT("PLAIN"), true, SPAN_LIT(PLAIN_64), &challenge, NULL),
	    RC_OK);
	assert_rc(auth_exchange_step(exchange, SPAN_LIT("AA=="), &challenge, NULL), RC_BUG);
	auth_exchange_free(exchange);
	auth_exchange_free(NULL);
}

static void
test_a_thousand_exchanges(void **state)
{
	(void)state;
	for (int i = 0; i < 250; i++) {
		check_accepted("PLAIN", PLAIN_64, NULL, NULL, NAME, PASSWORD);
		check_accepted("LOGIN", NULL, NAME_64, SECRET_64, NAME, PASSWORD);
		check_refused("LOGIN", NULL, NAME_64, "=", 501, BAD64);
		check_refused("PLAIN", B64("root\0jo\0pw"), NULL, NULL, 535, INVALID);
	}
}

static int
set_up(void **state)
{
	struct why why = WHY_EMPTY;

	(void)state;
	if (auth_init(&why) == RC_OK)
		return 0;
	print_error("%s\n", why.text);
	return -1;
}

static int
tear_down(void **state)
{
	(void)state;
	auth_done();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_exchanges),
		cmocka_unit_test(test_challenges_are_those_of_ses),
		cmocka_unit_test(test_unknown_mechanisms),
		cmocka_unit_test(test_only_two_plugins_are_loaded),
		cmocka_unit_test(test_bad_base64_and_cancel),
		cmocka_unit_test(test_answers_that_are_no_credentials),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_every_payload_length),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_misuse_is_told),
		cmocka_unit_test(test_a_thousand_exchanges),
	};

	return cmocka_run_group_tests_name("auth/auth", tests, set_up, tear_down);
}
