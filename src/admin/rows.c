/* admin/rows.c - which setting is in which column. Choices are kept by their names, so that the numbers behind them may
 * change. */
#include "config.h"

#include "admin/rows.h"

#include <stdio.h>
#include <string.h>

static struct store_value
text(const char *value)
{
	return (struct store_value){ .text = value };
}

static struct store_value
number(int64_t value)
{
	return (struct store_value){ .text = "", .number = value };
}

static struct store_value
real(double value)
{
	return (struct store_value){ .text = "", .real = value };
}

static const char *
words(char *const *list, size_t count, struct row_scratch *scratch)
{
	buf_free(&scratch->words);
	for (size_t i = 0; i < count; i++)
		buf_addf(&scratch->words, "%s%s", i > 0 ? " " : "", list[i]);
	return count > 0 && !scratch->words.failed ? buf_cstr(&scratch->words) : "";
}

/* ------------------------------------------------------------------ to rows ------------------- */

void
row_of_account(const struct config_account *account, struct store_row *out)
{
	const union config_object *object = (const union config_object *)account;
	struct store_value *v = out->values;

	out->kind = STORE_ACCOUNT;
	v[ACCOUNT_NAME] = text(account->name);
	v[ACCOUNT_PROFILE] = text(config_object_choice(OBJECT_ACCOUNT, object, "profile"));
	v[ACCOUNT_SENDING_ENABLED] = number(account->sending_enabled);
	v[ACCOUNT_PRODUCTION] = number(account->production);
	v[ACCOUNT_OVER_LIMIT] = text(config_object_choice(OBJECT_ACCOUNT, object, "over_limit"));
	v[ACCOUNT_SEND_RATE] = real(account->send_rate);
	v[ACCOUNT_SEND_BURST] = real(account->send_burst);
	v[ACCOUNT_QUOTA_24H] = number(account->quota_24h);
	v[ACCOUNT_SUPPRESSION] = text(config_object_choice(OBJECT_ACCOUNT, object, "suppression"));
	v[ACCOUNT_CREATED_MS] = number(account->created_ms);
	v[ACCOUNT_WEIGHT] = number(account->weight);
}

void
row_of_credential(
    const char *account, const struct config_credential *credential, struct store_row *out)
{
	struct store_value *v = out->values;

	out->kind = STORE_CREDENTIAL;
	v[CREDENTIAL_ID] = text(credential->id);
	v[CREDENTIAL_ACCOUNT] = text(account);
	v[CREDENTIAL_SECRET] = text(credential->secret);
	v[CREDENTIAL_VERSION2] = number(credential->version2);
	v[CREDENTIAL_NOTE] = text(credential->note);
	v[CREDENTIAL_CREATED_MS] = number(credential->created_ms);
}

void
row_of_identity(
    const struct config_identity *identity, struct row_scratch *scratch, struct store_row *out)
{
	struct store_value *v = out->values;

	out->kind = STORE_IDENTITY;
	v[IDENTITY_ACCOUNT] = text(identity->account);
	v[IDENTITY_NAME] = text(identity->name);
	v[IDENTITY_VERIFIED] = number(identity->verified);
	v[IDENTITY_CONFIG_SET] = text(identity->configuration_set);
	v[IDENTITY_SENDERS] = text(words(identity->senders, identity->sender_count, scratch));
	v[IDENTITY_CREATED_MS] = number(identity->created_ms);
}

void
row_of_set(const struct config_set *set, struct row_scratch *scratch, struct store_row *out)
{
	const union config_object *object = (const union config_object *)set;
	struct store_value *v = out->values;

	out->kind = STORE_CONFIG_SET;
	v[CONFIG_SET_ACCOUNT] = text(set->account);
	v[CONFIG_SET_NAME] = text(set->name);
	v[CONFIG_SET_SENDING_ENABLED] = number(set->sending_enabled);
	v[CONFIG_SET_TLS] = text(config_object_choice(OBJECT_SET, object, "tls"));
	v[CONFIG_SET_POOL] = text(set->pool);
	v[CONFIG_SET_MAX_DELIVERY_S] = number(set->max_delivery_ms / 1000);
	v[CONFIG_SET_SUPPRESSION] = text(config_object_choice(OBJECT_SET, object, "suppression"));
	v[CONFIG_SET_TAGS] = text(words(set->tags, set->tag_count, scratch));
	v[CONFIG_SET_CREATED_MS] = number(set->created_ms);
	v[CONFIG_SET_CLASS] = text(config_object_choice(OBJECT_SET, object, "class"));
}

void
row_of_destination(const char *account, const char *set,
    const struct event_destination *destination, struct store_row *out)
{
	struct store_value *v = out->values;

	out->kind = STORE_EVENT_DESTINATION;
	v[EVENT_DESTINATION_ACCOUNT] = text(account);
	v[EVENT_DESTINATION_SET] = text(set);
	v[EVENT_DESTINATION_NAME] = text(destination->name);
	v[EVENT_DESTINATION_ENABLED] = number(destination->enabled);
	v[EVENT_DESTINATION_DEFINITION] = text(destination->definition);
}

void
row_of_suppression(const char *account, const struct suppression *entry, struct store_row *out)
{
	struct store_value *v = out->values;

	out->kind = STORE_SUPPRESSION;
	v[SUPPRESSION_ACCOUNT] = text(account);
	v[SUPPRESSION_ADDRESS] = text(entry->address);
	v[SUPPRESSION_REASON] = text(suppression_reason_name(entry->reason));
	v[SUPPRESSION_CREATED_MS] = number(entry->updated_ms);
	v[SUPPRESSION_MESSAGE_ID] = text(entry->message_id);
	v[SUPPRESSION_FEEDBACK_ID] = text(entry->feedback_id);
}

/* ------------------------------------------------------------------ from rows ----------------- */

static enum rc
set_text(enum config_object_kind kind, union config_object *object, const char *name,
    const char *value, struct why *why)
{
	return config_object_set(kind, object, span_of(name), span_of(value), why);
}

enum rc
row_to_account(const struct store_row *row, union config_object *out, struct why *why)
{
	const struct store_value *v = row->values;
	enum rc rc = config_object_init(OBJECT_ACCOUNT, out);

	if (rc != RC_OK)
		return why_set(why, rc, 0, "out of memory");
	rc = set_text(OBJECT_ACCOUNT, out, "name", v[ACCOUNT_NAME].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_ACCOUNT, out, "profile", v[ACCOUNT_PROFILE].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_ACCOUNT, out, "over_limit", v[ACCOUNT_OVER_LIMIT].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_ACCOUNT, out, "suppression", v[ACCOUNT_SUPPRESSION].text, why);
	if (rc != RC_OK) {
		config_object_clear(OBJECT_ACCOUNT, out);
		return rc;
	}
	out->account.sending_enabled = v[ACCOUNT_SENDING_ENABLED].number != 0;
	out->account.production = v[ACCOUNT_PRODUCTION].number != 0;
	out->account.send_rate = v[ACCOUNT_SEND_RATE].real;
	out->account.send_burst = v[ACCOUNT_SEND_BURST].real;
	out->account.quota_24h = v[ACCOUNT_QUOTA_24H].number;
	out->account.created_ms = v[ACCOUNT_CREATED_MS].number;
	out->account.weight = v[ACCOUNT_WEIGHT].number;
	return RC_OK;
}

enum rc
row_to_set(const struct store_row *row, union config_object *out, struct why *why)
{
	const struct store_value *v = row->values;
	enum rc rc = config_object_init(OBJECT_SET, out);

	if (rc != RC_OK)
		return why_set(why, rc, 0, "out of memory");
	rc = set_text(OBJECT_SET, out, "account", v[CONFIG_SET_ACCOUNT].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_SET, out, "name", v[CONFIG_SET_NAME].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_SET, out, "tls", v[CONFIG_SET_TLS].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_SET, out, "suppression", v[CONFIG_SET_SUPPRESSION].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_SET, out, "class", v[CONFIG_SET_CLASS].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_SET, out, "pool", v[CONFIG_SET_POOL].text, why);
	if (rc == RC_OK)
		rc = set_text(OBJECT_SET, out, "tags", v[CONFIG_SET_TAGS].text, why);
	if (rc != RC_OK) {
		config_object_clear(OBJECT_SET, out);
		return rc;
	}
	out->set.sending_enabled = v[CONFIG_SET_SENDING_ENABLED].number != 0;
	out->set.max_delivery_ms = v[CONFIG_SET_MAX_DELIVERY_S].number * 1000;
	out->set.created_ms = v[CONFIG_SET_CREATED_MS].number;
	return RC_OK;
}
