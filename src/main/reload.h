/* main/reload.h - reads the configuration again on a worker, has it applied on the core loop, and tells whoever asked. Core
 * loop only.
 *
 * One reload at a time. A wish that comes during one may mean files that it has read already, so another one follows. */
#ifndef MAIN_RELOAD_H
#define MAIN_RELOAD_H

#include "main/snapshot.h"
#include "net/worker.h"
#include "util/buf.h"

struct reloader {
	/* Set by the caller, borrowed. */
	const struct snapshot_options *options;
	struct loop *core;
	struct worker_pool *workers;
	/* Takes the snapshot over (and empties it) when it returns RC_OK; appends what needs a restart, a line each. */
	enum rc (*apply)(void *arg, struct snapshot *next, struct buf *restart);
	void *arg;

	/* How the last one ended: to be read. */
	int64_t last_ms; /* wall clock; 0: there was none */
	enum rc last_rc;
	struct buf last_text; /* errors, or what needs a restart */

	/* Its own. */
	bool under_way, again, closed;
	struct list waiters; /* for the next one */
};

void reloader_init(struct reloader *reloader);
void reloader_close(
    struct reloader *reloader); /* nothing is applied any more; those who wait are told RC_LATER */
void reloader_free(struct reloader *reloader); /* when the worker pool is gone */

void reload_begin(struct reloader *reloader);
/* The same, and the callback tells how it went: RC_OK with what needs a restart, RC_BAD with the errors, RC_LATER. */
typedef void reload_callback(void *arg, enum rc rc, struct span text);
void reload_and_tell(struct reloader *reloader, reload_callback *callback, void *arg);

#endif
