/* spool/spool_private.h - what the files of spool/ share about the spool object. */
#ifndef SPOOL_SPOOL_PRIVATE_H
#define SPOOL_SPOOL_PRIVATE_H

#include "spool/index.h"
#include "spool/work.h"
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
	struct segment **segments;	 /* by number; NULL: no such one */
	uint32_t segment_slots;
	struct replay *replay; /* until all has been told */
	const struct spool_replay_ops *ops;
	void *ops_arg;
	uint64_t next_sequence, next_generation;
	uint64_t
	    free_files[FREE_FILES_MAX]; /* generations whose files wait for reuse, oldest first */
	size_t free_count;
	bool compacting, digesting;
	bool retire_later; /* freeing failed: with the next look at the disk */
	bool digest_due;   /* there may be a complete segment without one */
	bool read_only;	   /* a command looks: nothing is made, removed or written */
	bool closing;	   /* nothing new is taken */
	struct timer disk_timer;
	_Atomic uint64_t disk_free;
	uint64_t appends;
	struct work work; /* what is under way, for the case of a crash */

	/* After a failed commit nothing is taken in until a probe, in a segment of its own, has come through. What
	 * must not be lost meanwhile (states, ends) waits in `parked`, in its order; its place is `limbo`. */
	bool failing;
	uint64_t failures;  /* commits that failed since the start */
	struct why failure; /* of the first one since it worked */
	struct list parked; /* appends */
	size_t parked_count, reviving;
	struct segment limbo;
	struct timer probe_timer;
	int64_t probe_delay_ms;
};

enum {
	SEGMENT_NONE,
	SEGMENT_LIMBO, /* spool->limbo */
	SEGMENT_FIRST
};

struct segment *segment_new(struct spool *spool, uint64_t generation, uint64_t size);
void segment_unlink(struct spool *spool, struct segment *segment); /* out of the list, freed */

/* Give a record its place (rolling over to a new segment) and hand it to the writer. write->header.size and
 * type are set; the rest is filled. */
void spool_place(struct spool *spool, struct spool_write *write);

/* By the number that an entry has of it; NULL for SEGMENT_NONE. */
static inline struct segment *
segment_at(const struct spool *spool, uint32_t number)
{
	return number != SEGMENT_NONE ? spool->segments[number] : NULL;
}

/* A record of `entry` in this segment is needed (or no longer needed) from now on. */
void segment_hold(struct segment *segment, uint32_t payload);
void segment_release(struct segment *segment, uint32_t payload);

/* Free what can be freed, start a compaction when it pays. */
void spool_tidy(struct spool *spool);

/* What has been promised since the last look at the disk counts at once. */
void spool_disk_take(struct spool *spool, uint64_t bytes);

/* append.c. A commit failed: take nothing in, probe. */
void spool_fail(struct spool *spool, const struct why *why);
void append_probe(void *spool);
void append_drop_parked(struct spool *spool); /* at the end: they cannot be stored */
void append_set_reply(
    struct why *why); /* what a client is told that its mail could not be stored */

struct spool_write *write_new(size_t pieces); /* NULL: out of memory */
void write_free(struct spool_write *write);

/* replay.c: as in spool.h, also for a spool that is only looked at. */
MUST_CHECK enum rc replay_begin(struct spool *spool, struct why *why);
MUST_CHECK enum rc replay_step(
    struct spool *spool, size_t count, struct spool_replay_report *report, struct why *why);
void replay_free(struct replay *replay); /* NULL is fine */

/* read.c: one reference in *out; why->code as spool_load_callback has it. Blocks; any thread. */
MUST_CHECK enum rc message_read(const struct spool *spool, const struct segment *segment,
    const struct spool_entry *entry, struct message **out, struct why *why);

/* compact.c */
void compact_start(struct spool *spool, struct segment *segment);

#endif
