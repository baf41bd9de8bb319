/* spool/spool.c - the core side: gives records their places, knows what is live, frees segments.
 *
 * Always true: an entry in the index has a message record in a segment of the list; a segment's `live`
 * counts the records that entries point to, plus appends that are not yet durable. */
#include "config.h"

#include "spool/digest.h"
#include "spool/spool_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "util/crypto.h"
#include "util/fsutil.h"
#include "util/log.h"

enum {
	DISK_CHECK_MS = 2000,
	SEGMENTS_KEPT_FREE = 3,
	COMPACT_MIN_SEGMENTS = 4
};

/* ------------------------------------------------------------------ open and close ------------ */

static void
disk_look(struct spool *spool)
{
	struct statvfs st;

	if (fstatvfs(spool->dirfd, &st) == 0)
		spool->disk_free =
		    st.f_favail == 0 && st.f_files != 0 ? 0 : (uint64_t)st.f_bavail * st.f_frsize;
}

struct disk_job {
	struct worker_job job;
	struct spool *spool;
};

static void
disk_work(struct worker_job *job)
{
	disk_look(container_of(job, struct disk_job, job)->spool);
}

static void
disk_done(struct worker_job *job)
{
	struct disk_job *disk = container_of(job, struct disk_job, job);

	struct spool *spool = disk->spool;

	free(disk);
	if (spool->closing)
		return;
	timer_set(&spool->disk_timer, DISK_CHECK_MS);
	if (spool->retire_later) {
		spool->retire_later = false;
		spool_tidy(spool);
	}
}

static void
on_disk_timer(void *arg)
{
	struct spool *spool = arg;
	struct disk_job *disk = calloc(1, sizeof *disk);

	if (disk != NULL) {
		disk->spool = spool;
		disk->job.home = spool->loop;
		disk->job.work = disk_work;
		disk->job.done = disk_done;
		if (worker_submit(spool->workers, &disk->job) == RC_OK)
			return;
		free(disk);
	}
	timer_set(&spool->disk_timer, DISK_CHECK_MS);
}

static enum rc
open_directories(struct spool *spool, struct why *why)
{
	char large[4096];
	enum rc rc = fsutil_make_dir(spool->directory, 0700, why);

	if (rc != RC_OK)
		return rc;
	spool->dirfd = open(spool->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool->dirfd < 0)
		return why_errno(why, errno, "%s", spool->directory);
	(void)snprintf(large, sizeof large, "%s/large", spool->directory);
	rc = fsutil_make_dir(large, 0700, why);
	if (rc != RC_OK)
		return rc;
	spool->large_dirfd = open(large, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (spool->large_dirfd < 0)
		return why_errno(why, errno, "%s", large);
	spool->lock_fd =
	    openat(spool->dirfd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (spool->lock_fd < 0)
		return why_errno(why, errno, "%s/lock", spool->directory);
	if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return why_set(why, RC_DENY, 0,
		    "%s is in use by another process: two daemons cannot share a spool",
		    spool->directory);
	return RC_OK;
}

enum rc
spool_open(const struct spool_options *options, struct loop *loop, struct worker_pool *workers,
    struct spool **out, struct why *why)
{
	struct spool *spool = calloc(1, sizeof *spool);
	enum rc rc;

	*out = NULL;
	if (spool == NULL)
		return why_set(why, RC_LATER, 0, "spool: out of memory");
	spool->loop = loop;
	spool->workers = workers;
	spool->options = *options;
	spool->dirfd = spool->large_dirfd = spool->lock_fd = -1;
	spool->next_sequence = spool->next_generation = 1;
	spool->directory = span_dup(span_of(options->directory));
	timer_init(&spool->disk_timer, loop, on_disk_timer, spool);
	timer_init(&spool->probe_timer, loop, append_probe, spool);
	list_init(&spool->parked);
	spool->limbo.fd = -1;
	spool->limbo.number = SEGMENT_LIMBO;
	rc = spool->directory != NULL ? open_directories(spool, why)
				      : why_set(why, RC_LATER, 0, "spool: out of memory");
	if (rc == RC_OK)
		work_open(&spool->work, spool->dirfd);
	if (rc == RC_OK) {
		spool->writer = writer_new(loop, spool->dirfd, spool->large_dirfd,
		    options->disk != NULL ? options->disk : &disk_posix, options->threaded, why);
		rc = spool->writer != NULL ? RC_OK : RC_LATER;
	}
	if (rc != RC_OK) {
		spool_close(spool);
		return rc;
	}
	disk_look(spool);
	timer_set(&spool->disk_timer, DISK_CHECK_MS);
	*out = spool;
	return RC_OK;
}

/* The end comes before the next probe: perhaps the disk works again, and a clean end makes no duplicates. */
static void
last_try(struct spool *spool)
{
	struct why why = WHY_EMPTY;

	spool->writer = NULL;
	if (spool->parked_count > 0)
		spool->writer = writer_new(spool->loop, spool->dirfd, spool->large_dirfd,
		    spool->options.disk != NULL ? spool->options.disk : &disk_posix, false, &why);
	if (spool->writer == NULL)
		return;
	append_probe(spool);
	while (loop_run_posted(spool->loop) > 0)
		continue;
	writer_free(spool->writer);
}

static void
leave_all(struct spool *spool)
{
	struct spool_entry *entry;
	uint64_t sequence = 0;

	if (spool->ops == NULL || spool->ops->on_left == NULL)
		return;
	while ((entry = index_next(&spool->index, sequence)) != NULL) {
		sequence = entry->sequence;
		spool->ops->on_left(spool->ops_arg, entry);
	}
}

void
spool_close(struct spool *spool)
{
	if (spool == NULL)
		return;
	timer_cancel(&spool->disk_timer);
	timer_cancel(&spool->probe_timer);
	spool->closing = true;
	if (!spool->options.threaded)
		(void)loop_run_posted(spool->loop); /* the writer works inside the loop */
	writer_free(spool->writer);
	/* Reports of finished appends wait in the loop and still point to segments. */
	(void)loop_run_posted(spool->loop);
	last_try(spool);
	append_drop_parked(spool);
	leave_all(spool);
	replay_free(spool->replay);
	digest_finish(spool);
	while (spool->oldest != NULL)
		segment_unlink(spool, spool->oldest);
	index_free(&spool->index);
	work_close(&spool->work);
	if (spool->lock_fd >= 0)
		(void)close(spool->lock_fd);
	if (spool->large_dirfd >= 0)
		(void)close(spool->large_dirfd);
	if (spool->dirfd >= 0)
		(void)close(spool->dirfd);
	free(spool->segments);
	free(spool->directory);
	free(spool);
}

/* ------------------------------------------------------------------ segments ------------------ */

void
spool_disk_take(struct spool *spool, uint64_t bytes)
{
	uint64_t left = spool->disk_free;

	spool->disk_free = bytes < left ? left - bytes : 0;
}

/* Rolls over to a new segment; NULL when memory is out. */
static struct segment *
roll(struct spool *spool)
{
	struct segment *segment =
	    segment_new(spool, spool->next_generation, spool->options.segment_bytes);

	if (segment == NULL)
		return NULL;
	spool->next_generation++;
	spool->digest_due = true;
	crypto_random(&segment->stamp, sizeof segment->stamp);
	if (spool->free_count == 0) {
		spool_disk_take(spool, segment->size);
	} else { /* oldest first: see FREE in postrider-spool(5) */
		segment->recycle = spool->free_files[0];
		spool->free_count--;
		memmove(spool->free_files, spool->free_files + 1,
		    spool->free_count * sizeof spool->free_files[0]);
	}
	return segment;
}

void
spool_place(struct spool *spool, struct spool_write *write)
{
	struct segment *segment = spool->active;
	uint64_t space = record_space(write->header.size);

	if (segment == NULL || segment->broken || segment->full ||
	    segment->used + space > segment->size) {
		segment = roll(spool);
		if (segment == NULL) { /* as in loop.c: no sane way on, and nothing is lost */
			(void)fprintf(stderr, "postrider: out of memory for a spool segment\n");
			abort();
		}
	}
	write->segment = segment;
	write->offset = segment->used;
	write->header.generation = segment->generation;
	segment->used += space;
	segment->pending++;
	spool->appends++;
	writer_submit(spool->writer, write);
}

struct spool_write *
write_new(size_t pieces)
{
	struct spool_write *write = calloc(1, sizeof *write);

	if (write == NULL)
		return NULL;
	write->large_fd = -1;
	write->pieces = calloc(pieces > 0 ? pieces : 1, sizeof *write->pieces);
	if (write->pieces == NULL) {
		free(write);
		return NULL;
	}
	return write;
}

void
write_free(struct spool_write *write)
{
	free(write->pieces);
	free(write);
}

/* What failed is tried again with the next look at the disk. Until then nothing later is freed: the messages of a file
 * that is still there would come back when the records that end them had gone. */
static void
retired(struct spool_write *write)
{
	struct spool *spool = write->owner;
	struct segment *segment = write->segment;

	if (write->rc != RC_OK) {
		if (!segment->retire_failed)
			log_line(LOG_LEVEL_ERROR, "spool", "segment %llu cannot be freed: %s",
			    (unsigned long long)segment->generation, write->why.text);
		segment->retire_failed = true;
		segment->retiring = false;
		spool->retire_later = true;
		write_free(write);
		return;
	}
	if (write->keep_file && segment->created && spool->free_count < FREE_FILES_MAX)
		spool->free_files[spool->free_count++] = segment->generation;
	segment_unlink(spool, segment);
	write_free(write);
	spool_tidy(spool);
}

static void
retire_oldest(struct spool *spool)
{
	struct segment *segment = spool->oldest;
	struct spool_write *write = write_new(0);

	if (write == NULL)
		return; /* the next record that ends tries again */
	segment->retiring = true;
	write->kind = WRITE_RETIRE;
	write->segment = segment;
	write->owner = spool;
	write->keep_file = !segment->broken && !segment->damaged &&
			   spool->free_count < FREE_FILES_MAX &&
			   segment->size == spool->options.segment_bytes;
	write->done = retired;
	writer_submit(spool->writer, write);
}

void
spool_tidy(struct spool *spool)
{
	uint64_t used = 0, live = 0, count = 0;
	struct segment *oldest = spool->oldest;

	/* While records wait that say what has become of messages, the older ones must stay; and before replay has told
	 * of everything, a segment may only seem empty. */
	if (spool->closing || spool->failing || spool->reviving > 0 || spool->replay != NULL)
		return;
	digest_next(spool);
	if (oldest == NULL || oldest == spool->active || oldest->retiring || spool->retire_later)
		return;
	if (oldest->live == 0 && oldest->pending == 0) {
		retire_oldest(spool);
		return;
	}
	if (spool->compacting || oldest->stuck || oldest->pending > 0)
		return;
	for (struct segment *s = oldest; s != NULL; s = s->next) {
		used += s->used;
		live += s->live_bytes;
		count++;
	}
	if (count >= COMPACT_MIN_SEGMENTS && live * 2 < used)
		compact_start(spool, oldest);
}

/* ------------------------------------------------------------------ admission, figures -------- */

void
spool_set_reserve(struct spool *spool, uint64_t reserve_bytes)
{
	spool->options.reserve_bytes = reserve_bytes;
}

/* Outcomes need room as well: on a disk without any, nothing could be recorded as done, and nothing be freed. */
static uint64_t
reserve(const struct spool *spool)
{
	uint64_t least = SEGMENTS_KEPT_FREE * spool->options.segment_bytes;

	return spool->options.reserve_bytes > least ? spool->options.reserve_bytes : least;
}

enum rc
spool_accepts(struct spool *spool, struct why *why)
{
	if (spool->failing) {
		*why = spool->failure;
		append_set_reply(why);
		return RC_LATER;
	}
	/* Files that wait for reuse are room, too. */
	if (spool->disk_free + spool->free_count * spool->options.segment_bytes < reserve(spool))
		return why_set(why, RC_LATER, 452, "4.3.1 Insufficient system storage");
	return RC_OK;
}

int
spool_large_create(struct spool *spool, char name[SPOOL_LARGE_NAME], struct why *why)
{
	unsigned char random[8];
	char hex[2 * sizeof random + 1];
	int fd;

	crypto_random(random, sizeof random);
	crypto_hex(random, sizeof random, hex);
	(void)snprintf(name, SPOOL_LARGE_NAME, "%s.tmp", hex);
	fd = openat(
	    spool->large_dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		(void)why_errno(why, errno, "spool: large message");
	return fd;
}

void
spool_large_discard(struct spool *spool, const char *name)
{
	(void)unlinkat(spool->large_dirfd, name, 0);
}

enum rc
spool_replay_begin(
    struct spool *spool, const struct spool_replay_ops *ops, void *arg, struct why *why)
{
	spool->ops = ops;
	spool->ops_arg = arg;
	return replay_begin(spool, why);
}

enum rc
spool_replay_step(
    struct spool *spool, size_t count, struct spool_replay_report *report, struct why *why)
{
	enum rc rc = replay_step(spool, count, report, why);

	if (rc == RC_OK)
		spool_tidy(spool);
	return rc;
}

enum rc
spool_replay(struct spool *spool, const struct spool_replay_ops *ops, void *arg,
    struct spool_replay_report *report, struct why *why)
{
	enum rc rc = spool_replay_begin(spool, ops, arg, why);

	if (rc == RC_OK)
		rc = spool_replay_step(spool, SIZE_MAX, report, why);
	return rc == RC_MORE ? RC_LATER : rc;
}

unsigned
spool_work_begin(struct spool *spool, uint64_t sequence)
{
	return work_begin(&spool->work, sequence);
}

void
spool_work_end(struct spool *spool, unsigned slot)
{
	work_end(&spool->work, slot);
}

bool
spool_is_suspect(const struct spool *spool, uint64_t sequence)
{
	return work_is_suspect(&spool->work, sequence);
}

void
spool_note_fault(void)
{
	work_note_fault();
}

struct spool_entry *
spool_find(const struct spool *spool, uint64_t sequence)
{
	return index_get(&spool->index, sequence);
}

struct spool_entry *
spool_next(const struct spool *spool, uint64_t sequence)
{
	return index_next(&spool->index, sequence);
}

void
spool_stats(const struct spool *spool, struct spool_stats *out)
{
	*out = (struct spool_stats){ .messages = spool->index.len,
		.appends = spool->appends,
		.syncs = writer_syncs(spool->writer),
		.failing = spool->failing,
		.failures = spool->failures,
		.parked = spool->parked_count,
		.disk_free = spool->disk_free };
	if (spool->failing)
		out->failure = spool->failure.text;
	for (const struct segment *s = spool->oldest; s != NULL; s = s->next) {
		out->segments++;
		out->segment_bytes += s->size;
		out->live_bytes += s->live_bytes;
	}
}
