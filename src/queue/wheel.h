/* queue/wheel.h - items that wait for a time. Adding and removing cost the same however many there are, and no memory
 * but the item's. Core loop only.
 *
 * Times are multiples of WHEEL_TICK_MS; the slots are one turn of the wheel, and an item that waits for longer is
 * looked at once a turn (14 minutes). */
#ifndef QUEUE_WHEEL_H
#define QUEUE_WHEEL_H

#include "net/loop.h"
#include "util/list.h"

enum {
	WHEEL_TICK_MS = 100,
	WHEEL_SLOTS = 8192
};

#define WHEEL_DELAY_MAX_MS (INT64_C(20) * 86400 * 1000) /* below half of what 32 bits hold */

struct queue_item;

struct wheel {
	struct list slots[WHEEL_SLOTS];
	uint64_t used[WHEEL_SLOTS / 64]; /* bit: the slot may have items */
	int64_t tick;			 /* all up to this one have been looked at */
	int64_t armed;			 /* the tick that the timer is set for */
	size_t count;
	struct timer timer;
	void (*due)(struct queue_item *item);
};

/* due: called for each item whose time has come; it is ITEM_NEW then. It may add and remove any items. */
void wheel_init(struct wheel *wheel, struct loop *loop, void (*due)(struct queue_item *item));
void wheel_stop(struct wheel *wheel); /* nothing will be due any more */

/* Due at the first tick that begins when delay_ms (at most WHEEL_DELAY_MAX_MS) is over. Sets item->node and item->at_ms;
 * the item must be in no list. */
void wheel_add(struct wheel *wheel, struct queue_item *item, int64_t delay_ms);
void wheel_remove(struct wheel *wheel, struct queue_item *item);

/* Until its time; negative: it is over. */
int64_t wheel_left_ms(const struct queue_item *item);

#endif
