/* bench_sign - signatures a second on one thread: bare RSA, with the key cache, without it.
 * Not part of "make check". bench_sign [BODY BYTES] */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <opendkim/dkim.h>

#include "sign/sign.h"
#include "util/clock.h"

enum {
	SECONDS = 3
};

static const char header_text[] =
    "From: Jo <jo@example.com>\r\nTo: a@example.org\r\nSubject: bench\r\n"
    "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n";

static EVP_PKEY *pkey;
static struct sign_key *key;
static char *pem;
static struct span body_text;

static enum rc
next_piece(void *arg, struct span *piece, struct why *why)
{
	struct span *rest = arg;

	(void)why;
	*piece = *rest;
	*rest = SPAN_EMPTY;
	return RC_OK;
}

static bool
run_cached(void)
{
	struct span header = span_of(header_text);
	struct span rest = body_text;
	struct sign_body body = { next_piece, &rest };
	struct buf out = BUF_EMPTY;
	enum rc rc;

	rc = sign_message(key, &header, 1, &body, 1700000000, true, &out, NULL);
	buf_free(&out);
	return rc == RC_OK;
}

/* The library as documented: it parses the key each time. */
static bool
run_plain(void)
{
	static DKIM_LIB *lib;
	struct span rest = span_of(header_text);
	DKIM_STAT status;
	DKIM *dkim;
	u_char *text;
	size_t len;
	bool good;

	if (lib == NULL)
		lib = dkim_init(NULL, NULL);
	dkim = dkim_sign(lib, (const u_char *)"-", NULL, (dkim_sigkey_t)pem, (const u_char *)"s",
	    (const u_char *)"example.com", DKIM_CANON_RELAXED, DKIM_CANON_SIMPLE,
	    DKIM_SIGN_RSASHA256, -1, &status);
	if (dkim == NULL)
		return false;
	while (rest.len > 0) {
		size_t end = span_find(rest, '\r');
		char field[256];

		(void)span_copy(span_first(rest, end), field, sizeof field);
		(void)dkim_header(dkim, (u_char *)field, end);
		rest = span_skip(rest, end + 2);
	}
	good = dkim_eoh(dkim) == DKIM_STAT_OK &&
	       dkim_body(dkim, (u_char *)(uintptr_t)body_text.p, body_text.len) == DKIM_STAT_OK &&
	       dkim_eom(dkim, NULL) == DKIM_STAT_OK &&
	       dkim_getsighdr_d(dkim, 16, &text, &len) == DKIM_STAT_OK;
	(void)dkim_free(dkim);
	return good;
}

/* The least that is needed: hash the body, sign a hash. */
static bool
run_bare(void)
{
	unsigned char sig[512], hash[32];
	size_t len = sizeof sig;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = EVP_Digest(body_text.p, body_text.len, hash, NULL, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
	       EVP_DigestSign(ctx, sig, &len, hash, sizeof hash) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static void
measure(const char *name, bool (*run)(void))
{
	int64_t start = clock_mono_us(), end = start + SECONDS * INT64_C(1000000), now = start;
	unsigned long count = 0;

	while (now < end) {
		if (!run()) {
			(void)fprintf(stderr, "%s fails\n", name);
			exit(1);
		}
		count++;
		now = clock_mono_us();
	}
	(void)printf("%-22s %7.0f/s\n", name, (double)count * 1e6 / (double)(now - start));
}

int
main(int argc, char **argv)
{
	size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : 8192;
	char *body = malloc(size + 2);
	struct why why = WHY_EMPTY;
	BIO *bio = BIO_new(BIO_s_mem());
	long len;

	if (body == NULL)
		return 1;
	memset(body, 'x', size);
	for (size_t i = 76; i + 2 < size; i += 78)
		memcpy(body + i, "\r\n", 2);
	memcpy(body + size, "\r\n", 2);
	body_text = span_make(body, size + 2);
	pkey = EVP_RSA_gen(2048);
	(void)PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
	(void)BIO_write(bio, "", 1);
	len = BIO_get_mem_data(bio, &pem);
	if (sign_init(&why) != RC_OK || sign_key_parse(span_make(pem, (size_t)len - 1),
					    "example.com", "s", &key, &why) != RC_OK) {
		(void)fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	(void)printf("RSA-2048, body %zu bytes, one thread\n", size);
	for (int i = 0; i < 2; i++) {
		measure("bare EVP", run_bare);
		measure("with the key cache", run_cached);
		measure("without", run_plain);
	}
	sign_key_unref(key);
	sign_done();
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	free(body);
	return 0;
}
