/* store/keyring.c - In: the file of master keys; secrets. Out: their stored form and back.
 * Always true: no key and no secret is logged, stands in an error, or stays in memory that was freed. */
#include "config.h"

#include "store/keyring.h"

#include <stdlib.h>

#include "util/crypto.h"
#include "util/fsutil.h"

enum {
	KEYS_MAX = 64,
	FILE_MAX_BYTES = 16384,
	SEAL_VERSION = 1,
	NONCE_AT = 1 + STORE_KEY_ID_LEN,
	TEXT_AT = NONCE_AT + CRYPTO_NONCE_LEN,
	SEAL_OVERHEAD = TEXT_AT + CRYPTO_TAG_LEN
};

struct master_key {
	unsigned char id[STORE_KEY_ID_LEN];
	unsigned char key[CRYPTO_KEY_LEN];
};

struct store_keys {
	size_t count;
	struct master_key list[KEYS_MAX];
};

void
store_keys_free(struct store_keys *keys)
{
	if (keys == NULL)
		return;
	crypto_wipe(keys, sizeof *keys);
	free(keys);
}

static enum rc
add(struct store_keys *keys, const char *path, unsigned line_number, struct span line,
    struct why *why)
{
	struct master_key *key = &keys->list[keys->count];
	unsigned char digest[SHA256_LEN];
	size_t len = 0;

	if (keys->count == KEYS_MAX)
		return why_set(why, RC_BAD, 0, "%s: more than %d keys", path, KEYS_MAX);
	if (crypto_base64_decode(line, key->key, sizeof key->key, &len) != RC_OK ||
	    len != sizeof key->key)
		return why_set(why, RC_BAD, 0, "%s:%u: not a key: base64 of %d random bytes is",
		    path, line_number, CRYPTO_KEY_LEN);
	if (crypto_sha256(span_make((const char *)key->key, sizeof key->key), digest) != RC_OK)
		return why_set(why, RC_LATER, 0, "%s: SHA-256 failed", path);
	memcpy(key->id, digest, sizeof key->id);
	for (size_t i = 0; i < keys->count; i++)
		if (memcmp(keys->list[i].id, key->id, sizeof key->id) == 0)
			return why_set(
			    why, RC_BAD, 0, "%s:%u: the same key twice", path, line_number);
	keys->count++;
	return RC_OK;
}

static enum rc
parse(struct store_keys *keys, const char *path, struct span text, struct why *why)
{
	unsigned line_number = 0;
	enum rc rc = RC_OK;
	struct span line;

	while (rc == RC_OK && span_next(&text, '\n', &line)) {
		line_number++;
		line = span_trim_lines(line);
		if (line.len > 0 && line.p[0] != '#')
			rc = add(keys, path, line_number, line, why);
	}
	if (rc == RC_OK && keys->count == 0)
		rc = why_set(why, RC_BAD, 0, "%s: no key in it", path);
	return rc;
}

enum rc
store_keys_load(const char *path, struct store_keys **out, struct why *why)
{
	struct store_keys *keys = calloc(1, sizeof *keys);
	struct buf text = BUF_EMPTY;
	size_t room;
	enum rc rc;

	*out = NULL;
	/* Room for all of it at once: memory that grows would leave copies behind that nobody wipes. */
	if (keys == NULL || buf_reserve(&text, FILE_MAX_BYTES + 8192, &room) == NULL) {
		free(keys);
		buf_free(&text);
		return why_set(why, RC_LATER, 0, "%s: out of memory", path);
	}
	rc = fsutil_read_secret(path, FILE_MAX_BYTES, &text, why);
	if (rc == RC_OK)
		rc = parse(keys, path, buf_span(&text), why);
	crypto_wipe(text.mem, text.cap);
	buf_free(&text);
	if (rc != RC_OK) {
		store_keys_free(keys);
		return rc;
	}
	*out = keys;
	return RC_OK;
}

enum rc
store_keys_make(const char *dir, const char *name, struct why *why)
{
	unsigned char key[CRYPTO_KEY_LEN];
	char line[CRYPTO_BASE64_LEN(CRYPTO_KEY_LEN) + 1];
	size_t len;
	enum rc rc;

	crypto_random(key, sizeof key);
	len = crypto_base64(span_make((const char *)key, sizeof key), line);
	line[len++] = '\n';
	rc = fsutil_publish(dir, name, span_make(line, len), 0600, why);
	crypto_wipe(key, sizeof key);
	crypto_wipe(line, sizeof line);
	return rc;
}

enum rc
store_keys_seal(const struct store_keys *keys, struct span place, struct span secret,
    struct buf *out, struct why *why)
{
	const struct master_key *key = &keys->list[0];
	size_t room;
	char *to = buf_reserve(out, secret.len + SEAL_OVERHEAD, &room);

	if (to == NULL)
		return why_set(why, RC_LATER, 0, "out of memory");
	to[0] = SEAL_VERSION;
	memcpy(to + 1, key->id, sizeof key->id);
	crypto_random(to + NONCE_AT, CRYPTO_NONCE_LEN);
	if (crypto_seal(key->key, (const unsigned char *)to + NONCE_AT, place, secret,
		(unsigned char *)to + TEXT_AT) != RC_OK)
		return why_set(why, RC_LATER, 0, "AES-256-GCM failed");
	buf_commit(out, secret.len + SEAL_OVERHEAD);
	return RC_OK;
}

static const struct master_key *
find(const struct store_keys *keys, const char *id)
{
	for (size_t i = 0; i < keys->count; i++)
		if (memcmp(keys->list[i].id, id, sizeof keys->list[i].id) == 0)
			return &keys->list[i];
	return NULL;
}

enum rc
store_keys_unseal(const struct store_keys *keys, struct span place, struct span stored, char **out,
    struct why *why)
{
	const struct master_key *key;
	char id[2 * STORE_KEY_ID_LEN + 1];
	size_t len;

	*out = NULL;
	if (stored.len < SEAL_OVERHEAD || stored.p[0] != SEAL_VERSION)
		return why_set(why, RC_BAD, 0, "its secret is not in a form known here");
	key = find(keys, stored.p + 1);
	if (key == NULL) {
		crypto_hex(stored.p + 1, STORE_KEY_ID_LEN, id);
		return why_set(
		    why, RC_BAD, 0, "its secret is under master key %s, which is not there", id);
	}
	len = stored.len - SEAL_OVERHEAD;
	*out = malloc(len + 1);
	if (*out == NULL)
		return why_set(why, RC_LATER, 0, "out of memory");
	(*out)[len] = '\0';
	if (crypto_unseal(key->key, (const unsigned char *)stored.p + NONCE_AT, place,
		span_skip(stored, TEXT_AT), *out) == RC_OK &&
	    memchr(*out, '\0', len) == NULL)
		return RC_OK;
	crypto_wipe(*out, len);
	free(*out);
	*out = NULL;
	return why_set(why, RC_BAD, 0, "its secret does not decrypt: damaged, or of another row");
}

bool
store_keys_is_current(const struct store_keys *keys, struct span stored)
{
	return stored.len >= SEAL_OVERHEAD && stored.p[0] == SEAL_VERSION &&
	       find(keys, stored.p + 1) == &keys->list[0];
}
