/* config/source.h - reads a file and what it includes into one text for libconfig, and keeps where every
 * setting stood. Internal to config/.
 *
 * libconfig 1.5 knows lines but no columns, takes numbers that do not fit without a word, drops "\x00",
 * hangs on an include of a fifo, and has one message for all mistakes. So this looks at the tokens first:
 * it follows @include, checks brackets, quotes and numbers, and writes the tokens out again so that every
 * setting and every element of a list starts a line of its own. The line that libconfig then
 * gives for a setting is the index of its place. */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include <sys/types.h>

#include "config/errors.h"
#include "util/buf.h"

#define SOURCE_BYTES_MAX (8 << 20) /* of a file, and of one with all that it includes */

struct source {
	char **names; /* of the files, owned; places borrow them */
	bool *open;   /* others may read that file */
	size_t name_count;
	struct place *places; /* places[line - 1] of `flat` */
	size_t place_count, place_cap;
	struct buf flat; /* what libconfig reads */
};

/* RC_BAD: `errors` says why; RC_LATER: out of memory. source_free in every case. */
MUST_CHECK enum rc source_read_file(
    struct source *source, const char *path, struct config_errors *errors);
MUST_CHECK enum rc source_read_text(
    struct source *source, const char *text, const char *name, struct config_errors *errors);
void source_free(struct source *source);

/* The place of a line of `flat`. */
struct place source_place(const struct source *source, unsigned line);

/* Others than owner and group may read the file of this place. */
bool source_is_open(const struct source *source, struct place at);

#endif
