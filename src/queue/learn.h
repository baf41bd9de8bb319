/* queue/learn.h - how many connections a site takes from one source address, learned from what it answers. Pure.
 *
 * Begins low and doubles with success. A connection that is refused (421, reset, silence before any mail) at a number
 * that was never reached is the end of that: what is open is the limit, and one more is tried after a while, after
 * longer each time that it is refused again. A refusal well below what the site has taken lately is bad luck, and only
 * several in a row count. Replies to mail that ask for less (4xx of rate) halve the limit. */
#ifndef QUEUE_LEARN_H
#define QUEUE_LEARN_H

#include <stdbool.h>
#include <stdint.h>

struct learn_bounds {
	unsigned min, max;
};

struct learned {
	double limit;
	double doubling_to; /* grows with each success below it, slowly above */
	unsigned good;	    /* most connections that were open at once and taken lately */
	unsigned refusals;  /* in a row */
	int64_t good_ms;    /* monotonic: when `good` was last reached */
	int64_t hold_ms;    /* how long a limit stays before one more is tried */
	int64_t held_until_ms;
	int64_t wait_until_ms; /* no new connection before */
};

void learn_init(struct learned *learned, const struct learn_bounds *bounds);
/* The bounds have changed. */
void learn_bound(struct learned *learned, const struct learn_bounds *bounds);

/* A new connection was taken: `open` with it. */
void learn_connected(struct learned *learned, unsigned open, int64_t now_ms);
/* A new connection was refused: `open` without it. */
void learn_refused(
    struct learned *learned, const struct learn_bounds *bounds, unsigned open, int64_t now_ms);
/* Mail was answered, and not by asking for less. `busy`: as many are in use as the limit allows. */
void learn_success(
    struct learned *learned, const struct learn_bounds *bounds, bool busy, int64_t now_ms);
/* The site asks for less. */
void learn_slow_down(struct learned *learned, const struct learn_bounds *bounds, int64_t now_ms);

unsigned learn_limit(const struct learned *learned);
/* How long no new connection is to be made; 0: now. */
int64_t learn_wait_ms(const struct learned *learned, int64_t now_ms);

#endif
