/* store/keyring.h - the master keys, and secrets encrypted under them.
 *
 * The file has a key a line: 32 random bytes as base64. Blank lines and lines that begin with # are comments. The first
 * key encrypts, all of them decrypt: to change the key, put a new line in front, have the store put every secret under
 * it (store_rekey), then drop the old line.
 *
 * A stored secret is: version (1), the key's id (4 bytes), a nonce (12), the ciphertext, a tag (16); AES-256-GCM. What
 * it belongs to (table, keys of the row, column) is authenticated with it: in another place it does not decrypt. */
#ifndef STORE_KEYRING_H
#define STORE_KEYRING_H

#include "util/buf.h"

enum {
	STORE_KEY_ID_LEN = 4
};

struct store_keys;

/* RC_LATER with err ENOENT: there is no such file. RC_BAD, RC_DENY, RC_LATER: it cannot be used. */
MUST_CHECK enum rc store_keys_load(const char *path, struct store_keys **out, struct why *why);
/* A new file with one key, 0600. */
MUST_CHECK enum rc store_keys_make(const char *dir, const char *name, struct why *why);
void store_keys_free(struct store_keys *keys); /* wiped */

/* Appends the stored form. */
MUST_CHECK enum rc store_keys_seal(const struct store_keys *keys, struct span place,
    struct span secret, struct buf *out, struct why *why);
/* *out: the secret with a NUL behind it; the caller wipes and frees it. RC_BAD: no such key, or it was not stored in this
 * place, or it is damaged. */
MUST_CHECK enum rc store_keys_unseal(const struct store_keys *keys, struct span place,
    struct span stored, char **out, struct why *why);
/* Is it under the first key already? */
bool store_keys_is_current(const struct store_keys *keys, struct span stored);

#endif
