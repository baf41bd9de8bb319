/* Unit tests of the way from a failure to the report on it (queue/queue.c): the outcome of the message is recorded only
 * when the report is on the disk, and a report that the disk does not take is tried again; and of the time that a message has
 * until it is one. The spool is real, in a temporary directory; domains take no mail, but for later.test, whose lookups
 * fail. */
#include "config.h"

#include "unit/queue/queue_test.h"

#include <errno.h>

#include "util/clock.h"

static int64_t now_us;
static unsigned syncs, fail_syncs;

static int64_t
fake_mono(void)
{
	return now_us;
}

static int64_t
fake_wall(void)
{
	return INT64_C(1700000000000000) + now_us;
}

static const struct clock_source fake_clock = { fake_mono, fake_wall };

static int
counted_sync(int fd)
{
	if (fail_syncs > 0) {
		fail_syncs--;
		errno = EIO;
		return -1;
	}
	syncs++;
	return fdatasync(fd);
}

static int
sync_dir(int fd)
{
	return fsync(fd);
}

static const struct disk_ops disk = { pwritev, counted_sync, sync_dir };

/* ------------------------------------------------------------------ a null MX ----------------- */

struct dns_query {
	struct timer timer;
	bool fails;
	void (*on_answer)(void *arg, const struct dns_answer *answer);
	void *arg;
};

struct fake {
	struct resolver resolver;
	struct loop *loop;
};

static void
answer(void *arg)
{
	struct dns_query *q = arg;
	struct span record = { "\0\0\0", 3 };
	struct dns_answer null_mx = {
		.status = DNS_OK, .records = &record, .count = 1, .ttl_s = 60
	};
	struct dns_answer failure = { .status = DNS_FAILED, .why = "SERVFAIL", .ttl_s = 60 };

	q->on_answer(q->arg, q->fails ? &failure : &null_mx);
	free(q);
}

static struct dns_query *
lookup(struct resolver *resolver, const char *name, enum dns_type type,
    void (*on_answer)(void *arg, const struct dns_answer *answer), void *arg)
{
	struct dns_query *q = calloc(1, sizeof *q);

	(void)type;
	assert_non_null(q);
	q->fails = strcmp(name, "later.test") == 0;
	q->on_answer = on_answer;
	q->arg = arg;
	timer_init(&q->timer, container_of(resolver, struct fake, resolver)->loop, answer, q);
	timer_set(&q->timer, q->fails ? 5 : 0); /* the failure comes first */
	return q;
}

static void
cancel(struct resolver *resolver, struct dns_query *query)
{
	(void)resolver;
	timer_cancel(&query->timer);
	free(query);
}

static const struct resolver_ops fake_ops = { lookup, cancel, NULL };

/* ------------------------------------------------------------------ the world ----------------- */

static int
setup(void **state)
{
	static struct world w;
	static struct fake dns = { .resolver.ops = &fake_ops };
	struct mx_options mx = { .port = 25, .ipv4 = true };

	clock_use(&fake_clock);
	now_us = 1000000;
	syncs = fail_syncs = 0;
	world_open(&w, &disk);
	dns.loop = w.loop;
	w.mx = mx_cache_new(&dns.resolver, w.loop, &mx, 10);
	world_make_queue(&w);
	queue_start(w.queue);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	int status = world_close(*state);

	clock_use(NULL);
	return status;
}

/* `other`: another recipient, whose outcome comes behind the failure, or NULL. */
static uint64_t
add(struct world *w, const char *other)
{
	const char *fails = "a@null.test";

	return world_add(
	    w, "jo@example.com", other != NULL ? other : fails, other != NULL ? fails : NULL);
}

static void
test_the_outcome_waits_for_the_report(void **state)
{
	struct world *w = *state;
	uint64_t sequence = add(w, NULL);
	unsigned before = syncs;
	uint64_t bounces = event_count(EVENT_BOUNCE);

	while (spool_find(w->spool, sequence) != NULL)
		assert_true(loop_step(w->loop) > 0);
	assert_true(event_count(EVENT_BOUNCE) > bounces);
	assert_true(syncs > before); /* else a power cut could keep the end and lose the report */
}

/* Two records after the message: the report, and behind its sync the state. */
static void
test_a_state_waits_for_the_report(void **state)
{
	struct world *w = *state;
	struct spool_stats stats;
	unsigned before;

	(void)add(w, "b@later.test");
	before = syncs;
	do {
		assert_true(loop_step(w->loop) > 0);
		spool_stats(w->spool, &stats);
	} while (stats.appends < 3);
	assert_true(syncs > before);
}

static void
test_a_report_that_cannot_be_stored_is_tried_again(void **state)
{
	struct world *w = *state;
	struct queue_stats stats;
	uint64_t sequence = add(w, NULL);
	uint64_t bounces = event_count(EVENT_BOUNCE);
	struct why why = WHY_EMPTY;

	fail_syncs = 1;
	settle(w);
	assert_int_equal(fail_syncs, 0);
	assert_int_equal(event_count(EVENT_BOUNCE), bounces + 1);
	assert_non_null(spool_find(w->spool, sequence));
	assert_rc(queue_audit(w->queue, &why), RC_OK);
	now_us += 10 * 1000000;
	settle(w);
	assert_null(spool_find(w->spool, sequence));
	assert_int_equal(event_count(EVENT_BOUNCE), bounces + 2); /* of the report itself */
	queue_stats(w->queue, &stats);
	assert_int_equal(stats.messages, 0);
}

static void
test_a_stop_waits_for_the_report(void **state)
{
	struct world *w = *state;

	(void)add(w, NULL);
	fail_syncs = 1;
	settle(w);
	queue_stop(w->queue, on_idle, w);
	settle(w);
	assert_false(w->idle);
	now_us += 10 * 1000000;
	settle(w);
	assert_true(w->idle);
}

/* ------------------------------------------------------------------ the end of its time ------- */

enum {
	SECOND_US = 1000000,
	MINUTE_US = 60 * SECOND_US
};

/* From one attempt to the next, or to the end; the time since the message came. */
static int64_t
next_attempt_us(struct world *w)
{
	uint64_t before = event_count(EVENT_DELAY) + event_count(EVENT_BOUNCE);

	while (event_count(EVENT_DELAY) + event_count(EVENT_BOUNCE) == before) {
		if (loop_step(w->loop) > 0)
			continue;
		assert_true(loop_next_ms(w->loop) >= 0);
		now_us = loop_next_ms(w->loop) * 1000;
	}
	return now_us - 1 * SECOND_US; /* setup began there */
}

/* Tried at growing distances, and given up when its time is over, neither before nor long after. */
static void
check_lifetime(struct world *w, int64_t own_ms, int64_t end_us, enum failure_class failure)
{
	static const int64_t gaps[] = { 1, 2, 4, 8, 16, 32, 64, 120 }; /* minutes */
	uint64_t bounces = event_count(EVENT_BOUNCE),
		 of_class = event_class_count(EVENT_BOUNCE, failure),
		 dns = event_class_count(EVENT_DELAY, FAILURE_DNS);
	/* The null sender: nobody is told. It came when this world began. */
	uint64_t sequence = world_add_ending(w, "", "b@later.test", NULL, own_ms);
	int64_t last_us = next_attempt_us(w);
	size_t n = 0;

	assert_true(last_us < SECOND_US);
	for (;; n++) {
		int64_t now = next_attempt_us(w), gap = now - last_us;
		int64_t want = gaps[n < ARRAY_LEN(gaps) ? n : ARRAY_LEN(gaps) - 1] * MINUTE_US;

		last_us = now;
		assert_true(gap <= want + want / 5 + 3 * SECOND_US);
		if (event_count(EVENT_BOUNCE) > bounces)
			break;
		assert_true(gap >= want - want / 5 - 3 * SECOND_US);
		assert_true(now < end_us);
	}
	assert_in_range(last_us, end_us - SECOND_US, end_us + 5 * SECOND_US);
	assert_int_equal(event_class_count(EVENT_BOUNCE, failure), of_class + 1);
	assert_int_equal(event_class_count(EVENT_DELAY, FAILURE_DNS), dns + n + 1);
	settle(w);
	assert_null(spool_find(w->spool, sequence));
}

static void
test_the_time_of_all(void **state)
{
	check_lifetime(*state, 0, INT64_C(840) * MINUTE_US, FAILURE_EXPIRED);
}

static void
test_a_time_of_its_own(void **state)
{
	check_lifetime(*state, 5 * 60 * 1000, 5 * MINUTE_US, FAILURE_CUSTOM_TIMEOUT);
}

/* An operator asks ten times in two minutes: the next attempt is minutes away, not hours. */
static void
test_attempts_that_were_asked_for(void **state)
{
	struct world *w = *state;
	uint64_t sequence = world_add(w, "", "b@later.test", NULL);
	struct queue_message *m;
	char id[EVENT_QUEUE_ID_LEN];
	struct queue_view view;
	int64_t left_ms, most_ms;

	event_queue_id(sequence, id);
	(void)next_attempt_us(w);
	for (int i = 0; i < 10; i++) {
		uint64_t before = event_count(EVENT_DELAY);

		now_us += 12 * SECOND_US;
		m = queue_find(w->queue, span_of(id));
		assert_non_null(m);
		assert_true(queue_retry(m, SPAN_EMPTY));
		while (event_count(EVENT_DELAY) == before)
			if (loop_step(w->loop) == 0)
				now_us += 1000;
	}
	queue_view(queue_find(w->queue, span_of(id)), &view);
	assert_int_equal(view.attempts, 11);
	left_ms = view.due_ms - fake_wall() / 1000;
	most_ms = 60 * 1000 + 2 * (now_us - SECOND_US) / 1000;
	assert_true(most_ms < 6 * 60 * 1000);
	assert_in_range(left_ms, most_ms - most_ms / 5 - 2000, most_ms + most_ms / 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_the_outcome_waits_for_the_report, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_state_waits_for_the_report, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_report_that_cannot_be_stored_is_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stop_waits_for_the_report, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_time_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_time_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attempts_that_were_asked_for, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
