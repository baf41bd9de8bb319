/* suppress/suppress.h - the suppression lists of accounts: addresses that are not sent to, and why. Core loop only.
 *
 * Addresses are kept as they were given. They match with the domain in any case, and the local part exactly. */
#ifndef SUPPRESS_SUPPRESS_H
#define SUPPRESS_SUPPRESS_H

#include "config/config.h"
#include "util/span.h"

struct suppressions;

struct suppression {
	const char *address;
	enum config_suppression reason; /* SUPPRESS_BOUNCE or SUPPRESS_COMPLAINT */
	int64_t updated_ms;		/* wall clock */
	const char *message_id;		/* of the message that led to it, or "" */
	const char *feedback_id;
};

struct suppressions *suppressions_new(void); /* NULL: out of memory */
void suppressions_free(struct suppressions *list);

/* New, or in place of an older entry. Copies. RC_BAD: the address has no "@" or is too long. */
MUST_CHECK enum rc suppressions_put(struct suppressions *list, const char *account,
    const struct suppression *entry, struct why *why);
void suppressions_remove(struct suppressions *list, const char *account, const char *address);

/* What is handed out stays until the loop goes on, or until the entry is put or removed. */

/* The entry of an address, whatever its reason, or NULL. */
const struct suppression *suppression_find(
    const struct suppressions *list, const char *account, struct span address);
/* All of an account in the order they came. after NULL: the first; NULL behind the last. */
const struct suppression *suppressions_next(
    const struct suppressions *list, const char *account, const struct suppression *after);
size_t suppressions_count(const struct suppressions *list, const char *account);

/* "BOUNCE" or "COMPLAINT", as the API has it. */
const char *suppression_reason_name(enum config_suppression reason);
/* False: it is no reason. */
bool suppression_reason_parse(struct span text, enum config_suppression *out);

#endif
