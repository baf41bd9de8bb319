/* Unit tests of the store when the disk fails and when the process dies: what was told to be durable is there, every
 * change is there whole or not at all, and what fails for a while works again. */
#include "config.h"

#include "unit/store/shelf.h"
#include "unit/store/shim.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "util/log.h"

/* ------------------------------------------------------------------ a disk that fails --------- */

static unsigned
random_below(unsigned limit)
{
	static unsigned random = 20251125;

	random = random * 1103515245 + 12345;
	return (random >> 12) % limit;
}

enum {
	CHANGES = 10
};

static void
clean(const struct shelf *shelf)
{
	static const char *const names[] = { "postrider.db", "postrider.db-wal", "postrider.db-shm",
		"master.key", "copy.db", ".postrider.db.new", ".postrider.db.new-journal" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[256];

		shelf_path(shelf, names[i], path);
		(void)unlink(path);
	}
}

static struct store_change *
pair(unsigned number)
{
	static char name[32];
	struct store_row row = make_row(STORE_CREDENTIAL, 1);
	struct store_change *change = store_change_new();

	(void)snprintf(name, sizeof name, "%06u", number);
	row.values[CREDENTIAL_ID].text = name;
	store_put(change, &row);
	row = make_row(STORE_SUPPRESSION, 1);
	row.values[SUPPRESSION_ACCOUNT].text = name;
	store_put(change, &row);
	return change;
}

/* Which numbers are there, and in how many of the two tables. */
struct there {
	unsigned char count[100000];
};

static enum rc
note(void *arg, const struct store_row *row, struct why *why)
{
	struct there *there = arg;
	uint64_t number = 0;

	(void)why;
	assert_true(span_uint(span_of(row->values[0].text), sizeof there->count - 1, &number));
	there->count[number]++;
	return RC_OK;
}

static void
read_there(struct shelf *shelf, struct there *there)
{
	struct why why = WHY_EMPTY;

	memset(there, 0, sizeof *there);
	assert_string_equal(store_down(shelf->store) != NULL ? store_down(shelf->store) : "", "");
	assert_rc(store_load(shelf->store, STORE_CREDENTIAL, note, there, &why), RC_OK);
	assert_rc(store_load(shelf->store, STORE_SUPPRESSION, note, there, &why), RC_OK);
}

/* Everything the store does, with one fault. False: it came too late to hit. */
static bool
run_with_fault(struct shelf *shelf, long at, bool for_ever, int code)
{
	static struct there there;
	struct verdict verdicts[CHANGES], copy;
	char path[256];
	size_t failed = 0;
	bool down;

	clean(shelf);
	fault.countdown = at;
	fault.for_ever = for_ever;
	fault.code = code;
	fault.has_hit = false;
	quiet(true);
	shelf_open(shelf);
	down = store_down(shelf->store) != NULL;
	for (unsigned i = 0; i < CHANGES; i++) {
		verdicts[i] = commit(shelf, pair(i));
		failed += verdicts[i].rc != RC_OK;
		if (i == CHANGES / 2)
			(void)rekey(shelf);
	}
	shelf_path(shelf, "copy.db", path);
	copy = backup(shelf, path);
	quiet(false);
	if (!down)
		assert_null(store_down(shelf->store)); /* a disk that fails is no damage */
	shelf_close(shelf);
	fault.countdown = 0;
	if (!for_ever && !down)
		assert_true(failed <= 1);
	if (copy.rc == RC_OK)
		assert_true(sql_is_sound(path));
	else
		assert_int_not_equal(access(path, F_OK), 0);

	shelf_open(shelf);
	read_there(shelf, &there);
	for (unsigned i = 0; i < CHANGES; i++) {
		assert_true(there.count[i] == 0 || there.count[i] == 2);
		if (verdicts[i].rc == RC_OK) {
			assert_int_equal(there.count[i], 2);
		} else {
			assert_rc(verdicts[i].rc, RC_LATER);
			assert_string_not_equal(verdicts[i].text, "");
			/* What was written behind a sync that failed is written over, if anything can be. */
			if (!for_ever)
				assert_int_equal(there.count[i], 0);
		}
	}
	assert_rc(commit(shelf, pair(CHANGES)).rc, RC_OK);
	shelf_close(shelf);
	shelf_path(shelf, "postrider.db", path);
	assert_true(sql_is_sound(path));
	return fault.has_hit;
}

static void
run_all_faults(struct shelf *shelf, bool for_ever, int code)
{
	long at = 1;

	shim_install();
	while (run_with_fault(shelf, at, for_ever, code))
		at++;
	shim_remove();
	print_message("%ld places\n", at - 1);
	assert_true(at > 100);
}

/* There are some thousands of them: each at the start, then every so many. */
static void
run_all_allocations(struct shelf *shelf, bool for_ever)
{
	long at = 1, tried = 0;

	shim_install();
	fault.memory_only = true;
	for (; run_with_fault(shelf, at, for_ever, SQLITE_NOMEM); tried++)
		at += at < 40 ? 1 : 1 + (long)random_below(60);
	fault.memory_only = false;
	shim_remove();
	print_message("%ld of %ld places\n", tried, at);
	assert_true(tried > 100);
}

static void
test_memory_is_out_once(void **state)
{
	run_all_allocations(*state, false);
}

static void
test_memory_is_out_from_then_on(void **state)
{
	run_all_allocations(*state, true);
}

static void
test_every_call_fails_once(void **state)
{
	run_all_faults(*state, false, SQLITE_IOERR_WRITE);
}

static void
test_every_call_fails_from_then_on(void **state)
{
	run_all_faults(*state, true, SQLITE_IOERR_WRITE);
}

static void
test_disk_is_full_once(void **state)
{
	run_all_faults(*state, false, SQLITE_FULL);
}

static void
test_disk_is_full_for_a_while(void **state)
{
	struct shelf *shelf = *state;
	struct verdict verdict;

	shim_install();
	shelf_open(shelf);
	assert_rc(commit(shelf, pair(1)).rc, RC_OK);
	fault.code = SQLITE_FULL;
	fault.for_ever = fault.writes_only = true;
	fault.countdown = 1;
	for (unsigned i = 0; i < 5; i++) {
		verdict = commit(shelf, pair(2 + i));
		assert_rc(verdict.rc, RC_LATER);
		assert_non_null(strstr(verdict.text, "the store: disk is full"));
	}
	assert_null(store_down(shelf->store));
	fault.countdown = 0;
	assert_rc(commit(shelf, pair(3)).rc, RC_OK);
	shelf_close(shelf);
	shim_remove();
}

static int64_t
count_bytes(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static size_t
count_in(const char *path, const char *words)
{
	struct buf text = BUF_EMPTY;
	struct span rest, line;
	size_t count = 0;

	read_all(path, &text);
	rest = buf_span(&text);
	while (rest.len > 0 && span_next(&rest, '\n', &line))
		count += memmem(line.p, line.len, words, strlen(words)) != NULL;
	buf_free(&text);
	return count;
}

/* Commits so many changes of so many rows each; what the log says goes to the file. */
static void
work(struct shelf *shelf, const char *log, unsigned changes, unsigned rows)
{
	int kept = dup(STDERR_FILENO),
	    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(kept >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	for (unsigned i = 0; i < changes; i++) {
		struct store_change *change = store_change_new();
		struct verdict verdict;

		for (unsigned k = 0; k < rows; k++) {
			struct store_row row = make_row(STORE_SUPPRESSION, k);

			row.values[SUPPRESSION_CREATED_MS].number = i;
			store_put(change, &row);
		}
		verdict = commit(shelf, change);
		if (verdict.rc != RC_OK)
			(void)dup2(kept, STDERR_FILENO);
		assert_string_equal(verdict.text, "");
		assert_rc(verdict.rc, RC_OK);
	}
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	(void)close(fd);
}

/* The WAL has the changes, but the database does not take them: they are durable, and it is told, once. */
static void
test_database_cannot_be_written(void **state)
{
	static const char words[] = "cannot be written back";
	struct shelf *shelf = *state;
	char log[256];

	shelf_path(shelf, "log", log);
	shim_install();
	shelf_open(shelf);
	fault.code = SQLITE_IOERR_WRITE;
	fault.for_ever = fault.writes_only = fault.database_only = true;
	fault.countdown = 1;
	work(shelf, log, 50, 1000);
	assert_int_equal(count_in(log, words), 1);
	assert_int_equal(count_in(log, "disk I/O error"), 1);
	assert_null(store_down(shelf->store));
	fault.countdown = 0;
	work(shelf, log, 50, 1000);
	assert_int_equal(count_in(log, words), 1);
	fault.countdown = 1; /* again: told again */
	work(shelf, log, 50, 1000);
	assert_int_equal(count_in(log, words), 2);
	fault.countdown = 0;
	shelf_reopen(shelf);
	assert_null(store_down(shelf->store));
	shelf_close(shelf);
	fault.database_only = false;
	shim_remove();
}

/* A reader that does not end keeps the WAL from beginning anew. */
static void
test_reader_that_stays(void **state)
{
	struct shelf *shelf = *state;
	char log[256], path[256];
	sqlite3 *db;

	shelf_path(shelf, "log", log);
	shelf_path(shelf, "postrider.db", path);
	shim_install();
	shelf_open(shelf);
	work(shelf, log, 1, 2000);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "BEGIN; SELECT * FROM suppression", NULL, NULL, NULL), SQLITE_OK);
	work(shelf, log, 50, 2000);
	assert_int_equal(count_in(log, "another process"), 0);
	for (unsigned i = 0; i < 40 && count_in(log, "another process") == 0; i++)
		work(shelf, log, 10, 2000);
	assert_int_equal(count_in(log, "another process"), 1);
	work(shelf, log, 10, 2000);
	assert_int_equal(count_in(log, "another process"), 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	work(shelf, log, 2, 1);
	shelf_path(shelf, "postrider.db-wal", path);
	assert_int_equal(access(path, F_OK), 0);
	assert_true(count_bytes(path) <= 9 << 20); /* given back */
	shelf_close(shelf);
	shim_remove();
}

/* There may be no room for files elsewhere, or no right to make them: a large change needs none, nor does its undoing. */
static void
test_nothing_is_written_elsewhere(void **state)
{
	enum {
		ROWS = 20000
	};
	struct shelf *shelf = *state;
	struct store_change *change = store_change_new();
	struct store_row row;
	struct verdict verdict;

	shim_temporary_files = 0;
	shim_install();
	shelf_open(shelf);
	for (unsigned i = 0; i < ROWS; i++) {
		row = make_row(STORE_IDENTITY, 3 * i);
		store_put(change, &row);
	}
	assert_rc(commit(shelf, change).rc, RC_OK);
	change = store_change_new();
	store_delete_all(change, STORE_IDENTITY, "k0-0");
	row = make_row(STORE_ACCOUNT, 1);
	row.values[ACCOUNT_SEND_RATE].real = (double)NAN; /* refused: all of it is taken back */
	store_put(change, &row);
	assert_rc(commit(shelf, change).rc, RC_BAD);
	change = store_change_new();
	store_delete_all(change, STORE_IDENTITY, "k0-0");
	verdict = commit(shelf, change);
	assert_string_equal(verdict.text, "");
	assert_rc(verdict.rc, RC_OK);
	assert_int_equal(shim_temporary_files, 0);
	shelf_close(shelf);
	shim_remove();
}

/* ------------------------------------------------------------------ power cuts ---------------- */

static void
image_path(const struct shelf *shelf, size_t i, char path[256])
{
	shelf_path(shelf, i == 0 ? "postrider.db" : "postrider.db-wal", path);
}

static void
begin_images(const struct shelf *shelf)
{
	for (size_t i = 0; i < ARRAY_LEN(shim_images); i++) {
		char path[256];

		buf_free(&shim_images[i].durable);
		shim_images[i].count = 0;
		image_path(shelf, i, path);
		if (access(path, F_OK) == 0)
			read_all(path, &shim_images[i].durable);
	}
	shim_has_images = true;
}

/* Of the later writes each, half of it, or nothing has come to the disk. */
static void
cut_power(const struct shelf *shelf)
{
	char path[256];

	shim_has_images = false;
	for (size_t i = 0; i < ARRAY_LEN(shim_images); i++) {
		struct image *image = &shim_images[i];

		for (size_t k = 0; k < image->count; k++) {
			struct later *later = &image->later[k];
			unsigned luck = random_below(5);

			if (luck < 3)
				shim_apply(
				    image, later, buf_len(&later->bytes) / (luck == 2 ? 2 : 1));
			buf_free(&later->bytes);
		}
		image->count = 0;
		image_path(shelf, i, path);
		write_all(path, buf_span(&image->durable));
	}
	shelf_path(shelf, "postrider.db-shm", path);
	(void)unlink(path); /* is memory */
}

/* Many rows at once now and then, so that there are checkpoints to be cut. */
static struct store_change *
pair_and_ballast(unsigned number)
{
	struct store_change *change = pair(number);

	for (unsigned i = 0; number % 7 == 0 && i < 1500; i++) {
		struct store_row row = make_row(STORE_IDENTITY, i);

		row.values[IDENTITY_CREATED_MS].number = number;
		store_put(change, &row);
	}
	return change;
}

/* Commits until the power goes. */
static size_t
work_until_cut(struct shelf *shelf, bool *told, unsigned *next)
{
	size_t count = 0;

	fault.code = SQLITE_IOERR_WRITE;
	fault.for_ever = fault.writes_only = true;
	fault.has_hit = false;
	fault.countdown = 1 + (int)random_below(random_below(3) == 0 ? 3000 : 200);
	quiet(true);
	for (unsigned i = 0; i < 60 && !fault.has_hit; i++, (*next)++) {
		told[*next] = commit(shelf, pair_and_ballast(*next)).rc == RC_OK;
		count += told[*next];
	}
	fault.countdown = 1;
	shelf_close(shelf);
	quiet(false);
	fault.countdown = 0;
	return count;
}

static void
test_power_cuts(void **state)
{
	enum {
		CUTS = 150
	};
	static struct there there;
	static bool told[100000];
	struct shelf *shelf = *state;
	unsigned next = 1;
	size_t count = 0;

	shelf_open(shelf);
	shelf_close(shelf);
	shim_install();
	for (int round = 0; round < CUTS; round++) {
		begin_images(shelf);
		shelf_open(shelf);
		read_there(shelf, &there);
		for (unsigned i = 1; i < next; i++) {
			assert_true(there.count[i] == 0 || there.count[i] == 2);
			assert_true(!told[i] || there.count[i] == 2);
		}
		count += work_until_cut(shelf, told, &next);
		cut_power(shelf);
	}
	for (size_t i = 0; i < ARRAY_LEN(shim_images); i++)
		buf_free(&shim_images[i].durable);
	shim_remove();
	print_message("%d cuts, %zu changes told\n", CUTS, count);
	assert_true(count > 400);
}

/* ------------------------------------------------------------------ a process that dies ------- */

enum {
	IN_FLIGHT = 8,
	ROUNDS = 40
};

struct child_change {
	struct loop *loop;
	struct store *store;
	int report_fd;
	unsigned number, *next;
};

static void
child_done(void *arg, enum rc rc, const struct why *why)
{
	struct child_change *own = arg;

	(void)why;
	if (rc != RC_OK || write(own->report_fd, &own->number, sizeof own->number) < 0)
		_exit(3);
	own->number = (*own->next)++;
	store_commit(own->store, pair(own->number), child_done, own);
}

/* Commits until it is killed. */
static void
child_main(const struct shelf *shelf, unsigned next, int report_fd)
{
	struct child_change changes[IN_FLIGHT];
	struct loop *loop = loop_new_manual("child");
	struct store_options options = { shelf->dir, "", loop, true };
	struct store *store;

	if (loop == NULL || store_open(&options, &store, NULL) != RC_OK ||
	    store_down(store) != NULL)
		_exit(2);
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		changes[i] = (struct child_change){ loop, store, report_fd, next++, NULL };
		changes[i].next = &next;
		store_commit(store, pair(changes[i].number), child_done, &changes[i]);
	}
	for (;;)
		if (loop_step(loop) == 0)
			(void)usleep(50);
}

/* Returns how many were reported, the numbers in `told`. */
static size_t
run_child(const struct shelf *shelf, unsigned next, unsigned life_us, unsigned *told, size_t max)
{
	int fds[2], status;
	size_t count = 0;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(fds[0]);
		child_main(shelf, next, fds[1]);
		_exit(1);
	}
	(void)close(fds[1]);
	(void)usleep(life_us);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	while (count < max && read(fds[0], &told[count], sizeof told[count]) == sizeof told[count])
		count++;
	(void)close(fds[0]);
	return count;
}

static void
test_killed_at_any_moment(void **state)
{
	static struct there there;
	static unsigned told[16384];
	static bool expected[100000];
	struct shelf *shelf = *state;
	unsigned next = 1;
	size_t total = 0;
	char path[256];

	shelf_path(shelf, "postrider.db", path);
	for (int round = 0; round < ROUNDS; round++) {
		/* Some die while they open the file the first time, or what the one before has left. */
		unsigned life_us = round % 4 == 0 ? random_below(6000) : 3000 + random_below(60000);
		size_t count = run_child(shelf, next, life_us, told, ARRAY_LEN(told));

		for (size_t i = 0; i < count; i++)
			expected[told[i]] = true;
		total += count;
		if (round % 8 == 0 && count == 0 && round < 16) {
			continue; /* a crash after a crash */
		}
		shelf_open(shelf);
		read_there(shelf, &there);
		for (unsigned i = 0; i < ARRAY_LEN(there.count); i++) {
			assert_true(there.count[i] == 0 || there.count[i] == 2);
			assert_true(!expected[i] || there.count[i] == 2);
			if (there.count[i] > 0 && i >= next)
				next = i + 1;
		}
		shelf_close(shelf);
		assert_true(sql_is_sound(path));
		next += IN_FLIGHT;
		assert_true(next < ARRAY_LEN(expected) - 20000);
	}
	print_message("%d processes, %zu changes told\n", ROUNDS, total);
	assert_true(total > 20); /* slow with sanitizers */
}

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

static void
write_keys(struct shelf *shelf, const char *lines)
{
	shelf_path(shelf, "keys", shelf->keys);
	write_all(shelf->keys, span_of(lines));
}

struct child_rekey {
	struct shelf *shelf;
	struct store *store;
	int report_fd;
	unsigned count;
};

static void
rekey_again(void *arg, enum rc rc, const struct why *why)
{
	struct child_rekey *own = arg;

	(void)why;
	if (rc != RC_OK || (own->count > 0 && write(own->report_fd, "x", 1) < 0))
		_exit(3);
	write_keys(
	    own->shelf, own->count++ % 2 == 0 ? KEY_B "\n" KEY_A "\n" : KEY_A "\n" KEY_B "\n");
	store_rekey(own->store, rekey_again, own);
}

/* Rekeys until it is killed; how often it was told that it is done. */
static size_t
rekey_and_die(struct shelf *shelf, unsigned life_us)
{
	char reports[4096];
	int fds[2], status;
	ssize_t count;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct child_rekey own = { shelf, NULL, fds[1], 0 };
		struct loop *loop = loop_new_manual("child");
		struct store_options options = { shelf->dir, shelf->keys, loop, true };

		if (loop == NULL || store_open(&options, &own.store, NULL) != RC_OK ||
		    store_down(own.store) != NULL)
			_exit(2);
		rekey_again(&own, RC_OK, NULL);
		for (;;)
			if (loop_step(loop) == 0)
				(void)usleep(50);
	}
	(void)close(fds[1]);
	(void)usleep(life_us);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	count = read(fds[0], reports, sizeof reports);
	(void)close(fds[0]);
	return count > 0 ? (size_t)count : 0;
}

/* Every secret is under one of the keys, and after one that was told under the first. */
static void
test_killed_while_keys_are_changed(void **state)
{
	enum {
		SECRETS = 300
	};
	static struct there there;
	struct shelf *shelf = *state;
	struct store_change *change = store_change_new();
	size_t told = 0;

	write_keys(shelf, KEY_A "\n" KEY_B "\n");
	shelf_open(shelf);
	for (unsigned i = 0; i < SECRETS; i++) {
		struct store_row row = make_row(STORE_CREDENTIAL, i);
		char id[32];

		(void)snprintf(id, sizeof id, "%06u", i);
		row.values[CREDENTIAL_ID].text = id;
		store_put(change, &row);
	}
	assert_rc(commit(shelf, change).rc, RC_OK);
	shelf_close(shelf);
	for (int round = 0; round < ROUNDS; round++) {
		struct store_stats stats;

		told += rekey_and_die(shelf, 3000 + random_below(90000));
		write_keys(shelf, round % 2 == 0 ? KEY_A "\n" KEY_B "\n" : KEY_B "\n" KEY_A "\n");
		shelf_open(shelf);
		read_there(shelf, &there);
		for (unsigned i = 0; i < SECRETS; i++)
			assert_int_equal(there.count[i], 1);
		store_stats(shelf->store, &stats);
		assert_int_equal(stats.failures, 0);
		assert_rc(rekey(shelf).rc, RC_OK);
		write_keys(shelf, round % 2 == 0 ? KEY_A "\n" : KEY_B "\n");
		shelf_reopen(shelf);
		read_there(shelf, &there);
		store_stats(shelf->store, &stats);
		assert_int_equal(stats.failures, 0);
		shelf_close(shelf);
		write_keys(shelf, KEY_A "\n" KEY_B "\n");
	}
	print_message("%d processes, %zu times told\n", ROUNDS, told);
	assert_true(told > 5); /* slow with sanitizers */
}

/* The first start, killed at every stage: the next one begins anew or goes on. */
static void
test_killed_at_the_first_start(void **state)
{
	static struct there there;
	static unsigned told[1024];
	struct shelf *shelf = *state;

	for (int round = 0; round < ROUNDS; round++) {
		size_t count;

		clean(shelf);
		count = run_child(shelf, 1, random_below(12000), told, ARRAY_LEN(told));
		shelf_open(shelf);
		read_there(shelf, &there);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(there.count[told[i]], 2);
		shelf_close(shelf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_call_fails_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_every_call_fails_from_then_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_is_out_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_is_out_from_then_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_is_full_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_is_full_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(test_database_cannot_be_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_that_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_written_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_power_cuts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_at_any_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_killed_while_keys_are_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_at_the_first_start, setup, teardown),
	};

	shim_memory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
