/* admin/load.c - at start: what is in the store goes to who serves it. */
#include "config.h"

#include "admin/internal.h"

#include "admin/rows.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	LOGGED_MAX = 20 /* of a kind, one by one */
};

static enum rc
load_account(void *arg, const struct store_row *row, struct why *why)
{
	struct admin *admin = arg;
	union config_object object;
	enum rc rc = row_to_account(row, &object, why);

	if (rc != RC_OK)
		return rc;
	rc = account_put(admin->options.accounts, &object.account, why);
	config_object_clear(OBJECT_ACCOUNT, &object);
	return rc;
}

static enum rc
load_credential(void *arg, const struct store_row *row, struct why *why)
{
	struct admin *admin = arg;
	const struct store_value *v = row->values;
	struct config_credential credential = { .id = (char *)(uintptr_t)v[CREDENTIAL_ID].text,
		.secret = (char *)(uintptr_t)v[CREDENTIAL_SECRET].text,
		.version2 = v[CREDENTIAL_VERSION2].number != 0,
		.note = (char *)(uintptr_t)v[CREDENTIAL_NOTE].text,
		.created_ms = v[CREDENTIAL_CREATED_MS].number };
	const char *account = v[CREDENTIAL_ACCOUNT].text;

	return credentials_put(admin->options.credentials, account, admin_profile(admin, account),
	    admin->config->region, &credential, why);
}

/* By hand: there may be a million. */
static enum rc
load_identity(void *arg, const struct store_row *row, struct why *why)
{
	struct admin *admin = arg;
	const struct store_value *v = row->values;
	union config_object object;
	struct config_identity plain = { .name = (char *)(uintptr_t)v[IDENTITY_NAME].text,
		.account = (char *)(uintptr_t)v[IDENTITY_ACCOUNT].text,
		.configuration_set = (char *)(uintptr_t)v[IDENTITY_CONFIG_SET].text,
		.verified = v[IDENTITY_VERIFIED].number != 0,
		.created_ms = v[IDENTITY_CREATED_MS].number };
	enum rc rc;

	if (v[IDENTITY_SENDERS].text[0] == '\0')
		return identities_put(admin->options.identities, &plain, why);
	rc = config_object_init(OBJECT_IDENTITY, &object);
	if (rc != RC_OK)
		return why_set(why, rc, 0, "out of memory");
	rc = config_object_set(
	    OBJECT_IDENTITY, &object, SPAN_LIT("senders"), span_of(v[IDENTITY_SENDERS].text), why);
	plain.senders = object.identity.senders;
	plain.sender_count = object.identity.sender_count;
	if (rc == RC_OK)
		rc = identities_put(admin->options.identities, &plain, why);
	config_object_clear(OBJECT_IDENTITY, &object);
	return rc;
}

static enum rc
load_set(void *arg, const struct store_row *row, struct why *why)
{
	struct admin *admin = arg;
	union config_object object;
	enum rc rc = row_to_set(row, &object, why);

	if (rc != RC_OK)
		return rc;
	rc = config_sets_put(admin->options.sets, &object.set, why);
	config_object_clear(OBJECT_SET, &object);
	return rc;
}

static enum rc
load_destination(void *arg, const struct store_row *row, struct why *why)
{
	struct admin *admin = arg;
	const struct store_value *v = row->values;
	struct event_destination destination = {
		.name = (char *)(uintptr_t)v[EVENT_DESTINATION_NAME].text,
		.enabled = v[EVENT_DESTINATION_ENABLED].number != 0,
		.definition = (char *)(uintptr_t)v[EVENT_DESTINATION_DEFINITION].text
	};

	return config_set_put_destination(admin->options.sets, v[EVENT_DESTINATION_ACCOUNT].text,
	    v[EVENT_DESTINATION_SET].text, &destination, why);
}

static enum rc
load_suppression(void *arg, const struct store_row *row, struct why *why)
{
	struct admin *admin = arg;
	const struct store_value *v = row->values;
	struct suppression entry = { .address = v[SUPPRESSION_ADDRESS].text,
		.updated_ms = v[SUPPRESSION_CREATED_MS].number,
		.message_id = v[SUPPRESSION_MESSAGE_ID].text,
		.feedback_id = v[SUPPRESSION_FEEDBACK_ID].text };

	if (!suppression_reason_parse(span_of(v[SUPPRESSION_REASON].text), &entry.reason))
		return why_set(why, RC_BAD, 0, "no reason: %s", v[SUPPRESSION_REASON].text);
	return suppressions_put(
	    admin->options.suppressions, v[SUPPRESSION_ACCOUNT].text, &entry, why);
}

struct loading {
	struct admin *admin;
	store_each *each;
	const char *what;
	uint64_t bad;
};

/* One row that is no good is left out; the rest is good. */
static enum rc
load_row(void *arg, const struct store_row *row, struct why *why)
{
	struct loading *loading = arg;
	enum rc rc = loading->each(loading->admin, row, why);

	if (rc == RC_LATER)
		return rc;
	if (rc != RC_OK && loading->bad++ < LOGGED_MAX)
		log_line(LOG_LEVEL_ERROR, "admin", "%s %s: left out: %s", loading->what,
		    row->values[0].text, why->text);
	return RC_OK;
}

static const struct {
	enum store_kind kind;
	store_each *each;
	const char *what;
} kinds[] = {
	{ STORE_ACCOUNT, load_account, "account" },
	{ STORE_CREDENTIAL, load_credential, "credential" },
	{ STORE_CONFIG_SET, load_set, "configuration set" },
	{ STORE_EVENT_DESTINATION, load_destination, "event destination of" },
	{ STORE_IDENTITY, load_identity, "identity of" },
	{ STORE_SUPPRESSION, load_suppression, "suppression of" },
};

static void
load_kind(struct admin *admin, size_t i)
{
	struct loading loading = { admin, kinds[i].each, kinds[i].what, 0 };
	struct why why = WHY_EMPTY;
	enum rc rc = store_load(admin->options.store, kinds[i].kind, load_row, &loading, &why);

	if (rc != RC_OK)
		log_line(LOG_LEVEL_ERROR, "admin", "%s", why.text);
	if (loading.bad > LOGGED_MAX)
		log_line(LOG_LEVEL_ERROR, "admin", "%s: %llu left out in all", loading.what,
		    (unsigned long long)loading.bad);
	if (kinds[i].kind == STORE_CREDENTIAL && (rc != RC_OK || loading.bad > 0))
		credentials_note_missing(admin->options.credentials);
}

void
admin_load_credentials(struct admin *admin)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].kind == STORE_CREDENTIAL)
			load_kind(admin, i);
}

void
admin_load(struct admin *admin)
{
	int64_t begin_us = clock_mono_us();
	struct store_stats stats;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		load_kind(admin, i);
	store_stats(admin->options.store, &stats);
	if (stats.failures > 0) /* rows whose secrets cannot be read, for one */
		credentials_note_missing(admin->options.credentials);
	log_line(LOG_LEVEL_INFO, "admin", "store read: ms=%lld",
	    (long long)((clock_mono_us() - begin_us) / 1000));
}
