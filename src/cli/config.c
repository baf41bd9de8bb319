/* cli/config.c - config check, config show; the spool's directory for other commands. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

enum {
	TEXT_MAX = 16 << 20
};

/* From the file, or standard input for "-". RC_BAD with the errors; EX_ in *status when it cannot be read at all. */
static enum rc
load(const char *path, struct config **out, struct config_errors *errors, int *status)
{
	struct buf text = BUF_EMPTY;
	enum rc rc = RC_BAD;

	*status = EX_OK;
	if (strcmp(path, "-") == 0) {
		*status = read_input(path, TEXT_MAX, &text);
		if (*status == EX_OK && buf_cstr(&text) != NULL)
			rc = config_parse(buf_cstr(&text), "standard input", out, errors);
		buf_free(&text);
		return rc;
	}
	if (access(path, R_OK) != 0)
		*status = cli_fail(
		    errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s", path, strerror(errno));
	return *status == EX_OK ? config_load(path, out, errors) : RC_BAD;
}

static void
print_errors(const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		struct buf line = BUF_EMPTY;

		config_error_format(&errors->list[i], &line);
		(void)cli_fail(EX_CONFIG, "%.*s", SPAN_ARG(buf_span(&line)));
		buf_free(&line);
	}
}

char *
config_spool_directory(const struct args *args, int *status)
{
	const char *named = args_get(args, "config");
	struct config_errors errors = { NULL, 0, 0 };
	struct config *config = NULL;
	char *directory = NULL;

	if (load(named != NULL ? named : DEFAULT_CONFIG, &config, &errors, status) == RC_OK) {
		directory = span_dup(span_of(config->spool.directory));
		if (directory == NULL)
			*status = cli_fail_memory();
	} else if (*status == EX_OK) {
		print_errors(&errors);
		*status = EX_CONFIG;
	}
	config_errors_free(&errors);
	config_unref(config);
	return directory;
}

static json_t *
errors_json(const char *path, const struct config_errors *errors, bool good)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < errors->count; i++) {
		const struct config_error *e = &errors->list[i];

		(void)json_array_append_new(
		    list, json_pack("{s:s, s:i, s:i, s:s}", "file", e->file, "line", e->line,
			      "column", e->column, "text", e->text));
	}
	return json_pack("{s:s, s:b, s:o}", "file", path, "good", good ? 1 : 0, "errors", list);
}

int
cmd_config_check(const struct args *args)
{
	const char *named = args_get(args, "config");
	const char *path = named != NULL ? named : DEFAULT_CONFIG;
	struct config_errors errors = { NULL, 0, 0 };
	struct config *config = NULL;
	int status;
	enum rc rc = load(path, &config, &errors, &status);

	if (status == EX_OK && rc != RC_OK)
		status = EX_CONFIG;
	if ((status == EX_OK || status == EX_CONFIG) && wants_json(args)) {
		(void)print_json(errors_json(path, &errors, rc == RC_OK));
	} else if (status == EX_OK) {
		(void)printf("%s: no errors\n", path);
	} else if (status == EX_CONFIG) {
		print_errors(&errors);
		(void)cli_fail(status, "%zu error%s", errors.count, errors.count == 1 ? "" : "s");
	}
	config_errors_free(&errors);
	config_unref(config);
	return status;
}

/* ------------------------------------------------------------------ show ---------------------- */

static int
show_daemon(const struct args *args)
{
	struct buf target = BUF_EMPTY, text = BUF_EMPTY;
	struct request request = { .method = "GET", .target = &target };
	int status;

	buf_addf(&target, "/v1/config");
	status = client_call(args, &request, &text);
	if (status == EX_OK)
		return print_text(args, "daemon", &text);
	buf_free(&text);
	return status;
}

static int
show_file(const struct args *args, const char *path)
{
	struct config_errors errors = { NULL, 0, 0 };
	struct config *config = NULL;
	struct buf text = BUF_EMPTY;
	int status;

	if (load(path, &config, &errors, &status) == RC_OK) {
		status = config_dump(config, false, &text) == RC_OK ? print_text(args, path, &text)
								    : cli_fail_memory();
	} else if (status == EX_OK) {
		print_errors(&errors);
		status = EX_CONFIG;
	}
	config_errors_free(&errors);
	config_unref(config);
	return status;
}

int
cmd_config_show(const struct args *args)
{
	const char *file = args_get(args, "config");
	struct buf text = BUF_EMPTY;

	if (args_get(args, "defaults") != NULL)
		return config_dump_defaults(&text) == RC_OK ? print_text(args, "defaults", &text)
							    : cli_fail_memory();
	if (file != NULL)
		return show_file(args, file);
	/* A socket that the caller named is the daemon meant, whether it is there or not. */
	return client_socket_is_named(args) || client_is_there(args)
		   ? show_daemon(args)
		   : show_file(args, DEFAULT_CONFIG);
}
