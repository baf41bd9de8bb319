/* store/engine.h - what the store asks of the database behind it. One thread at a time.
 *
 * An engine that is broken (engine_broken) stays so: its file is damaged, of a newer version, not ours, or could not be
 * opened. From then on nothing is written; what can be read is still given by engine_load. Any other failure is
 * RC_LATER and may be gone the next time. */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "store/change.h"

struct engine;
struct engine_backup;

/* The directory is there. RC_OK also when it is broken. `master_keys` as in struct store_options. */
MUST_CHECK enum rc engine_open(
    const char *directory, const char *master_keys, struct engine **out, struct why *why);
void engine_close(struct engine *engine);

const char *engine_broken(const struct engine *engine); /* or NULL */
int engine_version(const struct engine *engine);

/* As store_load. *skipped gets the number of rows that were left out; the first are logged. A row that is damaged, or of which
 * damage took what follows, breaks the engine; one whose secret cannot be read does not. */
MUST_CHECK enum rc engine_load(struct engine *engine, enum store_kind kind, store_each *each,
    void *arg, uint64_t *skipped, struct why *why);

/* A transaction. RC_BAD of engine_apply: this change cannot be made, nothing of it is left, go on. After any other
 * failure: engine_rollback. */
MUST_CHECK enum rc engine_begin(struct engine *engine, struct why *why);
MUST_CHECK enum rc engine_apply(
    struct engine *engine, const struct store_change *change, struct why *why);
MUST_CHECK enum rc engine_commit(struct engine *engine, struct why *why);
void engine_rollback(struct engine *engine);

/* A transaction of its own. */
MUST_CHECK enum rc engine_rekey(struct engine *engine, struct why *why);

/* Not within a transaction. RC_MORE: another step; RC_OK: the file is there and durable. Before that it has another
 * name. Free in any case. */
MUST_CHECK enum rc engine_backup_begin(
    struct engine *engine, const char *path, struct engine_backup **out, struct why *why);
MUST_CHECK enum rc engine_backup_step(struct engine_backup *backup, struct why *why);
void engine_backup_free(struct engine_backup *backup);

#endif
