/* cli/args.h - the command line as data: a table of verbs, and the parser and help texts that come from it. Pure. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "util/buf.h"

struct args;

struct option {
	const char *name;  /* "site"; NULL ends the array */
	char letter;	   /* or '\0' */
	const char *value; /* "SITE"; NULL: a switch */
	bool required, repeats;
	const char *help; /* one line, no full stop */
};

struct verb {
	const char *noun;
	const char *verb;  /* NULL: the noun is the whole command */
	const char *words; /* "[ID...]"; "" */
	size_t min_words, max_words;
	const struct option *options;
	const char *help;		     /* one line, no full stop */
	int (*run)(const struct args *args); /* an exit status of sysexits.h */
};

struct verb_table {
	const struct verb *rows;
	size_t count;
};

/* Good before and behind the verb. */
extern const struct option global_options[];

enum {
	ARGS_GIVEN_MAX = 256,
	ARGS_WORDS_MAX = 4096
};

struct args {
	const struct verb_table *table;
	const struct verb *verb; /* NULL: none was named, or not all of it */
	const char *noun;	 /* as far as it was named, or NULL */
	bool help, version;
	struct {
		const struct option *option;
		const char *value; /* "" of a switch */
	} given[ARGS_GIVEN_MAX];
	size_t given_count;
	const char *words[ARGS_WORDS_MAX];
	size_t word_count;
};

/* Strings are borrowed from argv (without the program's name). RC_BAD: `error` says what is wrong and, when a known
 * name is near, which. */
MUST_CHECK enum rc args_parse(const struct verb_table *table, size_t argc, char *const *argv,
    struct args *out, struct buf *error);

/* The last value of an option ("" of a switch), or NULL. */
const char *args_get(const struct args *args, const char *name);
/* Each value of an option that repeats: start with *at = 0; NULL ends. */
const char *args_next(const struct args *args, const char *name, size_t *at);

/* All commands, those of a noun, or one command in full. */
void help_print(const struct verb_table *table, struct buf *out);
void help_noun(const struct verb_table *table, const char *noun, struct buf *out);
void help_verb(const struct verb *verb, struct buf *out);

/* The row, or NULL; verb may be NULL. */
const struct verb *verb_find(const struct verb_table *table, const char *noun, const char *verb);
bool noun_is_known(const struct verb_table *table, const char *noun);

#endif
