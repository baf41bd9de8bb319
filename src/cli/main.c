/* cli/main.c - postrider: everybody's tool. What it may do is decided by the daemon's socket. */
#include "config.h"

#include <locale.h>
#include <signal.h>

#include "cli/cli.h"

static int
bad_usage(const struct args *args, struct buf *error)
{
	const char *text = buf_cstr(error);

	(void)cli_fail(EX_USAGE, "%s", text != NULL ? text : "out of memory");
	(void)fprintf(stderr, "postrider: see \"postrider help%s%s\"\n",
	    args->noun != NULL ? " " : "", args->noun != NULL ? args->noun : "");
	buf_free(error);
	return EX_USAGE;
}

static int
print_help(const struct args *args)
{
	struct buf text = BUF_EMPTY;

	if (args->verb != NULL)
		help_verb(args->verb, &text);
	else if (args->noun != NULL)
		help_noun(args->table, args->noun, &text);
	else
		help_print(args->table, &text);
	return print_buf(&text);
}

int
main(int argc, char **argv)
{
	static struct args args; /* large */
	struct buf error = BUF_EMPTY;
	int status;

	(void)setlocale(LC_CTYPE, "");
	(void)signal(SIGPIPE, SIG_DFL);
	if (args_parse(&cli_verbs, (size_t)(argc > 0 ? argc - 1 : 0), argv + 1, &args, &error) !=
	    RC_OK)
		return bad_usage(&args, &error);
	if (args.help)
		return print_help(&args);
	if (args.version) {
		(void)printf("postrider " VERSION "\n");
		return EX_OK;
	}
	status = args.verb->run(&args);
	if (fflush(stdout) != 0 && status == EX_OK)
		status = cli_fail(EX_OSERR, "standard output: cannot write");
	return status;
}
