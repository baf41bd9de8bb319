/* spool/writer.c - group commit.
 *
 * A failed write or sync is final for its segment: the kernel may have dropped the pages and would call a
 * second sync a success. Every request of the batch in that segment fails, the segment takes nothing more. */
#include "config.h"

#include "spool/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "util/crc32c.h"
#include "util/fault.h"

enum {
	IOV_BATCH = 512,
	OUTCOMES_WAIT_MS = 2 /* at most, for a message to be synced with */
};

struct batch {
	struct loop_msg msg;
	struct spool_write *first;
};

struct writer {
	struct loop *core;
	int dirfd, large_dirfd;
	const struct disk_ops *disk;
	bool threaded, stopping, scheduled;
	bool urgent; /* somebody waits for one of the requests */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t there;
	struct spool_write *first, **last;
	struct loop_msg kick; /* not threaded: runs the next batch */
	_Atomic uint64_t syncs;
};

static int
posix_sync_dir(int dirfd)
{
	return fsync(dirfd);
}

const struct disk_ops disk_posix = { pwritev, fdatasync, posix_sync_dir };

/* ------------------------------------------------------------------ one segment --------------- */

static enum rc
pwrite_all(struct writer *w, int fd, struct iovec *iov, int count, off_t at, struct why *why)
{
	while (count > 0) {
		int fault = fault_point("write");
		struct iovec part = { iov->iov_base, (iov->iov_len + 1) / 2 };
		ssize_t n = -1;

		if (fault > 0)
			errno = fault;
		else if (fault == FAULT_SHORT)
			n = w->disk->pwritev(fd, &part, 1, at);
		else
			n = w->disk->pwritev(fd, iov, count < IOV_MAX ? count : IOV_MAX, at);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return why_errno(why, errno, "spool: write");
		}
		if (n == 0) /* no file system should: and it must not become an endless loop */
			return why_errno(why, ENOSPC, "spool: write");
		at += n;
		while (count > 0 && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return RC_OK;
}

/* The calls below that fail with errno, or as a test wants. */
static bool
fails(const char *point)
{
	int fault = fault_point(point);

	if (fault > 0)
		errno = fault;
	return fault != 0;
}

/* A reused file gets its new header before its new name: at no moment does a file with a segment's name hold
 * records of another generation that could be taken for its own. */
static enum rc
segment_fill(struct writer *w, struct segment *segment, const char *from, struct why *why)
{
	unsigned char header[SEGMENT_HEADER_SIZE];
	struct iovec iov = { header, sizeof header };
	int err = fault_point("segment.allocate");

	if (err == 0)
		err = posix_fallocate(segment->fd, 0, (off_t)segment->size);
	if (err != 0)
		return why_errno(why, err, "spool: %s", from);
	segment_header_encode(segment->generation, segment->size, segment->stamp, header);
	if (pwrite_all(w, segment->fd, &iov, 1, 0, why) != RC_OK)
		return RC_LATER;
	if (fails("segment.sync") || w->disk->fdatasync(segment->fd) != 0)
		return why_errno(why, errno, "spool: %s: sync", from);
	return RC_OK;
}

static enum rc
segment_create(struct writer *w, struct segment *segment, struct why *why)
{
	char from[SEGMENT_NAME_LEN], to[SEGMENT_NAME_LEN];
	bool reuse = segment->recycle != 0;
	enum rc rc;

	segment_name(reuse ? segment->recycle : segment->generation, reuse ? "free" : "new", from);
	segment_name(segment->generation, "seg", to);
	segment->fd = fails("segment.open")
			  ? -1
			  : openat(w->dirfd, from, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (segment->fd < 0)
		return why_errno(why, errno, "spool: %s", from);
	rc = segment_fill(w, segment, from, why);
	if (rc == RC_OK && (fails("segment.rename") || renameat(w->dirfd, from, w->dirfd, to) != 0))
		rc = why_errno(why, errno, "spool: %s: rename", from);
	if (rc != RC_OK) {
		/* What was allocated for it must not fill the disk; a file for reuse has its space already. */
		if (!reuse)
			(void)unlinkat(w->dirfd, from, 0);
		return rc;
	}
	segment->created = true;
	if (fails("segment.sync_dir") || w->disk->sync_dir(w->dirfd) != 0)
		return why_errno(why, errno, "spool: sync of the directory");
	(void)fault_point("segment.ready");
	return RC_OK;
}

static void
segment_retire(struct writer *w, struct spool_write *write)
{
	char from[SEGMENT_NAME_LEN], to[SEGMENT_NAME_LEN];
	struct segment *segment = write->segment;
	int failed = 0;

	if (segment->fd >= 0)
		(void)close(segment->fd);
	segment->fd = -1;
	(void)fault_point("retire");
	segment_name(segment->generation, DIGEST_SUFFIX, from);
	(void)unlinkat(w->dirfd, from, 0);
	segment_name(segment->generation, "seg", from);
	segment_name(segment->generation, segment->damaged ? "bad" : "free", to);
	if (segment->created)
		failed = fails("retire.rename") ? -1
			 : write->keep_file || segment->damaged
			     ? renameat(w->dirfd, from, w->dirfd, to)
			     : unlinkat(w->dirfd, from, 0);
	if (failed != 0 && errno == ENOENT && segment->retire_failed)
		failed = 0; /* it was done the time before, and only the sync failed */
	write->rc = failed != 0 ? why_errno(&write->why, errno, "spool: %s", from) : RC_OK;
	/* In order, before a later segment goes: what says "done" outlives what it speaks of. */
	if (fails("retire.sync_dir") || w->disk->sync_dir(w->dirfd) != 0)
		write->rc = why_errno(&write->why, errno, "spool: sync of the directory");
	(void)fault_point("retire.done");
}

/* ------------------------------------------------------------------ a batch ------------------- */

static enum rc
name_large(struct writer *w, struct spool_write *write)
{
	char name[SEGMENT_NAME_LEN];

	if (fails("large.sync") || w->disk->fdatasync(write->large_fd) != 0)
		return why_errno(&write->why, errno, "spool: large message: sync");
	segment_name(write->header.sequence, "body", name);
	if (fails("large.rename") ||
	    renameat(w->large_dirfd, write->large_name, w->large_dirfd, name) != 0)
		return why_errno(&write->why, errno, "spool: large message: rename");
	if (fails("large.sync_dir") || w->disk->sync_dir(w->large_dirfd) != 0)
		return why_errno(&write->why, errno, "spool: large message: sync of the directory");
	return RC_OK;
}

static size_t
fill_iov(struct spool_write *write, struct iovec *iov)
{
	static const char padding[RECORD_ALIGN];
	uint32_t crc = 0;
	size_t n = 1;
	uint64_t pad;

	for (size_t i = 0; i < write->piece_count; i++) {
		crc = crc32c(crc, write->pieces[i].p, write->pieces[i].len);
		if (write->pieces[i].len > 0)
			iov[n++] = (struct iovec){ (void *)(uintptr_t)write->pieces[i].p,
				write->pieces[i].len };
	}
	write->header.payload_crc = crc;
	record_header_encode(&write->header, write->header_bytes);
	iov[0] = (struct iovec){ write->header_bytes, RECORD_HEADER_SIZE };
	pad = record_space(write->header.size) - RECORD_HEADER_SIZE - write->header.size;
	if (pad > 0)
		iov[n++] = (struct iovec){ (void *)(uintptr_t)padding, pad };
	return n;
}

/* Write a run of neighbouring records of one segment; they lie one behind the other. */
static void
write_run(struct writer *w, struct spool_write *first, struct spool_write *end)
{
	struct segment *segment = first->segment;
	struct spool_write *run = first;
	struct why why = WHY_EMPTY;
	enum rc rc = RC_OK;

	if (!segment->created && !segment->broken)
		rc = segment_create(w, segment, &why);
	else if (segment->broken)
		rc = why_set(&why, RC_LATER, 0, "spool: segment failed before");
	while (rc == RC_OK && run != end) {
		struct iovec iov[IOV_BATCH + 64];
		struct spool_write *start = run;
		size_t n = 0;

		while (run != end && (n == 0 || n + run->piece_count + 2 <= IOV_BATCH)) {
			if (run->piece_count + 2 > IOV_BATCH) { /* bounded by the submitter */
				rc = why_set(&why, RC_BUG, 0, "spool: too many pieces");
				break;
			}
			n += fill_iov(run, iov + n);
			run = run->next;
		}
		if (rc == RC_OK)
			rc = pwrite_all(w, segment->fd, iov, (int)n, (off_t)start->offset, &why);
	}
	if (rc == RC_OK && (fails("sync") || w->disk->fdatasync(segment->fd) != 0))
		rc = why_errno(&why, errno, "spool: sync");
	(void)fault_point("synced");
	w->syncs++;
	if (rc != RC_OK)
		segment->broken = true;
	for (run = first; run != end; run = run->next) {
		run->rc = rc;
		if (rc != RC_OK)
			run->why = why;
	}
}

/* A record whose large body could not be named is written as damage: its header says "nothing". */
static void
void_record(struct spool_write *write)
{
	write->header.type = RECORD_DONE; /* of a sequence nobody knows: replay passes over it */
}

static void
write_batch(struct writer *w, struct spool_write *first)
{
	struct spool_write *run = first;

	while (run != NULL) {
		struct spool_write *end = run;

		if (run->kind == WRITE_RETIRE) {
			segment_retire(w, run);
			run = run->next;
			continue;
		}
		for (; end != NULL && end->kind == WRITE_RECORD && end->segment == run->segment;
		     end = end->next)
			if (end->large_fd >= 0 && name_large(w, end) != RC_OK)
				void_record(end);
		write_run(w, run, end);
		for (; run != end; run = run->next) {
			char name[SEGMENT_NAME_LEN];

			if (run->large_fd >= 0 && run->header.type == RECORD_DONE)
				run->rc = RC_LATER;
			if (run->drop_large && run->rc == RC_OK) {
				(void)fault_point("large.drop");
				segment_name(run->header.sequence, "body", name);
				(void)unlinkat(w->large_dirfd, name, 0);
			}
		}
	}
}

/* ------------------------------------------------------------------ queue and thread ---------- */

static void
report(struct loop_msg *msg)
{
	struct batch *batch = container_of(msg, struct batch, msg);
	struct spool_write *write = batch->first;

	free(batch);
	while (write != NULL) {
		struct spool_write *next = write->next;

		write->done(write);
		write = next;
	}
}

static struct spool_write *
take_all(struct writer *w)
{
	struct spool_write *first = w->first;

	w->first = NULL;
	w->last = &w->first;
	w->urgent = false;
	return first;
}

static void
run_batch(struct writer *w, struct spool_write *first, struct batch *batch)
{
	write_batch(w, first);
	batch->first = first;
	batch->msg.run = report;
	loop_post(w->core, &batch->msg);
}

static struct batch *
batch_new(void)
{
	struct batch *batch = malloc(sizeof *batch);

	if (batch == NULL) {
		/* Without 24 bytes nobody can be told that their mail is safe; a restart loses nothing. */
		(void)fprintf(stderr, "postrider: out of memory in the spool writer\n");
		abort();
	}
	return batch;
}

/* Outcomes alone are not worth a sync of their own: one of a message that comes soon is theirs, too. */
static void
wait_for_company(struct writer *w)
{
	struct timespec until;

	if (w->urgent || w->stopping)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += OUTCOMES_WAIT_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	while (
	    !w->urgent && !w->stopping && pthread_cond_timedwait(&w->there, &w->lock, &until) == 0)
		continue;
}

static void *
writer_main(void *arg)
{
	struct writer *w = arg;

	(void)pthread_setname_np(pthread_self(), "pr-spool");
	(void)pthread_mutex_lock(&w->lock);
	for (;;) {
		struct spool_write *first;

		while (w->first == NULL && !w->stopping)
			(void)pthread_cond_wait(&w->there, &w->lock);
		wait_for_company(w);
		first = take_all(w);
		if (first == NULL)
			break;
		(void)pthread_mutex_unlock(&w->lock);
		run_batch(w, first, batch_new());
		(void)pthread_mutex_lock(&w->lock);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void
on_kick(struct loop_msg *msg)
{
	struct writer *w = container_of(msg, struct writer, kick);
	struct spool_write *first = take_all(w);

	w->scheduled = false;
	if (first != NULL)
		run_batch(w, first, batch_new());
}

struct writer *
writer_new(struct loop *core, int dirfd, int large_dirfd, const struct disk_ops *disk,
    bool threaded, struct why *why)
{
	struct writer *w = calloc(1, sizeof *w);
	pthread_condattr_t monotonic;
	sigset_t all, before;
	int err;

	if (w == NULL) {
		(void)why_set(why, RC_LATER, 0, "spool writer: out of memory");
		return NULL;
	}
	w->core = core;
	w->dirfd = dirfd;
	w->large_dirfd = large_dirfd;
	w->disk = disk;
	w->threaded = threaded;
	w->last = &w->first;
	w->kick.run = on_kick;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->there, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	if (!threaded)
		return w;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, writer_main, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0) {
		(void)why_errno(why, err, "spool writer");
		free(w);
		return NULL;
	}
	return w;
}

void
writer_free(struct writer *w)
{
	if (w == NULL)
		return;
	if (w->threaded) {
		(void)pthread_mutex_lock(&w->lock);
		w->stopping = true;
		(void)pthread_cond_signal(&w->there);
		(void)pthread_mutex_unlock(&w->lock);
		(void)pthread_join(w->thread, NULL);
	}
	(void)pthread_cond_destroy(&w->there);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
}

/* A message: somebody waits for 250, or it is a copy that lets a segment go. Number 0 is the probe of a disk that has
 * failed. */
static bool
is_urgent(const struct spool_write *write)
{
	return write->kind == WRITE_RECORD &&
	       (write->header.type == RECORD_MESSAGE || write->header.type == RECORD_LARGE ||
		   write->header.sequence == 0);
}

void
writer_submit(struct writer *w, struct spool_write *write)
{
	bool news, urgent = is_urgent(write);

	write->next = NULL;
	(void)pthread_mutex_lock(&w->lock);
	news = w->first == NULL || (urgent && !w->urgent);
	w->urgent |= urgent;
	*w->last = write;
	w->last = &write->next;
	if (w->threaded && news)
		(void)pthread_cond_signal(&w->there);
	(void)pthread_mutex_unlock(&w->lock);
	if (!w->threaded && !w->scheduled) {
		w->scheduled = true;
		loop_post(w->core, &w->kick);
	}
}

uint64_t
writer_syncs(const struct writer *w)
{
	return w->syncs;
}
