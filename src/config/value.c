/* config/value.c - generic work on the structs of config.h by way of the schema's offsets. */
#include <config.h>

#include "config/value.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/check_text.h"
#include "util/crypto.h"
#include "util/units.h"

static void *
field(const struct schema_row *row, const void *base)
{
	return (char *)base + row->offset;
}

static int64_t *
int_field(const struct schema_row *row, const void *base)
{
	return field(row, base);
}

static char **
string_field(const struct schema_row *row, const void *base)
{
	return field(row, base);
}

/* The pointer to a list's elements; its type is another one for each list, hence the copy. */
static char *
array_of(const struct schema_row *row, const void *base)
{
	char *array;

	memcpy(&array, field(row, base), sizeof array);
	return array;
}

static void
array_set(const struct schema_row *row, void *base, char *array)
{
	memcpy(field(row, base), &array, sizeof array);
}

size_t *
value_count(const struct schema_row *row, const void *base)
{
	return (size_t *)(void *)((char *)base + row->count_offset);
}

void *
value_element(const struct schema_row *row, const void *base, size_t index)
{
	return array_of(row, base) + index * row->group->element_size;
}

/* ---- setting ------------------------------------------------------------------------------------------ */

enum rc
value_set_int(const struct schema_row *row, void *base, int64_t value)
{
	if (value < row->min || value > row->max)
		return RC_BAD;
	*int_field(row, base) = value;
	return RC_OK;
}

enum rc
value_set_float(const struct schema_row *row, void *base, double value)
{
	/* written so that a NaN fails */
	if (!(value >= (double)row->min && value <= (double)row->max))
		return RC_BAD;
	*(double *)field(row, base) = value;
	return RC_OK;
}

void
value_set_bool(const struct schema_row *row, void *base, bool value)
{
	*(bool *)field(row, base) = value;
}

static enum rc
set_enum(const struct schema_row *row, void *base, struct span text)
{
	for (const struct schema_choice *c = row->choices; c->name != NULL; c++) {
		unsigned value = (unsigned)c->value;

		if (!span_eq(text, span_of(c->name)))
			continue;
		if (row->width == sizeof(int64_t))
			*int_field(row, base) = c->value;
		else
			memcpy(field(row, base), &value, sizeof value);
		return RC_OK;
	}
	return RC_BAD;
}

static enum rc
set_mode(const struct schema_row *row, void *base, struct span text)
{
	int64_t mode = 0;

	if (text.len < 3 || text.len > 4)
		return RC_BAD;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return RC_BAD;
		mode = mode * 8 + (text.p[i] - '0');
	}
	return value_set_int(row, base, mode);
}

static void
free_string(const struct schema_row *row, char *text)
{
	if (text != NULL && row->type == SCHEMA_SECRET)
		crypto_wipe(text, strlen(text));
	free(text);
}

static bool
may_be_empty(const struct schema_row *row)
{
	return row->empty != NULL || (row->fallback != NULL && *row->fallback == '\0');
}

static enum rc
set_string(const struct schema_row *row, void *base, struct span text)
{
	char **to = string_field(row, base), *copy;

	if (text.len == 0 ? !may_be_empty(row) : !text_is(row->type, text))
		return RC_BAD;
	copy = span_dup(text);
	if (copy == NULL)
		return RC_LATER;
	text_fold(row->type, copy);
	free_string(row, *to);
	*to = copy;
	return RC_OK;
}

enum rc
value_add_string(const struct schema_row *row, void *base, struct span text)
{
	char ***array = field(row, base), **bigger;
	size_t *count = value_count(row, base);

	if (!text_is(row->element, text))
		return RC_BAD;
	bigger = reallocarray(*array, *count + 1, sizeof *bigger);
	if (bigger == NULL)
		return RC_LATER;
	*array = bigger;
	bigger[*count] = span_dup(text);
	if (bigger[*count] == NULL)
		return RC_LATER;
	(*count)++;
	return RC_OK;
}

void
value_clear(const struct schema_row *row, void *base)
{
	char ***array = field(row, base);
	size_t *count = value_count(row, base);

	while (*count > 0)
		free((*array)[--*count]);
	free(*array);
	*array = NULL;
}

static enum rc
set_words(const struct schema_row *row, void *base, struct span text)
{
	struct span word;
	enum rc rc = RC_OK;

	value_clear(row, base);
	while (text.len > 0 && rc == RC_OK && span_next(&text, ' ', &word))
		rc = value_add_string(row, base, word);
	return rc;
}

static enum rc
set_number(const struct schema_row *row, void *base, struct span text)
{
	uint64_t number;

	if (!span_uint(text, INT64_MAX, &number))
		return RC_BAD;
	return value_set_int(row, base, (int64_t)number);
}

static enum rc
set_float(const struct schema_row *row, void *base, struct span text)
{
	char copy[32], *end;
	double value;

	if (!span_copy(text, copy, sizeof copy))
		return RC_BAD;
	value = strtod(copy, &end);
	return *end == '\0' ? value_set_float(row, base, value) : RC_BAD;
}

static enum rc
set_unit(const struct schema_row *row, void *base, struct span text,
    enum rc (*parse)(struct span, int64_t *))
{
	int64_t value;

	return parse(text, &value) == RC_OK ? value_set_int(row, base, value) : RC_BAD;
}

enum rc
value_set_text(const struct schema_row *row, void *base, struct span text)
{
	switch (row->type) {
	case SCHEMA_GROUP:
	case SCHEMA_LIST:
		return RC_BUG;
	case SCHEMA_BOOL:
		value_set_bool(row, base, span_eq(text, SPAN_LIT("true")));
		return RC_OK;
	case SCHEMA_INT:
		return set_number(row, base, text);
	case SCHEMA_FLOAT:
		return set_float(row, base, text);
	case SCHEMA_SIZE:
		return set_unit(row, base, text, units_parse_size);
	case SCHEMA_DURATION:
		return set_unit(row, base, text, units_parse_duration);
	case SCHEMA_MODE:
		return set_mode(row, base, text);
	case SCHEMA_ENUM:
		return set_enum(row, base, text);
	case SCHEMA_STRINGS:
		return set_words(row, base, text);
	default:
		return set_string(row, base, text);
	}
}

static enum rc
set_fallback(const struct schema_row *row, void *base)
{
	char **to = string_field(row, base);

	if (row->type == SCHEMA_LIST)
		return RC_OK;
	if (row->fallback != NULL)
		return value_set_text(row, base, span_of(row->fallback));
	if (row->type < SCHEMA_SECRET)
		return RC_OK; /* zero; the parser complains when it stays unset */
	*to = strdup("");
	return *to != NULL ? RC_OK : RC_LATER;
}

enum rc
value_set_defaults(const struct schema_group *group, void *base)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < group->row_count && rc == RC_OK; i++) {
		const struct schema_row *row = &group->rows[i];

		rc = row->type == SCHEMA_GROUP ? value_set_defaults(row->group, base)
					       : set_fallback(row, base);
		assert(rc == RC_OK || rc == RC_LATER); /* the table's own defaults are right */
	}
	return rc;
}

enum rc
value_add_element(const struct schema_row *row, void *base, size_t *cap)
{
	char *array = array_of(row, base);
	size_t *count = value_count(row, base), size = row->group->element_size;

	if (*count == *cap) {
		size_t want = *cap == 0 ? 4 : *cap * 2;

		array = reallocarray(array, want, size);
		if (array == NULL)
			return RC_LATER;
		array_set(row, base, array);
		*cap = want;
	}
	memset(array + *count * size, 0, size);
	(*count)++;
	return value_set_defaults(row->group, array + (*count - 1) * size);
}

/* ---- printing ----------------------------------------------------------------------------------------- */

static void
print_string(const char *text, struct buf *out)
{
	buf_add_char(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '"');
}

/* A secret that looks like a reference must not be taken for one when the text is read again. */
static void
print_secret(const char *text, bool secrets, struct buf *out)
{
	struct span s = span_of(text);
	struct buf plain = BUF_EMPTY;
	const char *whole = text;

	if (!secrets) {
		buf_addf(out, text[0] == '\0' ? "\"\"" : "\"***\"");
		return;
	}
	if (span_starts(s, SPAN_LIT("${")) || span_starts(s, SPAN_LIT("file:")) ||
	    span_starts(s, SPAN_LIT("plain:"))) {
		buf_addf(&plain, "plain:%s", text);
		whole = plain.failed ? NULL : buf_cstr(&plain);
	}
	if (whole == NULL)
		out->failed = true;
	else
		print_string(whole, out);
	if (plain.mem != NULL)
		crypto_wipe(plain.mem, plain.cap);
	buf_free(&plain);
}

static void
print_strings(const struct schema_row *row, const void *base, struct buf *out)
{
	char **array = *(char ***)field(row, base);
	size_t count = *value_count(row, base);

	buf_addf(out, "[ ");
	for (size_t i = 0; i < count; i++) {
		print_string(array[i], out);
		buf_addf(out, i + 1 < count ? ", " : " ");
	}
	buf_addf(out, "]");
}

/* The fewest digits that give the same number again, and always a point: libconfig tells types by it. */
void
value_print_float(double value, struct buf *out)
{
	char text[40];

	for (int digits = 1; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	if (strchr(text, 'e') != NULL)
		(void)snprintf(text, sizeof text, "%.17f", value);
	buf_addf(out, "%s%s", text, strpbrk(text, ".in") == NULL ? ".0" : "");
}

static int64_t
enum_value(const struct schema_row *row, const void *base)
{
	unsigned value;

	if (row->width == sizeof(int64_t))
		return *int_field(row, base);
	memcpy(&value, field(row, base), sizeof value);
	return value;
}

const char *
value_choice(const struct schema_row *row, const void *base)
{
	const struct schema_choice *c = row->choices;

	while (c->name != NULL && c->value != enum_value(row, base))
		c++;
	return c->name != NULL ? c->name : "";
}

static void
print_unit(int64_t value, void (*format)(int64_t, char *), struct buf *out)
{
	char text[UNITS_TEXT_MAX];

	format(value, text);
	buf_addf(out, "\"%s\"", text);
}

void
value_print(const struct schema_row *row, const void *base, bool secrets, struct buf *out)
{
	switch (row->type) {
	case SCHEMA_GROUP:
	case SCHEMA_LIST:
		break;
	case SCHEMA_BOOL:
		buf_addf(out, "%s", *(bool *)field(row, base) ? "true" : "false");
		break;
	case SCHEMA_INT:
		buf_addf(out, "%" PRId64, *int_field(row, base));
		break;
	case SCHEMA_FLOAT:
		value_print_float(*(double *)field(row, base), out);
		break;
	case SCHEMA_SIZE:
		print_unit(*int_field(row, base), units_format_size, out);
		break;
	case SCHEMA_DURATION:
		print_unit(*int_field(row, base), units_format_duration, out);
		break;
	case SCHEMA_MODE:
		buf_addf(out, "\"%04" PRIo64 "\"", *int_field(row, base));
		break;
	case SCHEMA_ENUM:
		buf_addf(out, "\"%s\"", value_choice(row, base));
		break;
	case SCHEMA_STRINGS:
		print_strings(row, base, out);
		break;
	case SCHEMA_SECRET:
		print_secret(*string_field(row, base), secrets, out);
		break;
	default:
		print_string(*string_field(row, base), out);
		break;
	}
}

/* ---- comparing and freeing ---------------------------------------------------------------------------- */

static bool
equal_groups(const struct schema_group *group, const void *a, const void *b)
{
	for (size_t i = 0; i < group->row_count; i++)
		if (!value_equal(&group->rows[i], a, b))
			return false;
	return true;
}

static bool
equal_lists(const struct schema_row *row, const void *a, const void *b)
{
	size_t count = *value_count(row, a);

	if (count != *value_count(row, b))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!equal_groups(row->group, value_element(row, a, i), value_element(row, b, i)))
			return false;
	return true;
}

static bool
equal_strings(const struct schema_row *row, const void *a, const void *b)
{
	char **left = *(char ***)field(row, a), **right = *(char ***)field(row, b);
	size_t count = *value_count(row, a);

	if (count != *value_count(row, b))
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(left[i], right[i]) != 0)
			return false;
	return true;
}

bool
value_equal(const struct schema_row *row, const void *a, const void *b)
{
	switch (row->type) {
	case SCHEMA_GROUP:
		return equal_groups(row->group, a, b);
	case SCHEMA_LIST:
		return equal_lists(row, a, b);
	case SCHEMA_BOOL:
		return *(bool *)field(row, a) == *(bool *)field(row, b);
	case SCHEMA_FLOAT:
		return !isless(*(double *)field(row, a), *(double *)field(row, b)) &&
		       !isgreater(*(double *)field(row, a), *(double *)field(row, b));
	case SCHEMA_INT:
	case SCHEMA_SIZE:
	case SCHEMA_DURATION:
	case SCHEMA_MODE:
		return *int_field(row, a) == *int_field(row, b);
	case SCHEMA_ENUM:
		return enum_value(row, a) == enum_value(row, b);
	case SCHEMA_STRINGS:
		return equal_strings(row, a, b);
	default:
		return strcmp(*string_field(row, a), *string_field(row, b)) == 0;
	}
}

static void
free_list(const struct schema_row *row, void *base)
{
	size_t *count = value_count(row, base);

	while (*count > 0)
		value_free_group(row->group, value_element(row, base, --*count));
	free(array_of(row, base));
	array_set(row, base, NULL);
}

void
value_free_group(const struct schema_group *group, void *base)
{
	for (size_t i = 0; i < group->row_count; i++) {
		const struct schema_row *row = &group->rows[i];

		if (row->type == SCHEMA_GROUP)
			value_free_group(row->group, base);
		else if (row->type == SCHEMA_LIST)
			free_list(row, base);
		else if (row->type == SCHEMA_STRINGS)
			value_clear(row, base);
		else if (row->type >= SCHEMA_SECRET)
			free_string(row, *string_field(row, base));
	}
}
