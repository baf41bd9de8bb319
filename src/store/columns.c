/* store/columns.c - the table of all tables. Always true: keys stand first and are text; a secret is never a key. */
#include "config.h"

#include "store/columns.h"

#include "util/rc.h"

static const struct store_column account[] = {
	[ACCOUNT_NAME] = { "name", STORE_TEXT, true },
	[ACCOUNT_PROFILE] = { "profile", STORE_TEXT, false },
	[ACCOUNT_SENDING_ENABLED] = { "sending_enabled", STORE_BOOL, false },
	[ACCOUNT_PRODUCTION] = { "production", STORE_BOOL, false },
	[ACCOUNT_OVER_LIMIT] = { "over_limit", STORE_TEXT, false },
	[ACCOUNT_SEND_RATE] = { "send_rate", STORE_REAL, false },
	[ACCOUNT_SEND_BURST] = { "send_burst", STORE_REAL, false },
	[ACCOUNT_QUOTA_24H] = { "quota_24h", STORE_INT, false },
	[ACCOUNT_SUPPRESSION] = { "suppression", STORE_TEXT, false },
	[ACCOUNT_CREATED_MS] = { "created_ms", STORE_INT, false },
	[ACCOUNT_WEIGHT] = { "weight", STORE_INT, false },
};

static const struct store_column credential[] = {
	[CREDENTIAL_ID] = { "id", STORE_TEXT, true },
	[CREDENTIAL_ACCOUNT] = { "account", STORE_TEXT, false },
	[CREDENTIAL_SECRET] = { "secret", STORE_SECRET, false },
	[CREDENTIAL_VERSION2] = { "version2", STORE_BOOL, false },
	[CREDENTIAL_NOTE] = { "note", STORE_TEXT, false },
	[CREDENTIAL_CREATED_MS] = { "created_ms", STORE_INT, false },
};

static const struct store_column identity[] = {
	[IDENTITY_ACCOUNT] = { "account", STORE_TEXT, true },
	[IDENTITY_NAME] = { "name", STORE_TEXT, true },
	[IDENTITY_VERIFIED] = { "verified", STORE_BOOL, false },
	[IDENTITY_CONFIG_SET] = { "config_set", STORE_TEXT, false },
	[IDENTITY_SENDERS] = { "senders", STORE_TEXT, false },
	[IDENTITY_CREATED_MS] = { "created_ms", STORE_INT, false },
};

static const struct store_column config_set[] = {
	[CONFIG_SET_ACCOUNT] = { "account", STORE_TEXT, true },
	[CONFIG_SET_NAME] = { "name", STORE_TEXT, true },
	[CONFIG_SET_SENDING_ENABLED] = { "sending_enabled", STORE_BOOL, false },
	[CONFIG_SET_TLS] = { "tls", STORE_TEXT, false },
	[CONFIG_SET_POOL] = { "pool", STORE_TEXT, false },
	[CONFIG_SET_MAX_DELIVERY_S] = { "max_delivery_s", STORE_INT, false },
	[CONFIG_SET_SUPPRESSION] = { "suppression", STORE_TEXT, false },
	[CONFIG_SET_TAGS] = { "tags", STORE_TEXT, false },
	[CONFIG_SET_CREATED_MS] = { "created_ms", STORE_INT, false },
	[CONFIG_SET_CLASS] = { "class", STORE_TEXT, false },
};

static const struct store_column event_destination[] = {
	[EVENT_DESTINATION_ACCOUNT] = { "account", STORE_TEXT, true },
	[EVENT_DESTINATION_SET] = { "set", STORE_TEXT, true },
	[EVENT_DESTINATION_NAME] = { "name", STORE_TEXT, true },
	[EVENT_DESTINATION_ENABLED] = { "enabled", STORE_BOOL, false },
	[EVENT_DESTINATION_DEFINITION] = { "definition", STORE_TEXT, false },
};

static const struct store_column suppression[] = {
	[SUPPRESSION_ACCOUNT] = { "account", STORE_TEXT, true },
	[SUPPRESSION_ADDRESS] = { "address", STORE_TEXT, true },
	[SUPPRESSION_REASON] = { "reason", STORE_TEXT, false },
	[SUPPRESSION_CREATED_MS] = { "created_ms", STORE_INT, false },
	[SUPPRESSION_MESSAGE_ID] = { "message_id", STORE_TEXT, false },
	[SUPPRESSION_FEEDBACK_ID] = { "feedback_id", STORE_TEXT, false },
};

#define TABLE(columns, keys, owner) \
	{ \
#columns, columns, ARRAY_LEN(columns), keys, owner \
	}

const struct store_table store_tables[STORE_KINDS] = {
	[STORE_ACCOUNT] = TABLE(account, 1, ACCOUNT_NAME),
	[STORE_CREDENTIAL] = TABLE(credential, 1, CREDENTIAL_ACCOUNT),
	[STORE_IDENTITY] = TABLE(identity, 2, IDENTITY_ACCOUNT),
	[STORE_CONFIG_SET] = TABLE(config_set, 2, CONFIG_SET_ACCOUNT),
	[STORE_EVENT_DESTINATION] = TABLE(event_destination, 3, EVENT_DESTINATION_ACCOUNT),
	[STORE_SUPPRESSION] = TABLE(suppression, 2, SUPPRESSION_ACCOUNT),
};

#define COUNT_IS(columns, count) \
	_Static_assert( \
	    ARRAY_LEN(columns) == (count) && (int)(count) <= (int)STORE_COLUMNS_MAX, #columns)
COUNT_IS(account, ACCOUNT_COLUMNS);
COUNT_IS(credential, CREDENTIAL_COLUMNS);
COUNT_IS(identity, IDENTITY_COLUMNS);
COUNT_IS(config_set, CONFIG_SET_COLUMNS);
COUNT_IS(event_destination, EVENT_DESTINATION_COLUMNS);
COUNT_IS(suppression, SUPPRESSION_COLUMNS);
