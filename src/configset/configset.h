/* configset/configset.h - configuration sets: named sending options of an account. Core loop only.
 *
 * Sets come from the configuration and from the store; where both have the same one, that of the configuration counts.
 * A set may have event destinations, which are kept here and used by who publishes events. */
#ifndef CONFIGSET_CONFIGSET_H
#define CONFIGSET_CONFIGSET_H

#include "config/config.h"
#include "util/span.h"

struct config_sets;

enum {
	DESTINATIONS_MAX = 10 /* of a set, as SES has it */
};

/* Where events of a set go. */
struct event_destination {
	char *name;
	bool enabled;
	char *definition; /* JSON */
};

struct config_sets *config_sets_new(void); /* NULL: out of memory */
void config_sets_free(struct config_sets *sets);

/* The sets of the configuration from now on. RC_LATER: out of memory, nothing changed. */
MUST_CHECK enum rc config_sets_use(
    struct config_sets *sets, struct config *config, struct why *why);

/* One of the store: new, or changed; its destinations stay. Copies. */
MUST_CHECK enum rc config_sets_put(
    struct config_sets *sets, const struct config_set *set, struct why *why);
void config_sets_remove(struct config_sets *sets, const char *account, const char *name);
void config_sets_remove_account(struct config_sets *sets, const char *account);

/* What is handed out stays until the loop goes on, or until it is put or removed. */
const struct config_set *config_set_find(
    const struct config_sets *sets, const char *account, struct span name);
bool config_set_in_file(const struct config_sets *sets, const char *account, const char *name);

/* All of an account; until `each` is false. */
void config_sets_each(const struct config_sets *sets, const char *account,
    bool (*each)(void *arg, const struct config_set *set, bool in_file), void *arg);

/* Of a set of the store. RC_DENY with why: there is no such set, or it has DESTINATIONS_MAX of other names. */
MUST_CHECK enum rc config_set_put_destination(struct config_sets *sets, const char *account,
    const char *set, const struct event_destination *destination, struct why *why);
void config_set_remove_destination(
    struct config_sets *sets, const char *account, const char *set, const char *name);
/* *count of them; none for a set that is not in the store. */
const struct event_destination *config_set_destinations(
    const struct config_sets *sets, const char *account, const char *set, size_t *count);

#endif
