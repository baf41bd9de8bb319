/* config_load: conf.d, includes, secrets in files and in the environment, files that cannot be read. */
#include "config.h"

#include "unit/config/config_test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "util/fsutil.h"

static char dir[] = "/tmp/postrider-config-XXXXXX";

static const char *
in_dir(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void
put_bytes(const char *name, mode_t mode, struct span bytes)
{
	FILE *file = fopen(in_dir(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes.p, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(in_dir(name), mode), 0);
}

static void
put(const char *name, const char *text)
{
	put_bytes(name, 0640, span_of(text));
}

static int
setup(void **state)
{
	static char template[] = "/tmp/postrider-config-XXXXXX";

	(void)state;
	(void)strcpy(dir, template);
	return mkdtemp(dir) == NULL || mkdir(in_dir("conf.d"), 0755) != 0;
}

static int
teardown(void **state)
{
	char command[300];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -r '%s'", dir);
	return system(command);
}

static struct config *
must_load(void)
{
	struct config_errors errors;
	struct config *config;
	enum rc rc = config_load(in_dir("p.conf"), &config, &errors);
	char *shown = take_errors(&errors);

	assert_string_equal(shown, "");
	free(shown);
	assert_rc(rc, RC_OK);
	return config;
}

/* `want` has "@" for the directory. */
static void
must_fail(const char *want)
{
	struct config_errors errors;
	struct config *config;
	struct buf text = BUF_EMPTY;
	char *shown;

	assert_rc(config_load(in_dir("p.conf"), &config, &errors), RC_BAD);
	assert_null(config);
	for (; *want != '\0'; want++) {
		if (*want == '@')
			buf_addf(&text, "%s", dir);
		else
			buf_add_char(&text, *want);
	}
	shown = take_errors(&errors);
	assert_string_equal(shown, buf_cstr(&text));
	free(shown);
	buf_free(&text);
}

static void
test_drop_ins_come_in_sorted_order(void **state)
{
	struct config *config;

	(void)state;
	put("p.conf", "smtp = { idle = \"1s\"; }; accounts = ( { name = \"a\"; } );");
	put("conf.d/20-x.conf", "accounts = ( { name = \"c\"; } );");
	put("conf.d/10-x.conf", "accounts = ( { name = \"b\"; } ); smtp = { data = \"1m\"; };");
	put("conf.d/Z.conf", "accounts = ( { name = \"d\"; } );");
	put("conf.d/a.conf", "accounts = ( { name = \"e\"; } );");
	put("conf.d/30-x.conf.bak", "broken");
	put("conf.d/.hidden.conf", "broken");
	put("conf.d/.conf", "broken");
	config = must_load();
	assert_int_equal(config->account_count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(config->accounts[i].name[0], "abcde"[i]);
	assert_int_equal(config->smtp.idle_ms, 1000);
	assert_int_equal(config->smtp.data_ms, 60000);
	config_unref(config);
}

static void
test_errors_of_all_files(void **state)
{
	(void)state;
	put("p.conf", "loops = 1;\nlisteners = ( { name = \"a\"; port = 25; } );\nsmtp = { idle = "
		      "\"2s\"; };");
	put("conf.d/1.conf", "\nloops = 2;\n");
	put("conf.d/2.conf", "listeners = (\n{ name = \"a\"; port = 26; } );\n");
	put("conf.d/3.conf", "smtp = { idle = \"3s\"; };");
	put("conf.d/4.conf", "loops = ;");
	put("conf.d/5.conf", "nonsense = 1;");
	must_fail(
	    "@/conf.d/1.conf:2:1: loops is set twice, first at @/p.conf:1\n"
	    "@/conf.d/3.conf:1:10: smtp.idle is set twice, first at @/p.conf:3\n"
	    "@/conf.d/4.conf:1:9: expected a value, found \";\"\n"
	    "@/conf.d/5.conf:1:1: unknown setting \"nonsense\"; known are hostname, region, "
	    "provider_domain, simulator_domain, vendor, state_directory, loops, workers, log, "
	    "spool, "
	    "store, control, metrics, tls, listeners, smtp, content, accounts, identities, "
	    "configuration_sets, "
	    "delivery, pools, "
	    "routes, dns\n"
	    "@/conf.d/2.conf:2:3: two listeners are called \"a\"; the other one is at "
	    "@/p.conf:2\n");
}

/* A file that cannot be read may hold the account that seems to be missing. */
static void
test_a_broken_file_hides_no_names(void **state)
{
	(void)state;
	put("p.conf", "identities = ( { name = \"x.example\"; account = \"a\"; } );");
	put("conf.d/1.conf", "accounts = ( { name = \"a\" }");
	must_fail("@/conf.d/1.conf:1:12: this \"(\" is never closed\n");
}

static void
test_includes_are_relative_to_their_file(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(mkdir(in_dir("sub"), 0755), 0);
	put("p.conf", "accounts = (\n@include \"sub/list.inc\"\n);\nloops = 3;");
	put("sub/list.inc", "{ name = \"a\"; },\n  @include \"more.inc\"\n");
	put("sub/more.inc", "{ name = \"b\"; }");
	config = must_load();
	assert_int_equal(config->account_count, 2);
	assert_string_equal(config->accounts[1].name, "b");
	assert_int_equal(config->loops, 3);
	config_unref(config);

	put("sub/more.inc", "{ name = \"b\";\n  send_rat = 1; }");
	must_fail("@/sub/more.inc:2:3: unknown setting \"send_rat\" in account \"b\"; did you mean "
		  "\"send_rate\"?\n");
	put("sub/more.inc", "@include \"none.inc\"");
	must_fail("@/sub/more.inc:1:1: cannot include @/sub/none.inc: No such file or directory\n");
	put("sub/more.inc", "@include \"more.inc\"");
	must_fail("@/sub/more.inc:1:1: files include each other more than 10 deep\n");
}

static void
test_files_that_are_no_configuration(void **state)
{
	struct buf big = BUF_EMPTY;

	(void)state;
	must_fail("@/p.conf: No such file or directory\n");
	put_bytes("p.conf", 0640, span_make("loops = 1;\nx\0y", 14));
	must_fail("@/p.conf:2:2: a NUL byte: this is no text file\n");
	for (int i = 0; i < 1 << 17; i++)
		buf_addf(&big, "# %-61d\n", i);
	put_bytes("p.conf", 0640, buf_span(&big));
	config_unref(must_load()); /* 8 MiB are the limit, not above it */
	buf_addf(&big, "#");
	put_bytes("p.conf", 0640, buf_span(&big));
	must_fail("@/p.conf: larger than 8388608 bytes\n");
	assert_int_equal(unlink(in_dir("p.conf")), 0);
	assert_int_equal(mkfifo(in_dir("p.conf"), 0600), 0);
	must_fail("@/p.conf: not a regular file\n");
	buf_free(&big);
}

#define ACCOUNT(secret) \
	"accounts = ( { name = \"a\"; credentials = (\n{ id = \"AKIA0000000000000001\";\nsecret " \
	"= \"" secret "\"; } ); } );"

static void
put_account_with_file(const char *secret_file)
{
	struct buf text = BUF_EMPTY;

	buf_addf(&text,
	    "accounts = ( { name = \"a\"; credentials = ( { id = \"AKIA0000000000000001\";\n"
	    "secret = \"file:%s/%s\"; } ); } );",
	    dir, secret_file);
	put("p.conf", buf_cstr(&text));
	buf_free(&text);
}

static void
secret_is(const char *want)
{
	struct config *config = must_load();

	assert_string_equal(config->accounts[0].credentials[0].secret, want);
	config_unref(config);
}

static void
test_secrets_from_the_environment(void **state)
{
	(void)state;
	put("p.conf", ACCOUNT("${POSTRIDER_TEST_SECRET}"));
	assert_int_equal(unsetenv("POSTRIDER_TEST_SECRET"), 0);
	must_fail("@/p.conf:3:1: secret is to come from the environment, but POSTRIDER_TEST_SECRET "
		  "is not set "
		  "there\n");
	assert_int_equal(setenv("POSTRIDER_TEST_SECRET", "", 1), 0);
	must_fail("@/p.conf:3:1: secret is to come from the environment, but POSTRIDER_TEST_SECRET "
		  "is empty "
		  "there\n");
	assert_int_equal(setenv("POSTRIDER_TEST_SECRET", "hidden\n", 1), 0);
	must_fail(
	    "@/p.conf:3:1: secret must be 1 to 1024 bytes of UTF-8 without control characters\n");
	assert_int_equal(setenv("POSTRIDER_TEST_SECRET", "file:/x", 1), 0);
	secret_is("file:/x"); /* a value is never a reference again */
	put("p.conf", ACCOUNT("${POSTRIDER_TEST_SECRET}x"));
	must_fail("@/p.conf:3:1: secret must be \"${NAME}\" and nothing behind it; to give text "
		  "that begins with "
		  "\"${\", put \"plain:\" in front\n");
	put("p.conf", ACCOUNT("plain:${X"));
	secret_is("${X");
}

static void
test_secrets_from_files(void **state)
{
	(void)state;
	put_account_with_file("key");
	must_fail("@/p.conf:2:1: secret: @/key: No such file or directory\n");
	put_bytes("key", 0600, SPAN_LIT("from file\n"));
	secret_is("from file");
	put_bytes("key", 0640, SPAN_LIT("from file"));
	secret_is("from file");
	put_bytes("key", 0644, SPAN_LIT("from file"));
	must_fail("@/p.conf:2:1: secret: @/key: others may read this secret (mode 0644); chmod "
		  "o-rwx it\n");
	put_bytes("key", 0600, SPAN_LIT("\n"));
	must_fail("@/p.conf:2:1: secret: @/key: empty\n");
	put_bytes("key", 0600, SPAN_LIT("two\nlines"));
	must_fail(
	    "@/p.conf:2:1: secret must be 1 to 1024 bytes of UTF-8 without control characters\n");
	put_bytes("key", 0600, SPAN_LIT("\xff\xfe"));
	must_fail(
	    "@/p.conf:2:1: secret must be 1 to 1024 bytes of UTF-8 without control characters\n");
	put_account_with_file("");
	must_fail("@/p.conf:2:1: secret: @/: not a regular file\n");
	put("p.conf", ACCOUNT("file:relative"));
	must_fail("@/p.conf:3:1: secret must be \"file:\" and an absolute path\n");
}

static void
test_a_secret_in_a_file_for_all_is_an_error(void **state)
{
	(void)state;
	put_bytes("p.conf", 0644, span_of(ACCOUNT("text")));
	must_fail("@/p.conf:3:1: secret stands in a file that others may read; chmod o-rwx the "
		  "file, or use "
		  "\"file:/path\"\n");
	put_bytes("p.conf", 0640, span_of(ACCOUNT("text")));
	secret_is("text");
	/* it is the file that holds the secret that counts */
	put_bytes("p.conf", 0644, SPAN_LIT("@include \"sub.inc\"\n"));
	put_bytes("sub.inc", 0600, span_of(ACCOUNT("text")));
	secret_is("text");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_drop_ins_come_in_sorted_order),
		TEST(test_errors_of_all_files),
		TEST(test_a_broken_file_hides_no_names),
		TEST(test_includes_are_relative_to_their_file),
		TEST(test_files_that_are_no_configuration),
		TEST(test_secrets_from_the_environment),
		TEST(test_secrets_from_files),
		TEST(test_a_secret_in_a_file_for_all_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
