/* queue/stream.c - flows, and what each has for each destination.
 *
 * Always true: an item that is not over is counted in its stream and in the destination of that; a stream whose items
 * are ready is attached to a lane, or its destination is looking for hosts or will be run. */
#include "config.h"

#include "queue/internal.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ flows --------------------- */

static struct fair_account *
account_get(struct queue *queue, struct span name)
{
	struct fair_account *account = map_get(&queue->accounts, name);
	char *copy;

	if (account != NULL)
		return account;
	copy = span_dup(name);
	account = copy != NULL ? malloc(sizeof *account) : NULL;
	if (account != NULL)
		fair_account_init(account, copy);
	if (account == NULL || map_put(&queue->accounts, span_of(copy), account) != RC_OK) {
		free(account);
		free(copy);
		return NULL;
	}
	return account;
}

static void
account_put(struct queue *queue, struct fair_account *account)
{
	if (--account->refs > 0)
		return;
	(void)map_del(&queue->accounts, span_of(account->name));
	free(account->name);
	free(account);
}

static void
ask_settings(struct flow *flow)
{
	const struct queue *queue = flow->queue;
	const char *set = flow->key + strlen(flow->key) + 1;
	struct queue_flow_settings settings = { .weight = 1, .pool = "" };

	if (queue->options.flow_settings != NULL)
		queue->options.flow_settings(queue->options.arg, flow->key, set, &settings);
	flow->account->weight = settings.weight < 1		    ? 1
				: settings.weight > FAIR_WEIGHT_MAX ? FAIR_WEIGHT_MAX
								    : settings.weight;
	flow->is_bulk = settings.is_bulk;
	flow->pool = pool_find(queue, settings.pool);
}

/* Without fairness there is one account, so that all wait in one line. */
static struct flow *
flow_for(struct queue *queue, const struct message *message)
{
	char key[512];
	bool fair = queue->config->delivery.fair;
	const char *account = fair ? message->account : "", *set = message->configuration_set;
	size_t account_len = strlen(account), set_len = fair ? strlen(set) : 0,
	       len = account_len + 1 + set_len;
	struct flow *flow;

	if (len > sizeof key) /* names are bounded far below */
		return NULL;
	memcpy(key, account, account_len + 1);
	memcpy(key + account_len + 1, set, set_len);
	flow = map_get(&queue->flows, span_make(key, len));
	if (flow != NULL)
		return flow;
	flow = calloc(1, sizeof *flow + len + 1);
	if (flow == NULL)
		return NULL;
	flow->queue = queue;
	flow->key_len = len;
	memcpy(flow->key, key, len);
	list_init(&flow->streams);
	flow->account = account_get(queue, span_make(account, account_len));
	if (flow->account == NULL ||
	    map_put(&queue->flows, span_make(flow->key, len), flow) != RC_OK) {
		free(flow); /* an account without flows goes with the next of them */
		return NULL;
	}
	flow->account->refs++;
	ask_settings(flow);
	return flow;
}

static void
flow_free(struct flow *flow)
{
	(void)map_del(&flow->queue->flows, span_make(flow->key, flow->key_len));
	account_put(flow->queue, flow->account);
	free(flow);
}

void
flows_refresh(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->flows) {
		struct flow *flow = slot->value;
		bool was_bulk = flow->is_bulk;
		const struct pool *old_pool = flow->pool;

		ask_settings(flow);
		if (flow->is_bulk == was_bulk && flow->pool == old_pool)
			continue;
		LIST_FOREACH (node, &flow->streams) {
			struct stream *stream = container_of(node, struct stream, of_flow);

			fair_detach(&stream->fair);
			destination_run_later(stream->key.destination);
		}
	}
}

/* ------------------------------------------------------------------ streams ------------------- */

static struct span
stream_key(const struct stream *stream)
{
	return span_make((const char *)&stream->key, sizeof stream->key);
}

struct stream *
stream_for(struct queue *queue, const struct message *message, const char *address)
{
	struct stream wanted = { .key = { destination_for(queue, message, address),
				     flow_for(queue, message) } };
	struct stream *stream;

	if (wanted.key.destination == NULL || wanted.key.flow == NULL)
		return NULL;
	stream = map_get(&queue->streams, stream_key(&wanted));
	if (stream != NULL)
		return stream;
	stream = malloc(sizeof *stream);
	if (stream == NULL)
		return NULL;
	*stream = wanted;
	fair_stream_init(&stream->fair);
	if (map_put(&queue->streams, stream_key(stream), stream) != RC_OK) {
		free(stream);
		return NULL;
	}
	list_add_tail(&stream->key.destination->streams, &stream->of_destination);
	list_add_tail(&stream->key.flow->streams, &stream->of_flow);
	return stream;
}

static void
stream_free(struct stream *stream)
{
	fair_detach(&stream->fair);
	(void)map_del(&stream->key.flow->queue->streams, stream_key(stream));
	list_del(&stream->of_destination);
	list_del(&stream->of_flow);
	if (list_is_empty(&stream->key.flow->streams))
		flow_free(stream->key.flow);
	free(stream);
}

static enum fair_kind
kind_of(const struct queue_item *item)
{
	return item->attempts > 0 ? FAIR_RETRY : FAIR_FIRST;
}

void
stream_add(struct queue_item *item)
{
	fair_add(&item->stream->fair, kind_of(item), &item->node);
	item_destination(item)->queue->ready++;
}

void
stream_remove(struct queue_item *item)
{
	fair_remove(&item->stream->fair, kind_of(item), &item->node);
	item_destination(item)->queue->ready--;
}

void
stream_run(struct stream *stream)
{
	if (stream->fair.turn == NULL)
		destination_place(stream);
	if (stream->fair.turn != NULL)
		lane_run(container_of(stream->fair.turn->lane, struct lane, fair));
}

void
streams_sweep(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->streams) {
		struct stream *stream = slot->value;

		if (stream->items == 0)
			stream_free(stream);
	}
}

void
streams_free(struct queue *queue)
{
	MAP_FOREACH (slot, &queue->streams)
		stream_free(slot->value);
	map_free(&queue->streams);
	MAP_FOREACH (slot, &queue->flows)
		flow_free(slot->value);
	map_free(&queue->flows);
	MAP_FOREACH (slot, &queue->accounts) {
		struct fair_account *account = slot->value;

		free(account->name);
		free(account);
	}
	map_free(&queue->accounts);
}
