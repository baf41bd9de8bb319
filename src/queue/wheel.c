/* queue/wheel.c - a hashed wheel with one list a tick.
 *
 * Always true: the timer is set for the next tick whose slot is used, when there is one. */
#include "config.h"

#include "queue/wheel.h"

#include "queue/internal.h"
#include "util/clock.h"

static void
arm(struct wheel *wheel)
{
	for (int64_t tick = wheel->tick + 1; tick <= wheel->tick + WHEEL_SLOTS;) {
		size_t slot = (size_t)(tick % WHEEL_SLOTS);
		uint64_t word = wheel->used[slot / 64] >> (slot % 64);

		if (word == 0) {
			tick += 64 - (int64_t)(slot % 64);
			continue;
		}
		tick += __builtin_ctzll(word);
		if (tick > wheel->tick + WHEEL_SLOTS)
			break;
		wheel->armed = tick;
		timer_set(&wheel->timer, tick * WHEEL_TICK_MS - clock_mono_ms());
		return;
	}
	timer_cancel(&wheel->timer);
}

static void
put(struct wheel *wheel, struct queue_item *item, int64_t tick)
{
	size_t slot = (size_t)(tick % WHEEL_SLOTS);

	list_add_tail(&wheel->slots[slot], &item->node);
	wheel->used[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static void
look_at(struct wheel *wheel, int64_t tick)
{
	size_t slot = (size_t)(tick % WHEEL_SLOTS);
	struct list items, *node;

	if ((wheel->used[slot / 64] >> (slot % 64) & 1) == 0)
		return;
	wheel->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
	list_init(&items);
	list_move_all(&items, &wheel->slots[slot]);
	while ((node = list_pop(&items)) != NULL) {
		struct queue_item *item = container_of(node, struct queue_item, node);

		if (wheel_left_ms(item) > 0) { /* another turn */
			put(wheel, item, tick);
			continue;
		}
		wheel->count--;
		item->state = ITEM_NEW;
		wheel->due(item);
	}
}

static void
on_timer(void *arg)
{
	struct wheel *wheel = arg;
	int64_t now = clock_mono_ms() / WHEEL_TICK_MS, from = wheel->tick + 1;

	if (now - from >= WHEEL_SLOTS)
		from = now - WHEEL_SLOTS + 1;
	wheel->tick = now;
	for (int64_t tick = from; tick <= now; tick++)
		look_at(wheel, tick);
	arm(wheel);
}

void
wheel_init(struct wheel *wheel, struct loop *loop, void (*due)(struct queue_item *item))
{
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		list_init(&wheel->slots[i]);
	wheel->tick = clock_mono_ms() / WHEEL_TICK_MS;
	wheel->due = due;
	timer_init(&wheel->timer, loop, on_timer, wheel);
}

void
wheel_stop(struct wheel *wheel)
{
	timer_cancel(&wheel->timer);
}

void
wheel_add(struct wheel *wheel, struct queue_item *item, int64_t delay_ms)
{
	int64_t due_ms, tick;

	if (wheel->count == 0) /* it may have stood still for long */
		wheel->tick = clock_mono_ms() / WHEEL_TICK_MS;
	if (delay_ms > WHEEL_DELAY_MAX_MS)
		delay_ms = WHEEL_DELAY_MAX_MS;
	due_ms = clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0);
	tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
	if (tick <= wheel->tick)
		tick = wheel->tick + 1;
	item->at_ms = (uint32_t)due_ms;
	put(wheel, item, tick);
	wheel->count++;
	if (!timer_is_set(&wheel->timer) || tick < wheel->armed)
		arm(wheel);
}

void
wheel_remove(struct wheel *wheel, struct queue_item *item)
{
	list_del(&item->node);
	wheel->count--;
}

int64_t
wheel_left_ms(const struct queue_item *item)
{
	return (int32_t)(item->at_ms - (uint32_t)clock_mono_ms());
}
