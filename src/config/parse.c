/* config/parse.c - walks a libconfig tree along the schema and fills the structs.
 * Always true: goes on after an error, so that all of them are reported. */
#include <config.h>

#include "config/load.h"

#include <inttypes.h>
#include <stdlib.h>

#include "config/check_text.h"
#include "config/value.h"

enum {
	SHOWN_MAX = 64
};

static void parse_group(struct load *load, const struct schema_group *group,
    const config_setting_t *setting, void *base);

/* ` in smtp`, ` in listener "submission"`, nothing at the top. */
static void
add_where(const struct schema_group *group, const config_setting_t *setting, struct buf *out)
{
	const struct schema_row *key;
	const char *name;

	if (group->what == NULL) {
		buf_addf(out, "%s%s", *group->path != '\0' ? " in " : "", group->path);
		return;
	}
	buf_addf(out, " in %s", group->what);
	key = schema_find(group, span_of(group->key));
	/* A wrong name may be anything, even a secret that slipped into the wrong line. */
	if (config_setting_lookup_string(setting, group->key, &name) &&
	    text_is(key->type, span_of(name)))
		buf_addf(out, " \"%.*s\"", SHOWN_MAX, name);
	else
		buf_addf(out, " number %d", config_setting_index(setting) + 1);
}

/* What stands in the file, for messages. */
static void
add_given(const struct schema_row *row, const config_setting_t *setting, struct buf *out)
{
	const char *text;

	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		buf_addf(out, "a group");
		return;
	case CONFIG_TYPE_LIST:
		buf_addf(out, "a list ( )");
		return;
	case CONFIG_TYPE_ARRAY:
		buf_addf(out, "a list [ ]");
		return;
	default:
		break;
	}
	/* A key id of the wrong form may well be the secret that belongs beside it. */
	if (row->type == SCHEMA_SECRET || row->type == SCHEMA_KEY_ID) {
		buf_addf(out, "%s",
		    config_setting_type(setting) == CONFIG_TYPE_STRING ? "what is given"
		    : config_setting_type(setting) == CONFIG_TYPE_BOOL ? "a boolean"
								       : "a number");
		return;
	}
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		buf_addf(out, "%lld", config_setting_get_int64(setting));
		break;
	case CONFIG_TYPE_FLOAT:
		value_print_float(config_setting_get_float(setting), out);
		break;
	case CONFIG_TYPE_BOOL:
		buf_addf(out, "%s", config_setting_get_bool(setting) ? "true" : "false");
		break;
	default:
		text = config_setting_get_string(setting);
		buf_addf(out, "\"%.*s\"%s", SHOWN_MAX, text, strlen(text) > SHOWN_MAX ? "..." : "");
		break;
	}
}

static void
add_hint(const struct schema_row *row, const config_setting_t *setting, struct buf *out)
{
	int type = config_setting_type(setting);
	const struct schema_choice *near;

	if (type == CONFIG_TYPE_STRING && row->type == SCHEMA_ENUM) {
		near = schema_nearest_choice(row, span_of(config_setting_get_string(setting)));
		if (near != NULL)
			buf_addf(out, "; did you mean \"%s\"?", near->name);
	} else if (type == CONFIG_TYPE_STRING && row->type >= SCHEMA_BOOL &&
		   !schema_is_quoted(row->type) && row->type != SCHEMA_STRINGS) {
		buf_addf(out, "; write it without quotes");
	} else if (schema_is_quoted(row->type) && config_setting_is_number(setting)) {
		buf_addf(out, "; write it in quotes");
	}
}

/* "idle in smtp must be a duration such as ..., not 10; write it in quotes" */
static void
fail_value(struct load *load, const struct schema_group *group, const struct schema_row *row,
    const config_setting_t *parent, const config_setting_t *setting)
{
	struct buf text = BUF_EMPTY;
	const char *shown;

	buf_addf(&text, "%s", row->name);
	add_where(group, parent, &text);
	buf_addf(&text, " must be ");
	schema_allowed(row, &text);
	buf_addf(&text, ", not ");
	add_given(row, setting, &text);
	add_hint(row, setting, &text);
	shown = text.failed ? NULL : buf_cstr(&text);
	LOAD_FAIL(load, load_place(load, setting), "%s", shown != NULL ? shown : row->name);
	buf_free(&text);
}

/* Another group that has a setting of that name. */
struct search {
	struct span name;
	const struct schema_group *found;
};

static void
search_row(const struct schema_group *group, const struct schema_row *row, bool restart, void *arg)
{
	struct search *search = arg;

	(void)restart;
	if (search->found == NULL && span_eq(span_of(row->name), search->name))
		search->found = group;
}

static void
add_known_names(const struct schema_group *group, struct buf *out)
{
	for (size_t i = 0; i < group->row_count; i++)
		buf_addf(out, "%s%s", i == 0 ? "; known are " : ", ", group->rows[i].name);
}

static void
fail_unknown(struct load *load, const struct schema_group *group, const config_setting_t *parent,
    const config_setting_t *setting)
{
	struct span name = span_of(config_setting_name(setting));
	const struct schema_row *near = schema_nearest(group, name);
	struct search search = { name, NULL };
	struct buf text = BUF_EMPTY;
	const char *shown;

	schema_each(search_row, &search);
	buf_addf(&text, "unknown setting \"%.*s\"", SPAN_ARG(span_first(name, SHOWN_MAX)));
	add_where(group, parent, &text);
	if (near != NULL)
		buf_addf(&text, "; did you mean \"%s\"?", near->name);
	else if (search.found != NULL)
		buf_addf(&text, "; it belongs %s%s",
		    *search.found->path != '\0' ? "into " : "outside of all groups",
		    search.found->path);
	else
		add_known_names(group, &text);
	shown = text.failed ? NULL : buf_cstr(&text);
	LOAD_FAIL(load, load_place(load, setting), "%s", shown != NULL ? shown : "unknown setting");
	buf_free(&text);
}

/* A failure of value_set_*. */
static void
take_rc(struct load *load, enum rc rc, const struct schema_group *group,
    const struct schema_row *row, const config_setting_t *parent, const config_setting_t *setting)
{
	if (rc == RC_BAD)
		fail_value(load, group, row, parent, setting);
	else if (rc != RC_OK)
		load->rc = rc;
}

/* *bad: the element to complain about, or the whole. */
static enum rc
set_strings(const struct schema_row *row, const config_setting_t *setting, void *base,
    const config_setting_t **bad)
{
	enum rc rc = RC_OK;

	*bad = setting;
	if (config_setting_type(setting) != CONFIG_TYPE_ARRAY &&
	    config_setting_type(setting) != CONFIG_TYPE_LIST)
		return RC_BAD;
	value_clear(row, base);
	for (int i = 0; i < config_setting_length(setting) && rc == RC_OK; i++) {
		const char *text = config_setting_get_string_elem(setting, i);

		*bad = config_setting_get_elem(setting, (unsigned)i);
		rc = text == NULL ? RC_BAD : value_add_string(row, base, span_of(text));
	}
	return rc;
}

/* The type in the file and the type of the row must agree: 5.0 is no whole number, "5" neither. */
static enum rc
set_scalar(const struct schema_row *row, const config_setting_t *setting, void *base)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_BOOL:
		if (row->type != SCHEMA_BOOL)
			return RC_BAD;
		value_set_bool(row, base, config_setting_get_bool(setting));
		return RC_OK;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		if (row->type == SCHEMA_FLOAT)
			return value_set_float(
			    row, base, (double)config_setting_get_int64(setting));
		return row->type == SCHEMA_INT
			   ? value_set_int(row, base, config_setting_get_int64(setting))
			   : RC_BAD;
	case CONFIG_TYPE_FLOAT:
		return row->type == SCHEMA_FLOAT
			   ? value_set_float(row, base, config_setting_get_float(setting))
			   : RC_BAD;
	case CONFIG_TYPE_STRING:
		return schema_is_quoted(row->type)
			   ? value_set_text(row, base, span_of(config_setting_get_string(setting)))
			   : RC_BAD;
	default:
		return RC_BAD;
	}
}

/* One more element; its index is that of its origin, in whatever state it is. */
static void *
add_element(struct load *load, const struct schema_row *row, config_setting_t *setting, void *base,
    size_t *nested_cap)
{
	enum schema_list list = row->group->list;
	enum rc rc =
	    value_add_element(row, base, list == LIST_NESTED ? nested_cap : &load->list_cap[list]);

	if (rc == RC_OK && list != LIST_NESTED) {
		if (load->origin_count[list] == load->origin_cap[list]) {
			size_t cap = load->origin_cap[list] == 0 ? 16 : load->origin_cap[list] * 2;
			config_setting_t **bigger =
			    reallocarray(load->origins[list], cap, sizeof *bigger);

			if (bigger == NULL) {
				load->rc = RC_LATER;
				return NULL;
			}
			load->origins[list] = bigger;
			load->origin_cap[list] = cap;
		}
		load->origins[list][load->origin_count[list]++] = setting;
	}
	if (rc != RC_OK) {
		load->rc = rc;
		return NULL;
	}
	return value_element(row, base, *value_count(row, base) - 1);
}

static void
parse_list(struct load *load, const struct schema_group *group, const struct schema_row *row,
    const config_setting_t *parent, const config_setting_t *setting, void *base)
{
	size_t nested_cap = 0;

	if (config_setting_type(setting) != CONFIG_TYPE_LIST) {
		fail_value(load, group, row, parent, setting);
		return;
	}
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *child = config_setting_get_elem(setting, (unsigned)i);
		void *element = add_element(load, row, child, base, &nested_cap);

		if (element == NULL)
			return;
		if (config_setting_is_group(child))
			parse_group(load, row->group, child, element);
		else
			fail_value(load, group, row, parent, child);
	}
}

/* Lists may come in several files and add up; a single value may not. */
static bool
take_once(struct load *load, const struct schema_group *group, const struct schema_row *row,
    const config_setting_t *setting)
{
	struct place at = load_place(load, setting);

	if (group->what != NULL || row->group != NULL)
		return true; /* inside one group the reader has seen to it */
	for (size_t i = 0; i < load->taken_count; i++) {
		const struct taken *other = &load->taken[i];

		if (other->row != row)
			continue;
		LOAD_FAIL(load, at, "%s%s%s is set twice, first at %s:%d", group->path,
		    *group->path != '\0' ? "." : "", row->name, other->at.file, other->at.line);
		return false;
	}
	if (load->taken_count < SETTINGS_MAX)
		load->taken[load->taken_count++] = (struct taken){ row, at };
	return true;
}

static void
parse_row(struct load *load, const struct schema_group *group, const struct schema_row *row,
    const config_setting_t *parent, const config_setting_t *setting, void *base)
{
	const config_setting_t *bad;
	enum rc rc;

	if (!take_once(load, group, row, setting))
		return;
	if (row->type == SCHEMA_LIST)
		parse_list(load, group, row, parent, setting, base);
	else if (row->type == SCHEMA_GROUP && config_setting_is_group(setting))
		parse_group(load, row->group, setting, base);
	else if (row->type == SCHEMA_STRINGS) {
		rc = set_strings(row, setting, base, &bad);
		take_rc(load, rc, group, row, parent, bad);
	} else if (row->type == SCHEMA_SECRET && config_setting_type(setting) == CONFIG_TYPE_STRING)
		secret_set(load, row, base, setting);
	else
		take_rc(load, set_scalar(row, setting, base), group, row, parent, setting);
}

/* What has no default must be there. */
static void
check_complete(struct load *load, const struct schema_group *group, const config_setting_t *setting)
{
	for (size_t i = 0; i < group->row_count; i++) {
		struct buf text = BUF_EMPTY;

		if (group->rows[i].fallback != NULL ||
		    config_setting_get_member(setting, group->rows[i].name) != NULL)
			continue;
		buf_addf(&text, "%s is missing", group->rows[i].name);
		add_where(group, setting, &text);
		buf_addf(&text, "; it must be ");
		schema_allowed(&group->rows[i], &text);
		LOAD_FAIL(load, load_place(load, setting), "%s",
		    text.failed ? "a setting is missing" : buf_cstr(&text));
		buf_free(&text);
	}
}

static void
parse_group(struct load *load, const struct schema_group *group, const config_setting_t *setting,
    void *base)
{
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *child = config_setting_get_elem(setting, (unsigned)i);
		const struct schema_row *row =
		    schema_find(group, span_of(config_setting_name(child)));

		if (row != NULL)
			parse_row(load, group, row, setting, child, base);
		else
			fail_unknown(load, group, setting, child);
	}
	check_complete(load, group, setting);
}

void
parse_document(struct load *load, struct document *document)
{
	parse_group(load, schema_root(), config_root_setting(&document->tree), load->config);
}
