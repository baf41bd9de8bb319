/* queue/queue.c - messages come in, are there again after a start, and deliveries begin and end. */
#include "config.h"

#include "queue/internal.h"

#include <stdlib.h>

#include "util/clock.h"
#include "util/log.h"

enum {
	SWEEP_MS = 60000
};

/* ------------------------------------------------------------------ in ------------------------ */

static void
on_committed(void *arg, enum rc rc, const struct why *why)
{
	struct queue_message *m = arg;
	struct stream *streams[MESSAGE_RECIPIENTS_MAX];
	size_t count = 0;
	queue_callback *callback = m->first.callback;
	void *callback_arg = m->first.arg;

	if (rc != RC_OK) {
		callback(callback_arg, rc, 0, why);
		message_free(m);
		return;
	}
	message_queue(m)->message_count++;
	callback(callback_arg, RC_OK, m->entry.sequence, why);
	ITEMS_FOREACH (item, m) {
		streams[count++] = item->stream;
		item_begin(item);
	}
	/* What is known without an attempt is settled from inside: the message may be gone after any of them. */
	for (size_t i = 0; i < count; i++)
		stream_run(streams[i]);
}

enum rc
queue_submit(struct queue *queue, struct message *message, queue_callback *callback, void *arg,
    struct why *why)
{
	struct queue_message *m = message_make(queue, message);
	enum rc rc;

	if (m == NULL)
		return why_set(why, RC_LATER, 451, "Temporary service failure");
	m->first.callback = callback;
	m->first.arg = arg;
	message_keep_hot(m, message);
	rc = spool_append_message(queue->options.spool, &m->entry, message, on_committed, m, why);
	if (rc != RC_OK)
		message_free(m);
	return rc;
}

/* ------------------------------------------------------------------ start and stop ------------ */

static void
count_replayed(const struct queue *queue, const struct message *envelope)
{
	if (queue->options.on_replayed != NULL)
		queue->options.on_replayed(queue->options.arg, envelope);
}

static struct spool_entry *
on_replay_message(void *arg, const struct message *envelope)
{
	struct queue *queue = arg;
	struct queue_message *m = message_make(queue, envelope);

	if (m == NULL)
		return NULL;
	count_replayed(queue, envelope);
	queue->replays_poison = false;
	return &m->entry;
}

static void
on_replay_ended(void *arg, const struct message *envelope)
{
	count_replayed(arg, envelope);
}

static void
on_replay_state(void *arg, struct spool_entry *entry, struct span bytes)
{
	struct queue_message *m = container_of(entry, struct queue_message, entry);
	struct recipient_state states[MESSAGE_RECIPIENTS_MAX];

	(void)arg;
	if (state_decode(bytes, states, m->recipient_count) != RC_OK) {
		log_line(LOG_LEVEL_ERROR, "qmgr", "%010llX: damaged state record: tried anew",
		    (unsigned long long)entry->sequence);
		return;
	}
	ITEMS_FOREACH (item, m)
		for (size_t i = 0; i < m->recipient_count; i++) {
			if (!item_has(item, i))
				continue;
			m->held |= states[i].held;
			if (states[i].settled)
				item_remove(item, i);
			item->attempts = states[i].attempts;
			item->replay_ms = states[i].due_ms;
		}
}

static void
on_replay_poison(void *arg, struct spool_entry *entry)
{
	struct queue *queue = arg;

	(void)entry;
	queue->replays_poison = true;
}

static void
start_item(const struct queue *queue, struct queue_item *item)
{
	int64_t delay_ms = item->replay_ms > 0 ? item->replay_ms - clock_wall_ms() : 0;

	if (item->open == 0) {
		item_end(item);
		return;
	}
	if (item_message(item)->held)
		item_set_reason(item, "held since before the last start");
	/* A clock that jumped must not freeze the queue. */
	if (delay_ms > queue->config->delivery.retry_max_ms)
		delay_ms = queue->config->delivery.retry_max_ms;
	if (delay_ms > 0) {
		item_defer(item, delay_ms);
	} else {
		item_begin(item);
		destination_run_later(item_destination(item));
	}
}

static void
hold_poison(struct queue_message *m)
{
	static const char reason[] =
	    "held: it was under way each of the last two times the daemon died of a fault";

	log_line(
	    LOG_LEVEL_ERROR, "qmgr", "%010llX: %s", (unsigned long long)m->entry.sequence, reason);
	queue_hold(m, reason);
}

static void
on_replay_taken(void *arg, struct spool_entry *entry)
{
	struct queue *queue = arg;
	struct queue_message *m = container_of(entry, struct queue_message, entry);

	queue->message_count++;
	queue->held += m->held;
	ITEMS_FOREACH (item, m)
		start_item(queue, item);
	if (message_is_over(m))
		queue_discard(m); /* the crash came between the last outcome and "done" */
	else if (queue->replays_poison)
		hold_poison(m);
}

static void
on_left(void *arg, struct spool_entry *entry)
{
	(void)arg;
	message_free(container_of(entry, struct queue_message, entry));
}

const struct spool_replay_ops queue_replay_ops = { .on_message = on_replay_message,
	.on_ended = on_replay_ended,
	.on_state = on_replay_state,
	.on_poison = on_replay_poison,
	.on_taken = on_replay_taken,
	.on_left = on_left };

void
queue_start(struct queue *queue)
{
	queue->started = true;
	MAP_FOREACH (slot, &queue->destinations)
		destination_run_later(slot->value);
	timer_set(&queue->sweep_timer, SWEEP_MS);
}

static void
on_sweep(void *arg)
{
	struct queue *queue = arg;

	streams_sweep(queue);
	destinations_sweep(queue);
	sites_sweep(queue);
	timer_set(&queue->sweep_timer, SWEEP_MS);
}

enum rc
queue_new(const struct queue_options *options, struct config *config, struct tls_client *tls_client,
    struct queue **out, struct why *why)
{
	struct queue *queue = calloc(1, sizeof *queue);

	*out = queue;
	if (queue == NULL)
		return why_set(why, RC_LATER, 0, "out of memory for the queue");
	queue->options = *options;
	queue->config = config_ref(config);
	queue->tls_client = tls_client_ref(tls_client);
	slab_init(&queue->messages, sizeof(struct queue_message));
	list_init(&queue->cursors);
	list_init(&queue->reports);
	list_init(&queue->idle_slots);
	list_init(&queue->busy_slots);
	list_init(&queue->starved);
	list_init(&queue->later);
	list_init(&queue->policies);
	wheel_init(&queue->deferred, options->core, item_on_due);
	timer_init(&queue->sweep_timer, options->core, on_sweep, queue);
	timer_init(&queue->later_timer, options->core, destinations_run_later, queue);
	if (sites_open(queue) != RC_OK || pools_configure(queue) != RC_OK)
		return why_set(why, RC_LATER, 0, "out of memory for the queue");
	return RC_OK;
}

void
queue_configure(struct queue *queue, struct config *config, struct tls_client *tls_client)
{
	struct config *old_config = queue->config;
	struct tls_client *old_client = queue->tls_client;

	slots_close_idle(queue); /* busy ones are closed when they come back: their policy is old */
	queue->config = config_ref(config);
	queue->tls_client = tls_client_ref(tls_client);
	if (pools_configure(queue) != RC_OK)
		log_line(LOG_LEVEL_ERROR, "config", "out of memory: mail goes by the default pool");
	config_unref(old_config);
	tls_client_unref(old_client);
	queue->generation++;
	sites_reconfigure(queue);
	destinations_reconfigure(queue);
	flows_refresh(queue);
}

void
queue_flows_changed(struct queue *queue)
{
	flows_refresh(queue);
}

void
queue_stop(struct queue *queue, void (*on_idle)(void *arg), void *arg)
{
	queue->stopping = true;
	queue->on_idle = on_idle;
	queue->on_idle_arg = arg;
	destinations_stop_lookups(queue); /* what would wait for hosts waits for the next start */
	wheel_stop(&queue->deferred);
	timer_cancel(&queue->sweep_timer);
	slots_close_idle(queue);
	queue_check_idle(queue);
}

void
queue_cut(struct queue *queue)
{
	queue->cut =
	    true; /* reports that a broken disk does not take are made again after the next start */
	slots_cut(queue);
	destinations_stop_lookups(queue);
	queue_check_idle(queue);
}

void
queue_free(struct queue *queue)
{
	if (queue == NULL)
		return;
	destinations_stop_lookups(queue);
	wheel_stop(&queue->deferred);
	timer_cancel(&queue->sweep_timer);
	cursors_end(queue);
	timer_cancel(&queue->later_timer);
	reports_free(queue);
	slots_close_idle(queue);
	streams_free(queue);
	destinations_free(queue);
	sites_free(queue);
	pools_free(queue);
	slab_free(&queue->messages);
	map_free(&queue->reasons);
	config_unref(queue->config);
	tls_client_unref(queue->tls_client);
	free(queue);
}
