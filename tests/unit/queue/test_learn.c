/* Unit tests of learn.h, against a host with a limit that it does not tell. */
#include "unit/test.h"

#include "queue/learn.h"

static const struct learn_bounds bounds = { 1, 20 };

struct host {
	struct learned learned;
	unsigned hidden;	 /* connections that it takes */
	unsigned unlucky;	 /* of a hundred connections it refuses so many for no reason */
	unsigned per_connection; /* messages, then a new one is made */
	unsigned open, age[64];
	unsigned long served, refused, random;
	int64_t now_ms;
};

static unsigned
chance(struct host *h)
{
	h->random = h->random * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(h->random >> 33) % 100;
}

static void
connect_one(struct host *h)
{
	if (learn_wait_ms(&h->learned, h->now_ms) > 0)
		return;
	if (h->open >= h->hidden || chance(h) < h->unlucky) {
		h->refused++;
		learn_refused(&h->learned, &bounds, h->open, h->now_ms);
		return;
	}
	h->age[h->open++] = 0;
	learn_connected(&h->learned, h->open, h->now_ms);
}

/* Each connection serves a message in 100 ms. */
static void
run(struct host *h, int64_t for_ms)
{
	for (int64_t end_ms = h->now_ms + for_ms; h->now_ms < end_ms; h->now_ms += 100) {
		while (h->open < learn_limit(&h->learned) &&
		       learn_wait_ms(&h->learned, h->now_ms) == 0)
			connect_one(h);
		for (unsigned i = 0; i < h->open; i++) {
			h->served++;
			learn_success(
			    &h->learned, &bounds, h->open >= learn_limit(&h->learned), h->now_ms);
			if (++h->age[i] == h->per_connection)
				h->age[i] = h->age[--h->open];
		}
	}
}

static struct host
host_make(unsigned hidden, unsigned unlucky)
{
	struct host h = { .hidden = hidden,
		.unlucky = unlucky,
		.per_connection = 100,
		.random = 7,
		.now_ms = 1000 };

	learn_init(&h.learned, &bounds);
	return h;
}

static void
test_a_willing_host_gets_all(void **state)
{
	struct host h = host_make(100, 0);

	(void)state;
	assert_true(learn_limit(&h.learned) < bounds.max);
	run(&h, 3000);
	assert_int_equal(learn_limit(&h.learned), bounds.max);
	assert_int_equal(h.refused, 0);
}

static void
test_a_hidden_limit_is_found(void **state)
{
	struct host h = host_make(10, 0);

	(void)state;
	run(&h, 10000);
	assert_true(learn_limit(&h.learned) >= 10 && learn_limit(&h.learned) <= 11);
	h.served = h.refused = 0;
	run(&h, 600000);
	assert_true(h.refused * 1000 < h.served); /* it is tried less and less often */
	assert_true(h.served * 100 >= 85UL * 10 * 6000);
}

static void
test_bad_luck_is_not_a_limit(void **state)
{
	struct host h = host_make(10, 20);

	(void)state;
	run(&h, 10000);
	h.served = h.refused = 0;
	run(&h, 600000);
	assert_true(h.refused * 50 < h.served); /* 2 % */
	assert_true(h.served * 100 >= 85UL * 10 * 6000);
}

static void
test_a_limit_that_moves(void **state)
{
	struct host h = host_make(10, 0);

	(void)state;
	run(&h, 60000);
	h.hidden = 3;
	h.open = h.open > 3 ? 3 : h.open;
	run(&h, 60000);
	assert_true(learn_limit(&h.learned) <= 4);
	h.hidden = 20;
	run(&h, 1200000);
	assert_true(learn_limit(&h.learned) >= 15);
}

static void
test_asked_to_slow_down(void **state)
{
	struct host h = host_make(100, 0);
	unsigned before;

	(void)state;
	run(&h, 10000);
	before = learn_limit(&h.learned);
	learn_slow_down(&h.learned, &bounds, h.now_ms);
	assert_int_equal(learn_limit(&h.learned), before / 2);
	learn_slow_down(
	    &h.learned, &bounds, h.now_ms + 10); /* the same moment, from another connection */
	assert_int_equal(learn_limit(&h.learned), before / 2);
	learn_slow_down(&h.learned, &bounds, h.now_ms + 5000);
	assert_int_equal(learn_limit(&h.learned), before / 4);
}

static void
test_bounds(void **state)
{
	static const struct learn_bounds narrow = { 3, 5 };
	struct host h = host_make(100, 0);

	(void)state;
	run(&h, 10000);
	learn_bound(&h.learned, &narrow);
	assert_int_equal(learn_limit(&h.learned), 5);
	for (int i = 0; i < 10; i++)
		learn_slow_down(&h.learned, &narrow, h.now_ms += 1000000);
	assert_int_equal(learn_limit(&h.learned), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_willing_host_gets_all),
		cmocka_unit_test(test_a_hidden_limit_is_found),
		cmocka_unit_test(test_bad_luck_is_not_a_limit),
		cmocka_unit_test(test_a_limit_that_moves),
		cmocka_unit_test(test_asked_to_slow_down),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
