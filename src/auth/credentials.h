/* auth/credentials.h - who may log in, and with which password.
 *
 * Credentials come from the configuration, as a table that never changes, and from the store, one by one. Any thread may
 * check; the core loop alone puts and removes. Where both have the same id, that of the configuration counts. */
#ifndef AUTH_CREDENTIALS_H
#define AUTH_CREDENTIALS_H

#include "auth/auth.h"
#include "config/config.h"

struct credentials;
struct credential_table;

/* The credentials of a configuration; derives their SMTP passwords (some microseconds each). Any thread; counted. */
MUST_CHECK enum rc credential_table_new(
    const struct config *config, struct credential_table **out, struct why *why);
struct credential_table *credential_table_ref(struct credential_table *table);
void credential_table_unref(struct credential_table *table); /* the last one wipes */

/* Whether the configuration has the id. */
bool credential_table_has(const struct credential_table *table, const char *id);

struct credentials *credentials_new(void); /* NULL: out of memory */
void credentials_free(struct credentials *credentials);

/* One of the store: new, or changed. Copies what it needs: not the secret. */
MUST_CHECK enum rc credentials_put(struct credentials *credentials, const char *account,
    enum config_profile profile, const char *region, const struct config_credential *credential,
    struct why *why);
void credentials_remove(struct credentials *credentials, const char *id);
void credentials_remove_account(struct credentials *credentials, const char *account);

/* The account has another profile now. Sessions keep the one they logged in with. */
void credentials_set_profile(
    struct credentials *credentials, const char *account, enum config_profile profile);
/* Any of them may have. */
void credentials_set_profiles(struct credentials *credentials,
    enum config_profile (*profile_of)(const void *arg, const char *account), const void *arg);

/* What is in the store is not all here: from now on an id that is not known is no wrong one. */
void credentials_note_missing(struct credentials *credentials);

/* What is known of a credential of the store, but its secret. */
struct credential_view {
	const char *id, *account, *note;
	bool version2;
	int64_t created_ms;
};
/* Core loop. RC_DENY: there is none. */
MUST_CHECK enum rc credentials_find(
    const struct credentials *credentials, const char *id, struct credential_view *out);
/* All of an account, in no order; until `each` is false. */
void credentials_each(const struct credentials *credentials, const char *account,
    bool (*each)(void *arg, const struct credential_view *view), void *arg);

/* What a login gives. */
struct login {
	char account[65]; /* room for any name */
	enum config_profile profile;
};

/* RC_OK. RC_DENY: wrong name or password, in the same time; RC_LATER: it cannot be told
 * now. `reason` says which, for the log only. */
MUST_CHECK enum rc credentials_check(const struct credential_table *table,
    struct credentials *credentials, const char *id, const char *password, struct login *out,
    const char **reason);

#endif
