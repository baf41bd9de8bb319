/* queue/slot.c - connections: kept for the next message, bounded in all, taken from where they are not needed.
 *
 * Always true: no more slots than delivery.max_connections; one that is idle is in its path's list and can be closed
 * for another path's sake. */
#include "config.h"

#include "queue/internal.h"

#include <stdlib.h>

enum {
	IDLE_LOOKED_AT = 16
};

/* Connections in use, and those that messages being loaded will want. */
bool
slots_are_free(const struct queue *queue)
{
	return queue->slots - queue->idle_count + queue->loading <
	       (size_t)queue->config->delivery.max_connections;
}

/* ------------------------------------------------------------------ policies ------------------ */

/* What the channels of a route and a source are told. */
struct policy {
	struct list node; /* in queue->policies */
	const struct config_route *route;
	const struct source *source;
	struct delivery_policy *delivery;
};

static struct delivery_policy *
delivery_policy_new(
    const struct queue *queue, const struct config_route *route, const struct source *source)
{
	const struct config *config = queue->config;
	const struct config_source *own = source->settings;
	struct delivery_policy *policy = calloc(1, sizeof *policy);

	if (policy == NULL)
		return NULL;
	policy->refs = 1;
	policy->config = config_ref(queue->config);
	policy->tls_client = tls_client_ref(queue->tls_client);
	policy->workers = queue->options.workers;
	policy->core = queue->options.core;
	policy->tls = route != NULL ? route->tls : config->delivery.tls;
	policy->ehlo_name =
	    own != NULL && own->hostname[0] != '\0' ? own->hostname : config->hostname;
	policy->source_ipv4 = own != NULL ? own->ipv4 : config->delivery.source_ipv4;
	policy->source_ipv6 = own != NULL ? own->ipv6 : config->delivery.source_ipv6;
	policy->is_pool = own != NULL;
	policy->username = span_dup(span_of(route != NULL ? route->username : ""));
	policy->password = span_dup(span_of(route != NULL ? route->password : ""));
	if (policy->username == NULL || policy->password == NULL) {
		delivery_policy_unref(policy);
		return NULL;
	}
	return policy;
}

/* Under the present configuration; NULL: out of memory. There are few, and they are kept by how recently they were
 * used. */
static struct delivery_policy *
policy_for(struct queue *queue, const struct config_route *route, const struct source *source)
{
	struct policy *policy;

	LIST_FOREACH (node, &queue->policies) {
		policy = container_of(node, struct policy, node);
		if (policy->route == route && policy->source == source) {
			list_del(&policy->node);
			list_add_head(&queue->policies, &policy->node);
			return policy->delivery;
		}
	}
	policy = malloc(sizeof *policy);
	if (policy == NULL)
		return NULL;
	*policy = (struct policy){ .route = route,
		.source = source,
		.delivery = delivery_policy_new(queue, route, source) };
	if (policy->delivery == NULL) {
		free(policy);
		return NULL;
	}
	list_add_head(&queue->policies, &policy->node);
	return policy->delivery;
}

/* Before the configuration goes. */
static void
drop_policies(struct queue *queue)
{
	struct list *node;

	while ((node = list_pop(&queue->policies)) != NULL) {
		struct policy *policy = container_of(node, struct policy, node);

		delivery_policy_unref(policy->delivery);
		free(policy);
	}
}

/* ------------------------------------------------------------------ slots --------------------- */

static void
slot_close(struct slot *slot)
{
	struct queue *queue = slot->path->site->queue;

	timer_cancel(&slot->idle_timer);
	queue->idle_count -= slot->is_idle;
	list_del(&slot->node);
	list_del(&slot->lru);
	if (!slot->cut)
		channel_close(slot->channel);
	slot->path->open -= slot->is_open;
	slot->path->slots--;
	queue->slots--;
	free(slot);
}

static void
on_slot_idle(void *arg)
{
	slot_close(arg);
}

static struct slot *
slot_new(struct path *path, struct delivery_policy *policy)
{
	struct queue *queue = path->site->queue;
	struct loop *loop = queue->options.loops[queue->next_loop++ % queue->options.loop_count];
	struct slot *slot = calloc(1, sizeof *slot);

	if (slot == NULL)
		return NULL;
	slot->channel = channel_new(loop, policy);
	if (slot->channel == NULL) {
		free(slot);
		return NULL;
	}
	slot->path = path;
	slot->policy = policy;
	list_init(&slot->node);
	list_init(&slot->lru);
	timer_init(&slot->idle_timer, queue->options.core, on_slot_idle, slot);
	list_add_tail(&queue->busy_slots, &slot->lru);
	path->slots++;
	queue->slots++;
	return slot;
}

/* An idle one of the path with the same policy, and if possible of the same hosts. */
static struct slot *
find_idle(
    const struct path *path, const struct delivery_policy *policy, const struct exchange *exchange)
{
	struct slot *any = NULL;
	int looked_at = 0;

	LIST_FOREACH (node, &path->idle) {
		struct slot *slot = container_of(node, struct slot, node);

		if (looked_at++ == IDLE_LOOKED_AT)
			break;
		if (slot->policy != policy)
			continue;
		if (slot->exchange == exchange)
			return slot;
		any = slot;
	}
	return any;
}

static void
use(struct queue *queue, struct slot *slot)
{
	list_del(&slot->node);
	list_del(&slot->lru);
	list_add_tail(&queue->busy_slots, &slot->lru);
	timer_cancel(&slot->idle_timer);
	slot->is_idle = false;
	queue->idle_count--;
}

struct slot *
slot_take(struct running *running)
{
	struct path *path = running->path;
	struct queue *queue = path->site->queue;
	struct delivery_policy *policy =
	    policy_for(queue, item_destination(running->item)->route, path->source);
	struct slot *slot = policy != NULL ? find_idle(path, policy, running->exchange) : NULL;

	if (policy == NULL)
		return NULL;
	if (slot != NULL) {
		use(queue, slot);
		slot->exchange = running->exchange;
		return slot;
	}
	/* Of the path itself first: it may have no more than its limit. */
	if (path->slots > 0 && path->slots >= learn_limit(&path->learned) &&
	    !list_is_empty(&path->idle))
		slot_close(container_of(path->idle.prev, struct slot, node));
	if (queue->slots >= (size_t)queue->config->delivery.max_connections) {
		struct list *oldest = queue->idle_slots.next;

		if (oldest == &queue->idle_slots)
			return NULL;
		slot_close(container_of(oldest, struct slot, lru));
	}
	slot = slot_new(path, policy);
	if (slot != NULL)
		slot->exchange = running->exchange;
	return slot;
}

void
slot_give_back(struct slot *slot)
{
	struct queue *queue = slot->path->site->queue;

	if (!slot->is_open || queue->stopping || slot->policy->config != queue->config ||
	    slot->policy->tls_client != queue->tls_client) {
		slot_close(slot);
		return;
	}
	list_add_head(&slot->path->idle, &slot->node);
	list_del(&slot->lru);
	list_add_tail(&queue->idle_slots, &slot->lru);
	slot->is_idle = true;
	queue->idle_count++;
	timer_set(&slot->idle_timer, queue->config->delivery.idle_ms);
}

void
slots_close_idle(struct queue *queue)
{
	while (!list_is_empty(&queue->idle_slots))
		slot_close(container_of(queue->idle_slots.next, struct slot, lru));
	drop_policies(queue);
}

void
slots_cut(struct queue *queue)
{
	LIST_FOREACH (node, &queue->busy_slots) {
		struct slot *slot = container_of(node, struct slot, lru);

		slot->cut = true;
		channel_close(slot->channel);
	}
}
