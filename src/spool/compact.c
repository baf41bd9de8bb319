/* spool/compact.c - empties the oldest segment by copying what is live to the end of the log.
 *
 * A worker reads the file; the core walks it and appends copies of records that entries still point to.
 * The old place is let go of when the copy is durable; the segment then retires by itself. */
#include "config.h"

#include "spool/spool_private.h"

#include <stdlib.h>

#include "util/crc32c.h"
#include "util/fault.h"
#include "util/fsutil.h"
#include "util/log.h"

struct compaction {
	struct worker_job job;
	struct spool *spool;
	struct segment *segment;
	char *memory;
	size_t size;
	enum rc rc;
	struct why why;
	unsigned copies;    /* under way, and one for the walk itself */
	size_t copied, bad; /* begun at all; not to be copied */
};

struct copy {
	struct compaction *compaction;
	struct segment *segment; /* where it was */
	uint32_t offset, size;
};

static void
read_work(struct worker_job *job)
{
	struct compaction *c = container_of(job, struct compaction, job);

	c->memory = malloc(c->size);
	c->rc = c->memory != NULL ? fsutil_pread_all(c->segment->fd, c->memory, c->size, 0, &c->why)
				  : why_set(&c->why, RC_LATER, 0, "out of memory");
}

static void
finish(struct compaction *c)
{
	struct spool *spool = c->spool;

	if (--c->copies > 0)
		return;
	c->segment->pending--;
	spool->compacting = false;
	free(c->memory);
	free(c);
	spool_tidy(spool);
}

/* The entry points to the old record until the new one is durable: whatever fails, it is there to be read. Meanwhile it
 * may have ended, or got another state: then nobody needs the copy. */
static void
copied(struct spool_write *write)
{
	struct copy *copy = write->owner;
	struct spool *spool = copy->compaction->spool;
	struct spool_entry *entry = index_get(&spool->index, write->header.sequence);

	write->segment->pending--;
	if (write->rc == RC_OK && entry != NULL && entry->segment == copy->segment->number &&
	    entry->offset == copy->offset) {
		entry->segment = write->segment->number;
		entry->offset = (uint32_t)write->offset;
		segment_release(copy->segment, copy->size);
	} else if (write->rc == RC_OK && entry != NULL &&
		   entry->state_segment == copy->segment->number &&
		   entry->state_offset == copy->offset) {
		entry->state_segment = write->segment->number;
		entry->state_offset = (uint32_t)write->offset;
		segment_release(copy->segment, copy->size);
	} else {
		segment_release(write->segment, copy->size);
	}
	if (write->rc != RC_OK)
		spool_fail(spool, &write->why);
	finish(copy->compaction);
	free(copy);
	write_free(write);
}

/* When memory is out it stays where it is. */
static void
copy_record(
    struct compaction *c, const struct record_header *header, struct span payload, size_t at)
{
	struct copy *copy = calloc(1, sizeof *copy);
	struct spool_write *write = copy != NULL ? write_new(1) : NULL;

	if (write == NULL) {
		free(copy);
		return;
	}
	*copy = (struct copy){ c, c->segment, (uint32_t)at, header->size };
	write->kind = WRITE_RECORD;
	write->header.type = header->type;
	write->header.sequence = header->sequence;
	write->header.size = header->size;
	write->pieces[0] = payload;
	write->piece_count = 1;
	write->owner = copy;
	write->done = copied;
	c->copies++;
	c->copied++;
	(void)fault_point("compact.copy");
	spool_place(c->spool, write);
	segment_hold(write->segment, header->size);
}

static bool
is_needed(const struct compaction *c, const struct record_header *header, size_t at)
{
	const struct spool_entry *entry = index_get(&c->spool->index, header->sequence);

	return entry != NULL &&
	       ((entry->segment == c->segment->number && entry->offset == at) ||
		   (entry->state_segment == c->segment->number && entry->state_offset == at));
}

static void
walk(struct compaction *c)
{
	struct span bytes = span_make(c->memory, c->size);
	uint64_t generation = c->segment->generation;

	for (size_t at = record_find(bytes, SEGMENT_HEADER_SIZE, generation); at < bytes.len;) {
		struct record_header header;
		struct span payload;

		if (record_header_decode(span_skip(bytes, at), generation, &header) != RC_OK ||
		    header.size > bytes.len - at - RECORD_HEADER_SIZE) {
			at = record_find(bytes, at + RECORD_ALIGN, generation);
			continue;
		}
		payload = span_make(bytes.p + at + RECORD_HEADER_SIZE, header.size);
		/* A damaged record gets no new checksum that says it is good. */
		if (is_needed(c, &header, at)) {
			if (crc32c(0, payload.p, payload.len) == header.payload_crc)
				copy_record(c, &header, payload, at);
			else
				c->bad++;
		}
		at += record_space(header.size);
	}
}

static void
read_done(struct worker_job *job)
{
	struct compaction *c = container_of(job, struct compaction, job);

	bool idle = c->spool->failing || c->spool->closing; /* then nothing can be placed */

	if (c->rc == RC_OK && !idle)
		walk(c);
	if (c->copied == 0 && !idle)
		c->segment->stuck = true; /* it is freed when its messages end */
	if (c->rc != RC_OK || c->bad > 0)
		log_line(LOG_LEVEL_ERROR, "spool", "segment %llu cannot be emptied: %s",
		    (unsigned long long)c->segment->generation,
		    c->rc != RC_OK ? c->why.text : "what is needed of it is damaged");
	finish(c);
}

void
compact_start(struct spool *spool, struct segment *segment)
{
	struct compaction *c = calloc(1, sizeof *c);

	if (c == NULL)
		return;
	c->spool = spool;
	c->segment = segment;
	c->size = (size_t)segment->size;
	c->copies = 1;
	c->job.home = spool->loop;
	c->job.work = read_work;
	c->job.done = read_done;
	segment->pending++;
	spool->compacting = true;
	if (worker_submit(spool->workers, &c->job) != RC_OK) {
		segment->pending--;
		spool->compacting = false;
		free(c);
	}
}
