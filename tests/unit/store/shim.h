/* tests/unit/store/shim.h - between SQLite and the disk: calls that fail, and what a power cut would leave. */
#ifndef TESTS_UNIT_STORE_SHIM_H
#define TESTS_UNIT_STORE_SHIM_H

#include <sqlite3.h>

#include "util/buf.h"

/* Of the database and its WAL: what was synced, and what came later, of which any part may come to the disk. */
struct image {
	struct buf durable;
	struct later {
		sqlite3_int64 at; /* or the new size */
		struct buf bytes;
		bool is_truncate;
	} later[8192];
	size_t count;
};

extern struct image shim_images[2];
extern bool shim_has_images; /* they are kept */

/* The call that `countdown` reaches fails, or all from then on. Nothing is synced: a process that goes on sees the same,
 * faster. */
struct fault {
	long countdown; /* 0: nothing fails */
	bool for_ever;
	bool writes_only;
	bool database_only; /* not its WAL */
	bool memory_only;   /* what fails is SQLite's malloc */
	int code;	    /* of writes; other calls fail with their own */
	bool has_hit;
};
extern struct fault fault;

extern int shim_temporary_files; /* that were asked for, and not given */

void shim_memory(void); /* before anything else is done with SQLite */
void shim_install(void);
void shim_remove(void);
/* Writes the first `len` bytes of it to what is durable. */
void shim_apply(struct image *image, const struct later *later, size_t len);

/* What the log says about faults is too much; what a test has to say still comes. */
void quiet(bool on);

#endif
