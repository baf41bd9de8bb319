/* spool/digest_job.c - when digests are made: on a worker, when the last record of a segment has been reported. */
#include "config.h"

#include "spool/digest.h"
#include "spool/spool_private.h"

#include <stdlib.h>

#include "util/log.h"

enum {
	BEHIND = 3 /* generations: what is delivered soon is gone before a digest would be of use */
};

struct digest_job {
	struct worker_job job;
	struct spool *spool;
	struct segment *segment;
	enum rc rc;
	struct why why;
};

static bool
wants_digest(const struct spool *spool, const struct segment *s)
{
	return s != spool->active && s->created && !s->broken && !s->damaged && !s->retiring &&
	       !s->digested && s->live > 0;
}

static void
work(struct worker_job *job)
{
	struct digest_job *d = container_of(job, struct digest_job, job);
	const struct segment *s = d->segment;

	d->rc = digest_make(d->spool->dirfd, s->fd, s->generation, s->stamp, s->size, &d->why);
}

static void
done(struct worker_job *job)
{
	struct digest_job *d = container_of(job, struct digest_job, job);
	struct spool *spool = d->spool;

	d->segment->pending--;
	spool->digesting = false;
	if (d->rc != RC_OK) /* the next start reads the segment itself */
		log_line(LOG_LEVEL_WARNING, "spool", "%s", d->why.text);
	free(d);
	spool_tidy(spool);
}

void
digest_next(struct spool *spool)
{
	struct segment *s = spool->oldest;
	struct digest_job *d;

	if (spool->digesting || !spool->digest_due)
		return;
	spool->digest_due = false;
	/* A record under way may still fail, and then the segment gets none. */
	for (; s != NULL && spool->active->generation - s->generation >= BEHIND; s = s->next)
		if (wants_digest(spool, s)) {
			spool->digest_due = true;
			if (s->pending == 0)
				break;
		}
	if (s != NULL && spool->active->generation - s->generation < BEHIND)
		s = NULL;
	d = s != NULL ? calloc(1, sizeof *d) : NULL;
	if (d == NULL)
		return;
	d->spool = spool;
	d->segment = s;
	d->job.home = spool->loop;
	d->job.work = work;
	d->job.done = done;
	s->pending++;
	s->digested = spool->digesting = true;
	if (worker_submit(spool->workers, &d->job) == RC_OK)
		return;
	s->pending--;
	s->digested = spool->digesting = false;
	free(d);
}

void
digest_finish(struct spool *spool)
{
	struct why why = WHY_EMPTY;

	spool->active = NULL; /* nothing is written to any more */
	for (struct segment *s = spool->oldest; s != NULL; s = s->next)
		if (wants_digest(spool, s) && s->pending == 0 &&
		    digest_make(spool->dirfd, s->fd, s->generation, s->stamp, s->size, &why) !=
			RC_OK)
			log_line(LOG_LEVEL_WARNING, "spool", "%s", why.text);
}
