/* util/crypto.c - hashes, sealed texts, base64, random bytes. Algorithms are fetched once: fetching is slow by design
 * in OpenSSL 3. */
#include "config.h"

#include "util/crypto.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD *md_sha256;
static EVP_MAC *mac_hmac;
static EVP_CIPHER *cipher_gcm;

static void
fetch_free(void)
{
	EVP_MD_free(md_sha256);
	EVP_MAC_free(mac_hmac);
	EVP_CIPHER_free(cipher_gcm);
}

static void
fetch_all(void)
{
	md_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	mac_hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	cipher_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	(void)atexit(fetch_free);
}

enum {
	POOL_BYTES = 512,
	POOL_TAKE_MAX = 64
};

/* Random bytes of this thread in reserve: one system call for many short requests. Each is wiped when it is given. */
static _Thread_local struct {
	unsigned char bytes[POOL_BYTES];
	size_t left;
} pool;

static void
ask_system(void *out, size_t len)
{
	unsigned char *at = out;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			abort();
		}
		at += n;
		len -= (size_t)n;
	}
}

void
crypto_random(void *out, size_t len)
{
	if (len > POOL_TAKE_MAX) {
		ask_system(out, len);
		return;
	}
	if (pool.left < len) {
		ask_system(pool.bytes, sizeof pool.bytes);
		pool.left = sizeof pool.bytes;
	}
	pool.left -= len;
	memcpy(out, pool.bytes + pool.left, len);
	crypto_wipe(pool.bytes + pool.left, len);
}

enum rc
crypto_sha256(struct span data, unsigned char out[SHA256_LEN])
{
	(void)pthread_once(&fetch_once, fetch_all);
	if (md_sha256 == NULL || EVP_Digest(data.p, data.len, out, NULL, md_sha256, NULL) != 1)
		return RC_LATER;
	return RC_OK;
}

enum rc
crypto_hmac_sha256(struct span key, struct span data, unsigned char out[SHA256_LEN])
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_utf8_string("digest", digest, sizeof digest - 1),
		OSSL_PARAM_END };
	EVP_MAC_CTX *ctx;
	size_t len = 0;
	bool ok;

	(void)pthread_once(&fetch_once, fetch_all);
	ctx = mac_hmac != NULL ? EVP_MAC_CTX_new(mac_hmac) : NULL;
	if (ctx == NULL)
		return RC_LATER;
	ok = EVP_MAC_init(ctx, (const unsigned char *)key.p, key.len, params) == 1 &&
	     EVP_MAC_update(ctx, (const unsigned char *)data.p, data.len) == 1 &&
	     EVP_MAC_final(ctx, out, &len, SHA256_LEN) == 1 && len == SHA256_LEN;
	EVP_MAC_CTX_free(ctx);
	return ok ? RC_OK : RC_LATER;
}

enum rc
crypto_seal(const unsigned char key[CRYPTO_KEY_LEN], const unsigned char nonce[CRYPTO_NONCE_LEN],
    struct span place, struct span text, void *out)
{
	EVP_CIPHER_CTX *ctx;
	unsigned char *to = out;
	int n = 0, rest = 0;
	bool ok;

	(void)pthread_once(&fetch_once, fetch_all);
	if (text.len > INT_MAX || place.len > INT_MAX)
		return RC_LATER;
	ctx = cipher_gcm != NULL ? EVP_CIPHER_CTX_new() : NULL;
	if (ctx == NULL)
		return RC_LATER;
	ok =
	    EVP_EncryptInit_ex2(ctx, cipher_gcm, key, nonce, NULL) == 1 &&
	    EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)place.p, (int)place.len) == 1 &&
	    EVP_EncryptUpdate(ctx, to, &n, (const unsigned char *)text.p, (int)text.len) == 1 &&
	    EVP_EncryptFinal_ex(ctx, to + n, &rest) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_LEN, to + text.len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? RC_OK : RC_LATER;
}

enum rc
crypto_unseal(const unsigned char key[CRYPTO_KEY_LEN], const unsigned char nonce[CRYPTO_NONCE_LEN],
    struct span place, struct span sealed, void *out)
{
	unsigned char tag[CRYPTO_TAG_LEN], *to = out;
	EVP_CIPHER_CTX *ctx;
	int n = 0, rest = 0;
	size_t len;
	bool ok;

	(void)pthread_once(&fetch_once, fetch_all);
	if (sealed.len < CRYPTO_TAG_LEN || sealed.len > INT_MAX || place.len > INT_MAX)
		return RC_BAD;
	len = sealed.len - CRYPTO_TAG_LEN;
	memcpy(tag, sealed.p + len, sizeof tag);
	ctx = cipher_gcm != NULL ? EVP_CIPHER_CTX_new() : NULL;
	if (ctx == NULL)
		return RC_LATER;
	ok =
	    EVP_DecryptInit_ex2(ctx, cipher_gcm, key, nonce, NULL) == 1 &&
	    EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)place.p, (int)place.len) == 1 &&
	    EVP_DecryptUpdate(ctx, to, &n, (const unsigned char *)sealed.p, (int)len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_LEN, tag) == 1 &&
	    EVP_DecryptFinal_ex(ctx, to + n, &rest) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		crypto_wipe(out, len);
	return ok ? RC_OK : RC_BAD;
}

bool
crypto_equal(struct span a, struct span b)
{
	return a.len == b.len && CRYPTO_memcmp(a.p, b.p, a.len) == 0;
}

void
crypto_wipe(void *mem, size_t len)
{
	OPENSSL_cleanse(mem, len);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
crypto_base64(struct span data, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < data.len; i += 3) {
		size_t left = data.len - i;
		uint32_t v = (uint32_t)(unsigned char)data.p[i] << 16;

		if (left > 1)
			v |= (uint32_t)(unsigned char)data.p[i + 1] << 8;
		if (left > 2)
			v |= (unsigned char)data.p[i + 2];
		out[n++] = base64_digits[v >> 18];
		out[n++] = base64_digits[v >> 12 & 63];
		out[n++] = left > 1 ? base64_digits[v >> 6 & 63] : '=';
		out[n++] = left > 2 ? base64_digits[v & 63] : '=';
	}
	out[n] = '\0';
	return n;
}

static int
base64_value(char c)
{
	const char *at = c != '\0' ? strchr(base64_digits, c) : NULL;

	return at != NULL ? (int)(at - base64_digits) : -1;
}

enum rc
crypto_base64_decode(struct span text, void *out, size_t size, size_t *len)
{
	unsigned char *to = out;
	size_t n = 0, pad = 0;

	if (text.len % 4 != 0)
		return RC_BAD;
	while (pad < 2 && pad < text.len && text.p[text.len - 1 - pad] == '=')
		pad++;
	if (text.len / 4 * 3 - pad > size)
		return RC_BAD;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t skip = i + 4 == text.len ? pad : 0;
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k + skip < 4 ? base64_value(text.p[i + k]) : 0;

			if (value < 0)
				return RC_BAD;
			v = v << 6 | (uint32_t)value;
		}
		if ((skip == 1 && (v & 0xff) != 0) || (skip == 2 && (v & 0xffff) != 0))
			return RC_BAD;
		to[n++] = (unsigned char)(v >> 16);
		if (skip < 2)
			to[n++] = (unsigned char)(v >> 8);
		if (skip < 1)
			to[n++] = (unsigned char)v;
	}
	*len = n;
	return RC_OK;
}

void
crypto_hex(const void *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = bytes;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * len] = '\0';
}
