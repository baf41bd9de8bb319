/* spool/load.c - reads one message back, on a worker. The segment stays while a load is under way. */
#include "config.h"

#include "spool/spool_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/crc32c.h"
#include "util/fsutil.h"

struct load {
	struct worker_job job;
	struct spool *spool;
	struct segment *segment;
	struct spool_entry entry; /* a copy: the message may end meanwhile */
	struct message *message;
	struct why why;
	spool_load_callback *callback;
	void *arg;
};

static uint64_t
number(const char *at)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value |= (uint64_t)(unsigned char)at[i] << (8 * i);
	return value;
}

static enum rc
open_large(struct load *load, struct span *content, struct why *why)
{
	char name[SEGMENT_NAME_LEN];
	struct message *m = load->message;

	if (content->len < 16)
		return why_set(why, RC_BAD, 0, "spool: damaged record of a large message");
	m->file_at = number(content->p);
	m->file_size = number(content->p + 8);
	*content = span_skip(*content, 16);
	segment_name(load->entry.sequence, "body", name);
	m->file_fd = openat(load->spool->large_dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (m->file_fd < 0)
		return why_errno(why, errno, "spool: large/%s", name);
	return RC_OK;
}

static enum rc
parse(struct load *load, char *memory, struct why *why)
{
	struct record_header header;
	struct span bytes = span_make(memory, RECORD_HEADER_SIZE + (size_t)load->entry.size);
	struct span content = span_skip(bytes, RECORD_HEADER_SIZE);
	struct message *m = message_new();
	size_t used;

	load->message = m;
	if (m == NULL || message_own(m, memory) != RC_OK)
		return why_set(why, RC_LATER, 0, "spool: out of memory");
	if (record_header_decode(bytes, load->segment->generation, &header) != RC_OK ||
	    header.sequence != load->entry.sequence || header.size != load->entry.size ||
	    crc32c(0, content.p, content.len) != header.payload_crc ||
	    envelope_decode(content, m, &used) != RC_OK)
		return why_set(why, RC_BAD, 0, "spool: message %llu is damaged",
		    (unsigned long long)load->entry.sequence);
	content = span_skip(content, used);
	if (load->entry.large) {
		enum rc rc = open_large(load, &content, why);

		if (rc != RC_OK)
			return rc;
	}
	m->pieces = malloc(sizeof *m->pieces);
	if (m->pieces == NULL)
		return why_set(why, RC_LATER, 0, "spool: out of memory");
	m->pieces[0] = content;
	m->piece_count = 1;
	m->size = content.len + m->file_size;
	return RC_OK;
}

static void
load_work(struct worker_job *job)
{
	struct load *load = container_of(job, struct load, job);
	size_t size = RECORD_HEADER_SIZE + (size_t)load->entry.size;
	char *memory = malloc(size);
	enum rc rc;

	if (memory == NULL) {
		(void)why_set(&load->why, RC_LATER, 0, "spool: out of memory");
		return;
	}
	rc = fsutil_pread_all(
	    load->segment->fd, memory, size, (off_t)load->entry.offset, &load->why);
	if (rc != RC_OK)
		free(memory);
	else
		rc = parse(load, memory, &load->why);
	if (rc != RC_OK) {
		message_unref(load->message);
		load->message = NULL;
	}
}

static void
load_done(struct worker_job *job)
{
	struct load *load = container_of(job, struct load, job);

	load->segment->pending--;
	load->callback(load->arg, load->message, &load->why);
	spool_tidy(load->spool);
	free(load);
}

enum rc
spool_load(
    struct spool *spool, const struct spool_entry *entry, spool_load_callback *callback, void *arg)
{
	struct load *load = calloc(1, sizeof *load);

	if (load == NULL)
		return RC_LATER;
	load->spool = spool;
	load->segment = entry->segment;
	load->entry = *entry;
	load->callback = callback;
	load->arg = arg;
	load->job.home = spool->loop;
	load->job.work = load_work;
	load->job.done = load_done;
	load->segment->pending++;
	if (worker_submit(spool->workers, &load->job) != RC_OK) {
		load->segment->pending--;
		free(load);
		return RC_LATER;
	}
	return RC_OK;
}
