/* identity/identity.c - one hash lookup per label, under the key "account NUL name". */
#include "config.h"

#include "identity/identity.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"

enum {
	KEY_MAX = 64 + 1 + 64 + 1 + 255 + 1
};

struct entry {
	struct identity identity;
	char key[KEY_MAX];
	size_t key_len;
};

struct identities {
	atomic_uint refs;
	struct config *config; /* the names above point into it */
	struct map by_key;
	struct entry *list;
	size_t count;
};

/* Account, NUL, local part as it is, "@" when there is a local part, domain in lower case; 0 when too long. */
static size_t
make_key(char key[KEY_MAX], const char *account, struct span local, struct span domain)
{
	size_t len = strlen(account), n;

	n = len + 1 + local.len + (local.len > 0 ? 1 : 0) + domain.len;
	if (n > KEY_MAX)
		return 0;
	memcpy(key, account, len + 1);
	n = len + 1;
	if (local.len > 0) {
		memcpy(key + n, local.p, local.len);
		n += local.len;
		key[n++] = '@';
	}
	for (size_t i = 0; i < domain.len; i++)
		key[n++] = ascii_lower(domain.p[i]);
	return n;
}

static enum rc
add(struct identities *ids, const struct config_identity *from)
{
	struct entry *to = &ids->list[ids->count++];
	struct span name = span_of(from->name);
	size_t at = span_find_last(name, '@');
	struct span local = at < name.len ? span_first(name, at) : SPAN_EMPTY;
	struct span domain = at < name.len ? span_skip(name, at + 1) : name;

	to->identity = (struct identity){ .name = from->name,
		.account = from->account,
		.configuration_set = from->configuration_set,
		.verified = from->verified,
		.dkim_selector = from->dkim_selector,
		.dkim_key = from->dkim_key,
		.dkim_domain = from->dkim_domain };
	to->key_len = make_key(to->key, from->account, local, domain);
	if (to->key_len == 0)
		return RC_BAD;
	return map_put(&ids->by_key, span_make(to->key, to->key_len), to);
}

enum rc
identities_new(const struct config *config, struct identities **out, struct why *why)
{
	struct identities *ids = calloc(1, sizeof *ids);
	enum rc rc = RC_OK;

	*out = NULL;
	if (ids != NULL)
		ids->list = calloc(config->identity_count + 1, sizeof *ids->list);
	if (ids == NULL || ids->list == NULL) {
		free(ids);
		return why_set(why, RC_LATER, 0, "out of memory for identities");
	}
	ids->refs = 1;
	ids->config = config_ref((struct config *)(uintptr_t)config);
	for (size_t i = 0; rc == RC_OK && i < config->identity_count; i++)
		rc = add(ids, &config->identities[i]);
	if (rc != RC_OK) {
		identities_unref(ids);
		return why_set(why, rc, 0, "out of memory for identities");
	}
	*out = ids;
	return RC_OK;
}

struct identities *
identities_ref(struct identities *ids)
{
	ids->refs++;
	return ids;
}

void
identities_unref(struct identities *ids)
{
	if (ids == NULL || --ids->refs > 0)
		return;
	map_free(&ids->by_key);
	free(ids->list);
	config_unref(ids->config);
	free(ids);
}

static const struct identity *
look_up(const struct identities *ids, const char *account, struct span local, struct span domain)
{
	char key[KEY_MAX];
	size_t len = make_key(key, account, local, domain);
	struct entry *found = len > 0 ? map_get(&ids->by_key, span_make(key, len)) : NULL;

	return found != NULL && found->identity.verified ? &found->identity : NULL;
}

/* From the address upwards; with `signer` only those with a key count. */
static const struct identity *
search(const struct identities *ids, const char *account, struct span local, struct span domain,
    bool signer)
{
	struct span plain = span_first(local, span_find(local, '+'));
	const struct identity *found;

	if (local.len > 0) {
		found = look_up(ids, account, local, domain);
		if (found == NULL && plain.len > 0 && plain.len < local.len)
			found = look_up(ids, account, plain, domain);
		if (found != NULL && (!signer || found->dkim_key[0] != '\0'))
			return found;
	}
	while (domain.len > 0) {
		found = look_up(ids, account, SPAN_EMPTY, domain);
		if (found != NULL && (!signer || found->dkim_key[0] != '\0'))
			return found;
		domain = span_skip(domain, span_find(domain, '.') + 1);
	}
	return NULL;
}

const struct identity *
identity_for(
    const struct identities *ids, const char *account, struct span local, struct span domain)
{
	return search(ids, account, local, domain, false);
}

const struct identity *
identity_signer(
    const struct identities *ids, const char *account, struct span local, struct span domain)
{
	return search(ids, account, local, domain, true);
}
