/* auth/credentials.c - from an access key id to what its password must be. */
#include "config.h"

#include "auth/credentials.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "util/crypto.h"
#include "util/hash.h"

struct credential {
	char *id, *account;
	enum config_profile profile;
	struct auth_verifier verifier;
};

struct credentials {
	atomic_uint refs;
	struct map by_id;
	struct credential *list;
	size_t count;
};

static enum rc
add(struct credentials *c, const struct config *config, const struct config_credential *from,
    const struct config_account *account)
{
	struct credential *to = &c->list[c->count++];

	to->id = span_dup(span_of(from->id));
	to->account = span_dup(span_of(account->name));
	to->profile = account->profile;
	if (to->id == NULL || to->account == NULL ||
	    auth_verifier_make(from->secret, config->region, from->version2, &to->verifier) !=
		RC_OK)
		return RC_LATER;
	return map_put(&c->by_id, span_of(to->id), to);
}

enum rc
credentials_new(const struct config *config, struct credentials **out, struct why *why)
{
	struct credentials *c = calloc(1, sizeof *c);
	size_t count = 0;
	enum rc rc = RC_OK;

	*out = NULL;
	for (size_t i = 0; i < config->account_count; i++)
		count += config->accounts[i].credential_count;
	if (c != NULL)
		c->list = calloc(count + 1, sizeof *c->list);
	if (c == NULL || c->list == NULL) {
		free(c);
		return why_set(why, RC_LATER, 0, "out of memory for credentials");
	}
	c->refs = 1;
	for (size_t i = 0; i < config->account_count; i++)
		for (size_t k = 0; rc == RC_OK && k < config->accounts[i].credential_count; k++)
			rc = add(
			    c, config, &config->accounts[i].credentials[k], &config->accounts[i]);
	if (rc != RC_OK) {
		credentials_unref(c);
		return why_set(why, RC_LATER, 0, "out of memory for credentials");
	}
	*out = c;
	return RC_OK;
}

struct credentials *
credentials_ref(struct credentials *c)
{
	c->refs++;
	return c;
}

void
credentials_unref(struct credentials *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	for (size_t i = 0; i < c->count; i++) {
		free(c->list[i].id);
		free(c->list[i].account);
	}
	crypto_wipe(c->list, c->count * sizeof *c->list);
	map_free(&c->by_id);
	free(c->list);
	free(c);
}

enum rc
credentials_check(const struct credentials *c, const char *id, const char *password,
    struct login *out, const char **reason)
{
	const struct credential *found = map_get(&c->by_id, span_of(id));
	bool good = auth_password_matches(found != NULL ? &found->verifier : NULL, password);

	*reason = found == NULL ? "unknown credential" : good ? "" : "wrong password";
	if (found == NULL || !good)
		return RC_DENY;
	*out = (struct login){ found->account, found->profile };
	return RC_OK;
}
