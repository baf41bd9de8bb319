/* config/value.h - the values behind schema rows: set from text, print, compare, free. Internal to config/.
 *
 * `base` is the struct that a row's offset counts from: struct config for sections, one element for lists. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/schema.h"

/* Give the value of `text` to the setting; strings are copied, an old one is freed. RC_BAD: `text` is not what
 * schema_allowed says. RC_LATER: out of memory. Not for groups and lists. SCHEMA_STRINGS: words with blanks
 * between them. */
MUST_CHECK enum rc value_set_text(const struct schema_row *row, void *base, struct span text);

/* Numbers from the file, checked against the range. */
MUST_CHECK enum rc value_set_int(const struct schema_row *row, void *base, int64_t value);
MUST_CHECK enum rc value_set_float(const struct schema_row *row, void *base, double value);
void value_set_bool(const struct schema_row *row, void *base, bool value);

/* One more element of SCHEMA_STRINGS, which value_clear empties. */
MUST_CHECK enum rc value_add_string(const struct schema_row *row, void *base, struct span text);
void value_clear(const struct schema_row *row, void *base);

/* Defaults for all rows of a group and its sections; "" for what must be set. Lists are left alone. */
MUST_CHECK enum rc value_set_defaults(const struct schema_group *group, void *base);

/* The array of a SCHEMA_LIST row. value_add_element gives a zeroed element with its defaults. */
size_t *value_count(const struct schema_row *row, const void *base);
void *value_element(const struct schema_row *row, const void *base, size_t index);
MUST_CHECK enum rc value_add_element(const struct schema_row *row, void *base, size_t *cap);

/* Of SCHEMA_ENUM: its name. */
const char *value_choice(const struct schema_row *row, const void *base);

/* As it would stand in a file, quotes and all. Secrets are "***" unless `secrets`. */
void value_print(const struct schema_row *row, const void *base, bool secrets, struct buf *out);
void value_print_float(double value, struct buf *out);

/* Groups and lists with everything in them. */
bool value_equal(const struct schema_row *row, const void *a, const void *b);

/* Free everything that the rows of the group own, wiping secrets; `base` itself is the caller's. */
void value_free_group(const struct schema_group *group, void *base);

#endif
