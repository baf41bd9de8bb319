/* spool/spool_private.h - what the files of spool/ share about the spool object. */
#ifndef SPOOL_SPOOL_PRIVATE_H
#define SPOOL_SPOOL_PRIVATE_H

#include "spool/index.h"
#include "spool/writer.h"

enum {
	FREE_FILES_MAX = 8
};

struct spool {
	struct loop *loop;
	struct worker_pool *workers;
	struct writer *writer;
	struct spool_options options;
	char *directory;
	int dirfd, large_dirfd, lock_fd;
	struct spool_index index;
	struct segment *oldest, *active; /* a list, oldest first */
	uint64_t next_sequence, next_generation;
	uint64_t
	    free_files[FREE_FILES_MAX]; /* generations whose files wait for reuse, oldest first */
	size_t free_count;
	bool compacting;
	bool closing; /* nothing new is taken */
	struct timer disk_timer;
	_Atomic uint64_t disk_free;
	struct why broken; /* text of the last failed commit, "" when all is well */
	uint64_t appends;
};

struct segment *segment_new(struct spool *spool, uint64_t generation, uint64_t size);
void segment_unlink(struct spool *spool, struct segment *segment); /* out of the list, freed */

/* Give a record its place (rolling over to a new segment) and hand it to the writer. write->header.size and
 * type are set; the rest is filled. */
void spool_place(struct spool *spool, struct spool_write *write);

/* A record of `entry` in this segment is needed (or no longer needed) from now on. */
void segment_hold(struct segment *segment, uint32_t payload);
void segment_release(struct segment *segment, uint32_t payload);

/* Free what can be freed, start a compaction when it pays. */
void spool_tidy(struct spool *spool);

struct spool_write *write_new(size_t pieces); /* NULL: out of memory */
void write_free(struct spool_write *write);

/* compact.c */
void compact_start(struct spool *spool, struct segment *segment);

#endif
