/* queue/overview.c - the queue as a whole, its destinations and sites, and what each message waits for. */
#include "config.h"

#include "queue/internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "util/clock.h"

void
queue_stats(const struct queue *queue, struct queue_stats *out)
{
	const struct queue_message *oldest = queue_next_message(queue, 0);

	*out = (struct queue_stats){ .messages = queue->message_count,
		.messages_held = queue->held,
		.items_ready = queue->ready,
		.items_active = queue->active,
		.items_deferred = queue->deferred.count,
		.channels = queue->slots,
		.destinations = queue->destinations.len,
		.sites = queue->sites.len - 1 }; /* not the local one */
	if (oldest != NULL)
		out->oldest_ms = message_id_time_ms(&oldest->id);
}

const struct queue_times *
queue_times(const struct queue *queue)
{
	return &queue->times;
}

static bool
is_paused(const struct site *site)
{
	MAP_FOREACH (slot, &site->exchanges)
		if (!exchange_is_ready(slot->value))
			return true;
	return false;
}

static bool
has_source(const struct pool *pool, const struct source *source)
{
	for (size_t i = 0; i < pool->count; i++)
		if (pool->sources[i] == source)
			return true;
	return false;
}

static uint64_t
ready_for(const struct site *site, const struct source *source)
{
	uint64_t ready = 0;

	LIST_FOREACH (node, &site->lanes) {
		const struct lane *lane = container_of(node, struct lane, node);

		if (has_source(lane->pool, source))
			ready += lane->fair.ready;
	}
	return ready;
}

void
queue_each_site(const struct queue *queue,
    void (*each)(void *arg, const struct queue_site_view *view), void *arg)
{
	MAP_FOREACH (slot, &queue->sites) {
		const struct site *site = slot->value;

		if (site->is_local)
			continue;
		LIST_FOREACH (node, &site->paths) {
			const struct path *path = container_of(node, struct path, node);
			struct queue_site_view view = { .site = site->key,
				.source = path->source->name,
				.ready = ready_for(site, path->source),
				.active = path->active,
				.connections = path->slots,
				.limit = learn_limit(&path->learned),
				.paused = is_paused(site) };

			each(arg, &view);
		}
	}
}

/* ------------------------------------------------------------------ destinations -------------- */

static void
view_destination(const struct destination *d, struct queue_destination_view *out)
{
	const struct exchange *e = d->exchange;

	*out = (struct queue_destination_view){ .destination = d->key,
		.site = e != NULL ? e->site->key : "",
		.paused_ms = destination_is_paused(d) ? d->paused_until_ms - clock_mono_ms() : 0,
		.pause_reason = destination_is_paused(d) ? d->pause_reason : "",
		.failure = e != NULL && e->last != NULL ? e->last : NULL };
	LIST_FOREACH (node, &d->streams) {
		const struct stream *stream = container_of(node, struct stream, of_destination);

		out->items += stream->items;
		out->ready +=
		    stream->fair.sides[FAIR_FIRST].count + stream->fair.sides[FAIR_RETRY].count;
	}
}

void
queue_each_destination(const struct queue *queue,
    void (*each)(void *arg, const struct queue_destination_view *view), void *arg)
{
	MAP_FOREACH (slot, &queue->destinations) {
		struct queue_destination_view view;

		view_destination(slot->value, &view);
		if (view.items > 0 || view.paused_ms > 0)
			each(arg, &view);
	}
}

bool
queue_view_destination(
    const struct queue *queue, const char *name, struct queue_destination_view *out)
{
	const struct destination *d = map_get(&queue->destinations, span_of(name));

	if (d != NULL)
		view_destination(d, out);
	return d != NULL;
}

/* ------------------------------------------------------------------ what it waits for --------- */

static void
explain_ready(const struct queue_item *item, struct buf *out)
{
	const struct destination *d = item_destination(item);
	const struct queue *queue = d->queue;
	const struct fair_turn *turn = item->stream->fair.turn;
	size_t limit = 0, active = 0;
	const struct lane *lane;

	if (turn == NULL) {
		buf_addf(out, "the lookup of the hosts of %s", d->key);
		return;
	}
	if (turn->is_blocked) {
		buf_addf(out, "one of the %" PRId64 " connections that there may be in all",
		    queue->config->delivery.max_connections);
		return;
	}
	lane = container_of(turn->lane, struct lane, fair);
	LIST_FOREACH (node, &lane->site->paths) {
		const struct path *path = container_of(node, struct path, node);

		active += path->active;
		limit += learn_limit(&path->learned);
	}
	buf_addf(out, "its turn at %s, where %zu wait and %zu of %zu connections are in use",
	    lane->site->key, lane->fair.ready, active, limit);
}

static void
explain_item(const struct queue_item *item, struct buf *out)
{
	const char *reason = item_reason(item);

	switch (item->state) {
	case ITEM_READY:
		explain_ready(item, out);
		return;
	case ITEM_ACTIVE:
		buf_addf(out, "the end of the attempt that is under way");
		return;
	case ITEM_DEFERRED:
		buf_addf(out, "its next try, after: %s", reason);
		return;
	case ITEM_HELD:
		buf_addf(out, "an operator: %s", reason);
		return;
	default:
		buf_addf(out, "the disk");
	}
}

void
queue_explain(const struct queue_message *m, size_t index, struct buf *out)
{
	ITEMS_FOREACH (item, m)
		if (item_has(item, index)) {
			explain_item(item, out);
			return;
		}
	buf_addf(out, "nothing");
}
