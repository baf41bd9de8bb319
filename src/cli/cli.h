/* cli/cli.h - what the commands share: talking to the daemon, printing, exit statuses. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "cli/args.h"
#include "config/config.h"

#define DEFAULT_CONFIG POSTRIDER_SYSCONFDIR "/postrider.conf"
#define DEFAULT_SOCKET POSTRIDER_RUNDIR "/control.sock"

/* "postrider: " and the text on standard error; returns `status`. */
int cli_fail(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);
int cli_fail_memory(void);

bool wants_json(const struct args *args);
/* To standard output; frees. EX_OSERR when that cannot be written. */
int print_buf(struct buf *text);
int print_json(json_t *document_take); /* on one line */
/* A text that has no JSON form: as it is, or {"source":..., "text":...}. Frees. */
int print_text(const struct args *args, const char *source, struct buf *text);

/* Of an answer; 0 and "" when it is not there. */
long long member_number(const json_t *object, const char *name);
const char *member_text(const json_t *object, const char *name);

/* ---- client.c ---- */

/* "/v1/queue?site=a%40b": start with the path, then add. */
void target_add(struct buf *target, const char *name, const char *value);
/* A part of the path, encoded. */
void target_add_part(struct buf *target, const char *part);

struct request {
	const char *method;
	struct buf *target; /* taken: freed by client_call */
	struct span body;
	const char *body_type;
	unsigned timeout_s; /* of the whole; 0: as long as something moves */
	/* For answers that may be long: each line without its end, as it comes. False ends the call. */
	bool (*on_line)(void *arg, struct span line);
	void *arg;
};

/* EX_OK with the body (when there is no on_line) of an answer in 2xx appended to `out`; else the cause has been printed
 * and the exit status fits it. */
MUST_CHECK int client_call(const struct args *args, const struct request *request, struct buf *out);
/* The same for a body that is one JSON document; NULL with *status. */
json_t *client_json(const struct args *args, const struct request *request, int *status);

/* By option or environment. */
bool client_socket_is_named(const struct args *args);
/* Whether a daemon listens; prints nothing. */
bool client_is_there(const struct args *args);

/* The exit status for an HTTP status and the error's code (pure). */
int client_exit_status(long status, const char *code);

/* ---- input.c ---- */

/* A whole file, "-" for standard input. EX_OK, EX_NOINPUT, EX_NOPERM or EX_DATAERR (over max), printed. */
MUST_CHECK int read_input(const char *path, size_t max, struct buf *out);

/* ---- credential.c ---- */

enum {
	SECRET_MAX = 1024
};
/* From --secret-file, standard input, or a prompt: never from the command line. EX_OK, or it has been printed why not;
 * whoever calls wipes it. */
MUST_CHECK int read_secret(const struct args *args, char secret[SECRET_MAX + 2]);

/* ---- config.c ---- */

/* spool.directory of the configuration file; to be freed. NULL with *status: it has been printed why. */
char *config_spool_directory(const struct args *args, int *status);

/* ---- message.c (pure) ---- */

struct draft {
	const char *from;
	const char *const *to;
	size_t to_count;
	const char *subject;
	struct span body; /* lines in LF or CR LF */
};
/* A whole message in CR LF lines, ASCII only on the wire. RC_BAD with why: a header text holds control bytes. */
MUST_CHECK enum rc draft_build(const struct draft *draft, struct buf *out, struct why *why);
/* Text with LF or CR LF lines as CR LF lines. */
void lines_to_crlf(struct span text, struct buf *out);

/* ---- the commands: one file a noun ---- */

extern const struct verb_table cli_verbs;

int cmd_ping(const struct args *args);
int cmd_status(const struct args *args);
int cmd_metrics(const struct args *args);
int cmd_reload(const struct args *args);
int cmd_queue_ls(const struct args *args);
int cmd_queue_show(const struct args *args);
int cmd_queue_retry(const struct args *args);
int cmd_queue_drop(const struct args *args);
int cmd_queue_explain(const struct args *args);
int cmd_queue_hold(const struct args *args);
int cmd_queue_release(const struct args *args);
int cmd_queue_requeue(const struct args *args);
int cmd_destination_ls(const struct args *args);
int cmd_destination_show(const struct args *args);
int cmd_destination_pause(const struct args *args);
int cmd_destination_resume(const struct args *args);
int cmd_top(const struct args *args);
int cmd_spool_check(const struct args *args);
int cmd_spool_ls(const struct args *args);
int cmd_spool_export(const struct args *args);
int cmd_spool_stats(const struct args *args);
int cmd_send(const struct args *args);
int cmd_config_check(const struct args *args);
int cmd_config_show(const struct args *args);
int cmd_credential_derive(const struct args *args);
int cmd_account_add(const struct args *args);
int cmd_account_ls(const struct args *args);
int cmd_account_show(const struct args *args);
int cmd_account_set(const struct args *args);
int cmd_account_pause(const struct args *args);
int cmd_account_resume(const struct args *args);
int cmd_account_rm(const struct args *args);
int cmd_credential_add(const struct args *args);
int cmd_credential_ls(const struct args *args);
int cmd_credential_import(const struct args *args);
int cmd_credential_revoke(const struct args *args);
int cmd_identity_add(const struct args *args);
int cmd_identity_ls(const struct args *args);
int cmd_identity_show(const struct args *args);
int cmd_identity_set(const struct args *args);
int cmd_identity_verify(const struct args *args);
int cmd_identity_rm(const struct args *args);
int cmd_config_set_add(const struct args *args);
int cmd_config_set_ls(const struct args *args);
int cmd_config_set_show(const struct args *args);
int cmd_config_set_set(const struct args *args);
int cmd_config_set_rm(const struct args *args);
int cmd_limits_show(const struct args *args);
int cmd_suppress_add(const struct args *args);
int cmd_suppress_ls(const struct args *args);
int cmd_suppress_rm(const struct args *args);
int cmd_suppress_import(const struct args *args);
int cmd_suppress_export(const struct args *args);
int cmd_store_rekey(const struct args *args);
int cmd_store_backup(const struct args *args);
int cmd_help(const struct args *args);

#endif
