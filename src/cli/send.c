/* cli/send.c - send: a message file as it is, or a text message made here. */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

enum {
	INPUT_MAX = 1 << 30
};

#define DEFAULT_SUBJECT "Test message from postrider"
#define DEFAULT_BODY \
	"This is a test message.\n\nIf you can read it, postrider delivers mail to you.\n"

/* ------------------------------------------------------------------ the sender ---------------- */

/* What the account may send as, by the daemon's configuration: the first identity. */
static const char *
first_identity(const struct config *config, const char *account)
{
	for (size_t i = 0; i < config->identity_count; i++)
		if (strcmp(config->identities[i].account, account) == 0)
			return config->identities[i].name;
	return NULL;
}

static int
default_sender(const struct args *args, struct buf *out)
{
	struct buf target = BUF_EMPTY, text = BUF_EMPTY;
	struct request request = { .method = "GET", .target = &target };
	struct config_errors errors = { NULL, 0, 0 };
	struct config *config = NULL;
	const char *name = NULL;
	int status;

	buf_addf(&target, "/v1/config");
	status = client_call(args, &request, &text);
	if (status == EX_OK && buf_cstr(&text) != NULL &&
	    config_parse(buf_cstr(&text), "daemon", &config, &errors) == RC_OK)
		name = first_identity(config, args_get(args, "account"));
	if (name != NULL)
		buf_addf(out, "%s%s", strchr(name, '@') != NULL ? "" : "postmaster@", name);
	else if (status == EX_OK)
		status = cli_fail(EX_USAGE, "account \"%s\" has no identity to send as: say --from",
		    args_get(args, "account"));
	config_errors_free(&errors);
	config_unref(config);
	buf_free(&text);
	return status;
}

/* ------------------------------------------------------------------ the message --------------- */

static const char **
recipients(const struct args *args, size_t *count)
{
	const char **list = calloc(args->given_count + args->word_count + 1, sizeof *list);
	const char *to;
	size_t at = 0;

	*count = 0;
	if (list == NULL)
		return NULL;
	while ((to = args_next(args, "to", &at)) != NULL)
		list[(*count)++] = to;
	for (size_t i = 0; i < args->word_count; i++)
		list[(*count)++] = args->words[i];
	return list;
}

static int
raw_message(const char *path, struct buf *out)
{
	struct buf bytes = BUF_EMPTY;
	int status = read_input(path, INPUT_MAX, &bytes);

	if (status == EX_OK && buf_len(&bytes) == 0)
		status = cli_fail(EX_DATAERR, "%s: empty", path);
	if (status == EX_OK) /* files have LF lines, mail has CR LF */
		lines_to_crlf(buf_span(&bytes), out);
	buf_free(&bytes);
	return status == EX_OK && out->failed ? cli_fail_memory() : status;
}

static int
text_message(const struct args *args, const char *from, const char *const *to, size_t to_count,
    struct buf *out)
{
	const char *subject = args_get(args, "subject");
	struct buf body = BUF_EMPTY;
	struct why why = WHY_EMPTY;
	struct draft draft = { .from = from, .to = to, .to_count = to_count };
	int status = isatty(STDIN_FILENO) ? EX_OK : read_input("-", INPUT_MAX, &body);
	enum rc rc;

	draft.subject = subject != NULL ? subject : DEFAULT_SUBJECT;
	draft.body = buf_len(&body) > 0 ? buf_span(&body) : SPAN_LIT(DEFAULT_BODY);
	if (status == EX_OK) {
		rc = draft_build(&draft, out, &why);
		if (rc != RC_OK)
			status = cli_fail(rc == RC_BAD ? EX_USAGE : EX_OSERR, "%s", why.text);
	}
	buf_free(&body);
	return status;
}

/* ------------------------------------------------------------------ all of it ----------------- */

static int
submit(const struct args *args, const char *from, const char *const *to, size_t to_count,
    struct span message)
{
	struct buf target = BUF_EMPTY;
	struct request request = {
		.method = "POST", .target = &target, .body = message, .body_type = "message/rfc822"
	};
	json_t *answer;
	int status;

	buf_addf(&target, "/v1/messages");
	target_add(&target, "account", args_get(args, "account"));
	if (from != NULL)
		target_add(&target, "from", from);
	for (size_t i = 0; i < to_count; i++)
		target_add(&target, "to", to[i]);
	answer = client_json(args, &request, &status);
	if (answer == NULL)
		return status;
	if (wants_json(args))
		return print_json(answer);
	(void)printf("Accepted: %s\n", json_string_value(json_object_get(answer, "message_id")));
	json_decref(answer);
	return EX_OK;
}

int
cmd_send(const struct args *args)
{
	const char *from = args_get(args, "from"), *raw = args_get(args, "raw");
	struct buf sender = BUF_EMPTY, message = BUF_EMPTY;
	size_t to_count;
	const char **to = recipients(args, &to_count);
	int status = EX_OK;

	if (to == NULL)
		return cli_fail_memory();
	if (raw != NULL && args_get(args, "subject") != NULL)
		status = cli_fail(EX_USAGE, "--subject and --raw do not go together");
	if (status == EX_OK && raw == NULL && from == NULL) {
		status = default_sender(args, &sender);
		from = status == EX_OK ? buf_cstr(&sender) : NULL;
		if (status == EX_OK && from == NULL)
			status = cli_fail_memory();
	}
	if (status == EX_OK)
		status = raw != NULL ? raw_message(raw, &message)
				     : text_message(args, from, to, to_count, &message);
	if (status == EX_OK && args_get(args, "dry-run") != NULL)
		status = print_buf(&message);
	else if (status == EX_OK)
		status = submit(args, from, to, to_count, buf_span(&message));
	free(to);
	buf_free(&sender);
	buf_free(&message);
	return status;
}
