/* sign/key_cache.c - gives libopendkim the parsed key in place of its text.
 *
 * libopendkim parses the PEM text of the key for each signature, which takes most of the time of signing (and
 * each fresh key object costs new blinding factors). It does so with PEM_read_bio_PrivateKey; the executable
 * defines and exports that symbol (SIGN_LDFLAGS), so the dynamic linker binds the library's call to the function
 * below. It hands out the key set for this thread, and is the real reader whenever none is set, as for libssl.
 * Without the linker flag, or with a library linked statically, signing still works and is slow: sign_init
 * finds that out and says so. */
#include "config.h"

#include <openssl/pem.h>

#include "sign/internal.h"

static _Thread_local EVP_PKEY *current;
static _Thread_local unsigned long hits;

void
key_cache_use(EVP_PKEY *pkey)
{
	current = pkey;
}

unsigned long
key_cache_hits(void)
{
	return hits;
}

EVP_PKEY *
PEM_read_bio_PrivateKey(BIO *in, EVP_PKEY **out, pem_password_cb *cb, void *arg)
{
	if (current == NULL)
		return PEM_read_bio_PrivateKey_ex(in, out, cb, arg, NULL, NULL);
	if (EVP_PKEY_up_ref(current) != 1) /* the library frees one reference per message */
		return NULL;
	hits++;
	if (out != NULL) {
		EVP_PKEY_free(*out);
		*out = current;
	}
	return current;
}
