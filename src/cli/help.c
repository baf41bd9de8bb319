/* cli/help.c - help texts from the verb table. */
#include "config.h"

#include <stdio.h>

#include "cli/args.h"

static void
add_command(const struct verb *verb, struct buf *out)
{
	buf_addf(out, "%s%s%s", verb->noun, verb->verb != NULL ? " " : "",
	    verb->verb != NULL ? verb->verb : "");
}

static void
add_synopsis(const struct verb *verb, struct buf *out)
{
	buf_addf(out, "usage: postrider ");
	add_command(verb, out);
	for (const struct option *option = verb->options; option->name != NULL; option++)
		buf_addf(out, " %s--%s%s%s%s%s", option->required ? "" : "[", option->name,
		    option->value != NULL ? " " : "", option->value != NULL ? option->value : "",
		    option->required ? "" : "]", option->repeats ? "..." : "");
	buf_addf(out, "%s%s\n", verb->words[0] != '\0' ? " " : "", verb->words);
}

static void
add_options(const struct option *options, struct buf *out)
{
	for (; options->name != NULL; options++) {
		char text[64];

		if (options->letter != '\0')
			(void)snprintf(text, sizeof text, "-%c, --%s%s%s", options->letter,
			    options->name, options->value != NULL ? " " : "",
			    options->value != NULL ? options->value : "");
		else
			(void)snprintf(text, sizeof text, "    --%s%s%s", options->name,
			    options->value != NULL ? " " : "",
			    options->value != NULL ? options->value : "");
		buf_addf(out, "  %-26s  %s\n", text, options->help);
	}
}

static void
add_line(const struct verb *verb, struct buf *out)
{
	struct buf command = BUF_EMPTY;

	add_command(verb, &command);
	buf_addf(
	    out, "  %-18s  %s\n", buf_cstr(&command) != NULL ? buf_cstr(&command) : "", verb->help);
	buf_free(&command);
}

void
help_verb(const struct verb *verb, struct buf *out)
{
	add_synopsis(verb, out);
	buf_addf(out, "\n%s.\n", verb->help);
	if (verb->options->name != NULL) {
		buf_addf(out, "\n");
		add_options(verb->options, out);
	}
	buf_addf(out, "\nOptions of all commands:\n");
	add_options(global_options, out);
}

void
help_noun(const struct verb_table *table, const char *noun, struct buf *out)
{
	const struct verb *alone = verb_find(table, noun, NULL);

	if (alone != NULL) {
		help_verb(alone, out);
		return;
	}
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->rows[i].noun, noun) == 0)
			add_line(&table->rows[i], out);
	buf_addf(out, "\n\"postrider help %s VERB\" has the options.\n", noun);
}

void
help_print(const struct verb_table *table, struct buf *out)
{
	buf_addf(out, "usage: postrider [OPTIONS] COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < table->count; i++)
		add_line(&table->rows[i], out);
	buf_addf(out, "\nOptions of all commands:\n");
	add_options(global_options, out);
	buf_addf(out, "\nSee postrider(1).\n");
}
