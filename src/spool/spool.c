/* spool/spool.c - the core side: gives records their places, knows what is live, frees segments.
 *
 * Always true: an entry in the index has a message record in a segment of the list; a segment's `live`
 * counts the records that entries point to, plus appends that are not yet durable. */
#include "config.h"

#include "spool/spool_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

	if (!disk->spool->closing)
		timer_set(&disk->spool->disk_timer, DISK_CHECK_MS);
	free(disk);
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
	rc = spool->directory != NULL ? open_directories(spool, why)
				      : why_set(why, RC_LATER, 0, "spool: out of memory");
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

void
spool_close(struct spool *spool)
{
	if (spool == NULL)
		return;
	timer_cancel(&spool->disk_timer);
	spool->closing = true;
	if (!spool->options.threaded)
		(void)loop_run_posted(spool->loop); /* the writer works inside the loop */
	writer_free(spool->writer);
	/* Reports of finished appends wait in the loop and still point to segments. */
	(void)loop_run_posted(spool->loop);
	while (spool->oldest != NULL)
		segment_unlink(spool, spool->oldest);
	index_free(&spool->index);
	if (spool->lock_fd >= 0)
		(void)close(spool->lock_fd);
	if (spool->large_dirfd >= 0)
		(void)close(spool->large_dirfd);
	if (spool->dirfd >= 0)
		(void)close(spool->dirfd);
	free(spool->directory);
	free(spool);
}

/* ------------------------------------------------------------------ segments ------------------ */

struct segment *
segment_new(struct spool *spool, uint64_t generation, uint64_t size)
{
	struct segment *segment = calloc(1, sizeof *segment);

	if (segment == NULL)
		return NULL;
	segment->generation = generation;
	segment->size = size;
	segment->used = SEGMENT_HEADER_SIZE;
	segment->fd = -1;
	segment->prev = spool->active;
	if (spool->active != NULL)
		spool->active->next = segment;
	else
		spool->oldest = segment;
	spool->active = segment;
	return segment;
}

void
segment_unlink(struct spool *spool, struct segment *segment)
{
	if (segment->prev != NULL)
		segment->prev->next = segment->next;
	else
		spool->oldest = segment->next;
	if (segment->next != NULL)
		segment->next->prev = segment->prev;
	else
		spool->active = segment->prev;
	if (segment->fd >= 0)
		(void)close(segment->fd);
	free(segment);
}

void
segment_hold(struct segment *segment, uint32_t payload)
{
	segment->live++;
	segment->live_bytes += record_space(payload);
}

void
segment_release(struct segment *segment, uint32_t payload)
{
	segment->live--;
	segment->live_bytes -= record_space(payload);
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
	if (spool->free_count > 0) { /* oldest first: see FREE in postrider-spool(5) */
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

	if (segment == NULL || segment->broken || segment->used + space > segment->size) {
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

static void
retired(struct spool_write *write)
{
	struct spool *spool = write->owner;
	struct segment *segment = write->segment;

	if (write->rc != RC_OK)
		log_line(LOG_LEVEL_WARNING, "spool", "%s", write->why.text);
	else if (write->keep_file && segment->created && spool->free_count < FREE_FILES_MAX)
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
	write->keep_file = !segment->broken && spool->free_count < FREE_FILES_MAX &&
			   segment->size == spool->options.segment_bytes;
	write->done = retired;
	writer_submit(spool->writer, write);
}

void
spool_tidy(struct spool *spool)
{
	uint64_t used = 0, live = 0, count = 0;
	struct segment *oldest = spool->oldest;

	if (spool->closing || oldest == NULL || oldest == spool->active || oldest->retiring)
		return;
	if (oldest->live == 0 && oldest->pending == 0) {
		retire_oldest(spool);
		return;
	}
	if (spool->compacting || oldest->pending > 0)
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

static void
note_failure(struct spool *spool, const struct spool_write *write)
{
	if (spool->broken.text[0] == '\0')
		log_line(LOG_LEVEL_ERROR, "spool", "commit failed: %s", write->why.text);
	spool->broken = write->why;
}

static void
append_finish(struct spool_write *write)
{
	struct append *append = write->owner;
	struct spool *spool = append->spool;

	write->segment->pending--;
	if (write->rc != RC_OK) {
		note_failure(spool, write);
	} else {
		spool->broken.text[0] = '\0';
		for (size_t i = 0; i < ARRAY_LEN(append->release); i++)
			if (append->release[i] != NULL)
				segment_release(append->release[i], append->release_size[i]);
	}
	if (append->callback != NULL)
		append->callback(append->arg, write->rc, &write->why);
	append_free(append);
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
	spool_place(append->spool, write);
}

/* A message whose commit failed is out of the spool again. */
static void
message_committed(void *arg, enum rc rc, const struct why *why)
{
	struct append *append = arg;
	struct spool_entry *entry = append->entry;

	if (rc != RC_OK) {
		segment_release(entry->segment, entry->size);
		index_del(&append->spool->index, entry->sequence);
		entry->segment = NULL;
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

enum rc
spool_append_message(struct spool *spool, struct spool_entry *entry, struct message *message,
    spool_callback *callback, void *arg, struct why *why)
{
	struct append *append = append_new(spool, message->piece_count + 1, NULL, NULL);
	bool large = message->file_fd >= 0;
	uint64_t size;

	if (append == NULL)
		return why_set(why, RC_LATER, 451, "out of memory");
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
	spool->next_sequence++;
	append->entry = entry;
	append->callback = message_committed;
	append->arg = append;
	append->user_callback = callback;
	append->user_arg = arg;
	append_submit(append, large ? RECORD_LARGE : RECORD_MESSAGE, entry->sequence, size);
	entry->segment = append->write->segment;
	entry->offset = (uint32_t)append->write->offset;
	entry->size = (uint32_t)size;
	segment_hold(entry->segment, entry->size);
	return RC_OK;
}

enum rc
spool_append_state(struct spool *spool, struct spool_entry *entry, struct span state,
    spool_callback *callback, void *arg)
{
	struct append *append = append_new(spool, 1, callback, arg);

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
	append->release[0] = entry->state_segment;
	append->release_size[0] = entry->state_size;
	append_submit(append, RECORD_STATE, entry->sequence, state.len);
	entry->state_segment = append->write->segment;
	entry->state_offset = (uint32_t)append->write->offset;
	entry->state_size = (uint32_t)state.len;
	segment_hold(entry->state_segment, entry->state_size);
	return RC_OK;
}

enum rc
spool_append_done(
    struct spool *spool, struct spool_entry *entry, spool_callback *callback, void *arg)
{
	struct append *append = append_new(spool, 0, callback, arg);

	if (append == NULL)
		return RC_LATER;
	append->release[0] = entry->segment;
	append->release_size[0] = entry->size;
	append->release[1] = entry->state_segment;
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

enum rc
spool_accepts(struct spool *spool, struct why *why)
{
	if (spool->disk_free < spool->options.reserve_bytes)
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

struct spool_entry *
spool_find(const struct spool *spool, uint64_t sequence)
{
	return index_get(&spool->index, sequence);
}

void
spool_stats(const struct spool *spool, struct spool_stats *out)
{
	*out = (struct spool_stats){ .messages = spool->index.len,
		.appends = spool->appends,
		.syncs = writer_syncs(spool->writer),
		.disk_free = spool->disk_free };
	for (const struct segment *s = spool->oldest; s != NULL; s = s->next) {
		out->segments++;
		out->segment_bytes += s->size;
		out->live_bytes += s->live_bytes;
	}
}
