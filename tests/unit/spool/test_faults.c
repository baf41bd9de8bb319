/* Unit tests of spool/ when things go wrong: commits that fail, disks that are full, digests in doubt, messages that kill. */
#include "config.h"

#include "unit/spool/world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "spool/digest.h"
#include "spool/format.h"
#include "util/clock.h"

/* ------------------------------------------------------------------ commits that fail --------- */

static int64_t ahead_us;

static int64_t
system_us(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t
mono_us(void)
{
	return system_us(CLOCK_MONOTONIC) + ahead_us;
}

static int64_t
wall_us(void)
{
	return system_us(CLOCK_REALTIME) + ahead_us;
}

static const struct clock_source shifted = { mono_us, wall_us };

static void
test_a_refused_message_does_not_come_back(void **state)
{
	struct world *w = *state;
	struct item good, bad[3];

	append(w, &good, "good", 10);
	settle(w);
	fail_syncs = 1;
	for (int i = 0; i < 3; i++)
		append(w, &bad[i], "bad", 10); /* written, not synced: the bytes are in the file */
	settle(w);
	for (int i = 0; i < 3; i++)
		assert_true(bad[i].failed);
	restart(w);
	assert_int_equal(w->report.live, 1);
	assert_non_null(find_item(w, "good"));
	assert_null(find_item(w, "bad"));
}

static void
test_outcomes_wait_until_commits_work(void **state)
{
	struct world *w = *state;
	struct spool_stats stats;
	struct why why = WHY_EMPTY;
	struct item a, b, refused;
	struct message *m;

	append(w, &a, "a", 10);
	append(w, &b, "b", 10);
	settle(w);
	fail_syncs = 1000;
	assert_rc(spool_append_state(w->spool, &a.entry, SPAN_LIT("first"), NULL, NULL), RC_OK);
	settle(w);
	/* Now it is known: what follows waits behind what failed. */
	assert_rc(spool_append_state(w->spool, &a.entry, SPAN_LIT("second"), NULL, NULL), RC_OK);
	assert_rc(spool_append_done(w->spool, &b.entry, NULL, NULL), RC_OK);
	settle(w);
	spool_stats(w->spool, &stats);
	assert_true(stats.failing);
	assert_int_equal(stats.parked, 3);
	assert_non_null(strstr(stats.failure, "sync"));
	assert_rc(spool_accepts(w->spool, &why), RC_LATER);
	assert_int_equal(why.code, 451);
	m = make_message("refused", 10);
	assert_rc(spool_append_message(w->spool, &refused.entry, m, NULL, NULL, &why), RC_LATER);
	message_unref(m);
	for (int i = 0; i < 5; i++) { /* probes fail, less and less often */
		ahead_us += 40 * 1000000;
		settle(w);
	}
	spool_stats(w->spool, &stats);
	assert_true(stats.failing);
	fail_syncs = 0;
	ahead_us += 40 * 1000000;
	settle(w);
	spool_stats(w->spool, &stats);
	assert_false(stats.failing);
	assert_int_equal(stats.parked, 0);
	assert_rc(spool_accepts(w->spool, &why), RC_OK);
	restart(w);
	assert_int_equal(w->report.live, 1);
	assert_string_equal(find_item(w, "a")->state, "second");
	ahead_us = 0;
}

static void
test_a_clean_end_tries_once_more(void **state)
{
	struct world *w = *state;
	struct item a, b;

	append(w, &a, "a", 10);
	append(w, &b, "b", 10);
	settle(w);
	fail_syncs = 2; /* the state, and the first probe */
	assert_rc(spool_append_state(w->spool, &a.entry, SPAN_LIT("state"), NULL, NULL), RC_OK);
	settle(w);
	assert_rc(spool_append_done(w->spool, &b.entry, NULL, NULL), RC_OK);
	restart(w);
	assert_int_equal(w->report.live, 1);
	assert_string_equal(find_item(w, "a")->state, "state");
}

/* A state that failed must not come behind the one that has replaced it, although that one is durable already. */
static void
test_an_older_state_never_wins(void **state)
{
	struct world *w = *state;
	char *big = malloc(SPOOL_STATE_MAX);
	struct item a;
	uint64_t room;

	memset(big, 'o', SPOOL_STATE_MAX);
	append(w, &a, "a", SEGMENT - SEGMENT_HEADER_SIZE - SPOOL_STATE_MAX);
	settle(w);
	room = SEGMENT - a.entry.offset - record_space(a.entry.size) - RECORD_HEADER_SIZE;
	assert_true(room <= SPOOL_STATE_MAX);
	/* "old" just fits into this segment, "new" goes to the next: the same batch, only the first of them fails. */
	fail_syncs = 1;
	assert_rc(spool_append_state(w->spool, &a.entry, span_make(big, (size_t)room), NULL, NULL),
	    RC_OK);
	assert_int_equal(a.entry.state_segment, a.entry.segment);
	assert_rc(spool_append_state(w->spool, &a.entry, SPAN_LIT("new"), NULL, NULL), RC_OK);
	assert_int_not_equal(a.entry.state_segment, a.entry.segment);
	assert_rc(spool_append_state(w->spool, &a.entry, span_make(big, 40), NULL, NULL), RC_OK);
	settle(w);
	assert_rc(spool_append_state(w->spool, &a.entry, SPAN_LIT("newest"), NULL, NULL), RC_OK);
	settle(w);
	restart(w);
	assert_string_equal(find_item(w, "a")->state, "newest");
	free(big);
}

static void
test_short_writes_are_finished(void **state)
{
	struct world *w = *state;
	struct item items[3];

	write_at_most = 100;
	for (int i = 0; i < 3; i++)
		append(w, &items[i], "x", 3000);
	settle(w);
	for (int i = 0; i < 3; i++)
		assert_true(items[i].acknowledged);
	write_at_most = 0;
	restart(w);
	assert_int_equal(w->report.live, 3);
	assert_int_equal(w->report.damaged, 0);
}

/* EFBIG from posix_fallocate, as a full disk gives ENOSPC. */
static void
test_a_segment_that_cannot_be_made_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct rlimit before, small = { SEGMENT / 2, RLIM_INFINITY };
	struct item item, later;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	append(w, &item, "x", 10);
	settle(w);
	assert_true(item.failed);
	assert_int_equal(count_files(w->dir, ".new"), 0);
	assert_int_equal(count_files(w->dir, ".seg"), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, handler);
	ahead_us += 40 * 1000000;
	settle(w);
	append(w, &later, "later", 10);
	settle(w);
	assert_true(later.acknowledged);
	restart(w);
	assert_int_equal(w->report.live, 1);
	ahead_us = 0;
}

static void
test_compaction_that_fails_loses_nothing(void **state)
{
	enum {
		COUNT = 400
	};
	struct world *w = *state;
	struct item keep, *fill = calloc(COUNT, sizeof *fill);
	struct loaded loaded = { NULL, false };

	append(w, &keep, "keep", 1000);
	for (int i = 0; i < COUNT; i++)
		append(w, &fill[i], "fill", 20000);
	settle(w);
	for (int i = 0; i < COUNT; i++) {
		if (i == COUNT / 2)
			fail_syncs = 3; /* the copies, or the first probes */
		assert_rc(spool_append_done(w->spool, &fill[i].entry, NULL, NULL), RC_OK);
		settle(w);
	}
	for (int i = 0; i < 3; i++) {
		ahead_us += 40 * 1000000;
		settle(w);
	}
	assert_rc(spool_load(w->spool, &keep.entry, on_loaded, &loaded), RC_OK);
	settle(w);
	assert_non_null(loaded.message);
	message_unref(loaded.message);
	restart(w);
	assert_int_equal(w->report.live, 1);
	assert_non_null(find_item(w, "keep"));
	free(fill);
	ahead_us = 0;
}

/* ------------------------------------------------------------------ digests ------------------- */

static void
file_path(struct world *w, uint64_t generation, const char *suffix, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/%016llx.%s", w->dir, (unsigned long long)generation, suffix);
}

static void
three_messages(struct world *w, struct item items[3])
{
	append(w, &items[0], "ended", 100);
	append(w, &items[1], "deferred", 100);
	append(w, &items[2], "new", 100);
	settle(w);
	assert_rc(spool_append_state(w->spool, &items[1].entry, SPAN_LIT("s"), NULL, NULL), RC_OK);
	assert_rc(spool_append_done(w->spool, &items[0].entry, NULL, NULL), RC_OK);
	settle(w);
}

static void
assert_three(struct world *w)
{
	assert_int_equal(w->report.live, 2);
	assert_string_equal(find_item(w, "deferred")->state, "s");
	assert_string_equal(find_item(w, "new")->state, "");
}

/* Whatever is wrong with a digest, the start is as without one. */
static void
test_a_damaged_digest_is_not_believed(void **state)
{
	struct world *w = *state;
	struct item items[3];
	char path[256], bytes[4096];
	ssize_t len;
	int fd;

	three_messages(w, items);
	restart(w);
	assert_int_equal(w->report.digests, 1);
	assert_three(w);
	file_path(w, 1, "idx", path, sizeof path);
	fd = open(path, O_RDWR);
	len = pread(fd, bytes, sizeof bytes, 0);
	(void)close(fd);
	assert_true(len > 64);
	for (ssize_t at = 0; at <= len; at += 3) {
		char damaged[sizeof bytes];

		close_world(w);
		memcpy(damaged, bytes, sizeof bytes);
		if (at < len)
			damaged[at] ^= 0x20;
		fd = open(path, O_RDWR | O_TRUNC);
		assert_true(write(fd, damaged, (size_t)(at % 2 == 0 && at < len ? len : at)) >= 0);
		(void)close(fd);
		open_world(w);
		assert_three(w);
	}
}

static void
test_a_digest_of_another_segment_is_not_believed(void **state)
{
	struct world *w = *state, other = { .dir = "" };
	struct item items[3], theirs;
	char from[256], to[256];
	struct world *o;
	void *other_state;

	three_messages(w, items);
	close_world(w);
	assert_int_equal(setup(&other_state), 0);
	o = other_state;
	append(o, &theirs, "theirs", 100);
	settle(o);
	close_world(o);
	file_path(o, 1, "idx", from, sizeof from);
	file_path(w, 1, "idx", to, sizeof to);
	assert_int_equal(rename(from, to), 0);
	open_world(o);
	assert_int_equal(teardown(&other_state), 0);
	(void)other;
	open_world(w);
	assert_int_equal(w->report.digests, 0);
	assert_three(w);
}

static void
test_a_record_behind_the_digest_is_seen(void **state)
{
	struct world *w = *state;
	struct item items[3], last;
	char path[256], saved[4096];
	ssize_t len;
	int fd;

	three_messages(w, items);
	close_world(w);
	file_path(w, 1, "idx", path, sizeof path);
	fd = open(path, O_RDONLY);
	len = read(fd, saved, sizeof saved);
	(void)close(fd);
	/* As if the digest had been made too early: the segment goes on behind its end. */
	{
		unsigned char header[RECORD_HEADER_SIZE];
		struct record_header done = {
			.type = RECORD_DONE, .generation = 1, .sequence = items[2].entry.sequence
		};
		uint64_t end = 0;

		memcpy(&end, saved + 32, 8);
		record_header_encode(&done, header);
		file_path(w, 1, "seg", path, sizeof path);
		fd = open(path, O_RDWR);
		assert_int_equal(
		    pwrite(fd, header, sizeof header, (off_t)end), (ssize_t)sizeof header);
		(void)close(fd);
	}
	assert_true(len > 0);
	open_world(w);
	assert_int_equal(w->report.digests, 0);
	assert_int_equal(w->report.live, 1);
	assert_null(find_item(w, "new"));
	append(w, &last, "last", 10);
	restart(w);
	assert_int_equal(w->report.live, 2);
}

/* A random life, read both ways, gives the same. */
static void
test_digests_and_records_say_the_same(void **state)
{
	enum {
		ITEMS = 300,
		STEPS = 3000
	};
	struct world *w = *state;
	struct item *items = calloc(ITEMS, sizeof *items), *by_digest;
	bool *there = calloc(ITEMS, sizeof *there);
	size_t count;

	srandom(42);
	for (int step = 0; step < STEPS; step++) {
		size_t i = (size_t)random() % ITEMS;
		char text[32];

		(void)snprintf(text, sizeof text, "%d", step);
		if (!there[i]) {
			append(w, &items[i], text, 200 + (size_t)random() % 20000);
			there[i] = true;
		} else if (random() % 3 == 0 && items[i].acknowledged) {
			assert_rc(spool_append_done(w->spool, &items[i].entry, NULL, NULL), RC_OK);
			there[i] = false;
		} else if (items[i].acknowledged) {
			assert_rc(spool_append_state(
				      w->spool, &items[i].entry, span_of(text), NULL, NULL),
			    RC_OK);
		}
		if (random() % 4 == 0)
			settle(w);
	}
	restart(w);
	assert_true(w->report.digests > 0 && w->report.digests == w->report.segments);
	by_digest = calloc(20000, sizeof *by_digest);
	count = w->found_count;
	memcpy(by_digest, w->found, count * sizeof *by_digest);
	no_digests = true;
	restart(w);
	assert_int_equal(w->report.digests, 0);
	assert_int_equal(w->found_count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(w->found[i].entry.sequence, by_digest[i].entry.sequence);
		assert_int_equal(w->found[i].entry.offset, by_digest[i].entry.offset);
		assert_int_equal(w->found[i].entry.size, by_digest[i].entry.size);
		assert_string_equal(w->found[i].subject, by_digest[i].subject);
		assert_string_equal(w->found[i].state, by_digest[i].state);
	}
	free(by_digest);
	free(there);
	free(items);
}

/* ------------------------------------------------------------------ damage, versions ---------- */

static void
test_a_damaged_segment_is_kept(void **state)
{
	struct world *w = *state;
	struct item items[3];
	char path[256];
	int fd;

	for (int i = 0; i < 3; i++)
		append(w, &items[i], i == 1 ? "bad" : "good", 500);
	settle(w);
	file_path(w, 1, "seg", path, sizeof path);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "\xff", 1, items[1].entry.offset + 200), 1);
	(void)close(fd);
	restart(w);
	assert_int_equal(w->report.damaged, 1);
	assert_int_equal(w->report.live, 2);
	for (size_t i = 0; i < w->found_count; i++)
		assert_rc(spool_append_done(w->spool, &w->found[i].entry, NULL, NULL), RC_OK);
	settle(w);
	assert_int_equal(count_files(w->dir, ".bad"), 1);
	restart(w);
	assert_int_equal(w->report.live, 0);
}

static void
test_a_newer_version_is_refused_and_left_alone(void **state)
{
	struct world *w = *state;
	struct spool_replay_report report;
	static const struct spool_replay_ops ops;
	struct spool_options options = { .directory = w->dir, .segment_bytes = SEGMENT };
	unsigned char header[SEGMENT_HEADER_SIZE];
	struct why why = WHY_EMPTY;
	struct item item;
	char path[256];
	int fd;

	append(w, &item, "x", 10);
	settle(w);
	close_world(w);
	file_path(w, 1, "seg", path, sizeof path);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
	segment_header_encode(1, SEGMENT, 7, header);
	segment_header_set_version(header, SPOOL_FORMAT_VERSION + 1);
	assert_int_equal(pwrite(fd, header, sizeof header, 0), sizeof header);
	w->loop = loop_new_manual("core");
	w->workers = worker_pool_new(0, 100, &why);
	w->found = NULL;
	assert_rc(spool_open(&options, w->loop, w->workers, &w->spool, &why), RC_OK);
	assert_rc(spool_replay(w->spool, &ops, NULL, &report, &why), RC_DENY);
	assert_non_null(strstr(why.text, "newer"));
	spool_close(w->spool);
	loop_free(w->loop);
	worker_pool_free(w->workers);
	segment_header_set_version(header, SPOOL_FORMAT_VERSION);
	assert_int_equal(pwrite(fd, header, sizeof header, 0), sizeof header);
	(void)close(fd);
	open_world(w);
	assert_int_equal(w->report.live, 1);
}

/* ------------------------------------------------------------------ messages that kill -------- */

/* The process that opens the spool and dies while "killer" is under way; `other` is under way only once. */
static void
die(struct world *w, const char *other, int fault)
{
	pid_t pid;
	int status;

	close_world(w);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		open_world(w);
		(void)spool_work_begin(w->spool, find_item(w, "killer")->entry.sequence);
		if (find_item(w, other) != NULL)
			(void)spool_work_begin(w->spool, find_item(w, other)->entry.sequence);
		if (fault != 0)
			spool_note_fault();
		_exit(9);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 9);
	open_world(w);
}

static void
three_to_suspect(struct world *w)
{
	struct item items[3];

	append(w, &items[0], "killer", 10);
	append(w, &items[1], "first", 10);
	append(w, &items[2], "second", 10);
	restart(w);
}

static void
test_a_clean_end_between_faults_acquits(void **state)
{
	struct world *w = *state;
	uint64_t first;

	three_to_suspect(w);
	die(w, "first", 1);
	assert_int_equal(w->report.poisoned, 0);
	first = find_item(w, "first")->entry.sequence;
	assert_true(spool_is_suspect(w->spool, first));
	assert_true(spool_is_suspect(w->spool, find_item(w, "killer")->entry.sequence));
	assert_false(spool_is_suspect(w->spool, find_item(w, "second")->entry.sequence));
	spool_work_end(w->spool, spool_work_begin(w->spool, first)); /* and nothing happened */
	assert_false(spool_is_suspect(w->spool, first));
	/* This start ends cleanly in close_world: what was suspected is not any more. */
	die(w, "second", 1);
	assert_int_equal(w->report.poisoned, 0);
}

static void
die_twice(struct world *w, int first, int second)
{
	int faults[2] = { first, second };

	close_world(w);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			const char *other = i == 0 ? "first" : "second";

			open_world(w);
			(void)spool_work_begin(w->spool, find_item(w, "killer")->entry.sequence);
			(void)spool_work_begin(w->spool, find_item(w, other)->entry.sequence);
			if (faults[i] != 0)
				spool_note_fault();
			_exit(9);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	open_world(w);
}

static void
test_the_second_fault_in_a_row_poisons(void **state)
{
	struct world *w = *state;

	three_to_suspect(w);
	die_twice(w, 1, 1);
	assert_int_equal(w->report.poisoned, 1);
	assert_true(find_item(w, "killer")->poisoned);
	assert_false(find_item(w, "first")->poisoned);
	assert_false(find_item(w, "second")->poisoned);
	restart(w);
	assert_int_equal(w->report.poisoned, 0); /* told once: the queue has recorded it */
}

static void
test_a_kill_from_outside_poisons_nothing(void **state)
{
	struct world *w = *state;

	three_to_suspect(w);
	die_twice(w, 0, 0);
	assert_int_equal(w->report.poisoned, 0);
	die_twice(w, 1, 0);
	assert_int_equal(w->report.poisoned, 0);
}

static void
test_a_damaged_work_file_is_made_anew(void **state)
{
	struct world *w = *state;
	char path[256];

	three_to_suspect(w);
	close_world(w);
	(void)snprintf(path, sizeof path, "%s/work", w->dir);
	assert_int_equal(truncate(path, 3), 0);
	open_world(w);
	assert_int_equal(w->report.live, 3);
	die_twice(w, 1, 1);
	assert_int_equal(w->report.poisoned, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_a_refused_message_does_not_come_back),
		BOTH(test_outcomes_wait_until_commits_work),
		BOTH(test_a_clean_end_tries_once_more),
		BOTH(test_an_older_state_never_wins),
		BOTH(test_short_writes_are_finished),
		BOTH(test_a_segment_that_cannot_be_made_leaves_nothing),
		BOTH(test_compaction_that_fails_loses_nothing),
		cmocka_unit_test_setup_teardown(
		    test_a_damaged_digest_is_not_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_digest_of_another_segment_is_not_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_record_behind_the_digest_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_digests_and_records_say_the_same, setup, teardown),
		{ "test_a_damaged_segment_is_kept", test_a_damaged_segment_is_kept, setup_records,
		    teardown, NULL },
		BOTH(test_a_newer_version_is_refused_and_left_alone),
		BOTH(test_a_clean_end_between_faults_acquits),
		BOTH(test_the_second_fault_in_a_row_poisons),
		BOTH(test_a_kill_from_outside_poisons_nothing),
		BOTH(test_a_damaged_work_file_is_made_anew),
	};

	clock_use(&shifted);
	return cmocka_run_group_tests_name("spool faults", tests, NULL, NULL);
}
