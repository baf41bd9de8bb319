/* Unit tests of configset/configset.c: sets of the configuration and of the store under the same names, and event
 * destinations. */
#include "config.h"

#include "unit/config/config_test.h"

#include "configset/configset.h"
#include "config/object.h"

static const char text[] =
    "accounts = ({ name = \"a\"; }, { name = \"b\"; });"
    "configuration_sets = ("
    "{ name = \"both\"; account = \"a\"; tls = \"verify\"; tags = [ \"from=file\" ]; },"
    "{ name = \"filed\"; account = \"a\"; });";

static struct config_sets *
sets_of(const char *config_text)
{
	struct config_sets *sets = config_sets_new();
	struct config *config = must_parse(config_text);
	struct why why = WHY_EMPTY;

	assert_non_null(sets);
	assert_rc(config_sets_use(sets, config, &why), RC_OK);
	config_unref(config); /* it lives on in the sets */
	return sets;
}

/* One of the store. tags: words. */
static void
put(struct config_sets *sets, const char *account, const char *name, const char *tags)
{
	union config_object object;
	struct why why = WHY_EMPTY;

	assert_rc(config_object_init(OBJECT_SET, &object), RC_OK);
	assert_rc(
	    config_object_set(OBJECT_SET, &object, SPAN_LIT("account"), span_of(account), &why),
	    RC_OK);
	assert_rc(
	    config_object_set(OBJECT_SET, &object, SPAN_LIT("name"), span_of(name), &why), RC_OK);
	assert_rc(
	    config_object_set(OBJECT_SET, &object, SPAN_LIT("tags"), span_of(tags), &why), RC_OK);
	assert_rc(config_sets_put(sets, &object.set, &why), RC_OK);
	config_object_clear(OBJECT_SET, &object); /* it was copied */
}

/* The tags of the set that is found, "" for none; NULL: no set. */
static const char *
tag_of(const struct config_sets *sets, const char *account, const char *name)
{
	const struct config_set *set = config_set_find(sets, account, span_of(name));

	if (set == NULL)
		return NULL;
	assert_string_equal(set->name, name);
	assert_string_equal(set->account, account);
	return set->tag_count > 0 ? set->tags[set->tag_count - 1] : "";
}

struct names {
	char text[200];
	int left;
};

static bool
add_name(void *arg, const struct config_set *set, bool in_file)
{
	struct names *names = arg;
	size_t len = strlen(names->text);

	(void)snprintf(
	    names->text + len, sizeof names->text - len, "%s%s ", set->name, in_file ? "!" : "");
	return --names->left > 0;
}

/* The names of at most `max` sets of an account, those of the file with a mark. */
static void
check_names(const struct config_sets *sets, const char *account, int max, const char *want)
{
	struct names names = { "", max };

	config_sets_each(sets, account, add_name, &names);
	assert_string_equal(names.text, want);
}

static void
test_sets_of_the_store(void **state)
{
	struct config_sets *sets = sets_of("");
	char longest[65 + 1];

	(void)state;
	assert_null(tag_of(sets, "a", "x"));
	put(sets, "a", "x", "n=1 n2=2");
	put(sets, "b", "x", "n=3");
	put(sets, "a", "y", "");
	assert_string_equal(tag_of(sets, "a", "x"), "n2=2");
	assert_string_equal(tag_of(sets, "b", "x"), "n=3");
	assert_string_equal(tag_of(sets, "a", "y"), "");
	assert_null(tag_of(sets, "b", "y"));
	assert_null(tag_of(sets, "", "x"));
	assert_null(tag_of(sets, "a", "X")); /* names count as they are written */
	put(sets, "a", "x", "n=4");
	assert_string_equal(tag_of(sets, "a", "x"), "n=4");
	check_names(sets, "a", 9, "x y ");
	config_sets_remove(sets, "a", "x");
	config_sets_remove(sets, "a", "x");
	config_sets_remove(sets, "a", "none");
	assert_null(tag_of(sets, "a", "x"));
	assert_string_equal(tag_of(sets, "b", "x"), "n=3");
	config_sets_remove_account(sets, "b");
	config_sets_remove_account(sets, "b");
	assert_null(tag_of(sets, "b", "x"));
	check_names(sets, "a", 9, "y ");
	check_names(sets, "b", 9, "");
	/* The longest names there are, and one that is none. */
	memset(longest, 'n', sizeof longest);
	longest[64] = '\0';
	put(sets, longest, longest, "n=5");
	assert_string_equal(tag_of(sets, longest, longest), "n=5");
	longest[64] = 'n';
	longest[65] = '\0';
	assert_null(tag_of(sets, "a", longest));
	config_sets_remove(sets, "a", longest);
	config_sets_free(sets);
	config_sets_free(NULL);
}

static void
test_the_file_counts(void **state)
{
	struct config_sets *sets = sets_of(text);
	struct config *config;
	struct why why = WHY_EMPTY;

	(void)state;
	put(sets, "a", "both", "from=store");
	put(sets, "a", "stored", "");
	assert_string_equal(tag_of(sets, "a", "both"), "from=file");
	assert_int_equal(config_set_find(sets, "a", SPAN_LIT("both"))->tls, TLS_POLICY_VERIFY);
	assert_true(config_set_in_file(sets, "a", "both"));
	assert_true(config_set_in_file(sets, "a", "filed"));
	assert_false(config_set_in_file(sets, "a", "stored"));
	assert_false(config_set_in_file(sets, "b", "both"));
	check_names(sets, "a", 9, "both! filed! stored ");
	check_names(sets, "a", 1, "both! ");
	check_names(sets, "a", 3, "both! filed! stored ");
	/* What is removed is the store's; the file's stays. */
	config_sets_remove(sets, "a", "filed");
	config_sets_remove_account(sets, "a");
	check_names(sets, "a", 9, "both! filed! ");
	put(sets, "a", "both", "from=store");
	/* A reload without the set: that of the store serves, as it was put. */
	config = must_parse("accounts = ({ name = \"a\"; });"
			    "configuration_sets = ({ name = \"new\"; account = \"a\"; });");
	assert_rc(config_sets_use(sets, config, &why), RC_OK);
	config_unref(config);
	assert_string_equal(tag_of(sets, "a", "both"), "from=store");
	check_names(sets, "a", 9, "new! both ");
	config_sets_free(sets);
}

/* ------------------------------------------------------------------ event destinations -------- */

static enum rc
put_destination(struct config_sets *sets, const char *set, const char *name, bool enabled,
    const char *definition, struct why *why)
{
	char name_copy[80], definition_copy[80];
	struct event_destination destination = { name_copy, enabled, definition_copy };
	enum rc rc;

	(void)snprintf(name_copy, sizeof name_copy, "%s", name);
	(void)snprintf(definition_copy, sizeof definition_copy, "%s", definition);
	rc = config_set_put_destination(sets, "a", set, &destination, why);
	memset(name_copy, 'x', sizeof name_copy); /* they were copied */
	memset(definition_copy, 'x', sizeof definition_copy);
	return rc;
}

/* The definition of one, with a mark when it is not enabled; "": there is none. */
static const char *
destination_of(const struct config_sets *sets, const char *set, const char *name)
{
	static char out[100];
	size_t count;
	const struct event_destination *list = config_set_destinations(sets, "a", set, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0) {
			(void)snprintf(out, sizeof out, "%s%s", list[i].definition,
			    list[i].enabled ? "" : "!");
			return out;
		}
	return "";
}

static size_t
destination_count(const struct config_sets *sets, const char *set)
{
	size_t count;

	(void)config_set_destinations(sets, "a", set, &count);
	return count;
}

static void
test_destinations(void **state)
{
	struct config_sets *sets = sets_of(text);
	struct why why = WHY_EMPTY;

	(void)state;
	put(sets, "a", "s", "");
	assert_rc(put_destination(sets, "s", "d1", true, "{1}", &why), RC_OK);
	assert_rc(put_destination(sets, "s", "d2", false, "{2}", &why), RC_OK);
	assert_rc(put_destination(sets, "s", "d3", true, "{3}", &why), RC_OK);
	assert_string_equal(destination_of(sets, "s", "d1"), "{1}");
	assert_string_equal(destination_of(sets, "s", "d2"), "{2}!");
	assert_rc(put_destination(sets, "s", "d1", false, "{4}", &why), RC_OK);
	assert_string_equal(destination_of(sets, "s", "d1"), "{4}!");
	assert_int_equal(destination_count(sets, "s"), 3);
	/* A set that is changed keeps them, one that is gone does not. */
	put(sets, "a", "s", "n=1");
	assert_int_equal(destination_count(sets, "s"), 3);
	config_set_remove_destination(sets, "a", "s", "d1");
	config_set_remove_destination(sets, "a", "s", "d1");
	config_set_remove_destination(sets, "a", "none", "d2");
	config_set_remove_destination(sets, "b", "s", "d2");
	assert_int_equal(destination_count(sets, "s"), 2);
	assert_string_equal(destination_of(sets, "s", "d2"), "{2}!");
	assert_string_equal(destination_of(sets, "s", "d3"), "{3}");
	config_sets_remove(sets, "a", "s");
	put(sets, "a", "s", "");
	assert_int_equal(destination_count(sets, "s"), 0);
	/* Sets that are not of the store have none. */
	assert_rc(put_destination(sets, "none", "d", true, "", &why), RC_DENY);
	assert_string_equal(why.text, "there is no configuration set \"none\"");
	assert_rc(put_destination(sets, "filed", "d", true, "", &why), RC_DENY);
	assert_int_equal(destination_count(sets, "filed"), 0);
	config_sets_free(sets);
}

static void
test_so_many_destinations(void **state)
{
	struct config_sets *sets = sets_of("");
	struct why why = WHY_EMPTY;
	char name[20];

	(void)state;
	put(sets, "a", "s", "");
	for (int i = 0; i < DESTINATIONS_MAX; i++) {
		(void)snprintf(name, sizeof name, "d%d", i);
		assert_rc(put_destination(sets, "s", name, true, name, &why), RC_OK);
	}
	assert_rc(put_destination(sets, "s", "more", true, "", &why), RC_DENY);
	assert_string_equal(
	    why.text, "configuration set \"s\" has 10 event destinations, and may have no more");
	assert_rc(put_destination(sets, "s", "d9", false, "new", &why), RC_OK);
	config_set_remove_destination(sets, "a", "s", "d0");
	assert_rc(put_destination(sets, "s", "more", true, "", &why), RC_OK);
	assert_int_equal(destination_count(sets, "s"), DESTINATIONS_MAX);
	assert_string_equal(destination_of(sets, "s", "d9"), "new!");
	assert_string_equal(destination_of(sets, "s", "d1"), "d1");
	config_sets_free(sets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets_of_the_store),
		cmocka_unit_test(test_the_file_counts),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_so_many_destinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
