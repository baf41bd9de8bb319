/* tests/unit/store/shelf.h - a store on a real disk in a folder of its own, with or without its thread, and its contents
 * as text that can be compared. */
#ifndef TESTS_UNIT_STORE_SHELF_H
#define TESTS_UNIT_STORE_SHELF_H

#include "unit/test.h"

#include "store/store.h"
#include "util/buf.h"

struct shelf {
	char dir[64];
	char keys[256]; /* "": the store's own file */
	bool threaded;
	struct loop *loop;
	struct store *store;
};

struct verdict {
	struct shelf *shelf;
	int calls, order; /* the how manieth call it was */
	enum rc rc;
	char text[WHY_TEXT_MAX];
};

int setup(void **state);
int setup_threaded(void **state);
int teardown(void **state);

void shelf_path(const struct shelf *shelf, const char *name, char out[256]);
void shelf_open(struct shelf *shelf);
void shelf_close(struct shelf *shelf);
void shelf_reopen(struct shelf *shelf);
/* Runs the loop until it was called. */
void await(struct shelf *shelf, const struct verdict *verdict);
void on_done(void *arg, enum rc rc, const struct why *why);
/* Commits and waits. */
struct verdict commit(struct shelf *shelf, struct store_change *change_take);
struct verdict rekey(struct shelf *shelf);
struct verdict backup(struct shelf *shelf, const char *path);

/* A row of any kind whose values follow from the number; its texts are static until the call after the next eight. */
struct store_row make_row(enum store_kind kind, unsigned number);
/* The same as a line of shelf_dump. */
void add_line(struct buf *out, const struct store_row *row);
/* Everything, a line a row, by kinds and keys. Returns the worst verdict. */
enum rc shelf_dump(struct shelf *shelf, struct buf *out);
void put_one(struct shelf *shelf, const struct store_row *row); /* must be RC_OK */

void read_all(const char *path, struct buf *out);
void write_all(const char *path, struct span bytes);
/* Runs SQL on the file while no store has it. */
void sql(const struct shelf *shelf, const char *text);
int64_t sql_number(const char *path, const char *text);
bool sql_is_sound(const char *path); /* PRAGMA integrity_check says ok */

#define BOTH(test) \
	{ #test, test, setup, teardown, NULL }, \
	{ \
#test " (thread)", test, setup_threaded, teardown, NULL \
	}

#endif
