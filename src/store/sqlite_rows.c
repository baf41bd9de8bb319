/* store/sqlite_rows.c - rows to statements and back: all SQL about them is made from store_tables.
 *
 * In: changes, kinds. Out: rows as they were put, or not at all.
 * Always true: a row that is given has the checksum it was written with, comes behind the one before it, and its secret
 * was sealed for this place; all rows were given when the walk ends with RC_OK, but those that were told as left out. */
#include "config.h"

#include "store/sqlite_private.h"

#include <stdlib.h>

#include "util/crc32c.h"
#include "util/crypto.h"
#include "util/le.h"
#include "util/log.h"

enum {
	SKIPPED_LOGGED = 20, /* of a table, one by one */
	PART_KEYS = 2	     /* that say to which set a row belongs */
};

/* ------------------------------------------------------------------ statements ---------------- */

static void
add_names(struct buf *sql, const struct store_table *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_addf(sql, "%s\"%s\"", i > 0 ? "," : "", table->columns[i].name);
}

static void
add_keys_equal(
    struct buf *sql, const struct store_table *table, size_t count, size_t first_parameter)
{
	for (size_t i = 0; i < count; i++)
		buf_addf(sql, "%s\"%s\" = ?%zu", i > 0 ? " AND " : " WHERE ",
		    table->columns[i].name, first_parameter + i);
}

static void
write_put(struct buf *sql, const struct store_table *table)
{
	buf_addf(sql, "INSERT INTO \"%s\" (", table->name);
	add_names(sql, table, table->count);
	buf_addf(sql, ",checksum) VALUES (");
	for (size_t i = 0; i <= table->count; i++)
		buf_addf(sql, "%s?%zu", i > 0 ? "," : "", i + 1);
	buf_addf(sql, ") ON CONFLICT (");
	add_names(sql, table, table->keys);
	buf_addf(sql, ") DO UPDATE SET ");
	for (size_t i = table->keys; i < table->count; i++)
		buf_addf(sql, "\"%s\" = excluded.\"%s\",", table->columns[i].name,
		    table->columns[i].name);
	buf_addf(sql, "checksum = excluded.checksum");
}

static void
write_select(struct buf *sql, const struct store_table *table)
{
	buf_addf(sql, "SELECT ");
	add_names(sql, table, table->count);
	buf_addf(sql, ",checksum FROM \"%s\" ORDER BY ", table->name);
	add_names(sql, table, table->keys);
}

static void
write_statement(struct buf *sql, const struct store_table *table, enum statement which)
{
	switch (which) {
	case ST_PUT:
		write_put(sql, table);
		break;
	case ST_DELETE:
		buf_addf(sql, "DELETE FROM \"%s\"", table->name);
		add_keys_equal(sql, table, table->keys, 1);
		break;
	case ST_DELETE_ALL:
		buf_addf(sql, "DELETE FROM \"%s\" WHERE \"%s\" = ?%zu", table->name,
		    table->columns[table->owner].name, table->owner + 1);
		break;
	case ST_DELETE_PART:
		buf_addf(sql, "DELETE FROM \"%s\"", table->name);
		add_keys_equal(sql, table, PART_KEYS, 1);
		break;
	default:
		write_select(sql, table);
		break;
	}
}

static enum rc
prepare(struct engine *engine, const char *sql, sqlite3_stmt **out, struct why *why)
{
	int code = sqlite3_prepare_v3(engine->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	if (code == SQLITE_OK)
		return RC_OK;
	/* "no such table", "no such column": somebody has changed the schema. */
	if ((code & 0xff) == SQLITE_ERROR)
		return engine_break(engine, why,
		    "%s: its schema is not that of version %d: %s; restore a backup", engine->path,
		    engine->version, sqlite3_errmsg(engine->db));
	return engine_fail(engine, code, "open", why);
}

/* Also the check that every table has its columns. */
enum rc
rows_prepare(struct engine *engine, struct why *why)
{
	struct buf sql = BUF_EMPTY;
	enum rc rc = prepare(engine, "SAVEPOINT change", &engine->savepoint, why);

	if (rc == RC_OK)
		rc = prepare(engine, "RELEASE change", &engine->release, why);
	if (rc == RC_OK)
		rc = prepare(engine, "ROLLBACK TO change", &engine->undo, why);
	if (rc == RC_OK)
		rc = prepare(engine, "SELECT rows FROM tally WHERE name = ?1", &engine->count, why);
	for (size_t i = 0; rc == RC_OK && i < STORE_KINDS * STATEMENTS; i++) {
		const struct store_table *table = &store_tables[i / STATEMENTS];
		const char *text;

		if (i % STATEMENTS == ST_DELETE_PART && table->keys <= PART_KEYS)
			continue;
		buf_clear(&sql);
		write_statement(&sql, table, (enum statement)(i % STATEMENTS));
		text = buf_cstr(&sql);
		if (text == NULL)
			rc = why_set(why, RC_LATER, 0, "the store: out of memory");
		else
			rc = prepare(
			    engine, text, &engine->rows[i / STATEMENTS][i % STATEMENTS], why);
	}
	buf_free(&sql);
	return rc;
}

void
rows_finalize(struct engine *engine)
{
	sqlite3_stmt **others[] = { &engine->savepoint, &engine->release, &engine->undo,
		&engine->count };

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		(void)sqlite3_finalize(*others[i]);
		*others[i] = NULL;
	}
	for (size_t i = 0; i < STORE_KINDS * STATEMENTS; i++) {
		(void)sqlite3_finalize(engine->rows[i / STATEMENTS][i % STATEMENTS]);
		engine->rows[i / STATEMENTS][i % STATEMENTS] = NULL;
	}
}

static bool
has_secrets(const struct store_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->columns[i].type == STORE_SECRET)
			return true;
	return false;
}

enum rc
rows_have_secrets(struct engine *engine, bool *out, struct why *why)
{
	*out = false;
	for (size_t kind = 0; kind < STORE_KINDS && !*out; kind++) {
		sqlite3_stmt *select = engine->rows[kind][ST_SELECT];
		int code;

		if (!has_secrets(&store_tables[kind]))
			continue;
		code = sqlite3_step(select);
		*out = code == SQLITE_ROW;
		(void)sqlite3_reset(select);
		if (code != SQLITE_ROW && code != SQLITE_DONE)
			return engine_fail(engine, code, "read", why);
	}
	return RC_OK;
}

/* ------------------------------------------------------------------ values -------------------- */

/* What a secret belongs to: table, keys, column, with NUL between. Keys hold none. */
static void
add_place(
    struct buf *place, const struct store_table *table, const struct store_row *row, size_t column)
{
	buf_add(place, table->name, strlen(table->name) + 1);
	for (size_t i = 0; i < table->keys; i++)
		buf_add(place, row->values[i].text, strlen(row->values[i].text) + 1);
	buf_add_span(place, span_of(table->columns[column].name));
}

/* Over the values as they are read back: no negative zero, a bool is 0 or 1. Secrets have a tag of their own. */
static uint32_t
checksum(const struct store_row *row)
{
	const struct store_table *table = &store_tables[row->kind];
	uint32_t crc = crc32c(0, table->name, strlen(table->name));

	for (size_t i = 0; i < table->count; i++) {
		const struct store_value *value = &row->values[i];
		unsigned char bytes[8];
		uint64_t bits = (uint64_t)value->number;
		double real = value->real + 0.0;

		switch (table->columns[i].type) {
		case STORE_TEXT:
			crc = crc32c(crc, value->text, strlen(value->text) + 1);
			continue;
		case STORE_SECRET:
			continue;
		case STORE_REAL:
			memcpy(&bits, &real, sizeof bits);
			break;
		case STORE_BOOL:
			bits = value->number != 0;
			break;
		default:
			break;
		}
		le_put(bytes, bits, sizeof bytes);
		crc = crc32c(crc, bytes, sizeof bytes);
	}
	return crc;
}

static enum rc
bind_secret(struct engine *engine, sqlite3_stmt *statement, const struct store_row *row, size_t i,
    struct why *why)
{
	struct buf place = BUF_EMPTY, sealed = BUF_EMPTY;
	enum rc rc;

	add_place(&place, &store_tables[row->kind], row, i);
	rc = place.failed ? why_set(why, RC_LATER, 0, "the store: out of memory")
			  : store_keys_seal(engine->keys, buf_span(&place),
				span_of(row->values[i].text), &sealed, why);
	if (rc == RC_OK) {
		int code = sqlite3_bind_blob64(
		    statement, (int)i + 1, buf_span(&sealed).p, buf_len(&sealed), SQLITE_TRANSIENT);

		if (code != SQLITE_OK)
			rc = engine_fail(engine, code, "write", why);
	}
	buf_free(&place);
	buf_free(&sealed);
	return rc;
}

static enum rc
bind_value(struct engine *engine, sqlite3_stmt *statement, const struct store_row *row, size_t i,
    struct why *why)
{
	const struct store_value *value = &row->values[i];
	int code = SQLITE_OK, at = (int)i + 1;

	switch (store_tables[row->kind].columns[i].type) {
	case STORE_TEXT:
		/* Borrowed: the statement is run and cleared while the change is there. */
		code = sqlite3_bind_text64(
		    statement, at, value->text, strlen(value->text), SQLITE_STATIC, SQLITE_UTF8);
		break;
	case STORE_INT:
		code = sqlite3_bind_int64(statement, at, value->number);
		break;
	case STORE_BOOL:
		code = sqlite3_bind_int64(statement, at, value->number != 0);
		break;
	case STORE_REAL:
		code = sqlite3_bind_double(statement, at, value->real);
		break;
	case STORE_SECRET:
		return bind_secret(engine, statement, row, i, why);
	}
	return code == SQLITE_OK ? RC_OK : engine_fail(engine, code, "write", why);
}

/* ------------------------------------------------------------------ changes ------------------- */

static enum rc
apply_op(struct engine *engine, const struct store_op *op, struct why *why)
{
	const struct store_table *table = &store_tables[op->row.kind];
	/* Each kind of op has a statement, whose parameters are these columns. */
	const struct {
		enum statement which;
		size_t from, to;
	} kinds[] = {
		[OP_PUT] = { ST_PUT, 0, table->count },
		[OP_DELETE] = { ST_DELETE, 0, table->keys },
		[OP_DELETE_ALL] = { ST_DELETE_ALL, table->owner, table->owner + 1 },
		[OP_DELETE_PART] = { ST_DELETE_PART, 0, PART_KEYS },
	};
	sqlite3_stmt *statement = engine->rows[op->row.kind][kinds[op->kind].which];
	enum rc rc = RC_OK;

	for (size_t i = kinds[op->kind].from; rc == RC_OK && i < kinds[op->kind].to; i++)
		rc = bind_value(engine, statement, &op->row, i, why);
	if (rc == RC_OK && op->kind == OP_PUT)
		rc = sqlite3_bind_int64(statement, (int)table->count + 1, checksum(&op->row)) ==
			     SQLITE_OK
			 ? RC_OK
			 : why_set(why, RC_LATER, 0, "the store: out of memory");
	if (rc == RC_OK)
		rc = engine_run(engine, statement, "write", why);
	(void)sqlite3_clear_bindings(statement);
	return rc;
}

enum rc
engine_apply(struct engine *engine, const struct store_change *change, struct why *why)
{
	enum rc rc = engine_run(engine, engine->savepoint, "write", why);

	if (rc != RC_OK)
		return RC_LATER;
	for (const struct store_op *op = change->first; rc == RC_OK && op != NULL; op = op->next)
		rc = apply_op(engine, op, why);
	if (rc == RC_BAD && (sqlite3_get_autocommit(engine->db) != 0 ||
				engine_run(engine, engine->undo, "write", why) != RC_OK))
		return RC_LATER;
	if (rc != RC_OK && rc != RC_BAD)
		return rc;
	return engine_run(engine, engine->release, "write", why) == RC_OK ? rc : RC_LATER;
}

/* ------------------------------------------------------------------ reading ------------------- */

struct walk {
	struct engine *engine;
	const struct store_table *table;
	sqlite3_stmt *select;
	struct store_row row;
	struct buf keys, before; /* of this row and of the one before: each with a NUL */
	struct buf place;
	char *secrets[STORE_COLUMNS_MAX];
	size_t secret_lens[STORE_COLUMNS_MAX];
	uint64_t rows, damaged, skipped;
};

/* The table and keys of the row, for a log line or an error. */
static const char *
row_name(struct walk *walk, char *out, size_t size)
{
	struct buf text = BUF_EMPTY;
	struct span keys = buf_span(&walk->keys), key;

	buf_add_span(&text, span_of(walk->table->name));
	for (size_t i = 0; i < walk->table->keys && span_next(&keys, '\0', &key); i++) {
		buf_add_char(&text, ' ');
		buf_add_span(&text, key);
	}
	(void)log_safe(buf_span(&text), out, size);
	buf_free(&text);
	return out;
}

static bool
read_value(struct walk *walk, size_t i)
{
	static const int want[] = { [STORE_TEXT] = SQLITE_TEXT,
		[STORE_INT] = SQLITE_INTEGER,
		[STORE_BOOL] = SQLITE_INTEGER,
		[STORE_REAL] = SQLITE_FLOAT,
		[STORE_SECRET] = SQLITE_BLOB };
	enum store_type type = walk->table->columns[i].type;
	struct store_value *value = &walk->row.values[i];
	int at = (int)i;

	*value = (struct store_value){ .text = "" };
	if (sqlite3_column_type(walk->select, at) != want[type])
		return false;
	switch (type) {
	case STORE_TEXT:
		value->text = (const char *)sqlite3_column_text(walk->select, at);
		if (value->text == NULL ||
		    strlen(value->text) != (size_t)sqlite3_column_bytes(walk->select, at)) {
			value->text = "";
			return false;
		}
		break;
	case STORE_REAL:
		value->real = sqlite3_column_double(walk->select, at);
		break;
	case STORE_SECRET:
		break;
	default:
		value->number = sqlite3_column_int64(walk->select, at);
		break;
	}
	return true;
}

/* The values but for secrets; false: this row is not what was written. */
static bool
read_row(struct walk *walk)
{
	int at = (int)walk->table->count;
	bool good = true;

	buf_clear(&walk->keys);
	for (size_t i = 0; i < walk->table->count; i++) {
		good = read_value(walk, i) && good;
		if (i < walk->table->keys)
			buf_add(&walk->keys, walk->row.values[i].text,
			    strlen(walk->row.values[i].text) + 1);
	}
	if (!good)
		return false;
	return sqlite3_column_type(walk->select, at) == SQLITE_NULL ||
	       sqlite3_column_int64(walk->select, at) == checksum(&walk->row);
}

/* Rows come in the order of their keys, each once: anything else is a tree that was damaged. */
static bool
is_in_order(struct walk *walk)
{
	struct span now = buf_span(&walk->keys), before = buf_span(&walk->before);
	size_t len = now.len < before.len ? now.len : before.len;
	int order = memcmp(before.p, now.p, len);
	struct buf swap = walk->before;

	walk->before = walk->keys;
	walk->keys = swap;
	return walk->rows == 1 || order < 0 || (order == 0 && before.len < now.len);
}

static void
forget_secrets(struct walk *walk)
{
	for (size_t i = 0; i < walk->table->count; i++)
		if (walk->secrets[i] != NULL) {
			crypto_wipe(walk->secrets[i], walk->secret_lens[i]);
			free(walk->secrets[i]);
			walk->secrets[i] = NULL;
		}
}

static enum rc
read_secrets(struct walk *walk, struct why *why)
{
	for (size_t i = 0; i < walk->table->count; i++) {
		struct span stored;
		enum rc rc;

		if (walk->table->columns[i].type != STORE_SECRET)
			continue;
		if (walk->engine->keys == NULL)
			return why_set(why, RC_BAD, 0, "there are no master keys");
		stored.p = sqlite3_column_blob(walk->select, (int)i);
		stored.len = (size_t)sqlite3_column_bytes(walk->select, (int)i);
		if (stored.p == NULL)
			stored = SPAN_EMPTY;
		buf_clear(&walk->place);
		add_place(&walk->place, walk->table, &walk->row, i);
		if (walk->place.failed)
			return why_set(why, RC_LATER, 0, "the store: out of memory");
		rc = store_keys_unseal(
		    walk->engine->keys, buf_span(&walk->place), stored, &walk->secrets[i], why);
		if (rc != RC_OK)
			return rc;
		walk->secret_lens[i] = strlen(walk->secrets[i]);
		walk->row.values[i].text = walk->secrets[i];
	}
	return RC_OK;
}

static void
log_skipped(struct walk *walk, const char *text)
{
	char name[256];

	if (++walk->skipped > SKIPPED_LOGGED)
		return; /* their number comes at the end */
	log_line(LOG_LEVEL_ERROR, "store", "row left out: %s: %s",
	    row_name(walk, name, sizeof name), text);
}

static enum rc
give_row(struct walk *walk, store_each *each, void *arg, struct why *why)
{
	struct why secret = WHY_EMPTY;
	enum rc rc;

	walk->rows++;
	if (!read_row(walk)) {
		walk->damaged++;
		log_skipped(walk, "damaged");
		walk->rows--; /* its key is not one to compare with */
		return RC_OK;
	}
	rc = read_secrets(walk, &secret);
	if (rc == RC_BAD)
		log_skipped(walk, secret.text);
	if (rc == RC_LATER)
		return why_set(why, RC_LATER, 0, "%s", secret.text);
	if (walk->keys.failed)
		return why_set(why, RC_LATER, 0, "the store: out of memory");
	if (!is_in_order(walk))
		return engine_fail(walk->engine, SQLITE_CORRUPT, "read", why);
	return rc == RC_OK ? each(arg, &walk->row, why) : RC_OK;
}

static enum rc
count_of(struct walk *walk, uint64_t *out, struct why *why)
{
	sqlite3_stmt *count = walk->engine->count;
	int code = sqlite3_bind_text(count, 1, walk->table->name, -1, SQLITE_STATIC);
	enum rc rc = RC_OK;

	if (code == SQLITE_OK)
		code = sqlite3_step(count);
	if (code == SQLITE_ROW)
		*out = (uint64_t)sqlite3_column_int64(count, 0);
	else if (code != SQLITE_DONE)
		rc = engine_fail(walk->engine, code, "read", why);
	(void)sqlite3_reset(count);
	return rc;
}

/* After the last row: was any damaged, is any missing? */
static enum rc
check_end(struct walk *walk, struct why *why)
{
	uint64_t want = walk->rows + walk->damaged;
	enum rc rc = RC_OK;

	if (walk->damaged == 0)
		rc = count_of(walk, &want, why);
	if (rc == RC_OK && walk->damaged == 0 && want == walk->rows)
		return RC_OK;
	if (rc != RC_OK)
		return rc;
	return engine_break(walk->engine, why,
	    "%s: table %s is damaged: %llu rows are unreadable, %llu of %llu are "
	    "there; " STORE_REMEDY,
	    walk->engine->path, walk->table->name, (unsigned long long)walk->damaged,
	    (unsigned long long)walk->rows, (unsigned long long)want);
}

static enum rc
walk_rows(struct walk *walk, store_each *each, void *arg, struct why *why)
{
	for (;;) {
		int code = sqlite3_step(walk->select);
		enum rc rc;

		if (code == SQLITE_DONE)
			return check_end(walk, why);
		if (code != SQLITE_ROW)
			return engine_fail(walk->engine, code, "read", why);
		rc = give_row(walk, each, arg, why);
		forget_secrets(walk);
		if (rc != RC_OK)
			return rc;
	}
}

static enum rc
walk_table(struct walk *walk, store_each *each, void *arg, struct why *why)
{
	/* One view of rows and their count, whoever else writes. */
	enum rc rc = engine_exec(walk->engine, "BEGIN", "read", why);

	if (rc == RC_OK)
		rc = walk_rows(walk, each, arg, why);
	if (walk->skipped > SKIPPED_LOGGED)
		log_line(LOG_LEVEL_ERROR, "store", "rows left out: %s: %llu in all",
		    walk->table->name, (unsigned long long)walk->skipped);
	(void)sqlite3_reset(walk->select);
	engine_rollback(walk->engine);
	forget_secrets(walk);
	buf_free(&walk->keys);
	buf_free(&walk->before);
	buf_free(&walk->place);
	return rc;
}

/* A row's end is the caller's end, not the store's. */
struct giving {
	store_each *each;
	void *arg;
	enum rc rc;
};

static enum rc
give(void *arg, const struct store_row *row, struct why *why)
{
	struct giving *giving = arg;

	giving->rc = giving->each(giving->arg, row, why);
	return giving->rc;
}

enum rc
engine_load(struct engine *engine, enum store_kind kind, store_each *each, void *arg,
    uint64_t *skipped, struct why *why)
{
	struct giving giving = { each, arg, RC_OK };
	struct walk walk = { .engine = engine, .table = &store_tables[kind] };
	struct why cause = WHY_EMPTY;
	enum rc rc = RC_LATER;

	walk.select = engine->rows[kind][ST_SELECT];
	walk.row.kind = kind;
	*skipped = 0;
	if (walk.select != NULL)
		rc = walk_table(&walk, give, &giving, &cause);
	*skipped = walk.skipped;
	if (giving.rc != RC_OK) {
		if (why != NULL)
			*why = cause;
		return giving.rc;
	}
	/* Whatever it was: memory does not have now what the file has, so nothing may be changed. */
	return rc == RC_OK && !engine->is_broken ? RC_OK
						 : engine_break(engine, why, "%s", cause.text);
}

/* ------------------------------------------------------------------ a new master key ---------- */

static enum rc
rekey_secret(struct walk *walk, const struct store_keys *keys, sqlite3_stmt *update, size_t column,
    struct why *why)
{
	struct buf sealed = BUF_EMPTY;
	enum rc rc;

	buf_clear(&walk->place);
	add_place(&walk->place, walk->table, &walk->row, column);
	rc = walk->place.failed ? why_set(why, RC_LATER, 0, "the store: out of memory")
				: store_keys_seal(keys, buf_span(&walk->place),
				      span_of(walk->row.values[column].text), &sealed, why);
	if (rc == RC_OK && sqlite3_bind_blob64(update, 1, buf_span(&sealed).p, buf_len(&sealed),
			       SQLITE_TRANSIENT) != SQLITE_OK)
		rc = why_set(why, RC_LATER, 0, "the store: out of memory");
	for (size_t i = 0; rc == RC_OK && i < walk->table->keys; i++)
		if (sqlite3_bind_text(update, (int)i + 2, walk->row.values[i].text, -1,
			SQLITE_TRANSIENT) != SQLITE_OK)
			rc = why_set(why, RC_LATER, 0, "the store: out of memory");
	if (rc == RC_OK)
		rc = engine_run(walk->engine, update, "write", why);
	(void)sqlite3_clear_bindings(update);
	buf_free(&sealed);
	return rc;
}

/* The row the walk stands at. It keeps its place in the table: keys are not changed. */
static enum rc
rekey_row(struct walk *walk, const struct store_keys *keys, sqlite3_stmt *update, size_t column,
    struct why *why)
{
	char name[256];
	struct why secret = WHY_EMPTY;
	struct span stored;
	enum rc rc;

	if (!read_row(walk))
		return why_set(why, RC_BAD, 0, "%s: damaged", row_name(walk, name, sizeof name));
	stored = span_make(sqlite3_column_blob(walk->select, (int)column),
	    (size_t)sqlite3_column_bytes(walk->select, (int)column));
	if (stored.p != NULL && store_keys_is_current(keys, stored))
		return RC_OK;
	rc = read_secrets(walk, &secret);
	if (rc != RC_OK)
		return why_set(
		    why, rc, 0, "%s: %s", row_name(walk, name, sizeof name), secret.text);
	return rekey_secret(walk, keys, update, column, why);
}

static enum rc
rekey_column(struct engine *engine, enum store_kind kind, size_t column, struct why *why)
{
	struct walk walk = { .engine = engine, .table = &store_tables[kind] };
	struct buf sql = BUF_EMPTY;
	sqlite3_stmt *update = NULL;
	const char *text;
	enum rc rc;

	walk.select = engine->rows[kind][ST_SELECT];
	walk.row.kind = kind;
	buf_addf(&sql, "UPDATE \"%s\" SET \"%s\" = ?1", walk.table->name,
	    walk.table->columns[column].name);
	add_keys_equal(&sql, walk.table, walk.table->keys, 2);
	text = buf_cstr(&sql);
	rc = text != NULL ? prepare(engine, text, &update, why)
			  : why_set(why, RC_LATER, 0, "the store: out of memory");
	while (rc == RC_OK) {
		int code = sqlite3_step(walk.select);

		if (code == SQLITE_DONE)
			break;
		rc = code == SQLITE_ROW ? rekey_row(&walk, engine->keys, update, column, why)
					: engine_fail(engine, code, "read", why);
		forget_secrets(&walk);
	}
	(void)sqlite3_reset(walk.select);
	(void)sqlite3_finalize(update);
	buf_free(&walk.keys);
	buf_free(&walk.place);
	buf_free(&sql);
	return rc;
}

static enum rc
rekey_all(struct engine *engine, struct why *why)
{
	enum rc rc = engine_begin(engine, why);

	for (size_t kind = 0; rc == RC_OK && kind < STORE_KINDS; kind++)
		for (size_t i = 0; rc == RC_OK && i < store_tables[kind].count; i++)
			if (store_tables[kind].columns[i].type == STORE_SECRET)
				rc = rekey_column(engine, (enum store_kind)kind, i, why);
	if (rc == RC_OK)
		rc = engine_commit(engine, why);
	return rc;
}

enum rc
engine_rekey(struct engine *engine, struct why *why)
{
	struct store_keys *before = engine->keys, *keys = NULL;
	enum rc rc;

	if (engine->is_broken)
		return why_set(why, RC_LATER, 0, "%s", engine->broken.text);
	rc = store_keys_load(engine->keys_path, &keys, why);
	if (rc != RC_OK)
		return rc == RC_LATER ? RC_LATER : RC_BAD;
	engine->keys = keys;
	rc = rekey_all(engine, why);
	if (rc != RC_OK) {
		engine_rollback(engine);
		engine->keys = before;
		store_keys_free(keys);
		return rc;
	}
	store_keys_free(before);
	/* What was under the old key does not stay in the WAL; while another process reads, it is not waited for. */
	(void)sqlite3_busy_timeout(engine->db, 0);
	(void)sqlite3_wal_checkpoint_v2(engine->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_busy_timeout(engine->db, BUSY_MS);
	return RC_OK;
}
