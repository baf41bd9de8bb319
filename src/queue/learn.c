/* queue/learn.c - see learn.h. */
#include "config.h"

#include "queue/learn.h"

enum {
	START = 2,
	HOLD_MIN_MS = 1000,
	HOLD_MAX_MS = 300000,
	REFUSALS_IN_A_ROW = 3,
	WAIT_MS = 250, /* after a refusal, times how many there were in a row */
	GOOD_FOR_MS = 600000
};

static void
set_limit(struct learned *learned, const struct learn_bounds *bounds, double limit)
{
	if (limit > bounds->max)
		limit = bounds->max;
	if (limit < bounds->min)
		limit = bounds->min;
	learned->limit = limit;
}

void
learn_init(struct learned *learned, const struct learn_bounds *bounds)
{
	*learned = (struct learned){ .doubling_to = bounds->max, .hold_ms = HOLD_MIN_MS };
	set_limit(learned, bounds, START);
}

void
learn_bound(struct learned *learned, const struct learn_bounds *bounds)
{
	set_limit(learned, bounds, learned->limit);
	if (learned->held_until_ms == 0) /* nothing was learned yet */
		learned->doubling_to = bounds->max;
}

static void
hold(struct learned *learned, int64_t now_ms)
{
	learned->held_until_ms = now_ms + learned->hold_ms;
	learned->hold_ms *= 2;
	if (learned->hold_ms > HOLD_MAX_MS)
		learned->hold_ms = HOLD_MAX_MS;
}

void
learn_connected(struct learned *learned, unsigned open, int64_t now_ms)
{
	learned->refusals = 0;
	if (open >= learned->good || now_ms - learned->good_ms > GOOD_FOR_MS) {
		if (open > learned->good) /* one more than ever is taken */
			learned->hold_ms = HOLD_MIN_MS;
		learned->good = open;
		learned->good_ms = now_ms;
	}
}

void
learn_refused(
    struct learned *learned, const struct learn_bounds *bounds, unsigned open, int64_t now_ms)
{
	learned->refusals++;
	learned->wait_until_ms = now_ms + WAIT_MS * (int64_t)learned->refusals;
	if (open < learned->good && learned->refusals < REFUSALS_IN_A_ROW)
		return;
	if (open < learned->good) { /* perhaps it was bad luck after all: it is tried again soon */
		learned->good = open;
		learned->hold_ms = HOLD_MIN_MS;
	}
	set_limit(learned, bounds, open);
	learned->doubling_to = learned->limit;
	hold(learned, now_ms);
}

void
learn_success(struct learned *learned, const struct learn_bounds *bounds, bool busy, int64_t now_ms)
{
	if (!busy || now_ms < learned->held_until_ms)
		return;
	set_limit(learned, bounds,
	    learned->limit + (learned->limit < learned->doubling_to ? 1 : 1 / learned->limit));
}

void
learn_slow_down(struct learned *learned, const struct learn_bounds *bounds, int64_t now_ms)
{
	if (now_ms < learned->held_until_ms)
		return; /* those that were under way when it asked say the same */
	set_limit(learned, bounds, learned->limit / 2);
	learned->good = learn_limit(learned);
	learned->doubling_to = learned->limit;
	hold(learned, now_ms);
}

unsigned
learn_limit(const struct learned *learned)
{
	return (unsigned)learned->limit;
}

int64_t
learn_wait_ms(const struct learned *learned, int64_t now_ms)
{
	return learned->wait_until_ms > now_ms ? learned->wait_until_ms - now_ms : 0;
}
