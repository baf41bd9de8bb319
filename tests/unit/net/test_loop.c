/* Unit tests of net/loop.c and net/worker.c: timers, messages between threads, the pool. Meant for TSan, too. */
#include "config.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "unit/test.h"
#include "net/worker.h"
#include "util/clock.h"

/* ------------------------------------------------------------------ timers -------------------- */

static int64_t mono_us;

static int64_t
read_mono(void)
{
	return mono_us;
}

static const struct clock_source clocks = { read_mono, read_mono };

struct alarm {
	struct timer timer;
	char name;
	struct timer *cancels, *sets;
};

static char fired[64];

static void
on_alarm(void *arg)
{
	struct alarm *a = arg;
	size_t len = strlen(fired);

	assert_true(len < sizeof fired - 1);
	assert_false(timer_is_set(&a->timer));
	fired[len] = a->name;
	fired[len + 1] = '\0';
	if (a->cancels != NULL)
		timer_cancel(a->cancels);
	if (a->sets != NULL)
		timer_set(a->sets, 5);
}

static void
check_fired(struct loop *loop, int64_t at_ms, const char *want)
{
	mono_us = at_ms * 1000;
	fired[0] = '\0';
	assert_int_equal(loop_step(loop), strlen(want));
	assert_string_equal(fired, want);
}

static void
test_timers(void **state)
{
	struct loop *loop;
	struct alarm a[4];

	(void)state;
	clock_use(&clocks);
	mono_us = 1000000;
	loop = loop_new_manual("test");
	for (int i = 0; i < 4; i++) {
		a[i] = (struct alarm){ .name = (char)('a' + i) };
		timer_init(&a[i].timer, loop, on_alarm, &a[i]);
	}
	assert_int_equal(loop_next_ms(loop), -1);
	timer_set(&a[2].timer, 30);
	timer_set(&a[0].timer, 10);
	timer_set(&a[1].timer, 20);
	timer_set(&a[3].timer, -5); /* at once */
	assert_int_equal(loop_next_ms(loop), 1000);
	check_fired(loop, 1000, "d");
	check_fired(loop, 1009, "");
	check_fired(loop, 1010, "a");
	assert_int_equal(loop_next_ms(loop), 1020);
	timer_set(&a[1].timer, 90); /* later than before */
	check_fired(loop, 1099, "c");
	check_fired(loop, 1100, "b");
	/* All that is late comes in the order of its time. */
	for (int i = 0; i < 4; i++)
		timer_set(&a[i].timer, 40 - 10 * i);
	check_fired(loop, 2000, "dcba");
	/* From inside: one is cancelled, one is set. */
	a[0].cancels = &a[1].timer;
	a[0].sets = &a[0].timer;
	timer_set(&a[0].timer, 1);
	timer_set(&a[1].timer, 2);
	timer_set(&a[2].timer, 3);
	check_fired(loop, 2003, "ac");
	assert_false(timer_is_set(&a[1].timer));
	assert_true(timer_is_set(&a[0].timer));
	timer_cancel(&a[0].timer);
	timer_cancel(&a[0].timer);
	check_fired(loop, 9999, "");
	loop_free(loop);
	clock_use(NULL);
}

/* ------------------------------------------------------------------ messages ------------------ */

enum {
	THREADS = 4,
	POSTS = 20000
};

struct post {
	struct loop_msg msg;
	struct poster *poster;
	unsigned number;
};

struct poster {
	struct loop *loop;
	pthread_t thread;
	struct post *posts;
	unsigned expected; /* belongs to the loop */
};

static unsigned run_count; /* plain: only the loop's thread counts */

static void
on_post(struct loop_msg *msg)
{
	struct post *post = container_of(msg, struct post, msg);

	assert_int_equal(post->number, post->poster->expected);
	post->poster->expected++;
	if (++run_count == THREADS * POSTS)
		loop_stop(post->poster->loop);
}

static void *
post_all(void *arg)
{
	struct poster *p = arg;

	for (unsigned i = 0; i < POSTS; i++) {
		p->posts[i] = (struct post){ { NULL, on_post }, p, i };
		loop_post(p->loop, &p->posts[i].msg);
	}
	return NULL;
}

/* Each thread's messages come in its order, none is lost, none comes twice. */
static void
test_posts_from_threads(void **state)
{
	struct why why = WHY_EMPTY;
	struct loop *loop = loop_new("test", &why);
	struct poster posters[THREADS] = { { .loop = loop } };

	(void)state;
	assert_non_null(loop);
	run_count = 0;
	for (int i = 0; i < THREADS; i++) {
		posters[i].loop = loop;
		posters[i].posts = calloc(POSTS, sizeof(struct post));
		assert_non_null(posters[i].posts);
		assert_int_equal(
		    pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
	}
	loop_run(loop);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(posters[i].thread, NULL), 0);
	assert_int_equal(run_count, THREADS * POSTS);
	assert_true(loop_rounds(loop) > 0);
	loop_free(loop);
	for (int i = 0; i < THREADS; i++)
		free(posters[i].posts);
}

struct chain {
	struct loop_msg msg;
	struct loop *loop;
	int left;
};

static void
on_chain(struct loop_msg *msg)
{
	struct chain *chain = container_of(msg, struct chain, msg);

	if (chain->left-- > 0)
		loop_post(chain->loop, msg);
}

/* What a message posts waits for the next round; loop_free runs what is left. */
static void
test_rounds(void **state)
{
	struct loop *loop = loop_new_manual("test");
	struct chain chain = { { NULL, on_chain }, loop, 5 };

	(void)state;
	loop_post(loop, &chain.msg);
	assert_int_equal(loop_step(loop), 1);
	assert_int_equal(chain.left, 4);
	assert_int_equal(loop_step(loop), 1);
	loop_free(loop);
	assert_int_equal(chain.left, -1);
}

/* ------------------------------------------------------------------ workers ------------------- */

enum {
	JOBS = 2000
};

struct sum {
	struct worker_job job;
	uint64_t value;
	unsigned *done;
	struct loop *loop;
};

static void
sum_work(struct worker_job *job)
{
	struct sum *sum = container_of(job, struct sum, job);

	for (uint64_t i = 0, n = sum->value; i <= n; i++)
		sum->value += i;
}

static void
sum_done(struct worker_job *job)
{
	struct sum *sum = container_of(job, struct sum, job);

	if (++*sum->done == JOBS)
		loop_stop(sum->loop);
}

static void
test_workers(void **state)
{
	struct why why = WHY_EMPTY;
	struct loop *loop = loop_new("test", &why);
	struct worker_pool *pool = worker_pool_new(3, JOBS, &why);
	struct sum *sums = calloc(JOBS, sizeof *sums);
	unsigned done = 0;

	(void)state;
	assert_true(loop != NULL && pool != NULL && sums != NULL);
	for (unsigned i = 0; i < JOBS; i++) {
		sums[i] = (struct sum){ .value = i, .done = &done, .loop = loop };
		sums[i].job.home = loop;
		sums[i].job.work = sum_work;
		sums[i].job.done = sum_done;
		assert_rc(worker_submit(pool, &sums[i].job), RC_OK);
	}
	loop_run(loop);
	assert_int_equal(done, JOBS);
	for (uint64_t i = 0; i < JOBS; i++)
		assert_int_equal(sums[i].value, i + i * (i + 1) / 2);
	worker_pool_free(pool);
	loop_free(loop);
	free(sums);
}

struct gate {
	struct worker_job job;
	sem_t *entered, *open;
	atomic_int *worked;
	unsigned *done;
};

static void
gate_work(struct worker_job *job)
{
	struct gate *gate = container_of(job, struct gate, job);

	if (gate->entered != NULL) {
		(void)sem_post(gate->entered);
		(void)sem_wait(gate->open);
	}
	(*gate->worked)++;
}

static void
gate_done(struct worker_job *job)
{
	(*container_of(job, struct gate, job)->done)++;
}

/* A full queue says so at once; what was taken is finished, also when the pool ends. */
static void
test_pool_full(void **state)
{
	struct why why = WHY_EMPTY;
	struct loop *loop = loop_new_manual("test");
	struct worker_pool *pool = worker_pool_new(1, 2, &why);
	atomic_int worked = 0;
	unsigned done = 0;
	sem_t entered, open;
	struct gate gates[4];

	(void)state;
	assert_non_null(pool);
	(void)sem_init(&entered, 0, 0);
	(void)sem_init(&open, 0, 0);
	for (int i = 0; i < 4; i++) {
		gates[i] = (struct gate){ .worked = &worked, .done = &done };
		gates[i].job.home = loop;
		gates[i].job.work = gate_work;
		gates[i].job.done = gate_done;
	}
	gates[0].entered = &entered;
	gates[0].open = &open;
	assert_rc(worker_submit(pool, &gates[0].job), RC_OK);
	(void)sem_wait(&entered); /* the one thread has it: the queue is empty */
	assert_rc(worker_submit(pool, &gates[1].job), RC_OK);
	assert_rc(worker_submit(pool, &gates[2].job), RC_OK);
	assert_int_equal(worker_queued(pool), 2);
	assert_rc(worker_submit(pool, &gates[3].job), RC_LATER);
	(void)sem_post(&open);
	worker_pool_free(pool);
	assert_int_equal(worked, 3);
	assert_int_equal(done, 0); /* comes on the loop only */
	while (loop_step(loop) > 0)
		continue;
	assert_int_equal(done, 3);
	loop_free(loop);
	(void)sem_destroy(&entered);
	(void)sem_destroy(&open);
}

/* Behind is who has more waiting than a few jobs for each thread; not a pool without threads, which does all at once. */
static void
test_behind(void **state)
{
	enum {
		GATES = 100
	};
	struct why why = WHY_EMPTY;
	struct loop *loop = loop_new_manual("test");
	struct worker_pool *pool = worker_pool_new(1, GATES, &why);
	atomic_int worked = 0;
	unsigned done = 0;
	sem_t entered, open;
	struct gate gates[GATES];

	(void)state;
	assert_non_null(pool);
	(void)sem_init(&entered, 0, 0);
	(void)sem_init(&open, 0, 0);
	for (int i = 0; i < GATES; i++) {
		gates[i] = (struct gate){ .worked = &worked, .done = &done };
		gates[i].job.home = loop;
		gates[i].job.work = gate_work;
		gates[i].job.done = gate_done;
	}
	gates[0].entered = &entered;
	gates[0].open = &open;
	assert_rc(worker_submit(pool, &gates[0].job), RC_OK);
	(void)sem_wait(&entered);
	assert_false(worker_is_behind(pool));
	for (int i = 1; i < GATES; i++)
		assert_rc(worker_submit(pool, &gates[i].job), RC_OK);
	assert_true(worker_is_behind(pool));
	(void)sem_post(&open);
	while (done < GATES)
		(void)loop_step(loop);
	assert_false(worker_is_behind(pool));
	worker_pool_free(pool);
	loop_free(loop);
	(void)sem_destroy(&entered);
	(void)sem_destroy(&open);
}

struct behind {
	struct loop *loop;
	struct loop_msg msg;
	unsigned asked, answers, ran;
};

static void
count_and_post(struct loop_msg *msg)
{
	struct behind *b = container_of(msg, struct behind, msg);

	b->ran++;
	if (b->ran == b->answers + 2)
		loop_stop(b->loop);
	else
		loop_post(b->loop, &b->msg);
}

static bool
is_behind(const void *arg)
{
	struct behind *b = (struct behind *)(uintptr_t)arg;

	b->asked++;
	return b->asked <= b->answers;
}

/* A loop that rests loses nothing that is posted meanwhile, and is awake again when nobody is behind. */
static void
test_rest(void **state)
{
	struct why why = WHY_EMPTY;
	struct behind b = { .loop = loop_new("test", &why), .answers = 3 };
	int64_t begin_us = clock_mono_us();

	(void)state;
	assert_non_null(b.loop);
	b.msg.run = count_and_post;
	loop_rest_while(b.loop, is_behind, &b);
	loop_post(b.loop, &b.msg);
	loop_run(b.loop);
	assert_int_equal(b.ran, 5);
	assert_true(b.asked >= 5);
	assert_true(clock_mono_us() - begin_us >= 3 * 2000);
	loop_free(b.loop);
}

/* Without threads the work is done at once, its end still comes from the loop. */
static void
test_pool_without_threads(void **state)
{
	struct why why = WHY_EMPTY;
	struct loop *loop = loop_new_manual("test");
	struct worker_pool *pool = worker_pool_new(0, 1, &why);
	atomic_int worked = 0;
	unsigned done = 0;
	struct gate gate = { .worked = &worked, .done = &done };

	(void)state;
	gate.job.home = loop;
	gate.job.work = gate_work;
	gate.job.done = gate_done;
	assert_rc(worker_submit(pool, &gate.job), RC_OK);
	assert_int_equal(worked, 1);
	assert_int_equal(done, 0);
	assert_int_equal(loop_step(loop), 1);
	assert_int_equal(done, 1);
	worker_pool_free(pool);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_posts_from_threads),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_pool_full),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_pool_without_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
