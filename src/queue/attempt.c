/* queue/attempt.c - items begin, and end.
 *
 * In this order: a lane says which stream is next (fair.h) and a path that it may be tried; when the hosts are known, are
 * not paused, and a connection may be had, the item's message is read (few are in memory, however long the queue); then
 * it is tried, or settled by what is known already.
 *
 * Always true: `active` items (loading, or in an attempt) never exceed the limit of their path, nor all of them that of
 * all connections; every active item ends in item_settle, item_put_back or item_make_ready. */
#include "config.h"

#include "queue/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/crypto.h"
#include "util/log.h"

enum {
	LATE_MS = 60000,
	PUT_OFF_MIN_MS = 1000,
	PUT_OFF_MAX_MS = 60000,
	PUT_OFF_TEXT = OUTCOME_TEXT_MAX + 32,
	PUT_OFF_AT_ONCE = 1000 /* items that are put off in one round of the loop */
};

enum begun {
	NOTHING, /* there is nothing to begin, or no path for it */
	AGAIN,	 /* what was next is not any more */
	BEGUN
};

static struct running *
running_new(struct queue_item *item, struct lane *lane, enum fair_kind kind, struct path *path)
{
	struct destination *d = item_destination(item);
	struct queue *queue = d->queue;
	struct running *running = calloc(1, sizeof *running);

	if (running == NULL)
		return NULL;
	running->item = item;
	running->lane = lane;
	running->kind = kind;
	running->path = path;
	running->exchange = destination_has_hosts(d) ? d->exchange : NULL;
	running->work = spool_work_begin(queue->options.spool, item_message(item)->entry.sequence);
	path->active++;
	queue->active++;
	if (running->exchange != NULL)
		running->exchange->active++;
	return running;
}

/* The item is the caller's to move on, or is gone. */
static void
running_free(struct running *running)
{
	struct queue *queue = running->path->site->queue;

	fair_end(&running->lane->fair, running->kind);
	running->path->active--;
	queue->active--;
	if (running->exchange != NULL)
		running->exchange->active--;
	if (running->work != 0 && running->work == queue->suspect_work)
		queue->suspect_work = 0;
	if (queue->options.spool != NULL) /* NULL: at the end it goes first */
		spool_work_end(queue->options.spool, running->work);
	free(running);
}

/* After one of the site has ended: others may begin. */
static void
go_on(struct site *site)
{
	struct queue *queue = site->queue;

	site_run(site);
	queue_wake_starved(queue);
	queue_check_idle(queue);
}

/* ------------------------------------------------------------------ without an attempt -------- */

static void
outcome_of_hosts(const struct queue_item *item, const char *address, struct outcome *out)
{
	const struct mx_result *hosts = item_destination(item)->hosts;
	static const struct {
		enum outcome_kind kind;
		int code;
		const char *status;
	} table[] = {
		[MX_NULL] = { OUTCOME_FAILED, 556, "5.1.10" },
		[MX_NO_DOMAIN] = { OUTCOME_FAILED, 550, "5.1.2" },
		[MX_NO_HOST] = { OUTCOME_FAILED, 550, "5.4.4" },
		[MX_LOOP] = { OUTCOME_FAILED, 554, "5.4.6" },
		[MX_FAILED] = { OUTCOME_DEFERRED, 421, "4.4.3" },
	};

	(void)address;
	out->kind = OUTCOME_NONE;
	outcome_set(out, table[hosts->status].kind, table[hosts->status].code,
	    table[hosts->status].status, hosts->why);
}

/* Its time is over: why it was not tried, which makes it a failure in item_settle. */
static void
outcome_of_wait(const struct queue_item *item, const char *address, struct outcome *out)
{
	(void)address;
	if (outcome_parse(item_reason(item), out) == RC_OK)
		return;
	out->kind = OUTCOME_NONE;
	outcome_set(out, OUTCOME_DEFERRED, 421, "4.4.1", "no connection was free for it in time");
}

/* All open recipients of the item get their outcome without an attempt. */
static void
settle_all(struct running *running, struct message *message,
    void (*outcome_of)(const struct queue_item *item, const char *address, struct outcome *out))
{
	struct queue_item *item = running->item;
	struct client_recipient *results = calloc(message->recipient_count, sizeof *results);
	uint8_t index[MESSAGE_RECIPIENTS_MAX];
	size_t count = 0;

	running_free(running);
	if (results == NULL) {
		item_put_back(item, "out of memory");
		return;
	}
	for (size_t i = 0; i < message->recipient_count; i++)
		if (item_has(item, i)) {
			results[count].address = message->recipients[i].address;
			outcome_of(item, results[count].address, &results[count].outcome);
			index[count++] = (uint8_t)i;
		}
	item_settle(item, message, index, results, count, NULL, 0);
	free(results);
}

/* ------------------------------------------------------------------ attempts ------------------ */

/* The site takes no further connection now, and has others: no fault of the message, which is not told of it. */
static bool
was_one_too_many(const struct running *running, const struct attempt *attempt)
{
	return attempt->report.transmit_us == 0 && running->path->open > 0 &&
	       attempt->recipients[0].outcome.kind == OUTCOME_DEFERRED &&
	       attempt->recipients[0].outcome.remote &&
	       message_left_ms(item_message(running->item)) > 0;
}

static void
on_attempt_done(struct attempt *attempt)
{
	struct running *running = attempt->owner;
	struct queue_item *item = running->item;
	struct site *site = running->path->site;
	int64_t waited_us = running->waited_us;
	bool too_many;

	if (attempt->report.transmit_us > 0)
		histogram_add(&site->queue->times.attempt,
		    attempt->report.setup_us + attempt->report.transmit_us);
	path_judge(running->path, running->slot, attempt);
	slot_give_back(running->slot);
	too_many = was_one_too_many(running, attempt);
	if (!too_many) {
		exchange_judge(running->exchange, attempt);
		if (!exchange_is_ready(running->exchange)) /* perhaps the hosts have changed */
			destination_drop_hosts(item_destination(item));
	}
	running_free(running);
	if (too_many)
		item_put_back(item, attempt->recipients[0].outcome.text);
	else
		item_settle(item, attempt->message, attempt->index, attempt->recipients,
		    attempt->count, &attempt->report, waited_us);
	attempt_free(attempt);
	go_on(site);
}

static enum config_tls_policy
stricter(enum config_tls_policy site, int message)
{
	return message > (int)site ? (enum config_tls_policy)message : site;
}

/* No attempt could be made: when connections have run out meanwhile, the item waits for one. */
static void
fail_to_begin(struct running *running)
{
	struct queue_item *item = running->item;
	struct stream *stream = item->stream;
	struct queue *queue = running->path->site->queue;
	bool no_memory = slots_are_free(queue);

	running_free(running);
	if (no_memory) {
		item_put_back(item, "out of memory");
		return;
	}
	item_make_ready(item);
	if (stream->fair.turn != NULL)
		fair_block(stream->fair.turn, &queue->starved);
}

static void
begin_attempt(struct running *running, struct message *message)
{
	struct queue_item *item = running->item;
	uint8_t index[MESSAGE_RECIPIENTS_MAX];
	size_t count = 0;
	struct attempt *attempt;

	for (size_t i = 0; i < message->recipient_count; i++)
		if (item_has(item, i))
			index[count++] = (uint8_t)i;
	attempt = attempt_new(message, item_destination(item)->hosts, index, count);
	running->slot = attempt != NULL ? slot_take(running) : NULL;
	if (running->slot == NULL) {
		attempt_free(attempt);
		fail_to_begin(running);
		return;
	}
	running->waited_us = (int64_t)((uint32_t)clock_mono_ms() - item->at_ms) * 1000;
	histogram_add(&running->path->site->queue->times
			   .wait[running->kind == FAIR_RETRY][item->stream->key.flow->is_bulk],
	    running->waited_us);
	attempt->tls = stricter(running->slot->policy->tls, message->tls);
	attempt->owner = running;
	attempt->done = on_attempt_done;
	channel_send(running->slot->channel, attempt);
}

/* ------------------------------------------------------------------ loading ------------------- */

/* The message is in memory. What was known before it was loaded may not be any more. */
static void
start(struct running *running, struct message *message)
{
	struct queue_item *item = running->item;
	const struct destination *d;

	if (item_reroute(item, message)) { /* it is gone */
		running_free(running);
		return;
	}
	d = item_destination(item);
	if (running->give_up) {
		settle_all(running, message, outcome_of_wait);
	} else if (d->kind != DESTINATION_REMOTE) {
		settle_all(running, message, known_outcome);
	} else if (d->queue->stopping || !destination_has_hosts(d) ||
		   d->exchange != running->exchange) {
		running_free(running);
		item_make_ready(item);
	} else if (d->hosts->status != MX_OK) {
		settle_all(running, message, outcome_of_hosts);
	} else {
		begin_attempt(running, message);
	}
}

static void
on_loaded(void *arg, struct message *message, const struct why *why)
{
	struct running *running = arg;
	struct queue_item *item = running->item;
	struct site *site = running->path->site;

	site->queue->loading--;
	if (message != NULL) {
		start(running, message);
		message_unref(message);
	} else {
		log_line(LOG_LEVEL_ERROR, "qmgr", "%010llX: cannot be read: %s",
		    (unsigned long long)item_message(item)->entry.sequence, why->text);
		running_free(running);
		item_unreadable(item, why->text);
		if (why->code == 554)
			queue_hold(item_message(item), why->text);
	}
	go_on(site);
}

static void
load(struct running *running)
{
	struct queue_item *item = running->item;
	struct queue_message *m = item_message(item);
	struct queue *queue = running->path->site->queue;

	if (m->is_hot) { /* which it may stop to be meanwhile */
		struct message *hot = message_ref(m->first.hot);

		start(running, hot);
		message_unref(hot);
	} else if (spool_load(queue->options.spool, &m->entry, on_loaded, running) == RC_OK) {
		queue->loading++;
	} else {
		running_free(running);
		item_put_back(item, "the worker pool is full");
	}
}

/* ------------------------------------------------------------------ the next item ------------- */

static void
begin(struct queue_item *item, struct lane *lane, enum fair_kind kind, struct path *path,
    bool give_up)
{
	struct queue *queue = lane->site->queue;
	struct queue_message *m = item_message(item);
	struct running *running = NULL;

	if (spool_is_suspect(queue->options.spool, m->entry.sequence) && queue->suspect_work != 0) {
		item_put_back(item, "waits for others that were under way when the daemon died");
		return;
	}
	running = running_new(item, lane, kind, path);
	if (running == NULL) {
		item_put_back(item, "out of memory");
		return;
	}
	running->give_up = give_up;
	fair_begin(&item->stream->fair, kind, fair_cost(m->entry.size),
	    (unsigned)queue->config->delivery.retry_share);
	path_count(path);
	queue->ready--;
	item->state = ITEM_ACTIVE;
	load(running);
}

/* Why nothing may begin for the destination now, and how long; false: it may. */
static bool
must_wait(const struct destination *d, int64_t *wait_ms, char text[PUT_OFF_TEXT])
{
	const struct exchange *e = d->exchange;

	if (destination_is_paused(d)) {
		*wait_ms = d->paused_until_ms - clock_mono_ms();
		(void)snprintf(text, PUT_OFF_TEXT, "paused: %s", d->pause_reason);
		return true;
	}
	if (e == NULL || exchange_is_ready(e))
		return false;
	*wait_ms = exchange_wait_ms(e);
	if (e->last != NULL)
		outcome_format(e->last, text, PUT_OFF_TEXT);
	else
		(void)snprintf(text, PUT_OFF_TEXT, "another message is tried first");
	return true;
}

/* The item gets a time of its own, so that it does not wait beyond the end of its message. It is looked at again before
 * long, since a pause may be ended. */
static void
put_off(struct queue_item *item, int64_t wait_ms, const char *text)
{
	uint32_t random;

	if (wait_ms < PUT_OFF_MIN_MS)
		wait_ms = PUT_OFF_MIN_MS;
	if (wait_ms > PUT_OFF_MAX_MS)
		wait_ms = PUT_OFF_MAX_MS;
	crypto_random(&random, sizeof random);
	item_set_reason(item, text);
	item_defer(item, wait_ms + (int64_t)(random % (uint64_t)(wait_ms / 2)));
}

static bool
is_too_late(const struct queue_item *item, bool waits)
{
	const struct queue_message *m = item_message(item);

	/* The last try is at the end. One without an end of its own is tried once more, however late. */
	return waits ? message_left_ms(m) <= 0 : m->has_end && message_left_ms(m) < -LATE_MS;
}

static enum begun
begin_next(struct lane *lane)
{
	struct queue *queue = lane->site->queue;
	enum fair_kind kind;
	size_t limit = 0;
	struct path *path = queue->started && !queue->stopping ? lane_path(lane, &limit) : NULL;
	struct fair_stream *next = path != NULL
				       ? fair_next(&lane->fair, limit,
					     (unsigned)queue->config->delivery.retry_share, &kind)
				       : NULL;
	const struct destination *d;
	struct queue_item *item;
	char why[PUT_OFF_TEXT];
	int64_t wait_ms = 0;
	bool known, waits;

	if (next == NULL)
		return NOTHING;
	item = container_of(next->sides[kind].items.next, struct queue_item, node);
	d = item_destination(item);
	/* One of an older configuration may belong elsewhere: its message tells. */
	known = d->kind != DESTINATION_REMOTE || item->generation != queue->generation;
	if (!known && !destination_has_hosts(d)) {
		destination_await_hosts(item->stream);
		return AGAIN;
	}
	waits = !known && must_wait(d, &wait_ms, why);
	if (waits && !is_too_late(item, true)) {
		put_off(item, wait_ms, why);
		return AGAIN;
	}
	if (!lane->site->is_local && !slots_are_free(queue)) {
		fair_block(next->turn, &queue->starved);
		return AGAIN;
	}
	begin(item, lane, kind, path, is_too_late(item, waits));
	return BEGUN;
}

/* How often what is next may turn out not to be, before the loop is left to others. */
static void
run_rest_later(struct lane *lane)
{
	for (int kind = 0; kind < FAIR_KINDS; kind++)
		LIST_FOREACH (node, &lane->fair.lines[kind]) {
			struct fair_side *side = container_of(node, struct fair_side, node);
			struct list *streams = !list_is_empty(&side->transactional)
						   ? &side->transactional
						   : &side->bulk;

			destination_run_later(
			    container_of(streams->next, struct stream, fair.sides[kind].node)
				->key.destination);
			return;
		}
}

void
lane_run(struct lane *lane)
{
	int put_off = 0;
	enum begun begun;

	while ((begun = begin_next(lane)) != NOTHING)
		if (begun == AGAIN && ++put_off == PUT_OFF_AT_ONCE) {
			run_rest_later(lane);
			return;
		}
}

void
site_run(struct site *site)
{
	LIST_FOREACH (node, &site->lanes)
		lane_run(container_of(node, struct lane, node));
}

/* All that are left in the lane wait behind the other accounts. */
static void
block_rest(struct lane *lane)
{
	for (int kind = 0; kind < FAIR_KINDS; kind++)
		while (!list_is_empty(&lane->fair.lines[kind]))
			fair_block(
			    container_of(lane->fair.lines[kind].next, struct fair_side, node)->turn,
			    &lane->site->queue->starved);
}

/* One item for each account in turn while a connection is free: the first may not need it after all, and nobody would
 * come back for the others. */
void
queue_wake_starved(struct queue *queue)
{
	struct fair_turn *turn;

	while (!queue->stopping && slots_are_free(queue) &&
	       (turn = fair_unblock(&queue->starved)) != NULL) {
		struct lane *lane = container_of(turn->lane, struct lane, fair);
		enum begun begun;

		if (list_is_empty(&queue->starved)) {
			lane_run(lane);
			continue;
		}
		do
			begun = begin_next(lane);
		while (begun == AGAIN);
		if (begun == BEGUN)
			block_rest(lane);
	}
}

void
queue_check_idle(struct queue *queue)
{
	if (!queue->stopping || queue->active > 0 || queue->on_idle == NULL ||
	    (!list_is_empty(&queue->reports) && !queue->cut))
		return;
	slots_close_idle(queue);
	queue->on_idle(queue->on_idle_arg);
	queue->on_idle = NULL;
}
