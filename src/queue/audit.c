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

/* One state, and with it a time or an event that moves it on. */
static enum rc
audit_item(const struct queue_item *item, struct sums *sums, struct why *why)
{
	const struct queue_message *m = item->message;
	const struct site *site = item->site;
	bool due = heap_has(&item->due), listed = !list_is_empty(&item->node);

	if (set_is_empty(&item->open))
		return wrong(m, "an item without open recipients", why);
	switch (item->state) {
	case ITEM_READY:
		sums->ready++;
		if (due || !listed)
			return wrong(m, "a ready item that is not in its site's list", why);
		if (m->queue->started && !m->queue->stopping && site->active == 0 &&
		    !timer_is_set(&site->pause) && list_is_empty(&site->starved) &&
		    list_is_empty(&site->later))
			return wrong(m, "a ready item that nothing will begin", why);
		return RC_OK;
	case ITEM_ACTIVE:
		sums->active++;
		return due || listed ? wrong(m, "an active item that also waits", why) : RC_OK;
	case ITEM_DEFERRED:
		sums->deferred++;
		return !due || listed ? wrong(m, "a deferred item without a time", why) : RC_OK;
	case ITEM_HELD:
		return !m->held || due || listed ? wrong(m, "a held item that also waits", why)
						 : RC_OK;
	}
	return wrong(m, "an item in no state", why);
}

static enum rc
audit_message(const struct queue_message *m, struct sums *sums, struct why *why)
{
	struct recipient_set seen = { { 0, 0 } };
	enum rc rc = RC_OK;

	sums->messages++;
	if (m->items == NULL && m->reports == 0)
		return wrong(m, "nothing is left to do, and it is still here", why);
	for (const struct queue_item *item = m->items; item != NULL && rc == RC_OK;
	     item = item->next) {
		if (((seen.bits[0] & item->open.bits[0]) | (seen.bits[1] & item->open.bits[1])) !=
		    0)
			return wrong(m, "a recipient in two items", why);
		seen.bits[0] |= item->open.bits[0];
		seen.bits[1] |= item->open.bits[1];
		rc = audit_item(item, sums, why);
	}
	return rc;
}

enum rc
queue_audit(const struct queue *queue, struct why *why)
{
	const struct heap_node *first = heap_first(&queue->deferred);
	struct sums sums = { 0, 0, 0, 0 };
	enum rc rc = RC_OK;

	for (const struct list *node = queue->messages.next;
	     node != &queue->messages && rc == RC_OK; node = node->next)
		rc = audit_message(container_of(node, struct queue_message, node), &sums, why);
	if (rc != RC_OK)
		return rc;
	if (sums.ready != queue->ready || sums.active != queue->active ||
	    sums.deferred != queue->deferred.len || sums.messages != queue->message_count)
		return why_set(why, RC_BUG, 0,
		    "counted ready=%zu active=%zu deferred=%zu messages=%zu, known %zu %zu %zu %zu",
		    sums.ready, sums.active, sums.deferred, sums.messages, queue->ready,
		    queue->active, queue->deferred.len, queue->message_count);
	if (!list_is_empty(&queue->starved) && !queue->stopping &&
	    (queue->slots < (size_t)queue->config->delivery.max_connections ||
		!list_is_empty(&queue->idle_slots)))
		return why_set(why, RC_BUG, 0, "a site waits for a connection, and one is free");
	if (first != NULL && !queue->stopping &&
	    (!timer_is_set(&queue->due_timer) || queue->due_timer.node.key > first->key))
		return why_set(why, RC_BUG, 0, "deferred items that no timer will wake");
	return RC_OK;
}
