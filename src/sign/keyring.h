/* sign/keyring.h - the DKIM keys of a configuration, by file name: immutable, counted, any thread. */
#ifndef SIGN_KEYRING_H
#define SIGN_KEYRING_H

#include "config/config.h"
#include "sign/sign.h"

struct keyring;

/* Loads every key that an identity names; d= is the identity's dkim_domain, or its own domain. Blocks (files). RC_BAD
 * or RC_DENY with why for the first key that is not good. */
MUST_CHECK enum rc keyring_new(const struct config *config, struct keyring **out, struct why *why);
struct keyring *keyring_ref(struct keyring *keyring);
void keyring_unref(struct keyring *keyring);

/* The key of the identity with this name, or NULL. Borrowed. */
struct sign_key *keyring_find(const struct keyring *keyring, const char *identity);

#endif
