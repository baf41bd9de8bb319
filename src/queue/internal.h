/* queue/internal.h - what the files of queue/ share. */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include <assert.h>
#include <stddef.h>

#include "delivery/channel.h"
#include "queue/queue.h"
#include "queue/reason.h"
#include "queue/state.h"
#include "queue/wheel.h"
#include "util/hash.h"
#include "util/slab.h"

enum item_state {
	ITEM_OVER,   /* nothing is left of it: only the first of a message is kept so */
	ITEM_NEW,    /* in no list yet */
	ITEM_READY,  /* in site->ready */
	ITEM_ACTIVE, /* being loaded, or in an attempt */
	ITEM_DEFERRED,
	ITEM_HELD /* in no list: until an operator retries or drops its message */
};

enum {
	ITEM_RECIPIENTS = 64
};

/* Recipients of a message at a site: those from `base` on, up to ITEM_RECIPIENTS of them. Queues are long: a message
 * with one item is 128 bytes, so what is not needed in the same state has the same place. */
struct queue_item {
	struct site *site;
	struct queue_item *next; /* of the same message */
	union {
		/* ITEM_READY: in site->ready; ITEM_DEFERRED: in queue->deferred. */
		struct list node;
		/* ITEM_NEW, in replay: when it is due by the wall clock, 0: at once. */
		int64_t replay_ms;
		unsigned work; /* ITEM_ACTIVE: of spool_work_begin */
		struct {       /* ITEM_NEW, the first: whom to tell that the message is stored */
			queue_callback *callback;
			void *arg;
		};
	};
	uint64_t open; /* bit i: recipient base + i */
	union {
		struct reason *reason; /* last outcome, or NULL */
		struct message *hot;   /* the first, if message->is_hot: before it has a reason */
	};
	/* Monotonic, modulo 2^32. ITEM_NEW: not before, 0: at once; ITEM_READY, ITEM_ACTIVE: since when it waits for a
	 * connection; ITEM_DEFERRED: until when. */
	uint32_t at_ms;
	uint32_t generation; /* of the configuration it was assigned its site under */
	uint16_t attempts;
	uint8_t state;
	uint8_t base;
	bool is_extra; /* part of an extra_item, not of its message */
};

struct queue_message {
	struct queue_item first;
	struct spool_entry entry;
	struct message_id id;
	/* Monotonic: a wall clock that jumps makes no message old. When it came or, if it has an end of its own, that. */
	int32_t clock_s;
	unsigned has_end : 1;
	unsigned recipient_count : 7;
	unsigned reports : 7; /* about it, on their way to the disk */
	unsigned held : 1;    /* its items become ITEM_HELD instead of ready or deferred */
	unsigned is_hot : 1;  /* its content is still in memory since it came in */
};

/* Another item, of a message with several. */
struct extra_item {
	struct queue_item item;
	struct queue_message *message;
};

static_assert(
    sizeof(struct queue_message) <= 128, "a long queue takes more memory than documented");
static_assert(MESSAGE_RECIPIENTS_MAX < 1 << 7, "recipient_count and reports are too small");
static_assert(MESSAGE_RECIPIENTS_MAX <= UINT8_MAX, "base is too small");

static inline bool
item_has(const struct queue_item *item, size_t i)
{
	return i >= item->base && i - item->base < ITEM_RECIPIENTS &&
	       (item->open >> (i - item->base) & 1) != 0;
}

static inline void
item_add(struct queue_item *item, size_t i)
{
	item->open |= UINT64_C(1) << (i - item->base);
}

static inline void
item_remove(struct queue_item *item, size_t i)
{
	item->open &= ~(UINT64_C(1) << (i - item->base));
}

static inline struct queue_message *
item_message(const struct queue_item *item)
{
	uintptr_t at = (uintptr_t)item; /* not const: the message is the caller's to change */

	return item->is_extra
		   ? ((const struct extra_item *)(const void *)item)->message
		   : (struct queue_message *)(at - offsetof(struct queue_message, first));
}

static inline struct queue_item *
items_from(const struct queue_item *item)
{
	while (item != NULL && item->state == ITEM_OVER)
		item = item->next;
	return (struct queue_item *)(uintptr_t)item; /* as in item_message */
}

static inline bool
message_is_over(const struct queue_message *m)
{
	return items_from(&m->first) == NULL;
}

/* The items that are not over. The one at hand may end, others may not. */
#define ITEMS_FOREACH(each, m) \
	for (struct queue_item *each = items_from(&(m)->first), \
			       *each##_next = each != NULL ? items_from(each->next) : NULL; \
	     each != NULL; \
	     each = each##_next, each##_next = each != NULL ? items_from(each->next) : NULL)

enum site_kind {
	SITE_REMOTE,
	/* What becomes of a recipient is known, see known.c. */
	SITE_SIMULATOR,
	SITE_SUPPRESSED
};

/* Destinations that share a way of delivery: one domain, or all that go to one smarthost. */
struct site {
	struct queue *queue;
	enum site_kind kind;
	char *key; /* the domain in lower case, "=ROUTE", or "!simulator" and "!suppressed" */
	const struct config_route *route; /* in policy->config, or NULL: MX of the domain */
	struct delivery_policy *policy;	  /* NULL: to be made from the present configuration */
	struct list ready;		  /* items */
	size_t items;			  /* that belong here, in whatever state */
	size_t ready_count, active;
	struct list idle; /* slots */
	size_t slots;
	struct mx_result *hosts;
	int64_t hosts_until_ms; /* monotonic: then they are looked up again */
	struct mx_wait *lookup;
	unsigned failures;   /* connections that failed in a row */
	struct timer pause;  /* set: begin nothing before */
	struct list starved; /* in queue->starved: waits for a connection of the total */
	struct list later;   /* in queue->later: to be run from the loop */
};

/* A channel and where it is kept. */
struct slot {
	struct channel *channel;
	const struct delivery_policy *policy; /* the channel's; compared, not used */
	struct site *site;
	struct list node; /* in site->idle */
	struct list lru;  /* in queue->idle_slots, or queue->busy_slots */
	bool is_idle;
	bool cut; /* the channel has been told to close in the middle of its attempt */
	struct timer idle_timer;
};

struct queue {
	struct queue_options options;
	struct config *config;
	struct tls_client *tls_client;
	uint32_t generation; /* counts configurations */
	struct map sites;
	struct map reasons;
	struct slab messages;
	struct list cursors;
	struct list reports; /* on their way to the disk */
	struct wheel deferred;
	struct timer sweep_timer, later_timer;
	struct list idle_slots, busy_slots, starved, later;
	size_t slots, idle_count; /* of these */
	size_t ready, active, message_count, held;
	size_t loading; /* items whose message is being read */
	size_t next_loop;
	uint64_t hot_bytes;
	unsigned suspect_work; /* of the item of a suspect that is active; 0: none */
	bool started, stopping, cut;
	bool replays_poison; /* the message that replay tells of now is to be held */
	void (*on_idle)(void *arg);
	void *on_idle_arg;
};

static inline struct queue *
message_queue(const struct queue_message *m)
{
	return m->first.site->queue;
}

/* view.c: the queue is being freed: its cursors are at their end. */
void cursors_end(struct queue *queue);

/* message.c */
/* All its items are ITEM_NEW. NULL: out of memory. */
struct queue_message *message_make(struct queue *queue, const struct message *from);
void message_free(struct queue_message *m);
bool message_is_stored(const struct queue_message *m);
/* Keeps the content in memory until its first outcome, when there is room. */
void message_keep_hot(struct queue_message *m, struct message *message);
void message_cool(struct queue_message *m);
int64_t message_left_ms(
    const struct queue_message *m);	/* until it is given up; negative: it is too old */
void item_end(struct queue_item *item); /* extra ones are freed */
void item_set_reason(struct queue_item *item, const char *reason);
void item_make_ready(struct queue_item *item);
void item_defer(struct queue_item *item, int64_t delay_ms);
/* Of an ITEM_NEW: milliseconds until it may be tried. */
int64_t item_wait_ms(const struct queue_item *item);
/* An ITEM_NEW becomes ready, or deferred until it may be tried. */
void item_begin(struct queue_item *item);
void item_hold(struct queue_item *item); /* not while it is active */
void item_on_due(struct queue_item *item);
/* The item was given its site under an older configuration: recipients whose route has changed become items of their
 * new sites. True: none is left, the item is over. */
bool item_reroute(struct queue_item *item, const struct message *message);

/* known.c */
enum site_kind known_kind(
    const struct queue *queue, const struct message *message, const char *address);
void known_outcome(const struct site *site, const char *address, struct outcome *out);

/* outcome.c */
void queue_discard(struct queue_message *message); /* nothing is left to do: recorded, freed */
/* What an attempt (or a cause without one) made of the recipients `index`: writes events, reports failures, records
 * the state, and moves the item on. report may be NULL. */
void item_settle(struct queue_item *item, struct message *message, const uint8_t *index,
    const struct client_recipient *results, size_t count, const struct attempt_report *report,
    int64_t waited_us);
/* The message is set aside until an operator decides. */
void queue_hold(struct queue_message *message, const char *reason);
/* Its message cannot be read from the spool now: it stays, tried less and less often. */
void item_unreadable(struct queue_item *item, const char *reason);
void item_put_back(
    struct queue_item *item, const char *reason); /* no fault of the message: soon again */
void reports_free(struct queue *queue);		  /* those on their way: at the end */

/* site.c */
struct site *site_for(struct queue *queue, const struct message *message,
    const char *address);				   /* of a recipient. NULL: out of memory */
void site_add(struct site *site, struct queue_item *item); /* a ready item */
void site_remove(struct site *site, struct queue_item *item); /* from ready */
void site_run(struct site *site);
/* The same when the callbacks under way have returned: from inside walks of messages or sites. */
void site_run_later(struct site *site);
void sites_run_later(void *queue); /* of later_timer */
void sites_reconfigure(struct queue *queue);
void sites_sweep(struct queue *queue);
void sites_free(struct queue *queue);
void sites_close_channels(struct queue *queue);
void sites_stop_lookups(struct queue *queue);
void sites_cut(struct queue *queue);
void queue_check_idle(struct queue *queue); /* after queue_stop: is nothing under way any more? */

#endif
