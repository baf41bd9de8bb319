/* auth/credentials.c - from an access key id to what its password must be. Those of the store are under a lock, since
 * connection loops check while the core puts and removes. */
#include "config.h"

#include "auth/credentials.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/crypto.h"
#include "util/hash.h"

struct credential {
	char *id, *account, *note;
	enum config_profile profile;
	struct auth_verifier verifier;
	bool version2;
	int64_t created_ms;
};

struct credential_table {
	atomic_uint refs;
	struct map by_id;
};

struct credentials {
	pthread_rwlock_t lock; /* of by_id and what is in it */
	struct map by_id;
	atomic_bool incomplete;
};

static void
credential_free(struct credential *c)
{
	if (c == NULL)
		return;
	free(c->id);
	free(c->account);
	free(c->note);
	crypto_wipe(c, sizeof *c);
	free(c);
}

static struct credential *
credential_new(const char *account, enum config_profile profile, const char *region,
    const struct config_credential *from)
{
	struct credential *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->id = span_dup(span_of(from->id));
	c->account = span_dup(span_of(account));
	c->note = span_dup(span_of(from->note));
	c->profile = profile;
	c->version2 = from->version2;
	c->created_ms = from->created_ms;
	if (c->id != NULL && c->account != NULL && c->note != NULL &&
	    auth_verifier_make(from->secret, region, from->version2, &c->verifier) == RC_OK)
		return c;
	credential_free(c);
	return NULL;
}

static void
free_all(struct map *map)
{
	MAP_FOREACH (slot, map)
		credential_free(slot->value);
	map_free(map);
}

/* ------------------------------------------------------------------ of the configuration ------ */

static enum rc
add_account(
    struct credential_table *table, const char *region, const struct config_account *account)
{
	for (size_t i = 0; i < account->credential_count; i++) {
		struct credential *c = credential_new(
		    account->name, account->profile, region, &account->credentials[i]);

		if (c == NULL || map_put(&table->by_id, span_of(c->id), c) != RC_OK) {
			credential_free(c);
			return RC_LATER;
		}
	}
	return RC_OK;
}

enum rc
credential_table_new(const struct config *config, struct credential_table **out, struct why *why)
{
	struct credential_table *table = calloc(1, sizeof *table);
	enum rc rc = table != NULL ? RC_OK : RC_LATER;

	*out = NULL;
	if (table != NULL)
		table->refs = 1;
	for (size_t i = 0; rc == RC_OK && i < config->account_count; i++)
		rc = add_account(table, config->region, &config->accounts[i]);
	if (rc != RC_OK) {
		credential_table_unref(table);
		return why_set(why, RC_LATER, 0, "out of memory for credentials");
	}
	*out = table;
	return RC_OK;
}

struct credential_table *
credential_table_ref(struct credential_table *table)
{
	table->refs++;
	return table;
}

void
credential_table_unref(struct credential_table *table)
{
	if (table == NULL || --table->refs > 0)
		return;
	free_all(&table->by_id);
	free(table);
}

bool
credential_table_has(const struct credential_table *table, const char *id)
{
	return map_get(&table->by_id, span_of(id)) != NULL;
}

/* ------------------------------------------------------------------ of the store -------------- */

struct credentials *
credentials_new(void)
{
	struct credentials *c = calloc(1, sizeof *c);
	pthread_rwlockattr_t kind;

	if (c == NULL)
		return NULL;
	/* By default who reads goes first: with logins on all loops, the core would wait for a moment without any. */
	(void)pthread_rwlockattr_init(&kind);
	(void)pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	if (pthread_rwlock_init(&c->lock, &kind) != 0) {
		free(c);
		c = NULL;
	}
	(void)pthread_rwlockattr_destroy(&kind);
	return c;
}

void
credentials_free(struct credentials *c)
{
	if (c == NULL)
		return;
	free_all(&c->by_id);
	(void)pthread_rwlock_destroy(&c->lock);
	free(c);
}

enum rc
credentials_put(struct credentials *c, const char *account, enum config_profile profile,
    const char *region, const struct config_credential *from, struct why *why)
{
	struct credential *new = credential_new(account, profile, region, from), *old = NULL;
	enum rc rc = RC_LATER;

	if (new != NULL) {
		(void)pthread_rwlock_wrlock(&c->lock);
		old = map_del(&c->by_id, span_of(new->id));
		rc = map_put(&c->by_id, span_of(new->id), new);
		(void)pthread_rwlock_unlock(&c->lock);
	}
	credential_free(old);
	if (rc == RC_OK)
		return RC_OK;
	credential_free(new);
	return why_set(why, RC_LATER, 0, "out of memory for credentials");
}

void
credentials_remove(struct credentials *c, const char *id)
{
	struct credential *old;

	(void)pthread_rwlock_wrlock(&c->lock);
	old = map_del(&c->by_id, span_of(id));
	(void)pthread_rwlock_unlock(&c->lock);
	credential_free(old);
}

void
credentials_remove_account(struct credentials *c, const char *account)
{
	(void)pthread_rwlock_wrlock(&c->lock);
	MAP_FOREACH (slot, &c->by_id) {
		struct credential *credential = slot->value;

		if (strcmp(credential->account, account) != 0)
			continue;
		(void)map_del(&c->by_id, span_of(credential->id));
		credential_free(credential);
	}
	(void)pthread_rwlock_unlock(&c->lock);
}

void
credentials_set_profile(struct credentials *c, const char *account, enum config_profile profile)
{
	(void)pthread_rwlock_wrlock(&c->lock);
	MAP_FOREACH (slot, &c->by_id) {
		struct credential *credential = slot->value;

		if (strcmp(credential->account, account) == 0)
			credential->profile = profile;
	}
	(void)pthread_rwlock_unlock(&c->lock);
}

void
credentials_set_profiles(struct credentials *c,
    enum config_profile (*profile_of)(const void *arg, const char *account), const void *arg)
{
	(void)pthread_rwlock_wrlock(&c->lock);
	MAP_FOREACH (slot, &c->by_id) {
		struct credential *credential = slot->value;

		credential->profile = profile_of(arg, credential->account);
	}
	(void)pthread_rwlock_unlock(&c->lock);
}

void
credentials_note_missing(struct credentials *c)
{
	c->incomplete = true;
}

static struct credential_view
view_of(const struct credential *c)
{
	return (struct credential_view){ c->id, c->account, c->note, c->version2, c->created_ms };
}

enum rc
credentials_find(const struct credentials *c, const char *id, struct credential_view *out)
{
	const struct credential *found = map_get(&c->by_id, span_of(id));

	if (found == NULL)
		return RC_DENY;
	*out = view_of(found);
	return RC_OK;
}

void
credentials_each(const struct credentials *c, const char *account,
    bool (*each)(void *arg, const struct credential_view *view), void *arg)
{
	MAP_FOREACH (slot, &c->by_id) {
		struct credential_view view = view_of(slot->value);

		if (strcmp(view.account, account) == 0 && !each(arg, &view))
			return;
	}
}

/* ------------------------------------------------------------------ a login ------------------- */

enum rc
credentials_check(const struct credential_table *table, struct credentials *c, const char *id,
    const char *password, struct login *out, const char **reason)
{
	const struct credential *found = map_get(&table->by_id, span_of(id));
	bool good, known;

	(void)pthread_rwlock_rdlock(&c->lock);
	if (found == NULL)
		found = map_get(&c->by_id, span_of(id));
	known = found != NULL;
	good = auth_password_matches(known ? &found->verifier : NULL, password);
	if (known) {
		(void)snprintf(out->account, sizeof out->account, "%s", found->account);
		out->profile = found->profile;
	}
	(void)pthread_rwlock_unlock(&c->lock);
	*reason = !known ? "unknown credential" : good ? "" : "wrong password";
	if (known && good)
		return RC_OK;
	return !known && c->incomplete ? RC_LATER : RC_DENY;
}
