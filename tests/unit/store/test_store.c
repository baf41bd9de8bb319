/* Unit tests of the store: rows, changes, verdicts, migrations, secrets, backups. Each with and without the thread. */
#include "config.h"

#include "unit/store/shelf.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/keyring.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "util/log.h"

/* ------------------------------------------------------------------ rows and changes ---------- */

static int
compare_lines(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	while (*x == *y && *x != '\0') {
		x++;
		y++;
	}
	/* The end of a key comes before all that may be in it. */
	return (*x == '|' ? 1 : (unsigned char)*x) - (*y == '|' ? 1 : (unsigned char)*y);
}

/* Lines in the order of their bytes: with keys in front that is the order of the store within a kind. */
static char *
sorted(struct buf *text)
{
	struct span rest, line;
	struct buf out = BUF_EMPTY;
	char *lines[4096] = { NULL };
	size_t count = 0;

	rest = buf_span(text);
	while (span_next(&rest, '\x01', &line))
		if (line.len > 0) {
			assert_true(count < ARRAY_LEN(lines));
			lines[count++] = span_dup(line);
		}
	qsort(lines, count, sizeof lines[0], compare_lines);
	for (size_t i = 0; i < count; i++) {
		buf_add_span(&out, span_of(lines[i]));
		free(lines[i]);
	}
	return buf_steal(&out);
}

static void
assert_contents(struct shelf *shelf, const char *want)
{
	struct buf got = BUF_EMPTY;

	assert_rc(shelf_dump(shelf, &got), RC_OK);
	assert_string_equal(buf_len(&got) > 0 ? buf_cstr(&got) : "", want);
	buf_free(&got);
}

static void
test_every_kind_comes_back(void **state)
{
	struct shelf *shelf = *state;
	struct store_change *change = store_change_new();
	struct buf want = BUF_EMPTY;
	struct store_stats stats;

	shelf_open(shelf);
	assert_null(store_down(shelf->store));
	for (size_t kind = 0; kind < STORE_KINDS; kind++) {
		struct buf lines = BUF_EMPTY;
		char *text;

		for (unsigned i = 0; i < 40; i++) {
			struct store_row row = make_row((enum store_kind)kind, i);

			if (kind == STORE_ACCOUNT && i > 2)
				break;
			store_put(change, &row);
		}
		for (unsigned i = 0; i < 40; i++) {
			/* Of rows with one key of three values the last of each stays. */
			struct store_row row = make_row((enum store_kind)kind, i);
			bool stays =
			    store_tables[kind].keys > 1 || i >= 37 || kind == STORE_ACCOUNT;

			if (kind == STORE_ACCOUNT && i > 2)
				break;
			if (stays) {
				add_line(&lines, &row);
				buf_add_char(&lines, '\x01');
			}
		}
		text = sorted(&lines);
		buf_add_span(&want, span_of(text));
		free(text);
		buf_free(&lines);
	}
	assert_rc(commit(shelf, change).rc, RC_OK);
	assert_contents(shelf, buf_cstr(&want));
	shelf_reopen(shelf);
	assert_contents(shelf, buf_cstr(&want));
	store_stats(shelf->store, &stats);
	assert_int_equal(stats.version, 2);
	assert_int_equal(stats.waiting, 0);
	buf_free(&want);
}

static void
test_rows_are_replaced_and_go(void **state)
{
	struct shelf *shelf = *state;
	struct buf want = BUF_EMPTY;
	struct store_change *change = store_change_new();
	struct store_row row;

	shelf_open(shelf);
	for (unsigned i = 0; i < 9; i++) {
		row = make_row(STORE_IDENTITY, i);
		store_put(change, &row);
		row = make_row(STORE_SUPPRESSION, i);
		store_put(change, &row);
	}
	assert_rc(commit(shelf, change).rc, RC_OK);

	change = store_change_new();
	store_delete_all(change, STORE_IDENTITY, "k0-1");
	store_delete_all(change, STORE_IDENTITY, "nobody");
	store_delete_all(change, STORE_SUPPRESSION, "k0-0");
	store_delete_all(change, STORE_SUPPRESSION, "k0-1");
	row = make_row(STORE_IDENTITY, 3);
	store_delete(change, &row);
	store_delete(change, &row); /* gone already */
	row = make_row(STORE_IDENTITY, 6);
	row.values[IDENTITY_SENDERS].text = "other";
	row.values[IDENTITY_CREATED_MS].number = 77;
	store_put(change, &row);
	assert_rc(commit(shelf, change).rc, RC_OK);
	row = make_row(STORE_IDENTITY, 0);
	add_line(&want, &row);
	row = make_row(STORE_IDENTITY, 6);
	row.values[IDENTITY_SENDERS].text = "other";
	row.values[IDENTITY_CREATED_MS].number = 77;
	add_line(&want, &row);
	for (unsigned i = 2; i < 9; i += 3) {
		row = make_row(STORE_IDENTITY, i);
		add_line(&want, &row);
	}
	for (unsigned i = 2; i < 9; i += 3) {
		row = make_row(STORE_SUPPRESSION, i);
		add_line(&want, &row);
	}
	assert_contents(shelf, buf_cstr(&want));
	shelf_reopen(shelf);
	assert_contents(shelf, buf_cstr(&want));
	buf_free(&want);
}

/* Rows of an account, and destinations of a set, whether the caller knows of them or not. */
static void
test_what_belongs_to_others_stays(void **state)
{
	struct shelf *shelf = *state;
	struct store_change *change = store_change_new();
	struct buf want = BUF_EMPTY;

	shelf_open(shelf);
	for (unsigned i = 0; i < 18; i++) {
		struct store_row row = make_row(STORE_CREDENTIAL, 5 * i + 4);
		char id[8], account[8], set[8], name[8];

		(void)snprintf(id, sizeof id, "id%02u", i);
		(void)snprintf(account, sizeof account, "a%u", i % 3);
		row.values[CREDENTIAL_ID].text = id;
		row.values[CREDENTIAL_ACCOUNT].text = account;
		store_put(change, &row);
		if (i % 3 != 1)
			add_line(&want, &row);
		row = make_row(STORE_EVENT_DESTINATION, i);
		(void)snprintf(account, sizeof account, "a%u", i / 9);
		(void)snprintf(set, sizeof set, "s%u", i / 3 % 3);
		(void)snprintf(name, sizeof name, "n%u", i % 3);
		row.values[EVENT_DESTINATION_ACCOUNT].text = account;
		row.values[EVENT_DESTINATION_SET].text = set;
		row.values[EVENT_DESTINATION_NAME].text = name;
		store_put(change, &row);
	}
	store_delete_all(change, STORE_CREDENTIAL, "a1");
	store_delete_all(change, STORE_CREDENTIAL, "id00");
	store_delete_destinations(change, "a0", "s1");
	store_delete_destinations(change, "s2", "a1");
	for (unsigned i = 0; i < 18; i++) {
		struct store_row row = make_row(STORE_EVENT_DESTINATION, i);
		char account[8], set[8], name[8];

		(void)snprintf(account, sizeof account, "a%u", i / 9);
		(void)snprintf(set, sizeof set, "s%u", i / 3 % 3);
		(void)snprintf(name, sizeof name, "n%u", i % 3);
		row.values[EVENT_DESTINATION_ACCOUNT].text = account;
		row.values[EVENT_DESTINATION_SET].text = set;
		row.values[EVENT_DESTINATION_NAME].text = name;
		if (i < 3 || i > 5)
			add_line(&want, &row);
	}
	assert_rc(commit(shelf, change).rc, RC_OK);
	assert_contents(shelf, buf_cstr(&want));
	shelf_reopen(shelf);
	assert_contents(shelf, buf_cstr(&want));
	buf_free(&want);
}

static void
test_a_change_that_fails_harms_no_other(void **state)
{
	enum {
		COUNT = 30
	};
	struct shelf *shelf = *state;
	struct verdict verdicts[COUNT] = { 0 };
	struct buf want = BUF_EMPTY;
	struct store_stats stats;
	char *huge = malloc((17 << 20) + 1);
	size_t good = 0;

	assert_non_null(huge);
	memset(huge, 'x', 17 << 20);
	huge[17 << 20] = '\0';
	shelf_open(shelf);
	for (unsigned i = 0; i < COUNT; i++) {
		struct store_change *change = store_change_new();
		struct store_row row = make_row(STORE_ACCOUNT, 0),
				 other = make_row(STORE_CONFIG_SET, 3 * i);

		other.values[CONFIG_SET_NAME].text = i % 2 == 0 ? "b" : "a";
		store_put(change, &other); /* the first half of what is to fail as a whole */
		if (i % 3 == 1)
			row.values[ACCOUNT_SEND_RATE].real = (double)NAN;
		if (i % 7 == 5)
			row.values[ACCOUNT_PROFILE].text = huge;
		row.values[ACCOUNT_QUOTA_24H].number = i;
		store_put(change, &row);
		store_commit(shelf->store, change, on_done, &verdicts[i]);
	}
	store_stats(shelf->store, &stats);
	assert_int_equal(stats.waiting, COUNT);
	await(shelf, &verdicts[COUNT - 1]);
	for (int i = 0; i < COUNT; i++) {
		bool bad = i % 3 == 1 || i % 7 == 5;

		assert_int_equal(verdicts[i].calls, 1);
		assert_int_equal(verdicts[i].order, i + 1);
		assert_rc(verdicts[i].rc, bad ? RC_BAD : RC_OK);
		assert_true((verdicts[i].text[0] != '\0') == bad);
		good += !bad;
	}
	store_stats(shelf->store, &stats);
	assert_int_equal(stats.commits, good);
	assert_int_equal(stats.failures, COUNT - good);
	assert_int_equal(stats.waiting, 0);
	assert_true(stats.transactions >= 1);
	if (!shelf->threaded)
		assert_int_equal(stats.transactions, 1);
	assert_null(store_down(shelf->store));
	{
		struct store_row row = make_row(STORE_ACCOUNT, 0), a, b;

		row.values[ACCOUNT_QUOTA_24H].number = 29;
		add_line(&want, &row);
		a = make_row(STORE_CONFIG_SET, 3 * 29);
		a.values[CONFIG_SET_NAME].text = "a";
		add_line(&want, &a);
		b = make_row(STORE_CONFIG_SET, 3 * 24); /* 26 and 28 fail */
		b.values[CONFIG_SET_NAME].text = "b";
		add_line(&want, &b);
	}
	assert_contents(shelf, buf_cstr(&want));
	buf_free(&want);
	free(huge);
}

/* What was committed before the close is made and told, what comes after is told no. */
struct chain {
	struct shelf *shelf;
	struct verdict second;
	int calls;
};

static void
commit_another(void *arg, enum rc rc, const struct why *why)
{
	struct chain *chain = arg;

	(void)why;
	assert_rc(rc, RC_OK);
	chain->calls++;
	store_commit(chain->shelf->store, store_change_new(), on_done, &chain->second);
	assert_int_equal(chain->second.calls, 0);
}

static void
test_close_makes_what_was_committed(void **state)
{
	struct shelf *shelf = *state;
	struct chain chain = { .shelf = shelf };
	struct store_change *change = store_change_new();
	struct store_row row = make_row(STORE_SUPPRESSION, 4);
	struct buf want = BUF_EMPTY;

	shelf_open(shelf);
	store_put(change, &row);
	add_line(&want, &row);
	store_commit(shelf->store, change, commit_another, &chain);
	shelf_close(shelf);
	assert_int_equal(chain.calls, 1);
	assert_int_equal(chain.second.calls, 1);
	assert_rc(chain.second.rc, RC_LATER);
	shelf_open(shelf);
	assert_contents(shelf, buf_cstr(&want));
	buf_free(&want);
}

static enum rc
stop_at_second(void *arg, const struct store_row *row, struct why *why)
{
	int *count = arg;

	(void)row;
	return ++*count == 2 ? why_set(why, RC_DENY, 0, "enough") : RC_OK;
}

static void
test_a_walk_can_be_ended(void **state)
{
	struct shelf *shelf = *state;
	struct why why = WHY_EMPTY;
	int count = 0;

	shelf_open(shelf);
	for (unsigned i = 0; i < 3; i++) {
		struct store_row row = make_row(STORE_IDENTITY, i);

		put_one(shelf, &row);
	}
	assert_rc(store_load(shelf->store, STORE_IDENTITY, stop_at_second, &count, &why), RC_DENY);
	assert_string_equal(why.text, "enough");
	assert_int_equal(count, 2);
	assert_null(store_down(shelf->store));
	count = -100;
	assert_rc(store_load(shelf->store, STORE_IDENTITY, stop_at_second, &count, &why), RC_OK);
	assert_int_equal(count, -97);
}

static void
test_too_many_wait(void **state)
{
	enum {
		COUNT = 100010
	};
	struct shelf *shelf = *state;
	struct verdict *verdicts = calloc(COUNT, sizeof *verdicts);
	size_t refused = 0;

	assert_non_null(verdicts);
	shelf_open(shelf);
	for (size_t i = 0; i < COUNT; i++)
		store_commit(shelf->store, store_change_new(), on_done, &verdicts[i]);
	await(shelf, &verdicts[COUNT - 1]);
	for (size_t i = 0; i < COUNT; i++) {
		await(shelf, &verdicts[i]);
		refused += verdicts[i].rc == RC_LATER;
	}
	assert_int_equal(refused, 10); /* nobody was told before the loop went on */
	free(verdicts);
}

/* ------------------------------------------------------------------ the file ------------------ */

static void
test_files_are_private(void **state)
{
	static const char *const names[] = { "postrider.db", "postrider.db-wal", "postrider.db-shm",
		"master.key" };
	struct shelf *shelf = *state;
	struct store_row row = make_row(STORE_CREDENTIAL, 1);
	struct stat st;
	char path[256];
	mode_t before = umask(0);

	shelf_open(shelf);
	put_one(shelf, &row);
	(void)umask(before);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		shelf_path(shelf, names[i], path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	shelf_path(shelf, "postrider.db", path);
	assert_int_equal(chmod(path, 0644), 0);
	shelf_reopen(shelf);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
test_the_wal_stays_small(void **state)
{
	struct shelf *shelf = *state;
	struct stat st;
	char path[256];

	shelf_open(shelf);
	for (unsigned round = 0; round < 60; round++) {
		struct store_change *change = store_change_new();

		for (unsigned i = 0; i < 2000; i++) {
			struct store_row row = make_row(STORE_IDENTITY, i);

			row.values[IDENTITY_CREATED_MS].number = round;
			store_put(change, &row);
		}
		assert_rc(commit(shelf, change).rc, RC_OK);
	}
	shelf_path(shelf, "postrider.db-wal", path);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 12 << 20);
}

static void
test_a_link_is_not_followed(void **state)
{
	struct shelf *shelf = *state;
	char path[256], other[256];

	shelf_open(shelf);
	shelf_close(shelf);
	shelf_path(shelf, "postrider.db", path);
	shelf_path(shelf, "elsewhere.db", other);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	shelf_open(shelf);
	assert_non_null(strstr(store_down(shelf->store), "not a regular file"));
}

/* Each would keep in memory what the other changes in the file. */
static void
test_two_stores_of_one_directory(void **state)
{
	struct shelf *shelf = *state;
	struct store_options options = { shelf->dir, "", shelf->loop, shelf->threaded };
	struct store_row row = make_row(STORE_IDENTITY, 1);
	struct why why = WHY_EMPTY;
	struct store *other;

	shelf_open(shelf);
	assert_rc(store_open(&options, &other, &why), RC_DENY);
	assert_null(other);
	assert_non_null(strstr(why.text, "two daemons cannot share a state directory"));
	put_one(shelf, &row);
	shelf_reopen(shelf); /* and one after the other they can */
	assert_null(store_down(shelf->store));
}

static void
test_another_process_holds_the_lock(void **state)
{
	struct shelf *shelf = *state;
	struct store_row row = make_row(STORE_IDENTITY, 1);
	struct store_change *change = store_change_new();
	struct verdict verdict;
	char path[256], byte = 0;
	int told[2], stop[2], status;
	pid_t child;

	shelf_open(shelf);
	put_one(shelf, &row);
	shelf_path(shelf, "postrider.db", path);
	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(stop), 0);
	child = fork();
	if (child == 0) {
		sqlite3 *db;

		if (sqlite3_open(path, &db) != SQLITE_OK ||
		    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
			_exit(1);
		(void)!write(told[1], "x", 1);
		(void)!read(stop[0], &byte, 1);
		_exit(0);
	}
	assert_int_equal(read(told[0], &byte, 1), 1);
	store_put(change, &row);
	verdict = commit(shelf, change);
	assert_rc(verdict.rc, RC_LATER);
	assert_non_null(strstr(verdict.text, "database is locked"));
	assert_null(store_down(shelf->store));
	assert_int_equal(write(stop[1], "x", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	put_one(shelf, &row);
	for (int i = 0; i < 2; i++) {
		(void)close(told[i]);
		(void)close(stop[i]);
	}
}

static void
test_the_directory_cannot_be(void **state)
{
	struct shelf *shelf = *state;
	char path[256];
	struct store_options options = { path, "", shelf->loop, shelf->threaded };
	struct store *store;
	struct why why = WHY_EMPTY;

	shelf_path(shelf, "file", path);
	write_all(path, SPAN_LIT("x"));
	assert_rc(store_open(&options, &store, &why), RC_BAD);
	assert_null(store);
	assert_non_null(strstr(why.text, "not a directory"));
}

/* ------------------------------------------------------------------ versions ------------------ */

#define COUNTED_1(table) \
	"CREATE TRIGGER " table "_added AFTER INSERT ON " table " BEGIN" \
	" UPDATE tally SET rows = rows + 1 WHERE name = '" table "'; END;" \
	"CREATE TRIGGER " table "_removed AFTER DELETE ON " table " BEGIN" \
	" UPDATE tally SET rows = rows - 1 WHERE name = '" table "'; END;"

/* The schemas as they were released: never changed here. */
static const char *const schemas[] = {
	/* 1 */
	"CREATE TABLE tally (name TEXT NOT NULL PRIMARY KEY, rows INTEGER NOT NULL) STRICT, "
	"WITHOUT ROWID;"
	"CREATE TABLE account (name TEXT NOT NULL, profile TEXT NOT NULL, sending_enabled INTEGER "
	"NOT NULL,"
	" production INTEGER NOT NULL, over_limit TEXT NOT NULL, send_rate REAL NOT NULL,"
	" send_burst REAL NOT NULL, quota_24h INTEGER NOT NULL, suppression TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL, checksum INTEGER, PRIMARY KEY (name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE credential (id TEXT NOT NULL, account TEXT NOT NULL, secret BLOB NOT NULL,"
	" version2 INTEGER NOT NULL, note TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum "
	"INTEGER,"
	" PRIMARY KEY (id)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE identity (account TEXT NOT NULL, name TEXT NOT NULL, verified INTEGER NOT "
	"NULL,"
	" config_set TEXT NOT NULL, senders TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum "
	"INTEGER,"
	" PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE config_set (account TEXT NOT NULL, name TEXT NOT NULL, sending_enabled "
	"INTEGER NOT NULL,"
	" tls TEXT NOT NULL, pool TEXT NOT NULL, max_delivery_s INTEGER NOT NULL, suppression TEXT "
	"NOT NULL,"
	" tags TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum INTEGER, PRIMARY KEY (account, "
	"name))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE event_destination (account TEXT NOT NULL, \"set\" TEXT NOT NULL, name TEXT "
	"NOT NULL,"
	" enabled INTEGER NOT NULL, definition TEXT NOT NULL, checksum INTEGER,"
	" PRIMARY KEY (account, \"set\", name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE suppression (account TEXT NOT NULL, address TEXT NOT NULL, reason TEXT NOT "
	"NULL,"
	" created_ms INTEGER NOT NULL, message_id TEXT NOT NULL, feedback_id TEXT NOT NULL, "
	"checksum INTEGER,"
	" PRIMARY KEY (account, address)) STRICT, WITHOUT ROWID;" COUNTED_1("account") COUNTED_1(
	    "credential") COUNTED_1("identity") COUNTED_1("config_set")
	    COUNTED_1("event_destination") COUNTED_1(
		"suppression") "INSERT INTO tally VALUES ('account', 0), ('credential', 0), "
			       "('identity', 0), ('config_set', 0),"
			       " ('event_destination', 0), ('suppression', 0);"
			       "INSERT INTO identity VALUES ('a', 'example.com', 1, 'set', '', "
			       "1764043704123, NULL);"
			       "INSERT INTO account VALUES ('old', 'ses', 1, 1, 'reject', 5, 6, 7, "
			       "'both', 8, NULL);"
			       "PRAGMA application_id = 1886614642; PRAGMA user_version = 1;",
};

static void
test_earlier_versions_are_migrated(void **state)
{
	struct shelf *shelf = *state;
	char path[256];

	shelf_path(shelf, "postrider.db", path);
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
		struct store_row row = make_row(STORE_CONFIG_SET, 2);
		struct buf want = BUF_EMPTY;
		struct store_stats stats;

		(void)unlink(path);
		sql(shelf, schemas[i]);
		shelf_open(shelf);
		assert_null(store_down(shelf->store));
		store_stats(shelf->store, &stats);
		assert_int_equal(stats.version, 2);
		buf_addf(&want, "account|old|ses|1|1|reject|0x1.4p+2|0x1.8p+2|7|both|8|1\n"
				"identity|a|example.com|1|set||1764043704123\n");
		assert_contents(shelf, buf_cstr(&want));
		shelf_close(shelf);
		sql(shelf, "DELETE FROM tally"); /* is counted anew */
		shelf_open(shelf);
		put_one(shelf, &row);
		shelf_close(shelf);
		sql(shelf, "UPDATE config_set SET pool = 'by hand', checksum = NULL");
		row.values[CONFIG_SET_POOL].text = "by hand";
		buf_clear(&want);
		buf_addf(&want, "account|old|ses|1|1|reject|0x1.4p+2|0x1.8p+2|7|both|8|1\n"
				"identity|a|example.com|1|set||1764043704123\n");
		add_line(&want, &row);
		shelf_open(shelf);
		assert_contents(shelf, buf_cstr(&want));
		shelf_close(shelf);
		buf_free(&want);
	}
}

static void
test_a_new_file_has_the_newest_version(void **state)
{
	struct shelf *shelf = *state;
	char path[256];

	shelf_path(shelf, "postrider.db", path);
	shelf_open(shelf);
	shelf_close(shelf);
	assert_int_equal(sql_number(path, "PRAGMA user_version"), 2);
	assert_int_equal(sql_number(path, "PRAGMA application_id"), 1886614642);
	assert_int_equal(
	    sql_number(path, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), 7);
	assert_int_equal(
	    sql_number(path, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), 12);
	assert_true(sql_is_sound(path));
}

/* Down, with these words, and the file is what it was. */
static void
assert_refused(struct shelf *shelf, const char *words)
{
	struct store_row row = make_row(STORE_IDENTITY, 1);
	struct store_change *change = store_change_new();
	struct buf before = BUF_EMPTY, after = BUF_EMPTY, rows = BUF_EMPTY;
	struct verdict verdict;
	char path[256];

	shelf_path(shelf, "postrider.db", path);
	read_all(path, &before);
	shelf_open(shelf);
	assert_non_null(store_down(shelf->store));
	assert_non_null(strstr(store_down(shelf->store), words));
	assert_non_null(strstr(store_down(shelf->store), path));
	assert_rc(shelf_dump(shelf, &rows), RC_LATER);
	assert_int_equal(buf_len(&rows), 0);
	store_put(change, &row);
	verdict = commit(shelf, change);
	assert_rc(verdict.rc, RC_LATER);
	assert_string_equal(verdict.text, store_down(shelf->store));
	assert_rc(rekey(shelf).rc, RC_LATER);
	shelf_close(shelf);
	read_all(path, &after);
	assert_int_equal(buf_len(&before), buf_len(&after));
	assert_memory_equal(buf_span(&before).p, buf_span(&after).p, buf_len(&before));
	buf_free(&before);
	buf_free(&after);
	buf_free(&rows);
}

static void
test_what_is_not_ours_is_refused(void **state)
{
	struct shelf *shelf = *state;
	char path[256];

	shelf_path(shelf, "postrider.db", path);
	shelf_open(shelf);
	shelf_close(shelf);
	sql(shelf, "PRAGMA user_version = 3");
	assert_refused(shelf, "of schema version 3, and this program knows 2");
	sql(shelf, "PRAGMA user_version = 2; PRAGMA application_id = 5");
	assert_refused(shelf, "not one of postrider's");
	sql(shelf, "PRAGMA application_id = 1886614642; ALTER TABLE identity DROP COLUMN senders");
	assert_refused(shelf, "its schema is not that of version 2");
	(void)unlink(path);
	sql(shelf, "CREATE TABLE other (a)");
	assert_refused(shelf, "not one of postrider's");
	write_all(path, SPAN_LIT(""));
	assert_refused(shelf, "is empty");
	write_all(path, SPAN_LIT("This is a text that somebody has put here."));
	assert_refused(shelf, "file is not a database");
}

static bool
file_has(const struct shelf *shelf, const char *name, const char *text)
{
	struct buf bytes = BUF_EMPTY;
	char path[256];
	bool has;

	shelf_path(shelf, name, path);
	if (access(path, F_OK) != 0)
		return false;
	read_all(path, &bytes);
	has = buf_len(&bytes) > 0 &&
	      memmem(buf_span(&bytes).p, buf_len(&bytes), text, strlen(text)) != NULL;
	buf_free(&bytes);
	return has;
}

/* A database that somebody has moved, or whose disk is not mounted, is not replaced in silence. */
static void
test_a_database_that_is_gone(void **state)
{
	struct shelf *shelf = *state;
	struct store_row row = make_row(STORE_IDENTITY, 1);
	char path[256], log[256];
	int kept = dup(STDERR_FILENO), fd;

	shelf_path(shelf, "postrider.db", path);
	shelf_path(shelf, "log", log);
	fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(kept >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	log_open(LOG_SINK_STDERR, LOG_LEVEL_WARNING);
	shelf_open(shelf);
	put_one(shelf, &row);
	shelf_reopen(shelf);
	assert_false(file_has(shelf, "log", "made anew"));
	shelf_close(shelf);
	assert_int_equal(unlink(path), 0);
	shelf_open(shelf);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	(void)close(fd);
	assert_null(store_down(shelf->store));
	assert_true(file_has(shelf, "log", "made anew"));
}

static void
test_a_wal_without_its_database(void **state)
{
	struct shelf *shelf = *state;
	char path[256], wal[256];

	shelf_path(shelf, "postrider.db", path);
	shelf_path(shelf, "postrider.db-wal", wal);
	write_all(wal, SPAN_LIT("something"));
	shelf_open(shelf);
	assert_non_null(strstr(store_down(shelf->store), "is missing"));
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(access(wal, F_OK), 0);
}

/* ------------------------------------------------------------------ secrets ------------------- */

static const char clear_text[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

static struct store_row
make_credential(const char *id)
{
	struct store_row row = make_row(STORE_CREDENTIAL, 1);

	row.values[CREDENTIAL_ID].text = id;
	row.values[CREDENTIAL_SECRET].text = clear_text;
	row.values[CREDENTIAL_NOTE].text = "";
	row.values[CREDENTIAL_ACCOUNT].text = "a";
	row.values[CREDENTIAL_CREATED_MS].number = 5;
	row.values[CREDENTIAL_VERSION2].number = 1;
	return row;
}

static void
put_credentials(struct shelf *shelf)
{
	static const char *const ids[] = { "AKIA1", "AKIA2", "AKIA3" };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct store_row row = make_credential(ids[i]);

		put_one(shelf, &row);
	}
}

static uint64_t
failures(const struct shelf *shelf)
{
	struct store_stats stats;

	store_stats(shelf->store, &stats);
	return stats.failures;
}

/* What is read; every secret is the clear text. */
static void
assert_credentials(struct shelf *shelf, const char *ids)
{
	struct buf want = BUF_EMPTY;
	struct span rest = span_of(ids), id;

	while (rest.len > 0 && span_next(&rest, ' ', &id))
		buf_addf(&want, "credential|%.*s|a|%s|1||5\n", SPAN_ARG(id), clear_text);
	assert_contents(shelf, buf_len(&want) > 0 ? buf_cstr(&want) : "");
	buf_free(&want);
}

static void
test_secrets_are_not_in_the_file(void **state)
{
	struct shelf *shelf = *state;

	shelf_open(shelf);
	put_credentials(shelf);
	assert_true(file_has(shelf, "postrider.db-wal", "AKIA1"));
	assert_false(file_has(shelf, "postrider.db-wal", clear_text));
	assert_false(file_has(shelf, "postrider.db", clear_text));
	shelf_close(shelf);
	assert_true(file_has(shelf, "postrider.db", "AKIA1"));
	assert_false(file_has(shelf, "postrider.db", clear_text));
	shelf_open(shelf);
	assert_credentials(shelf, "AKIA1 AKIA2 AKIA3");
	assert_int_equal(failures(shelf), 0);
}

static void
test_a_secret_of_another_row_is_refused(void **state)
{
	struct shelf *shelf = *state;

	shelf_open(shelf);
	put_credentials(shelf);
	shelf_close(shelf);
	sql(shelf,
	    "UPDATE credential SET secret = (SELECT secret FROM credential WHERE id = 'AKIA1')"
	    " WHERE id = 'AKIA2'; UPDATE credential SET secret = x'' WHERE id = 'AKIA3'");
	shelf_open(shelf);
	assert_credentials(shelf, "AKIA1");
	assert_null(store_down(shelf->store));
	assert_int_equal(failures(shelf), 2);
}

static void
write_keys(struct shelf *shelf, const char *lines)
{
	shelf_path(shelf, "keys", shelf->keys);
	write_all(shelf->keys, span_of(lines));
}

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY_C "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

static void
test_master_keys_are_changed(void **state)
{
	struct shelf *shelf = *state;
	struct store_row row = make_credential("AKIA4");
	struct verdict verdict;

	write_keys(shelf, "# the first\n\n" KEY_A "\n");
	shelf_open(shelf);
	put_credentials(shelf);
	assert_rc(rekey(shelf).rc, RC_OK);

	write_keys(shelf, "  " KEY_B "\r\n# older\n" KEY_A);
	shelf_reopen(shelf);
	assert_credentials(shelf, "AKIA1 AKIA2 AKIA3");
	put_one(shelf, &row);
	shelf_close(shelf);

	write_keys(shelf, KEY_B "\n"); /* too early */
	shelf_open(shelf);
	assert_credentials(shelf, "AKIA4");
	assert_int_equal(failures(shelf), 3);
	assert_null(store_down(shelf->store));
	verdict = rekey(shelf);
	assert_rc(verdict.rc, RC_BAD);
	assert_non_null(strstr(verdict.text, "credential AKIA1: its secret is under master key"));

	write_keys(shelf, KEY_B "\n" KEY_A "\n");
	assert_rc(rekey(shelf).rc, RC_OK);
	write_keys(shelf, KEY_B "\n");
	shelf_reopen(shelf);
	assert_credentials(shelf, "AKIA1 AKIA2 AKIA3 AKIA4");

	write_keys(shelf, "no key\n");
	verdict = rekey(shelf);
	assert_rc(verdict.rc, RC_BAD);
	assert_non_null(strstr(verdict.text, "keys:1: not a key"));
	assert_null(strstr(verdict.text, "no key\n"));
	write_keys(shelf, KEY_C "\n" KEY_B "\n"); /* without a restart */
	assert_rc(rekey(shelf).rc, RC_OK);
	row = make_credential("AKIA5");
	put_one(shelf, &row);
	write_keys(shelf, KEY_C "\n");
	shelf_reopen(shelf);
	assert_credentials(shelf, "AKIA1 AKIA2 AKIA3 AKIA4 AKIA5");
}

static void
test_master_keys_are_missing(void **state)
{
	struct shelf *shelf = *state;
	char path[256];

	shelf_open(shelf);
	shelf_close(shelf);
	shelf_path(shelf, "master.key", path);
	assert_int_equal(unlink(path), 0);
	shelf_open(shelf); /* nothing was under them */
	assert_null(store_down(shelf->store));
	put_credentials(shelf);
	{
		struct store_row row = make_row(STORE_IDENTITY, 7);

		put_one(shelf, &row);
	}
	shelf_close(shelf);
	assert_int_equal(unlink(path), 0);
	shelf_open(shelf);
	assert_non_null(strstr(store_down(shelf->store), path));
	assert_int_not_equal(access(path, F_OK), 0);
	{
		struct buf got = BUF_EMPTY; /* what needs no key can be read */

		assert_rc(shelf_dump(shelf, &got), RC_LATER);
		assert_non_null(strstr(buf_cstr(&got), "identity|k0-1|k1-7"));
		assert_null(strstr(buf_cstr(&got), "AKIA"));
		buf_free(&got);
	}
	shelf_close(shelf);
	shelf_path(shelf, "nowhere.key", shelf->keys);
	shelf_open(shelf);
	assert_non_null(strstr(store_down(shelf->store), shelf->keys));
	shelf_close(shelf);
	write_keys(shelf, KEY_A "\n");
	assert_int_equal(chmod(shelf->keys, 0644), 0);
	shelf_open(shelf);
	assert_non_null(strstr(store_down(shelf->store), "others may read"));
}

static void
test_key_files(void **state)
{
	static const struct {
		const char *text;
		enum rc rc;
	} files[] = { { KEY_A, RC_OK }, { KEY_A "\n\n\n#\n", RC_OK }, { "", RC_BAD },
		{ "\n# x\n", RC_BAD }, { KEY_A "\n" KEY_A "\n", RC_BAD }, { KEY_A KEY_B, RC_BAD },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", RC_BAD }, { "AAAA", RC_BAD },
		{ KEY_A " # x", RC_BAD } };
	struct shelf *shelf = *state;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct store_keys *keys;
		struct why why = WHY_EMPTY;

		write_keys(shelf, files[i].text);
		assert_rc(store_keys_load(shelf->keys, &keys, &why), files[i].rc);
		assert_true((keys != NULL) == (files[i].rc == RC_OK));
		store_keys_free(keys);
	}
}

/* Every byte of what is stored counts, and every length. */
static void
test_sealed_texts(void **state)
{
	struct shelf *shelf = *state;
	struct store_keys *keys;
	struct why why = WHY_EMPTY;

	write_keys(shelf, KEY_A "\n" KEY_B "\n");
	assert_rc(store_keys_load(shelf->keys, &keys, &why), RC_OK);
	for (size_t len = 0; len < 40; len++) {
		struct span text = span_make("0123456789012345678901234567890123456789", len);
		struct buf sealed = BUF_EMPTY, again = BUF_EMPTY;
		char *out;

		assert_rc(store_keys_seal(keys, SPAN_LIT("place"), text, &sealed, &why), RC_OK);
		assert_rc(store_keys_seal(keys, SPAN_LIT("place"), text, &again, &why), RC_OK);
		assert_memory_not_equal(sealed.mem, again.mem, buf_len(&sealed));
		assert_rc(store_keys_unseal(keys, SPAN_LIT("place"), buf_span(&sealed), &out, &why),
		    RC_OK);
		assert_span(text, out);
		free(out);
		assert_rc(store_keys_unseal(keys, SPAN_LIT("plac"), buf_span(&sealed), &out, &why),
		    RC_BAD);
		for (size_t i = 0; i < buf_len(&sealed); i++) {
			assert_rc(store_keys_unseal(keys, SPAN_LIT("place"),
				      span_make(sealed.mem, i), &out, &why),
			    RC_BAD);
			sealed.mem[i] ^= 1;
			assert_rc(store_keys_unseal(
				      keys, SPAN_LIT("place"), buf_span(&sealed), &out, &why),
			    RC_BAD);
			assert_null(out);
			sealed.mem[i] ^= 1;
		}
		buf_free(&sealed);
		buf_free(&again);
	}
	store_keys_free(keys);
}

/* ------------------------------------------------------------------ backup -------------------- */

static void
test_backup_while_changes_go_on(void **state)
{
	enum {
		ROWS = 6000
	};
	struct shelf *shelf = *state;
	struct shelf copy = { .loop = shelf->loop };
	struct verdict verdict = { .shelf = shelf }, second = { .shelf = shelf };
	struct store_change *change = store_change_new();
	static const char *const parts[] = { "copy.db.part", "copy.db.part-wal",
		"copy.db.part-shm" };
	struct buf want = BUF_EMPTY, got = BUF_EMPTY;
	char path[256], target[256];
	unsigned number = ROWS;
	struct stat st;

	shelf_open(shelf);
	for (unsigned i = 0; i < ROWS; i++) {
		struct store_row row = make_row(STORE_SUPPRESSION, i);

		store_put(change, &row);
	}
	assert_rc(commit(shelf, change).rc, RC_OK);
	shelf_path(shelf, "copy.db", path);
	store_backup(shelf->store, path, on_done, &verdict);
	store_backup(shelf->store, path, on_done, &second);
	while (verdict.calls == 0) {
		/* In front of what was copied, and behind. */
		struct store_row row = make_row(STORE_SUPPRESSION, number++), first;

		put_one(shelf, &row);
		first = make_row(STORE_IDENTITY, number);
		put_one(shelf, &first);
	}
	assert_string_equal(verdict.text, "");
	assert_rc(verdict.rc, RC_OK);
	while (second.calls == 0)
		(void)loop_step(shelf->loop);
	/* One at a time; or the first was through, and its file is there. */
	assert_true(second.rc == RC_LATER || second.rc == RC_BAD);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_rc(backup(shelf, path).rc, RC_BAD); /* never over a file */

	/* Restored: a consistent moment, every row of it whole. Without changes in between it is the source. */
	assert_true(sql_is_sound(path));
	assert_true(sql_number(path, "SELECT count(*) FROM suppression") >= ROWS);
	assert_int_equal(unlink(path), 0);
	for (size_t i = 0; i < 3; i++) { /* what a crash would have left is no matter */
		shelf_path(shelf, parts[i], target);
		write_all(target, SPAN_LIT("something"));
	}
	assert_rc(backup(shelf, path).rc, RC_OK);
	for (size_t i = 0; i < 3; i++) {
		shelf_path(shelf, parts[i], target);
		assert_int_not_equal(access(target, F_OK), 0);
	}
	assert_rc(shelf_dump(shelf, &want), RC_OK);
	(void)snprintf(copy.dir, sizeof copy.dir, "%s", shelf->dir);
	shelf_path(shelf, "master.key", copy.keys);
	shelf_close(shelf);
	shelf_path(shelf, "postrider.db", target);
	assert_int_equal(rename(path, target), 0);
	shelf_open(&copy);
	assert_null(store_down(copy.store));
	assert_rc(shelf_dump(&copy, &got), RC_OK);
	assert_string_equal(buf_cstr(&got), buf_cstr(&want));
	shelf_close(&copy);
	buf_free(&want);
	buf_free(&got);
}

static void
test_backup_that_cannot_be(void **state)
{
	struct shelf *shelf = *state;
	struct verdict verdict = { .shelf = shelf };
	char path[256];

	shelf_open(shelf);
	verdict = backup(shelf, "/nonexistent/copy.db");
	assert_rc(verdict.rc, RC_LATER);
	assert_null(store_down(shelf->store));
	/* One that the end overtakes leaves nothing. */
	for (unsigned i = 0; i < 3; i++) {
		struct store_change *change = store_change_new();

		for (unsigned k = 0; k < 4000; k++) {
			struct store_row row = make_row(STORE_SUPPRESSION, 4000 * i + k);

			store_put(change, &row);
		}
		assert_rc(commit(shelf, change).rc, RC_OK);
	}
	shelf_path(shelf, "copy.db", path);
	verdict.calls = 0;
	store_backup(shelf->store, path, on_done, &verdict);
	shelf_close(shelf);
	assert_int_equal(verdict.calls, 1);
	if (verdict.rc != RC_OK)
		assert_int_not_equal(access(path, F_OK), 0);
	shelf_path(shelf, "copy.db.part", path);
	assert_int_not_equal(access(path, F_OK), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_every_kind_comes_back),
		BOTH(test_rows_are_replaced_and_go),
		BOTH(test_what_belongs_to_others_stays),
		BOTH(test_a_change_that_fails_harms_no_other),
		BOTH(test_close_makes_what_was_committed),
		BOTH(test_a_walk_can_be_ended),
		BOTH(test_too_many_wait),
		BOTH(test_files_are_private),
		BOTH(test_the_wal_stays_small),
		BOTH(test_a_link_is_not_followed),
		BOTH(test_two_stores_of_one_directory),
		cmocka_unit_test_setup_teardown(
		    test_another_process_holds_the_lock, setup_threaded, teardown),
		BOTH(test_the_directory_cannot_be),
		BOTH(test_earlier_versions_are_migrated),
		BOTH(test_a_new_file_has_the_newest_version),
		BOTH(test_what_is_not_ours_is_refused),
		BOTH(test_a_database_that_is_gone),
		BOTH(test_a_wal_without_its_database),
		BOTH(test_secrets_are_not_in_the_file),
		BOTH(test_a_secret_of_another_row_is_refused),
		BOTH(test_master_keys_are_changed),
		BOTH(test_master_keys_are_missing),
		cmocka_unit_test_setup_teardown(test_key_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sealed_texts, setup, teardown),
		BOTH(test_backup_while_changes_go_on),
		BOTH(test_backup_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
