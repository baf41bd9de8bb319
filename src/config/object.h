/* config/object.h - accounts, credentials, identities and configuration sets that do not stand in the file: by the same
 * names, with the same values, defaults and errors as there. */
#ifndef CONFIG_OBJECT_H
#define CONFIG_OBJECT_H

#include "config/config.h"
#include "util/buf.h"

enum config_object_kind {
	OBJECT_ACCOUNT,	   /* struct config_account; without credentials */
	OBJECT_CREDENTIAL, /* struct config_credential */
	OBJECT_IDENTITY,   /* struct config_identity; without files */
	OBJECT_SET,	   /* struct config_set */
	OBJECT_KINDS
};

/* Room for any of them. */
union config_object {
	struct config_account account;
	struct config_credential credential;
	struct config_identity identity;
	struct config_set set;
};

/* All settings at their defaults, "" where there is none. RC_LATER: out of memory, and nothing is to be cleared. */
MUST_CHECK enum rc config_object_init(enum config_object_kind kind, union config_object *object);
void config_object_clear(enum config_object_kind kind, union config_object *object);

/* Give a setting the value that stands for it in the file, without quotes; lists are words with blanks between them.
 * RC_BAD with why: there is no such setting (did you mean ...), or it must be something else. */
MUST_CHECK enum rc config_object_set(enum config_object_kind kind, union config_object *object,
    struct span name, struct span value, struct why *why);

/* RC_BAD with why when a setting that has no default was not set. */
MUST_CHECK enum rc config_object_complete(
    enum config_object_kind kind, const union config_object *object, struct why *why);

/* The value of a choice as it stands in the file: "ses" for "profile". */
const char *config_object_choice(
    enum config_object_kind kind, const union config_object *object, const char *name);

/* `"name": "web", "profile": "ses", ...`: the settings as members of a JSON object, without braces and secrets. */
void config_object_json(
    enum config_object_kind kind, const union config_object *object, struct buf *out);

#endif
