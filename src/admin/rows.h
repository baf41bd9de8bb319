/* admin/rows.h - between objects and rows of the store. Texts are borrowed, in both directions. */
#ifndef ADMIN_ROWS_H
#define ADMIN_ROWS_H

#include "config/object.h"
#include "configset/configset.h"
#include "store/store.h"
#include "suppress/suppress.h"

/* Lists of words as one text, with blanks between them. */
struct row_scratch {
	struct buf words;
};

void row_of_account(const struct config_account *account, struct store_row *out);
void row_of_credential(
    const char *account, const struct config_credential *credential, struct store_row *out);
/* The scratch stays as long as the row. */
void row_of_identity(
    const struct config_identity *identity, struct row_scratch *scratch, struct store_row *out);
void row_of_set(const struct config_set *set, struct row_scratch *scratch, struct store_row *out);
void row_of_destination(const char *account, const char *set,
    const struct event_destination *destination, struct store_row *out);
void row_of_suppression(
    const char *account, const struct suppression *entry, struct store_row *out);

/* RC_BAD with why: a value that no version of the program has written. */
MUST_CHECK enum rc row_to_account(
    const struct store_row *row, union config_object *out, struct why *why);
MUST_CHECK enum rc row_to_set(
    const struct store_row *row, union config_object *out, struct why *why);

#endif
