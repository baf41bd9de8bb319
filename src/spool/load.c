/* spool/load.c - reads one message back, on a worker. The segment stays while a load is under way. */
#include "config.h"

#include "spool/spool_private.h"

#include <stdlib.h>

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

static void
load_work(struct worker_job *job)
{
	struct load *load = container_of(job, struct load, job);

	(void)!message_read(load->spool, load->segment, &load->entry, &load->message, &load->why);
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
	load->segment = segment_at(spool, entry->segment);
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
