/* tests/unit/store/shelf.c - see shelf.h. */
#include "config.h"

#include "unit/store/shelf.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "util/clock.h"
#include "util/fsutil.h"
#include "util/log.h"

static int calls;

static int
prepare(void **state, bool threaded)
{
	struct shelf *shelf = calloc(1, sizeof *shelf);

	assert_non_null(shelf);
	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	(void)snprintf(shelf->dir, sizeof shelf->dir, "/tmp/postrider-store-XXXXXX");
	assert_non_null(mkdtemp(shelf->dir));
	shelf->threaded = threaded;
	shelf->loop = loop_new_manual("test");
	assert_non_null(shelf->loop);
	*state = shelf;
	return 0;
}

int
setup(void **state)
{
	return prepare(state, false);
}

int
setup_threaded(void **state)
{
	return prepare(state, true);
}

static void
empty_folder(const char *dir)
{
	DIR *entries = opendir(dir);
	struct dirent *entry;

	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		char path[512];

		(void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlink(path);
	}
	if (entries != NULL)
		(void)closedir(entries);
}

int
teardown(void **state)
{
	struct shelf *shelf = *state;

	store_close(shelf->store);
	loop_free(shelf->loop);
	empty_folder(shelf->dir);
	(void)rmdir(shelf->dir);
	free(shelf);
	return 0;
}

void
shelf_path(const struct shelf *shelf, const char *name, char out[256])
{
	(void)snprintf(out, 256, "%s/%s", shelf->dir, name);
}

void
shelf_open(struct shelf *shelf)
{
	struct store_options options = { shelf->dir, shelf->keys, shelf->loop, shelf->threaded };
	struct why why = WHY_EMPTY;

	calls = 0;
	assert_rc(store_open(&options, &shelf->store, &why), RC_OK);
	assert_non_null(shelf->store);
}

void
shelf_close(struct shelf *shelf)
{
	store_close(shelf->store);
	shelf->store = NULL;
}

void
shelf_reopen(struct shelf *shelf)
{
	shelf_close(shelf);
	shelf_open(shelf);
}

void
await(struct shelf *shelf, const struct verdict *verdict)
{
	int64_t until = clock_mono_ms() + 60000;

	while (verdict->calls == 0) {
		if (loop_step(shelf->loop) == 0)
			(void)usleep(200);
		assert_true(clock_mono_ms() < until);
	}
}

void
on_done(void *arg, enum rc rc, const struct why *why)
{
	struct verdict *verdict = arg;

	verdict->calls++;
	verdict->order = ++calls;
	verdict->rc = rc;
	(void)snprintf(verdict->text, sizeof verdict->text, "%s", why->text);
}

struct verdict
commit(struct shelf *shelf, struct store_change *change_take)
{
	struct verdict verdict = { .shelf = shelf };

	store_commit(shelf->store, change_take, on_done, &verdict);
	assert_int_equal(verdict.calls, 0);
	await(shelf, &verdict);
	return verdict;
}

struct verdict
rekey(struct shelf *shelf)
{
	struct verdict verdict = { .shelf = shelf };

	store_rekey(shelf->store, on_done, &verdict);
	await(shelf, &verdict);
	return verdict;
}

struct verdict
backup(struct shelf *shelf, const char *path)
{
	struct verdict verdict = { .shelf = shelf };

	store_backup(shelf->store, path, on_done, &verdict);
	await(shelf, &verdict);
	return verdict;
}

void
put_one(struct shelf *shelf, const struct store_row *row)
{
	struct store_change *change = store_change_new();
	struct verdict verdict;

	store_put(change, row);
	verdict = commit(shelf, change);
	assert_string_equal(verdict.text, "");
	assert_rc(verdict.rc, RC_OK);
}

/* ------------------------------------------------------------------ rows ---------------------- */

struct store_row
make_row(enum store_kind kind, unsigned number)
{
	static const int64_t numbers[] = { 0, 1, -1, INT64_MAX, INT64_MIN, 1764043704123, 255,
		(int64_t)1 << 31 };
	static const double reals[] = { 0, 0.5, 14, 1e300, -1e-300, 1.0 / 3, 90071992547409931.0,
		-0.0 };
	static char texts[8][STORE_COLUMNS_MAX][160];
	static unsigned next;
	const struct store_table *table = &store_tables[kind];
	struct store_row row = { .kind = kind };
	unsigned turn = next++ % 8;

	for (size_t i = 0; i < table->count; i++) {
		char *text = texts[turn][i];
		unsigned mix = number * 7 + (unsigned)i;

		row.values[i].number = table->columns[i].type == STORE_BOOL
					   ? mix % 2
					   : numbers[mix % ARRAY_LEN(numbers)];
		row.values[i].real = reals[mix % ARRAY_LEN(reals)];
		row.values[i].text = text;
		if (table->columns[i].key)
			(void)snprintf(text, 160, "k%zu-%u", i, i == 0 ? number % 3 : number);
		else if (mix % 5 == 0)
			text[0] = '\0';
		else
			(void)snprintf(text, 160,
			    "%s \"%u\" 'gr\xc3\xbc\xc3\x9f' \xf0\x9f\x93\xab\n\t;--%%",
			    table->columns[i].name, number);
	}
	return row;
}

void
add_line(struct buf *out, const struct store_row *row)
{
	const struct store_table *table = &store_tables[row->kind];

	buf_addf(out, "%s", table->name);
	for (size_t i = 0; i < table->count; i++)
		switch (table->columns[i].type) {
		case STORE_REAL:
			buf_addf(out, "|%a", row->values[i].real + 0.0);
			break;
		case STORE_INT:
		case STORE_BOOL:
			buf_addf(out, "|%lld", (long long)row->values[i].number);
			break;
		default:
			buf_addf(out, "|%s", row->values[i].text);
			break;
		}
	buf_addf(out, "\n");
}

static enum rc
add_row(void *arg, const struct store_row *row, struct why *why)
{
	(void)why;
	add_line(arg, row);
	return RC_OK;
}

enum rc
shelf_dump(struct shelf *shelf, struct buf *out)
{
	struct why why = WHY_EMPTY;
	enum rc worst = RC_OK;

	for (size_t kind = 0; kind < STORE_KINDS; kind++) {
		enum rc rc = store_load(shelf->store, (enum store_kind)kind, add_row, out, &why);

		worst = rc > worst ? rc : worst;
		if (rc != RC_OK)
			assert_string_not_equal(why.text, "");
	}
	return worst;
}

/* ------------------------------------------------------------------ files --------------------- */

void
read_all(const char *path, struct buf *out)
{
	struct why why = WHY_EMPTY;

	assert_rc(fsutil_read_file(path, 1 << 30, out, &why), RC_OK);
}

void
write_all(const char *path, struct span bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct why why = WHY_EMPTY;

	assert_true(fd >= 0);
	assert_rc(fsutil_write_all(fd, bytes.p, bytes.len, &why), RC_OK);
	assert_int_equal(close(fd), 0);
}

void
sql(const struct shelf *shelf, const char *text)
{
	char path[256];
	sqlite3 *db;

	shelf_path(shelf, "postrider.db", path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int64_t
sql_number(const char *path, const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t number;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return number;
}

bool
sql_is_sound(const char *path)
{
	return sql_number(path,
		   "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") == 1;
}
