/* queue/queue.c - messages and items: in, settled, deferred, out.
 *
 * Always true: an item that has open recipients is in a site's ready list, active, or in the heap of deferred ones; a
 * message without items has a "done" record on its way, or a report that must be on the disk before it. */
#include "config.h"

#include "queue/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounce/bounce.h"
#include "event/event.h"
#include "queue/retry.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "util/log.h"

enum {
	SWEEP_MS = 60000,
	PUT_BACK_MS = 2000,
	REPORT_RETRY_MS = 10000,
	HOT_SHARE = 8 /* of spool.body_budget is for messages on their way out */
};

/* ------------------------------------------------------------------ items --------------------- */

static void
item_free(struct queue_item *item)
{
	item->site->items--;
	free(item->reason);
	free(item);
}

/* The item of this message for the site, made (deferred, in no list yet) when it is not there. */
static struct queue_item *
item_for(struct queue_message *message, struct site *site)
{
	struct queue_item *item;

	if (site == NULL)
		return NULL;
	for (item = message->items; item != NULL; item = item->next)
		if (item->site == site && item->state != ITEM_ACTIVE)
			return item;
	item = calloc(1, sizeof *item);
	if (item == NULL)
		return NULL;
	item->message = message;
	item->site = site;
	item->state = ITEM_DEFERRED;
	item->generation = message->queue->generation;
	list_init(&item->node);
	item->next = message->items;
	message->items = item;
	site->items++;
	return item;
}

static struct span
domain_of(const char *address)
{
	struct span a = span_of(address);

	return span_skip(a, span_find_last(a, '@') + 1);
}

static void
arm_due_timer(struct queue *queue)
{
	const struct heap_node *first = heap_first(&queue->deferred);

	if (first != NULL)
		timer_set(&queue->due_timer, first->key - clock_mono_ms());
	else
		timer_cancel(&queue->due_timer);
}

static void
on_due(void *arg)
{
	struct queue *queue = arg;
	struct heap_node *first;
	int64_t now_ms = clock_mono_ms();

	while ((first = heap_first(&queue->deferred)) != NULL && first->key <= now_ms) {
		struct queue_item *item = container_of(first, struct queue_item, due);

		heap_del(&queue->deferred, first);
		item_make_ready(item);
		site_run(item->site);
	}
	arm_due_timer(queue);
}

void
item_make_ready(struct queue_item *item)
{
	if (item->message->held) {
		item->state = ITEM_HELD;
		return;
	}
	item->state = ITEM_READY;
	item->ready_us = clock_mono_us();
	site_add(item->site, item);
}

void
item_defer(struct queue_item *item, int64_t delay_ms)
{
	struct queue *queue = item->message->queue;

	if (item->message->held) {
		item->state = ITEM_HELD;
		return;
	}
	item->state = ITEM_DEFERRED;
	if (heap_set(&queue->deferred, &item->due, clock_mono_ms() + delay_ms) != RC_OK) {
		item_make_ready(item); /* early, but never lost */
		return;
	}
	if (heap_first(&queue->deferred) == &item->due)
		arm_due_timer(queue);
}

static void
set_reason(struct queue_item *item, const char *reason)
{
	free(item->reason);
	item->reason = span_dup(span_of(reason));
}

void
item_put_back(struct queue_item *item, const char *reason)
{
	set_reason(item, reason);
	item_defer(item, PUT_BACK_MS);
}

static void drop_item(struct queue_item *item);

bool
item_reroute(struct queue_item *item, const struct message *message)
{
	struct queue_message *m = item->message;
	struct queue *queue = m->queue;
	bool gone;

	if (item->generation == queue->generation)
		return false;
	item->generation = queue->generation;
	for (size_t i = 0; i < message->recipient_count; i++) {
		struct site *site;
		struct queue_item *other;

		if (!set_has(&item->open, i))
			continue;
		site = site_for(queue, domain_of(message->recipients[i].address));
		other = site != item->site ? item_for(m, site) : NULL;
		if (other == NULL)
			continue; /* it stays, or memory is out and it is tried as it was */
		set_remove(&item->open, i);
		if (set_is_empty(&other->open))
			other->attempts = item->attempts;
		set_add(&other->open, i);
	}
	gone = set_is_empty(&item->open);
	if (gone)
		drop_item(item);
	for (struct queue_item *other = m->items; other != NULL; other = other->next)
		if (other->state == ITEM_DEFERRED && !heap_has(&other->due)) {
			item_make_ready(other);
			site_run_later(other->site);
		}
	return gone;
}

/* ------------------------------------------------------------------ messages ------------------ */

/* When a message that was accepted at this wall time began, on the monotonic clock. One from the future is new. */
static int32_t
born_s(int64_t accepted_ms)
{
	int64_t age_ms = clock_wall_ms() - accepted_ms;

	return (int32_t)((clock_mono_ms() - (age_ms > 0 ? age_ms : 0)) / 1000);
}

static struct queue_message *
message_make(struct queue *queue, const struct message *from)
{
	struct queue_message *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->queue = queue;
	m->id = from->id;
	m->max_age_ms = from->max_age_ms;
	m->born_s = born_s(from->accepted_ms);
	m->recipient_count = (uint16_t)from->recipient_count;
	list_init(&m->node);
	for (size_t i = 0; i < from->recipient_count; i++) {
		struct queue_item *item =
		    item_for(m, site_for(queue, domain_of(from->recipients[i].address)));

		if (item == NULL) {
			while ((item = m->items) != NULL) {
				m->items = item->next;
				item_free(item);
			}
			free(m);
			return NULL;
		}
		set_add(&item->open, i);
	}
	return m;
}

static void
message_cool(struct queue_message *m)
{
	if (m->hot == NULL)
		return;
	m->queue->hot_bytes -= m->hot->size - m->hot->file_size;
	message_unref(m->hot);
	m->hot = NULL;
}

static void
queue_message_free(struct queue_message *m)
{
	struct queue *queue = m->queue;
	struct queue_item *item;

	message_cool(m);
	if (m->held)
		queue->held--;
	if (!list_is_empty(&m->node)) {
		cursors_leave(queue, m);
		queue->message_count--;
	}
	list_del(&m->node);
	while ((item = m->items) != NULL) {
		m->items = item->next;
		heap_del(&queue->deferred, &item->due);
		if (item->state == ITEM_READY && !list_is_empty(&item->node))
			site_remove(item->site, item);
		item_free(item);
	}
	free(m);
}

static void
drop_item(struct queue_item *item)
{
	struct queue_item **at = &item->message->items;

	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	item_free(item);
}

/* Nothing is left to do. */
void
queue_discard(struct queue_message *m)
{
	struct queue *queue = m->queue;

	if (spool_append_done(queue->options.spool, &m->entry, NULL, NULL) != RC_OK)
		log_line(LOG_LEVEL_ERROR, "qmgr",
		    "%010llX: out of memory: its end is not recorded, it will be seen again after "
		    "a restart",
		    (unsigned long long)m->entry.sequence);
	event_removed(m->entry.sequence, &m->id);
	queue_message_free(m);
}

static void
record_state(struct queue_message *m)
{
	struct recipient_state *states = calloc(m->recipient_count, sizeof *states);
	struct buf bytes = BUF_EMPTY;
	int64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms();

	if (states == NULL)
		return; /* costs a duplicate after a crash, never a message */
	for (size_t i = 0; i < m->recipient_count; i++)
		states[i].settled = true;
	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		for (size_t i = 0; i < m->recipient_count; i++)
			if (set_has(&item->open, i)) {
				states[i].settled = false;
				states[i].held = m->held;
				states[i].attempts = item->attempts;
				states[i].due_ms = heap_has(&item->due)
						       ? wall_ms + item->due.key - mono_ms
						       : wall_ms;
			}
	state_encode(states, m->recipient_count, &bytes);
	if (!bytes.failed)
		(void)!spool_append_state(
		    m->queue->options.spool, &m->entry, buf_span(&bytes), NULL, NULL);
	buf_free(&bytes);
	free(states);
}

/* ------------------------------------------------------------------ set aside ----------------- */

/* Items that are active follow when they come back. */
void
queue_hold(struct queue_message *m, const char *reason)
{
	if (!m->held)
		m->queue->held++;
	m->held = true;
	for (struct queue_item *item = m->items; item != NULL; item = item->next) {
		set_reason(item, reason);
		if (item->state == ITEM_ACTIVE)
			continue;
		heap_del(&m->queue->deferred, &item->due);
		if (item->state == ITEM_READY && !list_is_empty(&item->node))
			site_remove(item->site, item);
		item->state = ITEM_HELD;
	}
	record_state(m);
}

bool
queue_release(struct queue_message *m)
{
	if (!m->held)
		return queue_retry(m, SPAN_EMPTY);
	m->held = false;
	m->queue->held--;
	for (struct queue_item *item = m->items; item != NULL; item = item->next) {
		if (item->state != ITEM_HELD)
			continue;
		timer_cancel(&item->site->pause);
		item_make_ready(item);
		site_run_later(item->site);
	}
	record_state(m);
	return true;
}

/* ------------------------------------------------------------------ outcomes ------------------ */

static int64_t
max_age_ms(const struct queue_message *m)
{
	return m->max_age_ms > 0 ? m->max_age_ms : m->queue->config->delivery.max_age_ms;
}

static int64_t
age_ms(const struct queue_message *m)
{
	return clock_mono_ms() - (int64_t)m->born_s * 1000;
}

/* By the wall clock, as the log has it: finer, and 0 after a jump backwards. */
static int64_t
shown_age_ms(const struct queue_message *m)
{
	int64_t age_ms = clock_wall_ms() - message_id_time_ms(&m->id);

	return age_ms > 0 ? age_ms : 0;
}

/* A deferral past the end of its time is a failure that names the last cause. */
static void
expire(const struct queue_message *m, struct outcome *outcome)
{
	char last[OUTCOME_TEXT_MAX], text[OUTCOME_TEXT_MAX];

	outcome_format(outcome, last, sizeof last);
	(void)snprintf(text, sizeof text,
	    "Message expired: unable to deliver in %lld minutes.<%.400s>",
	    (long long)(max_age_ms(m) / 60000), last);
	outcome->kind = OUTCOME_NONE;
	outcome_set(outcome, OUTCOME_FAILED, 550, "4.4.7", false, text);
}

static void
tell(const struct queue_message *m, const struct message *message, const char *recipient,
    const struct outcome *outcome, const struct attempt_report *report, int64_t waited_us)
{
	static const struct attempt_report none;
	const struct attempt_report *r = report != NULL ? report : &none;
	char reply[OUTCOME_TEXT_MAX + 32];
	int64_t spent_us = waited_us + r->setup_us + r->transmit_us;
	struct event_recipient event = { .kind = outcome->kind == OUTCOME_DELIVERED ? EVENT_DELIVERY
						 : outcome->kind == OUTCOME_FAILED  ? EVENT_BOUNCE
										    : EVENT_DELAY,
		.sequence = m->entry.sequence,
		.id = &m->id,
		.recipient = recipient,
		.account = message->account,
		.host = r->host,
		.address = r->address,
		.port = r->port,
		.tls_version = r->tls_version,
		.status = outcome->status,
		.reply = reply,
		.queued_us = shown_age_ms(m) * 1000 - spent_us,
		.waited_us = waited_us,
		.setup_us = r->setup_us,
		.transmit_us = r->transmit_us };

	outcome_format(outcome, reply, sizeof reply);
	event_recipient(&event);
}

/* What is settled goes to the disk, but not before the reports on it are there: in one batch a power cut may keep the
 * later record and lose the earlier one, and nobody would be told. */
static void
record_outcome(struct queue_message *m)
{
	if (m->reports > 0)
		return; /* the last of them comes back here */
	if (m->items == NULL)
		queue_discard(m);
	else
		record_state(m);
}

/* A report on its way to the disk. It is tried until it is there: the message it speaks of stays until then. */
struct report {
	struct list node; /* in queue->reports */
	struct queue_message *about;
	struct message *message;
	struct timer retry_timer;
};

static void
report_free(struct report *report)
{
	timer_cancel(&report->retry_timer);
	list_del(&report->node);
	message_unref(report->message);
	free(report);
}

static void
on_report_stored(void *arg, enum rc rc, uint64_t sequence, const struct why *why)
{
	struct report *report = arg;
	struct queue_message *m = report->about;
	struct queue *queue = m->queue;

	(void)sequence;
	if (rc != RC_OK) {
		log_line(
		    LOG_LEVEL_ERROR, "bounce", "a report could not be stored yet: %s", why->text);
		timer_set(&report->retry_timer, REPORT_RETRY_MS);
		return;
	}
	report_free(report);
	m->reports--;
	record_outcome(m);
	queue_check_idle(queue);
}

static void
store_report(void *arg)
{
	struct report *report = arg;
	struct why why = WHY_EMPTY;
	enum rc rc =
	    queue_submit(report->about->queue, report->message, on_report_stored, report, &why);

	if (rc != RC_OK)
		on_report_stored(report, rc, 0, &why);
}

static void
report_failures(struct queue_message *m, const struct message *message,
    const struct bounce_recipient *failed, size_t count)
{
	struct queue *queue = m->queue;
	struct report *report = calloc(1, sizeof *report);
	struct why why = WHY_EMPTY;
	char qid[EVENT_QUEUE_ID_LEN];
	enum rc rc = report != NULL ? bounce_make(queue->config, message, failed, count,
					  &report->message, &why)
				    : why_set(&why, RC_LATER, 0, "out of memory for a report");

	event_queue_id(m->entry.sequence, qid);
	if (rc != RC_OK) {
		log_line(rc == RC_DENY ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "bounce", "%s: %s", qid,
		    why.text);
		free(report);
		return;
	}
	log_line(LOG_LEVEL_INFO, "bounce", "%s: sender non-delivery notification", qid);
	report->about = m;
	m->reports++;
	list_add_tail(&queue->reports, &report->node);
	timer_init(&report->retry_timer, queue->options.core, store_report, report);
	store_report(report);
}

/* Retry later: the distance grows, and never reaches beyond the end of the message's time. */
static void
schedule_retry(struct queue_item *item)
{
	const struct config *config = item->message->queue->config;
	int64_t left_ms = max_age_ms(item->message) - age_ms(item->message), delay_ms;
	uint32_t random;

	crypto_random(&random, sizeof random);
	delay_ms = retry_delay_ms(
	    item->attempts, config->delivery.retry_min_ms, config->delivery.retry_max_ms, random);
	item_defer(item, left_ms > 0 && delay_ms > left_ms ? left_ms : delay_ms);
}

void
item_unreadable(struct queue_item *item, const char *reason)
{
	item->attempts++;
	set_reason(item, reason);
	schedule_retry(item);
}

void
item_settle(struct queue_item *item, struct message *message, const uint8_t *index,
    const struct client_recipient *results, size_t count, const struct attempt_report *report,
    int64_t waited_us)
{
	struct queue_message *m = item->message;
	struct bounce_recipient failed[MESSAGE_RECIPIENTS_MAX];
	struct outcome outcomes[MESSAGE_RECIPIENTS_MAX];
	size_t failed_count = 0;
	bool expired = age_ms(m) >= max_age_ms(m);

	item->attempts++;
	for (size_t i = 0; i < count; i++) {
		struct outcome *outcome = &outcomes[i];

		*outcome = results[i].outcome;
		if (outcome->kind == OUTCOME_DEFERRED && expired)
			expire(m, outcome);
		tell(m, message, results[i].address, outcome, report, waited_us);
		if (outcome->kind == OUTCOME_FAILED)
			failed[failed_count++] = (struct bounce_recipient){ index[i], outcome,
				report != NULL ? report->host : "" };
		if (outcome->kind == OUTCOME_DEFERRED) {
			char text[OUTCOME_TEXT_MAX + 32];

			outcome_format(outcome, text, sizeof text);
			set_reason(item, text);
		} else {
			set_remove(&item->open, index[i]);
		}
	}
	if (failed_count > 0)
		report_failures(m, message, failed, failed_count);
	message_cool(m);
	if (set_is_empty(&item->open))
		drop_item(item);
	else
		schedule_retry(item);
	record_outcome(m);
}

/* ------------------------------------------------------------------ in ------------------------ */

static void
on_committed(void *arg, enum rc rc, const struct why *why)
{
	struct queue_message *m = arg;
	struct queue *queue = m->queue;
	queue_callback *callback = m->callback;
	void *callback_arg = m->arg;

	if (rc != RC_OK) {
		callback(callback_arg, rc, 0, why);
		queue_message_free(m);
		return;
	}
	m->committed = true;
	list_add_tail(&queue->messages, &m->node);
	queue->message_count++;
	callback(callback_arg, RC_OK, m->entry.sequence, why);
	for (struct queue_item *item = m->items, *next; item != NULL; item = next) {
		next = item->next; /* the message stays: an attempt ends later, never from inside */
		item_make_ready(item);
	}
	for (struct queue_item *item = m->items, *next; item != NULL; item = next) {
		next = item->next;
		site_run(item->site);
	}
}

/* A message that will leave at once stays in memory; one that waits for long is read back when it is due. */
static void
keep_hot(struct queue_message *m, struct message *message)
{
	struct queue *queue = m->queue;
	uint64_t bytes = message->size - message->file_size;

	if (queue->hot_bytes + bytes > (uint64_t)queue->config->spool.body_budget_bytes / HOT_SHARE)
		return;
	for (const struct queue_item *item = m->items; item != NULL; item = item->next)
		if (timer_is_set(&item->site->pause))
			return;
	queue->hot_bytes += bytes;
	m->hot = message_ref(message);
}

enum rc
queue_submit(struct queue *queue, struct message *message, queue_callback *callback, void *arg,
    struct why *why)
{
	struct queue_message *m = message_make(queue, message);
	enum rc rc;

	if (m == NULL)
		return why_set(why, RC_LATER, 451, "Temporary service failure");
	m->callback = callback;
	m->arg = arg;
	keep_hot(m, message);
	rc = spool_append_message(queue->options.spool, &m->entry, message, on_committed, m, why);
	if (rc != RC_OK)
		queue_message_free(m);
	return rc;
}

/* ------------------------------------------------------------------ start and stop ------------ */

static struct spool_entry *
on_replay_message(void *arg, const struct message *envelope)
{
	struct queue *queue = arg;
	struct queue_message *m = message_make(queue, envelope);

	if (m == NULL)
		return NULL;
	m->committed = true;
	list_add_tail(&queue->messages, &m->node);
	queue->message_count++;
	if (queue->options.on_replayed != NULL)
		queue->options.on_replayed(queue->options.arg, envelope);
	return &m->entry;
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
	if (m->held)
		m->queue->held--;
	m->held = false;
	for (struct queue_item *item = m->items; item != NULL; item = item->next)
		for (size_t i = 0; i < m->recipient_count; i++) {
			if (!set_has(&item->open, i))
				continue;
			m->held |= states[i].held;
			if (states[i].settled)
				set_remove(&item->open, i);
			item->attempts = states[i].attempts;
			/* Kept here until queue_start: the heap is for monotonic time. */
			item->ready_us = states[i].due_ms;
		}
	if (m->held)
		m->queue->held++;
}

static void
on_replay_done(void *arg, struct spool_entry *entry)
{
	(void)arg;
	queue_message_free(container_of(entry, struct queue_message, entry));
}

/* Kept until queue_start: nothing can be appended before the end of the replay. */
static void
on_replay_poison(void *arg, struct spool_entry *entry)
{
	struct queue_message *m = container_of(entry, struct queue_message, entry);

	(void)arg;
	m->poison = true;
}

const struct spool_replay_ops queue_replay_ops = { .on_message = on_replay_message,
	.on_state = on_replay_state,
	.on_done = on_replay_done,
	.on_poison = on_replay_poison };

static void
start_item(struct queue *queue, struct queue_item *item)
{
	int64_t delay_ms = item->ready_us > 0 ? item->ready_us - clock_wall_ms() : 0;

	if (set_is_empty(&item->open)) {
		drop_item(item);
		return;
	}
	if (item->message->held)
		set_reason(item, "held since before the last start");
	/* A clock that jumped must not freeze the queue. */
	if (delay_ms > queue->config->delivery.retry_max_ms)
		delay_ms = queue->config->delivery.retry_max_ms;
	if (delay_ms > 0)
		item_defer(item, delay_ms);
	else
		item_make_ready(item);
}

static void
hold_poison(struct queue_message *m)
{
	log_line(LOG_LEVEL_ERROR, "qmgr",
	    "%010llX: held: it was under way each of the last two times the daemon died of a fault",
	    (unsigned long long)m->entry.sequence);
	queue_hold(
	    m, "held: it was under way each of the last two times the daemon died of a fault");
}

void
queue_start(struct queue *queue)
{
	queue->started = true;
	LIST_FOREACH_SAFE (node, &queue->messages) {
		struct queue_message *m = container_of(node, struct queue_message, node);

		for (struct queue_item *item = m->items, *next; item != NULL; item = next) {
			next = item->next;
			start_item(queue, item);
		}
		if (m->poison && m->items != NULL)
			hold_poison(m);
		if (m->items == NULL)
			queue_discard(m); /* the crash came between the last outcome and "done" */
	}
	MAP_FOREACH (slot, &queue->sites)
		site_run_later(slot->value);
	timer_set(&queue->sweep_timer, SWEEP_MS);
}

static void
on_sweep(void *arg)
{
	struct queue *queue = arg;

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
	list_init(&queue->messages);
	list_init(&queue->cursors);
	list_init(&queue->reports);
	list_init(&queue->idle_slots);
	list_init(&queue->busy_slots);
	list_init(&queue->starved);
	list_init(&queue->later);
	timer_init(&queue->due_timer, options->core, on_due, queue);
	timer_init(&queue->sweep_timer, options->core, on_sweep, queue);
	timer_init(&queue->later_timer, options->core, sites_run_later, queue);
	return RC_OK;
}

void
queue_configure(struct queue *queue, struct config *config, struct tls_client *tls_client)
{
	config_unref(queue->config);
	tls_client_unref(queue->tls_client);
	queue->config = config_ref(config);
	queue->tls_client = tls_client_ref(tls_client);
	queue->generation++;
	sites_reconfigure(queue);
}

void
queue_stop(struct queue *queue, void (*on_idle)(void *arg), void *arg)
{
	queue->stopping = true;
	queue->on_idle = on_idle;
	queue->on_idle_arg = arg;
	sites_stop_lookups(queue); /* what would wait for hosts waits for the next start */
	timer_cancel(&queue->due_timer);
	timer_cancel(&queue->sweep_timer);
	sites_close_channels(queue);
	queue_check_idle(queue);
}

void
queue_cut(struct queue *queue)
{
	sites_cut(queue);
}

void
queue_free(struct queue *queue)
{
	struct list *node;

	if (queue == NULL)
		return;
	queue->options.spool = NULL; /* it has been closed: nothing is recorded any more */
	sites_stop_lookups(queue);   /* puts items back, which may set the timer */
	timer_cancel(&queue->due_timer);
	timer_cancel(&queue->sweep_timer);
	cursors_end(queue);
	timer_cancel(&queue->later_timer);
	while ((node = queue->reports.next) != &queue->reports)
		report_free(container_of(node, struct report, node));
	while ((node = queue->messages.next) != &queue->messages)
		queue_message_free(container_of(node, struct queue_message, node));
	sites_free(queue);
	heap_free(&queue->deferred);
	config_unref(queue->config);
	tls_client_unref(queue->tls_client);
	free(queue);
}
