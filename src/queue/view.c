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

static int64_t
due_ms(const struct queue_item *item)
{
	return item->state == ITEM_DEFERRED ? clock_wall_ms() + item->due.key - clock_mono_ms() : 0;
}

static const char *
state_name(const struct queue_item *item)
{
	return item->state == ITEM_DEFERRED ? "deferred"
	       : item->state == ITEM_HELD   ? "held"
					    : "active";
}

void
queue_view(struct queue_message *m, struct queue_view *out)
{
	const struct queue_item *next = m->items;

	/* The item that is due first speaks for the message. */
	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		if ((item->state != ITEM_DEFERRED && item->state != ITEM_HELD) ||
		    (next->state == ITEM_DEFERRED && item->due.key < next->due.key))
			next = item;
	*out = (struct queue_view){ .message = m,
		.id = &m->id,
		.sequence = m->entry.sequence,
		.accepted_ms = message_id_time_ms(&m->id),
		.due_ms = next != NULL ? due_ms(next) : 0,
		.size = m->entry.size,
		.state = next != NULL ? state_name(next) : "active",
		.site = next != NULL ? next->site->key : "",
		.attempts = next != NULL ? next->attempts : 0,
		.recipients = m->recipient_count,
		.open = (unsigned)count_open(m),
		.reason = next != NULL && next->reason != NULL ? next->reason : "" };
}

bool
queue_is_at_site(const struct queue_message *m, struct span site)
{
	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		if (span_ieq(span_of(item->site->key), site))
			return true;
	return false;
}

void
queue_view_recipient(const struct queue_message *m, size_t index, struct queue_recipient_view *out)
{
	*out = (struct queue_recipient_view){ .state = "done", .site = "", .reason = "" };
	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		if (set_has(&item->open, index))
			*out = (struct queue_recipient_view){ .state = state_name(item),
				.site = item->site->key,
				.reason = item->reason != NULL ? item->reason : "",
				.due_ms = due_ms(item),
				.attempts = item->attempts };
}

/* ------------------------------------------------------------------ cursors ------------------- */

struct queue_cursor {
	struct list node;    /* in queue->cursors */
	struct queue *queue; /* NULL: freed */
	struct list *at;     /* the next one to be seen; the head of the list: none is left */
};

struct queue_cursor *
queue_cursor_new(struct queue *queue)
{
	struct queue_cursor *cursor = calloc(1, sizeof *cursor);

	if (cursor == NULL)
		return NULL;
	cursor->queue = queue;
	cursor->at = queue->messages.next;
	list_add_tail(&queue->cursors, &cursor->node);
	return cursor;
}

bool
queue_cursor_next(struct queue_cursor *cursor, struct queue_view *out)
{
	struct list *at = cursor->at;

	if (cursor->queue == NULL || at == &cursor->queue->messages)
		return false;
	cursor->at = at->next;
	queue_view(container_of(at, struct queue_message, node), out);
	return true;
}

void
queue_cursor_free(struct queue_cursor *cursor)
{
	if (cursor == NULL)
		return;
	list_del(&cursor->node);
	free(cursor);
}

void
cursors_leave(struct queue *queue, const struct queue_message *m)
{
	LIST_FOREACH (node, &queue->cursors) {
		struct queue_cursor *cursor = container_of(node, struct queue_cursor, node);

		if (cursor->at == &m->node)
			cursor->at = m->node.next;
	}
}

void
cursors_end(struct queue *queue)
{
	struct list *node;

	while ((node = list_pop(&queue->cursors)) != NULL)
		container_of(node, struct queue_cursor, node)->queue = NULL;
}

/* ------------------------------------------------------------------ one message --------------- */

/* At least as many digits as event_queue_id writes, so that an id has one spelling. */
static bool
parse_queue_id(struct span id, uint64_t *out)
{
	char text[EVENT_QUEUE_ID_LEN];
	uint64_t value = 0;

	if (id.len == 0 || id.len > 16)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = ascii_lower(id.p[i]);

		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
		value = value << 4 | (uint64_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	event_queue_id(value, text);
	*out = value;
	return span_ieq(id, span_of(text));
}

static struct queue_message *
find_by_message_id(struct queue *queue, const struct message_id *wanted)
{
	LIST_FOREACH (node, &queue->messages) {
		struct queue_message *m = container_of(node, struct queue_message, node);

		if (m->id.stamp == wanted->stamp &&
		    memcmp(m->id.uuid, wanted->uuid, sizeof wanted->uuid) == 0)
			return m;
	}
	return NULL;
}

struct queue_message *
queue_find(struct queue *queue, struct span id)
{
	struct queue_message *m;
	struct spool_entry *entry;
	struct message_id wanted;
	uint64_t sequence;

	if (message_id_parse(id, &wanted) == RC_OK)
		return find_by_message_id(queue, &wanted);
	if (!parse_queue_id(id, &sequence))
		return NULL;
	entry = spool_find(queue->options.spool, sequence);
	if (entry == NULL)
		return NULL;
	m = container_of(entry, struct queue_message, entry);
	return m->committed ? m : NULL;
}

enum rc
queue_load(struct queue_message *m, spool_load_callback *callback, void *arg)
{
	return spool_load(m->queue->options.spool, &m->entry, callback, arg);
}

bool
queue_retry(struct queue_message *m, struct span site)
{
	bool any = false;

	for (struct queue_item *item = m->items; item != NULL; item = item->next) {
		if ((item->state != ITEM_DEFERRED && item->state != ITEM_HELD) ||
		    (site.len > 0 && !span_ieq(span_of(item->site->key), site)))
			continue;
		any = true;
		heap_del(&m->queue->deferred, &item->due);
		timer_cancel(&item->site->pause);
		item_make_ready(item);
		site_run_later(item->site);
	}
	return any;
}

enum rc
queue_drop(struct queue_message *m)
{
	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		if (item->state == ITEM_ACTIVE)
			return RC_LATER;
	if (m->reports > 0)
		return RC_LATER;
	queue_discard(m);
	return RC_OK;
}

void
queue_stats(const struct queue *queue, struct queue_stats *out)
{
	*out = (struct queue_stats){ .messages = queue->message_count,
		.messages_held = queue->held,
		.items_ready = queue->ready,
		.items_active = queue->active,
		.items_deferred = queue->deferred.len,
		.channels = queue->slots,
		.sites = queue->sites.len };
	if (!list_is_empty(&queue->messages))
		out->oldest_ms = message_id_time_ms(
		    &container_of(queue->messages.next, struct queue_message, node)->id);
}
