/* spool/compact.c - empties the oldest segment by copying what is live to the end of the log.
 *
 * A worker reads the file; the core walks it and appends copies of records that entries still point to.
 * The old place is let go of when the copy is durable; the segment then retires by itself. */
#include "config.h"

#include "spool/spool_private.h"

#include <stdlib.h>

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
	unsigned copies; /* under way, and one for the walk itself */
};

struct copy {
	struct compaction *compaction;
	struct segment *segment;
	uint32_t size;
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

static void
copied(struct spool_write *write)
{
	struct copy *copy = write->owner;

	write->segment->pending--;
	/* When the copy failed the old record still is the good one only if nobody moved on; the entry points to
	 * the copy, so keep the old segment: live stays above zero and a restart finds the old record. */
	if (write->rc == RC_OK)
		segment_release(copy->segment, copy->size);
	else
		log_line(LOG_LEVEL_ERROR, "spool", "compaction: %s", write->why.text);
	finish(copy->compaction);
	free(copy);
	write_free(write);
}

/* The new place of the record, or false when memory is out (it stays where it is). */
static bool
copy_record(struct compaction *c, const struct record_header *header, struct span payload,
    struct segment **segment, uint32_t *offset)
{
	struct copy *copy = calloc(1, sizeof *copy);
	struct spool_write *write = copy != NULL ? write_new(1) : NULL;

	if (write == NULL) {
		free(copy);
		return false;
	}
	*copy = (struct copy){ c, c->segment, header->size };
	write->kind = WRITE_RECORD;
	write->header.type = header->type;
	write->header.sequence = header->sequence;
	write->header.size = header->size;
	write->pieces[0] = payload;
	write->piece_count = 1;
	write->owner = copy;
	write->done = copied;
	c->copies++;
	spool_place(c->spool, write);
	*segment = write->segment;
	*offset = (uint32_t)write->offset;
	segment_hold(*segment, header->size);
	return true;
}

static void
walk(struct compaction *c)
{
	struct span bytes = span_make(c->memory, c->size);
	uint64_t generation = c->segment->generation;

	for (size_t at = record_find(bytes, SEGMENT_HEADER_SIZE, generation); at < bytes.len;) {
		struct record_header header;
		struct spool_entry *entry;
		struct span payload;

		if (record_header_decode(span_skip(bytes, at), generation, &header) != RC_OK ||
		    header.size > bytes.len - at - RECORD_HEADER_SIZE) {
			at = record_find(bytes, at + RECORD_ALIGN, generation);
			continue;
		}
		payload = span_make(bytes.p + at + RECORD_HEADER_SIZE, header.size);
		entry = index_get(&c->spool->index, header.sequence);
		if (entry != NULL && entry->segment == c->segment && entry->offset == at)
			(void)copy_record(c, &header, payload, &entry->segment, &entry->offset);
		else if (entry != NULL && entry->state_segment == c->segment &&
			 entry->state_offset == at)
			(void)copy_record(
			    c, &header, payload, &entry->state_segment, &entry->state_offset);
		at += record_space(header.size);
	}
}

static void
read_done(struct worker_job *job)
{
	struct compaction *c = container_of(job, struct compaction, job);

	if (c->rc == RC_OK)
		walk(c);
	else
		log_line(LOG_LEVEL_ERROR, "spool", "compaction: %s", c->why.text);
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
