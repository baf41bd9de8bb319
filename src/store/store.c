/* store/store.c - changes to the engine and verdicts back, for any engine.
 *
 * In: changes, on the core loop. Out: durable rows; `done` for each change, on the core loop.
 * Always true:
 * - done comes once for each, never from inside the call, and RC_OK only after the engine has committed;
 * - whoever uses the engine holds engine_lock;
 * - `down` and the figures are the core loop's, what waits is under `lock`, a backup is the store thread's. */
#include "config.h"

#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/engine.h"
#include "util/fsutil.h"
#include "util/log.h"

enum {
	WAITING_MAX = 100000
};

struct store {
	int lock_fd;
	struct loop *core;
	bool threaded, closing;
	bool scheduled; /* not threaded: the kick is posted */
	struct loop_msg kick;
	bool is_down;
	char down[WHY_TEXT_MAX];
	struct store_stats stats;

	pthread_mutex_t engine_lock;
	struct engine *engine;
	struct engine_backup *backup; /* under way, or NULL */
	struct store_job *backup_job;

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t there;
	struct store_job *first, **last;
	atomic_bool stopping;
};

/* Jobs whose verdict is known, on their way to the core loop. */
struct batch {
	struct loop_msg msg;
	struct store *store;
	struct store_job *first;
	enum rc rc;	/* of those that were refused together */
	struct why why; /* and why */
	bool is_transaction, is_down;
	char down[WHY_TEXT_MAX];
	int version;
};

/* ------------------------------------------------------------------ verdicts ------------------ */

static void
job_free(struct store_job *job)
{
	/* Every job is the head of a change; that of a rekey or a backup is empty. */
	store_change_free(container_of(job, struct store_change, job));
}

static void
go_down(struct store *store, const char *text)
{
	if (store->is_down)
		return;
	store->is_down = true;
	(void)snprintf(store->down, sizeof store->down, "%s", text);
	log_line(LOG_LEVEL_ERROR, "store",
	    "down: changes are refused until a restart, mail goes on: %s", store->down);
}

static void
report(struct loop_msg *msg)
{
	struct batch *batch = container_of(msg, struct batch, msg);
	struct store *store = batch->store;
	struct store_job *job = batch->first;

	if (batch->is_down)
		go_down(store, batch->down);
	store->stats.transactions += batch->is_transaction;
	store->stats.version = batch->version;
	while (job != NULL) {
		struct store_job *next = job->next;

		store->stats.waiting--;
		if (job->rc != RC_OK)
			store->stats.failures++;
		else if (job->kind == JOB_CHANGE)
			store->stats.commits++;
		if (job->done != NULL)
			job->done(job->arg, job->rc, job->why != NULL ? job->why : &batch->why);
		job_free(job);
		job = next;
	}
	free(batch);
}

static struct batch *
batch_new(struct store *store, struct store_job *first)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (batch == NULL) {
		/* Without two kilobytes nobody can be told what became of their change; a restart loses none. */
		(void)fprintf(stderr, "postrider: out of memory in the store\n");
		abort();
	}
	batch->store = store;
	batch->first = first;
	batch->msg.run = report;
	return batch;
}

static void
batch_post(struct batch *batch)
{
	struct store *store = batch->store;
	const char *broken = engine_broken(store->engine);

	batch->is_down = broken != NULL;
	if (broken != NULL)
		(void)snprintf(batch->down, sizeof batch->down, "%s", broken);
	batch->version = engine_version(store->engine);
	loop_post(store->core, &batch->msg);
}

/* ------------------------------------------------------------------ the store's thread -------- */

static void
job_fail(struct store_job *job, enum rc rc, const struct why *why)
{
	job->rc = rc;
	job->why = malloc(sizeof *job->why);
	if (job->why != NULL)
		*job->why = *why;
}

/* RC_OK: whoever is not marked was written. */
static enum rc
write_changes(struct store *store, struct store_job *first, struct why *why)
{
	enum rc rc = engine_begin(store->engine, why);

	for (struct store_job *job = first; rc == RC_OK && job != NULL; job = job->next) {
		struct store_change *change = container_of(job, struct store_change, job);
		struct why own = WHY_EMPTY;

		rc = engine_apply(store->engine, change, &own);
		if (rc == RC_BAD) {
			job_fail(job, RC_BAD, &own);
			rc = RC_OK;
		} else if (rc != RC_OK) {
			*why = own;
		}
	}
	if (rc == RC_OK)
		rc = engine_commit(store->engine, why);
	if (rc != RC_OK)
		engine_rollback(store->engine);
	return rc;
}

static void
run_changes(struct store *store, struct store_job *first)
{
	struct batch *batch = batch_new(store, first);

	batch->rc = write_changes(store, first, &batch->why);
	batch->is_transaction = batch->rc == RC_OK;
	for (struct store_job *job = first; batch->rc != RC_OK && job != NULL; job = job->next)
		if (job->rc == RC_OK)
			job->rc = RC_LATER;
	batch_post(batch);
}

/* A job by itself has its verdict. */
static void
settle(struct store *store, struct store_job *job, enum rc rc, const struct why *why)
{
	struct batch *batch = batch_new(store, job);

	job->next = NULL;
	job->rc = rc;
	if (rc != RC_OK)
		batch->why = *why;
	batch_post(batch);
}

static void
end_backup(struct store *store, enum rc rc, const struct why *why)
{
	struct store_job *job = store->backup_job;

	engine_backup_free(store->backup);
	store->backup = NULL;
	store->backup_job = NULL;
	settle(store, job, rc, why);
}

static void
begin_backup(struct store *store, struct store_job *job)
{
	struct why why = WHY_EMPTY;
	enum rc rc;

	if (store->backup != NULL)
		rc = why_set(&why, RC_LATER, 0, "backup %s: another one is being made", job->path);
	else
		rc = engine_backup_begin(store->engine, job->path, &store->backup, &why);
	if (rc != RC_OK)
		settle(store, job, rc, &why);
	else
		store->backup_job = job;
}

static void
step_backup(struct store *store)
{
	struct why why = WHY_EMPTY;
	enum rc rc;

	if (store->backup == NULL)
		return;
	if (atomic_load(&store->stopping))
		rc = why_set(&why, RC_LATER, 0, "backup: the daemon stops");
	else
		rc = engine_backup_step(store->backup, &why);
	if (rc != RC_MORE)
		end_backup(store, rc, &why);
}

/* Jobs in the order given: changes that stand together are a transaction. */
static void
run_jobs(struct store *store, struct store_job *job)
{
	while (job != NULL) {
		struct store_job *first = job, *last = job;
		struct why why = WHY_EMPTY;
		enum rc rc;

		while (first->kind == JOB_CHANGE && last->next != NULL &&
		       last->next->kind == JOB_CHANGE)
			last = last->next;
		job = last->next;
		last->next = NULL;
		if (first->kind == JOB_CHANGE) {
			run_changes(store, first);
		} else if (first->kind == JOB_BACKUP) {
			begin_backup(store, first);
		} else {
			rc = engine_rekey(store->engine, &why);
			settle(store, first, rc, &why);
		}
	}
}

static void
run_round(struct store *store, struct store_job *jobs)
{
	(void)pthread_mutex_lock(&store->engine_lock);
	run_jobs(store, jobs);
	step_backup(store);
	(void)pthread_mutex_unlock(&store->engine_lock);
}

static struct store_job *
take_all(struct store *store)
{
	struct store_job *first = store->first;

	store->first = NULL;
	store->last = &store->first;
	return first;
}

static void *
store_main(void *arg)
{
	struct store *store = arg;
	bool at_work = true;

	(void)pthread_setname_np(pthread_self(), "pr-store");
	while (at_work) {
		struct store_job *jobs;

		(void)pthread_mutex_lock(&store->lock);
		while (
		    store->first == NULL && store->backup == NULL && !atomic_load(&store->stopping))
			(void)pthread_cond_wait(&store->there, &store->lock);
		jobs = take_all(store);
		(void)pthread_mutex_unlock(&store->lock);
		at_work = jobs != NULL || store->backup != NULL;
		run_round(store, jobs);
	}
	return NULL;
}

/* ------------------------------------------------------------------ without a thread ---------- */

static void
schedule(struct store *store)
{
	if (store->scheduled)
		return;
	store->scheduled = true;
	loop_post(store->core, &store->kick);
}

static void
on_kick(struct loop_msg *msg)
{
	struct store *store = container_of(msg, struct store, kick);

	store->scheduled = false;
	run_round(store, take_all(store));
	if (store->backup != NULL)
		schedule(store);
}

/* ------------------------------------------------------------------ the core loop ------------- */

static void
queue(struct store *store, struct store_job *job)
{
	(void)pthread_mutex_lock(&store->lock);
	*store->last = job;
	store->last = &job->next;
	if (store->threaded)
		(void)pthread_cond_signal(&store->there);
	(void)pthread_mutex_unlock(&store->lock);
	if (!store->threaded)
		schedule(store);
}

/* Without asking the engine: its thread may be at work. */
static void
refuse(struct store *store, struct store_job *job, const char *text)
{
	struct batch *batch = batch_new(store, job);

	job->rc = why_set(&batch->why, RC_LATER, 0, "%s", text);
	batch->version = store->stats.version;
	loop_post(store->core, &batch->msg);
}

static void
submit(struct store *store, struct store_change *change, enum store_job_kind kind, store_done *done,
    void *arg)
{
	struct store_job *job = &change->job;

	*job = (struct store_job){ .kind = kind, .done = done, .arg = arg, .path = job->path };
	store->stats.waiting++;
	if (store->is_down)
		refuse(store, job, store->down);
	else if (change->failed)
		refuse(store, job, "the store: out of memory");
	else if (store->closing)
		refuse(store, job, "the store: the daemon stops");
	else if (store->stats.waiting > WAITING_MAX)
		refuse(store, job, "the store: too many changes wait for the disk");
	else
		queue(store, job);
}

/* A change to hang a job on; what is missing in it is told by submit. */
static struct store_change *
change_or_abort(struct store_change *change, bool failed)
{
	if (change == NULL)
		change = store_change_new();
	if (change == NULL) {
		(void)fprintf(stderr, "postrider: out of memory in the store\n");
		abort();
	}
	change->failed |= failed;
	return change;
}

void
store_commit(struct store *store, struct store_change *change_take, store_done *done, void *arg)
{
	submit(store, change_or_abort(change_take, change_take == NULL), JOB_CHANGE, done, arg);
}

void
store_rekey(struct store *store, store_done *done, void *arg)
{
	submit(store, change_or_abort(NULL, false), JOB_REKEY, done, arg);
}

void
store_backup(struct store *store, const char *path, store_done *done, void *arg)
{
	struct store_change *change = change_or_abort(NULL, false);

	change->job.path = span_dup(span_of(path));
	change->failed = change->job.path == NULL;
	submit(store, change, JOB_BACKUP, done, arg);
}

const char *
store_down(const struct store *store)
{
	return store->is_down ? store->down : NULL;
}

void
store_stats(const struct store *store, struct store_stats *out)
{
	*out = store->stats;
}

enum rc
store_load(struct store *store, enum store_kind kind, store_each *each, void *arg, struct why *why)
{
	uint64_t skipped = 0;
	enum rc rc;

	(void)pthread_mutex_lock(&store->engine_lock);
	rc = engine_load(store->engine, kind, each, arg, &skipped, why);
	store->stats.failures += skipped;
	if (engine_broken(store->engine) != NULL)
		go_down(store, engine_broken(store->engine));
	(void)pthread_mutex_unlock(&store->engine_lock);
	return rc;
}

/* ------------------------------------------------------------------ open and close ------------ */

static enum rc
start_thread(struct store *store, struct why *why)
{
	sigset_t all, before;
	int err;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&store->thread, NULL, store_main, store);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err == 0 ? RC_OK : why_errno(why, err, "the store's thread");
}

/* What is in memory is what the file has, so nobody else may change it. The kernel lets go of the lock, however the
 * process ends. */
static enum rc
take_lock(struct store *store, const char *directory, struct why *why)
{
	char path[PATH_MAX];
	enum rc rc = fsutil_make_dir(directory, 0700, why);

	if (rc != RC_OK)
		return rc;
	if (snprintf(path, sizeof path, "%s/lock", directory) >= (int)sizeof path)
		return why_set(why, RC_BAD, 0, "%s: path too long", directory);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		return why_errno(why, errno, "%s", path);
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return why_set(why, RC_DENY, 0,
		    "%s is in use by another process: two daemons cannot share a state directory",
		    directory);
	return RC_OK;
}

static void
store_free(struct store *store)
{
	engine_close(store->engine);
	if (store->lock_fd >= 0)
		(void)close(store->lock_fd);
	(void)pthread_cond_destroy(&store->there);
	(void)pthread_mutex_destroy(&store->lock);
	(void)pthread_mutex_destroy(&store->engine_lock);
	free(store);
}

enum rc
store_open(const struct store_options *options, struct store **out, struct why *why)
{
	struct store *store = calloc(1, sizeof *store);
	enum rc rc;

	*out = NULL;
	if (store == NULL)
		return why_set(why, RC_LATER, 0, "the store: out of memory");
	store->lock_fd = -1;
	store->core = options->core;
	store->threaded = options->threaded;
	store->last = &store->first;
	store->kick.run = on_kick;
	(void)pthread_mutex_init(&store->engine_lock, NULL);
	(void)pthread_mutex_init(&store->lock, NULL);
	(void)pthread_cond_init(&store->there, NULL);
	rc = take_lock(store, options->directory, why);
	if (rc == RC_OK)
		rc = engine_open(options->directory, options->master_keys, &store->engine, why);
	if (rc == RC_OK && store->threaded)
		rc = start_thread(store, why);
	if (rc != RC_OK) {
		store_free(store);
		return rc;
	}
	store->stats.version = engine_version(store->engine);
	if (engine_broken(store->engine) != NULL)
		go_down(store, engine_broken(store->engine));
	*out = store;
	return RC_OK;
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	store->closing = true;
	(void)pthread_mutex_lock(&store->lock);
	atomic_store(&store->stopping, true);
	(void)pthread_cond_signal(&store->there);
	(void)pthread_mutex_unlock(&store->lock);
	if (store->threaded)
		(void)pthread_join(store->thread, NULL);
	while (store->stats.waiting > 0 || store->scheduled)
		if (loop_run_posted(store->core) == 0)
			break;
	assert(store->stats.waiting == 0);
	store_free(store);
}
