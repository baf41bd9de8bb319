/* auth/auth.h - SMTP AUTH exchanges (RFC 4954) and SES SMTP passwords. The home of libsasl2.
 *
 * The library only reads the client's answers (PLAIN, LOGIN); it never judges. The exchange hands out the name
 * and the password, and whoever holds the credentials compares (auth_password_matches), so no call here blocks
 * or looks into a database. An exchange belongs to one session and one thread. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "util/rc.h"
#include "util/span.h"

/* Once per process, before any thread uses the rest. Mechanisms are exactly PLAIN and LOGIN; no configuration file,
 * no sasldb, no other plugin is reachable. */
MUST_CHECK enum rc auth_init(struct why *why);
void auth_done(void);

enum {
	AUTH_NAME_MAX = 255,
	AUTH_LINE_MAX = 12288
};

struct auth_exchange;
struct auth_exchange *auth_exchange_new(const char *hostname); /* NULL: out of memory */
void auth_exchange_free(struct auth_exchange *exchange);       /* wipes what it holds */

/* AUTH's mechanism name and optional initial response ("=" is an empty one; has_initial false: none).
 * RC_MORE: send "334 " + *challenge (text as it goes on the wire: base64 or "Ok"; borrowed) and feed the answer.
 * RC_OK: name and password are complete (auth_exchange_result).
 * RC_BAD: why holds the reply: 504 unknown mechanism, 501 bad base64 or "*" (cancelled), 535 for answers that
 * cannot be credentials (NUL inside, empty user or password, over AUTH_NAME_MAX, invalid UTF-8, foreign
 * authorization id); the exchange is over. */
MUST_CHECK enum rc auth_exchange_start(struct auth_exchange *exchange, struct span mechanism,
    bool has_initial, struct span initial, const char **challenge, struct why *why);
MUST_CHECK enum rc auth_exchange_step(
    struct auth_exchange *exchange, struct span line, const char **challenge, struct why *why);

/* After RC_OK; both borrowed from the exchange. */
void auth_exchange_result(
    const struct auth_exchange *exchange, const char **name, const char **password);

/* SES SMTP password of a secret access key (44 characters): version 4 for a region, version 2 without. `out` needs
 * AUTH_PASSWORD_LEN + 1 bytes. */
#define AUTH_PASSWORD_LEN 44
MUST_CHECK enum rc auth_password_v4(const char *secret, const char *region, char *out);
MUST_CHECK enum rc auth_password_v2(const char *secret, char *out);

/* What is kept of a credential for checking: the derived passwords, so that a check is one comparison. */
struct auth_verifier {
	char v4[AUTH_PASSWORD_LEN + 1];
	char v2[AUTH_PASSWORD_LEN + 1]; /* "": version 2 is not taken */
};
MUST_CHECK enum rc auth_verifier_make(
    const char *secret, const char *region, bool version2, struct auth_verifier *out);

/* Constant time, the same for every outcome; `verifier` NULL (unknown user) costs as much and is false. */
bool auth_password_matches(const struct auth_verifier *verifier, const char *password);

#endif
