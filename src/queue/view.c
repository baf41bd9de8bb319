/* queue/view.c - what operators see of the queue and do to it. */
#include "config.h"

#include "queue/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "util/clock.h"

static size_t
count_open(const struct queue_message *m)
{
	size_t count = 0;

	ITEMS_FOREACH (item, m)
		count += (size_t)__builtin_popcountll(item->open);
	return count;
}

static int64_t
due_ms(const struct queue_item *item)
{
	return item->state == ITEM_DEFERRED ? clock_wall_ms() + wheel_left_ms(item) : 0;
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
	const struct queue_item *next = items_from(&m->first);

	/* The item that is due first speaks for the message. */
	ITEMS_FOREACH (item, m)
		if ((item->state != ITEM_DEFERRED && item->state != ITEM_HELD) ||
		    (next->state == ITEM_DEFERRED && wheel_left_ms(item) < wheel_left_ms(next)))
			next = item;
	*out = (struct queue_view){ .message = m,
		.id = &m->id,
		.sequence = m->entry.sequence,
		.accepted_ms = message_id_time_ms(&m->id),
		.due_ms = next != NULL ? due_ms(next) : 0,
		.size = m->entry.size,
		.state = next != NULL ? state_name(next) : "active",
		.destination = next != NULL ? item_destination(next)->key : "",
		.account = next != NULL ? next->stream->key.flow->key : "",
		.attempts = next != NULL ? next->attempts : 0,
		.recipients = m->recipient_count,
		.open = (unsigned)count_open(m),
		.reason = next != NULL ? item_reason(next) : "" };
}

bool
queue_is_for(const struct queue_message *m, struct span destination)
{
	ITEMS_FOREACH (item, m)
		if (span_ieq(span_of(item_destination(item)->key), destination))
			return true;
	return false;
}

void
queue_view_recipient(const struct queue_message *m, size_t index, struct queue_recipient_view *out)
{
	*out = (struct queue_recipient_view){ .state = "done", .destination = "", .reason = "" };
	ITEMS_FOREACH (item, m)
		if (item_has(item, index))
			*out = (struct queue_recipient_view){ .state = state_name(item),
				.destination = item_destination(item)->key,
				.reason = item_reason(item),
				.due_ms = due_ms(item),
				.attempts = item->attempts };
}

/* ------------------------------------------------------------------ cursors ------------------- */

struct queue_cursor {
	struct list node;    /* in queue->cursors */
	struct queue *queue; /* NULL: freed */
	uint64_t seen;	     /* all up to that number */
	bool at_end;	     /* and there it stays */
};

/* The first that is stored, above that number; NULL: there is none. */
struct queue_message *
queue_next_message(const struct queue *queue, uint64_t sequence)
{
	struct spool_entry *entry = spool_next(queue->options.spool, sequence);

	for (; entry != NULL; entry = spool_next(queue->options.spool, entry->sequence)) {
		struct queue_message *m = container_of(entry, struct queue_message, entry);

		if (message_is_stored(m))
			return m;
	}
	return NULL;
}

struct queue_cursor *
queue_cursor_new(struct queue *queue)
{
	struct queue_cursor *cursor = calloc(1, sizeof *cursor);

	if (cursor == NULL)
		return NULL;
	cursor->queue = queue;
	list_add_tail(&queue->cursors, &cursor->node);
	return cursor;
}

bool
queue_cursor_next(struct queue_cursor *cursor, struct queue_view *out)
{
	struct queue_message *m = cursor->queue != NULL && !cursor->at_end
				      ? queue_next_message(cursor->queue, cursor->seen)
				      : NULL;

	cursor->at_end = m == NULL;
	if (m == NULL)
		return false;
	cursor->seen = m->entry.sequence;
	queue_view(m, out);
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
	struct queue_message *m = queue_next_message(queue, 0);

	for (; m != NULL; m = queue_next_message(queue, m->entry.sequence))
		if (m->id.stamp == wanted->stamp &&
		    memcmp(m->id.uuid, wanted->uuid, sizeof wanted->uuid) == 0)
			return m;
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
	return message_is_stored(m) ? m : NULL;
}

enum rc
queue_load(struct queue_message *m, spool_load_callback *callback, void *arg)
{
	return spool_load(message_queue(m)->options.spool, &m->entry, callback, arg);
}

bool
queue_retry(struct queue_message *m, struct span destination)
{
	bool any = false;

	ITEMS_FOREACH (item, m) {
		if ((item->state != ITEM_DEFERRED && item->state != ITEM_HELD) ||
		    (destination.len > 0 &&
			!span_ieq(span_of(item_destination(item)->key), destination)))
			continue;
		any = true;
		exchange_forgive(item_destination(item)->exchange);
		item_make_ready(item);
		destination_run_later(item_destination(item));
	}
	return any;
}

bool
queue_requeue(struct queue_message *m)
{
	struct queue *queue = message_queue(m);
	bool any = false;

	if (m->held)
		queue->held--;
	m->held = false;
	ITEMS_FOREACH (item, m) {
		if (item->state == ITEM_ACTIVE)
			continue;
		any = true;
		item_hold(item); /* out of its lists, which depend on what changes */
		item->attempts = 0;
		item->generation = queue->generation - 1;
		destination_drop_hosts(item_destination(item));
		exchange_forgive(item_destination(item)->exchange);
		item_make_ready(item);
		destination_run_later(item_destination(item));
	}
	return any;
}

enum rc
queue_drop(struct queue_message *m)
{
	ITEMS_FOREACH (item, m)
		if (item->state == ITEM_ACTIVE)
			return RC_LATER;
	if (m->reports > 0)
		return RC_LATER;
	queue_discard(m);
	return RC_OK;
}
