/* configset/configset.c - what the configuration has, and what the store has. */
#include "config.h"

#include "configset/configset.h"

#include <stdlib.h>
#include <string.h>

#include "util/owned.h"

enum {
	KEY_MAX = 64 + 1 + 64
};

struct entry {
	struct config_set set;
	struct event_destination *destinations;
	size_t destination_count;
	struct owned_thing owned;
	char key[KEY_MAX]; /* of owned */
};

struct config_sets {
	struct config *config; /* which file's entries point into */
	struct owned file, stored;
};

static struct entry *
entry_of(const struct owned_thing *thing)
{
	return thing != NULL ? container_of(thing, struct entry, owned) : NULL;
}

static struct entry *
get(const struct owned *owned, const char *account, struct span name)
{
	char key[KEY_MAX];
	size_t len = owned_key(key, sizeof key, account, name);

	return len > 0 ? entry_of(owned_get(owned, span_make(key, len))) : NULL;
}

/* Its set is empty. NULL: out of memory. */
static struct entry *
entry_add(struct owned *owned, const struct config_set *set)
{
	struct entry *entry = calloc(1, sizeof *entry);
	struct owned_thing *old = NULL;

	if (entry == NULL)
		return NULL;
	entry->owned.key = entry->key;
	entry->owned.key_len =
	    owned_key(entry->key, sizeof entry->key, set->account, span_of(set->name));
	if (entry->owned.key_len > 0 &&
	    owned_put(owned, set->account, &entry->owned, &old) == RC_OK)
		return entry;
	free(entry);
	return NULL;
}

static void
free_destination(struct event_destination *d)
{
	free(d->name);
	free(d->definition);
}

/* The strings of an entry of the store. */
static void
free_set(struct config_set *set)
{
	free(set->name);
	free(set->account);
	free(set->pool);
	for (size_t i = 0; i < set->tag_count; i++)
		free(set->tags[i]);
	free(set->tags);
}

static void
entry_free(struct owned_thing *thing)
{
	struct entry *entry = entry_of(thing);

	free_set(&entry->set);
	for (size_t i = 0; i < entry->destination_count; i++)
		free_destination(&entry->destinations[i]);
	free(entry->destinations);
	free(entry);
}

static void
drop_file(struct owned_thing *thing)
{
	free(entry_of(thing)); /* its strings are the configuration's */
}

/* ------------------------------------------------------------------ of the configuration ------ */

enum rc
config_sets_use(struct config_sets *sets, struct config *config, struct why *why)
{
	struct owned file = OWNED_EMPTY;

	for (size_t i = 0; i < config->set_count; i++) {
		struct entry *entry = entry_add(&file, &config->sets[i]);

		if (entry == NULL) {
			owned_free(&file, drop_file);
			return why_set(why, RC_LATER, 0, "out of memory for configuration sets");
		}
		entry->set = config->sets[i];
	}
	owned_free(&sets->file, drop_file);
	config_unref(sets->config);
	sets->file = file;
	sets->config = config_ref(config);
	return RC_OK;
}

/* ------------------------------------------------------------------ of the store -------------- */

struct config_sets *
config_sets_new(void)
{
	return calloc(1, sizeof(struct config_sets));
}

void
config_sets_free(struct config_sets *sets)
{
	if (sets == NULL)
		return;
	owned_free(&sets->file, drop_file);
	owned_free(&sets->stored, entry_free);
	config_unref(sets->config);
	free(sets);
}

static bool
copy_set(struct config_set *to, const struct config_set *from)
{
	*to = *from;
	to->name = span_dup(span_of(from->name));
	to->account = span_dup(span_of(from->account));
	to->pool = span_dup(span_of(from->pool));
	to->tags = calloc(from->tag_count + 1, sizeof *to->tags);
	to->tag_count = 0;
	while (to->tags != NULL && to->tag_count < from->tag_count) {
		char *tag = span_dup(span_of(from->tags[to->tag_count]));

		if (tag == NULL)
			return false;
		to->tags[to->tag_count++] = tag;
	}
	return to->name != NULL && to->account != NULL && to->pool != NULL && to->tags != NULL;
}

enum rc
config_sets_put(struct config_sets *sets, const struct config_set *set, struct why *why)
{
	struct entry *entry = get(&sets->stored, set->account, span_of(set->name));
	struct config_set copy;
	bool copied = copy_set(&copy, set);

	if (copied && entry == NULL)
		entry = entry_add(&sets->stored, set);
	if (!copied || entry == NULL) {
		free_set(&copy);
		return why_set(why, RC_LATER, 0, "out of memory for configuration sets");
	}
	free_set(&entry->set);
	entry->set = copy;
	return RC_OK;
}

void
config_sets_remove(struct config_sets *sets, const char *account, const char *name)
{
	struct entry *entry = get(&sets->stored, account, span_of(name));

	if (entry == NULL)
		return;
	owned_del(&sets->stored, &entry->owned);
	entry_free(&entry->owned);
}

void
config_sets_remove_account(struct config_sets *sets, const char *account)
{
	struct owned_thing *thing;

	while ((thing = owned_next(&sets->stored, account, NULL)) != NULL) {
		owned_del(&sets->stored, thing);
		entry_free(thing);
	}
}

/* ------------------------------------------------------------------ one, all ------------------ */

const struct config_set *
config_set_find(const struct config_sets *sets, const char *account, struct span name)
{
	const struct entry *entry = get(&sets->file, account, name);

	if (entry == NULL)
		entry = get(&sets->stored, account, name);
	return entry != NULL ? &entry->set : NULL;
}

bool
config_set_in_file(const struct config_sets *sets, const char *account, const char *name)
{
	return get(&sets->file, account, span_of(name)) != NULL;
}

void
config_sets_each(const struct config_sets *sets, const char *account,
    bool (*each)(void *arg, const struct config_set *set, bool in_file), void *arg)
{
	const struct owned_thing *thing = NULL;

	while ((thing = owned_next(&sets->file, account, thing)) != NULL)
		if (!each(arg, &entry_of(thing)->set, true))
			return;
	while ((thing = owned_next(&sets->stored, account, thing)) != NULL) {
		const struct config_set *set = &entry_of(thing)->set;

		if (!config_set_in_file(sets, account, set->name) && !each(arg, set, false))
			return;
	}
}

/* ------------------------------------------------------------------ event destinations -------- */

static struct event_destination *
find_destination(const struct entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->destination_count; i++)
		if (strcmp(entry->destinations[i].name, name) == 0)
			return &entry->destinations[i];
	return NULL;
}

static struct event_destination *
new_destination(struct entry *entry)
{
	struct event_destination *more = realloc(
	    entry->destinations, (entry->destination_count + 1) * sizeof *entry->destinations);

	if (more == NULL)
		return NULL;
	entry->destinations = more;
	more[entry->destination_count] = (struct event_destination){ NULL, false, NULL };
	return &more[entry->destination_count++];
}

enum rc
config_set_put_destination(struct config_sets *sets, const char *account, const char *set,
    const struct event_destination *destination, struct why *why)
{
	struct entry *entry = get(&sets->stored, account, span_of(set));
	struct event_destination *to, copy = { span_dup(span_of(destination->name)),
		destination->enabled, span_dup(span_of(destination->definition)) };
	enum rc rc = RC_OK;

	if (entry == NULL)
		rc = why_set(why, RC_DENY, 0, "there is no configuration set \"%s\"", set);
	else if (find_destination(entry, destination->name) == NULL &&
		 entry->destination_count >= DESTINATIONS_MAX)
		rc = why_set(why, RC_DENY, 0,
		    "configuration set \"%s\" has %d event destinations, and may have no more", set,
		    DESTINATIONS_MAX);
	else if (copy.name == NULL || copy.definition == NULL)
		rc = why_set(why, RC_LATER, 0, "out of memory for event destinations");
	if (rc == RC_OK) {
		to = find_destination(entry, destination->name);
		if (to != NULL)
			free_destination(to);
		else
			to = new_destination(entry);
		if (to != NULL) {
			*to = copy;
			return RC_OK;
		}
		rc = why_set(why, RC_LATER, 0, "out of memory for event destinations");
	}
	free_destination(&copy);
	return rc;
}

void
config_set_remove_destination(
    struct config_sets *sets, const char *account, const char *set, const char *name)
{
	struct entry *entry = get(&sets->stored, account, span_of(set));
	struct event_destination *gone = entry != NULL ? find_destination(entry, name) : NULL;

	if (gone == NULL)
		return;
	free_destination(gone);
	*gone = entry->destinations[--entry->destination_count];
}

const struct event_destination *
config_set_destinations(
    const struct config_sets *sets, const char *account, const char *set, size_t *count)
{
	const struct entry *entry = get(&sets->stored, account, span_of(set));

	*count = entry != NULL ? entry->destination_count : 0;
	return entry != NULL ? entry->destinations : NULL;
}
