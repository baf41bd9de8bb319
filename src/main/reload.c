/* main/reload.c - see reload.h. Always true: every waiter is told exactly once. */
#include "config.h"

#include "main/reload.h"

#include <stdlib.h>

#include "main/notify.h"
#include "util/clock.h"
#include "util/log.h"

struct waiter {
	struct list node;
	reload_callback *callback;
	void *arg;
};

struct reload {
	struct worker_job job;
	struct reloader *reloader;
	struct snapshot snapshot;
	struct buf text;
	struct list waiters;
	enum rc rc;
};

static void
tell(struct list *waiters, enum rc rc, struct span text)
{
	struct list *node;

	while ((node = list_pop(waiters)) != NULL) {
		struct waiter *waiter = container_of(node, struct waiter, node);

		waiter->callback(waiter->arg, rc, text);
		free(waiter);
	}
}

static void
log_lines(enum log_level level, const struct buf *text, const char *after)
{
	struct span rest = buf_span(text), line;

	while (span_next(&rest, '\n', &line))
		if (line.len > 0)
			log_line(level, "config", "%.*s%s", SPAN_ARG(line), after);
}

static void
load_work(struct worker_job *job)
{
	struct reload *reload = container_of(job, struct reload, job);

	reload->rc = snapshot_load(reload->reloader->options, &reload->snapshot, &reload->text);
}

static void
load_done(struct worker_job *job)
{
	struct reload *reload = container_of(job, struct reload, job);
	struct reloader *reloader = reload->reloader;
	const char *path = reloader->options->path;

	reloader->under_way = false;
	if (reloader->closed)
		reload->rc = RC_LATER;
	if (reload->rc == RC_OK)
		reload->rc = reloader->apply(reloader->arg, &reload->snapshot, &reload->text);
	if (reload->rc == RC_OK) {
		log_lines(LOG_LEVEL_WARNING, &reload->text, ": takes effect after a restart");
		log_line(LOG_LEVEL_INFO, "config", "reloaded: %s", path);
	} else {
		log_lines(LOG_LEVEL_ERROR, &reload->text, "");
		log_line(
		    LOG_LEVEL_ERROR, "config", "%s: the running configuration is unchanged", path);
	}
	reloader->last_ms = clock_wall_ms();
	reloader->last_rc = reload->rc;
	buf_free(&reloader->last_text);
	reloader->last_text = reload->text;
	tell(&reload->waiters, reload->rc, buf_span(&reloader->last_text));
	notify_send("READY=1");
	snapshot_free(&reload->snapshot);
	free(reload);
	if (reloader->again)
		reload_begin(reloader);
}

void
reload_begin(struct reloader *reloader)
{
	struct reload *reload;

	if (reloader->under_way) {
		reloader->again = true;
		return;
	}
	reloader->again = false;
	reload = reloader->closed ? NULL : calloc(1, sizeof *reload);
	if (reload == NULL) {
		tell(&reloader->waiters, RC_LATER, SPAN_EMPTY);
		return;
	}
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
	reload->reloader = reloader;
	list_init(&reload->waiters);
	list_move_all(&reload->waiters, &reloader->waiters);
	reload->job.home = reloader->core;
	reload->job.work = load_work;
	reload->job.done = load_done;
	reloader->under_way = true;
	if (worker_submit(reloader->workers, &reload->job) != RC_OK) {
		reloader->under_way = false;
		tell(&reload->waiters, RC_LATER, SPAN_EMPTY);
		notify_send("READY=1");
		free(reload);
	}
}

void
reload_and_tell(struct reloader *reloader, reload_callback *callback, void *arg)
{
	struct waiter *waiter = calloc(1, sizeof *waiter);

	if (waiter == NULL) {
		callback(arg, RC_LATER, SPAN_EMPTY);
		return;
	}
	waiter->callback = callback;
	waiter->arg = arg;
	list_add_tail(&reloader->waiters, &waiter->node);
	reload_begin(reloader);
}

void
reloader_init(struct reloader *reloader)
{
	list_init(&reloader->waiters);
	buf_init(&reloader->last_text, 0);
}

void
reloader_close(struct reloader *reloader)
{
	reloader->closed = true;
	tell(&reloader->waiters, RC_LATER, SPAN_EMPTY);
}

void
reloader_free(struct reloader *reloader)
{
	buf_free(&reloader->last_text);
}
