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
	{ "destination", '\0', "DEST", false, false,
	    "only messages that wait for this destination" },
	{ "account", '\0', "ACCOUNT", false, false, "only messages of this account" },
	{ "reason", '\0', "TEXT", false, false, "only messages whose last cause has this in it" },
	{ "limit", 'n', "N", false, false, "at most so many" },
	OPTIONS_END,
};

static const struct option queue_hold_options[] = {
	{ "reason", '\0', "TEXT", false, false, "why, for who looks at them later" },
	OPTIONS_END,
};

static const struct option destination_ls_options[] = {
	{ "limit", 'n', "N", false, false, "at most so many; default: 100" },
	OPTIONS_END,
};

static const struct option destination_pause_options[] = {
	{ "for", '\0', "DURATION", false, false, "how long; default: 1h" },
	{ "reason", '\0', "TEXT", false, false, "why, for listings and messages" },
	OPTIONS_END,
};

static const struct option top_options[] = {
	{ "count", 'n', "N", false, false, "end after so many times" },
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
	{ "destination", '\0', "DEST", false, false, "everything that waits for this destination" },
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

#define FOR \
	{ \
		"for", '\0', "CLIENT", false, false, \
		    "print what to paste into this client: postfix, nodemailer, django, rails, " \
		    "laravel, spring, go, msmtp, php" \
	}
#define NOTE \
	{ \
		"note", '\0', "TEXT", false, false, "what it is for" \
	}
#define YES \
	{ \
		"yes", 'y', NULL, false, false, "do not ask" \
	}
#define REASON(text) \
	{ \
		"reason", '\0', "REASON", false, false, text \
	}

static const struct option account_add_options[] = {
	FOR,
	{ "no-credential", '\0', NULL, false, false, "make no login" },
	OPTIONS_END,
};
static const struct option yes_options[] = { YES, OPTIONS_END };
static const struct option credential_add_options[] = { FOR, NOTE, OPTIONS_END };
static const struct option credential_import_options[] = {
	NOTE,
	{ "secret-file", '\0', "FILE", false, false,
	    "read the secret here; default: standard input" },
	{ "version2", '\0', NULL, false, false, "take SMTP passwords of version 2, too" },
	OPTIONS_END,
};
static const struct option identity_add_options[] = {
	{ "verified", '\0', NULL, false, false, "it may send at once" },
	OPTIONS_END,
};
static const struct option suppress_add_options[] = {
	REASON("BOUNCE (default) or COMPLAINT"),
	OPTIONS_END,
};
static const struct option suppress_ls_options[] = {
	REASON("only those of this reason"),
	OPTIONS_END,
};

#define SETTINGS "[SETTING=VALUE...]"

static const struct verb rows[] = {
	{ "ping", NULL, "", 0, 0, no_options, "Ask whether the daemon answers", cmd_ping },
	{ "status", NULL, "", 0, 0, no_options, "Show what the daemon is doing", cmd_status },
	{ "metrics", NULL, "", 0, 0, no_options, "Print counts and times as Prometheus reads them",
	    cmd_metrics },
	{ "queue", "ls", "", 0, 0, queue_ls_options, "List the messages in the queue",
	    cmd_queue_ls },
	{ "queue", "show", "ID", 1, 1, queue_show_options, "Show one message and its recipients",
	    cmd_queue_show },
	{ "queue", "retry", "[ID...]", 0, ARGS_WORDS_MAX, queue_retry_options,
	    "Try deferred messages now", cmd_queue_retry },
	{ "queue", "drop", "ID...", 1, ARGS_WORDS_MAX, queue_drop_options,
	    "Give messages up without telling their senders", cmd_queue_drop },
	{ "queue", "explain", "ID", 1, 1, no_options,
	    "Say what a message waits for, and until when", cmd_queue_explain },
	{ "queue", "hold", "ID...", 1, ARGS_WORDS_MAX, queue_hold_options,
	    "Set messages aside until they are released", cmd_queue_hold },
	{ "queue", "release", "ID...", 1, ARGS_WORDS_MAX, no_options, "Try held messages now",
	    cmd_queue_release },
	{ "queue", "requeue", "ID...", 1, ARGS_WORDS_MAX, no_options,
	    "Begin anew with messages: hosts, route and tries", cmd_queue_requeue },
	{ "dest", "ls", "", 0, 0, destination_ls_options, "List where mail waits to go, most first",
	    cmd_destination_ls },
	{ "dest", "show", "DEST", 1, 1, no_options, "Show one destination", cmd_destination_show },
	{ "dest", "pause", "DEST", 1, 1, destination_pause_options,
	    "Send nothing to a destination for a while", cmd_destination_pause },
	{ "dest", "resume", "DEST", 1, 1, no_options, "End a pause", cmd_destination_resume },
	{ "top", NULL, "", 0, 0, top_options, "Watch rates, queue and sites, each second",
	    cmd_top },
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
	{ "account", "add", "NAME " SETTINGS, 1, ARGS_WORDS_MAX, account_add_options,
	    "Make an account, and a login for it", cmd_account_add },
	{ "account", "ls", "", 0, 0, no_options, "List the accounts", cmd_account_ls },
	{ "account", "show", "NAME", 1, 1, no_options, "Show the settings of an account",
	    cmd_account_show },
	{ "account", "set", "NAME SETTING=VALUE...", 2, ARGS_WORDS_MAX, no_options,
	    "Change settings of an account", cmd_account_set },
	{ "account", "pause", "NAME", 1, 1, no_options, "Refuse all mail of an account",
	    cmd_account_pause },
	{ "account", "resume", "NAME", 1, 1, no_options, "Take mail of an account again",
	    cmd_account_resume },
	{ "account", "rm", "NAME", 1, 1, yes_options, "Remove an account and all that it owns",
	    cmd_account_rm },
	{ "credential", "add", "ACCOUNT", 1, 1, credential_add_options,
	    "Make another login for an account", cmd_credential_add },
	{ "credential", "import", "ACCOUNT ID", 2, 2, credential_import_options,
	    "Take over an AWS access key, so that clients keep their passwords",
	    cmd_credential_import },
	{ "credential", "ls", "ACCOUNT", 1, 1, no_options, "List the logins of an account",
	    cmd_credential_ls },
	{ "credential", "revoke", "ID", 1, 1, yes_options, "Remove a login",
	    cmd_credential_revoke },
	{ "identity", "add", "ACCOUNT NAME " SETTINGS, 2, ARGS_WORDS_MAX, identity_add_options,
	    "Add a domain or an address that an account may send from", cmd_identity_add },
	{ "identity", "ls", "ACCOUNT", 1, 1, no_options, "List the identities of an account",
	    cmd_identity_ls },
	{ "identity", "show", "ACCOUNT NAME", 2, 2, no_options, "Show the settings of an identity",
	    cmd_identity_show },
	{ "identity", "set", "ACCOUNT NAME SETTING=VALUE...", 3, ARGS_WORDS_MAX, no_options,
	    "Change settings of an identity", cmd_identity_set },
	{ "identity", "verify", "ACCOUNT NAME", 2, 2, no_options, "Let an identity send",
	    cmd_identity_verify },
	{ "identity", "rm", "ACCOUNT NAME", 2, 2, yes_options, "Remove an identity",
	    cmd_identity_rm },
	{ "config-set", "add", "ACCOUNT NAME " SETTINGS, 2, ARGS_WORDS_MAX, no_options,
	    "Add a configuration set", cmd_config_set_add },
	{ "config-set", "ls", "ACCOUNT", 1, 1, no_options,
	    "List the configuration sets of an account", cmd_config_set_ls },
	{ "config-set", "show", "ACCOUNT NAME", 2, 2, no_options,
	    "Show the settings of a configuration set", cmd_config_set_show },
	{ "config-set", "set", "ACCOUNT NAME SETTING=VALUE...", 3, ARGS_WORDS_MAX, no_options,
	    "Change settings of a configuration set", cmd_config_set_set },
	{ "config-set", "rm", "ACCOUNT NAME", 2, 2, yes_options, "Remove a configuration set",
	    cmd_config_set_rm },
	{ "limits", "show", "[ACCOUNT]", 0, 1, no_options,
	    "Show sending rates and quotas, and what is used of them", cmd_limits_show },
	{ "suppress", "add", "ACCOUNT ADDRESS...", 2, ARGS_WORDS_MAX, suppress_add_options,
	    "Put addresses on the suppression list of an account", cmd_suppress_add },
	{ "suppress", "ls", "ACCOUNT", 1, 1, suppress_ls_options,
	    "List the suppressed addresses of an account", cmd_suppress_ls },
	{ "suppress", "rm", "ACCOUNT ADDRESS...", 2, ARGS_WORDS_MAX, no_options,
	    "Take addresses off the suppression list", cmd_suppress_rm },
	{ "suppress", "import", "ACCOUNT FILE", 2, 2, no_options,
	    "Put the addresses of a file on the suppression list", cmd_suppress_import },
	{ "suppress", "export", "ACCOUNT", 1, 1, no_options,
	    "Print the suppression list as import reads it", cmd_suppress_export },
	{ "store", "rekey", "", 0, 0, no_options,
	    "Encrypt all secrets under the first of the master keys", cmd_store_rekey },
	{ "store", "backup", "FILE", 1, 1, no_options, "Copy the store to a new file",
	    cmd_store_backup },
	{ "help", NULL, "[NOUN [VERB]]", 0, 2, no_options, "Explain commands", cmd_help },
};

const struct verb_table cli_verbs = { rows, ARRAY_LEN(rows) };
