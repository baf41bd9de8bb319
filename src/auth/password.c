/* auth/password.c - SES SMTP passwords: derived from the secret access key, never stored by the client's side.
 * In:   secret, region; a password to check.   Out: derived passwords; yes or no.
 * Always true: a check costs the same for every user, known or not, and every password; intermediate keys are
 * wiped. The secrets carry over 200 bits, so no slow derivation is needed against guessing. */
#include "config.h"

#include "auth/auth.h"

#include <stdio.h>

#include "util/crypto.h"

enum {
	SECRET_MAX = 1024
};

/* One version byte and the key, in base64: 33 bytes give 44 characters without padding. */
static void
encode(unsigned char version, const unsigned char key[SHA256_LEN], char *out)
{
	char bytes[1 + SHA256_LEN];

	bytes[0] = (char)version;
	memcpy(bytes + 1, key, SHA256_LEN);
	(void)crypto_base64(span_make(bytes, sizeof bytes), out);
	crypto_wipe(bytes, sizeof bytes);
}

static bool
is_secret(const char *secret)
{
	return secret[0] != '\0' && strlen(secret) <= SECRET_MAX;
}

enum rc
auth_password_v4(const char *secret, const char *region, char *out)
{
	const char *const chain[] = { "11111111", region, "ses", "aws4_request", "SendRawEmail" };
	char first[sizeof "AWS4" + SECRET_MAX];
	unsigned char key[SHA256_LEN];
	struct span from;
	enum rc rc = RC_OK;

	if (!is_secret(secret))
		return RC_BAD;
	(void)snprintf(first, sizeof first, "AWS4%s", secret);
	from = span_of(first);
	for (size_t i = 0; i < ARRAY_LEN(chain) && rc == RC_OK; i++) {
		unsigned char next[SHA256_LEN];

		rc = crypto_hmac_sha256(from, span_of(chain[i]), next);
		memcpy(key, next, sizeof key);
		crypto_wipe(next, sizeof next);
		from = span_make((const char *)key, sizeof key);
	}
	if (rc == RC_OK)
		encode(4, key, out);
	crypto_wipe(first, sizeof first);
	crypto_wipe(key, sizeof key);
	return rc;
}

enum rc
auth_password_v2(const char *secret, char *out)
{
	unsigned char key[SHA256_LEN];
	enum rc rc;

	if (!is_secret(secret))
		return RC_BAD;
	rc = crypto_hmac_sha256(span_of(secret), SPAN_LIT("SendRawEmail"), key);
	if (rc == RC_OK)
		encode(2, key, out);
	crypto_wipe(key, sizeof key);
	return rc;
}

enum rc
auth_verifier_make(const char *secret, const char *region, bool version2, struct auth_verifier *out)
{
	enum rc rc;

	memset(out, 0, sizeof *out);
	rc = auth_password_v4(secret, region, out->v4);
	if (rc == RC_OK && version2)
		rc = auth_password_v2(secret, out->v2);
	if (rc != RC_OK)
		crypto_wipe(out, sizeof *out);
	return rc;
}

bool
auth_password_matches(const struct auth_verifier *verifier, const char *password)
{
	/* An empty version 2 and the verifier of an unknown user are 44 NULs, which no password is. */
	static const struct auth_verifier nobody;
	char given[AUTH_PASSWORD_LEN];
	size_t len = strnlen(password, AUTH_PASSWORD_LEN + 1);
	bool v4, v2;

	if (verifier == NULL)
		verifier = &nobody;
	memset(given, 0, sizeof given);
	memcpy(given, password, len < sizeof given ? len : sizeof given);
	v4 = crypto_equal(span_make(given, sizeof given), span_make(verifier->v4, sizeof given));
	v2 = crypto_equal(span_make(given, sizeof given), span_make(verifier->v2, sizeof given));
	crypto_wipe(given, sizeof given);
	return (int)(len == AUTH_PASSWORD_LEN) & ((int)v4 | (int)v2);
}
