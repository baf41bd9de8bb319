/* Unit tests of cli/args.c and cli/help.c: the grammar of the command line, from a table of its own and from the real
 * one, whose rows must all be complete. */
#include "config.h"

#include "unit/test.h"

#include "cli/cli.h"

static int
run_nothing(const struct args *args)
{
	(void)args;
	return 0;
}

static const struct option none[] = { { NULL, '\0', NULL, false, false, NULL } };
static const struct option some[] = {
	{ "site", '\0', "SITE", false, false, "a site" },
	{ "to", 't', "ADDRESS", true, true, "a recipient" },
	{ "version", '\0', "N", false, false, "its own version" },
	{ "all", 'a', NULL, false, false, "all" },
	{ NULL, '\0', NULL, false, false, NULL },
};
static const struct verb rows[] = {
	{ "ping", NULL, "", 0, 0, none, "Ping", run_nothing },
	{ "queue", "ls", "", 0, 0, none, "List", run_nothing },
	{ "queue", "show", "ID", 1, 1, none, "Show", run_nothing },
	{ "send", NULL, "[ADDRESS...]", 0, 3, some, "Send", run_nothing },
};
static const struct verb_table table = { rows, ARRAY_LEN(rows) };

static struct args args;
static struct buf error;

static enum rc
parse(const char *line)
{
	static char copy[512];
	static char *words[32];
	size_t count = 0;
	char *save = NULL;

	buf_clear(&error);
	assert_true(span_copy(span_of(line), copy, sizeof copy));
	for (char *word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save))
		words[count++] = word;
	return args_parse(&table, count, words, &args, &error);
}

#define GOOD(line) assert_int_equal(parse(line), RC_OK)
#define BAD(line, text) \
	do { \
		assert_int_equal(parse(line), RC_BAD); \
		assert_string_equal(buf_cstr(&error), text); \
	} while (0)

static void
test_verbs(void **state)
{
	(void)state;
	GOOD("ping");
	assert_ptr_equal(args.verb, &rows[0]);
	GOOD("queue show 0000000001");
	assert_ptr_equal(args.verb, &rows[2]);
	assert_string_equal(args.words[0], "0000000001");
	GOOD("queue show -- -1");
	assert_string_equal(args.words[0], "-1");
	GOOD("queue show -");
	BAD("", "no command is given");
	BAD("queue", "\"queue\" needs one of: ls, show");
	BAD("queue show", "ID is missing");
	BAD("queue show a b", "\"b\" is one argument too many");
	BAD("ping pong", "\"pong\" is one argument too many");
}

static void
test_suggestions(void **state)
{
	(void)state;
	BAD("pong", "unknown command \"pong\"; did you mean \"ping\"?");
	BAD("qeue ls", "unknown command \"qeue\"; did you mean \"queue\"?");
	BAD("queue shwo", "unknown command \"queue shwo\"; did you mean \"queue show\"?");
	BAD("queue frobnicate", "unknown command \"queue frobnicate\"");
	BAD("ping --jsn", "unknown option \"--jsn\"; did you mean \"--json\"?");
	BAD("send --to a --sit b", "unknown option \"--sit\"; did you mean \"--site\"?");
	BAD("ping -x", "unknown option \"-x\"");
	BAD("ping --site a", "unknown option \"--site\"");
}

static void
test_options(void **state)
{
	size_t at = 0;

	(void)state;
	GOOD("--json -s /a/b send --to=x -ty -t z --site= -a one --json");
	assert_string_equal(args_get(&args, "socket"), "/a/b");
	assert_string_equal(args_get(&args, "site"), "");
	assert_string_equal(args_get(&args, "all"), "");
	assert_string_equal(args_next(&args, "to", &at), "x");
	assert_string_equal(args_next(&args, "to", &at), "y");
	assert_string_equal(args_next(&args, "to", &at), "z");
	assert_null(args_next(&args, "to", &at));
	assert_int_equal(args.word_count, 1);
	assert_null(args_get(&args, "config"));
	BAD("send", "--to ADDRESS is needed");
	BAD("send --to", "--to needs a value: ADDRESS");
	BAD("send --to a --site b --site c", "--site is given twice");
	BAD("send --to a --all=yes", "--all takes no value");
	BAD("-s a -s b ping", "--socket is given twice");
}

static void
test_help_and_version(void **state)
{
	(void)state;
	GOOD("--help");
	assert_true(args.help);
	GOOD("queue -h");
	assert_true(args.help);
	assert_string_equal(args.noun, "queue");
	GOOD("send --help"); /* although --to is missing */
	assert_ptr_equal(args.verb, &rows[3]);
	GOOD("-V");
	assert_true(args.version);
	GOOD("--version");
	assert_true(args.version);
	GOOD("send --to a --version 2"); /* the command's own */
	assert_false(args.version);
	assert_string_equal(args_get(&args, "version"), "2");
}

static void
test_too_many(void **state)
{
	static char *words[2 * ARGS_GIVEN_MAX + 4];
	size_t count = 0;

	(void)state;
	words[count++] = (char *)(uintptr_t) "send";
	for (size_t i = 0; i <= ARGS_GIVEN_MAX; i++) {
		words[count++] = (char *)(uintptr_t) "--to";
		words[count++] = (char *)(uintptr_t) "a";
	}
	buf_clear(&error);
	assert_int_equal(args_parse(&table, count, words, &args, &error), RC_BAD);
	assert_string_equal(buf_cstr(&error), "too many options");
}

static void
test_help_text(void **state)
{
	struct buf out = BUF_EMPTY;

	(void)state;
	help_verb(&rows[3], &out);
	assert_non_null(strstr(buf_cstr(&out),
	    "usage: postrider send [--site SITE] --to ADDRESS... [--version N] [--all] "
	    "[ADDRESS...]\n"));
	assert_non_null(strstr(buf_cstr(&out), "  -t, --to ADDRESS            a recipient\n"));
	buf_clear(&out);
	help_noun(&table, "queue", &out);
	assert_non_null(strstr(buf_cstr(&out), "  queue show          Show\n"));
	assert_null(strstr(buf_cstr(&out), "ping"));
	buf_clear(&out);
	help_print(&table, &out);
	assert_non_null(strstr(buf_cstr(&out), "  ping                Ping\n"));
	buf_free(&out);
}

/* Every command has a help text, and everything it takes has one, too. */
static void
test_the_real_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < cli_verbs.count; i++) {
		const struct verb *verb = &cli_verbs.rows[i];

		assert_non_null(verb->run);
		assert_true(strlen(verb->help) > 0);
		assert_true(verb->min_words <= verb->max_words);
		assert_ptr_equal(verb_find(&cli_verbs, verb->noun, verb->verb), verb);
		assert_true(verb->max_words == 0 || verb->words[0] != '\0');
		for (const struct option *o = verb->options; o->name != NULL; o++)
			assert_true(strlen(o->help) > 0);
	}
}

static int
teardown(void **state)
{
	(void)state;
	buf_free(&error);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_help_text),
		cmocka_unit_test(test_the_real_table),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
