/* auth/credentials.h - the credentials of a configuration: immutable, counted, any thread may check. */
#ifndef AUTH_CREDENTIALS_H
#define AUTH_CREDENTIALS_H

#include "auth/auth.h"
#include "config/config.h"

struct credentials;

/* Derives the SMTP passwords of every credential (some microseconds each). */
MUST_CHECK enum rc credentials_new(
    const struct config *config, struct credentials **out, struct why *why);
struct credentials *credentials_ref(struct credentials *credentials);
void credentials_unref(struct credentials *credentials); /* the last one wipes */

/* What a login gives; borrowed from `credentials`. */
struct login {
	const char *account;
	enum config_profile profile;
};

/* RC_OK, or RC_DENY for a wrong name or password: in the same time. `reason` says which, for the log only. */
MUST_CHECK enum rc credentials_check(const struct credentials *credentials, const char *id,
    const char *password, struct login *out, const char **reason);

#endif
