/* net/worker.c - the pool: one queue under a lock, threads that sleep on a condition. */
#include "config.h"

#include "net/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "util/log.h"

enum {
	/* Jobs for each thread. A signature takes some 0.25 ms, so the threads have more to do than a loop rests
	 * (net/loop.c), and on a machine with more cores still have. */
	BEHIND = 8
};

struct worker_pool {
	pthread_mutex_t lock;
	pthread_cond_t work_there;
	struct worker_job *first, **last;
	_Atomic size_t queued; /* changed under the lock */
	size_t max_queued;
	bool stopping;
	unsigned thread_count;
	pthread_t threads[];
};

static void
run_done(struct loop_msg *msg)
{
	struct worker_job *job = container_of(msg, struct worker_job, msg);

	job->done(job);
}

static void
finish(struct worker_job *job)
{
	job->work(job);
	log_flush();
	job->msg.run = run_done;
	loop_post(job->home, &job->msg);
}

static void *
worker_main(void *arg)
{
	struct worker_pool *pool = arg;

	(void)pthread_setname_np(pthread_self(), "pr-worker");
	(void)pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct worker_job *job;

		while (pool->first == NULL && !pool->stopping)
			(void)pthread_cond_wait(&pool->work_there, &pool->lock);
		job = pool->first;
		if (job == NULL)
			break;
		pool->first = job->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
		pool->queued--;
		(void)pthread_mutex_unlock(&pool->lock);
		finish(job);
		(void)pthread_mutex_lock(&pool->lock);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

struct worker_pool *
worker_pool_new(unsigned threads, size_t max_queued, struct why *why)
{
	struct worker_pool *pool = calloc(1, sizeof *pool + threads * sizeof(pthread_t));
	sigset_t all, before;

	if (pool == NULL) {
		(void)why_set(why, RC_LATER, 0, "worker pool: out of memory");
		return NULL;
	}
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->work_there, NULL);
	pool->last = &pool->first;
	pool->max_queued = max_queued;
	(void)sigfillset(&all); /* signals are the core loop's business */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; pool->thread_count < threads; pool->thread_count++) {
		int err =
		    pthread_create(&pool->threads[pool->thread_count], NULL, worker_main, pool);

		if (err != 0) {
			(void)why_errno(why, err, "worker thread");
			break;
		}
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pool->thread_count < threads) {
		worker_pool_free(pool);
		return NULL;
	}
	return pool;
}

void
worker_pool_free(struct worker_pool *pool)
{
	if (pool == NULL)
		return;
	(void)pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	(void)pthread_cond_broadcast(&pool->work_there);
	(void)pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->thread_count; i++)
		(void)pthread_join(pool->threads[i], NULL);
	(void)pthread_cond_destroy(&pool->work_there);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool);
}

enum rc
worker_submit(struct worker_pool *pool, struct worker_job *job)
{
	enum rc rc = RC_OK;

	if (pool->thread_count == 0) {
		finish(job);
		return RC_OK;
	}
	(void)pthread_mutex_lock(&pool->lock);
	if (pool->queued >= pool->max_queued) {
		rc = RC_LATER;
	} else {
		job->next = NULL;
		*pool->last = job;
		pool->last = &job->next;
		pool->queued++;
		(void)pthread_cond_signal(&pool->work_there);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return rc;
}

size_t
worker_queued(const struct worker_pool *pool)
{
	return pool->queued;
}

bool
worker_is_behind(const struct worker_pool *pool)
{
	return pool->queued > BEHIND * (size_t)pool->thread_count;
}
