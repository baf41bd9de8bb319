/* net/worker.h - a pool of threads for what burns CPU or blocks: signing, key derivation, file reads.
 *
 * A job is embedded in an object that owns everything the job needs. work() runs on a pool thread, then
 * done() on the loop that asked. The queue is bounded by `max_queued`; beyond, worker_submit says
 * RC_LATER and the caller answers 451 or retries. */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include "net/loop.h"

struct worker_pool;

struct worker_job {
	struct loop_msg msg; /* set by the pool */
	struct worker_job *next;
	struct loop *home;
	void (*work)(struct worker_job *job); /* on a pool thread */
	void (*done)(struct worker_job *job); /* on `home` */
};

/* threads 0: jobs run at once on the caller's thread and done() is posted (tests, simulation). */
struct worker_pool *worker_pool_new(unsigned threads, size_t max_queued, struct why *why);
void worker_pool_free(struct worker_pool *pool); /* finishes what is queued first */

/* home, work and done are set by the caller. On RC_OK the pool has the job until done() runs. */
MUST_CHECK enum rc worker_submit(struct worker_pool *pool, struct worker_job *job);

size_t worker_queued(const struct worker_pool *pool); /* any thread */

/* Whether so much waits that nothing gets done sooner by handing in more at once. Any thread. */
bool worker_is_behind(const struct worker_pool *pool);

#endif
