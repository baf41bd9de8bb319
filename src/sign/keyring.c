/* sign/keyring.c - identity name -> parsed key. */
#include "config.h"

#include "sign/keyring.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "util/hash.h"

struct keyring_entry {
	char *identity;
	struct sign_key *key;
};

struct keyring {
	atomic_uint refs;
	struct map by_identity;
	struct keyring_entry *list;
	size_t count;
};

static enum rc
add(struct keyring *keyring, const struct config_identity *identity, struct why *why)
{
	struct keyring_entry *entry = &keyring->list[keyring->count];
	struct span name = span_of(identity->name);
	const char *domain =
	    identity->dkim_domain[0] != '\0'
		? identity->dkim_domain
		: identity->name +
		      (span_find_last(name, '@') < name.len ? span_find_last(name, '@') + 1 : 0);
	enum rc rc;

	rc = sign_key_load(identity->dkim_key, domain, identity->dkim_selector, &entry->key, why);
	if (rc != RC_OK)
		return rc;
	keyring->count++;
	entry->identity = span_dup(name);
	if (entry->identity == NULL ||
	    map_put(&keyring->by_identity, span_of(entry->identity), entry) != RC_OK)
		return why_set(why, RC_LATER, 0, "out of memory for keys");
	return RC_OK;
}

enum rc
keyring_new(const struct config *config, struct keyring **out, struct why *why)
{
	struct keyring *keyring = calloc(1, sizeof *keyring);
	enum rc rc = RC_OK;

	*out = NULL;
	if (keyring != NULL)
		keyring->list = calloc(config->identity_count + 1, sizeof *keyring->list);
	if (keyring == NULL || keyring->list == NULL) {
		free(keyring);
		return why_set(why, RC_LATER, 0, "out of memory for keys");
	}
	keyring->refs = 1;
	for (size_t i = 0; rc == RC_OK && i < config->identity_count; i++)
		if (config->identities[i].dkim_key[0] != '\0')
			rc = add(keyring, &config->identities[i], why);
	if (rc != RC_OK) {
		keyring_unref(keyring);
		return rc;
	}
	*out = keyring;
	return RC_OK;
}

struct keyring *
keyring_ref(struct keyring *keyring)
{
	keyring->refs++;
	return keyring;
}

void
keyring_unref(struct keyring *keyring)
{
	if (keyring == NULL || --keyring->refs > 0)
		return;
	for (size_t i = 0; i < keyring->count; i++) {
		free(keyring->list[i].identity);
		sign_key_unref(keyring->list[i].key);
	}
	map_free(&keyring->by_identity);
	free(keyring->list);
	free(keyring);
}

struct sign_key *
keyring_find(const struct keyring *keyring, const char *identity)
{
	const struct keyring_entry *entry = map_get(&keyring->by_identity, span_of(identity));

	return entry != NULL ? entry->key : NULL;
}
