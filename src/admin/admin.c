/* admin/admin.c - changes on their way: checked, in the store, applied.
 *
 * Always true: an object has at most one change under way, so what was checked still holds when it is applied; `done` is
 * called exactly once for each call. */
#include "config.h"

#include "admin/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/rows.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	IDENTITIES_MAX = 10000, /* of an account, as SES has it */
	KEY_MAX = 1024
};

enum change_kind {
	CHANGE_OBJECT,
	CHANGE_DESTINATION,
	CHANGE_SUPPRESSIONS
};

/* One change from the call to its end. */
struct change {
	struct admin *admin;
	enum change_kind what;
	enum config_object_kind kind; /* CHANGE_OBJECT */
	bool remove;
	char *account, *set, *name; /* owned; set: of a destination */
	union config_object object; /* CHANGE_OBJECT that puts */
	struct event_destination destination;
	struct suppressions *entries; /* CHANGE_SUPPRESSIONS: each address once, under `account` */
	bool has_addresses;	      /* they are in admin->addresses */
	char key[KEY_MAX];	      /* in admin->pending */
	admin_done *done;
	void *arg;
};

/* ------------------------------------------------------------------ checks -------------------- */

static enum rc
check_mode(const struct admin *admin, enum admin_mode mode, enum config_object_kind kind,
    const char *account, const char *name, struct why *why)
{
	struct presence is = admin_presence(admin, kind, account, name);

	if (is.in_file)
		return why_set(why, RC_DENY, 409,
		    "%s \"%s\" is declared in the configuration file, and is changed there.",
		    admin_title(kind), name);
	if (is.there && mode == ADMIN_ADD)
		return why_set(
		    why, RC_DENY, 409, "%s \"%s\" is there already.", admin_title(kind), name);
	if (is.foreign)
		return why_set(
		    why, RC_DENY, 409, "%s \"%s\" is another account's.", admin_title(kind), name);
	if (!is.there && mode == ADMIN_CHANGE)
		return admin_there_is_none(kind, name, why);
	return RC_OK;
}

static enum rc
check_owner(const struct admin *admin, const char *account, struct why *why)
{
	return admin_account(admin, account) != NULL
		   ? RC_OK
		   : admin_there_is_none(OBJECT_ACCOUNT, account, why);
}

static bool
pool_is_there(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->pool_count; i++)
		if (strcmp(config->pools[i].name, name) == 0)
			return true;
	return name[0] == '\0';
}

/* How many are on their way. */
static size_t
new_identities(const struct admin *admin, const char *account)
{
	size_t count = 0;

	MAP_FOREACH (slot, &admin->pending) {
		const struct change *c = slot->value;

		count += c->what == CHANGE_OBJECT && c->kind == OBJECT_IDENTITY && !c->remove &&
			 strcmp(c->account, account) == 0 &&
			 identity_find(admin->options.identities, account, c->name) == NULL;
	}
	return count;
}

static enum rc
check_object(const struct admin *admin, enum config_object_kind kind, const char *account,
    const union config_object *object, struct why *why)
{
	const struct admin_options *o = &admin->options;
	enum rc rc = config_object_complete(kind, object, why);
	size_t have;

	if (rc != RC_OK) {
		why->code = 400;
		return rc;
	}
	if (kind == OBJECT_SET && object->set.max_delivery_ms % 1000 != 0) /* as the store has it */
		return why_set(why, RC_BAD, 400, "max_delivery must be whole seconds");
	if (kind == OBJECT_SET && !pool_is_there(admin->config, object->set.pool))
		return why_set(why, RC_BAD, 400, "There is no pool \"%s\" in the configuration.",
		    object->set.pool);
	if (kind != OBJECT_IDENTITY)
		return RC_OK;
	if (object->identity.configuration_set[0] != '\0' &&
	    config_set_find(o->sets, account, span_of(object->identity.configuration_set)) == NULL)
		return admin_there_is_none(OBJECT_SET, object->identity.configuration_set, why);
	have = identities_count(o->identities, account);
	if (have + admin->pending.len >= IDENTITIES_MAX) /* seldom: it looks at all of them */
		have += new_identities(admin, account);
	if (identity_find(o->identities, account, object->identity.name) == NULL &&
	    have >= IDENTITIES_MAX)
		return why_set(why, RC_DENY, 409,
		    "The account \"%s\" has %d identities, and may have no more.", account,
		    IDENTITIES_MAX);
	return RC_OK;
}

/* ------------------------------------------------------------------ a change ------------------ */

static struct change *
change_new(struct admin *admin, enum change_kind what, const char *account, const char *set,
    const char *name, admin_done *done, void *arg)
{
	struct change *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->admin = admin;
	c->what = what;
	c->account = span_dup(span_of(account));
	c->set = span_dup(span_of(set));
	c->name = span_dup(span_of(name));
	c->done = done;
	c->arg = arg;
	return c;
}

static void
change_free(struct change *c)
{
	if (c == NULL)
		return;
	if (c->what == CHANGE_OBJECT && !c->remove)
		config_object_clear(c->kind, &c->object);
	free(c->account);
	free(c->set);
	free(c->name);
	free(c->destination.name);
	free(c->destination.definition);
	suppressions_free(c->entries);
	free(c);
}

/* What the change is of. Ids of credentials are no account's own; a destination is a part of its set. */
static bool
make_key(struct change *c)
{
	bool owned = c->what != CHANGE_OBJECT || c->kind != OBJECT_CREDENTIAL;
	const char *owner = owned ? c->account : "";
	int len;

	if (c->what == CHANGE_SUPPRESSIONS) /* of what is in it: claim_addresses */
		len = snprintf(c->key, sizeof c->key, "suppressions/%p", (void *)c);
	else if (c->what == CHANGE_DESTINATION)
		len = snprintf(c->key, sizeof c->key, "%d/%s/%s", (int)OBJECT_SET, owner, c->set);
	else
		len = snprintf(c->key, sizeof c->key, "%d/%s/%s", (int)c->kind, owner, c->name);
	return len > 0 && (size_t)len < sizeof c->key;
}

static enum rc
busy(struct why *why)
{
	return why_set(why, RC_LATER, 409, "It is being changed by another call; try again.");
}

/* All of them or none. */
static enum rc
claim_addresses(struct change *c, struct why *why)
{
	struct suppressions *claimed = c->admin->addresses;
	const struct suppression *at = NULL;

	while ((at = suppressions_next(c->entries, c->account, at)) != NULL)
		if (suppression_find(claimed, c->account, span_of(at->address)) != NULL)
			return busy(why);
	c->has_addresses = true;
	while ((at = suppressions_next(c->entries, c->account, at)) != NULL)
		if (suppressions_put(claimed, c->account, at, why) != RC_OK)
			return why_set(why, RC_LATER, 503, "Out of memory.");
	return RC_OK;
}

static void
release_addresses(struct change *c)
{
	const struct suppression *at = NULL;

	while ((at = suppressions_next(c->entries, c->account, at)) != NULL)
		suppressions_remove(c->admin->addresses, c->account, at->address);
}

/* Against other changes of the same, and of the account that owns it. */
static enum rc
claim(struct change *c, struct why *why)
{
	struct admin *admin = c->admin;
	char account[KEY_MAX];

	(void)snprintf(
	    account, sizeof account, "%d/%s/%s", (int)OBJECT_ACCOUNT, c->account, c->account);
	if (!make_key(c))
		return why_set(why, RC_BAD, 400, "The name is too long.");
	if (map_get(&admin->pending, span_of(account)) != NULL ||
	    map_get(&admin->pending, span_of(c->key)) != NULL)
		return busy(why);
	if (map_put(&admin->pending, span_of(c->key), c) != RC_OK)
		return why_set(why, RC_LATER, 503, "Out of memory.");
	return c->what == CHANGE_SUPPRESSIONS ? claim_addresses(c, why) : RC_OK;
}

/* An account is removed with all that it owns, so nothing of it may be on its way. */
static bool
owns_pending(const struct admin *admin, const char *account)
{
	MAP_FOREACH (slot, &admin->pending) {
		const struct change *other = slot->value;

		if (strcmp(other->account, account) == 0)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ applied ------------------- */

static void
remove_all_of(struct admin *admin, const char *account)
{
	const struct admin_options *o = &admin->options;
	const struct suppression *entry;

	account_remove(o->accounts, account);
	credentials_remove_account(o->credentials, account);
	config_sets_remove_account(o->sets, account);
	identities_remove_account(o->identities, account);
	while ((entry = suppressions_next(o->suppressions, account, NULL)) != NULL)
		suppressions_remove(o->suppressions, account, entry->address);
}

static void
forget_object(struct admin *admin, const struct change *c)
{
	const struct admin_options *o = &admin->options;

	switch (c->kind) {
	case OBJECT_ACCOUNT:
		remove_all_of(admin, c->name);
		break;
	case OBJECT_CREDENTIAL:
		credentials_remove(o->credentials, c->name);
		break;
	case OBJECT_IDENTITY:
		identities_remove(o->identities, c->account, c->name);
		break;
	case OBJECT_SET:
		config_sets_remove(o->sets, c->account, c->name);
		break;
	default:
		break;
	}
}

static enum rc
use_object(struct admin *admin, enum config_object_kind kind, const char *account,
    const union config_object *object, struct why *why)
{
	const struct admin_options *o = &admin->options;
	enum rc rc;

	switch (kind) {
	case OBJECT_ACCOUNT:
		rc = account_put(o->accounts, &object->account, why);
		if (rc == RC_OK)
			credentials_set_profile(
			    o->credentials, account, admin_profile(admin, account));
		return rc;
	case OBJECT_CREDENTIAL:
		return credentials_put(o->credentials, account, admin_profile(admin, account),
		    admin->config->region, &object->credential, why);
	case OBJECT_IDENTITY:
		return identities_put(o->identities, &object->identity, why);
	case OBJECT_SET:
		return config_sets_put(o->sets, &object->set, why);
	default:
		return RC_BUG;
	}
}

static enum rc
apply(struct change *c, struct why *why)
{
	struct admin *admin = c->admin;
	const struct admin_options *o = &admin->options;
	const struct suppression *at = NULL;
	enum rc rc = RC_OK;

	switch (c->what) {
	case CHANGE_OBJECT:
		if (c->remove)
			forget_object(admin, c);
		else
			rc = use_object(admin, c->kind, c->account, &c->object, why);
		if (o->on_changed != NULL && (c->kind == OBJECT_ACCOUNT || c->kind == OBJECT_SET))
			o->on_changed(o->arg);
		break;
	case CHANGE_DESTINATION:
		if (c->remove)
			config_set_remove_destination(o->sets, c->account, c->set, c->name);
		else
			rc = config_set_put_destination(
			    o->sets, c->account, c->set, &c->destination, why);
		break;
	case CHANGE_SUPPRESSIONS:
		while (rc == RC_OK && (at = suppressions_next(c->entries, c->account, at)) != NULL)
			if (c->remove)
				suppressions_remove(o->suppressions, c->account, at->address);
			else
				rc = suppressions_put(o->suppressions, c->account, at, why);
		break;
	}
	return rc;
}

static void
finish(struct change *c, enum rc rc, const struct why *why)
{
	admin_done *done = c->done;
	void *arg = c->arg;

	if (c->key[0] != '\0' && map_get(&c->admin->pending, span_of(c->key)) == c)
		(void)map_del(&c->admin->pending, span_of(c->key));
	if (c->has_addresses)
		release_addresses(c);
	change_free(c);
	done(arg, rc, why);
}

static void
on_stored(void *arg, enum rc rc, const struct why *store_why)
{
	struct change *c = arg;
	struct why why = WHY_EMPTY;

	if (rc != RC_OK) {
		rc = why_set(&why, RC_LATER, 503, "%s", store_why->text);
	} else {
		rc = apply(c, &why);
		if (rc != RC_OK) { /* it will be there after a restart */
			log_line(LOG_LEVEL_ERROR, "admin", "%s %s/%s: stored, but not in use: %s",
			    admin_noun(c->kind), c->account, c->name, why.text);
			why.code = 503;
		}
	}
	finish(c, rc, &why);
}

static void
refuse(struct change *c, enum rc rc, const struct why *why)
{
	finish(c, rc, why);
}

/* ------------------------------------------------------------------ to the store -------------- */

/* False: out of memory. */
static bool
add_object(const struct change *c, struct store_change *to)
{
	struct row_scratch scratch = { BUF_EMPTY };
	struct store_row row = { 0 };
	bool good;

	switch (c->kind) {
	case OBJECT_ACCOUNT:
		row_of_account(&c->object.account, &row);
		break;
	case OBJECT_CREDENTIAL:
		row_of_credential(c->account, &c->object.credential, &row);
		break;
	case OBJECT_IDENTITY:
		row_of_identity(&c->object.identity, &scratch, &row);
		break;
	default:
		/* A new set has none, whatever one that could not be read at the start has left. */
		if (config_set_find(c->admin->options.sets, c->account, span_of(c->name)) == NULL)
			store_delete_destinations(to, c->account, c->name);
		row_of_set(&c->object.set, &scratch, &row);
	}
	store_put(to, &row);
	good = !scratch.words.failed; /* or there would be no senders, no tags */
	buf_free(&scratch.words);
	return good;
}

static void
add_removal(const struct change *c, struct store_change *to)
{
	struct store_row row = { 0 };

	switch (c->kind) {
	case OBJECT_ACCOUNT:
		row.kind = STORE_ACCOUNT;
		row.values[ACCOUNT_NAME].text = c->name;
		/* Also what could not be read at the start: the next account of the name must not have it. */
		store_delete_all(to, STORE_CREDENTIAL, c->name);
		store_delete_all(to, STORE_IDENTITY, c->name);
		store_delete_all(to, STORE_CONFIG_SET, c->name);
		store_delete_all(to, STORE_EVENT_DESTINATION, c->name);
		store_delete_all(to, STORE_SUPPRESSION, c->name);
		break;
	case OBJECT_CREDENTIAL:
		row.kind = STORE_CREDENTIAL;
		row.values[CREDENTIAL_ID].text = c->name;
		break;
	case OBJECT_IDENTITY:
		row.kind = STORE_IDENTITY;
		row.values[IDENTITY_ACCOUNT].text = c->account;
		row.values[IDENTITY_NAME].text = c->name;
		break;
	default:
		store_delete_destinations(to, c->account, c->name);
		row.kind = STORE_CONFIG_SET;
		row.values[CONFIG_SET_ACCOUNT].text = c->account;
		row.values[CONFIG_SET_NAME].text = c->name;
	}
	store_delete(to, &row);
}

static void
add_destination(const struct change *c, struct store_change *to)
{
	struct store_row row = { 0 };

	row_of_destination(c->account, c->set,
	    c->remove ? &(struct event_destination){ c->name, false, c->set } : &c->destination,
	    &row);
	if (c->remove)
		store_delete(to, &row);
	else
		store_put(to, &row);
}

static void
add_suppressions(const struct change *c, struct store_change *to)
{
	const struct suppression *at = NULL;

	while ((at = suppressions_next(c->entries, c->account, at)) != NULL) {
		/* The list has an address as it was first given, and finds it in other cases, too. */
		const struct suppression *old = suppression_find(
		    c->admin->options.suppressions, c->account, span_of(at->address));
		struct store_row row = { 0 };

		if (old != NULL) {
			row_of_suppression(c->account, old, &row);
			store_delete(to, &row);
		}
		if (c->remove)
			continue;
		row_of_suppression(c->account, at, &row);
		store_put(to, &row);
	}
}

static void
commit(struct change *c)
{
	struct store_change *change = store_change_new();
	struct why why = WHY_EMPTY;
	bool good = change != NULL;

	switch (c->what) {
	case CHANGE_OBJECT:
		if (c->remove)
			add_removal(c, change);
		else
			good = add_object(c, change) && good;
		break;
	case CHANGE_DESTINATION:
		add_destination(c, change);
		break;
	case CHANGE_SUPPRESSIONS:
		add_suppressions(c, change);
		break;
	}
	if (good) {
		store_commit(c->admin->options.store, change, on_stored, c);
		return;
	}
	store_change_free(change);
	refuse(c, why_set(&why, RC_LATER, 503, "Out of memory."), &why);
}

static void
begin(struct change *c, enum rc rc, const struct why *checked)
{
	struct why why = checked != NULL ? *checked : (struct why)WHY_EMPTY;
	const char *down = store_down(c->admin->options.store);

	if (rc == RC_OK && (c->account == NULL || c->set == NULL || c->name == NULL))
		rc = why_set(&why, RC_LATER, 503, "Out of memory.");
	if (rc == RC_OK && down != NULL)
		rc = why_set(&why, RC_LATER, 503, "%s", down);
	if (rc == RC_OK)
		rc = claim(c, &why);
	if (rc != RC_OK)
		refuse(c, rc, &why);
	else
		commit(c);
}

static void
no_memory(admin_done *done, void *arg)
{
	struct why why = WHY_EMPTY;

	done(arg, why_set(&why, RC_LATER, 503, "Out of memory."), &why);
}

/* ------------------------------------------------------------------ calls --------------------- */

static const char *
name_of(enum config_object_kind kind, const union config_object *object)
{
	switch (kind) {
	case OBJECT_ACCOUNT:
		return object->account.name;
	case OBJECT_CREDENTIAL:
		return object->credential.id;
	case OBJECT_IDENTITY:
		return object->identity.name;
	default:
		return object->set.name;
	}
}

static void
set_created(enum config_object_kind kind, union config_object *object)
{
	int64_t *at = kind == OBJECT_ACCOUNT	  ? &object->account.created_ms
		      : kind == OBJECT_CREDENTIAL ? &object->credential.created_ms
		      : kind == OBJECT_IDENTITY	  ? &object->identity.created_ms
						  : &object->set.created_ms;

	if (*at == 0)
		*at = clock_wall_ms();
}

void
admin_put(struct admin *admin, enum admin_mode mode, enum config_object_kind kind,
    const char *account, union config_object *object, admin_done *done, void *arg)
{
	struct change *c =
	    change_new(admin, CHANGE_OBJECT, account, "", name_of(kind, object), done, arg);
	struct why why = WHY_EMPTY;
	enum rc rc = RC_OK;

	if (c == NULL) {
		config_object_clear(kind, object);
		no_memory(done, arg);
		return;
	}
	c->kind = kind;
	c->object = *object;
	memset(object, 0, sizeof *object);
	set_created(kind, &c->object);
	if (kind != OBJECT_ACCOUNT)
		rc = check_owner(admin, account, &why);
	if (rc == RC_OK)
		rc = check_object(admin, kind, account, &c->object, &why);
	if (rc == RC_OK)
		rc = check_mode(admin, mode, kind, account, name_of(kind, &c->object), &why);
	begin(c, rc, &why);
}

/* Identities are found in other letters, too; the store has them in their own. */
static void
use_own_name(struct change *c, const struct identity *identity)
{
	free(c->name);
	c->name = span_dup(span_of(identity->name));
}

void
admin_remove(struct admin *admin, enum config_object_kind kind, const char *account,
    const char *name, admin_done *done, void *arg)
{
	struct change *c = change_new(admin, CHANGE_OBJECT, account, "", name, done, arg);
	struct why why = WHY_EMPTY;
	enum rc rc;

	if (c == NULL) {
		no_memory(done, arg);
		return;
	}
	c->kind = kind;
	c->remove = true;
	rc = check_mode(admin, ADMIN_CHANGE, kind, account, name, &why);
	if (rc == RC_OK && kind == OBJECT_IDENTITY)
		use_own_name(c, identity_find(admin->options.identities, account, name));
	if (rc == RC_OK && kind == OBJECT_ACCOUNT && owns_pending(admin, name))
		rc = why_set(&why, RC_LATER, 409,
		    "Something of the account is being changed by another call; try again.");
	begin(c, rc, &why);
}

/* ------------------------------------------------------------------ destinations -------------- */

static enum rc
check_destination(const struct admin *admin, enum admin_mode mode, const char *account,
    const char *set, const char *name, struct why *why)
{
	const struct event_destination *list;
	size_t count;
	bool there = false;
	enum rc rc = check_owner(admin, account, why);

	if (rc == RC_OK)
		rc = check_mode(admin, ADMIN_CHANGE, OBJECT_SET, account, set, why);
	if (rc != RC_OK)
		return rc;
	list = config_set_destinations(admin->options.sets, account, set, &count);
	for (size_t i = 0; i < count; i++)
		there |= strcmp(list[i].name, name) == 0;
	if (there && mode == ADMIN_ADD)
		return why_set(
		    why, RC_DENY, 409, "There is an event destination \"%s\" already.", name);
	if (!there && mode == ADMIN_CHANGE)
		return why_set(why, RC_DENY, 404, "There is no event destination \"%s\".", name);
	if (!there && count >= DESTINATIONS_MAX)
		return why_set(why, RC_DENY, 409,
		    "The configuration set \"%s\" has %d event destinations, and may have no more.",
		    set, DESTINATIONS_MAX);
	return RC_OK;
}

void
admin_put_destination(struct admin *admin, enum admin_mode mode, const char *account,
    const char *set, const struct event_destination *destination, admin_done *done, void *arg)
{
	struct change *c =
	    change_new(admin, CHANGE_DESTINATION, account, set, destination->name, done, arg);
	struct why why = WHY_EMPTY;
	enum rc rc;

	if (c == NULL) {
		no_memory(done, arg);
		return;
	}
	c->destination = (struct event_destination){ span_dup(span_of(destination->name)),
		destination->enabled, span_dup(span_of(destination->definition)) };
	rc = check_destination(admin, mode, account, set, destination->name, &why);
	if (c->destination.name == NULL || c->destination.definition == NULL)
		rc = why_set(&why, RC_LATER, 503, "Out of memory.");
	begin(c, rc, &why);
}

void
admin_remove_destination(struct admin *admin, const char *account, const char *set,
    const char *name, admin_done *done, void *arg)
{
	struct change *c = change_new(admin, CHANGE_DESTINATION, account, set, name, done, arg);
	struct why why = WHY_EMPTY;

	if (c == NULL) {
		no_memory(done, arg);
		return;
	}
	c->remove = true;
	begin(c, check_destination(admin, ADMIN_CHANGE, account, set, name, &why), &why);
}

/* ------------------------------------------------------------------ suppression --------------- */

/* Of what is the same address the last one counts. */
static bool
copy_entries(struct change *c, const struct suppression *from, size_t count)
{
	c->entries = suppressions_new();
	for (size_t i = 0; c->entries != NULL && i < count; i++)
		if (suppressions_put(c->entries, c->account, &from[i], NULL) != RC_OK)
			return false;
	return c->entries != NULL;
}

static enum rc
check_entries(const struct suppression *entries, size_t count, struct why *why)
{
	for (size_t i = 0; i < count; i++) {
		struct span address = span_of(entries[i].address);
		size_t at = span_find_last(address, '@');

		if (at == 0 || at + 1 >= address.len || address.len > 320)
			return why_set(
			    why, RC_BAD, 400, "\"%.200s\" is no mail address.", entries[i].address);
	}
	return RC_OK;
}

static void
change_suppressions(struct admin *admin, const char *account, const struct suppression *entries,
    size_t count, bool remove, admin_done *done, void *arg)
{
	struct change *c = change_new(admin, CHANGE_SUPPRESSIONS, account, "",
	    count == 1 ? entries[0].address : "", done, arg);
	struct why why = WHY_EMPTY;
	enum rc rc;

	if (c == NULL) {
		no_memory(done, arg);
		return;
	}
	c->remove = remove;
	rc = check_owner(admin, account, &why);
	if (rc == RC_OK)
		rc = check_entries(entries, count, &why);
	if (rc == RC_OK && (c->account == NULL || !copy_entries(c, entries, count)))
		rc = why_set(&why, RC_LATER, 503, "Out of memory.");
	begin(c, rc, &why);
}

void
admin_suppress(struct admin *admin, const char *account, const struct suppression *entries,
    size_t count, admin_done *done, void *arg)
{
	change_suppressions(admin, account, entries, count, false, done, arg);
}

void
admin_unsuppress(struct admin *admin, const char *account, const char *const *addresses,
    size_t count, admin_done *done, void *arg)
{
	struct suppression *entries = calloc(count + 1, sizeof *entries);

	if (entries == NULL) {
		no_memory(done, arg);
		return;
	}
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct suppression){
			.address = addresses[i], .message_id = "", .feedback_id = ""
		};
	change_suppressions(admin, account, entries, count, true, done, arg);
	free(entries);
}

/* ------------------------------------------------------------------ life ---------------------- */

enum rc
admin_new(const struct admin_options *options, struct admin **out, struct why *why)
{
	struct admin *admin = calloc(1, sizeof *admin);

	*out = NULL;
	if (admin != NULL)
		admin->addresses = suppressions_new();
	if (admin == NULL || admin->addresses == NULL) {
		free(admin);
		return why_set(why, RC_LATER, 0, "out of memory");
	}
	admin->options = *options;
	*out = admin;
	return RC_OK;
}

void
admin_free(struct admin *admin)
{
	if (admin == NULL)
		return;
	map_free(&admin->pending);
	suppressions_free(admin->addresses);
	config_unref(admin->config);
	credential_table_unref(admin->credentials);
	free(admin);
}

static enum config_profile
profile_of(const void *admin, const char *account)
{
	return admin_profile(admin, account);
}

/* Those of the configuration are made anew with it; those of the store follow. */
static void
follow_config(struct admin *admin, const struct config *before)
{
	if (strcmp(before->region, admin->config->region) != 0)
		admin_load_credentials(admin);
	credentials_set_profiles(admin->options.credentials, profile_of, admin);
}

void
admin_configure(struct admin *admin, struct config *config, struct credential_table *credentials)
{
	struct config *old_config = admin->config;
	struct credential_table *old_credentials = admin->credentials;

	admin->config = config_ref(config);
	admin->credentials = credential_table_ref(credentials);
	if (old_config != NULL)
		follow_config(admin, old_config);
	config_unref(old_config);
	credential_table_unref(old_credentials);
}
