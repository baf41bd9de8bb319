/* spool/spool.c - the core side: gives records their places, knows what is live, frees segments.
 *
 * Always true: an entry in the index has a message record in a segment of the list; a segment's `live`
 * counts the records that entries point to, plus appends that are not yet durable. */
#include "config.h"

#include "spool/digest.h"
#include "spool/spool_private.h"

#include <assert.h>
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
	COMPACT_MIN_SEGMENTS = 4,
	PROBE_MIN_MS = 1000,
	PROBE_MAX_MS = 30000,
	OUTCOME_ROOM =
	    16 /* that part of a segment is for outcomes when no other segment could be made */
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

static void probe(void *arg);

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
	timer_init(&spool->probe_timer, loop, probe, spool);
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

static void drop_parked(struct spool *spool);

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
	probe(spool);
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
	drop_parked(spool);
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

/* What has been promised since the last look at the disk counts at once. */
static void
disk_take(struct spool *spool, uint64_t bytes)
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
		disk_take(spool, segment->size);
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

/* ------------------------------------------------------------------ appends ------------------- */

struct append {
	struct list node; /* in spool->parked */
	bool revived;	  /* it failed, or waited, and is tried again */
	struct spool_write *write;
	struct spool *spool;
	struct spool_entry *entry; /* NULL for "done": it is gone by then */
	struct message *message;
	struct buf owned; /* envelope or state bytes */
	spool_callback *callback;
	void *arg;
	spool_callback *user_callback; /* behind message_committed */
	void *user_arg;
	/* What "done" lets go of once it is durable. */
	struct segment *release[2];
	uint32_t release_size[2];
};

static void
append_free(struct append *append)
{
	buf_free(&append->owned);
	message_unref(append->message);
	if (append->write != NULL)
		write_free(append->write);
	free(append);
}

static struct append *
append_new(struct spool *spool, size_t pieces, spool_callback *callback, void *arg)
{
	struct append *append = spool->closing ? NULL : calloc(1, sizeof *append);

	if (append == NULL)
		return NULL;
	append->write = write_new(pieces);
	if (append->write == NULL) {
		free(append);
		return NULL;
	}
	append->spool = spool;
	append->callback = callback;
	append->arg = arg;
	return append;
}

/* ------------------------------------------------------------------ failures ------------------ */

static void
park(struct append *append)
{
	struct spool *spool = append->spool;

	list_add_tail(&spool->parked, &append->node);
	spool->parked_count++;
}

/* Not even tried: commits do not work now. Its place is one that no other record has. */
static void
park_new(struct append *append)
{
	append->write->segment = &append->spool->limbo;
	append->write->offset = append->spool->limbo.used++;
	park(append);
}

static void
append_over(struct append *append, enum rc rc, const struct why *why)
{
	if (append->callback != NULL)
		append->callback(append->arg, rc, why);
	append_free(append);
}

static void
release_all(struct append *append)
{
	for (size_t i = 0; i < ARRAY_LEN(append->release); i++)
		if (append->release[i] != NULL)
			segment_release(append->release[i], append->release_size[i]);
}

/* A state that a later one has replaced, or whose message has ended, must not come behind those. */
static bool
is_superseded(const struct append *append)
{
	const struct spool_write *write = append->write;
	const struct spool_entry *entry = index_get(&append->spool->index, write->header.sequence);

	return write->header.type == RECORD_STATE &&
	       (entry == NULL || entry->state_segment != write->segment->number ||
		   entry->state_offset != (uint32_t)write->offset);
}

static void
revive_one(struct append *append)
{
	static const struct why none = WHY_EMPTY;
	struct spool *spool = append->spool;
	struct spool_write *write = append->write;
	struct segment *before = write->segment;
	struct spool_entry *entry;

	if (is_superseded(append)) {
		release_all(append);
		append_over(append, RC_OK, &none);
		return;
	}
	write->rc = RC_OK;
	append->revived = true;
	spool->reviving++;
	spool_place(spool, write);
	if (write->header.type != RECORD_STATE)
		return;
	entry = index_get(&spool->index, write->header.sequence);
	segment_release(before, entry->state_size);
	entry->state_segment = write->segment->number;
	entry->state_offset = (uint32_t)write->offset;
	segment_hold(write->segment, entry->state_size);
}

static void
recover(struct spool *spool)
{
	struct list again, *node;

	spool->failing = false;
	spool->probe_delay_ms = 0;
	log_line(LOG_LEVEL_WARNING, "spool",
	    "commits work again: mail is taken in; %zu records that waited are written now",
	    spool->parked_count);
	spool->parked_count = 0;
	list_init(&again);
	list_move_all(&again, &spool->parked);
	while ((node = list_pop(&again)) != NULL)
		revive_one(container_of(node, struct append, node));
	spool_tidy(spool);
}

static void
probe_later(struct spool *spool)
{
	spool->probe_delay_ms = spool->probe_delay_ms * 2;
	if (spool->probe_delay_ms < PROBE_MIN_MS)
		spool->probe_delay_ms = PROBE_MIN_MS;
	if (spool->probe_delay_ms > PROBE_MAX_MS)
		spool->probe_delay_ms = PROBE_MAX_MS;
	timer_set(&spool->probe_timer, spool->probe_delay_ms);
}

static void
probed(struct spool_write *write)
{
	struct spool *spool = write->owner;
	enum rc rc = write->rc;

	write->segment->pending--;
	write_free(write);
	if (rc == RC_OK)
		recover(spool);
	else if (!spool->closing)
		probe_later(spool);
}

/* An end of no message: replay passes over it. A segment that failed takes nothing, so it goes to a new one. */
static void
probe(void *arg)
{
	struct spool *spool = arg;
	struct spool_write *write = write_new(0);

	if (write == NULL) {
		probe_later(spool);
		return;
	}
	write->kind = WRITE_RECORD;
	write->header.type = RECORD_DONE;
	write->owner = spool;
	write->done = probed;
	spool_place(spool, write);
}

void
spool_fail(struct spool *spool, const struct why *why)
{
	spool->failures++;
	if (spool->failing)
		return;
	spool->failing = true;
	spool->failure = *why;
	log_line(LOG_LEVEL_ERROR, "spool",
	    "commit failed: %s: the segment is given up, and no mail is taken in until another "
	    "works",
	    why->text);
	if (!spool->closing)
		probe(spool);
}

static void
drop_parked(struct spool *spool)
{
	struct why why = WHY_EMPTY;
	struct list *node;

	if (spool->parked_count > 0)
		log_line(LOG_LEVEL_ERROR, "spool",
		    "%zu outcomes could not be stored: after the next start these messages are "
		    "tried "
		    "again",
		    spool->parked_count);
	(void)why_set(&why, RC_LATER, 0, "spool: closed");
	while ((node = list_pop(&spool->parked)) != NULL)
		append_over(container_of(node, struct append, node), RC_LATER, &why);
	spool->parked_count = 0;
}

/* What a client is told that its mail could not be stored. */
static void
set_reply(struct why *why)
{
	if (why->err == ENOSPC || why->err == EDQUOT || why->err == EFBIG)
		(void)why_set(why, RC_LATER, 452, "4.3.1 Insufficient system storage");
	else
		(void)why_set(why, RC_LATER, 451, "4.3.0 Mail cannot be stored now");
}

static void
append_finish(struct spool_write *write)
{
	struct append *append = write->owner;
	struct spool *spool = append->spool;
	struct why why = write->why;

	write->segment->pending--;
	if (append->revived)
		spool->reviving--;
	append->revived = false;
	if (write->rc != RC_OK) {
		spool_fail(spool, &write->why);
		if (append->message == NULL) { /* what has become of a message: not to be lost */
			park(append);
			return;
		}
		set_reply(&why);
	} else {
		release_all(append);
	}
	append_over(append, write->rc, &why);
	spool_tidy(spool);
}

static void
append_submit(struct append *append, enum record_type type, uint64_t sequence, uint64_t size)
{
	struct spool_write *write = append->write;

	write->kind = WRITE_RECORD;
	write->header.type = type;
	write->header.sequence = sequence;
	write->header.size = (uint32_t)size;
	write->owner = append;
	write->done = append_finish;
	if (append->spool->failing)
		park_new(append);
	else
		spool_place(append->spool, write);
}

/* Its record may be on disk, although the client is told that it is not: a restart must not find it. */
static void
void_message(struct spool *spool, const struct spool_entry *entry)
{
	struct append *append = append_new(spool, 0, NULL, NULL);

	if (append == NULL) {
		log_line(LOG_LEVEL_ERROR, "spool",
		    "message %llu was refused, and that cannot be recorded: a restart may find it",
		    (unsigned long long)entry->sequence);
		return;
	}
	append->write->drop_large = entry->large;
	append_submit(append, RECORD_DONE, entry->sequence, 0);
}

/* A message whose commit failed is out of the spool again. */
static void
message_committed(void *arg, enum rc rc, const struct why *why)
{
	struct append *append = arg;
	struct spool_entry *entry = append->entry;

	if (rc != RC_OK) {
		segment_release(segment_at(append->spool, entry->segment), entry->size);
		index_del(&append->spool->index, entry->sequence);
		void_message(append->spool, entry);
		entry->segment = SEGMENT_NONE;
	}
	append->user_callback(append->user_arg, rc, why);
}

static void
fill_large(struct append *append, const struct message *message)
{
	unsigned char numbers[16];

	for (size_t i = 0; i < 8; i++) {
		numbers[i] = (unsigned char)(message->file_at >> (8 * i));
		numbers[8 + i] = (unsigned char)(message->file_size >> (8 * i));
	}
	buf_add(&append->owned, numbers, sizeof numbers);
	append->write->large_fd = message->file_fd;
	append->write->large_name = message->file_name;
}

/* Whether a message may have its place, when a disk that is nearly full may have no other segment: outcomes of what is
 * in the queue go first, since without them nothing is ever freed. */
static bool
has_room(const struct spool *spool, uint64_t payload)
{
	const struct segment *active = spool->active;

	if (spool->free_count > 0 ||
	    spool->disk_free >= spool->options.segment_bytes + spool->options.reserve_bytes)
		return true;
	return active != NULL && !active->broken && !active->full &&
	       active->used + record_space(payload) + active->size / OUTCOME_ROOM <= active->size;
}

enum rc
spool_append_message(struct spool *spool, struct spool_entry *entry, struct message *message,
    spool_callback *callback, void *arg, struct why *why)
{
	struct append *append = append_new(spool, message->piece_count + 1, NULL, NULL);
	bool large = message->file_fd >= 0;
	uint64_t size;

	if (append == NULL)
		return why_set(why, RC_LATER, 451, "out of memory");
	if (spool->failing) {
		append_free(append);
		*why = spool->failure;
		set_reply(why);
		return RC_LATER;
	}
	envelope_encode(message, &append->owned);
	if (large)
		fill_large(append, message);
	size = buf_len(&append->owned) + message->size - (large ? message->file_size : 0);
	append->message = message_ref(message);
	append->write->pieces[0] = buf_span(&append->owned);
	for (size_t i = 0; i < message->piece_count; i++)
		append->write->pieces[i + 1] = message->pieces[i];
	append->write->piece_count = message->piece_count + 1;
	*entry = (struct spool_entry){ .sequence = spool->next_sequence, .large = large };
	if (append->owned.failed || index_add(&spool->index, entry) != RC_OK ||
	    record_space(size) > spool->options.segment_bytes - SEGMENT_HEADER_SIZE) {
		if (!append->owned.failed)
			index_del(&spool->index, entry->sequence);
		append_free(append);
		return why_set(why, RC_LATER, 451, "message does not fit the spool");
	}
	if (!has_room(spool, size)) {
		index_del(&spool->index, entry->sequence);
		append_free(append);
		return why_set(why, RC_LATER, 452, "4.3.1 Insufficient system storage");
	}
	spool->next_sequence++;
	if (large)
		disk_take(spool, message->file_size);
	append->entry = entry;
	append->callback = message_committed;
	append->arg = append;
	append->user_callback = callback;
	append->user_arg = arg;
	append_submit(append, large ? RECORD_LARGE : RECORD_MESSAGE, entry->sequence, size);
	entry->segment = append->write->segment->number;
	entry->offset = (uint32_t)append->write->offset;
	entry->size = (uint32_t)size;
	segment_hold(append->write->segment, entry->size);
	return RC_OK;
}

enum rc
spool_append_state(struct spool *spool, struct spool_entry *entry, struct span state,
    spool_callback *callback, void *arg)
{
	struct append *append = append_new(spool, 1, callback, arg);

	assert(state.len <= SPOOL_STATE_MAX);
	if (append == NULL)
		return RC_LATER;
	buf_add_span(&append->owned, state);
	if (append->owned.failed) {
		append_free(append);
		return RC_LATER;
	}
	append->write->pieces[0] = buf_span(&append->owned);
	append->write->piece_count = 1;
	/* The older state is needed until this one is durable. */
	append->release[0] = segment_at(spool, entry->state_segment);
	append->release_size[0] = entry->state_size;
	append_submit(append, RECORD_STATE, entry->sequence, state.len);
	entry->state_segment = append->write->segment->number;
	entry->state_offset = (uint32_t)append->write->offset;
	entry->state_size = (uint16_t)state.len;
	segment_hold(append->write->segment, entry->state_size);
	return RC_OK;
}

enum rc
spool_append_done(
    struct spool *spool, struct spool_entry *entry, spool_callback *callback, void *arg)
{
	struct append *append = append_new(spool, 0, callback, arg);

	if (append == NULL)
		return RC_LATER;
	append->release[0] = segment_at(spool, entry->segment);
	append->release_size[0] = entry->size;
	append->release[1] = segment_at(spool, entry->state_segment);
	append->release_size[1] = entry->state_size;
	append->write->drop_large = entry->large;
	index_del(&spool->index, entry->sequence);
	append_submit(append, RECORD_DONE, entry->sequence, 0);
	return RC_OK;
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
		set_reply(why);
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
