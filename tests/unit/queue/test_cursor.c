/* Unit tests of queue/view.c: a cursor over messages that come and go, finding by either id, recipients one by one. The
 * spool is real, in a temporary directory; the queue is stopped, so nothing is ever attempted. */
#include "config.h"

#include "unit/queue/queue_test.h"

static int
setup(void **state)
{
	static struct world w;

	world_open(&w, NULL);
	world_make_queue(&w);
	queue_stop(w.queue, on_idle, &w);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	return world_close(*state);
}

static uint64_t
add(struct world *w, const char *first, const char *second)
{
	uint64_t sequence = world_add(w, "", first, second);

	settle(w);
	return sequence;
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
	assert_string_equal(view.destination, "one.test");
	assert_string_equal(view.reason, "");
	assert_int_equal(view.attempts, 0);
	assert_int_equal(view.due_ms, 0);
	queue_view_recipient(m, 1, &view);
	assert_string_equal(view.destination, "two.test");
	queue_view_recipient(m, 2, &view);
	assert_string_equal(view.state, "done");
	assert_true(queue_is_for(m, SPAN_LIT("two.test")));
	assert_true(queue_is_for(m, SPAN_LIT("ONE.test")));
	assert_false(queue_is_for(m, SPAN_LIT("three.test")));
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
