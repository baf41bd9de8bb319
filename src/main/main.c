/* main/main.c - postriderd: options, the checks before anything runs, and the process's own state. */
#include "config.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/thread.h>

#include "auth/auth.h"
#include "main/app.h"
#include "main/notify.h"
#include "sign/sign.h"
#include "util/buf.h"
#include "util/log.h"

#define DEFAULT_CONFIG POSTRIDER_SYSCONFDIR "/postrider.conf"

struct options {
	struct snapshot_options snapshot;
	bool test, dump;
};

static void
usage(FILE *to)
{
	(void)fprintf(to, "usage: postriderd [-fd] [-c file]\n"
			  "       postriderd -t | -T [-c file]\n"
			  "       postriderd -V | -h\n"
			  "\n"
			  "  -c file  read this configuration (default " DEFAULT_CONFIG ")\n"
			  "  -t       check the configuration and exit: 0, or 78 with every error\n"
			  "  -T       the same, and print the effective configuration\n"
			  "  -f       log to stderr\n"
			  "  -d       log more\n"
			  "  -V       print the version and exit\n"
			  "  -h       print this and exit\n");
}

static void
print_version(void)
{
	(void)printf("postrider " VERSION "\n");
}

/* Core dumps would hold secrets and mail; children (there are none) would gain nothing. */
static void
harden(void)
{
	struct rlimit none = { 0, 0 };

	(void)umask(0077);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* LeakSanitizer needs ptrace on itself */
#endif
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
}

static int
dump(const struct snapshot *snapshot)
{
	struct buf text = BUF_EMPTY;

	if (config_dump(snapshot->config, false, &text) != RC_OK)
		return EX_OSERR;
	(void)fwrite(text.mem + text.start, 1, buf_len(&text), stdout);
	buf_free(&text);
	return EX_OK;
}

static int
with_config(const struct options *options)
{
	struct snapshot snapshot;
	struct buf errors = BUF_EMPTY;
	int status = EX_OK;

	if (snapshot_load(&options->snapshot, &snapshot, &errors) != RC_OK) {
		(void)fprintf(stderr, "%.*s", SPAN_ARG(buf_span(&errors)));
		(void)fprintf(stderr, "%s is not usable.\n", options->snapshot.path);
		buf_free(&errors);
		return EX_CONFIG;
	}
	buf_free(&errors);
	if (options->dump)
		status = dump(&snapshot);
	else if (!options->test)
		status = app_run(&options->snapshot, &snapshot);
	snapshot_free(&snapshot);
	return status;
}

static int
with_libraries(const struct options *options)
{
	struct why why = WHY_EMPTY;
	int status;

	(void)evthread_use_pthreads();
	if (auth_init(&why) != RC_OK || sign_init(&why) != RC_OK) {
		(void)fprintf(stderr, "postriderd: %s\n", why.text);
		return EX_SOFTWARE;
	}
	status = with_config(options);
	sign_done();
	auth_done();
	return status;
}

int
main(int argc, char **argv)
{
	struct options options = { .snapshot = { .path = DEFAULT_CONFIG } };
	int c;

	while ((c = getopt(argc, argv, "c:tTfdVh")) != -1)
		switch (c) {
		case 'c':
			options.snapshot.path = optarg;
			break;
		case 't':
			options.test = options.snapshot.check_only = true;
			break;
		case 'T':
			options.dump = options.snapshot.check_only = true;
			break;
		case 'f':
			options.snapshot.log_to_stderr = true;
			break;
		case 'd':
			options.snapshot.log_debug = true;
			break;
		case 'V':
			print_version();
			return EX_OK;
		case 'h':
			usage(stdout);
			return EX_OK;
		default:
			usage(stderr);
			return EX_USAGE;
		}
	if (optind < argc) {
		usage(stderr);
		return EX_USAGE;
	}
	harden();
	notify_take_sockets();
	return with_libraries(&options);
}
