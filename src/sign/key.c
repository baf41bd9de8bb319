/* sign/key.c - private keys: read, checked, counted, immutable.
 * In:   PEM text, domain and selector.   Out: struct sign_key, and the record to publish for it.
 * Always true: RSA of 1024 to 4096 bits whose halves belong together; secrets are wiped when freed. */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "sign/internal.h"
#include "util/crypto.h"
#include "util/fsutil.h"

enum {
	KEY_TEXT_MAX = 20480,
	KEY_BITS_MIN = 1024,
	KEY_BITS_MAX = 4096
};

struct sign_key {
	atomic_uint refs;
	EVP_PKEY *pkey;
	char *pem; /* for a library that has to parse it itself */
	char domain[254];
	char selector[254];
};

/* Also says no to everything that has no place in a DKIM-Signature: the library would copy it there. */
static bool
is_host_name(struct span name)
{
	struct span label;

	if (name.len == 0 || name.len > 253)
		return false;
	while (span_next(&name, '.', &label)) {
		if (label.len == 0 || label.len > 63 || label.p[0] == '-' ||
		    label.p[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
				return false;
	}
	return true;
}

/* Without this the reader asks for a pass phrase on the terminal. */
static int
no_pass_phrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *
read_pkey(struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *pkey = NULL;

	if (bio != NULL)
		pkey = PEM_read_bio_PrivateKey_ex(bio, NULL, no_pass_phrase, NULL, NULL, NULL);
	BIO_free(bio);
	return pkey;
}

static bool
halves_match(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool match = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return match;
}

static enum rc
check_pkey(EVP_PKEY *pkey, struct why *why)
{
	if (pkey == NULL)
		return why_set(why, RC_BAD, 0,
		    "not a private key in PEM, or one that is locked with a pass phrase");
	if (EVP_PKEY_is_a(pkey, "RSA") != 1)
		return why_set(why, RC_BAD, 0, "not an RSA key");
	if (EVP_PKEY_get_bits(pkey) < KEY_BITS_MIN || EVP_PKEY_get_bits(pkey) > KEY_BITS_MAX)
		return why_set(why, RC_BAD, 0, "RSA key of %d bits; 1024 to 4096 are taken",
		    EVP_PKEY_get_bits(pkey));
	if (!halves_match(pkey))
		return why_set(why, RC_BAD, 0, "public and private half of the key do not match");
	return RC_OK;
}

enum rc
sign_key_parse(struct span pem, const char *domain, const char *selector, struct sign_key **out,
    struct why *why)
{
	struct sign_key *key;
	enum rc rc;

	*out = NULL;
	if (!is_host_name(span_of(domain)))
		return why_set(why, RC_BAD, 0, "DKIM domain is not a host name");
	if (!is_host_name(span_of(selector)))
		return why_set(why, RC_BAD, 0, "DKIM selector is not a host name");
	if (pem.len > KEY_TEXT_MAX)
		return why_set(why, RC_BAD, 0, "key text is longer than %d bytes", KEY_TEXT_MAX);
	key = calloc(1, sizeof *key);
	if (key == NULL)
		return why_errno(why, ENOMEM, "DKIM key");
	key->refs = 1;
	(void)span_copy(span_of(domain), key->domain, sizeof key->domain);
	(void)span_copy(span_of(selector), key->selector, sizeof key->selector);
	key->pem = span_dup(pem);
	key->pkey = read_pkey(pem);
	rc = key->pem != NULL ? check_pkey(key->pkey, why) : why_errno(why, ENOMEM, "DKIM key");
	ERR_clear_error();
	if (rc == RC_OK)
		*out = key;
	else
		sign_key_unref(key);
	return rc;
}

enum rc
sign_key_load(const char *path, const char *domain, const char *selector, struct sign_key **out,
    struct why *why)
{
	struct buf text = BUF_EMPTY;
	enum rc rc;

	*out = NULL;
	rc = fsutil_read_secret(path, KEY_TEXT_MAX, &text, why);
	if (rc == RC_OK)
		rc = sign_key_parse(buf_span(&text), domain, selector, out, why);
	if (text.mem != NULL)
		crypto_wipe(text.mem, text.cap);
	buf_free(&text);
	return rc;
}

struct sign_key *
sign_key_ref(struct sign_key *key)
{
	atomic_fetch_add(&key->refs, 1);
	return key;
}

void
sign_key_unref(struct sign_key *key)
{
	if (key == NULL || atomic_fetch_sub(&key->refs, 1) != 1)
		return;
	EVP_PKEY_free(key->pkey);
	if (key->pem != NULL)
		crypto_wipe(key->pem, strlen(key->pem));
	free(key->pem);
	free(key);
}

const char *
sign_key_domain(const struct sign_key *key)
{
	return key->domain;
}

const char *
sign_key_selector(const struct sign_key *key)
{
	return key->selector;
}

int
sign_key_bits(const struct sign_key *key)
{
	return EVP_PKEY_get_bits(key->pkey);
}

EVP_PKEY *
key_pkey(const struct sign_key *key)
{
	return key->pkey;
}

const char *
key_pem(const struct sign_key *key)
{
	return key->pem;
}

enum rc
sign_key_record(const struct sign_key *key, struct buf *out)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key->pkey, &der);
	size_t text_len = len > 0 ? CRYPTO_BASE64_LEN((size_t)len) : 0, room;
	char *text;

	if (len <= 0)
		return RC_LATER;
	buf_addf(out, "v=DKIM1; k=rsa; p=");
	text = buf_reserve(out, text_len, &room);
	if (text != NULL)
		buf_commit(out, crypto_base64(span_make((char *)der, (size_t)len), text));
	OPENSSL_free(der);
	return text != NULL && !out->failed ? RC_OK : RC_LATER;
}
