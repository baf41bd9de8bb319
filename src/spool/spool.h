/* spool/spool.h - the durable store of messages: a segment log with group commit.
 *
 * The core loop owns a spool and calls everything here, unless a comment says otherwise. Appends are given
 * a place at once and written by one thread, which takes all that waits, writes it, syncs once and
 * reports back; nothing is durable, and nobody may say 250, before the callback says RC_OK.
 *
 * Segments are freed oldest first, so a record that says "done" always outlives the message it speaks of;
 * a sparse oldest segment is emptied by copying its live records to the end (compaction). */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stdint.h>
#include <sys/uio.h>

#include "net/loop.h"
#include "net/worker.h"
#include "spool/message.h"

struct spool;

enum {
	SPOOL_STATE_MAX = UINT16_MAX
};

/* The disk, as far as durability hangs on it. Tests and the simulation put their own in place. */
struct disk_ops {
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, off_t at);
	int (*fdatasync)(int fd);
	int (*sync_dir)(int dirfd);
};
extern const struct disk_ops disk_posix;

struct spool_options {
	const char *directory;
	uint64_t segment_bytes;
	uint64_t reserve_bytes;
	bool threaded;		     /* false: writes happen in a message posted to the loop */
	const struct disk_ops *disk; /* NULL: disk_posix */
	bool no_digests;	     /* replay reads every record */
};

/* A live message's place in the log; part of the queue's message object. Fields are the spool's. There may be millions:
 * 32 bytes. */
struct spool_entry {
	uint64_t sequence;
	uint32_t segment;	/* the number of the one where the message record is; 0: none */
	uint32_t state_segment; /* where the latest state record is; 0: there is none */
	uint32_t offset, size;	/* of the message record, payload */
	uint32_t state_offset;
	uint16_t state_size;
	bool large;
};

/* What replay tells of each message, from within spool_replay_begin (on_damage) and spool_replay_step. All but
 * on_message may be NULL. */
struct spool_replay_ops {
	/* A live message; the envelope is borrowed, and has no more than id, times, `notice`, account and the domains of
	 * the recipients ("@domain"). Returns its entry, to be filled by the spool, or NULL when memory is out: it is
	 * told again with the next step. */
	struct spool_entry *(*on_message)(void *arg, const struct message *envelope);
	/* One that has ended, and whose record is still there. */
	void (*on_ended)(void *arg, const struct message *envelope);
	/* The latest state of the message told before. */
	void (*on_state)(void *arg, struct spool_entry *entry, struct span state);
	/* Something was done to it when the process died of a fault, and so it was the time before. */
	void (*on_poison)(void *arg, struct spool_entry *entry);
	/* All has been told of it: it is as one that has just been stored. */
	void (*on_taken)(void *arg, struct spool_entry *entry);
	/* The spool has no use for the entry any more: it is being closed, or has no memory to take it. */
	void (*on_left)(void *arg, struct spool_entry *entry);
	/* Bytes, or (to == from) a whole file, that make no sense. NULL: goes to the log. */
	void (*on_damage)(
	    void *arg, const char *name, uint64_t from, uint64_t to, const char *text);
};

struct spool_replay_report {
	uint64_t segments, digests;
	uint64_t messages; /* whose records are there */
	uint64_t live;	   /* of these, told to on_message */
	uint64_t bytes;	   /* of segments that were read for want of a digest */
	uint64_t poisoned; /* messages told to on_poison */
	uint64_t
	    damaged; /* places where bytes did not make sense before the end of what was written */
	int64_t took_ms;
};

/* Opens (and makes) the directory and takes its lock: RC_DENY when another process has it. Blocks. */
MUST_CHECK enum rc spool_open(const struct spool_options *options, struct loop *loop,
    struct worker_pool *workers, struct spool **out, struct why *why);

/* Once, before the first append: finds out what is there and what has become of it. Blocks; reads the digest of each
 * segment, or all of it. Records may be appended from then on. ops and arg stay until spool_close. */
MUST_CHECK enum rc spool_replay_begin(
    struct spool *spool, const struct spool_replay_ops *ops, void *arg, struct why *why);
/* Tells of messages, oldest record first, looking at `count` at most; no system call. RC_MORE: there are others, or
 * memory was out (why has a text then). RC_OK: that was all, *report is filled. Nothing is freed on disk before. */
MUST_CHECK enum rc spool_replay_step(
    struct spool *spool, size_t count, struct spool_replay_report *report, struct why *why);
/* Both, to the end. */
MUST_CHECK enum rc spool_replay(struct spool *spool, const struct spool_replay_ops *ops, void *arg,
    struct spool_replay_report *report, struct why *why);

/* Waits for what is under way; the callbacks of finished appends come, then on_left for each live entry. */
void spool_close(struct spool *spool);

/* rc is RC_OK when the record is durable. A message that is refused is not in the spool: should its record have
 * reached the disk all the same, the next record that can be written takes it back. States and ends are never
 * refused: they wait until commits work, and fail at spool_close only. */
typedef void spool_callback(void *arg, enum rc rc, const struct why *why);

/* RC_OK: the callback will come. RC_LATER: it will not (out of memory, broken spool, disk below its
 * reserve; why has the reply). The message is kept by reference until then; the entry must stay. */
MUST_CHECK enum rc spool_append_message(struct spool *spool, struct spool_entry *entry,
    struct message *message, spool_callback *callback, void *arg, struct why *why);

/* callback may be NULL. `state` is copied; SPOOL_STATE_MAX bytes at most. */
MUST_CHECK enum rc spool_append_state(struct spool *spool, struct spool_entry *entry,
    struct span state, spool_callback *callback, void *arg);

/* The message is over: the entry is out of the spool on return. callback may be NULL. */
MUST_CHECK enum rc spool_append_done(
    struct spool *spool, struct spool_entry *entry, spool_callback *callback, void *arg);

/* Read a message back on a worker. The callback gets one reference, or NULL with why. RC_LATER: it will not
 * come. */
/* why->code is 554 when trying again is of no use: what is on disk is damaged, cannot be read, or is missing. */
typedef void spool_load_callback(void *arg, struct message *message, const struct why *why);
MUST_CHECK enum rc spool_load(
    struct spool *spool, const struct spool_entry *entry, spool_load_callback *callback, void *arg);

/* The live message of that number, committed or still on its way to the disk; NULL: none. */
struct spool_entry *spool_find(const struct spool *spool, uint64_t sequence);
/* The one with the smallest number above that; 0 is below all. NULL: there is none. */
struct spool_entry *spool_next(const struct spool *spool, uint64_t sequence);

/* Says that something is done to this message from now on, until spool_work_end with what was returned: when it is what
 * the process dies of, twice, the replay tells (on_poison). Core loop only; cheap. */
unsigned spool_work_begin(struct spool *spool, uint64_t sequence);
void spool_work_end(struct spool *spool, unsigned slot);
/* It was under way when the process before this one died of a fault, and has not come through since: to be worked on
 * while no other such one is. */
bool spool_is_suspect(const struct spool *spool, uint64_t sequence);
/* The process is about to die of a fault. Async-signal-safe. */
void spool_note_fault(void);

/* From now on. */
void spool_set_reserve(struct spool *spool, uint64_t reserve_bytes);

/* RC_OK, or RC_LATER with the 452 reply: new mail cannot be taken now. Cheap. */
MUST_CHECK enum rc spool_accepts(struct spool *spool, struct why *why);

/* A temporary file for a large body that is arriving. Any thread; blocks shortly. name: to be set as
 * message->file_name, or to be removed with spool_large_discard. Returns the descriptor or -1. */
#define SPOOL_LARGE_NAME 48
int spool_large_create(struct spool *spool, char name[SPOOL_LARGE_NAME], struct why *why);
void spool_large_discard(struct spool *spool, const char *name);

struct spool_stats {
	uint64_t segments, segment_bytes, live_bytes, messages, appends, syncs, disk_free;
	uint64_t failures;   /* commits that failed since the start */
	uint64_t parked;     /* outcomes that wait for commits to work again */
	bool failing;	     /* no mail is taken in */
	const char *failure; /* why; borrowed, or NULL */
};
void spool_stats(const struct spool *spool, struct spool_stats *out);

#endif
