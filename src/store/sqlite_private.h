/* store/sqlite_private.h - between the files of the SQLite engine: sqlite.c opens, migrates and judges errors,
 * sqlite_rows.c makes and runs the statements, sqlite_backup.c copies. */
#ifndef STORE_SQLITE_PRIVATE_H
#define STORE_SQLITE_PRIVATE_H

#include <sqlite3.h>

#include "store/engine.h"
#include "store/keyring.h"

#define STORE_REMEDY "restore a backup, or save what can be read, as postrider(1) says"

enum {
	BUSY_MS = 5000 /* how long a transaction waits for another process */
};

enum statement {
	ST_PUT,
	ST_DELETE,
	ST_DELETE_ALL,
	ST_DELETE_PART, /* of tables with three keys */
	ST_SELECT,
	STATEMENTS
};

struct engine {
	char *path;	   /* of the database */
	char *keys_path;   /* of the master keys */
	bool keys_default; /* they are ours to make */
	sqlite3 *db;
	sqlite3_stmt *rows[STORE_KINDS][STATEMENTS];
	sqlite3_stmt *savepoint, *release, *undo, *count;
	struct store_keys *keys;
	int version;
	bool wal_grows; /* and that was told */
	bool is_broken;
	struct why broken;
};

/* Judges what SQLite said last, see sqlite.c. `doing` begins the text. RC_BAD or RC_LATER. */
enum rc engine_fail(struct engine *engine, int code, const char *doing, struct why *why);
/* Broken from now on; why gets the text. RC_LATER. */
enum rc engine_break(struct engine *engine, struct why *why, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
enum rc engine_exec(struct engine *engine, const char *sql, const char *doing, struct why *why);
/* One number; *is_null when there is no row, or NULL in it. */
enum rc engine_ask(
    struct engine *engine, const char *sql, int64_t *out, bool *is_null, struct why *why);
/* Runs a prepared statement that gives no rows, and resets it. */
enum rc engine_run(
    struct engine *engine, sqlite3_stmt *statement, const char *doing, struct why *why);

enum rc rows_prepare(struct engine *engine, struct why *why);
void rows_finalize(struct engine *engine);
/* Is there any secret? */
enum rc rows_have_secrets(struct engine *engine, bool *out, struct why *why);

#endif
