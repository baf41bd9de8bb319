/* net/loop.h - an event loop, its timers, and the only way from one thread into another.
 *
 * Every object belongs to one loop and is touched on that loop's thread alone. What crosses is a
 * message that owns its contents, posted with loop_post. Timers are ours (a heap over the monotonic
 * clock), so that a loop without libevent (loop_new_manual) runs the same code under a test's clock. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "util/heap.h"
#include "util/list.h"
#include "util/rc.h"

struct event_base;
struct loop;

/* name: for logs and the watchdog; borrowed, lives as long as the loop. NULL when it cannot be made. */
struct loop *loop_new(const char *name, struct why *why);
struct loop *loop_new_manual(const char *name);
void loop_free(struct loop *loop); /* after loop_run has returned; runs what is still posted */

/* While is_behind(arg) is true, what the loop takes in waits elsewhere anyway: it then rests for 2 ms after each round
 * and does more in the next, with fewer wake-ups. The call comes on the loop's thread. Before loop_run. */
void loop_rest_while(struct loop *loop, bool (*is_behind)(const void *arg), const void *arg);

void loop_run(struct loop *loop);  /* on the calling thread, until loop_stop */
void loop_stop(struct loop *loop); /* any thread */

/* One round of a manual loop: everything posted, then every timer that is due. Returns how many calls
 * were made. loop_next_ms tells when the next timer is due (monotonic ms), or -1. */
size_t loop_step(struct loop *loop);
/* Everything posted, no timers: for a part that is being closed and whose results are on their way. On the loop's
 * thread, or when it has stopped. Returns how many calls were made. */
size_t loop_run_posted(struct loop *loop);
int64_t loop_next_ms(const struct loop *loop);

/* For the homes of libraries that take an event base: http/, dns/, net/. NULL for a manual loop. */
struct event_base *loop_base(struct loop *loop);
const char *loop_name(const struct loop *loop);

/* A message between threads is embedded in the caller's object; posting allocates nothing and cannot
 * fail. run() is called on the loop's thread, in the order posted, and owns the message. */
struct loop_msg {
	struct loop_msg *next;
	void (*run)(struct loop_msg *msg);
};
void loop_post(struct loop *loop, struct loop_msg *msg); /* any thread */

/* An object that must not be freed inside its own callback embeds a message whose run() frees it, and
 * posts that to its own loop: it runs when the callbacks under way have returned. */

/* Times the loop has gone round since it was made: proof of progress for the watchdog. Any thread. */
uint64_t loop_rounds(const struct loop *loop);

struct timer {
	struct heap_node node;
	struct loop *loop;
	void (*fire)(void *arg);
	void *arg;
};

void timer_init(struct timer *timer, struct loop *loop, void (*fire)(void *arg), void *arg);
void timer_set(struct timer *timer, int64_t delay_ms); /* once, replacing an earlier setting */
void timer_cancel(struct timer *timer);
bool timer_is_set(const struct timer *timer);

#endif
