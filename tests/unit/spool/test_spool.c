/* Unit tests of spool/: what was acknowledged is there after a restart, exactly; damage is survived;
 * segments are freed, reused and compacted. The disk is real, in a temporary directory; the writer runs inside a
 * manual loop, so every step is under the test's control. */
#include "config.h"

#include "unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/format.h"
#include "spool/spool.h"

enum {
	SEGMENT = 1 << 20
};

struct item {
	struct spool_entry entry;
	char subject[32]; /* the recipient, as a mark */
	char state[64];
	bool acknowledged, done, failed;
};

struct world {
	char dir[64];
	struct loop *loop;
	struct worker_pool *workers;
	struct spool *spool;
	struct spool_replay_report report;
	struct item *found;
	size_t found_count;
};

static int fail_syncs; /* how many of the next syncs fail */

static int
flaky_sync(int fd)
{
	if (fail_syncs > 0) {
		fail_syncs--;
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}

static int
plain_sync_dir(int fd)
{
	return fsync(fd);
}

static const struct disk_ops flaky_disk = { pwritev, flaky_sync, plain_sync_dir };

static struct spool_entry *
on_message(void *arg, const struct message *envelope)
{
	struct world *w = arg;
	struct item *item = &w->found[w->found_count++];

	*item = (struct item){ 0 };
	(void)snprintf(item->subject, sizeof item->subject, "%s", envelope->recipients[0].address);
	return &item->entry;
}

static void
on_state(void *arg, struct spool_entry *entry, struct span state)
{
	struct item *item = container_of(entry, struct item, entry);

	(void)arg;
	assert_true(span_copy(state, item->state, sizeof item->state));
}

static void
on_done(void *arg, struct spool_entry *entry)
{
	(void)arg;
	container_of(entry, struct item, entry)->done = true;
}

static const struct spool_replay_ops replay_ops = { on_message, on_state, on_done };

static void
open_world(struct world *w)
{
	struct spool_options options = { w->dir, SEGMENT, 0, false, &flaky_disk };
	struct why why = WHY_EMPTY;

	w->loop = loop_new_manual("core");
	w->workers = worker_pool_new(0, 100, &why);
	w->found = calloc(20000, sizeof *w->found);
	w->found_count = 0;
	assert_rc(spool_open(&options, w->loop, w->workers, &w->spool, &why), RC_OK);
	assert_rc(spool_replay(w->spool, &replay_ops, w, &w->report, &why), RC_OK);
}

static void
settle(struct world *w)
{
	while (loop_step(w->loop) > 0)
		continue;
}

static void
close_world(struct world *w)
{
	settle(w);
	spool_close(w->spool);
	loop_free(w->loop);
	worker_pool_free(w->workers);
	free(w->found);
}

/* As after kill -9: what the writer has not written stays unwritten. */
static void
restart(struct world *w)
{
	close_world(w);
	open_world(w);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	(void)snprintf(w->dir, sizeof w->dir, "/tmp/postrider-test-XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	fail_syncs = 0;
	open_world(w);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	close_world(w);
	(void)snprintf(command, sizeof command, "rm -r '%s'", w->dir);
	free(w);
	return system(command);
}

static struct message *
make_message(const char *mark, size_t body)
{
	struct message *m = message_new();
	char *text = malloc(body + 64);

	m->pieces = calloc(2, sizeof *m->pieces);
	memset(text, 'x', body + 64);
	m->pieces[0] = SPAN_LIT("Subject: t\r\n\r\n");
	m->pieces[1] = span_make(text, body);
	m->piece_count = 2;
	m->size = m->pieces[0].len + body;
	assert_rc(message_own(m, text), RC_OK);
	assert_rc(message_set(&m->sender, SPAN_LIT("a@example.com")), RC_OK);
	assert_rc(message_add_recipient(m, span_of(mark), SPAN_EMPTY, 0), RC_OK);
	assert_rc(message_add_tag(m, SPAN_LIT("k"), SPAN_LIT("v")), RC_OK);
	return m;
}

static void
on_commit(void *arg, enum rc rc, const struct why *why)
{
	struct item *item = arg;

	(void)why;
	item->acknowledged = rc == RC_OK;
	item->failed = rc != RC_OK;
}

static void
append(struct world *w, struct item *item, const char *mark, size_t body)
{
	struct message *m = make_message(mark, body);
	struct why why = WHY_EMPTY;

	*item = (struct item){ 0 };
	assert_rc(spool_append_message(w->spool, &item->entry, m, on_commit, item, &why), RC_OK);
	message_unref(m);
}

static void
test_nothing_is_acknowledged_before_the_sync(void **state)
{
	struct world *w = *state;
	struct item item;

	append(w, &item, "one@example.net", 100);
	assert_false(item.acknowledged);
	settle(w);
	assert_true(item.acknowledged);
	restart(w);
	assert_int_equal(w->report.live, 1);
	assert_string_equal(w->found[0].subject, "one@example.net");
}

static void
test_state_and_done_survive(void **state)
{
	struct world *w = *state;
	struct item items[3];

	for (int i = 0; i < 3; i++) {
		char mark[32];

		(void)snprintf(mark, sizeof mark, "r%d@example.net", i);
		append(w, &items[i], mark, 50);
	}
	settle(w);
	assert_rc(
	    spool_append_state(w->spool, &items[1].entry, SPAN_LIT("old"), NULL, NULL), RC_OK);
	assert_rc(
	    spool_append_state(w->spool, &items[1].entry, SPAN_LIT("new"), NULL, NULL), RC_OK);
	assert_rc(spool_append_done(w->spool, &items[0].entry, NULL, NULL), RC_OK);
	restart(w);
	assert_int_equal(w->report.messages, 3);
	assert_int_equal(w->report.live, 2);
	assert_true(w->found[0].done);
	assert_string_equal(w->found[1].state, "new");
	assert_string_equal(w->found[2].state, "");
}

struct loaded {
	struct message *message;
	bool called;
};

static void
on_loaded(void *arg, struct message *message, const struct why *why)
{
	struct loaded *loaded = arg;

	(void)why;
	loaded->called = true;
	loaded->message = message;
}

static void
test_load_gives_the_same_bytes(void **state)
{
	struct world *w = *state;
	struct loaded loaded = { NULL, false };
	struct item item;

	append(w, &item, "one@example.net", 70000);
	settle(w);
	restart(w);
	assert_rc(spool_load(w->spool, &w->found[0].entry, on_loaded, &loaded), RC_OK);
	settle(w);
	assert_true(loaded.called);
	assert_non_null(loaded.message);
	assert_int_equal(loaded.message->size, 70014);
	assert_int_equal(loaded.message->pieces[0].len, 70014);
	assert_memory_equal(loaded.message->pieces[0].p, "Subject: t\r\n\r\nxxxx", 18);
	assert_string_equal(loaded.message->sender, "a@example.com");
	assert_string_equal(loaded.message->tags[0].value, "v");
	message_unref(loaded.message);
}

static void
test_failed_sync_acknowledges_nobody_and_heals(void **state)
{
	struct world *w = *state;
	struct item good, bad[2], later;

	append(w, &good, "good@example.net", 10);
	settle(w);
	fail_syncs = 1;
	append(w, &bad[0], "bad0@example.net", 10);
	append(w, &bad[1], "bad1@example.net", 10);
	settle(w);
	assert_true(good.acknowledged);
	for (int i = 0; i < 2; i++) {
		assert_false(bad[i].acknowledged);
		assert_true(bad[i].failed);
	}
	append(
	    w, &later, "later@example.net", 10); /* in a new segment: never the failed one again */
	assert_ptr_not_equal(later.entry.segment, good.entry.segment);
	settle(w);
	assert_true(later.acknowledged);
	restart(w);
	for (size_t i = 0, seen = 0; i < w->found_count; i++) {
		seen += strcmp(w->found[i].subject, "good@example.net") == 0 ||
			strcmp(w->found[i].subject, "later@example.net") == 0;
		if (i + 1 == w->found_count)
			assert_int_equal(seen, 2);
	}
}

static size_t
count_files(const char *dir, const char *suffix)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(d)) != NULL)
		count += span_iends(span_of(entry->d_name), span_of(suffix));
	(void)closedir(d);
	return count;
}

static void
test_segments_are_freed_and_reused(void **state)
{
	enum {
		COUNT = 200
	};
	struct world *w = *state;
	struct item *items = calloc(COUNT, sizeof *items);
	struct spool_stats stats;

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < COUNT; i++)
			append(w, &items[i], "x@example.net", 20000);
		settle(w);
		for (int i = 0; i < COUNT; i++)
			assert_rc(spool_append_done(w->spool, &items[i].entry, NULL, NULL), RC_OK);
		settle(w);
	}
	spool_stats(w->spool, &stats);
	assert_int_equal(stats.messages, 0);
	assert_true(stats.segments <= 2); /* 20 MB went through 1 MiB segments */
	assert_true(count_files(w->dir, ".seg") <= 2);
	assert_true(count_files(w->dir, ".free") <= 8);
	restart(w);
	assert_int_equal(w->report.live, 0);
	assert_int_equal(w->report.damaged, 0);
	free(items);
}

static void
test_an_old_message_moves_on_and_keeps_its_state(void **state)
{
	enum {
		COUNT = 600
	};
	struct world *w = *state;
	struct item old, *items = calloc(COUNT, sizeof *items);
	struct spool_stats stats;
	struct loaded loaded = { NULL, false };

	append(w, &old, "old@example.net", 3000);
	settle(w);
	assert_rc(
	    spool_append_state(w->spool, &old.entry, SPAN_LIT("deferred"), NULL, NULL), RC_OK);
	for (int i = 0; i < COUNT; i++) {
		append(w, &items[i], "x@example.net", 20000);
		settle(w);
		assert_rc(spool_append_done(w->spool, &items[i].entry, NULL, NULL), RC_OK);
		settle(w);
	}
	spool_stats(w->spool, &stats);
	assert_true(stats.segments <= 6); /* 12 MB passed while one message waited */
	assert_rc(spool_load(w->spool, &old.entry, on_loaded, &loaded), RC_OK);
	settle(w);
	assert_non_null(loaded.message);
	assert_string_equal(loaded.message->recipients[0].address, "old@example.net");
	message_unref(loaded.message);
	restart(w);
	assert_int_equal(w->report.live, 1);
	for (size_t i = 0; i < w->found_count; i++)
		if (!w->found[i].done) {
			assert_string_equal(w->found[i].subject, "old@example.net");
			assert_string_equal(w->found[i].state, "deferred");
		}
	free(items);
}

/* The path of the only segment with records. */
static void
segment_path(struct world *w, char *out, size_t size)
{
	DIR *d = opendir(w->dir);
	struct dirent *entry;

	while ((entry = readdir(d)) != NULL)
		if (span_iends(span_of(entry->d_name), SPAN_LIT(".seg")))
			(void)snprintf(out, size, "%s/%s", w->dir, entry->d_name);
	(void)closedir(d);
}

static void
test_damage_does_not_hide_what_lies_behind(void **state)
{
	struct world *w = *state;
	struct item items[5];
	char path[512];
	uint32_t at;
	int fd;

	for (int i = 0; i < 5; i++)
		append(w, &items[i], "x@example.net", 500);
	settle(w);
	at = items[2].entry.offset + 100;
	segment_path(w, path, sizeof path);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "\xff", 1, at), 1);
	(void)close(fd);
	restart(w);
	assert_int_equal(w->report.live, 4);
	assert_int_equal(w->report.damaged, 1);
}

static void
test_a_cut_record_is_not_there(void **state)
{
	struct world *w = *state;
	struct item items[2];
	char path[512];
	int fd;

	append(w, &items[0], "x@example.net", 500);
	append(w, &items[1], "y@example.net", 5000);
	settle(w);
	segment_path(w, path, sizeof path);
	for (uint32_t cut = 0; cut < 5000;
	     cut += 617) { /* bytes behind the cut were never written */
		static const char zeros[8192];

		fd = open(path, O_RDWR);
		assert_true(
		    pwrite(fd, zeros, sizeof zeros, items[1].entry.offset + 5000 - cut) > 0);
		(void)close(fd);
		restart(w);
		assert_int_equal(w->report.live, 1);
		assert_string_equal(w->found[0].subject, "x@example.net");
	}
}

static void
test_foreign_files_do_not_matter(void **state)
{
	struct world *w = *state;
	struct item item;
	char path[512];

	append(w, &item, "x@example.net", 500);
	settle(w);
	(void)snprintf(path, sizeof path, "%s/00000000000000f0.seg", w->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(path, sizeof path, "%s/00000000000000f1.seg", w->dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	(void)snprintf(path, sizeof path, "%s/00000000000000f2.seg", w->dir);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	restart(w);
	assert_int_equal(w->report.live, 1);
	assert_int_equal(w->report.damaged, 3);
}

static void
test_second_daemon_is_refused(void **state)
{
	struct world *w = *state;
	struct spool_options options = { w->dir, SEGMENT, 0, false, NULL };
	struct why why = WHY_EMPTY;
	struct spool *second;

	assert_rc(spool_open(&options, w->loop, w->workers, &second, &why), RC_DENY);
	assert_non_null(strstr(why.text, "in use"));
}

static void
test_full_disk_refuses_with_452(void **state)
{
	struct world *w = *state;
	struct spool_options options = { w->dir, SEGMENT, UINT64_MAX, false, NULL };
	struct why why = WHY_EMPTY;

	spool_close(w->spool);
	assert_rc(spool_open(&options, w->loop, w->workers, &w->spool, &why), RC_OK);
	assert_rc(spool_accepts(w->spool, &why), RC_LATER);
	assert_int_equal(why.code, 452);
}

/* The message is moved to the end, its state lies in a segment before that: replay meets the state first. */
static void
test_a_state_in_front_of_its_moved_message_counts(void **state)
{
	enum {
		FILL = 260,
		FILL_BODY = 20000
	};
	struct world *w = *state;
	struct item keep, heavy, *fill = calloc(FILL, sizeof *fill);
	struct segment *first;
	bool found = false;

	append(w, &keep, "keep@example.net", 1000);
	for (int i = 0; i < 60; i++) /* into the second segment */
		append(w, &fill[i], "fill@example.net", FILL_BODY);
	settle(w);
	first = keep.entry.segment;
	assert_ptr_not_equal(fill[59].entry.segment, first);
	assert_rc(
	    spool_append_state(w->spool, &keep.entry, SPAN_LIT("settled"), NULL, NULL), RC_OK);
	append(w, &heavy, "heavy@example.net",
	    SEGMENT / 2); /* keeps that segment from being moved too */
	for (int i = 60; i < FILL; i++)
		append(w, &fill[i], "fill@example.net", FILL_BODY);
	settle(w);
	for (int i = 0; i < FILL && keep.entry.segment == first; i++) {
		int k = i < 60 ? i : FILL - 1 - (i - 60);

		assert_rc(spool_append_done(w->spool, &fill[k].entry, NULL, NULL), RC_OK);
		settle(w);
	}
	assert_ptr_not_equal(keep.entry.segment, first);
	restart(w);
	for (size_t i = 0; i < w->found_count; i++)
		if (strcmp(w->found[i].subject, "keep@example.net") == 0) {
			assert_string_equal(w->found[i].state, "settled");
			found = true;
		}
	assert_true(found);
	free(fill);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_nothing_is_acknowledged_before_the_sync, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_and_done_survive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load_gives_the_same_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_failed_sync_acknowledges_nobody_and_heals, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_segments_are_freed_and_reused, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_an_old_message_moves_on_and_keeps_its_state, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_state_in_front_of_its_moved_message_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_damage_does_not_hide_what_lies_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_cut_record_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_files_do_not_matter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_daemon_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk_refuses_with_452, setup, teardown),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
