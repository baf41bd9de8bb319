/* queue/outcome.c - what attempts make of recipients: told, reported, recorded, tried again or over.
 *
 * Always true: a message that is over has a "done" record on its way, or a report that must be on the disk before it. */
#include "config.h"

#include "queue/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounce/bounce.h"
#include "event/event.h"
#include "queue/retry.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "util/log.h"

enum {
	PUT_BACK_MS = 2000,
	REPORT_RETRY_MS = 10000
};

/* ------------------------------------------------------------------ recorded ------------------ */

/* Nothing is left to do. */
void
queue_discard(struct queue_message *m)
{
	const struct queue *queue = message_queue(m);

	if (spool_append_done(queue->options.spool, &m->entry, NULL, NULL) != RC_OK)
		log_line(LOG_LEVEL_ERROR, "qmgr",
		    "%010llX: out of memory: its end is not recorded, it will be seen again after "
		    "a restart",
		    (unsigned long long)m->entry.sequence);
	event_removed(m->entry.sequence, &m->id);
	message_free(m);
}

static void
record_state(struct queue_message *m)
{
	struct recipient_state *states = calloc(m->recipient_count, sizeof *states);
	struct buf bytes = BUF_EMPTY;
	int64_t wall_ms = clock_wall_ms();

	if (states == NULL)
		return; /* costs a duplicate after a crash, never a message */
	for (size_t i = 0; i < m->recipient_count; i++)
		states[i].settled = true;
	ITEMS_FOREACH (item, m)
		for (size_t i = 0; i < m->recipient_count; i++)
			if (item_has(item, i)) {
				states[i].settled = false;
				states[i].held = m->held;
				states[i].attempts = item->attempts;
				states[i].due_ms = item->state == ITEM_DEFERRED
						       ? wall_ms + wheel_left_ms(item)
						       : wall_ms;
			}
	state_encode(states, m->recipient_count, &bytes);
	if (!bytes.failed)
		(void)!spool_append_state(
		    message_queue(m)->options.spool, &m->entry, buf_span(&bytes), NULL, NULL);
	buf_free(&bytes);
	free(states);
}

/* ------------------------------------------------------------------ set aside ----------------- */

/* Items that are active follow when they come back. */
void
queue_hold(struct queue_message *m, const char *reason)
{
	if (!m->held)
		message_queue(m)->held++;
	m->held = true;
	ITEMS_FOREACH (item, m) {
		item_set_reason(item, reason);
		if (item->state != ITEM_ACTIVE)
			item_hold(item);
	}
	record_state(m);
}

bool
queue_release(struct queue_message *m)
{
	if (!m->held)
		return queue_retry(m, SPAN_EMPTY);
	m->held = false;
	message_queue(m)->held--;
	ITEMS_FOREACH (item, m) {
		if (item->state != ITEM_HELD)
			continue;
		exchange_forgive(item_destination(item)->exchange);
		item_make_ready(item);
		destination_run_later(item_destination(item));
	}
	record_state(m);
	return true;
}

/* ------------------------------------------------------------------ outcomes ------------------ */

/* By the wall clock, as the log has it: finer, and 0 after a jump backwards. */
static int64_t
shown_age_ms(const struct queue_message *m)
{
	int64_t age_ms = clock_wall_ms() - message_id_time_ms(&m->id);

	return age_ms > 0 ? age_ms : 0;
}

static int64_t
max_age_ms(const struct queue_message *m, const struct message *message)
{
	return m->has_end ? message->max_age_ms : message_queue(m)->config->delivery.max_age_ms;
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
		.failure = outcome->failure,
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
	if (message_is_over(m))
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

void
reports_free(struct queue *queue)
{
	struct list *node;

	while ((node = queue->reports.next) != &queue->reports)
		report_free(container_of(node, struct report, node));
}

static void
on_report_stored(void *arg, enum rc rc, uint64_t sequence, const struct why *why)
{
	struct report *report = arg;
	struct queue_message *m = report->about;
	struct queue *queue = message_queue(m);

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
	enum rc rc = queue_submit(
	    message_queue(report->about), report->message, on_report_stored, report, &why);

	if (rc != RC_OK)
		on_report_stored(report, rc, 0, &why);
}

static void
report_failures(struct queue_message *m, const struct message *message,
    const struct bounce_recipient *failed, size_t count)
{
	struct queue *queue = message_queue(m);
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
schedule_retry(struct queue_item *item, int64_t age_ms)
{
	const struct config *config = item_destination(item)->queue->config;
	int64_t left_ms = message_left_ms(item_message(item)), delay_ms;
	uint32_t random;

	crypto_random(&random, sizeof random);
	delay_ms = retry_message_delay_ms(item->attempts, age_ms, config->delivery.retry_min_ms,
	    config->delivery.retry_max_ms, random);
	item_defer(item, left_ms > 0 && delay_ms > left_ms ? left_ms : delay_ms);
}

void
item_put_back(struct queue_item *item, const char *reason)
{
	item_set_reason(item, reason);
	item_defer(item, PUT_BACK_MS);
}

void
item_unreadable(struct queue_item *item, const char *reason)
{
	item->attempts++;
	item_set_reason(item, reason);
	schedule_retry(item, INT64_MAX); /* how long it was to live stands in the message */
}

void
item_settle(struct queue_item *item, struct message *message, const uint8_t *index,
    const struct client_recipient *results, size_t count, const struct attempt_report *report,
    int64_t waited_us)
{
	struct queue_message *m = item_message(item);
	struct queue *queue = message_queue(m);
	struct bounce_recipient failed[MESSAGE_RECIPIENTS_MAX];
	struct outcome outcomes[MESSAGE_RECIPIENTS_MAX];
	size_t failed_count = 0;
	bool expired = message_left_ms(m) <= 0;

	item->attempts++;
	for (size_t i = 0; i < count; i++) {
		struct outcome *outcome = &outcomes[i];

		*outcome = results[i].outcome;
		if (outcome->kind == OUTCOME_DEFERRED && expired)
			outcome_expire(outcome, max_age_ms(m, message), m->has_end);
		tell(m, message, results[i].address, outcome, report, waited_us);
		if (outcome->kind == OUTCOME_FAILED && queue->options.on_failed != NULL)
			queue->options.on_failed(
			    queue->options.arg, message, results[i].address, outcome);
		if (outcome->kind == OUTCOME_FAILED)
			failed[failed_count++] = (struct bounce_recipient){ index[i], outcome,
				report != NULL ? report->host : "" };
		if (outcome->kind == OUTCOME_DEFERRED) {
			char text[OUTCOME_TEXT_MAX + 32];

			outcome_format(outcome, text, sizeof text);
			item_set_reason(item, text);
		} else {
			item_remove(item, index[i]);
		}
	}
	if (failed_count > 0)
		report_failures(m, message, failed, failed_count);
	message_cool(m);
	if (item->open == 0)
		item_end(item);
	else
		schedule_retry(item, max_age_ms(m, message) - message_left_ms(m));
	record_outcome(m);
}
