/* bench/bench.c - see bench.h. */
#include "config.h"

#include "bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
	OPTIONS_MAX = 32,
	WIDTH = 100,
	EX_USAGE = 64
};

static _Noreturn void
usage(const char *program, const struct bench_option *options, const char *note)
{
	int indent = fprintf(stderr, "usage: %s", program), column = indent;

	for (const struct bench_option *o = options; o->name != NULL; o++) {
		const char *gap = o->kind == BENCH_FLAG ? "" : " ";
		const char *value = o->kind == BENCH_FLAG ? "" : o->value;
		int len = snprintf(NULL, 0, " [--%s%s%s]", o->name, gap, value);

		if (column + len > WIDTH)
			column = fprintf(stderr, "\n%*s", indent, "") - 1;
		column += fprintf(stderr, " [--%s%s%s]", o->name, gap, value);
	}
	(void)fprintf(stderr, "\n%s", note);
	exit(EX_USAGE);
}

/* The position of a word in "one|two|three", or -1. */
static int
find_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (int i = 0; *words != '\0'; i++) {
		size_t n = strcspn(words, "|");

		if (n == len && strncmp(words, word, n) == 0)
			return i;
		words += n + (words[n] == '|');
	}
	return -1;
}

static bool
set(const struct bench_option *o, const char *value)
{
	char *end = NULL;

	errno = 0;
	switch (o->kind) {
	case BENCH_TEXT:
		*o->to.text = value;
		return true;
	case BENCH_FLAG:
		*o->to.flag = true;
		return true;
	case BENCH_NUMBER:
		*o->to.number = strtol(value, &end, 10);
		return errno == 0 && end != value && *end == '\0' && *o->to.number >= o->min &&
		       *o->to.number <= o->max;
	case BENCH_REAL:
		*o->to.real = strtod(value, &end);
		return errno == 0 && end != value && *end == '\0' && *o->to.real >= 0;
	case BENCH_WORD:
		*o->to.word = find_word(o->value, value);
		return *o->to.word >= 0;
	}
	return false;
}

static void
complain(const char *program, const struct bench_option *o, const char *value)
{
	(void)fprintf(stderr, "%s: --%s %s: not ", program, o->name, value);
	if (o->kind == BENCH_NUMBER)
		(void)fprintf(stderr, "a number from %ld to %ld\n", o->min, o->max);
	else
		(void)fprintf(stderr, "%s\n", o->kind == BENCH_REAL ? "a number" : o->value);
}

void
bench_parse(int argc, char **argv, const struct bench_option *options, const char *note)
{
	struct option longs[OPTIONS_MAX + 1] = { { NULL, 0, NULL, 0 } };
	const char *slash = strrchr(argv[0], '/'), *program = slash != NULL ? slash + 1 : argv[0];
	int c;

	for (int i = 0; i < OPTIONS_MAX && options[i].name != NULL; i++)
		longs[i] =
		    (struct option){ options[i].name, options[i].kind != BENCH_FLAG, NULL, i + 1 };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == '?')
			usage(program, options, note);
		if (!set(&options[c - 1], optarg)) {
			complain(program, &options[c - 1], optarg);
			usage(program, options, note);
		}
	}
	if (optind < argc)
		usage(program, options, note);
}
