/* Unit tests of what leads from one version of the database to the next, with versions of this test's own: from each of
 * them, with a disk that fails, and with processes that die on the way. */
#include "config.h"

#include "unit/store/shelf.h"
#include "unit/store/shim.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/migrations.h"

/* ------------------------------------------------------------------ three versions ------------ */

#define COUNTED(table) \
	"CREATE TRIGGER " table "_added AFTER INSERT ON " table " BEGIN" \
	" UPDATE tally SET rows = rows + 1 WHERE name = '" table "'; END;" \
	"CREATE TRIGGER " table "_removed AFTER DELETE ON " table " BEGIN" \
	" UPDATE tally SET rows = rows - 1 WHERE name = '" table "'; END;"

/* Identities have no senders, and accounts have a column that goes. */
static const char one[] =
    "CREATE TABLE tally (name TEXT NOT NULL PRIMARY KEY, rows INTEGER NOT NULL) STRICT, WITHOUT "
    "ROWID;"
    "CREATE TABLE account (name TEXT NOT NULL, profile TEXT NOT NULL, sending_enabled INTEGER NOT "
    "NULL, production INTEGER NOT NULL, over_limit TEXT NOT NULL, send_rate REAL NOT NULL,"
    " send_burst REAL NOT NULL, quota_24h INTEGER NOT NULL, suppression TEXT NOT NULL, created_ms "
    "INTEGER NOT NULL, old TEXT NOT NULL DEFAULT '', checksum INTEGER, PRIMARY KEY (name)) STRICT,"
    " WITHOUT ROWID;"
    "CREATE TABLE credential (id TEXT NOT NULL, account TEXT NOT NULL, secret BLOB NOT NULL, "
    "version2 INTEGER NOT NULL, note TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE identity (account TEXT NOT NULL, name TEXT NOT NULL, verified INTEGER NOT NULL,"
    " config_set TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE config_set (account TEXT NOT NULL, name TEXT NOT NULL, sending_enabled INTEGER "
    "NOT NULL, tls TEXT NOT NULL, pool TEXT NOT NULL, max_delivery_s INTEGER NOT NULL, suppression "
    "TEXT NOT NULL, tags TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE event_destination (account TEXT NOT NULL, \"set\" TEXT NOT NULL, name TEXT NOT "
    "NULL, enabled INTEGER NOT NULL, definition TEXT NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (account, \"set\", name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE suppression (account TEXT NOT NULL, address TEXT NOT NULL, reason TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, message_id TEXT NOT NULL, feedback_id TEXT NOT NULL, checksum "
    "INTEGER, PRIMARY KEY (account, address)) STRICT, WITHOUT ROWID;" COUNTED("account")
	COUNTED("credential") COUNTED("identity") COUNTED("config_set") COUNTED("event_destination")
	    COUNTED("suppression");
/* Every row is rewritten. */
static const char two[] = "ALTER TABLE identity ADD COLUMN senders TEXT NOT NULL DEFAULT '';"
			  "UPDATE identity SET senders = 'of ' || name, checksum = NULL;";
static const char three[] = "ALTER TABLE account DROP COLUMN old;"
			    "ALTER TABLE account ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;"
			    "ALTER TABLE config_set ADD COLUMN class TEXT NOT NULL DEFAULT '';"
			    "UPDATE account SET checksum = NULL;";

const char *const store_migrations[] = { one, two, three };
const size_t store_migration_count = ARRAY_LEN(store_migrations);

enum {
	ROWS = 3000
};

/* A database of that version with rows, as its daemon would have left it. */
static void
make_version(const struct shelf *shelf, size_t version)
{
	char path[256], text[600];

	shelf_path(shelf, "postrider.db", path);
	(void)unlink(path);
	for (size_t i = 0; i < version; i++) {
		sql(shelf, store_migrations[i]);
		if (i > 0)
			continue;
		(void)snprintf(text, sizeof text,
		    "INSERT INTO tally VALUES ('account', 0), ('credential', 0), ('identity', 0),"
		    " ('config_set', 0), ('event_destination', 0), ('suppression', 0);"
		    "INSERT INTO account (name, profile, sending_enabled, production, over_limit,"
		    " send_rate, send_burst, quota_24h, suppression, created_ms)"
		    " VALUES ('a', 'ses', 1, 1, 'reject', 0.5, 2, 3, 'both', 4);"
		    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		    " INSERT INTO identity (account, name, verified, config_set, created_ms)"
		    " SELECT 'a', format('%%06d.test', i), 1, '', 5 FROM n",
		    ROWS - 1);
		sql(shelf, text);
	}
	(void)snprintf(text, sizeof text,
	    "PRAGMA application_id = %d; PRAGMA user_version = %zu; PRAGMA journal_mode = WAL",
	    STORE_APPLICATION_ID, version);
	sql(shelf, text);
}

static void
assert_newest(struct shelf *shelf)
{
	struct buf want = BUF_EMPTY, got = BUF_EMPTY;
	struct store_stats stats;

	assert_string_equal(store_down(shelf->store) != NULL ? store_down(shelf->store) : "", "");
	store_stats(shelf->store, &stats);
	assert_int_equal(stats.version, 3);
	buf_addf(&want, "account|a|ses|1|1|reject|%a|%a|3|both|4|1\n", 0.5, 2.0);
	for (int i = 0; i < ROWS; i++)
		buf_addf(&want, "identity|a|%06d.test|1||of %06d.test|5\n", i, i);
	assert_rc(shelf_dump(shelf, &got), RC_OK);
	assert_string_equal(buf_cstr(&got), buf_cstr(&want));
	buf_free(&want);
	buf_free(&got);
}

static void
test_from_every_version(void **state)
{
	struct shelf *shelf = *state;

	for (size_t version = 1; version <= ARRAY_LEN(store_migrations); version++) {
		make_version(shelf, version);
		if (version == 1)
			sql(shelf, "DELETE FROM tally WHERE name = 'identity'");
		if (version == 3) /* rows as version 2 has left them */
			sql(shelf, "UPDATE identity SET senders = 'of ' || name");
		shelf_open(shelf);
		assert_newest(shelf);
		shelf_reopen(shelf);
		assert_newest(shelf);
		shelf_close(shelf);
	}
}

static int64_t
version_of(const char *path)
{
	return sql_number(path, "PRAGMA user_version");
}

/* Rows of the version that the file is of, all of them. */
static void
assert_one_version(const char *path)
{
	static const char *const counts[] = { NULL,
		"SELECT count(*) FROM identity WHERE verified = 1",
		"SELECT count(*) FROM identity WHERE senders = 'of ' || name",
		"SELECT count(*) FROM identity WHERE senders = 'of ' || name" };
	int64_t version = version_of(path);

	assert_true(version >= 1 && version <= 3);
	assert_true(sql_is_sound(path));
	assert_int_equal(sql_number(path, counts[version]), ROWS);
	assert_int_equal(
	    sql_number(
		path, "SELECT count(*) FROM pragma_table_info('account') WHERE name = 'old'"),
	    version < 3);
	assert_int_equal(
	    sql_number(
		path, "SELECT count(*) FROM pragma_table_info('identity') WHERE name = 'senders'"),
	    version > 1);
}

/* Down, and the file is of one version or another; the next start goes on from there. */
static void
test_disk_fails_on_the_way(void **state)
{
	struct shelf *shelf = *state;
	size_t down = 0, tried = 0;
	char path[256];
	bool hit = true;

	shelf_path(shelf, "postrider.db", path);
	shim_install();
	for (long at = 1; hit; at += at < 40 ? 1 : 7, tried++) {
		fault.countdown = 0;
		make_version(shelf, 1);
		fault.code = at % 2 == 0 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
		fault.for_ever = at % 3 == 0;
		fault.writes_only = true;
		fault.has_hit = false;
		fault.countdown = at;
		quiet(true);
		shelf_open(shelf);
		quiet(false);
		hit = fault.has_hit;
		down += store_down(shelf->store) != NULL;
		if (store_down(shelf->store) != NULL)
			assert_true(hit);
		fault.countdown = 0;
		shelf_close(shelf);
		assert_one_version(path);
		shelf_open(shelf);
		assert_newest(shelf);
		shelf_close(shelf);
	}
	shim_remove();
	print_message("%zu places, %zu times down\n", tried, down);
	assert_true(down > 20);
}

/* Opens the store and dies at some moment; true: before it was through. */
static bool
open_and_die(const struct shelf *shelf, unsigned life_us)
{
	int status, fds[2];
	char through = 0;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store_options options = { shelf->dir, "", shelf->loop, false };
		struct store *store;

		if (store_open(&options, &store, NULL) != RC_OK)
			_exit(2);
		(void)!write(fds[1], "x", 1);
		for (;;)
			(void)pause();
	}
	(void)usleep(life_us);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	(void)close(fds[1]);
	(void)!read(fds[0], &through, 1);
	(void)close(fds[0]);
	return through == 0;
}

static void
test_killed_on_the_way(void **state)
{
	struct shelf *shelf = *state;
	unsigned life_us = 500, early = 0, between = 0;
	char path[256];

	shelf_path(shelf, "postrider.db", path);
	for (int round = 0; round < 60; round++) {
		bool was_early;

		make_version(shelf, 1);
		was_early = open_and_die(shelf, life_us);
		early += was_early;
		/* Around the time it takes here, whatever that is. */
		life_us = was_early ? life_us + life_us / 7 : life_us / 3;
		between += version_of(path) == 2;
		assert_one_version(path);
		shelf_open(shelf);
		assert_newest(shelf);
		shelf_close(shelf);
	}
	print_message("%u of 60 on the way, %u between two versions\n", early, between);
	assert_true(early > 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_from_every_version),
		cmocka_unit_test_setup_teardown(test_disk_fails_on_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_on_the_way, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
