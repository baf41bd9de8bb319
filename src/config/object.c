/* config/object.c - one element of a list of the schema, by itself. */
#include <config.h>

#include "config/object.h"

#include <string.h>

#include "config/value.h"

static const char *const lists[OBJECT_KINDS] = {
	[OBJECT_ACCOUNT] = "accounts",
	[OBJECT_CREDENTIAL] = "accounts.credentials",
	[OBJECT_IDENTITY] = "identities",
	[OBJECT_SET] = "configuration_sets",
};

/* What only a file can have. */
static bool
is_of_file(const struct schema_row *row)
{
	return row->type == SCHEMA_LIST || span_starts(span_of(row->name), SPAN_LIT("dkim_"));
}

static const struct schema_group *
group_of(enum config_object_kind kind)
{
	struct span path = span_of(lists[kind]), name;
	const struct schema_group *group = schema_root();

	while (span_next(&path, '.', &name))
		group = schema_find(group, name)->group;
	return group;
}

enum rc
config_object_init(enum config_object_kind kind, union config_object *object)
{
	const struct schema_group *group = group_of(kind);

	memset(object, 0, sizeof *object);
	if (value_set_defaults(group, object) == RC_OK)
		return RC_OK;
	value_free_group(group, object);
	return RC_LATER;
}

void
config_object_clear(enum config_object_kind kind, union config_object *object)
{
	value_free_group(group_of(kind), object);
	memset(object, 0, sizeof *object);
}

static enum rc
unknown(const struct schema_group *group, struct span name, struct why *why)
{
	const struct schema_row *near = schema_nearest(group, name);

	if (near != NULL && !is_of_file(near))
		return why_set(why, RC_BAD, 0, "unknown setting \"%.*s\"; did you mean \"%s\"?",
		    SPAN_ARG(span_first(name, 100)), near->name);
	return why_set(why, RC_BAD, 0, "unknown setting \"%.*s\" of %s %s",
	    SPAN_ARG(span_first(name, 100)), strchr("aeiou", group->what[0]) != NULL ? "an" : "a",
	    group->what);
}

static bool
is_bool(struct span value)
{
	return span_eq(value, SPAN_LIT("true")) || span_eq(value, SPAN_LIT("false"));
}

enum rc
config_object_set(enum config_object_kind kind, union config_object *object, struct span name,
    struct span value, struct why *why)
{
	const struct schema_group *group = group_of(kind);
	const struct schema_row *row = schema_find(group, name);
	struct buf allowed = BUF_EMPTY;
	enum rc rc;

	if (row == NULL)
		return unknown(group, name, why);
	if (is_of_file(row))
		return why_set(
		    why, RC_BAD, 0, "%s can be set in the configuration file only", row->name);
	rc = row->type == SCHEMA_BOOL && !is_bool(value) ? RC_BAD
							 : value_set_text(row, object, value);
	if (rc == RC_LATER)
		return why_set(why, RC_LATER, 0, "out of memory");
	if (rc == RC_OK)
		return RC_OK;
	schema_allowed(row, &allowed);
	rc = why_set(why, RC_BAD, 0, "%s must be %.*s", row->name, SPAN_ARG(buf_span(&allowed)));
	buf_free(&allowed);
	return rc;
}

enum rc
config_object_complete(
    enum config_object_kind kind, const union config_object *object, struct why *why)
{
	const struct schema_group *group = group_of(kind);

	for (size_t i = 0; i < group->row_count; i++) {
		const struct schema_row *row = &group->rows[i];
		struct buf value = BUF_EMPTY;
		bool missing;

		if (row->fallback != NULL || is_of_file(row))
			continue;
		value_print(row, object, true, &value);
		missing = span_eq(buf_span(&value), SPAN_LIT("\"\""));
		buf_free(&value);
		if (missing)
			return why_set(why, RC_BAD, 0, "%s must be set", row->name);
	}
	return RC_OK;
}

const char *
config_object_choice(
    enum config_object_kind kind, const union config_object *object, const char *name)
{
	const struct schema_row *row = schema_find(group_of(kind), span_of(name));

	return value_choice(row, object);
}

void
config_object_json(enum config_object_kind kind, const union config_object *object, struct buf *out)
{
	const struct schema_group *group = group_of(kind);
	const char *gap = "";

	/* Texts hold no control characters, so what the file has for them is JSON, too. */
	for (size_t i = 0; i < group->row_count; i++) {
		const struct schema_row *row = &group->rows[i];

		if (is_of_file(row) || row->type == SCHEMA_SECRET)
			continue;
		buf_addf(out, "%s\"%s\": ", gap, row->name);
		value_print(row, object, false, out);
		gap = ", ";
	}
}
