/* store/migrations.c - how the database came to look as it does.
 *
 * A version that was released is never changed: a new one is added at the end. The engine runs each in a transaction of
 * its own that ends with the new PRAGMA user_version, so a crash leaves one version or the next.
 *
 * Every table has, beside the columns of columns.c, a `checksum` over the others (but secrets, which have their own):
 * SQLite notices damage to its structure, not to contents. NULL is not checked: written by hand. A migration that changes
 * the columns of a table sets its checksums to NULL. `tally` has the count of rows of each table, kept by triggers, so
 * that rows which damage makes vanish are missed; a table without a line there is counted at the next start. */
#include "config.h"

#include "store/migrations.h"

#include "util/rc.h"

#define COUNTED(table) \
	"CREATE TRIGGER " table "_added AFTER INSERT ON " table " BEGIN" \
	" UPDATE tally SET rows = rows + 1 WHERE name = '" table "'; END;" \
	"CREATE TRIGGER " table "_removed AFTER DELETE ON " table " BEGIN" \
	" UPDATE tally SET rows = rows - 1 WHERE name = '" table "'; END;" \
	"INSERT INTO tally VALUES ('" table "', 0);"

/* clang-format off */
static const char version_1[] =
    "CREATE TABLE tally (name TEXT NOT NULL PRIMARY KEY, rows INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE account ("
    " name TEXT NOT NULL, profile TEXT NOT NULL, sending_enabled INTEGER NOT NULL, production INTEGER NOT NULL,"
    " over_limit TEXT NOT NULL, send_rate REAL NOT NULL, send_burst REAL NOT NULL, quota_24h INTEGER NOT NULL,"
    " suppression TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE credential ("
    " id TEXT NOT NULL, account TEXT NOT NULL, secret BLOB NOT NULL, version2 INTEGER NOT NULL,"
    " note TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE identity ("
    " account TEXT NOT NULL, name TEXT NOT NULL, verified INTEGER NOT NULL, config_set TEXT NOT NULL,"
    " senders TEXT NOT NULL, created_ms INTEGER NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE config_set ("
    " account TEXT NOT NULL, name TEXT NOT NULL, sending_enabled INTEGER NOT NULL, tls TEXT NOT NULL,"
    " pool TEXT NOT NULL, max_delivery_s INTEGER NOT NULL, suppression TEXT NOT NULL, tags TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE event_destination ("
    " account TEXT NOT NULL, \"set\" TEXT NOT NULL, name TEXT NOT NULL, enabled INTEGER NOT NULL,"
    " definition TEXT NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (account, \"set\", name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE suppression ("
    " account TEXT NOT NULL, address TEXT NOT NULL, reason TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    " message_id TEXT NOT NULL, feedback_id TEXT NOT NULL, checksum INTEGER,"
    " PRIMARY KEY (account, address)) STRICT, WITHOUT ROWID;"
    COUNTED("account")
    COUNTED("credential")
    COUNTED("identity")
    COUNTED("config_set")
    COUNTED("event_destination")
    COUNTED("suppression");

static const char version_2[] =
    "ALTER TABLE account ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE config_set ADD COLUMN class TEXT NOT NULL DEFAULT 'transactional';"
    "UPDATE account SET checksum = NULL;"
    "UPDATE config_set SET checksum = NULL;";
/* clang-format on */

const char *const store_migrations[] = { version_1, version_2 };
const size_t store_migration_count = ARRAY_LEN(store_migrations);
