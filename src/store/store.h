/* store/store.h - what operators and the API change while the daemon runs: durable, in batches, by a thread of its own.
 *
 * The store keeps rows and knows nothing of what they mean; whoever owns the objects (account/, identity/, ...) reads
 * them all at start and serves them from memory, so no message ever waits for the store. Changes are made durable
 * first, then applied to memory by who asked. Columns of each kind are in store/columns.h.
 *
 * The engine is SQLite (store/sqlite*.c, the only files that include it): STATE/postrider.db, WAL, synchronous FULL.
 * Nothing above this header says which engine it is.
 *
 * When the file cannot be used (damaged, of a newer version, locked by another process, a disk that fails), the store
 * is down: store_down says why in words for an operator, changes are refused with RC_LATER, and mail goes on. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "net/loop.h"
#include "store/columns.h"
#include "util/rc.h"
#include "util/span.h"

struct store;

/* A value of a column. The text of a row that the store hands out is borrowed for the callback. */
struct store_value {
	const char *text; /* STORE_TEXT, STORE_SECRET (in clear): UTF-8, never NULL ("" is none) */
	int64_t number;	  /* STORE_INT, STORE_BOOL */
	double real;	  /* STORE_REAL */
};

struct store_row {
	enum store_kind kind;
	struct store_value
	    values[STORE_COLUMNS_MAX]; /* by column; those behind the last are unused */
};

struct store_options {
	const char *directory; /* of the state; made when it is missing, 0700 */
	const char *
	    master_keys; /* file; see store/keyring.h. "": STATE/master.key, made at the first start */
	struct loop *core;
	bool threaded; /* false: changes are made in the loop's next round (tests) */
};

/* Opens, checks and migrates. Blocks: at start. RC_OK also when the store is down (see store_down). RC_DENY: another
 * process has the directory. Anything else: the options cannot work at all (the directory, memory). */
MUST_CHECK enum rc store_open(
    const struct store_options *options, struct store **out, struct why *why);

/* Makes every change that was committed, tells who waits, closes. NULL is fine. */
void store_close(struct store *store);

/* NULL, or why the store cannot be used now; borrowed until the loop goes on. */
const char *store_down(const struct store *store);

/* Every row of a kind, in the order of its keys. Blocks. Has the changes that are durable, whether that was told or not. RC_OK, or RC_LATER when the
 * store is down or goes down on the way: what could be read has been given. A row whose secret cannot be read is left
 * out, logged and counted as a failure, and does not bring the store down. What `each` returns ends the walk when it is
 * not RC_OK, and is returned. */
typedef enum rc store_each(void *arg, const struct store_row *row, struct why *why);
MUST_CHECK enum rc store_load(
    struct store *store, enum store_kind kind, store_each *each, void *arg, struct why *why);

/* ---- changes: some rows, all of them or none ---- */

struct store_change;
struct store_change *store_change_new(void); /* NULL: out of memory */
void store_change_free(struct store_change *change);

/* The row is new, or replaces the one with its keys. Copies. Memory that ran out is told by store_commit. */
void store_put(struct store_change *change, const struct store_row *row);
/* The row with these keys is gone, if there is one; only key columns are read. */
void store_delete(struct store_change *change, const struct store_row *keys);
/* The same for all rows that belong to an account, and for all destinations of a set: also those that store_load has left
 * out. */
void store_delete_all(struct store_change *change, enum store_kind kind, const char *account);
void store_delete_destinations(struct store_change *change, const char *account, const char *set);

/* Takes the change. `done` comes once, on the core loop, never from inside the call: RC_OK when it is durable, RC_LATER
 * with why when it was not made. Changes are made in the order given; those that wait at the same time share a
 * transaction, but one that cannot be made (RC_BAD) does not harm the others. */
typedef void store_done(void *arg, enum rc rc, const struct why *why);
void store_commit(
    struct store *store, struct store_change *change_take, store_done *done, void *arg);

/* Reads the file of master keys again and puts every secret under the first key. `done` as above; RC_BAD with why: the
 * file is wrong, or a secret's key is not in it, and nothing has changed. */
void store_rekey(struct store *store, store_done *done, void *arg);

/* A copy of the whole store, consistent while changes go on, as a file that must not exist yet (RC_BAD when it does). Made
 * by the store's thread, one at a time. The master keys are not in it. */
void store_backup(struct store *store, const char *path, store_done *done, void *arg);

struct store_stats {
	uint64_t commits, transactions, failures;
	uint64_t waiting; /* changes */
	int version;	  /* of the schema */
};
void store_stats(const struct store *store, struct store_stats *out);

#endif
