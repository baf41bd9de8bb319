/* config/schema_text.c - puts rows of the schema into words, and finds the name that was meant. */
#include <config.h>

#include "config/schema.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/units.h"

static const struct {
	const char *name;
	const char *allowed; /* NULL: made from the range or the choices */
} types[] = {
	[SCHEMA_GROUP] = { "group", "a group { ... }" },
	[SCHEMA_LIST] = { "list", "a list of groups ( { ... }, { ... } )" },
	[SCHEMA_BOOL] = { "boolean", "true or false" },
	[SCHEMA_INT] = { "integer", NULL },
	[SCHEMA_FLOAT] = { "number", NULL },
	[SCHEMA_SIZE] = { "size", NULL },
	[SCHEMA_DURATION] = { "duration", NULL },
	[SCHEMA_MODE] = { "mode", "octal digits in quotes, from \"0000\" to \"0777\"" },
	[SCHEMA_ENUM] = { "choice", NULL },
	[SCHEMA_STRINGS] = { "strings", NULL },
	[SCHEMA_SECRET] = { "secret", "a secret: its text, \"${NAME}\" or \"file:/path\"" },
	[SCHEMA_TEXT] = { "text", "text in quotes" },
	[SCHEMA_NAME] = { "name", "a name of 1 to 64 letters, digits, \"-\" and \"_\"" },
	[SCHEMA_TAG] = { "tag", "\"name=value\" of letters, digits, \"-\" and \"_\"; \".\" and "
				"\"@\" in the value, too" },
	[SCHEMA_KEY_ID] = { "key id", "16 to 128 letters and digits" },
	[SCHEMA_PATH] = { "path", "an absolute path" },
	[SCHEMA_HOSTNAME] = { "host name", "a host name" },
	[SCHEMA_SNI] = { "host name", "a host name or \"default\"" },
	[SCHEMA_HOST] = { "host", "a host name or an IP address" },
	[SCHEMA_DESTINATION] = { "destination", "a domain, \".\" and a domain, or \"*\"" },
	[SCHEMA_IDENTITY] = { "identity", "a domain or a mail address" },
	[SCHEMA_ADDRESS] = { "address", "an IP address" },
	[SCHEMA_IPV4] = { "address", "an IPv4 address" },
	[SCHEMA_IPV6] = { "address", "an IPv6 address" },
	[SCHEMA_NETWORK] = { "network", "an IP address, or address/bits" },
	[SCHEMA_DNS_SERVER] = { "name server", "an IP address, or address@port" },
	[SCHEMA_SOCKET] = { "socket", "an absolute path, or IP address:port" },
};

const char *
schema_type_name(enum schema_type type)
{
	return types[type].name;
}

bool
schema_is_quoted(enum schema_type type)
{
	return type >= SCHEMA_SIZE && type != SCHEMA_STRINGS;
}

static void
add_range(const struct schema_row *row, void (*format)(int64_t, char *), struct buf *out)
{
	char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];

	format(row->min, low);
	format(row->max, high);
	buf_addf(out, ", from \"%s\" to \"%s\"", low, high);
}

static void
add_choices(const struct schema_row *row, struct buf *out)
{
	for (const struct schema_choice *c = row->choices; c->name != NULL; c++)
		buf_addf(out, "%s\"%s\"",
		    c == row->choices	? ""
		    : c[1].name == NULL ? " or "
					: ", ",
		    c->name);
}

void
schema_allowed(const struct schema_row *row, struct buf *out)
{
	switch (row->type) {
	case SCHEMA_INT:
		buf_addf(out, "a whole number from %" PRId64 " to %" PRId64, row->min, row->max);
		break;
	case SCHEMA_FLOAT:
		buf_addf(out, "a number from %" PRId64 " to %" PRId64, row->min, row->max);
		break;
	case SCHEMA_SIZE:
		buf_addf(out, "a size such as \"40M\"");
		add_range(row, units_format_size, out);
		break;
	case SCHEMA_DURATION:
		buf_addf(out, "a duration such as \"1m30s\"");
		add_range(row, units_format_duration, out);
		break;
	case SCHEMA_ENUM:
		add_choices(row, out);
		break;
	case SCHEMA_STRINGS:
		buf_addf(
		    out, "a list in brackets [ ], each element %s", types[row->element].allowed);
		break;
	default:
		buf_addf(out, "%s", types[row->type].allowed);
		break;
	}
	if (row->empty != NULL)
		buf_addf(out, ", or \"\" (%s)", row->empty);
}

/* The fallback of a list of strings is kept as words. */
static void
add_words(const char *words, struct buf *out)
{
	struct span rest = span_of(words), word;
	const char *gap = "[ ";

	if (*words == '\0') {
		buf_addf(out, "[ ]");
		return;
	}
	while (span_next(&rest, ' ', &word)) {
		buf_addf(out, "%s\"%.*s\"", gap, SPAN_ARG(word));
		gap = ", ";
	}
	buf_addf(out, " ]");
}

void
schema_fallback(const struct schema_row *row, struct buf *out)
{
	if (row->type == SCHEMA_LIST)
		buf_addf(out, "( )");
	else if (row->type == SCHEMA_STRINGS)
		add_words(row->fallback, out);
	else if (schema_is_quoted(row->type))
		buf_addf(out, "\"%s\"", row->fallback);
	else
		buf_addf(out, "%s", row->fallback);
}

static char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

void
schema_describe(const struct schema_row *row, bool restart, struct buf *out)
{
	struct buf allowed = BUF_EMPTY;
	struct span text;

	schema_allowed(row, &allowed);
	text = buf_span(&allowed);
	buf_add_char(out, ascii_upper(text.len > 0 ? text.p[0] : ' '));
	buf_add_span(out, span_skip(text, 1));
	if (row->unit != NULL)
		buf_addf(out, " (%s)", row->unit);
	if (row->fallback == NULL) {
		buf_addf(out, "; must be set");
	} else if (row->fallback_note != NULL) {
		buf_addf(out, "; default: %s", row->fallback_note);
	} else if (row->type != SCHEMA_LIST) {
		buf_addf(out, "; default: ");
		schema_fallback(row, out);
	}
	buf_addf(out, "; %s.", restart ? "needs a restart" : "changed by a reload");
	buf_free(&allowed);
}

const struct schema_row *
schema_find(const struct schema_group *group, struct span name)
{
	for (size_t i = 0; i < group->row_count; i++)
		if (span_eq(span_of(group->rows[i].name), name))
			return &group->rows[i];
	return NULL;
}

enum {
	NAME_LONGEST = 63, /* longer names are nobody's slip of the keyboard */
	NEAR = 2
};

/* Edit distance by the rows of the usual table: insert, delete, replace. */
static size_t
distance(struct span a, struct span b)
{
	size_t row[NAME_LONGEST + 1];

	if (a.len > NAME_LONGEST || b.len > NAME_LONGEST)
		return SCHEMA_FAR;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t best =
			    diagonal + (ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]));

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.len];
}

size_t
schema_unlike(struct span given, struct span known)
{
	size_t off = distance(given, known);

	if (off <= NEAR && off < known.len)
		return off;
	if (given.len >= 3 && (span_istarts(known, given) || span_istarts(given, known)))
		return NEAR + 1;
	return SCHEMA_FAR;
}

const struct schema_row *
schema_nearest(const struct schema_group *group, struct span name)
{
	const struct schema_row *found = NULL;
	size_t best = SCHEMA_FAR;

	for (size_t i = 0; i < group->row_count; i++) {
		size_t off = schema_unlike(name, span_of(group->rows[i].name));

		if (off < best) {
			best = off;
			found = &group->rows[i];
		}
	}
	return found;
}

const struct schema_choice *
schema_nearest_choice(const struct schema_row *row, struct span name)
{
	const struct schema_choice *found = NULL;
	size_t best = SCHEMA_FAR;

	for (const struct schema_choice *c = row->choices; c->name != NULL; c++) {
		size_t off = schema_unlike(name, span_of(c->name));

		if (off < best) {
			best = off;
			found = c;
		}
	}
	return found;
}
