/* store/migrations.h - the versions of the schema, as the SQL that leads from each to the next. */
#ifndef STORE_MIGRATIONS_H
#define STORE_MIGRATIONS_H

#include <stddef.h>

/* The text at [n] makes version n + 1 of version n; 0 is an empty file. */
extern const char *const store_migrations[];
extern const size_t store_migration_count;

/* PRAGMA application_id: a database of another program is not taken for ours. "pstr". */
#define STORE_APPLICATION_ID 0x70737472

#endif
