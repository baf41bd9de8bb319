/* Unit tests of spool/index.c and spool/fate.c against a plain array that is right by itself. */
#include "config.h"

#include "unit/test.h"

#include <stdlib.h>

#include "spool/fate.h"
#include "spool/index.h"

enum {
	NUMBERS = 20000
};

struct model {
	struct spool_index index;
	struct spool_entry entries[NUMBERS]; /* of number 1 + i * step */
	bool there[NUMBERS];
	uint64_t step;
	size_t count;
};

static uint64_t
number(const struct model *m, size_t i)
{
	return 1 + i * m->step;
}

static void
add(struct model *m, size_t i)
{
	m->entries[i].sequence = number(m, i);
	assert_rc(index_add(&m->index, &m->entries[i]), RC_OK);
	m->there[i] = true;
	m->count++;
}

static void
del(struct model *m, size_t i)
{
	index_del(&m->index, number(m, i));
	m->count -= m->there[i];
	m->there[i] = false;
}

/* The walk sees exactly what is there, in order, and each is found by its number. */
static void
check(const struct model *m)
{
	const struct spool_entry *entry = index_next(&m->index, 0);

	assert_int_equal(m->index.len, m->count);
	for (size_t i = 0; i < NUMBERS; i++) {
		assert_ptr_equal(
		    index_get(&m->index, number(m, i)), m->there[i] ? &m->entries[i] : NULL);
		if (!m->there[i])
			continue;
		assert_ptr_equal(entry, &m->entries[i]);
		entry = index_next(&m->index, entry->sequence);
	}
	assert_null(entry);
	assert_null(index_next(&m->index, UINT64_MAX));
}

static struct model *
model_new(uint64_t step)
{
	struct model *m = calloc(1, sizeof *m);

	m->step = step;
	return m;
}

static void
model_free(struct model *m)
{
	index_free(&m->index);
	free(m);
}

static void
test_a_queue(void **state)
{
	struct model *m = model_new(1);
	size_t out = 0;

	(void)state;
	for (size_t in = 0; in < NUMBERS; in++) {
		add(m, in);
		if (in % 3 != 0)
			del(m, out++);
	}
	check(m);
	while (out < NUMBERS)
		del(m, out++);
	check(m);
	assert_int_equal(m->index.count, 0);
	model_free(m);
}

/* Stragglers: one in a thousand stays. They must not keep a chunk each. */
static void
test_stragglers_are_joined(void **state)
{
	struct model *m = model_new(1);

	(void)state;
	for (size_t i = 0; i < NUMBERS; i++)
		add(m, i);
	assert_true(m->index.count < 50);
	for (size_t i = 0; i < NUMBERS; i++)
		if (i % 1000 != 0)
			del(m, i);
	check(m);
	assert_int_equal(m->index.count, 1);
	model_free(m);
}

static void
test_any_order(void **state, uint64_t step)
{
	struct model *m = model_new(step);

	(void)state;
	srandom(7);
	for (size_t n = 0; n < 6 * NUMBERS; n++) {
		size_t i = (size_t)random() % NUMBERS;

		if (m->there[i] || random() % 8 == 0)
			del(m, i);
		else
			add(m, i);
	}
	check(m);
	for (size_t i = 0; i < NUMBERS; i++)
		if (!m->there[i])
			add(m, i);
	check(m);
	for (size_t n = 0; n < NUMBERS; n++)
		del(m, (n * 7919 + 5) % NUMBERS);
	check(m);
	model_free(m);
}

static void
test_dense(void **state)
{
	test_any_order(state, 1);
}

static void
test_far_apart(void **state)
{
	test_any_order(state, UINT32_MAX / 3); /* a chunk's numbers end after four */
}

static void
test_fates(void **state)
{
	struct fates fates = { NULL, 0, 0 };

	(void)state;
	assert_null(fates_find(&fates, 1));
	for (uint64_t n = 1; n < NUMBERS; n += 1 + n % 3) {
		struct fate *fate = fates_of(&fates, n);

		assert_non_null(fate);
		assert_false(fate->ended);
		fate->ended = true;
		fate->state_at = (uint32_t)n;
	}
	for (uint64_t n = 1; n < NUMBERS; n += 1 + n % 3) {
		assert_int_equal(fates_find(&fates, n)->state_at, n);
		assert_true(fates_of(&fates, n)->ended);
	}
	assert_null(fates_find(&fates, NUMBERS + 1));
	fates_free(&fates);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_queue),
		cmocka_unit_test(test_stragglers_are_joined),
		cmocka_unit_test(test_dense),
		cmocka_unit_test(test_far_apart),
		cmocka_unit_test(test_fates),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
