/* config_parse: defaults, values, and every kind of error with its exact message and place. */
#include "config.h"

#include "unit/config/config_test.h"

#include <time.h>
#include <unistd.h>

static void
test_empty_text_is_the_defaults(void **state)
{
	struct config *c = must_parse("");
	char host[256] = "";

	(void)state;
	assert_int_equal(gethostname(host, sizeof host - 1), 0);
	assert_string_equal(c->hostname, host);
	assert_string_equal(c->provider_domain, host);
	assert_string_equal(c->region, "us-east-1");
	assert_string_equal(c->vendor, "AmazonSES");
	assert_string_equal(c->state_directory, POSTRIDER_STATEDIR);
	assert_string_equal(c->spool.directory, POSTRIDER_SPOOLDIR);
	assert_string_equal(c->control.socket, POSTRIDER_RUNDIR "/control.sock");
	assert_int_equal(c->control.mode, 0660);
	assert_int_equal(c->log.sink, LOG_SINK_AUTO);
	assert_int_equal(c->log.level, LOG_LEVEL_INFO);
	assert_int_equal(c->log.recipients, LOG_RECIPIENTS_FULL);
	assert_int_equal(c->spool.segment_bytes, 64 << 20);
	assert_int_equal(c->spool.reserve_bytes, 512 << 20);
	assert_int_equal(c->spool.memory_body_bytes, 1 << 20);
	assert_int_equal(c->spool.body_budget_bytes, 256 << 20);
	assert_int_equal(c->tls.min_version, 0x0303);
	assert_int_equal(c->smtp.max_connections, 2000);
	assert_int_equal(c->smtp.max_connections_per_address, 200);
	assert_int_equal(c->smtp.max_handshakes, 200);
	assert_int_equal(c->smtp.max_message_bytes, 41943040);
	assert_int_equal(c->smtp.max_recipients, 50);
	assert_int_equal(c->smtp.idle_ms, 10000);
	assert_int_equal(c->smtp.session_idle_ms, 300000);
	assert_int_equal(c->smtp.handshake_ms, 15000);
	assert_int_equal(c->smtp.data_ms, 600000);
	assert_int_equal(c->smtp.max_auth_failures, 3);
	assert_true(c->smtp.announce_size && c->smtp.announce_pipelining);
	assert_int_equal(c->delivery.max_age_ms, 14 * 3600000);
	assert_int_equal(c->delivery.retry_min_ms, 60000);
	assert_int_equal(c->delivery.retry_max_ms, 2 * 3600000);
	assert_int_equal(c->delivery.max_connections, 500);
	assert_int_equal(c->delivery.max_connections_per_site, 20);
	assert_int_equal(c->delivery.messages_per_connection, 100);
	assert_int_equal(c->delivery.idle_ms, 5000);
	assert_int_equal(c->delivery.connect_ms, 30000);
	assert_int_equal(c->delivery.command_ms, 120000);
	assert_int_equal(c->delivery.data_ms, 180000);
	assert_int_equal(c->delivery.final_ms, 600000);
	assert_int_equal(c->delivery.attempt_ms, 1800000);
	assert_int_equal(c->delivery.port, 25);
	assert_int_equal(c->delivery.tls, TLS_POLICY_OPPORTUNISTIC);
	assert_string_equal(c->delivery.ca_file, "");
	assert_false(c->delivery.allow_private);
	assert_int_equal(c->dns.server_count, 0);
	assert_int_equal(c->dns.timeout_ms, 20000);
	assert_string_equal(c->dns.trust_anchor, "");
	assert_int_equal(c->account_count + c->identity_count + c->set_count + c->route_count, 0);
	config_unref(c);
}

static void
test_default_listeners_are_on_loopback(void **state)
{
	static const struct {
		const char *name;
		int64_t port;
		enum config_tls_mode tls;
	} want[] = {
		{ "smtp", 25, TLS_MODE_STARTTLS },
		{ "submission", 587, TLS_MODE_STARTTLS },
		{ "submission-alt", 2587, TLS_MODE_STARTTLS },
		{ "submissions", 465, TLS_MODE_IMPLICIT },
		{ "submissions-alt", 2465, TLS_MODE_IMPLICIT },
	};
	struct config *c = must_parse("listeners = ( );");

	(void)state;
	assert_int_equal(c->listener_count, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_string_equal(c->listeners[i].name, want[i].name);
		assert_int_equal(c->listeners[i].port, want[i].port);
		assert_int_equal(c->listeners[i].tls, want[i].tls);
		assert_int_equal(c->listeners[i].address_count, 2);
		assert_string_equal(c->listeners[i].addresses[0], "127.0.0.1");
		assert_string_equal(c->listeners[i].addresses[1], "::1");
		assert_false(c->listeners[i].auth_without_tls);
	}
	config_unref(c);
}

#define KEY1 "AKIA0000000000000001"
#define KEY2 "AKIA0000000000000002"

static void
test_every_kind_of_value(void **state)
{
	struct config *c = must_parse(
	    "/* a comment\n over lines */ hostname = \"mx.\" \"example.com\";\n"
	    "loops: 0x10, workers = +4L // both separators\n"
	    "control = { mode = \"0600\"; socket = \"\" }; # no socket\n"
	    "tls = { min_version = \"1.3\" };\n"
	    "dns = { servers = [ \"192.0.2.1\", \"::1@5353\" ]; };\n"
	    "accounts = ( { name = \"web\"; profile = \"relay\"; send_rate = 14;\n"
	    "  send_burst = .5; quota_24h = 5000000000; production = FALSE;\n"
	    "  credentials = ( { id = \"" KEY1 "\"; secret = \"a\\\"b\\\\c\"; } ); } );\n"
	    "identities = ( { name = \"Jo@Example.COM\"; account = \"web\";\n"
	    "  configuration_set = \"s\"; } );\n"
	    "configuration_sets = ( { name = \"s\"; account = \"web\"; tls = \"verify\";\n"
	    "  max_delivery = \"1h30m\"; } );\n"
	    "routes = ( { name = \"r\"; destination = \"*\"; host = \"10.0.0.1\"; } );\n");

	(void)state;
	assert_string_equal(c->hostname, "mx.example.com");
	assert_string_equal(c->provider_domain, "mx.example.com");
	assert_int_equal(c->loops, 16);
	assert_int_equal(c->workers, 4);
	assert_int_equal(c->control.mode, 0600);
	assert_string_equal(c->control.socket, "");
	assert_int_equal(c->tls.min_version, 0x0304);
	assert_int_equal(c->dns.server_count, 2);
	assert_string_equal(c->dns.servers[1], "::1@5353");
	assert_int_equal(c->accounts[0].profile, PROFILE_RELAY);
	assert_true(c->accounts[0].send_rate > 13.9 && c->accounts[0].send_rate < 14.1);
	assert_true(c->accounts[0].send_burst > 0.4 && c->accounts[0].send_burst < 0.6);
	assert_int_equal(c->accounts[0].quota_24h, INT64_C(5000000000));
	assert_false(c->accounts[0].production);
	assert_string_equal(c->accounts[0].credentials[0].secret, "a\"b\\c");
	assert_string_equal(c->identities[0].name, "Jo@example.com");
	assert_int_equal(c->sets[0].tls, TLS_POLICY_VERIFY);
	assert_int_equal(c->sets[0].max_delivery_ms, 5400000);
	assert_int_equal(c->routes[0].port, 25);
	config_unref(c);
}

#define ACCOUNT(name, credentials) "{ name = \"" name "\"; credentials = ( " credentials " ); }"
#define CREDENTIAL(id)		   "{ id = \"" id "\"; secret = \"x\"; }"

static const struct {
	const char *text, *errors;
} bad[] = {
	/* names */
	{ "smtp = {\n\tmax_conections = 5;\n};", "t:2:2: unknown setting \"max_conections\" in "
						 "smtp; did you mean \"max_connections\"?\n" },
	{ "listeners = ( { name = \"s\"; port = 25; addr = 1; } );",
	    "t:1:40: unknown setting \"addr\" in listener \"s\"; did you mean \"addresses\"?\n" },
	{ "max_recipients = 5;",
	    "t:1:1: unknown setting \"max_recipients\"; it belongs into smtp\n" },
	{ "tls = { zz = 1; };",
	    "t:1:9: unknown setting \"zz\" in tls; known are certificates, min_version\n" },
	{ "loops = 1;\n  loops = 2;",
	    "t:2:3: \"loops\" is set twice in the same group, first at t:1\n" },
	/* types and ranges */
	{ "loops = 5.0;", "t:1:1: loops must be a whole number from 0 to 64, not 5.0\n" },
	{ "loops = \"5\";", "t:1:1: loops must be a whole number from 0 to 64, not \"5\"; write "
			    "it without quotes\n" },
	{ "loops = true;", "t:1:1: loops must be a whole number from 0 to 64, not true\n" },
	{ "loops = -1;", "t:1:1: loops must be a whole number from 0 to 64, not -1\n" },
	{ "loops = { };", "t:1:1: loops must be a whole number from 0 to 64, not a group\n" },
	{ "loops = 4294967297;",
	    "t:1:1: loops must be a whole number from 0 to 64, not 4294967297\n" },
	{ "loops = 4294967297L;",
	    "t:1:1: loops must be a whole number from 0 to 64, not 4294967297\n" },
	{ "loops = 0x100000001;",
	    "t:1:1: loops must be a whole number from 0 to 64, not 4294967297\n" },
	{ "loops = 1234567890123456789;", "t:1:9: this number is too large\n" },
	{ "loops = 18446744073709551617L;", "t:1:9: this number is too large\n" },
	{ "smtp = { max_recipients = 101; };",
	    "t:1:10: max_recipients in smtp must be a whole number from 1 to 100, not 101\n" },
	{ "smtp = { idle = 10; };",
	    "t:1:10: idle in smtp must be a duration such as \"1m30s\", from "
	    "\"1s\" to \"1h\", not 10; write it in quotes\n" },
	{ "smtp = { idle = \"10\"; };",
	    "t:1:10: idle in smtp must be a duration such as \"1m30s\", from "
	    "\"1s\" to \"1h\", not \"10\"\n" },
	{ "smtp = { max_message_size = \"40MB\"; };",
	    "t:1:10: max_message_size in smtp must be a size such as \"40M\", from \"1K\" to "
	    "\"1G\", "
	    "not \"40MB\"\n" },
	{ "log = { level = \"warn\"; };", "t:1:9: level in log must be \"error\", \"warning\", "
					  "\"info\" or \"debug\", not \"warn\"; did you "
					  "mean \"warning\"?\n" },
	{ "smtp = 5;", "t:1:1: smtp must be a group { ... }, not 5\n" },
	{ "accounts = { };",
	    "t:1:1: accounts must be a list of groups ( { ... }, { ... } ), not a group\n" },
	{ "accounts = ( 5 );",
	    "t:1:14: accounts must be a list of groups ( { ... }, { ... } ), not 5\n" },
	{ "dns = { servers = [ \"192.0.2.1\",\n\"x\" ]; };",
	    "t:2:1: servers in dns must be a list in brackets [ ], each element an IP address, or "
	    "address@port, not \"x\"\n" },
	{ "dns = { servers = [ 1, \"x\" ]; };", "t:1:24: mismatched element type in array\n" },
	{ "control = { mode = \"0888\"; };", "t:1:13: mode in control must be octal digits in "
					     "quotes, from \"0000\" to \"0777\", not "
					     "\"0888\"\n" },
	{ "spool = { directory = \"spool\"; };",
	    "t:1:11: directory in spool must be an absolute path, not \"spool\"\n" },
	{ "spool = { directory = \"\"; };",
	    "t:1:11: directory in spool must be an absolute path, not \"\"\n" },
	{ "hostname = \"-x\";", "t:1:1: hostname must be a host name, not \"-x\"\n" },
	{ "hostname = \"192.0.2.1\";", "t:1:1: hostname must be a host name, not \"192.0.2.1\"\n" },
	{ "delivery = { source_ipv4 = \"::1\"; };",
	    "t:1:14: source_ipv4 in delivery must be an IPv4 address, not \"::1\"\n" },
	{ "tls = { min_version = \"1.1\"; };", "t:1:9: min_version in tls must be \"1.2\" or "
					       "\"1.3\", not \"1.1\"; did you mean \"1.2\"?\n" },
	{ "tls = { certificates = ( { name = \"default\"; key = \"/k\"; } ); };",
	    "t:1:26: certificate is missing in certificate \"default\"; it must be an absolute "
	    "path\n" },
	{ "listeners = ( { name = \"a\"; port = 65536; } );",
	    "t:1:29: port in listener \"a\" must be a whole number from 0 to 65535, not 65536\n" },
	/* grammar */
	{ "loops = 1;\nsmtp = {\n", "t:2:8: this \"{\" is never closed\n" },
	{ "accounts = (\n { name = \"a\"; \n);",
	    "t:3:1: \")\" cannot close the \"{\" opened in line 2\n" },
	{ "accounts = ( { name = \"a\"; }\nloops = 1;",
	    "t:2:1: expected \",\" or the closing bracket, found \"loops\"; the \"(\" was opened "
	    "in line 1\n" },
	{ "loops = 1; }", "t:1:12: \"}\" closes nothing\n" },
	{ "smtp = {\n  idle = \"10s;\n};",
	    "t:2:10: text opened here has no closing \" on its line\n" },
	{ "smtp = { idle = 10s; };",
	    "t:1:17: 10s is no number; a value with a unit goes in quotes, as in \"40M\"\n" },
	{ "smtp = { announce_size = yes; };", "t:1:26: expected a value, found \"yes\"; text goes "
					      "in quotes, and a switch is true or false\n" },
	{ "loops 5;", "t:1:7: expected \"=\", found \"5\"\n" },
	{ "loops = ", "t:1:9: expected a value, found the end of the file\n" },
	{ "loops = 1;;", "t:1:11: expected the name of a setting, found \";\"\n" },
	{ "loops = 1 2", "t:1:11: expected \";\" or another setting, found \"2\"\n" },
	{ "/* x", "t:1:1: this comment is never closed with \"*/\"\n" },
	{ "hostname = \"a\\x00b\";",
	    "t:1:14: no such escape in text; write \"\\\\\" for a backslash\n" },
	{ "hostname = \"a\\q\";",
	    "t:1:14: no such escape in text; write \"\\\\\" for a backslash\n" },
	{ "hostname = \"a\\nb\";", "t:1:1: hostname must be a host name, not \"a?b\"\n" },
	{ "x=(((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))));",
	    "t:1:35: brackets nest more than 32 deep\n" },
	{ "@include \"/nonexistent/file\"",
	    "t:1:1: cannot include /nonexistent/file: No such file or directory\n" },
	{ "@include \"/\"", "t:1:1: cannot include /: not a regular file\n" },
	{ "@includes", "t:1:1: expected the name of a setting, found \"@\"\n" },
	/* between settings */
	{ "accounts = (\n{ name = \"web\"; },\n{ name = \"web\"; } );",
	    "t:3:3: two accounts are called \"web\"; the other one is at t:2\n" },
	{ "accounts = (\n" ACCOUNT("a", CREDENTIAL(KEY1) ", " CREDENTIAL(KEY2)) ",\n" ACCOUNT(
	      "b", CREDENTIAL(KEY1)) ");",
	    "t:3:33: two credentials are called \"" KEY1 "\"; the other one is at t:2\n" },
	{ "accounts = ( { name = \"web\"; } );\nidentities = ( { name = \"a.example\"; account = "
	  "\"wbe\"; } );",
	    "t:2:38: there is no account \"wbe\"; did you mean \"web\"?\n" },
	{ "configuration_sets = ( { name = \"s\"; account = \"x\"; } );",
	    "t:1:38: there is no account \"x\"\n" },
	{ "accounts = ( { name = \"a\"; }, { name = \"b\"; } );\n"
	  "configuration_sets = ( { name = \"s\"; account = \"a\"; } );\n"
	  "identities = ( { name = \"x.example\"; account = \"b\"; configuration_set = \"s\"; } );",
	    "t:3:53: there is no configuration set of account \"b\" called \"s\"\n" },
	{ "accounts = ( { name = \"a\"; } );\n"
	  "identities = ( { name = \"x.example\"; account = \"a\"; },\n"
	  "{ name = \"X.Example\"; account = \"a\"; } );",
	    "t:3:3: two identities are called \"x.example\"; the other one is at t:2\n" },
	{ "accounts = ( { name = \"a\"; } );\n"
	  "identities = ( { name = \"x.example\"; account = \"a\"; dkim_key = \"/k\"; } );",
	    "t:2:18: identity \"x.example\" has a dkim_key but no dkim_selector; they go "
	    "together\n" },
	{ "listeners = ( { name = \"a\"; port = 25; addresses = [ ]; } );",
	    "t:1:40: addresses in listener \"a\" must hold at least one IP address\n" },
	{ "listeners = ( { name = \"a\"; port = 25; addresses = [ \"127.0.0.2\", \"0.0.0.0\" ];\n"
	  "auth_without_tls = true; } );",
	    "t:2:1: auth_without_tls in listener \"a\" would take passwords in clear text on "
	    "0.0.0.0; it is "
	    "for loopback addresses only\n" },
	{ "listeners = ( { name = \"a\"; port = 25; auth_without_tls = true;\n"
	  "proxies = [ \"10.0.0.0/8\" ]; } );",
	    "t:1:40: auth_without_tls in listener \"a\" would take passwords in clear text from "
	    "all "
	    "whom its proxies serve\n" },
	{ "listeners = ( { name = \"a\"; port = 25; proxies = [ \"10.0.0.0/33\" ]; } );",
	    "t:1:52: proxies in listener \"a\" must be a list in brackets [ ], each element an IP "
	    "address, or address/bits, not \"10.0.0.0/33\"\n" },
	{ "listeners = ( { name = \"a\"; port = 25; },\n{ name = \"b\"; port = 25; addresses = [ "
	  "\"::1\" ]; } );",
	    "t:2:15: listener \"b\": address ::1, port 25 is taken by listener \"a\" at t:1\n" },
	{ "routes = ( { name = \"r\"; destination = \"*\"; host = \"h\"; username = \"u\"; } );",
	    "t:1:14: route \"r\" has a username but no password; they go together\n" },
	{ "routes = ( { name = \"r\"; destination = \"*\"; host = \"h\"; username = \"u\"; "
	  "password = \"p\"; } );",
	    "t:1:12: route \"r\" has a password, which is sent inside verified TLS only; set tls "
	    "to \"verify\" "
	    "or \"implicit\"\n" },
	{ "routes = ( { name = \"r\"; destination = \"*\"; tls = \"implicit\"; } );",
	    "t:1:14: route \"r\" has implicit TLS, so it needs a host\n" },
	{ "delivery = {\n retry_min = \"3h\"; };",
	    "t:2:2: delivery.retry_min is longer than delivery.retry_max\n" },
	{ "spool = { body_budget = \"1M\"; memory_body = \"2M\"; };",
	    "t:1:31: spool.memory_body is larger than spool.body_budget\n" },
	/* several at once */
	{ "loops = -1;\nlog = { level = 5; };\naccounts = ( { } );",
	    "t:1:1: loops must be a whole number from 0 to 64, not -1\n"
	    "t:2:9: level in log must be \"error\", \"warning\", \"info\" or \"debug\", not 5; "
	    "write it in "
	    "quotes\n"
	    "t:3:14: name is missing in account number 1; it must be a name of 1 to 64 letters, "
	    "digits, "
	    "\"-\" and \"_\"\n" },
};

static void
test_every_error_says_what_and_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct config_errors errors;
		struct config *config;
		char *shown;

		assert_rc(config_parse(bad[i].text, "t", &config, &errors), RC_BAD);
		assert_null(config);
		shown = take_errors(&errors);
		assert_string_equal(shown, bad[i].errors);
		free(shown);
	}
}

/* A slip beside a secret must not bring it into the log. */
static void
test_no_error_shows_a_secret(void **state)
{
#define HIDDEN "wJalrXUtnFEMI"
	static const char *const slips[] = {
		"secret = \"" HIDDEN ";",
		"secret = " HIDDEN ";",
		"secret = " HIDDEN "\";",
		"secret \"" HIDDEN "\";",
		"secret = \"" HIDDEN "\\q\";",
		"secret = 5" HIDDEN ";",
		"secret = (\"" HIDDEN "\");",
		"secret = \"" HIDDEN "\\n\";",
		"secret = \"${" HIDDEN " }\";",
		"secret = \"file:" HIDDEN "\";",
		"id = \"" HIDDEN "+/\"; secret = \"x\";",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
		struct config_errors errors;
		struct config *config;
		char text[256], *shown;

		(void)snprintf(text, sizeof text,
		    "accounts = ( { name = \"a\"; credentials = ( { %s } ); } );", slips[i]);
		assert_rc(config_parse(text, "t", &config, &errors), RC_BAD);
		shown = take_errors(&errors);
		assert_true(*shown != '\0');
		assert_null(strstr(shown, HIDDEN));
		free(shown);
	}
}

static void
test_errors_are_counted_up_to_a_limit(void **state)
{
	struct buf text = BUF_EMPTY;
	struct config_errors errors;
	struct config *config;

	(void)state;
	buf_addf(&text, "accounts = ( 1");
	for (int i = 0; i < 5000; i++)
		buf_addf(&text, ", %d", i);
	buf_addf(&text, ");");
	assert_rc(config_parse(buf_cstr(&text), "t", &config, &errors), RC_BAD);
	assert_int_equal(errors.count, 100);
	config_errors_free(&errors);
	buf_free(&text);
}

static void
test_many_settings_in_a_group_are_refused(void **state)
{
	struct buf text = BUF_EMPTY;
	struct config_errors errors;
	struct config *config;
	char *shown;

	(void)state;
	for (int i = 0; i < 101; i++)
		buf_addf(&text, "a%d = 1;\n", i);
	assert_rc(config_parse(buf_cstr(&text), "t", &config, &errors), RC_BAD);
	shown = take_errors(&errors);
	assert_string_equal(shown,
	    "t:101:1: too many settings in one group; several things of a kind go "
	    "into a list ( { ... }, { ... } )\n");
	free(shown);
	buf_free(&text);
}

/* Names are found by hash and lists walked once: anything quadratic takes minutes here. */
static void
test_twenty_thousand_accounts_load_quickly(void **state)
{
	struct buf text = BUF_EMPTY;
	struct timespec start, end;
	struct config *config;

	(void)state;
	for (int i = 0; i < 20000; i++)
		buf_addf(&text,
		    "%s{ name = \"a%d\"; credentials = ( { id = \"AKIA%016d\"; secret = \"x\"; } "
		    "); }",
		    i == 0 ? "accounts = (" : ",\n", i, i);
	for (int i = 0; i < 20000; i++)
		buf_addf(&text, "%s{ name = \"d%d.example\"; account = \"a%d\"; }",
		    i == 0 ? ");\nidentities = (" : ",\n", i, i);
	buf_addf(&text, ");");
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	config = must_parse(buf_cstr(&text));
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_int_equal(config->account_count, 20000);
	assert_int_equal(config->identity_count, 20000);
	assert_string_equal(config->accounts[19999].credentials[0].id, "AKIA0000000000019999");
	assert_true(end.tv_sec - start.tv_sec < 20); /* of CPU, with sanitizers, on any machine */
	config_unref(config);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_text_is_the_defaults),
		cmocka_unit_test(test_default_listeners_are_on_loopback),
		cmocka_unit_test(test_every_kind_of_value),
		cmocka_unit_test(test_every_error_says_what_and_where),
		cmocka_unit_test(test_no_error_shows_a_secret),
		cmocka_unit_test(test_errors_are_counted_up_to_a_limit),
		cmocka_unit_test(test_many_settings_in_a_group_are_refused),
		cmocka_unit_test(test_twenty_thousand_accounts_load_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
