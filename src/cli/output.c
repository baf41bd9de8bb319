/* cli/output.c - to standard output and standard error; the help command. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/format.h"

int
cli_fail(int status, const char *fmt, ...)
{
	struct buf safe = BUF_EMPTY;
	char text[2048];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	format_safe(text, &safe);
	(void)fprintf(stderr, "postrider: %.*s\n", SPAN_ARG(buf_span(&safe)));
	buf_free(&safe);
	return status;
}

int
cli_fail_memory(void)
{
	return cli_fail(EX_OSERR, "out of memory");
}

bool
wants_json(const struct args *args)
{
	return args_get(args, "json") != NULL;
}

long long
member_number(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

const char *
member_text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value != NULL ? value : "";
}

int
print_buf(struct buf *text)
{
	struct span bytes = buf_span(text);
	int status = EX_OK;

	if (text->failed)
		status = cli_fail_memory();
	else if (fwrite(bytes.p, 1, bytes.len, stdout) != bytes.len || fflush(stdout) != 0)
		status = cli_fail(EX_OSERR, "standard output: %s", strerror(errno));
	buf_free(text);
	return status;
}

int
print_json(json_t *document)
{
	struct buf out = BUF_EMPTY;
	char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;

	json_decref(document);
	if (text == NULL)
		return cli_fail_memory();
	buf_addf(&out, "%s\n", text);
	free(text);
	return print_buf(&out);
}

int
print_text(const struct args *args, const char *source, struct buf *text)
{
	const char *bytes = buf_cstr(text);
	int status;

	if (bytes == NULL)
		return cli_fail_memory();
	if (!wants_json(args))
		return print_buf(text);
	status = print_json(json_pack("{s:s, s:s}", "source", source, "text", bytes));
	buf_free(text);
	return status;
}

int
cmd_help(const struct args *args)
{
	const char *noun = args->word_count > 0 ? args->words[0] : NULL;
	const char *name = args->word_count > 1 ? args->words[1] : NULL;
	const struct verb *verb = name != NULL ? verb_find(args->table, noun, name) : NULL;
	struct buf text = BUF_EMPTY;

	if (noun != NULL && (!noun_is_known(args->table, noun) || (name != NULL && verb == NULL)))
		return cli_fail(EX_USAGE, "there is no command \"%s%s%s\"", noun,
		    name != NULL ? " " : "", name != NULL ? name : "");
	if (verb != NULL)
		help_verb(verb, &text);
	else if (noun != NULL)
		help_noun(args->table, noun, &text);
	else
		help_print(args->table, &text);
	return print_buf(&text);
}
