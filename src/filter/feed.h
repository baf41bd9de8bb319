/* filter/feed.h - the bytes of a message in chunks, from memory or read from a file by workers. Core loop only. */
#ifndef FILTER_FEED_H
#define FILTER_FEED_H

#include "net/worker.h"
#include "util/span.h"

struct feed;

/* What to hand out: borrowed until feed_free, but for the descriptor, of which the feed has its own. */
struct feed_content {
	const struct span *pieces;
	size_t piece_count;
	int file_fd; /* -1: none; else file_size bytes from file_at follow the pieces */
	uint64_t file_at, file_size;
};

enum {
	FEED_CHUNK = 64 * 1024 - 1 /* the most that a packet of the milter protocol takes */
};

/* on_ready: what feed_next was asked for in vain is there now. NULL: out of memory or descriptors. */
struct feed *feed_new(struct loop *core, struct worker_pool *workers,
    const struct feed_content *content, void (*on_ready)(void *arg), void *arg);
void feed_free(struct feed *feed); /* NULL is fine; no callback follows */

/* RC_OK: *chunk has up to FEED_CHUNK bytes, good until the next call, or none: that was all. RC_MORE: on_ready
 * follows. RC_LATER: the file cannot be read. */
MUST_CHECK enum rc feed_next(struct feed *feed, struct span *chunk);

#endif
