/* filter/feed.c - hands out a message in chunks. A read that is under way when its owner goes outlives it: it has a
 * descriptor and memory of its own. */
#include "config.h"

#include "filter/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/list.h"

struct feed {
	struct loop *core;
	struct worker_pool *workers;
	struct feed_content content;
	void (*on_ready)(void *arg);
	void *arg;
	size_t piece, piece_at; /* what comes next of the pieces */
	uint64_t file_at;	/* of the file, from file_at of the content */

	struct worker_job job;
	bool busy, freed;
	bool fresh; /* `chunk` holds what was read and has not been handed out */
	char *chunk;
	size_t chunk_len;
	enum rc rc; /* of the read */
};

struct feed *
feed_new(struct loop *core, struct worker_pool *workers, const struct feed_content *content,
    void (*on_ready)(void *arg), void *arg)
{
	struct feed *feed = calloc(1, sizeof *feed);

	if (feed == NULL)
		return NULL;
	feed->core = core;
	feed->workers = workers;
	feed->content = *content;
	feed->on_ready = on_ready;
	feed->arg = arg;
	if (content->file_fd < 0)
		return feed;
	feed->content.file_fd = fcntl(content->file_fd, F_DUPFD_CLOEXEC, 0);
	feed->chunk = malloc(FEED_CHUNK);
	if (feed->content.file_fd < 0 || feed->chunk == NULL) {
		feed_free(feed);
		return NULL;
	}
	return feed;
}

void
feed_free(struct feed *feed)
{
	if (feed == NULL)
		return;
	if (feed->busy) {
		feed->freed = true;
		return;
	}
	if (feed->content.file_fd >= 0)
		(void)close(feed->content.file_fd);
	free(feed->chunk);
	free(feed);
}

static void
read_work(struct worker_job *job)
{
	struct feed *feed = container_of(job, struct feed, job);
	uint64_t left = feed->content.file_size - feed->file_at;
	ssize_t n;

	do
		n = pread(feed->content.file_fd, feed->chunk,
		    left < FEED_CHUNK ? (size_t)left : FEED_CHUNK,
		    (off_t)(feed->content.file_at + feed->file_at));
	while (n < 0 && errno == EINTR);
	feed->rc = n > 0 ? RC_OK : RC_LATER;
	feed->chunk_len = n > 0 ? (size_t)n : 0;
}

static void
read_done(struct worker_job *job)
{
	struct feed *feed = container_of(job, struct feed, job);

	feed->busy = false;
	feed->fresh = true;
	if (feed->freed)
		feed_free(feed);
	else
		feed->on_ready(feed->arg);
}

static enum rc
next_of_file(struct feed *feed, struct span *chunk)
{
	if (feed->busy)
		return RC_MORE;
	if (feed->fresh) {
		feed->fresh = false;
		feed->file_at += feed->chunk_len;
		*chunk = span_make(feed->chunk, feed->chunk_len);
		return feed->rc;
	}
	feed->job.home = feed->core;
	feed->job.work = read_work;
	feed->job.done = read_done;
	feed->busy = worker_submit(feed->workers, &feed->job) == RC_OK;
	return feed->busy ? RC_MORE : RC_LATER;
}

enum rc
feed_next(struct feed *feed, struct span *chunk)
{
	const struct feed_content *c = &feed->content;

	*chunk = SPAN_EMPTY;
	while (feed->piece < c->piece_count && feed->piece_at == c->pieces[feed->piece].len) {
		feed->piece++;
		feed->piece_at = 0;
	}
	if (feed->piece < c->piece_count) {
		*chunk = span_first(span_skip(c->pieces[feed->piece], feed->piece_at), FEED_CHUNK);
		feed->piece_at += chunk->len;
		return RC_OK;
	}
	if (c->file_fd < 0 || (!feed->busy && !feed->fresh && feed->file_at == c->file_size))
		return RC_OK;
	return next_of_file(feed, chunk);
}
