/* cli/verbs.c - every command there is. To add one: a row here, a function in the file of its noun, an item in
 * postrider(1). */
#include "config.h"

#include "cli/cli.h"

#define OPTIONS_END \
	{ \
		NULL, '\0', NULL, false, false, NULL \
	}

static const struct option no_options[] = { OPTIONS_END };

static const struct option queue_ls_options[] = {
	{ "state", '\0', "STATE", false, false, "only messages that are active, deferred or held" },
	{ "site", '\0', "SITE", false, false, "only messages that wait for this site" },
	{ "limit", 'n', "N", false, false, "at most so many" },
	OPTIONS_END,
};

static const struct option queue_show_options[] = {
	{ "content", '\0', NULL, false, false, "print the message itself" },
	OPTIONS_END,
};

#define DRY_RUN \
	{ \
		"dry-run", '\0', NULL, false, false, "show what would happen, and do nothing" \
	}

static const struct option queue_retry_options[] = {
	DRY_RUN,
	{ "all", '\0', NULL, false, false, "everything that is deferred" },
	{ "site", '\0', "SITE", false, false, "everything that waits for this site" },
	OPTIONS_END,
};

static const struct option queue_drop_options[] = {
	DRY_RUN,
	{ "yes", 'y', NULL, false, false, "do not ask" },
	OPTIONS_END,
};

#define DIRECTORY \
	{ \
		"directory", 'd', "DIR", false, false, \
		    "the spool; default: that of the configuration file" \
	}

static const struct option spool_options[] = { DIRECTORY, OPTIONS_END };

static const struct option spool_export_options[] = {
	DIRECTORY,
	{ "all", '\0', NULL, false, false, "all messages" },
	{ "output", 'o', "DIR", false, false, "write ID.eml and ID.json into this directory" },
	OPTIONS_END,
};

static const struct option send_options[] = {
	{ "account", '\0', "ACCOUNT", true, false, "the account that sends" },
	{ "from", '\0', "ADDRESS", false, false, "the sender" },
	{ "to", '\0', "ADDRESS", true, true, "a recipient" },
	{ "subject", '\0', "TEXT", false, false, "the subject of a text message" },
	{ "raw", '\0', "FILE", false, false, "send this message as it is; - is standard input" },
	{ "dry-run", '\0', NULL, false, false, "print the message, and do nothing" },
	OPTIONS_END,
};

static const struct option config_show_options[] = {
	{ "defaults", '\0', NULL, false, false,
	    "all settings with their defaults and what they do" },
	OPTIONS_END,
};

static const struct option credential_derive_options[] = {
	{ "region", '\0', "REGION", false, false, "the region (version 4); default: us-east-1" },
	{ "version", '\0', "N", false, false, "4 (default) or 2" },
	{ "secret-file", '\0', "FILE", false, false,
	    "read the secret here; default: standard input" },
	OPTIONS_END,
};

static const struct verb rows[] = {
	{ "ping", NULL, "", 0, 0, no_options, "Ask whether the daemon answers", cmd_ping },
	{ "status", NULL, "", 0, 0, no_options, "Show what the daemon is doing", cmd_status },
	{ "queue", "ls", "", 0, 0, queue_ls_options, "List the messages in the queue",
	    cmd_queue_ls },
	{ "queue", "show", "ID", 1, 1, queue_show_options, "Show one message and its recipients",
	    cmd_queue_show },
	{ "queue", "retry", "[ID...]", 0, ARGS_WORDS_MAX, queue_retry_options,
	    "Try deferred messages now", cmd_queue_retry },
	{ "queue", "drop", "ID...", 1, ARGS_WORDS_MAX, queue_drop_options,
	    "Give messages up without telling their senders", cmd_queue_drop },
	{ "spool", "check", "", 0, 0, spool_options, "Look for damage in a spool directory",
	    cmd_spool_check },
	{ "spool", "ls", "", 0, 0, spool_options, "List the messages in a spool directory",
	    cmd_spool_ls },
	{ "spool", "export", "[ID...]", 0, ARGS_WORDS_MAX, spool_export_options,
	    "Write messages of a spool directory as files", cmd_spool_export },
	{ "spool", "stats", "", 0, 0, spool_options, "Show figures of a spool directory",
	    cmd_spool_stats },
	{ "send", NULL, "[ADDRESS...]", 0, ARGS_WORDS_MAX, send_options, "Send a message",
	    cmd_send },
	{ "config", "check", "", 0, 0, no_options, "Check the configuration file",
	    cmd_config_check },
	{ "config", "show", "", 0, 0, config_show_options, "Print the configuration in effect",
	    cmd_config_show },
	{ "reload", NULL, "", 0, 0, no_options, "Have the daemon read its configuration again",
	    cmd_reload },
	{ "credential", "derive", "", 0, 0, credential_derive_options,
	    "Derive the SMTP password of a secret access key", cmd_credential_derive },
	{ "help", NULL, "[NOUN [VERB]]", 0, 2, no_options, "Explain commands", cmd_help },
};

const struct verb_table cli_verbs = { rows, ARRAY_LEN(rows) };
