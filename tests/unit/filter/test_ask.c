/* Unit tests of filter/ask.c: who is asked when, over real sockets. The programs asked are clamd's in a few lines; what comes
 * of each question is all that is looked at. */
#include "config.h"

#include "filter/filter.h"
#include "unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/clock.h"

static const struct span pieces[] = { SPAN_LIT("From: a@b\r\n\r\n"), SPAN_LIT("text\r\n") };
static const struct filter_message message = { pieces, ARRAY_LEN(pieces), -1, 0, 0 };

/* ------------------------------------------------------------------ a clamd ------------------- */

/* A socket in the file system that listens. Whether anybody accepts is another matter. */
struct place {
	char path[64];
	int fd;
	pthread_t thread;
	bool serves;
	atomic_int served;
};

static void
place_open(struct place *place, const char *name, int backlog)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	*place = (struct place){ .serves = false };
	(void)snprintf(
	    place->path, sizeof place->path, "/tmp/postrider-ask.%ld.%s", (long)getpid(), name);
	(void)unlink(place->path);
	(void)snprintf(un.sun_path, sizeof un.sun_path, "%s", place->path);
	place->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(place->fd >= 0);
	assert_int_equal(bind(place->fd, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(listen(place->fd, backlog), 0);
}

/* Reads up to the chunk of length 0, and finds it clean. */
static void
answer(int fd)
{
	static const char clean[] = "stream: OK";
	unsigned char last[4] = { 1, 1, 1, 1 }, byte;

	while (read(fd, &byte, 1) == 1) {
		memmove(last, last + 1, 3);
		last[3] = byte;
		if (memcmp(last, "\0\0\0\0", 4) == 0 &&
		    write(fd, clean, sizeof clean) == sizeof clean)
			break;
	}
	(void)close(fd);
}

static void *
serve(void *arg)
{
	struct place *place = arg;
	int fd;

	while ((fd = accept(place->fd, NULL, NULL)) >= 0) {
		answer(fd);
		place->served++;
	}
	return NULL;
}

static void
place_serve(struct place *place)
{
	assert_int_equal(pthread_create(&place->thread, NULL, serve, place), 0);
	place->serves = true;
}

static void
place_close(struct place *place)
{
	(void)shutdown(place->fd, SHUT_RDWR); /* accept returns */
	if (place->serves)
		assert_int_equal(pthread_join(place->thread, NULL), 0);
	(void)close(place->fd);
	(void)unlink(place->path);
}

/* ------------------------------------------------------------------ questions ----------------- */

struct world {
	const char *path;
	struct loop *loop;
	struct worker_pool *workers;
	struct filters *filters;
	size_t asked, passed, failed;
	char why[512]; /* of the last that failed */
};

static void
on_result(void *arg, const struct filter_result *result)
{
	struct world *w = arg;

	if (result->verdict == FILTER_PASS) {
		w->passed++;
	} else {
		w->failed++;
		(void)snprintf(w->why, sizeof w->why, "%s", result->text);
	}
	if (w->passed + w->failed == w->asked)
		loop_stop(w->loop);
}

static void
ask(struct world *w, const char *path, int64_t timeout_ms, size_t times)
{
	for (size_t i = 0; i < times; i++) {
		w->asked++;
		assert_rc(
		    filter_ask_clamd(w->filters, path, timeout_ms, &message, on_result, w), RC_OK);
	}
}

static int
setup(void **state)
{
	static struct world w;
	struct why why = WHY_EMPTY;

	w = (struct world){ .loop = loop_new("core", &why) };
	assert_non_null(w.loop);
	w.workers = worker_pool_new(0, 100, &why);
	w.filters = filters_new(w.loop, w.workers);
	assert_non_null(w.filters);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	filters_free(w->filters);
	worker_pool_free(w->workers);
	loop_free(w->loop);
	return 0;
}

static void
test_more_than_are_asked_at_once(void **state)
{
	struct world *w = *state;
	struct place place;

	place_open(&place, "many", 4096);
	place_serve(&place);
	ask(w, place.path, 30000, FILTER_AT_ONCE * 3);
	loop_run(w->loop);
	assert_int_equal(w->passed, FILTER_AT_ONCE * 3);
	place_close(&place);
}

/* The queue of a Unix socket is full: that is no answer. */
static void
test_a_program_that_is_slow_to_accept(void **state)
{
	struct world *w = *state;
	struct place place;

	place_open(&place, "slow", 1);
	ask(w, place.path, 30000, FILTER_AT_ONCE);
	place_serve(&place); /* from now on */
	loop_run(w->loop);
	if (w->failed > 0)
		fail_msg("%zu failed: %s", w->failed, w->why);
	assert_int_equal(w->passed, FILTER_AT_ONCE);
	place_close(&place);
}

/* ... for so long, and no longer. */
static void
test_a_program_that_never_accepts(void **state)
{
	struct world *w = *state;
	struct place place;

	place_open(&place, "never", 1);
	ask(w, place.path, 200, 10);
	loop_run(w->loop);
	assert_int_equal(w->failed, 10);
	assert_string_equal(w->why, "no answer in time");
	place_close(&place);
}

/* All who wait learn that there is nobody, one after the other and not each from within the one before. */
static void
test_a_program_that_goes(void **state)
{
	enum {
		WAITING = 50000
	};
	struct world *w = *state;
	struct place place;

	place_open(&place, "goes", 4096);
	ask(w, place.path, 30000, FILTER_AT_ONCE + WAITING);
	place_close(&place);
	loop_run(w->loop);
	assert_int_equal(w->failed, FILTER_AT_ONCE + WAITING);
}

/* The time that a program has begins when it is asked; those before had theirs. */
static void
test_waiting_for_a_place(void **state)
{
	struct world *w = *state;
	struct place silent, good;

	place_open(&silent, "silent", 4096);
	place_open(&good, "good", 4096);
	place_serve(&good);
	ask(w, silent.path, 600, FILTER_AT_ONCE);
	ask(w, good.path, 200, 20);
	loop_run(w->loop);
	assert_int_equal(w->failed, FILTER_AT_ONCE);
	assert_int_equal(w->passed, 20);
	assert_int_equal(good.served, 20);
	place_close(&silent);
	place_close(&good);
}

static void
cut(void *arg)
{
	struct world *w = arg;

	filters_cut(w->filters);
	ask(w, w->path, 30000, 1); /* and none that comes later */
}

static void
test_cut(void **state)
{
	struct world *w = *state;
	struct timer timer;
	struct place place;

	place_open(&place, "cut", 10);
	ask(w, place.path, 30000, FILTER_AT_ONCE * 2); /* connected, to connect again, waiting */
	timer_init(&timer, w->loop, cut, w);
	timer_set(&timer, 1);
	w->path = place.path;
	loop_run(w->loop);
	assert_int_equal(w->failed, FILTER_AT_ONCE * 2 + 1);
	assert_string_equal(w->why, "the daemon stops");
	place_close(&place);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_more_than_are_asked_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_program_that_is_slow_to_accept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_program_that_never_accepts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_program_that_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waiting_for_a_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
