/* queue/message.c - messages and their items: made, waiting, over.
 *
 * Always true: an item that is not over has an open recipient, unless it is being changed; an item is among the
 * ready ones of its stream, among the deferred ones, or in neither, as its state says; a message is over when all its items are. */
#include "config.h"

#include "queue/internal.h"

#include <stdlib.h>

#include "util/clock.h"

enum {
	WAIT_MAX_MS = 2 * 3600 * 1000, /* more than a message is ever told to wait */
	HOT_SHARE = 8		       /* of spool.body_budget is for messages on their way out */
};

/* ------------------------------------------------------------------ items --------------------- */

static void
item_assign(struct queue_item *item, struct stream *stream, size_t base)
{
	item->stream = stream;
	item->open = 0;
	item->generation = item_destination(item)->queue->generation;
	item->attempts = 0;
	item->state = ITEM_NEW;
	item->replay_ms = 0;
	item->at_ms = 0;
	item->base = (uint8_t)base;
	stream->items++;
}

/* The item of this message for the recipient in the stream, made when there is none that can take it. */
static struct queue_item *
item_for(struct queue_message *m, struct stream *stream, size_t recipient)
{
	size_t base = recipient / ITEM_RECIPIENTS * ITEM_RECIPIENTS;
	struct extra_item *extra;

	if (stream == NULL)
		return NULL;
	ITEMS_FOREACH (item, m)
		if (item->stream == stream && item->base == base && item->state != ITEM_ACTIVE)
			return item;
	if (m->first.state == ITEM_OVER) {
		if (m->first.stream != NULL)
			m->first.stream->items--;
		item_assign(&m->first, stream, base);
		return &m->first;
	}
	extra = calloc(1, sizeof *extra);
	if (extra == NULL)
		return NULL;
	extra->message = m;
	extra->item.is_extra = true;
	extra->item.next = m->first.next;
	m->first.next = &extra->item;
	item_assign(&extra->item, stream, base);
	return &extra->item;
}

/* Out of the list that it is in. */
static void
item_leave(struct queue_item *item)
{
	if (item->state == ITEM_READY)
		stream_remove(item);
	else if (item->state == ITEM_DEFERRED)
		wheel_remove(&item_destination(item)->queue->deferred, item);
}

static void
item_drop_reason(struct queue_item *item)
{
	struct queue_message *m = item_message(item);

	if (item == &m->first && m->is_hot) {
		message_cool(m);
		return;
	}
	reason_put(&item_destination(item)->queue->reasons, item->reason);
	item->reason = NULL;
}

void
item_set_reason(struct queue_item *item, const char *reason)
{
	item_drop_reason(item);
	item->reason = reason_get(&item_destination(item)->queue->reasons, reason);
}

void
item_end(struct queue_item *item)
{
	struct queue_message *m = item_message(item);
	struct queue_item **at = &m->first.next;

	item_leave(item);
	item_drop_reason(item);
	item->state = ITEM_OVER;
	if (item == &m->first)
		return; /* it keeps its stream, by which the message knows its queue */
	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	item->stream->items--;
	free(item);
}

void
item_hold(struct queue_item *item)
{
	item_leave(item);
	item->state = ITEM_HELD;
}

void
item_make_ready(struct queue_item *item)
{
	item_leave(item);
	if (item_message(item)->held) {
		item->state = ITEM_HELD;
		return;
	}
	item->state = ITEM_READY;
	item->at_ms = (uint32_t)clock_mono_ms();
	stream_add(item);
}

void
item_on_due(struct queue_item *item)
{
	struct stream *stream = item->stream;

	item_make_ready(item);
	stream_run(stream);
}

void
item_defer(struct queue_item *item, int64_t delay_ms)
{
	item_leave(item);
	if (item_message(item)->held) {
		item->state = ITEM_HELD;
		return;
	}
	item->state = ITEM_DEFERRED;
	wheel_add(&item_destination(item)->queue->deferred, item, delay_ms);
}

int64_t
item_wait_ms(const struct queue_item *item)
{
	int32_t left_ms = (int32_t)(item->at_ms - (uint32_t)clock_mono_ms());

	return item->at_ms != 0 && left_ms > 0 ? left_ms : 0;
}

void
item_begin(struct queue_item *item)
{
	int64_t wait_ms = item_wait_ms(item);

	if (wait_ms == 0) {
		item_make_ready(item);
		return;
	}
	item_set_reason(item, "its account sends faster than its rate");
	item_defer(item, wait_ms);
}

bool
item_reroute(struct queue_item *item, const struct message *message)
{
	struct queue_message *m = item_message(item);
	struct queue *queue = item_destination(item)->queue;
	bool gone;

	if (item->generation == queue->generation)
		return false;
	item->generation = queue->generation;
	for (size_t i = 0; i < message->recipient_count; i++) {
		struct stream *stream;
		struct queue_item *other;

		if (!item_has(item, i))
			continue;
		stream = stream_for(queue, message, message->recipients[i].address);
		other = stream != item->stream ? item_for(m, stream, i) : NULL;
		if (other == NULL)
			continue; /* it stays, or memory is out and it is tried as it was */
		item_remove(item, i);
		if (other->open == 0)
			other->attempts = item->attempts;
		item_add(other, i);
	}
	gone = item->open == 0;
	if (gone)
		item_end(item);
	ITEMS_FOREACH (other, m)
		if (other->state == ITEM_NEW) {
			item_make_ready(other);
			destination_run_later(item_destination(other));
		}
	return gone;
}

/* ------------------------------------------------------------------ messages ------------------ */

/* When a message that was accepted at this wall time began, on the monotonic clock. One from the future is new. */
static int64_t
born_ms(int64_t accepted_ms)
{
	int64_t age_ms = clock_wall_ms() - accepted_ms;

	return clock_mono_ms() - (age_ms > 0 ? age_ms : 0);
}

int64_t
message_left_ms(const struct queue_message *m)
{
	int64_t left_ms = (int64_t)m->clock_s * 1000 - clock_mono_ms();

	return m->has_end ? left_ms : left_ms + message_queue(m)->config->delivery.max_age_ms;
}

/* For item->at_ms of a new one. */
static uint32_t
not_before(const struct message *from)
{
	int64_t wait_ms = from->not_before_ms > 0 ? from->not_before_ms - clock_wall_ms() : 0;

	if (wait_ms <= 0)
		return 0;
	if (wait_ms > WAIT_MAX_MS) /* the clock was set back */
		wait_ms = WAIT_MAX_MS;
	return (uint32_t)(clock_mono_ms() + wait_ms) | 1; /* 0 means something else */
}

static void
release(struct queue *queue, struct queue_message *m)
{
	struct queue_item *item, *next;

	for (item = &m->first; item != NULL; item = next) {
		next = item->next;
		if (item->stream == NULL)
			continue; /* the first, before it was given one */
		item_leave(item);
		item_drop_reason(item);
		item->stream->items--;
		if (item->is_extra)
			free(item);
	}
	slab_put(&queue->messages, m);
}

struct queue_message *
message_make(struct queue *queue, const struct message *from)
{
	struct queue_message *m = slab_get(&queue->messages);

	if (m == NULL)
		return NULL;
	m->id = from->id;
	m->has_end = from->max_age_ms > 0;
	m->clock_s = (int32_t)((born_ms(from->accepted_ms) + from->max_age_ms) / 1000);
	m->recipient_count = (unsigned)from->recipient_count & 0x7f;
	for (size_t i = 0; i < from->recipient_count; i++) {
		struct queue_item *item =
		    item_for(m, stream_for(queue, from, from->recipients[i].address), i);

		if (item == NULL) {
			release(queue, m);
			return NULL;
		}
		item->at_ms = not_before(from);
		/* A start may know domains only: then the message itself tells, when it is read. */
		if (item_destination(item)->kind == DESTINATION_SUPPRESSED &&
		    from->recipients[i].address[0] == '@')
			item->generation = queue->generation - 1;
		item_add(item, i);
	}
	return m;
}

bool
message_is_stored(const struct queue_message *m)
{
	return m->first.state != ITEM_NEW;
}

void
message_free(struct queue_message *m)
{
	struct queue *queue = message_queue(m);

	if (message_is_stored(m)) {
		queue->message_count--;
		queue->held -= m->held;
	}
	release(queue, m);
}

void
message_keep_hot(struct queue_message *m, struct message *message)
{
	struct queue *queue = message_queue(m);
	uint64_t bytes = message->size - message->file_size;

	if (queue->hot_bytes + bytes > (uint64_t)queue->config->spool.body_budget_bytes / HOT_SHARE)
		return;
	ITEMS_FOREACH (item, m) {
		const struct exchange *exchange = item_destination(item)->exchange;

		if (exchange != NULL && !exchange_is_ready(exchange))
			return; /* it will be read back when it is due */
	}
	queue->hot_bytes += bytes;
	m->first.hot = message_ref(message);
	m->is_hot = true;
}

void
message_cool(struct queue_message *m)
{
	struct message *hot = m->first.hot;

	if (!m->is_hot)
		return;
	message_queue(m)->hot_bytes -= hot->size - hot->file_size;
	m->is_hot = false;
	m->first.reason = NULL;
	message_unref(hot);
}
