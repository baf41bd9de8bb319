/* config_dump, config_dump_defaults and the comparison of two configurations. */
#include "config.h"

#include "unit/config/config_test.h"

static const char full[] =
    "hostname = \"mx.example.com\"; loops = 2; workers = 3; vendor = \"Own\";\n"
    "log = { sink = \"stderr\"; level = \"debug\"; recipients = \"hash\"; };\n"
    "spool = { directory = \"/s \\\"q\\\" \\\\\"; segment = \"1M\"; reserve = \"1025\"; };\n"
    "control = { socket = \"\"; mode = \"0600\"; };\n"
    "tls = { min_version = \"1.3\"; certificates = (\n"
    "  { name = \"default\"; certificate = \"/c\"; key = \"/k\"; } ); };\n"
    "listeners = ( { name = \"l\"; addresses = [ \"::1\" ]; port = 1; tls = \"none\"; "
    "auth_without_tls = true; } );\n"
    "smtp = { idle = \"1m1s\"; announce_size = false; max_message_size = \"1536K\"; };\n"
    "accounts = ( { name = \"a\"; send_rate = 0.1; send_burst = 1234567.0; quota_24h = "
    "1000000000000;\n"
    "  credentials = ( { id = \"AKIA0000000000000001\"; secret = \"plain:${X}\"; version2 = true; "
    "},\n"
    "  { id = \"AKIA0000000000000002\"; secret = \"two\"; } ); }, { name = \"b\"; production = "
    "false; } );\n"
    "identities = ( { name = \"x.example\"; account = \"a\"; configuration_set = \"s\"; "
    "dkim_selector = \"k\";\n"
    "  dkim_key = \"/d\"; dkim_domain = \"example\"; } );\n"
    "configuration_sets = ( { name = \"s\"; account = \"a\"; tls = \"require\"; max_delivery = "
    "\"1d2h\"; } );\n"
    "delivery = { tls = \"none\"; retry_max = \"1500ms\"; retry_min = \"1s\"; source_ipv6 = "
    "\"::1\"; };\n"
    "routes = ( { name = \"r\"; destination = \".x.example\"; host = \"h\"; tls = \"implicit\";\n"
    "  username = \"\xc3\xbc\"; password = \"file\"; } );\n"
    "dns = { servers = [ \"192.0.2.1\" ]; trust_anchor = \"/t\"; };\n";

static char *
dump(const struct config *config, bool secrets)
{
	struct buf out = BUF_EMPTY;
	char *text;

	assert_rc(config_dump(config, secrets, &out), RC_OK);
	text = buf_steal(&out);
	assert_non_null(text);
	return text;
}

static char *
difference(const struct config *a, const struct config *b, bool restart)
{
	struct buf out = BUF_EMPTY;

	if (restart)
		config_diff_restart(a, b, &out);
	else
		config_diff(a, b, &out);
	return buf_steal(&out);
}

static void
same(const struct config *a, const struct config *b)
{
	char *text = difference(a, b, false);

	assert_string_equal(text, "");
	free(text);
}

static void
test_dump_reads_back_the_same(void **state)
{
	static const char *const texts[] = { "", full };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *first = must_parse(texts[i]), *second;
		char *text = dump(first, true), *again;

		second = must_parse(text);
		same(first, second);
		again = dump(second, true);
		assert_string_equal(text, again);
		config_unref(first);
		config_unref(second);
		free(text);
		free(again);
	}
}

static void
test_dump_hides_secrets(void **state)
{
	struct config *first = must_parse(full), *second;
	char *text = dump(first, false), *changed;

	(void)state;
	assert_null(strstr(text, "${X}"));
	assert_null(strstr(text, "\"two\""));
	assert_null(strstr(text, "\"file\""));
	assert_non_null(strstr(text, "secret = \"***\";"));
	second = must_parse(text);
	changed = difference(first, second, false);
	assert_string_equal(changed, "accounts\nroutes\n");
	free(changed);
	free(text);
	config_unref(first);
	config_unref(second);
}

static void
test_defaults_read_back_as_an_empty_file(void **state)
{
	struct buf out = BUF_EMPTY;
	struct config *first = must_parse(""), *second;

	(void)state;
	assert_rc(config_dump_defaults(&out), RC_OK);
	assert_non_null(strstr(buf_cstr(&out), "\n\tmax_message_size = \"40M\";\n"));
	assert_non_null(strstr(buf_cstr(&out), "# accounts.credentials.id: "));
	second = must_parse(buf_cstr(&out));
	same(first, second);
	config_unref(first);
	config_unref(second);
	buf_free(&out);
}

static const struct {
	const char *old, *new, *all, *restart;
} changes[] = {
	{ "", "", "", "" },
	{ "loops = 1;", "loops = 2;", "loops\n", "loops\n" },
	{ "", "smtp = { max_recipients = 7; announce_size = false; };",
	    "smtp.max_recipients\nsmtp.announce_size\n", "" },
	{ "", "spool = { directory = \"/x\"; reserve = \"1G\"; };",
	    "spool.directory\nspool.reserve\n", "spool.directory\n" },
	{ "listeners = ( { name = \"a\"; port = 1; } );",
	    "listeners = ( { name = \"a\"; port = 2; } );", "listeners\n", "listeners\n" },
	{ "dns = { servers = [ \"192.0.2.1\" ]; };", "dns = { servers = [ \"192.0.2.2\" ]; };",
	    "dns.servers\n", "dns.servers\n" },
	{ "accounts = ( { name = \"a\"; } );", "accounts = ( { name = \"a\"; send_rate = 1; } );",
	    "accounts\n", "" },
	{ "tls = { min_version = \"1.2\"; };", "tls = { min_version = \"1.3\"; };",
	    "tls.min_version\n", "" },
	{ "", "log = { level = \"debug\"; };", "log.level\n", "" },
};

static void
test_changes_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct config *old = must_parse(changes[i].old), *new = must_parse(changes[i].new);
		char *all = difference(old, new, false), *restart = difference(old, new, true);

		assert_string_equal(all, changes[i].all);
		assert_string_equal(restart, changes[i].restart);
		free(all);
		free(restart);
		config_unref(old);
		config_unref(new);
	}
}

static void
test_a_reference_keeps_it(void **state)
{
	struct config *config = must_parse("region = \"eu-west-1\";");

	(void)state;
	assert_ptr_equal(config_ref(config), config);
	config_unref(config);
	assert_string_equal(config->region, "eu-west-1");
	config_unref(config);
	config_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump_reads_back_the_same),
		cmocka_unit_test(test_dump_hides_secrets),
		cmocka_unit_test(test_defaults_read_back_as_an_empty_file),
		cmocka_unit_test(test_changes_are_named),
		cmocka_unit_test(test_a_reference_keeps_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
