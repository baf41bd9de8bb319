/* Unit tests of queue/view.c: a cursor over messages that come and go, finding by either id, recipients one by one. The
 * spool is real, in a temporary directory; the queue is stopped, so nothing is ever attempted. */
#include "config.h"

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
	struct tls_client *tls;
	struct queue *queue;
};

static void
settle(struct world *w)
{
	while (loop_step(w->loop) > 0)
		continue;
}

static void
on_idle(void *arg)
{
	(void)arg;
}

static int
setup(void **state)
{
	static struct world w;
	struct why why = WHY_EMPTY;
	struct config_errors errors = { NULL, 0, 0 };
	struct spool_options spool = { .directory = w.dir, .segment_bytes = 1 << 20 };
	struct queue_options options = { 0 };

	(void)snprintf(w.dir, sizeof w.dir, "/tmp/postrider-cursor.XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR);
	w.loop = loop_new_manual("core");
	w.workers = worker_pool_new(0, 100, &why);
	assert_rc(spool_open(&spool, w.loop, w.workers, &w.spool, &why), RC_OK);
	assert_rc(config_parse("", "empty", &w.config, &errors), RC_OK);
	assert_rc(tls_client_load(w.config, &w.tls, &why), RC_OK);
	options.core = w.loop;
	options.loops = &w.loop;
	options.loop_count = 1;
	options.workers = w.workers;
	options.spool = w.spool;
	assert_rc(queue_new(&options, w.config, w.tls, &w.queue, &why), RC_OK);
	assert_rc(spool_replay(w.spool, &queue_replay_ops, w.queue,
		      &(struct spool_replay_report){ 0 }, &why),
	    RC_OK);
	queue_stop(w.queue, on_idle, NULL);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	settle(w);
	spool_close(w->spool);
	queue_free(w->queue);
	tls_client_unref(w->tls);
	config_unref(w->config);
	worker_pool_free(w->workers);
	loop_free(w->loop);
	(void)snprintf(command, sizeof command, "rm -rf %s", w->dir);
	return system(command);
}

static uint64_t stored;

static void
on_stored(void *arg, enum rc rc, uint64_t sequence, const struct why *why)
{
	(void)arg;
	(void)why;
	assert_rc(rc, RC_OK);
	stored = sequence;
}

static uint64_t
add(struct world *w, const char *first, const char *second)
{
	static uint8_t random[16];
	struct message *m = message_new();
	struct why why = WHY_EMPTY;

	random[0]++;
	message_id_make(0x0100, 1700000000000, random, &m->id);
	m->accepted_ms = 1700000000000;
	assert_rc(message_add_recipient(m, span_of(first), SPAN_EMPTY, 0), RC_OK);
	if (second != NULL)
		assert_rc(message_add_recipient(m, span_of(second), SPAN_EMPTY, 0), RC_OK);
	m->pieces = calloc(1, sizeof *m->pieces);
	m->pieces[0] = SPAN_LIT("Subject: x\r\n\r\n");
	m->piece_count = 1;
	m->size = m->pieces[0].len;
	assert_rc(queue_submit(w->queue, m, on_stored, NULL, &why), RC_OK);
	message_unref(m);
	settle(w);
	return stored;
}

static struct queue_message *
find(struct world *w, uint64_t sequence)
{
	char id[EVENT_QUEUE_ID_LEN];

	event_queue_id(sequence, id);
	return queue_find(w->queue, span_of(id));
}

static void
drop(struct world *w, uint64_t sequence)
{
	struct queue_message *m = find(w, sequence);

	assert_non_null(m);
	assert_rc(queue_drop(m), RC_OK);
	settle(w);
}

static void
assert_next(struct queue_cursor *cursor, uint64_t want)
{
	struct queue_view view;

	assert_true(queue_cursor_next(cursor, &view));
	assert_int_equal(view.sequence, want);
}

static void
assert_end(struct queue_cursor *cursor)
{
	struct queue_view view;

	assert_false(queue_cursor_next(cursor, &view));
	assert_false(queue_cursor_next(cursor, &view));
}

static void
test_walk(void **state)
{
	struct world *w = *state;
	struct queue_cursor *empty = queue_cursor_new(w->queue), *cursor;
	uint64_t a, b;

	assert_end(empty);
	a = add(w, "a@one.test", NULL);
	b = add(w, "b@one.test", NULL);
	assert_end(empty); /* came behind its end */
	cursor = queue_cursor_new(w->queue);
	assert_next(cursor, a);
	assert_next(cursor, b);
	assert_end(cursor);
	queue_cursor_free(cursor);
	queue_cursor_free(empty);
	queue_cursor_free(NULL);
}

/* Messages are freed in front of, under and behind two cursors, and new ones come. */
static void
test_removals(void **state)
{
	struct world *w = *state;
	struct queue_cursor *one, *two;
	uint64_t n[6];

	for (size_t i = 0; i < 5; i++)
		n[i] = add(w, "a@one.test", NULL);
	one = queue_cursor_new(w->queue);
	two = queue_cursor_new(w->queue);
	assert_next(one, n[0]);
	drop(w, n[0]); /* behind one, under two */
	drop(w, n[1]); /* under both */
	assert_next(two, n[2]);
	drop(w, n[3]); /* in front of one, under two */
	assert_next(one, n[2]);
	assert_next(one, n[4]);
	n[5] = add(w, "a@one.test", NULL);
	drop(w, n[4]);
	assert_next(two, n[5]);
	assert_end(two);
	queue_cursor_free(two);
	drop(w, n[5]);
	assert_end(one);
	drop(w, n[2]);
	queue_cursor_free(one);
}

static void
test_queue_goes_first(void **state)
{
	struct world *w = *state;
	struct queue_cursor *cursor;

	(void)add(w, "a@one.test", NULL);
	cursor = queue_cursor_new(w->queue);
	settle(w);
	spool_close(w->spool);
	w->spool = NULL;
	queue_free(w->queue);
	w->queue = NULL;
	assert_end(cursor);
	queue_cursor_free(cursor);
}

static void
test_find(void **state)
{
	struct world *w = *state;
	char text[MESSAGE_ID_LEN + 1];
	struct queue_view view;
	uint64_t a = add(w, "a@one.test", NULL), b = add(w, "b@one.test", NULL);

	assert_non_null(find(w, a));
	assert_ptr_not_equal(find(w, a), find(w, b));
	queue_view(find(w, b), &view);
	assert_ptr_equal(view.message, find(w, b));
	message_id_format(view.id, text);
	assert_ptr_equal(queue_find(w->queue, span_of(text)), find(w, b));
	text[20] = text[20] == '0' ? '1' : '0';
	assert_null(queue_find(w->queue, span_of(text)));
	drop(w, a);
	assert_null(find(w, a));
	assert_non_null(find(w, b));
	assert_null(queue_find(w->queue, SPAN_EMPTY));
	assert_null(queue_find(w->queue, SPAN_LIT("1")));
	assert_null(queue_find(w->queue, SPAN_LIT("000000000G")));
	assert_null(queue_find(w->queue, SPAN_LIT("FFFFFFFFFFFFFFFF")));
	assert_null(queue_find(w->queue, SPAN_LIT("FFFFFFFFFFFFFFFFF")));
	drop(w, b);
}

static void
test_recipients(void **state)
{
	struct world *w = *state;
	struct queue_recipient_view view;
	uint64_t a = add(w, "a@one.test", "b@TWO.test");
	struct queue_message *m = find(w, a);

	queue_view_recipient(m, 0, &view);
	assert_string_equal(view.state, "active");
	assert_string_equal(view.site, "one.test");
	assert_string_equal(view.reason, "");
	assert_int_equal(view.attempts, 0);
	assert_int_equal(view.due_ms, 0);
	queue_view_recipient(m, 1, &view);
	assert_string_equal(view.site, "two.test");
	queue_view_recipient(m, 2, &view);
	assert_string_equal(view.state, "done");
	assert_true(queue_is_at_site(m, SPAN_LIT("two.test")));
	assert_true(queue_is_at_site(m, SPAN_LIT("ONE.test")));
	assert_false(queue_is_at_site(m, SPAN_LIT("three.test")));
	assert_false(queue_retry(m, SPAN_EMPTY)); /* nothing is deferred */
	drop(w, a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recipients, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
