/* Unit tests of the store on files that were damaged: it neither crashes nor says what was not written, and leaves the
 * file as it found it. */
#include "config.h"

#include "unit/store/shelf.h"
#include "unit/store/shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	ROWS = 150
};

struct sample {
	struct buf file; /* of a healthy database */
	struct buf text; /* what is in it */
	size_t rows;
};

static void
sample_make(struct shelf *shelf, struct sample *sample)
{
	struct store_change *change = store_change_new();
	char path[256];

	*sample = (struct sample){ BUF_EMPTY, BUF_EMPTY, 2 * 3 + (STORE_KINDS - 2) * ROWS };
	shelf_open(shelf);
	for (size_t kind = 0; kind < STORE_KINDS; kind++)
		for (unsigned i = 0; i < ROWS; i++) {
			struct store_row row = make_row((enum store_kind)kind, i);

			store_put(change, &row);
		}
	assert_rc(commit(shelf, change).rc, RC_OK);
	shelf_reopen(shelf);
	assert_rc(shelf_dump(shelf, &sample->text), RC_OK);
	(void)buf_cstr(&sample->text);
	shelf_close(shelf);
	shelf_path(shelf, "postrider.db", path);
	read_all(path, &sample->file);
}

static void
sample_free(struct sample *sample)
{
	buf_free(&sample->file);
	buf_free(&sample->text);
}

struct tally {
	size_t whole, less, down, nothing;
};

struct reading {
	const struct sample *sample;
	struct buf text;
	size_t rows, at; /* at: in the sample's text, behind the row before */
};

/* Every row that is read is one of the sample's, and they come in its order. */
static enum rc
on_row(void *arg, const struct store_row *row, struct why *why)
{
	struct reading *reading = arg;
	const char *text = reading->sample->text.mem, *found;
	struct buf line = BUF_EMPTY;

	(void)why;
	add_line(&line, row);
	found = memmem(text + reading->at, buf_len(&reading->sample->text) - reading->at, line.mem,
	    buf_len(&line));
	if (found == NULL) {
		quiet(false);
		fail_msg("not what was written: %s", buf_cstr(&line));
	}
	buf_add_span(&reading->text, buf_span(&line));
	reading->rows++;
	if (found != NULL)
		reading->at = (size_t)(found - text) + buf_len(&line);
	buf_free(&line);
	return RC_OK;
}

static void
begin_with(struct shelf *shelf, struct span bytes)
{
	static const char *const others[] = { "postrider.db-wal", "postrider.db-shm" };
	char path[256];

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		shelf_path(shelf, others[i], path);
		(void)unlink(path);
	}
	shelf_path(shelf, "postrider.db", path);
	write_all(path, bytes);
	quiet(true);
	shelf_open(shelf);
	quiet(false);
}

/* Down: nothing can be changed, and not a byte of the file is. */
static void
end_down(struct shelf *shelf, struct span bytes)
{
	struct store_change *change = store_change_new();
	struct store_row row = make_row(STORE_IDENTITY, 5);
	struct buf after = BUF_EMPTY;
	char path[256];

	store_put(change, &row);
	assert_rc(commit(shelf, change).rc, RC_LATER);
	shelf_close(shelf);
	shelf_path(shelf, "postrider.db", path);
	read_all(path, &after);
	assert_int_equal(buf_len(&after), bytes.len);
	if (bytes.len > 0)
		assert_memory_equal(buf_span(&after).p, bytes.p, bytes.len);
	buf_free(&after);
}

static void
try_file(struct shelf *shelf, const struct sample *sample, struct span bytes, struct tally *tally)
{
	struct reading reading = { .sample = sample };
	struct store_stats stats;
	struct why why = WHY_EMPTY;
	enum rc worst = RC_OK;
	bool down;

	begin_with(shelf, bytes);
	quiet(true);
	for (size_t kind = 0; kind < STORE_KINDS; kind++) {
		enum rc rc =
		    store_load(shelf->store, (enum store_kind)kind, on_row, &reading, &why);

		worst = rc > worst ? rc : worst;
	}
	quiet(false);
	down = store_down(shelf->store) != NULL;
	assert_rc(worst, down ? RC_LATER : RC_OK);
	store_stats(shelf->store, &stats);
	if (!down) { /* nothing is missing in silence */
		assert_int_equal(reading.rows + stats.failures, sample->rows);
		if (stats.failures == 0)
			assert_string_equal(buf_cstr(&reading.text), sample->text.mem);
		shelf_close(shelf);
	} else {
		end_down(shelf, bytes);
	}
	tally->down += down;
	tally->whole += reading.rows == sample->rows;
	tally->less += reading.rows > 0 && reading.rows < sample->rows;
	tally->nothing += reading.rows == 0;
	buf_free(&reading.text);
}

static void
test_truncated_at_every_page(void **state)
{
	struct shelf *shelf = *state;
	struct sample sample;
	struct tally tally = { 0 };
	size_t pages;

	sample_make(shelf, &sample);
	pages = buf_len(&sample.file) / PAGE;
	assert_true(pages > 15);
	for (size_t i = 0; i < pages; i++) {
		try_file(shelf, &sample, span_make(sample.file.mem, i * PAGE), &tally);
		try_file(shelf, &sample, span_make(sample.file.mem, i * PAGE + 1), &tally);
		try_file(shelf, &sample, span_make(sample.file.mem, i * PAGE + 2000), &tally);
	}
	assert_int_equal(tally.down, 3 * pages);
	try_file(shelf, &sample, buf_span(&sample.file), &tally);
	assert_int_equal(tally.down, 3 * pages);
	sample_free(&sample);
}

static void
test_garbage(void **state)
{
	struct shelf *shelf = *state;
	struct sample sample;
	struct tally tally = { 0 };
	char bytes[3 * PAGE];
	unsigned random = 1;

	sample_make(shelf, &sample);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof bytes; i++) {
			random = random * 1103515245 + 12345;
			bytes[i] = (char)(random >> 16);
		}
		if (round % 2 == 1) /* with the head of a database */
			memcpy(bytes, sample.file.mem, 100);
		try_file(shelf, &sample, span_make(bytes, sizeof bytes), &tally);
	}
	assert_int_equal(tally.down, 20);
	assert_int_equal(tally.nothing, 20);
	sample_free(&sample);
}

/* A page of zeros, of another page, of noise. */
static void
test_whole_pages(void **state)
{
	struct shelf *shelf = *state;
	struct sample sample;
	struct tally tally = { 0 };
	size_t pages;

	sample_make(shelf, &sample);
	pages = buf_len(&sample.file) / PAGE;
	for (size_t i = 0; i < pages; i++)
		for (size_t from = 0; from < 3; from++) {
			char before[PAGE], *page = sample.file.mem + i * PAGE;

			memcpy(before, page, PAGE);
			if (from == 0)
				memset(page, 0, PAGE);
			else
				memcpy(page, sample.file.mem + (i + from) % pages * PAGE, PAGE);
			try_file(shelf, &sample, buf_span(&sample.file), &tally);
			memcpy(page, before, PAGE);
		}
	assert_true(
	    tally.down >= 3 * pages - 6); /* the tally's and the triggers' do not hold rows */
	sample_free(&sample);
}

/* Bytes in each page: in its head, in the pointers to its cells, in the cells. */
static void
test_flipped_bytes(void **state)
{
	struct shelf *shelf = *state;
	struct sample sample;
	struct tally tally = { 0 };
	unsigned random = 7;
	size_t tried = 0;

	sample_make(shelf, &sample);
	for (size_t i = 0; i < buf_len(&sample.file) / PAGE; i++)
		for (size_t k = 0; k < 44; k++) {
			size_t at = i * PAGE;
			char before;

			random = random * 1103515245 + 12345;
			if (k < 16)
				at += k + (i == 0 ? 100 : 0);
			else
				at += (random >> 8) % (k < 26 ? 200 : PAGE);
			before = sample.file.mem[at];
			sample.file.mem[at] = (char)(before ^ (1 << (random >> 28 & 7)));
			try_file(shelf, &sample, buf_span(&sample.file), &tally);
			sample.file.mem[at] = before;
			tried++;
		}
	print_message("%zu files: %zu whole, %zu with less, %zu down, %zu empty\n", tried,
	    tally.whole, tally.less, tally.down, tally.nothing);
	assert_true(tally.down > tried / 3);
	sample_free(&sample);
}

static void
damage_all_pages(const struct shelf *shelf)
{
	struct stat st;
	char path[256];
	int fd;

	shelf_path(shelf, "postrider.db", path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = PAGE; at < st.st_size; at += PAGE)
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, at), 8);
	(void)close(fd);
}

/* Damage that shows while the store is at work: what was told is there, then it is down, and writes no more. */
static void
test_damage_at_work(void **state)
{
	struct shelf *shelf = *state;
	struct sample sample;
	struct buf after = BUF_EMPTY, later = BUF_EMPTY;
	char wal[256];
	int refused = 0;

	sample_make(shelf, &sample);
	shelf_path(shelf, "postrider.db-wal", wal);
	shelf_open(shelf);
	damage_all_pages(shelf);
	for (unsigned i = 0; i < 50; i++) {
		struct store_change *change = store_change_new();
		struct store_row row = make_row((enum store_kind)(i % STORE_KINDS), 1000 + i);
		struct verdict verdict;

		store_put(change, &row);
		verdict = commit(shelf, change);
		refused += verdict.rc == RC_LATER;
		if (verdict.rc == RC_LATER && buf_len(&later) == 0) {
			assert_non_null(strstr(store_down(shelf->store), "malformed"));
			read_all(wal, &later);
			buf_add_char(&later, '.');
		}
	}
	assert_true(refused > 0);
	read_all(wal, &after);
	buf_add_char(&after, '.');
	assert_int_equal(buf_len(&after), buf_len(&later));
	assert_memory_equal(after.mem, later.mem, buf_len(&after));
	shelf_close(shelf);
	assert_int_equal(access(wal, F_OK), 0);
	buf_free(&after);
	buf_free(&later);
	sample_free(&sample);
}

static void
assert_no_copy(const struct shelf *shelf)
{
	static const char *const names[] = { "copy.db", "copy.db.part", "copy.db.part-wal",
		"copy.db.part-shm", "copy.db.part-journal" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[256];

		shelf_path(shelf, names[i], path);
		assert_int_not_equal(access(path, F_OK), 0);
	}
}

/* What was found to be damaged on the way is not taken for a backup. */
static void
test_damage_during_a_backup(void **state)
{
	struct shelf *shelf = *state;
	struct verdict verdict = { .shelf = shelf };
	struct store_row row = make_row(STORE_SUPPRESSION, 1);
	char path[256];

	shelf_open(shelf);
	for (unsigned i = 0; i < 6; i++) {
		struct store_change *change = store_change_new();

		for (unsigned k = 0; k < 4000; k++) {
			row = make_row(STORE_SUPPRESSION, 4000 * i + k);
			store_put(change, &row);
		}
		assert_rc(commit(shelf, change).rc, RC_OK);
	}
	shelf_reopen(shelf);
	shelf_path(shelf, "copy.db", path);
	store_backup(shelf->store, path, on_done, &verdict);
	assert_int_equal(loop_step(shelf->loop), 1); /* the first pages */
	assert_int_equal(verdict.calls, 0);
	damage_all_pages(shelf);
	quiet(true);
	while (store_down(shelf->store) == NULL && verdict.calls == 0) {
		struct store_change *change = store_change_new();

		store_delete_all(change, STORE_SUPPRESSION, "k0-1");
		store_commit(shelf->store, change, NULL, NULL);
		assert_true(loop_step(shelf->loop) > 0);
	}
	quiet(false);
	await(shelf, &verdict);
	assert_rc(verdict.rc, RC_LATER);
	assert_non_null(strstr(verdict.text, "malformed"));
	assert_no_copy(shelf);
}

/* Nor is damage that nothing has met yet: a backup looks at all of it. */
static void
test_backup_of_a_damaged_store(void **state)
{
	struct shelf *shelf = *state;
	struct sample sample;
	struct verdict verdict;
	char path[256];

	sample_make(shelf, &sample);
	shelf_open(shelf);
	damage_all_pages(shelf);
	shelf_path(shelf, "copy.db", path);
	verdict = backup(shelf, path);
	assert_rc(verdict.rc, RC_LATER);
	assert_non_null(strstr(verdict.text, "the store is damaged"));
	assert_no_copy(shelf);
	sample_free(&sample);
}

/* What the manual page says to save what can be read. */
static void
test_what_can_be_read_is_saved(void **state)
{
	static const char commands[] =
	    "cd '%s' && umask 077 && rm -f postrider.db-wal postrider.db-shm &&"
	    " sqlite3 postrider.db .dump 2>/dev/null | sed 's/^ROLLBACK.*/COMMIT;/' >rows.sql &&"
	    " sqlite3 new.db <rows.sql && version=$(sqlite3 postrider.db 'PRAGMA user_version') &&"
	    " sqlite3 new.db \"PRAGMA application_id = 1886614642;"
	    " PRAGMA user_version = $version; DELETE FROM tally\" && mv new.db postrider.db";
	struct shelf *shelf = *state;
	struct sample sample;
	size_t saved = 0, tried = 0;
	char path[256], command[800];

	if (system("sqlite3 -version >/dev/null 2>&1") != 0)
		skip();
	sample_make(shelf, &sample);
	shelf_path(shelf, "postrider.db", path);
	(void)snprintf(command, sizeof command, commands, shelf->dir);
	for (size_t at = PAGE; at + PAGE <= buf_len(&sample.file); at += 2 * PAGE) {
		struct reading reading = { .sample = &sample };
		struct why why = WHY_EMPTY;
		char page[PAGE];

		/* Without the schema nothing can be read. */
		if (memmem(sample.file.mem + at, PAGE, "CREATE ", 7) != NULL)
			continue;
		tried++;
		memcpy(page, sample.file.mem + at, PAGE);
		memset(sample.file.mem + at, 0xff, PAGE);
		write_all(path, buf_span(&sample.file));
		memcpy(sample.file.mem + at, page, PAGE);
		assert_int_equal(system(command), 0);
		shelf_open(shelf);
		assert_null(store_down(shelf->store));
		for (size_t kind = 0; kind < STORE_KINDS; kind++)
			assert_rc(
			    store_load(shelf->store, (enum store_kind)kind, on_row, &reading, &why),
			    RC_OK);
		shelf_close(shelf);
		assert_true(reading.rows <= sample.rows);
		saved += reading.rows;
		buf_free(&reading.text);
	}
	print_message("%zu files, %zu of %zu rows saved\n", tried, saved, tried * sample.rows);
	assert_true(saved > tried * sample.rows / 2);
	sample_free(&sample);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_truncated_at_every_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_at_work, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_during_a_backup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_can_be_read_is_saved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_backup_of_a_damaged_store, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
