/* net/loop.c - event loop over libevent: a lock-free inbox, a heap of timers, one libevent timer for
 * the earliest of them. Thread rules of libevent: the base is used by its own thread only, except
 * event_active on the wake-up event, which libevent_pthreads makes safe; we write to an eventfd
 * instead and need not even that. */
#include "config.h"

#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/clock.h"
#include "util/log.h"

enum {
	REST_US = 2000
};

struct loop {
	const char *name;
	struct event_base *base; /* NULL: manual */
	struct event *wake_event, *timer_event;
	int wake_fd;
	_Atomic(struct loop_msg *) inbox; /* newest first */
	struct heap timers;
	int64_t armed_ms;		    /* what timer_event is set to, or -1 */
	bool (*is_behind)(const void *arg); /* or NULL */
	const void *is_behind_arg;
	_Atomic uint64_t rounds;
	atomic_bool stopping;
};

static void on_wake(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

struct loop *
loop_new_manual(const char *name)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL)
		return NULL;
	loop->name = name;
	loop->wake_fd = -1;
	loop->armed_ms = -1;
	return loop;
}

struct loop *
loop_new(const char *name, struct why *why)
{
	struct loop *loop = loop_new_manual(name);
	struct event_config *config = event_config_new();

	if (loop == NULL || config == NULL)
		goto failed;
	(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->base == NULL || loop->wake_fd < 0)
		goto failed;
	(void)event_base_priority_init(loop->base, 2);
	loop->wake_event =
	    event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	loop->timer_event = event_new(loop->base, -1, 0, on_timer, loop);
	if (loop->wake_event == NULL || loop->timer_event == NULL ||
	    event_add(loop->wake_event, NULL) != 0)
		goto failed;
	event_config_free(config);
	return loop;
failed:
	(void)why_errno(why, errno, "event loop %s", name);
	if (config != NULL)
		event_config_free(config);
	loop_free(loop);
	return NULL;
}

/* Runs what was posted before the call, in order; what they post in turn waits for the next round. */
static size_t
run_inbox(struct loop *loop)
{
	struct loop_msg *newest = atomic_exchange(&loop->inbox, NULL), *first = NULL;
	size_t count = 0;

	while (newest != NULL) {
		struct loop_msg *next = newest->next;

		newest->next = first;
		first = newest;
		newest = next;
	}
	while (first != NULL) {
		struct loop_msg *next = first->next;

		first->run(first);
		first = next;
		count++;
	}
	return count;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	while (run_inbox(loop) > 0)
		continue;
	if (loop->wake_event != NULL)
		event_free(loop->wake_event);
	if (loop->timer_event != NULL)
		event_free(loop->timer_event);
	if (loop->base != NULL)
		event_base_free(loop->base);
	if (loop->wake_fd >= 0)
		(void)close(loop->wake_fd);
	heap_free(&loop->timers);
	free(loop);
}

static void
wake(struct loop *loop)
{
	uint64_t one = 1;

	if (loop->wake_fd >= 0 && write(loop->wake_fd, &one, sizeof one) < 0)
		return; /* the counter is full: the loop is awake anyway */
}

void
loop_post(struct loop *loop, struct loop_msg *msg)
{
	struct loop_msg *head = atomic_load(&loop->inbox);

	do
		msg->next = head;
	while (!atomic_compare_exchange_weak(&loop->inbox, &head, msg));
	if (head == NULL)
		wake(loop);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
		return;
	(void)run_inbox(arg);
}

static void
arm(struct loop *loop)
{
	struct heap_node *first = heap_first(&loop->timers);
	int64_t delay_ms;
	struct timeval tv;

	if (loop->timer_event == NULL || first == NULL || first->key == loop->armed_ms)
		return;
	loop->armed_ms = first->key;
	delay_ms = first->key - clock_mono_ms();
	if (delay_ms < 0)
		delay_ms = 0;
	tv = (struct timeval){ .tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000 };
	(void)event_add(loop->timer_event, &tv);
}

static size_t
run_timers(struct loop *loop)
{
	int64_t now_ms = clock_mono_ms();
	struct heap_node *first;
	size_t count = 0;

	while ((first = heap_first(&loop->timers)) != NULL && first->key <= now_ms) {
		struct timer *timer = container_of(first, struct timer, node);

		heap_del(&loop->timers, first);
		timer->fire(timer->arg);
		count++;
	}
	return count;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->armed_ms = -1;
	(void)run_timers(loop);
	arm(loop);
}

void
loop_rest_while(struct loop *loop, bool (*is_behind)(const void *arg), const void *arg)
{
	loop->is_behind = is_behind;
	loop->is_behind_arg = arg;
}

void
loop_run(struct loop *loop)
{
	while (!atomic_load(&loop->stopping)) {
		loop->rounds++;
		if (event_base_loop(loop->base, EVLOOP_ONCE) < 0)
			break;
		log_flush();
		if (loop->is_behind != NULL && loop->is_behind(loop->is_behind_arg))
			(void)usleep(REST_US);
	}
}

void
loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopping, true);
	wake(loop);
}

size_t
loop_run_posted(struct loop *loop)
{
	return run_inbox(loop);
}

size_t
loop_step(struct loop *loop)
{
	size_t count = run_inbox(loop);

	loop->rounds++;
	return count + run_timers(loop);
}

int64_t
loop_next_ms(const struct loop *loop)
{
	const struct heap_node *first = heap_first(&loop->timers);

	return first != NULL ? first->key : -1;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

const char *
loop_name(const struct loop *loop)
{
	return loop->name;
}

uint64_t
loop_rounds(const struct loop *loop)
{
	return atomic_load(&loop->rounds);
}

void
timer_init(struct timer *timer, struct loop *loop, void (*fire)(void *arg), void *arg)
{
	*timer = (struct timer){ .loop = loop, .fire = fire, .arg = arg };
}

void
timer_set(struct timer *timer, int64_t delay_ms)
{
	int64_t at_ms = clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0);

	/* Deadlines are what keeps every promise of the daemon: without memory for one (a few bytes)
	 * there is no sane way on, and a restart loses nothing. */
	if (heap_set(&timer->loop->timers, &timer->node, at_ms) != RC_OK) {
		(void)fprintf(stderr, "postrider: out of memory for a timer\n");
		abort();
	}
	if (heap_first(&timer->loop->timers) == &timer->node)
		arm(timer->loop);
}

void
timer_cancel(struct timer *timer)
{
	if (timer->loop != NULL)
		heap_del(&timer->loop->timers, &timer->node);
}

bool
timer_is_set(const struct timer *timer)
{
	return heap_has(&timer->node);
}
