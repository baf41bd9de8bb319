/* config/schema.h - every setting in one table: its type, range, default, and what it is for.
 *
 * The table drives the parser, its messages, config_dump, the comparison at a reload, `config schema` and
 * the completion of the command line; a test compares it with the manual page. To add a setting: a field in
 * config/config.h, a row in schema.c, an item in postrider.conf(5).
 *
 * Rows of a section (SCHEMA_GROUP) write into the struct that holds the section; the rows of a list
 * (SCHEMA_LIST) write into one element of its array. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

enum schema_type {
	SCHEMA_GROUP,	 /* name = { ... } */
	SCHEMA_LIST,	 /* name = ( { ... }, ... ) */
	SCHEMA_BOOL,	 /* bool */
	SCHEMA_INT,	 /* int64_t */
	SCHEMA_FLOAT,	 /* double */
	SCHEMA_SIZE,	 /* int64_t of bytes, written "40M" */
	SCHEMA_DURATION, /* int64_t of milliseconds, written "14h" */
	SCHEMA_MODE,	 /* int64_t, written "0660" */
	SCHEMA_ENUM,	 /* one of `choices` into an enum or an int64_t */
	SCHEMA_STRINGS,	 /* char ** and a count; each element is of type `element` */
	SCHEMA_SECRET,	 /* char *, with "${NAME}" and "file:/path" resolved */
	/* From here on: char *, told apart by what they may hold. */
	SCHEMA_TEXT,
	SCHEMA_NAME,
	SCHEMA_TAG,
	SCHEMA_KEY_ID,
	SCHEMA_PATH,
	SCHEMA_HOSTNAME,
	SCHEMA_SNI,
	SCHEMA_HOST,
	SCHEMA_DESTINATION,
	SCHEMA_IDENTITY,
	SCHEMA_ADDRESS,
	SCHEMA_IPV4,
	SCHEMA_IPV6,
	SCHEMA_NETWORK,
	SCHEMA_DNS_SERVER,
	SCHEMA_SOCKET
};

struct schema_choice {
	const char *name; /* NULL ends the array */
	int64_t value;
};

/* Which array of struct config a list fills; the parser keeps where each element came from. */
enum schema_list {
	LIST_LISTENERS,
	LIST_CERTIFICATES,
	LIST_ACCOUNTS,
	LIST_IDENTITIES,
	LIST_SETS,
	LIST_POOLS,
	LIST_ROUTES,
	LIST_MILTERS,
	LIST_COUNT,
	LIST_NESTED = LIST_COUNT /* a list inside an element of another list */
};

struct schema_row {
	const char *name;
	enum schema_type type;
	bool restart; /* a change needs a restart; of a list: so do all its rows */
	const char
	    *fallback; /* the default as its text in the file, without quotes; NULL: must be set */
	const char
	    *fallback_note; /* how an empty default is filled in: "the name of the machine" */
	const char
	    *empty;	  /* what "" means where it is allowed beside a default that is not empty */
	const char *unit; /* what a number counts: "recipients" */
	const char *help; /* one line, no full stop */
	int64_t min, max; /* of numbers, in the unit of the struct */
	const struct schema_choice *choices;
	enum schema_type element;
	size_t offset;
	size_t count_offset; /* SCHEMA_STRINGS and SCHEMA_LIST: a size_t */
	size_t width;	     /* SCHEMA_ENUM: sizeof the field */
	const struct schema_group *group;
};

struct schema_group {
	const char *path; /* "smtp", "accounts.credentials"; "" at the top */
	const char *what; /* one element of the list in messages: "listener"; NULL for sections */
	const char *help;
	size_t element_size; /* of a list's struct */
	enum schema_list list;
	const char *key; /* the row that names an element: "name", "id" */
	const struct schema_row *rows;
	size_t row_count;
};

/* The group that holds everything. */
const struct schema_group *schema_root(void);

/* Every row, groups and lists in front of their own rows, in the order of the manual page. `restart` is
 * what counts for the row, inherited from its list. */
typedef void schema_visit(
    const struct schema_group *group, const struct schema_row *row, bool restart, void *arg);
void schema_each(schema_visit *visit, void *arg);

const struct schema_row *schema_find(const struct schema_group *group, struct span name);

/* The row whose name is most like `name` (edit distance of at most 2, or one begins with the other); NULL
 * when none is. The same for the choices of an enum. */
const struct schema_row *schema_nearest(const struct schema_group *group, struct span name);
const struct schema_choice *schema_nearest_choice(const struct schema_row *row, struct span name);

/* How far off `known` is from what was written: 0 is best, SCHEMA_FAR is another word altogether. */
#define SCHEMA_FAR 4
size_t schema_unlike(struct span given, struct span known);

/* "a duration such as "10s", from "1s" to "1h"": what a value must be. */
void schema_allowed(const struct schema_row *row, struct buf *out);

/* The default as it stands in a file: 2000, "10s", [ "127.0.0.1", "::1" ]. */
void schema_fallback(const struct schema_row *row, struct buf *out);

/* Both and whether a reload is enough, as one sentence: the line that the manual page has, too. */
void schema_describe(const struct schema_row *row, bool restart, struct buf *out);

/* "boolean", "duration", ...: for machines. */
const char *schema_type_name(enum schema_type type);

/* A value of this type is written in quotes. */
bool schema_is_quoted(enum schema_type type);

#endif
