/* admin/get.c - what is there now, whether the configuration has it or the store. */
#include "config.h"

#include "admin/internal.h"

#include <string.h>

#include "admin/rows.h"

/* ------------------------------------------------------------------ what is there ------------- */

struct account *
admin_account(const struct admin *admin, const char *name)
{
	struct account *account = account_find(admin->options.accounts, name);

	return account_is_there(account) ? account : NULL;
}

static const struct {
	const char *noun, *title;
} nouns[OBJECT_KINDS] = {
	[OBJECT_ACCOUNT] = { "account", "Account" },
	[OBJECT_CREDENTIAL] = { "credential", "Credential" },
	[OBJECT_IDENTITY] = { "identity", "Identity" },
	[OBJECT_SET] = { "configuration set", "Configuration set" },
};

const char *
admin_noun(enum config_object_kind kind)
{
	return nouns[kind].noun;
}

const char *
admin_title(enum config_object_kind kind)
{
	return nouns[kind].title;
}

struct presence
admin_presence(
    const struct admin *admin, enum config_object_kind kind, const char *account, const char *name)
{
	const struct admin_options *o = &admin->options;
	const struct account *owner = admin_account(admin, account);
	const struct identity *identity;
	struct credential_view view;

	switch (kind) {
	case OBJECT_ACCOUNT:
		return (struct presence){ owner != NULL, owner != NULL && account_in_file(owner),
			false };
	case OBJECT_CREDENTIAL:
		if (credential_table_has(admin->credentials, name))
			return (struct presence){ true, true, false };
		if (credentials_find(o->credentials, name, &view) != RC_OK)
			return (struct presence){ false, false, false };
		return (struct presence){ true, false, strcmp(view.account, account) != 0 };
	case OBJECT_IDENTITY:
		identity = identity_find(o->identities, account, name);
		return (struct presence){ identity != NULL, identity != NULL && identity->in_file,
			false };
	case OBJECT_SET:
		return (struct presence){ config_set_find(o->sets, account, span_of(name)) != NULL,
			config_set_in_file(o->sets, account, name), false };
	default:
		return (struct presence){ false, false, false };
	}
}

enum rc
admin_there_is_none(enum config_object_kind kind, const char *name, struct why *why)
{
	return why_set(why, RC_DENY, 404, "There is no %s \"%s\".", admin_noun(kind), name);
}

enum config_profile
admin_profile(const struct admin *admin, const char *account)
{
	const struct account *owner = admin_account(admin, account);

	return owner != NULL ? account_settings(owner)->profile : PROFILE_SES;
}

/* ------------------------------------------------------------------ a look -------------------- */

static enum rc
copy_setting(enum config_object_kind kind, union config_object *out, const char *name,
    const char *value, struct why *why)
{
	return config_object_set(kind, out, span_of(name), span_of(value), why);
}

static enum rc
get_account(const struct admin *admin, const char *name, union config_object *out, struct why *why)
{
	const struct config_account *from = account_settings(admin_account(admin, name));
	enum rc rc = copy_setting(OBJECT_ACCOUNT, out, "name", name, why);
	char *copy = out->account.name;

	if (rc != RC_OK)
		return rc;
	out->account = *from; /* whose only string is its name */
	out->account.name = copy;
	return RC_OK;
}

static enum rc
get_credential(const struct admin *admin, const char *id, union config_object *out, struct why *why)
{
	struct credential_view view = { .note = "" };
	enum rc rc = copy_setting(OBJECT_CREDENTIAL, out, "id", id, why);

	/* What the file says of its own is in the file. */
	(void)!credentials_find(admin->options.credentials, id, &view);
	if (rc == RC_OK)
		rc = copy_setting(OBJECT_CREDENTIAL, out, "note", view.note, why);
	out->credential.version2 = view.version2;
	out->credential.created_ms = view.created_ms;
	return rc;
}

static enum rc
get_identity(const struct admin *admin, const char *account, const char *name,
    union config_object *out, struct why *why)
{
	const struct identity *from = identity_find(admin->options.identities, account, name);
	struct buf senders = BUF_EMPTY;
	enum rc rc = copy_setting(OBJECT_IDENTITY, out, "name", from->name, why);

	for (size_t i = 0; i < from->sender_count; i++)
		buf_addf(&senders, "%s%s", i > 0 ? " " : "", from->senders[i]);
	if (senders.failed)
		rc = why_set(why, RC_LATER, 503, "Out of memory.");
	if (rc == RC_OK)
		rc = copy_setting(OBJECT_IDENTITY, out, "account", from->account, why);
	if (rc == RC_OK)
		rc = copy_setting(
		    OBJECT_IDENTITY, out, "configuration_set", from->configuration_set, why);
	if (rc == RC_OK)
		rc = config_object_set(
		    OBJECT_IDENTITY, out, SPAN_LIT("senders"), buf_span(&senders), why);
	out->identity.verified = from->verified;
	out->identity.created_ms = from->created_ms;
	buf_free(&senders);
	return rc;
}

static enum rc
get_set(const struct admin *admin, const char *account, const char *name, union config_object *out,
    struct why *why)
{
	const struct config_set *from =
	    config_set_find(admin->options.sets, account, span_of(name));
	struct row_scratch scratch = { BUF_EMPTY };
	struct store_row row = { 0 };
	enum rc rc;

	config_object_clear(OBJECT_SET, out);
	row_of_set(from, &scratch, &row);
	rc = scratch.words.failed ? why_set(why, RC_LATER, 503, "Out of memory.")
				  : row_to_set(&row, out, why);
	buf_free(&scratch.words);
	if (rc == RC_OK)
		out->set.max_delivery_ms =
		    from->max_delivery_ms; /* of the file, maybe not whole seconds */
	return rc;
}

enum rc
admin_get(const struct admin *admin, enum config_object_kind kind, const char *account,
    const char *name, union config_object *out, bool *in_file, struct why *why)
{
	struct presence is = admin_presence(admin, kind, account, name);
	enum rc rc;

	*in_file = is.in_file;
	if (!is.there)
		return admin_there_is_none(kind, name, why);
	if (config_object_init(kind, out) != RC_OK)
		return why_set(why, RC_LATER, 503, "Out of memory.");
	rc = kind == OBJECT_ACCOUNT	 ? get_account(admin, name, out, why)
	     : kind == OBJECT_CREDENTIAL ? get_credential(admin, name, out, why)
	     : kind == OBJECT_IDENTITY	 ? get_identity(admin, account, name, out, why)
					 : get_set(admin, account, name, out, why);
	if (rc == RC_OK)
		return RC_OK;
	config_object_clear(kind, out);
	why->code = 503;
	return rc;
}
