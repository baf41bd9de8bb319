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
#include "unit/spool/world.h"

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
	assert_int_equal(w->ended_count, 1);
	assert_int_equal(w->found_count, 2);
	assert_string_equal(w->found[0].subject, "r1@example.net");
	assert_string_equal(w->found[0].state, "new");
	assert_string_equal(w->found[1].state, "");
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
	assert_int_not_equal(later.entry.segment, good.entry.segment);
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
	assert_int_equal(w->found_count, 1);
	assert_string_equal(w->found[0].subject, "old@example.net");
	assert_string_equal(w->found[0].state, "deferred");
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
	struct spool_options options = { .directory = w->dir, .segment_bytes = SEGMENT };
	struct why why = WHY_EMPTY;
	struct spool *second;

	assert_rc(spool_open(&options, w->loop, w->workers, &second, &why), RC_DENY);
	assert_non_null(strstr(why.text, "in use"));
}

static void
test_full_disk_refuses_with_452(void **state)
{
	struct world *w = *state;
	struct spool_options options = {
		.directory = w->dir, .segment_bytes = SEGMENT, .reserve_bytes = UINT64_MAX
	};
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
	uint32_t first;
	bool found = false;

	append(w, &keep, "keep@example.net", 1000);
	for (int i = 0; i < 60; i++) /* into the second segment */
		append(w, &fill[i], "fill@example.net", FILL_BODY);
	settle(w);
	first = keep.entry.segment;
	assert_int_not_equal(fill[59].entry.segment, first);
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
	assert_int_not_equal(keep.entry.segment, first);
	restart(w);
	for (size_t i = 0; i < w->found_count; i++)
		if (strcmp(w->found[i].subject, "keep@example.net") == 0) {
			assert_string_equal(w->found[i].state, "settled");
			found = true;
		}
	assert_true(found);
	free(fill);
}

/* While replay still tells, messages that it has told end, change and are moved, and new ones come; nothing comes back. */
static void
test_replay_in_steps_goes_with_work(void **state)
{
	enum {
		COUNT = 150
	};
	struct world *w = *state;
	struct item *items = calloc(COUNT, sizeof *items), fresh;
	struct spool_stats stats;
	struct why why = WHY_EMPTY;
	size_t ended = 0, told = 0;
	enum rc rc = RC_MORE;
	char mark[32];

	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(mark, sizeof mark, "%d", i);
		append(w, &items[i], mark, 20000);
	}
	settle(w);
	for (int i = 0; i < COUNT; i += 3)
		assert_rc(spool_append_done(w->spool, &items[i].entry, NULL, NULL), RC_OK);
	settle(w);
	close_world(w);
	open_world_only(w);
	assert_rc(spool_replay_begin(w->spool, &world_replay_ops, w, &why), RC_OK);
	while (rc == RC_MORE) {
		rc = spool_replay_step(w->spool, 7, &w->report, &why);
		if (told == 0)
			append(w, &fresh, "fresh", 100);
		for (; told < w->found_count; told++) {
			struct item *item = &w->found[told];

			if (told % 2 == 0) {
				assert_rc(
				    spool_append_done(w->spool, &item->entry, NULL, NULL), RC_OK);
				ended++;
			} else {
				assert_rc(spool_append_state(
					      w->spool, &item->entry, SPAN_LIT("seen"), NULL, NULL),
				    RC_OK);
			}
		}
		settle(w);
	}
	assert_rc(rc, RC_OK);
	assert_true(fresh.acknowledged);
	assert_int_equal(w->found_count, COUNT - COUNT / 3);
	assert_int_equal(w->report.live, COUNT - COUNT / 3);
	assert_int_equal(w->ended_count, COUNT / 3);
	spool_stats(w->spool, &stats);
	assert_int_equal(stats.messages, w->found_count - ended + 1);
	restart(w);
	assert_int_equal(w->found_count, COUNT - COUNT / 3 - ended + 1);
	for (size_t i = 0; i < w->found_count; i++)
		assert_string_equal(
		    w->found[i].state, strcmp(w->found[i].subject, "fresh") == 0 ? "" : "seen");
	free(items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_nothing_is_acknowledged_before_the_sync),
		BOTH(test_state_and_done_survive),
		BOTH(test_load_gives_the_same_bytes),
		BOTH(test_failed_sync_acknowledges_nobody_and_heals),
		BOTH(test_segments_are_freed_and_reused),
		BOTH(test_an_old_message_moves_on_and_keeps_its_state),
		BOTH(test_replay_in_steps_goes_with_work),
		BOTH(test_a_state_in_front_of_its_moved_message_counts),
		{ "test_damage_does_not_hide_what_lies_behind",
		    test_damage_does_not_hide_what_lies_behind, setup_records, teardown, NULL },
		{ "test_a_cut_record_is_not_there", test_a_cut_record_is_not_there, setup_records,
		    teardown, NULL },
		BOTH(test_foreign_files_do_not_matter),
		BOTH(test_second_daemon_is_refused),
		BOTH(test_full_disk_refuses_with_452),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
