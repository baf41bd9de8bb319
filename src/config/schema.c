/* config/schema.c - the table of all settings. Ranges are wide: they catch slips, not taste. */
#include <config.h> /* in <>: "config.h" would be the one beside this file */

#include "config/schema.h"

#include "config/config.h"

/* clang-format off: the table reads as a table */
#define ROW(t, key, owner, field, text) \
	.name = key, .type = SCHEMA_##t, .offset = offsetof(struct owner, field), .help = text
#define MAIN(t, key, field, text) ROW(t, key, config, field, text)
#define RANGE(low, high)	  .min = (low), .max = (high)
#define DEFAULT(text)		  .fallback = text
#define RESTART			  .restart = true
#define CHOICES(owner, field, array) \
	.choices = array, .width = sizeof(((struct owner *)NULL)->field)
#define SECTION(key, of, text) \
	.name = key, .type = SCHEMA_GROUP, .help = text, .group = &of, .fallback = ""
#define LIST(key, owner, field, of, text) \
	.name = key, .type = SCHEMA_LIST, .offset = offsetof(struct owner, field##s), \
	.count_offset = offsetof(struct owner, field##_count), .group = &of, .fallback = "", \
	.help = text
#define STRINGS(key, owner, field, count, of, text) \
	.name = key, .type = SCHEMA_STRINGS, .offset = offsetof(struct owner, field), \
	.count_offset = offsetof(struct owner, count), .element = SCHEMA_##of, .help = text
#define ROWS(array) .rows = array, .row_count = ARRAY_LEN(array)

#define KIB(n)	   (INT64_C(1024) * (n))
#define MIB(n)	   (KIB(1024) * (n))
#define GIB(n)	   (MIB(1024) * (n))
#define SECONDS(n) (INT64_C(1000) * (n))
#define MINUTES(n) (SECONDS(60) * (n))
#define HOURS(n)   (MINUTES(60) * (n))
#define DAYS(n)	   (HOURS(24) * (n))

static const struct schema_choice profiles[] = {
	{ "ses", PROFILE_SES },
	{ "relay", PROFILE_RELAY },
	{ NULL, 0 },
};
static const struct schema_choice over_limits[] = {
	{ "reject", OVER_LIMIT_REJECT },
	{ "smooth", OVER_LIMIT_SMOOTH },
	{ NULL, 0 },
};
static const struct schema_choice suppressions[] = {
	{ "none", SUPPRESS_NONE },
	{ "bounce", SUPPRESS_BOUNCE },
	{ "complaint", SUPPRESS_COMPLAINT },
	{ "both", SUPPRESS_BOTH },
	{ NULL, 0 },
};
static const struct schema_choice set_suppressions[] = {
	{ "inherit", SUPPRESS_INHERIT },
	{ "none", SUPPRESS_NONE },
	{ "bounce", SUPPRESS_BOUNCE },
	{ "complaint", SUPPRESS_COMPLAINT },
	{ "both", SUPPRESS_BOTH },
	{ NULL, 0 },
};
static const struct schema_choice sinks[] = {
	{ "auto", LOG_SINK_AUTO },
	{ "stderr", LOG_SINK_STDERR },
	{ "syslog", LOG_SINK_SYSLOG },
	{ "journal", LOG_SINK_JOURNAL },
	{ NULL, 0 },
};
static const struct schema_choice levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ NULL, 0 },
};
static const struct schema_choice log_recipients[] = {
	{ "full", LOG_RECIPIENTS_FULL },
	{ "domain", LOG_RECIPIENTS_DOMAIN },
	{ "hash", LOG_RECIPIENTS_HASH },
	{ NULL, 0 },
};
static const struct schema_choice tls_versions[] = {
	{ "1.2", 0x0303 },
	{ "1.3", 0x0304 },
	{ NULL, 0 },
};
static const struct schema_choice tls_modes[] = {
	{ "none", TLS_MODE_NONE },
	{ "starttls", TLS_MODE_STARTTLS },
	{ "implicit", TLS_MODE_IMPLICIT },
	{ NULL, 0 },
};
static const struct schema_choice route_policies[] = {
	{ "none", TLS_POLICY_NONE },
	{ "opportunistic", TLS_POLICY_OPPORTUNISTIC },
	{ "require", TLS_POLICY_REQUIRE },
	{ "verify", TLS_POLICY_VERIFY },
	{ "implicit", TLS_POLICY_IMPLICIT },
	{ NULL, 0 },
};
static const struct schema_choice delivery_policies[] = {
	{ "none", TLS_POLICY_NONE },
	{ "opportunistic", TLS_POLICY_OPPORTUNISTIC },
	{ "require", TLS_POLICY_REQUIRE },
	{ "verify", TLS_POLICY_VERIFY },
	{ NULL, 0 },
};
static const struct schema_choice set_policies[] = {
	{ "opportunistic", TLS_POLICY_OPPORTUNISTIC },
	{ "require", TLS_POLICY_REQUIRE },
	{ "verify", TLS_POLICY_VERIFY },
	{ NULL, 0 },
};

static const struct schema_choice set_classes[] = {
	{ "transactional", CLASS_TRANSACTIONAL },
	{ "bulk", CLASS_BULK },
	{ NULL, 0 },
};

static const struct schema_choice scan_failures[] = {
	{ "tempfail", FAILURE_TEMPFAIL },
	{ "accept", FAILURE_ACCEPT },
	{ NULL, 0 },
};

static const struct schema_choice eight_bit_choices[] = {
	{ "keep", EIGHT_BIT_KEEP },
	{ "convert", EIGHT_BIT_CONVERT },
	{ NULL, 0 },
};

static const struct schema_choice milter_failures[] = {
	{ "tempfail", FAILURE_TEMPFAIL },
	{ "accept", FAILURE_ACCEPT },
	{ "reject", FAILURE_REJECT },
	{ NULL, 0 },
};

static const struct schema_row log_rows[] = {
	{ MAIN(ENUM, "sink", log.sink, "where log lines go"), CHOICES(config, log.sink, sinks),
	    DEFAULT("auto") },
	{ MAIN(ENUM, "level", log.level, "the least important lines that are written"),
	    CHOICES(config, log.level, levels), DEFAULT("info") },
	{ MAIN(ENUM, "recipients", log.recipients, "how recipient addresses appear in log lines"),
	    CHOICES(config, log.recipients, log_recipients), DEFAULT("full") },
};
static const struct schema_group log_group = { .path = "log", ROWS(log_rows) };

static const struct schema_row spool_rows[] = {
	{ MAIN(PATH, "directory", spool.directory, "where accepted messages are kept"), RESTART,
	    DEFAULT(POSTRIDER_SPOOLDIR) },
	{ MAIN(SIZE, "segment", spool.segment_bytes, "size of one segment file"), RESTART,
	    RANGE(MIB(1), GIB(4)), DEFAULT("64M") },
	{ MAIN(SIZE, "reserve", spool.reserve_bytes,
	      "below this much free disk space, or three segments, mail is refused for the time "
	      "being"),
	    RANGE(0, GIB(16384)), DEFAULT("512M") },
	{ MAIN(SIZE, "memory_body", spool.memory_body_bytes,
	      "larger messages go to files as they arrive"),
	    RANGE(KIB(4), GIB(1)), DEFAULT("1M") },
	{ MAIN(SIZE, "body_budget", spool.body_budget_bytes,
	      "most memory that all messages being received may take together"),
	    RANGE(MIB(1), GIB(1024)), DEFAULT("256M") },
};
static const struct schema_group spool_group = { .path = "spool", ROWS(spool_rows) };

static const struct schema_row store_rows[] = {
	{ MAIN(PATH, "master_keys", store.master_keys,
	      "file with the keys that secrets in the store are encrypted with"),
	    RESTART, DEFAULT(""), .fallback_note = "master.key in the state directory" },
};
static const struct schema_group store_group = { .path = "store", ROWS(store_rows) };

static const struct schema_row control_rows[] = {
	{ MAIN(PATH, "socket", control.socket, "socket of the postrider command"), RESTART,
	    DEFAULT(POSTRIDER_RUNDIR "/control.sock"), .empty = "no socket" },
	{ MAIN(MODE, "mode", control.mode, "who may open the socket"), RESTART, RANGE(0, 0777),
	    DEFAULT("0660") },
};
static const struct schema_group control_group = { .path = "control", ROWS(control_rows) };

static const struct schema_row metrics_rows[] = {
	{ MAIN(ADDRESS, "address", metrics.address,
	      "where Prometheus asks; anybody who can connect sees counts and names of sites"),
	    RESTART, DEFAULT("127.0.0.1") },
	{ MAIN(INT, "port", metrics.port, "TCP port of /metrics, /healthz and /readyz; 0: none"),
	    RESTART, RANGE(0, 65535), DEFAULT("0") },
};
static const struct schema_group metrics_group = { .path = "metrics", ROWS(metrics_rows) };

static const struct schema_row certificate_rows[] = {
	{ ROW(SNI, "name", config_certificate, name,
	    "the host name clients ask for; \"default\" serves all others") },
	{ ROW(PATH, "certificate", config_certificate, certificate,
	    "PEM file with the chain, own certificate first") },
	{ ROW(PATH, "key", config_certificate, key, "PEM file with the private key") },
};
static const struct schema_group certificate_group = { .path = "tls.certificates",
	.what = "certificate",
	.key = "name",
	.list = LIST_CERTIFICATES,
	.element_size = sizeof(struct config_certificate),
	ROWS(certificate_rows) };

static const struct schema_row tls_rows[] = {
	{ LIST("certificates", config, tls.certificate, certificate_group,
	    "certificates of the SMTP listeners; none: a self-made one") },
	{ MAIN(ENUM, "min_version", tls.min_version, "oldest TLS version spoken"),
	    CHOICES(config, tls.min_version, tls_versions), DEFAULT("1.2") },
};
static const struct schema_group tls_group = { .path = "tls", ROWS(tls_rows) };

static const struct schema_row listener_rows[] = {
	{ ROW(NAME, "name", config_listener, name,
	    "name in logs and counters, and FileDescriptorName= of socket activation") },
	{ STRINGS("addresses", config_listener, addresses, address_count, ADDRESS,
	      "where to listen; \"0.0.0.0\" and \"::\" mean everywhere"),
	    DEFAULT("127.0.0.1 ::1") },
	{ ROW(INT, "port", config_listener, port,
	      "TCP port; 0: any that is free, which the log names"),
	    RANGE(0, 65535) },
	{ ROW(ENUM, "tls", config_listener, tls, "TLS never, after STARTTLS, or from the start"),
	    CHOICES(config_listener, tls, tls_modes), DEFAULT("starttls") },
	{ ROW(BOOL, "auth_without_tls", config_listener, auth_without_tls,
	      "allow AUTH in clear text; only where all addresses are loopback"),
	    DEFAULT("false") },
	{ STRINGS("proxies", config_listener, proxies, proxy_count, NETWORK,
	      "load balancers: only they may connect, and must say for whom"),
	    DEFAULT("") },
};
static const struct schema_group listener_group = { .path = "listeners",
	.what = "listener",
	.key = "name",
	.list = LIST_LISTENERS,
	.element_size = sizeof(struct config_listener),
	ROWS(listener_rows) };

static const struct schema_row smtp_rows[] = {
	{ MAIN(INT, "max_connections", smtp.max_connections, "client connections at once"),
	    RANGE(1, 1000000), DEFAULT("2000") },
	{ MAIN(INT, "max_connections_per_address", smtp.max_connections_per_address,
	      "client connections at once from one address"),
	    RANGE(1, 1000000), DEFAULT("200") },
	{ MAIN(INT, "max_handshakes", smtp.max_handshakes, "TLS handshakes going on at once"),
	    RANGE(1, 1000000), DEFAULT("200") },
	{ MAIN(SIZE, "max_message_size", smtp.max_message_bytes,
	      "largest message taken, as it is on the wire"),
	    RANGE(KIB(1), GIB(1)), DEFAULT("40M") },
	{ MAIN(SIZE, "large_rate", smtp.large_rate,
	      "bytes a second, for each account, of messages above 10 MB; 0: no limit"),
	    RANGE(0, GIB(100)), DEFAULT("40M") },
	{ MAIN(INT, "max_recipients", smtp.max_recipients, "recipients of one message"),
	    RANGE(1, 100), DEFAULT("50") },
	{ MAIN(DURATION, "idle", smtp.idle_ms, "wait for the next command before AUTH"),
	    RANGE(SECONDS(1), HOURS(1)), DEFAULT("10s") },
	{ MAIN(DURATION, "session_idle", smtp.session_idle_ms,
	      "wait for the next command after AUTH"),
	    RANGE(SECONDS(1), HOURS(1)), DEFAULT("5m") },
	{ MAIN(DURATION, "handshake", smtp.handshake_ms, "time for a TLS handshake"),
	    RANGE(SECONDS(1), MINUTES(10)), DEFAULT("15s") },
	{ MAIN(DURATION, "data", smtp.data_ms, "time for all of a message's text"),
	    RANGE(SECONDS(10), HOURS(2)), DEFAULT("10m") },
	{ MAIN(INT, "max_auth_failures", smtp.max_auth_failures,
	      "failed logins before a session is closed"),
	    RANGE(1, 100), DEFAULT("3") },
	{ MAIN(BOOL, "announce_size", smtp.announce_size, "offer SIZE in the EHLO reply"),
	    DEFAULT("true") },
	{ MAIN(BOOL, "announce_pipelining", smtp.announce_pipelining,
	      "offer PIPELINING in the EHLO reply"),
	    DEFAULT("true") },
};
static const struct schema_group smtp_group = { .path = "smtp", ROWS(smtp_rows) };

/* Amazon SES's list. */
static const char blocked_extensions[] =
    "ade adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget "
    "hlp hta inf ins isp its js jse ksh lib lnk mad maf mag mam maq mar mas "
    "mat mau mav maw mda mdb mde mdt mdw mdz msc msh msh1 msh2 mshxml msh1xml "
    "msh2xml msi msp mst ops pcd pif plg prf prg reg scf scr sct shb shs sys "
    "ps1 ps1xml ps2 ps2xml psc1 psc2 tmp url vb vbe vbs vps vsmacros vss vst "
    "vsw vxd ws wsc wsf wsh xnk";

static const struct schema_row milter_rows[] = {
	{ ROW(NAME, "name", config_milter, name, "name in logs") },
	{ ROW(SOCKET, "address", config_milter, address, "where it listens") },
	{ ROW(DURATION, "timeout", config_milter, timeout_ms,
	      "how long it may take without a word"),
	    RANGE(SECONDS(1), MINUTES(5)), DEFAULT("10s") },
	{ ROW(ENUM, "on_failure", config_milter, on_failure,
	      "what becomes of a message when it cannot be asked"),
	    CHOICES(config_milter, on_failure, milter_failures), DEFAULT("tempfail") },
};
static const struct schema_group milter_group = { .path = "content.milters",
	.what = "milter",
	.key = "name",
	.list = LIST_MILTERS,
	.element_size = sizeof(struct config_milter),
	ROWS(milter_rows) };

static const struct schema_row content_rows[] = {
	{ STRINGS("blocked_extensions", config, content.blocked_extensions,
	      content.blocked_extension_count, NAME,
	      "ends of file names: a message with such an attachment is refused"),
	    DEFAULT(blocked_extensions), .fallback_note = "those of Amazon SES" },
	{ MAIN(SOCKET, "clamd", content.clamd, "where clamd listens, which looks for viruses"),
	    DEFAULT(""), .fallback_note = "none is asked" },
	{ MAIN(DURATION, "clamd_timeout", content.clamd_timeout_ms,
	      "how long clamd may take without a word"),
	    RANGE(SECONDS(1), MINUTES(5)), DEFAULT("30s") },
	{ MAIN(ENUM, "on_failure", content.on_failure,
	      "what becomes of a message when clamd cannot be asked"),
	    CHOICES(config, content.on_failure, scan_failures), DEFAULT("tempfail") },
	{ LIST("milters", config, content.milter, milter_group,
	    "milters that are asked about each message, in this order") },
	{ MAIN(ENUM, "eight_bit", content.eight_bit,
	      "text with octets above 127: sent as it is, or encoded before it is signed"),
	    CHOICES(config, content.eight_bit, eight_bit_choices), DEFAULT("keep") },
};
static const struct schema_group content_group = { .path = "content", ROWS(content_rows) };

static const struct schema_row credential_rows[] = {
	{ ROW(KEY_ID, "id", config_credential, id, "access key id: the SMTP user name") },
	{ ROW(SECRET, "secret", config_credential, secret,
	    "secret access key, from which the SMTP password is derived") },
	{ ROW(BOOL, "version2", config_credential, version2,
	      "take SMTP passwords of version 2, too"),
	    DEFAULT("false") },
	{ ROW(TEXT, "note", config_credential, note, "what it is for"), DEFAULT("") },
};
static const struct schema_group credential_group = { .path = "accounts.credentials",
	.what = "credential",
	.key = "id",
	.list = LIST_NESTED,
	.element_size = sizeof(struct config_credential),
	ROWS(credential_rows) };

static const struct schema_row account_rows[] = {
	{ ROW(NAME, "name", config_account, name, "name in logs, counters and other settings") },
	{ ROW(ENUM, "profile", config_account, profile, "behave as SES does, or as a plain relay"),
	    CHOICES(config_account, profile, profiles), DEFAULT("ses") },
	{ ROW(BOOL, "sending_enabled", config_account, sending_enabled,
	      "false: every message of the account is refused"),
	    DEFAULT("true") },
	{ ROW(BOOL, "production", config_account, production,
	      "false: sandbox, mail goes to verified identities only"),
	    DEFAULT("true") },
	{ ROW(ENUM, "over_limit", config_account, over_limit,
	      "above the rate: refuse as SES does, or take and deliver at the rate"),
	    CHOICES(config_account, over_limit, over_limits), DEFAULT("reject") },
	{ ROW(ENUM, "suppression", config_account, suppression,
	      "reasons for which recipients are put on the suppression list and not sent to"),
	    CHOICES(config_account, suppression, suppressions), DEFAULT("both") },
	{ ROW(FLOAT, "send_rate", config_account, send_rate,
	      "recipients taken per second; 0: no limit, in the sandbox 1"),
	    RANGE(0, 1000000), DEFAULT("0.0"), .unit = "recipients a second" },
	{ ROW(FLOAT, "send_burst", config_account, send_burst,
	      "recipients taken at once above the rate; 0: three seconds' worth"),
	    RANGE(0, 10000000), DEFAULT("0.0"), .unit = "recipients" },
	{ ROW(INT, "quota_24h", config_account, quota_24h,
	      "recipients in any 24 hours; 0: no limit, in the sandbox 200"),
	    RANGE(0, INT64_C(1000000000000)), DEFAULT("0"), .unit = "recipients" },
	{ ROW(INT, "weight", config_account, weight,
	      "so many messages for each one of an account of weight 1, when both wait for a site"),
	    RANGE(1, 1000), DEFAULT("1") },
	{ LIST("credentials", config_account, credential, credential_group,
	    "the logins of the account") },
};
static const struct schema_group account_group = { .path = "accounts",
	.what = "account",
	.key = "name",
	.list = LIST_ACCOUNTS,
	.element_size = sizeof(struct config_account),
	ROWS(account_rows) };

static const struct schema_row identity_rows[] = {
	{ ROW(IDENTITY, "name", config_identity, name,
	    "domain or address that may stand in From and MAIL FROM") },
	{ ROW(NAME, "account", config_identity, account, "the account that owns it") },
	{ ROW(BOOL, "verified", config_identity, verified, "false: may not send yet"),
	    DEFAULT("true") },
	{ ROW(NAME, "configuration_set", config_identity, configuration_set,
	      "set for messages that name none"),
	    DEFAULT("") },
	{ STRINGS("senders", config_identity, senders, sender_count, NAME,
	      "other accounts that may send as it"),
	    DEFAULT("") },
	{ ROW(HOSTNAME, "dkim_selector", config_identity, dkim_selector,
	      "selector of the DKIM key; empty: no signature of its own"),
	    DEFAULT("") },
	{ ROW(PATH, "dkim_key", config_identity, dkim_key, "PEM file with the DKIM private key"),
	    DEFAULT("") },
	{ ROW(HOSTNAME, "dkim_domain", config_identity, dkim_domain,
	      "signing domain (d=) of the DKIM signature"),
	    DEFAULT(""), .fallback_note = "the identity's domain" },
};
static const struct schema_group identity_group = { .path = "identities",
	.what = "identity",
	.key = "name",
	.list = LIST_IDENTITIES,
	.element_size = sizeof(struct config_identity),
	ROWS(identity_rows) };

static const struct schema_row set_rows[] = {
	{ ROW(NAME, "name", config_set, name, "name in X-SES-CONFIGURATION-SET") },
	{ ROW(NAME, "account", config_set, account, "the account that owns it") },
	{ ROW(BOOL, "sending_enabled", config_set, sending_enabled,
	      "false: messages with this set are refused"),
	    DEFAULT("true") },
	{ ROW(ENUM, "tls", config_set, tls, "TLS towards remote hosts"),
	    CHOICES(config_set, tls, set_policies), DEFAULT("opportunistic") },
	{ ROW(ENUM, "class", config_set, class,
	      "what goes first when several messages of the account wait for a site"),
	    CHOICES(config_set, class, set_classes), DEFAULT("transactional") },
	{ ROW(NAME, "pool", config_set, pool,
	      "the pool of own addresses that its mail is sent from"),
	    DEFAULT(""), .fallback_note = "delivery.source_ipv4 and source_ipv6" },
	{ ROW(DURATION, "max_delivery", config_set, max_delivery_ms,
	      "give up delivery after that long; 0: delivery.max_age counts"),
	    RANGE(0, DAYS(14)), DEFAULT("0") },
	{ ROW(ENUM, "suppression", config_set, suppression,
	      "reasons for which suppressed recipients are not sent to"),
	    CHOICES(config_set, suppression, set_suppressions), DEFAULT("inherit") },
	{ STRINGS("tags", config_set, tags, tag_count, TAG,
	      "tags of messages that do not have them: \"name=value\""),
	    DEFAULT("") },
};
static const struct schema_group set_group = { .path = "configuration_sets",
	.what = "configuration set",
	.key = "name",
	.list = LIST_SETS,
	.element_size = sizeof(struct config_set),
	ROWS(set_rows) };

static const struct schema_row delivery_rows[] = {
	{ MAIN(DURATION, "max_age", delivery.max_age_ms, "give up a message after that long"),
	    RANGE(MINUTES(1), DAYS(14)), DEFAULT("14h") },
	{ MAIN(DURATION, "retry_min", delivery.retry_min_ms, "wait before the first retry"),
	    RANGE(SECONDS(1), DAYS(1)), DEFAULT("1m") },
	{ MAIN(DURATION, "retry_max", delivery.retry_max_ms, "longest wait between two tries"),
	    RANGE(SECONDS(1), DAYS(7)), DEFAULT("2h") },
	{ MAIN(INT, "max_connections", delivery.max_connections,
	      "connections to remote hosts at once"),
	    RANGE(1, 100000), DEFAULT("500") },
	{ MAIN(INT, "max_connections_per_site", delivery.max_connections_per_site,
	      "connections at once to the hosts of one provider; how many it takes is learned"),
	    RANGE(1, 10000), DEFAULT("20") },
	{ MAIN(INT, "min_connections_per_site", delivery.min_connections_per_site,
	      "no fewer are tried, however little the hosts take"),
	    RANGE(1, 10000), DEFAULT("1") },
	{ MAIN(INT, "retry_share", delivery.retry_share,
	      "part of a site's connections that is for retries while first attempts wait, too"),
	    RANGE(1, 99), DEFAULT("25"), .unit = "percent" },
	{ MAIN(BOOL, "fair", delivery.fair,
	      "accounts take turns at each site; false: first come, first served"),
	    DEFAULT("true") },
	{ MAIN(INT, "messages_per_connection", delivery.messages_per_connection,
	      "messages before a connection is closed"),
	    RANGE(1, 100000), DEFAULT("100") },
	{ MAIN(DURATION, "idle", delivery.idle_ms,
	      "how long an open connection waits for the next message"),
	    RANGE(0, MINUTES(5)), DEFAULT("5s") },
	{ MAIN(DURATION, "connect", delivery.connect_ms, "time for one TCP connect"),
	    RANGE(SECONDS(1), MINUTES(10)), DEFAULT("30s") },
	{ MAIN(DURATION, "command", delivery.command_ms, "wait for the reply to a command"),
	    RANGE(SECONDS(1), MINUTES(30)), DEFAULT("2m") },
	{ MAIN(DURATION, "data", delivery.data_ms, "wait while a block of message text is written"),
	    RANGE(SECONDS(1), MINUTES(30)), DEFAULT("3m") },
	{ MAIN(DURATION, "final", delivery.final_ms, "wait for the reply to the end of data"),
	    RANGE(SECONDS(1), HOURS(1)), DEFAULT("10m") },
	{ MAIN(DURATION, "attempt", delivery.attempt_ms, "time for one whole attempt"),
	    RANGE(SECONDS(10), HOURS(6)), DEFAULT("30m") },
	{ MAIN(INT, "port", delivery.port, "port of MX hosts"), RANGE(1, 65535), DEFAULT("25") },
	{ MAIN(ENUM, "tls", delivery.tls, "TLS towards remote hosts where nothing else is said"),
	    CHOICES(config, delivery.tls, delivery_policies), DEFAULT("opportunistic") },
	{ MAIN(PATH, "ca_file", delivery.ca_file, "PEM file of trusted certificate authorities"),
	    DEFAULT(""), .fallback_note = "the system's" },
	{ MAIN(IPV4, "source_ipv4", delivery.source_ipv4, "own address for IPv4 connections"),
	    DEFAULT(""), .fallback_note = "the system chooses" },
	{ MAIN(IPV6, "source_ipv6", delivery.source_ipv6, "own address for IPv6 connections"),
	    DEFAULT(""), .fallback_note = "the system chooses" },
	{ MAIN(BOOL, "allow_private", delivery.allow_private,
	      "deliver to loopback and private addresses found by MX lookups"),
	    DEFAULT("false") },
};
static const struct schema_group delivery_group = { .path = "delivery", ROWS(delivery_rows) };

static const struct schema_row source_rows[] = {
	{ ROW(NAME, "name", config_source, name, "name in logs and counters") },
	{ ROW(IPV4, "ipv4", config_source, ipv4, "own address for IPv4 connections"), DEFAULT(""),
	    .fallback_note = "IPv4 is not used" },
	{ ROW(IPV6, "ipv6", config_source, ipv6, "own address for IPv6 connections"), DEFAULT(""),
	    .fallback_note = "IPv6 is not used" },
	{ ROW(HOSTNAME, "hostname", config_source, hostname,
	      "own name in EHLO, which the addresses' PTR records should have"),
	    DEFAULT(""), .fallback_note = "hostname" },
	{ ROW(INT, "weight", config_source, weight,
	      "so many messages for each one of a source of weight 1"),
	    RANGE(1, 1000), DEFAULT("1") },
};
static const struct schema_group source_group = { .path = "pools.sources",
	.what = "source",
	.key = "name",
	.list = LIST_NESTED,
	.element_size = sizeof(struct config_source),
	ROWS(source_rows) };

static const struct schema_row pool_rows[] = {
	{ ROW(NAME, "name", config_pool, name, "name in configuration sets") },
	{ LIST("sources", config_pool, source, source_group,
	    "the addresses; each site is reached from all of them, by their weights") },
};
static const struct schema_group pool_group = { .path = "pools",
	.what = "pool",
	.key = "name",
	.list = LIST_POOLS,
	.element_size = sizeof(struct config_pool),
	ROWS(pool_rows) };

static const struct schema_row route_rows[] = {
	{ ROW(NAME, "name", config_route, name, "name in logs and counters") },
	{ ROW(DESTINATION, "destination", config_route, destination,
	    "recipients it is for: \"example.com\", \".example.com\" (all below), \"*\"") },
	{ ROW(HOST, "host", config_route, host, "smarthost"), DEFAULT(""),
	    .fallback_note = "the MX hosts of the destination" },
	{ ROW(INT, "port", config_route, port, "port of the smarthost"), RANGE(1, 65535),
	    DEFAULT("25") },
	{ ROW(ENUM, "tls", config_route, tls, "TLS towards the host"),
	    CHOICES(config_route, tls, route_policies), DEFAULT("opportunistic") },
	{ ROW(TEXT, "username", config_route, username, "login at the smarthost"), DEFAULT("") },
	{ ROW(SECRET, "password", config_route, password, "password at the smarthost"),
	    DEFAULT("") },
	{ ROW(BOOL, "allow_private", config_route, allow_private,
	      "the host may have a loopback or private address"),
	    DEFAULT("false") },
};
static const struct schema_group route_group = { .path = "routes",
	.what = "route",
	.key = "name",
	.list = LIST_ROUTES,
	.element_size = sizeof(struct config_route),
	ROWS(route_rows) };

static const struct schema_row dns_rows[] = {
	{ STRINGS("servers", config, dns.servers, dns.server_count, DNS_SERVER,
	      "name servers to ask, in this order"),
	    RESTART, DEFAULT(""), .fallback_note = "those of /etc/resolv.conf" },
	{ MAIN(DURATION, "timeout", dns.timeout_ms, "time for one lookup with all its retries"),
	    RESTART, RANGE(SECONDS(1), MINUTES(5)), DEFAULT("20s") },
	{ MAIN(PATH, "trust_anchor", dns.trust_anchor, "file with the trust anchor of DNSSEC"),
	    RESTART, DEFAULT(""), .fallback_note = "answers are not validated" },
};
static const struct schema_group dns_group = { .path = "dns", ROWS(dns_rows) };

static const struct schema_row root_rows[] = {
	{ MAIN(HOSTNAME, "hostname", hostname, "own name in the greeting, in EHLO and in reports"),
	    DEFAULT(""), .fallback_note = "the name of the machine" },
	{ MAIN(NAME, "region", region, "the region clients were told to use"),
	    DEFAULT("us-east-1") },
	{ MAIN(HOSTNAME, "provider_domain", provider_domain,
	      "domain of message ids and return paths"),
	    DEFAULT(""), .fallback_note = "hostname" },
	{ MAIN(HOSTNAME, "simulator_domain", simulator_domain,
	      "domain of the mailbox simulator, whose mail never leaves"),
	    DEFAULT("simulator.amazonses.com"), .empty = "there is none" },
	{ MAIN(NAME, "vendor", vendor, "last field of Feedback-ID"), DEFAULT("AmazonSES") },
	{ MAIN(PATH, "state_directory", state_directory, "where keys, counters and lists are kept"),
	    RESTART, DEFAULT(POSTRIDER_STATEDIR) },
	{ MAIN(INT, "loops", loops, "threads that serve connections; 0: one per core"), RESTART,
	    RANGE(0, 64), DEFAULT("0") },
	{ MAIN(INT, "workers", workers, "threads for cryptography and disk; 0: one per core"),
	    RESTART, RANGE(0, 256), DEFAULT("0") },
	{ SECTION("log", log_group, "what is logged, and where") },
	{ SECTION("spool", spool_group, "messages on disk and in memory") },
	{ SECTION("store", store_group, "what is changed while the daemon runs") },
	{ SECTION("control", control_group, "the socket of the postrider command") },
	{ SECTION("metrics", metrics_group, "counts and times, for Prometheus") },
	{ SECTION("tls", tls_group, "TLS of the listeners") },
	{ LIST("listeners", config, listener, listener_group,
	      "where clients connect; none: submission ports on loopback"),
	    RESTART },
	{ SECTION("smtp", smtp_group, "limits of the SMTP server") },
	{ SECTION("content", content_group, "what messages may hold") },
	{ LIST("accounts", config, account, account_group,
	    "who may log in and how much they may send") },
	{ .name = "identities",
	    .type = SCHEMA_LIST,
	    .offset = offsetof(struct config, identities),
	    .count_offset = offsetof(struct config, identity_count),
	    .group = &identity_group,
	    .fallback = "",
	    .help = "domains and addresses that accounts may send from" },
	{ .name = "configuration_sets",
	    .type = SCHEMA_LIST,
	    .offset = offsetof(struct config, sets),
	    .count_offset = offsetof(struct config, set_count),
	    .group = &set_group,
	    .fallback = "",
	    .help = "named sets of sending options" },
	{ SECTION("delivery", delivery_group, "sending to remote hosts") },
	{ LIST("pools", config, pool, pool_group,
	    "own addresses that mail is sent from, by configuration set") },
	{ LIST("routes", config, route, route_group,
	    "exceptions from MX delivery; the first that matches wins") },
	{ SECTION("dns", dns_group, "name resolution") },
};
static const struct schema_group root_group = { .path = "", ROWS(root_rows) };
/* clang-format on */

const struct schema_group *
schema_root(void)
{
	return &root_group;
}

static void
visit_group(const struct schema_group *group, bool restart, schema_visit *visit, void *arg)
{
	for (size_t i = 0; i < group->row_count; i++) {
		const struct schema_row *row = &group->rows[i];

		visit(group, row, restart || row->restart, arg);
		if (row->group != NULL)
			visit_group(row->group, restart || row->restart, visit, arg);
	}
}

void
schema_each(schema_visit *visit, void *arg)
{
	visit_group(&root_group, false, visit, arg);
}
