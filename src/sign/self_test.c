/* sign/self_test.c - signs a fixed message with a fresh key and verifies that with OpenSSL alone.
 * The library was seen to return success with a worthless signature, so its word is not enough. Verifies only
 * what sign_message makes: relaxed/simple, one known field. */
#include "config.h"

#include "sign/self_test.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "sign/internal.h"
#include "util/crypto.h"

#define FIELD	  "From: postmaster@localhost\r\n"
#define CANONICAL "from:postmaster@localhost\r\n"
#define BODY	  "self-test\r\n"

static enum rc
next_piece(void *arg, struct span *piece, struct why *why)
{
	struct span *rest = arg;

	(void)why;
	*piece = *rest;
	*rest = SPAN_EMPTY;
	return RC_OK;
}

static enum rc
make_key(struct sign_key **out, struct why *why)
{
	EVP_PKEY *pkey = EVP_RSA_gen(1024);
	BIO *bio = BIO_new(BIO_s_mem());
	enum rc rc = RC_LATER;
	char *text;

	*out = NULL;
	if (pkey != NULL && bio != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1) {
		long len = BIO_get_mem_data(bio, &text);

		rc = sign_key_parse(
		    span_make(text, (size_t)len), "self-test.invalid", "key", out, why);
	}
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return rc;
}

/* Relaxed form of the signature field without its CR LF and with b= emptied; `b` gets what was there. */
static void
canonical_signature(struct span field, struct buf *out, struct buf *b)
{
	struct span value = span_skip(field, span_find(field, ':') + 1);
	bool blank = false, in_b = false;

	buf_addf(out, "dkim-signature:");
	value = span_trim_lines(value);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (ascii_is_blank(c) || c == '\r' || c == '\n') {
			blank = true;
			continue;
		}
		if (in_b) {
			buf_add_char(b, c);
			continue;
		}
		if (blank)
			buf_add_char(out, ' ');
		blank = false;
		buf_add_char(out, c);
		in_b = span_iends(buf_span(out), SPAN_LIT("; b=")) ||
		       span_iends(buf_span(out), SPAN_LIT(";b="));
	}
}

static bool
body_hash_is_right(struct span field)
{
	unsigned char hash[SHA256_LEN];
	char text[CRYPTO_BASE64_LEN(SHA256_LEN)];
	size_t len;

	if (crypto_sha256(SPAN_LIT(BODY), hash) != RC_OK)
		return false;
	len = crypto_base64(span_make((char *)hash, sizeof hash), text);
	return memmem(field.p, field.len, text, len) != NULL;
}

static bool
verify(EVP_PKEY *pkey, struct span signed_text, struct span b)
{
	unsigned char bytes[512];
	size_t len;
	EVP_MD_CTX *ctx;
	bool good;

	if (crypto_base64_decode(b, bytes, sizeof bytes, &len) != RC_OK)
		return false;
	ctx = EVP_MD_CTX_new();
	good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
	       EVP_DigestVerify(
		   ctx, bytes, len, (const unsigned char *)signed_text.p, signed_text.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static enum rc
check_signature(struct sign_key *key, struct span field, struct why *why)
{
	struct buf text = BUF_EMPTY, b = BUF_EMPTY;
	bool good;

	buf_addf(&text, CANONICAL);
	canonical_signature(field, &text, &b);
	good = body_hash_is_right(field) && verify(key_pkey(key), buf_span(&text), buf_span(&b));
	buf_free(&text);
	buf_free(&b);
	return good ? RC_OK
		    : why_set(why, RC_LATER, 0, "DKIM: libopendkim's signature does not verify");
}

enum rc
self_test(struct why *why)
{
	struct span header = SPAN_LIT(FIELD), rest = SPAN_LIT(BODY);
	struct sign_body body = { next_piece, &rest };
	struct buf field = BUF_EMPTY;
	struct sign_key *key;
	enum rc rc = make_key(&key, why);

	if (rc == RC_OK)
		rc = sign_message(key, &header, 1, &body, 1, true, &field, why);
	if (rc == RC_OK)
		rc = check_signature(key, buf_span(&field), why);
	sign_key_unref(key);
	buf_free(&field);
	ERR_clear_error();
	return rc;
}
