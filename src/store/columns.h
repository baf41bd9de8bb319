/* store/columns.h - the kinds of rows and their columns: one table, from which every engine makes its statements.
 *
 * To add a column: a name here, a row in columns.c, and a migration (store/migrations.c), which also says what the
 * column holds in rows that were there before. */
#ifndef STORE_COLUMNS_H
#define STORE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

enum store_kind {
	STORE_ACCOUNT,
	STORE_CREDENTIAL,
	STORE_IDENTITY,
	STORE_CONFIG_SET,
	STORE_EVENT_DESTINATION,
	STORE_SUPPRESSION,
	STORE_KINDS
};

enum store_type {
	STORE_TEXT,
	STORE_INT, /* int64_t */
	STORE_BOOL,
	STORE_REAL,
	STORE_SECRET /* text that is encrypted on disk, never a key */
};

enum store_account_column {
	ACCOUNT_NAME, /* key */
	ACCOUNT_PROFILE,
	ACCOUNT_SENDING_ENABLED,
	ACCOUNT_PRODUCTION,
	ACCOUNT_OVER_LIMIT, /* "reject" or "smooth" */
	ACCOUNT_SEND_RATE,
	ACCOUNT_SEND_BURST,
	ACCOUNT_QUOTA_24H,
	ACCOUNT_SUPPRESSION, /* "none", "bounce", "complaint" or "both" */
	ACCOUNT_CREATED_MS,
	ACCOUNT_WEIGHT,
	ACCOUNT_COLUMNS
};

enum store_credential_column {
	CREDENTIAL_ID, /* key */
	CREDENTIAL_ACCOUNT,
	CREDENTIAL_SECRET,
	CREDENTIAL_VERSION2,
	CREDENTIAL_NOTE,
	CREDENTIAL_CREATED_MS,
	CREDENTIAL_COLUMNS
};

enum store_identity_column {
	IDENTITY_ACCOUNT, /* key */
	IDENTITY_NAME,	  /* key */
	IDENTITY_VERIFIED,
	IDENTITY_CONFIG_SET,
	IDENTITY_SENDERS, /* accounts that may send as it, with a blank between */
	IDENTITY_CREATED_MS,
	IDENTITY_COLUMNS
};

enum store_config_set_column {
	CONFIG_SET_ACCOUNT, /* key */
	CONFIG_SET_NAME,    /* key */
	CONFIG_SET_SENDING_ENABLED,
	CONFIG_SET_TLS,
	CONFIG_SET_POOL,
	CONFIG_SET_MAX_DELIVERY_S,
	CONFIG_SET_SUPPRESSION, /* "inherit", or as that of an account */
	CONFIG_SET_TAGS,	/* "name=value", with a blank between */
	CONFIG_SET_CREATED_MS,
	CONFIG_SET_CLASS,
	CONFIG_SET_COLUMNS
};

enum store_event_destination_column {
	EVENT_DESTINATION_ACCOUNT, /* key */
	EVENT_DESTINATION_SET,	   /* key */
	EVENT_DESTINATION_NAME,	   /* key */
	EVENT_DESTINATION_ENABLED,
	EVENT_DESTINATION_DEFINITION, /* JSON, as the API has it */
	EVENT_DESTINATION_COLUMNS
};

enum store_suppression_column {
	SUPPRESSION_ACCOUNT, /* key */
	SUPPRESSION_ADDRESS, /* key */
	SUPPRESSION_REASON,  /* "BOUNCE" or "COMPLAINT" */
	SUPPRESSION_CREATED_MS,
	SUPPRESSION_MESSAGE_ID,
	SUPPRESSION_FEEDBACK_ID,
	SUPPRESSION_COLUMNS
};

enum {
	STORE_COLUMNS_MAX = ACCOUNT_COLUMNS
};

struct store_column {
	const char *name; /* in the database */
	enum store_type type;
	bool key; /* keys stand first */
};

struct store_table {
	const char *name;
	const struct store_column *columns;
	size_t count, keys;
	size_t owner; /* the column with the account that the row belongs to */
};

extern const struct store_table store_tables[STORE_KINDS];

#endif
