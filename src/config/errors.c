/* config/errors.c - the list of messages. Always true: each message is one line without control bytes. */
#include <config.h>

#include "config/errors.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/buf.h"

static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static bool
errors_grow(struct config_errors *errors)
{
	size_t cap = errors->cap == 0 ? 8 : errors->cap * 2;
	struct config_error *list;

	if (errors->count < errors->cap)
		return true;
	list = realloc(errors->list, cap * sizeof *list);
	if (list == NULL)
		return false;
	errors->list = list;
	errors->cap = cap;
	return true;
}

void
errors_add(struct config_errors *errors, struct place at, const char *fmt, ...)
{
	va_list args;
	char *file, *text;
	int len;

	if (errors->count >= ERRORS_MAX || !errors_grow(errors))
		return;
	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	file = strdup(at.file);
	if (file == NULL) {
		free(text);
		return;
	}
	clean(text);
	errors->list[errors->count++] = (struct config_error){ file, at.line, at.column, text };
}

void
config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->list[i].file);
		free(errors->list[i].text);
	}
	free(errors->list);
	*errors = (struct config_errors){ NULL, 0, 0 };
}

void
config_error_format(const struct config_error *error, struct buf *out)
{
	buf_addf(out, "%s:", error->file);
	if (error->line > 0)
		buf_addf(out, "%d:", error->line);
	if (error->line > 0 && error->column > 0)
		buf_addf(out, "%d:", error->column);
	buf_addf(out, " %s", error->text);
}
