/* util/crypto.h - the few primitives the daemon needs itself, on top of OpenSSL. Any thread. */
#ifndef UTIL_CRYPTO_H
#define UTIL_CRYPTO_H

#include "util/rc.h"
#include "util/span.h"

#define SHA256_LEN 32

/* Random bytes of the kernel's generator; ends the process when it has none (there is no way on). */
void crypto_random(void *out, size_t len);

MUST_CHECK enum rc crypto_sha256(struct span data, unsigned char out[SHA256_LEN]);
MUST_CHECK enum rc crypto_hmac_sha256(
    struct span key, struct span data, unsigned char out[SHA256_LEN]);

/* Constant time for equal lengths; false at once for unequal ones. */
bool crypto_equal(struct span a, struct span b);

/* AES-256-GCM. A nonce must never be used twice with a key; `place` is authenticated, not stored. `out` of seal has room
 * for the text and CRYPTO_TAG_LEN more; that of unseal for what is without the tag. RC_BAD: not what was sealed (out is
 * then wiped); RC_LATER: the library failed. Texts are below 2 GiB. */
#define CRYPTO_KEY_LEN	 32
#define CRYPTO_NONCE_LEN 12
#define CRYPTO_TAG_LEN	 16
MUST_CHECK enum rc crypto_seal(const unsigned char key[CRYPTO_KEY_LEN],
    const unsigned char nonce[CRYPTO_NONCE_LEN], struct span place, struct span text, void *out);
MUST_CHECK enum rc crypto_unseal(const unsigned char key[CRYPTO_KEY_LEN],
    const unsigned char nonce[CRYPTO_NONCE_LEN], struct span place, struct span sealed, void *out);

/* Forget a secret; never optimised away. */
void crypto_wipe(void *mem, size_t len);

/* Standard alphabet with padding. `out` needs CRYPTO_BASE64_LEN(len) bytes and gets a NUL. */
#define CRYPTO_BASE64_LEN(len) (((len) + 2) / 3 * 4 + 1)
size_t crypto_base64(struct span data, char *out);

/* Strict: no blanks, right padding, unused bits zero. RC_BAD otherwise or when it does not fit. */
MUST_CHECK enum rc crypto_base64_decode(struct span text, void *out, size_t size, size_t *len);

/* Lower-case; `out` needs 2 * len + 1 bytes and gets a NUL. */
void crypto_hex(const void *bytes, size_t len, char *out);

#endif
