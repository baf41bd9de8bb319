/* config/dump.c - the configuration as text again, and what differs between two of them. */
#include <config.h>

#include "config/config.h"

#include "config/value.h"

#define INDENT "\t\t\t\t"

static struct span
indent(int level)
{
	return span_first(SPAN_LIT(INDENT), (size_t)level);
}

static void dump_group(
    const struct schema_group *group, const void *base, bool secrets, int level, struct buf *out);

static void
dump_list(const struct schema_row *row, const void *base, bool secrets, int level, struct buf *out)
{
	size_t count = *value_count(row, base);

	if (count == 0) {
		buf_addf(out, "%.*s%s = ( );\n", SPAN_ARG(indent(level)), row->name);
		return;
	}
	buf_addf(out, "%.*s%s = (\n", SPAN_ARG(indent(level)), row->name);
	for (size_t i = 0; i < count; i++) {
		buf_addf(out, "%.*s{\n", SPAN_ARG(indent(level + 1)));
		dump_group(row->group, value_element(row, base, i), secrets, level + 2, out);
		buf_addf(out, "%.*s}%s\n", SPAN_ARG(indent(level + 1)), i + 1 < count ? "," : "");
	}
	buf_addf(out, "%.*s);\n", SPAN_ARG(indent(level)));
}

static void
dump_row(const struct schema_row *row, const void *base, bool secrets, int level, struct buf *out)
{
	switch (row->type) {
	case SCHEMA_GROUP:
		buf_addf(out, "%.*s%s = {\n", SPAN_ARG(indent(level)), row->name);
		dump_group(row->group, base, secrets, level + 1, out);
		buf_addf(out, "%.*s};\n", SPAN_ARG(indent(level)));
		break;
	case SCHEMA_LIST:
		dump_list(row, base, secrets, level, out);
		break;
	default:
		buf_addf(out, "%.*s%s = ", SPAN_ARG(indent(level)), row->name);
		value_print(row, base, secrets, out);
		buf_addf(out, ";\n");
		break;
	}
}

static void
dump_group(
    const struct schema_group *group, const void *base, bool secrets, int level, struct buf *out)
{
	for (size_t i = 0; i < group->row_count; i++)
		dump_row(&group->rows[i], base, secrets, level, out);
}

enum rc
config_dump(const struct config *config, bool secrets, struct buf *out)
{
	dump_group(schema_root(), config, secrets, 0, out);
	return out->failed ? RC_LATER : RC_OK;
}

/* ---- defaults ----------------------------------------------------------------------------------------- */

static void
dump_help(const struct schema_row *row, bool restart, int level, struct buf *out)
{
	buf_addf(out, "%.*s# %s.\n", SPAN_ARG(indent(level)), row->help);
	if (row->type == SCHEMA_GROUP)
		return;
	buf_addf(out, "%.*s# ", SPAN_ARG(indent(level)));
	schema_describe(row, restart, out);
	buf_add_char(out, '\n');
}

/* The rows of a list's elements, as comments only: a list is empty by default. */
static void
dump_element_help(const struct schema_group *group, bool restart, int level, struct buf *out)
{
	for (size_t i = 0; i < group->row_count; i++) {
		const struct schema_row *row = &group->rows[i];

		buf_addf(out, "%.*s#\n%.*s# %s.%s: %s.\n", SPAN_ARG(indent(level)),
		    SPAN_ARG(indent(level)), group->path, row->name, row->help);
		buf_addf(out, "%.*s# ", SPAN_ARG(indent(level)));
		schema_describe(row, restart || row->restart, out);
		buf_add_char(out, '\n');
		if (row->group != NULL)
			dump_element_help(row->group, restart || row->restart, level, out);
	}
}

static void
dump_defaults(const struct schema_group *group, int level, struct buf *out)
{
	for (size_t i = 0; i < group->row_count; i++) {
		const struct schema_row *row = &group->rows[i];

		buf_add_char(out, '\n');
		dump_help(row, row->restart, level, out);
		if (row->type == SCHEMA_LIST)
			dump_element_help(row->group, row->restart, level, out);
		buf_addf(out, "%.*s%s = ", SPAN_ARG(indent(level)), row->name);
		if (row->type == SCHEMA_GROUP) {
			buf_addf(out, "{");
			dump_defaults(row->group, level + 1, out);
			buf_addf(out, "%.*s};\n", SPAN_ARG(indent(level)));
		} else {
			schema_fallback(row, out);
			buf_addf(out, ";\n");
		}
	}
}

enum rc
config_dump_defaults(struct buf *out)
{
	buf_addf(out, "# All settings of postrider.conf(5) with their defaults.\n");
	dump_defaults(schema_root(), 0, out);
	return out->failed ? RC_LATER : RC_OK;
}

/* ---- differences -------------------------------------------------------------------------------------- */

static void
diff_group(const struct schema_group *group, bool restart_only, const void *old, const void *new,
    struct buf *out)
{
	for (size_t i = 0; i < group->row_count; i++) {
		const struct schema_row *row = &group->rows[i];

		if (row->type == SCHEMA_GROUP)
			diff_group(row->group, restart_only, old, new, out);
		else if ((row->restart || !restart_only) && !value_equal(row, old, new))
			buf_addf(out, "%s%s%s\n", group->path, *group->path != '\0' ? "." : "",
			    row->name);
	}
}

void
config_diff(const struct config *old, const struct config *new, struct buf *out)
{
	diff_group(schema_root(), false, old, new, out);
}

void
config_diff_restart(const struct config *old, const struct config *new, struct buf *out)
{
	diff_group(schema_root(), true, old, new, out);
}
