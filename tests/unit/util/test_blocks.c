/* Unit tests of util/blocks.c. */
#include "config.h"

#include "unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/blocks.h"

enum {
	SIZE = 8192,
	MAX = 200,
	KEEP = 3
};

static struct blocks blocks = BLOCKS_EMPTY;

static int
set_up(void **state)
{
	(void)state;
	return blocks_init(&blocks, SIZE, MAX, KEEP) == RC_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	blocks_free(&blocks);
	return 0;
}

static bool
has_memory(char *block)
{
	unsigned char pages[SIZE / 4096];

	assert_int_equal(mincore(block, SIZE, pages), 0);
	return (pages[0] & 1) != 0;
}

/* All there are, each apart from the others, whole, and with its own contents to the last byte. */
static void
test_all(void **state)
{
	char *taken[MAX];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < MAX; i++) {
			taken[i] = blocks_take(&blocks);
			assert_non_null(taken[i]);
			assert_true(blocks_own(&blocks, taken[i]));
			assert_true(blocks_own(&blocks, taken[i] + SIZE - 1));
			memset(taken[i], (int)i, SIZE);
		}
		assert_null(blocks_take(&blocks));
		assert_int_equal(blocks_out(&blocks), MAX);
		for (size_t i = 0; i < MAX; i++) {
			assert_int_equal((unsigned char)taken[i][0], i);
			assert_memory_equal(taken[i], taken[i] + 1, SIZE - 1);
			blocks_give(&blocks, taken[i]);
		}
		assert_int_equal(blocks_out(&blocks), 0);
	}
}

/* A few keep their memory and are the first to be had again; that of the others is returned. */
static void
test_memory_is_returned(void **state)
{
	char *taken[KEEP + 2], *again;

	(void)state;
	for (size_t i = 0; i < KEEP + 2; i++) {
		taken[i] = blocks_take(&blocks);
		memset(taken[i], 'x', SIZE);
	}
	for (size_t i = 0; i < KEEP + 2; i++)
		blocks_give(&blocks, taken[i]);
	for (size_t i = 0; i < KEEP + 2; i++)
		assert_int_equal(has_memory(taken[i]), i < KEEP);
	again = blocks_take(&blocks);
	assert_ptr_equal(again, taken[KEEP - 1]);
	blocks_give(&blocks, again);
	for (size_t i = 0; i < KEEP; i++)
		(void)blocks_take(&blocks);
	again = blocks_take(&blocks);
	assert_int_equal(again[0], 0);
	assert_int_equal(blocks_out(&blocks), KEEP + 1);
}

static void
test_what_is_not_ours(void **state)
{
	struct blocks none = BLOCKS_EMPTY;
	char *mine = calloc(1, SIZE);

	(void)state;
	assert_false(blocks_own(&blocks, mine));
	assert_false(blocks_own(&blocks, NULL));
	assert_false(blocks_own(&blocks, blocks.base - 1));
	assert_false(blocks_own(&blocks, blocks.base + (size_t)SIZE * MAX));
	free(mine);
	assert_null(blocks_take(&none)); /* not set up */
	assert_false(blocks_own(&none, NULL));
	/* more address space than there is */
	assert_rc(blocks_init(&none, (size_t)1 << 40, (size_t)1 << 20, 1), RC_LATER);
	assert_null(blocks_take(&none));
	blocks_free(&none);
}

static void *
take_and_give(void *arg)
{
	char *taken[2 * KEEP];

	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
			taken[i] = blocks_take(&blocks);
			if (taken[i] != NULL)
				*(void **)(void *)taken[i] = arg;
		}
		for (size_t i = 0; i < ARRAY_LEN(taken); i++)
			if (taken[i] != NULL) {
				if (*(void **)(void *)taken[i] != arg)
					return arg;
				blocks_give(&blocks, taken[i]);
			}
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t threads[4];
	int marks[4];
	void *wrong;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &marks[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(blocks_out(&blocks), 0);
	assert_int_equal(blocks.warm + blocks.cold, blocks.used);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory_is_returned, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
