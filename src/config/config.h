/* config/config.h - the configuration as one immutable tree of structs.
 *
 * config_load reads postrider.conf and conf.d, checks everything against the schema (config/schema.h) and
 * gives either a whole, valid struct config or every error at once. A loaded configuration never
 * changes; a reload makes another one. It is counted, so that every loop can hold the one it works with.
 *
 * Units are in the names. Strings are NUL-terminated UTF-8 and never NULL ("" when not set). Lists are in
 * the order of the files; the schema has checked names, references between objects and ranges. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/log.h"
#include "util/rc.h"

enum config_tls_mode {
	TLS_MODE_NONE,
	TLS_MODE_STARTTLS,
	TLS_MODE_IMPLICIT
};
enum config_tls_policy {
	TLS_POLICY_NONE,	  /* never */
	TLS_POLICY_OPPORTUNISTIC, /* when offered, unverified, clear text otherwise */
	TLS_POLICY_REQUIRE,	  /* encrypted or not at all, unverified */
	TLS_POLICY_VERIFY,	  /* encrypted, certificate and name checked */
	TLS_POLICY_IMPLICIT	  /* from the first byte, certificate and name checked (routes) */
};
enum config_profile {
	PROFILE_SES,
	PROFILE_RELAY
};
enum config_over_limit {
	OVER_LIMIT_REJECT, /* 454, as SES does */
	OVER_LIMIT_SMOOTH  /* taken, and delivered at the account's rate */
};
/* Which entries of a suppression list keep a recipient from being sent to. */
enum config_suppression {
	SUPPRESS_NONE = 0,
	SUPPRESS_BOUNCE = 1,
	SUPPRESS_COMPLAINT = 2,
	SUPPRESS_BOTH = 3,
	SUPPRESS_INHERIT = 4 /* of a configuration set: as the account says */
};
/* What becomes of text with octets above 127. */
enum config_eight_bit {
	EIGHT_BIT_KEEP,
	EIGHT_BIT_CONVERT
};
/* What becomes of a message that a filter could not be asked about. */
enum config_failure {
	FAILURE_TEMPFAIL,
	FAILURE_ACCEPT,
	FAILURE_REJECT
};
enum config_log_recipients {
	LOG_RECIPIENTS_FULL,
	LOG_RECIPIENTS_DOMAIN,
	LOG_RECIPIENTS_HASH
};

/* listeners = ( { ... } ) */
struct config_listener {
	char *name;	  /* also the FileDescriptorName= of socket activation */
	char **addresses; /* IP addresses; "0.0.0.0" and "::" for all */
	size_t address_count;
	int64_t port;
	enum config_tls_mode tls;
	bool auth_without_tls; /* AUTH in clear text: only on loopback addresses (checked) */
	char *
	    *proxies; /* networks; when there are any, only they may connect, with a PROXY header */
	size_t proxy_count;
};

/* tls.certificates = ( { ... } ): files in PEM */
struct config_certificate {
	char *name;	   /* host name for SNI; "default" serves the rest */
	char *certificate; /* chain, leaf first */
	char *key;
};

/* accounts = ( { ... } ) */
struct config_credential {
	char *id;	    /* access key id, the SMTP user name */
	char *secret;	    /* secret access key, after ${ENV} and file: were resolved */
	bool version2;	    /* SMTP passwords of version 2 are taken, too */
	char *note;	    /* what it is for */
	int64_t created_ms; /* not in the file: 0 */
};
struct config_account {
	char *name;
	enum config_profile profile;
	bool sending_enabled;
	bool production; /* false: sandbox */
	enum config_over_limit over_limit;
	enum config_suppression suppression; /* never INHERIT */
	double send_rate;		     /* recipients a second; 0: no limit */
	double send_burst;		     /* recipients; 0: three seconds' worth */
	int64_t quota_24h;		     /* recipients in a rolling 24 h; 0: no limit */
	int64_t weight;			     /* of its turns in the queue */
	int64_t created_ms;		     /* not in the file: 0 */
	struct config_credential *credentials;
	size_t credential_count;
};

/* identities = ( { ... } ) */
struct config_identity {
	char *name; /* example.com or jo@example.com */
	char *account;
	bool verified;
	char *configuration_set; /* default set, or "" */
	char **senders;		 /* other accounts that may send as it */
	size_t sender_count;
	char *dkim_selector; /* "": not signed with a key of its own */
	char *dkim_key;	     /* PEM file */
	char *dkim_domain;   /* d=; "": the identity's domain */
	int64_t created_ms;  /* not in the file: 0 */
};

/* What goes first, of what an account has waiting. */
enum config_class {
	CLASS_TRANSACTIONAL,
	CLASS_BULK
};

/* configuration_sets = ( { ... } ) */
struct config_set {
	char *name;
	char *account;
	bool sending_enabled;
	enum config_tls_policy tls; /* OPPORTUNISTIC, REQUIRE or VERIFY */
	enum config_class class;
	char *pool;		 /* "": delivery.source_ipv4 and source_ipv6 */
	int64_t max_delivery_ms; /* 0: delivery.max_age */
	enum config_suppression suppression;
	char **tags; /* "name=value": of each message that does not have the name */
	size_t tag_count;
	int64_t created_ms; /* not in the file: 0 */
};

/* pools = ( { name; sources = ( { ... } ) } ): own addresses that connections come from */
struct config_source {
	char *name;
	char *ipv4, *ipv6; /* one of them may be "": hosts of that family are not tried */
	char *hostname;	   /* in EHLO; "": config->hostname */
	int64_t weight;
};
struct config_pool {
	char *name;
	struct config_source *sources;
	size_t source_count;
};

/* routes = ( { ... } ): the first that matches wins; none: MX */
struct config_route {
	char *name;
	char *destination; /* "example.com", ".example.com" (and all below), "*" */
	char *host;	   /* smarthost, or "" for MX of the destination */
	int64_t port;
	enum config_tls_policy tls;
	char *username, *password; /* AUTH PLAIN towards the smarthost, only inside verified TLS */
	bool allow_private;	   /* loopback and private addresses may be used */
};

/* content.milters = ( { ... } ) */
struct config_milter {
	char *name;
	char *address; /* as util/endpoint.h reads it */
	int64_t timeout_ms;
	enum config_failure on_failure;
};

struct config {
	atomic_uint refs;

	char *hostname;		/* greeting, EHLO, Reporting-MTA; default: the machine's name */
	char *region;		/* "us-east-1" */
	char *provider_domain;	/* part behind the @ of Message-ID and return path */
	char *simulator_domain; /* of the mailbox simulator; "": there is none */
	char *vendor;		/* last field of Feedback-ID: "AmazonSES" */
	char *state_directory;
	int64_t loops;	 /* connection loops; 0: one per core */
	int64_t workers; /* worker threads; 0: one per core */

	struct {
		enum log_sink sink;
		enum log_level level;
		enum config_log_recipients recipients;
	} log;
	struct {
		char *directory;
		int64_t segment_bytes;
		int64_t reserve_bytes;	   /* below this much free disk mail is refused */
		int64_t memory_body_bytes; /* larger bodies go to files as they arrive */
		int64_t body_budget_bytes; /* most memory of all bodies together */
	} spool;
	struct {
		char *master_keys; /* file; "": STATE/master.key */
	} store;
	struct {
		char *socket; /* path; "": none */
		int64_t mode; /* 0660, written as a string of octal digits */
	} control;
	struct {
		char *address; /* IP address of the listener */
		int64_t port;  /* 0: none */
	} metrics;
	struct {
		struct config_certificate *certificates;
		size_t certificate_count; /* 0: a self-made certificate in the state directory */
		int64_t min_version;	  /* 0x0303 or 0x0304, written "1.2" and "1.3" */
	} tls;
	struct config_listener *listeners;
	size_t listener_count;
	struct {
		int64_t max_connections;
		int64_t max_connections_per_address;
		int64_t max_handshakes;
		int64_t max_message_bytes;
		int64_t large_rate; /* bytes a second of texts above 10 MiB, for each account */
		int64_t max_recipients;
		int64_t idle_ms;	 /* before AUTH */
		int64_t session_idle_ms; /* after AUTH */
		int64_t handshake_ms;
		int64_t data_ms;	   /* whole of DATA */
		int64_t max_auth_failures; /* of a session */
		bool announce_size;	   /* SIZE in EHLO */
		bool announce_pipelining;
	} smtp;
	struct {
		char **blocked_extensions; /* of attachments' names, without the dot */
		size_t blocked_extension_count;
		char *clamd; /* socket of clamd, as util/endpoint.h reads it; "": none */
		int64_t clamd_timeout_ms;
		enum config_failure on_failure; /* TEMPFAIL or ACCEPT, when clamd cannot be asked */
		struct config_milter *milters;	/* asked in this order */
		size_t milter_count;
		enum config_eight_bit eight_bit;
	} content;
	struct config_account *accounts;
	size_t account_count;
	struct config_identity *identities;
	size_t identity_count;
	struct config_set *sets;
	size_t set_count;
	struct {
		int64_t max_age_ms;   /* 14 h */
		int64_t retry_min_ms; /* distance of the first retry */
		int64_t retry_max_ms;
		int64_t max_connections;				    /* outbound, in all */
		int64_t min_connections_per_site, max_connections_per_site; /* learned between */
		int64_t retry_share; /* percent of a site's connections, while both wait */
		bool fair;	     /* accounts take turns */
		int64_t messages_per_connection;
		int64_t idle_ms; /* a connection waits that long for the next message */
		int64_t connect_ms, command_ms, data_ms, final_ms, attempt_ms; /* deadlines */
		int64_t port;						       /* of MX hosts: 25 */
		enum config_tls_policy tls;				       /* default policy */
		char *ca_file;			 /* PEM; "": the system's */
		char *source_ipv4, *source_ipv6; /* "": the system chooses */
		bool allow_private; /* deliver to loopback and private addresses found by MX */
	} delivery;
	struct config_pool *pools;
	size_t pool_count;
	struct config_route *routes;
	size_t route_count;
	struct {
		char **servers; /* "192.0.2.1" or "127.0.0.1@5353"; none: as in /etc/resolv.conf */
		size_t server_count;
		int64_t timeout_ms; /* of one lookup */
		char *trust_anchor; /* file for DNSSEC validation, or "" */
	} dns;
};

/* One error or warning, as a person reads it:
 *	/etc/postrider/conf.d/20-x.conf:14:3: unknown setting "tls_min_verison" in listener "submission"; did you
 *	mean "tls_min_version"? */
struct config_error {
	char *file; /* owned */
	int line;   /* 0: the file as a whole */
	int column; /* in bytes from 1; 0: not known */
	char *text; /* owned */
};
/* At most a hundred are kept. None holds a secret. */
struct config_errors {
	struct config_error *list;
	size_t count, cap;
};
void config_errors_free(struct config_errors *errors);

struct buf;
/* "FILE:LINE:COLUMN: text" without line end; LINE and COLUMN only when known. */
void config_error_format(const struct config_error *error, struct buf *out);

/* Read `path` and, beside it, conf.d/ *.conf in sorted order (lists are appended, groups merged, a single setting
 * given twice is an error that names both places). A missing file is an error, an empty one is the defaults.
 * Blocks (files): at start, or on a worker. RC_OK: *out has one reference. RC_BAD: `errors` holds all of them. */
MUST_CHECK enum rc config_load(const char *path, struct config **out, struct config_errors *errors);

/* The same from text, without conf.d (tests, `-c -`). name: for messages. */
MUST_CHECK enum rc config_parse(
    const char *text, const char *name, struct config **out, struct config_errors *errors);

struct config *config_ref(struct config *config);
void config_unref(struct config *config); /* NULL is fine; the last one wipes secrets and frees */

/* The names of all settings that differ, one per line appended to `out`: "smtp.max_recipients". A list of
 * groups counts as one setting. */
void config_diff(const struct config *old, const struct config *new, struct buf *out);

/* The names of settings that differ and need a restart, one per line appended to `out`. */
void config_diff_restart(const struct config *old, const struct config *new, struct buf *out);

/* The whole effective configuration as libconfig text that config_parse takes again (secrets as "***" unless
 * `secrets`). With `defaults` NULL-configured: the defaults with their help as comments. */
MUST_CHECK enum rc config_dump(const struct config *config, bool secrets, struct buf *out);
MUST_CHECK enum rc config_dump_defaults(struct buf *out);

#endif
