/* identity/identity.c - one hash lookup per label, under the key "account NUL name".
 *
 * An identity of the store is one block of memory with all its strings: there may be millions. */
#include "config.h"

#include "identity/identity.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/owned.h"

enum {
	KEY_MAX = 64 + 1 + 64 + 1 + 255 + 1
};

struct entry {
	struct identity identity;
	struct owned_thing owned; /* its key is key[] */
	char key[];		  /* then, of the store, what identity points to */
};

struct identity_table {
	atomic_uint refs;
	struct config *config; /* whose strings identities point to; NULL: the table of the store */
	struct owned entries;
};

struct identities {
	struct identity_table *file; /* NULL: none yet */
	struct identity_table stored;
};

/* ------------------------------------------------------------------ keys ---------------------- */

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

static size_t
key_of_name(char key[KEY_MAX], const char *account, const char *name)
{
	struct span whole = span_of(name);
	size_t at = span_find_last(whole, '@');

	if (at == whole.len)
		return make_key(key, account, SPAN_EMPTY, whole);
	return make_key(key, account, span_first(whole, at), span_skip(whole, at + 1));
}

/* ------------------------------------------------------------------ tables -------------------- */

static struct entry *
entry_of(const struct owned_thing *thing)
{
	return thing != NULL ? container_of(thing, struct entry, owned) : NULL;
}

static void
drop(struct owned_thing *thing)
{
	free(entry_of(thing));
}

/* Bytes behind the key for what the entry owns: the NUL that makes the end of the key its name, then the rest. */
static size_t
room_for(const struct config_identity *from)
{
	size_t room = 1 + strlen(from->configuration_set) + 1;

	for (size_t i = 0; i < from->sender_count; i++)
		room += sizeof(char *) + strlen(from->senders[i]) + 1;
	if (from->sender_count > 0)
		room += _Alignof(char *) - 1;
	return room;
}

static char *
copy_string(char **to, const char *from)
{
	size_t size = strlen(from) + 1;
	char *copy = memcpy(*to, from, size);

	*to += size;
	return copy;
}

static void
own_senders(struct entry *entry, char **to, const struct config_identity *from)
{
	uintptr_t free_at = (uintptr_t)*to;
	char **senders =
	    (char **)((free_at + _Alignof(char *) - 1) / _Alignof(char *) * _Alignof(char *));

	*to = (char *)(senders + from->sender_count);
	for (size_t i = 0; i < from->sender_count; i++)
		senders[i] = copy_string(to, from->senders[i]);
	entry->identity.senders = senders;
}

static void
own_strings(struct entry *entry, const struct config_identity *from)
{
	char *to = entry->key + entry->owned.key_len;

	*to++ = '\0';
	entry->identity.account = entry->key; /* which begins with it, and a NUL */
	entry->identity.name = entry->key + strlen(entry->key) + 1; /* and ends with that */
	entry->identity.configuration_set = copy_string(&to, from->configuration_set);
	entry->identity.senders = NULL;
	if (from->sender_count > 0)
		own_senders(entry, &to, from);
	/* Keys of the store are not in files. */
	entry->identity.dkim_selector = entry->identity.dkim_key = entry->identity.dkim_domain = "";
}

static enum rc
table_put(struct identity_table *table, const struct config_identity *from)
{
	char key[KEY_MAX];
	size_t len = key_of_name(key, from->account, from->name);
	bool in_file = table->config != NULL;
	struct owned_thing *old;
	struct entry *entry;
	enum rc rc;

	if (len == 0)
		return RC_BAD;
	entry = malloc(sizeof *entry + len + (in_file ? 0 : room_for(from)));
	if (entry == NULL)
		return RC_LATER;
	*entry = (struct entry){ .identity = { .name = from->name,
				     .account = from->account,
				     .configuration_set = from->configuration_set,
				     .senders = from->senders,
				     .sender_count = from->sender_count,
				     .verified = from->verified,
				     .in_file = in_file,
				     .created_ms = from->created_ms,
				     .dkim_selector = from->dkim_selector,
				     .dkim_key = from->dkim_key,
				     .dkim_domain = from->dkim_domain },
		.owned = { .key = entry->key, .key_len = len } };
	memcpy(entry->key, key, len);
	if (!in_file)
		own_strings(entry, from);
	rc = owned_put(&table->entries, from->account, &entry->owned, &old);
	free(rc == RC_OK ? entry_of(old) : entry);
	return rc;
}

static void
table_free(struct identity_table *table)
{
	owned_free(&table->entries, drop);
	config_unref(table->config);
}

enum rc
identity_table_new(const struct config *config, struct identity_table **out, struct why *why)
{
	struct identity_table *table = calloc(1, sizeof *table);
	enum rc rc = table != NULL ? RC_OK : RC_LATER;

	*out = NULL;
	if (table != NULL) {
		table->refs = 1;
		table->config = config_ref((struct config *)(uintptr_t)config);
	}
	for (size_t i = 0; rc == RC_OK && i < config->identity_count; i++)
		rc = table_put(table, &config->identities[i]);
	if (rc != RC_OK) {
		identity_table_unref(table);
		return why_set(why, rc, 0, "out of memory for identities");
	}
	*out = table;
	return RC_OK;
}

struct identity_table *
identity_table_ref(struct identity_table *table)
{
	table->refs++;
	return table;
}

void
identity_table_unref(struct identity_table *table)
{
	if (table == NULL || --table->refs > 0)
		return;
	table_free(table);
	free(table);
}

/* ------------------------------------------------------------------ both tables --------------- */

struct identities *
identities_new(void)
{
	return calloc(1, sizeof(struct identities));
}

void
identities_free(struct identities *ids)
{
	if (ids == NULL)
		return;
	identity_table_unref(ids->file);
	table_free(&ids->stored);
	free(ids);
}

void
identities_use(struct identities *ids, struct identity_table *table)
{
	struct identity_table *old = ids->file;

	ids->file = identity_table_ref(table);
	identity_table_unref(old);
}

enum rc
identities_put(struct identities *ids, const struct config_identity *identity, struct why *why)
{
	enum rc rc = table_put(&ids->stored, identity);

	return rc == RC_OK ? RC_OK
			   : why_set(why, rc, 0, "identity \"%s\": %s", identity->name,
				 rc == RC_BAD ? "too long" : "out of memory");
}

static struct entry *
table_get(const struct identity_table *table, struct span key)
{
	return table != NULL ? entry_of(owned_get(&table->entries, key)) : NULL;
}

void
identities_remove(struct identities *ids, const char *account, const char *name)
{
	char key[KEY_MAX];
	size_t len = key_of_name(key, account, name);
	struct entry *entry = len > 0 ? table_get(&ids->stored, span_make(key, len)) : NULL;

	if (entry == NULL)
		return;
	owned_del(&ids->stored.entries, &entry->owned);
	free(entry);
}

void
identities_remove_account(struct identities *ids, const char *account)
{
	struct owned_thing *thing;

	while ((thing = owned_next(&ids->stored.entries, account, NULL)) != NULL) {
		owned_del(&ids->stored.entries, thing);
		free(entry_of(thing));
	}
}

/* That of the configuration, verified or not, hides the stored one. */
static const struct identity *
get(const struct identities *ids, struct span key)
{
	struct entry *entry = table_get(ids->file, key);

	if (entry == NULL)
		entry = table_get(&ids->stored, key);
	return entry != NULL ? &entry->identity : NULL;
}

static const struct identity *
look_up(const struct identities *ids, const char *account, struct span local, struct span domain)
{
	char key[KEY_MAX];
	size_t len = make_key(key, account, local, domain);
	const struct identity *found = len > 0 ? get(ids, span_make(key, len)) : NULL;

	return found != NULL && found->verified ? found : NULL;
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

/* ------------------------------------------------------------------ one, all ------------------ */

const struct identity *
identity_find(const struct identities *ids, const char *account, const char *name)
{
	char key[KEY_MAX];
	size_t len = key_of_name(key, account, name);

	return len > 0 ? get(ids, span_make(key, len)) : NULL;
}

static bool
is_hidden(const struct identities *ids, const struct entry *entry)
{
	return table_get(ids->file, span_make(entry->key, entry->owned.key_len)) != NULL;
}

const struct identity *
identities_next(const struct identities *ids, const char *account, const struct identity *after)
{
	const struct entry *from =
	    after != NULL ? container_of(after, struct entry, identity) : NULL;
	const struct entry *next = NULL;

	if (ids->file != NULL && (from == NULL || after->in_file))
		next = entry_of(
		    owned_next(&ids->file->entries, account, from != NULL ? &from->owned : NULL));
	if (next != NULL)
		return &next->identity;
	if (from != NULL && after->in_file)
		from = NULL;
	do {
		next = entry_of(
		    owned_next(&ids->stored.entries, account, from != NULL ? &from->owned : NULL));
		from = next;
	} while (next != NULL && is_hidden(ids, next));
	return next != NULL ? &next->identity : NULL;
}

size_t
identities_count(const struct identities *ids, const char *account)
{
	return (ids->file != NULL ? owned_count(&ids->file->entries, account) : 0) +
	       owned_count(&ids->stored.entries, account);
}

bool
identity_admits(const struct identity *identity, const char *sender)
{
	for (size_t i = 0; i < identity->sender_count; i++)
		if (strcmp(identity->senders[i], sender) == 0)
			return true;
	return false;
}
