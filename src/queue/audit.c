/* queue/audit.c - checks what queue/ says is always true. Reads only; walks everything, so it is for tests.
 *
 * Exact between two rounds of the loop, when nothing is in the middle of a change. */
#include "config.h"

#include "queue/internal.h"

#include <inttypes.h>

struct sums {
	size_t ready, active, deferred, messages;
};

static enum rc
wrong(const struct queue_message *m, const char *text, struct why *why)
{
	return why_set(why, RC_BUG, 0, "message %" PRIu64 ": %s", m->entry.sequence, text);
}

/* Something will look at the ready item: an attempt that ends, an answer, a timer. */
static bool
will_begin(const struct queue_item *item)
{
	const struct destination *d = item_destination(item);
	const struct fair_turn *turn = item->stream->fair.turn;
	const struct lane *lane;

	if (!list_is_empty(&d->later))
		return true;
	if (turn == NULL)
		return d->lookup != NULL || timer_is_set(&d->retry);
	if (turn->is_blocked)
		return !list_is_empty(&turn->account->node);
	lane = container_of(turn->lane, struct lane, fair);
	LIST_FOREACH (node, &lane->site->paths) {
		const struct path *path = container_of(node, struct path, node);

		if (path->active > 0 || timer_is_set(&path->wait))
			return true;
	}
	return false;
}

/* One state, and with it a time or an event that moves it on. */
static enum rc
audit_item(const struct queue_item *item, struct sums *sums, struct why *why)
{
	const struct queue_message *m = item_message(item);
	const struct queue *queue = item_destination(item)->queue;

	if (item->open == 0)
		return wrong(m, "an item without open recipients", why);
	switch (item->state) {
	case ITEM_READY:
		sums->ready++;
		if (item->node.next->prev != &item->node)
			return wrong(m, "a ready item that is not in its stream's list", why);
		if (queue->started && !queue->stopping && !will_begin(item))
			return wrong(m, "a ready item that nothing will begin", why);
		return RC_OK;
	case ITEM_ACTIVE:
		sums->active++;
		return RC_OK;
	case ITEM_DEFERRED:
		sums->deferred++;
		if (item->node.next->prev != &item->node)
			return wrong(m, "a deferred item without a time", why);
		if ((int32_t)(item->at_ms - (uint32_t)(queue->deferred.tick * WHEEL_TICK_MS)) <
		    -WHEEL_TICK_MS)
			return wrong(m, "a deferred item that the wheel has passed", why);
		return RC_OK;
	case ITEM_HELD:
		return !m->held ? wrong(m, "an item that nothing moves on", why) : RC_OK;
	default:
		break;
	}
	return wrong(m, "an item in no state", why);
}

static enum rc
audit_message(const struct queue_message *m, struct sums *sums, struct why *why)
{
	bool seen[MESSAGE_RECIPIENTS_MAX] = { false };
	enum rc rc = RC_OK;

	sums->messages++;
	if (message_is_over(m) && m->reports == 0)
		return wrong(m, "nothing is left to do, and it is still here", why);
	ITEMS_FOREACH (item, m) {
		for (size_t i = 0; i < m->recipient_count; i++) {
			if (seen[i] && item_has(item, i))
				return wrong(m, "a recipient in two items", why);
			seen[i] |= item_has(item, i);
		}
		rc = audit_item(item, sums, why);
		if (rc != RC_OK)
			break;
	}
	return rc;
}

enum rc
queue_audit(const struct queue *queue, struct why *why)
{
	struct sums sums = { 0, 0, 0, 0 };
	enum rc rc = RC_OK;

	for (struct spool_entry *entry = spool_next(queue->options.spool, 0);
	     entry != NULL && rc == RC_OK;
	     entry = spool_next(queue->options.spool, entry->sequence)) {
		const struct queue_message *m = container_of(entry, struct queue_message, entry);

		if (message_is_stored(m))
			rc = audit_message(m, &sums, why);
	}
	if (rc != RC_OK)
		return rc;
	if (sums.ready != queue->ready || sums.active != queue->active ||
	    sums.deferred != queue->deferred.count || sums.messages != queue->message_count)
		return why_set(why, RC_BUG, 0,
		    "counted ready=%zu active=%zu deferred=%zu messages=%zu, known %zu %zu %zu %zu",
		    sums.ready, sums.active, sums.deferred, sums.messages, queue->ready,
		    queue->active, queue->deferred.count, queue->message_count);
	if (!list_is_empty(&queue->starved) && !queue->stopping &&
	    queue->slots - queue->idle_count + queue->loading <
		(size_t)queue->config->delivery.max_connections)
		return why_set(
		    why, RC_BUG, 0, "an account waits for a connection, and one is free");
	if (queue->deferred.count > 0 && !queue->stopping && !timer_is_set(&queue->deferred.timer))
		return why_set(why, RC_BUG, 0, "deferred items that no timer will wake");
	return RC_OK;
}
