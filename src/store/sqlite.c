/* store/sqlite.c - the database file: opened, checked, migrated; what its errors mean.
 *
 * In: a directory. Out: a connection with the newest schema, or the reason in words why there is none.
 * Always true:
 * - a file that is damaged, of a newer version or of another program is not written to, not even by a checkpoint when
 *   it is closed;
 * - a new database gets its name when it is complete, so that an empty file is damage, never a beginning;
 * - only bound parameters carry what comes from outside.
 *
 * Threads: the connection is used by one thread at a time (SQLITE_OPEN_NOMUTEX); store.c sees to that. */
#include "config.h"

#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/migrations.h"
#include "util/fsutil.h"
#include "util/log.h"

enum {
	VALUE_MAX = 16 * 1024 * 1024, /* bytes of a row; more is RC_BAD */
	WAL_PAGES = 1000,	      /* written back from then on: 4 MB */
	WAL_LONG = 16 * WAL_PAGES     /* it should have begun anew long ago */
};

#define FILE_NAME "postrider.db"
#define KEYS_NAME "master.key"
#define REMEDY	  "nothing is written to it: " STORE_REMEDY

/* ------------------------------------------------------------------ errors -------------------- */

static bool
is_damage(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

enum rc
engine_break(struct engine *engine, struct why *why, const char *fmt, ...)
{
	char text[WHY_TEXT_MAX];
	va_list args;

	if (!engine->is_broken) {
		va_start(args, fmt);
		(void)vsnprintf(text, sizeof text, fmt, args);
		va_end(args);
		engine->is_broken = true;
		(void)why_set(&engine->broken, RC_LATER, 0, "%s", text);
	}
	return why_set(why, RC_LATER, 0, "%s", engine->broken.text);
}

/* What is wrong with a statement's values is RC_BAD; the rest is the disk, memory, or somebody else. */
enum rc
engine_fail(struct engine *engine, int code, const char *doing, struct why *why)
{
	int err = engine->db != NULL ? sqlite3_system_errno(engine->db) : 0;
	const char *text = engine->db != NULL && sqlite3_extended_errcode(engine->db) == code
			       ? sqlite3_errmsg(engine->db)
			       : sqlite3_errstr(code);
	char reason[128];

	if (is_damage(code))
		return engine_break(engine, why, "%s: %s; " REMEDY, engine->path, text);
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
		return why_set(why, RC_BAD, 0, "the store: %s", text);
	case SQLITE_FULL:
		return why_set(why, RC_LATER, 0, "the store: disk is full (%s)", engine->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return why_set(why, RC_LATER, 0,
		    "the store: database is locked by another process (%s)", engine->path);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (err != 0)
			return why_set(why, RC_LATER, 0, "the store: %s: %s: %s (%s)", engine->path,
			    doing, text, strerror_r(err, reason, sizeof reason));
		break;
	default:
		break;
	}
	return why_set(why, RC_LATER, 0, "the store: %s: %s: %s", engine->path, doing, text);
}

const char *
engine_broken(const struct engine *engine)
{
	return engine->is_broken ? engine->broken.text : NULL;
}

int
engine_version(const struct engine *engine)
{
	return engine->version;
}

/* ------------------------------------------------------------------ plain statements ---------- */

enum rc
engine_exec(struct engine *engine, const char *sql, const char *doing, struct why *why)
{
	int code = sqlite3_exec(engine->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? RC_OK : engine_fail(engine, code, doing, why);
}

enum rc
engine_ask(struct engine *engine, const char *sql, int64_t *out, bool *is_null, struct why *why)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(engine->db, sql, -1, &statement, NULL);
	enum rc rc = RC_OK;

	*out = 0;
	*is_null = true;
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*is_null = sqlite3_column_type(statement, 0) == SQLITE_NULL;
		*out = sqlite3_column_int64(statement, 0);
	} else if (code != SQLITE_DONE) {
		rc = engine_fail(engine, code, "read", why);
	}
	(void)sqlite3_finalize(statement);
	return rc;
}

enum rc
engine_run(struct engine *engine, sqlite3_stmt *statement, const char *doing, struct why *why)
{
	int code = sqlite3_step(statement);
	enum rc rc = code == SQLITE_DONE || code == SQLITE_ROW
			 ? RC_OK
			 : engine_fail(engine, code, doing, why);

	(void)sqlite3_reset(statement);
	return rc;
}

/* ------------------------------------------------------------------ the file ------------------ */

/* A path whose last part is a link is refused. The directory is one that realpath has resolved. */
static enum rc
connect(struct engine *engine, const char *path, struct why *why)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
		    SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
	int code = sqlite3_open_v2(path, &engine->db, flags, NULL);

	if (code != SQLITE_OK)
		return engine_fail(engine, code, "open", why);
	(void)sqlite3_busy_timeout(engine->db, BUSY_MS);
	(void)sqlite3_limit(engine->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	(void)sqlite3_db_config(engine->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(engine->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(engine->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(engine->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	(void)sqlite3_db_config(engine->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* What undoes a part of a transaction is kept in memory: files elsewhere may be forbidden, or be read by others. */
	return engine_exec(engine,
	    "PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON; PRAGMA mmap_size = 0;"
	    "PRAGMA temp_store = MEMORY",
	    "open", why);
}

static void
disconnect(struct engine *engine)
{
	rows_finalize(engine);
	(void)sqlite3_close(engine->db);
	engine->db = NULL;
}

static enum rc
migrate_one(struct engine *engine, struct why *why)
{
	char pragma[96];
	enum rc rc = engine_exec(engine, "BEGIN IMMEDIATE", "migration", why);

	(void)snprintf(pragma, sizeof pragma,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", STORE_APPLICATION_ID,
	    engine->version + 1);
	if (rc == RC_OK)
		rc = engine_exec(engine, store_migrations[engine->version], "migration", why);
	if (rc == RC_OK)
		rc = engine_exec(engine, pragma, "migration", why);
	if (rc != RC_OK) {
		engine_rollback(engine);
		return rc;
	}
	engine->version++;
	return RC_OK;
}

static enum rc
migrate(struct engine *engine, struct why *why)
{
	int from = engine->version;
	enum rc rc = RC_OK;

	while (rc == RC_OK && engine->version < (int)store_migration_count)
		rc = migrate_one(engine, why);
	if (rc == RC_OK && from != 0 && from != engine->version)
		log_line(LOG_LEVEL_INFO, "store", "%s: schema version %d is now %d", engine->path,
		    from, engine->version);
	return rc;
}

/* The whole database under another name, then renamed: a crash on the way leaves what the next start makes anew. */
static enum rc
create(struct engine *engine, const char *directory, struct why *why)
{
	char path[PATH_MAX], wal[PATH_MAX], journal[PATH_MAX];
	struct stat st;
	enum rc rc;
	int fd;

	(void)snprintf(path, sizeof path, "%s/." FILE_NAME ".new", directory);
	(void)snprintf(journal, sizeof journal, "%s/." FILE_NAME ".new-journal", directory);
	(void)snprintf(wal, sizeof wal, "%s/" FILE_NAME "-wal", directory);
	if (stat(wal, &st) == 0 && st.st_size > 0)
		return engine_break(engine, why,
		    "%s: is missing, but what belongs to it is there (%s): put it back, or move "
		    "that away to"
		    " begin anew",
		    engine->path, wal);
	(void)unlink(path);
	(void)unlink(journal);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return why_errno(why, errno, "%s", path);
	(void)close(fd);
	rc = connect(engine, path, why);
	engine->version = 0;
	if (rc == RC_OK)
		rc = engine_exec(engine, "PRAGMA synchronous = FULL", "create", why);
	if (rc == RC_OK)
		rc = migrate(engine, why);
	disconnect(engine);
	if (rc == RC_OK && rename(path, engine->path) != 0)
		rc = why_errno(why, errno, "%s: rename", path);
	if (rc == RC_OK)
		rc = fsutil_sync_dir(directory, why);
	if (rc == RC_OK && engine->keys_default && access(engine->keys_path, F_OK) == 0)
		log_line(LOG_LEVEL_WARNING, "store",
		    "%s: was not there, but its %s is: made anew, with nothing in it", engine->path,
		    KEYS_NAME);
	return rc;
}

/* There is a file, it is ours alone, and it is not empty. */
static enum rc
check_file(struct engine *engine, const char *directory, struct why *why)
{
	struct stat st;

	if (lstat(engine->path, &st) != 0) {
		if (errno == ENOENT)
			return create(engine, directory, why);
		return why_errno(why, errno, "%s", engine->path);
	}
	if (!S_ISREG(st.st_mode))
		return engine_break(engine, why, "%s: not a regular file", engine->path);
	if (st.st_size == 0)
		return engine_break(engine, why, "%s: is empty; " REMEDY, engine->path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		log_line(LOG_LEVEL_WARNING, "store", "%s: others may read it (mode %04o); now 0600",
		    engine->path, (unsigned)(st.st_mode & 07777));
		if (chmod(engine->path, 0600) != 0)
			return why_errno(why, errno, "%s: chmod", engine->path);
	}
	return RC_OK;
}

/* Before anything that writes: is it ours, and do we know its version? */
static enum rc
check_version(struct engine *engine, struct why *why)
{
	int64_t id = 0, version = 0;
	bool is_null;
	enum rc rc = engine_ask(engine, "PRAGMA application_id", &id, &is_null, why);

	if (rc == RC_OK)
		rc = engine_ask(engine, "PRAGMA user_version", &version, &is_null, why);
	if (rc != RC_OK)
		return rc;
	if (id != STORE_APPLICATION_ID || version < 1)
		return engine_break(
		    engine, why, "%s: a database, but not one of postrider's", engine->path);
	if (version > (int64_t)store_migration_count)
		return engine_break(engine, why,
		    "%s: of schema version %lld, and this program knows %zu: start the newer "
		    "program, or"
		    " restore the backup made before it was installed",
		    engine->path, (long long)version, store_migration_count);
	engine->version = (int)version;
	return RC_OK;
}

/* The changes are durable in the WAL, whatever happens here. Where they cannot be written back to the database, or the WAL
 * cannot begin anew, it grows until the disk is full: that is told before. */
static int
write_back(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct engine *engine = arg;
	struct why why = WHY_EMPTY;
	int in_wal = 0, written = 0, code;

	if (pages < WAL_PAGES)
		return SQLITE_OK;
	code = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &written);
	if (code != SQLITE_OK && code != SQLITE_BUSY)
		(void)engine_fail(engine, code, "write", &why);
	else if (pages >= WAL_LONG && written < in_wal) /* not one large change */
		(void)why_set(&why, RC_LATER, 0,
		    "the store: %s: another process reads it and does not end", engine->path);
	if (why.text[0] != '\0' && !engine->wal_grows)
		log_line(LOG_LEVEL_ERROR, "store",
		    "changes cannot be written back, and %s-wal grows: %s", engine->path, why.text);
	engine->wal_grows = why.text[0] != '\0';
	return SQLITE_OK;
}

static enum rc
set_up(struct engine *engine, struct why *why)
{
	char pragmas[160];
	sqlite3_stmt *statement = NULL;
	bool is_wal = false;
	enum rc rc = RC_OK;
	int code =
	    sqlite3_prepare_v2(engine->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		is_wal =
		    sqlite3_stricmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
	else
		rc = engine_fail(engine, code, "journal mode", why);
	(void)sqlite3_finalize(statement);
	if (rc == RC_OK && !is_wal)
		rc = why_set(why, RC_LATER, 0, "the store: %s: this file system cannot do WAL",
		    engine->path);
	/* The WAL begins anew when all of it is in the file, and gives back what a large change took. */
	(void)snprintf(pragmas, sizeof pragmas,
	    "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = %d", 2 * WAL_PAGES * 4096);
	if (rc == RC_OK)
		rc = engine_exec(engine, pragmas, "open", why);
	(void)sqlite3_wal_hook(engine->db, write_back, engine);
	if (rc == RC_OK)
		rc = migrate(engine, why);
	return rc;
}

/* ------------------------------------------------------------------ master keys --------------- */

static enum rc
load_keys(struct engine *engine, const char *directory, struct why *why)
{
	bool have_secrets = true;
	struct why missing = WHY_EMPTY;
	enum rc rc = store_keys_load(engine->keys_path, &engine->keys, &missing);

	if (rc == RC_OK)
		return RC_OK;
	if (!engine->keys_default || missing.err != ENOENT)
		return why_set(why, RC_LATER, 0, "master keys: %s", missing.text);
	rc = rows_have_secrets(engine, &have_secrets, why);
	if (rc != RC_OK)
		return rc;
	if (have_secrets)
		return why_set(why, RC_LATER, 0,
		    "master keys: %s; the store holds secrets under them: put the file back",
		    missing.text);
	rc = store_keys_make(directory, KEYS_NAME, why);
	if (rc == RC_OK)
		rc = store_keys_load(engine->keys_path, &engine->keys, why);
	return rc;
}

/* ------------------------------------------------------------------ open and close ------------ */

/* Rows are counted by triggers; a table whose line is gone is counted here. */
static enum rc
fill_tally(struct engine *engine, struct why *why)
{
	int64_t lines = 0;
	bool is_null;
	enum rc rc = engine_ask(engine, "SELECT count(*) FROM tally", &lines, &is_null, why);

	if (rc != RC_OK || lines >= STORE_KINDS)
		return rc;
	for (size_t kind = 0; rc == RC_OK && kind < STORE_KINDS; kind++) {
		char sql[256];
		const char *name = store_tables[kind].name;

		(void)snprintf(sql, sizeof sql,
		    "INSERT INTO tally SELECT '%s', (SELECT count(*) FROM \"%s\")"
		    " WHERE NOT EXISTS (SELECT 1 FROM tally WHERE name = '%s')",
		    name, name, name);
		rc = engine_exec(engine, sql, "count", why);
	}
	return rc;
}

static enum rc
open_all(struct engine *engine, const char *directory, struct why *why)
{
	enum rc rc = check_file(engine, directory, why);

	if (rc == RC_OK)
		rc = connect(engine, engine->path, why);
	if (rc == RC_OK)
		rc = check_version(engine, why);
	if (rc == RC_OK)
		rc = set_up(engine, why);
	if (rc == RC_OK)
		rc = rows_prepare(engine, why);
	if (rc == RC_OK)
		rc = fill_tally(engine, why);
	if (rc == RC_OK)
		rc = load_keys(engine, directory, why);
	return rc;
}

static enum rc
make_paths(struct engine *engine, const char *directory, const char *master_keys)
{
	engine->keys_default = master_keys[0] == '\0';
	if (asprintf(&engine->path, "%s/" FILE_NAME, directory) < 0)
		engine->path = NULL;
	if (engine->keys_default) {
		if (asprintf(&engine->keys_path, "%s/" KEYS_NAME, directory) < 0)
			engine->keys_path = NULL;
	} else {
		engine->keys_path = strdup(master_keys);
	}
	return engine->path != NULL && engine->keys_path != NULL ? RC_OK : RC_LATER;
}

enum rc
engine_open(const char *directory, const char *master_keys, struct engine **out, struct why *why)
{
	struct engine *engine = NULL;
	struct why down = WHY_EMPTY;
	char *real = realpath(directory, NULL);

	*out = NULL;
	if (real == NULL)
		return why_errno(why, errno, "%s", directory);
	if (strlen(real) + sizeof FILE_NAME + 32 > PATH_MAX) {
		free(real);
		return why_set(why, RC_BAD, 0, "%s: path too long", directory);
	}
	engine = calloc(1, sizeof *engine);
	if (engine == NULL || make_paths(engine, real, master_keys) != RC_OK) {
		free(real);
		engine_close(engine);
		return why_set(why, RC_LATER, 0, "the store: out of memory");
	}
	/* What failed here is not tried again: memory would not have what the file has. */
	if (open_all(engine, real, &down) != RC_OK)
		(void)engine_break(engine, NULL, "%s", down.text);
	free(real);
	*out = engine;
	return RC_OK;
}

void
engine_close(struct engine *engine)
{
	if (engine == NULL)
		return;
	if (engine->db != NULL) {
		if (!engine->is_broken)
			(void)sqlite3_db_config(
			    engine->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
		disconnect(engine);
	}
	store_keys_free(engine->keys);
	free(engine->path);
	free(engine->keys_path);
	free(engine);
}

/* ------------------------------------------------------------------ transactions -------------- */

static enum rc
refuse(const struct engine *engine, struct why *why)
{
	return why_set(why, RC_LATER, 0, "%s", engine->broken.text);
}

enum rc
engine_begin(struct engine *engine, struct why *why)
{
	if (engine->is_broken)
		return refuse(engine, why);
	return engine_exec(engine, "BEGIN IMMEDIATE", "begin", why);
}

/* When the sync of the WAL fails, what was written stands behind its end in memory and is written over by the next
 * transaction. A crash before that may bring it back: a change that was refused is then there. */
enum rc
engine_commit(struct engine *engine, struct why *why)
{
	return engine_exec(engine, "COMMIT", "commit", why);
}

void
engine_rollback(struct engine *engine)
{
	/* Some errors have ended the transaction already. */
	if (engine->db != NULL && sqlite3_get_autocommit(engine->db) == 0)
		(void)sqlite3_exec(engine->db, "ROLLBACK", NULL, NULL, NULL);
}
