/* sign/internal.h - between the files of sign/ only. */
#ifndef SIGN_INTERNAL_H
#define SIGN_INTERNAL_H

#include <stdint.h>

#include <openssl/evp.h>

#include "sign/sign.h"

/* --- key.c --- */
EVP_PKEY *key_pkey(const struct sign_key *key); /* borrowed */
const char *key_pem(const struct sign_key *key);

/* --- key_cache.c --- */
/* While a key is set, the PEM reader that libopendkim calls on this thread gives that key. NULL ends it. */
void key_cache_use(EVP_PKEY *pkey);
unsigned long key_cache_hits(void); /* of this thread */

/* --- select.c --- */
struct sign_field {
	struct span text; /* without the last CR LF */
	int name;	  /* row in the table of names; -1: not to be signed */
};
struct sign_selection {
	struct sign_field *fields; /* owned; in message order, those to be signed only */
	size_t count, cap;
	uint32_t cut; /* bit of each name of which instances were left out: not to be oversigned */
};

/* Which fields of the header are signed. RC_BAD: no From, or a field that verifiers would read otherwise. */
MUST_CHECK enum rc select_fields(const struct span *header, size_t count, bool skip_feedback_id,
    struct sign_selection *out, struct why *why);
void select_free(struct sign_selection *selection);

/* The names to oversign, NULL behind the last. */
enum {
	SELECT_NAMES_MAX = 24
};
void select_oversigned(uint32_t cut, const char *names[SELECT_NAMES_MAX]);

#endif
