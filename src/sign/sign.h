/* sign/sign.h - DKIM signatures (RFC 6376). The home of libopendkim.
 *
 * sign_message is meant for a worker thread: it burns CPU (RSA) and never blocks otherwise. Keys are parsed
 * once, checked, counted and immutable; any thread. */
#ifndef SIGN_SIGN_H
#define SIGN_SIGN_H

#include "util/buf.h"
#include "util/rc.h"
#include "util/span.h"

struct sign_key;

/* Read and check a private key file in PEM (PKCS#1 or PKCS#8): RSA of 1024 to 4096 bits. Others may not
 * read it (RC_DENY). selector and domain are checked as host names. Blocks (file). */
MUST_CHECK enum rc sign_key_load(const char *path, const char *domain, const char *selector,
    struct sign_key **out, struct why *why);
/* The same from PEM text in memory. */
MUST_CHECK enum rc sign_key_parse(struct span pem, const char *domain, const char *selector,
    struct sign_key **out, struct why *why);
struct sign_key *sign_key_ref(struct sign_key *key);
void sign_key_unref(struct sign_key *key);
const char *sign_key_domain(const struct sign_key *key);
const char *sign_key_selector(const struct sign_key *key);
int sign_key_bits(const struct sign_key *key);
/* "v=DKIM1; k=rsa; p=..." appended: what to publish at SELECTOR._domainkey.DOMAIN. */
MUST_CHECK enum rc sign_key_record(const struct sign_key *key, struct buf *out);

/* Once per process, before threads use the rest; checks that the key cache works (sign once and verify) and
 * says so in the log. */
MUST_CHECK enum rc sign_init(struct why *why);
void sign_done(void);

/* The message: header block in pieces as it will be sent (whole fields with CR LF; pieces may hold several and
 * begin at field borders), then the body in pieces (each call of next gives one; len 0 ends). The body is what
 * follows the empty line and ends in CR LF (or is empty). */
struct sign_body {
	enum rc (*next)(void *arg, struct span *piece, struct why *why);
	void *arg;
};

/* Append a folded "DKIM-Signature: ...\r\n" field to `out`: rsa-sha256, relaxed/simple, t=now_s, the
 * header fields that SES signs, oversigned as far as our rules say. `skip_feedback_id` is false for the provider's
 * signature, which signs Feedback-ID, too. RC_LATER when the library fails: the message must not leave unsigned. */
MUST_CHECK enum rc sign_message(struct sign_key *key, const struct span *header,
    size_t header_count, const struct sign_body *body, int64_t now_s, bool skip_feedback_id,
    struct buf *out, struct why *why);

#endif
