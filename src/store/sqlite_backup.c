/* store/sqlite_backup.c - a copy of the database, made in steps between transactions.
 *
 * SQLite copies what this connection changes meanwhile into pages that were copied already, so the copy is the database
 * as it is at the last step. Until then it is NAME.part: what a crash leaves of that the next backup of this name takes
 * away. Always true: a file with the name asked for is complete, sound and synced. */
#include "config.h"

#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/fsutil.h"

enum {
	STEP_PAGES = 128 /* half a megabyte: below a millisecond */
};

struct engine_backup {
	struct engine *engine;
	sqlite3 *to;
	sqlite3_backup *copy;
	int fd;
	bool is_made, is_there;
	char path[PATH_MAX], temp[PATH_MAX];
};

/* The database is not to blame for what happens to its copy: this never breaks the engine. */
static enum rc
fail(const struct engine_backup *backup, int code, struct why *why)
{
	if ((code & 0xff) == SQLITE_FULL)
		return why_set(why, RC_LATER, 0, "backup %s: disk is full", backup->path);
	return why_set(why, RC_LATER, 0, "backup %s: %s", backup->path, sqlite3_errstr(code));
}

/* Of one that broke off. */
static void
remove_leftovers(const struct engine_backup *backup)
{
	static const char *const endings[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		char path[PATH_MAX + 8];

		(void)snprintf(path, sizeof path, "%s%s", backup->temp, endings[i]);
		(void)unlink(path);
	}
}

static enum rc
open_copy(struct engine_backup *backup, struct why *why)
{
	int code;

	if (access(backup->path, F_OK) == 0)
		return why_set(why, RC_BAD, 0, "backup %s: there is such a file", backup->path);
	remove_leftovers(backup);
	backup->fd = open(backup->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (backup->fd < 0)
		return why_errno(why, errno, "backup %s", backup->temp);
	backup->is_made = true;
	code = sqlite3_open_v2(backup->temp, &backup->to,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	/* A copy that breaks off is thrown away, and its one sync is ours. */
	if (code == SQLITE_OK)
		code = sqlite3_exec(backup->to,
		    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return fail(backup, code, why);
	backup->copy = sqlite3_backup_init(backup->to, "main", backup->engine->db, "main");
	return backup->copy != NULL ? RC_OK : fail(backup, sqlite3_errcode(backup->to), why);
}

enum rc
engine_backup_begin(
    struct engine *engine, const char *path, struct engine_backup **out, struct why *why)
{
	struct engine_backup *backup;
	enum rc rc;

	*out = NULL;
	if (engine->is_broken)
		return why_set(why, RC_LATER, 0, "%s", engine->broken.text);
	backup = calloc(1, sizeof *backup);
	if (backup == NULL)
		return why_set(why, RC_LATER, 0, "the store: out of memory");
	backup->engine = engine;
	backup->fd = -1;
	if (snprintf(backup->path, sizeof backup->path, "%s", path) >= (int)sizeof backup->path ||
	    snprintf(backup->temp, sizeof backup->temp, "%s.part", path) >=
		(int)sizeof backup->temp)
		rc = why_set(why, RC_BAD, 0, "backup: path too long");
	else
		rc = open_copy(backup, why);
	if (rc != RC_OK) {
		engine_backup_free(backup);
		return rc;
	}
	*out = backup;
	return RC_OK;
}

static enum rc
publish(struct engine_backup *backup, struct why *why)
{
	char directory[PATH_MAX];
	int failed = renameat2(AT_FDCWD, backup->temp, AT_FDCWD, backup->path, RENAME_NOREPLACE);

	/* Not every file system can refuse to replace. */
	if (failed != 0 && (errno == EINVAL || errno == ENOSYS))
		failed = access(backup->path, F_OK) == 0 ? (errno = EEXIST, -1)
							 : rename(backup->temp, backup->path);
	if (failed != 0)
		return why_errno(why, errno, "backup %s", backup->path);
	backup->is_there = true;
	memcpy(directory, backup->path, sizeof directory);
	return fsutil_sync_dir(dirname(directory), why);
}

/* Pages are copied as they are, whatever is in them. Nobody shall take it for a backup, and throw away an older one, when it
 * is as damaged as the database. */
static enum rc
check_copy(struct engine_backup *backup, struct why *why)
{
	sqlite3_stmt *check = NULL;
	int code = sqlite3_prepare_v2(backup->to, "PRAGMA quick_check(1)", -1, &check, NULL);
	const char *found = "";
	enum rc rc = RC_OK;

	if (code == SQLITE_OK)
		code = sqlite3_step(check);
	if (code == SQLITE_ROW) {
		found = (const char *)sqlite3_column_text(check, 0);
		code = SQLITE_OK;
	}
	if (code != SQLITE_OK)
		rc = fail(backup, code, why);
	else if (found == NULL || strcmp(found, "ok") != 0)
		rc = why_set(why, RC_LATER, 0, "backup %s: the store is damaged: %s", backup->path,
		    found != NULL ? found : "out of memory");
	(void)sqlite3_finalize(check);
	return rc;
}

enum rc
engine_backup_step(struct engine_backup *backup, struct why *why)
{
	enum rc rc;
	int code;

	if (backup->engine->is_broken)
		return why_set(why, RC_LATER, 0, "%s", backup->engine->broken.text);
	code = sqlite3_backup_step(backup->copy, STEP_PAGES);
	/* Begins writing without waiting, so that the sync at the end finds little. */
	(void)sync_file_range(backup->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (code == SQLITE_OK)
		return RC_MORE;
	if (code != SQLITE_DONE)
		return fail(backup, code, why);
	code = sqlite3_backup_finish(backup->copy);
	backup->copy = NULL;
	rc = code == SQLITE_OK ? check_copy(backup, why) : fail(backup, code, why);
	if (rc != RC_OK)
		return rc;
	code = sqlite3_close(backup->to);
	backup->to = NULL;
	if (code != SQLITE_OK)
		return fail(backup, code, why);
	if (fsync(backup->fd) != 0)
		return why_errno(why, errno, "backup %s: fsync", backup->path);
	return publish(backup, why);
}

void
engine_backup_free(struct engine_backup *backup)
{
	if (backup == NULL)
		return;
	if (backup->copy != NULL)
		(void)sqlite3_backup_finish(backup->copy);
	(void)sqlite3_close(backup->to);
	if (backup->fd >= 0)
		(void)close(backup->fd);
	if (backup->is_made && !backup->is_there)
		(void)unlink(backup->temp);
	free(backup);
}
