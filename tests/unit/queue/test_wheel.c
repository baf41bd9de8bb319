/* Unit tests of queue/wheel.c and queue/reason.c, on a clock that the test moves. */
#include "config.h"

#include "unit/test.h"

#include <stdlib.h>

#include "queue/internal.h"
#include "util/clock.h"

enum {
	COUNT = 3000
};

static int64_t now_us;

static int64_t
fake_us(void)
{
	return now_us;
}

static const struct clock_source fake_clock = { fake_us, fake_us };

static struct {
	struct queue_item item;
	int64_t due_ms; /* 0: not waiting */
	bool came;
} waiting[COUNT];
static struct wheel wheel;
static struct loop *loop;
static size_t came;

static void
defer(size_t i, int64_t delay_ms)
{
	waiting[i].due_ms = now_us / 1000 + delay_ms;
	waiting[i].came = false;
	waiting[i].item.state = ITEM_DEFERRED;
	wheel_add(&wheel, &waiting[i].item, delay_ms);
}

static void
forget(size_t i)
{
	wheel_remove(&wheel, &waiting[i].item);
	waiting[i].due_ms = 0;
}

/* Some wait again, and some take others with them: also of those that are due in the same tick. */
static void
on_due(struct queue_item *item)
{
	size_t i = ((size_t)item - (size_t)waiting) / sizeof waiting[0], other = (i + 7) % COUNT;
	int64_t late_ms = now_us / 1000 - waiting[i].due_ms;

	assert_true(waiting[i].due_ms > 0);
	assert_int_equal(item->state, ITEM_NEW);
	assert_true(late_ms >= 0);
	waiting[i].due_ms = 0;
	waiting[i].came = true;
	came++;
	if (i % 5 == 0)
		defer(i, random() % 3 == 0 ? 0 : random() % 3000000);
	if (i % 11 == 0 && waiting[other].due_ms > 0)
		forget(other);
}

static int
setup(void **state)
{
	(void)state;
	now_us = INT64_C(5000000000123);
	clock_use(&fake_clock);
	loop = loop_new_manual("wheel");
	wheel_init(&wheel, loop, on_due);
	srandom(11);
	return loop != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	wheel_stop(&wheel);
	loop_free(loop);
	clock_use(NULL);
	return 0;
}

static void
check_nobody_is_late(void)
{
	size_t count = 0;

	for (size_t i = 0; i < COUNT; i++) {
		count += waiting[i].due_ms > 0;
		if (waiting[i].due_ms > 0)
			assert_true(now_us / 1000 - waiting[i].due_ms < WHEEL_TICK_MS);
	}
	assert_int_equal(wheel.count, count);
}

/* From one timer to the next, as the loop goes; then with jumps, as after a sleep. */
static void
test_everything_comes_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		defer(i, random() % (i % 2 == 0 ? 5000 : 4000000));
	for (size_t step = 0; step < 20000 && wheel.count > 0; step++) {
		int64_t next_ms = loop_next_ms(loop);

		assert_true(next_ms >= 0);
		if (next_ms > now_us / 1000)
			now_us = next_ms * 1000 + random() % 1000;
		(void)loop_step(loop);
		check_nobody_is_late();
		if (step % 500 == 0)
			now_us += INT64_C(1000) * (random() % 2000000);
		if (step % 500 == 0) {
			(void)loop_step(loop);
			check_nobody_is_late();
		}
	}
	assert_true(came > COUNT);
}

static void
test_the_longest_wait(void **state)
{
	(void)state;
	defer(1, WHEEL_DELAY_MAX_MS + 1000);
	assert_int_equal(wheel_left_ms(&waiting[1].item), WHEEL_DELAY_MAX_MS);
	while (!waiting[1].came) {
		int64_t next_ms = loop_next_ms(loop);

		assert_true(next_ms > now_us / 1000);
		assert_true(next_ms - now_us / 1000 <= (int64_t)WHEEL_SLOTS * WHEEL_TICK_MS);
		waiting[1].due_ms = now_us / 1000;
		now_us = next_ms * 1000;
		(void)loop_step(loop);
	}
	assert_int_equal(loop_next_ms(loop), -1);
}

static void
test_reasons_are_shared(void **state)
{
	struct map reasons = MAP_EMPTY;
	char text[] = "450 busy";
	struct reason *a = reason_get(&reasons, text), *b;

	(void)state;
	text[0] = '5';
	b = reason_get(&reasons, text);
	assert_string_equal(a->text, "450 busy");
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(reason_get(&reasons, "450 busy"), a);
	reason_put(&reasons, a);
	assert_int_equal(reasons.len, 2);
	reason_put(&reasons, a);
	reason_put(&reasons, b);
	reason_put(&reasons, NULL);
	assert_int_equal(reasons.len, 0);
	map_free(&reasons);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_everything_comes_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_longest_wait, setup, teardown),
		cmocka_unit_test(test_reasons_are_shared),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
