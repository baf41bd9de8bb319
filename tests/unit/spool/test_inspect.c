/* Unit tests of spool/inspect.c: what a look from outside sees, and that it changes nothing. */
#include "config.h"

#include "unit/spool/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/inspect.h"

static void
make_file(struct world *w, const char *name, const char *bytes)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", w->dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
	(void)close(fd);
}

/* The number of findings, and of those that are damage. */
static size_t
look(struct world *w, bool everything, size_t *damage, struct inspection **out)
{
	const struct inspect_finding *findings;
	struct why why = WHY_EMPTY;
	size_t count;

	*damage = 0;
	assert_rc(inspect_open(w->dir, everything, out, &why), RC_OK);
	findings = inspect_findings(*out, &count);
	for (size_t i = 0; i < count; i++)
		*damage += findings[i].damage;
	return count;
}

static void
fill(struct world *w, struct item items[3])
{
	append(w, &items[0], "ended", 100);
	append(w, &items[1], "deferred", 200);
	append(w, &items[2], "new", 300);
	settle(w);
	assert_rc(spool_append_state(w->spool, &items[1].entry, SPAN_LIT("s"), NULL, NULL), RC_OK);
	assert_rc(spool_append_done(w->spool, &items[0].entry, NULL, NULL), RC_OK);
	settle(w);
}

static void
test_a_clean_spool(void **state)
{
	struct world *w = *state;
	struct item items[3];
	struct inspection *in;
	struct message *content;
	const struct inspect_message *m;
	struct why why = WHY_EMPTY;
	size_t damage;

	fill(w, items);
	assert_int_equal(look(w, true, &damage, &in), 0);
	assert_true(inspect_totals(in)->in_use);
	inspect_close(in);
	restart(w);
	for (int everything = 0; everything < 2; everything++) {
		assert_int_equal(look(w, everything, &damage, &in), 0);
		assert_int_equal(inspect_totals(in)->messages, 2);
		assert_int_equal(inspect_totals(in)->digests, 1);
		m = inspect_message(in, 0);
		assert_string_equal(m->account, "deferred");
		assert_int_equal(m->state_size, 1);
		assert_string_equal(inspect_message(in, 1)->account, "new");
		assert_null(inspect_message(in, 2));
		assert_rc(inspect_read(in, m, &content, &why), RC_OK);
		assert_int_equal(content->size, 214);
		assert_string_equal(content->recipients[0].address, "deferred");
		message_unref(content);
		inspect_close(in);
	}
}

static void
test_what_a_crash_leaves(void **state)
{
	struct world *w = *state;
	struct item items[3];
	struct inspection *in;
	size_t damage;

	fill(w, items);
	close_world(w);
	make_file(w, "0000000000000009.new", "x");
	make_file(w, "large/0000000000000077.body", "x");
	make_file(w, "large/0123456789abcdef.tmp", "x");
	assert_int_equal(look(w, true, &damage, &in), 3);
	assert_int_equal(damage, 0);
	assert_false(inspect_totals(in)->in_use);
	inspect_close(in);
	assert_int_equal(count_files(w->dir, ".new"), 1); /* all of it is still there */
	open_world(w);
	assert_int_equal(look(w, true, &damage, &in), 0);
	inspect_close(in);
}

static void
test_damage_has_its_place(void **state)
{
	struct world *w = *state;
	struct item items[3];
	struct inspection *in;
	const struct inspect_finding *f;
	char path[256];
	size_t damage, count;
	int fd;

	fill(w, items);
	close_world(w);
	(void)snprintf(path, sizeof path, "%s/0000000000000001.seg", w->dir);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "\xff", 1, items[1].entry.offset + 100), 1);
	(void)close(fd);
	assert_true(look(w, true, &damage, &in) >= 1);
	assert_true(damage >= 1);
	f = inspect_findings(in, &count);
	assert_string_equal(f[0].file, "0000000000000001.seg");
	assert_int_equal(f[0].from, items[1].entry.offset);
	assert_int_equal(f[0].to, items[2].entry.offset);
	inspect_close(in);
	open_world(w);
}

static void
test_a_directory_that_is_none(void **state)
{
	struct inspection *in;
	struct why why = WHY_EMPTY;

	(void)state;
	assert_rc(inspect_open("/nonexistent/spool", true, &in, &why), RC_LATER);
	assert_null(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_clean_spool, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_a_crash_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_has_its_place, setup, teardown),
		cmocka_unit_test(test_a_directory_that_is_none),
	};

	return cmocka_run_group_tests_name("spool inspect", tests, NULL, NULL);
}
