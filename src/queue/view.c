/* queue/view.c - what operators see of the queue and do to it. */
#include "config.h"

#include "queue/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "event/event.h"
#include "util/clock.h"

static size_t
count_open(const struct queue_message *m)
{
	size_t count = 0;

	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		count += (size_t)(__builtin_popcountll(item->open.bits[0]) +
				  __builtin_popcountll(item->open.bits[1]));
	return count;
}

void
queue_view(struct queue_message *m, struct queue_view *out)
{
	const struct queue_item *next = m->items;

	/* The item that is due first speaks for the message. */
	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		if (item->state != ITEM_DEFERRED ||
		    (next->state == ITEM_DEFERRED && item->due.key < next->due.key))
			next = item;
	*out = (struct queue_view){ .id = &m->id,
		.sequence = m->entry.sequence,
		.accepted_ms = message_id_time_ms(&m->id),
		.due_ms = next != NULL && next->state == ITEM_DEFERRED
			      ? clock_wall_ms() + next->due.key - clock_mono_ms()
			      : 0,
		.size = m->entry.size,
		.state = next != NULL && next->state == ITEM_DEFERRED ? "deferred" : "active",
		.site = next != NULL ? next->site->key : "",
		.attempts = next != NULL ? next->attempts : 0,
		.recipients = m->recipient_count,
		.open = (unsigned)count_open(m),
		.reason = next != NULL && next->reason != NULL ? next->reason : "" };
}

void
queue_each(struct queue *queue, bool (*each)(void *arg, const struct queue_view *view), void *arg)
{
	LIST_FOREACH (node, &queue->messages) {
		struct queue_view view;

		queue_view(container_of(node, struct queue_message, node), &view);
		if (!each(arg, &view))
			return;
	}
}

struct queue_message *
queue_find(struct queue *queue, struct span id)
{
	char qid[EVENT_QUEUE_ID_LEN];
	struct message_id wanted;
	bool by_id = message_id_parse(id, &wanted) == RC_OK;

	LIST_FOREACH (node, &queue->messages) {
		struct queue_message *m = container_of(node, struct queue_message, node);

		event_queue_id(m->entry.sequence, qid);
		if (by_id ? m->id.stamp == wanted.stamp &&
				memcmp(m->id.uuid, wanted.uuid, sizeof wanted.uuid) == 0
			  : span_ieq(id, span_of(qid)))
			return m;
	}
	return NULL;
}

enum rc
queue_load(struct queue_message *m, spool_load_callback *callback, void *arg)
{
	return spool_load(m->queue->options.spool, &m->entry, callback, arg);
}

void
queue_retry(struct queue_message *m)
{
	for (struct queue_item *item = m->items, *next; item != NULL; item = next) {
		next = item->next;
		if (item->state != ITEM_DEFERRED)
			continue;
		heap_del(&m->queue->deferred, &item->due);
		timer_cancel(&item->site->pause);
		item_make_ready(item);
	}
	for (struct queue_item *item = m->items, *next; item != NULL; item = next) {
		next = item->next;
		site_run(item->site);
	}
}

enum rc
queue_drop(struct queue_message *m)
{
	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		if (item->state == ITEM_ACTIVE)
			return RC_LATER;
	queue_discard(m);
	return RC_OK;
}

void
queue_stats(const struct queue *queue, struct queue_stats *out)
{
	*out = (struct queue_stats){ .messages = queue->message_count,
		.items_ready = queue->ready,
		.items_active = queue->active,
		.items_deferred = queue->deferred.len,
		.channels = queue->slots,
		.sites = queue->sites.len };
	if (!list_is_empty(&queue->messages))
		out->oldest_ms = message_id_time_ms(
		    &container_of(queue->messages.next, struct queue_message, node)->id);
}
