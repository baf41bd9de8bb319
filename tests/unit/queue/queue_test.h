/* unit/queue/queue_test.h - a queue for tests: its spool is real, in a temporary directory; one loop, which is stepped;
 * nobody is started. */
#ifndef UNIT_QUEUE_TEST_H
#define UNIT_QUEUE_TEST_H

#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "event/event.h"
#include "queue/queue.h"

struct world {
	char dir[64];
	struct loop *loop;
	struct worker_pool *workers;
	struct spool *spool;
	struct config *config;
	struct mx_cache *mx; /* the test's own, or NULL */
	struct tls_client *tls;
	struct queue *queue;
	bool idle;
};

static inline void
settle(struct world *w)
{
	while (loop_step(w->loop) > 0)
		continue;
}

/* The part before the queue. `disk`: NULL is the real one. */
static inline void
world_open(struct world *w, const struct disk_ops *disk)
{
	struct why why = WHY_EMPTY;
	struct config_errors errors = { NULL, 0, 0 };
	struct spool_options spool = {
		.directory = w->dir, .segment_bytes = 1 << 20, .disk = disk
	};

	*w = (struct world){ .dir = "/tmp/postrider-queue.XXXXXX" };
	assert_non_null(mkdtemp(w->dir));
	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	w->loop = loop_new_manual("core");
	w->workers = worker_pool_new(0, 100, &why);
	assert_rc(spool_open(&spool, w->loop, w->workers, &w->spool, &why), RC_OK);
	assert_rc(config_parse("hostname = \"relay.test\";", "test", &w->config, &errors), RC_OK);
	assert_rc(tls_client_load(w->config, &w->tls, &why), RC_OK);
}

static inline void
world_make_queue(struct world *w)
{
	struct why why = WHY_EMPTY;
	struct spool_replay_report report;
	struct queue_options options = { .core = w->loop,
		.loops = &w->loop,
		.loop_count = 1,
		.workers = w->workers,
		.spool = w->spool,
		.mx = w->mx };

	assert_rc(queue_new(&options, w->config, w->tls, &w->queue, &why), RC_OK);
	assert_rc(spool_replay(w->spool, &queue_replay_ops, w->queue, &report, &why), RC_OK);
}

/* What is NULL has been freed by the test. */
static inline int
world_close(struct world *w)
{
	char command[128];

	settle(w);
	spool_close(w->spool);
	queue_free(w->queue);
	mx_cache_free(w->mx);
	tls_client_unref(w->tls);
	config_unref(w->config);
	worker_pool_free(w->workers);
	loop_free(w->loop);
	(void)snprintf(command, sizeof command, "rm -rf %s", w->dir);
	return system(command);
}

static inline void
on_idle(void *arg)
{
	((struct world *)arg)->idle = true;
}

static inline void
on_stored(void *arg, enum rc rc, uint64_t sequence, const struct why *why)
{
	(void)why;
	assert_rc(rc, RC_OK);
	*(uint64_t *)arg = sequence;
}

/* Stores a message from `sender` to `first` and, when it is not NULL, `second`. It is stored, and nothing else has
 * happened to it, when it returns its sequence. max_age_ms: its own, or 0. */
static inline uint64_t
world_add_ending(
    struct world *w, const char *sender, const char *first, const char *second, int64_t max_age_ms)
{
	static uint8_t random[16];
	struct message *m = message_new();
	struct why why = WHY_EMPTY;
	uint64_t sequence = 0;

	random[0]++;
	m->accepted_ms = 1700000000000;
	m->max_age_ms = max_age_ms;
	message_id_make(0x0100, m->accepted_ms, random, &m->id);
	assert_rc(message_set(&m->sender, span_of(sender)), RC_OK);
	assert_rc(message_add_recipient(m, span_of(first), SPAN_EMPTY, 0), RC_OK);
	if (second != NULL)
		assert_rc(message_add_recipient(m, span_of(second), SPAN_EMPTY, 0), RC_OK);
	m->pieces = calloc(1, sizeof *m->pieces);
	m->pieces[0] = SPAN_LIT("Subject: x\r\n\r\n");
	m->piece_count = 1;
	m->size = m->pieces[0].len;
	assert_rc(queue_submit(w->queue, m, on_stored, &sequence, &why), RC_OK);
	message_unref(m);
	while (sequence == 0)
		assert_true(loop_step(w->loop) > 0);
	return sequence;
}

static inline uint64_t
world_add(struct world *w, const char *sender, const char *first, const char *second)
{
	return world_add_ending(w, sender, first, second, 0);
}

#endif
