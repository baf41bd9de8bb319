/* The schema table itself, and that postrider.conf(5) says the same. */
#include "config.h"

#include "unit/config/config_test.h"

#include "config/schema.h"
#include "util/fsutil.h"

#define MAN_PAGE  TEST_SRCDIR "/../doc/postrider.conf.5"
#define EXAMPLE	  TEST_SRCDIR "/../etc/postrider.conf"
#define ITEMS_MAX 200

/* One .It Ic of the manual page: group and name, and its last line. */
struct item {
	char path[128];
	char line[512];
	bool seen;
};
struct page {
	struct item items[ITEMS_MAX];
	size_t count;
};

static void
read_page(struct page *page)
{
	struct buf text = BUF_EMPTY;
	struct span rest, line, group = SPAN_EMPTY;
	bool settings = false;
	struct item *item = NULL;

	assert_rc(fsutil_read_file(MAN_PAGE, 1 << 20, &text, NULL), RC_OK);
	rest = buf_span(&text);
	page->count = 0;
	while (span_next(&rest, '\n', &line)) {
		if (span_starts(line, SPAN_LIT(".Sh "))) {
			settings = span_eq(line, SPAN_LIT(".Sh SETTINGS"));
			group = SPAN_EMPTY;
		}
		if (!settings)
			continue;
		if (span_starts(line, SPAN_LIT(".Ss "))) {
			group = span_skip(line, 4);
			item = NULL;
		} else if (span_starts(line, SPAN_LIT(".It Ic "))) {
			assert_true(page->count < ITEMS_MAX);
			item = &page->items[page->count++];
			item->seen = false;
			(void)snprintf(item->path, sizeof item->path, "%.*s%s%.*s", SPAN_ARG(group),
			    group.len > 0 ? "." : "", SPAN_ARG(span_skip(line, 7)));
		} else if (item != NULL && line.len > 0 && line.p[0] != '.') {
			assert_true(span_copy(line, item->line, sizeof item->line));
		}
	}
	buf_free(&text);
}

static struct item *
find_item(struct page *page, const char *path)
{
	for (size_t i = 0; i < page->count; i++)
		if (strcmp(page->items[i].path, path) == 0)
			return &page->items[i];
	return NULL;
}

/* The page names the paths of a build for a distribution. */
static void
replace(char *line, size_t size, const char *from, const char *to)
{
	char *at = strstr(line, from), tail[512];

	if (at == NULL)
		return;
	assert_true(span_copy(span_of(at + strlen(from)), tail, sizeof tail));
	(void)snprintf(at, size - (size_t)(at - line), "%s%s", to, tail);
}

static void
check_item(const struct schema_group *group, const struct schema_row *row, bool restart, void *arg)
{
	struct page *page = arg;
	struct buf want = BUF_EMPTY;
	char path[128], line[512];
	struct item *item;

	if (row->type == SCHEMA_GROUP)
		return;
	(void)snprintf(
	    path, sizeof path, "%s%s%s", group->path, *group->path != '\0' ? "." : "", row->name);
	item = find_item(page, path);
	if (item == NULL)
		fail_msg("postrider.conf(5) lacks %s", path);
	schema_describe(row, restart, &want);
	assert_true(span_copy(buf_span(&want), line, sizeof line));
	replace(line, sizeof line, POSTRIDER_STATEDIR, "/var/lib/postrider");
	replace(line, sizeof line, POSTRIDER_SPOOLDIR, "/var/spool/postrider");
	replace(line, sizeof line, POSTRIDER_RUNDIR, "/run/postrider");
	assert_string_equal(item->line, line);
	item->seen = true;
	buf_free(&want);
}

static void
test_manual_page_and_schema_agree(void **state)
{
	static struct page page;

	(void)state;
	read_page(&page);
	schema_each(check_item, &page);
	for (size_t i = 0; i < page.count; i++)
		if (!page.items[i].seen)
			fail_msg("postrider.conf(5) documents %s, which is no setting",
			    page.items[i].path);
}

static void
check_row(const struct schema_group *group, const struct schema_row *row, bool restart, void *arg)
{
	size_t *count = arg;

	(void)restart;
	(*count)++;
	assert_ptr_equal(schema_find(group, span_of(row->name)), row); /* names are unique */
	assert_non_null(row->help);
	assert_true(row->help[strlen(row->help) - 1] != '.');
	if (row->type == SCHEMA_ENUM) {
		assert_non_null(row->choices);
		assert_true(row->width == sizeof(int64_t) || row->width == sizeof(unsigned));
	}
	if (row->type == SCHEMA_INT || row->type == SCHEMA_FLOAT || row->type == SCHEMA_SIZE ||
	    row->type == SCHEMA_DURATION)
		assert_true(row->min < row->max);
	if (row->type == SCHEMA_LIST) {
		assert_true(row->group->element_size > 0);
		assert_non_null(schema_find(row->group, span_of(row->group->key)));
	}
}

static void
test_rows_are_complete(void **state)
{
	size_t count = 0;

	(void)state;
	schema_each(check_row, &count);
	assert_true(count > 90);
}

static void
test_nearest_name(void **state)
{
	static const struct {
		const char *given, *found;
	} cases[] = {
		{ "hostnam", "hostname" },
		{ "hostmane", "hostname" },
		{ "Region", "region" },
		{ "accountz", "accounts" },
		{ "identity", NULL },
		{ "ident", "identities" },
		{ "configuration_set", "configuration_sets" },
		{ "x", NULL },
		{ "", NULL },
		{ "a_name_that_is_very_much_longer_than_any_name_that_could_be_a_slip_of_the_"
		  "keyboard",
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct schema_row *row =
		    schema_nearest(schema_root(), span_of(cases[i].given));

		if (cases[i].found == NULL)
			assert_null(row);
		else
			assert_string_equal(row == NULL ? "nothing" : row->name, cases[i].found);
	}
}

static void
add_text(const char *path, bool uncomment, struct buf *out)
{
	struct buf text = BUF_EMPTY;
	struct span rest, line;

	assert_rc(fsutil_read_file(path, 1 << 20, &text, NULL), RC_OK);
	rest = buf_span(&text);
	while (span_next(&rest, '\n', &line)) {
		size_t mark = span_find(line, '#');

		/* settings are commented out with "#" alone, remarks begin with "# " */
		if (uncomment && mark < line.len - 1 &&
		    span_trim(span_first(line, mark)).len == 0 && line.p[mark + 1] != ' ')
			line = span_skip(line, mark + 1);
		buf_addf(out, "%.*s\n", SPAN_ARG(line));
	}
	buf_free(&text);
}

static void
test_example_is_valid(void **state)
{
	struct buf text = BUF_EMPTY;
	struct config *config;

	(void)state;
	add_text(EXAMPLE, false, &text);
	config = must_parse(buf_cstr(&text));
	assert_int_equal(config->account_count, 0);
	config_unref(config);
	buf_free(&text);
}

/* What the example has commented out is right, too, but for the file that nobody has. */
static void
test_commented_example_is_valid(void **state)
{
	struct buf text = BUF_EMPTY;
	struct config_errors errors;
	struct config *config;

	(void)state;
	add_text(EXAMPLE, true, &text);
	assert_rc(config_parse(buf_cstr(&text), "t", &config, &errors), RC_BAD);
	assert_int_equal(errors.count, 1);
	assert_string_equal(
	    errors.list[0].text, "secret: /etc/postrider/secrets/web: No such file or directory");
	config_errors_free(&errors);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual_page_and_schema_agree),
		cmocka_unit_test(test_rows_are_complete),
		cmocka_unit_test(test_nearest_name),
		cmocka_unit_test(test_example_is_valid),
		cmocka_unit_test(test_commented_example_is_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
