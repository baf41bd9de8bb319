/* cli/args.c - words and options in any order; the verb decides which options are good, global ones always are. */
#include "config.h"

#include "cli/args.h"

#include "config/schema.h"

const struct option global_options[] = {
	{ "socket", 's', "SOCKET", false, false, "the daemon's control socket" },
	{ "config", 'c', "FILE", false, false, "the configuration file" },
	{ "json", '\0', NULL, false, false, "print JSON" },
	{ "help", 'h', NULL, false, false, "print help and exit" },
	{ "version", 'V', NULL, false, false, "print the version and exit" },
	{ NULL, '\0', NULL, false, false, NULL },
};

static bool
same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool
noun_is_known(const struct verb_table *table, const char *noun)
{
	for (size_t i = 0; i < table->count; i++)
		if (same(table->rows[i].noun, noun))
			return true;
	return false;
}

const struct verb *
verb_find(const struct verb_table *table, const char *noun, const char *verb)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct verb *row = &table->rows[i];

		if (same(row->noun, noun) &&
		    (row->verb == NULL ? verb == NULL : verb != NULL && same(row->verb, verb)))
			return row;
	}
	return NULL;
}

/* ------------------------------------------------------------------ suggestions --------------- */

struct nearest {
	struct span given;
	const char *name;
	size_t best;
};

static void
consider(struct nearest *nearest, const char *name)
{
	size_t off = schema_unlike(nearest->given, span_of(name));

	if (off < nearest->best) {
		nearest->best = off;
		nearest->name = name;
	}
}

static void
suggest(const struct nearest *nearest, const char *before, struct buf *error)
{
	if (nearest->name != NULL)
		buf_addf(error, "; did you mean \"%s%s%s\"?", before,
		    ascii_is_alpha(before[0]) ? " " : "", nearest->name);
}

static enum rc
unknown_noun(const struct verb_table *table, const char *noun, struct buf *error)
{
	struct nearest nearest = { span_of(noun), NULL, SCHEMA_FAR };

	for (size_t i = 0; i < table->count; i++)
		consider(&nearest, table->rows[i].noun);
	buf_addf(error, "unknown command \"%s\"", noun);
	suggest(&nearest, "", error);
	return RC_BAD;
}

static enum rc
unknown_verb(const struct verb_table *table, const char *noun, const char *verb, struct buf *error)
{
	struct nearest nearest = { span_of(verb != NULL ? verb : ""), NULL, SCHEMA_FAR };
	bool first = true;

	if (verb == NULL)
		buf_addf(error, "\"%s\" needs one of:", noun);
	else
		buf_addf(error, "unknown command \"%s %s\"", noun, verb);
	for (size_t i = 0; i < table->count; i++)
		if (same(table->rows[i].noun, noun) && verb == NULL) {
			buf_addf(error, "%s %s", first ? "" : ",", table->rows[i].verb);
			first = false;
		} else if (same(table->rows[i].noun, noun)) {
			consider(&nearest, table->rows[i].verb);
		}
	if (verb != NULL)
		suggest(&nearest, noun, error);
	return RC_BAD;
}

static void
consider_all(struct nearest *nearest, const struct option *options)
{
	for (; options->name != NULL; options++)
		consider(nearest, options->name);
}

static enum rc
unknown_option(const struct args *args, struct span name, bool letter, struct buf *error)
{
	struct nearest nearest = { name, NULL, SCHEMA_FAR };

	if (!letter && args->verb != NULL)
		consider_all(&nearest, args->verb->options);
	if (!letter)
		consider_all(&nearest, global_options);
	buf_addf(error, "unknown option \"%s%.*s\"", letter ? "-" : "--", SPAN_ARG(name));
	suggest(&nearest, "--", error);
	return RC_BAD;
}

/* ------------------------------------------------------------------ options ------------------- */

static const struct option *
find_in(const struct option *options, struct span name, bool letter)
{
	for (; options->name != NULL; options++)
		if (letter ? options->letter == name.p[0] : span_eq(span_of(options->name), name))
			return options;
	return NULL;
}

/* The verb's own come first: "--version" of a command may mean something else. */
static const struct option *
find_option(const struct args *args, struct span name, bool letter)
{
	const struct option *found = NULL;

	if (args->verb != NULL)
		found = find_in(args->verb->options, name, letter);
	return found != NULL ? found : find_in(global_options, name, letter);
}

static enum rc
keep(struct args *args, const struct option *option, const char *value, struct buf *error)
{
	if (!option->repeats && args_get(args, option->name) != NULL && option->value != NULL) {
		buf_addf(error, "--%s is given twice", option->name);
		return RC_BAD;
	}
	if (args->given_count == ARGS_GIVEN_MAX) {
		buf_addf(error, "too many options");
		return RC_BAD;
	}
	if (option == find_in(global_options, SPAN_LIT("help"), false))
		args->help = true;
	if (option == find_in(global_options, SPAN_LIT("version"), false))
		args->version = true;
	args->given[args->given_count].option = option;
	args->given[args->given_count++].value = value;
	return RC_OK;
}

struct line { /* what is left of it */
	char *const *argv;
	size_t argc, at;
};

/* "--name", "--name=value", "--name value", "-n value", "-nvalue". */
static enum rc
take_option(struct args *args, struct line *line, struct buf *error)
{
	const char *text = line->argv[line->at++];
	bool letter = text[1] != '-';
	struct span name = letter ? span_make(text + 1, 1) : span_of(text + 2);
	size_t equals = span_find(name, '=');
	const char *value = NULL;
	const struct option *option;

	if (letter && text[2] != '\0')
		value = text + 2;
	if (!letter && equals < name.len) {
		value = name.p + equals + 1;
		name.len = equals;
	}
	option = find_option(args, name, letter);
	if (option == NULL)
		return unknown_option(args, name, letter, error);
	if (option->value == NULL) {
		if (value != NULL) {
			buf_addf(error, "--%s takes no value", option->name);
			return RC_BAD;
		}
		return keep(args, option, "", error);
	}
	if (value == NULL && line->at < line->argc)
		value = line->argv[line->at++];
	if (value == NULL) {
		buf_addf(error, "--%s needs a value: %s", option->name, option->value);
		return RC_BAD;
	}
	return keep(args, option, value, error);
}

/* ------------------------------------------------------------------ words --------------------- */

static enum rc
take_word(struct args *args, const char *word, struct buf *error)
{
	if (args->noun == NULL) {
		if (!noun_is_known(args->table, word))
			return unknown_noun(args->table, word, error);
		args->noun = word;
		args->verb = verb_find(args->table, word, NULL);
		return RC_OK;
	}
	if (args->verb == NULL) {
		args->verb = verb_find(args->table, args->noun, word);
		return args->verb != NULL ? RC_OK
					  : unknown_verb(args->table, args->noun, word, error);
	}
	if (args->word_count == args->verb->max_words || args->word_count == ARGS_WORDS_MAX) {
		buf_addf(error, "\"%s\" is one argument too many", word);
		return RC_BAD;
	}
	args->words[args->word_count++] = word;
	return RC_OK;
}

static enum rc
check_complete(const struct args *args, struct buf *error)
{
	if (args->noun == NULL) {
		buf_addf(error, "no command is given");
		return RC_BAD;
	}
	if (args->verb == NULL)
		return unknown_verb(args->table, args->noun, NULL, error);
	for (const struct option *option = args->verb->options; option->name != NULL; option++)
		if (option->required && args_get(args, option->name) == NULL) {
			buf_addf(error, "--%s %s is needed", option->name, option->value);
			return RC_BAD;
		}
	if (args->word_count < args->verb->min_words) {
		buf_addf(error, "%s is missing", args->verb->words);
		return RC_BAD;
	}
	return RC_OK;
}

enum rc
args_parse(const struct verb_table *table, size_t argc, char *const *argv, struct args *out,
    struct buf *error)
{
	struct line line = { argv, argc, 0 };
	bool words_only = false;
	enum rc rc = RC_OK;

	memset(out, 0, sizeof *out);
	out->table = table;
	while (rc == RC_OK && line.at < line.argc) {
		const char *text = argv[line.at];

		if (!words_only && same(text, "--")) {
			words_only = true;
			line.at++;
		} else if (!words_only && text[0] == '-' && text[1] != '\0') {
			rc = take_option(out, &line, error);
		} else {
			rc = take_word(out, text, error);
			line.at++;
		}
	}
	if (rc != RC_OK || out->help || out->version)
		return rc;
	return check_complete(out, error);
}

const char *
args_next(const struct args *args, const char *name, size_t *at)
{
	while (*at < args->given_count) {
		size_t i = (*at)++;

		if (same(args->given[i].option->name, name))
			return args->given[i].value;
	}
	return NULL;
}

const char *
args_get(const struct args *args, const char *name)
{
	const char *found = NULL, *value;
	size_t at = 0;

	while ((value = args_next(args, name, &at)) != NULL)
		found = value;
	return found;
}
